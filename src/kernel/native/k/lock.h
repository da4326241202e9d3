/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spinlocks, mutexes and completions: native.  A thread that spins may spin for one that
 * is not running, so both kinds of locks spin for a moment and then sleep on a futex;
 * interrupts there are none.  (On x86 taking a lock is a full barrier; elsewhere
 * it acquires, and giving it back releases.)
 */
#ifndef K_LOCK_H
#define K_LOCK_H

#include "k/access.h"

/* owner: 0 free, 1 held, 2 held and somebody may sleep. */
struct k_lock { u32 owner; };
typedef struct k_lock spinlock_t;
struct mutex { u32 owner; };
struct completion { u32 done; };

void k_lock_slowly(u32 *owner);
/* How many it woke, 0 or 1: nobody sleeps, perhaps, though somebody might have. */
int k_unlock_waking(u32 *owner);

static inline bool k_trylock(u32 *owner)
{
	u32 free = 0;

	return __atomic_load_n(owner, __ATOMIC_RELAXED) == 0 &&
	       __atomic_compare_exchange_n(owner, &free, 1, 0, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static inline void k_lock(u32 *owner)
{
	if (unlikely(!k_trylock(owner)))
		k_lock_slowly(owner);
}

static inline void k_unlock(u32 *owner)
{
	if (unlikely(__atomic_exchange_n(owner, 0, __ATOMIC_RELEASE) == 2))
		(void)k_unlock_waking(owner);
}

#define spin_lock_init(l)	((void)((l)->owner = 0))
#define mutex_init(m)		((void)((m)->owner = 0))
#define init_completion(c)	WRITE_ONCE((c)->done, 0)

#define spin_lock(l)		k_lock(&(l)->owner)
#define spin_unlock(l)		k_unlock(&(l)->owner)
#define spin_trylock(l)		k_trylock(&(l)->owner)
#define spin_lock_irq(l)	spin_lock(l)
#define spin_unlock_irq(l)	spin_unlock(l)
#define spin_trylock_irqsave(l, flags)		({ (flags) = 0; spin_trylock(l); })
#define spin_lock_irqsave(l, flags)		do { (flags) = 0; spin_lock(l); } while (0)
#define spin_unlock_irqrestore(l, flags)	do { (void)(flags); spin_unlock(l); } while (0)

#define mutex_lock(m)		k_lock(&(m)->owner)
#define mutex_trylock(m)	k_trylock(&(m)->owner)
#define mutex_unlock(m)		k_unlock(&(m)->owner)
/* Does somebody hold it?  (Who, is not recorded.) */
#define k_lock_held(owner)	(READ_ONCE(*(owner)) != 0)

void wait_for_completion(struct completion *c);
void complete(struct completion *c);

/* Sleeps while *word is `seen`, at most so many ns (0: no limit); may return early. */
void k_futex_wait(u32 *word, u32 seen, u64 ns);
int k_futex_wake(u32 *word, int threads);	/* how many it woke */
/* Sleeps.  No cancellation point, which nanosleep() would be: locks may be held. */
void k_nap(u64 ns);

#endif
