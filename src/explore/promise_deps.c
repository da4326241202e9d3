/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which stores depend on which loads, where the language does not show it: in Lua and in the
 * code of SRCU.  The exploration without promises says: a store does not depend on a load if
 * the task has been seen to do it the same way after another value, everything else that
 * it had read being equal, and never to do it another way.  What was not seen is taken to
 * depend, so that no value comes out of thin air.  What a task does with what it reads is
 * its own: executions in which a promise was not kept tell of it, too, and the sets of
 * promises are explored again if they tell something new.
 */
#include <config.h>

#include "explore/dpor.h"
#include "explore/promise.h"

#include <stdlib.h>
#include <string.h>

/* What a task did, as far as it can have depended on anything. */
struct deed {
	uint16_t op;
	bool reads;
	uint32_t loc;
	uint64_t value;		/* that it read */
	uint64_t a, b;		/* operands of a store */
	uint64_t before;	/* hash of all that the task had done and read before */
};
struct life { struct deed *v; size_t n; uint64_t task, all; };

/* An answer that was given before. */
struct known { uint64_t before, on; uint16_t op; bool is; uint32_t loc; };

/* Where a deed stands. */
struct spot { uint64_t before; uint32_t life, deed; bool is; };

/* More lives than that are not kept: what they would tell is not known. */
#define LIVES_MAX 20000

struct promise_deps {
	struct spot *marks;	/* open addressing */
	size_t marks_cap;
	struct life *lives;
	size_t n, cap;
	size_t told;		/* so many of them have been looked at for what is known */
	struct known *known;	/* open addressing */
	size_t nknown, known_cap;
	struct deed *scratch;
	size_t scratch_cap;
};

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 29;
}

/* What comes after a deed. */
static uint64_t after(const struct deed *d)
{
	uint64_t h = mix(d->before, (uint64_t)d->op << 32 | d->loc);

	return d->reads ? mix(h, d->value) : h;
}

void promise_deps_release(struct promise_deps *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		free(p->lives[i].v);
	free(p->lives);
	free(p->known);
	free(p->marks);
	free(p->scratch);
	free(p);
}

static bool is_read(const struct event *ev)
{
	return ev->op == OP_CHOOSE || (ev->loc && op_reads((enum ev_op)ev->op));
}

/* --- what tasks have done --- */

static struct deed deed_of(const struct dpor *d, uint32_t i)
{
	const struct dmem *m = &d->mem[i];

	return (struct deed){ .op = d->g.ev[i].op, .reads = m->reads, .loc = d->info[i].loc, .value = d->info[i].value,
			      .a = m->operand, .b = m->operand2, .before = m->before };
}

static bool add_life(struct promise_deps *p, uint64_t task, size_t n)
{
	uint64_t all = n ? after(&p->scratch[n - 1]) : task;
	struct deed *v;

	if (p->n >= LIVES_MAX)
		return true;
	for (size_t i = 0; i < p->n; i++)
		if (p->lives[i].task == task && p->lives[i].all == all && p->lives[i].n == n)
			return true;
	v = malloc((n + 1) * sizeof(*v));
	if (!v || !grow(&p->lives, &p->cap, p->n + 1, sizeof(*p->lives))) {
		free(v);
		return false;
	}
	memcpy(v, p->scratch, n * sizeof(*v));
	p->lives[p->n++] = (struct life){ v, n, task, all };
	return true;
}

bool promise_deps_note(struct dpor *d)
{
	struct promise_deps *p = d->x->promising->deps;

	if (!p)
		p = d->x->promising->deps = calloc(1, sizeof(*p));
	if (!p || !grow(&p->scratch, &p->scratch_cap, d->g.n + 1, sizeof(*p->scratch)))
		return false;
	for (unsigned slot = 0; slot < d->nslots; slot++) {
		size_t n = 0;

		for (uint32_t i = 0; i < d->g.n; i++)
			if (d->g.ev[i].task == slot && g_steps(&d->g.ev[i]) && !(d->g.ev[i].flags & GF_WAITING))
				p->scratch[n++] = deed_of(d, i);
		if (!add_life(p, d->slots[slot].id, n))
			return false;
	}
	return true;
}

/* --- on what a store depends --- */

/* Of two lives that are the same before i, where another value was read: is deed j of the one
 * also in the other?  -1: they read other things in between, which may be why. */
static int is_same(const struct life *l, const struct life *o, size_t i, size_t j)
{
	for (size_t k = i + 1; k <= j; k++) {
		const struct deed *a = &l->v[k], *b = &o->v[k];

		if (k >= o->n || a->op != b->op || a->loc != b->loc)
			return false;
		if (k < j && a->reads && a->value != b->value)
			return -1;
	}
	return l->v[j].a == o->v[j].a && l->v[j].b == o->v[j].b;
}

