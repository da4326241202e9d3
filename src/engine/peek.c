/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses without a step: who asks for them is told which they were.
 */
#include <config.h>

#include "engine/internal.h"
#include "engine/peek.h"

#include <stdlib.h>

void world_peek_begin(struct world *w, struct peek *p)
{
	p->n = 0;
	p->other = false;
	p->outer = w->peek;
	w->peek = p;
}

static void peek_add(struct peek *p, uint32_t loc)
{
	/* what is read twice is mostly read twice in a row */
	if (p->n && p->locs[p->n - 1] == loc)
		return;
	if (grow(&p->locs, &p->cap, p->n + 1, sizeof(*p->locs)))
		p->locs[p->n++] = loc;
	else
		p->other = true;
}

static int cmp_loc(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

void world_peek_end(struct world *w, struct peek *p)
{
	size_t n = 0;

	w->peek = p->outer;
	if (p->outer) {
		p->outer->other |= p->other;
		for (size_t i = 0; i < p->n; i++)
			peek_add(p->outer, p->locs[i]);
		p->outer = NULL;
	}
	if (p->n < 2)
		return;
	qsort(p->locs, p->n, sizeof(*p->locs), cmp_loc);
	for (size_t i = 0; i < p->n; i++)
		if (!n || p->locs[n - 1] != p->locs[i])
			p->locs[n++] = p->locs[i];
	p->n = n;
}

void peek_release(struct peek *p)
{
	free(p->locs);
	*p = (struct peek){ 0 };
}

void world_peeked(struct world *w, const void *loc)
{
	if (w->peek)
		peek_add(w->peek, arena_offset(w, loc));
}

void world_peeked_other(struct world *w)
{
	if (w->peek)
		w->peek->other = true;
}

/* --- ghost accesses --- */

const struct ghost_access *world_ghosts(struct world *w, size_t *n)
{
	*n = w->ghosts.n;
	return w->ghosts.v;
}

bool world_ghost(struct world *w, const void *loc, bool write)
{
	struct ghosts *g = &w->ghosts;
	struct ghost_access a = { .loc = arena_offset(w, loc), .write = write,
				  .plains = w->plains.n };

	if (w->peek) {
		peek_add(w->peek, a.loc);
		return true;
	}
	w->aside = true;
	if (!task_current())
		return true;
	a.task = task_id(task_current());
	if (write)
		plains_seam(w);
	if (g->n && g->v[g->n - 1].task == a.task && g->v[g->n - 1].loc == a.loc) {
		if (write && !g->v[g->n - 1].write)
			g->v[g->n - 1].plains = a.plains;
		g->v[g->n - 1].write |= write;
		return true;
	}
	if (!grow(&g->v, &g->cap, g->n + 1, sizeof(*g->v)))
		return world_oom(w);
	g->v[g->n++] = a;
	return true;
}
