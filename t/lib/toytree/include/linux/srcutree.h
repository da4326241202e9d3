/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The toy's structure.
 */
#ifndef TOY_SRCUTREE_H
#define TOY_SRCUTREE_H

struct srcu_struct {
	unsigned int srcu_idx;
	atomic_long_t toy_readers[2];
	struct mutex srcu_gp_mutex;
	struct swait_queue_head toy_wq;
	unsigned long toy_count;	/* grace periods; plain, under the mutex */
};

#endif
