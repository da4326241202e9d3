/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line: see options.h.  Options that other versions of srcush know
 * are told apart from those that none knows.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lua.h>
#ifdef HAVE_READLINE
#include <readline/readline.h>
#endif

#include "engine/world.h"
#include "repl/nearest.h"
#include "repl/options.h"
#include "repl/status.h"

static const struct {
	const char *name;
	int command;		/* -1: not in this version */
	const char *usage;
} commands[] = {
	{ "run", CMD_RUN, "srcush run [options] FILE[:NAME]" },
	{ "step", CMD_STEP, "srcush step [options] FILE[:NAME]" },
	{ "replay", CMD_REPLAY, "srcush replay [options] FILE[:NAME] SCHEDULE" },
	{ "explore", -1, NULL }, { "stress", -1, NULL }, { "litmus", -1, NULL },
	{ "torture", -1, NULL }, { "bench", -1, NULL }, { "compare", -1, NULL },
};

/* Options of subcommands that this version does not have. */
static const char *const later[] = {
	"strategy", "max-executions", "preemptions", "depth", "promises", "lockdep",
	"time", "jobs", "keep-going", "save", "kernel",
};

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const char help_common[] =
	"  --carrier pthread|fiber  what threads run on: OS threads (the default) or\n"
	"                           stacks that srcush switches itself\n"
	"  --cpus N                 virtual CPUs of the (first) world, 1..4096\n"
	"  --color auto|always|never\n"
	"                           colours; auto: on a terminal, unless NO_COLOR is set\n"
	"  --model sc               the memory model; sc is the only one in this version\n"
	"  -E                       ignore LUA_INIT, LUA_PATH ... and init.lua\n"
	"  --help, --version\n";

static const char help_status[] =
	"\n"
	"Exit status: 0 all well; 1 an uncaught error; 2 usage, unreadable or malformed\n"
	"input; 3 a violation was found; 4 a bound was hit; 130 interrupted.\n";

static void help_main(FILE *f)
{
	fputs("Usage: srcush [options] [script [args]]\n"
	      "       srcush run    [options] FILE[:NAME]\n"
	      "       srcush step   [options] FILE[:NAME]\n"
	      "       srcush replay [options] FILE[:NAME] SCHEDULE\n"
	      "\n"
	      "A laboratory for Sleepable RCU.  Without a script: the shell, or a script from\n"
	      "standard input when that is no terminal.\n"
	      "\n"
	      "  -e STAT                  execute the string STAT\n"
	      "  -i                       enter the shell after the script\n"
	      "  -l NAME                  require library NAME into global NAME\n"
	      "  -v                       print the version\n"
	      "  -W                       turn Lua's warnings on\n"
	      "  --                       stop handling options\n"
	      "  -                        execute standard input\n", f);
	fputs(help_common, f);
	fputs("  --quiet                  no greeting\n", f);
	fputs("\n'srcush SUBCOMMAND --help' says more about each; 'help()' in the shell\n"
	      "explains the vocabulary, and so does srcush-lua(3).\n", f);
	fputs(help_status, f);
}

static void help_command(enum command c)
{
	printf("Usage: %s\n\n", commands[c - CMD_RUN].usage);
	switch (c) {
	case CMD_RUN:
		puts("Runs the scenario once and prints the timeline and the outcome.  FILE returns a\n"
		     "function, or a table of named functions: all of them run, in the order of\n"
		     "their names, unless NAME picks one.\n");
		break;
	case CMD_STEP:
		puts("Enters the shell with the scenario loaded and parked at its start.\n");
		break;
	default:
		puts("Runs exactly the schedule (as schedule() and every violation print it, or @FILE\n"
		     "to read it from a file), and prints the timeline and the outcome.\n");
		break;
	}
	if (c == CMD_RUN)
		fputs("  --seed N                 choose among the threads at random, from seed N;\n"
		      "                           without it they take turns\n"
		      "  --max-steps N            stop after N steps (status 4)\n", stdout);
	if (c == CMD_STEP)
		fputs("  --quiet                  no greeting\n", stdout);
	else
		fputs("  --quiet                  no timeline, only the outcome\n", stdout);
	fputs("  --json                   write events, violations and the outcome to standard\n"
	      "                           output as JSON, one object a line; see srcush(1)\n", stdout);
	fputs(help_common, stdout);
	fputs(help_status, stdout);
}

void options_version(void)
{
	printf("srcush %s (%s", PACKAGE_VERSION, LUA_RELEASE);
#ifdef HAVE_READLINE
	printf(", readline %s", rl_library_version);
#endif
	puts(")");
}

