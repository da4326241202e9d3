/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a benchmark came to, as a table (which is one in Markdown, too), and as JSON with one
 * object a line.
 */
#include <config.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "repl/json.h"

/* --- a table --- */

/* Three digits, or all that stand before the point. */
static const char *number(char buf[32], double v)
{
	if (isnan(v))
		return "-";
	if (v >= 1e6)
		snprintf(buf, 32, "%.1f M", v / 1e6);
	else if (v >= 1e4)
		snprintf(buf, 32, "%.0f k", v / 1e3);
	else
		snprintf(buf, 32, v >= 100 ? "%.0f" : v >= 10 ? "%.1f" : "%.2f", v);
	return buf;
}

/* "1 thread", "2 threads" */
static void column_head(char *buf, size_t size, const struct bench *b, unsigned n)
{
	int len = (int)strlen(b->columns_are);

	snprintf(buf, size, "%u %.*s", n, n == 1 ? len - 1 : len, b->columns_are);
}

static int row_width(const struct bench_table *t)
{
	size_t width = 0;

	for (size_t r = 0; r < t->nrows; r++)
		if (strlen(t->rows[r].name) > width)
			width = strlen(t->rows[r].name);
	return (int)width;
}

#define CELL_WIDTH 10

static void print_rows(const struct bench_table *t)
{
	int width = row_width(t);
	char head[64], buf[32];

	printf("| %-*s |", width, "");
	for (size_t c = 0; c < t->ncolumns; c++) {
		column_head(head, sizeof(head), t->bench, t->columns[c]);
		printf(" %*s | %*s |", CELL_WIDTH, head, CELL_WIDTH, "ratio");
	}
	printf("\n| %.*s |", width, "------------------------------------------------");
	for (size_t c = 0; c < 2 * t->ncolumns; c++)
		printf(" ---------: |");
	putchar('\n');
	for (size_t r = 0; r < t->nrows; r++) {
		printf("| %-*s |", width, t->rows[r].name);
		for (size_t c = 0; c < t->ncolumns; c++) {
			struct bench_cell cell = bench_cell(t, r, c);

			printf(" %*s |", CELL_WIDTH, number(buf, cell.median));
			printf(" %*s |", CELL_WIDTH, number(buf, cell.ratio));
		}
		putchar('\n');
	}
}

static void print_aim(const struct bench_table *t, const struct bench_aim *aim)
{
	double value = bench_aim_value(t, aim);
	char head[64], of[64], buf[32], bound[32];

	if (isnan(value))
		return;
	column_head(head, sizeof(head), t->bench, aim->column);
	printf("%s, %s: %s", aim->row, head, number(buf, value));
	if (aim->of_row) {
		column_head(of, sizeof(of), t->bench, aim->of_column);
		printf(" times %s%s%s", aim->of_row, aim->column == aim->of_column ? "" : ", ",
		       aim->column == aim->of_column ? "" : of);
	} else {
		printf(" %s", t->bench->unit);
	}
	printf("; aim: at %s %s, %s\n", t->bench->more_is_better ? "least" : "most",
	       number(bound, aim->bound), bench_aim_reached(t, aim, value) ? "reached" : "not reached");
}

void bench_print(const struct bench_table *t, bool quiet)
{
	const struct bench *b = t->bench;

	printf("%s: %s, %s; medians of %zu round%s", b->name, b->title, b->unit, t->rounds,
	       t->rounds == 1 ? "" : "s");
	if (!isnan(bench_cell(t, 0, 0).ratio))
		printf("; ratios to %s", b->base);
	printf("\n\n");
	print_rows(t);
	putchar('\n');
	if (quiet || !b->aims)
		return;
	for (const struct bench_aim *aim = b->aims; aim->row; aim++)
		print_aim(t, aim);
	putchar('\n');
}

/* --- JSON --- */

struct text {
	FILE *f;
	char *s;
	size_t len;
};

