/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fast readers and their grace periods: a reader counts in a slot of its own without any
 * fence, and the updater, once in a grace period, has the kernel run one on every CPU that
 * runs a thread of this process (membarrier(2), rseq(2)).
 *
 * The idea of readers without fences that count in one of two banks, and of putting their
 * fences on the updater's side, is that of SRCU-fast (Linux 6.15) and of liburcu's memb
 * flavour (Desnoyers, McKenney, Stern, Dagenais, Walpole 2012).  That an index which is
 * loaded and used in one restartable sequence spares the second scan is argued here.
 *
 * Why it is right
 * ---------------
 *
 * The reader on thread t (srcu/fast.h):
 *	a: i = idx;   b: locks[i]++;   section;   u: unlocks[i]++, a release
 * where a and b are one rseq sequence, or else are followed by
 *	c: if idx != i: unlocks[i]++ and back to a.
 * The updater, in one grace period at a time:
 *	S;   flip: idx = !idx, a release;   M: the barrier;
 *	scan: of each slot, until unlocks[old] + ups[old] is found equal to locks[old], where
 *	the former are loaded first, by acquire;   E.
 *
 * What is wanted of each section: all of S is seen in it, or all of it is seen by E.
 *
 * M has a point p in each thread t: as if t ran a full fence there, which is ordered behind
 * all that the updater did before M, and before all that it does after it.  No rseq sequence
 * of t stands astride p, as it would be begun again.  A thread that is not running has its p
 * where it was switched away from, or will be switched to: both are full fences, and restart
 * the sequence.
 *
 * (1) b before p: the scan sees the count.  Let Y be the sections whose locks the scan of a
 *     slot counted, X those whose unlocks it did.  An unlock comes after its lock, and is a
 *     release that was acquired before the locks were loaded: X is part of Y.  As many were
 *     in either, so they are the same, and each section of Y that was in this bank had
 *     ended, with all that it did seen by E.  (So it does not matter that locks are still
 *     being added, nor that slots are looked at one after another, nor when a thread shows
 *     up that had no slot: its first b is behind its p, as is the section.)
 * (2) b behind p: S comes before M, p before the section: all of S is seen in it.
 *
 * (3) b before p, but counted in the other bank, which this grace period (number k) does not
 *     look at.  The load that chose the bank, a with rseq and the last c without, is an
 *     acquire (on x86 each load is), and returned what some flip had left.  If that was the
 *     flip of k, or a later one: all of S is seen in the section.  Else it was the flip of
 *     k - 2, or one still before that, as those in between chose the bank `old`.  Then the
 *     load is before the p of grace period k - 1, as behind it it would have seen the flip
 *     of k - 1; and so is b: with rseq because a and b are on the same side of each p,
 *     without because b comes before c.  So grace period k - 1, whose `old` is just this
 *     bank, has waited for the section, by (1).
 *
 * So one flip, one barrier and one scan are a grace period; and sections that begin later
 * are not counted in the bank that is looked at, but for those few that look again.
 *
 * Without both, rseq and c, (3) fails: a may be before the p of k - 1, and b behind it, for an
 * index that was loaded long ago.  Such a section is in the bank that k does not look at.
 * Then both banks have to be looked at in each grace period: the one that is not in use,
 * flip, the other one.  By (1) and (2) that is right whatever the index (one barrier before
 * both is enough), but it waits for two banks in turn.  So readers without rseq look again
 * instead: one load, and a branch that is hardly ever taken.
 *
 * Without membarrier(2) a fence in the updater takes M's place, and one between b and c in
 * the reader p's: either the scan sees the count, or what follows the fence in the reader
 * sees all that the updater did before its own.
 *
 * A section that is ended by another thread (up) is no different: it was handed over in
 * some way that orders b before up.  Slots change hands under the registry's lock.  Counts
 * have 64 bits and do not come round.
 */
#include <config.h>

#include <sys/mman.h>

#include "libsrcu/fast.h"

/* What a thread sanitizer cannot see: the assembly of readers, and a library that is not
 * built with it. */
extern void __tsan_acquire(void *addr) __attribute__((weak));
extern void __tsan_release(void *addr) __attribute__((weak));

static inline void tsan_acquire(void *addr)
{
	if (__tsan_acquire)
		__tsan_acquire(addr);
}

static inline void tsan_release(void *addr)
{
	if (__tsan_release)
		__tsan_release(addr);
}

/* --- counting --- */

/* Another thread may be at the same place, or a signal handler. */
static inline void count_atomic(unsigned long *n, int order)
{
	__atomic_fetch_add(n, 1, order);
}

/* The slot's thread alone adds here, and its signal handlers. */
static inline void count_own(unsigned long *n)
{
#ifdef SRCU_FAST_RSEQ
	__asm__ __volatile__("incq %0" : "+m" (*n) : : "memory", "cc");
#else
	__atomic_fetch_add(n, 1, __ATOMIC_RELEASE);
#endif
}

enum how { OWN, FENCED, SHARED };