static int bad_usage(const char *fmt, const char *a, const char *b)
{
	/* the formats are the literals below */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	complain(fmt, a, b);
#pragma GCC diagnostic pop
	fputs("Try 'srcush --help'.\n", stderr);
	return STATUS_USAGE;
}

static bool parse_number(const char *s, uint64_t lo, uint64_t hi, uint64_t *out)
{
	char *end;

	errno = 0;
	if (*s < '0' || *s > '9')
		return false;
	*out = strtoull(s, &end, 0);
	return !errno && !*end && *out >= lo && *out <= hi;
}

static int need_number(const char *name, const char *s, uint64_t lo, uint64_t hi, uint64_t *out)
{
	if (parse_number(s, lo, hi, out))
		return -1;
	if (hi == UINT64_MAX)
		complain("option '--%s' needs a number from %llu, not '%s'", name,
			 (unsigned long long)lo, s);
	else
		complain("option '--%s' needs a number from %llu to %llu, not '%s'", name,
			 (unsigned long long)lo, (unsigned long long)hi, s);
	fputs("Try 'srcush --help'.\n", stderr);
	return STATUS_USAGE;
}

/* Options with a value that every command takes; -2: none of them. */
static int set_common(struct options *o, const char *name, const char *v)
{
	uint64_t n;
	int r;

	if (!strcmp(name, "carrier")) {
		o->fiber = !strcmp(v, "fiber");
		o->carrier_given = true;
		if (!o->fiber && strcmp(v, "pthread"))
			return bad_usage("unknown carrier '%s' (pthread or fiber)", v, NULL);
	} else if (!strcmp(name, "color")) {
		if (!strcmp(v, "auto"))
			o->color = COLOR_AUTO;
		else if (!strcmp(v, "always"))
			o->color = COLOR_ALWAYS;
		else if (!strcmp(v, "never"))
			o->color = COLOR_NEVER;
		else
			return bad_usage("unknown colour setting '%s' (auto, always or never)", v, NULL);
	} else if (!strcmp(name, "cpus")) {
		r = need_number(name, v, 1, WORLD_CPUS_MAX, &n);
		o->cpus = n;
		return r;
	} else if (!strcmp(name, "model")) {
		if (strcmp(v, "sc"))
			return bad_usage(!strcmp(v, "tso") || !strcmp(v, "weak") ?
					 "memory model '%s' is not in this version (sc is)" :
					 "unknown memory model '%s' (sc)", v, NULL);
	} else {
		return -2;
	}
	return -1;
}

static int set_run(struct options *o, const char *name, const char *v)
{
	if (!strcmp(name, "seed")) {
		o->has_seed = true;
		return need_number(name, v, 0, UINT64_MAX, &o->seed);
	}
	return need_number(name, v, 1, UINT64_MAX, &o->max_steps);
}

/* What is not known, argv's word, and what may have been meant. */
static int unknown_long(const char *word, size_t len)
{
	static const char *const names[] = {
		"carrier", "color", "cpus", "model", "seed", "max-steps", "quiet", "json", "help",
		"version",
	};
	const char *near = nearest(word + 2, len, names, COUNT(names));

	if (near)
		return bad_usage("unknown option '%s'; did you mean '--%s'?", word, near);
	return bad_usage("unknown option '%s'", word, NULL);
}

static bool is_one_of(const char *name, size_t len, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(list[i]) == len && !strncmp(name, list[i], len))
			return true;
	return false;
}

/* A long option, argv[*i]; *i is moved over its value. */
static int parse_long(struct options *o, int argc, char **argv, int *i)
{
	static const char *const common[] = { "carrier", "color", "cpus", "model" };
	static const char *const run[] = { "seed", "max-steps" };
	const char *arg = argv[*i] + 2;
	size_t len = strcspn(arg, "=");
	const char *value = arg[len] ? arg + len + 1 : NULL;
	bool is_run = is_one_of(arg, len, run, COUNT(run));
	char name[32];

	if (is_one_of(arg, len, later, COUNT(later)))
		return bad_usage("option '%s' is not in this version", argv[*i], NULL);
	if (!value && !strcmp(arg, "quiet"))
		return o->quiet = true, -1;
	if (!value && !strcmp(arg, "json")) {
		if (o->command == CMD_SCRIPT)
			return bad_usage("option '--json' is for run, step and replay and stands "
					 "behind them", NULL, NULL);
		return o->json = true, -1;
	}
	if (!value && !strcmp(arg, "help")) {
		if (o->command == CMD_SCRIPT)
			help_main(stdout);
		else
			help_command(o->command);
		return STATUS_OK;
	}
	if (!value && !strcmp(arg, "version"))
		return options_version(), STATUS_OK;
	if (!is_run && !is_one_of(arg, len, common, COUNT(common)))
		return unknown_long(argv[*i], len);
	if (is_run && o->command != CMD_RUN)
		return bad_usage("option '%s' is for 'srcush run' and stands behind it", argv[*i], NULL);
	if (!value && *i + 1 >= argc)
		return bad_usage("option '%s' needs a value", argv[*i], NULL);
	if (!value)
		value = argv[++*i];
	snprintf(name, sizeof(name), "%.*s", (int)len, arg);
	return is_run ? set_run(o, name, value) : set_common(o, name, value);
}

