/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the algorithm's files need beside primitives (srcu/wait.h): posting a head once,
 * waiting for a callback of one's own, and calling the user's functions.
 */
#include <config.h>

#include "domain.h"
#include "fork.h"
#include "runtime.h"
#include "srcu/wait.h"
#include "tsan.h"

bool srcu_head_post(struct rcu_head *head, rcu_callback_t func)
{
	/* the list would be torn: the first posting stands, this one is dropped.  Full, and so
	 * an acquire: pairs with the release of who has just invoked it */
	if (cmpxchg(&head->queued, 0, 1))
		return false;
	head->func = func;
	return true;
}

struct rcu_synchronize {
	struct rcu_head head;
	struct completion completion;
};

static void wakeme_after_rcu(struct rcu_head *head)
{
	complete(&container_of(head, struct rcu_synchronize, head)->completion);
}

void srcu_wait_for_callback(struct srcu *ss, const char *label,
			    bool (*post)(struct srcu *, struct rcu_head *, rcu_callback_t))
{
	struct rcu_synchronize rcu = { .head.queued = 0 };

	(void)label;
	init_completion(&rcu.completion);
	post(ss, &rcu.head, wakeme_after_rcu);
	wait_for_completion(&rcu.completion);
}

/*
 * The worker's gate is open while the user's function runs, which may take long, take
 * locks and fork.  What follows `head` in the batch is noted first: if a fork() comes
 * from another thread now, the child has to invoke it.  And once the head is not queued any
 * more another thread may post it, and write to it: so that comes last before the call.
 */
void srcu_invoke_callback(struct srcu *ss, struct rcu_head *head)
{
	unsigned long forks = fork_count();
	rcu_callback_t func = head->func;

	tsan_after_sections(ss->impl);
	tsan_after(head);
	fork_note_batch(ss, head->next);
	smp_store_release(&head->queued, 0);	/* all that was read of it stands before */
	k_gate_open();
	func(head);
	tsan_before(ss);	/* against srcu_barrier() */
	if (fork_count() != forks)
		k_worker_restart();	/* in the child; the batch was inherited */
	k_gate_close();
}
