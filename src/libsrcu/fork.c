/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libsrcu, fork().  The child has the domains but neither the worker nor the threads that
 * were reading, waiting or driving a grace period.  So in the child
 *
 *	- no section is open.  An index that the forking thread brings along is known by its
 *	  upper bits, and ending that section does nothing.  (The forking thread's own
 *	  fast sections go on: see fast.c.)
 *	- every grace period asked for before is over, for no section is open;
 *	- callbacks that had not been begun are pending, and are invoked once a call needs the
 *	  worker; the one that was being invoked belongs to the parent, unless it forked
 *	  itself: then the child returns from it and carries on as the child's worker.
 *
 * Before the fork the forking thread takes each lock that protects a list or a number,
 * so that all are whole; never one that is held for long, nor while a user's function
 * runs.  Of a domain's locks none is taken within another; the run time's lock is, within
 * any of them, so it comes last.
 */
#include <config.h>

#include <pthread.h>

#include "domain.h"
#include "fork.h"
#include "runtime.h"

static unsigned long forks;
static struct {
	struct srcu *ss;
	struct rcu_head *rest;
} batch;				/* the worker's; stands still at a fork */

unsigned long fork_count(void) { return READ_ONCE(forks); }

void fork_note_batch(struct srcu *ss, struct rcu_head *rest)
{
	batch.ss = ss;
	batch.rest = rest;
}

static void lock_domain(struct srcu_struct *ssp)
{
	struct srcu_usage *sup = ssp->srcu_sup;
	int cpu;

	srcu_for_each_cpu(ssp, cpu)
		spin_lock(&srcu_sdp(ssp, (unsigned)cpu)->lock);
	for (unsigned i = 0; i < sup->geometry.nnodes; i++)
		spin_lock(&sup->node[i].lock);
	spin_lock(&sup->lock);
}

static void unlock_domain(struct srcu_struct *ssp)
{
	struct srcu_usage *sup = ssp->srcu_sup;
	int cpu;

	spin_unlock(&sup->lock);
	for (unsigned i = 0; i < sup->geometry.nnodes; i++)
		spin_unlock(&sup->node[i].lock);
	srcu_for_each_cpu(ssp, cpu)
		spin_unlock(&srcu_sdp(ssp, (unsigned)cpu)->lock);
}

static void before_fork(void)
{
	k_gate_close();
	for (struct srcu_domain *d = domains_lock(); d; d = domain_part(d)->next)
		lock_domain(domain_ssp(d));
	k_runtime_before_fork();
}

static void after_fork_in_parent(void)
{
	k_runtime_after_fork(false);
	for (struct srcu_domain *d = domains_first(); d; d = domain_part(d)->next)
		unlock_domain(domain_ssp(d));
	domains_unlock();
	k_gate_open();
}

/* --- the child --- */

static void append(struct rcu_cblist *to, struct rcu_head *head)
{
	head->next = NULL;
	if (to->head)
		to->last->next = head;
	else
		to->head = head;
	to->last = head;
}

/* A chain of callbacks, without those of a srcu_barrier() that nobody waits for now. */
static void collect(struct rcu_cblist *to, struct srcu_struct *ssp, struct rcu_head *head)
{
	struct rcu_head *next;

	for (; head; head = next) {
		int cpu;
		bool barrier = false;

		next = head->next;
		srcu_for_each_cpu(ssp, cpu)
			barrier |= head == &srcu_sdp(ssp, (unsigned)cpu)->srcu_barrier_head;
		if (!barrier)
			append(to, head);
	}
}

static void collect_all(struct rcu_cblist *to, struct srcu_struct *ssp)
{
	int cpu;

	*to = (struct rcu_cblist){ 0 };
	if (batch.ss == ssp->ss)
		collect(to, ssp, batch.rest);
	srcu_for_each_cpu(ssp, cpu)
		for (int i = 0; i < RCU_NSEGS; i++)
			collect(to, ssp, srcu_sdp(ssp, (unsigned)cpu)->srcu_cblist.seg[i].head);
}

/*
 * Without open sections any grace period is over, the one that would have come next too:
 * so far do cookies reach that were taken before.  A fast section of the forking thread is
 * open still: there the one under way begins anew, and those asked for are still wanted.
 */
static void inherit_gp_seq(struct srcu_domain *d, unsigned long gp_seq, unsigned long needed)
{
	struct srcu_struct *ssp = domain_ssp(d);
	struct srcu_usage *sup = ssp->srcu_sup;

	if (!d->more_)
		needed = gp_seq = seq_snap(gp_seq, ssp->seq_mask);
	sup->srcu_gp_seq = seq_with_state(gp_seq, SRCU_STATE_IDLE);
	sup->srcu_gp_seq_needed = sup->srcu_gp_seq_needed_exp = needed;
	if (sup->srcu_gp_seq != needed)
		queue_delayed_work(&sup->work, 0);
}

static void inherit(struct srcu_domain *d)
{
	struct srcu_struct *ssp = domain_ssp(d);
	struct srcu_usage *sup = ssp->srcu_sup;
	unsigned long gp_seq = sup->srcu_gp_seq, needed = sup->srcu_gp_seq_needed;
	struct rcu_cblist cbs;
	struct rcu_head *head;

	collect_all(&cbs, ssp);
	domain_reset(d);
	inherit_gp_seq(d, gp_seq, needed);
	d->fork_ += 2;
	if (d->more_)
		d->more_->forked(d);
	while ((head = cbs.head)) {
		cbs.head = head->next;
		head->queued = 1;
		srcu_gp_start_if_needed(ssp, head, true);
	}
}

static void after_fork_in_child(void)
{
	struct srcu_domain *d;

	forks++;
	k_runtime_after_fork(true);
	k_runtime_spawn(false);
	for (d = domains_first(); d; d = domain_part(d)->next)
		inherit(d);
	k_runtime_spawn(true);
	batch.rest = NULL;
	domains_unlock_child();
}

/* Called with the list's lock held. */
bool fork_prepared(void)
{
	static bool done;

	if (!done)
		done = !LIBSRCU_ATFORK(before_fork, after_fork_in_parent, after_fork_in_child);
	return done;
}
