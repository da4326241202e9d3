/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exhaustive exploration by several processes.  A graph that waits is the root of a part
 * of the search that needs to know nothing of the rest, so that graphs are what is handed
 * around: the coordinator keeps those that nobody has, an idle worker gets some, a busy
 * one is asked for its oldest, which have most beneath them.
 *
 * A worker tells what it found together with what is left of its work.  Until it does,
 * nothing of that counts: if it dies, others do the same again.  All worked out the
 * tables of tasks and locations together until they parted; what is new then is agreed
 * on through a journal.  If one learns something on which everything rests, all begin
 * anew with it.
 */
#include <config.h>

#include "explore/jobs.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PENDING_EACH 4	/* graphs that wait for each process before others are called */
#define SHOW_EVERY 256	/* visits */
#define TELL_EVERY 100	/* rounds of waiting: what is lost with a worker is bounded */

/* What a worker tells. */
enum told {
	TOLD_PART,	/* it goes on */
	TOLD_DONE,	/* all its work is over, or given back */
	TOLD_END,	/* an error, or a violation and not keep_going */
	TOLD_ANEW,	/* it has learnt something */
};

/* Graphs, and how deep down they begin. */
static bool put_graphs(struct wire *to, const struct gstack *s, const struct estimate *e,
		       const uint16_t *levels)
{
	wire_put_number(to, s->n);
	for (size_t i = 0; i < s->n; i++) {
		uint16_t level = levels ? levels[i] : estimate_level(e, i);

		wire_put(to, &level, sizeof(level));
	}
	wire_put_number(to, s->used);
	wire_put(to, s->bytes, s->used);
	return !to->bad;
}

/* Graphs that are nobody's. */
struct pool {
	struct gstack graphs;
	uint16_t *levels;
	size_t cap;
};

static bool get_graphs(struct wire *from, struct pool *p)
{
	size_t n = wire_get_number(from), used;
	const void *levels = wire_get(from, n * sizeof(uint16_t)), *bytes;

	used = wire_get_number(from);
	bytes = wire_get(from, used);
	if (!bytes || !grow(&p->levels, &p->cap, p->graphs.n + n, sizeof(*p->levels)))
		return false;
	if (n)
		memcpy(p->levels + p->graphs.n, levels, n * sizeof(uint16_t));
	return gstack_append(&p->graphs, bytes, used, n);
}

static void pool_release(struct pool *p)
{
	gstack_release(&p->graphs);
	free(p->levels);
}

/* --- a worker --- */

/* Its stack becomes what the packet says. */
static bool take_packet(struct dpor *d, struct wire *packet)
{
	struct pool p = { 0 };
	bool ok = get_graphs(packet, &p);

	if (ok) {
		gstack_release(&d->stack);
		d->stack = p.graphs;
		p.graphs = (struct gstack){ 0 };
		ok = estimate_begin(&d->estimate, p.levels, d->stack.n);
	}
	pool_release(&p);
	return (ok || visit_oom(d)) && places_sync(d);
}

/* What has come of it, what is left, and what others may have of that: the oldest `give`. */
static void tell(struct jobs *j, enum told what, size_t give)
{
	struct dpor *d = j->arg;
	struct gstack given = { 0 };
	struct wire m = { 0 };

	d->told += d->x->executions;
	wire_put_number(&m, what);
	if (!results_put(d->x, &m))
		_exit(EXIT_FAILURE);	/* as if it had been killed */
	wire_put_number(&m, d->preempted);
	d->preempted = 0;
	if (what == TOLD_ANEW) {
		if (!facts_put(d, &m))
			_exit(EXIT_FAILURE);
	} else {
		/* levels are asked for before places change */
		wire_put_number(&m, give);
		if (!put_graphs(&m, &d->stack, &d->estimate, NULL) || !gstack_give(&d->stack, give, &given))
			_exit(EXIT_FAILURE);
		estimate_give(&d->estimate, give);
	}
	gstack_release(&given);
	jobs_tell(j, &m);
	wire_release(&m);
}

