/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An interrupt that spins for a lock whose holder it struck.  The holder, which would
 * release it, cannot run: the CPU is the interrupt's.  No later write makes that right,
 * so nothing would ever lead back to it; it gets a graph of its own when the interrupt
 * comes to the lock in any order.
 */
#include <config.h>

#include "explore/dpor.h"

#include <string.h>

/* May all that is not in the clock go? */
static bool rest_is_maximal(const struct dpor *d, const uint16_t *clock)
{
	for (uint32_t i = d->g.n; i--;)
		if (!in_clock(d, clock, i) && !revisit_maximal(d, i, clock))
			return false;
	return true;
}

/* Is j, in the clock, the last of its chain there, and not ended? */
static bool still_held(const struct dpor *d, uint16_t j, const uint16_t *clock)
{
	const struct gclass *c = &d->classes[d->g.ev[j].cls];

	if (d->unlock[j] != GNONE && in_clock(d, clock, d->unlock[j]))
		return false;
	for (uint32_t k = d->g.ev[j].rank + 1u; k < c->n; k++)
		if (in_clock(d, clock, c->w[k]))
			return false;
	return true;
}

static bool push_behind(struct dpor *d, const struct gevent *add, uint16_t j, const uint16_t *clock)
{
	struct gchange c = { .keep = 0, .past = clock, .po = d->po, .classes = d->classes,
			     .nclasses = d->nclasses, .add = *add, .revisit = -1, .where = d->where };

	c.add.rf = j;
	c.add.flags = GF_WAITING | GF_FRESH;
	for (uint32_t k = 0; k <= d->g.ev[j].rank; k++)
		c.rank += graph_keeps(&d->g, &c, d->classes[add->cls].w[k]);
	if (!graph_derive(&d->next, &d->g, &c))
		return visit_oom(d);
	if (!order_find(&d->order, &d->next, d->nslots, d->nclasses, ORDER_CPUS))
		return d->order.oom ? visit_oom(d) : true;
	return gstack_push(&d->stack, &d->next) || visit_oom(d);
}

bool stuck_push(struct dpor *d, const struct gevent *add, const uint16_t *before)
{
	const struct gclass *c = &d->classes[add->cls];
	const struct task *t = d->slots[add->task].t;

	if (!t->ctx.irq && !t->ctx.bh)
		return true;
	for (uint32_t k = 0; k < c->n; k++) {
		uint16_t j = c->w[k];
		const struct gevent *e = &d->g.ev[j];

		/* with nobody waiting behind it: what it reads is the end of the chain anyway */
		if (e->task == add->task || e->cpu != add->cpu || e->flags & GF_WAITING)
			continue;
		memcpy(d->clock, before, d->stride * sizeof(*before));
		clock_join(d, d->clock, past_of(d, j));
		if (still_held(d, j, d->clock) && d->unlock[j] != GNONE && rest_is_maximal(d, d->clock) &&
		    !push_behind(d, add, j, d->clock))
			return false;
	}
	return true;
}

bool stuck_by_own_lock(const struct dpor *d, unsigned slot)
{
	const struct task *owner = d->w->cpu_owner[d->slots[slot].t->cpu];

	for (unsigned k = 0; owner && k < d->nslots; k++) {
		const struct dslot *s = &d->slots[k];
		const struct gevent *e = s->t == owner && s->waiting && s->last != GNONE ?
						 &d->g.ev[s->last] : NULL;

		if (e && e->kind == G_LOCK && e->rf != GNONE && d->g.ev[e->rf].task == slot &&
		    d->unlock[e->rf] == GNONE)
			return true;
	}
	return false;
}
