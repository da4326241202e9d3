/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line: `srcush [options] [script [args]]`, as of lua, and
 * `srcush SUBCOMMAND [options] FILE ...`.
 */
#ifndef SRCUSH_REPL_OPTIONS_H
#define SRCUSH_REPL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum command {
	CMD_SCRIPT, CMD_RUN, CMD_STEP, CMD_REPLAY, CMD_EXPLORE, CMD_COMPARE, CMD_LITMUS, CMD_TORTURE, CMD_BENCH,
	CMD_STRESS
};
enum color_when { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

struct options {
	enum command command;
	bool fiber, carrier_given;	/* --carrier */
	enum color_when color;
	unsigned cpus;			/* 0: not given */
	bool has_seed;
	uint64_t seed;
	uint64_t max_steps;		/* 0: not given */
	bool quiet;
	bool no_env;			/* -E */
	bool json;			/* --json: all subcommands */

	const char *model;	/* NULL: sc */
	const char *kernel;		/* --kernel: a directory, or NULL */
	const char *kernel2;		/* compare: the second one */

	const char *lockdep;		/* replay, explore; NULL: not given */

	/* explore; 0 or NULL: not given */
	const char *strategy, *save;
	uint64_t max_executions, depth, jobs, show;
	bool has_preemptions, keep_going;
	uint64_t preemptions;
	double time;			/* seconds */

	bool promises;			/* explore, litmus */
	bool ideal, rcu_as_srcu;	/* litmus */

	/* plain scripts */
	bool interactive, version, warnings; /* -i -v -W */
	bool has_exec, has_lib;		/* an -e, an -l was given */
	int first, last;		/* argv[first..last-1]: where -e and -l stand */
	int script;			/* index of the script in argv, or 0: none */

	/* subcommands */
	int rest;			/* torture: where its own options begin in argv */
	const char *file;		/* FILE[:NAME] */
	const char **files;		/* litmus: all of them; bench: its names; malloced */
	size_t nfiles;
	char *schedule;			/* replay, compare: its words, malloced */
};

/*
 * Fills `o`.  Returns -1 when the command is to be carried out, else the exit
 * status: --help and --version are answered here, mistakes reported.
 */
int options_parse(struct options *o, int argc, char **argv);

/* The subcommand that a script which is not there may have been meant as; NULL: none. */
const char *options_meant(const char *word);

void options_release(struct options *o);

/* Prints "srcush 0.1.0 (Lua 5.4.4, ...)". */
void options_version(void);

#endif
