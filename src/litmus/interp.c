/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The body of a process, as its task walks through it.  Each value carries along the
 * reads that it comes from, so that the memory model hears of every dependency: of
 * addresses, of what is stored, and of the conditions in whose arms something stands.
 */
#include <config.h>

#include "litmus/runner.h"

/* Passes of a loop: more of them are not looked at.  The first is for loops that depend on
 * what is read, which may have any number of them; the second for those that count. */
#define LOOP_MAX 8
#define LOOP_COUNTS_MAX 128

enum flow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE, FLOW_RETURN };

static enum flow execute(struct rproc *p, const struct stmt *s);

int64_t runner_wrap(const struct runner *r, struct type type, int64_t v)
{
	unsigned var, element;

	/* an address stays one, whatever it is kept in */
	if (type.pointers || ((int32_t)v != v && runner_find(r, v, &var, &element)))
		return v;
	switch (type.base) {
	case BT_INT: case BT_ATOMIC:
		return (int32_t)v;
	case BT_UINT:
		return (uint32_t)v;
	case BT_SHORT:
		return (int16_t)v;
	case BT_USHORT:
		return (uint16_t)v;
	case BT_CHAR:
		return (int8_t)v;
	case BT_UCHAR:
		return (uint8_t)v;
	case BT_BOOL:
		return v != 0;
	default:
		return v;
	}
}

static struct val both(int64_t v, struct val a, struct val b)
{
	return (struct val){ .v = v, .reads = a.reads | b.reads, .begun = a.begun | b.begun };
}

/* --- operators --- */

static int64_t divide(struct rproc *p, const struct expr *e, int op, int64_t a, int64_t b)
{
	if (!b)
		runner_fail(p, e, "division by zero");
	if (b == -1)
		return op == '%' ? 0 : (int64_t)(0 - (uint64_t)a);
	return op == '%' ? a % b : a / b;
}

static int64_t shift(int op, int64_t a, int64_t b)
{
	unsigned n = (unsigned)b & 63;

	return op == OP2('<', '<') ? (int64_t)((uint64_t)a << n) : a >> n;
}

/* Where unsigned long is another matter than long. */
static int64_t operate_unsigned(struct rproc *p, const struct expr *e, int op, uint64_t a, uint64_t b)
{
	switch (op) {
	case '/': case '%':
		if (!b)
			runner_fail(p, e, "division by zero");
		return (int64_t)(op == '%' ? a % b : a / b);
	case '<':
		return a < b;
	case '>':
		return a > b;
	case OP2('<', '='):
		return a <= b;
	case OP2('>', '='):
		return a >= b;
	default:
		return (int64_t)(a >> (b & 63));
	}
}

static bool is_shift(int op)
{
	return op == OP2('<', '<') || op == OP2('>', '>');
}

static bool minds_sign(int op)
{
	return op == '/' || op == '%' || op == '<' || op == '>' || op == OP2('<', '=') || op == OP2('>', '=') ||
	       op == OP2('>', '>');
}

static int64_t operate_signed(struct rproc *p, const struct expr *e, int op, int64_t a, int64_t b)
{
	switch (op) {
	case '+':
		return (int64_t)((uint64_t)a + (uint64_t)b);
	case '-':
		return (int64_t)((uint64_t)a - (uint64_t)b);
	case '*':
		return (int64_t)((uint64_t)a * (uint64_t)b);
	case '/': case '%':
		return divide(p, e, op, a, b);
	case '&':
		return a & b;
	case '|':
		return a | b;
	case '^':
		return a ^ b;
	case '<':
		return a < b;
	case '>':
		return a > b;
	case OP2('<', '='):
		return a <= b;
	case OP2('>', '='):
		return a >= b;
	case OP2('=', '='):
		return a == b;
	case OP2('!', '='):
		return a != b;
	default:
		return shift(op, a, b);
	}
}

/* As C does it, operands of unsigned types included. */
static int64_t operate(struct rproc *p, const struct expr *e, int op, const struct expr *left, const struct expr *right,
		       int64_t a, int64_t b)
{
	enum base_type how = arithmetic_type(left->type, is_shift(op) ? left->type : right->type);
	int64_t v;

	if (how == BT_ULONG && minds_sign(op))
		return operate_unsigned(p, e, op, (uint64_t)a, (uint64_t)b);
	if (how != BT_UINT)
		return operate_signed(p, e, op, a, b);
	v = operate_signed(p, e, op, (uint32_t)a, is_shift(op) ? b : (uint32_t)b);
	return (uint32_t)v;
}

