/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shape of a combining tree, which the toy does not have.
 */
#ifndef TOY_RCU_NODE_TREE_H
#define TOY_RCU_NODE_TREE_H

#define RCU_NUM_LVLS 4
#define RCU_FANOUT 64
#define RCU_FANOUT_LEAF 16

#endif
