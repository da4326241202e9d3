/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wait queues.  Which queues a task is on, and since which wake-up, the task
 * itself remembers; the queue only counts.
 */
#include <config.h>

#include "engine/task.h"
#include "k/wait.h"

static struct task_wait *find_wait(struct task *t, const struct wait_queue_head *wq)
{
	for (unsigned i = 0; i < t->nwaits; i++)
		if (t->waits[i].wq == wq)
			return &t->waits[i];
	return NULL;
}

static void forget_wait(struct task *t, struct task_wait *x)
{
	*x = t->waits[--t->nwaits];
}

/* What OP_WQ's second operand says: since which wake-up the task is on the queue,
 * plus 1; 0: it is not. */
static uint64_t since_wakeup(const struct task_wait *x)
{
	return x ? x->ticket + 1 : 0;
}

bool k_prepare_to_wait(struct wait_queue_head *wq, struct site *s)
{
	struct task *t = task_current();
	struct task_wait *x = find_wait(t, wq);
	uint64_t ticket;

	if (!x && t->nwaits == TASK_WAITS_MAX)
		return false;
	ticket = K_EV(s, &wq->waiting, 8, WQ_PREPARE, since_wakeup(x));
	if (!x)
		x = &t->waits[t->nwaits++];
	*x = (struct task_wait){ .wq = wq, .ticket = ticket };
	return true;
}

bool k_schedule_wait(struct wait_queue_head *wq, struct site *enter, struct site *sleep)
{
	struct task *t = task_current();
	struct task_wait *x = find_wait(t, wq);

	if (!x) {
		if (!k_prepare_to_wait(wq, enter))
			return false;
		x = find_wait(t, wq);
	}
	(void)K_EV(sleep, &wq->waiting, 8, x->ticket, 0);
	/* whoever woke it has taken it off the queue */
	forget_wait(t, x);
	return true;
}

void k_finish_wait(struct wait_queue_head *wq, struct site *s)
{
	struct task *t = task_current();
	struct task_wait *x = find_wait(t, wq);

	(void)K_EV(s, &wq->waiting, 8, WQ_FINISH, since_wakeup(x));
	if (x)
		forget_wait(t, x);
}

void k_wake_up(struct wait_queue_head *wq, struct site *s)
{
	(void)K_EV(s, &wq->waiting, 8, WQ_WAKE, 0);
}

bool k_is_waiting(const struct task *t)
{
	for (unsigned i = 0; i < t->nwaits; i++)
		if (((const struct wait_queue_head *)t->waits[i].wq)->wakeups == t->waits[i].ticket)
			return true;
	return false;
}