static void show(struct jobs *j)
{
	struct dpor *d = j->arg;
	double low, high;

	jobs_show(j, d->stack.n);
	estimate_rest(&d->estimate, d->stack.n, d->told + d->x->executions, &low, &high);
	atomic_store(&j->me->low, (int64_t)low);
	atomic_store(&j->me->high, (int64_t)high);
}

/* One graph.  False: it has told why it stops. */
static bool visit_one(struct jobs *j)
{
	struct dpor *d = j->arg;
	uint64_t before = d->x->executions;

	if (!jobs_take(j)) {
		tell(j, TOLD_DONE, d->stack.n);
		return false;
	}
	d->stopped = false;
	if (!dpor_visit(d) && !d->anew) {
		if (!d->stopped)
			explore_fail(d->x, "the exploration ended where it may not: this is an error in srcush");
		tell(j, TOLD_END, d->stack.n);
		return false;
	}
	if (d->x->executions == before)
		jobs_take_back(j);
	return true;
}

/* What the coordinator wants.  False: to stop. */
static bool serve(struct jobs *j)
{
	struct dpor *d = j->arg;
	unsigned want = atomic_load_explicit(&j->me->want, memory_order_relaxed);

	if (!want || (want == JOBS_GIVE && d->stack.n < 2))
		return true;
	atomic_fetch_and(&j->me->want, (unsigned)JOBS_STOP);
	if (want & JOBS_STOP) {
		tell(j, TOLD_DONE, d->stack.n);
		return false;
	}
	show(j);
	tell(j, TOLD_PART, want & JOBS_GIVE ? d->stack.n / 2 : 0);
	return true;
}

static void work(struct jobs *j, struct wire *packet)
{
	struct dpor *d = j->arg;

	d->x->unnumbered = true;
	if (!take_packet(d, packet) && !d->anew) {
		tell(j, TOLD_END, 0);
		return;
	}
	for (unsigned n = 0; ; n++) {
		if (!d->anew && !d->stack.n && !places_watch(d)) {
			tell(j, TOLD_DONE, 0);
			return;
		}
		if (d->anew) {
			tell(j, TOLD_ANEW, 0);
			return;
		}
		atomic_store_explicit(&j->me->pending, d->stack.n, memory_order_relaxed);
		if (n % SHOW_EVERY == 0)
			show(j);
		if (!serve(j) || !visit_one(j))
			return;
	}
}

/* --- the coordinator --- */

struct share {
	struct jobs j;
	struct dpor *d;
	struct pool pool;
	bool dry;	/* the bound on executions may be reached: nobody gets any work until
			 * it is known how many there were */
	bool anew;
	bool failed;
	unsigned rounds;
};

static bool oom(struct share *s)
{
	s->failed = true;
	return visit_oom(s->d);
}

/* What is left of a worker's work: some is its own, some everybody's. */
static bool get_rest(struct share *s, struct worker *w, struct wire *m)
{
	size_t give = wire_get_number(m);
	struct pool all = { 0 };
	struct gstack given = { 0 };
	bool ok = get_graphs(m, &all) && give <= all.graphs.n && gstack_give(&all.graphs, give, &given) &&
		  grow(&s->pool.levels, &s->pool.cap, s->pool.graphs.n + give, sizeof(*s->pool.levels));

	if (ok && give)
		memcpy(s->pool.levels + s->pool.graphs.n, all.levels, give * sizeof(*all.levels));
	ok = ok && gstack_append(&s->pool.graphs, given.bytes, given.used, given.n);
	wire_clear(&w->base);
	ok = ok && put_graphs(&w->base, &all.graphs, NULL, all.levels + give);
	gstack_release(&given);
	pool_release(&all);
	return ok || oom(s);
}

/* Its work is done again by others. */
static bool get_lost(struct share *s, struct worker *w)
{
	jobs_died();
	w->base.at = 0;
	if (w->base.n && !get_graphs(&w->base, &s->pool))
		return oom(s);
	wire_clear(&w->base);
	return true;
}

