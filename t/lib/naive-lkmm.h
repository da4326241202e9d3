/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Linux-kernel memory model once more, as slow and as plain as can be: each relation
 * of its definition (as of Linux 6.12) is computed as it is defined, over all events, and
 * nothing is shared with src/memory but struct mm.  For tests that ask which is right.
 * And total store order, for tasks that each have a CPU.
 */
#ifndef SRCUSH_T_NAIVE_LKMM_H
#define SRCUSH_T_NAIVE_LKMM_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/site.h"
#include "memory/consistency.h"

#define NAIVE_MAX 64	/* events */

/* Row i: a bit for each j that i is related to. */
struct nrel { uint64_t row[NAIVE_MAX]; };
typedef uint64_t nset;
/* So many events are there. */
static unsigned naive_n = NAIVE_MAX;

static inline bool n_in(nset s, unsigned i) { return s >> i & 1; }

static inline struct nrel n_none(void) { return (struct nrel){ { 0 } }; }

static inline struct nrel n_or(struct nrel a, struct nrel b)
{
	for (unsigned i = 0; i < naive_n; i++)
		a.row[i] |= b.row[i];
	return a;
}

static inline struct nrel n_and(struct nrel a, struct nrel b)
{
	for (unsigned i = 0; i < naive_n; i++)
		a.row[i] &= b.row[i];
	return a;
}

static inline struct nrel n_minus(struct nrel a, struct nrel b)
{
	for (unsigned i = 0; i < naive_n; i++)
		a.row[i] &= ~b.row[i];
	return a;
}

/* [from] ; a ; [to] */
static inline struct nrel n_on(nset from, struct nrel a, nset to)
{
	for (unsigned i = 0; i < naive_n; i++)
		a.row[i] = n_in(from, i) ? a.row[i] & to : 0;
	return a;
}

static inline struct nrel n_seq(struct nrel a, struct nrel b)
{
	struct nrel r = n_none();

	for (unsigned i = 0; i < naive_n; i++)
		for (unsigned j = 0; j < naive_n; j++)
			if (n_in(a.row[i], j))
				r.row[i] |= b.row[j];
	return r;
}

static inline struct nrel n_opt(struct nrel a)
{
	for (unsigned i = 0; i < naive_n; i++)
		a.row[i] |= (nset)1 << i;
	return a;
}

static inline struct nrel n_plus(struct nrel a)
{
	for (unsigned k = 0; k < naive_n; k++)
		for (unsigned i = 0; i < naive_n; i++)
			if (n_in(a.row[i], k))
				a.row[i] |= a.row[k];
	return a;
}

static inline struct nrel n_star(struct nrel a) { return n_opt(n_plus(a)); }

static inline bool n_acyclic(struct nrel a)
{
	a = n_plus(a);
	for (unsigned i = 0; i < naive_n; i++)
		if (n_in(a.row[i], i))
			return false;
	return true;
}

static inline bool n_empty(struct nrel a)
{
	for (unsigned i = 0; i < naive_n; i++)
		if (a.row[i])
			return false;
	return true;
}

static inline void n_add(struct nrel *a, unsigned i, unsigned j) { a->row[i] |= (nset)1 << j; }

/* The sets and relations from which the rest is made. */
struct naive {
	const struct mm *m;
	nset all, reads, writes, marked, plain, acquire, release, rmws, noreturn, lkr, lkw, ul, switches;
	struct nrel po, inside, outside, rf, co, fr, rmw, addr, data, ctrl, loc, made;
};

static inline void naive_sets(struct naive *k)
{
	for (unsigned i = 0; i < k->m->n; i++) {
		const struct mm_event *e = &k->m->ev[i];
		nset b = (nset)1 << i;
		bool lock = e->flags & MM_LOCK;

		k->all |= b;
		*(e->kind == MM_READ ? &k->reads : &k->writes) |= b;
		*(e->flags & MM_PLAIN ? &k->plain : &k->marked) |= b;
		k->acquire |= e->kind == MM_READ && e->order == ORD_ACQUIRE ? b : 0;
		k->release |= e->kind == MM_WRITE && e->order == ORD_RELEASE ? b : 0;
		k->rmws |= e->pair != MM_NONE && !lock ? b : 0;
		k->noreturn |= e->kind == MM_READ && e->order == ORD_NORETURN ? b : 0;
		k->lkr |= lock && e->kind == MM_READ ? b : 0;
		k->lkw |= lock && e->kind == MM_WRITE ? b : 0;
		k->ul |= e->flags & MM_UNLOCK ? b : 0;
		k->switches |= e->flags & MM_SWITCH ? b : 0;
	}
}

