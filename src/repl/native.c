/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the Lua parts of the shell (lua/shell.lua, lua/scenario.lua) need and
 * only C can give: a table of functions, each with the shell as its upvalue.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding/lua_ktree.h"
#include "check/check.h"
#include "engine/log.h"
#include "repl/chunk.h"
#include "repl/compare.h"
#include "repl/interrupt.h"
#include "repl/json.h"
#include "repl/shell.h"
#include "view/view.h"

static struct shell *the_shell(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

static struct world *the_world(lua_State *L)
{
	return the_shell(L)->session->w;
}

static struct view_opts view_options(struct shell *sh)
{
	return (struct view_opts){
		.columns = lb_columns(sh->L),
		.color = sh->session->color,
	};
}

static void print_sbuf(struct sbuf *b)
{
	if (sbuf_failed(b))
		complain("not enough memory to print this");
	else if (b->s)
		fwrite(b->s, 1, b->len, stdout);
	sbuf_release(b);
}

/* An error in a thread's body: what may have been meant. */
static void print_hint(struct shell *sh, const struct violation *v)
{
	lua_State *L = sh->L;
	int top = lua_gettop(L);

	if (strcmp(v->kind, "error") || !v->message)
		return;
	lua_rawgeti(L, LUA_REGISTRYINDEX, sh->lua_hint);
	lua_pushstring(L, v->message);
	if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_isstring(L, -1))
		printf("\nIn %s: %s\n", v->task ? object_by_id(sh->session->w, v->task)->name :
		       "the message", lua_tostring(L, -1));
	lua_settop(L, top);
}

void native_violations(struct shell *sh, bool brief)
{
	struct world *w = sh->session->w;
	struct view_opts o = view_options(sh);
	size_t n = world_violation_count(w);

	o.brief = brief;
	if (sh->generation != sh->session->generation) {
		sh->generation = sh->session->generation;
		sh->printed = 0;
	}
	if (sh->printed > n)	/* gone back in time */
		sh->printed = n;
	for (; sh->printed < n; sh->printed++) {
		struct sbuf b = { 0 };

		sh->violated = true;
		if (json_active())	/* lua/report.lua tells of them */
			continue;
		view_violation(w, world_violation(w, sh->printed), &o, &b);
		print_sbuf(&b);
		print_hint(sh, world_violation(w, sh->printed));
	}
}

/* violations(brief): prints those that have not been printed yet. */
static int native_print_violations(lua_State *L)
{
	native_violations(the_shell(L), lua_toboolean(L, 1));
	return 0;
}

/* violation() -> the kind of the first, or nil */
static int native_violation(lua_State *L)
{
	struct world *w = the_world(L);

	if (!world_violation_count(w))
		return 0;
	lua_pushstring(L, world_violation(w, 0)->kind);
	return 1;
}

/* violation_at(i) -> the i-th as a table, or nil */
static int native_violation_at(lua_State *L)
{
	struct world *w = the_world(L);
	lua_Integer i = luaL_checkinteger(L, 1);

	if (i < 1 || (size_t)i > world_violation_count(w))
		return 0;
	lb_push_violation(L, world_violation(w, (size_t)i - 1));
	return 1;
}

/* event(n) -> the n-th step as a table */
static int native_event(lua_State *L)
{
	lb_push_event(L, (uint64_t)luaL_checkinteger(L, 1));
	return 1;
}

/* lowest() -> the least step that a journey in time has led to since the last
 * call, or where the world is now */
static int native_lowest(lua_State *L)
{
	struct session *s = lb_session(L);
	uint64_t steps = world_steps(s->w), low = s->lowest < steps ? s->lowest : steps;

	s->lowest = UINT64_MAX;
	lua_pushinteger(L, (lua_Integer)low);
	return 1;
}

static int native_generation(lua_State *L)
{
	lua_pushinteger(L, lb_session(L)->generation);
	return 1;
}

static int native_cpus(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)world_cpus(the_world(L)));
	return 1;
}

/* scenario() -> "FILE:NAME", or nil */
static int native_scenario(lua_State *L)
{
	lua_pushstring(L, lb_session(L)->scenario_name);
	return 1;
}

