/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explore(): every interleaving of a scenario, and the report of what that showed.
 * The options are those of the command line, with underscores; the executions are
 * src/explore's matter, and the scenario's world is lua_source.c's.
 */
#include <config.h>

#include "binding/lua_explore.h"

#include "memory/model.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOBS_MAX 256

static int exploring_gc(lua_State *L)
{
	struct exploring *e = lua_touserdata(L, 1);

	explore_release(&e->x);
	*e->s->model = 0;
	lb_source_free(e->src);
	e->src = NULL;
	sbuf_release(&e->scope);
	return 0;
}

struct exploring *lb_new_exploring(lua_State *L, struct session *s)
{
	struct exploring *e = lua_newuserdatauv(L, sizeof(*e), 0);

	*e = (struct exploring){ .s = s };
	if (luaL_newmetatable(L, "srcush.exploring")) {
		lua_pushcfunction(L, exploring_gc);
		lua_setfield(L, -2, "__gc");
		lua_pushcfunction(L, exploring_gc);
		lua_setfield(L, -2, "__close");
	}
	lua_setmetatable(L, -2);
	lua_toclose(L, -1);	/* an error must give the present world its place back */
	return e;
}

/* --- options --- */

const char *const lb_strategies[] = {
	[EXPLORE_DPOR] = "dpor", [EXPLORE_RANDOM] = "random", [EXPLORE_PCT] = "pct",
	[EXPLORE_NAIVE] = "naive", NULL
};

static lua_Integer need_integer(lua_State *L, const char *name, lua_Integer lo, lua_Integer hi)
{
	int isint = 0;
	lua_Integer v = lua_type(L, -1) == LUA_TNUMBER ? lua_tointegerx(L, -1, &isint) : 0;

	if (!isint || v < lo || v > hi) {
		const char *got = luaL_tolstring(L, -1, NULL);

		if (hi == LUA_MAXINTEGER)
			lb_arg_error(L, 2, "%s: an integer from %I is expected, got %s", name,
				     (LUAI_UACINT)lo, got);
		lb_arg_error(L, 2, "%s: an integer from %I to %I is expected, got %s", name,
			     (LUAI_UACINT)lo, (LUAI_UACINT)hi, got);
	}
	return v;
}

static bool need_boolean(lua_State *L, const char *name)
{
	if (!lua_isboolean(L, -1))
		lb_arg_error(L, 2, "%s: true or false is expected, got %s", name,
			     luaL_tolstring(L, -1, NULL));
	return lua_toboolean(L, -1);
}

static void opt_strategy(lua_State *L, struct exploring *e)
{
	const char *s = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;

	for (size_t i = 0; s && lb_strategies[i]; i++)
		if (!strcmp(lb_strategies[i], s)) {
			e->x.opts.strategy = (enum explore_strategy)i;
			return;
		}
	lb_arg_error(L, 2, "strategy: \"dpor\", \"random\", \"pct\" or \"naive\" is expected, got %s",
		     luaL_tolstring(L, -1, NULL));
}

static void opt_model(lua_State *L, struct exploring *e)
{
	const char *s = luaL_tolstring(L, -1, NULL);

	if (strcmp(s, "sc") && strcmp(s, "tso") && strcmp(s, "weak"))
		lb_arg_error(L, 2, "model: \"sc\", \"tso\" or \"weak\" is expected, got %s", s);
	strcpy(e->s->model, s);
	lua_pop(L, 1);
}

static void opt_lockdep(lua_State *L, struct exploring *e)
{
	const char *s = luaL_tolstring(L, -1, NULL);

	e->x.opts.lockdep_61 = !strcmp(s, "6.1");
	if (!e->x.opts.lockdep_61 && strcmp(s, "6.12"))
		lb_arg_error(L, 2, "lockdep: \"6.1\" or \"6.12\" is expected, got %s", s);
	lua_pop(L, 1);
}

static void opt_time(lua_State *L, struct exploring *e)
{
	lua_Number v = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;

	if (!(v > 0) || isinf(v))
		lb_arg_error(L, 2, "time: a number of seconds, more than 0, is expected, got %s",
			     luaL_tolstring(L, -1, NULL));
	e->x.opts.seconds = v;
}

static void opt_seed(lua_State *L, struct exploring *e)
{
	e->x.opts.seed = (uint64_t)need_integer(L, "seed", LUA_MININTEGER, LUA_MAXINTEGER);
}

static void opt_max_executions(lua_State *L, struct exploring *e)
{
	e->x.opts.max_executions = (uint64_t)need_integer(L, "max_executions", 1, LUA_MAXINTEGER);
}

static void opt_max_steps(lua_State *L, struct exploring *e)
{
	e->x.opts.max_steps = (uint64_t)need_integer(L, "max_steps", 1, LUA_MAXINTEGER);
}

static void opt_preemptions(lua_State *L, struct exploring *e)
{
	e->x.opts.preemptions = (int)need_integer(L, "preemptions", 0, 1000000);
}

static void opt_depth(lua_State *L, struct exploring *e)
{
	e->x.opts.depth = (unsigned)need_integer(L, "depth", 1, 1000);
}

