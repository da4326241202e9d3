/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wait queues: stepped.  A task that has prepared to wait is woken by every
 * wake_up() from then on, whether it sleeps already or not; one that goes to
 * sleep without having prepared misses those that came before, as with the old
 * sleep_on(), and that is how wake-ups get lost.
 */
#ifndef K_WAIT_H
#define K_WAIT_H

#include "k/access.h"

/* waiting: tasks on the queue.  wakeups: how often it was emptied; a waiter notes
 * the number when it gets on, and is woken when there is another. */
struct wait_queue_head { uint64_t waiting, wakeups; };

/* Operands of OP_WQ. */
enum { WQ_PREPARE, WQ_FINISH, WQ_WAKE };

/* Gets on the queue, once.  False: the task is on TASK_WAITS_MAX others. */
bool k_prepare_to_wait(struct wait_queue_head *wq, struct site *s);
/* Sleeps until the queue is woken.  `enter`: the step of a task that had not
 * prepared and gets on the queue only now.  False as above. */
bool k_schedule_wait(struct wait_queue_head *wq, struct site *enter, struct site *sleep);
/* Gets off the queue, if the task is still on it. */
void k_finish_wait(struct wait_queue_head *wq, struct site *s);
/* Wakes all that are on the queue, and takes them off it. */
void k_wake_up(struct wait_queue_head *wq, struct site *s);

/* Is t on a queue that nobody has woken since?  The kernel says that its state is
 * not TASK_RUNNING. */
bool k_is_waiting(const struct task *t);

#endif
