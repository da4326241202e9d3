/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plain accesses in the Linux-kernel memory model (as of Linux 6.12): which of them race, and
 * which executions cannot be because ordered plain accesses would contradict coherence.  A
 * plain access is ordered through the marked ones and the fences that bound it.
 */
#include <config.h>

#include "engine/site.h"
#include "memory/lkmm.h"

#include <stdlib.h>

static bool noreturn(const struct mm_event *e)
{
	return e->kind == MM_READ && e->pair != MM_NONE && !(e->flags & MM_LOCK) && (e->order == ORD_NONE || e->order == ORD_NORETURN) &&
	       mm_marked(e);
}

static void marked_identity(struct lkmm *k, struct rel to)
{
	rel_clear(&k->s, to);
	for (size_t i = 0; i < k->s.n; i++)
		if (mm_marked(&k->m->ev[i]))
			rel_set(&k->s, to, i, i);
}

/* to = [Marked] ; (addr | by)? */
static void pre_bounded(struct lkmm *k, struct rel to, struct rel by, bool rmb)
{
	marked_identity(k, to);
	for (size_t i = 0; i < k->s.n; i++) {
		if (!mm_marked(&k->m->ev[i]))
			continue;
		rel_join_row(&k->s, rel_row(&k->s, to, i), rel_row(&k->s, k->r[ADDR], i));
		rel_join_row(&k->s, rel_row(&k->s, to, i), rel_row(&k->s, by, i));
		if (!rmb || k->m->ev[i].kind != MM_READ || noreturn(&k->m->ev[i]))
			continue;
		rel_each(&k->s, k->r[RMB], i, j)
			if (!noreturn(&k->m->ev[j]))
				rel_set(&k->s, to, i, j);
	}
}

/* to = by? ; [Marked] */
static void post_bounded(struct lkmm *k, struct rel to, struct rel by, bool rmb)
{
	marked_identity(k, to);
	for (size_t i = 0; i < k->s.n; i++) {
		rel_each(&k->s, by, i, j)
			if (mm_marked(&k->m->ev[j]))
				rel_set(&k->s, to, i, j);
		if (!rmb || noreturn(&k->m->ev[i]))
			continue;
		rel_each(&k->s, k->r[RMB], i, j)
			if (k->m->ev[j].kind == MM_READ && !noreturn(&k->m->ev[j]) && mm_marked(&k->m->ev[j]))
				rel_set(&k->s, to, i, j);
	}
}

/* to = to ; rmw-sequence */
static void then_rmws(struct lkmm *k, struct rel to)
{
	const struct mm *m = k->m;
	struct rel seq = k->r[TMP], out = k->r[TMP2];

	rel_clear(&k->s, seq);
	for (size_t i = 0; i < m->n; i++)
		if (m->ev[i].kind == MM_WRITE && m->ev[i].pair != MM_NONE && m->ev[m->ev[i].pair].rf != MM_NONE)
			rel_set(&k->s, seq, m->ev[m->ev[i].pair].rf, i);
	rel_close(&k->s, seq);
	rel_reflexive(&k->s, seq);
	rel_compose(&k->s, out, to, seq);
	rel_copy(&k->s, to, out);
}

/* xbstar = (hb | pb | rb)*, rb = prop ; rcu-fence ; hb* ; pb* */
static void executes_before(struct lkmm *k)
{
	struct rel xb = k->r[XB], tmp = k->r[TMP], tmp2 = k->r[TMP2];

	rel_copy(&k->s, xb, k->r[HB]);
	rel_join(&k->s, xb, k->r[PB]);
	rel_close(&k->s, xb);
	rel_reflexive(&k->s, xb);
	rel_compose(&k->s, tmp, k->r[PROP], k->r[RCU_FENCE]);
	rel_compose(&k->s, tmp2, tmp, xb);
	rel_join(&k->s, xb, tmp2);
	rel_close(&k->s, xb);
}

static void only_internal(struct lkmm *k, struct rel to, struct rel from)
{
	rel_clear(&k->s, to);
	for (size_t i = 0; i < k->s.n; i++)
		rel_each(&k->s, from, i, j)
			if (!mm_ext(k->m, i, j))
				rel_set(&k->s, to, i, j);
}

/* vis = cumul-fence* ; rfe? ; [Marked] ; ((strong-fence ; [Marked] ; xbstar) | (xbstar & int)) */
static void visible(struct lkmm *k)
{
	struct rel tmp = k->r[TMP], tmp2 = k->r[TMP2], w1 = k->r[W1];

	only_internal(k, w1, k->r[XB]);
	post_bounded(k, tmp, k->r[STRONG], false);
	/* by? holds the identity: what begins with it is in xbstar, and not all of that counts */
	for (size_t i = 0; i < k->s.n; i++)
		if (!rel_has(&k->s, k->r[STRONG], i, i))
			rel_row(&k->s, tmp, i)[i / 64] &= ~((uint64_t)1 << (i % 64));
	rel_compose(&k->s, tmp2, tmp, k->r[XB]);
	rel_join(&k->s, w1, tmp2);
	rel_compose(&k->s, tmp, k->r[CUMUL], k->r[RFE]);
	rel_join(&k->s, tmp, k->r[CUMUL]);
	for (size_t i = 0; i < k->s.n; i++)
		if (!mm_marked(&k->m->ev[i]))
			memset(rel_row(&k->s, w1, i), 0, k->s.words * sizeof(uint64_t));
	rel_compose(&k->s, k->r[VIS], tmp, w1);
}

