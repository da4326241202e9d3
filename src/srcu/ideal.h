/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two domains that ideal.c implements: SRCU's and plain RCU's.
 */
#ifndef SRCUSH_SRCU_IDEAL_H
#define SRCUSH_SRCU_IDEAL_H

#include "srcu/srcu.h"

/* As srcu_ideal_ops, and every index is 0: rcu_read_unlock() takes none. */
extern const struct srcu_ops srcu_rcu_ops;

#endif
