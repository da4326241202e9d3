/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tree SRCU, the look from outside: what can be seen of a domain, without a step,
 * and the table that makes an implementation of all of tree.h.
 */
#include <config.h>

#include "srcu/tree.h"
#include "srcu/tree_fast.h"
#include "srcu/tree_make.h"
#include "srcu/tree_seq.h"

#include "engine/world.h"

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
	v->uninitialised = seq_state(sup->srcu_gp_seq_needed) != 0;
	if (sup->srcu_size_state >= SRCU_SIZE_WAIT_BARRIER) {
		v->nnodes = sup->geometry.nnodes;
		v->nlevels = sup->geometry.nlevels;
	}
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
	tree_fast_counts(ssp, cpu, idx, lock_count, unlock_count);
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

static bool tree_node(struct srcu *ss, unsigned i, struct srcu_node_view *v)
{
	struct srcu_struct *ssp = ss->impl;
	const struct srcu_usage *sup = ssp->srcu_sup;
	const struct srcu_geometry *g = &sup->geometry;
	const struct srcu_node *snp;

	if (sup->srcu_size_state < SRCU_SIZE_WAIT_BARRIER || i >= g->nnodes)
		return false;
	snp = &sup->node[i];
	*v = (struct srcu_node_view){ .lo = snp->grplo, .hi = snp->grphi,
		.parent = snp->srcu_parent ? (int)(snp->srcu_parent - sup->node) : -1 };
	while (v->level + 1 < g->nlevels && i >= g->first[v->level + 1])
		v->level++;
	v->has_needed_exp = snp->srcu_gp_seq_needed_exp != SRCU_INVALID_SEQ;
	v->needed_exp = snp->srcu_gp_seq_needed_exp;
	for (unsigned k = 0; k < SRCU_SNP_SLOTS; k++) {
		v->has_cbs[k] = snp->srcu_have_cbs[k] != SRCU_INVALID_SEQ;
		v->have_cbs[k] = snp->srcu_have_cbs[k];
		v->data_have_cbs[k] = snp->srcu_data_have_cbs[k];
	}
	return true;
}

#define TREE_OPS(flavor_, extra_size_, check_opts_, init_)			\
	.flavor = flavor_,							\
	.impl_size = sizeof(struct tree_layout),				\
	.percpu_size = sizeof(struct srcu_data),				\
	.extra_size = extra_size_,						\
	.fields = srcu_tree_fields,						\
	.check_opts = check_opts_,						\
	.init = init_,								\
	.init_struct = tree_init_struct,					\
	.synchronize = tree_synchronize,					\
	.synchronize_expedited = tree_synchronize_expedited,			\
	.call = tree_call,							\
	.barrier = tree_barrier,						\
	.get_state = tree_get_state,						\
	.start_poll = tree_start_poll,						\
	.poll_state = tree_poll_state,						\
	.batches_completed = tree_batches_completed,				\
	.cleanup = tree_cleanup,						\
	.view = tree_view,							\
	.counts = tree_counts,							\
	.cblist = tree_cblist,							\
	.node = tree_node

const struct srcu_ops srcu_tree_ops = {
	TREE_OPS("tree", tree_extra_size, tree_check_opts, tree_init),
	.read_lock = tree_read_lock,
	.read_unlock = tree_read_unlock,
	.read_lock_nmisafe = tree_read_lock_nmisafe,
	.read_unlock_nmisafe = tree_read_unlock_nmisafe,
	.down_read = tree_read_lock,
	.up_read = tree_read_unlock,
};

const struct srcu_ops srcu_fast_ops = {
	TREE_OPS("fast", tree_fast_extra_size, tree_fast_check_opts, tree_fast_init),
	.read_lock = tree_fast_read_lock,
	.read_unlock = tree_fast_read_unlock,
	.read_lock_nmisafe = tree_fast_read_lock,
	.read_unlock_nmisafe = tree_fast_read_unlock,
	.down_read = tree_fast_read_lock,
	.up_read = tree_fast_read_unlock,
};
