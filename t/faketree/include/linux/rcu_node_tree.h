/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FAKE_RCU_NODE_TREE_H
#define FAKE_RCU_NODE_TREE_H
#include <linux/math.h>
#define RCU_FANOUT 4
#define RCU_FANOUT_LEAF 2
#define RCU_NUM_LVLS 3
#endif
