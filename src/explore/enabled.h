/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who could move now, as an array in order of making: for strategies that choose
 * among all of them at each step.
 */
#ifndef SRCUSH_EXPLORE_ENABLED_H
#define SRCUSH_EXPLORE_ENABLED_H

#include "engine/internal.h"

#include <stdlib.h>

struct enabled {
	struct task **v;
	size_t n, cap;
};

static inline bool enabled_collect(struct enabled *e, struct world *w)
{
	e->n = 0;
	if (e->cap < w->ntasks && !grow(&e->v, &e->cap, w->ntasks, sizeof(*e->v)))
		return world_oom(w);
	for (struct task *t = awake_next(w, 0); t; t = awake_next(w, t->index + 1))
		if (task_surely_enabled(t) || awake_enabled(t))
			e->v[e->n++] = t;
	return true;
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
