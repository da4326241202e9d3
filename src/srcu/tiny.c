/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tiny SRCU after Linux 6.12, for one CPU and a kernel without preemption: readers
 * count up and down in one of two plain counters, and a work item waits for the
 * counter in use to come down to zero.
 *
 * A task is switched away from only where it sleeps, so a load and a store are as
 * good as an atomic operation, and nothing needs a lock or a barrier.  Interrupts
 * may post callbacks: the list alone is protected from them.
 */
#include <config.h>

#include <k/kernel.h>
#include <k/swait.h>

#include "engine/world.h"
#include "srcu/seq.h"
#include "srcu/srcu.h"
#include "srcu/wait.h"

/*
 * srcu_idx goes up by one when a grace period begins and by one more when it ends: bit
 * 0 says that one is under way, bit 1 which counter it drains.  New readers use the
 * other one as soon as it has begun.
 */
struct tiny_srcu {
	short srcu_lock_nesting[2];	/* readers, by index */
	u8 srcu_gp_running;		/* the work item is at work */
	u8 srcu_gp_waiting;		/* it waits for readers, who have to wake it */
	unsigned long srcu_idx;
	unsigned long srcu_idx_max;	/* the furthest srcu_idx that is asked for */
	struct swait_queue_head srcu_wq;
	struct rcu_head *srcu_cb_head;	/* callbacks of the next grace period */
	struct rcu_head **srcu_cb_tail;
	struct work_struct srcu_work;
	long taken;			/* callbacks of this grace period: to look at */

	/* constant from init on */
	struct srcu *ss;
	const char *sync_label;		/* "ss:sync" */
	unsigned long seq_mask;		/* of srcu_idx: 16 bits in Linux before 6.1 */
};

