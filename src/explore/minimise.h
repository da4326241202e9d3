/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of minimising: runs as stretches of steps of one task each (minimise.c),
 * the ways to shorter ones (shorter.c), and the order that a run's steps must keep,
 * from which one with fewer stretches is proposed (linear.c).
 */
#ifndef SRCUSH_EXPLORE_MINIMISE_H
#define SRCUSH_EXPLORE_MINIMISE_H

#include "explore/explore.h"

/* So many steps of one task, or fewer where it cannot go on. */
struct stretch { uint32_t task; uint32_t len; };
#define STRETCH_END UINT32_MAX		/* until it cannot go on */

struct stretches { struct stretch *v; size_t n, cap; };

/* What is known of a step of a run: who, what it touched, whether it wrote. */
struct touch {
	uint32_t task;
	uint32_t loc;		/* in words of eight bytes; TOUCH_NONE, TOUCH_ALL */
	uint32_t maker;		/* of the task */
	uint32_t cpu;
	bool writes;
	bool cpu_wide;		/* changes who may run on its CPU */
	bool ghost;		/* an API call began or ended right before or after it */
};
#define TOUCH_NONE UINT32_MAX		/* depends on no other task's steps */
#define TOUCH_ALL (UINT32_MAX - 1)	/* depends on all that write */

/* A step whose place among other tasks' steps does not matter. */
bool touch_is_local(const struct touch *all, size_t n, const struct touch *t);

/*
 * A run of the steps touch[0..n) that keeps the order of those that depend on each
 * other, in as few stretches as a bounded search finds.  Steps that the last ones
 * do not depend on are left out if `slice` (by what `wanted` says: the last step
 * of these tasks).  `ghosts`: API calls' begins and ends keep their order, too.
 * False: no memory.
 */
struct order_opts { bool slice, ghosts; uint32_t wanted[2]; };
bool order_fewest(const struct touch *touch, size_t n, const struct order_opts *o,
		  struct stretches *out);

bool stretches_add(struct stretches *s, uint32_t task, uint32_t len);

/* --- minimise.c --- */

struct trail { struct exec_step *v; size_t n, cap; };

struct min {
	struct explore *x;
	const char *kind, *place;
	bool alone;		/* no other violation comes before it */
	struct trail best, run;	/* the best run that shows it; the one that was made last */
	struct world *w;	/* that one's world */
	size_t switches;	/* of best */
	uint64_t left;		/* steps that may still be made */
	uint32_t *tasks;	/* who moves in best, in order of identity */
	size_t ntasks;
	struct touch *touch;	/* of best's steps */
	struct stretches cand;	/* the candidate */
	bool failed;		/* no memory, or an execution could not begin: go on no more */
};

/* May further candidates be run?  No: the budget is spent, Ctrl-C, no memory. */
bool min_may_go_on(const struct min *m);
/* Runs the candidate, and keeps what was really done, in m->best, if it shows the
 * violation and is better. */
bool min_attempt(struct min *m, const struct stretches *s);
/* A run as stretches.  False: no memory. */
bool min_stretches(const struct trail *t, struct stretches *out);

/*
 * natural.c: the steps of w, a run under a model in which loads may be stale, in an order in
 * which they are so no longer than they must be, with the choices that make it the same
 * execution.  False: there is none, no memory, or the run is too long for it.
 */
#define NATURAL_MAX 5000
bool natural_order(struct world *w, struct trail *out);

/* --- shorter.c --- */

void min_coarsen(struct min *m);
void min_reorder(struct min *m);
void min_shrink(struct min *m);
bool min_search(struct min *m);	/* was anything found? */

#endif
