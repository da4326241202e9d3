/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of lines that lines.c has put into the images: from an address to a site.
 */
#include <config.h>

#include <stdlib.h>

#include "engine/plain.h"
#include "engine/site.h"
#include "ktree/build.h"
#include "ktree/place.h"

struct places {
	const struct ktree_line *lines;
	size_t n;
	const void *text, *text_end;
	struct site **sites;		/* by line; made when they are asked for */
	struct places *next;
};
static struct places *all;

static int by_pc(const void *a, const void *b)
{
	const struct ktree_line *x = a, *y = b;

	return (x->pc > y->pc) - (x->pc < y->pc);
}

bool ktree_places_add(const struct ktree_line *lines, const struct ktree_line *end,
		      const void *text, const void *text_end, char **why)
{
	size_t n = (size_t)(end - lines);
	struct places *p = calloc(1, sizeof(*p));

	if (p)
		p->sites = calloc(n + 1, sizeof(*p->sites));
	if (!p || !p->sites) {
		free(p);
		return ktree_fail(why, "out of memory");
	}
	/* the image's data: it is written as its relocations are */
	if (n)
		qsort((void *)(uintptr_t)lines, n, sizeof(*lines), by_pc);
	p->lines = lines;
	p->n = n;
	p->text = text;
	p->text_end = text_end;
	p->next = all;
	all = p;
	plain_site_of = ktree_place;
	return true;
}

static struct site *make_site(const struct ktree_line *l)
{
	struct site *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->op = l->write ? OP_PLAIN_STORE : OP_PLAIN_LOAD;
	s->order = ORD_NONE;
	s->flags = SITE_DYNAMIC;
	s->prim = l->write ? "plain write" : "plain read";
	s->expr = "";
	s->func = l->func;
	s->file = l->file;
	s->line = (int)l->line;
	return s;
}

static const struct site *site_at(struct places *p, const struct ktree_line *l)
{
	struct site **s = &p->sites[l - p->lines];

	if (!*s)
		*s = make_site(l);
	return *s;
}

const struct site *ktree_place_near(const void *pc)
{
	for (struct places *p = all; p; p = p->next) {
		size_t low = 0, high = p->n;

		if ((uintptr_t)pc < (uintptr_t)p->text || (uintptr_t)pc > (uintptr_t)p->text_end)
			continue;
		while (low < high) {
			size_t mid = (low + high) / 2;

			if ((uintptr_t)p->lines[mid].pc <= (uintptr_t)pc)
				low = mid + 1;
			else
				high = mid;
		}
		return low ? site_at(p, &p->lines[low - 1]) : NULL;
	}
	return NULL;
}

const struct site *ktree_place(const void *pc)
{
	struct ktree_line key = { .pc = pc };

	for (struct places *p = all; p; p = p->next) {
		const struct ktree_line *l;

		if ((uintptr_t)pc < (uintptr_t)p->text || (uintptr_t)pc > (uintptr_t)p->text_end || !p->n)
			continue;
		l = bsearch(&key, p->lines, p->n, sizeof(*l), by_pc);
		return l ? site_at(p, l) : NULL;
	}
	return NULL;
}
