/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The driver that all strategies share: it begins executions, looks after bounds,
 * Ctrl-C and progress between them, and repeats a sequence of steps in a run that
 * keeps its log.  What an execution showed is judged in judge.c.
 */
#include <config.h>

#include "explore/judge.h"
#include "explore/promise.h"

#include "check/check.h"
#include "engine/internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PROGRESS_EVERY 0.25	/* seconds */

double explore_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

bool explore_fail(struct explore *x, const char *fmt, ...)
{
	const char *refused = explore_refused(x);
	va_list ap;

	if (x->report.error)
		return false;	/* the first one says what is wrong */
	va_start(ap, fmt);
	/* a hidden order shows itself by this or that: its own name says most */
	if (refused)
		x->report.error = strdup(refused);
	else if (vasprintf(&x->report.error, fmt, ap) < 0)
		x->report.error = strdup("out of memory");
	va_end(ap);
	if (!x->report.error) {
		/* without an error the report would look like a verdict */
		fprintf(stderr, "srcush: out of memory\n");
		exit(EXIT_FAILURE);
	}
	return false;
}

bool explore_oom(struct explore *x)
{
	return explore_fail(x, "out of memory");
}

void explore_bound(struct explore *x, const char *fmt, ...)
{
	char *text;
	va_list ap;

	if (x->report.bound)
		return;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	x->report.bound = text;
	if (!text)
		explore_oom(x);
}

struct world *explore_begin(struct explore *x)
{
	const char *why = NULL;
	struct world *w = x->src.begin(x->src.arg, x->lean, &why);

	if (!w) {
		const char *refused = explore_refused(x);

		explore_fail(x, "%s", refused ? refused : why ? why : "the scenario cannot be built");
		return NULL;
	}
	w->depends = NULL;
	check_set_lockdep(w, x->opts.lockdep_61 ? LOCKDEP_6_1 : LOCKDEP_6_12);
	if (!promise_begin(x->promising, w) || !world_prime(w)) {
		explore_fail(x, "%s", world_error(w));
		return NULL;
	}
	return w;
}

void explore_stepped(struct explore *x, struct world *w, struct task *t)
{
	if (x->src.stepped && !t->promise)
		x->src.stepped(x->src.arg, w, t);
}

enum exec_end explore_end_of(struct world *w)
{
	for (size_t i = 0; i < world_task_count(w); i++) {
		const struct task *t = world_task(w, i);

		if (t->state == TASK_READY && t->ev.op == OP_ASSUME)
			return EXEC_BLOCKED;
	}
	return EXEC_COMPLETE;
}

struct world *explore_begin_logged(struct explore *x)
{
	bool lean = x->lean;
	struct world *w;

	x->lean = false;
	w = explore_begin(x);
	x->lean = lean;
	return w;
}

bool explore_make(struct explore *x, struct world *w, const struct exec_step *steps, size_t n, size_t *at)
{
	for (size_t i = 0; i < n; i++) {
		struct task *t = task_by_id(w, steps[i].task);

		if (!t || world_step_again(w, t, steps[i].choice) != STEP_OK) {
			if (at)
				*at = i;
			return false;
		}
		explore_stepped(x, w, t);
	}
	return true;
}

struct world *explore_rerun(struct explore *x, const struct exec_step *steps, size_t n, size_t *at)
{
	struct world *w = explore_begin_logged(x);

	return w && explore_make(x, w, steps, n, at) ? w : NULL;
}

static void tell(struct explore *x, double seconds)
{
	struct explore_progress p = x->now;
	const struct explore_progress *o = &x->others;

	p.complete = x->report.complete + o->complete;
	p.blocked = x->report.blocked + o->blocked;
	p.deepest = x->report.deepest > o->deepest ? x->report.deepest : o->deepest;
	p.pending += o->pending;
	p.low = p.low < 0 || o->low < 0 ? -1 : p.low + o->low;
	p.high = p.low < 0 ? -1 : p.high + o->high;
	p.seconds = seconds;
	p.rate = seconds > 0 ? (double)(p.complete + p.blocked) / seconds : 0;
	x->progress(x->arg, &p);
}

