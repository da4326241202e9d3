/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tree SRCU, grace periods: from IDLE through a scan of the bank that is not in
 * use (SCAN1), the flip to that bank, and a scan of the one left behind (SCAN2)
 * back to IDLE.  A work item drives it, one scan a pass or more, and queues
 * itself again while a grace period is under way or asked for.
 */
#include <config.h>

#include "srcu/tree.h"
#include "srcu/tree_seq.h"

/* The kernel's defaults at HZ = 1000. */
#define SRCU_RETRY_CHECK_DELAY	5	/* us between scans of one pass */
#define SRCU_MAX_INTERVAL	10	/* jiffies: longest delay between passes */
#define SRCU_MAX_NODELAY_PHASE	400	/* undelayed scans of one state */
#define SRCU_MAX_NODELAY	400	/* undelayed passes in one jiffy */

/* A statistic, which may miss a count when two do it at once. */
static void count_up(unsigned long *n)
{
	WRITE_ONCE(*n, READ_ONCE(*n) + 1);
}

/* Is a grace period under way or asked for that is expedited? */
static bool srcu_expedited(struct srcu_struct *ssp)
{
	unsigned long gp_seq = rcu_seq_current(ssp, &ssp->srcu_sup->srcu_gp_seq);
	unsigned long needed = READ_ONCE(ssp->srcu_sup->srcu_gp_seq_needed_exp);

	return seq_lt(gp_seq, needed, ssp->seq_mask);
}

unsigned long srcu_get_delay(struct srcu_struct *ssp)
{
	struct srcu_usage *sup = ssp->srcu_sup;
	unsigned long delay = srcu_expedited(ssp) ? 0 : SRCU_INTERVAL;
	unsigned long start, j;

	if (seq_state(rcu_seq_current(ssp, &sup->srcu_gp_seq))) {
		/* the older the grace period, the less often it is worth looking */
		j = jiffies - 1;
		start = READ_ONCE(sup->srcu_gp_start);
		if (time_after(j, start))
			delay += j - start;
		if (!delay) {
			count_up(&sup->srcu_n_exp_nodelay);
			if (READ_ONCE(sup->srcu_n_exp_nodelay) > SRCU_MAX_NODELAY_PHASE)
				delay = 1;
		}
	}
	return delay > SRCU_MAX_INTERVAL ? SRCU_MAX_INTERVAL : delay;
}

void srcu_gp_start(struct srcu_struct *ssp)
{
	struct srcu_usage *sup = ssp->srcu_sup;

	WARN_ON_ONCE(!k_lock_held(&sup->lock.owner));
	WARN_ON_ONCE(seq_ge(sup->srcu_gp_seq, sup->srcu_gp_seq_needed, ssp->seq_mask));
	WRITE_ONCE(sup->srcu_gp_start, jiffies);
	WRITE_ONCE(sup->srcu_n_exp_nodelay, 0);
	smp_mb();	/* the request is seen by whoever sees the start */
	rcu_seq_start(ssp, &sup->srcu_gp_seq);
	WARN_ON_ONCE(seq_state(sup->srcu_gp_seq) != SRCU_STATE_SCAN1);
}

void srcu_queue_gp_work(struct srcu_struct *ssp, unsigned long delay)
{
	struct srcu_usage *sup = ssp->srcu_sup;

	queue_delayed_work(&sup->work, delay);
	/*
	 * The fault: a workqueue that may run the item while it is running.  Each
	 * request from outside is worth a pass of the second task's too, at any
	 * time; what follows that pass is queued as usual.
	 */
	if (srcu_fault(ssp, SRCU_FAULT_REENTRANT_WORK))
		queue_delayed_work(&sup->work_again, delay);
}

/* At the end of a pass: another one, unless every request is fulfilled.  Starts
 * the grace period that is needed if none is under way. */
