/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the Linux-kernel memory model forbids, seen in linear time: a part of its axioms is
 * enough for most of what is forbidden at all, and lkmm.c is asked for the rest.
 *
 * Of hb: a full fence, an acquiring load, and what overwrites in program order; reads-from
 * between tasks.  Of pb: whoever is overwritten by a store comes before everything behind
 * a full fence behind that store.  A circle of these is one of hb or of pb.
 *
 * Beside the accesses there are two more nodes for each: "something that this store, or one
 * before it in coherence order, overwrites", and "this access and all behind it in program
 * order".
 */
#include <config.h>

#include "engine/site.h"
#include "memory/internal.h"

struct quick {
	const struct mm *m;
	const struct mm_places *p;
	struct mm_edges e;
};

static size_t overwritten(const struct quick *q, size_t w) { return q->m->n + w; }
static size_t from_here(const struct quick *q, size_t i) { return 2 * q->m->n + i; }

/* All since the task's last fence come before `i` and what is behind it.  `since` is the
 * first of them, MM_NONE: none. */
static void fence_before(struct quick *q, size_t i, uint16_t *since)
{
	const struct mm *m = q->m;

	for (size_t a = q->p->po[i]; *since != MM_NONE && a != MM_NONE; a = q->p->po[a]) {
		mm_edge(&q->e, a, from_here(q, i));
		if (m->ev[a].kind == MM_WRITE)
			mm_edge(&q->e, overwritten(q, a), from_here(q, i));
		if (a == *since)
			break;
	}
	*since = MM_NONE;
}

static bool is_full(const struct mm_fence *f)
{
	return f->order == ORD_MB || f->order == ORD_GRACE_PERIOD || f->order == ORD_MB_AFTER_SRCU_UNLOCK || f->flags & MM_SWITCH;
}

static bool is_full_rmw(const struct mm_event *e)
{
	return e->pair != MM_NONE && !(e->flags & MM_LOCK) && e->order == ORD_FULL;
}

static void program_order(struct quick *q)
{
	const struct mm *m = q->m;
	uint16_t *since = q->p->state;	/* by task: its first access behind its last fence */
	uint16_t *fenced = since + q->p->ntasks; /* by task: MM_NONE or 0, a fence has come */
	size_t f = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct mm_event *e = &m->ev[i];
		uint16_t before = q->p->po[i];

		for (; f < m->nfences && m->fences[f].at <= i; f++)
			if (is_full(&m->fences[f]) && m->fences[f].task < q->p->ntasks)
				fenced[m->fences[f].task] = 0;
		if ((is_full_rmw(e) && e->kind == MM_READ) || e->flags & MM_SWITCH)
			fenced[e->task] = 0;
		mm_edge(&q->e, from_here(q, i), i);
		if (before != MM_NONE) {
			mm_edge(&q->e, from_here(q, before), from_here(q, i));
			if (m->ev[before].kind == MM_READ && m->ev[before].order == ORD_ACQUIRE)
				mm_edge(&q->e, before, from_here(q, i));
		}
		if (fenced[e->task] != MM_NONE)
			fence_before(q, i, &since[e->task]);
		fenced[e->task] = MM_NONE;
		if (since[e->task] == MM_NONE)
			since[e->task] = (uint16_t)i;
		if ((is_full_rmw(e) && e->kind == MM_WRITE) || e->flags & MM_SWITCH)
			fenced[e->task] = 0;
	}
	memset(since, 0xff, 2 * q->p->ntasks * sizeof(*since));
}

static bool has_plain(const struct mm *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->ev[i].flags & MM_PLAIN)
			return true;
	return false;
}

/* All edges, but communication only of the first so many.  False: nothing can be said. */
static bool make_edges(struct quick *q, struct mm *m, size_t placed)
{
	/* what is plain orders less */
	if (has_plain(m) || !mm_edges_begin(m, &q->e, 3 * m->n, 9 * m->n))
		return false;
	program_order(q);
	for (size_t i = 0; i < placed; i++) {
		const struct mm_event *e = &m->ev[i];
		uint16_t behind = q->p->behind[i];

		if (behind != MM_NONE && behind != i) {
			mm_edge(&q->e, i, overwritten(q, behind));
			if (e->kind == MM_WRITE)
				mm_edge(&q->e, overwritten(q, i), overwritten(q, behind));
		}
		if (e->kind == MM_WRITE && q->p->same[i] != MM_NONE)
			mm_edge(&q->e, q->p->same[i], i);
		if (e->kind == MM_READ && e->rf != MM_NONE && mm_ext(m, e->rf, i))
			mm_edge(&q->e, e->rf, i);
	}
	return true;
}

bool mm_is_no_lkmm(struct mm *m, const struct mm_places *p)
{
	struct quick q = { .m = m, .p = p };

	return make_edges(&q, m, m->n) && !mm_edges_acyclic(&q.e, 3 * m->n);
}

/*
 * The new event may not be overwritten by a write of which it is known that something that
 * it, or one before it, overwrites comes before the new event; and what x86 does the model
 * allows.
 */
bool mm_lkmm_newest(struct mm *m)
{
	struct mm_places p;
	struct quick q = { .m = m, .p = &p, .e.backwards = true };
	size_t n = m->n;
	bool tso, known;

	if (!mm_index(m, &p))
		return false;
	known = make_edges(&q, m, n - 1);
	if (m->oom || (known && !mm_edges_reach(m, &q.e, 3 * n, n - 1)) || !mm_tso_before(m, &p, &tso))
		return false;
	for (size_t i = 0; i < n; i++)
		if (known && m->said[overwritten(&q, i)] == MM_NO)
			m->said[i] = MM_NO;
		else
			m->said[i] = tso && m->said[i] == MM_ASK ? MM_YES : MM_ASK;
	return true;
}
