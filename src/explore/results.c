/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an exploration that several processes share has found: a part of the report on
 * its way from one of them to the one that puts it together.  A part is counted as a
 * whole or, if its process dies before it is told, not at all.
 */
#include <config.h>

#include "explore/judge.h"
#include "explore/wire.h"

#include <stdlib.h>
#include <string.h>

/* What comes first, for those who only look. */
struct summary {
	uint64_t complete, blocked, violating, steps, cut, deepest, executions;
	uint64_t shortest;	/* of what is told of violations: the least run's steps ... */
	uint64_t hash;		/* ... and hash */
	bool violated, failed;
};

/* --- telling --- */

static void put_run(struct wire *to, const struct run *r)
{
	wire_put_number(to, r->is);
	wire_put_number(to, r->hash);
	wire_put_number(to, r->n);
	wire_put(to, &r->promises, sizeof(r->promises));
	if (r->n)
		wire_put(to, r->steps, r->n * sizeof(*r->steps));
}

static void put_violations(struct explore *x, struct wire *to)
{
	uint64_t n = 0;

	for (size_t i = 0; i < x->report.nviolations; i++)
		n += !x->judge->runs[i].told;
	wire_put_number(to, n);
	for (size_t i = 0; i < x->report.nviolations; i++) {
		const struct explore_violation *v = &x->report.violations[i];

		if (x->judge->runs[i].told)
			continue;
		wire_put_text(to, v->kind);
		wire_put_text(to, v->message);
		wire_put_text(to, v->thread);
		wire_put_text(to, v->other);
		wire_put_text(to, v->schedule);
		wire_put_text(to, v->place);
		wire_put_number(to, v->step);
		wire_put_number(to, v->execution);
		wire_put_number(to, v->seed);
		put_run(to, &x->judge->runs[i]);
		x->judge->runs[i].told = true;
	}
}

static struct summary summary_of(const struct explore *x)
{
	const struct explore_report *r = &x->report;
	struct summary s = { r->complete, r->blocked, r->violating, r->steps, r->cut, r->deepest,
			     x->executions, .failed = r->error };

	for (size_t i = 0; i < r->nviolations; i++) {
		const struct run *run = &x->judge->runs[i];

		if (run->told || (s.violated && !run_is_less(run->n, run->hash, s.shortest, s.hash)))
			continue;
		s.violated = true;
		s.shortest = run->n;
		s.hash = run->hash;
	}
	return s;
}

bool results_put(struct explore *x, struct wire *to)
{
	struct summary s = summary_of(x);

	wire_put(to, &s, sizeof(s));
	wire_put_text(to, x->report.error);
	wire_put_text(to, x->report.bound);
	wire_put_number(to, x->report.noutcomes);
	for (size_t i = 0; i < x->report.noutcomes; i++) {
		wire_put_text(to, x->report.outcomes[i].text);
		wire_put_number(to, x->report.outcomes[i].count);
	}
	put_violations(x, to);
	put_run(to, &x->judge->example);
	explore_forget(x);
	return !to->bad || explore_oom(x);
}

/* --- taking over --- */

static bool get_run(struct wire *from, struct run *r)
{
	const void *steps, *promises;

	*r = (struct run){ .is = wire_get_number(from) };
	r->hash = wire_get_number(from);
	r->n = wire_get_number(from);
	promises = wire_get(from, sizeof(r->promises));
	if (promises)
		memcpy(&r->promises, promises, sizeof(r->promises));
	steps = wire_get(from, r->n * sizeof(*r->steps));
	r->steps = steps ? malloc((r->n ? r->n : 1) * sizeof(*r->steps)) : NULL;
	if (r->steps && r->n)
		memcpy(r->steps, steps, r->n * sizeof(*r->steps));
	return r->steps;
}

