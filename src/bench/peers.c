/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of peers, and those that no library is needed for: POSIX locks, the loop alone,
 * and what the kernel's way costs where each fence and each atomic operation is one.
 */
#include <config.h>

#include <pthread.h>

#include "bench/peer.h"

unsigned long peer_invoked;

PEER_PAIRS(pairs_empty, (void)0, (void)0)
const struct peer peer_empty = { .name = "empty loop", .pairs = pairs_empty };

/* Counters of each thread's own: the instructions are meant, not what is shared. */
static __thread unsigned long counter[2] __attribute__((aligned(128)));

static void count_fenced(unsigned long *n)
{
	__atomic_fetch_add(n, 1, __ATOMIC_SEQ_CST);
#if defined(__x86_64__) || defined(__i386__)
	__asm__ __volatile__("mfence" : : : "memory");
#else
	__asm__ __volatile__("" : : : "memory");
	__sync_synchronize();
#endif
}

PEER_PAIRS(pairs_fences, count_fenced(&counter[0]), count_fenced(&counter[1]))
const struct peer peer_fences = { .name = "2 fences, 2 locked", .pairs = pairs_fences };

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
PEER_PAIRS(pairs_rwlock, pthread_rwlock_rdlock(&rwlock), pthread_rwlock_unlock(&rwlock))
const struct peer peer_rwlock = { .name = "pthread rwlock", .pairs = pairs_rwlock };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
PEER_PAIRS(pairs_mutex, pthread_mutex_lock(&mutex), pthread_mutex_unlock(&mutex))
const struct peer peer_mutex = { .name = "pthread mutex", .pairs = pairs_mutex };

const struct peer *const peers[] = {
	&peer_empty,
	&peer_fast,
	&peer_normal,
#ifdef HAVE_LIBURCU
	&peer_memb,
	&peer_qsbr,
	&peer_bp,
	&peer_mb,
#endif
	&peer_fences,
	&peer_rwlock,
	&peer_mutex,
	NULL
};
