/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel's vocabulary does in a litmus test: steps of the process's task, with
 * the order that each primitive has and the reads that it depends on.  SRCU is the
 * real one, or ideal: then its sections and grace periods are marks in the execution, of
 * which the memory model is asked when it is over.
 */
#include <config.h>

#include "litmus/runner.h"
#include "srcu/srcu.h"

#include <stdio.h>

#define READS_MAX 64

/* One site for each operation and order: nothing of them is printed. */
static struct site *site_of(enum ev_op op, enum ev_order order)
{
	static struct site sites[OP_COUNT][ORD_COUNT];
	struct site *s = &sites[op][order];

	s->op = (uint8_t)op;
	s->order = (uint8_t)order;
	s->flags = op == OP_LOCK || op == OP_TRYLOCK || op == OP_UNLOCK ? SITE_SPIN : 0;
	s->prim = op_name(op);
	s->expr = s->func = s->file = "";
	return s;
}

_Noreturn void runner_stop(struct rproc *p, enum stop why)
{
	struct site *s = site_of(OP_ASSUME, ORD_NONE);

	p->stop = why;
	for (;;)
		task_event((struct event){ .site = s, .op = OP_ASSUME });
}

_Noreturn void runner_fail(struct rproc *p, const struct expr *at, const char *what)
{
	struct runner *r = p->r;

	if (!r->failed)
		snprintf(r->error, sizeof(r->error), "%s:%d:%d: P%u: %s", r->t->file, at->line, at->column, p->n, what);
	r->failed = r->skipped = true;
	runner_stop(p, STOP_ERROR);
}

/* --- accesses --- */

static void *location(struct rproc *p, const struct expr *at, struct val pointer)
{
	unsigned var, element;

	if (!runner_find(p->r, pointer.v, &var, &element)) {
		char what[80];

		/* what was an address is another one in each run */
		if (pointer.v == (int32_t)pointer.v)
			snprintf(what, sizeof(what), "a pointer that points to no variable (%d) is followed", (int)pointer.v);
		else
			snprintf(what, sizeof(what), "a pointer that points to no variable is followed");
		runner_fail(p, at, what);
	}
	return (void *)(uintptr_t)pointer.v;
}

/* Another read: its bit. */
static uint64_t new_read(struct rproc *p, const struct expr *at)
{
	if (p->nreads == READS_MAX)
		runner_fail(p, at, "a process that reads more than 64 times is not supported");
	return (uint64_t)1 << p->nreads++;
}

static uint64_t event_at(struct rproc *p, struct site *s, void *loc, uint64_t a, uint64_t b, struct event_deps deps)
{
	deps.ctrl = p->ctrl;
	p->deps = deps;
	return task_event((struct event){ .site = s, .loc = loc, .op = s->op, .order = s->order,
					  .size = loc ? 8 : 0, .a = a, .b = b });
}

static uint64_t event(struct rproc *p, enum ev_op op, enum ev_order order, void *loc, uint64_t a, uint64_t b,
		      struct event_deps deps)
{
	return event_at(p, site_of(op, order), loc, a, b, deps);
}

static void *data(struct rproc *p, const struct expr *at, struct val pointer)
{
	void *loc = location(p, at, pointer);
	unsigned var, element;

	runner_find(p->r, pointer.v, &var, &element);
	if (is_a(p->r->t->globals[var].type, BT_SPINLOCK) || p->r->vars[var].ss)
		runner_fail(p, at, "a spinlock or srcu_struct is accessed as if it were a number");
	return loc;
}

static struct val load(struct rproc *p, const struct expr *at, struct val pointer, struct type type,
		       enum ev_op op, enum ev_order order)
{
	void *loc = data(p, at, pointer);
	uint64_t self = new_read(p, at);
	uint64_t v;

	p->effects += op == OP_PLAIN_LOAD;	/* it may race */
	v = event(p, op, order, loc, 0, 0, (struct event_deps){ .addr = pointer.reads, .self = self });

	return (struct val){ .v = runner_wrap(p->r, type, (int64_t)v), .reads = self };
}

static void store(struct rproc *p, const struct expr *at, struct val pointer, struct val v, struct type type,
		  enum ev_op op, enum ev_order order)
{
	void *loc = data(p, at, pointer);

	p->effects++;
	event(p, op, order, loc, (uint64_t)runner_wrap(p->r, type, v.v), 0,
	      (struct event_deps){ .addr = pointer.reads, .data = v.reads, .begun = v.begun });
}

struct val perform_load(struct rproc *p, const struct expr *at, struct val pointer, struct type type)
{
	return load(p, at, pointer, type, OP_PLAIN_LOAD, ORD_NONE);
}

void perform_store(struct rproc *p, const struct expr *at, struct val pointer, struct val v, struct type type)
{
	store(p, at, pointer, v, type, OP_PLAIN_STORE, ORD_NONE);
}

