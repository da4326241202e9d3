/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The explorations of which one with promises consists.  The first is without any.  Stores
 * that it has seen behind loads which need not wait for them are then made beforehand, by
 * a task that does nothing else; one of them in each exploration, then two, and so on until
 * no execution needs so many.  Every circle of program order and reads-from that the model
 * allows has such a store in it: where each load is ordered before the store behind it, the
 * circle is one of happens-before.  So it is broken where that store is promised.
 */
#include <config.h>

#include "explore/judge.h"

#include "engine/internal.h"
#include "explore/wire.h"
#include "memory/model.h"

#include <stdlib.h>
#include <string.h>

bool promise_begin(const struct promising *p, struct world *w)
{
	for (unsigned i = 0; p && i < p->n; i++) {
		char name[128];
		unsigned nth = 1;

		for (unsigned k = 0; k < i; k++)
			nth += p->now[k] == p->now[i];
		promise_name(w, &p->now[i]->store, nth, name, sizeof(name));
		if (!promise_task(w, &p->now[i]->store, name))
			return false;
	}
	return true;
}

/* --- what may be promised --- */

static bool is_wished(const struct promising *p, uint32_t loc, bool stores, uint64_t task)
{
	for (size_t i = 0; i < p->nwishes; i++)
		if (p->wishes[i].loc == loc && p->wishes[i].stores == stores && p->wishes[i].task != task)
			return true;
	return false;
}

/* A circle comes from another task to the load and goes on to another from the store: is there
 * somebody who stores the one, and somebody who loads the other before he stores something? */
static bool may_be_on_circle(const struct promising *p, const struct offer *o)
{
	return is_wished(p, o->loc, false, o->task) && is_wished(p, o->before, true, o->task);
}

static struct promise *known(const struct promising *p, const struct offer *o)
{
	for (size_t i = 0; i < p->nall; i++)
		if (p->all[i]->store.loc == o->loc && p->all[i]->store.value == o->value &&
		    p->all[i]->store.size == o->size)
			return p->all[i];
	return NULL;
}

static bool add_promise(struct explore *x, const struct offer *o)
{
	struct promising *p = x->promising;
	struct promise *a;

	if (!grow(&p->all, &p->all_cap, p->nall + 1, sizeof(*p->all)))
		return explore_oom(x);
	a = malloc(sizeof(*a));
	if (!a)
		return explore_oom(x);
	*a = (struct promise){ .store = { .loc = o->loc, .size = o->size, .value = o->value }, .times = o->times };
	p->all[p->nall++] = a;
	return true;
}

static bool take_offers(struct explore *x)
{
	struct promising *p = x->promising;

	for (size_t i = 0; i < p->noffers; i++) {
		struct offer *o = &p->offers[i];
		struct promise *a = known(p, o);

		if (a && a->times < o->times)
			a->times = o->times;
		if (!a && may_be_on_circle(p, o) && !add_promise(x, o))
			return false;
	}
	return true;
}

/* --- sets --- */

static bool goes_on(struct explore *x)
{
	return explore_go_on(x) && (x->opts.keep_going || !x->report.nviolations);
}

/* One exploration more; what it counted is added to what there was. */
static bool explore_set(struct explore *x, bool (*strategy)(struct explore *), struct wire *sum)
{
	struct promising *p = x->promising;
	uint64_t found;
	bool ok;

	p->run++;
	p->attempt = 0;
	p->found = 0;
	ok = strategy(x);
	x->first += x->executions;
	x->others.complete += x->report.complete;
	x->others.blocked += x->report.blocked;
	/* counting begins anew behind this */
	found = p->found;
	ok = ok && results_put(x, sum);
	p->found = found;
	return ok;
}

struct sets {
	struct explore *x;
	bool (*strategy)(struct explore *);
	struct wire *sum;
	size_t plain;		/* bytes of it that the exploration without promises has */
	uint64_t first;		/* executions of that */
	unsigned size;
	uint64_t found;
};

/* The sets whose first k are chosen and whose last is `top`; in between, `from` and what is
 * behind it.  False: failed. */
static bool explore_sets(struct sets *s, unsigned k, size_t from, size_t top)
{
	struct promising *p = s->x->promising;
	bool last = k + 1 == s->size;

	for (size_t i = last ? top : from; i <= top && goes_on(s->x); i++) {
		unsigned times = 1;

		for (unsigned j = 0; j < k; j++)
			times += p->now[j] == p->all[i];
		if (times > p->all[i]->times)
			continue;
		p->now[k] = p->all[i];
		if (!last) {
			if (!explore_sets(s, k + 1, i, top))
				return false;
			continue;
		}
		p->n = s->size;
		if (!explore_set(s->x, s->strategy, s->sum))
			return false;
		s->found += p->found;
	}
	return !s->x->report.error;
}

