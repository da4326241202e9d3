/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who changes what others can see: judged on the graph that lua_reach.c has made, and
 * said in words.
 */
#include <config.h>

#include "binding/lua_purity_internal.h"

#include <stdio.h>
#include <string.h>

/* --- words --- */

static const struct { const char *one, *two, *again; } kinds[] = {
	[BODY_THREAD] = { "the thread", "the threads", "the thread" },
	[BODY_IRQ] = { "the interrupt", "the interrupts", "the interrupt" },
	[BODY_WORK] = { "the work item", "the work items", "the work item" },
	[BODY_CALLBACK] = { "a callback of", NULL, "the callback" },
	[BODY_INVARIANT] = { "the invariant", "the invariants", "the invariant" },
	[BODY_WORKER] = { "the worker", "the workers", "the worker" },
	[BODY_SHARED] = { "a function in ghost", NULL, "the function" },
};

const char *conflict_who(struct purity *p, lua_State *L, uint32_t body)
{
	const struct body *b = &p->bodies[body];

	if (b->kind == BODY_END)
		return lua_pushstring(L, b->name);
	return lua_pushfstring(L, "%s '%s'", kinds[b->kind].one, b->name);
}

/* Pushes "the threads 'a' and 'b'". */
static const char *who_both(struct purity *p, lua_State *L, uint32_t a, uint32_t b)
{
	const struct body *x = &p->bodies[a], *y = &p->bodies[b];

	if (x->kind == BODY_SHARED && a == b)
		return lua_pushfstring(L, "those who call the function in ghost '%s'", x->name);
	if (x->kind == y->kind && x->kind == BODY_CALLBACK && !strcmp(x->name, y->name))
		return lua_pushfstring(L, "two callbacks of '%s'", x->name);
	if (x->kind == y->kind && kinds[x->kind].two)
		return lua_pushfstring(L, "%s '%s' and '%s'", kinds[x->kind].two, x->name, y->name);
	return lua_pushfstring(L, "%s and %s", conflict_who(p, L, a), conflict_who(p, L, b));
}

/* Pushes what is said of the one who changes, after both have been named. */
static const char *who_of_both(struct purity *p, lua_State *L, uint32_t a, uint32_t b)
{
	const struct body *x = &p->bodies[a], *y = &p->bodies[b];

	if (a == b || (x->kind == y->kind && !strcmp(x->name, y->name)))
		return lua_pushstring(L, "each");
	if (x->kind == y->kind && kinds[x->kind].two)
		return lua_pushfstring(L, "'%s'", x->name);
	return x->kind == BODY_END ? lua_pushstring(L, x->name) :
				     lua_pushstring(L, kinds[x->kind].again);
}

/* Pushes " (FILE:LINE)" of a use, or "". */
static const char *where(lua_State *L, const struct use *u)
{
	lua_Debug ar;

	if (!u || !u->fn || !u->in || !u->in->line)
		return lua_pushstring(L, "");
	purity_push(L, u->fn);
	lua_getinfo(L, ">S", &ar);
	return lua_pushfstring(L, " (%s:%d)", ar.short_src, u->in->line);
}

/* Pushes a field's name as in "field 'x'". */
static const char *field(lua_State *L, const struct bc_key *k)
{
	if (!k->name)
		return lua_pushfstring(L, "[%I]", (LUAI_UACINT)k->number);
	lua_pushlstring(L, k->name, k->len);
	return lua_tostring(L, -1);
}

#define CURE "use var() or ghost()"

/* --- what is known before anything runs --- */

static bool ends(const struct purity *p, uint32_t body)
{
	return p->bodies[body].kind == BODY_END;
}

/* Two that may run in either order; a changes something. */
static bool apart(const struct purity *p, uint32_t a, uint32_t b)
{
	return !ends(p, b) && (a != b || p->bodies[a].kind == BODY_SHARED);
}

/*
 * The function that is being handed on stands in another body's function: what it does
 * is no doing of that one's, which only makes it.
 */
