/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The world and its plainest objects: variables, pointers and ghost state.
 * What is made outside of threads goes through the journal, so that going back
 * and starting again make it anew.
 */
#include <config.h>

#include "binding/binding.h"
#include "engine/peek.h"
#include "k/objtypes.h"

#include <stdlib.h>
#include <string.h>

/* --- the world --- */

static int l_world(lua_State *L)
{
	if (!lua_isnoneornil(L, 1))
		lb_check_type(L, 1, LUA_TFUNCTION);
	lb_new_world(L, lua_isnoneornil(L, 1) ? 0 : 1);
	return 0;
}

/* The argument is both numbers in one: the journal keeps it. */
#define CPUS_ARG(n, online) ((void *)(uintptr_t)((uint32_t)(n) << 16 | (uint32_t)(online)))

static bool cpus_apply(struct world *w, void *arg)
{
	return world_set_cpus(w, (uint32_t)(uintptr_t)arg >> 16) &&
	       world_set_online(w, (uint32_t)(uintptr_t)arg & 0xffff);
}

/* {online=m} at 2, of n CPUs; all when there is none. */
static lua_Integer check_online(lua_State *L, lua_Integer n)
{
	lua_Integer m = n;

	if (lua_isnoneornil(L, 2))
		return n;
	lb_check_type(L, 2, LUA_TTABLE);
	for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING || strcmp(lua_tostring(L, -2), "online"))
			lb_arg_error(L, 2, "no option is called '%s' (online)", lb_describe(L, -2));
		if (!lua_isinteger(L, -1))
			lb_arg_error(L, 2, "option 'online' is an integer, not a %s",
				     luaL_typename(L, -1));
		m = lua_tointeger(L, -1);
		if (m < 1 || m > n)
			lb_arg_error(L, 2, "option 'online' is 1..%I, not %I", (LUAI_UACINT)n,
				     (LUAI_UACINT)m);
	}
	return m;
}

static int l_cpus(lua_State *L)
{
	struct session *s = lb_session(L);
	lua_Integer cpus;
	void *n;
	bool ok;

	if (lua_isnoneornil(L, 1) && !lua_isnoneornil(L, 2))
		lb_type_error(L, 1, "number");
	if (!lua_isnoneornil(L, 1)) {
		cpus = lb_check_range(L, 1, 1, WORLD_CPUS_MAX);
		n = CPUS_ARG(cpus, check_online(L, cpus));
		lb_check_driver(L);
		lb_check_impure(L);
		ok = s->building ? cpus_apply(s->w, n) :
		     world_do(s->w, cpus_apply, n, NULL, false);
		if (!ok)
			luaL_error(L, "cpus: %s", world_error(s->w));
	}
	lua_pushinteger(L, world_cpus(s->w));
	return 1;
}

/* --- variables and pointers --- */

struct basic_recipe {
	struct lb_recipe head;
	const struct objtype *type;
	uint64_t value;
};

static struct object *basic_make(struct world *w, struct lb_recipe *r)
{
	struct basic_recipe *b = (struct basic_recipe *)r;
	struct object *o = k_object_new(w, b->type, r->name);

	if (o)
		*(uint64_t *)o->base = b->value;
	return o;
}

void lb_make_basic(lua_State *L, int idx, const struct objtype *type, uint64_t value)
{
	struct basic_recipe *b = lb_recipe_new(L, idx, sizeof(*b), basic_make);

	b->type = type;
	b->value = value;
	lb_make(L, &b->head);
}

static int l_var(lua_State *L)
{
	lb_check_name(L, 1);
	lb_make_basic(L, 1, &var_objtype,
		      lua_isnoneornil(L, 2) ? 0 : (uint64_t)lb_check_int(L, 2));
	return 1;
}

static int l_ptr(lua_State *L)
{
	const struct lb_loc loc = { .kind = LB_PTR };

	lb_check_name(L, 1);
	lua_settop(L, 2);
	lb_make_basic(L, 1, &ptr_objtype, lb_loc_tovalue(L, 2, &loc));
	return 1;
}

static const struct site get_site = LB_SITE(OP_PLAIN_LOAD, ORD_NONE, 0, "get");
static const struct site set_site = LB_SITE(OP_PLAIN_STORE, ORD_NONE, 0, "set");

static int l_var_get(lua_State *L)
{
	struct lb_loc loc = { .kind = LB_VAR, .obj = lb_check_object(L, 1, &var_objtype) };

	loc.addr = loc.obj->base;
	lb_loc_read(L, &loc, &get_site);
	return 1;
}

static int l_var_set(lua_State *L)
{
	struct object *o = lb_check_object(L, 1, &var_objtype);
	lua_Integer v = lb_check_int(L, 2);

	lb_task(L);
	lb_event(L, &set_site, o->base, 8, (uint64_t)v, 0);
	return 0;
}

/* --- ghost state: Lua values that belong to the execution --- */

/* One word of memory: its place stands for the value, which Lua keeps. */
static const struct objtype ghost_objtype = { .kind = "ghost" };
static const char ghosts_key;	/* registry: identity -> value, of the session's world */

