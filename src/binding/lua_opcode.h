/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instructions of Lua 5.4 and one function's code, as lua_bytecode.c reads them
 * and lua_regflow.c follows them.
 */
#ifndef SRCUSH_BINDING_LUA_OPCODE_H
#define SRCUSH_BINDING_LUA_OPCODE_H

#include "binding/lua_bytecode.h"

enum lua_op {
	L_MOVE, L_LOADI, L_LOADF, L_LOADK, L_LOADKX, L_LOADFALSE, L_LFALSESKIP, L_LOADTRUE,
	L_LOADNIL, L_GETUPVAL, L_SETUPVAL, L_GETTABUP, L_GETTABLE, L_GETI, L_GETFIELD,
	L_SETTABUP, L_SETTABLE, L_SETI, L_SETFIELD, L_NEWTABLE, L_SELF, L_ADDI,
	L_ADDK, L_SUBK, L_MULK, L_MODK, L_POWK, L_DIVK, L_IDIVK, L_BANDK, L_BORK, L_BXORK,
	L_SHRI, L_SHLI,
	L_ADD, L_SUB, L_MUL, L_MOD, L_POW, L_DIV, L_IDIV, L_BAND, L_BOR, L_BXOR, L_SHL, L_SHR,
	L_MMBIN, L_MMBINI, L_MMBINK, L_UNM, L_BNOT, L_NOT, L_LEN, L_CONCAT, L_CLOSE, L_TBC,
	L_JMP, L_EQ, L_LT, L_LE, L_EQK, L_EQI, L_LTI, L_LEI, L_GTI, L_GEI, L_TEST, L_TESTSET,
	L_CALL, L_TAILCALL, L_RETURN, L_RETURN0, L_RETURN1, L_FORLOOP, L_FORPREP, L_TFORPREP,
	L_TFORCALL, L_TFORLOOP, L_SETLIST, L_CLOSURE, L_VARARG, L_VARARGPREP, L_EXTRAARG,
	L_OP_COUNT
};

static inline unsigned ins_op(uint32_t i) { return i & 0x7f; }
static inline unsigned ins_a(uint32_t i) { return i >> 7 & 0xff; }
static inline bool ins_k(uint32_t i) { return i >> 15 & 1; }
static inline unsigned ins_b(uint32_t i) { return i >> 16 & 0xff; }
static inline unsigned ins_c(uint32_t i) { return i >> 24; }
static inline unsigned ins_bx(uint32_t i) { return i >> 15; }
static inline long ins_sj(uint32_t i) { return (long)(i >> 7) - ((1L << 24) - 1); }

struct lua_constant { const char *s; size_t len; };	/* s == NULL: no string */
struct lua_inner { const uint8_t *ups; size_t nups; };	/* {in stack, index, kind} each */

/* One function while it is looked at. */
struct lua_code {
	const uint8_t *code;
	size_t ncode;
	struct lua_constant *k;
	size_t nk;
	struct lua_inner *inner;
	size_t ninner;
	const int8_t *lines;	/* differences */
	size_t nlines;
	int line;		/* where it begins */
	struct abs_line { uint32_t pc; int line; } *abs;
	size_t nabs;
};

uint32_t code_at(const struct lua_code *f, size_t pc);
bool code_key(const struct lua_code *f, unsigned k, struct bc_key *key);

/*
 * The register `reg` holds a variable's value when instruction `pc` begins.  Calls
 * use(arg, pc, kind, key) for each thing that can happen to the value from there on;
 * after BC_VALUE, or false from use(), no more.  False: the code is of no known form,
 * no memory, or use() said so.
 */
bool regflow(const struct lua_code *f, unsigned reg, size_t pc,
	     bool (*use)(void *arg, size_t pc, enum bc_kind kind, const struct bc_key *key),
	     void *arg);

#endif
