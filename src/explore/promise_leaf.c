/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of an execution with promises: has each been kept, may what then remains be, and
 * has it been counted before?  And what is there to promise, of what it stored?
 */
#include <config.h>

#include "explore/dpor.h"
#include "explore/promise.h"

#include <stdlib.h>
#include <string.h>

/* --- scratch --- */

static uint64_t hash_name(const char *s)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3u;
	return h;
}

/* By slot the hash of its name, which is the same in all explorations. */
static bool prepare(struct dpor *d)
{
	struct promising *p = d->x->promising;
	size_t need = 2 * (size_t)d->g.n + d->nslots + 1; /* locks are two events of the model */

	if (need > p->scratch_cap) {
		if (!visit_resize(&p->event, 2 * need * sizeof(*p->event)) || !visit_resize(&p->keeper, 2 * need * sizeof(*p->keeper)) ||
		    !visit_resize(&p->named, 2 * need * sizeof(*p->named)) ||
		    !visit_resize(&p->at_step, 2 * need * sizeof(*p->at_step))) {
			d->oom = true;
			return false;
		}
		p->scratch_cap = 2 * need;
	}
	for (unsigned k = 0; k < d->nslots; k++)
		p->named[k] = hash_name(d->slots[k].name);
	d->oom |= !promise_deps_note(d);
	return !d->oom;
}

void promise_leaf_release(struct promising *p)
{
	free(p->event);
	free(p->keeper);
	free(p->named);
	free(p->at_step);
}

/* --- what there is to promise --- */

/* Of what event w of the graph stored, behind a load of `before`. */
static bool offer(struct dpor *d, uint32_t before, uint16_t w)
{
	const struct dinfo *at = &d->info[w];
	struct promising *p = d->x->promising;
	uint64_t task = p->named[d->g.ev[w].task];
	struct offer *o;

	for (size_t i = 0; i < p->noffers; i++) {
		o = &p->offers[i];
		if (o->loc != at->loc || o->value != at->stored || o->size != at->size || o->task != task ||
		    o->before != before)
			continue;
		o->now += o->last != w;
		o->last = w;
		if (o->now > o->times)
			o->times = o->now;
		return true;
	}
	if (!grow(&p->offers, &p->offers_cap, p->noffers + 1, sizeof(*o)))
		return false;
	p->offers[p->noffers++] = (struct offer){ .loc = at->loc, .size = at->size, .value = at->stored, .last = w,
						  .before = before, .task = task, .times = 1, .now = 1 };
	return true;
}

static bool wish(struct promising *p, struct wish a)
{
	for (size_t i = 0; i < p->nwishes; i++)
		if (p->wishes[i].loc == a.loc && p->wishes[i].task == a.task && p->wishes[i].stores == a.stores)
			return true;
	if (!grow(&p->wishes, &p->wishes_cap, p->nwishes + 1, sizeof(*p->wishes)))
		return false;
	p->wishes[p->nwishes++] = a;
	return true;
}

/* A location on which anything else than accesses is made has one order, which has no circle. */
static bool is_access(const struct dpor *d, uint16_t i)
{
	return i != GNONE && (g_reads(&d->g.ev[i]) || g_writes(&d->g.ev[i])) && !d->slots[d->g.ev[i].task].promise &&
	       consistent_is_loose(d, d->g.ev[i].cls);
}

static bool relaxed(void *arg, size_t r, size_t w)
{
	struct dpor *d = arg;
	const uint16_t *event = d->x->promising->event;

	if (!is_access(d, event[r]) || !is_access(d, event[w]) || offer(d, d->info[event[r]].loc, event[w]))
		return true;
	d->oom = true;
	return false;
}

/* From the last event to the first: the tasks that store something later. */
static bool wishes(struct dpor *d)
{
	struct promising *p = d->x->promising;
	bool stores[UINT8_MAX + 1] = { false };

	for (uint32_t i = d->g.n; i--;) {
		const struct gevent *e = &d->g.ev[i];
		struct wish a = { .loc = d->info[i].loc, .task = p->named[e->task], .stores = g_writes(e) };

		stores[e->task] |= g_writes(e) || e->kind == G_UNLOCK;
		if (is_access(d, (uint16_t)i) && (a.stores || stores[e->task]) && !wish(p, a)) {
			d->oom = true;
			return false;
		}
	}
	return true;
}

static bool note(struct dpor *d)
{
	struct promising *p = d->x->promising;

	for (size_t i = 0; i < d->mm.n; i++)
		p->event[i] = GNONE;
	for (uint32_t i = 0; i < d->g.n; i++)
		if (d->mm_at[i] != MM_NONE)
			p->event[d->mm_at[i]] = (uint16_t)i;
	for (size_t i = 0; i < p->noffers; i++) {
		p->offers[i].now = 0;
		p->offers[i].last = GNONE;
	}
	if (!wishes(d))
		return false;
	mm_relaxed(&d->mm, relaxed, d);
	d->oom |= d->mm.oom;
	return !d->oom;
}

bool promise_note(struct dpor *d)
{
	return prepare(d) && (consistent_whole(d) ? note(d) : !d->oom);
}

/* --- promises kept --- */

static bool is_read(const struct dpor *d, uint32_t w)
{
	for (uint32_t i = 0; i < d->g.n; i++)
		if (g_reads(&d->g.ev[i]) && d->g.ev[i].rf == w)
			return true;
	return false;
}

