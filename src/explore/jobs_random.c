/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sampling by several processes: execution i has the same seed whoever makes it, they are
 * handed out in portions, and what comes of the portions is put together in their order.  So
 * the report is the one of a single process, to the last execution: what was made behind
 * the one that ended it is not counted.
 */
#include <config.h>

#include "explore/jobs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PORTION_FIRST 8	/* executions; then as many as can be made in about PORTION_SECONDS */
#define PORTION_MAX 4096
#define PORTION_SECONDS 0.02

struct portion {
	struct samples what;
	int worker;		/* who makes it; -1: nobody */
	bool done;
	struct wire result;
};

struct sampling {
	struct jobs j;
	struct explore *x;
	struct samples next;	/* what nobody has been given yet */
	struct portion *v;	/* given away and not yet counted, in order */
	size_t n, cap;
	bool last;		/* one of them ends it: no more are given away */
	bool over;
	bool (*make)(void *arg, struct samples what);
	void *arg;
};

static bool oom(struct sampling *s)
{
	s->over = true;
	return explore_oom(s->x);
}

/* --- a worker --- */

static void work(struct jobs *j, struct wire *packet)
{
	struct sampling *s = j->arg;
	const void *p = wire_get(packet, sizeof(struct samples));
	struct samples what;
	struct wire m = { 0 };

	if (!p)
		_exit(EXIT_FAILURE);
	memcpy(&what, p, sizeof(what));
	s->x->first = what.first;
	s->make(s->arg, what);
	jobs_show(j, 0);
	if (!results_put(j->x, &m))
		_exit(EXIT_FAILURE);
	jobs_tell(j, &m);
	wire_release(&m);
}

/* --- the coordinator --- */

static uint64_t portion_size(const struct sampling *s)
{
	double rate = s->x->now.rate > 0 ? s->x->now.rate / s->j.alive : 0;
	double size = rate * PORTION_SECONDS;
	uint64_t max = s->x->opts.max_executions;
	uint64_t n = size < PORTION_FIRST ? PORTION_FIRST : size > PORTION_MAX ? PORTION_MAX : (uint64_t)size;

	if (max && max - s->next.first < n)
		n = max - s->next.first;
	return n;
}

/* One that somebody died of, or a further one; NULL: there is none. */
static struct portion *next_portion(struct sampling *s)
{
	struct portion *b;

	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].worker < 0 && !s->v[i].done)
			return &s->v[i];
	if (s->last || !portion_size(s))
		return NULL;
	if (!grow(&s->v, &s->cap, s->n + 1, sizeof(*s->v))) {
		oom(s);
		return NULL;
	}
	b = &s->v[s->n++];
	*b = (struct portion){ .what = s->next, .worker = -1 };
	b->what.count = portion_size(s);
	for (uint64_t i = 0; i < b->what.count; i++)
		s->next.seed = world_random(&s->next.rng);
	s->next.first += b->what.count;
	return b;
}

static void hand_out(struct sampling *s)
{
	for (unsigned i = 0; i < s->j.n; i++) {
		struct wire packet = { 0 };
		struct portion *b;

		if (!s->j.w[i].pid || s->j.w[i].busy)
			continue;
		b = next_portion(s);
		if (!b)
			return;
		wire_put(&packet, &b->what, sizeof(b->what));
		b->worker = (int)i;
		jobs_give(&s->j, i, &packet);
		wire_release(&packet);
	}
}

/* Counts all that are done, in order. */
static void count(struct sampling *s)
{
	size_t n = 0;

	while (!s->over && n < s->n && s->v[n].done) {
		struct portion *b = &s->v[n++];
		bool end = results_end(s->x, &b->result);

		s->over |= !results_get(s->x, &b->result, true) || end;
		wire_release(&b->result);
	}
	memmove(s->v, s->v + n, (s->n - n) * sizeof(*s->v));
	s->n -= n;
}

static void take(struct sampling *s, unsigned worker, struct wire *m)
{
	s->j.w[worker].busy = false;
	for (size_t i = 0; i < s->n; i++) {
		struct portion *b = &s->v[i];

		if (b->worker != (int)worker || b->done)
			continue;
		b->worker = -1;
		if (!m)
			return;	/* who made it has died: another will */
		b->done = true;
		wire_put(&b->result, m->v, m->n);
		if (b->result.bad)
			oom(s);
		s->last |= results_end(s->x, m);
	}
}

/* How fast are they? */
static void measure(struct sampling *s, double begun, uint64_t executions)
{
	double t = explore_now() - begun;

	if (t > PORTION_SECONDS)
		s->x->now.rate = (double)(s->x->executions - executions) / t;
}

static void coordinate(struct sampling *s)
{
	double begun = explore_now();
	uint64_t executions = s->x->executions, max = s->x->opts.max_executions;
	struct wire m = { 0 };

	while (!s->over && s->j.alive) {
		int i;

		hand_out(s);
		if (!jobs_any_busy(&s->j))
			break;
		s->x->now.low = s->x->now.high = max ? (double)(max - s->x->executions) : -1;
		if (!jobs_go_on(&s->j))
			break;
		wire_clear(&m);
		i = jobs_wait(&s->j, 20, &m);
		if (i < 0)
			continue;
		if (!m.n)
			jobs_died();
		take(s, (unsigned)i, m.n ? &m : NULL);
		count(s);
		measure(s, begun, executions);
	}
	wire_release(&m);
}

/* All have died: what they had been given is done here. */
static void make_alone(struct sampling *s)
{
	for (size_t i = 0; i < s->n && !s->over && jobs_go_on(&s->j); i++) {
		struct portion *b = &s->v[i];

		if (b->done)
			s->over |= !results_get(s->x, &b->result, true) ||
				   (s->x->report.nviolations && !s->x->opts.keep_going);
		else
			s->over |= !s->make(s->arg, b->what);
	}
}

bool jobs_sample(struct explore *x, struct samples *next,
		 bool (*make)(void *arg, struct samples what), void *arg)
{
	struct sampling s = { .j = { .x = x, .work = work }, .x = x, .next = *next, .make = make,
			      .arg = arg };

	s.j.arg = &s;
	if (jobs_start(&s.j)) {
		coordinate(&s);
		if (!s.j.alive)
			make_alone(&s);
		jobs_end(&s.j);
	}
	x->opts.jobs = 1;
	for (size_t i = 0; i < s.n; i++)
		wire_release(&s.v[i].result);
	free(s.v);
	*next = s.next;
	return !s.over && !x->report.error && !x->report.bound;
}
