/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all models share: keeping the events of an execution, and coherence.
 */
#include <config.h>

#include "memory/consistency.h"
#include "memory/internal.h"

#include <stdlib.h>

struct mm_event *mm_add(struct mm *m)
{
	struct mm_event *e;

	if (m->n == m->cap) {
		size_t cap = m->cap ? 2 * m->cap : 64;
		struct mm_event *v = realloc(m->ev, cap * sizeof(*v));

		if (!v) {
			m->oom = true;
			return NULL;
		}
		m->ev = v;
		m->cap = cap;
	}
	e = &m->ev[m->n++];
	*e = (struct mm_event){ .rf = MM_NONE, .pair = MM_NONE, .after = MM_NONE };
	return e;
}

struct mm_fence *mm_add_fence(struct mm *m)
{
	struct mm_fence *f;

	if (m->nfences == m->fences_cap) {
		size_t cap = m->fences_cap ? 2 * m->fences_cap : 64;
		struct mm_fence *v = realloc(m->fences, cap * sizeof(*v));

		if (!v) {
			m->oom = true;
			return NULL;
		}
		m->fences = v;
		m->fences_cap = cap;
	}
	f = &m->fences[m->nfences++];
	*f = (struct mm_fence){ .at = (uint16_t)m->n };
	return f;
}

bool mm_add_addr(struct mm *m, size_t read, size_t access)
{
	if (m->naddrs == m->addrs_cap) {
		size_t cap = m->addrs_cap ? 2 * m->addrs_cap : 64;
		struct mm_addr *v = realloc(m->addrs, cap * sizeof(*v));

		if (!v) {
			m->oom = true;
			return false;
		}
		m->addrs = v;
		m->addrs_cap = cap;
	}
	m->addrs[m->naddrs++] = (struct mm_addr){ (uint16_t)read, (uint16_t)access };
	return true;
}

void mm_clear(struct mm *m)
{
	m->n = m->nfences = m->naddrs = 0;
	m->oom = m->whole = m->is_placed = false;
}

void mm_release(struct mm *m)
{
	free(m->fences);
	free(m->kept);
	free(m->addrs);
	free(m->ev);
	free(m->bits);
	free(m->nums);
	free(m->index);
	free(m->placed);
	free(m->races);
	free(m->said);
	*m = (struct mm){ 0 };
}

bool mm_begin(struct mm *m, struct rels *s, struct rel *v, size_t n)
{
	size_t need;

	s->n = m->n;
	s->words = (m->n + 63) / 64;
	need = n * s->n * s->words;
	if (need > m->bits_cap) {
		uint64_t *p = realloc(m->bits, 2 * need * sizeof(*p));

		if (!p) {
			m->oom = true;
			return false;
		}
		m->bits = p;
		m->bits_cap = 2 * need;
	}
	if (need)
		memset(m->bits, 0, need * sizeof(*m->bits));
	for (size_t i = 0; i < n; i++)
		v[i].row = m->bits + i * s->n * s->words;
	return true;
}

/* The place from which an access of a location looks: the initial value's is -1. */
static int seen(const struct mm *m, const struct mm_event *e)
{
	if (e->kind == MM_WRITE)
		return e->rank;
	return e->rf == MM_NONE ? -1 : m->ev[e->rf].rank;
}

/* --- places --- */

static bool room(struct mm *m, uint16_t **array, size_t *cap, size_t need)
{
	uint16_t *p;

	if (need <= *cap)
		return true;
	p = realloc(*array, 2 * need * sizeof(*p));
	if (!p) {
		m->oom = true;
		return false;
	}
	*array = p;
	*cap = 2 * need;
	return true;
}

/* Slots of two tables in one: locations, with their writes in a chain, and the last event
 * that a task made on a location. */
struct slots {
	const struct mm *m;
	uint16_t *loc, *last;
	size_t mask;
};

