/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tree SRCU in a world: what tree_init.c offers the table of operations (tree_view.c). */
#ifndef SRCUSH_SRCU_TREE_MAKE_H
#define SRCUSH_SRCU_TREE_MAKE_H

#include "srcu/srcu.h"

bool tree_init(struct srcu *ss, const struct srcu_opts *o);
void tree_init_struct(struct srcu *ss);
bool tree_cleanup(struct srcu *ss);
bool tree_check_opts(struct world *w, const struct srcu_ops *ops,
		     const struct srcu_opts *o);
size_t tree_extra_size(struct world *w, const struct srcu_opts *o);
extern const struct field srcu_tree_fields[];

#endif
