/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Total store order, that of x86: a store waits in its CPU's buffer and is seen by its own
 * CPU at once, by the others later; so a load may come before an earlier store of its
 * task.  As a rule: what is preserved of program order, reads-from between tasks, coherence
 * and from-reads have no circle (Owens, Sarkar, Sewell, "A better x86 memory model: x86-TSO",
 * 2009; Alglave, Maranget, Tautschnig, "Herding cats", 2014).
 *
 * Tasks of one CPU share its buffer, and changing from one to another drains it: whichever
 * of two of their accesses is known to come first, all before the one come before all
 * behind the other.
 */
#include <config.h>

#include "engine/site.h"
#include "memory/internal.h"

/* Does it let nothing pass between what stands before and behind it? */
static bool drains(const struct mm_event *e)
{
	return e->flags & (MM_LOCKED | MM_SWITCH);
}

static bool is_full(const struct mm_fence *f)
{
	return f->order == ORD_MB || f->order == ORD_GRACE_PERIOD || f->order == ORD_MB_AFTER_SRCU_UNLOCK || f->flags & MM_SWITCH;
}

static void program_order(const struct mm *m, const struct rels *s, struct rel ghb)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct mm_event *a = &m->ev[i];
		bool drained = drains(a);
		size_t f = 0;

		while (f < m->nfences && m->fences[f].at <= i)
			f++;
		for (size_t j = i + 1; j < m->n; j++) {
			const struct mm_event *b = &m->ev[j];

			if (b->task != a->task)
				continue;
			for (; f < m->nfences && m->fences[f].at <= j; f++)
				drained |= m->fences[f].task == a->task && is_full(&m->fences[f]);
			drained |= drains(b);
			if (drained || a->kind == MM_READ || b->kind == MM_WRITE)
				rel_set(s, ghb, i, j);
		}
	}
}

/* What is known of a task on the way through its accesses. */
struct passed {
	uint16_t read, write;	/* its last ones, MM_NONE */
	uint16_t drained;	/* its last write that is in memory by now */
};

/* A read comes before all behind it, a write before the writes behind it, and one that was
 * drained before the reads, too: of each the last stands for all before it. */
static void program_edges(const struct mm *m, const struct mm_places *p, struct mm_edges *e)
{
	struct passed *tasks = (struct passed *)p->state;
	size_t f = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct mm_event *a = &m->ev[i];
		struct passed *t = &tasks[a->task];

		for (; f < m->nfences && m->fences[f].at <= i; f++)
			if (is_full(&m->fences[f]) && m->fences[f].task < p->ntasks)
				tasks[m->fences[f].task].drained = tasks[m->fences[f].task].write;
		if (drains(a))
			t->drained = t->write;
		if (t->read != MM_NONE)
			mm_edge(e, t->read, i);
		if (a->kind == MM_WRITE && t->write != MM_NONE)
			mm_edge(e, t->write, i);
		if (a->kind == MM_READ && t->drained != MM_NONE)
			mm_edge(e, t->drained, i);
		if (a->kind == MM_READ)
			t->read = (uint16_t)i;
		else
			t->write = (uint16_t)i;
		if (drains(a))
			t->drained = t->write;
	}
	memset(tasks, 0xff, p->ntasks * sizeof(*tasks));
}

/*
 * i is made, or set going, by another event: what that one's task wrote before has reached
 * memory by then.  A read behind i may not stand before it, even if i is a write.
 */
static void made_edges(const struct mm *m, const struct mm_places *p, struct mm_edges *e, size_t i)
{
	uint16_t from[2] = { m->ev[i].after, m->ev[i].after };
	size_t read = i;

	while (from[1] != MM_NONE && m->ev[from[1]].kind != MM_WRITE)
		from[1] = p->po[from[1]];
	while (read < m->n && (m->ev[read].task != m->ev[i].task || m->ev[read].kind != MM_READ))
		read++;
	for (int k = 0; k < 2; k++) {
		if (from[k] == MM_NONE)
			continue;
		mm_edge(e, from[k], i);
		if (read < m->n && read != i)
			mm_edge(e, from[k], read);
	}
}

static bool share_cpu(const struct mm_event *a, const struct mm_event *b)
{
	return a->cpu == b->cpu && a->task != b->task;
}

/* Does each task stay on a CPU of its own? */
static bool any_shares_cpu(const struct mm *m, const struct mm_places *p)
{
	uint16_t *cpu = p->state;
	bool shares = false;

	for (size_t i = 0; i < m->n && !shares; i++) {
		const struct mm_event *e = &m->ev[i];

		if (cpu[e->task] != e->cpu)
			shares = cpu[e->task] != MM_NONE;
		cpu[e->task] = e->cpu;
	}
	for (size_t a = 0; a < p->ntasks && !shares; a++)
		for (size_t b = a + 1; b < p->ntasks && !shares; b++)
			shares = cpu[a] == cpu[b] && cpu[a] != MM_NONE;
	memset(cpu, 0xff, p->ntasks * sizeof(*cpu));
	return shares;
}

/*
 * a comes before one of another task of its CPU: so does all that is before a, and it comes
 * before all that is behind that one.  From a on backwards, the earliest that was met so far
 * is enough.  True: something was added.
 */
