/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A number for the trace of an execution: the same for all orders of its steps that
 * differ only in independent ones (Mazurkiewicz 1977), another one (but for an
 * accident in 2^64) otherwise.  Two steps depend on each other if they are of one
 * task, or of one location and one of them writes it.  A read-modify-write that leaves
 * what it found (a failed cmpxchg, an xchg of the same value) only reads.
 */
#ifndef SRCUSH_EXPLORE_TRACE_HASH_H
#define SRCUSH_EXPLORE_TRACE_HASH_H

#include "engine/world.h"

struct trace_hash {
	struct hash_loc *locs;
	size_t nlocs, locs_cap;
	struct hash_task *tasks;
	size_t ntasks, tasks_cap;
	/* the step that is being made */
	struct event ev;
	uint64_t before;	/* what its location held */
	uint32_t task;
	unsigned choice;
};

void trace_hash_begin(struct trace_hash *h);
/* t's pending event is about to be performed; and has been.  False: out of memory. */
void trace_hash_before(struct trace_hash *h, const struct task *t, unsigned choice);
bool trace_hash_after(struct trace_hash *h);
uint64_t trace_hash_end(const struct trace_hash *h);
void trace_hash_release(struct trace_hash *h);

/* A set of such numbers. */
struct trace_set {
	uint64_t *slots;	/* open addressing; 0: free */
	size_t n, nslots;
};
bool trace_set_add(struct trace_set *s, uint64_t v);	/* false: out of memory */
void trace_set_release(struct trace_set *s);

#endif
