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

	for (size_t i = 0; i < w->ntasks; i++) {
		struct task *t = w->tasks[i];
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
	for (size_t i = 0; i < w->ntasks; i++)
		if (w->tasks[i]->ev.op == OP_IRQ && task_enabled(w->tasks[i]))
			return w->tasks[i];
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
	for (size_t k = 1; k <= w->ntasks; k++) {
		size_t i = (size_t)(last + 1) + k - 1;
		struct task *t = w->tasks[i < w->ntasks ? i : i % w->ntasks];

		if (task_surely_enabled(t) || (!comes_last(t) && task_enabled(t)))
			return w->found = t;
	}
	w->found = first_irq(w);
	return w->found ? w->found : (w->found = earliest_timer(w));
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
	for (size_t i = 0; i < w->ntasks; i++)
		if (task_enabled(w->tasks[i]))
			n++;
	if (!n)
		return NULL;
	n = (uint64_t)(((unsigned __int128)x * n) >> 64);
	for (size_t i = 0; i < w->ntasks && !pick; i++)
		if (task_enabled(w->tasks[i]) && !n--)
			pick = w->tasks[i];
	return w->found = pick;
}

bool world_settled(struct world *w)
{
	for (size_t i = 0; i < w->ntasks; i++) {
		struct task *t = w->tasks[i];
		enum block_why why = task_blocked(t).why;

		if (why == BLOCK_NONE)
			return false;
		if ((t->kind == TASK_THREAD || t->kind == TASK_IRQ) && why != BLOCK_OVER &&
		    why != BLOCK_CALL && why != BLOCK_ASSUME)
			return false;
		if (t->kind == TASK_WORKER && why != BLOCK_OVER && why != BLOCK_IDLE_WORKER)
			return false;
	}
	return true;
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
