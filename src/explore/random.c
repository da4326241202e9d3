/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sampling: executions in which chance says who moves next, each from a seed of its
 * own that repeats it alone.  "random" takes any of those that can move, each equally
 * likely; "pct" always the one of highest priority, with priorities that chance gives
 * and changes at depth - 1 steps (Burckhardt, Kothari, Musuvathi, Nagarakatte: A
 * randomized scheduler with probabilistic guarantees of finding bugs, ASPLOS 2010).
 */
#include <config.h>

#include "explore/enabled.h"
#include "explore/jobs.h"
#include "memory/execution.h"
#include "memory/model.h"

#include <inttypes.h>
#include <stdlib.h>

/* xoshiro256** (Blackman, Vigna: Scrambled linear pseudorandom number generators,
 * ACM TOMS 2021): a period of 2^256 - 1, so that no sequence of choices is out of its reach. */
struct generator { uint64_t s[4]; };

static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

static uint64_t draw(struct generator *g)
{
	uint64_t *s = g->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

static void seed_generator(struct generator *g, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		g->s[i] = world_random(&seed);	/* never four zeros: it is a bijection of a counter */
}

/* 0 .. n-1, each as likely as 2^64 allows. */
static uint64_t below(struct generator *g, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)draw(g) * n) >> 64);
}

/* Priorities: what chance gives is above what a change point gives, and that above
 * what somebody gets who only passes the time. */
#define GIVEN	 (1ull << 63)
#define CHANGED	 (1ull << 62)

#define SOLO 128	/* executions before others are called to help */

struct sampler {
	struct explore *x;
	struct generator g;
	struct enabled enabled;
	struct exec_step *steps;
	size_t nsteps, steps_cap;
	struct task *last;
	int preemptions;

	/* pct */
	uint64_t *priorities;	/* by index of the task; 0: none yet */
	size_t npriorities, priorities_cap;
	uint64_t *changes;	/* steps before which the priority changes, ascending */
	size_t nchanges, next_change;
	uint64_t lowest;	/* the priority below all that were given in this execution */
	uint64_t length;	/* k: steps among which the change points are */
	bool measuring;		/* chance has no part in this execution */
	uint64_t in_a_row;	/* steps that `last` has made without another's */
};

/* --- pct --- */

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void pct_begin(struct sampler *s)
{
	s->npriorities = 0;
	s->next_change = 0;
	s->lowest = CHANGED - 1;
	s->in_a_row = 0;
	for (size_t i = 0; i < s->nchanges; i++)
		s->changes[i] = below(&s->g, s->length);
	if (s->nchanges)
		qsort(s->changes, s->nchanges, sizeof(*s->changes), by_number);
}

/* Each task gets its priority when it is met first, in order of making. */
static bool pct_meet(struct sampler *s, const struct world *w)
{
	if (s->npriorities == w->ntasks)
		return true;
	if (!grow(&s->priorities, &s->priorities_cap, w->ntasks, sizeof(*s->priorities)))
		return explore_oom(s->x);
	while (s->npriorities < w->ntasks)
		s->priorities[s->npriorities++] = GIVEN | draw(&s->g) >> 1;
	return true;
}

static size_t highest(struct sampler *s)
{
	struct task *const *v = s->enabled.v;
	size_t best = 0;

	for (size_t i = 1; i < s->enabled.n; i++)
		if (s->priorities[v[i]->index] > s->priorities[v[best]->index])
			best = i;
	return best;
}

/* Does t only pass the time?  Whoever it waits for has to come before it then: it
 * yields, delays, or has run longer than whole executions are. */
static bool passes_time(const struct sampler *s, const struct task *t)
{
	return t->ev.op == OP_YIELD || (t == s->last && s->in_a_row > s->length + 100);
}

