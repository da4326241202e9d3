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
#include "memory/model.h"
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
	{ "explore", CMD_EXPLORE, "srcush explore [options] FILE[:NAME]" },
	{ "compare", CMD_COMPARE, "srcush compare --kernel DIR [--kernel DIR2] FILE[:NAME] [SCHEDULE]" },
	{ "litmus", CMD_LITMUS, "srcush litmus [options] FILE..." },
	{ "torture", CMD_TORTURE, "srcush torture [options]" },
	{ "bench", CMD_BENCH, "srcush bench [options] [NAME...]" },
	{ "stress", CMD_STRESS, "srcush stress [options] FILE[:NAME]" },
};

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const char help_common[] =
	"  --carrier pthread|fiber  what threads run on: OS threads (the default) or\n"
	"                           stacks that srcush switches itself\n"
	"  --cpus N                 virtual CPUs of the (first) world, 1..4096\n"
	"  --color auto|always|never\n"
	"                           colours; auto: on a terminal, unless NO_COLOR is set\n"
	"  --model sc|tso|weak      the memory model (default sc)\n"
	"  -E                       ignore LUA_INIT, LUA_PATH ... and init.lua\n"
	"  --help, --version\n";

static const char help_kernel[] =
	"  --kernel DIR             domains are made of the kernel's own SRCU, compiled\n"
	"                           from the Linux source tree in DIR\n";
/* The same for litmus tests, which say themselves what they run on. */
static const char help_litmus[] =
	"  --model sc|tso|weak      the memory model (default sc)\n"
	"  --help, --version\n";

static const char help_status[] =
	"\n"
	"Exit status: 0 all well; 1 an uncaught error; 2 usage, unreadable or malformed\n"
	"input; 3 a violation, or a difference, was found; 4 a bound was hit; 130\n"
	"interrupted.\n";

