/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's vocabulary in litmus tests: which function does what, with which order.
 * The atomic operations follow from the parts of their names.
 */
#include <config.h>

#include "engine/site.h"
#include "litmus/litmus.h"

#include <string.h>

static const struct call table[] = {
	{ .name = "READ_ONCE", .kind = CALL_LOAD, .order = ORD_ONCE, .nargs = 1, .lvalue = true },
	{ .name = "ACCESS_ONCE", .kind = CALL_LOAD, .order = ORD_ONCE, .nargs = 1, .lvalue = true },
	{ .name = "rcu_dereference", .kind = CALL_LOAD, .order = ORD_ONCE, .nargs = 1, .lvalue = true },
	{ .name = "rcu_dereference_raw", .kind = CALL_LOAD, .order = ORD_ONCE, .nargs = 1, .lvalue = true },
	{ .name = "rcu_access_pointer", .kind = CALL_LOAD, .order = ORD_ONCE, .nargs = 1, .lvalue = true },
	{ .name = "srcu_dereference", .kind = CALL_LOAD, .order = ORD_ONCE, .nargs = 2, .lvalue = true },
	{ .name = "lockless_dereference", .kind = CALL_LOAD, .order = ORD_ONCE, .nargs = 1, .lvalue = true },
	{ .name = "smp_load_acquire", .kind = CALL_LOAD, .order = ORD_ACQUIRE, .nargs = 1 },
	{ .name = "atomic_read", .kind = CALL_LOAD, .order = ORD_ONCE, .nargs = 1 },
	{ .name = "atomic_read_acquire", .kind = CALL_LOAD, .order = ORD_ACQUIRE, .nargs = 1 },
	{ .name = "WRITE_ONCE", .kind = CALL_STORE, .order = ORD_ONCE, .nargs = 2, .lvalue = true },
	{ .name = "rcu_assign_pointer", .kind = CALL_STORE, .order = ORD_RELEASE, .nargs = 2, .lvalue = true },
	{ .name = "smp_store_release", .kind = CALL_STORE, .order = ORD_RELEASE, .nargs = 2 },
	{ .name = "smp_store_mb", .kind = CALL_STORE_MB, .order = ORD_ONCE, .nargs = 2, .lvalue = true },
	{ .name = "atomic_set", .kind = CALL_STORE, .order = ORD_ONCE, .nargs = 2 },
	{ .name = "atomic_set_release", .kind = CALL_STORE, .order = ORD_RELEASE, .nargs = 2 },
	{ .name = "smp_mb", .kind = CALL_FENCE, .order = ORD_MB },
	{ .name = "smp_rmb", .kind = CALL_FENCE, .order = ORD_RMB },
	{ .name = "smp_wmb", .kind = CALL_FENCE, .order = ORD_WMB },
	{ .name = "smp_mb__before_atomic", .kind = CALL_FENCE, .order = ORD_MB_BEFORE_ATOMIC },
	{ .name = "smp_mb__after_atomic", .kind = CALL_FENCE, .order = ORD_MB_AFTER_ATOMIC },
	{ .name = "smp_mb__after_spinlock", .kind = CALL_FENCE, .order = ORD_MB_AFTER_SPINLOCK },
	{ .name = "smp_mb__after_unlock_lock", .kind = CALL_FENCE, .order = ORD_MB_AFTER_UNLOCK_LOCK },
	{ .name = "smp_mb__after_srcu_read_unlock", .kind = CALL_FENCE, .order = ORD_MB_AFTER_SRCU_UNLOCK },
	{ .name = "barrier", .kind = CALL_FENCE, .order = ORD_NONE },
	{ .name = "xchg", .kind = CALL_RMW, .op = OP_XCHG, .order = ORD_FULL, .args = ARGS_POINTER_VALUE, .gives = GIVES_OLD, .nargs = 2, .sign = 1 },
	{ .name = "cmpxchg", .kind = CALL_CMPXCHG, .op = OP_CMPXCHG, .order = ORD_FULL, .nargs = 3 },
	{ .name = "try_cmpxchg", .kind = CALL_TRY_CMPXCHG, .op = OP_CMPXCHG, .order = ORD_FULL, .nargs = 3 },
	{ .name = "atomic_xchg", .kind = CALL_RMW, .op = OP_XCHG, .order = ORD_FULL, .args = ARGS_POINTER_VALUE, .gives = GIVES_OLD, .nargs = 2, .sign = 1 },
	{ .name = "atomic_cmpxchg", .kind = CALL_CMPXCHG, .op = OP_CMPXCHG, .order = ORD_FULL, .nargs = 3 },
	{ .name = "atomic_try_cmpxchg", .kind = CALL_TRY_CMPXCHG, .op = OP_CMPXCHG, .order = ORD_FULL, .nargs = 3 },
	/* gives: whether it was added, or the old value; sign: of inc_not_zero its operand */
	{ .name = "atomic_add_unless", .kind = CALL_ADD_UNLESS, .order = ORD_FULL, .gives = GIVES_NOTHING, .nargs = 3 },
	{ .name = "atomic_fetch_add_unless", .kind = CALL_ADD_UNLESS, .order = ORD_FULL, .gives = GIVES_OLD, .nargs = 3 },
	{ .name = "atomic_inc_not_zero", .kind = CALL_ADD_UNLESS, .order = ORD_FULL, .gives = GIVES_NOTHING, .nargs = 1, .sign = 1 },
	{ .name = "spin_lock", .kind = CALL_SPIN_LOCK, .nargs = 1 },
	{ .name = "spin_unlock", .kind = CALL_SPIN_UNLOCK, .nargs = 1 },
	{ .name = "spin_trylock", .kind = CALL_SPIN_TRYLOCK, .nargs = 1 },
	{ .name = "spin_is_locked", .kind = CALL_SPIN_IS_LOCKED, .nargs = 1 },
	{ .name = "raw_spin_lock", .kind = CALL_SPIN_LOCK, .nargs = 1 },
	{ .name = "raw_spin_unlock", .kind = CALL_SPIN_UNLOCK, .nargs = 1 },
	{ .name = "raw_spin_trylock", .kind = CALL_SPIN_TRYLOCK, .nargs = 1 },
	{ .name = "srcu_read_lock", .kind = CALL_SRCU_LOCK, .nargs = 1 },
	{ .name = "srcu_read_unlock", .kind = CALL_SRCU_UNLOCK, .nargs = 2 },
	{ .name = "srcu_down_read", .kind = CALL_SRCU_LOCK, .nargs = 1, .down_up = true },
	{ .name = "srcu_up_read", .kind = CALL_SRCU_UNLOCK, .nargs = 2, .down_up = true },
	{ .name = "synchronize_srcu", .kind = CALL_SRCU_SYNC, .nargs = 1 },
	{ .name = "synchronize_srcu_expedited", .kind = CALL_SRCU_SYNC, .nargs = 1, .down_up = true },
	{ .name = "rcu_read_lock", .kind = CALL_RCU_LOCK },
	{ .name = "rcu_read_unlock", .kind = CALL_RCU_UNLOCK },
	{ .name = "synchronize_rcu", .kind = CALL_RCU_SYNC },
	{ .name = "synchronize_rcu_expedited", .kind = CALL_RCU_SYNC },
	{ .name = "smp_read_barrier_depends", .kind = CALL_NOTHING },
	{ .name = "cpu_relax", .kind = CALL_NOTHING },
};