/* The slot of the location, which has the number of one of its events. */
static uint16_t *loc_slot(const struct slots *s, uint16_t loc)
{
	size_t i = loc * 0x9e37u & s->mask;

	while (s->loc[i] != MM_NONE && s->m->ev[s->loc[i]].loc != loc)
		i = (i + 1) & s->mask;
	return &s->loc[i];
}

static uint16_t *last_slot(const struct slots *s, const struct mm_event *e)
{
	size_t i = (e->loc * 0x9e37u + e->task * 0x85ebu) & s->mask;

	while (s->last[i] != MM_NONE &&
	       (s->m->ev[s->last[i]].loc != e->loc || s->m->ev[s->last[i]].task != e->task))
		i = (i + 1) & s->mask;
	return &s->last[i];
}

bool mm_index(struct mm *m, struct mm_places *p)
{
	size_t n = m->n, size = 16, tasks = 0;
	uint16_t *po, *same, *behind, *chain, *task;
	struct slots s = { .m = m };

	while (size < 2 * n)
		size *= 2;
	for (size_t i = 0; i < n; i++)
		if (m->ev[i].task >= tasks)
			tasks = m->ev[i].task + 1u;
	if (!room(m, &m->index, &m->index_cap, 4 * n + 2 * size + 4 * tasks))
		return false;
	po = m->index;
	same = po + n;
	behind = same + n;
	chain = behind + n;
	s.loc = chain + n;
	s.last = s.loc + size;
	s.mask = size - 1;
	task = s.last + size;
	memset(s.loc, 0xff, 2 * size * sizeof(uint16_t));
	memset(task, 0xff, 4 * tasks * sizeof(*task));
	for (size_t i = 0; i < n; i++) {
		const struct mm_event *e = &m->ev[i];
		uint16_t *last = last_slot(&s, e), *loc;

		po[i] = task[e->task];
		task[e->task] = (uint16_t)i;
		same[i] = *last;
		*last = (uint16_t)i;
		if (e->kind != MM_WRITE)
			continue;
		loc = loc_slot(&s, e->loc);
		chain[i] = *loc;
		*loc = (uint16_t)i;
	}
	for (size_t i = 0; i < n; i++) {
		const struct mm_event *e = &m->ev[i];
		uint16_t w = *loc_slot(&s, e->loc);

		while (w != MM_NONE && (int)m->ev[w].rank != seen(m, e) + 1)
			w = chain[w];
		behind[i] = w;
	}
	*p = (struct mm_places){ po, same, behind, task + tasks, tasks };
	return true;
}

/* --- coherence --- */

/* b comes after a in program order, on one location. */
static bool agrees(const struct mm *m, const struct mm_event *a, const struct mm_event *b)
{
	/* a write stands behind what was seen before it, a read sees no less */
	return b->kind == MM_WRITE ? seen(m, b) > seen(m, a) : seen(m, b) >= seen(m, a);
}

bool mm_is_coherent(const struct mm *m, const struct mm_places *p)
{
	for (size_t j = 0; j < m->n; j++) {
		const struct mm_event *b = &m->ev[j];

		/* what is before the one before agrees with that */
		if (p->same[j] != MM_NONE && !agrees(m, &m->ev[p->same[j]], b))
			return false;
		if (b->kind == MM_WRITE && b->pair != MM_NONE &&
		    (int)b->rank != seen(m, &m->ev[b->pair]) + 1)
			return false;
	}
	return true;
}

bool mm_coherent(struct mm *m)
{
	struct mm_places p;

	return mm_index(m, &p) && mm_is_coherent(m, &p);
}

void mm_communicate(const struct mm *m, const struct rels *s, struct rel co, struct rel fr)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct mm_event *e = &m->ev[i];

		for (size_t j = 0; j < m->n; j++) {
			const struct mm_event *w = &m->ev[j];

			if (w->kind == MM_WRITE && w->loc == e->loc && i != j && (int)w->rank > seen(m, e))
				rel_set(s, e->kind == MM_WRITE ? co : fr, i, j);
		}
	}
}

