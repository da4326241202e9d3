/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that runs until its CPU is interrupted: native.  Interrupts are counted in a
 * u64, and stay there until they are taken; `prim` and `expr` are for the stepped build.
 */
#ifndef K_KICK_H
#define K_KICK_H

#include <limits.h>

#include "k/lock.h"

/* The half in which a count that never overflows it shows: futexes have 32 bits. */
static inline u32 *k_kick_futex(u64 *kick)
{
	return (u32 *)(void *)kick + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

/* Until one was sent; it is not taken. */
#define k_guest_wait(kick, prim, expr) do {					\
		u64 *k_kick = (kick);						\
		while (!smp_load_acquire(k_kick))				\
			k_futex_wait(k_kick_futex(k_kick), 0, 0);		\
	} while (0)
#define k_guest_kick(kick, prim, expr) do {					\
		u64 *k_kick = (kick);						\
		smp_store_release(k_kick, (u64)1);				\
		(void)k_futex_wake(k_kick_futex(k_kick), INT_MAX);		\
	} while (0)

#endif
