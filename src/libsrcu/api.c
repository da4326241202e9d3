/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libsrcu, the exported functions that only hand on what the algorithm does, and the
 * readers' out-of-line forms.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>

#include "domain.h"
#include "runtime.h"
#include "srcu/tree_seq.h"
#include "srcu/wait.h"
#include "tsan.h"

#ifndef SRCU_HAVE_RSEQ_CPU
unsigned int srcu_this_cpu(void) { return raw_cpu(); }
#endif

/* --- readers --- */

int srcu_read_lock_call(struct srcu_domain *d)
{
	if (unlikely(!smp_load_acquire(&d->percpu_)))
		domain_settle(d, SRCU_READERS_NORMAL, "srcu_read_lock");
	tsan_after(&d->percpu_);	/* set meanwhile, by another thread */
	return (int)((unsigned)__srcu_read_lock(domain_ssp(d)) | d->fork_);
}

void srcu_read_unlock_call(struct srcu_domain *d, int idx)
{
	unsigned bank = (unsigned)idx ^ d->fork_;
	char what[160];

	if (bank > 1 && idx >= 0 && ((unsigned)idx & ~1u) < d->fork_)
		return;		/* begun before the fork(): not open in this process */
	if (bank > 1 || !smp_load_acquire(&d->percpu_)) {
		snprintf(what, sizeof(what), "srcu_read_unlock(): no srcu_read_lock() of "
			 "this domain has returned the index %d", idx);
		domain_misused(d, what);
	}
	__srcu_read_unlock(domain_ssp(d), (int)bank);
}

/* --- callbacks --- */

int srcu_call(struct srcu_domain *d, struct srcu_head *head, srcu_callback_t func)
{
	if (!k_worker_ensure())
		return EAGAIN;
	domain_ready(d);
	tsan_before_sections(domain_ssp(d));
	if (!srcu_head_post(head, func))
		return EBUSY;
	tsan_before(head);
	srcu_gp_start_if_needed(domain_ssp(d), head, true);
	return 0;
}

int srcu_barrier(struct srcu_domain *d)
{
	if (k_on_worker())
		return EDEADLK;
	if (!smp_load_acquire(&d->ready_))
		return 0;
	if (!k_worker_ensure())
		return EAGAIN;
	/* the callbacks' grace periods, without their leisure */
	srcu_synchronize(d);
	tree_barrier(&domain_part(d)->ss);
	tsan_after(&domain_part(d)->ss);
	return 0;
}

/* --- polling --- */

unsigned long srcu_get_state(struct srcu_domain *d)
{
	domain_ready(d);
	return tree_get_state(&domain_part(d)->ss);
}

unsigned long srcu_start_poll(struct srcu_domain *d)
{
	domain_ready(d);
	(void)k_worker_ensure();
	tsan_before_sections(domain_ssp(d));
	return tree_start_poll(&domain_part(d)->ss);
}

/* Where no worker could be made, whoever polls takes the grace period a step further. */
static void poll_without_worker(struct srcu_struct *ssp)
{
	struct work_struct *w = &ssp->srcu_sup->work.work;

	if (k_worker_ensure() || !k_trylock(&w->running))
		return;
	k_drive_begin(w);
	k_drive_pass(w);
	k_drive_end();
	k_work_release(w);
}

bool srcu_poll_state(struct srcu_domain *d, unsigned long cookie)
{
	struct srcu *ss = &domain_part(d)->ss;

	domain_ready(d);
	if (!tree_poll_state(ss, cookie)) {
		if (likely(k_worker_exists()))
			return false;
		poll_without_worker(ss->impl);
		if (!tree_poll_state(ss, cookie))
			return false;
	}
	tsan_after_sections(ss->impl);
	return true;
}

unsigned long srcu_batches_completed(struct srcu_domain *d)
{
	return READ_ONCE(domain_ssp(d)->srcu_idx);
}