static void help_main(FILE *f)
{
	fputs("Usage: srcush [options] [script [args]]\n"
	      "       srcush run    [options] FILE[:NAME]\n"
	      "       srcush step   [options] FILE[:NAME]\n"
	      "       srcush replay [options] FILE[:NAME] SCHEDULE\n"
	      "       srcush explore [options] FILE[:NAME]\n"
	      "       srcush compare --kernel DIR [options] FILE[:NAME]\n"
	      "       srcush litmus [options] FILE...\n"
	      "       srcush stress [options] FILE[:NAME]\n"
	      "       srcush torture [options]\n"
	      "       srcush bench [options] [NAME...]\n"
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
	fputs(help_kernel, f);
	fputs(help_common, f);
	fputs("  --quiet                  no greeting\n", f);
	fputs("\n'srcush SUBCOMMAND --help' says more about each; 'help()' in the shell\n"
	      "explains the vocabulary, and so does srcush-lua(3).\n", f);
	fputs(help_status, f);
}

static const char help_explore[] =
	"  --strategy dpor|random|pct|naive\n"
	"                           dpor (the default): every interleaving that differs in\n"
	"                           more than the order of independent steps, once; random\n"
	"                           and pct: samples; naive: every interleaving\n"
	"  --seed N                 random, pct: the seed of the first execution\n"
	"  --depth N                pct: bugs of that depth are looked for (3)\n"
	"  --max-executions N       stop after N executions (random, pct: 10000)\n"
	"  --max-steps N            cut each execution after N steps (100000)\n"
	"  --preemptions N          no execution with more than N preemptions\n"
	"  --promises               --model weak: load buffering, too\n"
	"  --time SECONDS           stop after so long\n"
	"  --jobs N                 work in N processes\n"
	"  --keep-going             look for all violations, not only for the first\n"
	"  --save FILE              write the schedule of the violation to FILE\n"
	"  --show N                 print the timeline of the N-th complete execution\n";

static const char help_compare[] =
	"  --kernel DIR             srcush's own SRCU against that of the tree in DIR;\n"
	"                           given twice: those of two trees\n"
	"  --seed N                 the seed of the first schedule (1); the next has N+1\n"
	"  --max-executions N       so many schedules of each scenario (100)\n"
	"  --keep-going             go on after a difference\n";

static const char help_bench[] =
	"Measures libsrcu, which runs at full speed on threads of the system, beside liburcu and\n"
	"POSIX locks, round by round in turn, and prints medians and ratios.  NAME picks\n"
	"benchmarks; without any, all run:\n\n"
	"  read                     what a pair of lock and unlock costs\n"
	"  gp                       how long a grace period takes\n"
	"  callers                  calls that wait for a grace period, per second\n"
	"  call                     callbacks posted and invoked, per second\n"
	"\n"
	"  --time SECONDS           measure so long for each (10)\n"
	"  --quiet                  tables only\n"
	"  --json                   write the figures to standard output as JSON, one object\n"
	"                           a line; see srcush(1)\n"
	"  --help, --version\n";

static void help_command(enum command c)
{
	printf("Usage: %s\n\n", commands[c - CMD_RUN].usage);
	if (c == CMD_BENCH) {
		fputs(help_bench, stdout);
		fputs(help_status, stdout);
		return;
	}
	switch (c) {
	case CMD_RUN:
		puts("Runs the scenario once and prints the timeline and the outcome.  FILE returns a\n"
		     "function, or a table of named functions: all of them run, in the order of\n"
		     "their names, unless NAME picks one.\n");
		break;
	case CMD_STEP:
		puts("Enters the shell with the scenario loaded and parked at its start.\n");
		break;
	case CMD_EXPLORE:
		puts("Tries every interleaving of the scenario and says ok (nothing was left out, and\n"
		     "nothing is wrong), violation (with the shortest way to it that was found) or\n"
		     "incomplete (a bound was hit).  FILE is as for 'srcush run'.\n");
		break;
	case CMD_COMPARE:
		puts("Runs the scenario twice on the same schedules, with two implementations of SRCU,\n"
		     "and shows what they differ in first.  A schedule says who makes the next call of\n"
		     "the kernel, or a worker the next pass; what can be seen after each is compared.\n"
		     "SCHEDULE, as it is printed with a difference: only that one.\n");
		break;
	case CMD_LITMUS:
		puts("Runs litmus tests as the kernel's memory model has them, with all executions that\n"
		     "the memory model allows, and prints the final states in herd7's form.  What a\n"
		     "test says of itself (Result: Never) is compared with what was seen.\n\n"
		     "  --srcu tree|ideal        what a struct srcu_struct is: the kernel's tree SRCU\n"
		     "                           (the default), or nothing but what SRCU guarantees\n"
		     "  --rcu-as-srcu            RCU is an srcu_struct, too; without it RCU is ideal\n"
		     "  --promises               --model weak: load buffering, too\n"
		     "  --time SECONDS           stop each test after so long (10)");
		break;
	case CMD_STRESS:
		puts("Runs the scenario's threads on OS threads with libsrcu, over and over, randomly\n"
		     "delayed at the primitives, until something is wrong or the time is over.  That\n"
		     "nothing was seen is no proof: 'srcush explore' gives one.\n\n"
		     "  --time SECONDS           stop after so long (5)\n"
		     "  --seed N                 of the delays (1)");
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
	if (c == CMD_EXPLORE)
		fputs(help_explore, stdout);
	if (c == CMD_COMPARE)
		fputs(help_compare, stdout);
	if (c == CMD_STEP)
		fputs("  --quiet                  no greeting\n", stdout);
	else if (c == CMD_COMPARE)
		fputs("  --quiet                  say only whether there is a difference\n", stdout);
	else if (c == CMD_LITMUS)
		fputs("  --quiet                  only the observations\n", stdout);
	else if (c == CMD_EXPLORE)
		fputs("  --quiet                  no progress, no timelines, no figures\n", stdout);
	else if (c == CMD_STRESS)
		fputs("  --quiet                  only the verdicts\n", stdout);
	else
		fputs("  --quiet                  no timeline, only the outcome\n", stdout);
	if (c == CMD_REPLAY || c == CMD_EXPLORE)
		fputs("  --lockdep 6.1|6.12       which kernel's rules for the order of locks (6.12)\n",
		      stdout);
	fputs(c == CMD_LITMUS ?
	      "  --json                   write what each test showed to standard output as JSON,\n"
	      "                           one object a line; see srcush(1)\n" :
	      "  --json                   write events, violations and the outcome to standard\n"
	      "                           output as JSON, one object a line; see srcush(1)\n", stdout);
	if (c != CMD_COMPARE)
		fputs(help_kernel, stdout);
	fputs(c == CMD_LITMUS ? help_litmus : help_common, stdout);
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
	if (hi >= INT64_MAX)
		complain("option '--%s' needs a number from %llu, not '%s'", name,
			 (unsigned long long)lo, s);
	else
		complain("option '--%s' needs a number from %llu to %llu, not '%s'", name,
			 (unsigned long long)lo, (unsigned long long)hi, s);
	fputs("Try 'srcush --help'.\n", stderr);
	return STATUS_USAGE;
}

/* --- long options --- */

static int set_carrier(struct options *o, const char *name, const char *v)
{
	(void)name;
	o->fiber = !strcmp(v, "fiber");
	o->carrier_given = true;
	if (!o->fiber && strcmp(v, "pthread"))
		return bad_usage("unknown carrier '%s' (pthread or fiber)", v, NULL);
	return -1;
}

static int set_color(struct options *o, const char *name, const char *v)
{
	(void)name;
	if (!strcmp(v, "auto"))
		o->color = COLOR_AUTO;
	else if (!strcmp(v, "always"))
		o->color = COLOR_ALWAYS;
	else if (!strcmp(v, "never"))
		o->color = COLOR_NEVER;
	else
		return bad_usage("unknown colour setting '%s' (auto, always or never)", v, NULL);
	return -1;
}

static int set_cpus(struct options *o, const char *name, const char *v)
{
	uint64_t n = 0;
	int r = need_number(name, v, 1, WORLD_CPUS_MAX, &n);

	o->cpus = (unsigned)n;
	return r;
}

static int set_model(struct options *o, const char *name, const char *v)
{
	(void)name;
	if (!memory_model_by_name(v))
		return bad_usage("unknown memory model '%s' (sc, tso, weak)", v, NULL);
	o->model = v;
	return -1;
}

static int set_kernel(struct options *o, const char *name, const char *v)
{
	if (!*v)
		return bad_usage("option '--%s' needs the directory of a kernel tree", name, NULL);
	if (o->command == CMD_COMPARE && o->kernel && !o->kernel2) {
		o->kernel2 = v;
		return -1;
	}
	if (o->kernel)
		return bad_usage(o->kernel2 ?
				 "two kernel trees at a time: '--%s %s' is one too many" :
				 "one kernel tree at a time: '--%s %s' is one too many", name, v);
	o->kernel = v;
	return -1;
}

static int set_seed(struct options *o, const char *name, const char *v)
{
	o->has_seed = true;
	return need_number(name, v, 0, UINT64_MAX, &o->seed);
}

static int set_max_steps(struct options *o, const char *name, const char *v)
{
	return need_number(name, v, 1, INT64_MAX, &o->max_steps);
}

static int set_max_executions(struct options *o, const char *name, const char *v)
{
	return need_number(name, v, 1, INT64_MAX, &o->max_executions);
}

static int set_preemptions(struct options *o, const char *name, const char *v)
{
	o->has_preemptions = true;
	return need_number(name, v, 0, 1000000, &o->preemptions);
}

static int set_depth(struct options *o, const char *name, const char *v)
{
	return need_number(name, v, 1, 1000, &o->depth);
}

static int set_jobs(struct options *o, const char *name, const char *v)
{
	return need_number(name, v, 1, 256, &o->jobs);
}

static int set_show(struct options *o, const char *name, const char *v)
{
	return need_number(name, v, 1, INT64_MAX, &o->show);
}

static int set_time(struct options *o, const char *name, const char *v)
{
	char *end;

	o->time = strtod(v, &end);
	if (((*v >= '0' && *v <= '9') || *v == '.') && !*end && o->time > 0 && o->time < 1e9)
		return -1;
	return bad_usage("option '--%s' needs a number of seconds, more than 0, not '%s'", name, v);
}

static int set_strategy(struct options *o, const char *name, const char *v)
{
	(void)name;
	o->strategy = v;
	if (strcmp(v, "dpor") && strcmp(v, "random") && strcmp(v, "pct") && strcmp(v, "naive"))
		return bad_usage("unknown strategy '%s' (dpor, random, pct or naive)", v, NULL);
	return -1;
}

static int set_lockdep(struct options *o, const char *name, const char *v)
{
	(void)name;
	o->lockdep = v;
	if (strcmp(v, "6.1") && strcmp(v, "6.12"))
		return bad_usage("unknown lockdep '%s' (6.1 or 6.12)", v, NULL);
	return -1;
}

static int set_save(struct options *o, const char *name, const char *v)
{
	o->save = v;
	return *v ? -1 : bad_usage("option '--%s' needs the name of a file", name, NULL);
}

static int set_srcu(struct options *o, const char *name, const char *v)
{
	(void)name;
	o->ideal = !strcmp(v, "ideal");
	if (!o->ideal && strcmp(v, "tree"))
		return bad_usage("unknown SRCU '%s' (tree, ideal)", v, NULL);
	return -1;
}

static int set_flag(struct options *o, const char *name, const char *v)
{
	(void)v;
	if (!strcmp(name, "quiet"))
		o->quiet = true;
	else if (!strcmp(name, "json"))
		o->json = true;
	else if (!strcmp(name, "rcu-as-srcu"))
		o->rcu_as_srcu = true;
	else if (!strcmp(name, "promises"))
		o->promises = true;
	else
		o->keep_going = true;
	return -1;
}

static int show_help(struct options *o, const char *name, const char *v)
{
	(void)name;
	(void)v;
	if (o->command == CMD_SCRIPT)
		help_main(stdout);
	else
		help_command(o->command);
	return STATUS_OK;
}

static int show_version(struct options *o, const char *name, const char *v)
{
	(void)o;
	(void)name;
	(void)v;
	options_version();
	return STATUS_OK;
}

#define FOR(c) (1u << (c))
#define FOR_ALL (~FOR(CMD_TORTURE))	/* which has its own */

static const struct long_option {
	const char *name;
	bool has_value;
	uint32_t commands;	/* that take it */
	int (*set)(struct options *o, const char *name, const char *v);
} long_options[] = {
	{ "carrier", true, FOR_ALL & ~FOR(CMD_LITMUS) & ~FOR(CMD_BENCH), set_carrier },
	{ "color", true, FOR_ALL & ~FOR(CMD_BENCH), set_color },
	{ "cpus", true, FOR_ALL & ~FOR(CMD_LITMUS) & ~FOR(CMD_BENCH), set_cpus },
	{ "kernel", true, FOR_ALL & ~FOR(CMD_BENCH), set_kernel },
	{ "model", true, FOR_ALL & ~FOR(CMD_BENCH), set_model },
	{ "quiet", false, FOR_ALL, set_flag },
	{ "help", false, FOR_ALL, show_help },
	{ "version", false, FOR_ALL, show_version },
	{ "json", false, FOR_ALL & ~FOR(CMD_SCRIPT), set_flag },
	{ "seed", true, FOR(CMD_RUN) | FOR(CMD_EXPLORE) | FOR(CMD_COMPARE) | FOR(CMD_STRESS), set_seed },
	{ "max-steps", true, FOR(CMD_RUN) | FOR(CMD_EXPLORE), set_max_steps },
	{ "strategy", true, FOR(CMD_EXPLORE), set_strategy },
	{ "max-executions", true, FOR(CMD_EXPLORE) | FOR(CMD_COMPARE), set_max_executions },
	{ "preemptions", true, FOR(CMD_EXPLORE), set_preemptions },
	{ "depth", true, FOR(CMD_EXPLORE), set_depth },
	{ "time", true, FOR(CMD_EXPLORE) | FOR(CMD_LITMUS) | FOR(CMD_BENCH) | FOR(CMD_STRESS), set_time },
	{ "srcu", true, FOR(CMD_LITMUS), set_srcu },
	{ "rcu-as-srcu", false, FOR(CMD_LITMUS), set_flag },
	{ "promises", false, FOR(CMD_EXPLORE) | FOR(CMD_LITMUS), set_flag },
	{ "jobs", true, FOR(CMD_EXPLORE), set_jobs },
	{ "keep-going", false, FOR(CMD_EXPLORE) | FOR(CMD_COMPARE), set_flag },
	{ "lockdep", true, FOR(CMD_REPLAY) | FOR(CMD_EXPLORE), set_lockdep },
	{ "save", true, FOR(CMD_EXPLORE), set_save },
	{ "show", true, FOR(CMD_EXPLORE), set_show },
};

/* What is not known, argv's word, and what may have been meant. */
static int unknown_long(const char *word, size_t len)
{
	const char *names[COUNT(long_options)], *near;

	for (size_t i = 0; i < COUNT(long_options); i++)
		names[i] = long_options[i].name;
	near = nearest(word + 2, len, names, COUNT(names));
	if (near)
		return bad_usage("unknown option '%s'; did you mean '--%s'?", word, near);
	return bad_usage("unknown option '%s'", word, NULL);
}

/* An option of subcommands, which stands elsewhere. */
static int misplaced(const struct long_option *opt, const char *word)
{
	char list[64] = "";
	size_t left = 0;

	for (size_t c = 0; c < COUNT(commands); c++)
		left += commands[c].command >= 0 && opt->commands & FOR(commands[c].command);
	for (size_t c = 0; c < COUNT(commands); c++) {
		size_t len = strlen(list);

		if (commands[c].command < 0 || !(opt->commands & FOR(commands[c].command)))
			continue;
		snprintf(list + len, sizeof(list) - len, "%s%s", commands[c].name,
			 left > 2 ? ", " : left == 2 ? " and " : "");
		left--;
	}
	return bad_usage("option '%s' is for %s and stands behind it", word, list);
}

/* A long option, argv[*i]; *i is moved over its value. */
static int parse_long(struct options *o, int argc, char **argv, int *i)
{
	const char *word = argv[*i], *arg = word + 2;
	size_t len = strcspn(arg, "="), n = 0;
	const char *value = arg[len] ? arg + len + 1 : NULL;
	const struct long_option *opt;

	while (n < COUNT(long_options) && (strlen(long_options[n].name) != len ||
					   strncmp(arg, long_options[n].name, len)))
		n++;
	opt = n < COUNT(long_options) ? &long_options[n] : NULL;
	if (!opt)
		return unknown_long(word, len);
	if (value && !opt->has_value)
		return bad_usage("option '--%s' takes no value", opt->name, NULL);
	if (!(opt->commands & FOR(o->command)))
		return misplaced(opt, word);
	if (opt->has_value && !value && *i + 1 >= argc)
		return bad_usage("option '%s' needs a value", word, NULL);
	if (opt->has_value && !value)
		value = argv[++*i];
	return opt->set(o, opt->name, value);
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

static int add_file(struct options *o, const char *word)
{
	const char **v = realloc(o->files, (o->nfiles + 1) * sizeof(*v));

	if (!v) {
		complain("not enough memory");
		return STATUS_ERROR;
	}
	o->files = v;
	v[o->nfiles++] = word;
	return -1;
}

void options_release(struct options *o)
{
	free(o->schedule);
	free(o->files);
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
		else if (o->command == CMD_LITMUS || o->command == CMD_BENCH)
			r = add_file(o, argv[i]);
		else if (!o->file)
			o->file = argv[i];
		else if (o->command == CMD_REPLAY || o->command == CMD_COMPARE)
			r = add_schedule(o, argv[i]);
		else
			r = bad_usage("one file at a time: what is '%s'?", argv[i], NULL);
		if (r >= 0)
			return r;
	}
	if (!o->file && !o->nfiles && o->command != CMD_BENCH)
		return bad_usage("which file? usage: %s", commands[o->command - CMD_RUN].usage, NULL);
	if (o->command == CMD_COMPARE && !o->kernel)
		return bad_usage("compare with what? --kernel DIR names a kernel tree, and twice two of them; "
				 "usage: %s", commands[o->command - CMD_RUN].usage, NULL);
	if (o->command == CMD_COMPARE && !o->carrier_given)
		o->fiber = true;	/* a run of it is many short ones */
	if (o->promises && strcmp(o->model ? o->model : o->command == CMD_LITMUS ? "sc" : "weak", "weak"))
		return bad_usage("'--promises' is for --model weak: the model '%s' has no load buffering",
				 o->model ? o->model : "sc", NULL);
	if (o->command == CMD_LITMUS && o->kernel && o->ideal)
		return bad_usage("--srcu ideal is no kernel's: it does not go with --kernel %s", o->kernel, NULL);
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
		o->rest = o->script + 1;
		if (o->command == CMD_TORTURE)
			return -1;	/* see torture/command.c */
		return parse_command(o, argc, argv, o->script + 1);
	}
	return -1;
}
