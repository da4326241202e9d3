/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shell's loop: prompt, line, what it did, what it found.  See shell.h.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "binding/lua_ktree.h"
#include "repl/chunk.h"
#include "repl/interrupt.h"
#include "repl/json.h"
#include "repl/line.h"
#include "repl/shell.h"
#include "repl/term.h"
#include "view/view.h"

/* require(NAME), which gives a function; its result on `native` is kept. */
static int load_part(lua_State *L, const char *name, bool is_function)
{
	lua_getglobal(L, "require");
	lua_pushstring(L, name);
	lua_call(L, 1, 1);
	if (!is_function) {
		lua_pushvalue(L, -2);
		lua_call(L, 1, 1);
	}
	return luaL_ref(L, LUA_REGISTRYINDEX);
}

void shell_init(struct shell *sh, lua_State *L, const struct options *opts)
{
	*sh = (struct shell){ .L = L, .session = lb_session(L), .opts = opts };
	sh->seen = sh->generation = sh->session->generation;
	native_push(L, sh);
	sh->lua_pretty = load_part(L, "pretty", true);
	sh->lua_shell = load_part(L, "shell", false);
	lua_pop(L, 1);
	lua_rawgeti(L, LUA_REGISTRYINDEX, sh->lua_shell);
	lua_getfield(L, -1, "scenario");
	sh->lua_scenario = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_getfield(L, -1, "hint");
	sh->lua_hint = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_pop(L, 1);
}

void shell_release(struct shell *sh)
{
	free(sh->repeat);
	free(sh->calls);
	sh->repeat = NULL;
	sh->calls = NULL;
	sh->ncalls = 0;
}

void shell_repeat(struct shell *sh, const char *line)
{
	char *copy = line ? strdup(line) : NULL;

	free(sh->repeat);
	sh->repeat = copy;
}

bool shell_ask(struct shell *sh, const char *fn, int nargs, int nresults)
{
	lua_State *L = sh->L;
	int top = lua_gettop(L) - nargs;

	lua_rawgeti(L, LUA_REGISTRYINDEX, sh->lua_shell);
	lua_getfield(L, -1, fn);
	lua_replace(L, -2);
	lua_insert(L, -nargs - 1);
	if (lua_pcall(L, nargs, nresults, 0) == LUA_OK)
		return true;
	lua_settop(L, top);
	return false;
}

void shell_json_catch_up(struct shell *sh)
{
	if (!json_active())
		return;
	shell_ask(sh, "catch_up", 0, 0);
	json_flush();
}

void shell_json_text(struct shell *sh, const char *kind)
{
	if (!json_active())
		return;
	lua_pushstring(sh->L, kind);
	lua_pushvalue(sh->L, -2);
	shell_ask(sh, "json_text", 2, 0);
}

static void push_number(lua_State *L, const char *name, uint64_t v, bool given)
{
	if (!given)
		return;
	lua_pushinteger(L, (lua_Integer)v);
	lua_setfield(L, -2, name);
}

static void push_text(lua_State *L, const char *name, const char *s)
{
	lua_pushstring(L, s);	/* nil where it is not given */
	lua_setfield(L, -2, name);
}

static void push_explore_options(lua_State *L, const struct options *o)
{
	push_text(L, "strategy", o->strategy);
	push_text(L, "save", o->save);
	push_number(L, "max_executions", o->max_executions, o->max_executions);
	push_number(L, "preemptions", o->preemptions, o->has_preemptions);
	push_number(L, "depth", o->depth, o->depth);
	push_number(L, "jobs", o->jobs, o->jobs);
	push_number(L, "show", o->show, o->show);
	if (o->time > 0) {
		lua_pushnumber(L, o->time);
		lua_setfield(L, -2, "time");
	}
	lua_pushboolean(L, o->keep_going);
	lua_setfield(L, -2, "keep_going");
	lua_pushboolean(L, o->promises);
	lua_setfield(L, -2, "promises");
}