/* kernel() -> the version of --kernel's tree, or nil */
static int native_kernel(lua_State *L)
{
	struct lb_kernel *kn = lb_session(L)->kernel[0];

	lua_pushstring(L, kn ? lb_kernel_newest(kn)->version : NULL);
	return 1;
}

/* kernels() -> list of all that are loaded */
static int native_kernels(lua_State *L)
{
	return lb_push_kernels(L);
}

/* adopt(): the world, to be built again, is made of the newest images from now on */
static int native_adopt(lua_State *L)
{
	if (!lb_kernels_adopt(lb_session(L)))
		return luaL_error(L, "not enough memory");
	return 0;
}

/* abandon(): it is made of those before again */
static int native_abandon(lua_State *L)
{
	lb_kernels_abandon(lb_session(L));
	return 0;
}

/* json(text): a line of --json's output */
static int native_json(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);

	json_write(text, len);
	return 0;
}

/* load(path) -> function, or nil and why not */
static int native_load(lua_State *L)
{
	if (chunk_load_file(L, luaL_checkstring(L, 1)))
		return 1;
	lua_pushnil(L);
	lua_insert(L, -2);
	return 2;
}

/* build(fn, title [, lockdep]): a new world, built by fn; raises what fn raises. */
static int native_build(lua_State *L)
{
	struct session *s = lb_session(L);
	char *title;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	lb_new_world(L, 1);
	title = strdup(luaL_checkstring(L, 2));
	if (!title)
		return luaL_error(L, "not enough memory");
	free(s->scenario_name);
	s->scenario_name = title;
	if (!strcmp(luaL_optstring(L, 3, ""), "6.1"))
		check_set_lockdep(s->w, LOCKDEP_6_1);
	return 0;
}

static int native_steps(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)world_steps(the_world(L)));
	return 1;
}

static int native_gp_state(lua_State *L)
{
	lua_pushstring(L, view_gp_state(the_world(L)));
	return 1;
}

/* "idle" is a worker, a timer or a thread that has nothing to do. */
static const char *state_name(struct task *t, const struct block *b)
{
	switch (b->why) {
	case BLOCK_NONE:
		return "ready";
	case BLOCK_OVER:
		return t->state == TASK_FAILED ? "failed" : "done";
	case BLOCK_IDLE_WORKER:
	case BLOCK_IDLE_TIMER:
	case BLOCK_IDLE_PASS:
	case BLOCK_CALL:
		return "idle";
	default:
		return "blocked";
	}
}

