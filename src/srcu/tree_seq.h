/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain's sequence numbers in shared memory: the arithmetic of seq.h done
 * with steps.  `sp` is srcu_gp_seq or srcu_barrier_seq of the domain.  Whoever
 * changes one holds the lock or mutex that protects it, so the old value may be
 * had plainly; the change itself is a marked store, for those who read without.
 */
#ifndef SRCUSH_SRCU_TREE_SEQ_H
#define SRCUSH_SRCU_TREE_SEQ_H

#include "srcu/tree.h"

/* The fault that takes the marks off the grace period's number. */
static inline bool srcu_seq_plain(struct srcu_struct *ssp, unsigned long *sp)
{
	return srcu_fault(ssp, SRCU_FAULT_PLAIN_GP_SEQ) && sp == &ssp->srcu_sup->srcu_gp_seq;
}

static inline unsigned long rcu_seq_current(struct srcu_struct *ssp, unsigned long *sp)
{
	if (srcu_seq_plain(ssp, sp))
		return PLAIN_READ(*sp);
	return READ_ONCE(*sp);
}

/* As rcu_seq_current(), and what follows sees all that went before the store. */
static inline unsigned long rcu_seq_acquire(struct srcu_struct *ssp, unsigned long *sp)
{
	if (srcu_seq_plain(ssp, sp))
		return PLAIN_READ(*sp);
	return smp_load_acquire(sp);
}

static inline void rcu_seq_store(struct srcu_struct *ssp, unsigned long *sp, unsigned long s)
{
	if (srcu_seq_plain(ssp, sp))
		PLAIN_WRITE(*sp, s);
	else
		WRITE_ONCE(*sp, s);
}

static inline void rcu_seq_set_state(struct srcu_struct *ssp, unsigned long *sp, unsigned state)
{
	rcu_seq_store(ssp, sp, seq_with_state(*sp, state));
}

/* The barrier keeps what the grace period does behind its visible start. */
static inline void rcu_seq_start(struct srcu_struct *ssp, unsigned long *sp)
{
	rcu_seq_store(ssp, sp, seq_started(*sp, ssp->seq_mask));
	smp_mb();
	WARN_ON_ONCE(seq_state(*sp) != 1);
}

/* The barrier keeps what the grace period did before its visible end. */
static inline void rcu_seq_end(struct srcu_struct *ssp, unsigned long *sp)
{
	smp_mb();
	WARN_ON_ONCE(!seq_state(*sp));
	rcu_seq_store(ssp, sp, seq_ended(*sp, ssp->seq_mask));
}

/* The barrier keeps what the caller does next behind the look at the number. */
static inline unsigned long rcu_seq_snap(struct srcu_struct *ssp, unsigned long *sp)
{
	unsigned long s = seq_snap(rcu_seq_current(ssp, sp), ssp->seq_mask);

	smp_mb();
	return s;
}

/* Is what a snapshot waits for over? */
static inline bool rcu_seq_done(struct srcu_struct *ssp, unsigned long *sp, unsigned long s)
{
	return seq_ge(rcu_seq_current(ssp, sp), s, ssp->seq_mask);
}

#endif
