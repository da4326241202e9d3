/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The srcush command: an interpreter of Lua scripts that is used like `lua`, a
 * shell, and the subcommands.  See srcush(1).
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "bench/bench.h"
#include "binding/lua_ktree.h"
#include "litmus/command.h"
#include "repl/chunk.h"
#include "repl/interrupt.h"
#include "repl/json.h"
#include "repl/options.h"
#include "repl/shell.h"
#include "repl/status.h"
#include "repl/term.h"
#include "torture/torture.h"

struct run {
	int argc;
	char **argv;
	struct options opts;
	struct shell shell;
	bool is_open;		/* lb_open() has been called */
	bool has_shell;		/* shell_init() has been called */
	enum status status;
};

/* A descriptor that the caller has closed would be given to the next file that
 * is opened, and the script's output would go there. */
static void open_standard_files(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)!open("/dev/null", fd ? O_WRONLY : O_RDONLY);
}

/* Runs at exit, os.exit() included: output that could not be written is an
 * error, unless nobody reads it any more. */
static void close_stdout(void)
{
	bool failed = ferror(stdout) != 0;
	int err = json_end();

	failed = failed || err;
	if (fflush(stdout) != 0) {
		failed = true;
		err = errno;
	}
	if (!failed || err == EPIPE)
		return;
	fprintf(stderr, "srcush: cannot write standard output%s%s\n", err ? ": " : "",
		err ? strerror(err) : "");
	_exit(STATUS_ERROR);
}

/* --- as lua does --- */

/* The global `arg`: the script at 0, its arguments above, what led to it below. */
static void set_arg(lua_State *L, const struct run *r)
{
	int script = r->opts.script;

	lua_newtable(L);
	if (r->opts.file) {
		lua_pushstring(L, r->opts.file);
		lua_rawseti(L, -2, 0);
	} else {
		for (int i = 0; i < r->argc; i++) {
			lua_pushstring(L, r->argv[i]);
			lua_rawseti(L, -2, i - script);
		}
	}
	lua_setglobal(L, "arg");
}

static enum status run_string(lua_State *L, const char *text, const char *name)
{
	enum status r;

	if (!chunk_load_text(L, text, strlen(text), name))
		return chunk_complain(L, STATUS_USAGE);
	r = chunk_call(L, 0, 0);
	return r == STATUS_OK ? r : chunk_complain(L, r);
}

/* The function on top with the arguments from argv[from] on; its first result is
 * pushed. */
static enum status run_chunk(lua_State *L, const struct run *r, int from)
{
	int nargs = from ? r->argc - from : 0;
	enum status s;

	luaL_checkstack(L, nargs + 3, "too many arguments");
	for (int i = 0; i < nargs; i++)
		lua_pushstring(L, r->argv[from + i]);
	s = chunk_call(L, nargs, 1);
	return s == STATUS_OK ? s : chunk_complain(L, s);
}

static enum status run_file(lua_State *L, const struct run *r, const char *path, int from)
{
	if (!chunk_load_file(L, path))
		return chunk_complain(L, STATUS_USAGE);
	return run_chunk(L, r, from);
}

/* A script as such does nothing with what it returns: whoever gives a scenario file
 * is told so, rather than to wonder. */
static void check_not_scenario(lua_State *L, const char *path)
{
	bool is_scenario = lua_isfunction(L, -1);

	if (lua_istable(L, -1)) {
		lua_pushnil(L);
		is_scenario = lua_next(L, -2) && lua_isfunction(L, -1) && lua_isstring(L, -2);
	}
	if (is_scenario && !world_task_count(lb_session(L)->w))
		complain("%s returns a scenario, which was not run; 'srcush run %s' runs it, "
			 "'srcush step %s' steps it", path, path, path);
}

static enum status run_script(lua_State *L, struct run *r)
{
	const struct options *o = &r->opts;
	const char *path = r->argv[o->script], *meant = options_meant(path);
	int top = lua_gettop(L);
	enum status s;

	if (!chunk_load_file(L, path)) {
		chunk_complain(L, STATUS_USAGE);
		if (meant && access(path, F_OK) != 0)
			fprintf(stderr, "Did you mean 'srcush %s'?\n", meant);
		return STATUS_USAGE;
	}
	s = run_chunk(L, r, o->script + 1);
	if (s == STATUS_OK && !o->interactive && lua_gettop(L) > top)
		check_not_scenario(L, path);
	lua_settop(L, top);
	return s == STATUS_OK && o->interactive ? shell_run(&r->shell, NULL) : s;
}

