/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a value goes that stands in a register of a Lua function: along all ways
 * that the code can take, until another value replaces it.  As long as it is only
 * indexed by constants one knows which of its fields are meant; whatever else is
 * done with it counts as anything.
 */
#include <config.h>

#include "binding/lua_opcode.h"

#include <stdlib.h>

/* What an instruction does with registers. */
enum {
	R_A = 1 << 0, R_B = 1 << 1, R_C = 1 << 2,	/* reads */
	R_CK = 1 << 3,		/* reads C unless that is a constant */
	W_A = 1 << 4,		/* writes A */
	TEST = 1 << 5,		/* may skip the next instruction */
	RANGE = 1 << 6,		/* see uses_range() and kills_range() */
};

static const uint8_t effects[L_OP_COUNT] = {
	[L_MOVE] = W_A | R_B, [L_LOADI] = W_A, [L_LOADF] = W_A, [L_LOADK] = W_A,
	[L_LOADKX] = W_A, [L_LOADFALSE] = W_A, [L_LFALSESKIP] = W_A, [L_LOADTRUE] = W_A,
	[L_LOADNIL] = RANGE, [L_GETUPVAL] = W_A, [L_SETUPVAL] = R_A, [L_GETTABUP] = W_A,
	[L_GETTABLE] = W_A | R_B | R_C, [L_GETI] = W_A | R_B, [L_GETFIELD] = W_A | R_B,
	[L_SETTABUP] = R_CK, [L_SETTABLE] = R_A | R_B | R_CK, [L_SETI] = R_A | R_CK,
	[L_SETFIELD] = R_A | R_CK, [L_NEWTABLE] = W_A, [L_SELF] = R_B | R_CK | RANGE,
	[L_ADDI] = W_A | R_B, [L_ADDK] = W_A | R_B, [L_SUBK] = W_A | R_B, [L_MULK] = W_A | R_B,
	[L_MODK] = W_A | R_B, [L_POWK] = W_A | R_B, [L_DIVK] = W_A | R_B, [L_IDIVK] = W_A | R_B,
	[L_BANDK] = W_A | R_B, [L_BORK] = W_A | R_B, [L_BXORK] = W_A | R_B,
	[L_SHRI] = W_A | R_B, [L_SHLI] = W_A | R_B,
	[L_ADD] = W_A | R_B | R_C, [L_SUB] = W_A | R_B | R_C, [L_MUL] = W_A | R_B | R_C,
	[L_MOD] = W_A | R_B | R_C, [L_POW] = W_A | R_B | R_C, [L_DIV] = W_A | R_B | R_C,
	[L_IDIV] = W_A | R_B | R_C, [L_BAND] = W_A | R_B | R_C, [L_BOR] = W_A | R_B | R_C,
	[L_BXOR] = W_A | R_B | R_C, [L_SHL] = W_A | R_B | R_C, [L_SHR] = W_A | R_B | R_C,
	[L_MMBIN] = R_A | R_B, [L_MMBINI] = R_A, [L_MMBINK] = R_A,
	[L_UNM] = W_A | R_B, [L_BNOT] = W_A | R_B, [L_NOT] = W_A | R_B, [L_LEN] = W_A | R_B,
	[L_CONCAT] = RANGE, [L_CLOSE] = 0, [L_TBC] = R_A, [L_JMP] = 0,
	[L_EQ] = R_A | R_B | TEST, [L_LT] = R_A | R_B | TEST, [L_LE] = R_A | R_B | TEST,
	[L_EQK] = R_A | TEST, [L_EQI] = R_A | TEST, [L_LTI] = R_A | TEST, [L_LEI] = R_A | TEST,
	[L_GTI] = R_A | TEST, [L_GEI] = R_A | TEST, [L_TEST] = R_A | TEST,
	[L_TESTSET] = R_B | TEST,	/* does not always write A */
	[L_CALL] = RANGE, [L_TAILCALL] = RANGE, [L_RETURN] = RANGE, [L_RETURN0] = 0,
	[L_RETURN1] = R_A, [L_FORLOOP] = RANGE, [L_FORPREP] = RANGE, [L_TFORPREP] = RANGE,
	[L_TFORCALL] = RANGE, [L_TFORLOOP] = RANGE, [L_SETLIST] = RANGE,
	[L_CLOSURE] = W_A | RANGE, [L_VARARG] = RANGE, [L_VARARGPREP] = 0, [L_EXTRAARG] = 0,
};

static bool within(unsigned reg, unsigned first, unsigned n)
{
	return reg >= first && reg - first < n;
}

/* The instruction's inner function keeps the register as a variable of its own. */
static bool captures(const struct lua_code *f, uint32_t i, unsigned reg)
{
	const struct lua_inner *in;

	if (ins_bx(i) >= f->ninner)
		return true;
	in = &f->inner[ins_bx(i)];
	for (size_t n = 0; n < in->nups; n++)
		if (in->ups[3 * n] && in->ups[3 * n + 1] == reg)
			return true;
	return false;
}

/* Does an instruction that uses a range of registers read `reg`? */
static bool uses_range(const struct lua_code *f, uint32_t i, unsigned reg)
{
	unsigned a = ins_a(i), b = ins_b(i);

	switch (ins_op(i)) {
	case L_CONCAT:
		return within(reg, a, b);
	case L_CALL: case L_TAILCALL:
		return b ? within(reg, a, b) : reg >= a;
	case L_RETURN:
		return b ? within(reg, a, b - 1) : reg >= a;
	case L_SETLIST:
		return b ? within(reg, a, b + 1) : reg >= a;
	case L_FORLOOP: case L_FORPREP: case L_TFORPREP: case L_TFORCALL:
		return within(reg, a, 4);
	case L_TFORLOOP:
		return within(reg, a, 5);
	case L_CLOSURE:
		return captures(f, i, reg);
	default:
		return false;
	}
}