bool explore_go_on(struct explore *x)
{
	const struct explore_opts *o = &x->opts;
	double seconds;

	if (x->report.error)
		return false;
	if (x->interrupted && x->interrupted(x->arg)) {
		explore_bound(x, "interrupted");
		return false;
	}
	if (o->max_executions && x->executions + (x->promising ? x->first : 0) >= o->max_executions) {
		explore_bound(x, "max_executions %" PRIu64, o->max_executions);
		return false;
	}
	if (!o->seconds && !x->progress)
		return true;
	seconds = explore_now() - x->started;
	if (o->seconds && seconds >= o->seconds) {
		explore_bound(x, "time %g", o->seconds);
		return false;
	}
	if (x->progress && seconds >= x->next_progress) {
		x->next_progress = seconds + PROGRESS_EVERY;
		tell(x, seconds);
	}
	return true;
}

static bool run_strategy(struct explore *x)
{
	switch (x->opts.strategy) {
	case EXPLORE_DPOR:
		return dpor_run(x);
	case EXPLORE_RANDOM:
	case EXPLORE_PCT:
		return random_run(x);
	case EXPLORE_NAIVE:
		return naive_run(x);
	}
	return explore_fail(x, "there is no strategy %d", (int)x->opts.strategy);
}

bool explore_run(struct explore *x)
{
	bool ok;

	x->report = (struct explore_report){ 0 };
	x->executions = x->seed = 0;
	x->now = (struct explore_progress){ .low = -1, .high = -1 };
	x->lean = true;
	x->others = (struct explore_progress){ 0 };
	x->first = 0;
	x->shared = x->unnumbered = false;
	x->next_progress = PROGRESS_EVERY;
	x->started = explore_now();
	if (!x->opts.max_steps)
		x->opts.max_steps = EXPLORE_MAX_STEPS_DEFAULT;
	x->judge = judge_new();
	if (!x->judge)
		return explore_oom(x);
	ok = (x->opts.promises ? promise_run(x, run_strategy) : run_strategy(x)) && judge_conclude(x);
	/* whatever cut them, nobody may take this for all there is */
	if (x->report.cut)
		explore_bound(x, "max_steps %" PRIu64, x->opts.max_steps);
	if (ok && !x->executions && !x->report.bound && !x->src.allows)
		explore_fail(x, "the exploration came to its end without a single execution");
	if (explore_refused(x))		/* by a run that judge_conclude() repeated */
		explore_fail(x, "%s", explore_refused(x));
	promise_release(x);
	judge_free(x->judge);
	x->judge = NULL;
	x->report.seconds = explore_now() - x->started;
	return ok && !x->report.error;
}

void explore_forget(struct explore *x)
{
	struct explore_report *r = &x->report;

	r->complete = r->blocked = r->violating = r->cut = r->steps = r->deepest = 0;
	x->executions = 0;
	for (size_t i = 0; i < r->noutcomes; i++)
		free(r->outcomes[i].text);
	r->noutcomes = 0;
	judge_forget(x->judge);
	promise_forget(x->promising);
}

void violation_release(struct explore_violation *v)
{
	free(v->kind);
	free(v->message);
	free(v->thread);
	free(v->other);
	free(v->schedule);
	free(v->place);
}

void explore_release(struct explore *x)
{
	struct explore_report *r = &x->report;

	for (size_t i = 0; i < r->nviolations; i++)
		violation_release(&r->violations[i]);
	free(r->violations);
	for (size_t i = 0; i < r->noutcomes; i++)
		free(r->outcomes[i].text);
	free(r->outcomes);
	free((char *)r->bound);
	free(r->error);
	free(r->example);
	free(r->shown);
	*r = (struct explore_report){ 0 };
}
