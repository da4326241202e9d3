/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All benchmarks, and what several of them have in common: see sets.h.
 */
#include <config.h>

#include "bench/sets.h"

const struct bench *const bench_all[] = { &bench_read, &bench_gp, &bench_callers, &bench_call,
	&bench_kvm, NULL };

size_t set_rows(struct bench_row *rows, bool (*has)(const struct peer *p))
{
	size_t n = 0;

	for (size_t i = 0; peers[i] && n < BENCH_ROWS_MAX; i++)
		if (!has || has(peers[i]))
			rows[n++] = (struct bench_row){ peers[i]->name, peers[i] };
	return n;
}

size_t set_columns(unsigned *columns, unsigned first, unsigned last)
{
	size_t n = 0;

	for (unsigned k = first; k <= last && n < BENCH_COLUMNS_MAX; k = k ? 2 * k : 1)
		columns[n++] = k;
	return n;
}