/* Does it put something else into `reg`, or leave nothing there? */
static bool kills_range(uint32_t i, unsigned reg)
{
	unsigned a = ins_a(i);

	switch (ins_op(i)) {
	case L_LOADNIL:
		return within(reg, a, ins_b(i) + 1);
	case L_SELF:
		return within(reg, a, 2);
	case L_CALL: case L_VARARG:
		return reg >= a;
	case L_CONCAT:
		return reg == a;
	case L_TFORCALL:
		return reg >= a + 4;
	default:
		return false;
	}
}

struct flow {
	const struct lua_code *f;
	unsigned reg;
	bool (*use)(void *arg, size_t pc, enum bc_kind kind, const struct bc_key *key);
	void *arg;
	bool escaped;
	uint8_t *seen;
	size_t *todo, ntodo;
};

/* The value is the operand of an index: which field? */
static enum bc_kind indexed(const struct flow *w, uint32_t i, struct bc_key *key)
{
	bool other = ins_k(i) || ins_c(i) != w->reg;	/* what is stored is not itself */

	*key = (struct bc_key){ 0 };
	switch (ins_op(i)) {
	case L_GETFIELD:
		return code_key(w->f, ins_c(i), key) ? BC_GET : BC_VALUE;
	case L_GETI:
		key->number = ins_c(i);
		return BC_GET;
	case L_GETTABLE:
		return ins_b(i) == w->reg && ins_c(i) != w->reg ? BC_GET_ANY : BC_VALUE;
	case L_SETFIELD:
		return ins_a(i) == w->reg && other && code_key(w->f, ins_b(i), key) ? BC_SET : BC_VALUE;
	case L_SETI:
		key->number = ins_b(i);
		return ins_a(i) == w->reg && other ? BC_SET : BC_VALUE;
	case L_SETTABLE:
		return ins_a(i) == w->reg && other && ins_b(i) != w->reg ? BC_SET_ANY : BC_VALUE;
	case L_LEN:
		return BC_GET_ANY;
	case L_TEST: case L_NOT: case L_EQK:
		return BC_LOOK;
	default:
		return BC_VALUE;
	}
}

static bool reads(const struct flow *w, uint32_t i)
{
	unsigned e = effects[ins_op(i)];

	return ((e & R_A) && ins_a(i) == w->reg) || ((e & R_B) && ins_b(i) == w->reg) ||
	       ((e & R_C) && ins_c(i) == w->reg) ||
	       ((e & R_CK) && !ins_k(i) && ins_c(i) == w->reg) ||
	       ((e & RANGE) && uses_range(w->f, i, w->reg));
}

static bool kills(const struct flow *w, uint32_t i)
{
	unsigned e = effects[ins_op(i)];

	return ((e & W_A) && ins_a(i) == w->reg) || ((e & RANGE) && kills_range(i, w->reg));
}

static bool go(struct flow *w, long pc)
{
	if (pc < 0 || (size_t)pc >= w->f->ncode)
		return false;
	if (!w->seen[pc]) {
		w->seen[pc] = 1;
		w->todo[w->ntodo++] = (size_t)pc;
	}
	return true;
}

/* To what can come after the instruction at pc. */
static bool go_on(struct flow *w, size_t at, uint32_t i)
{
	long next = (long)at + 1;

	switch (ins_op(i)) {
	case L_RETURN: case L_RETURN0: case L_RETURN1:
		return true;
	case L_JMP:
		return go(w, next + ins_sj(i));
	case L_LFALSESKIP:
		return go(w, next + 1);
	case L_FORLOOP: case L_TFORLOOP:
		return go(w, next) && go(w, next - (long)ins_bx(i));
	case L_FORPREP:
		return go(w, next) && go(w, next + (long)ins_bx(i) + 1);
	case L_TFORPREP:
		return go(w, next + (long)ins_bx(i));
	default:
		return go(w, next) && (!(effects[ins_op(i)] & TEST) || go(w, next + 1));
	}
}

static bool follow(struct flow *w)
{
	while (w->ntodo && !w->escaped) {
		size_t pc = w->todo[--w->ntodo];
		uint32_t i = code_at(w->f, pc);
		struct bc_key key;
		enum bc_kind kind;

		if (ins_op(i) >= L_OP_COUNT)
			return false;
		if (reads(w, i)) {
			kind = indexed(w, i, &key);
			w->escaped = kind == BC_VALUE;
			if (!w->use(w->arg, pc, kind, &key))
				return false;
		}
		if (!kills(w, i) && !go_on(w, pc, i))
			return false;
	}
	return true;
}

bool regflow(const struct lua_code *f, unsigned reg, size_t pc,
	     bool (*use)(void *arg, size_t pc, enum bc_kind kind, const struct bc_key *key),
	     void *arg)
{
	struct flow w = { .f = f, .reg = reg, .use = use, .arg = arg };
	bool ok;

	w.seen = calloc(f->ncode, 1);
	w.todo = malloc(f->ncode * sizeof(*w.todo));
	ok = w.seen && w.todo && go(&w, (long)pc) && follow(&w);
	free(w.seen);
	free(w.todo);
	return ok;
}
