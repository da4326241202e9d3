/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shortest way to a violation: fewest context switches first, then fewest
 * steps.  Every candidate is run, and counts only if it shows the same violation at
 * the same place; where one comes from (the run's own order of dependence, parts
 * left out, a search from the start) does not matter for what is reported.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "check/check.h"
#include "engine/internal.h"
#include "engine/log.h"
#include "explore/minimise.h"
#include "memory/execution.h"
#include "memory/model.h"

/* What may be spent, in steps so that the result is the same on every machine.  To
 * begin a run costs as much as some steps. */
#define STEPS_MIN 300000
#define STEPS_PER_STEP 20	/* for each step of the run that was found */
#define RUN_COST 100

static size_t count_switches(const struct trail *t)
{
	size_t n = 0;

	for (size_t i = 1; i < t->n; i++)
		n += t->v[i].task != t->v[i - 1].task;
	return n;
}

/* --- running a candidate --- */

/* Is what is looked for among the violations?  A run in which another one comes
 * first would be reported as that. */
static bool shows(const struct min *m, struct world *w)
{
	const struct violation *v = explore_find(w, m->kind, m->place);

	return v && (!m->alone || v == world_violation(w, 0));
}

/* What only the end of a run shows: who waits for whom, leaks, races ... */
static bool end_shows(struct min *m, struct world *w)
{
	if (world_violation_count(w) && m->alone)
		return false;
	check_stuck(w);
	if (shows(m, w))
		return true;
	explore_judge(m->x, w);
	return shows(m, w);
}

static struct world *begin_run(struct min *m)
{
	m->run.n = 0;
	m->w = explore_begin_logged(m->x);
	if (!m->w)
		m->failed = true;
	return m->w;
}

/* A step of t, which is noted. */
static enum step_result make_step(struct min *m, struct world *w, struct task *t, uint32_t choice)
{
	struct exec_step s = { task_id(t), 0 };
	enum step_result r;

	if (t->state == TASK_READY && t->ev.op == OP_CHOOSE)
		s.choice = choice && choice <= t->ev.a ? choice : 1;
	else if (world_model(w)->consistent)
		s.choice = choice;
	if (!grow(&m->run.v, &m->run.cap, m->run.n + 1, sizeof(s)))
		return STEP_ERROR;
	r = world_step_again(w, t, s.choice);
	if (r != STEP_OK)
		return r;
	m->run.v[m->run.n++] = s;
	explore_stepped(m->x, w, t);
	return r;
}

/* What t's next choose() gave in the best run; *chosen: where to look on. */
static uint32_t next_choice(const struct min *m, uint32_t task, size_t *chosen)
{
	while (*chosen < m->best.n) {
		const struct exec_step *s = &m->best.v[(*chosen)++];

		if (s->task == task && s->choice)
			return s->choice;
	}
	return 1;
}

/* Runs one stretch, or as much of it as there is.  True: the violation is there. */
static bool run_stretch(struct min *m, struct world *w, const struct stretch *s, size_t *chosen)
{
	for (uint32_t i = 0; i < s->len && m->left; i++) {
		struct task *t = task_by_id(w, s->task);
		enum step_result r = STEP_OVER;

		if (t)
			r = make_step(m, w, t, t->ev.op == OP_CHOOSE && t->state == TASK_READY ?
				      next_choice(m, s->task, chosen) : 0);
		if (r == STEP_ERROR)
			m->failed = true;
		if (r != STEP_OK)
			return false;
		m->left--;
		if (world_violation_count(w) && (shows(m, w) || m->alone))
			return shows(m, w);
	}
	return false;
}

static size_t *task_choices(struct min *m, size_t *chosen, uint32_t task)
{
	size_t i = 0;

	while (i < m->ntasks && m->tasks[i] != task)
		i++;
	return &chosen[i];
}

/* Runs the candidate; what was really done is in m->run.  Does it show it? */
static bool run_shows(struct min *m, const struct stretches *s)
{
	size_t *chosen = calloc(m->ntasks + 1, sizeof(*chosen));
	struct world *w = chosen ? begin_run(m) : NULL;
	bool found = false;

	m->left -= m->left < RUN_COST ? m->left : RUN_COST;
	if (!w) {
		m->failed = true;
		free(chosen);
		return false;
	}
	world_batch_begin(w);
	found = shows(m, w);
	for (size_t i = 0; i < s->n && !found && !m->failed; i++) {
		if (world_violation_count(w) && m->alone)
			break;
		found = run_stretch(m, w, &s->v[i], task_choices(m, chosen, s->v[i].task));
	}
	if (!found && !m->failed && m->left)
		found = end_shows(m, w);
	world_batch_end(w);
	free(chosen);
	return found;
}

/* --- the best one --- */

