/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a body can reach: through the variables around its function, the tables in
 * them, their metatables, the functions in those, and globals by the names that it
 * uses; with what its bytecode says that it does to each.
 */
#include <config.h>

#include "binding/lua_purity_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GHOST_DEPTH 100

/* --- names --- */

static void set_name(struct node *n, const char *around, const char *field)
{
	if (*n->name)
		return;
	if (!*around || !strcmp(around, "_ENV") || !strcmp(around, "_G"))
		snprintf(n->name, sizeof(n->name), "%s", field);
	else if (*field)
		snprintf(n->name, sizeof(n->name), "%s%s%s", around, *field == '[' ? "" : ".", field);
	else
		snprintf(n->name, sizeof(n->name), "%s", around);
}

/* The key at idx as it is written after a table's name. */
static const char *key_text(lua_State *L, int idx, char *buf, size_t n)
{
	if (lua_type(L, idx) == LUA_TSTRING)
		snprintf(buf, n, "%s", lua_tostring(L, idx));
	else if (lua_isinteger(L, idx))
		snprintf(buf, n, "[%lld]", (long long)lua_tointeger(L, idx));
	else
		snprintf(buf, n, "[a %s]", luaL_typename(L, idx));
	return buf;
}

static void push_key(lua_State *L, const struct bc_key *k)
{
	if (k->name)
		lua_pushlstring(L, k->name, k->len);
	else
		lua_pushinteger(L, k->number);
}

/* --- what is Lua's own, or ours --- */

static bool is_globals(lua_State *L, int idx)
{
	bool same;

	idx = lua_absindex(L, idx);
	lua_pushglobaltable(L);
	same = lua_rawequal(L, idx, -1);
	lua_pop(L, 1);
	return same;
}

/* A Lua function of the program's own: it keeps no state that bodies could tell. */
static bool is_library(lua_State *L, int idx)
{
	lua_Debug ar;

	lua_pushvalue(L, idx);
	lua_getinfo(L, ">S", &ar);
	return !strncmp(ar.source, "=(lua/", 6);
}

static void standard_table(struct purity *p, lua_State *L, const char *name)
{
	struct node *n;

	if (!lua_istable(L, -1)) {
		lua_pop(L, 1);
		return;
	}
	n = reach_node(p, L, lua_topointer(L, -1), NODE_TABLE);
	if (n->anchor) {
		lua_pop(L, 1);
		return;
	}
	n->standard = true;
	set_name(n, "", name);
	n->anchor = purity_anchor(p, L);
}

void reach_standard(struct purity *p, lua_State *L)
{
	static const char *const names[] = { "string", "table", "math", "io", "os", "coroutine",
					     "utf8", "debug", "package" };

	static const char *const loaders[] = { "load", "loadfile", "dofile", "require" };

	for (size_t i = 0; i < sizeof(loaders) / sizeof(loaders[0]); i++) {
		lua_getglobal(L, loaders[i]);
		p->loaders[i] = lua_topointer(L, -1);
		lua_pop(L, 1);
	}
	lua_pushglobaltable(L);
	standard_table(p, L, "_G");
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		lua_getfield(L, -1, names[i]);
		standard_table(p, L, names[i]);
	}
	standard_table(p, L, "package.loaded");
	/* those of our own: the parts of names before a dot */
	for (size_t i = 0; lb_section(i); i++) {
		for (const struct lb_func *f = lb_section(i)->funcs; f->name; f++) {
			const char *dot = strchr(f->name, '.');
			char name[32];

			if (!dot || !f->fn)
				continue;
			snprintf(name, sizeof(name), "%.*s", (int)(dot - f->name), f->name);
			lua_pushglobaltable(L);
			lua_pushstring(L, name);
			lua_rawget(L, -2);
			lua_replace(L, -2);
			standard_table(p, L, name);
		}
	}
}

/* --- walking --- */

/* Where one is: what is met gets its name from it. */
struct place { const char *name, *field; };

static void later(struct purity *p, lua_State *L, struct node *n)
{
	uint32_t i = (uint32_t)(n - p->nodes);

	p->todo = purity_room(L, p->todo, p->ntodo, &p->todo_cap, sizeof(*p->todo));
	p->todo[p->ntodo++] = i;
}

/* The node of the value on top, which stays. */
static struct node *node_of_top(struct purity *p, lua_State *L, enum node_kind kind, struct place at)
{
	struct node *n = reach_node(p, L, lua_topointer(L, -1), kind);

	if (!n->anchor) {
		uint32_t a;

		lua_pushvalue(L, -1);
		a = purity_anchor(p, L);
		n->anchor = a;
		set_name(n, at.name, at.field);
	}
	return n;
}

