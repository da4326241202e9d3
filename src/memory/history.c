/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stores of each location in coherence order.
 */
#include <config.h>

#include "memory/history.h"

#include <stdlib.h>
#include <string.h>

struct history *history_new(void)
{
	return calloc(1, sizeof(struct history));
}

void history_free(struct history *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->cap; i++)
		free(h->v[i].v);
	free(h->v);
	free(h);
}

void history_clear(struct history *h)
{
	/* what was allocated for a slot is used by whoever gets it next */
	for (size_t i = 0; i < h->cap; i++) {
		h->v[i].loc = NULL;
		h->v[i].n = 0;
	}
	h->n = 0;
}

static struct mem_location *find(const struct history *h, const void *loc)
{
	size_t i = (size_t)(((uint64_t)(uintptr_t)loc * 0x9e3779b97f4a7c15u) >> 32) & (h->cap - 1);

	while (h->v[i].loc && h->v[i].loc != loc)
		i = (i + 1) & (h->cap - 1);
	return &h->v[i];
}

static bool widen(struct history *h)
{
	struct history old = *h;

	if (2 * (h->n + 1) <= h->cap)
		return true;
	h->cap = old.cap ? 2 * old.cap : 64;
	h->v = calloc(h->cap, sizeof(*h->v));
	if (!h->v) {
		*h = old;
		return false;
	}
	for (size_t i = 0; i < old.cap; i++)
		if (old.v[i].loc)
			*find(h, old.v[i].loc) = old.v[i];
		else
			free(old.v[i].v);
	free(old.v);
	return true;
}

bool history_put(struct mem_location *l, size_t place, struct mem_store s)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 8;
		struct mem_store *v = realloc(l->v, cap * sizeof(*v));

		if (!v)
			return false;
		l->v = v;
		l->cap = cap;
	}
	memmove(&l->v[place + 1], &l->v[place], (l->n - place) * sizeof(*l->v));
	l->v[place] = s;
	l->n++;
	return true;
}

struct mem_location *history_at(struct history *h, const void *loc, uint64_t now)
{
	struct mem_location *l;

	if (!widen(h))
		return NULL;
	l = find(h, loc);
	if (l->loc)
		return l;
	l->loc = loc;
	h->n++;
	return history_put(l, 0, (struct mem_store){ .value = now }) ? l : NULL;
}
