/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plain accesses of simulated memory that take no step: of code in which the compiler
 * tells of each (ktree/).  They are part of the trace: whether they race is judged by
 * happens-before when the execution is over (check/race_plain.c), and a worker's pass that
 * leaves memory changed by one is not idle.  So exploring need not try their orders: two
 * that no lock and no other step orders are a violation in whichever execution they come.
 */
#ifndef SRCUSH_ENGINE_PLAIN_H
#define SRCUSH_ENGINE_PLAIN_H

#include "engine/world.h"

struct plain_access {
	uint32_t step;		/* made after this step ... */
	uint16_t task;		/* ... by the task of this index */
	uint8_t size;
	bool write;
	uint32_t loc;		/* arena offset of the first byte */
	uint16_t cpu;		/* where the task was then, and what it kept to itself there: */
	uint8_t own;		/* 1 no preemption, 2 no bottom halves, 3 no interrupts */
	const void *pc;		/* for plain_site_of() */
};
/*
 * The current task is about to make it: `p` still holds what was there before.  Nothing
 * outside of tasks.  Does not return where that ends the task: what is there was freed,
 * or the task has made millions of them without a step.  False: no memory, world_error()
 * is set.
 */
bool world_plain(struct world *w, const void *p, unsigned size, bool write, const void *pc);
/* Of this execution, in order.  What a task has done before with no step in between, to
 * the same bytes and no less, stands there once.  Lean worlds (checkpoint.h) keep none. */
const struct plain_access *world_plains(struct world *w, size_t *n);
/*
 * Once this execution was judged (check/trace.h): are there two that conflict, that nothing
 * orders, and that are no race?  In another order the execution may be another, which
 * exploring does not try.
 */
#define PLAIN_APART 1u		/* their tasks keep each other from their CPU meanwhile */
#define PLAIN_MEANT 2u		/* one is under data_race() */
unsigned world_plains_open(const struct world *w);
/* Has there ever been one?  What tasks do is then more than their steps say. */
bool world_has_plains(const struct world *w);
/* Who made `pc` says where it stands, as a site whose func, file and line count: set once
 * per process.  It gives NULL where it does not know, and may be NULL. */
extern const struct site *(*plain_site_of)(const void *pc);

#endif
