/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The body of a process: declarations and statements of C, as far as litmus tests have
 * use for them.
 */
#include <config.h>

#include "litmus/litmus.h"

#define DEPTH_MAX 100

static struct stmt *statement(struct litmus *t, struct proc *p);

static struct stmt *new_stmt(struct litmus *t, enum stmt_kind kind)
{
	struct stmt *s = litmus_alloc(t, sizeof(*s));

	s->kind = (uint8_t)kind;
	return s;
}

/* x = value, as a statement */
static struct stmt *assignment(struct litmus *t, struct proc *p, unsigned local, struct expr *value)
{
	struct expr *to = litmus_alloc(t, sizeof(*to)), *e = litmus_alloc(t, sizeof(*e));
	struct stmt *s = new_stmt(t, ST_EXPR);

	*to = (struct expr){ .kind = EX_LOCAL, .index = local, .type = p->locals[local].type,
			     .line = value->line, .column = value->column };
	*e = (struct expr){ .kind = EX_ASSIGN, .a = to, .b = value, .type = to->type,
			    .line = value->line, .column = value->column };
	s->cond = e;
	return s;
}

static unsigned declare(struct litmus *t, struct proc *p, struct type type)
{
	const struct token *k = peek_token(t);
	const char *name = expect_name(t, "the name of a local variable");
	int i = find_local(p, name);
	struct local *l = i >= 0 ? &p->locals[i] : NULL;

	if (token_is(peek_token(t), "__attribute__"))
		litmus_unsupported(t, peek_token(t)->line, peek_token(t)->column, "'__attribute__' is not supported");
	if (token_is(peek_token(t), "["))
		litmus_unsupported(t, k->line, k->column, "local arrays ('%s') are not supported", name);
	if ((type.base == BT_SPINLOCK || type.base == BT_SRCU) && !type.pointers)
		litmus_unsupported(t, k->line, k->column, "a lock or domain on the stack ('%s') is not supported", name);
	if (l && l->parameter && t->depth == 1)
		litmus_fail(t, k->line, k->column, "'%s' is a parameter of this process", name);
	if (l && l->depth == (int)t->depth)
		litmus_fail(t, k->line, k->column, "there is a '%s' in this block already", name);
	/* with an initial value above, or used before: declared here */
	if (!l || l->parameter || l->depth) {
		i = (int)add_local(t, p, name, type);
		l = &p->locals[i];
	}
	l->type = type;
	l->depth = (int)t->depth;
	return (unsigned)i;
}

/* int a, *b = ..., c; */
static struct stmt *declaration(struct litmus *t, struct proc *p, struct type type)
{
	struct stmt *first = new_stmt(t, ST_BLOCK), **end = &first->body;
	struct type base = { .base = type.base };

	for (;;) {
		unsigned i = declare(t, p, type);

		if (accept_token(t, "=")) {
			*end = assignment(t, p, i, parse_assignment(t));
			end = &(*end)->next;
		}
		if (!accept_token(t, ","))
			break;
		type = base;
		while (accept_token(t, "*"))
			type.pointers++;
	}
	expect_token(t, ";", "behind the declaration");
	return first;
}

static void enter(struct litmus *t)
{
	const struct token *k = peek_token(t);

	if (++t->depth > DEPTH_MAX)
		litmus_fail(t, k->line, k->column, "statements nest more than %d deep", DEPTH_MAX);
}

static void leave(struct litmus *t, struct proc *p)
{
	for (size_t i = 0; i < p->nlocals; i++)
		if (p->locals[i].depth == (int)t->depth && t->depth > 1)
			p->locals[i].hidden = true;
	t->depth--;
}

static struct stmt *block(struct litmus *t, struct proc *p)
{
	struct stmt *s = new_stmt(t, ST_BLOCK), **end = &s->body;

	expect_token(t, "{", "");
	enter(t);
	while (!accept_token(t, "}")) {
		if (peek_token(t)->kind == TOK_END)
			expected(t, "'}' at the end of the block");
		*end = statement(t, p);
		while (*end)
			end = &(*end)->next;
	}
	leave(t, p);
	return s;
}

static struct expr *parenthesised(struct litmus *t, const char *behind)
{
	struct expr *e;

	expect_token(t, "(", behind);
	e = parse_expression(t);
	expect_token(t, ")", "");
	return e;
}

static struct stmt *inner(struct litmus *t, struct proc *p)
{
	struct stmt *s;

