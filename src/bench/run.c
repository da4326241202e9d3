/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a benchmark: every cell once a round, until the time is up, and what the samples of a
 * cell come to.
 */
#include <config.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/crew.h"
#include "repl/status.h"

#define SECONDS 10		/* for each benchmark, if nothing is said */
#define ROUNDS_WANTED 25	/* a cell's time is chosen for at least that many, but is */
#define CELL_SECONDS_MAX 0.02	/* no more than this: short ones are disturbed less often */

static double *sample(const struct bench_table *t, size_t round, size_t row, size_t column)
{
	return &t->samples[(round * t->nrows + row) * t->ncolumns + column];
}

/* --- running --- */

static bool make_room(struct bench_table *t)
{
	size_t room = t->room ? 2 * t->room : 64;
	double *samples, *sorted;

	if (t->rounds < t->room)
		return true;
	samples = realloc(t->samples, room * t->nrows * t->ncolumns * sizeof(*samples));
	if (samples)
		t->samples = samples;
	sorted = realloc(t->sorted, room * sizeof(*sorted));
	if (sorted)
		t->sorted = sorted;
	if (!samples || !sorted) {
		complain("not enough memory");
		return false;
	}
	t->room = room;
	return true;
}

static int one_round(struct bench_table *t, double seconds, const struct bench_opts *o)
{
	for (size_t r = 0; r < t->nrows; r++)
		for (size_t c = 0; c < t->ncolumns; c++) {
			double *value = sample(t, t->rounds, r, c);

			if (o->stopped && o->stopped())
				return STATUS_INTERRUPTED;
			switch (t->bench->round(&t->rows[r], t->columns[c], seconds, value)) {
			case BENCH_OK:
				break;
			case BENCH_NO_SAMPLE:
				*value = NAN;
				break;
			case BENCH_FAILED:
				return STATUS_ERROR;
			}
		}
	t->rounds++;
	return STATUS_OK;
}

int bench_fill(struct bench_table *t, const struct bench_opts *o)
{
	double seconds = o->seconds > 0 ? o->seconds : SECONDS;
	double end = crew_now_ns() + seconds * 1e9, each;
	int status = STATUS_OK;

	t->nrows = t->bench->rows(t->rows);
	t->ncolumns = t->bench->columns(t->columns);
	each = seconds / (double)(t->nrows * t->ncolumns) / ROUNDS_WANTED;
	if (each > CELL_SECONDS_MAX)
		each = CELL_SECONDS_MAX;
	do {
		if (!make_room(t))
			return STATUS_ERROR;
		status = one_round(t, each, o);
	} while (status == STATUS_OK && crew_now_ns() < end);
	return status;
}

/* --- what came out --- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static bool find_row(const struct bench_table *t, const char *name, size_t *row)
{
	for (*row = 0; *row < t->nrows; ++*row)
		if (!strcmp(t->rows[*row].name, name))
			return true;
	return false;
}

static bool find_column(const struct bench_table *t, unsigned n, size_t *column)
{
	for (*column = 0; *column < t->ncolumns; ++*column)
		if (t->columns[*column] == n)
			return true;
	return false;
}

/* The quantile q of n sorted values, n > 0: one of them. */
static double quantile(const double *v, size_t n, double q)
{
	return v[(size_t)((double)(n - 1) * q + 0.5)];
}

/* The median of the ratios of two cells, each taken within a round. */
static double ratio(const struct bench_table *t, size_t row, size_t column, size_t of_row, size_t of_column)
{
	size_t n = 0;

	for (size_t i = 0; i < t->rounds; i++) {
		double x = *sample(t, i, row, column), y = *sample(t, i, of_row, of_column);

		if (!isnan(x) && !isnan(y) && y > 0)
			t->sorted[n++] = x / y;
	}
	if (!n)
		return NAN;
	qsort(t->sorted, n, sizeof(*t->sorted), compare);
	return quantile(t->sorted, n, 0.5);
}

struct bench_cell bench_cell(const struct bench_table *t, size_t row, size_t column)
{
	struct bench_cell c = { .min = NAN, .low = NAN, .median = NAN, .high = NAN, .max = NAN, .ratio = NAN };
	size_t base;

	for (size_t i = 0; i < t->rounds; i++)
		if (!isnan(*sample(t, i, row, column)))
			t->sorted[c.samples++] = *sample(t, i, row, column);
	if (c.samples) {
		qsort(t->sorted, c.samples, sizeof(*t->sorted), compare);
		c.min = t->sorted[0];
		c.low = quantile(t->sorted, c.samples, 0.25);
		c.median = quantile(t->sorted, c.samples, 0.5);
		c.high = quantile(t->sorted, c.samples, 0.75);
		c.max = t->sorted[c.samples - 1];
	}
	if (find_row(t, t->bench->base, &base))
		c.ratio = ratio(t, row, column, base, column);
	return c;
}

double bench_aim_value(const struct bench_table *t, const struct bench_aim *aim)
{
	size_t row, column, of_row, of_column;

	if (!find_row(t, aim->row, &row) || !find_column(t, aim->column, &column))
		return NAN;
	if (!aim->of_row)
		return bench_cell(t, row, column).median;
	if (!find_row(t, aim->of_row, &of_row) || !find_column(t, aim->of_column, &of_column))
		return NAN;
	return ratio(t, row, column, of_row, of_column);
}

bool bench_aim_reached(const struct bench_table *t, const struct bench_aim *aim, double value)
{
	return t->bench->more_is_better ? value >= aim->bound : value <= aim->bound;
}