static bool get_end(struct share *s, struct worker *w, const struct wire *m)
{
	wire_clear(&w->end);
	wire_put(&w->end, m->v + m->at, m->n - m->at);
	wire_clear(&w->base);
	w->busy = false;
	return !w->end.bad || oom(s);
}

static bool take(struct share *s, struct worker *w, struct wire *m)
{
	enum told what = (enum told)wire_get_number(m);

	if (what == TOLD_END)
		return get_end(s, w, m);
	if (!results_get(s->d->x, m, true)) {
		s->failed = true;
		return false;
	}
	s->d->preempted += (unsigned)wire_get_number(m);
	if (what == TOLD_ANEW) {
		s->anew = true;
		/* so that the numbers of what it knows are known here */
		return (places_sync(s->d) || s->d->anew) && facts_get(s->d, m);
	}
	if (!get_rest(s, w, m))
		return false;
	if (what == TOLD_DONE) {
		w->busy = false;
		s->dry |= s->pool.graphs.n && s->d->x->opts.max_executions &&
			  atomic_load(&s->j.shared->taken) >= s->d->x->opts.max_executions;
	}
	return true;
}

static void take_while_draining(void *arg, unsigned i, struct wire *m)
{
	struct share *s = arg;

	if (m)
		take(s, &s->j.w[i], m);
	else
		wire_clear(&s->j.w[i].base);	/* it had been asked to stop */
}

/* Its share of what waits, the oldest first. */
static bool give(struct share *s, unsigned i)
{
	struct pool *p = &s->pool;
	size_t k = p->graphs.n / (2 * s->j.alive);
	struct gstack some = { 0 };
	struct wire packet = { 0 };
	bool ok;

	k = k ? k : 1;
	ok = gstack_give(&p->graphs, k, &some) && put_graphs(&packet, &some, NULL, p->levels);
	if (ok) {
		memmove(p->levels, p->levels + k, p->graphs.n * sizeof(*p->levels));
		jobs_give(&s->j, i, &packet);	/* if it is dead it is found out */
	}
	gstack_release(&some);
	wire_release(&packet);
	return ok || oom(s);
}

/* The one with most to do is asked to give. */
static void ask(struct share *s)
{
	uint64_t most = 1;
	int whom = -1;

	for (unsigned i = 0; i < s->j.n; i++) {
		const struct jobs_status *w = &s->j.shared->w[i];
		uint64_t pending = atomic_load(&w->pending);

		if (!s->j.w[i].busy)
			continue;
		if (pending > 1 && atomic_load(&w->want) & JOBS_GIVE)
			return;	/* somebody is asked already */
		if (pending > most) {
			most = pending;
			whom = (int)i;
		}
	}
	if (whom >= 0)
		jobs_want(&s->j, (unsigned)whom, JOBS_GIVE);
}

/* Everybody gets something to do.  False: failed. */
static bool hand_out(struct share *s, bool *idle)
{
	*idle = false;
	for (unsigned i = 0; i < s->j.n; i++) {
		if (!s->j.w[i].pid || s->j.w[i].busy)
			continue;
		if (!s->pool.graphs.n)
			*idle = true;
		else if (!s->dry && !give(s, i))
			return false;
	}
	if (*idle && !s->dry)
		ask(s);
	return true;
}

/* Nobody has anything to do.  True: that is the end. */
static bool is_over(struct share *s)
{
	struct explore *x = s->d->x;

	if (!s->pool.graphs.n || !s->j.alive)
		return true;
	if (x->opts.max_executions && x->executions >= x->opts.max_executions) {
		explore_go_on(x);	/* says which bound it is */
		return true;
	}
	atomic_store(&s->j.shared->taken, x->executions);
	s->dry = false;
	return false;
}

static bool has_ended(const struct share *s)
{
	for (unsigned i = 0; i < s->j.n; i++)
		if (s->j.w[i].end.n)
			return true;
	return false;
}

/* Of graphs that nobody has nothing can be said. */
static void expect(struct share *s)
{
	size_t n = s->pool.graphs.n;

	s->d->x->now = (struct explore_progress){ .pending = n, .low = n ? -1 : 0, .high = n ? -1 : 0 };
}

