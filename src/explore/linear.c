/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From one run to another with fewer context switches that does the same: which
 * steps depend on which is worked out as vector clocks, and a search from the start,
 * one stretch of one task after the other, finds an order with few stretches.  It
 * only proposes: who asked runs the proposal and looks at what it shows.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "explore/minimise.h"

#define CELLS_MAX (4u << 20)	/* of clocks: beyond that nothing is proposed */
#define BEAM_MAX 512		/* runs of equal numbers of stretches that are followed */
#define BEAM_WORK 2000000	/* steps looked at for each further stretch */

bool stretches_add(struct stretches *s, uint32_t task, uint32_t len)
{
	if (!grow(&s->v, &s->cap, s->n + 1, sizeof(*s->v)))
		return false;
	s->v[s->n++] = (struct stretch){ task, len };
	return true;
}

bool touch_is_local(const struct touch *all, size_t n, const struct touch *t)
{
	if (t->cpu_wide || t->loc == TOUCH_ALL || t->ghost)
		return false;
	if (t->loc == TOUCH_NONE)
		return true;
	for (size_t i = 0; i < n; i++)
		if (all[i].task != t->task && (all[i].loc == t->loc || all[i].loc == TOUCH_ALL) &&
		    (all[i].writes || t->writes))
			return false;
	return true;
}

/* What steps are ordered by: memory words, CPUs, and the ghosts' one place. */
enum place_kind { PLACE_WORD, PLACE_CPU, PLACE_GHOST };
struct place { uint32_t kind, n; };

struct order {
	const struct touch *touch;
	size_t n;
	uint32_t *tasks;	/* identities, in order of their first steps */
	size_t ntasks;
	uint32_t *who;		/* per step: index of its task */
	uint32_t **steps;	/* per task: the numbers of its steps */
	uint32_t *len;		/* per task: how many */
	uint32_t *limit;	/* per task: how many are wanted */
	uint32_t *clocks;	/* per step: ntasks counts that come before it, itself included */
	struct place *places;	/* sorted */
	size_t nplaces;
	uint32_t *reads, *writes; /* per place: clocks, joined */
	uint32_t *all_reads, *all_writes, *any_read, *any_write;
};

static void join(uint32_t *to, const uint32_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (from[i] > to[i])
			to[i] = from[i];
}

static int compare_places(const void *a, const void *b)
{
	const struct place *p = a, *q = b;

	if (p->kind != q->kind)
		return p->kind < q->kind ? -1 : 1;
	return p->n < q->n ? -1 : p->n > q->n;
}

static size_t find_place(const struct order *o, enum place_kind kind, uint32_t n)
{
	struct place p = { kind, n };
	struct place *found = bsearch(&p, o->places, o->nplaces, sizeof(p), compare_places);

	return (size_t)(found - o->places);
}

static bool collect_places(struct order *o)
{
	size_t k = 0, kept = 0;

	o->places = calloc(2 * o->n + 1, sizeof(*o->places));
	if (!o->places)
		return false;
	for (size_t i = 0; i < o->n; i++) {
		const struct touch *t = &o->touch[i];

		if (t->loc != TOUCH_NONE && t->loc != TOUCH_ALL)
			o->places[k++] = (struct place){ PLACE_WORD, t->loc };
		o->places[k++] = (struct place){ PLACE_CPU, t->cpu };
	}
	o->places[k++] = (struct place){ PLACE_GHOST, 0 };
	qsort(o->places, k, sizeof(*o->places), compare_places);
	for (size_t i = 0; i < k; i++)
		if (!kept || compare_places(&o->places[kept - 1], &o->places[i]))
			o->places[kept++] = o->places[i];
	o->nplaces = kept;
	return true;
}

static size_t task_index(const struct order *o, uint32_t task)
{
	size_t i = 0;

	while (i < o->ntasks && o->tasks[i] != task)
		i++;
	return i;
}

static bool collect_tasks(struct order *o)
{
	size_t cap = 0;

	o->who = calloc(o->n + 1, sizeof(*o->who));
	if (!o->who)
		return false;
	for (size_t i = 0; i < o->n; i++) {
		size_t t = i && o->touch[i].task == o->touch[i - 1].task ? o->who[i - 1] :
			task_index(o, o->touch[i].task);

		if (t == o->ntasks) {
			if (!grow(&o->tasks, &cap, t + 1, sizeof(*o->tasks)))
				return false;
			o->tasks[o->ntasks++] = o->touch[i].task;
		}
		o->who[i] = (uint32_t)t;
	}
	return true;
}

