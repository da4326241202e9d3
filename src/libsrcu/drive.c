/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libsrcu, srcu_synchronize(): whoever waits for a grace period drives it himself.
 *
 * The kernel's synchronize_srcu() posts a callback and sleeps until a worker has invoked
 * it.  Here the caller asks for the grace period as that does, and then runs the work
 * item's passes in its own thread: an idle domain costs no switch to another thread.
 * Of several callers the one that holds the item's `running` drives for all; when it has
 * what it wanted it leaves, and the next one finds its own grace period over (it began
 * after the request) or drives on.  A request that comes while a grace period is under way
 * waits for that one's end and for the whole of the next: no more than two serve any
 * number of callers.
 */
#include <config.h>

#include <sched.h>

#include "domain.h"
#include "runtime.h"
#include "srcu/tree_seq.h"
#include "tsan.h"

/* Passes that scan without leaving the CPU to others; with leaving it; after that, naps. */
#define BRISK_PASSES	4
#define YIELD_PASSES	60
#define NAP_NS		50000
#define NAP_MAX_NS	2000000

/* A reader is in the way.  The longer it takes, the less of the CPU we take from it. */
static void breathe(unsigned passes, bool expedited)
{
	u64 nap = NAP_NS;

	if (passes < BRISK_PASSES)
		return;
	if (passes < YIELD_PASSES * (expedited ? 10u : 1u)) {
		sched_yield();
		return;
	}
	for (; passes > 2 * YIELD_PASSES && nap < NAP_MAX_NS && !expedited; passes /= 2)
		nap *= 2;
	k_nap(nap);
}

/* A grace period that somebody waits for. */
struct awaited {
	struct srcu_struct *ssp;
	unsigned long s;
};

static bool gp_over(void *arg)
{
	struct awaited *a = arg;

	return rcu_seq_done(a->ssp, &a->ssp->srcu_sup->srcu_gp_seq, a->s);
}

/* Of several callers one drives; the others leave when theirs is over, without waiting for
 * one another. */
static void drive(struct srcu_struct *ssp, unsigned long s, bool expedited)
{
	struct work_struct *w = &ssp->srcu_sup->work.work;
	struct awaited a = { ssp, s };
	unsigned long told = 0;		/* no grace period's number with a scan in it */

	if (!k_drive_lock(w, gp_over, &a))
		return;
	for (unsigned passes = 0; !gp_over(&a); passes++) {
		unsigned long seq = rcu_seq_current(ssp, &ssp->srcu_sup->srcu_gp_seq);

		/* a reader is in the way of this one: those leave whose own was the one before */
		if (passes >= BRISK_PASSES && seq != told) {
			told = seq;
			k_drive_tell(w);
		}
		if (passes)
			breathe(passes, expedited);
		k_drive_pass(w);
	}
	k_drive_end();
	k_work_release(w);
}

static void synchronize(struct srcu_domain *d, bool expedited)
{
	struct srcu_struct *ssp = domain_ssp(d);
	unsigned long s;

	domain_ready(d);
	tsan_before_sections(ssp);
	k_drive_begin(&ssp->srcu_sup->work.work);
	/* "expedited" is what never delays a scan by a jiffy: both forms do that here */
	s = srcu_gp_start_if_needed(ssp, NULL, false);
	drive(ssp, s, expedited);
	/* puts what the caller does next behind the grace period, which another
	 * thread may have driven: against the barriers of its scans */
	smp_mb();
	tsan_after_sections(ssp);
}

void srcu_synchronize(struct srcu_domain *d) { synchronize(d, false); }
void srcu_synchronize_expedited(struct srcu_domain *d) { synchronize(d, true); }