/* Until everything is done, or there is a reason to stop. */
static void coordinate(struct share *s)
{
	struct wire m = { 0 };
	bool idle;

	while (!s->failed && !s->anew && !has_ended(s) && hand_out(s, &idle)) {
		int i;

		if (!jobs_any_busy(&s->j)) {
			if (is_over(s))
				break;
			continue;
		}
		expect(s);
		if (!jobs_go_on(&s->j))
			break;
		wire_clear(&m);
		i = jobs_wait(&s->j, idle ? 2 : 20, &m);
		if (i >= 0 && !(m.n ? take(s, &s->j.w[i], &m) : get_lost(s, &s->j.w[i])))
			break;
		if (!idle && ++s->rounds % TELL_EVERY == 0)
			jobs_want_all(&s->j, JOBS_TELL);
	}
	wire_release(&m);
}

/* Several may have come to an end at about the same time: an error is what counts, else the
 * smallest violation. */
static void conclude(struct share *s)
{
	struct explore *x = s->d->x;
	struct worker *best = NULL;

	for (unsigned i = 0; i < s->j.n; i++) {
		struct worker *w = &s->j.w[i];

		if (w->end.n && (!best || results_smaller(&w->end, &best->end)))
			best = w;
	}
	for (unsigned i = 0; i < s->j.n && !x->report.error; i++)
		if (s->j.w[i].end.n && results_get(x, &s->j.w[i].end, &s->j.w[i] == best))
			s->d->preempted += (unsigned)wire_get_number(&s->j.w[i].end);
}

/* What is still to be done, if somebody is to do it. */
static enum jobs_end finish(struct share *s)
{
	struct dpor *d = s->d;
	bool left;

	if (s->anew)
		return JOBS_ANEW;
	if (jobs_any_busy(&s->j))
		jobs_drain(&s->j, take_while_draining, s);
	conclude(s);
	left = s->pool.graphs.n && !d->x->report.error && !d->x->report.bound &&
	       (d->x->opts.keep_going || !d->x->report.nviolations);
	if (!left)
		return JOBS_DONE;
	gstack_release(&d->stack);
	d->stack = s->pool.graphs;
	s->pool.graphs = (struct gstack){ 0 };
	return estimate_begin(&d->estimate, s->pool.levels, d->stack.n) || visit_oom(d) ? JOBS_ALONE :
											  JOBS_DONE;
}

bool jobs_are_due(const struct dpor *d)
{
	return d->x->shared && !d->alone && d->x->executions >= d->patience &&
	       d->stack.n >= (size_t)PENDING_EACH * d->x->opts.jobs;
}

/* The journal is there from the first time on. */
static bool agree(struct dpor *d)
{
	if (d->agree)
		return true;
	d->agree = agree_new();
	if (!d->agree)
		return false;
	d->ids = d->w->ids;
	idspace_agree(d->ids, d->agree);
	return true;
}

void jobs_release(struct dpor *d)
{
	if (d->agree)
		idspace_agree(d->ids, NULL);
	agree_free(d->agree);
	d->agree = NULL;
}

enum jobs_end jobs_run(struct dpor *d)
{
	struct share s = { .j = { .x = d->x, .work = work, .arg = d }, .d = d };
	enum jobs_end end;
	struct wire all = { 0 };

	if (d->w->carrier != CARRIER_FIBER || !agree(d) || !jobs_start(&s.j)) {
		d->alone = true;
		return JOBS_ALONE;
	}
	if (put_graphs(&all, &d->stack, &d->estimate, NULL) && get_graphs(&all, &s.pool)) {
		gstack_clear(&d->stack);
		coordinate(&s);
	} else {
		oom(&s);
	}
	end = finish(&s);
	d->alone = end == JOBS_ALONE;
	d->patience *= 2;
	jobs_end(&s.j);
	places_sync(d);	/* what is done needs nothing of it */
	pool_release(&s.pool);
	wire_release(&all);
	return d->failed || end == JOBS_DONE ? JOBS_DONE : d->anew ? JOBS_ANEW : end;
}
