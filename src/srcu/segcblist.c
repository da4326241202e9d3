/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segmented callback lists: see segcblist.h.  Each segment is a queue of its
 * own, and moving callbacks between segments is joining queues.
 *
 * What holds between calls: RCU_WAIT is empty only if RCU_NEXT_READY is, and
 * gp_seq[RCU_WAIT] comes before gp_seq[RCU_NEXT_READY] while both are in use.
 */
#include <config.h>

#include "srcu/segcblist.h"
#include "srcu/seq.h"

void rcu_cblist_init(struct rcu_cblist *l)
{
	*l = (struct rcu_cblist){ 0 };
}

static void cblist_append(struct rcu_cblist *l, struct rcu_head *head)
{
	head->next = NULL;
	if (l->head)
		l->last->next = head;
	else
		l->head = head;
	l->last = head;
	l->len++;
}

struct rcu_head *rcu_cblist_dequeue(struct rcu_cblist *l)
{
	struct rcu_head *head = l->head;

	if (!head)
		return NULL;
	l->head = head->next;
	l->len--;
	return head;
}

/* Moves everything in `from` to the end of `to`. */
static void cblist_join(struct rcu_cblist *to, struct rcu_cblist *from)
{
	if (!from->head)
		return;
	if (to->head)
		to->last->next = from->head;
	else
		to->head = from->head;
	to->last = from->last;
	to->len += from->len;
	rcu_cblist_init(from);
}

void rcu_segcblist_init(struct rcu_segcblist *l)
{
	*l = (struct rcu_segcblist){ 0 };
}

bool rcu_segcblist_restempty(const struct rcu_segcblist *l, enum rcu_segment i)
{
	for (i++; i < RCU_NSEGS; i++)
		if (l->seg[i].head)
			return false;
	return true;
}

void rcu_segcblist_add_len(struct rcu_segcblist *l, long n)
{
	l->len += n;
}

void rcu_segcblist_enqueue(struct rcu_segcblist *l, struct rcu_head *head)
{
	cblist_append(&l->seg[RCU_NEXT], head);
	l->len++;
}

void rcu_segcblist_advance(struct rcu_segcblist *l, unsigned long seq, unsigned long mask)
{
	int i;

	for (i = RCU_WAIT; i <= RCU_NEXT_READY; i++) {
		if (!l->seg[i].head)
			continue;
		if (seq_lt(seq, l->gp_seq[i], mask))
			break;
		cblist_join(&l->seg[RCU_DONE], &l->seg[i]);
	}
	if (!l->seg[RCU_WAIT].head && l->seg[RCU_NEXT_READY].head) {
		cblist_join(&l->seg[RCU_WAIT], &l->seg[RCU_NEXT_READY]);
		l->gp_seq[RCU_WAIT] = l->gp_seq[RCU_NEXT_READY];
	}
}

bool rcu_segcblist_accelerate(struct rcu_segcblist *l, unsigned long seq, unsigned long mask)
{
	int to, i;

	/* behind the last segment that an earlier grace period will free */
	for (to = RCU_NEXT_READY; to > RCU_DONE; to--)
		if (l->seg[to].head && seq_lt(l->gp_seq[to], seq, mask))
			break;
	to++;
	if (to == RCU_NEXT || rcu_segcblist_restempty(l, to - 1))
		return false;
	for (i = to + 1; i <= RCU_NEXT; i++)
		cblist_join(&l->seg[to], &l->seg[i]);
	l->gp_seq[to] = seq;
	return true;
}

bool rcu_segcblist_entrain(struct rcu_segcblist *l, struct rcu_head *head)
{
	int i = RCU_NEXT;

	if (!l->len)
		return false;
	/* all empty: every callback is being invoked, and this one comes next */
	while (i > RCU_DONE && !l->seg[i].head)
		i--;
	cblist_append(&l->seg[i], head);
	l->len++;
	return true;
}

void rcu_segcblist_extract_done_cbs(struct rcu_segcblist *l, struct rcu_cblist *ready)
{
	cblist_join(ready, &l->seg[RCU_DONE]);
}
