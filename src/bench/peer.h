/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is measured beside whom: libsrcu's two kinds of readers, liburcu's flavours, POSIX
 * locks.  Each in a file of its own where headers of several do not go together.
 */
#ifndef SRCUSH_BENCH_PEER_H
#define SRCUSH_BENCH_PEER_H

#include <stddef.h>

/* Room for any peer's rcu_head. */
struct peer_head {
	void *room[4];
};

struct peer {
	const char *name;
	void (*pairs)(unsigned long n);		/* sections, n of them */
	void (*gp)(void);			/* waits for readers; NULL: has no such thing */
	void (*post)(struct peer_head *heads, size_t n); /* callbacks; NULL */
	void (*drain)(void);			/* until all posted have been invoked */
	void (*enter)(void);			/* by each thread that reads or posts, and */
	void (*leave)(void);			/* after it; NULL: need not be said */
	void (*rest)(void);			/* by a thread that will not read, and */
	void (*wake)(void);			/* before it does; NULL: need not be said */
};

extern const struct peer peer_empty, peer_fast, peer_normal, peer_fences, peer_rwlock, peer_mutex;
#ifdef HAVE_LIBURCU
extern const struct peer peer_memb, peer_mb, peer_qsbr, peer_bp;
#endif

/* All, in the order in which they are shown, up to NULL. */
extern const struct peer *const peers[];

/* Callbacks invoked so far: libraries have one thread for them each, which work in turn. */
extern unsigned long peer_invoked;
static inline void peer_count_invoked(void)
{
	__atomic_store_n(&peer_invoked, __atomic_load_n(&peer_invoked, __ATOMIC_RELAXED) + 1,
			 __ATOMIC_RELAXED);
}

/* Nothing is taken out of the loop, or out of the section. */
#define PEER_PAIRS(name_, lock, unlock)						\
	static void name_(unsigned long n)					\
	{									\
		for (unsigned long i = 0; i < n; i++) {				\
			lock;							\
			__asm__ __volatile__("" : : : "memory");		\
			unlock;							\
		}								\
	}

static inline void peer_enter(const struct peer *p)
{
	if (p->enter)
		p->enter();
}

static inline void peer_leave(const struct peer *p)
{
	if (p->leave)
		p->leave();
}

static inline void peer_rest(const struct peer *p)
{
	if (p->rest)
		p->rest();
}

static inline void peer_wake(const struct peer *p)
{
	if (p->wake)
		p->wake();
}

#endif