/* tasks() -> list of {name=, kind=, state=, why=} in order of making */
static int native_tasks(lua_State *L)
{
	static const char *const kinds[] = { "thread", "worker", "timer", "irq" };
	struct world *w = the_world(L);
	size_t n = world_task_count(w);

	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		struct task *t = world_task(w, i);
		struct block b = task_blocked(t);
		const char *state = state_name(t, &b);

		lua_createtable(L, 0, 4);
		lua_pushstring(L, task_name(t));
		lua_setfield(L, -2, "name");
		lua_pushstring(L, kinds[t->kind]);
		lua_setfield(L, -2, "kind");
		lua_pushstring(L, state);
		lua_setfield(L, -2, "state");
		if (b.why != BLOCK_NONE) {
			char text[256];

			block_text(t, &b, text, sizeof(text));
			lua_pushfstring(L, strcmp(state, "blocked") ? "%s" :
					b.why == BLOCK_CPU || b.why == BLOCK_IRQ_OFF ?
					"blocked: %s" : "blocked %s", text);
			lua_setfield(L, -2, "why");
		}
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* fields(handle) -> the names of the fields that it was made with */
static int native_fields(lua_State *L)
{
	struct object *o = lb_test_object(L, 1);
	lua_Integer n = 0;

	lua_newtable(L);
	for (const struct field *f = o ? o->own_fields : NULL; f && f->name; f++) {
		lua_pushstring(L, f->name);
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

/* object(name) -> handle or nil */
static int native_object(lua_State *L)
{
	struct object *o = object_by_name(the_world(L), luaL_checkstring(L, 1));

	if (o && o->state != OBJECT_LIVE)
		o = NULL;
	lb_push_object(L, o);
	return 1;
}

static int native_object_names(lua_State *L)
{
	struct world *w = the_world(L);
	size_t n = world_object_count(w);
	lua_Integer k = 0;

	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		struct object *o = world_object(w, i);

		if (o->state != OBJECT_LIVE)
			continue;
		lua_pushstring(L, o->name);
		lua_rawseti(L, -2, ++k);
	}
	return 1;
}

void native_stuck(struct shell *sh)
{
	struct world *w = sh->session->w;

	if (world_steps(w) && !world_violation_count(w))
		lb_stuck(w);
}

/* stuck() */
static int native_check_stuck(lua_State *L)
{
	native_stuck(the_shell(L));
	return 0;
}

static int native_interrupted(lua_State *L)
{
	lua_pushboolean(L, interrupt_pending());
	return 1;
}

/* reports(): from now on Ctrl-C ends an exploration, which is reported, and nothing else */
static int native_reports(lua_State *L)
{
	the_shell(L)->session->reports = true;
	return 0;
}

/* calm() -> has Ctrl-C been typed?  If so it has done its work. */
static int native_calm(lua_State *L)
{
	lua_pushboolean(L, interrupt_pending());
	interrupt_clear();
	return 1;
}

/* focus(name or nil) */
static int native_focus(lua_State *L)
{
	struct shell *sh = the_shell(L);

	focus_set(sh, lua_isnoneornil(L, 1) ? NULL :
		      task_by_name(sh->session->w, luaL_checkstring(L, 1)));
	return 0;
}

/* focused() -> name or nil */
static int native_focused(lua_State *L)
{
	struct task *t = the_shell(L)->session->focus;

	lua_pushstring(L, t ? task_name(t) : NULL);
	return 1;
}

static int native_step_mode(lua_State *L)
{
	the_shell(L)->step_mode = lua_toboolean(L, 1);
	return 0;
}

static int native_quit(lua_State *L)
{
	the_shell(L)->quit = true;
	return 0;
}

static int native_show_threads(lua_State *L)
{
	struct shell *sh = the_shell(L);
	struct view_opts o = view_options(sh);
	struct sbuf b = { 0 };

	view_threads(sh->session->w, &o, &b);
	print_sbuf(&b);
	return 0;
}

/* choices(name): prints what its next step may read, where that is not one value */
static int native_choices(lua_State *L)
{
	struct shell *sh = the_shell(L);
	struct view_opts o = view_options(sh);
	struct task *t = task_by_name(sh->session->w, luaL_checkstring(L, 1));
	struct event_view v;
	struct sbuf b = { 0 };

	if (t)
		view_choices(t, &o, &b);
	if (b.len && pending_view(t->w, t, &v))
		printf("%s may choose at %s:\n", task_name(t), v.text);
	print_sbuf(&b);
	return 0;
}

void native_push(lua_State *L, struct shell *sh)
{
	static const luaL_Reg funcs[] = {
		{ "load", native_load },
		{ "traceback", chunk_traceback },
		{ "build", native_build },
		{ "steps", native_steps },
		{ "gp_state", native_gp_state },
		{ "tasks", native_tasks },
		{ "fields", native_fields },
		{ "object", native_object },
		{ "object_names", native_object_names },
		{ "violations", native_print_violations },
		{ "violation", native_violation },
		{ "violation_at", native_violation_at },
		{ "event", native_event },
		{ "lowest", native_lowest },
		{ "generation", native_generation },
		{ "cpus", native_cpus },
		{ "scenario", native_scenario },
		{ "kernel", native_kernel },
		{ "kernels", native_kernels },
		{ "adopt", native_adopt },
		{ "abandon", native_abandon },
		{ "json", native_json },
		{ "stuck", native_check_stuck },
		{ "interrupted", native_interrupted },
		{ "reports", native_reports },
		{ "calm", native_calm },
		{ "focus", native_focus },
		{ "focused", native_focused },
		{ "step_mode", native_step_mode },
		{ "quit", native_quit },
		{ "show_threads", native_show_threads },
		{ "choices", native_choices },
		{ NULL, NULL },
	};

	luaL_newlibtable(L, funcs);
	lua_pushlightuserdata(L, sh);
	luaL_setfuncs(L, funcs, 1);
	compare_push(L);
	lua_setfield(L, -2, "compare");
}