static bool number_steps(struct order *o)
{
	o->steps = calloc(o->ntasks + 1, sizeof(*o->steps));
	o->len = calloc(o->ntasks + 1, sizeof(*o->len));
	o->limit = calloc(o->ntasks + 1, sizeof(*o->limit));
	if (!o->steps || !o->len || !o->limit)
		return false;
	for (size_t i = 0; i < o->n; i++)
		o->len[o->who[i]]++;
	for (size_t t = 0; t < o->ntasks; t++) {
		o->steps[t] = calloc(o->len[t] + 1, sizeof(**o->steps));
		if (!o->steps[t])
			return false;
		o->limit[t] = o->len[t];
		o->len[t] = 0;
	}
	for (size_t i = 0; i < o->n; i++)
		o->steps[o->who[i]][o->len[o->who[i]]++] = (uint32_t)i;
	return true;
}

static uint32_t *clock_of(const struct order *o, size_t step)
{
	return o->clocks + step * o->ntasks;
}

/* Step c comes after what it depends on at this place, and is seen there. */
static void visit(struct order *o, uint32_t *c, size_t place, bool writes)
{
	uint32_t *reads = o->reads + place * o->ntasks, *wrote = o->writes + place * o->ntasks;

	join(c, wrote, o->ntasks);
	if (writes)
		join(c, reads, o->ntasks);
	join(writes ? wrote : reads, c, o->ntasks);
}

static void visit_memory(struct order *o, uint32_t *c, const struct touch *t)
{
	if (t->loc == TOUCH_NONE)
		return;
	/* what touches everything, and everything that touches */
	join(c, o->all_writes, o->ntasks);
	if (t->writes)
		join(c, o->all_reads, o->ntasks);
	if (t->loc == TOUCH_ALL) {
		join(c, o->any_write, o->ntasks);
		if (t->writes)
			join(c, o->any_read, o->ntasks);
		join(t->writes ? o->all_writes : o->all_reads, c, o->ntasks);
	} else {
		visit(o, c, find_place(o, PLACE_WORD, t->loc), t->writes);
	}
	join(t->writes ? o->any_write : o->any_read, c, o->ntasks);
}

static bool make_clocks(struct order *o, bool ghosts)
{
	size_t n = o->ntasks;
	uint32_t *five = calloc(5 * n + 1, sizeof(*five)), *seen;

	o->clocks = calloc(o->n * n + 1, sizeof(*o->clocks));
	o->reads = calloc(o->nplaces * n + 1, sizeof(*o->reads));
	o->writes = calloc(o->nplaces * n + 1, sizeof(*o->writes));
	o->all_reads = five;
	if (!o->clocks || !o->reads || !o->writes || !five)
		return false;
	o->all_writes = five + n;
	o->any_read = five + 2 * n;
	o->any_write = five + 3 * n;
	seen = five + 4 * n;	/* steps per task so far */
	for (size_t i = 0; i < o->n; i++) {
		const struct touch *t = &o->touch[i];
		size_t me = o->who[i], maker = task_index(o, t->maker);
		uint32_t *c = clock_of(o, i), nth = seen[me]++;

		if (nth)
			join(c, clock_of(o, o->steps[me][nth - 1]), n);
		else if (maker < n && maker != me && seen[maker])
			join(c, clock_of(o, o->steps[maker][seen[maker] - 1]), n);
		c[me] = nth + 1;
		visit_memory(o, c, t);
		visit(o, c, find_place(o, PLACE_CPU, t->cpu), t->cpu_wide);
		if (ghosts && t->ghost)
			visit(o, c, find_place(o, PLACE_GHOST, 0), true);
	}
	return true;
}

/* Only what the last steps of the wanted tasks depend on. */
static void cut_slice(struct order *o, const uint32_t *wanted)
{
	memset(o->limit, 0, o->ntasks * sizeof(*o->limit));
	for (int i = 0; i < 2; i++) {
		size_t t = task_index(o, wanted[i]);

		if (wanted[i] && t < o->ntasks)
			join(o->limit, clock_of(o, o->steps[t][o->len[t] - 1]), o->ntasks);
	}
}

/* --- the search --- */

/* A state: how far each task is.  Reached from another one by one stretch. */
struct node { size_t from; uint32_t who, len; uint64_t done; };
#define NODE_NONE SIZE_MAX

struct search {
	const struct order *o;
	struct node *nodes;
	uint32_t *at;		/* per node: ntasks positions */
	size_t n, cap, at_cap;
	size_t beam;
	uint64_t goal;
};

/* How many steps can task t make from `at`, one after the other? */
static uint32_t reach(const struct order *o, const uint32_t *at, size_t t)
{
	uint32_t p = at[t];

	for (; p < o->limit[t]; p++) {
		const uint32_t *c = clock_of(o, o->steps[t][p]);

		for (size_t u = 0; u < o->ntasks; u++)
			if (u != t && c[u] > at[u])
				return p - at[t];
	}
	return p - at[t];
}

static bool known(const struct search *s, size_t first, const uint32_t *at)
{
	size_t n = s->o->ntasks;

	for (size_t i = first; i < s->n; i++)
		if (!memcmp(s->at + i * n, at, n * sizeof(*at)))
			return true;
	return false;
}

