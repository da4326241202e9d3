/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tasks that share a CPU, under other models than sequential consistency.  A graph says who
 * reads from whom, but of accesses that need not stand in one order not when they were made;
 * whoever owns a CPU (who disabled preemption, or has a spinlock) made his between two others
 * of that CPU's, though, and a model knows what that orders.  So it is asked for an order in
 * which the CPUs were had: what follows from the graph is filled in, the rest is tried.
 */
#include <config.h>

#include "explore/dpor.h"
#include "memory/relation.h"

#include <stdlib.h>
#include <string.h>

#define CPUS_TRIES 2000		/* until it is given up */

/* Relations are between steps, which have the index of their (first) event in the graph. */
struct cpus {
	struct dpor *d;
	const struct graph *g;
	struct rels s;
	struct rel given;	/* order of steps that the graph asks for, of all CPUs */
	struct rel before;	/* of steps of one CPU and different tasks */
	struct rel scratch;
	uint16_t *next, *prev;	/* step of the same task, GNONE */
	uint16_t *step;		/* of each event of d->mm */
	uint16_t *pos;		/* by step: when it was made */
	uint8_t *is;		/* is it a step that was made? */
	uint64_t *saved;	/* a stack of relations */
	size_t depth, cap;
	unsigned tries;
	bool oom;
};

/* Is there a CPU that somebody owns and another one uses? */
static bool is_contended(const struct graph *g)
{
	for (uint32_t i = 0; i < g->n; i++)
		for (uint32_t j = 0; g->ev[i].own && j < g->n; j++)
			if (g->ev[j].cpu == g->ev[i].cpu && g->ev[j].task != g->ev[i].task && g_steps(&g->ev[j]))
				return true;
	return false;
}

static uint32_t step_of(const struct cpus *c, uint32_t i)
{
	return c->g->ev[i].kind == G_RMW_WRITE ? c->g->ev[i].rf : i;
}

static bool same_cpu(const struct cpus *c, size_t a, size_t b)
{
	return c->g->ev[a].cpu == c->g->ev[b].cpu && c->g->ev[a].task != c->g->ev[b].task;
}

/* How much must somebody own to keep step b from coming?  As order.c has it. */
static unsigned level(const struct cpus *c, size_t b)
{
	const struct gevent *e = &c->g->ev[b];

	if (c->prev[b] != GNONE && c->g->ev[c->prev[b]].own)
		return c->g->ev[c->prev[b]].own;
	if (e->flags & GF_STROKE)
		return e->own == 3 ? 2 : 1;
	return 0;
}

/* May b not come between a and the next step of a's task? */
static bool keeps_out(const struct cpus *c, size_t a, size_t b)
{
	return same_cpu(c, a, b) && c->g->ev[a].own > level(c, b);
}

/* --- what the graph asks for --- */

static void given(struct cpus *c, uint32_t from, uint32_t to)
{
	from = step_of(c, from);
	to = step_of(c, to);
	if (from != to && c->is[from] && c->is[to])
		rel_set(&c->s, c->given, from, to);
}

/* Of what has one order that all see. */
static void given_by_class(struct cpus *c, uint32_t i)
{
	const struct gevent *e = &c->g->ev[i];
	const struct gclass *cls = &c->d->classes[e->cls];
	uint32_t next = !g_reads(e) ? e->rank + 1u : e->rf == GNONE ? 0 : c->g->ev[e->rf].rank + 1u;

	if ((g_reads(e) || g_writes(e)) && !consistent_is_loose(c->d, e->cls) && next < cls->n)
		given(c, i, cls->w[next]);
}

static void find_given(struct cpus *c)
{
	for (uint32_t i = 0; i < c->g->n; i++) {
		const struct gevent *e = &c->g->ev[i];

		if (e->kind == G_STARVED || e->flags & GF_WAITING)
			continue;
		if (e->maker != GNONE)
			given(c, e->maker, i);
		if ((g_reads(e) || e->kind == G_LOCK) && e->rf != GNONE)
			given(c, e->rf, i);
		if (e->kind == G_LOCK && e->rf != GNONE && c->d->unlock[e->rf] != GNONE)
			given(c, c->d->unlock[e->rf], i);
		given_by_class(c, i);
		if (c->is[i] && c->next[i] != GNONE)
			rel_set(&c->s, c->given, i, c->next[i]);
	}
}

/* --- what follows --- */

static bool put(struct cpus *c, size_t a, size_t b)
{
	if (rel_has(&c->s, c->before, a, b))
		return false;
	rel_set(&c->s, c->before, a, b);
	return true;
}

/* Nobody comes between two steps of one who owns the CPU, nor behind one who is stuck there. */
static bool put_whole(struct cpus *c, bool *ok)
{
	bool more = false;

	for (size_t a = 0; a < c->s.n; a++) {
		uint16_t n = c->is[a] ? c->next[a] : GNONE;

		for (size_t b = 0; c->is[a] && c->g->ev[a].own && b < c->s.n; b++) {
			if (!c->is[b] || !keeps_out(c, a, b))
				continue;
			if (n == GNONE || rel_has(&c->s, c->before, b, n))
				more |= put(c, b, a);
			if (rel_has(&c->s, c->before, a, b) && n != GNONE)
				more |= put(c, n, b);
			*ok &= n != GNONE || !rel_has(&c->s, c->before, a, b);
		}
	}
	return more;
}

