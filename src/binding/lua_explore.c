/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explore(): every interleaving of a scenario, and the report of what that showed.
 * The options are those of the command line, with underscores; the executions are
 * src/explore's matter, and the scenario's world is lua_source.c's.
 */
#include <config.h>

#include "binding/binding.h"
#include "binding/lua_explore.h"
#include "binding/lua_source.h"
#include "explore/explore.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_DEFAULT 10000	/* random, pct: executions, where nothing else bounds them */
#define JOBS_MAX 256

/* One exploration: released with its userdata, whatever is raised. */
struct exploring {
	struct explore x;
	struct lb_source *src;
	struct explore_scope scope;
	char title[256];
	bool progress;		/* a line on the terminal, while it runs */
	size_t shown;		/* characters of it that stand there */
};

static int exploring_gc(lua_State *L)
{
	struct exploring *e = lua_touserdata(L, 1);

	explore_release(&e->x);
	lb_source_free(e->src);
	e->src = NULL;
	return 0;
}

static struct exploring *new_exploring(lua_State *L)
{
	struct exploring *e = lua_newuserdatauv(L, sizeof(*e), 0);

	*e = (struct exploring){ 0 };
	if (luaL_newmetatable(L, "srcush.exploring")) {
		lua_pushcfunction(L, exploring_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return e;
}

/* --- options --- */

static const char *const strategies[] = {
	[EXPLORE_DPOR] = "dpor", [EXPLORE_RANDOM] = "random", [EXPLORE_PCT] = "pct",
	[EXPLORE_NAIVE] = "naive",
};
#define NSTRATEGIES (sizeof(strategies) / sizeof(*strategies))

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

	for (size_t i = 0; s && i < NSTRATEGIES; i++)
		if (!strcmp(strategies[i], s)) {
			e->x.opts.strategy = (enum explore_strategy)i;
			return;
		}
	lb_arg_error(L, 2, "strategy: \"dpor\", \"random\", \"pct\" or \"naive\" is expected, got %s",
		     luaL_tolstring(L, -1, NULL));
}

static void opt_model(lua_State *L, struct exploring *e)
{
	const char *s = luaL_tolstring(L, -1, NULL);

	(void)e;
	if (!strcmp(s, "tso") || !strcmp(s, "weak"))
		lb_arg_error(L, 2, "model: %s is not in this version, \"sc\" is", s);
	if (strcmp(s, "sc"))
		lb_arg_error(L, 2, "model: \"sc\" is expected, got %s", s);
	lua_pop(L, 1);
}

static void opt_lockdep(lua_State *L, struct exploring *e)
{
	const char *s = luaL_tolstring(L, -1, NULL);

	e->scope.lockdep = strcmp(s, "6.1") ? 612 : 61;
	if (e->scope.lockdep == 612 && strcmp(s, "6.12"))
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

static void opt_progress(lua_State *L, struct exploring *e)
{
	e->progress = need_boolean(L, "progress");
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
	{ "seed", opt_seed },
	{ "show", opt_show },
	{ "strategy", opt_strategy },
	{ "time", opt_time },
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
	e->scope.lockdep = 612;
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

/* Sampling has no end of its own. */
static void bound_samples(struct explore_opts *o)
{
	bool samples = o->strategy == EXPLORE_RANDOM || o->strategy == EXPLORE_PCT;

	if (samples && !o->max_executions && !(o->seconds > 0))
		o->max_executions = SAMPLES_DEFAULT;
}

/* --- while it runs --- */

static bool was_interrupted(void *arg)
{
	struct session *s = ((struct exploring *)arg)->scope.s;

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
	char line[200], left[80] = "", done[32], blocked[32], rate[32], a[32], b[32];
	unsigned columns = lb_columns(e->scope.s->L);

	if (p->low >= 0 && p->high >= p->low)
		snprintf(left, sizeof(left), ", %s to %s to go", lb_counted(a, p->low),
			 lb_counted(b, p->high));
	snprintf(line, sizeof(line), "%s executions, %s blocked, %s/s, deepest %" PRIu64 "%s",
		 lb_counted(done, (double)p->complete), lb_counted(blocked, (double)p->blocked),
		 lb_counted(rate, p->rate), p->deepest, left);
	columns = columns ? columns : 80;
	if (strlen(line) >= columns && columns <= sizeof(line))
		line[columns - 1] = '\0';
	put_progress(e, line);
}

/* --- the report --- */

static void set_integer(lua_State *L, const char *key, uint64_t v)
{
	lua_pushinteger(L, (lua_Integer)v);
	lua_setfield(L, -2, key);
}

static void set_string(lua_State *L, const char *key, const char *s)
{
	lua_pushstring(L, s);	/* nil for NULL */
	lua_setfield(L, -2, key);
}

static void push_violations(lua_State *L, const struct exploring *e)
{
	const struct explore_report *r = &e->x.report;
	enum explore_strategy how = e->x.opts.strategy;

	lua_createtable(L, (int)r->nviolations, 0);
	for (size_t i = 0; i < r->nviolations; i++) {
		const struct explore_violation *v = &r->violations[i];

		lua_createtable(L, 0, 8);
		lb_violation_kind(L);
		set_string(L, "kind", v->kind);
		set_string(L, "message", v->message);
		set_string(L, "thread", v->thread);
		set_string(L, "other", v->other);
		set_string(L, "schedule", v->schedule);
		set_integer(L, "step", v->step);
		set_integer(L, "execution", v->execution);
		if (how == EXPLORE_RANDOM || how == EXPLORE_PCT)
			set_integer(L, "seed", v->seed);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void push_outcomes(lua_State *L, const struct explore_report *r)
{
	lua_createtable(L, 0, (int)r->noutcomes);
	for (size_t i = 0; i < r->noutcomes; i++)
		set_integer(L, r->outcomes[i].text, r->outcomes[i].count);
}

/* *ok* is said only where nothing was left out. */
static const char *verdict_of(const struct exploring *e)
{
	const struct explore_report *r = &e->x.report;
	enum explore_strategy how = e->x.opts.strategy;

	if (r->nviolations)
		return "violation";
	return r->bound || how == EXPLORE_RANDOM || how == EXPLORE_PCT ? "incomplete" : "ok";
}

static void push_report(lua_State *L, const struct exploring *e)
{
	const struct explore_report *r = &e->x.report;
	enum explore_strategy how = e->x.opts.strategy;

	lua_createtable(L, 0, 16);
	set_string(L, "verdict", verdict_of(e));
	set_integer(L, "executions", r->complete);
	set_integer(L, "blocked", r->blocked);
	set_integer(L, "violating", r->violating);
	set_integer(L, "steps", r->steps);
	set_integer(L, "deepest", r->deepest);
	lua_pushnumber(L, r->seconds);
	lua_setfield(L, -2, "seconds");
	set_string(L, "bound", r->bound);
	set_string(L, "strategy", strategies[how]);
	if (how == EXPLORE_RANDOM || how == EXPLORE_PCT)
		set_integer(L, "seed", e->x.opts.seed);
	if (how == EXPLORE_NAIVE && r->traces)
		set_integer(L, "traces", r->traces);
	set_string(L, "scope", e->scope.text);
	set_string(L, "shown", r->shown);
	push_violations(L, e);
	lua_setfield(L, -2, "violations");
	push_outcomes(L, r);
	lua_setfield(L, -2, "outcomes");
	lb_report_kind(L);
}

/* --- explore() --- */

/* Argument 1: the scenario, or the one from which the present world was built. */
static void take_scenario(lua_State *L, struct session *s, char *title, size_t n)
{
	const char *name = "scenario";

	if (lua_isnoneornil(L, 1)) {
		if (s->scenario_ref == LUA_NOREF)
			lb_arg_error(L, 1, "a scenario function is expected: the present world "
				     "was not built by one");
		lua_settop(L, 2);
		lua_rawgeti(L, LUA_REGISTRYINDEX, s->scenario_ref);
		lua_replace(L, 1);
		name = s->scenario_name ? s->scenario_name : name;
	}
	lb_check_type(L, 1, LUA_TFUNCTION);
	lua_settop(L, 2);
	snprintf(title, n, "%s", name);
}

/* Ctrl-C has done its work where the report says so to a person; a script ends. */
static void take_interrupt(struct session *s, const struct explore_report *r)
{
	if (s->reports && r->bound && !strcmp(r->bound, "interrupted"))
		lua_sethook(s->L, NULL, 0, 0);
}

static int f_explore(lua_State *L)
{
	struct session *s = lb_check_steppable(L);
	struct exploring *e = new_exploring(L);
	bool ok;

	lua_insert(L, 1);		/* lives below the arguments */
	lua_pushcclosure(L, NULL, 0);
	(void)s; (void)ok; (void)e;
	return 0;
}