void lb_ghosts_push(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &ghosts_key);
}

void lb_ghosts_use(lua_State *L)
{
	lua_rawsetp(L, LUA_REGISTRYINDEX, &ghosts_key);
}

/* What sets a ghost from outside: at its making, or by an assignment typed. */
struct ghost_value {
	struct session *s;
	uint32_t id;
	struct lb_fn *value;	/* any Lua value */
};
struct ghost_recipe {
	struct lb_recipe head;
	struct ghost_value v;
};

static void ghost_store(lua_State *L, uint32_t id, int idx)
{
	idx = lua_absindex(L, idx);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &ghosts_key);
	lua_pushvalue(L, idx);
	lua_rawseti(L, -2, id);
	lua_pop(L, 1);
}

static int ghost_restore(lua_State *L)
{
	struct ghost_value *v = lua_touserdata(L, 1);

	lua_rawgeti(L, LUA_REGISTRYINDEX, v->value->ref);
	ghost_store(L, v->id, -1);
	return 0;
}

static bool ghost_apply(struct world *w, void *arg)
{
	struct ghost_value *v = arg;
	struct object *o = object_by_id(w, v->id);

	if (o)
		++*(uint64_t *)o->base;
	return lb_protected(v->s, ghost_restore, v);
}

static void ghost_value_free(void *arg)
{
	struct ghost_value *v = arg;

	lb_fn_put(v->value);
	free(v);
}

static struct object *ghost_make(struct world *w, struct lb_recipe *r)
{
	struct ghost_recipe *g = (struct ghost_recipe *)r;
	struct object *o = object_new(w, &ghost_objtype, r->name, sizeof(uint64_t));

	if (!o)
		return NULL;
	g->v.id = o->id;
	/* in a thread and in a scenario ghost() itself gives it its value */
	if (!task_current() && !g->v.s->building && !ghost_apply(w, &g->v))
		return NULL;
	return o;
}

static void ghost_release(struct lb_recipe *r)
{
	lb_fn_put(((struct ghost_recipe *)r)->v.value);
}

static int l_ghost(lua_State *L)
{
	struct ghost_recipe *g;

	lb_check_name(L, 1);
	lua_settop(L, 2);
	g = lb_recipe_new(L, 1, sizeof(*g), ghost_make);
	g->head.release = ghost_release;
	g->v.s = lb_session(L);
	g->v.value = lb_fn_new(L, 2);
	lb_make(L, &g->head);
	ghost_store(L, lb_check_object(L, -1, &ghost_objtype)->id, 2);
	return 1;
}

static struct object *check_ghost(lua_State *L)
{
	struct object *o = lb_check_object(L, 1, &ghost_objtype);

	if (lua_type(L, 2) != LUA_TSTRING || strcmp(lua_tostring(L, 2), "value"))
		luaL_error(L, "ghost \"%s\" has one field only: value", o->name);
	return o;
}

/* Tells whoever explores; the word in memory counts the writes, so that one can see
 * there that the value may be another. */
static void ghost_touch(lua_State *L, struct object *o, bool write)
{
	struct world *w = lb_session(L)->w;

	if (write)
		++*(uint64_t *)o->base;
	if (!world_ghost(w, o->base, write))
		luaL_error(L, "ghost: %s", world_error(w));
}

/* What a thread is given by reference it may change. */
static bool may_change(int type)
{
	return task_current() && (type == LUA_TTABLE || type == LUA_TFUNCTION ||
				  type == LUA_TTHREAD);
}

static int ghost_index(lua_State *L)
{
	struct object *o = check_ghost(L);

	lua_rawgetp(L, LUA_REGISTRYINDEX, &ghosts_key);
	ghost_touch(L, o, may_change(lua_rawgeti(L, -1, o->id)) && !lb_session(L)->pure);
	return 1;
}

static int ghost_newindex(lua_State *L)
{
	struct session *s = lb_session(L);
	struct object *o = check_ghost(L);
	struct ghost_value *v;

	lb_check_impure(L);
	if (task_current() || s->building) {
		ghost_touch(L, o, true);
		ghost_store(L, o->id, 3);
		return 0;
	}
	v = malloc(sizeof(*v));
	if (!v)
		return luaL_error(L, "ghost: out of memory");
	*v = (struct ghost_value){ .s = s, .id = o->id, .value = lb_fn_new(L, 3) };
	if (!world_do(s->w, ghost_apply, v, ghost_value_free, true))
		return luaL_error(L, "ghost: %s", world_error(s->w));
	return 0;
}

/* --- ghosts at a checkpoint --- */

/* The ghost's value then, in the registry, and the number of writes until then. */
struct ghost_saved { struct object *o; uint64_t writes; int ref; };
struct lb_ghosts { size_t n; struct ghost_saved v[]; };

