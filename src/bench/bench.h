/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `srcush bench`: what a benchmark is, and what runs them.  A benchmark is a table of rows
 * (peers) and columns (numbers of threads, callers ...); each round measures every cell
 * once, in turn, so that what disturbs the machine disturbs all of them.
 */
#ifndef SRCUSH_BENCH_BENCH_H
#define SRCUSH_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>

#define BENCH_ROWS_MAX 16
#define BENCH_COLUMNS_MAX 8

struct bench_row {
	const char *name;
	const void *what;	/* for the benchmark's round() */
};

/* What one measurement came to. */
enum bench_result {
	BENCH_OK,
	BENCH_NO_SAMPLE,	/* it was disturbed in a way that shows */
	BENCH_FAILED,		/* the message has been printed */
};

/*
 * What is aimed at: a cell is at most `bound` times another one (where more is better, at
 * least); without `of_row` the bound is in the benchmark's unit.
 */
struct bench_aim {
	const char *row;
	unsigned column;
	const char *of_row;
	unsigned of_column;
	double bound;
};

struct bench {
	const char *name;	/* as on the command line */
	const char *title;
	const char *unit;
	const char *columns_are; /* plural: "threads" */
	const char *base;	/* the row that ratios are to, if it is there */
	bool more_is_better;
	size_t (*rows)(struct bench_row rows[BENCH_ROWS_MAX]);
	size_t (*columns)(unsigned columns[BENCH_COLUMNS_MAX]);
	/* One measurement, for about that many seconds at most. */
	enum bench_result (*round)(const struct bench_row *row, unsigned column, double seconds,
				   double *value);
	const struct bench_aim *aims;	/* up to one without a row; or NULL */
};

/* All of them, up to NULL: a new one is named in list.c. */
extern const struct bench *const bench_all[];

struct bench_opts {
	const char *const *names;	/* of those to be run; none: all */
	size_t nnames;
	double seconds;			/* for each; 0: the default */
	bool json, quiet;
	bool (*stopped)(void);		/* Ctrl-C? */
};

/* The exit status of `srcush bench` (repl/status.h). */
int bench_command(const struct bench_opts *o);

/* --- between the files --- */

/* Samples of all cells; NAN where there was none. */
struct bench_table {
	const struct bench *bench;
	struct bench_row rows[BENCH_ROWS_MAX];
	unsigned columns[BENCH_COLUMNS_MAX];
	size_t nrows, ncolumns, rounds, room;
	double *samples;	/* [round][row][column] */
	double *sorted;		/* room for one cell's */
};

/* Median and quartiles of a cell, and the median of its ratios to the base in each round. */
struct bench_cell {
	size_t samples;
	double min, low, median, high, max;
	double ratio;		/* NAN: none */
};
struct bench_cell bench_cell(const struct bench_table *t, size_t row, size_t column);
/* The aim's figure, NAN where a cell is not there; then, whether it was reached. */
double bench_aim_value(const struct bench_table *t, const struct bench_aim *aim);
bool bench_aim_reached(const struct bench_table *t, const struct bench_aim *aim, double value);

/* Fills the table's rounds.  STATUS_OK, or another exit status. */
int bench_fill(struct bench_table *t, const struct bench_opts *o);
/* The table, in Markdown's form, or as JSON. */
void bench_print(const struct bench_table *t, bool quiet);
bool bench_json_header(void);
bool bench_json(const struct bench_table *t);

#endif
