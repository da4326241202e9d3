/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tree SRCU, the ends of a domain's life: made ready at its first use, and when it may
 * be cleaned up.
 */
#include <config.h>

#include "srcu/tree.h"
#include "srcu/tree_seq.h"

/* Under the lock of a static domain's first use,
 * too, a tree is made at once: the kernel takes atomic memory for it there. */
void srcu_init_fields(struct srcu_struct *ssp)
{
	struct srcu_usage *sup = ssp->srcu_sup;

	sup->srcu_last_gp_end = ktime_get_mono_fast_ns();
	if (ssp->born_big) {
		srcu_init_nodes(ssp);
		WRITE_ONCE(sup->srcu_size_state, SRCU_SIZE_BIG);
	}
	/* release: who sees this sees all of the above, see check_init_srcu_struct() */
	smp_store_release(&sup->srcu_gp_seq_needed, 0);
}

/* Called first by whoever needs the updater's side; readers need none of it. */
void check_init_srcu_struct(struct srcu_struct *ssp)
{
	struct srcu_usage *sup = ssp->srcu_sup;
	unsigned long flags;

	if (!seq_state(smp_load_acquire(&sup->srcu_gp_seq_needed)))
		return;
	/* of several who come first the lock picks one */
	spin_lock_irqsave_rcu_node(sup, flags);
	if (seq_state(sup->srcu_gp_seq_needed))
		srcu_init_fields(ssp);
	spin_unlock_irqrestore_rcu_node(sup, flags);
}

/* --- cleaning up --- */

/* Waits for the work items of a domain that is not in use any more.  False: a
 * callback was left on a list, because srcu_barrier() was forgotten. */
static bool srcu_quiesce(struct srcu_struct *ssp)
{
	struct srcu_usage *sup = ssp->srcu_sup;
	int cpu;

	flush_delayed_work(&sup->work);
	if (srcu_fault(ssp, SRCU_FAULT_REENTRANT_WORK))
		flush_delayed_work(&sup->work_again);
	srcu_for_each_cpu(ssp, cpu) {
		struct srcu_data *sdp = srcu_sdp(ssp, cpu);
		long callbacks_left;

		del_timer_sync(&sdp->delay_work);
		flush_work(&sdp->work);
		callbacks_left = READ_ONCE(sdp->srcu_cblist.len);
		if (WARN_ON(callbacks_left))
			return false;
	}
	return true;
}

bool srcu_retire(struct srcu_struct *ssp)
{
	struct srcu_usage *sup = ssp->srcu_sup;

	if (WARN_ON(!srcu_get_delay(ssp)))
		return false;	/* an expedited grace period is wanted */
	if (WARN_ON(srcu_readers_active(ssp)))
		return false;
	if (!srcu_quiesce(ssp))
		return false;
	return !WARN_ON(seq_state(rcu_seq_current(ssp, &sup->srcu_gp_seq)) != SRCU_STATE_IDLE) &&
	       !WARN_ON(rcu_seq_current(ssp, &sup->srcu_gp_seq) != sup->srcu_gp_seq_needed) &&
	       !WARN_ON(srcu_readers_active(ssp));
}