/* Can the events be sorted so that the relation goes forward?  (Kahn) */
bool mm_acyclic(struct mm *m, const struct rels *s, struct rel r)
{
	size_t n = s->n, done = 0;
	uint16_t *in, *queue;

	if (!n)
		return true;	/* there may be no memory for so many either */
	if (2 * n > m->nums_cap) {
		uint16_t *p = realloc(m->nums, 4 * n * sizeof(*p));

		if (!p) {
			m->oom = true;
			return false;
		}
		m->nums = p;
		m->nums_cap = 4 * n;
	}
	in = m->nums;
	queue = in + n;
	memset(in, 0, n * sizeof(*in));
	for (size_t i = 0; i < n; i++)
		rel_each(s, r, i, j)
			in[j]++;
	n = 0;
	for (size_t i = 0; i < s->n; i++)
		if (!in[i])
			queue[n++] = (uint16_t)i;
	while (done < n) {
		size_t i = queue[done++];

		rel_each(s, r, i, j)
			if (!--in[j])
				queue[n++] = (uint16_t)j;
	}
	return done == s->n;
}

/* What made a task comes before it, with everything before that. */
void mm_made(const struct mm *m, const struct rels *s, struct rel r)
{
	for (size_t i = 0; i < m->n; i++) {
		size_t maker = m->ev[i].after;

		if (maker == MM_NONE)
			continue;
		for (size_t a = 0; a <= maker; a++)
			for (size_t b = i; m->ev[a].task == m->ev[maker].task && b < m->n; b++)
				if (m->ev[b].task == m->ev[i].task)
					rel_set(s, r, a, b);
	}
}

/* --- who had a CPU first --- */

bool mm_place_begin(struct mm *m)
{
	size_t need = m->n * mm_words(m);

	if (need > m->placed_cap) {
		uint64_t *p = realloc(m->placed, 2 * need * sizeof(*p));

		if (!p) {
			m->oom = true;
			return false;
		}
		m->placed = p;
		m->placed_cap = 2 * need;
	}
	if (need)
		memset(m->placed, 0, need * sizeof(*m->placed));
	m->is_placed = true;
	return true;
}

void mm_place(struct mm *m, size_t i, size_t j)
{
	m->placed[i * mm_words(m) + j / 64] |= (uint64_t)1 << (j % 64);
}

bool mm_may_follow(const struct mm *m, size_t i, size_t j)
{
	return m->ev[i].loc != m->ev[j].loc || agrees(m, &m->ev[i], &m->ev[j]);
}

/* --- a list of edges, where there are few --- */

bool mm_edges_begin(struct mm *m, struct mm_edges *e, size_t nodes, size_t most)
{
	if (!room(m, &m->nums, &m->nums_cap, 3 * nodes + 2 * most))
		return false;
	e->first = m->nums;
	e->in = e->first + nodes;
	e->queue = e->in + nodes;
	e->to = e->queue + nodes;
	e->next = e->to + most;
	e->n = 0;
	if (!nodes)
		return true;	/* and no memory either */
	memset(e->first, 0xff, nodes * sizeof(*e->first));
	memset(e->in, 0, nodes * sizeof(*e->in));
	return true;
}

size_t mm_placed_most(const struct mm *m, const struct mm_places *p)
{
	return m->is_placed ? 2 * m->n * p->ntasks : 0;
}

/* Of each task the first that comes behind it, and the first read; the others follow. */
void mm_placed_edges(const struct mm *m, const struct mm_places *p, struct mm_edges *e)
{
	struct rels s = { m->n, mm_words(m) };

	for (size_t i = 0; m->is_placed && i < m->n; i++)
		rel_each(&s, mm_placed(m), i, j)
			if (p->po[j] == MM_NONE || !rel_has(&s, mm_placed(m), i, p->po[j])) {
				size_t r = j;

				mm_edge(e, i, j);
				while (r < m->n && (m->ev[r].task != m->ev[j].task || m->ev[r].kind != MM_READ))
					r++;
				if (r < m->n && r != j)
					mm_edge(e, i, r);
			}
}