/* The bytes between what a pointer points to and the next element. */
static int64_t step_of(struct type pointer)
{
	pointer.pointers--;
	return stride_of(pointer);
}

static int64_t scaled(const struct expr *other, int op, int64_t v)
{
	bool scales = other->type.pointers && (op == '+' || op == '-');

	return scales ? (int64_t)((uint64_t)v * (uint64_t)step_of(other->type)) : v;
}

static struct val binary(struct rproc *p, const struct expr *e)
{
	struct val a = evaluate(p, e->a), b;
	bool pointers = e->a->type.pointers && e->b->type.pointers;

	if (e->op == OP2('&', '&') || e->op == OP2('|', '|')) {
		uint64_t ctrl = p->ctrl;

		if (!a.v == (e->op == OP2('&', '&'))) {
			a.v = a.v != 0;
			return a;
		}
		p->ctrl |= a.reads;
		b = evaluate(p, e->b);
		p->ctrl = ctrl;
		return both(b.v != 0, a, b);
	}
	b = evaluate(p, e->b);
	if (pointers && e->op == '-')
		return both((int64_t)((uint64_t)a.v - (uint64_t)b.v) / step_of(e->a->type), a, b);
	if (!pointers) {
		int64_t left = scaled(e->b, e->op, a.v);

		b.v = scaled(e->a, e->op, b.v);
		a.v = left;
	}
	return both(operate(p, e, e->op, e->a, e->b, a.v, b.v), a, b);
}

static struct val unary(struct rproc *p, const struct expr *e)
{
	struct val a = evaluate(p, e->a);

	switch (e->op) {
	case '-':
		a.v = (int64_t)(0 - (uint64_t)a.v);
		break;
	case '!':
		a.v = !a.v;
		break;
	case '~':
		a.v = ~a.v;
		break;
	default:
		break;
	}
	if (e->type.base == BT_UINT && !e->type.pointers)
		a.v = (uint32_t)a.v;
	return a;
}

/* --- variables --- */

struct val address_of_lvalue(struct rproc *p, const struct expr *e)
{
	return evaluate(p, e->a);
}

static struct val read_lvalue(struct rproc *p, const struct expr *e, struct val pointer)
{
	return e->kind == EX_LOCAL ? p->locals[e->index] : perform_load(p, e, pointer, e->type);
}

static void write_lvalue(struct rproc *p, const struct expr *e, struct val pointer, struct val v)
{
	v.v = runner_wrap(p->r, e->type, v.v);
	if (e->kind == EX_LOCAL) {
		p->effects += p->locals[e->index].v != v.v;
		p->locals[e->index] = v;
		return;
	}
		perform_store(p, e, pointer, v, e->type);
}

static struct val assign(struct rproc *p, const struct expr *e)
{
	struct val pointer = { 0 }, v;

	if (e->a->kind == EX_DEREF)
		pointer = address_of_lvalue(p, e->a);
	v = evaluate(p, e->b);
	if (e->op) {
		struct val old = read_lvalue(p, e->a, pointer);

		v = both(operate(p, e, e->op, e->a, e->b, old.v, scaled(e->a, e->op, v.v)), old, v);
	}
	v.v = runner_wrap(p->r, e->type, v.v);
	write_lvalue(p, e->a, pointer, v);
	return v;
}

static struct val step(struct rproc *p, const struct expr *e)
{
	struct val pointer = { 0 }, old, new;

	if (e->a->kind == EX_DEREF)
		pointer = address_of_lvalue(p, e->a);
	old = new = read_lvalue(p, e->a, pointer);
	new.v = runner_wrap(p->r, e->type, operate_signed(p, e, '+', old.v, scaled(e->a, '+', e->number)));
	write_lvalue(p, e->a, pointer, new);
	return e->post ? old : new;
}

static struct val choose_arm(struct rproc *p, const struct expr *e)
{
	uint64_t ctrl = p->ctrl;
	struct val c = evaluate(p, e->a), v;

	p->ctrl |= c.reads;
	v = evaluate(p, c.v ? e->b : e->c);
	p->ctrl = ctrl;
	return both(v.v, v, c);
}

struct val evaluate(struct rproc *p, const struct expr *e)
{
	struct val v;

