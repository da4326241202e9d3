/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of srcu.load_kernel(), as a struct ktree_opts.
 */
#include <config.h>

#include "binding/lua_ktree.h"

#include <stdlib.h>
#include <string.h>

/* In the stack of srcu.load_kernel: what must not be collected, then the option that is
 * looked at. */
#define KEPT LB_KERNEL_KEPT
#define KEY (KEPT + 1)

static void opt_variant(lua_State *L, const char *name, struct ktree_opts *o)
{
	const char *v = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";

	o->tiny = !strcmp(v, "tiny");
	if (!o->tiny && strcmp(v, "tree"))
		lb_arg_error(L, 2, "option '%s' is \"tree\" or \"tiny\", not %s", name,
			     lb_describe(L, -1));
}

/* A text without zero bytes and line ends, in which something is written. */
static bool is_text(lua_State *L, int idx)
{
	size_t len;
	const char *s;

	if (lua_type(L, idx) != LUA_TSTRING)
		return false;
	s = lua_tolstring(L, idx, &len);
	return strlen(s) == len && !strpbrk(s, "\n\r");
}

static void opt_cc(lua_State *L, const char *name, struct ktree_opts *o)
{
	if (!is_text(L, -1) || !lua_tostring(L, -1)[strspn(lua_tostring(L, -1), " \t")])
		lb_arg_error(L, 2, "option '%s' is the command of a C compiler, not '%s'", name,
			     lb_describe(L, -1));
	o->cc = lua_tostring(L, -1);	/* the table keeps it */
}

static void opt_nr_cpus(lua_State *L, const char *name, struct ktree_opts *o)
{
	o->nr_cpus = (unsigned)lb_opt_integer(L, name, 1, WORLD_CPUS_MAX);
}

static void opt_fanout(lua_State *L, const char *name, struct ktree_opts *o)
{
	o->fanout = (unsigned)lb_opt_integer(L, name, 2, 64);
}

static void opt_fanout_leaf(lua_State *L, const char *name, struct ktree_opts *o)
{
	o->fanout_leaf = (unsigned)lb_opt_integer(L, name, 2, 64);
}

static void opt_plain(lua_State *L, const char *name, struct ktree_opts *o)
{
	if (!lua_isboolean(L, -1))
		lb_arg_error(L, 2, "option '%s' is a boolean, not a %s", name, luaL_typename(L, -1));
	o->no_plain = !lua_toboolean(L, -1);
}

/* The length of the C identifier that s begins with. */
static size_t identifier(const char *s)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	size_t n = strspn(s, letters);

	return n ? n + strspn(s + n, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") : 0;
}

static const char *need_macro(lua_State *L, const char *name, int idx)
{
	const char *s = is_text(L, idx) ? lua_tostring(L, idx) : "";
	size_t n = identifier(s);

	if (!n || (s[n] && s[n] != '='))
		lb_arg_error(L, 2, "option '%s': no macro can be called %s", name, lb_describe(L, idx));
	return s;
}

/* Pushes "NAME" or "NAME=VALUE" of the entry whose key and value are on top. */
static void push_define(lua_State *L, const char *name)
{
	int value = lua_gettop(L), key = value - 1;
	const char *macro = need_macro(L, name, lua_isinteger(L, key) ? value : key);

	if (lua_isinteger(L, key)) {
		lua_pushvalue(L, value);
		return;
	}
	if (macro[identifier(macro)])
		lb_arg_error(L, 2, "option '%s': no macro can be called %s", name, macro);
	if (lua_isboolean(L, value) && lua_toboolean(L, value))
		lua_pushvalue(L, key);
	else if (lua_isinteger(L, value) || is_text(L, value))
		lua_pushfstring(L, "%s=%s", macro, luaL_tolstring(L, value, NULL));
	else
		lb_arg_error(L, 2, "option '%s': '%s' is an integer, a line of text or true, not %s", name,
			     macro, lb_describe(L, value));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In the order of their names, so that the same ones are the same image. */
static void opt_defines(lua_State *L, const char *name, struct ktree_opts *o)
{
	int given = lua_gettop(L);
	lua_Integer n = 0;
	const char **a;

	if (!lua_istable(L, given))
		lb_arg_error(L, 2, "option '%s' is a table, {\"NAME\", NAME=VALUE}, not a %s", name,
			     luaL_typename(L, given));
	for (lua_pushnil(L); lua_next(L, given); lua_settop(L, given + 1)) {
		push_define(L, name);
		lua_rawseti(L, KEPT, ++n);
	}
	a = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof(*a), 0);
	for (lua_Integer i = 0; i < n; i++) {
		lua_rawgeti(L, KEPT, i + 1);
		a[i] = lua_tostring(L, -1);
		lua_pop(L, 1);
	}
	lua_rawseti(L, KEPT, n + 1);
	qsort(a, (size_t)n, sizeof(*a), by_text);
	a[n] = NULL;
	o->defines = a;
}

static const struct option {
	const char *name;
	void (*take)(lua_State *L, const char *name, struct ktree_opts *o);
} options[] = {
	{ "variant", opt_variant },
	{ "cc", opt_cc },
	{ "nr_cpus", opt_nr_cpus },
	{ "fanout", opt_fanout },
	{ "fanout_leaf", opt_fanout_leaf },
	{ "defines", opt_defines },
	{ "plain", opt_plain },
};
#define NOPTIONS (sizeof(options) / sizeof(options[0]))

void lb_check_kernel_opts(lua_State *L, struct ktree_opts *o)
{
	lb_check_type(L, 2, LUA_TTABLE);
	for (lua_pushnil(L); lua_next(L, 2); lua_settop(L, KEY)) {
		const struct option *opt = NULL;

		for (size_t i = 0; lua_type(L, KEY) == LUA_TSTRING && i < NOPTIONS; i++)
			if (!strcmp(lua_tostring(L, KEY), options[i].name))
				opt = &options[i];
		if (!opt)
			lb_arg_error(L, 2, "no option is called '%s' (variant, cc, nr_cpus, fanout, "
				     "fanout_leaf, defines, plain)", lb_describe(L, KEY));
		opt->take(L, opt->name, o);
	}
}
