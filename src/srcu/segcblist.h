/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segmented callback lists, as each CPU of an SRCU domain has one: callbacks in
 * the order of their posting, cut into four segments by the grace period that
 * each of them waits for.  A lock of the owner protects a list; nothing here is
 * a step.
 */
#ifndef SRCUSH_SRCU_SEGCBLIST_H
#define SRCUSH_SRCU_SEGCBLIST_H

#include <k/domain.h>

/* The segments, oldest callbacks first. */
enum rcu_segment {
	RCU_DONE,	/* their grace period is over: ready to be invoked */
	RCU_WAIT,	/* wait for gp_seq[RCU_WAIT], mostly the one in progress */
	RCU_NEXT_READY,	/* wait for gp_seq[RCU_NEXT_READY], mostly the one after */
	RCU_NEXT,	/* no grace period assigned yet */
	RCU_NSEGS
};

/* A plain queue of callbacks. */
struct rcu_cblist {
	struct rcu_head *head;
	struct rcu_head *last;	/* meaningful while head is not NULL */
	long len;
};

struct rcu_segcblist {
	struct rcu_cblist seg[RCU_NSEGS];
	unsigned long gp_seq[RCU_NSEGS]; /* of RCU_WAIT and RCU_NEXT_READY */
	long len;		/* all callbacks, those being invoked included */
};

void rcu_cblist_init(struct rcu_cblist *l);
/* Takes the oldest callback off; NULL when there is none. */
struct rcu_head *rcu_cblist_dequeue(struct rcu_cblist *l);

void rcu_segcblist_init(struct rcu_segcblist *l);

/* Appends a new callback, with no grace period assigned. */
void rcu_segcblist_enqueue(struct rcu_segcblist *l, struct rcu_head *head);

/*
 * Grace period `seq` is over: callbacks that waited for it or for an earlier
 * one become ready, the others move up.  `mask` as in srcu/seq.h.
 */
void rcu_segcblist_advance(struct rcu_segcblist *l, unsigned long seq, unsigned long mask);

/*
 * Callbacks posted by now may run once `seq` is over: assigns it to all that
 * have no grace period or a later one.  False when nothing was assigned:
 * there is no such callback, or both waiting segments are taken by earlier
 * grace periods (an advance would have freed one).
 */
bool rcu_segcblist_accelerate(struct rcu_segcblist *l, unsigned long seq, unsigned long mask);

/*
 * Appends a callback that need not wait for a grace period of its own, only for
 * every callback posted before it: it joins the last segment in use.  False,
 * and nothing done, when the list has none.
 */
bool rcu_segcblist_entrain(struct rcu_segcblist *l, struct rcu_head *head);

/* Moves the ready callbacks to the end of `ready`.  They stay counted in l->len
 * until rcu_segcblist_add_len() says that they have been invoked. */
void rcu_segcblist_extract_done_cbs(struct rcu_segcblist *l, struct rcu_cblist *ready);
void rcu_segcblist_add_len(struct rcu_segcblist *l, long n);

static inline bool rcu_segcblist_segempty(const struct rcu_segcblist *l, enum rcu_segment i)
{
	return !l->seg[i].head;
}

/* Is every segment behind i empty? */
bool rcu_segcblist_restempty(const struct rcu_segcblist *l, enum rcu_segment i);

/* Are there callbacks to be invoked?  Any that still wait? */
static inline bool rcu_segcblist_ready_cbs(const struct rcu_segcblist *l)
{
	return !rcu_segcblist_segempty(l, RCU_DONE);
}

static inline bool rcu_segcblist_pend_cbs(const struct rcu_segcblist *l)
{
	return !rcu_segcblist_restempty(l, RCU_DONE);
}

/* Callbacks in the list and being invoked. */
static inline long rcu_segcblist_n_cbs(const struct rcu_segcblist *l) { return l->len; }

#endif