static int compare_tasks(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static bool list_tasks(struct min *m)
{
	size_t cap = 0, kept = 0;

	free(m->tasks);
	m->tasks = NULL;
	if (!grow(&m->tasks, &cap, m->best.n + 1, sizeof(*m->tasks)))
		return false;
	for (size_t i = 0; i < m->best.n; i++)
		m->tasks[i] = m->best.v[i].task;
	qsort(m->tasks, m->best.n, sizeof(*m->tasks), compare_tasks);
	for (size_t i = 0; i < m->best.n; i++)
		if (!kept || m->tasks[kept - 1] != m->tasks[i])
			m->tasks[kept++] = m->tasks[i];
	m->ntasks = kept;
	return true;
}

/* The run that was made is better, or there is none yet: it is kept. */
static bool keep_run(struct min *m, bool first)
{
	size_t switches = count_switches(&m->run);
	struct trail t = m->best;

	if (!first && (switches > m->switches ||
		       (switches == m->switches && m->run.n >= m->best.n)))
		return false;
	m->best = m->run;
	m->run = t;
	m->switches = switches;
	if (!list_tasks(m))
		m->failed = true;
	return true;
}

bool min_may_go_on(const struct min *m)
{
	return !m->failed && m->left &&
	       !(m->x->interrupted && m->x->interrupted(m->x->arg));
}

/* Runs the candidate, and keeps it if it is better. */
bool min_attempt(struct min *m, const struct stretches *s)
{
	return min_may_go_on(m) && run_shows(m, s) && keep_run(m, false);
}

/* The best run as stretches. */
bool min_stretches(const struct trail *t, struct stretches *out)
{
	out->n = 0;
	for (size_t i = 0; i < t->n; i++) {
		if (out->n && out->v[out->n - 1].task == t->v[i].task)
			out->v[out->n - 1].len++;
		else if (!stretches_add(out, t->v[i].task, 1))
			return false;
	}
	return true;
}

/* --- all of it --- */

/* The run as it was found: as much of it as it takes to show the violation. */
static bool repeat_found(struct min *m, const struct exec_step *steps, size_t n)
{
	struct world *w = begin_run(m);
	bool found;

	if (!w)
		return false;
	m->alone = false;
	world_batch_begin(w);
	found = shows(m, w);
	for (size_t i = 0; i < n && !found; i++) {
		struct task *t = task_by_id(w, steps[i].task);

		if (!t || make_step(m, w, t, steps[i].choice) != STEP_OK)
			break;
		found = shows(m, w);
	}
	m->alone = found ? explore_find(w, m->kind, m->place) == world_violation(w, 0) :
		!world_violation_count(w);
	found = found || end_shows(m, w);
	world_batch_end(w);
	return found && keep_run(m, true);
}

/* What the last run shows is what is reported. */
static void report_run(struct min *m, struct explore_violation *v)
{
	const struct violation *found = explore_find(m->w, m->kind, m->place);
	char *message = strdup(found->message ? found->message : "");
	char *schedule = world_schedule(m->w);

	if (message && schedule) {
		free(v->message);
		free(v->schedule);
		v->message = message;
		v->schedule = schedule;
		v->step = found->step;
	} else {
		free(message);
		free(schedule);
	}
}

/* The best run once more. */
static void write_back(struct min *m, struct explore_violation *v)
{
	struct stretches s = { 0 };

	m->left = UINT64_MAX;
	if (min_stretches(&m->best, &s) && run_shows(m, &s))
		report_run(m, v);
	free(s.v);
}

/* Did the memory model make choices in it? */
static bool has_choices(struct world *w)
{
	for (uint64_t i = 1; i <= world_steps(w); i++) {
		const struct log_access *a = log_access(w, i);

		if (a && a->choice > 1)
			return true;
	}
	return false;
}

/* What was promised has to be kept, and somebody else sees to that (promise.c). */
static bool has_promises(struct world *w)
{
	for (size_t i = 0; i < world_task_count(w); i++)
		if (world_task(w, i)->promise)
			return true;
	return false;
}

/* With choices of the memory model another order of the steps is another execution, unless
 * the choices are made anew: that is done once. */
static void put_in_order(struct min *m, struct explore_violation *v)
{
	struct trail t = { 0 };

	if (natural_order(m->w, &t) && repeat_found(m, t.v, t.n) && execution_allows(m->w, NULL, 0, NULL, 0)) {
		report_run(m, v);
		/* what comes behind it may be needed to show it, and mostly is not */
		if (v->step && v->step < t.n && repeat_found(m, t.v, v->step))
			report_run(m, v);
	}
	free(t.v);
}

/* Is it a body that never comes to its next step?  Each run takes the watchdog's time,
 * whatever the steps before. */
static bool takes_long(const struct explore_violation *v)
{
	return !strcmp(v->kind, "error") && strstr(v->message, "without a step");
}

void explore_minimise(struct explore *x, struct explore_violation *v,
		      const struct exec_step *steps, size_t n)
{
	struct min m = {
		.x = x, .kind = v->kind, .place = v->place,
		.left = STEPS_MIN + (uint64_t)n * STEPS_PER_STEP,
	};

	if (!n || takes_long(v) || !repeat_found(&m, steps, n) || has_promises(m.w)) {
		/* it stays as it was found */
	} else if (has_choices(m.w)) {
		put_in_order(&m, v);
	} else {
		min_coarsen(&m);
		min_reorder(&m);
		min_shrink(&m);
		if (min_search(&m))
			min_shrink(&m);
		write_back(&m, v);
	}
	free(m.best.v);
	free(m.run.v);
	free(m.tasks);
	free(m.touch);
	free(m.cand.v);
}
