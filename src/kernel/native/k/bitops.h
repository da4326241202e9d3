/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bits of 64-bit words: native.  set_bit() and clear_bit() are atomic and order nothing. */
#ifndef K_BITOPS_H
#define K_BITOPS_H

#include "k/access.h"

#define BITS_PER_LONG		64
#define BITS_TO_LONGS(n)	(((size_t)(n) + BITS_PER_LONG - 1) / BITS_PER_LONG)
#define K_BIT(nr)		(1ull << ((nr) % BITS_PER_LONG))
#define K_BIT_WORD(nr, addr)	(&(addr)[(nr) / BITS_PER_LONG])

/* addr: u64 * */
#define set_bit(nr, addr) \
	((void)__atomic_fetch_or(K_BIT_WORD(nr, addr), K_BIT(nr), K_RMW_ORDER))
#define clear_bit(nr, addr) \
	((void)__atomic_fetch_and(K_BIT_WORD(nr, addr), ~K_BIT(nr), K_RMW_ORDER))
#define test_bit(nr, addr)	((READ_ONCE(*K_BIT_WORD(nr, addr)) & K_BIT(nr)) != 0)

#endif
