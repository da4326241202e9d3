/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Variables and tables that bodies may change: their contents when the world was
 * built, what has become of them since, and putting them back.
 */
#include <config.h>

#include "binding/lua_purity_internal.h"
#include "engine/peek.h"

#include <string.h>

#define ENTRIES_MAX 100000

/* --- remembering --- */

/* Pushes a copy of the table at `t`, its own entries only. */
static uint32_t push_copy(lua_State *L, int t)
{
	uint32_t n = 0;

	t = lua_absindex(L, t);
	lua_newtable(L);
	for (lua_pushnil(L); lua_next(L, t); n++) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);		/* copy, key, key, value */
		lua_rawset(L, -4);
	}
	return n;
}

static void push_cell(lua_State *L, const struct node *n)
{
	purity_push(L, n->anchor);
	if (!lua_getupvalue(L, -1, n->up))
		lua_pushnil(L);
	lua_replace(L, -2);
}

static bool may_change(const struct purity *p, const struct node *n)
{
	if (n->kind == NODE_CELL && (n->handed || p->everything))
		return true;
	if (n->kind == NODE_TABLE && (n->standard || n->ghost))
		return true;
	for (size_t i = 0; i < n->nuses; i++) {
		enum bc_kind kind = n->uses[i].kind;

		if (p->bodies[n->uses[i].body].kind == BODY_END)
			continue;
		if (n->kind == NODE_CELL ? kind == BC_ASSIGN :
		    kind == BC_VALUE || kind == BC_SET || kind == BC_SET_ANY)
			return true;
	}
	return false;
}

static void remember_table(struct purity *p, lua_State *L, size_t i)
{
	struct node *n = &p->nodes[i];
	uint32_t entries;

	purity_push(L, n->anchor);
	n->meta = 0;
	if (lua_getmetatable(L, -1))
		n->meta = purity_anchor(p, L);
	entries = push_copy(L, -1);
	n->ncopy = n->ninitial = entries;
	if (!n->standard)
		p->entries += entries;
	if (p->entries > ENTRIES_MAX)
		purity_refuse(p, L, "the Lua tables that its threads use are too large to watch: more "
			      "than %d entries, with '%s'", ENTRIES_MAX, n->name);
	n->initial = n->last = purity_anchor(p, L);
	lua_pop(L, 1);
}

void watch_add(struct purity *p, lua_State *L, size_t first)
{
	for (size_t i = first; i < p->nnodes; i++) {
		struct node *n = &p->nodes[i];

		if (n->watched || (n->kind != NODE_CELL && n->kind != NODE_TABLE) ||
		    !may_change(p, n))
			continue;
		luaL_checkstack(L, 16, NULL);
		p->watch = purity_room(L, p->watch, p->nwatch, &p->watch_cap, sizeof(*p->watch));
		if (n->kind == NODE_TABLE) {
			remember_table(p, L, i);
		} else {
			push_cell(L, n);
			n->initial = n->last = purity_anchor(p, L);
		}
		n->watched = true;
		p->watch[p->nwatch++] = (uint32_t)i;
	}
}

/* --- putting back --- */

static void put_back_table(lua_State *L, struct node *n)
{
	purity_push(L, n->anchor);
	purity_push(L, n->initial);
	for (lua_pushnil(L); lua_next(L, -3); lua_pop(L, 1)) {
		lua_pushvalue(L, -2);
		lua_rawget(L, -4);		/* table, copy, key, value, old */
		if (!lua_rawequal(L, -1, -2)) {
			lua_pushvalue(L, -3);
			lua_pushvalue(L, -2);
			lua_rawset(L, -7);	/* of an entry that is there: allowed meanwhile */
		}
		lua_pop(L, 1);
	}
	for (lua_pushnil(L); lua_next(L, -2); ) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);		/* table, copy, key, key, value */
		lua_rawset(L, -5);
	}
	if (n->meta)
		purity_push(L, n->meta);
	else
		lua_pushnil(L);
	lua_setmetatable(L, -3);
	lua_pop(L, 2);
}

void watch_put_back(struct purity *p, lua_State *L)
{
	for (size_t i = p->nstandard; i < p->nwatch; i++) {
		struct node *n = &p->nodes[p->watch[i]];

		n->last = n->initial;
		n->ncopy = n->ninitial;
		if (n->kind == NODE_TABLE) {
			put_back_table(L, n);
			continue;
		}
		purity_push(L, n->anchor);
		purity_push(L, n->initial);
		if (!lua_setupvalue(L, -2, n->up))
			lua_pop(L, 1);
		lua_pop(L, 1);
	}
}

/* --- comparing --- */

struct look {
	struct purity *p;
	struct task *t;
	uint32_t body;
	bool accept;		/* what has changed is right */
	bool at_end;
};

/* Did t take the table out of its ghost in this stretch? */
static bool took(const struct look *k, const struct node *n)
{
	size_t count;
	const struct ghost_access *g = world_ghosts(k->p->s->w, &count);

	for (size_t i = 0; i < count; i++)
		if (g[i].loc == n->ghost - 1 && (!k->t || g[i].task == task_id(k->t)))
			return true;
	return false;
}

/* The entry with the key at `key` (0: the metatable) is not what it was. */
static void changed(const struct look *k, lua_State *L, size_t node, int key)
{
	const struct node *n = &k->p->nodes[node];

	if (k->accept)
		return;
	luaL_checkstack(L, 16, NULL);
	if (n->ghost && !took(k, n)) {
		const char *who = k->body == NOBODY ? "a thread" : conflict_who(k->p, L, k->body);

		purity_refuse(k->p, L, "%s changes the table in ghost '%s' after a step since it was "
			      "taken from there: take it again, or assign a new one", who, n->name);
	}
	conflict_table(k->p, L, n, k->body, key);
}

