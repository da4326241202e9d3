/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the log of a world to the accesses and fences that the models judge.  Which store
 * a load returned, and where in coherence order a store stands, is known of accesses; what
 * else has a location (locks, completions, work items, timers) has one order, that of the
 * steps.
 */
#include <config.h>

#include "engine/internal.h"
#include "engine/log.h"
#include "memory/execution.h"
#include "memory/history.h"
#include "memory/model.h"

#include <stdlib.h>

/* A location as far as the log has come. */
struct place {
	uint32_t loc;
	uint16_t number;	/* in struct mm_event */
	uint16_t last;		/* with one order: the write before, MM_NONE */
	uint16_t writes;
	bool ordered;		/* something else than accesses is done to it */
};

struct reading {
	struct world *w;
	struct mm mm;
	struct place *places;
	size_t nplaces, cap;
	uint16_t *write_of;	/* by step: the event that is its write, MM_NONE */
	const struct execution_probe *probes;
	size_t nprobes;
	bool ok;
};

static struct place *place_at(struct reading *k, uint32_t loc)
{
	for (size_t i = 0; i < k->nplaces; i++)
		if (k->places[i].loc == loc)
			return &k->places[i];
	if (!grow(&k->places, &k->cap, k->nplaces + 1, sizeof(*k->places))) {
		k->ok = false;
		return NULL;
	}
	k->places[k->nplaces] = (struct place){ .loc = loc, .number = (uint16_t)k->nplaces, .last = MM_NONE };
	return &k->places[k->nplaces++];
}

/* Which locations have one order for everything. */
static void find_ordered(struct reading *k, uint64_t n)
{
	for (uint64_t i = 1; i <= n && k->ok; i++) {
		const struct record *r = log_record(k->w, i);
		const struct site *s = site_by_id(r->site);
		struct place *p;

		if (r->loc == LOC_NONE)
			continue;
		p = place_at(k, r->loc);
		if (p && !op_is_access((enum ev_op)s->op))
			p->ordered = true;
	}
}

static struct mm_event *add(struct reading *k, enum mm_kind kind, const struct task *t, unsigned cpu,
			    const struct site *s, const struct place *p)
{
	struct mm_event *e = mm_add(&k->mm);

	if (!e) {
		k->ok = false;
		return NULL;
	}
	e->kind = (uint8_t)kind;
	e->task = (uint16_t)t->index;
	e->cpu = (uint16_t)cpu;
	e->loc = p->number;
	e->order = s->order;
	switch (s->op) {
	/* plain ones are ordered as these are: see explore/consistent.c */
	case OP_PLAIN_LOAD: case OP_PLAIN_STORE:
	case OP_LOAD: case OP_STORE: case OP_CPU_ADD:
		break;
	case OP_UNLOCK:
		e->flags = MM_UNLOCK;
		break;
	case OP_LOCK: case OP_TRYLOCK:
		e->flags = MM_LOCK | MM_LOCKED;
		break;
	case OP_WAIT: case OP_WQ_WAIT: case OP_WORK_WAIT: case OP_TIMER_WAIT:
		e->flags = MM_LOCKED | MM_SWITCH;
		break;
	default:
		e->flags = MM_LOCKED;
		break;
	}
	return e;
}

static bool stores_only(enum ev_op op)
{
	return op == OP_STORE || op == OP_PLAIN_STORE || op == OP_UNLOCK;
}

static bool loads_only(const struct site *s, bool changed)
{
	switch (s->op) {
	case OP_LOAD: case OP_PLAIN_LOAD: case OP_WQ_WAIT:
		return true;
	case OP_CMPXCHG: case OP_TRYLOCK:
		return !changed;
	default:
		return false;
	}
}

/* Makes the last two events the parts of one read-modify-write. */
static void make_pair(struct reading *k)
{
	struct mm_event *r = &k->mm.ev[k->mm.n - 2], *w = &k->mm.ev[k->mm.n - 1];

	r->pair = (uint16_t)(k->mm.n - 1);
	w->pair = (uint16_t)(k->mm.n - 2);
	if (w->order == ORD_ACQUIRE)
		w->order = ORD_ONCE;
	if (r->order == ORD_RELEASE)
		r->order = ORD_ONCE;
}

/* How a step treats its location, and with which stores. */
struct touch {
	const struct task *t;
	const struct site *site;
	struct place *place;
	unsigned cpu;
	bool changed;		/* a cmpxchg or trylock went through */
	uint16_t rf, rank;	/* of its read, of its write */
	uint64_t step;		/* 0: to come */
};

static void touch(struct reading *k, const struct touch *a)
{
	bool reads = !stores_only((enum ev_op)a->site->op), writes = !loads_only(a->site, a->changed);
	struct mm_event *e;

	if (reads) {
		e = add(k, MM_READ, a->t, a->cpu, a->site, a->place);
		if (!e)
			return;
		e->rf = a->rf;
		if (!writes && e->order == ORD_FULL)
			e->order = ORD_ONCE; /* what failed to store orders nothing */
	}
	if (!writes)
		return;
	e = add(k, MM_WRITE, a->t, a->cpu, a->site, a->place);
	if (!e)
		return;
	e->rank = a->rank;
	if (reads)
		make_pair(k);
	if (a->step)
		k->write_of[a->step] = (uint16_t)(k->mm.n - 1);
	a->place->last = (uint16_t)(k->mm.n - 1);
	a->place->writes++;
}

/* The place of a step's store in coherence order. */
static uint16_t rank_of(const struct mem_location *l, uint64_t step)
{
	for (size_t i = 0; l && i < l->n; i++)
		if (l->v[i].step == step)
			return (uint16_t)(i - 1);
	return 0;
}

