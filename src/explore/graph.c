/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copying, restricting and keeping execution graphs.
 */
#include <config.h>

#include "explore/graph.h"

#include <stdlib.h>
#include <string.h>

bool graph_reserve(struct graph *g, uint32_t need)
{
	uint32_t cap = g->cap ? g->cap : 64;
	struct gevent *p;

	if (need <= g->cap)
		return true;
	while (cap < need)
		cap *= 2;
	p = realloc(g->ev, cap * sizeof(*p));
	if (!p)
		return false;
	g->ev = p;
	g->cap = cap;
	return true;
}

static bool has_rank(const struct gevent *e)
{
	return g_writes(e) || e->kind == G_LOCK;
}

static uint16_t moved(const struct gchange *c, uint16_t i)
{
	return i == GNONE ? GNONE : c->where[i];
}

static bool refers(const struct gevent *e)
{
	return e->kind != G_PROMISE && e->kind != G_STARVED && e->kind != G_NONE && e->kind != G_WRITE;
}

/* Copies what stays; indices change, so references are translated, and the places in
 * coherence order are closed up. */
static void copy_kept(struct graph *to, const struct graph *from, const struct gchange *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < from->n; i++) {
		struct gevent *e;

		c->where[i] = graph_keeps(from, c, i) ? (uint16_t)n : GNONE;
		if (c->where[i] == GNONE)
			continue;
		e = &to->ev[n++];
		*e = from->ev[i];
	}
	to->n = n;
	/* a read that was revisited may refer to a later event: only now */
	for (uint32_t i = 0; i < n; i++) {
		struct gevent *e = &to->ev[i];

		if (refers(e))
			e->rf = moved(c, e->rf);
		e->maker = moved(c, e->maker);
	}
	for (unsigned k = 0; k < c->nclasses; k++) {
		uint16_t rank = 0;

		for (uint16_t j = 0; j < c->classes[k].n; j++) {
			uint16_t at = c->where[c->classes[k].w[j]];

			if (at != GNONE)
				to->ev[at].rank = rank++;
		}
	}
}

/* Makes room in the coherence order of a class. */
static void insert_rank(struct graph *to, uint32_t n, uint16_t cls, uint32_t rank)
{
	for (uint32_t i = 0; i < n; i++)
		if (to->ev[i].cls == cls && has_rank(&to->ev[i]) && to->ev[i].rank >= rank)
			to->ev[i].rank++;
}

bool graph_derive(struct graph *to, const struct graph *from, const struct gchange *c)
{
	struct gevent a = c->add;
	uint32_t at;

	if (!graph_reserve(to, from->n + 2))
		return false;
	if (c->past) {
		copy_kept(to, from, c);
		if (refers(&a))
			a.rf = moved(c, a.rf);
		a.maker = moved(c, a.maker);
	} else {
		memcpy(to->ev, from->ev, from->n * sizeof(*to->ev));
		to->n = from->n;
	}
	at = to->n;
	if (has_rank(&a) || a.kind == G_RMW)
		insert_rank(to, at, a.cls, c->rank);
	a.rank = a.kind == G_RMW ? 0 : (uint16_t)c->rank;
	to->ev[to->n++] = a;
	if (a.kind == G_RMW) {
		to->ev[to->n] = g_write_part(&a, at, c->rank);
		at = to->n++;
	}
	if (c->revisit >= 0) {
		struct gevent *r = &to->ev[c->revisit]; /* below `keep`: same index */

		r->rf = (uint16_t)at;
		r->flags = (uint8_t)((r->flags & ~GF_WAITING) | GF_FRESH);
	}
	return true;
}

static bool gstack_reserve(struct gstack *s, size_t need)
{
	size_t cap = s->cap ? s->cap : 16384;
	unsigned char *p;

	if (need <= s->cap)
		return true;
	while (cap < need)
		cap += cap / 2;
	p = realloc(s->bytes, cap);
	if (!p)
		return false;
	s->bytes = p;
	s->cap = cap;
	return true;
}

/* A graph on the stack: its events, then their number. */
bool gstack_push(struct gstack *s, const struct graph *g)
{
	size_t bytes = g->n * sizeof(*g->ev), need = s->used + bytes + sizeof(uint32_t);

	if (need > GSTACK_MAX) {
		s->full = true;
		return false;
	}
	if (!gstack_reserve(s, need))
		return false;
	if (bytes)
		memcpy(s->bytes + s->used, g->ev, bytes);
	memcpy(s->bytes + s->used + bytes, &g->n, sizeof(uint32_t));
	s->used = need;
	s->n++;
	return true;
}

bool gstack_append(struct gstack *s, const void *bytes, size_t used, size_t n)
{
	if (!gstack_reserve(s, s->used + used))
		return false;
	if (used)
		memcpy(s->bytes + s->used, bytes, used);
	s->used += used;
	s->n += n;
	return true;
}

bool gstack_give(struct gstack *s, size_t k, struct gstack *to)
{
	size_t at = s->used;

	for (size_t i = s->n; i > k; i--) {
		uint32_t n;

		memcpy(&n, s->bytes + at - sizeof(n), sizeof(n));
		at -= sizeof(n) + n * sizeof(struct gevent);
	}
	if (!gstack_append(to, s->bytes, at, k))
		return false;
	if (at)	/* then there are bytes */
		memmove(s->bytes, s->bytes + at, s->used - at);
	s->used -= at;
	s->n -= k;
	return true;
}

bool gstack_pop(struct gstack *s, struct graph *g)
{
	uint32_t n;

	if (!s->n)
		return false;
	memcpy(&n, s->bytes + s->used - sizeof(n), sizeof(n));
	if (!graph_reserve(g, n + 2))
		return false;
	s->used -= sizeof(n) + n * sizeof(*g->ev);
	memcpy(g->ev, s->bytes + s->used, n * sizeof(*g->ev));
	g->n = n;
	s->n--;
	return true;
}

void gstack_release(struct gstack *s)
{
	free(s->bytes);
	*s = (struct gstack){ 0 };
}
