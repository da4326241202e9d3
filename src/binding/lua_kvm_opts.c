/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How KVM's functions read their tables of options, with messages that say
 * which key of which table is wrong, and what its ioctls give back.
 */
#include <config.h>

#include "binding/lua_kvm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct kvm *kvm_check_vm(lua_State *L, int idx)
{
	return lb_check_object(L, idx, &kvm_objtype)->impl;
}

struct kvm_vcpu *kvm_check_vcpu(lua_State *L, int idx)
{
	return lb_check_object(L, idx, &kvm_vcpu_objtype)->impl;
}

void kvm_set_constants(lua_State *L, const struct kvm_constant *c)
{
	for (; c->name; c++) {
		lua_pushinteger(L, c->value);
		lua_setglobal(L, c->name);
	}
}

/* --- tables of options --- */

const char *kvm_opt_shown(lua_State *L, int idx)
{
	switch (lua_type(L, idx)) {
	case LUA_TSTRING:
		return lua_pushfstring(L, "'%s'", lua_tostring(L, idx));
	case LUA_TNIL: case LUA_TBOOLEAN: case LUA_TNUMBER:
		return luaL_tolstring(L, idx, NULL);
	default:
		return lua_pushfstring(L, "a %s", luaL_typename(L, idx));
	}
}

int kvm_opt_bad(lua_State *L, const struct kvm_opt_place *p, const char *key,
		const char *expected)
{
	return lb_arg_error(L, p->arg, "%s%s: expected %s, got %s", p->path, key, expected,
			    kvm_opt_shown(L, -1));
}

void kvm_opt_keys(lua_State *L, const struct kvm_opt_place *p, const char *const *known)
{
	lua_pushnil(L);
	while (lua_next(L, -2)) {		/* table, key, value */
		const char *const *k = known;

		lua_pop(L, 1);
		if (lua_type(L, -1) == LUA_TSTRING)
			while (*k && strcmp(*k, lua_tostring(L, -1)))
				k++;
		if (lua_type(L, -1) != LUA_TSTRING)
			lb_arg_error(L, p->arg, "unknown key %s[%s]", p->path,
				     kvm_opt_shown(L, -1));
		if (!*k)
			lb_arg_error(L, p->arg, "unknown key '%s%s'", p->path,
				     lua_tostring(L, -1));
	}
}

bool kvm_opt_boolean(lua_State *L, const struct kvm_opt_place *p, const char *key, bool def)
{
	if (lua_getfield(L, -1, key) == LUA_TBOOLEAN)
		def = lua_toboolean(L, -1);
	else if (!lua_isnil(L, -1))
		kvm_opt_bad(L, p, key, "true or false");
	lua_pop(L, 1);
	return def;
}

lua_Integer kvm_opt_integer(lua_State *L, const struct kvm_opt_place *p, const char *key,
			    lua_Integer max, lua_Integer def)
{
	int type = lua_getfield(L, -1, key), is_int = 0;
	lua_Integer v = def;
	char expected[48];

	if (type == LUA_TNUMBER)
		v = lua_tointegerx(L, -1, &is_int);
	else if (type == LUA_TNIL && def >= 0)
		is_int = 1;
	if (!is_int || v < 0 || v > max) {
		snprintf(expected, sizeof(expected), "an integer 0..%lld", (long long)max);
		kvm_opt_bad(L, p, key, expected);
	}
	lua_pop(L, 1);
	return v;
}

int kvm_opt_choice(lua_State *L, const struct kvm_opt_place *p, const char *key,
		   const char *const *names, const char *expected, int def)
{
	int type = lua_getfield(L, -1, key);

	if (type == LUA_TSTRING)
		for (def = 0; names[def] && strcmp(names[def], lua_tostring(L, -1)); def++)
			;
	if ((type != LUA_TSTRING && type != LUA_TNIL) || (type == LUA_TSTRING && !names[def]))
		kvm_opt_bad(L, p, key, expected);
	lua_pop(L, 1);
	return def;
}

lua_Integer kvm_opt_list(lua_State *L, const struct kvm_opt_place *p, const char *key)
{
	lua_Integer n = (lua_Integer)lua_rawlen(L, -1);

	lua_pushnil(L);
	while (lua_next(L, -2)) {
		lua_pop(L, 1);
		if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 1 || lua_tointeger(L, -1) > n)
			lb_arg_error(L, p->arg, "%s%s: a list has no key %s", p->path, key,
				     kvm_opt_shown(L, -1));
	}
	return n;
}

/* --- what an ioctl gives back --- */

static const char *errno_name(int err)
{
	switch (err) {
	case EINVAL:
		return "EINVAL";
	case EFAULT:
		return "EFAULT";
	case ENOMEM:
		return "ENOMEM";
	default:
		return "E2BIG";
	}
}

int kvm_push_ioctl_result(lua_State *L, int r, const char *message)
{
	if (!r) {
		lua_pushinteger(L, 0);
		return 1;
	}
	lua_pushnil(L);
	lua_pushstring(L, message);
	lua_pushstring(L, errno_name(-r));
	return 3;
}
