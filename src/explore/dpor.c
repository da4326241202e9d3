/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The exhaustive strategy.  Executions that differ only in the order of independent
 * steps have the same graph of events (program order, reads-from, coherence order),
 * and each graph is visited once, in memory linear in the depth: TruSt
 * (Kokologiannakis, Marmanis, Gladstein, Vafeiadis, POPL 2022), here under sequential
 * consistency, with locks that are waited for in the graph.  The graphs that wait are
 * independent of each other: each is the root of a part of the search that needs to
 * know nothing of the rest.
 */
#include <config.h>

#include "explore/jobs.h"
#include "explore/promise.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define STRIDE 8	/* of clocks at first; doubled when there are more tasks */
#define JOBS_PATIENCE 64 /* executions without news before others are called to help */

/* The first graph is the empty one. */
static bool begin_anew(struct dpor *d)
{
	unsigned stride = d->stride;

	while (stride < d->nslots)
		stride *= 2;
	gstack_clear(&d->stack);
	d->g.n = 0;
	d->anew = false;
	d->begun = 0;
	explore_forget(d->x);
	estimate_clear(&d->estimate);
	d->told = 0;
	if (stride != d->stride) {
		size_t classes = (size_t)d->classes_cap * stride * sizeof(uint16_t);

		d->stride = stride;
		free(d->hb);
		free(d->past);
		free(d->clock);
		free(d->written);
		free(d->touched);
		d->per_event = 0;
		d->hb = d->past = NULL;
		d->clock = malloc(stride * sizeof(uint16_t));
		d->written = malloc(classes ? classes : 1);
		d->touched = malloc(classes ? classes : 1);
		if (!d->clock || !d->written || !d->touched)
			return visit_oom(d);
	}
	return gstack_push(&d->stack, &d->g) || visit_oom(d);
}

/* One graph, to the end of its execution.  False: stop. */
bool dpor_visit(struct dpor *d)
{
	bool moved = true, cut = false;

	if (!estimate_take(&d->estimate, d->stack.n, d->told + d->x->executions) ||
	    !gstack_pop(&d->stack, &d->g))
		return visit_oom(d);
	d->dropped = false;
	/* who does nothing but access memory owns no CPU */
	if (!d->x->lean && prune_hopeless(d))
		return true;
	if (!visit_replay(d))
		return d->anew || d->dropped;
	for (;;) {
		cut = d->nsteps >= d->x->opts.max_steps || d->nsteps >= DPOR_STEPS_MAX;
		if (cut) {
			explore_bound(d->x, "max_steps %zu", d->nsteps);
			break;
		}
		if (!extend_next(d, &moved))
			return d->anew;
		if (!moved)
			break;
	}
	if (!cut && !leaf_reached(d))
		return d->anew;
	if (!cut && !d->dropped && !leaf_push_starved(d))
		return d->anew;
	return d->dropped || leaf_end(d, cut);
}

static void note_bounds(struct dpor *d)
{
	if (d->preempted)
		explore_bound(d->x, "preemptions %d", d->x->opts.preemptions);
}

/* How much is still to come, for those who watch. */
static void expect(struct dpor *d)
{
	struct explore_progress *p = &d->x->now;

	p->pending = d->stack.n;
	if (d->x->progress && !(d->x->executions & 255))
		estimate_rest(&d->estimate, d->stack.n, d->told + d->x->executions, &p->low, &p->high);
}

static bool search(struct dpor *d)
{
	for (;;) {
		if (d->anew && !begin_anew(d))
			return false;
		if (!d->stack.n && !places_watch(d))
			return true;
		if (d->anew)
			continue;
		if (!explore_go_on(d->x))
			return !d->x->report.error;
		if (jobs_are_due(d)) {
			switch (jobs_run(d)) {
			case JOBS_DONE:
				return !d->x->report.error;
			case JOBS_ANEW: case JOBS_ALONE:
				continue;
			}
		}
		expect(d);
		if (dpor_visit(d) || d->anew)
			continue;
		if (d->stopped)
			return !d->x->report.error;
		/* nothing but an error may end it otherwise: never a silent ok */
		return explore_fail(d->x, "the exploration ended where it may not: this is an error in srcush");
	}
}

/*
 * Where nobody is preempted, as under Tiny SRCU, whole stretches of steps are what is
 * ordered, and what they touch plainly may be touched by nobody else before they are
 * over.  There are few of them: all orders are tried.
 */
static bool is_voluntary(struct dpor *d)
{
	struct world *w = explore_begin(d->x);

	d->weak = w && world_model(w)->consistent;
	return w && w->voluntary;
}

bool dpor_run(struct explore *x)
{
	struct dpor d = { .x = x, .stride = STRIDE, .anew = true, .watch = LOC_NONE,
			  .patience = JOBS_PATIENCE };
	bool ok;

	/* the n-th of several at the same time would not be the same each time */
	x->shared = x->opts.jobs > 1 && !x->opts.show;
	if (is_voluntary(&d))
		return naive_run(x);
	if (x->report.error)
		return false;
	d.clock = malloc(STRIDE * sizeof(*d.clock));
	ok = (d.clock || visit_oom(&d)) && places_init(&d) && search(&d);
	note_bounds(&d);
	if (ok && !x->report.bound && !x->executions && !x->src.allows && !(x->promising && x->promising->n))
		ok = explore_fail(x, "the exploration found no execution at all: this is an error in srcush");
	snare_release(&d);
	if (x->shared)
		results_sort(x);
	jobs_release(&d);
	estimate_release(&d.estimate);
	keep_release(&d);
	places_release(&d);
	gstack_release(&d.stack);
	order_release(&d.order);
	peek_release(&d.peek);
	free(d.prune_mem);
	free(d.g.ev);
	free(d.next.ev);
	free(d.po);
	free(d.where);
	free(d.info);
	free(d.unlock);
	free(d.hb);
	free(d.past);
	free(d.clock);
	free(d.steps);
	free(d.mem);
	free(d.mm_at);
	free(d.mm_old);
	free(d.mm_unlock);
	free(d.base_at);
	free(d.performed);
	free(d.revisited);
	free(d.lane);
	free(d.write);
	free(d.loose);
	mm_release(&d.mm);
	mm_release(&d.base);
	return ok;
}
