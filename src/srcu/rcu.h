/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plain RCU: one ideal domain for each world, made when it is first used.  Its read
 * sections may be preempted and may not sleep.
 */
#ifndef SRCUSH_SRCU_RCU_H
#define SRCUSH_SRCU_RCU_H

#include "srcu/srcu.h"

/* The world's domain, called "rcu_state"; NULL while RCU has not been used. */
struct srcu *rcu_find(struct world *w);
/* Is it that domain? */
bool srcu_is_rcu(const struct srcu *ss);

extern const struct objtype rcu_objtype;	/* kind "rcu" */

/* In tasks only. */
void rcu_read_lock(void);
void rcu_read_unlock(void);
void synchronize_rcu(void);
void call_rcu(struct rcu_head *head, rcu_callback_t func);
void rcu_barrier(void);
/* Has the heap object at p, which may be NULL, freed after a grace period. */
void kfree_rcu(void *p);

#endif
