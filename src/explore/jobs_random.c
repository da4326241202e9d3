/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sampling by several processes: execution i has the same seed whoever makes it, they are
 * handed out in blocks, and what comes of the blocks is put together in their order.  So
 * the report is the one of a single process, to the last execution: what was made behind
 * the one that ended it is not counted.
 */
#include <config.h>

#include "explore/jobs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_FIRST 8	/* executions; then as many as can be made in about BLOCK_SECONDS */
#define BLOCK_MAX 4096
#define BLOCK_SECONDS 0.02

struct block {
	struct samples what;
	int worker;		/* who makes it; -1: nobody */
	bool done;
	struct wire result;
};

struct sampling {
	struct jobs j;
	struct explore *x;
	struct samples next;	/* what nobody has been given yet */
	struct block *v;	/* given away and not yet counted, in order */
	size_t n, cap;
	bool last;		/* one of them ends it: no more are given away */
	bool over;
	void (*make)(void *arg, struct samples what);
	void *arg;
};

static bool oom(struct sampling *s)
{
	s->over = true;
	return explore_fail(s->x, "out of memory");
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
	s->make(s->arg, what);
	jobs_show(j, 0);
	if (!results_put(j->x, &m))
		_exit(EXIT_FAILURE);
	jobs_tell(j, &m);
	wire_release(&m);
}

/* --- the coordinator --- */

static uint64_t block_size(const struct sampling *s)
{
	double rate = s->x->now.rate > 0 ? s->x->now.rate / s->j.alive : 0;
	double size = rate * BLOCK_SECONDS;
	uint64_t max = s->x->opts.max_executions;
	uint64_t n = size < BLOCK_FIRST ? BLOCK_FIRST : size > BLOCK_MAX ? BLOCK_MAX : (uint64_t)size;

	if (max && max - s->next.first < n)
		n = max - s->next.first;
	return n;
}

/* One that somebody died of, or a further one; NULL: there is none. */
static struct block *next_block(struct sampling *s)
{
	struct block *b;

	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].worker < 0 && !s->v[i].done)
			return &s->v[i];
	if (s->last || !block_size(s))
		return NULL;
	if (!grow(&s->v, &s->cap, s->n + 1, sizeof(*s->v))) {
		oom(s);
		return NULL;
	}
	b = &s->v[s->n++];
	*b = (struct block){ .what = s->next, .worker = -1 };
	b->what.count = block_size(s);
	for (uint64_t i = 0; i < b->what.count; i++)
		s->next.seed = world_random(&s->next.rng);
	s->next.first += b->what.count;
	return b;
}

static void hand_out(struct sampling *s)
{
	for (unsigned i = 0; i < s->j.n; i++) {
		struct wire packet = { 0 };
		struct block *b;

		if (!s->j.w[i].pid || s->j.w[i].busy)
			continue;
		b = next_block(s);
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
		struct block *b = &s->v[n++];
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
		struct block *b = &s->v[i];

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

	if (t > BLOCK_SECONDS)
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

bool jobs_sample(struct explore *x, struct samples next,
		 void (*make)(void *arg, struct samples what), void *arg)
{
	struct sampling s = { .j = { .x = x, .work = work }, .x = x, .next = next, .make = make,
			      .arg = arg };
	bool done;

	s.j.arg = &s;
	if (!jobs_start(&s.j)) {
		x->opts.jobs = 1;
		return false;
	}
	coordinate(&s);
	/* everybody may have died */
	done = s.over || x->report.error || x->report.bound ||
	       (x->opts.max_executions && x->executions >= x->opts.max_executions);
	jobs_end(&s.j);
	for (size_t i = 0; i < s.n; i++)
		wire_release(&s.v[i].result);
	free(s.v);
	if (!done)
		return explore_fail(x, "all processes of the exploration died");
	explore_go_on(x);	/* says which bound it is */
	return true;
}
