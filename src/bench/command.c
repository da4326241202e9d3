/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `srcush bench`: which benchmarks are run, one after the other.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/crew.h"
#include "repl/status.h"

static const struct bench *find(const char *name)
{
	for (size_t i = 0; bench_all[i]; i++)
		if (!strcmp(bench_all[i]->name, name))
			return bench_all[i];
	return NULL;
}

static bool names_known(const struct bench_opts *o)
{
	for (size_t i = 0; i < o->nnames; i++) {
		if (find(o->names[i]))
			continue;
		complain("no benchmark '%s'; there are:", o->names[i]);
		for (size_t k = 0; bench_all[k]; k++)
			fprintf(stderr, "  %-10s %s\n", bench_all[k]->name, bench_all[k]->title);
		return false;
	}
	return true;
}

static int run(const struct bench *b, const struct bench_opts *o)
{
	struct bench_table t = { .bench = b };
	int status = bench_fill(&t, o);

	if (status == STATUS_OK && !o->json)
		bench_print(&t, o->quiet);
	else if (status == STATUS_OK && !bench_json(&t))
		status = STATUS_ERROR;
	if (fflush(stdout))
		status = STATUS_ERROR;
	free(t.samples);
	free(t.sorted);
	return status;
}

static int run_all(const struct bench_opts *o)
{
	size_t n = o->nnames;
	int status = STATUS_OK;

	if (!n)
		while (bench_all[n])
			n++;
	for (size_t i = 0; i < n && status == STATUS_OK; i++)
		status = run(o->nnames ? find(o->names[i]) : bench_all[i], o);
	return status;
}

int bench_command(const struct bench_opts *o)
{
	int status;

	if (!names_known(o))
		return STATUS_USAGE;
#ifndef HAVE_LIBURCU
	if (!o->quiet)
		fprintf(stderr, "srcush: built without liburcu: its rows, and ratios to them, are missing\n");
#endif
	if (o->json && !bench_json_header())
		return STATUS_ERROR;
	status = run_all(o);
	crew_release();
	return status;
}