void shell_push_options(struct shell *sh)
{
	const struct options *o = sh->opts;
	lua_State *L = sh->L;

	lua_newtable(L);
	lua_pushboolean(L, o->quiet);
	lua_setfield(L, -2, "quiet");
	lua_pushboolean(L, o->json);
	lua_setfield(L, -2, "json");
	push_text(L, "lockdep", o->lockdep);
	push_text(L, "kernel", o->kernel);
	push_text(L, "kernel2", o->kernel2);
	push_text(L, "schedule", o->command == CMD_COMPARE ? o->schedule : NULL);
	push_number(L, "cpus", o->cpus, o->cpus);
	push_number(L, "seed", o->seed, o->has_seed);
	push_number(L, "max_steps", o->max_steps, o->max_steps);
	if (o->command == CMD_EXPLORE || o->command == CMD_COMPARE || o->command == CMD_STRESS)
		push_explore_options(L, o);
}

/* Errors of lua/scenario.lua are {status=, message=}; others are its own faults
 * (no memory). */
static enum status scenario_error(struct shell *sh)
{
	lua_State *L = sh->L;
	enum status status = STATUS_ERROR;

	interrupt_unhook();
	if (lua_istable(L, -1)) {
		lua_getfield(L, -1, "status");
		status = (enum status)lua_tointeger(L, -1);
		lua_pop(L, 1);
		lua_getfield(L, -1, "message");
		lua_remove(L, -2);
	} else if (interrupt_pending()) {
		status = STATUS_INTERRUPTED;
	}
	shell_json_text(sh, "error");
	return chunk_complain(L, status);
}

enum status shell_scenario(struct shell *sh, const char *fn, int nargs)
{
	lua_State *L = sh->L;
	enum status status;

	lua_rawgeti(L, LUA_REGISTRYINDEX, sh->lua_scenario);
	lua_getfield(L, -1, fn);
	lua_remove(L, -2);
	lua_insert(L, -nargs - 1);
	if (lua_pcall(L, nargs, 1, 0) != LUA_OK)
		return scenario_error(sh);
	status = (enum status)lua_tointeger(L, -1);
	lua_pop(L, 1);
	return status;
}

/* --- the start --- */

/* $XDG_CONFIG_HOME/srcush/init.lua; what is wrong in it keeps nobody out. */
static void run_init(struct shell *sh)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	lua_State *L = sh->L;
	enum status r;

	if (config && *config == '/')
		lua_pushfstring(L, "%s/srcush/init.lua", config);
	else if (home && *home == '/')
		lua_pushfstring(L, "%s/.config/srcush/init.lua", home);
	else
		return;
	if (access(lua_tostring(L, -1), F_OK) == 0) {
		if (!chunk_load_file(L, lua_tostring(L, -1))) {
			chunk_complain(L, STATUS_USAGE);
		} else {
			r = chunk_call(L, 0, 0);
			if (r != STATUS_OK)
				chunk_complain(L, r);
		}
	}
	lua_pop(L, 1);
	interrupt_clear();
}

static enum status load_scenario(struct shell *sh, const char *spec)
{
	lua_State *L = sh->L;

	lua_rawgeti(L, LUA_REGISTRYINDEX, sh->lua_shell);
	lua_getfield(L, -1, "load");
	lua_remove(L, -2);
	lua_pushstring(L, spec);
	shell_push_options(sh);
	if (lua_pcall(L, 2, 0, 0) != LUA_OK)
		return scenario_error(sh);
	return STATUS_OK;
}

static void greet(struct shell *sh)
{
	if (!sh->terminal || sh->opts->quiet)
		return;
	printf("srcush %s: Sleepable RCU, step by step.  .help explains, Ctrl-D leaves.\n",
	       PACKAGE_VERSION);
	if (sh->session->kernel[0])
		printf("SRCU is that of Linux %s in %s.\n",
		       lb_kernel_newest(sh->session->kernel[0])->version, sh->session->kernel[0]->dir);
}

/* --- the loop --- */

/* "srcush [12 SCAN1] writer> " */
static void make_prompt(struct shell *sh, char *buf, size_t n)
{
	struct world *w = sh->session->w;
	struct task *t = sh->session->focus;
	const char *gp = view_gp_state(w);

	if (!world_steps(w) && !world_task_count(w) && !*gp)
		snprintf(buf, n, "srcush> ");
	else
		snprintf(buf, n, "srcush [%" PRIu64 "%s%s]%s%s> ", world_steps(w), *gp ? " " : "", gp,
			 t ? " " : "", t ? task_name(t) : "");
}

