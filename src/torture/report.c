/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Torture, what is printed: as lines for people, or one JSON object a line, of which the
 * first has the format's version.
 */
#include <config.h>

#include <stdio.h>

#include "torture/internal.h"

#define FORMAT 1	/* of the JSON, as srcush(1) describes it */

static const char *const count_names[COUNT_COUNT] = {
	[COUNT_SECTIONS] = "sections",
	[COUNT_BLOCKED] = "blocked",
	[COUNT_HANDED] = "handed_over",
	[COUNT_THREADS] = "threads",
	[COUNT_GENERATIONS] = "generations",
	[COUNT_SYNC] = "synchronize",
	[COUNT_EXPEDITED] = "expedited",
	[COUNT_POLL] = "polls",
	[COUNT_CALLS] = "calls",
	[COUNT_BARRIERS] = "barriers",
};

struct sums {
	unsigned long long counts[COUNT_COUNT], pipe[PIPE_LEN + 1];
};

static struct sums sum_up(const struct torture *t, const struct bed *b)
{
	struct sums s = { 0 };

	for (unsigned i = 0; i < t->nmembers; i++) {
		struct member *m = &t->members[i];

		if (m->bed != b)
			continue;
		for (int c = 0; c < COUNT_COUNT; c++)
			s.counts[c] += atomic_load_explicit(&m->counts[c], memory_order_relaxed);
		for (int c = 0; c <= PIPE_LEN; c++)
			s.pipe[c] += atomic_load_explicit(&m->pipe[c], memory_order_relaxed);
	}
	return s;
}

static double elapsed(const struct torture *t)
{
	return (double)(torture_now() - t->began) / 1e9;
}

static void pipe_print(const struct sums *s, const char *sep)
{
	for (int i = 0; i <= PIPE_LEN; i++)
		printf("%s%llu", i ? sep : "", s->pipe[i]);
}

/* --- lines --- */

static void stat_line(const struct torture *t, struct bed *b)
{
	struct sums s = sum_up(t, b);

	printf("%7.1f s  %-6s  %llu sections (%llu blocked, %llu handed over), %lu grace periods,\n"
	       "           %llu generations, waits: %llu synchronize %llu expedited %llu poll, "
	       "%llu callbacks,\n           %llu barriers, %llu short threads; pipe: ",
	       elapsed(t), b->name, s.counts[COUNT_SECTIONS], s.counts[COUNT_BLOCKED],
	       s.counts[COUNT_HANDED], bed_grace_periods(b), s.counts[COUNT_GENERATIONS],
	       s.counts[COUNT_SYNC], s.counts[COUNT_EXPEDITED], s.counts[COUNT_POLL],
	       s.counts[COUNT_CALLS], s.counts[COUNT_BARRIERS], s.counts[COUNT_THREADS]);
	pipe_print(&s, " ");
	putchar('\n');
}

/* --- JSON --- */

static void json_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('"');
}

static void json_stat(const struct torture *t, struct bed *b)
{
	struct sums s = sum_up(t, b);

	printf("{\"type\":\"torture\",\"seconds\":%.3f,\"flavor\":\"%s\",\"grace_periods\":%lu",
	       elapsed(t), b->name, bed_grace_periods(b));
	for (int c = 0; c < COUNT_COUNT; c++)
		printf(",\"%s\":%llu", count_names[c], s.counts[c]);
	printf(",\"pipe\":[");
	pipe_print(&s, ",");
	puts("]}");
}

/* --- both --- */

void report_header(const struct torture *t)
{
	if (t->o.json) {
		printf("{\"srcush\":\"%s\",\"format\":%d,\"type\":\"header\",\"command\":\"torture\","
		       "\"seed\":%llu,\"time\":%g,\"readers\":%u,\"writers\":%u,\"fakewriters\":%u,"
		       "\"flavors\":[", PACKAGE_VERSION, FORMAT, (unsigned long long)t->o.seed, t->o.seconds,
		       t->o.readers, t->o.writers, t->o.fakewriters);
		for (unsigned i = 0; i < t->nbeds; i++)
			printf("%s\"%s\"", i ? "," : "", t->beds[i]->name);
		puts("]}");
	} else if (!t->o.quiet) {
		printf("torture for %g s, seed %llu; in each domain %u readers, %u writers, %u fake writers, "
		       "a flood, threads that come and go\n", t->o.seconds, (unsigned long long)t->o.seed,
		       t->o.readers, t->o.writers, t->o.fakewriters);
	}
	fflush(stdout);
}

void report_stat(const struct torture *t)
{
	if (t->o.quiet)
		return;
	for (unsigned i = 0; i < t->nbeds; i++)
		if (t->o.json)
			json_stat(t, t->beds[i]);
		else
			stat_line(t, t->beds[i]);
	/* who reads shall see it now; if nobody can, that is said at the end */
	fflush(stdout);
}

void report_verdict(const struct torture *t, enum verdict v, int status)
{
	static const char *const names[] = {
		[VERDICT_OK] = "ok", [VERDICT_FAILURE] = "failure",
		[VERDICT_INTERRUPTED] = "interrupted", [VERDICT_ERROR] = "error",
	};

	report_stat(t);
	if (v == VERDICT_ERROR) {
		fflush(stdout);
		fprintf(stderr, "srcush: %s\n", t->error);
	}
	if (!t->o.json) {
		if (v == VERDICT_FAILURE)
			printf("FAILURE: %s domain: %s\n", t->failed_bed ? t->failed_bed->name : "a",
			       t->failure);
		else
			printf("%s\n", v == VERDICT_OK ? "ok: no failure" :
			       v == VERDICT_INTERRUPTED ? "interrupted; no failure until then" : "ended by an error");
		fflush(stdout);
		return;
	}
	printf("{\"type\":\"verdict\",\"verdict\":\"%s\",\"status\":%d,\"seconds\":%.3f,\"seed\":%llu",
	       names[v], status, elapsed(t), (unsigned long long)t->o.seed);
	if (v == VERDICT_FAILURE && t->failed_bed)
		printf(",\"flavor\":\"%s\"", t->failed_bed->name);
	if (v == VERDICT_FAILURE || v == VERDICT_ERROR) {
		printf(",\"message\":");
		json_string(v == VERDICT_ERROR ? t->error : t->failure);
	}
	puts("}");
	fflush(stdout);
}
