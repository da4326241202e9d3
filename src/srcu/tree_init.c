/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tree SRCU, the ends of a domain's life and the look from outside: how it is
 * laid out and made, when it may be cleaned up, what can be seen of it, and the
 * table that makes an implementation of all this.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>

#include "srcu/tree.h"
#include "srcu/tree_seq.h"
#include "srcu/wait.h"

#include "engine/world.h"

#define SRCU_DEFAULT_EXP_HOLDOFF 25000	/* ns */

/* A domain's memory is one piece, so that all of it is gone after cleanup. */
struct tree_layout {
	struct srcu_struct ssp;
	struct srcu_usage sup;
	_Alignas(64) struct srcu_data sda[];
};

#define NAMED(type, member, name_, ...)						\
	{ .name = (name_), .offset = offsetof(type, member),			\
	  .size = sizeof(((type *)0)->member), ##__VA_ARGS__ }
#define NAMED_SUP(member, name_, ...) \
	NAMED(struct tree_layout, sup.member, name_, ##__VA_ARGS__)
#define NAMED_SDP(member, name_, ...) \
	NAMED(struct srcu_data, member, name_, ##__VA_ARGS__)

static const struct field tree_fields[] = {
	NAMED(struct tree_layout, ssp.srcu_idx, "srcu_idx"),
	NAMED_SUP(srcu_size_state, "size_state"),
	NAMED_SUP(srcu_cb_mutex.owner, "cb_mutex", .flags = FIELD_OWNER),
	NAMED_SUP(lock.owner, "lock", .flags = FIELD_OWNER),
	NAMED_SUP(srcu_gp_mutex.owner, "gp_mutex", .flags = FIELD_OWNER),
	NAMED_SUP(srcu_gp_seq, "gp_seq", .flags = FIELD_GP_SEQ),
	NAMED_SUP(srcu_gp_seq_needed, "gp_seq_needed"),
	NAMED_SUP(srcu_gp_seq_needed_exp, "gp_seq_needed_exp"),
	NAMED_SUP(srcu_gp_start, "gp_start", .flags = FIELD_STAT),
	NAMED_SUP(srcu_last_gp_end, "last_gp_end", .flags = FIELD_TIME | FIELD_STAT),
	NAMED_SUP(srcu_n_exp_nodelay, "n_exp_nodelay", .flags = FIELD_STAT),
	NAMED_SUP(srcu_barrier_seq, "barrier_seq"),
	NAMED_SUP(srcu_barrier_mutex.owner, "barrier_mutex", .flags = FIELD_OWNER),
	NAMED_SUP(srcu_barrier_completion.done, "barrier_completion"),
	NAMED_SUP(srcu_barrier_cpu_cnt.counter, "barrier_cpu_cnt"),
	NAMED_SUP(reschedule_jiffies, "reschedule_jiffies", .flags = FIELD_STAT),
	NAMED_SUP(reschedule_count, "reschedule_count", .flags = FIELD_STAT),
	NAMED_SUP(work.work.state, "work"),
	NAMED_SUP(work.timer.expires, "work.timer", .flags = FIELD_TIME),
	NAMED_SUP(work_again.work.state, "work_again"),
	NAMED_SUP(work_again.timer.expires, "work_again.timer", .flags = FIELD_TIME),
	{ 0 }
};

static const struct field sdp_fields[] = {
	{ .name = "lock_count", .offset = offsetof(struct srcu_data, srcu_lock_count),
	  .size = sizeof(atomic_long_t), .count = 2 },
	{ .name = "unlock_count", .offset = offsetof(struct srcu_data, srcu_unlock_count),
	  .size = sizeof(atomic_long_t), .count = 2 },
	NAMED_SDP(lock.owner, "lock", .flags = FIELD_OWNER),
	NAMED_SDP(srcu_cblist.len, "cblist.len"),
	NAMED_SDP(srcu_gp_seq_needed, "gp_seq_needed"),
	NAMED_SDP(srcu_gp_seq_needed_exp, "gp_seq_needed_exp"),
	NAMED_SDP(srcu_cblist_invoking, "cblist_invoking"),
	NAMED_SDP(delay_work.expires, "delay_work", .flags = FIELD_TIME),
	NAMED_SDP(work.state, "work"),
	NAMED_SDP(srcu_barrier_head.queued, "barrier_head.queued"),
	{ 0 }
};

/* --- making --- */

static bool tree_check_opts(struct world *w, const struct srcu_opts *o)
{
	if (o->size == SRCU_SIZE_OPT_BIG)
		return world_fail(w, "size: \"big\" is not available, "
				  "only \"small\" and \"auto\" are");
	return true;
}

static bool init_sdp(struct srcu *ss, struct srcu_struct *ssp, unsigned cpu)
{
	struct srcu_data *sdp = srcu_sdp(ssp, cpu);
	char *timer = srcu_name_with(ss, ":%u", cpu), *work = srcu_name_with(ss, ":cb%u", cpu);
	char *label, buf[16];

	snprintf(buf, sizeof(buf), "cpu%u", cpu);
	label = arena_strdup(ss->obj->w, buf);
	if (!timer || !work || !label ||
	    !object_describe(ss->obj, sdp, label, sdp_fields, sizeof(*sdp)))
		return false;
	spin_lock_init(&sdp->lock);
	rcu_segcblist_init(&sdp->srcu_cblist);
	init_work(&sdp->work, srcu_invoke_callbacks, work);
	timer_setup(&sdp->delay_work, srcu_delay_timer, timer);
	sdp->cpu = (int)cpu;
	sdp->ssp = ssp;
	return true;
}

static bool init_sup(struct srcu *ss, struct srcu_struct *ssp, struct srcu_usage *sup)
{
	char *work = srcu_name_with(ss, ":gp", 0), *again = srcu_name_with(ss, ":gp2", 0);

	if (!work || !again)
		return false;
	sup->srcu_size_state = SRCU_SIZE_SMALL;
	spin_lock_init(&sup->lock);
	mutex_init(&sup->srcu_cb_mutex);
	mutex_init(&sup->srcu_gp_mutex);
	mutex_init(&sup->srcu_barrier_mutex);
	init_completion(&sup->srcu_barrier_completion);
	init_delayed_work(&sup->work, process_srcu, work);
	init_delayed_work(&sup->work_again, process_srcu_again, again);
	/* a pass whose scan failed would fail at any other time too */
	sup->work.work.clock_free = 1;
	sup->work_again.work.clock_free = 1;
	sup->srcu_ssp = ssp;
	return true;
}

/*
 * Everything counts from 0, where Linux 6.12 starts gp_seq shortly before its
 * wrap: small numbers read better, and seq_bits brings the wrap within reach.
 */
static bool tree_init(struct srcu *ss, const struct srcu_opts *o)
{
	struct tree_layout *t = ss->impl;
	struct srcu_struct *ssp = &t->ssp;

	ssp->ss = ss;
	ssp->faults = o->faults;
	ssp->seq_mask = seq_mask(o->seq_bits);
	ssp->counter_mask = seq_mask(o->counter_bits);
	ssp->exp_holdoff = o->has_exp_holdoff ? o->exp_holdoff : SRCU_DEFAULT_EXP_HOLDOFF;
	ssp->sync_label = srcu_name_with(ss, ":sync", 0);
	ssp->sda = t->sda;
	ssp->srcu_sup = &t->sup;
	if (!ssp->sync_label || !init_sup(ss, ssp, &t->sup))
		return false;
	/* made by a thread: as if it had always been there, because looking at the
	 * clock would be a step, and making an object takes none */
	t->sup.srcu_last_gp_end = task_current() ? 0 : world_clock(ss->obj->w);
	for (unsigned cpu = 0; cpu < world_cpus(ss->obj->w); cpu++)
		if (!init_sdp(ss, ssp, cpu))
			return false;
	return true;
}

/* --- cleaning up --- */

/* Waits for the work items of a domain that is not in use any more.  False: a
 * callback was left on a list, because srcu_barrier() was forgotten. */
static bool tree_quiesce(struct srcu_struct *ssp)
{
	struct srcu_usage *sup = ssp->srcu_sup;
	int cpu;

	flush_delayed_work(&sup->work);
	if (srcu_fault(ssp, SRCU_FAULT_REENTRANT_WORK))
		flush_delayed_work(&sup->work_again);
	for_each_possible_cpu(cpu) {
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

static bool tree_cleanup(struct srcu *ss)
{
	struct srcu_struct *ssp = ss->impl;
	struct srcu_usage *sup = ssp->srcu_sup;

	if (WARN_ON(!srcu_get_delay(ssp)))
		return false;	/* an expedited grace period is wanted */
	if (WARN_ON(srcu_readers_active(ssp)))
		return false;
	if (!tree_quiesce(ssp))
		return false;
	if (WARN_ON(seq_state(rcu_seq_current(ssp, &sup->srcu_gp_seq)) != SRCU_STATE_IDLE) ||
	    WARN_ON(rcu_seq_current(ssp, &sup->srcu_gp_seq) != sup->srcu_gp_seq_needed) ||
	    WARN_ON(srcu_readers_active(ssp)))
		return false;
	/* from here on the domain is a freed object, for all to see */
	ss->obj->heap = true;
	kfree(ssp);
	return true;
}

/* --- the table --- */

static int tree_read_lock(struct srcu *ss) { return __srcu_read_lock(ss->impl); }
static void tree_read_unlock(struct srcu *ss, int idx) { __srcu_read_unlock(ss->impl, idx); }

static int tree_read_lock_nmisafe(struct srcu *ss)
{
	return __srcu_read_lock_nmisafe(ss->impl);
}

static void tree_read_unlock_nmisafe(struct srcu *ss, int idx)
{
	__srcu_read_unlock_nmisafe(ss->impl, idx);
}

static unsigned long tree_batches_completed(struct srcu *ss)
{
	struct srcu_struct *ssp = ss->impl;

	return READ_ONCE(ssp->srcu_idx);
}

static void tree_view(struct srcu *ss, struct srcu_view *v)
{
	static const char *const sizes[] = {
		"SMALL", "ALLOC", "WAIT_BARRIER", "WAIT_CALL", "WAIT_CBS1", "WAIT_CBS2",
		"WAIT_CBS3", "WAIT_CBS4", "BIG"
	};
	const struct srcu_struct *ssp = ss->impl;
	const struct srcu_usage *sup = ssp->srcu_sup;

	*v = (struct srcu_view){ .ncpus = world_cpus(ss->obj->w) };
	if (!sup)
		return;	/* memory ran out when it was made */
	v->has_gp_seq = v->has_counts = v->has_cblist = v->has_mutexes = v->has_size_state = true;
	v->gp_seq = sup->srcu_gp_seq;
	v->gp_seq_needed = sup->srcu_gp_seq_needed;
	v->gp_seq_needed_exp = sup->srcu_gp_seq_needed_exp;
	v->gp_state = seq_state(sup->srcu_gp_seq);
	v->srcu_idx = ssp->srcu_idx;
	v->size_state = sizes[sup->srcu_size_state];
	v->gp_mutex_owner = &sup->srcu_gp_mutex.owner;
	v->cb_mutex_owner = &sup->srcu_cb_mutex.owner;
}

static bool tree_counts(struct srcu *ss, unsigned cpu, unsigned idx, uint64_t *lock_count,
			uint64_t *unlock_count)
{
	struct srcu_struct *ssp = ss->impl;

	if (!ssp->sda || cpu >= world_cpus(ss->obj->w) || idx > 1)
		return false;
	*lock_count = (uint64_t)srcu_sdp(ssp, cpu)->srcu_lock_count[idx].counter;
	*unlock_count = (uint64_t)srcu_sdp(ssp, cpu)->srcu_unlock_count[idx].counter;
	return true;
}

static bool tree_cblist(struct srcu *ss, unsigned cpu, struct srcu_cblist_view *v)
{
	struct srcu_struct *ssp = ss->impl;
	const struct rcu_segcblist *l;

	if (!ssp->sda || cpu >= world_cpus(ss->obj->w))
		return false;
	l = &srcu_sdp(ssp, cpu)->srcu_cblist;
	*v = (struct srcu_cblist_view){
		.done = l->seg[RCU_DONE].len, .wait = l->seg[RCU_WAIT].len,
		.next_ready = l->seg[RCU_NEXT_READY].len, .next = l->seg[RCU_NEXT].len };
	return true;
}

const struct srcu_ops srcu_tree_ops = {
	.flavor = "tree",
	.impl_size = sizeof(struct tree_layout),
	.percpu_size = sizeof(struct srcu_data),
	.fields = tree_fields,
	.check_opts = tree_check_opts,
	.init = tree_init,
	.read_lock = tree_read_lock,
	.read_unlock = tree_read_unlock,
	.read_lock_nmisafe = tree_read_lock_nmisafe,
	.read_unlock_nmisafe = tree_read_unlock_nmisafe,
	.down_read = tree_read_lock,
	.up_read = tree_read_unlock,
	.synchronize = tree_synchronize,
	.synchronize_expedited = tree_synchronize_expedited,
	.call = tree_call,
	.barrier = tree_barrier,
	.get_state = tree_get_state,
	.start_poll = tree_start_poll,
	.poll_state = tree_poll_state,
	.batches_completed = tree_batches_completed,
	.cleanup = tree_cleanup,
	.view = tree_view,
	.counts = tree_counts,
	.cblist = tree_cblist,
};
