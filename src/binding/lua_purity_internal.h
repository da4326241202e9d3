/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of lua_purity.h share: the graph of Lua values that bodies can
 * reach, with who does what to each.
 */
#ifndef SRCUSH_BINDING_LUA_PURITY_INTERNAL_H
#define SRCUSH_BINDING_LUA_PURITY_INTERNAL_H

#include "binding/lua_bytecode.h"
#include "binding/lua_purity.h"

enum body_kind {
	BODY_THREAD, BODY_IRQ, BODY_WORK, BODY_CALLBACK, BODY_INVARIANT,
	BODY_WORKER,	/* a task that is none of the script's */
	BODY_SHARED,	/* a function in a ghost: anybody may call it */
	BODY_END,	/* finally(), outcome(): when all others are over */
};
struct body {
	enum body_kind kind;
	char *name;
};

/* Something that a body can do to a variable or a table. */
struct use {
	uint32_t body;
	uint32_t fn;		/* anchor of the function that does it, 0: none in particular */
	const struct bytecode *bc; /* that function's */
	const struct bc_use *in; /* and where in it */
	uint8_t kind;		/* enum bc_kind */
	struct bc_key key;
};

enum node_kind {
	NODE_CELL,		/* a local variable, as an upvalue */
	NODE_TABLE, NODE_FUNCTION,
	NODE_STATE,		/* a coroutine or an iterator */
};
struct node {
	const void *id;		/* the address */
	enum node_kind kind;
	uint32_t anchor;	/* the value; of a cell: a function that has it ... */
	int up;			/* ... as its upvalue of this number */
	char name[64];		/* as a script would write it, more or less */
	uint32_t walked, walked_lib; /* body + 1 that walked through it last */
	struct use *uses;
	size_t nuses, cap, built; /* `built` of them since the world was built */
	uint32_t initial, last;	/* anchors: of a cell its value, of a table a copy; 0: none.
				 * At the start, and when it was looked at last */
	uint32_t meta;		/* anchor of a table's metatable at the start, or 0 */
	uint32_t ninitial, ncopy; /* entries of these copies */
	bool watched;
	bool handed;		/* belongs to a running body, which has handed it on */
	bool standard;		/* Lua's own tables, and that of globals */
	uint32_t ghost;		/* arena offset + 1 of the ghost that it is in, or 0 */
};

struct purity {
	struct session *s;
	lua_State *L;		/* a Lua thread of its own */
	int l_ref, anchors_ref;	/* registry */
	uint32_t nanchors;
	struct bc_cache cache;

	struct body *bodies;
	size_t nbodies, bodies_cap;
	struct node *nodes;
	size_t nnodes, nodes_cap;
	uint32_t *hash;		/* of ids: node + 1 */
	size_t hash_size;
	uint32_t *todo;		/* nodes to walk through */
	size_t ntodo, todo_cap;
	uint32_t body;		/* who walks */

	/* as it was when the world was built: what came since goes at the next begin */
	size_t built_nodes, built_bodies;
	uint32_t built_anchors;

	uint32_t *watch;	/* nodes to compare: built_watch of them since the world was built */
	size_t nwatch, watch_cap, built_watch;
	size_t nstandard;	/* of these are Lua's own, first */
	size_t entries;		/* of all tables that are watched */
	uint64_t executions;
	bool sampling;		/* looks after each stretch of this execution */
	bool standard, was_standard; /* looks at Lua's own tables after this one; the last one */
	bool differs;		/* at the last one's end something was not as it began */
	bool ended;		/* none runs, and the last came to its end */
	bool fresh;		/* something was handed on in this stretch */
	const struct lua_Debug *handed_on; /* the function that is being handed on, or NULL */
	bool everything;	/* a function's bytecode says nothing, or debug is used */
	bool globals;		/* some body has the table of globals or another of Lua's own */
	const void *loaders[4];	/* load() and its like */
	bool warm;
	uint64_t builds;	/* worlds that were walked through */
	int values_ref;		/* registry: what bodies' locals and ghosts had in the last */
	lua_Integer nvalues;
	int old_ref;		/* registry: the anchors of the world built before */
	const void **states;	/* its coroutines */
	size_t nstates;
};

/* All of these run in a protected call, with the anchors at index ANCHORS, and raise. */
#define ANCHORS 1
_Noreturn void purity_refuse(struct purity *p, lua_State *L, const char *fmt, ...);
uint32_t purity_anchor(struct purity *p, lua_State *L);	/* keeps what is on top; pops it */
static inline void purity_push(lua_State *L, uint32_t anchor)
{
	lua_rawgeti(L, ANCHORS, (lua_Integer)anchor);
}
void *purity_room(lua_State *L, void *array, size_t n, size_t *cap, size_t elem);
/* lua_graph.c */
uint32_t reach_body(struct purity *p, lua_State *L, enum body_kind kind, const char *name);
/* The node of an address; made if there is none, without an anchor then. */
struct node *reach_node(struct purity *p, lua_State *L, const void *id, enum node_kind kind);
struct node *reach_find(struct purity *p, const void *id);	/* NULL: there is none */
void reach_use(lua_State *L, struct node *n, const struct use *u);
void reach_forget(struct purity *p);	/* what came since the world was built */
void reach_reset(struct purity *p);	/* all */

/* lua_reach.c */
/* All that the function on top, the body p->body, can reach.  Pops it. */
void reach_walk(struct purity *p, lua_State *L);
/* The same of a value in a ghost. */
void reach_ghost(struct purity *p, lua_State *L, uint32_t loc, const char *name);
/* Lua's own tables and that of globals, as nodes. */
void reach_standard(struct purity *p, lua_State *L);

/* lua_conflict.c */
/* Raises if a body assigns what another can see; of pairs without one from `first` on
 * nothing new is known. */
void conflict_check(struct purity *p, lua_State *L, uint32_t first);
/* `key`, a text, or NULL for its metatable, of a table was changed by `body` (NOBODY: who
 * is not known): raises if another can tell. */
#define NOBODY UINT32_MAX
void conflict_table(struct purity *p, lua_State *L, const struct node *n, uint32_t body, int key);
/* The same of a variable. */
void conflict_cell(struct purity *p, lua_State *L, const struct node *n, uint32_t body);
/* Pushes "the thread 'a'". */
const char *conflict_who(struct purity *p, lua_State *L, uint32_t body);

/* lua_watch.c */
/* Of the nodes from `first` on: remembers what may change. */
void watch_add(struct purity *p, lua_State *L, size_t first);
void watch_put_back(struct purity *p, lua_State *L);
/* What has changed since it was looked at last, by t (NULL: not known)? */
void watch_compare(struct purity *p, lua_State *L, struct task *t, bool at_end);
/* p->differs is set if anything is not as it was at the start, whoever changed it. */
void watch_differs(struct purity *p, lua_State *L);
/* What has changed among Lua's own tables outside of executions is as it should be. */
void watch_accept(struct purity *p, lua_State *L);
/* The body that a task runs, or NOBODY. */
uint32_t purity_body_of(const struct purity *p, const struct task *t);

#endif
