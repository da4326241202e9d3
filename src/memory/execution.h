/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a world has done so far as the memory model sees it: whether a task may make its
 * next step with a choice of its own.
 */
#ifndef SRCUSH_MEMORY_EXECUTION_H
#define SRCUSH_MEMORY_EXECUTION_H

#include "engine/world.h"

/* May t's pending access read from, or be put behind, the `choice`-th newest store?  The
 * newest, 1, it always may.  False with world_error() when it may not.  Needs the log. */
bool execution_may_choose(struct world *w, struct task *t, unsigned choice);
/* All choices that it has, as bits (bit 0: the newest); of more than 64 stores the newest. */
uint64_t execution_choices(struct world *w, struct task *t);

/*
 * An access of one of a few variables that are only imagined, all 0 at first: by t, before or
 * behind that step (whoever made it; 0 and `behind`: at the start).
 */
struct execution_probe {
	const struct task *t;
	uint32_t step;
	bool behind, writes;
	uint8_t var;
};
/* Does the model allow what has happened, with these accesses in it, of which the reads all
 * return 0?  False also where there is no memory. */
bool execution_allows(struct world *w, const struct execution_probe *p, size_t n);

#endif
