/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every interleaving, one by one: depth first, each execution from the start, at each
 * state each task that can move and each number that choose() can give.  Nothing is
 * left out as equivalent to another: this is what the other strategies are checked
 * against, and it counts how many of its executions really differ.
 */
#include <config.h>

#include "explore/enabled.h"
#include "explore/explore.h"
#include "explore/trace-hash.h"
#include "memory/model.h"

#include <inttypes.h>
#include <stdlib.h>

/* A state on the way: how many ways lead on, and which one is being tried. */
struct state { uint32_t tried, ways; };

struct naive {
	struct explore *x;
	struct enabled enabled;
	struct state *states;
	size_t nstates, states_cap;
	struct exec_step *steps;
	size_t nsteps, steps_cap;
	struct task *last;	/* who moved last in this execution */
	int preemptions;	/* made so far in it */
	struct trace_hash hash;
	struct trace_set traces;
};

static uint32_t ways_of(const struct task *t)
{
	return t->ev.op == OP_CHOOSE && t->ev.a ? (uint32_t)t->ev.a : 1;
}

/* Where no preemption is left, the one that moved last goes on as long as it can. */
static void apply_preemptions(struct naive *d)
{
	struct enabled *e = &d->enabled;

	if (d->x->opts.preemptions < 0 || d->preemptions < d->x->opts.preemptions ||
	    !d->last || !enabled_has(e, d->last) || e->n == 1)
		return;
	explore_bound(d->x, "preemptions %d", d->x->opts.preemptions);
	e->v[0] = d->last;
	e->n = 1;
}

/* The state that is reached with nsteps: which of its ways is to be taken? */
static bool find_way(struct naive *d, uint32_t *way)
{
	uint32_t ways = 0;
	struct state *s;

	for (size_t i = 0; i < d->enabled.n; i++)
		ways += ways_of(d->enabled.v[i]);
	if (d->nsteps == d->nstates) {
		if (!grow(&d->states, &d->states_cap, d->nstates + 1, sizeof(*d->states)))
			return explore_oom(d->x);
		d->states[d->nstates++] = (struct state){ .ways = ways };
	}
	s = &d->states[d->nsteps];
	if (s->ways != ways)
		return explore_fail(d->x, "the scenario is not deterministic: after the same %zu "
				    "steps %" PRIu32 " ways led on, and this time %" PRIu32,
				    d->nsteps, s->ways, ways);
	*way = s->tried;
	return true;
}

static struct task *pick(const struct naive *d, uint32_t way, unsigned *choice)
{
	size_t i = 0;

	for (; way >= ways_of(d->enabled.v[i]); i++)
		way -= ways_of(d->enabled.v[i]);
	*choice = d->enabled.v[i]->ev.op == OP_CHOOSE ? way + 1 : 0;
	return d->enabled.v[i];
}

static bool note_step(struct naive *d, const struct task *t, unsigned choice)
{
	if (!grow(&d->steps, &d->steps_cap, d->nsteps + 1, sizeof(*d->steps)))
		return explore_oom(d->x);
	d->steps[d->nsteps++] = (struct exec_step){ .task = task_id(t), .choice = choice };
	if (d->last && d->last != t && enabled_has(&d->enabled, d->last))
		d->preemptions++;
	return true;
}

/* One execution: along the states that are known, then always the first way.  False:
 * it has to begin again, or the exploration has failed. */
static bool execute(struct naive *d, struct world *w, enum exec_end *how)
{
	struct explore *x = d->x;

	d->nsteps = 0;
	d->preemptions = 0;
	d->last = NULL;
	*how = EXEC_FAILED;
	if (world_model(w)->consistent)
		return explore_fail(x, "the naive strategy tries all orders of the steps, not what else the "
				    "%s memory model allows", world_model(w)->name);
	trace_hash_begin(&d->hash);
	for (;;) {
		struct task *t;
		unsigned choice;
		uint32_t way = 0;

		*how = EXEC_FAILED;
		if (!enabled_collect(&d->enabled, w))
			return true;
		if (!d->enabled.n) {
			*how = explore_end_of(w);
			return true;
		}
		*how = EXEC_CUT;
		if (d->nsteps >= x->opts.max_steps)
			return true;
		apply_preemptions(d);
		if (!find_way(d, &way))
			return false;
		t = pick(d, way, &choice);
		if (explore_outgrows(x, t) || !note_step(d, t, choice))
			return false;
		trace_hash_before(&d->hash, t, choice);
		*how = EXEC_FAILED;
		if (enabled_step(w, t, choice) != STEP_OK)
			return true;
		if (!trace_hash_after(&d->hash))
			return explore_oom(x);
		explore_stepped(x, w, t);
		d->last = t;
	}
}

/* Goes back to the last state with a way that has not been tried. */
static bool backtrack(struct naive *d)
{
	while (d->nstates) {
		struct state *s = &d->states[d->nstates - 1];

		if (++s->tried < s->ways)
			return true;
		d->nstates--;
	}
	return false;
}

static bool count_trace(struct naive *d)
{
	if (!trace_set_add(&d->traces, trace_hash_end(&d->hash)))
		return explore_oom(d->x);
	d->x->report.traces = d->traces.n;
	return true;
}

static bool explore_all(struct naive *d)
{
	struct explore *x = d->x;
	enum exec_end how;

	do {
		struct world *w;
		bool lean;

		if (!explore_go_on(x))
			return !x->report.error;
		do {
			lean = x->lean;
			w = explore_begin(x);
			if (!w)
				return false;
			if (execute(d, w, &how))
				break;
			if (x->report.error)
				return false;
		} while (lean != x->lean);
		if (how == EXEC_COMPLETE && !count_trace(d))
			return false;
		if (!explore_end(x, w, how, d->steps, d->nsteps))
			return !x->report.error;
	} while (backtrack(d));
	return true;
}

bool naive_run(struct explore *x)
{
	struct naive d = { .x = x };
	bool ok = explore_all(&d);

	enabled_release(&d.enabled);
	trace_hash_release(&d.hash);
	trace_set_release(&d.traces);
	free(d.states);
	free(d.steps);
	return ok;
}