/* The order of steps that comes of it, which is what there is of it on each CPU.  False: it
 * goes in a circle. */
static bool put_order(struct cpus *c, bool *more)
{
	rel_copy(&c->s, c->scratch, c->given);
	rel_join(&c->s, c->scratch, c->before);
	rel_close(&c->s, c->scratch);
	if (!rel_is_irreflexive(&c->s, c->scratch))
		return false;
	for (size_t a = 0; a < c->s.n; a++)
		rel_each(&c->s, c->scratch, a, b)
			if (same_cpu(c, a, b))
				*more |= put(c, a, b);
	return true;
}

static bool tell_model(struct cpus *c)
{
	struct mm *m = &c->d->mm;

	if (!mm_place_begin(m)) {
		c->oom = true;
		return false;
	}
	for (size_t i = 0; i < m->n; i++)
		for (size_t j = 0; j < m->n; j++)
			if (m->ev[i].cpu == m->ev[j].cpu && m->ev[i].task != m->ev[j].task &&
			    rel_has(&c->s, c->before, c->step[i], c->step[j]))
				mm_place(m, i, j);
	return true;
}

/* What the model says.  False: no. */
static bool put_known(struct cpus *c, bool *more)
{
	struct mm *m = &c->d->mm;

	/* put_coherent() has said it all */
	if (!world_model(c->d->w)->order)
		return true;
	if (!tell_model(c))
		return false;
	if (!world_model(c->d->w)->order(m)) {
		c->oom = m->oom;
		return false;
	}
	for (size_t i = 0; i < m->n; i++)
		for (size_t j = 0; j < m->n; j++)
			if (m->known[i * mm_words(m) + j / 64] >> (j % 64) & 1 && same_cpu(c, c->step[i], c->step[j]))
				*more |= put(c, c->step[i], c->step[j]);
	return true;
}

/* Of two accesses of one location that can come in one order only. */
static void put_coherent(struct cpus *c)
{
	const struct mm *m = &c->d->mm;

	for (size_t i = 0; i < m->n; i++)
		for (size_t j = 0; j < m->n; j++)
			if (m->ev[i].loc == m->ev[j].loc && same_cpu(c, c->step[i], c->step[j]) && !mm_may_follow(m, i, j))
				put(c, c->step[j], c->step[i]);
}

/* All of it.  False: that cannot be. */
static bool follow(struct cpus *c)
{
	bool more, ok = true;

	do {
		more = false;
		if (!put_order(c, &more))
			return false;
		more |= put_whole(c, &ok);
		if (!ok)
			return false;
		if (!more && !put_known(c, &more))
			return false;
	} while (more);
	return true;
}

/* --- what is tried --- */

/* A step that may have come before, or behind, two of one who owns the CPU. */
static bool find_open(const struct cpus *c, size_t *a, size_t *b)
{
	for (*a = 0; *a < c->s.n; ++*a) {
		if (!c->is[*a] || !c->g->ev[*a].own || c->next[*a] == GNONE)
			continue;
		for (*b = 0; *b < c->s.n; ++*b)
			if (c->is[*b] && keeps_out(c, *a, *b) && !rel_has(&c->s, c->before, *b, *a) &&
			    !rel_has(&c->s, c->before, c->next[*a], *b))
				return true;
	}
	return false;
}

static bool solve(struct cpus *c)
{
	size_t size = c->s.n * c->s.words, a, b;
	bool later;

	if (!follow(c))
		return false;
	if (!find_open(c, &a, &b))
		return true;
	if (!c->tries || c->oom)
		return false;
	c->tries--;
	if (!grow(&c->saved, &c->cap, (c->depth + 1) * size, sizeof(*c->saved))) {
		c->oom = true;
		return false;
	}
	memcpy(c->saved + c->depth++ * size, c->before.row, size * sizeof(*c->saved));
	/* as the steps were made, and the other way */
	later = c->pos[b] > c->pos[a];
	for (int way = 0; way < 2; way++, later = !later) {
		if (later)
			put(c, c->next[a], b);
		else
			put(c, b, a);
		if (solve(c))
			return true;
		if (!c->tries || c->oom)
			break;
		memcpy(c->before.row, c->saved + (c->depth - 1) * size, size * sizeof(*c->saved));
	}
	c->depth--;
	return false;
}

static bool is_coherent(const struct cpus *c)
{
	const struct mm *m = &c->d->mm;

	for (size_t i = 0; i < m->n; i++)
		for (size_t j = 0; j < m->n; j++)
			if (m->ev[i].loc == m->ev[j].loc && same_cpu(c, c->step[i], c->step[j]) &&
			    c->pos[c->step[i]] < c->pos[c->step[j]] && !mm_may_follow(m, i, j))
				return false;
	return true;
}

