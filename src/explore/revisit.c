/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other graphs that a new event gives rise to (TruSt: Kokologiannakis, Marmanis,
 * Gladstein, Vafeiadis, POPL 2022).  Placed elsewhere among the writes it leaves the
 * others alone; a write also *revisits* reads that were there before it: the read now
 * reads from it, what was added after the read and is not in the write's past goes.
 * From several graphs the same one would arise, if it were not asked that what goes was
 * added *maximally*: only then does this graph have the right to make it.
 */
#include <config.h>

#include "explore/dpor.h"

bool push_graph(struct dpor *d, const struct gchange *c)
{
	if (!graph_derive(&d->next, &d->g, c) || !gstack_push(&d->stack, &d->next))
		return visit_oom(d);
	return true;
}

bool push_behind(struct dpor *d, struct gevent add)
{
	struct gchange c = { .add = add, .revisit = -1 };

	return push_graph(d, &c);
}

static struct gchange change_of(struct dpor *d, const struct gevent *add, uint32_t rank)
{
	return (struct gchange){ .keep = d->g.n, .po = d->po, .classes = d->classes,
				 .nclasses = d->nclasses, .add = *add, .rank = rank,
				 .revisit = -1, .where = d->where };
}

bool push_forward(struct dpor *d, const struct gevent *add, uint32_t rank)
{
	struct gchange c = change_of(d, add, rank);
	enum mm_answer answer = MM_YES;

	c.add.flags |= GF_FRESH;
	if (d->weak)
		answer = consistent_forward(d, add, rank);
	if (answer == MM_NO)
		return true;
	if (answer == MM_YES)
		return (!d->oom && push_graph(d, &c)) || visit_oom(d);
	if (!graph_derive(&d->next, &d->g, &c))
		return visit_oom(d);
	if (!consistent_next(d, &c))
		return true;
	return (!d->oom && gstack_push(&d->stack, &d->next)) || visit_oom(d);
}

/* --- maximality --- */

/* Was i there when e was added, or is it in the past of the new write? */
static bool previous(const struct dpor *d, uint32_t i, uint32_t e, const uint16_t *past)
{
	return i <= e || in_clock(d, past, i);
}

/* Is there a write (or lock) behind place `rank` of e's class that was there? */
static bool overtaken(const struct dpor *d, uint32_t e, uint32_t rank, const uint16_t *past)
{
	const struct gclass *c = &d->classes[d->g.ev[e].cls];

	for (uint32_t k = rank; k < c->n; k++)
		if (c->w[k] != e && previous(d, c->w[k], e, past))
			return true;
	return false;
}

/* But for the number that it chose: that stays when it is revisited itself. */
static bool maximal_but_choice(const struct dpor *d, uint32_t i, const uint16_t *past)
{
	const struct gevent *e = &d->g.ev[i];
	uint32_t source;

	switch (e->kind) {
	case G_STARVED:
		return false;
	case G_READ:
	case G_RMW:
		source = e->rf;
		if (source == GNONE)
			return !overtaken(d, i, 0, past);
		return previous(d, source, i, past) &&
		       !overtaken(d, i, d->g.ev[source].rank + 1u, past);
	case G_LOCK:
		source = e->rf;
		return (source == GNONE || previous(d, source, i, past)) &&
		       !overtaken(d, i, e->rank + 1u, past) && !d->revisited[i];
	case G_WRITE:
	case G_RMW_WRITE:
		return !overtaken(d, i, e->rank + 1u, past) && !d->revisited[i];
	default:
		return true;
	}
}

static bool maximal(const struct dpor *d, uint32_t i, const uint16_t *past)
{
	return d->g.ev[i].choice <= 1 && maximal_but_choice(d, i, past);
}

/* --- revisits --- */

/* A write cannot come between a read-modify-write and what it read. */
static bool splits_rmw(const struct dpor *d, const struct gchange *c, const struct gclass *cls, uint32_t k)
{
	for (; k < cls->n; k++)
		if (graph_keeps(&d->g, c, cls->w[k]))
			return d->g.ev[cls->w[k]].kind == G_RMW_WRITE;
	return false;
}