static size_t pct_pick(struct sampler *s)
{
	struct task *const *v = s->enabled.v;
	size_t i = highest(s);

	while (s->next_change < s->nchanges && s->changes[s->next_change] == s->nsteps) {
		s->priorities[v[i]->index] = CHANGED + s->nchanges - s->next_change++;
		i = highest(s);
	}
	if (passes_time(s, v[i]) && s->enabled.n > 1) {
		s->priorities[v[i]->index] = s->lowest--;
		s->in_a_row = 0;
		i = highest(s);
	}
	return i;
}

/* --- one execution --- */

/* Which of the enabled? */
typedef size_t (*picker)(struct sampler *s);

static size_t pick_any(struct sampler *s)
{
	return s->enabled.n > 1 ? below(&s->g, s->enabled.n) : 0;
}

static size_t pick_first(struct sampler *s) { (void)s; return 0; }
static size_t pick_last(struct sampler *s) { return s->enabled.n - 1; }

/* Which one is to move?  The last again, where no preemption is left. */
static size_t pick_one(struct sampler *s, picker pick)
{
	const struct explore_opts *o = &s->x->opts;

	if (o->preemptions >= 0 && s->preemptions >= o->preemptions && s->last)
		for (size_t i = 0; i < s->enabled.n; i++)
			if (s->enabled.v[i] == s->last)
				return i;
	return pick(s);
}

static void note_move(struct sampler *s, struct task *t)
{
	if (s->x->opts.preemptions >= 0 && s->last && s->last != t &&
	    enabled_has(&s->enabled, s->last))
		s->preemptions++;
	s->in_a_row = s->last == t ? s->in_a_row + 1 : 1;
	s->last = t;
}

static bool note_step(struct sampler *s, const struct task *t, unsigned choice)
{
	if (!grow(&s->steps, &s->steps_cap, s->nsteps + 1, sizeof(*s->steps)))
		return explore_oom(s->x);
	s->steps[s->nsteps++] = (struct exec_step){ .task = task_id(t), .choice = choice };
	return true;
}

/* One of the stores between which the memory model leaves the choice: the newest as often
 * as all others. */
static unsigned choose_store(struct sampler *s, struct world *w, struct task *t)
{
	uint64_t bits = execution_choices(w, t);
	unsigned n = (unsigned)__builtin_popcountll(bits), k;

	if (n <= 1 || below(&s->g, 2))
		return 0;
	for (k = 1 + (unsigned)below(&s->g, n - 1); k; k--)
		bits &= bits - 1;
	return 1 + (unsigned)__builtin_ctzll(bits);
}

static unsigned choose(struct sampler *s, struct world *w, struct task *t)
{
	if (world_model(w)->consistent && op_is_access((enum ev_op)t->ev.op) && t->ev.loc && !s->measuring)
		return choose_store(s, w, t);
	return t->ev.op == OP_CHOOSE && t->ev.a && !s->measuring ? 1 + (unsigned)below(&s->g, t->ev.a) : 0;
}

/* False: it has to begin again, or the exploration has failed. */
static bool execute(struct sampler *s, struct world *w, picker pick, enum exec_end *how)
{
	struct explore *x = s->x;
	size_t i;

	if (x->lean && world_model(w)->consistent) {
		x->lean = false; /* the model asks the log */
		return false;
	}
	s->nsteps = 0;
	s->last = NULL;
	s->preemptions = 0;
	if (pick == pct_pick)
		pct_begin(s);
	*how = EXEC_FAILED;
	if (!enabled_collect(&s->enabled, w))
		return true;
	while (s->enabled.n) {
		struct task *t;
		unsigned choice;

		*how = EXEC_CUT;
		if (s->nsteps >= x->opts.max_steps)
			return true;
		if (pick == pct_pick && !pct_meet(s, w))
			return false;
		i = pick_one(s, pick);
		t = s->enabled.v[i];
		choice = choose(s, w, t);
		if (explore_outgrows(x, t) || !note_step(s, t, choice))
			return false;
		note_move(s, t);
		*how = EXEC_FAILED;
		if (enabled_step(w, t, choice) != STEP_OK)
			return true;
		if (x->src.stepped)
			explore_stepped(x, w, t);
		if (!enabled_after(&s->enabled, w, i))
			return true;
	}
	*how = explore_end_of(w);
	return true;
}

