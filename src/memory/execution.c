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

/* A task's read that returned a pointer to an object: what it does to that depends on it. */
struct head {
	const struct task *t;
	const struct object *to;
	uint16_t at;		/* the read */
};

struct reading {
	struct world *w;
	struct head *heads;
	size_t nheads, heads_cap;
	struct mm mm;
	struct place *places;
	size_t nplaces, cap;
	size_t nseen;		/* of log->seen */
	uint16_t *write_of;	/* by step: the event that is its write, MM_NONE */
	uint16_t *upto;		/* by step: how many events there are behind it */
	const struct execution_probe *probes;
	size_t nprobes;
	const struct execution_peek *peeks;
	size_t npeeks;		/* still to come */
	bool plain;		/* plain accesses are to be known as such */
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

/* The first event of a task that a step made comes behind what its maker had done by then. */
static uint16_t made_by(const struct reading *k, const struct task *t)
{
	size_t i = t->made_at ? k->upto[t->made_at] : 0;

	for (size_t j = 0; i && j + 1 < k->mm.n; j++)
		if (k->mm.ev[j].task == t->index)
			return MM_NONE;
	while (i--)
		if (k->mm.ev[i].task == t->maker)
			return (uint16_t)i;
	return MM_NONE;
}

static struct mm_event *add(struct reading *k, enum mm_kind kind, const struct task *t, unsigned cpu,
			    const struct site *s, const struct place *p)
{
	struct mm_event *e = mm_add(&k->mm);

	if (!e) {
		k->ok = false;
		return NULL;
	}
	e->after = made_by(k, t);
	e->kind = (uint8_t)kind;
	e->task = (uint16_t)t->index;
	e->cpu = (uint16_t)cpu;
	e->loc = p->number;
	e->order = s->order;
	e->flags = t->promise ? MM_PROMISE : 0;
	switch (s->op) {
	/* plain ones are ordered as these are: see explore/consistent.c */
	case OP_PLAIN_LOAD: case OP_PLAIN_STORE:
		e->flags = k->plain ? MM_PLAIN : 0;
		break;
	case OP_LOAD: case OP_STORE: case OP_CPU_ADD:
		break;
	case OP_UNLOCK:
		e->flags |= mm_unlock_flags(s->flags);
		break;
	case OP_LOCK: case OP_TRYLOCK:
		e->flags |= mm_lock_flags(s->flags);
		break;
	case OP_WAIT: case OP_WQ_WAIT: case OP_COND: case OP_WORK_WAIT: case OP_TIMER_WAIT:
		e->flags |= MM_LOCKED | MM_SWITCH;
		break;
	default:
		e->flags |= MM_LOCKED;
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
	case OP_LOAD: case OP_PLAIN_LOAD: case OP_WQ_WAIT: case OP_COND:
		return true;
	case OP_CMPXCHG: case OP_TRYLOCK: case OP_WAIT: case OP_MIN_ARM: case OP_MAX:
		return !changed;
	default:
		return false;
	}
}

/* What failed to store orders nothing, and took no lock. */
static void only_loaded(struct mm_event *e, const struct site *s)
{
	if (s->op == OP_LOAD || s->op == OP_PLAIN_LOAD)
		return;
	e->order = ORD_ONCE;
	if (e->flags & MM_LOCK)
		e->flags = 0;
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
	const void *loc;
	uint64_t value;		/* that its read returned */
	unsigned cpu;
	bool changed;		/* a cmpxchg or trylock went through */
	uint16_t rf, rank;	/* of its read, of its write */
	uint64_t step;		/* 0: to come */
};

const struct object *execution_head(struct world *w, uint64_t value, enum ev_order order)
{
	const struct object *o = object_at(w, (void *)(uintptr_t)value);

	return o && (o->heap || order == ORD_DEREF) ? o : NULL;
}

/* The read that was added last may head dependencies. */
static void head(struct reading *k, const struct touch *a)
{
	const struct object *o = execution_head(k->w, a->value, (enum ev_order)a->site->order);

	if (!o)
		return;
	if (!grow(&k->heads, &k->heads_cap, k->nheads + 1, sizeof(*k->heads))) {
		k->ok = false;
		return;
	}
	k->heads[k->nheads++] = (struct head){ .t = a->t, .to = o, .at = (uint16_t)(k->mm.n - 1) };
}

/* What the access that was added last depends on. */
static void address(struct reading *k, const struct touch *a)
{
	const struct object *o = k->nheads ? object_at(k->w, a->loc) : NULL;

	for (size_t i = 0; o && i < k->nheads; i++)
		if (k->heads[i].t == a->t && k->heads[i].to == o)
			k->ok &= mm_add_addr(&k->mm, k->heads[i].at, k->mm.n - 1);
}

static void touch(struct reading *k, const struct touch *a)
{
	bool reads = !stores_only((enum ev_op)a->site->op), writes = !loads_only(a->site, a->changed);
	struct mm_event *e;

	if (reads) {
		e = add(k, MM_READ, a->t, a->cpu, a->site, a->place);
		if (!e)
			return;
		e->rf = a->rf;
		if (!writes)
			only_loaded(e, a->site);
		address(k, a);
		head(k, a);
	}
	if (!writes)
		return;
	e = add(k, MM_WRITE, a->t, a->cpu, a->site, a->place);
	if (!e)
		return;
	e->rank = a->rank;
	address(k, a);
	if (reads)
		make_pair(k);
	if (a->step)
		k->write_of[a->step] = (uint16_t)(k->mm.n - 1);
	a->place->last = (uint16_t)(k->mm.n - 1);
	a->place->writes++;
}

/* The place of a step's store in coherence order; false: it has made none. */
static bool find_rank(const struct mem_location *l, uint64_t step, uint16_t *rank)
{
	for (size_t i = 0; l && i < l->n; i++)
		if (l->v[i].step == step) {
			*rank = (uint16_t)(i - 1);
			return true;
		}
	return false;
}

/* What a condition read. */
static void seen(struct reading *k, struct touch *a)
{
	const struct events_log *log = &k->w->log;

	for (; k->nseen < log->nseen && log->seen[k->nseen].step <= a->step; k->nseen++) {
		const struct log_seen *s = &log->seen[k->nseen];
		struct mm_event *e;

		a->place = s->step == a->step ? place_at(k, s->loc) : NULL;
		e = a->place ? add(k, MM_READ, a->t, a->cpu, a->site, a->place) : NULL;
		if (!e)
			continue;
		e->order = ORD_ONCE;
		e->rf = s->source ? k->write_of[s->source] : MM_NONE;
		if (a->place->ordered)
			e->rf = a->place->last;
	}
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
		seen(k, &a);
		return;
	}
	a.place = place_at(k, r->loc);
	if (!a.place)
		return;
	a.loc = arena_addr(k->w, r->loc);
	a.value = r->value;
	a.changed = s->op == OP_TRYLOCK ? r->value : r->value != r->stored;
	chosen = log_access(k->w, n);
	if (chosen) {
		a.rf = chosen->source ? k->write_of[chosen->source] : MM_NONE;
		/* a cmpxchg may store what was there */
		a.changed = find_rank(history_at(k->w->history, a.loc, 0), n, &a.rank);
	}
	if (a.place->ordered || !chosen) {
		a.rf = a.place->last;
		a.rank = a.place->writes;
	}
	touch(k, &a);
	if (s->op == OP_COND)
		seen(k, &a);
}

