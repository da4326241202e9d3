/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tree SRCU, readers: a section is a lock counted at its begin and an unlock
 * counted at its end, in one of two banks of per-CPU counters; the updater
 * sums a bank over all CPUs.  A section may end on another CPU than it began
 * on, so only the sums mean something.
 *
 * Counters run on in 64 bits and never come back.  A domain made with few
 * counter_bits compares sums modulo 2^counter_bits, which is what counters that
 * wrapped would give, without a step more.
 */
#include <config.h>

#include "srcu/tree.h"

/* The fault: what a compiler may make of an unmarked ++.  The CPU is looked up
 * once, as the kernel's pointer would be. */
static void plain_inc(atomic_long_t *v)
{
	long old = PLAIN_READ(v->counter);

	PLAIN_WRITE(v->counter, old + 1);
}

int __srcu_read_lock(struct srcu_struct *ssp)
{
	int idx = READ_ONCE(ssp->srcu_idx) & 1;

	K_FAULT_WINDOW();
	/*
	 * B puts the count before the section's accesses.  Against A: a scan that
	 * misses the count comes before the section in every respect, so that the
	 * section sees all that the updater did before its grace period.
	 */
	if (srcu_fault(ssp, SRCU_FAULT_PLAIN_INC)) {
		plain_inc(&srcu_this_sdp(ssp)->srcu_lock_count[idx]);
		if (!srcu_fault(ssp, SRCU_FAULT_NO_MB_B))
			smp_mb_as("B");
	} else if (srcu_fault(ssp, SRCU_FAULT_NO_MB_B)) {
		this_cpu_inc(ssp->sda, srcu_lock_count[idx].counter);
	} else {
		this_cpu_inc_mb(ssp->sda, srcu_lock_count[idx].counter, "B");
	}
	return idx;
}

void __srcu_read_unlock(struct srcu_struct *ssp, int idx)
{
	/*
	 * C puts the section's accesses before the count.  Against A: whoever
	 * sees the count comes after the section.  Against D: a reader whose
	 * count was missed soon sees the flip (srcu_flip()).
	 */
	if (srcu_fault(ssp, SRCU_FAULT_PLAIN_INC)) {
		if (!srcu_fault(ssp, SRCU_FAULT_NO_MB_C))
			smp_mb_as("C");
		plain_inc(&srcu_this_sdp(ssp)->srcu_unlock_count[idx]);
	} else if (srcu_fault(ssp, SRCU_FAULT_NO_MB_C)) {
		this_cpu_inc(ssp->sda, srcu_unlock_count[idx].counter);
	} else {
		mb_this_cpu_inc(ssp->sda, srcu_unlock_count[idx].counter, "C");
	}
}

int __srcu_read_lock_nmisafe(struct srcu_struct *ssp)
{
	struct srcu_data *sdp = srcu_this_sdp(ssp);
	int idx = READ_ONCE(ssp->srcu_idx) & 1;

	if (srcu_fault(ssp, SRCU_FAULT_PLAIN_INC))
		plain_inc(&sdp->srcu_lock_count[idx]);
	else
		atomic_long_inc(&sdp->srcu_lock_count[idx]);
	if (!srcu_fault(ssp, SRCU_FAULT_NO_MB_B))
		smp_mb__after_atomic_as("B");
	return idx;
}

void __srcu_read_unlock_nmisafe(struct srcu_struct *ssp, int idx)
{
	struct srcu_data *sdp = srcu_this_sdp(ssp);

	if (!srcu_fault(ssp, SRCU_FAULT_NO_MB_C))
		smp_mb__before_atomic_as("C");
	if (srcu_fault(ssp, SRCU_FAULT_PLAIN_INC))
		plain_inc(&sdp->srcu_unlock_count[idx]);
	else
		atomic_long_inc(&sdp->srcu_unlock_count[idx]);
}

/* The locks counted in a bank.  Not of one moment: readers go on meanwhile. */
static unsigned long srcu_readers_lock_idx(struct srcu_struct *ssp, int idx)
{
	unsigned long sum = 0;
	int cpu;

	srcu_for_each_cpu(ssp, cpu)
		sum += atomic_long_read(&srcu_sdp(ssp, cpu)->srcu_lock_count[idx]);
	return sum & ssp->counter_mask;
}

static unsigned long srcu_readers_unlock_idx(struct srcu_struct *ssp, int idx)
{
	unsigned long sum = 0;
	int cpu;

	srcu_for_each_cpu(ssp, cpu)
		sum += atomic_long_read(&srcu_sdp(ssp, cpu)->srcu_unlock_count[idx]);
	return sum & ssp->counter_mask;
}

static void srcu_between_sums(struct srcu_struct *ssp)
{
	/*
	 * A puts the sum of the unlocks before the sum of the locks.  With B and C
	 * on the readers' side an unlock is then never counted without its lock:
	 * equal sums mean that the bank was empty at some moment in between.
	 *
	 * It also stands between what the updater did before its grace period and
	 * the look at the locks, as B stands between a reader's count and its
	 * accesses: at least one of the two sees the other.  And together with C
	 * it keeps what follows the grace period behind the end of each section
	 * whose unlock was seen.
	 */
	if (!srcu_fault(ssp, SRCU_FAULT_NO_MB_A))
		smp_mb_as("A");
}

bool srcu_readers_active_idx_check(struct srcu_struct *ssp, int idx)
{
	unsigned long locks, unlocks;

	if (srcu_fault(ssp, SRCU_FAULT_LOCK_BEFORE_UNLOCK)) {
		locks = srcu_readers_lock_idx(ssp, idx);
		srcu_between_sums(ssp);
		K_FAULT_WINDOW();
		unlocks = srcu_readers_unlock_idx(ssp, idx);
		return locks == unlocks && k_more_readers_gone(ssp, idx);
	}
	unlocks = srcu_readers_unlock_idx(ssp, idx);
	srcu_between_sums(ssp);
	/*
	 * A reader that fetched the index before the flip may count its lock only
	 * now.  If this sum misses it, its section begins after A, and the grace
	 * period owes it nothing.  Only if so many of them come in between that the
	 * counter wraps do they hide one who was there before: hence counter_bits.
	 */
	locks = srcu_readers_lock_idx(ssp, idx);
	return locks == unlocks && k_more_readers_gone(ssp, idx);
}

bool srcu_readers_active(struct srcu_struct *ssp)
{
	unsigned long sum = 0;
	int cpu;

	srcu_for_each_cpu(ssp, cpu) {
		struct srcu_data *sdp = srcu_sdp(ssp, cpu);

		sum += atomic_long_read(&sdp->srcu_lock_count[0]);
		sum += atomic_long_read(&sdp->srcu_lock_count[1]);
		sum -= atomic_long_read(&sdp->srcu_unlock_count[0]);
		sum -= atomic_long_read(&sdp->srcu_unlock_count[1]);
	}
	return (sum & ssp->counter_mask) || k_more_readers_active(ssp);
}
