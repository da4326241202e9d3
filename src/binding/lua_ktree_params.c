/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * K.params: a kernel tree's module parameters, as a table that can be read, set and
 * gone through.  What is set is kept beside the image as well, for the next one.
 */
#include <config.h>

#include "binding/lua_ktree.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char kind[] = "kernel parameters";

static struct lb_kernel *check_params(lua_State *L)
{
	return *(struct lb_kernel **)luaL_checkudata(L, 1, kind);
}

static const struct ktree_param *find(const struct ktree *k, const char *name)
{
	for (const struct ktree_param *p = k->image->params; p < k->image->params_end; p++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

static bool is_bool(const struct ktree_param *p)
{
	return !strcmp(p->type, "bool") || !strcmp(p->type, "invbool");
}

static void push_names(lua_State *L, const struct ktree *k)
{
	const struct ktree_param *p = k->image->params;

	for (lua_pushliteral(L, ""); p < k->image->params_end; p++) {
		lua_pushfstring(L, "%s%s", p == k->image->params ? "" : ", ", p->name);
		lua_concat(L, 2);
	}
}

/* The parameter that the key at 2 names; raises if there is none. */
static const struct ktree_param *check_name(lua_State *L, const struct ktree *k)
{
	const struct ktree_param *p = lua_type(L, 2) == LUA_TSTRING ? find(k, lua_tostring(L, 2)) : NULL;
	const char *names;

	if (p)
		return p;
	push_names(L, k);
	names = lua_tostring(L, -1);	/* now: what describes the key stands above it */
	luaL_error(L, "no parameter of the kernel is called '%s' (%s)", lb_describe(L, 2),
		   *names ? names : "it has none");
	return NULL;
}

/* What worlds of that generation have; false: whatever the image came with. */
static bool setting(const struct lb_kernel *kn, const char *name, uint32_t generation, long *value)
{
	for (size_t i = kn->nsettings; i--;)
		if (kn->settings[i].from <= generation && !strcmp(kn->settings[i].name, name)) {
			*value = kn->settings[i].value;
			return true;
		}
	return false;
}

static void push_value(lua_State *L, const struct lb_kernel *kn, const struct ktree_param *p)
{
	long v = 0;

	if (!setting(kn, p->name, UINT32_MAX, &v) &&
	    !ktree_param_get(lb_kernel_newest(kn), p->name, &v))
		lua_pushnil(L);		/* a string, say */
	else if (is_bool(p))
		lua_pushboolean(L, v != 0);
	else
		lua_pushinteger(L, v);
}

static int params_index(lua_State *L)
{
	struct lb_kernel *kn = check_params(L);

	push_value(L, kn, check_name(L, lb_kernel_newest(kn)));
	return 1;
}

/* Worlds of generation `from` and later ones have that value. */
static bool keep(struct lb_kernel *kn, const char *name, long value, uint32_t from)
{
	struct lb_setting *a;
	char *copy;

	for (size_t i = 0; i < kn->nsettings; i++)
		if (kn->settings[i].from == from && !strcmp(kn->settings[i].name, name)) {
			kn->settings[i].value = value;
			return true;
		}
	a = realloc(kn->settings, (kn->nsettings + 1) * sizeof(*a));
	if (!a)
		return false;
	kn->settings = a;
	copy = strdup(name);
	if (!copy)
		return false;
	a[kn->nsettings++] = (struct lb_setting){ copy, value, from };
	return true;
}

static bool has_kernel_domain(struct world *w)
{
	for (size_t i = 0; i < world_object_count(w); i++) {
		struct object *o = world_object(w, i);

		if (o->type == &srcu_objtype && ((struct srcu *)o->impl)->ops->version)
			return true;
	}
	return false;
}

/* The first world that a setting made now is for: a scenario function can set what its own
 * world has, before it makes a domain. */
static uint32_t set_from(lua_State *L)
{
	struct session *s = lb_session(L);

	if (task_current())
		luaL_error(L, "a parameter of the kernel cannot be set in a thread's body");
	if (s->pure)
		luaL_error(L, "a predicate only reads, and sets no parameter of the kernel");
	if (!s->building)
		return lb_kernel_from(s);
	if (has_kernel_domain(s->w))
		luaL_error(L, "a parameter of the kernel is set before the scenario makes its first domain");
	return s->generation;
}

static int params_newindex(lua_State *L)
{
	struct lb_kernel *kn = check_params(L);
	struct ktree *k = lb_kernel_newest(kn);
	const struct ktree_param *p = check_name(L, k);
	uint32_t from = set_from(L);
	long value, old = 0;

	if (!lua_isinteger(L, 3) && !(is_bool(p) && lua_isboolean(L, 3)))
		return luaL_error(L, "the kernel's parameter '%s' (%s) is %s, not %s", p->name, p->type,
				  is_bool(p) ? "a boolean" : "an integer", lb_describe(L, 3));
	value = lua_isboolean(L, 3) ? lua_toboolean(L, 3) : (long)lua_tointeger(L, 3);
	ktree_param_get(k, p->name, &old);
	if (!ktree_param_set(k, p->name, value))
		return luaL_error(L, "the kernel's parameter '%s' (%s) cannot be %s", p->name, p->type,
				  lb_describe(L, 3));
	if ((!setting(kn, p->name, 0, &(long){ 0 }) && !keep(kn, p->name, old, 0)) ||
	    !keep(kn, p->name, value, from))
		return luaL_error(L, "out of memory");
	return 0;
}

/* The next one after the name at 2, in the order of the sources. */
static int params_next(lua_State *L)
{
	struct lb_kernel *kn = check_params(L);
	struct ktree *k = lb_kernel_newest(kn);
	const struct ktree_param *p = lua_isnil(L, 2) ? k->image->params : check_name(L, k) + 1;

	if (p >= k->image->params_end) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushstring(L, p->name);
	push_value(L, kn, p);
	return 2;
}

static int params_pairs(lua_State *L)
{
	check_params(L);
	lua_pushcfunction(L, params_next);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

static int params_tostring(lua_State *L)
{
	struct lb_kernel *kn = check_params(L);
	struct ktree *k = lb_kernel_newest(kn);
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	luaL_addchar(&b, '{');
	for (const struct ktree_param *p = k->image->params; p < k->image->params_end; p++) {
		luaL_addstring(&b, p == k->image->params ? "" : ", ");
		luaL_addstring(&b, p->name);
		luaL_addstring(&b, " = ");
		push_value(L, kn, p);
		luaL_tolstring(L, -1, NULL);
		lua_remove(L, -2);
		luaL_addvalue(&b);
	}
	luaL_addchar(&b, '}');
	luaL_pushresult(&b);
	return 1;
}

void lb_push_params(lua_State *L, struct lb_kernel *kn)
{
	static const luaL_Reg meta[] = {
		{ "__index", params_index },
		{ "__newindex", params_newindex },
		{ "__pairs", params_pairs },
		{ "__tostring", params_tostring },
		{ NULL, NULL },
	};
	struct lb_kernel **p;

	/* the same table each time: found by where it is kept in the kernel */
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &kn->settings) == LUA_TUSERDATA)
		return;
	lua_pop(L, 1);
	p = lua_newuserdatauv(L, sizeof(*p), 0);
	*p = kn;
	if (luaL_newmetatable(L, kind)) {
		luaL_setfuncs(L, meta, 0);
		lua_pushliteral(L, "parameters");
		lua_setfield(L, -2, "__metatable");
	}
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &kn->settings);
}

void lb_params_settle(const struct lb_kernel *kn)
{
	struct ktree *k = lb_kernel_of(kn, kn->s->generation);
	long value, now;

	for (size_t i = 0; i < kn->nsettings; i++) {
		const char *name = kn->settings[i].name;

		if (setting(kn, name, kn->s->generation, &value) &&
		    ktree_param_get(k, name, &now) && now != value)
			ktree_param_set(k, name, value);
	}
}
