/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory models: what a load may return and where a store goes.  The driver
 * asks the model; primitives never touch simulated memory themselves.
 */
#ifndef SRCUSH_MEMORY_MODEL_H
#define SRCUSH_MEMORY_MODEL_H

#include "engine/task.h"

struct memory_model {
	const char *name;	/* as in --model and in schedules */
	/* The answer to a load, and what a store does, for t's event.  NULL: the
	 * latest value of the location, which the arena holds. */
	uint64_t (*load)(struct world *w, struct task *t, const struct event *ev);
	void (*store)(struct world *w, struct task *t, const struct event *ev);
};

/* Sequential consistency: one latest value for each location (Lamport 1979). */
extern const struct memory_model memory_sc;

#endif