static void opt_jobs(lua_State *L, struct exploring *e)
{
	e->x.opts.jobs = (unsigned)need_integer(L, "jobs", 1, JOBS_MAX);
}

static void opt_show(lua_State *L, struct exploring *e)
{
	e->x.opts.show = (uint64_t)need_integer(L, "show", 1, LUA_MAXINTEGER);
}

static void opt_keep_going(lua_State *L, struct exploring *e)
{
	e->x.opts.keep_going = need_boolean(L, "keep_going");
}

static void opt_promises(lua_State *L, struct exploring *e)
{
	e->x.opts.promises = need_boolean(L, "promises");
}

static void opt_progress(lua_State *L, struct exploring *e)
{
	e->progress = need_boolean(L, "progress");
}

static void opt_title(lua_State *L, struct exploring *e)
{
	(void)e;	/* see take_scenario() */
	if (lua_type(L, -1) != LUA_TSTRING)
		lb_arg_error(L, 2, "title: a string is expected, got %s", luaL_tolstring(L, -1, NULL));
}

static const struct { const char *name; void (*set)(lua_State *, struct exploring *); } options[] = {
	{ "depth", opt_depth },
	{ "jobs", opt_jobs },
	{ "keep_going", opt_keep_going },
	{ "lockdep", opt_lockdep },
	{ "max_executions", opt_max_executions },
	{ "max_steps", opt_max_steps },
	{ "model", opt_model },
	{ "preemptions", opt_preemptions },
	{ "progress", opt_progress },
	{ "promises", opt_promises },
	{ "seed", opt_seed },
	{ "show", opt_show },
	{ "strategy", opt_strategy },
	{ "time", opt_time },
	{ "title", opt_title },
};
#define NOPTIONS (sizeof(options) / sizeof(*options))

static void unknown_option(lua_State *L, const char *name)
{
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	for (size_t i = 0; i < NOPTIONS; i++) {
		luaL_addstring(&b, i ? ", " : "");
		luaL_addstring(&b, options[i].name);
	}
	luaL_pushresult(&b);
	lb_arg_error(L, 2, "no option \"%s\"; there are %s", name, lua_tostring(L, -1));
}

static void check_options(lua_State *L, struct exploring *e)
{
	size_t i;

	e->x.opts = (struct explore_opts){
		.preemptions = -1, .depth = EXPLORE_DEPTH_DEFAULT, .jobs = 1, .seed = 1,
		.max_steps = EXPLORE_MAX_STEPS_DEFAULT,
	};
	if (lua_isnoneornil(L, 2))
		return;
	lb_check_type(L, 2, LUA_TTABLE);
	for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			lb_arg_error(L, 2, "options have names: {max_executions=1000}");
		for (i = 0; i < NOPTIONS && strcmp(options[i].name, lua_tostring(L, -2)); i++)
			;
		if (i == NOPTIONS)
			unknown_option(L, lua_tostring(L, -2));
		options[i].set(L, e);
	}
}

/* --- while it runs --- */

static bool was_interrupted(void *arg)
{
	const struct session *s = ((struct exploring *)arg)->s;

	return s->interrupt && s->interrupt(s->interrupt_arg);
}

/* Over what stood there before; nothing is left of a longer line. */
static void put_progress(struct exploring *e, const char *text)
{
	size_t n = strlen(text);

	fprintf(stderr, "\r%s%*s", text, e->shown > n ? (int)(e->shown - n) : 0, "");
	if (!n)
		fputc('\r', stderr);
	fflush(stderr);
	e->shown = n;
}

static void on_progress(void *arg, const struct explore_progress *p)
{
	struct exploring *e = arg;
	char line[200], left[80] = "", num[5][LB_NUMBER_SIZE];
	unsigned columns = lb_columns(e->s->L);

	if (p->low >= 0 && p->high >= p->low)
		snprintf(left, sizeof(left), ", %s to %s to go", lb_number(num[3], p->low),
			 lb_number(num[4], p->high));
	snprintf(line, sizeof(line), "%s executions, %s blocked, %s/s, deepest %" PRIu64 "%s",
		 lb_number(num[0], (double)p->complete), lb_number(num[1], (double)p->blocked),
		 lb_number(num[2], p->rate), p->deepest, left);
	columns = columns ? columns : 80;
	if (columns <= strlen(line))
		line[columns - 1] = '\0';
	put_progress(e, line);
}

/* --- explore() --- */

/* Argument 1: the scenario, or the one from which the present world was built. */
static void take_scenario(lua_State *L, struct exploring *e)
{
	struct session *s = e->s;
	const char *name = NULL;

	if (lua_isnoneornil(L, 1)) {
		if (s->scenario_ref == LUA_NOREF)
			lb_arg_error(L, 1, "a scenario function is expected: the present world "
				     "was not built by one");
		lua_rawgeti(L, LUA_REGISTRYINDEX, s->scenario_ref);
		lua_replace(L, 1);
		name = s->scenario_name;
	} else if (lua_istable(L, 2)) {
		lua_getfield(L, 2, "title");
		name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
		lua_pop(L, 1);
	}
	lb_check_type(L, 1, LUA_TFUNCTION);
	snprintf(e->title, sizeof(e->title), "%s", name ? name : "the scenario");
}

