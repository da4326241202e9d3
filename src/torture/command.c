/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `srcush torture`, the command line.  It stands apart from that of the other subcommands
 * because there is no scenario, no world and no Lua here.
 */
#include <config.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "repl/nearest.h"
#include "repl/options.h"
#include "repl/status.h"
#include "torture/torture.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define SECONDS_MAX 1e9

static const char help[] =
	"Usage: srcush torture [options]\n"
	"\n"
	"Puts libsrcu under load on the machine's own CPUs, with all that it offers used at\n"
	"once, and checks that no grace period ends too early or never: elements that were\n"
	"removed pass one stage of a pipe with each grace period, and a reader that sees one\n"
	"further on than its own section allows is a failure.\n"
	"\n"
	"  --time SECONDS           how long (10)\n"
	"  --flavor normal|fast|both\n"
	"                           the kind of readers, each with a domain of its own (both)\n"
	"  --readers N              threads that read in each domain, 0..1024 (2)\n"
	"  --writers N              threads that replace elements, 1..1024 (2)\n"
	"  --fakewriters N          threads that only ask for grace periods, 0..1024 (2)\n"
	"  --seed N                 of the threads' random decisions; without it another one\n"
	"                           each time, which is printed\n"
	"  --stat-interval SECONDS  between statistics (2); 0: only at the end\n"
	"  --stall SECONDS          after waiting so long for a grace period, have the readers\n"
	"                           leave; it is a failure if that does not help (10)\n"
	"  --json                   one JSON object a line; see srcush(1)\n"
	"  --quiet                  only the verdict\n"
	"  --help, --version\n"
	"\n"
	"Exit status: 0 no failure; 1 an error (no memory, no thread); 2 usage; 3 a failure;\n"
	"130 interrupted.\n";

static int bad_usage(void)
{
	fputs("Try 'srcush torture --help'.\n", stderr);
	return STATUS_USAGE;
}

static int get_seconds(const char *name, const char *v, bool zero, double *out)
{
	char *end;

	*out = strtod(v, &end);
	if (((*v >= '0' && *v <= '9') || *v == '.') && !*end && *out < SECONDS_MAX &&
	    (zero ? *out >= 0 : *out > 0))
		return -1;
	complain("option '--%s' needs a number of seconds%s, not '%s'", name,
		 zero ? "" : ", more than 0", v);
	return bad_usage();
}

static int get_number(const char *name, const char *v, uint64_t lo, uint64_t hi, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = *v >= '0' && *v <= '9' ? strtoull(v, &end, 0) : 0;
	if (*v >= '0' && *v <= '9' && !errno && !*end && *out >= lo && *out <= hi)
		return -1;
	if (hi == UINT64_MAX)
		complain("option '--%s' needs a number from %llu, not '%s'", name,
			 (unsigned long long)lo, v);
	else
		complain("option '--%s' needs a number from %llu to %llu, not '%s'", name,
			 (unsigned long long)lo, (unsigned long long)hi, v);
	return bad_usage();
}

static int get_threads(const char *name, const char *v, unsigned lo, unsigned *out)
{
	uint64_t n = 0;
	int r = get_number(name, v, lo, TORTURE_THREADS_MAX, &n);

	*out = (unsigned)n;
	return r;
}

static int get_flavor(const char *v, unsigned *out)
{
	*out = !strcmp(v, "normal") ? TORTURE_NORMAL : !strcmp(v, "fast") ? TORTURE_FAST :
		!strcmp(v, "both") ? TORTURE_NORMAL | TORTURE_FAST : 0;
	if (*out)
		return -1;
	complain("unknown flavor '%s' (normal, fast or both)", v);
	return bad_usage();
}

