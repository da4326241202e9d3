/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Handles: what a script holds in its hand for an object of the world.  A handle
 * names its object by the world's generation and the object's identity, and is
 * resolved at each use, so that it survives every rebuild of the world and
 * outlives the world itself without harm.
 */
#include <config.h>

#include "binding/binding.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct handle {
	const void *magic;	/* &handle_magic: no other userdata begins so */
	const struct objtype *type;
	uint32_t generation;
	uint32_t id;
	char name[];		/* for messages, when the object is gone */
};

static const char handle_magic;
static const char handles_key;	/* registry: weak table, identity -> handle */

static struct handle *to_handle(lua_State *L, int idx)
{
	struct handle *h;

	/* what is no userdata, or a light one, is NULL here or has length 0 */
	h = lua_touserdata(L, idx);
	if (!h || lua_rawlen(L, idx) <= sizeof(*h))
		return NULL;
	return h->magic == &handle_magic ? h : NULL;
}

void lb_handles_reset(lua_State *L)
{
	lua_newtable(L);
	lua_newtable(L);
	lua_pushliteral(L, "v");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &handles_key);
}

void lb_handles_push(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &handles_key);
}

void lb_handles_use(lua_State *L)
{
	lua_rawsetp(L, LUA_REGISTRYINDEX, &handles_key);
}

/* --- kinds --- */

static int handle_tostring(lua_State *L)
{
	struct handle *h = to_handle(L, 1);

	luaL_argexpected(L, h, 1, "object");
	lua_pushfstring(L, "%s \"%s\"", h->type->kind, h->name);
	return 1;
}

static int handle_eq(lua_State *L)
{
	struct handle *a = to_handle(L, 1), *b = to_handle(L, 2);

	lua_pushboolean(L, a && b && a->id == b->id && a->generation == b->generation);
	return 1;
}

void lb_new_kind(lua_State *L, const struct objtype *type)
{
	luaL_checkstack(L, 4, NULL);
	if (luaL_newmetatable(L, type->kind)) {	/* sets __name, too */
		lua_pushcfunction(L, handle_tostring);
		lua_setfield(L, -2, "__tostring");
		lua_pushcfunction(L, handle_eq);
		lua_setfield(L, -2, "__eq");
		lua_pushliteral(L, "object");
		lua_setfield(L, -2, "__metatable");
		lua_newtable(L);
		lua_pushvalue(L, -1);
		lua_setfield(L, -3, "__methods");
		lua_setfield(L, -2, "__index");
	}
	lua_rawsetp(L, LUA_REGISTRYINDEX, type);
}

/* --- from objects to handles and back --- */

/* Another execution may have made something else as the n-th thing of its maker: a
 * handle that is left from it is not this object's. */
static bool handle_is_of(const struct handle *h, const struct object *o)
{
	return h && h->type == o->type && !strcmp(h->name, o->name);
}

void lb_push_object(lua_State *L, struct object *o)
{
	struct handle *h;
	size_t n;

	if (!o) {
		lua_pushnil(L);
		return;
	}
	luaL_checkstack(L, 4, NULL);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &handles_key);
	if (lua_rawgeti(L, -1, o->id) == LUA_TUSERDATA && handle_is_of(to_handle(L, -1), o)) {
		lua_replace(L, -2);
		return;
	}
	lua_pop(L, 1);
	n = strlen(o->name) + 1;
	h = lua_newuserdatauv(L, sizeof(*h) + n, 0);
	*h = (struct handle){ .magic = &handle_magic, .type = o->type,
			      .generation = lb_session(L)->generation, .id = o->id };
	memcpy(h->name, o->name, n);
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, o->type) != LUA_TTABLE) {
		lua_pop(L, 1);
		lb_new_kind(L, o->type);
		lua_rawgetp(L, LUA_REGISTRYINDEX, o->type);
	}
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_rawseti(L, -3, o->id);		/* handles[id] = handle */
	lua_replace(L, -2);
}

static struct object *handle_resolve(lua_State *L, int idx, const struct handle *h)
{
	struct session *s = lb_session(L);
	struct object *o;

	if (h->generation != s->generation)
		lb_arg_error(L, idx, "%s \"%s\" belongs to another world", h->type->kind, h->name);
	o = object_by_id(s->w, h->id);
	if (!o)
		lb_arg_error(L, idx, "%s \"%s\" is not made yet at this step", h->type->kind, h->name);
	/* after going back a thread's body may have made something else */
	if (o->type != h->type)
		lb_arg_error(L, idx, "%s \"%s\" is now %s \"%s\"", h->type->kind, h->name,
			     o->type->kind, o->name);
	if (o->state == OBJECT_DESTROYED)
		lb_arg_error(L, idx, "%s \"%s\" has been destroyed", h->type->kind, h->name);
	return o;
}

