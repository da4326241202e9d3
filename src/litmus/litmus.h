/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Litmus tests in the C dialect of the Linux kernel's memory model: what a test consists
 * of once it has been read, and the passages from its text to its verdict.
 */
#ifndef SRCUSH_LITMUS_LITMUS_H
#define SRCUSH_LITMUS_LITMUS_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "memory/consistency.h"

/* --- tokens --- */

enum tok_kind { TOK_END, TOK_NAME, TOK_NUMBER, TOK_PUNCT };
struct token {
	uint8_t kind;		/* enum tok_kind */
	bool variable;		/* of a condition: "x" that is printed as [x] */
	int line, column;
	const char *text;	/* NAME, PUNCT: as written; NUMBER too */
	int64_t number;
};
struct tokens { struct token *v; size_t n, cap; };

/* --- types and expressions --- */

enum base_type { BT_INT, BT_UINT, BT_SHORT, BT_USHORT, BT_CHAR, BT_UCHAR, BT_BOOL, BT_LONG, BT_ULONG, BT_ATOMIC,
		 BT_SPINLOCK, BT_SRCU, BT_VOID };
struct type { uint8_t base; uint8_t pointers; };
/* One itself, no pointer to one. */
static inline bool is_a(struct type t, enum base_type base) { return t.base == base && !t.pointers; }
/* Bytes between elements of that type: a lock has its own state, and whose it is. */
static inline unsigned stride_of(struct type t) { return is_a(t, BT_SPINLOCK) ? 16 : 8; }

enum expr_kind {
	EX_NUMBER, EX_LOCAL,		/* number; local `index` */
	EX_UNARY, EX_BINARY, EX_COND,	/* op; a, b, c */
	EX_DEREF, EX_ADDRESS,		/* of a */
	EX_CAST,
	EX_ASSIGN,			/* a = b; op: of a compound one, or 0 */
	EX_STEP,			/* ++ and --; number: +1 or -1; post */
	EX_COMMA,			/* a, b */
	EX_CALL,
};
/* Operators of two characters are known by both: '<' << 8 | '<'. */
#define OP2(a, b) ((a) << 8 | (b))

struct call;
struct srcu_ops;
struct expr {
	uint8_t kind;		/* enum expr_kind */
	bool post;
	int op;
	int line, column;
	int64_t number;
	unsigned index;
	struct type type;	/* casts; locals: as declared */
	struct expr *a, *b, *c;
	const struct call *call; /* see calls.c */
	struct expr **args;
	size_t nargs;
	unsigned suffix;	/* calls: the order, enum ev_order */
};

enum stmt_kind { ST_EXPR, ST_IF, ST_WHILE, ST_DO, ST_FOR, ST_BLOCK, ST_BREAK, ST_CONTINUE, ST_RETURN, ST_EMPTY };
/* What may leave the arms of an if, or the body of a loop, before their end. */
enum stmt_jumps { JUMP_CONTINUE = 1, JUMP_BREAK = 2, JUMP_RETURN = 4 };
struct stmt {
	uint8_t kind;		/* enum stmt_kind */
	uint8_t jumps;		/* of ifs and loops: enum stmt_jumps in them */
	struct expr *init, *cond, *step;
	struct stmt *body, *other;
	struct stmt *next;	/* in its block */
};

/* --- conditions --- */

enum cond_kind { CO_TRUE, CO_AND, CO_OR, CO_NOT, CO_IMPLIES, CO_EQ, CO_NE };
struct place { int proc; unsigned index; unsigned element; }; /* proc < 0: a global */
struct cond {
	uint8_t kind;
	struct cond *a, *b;
	struct place left, right;
	bool right_is_place, right_is_address;
	int64_t number;		/* else; an address: of right */
};

/* --- a test --- */

struct global {
	const char *name;
	struct type type;
	unsigned elements;
	int64_t *init;
	int *init_address;	/* of each element: the global whose address it is, -1 */
	bool typed, is_array;
};
struct local {
	const char *name;
	struct type type;
	int64_t init;
	int init_address;	/* -1 */
	bool parameter, hidden;	/* hidden: its block is over */
	int depth;
};
struct proc {
	struct local *locals;
	size_t nlocals, locals_cap;
	struct stmt *body;
};

enum cond_quantifier { QUANT_EXISTS, QUANT_NOT_EXISTS, QUANT_FORALL };
enum expected { EXPECT_NOTHING, EXPECT_NEVER, EXPECT_SOMETIMES, EXPECT_ALWAYS, EXPECT_DEADLOCK };

struct litmus {
	const char *file;
	char *text;
	const char *name;
	enum expected expected;
	bool expects_race;		/* its verdict means nothing */
	struct tokens tokens;
	struct global *globals;
	size_t nglobals, globals_cap;
	struct proc *procs;
	size_t nprocs, procs_cap;
	struct place *shown;		/* what its states consist of, sorted */
	size_t nshown, shown_cap;
	enum cond_quantifier quantifier;
	struct cond *cond, *filter;
	const char *cond_text;		/* as it is printed */
	bool uses_srcu, uses_rcu, uses_plain;
	bool tries_locks;		/* or looks whether they are taken */
	size_t plain;			/* accesses so far that are not marked */
	/* reading */
	size_t at;			/* next token */
	unsigned depth, links;		/* of what is read: nested; in a row */
	struct proc *proc;		/* whose body is read */
	bool in_cond;
	uint8_t jumps;			/* enum stmt_jumps so far in what is read */
	jmp_buf failed;
	bool skipped;			/* not malformed, but not supported */
	char error[512];
	void **blocks;			/* everything it consists of */
	size_t nblocks, blocks_cap;
};

