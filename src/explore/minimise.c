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
#include "check/trace.h"
#include "engine/internal.h"
#include "explore/judge.h"
#include "explore/minimise.h"

/* What may be spent, in steps so that the result is the same on every machine.  To
 * begin a run costs as much as some steps. */
#define STEPS_MIN 300000
#define STEPS_PER_STEP 20	/* for each step of the run that was found */
#define RUN_COST 100
#define SWITCHES_SEARCHED 3	/* so many, at most, in the search from the start */
#define SEARCHED_MAX 4096	/* a longer run is not searched for */

struct trail { struct exec_step *v; size_t n, cap; };

struct min {
	struct explore *x;
	const char *kind, *place;
	bool alone;		/* no other violation comes before it */
	struct trail best, run;	/* the best run that shows it; the one that was made last */
	struct world *w;	/* that one's world */
	size_t switches;	/* of best */
	uint64_t left;		/* steps that may still be made */
	uint32_t *tasks;	/* who moves in best, in order of identity */
	size_t ntasks;
	struct touch *touch;	/* of best's steps */
	struct stretches cand;	/* the candidate */
	bool failed;		/* no memory, or an execution could not begin: go on no more */
};

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

static bool anybody_enabled(struct world *w)
{
	for (size_t i = 0; i < world_task_count(w); i++)
		if (task_enabled(world_task(w, i)))
			return true;
	return false;
}

/* What only the end of a run shows: who waits for whom, leaks, races ... */
static bool end_shows(struct min *m, struct world *w)
{
	struct trace_finding f;

	if (world_violation_count(w) && m->alone)
		return false;
	check_stuck(w);
	if (shows(m, w))
		return true;
	if (explore_judge(m->x, w, anybody_enabled(w) ? EXEC_CUT : explore_end_of(w), &f))
		trace_finding_release(&f);
	return shows(m, w);
}

static struct world *begin_run(struct min *m)
{
	bool lean = m->x->lean;

	m->run.n = 0;
	m->x->lean = false;
	m->w = explore_begin(m->x);
	m->x->lean = lean;
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

static bool may_go_on(const struct min *m)
{
	return !m->failed && m->left &&
	       !(m->x->interrupted && m->x->interrupted(m->x->arg));
}

/* Runs the candidate, and keeps it if it is better. */
static bool attempt(struct min *m, const struct stretches *s)
{
	return may_go_on(m) && run_shows(m, s) && keep_run(m, false);
}

/* The best run as stretches. */
static bool to_stretches(const struct trail *t, struct stretches *out)
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

/* --- in another order --- */

static void fill_touch(struct world *w, uint64_t n, struct touch *t)
{
	const struct record *r = log_record(w, n);
	const struct task *task = world_task(w, r->task);
	enum ev_op op = site_by_id(r->site)->op;

	t->task = task_id(task);
	t->maker = task->obj->creator;
	t->cpu = r->cpu_lo | (uint32_t)(r->flags >> REC_CPU_SHIFT) << 8;
	t->writes = op_writes(op);
	t->loc = r->loc == LOC_NONE ? TOUCH_NONE : r->loc / 8;
	if (op == OP_FREE || op == OP_COND || op == OP_ADVANCE)
		t->loc = TOUCH_ALL;
	t->cpu_wide = op == OP_CPU_CTX || op == OP_MIGRATE || op == OP_IRQ;
	t->ghost = false;
}

/* An API call begins after one step of its task and before the next one. */
static void mark_ghosts(struct world *w, struct touch *touch, size_t n)
{
	for (size_t i = 0; i < log_mark_count(w); i++) {
		const struct mark *k = log_mark(w, i);
		uint32_t task = task_id(world_task(w, k->task));
		size_t at = k->step;

		for (size_t b = at; b-- > 0;)
			if (touch[b].task == task) {
				touch[b].ghost = true;
				break;
			}
		for (size_t a = at; a < n; a++)
			if (touch[a].task == task) {
				touch[a].ghost = true;
				break;
			}
	}
}

/* What the steps of the best run touched; false: it cannot be told. */
static bool look(struct min *m)
{
	struct world *w = explore_rerun(m->x, m->best.v, m->best.n, NULL);
	size_t cap = 0;

	free(m->touch);
	m->touch = NULL;
	if (!w || world_steps(w) != m->best.n ||
	    !grow(&m->touch, &cap, m->best.n + 1, sizeof(*m->touch)))
		return false;
	for (size_t i = 0; i < m->best.n; i++)
		fill_touch(w, i + 1, &m->touch[i]);
	mark_ghosts(w, m->touch, m->best.n);
	return true;
}

/* The best run's steps in an order with fewer switches; without those that the last
 * ones do not depend on, if that will do. */
static void reorder(struct min *m)
{
	struct order_opts o = { .slice = true };

	if (!m->best.n || !look(m))
		return;
	o.wanted[0] = m->best.v[m->best.n - 1].task;
	for (int way = 0; way < 4 && may_go_on(m); way++) {
		o.slice = way < 2;
		o.ghosts = way & 1;
		if (!order_fewest(m->touch, m->best.n, &o, &m->cand)) {
			m->failed = true;
			return;
		}
		if (m->cand.n && attempt(m, &m->cand) && !look(m))
			return;
		o.wanted[0] = m->best.v[m->best.n - 1].task;
	}
}

/* --- parts left out, stretches put together --- */

static bool copy_without(const struct stretches *s, size_t out, size_t upto, struct stretches *to)
{
	to->n = 0;
	for (size_t i = 0; i < s->n; i++) {
		if (i >= out && i < upto)
			continue;
		if (!stretches_add(to, s->v[i].task, s->v[i].len))
			return false;
	}
	return true;
}

/* Without task `task` altogether. */
static bool drop_task(struct min *m, const struct stretches *s, uint32_t task)
{
	m->cand.n = 0;
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].task != task && !stretches_add(&m->cand, s->v[i].task, s->v[i].len))
			return false;
	return attempt(m, &m->cand);
}