struct object *lb_check_object(lua_State *L, int idx, const struct objtype *type)
{
	struct handle *h = to_handle(L, idx);

	if (!h || (type && h->type != type))
		lb_type_error(L, idx, type ? type->kind : "object");
	return handle_resolve(L, idx, h);
}

struct object *lb_test_object(lua_State *L, int idx)
{
	struct handle *h = to_handle(L, idx);

	return h ? handle_resolve(L, idx, h) : NULL;
}

struct object *lb_resolve(lua_State *L, int arg, int handle_idx)
{
	struct handle *h = to_handle(L, handle_idx);

	return h ? handle_resolve(L, arg, h) : NULL;
}

struct task *lb_check_task(lua_State *L, int idx)
{
	struct world *w = lb_session(L)->w;
	struct handle *h = to_handle(L, idx);
	struct task *t;
	const char *name;

	if (h) {
		t = task_by_id(w, handle_resolve(L, idx, h)->id);
		if (!t)
			lb_type_error(L, idx, "thread");
		return t;
	}
	if (lua_type(L, idx) != LUA_TSTRING)
		lb_type_error(L, idx, "thread or its name");
	name = lua_tostring(L, idx);
	t = task_by_name(w, name);
	if (!t)
		lb_arg_error(L, idx, "no thread is called \"%s\"", name);
	return t;
}

/* --- arguments --- */

int lb_arg_error(lua_State *L, int idx, const char *fmt, ...)
{
	const struct lb_func *f = lb_func_running(L);
	const char *msg;
	va_list ap;

	va_start(ap, fmt);
	msg = lua_pushvfstring(L, fmt, ap);
	va_end(ap);
	if (!f)
		return luaL_argerror(L, idx, msg);
	/* a metamethod has no arguments that the script would see as such */
	if (!f->sig)
		return luaL_error(L, "%s: %s", f->name, msg);
	if (strchr(f->name, ':') && --idx == 0)
		return luaL_error(L, "calling '%s' on bad self (%s)", f->name, msg);
	return luaL_error(L, "bad argument #%d to '%s' (%s)", idx, f->name, msg);
}

int lb_type_error(lua_State *L, int idx, const char *expected)
{
	const char *got = luaL_typename(L, idx);

	if (luaL_getmetafield(L, idx, "__name") == LUA_TSTRING)
		got = lua_tostring(L, -1);
	else if (lua_type(L, idx) == LUA_TLIGHTUSERDATA)
		got = "light userdata";
	return lb_arg_error(L, idx, "%s expected, got %s", expected, got);
}

const char *lb_describe(lua_State *L, int idx)
{
	switch (lua_type(L, idx)) {
	case LUA_TSTRING:
	case LUA_TNUMBER:
	case LUA_TBOOLEAN:
		return luaL_tolstring(L, idx, NULL);
	default:
		return lua_pushfstring(L, "(%s)", luaL_typename(L, idx));
	}
}

lua_Integer lb_opt_integer(lua_State *L, const char *name, lua_Integer lo, lua_Integer hi)
{
	if (!lua_isinteger(L, -1))
		lb_arg_error(L, 2, "option '%s' is an integer, not a %s", name, luaL_typename(L, -1));
	if (lua_tointeger(L, -1) < lo || lua_tointeger(L, -1) > hi)
		lb_arg_error(L, 2, "option '%s' is %I..%I, not %I", name, (LUAI_UACINT)lo,
			     (LUAI_UACINT)hi, (LUAI_UACINT)lua_tointeger(L, -1));
	return lua_tointeger(L, -1);
}

void lb_check_type(lua_State *L, int idx, int type)
{
	if (lua_type(L, idx) != type)
		lb_type_error(L, idx, lua_typename(L, type));
}

const char *lb_check_name(lua_State *L, int idx)
{
	const char *name;
	size_t len;

	if (lua_type(L, idx) != LUA_TSTRING)
		lb_type_error(L, idx, "name");
	name = lua_tolstring(L, idx, &len);
	if (!len)
		lb_arg_error(L, idx, "the name is empty");
	if (strlen(name) != len)
		lb_arg_error(L, idx, "the name has a zero byte in it");
	if (!name_is_valid(name))
		lb_arg_error(L, idx, "\"%s\" is no name: letters, digits and _.:/@#- make one, and "
			     "kworker/, timer/, sb/, clock and rcu_state are taken", name);
	return name;
}

lua_Integer lb_check_int(lua_State *L, int idx)
{
	int isint;
	lua_Integer n;

	if (lua_type(L, idx) != LUA_TNUMBER)
		lb_type_error(L, idx, "integer");
	n = lua_tointegerx(L, idx, &isint);
	if (!isint)
		lb_arg_error(L, idx, "number has no integer representation");
	return n;
}

