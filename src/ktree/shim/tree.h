/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tree's own declarations, for our files that look into its structures.
 */
#ifndef KTREE_TREE_H
#define KTREE_TREE_H

#include <linux/srcu.h>
#include "kernel/rcu/rcu.h"
#include "kernel/rcu/rcu_segcblist.h"

/* which not every variant has */
struct srcu_data;
struct srcu_node;
struct srcu_usage;

#include "engine/field.h"
#include "ktree_image.h"

/* A line of the lists in candidates.txt: nothing larger than a word is a field. */
#define KTREE_FIELD(text, type, first, second, n, how) {			\
		.name = (text), .offset = offsetof(type, first),		\
		.size = sizeof(char[sizeof(((type *)0)->first) > 8 ? -1 :	\
				    (int)sizeof(((type *)0)->first)]),		\
		.count = (n),							\
		.stride = offsetof(type, second) - offsetof(type, first), .flags = (how) }

#endif
