/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tree SRCU in a world: what tree_init.c offers the table of operations (tree_view.c). */
#ifndef SRCUSH_SRCU_TREE_MAKE_H
#define SRCUSH_SRCU_TREE_MAKE_H

#include "srcu/srcu.h"
#include "srcu/tree.h"

/* A domain's memory is one piece, so that all of it is gone after cleanup: this, and
 * behind the last CPU's data the nodes of the tree, used or not. */
struct tree_layout {
	struct srcu_struct ssp;
	struct srcu_usage sup;
	_Alignas(64) struct srcu_data sda[];
};

bool tree_init(struct srcu *ss, const struct srcu_opts *o);
void tree_init_struct(struct srcu *ss);
bool tree_cleanup(struct srcu *ss);
bool tree_check_opts(struct world *w, const struct srcu_ops *ops,
		     const struct srcu_opts *o);
size_t tree_extra_size(struct world *w, const struct srcu_opts *o);
extern const struct field srcu_tree_fields[];

#endif
