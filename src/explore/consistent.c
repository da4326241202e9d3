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
#include "explore/promise.h"
#include "memory/execution.h"

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
		m->flags = mm_unlock_flags(ev->site->flags);
		break;
	case OP_LOCK: case OP_TRYLOCK:
		m->flags = mm_lock_flags(ev->site->flags);
		break;
	default:
		m->flags = MM_LOCKED;
		break;
	}
	m->value = d->info[i].value;
	m->loc = d->info[i].loc;
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
	consistent_reset(d);
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
	uint16_t *unlock;	/* of each lock event: its end, GNONE */
	struct mm_pending *pending;
	bool whole, ok;
};

/* Event i comes behind all that its maker's task had done by then. */
static void comes_behind_maker(struct making *k, uint32_t i)
{
	const struct gevent *e = &k->g->ev[i];

	if (!k->pending->any)
		memset(k->pending->of, 0xff, sizeof(k->pending->of));
	k->pending->any = true;
	for (uint32_t j = e->maker + 1u; j--;)
		if (k->g->ev[j].task == k->g->ev[e->maker].task && k->at[j] != MM_NONE) {
			const struct mm_event *v = &k->mm->ev[k->at[j]];

			k->pending->of[e->task] = v->kind == MM_READ && v->pair != MM_NONE ? v->pair : k->at[j];
			return;
		}
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
	v->flags = k->d->slots[e->task].promise ? MM_PROMISE : 0;
	k->at[i] = (uint16_t)(k->mm->n - 1);
	if (k->pending->any) {
		v->after = k->pending->of[e->task];
		k->pending->of[e->task] = MM_NONE;
	}
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
	v->flags |= m->flags;
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

/* What failed to store orders nothing, and took no lock. */
static void only_read(struct making *k, uint32_t i)
{
	struct mm_event *v = &k->mm->ev[k->at[i]];

	if (k->g->ev[i].op == OP_LOAD || k->g->ev[i].op == OP_PLAIN_LOAD)
		return;
	v->order = ORD_ONCE;
	if (v->flags & MM_LOCK)
		v->flags = 0;
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
	r->order = mem_of(k, i)->order;
	r->flags = mem_of(k, i)->flags;
	w = add(k, i, MM_WRITE);
	if (!w)
		return;
	w->flags = mem_of(k, i)->flags;
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
	w->order = mem_of(k, i)->order;
	w->flags = mem_of(k, i)->flags;
	w->rank = (uint16_t)(2 * k->g->ev[k->g->ev[i].rf].rank + 1);
}

static void add_event(struct making *k, uint32_t i)
{
	const struct gevent *e = &k->g->ev[i];

	k->at[i] = MM_NONE;
	if (e->maker != GNONE && e->kind != G_RMW_WRITE)
		comes_behind_maker(k, i);
	if (e->flags & GF_WAITING)
		return;
	switch (e->kind) {
	case G_READ: case G_RMW:
		access(k, i, MM_READ);
		if (k->ok && e->kind == G_READ)
			only_read(k, i);
		break;
	case G_WRITE:
		access(k, i, MM_WRITE);
		break;
	case G_RMW_WRITE:
		write_part(k, i);
		break;
	case G_LOCK:
		/* who has it has not given it back */
		if (e->rf == GNONE || k->unlock[e->rf] != GNONE)
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

/* Reads may refer to what stands behind them in the array.  Those since `from`. */
static void read_from(struct making *k, uint32_t from)
{
	const uint16_t *unlock_of = k->unlock;
	const struct graph *g = k->g;

	for (uint32_t i = from; i < g->n; i++) {
		const struct gevent *e = &g->ev[i];

		if (k->at[i] == MM_NONE || e->rf == GNONE)
			continue;
		if (g_reads(e))
			k->mm->ev[k->at[i]].rf = k->at[e->rf];
		else if (e->kind == G_LOCK && unlock_of[e->rf] != GNONE)
			k->mm->ev[k->at[i] - 1].rf = k->at[unlock_of[e->rf]];
	}
}

/* The object that the access is to; NULL: none. */
static const struct object *accessed(const struct making *k, uint32_t i)
{
	const struct gevent *e = &k->g->ev[i];
	uint32_t loc;

	if (k->at[i] == MM_NONE)
		return NULL;
	loc = mem_of(k, e->kind == G_RMW_WRITE ? e->rf : i)->loc;
	return loc == LOC_NONE ? NULL : object_at(k->d->w, arena_addr(k->d->w, loc));
}

/* Event i is made where read r said. */
static void depends(struct making *k, uint32_t r, uint32_t i)
{
	/* a lock is two there */
	for (unsigned back = k->g->ev[i].kind == G_LOCK; k->ok && back <= 1; back--)
		k->ok = mm_add_addr(k->mm, k->at[r], k->at[i] - back);
}

/* Of loads that head dependencies, where the language does not show them. */
static void addresses(struct making *k)
{
	for (uint32_t r = 0; r < k->g->n && !k->d->x->src.allows; r++) {
		const struct gevent *e = &k->g->ev[r];
		const struct object *o;

		if (!g_reads(e) || k->at[r] == MM_NONE)
			continue;
		o = execution_head(k->d->w, mem_of(k, r)->value, (enum ev_order)mem_of(k, r)->order);
		for (uint32_t i = r + 1; o && i < k->g->n; i++)
			if (k->g->ev[i].task == e->task && accessed(k, i) == o)
				depends(k, r, i);
	}
}

/* What the executions without promises say of dependencies that no language shows. */
static void inferred(struct making *k)
{
	const struct promising *p = k->d->x->promising;

	for (uint32_t i = 0; p && p->n && i < k->g->n; i++) {
		const struct gevent *e = &k->g->ev[i];
		const struct dmem *w;

		if (!g_writes(e) || k->at[i] == MM_NONE)
			continue;
		w = mem_of(k, e->kind == G_RMW_WRITE ? e->rf : i);
		for (uint32_t r = 0; r < k->g->n && k->ok; r++)
			if (k->g->ev[r].task == e->task && g_reads(&k->g->ev[r]) && k->at[r] != MM_NONE &&
			    k->at[r] < k->at[i] && e->rf != r && promise_deps_are(w, mem_of(k, r)))
				k->ok = mm_add_addr(k->mm, k->at[r], k->at[i]);
	}
}

static bool make(struct making *k, uint32_t n)
{
	struct dpor *d = k->d;
	struct mm_pending pending;

	mm_clear(k->mm);
	k->ok = true;
	pending.any = false;
	k->pending = &pending;
	k->unlock = d->mm_unlock;
	find_unlocks(k->g, n, k->unlock);
	for (uint32_t i = 0; i < n && k->ok; i++)
		add_event(k, i);
	if (k->ok) {
		read_from(k, 0);
		addresses(k);
		inferred(k);
	}
	d->oom |= k->mm->oom;
	return k->ok;
}

static bool ask(struct making *k, uint32_t n)
{
	bool ok = make(k, n);

	k->mm->whole = k->whole;
	ok = ok && world_model(k->d->w)->consistent(k->mm);
	k->d->oom |= k->mm->oom;
	return ok || k->mm->oom;
}

bool consistent_make(struct dpor *d)
{
	struct making k = { .d = d, .mm = &d->mm, .g = &d->g, .at = d->mm_at };

	return make(&k, d->g.n);
}

/* --- one more event --- */

uint32_t consistent_seen(const struct dpor *d, unsigned slot, uint16_t cls)
{
	/* he may go on to read what keeps a promise that he has read */
	for (uint32_t i = d->weak && !promises_are_made(d) ? d->g.n : 0; i--;) {
		const struct gevent *e = &d->g.ev[i];

		if (e->task != slot || e->cls != cls || e->flags & GF_WAITING)
			continue;
		if (g_reads(e))
			return e->rf == GNONE ? 0 : d->g.ev[e->rf].rank + 1u;
		if (g_writes(e))
			return e->rank + 1u;
	}
	return 0;
}

void consistent_reset(struct dpor *d)
{
	d->base_n = 0;
	d->base_pending.any = false;
	d->said_of = GNONE;
	mm_clear(&d->base);
}

/* The graph's events, of which most are there from the last question.  False: no memory. */
static bool make_base(struct making *k)
{
	struct dpor *d = k->d;
	uint32_t from = d->base_n;

	k->ok = true;
	k->unlock = d->unlock;
	k->pending = &d->base_pending;
	for (; d->base_n < d->g.n && k->ok; d->base_n++)
		add_event(k, d->base_n);
	if (k->ok)
		read_from(k, from);
	return k->ok;
}

/* It has no place yet, and is not there for the next question. */
static void add_newest(struct making *k, uint32_t i)
{
	const struct gevent *e = &k->g->ev[i];
	struct mm_pending pending = { 0 };

	if (k->pending->any)
		pending = *k->pending;
	k->pending = &pending;
	if (e->maker != GNONE)
		comes_behind_maker(k, i);
	access(k, i, e->kind == G_WRITE ? MM_WRITE : MM_READ);
	if (!k->ok)
		return;
	if (e->kind == G_READ)
		only_read(k, i);
	k->mm->ev[k->at[i]].rank = MM_NONE - 1;
}

/* What the model says of the new event, noted as the one that comes next, wherever it may
 * stand.  False: nothing. */
static bool ask_newest(struct dpor *d, const struct gevent *add)
{
	struct making k = { .d = d, .mm = &d->base, .g = &d->g, .at = d->base_at };
	const struct memory_model *model = world_model(d->w);
	uint32_t i = d->g.n;
	size_t n;

	if (d->said_of == i && d->said_kind == add->kind)
		return true;
	d->said_of = GNONE;
	if (!model->newest || !make_base(&k))
		return false;
	n = d->base.n;
	d->g.ev[i] = *add;
	add_newest(&k, i);
	if (k.ok && model->newest(&d->base))
		d->said_of = (uint16_t)i;
	d->said_kind = add->kind;
	d->base.n = n;
	return d->said_of == i;
}

enum mm_answer consistent_forward(struct dpor *d, const struct gevent *add, uint32_t rank)
{
	const struct gclass *c = &d->classes[add->cls];
	uint32_t place = rank;
	enum mm_answer answer = MM_ASK;

	/* a store that keeps a promise may stand where it does not alone */
	if (promises_are_made(d))
		return MM_ASK;
	if (add->kind == G_READ)
		place = add->rf == GNONE ? 0 : d->g.ev[add->rf].rank + 1u;
	if (place < c->n && ask_newest(d, add))
		answer = (enum mm_answer)d->base.said[d->base_at[c->w[place]]];
	d->oom |= d->base.oom;
	return answer;
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

bool consistent_whole(struct dpor *d)
{
	struct making k = { .d = d, .mm = &d->mm, .g = &d->g, .at = d->mm_at, .whole = true };

	return ask(&k, d->g.n);
}

/* The axioms that are not asked at each step: of what comes later. */
bool consistent_allowed(struct dpor *d)
{
	struct making k = { .d = d, .mm = &d->mm, .g = &d->g, .at = d->mm_at };
	const struct explore_source *src = &d->x->src;

	return !d->weak || !src->allows || (ask(&k, d->g.n) && src->allows(src->arg, &d->mm));
}
