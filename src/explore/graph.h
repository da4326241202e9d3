/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Execution graphs under sequential consistency, and the stack of those that wait
 * to be visited.  A graph is a flat array of events in order of insertion (the
 * index is the event's stamp) with program order (the order of a task's events),
 * reads-from and coherence order.  See dpor.c for what is done with them.
 */
#ifndef SRCUSH_EXPLORE_GRAPH_H
#define SRCUSH_EXPLORE_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an event is to the graph, whatever the operation. */
enum gkind {
	G_NONE,		/* conflicts with nothing */
	G_READ,		/* also a read-modify-write that left its location as it was */
	G_WRITE,
	G_RMW,		/* its read part; the write part is the G_RMW_WRITE that refers to it */
	G_RMW_WRITE,	/* no step of its own */
	G_LOCK,		/* of a chain: rf is the lock event before it */
	G_UNLOCK,	/* rf is the lock event that it ends */
	G_STARVED,	/* no step: the task never moves again, as somebody stuck has its CPU */
	G_PROMISE,	/* last of a graph only: the task's next event, which makes `choice` (0: the
			 * first), is added before anything else */
};

enum gflag {
	GF_AWAIT = 1u << 0,	/* blocking, and what enables it can be undone: waits in place */
	GF_WAITING = 1u << 1,	/* announced, not performed: what it reads does not enable it */
	GF_FRESH = 1u << 2,	/* newly placed: whether it waits and writes is found at replay */
	GF_STROKE = 1u << 3,	/* a timer or interrupt strikes: see G_OWN */
	GF_FREED = 1u << 4,	/* frees memory: of interest to oracles only */
};

#define GNONE UINT16_MAX	/* no event: the initial value, no maker */

/* 24 bytes: many thousands of these wait on the stack. */
struct gevent {
	uint8_t task;		/* slot */
	uint8_t kind;		/* enum gkind */
	uint8_t flags;		/* enum gflag */
	uint8_t own;		/* afterwards its task owns its CPU: 1 preemption off, 2 bottom
				 * halves, 3 interrupts */
	uint16_t cpu;
	uint16_t rf;		/* index of the event read from; GNONE */
	uint16_t rank;		/* writes and locks: place in the coherence order of the class */
	uint16_t cls;		/* class of locations */
	uint16_t maker;		/* comes behind that event for another reason: the task was made
				 * there, or polls anew because of it; GNONE */
	uint16_t choice;	/* of choose(), from 1; 0: none */
	uint16_t op;		/* enum ev_op, for the check of replayed events */
	uint32_t check;		/* hash of location and values: equal at each replay */
};

static inline bool g_reads(const struct gevent *e)
{
	return e->kind == G_READ || e->kind == G_RMW;
}
static inline bool g_writes(const struct gevent *e)
{
	return e->kind == G_WRITE || e->kind == G_RMW_WRITE;
}
/* Does it count in program order (and is it a step)? */
static inline bool g_steps(const struct gevent *e)
{
	return e->kind != G_RMW_WRITE && e->kind != G_STARVED;
}

/* The write part of read-modify-write e, which is event i. */
static inline struct gevent g_write_part(const struct gevent *e, uint32_t i, uint32_t rank)
{
	return (struct gevent){ .task = e->task, .kind = G_RMW_WRITE, .cpu = e->cpu, .rf = (uint16_t)i,
				.rank = (uint16_t)rank, .cls = e->cls, .maker = GNONE, .op = e->op };
}

struct graph {
	struct gevent *ev;
	uint32_t n, cap;
};

/* Room for `need` events; false: out of memory. */
bool graph_reserve(struct graph *g, uint32_t need);

/* The writes (of chains: the locks) of one class, in coherence order. */
struct gclass {
	uint16_t *w;
	uint16_t n, cap;
};

/* What becomes of a graph: its successor is copied from it, changed, and pushed. */
struct gchange {
	uint32_t keep;		/* events before this index stay ... */
	const uint16_t *past;	/* ... and those in this clock (by slot); NULL: all stay */
	const uint16_t *po;	/* of the graph: program-order number of each event */
	const struct gclass *classes; /* of the graph */
	unsigned nclasses;
	struct gevent add;	/* the new event, its rf and maker of the old graph; G_RMW
				 * brings its G_RMW_WRITE */
	uint32_t rank;		/* its place among the kept writes of its class, or of locks */
	int revisit;		/* index of the read (or lock) that reads from it, or -1 */
	uint16_t *where;	/* scratch: room for the graph's events */
};
/* *to becomes the changed graph.  False: out of memory. */
bool graph_derive(struct graph *to, const struct graph *from, const struct gchange *c);
/* Does event i stay? */
static inline bool graph_keeps(const struct graph *g, const struct gchange *c, uint32_t i)
{
	return i < c->keep || !c->past || c->po[i] < c->past[g->ev[i].task];
}

/* Graphs that wait, the newest first. */
struct gstack {
	unsigned char *bytes;
	size_t used, cap;
	size_t n;		/* graphs */
	bool full;		/* one could not be pushed, because of this bound: */
};
#define GSTACK_MAX ((size_t)512 << 20)	/* bytes */
/* False: no memory, or full. */
bool gstack_push(struct gstack *s, const struct graph *g);
/* Pops the newest; false: empty (or no memory: then s->n stays above 0). */
bool gstack_pop(struct gstack *s, struct graph *g);
static inline void gstack_clear(struct gstack *s)
{
	s->used = s->n = 0;
}
void gstack_release(struct gstack *s);
/* The oldest k move to the other stack, on top of what is there. */
bool gstack_give(struct gstack *s, size_t k, struct gstack *to);
/* So many graphs, as another stack has them in memory, on top. */
bool gstack_append(struct gstack *s, const void *bytes, size_t used, size_t n);

/*
 * Puts the steps of a graph into an order that agrees with program order, reads-from,
 * coherence and what they imply, with the locks, and, if `cpus` says so, with CPUs on
 * which nothing may be preempted.  `order` gets the indices of the events that are
 * performed or looked at (no G_RMW_WRITE).  Locks that wait for a release that is not in
 * the graph are left out.  False: there is no such order, the graph is not consistent (or
 * memory ran out, or the search for one was given up: `oom`, `undecided`).
 */
struct order {
	uint16_t *v;
	uint32_t n, cap;
	bool oom, undecided;
	/* of each event those that have to come before it, rows of `words` of bits; NULL: none */
	const uint64_t *behind;
	size_t words;
	/* scratch */
	void *mem;
	size_t mem_size;
	uint16_t *seen;
	size_t seen_cap;
};
enum order_cpus {
	ORDER_NO_CPUS,	/* as if each task had its own */
	ORDER_TRY_CPUS,	/* without looking far: false says nothing */
	ORDER_CPUS,
};
/* `loose`: of each class, whether its accesses need not stand in one order, but only
 * behind the writes that they read from; NULL: none. */
bool order_find(struct order *o, const struct graph *g, unsigned ntasks, unsigned nclasses,
		const uint8_t *loose, enum order_cpus cpus);
/* How often it takes the CPU from a task that could have gone on. */
unsigned order_preemptions(const struct order *o, const struct graph *g);
void order_release(struct order *o);

#endif
