/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tree SRCU with fast readers: what tree_fast.c has for the table of it (tree_view.c) and
 * for grace periods (tree_readers.c).
 */
#ifndef SRCUSH_SRCU_TREE_FAST_H
#define SRCUSH_SRCU_TREE_FAST_H

#include "srcu/srcu.h"

struct srcu_struct;

int tree_fast_read_lock(struct srcu *ss);
void tree_fast_read_unlock(struct srcu *ss, int idx);
bool tree_fast_check_opts(struct world *w, const struct srcu_ops *ops, const struct srcu_opts *o);
size_t tree_fast_extra_size(struct world *w, const struct srcu_opts *o);
bool tree_fast_init(struct srcu *ss, const struct srcu_opts *o);

/* The rest may be asked of any tree. */

/* As srcu_readers_active_idx_check(), of fast readers, with srcu_gp_mutex held. */
bool tree_fast_gone(struct srcu_struct *ssp, int idx);
bool tree_fast_active(struct srcu_struct *ssp);
/* Adds theirs to the counts of a CPU. */
void tree_fast_counts(struct srcu_struct *ssp, unsigned cpu, unsigned idx, uint64_t *lock_count,
		      uint64_t *unlock_count);

#endif
