/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expressions of C, by precedence.  A shared variable stands for its address wherever
 * its name is written, as parameters of processes do; reading memory takes a '*', an index
 * or one of the kernel's primitives.
 */
#include <config.h>

#include "litmus/litmus.h"

#include <string.h>

#define NESTING_MAX 200
#define LINKS_MAX 250		/* operators in a row: a tree as deep */

static struct expr *comma(struct litmus *t);
static struct expr *binary(struct litmus *t, int least);
static struct expr *unary(struct litmus *t);
static struct expr *assignment(struct litmus *t);

static struct expr *new_expr(struct litmus *t, enum expr_kind kind, const struct token *at)
{
	struct expr *e = litmus_alloc(t, sizeof(*e));

	e->kind = (uint8_t)kind;
	e->line = at->line;
	e->column = at->column;
	e->type.base = BT_LONG;
	return e;
}

enum base_type arithmetic_type(struct type a, struct type b)
{
	static const enum base_type ranks[] = { BT_ULONG, BT_LONG, BT_UINT };
	bool address = a.pointers || b.pointers;

	for (size_t i = 0; i < sizeof(ranks) / sizeof(*ranks) && !address; i++)
		if (a.base == ranks[i] || b.base == ranks[i])
			return ranks[i];
	return address ? BT_LONG : BT_INT;
}

static void link_up(struct litmus *t, const struct token *at)
{
	if (++t->links > LINKS_MAX)
		litmus_fail(t, at->line, at->column, "the expression has more than %d operators", LINKS_MAX);
}

/* --- calls --- */

static void arguments(struct litmus *t, struct expr *e)
{
	const struct call *c = e->call;
	const struct token *k = peek_token(t);
	size_t cap = 0;

	expect_token(t, "(", "behind the name of a function");
	if (!accept_token(t, ")")) {
		do {
			e->args = litmus_grow(t, e->args, &cap, e->nargs + 1, sizeof(*e->args));
			e->args[e->nargs++] = assignment(t);
		} while (accept_token(t, ","));
		expect_token(t, ")", "behind the arguments");
	}
	if (e->nargs != c->nargs)
		litmus_fail(t, k->line, k->column, "%s() takes %d argument%s, not %zu", c->name, c->nargs,
			    c->nargs == 1 ? "" : "s", e->nargs);
}

static void note_use(struct litmus *t, const struct call *c)
{
	t->tries_locks |= c->kind == CALL_SPIN_TRYLOCK || c->kind == CALL_SPIN_IS_LOCKED;
	t->uses_srcu |= c->kind == CALL_SRCU_LOCK || c->kind == CALL_SRCU_UNLOCK || c->kind == CALL_SRCU_SYNC;
	t->uses_rcu |= c->kind == CALL_RCU_LOCK || c->kind == CALL_RCU_UNLOCK || c->kind == CALL_RCU_SYNC;
}

static struct expr *call(struct litmus *t)
{
	const struct token *k = peek_token(t);
	struct expr *e = new_expr(t, EX_CALL, k);

	e->call = call_find(t, k->text, &e->suffix);
	if (!e->call)
		litmus_unsupported(t, k->line, k->column, "'%s()' is not supported", k->text);
	t->at++;
	arguments(t, e);
	note_use(t, e->call);
	if (e->nargs && e->call->lvalue && e->args[0]->kind != EX_DEREF)
		litmus_fail(t, e->args[0]->line, e->args[0]->column,
			    "%s() takes a shared variable, as in %s(*x)", k->text, k->text);
	t->plain -= e->nargs && e->call->lvalue;
	/* what is at a pointer to a pointer is one */
	if (e->nargs && e->call->kind == CALL_LOAD) {
		e->type = e->args[0]->type;
		if (!e->call->lvalue && e->type.pointers)
			e->type.pointers--;
	}
	return e;
}

/* --- operands --- */

static struct expr *primary(struct litmus *t);

static struct expr *name(struct litmus *t)
{
	const struct token *k = peek_token(t);
	struct expr *e;
	int i = find_local(t->proc, k->text);

	if (token_is(peek_second(t), "(") && i < 0) {
		/* hints for the compiler */
		if (!token_is(k, "likely") && !token_is(k, "unlikely"))
			return call(t);
		t->at++;
		return primary(t);
	}
	t->at++;
	if (!strcmp(k->text, "NULL") || !strcmp(k->text, "false") || !strcmp(k->text, "true")) {
		e = new_expr(t, EX_NUMBER, k);
		e->number = !strcmp(k->text, "true");
		return e;
	}
	if (i >= 0) {
		e = new_expr(t, EX_LOCAL, k);
		e->index = (unsigned)i;
		e->type = t->proc->locals[i].type;
		return e;
	}
	if (find_global(t, k->text) >= 0)
		litmus_unsupported(t, k->line, k->column, "'%s' is a shared variable, and no parameter of this process",
				   k->text);
	/* what nobody declares is a register */
	e = new_expr(t, EX_LOCAL, k);
	e->index = add_local(t, t->proc, k->text, e->type);
	return e;
}

