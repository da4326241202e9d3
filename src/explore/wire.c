/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Putting values into a growing piece of memory, and taking them out again.
 */
#include <config.h>

#include "explore/wire.h"

#include <stdlib.h>
#include <string.h>

void wire_put(struct wire *w, const void *v, size_t n)
{
	if (w->n + n > w->cap) {
		size_t cap = w->cap ? w->cap : 4096;
		unsigned char *p;

		while (cap < w->n + n)
			cap *= 2;
		p = realloc(w->v, cap);
		if (!p) {
			w->bad = true;
			return;
		}
		w->v = p;
		w->cap = cap;
	}
	if (n)
		memcpy(w->v + w->n, v, n);
	w->n += n;
}

void wire_put_number(struct wire *w, uint64_t v)
{
	wire_put(w, &v, sizeof(v));
}

void wire_put_text(struct wire *w, const char *s)
{
	wire_put_number(w, s ? strlen(s) + 1 : 0);
	if (s)
		wire_put(w, s, strlen(s) + 1);
}

const void *wire_get(struct wire *w, size_t n)
{
	const void *p = w->v + w->at;

	if (w->bad || n > w->n - w->at) {
		w->bad = true;
		return NULL;
	}
	w->at += n;
	return p;
}

uint64_t wire_get_number(struct wire *w)
{
	const void *p = wire_get(w, sizeof(uint64_t));
	uint64_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return v;
}

char *wire_get_text(struct wire *w)
{
	size_t n = wire_get_number(w);
	const char *p = n ? wire_get(w, n) : NULL;
	char *s = p ? malloc(n) : NULL;

	if (s)
		memcpy(s, p, n);
	w->bad |= n && !s;
	return s;
}

void wire_clear(struct wire *w)
{
	w->n = w->at = 0;
	w->bad = false;
}

void wire_release(struct wire *w)
{
	free(w->v);
	*w = (struct wire){ 0 };
}
