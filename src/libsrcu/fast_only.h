/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain of fast readers and nothing else: an index, and grace periods that their caller
 * drives and waits for.  For tests and benchmarks of the readers themselves; a domain of
 * libsrcu's (srcu/srcu.h) has callbacks, polling and many callers around the same.
 */
#ifndef SRCUSH_LIBSRCU_FAST_ONLY_H
#define SRCUSH_LIBSRCU_FAST_ONLY_H

#include <sched.h>

#include "libsrcu/fast.h"

struct fast_only {
	unsigned int idx;
	bool flipped;		/* a grace period has begun and is not over */
	struct srcu_fast fast;
};

static inline struct srcu_ctr *fast_only_lock(struct fast_only *d)
{
	return srcu_fast_read_lock(&d->fast, &d->idx);
}

/* A grace period begins; fast_only_done() says whether it has ended, without waiting. */
static inline void fast_only_start(struct fast_only *d)
{
	while (!srcu_fast_idx_check(&d->fast, (d->idx & 1) ^ 1, false))
		sched_yield();
	__atomic_store_n(&d->idx, d->idx + 1, __ATOMIC_RELEASE);
	d->flipped = true;
}

static inline bool fast_only_done(struct fast_only *d)
{
	if (d->flipped && srcu_fast_idx_check(&d->fast, (d->idx & 1) ^ 1, true))
		d->flipped = false;
	return !d->flipped;
}

/* Looks this often before others are let run. */
#define FAST_ONLY_SPINS 1000

static inline void fast_only_gp(struct fast_only *d)
{
	fast_only_start(d);
	for (unsigned long n = 0; !fast_only_done(d); n++)
		if (n >= FAST_ONLY_SPINS)
			sched_yield();
}

static inline void fast_only_forked(struct fast_only *d)
{
	srcu_fast_forked(&d->fast);
	d->flipped = false;
}

#endif