/* The type of a literal: by its suffix and its size. */
static enum base_type number_type(const struct token *k)
{
	bool is_unsigned = strpbrk(k->text, "uU"), is_long = strpbrk(k->text, "lL") || k->number != (int32_t)k->number;

	if (is_unsigned && k->number == (uint32_t)k->number && !strpbrk(k->text, "lL"))
		return BT_UINT;
	return is_unsigned ? BT_ULONG : is_long ? BT_LONG : BT_INT;
}

static struct expr *primary(struct litmus *t)
{
	const struct token *k = peek_token(t);
	struct expr *e;

	if (k->kind == TOK_NUMBER) {
		t->at++;
		e = new_expr(t, EX_NUMBER, k);
		e->number = k->number;
		e->type.base = (uint8_t)number_type(k);
		return e;
	}
	if (k->kind == TOK_NAME)
		return name(t);
	if (accept_token(t, "(")) {
		e = comma(t);
		expect_token(t, ")", "");
		return e;
	}
	expected(t, "an expression");
}

static struct expr *deref(struct litmus *t, const struct token *at, struct expr *a)
{
	struct expr *e = new_expr(t, EX_DEREF, at);

	e->a = a;
	e->type = a->type;
	t->plain++;
	/* registers have no types to speak of: any may hold an address */
	if (a->type.pointers)
		e->type.pointers--;
	else
		e->type = (struct type){ .base = BT_LONG };
	return e;
}

static struct expr *step(struct litmus *t, const struct token *at, struct expr *a, bool post)
{
	struct expr *e = new_expr(t, EX_STEP, at);

	if (a->kind != EX_LOCAL && a->kind != EX_DEREF)
		litmus_fail(t, at->line, at->column, "'%s' needs a variable", at->text);
	e->a = a;
	e->type = a->type;
	e->number = at->text[0] == '+' ? 1 : -1;
	e->post = post;
	return e;
}

static struct expr *postfix(struct litmus *t)
{
	struct expr *e = primary(t);

	for (;;) {
		const struct token *k = peek_token(t);

		if (accept_token(t, "[")) {
			struct expr *sum = new_expr(t, EX_BINARY, k);

			sum->op = '+';
			sum->a = e;
			sum->b = comma(t);
			sum->type = e->type;
			link_up(t, k);
			expect_token(t, "]", "behind the index");
			e = deref(t, k, sum);
		} else if (accept_token(t, "++") || accept_token(t, "--")) {
			e = step(t, k, e, true);
		} else if (token_is(k, "->") || token_is(k, ".")) {
			litmus_unsupported(t, k->line, k->column, "members of structures ('%s%s') are not supported",
					   k->text, peek_second(t)->text);
		} else {
			return e;
		}
	}
}

static struct expr *address_of(struct litmus *t, const struct token *at)
{
	struct expr *a = unary(t), *e;

	if (a->kind == EX_DEREF) {
		t->plain--;
		return a->a;
	}
	if (a->kind != EX_LOCAL)
		litmus_fail(t, at->line, at->column, "'&' needs a variable");
	e = new_expr(t, EX_ADDRESS, at);
	e->a = a;
	e->type = a->type;
	e->type.pointers++;
	return e;
}

static struct expr *cast(struct litmus *t)
{
	const struct token *k = peek_token(t);
	size_t at = t->at;
	struct type type;
	struct expr *e;

	t->at++;
	if (!parse_type(t, &type)) {
		t->at = at;
		return NULL;
	}
	expect_token(t, ")", "behind the type of a cast");
	e = new_expr(t, EX_CAST, k);
	e->a = unary(t);
	e->type = type;
	return e;
}

static struct expr *prefix(struct litmus *t)
{
	const struct token *k = peek_token(t);
	struct expr *e;

	if (token_is(k, "(")) {
		e = cast(t);
		return e ? e : postfix(t);
	}
	if (accept_token(t, "*"))
		return deref(t, k, unary(t));
	if (accept_token(t, "&"))
		return address_of(t, k);
	if (accept_token(t, "++") || accept_token(t, "--"))
		return step(t, k, unary(t), false);
	if (accept_token(t, "-") || accept_token(t, "+") || accept_token(t, "!") || accept_token(t, "~")) {
		e = new_expr(t, EX_UNARY, k);
		e->op = k->text[0];
		e->a = unary(t);
		e->type.base = e->op == '!' ? BT_INT : (uint8_t)arithmetic_type(e->a->type, e->a->type);
		return e;
	}
	if (token_is(k, "sizeof"))
		litmus_unsupported(t, k->line, k->column, "'sizeof' is not supported");
	return postfix(t);
}

static struct expr *unary(struct litmus *t)
{
	const struct token *k = peek_token(t);
	unsigned depth = t->depth;
	struct expr *e;

