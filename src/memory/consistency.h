/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory models as a rule over executions: program order, reads-from and coherence order
 * are given, and the model says whether that may be.  Whoever explores builds graphs and
 * asks; whoever steps by hand asks of each store whether a load may return it.
 *
 * Program order and reads-from together are without a circle here, unless some of the writes
 * are promises of others: load buffering (promise.c).
 */
#ifndef SRCUSH_MEMORY_CONSISTENCY_H
#define SRCUSH_MEMORY_CONSISTENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/site.h"

enum mm_kind { MM_READ, MM_WRITE };
enum mm_flag {
	MM_PLAIN   = 1u << 0,	/* not marked */
	MM_LOCK    = 1u << 1,	/* part of a lock's acquisition */
	MM_UNLOCK  = 1u << 2,
	MM_LOCKED  = 1u << 3,	/* x86: part of a locked instruction, or as good as one */
	MM_SWITCH  = 1u << 4,	/* its task slept: a full fence */
	MM_PROMISE = 1u << 5,	/* a write that another one is to keep: see mm_promises() */
	MM_SEQUENCE = 1u << 6,	/* begins (a read-modify-write) or ends a restartable sequence */
	MM_MEMBARRIER = 1u << 7, /* the same of a membarrier that passes a CPU: see mm_lock_flags() */
};
/*
 * What the acquisition and the release of a lock are by the flags of their site.  A sequence
 * (k/rseq.h) is no fence of its task, neither where it begins nor where it ends: its accesses
 * to the "lock" are plain moves.  A membarrier is one of the task that is struck, but where
 * that one stands in program order is only known to be behind the sequences that it came
 * behind, and before those that it came before.  So that is what is ordered (lkmm.c; under tso
 * it follows from the accesses), and as by a full fence; nothing is between sequences.
 */
static inline uint8_t mm_lock_flags(unsigned site_flags)
{
	if (site_flags & SITE_SEQUENCE)
		return MM_SEQUENCE;
	if (site_flags & SITE_MEMBARRIER)
		return MM_MEMBARRIER | MM_LOCKED;
	return MM_LOCK | MM_LOCKED;
}
static inline uint8_t mm_unlock_flags(unsigned site_flags)
{
	uint8_t flags = mm_lock_flags(site_flags);

	return flags & MM_LOCK ? MM_UNLOCK : flags & (MM_SEQUENCE | MM_MEMBARRIER);
}
#define MM_NONE UINT16_MAX	/* reads from the initial value; no partner */

/*
 * An access.  A read-modify-write is two, one behind the other, as is the acquisition of a
 * lock, which reads from the release before it.  Those of a task stand in program order in
 * the array; nothing else is said by their places.
 */
struct mm_event {
	uint8_t kind;		/* enum mm_kind */
	uint8_t order;		/* enum ev_order (engine/site.h) */
	uint8_t flags;		/* enum mm_flag */
	uint16_t task;
	uint16_t cpu;
	uint16_t loc;		/* some number for each location */
	uint16_t rf;		/* reads: index of the write */
	uint16_t rank;		/* writes: place in the coherence order of the location */
	uint16_t pair;		/* the other part of a read-modify-write */
	uint16_t after;		/* its task was made, or set going, by that event: all before it
				 * comes before all behind this; MM_NONE */
	/* Bits of the reads of its task that it depends on; and its own, of a read */
	uint64_t addr, data, ctrl, self;
	uint64_t begun;		/* bits of the sections from whose beginning its value comes */
};

/* A fence: in program order behind those of its task's accesses that stand before place
 * `at` of the array. */
struct mm_fence {
	uint8_t order, flags;
	uint16_t task;
	uint16_t at;
	/* of the beginning or end of a section, or a grace period (ORD_SECTION_BEGIN ...) */
	uint32_t domain;	/* 0: RCU */
	uint64_t self;		/* the bit of a beginning */
	uint64_t data, begun;	/* of an end: what its operand comes from */
	uint64_t value;		/* and that */
};

enum mm_answer { MM_ASK, MM_NO, MM_YES };

/* An access is made where that read of its task said.  For those who have no bits for it. */
struct mm_addr { uint16_t read, access; };