static bool try_push(struct dpor *d, const struct gchange *c)
{
	if (!graph_derive(&d->next, &d->g, c))
		return visit_oom(d);
	if (!order_find(&d->order, &d->next, d->nslots, d->nclasses, consistent_loose(d), ORDER_NO_CPUS))
		return d->order.oom ? visit_oom(d) : true;
	if (!consistent_next(d, c))
		return true;
	if (d->oom)
		return visit_oom(d);
	return gstack_push(&d->stack, &d->next) || visit_oom(d);
}

/* The number of kept events of the class before place k. */
static uint32_t kept_before(const struct dpor *d, const struct gchange *c, const struct gclass *cls,
			    uint32_t k)
{
	uint32_t n = 0;

	for (uint32_t j = 0; j < k; j++)
		n += graph_keeps(&d->g, c, cls->w[j]);
	return n;
}

/* All places of a plain write among those that stay. */
static bool revisit_by_write(struct dpor *d, struct gchange *c)
{
	const struct gclass *cls = &d->classes[c->add.cls];

	for (uint32_t k = cls->n + 1; k--;) {
		if (k < cls->n && !graph_keeps(&d->g, c, cls->w[k]))
			continue; /* the same place as the next */
		if (splits_rmw(d, c, cls, k))
			continue;
		c->rank = kept_before(d, c, cls, k);
		if (!try_push(d, c))
			return false;
	}
	return true;
}

/* A read-modify-write stands directly behind what it reads. */
static bool revisit_by_rmw(struct dpor *d, struct gchange *c)
{
	const struct gclass *cls = &d->classes[c->add.cls];
	uint16_t source = c->add.kind == G_RMW_WRITE ? d->g.ev[c->add.rf].rf : c->add.rf;
	uint32_t k = source == GNONE ? 0 : d->g.ev[source].rank + 1u;

	if (splits_rmw(d, c, cls, k))
		return true;
	c->rank = kept_before(d, c, cls, k);
	return try_push(d, c);
}

static bool revisit(struct dpor *d, uint32_t r, const struct gevent *add, const uint16_t *past)
{
	struct gchange c = change_of(d, add, 0);

	c.keep = r + 1;
	c.past = past;
	c.revisit = (int)r;
	if (add->kind != G_RMW_WRITE)
		c.add.flags |= GF_FRESH;
	if (add->kind == G_LOCK) {
		/* takes the place of the lock event, which comes next */
		c.rank = kept_before(d, &c, &d->classes[add->cls], d->g.ev[r].rank);
		return try_push(d, &c);
	}
	return add->kind == G_WRITE ? revisit_by_write(d, &c) : revisit_by_rmw(d, &c);
}

bool revisit_reads(struct dpor *d, uint32_t i, const struct gevent *add, const uint16_t *past)
{
	for (uint32_t r = i; r--;) {
		const struct gevent *e = &d->g.ev[r];

		if (in_clock(d, past, r))
			continue;
		if (!maximal_but_choice(d, r, past))
			return true;
		if (g_reads(e) && e->cls == add->cls && !revisit(d, r, add, past))
			return false;
		if (e->choice > 1)
			return true;
	}
	return true;
}

/* Is all maximal that goes if lock event r is to wait for a new one with that past? */
static bool lock_revisitable(const struct dpor *d, uint32_t r, const uint16_t *past)
{
	if (in_clock(d, past, r))
		return false;
	for (uint32_t i = d->g.n; i-- > r;)
		if (!in_clock(d, past, i) && !maximal(d, i, past))
			return false;
	return true;
}

bool revisit_locks(struct dpor *d, const struct gevent *add, const uint16_t *before)
{
	const struct gclass *c = &d->classes[add->cls];
	struct gevent e = *add;

	for (uint32_t k = c->n; k--;) {
		uint16_t prev = d->g.ev[c->w[k]].rf;

		/* the new one follows whom the old one followed */
		clock_copy(d, d->clock, before);
		if (prev != GNONE) {
			clock_join(d, d->clock, past_of(d, prev));
			if (d->unlock[prev] != GNONE)
				clock_join(d, d->clock, past_of(d, d->unlock[prev]));
		}
		e.rf = prev;
		if (lock_revisitable(d, c->w[k], d->clock) && !revisit(d, c->w[k], &e, d->clock))
			return false;
	}
	return true;
}