static void check_threads(lua_State *L, const struct exploring *e)
{
	struct world *w = e->s->w;

	for (size_t i = 0; i < world_task_count(w); i++)
		if (world_task(w, i)->kind == TASK_THREAD || world_task(w, i)->kind == TASK_IRQ)
			return;
	luaL_error(L, "explore: %s makes no threads", e->title);
}

/* Does the schedule, as replay() takes it, show a violation of that kind? */
static bool is_shown(struct exploring *e, const struct explore_violation *v)
{
	const char *why;
	struct world *w = e->x.src.begin(e->x.src.arg, false, &why);

	if (!w || !world_replay(w, v->schedule))
		return false;
	lb_replayed(w);
	for (size_t i = 0; i < world_violation_count(w); i++)
		if (!strcmp(world_violation(w, i)->kind, v->kind))
			return true;
	return false;
}

/* What is printed as the way to a violation must be one. */
static void check_schedules(struct exploring *e)
{
	static const char text[] = " (But replaying its schedule does not show it again.)";

	for (size_t i = 0; i < e->x.report.nviolations; i++) {
		struct explore_violation *v = &e->x.report.violations[i];
		char *more = is_shown(e, v) || was_interrupted(e) ? NULL :
			realloc(v->message, strlen(v->message) + sizeof(text));

		if (!more)
			continue;
		v->message = more;
		strcat(more, text);
	}
}

static bool run_exploration(struct exploring *e)
{
	bool ok;

	e->s->defers = true;
	ok = explore_run(&e->x);
	if (e->shown)
		put_progress(e, "");
	view_scope(e->s->w, e->x.opts.promises ? (int)e->x.report.promises : -1, &e->scope);
	if (ok && !was_interrupted(e))
		check_schedules(e);
	e->s->defers = false;
	lb_source_free(e->src);
	e->src = NULL;
	return ok;
}

static int f_explore(lua_State *L)
{
	struct session *s = lb_check_steppable(L);
	struct exploring *e;
	bool ok;

	lua_settop(L, 2);
	e = lb_new_exploring(L, s);
	check_options(L, e);
	take_scenario(L, e);
	e->src = lb_source_new(L, 1, e->title);
	check_threads(L, e);
	lb_source_fill(e->src, &e->x.src);
	e->x.arg = e;
	e->x.interrupted = was_interrupted;
	if (e->progress && isatty(STDERR_FILENO))
		e->x.progress = on_progress;
	ok = run_exploration(e);
	/* where somebody reads the report it says so; a script ends */
	if (!s->reports && was_interrupted(e))
		return luaL_error(L, "interrupted");
	if (!ok)
		return luaL_error(L, "explore: %s: %s", e->title, e->x.report.error);
	lb_push_report(L, e, 1);
	return 1;
}

static const struct lb_func explore_funcs[] = {
	{ "explore", f_explore, "([scenario [, opts]]) -> report",
	  "Tries every interleaving of a scenario function (without one: of that from which the "
	  "present world was built), in a world of its own. opts: strategy=\"dpor\" (the default: "
	  "each that differs in more than the order of independent steps, once), \"naive\" (all of "
	  "them), \"random\" or \"pct\" (samples; with seed=N, depth=N); the bounds max_executions=N, "
	  "max_steps=N (of one execution), preemptions=N, time=SECONDS; keep_going=true (look for all "
	  "violations), show=N (keep the N-th complete execution), jobs=N, lockdep=\"6.1\" or "
	  "\"6.12\", model=\"sc\", promises=true (load buffering, too, under \"weak\"), title=NAME, progress=true. The report has verdict (\"ok\": nothing "
	  "was left out and nothing is wrong; \"violation\"; \"incomplete\": a bound was hit), bound "
	  "(which), executions, blocked, steps, seconds, violations (each with kind, message, thread, "
	  "other, step, schedule), outcomes, scope, strategy, seed, shown (a schedule)",
	  "local r = explore(function()\n"
	  "  local x = var(\"x\")\n"
	  "  for i = 1, 2 do thread(\"t\" .. i, function() WRITE_ONCE(x, READ_ONCE(x) + 1) end) end\n"
	  "  finally(function() assert(READ_ONCE(x) == 2) end)\n"
	  "end)\n"
	  "print(r, r.violations[1].schedule)" },
	{ "report:show", lb_report_show, "([i [, {columns=, color=, text=}]])",
	  "Prints the story of the i-th violation (the first) of what explore() found: what is wrong, "
	  "who did what, the last steps; of a report without any, an execution that passes",
	  "explore(scenario):show()" },
	{ "report:example", lb_report_example, "() -> schedule",
	  "The schedule of an execution without a violation; nil if none was seen",
	  "replay(explore(scenario):example())" },
	{ 0 }
};
static const struct lb_section explore_section = {
	"exploring", "Exploring", NULL, explore_funcs
};

void lb_open_explore(lua_State *L)
{
	lb_report_kind(L);
	lua_pop(L, 1);
	lb_register(L, &explore_section);
}
