/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tree SRCU, callbacks: when a grace period has ended, the CPU that holds
 * callbacks invokes those that waited for it, from a work item of its own; and
 * srcu_barrier(), which waits for all callbacks posted before it.
 */
#include <config.h>

#include "srcu/tree.h"
#include "srcu/tree_seq.h"

void srcu_delay_timer(struct timer_list *t)
{
	struct srcu_data *sdp = container_of(t, struct srcu_data, delay_work);

	queue_work_on(sdp->cpu, &sdp->work);
}

void srcu_schedule_cbs_sdp(struct srcu_data *sdp, unsigned long delay)
{
	if (delay)
		timer_reduce(&sdp->delay_work, jiffies + delay);
	else
		queue_work_on(sdp->cpu, &sdp->work);
}

/* Takes the callbacks that are ready off sdp's list.  False: there are none, or
 * somebody invokes callbacks of it already: two at once could run a barrier's
 * callback before those that it stands behind. */
static bool srcu_take_ready_cbs(struct srcu_data *sdp, struct rcu_cblist *ready)
{
	struct srcu_struct *ssp = sdp->ssp;
	unsigned long gp_seq;
	bool found;

	rcu_cblist_init(ready);
	spin_lock_irq_rcu_node(sdp);
	WARN_ON_ONCE(!rcu_segcblist_segempty(&sdp->srcu_cblist, RCU_NEXT));
	gp_seq = rcu_seq_current(ssp, &ssp->srcu_sup->srcu_gp_seq);
	rcu_segcblist_advance(&sdp->srcu_cblist, gp_seq, ssp->seq_mask);
	found = !sdp->srcu_cblist_invoking && rcu_segcblist_ready_cbs(&sdp->srcu_cblist);
	if (found) {
		sdp->srcu_cblist_invoking = true;
		rcu_segcblist_extract_done_cbs(&sdp->srcu_cblist, ready);
	}
	spin_unlock_irq_rcu_node(sdp);
	return found;
}

/*
 * The work item of one CPU.  The scans that ended the grace period have executed
 * the barriers that its callbacks rely on.
 */
void srcu_invoke_callbacks(struct work_struct *work)
{
	struct srcu_data *sdp = container_of(work, struct srcu_data, work);
	struct rcu_cblist ready;
	struct rcu_head *head;
	bool more;
	long n;

	if (!srcu_take_ready_cbs(sdp, &ready))
		return;
	n = ready.len;
	while ((head = rcu_cblist_dequeue(&ready))) {
		k_unqueue(head);	/* may be posted again from now on */
		local_bh_disable();
		srcu_invoke_callback(sdp->ssp->ss, head);
		local_bh_enable();
	}
	WARN_ON_ONCE(ready.len);

	spin_lock_irq_rcu_node(sdp);
	rcu_segcblist_add_len(&sdp->srcu_cblist, -n);
	sdp->srcu_cblist_invoking = false;
	more = rcu_segcblist_ready_cbs(&sdp->srcu_cblist);
	spin_unlock_irq_rcu_node(sdp);
	/* came meanwhile: callbacks that somebody else advanced, or a barrier's */
	if (more)
		srcu_schedule_cbs_sdp(sdp, 0);
}

/* Counts one list less; the last one wakes the barrier. */
static void srcu_barrier_put(struct srcu_usage *sup)
{
	if (atomic_dec_and_test(&sup->srcu_barrier_cpu_cnt))
		complete(&sup->srcu_barrier_completion);
}

static void srcu_barrier_cb(struct rcu_head *head)
{
	struct srcu_data *sdp = container_of(head, struct srcu_data, srcu_barrier_head);

	srcu_barrier_put(sdp->ssp->srcu_sup);
}

/* Puts a callback behind all that sdp's list holds.  Whoever posted those has
 * asked for the grace period they need, so none need be asked for here. */
static void srcu_barrier_one_cpu(struct srcu_struct *ssp, struct srcu_data *sdp)
{
	struct srcu_usage *sup = ssp->srcu_sup;

	spin_lock_irq_rcu_node(sdp);
	atomic_inc(&sup->srcu_barrier_cpu_cnt);
	sdp->srcu_barrier_head.func = srcu_barrier_cb;
	if (!rcu_segcblist_entrain(&sdp->srcu_cblist, &sdp->srcu_barrier_head))
		atomic_dec(&sup->srcu_barrier_cpu_cnt);
	spin_unlock_irq_rcu_node(sdp);
}

void tree_barrier(struct srcu *ss)
{
	struct srcu_struct *ssp = ss->impl;
	struct srcu_usage *sup = ssp->srcu_sup;
	unsigned long s = rcu_seq_snap(ssp, &sup->srcu_barrier_seq);
	int idx, cpu;

	check_init_srcu_struct(ssp);
	mutex_lock(&sup->srcu_barrier_mutex);
	if (rcu_seq_done(ssp, &sup->srcu_barrier_seq, s)) {
		smp_mb();	/* a whole barrier of somebody else's came before */
		mutex_unlock(&sup->srcu_barrier_mutex);
		return;
	}
	rcu_seq_start(ssp, &sup->srcu_barrier_seq);
	init_completion(&sup->srcu_barrier_completion);

	/* one for ourselves: not zero until all lists have been visited */
	atomic_set(&sup->srcu_barrier_cpu_cnt, 1);
	/* a section, so that gp_seq cannot come full circle meanwhile */
	idx = __srcu_read_lock_nmisafe(ssp);
	if (smp_load_acquire(&sup->srcu_size_state) < SRCU_SIZE_WAIT_BARRIER)
		srcu_barrier_one_cpu(ssp, srcu_sdp(ssp, get_boot_cpu_id()));
	else
		srcu_for_each_cpu(ssp, cpu)
			srcu_barrier_one_cpu(ssp, srcu_sdp(ssp, (unsigned)cpu));
	__srcu_read_unlock_nmisafe(ssp, idx);
	srcu_barrier_put(sup);
	wait_for_completion(&sup->srcu_barrier_completion);

	rcu_seq_end(ssp, &sup->srcu_barrier_seq);
	mutex_unlock(&sup->srcu_barrier_mutex);
}