static bool drain_before(const struct mm *m, const struct rels *s, struct rel ghb, size_t a, size_t b)
{
	size_t earliest = m->n;
	bool more = false;

	for (size_t i = a + 1; i--;) {
		if (m->ev[i].task != m->ev[a].task || m->ev[i].cpu != m->ev[a].cpu)
			continue;
		rel_each(s, ghb, i, j)
			if (j < earliest && m->ev[j].task == m->ev[b].task && m->ev[j].cpu == m->ev[a].cpu)
				earliest = j;
		for (size_t j = earliest; j < m->n; j++)
			if (m->ev[j].task == m->ev[b].task && m->ev[j].cpu == m->ev[a].cpu &&
			    !rel_has(s, ghb, i, j)) {
				rel_set(s, ghb, i, j);
				more = true;
			}
	}
	return more;
}

static bool is_last_there(const struct mm *m, size_t a)
{
	for (size_t i = a + 1; i < m->n; i++)
		if (m->ev[i].task == m->ev[a].task && m->ev[i].cpu == m->ev[a].cpu)
			return false;
	return true;
}

/* Each pair of tasks on each CPU. */
static bool drain_switches(const struct mm *m, const struct rels *s, struct rel ghb)
{
	bool more = true;

	while (more) {
		more = false;
		rel_close(s, ghb);
		if (!rel_is_irreflexive(s, ghb))
			return false;
		for (size_t a = 0; a < m->n; a++)
			for (size_t b = 0; is_last_there(m, a) && b < m->n; b++)
				if (share_cpu(&m->ev[a], &m->ev[b]) && is_last_there(m, b))
					more |= drain_before(m, s, ghb, a, b);
	}
	return true;
}

/*
 * Where no two tasks share a CPU: of program order, every read to the next access, every
 * write to the next write and to the first read behind a fence; the rest follows from these.
 */
static void all_edges(const struct mm *m, const struct mm_places *p, struct mm_edges *e, size_t placed)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct mm_event *a = &m->ev[i];

		if (a->after != MM_NONE)
			made_edges(m, p, e, i);
		if (i >= placed)
			continue;
		if (p->behind[i] != MM_NONE && p->behind[i] != i)
			mm_edge(e, i, p->behind[i]);
		if (a->kind == MM_READ && a->rf != MM_NONE && mm_ext(m, a->rf, i))
			mm_edge(e, a->rf, i);
	}
	program_edges(m, p, e);
}

bool mm_is_tso(struct mm *m, const struct mm_places *p)
{
	struct mm_edges e = { 0 };

	if (!mm_edges_begin(m, &e, m->n, 10 * m->n + mm_placed_most(m, p)))
		return false;
	mm_placed_edges(m, p, &e);
	all_edges(m, p, &e, m->n);
	return mm_edges_acyclic(&e, m->n);
}

/*
 * Wherever it stands, what the new event adds leads to it from what comes before it in
 * program order, or from the write that it reads from and those that read that one, too,
 * and from it to the write behind its place.  The latter do not lie behind that write as
 * it is: so there is a circle if and only if that write comes before it already.
 */
bool mm_tso_before(struct mm *m, const struct mm_places *p, bool *allowed)
{
	struct mm_edges e = { .backwards = true };

	if (!mm_edges_begin(m, &e, m->n, 10 * m->n))
		return false;
	all_edges(m, p, &e, m->n - 1);
	if (!mm_edges_reach(m, &e, m->n, m->n - 1))
		return false;
	if (allowed)
		*allowed = mm_edges_acyclic(&e, m->n);
	return true;
}

/* Where tasks share CPUs more may be forbidden, but nothing that sc allows. */
static bool newest_where_shared(struct mm *m, const struct mm_places *p)
{
	bool sc;

	if (!mm_tso_before(m, p, NULL))
		return false;
	memcpy(m->said + m->n, m->said, m->n);
	if (!mm_sc_before(m, p, &sc))
		return false;
	for (size_t i = 0; i < m->n; i++)
		m->said[i] = m->said[m->n + i] == MM_NO ? MM_NO : sc && m->said[i] == MM_ASK ? MM_YES : MM_ASK;
	return true;
}

bool mm_tso_newest(struct mm *m)
{
	struct mm_places p;

	if (!mm_index(m, &p))
		return false;
	if (any_shares_cpu(m, &p))
		return newest_where_shared(m, &p);
	if (!mm_tso_before(m, &p, NULL))
		return false;
	for (size_t i = 0; i < m->n; i++)
		if (m->said[i] == MM_ASK)
			m->said[i] = MM_YES;
	return true;
}

/* The whole order, into m->known. */
static bool order(struct mm *m)
{
	struct rels s;
	struct rel ghb;

	if (!mm_begin(m, &s, &ghb, 1))
		return false;
	program_order(m, &s, ghb);
	mm_communicate(m, &s, ghb, ghb);
	mm_made(m, &s, ghb);
	for (size_t i = 0; i < m->n; i++)
		if (m->ev[i].kind == MM_READ && m->ev[i].rf != MM_NONE && mm_ext(m, m->ev[i].rf, i))
			rel_set(&s, ghb, m->ev[i].rf, i);
	if (m->is_placed)
		rel_join(&s, ghb, mm_placed(m));
	m->known = ghb.row;
	return drain_switches(m, &s, ghb);
}

bool mm_order_tso(struct mm *m)
{
	struct mm_places p;

	return mm_index(m, &p) && mm_is_coherent(m, &p) && order(m);
}

bool mm_tso(struct mm *m)
{
	struct mm_places p;

	if (!mm_index(m, &p) || !mm_is_coherent(m, &p))
		return false;
	/* most are */
	if (mm_is_sc(m, &p))
		return true;
	/* who says who had a CPU first says it of all */
	if (m->is_placed || !any_shares_cpu(m, &p))
		return mm_is_tso(m, &p);
	/* what they share forbids more */
	return mm_is_tso(m, &p) && order(m);
}
