/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory models: what a load may return and where a store goes.  The driver
 * asks the model; primitives never touch simulated memory themselves.
 */
#ifndef SRCUSH_MEMORY_MODEL_H
#define SRCUSH_MEMORY_MODEL_H

#include "memory/consistency.h"

struct memory_model {
	const char *name;	/* as in --model and in schedules */
	/* Is that an execution of the model?  NULL: whatever the steps in their order give
	 * is one, a load returns the latest store and a store is seen by all at once. */
	bool (*consistent)(struct mm *m);
	/* The same with m->known.  NULL: what tasks of one CPU do is no more than coherent. */
	bool (*order)(struct mm *m);
	/* Quick answers about one more event (consistency.h).  NULL: there are none. */
	bool (*newest)(struct mm *m);
	/* A store waits in its CPU's buffer and then is seen by all others at once. */
	bool buffers;
};

/* Sequential consistency: one latest value for each location (Lamport 1979). */
extern const struct memory_model memory_sc;
extern const struct memory_model memory_tso, memory_weak;
/* Sequential consistency as a rule over graphs, for those who look at the graphs. */
extern const struct memory_model memory_sc_graphs;

/* By name; NULL: there is none of that name. */
const struct memory_model *memory_model_by_name(const char *name);

#endif
