/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who waits for whom: the graph in which deadlock.c looks for cycles.  A node is
 * a task that cannot step; its edges lead to the tasks that would have to move
 * before it can.
 */
#ifndef SRCUSH_CHECK_WAITGRAPH_H
#define SRCUSH_CHECK_WAITGRAPH_H

#include "check/internal.h"

enum edge_kind {
	EDGE_NONE = 0,
	EDGE_LOCK,	/* it holds the lock */
	EDGE_SECTION,	/* it is in a read section that a grace period waits for */
	EDGE_WORKER,	/* it does the work of the srcu_struct that is waited for */
	EDGE_CPU,	/* it does not give up the CPU */
	EDGE_TASK,	/* the engine knows that it must move */
	EDGE_QUEUE,	/* it waits to write, and nobody reads before it */
};
struct edge {
	enum edge_kind kind;
	struct task *to;
	const struct section *section;	/* of EDGE_SECTION */
	uint64_t since;			/* of EDGE_LOCK */
};

struct node {
	struct task *t;
	struct block b;
	struct srcu *gp;	/* waits for a grace period of it, or NULL */
	const struct kcall *call; /* in this call */
	tick_t start;		/* S of that wait */
	int scanned;		/* the index that the grace period waits for; -1: unknown */
	size_t cursor;		/* of graph_next() */
	uint8_t colour;		/* of the search */
	struct edge taken;	/* the edge that the search follows */
};

struct graph {
	struct check *c;
	struct node *nodes;	/* by task index */
	size_t n;
	struct task **workers;	/* workers and timers that are stuck in their work */
	size_t nworkers;
	bool quiet;		/* nothing at all is enabled */
	bool may_come;		/* a thread waits for a call or an assumption: what nobody
				 * does now might still have been done */
	bool failed;		/* a task ended in a violation */
};

/* False: out of memory, which is then the world's error. */
bool graph_build(struct graph *g, struct check *c);
void graph_release(struct graph *g);
static inline struct node *graph_node(struct graph *g, const struct task *t)
{
	return &g->nodes[t->index];
}
/* The next edge of a node (edge kind EDGE_NONE: no more). */
struct edge graph_next(struct graph *g, struct node *n);
/* Does the node wait for something, legally or not? */
bool node_waits(const struct node *n);
/* Is s open and in the way of a grace period of ss that `start` began?  `scanned`
 * as in struct node. */
bool section_holds_up(const struct graph *g, const struct open_section *s,
		      const struct srcu *ss, tick_t start, int scanned);
/* The index whose readers a grace period of ss waits for now, or -1. */
int scanned_index(struct graph *g, struct srcu *ss, tick_t start);
/* The k-th task on a cycle of waits, in order; NULL-terminated, malloced.  NULL:
 * there is none. */
struct node **graph_cycle(struct graph *g);

#endif