static bool depends(const struct promise_deps *p, const struct life *l, size_t i, size_t j)
{
	bool seen = false;

	for (size_t k = 0; k < p->told; k++) {
		const struct life *o = &p->lives[k];
		int same;

		if (o->task != l->task || o->n <= i || o->v[i].before != l->v[i].before ||
		    o->v[i].op != l->v[i].op || o->v[i].loc != l->v[i].loc || o->v[i].value == l->v[i].value)
			continue;
		same = is_same(l, o, i, j);
		if (!same)
			return true;
		seen |= same > 0;
	}
	return !seen;
}

static struct spot *mark_of(const struct promise_deps *p, uint64_t before)
{
	size_t i = before & (p->marks_cap - 1);

	while (p->marks[i].is && p->marks[i].before != before)
		i = (i + 1) & (p->marks_cap - 1);
	return &p->marks[i];
}

/* Of each deed of the lives that count, one life that has it.  False: no memory. */
static bool make_marks(struct promise_deps *p)
{
	size_t n = 0, cap = 256;

	for (size_t k = 0; k < p->told; k++)
		n += p->lives[k].n;
	while (cap < 2 * n)
		cap *= 2;
	free(p->marks);
	p->marks = calloc(cap, sizeof(*p->marks));
	p->marks_cap = p->marks ? cap : 0;
	for (size_t k = 0; p->marks && k < p->told; k++)
		for (size_t i = 0; i < p->lives[k].n; i++)
			*mark_of(p, p->lives[k].v[i].before) =
				(struct spot){ p->lives[k].v[i].before, (uint32_t)k, (uint32_t)i, true };
	return p->marks;
}

/* A life with a deed behind all that the hash stands for; *j is its number. */
static const struct life *find_life(const struct promise_deps *p, uint64_t before, uint16_t op, uint32_t loc, size_t *j)
{
	const struct spot *m = p->marks_cap ? mark_of(p, before) : NULL;
	const struct deed *a;

	if (!m || !m->is)
		return NULL;
	*j = m->deed;
	a = &p->lives[m->life].v[m->deed];
	return a->op == op && a->loc == loc ? &p->lives[m->life] : NULL;
}

static struct known *place_of(const struct promise_deps *p, uint64_t before)
{
	size_t i = before & (p->known_cap - 1);

	while (p->known[i].is && p->known[i].before != before)
		i = (i + 1) & (p->known_cap - 1);
	return &p->known[i];
}

static bool widen(struct promise_deps *p)
{
	struct promise_deps old = *p;

	if (2 * (p->nknown + 1) <= p->known_cap)
		return true;
	p->known_cap = old.known_cap ? 2 * old.known_cap : 256;
	p->known = calloc(p->known_cap, sizeof(*p->known));
	if (!p->known) {
		*p = old;
		return false;
	}
	for (size_t i = 0; i < old.known_cap; i++)
		if (old.known[i].is)
			*place_of(p, old.known[i].before) = old.known[i];
	free(old.known);
	return true;
}

/* Bits of the task's reads, counted from its first. */
static uint64_t ask(const struct promise_deps *p, uint64_t before, uint16_t op, uint32_t loc)
{
	size_t j;
	const struct life *l = find_life(p, before, op, loc, &j);
	uint64_t on = 0;
	unsigned nth = 0;

	if (!l)
		return UINT64_MAX;
	for (size_t i = 0; i < j; i++)
		if (l->v[i].reads) {
			if (nth < 64 && depends(p, l, i, j))
				on |= (uint64_t)1 << nth;
			nth++;
		}
	return on;
}

bool promise_deps_learn(struct promise_deps *p)
{
	bool changed = false;

	if (!p || p->told == p->n)
		return false;
	p->told = p->n;
	/* without them everything depends on everything */
	make_marks(p);
	for (size_t i = 0; i < p->known_cap; i++) {
		struct known *k = &p->known[i];
		uint64_t on = k->is ? ask(p, k->before, k->op, k->loc) : 0;

		changed |= k->is && on != k->on;
		k->on = on;
	}
	return changed;
}

void promise_deps_of(struct dpor *d, const struct gevent *e, uint32_t i, const struct event *ev)
{
	struct dslot *s = &d->slots[e->task];
	struct promise_deps *p = d->x->promising->deps;
	struct dmem *m = &d->mem[i];
	struct deed deed = { .op = ev->op, .reads = is_read(ev), .loc = d->info[i].loc, .value = d->info[i].value,
			     .before = s->done };
	struct known *k;

	m->before = s->done;
	m->reads = deed.reads;
	m->nth = s->nread;
	m->on = UINT64_MAX;
	s->done = after(&deed);
	s->nread += deed.reads;
	if (!d->x->promising->n || !p || !ev->loc || !op_writes((enum ev_op)ev->op))
		return;
	if (!widen(p)) {
		d->oom = true;
		return;
	}
	k = place_of(p, m->before);
	if (!k->is) {
		*k = (struct known){ m->before, ask(p, m->before, ev->op, deed.loc), ev->op, true, deed.loc };
		p->nknown++;
	}
	m->on = k->on;
}

/* Does what is stored by the one depend on what the other, of its task, read before? */
bool promise_deps_are(const struct dmem *w, const struct dmem *r)
{
	return r->reads && !r->deps.self && (r->nth >= 64 || w->on >> r->nth & 1);
}
