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

#endif