static void reach_value(struct purity *p, lua_State *L, struct place at, bool library);

/* Coroutines (coroutine.wrap() keeps one) and iterators have a state that grows. */
static void reach_state(struct purity *p, lua_State *L, struct place at)
{
	struct node *n = node_of_top(p, L, NODE_STATE, at);

	reach_use(L, n, &(struct use){ .body = p->body, .kind = BC_VALUE });
	if (n->walked == p->body + 1)
		return;
	n->walked = p->body + 1;
	if (lua_type(L, -1) == LUA_TTHREAD)
		later(p, L, n);
}

/* Functions that run any code, or can get at anything. */
static bool is_loader(const struct purity *p, const void *fn)
{
	for (size_t i = 0; i < sizeof(p->loaders) / sizeof(p->loaders[0]); i++)
		if (p->loaders[i] == fn)
			return true;
	return false;
}

/* Of C functions: what they call, and what they step along. */
static void reach_c_function(struct purity *p, lua_State *L, struct place at)
{
	p->globals |= is_loader(p, lua_topointer(L, -1));
	for (int i = 1; lua_getupvalue(L, -1, i); i++) {
		int type = lua_type(L, -1);

		if (type == LUA_TTHREAD || (type == LUA_TUSERDATA && !lua_getmetatable(L, -1)))
			reach_state(p, L, at);
		else if (type == LUA_TUSERDATA)
			lua_pop(L, 1);
		else if (type == LUA_TFUNCTION)
			reach_value(p, L, at, false);
		lua_pop(L, 1);
	}
}

static void reach_globals(struct purity *p, lua_State *L);

/* A table's keys, values and metatable; `library`: one of our own, of which only
 * functions matter that a script has put there. */
static void reach_table(struct purity *p, lua_State *L, struct place at, bool library)
{
	struct node *n;
	uint32_t *walked;

	if (is_globals(L, -1)) {
		if (!library)
			reach_globals(p, L);
		return;
	}
	n = node_of_top(p, L, NODE_TABLE, at);
	if (n->standard)
		return;
	/* ours is trusted to change only what no body can tell */
	reach_use(L, n, &(struct use){ .body = p->body, .kind = library ? BC_GET_ANY : BC_VALUE });
	walked = library ? &n->walked_lib : &n->walked;
	if (*walked == p->body + 1)
		return;
	*walked = p->body + 1;
	later(p, L, n);
}

/* The value on top, which stays, is at the body's disposal. */
static void reach_value(struct purity *p, lua_State *L, struct place at, bool library)
{
	struct node *n;

	luaL_checkstack(L, 16, NULL);
	switch (lua_type(L, -1)) {
	case LUA_TTABLE:
		reach_table(p, L, at, library);
		break;
	case LUA_TTHREAD:
		if (!library)
			reach_state(p, L, at);
		break;
	case LUA_TFUNCTION:
		if (lua_iscfunction(L, -1)) {
			reach_c_function(p, L, at);
			break;
		}
		n = node_of_top(p, L, NODE_FUNCTION, at);
		if (n->walked == p->body + 1)
			break;
		n->walked = p->body + 1;
		later(p, L, n);
		break;
	default:
		break;	/* handles and numbers never change */
	}
}

/* The body has the table of globals, so all of them that are not Lua's own or ours. */
static void reach_globals(struct purity *p, lua_State *L)
{
	struct node *n;
	char text[48];

	p->globals = true;
	lua_pushglobaltable(L);
	n = node_of_top(p, L, NODE_TABLE, (struct place){ "", "_G" });
	if (n->walked == p->body + 1) {		/* it is in itself */
		lua_pop(L, 1);
		return;
	}
	n->walked = p->body + 1;
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
		reach_value(p, L, (struct place){ "", key_text(L, -2, text, sizeof(text)) }, false);
	lua_pop(L, 1);
}

/* Modules that were loaded: whoever has require() has them. */
static void reach_modules(struct purity *p, lua_State *L)
{
	char text[48];

	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
		if (!is_globals(L, -1) || lua_type(L, -1) != LUA_TTABLE)
			reach_value(p, L, (struct place){ "", key_text(L, -2, text, sizeof(text)) },
				    false);
	lua_pop(L, 1);
}

static bool key_is(const struct bc_key *k, const char *s)
{
	return k->name && k->len == strlen(s) && !memcmp(k->name, s, k->len);
}

