/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is read and written without a step.  Invariants and the conditions of
 * cond_wait() read simulated memory without announcing an event, ghost state is read
 * and written so by bodies; whoever explores orders of steps must know of both,
 * because they make steps depend on one another.
 */
#ifndef SRCUSH_ENGINE_PEEK_H
#define SRCUSH_ENGINE_PEEK_H

#include "engine/world.h"

/*
 * A recording of reads that took no step.  All zero at first; its memory is kept from one
 * recording to the next.  Recordings nest: an inner one's reads are the outer's too.
 *
 *	struct peek p = { 0 };
 *	world_peek_begin(w, &p);
 *	enabled = task_enabled(t);		(its predicate is evaluated)
 *	world_peek_end(w, &p);
 *	... p.locs[0..p.n) ...
 *	peek_release(&p);
 */
struct peek {
	uint32_t *locs;		/* arena offsets, after the end: sorted, each once */
	size_t n, cap;
	bool other;		/* something was looked at that is no location (the state
				 * of a thread or a domain, the log), or memory ran out:
				 * it may depend on anything */
	struct peek *outer;
};
void world_peek_begin(struct world *w, struct peek *p);
void world_peek_end(struct world *w, struct peek *p);
void peek_release(struct peek *p);

/* For those who read: the location was read without a step; something else was. */
void world_peeked(struct world *w, const void *loc);
void world_peeked_other(struct world *w);

/*
 * An access of the current task's that cost no step: of ghost state, and of the engine's
 * own counters of what workers and timers have done.  It belongs to the task's last step
 * (or, before its first, to that which made it).  The list is that of the last
 * world_step(), or of world_prime() before the first, with everybody who ran then.
 */
struct ghost_access {
	uint32_t task;		/* identity */
	uint32_t loc;		/* arena offset */
	bool write;
	size_t plains;		/* so many plain accesses (plain.h) came before the (first) write */
};
const struct ghost_access *world_ghosts(struct world *w, size_t *n);
/* For those who access.  Nothing outside of tasks; in a recording, a peek.
 * False: no memory, world_error() is set. */
bool world_ghost(struct world *w, const void *loc, bool write);

#endif
