/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Graphs from which no execution can come, for want of a CPU.  Which tasks shared a CPU
 * on which nothing may be preempted is judged when an execution is complete (leaf.c),
 * because a later write may still revisit what stands in the way.  But an event that was
 * not added maximally is never taken away again, and neither is its past: if these
 * events alone cannot be put into an order that respects the CPUs, nothing that follows
 * can.
 */
#include <config.h>

#include "explore/dpor.h"

#include <stdlib.h>
#include <string.h>

struct prune {
	const struct dpor *d;
	const struct graph *g;
	uint16_t *po, *early;	/* by event */
	uint16_t *clock;	/* by event */
	uint16_t *cls;		/* two by class */
	uint16_t *last;		/* by slot: last event emitted, GNONE */
	uint16_t *stays;	/* the clock of what is never taken away */
	unsigned stride;
};

static uint16_t *clock_of(const struct prune *p, uint32_t i)
{
	return p->clock + (size_t)i * p->stride;
}

/* The event as which event i, which may be a write part, is performed. */
static uint32_t step_of(const struct graph *g, uint32_t i)
{
	return g->ev[i].kind == G_RMW_WRITE ? g->ev[i].rf : i;
}

static bool stays(const struct prune *p, uint32_t i)
{
	return p->po[i] < p->stays[p->g->ev[i].task];
}

/* Is an owned CPU used by more than one task at all?  Remembers who was met on a CPU. */
static bool is_contended(const struct graph *g)
{
	uint8_t met[64] = { 0 };	/* task + 1, by CPU modulo 64; 255: several */
	bool owned[64] = { 0 };

	for (uint32_t i = 0; i < g->n; i++) {
		const struct gevent *e = &g->ev[i];
		unsigned cpu = e->cpu % 64;

		if (!g_steps(e))
			continue;
		met[cpu] = !met[cpu] || met[cpu] == e->task + 1u ? (uint8_t)(e->task + 1u) : 255;
		owned[cpu] |= e->own != 0;
		if (met[cpu] == 255 && owned[cpu])
			return true;
	}
	return false;
}

/* Can event i, whatever write comes, not be taken away?  `rank`: how many writes of its
 * class were there before it, as far as the highest place of one goes; `early`: somebody
 * who came before it reads from it. */
static bool is_fixed(const struct graph *g, uint32_t i, uint16_t rank, bool early)
{
	const struct gevent *e = &g->ev[i];

	if (e->choice > 1 || early)
		return true;
	if (g_reads(e)) {
		if (e->rf != GNONE && e->rf > i)
			return false; /* revisited: maximal, if that write is past */
		return rank > (e->rf == GNONE ? 0 : g->ev[e->rf].rank + 1u);
	}
	return (g_writes(e) || e->kind == G_LOCK) && rank > e->rank + 1u;
}

/* Clocks of program order and reads-from, in an order that agrees with them.  What is not in
 * the order, locks that are waited for, has none. */
static void find_pasts(struct prune *p)
{
	const struct order *o = &p->d->order;

	memset(p->clock, 0, p->g->n * p->stride * sizeof(*p->clock));
	for (uint32_t k = 0; k < o->n; k++) {
		uint32_t i = o->v[k];
		const struct gevent *e = &p->g->ev[i];
		uint16_t *c = clock_of(p, i), before = p->last[e->task];

		if (before != GNONE)
			clock_join(p->d, c, clock_of(p, before));
		if (e->maker != GNONE)
			clock_join(p->d, c, clock_of(p, e->maker));
		if ((g_reads(e) || e->kind == G_LOCK) && e->rf != GNONE)
			clock_join(p->d, c, clock_of(p, step_of(p->g, e->rf)));
		c[e->task] = (uint16_t)(p->po[i] + 1);
		p->last[e->task] = (uint16_t)i;
		if (e->kind == G_UNLOCK) /* whoever locks next has this in its past */
			clock_join(p->d, clock_of(p, e->rf), c);
	}
}

