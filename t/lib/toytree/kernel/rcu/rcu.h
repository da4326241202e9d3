/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the toy may be used: always.
 */
#include <linux/slab.h>
#include <trace/events/rcu.h>

#define RCU_SCHEDULER_RUNNING 2
