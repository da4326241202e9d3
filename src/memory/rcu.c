/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RCU and SRCU as the Linux-kernel memory model has them (its axiom "rcu", as of Linux
 * 6.12): of a critical section and a grace period of one domain that are linked, either all
 * of the section comes before the end of the grace period, or all of the grace period before
 * the section's end.  For executions of ideal domains, in which nothing else keeps them apart.
 */
#include <config.h>

#include "engine/site.h"
#include "memory/lkmm.h"

#include <stdlib.h>

#define NONE SIZE_MAX

struct rcu {
	struct mm *m;
	const struct mm_fence *f;
	size_t n;
	struct lkmm k;
	bool *link, *order;	/* n by n, from fence to fence */
	size_t *begin;		/* of each end of a section: its beginning, NONE */
	unsigned flags;
};

static bool is_begin(const struct mm_fence *f) { return f->order == ORD_SECTION_BEGIN; }
static bool is_end(const struct mm_fence *f) { return f->order == ORD_SECTION_END; }
static bool is_period(const struct mm_fence *f) { return f->order == ORD_GRACE_PERIOD; }

/* --- which end belongs to which beginning --- */

/* Beginnings of other tasks are known by task and bit: what a value comes from is followed
 * back through memory. */
struct origins { const struct mm *m; const struct rcu *r; size_t end; unsigned steps; bool *found; };

static void add_origins(struct origins *o, unsigned task, uint64_t begun, uint64_t data)
{
	if (o->steps++ > 10000)
		return;	/* values that go in circles */
	for (size_t i = 0; i < o->r->n; i++)
		if (is_begin(&o->r->f[i]) && o->r->f[i].task == task && o->r->f[i].self & begun)
			o->found[i] = true;
	for (size_t i = 0; data && i < o->m->n; i++) {
		const struct mm_event *e = &o->m->ev[i];
		const struct mm_event *w = e->kind == MM_READ && e->rf != MM_NONE ? &o->m->ev[e->rf] : NULL;

		if (w && e->task == task && e->self & data)
			add_origins(o, w->task, w->begun, w->data);
	}
}

static void match_srcu(struct rcu *r, bool *found)
{
	bool *matched = found + r->n;

	for (size_t i = 0; i < r->n; i++) {
		const struct mm_fence *e = &r->f[i];
		struct origins o = { .m = r->m, .r = r, .end = i, .found = found };
		bool any = false;

		if (!is_end(e) || !e->domain)
			continue;
		memset(found, 0, r->n * sizeof(*found));
		add_origins(&o, e->task, e->begun, e->data);
		for (size_t b = 0; b < r->n; b++) {
			if (!found[b] || r->f[b].domain != e->domain)
				continue;
			if (matched[b])
				r->flags |= MM_MULTIPLE_MATCHES;
			if (e->value)
				r->flags |= MM_BAD_VALUE;
			any = matched[b] = true;
			r->begin[i] = b;
		}
		if (!any)
			r->flags |= MM_UNMATCHED_UNLOCK;
	}
	for (size_t b = 0; b < r->n; b++)
		if (is_begin(&r->f[b]) && r->f[b].domain && !matched[b])
			r->flags |= MM_UNMATCHED_LOCK;
}

/* RCU's sections nest. */
static void match_rcu(struct rcu *r, bool *matched)
{
	memset(matched, 0, r->n * sizeof(*matched));
	for (size_t i = 0; i < r->n; i++) {
		size_t b = i;

		if (!is_end(&r->f[i]) || r->f[i].domain)
			continue;
		while (b-- && (!is_begin(&r->f[b]) || r->f[b].domain || r->f[b].task != r->f[i].task || matched[b]))
			;
		if (b == NONE) {
			r->flags |= MM_UNMATCHED_RCU_UNLOCK;
			continue;
		}
		matched[b] = true;
		r->begin[i] = b;
		for (size_t g = b; g < i; g++)
			if (is_period(&r->f[g]) && r->f[g].domain && r->f[g].task == r->f[i].task)
				r->flags |= MM_INVALID_SLEEP;
	}
	for (size_t b = 0; b < r->n; b++)
		if (is_begin(&r->f[b]) && !r->f[b].domain && !matched[b])
			r->flags |= MM_UNMATCHED_RCU_LOCK;
}

/* --- the axiom --- */

/* po? ; hb* ; pb* ; prop ; po */
static void link_fences(struct rcu *r)
{
	struct lkmm *k = &r->k;
	struct rel pb = k->r[PB], all = k->r[TMP2];

	rel_close(&k->s, pb);
	rel_reflexive(&k->s, pb);
	rel_compose(&k->s, k->r[TMP], k->r[HB], pb);
	rel_compose(&k->s, all, k->r[TMP], k->r[PROP]);
	for (size_t a = 0; a < r->n; a++) {
		for (size_t b = a + 1; b < r->n; b++)
			r->link[a * r->n + b] |= r->f[a].task == r->f[b].task;
		for (size_t x = r->f[a].at; x < r->m->n; x++) {
			if (r->m->ev[x].task != r->f[a].task)
				continue;
			rel_each(&k->s, all, x, y)
				for (size_t b = 0; b < r->n; b++)
					if (r->f[b].task == r->m->ev[y].task && r->f[b].at > y)
						r->link[a * r->n + b] = true;
		}
	}
}