static bool get_violation(struct explore *x, struct wire *from, bool keep)
{
	struct explore_violation v = { .kind = wire_get_text(from) };
	struct run r;
	size_t i;

	v.message = wire_get_text(from);
	v.thread = wire_get_text(from);
	v.other = wire_get_text(from);
	v.schedule = wire_get_text(from);
	v.place = wire_get_text(from);
	v.step = wire_get_number(from);
	v.execution = wire_get_number(from);
	v.seed = wire_get_number(from);
	if (!get_run(from, &r) || from->bad || !v.kind || !v.place) {
		violation_release(&v);
		free(r.steps);
		return explore_oom(x);
	}
	i = judge_find(&x->report, v.kind, v.place);
	if (keep && (i == x->report.nviolations ||
	    (x->shared && run_is_less(r.n, r.hash, x->judge->runs[i].n, x->judge->runs[i].hash))))
		return judge_take(x, i, &v, &r);
	violation_release(&v);
	free(r.steps);
	return true;
}

static bool get_outcomes(struct explore *x, struct wire *from)
{
	uint64_t n = wire_get_number(from);

	for (uint64_t i = 0; i < n && !from->bad; i++) {
		char *text = wire_get_text(from);
		bool ok = text && judge_tally(x, text, wire_get_number(from));

		free(text);
		if (!ok)
			return explore_oom(x);
	}
	return true;
}

static void count(struct explore *x, const struct summary *s)
{
	struct explore_report *r = &x->report;

	r->complete += s->complete;
	r->blocked += s->blocked;
	r->violating += s->violating;
	r->steps += s->steps;
	r->cut += s->cut;
	r->deepest = s->deepest > r->deepest ? s->deepest : r->deepest;
	x->executions += s->executions;
}

bool results_get(struct explore *x, struct wire *from, bool violations)
{
	const void *p = wire_get(from, sizeof(struct summary));
	char *error, *bound;
	struct summary s;
	struct run example;
	uint64_t n;

	if (!p)
		return explore_oom(x);
	memcpy(&s, p, sizeof(s));
	count(x, &s);
	error = wire_get_text(from);
	bound = wire_get_text(from);
	if (bound)
		explore_bound(x, "%s", bound);
	if (error)
		explore_fail(x, "%s", error);
	free(error);
	free(bound);
	if (!get_outcomes(x, from))
		return false;
	n = wire_get_number(from);
	for (uint64_t i = 0; i < n; i++)
		if (!get_violation(x, from, violations))
			return false;
	if (!get_run(from, &example))
		return explore_oom(x);
	if (example.is && !x->judge->example.is)
		x->judge->example = example;
	else
		free(example.steps);
	return !x->report.error;
}

static struct summary peek(const struct wire *from)
{
	struct summary s = { 0 };

	if (from->n - from->at >= sizeof(s))
		memcpy(&s, from->v + from->at, sizeof(s));
	return s;
}

bool results_end(const struct explore *x, const struct wire *from)
{
	struct summary s = peek(from);

	return s.failed || (s.violated && !x->opts.keep_going);
}

bool results_smaller(const struct wire *a, const struct wire *b)
{
	struct summary s = peek(a), t = peek(b);

	return s.violated && (!t.violated || run_is_less(s.shortest, s.hash, t.shortest, t.hash));
}

/* --- order --- */

static bool comes_before(const struct explore_violation *a, const struct explore_violation *b)
{
	int c = strcmp(a->kind, b->kind);

	return (c ? c : strcmp(a->place, b->place)) < 0;
}

void results_sort(struct explore *x)
{
	struct explore_violation *v = x->report.violations;
	struct run *r = x->judge->runs;

	for (size_t i = 1; i < x->report.nviolations; i++)
		for (size_t k = i; k && comes_before(&v[k], &v[k - 1]); k--) {
			struct explore_violation sv = v[k];
			struct run sr = r[k];

			v[k] = v[k - 1];
			v[k - 1] = sv;
			r[k] = r[k - 1];
			r[k - 1] = sr;
		}
}