static inline void naive_depend(struct naive *k, unsigned j)
{
	const struct mm_event *y = &k->m->ev[j];

	for (unsigned i = 0; i < j; i++) {
		const struct mm_event *x = &k->m->ev[i];

		if (x->task != y->task || x->kind != MM_READ)
			continue;
		if (y->addr & x->self)
			n_add(&k->addr, i, j);
		if (y->data & x->self && y->kind == MM_WRITE)
			n_add(&k->data, i, j);
		if (y->ctrl & x->self)
			n_add(&k->ctrl, i, j);
	}
}

static inline struct naive naive_begin(const struct mm *m)
{
	struct naive k = { .m = m };

	naive_n = (unsigned)m->n;
	naive_sets(&k);
	for (unsigned i = 0; i < m->n; i++) {
		const struct mm_event *a = &m->ev[i];

		for (unsigned j = 0; j < m->n; j++) {
			const struct mm_event *b = &m->ev[j];

			n_add(a->task == b->task ? &k.inside : &k.outside, i, j);
			if (a->task == b->task && i < j)
				n_add(&k.po, i, j);
			if (a->loc == b->loc)
				n_add(&k.loc, i, j);
			if (b->kind == MM_READ && b->rf == i)
				n_add(&k.rf, i, j);
			if (a->loc != b->loc || b->kind != MM_WRITE || i == j)
				continue;
			if (a->kind == MM_WRITE && a->rank < b->rank)
				n_add(&k.co, i, j);
			if (a->kind == MM_READ && (a->rf == MM_NONE || m->ev[a->rf].rank < b->rank))
				n_add(&k.fr, i, j);
		}
		if (a->kind == MM_READ && a->pair != MM_NONE)
			n_add(&k.rmw, i, a->pair);
		naive_depend(&k, i);
	}
	for (unsigned a = 0; a < m->naddrs; a++)
		n_add(&k.addr, m->addrs[a].read, m->addrs[a].access);
	for (unsigned i = 0; i < m->n; i++)
		for (unsigned a = 0; m->ev[i].after != MM_NONE && a < m->n; a++)
			for (unsigned b = 0; b < m->n; b++)
				if ((a == m->ev[i].after || n_in(k.po.row[a], m->ev[i].after)) &&
				    (b == i || n_in(k.po.row[i], b)))
					n_add(&k.made, a, b);
	return k;
}

static inline bool naive_coherent(const struct naive *k)
{
	struct nrel com = n_or(k->rf, n_or(k->co, k->fr));
	struct nrel between = n_seq(n_and(k->fr, k->outside), n_and(k->co, k->outside));

	return n_acyclic(n_or(n_and(k->po, k->loc), com)) && n_empty(n_and(k->rmw, between));
}

/* Program order through a fence of that kind. */
static inline struct nrel naive_fence(const struct naive *k, unsigned order, bool sleeps)
{
	struct nrel r = n_none();

	for (unsigned f = 0; f < k->m->nfences; f++) {
		const struct mm_fence *x = &k->m->fences[f];

		if (sleeps ? !(x->flags & MM_SWITCH) : x->order != order)
			continue;
		for (unsigned i = 0; i < x->at; i++)
			for (unsigned j = x->at; j < k->m->n; j++)
				if (k->m->ev[i].task == x->task && k->m->ev[j].task == x->task)
					n_add(&r, i, j);
	}
	return r;
}

static inline struct nrel naive_id(void) { return n_opt(n_none()); }

/* What a fence directly before the one set, and one directly behind the other, order. */
static inline struct nrel naive_around(const struct naive *k, nset before, nset behind)
{
	return n_or(n_seq(n_on(k->all, k->po, before), n_opt(k->po)),
		    n_seq(n_on(k->all, n_opt(k->po), behind), k->po));
}

static inline struct nrel naive_handed(const struct naive *k)
{
	struct nrel by = n_on(k->ul, n_or(k->po, k->rf), k->lkr);

	return n_seq(n_seq(k->po, by), k->po);
}

static inline struct nrel naive_strong(const struct naive *k)
{
	struct nrel before = n_on(k->all, naive_fence(k, ORD_MB_BEFORE_ATOMIC, false), k->rmws);
	struct nrel after = n_on(k->rmws, naive_fence(k, ORD_MB_AFTER_ATOMIC, false), k->all);
	struct nrel spin = n_on(k->lkw, naive_fence(k, ORD_MB_AFTER_SPINLOCK, false), k->all);
	struct nrel unlock = n_on(k->lkr, naive_fence(k, ORD_MB_AFTER_UNLOCK_LOCK, false), k->all);
	struct nrel by = n_on(k->ul, n_or(k->po, k->rf), k->lkr);
	struct nrel r = naive_fence(k, ORD_MB, false);
	nset full = 0;

	for (unsigned i = 0; i < k->m->n; i++)
		if (n_in(k->rmws, i) && k->m->ev[i].order == ORD_FULL)
			full |= (nset)1 << i;
	r = n_or(r, n_or(naive_fence(k, ORD_MB_AFTER_SRCU_UNLOCK, false), naive_fence(k, 0, true)));
	r = n_or(r, n_seq(before, n_opt(k->po)));
	r = n_or(r, n_seq(n_opt(k->po), after));
	r = n_or(r, n_seq(n_opt(k->po), spin));
	r = n_or(r, n_seq(n_seq(k->po, by), unlock));
	r = n_or(r, naive_around(k, full & k->reads, full & k->writes));
	r = n_or(r, naive_around(k, k->switches, k->switches));
	return n_or(r, k->made);
}