/* A short option as lua has them. */
static int parse_short(struct options *o, int argc, char **argv, int *i)
{
	const char *arg = argv[*i];

	if (arg[1] == 'e' || arg[1] == 'l') {
		o->has_exec |= arg[1] == 'e';
		o->has_lib |= arg[1] == 'l';
		if (!arg[2] && ++*i >= argc)
			return bad_usage("option '%s' needs a value", arg, NULL);
		return -1;
	}
	if (arg[2])
		return bad_usage("unknown option '%s'", arg, NULL);
	switch (arg[1]) {
	case 'E':
		o->no_env = true;
		return -1;
	case 'i':
		return o->interactive = true, -1;
	case 'v':
		return o->version = true, -1;
	case 'W':
		return o->warnings = true, -1;
	}
	return bad_usage("unknown option '%s'", arg, NULL);
}

static int parse_plain(struct options *o, int argc, char **argv)
{
	int i = 1;

	o->first = 1;
	for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		int r;

		if (!strcmp(argv[i], "--")) {
			o->last = i++;
			o->script = i < argc ? i : 0;
			return -1;
		}
		r = argv[i][1] == '-' ? parse_long(o, argc, argv, &i) :
			parse_short(o, argc, argv, &i);
		if (r >= 0)
			return r;
	}
	o->last = i;
	o->script = i < argc ? i : 0;
	return -1;
}

/* A schedule that was not quoted comes as several words. */
static int add_schedule(struct options *o, const char *word)
{
	size_t len = o->schedule ? strlen(o->schedule) : 0;
	char *s = realloc(o->schedule, len + strlen(word) + 2);

	if (!s) {
		complain("not enough memory");
		return STATUS_ERROR;
	}
	o->schedule = s;
	if (len)
		s[len++] = ' ';
	strcpy(s + len, word);
	return -1;
}

void options_release(struct options *o)
{
	free(o->schedule);
}

/* The subcommand's own options stand anywhere after its name. */
static int parse_command(struct options *o, int argc, char **argv, int i)
{
	bool only_words = false;

	for (; i < argc; i++) {
		int r = -1;

		if (!only_words && !strcmp(argv[i], "--"))
			only_words = true;
		else if (!only_words && !strncmp(argv[i], "--", 2))
			r = parse_long(o, argc, argv, &i);
		else if (!only_words && !strcmp(argv[i], "-E"))
			o->no_env = true;
		else if (!only_words && argv[i][0] == '-' && argv[i][1])
			r = bad_usage("unknown option '%s'", argv[i], NULL);
		else if (!o->file)
			o->file = argv[i];
		else if (o->command == CMD_REPLAY)
			r = add_schedule(o, argv[i]);
		else
			r = bad_usage("one file at a time: what is '%s'?", argv[i], NULL);
		if (r >= 0)
			return r;
	}
	if (!o->file)
		return bad_usage("which file? usage: %s", commands[o->command - CMD_RUN].usage, NULL);
	if (o->command == CMD_REPLAY && !o->schedule)
		return bad_usage("which schedule? usage: %s", commands[o->command - CMD_RUN].usage, NULL);
	return -1;
}

const char *options_meant(const char *word)
{
	const char *names[COUNT(commands)];
	size_t n = 0;

	for (size_t c = 0; c < COUNT(commands); c++)
		if (commands[c].command >= 0)
			names[n++] = commands[c].name;
	return nearest(word, strlen(word), names, n);
}

int options_parse(struct options *o, int argc, char **argv)
{
	int r;

	*o = (struct options){ .command = CMD_SCRIPT };
	r = parse_plain(o, argc, argv);
	if (r >= 0 || !o->script || !strcmp(argv[o->last], "--"))
		return r;
	for (size_t c = 0; c < COUNT(commands); c++) {
		if (strcmp(argv[o->script], commands[c].name))
			continue;
		if (commands[c].command < 0)
			return bad_usage("subcommand '%s' is not in this version", commands[c].name, NULL);
		if (o->has_exec || o->has_lib || o->interactive || o->version)
			return bad_usage("options -e, -i, -l and -v do not go with '%s'",
					 commands[c].name, NULL);
		o->command = commands[c].command;
		return parse_command(o, argc, argv, o->script + 1);
	}
	return -1;
}
