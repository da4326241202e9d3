/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tree SRCU, the ends of a domain's life: how it is laid out and made, made ready
 * at its first use, and when it may be cleaned up.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>

#include "srcu/tree.h"
#include "srcu/tree_seq.h"
#include "srcu/wait.h"

#include "engine/world.h"

#define SRCU_DEFAULT_EXP_HOLDOFF 25000	/* ns */
#define SRCU_BIG_CPU_LIM	128	/* "auto": from so many CPUs on it is big at once */
#define SRCU_CONTENTION_LIM	100
/* A node's slots tell grace periods apart that are at most this far from another: with
 * fewer bits one that is over could not be told from the same slot's next. */
#define SRCU_TREE_SEQ_BITS_MIN	5

#define NAMED(type, member, name_, ...)						\
	{ .name = (name_), .offset = offsetof(type, member),			\
	  .size = sizeof(((type *)0)->member), ##__VA_ARGS__ }
#define NAMED_SUP(member, name_, ...) \
	NAMED(struct tree_layout, sup.member, name_, ##__VA_ARGS__)
#define NAMED_SDP(member, name_, ...) \
	NAMED(struct srcu_data, member, name_, ##__VA_ARGS__)

const struct field srcu_tree_fields[] = {
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

static const struct field node_fields[] = {
	{ .name = "lock", .offset = offsetof(struct srcu_node, lock.owner), .size = 8,
	  .flags = FIELD_OWNER },
	{ .name = "have_cbs", .offset = offsetof(struct srcu_node, srcu_have_cbs),
	  .size = sizeof(long), .count = SRCU_SNP_SLOTS },
	{ .name = "data_have_cbs", .offset = offsetof(struct srcu_node, srcu_data_have_cbs),
	  .size = sizeof(long), .count = SRCU_SNP_SLOTS, .flags = FIELD_HEX },
	{ .name = "gp_seq_needed_exp",
	  .offset = offsetof(struct srcu_node, srcu_gp_seq_needed_exp), .size = sizeof(long) },
	{ 0 }
};

/* --- making --- */

static bool seq_bits_for_tree(const struct srcu_opts *o)
{
	return !o->seq_bits || o->seq_bits >= SRCU_TREE_SEQ_BITS_MIN;
}

/* Does it have a tree from the start? */
static bool born_big(struct world *w, const struct srcu_opts *o)
{
	if (o->size == SRCU_SIZE_OPT_AUTO)
		return world_cpus(w) >= SRCU_BIG_CPU_LIM && seq_bits_for_tree(o);
	return o->size == SRCU_SIZE_OPT_BIG;
}

bool tree_check_opts(struct world *w, const struct srcu_ops *ops, const struct srcu_opts *o)
{
	(void)ops;
	if (born_big(w, o) && !seq_bits_for_tree(o))
		return world_fail(w, "seq_bits: a big domain needs %d or more, not %u",
				  SRCU_TREE_SEQ_BITS_MIN, o->seq_bits);
	return true;
}

static void tree_geometry(struct world *w, const struct srcu_opts *o, struct srcu_geometry *g)
{
	srcu_geometry_init(g, world_cpus(w), o->fanout, o->fanout_leaf);
}

size_t tree_extra_size(struct world *w, const struct srcu_opts *o)
{
	struct srcu_geometry g;

	tree_geometry(w, o, &g);
	return g.nnodes * sizeof(struct srcu_node);
}

static bool init_sdp(struct srcu *ss, struct srcu_struct *ssp, unsigned cpu)
{
	struct srcu_data *sdp = srcu_sdp(ssp, cpu);
	char *timer = srcu_name_with(ss, ":%u", cpu), *work = srcu_name_with(ss, ":cb%u", cpu);

	if (!timer || !work)
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

/* What the options say, and where things lie. */
static bool init_constants(struct srcu *ss, struct tree_layout *t, const struct srcu_opts *o)
{
	struct srcu_struct *ssp = &t->ssp;
	struct world *w = ss->obj->w;
	const struct srcu_geometry *g = &t->sup.geometry;

	ssp->ss = ss;
	ssp->ncpus = world_cpus(w);
	ssp->faults = o->faults;
	ssp->seq_mask = seq_mask(o->seq_bits);
	ssp->counter_mask = seq_mask(o->counter_bits);
	ssp->exp_holdoff = o->has_exp_holdoff ? o->exp_holdoff : SRCU_DEFAULT_EXP_HOLDOFF;
	ssp->born_big = born_big(w, o);
	ssp->contend = o->size == SRCU_SIZE_OPT_AUTO && !ssp->born_big &&
		       seq_bits_for_tree(o);
	ssp->small_contention_lim = o->has_contention_lim ? o->contention_lim :
							    SRCU_CONTENTION_LIM;
	ssp->sync_label = srcu_name_with(ss, ":sync", 0);
	ssp->sda = t->sda;
	ssp->srcu_sup = &t->sup;
	tree_geometry(w, o, &t->sup.geometry);
	t->sup.node = (struct srcu_node *)&t->sda[ssp->ncpus];
	return ssp->sync_label &&
	       object_describe_run(ss->obj, t->sda, "cpu", sdp_fields, sizeof(*t->sda),
				   ssp->ncpus) &&
	       object_describe_run(ss->obj, t->sup.node, "node", node_fields,
				   sizeof(*t->sup.node), g->nnodes);
}

/*
 * Everything counts from 0, where Linux 6.12 starts gp_seq shortly before its
 * wrap: small numbers read better, and seq_bits brings the wrap within reach.
 * A static domain lacks what its first use adds (srcu_init_fields()), and the state
 * in srcu_gp_seq_needed, which no request can have, says so.
 */
bool tree_init(struct srcu *ss, const struct srcu_opts *o)
{
	struct tree_layout *t = ss->impl;
	struct srcu_struct *ssp = &t->ssp;

	if (!init_constants(ss, t, o) || !init_sup(ss, ssp, &t->sup))
		return false;
	for (unsigned cpu = 0; cpu < ssp->ncpus; cpu++)
		if (!init_sdp(ss, ssp, cpu))
			return false;
	if (o->is_static) {
		t->sup.srcu_gp_seq_needed = (0 - 1ul) & ssp->seq_mask;
		return true;
	}
	/* made by a thread: as if it had always been there, because looking at the
	 * clock would be a step, and making an object takes none */
	t->sup.srcu_last_gp_end = task_current() ? 0 : world_clock(ss->obj->w);
	if (ssp->born_big) {
		srcu_init_nodes(ssp);
		t->sup.srcu_size_state = SRCU_SIZE_BIG;
	}
	return true;
}

/* The rest of making a domain, as steps.  Under the lock of a static domain's first use,
 * too, a tree is made at once: the kernel takes atomic memory for it there. */
static void srcu_init_fields(struct srcu_struct *ssp)
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

void tree_init_struct(struct srcu *ss)
{
	srcu_init_fields(ss->impl);
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

bool tree_cleanup(struct srcu *ss)
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
