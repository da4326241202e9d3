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
 * Readers, whatever the domain around them: `idx` is its index.  What _read_lock() gives
 * belongs to _read_unlock() in the same thread, or to _up_read() in any.
 */
struct srcu_ctr *srcu_fast_read_lock_slow(struct srcu_fast *f, const unsigned int *idx);
void srcu_fast_read_unlock_slow(struct srcu_ctr *ctr);
void srcu_fast_up_read(struct srcu_ctr *ctr);

static inline struct srcu_ctr *srcu_fast_read_lock(struct srcu_fast *f, const unsigned int *idx)
{
#ifdef SRCU_FAST_INLINE
	struct srcu_slot *slot = srcu_fast_slot(f);

	if (slot)
		return srcu_fast_count_rseq(idx, slot, srcu_thread.rseq_cs);
#endif
	return srcu_fast_read_lock_slow(f, idx);
}

static inline void srcu_fast_read_unlock(struct srcu_ctr *ctr)
{
	if (srcu_fast_is_shared(ctr))
		srcu_fast_read_unlock_slow(ctr);
	else
		srcu_fast_count_unlock(ctr);
}

/*
 * One grace period at a time in each domain: whoever calls this holds a lock.  Asked again
 * and again until it says yes, before the flip of the bank that is not in use (which is
 * nearly always at once), and after it of the bank that no longer is.  Then every section
 * that has not ended sees what the caller did before the flip, and what the others did is
 * seen by the caller.
 */
bool srcu_fast_idx_check(struct srcu_fast *f, unsigned int idx, bool flipped);
/* Is a section open?  For cleanup: of sections that begin meanwhile it says nothing. */
bool srcu_fast_readers_active(struct srcu_fast *f);
/* In the child of a fork: the sections of all other threads are over.  Those that the
 * forking thread has begun are the child's to end, as the parent's are the parent's. */
void srcu_fast_forked(struct srcu_fast *f);
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

/* A full fence.  The thread sanitizer knows of none. */
static inline void srcu_fast_fence(void)
{
#ifdef SRCU_FAST_TSAN
	static int all;

	__atomic_fetch_add(&all, 1, __ATOMIC_SEQ_CST);
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

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
/* Pieces that a test's build leaves out, to see it caught, and what it does where a reader
 * has the index and has not counted yet. */
#ifndef SRCU_FAST_FAULTS
#define SRCU_FAST_FAULTS 0
#endif
#ifndef SRCU_FAST_WINDOW
#define SRCU_FAST_WINDOW() ((void)0)
#endif
/* A count without a barrier, which may stand in a store buffer: the CPU's or, longer, one that
 * the test has put there; and the draining of that before an end of a section is counted. */
#ifndef SRCU_FAST_BUFFER
#define SRCU_FAST_BUFFER(n) ((void)__atomic_fetch_add(n, 1, __ATOMIC_RELAXED))
#define SRCU_FAST_DRAIN() ((void)0)
#endif
enum {
	SRCU_FAST_NO_BARRIER = 1, /* neither membarrier nor, in the readers, a fence */
	SRCU_FAST_STALE      = 2, /* no rseq and no second look: the index may be an old one */
};

#endif