/* What makes conditions true, and is no access: whoever wrote it had done so after all else. */
static void read_peeks(struct reading *k, uint64_t n)
{
	const struct record *r = log_record(k->w, n);
	const struct task *t = r->task == UINT16_MAX ? NULL : world_task(k->w, r->task);
	static const struct site site = { .op = OP_COND, .order = ORD_RELEASE };

	for (; k->npeeks && k->peeks->step <= n; k->peeks++, k->npeeks--) {
		struct place *p = t && k->peeks->step == n ? place_at(k, k->peeks->loc) : NULL;
		struct mm_event *e = p ? add(k, MM_WRITE, t, t->cpu, &site, p) : NULL;

		if (!e)
			continue;
		p->ordered = true;
		e->rank = p->writes++;
		p->last = (uint16_t)(k->mm.n - 1);
	}
}

/* An access by t that is yet to come, if it went that way.  False: where it goes all see one
 * order, and it goes the newest way. */
static bool read_pending(struct reading *k, const struct task *t, const struct event *ev, unsigned choice)
{
	struct place *p = place_at(k, arena_offset(k->w, ev->loc));
	struct mem_location *l = history_at(k->w->history, ev->loc, mem_read(ev->loc, ev->size));
	struct touch a = { .t = t, .site = ev->site, .cpu = t->cpu, .place = p, .loc = ev->loc };
	size_t at;

	if (!p || !l) {
		k->ok = false;
		return false;
	}
	if (p->ordered)
		return false;
	at = l->n - choice;	/* the store that is read, or that it stands before */
	a.changed = ev->op != OP_CMPXCHG || l->v[at].value == (ev->size < 8 ? ev->a & ((1ull << 8 * ev->size) - 1) : ev->a);
	a.rf = l->v[at].step ? k->write_of[l->v[at].step] : MM_NONE;
	a.rank = (uint16_t)at;	/* place 0 is what was there first, which has none */
	for (size_t i = 0; i < k->mm.n && !loads_only(ev->site, a.changed); i++)
		if (k->mm.ev[i].kind == MM_WRITE && k->mm.ev[i].loc == p->number && k->mm.ev[i].rank >= a.rank)
			k->mm.ev[i].rank++;
	touch(k, &a);
	return k->ok;
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
		e->after = made_by(k, p->t);
		e->kind = p->writes ? MM_WRITE : MM_READ;
		e->order = ORD_ONCE;
		e->task = (uint16_t)p->t->index;
		e->cpu = (uint16_t)p->t->cpu;
		e->loc = (uint16_t)(UINT16_MAX - p->var);
	}
}

