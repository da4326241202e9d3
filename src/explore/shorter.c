/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ways to a shorter run that shows the same violation: other orders of the same
 * steps, whole stretches of one task put together, parts left out, and a search from
 * the start by the number of context switches.  minimise.c runs what they propose.
 */
#include <config.h>

#include <stdlib.h>

#include "engine/internal.h"
#include "explore/minimise.h"

#define SWITCHES_SEARCHED 3	/* so many, at most, in the search from the start */
#define SEARCHED_MAX 4096	/* a longer run is not searched for */

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
void min_reorder(struct min *m)
{
	struct order_opts o = { .slice = true };

	if (!m->best.n || !look(m))
		return;
	o.wanted[0] = m->best.v[m->best.n - 1].task;
	for (int way = 0; way < 4 && min_may_go_on(m); way++) {
		o.slice = way < 2;
		o.ghosts = way & 1;
		if (!order_fewest(m->touch, m->best.n, &o, &m->cand)) {
			m->failed = true;
			return;
		}
		if (m->cand.n && min_attempt(m, &m->cand) && !look(m))
			return;
		o.wanted[0] = m->best.v[m->best.n - 1].task;
	}
}

/* --- coarsely: each task's steps of a part of the run in one stretch --- */

/* Adds the steps of s[from..to) task by task, in the order in which they first come, or
 * last. */
static bool add_grouped(const struct stretches *s, size_t from, size_t to, bool by_last,
			struct stretches *out)
{
	for (size_t i = from; i < to; i++) {
		uint64_t len = 0;
		bool elsewhere = false;

		for (size_t k = by_last ? i + 1 : from; k < (by_last ? to : i) && !elsewhere; k++)
			elsewhere = s->v[k].task == s->v[i].task;
		if (elsewhere)
			continue;
		for (size_t k = from; k < to; k++)
			if (s->v[k].task == s->v[i].task)
				len += s->v[k].len;
		if (!stretches_add(out, s->v[i].task, (uint32_t)len))
			return false;
	}
	return true;
}

static bool group(struct min *m, const struct stretches *s, size_t from, size_t to, bool by_last)
{
	m->cand.n = 0;
	for (size_t i = 0; i < from; i++)
		if (!stretches_add(&m->cand, s->v[i].task, s->v[i].len))
			return false;
	if (!add_grouped(s, from, to, by_last, &m->cand))
		return false;
	for (size_t i = to; i < s->n; i++)
		if (!stretches_add(&m->cand, s->v[i].task, s->v[i].len))
			return false;
	return min_attempt(m, &m->cand);
}

/* All of it, then its halves, quarters ... */
void min_coarsen(struct min *m)
{
	struct stretches s = { 0 };
	uint64_t spare = m->left / 2;	/* for what follows */
	bool ok = min_stretches(&m->best, &s);

	m->left -= spare;
	for (size_t size = s.n; ok && size >= 3; size /= 2)
		for (size_t at = 0; ok && at + 2 < s.n && min_may_go_on(m); at += size) {
			size_t to = at + size < s.n ? at + size : s.n;

			if (group(m, &s, at, to, false) || group(m, &s, at, to, true))
				ok = min_stretches(&m->best, &s);
		}
	m->left += spare;
	free(s.v);
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
	return min_attempt(m, &m->cand);
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
	return min_attempt(m, &m->cand);
}

/* Stretch i shorter by `less` steps; by all of them: without it. */
static bool shorten(struct min *m, const struct stretches *s, size_t i, uint32_t less)
{
	bool all = less >= s->v[i].len;

	if (!copy_without(s, i, i + all, &m->cand))
		return false;
	if (!all)
		m->cand.v[i].len -= less;
	return min_attempt(m, &m->cand);
}

/* Tries what can be done to stretch i, from the end of the run on. */
static bool improve_stretch(struct min *m, const struct stretches *s, size_t i)
{
	if (merge(m, s, i, false) || merge(m, s, i, true))
		return true;
	for (uint32_t less = s->v[i].len; less && min_may_go_on(m); less /= 2)
		if (shorten(m, s, i, less))
			return true;
	return false;
}

/* Goes through the stretches once, from the last one on.  False: nothing was found. */
static bool improve(struct min *m, struct stretches *s)
{
	bool any = false;

	if (!min_stretches(&m->best, s))
		return false;
	for (size_t i = s->n; i-- > 0 && min_may_go_on(m);)
		while (min_may_go_on(m) && i < s->n && improve_stretch(m, s, i)) {
			any = true;
			if (!min_stretches(&m->best, s))
				return false;
		}
	return any;
}

void min_shrink(struct min *m)
{
	struct stretches s = { 0 };

	/* whole tasks first: most of a long run is about something else */
	for (size_t i = m->ntasks; i-- > 0 && min_may_go_on(m);) {
		uint32_t task = i < m->ntasks ? m->tasks[i] : 0;

		if (task && min_stretches(&m->best, &s))
			drop_task(m, &s, task);
	}
	while (min_may_go_on(m) && improve(m, &s))
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

	for (size_t t = 0; t < m->ntasks && !found && min_may_go_on(m); t++) {
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
	if (min_attempt(m, s))
		return true;
	while (len < m->run.n && m->run.v[m->run.n - 1 - len].task == s->v[nth].task)
		len++;
	before = m->run.n - len;
	if (nth >= switches || !len || !min_may_go_on(m) || !look_at_run(m, &touch))
		return false;
	for (size_t k = len; k && !found && min_may_go_on(m); k--) {
		if (k < len && touch_is_local(m->touch, m->best.n, &touch[before + k]))
			continue;
		s->v[nth].len = (uint32_t)k;
		found = dive_on(m, s, switches);
	}
	free(touch);
	return found;
}

/* Runs with 0, 1, 2 ... switches, as long as that is fewer than the best has. */
bool min_search(struct min *m)
{
	uint64_t spare = m->left / 3;	/* for what follows */
	struct stretches s = { 0 };
	bool found = false;

	if (m->best.n > SEARCHED_MAX)
		return false;
	m->left -= spare;
	for (size_t k = 0; k <= SWITCHES_SEARCHED && k < m->switches && !found && look(m); k++)
		for (size_t t = 0; t < m->ntasks && !found && min_may_go_on(m); t++) {
			s.n = 0;
			if (!stretches_add(&s, m->tasks[t], STRETCH_END)) {
				m->failed = true;
				break;
			}
			found = dive(m, &s, k);
		}
	m->left += spare;
	free(s.v);
	return found;
}