static void srcu_reschedule(struct srcu_struct *ssp, unsigned long delay)
{
	struct srcu_usage *sup = ssp->srcu_sup;
	bool again = true;

	spin_lock_irq_rcu_node(sup);
	if (seq_ge(sup->srcu_gp_seq, sup->srcu_gp_seq_needed, ssp->seq_mask)) {
		if (!WARN_ON_ONCE(seq_state(sup->srcu_gp_seq)))
			again = false;
	} else if (!seq_state(sup->srcu_gp_seq)) {
		srcu_gp_start(ssp);
	}
	spin_unlock_irq_rcu_node(sup);
	if (again)
		queue_delayed_work(&sup->work, delay);
}

/* Pulls a request's number along that has fallen behind gp_seq. */
static void srcu_catch_up(unsigned long *needed, unsigned long gp_seq, unsigned long mask)
{
	unsigned long behind = (gp_seq - *needed) & mask;
	unsigned long lag = mask / 4 < 100 ? mask / 4 + 1 : 100;

	if (behind >= lag && behind <= mask / 2)
		*needed = gp_seq;
}

/* Now and then keeps per-CPU numbers, which stand still where nobody asks for
 * grace periods, within half the range of srcu_gp_seq. */
static void srcu_prevent_wrap(struct srcu_struct *ssp, unsigned long gp_seq)
{
	unsigned long mask = ssp->seq_mask, flags;
	int cpu;

	if (gp_seq & (mask >> 2))
		return;
	srcu_for_each_cpu(ssp, cpu) {
		struct srcu_data *sdp = srcu_sdp(ssp, cpu);

		spin_lock_irqsave_rcu_node(sdp, flags);
		srcu_catch_up(&sdp->srcu_gp_seq_needed, gp_seq, mask);
		srcu_catch_up(&sdp->srcu_gp_seq_needed_exp, gp_seq, mask);
		spin_unlock_irqrestore_rcu_node(sdp, flags);
	}
}

/* SCAN2 to IDLE.  Returns the number reached; *delay says how soon callbacks
 * shall be invoked. */
static unsigned long srcu_gp_finish(struct srcu_struct *ssp, unsigned long *delay)
{
	struct srcu_usage *sup = ssp->srcu_sup;
	unsigned long gp_seq;

	spin_lock_irq_rcu_node(sup);
	WARN_ON_ONCE(seq_state(sup->srcu_gp_seq) != SRCU_STATE_SCAN2);
	*delay = !srcu_expedited(ssp);
	WRITE_ONCE(sup->srcu_last_gp_end, ktime_get_mono_fast_ns());
	rcu_seq_end(ssp, &sup->srcu_gp_seq);
	gp_seq = rcu_seq_current(ssp, &sup->srcu_gp_seq);
	if (seq_lt(sup->srcu_gp_seq_needed_exp, gp_seq, ssp->seq_mask))
		WRITE_ONCE(sup->srcu_gp_seq_needed_exp, gp_seq);
	spin_unlock_irq_rcu_node(sup);
	return gp_seq;
}

/*
 * Ends the grace period: called with srcu_gp_mutex held and returns without it.
 *
 * srcu_cb_mutex protects no data.  It is taken before the state goes to IDLE
 * and given back when callbacks have been initiated; srcu_gp_mutex goes in
 * between.  In that window the next grace period may start and even be scanned,
 * but not end, so that never more than one runs ahead of its callbacks.
 */
static void srcu_gp_end(struct srcu_struct *ssp)
{
	struct srcu_usage *sup = ssp->srcu_sup;
	unsigned long gp_seq, delay;
	int size;

	if (!srcu_fault(ssp, SRCU_FAULT_NO_CB_MUTEX))
		mutex_lock(&sup->srcu_cb_mutex);
	gp_seq = srcu_gp_finish(ssp, &delay);
	if (!srcu_fault(ssp, SRCU_FAULT_NO_GP_MUTEX))
		mutex_unlock(&sup->srcu_gp_mutex);

	size = smp_load_acquire(&sup->srcu_size_state);
	if (size < SRCU_SIZE_WAIT_BARRIER)
		srcu_schedule_cbs_sdp(srcu_sdp(ssp, get_boot_cpu_id()), delay);
	else
		srcu_end_in_nodes(ssp, size, gp_seq, delay);
	srcu_prevent_wrap(ssp, gp_seq);
	if (!srcu_fault(ssp, SRCU_FAULT_NO_CB_MUTEX))
		mutex_unlock(&sup->srcu_cb_mutex);

	/* someone may have asked for another one in the meantime, or started it */
	spin_lock_irq_rcu_node(sup);
	gp_seq = rcu_seq_current(ssp, &sup->srcu_gp_seq);
	if (!seq_state(gp_seq) && seq_lt(gp_seq, sup->srcu_gp_seq_needed, ssp->seq_mask)) {
		srcu_gp_start(ssp);
		spin_unlock_irq_rcu_node(sup);
		srcu_reschedule(ssp, 0);
	} else {
		spin_unlock_irq_rcu_node(sup);
	}
	srcu_grow(ssp, size);
}

