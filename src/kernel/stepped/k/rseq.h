/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restartable sequences and the barrier that restarts them, as user space has them by
 * rseq(2) and membarrier(2): stepped.
 *
 * A sequence is loads, and one store at its end that commits.  If its task is switched
 * away from or struck by an interrupt on the way, or a membarrier of the RSEQ kind comes,
 * it begins again; what it had loaded is forgotten, and nobody can tell that it had been
 * there.  What can be seen of it is the attempt that commits, in which nothing of that kind
 * happened: neither another task nor an interrupt of its CPU, nor a membarrier.  So that is
 * what is stepped: a sequence holds its CPU, and a membarrier passes each CPU when no
 * sequence is under way there.  One instruction alone is such a sequence, too.
 *
 * The two meet in a lock of the CPU, which is no fence: a sequence orders nothing, neither
 * where it begins nor where it ends, and sequences nothing among themselves.  What is
 * ordered is between a membarrier and the sequences of the CPUs that it passed, as by a full
 * fence of the struck task at some point of its program order between the sequence before
 * and the one behind (memory/consistency.h, mm_lock_flags()).  Where no sequence is,
 * a real membarrier finds a task at some point as well, and orders no less: so an empty
 * sequence is what a compiler's barrier is to a reader who relies on one.
 */
#ifndef K_RSEQ_H
#define K_RSEQ_H

#include "k/lock.h"

/* A CPU's, in an array of structures of which there is one for each. */
struct rseq { spinlock_t lock; };

#define rseq_init(r)		spin_lock_init(&(r)->lock)
/* In the task's own CPU's; nothing that sleeps or blocks may stand in between. */
#define rseq_begin(pcp, field)	K_RSEQ(pcp, field, OP_LOCK, SITE_SEQUENCE, "rseq_begin")
#define rseq_end(pcp, field)	K_RSEQ(pcp, field, OP_UNLOCK, SITE_SEQUENCE, "rseq_end")

/* membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ).  The fences are the caller's own. */
#define membarrier_rseq(pcp, field) do {					\
		smp_mb();							\
		for (unsigned k_cpu = 0; k_cpu < k_nr_cpus(); k_cpu++) {	\
			K_RSEQ_AT(&(pcp)[k_cpu].field, OP_LOCK, SITE_MEMBARRIER, "membarrier"); \
			K_RSEQ_AT(&(pcp)[k_cpu].field, OP_UNLOCK, SITE_MEMBARRIER, "membarrier"); \
		}								\
		smp_mb();							\
	} while (0)

#define K_RSEQ_AT(r, op_, what, prim) do {					\
		struct site *k_s = K_SITE(op_, ORD_ONCE, SITE_SPIN | SITE_IRQ | (what), \
					  prim, "", NULL);			\
		(void)K_EV(k_s, &(r)->lock.owner, 8, 0, 0);			\
	} while (0)
#define K_RSEQ(pcp, field, op_, what, prim) K_RSEQ_AT(&(pcp)[raw_cpu()].field, op_, what, prim)

/* this_cpu_inc() as a store with release: what stands before it comes before the count. */
#define this_cpu_inc_release(pcp, field) \
	((void)K_RMW(&(pcp)[raw_cpu()].field, OP_CPU_ADD, ORD_RELEASE, "this_cpu_inc_release", 1, 0))

#endif
