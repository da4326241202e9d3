/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FAKE_SRCU_H
#define FAKE_SRCU_H
#include <linux/mutex.h>
#include <linux/rcu_segcblist.h>
#include <linux/srcutree.h>
int init_srcu_struct(struct srcu_struct *ssp);
void cleanup_srcu_struct(struct srcu_struct *ssp);
int srcu_read_lock(struct srcu_struct *ssp);
void srcu_read_unlock(struct srcu_struct *ssp, int idx);
void synchronize_srcu(struct srcu_struct *ssp);
unsigned long srcu_batches_completed(struct srcu_struct *ssp);
bool poll_state_synchronize_srcu(struct srcu_struct *ssp, unsigned long cookie);
DEFINE_LOCK_GUARD_1(srcu, struct srcu_struct, _T->idx = srcu_read_lock(_T->lock),
		    srcu_read_unlock(_T->lock, _T->idx), int idx)
#endif