/* Reads a test.  False: t->error says what is wrong with it, and t->skipped whether it is
 * only not supported. */
bool litmus_read(struct litmus *t, const char *file);
void litmus_release(struct litmus *t);

/* --- among those who read --- */

void lex(struct litmus *t);
void *litmus_alloc(struct litmus *t, size_t size);	/* zeroed; leaves by t->failed */
void *litmus_grow(struct litmus *t, void *v, size_t *cap, size_t n, size_t size);
_Noreturn void litmus_fail(struct litmus *t, int line, int column, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The same for what may be right but is not supported. */
_Noreturn void litmus_unsupported(struct litmus *t, int line, int column, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static inline const struct token *peek_token(const struct litmus *t) { return &t->tokens.v[t->at]; }
static inline const struct token *peek_second(const struct litmus *t)
{
	return &t->tokens.v[t->at + (peek_token(t)->kind != TOK_END)];
}
bool token_is(const struct token *k, const char *text);
bool accept_token(struct litmus *t, const char *text);
void expect_token(struct litmus *t, const char *text, const char *where);
const char *expect_name(struct litmus *t, const char *what);
int64_t expect_number(struct litmus *t);
_Noreturn void expected(struct litmus *t, const char *what);

/* "int", "struct srcu_struct" and the like with their stars; false: none stands there. */
bool parse_type(struct litmus *t, struct type *type);
void parse_body(struct litmus *t, struct proc *p);
struct expr *parse_expression(struct litmus *t);
/* The same, without commas. */
struct expr *parse_assignment(struct litmus *t);
/* What C computes with, given operands of these types: int, unsigned int, long, unsigned
 * long. */
enum base_type arithmetic_type(struct type a, struct type b);
void parse_conditions(struct litmus *t);
int find_global(const struct litmus *t, const char *name);
unsigned need_global(struct litmus *t, const char *name);
int find_local(const struct proc *p, const char *name);
unsigned add_local(struct litmus *t, struct proc *p, const char *name, struct type type);
void show_place(struct litmus *t, struct place where);

/* --- running --- */

struct litmus_opts {
	const char *model;	/* sc, tso, weak */
	double seconds;		/* for each test */
	bool ideal, rcu_as_srcu;
	bool promises;		/* load buffering, too */
	bool quiet;
	const struct srcu_ops *kernel;	/* a kernel tree stands for our own SRCU, and */
	const char *kernel_version;	/* its version */
};

struct litmus_state { char *text; uint64_t count; bool positive; };
struct litmus_result {
	struct litmus_state *states;	/* sorted */
	size_t nstates, cap;
	uint64_t positive, negative;	/* executions */
	uint64_t filtered;		/* states that the filter took out */
	uint64_t deadlocks;
	uint64_t cut_loops;		/* executions that came to the end of a loop's bound */
	unsigned flags;			/* enum mm_rcu_flag */
	char *bound;			/* what cut the exploration, or NULL */
	double seconds;
	char error[512];		/* it could not be run ... */
	bool skipped;			/* ... for want of support */
};

/* All executions of the test.  False: r->error. */
bool litmus_run(const struct litmus *t, const struct litmus_opts *o, struct litmus_result *r);
void litmus_result_release(struct litmus_result *r);
/* Is it interrupted (Ctrl-C)?  To be set by whoever runs. */
extern bool (*litmus_interrupted)(void *);

/* Values of places at the end of an execution. */
typedef int64_t (*place_value)(void *arg, struct place where);
typedef int64_t (*place_address)(void *arg, struct place where);
struct cond_env { void *arg; place_value value; place_address address; };
bool cond_holds(const struct cond *c, const struct cond_env *env);

/* --- calls.c: the kernel's vocabulary --- */

enum call_kind {
	CALL_LOAD, CALL_STORE, CALL_STORE_MB, CALL_FENCE, CALL_RMW, CALL_CMPXCHG, CALL_TRY_CMPXCHG, CALL_ADD_UNLESS,
	CALL_SPIN_LOCK, CALL_SPIN_UNLOCK, CALL_SPIN_TRYLOCK, CALL_SPIN_IS_LOCKED,
	CALL_SRCU_LOCK, CALL_SRCU_UNLOCK, CALL_SRCU_SYNC,
	CALL_RCU_LOCK, CALL_RCU_UNLOCK, CALL_RCU_SYNC,
	CALL_NOTHING,
};
/* How the operands of a read-modify-write stand, and what it gives. */
enum rmw_args { ARGS_VALUE_POINTER, ARGS_POINTER, ARGS_POINTER_VALUE };
enum rmw_gives { GIVES_NOTHING, GIVES_OLD, GIVES_NEW, GIVES_IS_ZERO, GIVES_IS_NEGATIVE };
struct call {
	const char *name;
	uint8_t kind;		/* enum call_kind */
	uint8_t op;		/* enum ev_op: of CALL_RMW */
	uint8_t order;		/* enum ev_order */
	uint8_t args, gives;
	uint8_t nargs;
	bool lvalue;		/* its first operand is an lvalue, as READ_ONCE()'s */
	int8_t sign;		/* of the operand; inc and dec: the operand */
	bool down_up;
};
/* By name, with the order that its suffix gives; NULL: there is none. */
const struct call *call_find(struct litmus *t, const char *name, unsigned *order);

#endif
