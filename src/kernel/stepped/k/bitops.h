/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bits of 64-bit words: stepped.  set_bit() and clear_bit() are atomic and
 * order nothing; test_bit() is a marked load of the word.
 */
#ifndef K_BITOPS_H
#define K_BITOPS_H

#include "k/access.h"

#define BITS_PER_LONG		64
#define BITS_TO_LONGS(n)	(((size_t)(n) + BITS_PER_LONG - 1) / BITS_PER_LONG)
#define K_BIT(nr)		(1ull << ((nr) % BITS_PER_LONG))
#define K_BIT_WORD(nr, addr)	(&(addr)[(nr) / BITS_PER_LONG])

/* addr: u64 * */
#define set_bit(nr, addr) \
	((void)K_RMW(K_BIT_WORD(nr, addr), OP_OR, ORD_ONCE, "set_bit", K_BIT(nr), 0))
#define clear_bit(nr, addr) \
	((void)K_RMW(K_BIT_WORD(nr, addr), OP_AND, ORD_ONCE, "clear_bit", ~K_BIT(nr), 0))
#define test_bit(nr, addr) \
	((K_LOAD(K_BIT_WORD(nr, addr), ORD_ONCE, "test_bit", OP_LOAD) & K_BIT(nr)) != 0)

#endif
