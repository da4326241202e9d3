/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is a graph an execution of the memory model?  The graph's events as the model wants to
 * have them (memory/consistency.h).  Under sequential consistency nobody asks: there an
 * order of the steps is the proof (order.c).
 *
 * Locations on which more is done than loads, stores and read-modify-writes (work items,
 * completions, what conditions look at, objects that can be freed) have one order of
 * accesses that all see, whatever the model; the others are *loose*.
 */
#include <config.h>

#include "explore/dpor.h"

#include <string.h>

/* What the model wants to know of a step: of its site, not of the values. */
void consistent_note(struct dpor *d, uint32_t i, const struct event *ev, const struct event_deps *deps)
{
	struct dmem *m = &d->mem[i];

	*m = (struct dmem){ .order = ev->order, .deps = *deps, .operand = ev->a, .operand2 = ev->b };
	switch (ev->op) {
	/* Where whole executions are judged by somebody else, he knows of plain ones. Else they
	 * are ordered as marked ones are: where there is no race that is what LKMM says of them
	 * in the end (its axiom of plain coherence), where there is one it says nothing at all. */
	case OP_PLAIN_LOAD: case OP_PLAIN_STORE:
		m->flags = d->x->src.allows ? MM_PLAIN : 0;
		break;
	case OP_CMPXCHG:
		m->flags = ev->site->flags & SITE_SPIN ? MM_LOCK | MM_LOCKED : MM_LOCKED;
		break;
	case OP_STORE:
		m->flags = ev->site->flags & SITE_SPIN ? MM_UNLOCK : 0;
		break;
	case OP_WAIT: case OP_WQ_WAIT: case OP_COND: case OP_WORK_WAIT: case OP_TIMER_WAIT: case OP_IRQ:
		m->flags = MM_SWITCH;
		break;
	case OP_LOAD: case OP_CPU_ADD:
		break;
	case OP_UNLOCK:
		m->flags = MM_UNLOCK;
		break;
	case OP_LOCK: case OP_TRYLOCK:
		m->flags = MM_LOCK | MM_LOCKED;
		break;
	default:
		m->flags = MM_LOCKED;
		break;
	}
	m->value = d->info[i].value;
	m->loc = d->info[i].loc;
	m->deref = ev->order == ORD_DEREF;
}

bool consistent_is_loose(const struct dpor *d, uint16_t cls)
{
	return d->weak && !d->cls[cls].strong && !d->cls[cls].chain && !d->cls[cls].lock;
}

/* For order.c.  NULL: no class is. */
const uint8_t *consistent_loose(struct dpor *d)
{
	if (!d->weak)
		return NULL;
	for (unsigned k = 0; k < d->nclasses; k++)
		d->loose[k] = consistent_is_loose(d, (uint16_t)k);
	return d->loose;
}

/* --- choices --- */

void consistent_begin(struct dpor *d)
{
	d->rewriting = GNONE;
	if (!d->weak || !d->g.n)
		return;
	memset(d->performed, 0, d->g.n);
	memset(d->write, 0xff, d->g.n * sizeof(*d->write));
	for (uint32_t i = 0; i < d->g.n; i++)
		if (d->g.ev[i].kind == G_RMW_WRITE)
			d->write[d->g.ev[i].rf] = (uint16_t)i;
}

/* Is there such a store in memory that is not in the graph again, and is it newer? */
static bool rewritten_is_newer(const struct dpor *d, const struct gevent *e, uint32_t i, int after)
{
	const struct gevent *r = d->rewriting == GNONE ? NULL : &d->g.ev[d->rewriting];
	int place;

	if (!r || d->rewriting == i || r->cls != e->cls)
		return false;
	place = r->rf == GNONE ? 0 : d->g.ev[r->rf].rank + 1;
	/* a write of the same place stands behind it */
	return e->kind == G_WRITE ? place > after : place >= after;
}

/* Under a model with a choice: which store it reads from, or behind which it stands,
 * counted from the newest that there is. */