/* to |= a ; b, where `only` says which rows and columns count.  Has it grown? */
static bool compose(const struct rcu *r, bool *to, const bool *a, const bool *b)
{
	size_t n = r->n;
	bool grown = false;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			for (size_t l = 0; a[i * n + j] && l < n; l++)
				if (b[j * n + l] && !to[i * n + l])
					grown = to[i * n + l] = true;
	return grown;
}

/* A grace period and a section of one domain, with `mid` between them, in either order. */
static bool pair_up(struct rcu *r, const bool *mid)
{
	size_t n = r->n;
	bool grown = false;

	for (size_t g = 0; g < n; g++) {
		if (!is_period(&r->f[g]))
			continue;
		for (size_t u = 0; u < n; u++) {
			size_t l = r->begin[u];

			if (l == NONE || r->f[u].domain != r->f[g].domain)
				continue;
			/* the section backwards: from its end to its beginning */
			if (mid[g * n + u] && !r->order[g * n + l])
				grown = r->order[g * n + l] = true;
			if (mid[l * n + g] && !r->order[u * n + g])
				grown = r->order[u * n + g] = true;
		}
	}
	return grown;
}

static bool rcu_holds(struct rcu *r, bool *scratch)
{
	size_t n = r->n;
	bool *left = scratch, *mid = scratch + n * n, grown;

	for (size_t g = 0; g < n; g++)
		r->order[g * n + g] = is_period(&r->f[g]);
	do {
		grown = pair_up(r, r->link);
		memset(left, 0, 2 * n * n * sizeof(*left));
		compose(r, left, r->link, r->order);
		compose(r, mid, left, r->link);
		grown |= pair_up(r, mid);
		memset(mid, 0, n * n * sizeof(*mid));
		compose(r, mid, r->order, r->link);
		grown |= compose(r, r->order, mid, r->order);
	} while (grown);
	for (size_t a = 0; a < n; a++)
		for (size_t b = 0; b < n; b++)
			if (r->order[a * n + b] && r->link[b * n + a])
				return false;
	return true;
}

/* rcu-fence = po ; rcu-order ; po? */
static void fence_accesses(struct rcu *r)
{
	const struct mm *m = r->m;

	for (size_t a = 0; a < r->n; a++)
		for (size_t b = 0; b < r->n; b++)
			for (size_t x = 0; r->order[a * r->n + b] && x < r->f[a].at; x++)
				for (size_t y = r->f[b].at; m->ev[x].task == r->f[a].task && y < m->n; y++)
					if (m->ev[y].task == r->f[b].task)
						rel_set(&r->k.s, r->k.r[RCU_FENCE], x, y);
}

/* The fences that are of interest. */
static bool take_fences(struct rcu *r, struct mm_fence *to)
{
	for (size_t i = 0; i < r->m->nfences; i++)
		if (r->m->fences[i].order >= ORD_SECTION_BEGIN)
			to[r->n++] = r->m->fences[i];
	r->f = to;
	return r->n;
}

static bool judge(struct rcu *r)
{
	size_t n = r->n;
	bool *scratch = calloc(4 * n * n + 2 * n, sizeof(*scratch)), ok;

	r->begin = malloc(n * sizeof(*r->begin));
	if (!scratch || !r->begin) {
		free(scratch);
		free(r->begin);
		r->m->oom = true;
		return false;
	}
	for (size_t i = 0; i < n; i++)
		r->begin[i] = NONE;
	r->link = scratch + 2 * n * n;
	r->order = scratch + 3 * n * n;
	match_srcu(r, scratch + 4 * n * n);
	match_rcu(r, scratch + 4 * n * n);
	link_fences(r);
	ok = rcu_holds(r, scratch);
	if (ok && r->k.plain)
		fence_accesses(r);
	free(scratch);
	free(r->begin);
	return ok;
}

bool mm_rcu(struct mm *m, unsigned *flags)
{
	struct rcu r = { .m = m };
	struct mm_fence *fences = malloc((m->nfences + 1) * sizeof(*fences));
	bool some = fences && take_fences(&r, fences), plain = false, ok = true;

	for (size_t i = 0; i < m->n; i++)
		plain |= (m->ev[i].flags & MM_PLAIN) != 0;
	if (!fences) {
		m->oom = true;
		return false;
	}
	if (some || plain)
		ok = lkmm_relations(m, &r.k) && mm_acyclic(m, &r.k.s, r.k.r[PB]);
	if (ok && some)
		ok = judge(&r);
	if (ok && plain)
		ok = lkmm_races(&r.k, m, &r.flags);
	free(fences);
	if (ok)
		*flags |= r.flags;
	return ok;
}