static void use_global(struct purity *p, lua_State *L, const struct use *u)
{
	struct node *n;
	char text[48];

	lua_pushglobaltable(L);
	n = node_of_top(p, L, NODE_TABLE, (struct place){ "", "_G" });
	if (u->kind != BC_GET && u->kind != BC_SET) {
		reach_use(L, n, u);
		reach_globals(p, L);
		lua_pop(L, 1);
		return;
	}
	push_key(L, &u->key);
	key_text(L, -1, text, sizeof(text));
	reach_use(L, n, u);
	lua_rawget(L, -2);
	if (u->kind == BC_GET) {
		const struct node *own = lua_istable(L, -1) ? reach_find(p, lua_topointer(L, -1)) : NULL;

		p->everything |= key_is(&u->key, "debug");
		p->globals |= own && own->standard && !(u->in && u->in->only_read);
		if (key_is(&u->key, "require") || key_is(&u->key, "package"))
			reach_modules(p, L);
		else
			reach_value(p, L, (struct place){ "", text }, false);
	}
	lua_pop(L, 2);
}

/* What the function does with the variable's value, a table, which is on top. */
static void use_table(struct purity *p, lua_State *L, struct use u, const char *name)
{
	struct node *n = node_of_top(p, L, NODE_TABLE, (struct place){ "", name });
	bool meta = lua_getmetatable(L, -1);
	char text[48];

	lua_settop(L, lua_gettop(L) - meta);
	if (n->standard) {
		p->globals |= u.kind != BC_GET && u.kind != BC_GET_ANY;
		return;
	}
	if (meta || u.kind == BC_VALUE || u.kind == BC_GET_ANY || u.kind == BC_SET_ANY) {
		/* a metamethod may do what it likes with the table */
		if (meta)
			u.kind = BC_VALUE;
		if (u.kind != BC_VALUE)
			reach_use(L, n, &u);
		if (u.kind == BC_VALUE) {
			reach_table(p, L, (struct place){ "", name }, false);
		} else if (!(u.in && u.in->shallow) && n->walked != p->body + 1) {
			n->walked = p->body + 1;
			later(p, L, n);
		}
		return;
	}
	reach_use(L, n, &u);
	if (u.kind != BC_GET || (u.in && u.in->shallow))
		return;
	push_key(L, &u.key);
	key_text(L, -1, text, sizeof(text));
	lua_rawget(L, -2);
	reach_value(p, L, (struct place){ name, text }, false);
	lua_pop(L, 1);
}

/* A use of the variable `cell`, whose value is on top. */
static void use_cell(struct purity *p, lua_State *L, size_t cell, struct use u)
{
	struct use of_cell = u;
	const char *name;
	char copy[64];

	if (u.kind != BC_ASSIGN)
		of_cell.kind = BC_LOOK;
	reach_use(L, &p->nodes[cell], &of_cell);
	if (u.kind == BC_LOOK || u.kind == BC_ASSIGN)
		return;
	snprintf(copy, sizeof(copy), "%s", p->nodes[cell].name);
	name = copy;
	if (lua_type(L, -1) != LUA_TTABLE)
		reach_value(p, L, (struct place){ "", name }, false);
	else if (is_globals(L, -1))
		use_global(p, L, &u);
	else
		use_table(p, L, u, name);
}

/* The function on top has its i-th upvalue's value above it. */
static void walk_upvalue(struct purity *p, lua_State *L, uint32_t fn, const struct bytecode *bc,
			 int i, const char *name)
{
	struct node *n = reach_node(p, L, lua_upvalueid(L, -2, i), NODE_CELL);
	size_t cell = (size_t)(n - p->nodes);

	if (!n->anchor) {
		n->anchor = fn;
		n->up = i;
		set_name(n, "", *name && *name != '(' ? name : "?");
	}
	if (!bc->known) {
		p->everything = true;
		use_cell(p, L, cell, (struct use){ .body = p->body, .fn = fn, .kind = BC_VALUE });
		return;
	}
	for (size_t k = 0; k < bc->nuses; k++)
		if (bc->uses[k].up == i - 1)
			use_cell(p, L, cell, (struct use){ .body = p->body, .fn = fn, .bc = bc,
				 .in = &bc->uses[k], .kind = bc->uses[k].kind, .key = bc->uses[k].key });
}

/* Does a function of our own get at what a table of its own holds? */
static bool takes_out(const struct bytecode *bc, int i)
{
	for (size_t k = 0; k < bc->nuses; k++) {
		const struct bc_use *u = &bc->uses[k];

		if (u->up == i - 1 && (u->kind == BC_VALUE || ((u->kind == BC_GET ||
						u->kind == BC_GET_ANY) && !u->shallow)))
			return true;
	}
	return !bc->known;
}