enum opt {
	OPT_TIME, OPT_FLAVOR, OPT_READERS, OPT_WRITERS, OPT_FAKEWRITERS, OPT_SEED,
	OPT_STAT_INTERVAL, OPT_STALL, OPT_JSON, OPT_QUIET, OPT_HELP, OPT_VERSION
};
#define OPT_FIRST_FLAG OPT_JSON	/* from there on they take no value */
static const char *const opt_names[] = {
	"time", "flavor", "readers", "writers", "fakewriters", "seed", "stat-interval",
	"stall", "json", "quiet", "help", "version",
};

static int set_value(struct torture_opts *o, enum opt opt, const char *v)
{
	const char *name = opt_names[opt];

	switch (opt) {
	case OPT_TIME:
		return get_seconds(name, v, false, &o->seconds);
	case OPT_FLAVOR:
		return get_flavor(v, &o->kinds);
	case OPT_READERS:
		return get_threads(name, v, 0, &o->readers);
	case OPT_WRITERS:
		return get_threads(name, v, 1, &o->writers);
	case OPT_FAKEWRITERS:
		return get_threads(name, v, 0, &o->fakewriters);
	case OPT_SEED:
		return get_number(name, v, 0, UINT64_MAX, &o->seed);
	case OPT_STAT_INTERVAL:
		return get_seconds(name, v, true, &o->stat_interval);
	default:
		return get_seconds(name, v, false, &o->stall);
	}
}

static int set_flag(struct torture_opts *o, enum opt opt)
{
	switch (opt) {
	case OPT_HELP:
		fputs(help, stdout);
		return STATUS_OK;
	case OPT_VERSION:
		options_version();
		return STATUS_OK;
	case OPT_JSON:
		o->json = true;
		return -1;
	default:
		o->quiet = true;
		return -1;
	}
}

static int unknown(const char *word, size_t len)
{
	const char *near = nearest(word + 2, len, opt_names, COUNT(opt_names));

	if (near)
		complain("unknown option '%s'; did you mean '--%s'?", word, near);
	else
		complain("unknown option '%s'", word);
	return bad_usage();
}

/* The option argv[*i]; *i is moved over its value.  -1: go on. */
static int parse_option(struct torture_opts *o, int argc, char **argv, int *i)
{
	const char *word = argv[*i], *arg = word + 2, *value;
	size_t len = strcspn(arg, "="), n = 0;

	while (n < COUNT(opt_names) && (strlen(opt_names[n]) != len || strncmp(arg, opt_names[n], len)))
		n++;
	if (n == COUNT(opt_names))
		return unknown(word, len);
	value = arg[len] ? arg + len + 1 : NULL;
	if (n >= OPT_FIRST_FLAG) {
		if (!value)
			return set_flag(o, (enum opt)n);
		complain("option '--%s' takes no value", opt_names[n]);
		return bad_usage();
	}
	if (!value && *i + 1 >= argc) {
		complain("option '%s' needs a value", word);
		return bad_usage();
	}
	return set_value(o, (enum opt)n, value ? value : argv[++*i]);
}

static int parse(struct torture_opts *o, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		int r;

		if (strncmp(argv[i], "--", 2)) {
			complain(argv[i][0] == '-' ? "unknown option '%s'" : "torture takes no file: what is '%s'?",
				 argv[i]);
			return bad_usage();
		}
		r = parse_option(o, argc, argv, &i);
		if (r >= 0)
			return r;
	}
	return -1;
}

static uint64_t any_seed(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ((uint64_t)ts.tv_nsec << 20 ^ (uint64_t)ts.tv_sec ^ (uint64_t)getpid()) & 0xffffffff;
}

/* Once is a wish, twice an order. */
static void on_interrupt(int sig)
{
	(void)sig;
	torture_interrupt();
}

int torture_command(int argc, char **argv)
{
	struct torture_opts o = TORTURE_DEFAULTS;
	struct sigaction sa = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };
	int r;

	o.seed = any_seed();
	r = parse(&o, argc, argv);
	if (r >= 0)
		return r;
	sigaction(SIGINT, &sa, NULL);
	return torture_run(&o);
}
