/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <trace/events/rcu.h>
#define RCU_SCHEDULER_RUNNING 2