static bool text_begin(struct text *x)
{
	*x = (struct text){ 0 };
	x->f = open_memstream(&x->s, &x->len);
	return x->f != NULL;
}

static bool text_end(struct text *x)
{
	bool ok = !fclose(x->f) && x->s;

	if (ok)
		json_write(x->s, x->len);
	free(x->s);
	return ok;
}

/* Nothing of ours needs escaping: the names are in this program. */
static void put(struct text *x, const char *key, const char *value)
{
	fprintf(x->f, ",\"%s\":\"%s\"", key, value);
}

/* JSON has no numbers that are none: the field is left out. */
static void put_number(struct text *x, const char *key, double v)
{
	if (!isnan(v) && !isinf(v))
		fprintf(x->f, ",\"%s\":%.9g", key, v);
}

bool bench_json_header(void)
{
	struct text x;

	if (!text_begin(&x))
		return false;
	fprintf(x.f, "{\"srcush\":\"%s\",\"format\":1,\"type\":\"header\",\"command\":\"bench\"}", PACKAGE_VERSION);
	return text_end(&x);
}

static bool json_bench(const struct bench_table *t)
{
	const struct bench *b = t->bench;
	struct text x;

	if (!text_begin(&x))
		return false;
	fprintf(x.f, "{\"type\":\"bench\"");
	put(&x, "bench", b->name);
	put(&x, "title", b->title);
	put(&x, "unit", b->unit);
	put(&x, "better", b->more_is_better ? "more" : "less");
	put(&x, "columns", b->columns_are);
	if (!isnan(bench_cell(t, 0, 0).ratio))
		put(&x, "base", b->base);
	fprintf(x.f, ",\"rounds\":%zu}", t->rounds);
	return text_end(&x);
}

static bool json_cell(const struct bench_table *t, size_t r, size_t c)
{
	struct bench_cell cell = bench_cell(t, r, c);
	struct text x;

	if (!text_begin(&x))
		return false;
	fprintf(x.f, "{\"type\":\"cell\"");
	put(&x, "bench", t->bench->name);
	put(&x, "row", t->rows[r].name);
	fprintf(x.f, ",\"%s\":%u,\"samples\":%zu", t->bench->columns_are, t->columns[c], cell.samples);
	put_number(&x, "min", cell.min);
	put_number(&x, "low", cell.low);
	put_number(&x, "median", cell.median);
	put_number(&x, "high", cell.high);
	put_number(&x, "max", cell.max);
	put_number(&x, "ratio", cell.ratio);
	fputc('}', x.f);
	return text_end(&x);
}

static bool json_aim(const struct bench_table *t, const struct bench_aim *aim)
{
	double value = bench_aim_value(t, aim);
	struct text x;

	if (isnan(value))
		return true;
	if (!text_begin(&x))
		return false;
	fprintf(x.f, "{\"type\":\"aim\"");
	put(&x, "bench", t->bench->name);
	put(&x, "row", aim->row);
	fprintf(x.f, ",\"%s\":%u", t->bench->columns_are, aim->column);
	if (aim->of_row) {
		put(&x, "of", aim->of_row);
		fprintf(x.f, ",\"of_%s\":%u", t->bench->columns_are, aim->of_column);
	}
	put_number(&x, "value", value);
	put_number(&x, "bound", aim->bound);
	fprintf(x.f, ",\"reached\":%s}", bench_aim_reached(t, aim, value) ? "true" : "false");
	return text_end(&x);
}

bool bench_json(const struct bench_table *t)
{
	bool ok = json_bench(t);

	for (size_t r = 0; ok && r < t->nrows; r++)
		for (size_t c = 0; ok && c < t->ncolumns; c++)
			ok = json_cell(t, r, c);
	for (const struct bench_aim *aim = t->bench->aims; ok && aim && aim->row; aim++)
		ok = json_aim(t, aim);
	return ok && json_flush();
}
