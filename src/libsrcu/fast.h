/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fast readers' other side: grace periods, what the kernel offers, and the registry of
 * threads.  For the rest of libsrcu and its tests; srcu/fast.h is what readers see.
 */
#ifndef SRCUSH_LIBSRCU_FAST_H
#define SRCUSH_LIBSRCU_FAST_H

#include <stdbool.h>

#include "srcu/fast.h"

/*
 * One grace period at a time in each domain: whoever calls these three holds a lock.  What
 * the caller did before _start() is seen by every section that _done() does not wait for,
 * and what those did that it waits for is seen by the caller after it.
 */
void srcu_fast_gp_start(struct srcu_fast *f);
/* Has it ended?  Never waits; goes on where it left off. */
bool srcu_fast_gp_done(struct srcu_fast *f);
/* From the one to the other, waiting: spins for a moment, then yields, then sleeps. */
void srcu_fast_gp(struct srcu_fast *f);
/* Is a section open?  For cleanup: of sections that begin meanwhile it says nothing. */
bool srcu_fast_readers_active(struct srcu_fast *f);
/* The domain's memory goes, and it is as if new.  Nobody may be using it. */
void srcu_fast_release(struct srcu_fast *f);

/* What readers rely on, chosen at first use and for the whole process. */
enum srcu_fast_mode {
	SRCU_FAST_UNKNOWN = 0,
	SRCU_FAST_BY_RSEQ,	/* membarrier of the RSEQ kind; rseq in readers that have it */
	SRCU_FAST_BY_MEMBARRIER, /* membarrier; readers look at the index again */
	SRCU_FAST_BY_FENCE,	/* no membarrier: readers look again, behind a fence */
};
enum srcu_fast_mode srcu_fast_mode(void);
const char *srcu_fast_mode_name(enum srcu_fast_mode mode);
/* For tests: as if the kernel had no more than that.  False: readers have begun already, or
 * it is not to be had here. */
bool srcu_fast_limit(enum srcu_fast_mode mode);

/* --- between the files --- */

/* A full fence in every running thread of the process, ordered against the caller's;
 * in SRCU_FAST_BY_RSEQ every rseq section is restarted, too.  BY_FENCE: of the caller. */
void srcu_fast_barrier(void);
/* Where rseq_cs of the calling thread is, or NULL: it is not registered. */
uint64_t *srcu_fast_rseq_cs(void);

/* Gives the thread a number, if it has none.  False: it can have none (now). */
bool srcu_fast_thread_register(void);
/* No thread so far had this number or a higher one. */
unsigned long srcu_fast_threads(void);
/* The chunk of a number, and what stands before it; slots of a chunk. */
static inline unsigned int srcu_fast_chunk_of(unsigned long n)
{
	return n < 32 ? 1 : 65 - (unsigned int)__builtin_clzl(n >> 5);
}
static inline unsigned long srcu_fast_chunk_first(unsigned int chunk)
{
	return chunk < 2 ? 0 : 32ul << (chunk - 2);
}
static inline unsigned long srcu_fast_chunk_slots(unsigned int chunk)
{
	return chunk < 2 ? 32 : 32ul << (chunk - 2);
}
/* All numbers that there are. */
#define SRCU_FAST_THREADS_MAX (32ul << (SRCU_FAST_CHUNKS - 2))
/* Into and out of the list of domains that a fork's child puts in order.  False: not now. */
bool srcu_fast_link(struct srcu_fast *f);
void srcu_fast_unlink(struct srcu_fast *f);

/* Pieces that a test's build leaves out, to see it caught, and what it does where a reader
 * has the index and has not counted yet. */
#ifndef SRCU_FAST_FAULTS
#define SRCU_FAST_FAULTS 0
#endif
#ifndef SRCU_FAST_WINDOW
#define SRCU_FAST_WINDOW(f) ((void)(f))
#endif
enum {
	SRCU_FAST_NO_FLIP    = 1, /* the index stays as it is */
	SRCU_FAST_NO_BARRIER = 2, /* neither membarrier nor, in the readers, a fence */
	SRCU_FAST_STALE      = 4, /* no rseq and no second look: the index may be an old one */
};

#endif