/* Stretch i moved to where the same task moves next, or moved last. */
static bool merge(struct min *m, const struct stretches *s, size_t i, bool forward)
{
	size_t k = i;
	struct stretch moved = s->v[i];

	do {
		if (forward ? ++k >= s->n : k-- == 0)
			return false;
	} while (s->v[k].task != moved.task);
	if (!copy_without(s, i, i + 1, &m->cand))
		return false;
	m->cand.v[forward ? k - 1 : k].len += moved.len;
	return attempt(m, &m->cand);
}

/* Stretch i shorter by `less` steps; by all of them: without it. */
static bool shorten(struct min *m, const struct stretches *s, size_t i, uint32_t less)
{
	bool all = less >= s->v[i].len;

	if (!copy_without(s, i, i + all, &m->cand))
		return false;
	if (!all)
		m->cand.v[i].len -= less;
	return attempt(m, &m->cand);
}

/* Tries what can be done to stretch i, from the end of the run on. */
static bool improve_stretch(struct min *m, const struct stretches *s, size_t i)
{
	if (merge(m, s, i, false) || merge(m, s, i, true))
		return true;
	for (uint32_t less = s->v[i].len; less && may_go_on(m); less /= 2)
		if (shorten(m, s, i, less))
			return true;
	return false;
}

/* Goes through the stretches once, from the last one on.  False: nothing was found. */
static bool improve(struct min *m, struct stretches *s)
{
	bool any = false;

	if (!to_stretches(&m->best, s))
		return false;
	for (size_t i = s->n; i-- > 0 && may_go_on(m);)
		while (may_go_on(m) && i < s->n && improve_stretch(m, s, i)) {
			any = true;
			if (!to_stretches(&m->best, s))
				return false;
		}
	return any;
}

static void shrink(struct min *m)
{
	struct stretches s = { 0 };

	/* whole tasks first: most of a long run is about something else */
	for (size_t i = m->ntasks; i-- > 0 && may_go_on(m);) {
		uint32_t task = i < m->ntasks ? m->tasks[i] : 0;

		if (task && to_stretches(&m->best, &s))
			drop_task(m, &s, task);
	}
	while (may_go_on(m) && improve(m, &s))
		;
	free(s.v);
}