bool mm_edges_reach(struct mm *m, struct mm_edges *e, size_t nodes, size_t from)
{
	size_t n = 0, done = 0;

	if (3 * m->n > m->said_cap) {
		uint8_t *p = realloc(m->said, 6 * m->n);

		if (!p) {
			m->oom = true;
			return false;
		}
		m->said = p;
		m->said_cap = 6 * m->n;
	}
	memset(m->said, MM_ASK, nodes);
	m->said[from] = MM_NO;
	e->queue[n++] = (uint16_t)from;
	while (done < n)
		for (uint16_t k = e->first[e->queue[done++]]; k != UINT16_MAX; k = e->next[k])
			if (m->said[e->to[k]] == MM_ASK) {
				m->said[e->to[k]] = MM_NO;
				e->queue[n++] = e->to[k];
			}
	return true;
}

bool mm_edges_acyclic(struct mm_edges *e, size_t nodes)
{
	size_t n = 0, done = 0;

	for (size_t i = 0; i < nodes; i++)
		if (!e->in[i])
			e->queue[n++] = (uint16_t)i;
	while (done < n)
		for (uint16_t k = e->first[e->queue[done++]]; k != UINT16_MAX; k = e->next[k])
			if (!--e->in[e->to[k]])
				e->queue[n++] = e->to[k];
	return done == nodes;
}

/*
 * Every event's next one in program order, in coherence order, and what it is overwritten
 * by; what is between others follows.
 */
static void sc_edges(const struct mm *m, const struct mm_places *p, struct mm_edges *e, size_t placed)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct mm_event *a = &m->ev[i];

		if (p->po[i] != MM_NONE)
			mm_edge(e, p->po[i], i);
		if (a->after != MM_NONE)
			mm_edge(e, a->after, i);
		if (i >= placed)
			continue;
		if (p->behind[i] != MM_NONE && p->behind[i] != i)
			mm_edge(e, i, p->behind[i]);
		if (a->kind == MM_READ && a->rf != MM_NONE)
			mm_edge(e, a->rf, i);
	}
}

bool mm_is_sc(struct mm *m, const struct mm_places *p)
{
	struct mm_edges e = { 0 };

	if (!mm_edges_begin(m, &e, m->n, 4 * m->n + mm_placed_most(m, p)))
		return false;
	mm_placed_edges(m, p, &e);
	sc_edges(m, p, &e, m->n);
	return mm_edges_acyclic(&e, m->n);
}

bool mm_sc_before(struct mm *m, const struct mm_places *p, bool *allowed)
{
	struct mm_edges e = { .backwards = true };

	if (!mm_edges_begin(m, &e, m->n, 4 * m->n))
		return false;
	sc_edges(m, p, &e, m->n - 1);
	if (!mm_edges_reach(m, &e, m->n, m->n - 1))
		return false;
	*allowed = mm_edges_acyclic(&e, m->n);
	return true;
}

bool mm_sc(struct mm *m)
{
	struct mm_places p;

	return mm_index(m, &p) && mm_is_coherent(m, &p) && mm_is_sc(m, &p);
}

bool mm_order_sc(struct mm *m)
{
	struct mm_places p;
	struct rels s;
	struct rel hb;

	if (!mm_index(m, &p) || !mm_is_coherent(m, &p) || !mm_begin(m, &s, &hb, 1))
		return false;
	mm_communicate(m, &s, hb, hb);
	mm_made(m, &s, hb);
	for (size_t i = 0; i < m->n; i++) {
		if (p.po[i] != MM_NONE)
			rel_set(&s, hb, p.po[i], i);
		if (m->ev[i].kind == MM_READ && m->ev[i].rf != MM_NONE)
			rel_set(&s, hb, m->ev[i].rf, i);
	}
	if (m->is_placed)
		rel_join(&s, hb, mm_placed(m));
	rel_close(&s, hb);
	m->known = hb.row;
	return rel_is_irreflexive(&s, hb);
}
