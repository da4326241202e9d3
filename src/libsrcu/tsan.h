/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For ThreadSanitizer, in a program that is compiled for it while the library is not: its
 * run time is told what comes before what.  (In other programs the functions are not
 * there, and nothing happens.)  Inline readers it sees for itself: their counters are
 * incremented by atomic operations that acquire and release.
 */
#ifndef LIBSRCU_TSAN_H
#define LIBSRCU_TSAN_H

#include "srcu/tree.h"

extern void __tsan_acquire(void *addr) __attribute__((weak));
extern void __tsan_release(void *addr) __attribute__((weak));

/* Whoever calls tsan_after() with the address comes after this. */
static inline void tsan_before(void *addr)
{
	if (__tsan_release)
		__tsan_release(addr);
}

static inline void tsan_after(void *addr)
{
	if (__tsan_acquire)
		__tsan_acquire(addr);
}

/* Sections that begin from now on come after what the caller has done. */
static inline void tsan_before_sections(struct srcu_struct *ssp)
{
	int cpu;

	if (!__tsan_release)
		return;
	srcu_for_each_cpu(ssp, cpu)
		for (int i = 0; i < 2; i++)
			__tsan_release(&srcu_sdp(ssp, (unsigned)cpu)->srcu_lock_count[i]);
}

/* What the caller does comes after sections that have ended. */
static inline void tsan_after_sections(struct srcu_struct *ssp)
{
	int cpu;

	if (!__tsan_acquire)
		return;
	srcu_for_each_cpu(ssp, cpu)
		for (int i = 0; i < 2; i++)
			__tsan_acquire(&srcu_sdp(ssp, (unsigned)cpu)->srcu_unlock_count[i]);
}

#endif