lua_Integer lb_check_range(lua_State *L, int idx, lua_Integer lo, lua_Integer hi)
{
	lua_Integer n = lb_check_int(L, idx);

	if (n < lo || n > hi)
		lb_arg_error(L, idx, "expected %I..%I, got %I", (LUAI_UACINT)lo, (LUAI_UACINT)hi,
			     (LUAI_UACINT)n);
	return n;
}

/* --- 64-bit values --- */

static const char null_key;

bool lb_is_null(lua_State *L, int idx)
{
	bool same;

	if (lua_isnoneornil(L, idx))
		return true;
	if (lua_type(L, idx) != LUA_TUSERDATA)
		return false;
	idx = lua_absindex(L, idx);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &null_key);
	same = lua_rawequal(L, -1, idx);
	lua_pop(L, 1);
	return same;
}

static int null_tostring(lua_State *L)
{
	lua_pushliteral(L, "null");
	return 1;
}

void lb_push_null(lua_State *L)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &null_key) == LUA_TUSERDATA)
		return;
	lua_pop(L, 1);
	lua_newuserdatauv(L, 0, 0);
	luaL_newmetatable(L, "null");
	lua_pushcfunction(L, null_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &null_key);
}

uint64_t lb_tovalue(lua_State *L, int idx)
{
	return lb_tovalue_in(L, idx, idx);
}

uint64_t lb_tovalue_in(lua_State *L, int arg, int idx)
{
	struct object *o;
	lua_Integer n;

	if (lb_is_null(L, idx))
		return 0;
	if (lua_isinteger(L, idx) || (arg == idx && lua_type(L, idx) == LUA_TNUMBER)) {
		n = lb_check_int(L, idx);
		/* it would read back as an object that nobody stored */
		if (arena_contains(lb_session(L)->w, (void *)(uintptr_t)n))
			lb_arg_error(L, arg, "the integer %I cannot be stored: it is the address "
				     "of simulated memory", (LUAI_UACINT)n);
		return (uint64_t)n;
	}
	o = lb_resolve(L, arg, idx);
	if (!o)
		lb_type_error(L, idx, "integer, object or nil");
	if (!o->base)
		lb_arg_error(L, arg, "%s \"%s\" has no address", o->type->kind, o->name);
	return (uintptr_t)o->base;
}

void lb_pushvalue(lua_State *L, uint64_t v)
{
	struct world *w = lb_session(L)->w;
	void *addr = (void *)(uintptr_t)v;
	struct object *o;

	if (!arena_contains(w, addr)) {
		lua_pushinteger(L, (lua_Integer)v);
		return;
	}
	o = object_at(w, addr);
	if (!o)
		luaL_error(L, "%s: what it points to is not made yet at this step", lb_func_name(L));
	lb_push_object(L, o);
}

/* --- making objects --- */

void *lb_recipe_new(lua_State *L, int idx, size_t size,
		    struct object *(*make)(struct world *, struct lb_recipe *))
{
	const char *name = lb_check_name(L, idx);
	struct lb_recipe *r = calloc(1, size);

	if (r)
		r->name = strdup(name);
	if (!r || !r->name) {
		free(r);
		luaL_error(L, "%s: out of memory", lb_func_name(L));
		return NULL;
	}
	r->make = make;
	return r;
}

void lb_recipe_free(struct lb_recipe *r)
{
	if (r->release)
		r->release(r);
	free(r->name);
	free(r);
}

static void recipe_release(void *arg)
{
	lb_recipe_free(arg);
}

static bool recipe_apply(struct world *w, void *arg)
{
	struct lb_recipe *r = arg;

	r->made = r->make(w, r);
	return r->made != NULL;
}

/* Frees r and raises with the name of the object that has its name. */
static void raise_clash(lua_State *L, struct lb_recipe *r, const struct object *o)
{
	lua_pushfstring(L, "%s: name \"%s\" is taken by %s \"%s\"", lb_func_name(L), o->name,
			o->type->kind, o->name);
	lb_recipe_free(r);
	luaL_error(L, "%s", lua_tostring(L, -1));
}

void lb_make(lua_State *L, struct lb_recipe *r)
{
	struct session *s = lb_session(L);
	struct object *o;

	if (s->pure || s->finalizing) {
		lb_recipe_free(r);
		lb_check_impure(L);
	}
	if (!task_current()) {
		o = object_by_name(s->w, r->name);
		if (o)
			raise_clash(L, r, o);
	}
	if (task_current() || s->building) {
		o = r->make(s->w, r);
		lb_recipe_free(r);
	} else {
		o = world_do(s->w, recipe_apply, r, recipe_release, false) ? r->made : NULL;
	}
	if (!o)
		luaL_error(L, "%s: %s", lb_func_name(L), world_error(s->w));
	lb_push_object(L, o);
}