unsigned consistent_choice(const struct dpor *d, const struct gevent *e, uint32_t i)
{
	const struct gclass *c = &d->classes[e->cls];
	unsigned newer = 0;
	int after;

	/* one that is new is the newest */
	if (!d->weak || i == d->g.n || !(g_reads(e) || e->kind == G_WRITE) || !consistent_is_loose(d, e->cls))
		return e->choice;
	if (e->kind == G_WRITE)
		after = e->rank;
	else
		after = e->rf == GNONE ? 0 : d->g.ev[e->rf].rank + 1;
	for (int k = after; k < c->n; k++)
		newer += d->performed[c->w[k]];
	newer += rewritten_is_newer(d, e, i, after);
	return newer ? newer + 1 : 0;
}

void consistent_performed(struct dpor *d, const struct gevent *e, uint32_t i)
{
	if (!d->weak)
		return;
	d->performed[i] = 1;
	if (i < d->g.n && e->kind == G_RMW && d->write[i] != GNONE)
		d->performed[d->write[i]] = 1;
}

/* --- the events --- */

struct making {
	struct dpor *d;
	struct mm *mm;
	const struct graph *g;
	const uint16_t *old;	/* of each event the index by which its d->mem is known */
	uint16_t *at;		/* of each event its (last) one in mm, MM_NONE */
	uint16_t after[UINT8_MAX + 1];	/* by task: behind what its next one comes */
	uint16_t begun[UINT8_MAX + 1];	/* and its first one came */
	bool ok;
};

/* Behind what a task is that was made, or set going, by event `maker`, before event i: the
 * last that its maker did to memory by then. */
static uint16_t made_behind(const struct making *k, uint32_t maker, uint32_t i)
{
	unsigned task = k->g->ev[maker].task;

	while (i--) {
		const struct gevent *e = &k->g->ev[i];

		if (e->task == task && k->at[i] != MM_NONE && (e->kind == G_RMW_WRITE ? e->rf : i) <= maker)
			return k->at[i];
	}
	return k->begun[task];
}

static struct mm_event *add(struct making *k, uint32_t i, enum mm_kind kind)
{
	const struct gevent *e = &k->g->ev[i];
	struct mm_event *v = mm_add(k->mm);

	if (!v) {
		k->ok = false;
		return NULL;
	}
	v->kind = (uint8_t)kind;
	v->task = e->task;
	v->cpu = e->cpu;
	v->loc = e->cls;
	v->rank = e->rank;
	k->at[i] = (uint16_t)(k->mm->n - 1);
	v->after = k->after[e->task];
	k->after[e->task] = MM_NONE;
	return v;
}

static const struct dmem *mem_of(const struct making *k, uint32_t i)
{
	return &k->d->mem[k->old ? k->old[i] : i];
}

static void access(struct making *k, uint32_t i, enum mm_kind kind)
{
	const struct dmem *m = mem_of(k, i);
	struct mm_event *v = add(k, i, kind);

	if (!v)
		return;
	v->order = m->order;
	v->flags = m->flags;
	v->addr = m->deps.addr;
	v->data = m->deps.data;
	v->ctrl = m->deps.ctrl;
	v->self = kind == MM_READ ? m->deps.self : 0;
	v->begun = m->deps.begun;
}

static void fence(struct making *k, uint32_t i)
{
	struct mm_fence *f = mm_add_fence(k->mm);

	if (!f) {
		k->ok = false;
		return;
	}
	f->order = mem_of(k, i)->order;
	f->flags = mem_of(k, i)->flags;
	f->task = k->g->ev[i].task;
	if (f->order < ORD_SECTION_BEGIN)
		return;
	f->domain = (uint32_t)mem_of(k, i)->operand;
	f->value = mem_of(k, i)->operand2;
	f->self = mem_of(k, i)->deps.self;
	f->data = mem_of(k, i)->deps.data;
	f->begun = mem_of(k, i)->deps.begun;
}