/* What follows each line, whatever it did. */
static void settle(struct shell *sh, enum eval e)
{
	lua_State *L = sh->L;

	interrupt_unhook();
	focus_refresh(sh);
	if (e == EVAL_OK)
		e = focus_finished(sh);
	native_stuck(sh);
	native_violations(sh, false);
	shell_json_catch_up(sh);
	if (interrupt_pending()) {
		fflush(stdout);
		fprintf(stderr, "interrupted at step %" PRIu64 "\n", world_steps(sh->session->w));
		e = EVAL_INTERRUPTED;
	}
	interrupt_clear();
	if (e == EVAL_FAILED)
		sh->failed = true;
	sh->line = NULL;
	lua_settop(L, 0);
	fflush(stdout);
}

/* Appends a line to the statement so far; NULL: no memory. */
static char *join(char *text, char *line)
{
	size_t len = text ? strlen(text) : 0;
	char *s;

	if (!text)
		return line;
	s = realloc(text, len + strlen(line) + 2);
	if (s) {
		s[len] = '\n';
		strcpy(s + len + 1, line);
	} else {
		free(text);
		complain("not enough memory for a statement of so many lines");
	}
	free(line);
	return s;
}

static bool is_blank(const char *s)
{
	return !s[strspn(s, " \t\r\n")];
}

/* Runs what has been typed so far.  True when more lines are needed. */
static bool run_text(struct shell *sh, const char *text)
{
	char *again = NULL;
	enum eval e;

	if (is_blank(text)) {
		if (!sh->repeat || !sh->terminal)
			return false;
		again = strdup(sh->repeat);
		text = again ? again : "";
	}
	text += strspn(text, " \t\r\n");
	e = eval_text(sh, text);
	if (e == EVAL_INCOMPLETE) {
		sh->line = NULL;
		lua_settop(sh->L, 0);
		return true;
	}
	if (!again)
		line_remember(text);
	free(again);
	settle(sh, e);
	return false;
}

/* The input ends in the midst of a statement: say what is wrong with it. */
static void cut_short(struct shell *sh, const char *text)
{
	if (chunk_load_text(sh->L, text, strlen(text), "=prompt"))
		lua_pushliteral(sh->L, "prompt: unfinished statement");
	eval_report(sh, STATUS_ERROR);
	sh->failed = true;
}

static void loop(struct shell *sh)
{
	char prompt[256], *text = NULL, *line = NULL;

	while (!sh->quit && !ferror(stdout) && (!json_active() || json_flush())) {
		enum line_result r;

		make_prompt(sh, prompt, sizeof(prompt));
		r = line_read(text ? "...> " : prompt, &line);
		if (r == LINE_END && sh->terminal)
			putchar('\n');
		if (r == LINE_END || r == LINE_ERROR)
			break;
		if (r == LINE_ABANDONED) {
			free(text);
			text = NULL;
			interrupt_clear();
			continue;
		}
		text = join(text, line);
		if (text && run_text(sh, text))
			continue;
		free(text);
		text = NULL;
	}
	if (text)
		cut_short(sh, text);
	free(text);
}

enum status shell_run(struct shell *sh, const char *scenario)
{
	enum status r = STATUS_OK;

	/* with --json a program types */
	sh->terminal = term_interactive() && !json_active();
	interrupt_install(sh->L, true);
	sh->session->reports = true;
	if (!sh->opts->no_env)
		run_init(sh);
	greet(sh);
	if (scenario)
		r = load_scenario(sh, scenario);
	interrupt_clear();
	if (r != STATUS_OK)
		return r;
	line_init(sh->terminal);
	complete_init(sh);
	loop(sh);
	line_release();
	if (json_active()) {
		lua_pushboolean(sh->L, sh->violated);
		shell_ask(sh, "finish_json", 1, 0);
	}
	if (scenario && sh->violated)
		return STATUS_VIOLATION;
	return sh->failed && !sh->terminal ? STATUS_ERROR : STATUS_OK;
}
