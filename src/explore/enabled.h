/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who could move now, as an array in order of making, and moving one of them: for
 * strategies that choose among all at each step.
 */
#ifndef SRCUSH_EXPLORE_ENABLED_H
#define SRCUSH_EXPLORE_ENABLED_H

#include "engine/checkpoint.h"
#include "engine/internal.h"
#include "explore/explore.h"

#include <stdlib.h>

struct enabled {
	struct task **v;
	size_t n, cap;
	size_t ntasks;		/* of the world, when it was collected */
	bool simple;		/* nobody can keep another from moving: see enabled_after() */
};

/* Tasks whose pending event does nothing but access memory, in a kernel that preempts:
 * none of them depends on what another one does. */
static inline bool enabled_is_simple(const struct task *t)
{
	return t->state == TASK_DONE || t->state == TASK_FAILED ||
	       (t->state == TASK_READY && explore_lean(t));
}

static inline bool enabled_collect(struct enabled *e, struct world *w)
{
	e->n = 0;
	e->ntasks = w->ntasks;
	e->simple = world_is_lean(w) && !w->voluntary;
	if (e->cap < w->ntasks && !grow(&e->v, &e->cap, w->ntasks, sizeof(*e->v)))
		return world_oom(w);
	for (struct task *t = awake_next(w, 0); t; t = awake_next(w, t->index + 1)) {
		if (task_surely_enabled(t) || awake_enabled(t))
			e->v[e->n++] = t;
		if (e->simple && !enabled_is_simple(t))
			e->simple = false;
	}
	return true;
}

/* v[i] has moved.  While all are simple only its own state changes what was collected. */
static inline bool enabled_after(struct enabled *e, struct world *w, size_t i)
{
	const struct task *t = e->v[i];

	if (!e->simple || e->ntasks != w->ntasks || !enabled_is_simple(t))
		return enabled_collect(e, w);
	if (t->state != TASK_READY || t->ev.op == OP_ASSUME) {
		e->n--;
		for (; i < e->n; i++)
			e->v[i] = e->v[i + 1];
	}
	return true;
}

/* A step of one of them. */
static inline enum step_result enabled_step(struct world *w, struct task *t, unsigned choice)
{
	struct record r;

	if (!world_is_lean(w)) {
		w->found = t;	/* not to be asked again */
		return world_step(w, t, choice);
	}
	if (world_step_lean(w, t, choice, &r) != STEP_OK)
		return STEP_ERROR;
	return w->nfresh && !world_prime(w) ? STEP_ERROR : STEP_OK;
}

static inline bool enabled_has(const struct enabled *e, const struct task *t)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->v[i] == t)
			return true;
	return false;
}

static inline void enabled_release(struct enabled *e)
{
	free(e->v);
	*e = (struct enabled){ 0 };
}

#endif