static const struct { const char *suffix; enum ev_order order; } suffixes[] = {
	{ "_relaxed", ORD_ONCE }, { "_acquire", ORD_ACQUIRE }, { "_release", ORD_RELEASE },
};

static const struct { const char *name; enum ev_op op; int sign; bool operand; } operations[] = {
	{ "add", OP_ADD, 1, true }, { "sub", OP_ADD, -1, true }, { "inc", OP_ADD, 1, false },
	{ "dec", OP_ADD, -1, false }, { "and", OP_AND, 1, true }, { "or", OP_OR, 1, true },
	{ "xor", OP_XOR, 1, true },
	/* the complement of its operand */
	{ "andnot", OP_AND, 0, true },
};

static const struct call *find_exact(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (strlen(table[i].name) == len && !strncmp(table[i].name, name, len))
			return &table[i];
	return NULL;
}

/* name[0..len) without that ending; 0: it has another */
static size_t ends_with(const char *name, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len > n && !strncmp(name + len - n, end, n) ? len - n : 0;
}

/* add, fetch_add, add_return, sub_and_test, add_negative: what stands behind "atomic_". */
static bool atomic_operation(const char *name, size_t len, struct call *c)
{
	bool tested = false, negative = false;
	size_t n;

	c->gives = GIVES_NOTHING;
	if (len > 6 && !strncmp(name, "fetch_", 6)) {
		c->gives = GIVES_OLD;
		name += 6;
		len -= 6;
	} else if ((n = ends_with(name, len, "_return"))) {
		c->gives = GIVES_NEW;
		len = n;
	} else if ((n = ends_with(name, len, "_and_test"))) {
		c->gives = GIVES_IS_ZERO;
		tested = true;
		len = n;
	} else if ((n = ends_with(name, len, "_negative"))) {
		c->gives = GIVES_IS_NEGATIVE;
		negative = true;
		len = n;
	}
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		if (strlen(operations[i].name) != len || strncmp(operations[i].name, name, len))
			continue;
		if ((tested && operations[i].op != OP_ADD) || (negative && strncmp(name, "add", len)) ||
		    (c->gives == GIVES_NEW && operations[i].op != OP_ADD))
			return false;
		if (tested && !strncmp(name, "add", len))
			return false;
		c->op = (uint8_t)operations[i].op;
		c->sign = (int8_t)operations[i].sign;
		c->args = operations[i].operand ? ARGS_VALUE_POINTER : ARGS_POINTER;
		c->nargs = operations[i].operand ? 2 : 1;
		return true;
	}
	return false;
}

