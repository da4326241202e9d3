/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lua's functions that give what differs from one execution or process to the next.
 * Clocks and random numbers are made to differ between all executions of an
 * exploration, so that it is noticed at once where a step depends on them; tables are
 * iterated in the order of their keys, which Lua's own pairs() does not care for.
 */
#include <config.h>

#include "binding/lua_determinism.h"
#include "binding/lua_purity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Upvalue 1 of all that follow: Lua's own function. */
static void push_original(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1));
}

static int call_original(lua_State *L)
{
	push_original(L);
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

/* Does a body run that is explored? */
static bool is_explored(lua_State *L)
{
	return task_current() && lb_session(L)->purity;
}

/* --- clocks and random numbers --- */

/* Apart in all fields of a date: a day, an hour, a minute and a second. */
#define APART 90061

static lua_Integer drift(lua_State *L)
{
	return (lua_Integer)(lb_session(L)->executions % 1000000) * APART;
}

static int d_clock(lua_State *L)
{
	int n = call_original(L);

	if (n && is_explored(L)) {
		lua_pushnumber(L, lua_tonumber(L, -1) + (lua_Number)drift(L) * 1.0009765625);
		lua_replace(L, -2);
	}
	return n;
}

static int d_time(lua_State *L)
{
	bool now = lua_isnoneornil(L, 1);
	int n = call_original(L);

	if (now && is_explored(L)) {
		lua_pushinteger(L, lua_tointeger(L, -1) + drift(L));
		lua_replace(L, -2);
	}
	return n;
}

/* Upvalue 2: os.time. */
static int d_date(lua_State *L)
{
	if (lua_isnoneornil(L, 2) && is_explored(L)) {
		lua_settop(L, 1);
		if (lua_isnil(L, 1))
			lua_settop(L, 0), lua_pushliteral(L, "%c");
		lua_pushvalue(L, lua_upvalueindex(2));
		lua_call(L, 0, 1);
		lua_pushinteger(L, lua_tointeger(L, -1) + drift(L));
		lua_replace(L, -2);
	}
	return call_original(L);
}

/* Upvalue 2: math.randomseed.  All bodies draw from one generator, which the scenario
 * function may have seeded: who drew first would be a hidden order. */
static int d_random(lua_State *L)
{
	struct session *s = lb_session(L);

	if (is_explored(L) && s->stirred != s->executions) {
		s->stirred = s->executions;
		lua_pushvalue(L, lua_upvalueindex(2));
		lua_pushinteger(L, (lua_Integer)s->executions);
		lua_call(L, 1, 0);
	}
	return call_original(L);
}

static int d_randomseed(lua_State *L)
{
	struct session *s = lb_session(L);

	if (is_explored(L) && lua_isnumber(L, 1)) {
		lua_pushnumber(L, lua_tonumber(L, 1) + (lua_Number)s->executions);
		lua_replace(L, 1);
		s->stirred = s->executions;
	}
	return call_original(L);
}

/* --- the order of keys --- */

enum rank { KEY_INDEX, KEY_INTEGER, KEY_NUMBER, KEY_BOOLEAN, KEY_STRING, KEY_OTHER };
struct key {
	enum rank rank;
	lua_Integer i;		/* also of a boolean; of what has no order, its place */
	lua_Number n;
	const char *s;		/* the table keeps it */
	size_t len;
};

/* Where the order may matter to steps.  What else a script does with pairs() is its own. */
static bool is_ordered(lua_State *L)
{
	struct session *s = lb_session(L);

	return task_current() || s->building || s->pure || s->busy;
}

static struct key key_at(lua_State *L, int idx)
{
	struct key k = { .rank = KEY_OTHER };

	switch (lua_type(L, idx)) {
	case LUA_TNUMBER:
		if (!lua_isinteger(L, idx)) {
			k.rank = KEY_NUMBER;
			k.n = lua_tonumber(L, idx);
			break;
		}
		k.i = lua_tointeger(L, idx);
		k.rank = k.i > 0 ? KEY_INDEX : KEY_INTEGER;
		break;
	case LUA_TBOOLEAN:
		k.rank = KEY_BOOLEAN;
		k.i = lua_toboolean(L, idx);
		break;
	case LUA_TSTRING:
		k.rank = KEY_STRING;
		k.s = lua_tolstring(L, idx, &k.len);
		break;
	default:
		break;
	}
	return k;
}

static int key_compare(const void *x, const void *y)
{
	const struct key *a = x, *b = y;
	int c;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->rank == KEY_NUMBER)
		return a->n < b->n ? -1 : a->n > b->n;
	if (a->rank != KEY_STRING)
		return a->i < b->i ? -1 : a->i > b->i;
	c = memcmp(a->s, b->s, a->len < b->len ? a->len : b->len);
	return c ? c : a->len < b->len ? -1 : a->len > b->len;
}

static const char *kind_of_keys(int type)
{
	return type == LUA_TTABLE ? "tables" : type == LUA_TFUNCTION ? "functions" :
	       type == LUA_TTHREAD ? "coroutines" : "handles";
}

/* Keys that are told apart by their addresses only: the next process has others. */
static void refuse(lua_State *L, const char *what, int type)
{
	struct session *s = lb_session(L);
	struct task *t = task_current();
	const char *where;
	char who[160] = "the scenario function";
	int len;

	if (!(t && s->purity) && !s->building)
		return;
	if (s->unexplorable[0])
		return;
	luaL_where(L, 1);
	where = lua_tostring(L, -1);
	len = (int)strlen(where);
	if (t)
		snprintf(who, sizeof(who), "'%s'", task_name(t));
	snprintf(s->unexplorable, sizeof(s->unexplorable), "%s iterates with %s() over a table keyed "
		 "by %s%s%.*s%s: their order is nowhere said; use a list", who, what, kind_of_keys(type),
		 len > 2 ? " (" : "", len > 2 ? len - 2 : 0, where, len > 2 ? ")" : "");
	lua_pop(L, 1);
}