#define NAMED(member, name_, ...)						\
	{ .name = (name_), .offset = offsetof(struct tiny_srcu, member),	\
	  .size = sizeof(((struct tiny_srcu *)0)->member), ##__VA_ARGS__ }

static const struct field tiny_fields[] = {
	{ .name = "lock_nesting", .offset = offsetof(struct tiny_srcu, srcu_lock_nesting),
	  .size = sizeof(short), .count = 2 },
	NAMED(srcu_gp_running, "gp_running"),
	NAMED(srcu_gp_waiting, "gp_waiting"),
	NAMED(srcu_idx, "srcu_idx"),
	NAMED(srcu_idx_max, "srcu_idx_max"),
	NAMED(srcu_wq.woken, "wq"),
	NAMED(srcu_cb_head, "cb_head", .flags = FIELD_PTR),
	NAMED(srcu_work.state, "work"),
	{ 0 }
};

/* --- readers --- */

static int tiny_read_lock(struct srcu *ss)
{
	struct tiny_srcu *ssp = ss->impl;
	/* while a grace period runs, the counter that it does not drain */
	int idx = ((READ_ONCE(ssp->srcu_idx) + 1) & 0x2) >> 1;

	WRITE_ONCE(ssp->srcu_lock_nesting[idx], READ_ONCE(ssp->srcu_lock_nesting[idx]) + 1);
	return idx;
}

static void tiny_read_unlock(struct srcu *ss, int idx)
{
	struct tiny_srcu *ssp = ss->impl;
	short newval = READ_ONCE(ssp->srcu_lock_nesting[idx]) - 1;

	WRITE_ONCE(ssp->srcu_lock_nesting[idx], newval);
	/* an interrupt's sections end before the task's that it struck, which
	 * does the waking */
	if (!newval && READ_ONCE(ssp->srcu_gp_waiting) && in_task())
		swake_up_one(&ssp->srcu_wq);
}

/* --- grace periods --- */

static void tiny_invoke(struct tiny_srcu *ssp, struct rcu_head *lh)
{
	while (lh) {
		struct rcu_head *rhp = lh;

		lh = lh->next;
		WRITE_ONCE(rhp->queued, 0);	/* may be posted again from now on */
		local_bh_disable();
		srcu_invoke_callback(ssp->ss, rhp);
		local_bh_enable();
		ssp->taken--;
	}
}

/* Takes the callbacks that have been posted: they all belong to the grace period
 * that is about to begin. */
static struct rcu_head *tiny_take_callbacks(struct tiny_srcu *ssp)
{
	struct rcu_head *lh;

	local_irq_disable();
	lh = ssp->srcu_cb_head;
	ssp->srcu_cb_head = NULL;
	ssp->srcu_cb_tail = &ssp->srcu_cb_head;
	for (const struct rcu_head *h = lh; h; h = h->next)
		ssp->taken++;
	local_irq_enable();
	return lh;
}

/* The work item: one grace period, and the callbacks that waited for it. */
static void srcu_drive_gp(struct work_struct *work)
{
	static const struct kapi api = { "srcu_drive_gp", KAPI_DRAIN };
	struct tiny_srcu *ssp = container_of(work, struct tiny_srcu, srcu_work);
	unsigned long idx_max;
	struct rcu_head *lh;
	int idx;

	if (ssp->srcu_gp_running)
		return;
	idx_max = READ_ONCE(ssp->srcu_idx_max);
	if (seq_ge(ssp->srcu_idx, idx_max, ssp->seq_mask))
		return;

	WRITE_ONCE(ssp->srcu_gp_running, 1);
	lh = tiny_take_callbacks(ssp);
	idx = (ssp->srcu_idx & 0x2) >> 1;
	WRITE_ONCE(ssp->srcu_idx, (ssp->srcu_idx + 1) & ssp->seq_mask);
	WRITE_ONCE(ssp->srcu_gp_waiting, 1);	/* the last reader has to wake us */
	kapi_enter(&api, ssp->ss, 0);
	swait_event_exclusive(ssp->srcu_wq, !READ_ONCE(ssp->srcu_lock_nesting[idx]));
	kapi_exit(0);
	WRITE_ONCE(ssp->srcu_gp_waiting, 0);
	WRITE_ONCE(ssp->srcu_idx, (ssp->srcu_idx + 1) & ssp->seq_mask);

	tiny_invoke(ssp, lh);

	/* requests that came while this was running have not queued the work item */
	WRITE_ONCE(ssp->srcu_gp_running, 0);
	if (seq_lt(ssp->srcu_idx, READ_ONCE(ssp->srcu_idx_max), ssp->seq_mask))
		queue_work(&ssp->srcu_work);
}

/* The value of srcu_idx once a grace period that begins after this is over: the
 * one under way, if there is one, does not count. */
static unsigned long tiny_get_state(struct srcu *ss)
{
	struct tiny_srcu *ssp = ss->impl;

	return (READ_ONCE(ssp->srcu_idx) + 3) & ~0x1ul & ssp->seq_mask;
}

static void srcu_gp_start_if_needed(struct tiny_srcu *ssp)
{
	unsigned long cookie = tiny_get_state(ssp->ss);

	if (seq_ge(READ_ONCE(ssp->srcu_idx_max), cookie, ssp->seq_mask))
		return;
	WRITE_ONCE(ssp->srcu_idx_max, cookie);
	if (!READ_ONCE(ssp->srcu_gp_running))
		queue_work(&ssp->srcu_work);
}

static bool tiny_call(struct srcu *ss, struct rcu_head *head, rcu_callback_t func)
{
	struct tiny_srcu *ssp = ss->impl;

	if (!srcu_head_post(head, func))
		return false;
	head->next = NULL;
	local_irq_disable();
	*ssp->srcu_cb_tail = head;
	ssp->srcu_cb_tail = &head->next;
	local_irq_enable();
	srcu_gp_start_if_needed(ssp);
	return true;
}

static void tiny_synchronize(struct srcu *ss)
{
	struct tiny_srcu *ssp = ss->impl;

	srcu_wait_for_callback(ss, ssp->sync_label, tiny_call);
}

static unsigned long tiny_start_poll(struct srcu *ss)
{
	unsigned long cookie = tiny_get_state(ss);

	srcu_gp_start_if_needed(ss->impl);
	return cookie;
}

static bool tiny_poll_state(struct srcu *ss, unsigned long cookie)
{
	struct tiny_srcu *ssp = ss->impl;
	unsigned long cur = READ_ONCE(ssp->srcu_idx);

	/* a cookie that lies further ahead than any that was given is an old one,
	 * which srcu_idx has passed by half its range */
	return seq_ge(cur, cookie, ssp->seq_mask) ||
	       seq_lt(cur, (cookie - 3) & ssp->seq_mask, ssp->seq_mask);
}

/* Nothing is counted for the statistics that this is for, and there is no step. */
static unsigned long tiny_batches_completed(struct srcu *ss)
{
	(void)ss;
	return 0;
}

/* --- a domain's life --- */

static bool tiny_check_opts(struct world *w, const struct srcu_ops *ops,
			     const struct srcu_opts *o)
{
	(void)ops;
	if (world_cpus(w) != 1)
		return world_fail(w, "the tiny flavor is for one CPU and this world has %u: "
				  "call cpus(1) first", world_cpus(w));
	/* it takes preemption from all tasks: were it a task that makes the domain,
	 * the others would notice when that was */
	if (task_current())
		return world_fail(w, "a domain of the tiny flavor is made before the threads run");
	return srcu_refuse_tree_opts(w, "tiny", o, true);
}

static bool tiny_init(struct srcu *ss, const struct srcu_opts *o)
{
	struct tiny_srcu *ssp = ss->impl;
	char *work = srcu_name_with(ss, ":gp", 0);

	ssp->sync_label = srcu_name_with(ss, ":sync", 0);
	if (!work || !ssp->sync_label)
		return false;
	ssp->ss = ss;
	ssp->seq_mask = seq_mask(o->seq_bits);
	ssp->srcu_cb_tail = &ssp->srcu_cb_head;
	init_swait_queue_head(&ssp->srcu_wq);
	init_work(&ssp->srcu_work, srcu_drive_gp, work);
	world_set_voluntary(ss->obj->w);
	return true;
}

static bool tiny_cleanup(struct srcu *ss)
{
	struct tiny_srcu *ssp = ss->impl;
	short readers = READ_ONCE(ssp->srcu_lock_nesting[0]);
	struct rcu_head *callbacks_left;
	unsigned long idx;

	if (WARN_ON(readers || READ_ONCE(ssp->srcu_lock_nesting[1])))
		return false;
	flush_work(&ssp->srcu_work);
	if (WARN_ON(READ_ONCE(ssp->srcu_gp_running)) || WARN_ON(READ_ONCE(ssp->srcu_gp_waiting)))
		return false;
	callbacks_left = READ_ONCE(ssp->srcu_cb_head);
	if (WARN_ON(callbacks_left))
		return false;
	idx = READ_ONCE(ssp->srcu_idx);
	if (WARN_ON(idx != READ_ONCE(ssp->srcu_idx_max)) || WARN_ON(idx & 0x1))
		return false;
	/* from here on the domain is a freed object, for all to see */
	ss->obj->heap = true;
	kfree(ssp);
	return true;
}

/* --- inspection --- */

static void tiny_view(struct srcu *ss, struct srcu_view *v)
{
	const struct tiny_srcu *ssp = ss->impl;

	*v = (struct srcu_view){
		.ncpus = 1, .has_nesting = true, .has_cblist = ssp->ss != NULL,
		.srcu_idx = (unsigned)ssp->srcu_idx, .srcu_idx_max = ssp->srcu_idx_max,
		.nesting = { ssp->srcu_lock_nesting[0], ssp->srcu_lock_nesting[1] },
		.gp_running = ssp->srcu_gp_running, .gp_waiting = ssp->srcu_gp_waiting };
}

static bool tiny_cblist(struct srcu *ss, unsigned cpu, struct srcu_cblist_view *v)
{
	const struct tiny_srcu *ssp = ss->impl;

	if (cpu)
		return false;
	*v = (struct srcu_cblist_view){ 0 };
	*(ssp->srcu_gp_waiting ? &v->wait : &v->done) = ssp->taken;
	for (const struct rcu_head *h = ssp->srcu_cb_head; h; h = h->next)
		v->next++;
	return true;
}

const struct srcu_ops srcu_tiny_ops = {
	.flavor = "tiny",
	.impl_size = sizeof(struct tiny_srcu),
	.fields = tiny_fields,
	.check_opts = tiny_check_opts,
	.init = tiny_init,
	.read_lock = tiny_read_lock,
	.read_unlock = tiny_read_unlock,
	.read_lock_nmisafe = tiny_read_lock,
	.read_unlock_nmisafe = tiny_read_unlock,
	.down_read = tiny_read_lock,
	.up_read = tiny_read_unlock,
	.synchronize = tiny_synchronize,
	.synchronize_expedited = tiny_synchronize,
	.call = tiny_call,
	/* callbacks are invoked in their order, the caller's own as the last */
	.barrier = tiny_synchronize,
	.get_state = tiny_get_state,
	.start_poll = tiny_start_poll,
	.poll_state = tiny_poll_state,
	.batches_completed = tiny_batches_completed,
	.cleanup = tiny_cleanup,
	.view = tiny_view,
	.cblist = tiny_cblist,
};
