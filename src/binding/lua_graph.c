/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The graph of Lua values that bodies can reach: nodes by their addresses, with what
 * is done to each.  What has come since the world was built is dropped with the
 * execution.
 */
#include <config.h>

#include "binding/lua_purity_internal.h"

#include <stdlib.h>
#include <string.h>

#define NODES_MAX 200000

static size_t slot_of(const struct purity *p, const void *id)
{
	size_t i = ((uintptr_t)id >> 4) * 0x9e3779b97f4a7c15ull >> 20 & (p->hash_size - 1);

	while (p->hash[i] && p->nodes[p->hash[i] - 1].id != id)
		i = (i + 1) & (p->hash_size - 1);
	return i;
}

struct node *reach_find(struct purity *p, const void *id)
{
	size_t i = p->hash_size ? slot_of(p, id) : 0;

	return p->hash_size && p->hash[i] ? &p->nodes[p->hash[i] - 1] : NULL;
}

static void rehash(struct purity *p)
{
	memset(p->hash, 0, p->hash_size * sizeof(*p->hash));
	for (size_t i = 0; i < p->nnodes; i++)
		p->hash[slot_of(p, p->nodes[i].id)] = (uint32_t)i + 1;
}

/* Finds it, or makes it; its anchor is then 0.  Earlier pointers to nodes end. */
struct node *reach_node(struct purity *p, lua_State *L, const void *id, enum node_kind kind)
{
	struct node *n = reach_find(p, id);

	if (n)
		return n;
	if (p->nnodes == NODES_MAX)
		purity_refuse(p, L, "the Lua tables and functions that its threads use are too large "
			      "to watch: more than %d", NODES_MAX);
	p->nodes = purity_room(L, p->nodes, p->nnodes, &p->nodes_cap, sizeof(*p->nodes));
	if (p->hash_size < 2 * p->nodes_cap) {
		uint32_t *hash = calloc(4 * p->nodes_cap, sizeof(*hash));

		if (!hash)
			luaL_error(L, "out of memory");
		free(p->hash);
		p->hash = hash;
		for (p->hash_size = 64; p->hash_size * 2 <= 4 * p->nodes_cap; p->hash_size *= 2)
			;
		rehash(p);
	}
	p->hash[slot_of(p, id)] = (uint32_t)p->nnodes + 1;
	n = &p->nodes[p->nnodes++];
	*n = (struct node){ .id = id, .kind = kind };
	return n;
}

static void drop_nodes(struct purity *p, size_t first)
{
	while (p->nnodes > first)
		free(p->nodes[--p->nnodes].uses);
	if (p->hash_size)
		rehash(p);
}

void reach_forget(struct purity *p)
{
	if (p->nnodes > p->built_nodes)
		drop_nodes(p, p->built_nodes);
	if (p->nbodies == p->built_bodies)
		return;
	for (size_t i = 0; i < p->nnodes; i++) {
		p->nodes[i].nuses = p->nodes[i].built;
		p->nodes[i].walked = p->nodes[i].walked_lib = 0;
	}
	while (p->nbodies > p->built_bodies)
		free(p->bodies[--p->nbodies].name);
	p->nanchors = p->built_anchors;
}

void reach_reset(struct purity *p)
{
	p->built_nodes = p->built_bodies = 0;
	drop_nodes(p, 0);
	while (p->nbodies)
		free(p->bodies[--p->nbodies].name);
	p->ntodo = 0;
	p->entries = 0;
	p->nwatch = 0;
	p->nanchors = p->built_anchors = 0;
}

uint32_t reach_body(struct purity *p, lua_State *L, enum body_kind kind, const char *name)
{
	char *copy = strdup(name);

	if (!copy)
		luaL_error(L, "out of memory");
	if (p->nbodies == p->bodies_cap) {
		struct body *b = realloc(p->bodies, (p->bodies_cap * 2 + 8) * sizeof(*b));

		if (!b) {
			free(copy);
			luaL_error(L, "out of memory");
		}
		p->bodies = b;
		p->bodies_cap = p->bodies_cap * 2 + 8;
	}
	p->bodies[p->nbodies++] = (struct body){ kind, copy };
	return (uint32_t)p->nbodies - 1;
}

void reach_use(lua_State *L, struct node *n, const struct use *u)
{
	for (size_t i = 0; i < n->nuses; i++)
		if (n->uses[i].body == u->body && n->uses[i].kind == u->kind &&
		    n->uses[i].in == u->in && n->uses[i].bc == u->bc)
			return;
	n->uses = purity_room(L, n->uses, n->nuses, &n->cap, sizeof(*n->uses));
	n->uses[n->nuses++] = *u;
}