static bool is_handed(const struct purity *p, lua_State *L, const struct use *u, uint32_t first)
{
	const struct lua_Debug *ar = p->handed_on;
	lua_Debug mine;
	uint32_t inner;

	if (!ar || u->body >= first || !u->bc || !u->in)
		return false;
	inner = bc_inner(u->bc, ar->linedefined, ar->lastlinedefined);
	if (!inner || u->in->proto < inner || u->in->proto >= u->bc->protos[inner].end)
		return false;
	purity_push(L, u->fn);
	lua_getinfo(L, ">S", &mine);
	return !strcmp(mine.source, ar->source);
}

static bool same_field(const struct use *a, const struct use *b)
{
	return (b->kind == BC_GET || b->kind == BC_SET) && bc_key_equal(&a->key, &b->key);
}

/* Is this use a change of the node that can be judged without running anything? */
static bool changes(const struct purity *p, const struct node *n, const struct use *u)
{
	if (n->kind == NODE_CELL)
		return u->kind == BC_ASSIGN;
	if (n->kind == NODE_STATE)
		return !ends(p, u->body);
	/* what finally() puts into a table is put back, but for globals */
	return u->kind == BC_SET && (!ends(p, u->body) || n->standard);
}

_Noreturn static void refuse_pair(struct purity *p, lua_State *L, const struct node *n,
				  const struct use *a, const struct use *b)
{
	const char *both = who_both(p, L, a->body, b->body);
	const char *one = who_of_both(p, L, a->body, b->body), *at = where(L, a);

	if (n->kind == NODE_STATE && a->body == b->body)
		purity_refuse(p, L, "the ghost '%s' holds a coroutine, which keeps what it was "
			      "resumed with", p->bodies[a->body].name);
	if (n->kind == NODE_STATE)
		purity_refuse(p, L, "%s share the coroutine or iterator '%s': each needs its own",
			      both, n->name);
	if (n->standard)
		purity_refuse(p, L, "%s share the global '%s'%s, which %s changes: " CURE, both,
			      field(L, &a->key), at, one);
	if (n->kind == NODE_TABLE)
		purity_refuse(p, L, "%s share the field '%s' of the table '%s'%s, which %s changes: "
			      CURE, both, field(L, &a->key), n->name, at, one);
	purity_refuse(p, L, "%s share the local '%s'%s, which %s changes: " CURE, both, n->name, at,
		      one);
}

static void check_change(struct purity *p, lua_State *L, size_t node, const struct use *a,
			 uint32_t first)
{
	const struct node *n = &p->nodes[node];

	for (size_t j = 0; j < n->nuses; j++) {
		const struct use *b = &n->uses[j];

		if (!apart(p, a->body, b->body) || (a->body < first && b->body < first))
			continue;
		if (n->kind == NODE_TABLE && !same_field(a, b))
			continue;
		if (!is_handed(p, L, a, first) && !is_handed(p, L, b, first))
			refuse_pair(p, L, n, a, b);
	}
}

void conflict_check(struct purity *p, lua_State *L, uint32_t first)
{
	for (size_t i = 0; i < p->nnodes; i++) {
		const struct node *n = &p->nodes[i];

		for (size_t j = 0; j < n->nuses; j++) {
			const struct use *a = &n->uses[j];

			if (!changes(p, n, a))
				continue;
			luaL_checkstack(L, 16, NULL);
			if (n->standard && !ends(p, a->body))
				purity_refuse(p, L, "%s assigns the global '%s'%s: make it local, or "
					      CURE, conflict_who(p, L, a->body), field(L, &a->key),
					      where(L, a));
			check_change(p, L, i, a, first);
		}
	}
}

/* --- what is seen while they run --- */

static bool may_write(const struct use *u)
{
	return u->kind == BC_VALUE || u->kind == BC_SET_ANY || u->kind == BC_SET ||
	       u->kind == BC_ASSIGN;
}

