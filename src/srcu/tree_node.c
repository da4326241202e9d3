/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tree SRCU, the combining tree.  Requests for a grace period climb from their
 * CPU's leaf and stop at the first node that has been asked for it already, so
 * that few of many come to the top.  The end of a grace period goes through all
 * nodes and finds in the leaves' masks which CPUs have callbacks to invoke.
 */
#include <config.h>

#include "srcu/tree.h"
#include "srcu/tree_seq.h"

static void init_node(struct srcu_node *snp)
{
	*snp = (struct srcu_node){ .srcu_gp_seq_needed_exp = SRCU_INVALID_SEQ,
				   .grplo = -1, .grphi = -1 };
	spin_lock_init(&snp->lock);
	for (int i = 0; i < SRCU_SNP_SLOTS; i++)
		snp->srcu_have_cbs[i] = SRCU_INVALID_SEQ;
}

void srcu_init_nodes(struct srcu_struct *ssp)
{
	struct srcu_usage *sup = ssp->srcu_sup;
	const struct srcu_geometry *g = &sup->geometry;
	unsigned leaves = g->nlevels - 1;

	for (unsigned level = 0; level < g->nlevels; level++)
		for (unsigned i = 0; i < g->count[level]; i++) {
			struct srcu_node *snp = &sup->node[g->first[level] + i];

			init_node(snp);
			if (level)
				snp->srcu_parent = &sup->node[g->first[level - 1] +
							      i / g->spread[level - 1]];
		}
	for (unsigned cpu = 0; cpu < ssp->ncpus; cpu++) {
		struct srcu_data *sdp = srcu_sdp(ssp, cpu);
		struct srcu_node *snp;

		sdp->mynode = &sup->node[g->first[leaves] + cpu / g->spread[leaves]];
		for (snp = sdp->mynode; snp; snp = snp->srcu_parent) {
			if (snp->grplo < 0)
				snp->grplo = (int)cpu;
			snp->grphi = (int)cpu;
		}
		sdp->grpmask = 1ul << ((int)cpu - sdp->mynode->grplo);
	}
}

/* Has a node been asked for s or a later one? */
static bool srcu_node_reached(struct srcu_struct *ssp, unsigned long seen, unsigned long s)
{
	return seen != SRCU_INVALID_SEQ && seq_ge(seen, s, ssp->seq_mask);
}

/* Records at snp that s is expedited; false: it was recorded before. */
static bool srcu_node_expedite(struct srcu_struct *ssp, struct srcu_node *snp, unsigned long s)
{
	unsigned long flags;
	bool first;

	if (srcu_node_reached(ssp, READ_ONCE(snp->srcu_gp_seq_needed_exp), s))
		return false;
	spin_lock_irqsave_rcu_node(snp, flags);
	first = !srcu_node_reached(ssp, snp->srcu_gp_seq_needed_exp, s);
	if (first)
		WRITE_ONCE(snp->srcu_gp_seq_needed_exp, s);
	spin_unlock_irqrestore_rcu_node(snp, flags);
	return first;
}

void srcu_funnel_exp_start(struct srcu_struct *ssp, struct srcu_node *snp, unsigned long s)
{
	struct srcu_usage *sup = ssp->srcu_sup;
	unsigned long flags;

	for (; snp; snp = snp->srcu_parent)
		if (WARN_ON_ONCE(rcu_seq_done(ssp, &sup->srcu_gp_seq, s)) ||
		    !srcu_node_expedite(ssp, snp, s))
			return;
	spin_lock_irqsave_sup_contention(sup, &flags);
	if (seq_lt(sup->srcu_gp_seq_needed_exp, s, ssp->seq_mask))
		WRITE_ONCE(sup->srcu_gp_seq_needed_exp, s);
	spin_unlock_irqrestore_rcu_node(sup, flags);
}

static unsigned srcu_slot(unsigned long s)
{
	return seq_ctr(s) % SRCU_SNP_SLOTS;
}

/* What the request finds at a node: the number in its slot, or SRCU_INVALID_SEQ
 * if it is the first there and has recorded itself. */
static unsigned long srcu_node_request(struct srcu_struct *ssp, struct srcu_node *snp,
				       unsigned long grpmask, unsigned long s, bool do_norm)
{
	unsigned long *have = &snp->srcu_have_cbs[srcu_slot(s)], found, flags;

	spin_lock_irqsave_rcu_node(snp, flags);
	found = *have;
	if (!srcu_node_reached(ssp, found, s)) {
		*have = s;
		if (!do_norm && !srcu_node_reached(ssp, snp->srcu_gp_seq_needed_exp, s))
			WRITE_ONCE(snp->srcu_gp_seq_needed_exp, s);
		found = SRCU_INVALID_SEQ;
	}
	/* grpmask: 0 but at the leaf.  Once s has ended a mark would come too late. */
	if (*have == s)
		snp->srcu_data_have_cbs[srcu_slot(s)] |= grpmask;
	spin_unlock_irqrestore_rcu_node(snp, flags);
	return found;
}