	enter(t);
	s = statement(t, p);
	leave(t, p);
	return s;
}

/* The body of a loop.  What breaks out of it or continues with it stays in it. */
static void body_of_loop(struct litmus *t, struct proc *p, struct stmt *s)
{
	uint8_t jumps = t->jumps;

	t->jumps = 0;
	s->body = inner(t, p);
	s->jumps = t->jumps;
	t->jumps = jumps | (s->jumps & JUMP_RETURN);
}

static struct stmt *if_else(struct litmus *t, struct proc *p)
{
	struct stmt *s = new_stmt(t, ST_IF);
	uint8_t jumps = t->jumps;

	s->cond = parenthesised(t, "behind if");
	t->jumps = 0;
	s->body = inner(t, p);
	if (accept_token(t, "else"))
		s->other = inner(t, p);
	s->jumps = t->jumps;
	t->jumps |= jumps;
	return s;
}

static struct stmt *for_loop(struct litmus *t, struct proc *p)
{
	struct stmt *s = new_stmt(t, ST_FOR), *around = new_stmt(t, ST_BLOCK);
	struct type type;

	expect_token(t, "(", "behind for");
	enter(t);
	if (parse_type(t, &type)) {
		around->body = declaration(t, p, type);
	} else {
		if (!token_is(peek_token(t), ";")) {
			around->body = new_stmt(t, ST_EXPR);
			around->body->cond = parse_expression(t);
		}
		expect_token(t, ";", "in for");
	}
	if (!token_is(peek_token(t), ";"))
		s->cond = parse_expression(t);
	expect_token(t, ";", "in for");
	if (!token_is(peek_token(t), ")"))
		s->step = parse_expression(t);
	expect_token(t, ")", "in for");
	body_of_loop(t, p, s);
	leave(t, p);
	if (around->body)
		around->body->next = s;
	else
		around->body = s;
	return around;
}

static struct stmt *keyword(struct litmus *t, struct proc *p)
{
	struct stmt *s;

	if (accept_token(t, "if"))
		return if_else(t, p);
	if (accept_token(t, "while")) {
		s = new_stmt(t, ST_WHILE);
		s->cond = parenthesised(t, "behind while");
		body_of_loop(t, p, s);
		return s;
	}
	if (accept_token(t, "do")) {
		s = new_stmt(t, ST_DO);
		body_of_loop(t, p, s);
		expect_token(t, "while", "behind the body of do");
		s->cond = parenthesised(t, "behind while");
		expect_token(t, ";", "behind do ... while (...)");
		return s;
	}
	if (accept_token(t, "for"))
		return for_loop(t, p);
	return NULL;
}

static struct stmt *jump(struct litmus *t)
{
	const struct token *k = peek_token(t);
	struct stmt *s;
	uint8_t jump;

	if (token_is(k, "goto") || token_is(k, "switch") || token_is(k, "case") || token_is(k, "asm"))
		litmus_unsupported(t, k->line, k->column, "'%s' is not supported", k->text);
	if (accept_token(t, "break")) {
		s = new_stmt(t, ST_BREAK);
		jump = JUMP_BREAK;
	} else if (accept_token(t, "continue")) {
		s = new_stmt(t, ST_CONTINUE);
		jump = JUMP_CONTINUE;
	} else if (accept_token(t, "return")) {
		s = new_stmt(t, ST_RETURN);
		jump = JUMP_RETURN;
	} else {
		return NULL;
	}
	t->jumps |= jump;
	expect_token(t, ";", "");
	return s;
}

static struct stmt *statement(struct litmus *t, struct proc *p)
{
	struct type type;
	struct stmt *s;

	if (token_is(peek_token(t), "{"))
		return block(t, p);
	if (accept_token(t, ";"))
		return new_stmt(t, ST_EMPTY);
	s = keyword(t, p);
	if (!s)
		s = jump(t);
	if (s)
		return s;
	if (parse_type(t, &type))
		return declaration(t, p, type);
	s = new_stmt(t, ST_EXPR);
	s->cond = parse_expression(t);
	expect_token(t, ";", "behind the statement");
	return s;
}

void parse_body(struct litmus *t, struct proc *p)
{
	t->depth = t->jumps = 0;
	if (!token_is(peek_token(t), "{"))
		expected(t, "'{' before the body of the process");
	p->body = block(t, p);
	t->depth = 0;
}
