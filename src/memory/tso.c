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
	return f->order == ORD_MB || f->order == ORD_MB_AFTER_SRCU_UNLOCK || f->flags & MM_SWITCH;
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

static bool share_cpu(const struct mm_event *a, const struct mm_event *b)
{
	return a->cpu == b->cpu && a->task != b->task;
}

static bool any_shares_cpu(const struct mm *m)
{
	for (size_t i = 0; i < m->n; i++)
		for (size_t j = i + 1; j < m->n; j++)
			if (share_cpu(&m->ev[i], &m->ev[j]))
				return true;
	return false;
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

bool mm_tso(struct mm *m)
{
	struct rels s;
	struct rel ghb;

	/* most are */
	if (mm_sc(m))
		return true;
	if (!mm_coherent(m) || !mm_begin(m, &s, &ghb, 1))
		return false;
	program_order(m, &s, ghb);
	mm_communicate(m, &s, ghb, ghb);
	mm_made(m, &s, ghb);
	for (size_t i = 0; i < m->n; i++)
		if (m->ev[i].kind == MM_READ && m->ev[i].rf != MM_NONE && mm_ext(m, m->ev[i].rf, i))
			rel_set(&s, ghb, m->ev[i].rf, i);
	return any_shares_cpu(m) ? drain_switches(m, &s, ghb) : mm_acyclic(m, &s, ghb);
}