/* The store that keeps promise u, GNONE: none does. */
static uint16_t keeper(const struct dpor *d, uint32_t u)
{
	const struct gevent *e = &d->g.ev[u];
	const struct dinfo *a = &d->info[u], *b;
	uint16_t w;

	if (e->kind != G_WRITE || !e->rank || !consistent_is_loose(d, e->cls))
		return GNONE;
	w = d->classes[e->cls].w[e->rank - 1];
	b = &d->info[w];
	if (d->slots[d->g.ev[w].task].promise || a->loc != b->loc || a->size != b->size || a->stored != b->stored)
		return GNONE;
	return w;
}

/* By event the one that it really is. */
static bool find_keepers(struct dpor *d, uint16_t *of)
{
	unsigned kept = 0;

	for (uint32_t i = 0; i < d->g.n; i++) {
		of[i] = (uint16_t)i;
		if (!d->slots[d->g.ev[i].task].promise)
			continue;
		of[i] = keeper(d, i);
		if (of[i] == GNONE || !is_read(d, i))
			return false;
		kept++;
	}
	return kept == d->x->promising->n;
}

/* --- once only --- */

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 29;
}

static uint64_t hash_event(const struct dpor *d, uint64_t h, uint32_t i)
{
	const struct gevent *e = &d->g.ev[i];

	h = mix(h, d->x->promising->named[e->task]);
	return mix(h, (uint64_t)d->po[i] << 8 | e->kind);
}

/* The event, what it read from, and what it stands behind. */
static uint64_t hash_all(const struct dpor *d, uint64_t seed, uint32_t i)
{
	const struct gevent *e = &d->g.ev[i];
	const uint16_t *of = d->x->promising->keeper;
	uint64_t h = hash_event(d, seed, i);

	h = mix(h, (uint64_t)e->op << 32 | (uint64_t)e->choice << 8 | e->flags);
	h = mix(h, d->info[i].loc);
	if (g_reads(e) || g_writes(e)) {
		h = mix(h, d->info[i].value);
		h = mix(h, g_writes(e) ? d->info[i].stored : 0);
	}
	if (g_reads(e) || e->kind == G_LOCK)
		h = e->rf == GNONE ? mix(h, 1) : hash_event(d, h, of[e->rf]);
	if (g_writes(e))
		for (uint32_t k = e->rank; k--;)
			if (!d->slots[d->g.ev[d->classes[e->cls].w[k]].task].promise)
				return hash_event(d, h, d->classes[e->cls].w[k]);
	return h;
}

static struct merged *place_of(const struct promising *p, const struct merged *m)
{
	size_t i = m->a & (p->merged_cap - 1);

	while (p->merged[i].run && (p->merged[i].a != m->a || p->merged[i].b != m->b))
		i = (i + 1) & (p->merged_cap - 1);
	return &p->merged[i];
}

static bool widen(struct promising *p)
{
	struct promising old = *p;

	if (2 * (p->nmerged + 1) <= p->merged_cap)
		return true;
	p->merged_cap = old.merged_cap ? 2 * old.merged_cap : 256;
	p->merged = calloc(p->merged_cap, sizeof(*p->merged));
	if (!p->merged) {
		*p = old;
		return false;
	}
	for (size_t i = 0; i < old.merged_cap; i++)
		if (old.merged[i].run)
			*place_of(p, &old.merged[i]) = old.merged[i];
	free(old.merged);
	return true;
}

/* What was counted before this exploration began anew is not. */
static bool is_new(struct dpor *d)
{
	struct promising *p = d->x->promising;
	struct merged m = { .run = p->run, .attempt = p->attempt }, *at;

	if (!widen(p)) {
		d->oom = true;
		return false;
	}
	for (uint32_t i = 0; i < d->g.n; i++) {
		if (d->slots[d->g.ev[i].task].promise)
			continue;
		m.a += hash_all(d, 0x243f6a8885a308d3u, i);
		m.b += hash_all(d, 0x13198a2e03707344u, i);
	}
	at = place_of(p, &m);
	if (at->run && (at->run != p->run || at->attempt == p->attempt))
		return false;
	p->nmerged += !at->run;
	*at = m;
	return true;
}

/* --- for the oracles --- */

/* Which event each step is. */
static void find_steps(struct dpor *d)
{
	uint16_t *at = d->x->promising->at_step;

	for (unsigned k = 0; k < d->nslots; k++) {
		uint32_t i = 0;

		for (size_t n = 0; n < d->nsteps; n++) {
			if (d->slot_of[d->steps[n].task] != k + 1)
				continue;
			while (i < d->g.n && (d->g.ev[i].task != k || !g_steps(&d->g.ev[i])))
				i++;
			at[n + 1] = i < d->g.n ? (uint16_t)i++ : GNONE;
		}
	}
}

static bool depends(void *arg, uint64_t read, uint64_t write)
{
	const struct dpor *d = arg;
	const uint16_t *at = d->x->promising->at_step;

	return at[read] != GNONE && at[write] != GNONE && promise_deps_are(&d->mem[at[write]], &d->mem[at[read]]);
}

bool promise_kept(struct dpor *d, enum exec_end how)
{
	struct promising *p = d->x->promising;
	const struct explore_source *src = &d->x->src;
	bool circular;

	if (how == EXEC_CUT || !prepare(d) || !find_keepers(d, p->keeper) || !consistent_whole(d))
		return false;
	circular = mm_circular(&d->mm);
	d->oom |= d->mm.oom;
	/* what has no circle is there without promises */
	if (!circular || (how == EXEC_COMPLETE && src->allows && !src->allows(src->arg, &d->mm)))
		return false;
	if (!note(d) || !is_new(d))
		return false;
	p->found += how == EXEC_COMPLETE;
	find_steps(d);
	d->w->depends = depends;
	d->w->depends_arg = d;
	return true;
}
