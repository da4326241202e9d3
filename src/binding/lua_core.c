/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The session of a lua_State, its current world, and the registration of
 * everything that scripts can call.  The tables given to lb_register() are what
 * help(), the manual page and the shell's completion read.
 */
#include <config.h>

#include "binding/binding.h"
#include "binding/lua_claim.h"
#include "binding/lua_determinism.h"
#include "binding/lua_embedded.h"
#include "binding/lua_ktree.h"
#include "binding/lua_stress.h"
#include "check/check.h"

#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#define SECTIONS_MAX 32

/* --- the tables of functions --- */

/* Constant once the first lua_State is open; a second one finds them there. */
static const struct lb_section *sections[SECTIONS_MAX];
static size_t nsections;

const struct lb_section *lb_section(size_t i)
{
	return i < nsections ? sections[i] : NULL;
}

static void section_add(lua_State *L, const struct lb_section *s)
{
	for (size_t i = 0; i < nsections; i++)
		if (sections[i] == s)
			return;
	if (nsections == SECTIONS_MAX)
		luaL_error(L, "too many sections of functions");
	sections[nsections++] = s;
}

/* The second upvalue: tells our closures from others that have upvalues. */
static const char func_magic;

/* What is called in fact: during a stress run each word means something else. */
static int func_call(lua_State *L)
{
	const struct lb_func *f = lua_touserdata(L, lua_upvalueindex(1));

	if (__builtin_expect(lb_session(L)->stress != NULL, 0))
		return lb_stress_call(L, f);
	return f->fn(L);
}

void lb_push_func(lua_State *L, const struct lb_func *f)
{
	lua_pushlightuserdata(L, (void *)f);
	lua_pushlightuserdata(L, (void *)&func_magic);
	lua_pushcclosure(L, func_call, 2);
}

const struct lb_func *lb_func_running(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(2)) == &func_magic ?
		       lua_touserdata(L, lua_upvalueindex(1)) : NULL;
}

const char *lb_func_name(lua_State *L)
{
	const struct lb_func *f = lb_func_running(L);
	lua_Debug ar;

	if (f)
		return f->name;
	if (lua_getstack(L, 0, &ar) && lua_getinfo(L, "n", &ar) && ar.name)
		return ar.name;
	return "?";
}

/* Pushes the table that holds functions called PREFIX.name or PREFIX:name. */
static void push_namespace(lua_State *L, const char *name, size_t len, bool methods)
{
	lua_pushlstring(L, name, len);		/* prefix */
	if (methods) {
		lua_pushvalue(L, -1);
		if (lua_rawget(L, LUA_REGISTRYINDEX) != LUA_TTABLE)
			luaL_error(L, "no kind '%s' to give methods to", lua_tostring(L, -2));
		lua_getfield(L, -1, "__methods"); /* prefix, metatable, methods */
		lua_replace(L, -3);		/* methods, metatable */
		lua_pop(L, 1);
		return;
	}
	lua_pushglobaltable(L);
	lua_pushvalue(L, -2);
	if (lua_rawget(L, -2) != LUA_TTABLE) {	/* prefix, _G, value */
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushvalue(L, -3);
		lua_pushvalue(L, -2);
		lua_rawset(L, -4);		/* _G[prefix] = new */
	}
	lua_replace(L, -3);			/* table, _G */
	lua_pop(L, 1);
}

void lb_register(lua_State *L, const struct lb_section *s)
{
	luaL_checkstack(L, 8, NULL);
	section_add(L, s);
	for (const struct lb_func *f = s->funcs; f->name; f++) {
		const char *sep = strpbrk(f->name, ".:");

		if (!f->fn)
			continue;
		if (!sep) {
			lb_push_func(L, f);
			lua_setglobal(L, f->name);
			continue;
		}
		push_namespace(L, f->name, (size_t)(sep - f->name), *sep == ':');
		lb_push_func(L, f);
		lua_setfield(L, -2, sep + 1);
		lua_pop(L, 1);
	}
}

/* --- the tables as Lua values: require "docs" --- */

static void set_text(lua_State *L, const char *key, const char *text)
{
	if (!text)
		return;
	lua_pushstring(L, text);
	lua_setfield(L, -2, key);
}

static void push_funcs(lua_State *L, const struct lb_func *f)
{
	lua_Integer n = 0;

	lua_newtable(L);
	for (; f->name; f++) {
		lua_newtable(L);
		set_text(L, "name", f->name);
		set_text(L, "sig", f->sig);
		set_text(L, "doc", f->doc);
		set_text(L, "example", f->example);
		lua_pushboolean(L, f->fn != NULL);
		lua_setfield(L, -2, "callable");
		lua_rawseti(L, -2, ++n);
	}
}

