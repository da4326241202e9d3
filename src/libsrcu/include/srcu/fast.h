/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fast readers of libsrcu: no fence and no locked instruction, neither at the
 * beginning of a section nor at its end.  This header is what is inlined into readers;
 * srcu/srcu.h includes it, and has the functions under their public names.
 */
#ifndef SRCU_FAST_H
#define SRCU_FAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Sections of a thread in one of the two banks.  Counts are only ever added to; a bank of
 * a thread holds no section when srcu_locks == srcu_unlocks + srcu_ups.
 */
struct srcu_ctr {
	unsigned long srcu_locks;	/* begun by the slot's thread, which alone adds here */
	unsigned long srcu_unlocks;	/* and ended by it */
	unsigned long srcu_ups;		/* ended by whom they were handed to */
	unsigned long srcu_pad;
};

/* What a thread has of a domain.  Two cache lines, because they are fetched in pairs. */
#define SRCU_SLOT_SIZE 128
struct srcu_slot {
	struct srcu_ctr ctr[2];
} __attribute__((aligned(SRCU_SLOT_SIZE)));

/* Slots come in chunks: number 1 has 32, as many as all before has each further one. */
#define SRCU_FAST_CHUNKS 16

/*
 * A domain's part of it.  All zero is ready for use.  Readers look at the identity alone,
 * which no other domain has had or will have, and at the domain's index, of which bit 0 is
 * the bank in which sections begin.
 */
struct srcu_fast {
	unsigned long id;		/* 0 until the first reader */
	struct srcu_slot *chunk[SRCU_FAST_CHUNKS]; /* number 0 is never there */
	struct srcu_slot shared;	/* of all who have none of their own: atomic */
	/* of the one who is the updater */
	unsigned long gp_at;		/* the slot that the scan has come to */
	bool gp_barrier;		/* there was a barrier since the flip */
	bool doubtful;			/* the bank not in use may not be empty */
	bool known;			/* the domain knows that it has such readers */
};

/*
 * The thread: where its slot is in every domain, and, if it can use rseq, the slots that it
 * had in some domains of late.  Which of those places a domain has is in its identity.
 */
#define SRCU_FAST_CACHED 8
#define SRCU_FAST_ID_STEP 16		/* sizeof(struct srcu_cached) */
#define SRCU_FAST_NO_ID 1ul		/* no domain's */
struct srcu_cached {
	unsigned long id;
	struct srcu_slot *slot;
};
struct srcu_thread {
	struct srcu_cached cached[SRCU_FAST_CACHED];
	uint64_t *rseq_cs;		/* in the area that the kernel looks at; or NULL */
	unsigned int own_chunk, own_offset; /* offset in bytes; chunk 0: it has no slots */
	int state;
	int filling;			/* a place of the above is being written */
	unsigned int in_shared;		/* its sections that are counted in shared slots */
};
extern __thread struct srcu_thread srcu_thread __attribute__((tls_model("initial-exec"), visibility("default")));

#if defined(__SANITIZE_THREAD__)
#define SRCU_FAST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SRCU_FAST_TSAN 1
#endif
#endif
/* SRCU_FAST_PORTABLE: as where there is no assembly for it. */
#if defined(__x86_64__) && defined(__LP64__) && defined(__linux__) && !defined(SRCU_FAST_PORTABLE)
#define SRCU_FAST_RSEQ 1
#ifndef SRCU_FAST_TSAN
#define SRCU_FAST_INLINE 1
#endif
#endif

#ifdef SRCU_FAST_RSEQ
/*
 * Loads the index and counts a section in that bank, as one: whenever the thread is
 * preempted in between, or a membarrier of the RSEQ kind strikes it, both are done again
 * from the start.  The increment is the last instruction and commits.
 *
 * The kernel finds the descriptor by *rseq_cs and wants the signature in the four bytes
 * before the address that it jumps to; before it does that it has cleared *rseq_cs, so
 * that a retry has to begin with setting it.
 *
 * Nobody clears it at the end, and the kernel looks at what it points to whenever it has
 * preempted the thread.  In an object that may be unloaded the descriptor would be gone
 * by then, and the thread be killed: code that is compiled for one clears it.
 */
#if defined(__PIC__) && !defined(__PIE__)
#define SRCU_FAST_UNLOADABLE 1
#endif
static inline struct srcu_ctr *srcu_fast_count_rseq(const unsigned int *idx,
						    struct srcu_slot *slot, uint64_t *rseq_cs)
{
	unsigned long bank;

	__asm__ __volatile__(
		".pushsection __rseq_cs, \"aw\"\n\t"
		".balign 32\n"
		"770:\n\t"
		".long 0, 0\n\t"			/* version, flags */
		".quad 772f, 773f - 772f, 774f\n\t"	/* begin, length, where to go */
		".popsection\n"
		"771:\n\t"
		"leaq 770b(%%rip), %[bank]\n\t"
		"movq %[bank], %[cs]\n"
		"772:\n\t"
		"movl %[idx], %k[bank]\n\t"
		"andl $1, %k[bank]\n\t"
		"shll $5, %k[bank]\n\t"		/* times the size of a struct srcu_ctr */
		"incq (%[slot], %[bank])\n"
		"773:\n\t"
		".pushsection __rseq_failure, \"ax\"\n\t"
		".byte 0x0f, 0xb9, 0x3d\n\t"		/* ud1 of the signature: never run */
		".long 0x53053053\n"
		"774:\n\t"
		"jmp 771b\n\t"
		".popsection"
		: [bank] "=&r" (bank), [cs] "=m" (*rseq_cs)
		: [idx] "m" (*idx), [slot] "r" (slot)
		: "memory", "cc");
#ifdef SRCU_FAST_UNLOADABLE
	__atomic_store_n(rseq_cs, (uint64_t)0, __ATOMIC_RELAXED);
#endif
	return (struct srcu_ctr *)((char *)slot + bank);
}
#endif

#ifdef SRCU_FAST_INLINE
/* The thread's slot in a domain, or NULL: the long way has to be gone. */
static inline struct srcu_slot *srcu_fast_slot(const struct srcu_fast *f)
{
	unsigned long id = __atomic_load_n(&f->id, __ATOMIC_RELAXED);
	const struct srcu_cached *c = (const struct srcu_cached *)((const char *)srcu_thread.cached +
		(id & (SRCU_FAST_CACHED - 1) * SRCU_FAST_ID_STEP));

	if (__builtin_expect(c->id != id, 0))
		return NULL;
	if (!c->slot)
		__builtin_unreachable();	/* the caller need not look again */
	return c->slot;
}
#endif

/*
 * Counts the end of a section in the slot of the calling thread.  All that the section did
 * comes before: on x86 no access is reordered with a later store.  One instruction adds, so
 * that a signal handler with a section of its own is not in the way.
 */
static inline void srcu_fast_count_unlock(struct srcu_ctr *ctr)
{
#ifdef SRCU_FAST_INLINE
	__asm__ __volatile__("incq %[n]" : [n] "+m" (ctr->srcu_unlocks) : : "memory", "cc");
#else
	__atomic_fetch_add(&ctr->srcu_unlocks, 1, __ATOMIC_RELEASE);
#endif
}

/* A counter of the shared slot is marked in the pointer: ends of sections are atomic. */
static inline bool srcu_fast_is_shared(const struct srcu_ctr *ctr)
{
	return __builtin_expect((uintptr_t)ctr & 1, 0);
}

#ifdef __cplusplus
}
#endif

#endif
