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
	const void *pc;		/* for world_plain_site() */
};
/* The current task is about to make it: `p` still holds what was there before.  Nothing
 * outside of tasks.  False: no memory, world_error() is set. */
bool world_plain(struct world *w, const void *p, unsigned size, bool write, const void *pc);
/* Of this execution, in order. */
const struct plain_access *world_plains(struct world *w, size_t *n);
/* Who made `pc` says where it stands: set once per process.  NULL: nobody knows. */
extern const struct site *(*plain_site_of)(const void *pc);

#endif