/*
 * Scans bank idx at most `tries` times, one more often if the grace period is
 * expedited, until it is found empty.  The bank must not come into use meanwhile.
 */
static bool try_check_zero(struct srcu_struct *ssp, int idx, int tries)
{
	tries += !srcu_get_delay(ssp);
	while (!srcu_readers_active_idx_check(ssp, idx)) {
		if (--tries <= 0)
			return false;
		udelay(SRCU_RETRY_CHECK_DELAY);
	}
	return true;
}

/* srcu_idx as the updater sees it, who alone changes it, under srcu_gp_mutex;
 * without the mutex it is an access like any other. */
static unsigned int srcu_updater_idx(struct srcu_struct *ssp)
{
	if (srcu_fault(ssp, SRCU_FAULT_NO_GP_MUTEX))
		return PLAIN_READ(ssp->srcu_idx);
	return ssp->srcu_idx;
}

/* Sends new readers to the other bank, so that the one in use can drain. */
static void srcu_flip(struct srcu_struct *ssp)
{
	/*
	 * E puts the scan that found the other bank empty before the flip that
	 * brings it into use.  Against B and C: a reader that counts there because
	 * of the flip cannot have been seen by that scan, for which it would have
	 * been one to wait for.  The scan's result decides whether the flip happens
	 * at all, and marked accesses keep such an order by themselves: E is not
	 * needed for correctness, the kernel keeps it to be safe from compilers.
	 */
	if (!srcu_fault(ssp, SRCU_FAULT_NO_MB_E))
		smp_mb_as("E");

	if (!srcu_fault(ssp, SRCU_FAULT_NO_FLIP | SRCU_FAULT_BOTH_BANKS))
		WRITE_ONCE(ssp->srcu_idx, srcu_updater_idx(ssp) + 1);

	/*
	 * D puts the flip before the scan that follows.  Against C: a reader whose
	 * unlock that scan misses sees the flip in the second section after it at
	 * the latest.  So each CPU and task counts in the old bank only a bounded
	 * number of times more, and a scan is neither held up for ever nor fooled
	 * by counters that come full circle.
	 */
	if (!srcu_fault(ssp, SRCU_FAULT_NO_MB_D))
		smp_mb_as("D");
}

/*
 * At the begin of a pass.  False: there is nothing to scan, because no grace
 * period is needed or somebody started one between the two looks at the state,
 * and that somebody has queued the work item for it.
 */
static bool srcu_gp_under_way(struct srcu_struct *ssp)
{
	struct srcu_usage *sup = ssp->srcu_sup;
	bool started = false;

	/* acquire: what the grace period before did is seen */
	if (seq_state(rcu_seq_acquire(ssp, &sup->srcu_gp_seq)) != SRCU_STATE_IDLE)
		return true;
	spin_lock_irq_rcu_node(sup);
	if (seq_ge(sup->srcu_gp_seq, sup->srcu_gp_seq_needed, ssp->seq_mask)) {
		WARN_ON_ONCE(seq_state(sup->srcu_gp_seq));
	} else if (seq_state(rcu_seq_current(ssp, &sup->srcu_gp_seq)) == SRCU_STATE_IDLE) {
		srcu_gp_start(ssp);
		started = true;
	}
	spin_unlock_irq_rcu_node(sup);
	return started;
}