/* A list of {name=, title=, text=, funcs={{name=, sig=, doc=, example=, callable=}}}. */
static int docs_open(lua_State *L)
{
	lua_newtable(L);
	for (size_t i = 0; i < nsections; i++) {
		lua_newtable(L);
		set_text(L, "name", sections[i]->name);
		set_text(L, "title", sections[i]->title);
		set_text(L, "text", sections[i]->text);
		push_funcs(L, sections[i]->funcs);
		lua_setfield(L, -2, "funcs");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int version_open(lua_State *L)
{
	lua_pushliteral(L, PACKAGE_VERSION);
	return 1;
}

/* --- worlds --- */

void lb_check_impure(lua_State *L)
{
	if (lb_session(L)->pure)
		luaL_error(L, "%s: a predicate only reads", lb_func_name(L));
	if (lb_session(L)->finalizing)
		luaL_error(L, "%s: cannot be called in a finalizer", lb_func_name(L));
}

static struct world *world_make(struct session *s, enum carrier_kind carrier, bool check_each_step)
{
	struct world *w = world_new(carrier);

	const char *model = *s->model ? s->model : *s->default_model ? s->default_model : "sc";

	if (!w || !world_set_model(w, model) || !check_attach(w) || !lb_claims_attach(s, w, check_each_step)) {
		world_free(w);
		return NULL;
	}
	if (s->interrupt)
		world_set_interrupt(w, s->interrupt, s->interrupt_arg);
	lb_kernel_world(s, w, s->generations + 1);
	return w;
}

static struct world *world_open(lua_State *L, struct session *s)
{
	struct world *w = world_make(s, s->carrier, true);

	if (!w)
		luaL_error(L, "out of memory for a new world");
	return w;
}

/* Another, empty world.  When there is no memory for it the old one stays. */
static void world_replace(lua_State *L, struct session *s)
{
	struct world *w, *old = s->w;

	lb_handles_reset(L);	/* first: it may raise */
	w = world_open(L, s);
	s->w = w;
	s->generation = ++s->generations;
	s->focus = NULL;
	free(s->scenario_name);
	s->scenario_name = NULL;
	world_free(old);
	luaL_unref(L, LUA_REGISTRYINDEX, s->scenario_ref);
	s->scenario_ref = LUA_NOREF;
}

bool lb_protected(struct session *s, lua_CFunction fn, void *ud)
{
	lua_State *B = s->builder, *running = s->running;
	int status;

	lua_settop(B, 0);
	lua_pushcfunction(B, fn);
	lua_pushlightuserdata(B, ud);
	s->running = B;
	status = lua_pcall(B, 1, 0, 0);
	s->running = running;
	if (status == LUA_OK)
		return true;
	lua_sethook(B, NULL, 0, 0);	/* the watchdog's: see lua_guard.c */
	/* the error value stays on the builder's stack for lb_new_world() */
	world_fail(s->w, "%s", lua_type(B, -1) == LUA_TSTRING ? lua_tostring(B, -1) :
		   "the scenario function raised an error that is no string");
	return false;
}

static int scenario_call(lua_State *L)
{
	struct session *s = lua_touserdata(L, 1);

	lua_rawgeti(L, LUA_REGISTRYINDEX, s->scenario_ref);
	lua_call(L, 0, 0);
	return 0;
}

static bool scenario_apply(struct world *w, void *arg)
{
	struct session *s = arg;
	bool ok;

	(void)w;
	s->building = true;
	ok = lb_protected(s, scenario_call, s);
	s->building = false;
	return ok;
}

bool lb_scenario_build(lua_State *L, int idx)
{
	struct session *s = lb_session(L);

	lua_pushvalue(L, idx);
	s->scenario_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_settop(s->builder, 0);
	if (world_do(s->w, scenario_apply, s, NULL, false))
		return true;
	if (lua_gettop(s->builder))
		lua_xmove(s->builder, L, 1);
	else
		lua_pushstring(L, world_error(s->w));
	return false;
}

void lb_new_world(lua_State *L, int scenario_idx)
{
	struct session *s = lb_session(L);

	lb_check_driver(L);
	lb_check_impure(L);
	if (s->building)
		luaL_error(L, "world: cannot be called while a scenario builds its world");
	if (s->busy)
		luaL_error(L, "world: cannot be called while threads are being stepped");
	if (scenario_idx)
		scenario_idx = lua_absindex(L, scenario_idx);
	world_replace(L, s);
	if (!scenario_idx)
		return;
	if (lb_scenario_build(L, scenario_idx))
		return;
	world_replace(L, s);
	lua_error(L);
}

/* --- another world in the place of the session's --- */

/* A new world's empty tables; what they replace is kept in the registry. */
static int aside_tables(lua_State *L)
{
	struct lb_world_aside *a = lua_touserdata(L, 1);

	lb_handles_push(L);
	a->handles_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	lb_ghosts_push(L);
	a->ghosts_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_newtable(L);
	lb_handles_reset(L);
	lb_ghosts_use(L);	/* last: only now has anything changed but the handles, */
	return 0;		/* which are found anew */
}

bool lb_world_set_aside(lua_State *L, struct lb_world_aside *a)
{
	struct session *s = lb_session(L);
	struct world *w = world_make(s, CARRIER_FIBER, false);

	*a = (struct lb_world_aside){
		.w = s->w, .generation = s->generation, .focus = s->focus,
		.scenario_name = s->scenario_name, .scenario_ref = s->scenario_ref,
		.lowest = s->lowest, .handles_ref = LUA_NOREF, .ghosts_ref = LUA_NOREF,
	};
	if (!w || !lb_protected(s, aside_tables, a)) {
		luaL_unref(L, LUA_REGISTRYINDEX, a->handles_ref);
		luaL_unref(L, LUA_REGISTRYINDEX, a->ghosts_ref);
		world_free(w);
		return false;
	}
	s->w = w;
	s->generation = ++s->generations;
	s->focus = NULL;
	s->scenario_name = NULL;
	s->scenario_ref = LUA_NOREF;
	return true;
}

void lb_world_take_back(struct session *s, struct lb_world_aside *a)
{
	lua_State *L = s->builder;

	world_free(s->w);
	luaL_unref(L, LUA_REGISTRYINDEX, s->scenario_ref);
	free(s->scenario_name);
	lua_settop(L, 0);
	lua_rawgeti(L, LUA_REGISTRYINDEX, a->handles_ref);
	lb_handles_use(L);
	lua_rawgeti(L, LUA_REGISTRYINDEX, a->ghosts_ref);
	lb_ghosts_use(L);
	luaL_unref(L, LUA_REGISTRYINDEX, a->handles_ref);
	luaL_unref(L, LUA_REGISTRYINDEX, a->ghosts_ref);
	s->w = a->w;
	s->generation = a->generation;
	s->focus = a->focus;
	s->scenario_name = a->scenario_name;
	s->scenario_ref = a->scenario_ref;
	s->lowest = a->lowest;
}

/* --- opening and closing --- */

static int session_gc(lua_State *L)
{
	struct session *s = lua_touserdata(L, 1);
	struct world *w = s->w;

	s->w = NULL;
	world_free(w);
	lb_kernels_close(s);
	free(s->scenario_name);
	s->scenario_name = NULL;
	return 0;
}

/* The session lives in the registry: a script that leaves by os.exit(n, true)
 * releases its world like any other. */
static struct session *session_new(lua_State *L, enum carrier_kind carrier)
{
	struct session *s = lua_newuserdatauv(L, sizeof(*s), 0);

	memset(s, 0, sizeof(*s));
	s->L = L;
	s->running = L;
	s->carrier = carrier;
	s->scenario_ref = LUA_NOREF;
	s->lowest = UINT64_MAX;
	lua_newtable(L);
	lua_pushcfunction(L, session_gc);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, (void *)session_gc);
	*(struct session **)lua_getextraspace(L) = s;
	s->builder = lua_newthread(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, (void *)lb_protected);
	return s;
}

static int embedded_load(lua_State *L)
{
	const struct lua_embedded *e = lua_touserdata(L, lua_upvalueindex(1));

	lua_pushfstring(L, "=(lua/%s.lua)", e->name);
	if (luaL_loadbufferx(L, e->data, e->len, lua_tostring(L, -1), "t") != LUA_OK)
		return lua_error(L);
	lua_pushvalue(L, 1);			/* require's arguments: the name */
	lua_call(L, 1, 1);
	return 1;
}

static void open_modules(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	for (const struct lua_embedded *e = lua_embedded; e->name; e++) {
		lua_pushlightuserdata(L, (void *)e);
		lua_pushcclosure(L, embedded_load, 1);
		lua_setfield(L, -2, e->name);
	}
	lua_pushcfunction(L, docs_open);
	lua_setfield(L, -2, "docs");
	lua_pushcfunction(L, version_open);
	lua_setfield(L, -2, "version");
	lua_pop(L, 1);
}

void lb_open(lua_State *L, enum carrier_kind carrier)
{
	static void (*const open[])(lua_State *) = {
		lb_open_world, lb_open_heap, lb_open_thread, lb_open_access, lb_open_lock,
		lb_open_srcu, lb_open_kvm, lb_open_step, lb_open_claim, lb_open_explore,
		lb_open_stress,
		lb_open_view,
		lb_open_help,
	};
	struct session *s;

	luaL_openlibs(L);
	lb_open_determinism(L);
	s = session_new(L, carrier);
	s->w = world_open(L, s);
	s->generation = s->generations = 1;
	lb_handles_reset(L);
	open_modules(L);
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		open[i](L);
	lua_getglobal(L, "require");
	lua_pushliteral(L, "prelude");
	lua_call(L, 1, 0);
}

void lb_close(lua_State *L)
{
	struct session *s = lb_session(L);

	s->interrupt = NULL;
	s->interrupt_arg = NULL;
	s->focus = NULL;
	world_set_interrupt(s->w, NULL, NULL);
}

/* --- what Lua code of our own defines, documented here like the rest --- */

static const struct lb_func help_funcs[] = {
	{ "help", NULL, "([name])",
	  "Explains a function, a method or a module, by its name or itself; without an "
	  "argument lists everything there is",
	  "help(\"srcu_read_lock\")\nhelp(synchronize_srcu)" },
	{ "apropos", NULL, "(word)",
	  "Lists the functions, commands and topics that tell of a word, or of several",
	  "apropos(\"barrier\")\napropos(\"grace period\")" },
	{ "require", NULL, "(\"tap\") -> tap",
	  "Besides what Lua itself finds: a module for tests that print TAP, with plan, ok, is, "
	  "isnt, like, same, pass, fail, skip, diag, bail_out and done",
	  "local tap = require(\"tap\")\ntap.is(1 + 1, 2, \"addition\")" },
	{ 0 }
};
static const struct lb_section help_section = {
	"help", "Help", NULL, help_funcs
};

/* lua/srcu_notifier.lua and lua/mmu_notifier.lua, which say the rest at their heads. */
static const struct lb_func library_funcs[] = {
	{ "srcu_notifier.srcu_init_notifier_head", NULL, "(name) -> chain",
	  "Makes a notifier chain, with the fields mutex, srcu and head",
	  "local notifier = require(\"srcu_notifier\")\n"
	  "local chain = notifier.srcu_init_notifier_head(\"chain\")" },
	{ "srcu_notifier.notifier_block", NULL, "(name, fn [, priority [, opts]]) -> nb",
	  "Makes a notifier block, a heap object; fn(nb, action, data) gives NOTIFY_OK, NOTIFY_DONE, "
	  "NOTIFY_BAD or NOTIFY_STOP of the module, higher priorities are called first",
	  "local nb = require(\"srcu_notifier\").notifier_block(\"nb\", print, 10)" },
	{ "srcu_notifier.srcu_notifier_chain_register", NULL, "(chain, nb) -> 0 | nil, message, errno",
	  "Puts a block on a chain; srcu_notifier_chain_unregister() takes it off, and waits until "
	  "nobody is in it", NULL },
	{ "srcu_notifier.srcu_notifier_call_chain", NULL, "(chain, action, data) -> ret",
	  "Calls the blocks of a chain, in a read section of chain.srcu", NULL },
	{ "mmu_notifier.mm_alloc", NULL, "(name [, ss]) -> mm",
	  "Makes an address space to subscribe to, a heap object with one reference; "
	  "mmgrab() and mmdrop() count them",
	  "local mn = require(\"mmu_notifier\")\nlocal mm = mn.mm_alloc(\"mm\")" },
	{ "mmu_notifier.subscription", NULL, "(name, ops) -> sub",
	  "Makes a subscription, a heap object; ops: invalidate_range_start(sub, range), "
	  "invalidate_range_end(sub, range), release(sub, mm), free_notifier(sub)",
	  "local sub = require(\"mmu_notifier\").subscription(\"sub\", {release = function() end})" },
	{ "mmu_notifier.mmu_notifier_register", NULL, "(sub, mm)",
	  "Subscribes; mmu_notifier_unregister(sub, mm) ends that and waits, mmu_notifier_put(sub) "
	  "ends it by a callback", NULL },
	{ "mmu_notifier.mmu_notifier_invalidate_range_start", NULL, "(mm, range) -> 0 | nil, why",
	  "Tells the subscribers, in a read section; so do mmu_notifier_invalidate_range_end(mm, "
	  "range) and mmu_notifier_release(mm)", NULL },
	{ 0 }
};
static const struct lb_section library_section = {
	"libraries", "Libraries in Lua",
	"What require() gives beside Lua's own modules: pieces of the kernel that are made of the "
	"words above, so that each of their accesses is a step.",
	library_funcs
};

void lb_open_help(lua_State *L)
{
	lb_register(L, &help_section);
	lb_register(L, &library_section);
}