static inline void count_lock(struct srcu_ctr *ctr, enum how how)
{
	if (SRCU_FAST_FAULTS & SRCU_FAST_NO_BARRIER)
		SRCU_FAST_BUFFER(&ctr->srcu_locks);
	else if (how == OWN)
		count_own(&ctr->srcu_locks);
	else {
		/* on x86 the locked instruction is the fence */
		count_atomic(&ctr->srcu_locks, __ATOMIC_SEQ_CST);
#ifndef __x86_64__
		srcu_fast_fence();
#endif
	}
}

/* Counts, and looks at the index again: see above. */
static struct srcu_ctr *count_and_look(const unsigned int *index, struct srcu_slot *slot,
				       enum how how)
{
	for (;;) {
		unsigned int idx = __atomic_load_n(index, __ATOMIC_ACQUIRE) & 1;
		struct srcu_ctr *ctr = srcu_slot_ctr(slot, idx);

		SRCU_FAST_WINDOW();
		count_lock(ctr, how);
		if ((SRCU_FAST_FAULTS & SRCU_FAST_STALE) ||
		    (__atomic_load_n(index, __ATOMIC_ACQUIRE) & 1) == idx) {
			tsan_acquire((void *)(uintptr_t)index);
			return ctr;
		}
		if (how == SHARED)
			count_atomic(&ctr->srcu_unlocks, __ATOMIC_RELEASE);
		else
			count_own(&ctr->srcu_unlocks);
	}
}

/* --- slots --- */

static struct srcu_slot *slot_at(struct srcu_fast *f, unsigned int chunk, unsigned int offset)
{
	char *p = (char *)__atomic_load_n(&f->chunk[chunk], __ATOMIC_ACQUIRE);

	return p ? (struct srcu_slot *)(p + offset) : NULL;
}

/* The domain's chunk of this number, made if need be.  False: no memory; it will be tried
 * again at the next section. */
