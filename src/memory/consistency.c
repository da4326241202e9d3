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

void mm_clear(struct mm *m)
{
	m->n = m->nfences = 0;
	m->oom = false;
}

void mm_release(struct mm *m)
{
	free(m->fences);
	free(m->ev);
	free(m->bits);
	free(m->nums);
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

/* b comes after a in program order, on one location. */
static bool agrees(const struct mm *m, const struct mm_event *a, const struct mm_event *b)
{
	/* a write stands behind what was seen before it, a read sees no less */
	return b->kind == MM_WRITE ? seen(m, b) > seen(m, a) : seen(m, b) >= seen(m, a);
}

bool mm_coherent(struct mm *m)
{
	for (size_t j = 0; j < m->n; j++) {
		const struct mm_event *b = &m->ev[j];

		for (size_t i = j; i--;) {
			const struct mm_event *a = &m->ev[i];

			if (a->task != b->task || a->loc != b->loc)
				continue;
			if (!agrees(m, a, b))
				return false;
			break; /* what is before that agrees with it */
		}
		if (b->kind == MM_WRITE && b->pair != MM_NONE &&
		    (int)b->rank != seen(m, &m->ev[b->pair]) + 1)
			return false;
	}
	return true;
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

/* --- a list of edges, where there are few --- */

struct edges {
	uint16_t *first, *in, *queue;	/* by event */
	uint16_t *to, *next;		/* by edge */
	size_t n;
};

/* Room for `most` edges.  False: no memory. */
static bool edges_begin(struct mm *m, struct edges *e, size_t most)
{
	size_t need = 3 * m->n + 2 * most;

	if (need > m->nums_cap) {
		uint16_t *p = realloc(m->nums, 2 * need * sizeof(*p));

		if (!p) {
			m->oom = true;
			return false;
		}
		m->nums = p;
		m->nums_cap = 2 * need;
	}
	e->first = m->nums;
	e->in = e->first + m->n;
	e->queue = e->in + m->n;
	e->to = e->queue + m->n;
	e->next = e->to + most;
	e->n = 0;
	memset(e->first, 0xff, m->n * sizeof(*e->first));
	memset(e->in, 0, m->n * sizeof(*e->in));
	return true;
}

static void edge(struct edges *e, size_t from, size_t to)
{
	e->to[e->n] = (uint16_t)to;
	e->next[e->n] = e->first[from];
	e->first[from] = (uint16_t)e->n++;
	e->in[to]++;
}

static bool edges_acyclic(struct edges *e, size_t nevents)
{
	size_t n = 0, done = 0;

	for (size_t i = 0; i < nevents; i++)
		if (!e->in[i])
			e->queue[n++] = (uint16_t)i;
	while (done < n)
		for (uint16_t k = e->first[e->queue[done++]]; k != UINT16_MAX; k = e->next[k])
			if (!--e->in[e->to[k]])
				e->queue[n++] = e->to[k];
	return done == nevents;
}

/* The write behind that place of a location's coherence order, MM_NONE. */
static size_t write_behind(const struct mm *m, uint16_t loc, int rank)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->ev[i].kind == MM_WRITE && m->ev[i].loc == loc && (int)m->ev[i].rank == rank + 1)
			return i;
	return MM_NONE;
}

/*
 * Every event's next one in program order, in coherence order, and what it is overwritten
 * by; what is between others follows.
 */
bool mm_sc(struct mm *m)
{
	struct edges e;

	if (!mm_coherent(m) || !edges_begin(m, &e, 5 * m->n))
		return false;
	for (size_t i = 0; i < m->n; i++) {
		const struct mm_event *a = &m->ev[i];
		size_t next = write_behind(m, a->loc, seen(m, a));

		for (size_t j = i + 1; j < m->n; j++)
			if (m->ev[j].task == a->task) {
				edge(&e, i, j);
				break;
			}
		if (next != MM_NONE && next != i)
			edge(&e, i, next);
		if (a->kind == MM_READ && a->rf != MM_NONE)
			edge(&e, a->rf, i);
		if (a->after != MM_NONE)
			edge(&e, a->after, i);
	}
	return edges_acyclic(&e, m->n);
}
