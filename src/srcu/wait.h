/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For implementations: posting a head once, and waiting by a callback of one's own.
 */
#ifndef SRCUSH_SRCU_WAIT_H
#define SRCUSH_SRCU_WAIT_H

#include <k/domain.h>

/* Marks the head as queued (a step).  False: it is queued already, of which the
 * kernel's debug_rcu_head_queue() warns; it must not be put on a list again. */
bool srcu_head_post(struct rcu_head *head, rcu_callback_t func);

/* Posts a callback by `post` and sleeps until it has been invoked.  `label` names
 * what stands for the kernel's variable on the stack: "ss:sync". */
void srcu_wait_for_callback(struct srcu *ss, const char *label,
			    bool (*post)(struct srcu *, struct rcu_head *, rcu_callback_t));

/* "ss:gp", "ss:cb0" ...: the domain's name with a suffix, in simulated memory.  NULL
 * with world_error() set. */
char *srcu_name_with(struct srcu *ss, const char *fmt, unsigned cpu)
	__attribute__((format(printf, 2, 0)));

#endif