static void walk_function(struct purity *p, lua_State *L, uint32_t fn)
{
	bool library = is_library(L, -1);
	const struct bytecode *bc = bc_get(&p->cache, L);
	const char *name;

	if (!bc)
		luaL_error(L, "out of memory");
	for (int i = 1; (name = lua_getupvalue(L, -1, i)); i++) {
		if (library && takes_out(bc, i))
			reach_value(p, L, (struct place){ "", name }, true);
		else if (!library)
			walk_upvalue(p, L, fn, bc, i, name);
		lua_pop(L, 1);
	}
}

/* A coroutine's functions: that which it begins with, or those that it is in. */
static void walk_coroutine(struct purity *p, lua_State *L, const char *name)
{
	lua_State *co = lua_tothread(L, -1);
	lua_Debug ar;

	if (co == L || !lua_checkstack(co, 2))
		return;
	if (lua_status(co) == LUA_OK && lua_gettop(co) && !lua_getstack(co, 0, &ar)) {
		lua_pushvalue(co, 1);
		lua_xmove(co, L, 1);
		reach_value(p, L, (struct place){ "", name }, false);
		lua_pop(L, 1);
		return;
	}
	for (int level = 0; lua_getstack(co, level, &ar); level++) {
		lua_getinfo(co, "f", &ar);
		lua_xmove(co, L, 1);
		reach_value(p, L, (struct place){ "", name }, false);
		lua_pop(L, 1);
	}
}

static void walk_table(struct purity *p, lua_State *L, const char *name, bool library)
{
	char text[48];

	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		struct place at = { name, key_text(L, -2, text, sizeof(text)) };

		reach_value(p, L, at, library);
		lua_pushvalue(L, -2);
		reach_value(p, L, (struct place){ name, "a key" }, library);
		lua_pop(L, 1);
	}
	if (lua_getmetatable(L, -1)) {
		reach_value(p, L, (struct place){ name, "its metatable" }, library);
		lua_pop(L, 1);
	}
}

static void walk_all(struct purity *p, lua_State *L)
{
	while (p->ntodo) {
		struct node *n = &p->nodes[p->todo[--p->ntodo]];
		uint32_t anchor = n->anchor;
		bool library = n->walked != p->body + 1;
		char name[64];

		memcpy(name, n->name, sizeof(name));
		luaL_checkstack(L, 16, NULL);
		purity_push(L, anchor);
		switch (n->kind) {
		case NODE_FUNCTION:
			walk_function(p, L, anchor);
			break;
		case NODE_TABLE:
			walk_table(p, L, name, library);
			break;
		case NODE_STATE:
			walk_coroutine(p, L, name);
			break;
		case NODE_CELL:
			break;
		}
		lua_pop(L, 1);
	}
}

void reach_walk(struct purity *p, lua_State *L)
{
	p->ntodo = 0;
	reach_value(p, L, (struct place){ "", p->bodies[p->body].name }, false);
	lua_pop(L, 1);
	walk_all(p, L);
}

/* --- ghosts --- */

/* Tables in a ghost are seen through its own accesses: they only have to be kept in view.
 * Functions may be called by anybody. */
static void ghost_value(struct purity *p, lua_State *L, uint32_t loc, const char *name, int depth)
{
	struct node *n;

	luaL_checkstack(L, 8, NULL);
	if (lua_type(L, -1) == LUA_TFUNCTION) {
		p->body = reach_body(p, L, BODY_SHARED, name);
		lua_pushvalue(L, -1);
		reach_walk(p, L);
		return;
	}
	if (lua_type(L, -1) == LUA_TTHREAD) {
		p->body = reach_body(p, L, BODY_SHARED, name);
		reach_state(p, L, (struct place){ "", name });
		walk_all(p, L);
		return;
	}
	if (lua_type(L, -1) != LUA_TTABLE)
		return;
	if (depth > GHOST_DEPTH)
		purity_refuse(p, L, "the tables in ghost '%s' are nested too deeply to watch", name);
	if (p->built_nodes && reach_find(p, lua_topointer(L, -1)))
		return;		/* was known before it got there */
	n = node_of_top(p, L, NODE_TABLE, (struct place){ "", name });
	if (n->standard || n->ghost)
		return;
	n->ghost = loc + 1;
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
		ghost_value(p, L, loc, name, depth + 1);
}

void reach_ghost(struct purity *p, lua_State *L, uint32_t loc, const char *name)
{
	ghost_value(p, L, loc, name, 0);
	lua_pop(L, 1);
}
