/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shell: it reads lines, runs them (on the driver, or on the focused
 * thread), prints what they give and what they found.  Its dot-commands and the
 * scenario files are in Lua (lua/shell.lua, lua/scenario.lua), on the functions
 * of native.c.
 */
#ifndef SRCUSH_REPL_SHELL_H
#define SRCUSH_REPL_SHELL_H

#include <stdbool.h>
#include <stdint.h>
#include <lua.h>

#include "repl/options.h"
#include "repl/status.h"

struct session;
struct task;

struct shell {
	lua_State *L;
	struct session *session;
	const struct options *opts;
	bool terminal;		/* a person types: prompt, history, colours */
	bool step_mode;		/* .step on */
	bool quit;		/* .quit */
	bool failed;		/* a line failed */
	bool violated;		/* a violation was seen */
	const char *line;	/* what is being evaluated, or NULL */
	char *repeat;		/* what an empty line repeats, or NULL */

	/* the focused thread, by identity: its struct changes at each rebuild */
	uint32_t focus;		/* 0: none */
	uint32_t seen;		/* the generation of the world that it is in */
	/* threads with a typed call that has not returned, and since which step */
	struct typed_call { uint32_t task; uint64_t at; } *calls;
	size_t ncalls;

	/* of which world, and how many of its violations have been printed */
	uint32_t generation;
	size_t printed;

	/* registry references */
	int lua_shell, lua_scenario, lua_pretty, lua_hint;
};

/* Loads the Lua parts; before any script may change the globals that they
 * take.  Raises on error. */
void shell_init(struct shell *sh, lua_State *L, const struct options *opts);
void shell_release(struct shell *sh);

/* Reads and runs lines until the end of input.  `scenario`: FILE[:NAME] to load
 * first, or NULL.  Interactive on a terminal; else silent, and the status says
 * whether a line failed. */
enum status shell_run(struct shell *sh, const char *scenario);

/* What an empty line repeats from now on; NULL: nothing. */
void shell_repeat(struct shell *sh, const char *line);

/* Runs the named function of lua/scenario.lua ("run", "replay") on `nargs`
 * arguments from the top of the stack; it gives the exit status. */
enum status shell_scenario(struct shell *sh, const char *fn, int nargs);
/* Calls fn(...) of lua/shell.lua on `nargs` values from the top of the stack, with
 * `nresults` results.  What it raises is popped: false. */
bool shell_ask(struct shell *sh, const char *fn, int nargs, int nresults);
/* --json: tells of what has happened since it was called last; nothing else. */
void shell_json_catch_up(struct shell *sh);
/* --json: an object {type=kind, text=} of the string on top, which stays there. */
void shell_json_text(struct shell *sh, const char *kind);
/* Pushes the options that lua/scenario.lua knows, as a table. */
void shell_push_options(struct shell *sh);

/* --- native.c --- */

/* Pushes the table of functions that the Lua parts need. */
void native_push(lua_State *L, struct shell *sh);
/* When steps were made and nothing can move any more: is that a violation?  No
 * task that has not run yet is made to. */
void native_stuck(struct shell *sh);
/* Prints the violations that have not been printed yet; `brief`: below a
 * timeline that shows their last steps. */
void native_violations(struct shell *sh, bool brief);

/* --- eval.c --- */

/* A line's result: it is incomplete when more lines are needed. */
enum eval { EVAL_OK, EVAL_FAILED, EVAL_INTERRUPTED, EVAL_INCOMPLETE };
/* Compiles and runs `text`: a dot-command, or all lines of a statement so far. */
enum eval eval_text(struct shell *sh, const char *text);
/* Prints `n` values from the top of the stack and pops them. */
enum eval eval_print(struct shell *sh, int n);
/* Reports the message on top and pops it. */
enum eval eval_report(struct shell *sh, enum status status);

/* --- focus.c --- */

/* Resolves the focus anew after something may have rebuilt the world. */
void focus_refresh(struct shell *sh);
void focus_set(struct shell *sh, struct task *t);	/* NULL: none */
/* Runs the function on top (popped) as a call of the focused thread, until it
 * returns or blocks; prints its results. */
enum eval focus_call(struct shell *sh);
/* Prints the results of typed calls that have returned since. */
enum eval focus_finished(struct shell *sh);

/* --- complete.c --- */
void complete_init(struct shell *sh);

#endif