/* The write part of a read-modify-write; of a release or an acquire each has one side. */
static void write_part(struct making *k, uint32_t i)
{
	uint32_t r = k->g->ev[i].rf;
	uint16_t read = k->at[r];
	struct mm_event *v = add(k, i, MM_WRITE);

	if (!v)
		return;
	*v = (struct mm_event){ .kind = MM_WRITE, .order = mem_of(k, r)->order, .flags = mem_of(k, r)->flags,
				.task = v->task, .cpu = v->cpu, .loc = v->loc, .rank = v->rank, .rf = MM_NONE,
				.after = MM_NONE, .pair = read, .data = mem_of(k, r)->deps.data,
				.addr = mem_of(k, r)->deps.addr, .ctrl = mem_of(k, r)->deps.ctrl,
				.begun = mem_of(k, r)->deps.begun };
	/* what is stored is made of what was found */
	if (k->g->ev[r].op != OP_XCHG && k->g->ev[r].op != OP_CMPXCHG)
		v->data |= mem_of(k, r)->deps.self;
	k->mm->ev[read].pair = (uint16_t)(k->mm->n - 1);
	if (v->order == ORD_ACQUIRE)
		v->order = ORD_ONCE;
	if (k->mm->ev[read].order == ORD_RELEASE)
		k->mm->ev[read].order = ORD_ONCE;
}

static void lock(struct making *k, uint32_t i)
{
	struct mm_event *r = add(k, i, MM_READ), *w;

	if (!r)
		return;
	r->order = ORD_ACQUIRE;
	r->flags = MM_LOCK | MM_LOCKED;
	w = add(k, i, MM_WRITE);
	if (!w)
		return;
	w->flags = MM_LOCK | MM_LOCKED;
	w->rank = (uint16_t)(2 * k->g->ev[i].rank);
	w->pair = (uint16_t)(k->mm->n - 2);
	w->after = MM_NONE;
	k->mm->ev[w->pair].pair = (uint16_t)(k->mm->n - 1);
}

static void unlock(struct making *k, uint32_t i)
{
	struct mm_event *w = add(k, i, MM_WRITE);

	if (!w)
		return;
	w->order = ORD_RELEASE;
	w->flags = MM_UNLOCK;
	w->rank = (uint16_t)(2 * k->g->ev[k->g->ev[i].rf].rank + 1);
}

static void add_event(struct making *k, uint32_t i)
{
	const struct gevent *e = &k->g->ev[i];

	k->at[i] = MM_NONE;
	if (e->maker != GNONE) {
		bool first = k->begun[e->task] == MM_NONE && k->after[e->task] == MM_NONE;

		k->after[e->task] = made_behind(k, e->maker, i);
		if (first)
			k->begun[e->task] = k->after[e->task];
	}
	if (e->flags & GF_WAITING)
		return;
	switch (e->kind) {
	case G_READ: case G_RMW:
		access(k, i, MM_READ);
		/* what failed to store orders nothing */
		if (k->ok && e->kind == G_READ && e->op != OP_LOAD && e->op != OP_PLAIN_LOAD)
			k->mm->ev[k->at[i]].order = ORD_ONCE;
		break;
	case G_WRITE:
		access(k, i, MM_WRITE);
		break;
	case G_RMW_WRITE:
		write_part(k, i);
		break;
	case G_LOCK:
		/* who has it has not given it back */
		if (e->rf == GNONE || k->d->mm_unlock[e->rf] != GNONE)
			lock(k, i);
		break;
	case G_UNLOCK:
		unlock(k, i);
		break;
	case G_NONE:
		if (mem_of(k, i)->order || mem_of(k, i)->flags & MM_SWITCH)
			fence(k, i);
		break;
	default:
		break;
	}
}

static void find_unlocks(const struct graph *g, uint32_t n, uint16_t *unlock_of)
{
	for (uint32_t i = 0; i < n; i++)
		unlock_of[i] = GNONE;
	for (uint32_t i = 0; i < n; i++)
		if (g->ev[i].kind == G_UNLOCK)
			unlock_of[g->ev[i].rf] = (uint16_t)i;
}