static struct val rmw(struct rproc *p, const struct expr *at, enum ev_op op, enum ev_order order, struct val pointer,
		      uint64_t a, uint64_t b, struct val from)
{
	void *loc = data(p, at, pointer);
	uint64_t self = new_read(p, at);
	uint64_t v = event(p, op, order, loc, a, b, (struct event_deps){
		.addr = pointer.reads, .data = from.reads, .begun = from.begun, .self = self });

	p->effects += op != OP_CMPXCHG || v == a;
	return (struct val){ .v = (int64_t)v, .reads = self };
}

static void fence(struct rproc *p, enum ev_order order)
{
	if (order != ORD_NONE)
		event(p, OP_FENCE, order, NULL, 0, 0, (struct event_deps){ 0 });
}

/* --- read-modify-writes --- */

static struct type pointed_at(const struct expr *e)
{
	struct type t = e->type;

	if (t.pointers)
		t.pointers--;
	return t;
}

static struct val argument(struct rproc *p, const struct expr *e, size_t i)
{
	if (!i && e->call->lvalue)
		return address_of_lvalue(p, e->args[0]);
	return evaluate(p, e->args[i]);
}

static struct val perform_rmw(struct rproc *p, const struct expr *e)
{
	const struct call *c = e->call;
	size_t at = c->args == ARGS_VALUE_POINTER ? 1 : 0;
	struct val operand = { .v = 1 }, pointer, old;
	struct type type = pointed_at(e->args[at]);
	int64_t new;

	if (c->args == ARGS_VALUE_POINTER)
		operand = evaluate(p, e->args[0]);
	pointer = evaluate(p, e->args[at]);
	if (c->args == ARGS_POINTER_VALUE)
		operand = evaluate(p, e->args[1]);
	if (c->sign < 0)
		operand.v = (int64_t)(0 - (uint64_t)operand.v);
	else if (!c->sign)
		operand.v = ~operand.v;
	if (c->op == OP_XCHG)
		operand.v = runner_wrap(p->r, type, operand.v);
	old = rmw(p, e, (enum ev_op)c->op, (enum ev_order)e->suffix, pointer, (uint64_t)operand.v, 0, operand);
	old.v = runner_wrap(p->r, type, old.v);
	if (c->gives == GIVES_OLD || c->gives == GIVES_NOTHING)
		return old;
	new = runner_wrap(p->r, type, (int64_t)((uint64_t)old.v + (uint64_t)operand.v));
	old.reads |= operand.reads;
	old.v = c->gives == GIVES_NEW ? new : c->gives == GIVES_IS_ZERO ? !new : new < 0;
	return old;
}

static struct val compare_and_exchange(struct rproc *p, const struct expr *e)
{
	struct val pointer = evaluate(p, e->args[0]), expected = evaluate(p, e->args[1]), new = evaluate(p, e->args[2]);
	struct type type = pointed_at(e->args[0]);
	struct val old;

	new.reads |= expected.reads;
	old = rmw(p, e, OP_CMPXCHG, (enum ev_order)e->suffix, pointer, (uint64_t)runner_wrap(p->r, type, expected.v),
		  (uint64_t)runner_wrap(p->r, type, new.v), new);
	old.v = runner_wrap(p->r, type, old.v);
	return old;
}

static struct val try_compare_and_exchange(struct rproc *p, const struct expr *e)
{
	struct val pointer = evaluate(p, e->args[0]), new = evaluate(p, e->args[2]), old;
	struct type type = pointed_at(e->args[0]);
	struct val *expected;
	bool done;

	if (e->args[1]->kind != EX_ADDRESS)
		runner_fail(p, e, "what try_cmpxchg() expects is to be a local variable (&old)");
	expected = &p->locals[e->args[1]->a->index];
	new.reads |= expected->reads;
	old = rmw(p, e, OP_CMPXCHG, (enum ev_order)e->suffix, pointer, (uint64_t)runner_wrap(p->r, type, expected->v),
		  (uint64_t)runner_wrap(p->r, type, new.v), new);
	done = old.v == expected->v;
	if (!done) {
		*expected = old;
		p->effects++;
	}
	old.v = done;
	return old;
}

/*
 * A load, and where that shows that it is to be done the read-modify-write, which finds the
 * same value: where it would find another, another execution has that.
 */
static struct val add_unless(struct rproc *p, const struct expr *e)
{
	struct val pointer = evaluate(p, e->args[0]), add = { .v = 1 }, unless = { 0 }, old, seen;
	struct type type = pointed_at(e->args[0]);
	bool gives_old = e->call->gives == GIVES_OLD, differs;

