/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A test that runs: where its variables are, and how far each of its processes is.
 */
#ifndef SRCUSH_LITMUS_RUNNER_H
#define SRCUSH_LITMUS_RUNNER_H

#include "engine/world.h"
#include "litmus/litmus.h"

struct srcu;

/* A value, and what it comes from: reads of its process, and beginnings of sections. */
struct val { int64_t v; uint64_t reads, begun; };

#define RCU_DEPTH 64
#define LOCKS_MAX 64

/* STOP_SPIN: a loop turns, and does no more than look */
enum stop { STOP_NOT, STOP_LOOP, STOP_SPIN, STOP_RETRY, STOP_LOCK, STOP_ERROR };

struct rproc {
	struct runner *r;
	const struct proc *p;
	unsigned n;
	struct val *locals;
	uint64_t ctrl;		/* reads on which it depends that we are here */
	unsigned nreads, nbegun;
	unsigned effects;	/* so much it did that was no look at memory and changed something */
	struct event_deps deps;
	enum stop stop;
	void *held[LOCKS_MAX];	/* spinlocks */
	unsigned nheld;
	int rcu_idx[RCU_DEPTH];	/* of its sections of the domain that stands for RCU */
	unsigned rcu_depth;
};

/* A shared variable. */
struct rvar {
	char *base;		/* in simulated memory */
	unsigned stride;	/* bytes between elements */
	struct srcu *ss;	/* a domain made of the tree */
};

struct runner {
	const struct litmus *t;
	const struct litmus_opts *o;
	struct litmus_result *result;
	struct world *w;
	struct rvar *vars;
	struct rproc *procs;
	struct srcu *rcu;	/* with rcu_as_srcu and the tree */
	bool graphs;		/* the executions are asked about as a whole */
	uint64_t impossible;	/* so many were none */
	bool stuck;		/* somebody waited for a lock in some execution */
	char *text;		/* of a state */
	char error[300];	/* of a process: what cannot be run */
	bool failed, skipped;
};

/* The body of a process, on its task's stack. */
void interpret(void *rproc);
/* Where a pointer points to; false: nowhere. */
bool runner_find(const struct runner *r, int64_t pointer, unsigned *var, unsigned *element);
/* As a variable of that type holds it. */
int64_t runner_wrap(const struct runner *r, struct type type, int64_t v);
/* This process cannot go on: the test cannot be run (skipped: for want of support). */
_Noreturn void runner_fail(struct rproc *p, const struct expr *at, const char *what);
_Noreturn void runner_stop(struct rproc *p, enum stop why);

/* primitives.c */
struct val perform_call(struct rproc *p, const struct expr *e);
struct val perform_load(struct rproc *p, const struct expr *at, struct val pointer, struct type type);
void perform_store(struct rproc *p, const struct expr *at, struct val pointer, struct val v, struct type type);
/* interp.c */
struct val evaluate(struct rproc *p, const struct expr *e);
struct val address_of_lvalue(struct rproc *p, const struct expr *e);

#endif