/* Reads may refer to what stands behind them in the array. */
static void read_from(struct making *k)
{
	const uint16_t *unlock_of = k->d->mm_unlock;
	const struct graph *g = k->g;

	for (uint32_t i = 0; i < g->n; i++) {
		const struct gevent *e = &g->ev[i];

		if (k->at[i] == MM_NONE || e->rf == GNONE)
			continue;
		if (g_reads(e))
			k->mm->ev[k->at[i]].rf = k->at[e->rf];
		else if (e->kind == G_LOCK && unlock_of[e->rf] != GNONE)
			k->mm->ev[k->at[i] - 1].rf = k->at[unlock_of[e->rf]];
	}
}

/*
 * A load that heads dependencies: on it depends every access of its task to the object that
 * it found.  Each load of a pointer to a heap object does, for there is no other way to such
 * an object but for who made it; of other objects those that say so.
 */
static void addresses(struct making *k)
{
	struct dpor *d = k->d;

	for (uint32_t r = 0; r < k->g->n; r++) {
		const struct gevent *e = &k->g->ev[r];
		const struct object *o;

		if (!g_reads(e) || k->at[r] == MM_NONE)
			continue;
		o = object_at(d->w, (void *)(uintptr_t)mem_of(k, r)->value);
		if (!o || !(o->heap || mem_of(k, r)->deref))
			continue;
		k->mm->ev[k->at[r]].self |= (uint64_t)1 << (r % 64);
		for (uint32_t i = r + 1; o && i < k->g->n; i++)
			if (k->g->ev[i].task == e->task && k->at[i] != MM_NONE && mem_of(k, i)->loc != LOC_NONE &&
			    object_at(d->w, arena_addr(d->w, mem_of(k, i)->loc)) == o)
				k->mm->ev[k->at[i]].addr |= (uint64_t)1 << (r % 64);
	}
}

static bool make(struct making *k, uint32_t n)
{
	struct dpor *d = k->d;

	mm_clear(k->mm);
	k->ok = true;
	memset(k->after, 0xff, sizeof(k->after));
	memset(k->begun, 0xff, sizeof(k->begun));
	find_unlocks(k->g, n, d->mm_unlock);
	for (uint32_t i = 0; i < n && k->ok; i++)
		add_event(k, i);
	if (k->ok) {
		read_from(k);
		addresses(k);
	}
	return k->ok;
}

static bool ask(struct making *k, uint32_t n)
{
	bool ok = make(k, n) && world_model(k->d->w)->consistent(k->mm);

	k->d->oom |= k->mm->oom;
	return ok || k->mm->oom;
}

bool consistent_make(struct dpor *d)
{
	struct making k = { .d = d, .mm = &d->mm, .g = &d->g, .at = d->mm_at };

	return make(&k, d->g.n);
}

bool consistent_next(struct dpor *d, const struct gchange *c)
{
	struct making k = { .d = d, .mm = &d->mm, .g = &d->next, .at = d->mm_at, .old = d->mm_old };
	uint32_t n = 0;

	if (!d->weak)
		return true;
	for (uint32_t i = 0; i < d->g.n; i++)
		if (graph_keeps(&d->g, c, i))
			d->mm_old[n++] = (uint16_t)i;
	/* what is new is known as the event that would come next; its second part is never
	 * looked up, and neither is the write that a revisited one makes anew */
	while (n < d->next.n)
		d->mm_old[n++] = (uint16_t)d->g.n;
	return ask(&k, d->next.n);
}

bool consistent_now(struct dpor *d)
{
	struct making k = { .d = d, .mm = &d->mm, .g = &d->g, .at = d->mm_at };

	return !d->weak || ask(&k, d->g.n);
}

/* The axioms that are not asked at each step: of what comes later. */
bool consistent_allowed(struct dpor *d)
{
	struct making k = { .d = d, .mm = &d->mm, .g = &d->g, .at = d->mm_at };
	const struct explore_source *src = &d->x->src;

	return !d->weak || !src->allows || (ask(&k, d->g.n) && src->allows(src->arg, &d->mm));
}