	switch (e->kind) {
	case EX_NUMBER:
		return (struct val){ .v = e->number };
	case EX_LOCAL:
		return p->locals[e->index];
	case EX_UNARY:
		return unary(p, e);
	case EX_BINARY:
		return binary(p, e);
	case EX_COND:
		return choose_arm(p, e);
	case EX_DEREF:
		return perform_load(p, e, evaluate(p, e->a), e->type);
	case EX_CAST:
		v = evaluate(p, e->a);
		v.v = runner_wrap(p->r, e->type, v.v);
		return v;
	case EX_ASSIGN:
		return assign(p, e);
	case EX_STEP:
		return step(p, e);
	case EX_COMMA:
		evaluate(p, e->a);
		return evaluate(p, e->b);
	case EX_CALL:
		return perform_call(p, e);
	default:
		runner_fail(p, e, "the address of a local variable is only supported as an argument of try_cmpxchg()");
	}
}

/* --- statements --- */

static enum flow if_else(struct rproc *p, const struct stmt *s)
{
	uint64_t ctrl = p->ctrl;
	struct val c = evaluate(p, s->cond);
	enum flow f;

	p->ctrl |= c.reads;
	f = execute(p, c.v ? s->body : s->other);
	/* if one arm leaves, it is for the condition that what follows is done at all */
	if (!s->jumps)
		p->ctrl = ctrl;
	return f;
}

/* Is it for what was read that a loop turns as often as it does? */
static bool depends(const struct rproc *p, const struct stmt *s, struct val cond, unsigned nreads)
{
	return cond.reads || ((!s->cond || s->cond->kind == EX_NUMBER) && p->nreads != nreads);
}

/*
 * A pass of a loop stands in an arm of the condition of that pass, and the next one, too.
 *
 * A pass that did nothing but look is not followed by another: what that one would see,
 * and all that comes then, this one sees in another execution, on which there are only fewer
 * constraints for want of a pass.
 */
static enum flow loop(struct rproc *p, const struct stmt *s)
{
	uint64_t ctrl = p->ctrl, passed;
	enum flow f = FLOW_NEXT;
	bool dependent = false;

	for (unsigned pass = 0;; pass++) {
		unsigned effects = p->effects, nreads = p->nreads;
		struct val c = { .v = 1 };

		if (s->cond && (pass || s->kind != ST_DO))
			c = evaluate(p, s->cond);
		if (!c.v)
			break;
		p->ctrl |= c.reads;
		if (pass == (dependent || c.reads ? LOOP_MAX : LOOP_COUNTS_MAX))
			runner_stop(p, STOP_LOOP);
		passed = p->ctrl;
		f = execute(p, s->body);
		if (f == FLOW_BREAK || f == FLOW_RETURN)
			break;
		if (!(s->jumps & (JUMP_BREAK | JUMP_RETURN)))
			p->ctrl = passed;
		if (s->step)
			evaluate(p, s->step);
		if ((pass || s->kind != ST_DO) && p->effects == effects)
			runner_stop(p, STOP_SPIN);
		dependent |= depends(p, s, c, nreads);
	}
	if (!(s->jumps & JUMP_RETURN))
		p->ctrl = ctrl;
	return f == FLOW_RETURN ? f : FLOW_NEXT;
}

static enum flow execute(struct rproc *p, const struct stmt *s)
{
	enum flow f = FLOW_NEXT;

	if (!s)
		return f;
	switch (s->kind) {
	case ST_EXPR:
		evaluate(p, s->cond);
		return f;
	case ST_IF:
		return if_else(p, s);
	case ST_WHILE: case ST_DO: case ST_FOR:
		return loop(p, s);
	case ST_BLOCK:
		for (const struct stmt *i = s->body; i && f == FLOW_NEXT; i = i->next)
			f = execute(p, i);
		return f;
	case ST_BREAK:
		return FLOW_BREAK;
	case ST_CONTINUE:
		return FLOW_CONTINUE;
	case ST_RETURN:
		return FLOW_RETURN;
	default:
		return f;
	}
}

void interpret(void *arg)
{
	struct rproc *p = arg;

	for (size_t i = 0; i < p->p->nlocals; i++) {
		const struct local *l = &p->p->locals[i];

		p->locals[i] = (struct val){ .v = l->init };
		if (l->init_address >= 0)
			p->locals[i].v = (int64_t)(uintptr_t)p->r->vars[l->init_address].base;
	}
	p->ctrl = 0;
	p->nreads = p->nbegun = p->effects = p->rcu_depth = p->nheld = 0;
	p->deps = (struct event_deps){ 0 };
	p->stop = STOP_NOT;
	task_current()->deps = &p->deps;
	execute(p, p->p->body);
}