/* --- from the start --- */

/* What the last run's steps touched, from its log. */
static bool look_at_run(struct min *m, struct touch **touch)
{
	size_t cap = 0;

	*touch = NULL;
	if (!m->w || world_steps(m->w) != m->run.n ||
	    !grow(touch, &cap, m->run.n + 1, sizeof(**touch)))
		return false;
	for (size_t i = 0; i < m->run.n; i++)
		fill_touch(m->w, i + 1, *touch + i);
	return true;
}

static bool dive(struct min *m, struct stretches *s, size_t switches);

/* Continues with each other task after what `s` has. */
static bool dive_on(struct min *m, struct stretches *s, size_t switches)
{
	size_t n = s->n;
	bool found = false;

	for (size_t t = 0; t < m->ntasks && !found && may_go_on(m); t++) {
		if (m->tasks[t] == s->v[n - 1].task)
			continue;
		if (!stretches_add(s, m->tasks[t], STRETCH_END)) {
			m->failed = true;
			break;
		}
		found = dive(m, s, switches);
		s->n = n;
	}
	return found;
}

/*
 * Runs the stretches of `s`, the last one to its end, and then with one switch more
 * at each of its steps, up to `switches` in all.  Where the task's next step
 * concerns nobody else, a switch is as good behind it.
 */
static bool dive(struct min *m, struct stretches *s, size_t switches)
{
	struct touch *touch;
	size_t nth = s->n - 1, len = 0, before;
	bool found = false;

	s->v[nth].len = STRETCH_END;
	if (attempt(m, s))
		return true;
	while (len < m->run.n && m->run.v[m->run.n - 1 - len].task == s->v[nth].task)
		len++;
	before = m->run.n - len;
	if (nth >= switches || !len || !may_go_on(m) || !look_at_run(m, &touch))
		return false;
	for (size_t k = len; k && !found && may_go_on(m); k--) {
		if (k < len && touch_is_local(m->touch, m->best.n, &touch[before + k]))
			continue;
		s->v[nth].len = (uint32_t)k;
		found = dive_on(m, s, switches);
	}
	free(touch);
	return found;
}

/* Runs with 0, 1, 2 ... switches, as long as that is fewer than the best has. */
static void search(struct min *m)
{
	uint64_t spare = m->left / 3;	/* for what follows */
	struct stretches s = { 0 };
	bool found = false;

	m->left -= spare;
	for (size_t k = 0; k <= SWITCHES_SEARCHED && k < m->switches && !found && look(m); k++)
		for (size_t t = 0; t < m->ntasks && !found && may_go_on(m); t++) {
			s.n = 0;
			if (!stretches_add(&s, m->tasks[t], STRETCH_END)) {
				m->failed = true;
				break;
			}
			found = dive(m, &s, k);
		}
	m->left += spare;
	free(s.v);
}

/* --- all of it --- */

/* The run as it was found: as much of it as it takes to show the violation. */
static bool repeat_found(struct min *m, const struct exec_step *steps, size_t n)
{
	struct world *w = begin_run(m);
	bool found;

	if (!w)
		return false;
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

/* The best run once more: what it shows is what is reported. */
static void write_back(struct min *m, struct explore_violation *v)
{
	const struct violation *found;
	struct stretches s = { 0 };
	char *message, *schedule;

	m->left = UINT64_MAX;
	if (to_stretches(&m->best, &s) && run_shows(m, &s)) {
		found = explore_find(m->w, m->kind, m->place);
		message = strdup(found->message ? found->message : "");
		schedule = world_schedule(m->w);
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
	free(s.v);
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

	if (n && !takes_long(v) && repeat_found(&m, steps, n)) {
		reorder(&m);
		shrink(&m);
		if (may_go_on(&m) && m.best.n <= SEARCHED_MAX) {
			search(&m);
			shrink(&m);
		}
		write_back(&m, v);
	}
	free(m.best.v);
	free(m.run.v);
	free(m.tasks);
	free(m.touch);
	free(m.cand.v);
}
