/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wrong with a trace though the order in which its steps happened to come did
 * not show it: a grace period that need not have waited for a section, a barrier that
 * need not have waited for a callback, an access that need not have come before the
 * kfree().  Another order of the same steps shows it; that order is the finding.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "check/trace_calls.h"
#include "engine/internal.h"

/* Where the events of each task are. */
bool trace_index_tasks(struct trace *tr)
{
	uint32_t sum = 0;

	if (!check_grow(tr->c, (void **)&tr->by_task, &tr->by_task_cap, tr->n + 1,
			sizeof(*tr->by_task)))
		return false;
	for (size_t i = 0; i < tr->ntasks; i++) {
		tr->tasks[i].first = sum;
		tr->tasks[i].count = tr->ev[tr->tasks[i].last].pos;
		sum += tr->tasks[i].count;
	}
	for (uint32_t n = 1; n <= tr->n; n++)
		tr->by_task[tr->tasks[tr->ev[n].task].first + tr->ev[n].pos - 1] = n;
	return true;
}

/* Puts an order that shows it into *f, if there is one.  False: no memory. */
static bool find_order(struct trace *tr, const char *kind, const struct tr_span *s,
		       struct trace_finding *f)
{
	switch (trace_order(tr, s, f)) {
	case TR_NO_MEMORY:
		return false;
	case TR_UNKNOWN:
		trace_give_up(tr->w, "whether another order of the same steps breaks a rule could not "
			      "be decided: too many tasks keep CPUs to themselves");
		break;
	case TR_YES:
		f->kind = kind;
		break;
	case TR_NO:
		break;
	}
	return true;
}

/* --- use after free --- */

/* Where the object is freed in which the location lies; 0: nowhere. */
static uint32_t free_of(const struct trace *tr, uint32_t off)
{
	size_t lo = 0, hi = tr->nfrees;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (tr->frees[mid].base <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	/* the first of several: the others were refused */
	while (lo > 1 && tr->frees[lo - 2].base == tr->frees[lo - 1].base)
		lo--;
	if (!lo || off - tr->frees[lo - 1].base >= tr->frees[lo - 1].size)
		return 0;
	return tr->frees[lo - 1].event;
}

/* Could the object have been freed before event n touches that place of it? */
static bool find_access(struct trace *tr, uint32_t n, uint32_t off, struct trace_finding *f)
{
	uint32_t at = free_of(tr, off);

	/* what came after the free was reported when it came */
	if (!at || n >= at || tr_before(tr, n, at))
		return true;
	return find_order(tr, "use-after-free", &(struct tr_span){ .begun = at, .end = n }, f);
}

static bool find_use_after_free(struct trace *tr, struct trace_finding *f)
{
	for (uint32_t n = 1; n <= tr->n && !f->n; n++) {
		const struct tr_event *ev = &tr->ev[n];

		if (ev->loc && ev->how & (TR_READ | TR_WRITE | TR_COND) &&
		    !find_access(tr, n, tr->locs[ev->loc].off, f))
			return false;
	}
	for (size_t i = 0; i < tr->nextras && !f->n; i++) {
		const struct tr_extra *x = &tr->extras[i];

		if (x->kind == EXTRA_PEEK && x->step <= tr->n &&
		    !find_access(tr, x->step, x->what, f))
			return false;
	}
	return true;
}

/* --- grace periods --- */

/* Could what waits miss what it has to wait for? */
static bool misses(const struct trace *tr, const struct tr_span *s)
{
	if (s->begun && tr_before(tr, s->start, s->begun))
		return false;
	return !s->over || !tr_before(tr, s->over, s->end);
}

/* Did it do so in the order in which things came?  Then it has been reported. */
static bool missed(const struct tr_span *s)
{
	return s->begun < s->start && (!s->over || s->over > s->end);
}

static bool find_span(struct trace *tr, const struct tr_span *s, struct trace_finding *f)
{
	if (f->n || missed(s) || !misses(tr, s))
		return true;
	return find_order(tr, "grace-period", s, f);
}

static bool find_missed_sections(struct trace *tr, uint32_t obj, uint32_t start, uint32_t end,
				 struct trace_finding *f)
{
	const struct tr_calls *k = &tr->calls;

	for (size_t i = 0; i < k->nsections && !f->n; i++) {
		const struct tr_section *s = &k->sections[i];
		struct tr_span span = { .start = start, .end = end, .begun = s->lock,
				     .over = s->unlock };

		if (s->obj == obj && !find_span(tr, &span, f))
			return false;
	}
	return true;
}

static bool find_missed_callbacks(struct trace *tr, const struct tr_wait *b,
				  struct trace_finding *f)
{
	const struct tr_calls *k = &tr->calls;

	for (size_t i = 0; i < k->nwaits && !f->n; i++) {
		const struct tr_wait *x = &k->waits[i];
		struct tr_span span = { .start = b->start, .end = b->end, .begun = x->last,
				     .over = x->over };

		if (x->kind == KAPI_CALL && x->obj == b->obj && x->returned && !x->refused &&
		    !find_span(tr, &span, f))
			return false;
	}
	return true;
}

/* A cookie that the poll may have been given; others of the same value, which were
 * taken elsewhere, bind it to nothing. */
static bool find_missed_by_poll(struct trace *tr, const struct tr_wait *p, struct trace_finding *f)
{
	const struct tr_calls *k = &tr->calls;

	for (size_t i = 0; i < k->nwaits && !f->n; i++) {
		const struct tr_wait *x = &k->waits[i];

		if (x->kind == KAPI_GET_STATE && x->obj == p->obj && x->returned &&
		    x->arg == p->arg && x->start && tr_before(tr, x->last, p->end) &&
		    !find_missed_sections(tr, p->obj, x->start, p->end, f))
			return false;
	}
	return true;
}

static bool find_missed(struct trace *tr, const struct tr_wait *x, struct trace_finding *f)
{
	if (!x->end)
		return true;
	if (x->kind == KAPI_POLL)
		return find_missed_by_poll(tr, x, f);
	if (!x->start)
		return true;
	if (x->kind == KAPI_BARRIER)
		return find_missed_callbacks(tr, x, f);
	return find_missed_sections(tr, x->obj, x->start, x->end, f);
}

/* Is there anything to compare? */
static bool anything_waits(const struct tr_calls *k)
{
	bool barrier = false;

	for (size_t i = 0; i < k->nwaits; i++) {
		if (k->waits[i].end && k->nsections)
			return true;
		barrier |= k->waits[i].kind == KAPI_BARRIER && k->waits[i].end;
	}
	return barrier;
}

bool trace_find(struct trace *tr, struct trace_finding *f)
{
	bool waits;

	tr->calls.nwaits = 0;
	if (!trace_index_tasks(tr))
		return false;
	if (tr->has_marks && !trace_calls(tr))
		return false;
	waits = tr->has_marks && anything_waits(&tr->calls);
	if (!waits && !tr->nfrees)
		return true;
	if (!hb_compute(tr, HB_TRACE) || (tr->nfrees && !find_use_after_free(tr, f)))
		return false;
	for (size_t i = 0; waits && i < tr->calls.nwaits && !f->n; i++)
		if (!find_missed(tr, &tr->calls.waits[i], f))
			return false;
	return true;
}
