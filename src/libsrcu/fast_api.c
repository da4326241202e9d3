/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fast readers in a domain of libsrcu's: how the first one makes itself known, and what the
 * tree's grace periods ask of them.  The readers themselves, and why they are right: fast.c.
 */
#include <config.h>

#include "libsrcu/fast.h"
#include "libsrcu/native.h"

static bool fast_idx_check(struct srcu_domain *d, int idx, bool flipped)
{
	return srcu_fast_idx_check(&d->fast_, (unsigned int)idx & 1, flipped);
}

static bool fast_active(struct srcu_domain *d)
{
	return srcu_fast_readers_active(&d->fast_);
}

static void fast_forked(struct srcu_domain *d)
{
	srcu_fast_forked(&d->fast_);
}

static void fast_release(struct srcu_domain *d)
{
	srcu_fast_release(&d->fast_);
}

static const struct srcu_more_readers fast_readers = {
	.idx_check = fast_idx_check,
	.active = fast_active,
	.forked = fast_forked,
	.release = fast_release,
};

static void make_known(struct srcu_domain *d)
{
	domain_settle(d, SRCU_READERS_FAST, "srcu_read_lock_fast()");
	domain_add_readers(d, &fast_readers);
	/* An updater that does not see it yet: this reader, and all that come after it
	 * because they find it known, see what that updater did before it looked. */
	srcu_fast_fence();
	__atomic_store_n(&d->fast_.known, true, __ATOMIC_RELEASE);
}

struct srcu_ctr *srcu_read_lock_fast_call(struct srcu_domain *d)
{
	if (!__atomic_load_n(&d->fast_.known, __ATOMIC_ACQUIRE))
		make_known(d);
	return srcu_fast_read_lock(&d->fast_, &d->idx_);
}

void srcu_read_unlock_fast_call(struct srcu_domain *d, struct srcu_ctr *ctr)
{
	(void)d;
	SRCU_FAST_DRAIN();
	srcu_fast_read_unlock(ctr);
}

void srcu_up_read_fast(struct srcu_domain *d, struct srcu_ctr *ctr)
{
	(void)d;
	srcu_fast_up_read(ctr);
}
