/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shape of a combining tree: see geometry.h.
 */
#include <config.h>

#include "srcu/geometry.h"

void srcu_geometry_init(struct srcu_geometry *g, unsigned ncpus, unsigned fanout,
			unsigned fanout_leaf)
{
	unsigned capacity, below = ncpus;	/* CPUs that one node of a level can stand for */

	if (!fanout)
		fanout = SRCU_FANOUT_DEFAULT;
	if (!fanout_leaf)
		fanout_leaf = fanout < SRCU_FANOUT_LEAF_DEFAULT ? fanout : SRCU_FANOUT_LEAF_DEFAULT;
	*g = (struct srcu_geometry){ .nlevels = 1 };
	for (capacity = fanout_leaf; capacity < ncpus; capacity *= fanout)
		g->nlevels++;
	for (unsigned i = 0; i < g->nlevels; i++) {
		g->first[i] = g->nnodes;
		g->count[i] = (ncpus + capacity - 1) / capacity;
		g->nnodes += g->count[i];
		capacity /= fanout;	/* nothing is left over: it was made that way */
	}
	for (unsigned i = g->nlevels; i--; below = g->count[i])
		g->spread[i] = (below + g->count[i] - 1) / g->count[i];
}