/* LUA_INIT, as lua has it: code, or @FILE. */
static enum status run_lua_init(lua_State *L, const struct run *r)
{
	const char *name = "=LUA_INIT_5_4", *init = getenv(name + 1);

	if (!init)
		init = getenv((name = "=LUA_INIT") + 1);
	if (!init)
		return STATUS_OK;
	return *init == '@' ? run_file(L, r, init + 1, 0) : run_string(L, init, name);
}

/* -l NAME or -l GLOBAL=NAME */
static enum status run_require(lua_State *L, const char *spec)
{
	const char *sep = strchr(spec, '=');
	enum status r;

	lua_getglobal(L, "require");
	lua_pushstring(L, sep ? sep + 1 : spec);
	r = chunk_call(L, 1, 1);
	if (r != STATUS_OK)
		return chunk_complain(L, r);
	lua_pushlstring(L, spec, sep ? (size_t)(sep - spec) : strlen(spec));
	lua_insert(L, -2);
	lua_pushglobaltable(L);
	lua_insert(L, -3);
	lua_settable(L, -3);
	lua_pop(L, 1);
	return STATUS_OK;
}

/* -e and -l in the order in which they stand */
static enum status run_options(lua_State *L, const struct run *r)
{
	enum status s = STATUS_OK;

	for (int i = r->opts.first; s == STATUS_OK && i < r->opts.last; i++) {
		const char *arg = r->argv[i], *value;

		if (arg[0] != '-' || (arg[1] != 'e' && arg[1] != 'l'))
			continue;
		value = arg[2] ? arg + 2 : r->argv[++i];
		s = arg[1] == 'l' ? run_require(L, value) :
			run_string(L, value, "=(command line)");
	}
	return s;
}

/* --- what is to be done --- */

static enum status run_plain(lua_State *L, struct run *r)
{
	const struct options *o = &r->opts;
	enum status s = STATUS_OK;

	if (o->version)
		options_version();
	if (!o->no_env)
		s = run_lua_init(L, r);
	if (s == STATUS_OK)
		s = run_options(L, r);
	if (s != STATUS_OK)
		return s;
	if (o->script)
		return run_script(L, r);
	if (o->interactive)
		return shell_run(&r->shell, NULL);
	if (o->has_exec || o->version)
		return s;
	return r->has_shell ? shell_run(&r->shell, NULL) : run_file(L, r, NULL, 0);
}

static enum status run_scenario(lua_State *L, struct run *r)
{
	lua_pushstring(L, r->opts.file);
	if (r->opts.command == CMD_REPLAY)
		lua_pushstring(L, r->opts.schedule);
	shell_push_options(&r->shell);
	if (r->opts.command == CMD_REPLAY)
		return shell_scenario(&r->shell, "replay", 3);
	if (r->opts.command == CMD_EXPLORE)
		return shell_scenario(&r->shell, "explore", 2);
	if (r->opts.command == CMD_STRESS)
		return shell_scenario(&r->shell, "stress", 2);
	if (r->opts.command == CMD_COMPARE)
		return shell_scenario(&r->shell, "compare", 2);
	return shell_scenario(&r->shell, "run", 2);
}

static bool litmus_stopped(void *arg)
{
	(void)arg;
	return interrupt_pending();
}

/* Of several tests the worst counts. */
static enum status run_litmus(const struct run *r, const struct ktree *kernel)
{
	const struct options *o = &r->opts;
	struct litmus_opts l = {
		.model = o->model ? o->model : "sc", .seconds = o->time > 0 ? o->time : 10, .ideal = o->ideal,
		.rcu_as_srcu = o->rcu_as_srcu, .quiet = o->quiet, .promises = o->promises,
	};
	size_t counts[SCORE_COUNT] = { 0 };
	bool cut = false;

	if (kernel) {
		l.kernel = &kernel->ops;
		l.kernel_version = kernel->version;
	}
	litmus_header();
	for (size_t i = 0; i < o->nfiles && !interrupt_pending(); i++)
		counts[litmus_file(o->files[i], &l, litmus_stopped, &cut)]++;
	if (interrupt_pending())
		return STATUS_INTERRUPTED;
	if (o->nfiles > 1)
		litmus_summary(counts);
	if (counts[SCORE_FORBIDDEN])
		return STATUS_VIOLATION;
	if (counts[SCORE_BAD])
		return STATUS_USAGE;
	return cut || counts[SCORE_SKIPPED] ? STATUS_BOUND : STATUS_OK;
}