struct mm {
	struct mm_event *ev;
	size_t n, cap;
	struct mm_addr *addrs;
	size_t naddrs, addrs_cap;
	struct mm_fence *fences;
	size_t nfences, fences_cap;
	/* scratch of the models, kept from one question to the next */
	uint64_t *bits;
	size_t bits_cap;
	uint16_t *nums;
	size_t nums_cap;
	uint16_t *index;	/* see mm_index() */
	size_t index_cap;
	uint64_t *placed;	/* see mm_place() */
	size_t placed_cap;
	bool is_placed;
	const uint64_t *known;	/* see mm_order_tso() */
	uint16_t *races;	/* pairs of events: see mm_rcu() */
	size_t nraces, races_cap;
	struct mm_event *kept;	/* promise.c's */
	size_t kept_cap;
	bool whole;		/* nothing is to come: every promise has been kept */
	uint8_t *said;		/* by event: enum mm_answer, see mm_tso_newest() */
	size_t said_cap;
	bool oom;		/* there was no memory: the answer means nothing */
};
/* A new last event, all zero but rf, pair and after, which are MM_NONE.  NULL: no memory. */
struct mm_event *mm_add(struct mm *m);
struct mm_fence *mm_add_fence(struct mm *m);	/* the same, at the end */
bool mm_add_addr(struct mm *m, size_t read, size_t access);	/* false: no memory */
void mm_clear(struct mm *m);
void mm_release(struct mm *m);

/* Coherence: of each location, what a task does to it agrees with rf and the ranks (all
 * four of CoWW, CoWR, CoRW, CoRR), and no write comes between a read-modify-write's parts. */
bool mm_coherent(struct mm *m);
/* Total store order, x86 (Owens, Sarkar, Sewell 2009; in the axiomatic form of Alglave,
 * Maranget, Tautschnig 2014). */
bool mm_tso(struct mm *m);
/* The Linux-kernel memory model (Alglave, Maranget, McKenney, Parri, Stern 2018; as of
 * Linux 6.12), for what has no load buffering. */
bool mm_lkmm(struct mm *m);
/*
 * Quick answers.  The last event of m is new: it has no place yet (a read reads from nothing,
 * a write has a rank of its own behind all), and what m is without it the model allows.  m->said
 * tells of each write whether the new event may have its place directly before that one, or
 * read what that one overwrites, if that is coherent: MM_ASK where only the whole model
 * knows.  False: nothing is known.
 */
bool mm_tso_newest(struct mm *m);
bool mm_lkmm_newest(struct mm *m);
/*
 * What sections and grace periods of ideal domains guarantee beside that (the model's axiom
 * "rcu"), whatever the model; and which of the model's flags are raised.  Of whole
 * executions only: the end of a section may be what makes one impossible.
 */
enum mm_rcu_flag { MM_UNMATCHED_LOCK = 1u << 0, MM_UNMATCHED_UNLOCK = 1u << 1, MM_MULTIPLE_MATCHES = 1u << 2,
		   MM_BAD_VALUE = 1u << 3, MM_INVALID_SLEEP = 1u << 4, MM_UNMATCHED_RCU_LOCK = 1u << 5,
		   MM_UNMATCHED_RCU_UNLOCK = 1u << 6, MM_DATA_RACE = 1u << 7 };
/* Which plain accesses race is in m->races afterwards. */
bool mm_rcu(struct mm *m, unsigned *flags);
/*
 * The same with load buffering: program order and reads-from may have a circle, but hb has
 * none, so that no value comes out of thin air.  A promise (MM_PROMISE) is a write of
 * a task of its own that stands for one that comes later in its own task.  What stands
 * directly before it in coherence order keeps it: then there is but the one write, and what
 * read the promise reads that.  As long as the execution goes on (m->whole is not set) a
 * promise may be kept by what stands there, or by what is still to come.
 */
bool mm_promises(struct mm *m);
/* Is there a circle of program order and reads-from?  False, too, where there is no memory. */
bool mm_circular(struct mm *m);
/* Tells of each read and each write behind it in program order that nothing in their task
 * orders.  False: there is no memory, or the execution is none. */
bool mm_relaxed(struct mm *m, bool (*tell)(void *arg, size_t r, size_t w), void *arg);
/* Sequential consistency, for comparison. */
bool mm_sc(struct mm *m);

/*
 * Where tasks share a CPU and it is known who had it first: event i was over, and all before
 * it, when j of another task came, and the CPU's buffer was drained in between.  To be said
 * of each such pair, after mm_place_begin(), which forgets all, as mm_clear() does.  False:
 * no memory.  LKMM knows nothing of CPUs: it does not ask.
 */
bool mm_place_begin(struct mm *m);
void mm_place(struct mm *m, size_t i, size_t j);
/*
 * The same questions, and besides what comes before what: m->known has, until the next
 * question, a row of mm_words() words of bits for each event: if one of those came before it
 * on the same CPU, that would not be an execution.
 */
bool mm_order_tso(struct mm *m);
bool mm_order_sc(struct mm *m);
/* May j come behind i on one CPU, as far as coherence goes? */
bool mm_may_follow(const struct mm *m, size_t i, size_t j);
static inline size_t mm_words(const struct mm *m)
{
	return (m->n + 63) / 64;
}

#endif
