/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The toy's readers: one counter for each index, for all CPUs together.
 */
#ifndef TOY_SRCU_H
#define TOY_SRCU_H

#include <linux/mutex.h>
#include <linux/swait.h>
#include <linux/srcutree.h>

static inline int srcu_read_lock(struct srcu_struct *ssp)
{
	int idx = READ_ONCE(ssp->srcu_idx) & 1;

	atomic_long_inc(&ssp->toy_readers[idx]);
	smp_mb();
	return idx;
}

static inline void srcu_read_unlock(struct srcu_struct *ssp, int idx)
{
	smp_mb();
	if (!atomic_long_dec_return(&ssp->toy_readers[idx]))
		swake_up_one(&ssp->toy_wq);
}

int init_srcu_struct(struct srcu_struct *ssp);
void cleanup_srcu_struct(struct srcu_struct *ssp);
void synchronize_srcu(struct srcu_struct *ssp);

#endif