	if (e->call->nargs == 3) {
		/* atomic_add_unless(v, a, u), as the kernel has it */
		add = evaluate(p, e->args[1]);
		unless = evaluate(p, e->args[2]);
	}
	seen = load(p, e, pointer, type, OP_LOAD, ORD_ONCE);
	differs = seen.v != unless.v;
	if (differs) {
		uint64_t ctrl = p->ctrl;

		add.reads |= seen.reads;
		p->ctrl |= seen.reads | unless.reads;
		old = rmw(p, e, OP_CMPXCHG, (enum ev_order)e->suffix, pointer, (uint64_t)seen.v,
			  (uint64_t)runner_wrap(p->r, type, (int64_t)((uint64_t)seen.v + (uint64_t)add.v)), add);
		p->ctrl = ctrl;
		if (runner_wrap(p->r, type, old.v) != seen.v)
			runner_stop(p, STOP_RETRY);
		seen.reads |= old.reads;
	}
	seen.reads |= unless.reads;
	if (!gives_old)
		seen.v = differs;
	return seen;
}

/* --- locks --- */

static void took(struct rproc *p, const struct expr *e, void *lock)
{
	if (p->nheld == LOCKS_MAX)
		runner_fail(p, e, "too many locks are held");
	p->held[p->nheld++] = lock;
}

static void gives_back(struct rproc *p, const struct expr *e, const void *lock)
{
	for (unsigned i = p->nheld; i--;)
		if (p->held[i] == lock) {
			p->held[i] = p->held[--p->nheld];
			return;
		}
	runner_fail(p, e, "a spinlock is released that this process does not hold");
}

static void *a_lock(struct rproc *p, const struct expr *e, struct val pointer)
{
	void *loc = location(p, e, pointer);
	unsigned var, element;

	runner_find(p->r, pointer.v, &var, &element);
	if (!is_a(p->r->t->globals[var].type, BT_SPINLOCK))
		runner_fail(p, e, "this is no spinlock");
	return loc;
}

/*
 * A lock that somebody tries, or looks at, is a word in memory like any other, of which stale
 * values may be seen: the memory model knows its accesses by their sites.  Who would have
 * to wait is not looked at any further: in another execution he comes later.
 */
static struct val spin_word(struct rproc *p, const struct expr *e, void *loc, struct event_deps deps)
{
	static struct site lock = { .op = OP_CMPXCHG, .order = ORD_ACQUIRE, .flags = SITE_SPIN, .prim = "spin_lock",
				    .expr = "", .func = "", .file = "" };
	static struct site unlock = { .op = OP_STORE, .order = ORD_RELEASE, .flags = SITE_SPIN, .prim = "spin_unlock",
				      .expr = "", .func = "", .file = "" };
	struct val v = { 0 };

	switch (e->call->kind) {
	case CALL_SPIN_UNLOCK:
		gives_back(p, e, loc);
		p->effects++;
		event_at(p, &unlock, loc, 0, 0, deps);
		return v;
	case CALL_SPIN_IS_LOCKED:
		deps.self = v.reads = new_read(p, e);
		v.v = event(p, OP_LOAD, ORD_ONCE, loc, 0, 0, deps) != 0;
		return v;
	default:
		deps.self = v.reads = new_read(p, e);
		v.v = !event_at(p, &lock, loc, 0, 1, deps);
		p->effects += v.v != 0;
		if (v.v)
			took(p, e, loc);
		else if (e->call->kind == CALL_SPIN_LOCK)
			runner_stop(p, STOP_LOCK);
		return v;
	}
}

static struct val spin(struct rproc *p, const struct expr *e)
{
	struct val pointer = evaluate(p, e->args[0]);
	void *loc = a_lock(p, e, pointer);
	struct event_deps deps = { .addr = pointer.reads };

	if (p->r->t->tries_locks)
		return spin_word(p, e, loc, deps);
	p->effects++;
	if (e->call->kind == CALL_SPIN_LOCK) {
		event(p, OP_LOCK, ORD_ACQUIRE, loc, 0, 0, deps);
		took(p, e, loc);
	} else {
		gives_back(p, e, loc);
		event(p, OP_UNLOCK, ORD_RELEASE, loc, 0, 0, deps);
	}
	return (struct val){ 0 };
}

/* --- SRCU and RCU --- */

static struct val mark_begin(struct rproc *p, const struct expr *e, uint64_t domain)
{
	uint64_t self;

	if (p->nbegun == READS_MAX)
		runner_fail(p, e, "a process with more than 64 sections is not supported");
	self = (uint64_t)1 << p->nbegun++;
	event(p, OP_FENCE, ORD_SECTION_BEGIN, NULL, domain, 0, (struct event_deps){ .self = self });
	return (struct val){ .begun = self };
}