static bool chunk_make(struct srcu_fast *f, unsigned int chunk)
{
	size_t size = srcu_fast_chunk_slots(chunk) * sizeof(struct srcu_slot);
	struct srcu_slot *none = NULL;
	void *p;

	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return false;
	if (!__atomic_compare_exchange_n(&f->chunk[chunk], &none, (struct srcu_slot *)p, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		munmap(p, size);	/* another thread was first */
	return true;
}

/* The calling thread's slot, or NULL: it has to do with the shared one. */
static struct srcu_slot *slot_get(struct srcu_fast *f)
{
	struct srcu_thread *me = &srcu_thread;
	struct srcu_slot *slot;

	if (!me->own_chunk && !srcu_fast_thread_register())
		return NULL;
	slot = slot_at(f, me->own_chunk, me->own_offset);
	if (!slot && chunk_make(f, me->own_chunk))
		slot = slot_at(f, me->own_chunk, me->own_offset);
	return slot;
}

#ifdef SRCU_FAST_RSEQ
/* The domain's identity, given at its first reader. */
static unsigned long id_get(struct srcu_fast *f)
{
	static unsigned long last;
	unsigned long id = __atomic_load_n(&f->id, __ATOMIC_RELAXED), mine;

	if (id)
		return id;
	mine = __atomic_add_fetch(&last, SRCU_FAST_ID_STEP, __ATOMIC_RELAXED);
	if (__atomic_compare_exchange_n(&f->id, &id, mine, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return mine;
	return id;	/* another thread was first */
}

/* From now on the slot is found without coming here.  A signal handler that comes in
 * between leaves the place alone, and is not misled by it. */
static void cache_fill(struct srcu_fast *f, struct srcu_slot *slot)
{
	struct srcu_thread *me = &srcu_thread;
	unsigned long id = id_get(f);
	struct srcu_cached *c = &me->cached[id / SRCU_FAST_ID_STEP % SRCU_FAST_CACHED];

	if (me->filling)
		return;
	me->filling = 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	c->id = SRCU_FAST_NO_ID;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	c->slot = slot;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	c->id = id;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	me->filling = 0;
}
#endif

struct srcu_ctr *srcu_fast_read_lock_slow(struct srcu_fast *f, const unsigned int *idx)
{
	enum srcu_fast_mode mode = srcu_fast_mode();
	struct srcu_slot *slot = slot_get(f);
	struct srcu_ctr *ctr;

	if (!slot) {
		srcu_thread.in_shared++;
		ctr = count_and_look(idx, &f->shared, SHARED);
		return (struct srcu_ctr *)((uintptr_t)ctr | 1);
	}
#ifdef SRCU_FAST_RSEQ
	if (srcu_thread.rseq_cs && !(SRCU_FAST_FAULTS & SRCU_FAST_STALE)) {
		cache_fill(f, slot);
		ctr = srcu_fast_count_rseq(idx, slot, srcu_thread.rseq_cs);
		tsan_acquire((void *)(uintptr_t)idx);
		return ctr;
	}
#endif
	return count_and_look(idx, slot, mode == SRCU_FAST_BY_FENCE ? FENCED : OWN);
}

void srcu_fast_read_unlock_slow(struct srcu_ctr *ctr)
{
	ctr = (struct srcu_ctr *)((uintptr_t)ctr & ~(uintptr_t)1);
	srcu_thread.in_shared--;
	tsan_release(&ctr->srcu_unlocks);
	count_atomic(&ctr->srcu_unlocks, __ATOMIC_RELEASE);
}

/* Counted where the section was, and atomically: the slot's owner is counting there, too,
 * and in another slot it would be lost to the child of a fork. */
void srcu_fast_up_read(struct srcu_ctr *ctr)
{
	ctr = (struct srcu_ctr *)((uintptr_t)ctr & ~(uintptr_t)1);
	tsan_release(&ctr->srcu_ups);
	count_atomic(&ctr->srcu_ups, __ATOMIC_RELEASE);
}

/* --- grace periods --- */

/* Has every section ended that was counted in this bank of the slot? */
static bool slot_over(struct srcu_slot *slot, unsigned int bank)
{
	struct srcu_ctr *ctr = srcu_slot_ctr(slot, bank);
	unsigned long ended = __atomic_load_n(&ctr->srcu_unlocks, __ATOMIC_ACQUIRE);

	ended += __atomic_load_n(&ctr->srcu_ups, __ATOMIC_ACQUIRE);
	if (__atomic_load_n(&ctr->srcu_locks, __ATOMIC_RELAXED) != ended)
		return false;
	tsan_acquire(&ctr->srcu_unlocks);
	tsan_acquire(&ctr->srcu_ups);
	return true;
}

/* The n-th slot: the shared one, then those of the threads.  NULL: nobody has used it, nor
 * another one of its chunk. */
static struct srcu_slot *slot_nth(struct srcu_fast *f, unsigned long n)
{
	unsigned int chunk;

	if (!n)
		return &f->shared;
	chunk = srcu_fast_chunk_of(n - 1);
	return slot_at(f, chunk, (unsigned int)((n - 1 - srcu_fast_chunk_first(chunk)) *
						sizeof(struct srcu_slot)));
}

/* What may come before an access to the slots of the readers, is before it now.  (A thread
 * that comes later has nothing that would be waited for.) */
static bool scan(struct srcu_fast *f, unsigned long *at, unsigned int bank)
{
	unsigned long end = srcu_fast_threads() + 1;

	while (*at < end) {
		struct srcu_slot *slot = slot_nth(f, *at);
		unsigned int chunk;

		if (slot && !slot_over(slot, bank))
			return false;
		if (slot) {
			++*at;
			continue;
		}
		chunk = srcu_fast_chunk_of(*at - 1);	/* nothing there: to the next */
		*at = srcu_fast_chunk_first(chunk) + srcu_fast_chunk_slots(chunk) + 1;
	}
	return true;
}

bool srcu_fast_idx_check(struct srcu_fast *f, unsigned int idx, bool flipped)
{
	if (!flipped && !f->doubtful)
		return true;
	if (!f->gp_barrier) {
		if (!(SRCU_FAST_FAULTS & SRCU_FAST_NO_BARRIER))
			srcu_fast_barrier();
		f->gp_barrier = true;
		f->gp_at = 0;
	}
	if (!scan(f, &f->gp_at, idx))
		return false;
	f->gp_barrier = f->doubtful = false;
	return true;
}

bool srcu_fast_readers_active(struct srcu_fast *f)
{
	for (unsigned int bank = 0; bank < 2; bank++) {
		unsigned long at = 0;

		if (!scan(f, &at, bank))
			return true;
	}
	return false;
}

void srcu_fast_release(struct srcu_fast *f)
{
	for (unsigned int i = 0; i < SRCU_FAST_CHUNKS; i++)
		if (f->chunk[i])
			munmap(f->chunk[i], srcu_fast_chunk_slots(i) * sizeof(struct srcu_slot));
	*f = (struct srcu_fast){ 0 };
}

/* --- forks --- */

static void slot_forget(struct srcu_slot *slot)
{
	for (unsigned int bank = 0; bank < 2; bank++) {
		struct srcu_ctr *ctr = srcu_slot_ctr(slot, bank);

		ctr->srcu_unlocks = ctr->srcu_locks;
		ctr->srcu_ups = 0;
	}
}

void srcu_fast_forked(struct srcu_fast *f)
{
	struct srcu_slot *mine = NULL;

	if (srcu_thread.own_chunk)
		mine = slot_at(f, srcu_thread.own_chunk, srcu_thread.own_offset);
	for (unsigned int chunk = 1; chunk < SRCU_FAST_CHUNKS; chunk++)
		for (unsigned long i = 0; f->chunk[chunk] && i < srcu_fast_chunk_slots(chunk); i++)
			if (&f->chunk[chunk][i] != mine)
				slot_forget(&f->chunk[chunk][i]);
	/* whose the sections in there are is nowhere said: if this thread has any, they
	 * are all taken for its own */
	if (!srcu_thread.in_shared)
		slot_forget(&f->shared);
	/* a grace period may have been under way: half-done is as good as not begun */
	f->gp_barrier = false;
	f->doubtful = true;
}
