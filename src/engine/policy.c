/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deterministic policies of who moves next, and long runs by them.
 */
#include <config.h>

#include "engine/internal.h"
#include "k/work.h"

static struct task *earliest_timer(struct world *w)
{
	struct task *best = NULL;
	uint64_t expires = 0;

	for (struct task *t = awake_next(w, 0); t; t = awake_next(w, t->index + 1)) {
		struct timer_list *timer = t->work;

		if (t->kind != TASK_TIMER || t->ev.op != OP_TIMER_WAIT || !task_enabled(t))
			continue;
		if (!best || timer->expires < expires) {
			best = t;
			expires = timer->expires;
		}
	}
	return best;
}

/* An interrupt that has not struck yet. */
static struct task *first_irq(struct world *w)
{
	for (struct task *t = awake_next(w, 0); t; t = awake_next(w, t->index + 1))
		if (t->ev.op == OP_IRQ && task_enabled(t))
			return t;
	return NULL;
}

/* A timer that waits for its expiry, an interrupt that may strike at any moment: in
 * turns they come last.  One that has fired goes on like a thread. */
static bool comes_last(const struct task *t)
{
	return t->ev.op == OP_TIMER_WAIT || t->ev.op == OP_IRQ;
}

struct task *world_next_rr(struct world *w, int last)
{
	if (!world_prime(w))
		return NULL;
	/* from the one behind `last` to the end, then from the first on */
	for (int round = 0; round < 2; round++)
		for (struct task *t = awake_next(w, round ? 0 : (size_t)(last + 1)); t;
		     t = awake_next(w, t->index + 1)) {
			if (round && (int)t->index > last)
				break;
			if (task_surely_enabled(t))
				return w->found = t;
			if (awake_enabled(t) && !comes_last(t))
				return w->found = t;
		}
	w->found = first_irq(w);
	return w->found ? w->found : (w->found = earliest_timer(w));
}

struct task *world_first(struct world *w, enum task_kind kind,
			 bool (*fits)(struct task *t, void *arg), void *arg)
{
	for (struct task *t = awake_next(w, 0); t; t = awake_next(w, t->index + 1))
		if (t->kind == kind && fits(t, arg)) {
			if (awake_enabled(t))
				return t;
		} else if (!task_surely_enabled(t) && t->ev.op != OP_COND) {
			awake_enabled(t);	/* only so as not to meet it again */
		}
	return NULL;
}

uint64_t world_random(uint64_t *rng)
{
	uint64_t x = *rng += 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

struct task *world_next_random(struct world *w, uint64_t *rng)
{
	struct task *pick = NULL;
	uint64_t n = 0, x;

	if (!world_prime(w))
		return NULL;
	x = world_random(rng);
	for (struct task *t = awake_next(w, 0); t; t = awake_next(w, t->index + 1))
		n += awake_enabled(t);
	if (!n)
		return NULL;
	n = (uint64_t)(((unsigned __int128)x * n) >> 64);
	for (struct task *t = awake_next(w, 0); t && !pick; t = awake_next(w, t->index + 1))
		if (task_enabled(t) && !n--)
			pick = t;
	return w->found = pick;
}

enum run_end world_run(struct world *w, struct run_policy *p, uint64_t max)
{
	size_t violations = w->nviolations;

	for (uint64_t i = 0; ; i++) {
		struct task *t;
		unsigned choice = 0;

		if (w->interrupt && w->interrupt(w->interrupt_arg))
			return RUN_INTERRUPTED;
		t = p->random ? world_next_random(w, &p->rng) : world_next_rr(w, p->last);
		if (w->nviolations > violations)
			return RUN_VIOLATED;
		if (!t)
			return w->nfresh ? RUN_ERROR : RUN_STUCK;
		if (i == max) {
			w->found = NULL; /* what predicates read may change before it moves */
			return RUN_BOUND;
		}
		if (p->random && t->ev.op == OP_CHOOSE && t->ev.a)
			choice = (unsigned)(1 + world_random(&p->choices) % t->ev.a);
		p->last = (int)t->index;
		if (world_step(w, t, choice) != STEP_OK)
			return RUN_ERROR;
		if (w->nviolations > violations)
			return RUN_VIOLATED;
	}
}
