/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What implementations share about callbacks: posting a head once, and waiting for
 * a grace period by means of a callback of one's own.
 */
#include <config.h>

#include <k/kernel.h>

#include "srcu/srcu.h"
#include "srcu/wait.h"

bool srcu_head_post(struct rcu_head *head, rcu_callback_t func)
{
	bool callback_already_queued = cmpxchg_relaxed(&head->queued, 0, 1);

	/* the list would be torn: the first posting stands, this one is dropped */
	if (WARN_ON_ONCE(callback_already_queued))
		return false;
	head->func = func;
	return true;
}

/*
 * One waiting synchronize_srcu().  The kernel has it on the waiter's stack; a
 * task's stack is no simulated memory, so here it is a small object, "ss:sync",
 * that is gone when the call returns.
 */
struct rcu_synchronize {
	struct rcu_head head;
	struct completion completion;
};

static const struct field rcu_synchronize_fields[] = {
	{ .name = "queued", .offset = offsetof(struct rcu_synchronize, head.queued), .size = 8 },
	{ .name = "done", .offset = offsetof(struct rcu_synchronize, completion.done), .size = 8 },
	{ 0 }
};

static const struct objtype rcu_synchronize_type = {
	.kind = "rcu_synchronize",
	.fields = rcu_synchronize_fields,
};

static void wakeme_after_rcu(struct rcu_head *head)
{
	complete(&container_of(head, struct rcu_synchronize, head)->completion);
}

void srcu_wait_for_callback(struct srcu *ss, const char *label,
			    bool (*post)(struct srcu *, struct rcu_head *, rcu_callback_t))
{
	struct object *o = srcu_stack_object(ss, &rcu_synchronize_type, label,
					     sizeof(struct rcu_synchronize));
	struct rcu_synchronize *rcu = o->base;

	init_completion(&rcu->completion);
	post(ss, &rcu->head, wakeme_after_rcu);
	wait_for_completion(&rcu->completion);
	srcu_stack_object_over(o);
}