static int ghosts_save(lua_State *L)
{
	struct lb_ghosts *g = lua_touserdata(L, 1);

	lua_rawgetp(L, LUA_REGISTRYINDEX, &ghosts_key);
	for (size_t i = 0; i < g->n; i++) {
		int type = lua_rawgeti(L, -1, g->v[i].o->id);

		/* what bodies change inside of tables is put back by lua_purity.c */
		if (type == LUA_TTHREAD)
			luaL_error(L, "ghost \"%s\" holds a %s", g->v[i].o->name, luaL_typename(L, -1));
		g->v[i].ref = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	return 0;
}

struct lb_ghosts *lb_ghosts_save(struct session *s)
{
	struct world *w = s->w;
	size_t n = world_object_count(w);
	struct lb_ghosts *g = malloc(sizeof(*g) + n * sizeof(g->v[0]));

	if (!g) {
		world_fail(w, "out of memory");
		return NULL;
	}
	g->n = 0;
	for (size_t i = 0; i < n; i++) {
		struct object *o = world_object(w, i);

		if (o->type == &ghost_objtype)
			g->v[g->n++] = (struct ghost_saved){ o, *(uint64_t *)o->base, LUA_NOREF };
	}
	if (!g->n || lb_protected(s, ghosts_save, g))
		return g;
	lb_ghosts_drop(s, g);
	return NULL;
}

static int ghosts_back(lua_State *L)
{
	struct lb_ghosts *g = lua_touserdata(L, 1);

	lua_rawgetp(L, LUA_REGISTRYINDEX, &ghosts_key);
	for (size_t i = 0; i < g->n; i++)
		if (*(uint64_t *)g->v[i].o->base != g->v[i].writes) {
			lua_rawgeti(L, LUA_REGISTRYINDEX, g->v[i].ref);
			lua_rawseti(L, -2, g->v[i].o->id);
		}
	return 0;
}

bool lb_ghosts_back(struct session *s, struct lb_ghosts *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (*(uint64_t *)g->v[i].o->base != g->v[i].writes)
			return lb_protected(s, ghosts_back, g);
	return true;
}

void lb_ghosts_drop(struct session *s, struct lb_ghosts *g)
{
	for (size_t i = 0; g && i < g->n; i++)
		luaL_unref(s->L, LUA_REGISTRYINDEX, g->v[i].ref);
	free(g);
}

/* --- the section --- */

static const struct lb_func world_funcs[] = {
	{ "world", l_world, "([scenario])",
	  "Discards the world and begins another: empty, or built by calling the function, which "
	  "is called again whenever the world starts anew",
	  "world(function() ss = srcu.new(\"ss\") end)" },
	{ "cpus", l_cpus, "([n [, {online=m}]]) -> n",
	  "Sets the number of virtual CPUs, 1 to 4096 (4 unless set), before the first object is "
	  "made; only the first m are online (all unless set): the others are possible and never "
	  "come, and no thread or work item runs there. Gives the number",
	  "cpus(4, {online = 2})" },
	{ "var", l_var, "(name [, integer]) -> var",
	  "Makes a shared 64-bit integer, 0 unless given",
	  "local x = var(\"x\", 1)" },
	{ "var:get", l_var_get, "() -> integer",
	  "Reads a var plainly, as C reads a variable: one step, watched for data races; outside "
	  "of threads it takes no step",
	  "local x = var(\"x\", 1)\nprint(x:get())" },
	{ "var:set", l_var_set, "(integer)",
	  "Writes a var plainly: one step, watched for data races",
	  "local x = var(\"x\")\nthread(\"t\", function() x:set(2) end)" },
	{ "ptr", l_ptr, "(name [, object]) -> ptr",
	  "Makes a shared pointer to an object, NULL (nil) unless given",
	  "local p = ptr(\"p\", kmalloc(\"old\", {count = 0}))" },
	{ "ghost", l_ghost, "(name [, value]) -> ghost",
	  "Makes state of the proof rather than of the program: g.value is any Lua value, reading "
	  "and writing it costs no step; going back restores what is assigned to it, not "
	  "what is changed inside a table",
	  "local g = ghost(\"readers\", 0)\ng.value = g.value + 1" },
	{ 0 }
};
static const struct lb_section world_section = {
	"world", "The world and its variables",
	"Objects are made in a scenario function, at the prompt or in threads; making them is no "
	"step. Names are made of letters, digits and _.:/@#- and are unique, except that a thread "
	"may use a name again: the second \"new\" that thread writer makes is new@writer.2.",
	world_funcs
};

static const struct lb_func ghost_index_func = { "ghost.value", ghost_index, NULL, NULL, NULL };
static const struct lb_func ghost_newindex_func = { "ghost.value", ghost_newindex, NULL, NULL, NULL };

void lb_open_world(lua_State *L)
{
	lb_new_kind(L, &var_objtype);
	lb_new_kind(L, &ptr_objtype);
	lb_new_kind(L, &ghost_objtype);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &ghost_objtype);
	lb_push_func(L, &ghost_index_func);
	lua_setfield(L, -2, "__index");
	lb_push_func(L, &ghost_newindex_func);
	lua_setfield(L, -2, "__newindex");
	lua_pop(L, 1);
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &ghosts_key);
	lb_register(L, &world_section);
}
