/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Grace periods: how long one takes, beside readers that read all the time or that are
 * asleep; and how many calls a second are answered, of one caller and of several.
 */
#include <config.h>

#include <stdlib.h>

#include "bench/bench.h"
#include "bench/crew.h"
#include "bench/peer.h"
#include "bench/sets.h"

#define READERS_MAX (CREW_MAX - 2)
#define CALLERS_MAX (CREW_MAX - 2)
#define GRACE_PERIODS 15	/* in one measurement; the median is its value */

static bool has_gp(const struct peer *p)
{
	return p->gp != NULL;
}

static size_t gp_rows(struct bench_row *rows)
{
	return set_rows(rows, has_gp);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static bool load(const bool *b)
{
	return __atomic_load_n(b, __ATOMIC_ACQUIRE);
}

static void store(bool *b)
{
	__atomic_store_n(b, true, __ATOMIC_RELEASE);
}

/* A thread that has read, and sleeps until `over`: without any, some libraries have nobody
 * to wait for and return at once. */
static void sleeper(const struct peer *p, struct crew_meeting *begin, unsigned n, const bool *over)
{
	peer_enter(p);
	p->pairs(1);
	peer_rest(p);
	crew_meet(begin, n);
	while (!load(over))
		crew_sleep_ns(100000);
	peer_wake(p);
	peer_leave(p);
}

/* --- latency --- */

struct latency {
	const struct peer *peer;
	unsigned readers;
	bool over;
	struct crew_meeting begin;
	struct {
		unsigned long sections;		/* groups of them, so far */
	} __attribute__((aligned(128))) reader[READERS_MAX + 1];
	double ns[GRACE_PERIODS];
	size_t n;
};

static void note_sections(struct latency *l, unsigned long *sections)
{
	for (unsigned i = 1; i <= l->readers; i++)
		sections[i] = __atomic_load_n(&l->reader[i].sections, __ATOMIC_RELAXED);
}

/* Has each reader got on since?  If not, one was not on its CPU, or slept, and there was
 * nobody to wait for. */
static bool all_read(struct latency *l, const unsigned long *before)
{
	for (unsigned i = 1; i <= l->readers; i++)
		if (__atomic_load_n(&l->reader[i].sections, __ATOMIC_RELAXED) == before[i])
			return false;
	return true;
}

static void waiter(struct latency *l)
{
	unsigned long before[READERS_MAX + 1];

	l->peer->gp();			/* first uses are over */
	for (int k = 0; k < GRACE_PERIODS; k++) {
		double start, t;

		note_sections(l, before);
		start = crew_now_ns();
		l->peer->gp();
		t = crew_now_ns() - start;
		if (all_read(l, before))
			l->ns[l->n++] = t;
	}
	store(&l->over);
}

static void latency_job(void *arg, unsigned i)
{
	struct latency *l = arg;
	unsigned n = 1 + (l->readers ? l->readers : 1);

	if (!i) {
		crew_meet(&l->begin, n);
		waiter(l);
		return;
	}
	if (!l->readers) {
		sleeper(l->peer, &l->begin, n, &l->over);
		return;
	}
	peer_enter(l->peer);
	crew_meet(&l->begin, n);
	while (!load(&l->over)) {
		l->peer->pairs(16);
		__atomic_store_n(&l->reader[i].sections, l->reader[i].sections + 1, __ATOMIC_RELAXED);
	}
	peer_leave(l->peer);
}

static enum bench_result latency_round(const struct bench_row *row, unsigned readers,
				       double seconds, double *value)
{
	struct latency l = { .peer = row->what, .readers = readers };

	(void)seconds;
	if (!crew_run(1 + (readers ? readers : 1), true, latency_job, &l))
		return BENCH_FAILED;
	if (!l.n)
		return BENCH_NO_SAMPLE;
	qsort(l.ns, l.n, sizeof(*l.ns), compare);
	*value = l.ns[l.n / 2] / 1000;
	return BENCH_OK;
}

/* Readers that have a CPU each, the caller having one. */
static size_t latency_columns(unsigned *columns)
{
	unsigned most = crew_cpus() - 1;

	return set_columns(columns, 0, most < READERS_MAX ? most : READERS_MAX);
}

static const struct bench_aim latency_aims[] = {
	{ "libsrcu normal", 0, NULL, 0, 1.0 },
	{ "libsrcu fast", 0, NULL, 0, 1.0 },
	{ "libsrcu fast", 1, "liburcu memb", 1, 0.5 },
	{ .row = NULL }
};

const struct bench bench_gp = {
	.name = "gp", .title = "a grace period beside readers (0: one that is asleep)", .unit = "us",
	.columns_are = "readers", .base = "liburcu memb", .rows = gp_rows,
	.columns = latency_columns, .round = latency_round, .aims = latency_aims,
};

/* --- callers --- */

struct calling {
	const struct peer *peer;
	unsigned callers;
	double ns;			/* to be called for; then, that it was */
	bool over, all_over;
	unsigned long calls, returned;	/* calls made; threads that are done */
	struct crew_meeting begin;
};

static void caller(struct calling *c)
{
	unsigned long n = 0;

	crew_meet(&c->begin, c->callers + 2);
	for (; !load(&c->over); n++)
		c->peer->gp();
	__atomic_fetch_add(&c->calls, n, __ATOMIC_RELAXED);
	if (__atomic_add_fetch(&c->returned, 1, __ATOMIC_ACQ_REL) == c->callers)
		store(&c->all_over);
}

/* Ends it.  Calls that are being answered then count, and so does their time. */
static void timekeeper(struct calling *c)
{
	double start;

	crew_meet(&c->begin, c->callers + 2);
	start = crew_now_ns();
	crew_sleep_ns(c->ns);
	store(&c->over);
	while (!load(&c->all_over))
		crew_sleep_ns(2000);
	c->ns = crew_now_ns() - start;
}

static void calling_job(void *arg, unsigned i)
{
	struct calling *c = arg;

	if (i < c->callers)
		caller(c);
	else if (i == c->callers)
		timekeeper(c);
	else
		sleeper(c->peer, &c->begin, c->callers + 2, &c->all_over);
}

static enum bench_result callers_round(const struct bench_row *row, unsigned callers,
				       double seconds, double *value)
{
	struct calling c = { .peer = row->what, .callers = callers, .ns = seconds * 1e9 };

	if (!crew_run(callers + 2, false, calling_job, &c))
		return BENCH_FAILED;
	*value = (double)c.calls / (c.ns / 1e9);
	return BENCH_OK;
}

static size_t callers_columns(unsigned *columns)
{
	return set_columns(columns, 1, CALLERS_MAX);
}

static const struct bench_aim callers_aims[] = {
	{ "libsrcu normal", 8, "libsrcu normal", 1, 1.0 },
	{ "libsrcu fast", 8, "libsrcu fast", 1, 1.0 },
	{ .row = NULL }
};

const struct bench bench_callers = {
	.name = "callers", .title = "calls that wait for a grace period", .unit = "per second",
	.columns_are = "callers", .base = "liburcu memb", .more_is_better = true, .rows = gp_rows,
	.columns = callers_columns, .round = callers_round, .aims = callers_aims,
};