static void mark_end(struct rproc *p, uint64_t domain, struct val idx)
{
	event(p, OP_FENCE, ORD_SECTION_END, NULL, domain, (uint64_t)idx.v,
	      (struct event_deps){ .data = idx.reads, .begun = idx.begun });
}

static struct val srcu(struct rproc *p, const struct expr *e)
{
	struct val pointer = evaluate(p, e->args[0]), idx = { 0 };
	unsigned var, element;
	struct srcu *ss;

	location(p, e, pointer);
	runner_find(p->r, pointer.v, &var, &element);
	if (!is_a(p->r->t->globals[var].type, BT_SRCU))
		runner_fail(p, e, "this is no srcu_struct");
	ss = p->r->vars[var].ss;
	if (e->call->kind == CALL_SRCU_UNLOCK)
		idx = evaluate(p, e->args[1]);
	p->effects++;
	p->deps = (struct event_deps){ .ctrl = p->ctrl };
	switch (e->call->kind) {
	case CALL_SRCU_LOCK:
		if (!ss)
			return mark_begin(p, e, 1 + var);
		idx.v = e->call->down_up ? srcu_down_read(ss) : srcu_read_lock(ss);
		return idx;
	case CALL_SRCU_UNLOCK:
		if (!ss)
			mark_end(p, 1 + var, idx);
		else if (idx.v != 0 && idx.v != 1)
			runner_fail(p, e, "an index that srcu_read_lock() never returns is given back");
		else if (e->call->down_up)
			srcu_up_read(ss, (int)idx.v);
		else
			srcu_read_unlock(ss, (int)idx.v);
		return idx;
	default:
		if (!ss)
			event(p, OP_FENCE, ORD_GRACE_PERIOD, NULL, 1 + var, 0, (struct event_deps){ 0 });
		else if (e->call->down_up)
			synchronize_srcu_expedited(ss);
		else
			synchronize_srcu(ss);
		return idx;
	}
}

static void rcu(struct rproc *p, const struct expr *e)
{
	struct srcu *ss = p->r->rcu;

	p->effects++;
	p->deps = (struct event_deps){ .ctrl = p->ctrl };
	switch (e->call->kind) {
	case CALL_RCU_LOCK:
		if (!ss)
			mark_begin(p, e, 0);
		else if (p->rcu_depth == RCU_DEPTH)
			runner_fail(p, e, "sections nest too deep");
		else
			p->rcu_idx[p->rcu_depth++] = srcu_read_lock(ss);
		break;
	case CALL_RCU_UNLOCK:
		if (!ss)
			mark_end(p, 0, (struct val){ 0 });
		else if (!p->rcu_depth)
			runner_fail(p, e, "a section that has not begun is left");
		else
			srcu_read_unlock(ss, p->rcu_idx[--p->rcu_depth]);
		break;
	default:
		if (!ss)
			event(p, OP_FENCE, ORD_GRACE_PERIOD, NULL, 0, 0, (struct event_deps){ 0 });
		else
			synchronize_srcu(ss);
		break;
	}
}

struct val perform_call(struct rproc *p, const struct expr *e)
{
	const struct call *c = e->call;
	struct val none = { 0 }, a, b;

	switch (c->kind) {
	case CALL_LOAD:
		a = argument(p, e, 0);
		if (e->nargs == 2)
			evaluate(p, e->args[1]);
		return load(p, e, a, c->lvalue ? e->args[0]->type : pointed_at(e->args[0]), OP_LOAD, (enum ev_order)e->suffix);
	case CALL_STORE: case CALL_STORE_MB:
		a = argument(p, e, 0);
		b = evaluate(p, e->args[1]);
		store(p, e, a, b, c->lvalue ? e->args[0]->type : pointed_at(e->args[0]), OP_STORE, (enum ev_order)e->suffix);
		if (c->kind == CALL_STORE_MB)
			fence(p, ORD_MB);
		return b;
	case CALL_FENCE:
		fence(p, (enum ev_order)e->suffix);
		return none;
	case CALL_RMW:
		return perform_rmw(p, e);
	case CALL_CMPXCHG:
		return compare_and_exchange(p, e);
	case CALL_TRY_CMPXCHG:
		return try_compare_and_exchange(p, e);
	case CALL_ADD_UNLESS:
		return add_unless(p, e);
	case CALL_SPIN_LOCK: case CALL_SPIN_UNLOCK: case CALL_SPIN_TRYLOCK: case CALL_SPIN_IS_LOCKED:
		return spin(p, e);
	case CALL_SRCU_LOCK: case CALL_SRCU_UNLOCK: case CALL_SRCU_SYNC:
		return srcu(p, e);
	case CALL_RCU_LOCK: case CALL_RCU_UNLOCK: case CALL_RCU_SYNC:
		rcu(p, e);
		return none;
	default:
		return none;
	}
}