static inline bool naive_lkmm(const struct mm *m)
{
	struct naive k = naive_begin(m);
	struct nrel strong = naive_strong(&k), handed = naive_handed(&k), overwrite = n_or(k.co, k.fr);
	struct nrel po_rel = n_on(k.all, k.po, k.release), acq_po = n_on(k.acquire, k.po, k.all);
	struct nrel wmb = n_on(k.writes, naive_fence(&k, ORD_WMB, false), k.writes);
	struct nrel rmb = n_on(k.reads & ~k.noreturn, naive_fence(&k, ORD_RMB, false), k.reads & ~k.noreturn);
	struct nrel fence = n_or(n_or(strong, po_rel), n_or(acq_po, n_or(wmb, rmb)));
	struct nrel rfi = n_and(k.rf, k.inside), rfe = n_and(k.rf, k.outside);
	struct nrel carry = n_star(n_seq(k.data, rfi));
	struct nrel addr = n_seq(carry, k.addr), data = n_seq(carry, k.data), ctrl = n_seq(carry, k.ctrl);
	struct nrel dep = n_or(addr, data), to_w, to_r, ppo, cumul, prop, hb, pb;

	if (!naive_coherent(&k))
		return false;
	to_w = n_or(n_on(k.all, n_or(dep, ctrl), k.writes), n_and(overwrite, k.inside));
	to_w = n_or(to_w, n_seq(n_on(k.all, addr, k.plain), wmb));
	to_r = n_or(n_on(k.all, addr, k.reads), n_seq(n_on(k.all, dep, k.marked), rfi));
	ppo = n_or(n_or(to_r, to_w), n_or(n_and(fence, k.inside), n_and(handed, k.inside)));
	ppo = n_or(ppo, k.made); /* between tasks, which LKMM knows nothing of */

	cumul = n_seq(n_opt(n_on(k.all, rfe, k.marked)), n_or(strong, po_rel));
	cumul = n_on(k.marked, n_or(cumul, n_or(wmb, handed)), k.marked);
	cumul = n_seq(cumul, n_star(n_seq(k.rf, k.rmw)));
	prop = n_on(k.marked, n_opt(n_and(overwrite, k.outside)), k.all);
	prop = n_on(k.all, n_seq(prop, n_star(cumul)), k.marked);
	prop = n_on(k.all, n_seq(prop, n_opt(rfe)), k.marked);
	hb = n_or(n_or(ppo, rfe), n_and(n_minus(prop, naive_id()), k.inside));
	hb = n_on(k.marked, hb, k.marked);
	pb = n_on(k.all, n_seq(n_seq(prop, strong), n_star(hb)), k.marked);
	return n_acyclic(hb) && n_acyclic(pb);
}

static inline bool naive_sc(const struct mm *m)
{
	struct naive k = naive_begin(m);

	return naive_coherent(&k) &&
	       n_acyclic(n_or(n_or(k.po, k.rf), n_or(n_or(k.co, k.fr), k.made)));
}

/* Each task has a CPU of its own. */
static inline bool naive_tso(const struct mm *m)
{
	struct naive k = naive_begin(m);
	struct nrel fence = n_or(naive_fence(&k, ORD_MB, false), naive_fence(&k, 0, true)), ppo;
	nset locked = 0;

	for (unsigned i = 0; i < m->n; i++)
		if (m->ev[i].flags & (MM_LOCKED | MM_SWITCH))
			locked |= (nset)1 << i;
	fence = n_or(fence, naive_fence(&k, ORD_MB_AFTER_SRCU_UNLOCK, false));
	fence = n_or(fence, naive_around(&k, locked, locked));
	ppo = n_minus(k.po, n_on(k.writes, k.po, k.reads));
	ppo = n_or(ppo, n_or(fence, k.made));
	return naive_coherent(&k) &&
	       n_acyclic(n_or(n_or(ppo, n_and(k.rf, k.outside)), n_or(k.co, k.fr)));
}

/* Are program order and reads-from without a circle? */
static inline bool naive_in_order(const struct mm *m)
{
	struct naive k = naive_begin(m);

	return n_acyclic(n_or(n_or(k.po, k.rf), k.made));
}

#endif