/* Climbs the tree.  True: nobody has been at the root with s yet. */
static bool srcu_funnel_climb(struct srcu_struct *ssp, struct srcu_data *sdp, unsigned long s,
			      bool do_norm)
{
	struct srcu_node *leaf = sdp->mynode, *snp;

	for (snp = leaf; snp; snp = snp->srcu_parent) {
		unsigned long found;

		/* s needs us to end, so this is for those who broke the rules; the
		 * leaf is visited all the same, for the callbacks' sake */
		if (WARN_ON_ONCE(rcu_seq_done(ssp, &ssp->srcu_sup->srcu_gp_seq, s)) && snp != leaf)
			return false;
		found = srcu_node_request(ssp, snp, snp == leaf ? sdp->grpmask : 0, s, do_norm);
		if (found == SRCU_INVALID_SEQ)
			continue;
		if (snp == leaf && found != s) /* over: nobody else will */
			srcu_schedule_cbs_sdp(sdp, do_norm ? SRCU_INTERVAL : 0);
		else if (!do_norm)
			srcu_funnel_exp_start(ssp, snp, s);
		return false;
	}
	return true;
}

void srcu_funnel_gp_start(struct srcu_struct *ssp, struct srcu_data *sdp, unsigned long s,
			  bool do_norm)
{
	struct srcu_usage *sup = ssp->srcu_sup;
	unsigned long mask = ssp->seq_mask, flags;

	/* acquire: the tree is complete for whoever sees that it is there */
	if (smp_load_acquire(&sup->srcu_size_state) >= SRCU_SIZE_WAIT_BARRIER &&
	    !srcu_funnel_climb(ssp, sdp, s, do_norm))
		return;
	spin_lock_irqsave_sup_contention(sup, &flags);
	if (seq_lt(sup->srcu_gp_seq_needed, s, mask))
		smp_store_release(&sup->srcu_gp_seq_needed, s);
	if (!do_norm && seq_lt(sup->srcu_gp_seq_needed_exp, s, mask))
		WRITE_ONCE(sup->srcu_gp_seq_needed_exp, s);
	if (!WARN_ON_ONCE(rcu_seq_done(ssp, &sup->srcu_gp_seq, s)) &&
	    seq_state(sup->srcu_gp_seq) == SRCU_STATE_IDLE) {
		srcu_gp_start(ssp);
		srcu_queue_gp_work(ssp, !!srcu_get_delay(ssp));
	}
	spin_unlock_irqrestore_rcu_node(sup, flags);
}

/* Has the leaf's CPUs that `mask` names invoke their callbacks. */
static void srcu_schedule_cbs_snp(struct srcu_struct *ssp, struct srcu_node *snp,
				  unsigned long mask, unsigned long delay)
{
	for (int cpu = snp->grplo; cpu <= snp->grphi; cpu++)
		if (mask & (1ul << (cpu - snp->grplo)))
			srcu_schedule_cbs_sdp(srcu_sdp(ssp, (unsigned)cpu), delay);
}

void srcu_end_in_nodes(struct srcu_struct *ssp, int size_state, unsigned long gp_seq,
		       unsigned long delay)
{
	struct srcu_usage *sup = ssp->srcu_sup;
	const struct srcu_geometry *g = &sup->geometry;
	unsigned slot = srcu_slot(gp_seq), leaves = g->first[g->nlevels - 1];
	bool big = size_state == SRCU_SIZE_BIG;

	for (unsigned i = 0; i < g->nnodes; i++) {
		struct srcu_node *snp = &sup->node[i];
		unsigned long mask = 0;

		spin_lock_irq_rcu_node(snp);
		if (i >= leaves && !big)
			mask = ~0ul;
		else if (i >= leaves && snp->srcu_have_cbs[slot] == gp_seq)
			mask = snp->srcu_data_have_cbs[slot];
		/* later than any request for it: who still comes finds it over */
		snp->srcu_have_cbs[slot] = seq_with_state(gp_seq, 1);
		snp->srcu_data_have_cbs[slot] = 0;
		if (!srcu_node_reached(ssp, snp->srcu_gp_seq_needed_exp, gp_seq))
			WRITE_ONCE(snp->srcu_gp_seq_needed_exp, gp_seq);
		spin_unlock_irq_rcu_node(snp);
		if (mask)	/* only of leaves, which have no more CPUs than a mask has bits */
			srcu_schedule_cbs_snp(ssp, snp, mask, delay);
	}
}
