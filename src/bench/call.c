/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Callbacks posted and invoked, by the second.
 */
#include <config.h>

#include <stdlib.h>

#include "bench/bench.h"
#include "bench/crew.h"
#include "bench/peer.h"
#include "bench/sets.h"
#include "repl/status.h"

/* So many that what a library sleeps between two batches does not count (liburcu: 10 ms);
 * where less time was asked for, what may be posted in it. */
#define CALLBACKS_MAX 1000000
#define CALLBACKS_MIN 2000
#define CALLBACKS_PER_SECOND 2e7
#define SECONDS_FOR_MAX 0.01

static struct peer_head *heads;		/* CALLBACKS_MAX of them, from the first use on */

struct posting {
	const struct peer *peer;
	unsigned posters;
	size_t each;
	double ns;
	struct crew_meeting begin, end;
};

static void poster(void *arg, unsigned i)
{
	struct posting *p = arg;
	double start;

	peer_enter(p->peer);
	crew_meet(&p->begin, p->posters);
	start = crew_now_ns();
	p->peer->post(heads + i * p->each, p->each);
	peer_rest(p->peer);
	crew_meet(&p->end, p->posters);
	if (!i) {
		p->peer->drain();
		p->ns = crew_now_ns() - start;
	}
	peer_wake(p->peer);
	peer_leave(p->peer);
}

static bool heads_ready(void)
{
	if (!heads)
		heads = malloc(CALLBACKS_MAX * sizeof(*heads));
	if (!heads) {
		complain("not enough memory");
		return false;
	}
	for (size_t i = 0; i < CALLBACKS_MAX; i++)	/* written, so that it is there */
		heads[i] = (struct peer_head){ { NULL } };
	return true;
}

static size_t callbacks(double seconds)
{
	double n = seconds * CALLBACKS_PER_SECOND;

	if (seconds >= SECONDS_FOR_MAX || n > CALLBACKS_MAX)
		return CALLBACKS_MAX;
	return n < CALLBACKS_MIN ? CALLBACKS_MIN : (size_t)n;
}

static enum bench_result call_round(const struct bench_row *row, unsigned posters, double seconds,
				    double *value)
{
	struct posting p = { .peer = row->what, .posters = posters };
	unsigned long n;

	if (!heads_ready())
		return BENCH_FAILED;
	p.each = callbacks(seconds) / posters;
	n = p.each * posters;
	__atomic_store_n(&peer_invoked, 0, __ATOMIC_RELAXED);
	if (!crew_run(posters, false, poster, &p))
		return BENCH_FAILED;
	if (__atomic_load_n(&peer_invoked, __ATOMIC_RELAXED) != n) {
		complain("%s: of %lu callbacks %lu were invoked", p.peer->name, n,
			 __atomic_load_n(&peer_invoked, __ATOMIC_RELAXED));
		return BENCH_FAILED;
	}
	*value = (double)n / (p.ns / 1e9);
	return BENCH_OK;
}

static bool has_call(const struct peer *p)
{
	return p->post != NULL;
}

static size_t call_rows(struct bench_row *rows)
{
	return set_rows(rows, has_call);
}

static size_t call_columns(unsigned *columns)
{
	return set_columns(columns, 1, 2);
}

static const struct bench_aim aims[] = {
	{ "libsrcu normal", 1, "liburcu memb", 1, 1.0 },
	{ "libsrcu fast", 1, "liburcu memb", 1, 1.0 },
	{ .row = NULL }
};

const struct bench bench_call = {
	.name = "call", .title = "callbacks posted and invoked", .unit = "per second",
	.columns_are = "posters", .base = "liburcu memb", .more_is_better = true,
	.rows = call_rows, .columns = call_columns, .round = call_round, .aims = aims,
};