/* SCAN1: readers that a flip long ago left in the bank not in use.  False: there
 * are some, come back later. */
static bool srcu_scan1(struct srcu_struct *ssp)
{
	struct srcu_usage *sup = ssp->srcu_sup;

	if (!srcu_fault(ssp, SRCU_FAULT_NO_SCAN1) &&
	    !try_check_zero(ssp, 1 ^ (srcu_updater_idx(ssp) & 1), 1))
		return false;
	srcu_flip(ssp);
	spin_lock_irq_rcu_node(sup);
	rcu_seq_set_state(ssp, &sup->srcu_gp_seq, SRCU_STATE_SCAN2);
	WRITE_ONCE(sup->srcu_n_exp_nodelay, 0);
	spin_unlock_irq_rcu_node(sup);
	return true;
}

/* SCAN2: readers in the bank that was in use until the flip.  Most sections are
 * short, so it is worth looking twice. */
static bool srcu_scan2(struct srcu_struct *ssp)
{
	int idx;

	if (srcu_fault(ssp, SRCU_FAULT_NO_SCAN2))
		return true;
	idx = 1 ^ (srcu_updater_idx(ssp) & 1);
	if (srcu_fault(ssp, SRCU_FAULT_BOTH_BANKS))
		idx ^= 1;	/* no flip: the bank not scanned yet is the one in use */
	return try_check_zero(ssp, idx, 2);
}

/*
 * Takes the grace period as far as it can go now.  A reader may have fetched the
 * index long before it counts, so readers may be in both banks at any time, and
 * both have to be seen empty after the grace period's start.
 *
 * True: it has ended, and srcu_gp_mutex has been given back.
 */
static bool srcu_advance_locked(struct srcu_struct *ssp)
{
	unsigned long *sp = &ssp->srcu_sup->srcu_gp_seq;

	if (!srcu_gp_under_way(ssp))
		return false;
	if (seq_state(rcu_seq_current(ssp, sp)) == SRCU_STATE_SCAN1 && !srcu_scan1(ssp))
		return false;
	if (seq_state(rcu_seq_current(ssp, sp)) != SRCU_STATE_SCAN2 || !srcu_scan2(ssp))
		return false;
	WRITE_ONCE(ssp->srcu_sup->srcu_n_exp_nodelay, 0);
	srcu_gp_end(ssp);
	return true;
}

static void srcu_advance_state(struct srcu_struct *ssp)
{
	struct srcu_usage *sup = ssp->srcu_sup;
	bool mutex = !srcu_fault(ssp, SRCU_FAULT_NO_GP_MUTEX);

	if (mutex)
		mutex_lock(&sup->srcu_gp_mutex);
	if (!srcu_advance_locked(ssp) && mutex)
		mutex_unlock(&sup->srcu_gp_mutex);
}

/*
 * One pass of the work item.  When its scan fails it leaves nothing behind but
 * statistics and its own next queueing, and time changes nothing but the delay
 * before that.
 */
static void srcu_pass(struct srcu_usage *sup)
{
	struct srcu_struct *ssp = sup->srcu_ssp;
	unsigned long delay, j;

	srcu_advance_state(ssp);
	delay = srcu_get_delay(ssp);
	if (delay) {
		WRITE_ONCE(sup->reschedule_count, 0);
	} else {
		/* expedited, but not so that it fills a whole jiffy */
		j = jiffies;
		if (READ_ONCE(sup->reschedule_jiffies) == j) {
			count_up(&sup->reschedule_count);
			if (READ_ONCE(sup->reschedule_count) > SRCU_MAX_NODELAY)
				delay = 1;
		} else {
			WRITE_ONCE(sup->reschedule_count, 1);
			WRITE_ONCE(sup->reschedule_jiffies, j);
		}
	}
	srcu_reschedule(ssp, delay);
}

void process_srcu(struct work_struct *work)
{
	srcu_pass(container_of(work, struct srcu_usage, work.work));
}

/* The same, where the fault lets two tasks run it at once. */
void process_srcu_again(struct work_struct *work)
{
	srcu_pass(container_of(work, struct srcu_usage, work_again.work));
}