/* What somebody knows of dependencies that no language shows. */
static void told_dependencies(struct reading *k, uint64_t n, const uint16_t *read_of)
{
	const struct world *w = k->w;

	for (uint64_t i = 1; w->depends && i <= n; i++)
		for (uint64_t r = 1; k->write_of[i] != MM_NONE && k->ok && r < i; r++)
			if (read_of[r] != MM_NONE && k->mm.ev[read_of[r]].task == k->mm.ev[k->write_of[i]].task &&
			    w->depends(w->depends_arg, r, i))
				k->ok = mm_add_addr(&k->mm, read_of[r], k->write_of[i]);
}

/* All that has happened.  False: no memory. */
static bool read_all(struct reading *k)
{
	uint64_t n = world_steps(k->w);
	uint16_t *read_of;

	k->write_of = malloc(3 * (n + 1) * sizeof(*k->write_of));
	if (!k->write_of)
		return false;
	k->upto = k->write_of + n + 1;
	read_of = k->upto + n + 1;
	k->upto[0] = 0;
	find_ordered(k, n);
	probe(k, 0, true);
	for (uint64_t i = 1; i <= n && k->ok; i++) {
		size_t first;

		k->write_of[i] = MM_NONE;
		probe(k, i, false);
		first = k->mm.n;
		read_step(k, i);
		read_of[i] = k->mm.n > first && k->mm.ev[first].kind == MM_READ ? (uint16_t)first : MM_NONE;
		read_peeks(k, i);
		k->upto[i] = (uint16_t)k->mm.n;
		probe(k, i, true);
	}
	told_dependencies(k, n, read_of);
	/* what is imagined of the whole: nobody keeps a promise any more */
	k->mm.whole = k->nprobes;
	return k->ok;
}

static void release(struct reading *k)
{
	free(k->write_of);
	free(k->places);
	free(k->heads);
	mm_release(&k->mm);
}

/* What has happened, and an access by t with that choice. */
static bool consistent_with(struct world *w, const struct task *t, const struct event *ev, unsigned choice)
{
	struct reading k = { .w = w, .ok = true };
	bool ok = read_all(&k) && read_pending(&k, t, ev, choice) && w->model->consistent(&k.mm) && !k.mm.oom;

	release(&k);
	return ok;
}

/* The step in which an event was made. */
static uint32_t step_of(const struct reading *k, uint16_t event)
{
	uint32_t n = 1;

	while (k->upto[n] <= event)
		n++;
	return n;
}

bool execution_races(struct world *w, const struct execution_peek *peeks, size_t npeeks,
		     void (*race)(void *arg, uint32_t a, uint32_t b), void *arg)
{
	struct reading k = { .w = w, .ok = true, .plain = true, .peeks = peeks, .npeeks = npeeks };
	unsigned flags = 0;
	bool ok = read_all(&k);

	/* one that cannot be if plain accesses are no more than that shows no race */
	if (ok && mm_rcu(&k.mm, &flags) && flags & MM_DATA_RACE)
		for (size_t i = 0; i < k.mm.nraces; i++) {
			uint32_t a = step_of(&k, k.mm.races[2 * i]), b = step_of(&k, k.mm.races[2 * i + 1]);

			race(arg, a < b ? a : b, a < b ? b : a);
		}
	ok = ok && !k.mm.oom;
	release(&k);
	return ok;
}