static enum status run_bench(const struct options *o)
{
	return (enum status)bench_command(&(struct bench_opts){
		.names = o->files, .nnames = o->nfiles, .seconds = o->time,
		.json = o->json, .quiet = o->quiet, .stopped = interrupt_pending,
	});
}

/* Does anything of the shell come into it?  Its Lua parts cost start-up time. */
static bool needs_shell(const struct options *o)
{
	if (o->command == CMD_LITMUS || o->command == CMD_BENCH)
		return false;
	if (o->command != CMD_SCRIPT || o->interactive)
		return true;
	return !o->script && !o->has_exec && !o->version && isatty(STDIN_FILENO);
}

static int load_kernel(lua_State *L)
{
	lb_kernel_default(L, lua_tostring(L, 1));
	return 0;
}

/* --kernel; a tree that cannot be had is input that cannot be read. */
static bool open_kernel(lua_State *L, struct run *r)
{
	lua_pushcfunction(L, load_kernel);
	lua_pushstring(L, r->opts.kernel);
	if (lua_pcall(L, 1, 0, 0) == LUA_OK)
		return true;
	r->status = chunk_complain(L, interrupt_pending() ? STATUS_INTERRUPTED : STATUS_USAGE);
	return false;
}

static int protected_main(lua_State *L)
{
	struct run *r = lua_touserdata(L, 1);
	const struct options *o = &r->opts;
	struct session *s;

	lua_settop(L, 0);
	if (o->no_env) {
		lua_pushboolean(L, 1);
		lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
	}
	lb_open(L, o->fiber ? CARRIER_FIBER : CARRIER_PTHREAD);
	r->is_open = true;
	s = lb_session(L);
	s->color = term_color(o->color);
	s->batch = !term_interactive();
	set_arg(L, r);
	if (o->warnings)
		lua_warning(L, "@on", 0);
	if (o->json && !json_begin())
		luaL_error(L, "cannot write standard output: %s", strerror(errno));
	if (needs_shell(o)) {
		shell_init(&r->shell, L, o);
		r->has_shell = true;
	}
	interrupt_install(L, false);
	if (o->model && o->command != CMD_LITMUS) {
		snprintf(s->default_model, sizeof(s->default_model), "%s", o->model);
		world_set_model(s->w, o->model);
	}
	if (o->kernel && !open_kernel(L, r))
		return 0;
	if (o->cpus && o->command == CMD_SCRIPT && !world_set_cpus(s->w, o->cpus))
		luaL_error(L, "%s", world_error(s->w));

	if (o->command == CMD_SCRIPT)
		r->status = run_plain(L, r);
	else if (o->command == CMD_LITMUS)
		r->status = run_litmus(r, o->kernel ? lb_kernel_newest(s->kernel[0]) : NULL);
	else if (o->command == CMD_BENCH)
		r->status = run_bench(o);
	else if (o->command == CMD_STEP)
		r->status = shell_run(&r->shell, o->file);
	else
		r->status = run_scenario(L, r);
	return 0;
}

static enum status run(struct run *r)
{
	lua_State *L = luaL_newstate();

	if (!L) {
		complain("not enough memory");
		return STATUS_ERROR;
	}
	lua_pushcfunction(L, protected_main);
	lua_pushlightuserdata(L, r);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK)
		r->status = chunk_complain(L, interrupt_pending() ? STATUS_INTERRUPTED : STATUS_ERROR);
	interrupt_release();
	if (r->is_open)
		lb_close(L);
	lua_close(L);
	if (r->has_shell)
		shell_release(&r->shell);
	return r->status;
}

int main(int argc, char **argv)
{
	struct run r = { .argc = argc, .argv = argv };
	int status;

	open_standard_files();
	atexit(close_stdout);
	status = options_parse(&r.opts, argc, argv);
	if (status < 0 && r.opts.command == CMD_TORTURE)
		status = torture_command(argc - r.opts.rest, argv + r.opts.rest);
	else if (status < 0)
		status = (int)run(&r);
	options_release(&r.opts);
	return status;
}
