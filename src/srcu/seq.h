/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arithmetic of grace-period sequence numbers: plain functions of values, no
 * memory, no steps.  The low two bits say how far the grace period in progress
 * has come (0: none is), the rest counts grace periods.  Numbers live modulo
 * 2^bits; `mask` is 2^bits - 1, so that a domain made with few seq_bits wraps
 * within a handful of grace periods and everything below stays true of it.
 */
#ifndef SRCUSH_SRCU_SEQ_H
#define SRCUSH_SRCU_SEQ_H

#include <limits.h>

#include "k/types.h"

#define RCU_SEQ_CTR_SHIFT	2
#define RCU_SEQ_STATE_MASK	((1ul << RCU_SEQ_CTR_SHIFT) - 1)

#define SEQ_BITS_MIN 4	/* fewer, and a request could not be told from the past */

/* The mask of numbers of so many bits; 0 bits stand for the full width. */
static inline unsigned long seq_mask(unsigned bits)
{
	if (bits == 0 || bits >= sizeof(unsigned long) * CHAR_BIT)
		return ULONG_MAX;
	return (1ul << bits) - 1;
}

static inline unsigned long seq_ctr(unsigned long s) { return s >> RCU_SEQ_CTR_SHIFT; }
static inline unsigned seq_state(unsigned long s) { return s & RCU_SEQ_STATE_MASK; }

/* Is a at or after b?  Before b?  Right while they are at most half the range
 * apart, as with the kernel's ULONG_CMP_GE and ULONG_CMP_LT. */
static inline bool seq_ge(unsigned long a, unsigned long b, unsigned long mask)
{
	return ((a - b) & mask) <= mask / 2;
}

static inline bool seq_lt(unsigned long a, unsigned long b, unsigned long mask)
{
	return !seq_ge(a, b, mask);
}

/* s with another state. */
static inline unsigned long seq_with_state(unsigned long s, unsigned state)
{
	return (s & ~RCU_SEQ_STATE_MASK) | state;
}

/* The number once the next grace period has started, once this one has ended. */
static inline unsigned long seq_started(unsigned long s, unsigned long mask)
{
	return (s + 1) & mask;
}

static inline unsigned long seq_ended(unsigned long s, unsigned long mask)
{
	return ((s | RCU_SEQ_STATE_MASK) + 1) & mask;
}

/*
 * The number that stands once a full grace period, one that starts after s was
 * read, has ended: the next but one if a grace period is under way at s, since
 * that one may have missed what the caller did; the next one otherwise.
 */
static inline unsigned long seq_snap(unsigned long s, unsigned long mask)
{
	return (s + 2 * RCU_SEQ_STATE_MASK + 1) & ~RCU_SEQ_STATE_MASK & mask;
}

#endif