/* Among how many stores is there a choice? */
static size_t stores_of(struct world *w, struct task *t)
{
	const struct mem_location *l;

	if (!w->history || !execution_is_access(t))
		return 1;
	l = history_at(w->history, t->ev.loc, mem_read(t->ev.loc, t->ev.size));
	return l ? l->n : 1;
}

bool execution_is_access(const struct task *t)
{
	return t->state == TASK_READY && t->ev.loc && op_is_access((enum ev_op)t->ev.op);
}

bool execution_may_choose(struct world *w, struct task *t, unsigned choice)
{
	size_t n = stores_of(w, t);

	if (choice <= 1)
		return true;
	if (!execution_is_access(t))
		return world_fail(w, "%s has no choice to make there", task_name(t));
	if (choice > n)
		return world_fail(w, "there is no choice %u: the location has had %zu value%s", choice, n,
				  n == 1 ? "" : "s");
	return consistent_with(w, t, &t->ev, choice) ||
	       world_fail(w, "the %s model does not allow choice %u here", w->model->name, choice);
}

uint64_t execution_choices(struct world *w, struct task *t)
{
	size_t n = stores_of(w, t);
	uint64_t bits = 1;

	for (unsigned k = 2; k <= n && k <= 64; k++)
		if (consistent_with(w, t, &t->ev, k))
			bits |= (uint64_t)1 << (k - 1);
	return bits;
}

const struct history *execution_history(const struct world *w)
{
	return w->history;
}

uint64_t execution_readable(struct world *w, const struct task *t, const void *loc)
{
	static const struct site site = { .op = OP_LOAD, .order = ORD_ONCE };
	const struct event ev = { .site = &site, .loc = (void *)(uintptr_t)loc, .op = OP_LOAD,
				  .order = ORD_ONCE, .size = 1 };
	const struct mem_location *l = w->history ? history_at(w->history, loc, 0) : NULL;
	uint64_t bits = 1;

	for (unsigned k = 2; l && k <= l->n && k <= 64; k++)
		if (consistent_with(w, t, &ev, k))
			bits |= (uint64_t)1 << (k - 1);
	return bits;
}

/* The k-th newest store, counted from 1. */
static const struct mem_store *store_at(struct world *w, const void *loc, unsigned k)
{
	const struct mem_location *l = w->history && loc ? history_at(w->history, loc, 0) : NULL;

	return l && k && k <= l->n ? &l->v[l->n - k] : NULL;
}

bool execution_store(struct world *w, const void *loc, unsigned k, uint64_t *value, uint32_t *step)
{
	const struct mem_store *s = store_at(w, loc, k);

	if (!s)
		return false;
	*value = s->value;
	*step = s->step;
	return true;
}

size_t execution_missed(struct world *w, uint64_t step, uint32_t *v, size_t max)
{
	const struct log_access *a = log_access(w, step);
	const struct record *r = a && a->choice > 1 ? log_record(w, step) : NULL;
	const struct mem_location *l = r ? history_at(w->history, arena_addr(w, r->loc), 0) : NULL;
	const struct site *s = r ? site_by_id(r->site) : NULL;
	uint64_t from = s && op_reads((enum ev_op)s->op) ? a->source : step;
	size_t at = 0, n = 0;

	while (l && at < l->n && l->v[at].step != from)
		at++;
	for (at++; l && at < l->n; at++) {
		/* what has come since is not meant, nor what it stored itself */
		if (l->v[at].step >= step)
			continue;
		if (n < max)
			v[n] = l->v[at].step;
		n++;
	}
	return n;
}

uint64_t execution_missed_by(struct world *w, uint64_t step)
{
	const struct record *r = log_record(w, step);
	uint32_t missed[64];

	for (size_t i = w->log.naccesses; r && i--;) {
		const struct log_access *a = &w->log.accesses[i];
		size_t n;

		if (a->step <= step)
			break;
		if (a->choice < 2 || log_record(w, a->step)->loc != r->loc)
			continue;
		n = execution_missed(w, a->step, missed, 64);
		for (size_t k = 0; k < n && k < 64; k++)
			if (missed[k] == step && op_reads((enum ev_op)site_by_id(log_record(w, a->step)->site)->op))
				return a->step;
	}
	return 0;
}

bool execution_allows(struct world *w, const struct execution_peek *peeks, size_t npeeks,
		      const struct execution_probe *p, size_t n)
{
	struct reading k = { .w = w, .ok = true, .peeks = peeks, .npeeks = npeeks, .probes = p, .nprobes = n };
	bool ok = read_all(&k) && w->model->consistent(&k.mm) && !k.mm.oom;

	release(&k);
	return ok;
}
