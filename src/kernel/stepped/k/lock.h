/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spinlocks, mutexes, rwsems and completions: stepped.  Acquiring is a blocking event:
 * while the lock is held the task is not enabled; nobody spins.  A spinlock
 * disables preemption on its CPU while it is held, the irq forms interrupts too.
 */
#ifndef K_LOCK_H
#define K_LOCK_H

#include "k/access.h"

/* owner: task id + 1, 0 when free.  since: the step of the acquisition, kept by
 * the driver for messages only; no task ever reads it. */
typedef struct spinlock { uint64_t owner; uint64_t since; } spinlock_t;
struct mutex { uint64_t owner; uint64_t since; };
struct completion { uint64_t done; };
/*
 * owner: the writer's.  down_write() tries once; a writer that does not get it so
 * counts itself among the waiters and then waits.  While one waits no new reader
 * gets in, not even one that reads already: writers do not starve, and the
 * deadlock of a recursive reader is there as in the kernel.  Which of several
 * writers comes next is the schedule's choice.
 */
struct rw_semaphore { uint64_t owner, since, readers, waiters; };

#define spin_lock_init(l)	((void)((l)->owner = 0, (l)->since = 0))
#define mutex_init(m)		((void)((m)->owner = 0, (m)->since = 0))
#define init_completion(c)	((void)((c)->done = 0))

#define K_LK(l, op, flags, prim) do {						\
		struct site *k_s = K_SITE(op, (op) == OP_UNLOCK ? ORD_RELEASE : ORD_ACQUIRE, \
					  flags, prim, #l, NULL);		\
		(void)K_EV(k_s, &(l)->owner, 8, 0, 0);				\
	} while (0)
#define K_TRYLK(l, flags, prim)	(({						\
		struct site *k_s = K_SITE(OP_TRYLOCK, ORD_ACQUIRE, flags, prim, #l, NULL); \
		K_EV(k_s, &(l)->owner, 8, 0, 0); }) != 0)

#define spin_lock(l)		K_LK(l, OP_LOCK, SITE_SPIN, "spin_lock")
#define spin_unlock(l)		K_LK(l, OP_UNLOCK, SITE_SPIN, "spin_unlock")
#define spin_trylock(l)		K_TRYLK(l, SITE_SPIN, "spin_trylock")
#define spin_lock_irq(l)	K_LK(l, OP_LOCK, SITE_SPIN | SITE_IRQ, "spin_lock_irq")
#define spin_unlock_irq(l)	K_LK(l, OP_UNLOCK, SITE_SPIN | SITE_IRQ, "spin_unlock_irq")
#define spin_trylock_irqsave(l, flags) ({ (flags) = 0; K_TRYLK(l, SITE_SPIN | SITE_IRQ, "spin_trylock_irqsave"); })
#define spin_lock_irqsave(l, flags) do { (flags) = 0; K_LK(l, OP_LOCK, SITE_SPIN | SITE_IRQ, "spin_lock_irqsave"); } while (0)
#define spin_unlock_irqrestore(l, flags) do { (void)(flags); K_LK(l, OP_UNLOCK, SITE_SPIN | SITE_IRQ, "spin_unlock_irqrestore"); } while (0)

#define mutex_lock(m)		K_LK(m, OP_LOCK, SITE_MUTEX | SITE_SLEEPS, "mutex_lock")
#define mutex_trylock(m)	K_TRYLK(m, SITE_MUTEX, "mutex_trylock")
#define mutex_unlock(m)		K_LK(m, OP_UNLOCK, SITE_MUTEX, "mutex_unlock")
/* Pure: does the current task hold it?  (lockdep_assert_held) */
bool k_lock_held(const uint64_t *owner);

/* down_write() with the sites of its steps: at once, or after waiting. */
static inline void k_down_write(struct rw_semaphore *sem, struct site *at_once,
				struct site *queue, struct site *wait)
{
	if (K_EV(at_once, &sem->owner, 8, 0, 0))
		return;
	(void)K_EV(queue, &sem->owner, 8, 0, 0);
	(void)K_EV(wait, &sem->owner, 8, 0, 0);
}

#define wait_for_completion(c) do {						\
		struct site *k_s = K_SITE(OP_WAIT, ORD_ACQUIRE, SITE_SLEEPS, "wait_for_completion", #c, NULL); \
		(void)K_EV(k_s, &(c)->done, 8, 0, 0);				\
	} while (0)
#define complete(c) do {							\
		struct site *k_s = K_SITE(OP_COMPLETE, ORD_RELEASE, 0, "complete", #c, NULL); \
		(void)K_EV(k_s, &(c)->done, 8, 1, 0);				\
	} while (0)

#endif