/* Upvalue 1: the keys, in order; upvalue 2: how many have been given. */
static int iterate(lua_State *L)
{
	lua_Integer i = lua_tointeger(L, lua_upvalueindex(2));

	luaL_checktype(L, 1, LUA_TTABLE);
	do {
		lua_settop(L, 1);
		if (lua_rawgeti(L, lua_upvalueindex(1), ++i) == LUA_TNIL)
			break;
		lua_pushvalue(L, -1);
	} while (lua_rawget(L, 1) == LUA_TNIL);	/* removed meanwhile */
	lua_pushinteger(L, i);
	lua_replace(L, lua_upvalueindex(2));
	return lua_gettop(L) - 1;
}

static lua_Integer count_keys(lua_State *L, int t)
{
	lua_Integer n = 0;

	for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1))
		n++;
	return n;
}

/* Pushes a list of the keys of the table at index 1, in their order. */
static void push_keys(lua_State *L)
{
	lua_Integer n = count_keys(L, 1), i = 0, others = 0;
	struct key *keys = lua_newuserdatauv(L, (size_t)(n + 1) * sizeof(*keys), 0);
	int type = LUA_TNONE;

	lua_createtable(L, n < 1 << 20 ? (int)n : 0, 0);	/* of those without an order */
	for (lua_pushnil(L); i < n && lua_next(L, 1); lua_pop(L, 1)) {
		keys[i] = key_at(L, -2);
		if (keys[i].rank == KEY_OTHER) {
			type = lua_type(L, -2);
			keys[i].i = ++others;
			lua_pushvalue(L, -2);
			lua_rawseti(L, -4, others);
		}
		i++;
	}
	lua_settop(L, 3);
	if (others > 1)
		refuse(L, "pairs", type);
	qsort(keys, (size_t)i, sizeof(*keys), key_compare);
	lua_createtable(L, n < 1 << 20 ? (int)n : 0, 0);
	for (n = 0; n < i; n++) {
		const struct key *k = &keys[n];

		if (k->rank == KEY_NUMBER)
			lua_pushnumber(L, k->n);
		else if (k->rank == KEY_BOOLEAN)
			lua_pushboolean(L, (int)k->i);
		else if (k->rank == KEY_STRING)
			lua_pushlstring(L, k->s, k->len);
		else if (k->rank == KEY_OTHER)
			lua_rawgeti(L, 3, k->i);
		else
			lua_pushinteger(L, k->i);
		lua_rawseti(L, 4, n + 1);
	}
}

static int d_pairs(lua_State *L)
{
	if (lua_type(L, 1) != LUA_TTABLE || !is_ordered(L))
		return call_original(L);
	if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
		lua_pop(L, 1);
		return call_original(L);
	}
	lua_settop(L, 1);
	push_keys(L);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, iterate, 2);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

/* Lua's own next() from the key at index 2, past the keys that have an order. */
static int next_other(lua_State *L)
{
	while (lua_next(L, 1))
		if (key_at(L, -2).rank == KEY_OTHER)
			return 2;
		else
			lua_pop(L, 1);
	lua_pushnil(L);
	return 1;
}

static int d_next(lua_State *L)
{
	struct key after, least = { .rank = KEY_OTHER };
	bool first = lua_isnoneornil(L, 2);
	int others = 0, type = LUA_TNONE;

	if (lua_type(L, 1) != LUA_TTABLE || !is_ordered(L))
		return call_original(L);
	lua_settop(L, 2);
	after = key_at(L, 2);
	if (!first && after.rank == KEY_OTHER)
		return next_other(L);
	lua_pushnil(L);			/* 3: the key that comes next */
	for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
		struct key k = key_at(L, -2);

		if (k.rank == KEY_OTHER) {
			others++;
			type = lua_type(L, -2);
		} else if ((first || key_compare(&k, &after) > 0) &&
			   (least.rank == KEY_OTHER || key_compare(&k, &least) < 0)) {
			least = k;
			lua_pushvalue(L, -2);
			lua_replace(L, 3);
		}
	}
	if (least.rank != KEY_OTHER) {
		lua_pushvalue(L, 3);
		lua_rawget(L, 1);
		return 2;
	}
	if (others > 1)
		refuse(L, "next", type);
	return next_other(L);		/* from the nil at 3: the first of them */
}

/* --- putting them in place --- */

/* The table on top: its function `name` gives way to fn, which keeps it as an upvalue,
 * and that called `with`, if any, as another. */
static void replace(lua_State *L, const char *name, lua_CFunction fn, const char *with)
{
	lua_getfield(L, -1, name);
	if (with)
		lua_getfield(L, -2, with);
	lua_pushcclosure(L, fn, with ? 2 : 1);
	lua_setfield(L, -2, name);
}

void lb_open_determinism(lua_State *L)
{
	lua_pushglobaltable(L);
	replace(L, "pairs", d_pairs, NULL);
	replace(L, "next", d_next, NULL);
	lua_getglobal(L, "os");
	replace(L, "date", d_date, "time");
	replace(L, "clock", d_clock, NULL);
	replace(L, "time", d_time, NULL);
	lua_getglobal(L, "math");
	replace(L, "random", d_random, "randomseed");
	replace(L, "randomseed", d_randomseed, NULL);
	lua_pop(L, 3);
}