/* What was found with promises rests on dependencies that turned out to be others. */
static void forget_all(struct sets *all)
{
	struct explore *x = all->x;
	struct promising *p = x->promising;

	judge_drop_promised(x);
	all->sum->n = all->plain;
	p->run = 1;
	x->first = all->first;
	p->nmerged = 0;
	if (p->merged)
		memset(p->merged, 0, p->merged_cap * sizeof(*p->merged));
	x->report.promised = all->found = 0;
}

/* All sets of up to `size` promises, until nothing new is stored in them. */
static bool explore_sizes(struct sets *all, size_t *done, unsigned size)
{
	struct promising *p = all->x->promising;
	bool again;
	size_t n;

	do {
		promise_deps_learn(p->deps);
		if (!take_offers(all->x))
			return false;
		n = p->nall;
		for (unsigned k = 1; k <= size; k++) {
			struct sets s = *all;

			s.size = k;
			s.found = 0;
			for (; done[k] < n; done[k]++)
				if (!explore_sets(&s, 0, 0, done[k]))
					return false;
			if (k == size)
				all->found += s.found;
			all->x->report.promised += s.found;
		}
		again = promise_deps_learn(p->deps);
		if (again) {
			forget_all(all);
			memset(done, 0, (size + 1) * sizeof(*done));
		}
		if (!take_offers(all->x))
			return false;
	} while ((p->nall > n || again) && goes_on(all->x));
	return true;
}

static bool explore_promises(struct sets *all)
{
	size_t done[PROMISES_MAX + 1] = { 0 };
	struct explore *x = all->x;

	for (unsigned size = 1; goes_on(x); size++) {
		if (size > PROMISES_MAX) {
			explore_bound(x, "promises %d", PROMISES_MAX);
			break;
		}
		all->found = 0;
		x->report.promises = size;
		if (!explore_sizes(all, done, size))
			return false;
		if (!all->found)
			break;
	}
	return true;
}

/* --- all of it --- */

void promise_release(struct explore *x)
{
	struct promising *p = x->promising;

	if (!p)
		return;
	for (size_t i = 0; i < p->nall; i++)
		free(p->all[i]);
	free(p->all);
	free(p->offers);
	free(p->wishes);
	free(p->merged);
	promise_leaf_release(p);
	promise_deps_release(p->deps);
	free(p);
	x->promising = NULL;
}

struct promise_set promise_now(const struct explore *x)
{
	struct promise_set s = { .n = x->promising ? x->promising->n : 0 };

	for (unsigned i = 0; i < s.n; i++)
		s.v[i] = x->promising->now[i];
	return s;
}

void promise_use(struct explore *x, const struct promise_set *s)
{
	if (!x->promising)
		return;
	x->promising->n = s->n;
	for (unsigned i = 0; i < s->n; i++)
		x->promising->now[i] = s->v[i];
}

void promise_forget(struct promising *p)
{
	if (!p)
		return;
	p->attempt++;
	p->found = 0;
}

static bool has_promises(struct explore *x)
{
	struct world *w = explore_begin(x);
	const struct memory_model *m = w ? world_model(w) : NULL;

	if (!w)
		return false;
	if (m->consistent != mm_promises)
		return explore_fail(x, "promises are for the weak model: the model \"%s\" has no load buffering", m->name);
	if (x->opts.strategy != EXPLORE_DPOR || w->voluntary)
		return explore_fail(x, "promises are looked for by the strategy \"dpor\" alone, where threads are preempted");
	return true;
}

bool promise_run(struct explore *x, bool (*strategy)(struct explore *x))
{
	struct wire sum = { 0 };
	struct sets all = { .x = x, .strategy = strategy, .sum = &sum };
	bool ok;

	if (!has_promises(x))
		return false;
	x->promising = calloc(1, sizeof(*x->promising));
	if (!x->promising)
		return explore_oom(x);
	x->opts.jobs = 1;
	ok = explore_set(x, strategy, &sum);
	all.plain = sum.n;
	all.first = x->first;
	ok = ok && explore_promises(&all);
	x->first = 0;
	x->others = (struct explore_progress){ 0 };
	for (uint32_t i = 0; ok && i < x->promising->run; i++)
		ok = results_get(x, &sum, false);
	wire_release(&sum);
	return ok;
}