/* Adds what node `i` becomes when task t goes on as far as it can. */
static bool extend(struct search *s, size_t first, size_t i, size_t t)
{
	size_t n = s->o->ntasks;
	uint32_t len = reach(s->o, s->at + i * n, t);

	if (!len)
		return true;
	if (!grow(&s->nodes, &s->cap, s->n + 1, sizeof(*s->nodes)) ||
	    !grow(&s->at, &s->at_cap, (s->n + 1) * n, sizeof(*s->at)))
		return false;
	memcpy(s->at + s->n * n, s->at + i * n, n * sizeof(*s->at));
	s->at[s->n * n + t] += len;
	if (known(s, first, s->at + s->n * n))
		return true;
	s->nodes[s->n++] = (struct node){ .from = i, .who = (uint32_t)t, .len = len,
					  .done = s->nodes[i].done + len };
	return true;
}

static void swap_nodes(struct search *s, size_t a, size_t b)
{
	size_t n = s->o->ntasks;
	struct node x = s->nodes[a];

	s->nodes[a] = s->nodes[b];
	s->nodes[b] = x;
	for (size_t i = 0; i < n; i++) {
		uint32_t y = s->at[a * n + i];

		s->at[a * n + i] = s->at[b * n + i];
		s->at[b * n + i] = y;
	}
}

/* Of the newest layer keep those that have come furthest; they stay in their order
 * where they are equal. */
static void prune(struct search *s, size_t first)
{
	for (size_t i = first; i < s->n && i < first + s->beam; i++) {
		size_t best = i;

		for (size_t k = i + 1; k < s->n; k++)
			if (s->nodes[k].done > s->nodes[best].done)
				best = k;
		if (best != i)
			swap_nodes(s, i, best);
	}
	if (s->n > first + s->beam)
		s->n = first + s->beam;
}

/* The node in which everything is done; NODE_NONE: no memory, or no way. */
static size_t find_way(struct search *s)
{
	size_t first = 0, end = 1;

	while (first < end) {
		for (size_t i = first; i < end; i++) {
			if (s->nodes[i].done == s->goal)
				return i;
			for (size_t t = 0; t < s->o->ntasks; t++)
				if (!extend(s, end, i, t))
					return NODE_NONE;
		}
		prune(s, end);
		first = end;
		end = s->n;
	}
	return NODE_NONE;
}

static bool write_way(const struct search *s, size_t node, struct stretches *out)
{
	size_t len = 0;

	for (size_t i = node; s->nodes[i].from != NODE_NONE; i = s->nodes[i].from)
		len++;
	if (!grow(&out->v, &out->cap, len + 1, sizeof(*out->v)))
		return false;
	out->n = len;
	for (size_t i = node; s->nodes[i].from != NODE_NONE; i = s->nodes[i].from)
		out->v[--len] = (struct stretch){ s->o->tasks[s->nodes[i].who], s->nodes[i].len };
	return true;
}

static bool search_order(struct order *o, struct stretches *out)
{
	struct search s = { .o = o };
	bool ok = grow(&s.nodes, &s.cap, 1, sizeof(*s.nodes)) &&
		  grow(&s.at, &s.at_cap, o->ntasks, sizeof(*s.at));
	size_t node = NODE_NONE;

	if (ok) {
		s.n = 1;
		s.nodes[0] = (struct node){ .from = NODE_NONE };
		for (size_t t = 0; t < o->ntasks; t++)
			s.goal += o->limit[t];
		s.beam = BEAM_WORK / (s.goal * o->ntasks + 1) + 1;
		if (s.beam > BEAM_MAX)
			s.beam = BEAM_MAX;
		node = find_way(&s);
		ok = node == NODE_NONE || write_way(&s, node, out);
	}
	free(s.nodes);
	free(s.at);
	return ok;
}

static void release(struct order *o)
{
	for (size_t t = 0; o->steps && t < o->ntasks; t++)
		free(o->steps[t]);
	free(o->tasks);
	free(o->who);
	free(o->steps);
	free(o->len);
	free(o->limit);
	free(o->clocks);
	free(o->places);
	free(o->reads);
	free(o->writes);
	free(o->all_reads);
}

bool order_fewest(const struct touch *touch, size_t n, const struct order_opts *opts,
		  struct stretches *out)
{
	struct order o = { .touch = touch, .n = n };
	bool ok;

	out->n = 0;
	ok = collect_tasks(&o);
	if (ok && n && n * o.ntasks <= CELLS_MAX) {
		ok = number_steps(&o) && collect_places(&o) && make_clocks(&o, opts->ghosts);
		if (ok && opts->slice)
			cut_slice(&o, opts->wanted);
		ok = ok && search_order(&o, out);
	}
	release(&o);
	return ok;
}
