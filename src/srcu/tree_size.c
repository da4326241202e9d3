/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tree SRCU, sizes: locks that count how often they are contended for, which
 * decides when a small domain begins to grow, and the way from small to big.
 */
#include <config.h>

#include "srcu/tree.h"

/* Somebody had to wait for a lock; sup->lock is held.  Too often within one jiffy,
 * and the next grace period's end makes a tree. */
static void srcu_count_contention(struct srcu_usage *sup)
{
	struct srcu_struct *ssp = sup->srcu_ssp;
	unsigned long j;

	if (!ssp->contend || sup->srcu_size_state != SRCU_SIZE_SMALL)
		return;
	j = jiffies;
	if (sup->srcu_size_jiffies != j) {
		sup->srcu_size_jiffies = j;
		sup->srcu_n_lock_retries = 0;
	}
	if (++sup->srcu_n_lock_retries > ssp->small_contention_lim)
		smp_store_release(&sup->srcu_size_state, SRCU_SIZE_ALLOC);
}

void spin_lock_irqsave_sdp_contention(struct srcu_data *sdp, unsigned long *flags)
{
	struct srcu_usage *sup = sdp->ssp->srcu_sup;

	if (spin_trylock_irqsave_rcu_node(sdp, *flags))
		return;
	spin_lock_irqsave_rcu_node(sup, *flags);
	srcu_count_contention(sup);
	spin_unlock_irqrestore_rcu_node(sup, *flags);
	spin_lock_irqsave_rcu_node(sdp, *flags);
}

void spin_lock_irqsave_sup_contention(struct srcu_usage *sup, unsigned long *flags)
{
	if (spin_trylock_irqsave_rcu_node(sup, *flags))
		return;
	spin_lock_irqsave_rcu_node(sup, *flags);
	srcu_count_contention(sup);
}

/*
 * Only the end of a grace period, of which there is one at a time, takes a domain
 * from ALLOC on.  Each request acts within a read section on the state that it
 * read there, so that a grace period that begins later waits for it: two states
 * further on nobody acts on the old one.
 */
void srcu_grow(struct srcu_struct *ssp, int size_state)
{
	if (size_state == SRCU_SIZE_SMALL || size_state == SRCU_SIZE_BIG)
		return;
	if (size_state == SRCU_SIZE_ALLOC)
		srcu_init_nodes(ssp);
	/* release: who sees the state sees the tree, against the acquire loads of it */
	smp_store_release(&ssp->srcu_sup->srcu_size_state, size_state + 1);
}