static void find_what_stays(struct prune *p)
{
	const struct graph *g = p->g;
	uint16_t *rank = p->cls;	/* by class, for the moment; and of events: */
	uint16_t *early = p->early;

	memset(p->stays, 0, p->stride * sizeof(*p->stays));
	memset(rank, 0, p->d->nclasses * sizeof(*rank));
	memset(early, 0, g->n * sizeof(*early));
	for (uint32_t i = 0; i < g->n; i++)
		if ((g_reads(&g->ev[i]) || g->ev[i].kind == G_LOCK) && g->ev[i].rf != GNONE &&
		    g->ev[i].rf > i)
			early[g->ev[i].rf] = 1;
	for (uint32_t i = 0; i < g->n; i++) {
		const struct gevent *e = &g->ev[i];

		if (e->kind != G_STARVED && !(e->flags & GF_WAITING) &&
		    is_fixed(g, i, rank[e->cls], early[i]))
			clock_join(p->d, p->stays, clock_of(p, step_of(g, i)));
		if ((g_writes(e) || e->kind == G_LOCK) && rank[e->cls] < e->rank + 1u)
			rank[e->cls] = (uint16_t)(e->rank + 1u);
	}
}

/* Happens-before of what stays, by what stays alone. */
static void order_what_stays(struct prune *p)
{
	const struct order *o = &p->d->order;
	size_t bytes = p->stride * sizeof(uint16_t);

	memset(p->cls, 0, 2 * bytes * p->d->nclasses);
	memset(p->last, 0xff, p->stride * sizeof(*p->last));
	for (uint32_t k = 0; k < o->n; k++) {
		uint32_t i = o->v[k];
		const struct gevent *e = &p->g->ev[i];
		uint16_t *c = clock_of(p, i), *written = p->cls + 2 * (size_t)e->cls * p->stride;
		uint16_t *touched = written + p->stride;

		if (!stays(p, i))
			continue;
		memset(c, 0, bytes);
		if (p->last[e->task] != GNONE)
			clock_join(p->d, c, clock_of(p, p->last[e->task]));
		if (e->maker != GNONE)
			clock_join(p->d, c, clock_of(p, e->maker));
		c[e->task] = (uint16_t)(p->po[i] + 1);
		p->last[e->task] = (uint16_t)i;
		if ((g_reads(e) || e->kind == G_WRITE) && consistent_is_loose(p->d, e->cls)) {
			if (g_reads(e) && e->rf != GNONE)
				clock_join(p->d, c, clock_of(p, step_of(p->g, e->rf)));
			continue;
		}
		if (e->kind == G_READ)
			clock_join(p->d, c, written);
		else if (e->kind == G_RMW || e->kind == G_WRITE || e->kind == G_LOCK)
			clock_join(p->d, c, touched);
		if (e->kind == G_READ || e->kind == G_UNLOCK)
			clock_join(p->d, touched, c);
		if (e->kind == G_RMW || e->kind == G_WRITE || e->kind == G_LOCK) {
			clock_copy(p->d, written, c);
			clock_copy(p->d, touched, c);
		}
	}
}

/* --- stretches in which a task keeps its CPU --- */

struct lanes {
	const struct dpor *d;
	const uint16_t *po, *clocks, *stays;
	uint16_t begin[UINT8_MAX + 2];	/* where the steps of each task begin in d->lane */
};

static bool counts(const struct lanes *l, uint32_t i)
{
	return !l->stays || l->po[i] < l->stays[l->d->g.ev[i].task];
}

static void find_lanes(struct lanes *l)
{
	const struct graph *g = &l->d->g;

	memset(l->begin, 0, sizeof(l->begin));
	for (uint32_t i = 0; i < g->n; i++)
		if (g_steps(&g->ev[i]))
			l->begin[g->ev[i].task + 1]++;
	for (unsigned t = 0; t <= UINT8_MAX; t++)
		l->begin[t + 1] = (uint16_t)(l->begin[t + 1] + l->begin[t]);
	for (uint32_t i = 0; i < g->n; i++)
		if (g_steps(&g->ev[i]))
			l->d->lane[l->begin[g->ev[i].task] + l->po[i]] = (uint16_t)i;
}

