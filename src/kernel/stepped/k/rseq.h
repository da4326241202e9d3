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
 * That the two meet in a lock of the CPU orders what a membarrier orders (all that stands
 * before it in the updater before the next sequence, all up to the end of the last sequence
 * before what follows it), and between the end of a sequence and what follows in its task
 * nothing.  Beyond what there is, a sequence's beginning is ordered behind what is before.
 */
#ifndef K_RSEQ_H
#define K_RSEQ_H

#include "k/lock.h"

/* A CPU's, in an array of structures of which there is one for each. */
struct rseq { spinlock_t lock; };

#define rseq_init(r)		spin_lock_init(&(r)->lock)
/* In the task's own CPU's; nothing that sleeps or blocks may stand in between. */
#define rseq_begin(pcp, field)	K_RSEQ(pcp, field, OP_LOCK, "rseq_begin")
#define rseq_end(pcp, field)	K_RSEQ(pcp, field, OP_UNLOCK, "rseq_end")

/* membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ). */
#define membarrier_rseq(pcp, field) do {					\
		smp_mb();							\
		for (unsigned k_cpu = 0; k_cpu < k_nr_cpus(); k_cpu++) {	\
			K_RSEQ_AT(&(pcp)[k_cpu].field, OP_LOCK, "membarrier");	\
			K_RSEQ_AT(&(pcp)[k_cpu].field, OP_UNLOCK, "membarrier"); \
		}								\
		smp_mb();							\
	} while (0)

#define K_RSEQ_AT(r, op_, prim) do {						\
		struct site *k_s = K_SITE(op_, (op_) == OP_UNLOCK ? ORD_RELEASE : ORD_ACQUIRE, \
					  SITE_SPIN | SITE_IRQ, prim, "", NULL); \
		(void)K_EV(k_s, &(r)->lock.owner, 8, 0, 0);			\
	} while (0)
#define K_RSEQ(pcp, field, op_, prim) K_RSEQ_AT(&(pcp)[raw_cpu()].field, op_, prim)

/* this_cpu_inc() as a store with release: what stands before it comes before the count. */
#define this_cpu_inc_release(pcp, field) \
	((void)K_RMW(&(pcp)[raw_cpu()].field, OP_CPU_ADD, ORD_RELEASE, "this_cpu_inc_release", 1, 0))

#endif
