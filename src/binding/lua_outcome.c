/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What outcome() gives, as a text: the same for equal strings and tables, whatever the
 * order in which a table's keys come.
 */
#include <config.h>

#include "binding/lua_claim_internal.h"
#include "check/check.h"

#include <stdlib.h>
#include <string.h>

#define OUTCOME_DEPTH 8	/* tables in tables */

struct outcome_key { const char *s; lua_Integer i; };

static int cmp_key(const void *a, const void *b)
{
	const struct outcome_key *x = a, *y = b;

	if (!x->s != !y->s)
		return x->s ? 1 : -1;	/* integers first */
	return x->s ? strcmp(x->s, y->s) : x->i < y->i ? -1 : x->i > y->i;
}

/* The keys of the table at `idx`, in order, in a userdata that is pushed. */
static struct outcome_key *sorted_keys(lua_State *L, int idx, size_t *n)
{
	struct outcome_key *k;
	size_t i = 0;

	*n = 0;
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1))
		++*n;
	k = lua_newuserdatauv(L, (*n + 1) * sizeof(*k), 0);
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1), i++) {
		k[i] = (struct outcome_key){ 0 };
		if (lua_type(L, -2) == LUA_TSTRING)
			k[i].s = lua_tostring(L, -2);
		else if (lua_isinteger(L, -2))
			k[i].i = lua_tointeger(L, -2);
		else
			luaL_error(L, "outcome: a key of the table is a %s, and strings and integers "
				   "have an order", luaL_typename(L, -2));
	}
	qsort(k, *n, sizeof(*k), cmp_key);
	return k;
}

static void push_text(lua_State *L, int idx, int depth);

/* Pushes "k=v k=v" for the table at `idx`. */
static void push_table_text(lua_State *L, int idx, int depth)
{
	struct outcome_key *k;
	luaL_Buffer b;
	size_t n;

	if (depth > OUTCOME_DEPTH)
		luaL_error(L, "outcome: tables are nested too deeply");
	luaL_checkstack(L, 8, NULL);
	k = sorted_keys(L, idx, &n);
	luaL_buffinit(L, &b);
	for (size_t i = 0; i < n; i++) {
		if (i)
			luaL_addchar(&b, ' ');
		if (k[i].s)
			lua_pushstring(L, k[i].s);
		else
			lua_pushinteger(L, k[i].i);
		lua_pushvalue(L, -1);
		luaL_tolstring(L, -1, NULL);
		lua_replace(L, -2);
		lua_insert(L, -2);		/* text, key */
		lua_rawget(L, idx);		/* text, value */
		push_text(L, lua_gettop(L), depth);
		lua_remove(L, -2);
		lua_pushfstring(L, "%s=%s", lua_tostring(L, -2), lua_tostring(L, -1));
		lua_replace(L, -3);
		lua_pop(L, 1);
		luaL_addvalue(&b);
	}
	luaL_pushresult(&b);
	lua_replace(L, -2);			/* the keys */
}

static void push_text(lua_State *L, int idx, int depth)
{
	if (lua_type(L, idx) != LUA_TTABLE || luaL_getmetafield(L, idx, "__tostring")) {
		if (lua_type(L, idx) == LUA_TTABLE)
			lua_pop(L, 1);
		/* what has no text but its address would differ from run to run */
		if (lua_type(L, idx) == LUA_TFUNCTION || lua_type(L, idx) == LUA_TTHREAD)
			luaL_error(L, "outcome: a %s is no outcome", luaL_typename(L, idx));
		luaL_tolstring(L, idx, NULL);
		return;
	}
	push_table_text(L, idx, depth + 1);
	if (depth) {
		lua_pushfstring(L, "{%s}", lua_tostring(L, -1));
		lua_replace(L, -2);
	}
}

static int keep_outcome(lua_State *B)
{
	struct claim_call *x = lua_touserdata(B, 1);

	if (lua_isnil(B, -1))
		return luaL_error(B, "outcome: the function gave nil: a string or a table is expected");
	push_text(B, lua_gettop(B), 0);
	free(x->cs->outcome);
	x->cs->outcome = strdup(lua_tostring(B, -1));
	return x->cs->outcome ? 0 : luaL_error(B, "outcome: out of memory");
}

const char *lb_claims_outcome(struct world *w)
{
	struct claims *cs = claims_of(w);

	for (size_t i = 0; i < cs->n; i++) {
		struct claim_call x = { .cs = cs, .c = &cs->v[i], .then = keep_outcome };

		if (cs->v[i].kind != CLAIM_OUTCOME)
			continue;
		if (claim_run(&x))
			return claim_report_freed(w, &x, NULL, "outcome()", "") ? NULL : cs->outcome;
		if (world_interrupted(w))
			return NULL;
		check_report(w, "error", NULL, NULL, "outcome(), at the end, raised an error: %s",
			     claim_raised(cs->s));
		return NULL;
	}
	return NULL;
}