/* Does a step of that task stand behind the first and before the last event?  Those before
 * the last are the first of their task, those behind the first are the last. */
static bool stands_inside(const struct lanes *l, uint32_t first, uint32_t last, uint8_t level, unsigned task)
{
	const struct gevent *s = &l->d->g.ev[first];
	const uint16_t *upto = l->clocks + (size_t)last * l->d->stride;

	for (uint16_t n = upto[task]; n--;) {
		uint32_t i = l->d->lane[l->begin[task] + n];
		const struct gevent *e = &l->d->g.ev[i];

		if (!counts(l, i) || e->flags & GF_WAITING)
			continue;
		if (l->po[first] >= l->clocks[(size_t)i * l->d->stride + s->task])
			return false;
		if (e->cpu == s->cpu)
			return level >= level_of(&l->d->slots[task]);
	}
	return false;
}

static bool stretch_is_broken(const struct lanes *l, uint32_t first, uint32_t last, uint8_t level)
{
	for (unsigned t = 0; t < l->d->nslots; t++)
		if (t != l->d->g.ev[first].task && stands_inside(l, first, last, level, t))
			return true;
	return false;
}

bool prune_breaks(const struct dpor *d, const uint16_t *po, const uint16_t *clocks, const uint16_t *stays)
{
	struct lanes l = { .d = d, .po = po, .clocks = clocks, .stays = stays };

	find_lanes(&l);
	for (uint32_t i = 0; i < d->g.n; i++) {
		const struct gevent *e = &d->g.ev[i];
		uint8_t level = e->own;
		uint32_t last = i;

		if (!e->own || !g_steps(e) || !counts(&l, i))
			continue;
		for (uint32_t k = l.begin[e->task] + po[i] + 1u; k < l.begin[e->task + 1u] && d->g.ev[last].own; k++) {
			uint32_t j = d->lane[k];

			if (!counts(&l, j))
				break;
			last = j;
			if (d->g.ev[j].own && d->g.ev[j].own < level)
				level = d->g.ev[j].own;
		}
		if (last != i && stretch_is_broken(&l, i, last, level))
			return true;
	}
	return false;
}

/* --- */

static bool make_room(struct dpor *d, struct prune *p)
{
	size_t n = d->g.n + 1, words = 2 * n + n * d->stride + 2 * (size_t)d->nclasses * d->stride +
				       2 * (size_t)d->stride;

	if (d->prune_size < words) {
		uint16_t *m = realloc(d->prune_mem, 2 * words * sizeof(*m));

		if (!m)
			return false;
		d->prune_mem = m;
		d->prune_size = 2 * words;
	}
	p->po = d->prune_mem;
	p->early = p->po + n;
	p->clock = p->early + n;
	p->cls = p->clock + n * d->stride;
	p->last = p->cls + 2 * (size_t)d->nclasses * d->stride;
	p->stays = p->last + d->stride;
	memset(p->last, 0, d->stride * sizeof(*p->last));
	return true;
}

bool prune_hopeless(struct dpor *d)
{
	struct prune p = { .d = d, .g = &d->g, .stride = d->stride };

	if (!is_contended(&d->g) || !make_room(d, &p) ||
	    !order_find(&d->order, &d->g, d->nslots, d->nclasses, consistent_loose(d), ORDER_NO_CPUS))
		return false;
	/* program order: the number of events of each task before */
	for (uint32_t i = 0; i < d->g.n; i++) {
		const struct gevent *e = &d->g.ev[i];

		if (g_steps(e))
			p.po[i] = p.last[e->task]++;
		else
			p.po[i] = e->kind == G_RMW_WRITE ? p.po[e->rf] : p.last[e->task];
	}
	memset(p.last, 0xff, d->stride * sizeof(*p.last));
	find_pasts(&p);
	find_what_stays(&p);
	order_what_stays(&p);
	return prune_breaks(d, p.po, p.clock, p.stays);
}
