/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tree SRCU, requests: posting a callback, waiting for a grace period, asking
 * whether one has elapsed.  A request takes a snapshot, the number that stands
 * once it is fulfilled, and records it where the grace-period side looks.
 */
#include <config.h>

#include "srcu/tree.h"
#include "srcu/tree_seq.h"
#include "srcu/wait.h"

/* What one CPU's list has to do with a request. */
struct srcu_request {
	unsigned long s;	/* the snapshot */
	bool need_gp;		/* nobody has asked for s through this list yet */
	bool need_exp;		/* nor for s to be expedited */
};

/*
 * Posts the callback, if there is one, with its grace period assigned.
 *
 * The snapshot comes before the look by which the list is advanced.  If a grace
 * period ended in between the other way round, the snapshot would be one further
 * than both waiting segments while neither could be freed, and the callback
 * would be left without a grace period.
 */
static void srcu_post(struct srcu_struct *ssp, struct srcu_data *sdp, struct rcu_head *head,
		      bool do_norm, struct srcu_request *r)
{
	unsigned long *sp = &ssp->srcu_sup->srcu_gp_seq, mask = ssp->seq_mask, flags;
	bool late = srcu_fault(ssp, SRCU_FAULT_SNAP_AFTER_ADVANCE);
	unsigned long s = 0;

	spin_lock_irqsave_sdp_contention(sdp, &flags);
	if (head)
		rcu_segcblist_enqueue(&sdp->srcu_cblist, head);
	if (!late)
		s = rcu_seq_snap(ssp, sp);
	if (head)
		rcu_segcblist_advance(&sdp->srcu_cblist, rcu_seq_current(ssp, sp), mask);
	if (late)
		s = rcu_seq_snap(ssp, sp);
	if (head)
		WARN_ON_ONCE(!rcu_segcblist_accelerate(&sdp->srcu_cblist, s, mask));

	*r = (struct srcu_request){ .s = s };
	if (seq_lt(sdp->srcu_gp_seq_needed, s, mask)) {
		sdp->srcu_gp_seq_needed = s;
		r->need_gp = true;
	}
	if (!do_norm && seq_lt(sdp->srcu_gp_seq_needed_exp, s, mask)) {
		sdp->srcu_gp_seq_needed_exp = s;
		r->need_exp = true;
	}
	spin_unlock_irqrestore_rcu_node(sdp, flags);
}

unsigned long srcu_gp_start_if_needed(struct srcu_struct *ssp, struct rcu_head *head,
				      bool do_norm)
{
	struct srcu_request r;
	struct srcu_data *sdp;
	int idx, size_state;

	check_init_srcu_struct(ssp);
	/* A section of our own: no grace period can both start and end while we
	 * are in it, so the snapshot does not become stale. */
	idx = __srcu_read_lock_nmisafe(ssp);
	size_state = smp_load_acquire(&ssp->srcu_sup->srcu_size_state);
	/* not simply CPU 0: a list whose CPU never comes is never served */
	if (size_state < SRCU_SIZE_WAIT_CALL)
		sdp = srcu_sdp(ssp, get_boot_cpu_id());
	else
		sdp = srcu_this_sdp(ssp);
	srcu_post(ssp, sdp, head, do_norm, &r);
	if (r.need_gp)
		srcu_funnel_gp_start(ssp, sdp, r.s, do_norm);
	else if (r.need_exp)
		srcu_funnel_exp_start(ssp, size_state < SRCU_SIZE_WAIT_BARRIER ?
				      NULL : sdp->mynode, r.s);
	__srcu_read_unlock_nmisafe(ssp, idx);
	return r.s;
}

static bool __call_srcu(struct srcu_struct *ssp, struct rcu_head *head, rcu_callback_t func,
			bool do_norm)
{
	if (!srcu_head_post(head, func))
		return false;
	srcu_gp_start_if_needed(ssp, head, do_norm);
	return true;
}

bool tree_call(struct srcu *ss, struct rcu_head *head, rcu_callback_t func)
{
	return __call_srcu(ss->impl, head, func, true);
}

static bool tree_call_expedited(struct srcu *ss, struct rcu_head *head, rcu_callback_t func)
{
	return __call_srcu(ss->impl, head, func, false);
}

static void __synchronize_srcu(struct srcu_struct *ssp, bool do_norm)
{
	check_init_srcu_struct(ssp);
	srcu_wait_for_callback(ssp->ss, ssp->sync_label,
			       do_norm ? tree_call : tree_call_expedited);

	/*
	 * Puts what the caller does next behind the grace period, with which its
	 * CPU may have had nothing to do.  Against the lock taken before callbacks
	 * are invoked.
	 */
	smp_mb();
}

/*
 * Does the domain look idle?  Then a waiter had better be served at once.  A
 * guess: callbacks on other CPUs' lists are not looked at, and everything may
 * have changed on return.
 */
static bool srcu_might_be_idle(struct srcu_struct *ssp)
{
	struct srcu_usage *sup = ssp->srcu_sup;
	struct srcu_data *sdp;
	unsigned long gp_seq, flags;
	u64 now, last;
	bool busy;

	check_init_srcu_struct(ssp);
	sdp = srcu_this_sdp(ssp);
	spin_lock_irqsave_rcu_node(sdp, flags);
	busy = rcu_segcblist_pend_cbs(&sdp->srcu_cblist);
	spin_unlock_irqrestore_rcu_node(sdp, flags);
	if (busy)
		return false;

	/* soon after a grace period, more are likely to be wanted */
	now = ktime_get_mono_fast_ns();
	last = READ_ONCE(sup->srcu_last_gp_end);
	if (ssp->exp_holdoff == 0 || time_in_range_open(now, last, last + ssp->exp_holdoff))
		return false;

	/* is one asked for, or has one gone by while we were looking? */
	gp_seq = rcu_seq_current(ssp, &sup->srcu_gp_seq);
	smp_mb();	/* the state before the requests */
	if (seq_lt(gp_seq, READ_ONCE(sup->srcu_gp_seq_needed), ssp->seq_mask))
		return false;
	smp_mb();	/* the requests before the state again */
	return gp_seq == rcu_seq_current(ssp, &sup->srcu_gp_seq);
}

void tree_synchronize(struct srcu *ss)
{
	bool expedite = srcu_might_be_idle(ss->impl);

	__synchronize_srcu(ss->impl, !expedite);
}

void tree_synchronize_expedited(struct srcu *ss)
{
	__synchronize_srcu(ss->impl, false);
}

unsigned long tree_get_state(struct srcu *ss)
{
	struct srcu_struct *ssp = ss->impl;

	smp_mb();	/* what the caller did before is covered by the grace period */
	return rcu_seq_snap(ssp, &ssp->srcu_sup->srcu_gp_seq);
}

unsigned long tree_start_poll(struct srcu *ss)
{
	return srcu_gp_start_if_needed(ss->impl, NULL, true);
}

bool tree_poll_state(struct srcu *ss, unsigned long cookie)
{
	struct srcu_struct *ssp = ss->impl;

	if (!rcu_seq_done(ssp, &ssp->srcu_sup->srcu_gp_seq, cookie))
		return false;
	smp_mb();	/* what the caller does next comes behind the grace period */
	return true;
}
