/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks and completions, native: the slow paths.  A lock is U. Drepper's second mutex
 * ("Futexes Are Tricky", 2011), with a moment of spinning in front.
 */
#include <config.h>

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "k/lock.h"
#include "pause.h"

#define SPINS 64	/* a microsecond or two: critical sections are shorter */

void k_futex_wait(u32 *word, u32 seen, u64 ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };
	int saved = errno;

	/* woken, not equal, interrupted, timed out: the caller looks again anyway */
	(void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, ns ? &ts : NULL, NULL, 0);
	errno = saved;
}

int k_futex_wake(u32 *word, int threads)
{
	int saved = errno;
	long woken = syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads, NULL, NULL, 0);

	errno = saved;
	return woken < 0 ? 0 : (int)woken;
}

void k_nap(u64 ns)
{
	u32 nobody = 0;

	k_futex_wait(&nobody, 0, ns);
}

void k_lock_slowly(u32 *owner)
{
	for (int i = 0; i < SPINS; i++) {
		if (k_trylock(owner))
			return;
		k_pause();
	}
	while (__atomic_exchange_n(owner, 2, __ATOMIC_ACQUIRE) != 0)
		k_futex_wait(owner, 2, 0);
}

int k_unlock_waking(u32 *owner)
{
	return k_futex_wake(owner, 1);
}

void wait_for_completion(struct completion *c)
{
	while (!smp_load_acquire(&c->done))
		k_futex_wait(&c->done, 0, 0);
}

/* The waiter may be gone with the completion before the wake-up: one for nobody. */
void complete(struct completion *c)
{
	smp_store_release(&c->done, 1);
	k_futex_wake(&c->done, INT_MAX);
}