/* The copy at `copy` becomes like the table at `table`. */
static void renew(const struct look *k, lua_State *L, size_t node, int table)
{
	struct purity *p = k->p;
	uint32_t entries = push_copy(L, table), a;

	p->nodes[node].ncopy = entries;
	/* the first one is kept to put back what it has, and is anchored for ever */
	if (p->nodes[node].last != p->nodes[node].initial || k->accept) {
		lua_rawseti(L, ANCHORS, (lua_Integer)p->nodes[node].last);
		return;
	}
	a = purity_anchor(p, L);
	p->nodes[node].last = a;
}

static void compare_table(const struct look *k, lua_State *L, size_t node)
{
	struct node *n = &k->p->nodes[node];
	bool differs = false;
	uint32_t entries = 0;
	int table, copy;

	purity_push(L, n->anchor);
	table = lua_gettop(L);
	purity_push(L, n->last);
	copy = lua_gettop(L);
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
		entries++;
		lua_pushvalue(L, -2);
		lua_rawget(L, copy);
		if (!lua_rawequal(L, -1, -2)) {
			differs = true;
			changed(k, L, node, -3);
		}
		lua_pop(L, 1);
	}
	if (differs || entries != n->ncopy) {
		for (lua_pushnil(L); lua_next(L, copy); lua_pop(L, 1)) {
			lua_pushvalue(L, -2);
			if (lua_rawget(L, table) == LUA_TNIL)
				changed(k, L, node, -3);
			lua_pop(L, 1);
		}
		differs = true;
	}
	if (!lua_getmetatable(L, table))
		lua_pushnil(L);
	if (n->meta)
		purity_push(L, n->meta);
	else
		lua_pushnil(L);
	if (!lua_rawequal(L, -1, -2)) {
		differs = true;
		changed(k, L, node, 0);
	}
	k->p->differs |= differs || n->last != n->initial;
	if (differs && !k->at_end)
		renew(k, L, node, table);
	lua_settop(L, table - 1);
}

/* Of variables that one body only assigns all is known before anything runs. */
static bool is_assigned(const struct node *n)
{
	for (size_t i = 0; i < n->nuses; i++)
		if (n->uses[i].kind == BC_ASSIGN)
			return true;
	return false;
}

static void compare_cell(const struct look *k, lua_State *L, size_t node)
{
	struct node *n = &k->p->nodes[node];

	if (k->at_end) {
		push_cell(L, n);
		purity_push(L, n->initial);
		k->p->differs |= !lua_rawequal(L, -1, -2);
		lua_pop(L, 2);
	}
	if (k->accept || (!n->handed && is_assigned(n)))
		return;
	push_cell(L, n);
	purity_push(L, n->last);
	if (!lua_rawequal(L, -1, -2)) {
		conflict_cell(k->p, L, n, k->body);
		if (!k->at_end) {
			uint32_t a;

			lua_pushvalue(L, -2);
			a = purity_anchor(k->p, L);
			k->p->nodes[node].last = a;
		}
	}
	lua_pop(L, 2);
}

/* Tables that bodies have put into ghosts since. */
static void find_ghosts(struct purity *p, lua_State *L)
{
	struct world *w = p->s->w;
	size_t first = p->nnodes;

	lb_ghosts_push(L);
	for (size_t i = 0; i < world_object_count(w); i++) {
		struct object *o = world_object(w, i);

		if (strcmp(o->type->kind, "ghost"))
			continue;
		if (lua_rawgeti(L, -1, o->id) == LUA_TTABLE)
			reach_ghost(p, L, arena_offset(w, o->base), o->name);
		else
			lua_pop(L, 1);
	}
	lua_pop(L, 1);
	watch_add(p, L, first);
}

void watch_compare(struct purity *p, lua_State *L, struct task *t, bool at_end)
{
	struct look k = { .p = p, .t = t, .at_end = at_end,
			  .body = t ? purity_body_of(p, t) : NOBODY };
	size_t first = p->globals || (p->standard && at_end) ? 0 : p->nstandard;

	p->differs = false;
	for (size_t i = first; i < p->nwatch; i++) {
		size_t node = p->watch[i];

		if (p->nodes[node].kind == NODE_CELL)
			compare_cell(&k, L, node);
		/* of what ghosts hold nothing is known but after each stretch */
		else if (!p->nodes[node].ghost || (p->sampling && !at_end))
			compare_table(&k, L, node);
		else
			p->differs = true;
	}
	if (p->sampling && !at_end)
		find_ghosts(p, L);
}

void watch_differs(struct purity *p, lua_State *L)
{
	struct look k = { .p = p, .body = NOBODY, .accept = true, .at_end = true };

	for (size_t i = p->nstandard; i < p->nwatch; i++)
		if (p->nodes[p->watch[i]].kind == NODE_CELL)
			compare_cell(&k, L, p->watch[i]);
		else
			compare_table(&k, L, p->watch[i]);
}

void watch_accept(struct purity *p, lua_State *L)
{
	struct look k = { .p = p, .body = NOBODY, .accept = true };

	for (size_t i = 0; i < p->nstandard; i++)
		compare_table(&k, L, p->watch[i]);
}
