/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shape of a combining tree: how many levels and nodes stand over so many
 * CPUs, and which node is whose parent.  Plain arithmetic, no memory, no steps.
 * CPUs are spread evenly: with 20 CPUs and leaves of 16, two leaves have 10 each.
 */
#ifndef SRCUSH_SRCU_GEOMETRY_H
#define SRCUSH_SRCU_GEOMETRY_H

#define SRCU_FANOUT_DEFAULT	 64	/* children of an inner node */
#define SRCU_FANOUT_LEAF_DEFAULT 16	/* CPUs of a leaf: as many bits as a mask has, at most */
#define SRCU_FANOUT_MAX		 64
#define SRCU_LEVELS_MAX		 12	/* 4096 CPUs with a fanout of 2 */

struct srcu_geometry {
	unsigned nlevels;			/* level 0 is the root's, the last the leaves' */
	unsigned nnodes;
	unsigned first[SRCU_LEVELS_MAX];	/* number of a level's first node: breadth first */
	unsigned count[SRCU_LEVELS_MAX];	/* nodes of a level */
	unsigned spread[SRCU_LEVELS_MAX];	/* children (CPUs, of a leaf) of each but the last */
};

/* Fanouts from 2 to SRCU_FANOUT_MAX, up to 4096 CPUs; 0 stands for the default, a
 * leaf's being no larger than the other. */
void srcu_geometry_init(struct srcu_geometry *g, unsigned ncpus, unsigned fanout,
			unsigned fanout_leaf);

#endif