static void read_step(struct reading *k, uint64_t n)
{
	const struct record *r = log_record(k->w, n);
	const struct site *s = site_by_id(r->site);
	const struct task *t = r->task == UINT16_MAX ? NULL : world_task(k->w, r->task);
	unsigned cpu = r->cpu_lo | (unsigned)(r->flags >> REC_CPU_SHIFT) << 8;
	struct touch a = { .t = t, .site = s, .cpu = cpu, .step = n };
	const struct log_access *chosen;

	if (!t || r->flags & REC_REFUSED)
		return;
	if (r->loc == LOC_NONE) {
		struct mm_fence *f;
		bool sleeps = s->op == OP_COND || s->op == OP_IRQ;

		if (s->op != OP_FENCE && !sleeps)
			return;
		f = mm_add_fence(&k->mm);
		if (!f) {
			k->ok = false;
			return;
		}
		f->order = s->order;
		f->flags = sleeps ? MM_SWITCH : 0;
		f->task = (uint16_t)t->index;
		return;
	}
	a.place = place_at(k, r->loc);
	a.changed = s->op == OP_TRYLOCK ? r->value : r->value != r->stored;
	chosen = log_access(k->w, n);
	if (a.place->ordered || !chosen) {
		a.rf = a.place->last;
		a.rank = a.place->writes;
	} else {
		const struct mem_location *l = history_at(k->w->history, arena_addr(k->w, r->loc), 0);

		a.rf = chosen->source ? k->write_of[chosen->source] : MM_NONE;
		a.rank = rank_of(l, n);
	}
	touch(k, &a);
}

/* t's pending access, if it went that way. */
static void read_pending(struct reading *k, struct task *t, unsigned choice)
{
	const struct event *ev = &t->ev;
	struct place *p = place_at(k, arena_offset(k->w, ev->loc));
	struct mem_location *l = history_at(k->w->history, ev->loc, mem_read(ev->loc, ev->size));
	struct touch a = { .t = t, .site = ev->site, .cpu = t->cpu, .place = p };
	size_t at;

	if (!p || !l) {
		k->ok = false;
		return;
	}
	at = l->n - choice;	/* the store that is read, or that it stands before */
	a.changed = ev->op != OP_CMPXCHG || l->v[at].value == ev->a;
	a.rf = l->v[at].step ? k->write_of[l->v[at].step] : MM_NONE;
	a.rank = (uint16_t)at;	/* place 0 is what was there first, which has none */
	for (size_t i = 0; i < k->mm.n && !loads_only(ev->site, a.changed); i++)
		if (k->mm.ev[i].kind == MM_WRITE && k->mm.ev[i].loc == p->number && k->mm.ev[i].rank >= a.rank)
			k->mm.ev[i].rank++;
	touch(k, &a);
}

/* What is imagined stands at that place. */
static void probe(struct reading *k, uint64_t step, bool behind)
{
	for (size_t i = 0; i < k->nprobes; i++) {
		const struct execution_probe *p = &k->probes[i];
		struct mm_event *e;

		if (p->step != step || p->behind != behind)
			continue;
		e = mm_add(&k->mm);
		if (!e) {
			k->ok = false;
			return;
		}
		e->kind = p->writes ? MM_WRITE : MM_READ;
		e->order = ORD_ONCE;
		e->task = (uint16_t)p->t->index;
		e->cpu = (uint16_t)p->t->cpu;
		e->loc = (uint16_t)(UINT16_MAX - p->var);
	}
}

/* What has happened, and t's next step with that choice; t NULL: nothing more. */
static bool consistent_with(struct world *w, struct task *t, unsigned choice,
			    const struct execution_probe *probes, size_t nprobes)
{
	struct reading k = { .w = w, .ok = true, .probes = probes, .nprobes = nprobes };
	uint64_t n = world_steps(w);
	bool ok = false;

	k.write_of = malloc((n + 1) * sizeof(*k.write_of));
	if (k.write_of) {
		find_ordered(&k, n);
		probe(&k, 0, true);
		for (uint64_t i = 1; i <= n && k.ok; i++) {
			k.write_of[i] = MM_NONE;
			probe(&k, i, false);
			read_step(&k, i);
			probe(&k, i, true);
		}
		if (t)
			read_pending(&k, t, choice);
		ok = k.ok && w->model->consistent(&k.mm) && !k.mm.oom;
	}
	free(k.write_of);
	free(k.places);
	mm_release(&k.mm);
	return ok;
}

/* Among how many stores is there a choice? */
static size_t stores_of(struct world *w, struct task *t)
{
	const struct mem_location *l;

	if (!w->history || t->state != TASK_READY || !t->ev.loc || !op_is_access((enum ev_op)t->ev.op))
		return 1;
	l = history_at(w->history, t->ev.loc, mem_read(t->ev.loc, t->ev.size));
	return l ? l->n : 1;
}

bool execution_may_choose(struct world *w, struct task *t, unsigned choice)
{
	size_t n = stores_of(w, t);

	if (choice <= 1)
		return true;
	if (choice > n)
		return world_fail(w, "there is no choice %u: the location has had %zu value%s", choice, n,
				  n == 1 ? "" : "s");
	return consistent_with(w, t, choice, NULL, 0) ||
	       world_fail(w, "the %s model does not allow choice %u here", w->model->name, choice);
}

uint64_t execution_choices(struct world *w, struct task *t)
{
	size_t n = stores_of(w, t);
	uint64_t bits = 1;

	for (unsigned k = 2; k <= n && k <= 64; k++)
		if (consistent_with(w, t, k, NULL, 0))
			bits |= (uint64_t)1 << (k - 1);
	return bits;
}

bool execution_allows(struct world *w, const struct execution_probe *p, size_t n)
{
	return consistent_with(w, NULL, 0, p, n);
}