/* Can the use tell that the field with the key at `key` (0: the metatable) changed? */
static bool concerns(lua_State *L, const struct use *u, int key)
{
	size_t len;
	const char *s;

	if (u->kind == BC_LOOK)
		return false;
	if ((u->kind != BC_GET && u->kind != BC_SET) || !key)
		return true;
	if (!u->key.name)
		return lua_isinteger(L, key) && lua_tointeger(L, key) == u->key.number;
	if (lua_type(L, key) != LUA_TSTRING)
		return false;
	s = lua_tolstring(L, key, &len);
	return len == u->key.len && !memcmp(s, u->key.name, len);
}

/* Pushes ", whose field 'x' ". */
static const char *key_words(lua_State *L, int key)
{
	if (!key)
		return lua_pushstring(L, "metatable");
	if (lua_type(L, key) == LUA_TSTRING)
		return lua_pushfstring(L, "field '%s'", lua_tostring(L, key));
	if (lua_isinteger(L, key))
		return lua_pushfstring(L, "entry [%I]", (LUAI_UACINT)lua_tointeger(L, key));
	return lua_pushfstring(L, "field with a %s as its key", luaL_typename(L, key));
}

_Noreturn static void refuse_change(struct purity *p, lua_State *L, const struct node *n,
				    uint32_t a, uint32_t b, bool sure, int key)
{
	const char *both, *one;

	luaL_checkstack(L, 16, NULL);
	both = who_both(p, L, a, b);
	one = sure ? who_of_both(p, L, a, b) : "one of them";
	if (n->kind == NODE_CELL)
		purity_refuse(p, L, "%s share the local '%s', which %s changes: " CURE, both, n->name,
			      one);
	purity_refuse(p, L, "%s share the table '%s', whose %s %s changes: " CURE, both, n->name,
		      key_words(L, key), one);
}

/* Who did it, of those of whom one knows that they can reach it. */
static uint32_t known(const struct node *n, uint32_t body)
{
	for (size_t i = 0; i < n->nuses; i++)
		if (n->uses[i].body == body)
			return body;
	return NOBODY;
}

void conflict_table(struct purity *p, lua_State *L, const struct node *n, uint32_t body, int key)
{
	if (key)
		key = lua_absindex(L, key);
	if (n->standard) {
		bool globals = !strcmp(n->name, "_G");
		const char *who = body == NOBODY ? "a thread" : conflict_who(p, L, body);

		if (globals && key && lua_type(L, key) == LUA_TSTRING)
			purity_refuse(p, L, "%s assigns the global '%s': make it local, or " CURE, who,
				      lua_tostring(L, key));
		if (!strcmp(n->name, "package.loaded") && key && lua_type(L, key) == LUA_TSTRING)
			purity_refuse(p, L, "%s loads the module '%s': require() it before the threads "
				      "run", who, lua_tostring(L, key));
		purity_refuse(p, L, "%s changes the table '%s': its %s", who, n->name,
			      key_words(L, key));
	}
	body = known(n, body);
	for (size_t i = 0; i < n->nuses; i++) {
		uint32_t a = n->uses[i].body;

		if (body != NOBODY ? a != body : ends(p, a) || !may_write(&n->uses[i]))
			continue;
		if (body == NOBODY && !concerns(L, &n->uses[i], key))
			continue;
		for (size_t j = 0; j < n->nuses; j++)
			if (apart(p, a, n->uses[j].body) && concerns(L, &n->uses[j], key))
				refuse_change(p, L, n, a, n->uses[j].body, body != NOBODY, key);
	}
}

void conflict_cell(struct purity *p, lua_State *L, const struct node *n, uint32_t body)
{
	body = known(n, body);
	for (size_t i = 0; i < n->nuses; i++) {
		uint32_t a = n->uses[i].body;

		if (body != NOBODY ? a != body : ends(p, a))
			continue;
		for (size_t j = 0; j < n->nuses; j++)
			if (apart(p, a, n->uses[j].body))
				refuse_change(p, L, n, a, n->uses[j].body, body != NOBODY, 0);
	}
}