/* to = fence | (strong-fence ; xbstar ; pre) | (w-post-bounded ; vis ; pre) */
static void visible_to(struct lkmm *k, struct rel to, struct rel pre)
{
	struct rel w2 = k->r[W2], tmp = k->r[TMP];

	rel_compose(&k->s, tmp, k->r[STRONG], k->r[XB]);
	rel_compose(&k->s, w2, tmp, pre);
	rel_copy(&k->s, to, k->r[FENCE]);
	rel_join(&k->s, to, w2);
	post_bounded(k, w2, k->r[FENCE], false);
	then_rmws(k, w2);
	rel_compose(&k->s, tmp, w2, k->r[VIS]);
	rel_compose(&k->s, w2, tmp, pre);
	rel_join(&k->s, to, w2);
}

/* rw-xbstar = fence | (r-post-bounded ; xbstar ; w-pre-bounded) */
static void reads_before(struct lkmm *k, struct rel pre)
{
	struct rel w2 = k->r[W2], tmp = k->r[TMP], to = k->r[RWXB];

	post_bounded(k, w2, k->r[NONRW], true);
	rel_compose(&k->s, tmp, w2, k->r[XB]);
	rel_compose(&k->s, to, tmp, pre);
	rel_join(&k->s, to, k->r[FENCE]);
}

static int seen_rank(const struct mm *m, const struct mm_event *e)
{
	return e->kind == MM_WRITE ? e->rank : e->rf == MM_NONE ? -1 : m->ev[e->rf].rank;
}

static void add_race(struct mm *m, size_t a, size_t b, unsigned *flags)
{
	*flags |= MM_DATA_RACE;
	if (m->nraces == m->races_cap) {
		size_t cap = m->races_cap ? 2 * m->races_cap : 16;
		uint16_t *v = realloc(m->races, 2 * cap * sizeof(*v));

		if (!v) {
			m->oom = true;
			return;
		}
		m->races = v;
		m->races_cap = cap;
	}
	m->races[2 * m->nraces] = (uint16_t)a;
	m->races[2 * m->nraces++ + 1] = (uint16_t)b;
}

/* Two accesses of one location by different tasks, of which one is plain: a comes first in
 * coherence order.  False: the execution cannot be. */
static bool judge_pair(struct lkmm *k, struct mm *m, size_t a, size_t b, unsigned *flags)
{
	const struct mm_event *x = &k->m->ev[a], *y = &k->m->ev[b];
	bool ww = rel_has(&k->s, k->r[WWVIS], a, b), wr = rel_has(&k->s, k->r[WRVIS], a, b);
	bool xb = rel_has(&k->s, k->r[RWXB], a, b);

	if (x->kind == MM_WRITE && y->kind == MM_WRITE) {
		if (rel_has(&k->s, k->r[WWVIS], b, a))
			return false;
		if (!(ww && (mm_marked(x) || xb) && (mm_marked(y) || wr)))
			add_race(m, a, b, flags);
	} else if (x->kind == MM_WRITE) {
		bool back = rel_has(&k->s, k->r[RWXB], b, a);

		if (y->rf == a && back)
			return false;
		if (!wr && !back)
			add_race(m, a, b, flags);
	} else {
		if (rel_has(&k->s, k->r[WRVIS], b, a))
			return false;
		if (!xb)
			add_race(m, a, b, flags);
	}
	return true;
}

bool lkmm_races(struct lkmm *k, struct mm *m, unsigned *flags)
{
	m->nraces = 0;
	rel_join(&k->s, k->r[STRONG], k->r[RCU_FENCE]);
	rel_join(&k->s, k->r[NONRW], k->r[STRONG]);
	rel_join(&k->s, k->r[FENCE], k->r[NONRW]);
	executes_before(k);
	visible(k);
	pre_bounded(k, k->r[W1], k->r[FENCE], false);
	visible_to(k, k->r[WWVIS], k->r[W1]);
	reads_before(k, k->r[W1]);
	pre_bounded(k, k->r[W1], k->r[NONRW], true);
	visible_to(k, k->r[WRVIS], k->r[W1]);
	for (size_t a = 0; a < m->n; a++)
		for (size_t b = 0; b < m->n; b++) {
			const struct mm_event *x = &m->ev[a], *y = &m->ev[b];

			if (!mm_ext(m, a, b) || x->loc != y->loc || (mm_marked(x) && mm_marked(y)) ||
			    (x->kind == MM_READ && y->kind == MM_READ))
				continue;
			/* a is before b: co, co? ; rf, or fr */
			if (y->kind == MM_READ ? x->rank > seen_rank(m, y) : y->rank <= seen_rank(m, x))
				continue;
			if (!judge_pair(k, m, a, b, flags))
				return false;
		}
	return true;
}