	if (t->depth > NESTING_MAX)
		litmus_fail(t, k->line, k->column, "the expression nests too deep");
	t->depth++;
	e = prefix(t);
	t->depth = depth;
	return e;
}

/* --- operators --- */

static const struct { const char *text; int op, level; } operators[] = {
	{ "||", OP2('|', '|'), 1 }, { "&&", OP2('&', '&'), 2 }, { "|", '|', 3 }, { "^", '^', 4 }, { "&", '&', 5 },
	{ "==", OP2('=', '='), 6 }, { "!=", OP2('!', '='), 6 },
	{ "<", '<', 7 }, { ">", '>', 7 }, { "<=", OP2('<', '='), 7 }, { ">=", OP2('>', '='), 7 },
	{ "<<", OP2('<', '<'), 8 }, { ">>", OP2('>', '>'), 8 },
	{ "+", '+', 9 }, { "-", '-', 9 }, { "*", '*', 10 }, { "/", '/', 10 }, { "%", '%', 10 },
};

static int operator_at(struct litmus *t)
{
	const struct token *k = peek_token(t);

	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++)
		if (k->kind == TOK_PUNCT && !strcmp(k->text, operators[i].text))
			return (int)i;
	return -1;
}

static enum base_type result_type(const struct expr *e)
{
	switch (e->op) {
	case '+': case '-': case '*': case '/': case '%': case '&': case '|': case '^':
		return arithmetic_type(e->a->type, e->b->type);
	case OP2('<', '<'): case OP2('>', '>'):
		return arithmetic_type(e->a->type, e->a->type);
	default:
		return BT_INT;
	}
}

static struct expr *binary(struct litmus *t, int least)
{
	struct expr *a = unary(t);

	for (;;) {
		const struct token *k = peek_token(t);
		int i = operator_at(t);
		struct expr *e;

		if (i < 0 || operators[i].level < least)
			return a;
		t->at++;
		e = new_expr(t, EX_BINARY, k);
		e->op = operators[i].op;
		e->a = a;
		e->b = binary(t, operators[i].level + 1);
		e->type.base = (uint8_t)result_type(e);
		link_up(t, k);
		if (e->op == '+' || e->op == '-')
			e->type = a->type.pointers ? a->type : e->b->type.pointers ? e->b->type : e->type;
		if (e->op == '-' && a->type.pointers && e->b->type.pointers)
			e->type = (struct type){ .base = BT_LONG };
		a = e;
	}
}

static struct expr *conditional(struct litmus *t)
{
	struct expr *a = binary(t, 1), *e;
	const struct token *k = peek_token(t);

	if (!accept_token(t, "?"))
		return a;
	e = new_expr(t, EX_COND, k);
	e->a = a;
	link_up(t, k);
	e->b = comma(t);
	expect_token(t, ":", "behind '? ...'");
	e->c = conditional(t);
	e->type = e->c->type.pointers ? e->c->type : e->b->type;
	if (!e->type.pointers)
		e->type.base = (uint8_t)arithmetic_type(e->b->type, e->c->type);
	return e;
}

static struct expr *assignment(struct litmus *t)
{
	static const struct { const char *text; int op; } forms[] = {
		{ "=", 0 }, { "+=", '+' }, { "-=", '-' }, { "*=", '*' }, { "/=", '/' }, { "%=", '%' }, { "&=", '&' },
		{ "|=", '|' }, { "^=", '^' }, { "<<=", OP2('<', '<') }, { ">>=", OP2('>', '>') },
	};
	const struct token *k;
	struct expr *a, *e;
	unsigned depth = t->depth++;

	if (depth > NESTING_MAX)
		litmus_fail(t, peek_token(t)->line, peek_token(t)->column, "the expression nests too deep");
	a = conditional(t);
	k = peek_token(t);
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		if (!accept_token(t, forms[i].text))
			continue;
		if (a->kind != EX_LOCAL && a->kind != EX_DEREF)
			litmus_fail(t, k->line, k->column, "what stands before '%s' is no variable", k->text);
		e = new_expr(t, EX_ASSIGN, k);
		e->op = forms[i].op;
		e->a = a;
		e->b = assignment(t);
		e->type = a->type;
		a = e;
		break;
	}
	t->depth = depth;
	return a;
}

static struct expr *comma(struct litmus *t)
{
	struct expr *a = assignment(t);
	const struct token *k = peek_token(t);

	while (accept_token(t, ",")) {
		struct expr *e = new_expr(t, EX_COMMA, k);

		e->a = a;
		e->b = assignment(t);
		e->type = e->b->type;
		link_up(t, k);
		a = e;
		k = peek_token(t);
	}
	return a;
}

struct expr *parse_expression(struct litmus *t)
{
	t->links = 0;
	return comma(t);
}

struct expr *parse_assignment(struct litmus *t)
{
	t->links = 0;
	return assignment(t);
}
