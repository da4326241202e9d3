/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Load buffering: a load that returns what a store behind it in program order has led to.
 * Whoever makes executions step by step cannot make such a circle of program order and
 * reads-from.  So one of its stores is promised: made beforehand, by a task of its own, with
 * nothing before or behind it, and taken for the real one once that has come (after the
 * promises of Kang, Hur, Lahav, Vafeiadis, Dreyer, "A promising semantics for relaxed-memory
 * concurrency", POPL 2017; here in the axioms of the Linux-kernel memory model, whose
 * dependencies keep values from coming out of thin air).
 *
 * A promise adds nothing to the relations that the real store does not add, as it has no
 * place in program order: what the model allows with the store it allows with the promise
 * alone, and with both where the two are taken for one.
 */
#include <config.h>

#include "memory/lkmm.h"

#include <stdlib.h>

/* More promises than that of one execution are not looked at. */
#define PROMISES 8

/* Promises of the execution, and a copy of what it was without any of them kept. */
struct promises {
	struct mm *m;
	uint16_t v[PROMISES];
	unsigned n;
};

static bool find_promises(struct mm *m, struct promises *p)
{
	*p = (struct promises){ .m = m };
	for (size_t i = 0; i < m->n; i++) {
		if (!(m->ev[i].flags & MM_PROMISE))
			continue;
		if (p->n == PROMISES)
			return false;
		p->v[p->n++] = (uint16_t)i;
	}
	return true;
}

static bool save(struct promises *p)
{
	struct mm *m = p->m;

	if (m->n > m->kept_cap) {
		struct mm_event *v = realloc(m->kept, 2 * m->n * sizeof(*v));

		if (!v) {
			m->oom = true;
			return false;
		}
		m->kept = v;
		m->kept_cap = 2 * m->n;
	}
	memcpy(m->kept, m->ev, m->n * sizeof(*m->ev));
	return true;
}

static void restore(struct promises *p)
{
	memcpy(p->m->ev, p->m->kept, p->m->n * sizeof(*p->m->ev));
}

/* The write directly before it, MM_NONE. */
static uint16_t keeper(const struct mm *m, uint16_t u)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->ev[i].kind == MM_WRITE && m->ev[i].loc == m->ev[u].loc && !(m->ev[i].flags & MM_PROMISE) &&
		    m->ev[i].rank + 1u == m->ev[u].rank)
			return (uint16_t)i;
	return MM_NONE;
}

/* The promise becomes the write before it.  Of itself a load remains of something that nobody
 * else has, in a task that has nothing else. */
static bool keep(struct mm *m, uint16_t u)
{
	struct mm_event *e = &m->ev[u];
	uint16_t w = keeper(m, u), loc = e->loc, rank = e->rank;

	if (w == MM_NONE)
		return false;
	*e = (struct mm_event){ .kind = MM_READ, .order = e->order, .task = e->task, .cpu = e->cpu,
				.loc = (uint16_t)(MM_NONE - 64 - e->task), .rf = MM_NONE, .pair = MM_NONE,
				.after = MM_NONE };
	for (size_t i = 0; i < m->n; i++) {
		if (m->ev[i].kind == MM_WRITE && m->ev[i].loc == loc && m->ev[i].rank > rank)
			m->ev[i].rank--;
		if (m->ev[i].kind == MM_READ && m->ev[i].rf == u)
			m->ev[i].rf = w;
	}
	return true;
}

/* Those of the set. */
static bool keep_all(struct promises *p, unsigned set)
{
	for (unsigned i = 0; i < p->n; i++)
		if (set >> i & 1 && !keep(p->m, p->v[i]))
			return false;
	return true;
}

bool mm_promises(struct mm *m)
{
	struct promises p;
	unsigned all;

	if (!find_promises(m, &p))
		return false;
	if (!p.n)
		return mm_lkmm(m);
	all = (1u << p.n) - 1;
	if (m->whole)
		return keep_all(&p, all) && mm_lkmm(m);
	if (!save(&p))
		return false;
	for (unsigned left = all + 1; left--;) {
		if (keep_all(&p, left) && mm_lkmm(m))
			return true;
		if (m->oom)
			return false;
		restore(&p);
	}
	return false;
}

bool mm_circular(struct mm *m)
{
	struct mm_places p;
	struct mm_edges e = { 0 };

	if (!mm_index(m, &p) || !mm_edges_begin(m, &e, m->n, 2 * m->n))
		return false;
	for (size_t i = 0; i < m->n; i++) {
		if (p.po[i] != MM_NONE)
			mm_edge(&e, p.po[i], i);
		if (m->ev[i].kind == MM_READ && m->ev[i].rf != MM_NONE)
			mm_edge(&e, m->ev[i].rf, i);
	}
	return !mm_edges_acyclic(&e, m->n);
}

bool mm_relaxed(struct mm *m, bool (*tell)(void *arg, size_t r, size_t w), void *arg)
{
	struct lkmm k;
	struct rel order;

	if (!lkmm_relations(m, &k))
		return false;
	order = k.r[TMP];
	rel_copy(&k.s, order, k.r[PPO]);
	rel_close(&k.s, order);
	for (size_t w = 0; w < m->n; w++)
		for (size_t r = 0; m->ev[w].kind == MM_WRITE && r < w; r++)
			if (m->ev[r].task == m->ev[w].task && m->ev[r].kind == MM_READ &&
			    !rel_has(&k.s, order, r, w) && !tell(arg, r, w))
				return false;
	return true;
}