/* Is the order in which the steps were made one already? */
static bool is_as_made(struct cpus *c)
{
	const struct memory_model *model = world_model(c->d->w);
	bool ok = !c->d->forced;

	if (!model->order)
		return ok && is_coherent(c);
	for (size_t a = 0; ok && a < c->s.n; a++)
		for (size_t b = 0; b < c->s.n; b++)
			if (c->is[a] && c->is[b] && same_cpu(c, a, b) && c->pos[a] < c->pos[b])
				rel_set(&c->s, c->before, a, b);
	ok = ok && tell_model(c) && model->consistent(&c->d->mm);
	c->oom |= c->d->mm.oom;
	rel_clear(&c->s, c->before);
	return ok;
}

/* Is there one in which every load returns the newest store?  Every model allows that. */
static bool is_plain(struct dpor *d)
{
	return order_find(&d->order, &d->g, d->nslots, d->nclasses, NULL, ORDER_TRY_CPUS);
}

/* --- */

static void index_steps(struct cpus *c)
{
	const struct dpor *d = c->d;
	uint16_t last[UINT8_MAX + 1];

	memset(last, 0xff, sizeof(last));
	for (uint32_t i = 0; i < c->g->n; i++) {
		const struct gevent *e = &c->g->ev[i];

		c->next[i] = c->prev[i] = GNONE;
		c->is[i] = g_steps(e) && !(e->flags & GF_WAITING);
		if (!c->is[i])
			continue;
		c->prev[i] = last[e->task];
		if (c->prev[i] != GNONE)
			c->next[c->prev[i]] = (uint16_t)i;
		last[e->task] = (uint16_t)i;
	}
	for (uint32_t i = 0; i < c->g->n; i++) {
		if (d->mm_at[i] == MM_NONE)
			continue;
		c->step[d->mm_at[i]] = (uint16_t)step_of(c, i);
		if (c->g->ev[i].kind == G_LOCK)
			c->step[d->mm_at[i] - 1] = (uint16_t)i;
	}
}

/* When the steps were made. */
static void find_places(struct cpus *c)
{
	const struct dpor *d = c->d;
	uint16_t next[UINT8_MAX + 1];

	memset(next, 0xff, sizeof(next));
	for (uint32_t i = c->g->n; i--;)
		if (c->is[i])
			next[c->g->ev[i].task] = (uint16_t)i;
	for (size_t k = 0; k < d->nsteps; k++) {
		unsigned slot = d->slot_of[d->steps[k].task] - 1u;

		if (next[slot] == GNONE)
			continue;
		c->pos[next[slot]] = (uint16_t)k;
		next[slot] = c->next[next[slot]];
	}
}

/* The steps in an order that respects what was found. */
static bool order_steps(struct cpus *c)
{
	struct dpor *d = c->d;
	bool ok;

	rel_clear(&c->s, c->scratch);
	for (size_t i = 0; i < c->s.n; i++)
		rel_each(&c->s, c->before, i, j)
			rel_set(&c->s, c->scratch, j, i);
	d->order.behind = c->scratch.row;
	d->order.words = c->s.words;
	ok = order_find(&d->order, &d->g, d->nslots, d->nclasses, consistent_loose(d), ORDER_NO_CPUS);
	d->order.behind = NULL;
	if (!ok && !d->order.oom) {
		d->failed = true;
		return explore_fail(d->x, "the steps of an execution cannot be put into the order that its CPUs ask "
				    "for: this is an error in srcush");
	}
	return ok || visit_oom(d);
}

static bool find(struct cpus *c, bool *other)
{
	struct dpor *d = c->d;

	index_steps(c);
	find_places(c);
	if (is_as_made(c))
		return true;
	*other = true;
	if (is_plain(d))
		return true;
	find_given(c);
	put_coherent(c);
	if (!c->oom && solve(c))
		return order_steps(c);
	if (c->oom)
		return visit_oom(d);
	if (!c->tries) {
		d->failed = true;
		return explore_fail(d->x, "whether %zu steps respect the CPUs on which nothing may be preempted could "
				    "not be decided", d->nsteps);
	}
	d->dropped = true;
	return false;
}

bool cpus_allow(struct dpor *d, bool *other)
{
	struct cpus c = { .d = d, .g = &d->g, .tries = CPUS_TRIES };
	size_t n = d->g.n, size;
	char *mem;
	bool ok;

	*other = false;
	if (!is_contended(&d->g))
		return true;
	if (!consistent_make(d))
		return visit_oom(d);
	c.s = (struct rels){ n, (n + 63) / 64 };
	size = n * c.s.words * sizeof(uint64_t);
	mem = calloc(1, 3 * size + (3 * n + d->mm.n) * sizeof(uint16_t) + n);
	if (!mem)
		return visit_oom(d);
	c.given.row = (uint64_t *)mem;
	c.before.row = c.given.row + n * c.s.words;
	c.scratch.row = c.before.row + n * c.s.words;
	c.next = (uint16_t *)(mem + 3 * size);
	c.prev = c.next + n;
	c.pos = c.prev + n;
	c.step = c.pos + n;
	c.is = (uint8_t *)(c.step + d->mm.n);
	ok = find(&c, other);
	free(c.saved);
	free(mem);
	return ok;
}
