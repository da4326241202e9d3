/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a world consists of when it has been built: its objects with their first
 * values, its tasks with their CPUs.  Two worlds that the same scenario builds must be
 * alike in this; the first difference is said in words.
 */
#ifndef SRCUSH_ENGINE_SHAPE_H
#define SRCUSH_ENGINE_SHAPE_H

#include "engine/world.h"

struct shape;

struct shape *shape_take(struct world *w);	/* NULL: out of memory */
void shape_free(struct shape *s);		/* NULL is allowed */
/* Is the world of that shape?  If not, world_fail(): "var 'x' is 1 the first time and 2
 * the second", or "out of memory". */
bool shape_check(const struct shape *s, struct world *w);

#endif
