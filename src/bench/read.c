/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a pair of lock and unlock costs a reader, alone and beside others.
 */
#include <config.h>

#include <stdlib.h>

#include "bench/bench.h"
#include "bench/crew.h"
#include "bench/peer.h"
#include "bench/sets.h"

/* Runs so short that hardly any is interrupted; the median of them is the thread's. */
#define RUNS 5
#define PAIRS 4000
#define READERS_MAX 8

struct reading {
	const struct peer *peer;
	unsigned threads;
	struct crew_meeting begin;
	unsigned long measured;		/* threads that have their figure */
	double ns[READERS_MAX];		/* of a pair */
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* A thread that is done goes on reading until the others are: what they measure is readers
 * beside readers. */
static void reader(void *arg, unsigned i)
{
	struct reading *r = arg;
	const struct peer *p = r->peer;
	double t[RUNS];

	peer_enter(p);
	p->pairs(1);			/* first uses are over */
	crew_meet(&r->begin, r->threads);
	for (int k = 0; k < RUNS; k++) {
		double start = crew_now_ns();

		p->pairs(PAIRS);
		t[k] = (crew_now_ns() - start) / PAIRS;
	}
	__atomic_fetch_add(&r->measured, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&r->measured, __ATOMIC_RELAXED) < r->threads)
		p->pairs(64);
	peer_leave(p);
	qsort(t, RUNS, sizeof(*t), compare);
	r->ns[i] = t[RUNS / 2];
}

static enum bench_result read_round(const struct bench_row *row, unsigned threads, double seconds,
				    double *value)
{
	struct reading r = { .peer = row->what, .threads = threads };

	(void)seconds;
	if (!crew_run(threads, true, reader, &r))
		return BENCH_FAILED;
	*value = 0;
	for (unsigned i = 0; i < threads; i++)
		*value += r.ns[i] / threads;
	return BENCH_OK;
}

static size_t read_rows(struct bench_row *rows)
{
	return set_rows(rows, NULL);
}

/* Two in any case; more if each has a CPU. */
static size_t read_columns(unsigned *columns)
{
	unsigned cpus = crew_cpus();

	return set_columns(columns, 1, cpus < 2 ? 2 : cpus < READERS_MAX ? cpus : READERS_MAX);
}

static const struct bench_aim aims[] = {
	{ "libsrcu fast", 1, "liburcu memb", 1, 1.0 },
	{ "libsrcu fast", 2, "liburcu memb", 2, 1.0 },
	{ "libsrcu fast", 1, "empty loop", 1, 2.5 },
	{ "libsrcu normal", 1, "2 fences, 2 locked", 1, 0.5 },
	{ "libsrcu normal", 1, "liburcu mb", 1, 0.5 },
	{ .row = NULL }
};

const struct bench bench_read = {
	.name = "read", .title = "a pair of lock and unlock", .unit = "ns", .columns_are = "threads",
	.base = "liburcu memb", .rows = read_rows, .columns = read_columns, .round = read_round,
	.aims = aims,
};