/* The same from a seed, as often as it takes. */
static struct world *execution(struct sampler *s, picker pick, enum exec_end *how)
{
	struct explore *x = s->x;
	struct world *w;
	bool lean;

	do {
		lean = x->lean;
		seed_generator(&s->g, x->seed);
		w = explore_begin(x);
		if (!w)
			return NULL;
		if (execute(s, w, pick, how))
			return w;
	} while (!x->report.error && lean != x->lean);
	return NULL;
}

/* --- many --- */

/*
 * k must be the same for each execution, lest one could not be repeated alone: it is
 * the longer one of two that chance has no part in.
 */
static bool measure(struct sampler *s)
{
	static const picker pickers[] = { pick_first, pick_last };
	unsigned depth = s->x->opts.depth ? s->x->opts.depth : EXPLORE_DEPTH_DEFAULT;
	enum exec_end how;

	s->length = 1;
	s->measuring = true;
	for (size_t i = 0; i < 2; i++) {
		struct world *w = execution(s, pickers[i], &how);

		if (!w)
			return false;
		if (how == EXEC_FAILED)
			return explore_fail(s->x, "%s", world_error(w));
		if (s->nsteps > s->length)
			s->length = s->nsteps;
	}
	s->measuring = false;
	s->nchanges = depth - 1;
	s->changes = calloc(depth, sizeof(*s->changes));
	return s->changes || explore_oom(s->x);
}

static void expect(struct explore *x)
{
	uint64_t max = x->opts.max_executions;

	x->now.pending = 0;
	if (max)
		x->now.low = x->now.high = (double)(max - x->executions);
}

/* One execution, and the seed of the next.  False: stop. */
static bool sample_one(struct sampler *s, uint64_t *rng)
{
	struct explore *x = s->x;
	enum exec_end how;
	struct world *w = execution(s, x->opts.strategy == EXPLORE_PCT ? pct_pick : pick_any, &how);

	if (!w || !explore_end(x, w, how, s->steps, s->nsteps))
		return false;
	x->seed = world_random(rng);
	return true;
}

/* In another process. */
static bool sample_some(void *arg, struct samples what)
{
	struct sampler *s = arg;

	s->x->seed = what.seed;
	for (uint64_t i = 0; i < what.count; i++)
		if (!sample_one(s, &what.rng))
			return false;
	return true;
}

/* Are there enough to come for others to help? */
static bool is_long(const struct explore *x)
{
	return x->opts.jobs > 1 && !x->opts.show && x->executions == SOLO &&
	       (!x->opts.max_executions || x->opts.max_executions >= 2 * SOLO);
}

static bool sample(struct sampler *s)
{
	struct explore *x = s->x;
	uint64_t rng = x->opts.seed;

	x->seed = x->opts.seed;
	if (x->opts.strategy == EXPLORE_PCT && !measure(s))
		return false;
	while (explore_go_on(x) && sample_one(s, &rng)) {
		struct samples rest = { .first = x->executions, .seed = x->seed, .rng = rng };

		if (is_long(x)) {
			if (!jobs_sample(x, &rest, sample_some, s))
				break;
			x->seed = rest.seed;
			rng = rest.rng;
		}
		expect(x);
	}
	return !x->report.error;
}

bool random_run(struct explore *x)
{
	struct sampler s = { .x = x };
	bool ok;

	/* it never comes to an end by itself */
	if (!x->opts.max_executions && !x->opts.seconds)
		x->opts.max_executions = EXPLORE_SAMPLES_DEFAULT;
	ok = sample(&s);
	enabled_release(&s.enabled);
	free(s.priorities);
	free(s.changes);
	free(s.steps);
	return ok;
}
