/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a Lua function does with the variables around it, read from its bytecode
 * as string.dump() gives it: which of them it, or a function inside of it,
 * assigns, and which fields of tables in them it reads and writes.
 */
#ifndef SRCUSH_BINDING_LUA_BYTECODE_H
#define SRCUSH_BINDING_LUA_BYTECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

enum bc_kind {
	BC_LOOK,	/* its value is tested, no more */
	BC_ASSIGN,	/* the variable gets another value */
	BC_VALUE,	/* its value is taken, for whatever use */
	BC_GET,		/* a field of its value is read: `key` */
	BC_SET,		/* a field of its value is assigned: `key` */
	BC_GET_ANY,	/* the same, of a field that is not known */
	BC_SET_ANY,
};

/* A field's name, or its number when there is no name. */
struct bc_key {
	const char *name;	/* not terminated */
	size_t len;
	int64_t number;
};

struct bc_use {
	uint8_t up;		/* which variable: upvalue number, from 0 */
	uint8_t kind;		/* enum bc_kind */
	bool shallow;		/* of what was read nothing is used: it is only tested ... */
	bool only_read;		/* ... or only fields of it are read */
	uint32_t proto;		/* the function in which: itself 0, inner ones in order */
	int line;		/* 0: not known */
	struct bc_key key;	/* BC_GET, BC_SET */
};

/* The function itself or an inner one. */
struct bc_proto {
	int line, last;		/* from which line to which */
	uint32_t end;		/* those inside of it have numbers up to here, exclusively */
};

struct bytecode {
	struct bytecode *next;
	char *dump;		/* what it was read from; keys point into it */
	size_t len;
	bool known;		/* false: of no known form: it may do anything */
	struct bc_proto *protos;
	size_t nprotos;
	struct bc_use *uses;
	size_t nuses;
};

/* Those read so far. */
struct bc_cache { struct bytecode *all; };

/* Of the Lua function (not C) on top of L's stack, which stays.  It lives as long as
 * the cache.  NULL: out of memory.  May raise. */
const struct bytecode *bc_get(struct bc_cache *c, lua_State *L);
void bc_release(struct bc_cache *c);
bool bc_key_equal(const struct bc_key *a, const struct bc_key *b);
/* The number of the inner function of these lines; 0: there is none, or several. */
uint32_t bc_inner(const struct bytecode *b, int line, int last);

#endif