static const struct call *find_atomic(struct litmus *t, const char *whole, const char *name, size_t len, bool suffixed)
{
	struct call *c = litmus_alloc(t, sizeof(*c));

	if (len <= 7 || strncmp(name, "atomic_", 7) || !atomic_operation(name + 7, len - 7, c))
		return NULL;
	/* what gives nothing has no order, and no variants; tests for zero have none either */
	if (suffixed && c->gives != GIVES_OLD && c->gives != GIVES_NEW && c->gives != GIVES_IS_NEGATIVE)
		return NULL;
	c->name = whole;
	c->kind = CALL_RMW;
	c->order = c->gives == GIVES_NOTHING ? ORD_NONE : ORD_FULL;
	return c;
}

/* atomic64_ and atomic_long_ are as atomic_. */
static const char *as_atomic(struct litmus *t, const char *name)
{
	static const char *const prefixes[] = { "atomic64_", "atomic_long_" };

	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(prefixes[i]);

		if (!strncmp(name, prefixes[i], n)) {
			char *s = litmus_alloc(t, strlen(name) + 8);

			strcpy(s, "atomic_");
			return strcat(s, name + n);
		}
	}
	return name;
}

const struct call *call_find(struct litmus *t, const char *whole, unsigned *order)
{
	const char *name = as_atomic(t, whole);
	size_t len = strlen(name);
	const struct call *c = find_exact(name, len);

	if (!c)
		c = find_atomic(t, whole, name, len, false);
	if (c) {
		*order = c->order;
		return c;
	}
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		size_t n = ends_with(name, len, suffixes[i].suffix);

		if (!n)
			continue;
		*order = suffixes[i].order;
		c = find_exact(name, n);
		if (c && c->order == ORD_FULL)
			return c;
		return find_atomic(t, whole, name, n, true);
	}
	return NULL;
}
