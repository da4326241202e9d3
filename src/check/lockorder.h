/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order in which locks are taken, by classes: what the files that collect it, look
 * for circles in it and put them into words have in common.
 */
#ifndef SRCUSH_CHECK_LOCKORDER_H
#define SRCUSH_CHECK_LOCKORDER_H

#include "check/trace_internal.h"

/* One acquisition: of a lock, or of an srcu_struct by a reader or by who waits for them. */
struct lk_hold {
	const struct site *site; /* NULL: an API call on an srcu_struct */
	const struct kapi *api;	/* that */
	uint32_t what;		/* location of the lock, or identity of the srcu_struct */
	uint32_t step;		/* when it was got; after that step, where it is a call */
	uint16_t cls;
	bool shared;		/* held together with other readers */
	bool recursive;		/* got even while a writer waits */
};
#define LK_HOLDS_MAX 48		/* as many as lockdep follows */

struct lk_task {
	struct lk_hold holds[LK_HOLDS_MAX];
	unsigned nholds;
	unsigned irq, bh;	/* how often they have been turned off */
};

/* While `held` was held `got` was taken, for the first time. */
struct lk_edge {
	struct lk_hold held, got;
	uint16_t task;
};

/* The first acquisition of a class in a context; site NULL: none. */
struct lk_use { struct lk_hold hold; uint16_t task; };
enum lk_context { LK_IN_IRQ, LK_IRQS_ON, LK_IN_BH, LK_BHS_ON, LK_CONTEXTS };

struct lk_class {
	char *name;
	struct lk_use use[LK_CONTEXTS];	/* in this execution */
};

/* What is known of the class of a lock: it is asked for again in each execution. */
struct lk_known { uint64_t key; const struct objtype *type; char *label; uint16_t cls; };

#define LK_KIND(shared, recursive) (1u << ((shared) * 2u + (recursive)))

struct lockorder {
	struct lk_class *classes;
	size_t nclasses, classes_cap;
	struct lk_known *known;
	size_t nknown, known_cap;
	struct lk_task *tasks;
	size_t tasks_cap;
	struct lk_edge *edges;	/* of this execution, each kind once */
	size_t nedges, edges_cap;
	uint8_t *seen;		/* by from * seen_n + to: LK_KIND() of the edges */
	uint8_t *clean;		/* the same, of those that have no circle among them */
	size_t seen_n;
	uint32_t *from, *queue;	/* breadth first: of each edge the one before it, or all
				 * ones; and those to go on from */
	size_t from_cap, queue_cap;
};

/* lockclass.c: the class of a lock, and of an srcu_struct.  False: no memory. */
bool lk_class_of(struct trace *tr, uint32_t off, uint16_t *cls);
bool lk_class_of_object(struct trace *tr, const struct object *o, uint16_t *cls);

/* lockcycle.c: reports circles and locks that an interrupt may spin on.  False: no memory. */
bool lk_judge(struct trace *tr, struct lockorder *lo);

#endif
