/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Marked accesses, barriers and atomic operations, under the kernel's names and
 * with its order of arguments.  One table says of each what its event is; a few
 * functions serve them all.
 */
#include <config.h>

#include "binding/binding.h"

/* What a read-modify-write adds, or combines with, and what it gives. */
enum operand { ARG_NONE, ARG_INC, ARG_DEC, ARG_ADD, ARG_SUB, ARG_BITS, ARG_NOT_BITS };
enum result { GIVE_NOTHING, GIVE_OLD, GIVE_NEW, GIVE_IS_ZERO, GIVE_IS_NEGATIVE };

struct access {
	struct site site;
	enum operand operand;
	enum result result;
};
static const struct access accesses[];
static const struct lb_func access_funcs[];

/* The running function's line of the table: its first upvalue is its entry. */
static const struct access *access_of(lua_State *L)
{
	const struct lb_func *f = lua_touserdata(L, lua_upvalueindex(1));

	return &accesses[f - access_funcs];
}

/* --- loads, stores, barriers --- */

static int l_read_once(lua_State *L)
{
	struct lb_loc loc;

	lb_check_loc(L, 1, &loc);
	lb_loc_read(L, &loc, &access_of(L)->site);
	return 1;
}

/* A location that holds integers only. */
static void check_counter(lua_State *L, int idx, struct lb_loc *loc)
{
	lb_check_loc(L, idx, loc);
	if (loc->kind == LB_PTR || loc->kind == LB_PTR_FIELD)
		lb_arg_error(L, idx, "an integer is needed, and this holds pointers");
}

static int load(lua_State *L, const struct lb_loc *loc)
{
	lb_loc_pushvalue(L, lb_event(L, &access_of(L)->site, loc->addr, 8, 0, 0), loc);
	return 1;
}

static int l_load(lua_State *L)
{
	struct lb_loc loc;

	lb_task(L);
	lb_check_loc(L, 1, &loc);
	return load(L, &loc);
}

static int l_atomic_read(lua_State *L)
{
	struct lb_loc loc;

	lb_task(L);
	check_counter(L, 1, &loc);
	return load(L, &loc);
}

/* The value at `idx`, which must be given though it may be nil. */
static uint64_t check_value(lua_State *L, int idx, const struct lb_loc *loc)
{
	if (lua_isnone(L, idx))
		lb_arg_error(L, idx, "value expected");
	return lb_loc_tovalue(L, idx, loc);
}

static int l_store(lua_State *L)
{
	struct lb_loc loc;
	uint64_t v;

	lb_task(L);
	lb_check_loc(L, 1, &loc);
	v = check_value(L, 2, &loc);
	lb_event(L, &access_of(L)->site, loc.addr, 8, v, 0);
	return 0;
}

static int l_atomic_set(lua_State *L)
{
	struct lb_loc loc;

	lb_task(L);
	check_counter(L, 1, &loc);
	lb_event(L, &access_of(L)->site, loc.addr, 8, (uint64_t)lb_check_int(L, 2), 0);
	return 0;
}

static const struct site store_mb_site = LB_SITE(OP_FENCE, ORD_MB, 0, "smp_store_mb");

static int l_store_mb(lua_State *L)
{
	l_store(L);
	lb_event(L, &store_mb_site, NULL, 0, 0, 0);
	return 0;
}

static int l_fence(lua_State *L)
{
	lb_task(L);
	lb_event(L, &access_of(L)->site, NULL, 0, 0, 0);
	return 0;
}

/* --- read-modify-writes --- */

static int exchange(lua_State *L, const struct lb_loc *loc)
{
	uint64_t v = check_value(L, 2, loc);

	lb_loc_pushvalue(L, lb_event(L, &access_of(L)->site, loc->addr, 8, v, 0), loc);
	return 1;
}

static int l_xchg(lua_State *L)
{
	struct lb_loc loc;

	lb_task(L);
	lb_check_loc(L, 1, &loc);
	return exchange(L, &loc);
}

static int l_atomic_xchg(lua_State *L)
{
	struct lb_loc loc;

	lb_task(L);
	check_counter(L, 1, &loc);
	return exchange(L, &loc);
}

static int compare_exchange(lua_State *L, const struct lb_loc *loc)
{
	uint64_t old = check_value(L, 2, loc), new = check_value(L, 3, loc);

	lb_loc_pushvalue(L, lb_event(L, &access_of(L)->site, loc->addr, 8, old, new), loc);
	return 1;
}

static int l_cmpxchg(lua_State *L)
{
	struct lb_loc loc;

	lb_task(L);
	lb_check_loc(L, 1, &loc);
	return compare_exchange(L, &loc);
}

static int l_atomic_cmpxchg(lua_State *L)
{
	struct lb_loc loc;

	lb_task(L);
	check_counter(L, 1, &loc);
	return compare_exchange(L, &loc);
}

static void push_result(lua_State *L, enum result r, uint64_t old, uint64_t new)
{
	switch (r) {
	case GIVE_NOTHING:
		break;
	case GIVE_OLD:
		lua_pushinteger(L, (lua_Integer)old);
		break;
	case GIVE_NEW:
		lua_pushinteger(L, (lua_Integer)new);
		break;
	case GIVE_IS_ZERO:
		lua_pushboolean(L, new == 0);
		break;
	case GIVE_IS_NEGATIVE:
		lua_pushboolean(L, (int64_t)new < 0);
		break;
	}
}

/* atomic_OP(v) or, as in the kernel, atomic_OP(i, v). */
static int l_rmw(lua_State *L)
{
	const struct access *a = access_of(L);
	bool has_i = a->operand >= ARG_ADD;
	struct lb_loc loc;
	uint64_t i, old;

	lb_task(L);
	i = has_i ? (uint64_t)lb_check_int(L, 1) : 1;
	check_counter(L, has_i ? 2 : 1, &loc);
	if (a->operand == ARG_DEC || a->operand == ARG_SUB)
		i = -i;
	else if (a->operand == ARG_NOT_BITS)
		i = ~i;
	old = lb_event(L, &a->site, loc.addr, 8, i, 0);
	push_result(L, a->result, old, old + i);
	return a->result != GIVE_NOTHING;
}

static const struct site unless_read_site = LB_SITE(OP_LOAD, ORD_ONCE, 0, "atomic_read");
static const struct site unless_cas_site = LB_SITE(OP_CMPXCHG, ORD_FULL, 0, "atomic_cmpxchg");

/* A loop in the kernel as well: read, and exchange unless somebody was faster. */
static int add_unless(lua_State *L, const struct lb_loc *loc, uint64_t i, uint64_t unless)
{
	uint64_t seen, old = lb_event(L, &unless_read_site, loc->addr, 8, 0, 0);

	while (old != unless) {
		seen = lb_event(L, &unless_cas_site, loc->addr, 8, old, old + i);
		if (seen == old)
			break;
		old = seen;
	}
	lua_pushboolean(L, old != unless);
	return 1;
}

static int l_add_unless(lua_State *L)
{
	struct lb_loc loc;
	uint64_t i, unless;

	lb_task(L);
	check_counter(L, 1, &loc);
	i = (uint64_t)lb_check_int(L, 2);
	unless = (uint64_t)lb_check_int(L, 3);
	return add_unless(L, &loc, i, unless);
}

static int l_inc_not_zero(lua_State *L)
{
	struct lb_loc loc;

	lb_task(L);
	check_counter(L, 1, &loc);
	return add_unless(L, &loc, 1, 0);
}

/* --- the table --- */

/* R: read-modify-write in its four orders; the last three are variants. */
#define R(X, name, fn, op, operand, result, sig, doc, example)				\
	X(name, fn, op, ORD_FULL, operand, result, sig, doc, example)			\
	X(name "_relaxed", fn, op, ORD_ONCE, operand, result, sig, NULL, NULL)		\
	X(name "_acquire", fn, op, ORD_ACQUIRE, operand, result, sig, NULL, NULL)	\
	X(name "_release", fn, op, ORD_RELEASE, operand, result, sig, NULL, NULL)

#define V "local v = var(\"v\")\nthread(\"t\", function() "

/* X(name, function, operation, order, operand, result, signature, doc, example) */
#define ACCESSES(X) \
	X("READ_ONCE", l_read_once, OP_LOAD, ORD_ONCE, ARG_NONE, GIVE_OLD, "(v) -> value", \
	  "Reads a location once, without ordering; outside of threads it takes no step", \
	  V "print(READ_ONCE(v)) end)") \
	X("WRITE_ONCE", l_store, OP_STORE, ORD_ONCE, ARG_NONE, GIVE_NOTHING, "(v, x)", \
	  "Writes a location once, without ordering", \
	  V "WRITE_ONCE(v, 1) end)") \
	X("smp_load_acquire", l_load, OP_LOAD, ORD_ACQUIRE, ARG_NONE, GIVE_OLD, "(v) -> value", \
	  "Reads a location; nothing after it is done before it", \
	  V "if smp_load_acquire(v) == 1 then yield() end end)") \
	X("smp_store_release", l_store, OP_STORE, ORD_RELEASE, ARG_NONE, GIVE_NOTHING, "(v, x)", \
	  "Writes a location; nothing before it is done after it", \
	  V "smp_store_release(v, 1) end)") \
	X("smp_store_mb", l_store_mb, OP_STORE, ORD_ONCE, ARG_NONE, GIVE_NOTHING, "(v, x)", \
	  "WRITE_ONCE(v, x) and smp_mb(): two steps", \
	  V "smp_store_mb(v, 1) end)") \
	R(X, "xchg", l_xchg, OP_XCHG, ARG_NONE, GIVE_OLD, "(v, x) -> old", \
	  "Writes a location and gives what it held, atomically", \
	  V "local old = xchg(v, 1) end)") \
	R(X, "cmpxchg", l_cmpxchg, OP_CMPXCHG, ARG_NONE, GIVE_OLD, "(v, old, new) -> seen", \
	  "Writes new if the location holds old, atomically; gives what it held", \
	  V "if cmpxchg(v, 0, 1) == 0 then yield() end end)") \
	X("smp_mb", l_fence, OP_FENCE, ORD_MB, ARG_NONE, GIVE_NOTHING, "()", \
	  "Full memory barrier", \
	  V "WRITE_ONCE(v, 1); smp_mb() end)") \
	X("smp_rmb", l_fence, OP_FENCE, ORD_RMB, ARG_NONE, GIVE_NOTHING, "()", \
	  "Barrier between reads and reads", NULL) \
	X("smp_wmb", l_fence, OP_FENCE, ORD_WMB, ARG_NONE, GIVE_NOTHING, "()", \
	  "Barrier between writes and writes", NULL) \
	X("smp_mb__before_atomic", l_fence, OP_FENCE, ORD_MB_BEFORE_ATOMIC, ARG_NONE, GIVE_NOTHING, \
	  "()", "Makes the atomic operation that follows a full barrier for what stands before", \
	  V "smp_mb__before_atomic(); atomic_inc(v) end)") \
	X("smp_mb__after_atomic", l_fence, OP_FENCE, ORD_MB_AFTER_ATOMIC, ARG_NONE, GIVE_NOTHING, \
	  "()", "Makes the atomic operation before it a full barrier for what follows", \
	  V "atomic_inc(v); smp_mb__after_atomic() end)") \
	X("smp_mb__after_spinlock", l_fence, OP_FENCE, ORD_MB_AFTER_SPINLOCK, ARG_NONE, GIVE_NOTHING, \
	  "()", "Makes the spin_lock() before it a full barrier", \
	  "local l = spinlock(\"l\")\nthread(\"t\", function()\n" \
	  "  spin_lock(l); smp_mb__after_spinlock(); spin_unlock(l)\nend)") \
	X("smp_mb__after_unlock_lock", l_fence, OP_FENCE, ORD_MB_AFTER_UNLOCK_LOCK, ARG_NONE, \
	  GIVE_NOTHING, "()", "Makes an unlock and the lock after it a full barrier", NULL) \
	X("smp_mb__after_srcu_read_unlock", l_fence, OP_FENCE, ORD_MB_AFTER_SRCU_UNLOCK, ARG_NONE, \
	  GIVE_NOTHING, "()", "Makes the srcu_read_unlock() before it a full barrier", NULL) \
	X("atomic_read", l_atomic_read, OP_LOAD, ORD_ONCE, ARG_NONE, GIVE_OLD, "(v) -> value", \
	  "Reads a counter, without ordering", V "print(atomic_read(v)) end)") \
	X("atomic_read_acquire", l_atomic_read, OP_LOAD, ORD_ACQUIRE, ARG_NONE, GIVE_OLD, \
	  "(v) -> value", NULL, NULL) \
	X("atomic_set", l_atomic_set, OP_STORE, ORD_ONCE, ARG_NONE, GIVE_NOTHING, "(v, i)", \
	  "Writes a counter, without ordering", V "atomic_set(v, 3) end)") \
	X("atomic_set_release", l_atomic_set, OP_STORE, ORD_RELEASE, ARG_NONE, GIVE_NOTHING, \
	  "(v, i)", NULL, NULL) \
	X("atomic_inc", l_rmw, OP_ADD, ORD_NORETURN, ARG_INC, GIVE_NOTHING, "(v)", \
	  "Adds 1, atomically, without ordering", V "atomic_inc(v) end)") \
	X("atomic_dec", l_rmw, OP_ADD, ORD_NORETURN, ARG_DEC, GIVE_NOTHING, "(v)", \
	  "Subtracts 1, atomically, without ordering", V "atomic_dec(v) end)") \
	X("atomic_add", l_rmw, OP_ADD, ORD_NORETURN, ARG_ADD, GIVE_NOTHING, "(i, v)", \
	  "Adds i, atomically, without ordering", V "atomic_add(2, v) end)") \
	X("atomic_sub", l_rmw, OP_ADD, ORD_NORETURN, ARG_SUB, GIVE_NOTHING, "(i, v)", \
	  "Subtracts i, atomically, without ordering", V "atomic_sub(2, v) end)") \
	X("atomic_and", l_rmw, OP_AND, ORD_NORETURN, ARG_BITS, GIVE_NOTHING, "(i, v)", \
	  "Clears the bits that i has not, atomically, without ordering", V "atomic_and(7, v) end)") \
	X("atomic_or", l_rmw, OP_OR, ORD_NORETURN, ARG_BITS, GIVE_NOTHING, "(i, v)", \
	  "Sets the bits of i, atomically, without ordering", V "atomic_or(1, v) end)") \
	X("atomic_xor", l_rmw, OP_XOR, ORD_NORETURN, ARG_BITS, GIVE_NOTHING, "(i, v)", \
	  "Flips the bits of i, atomically, without ordering", V "atomic_xor(1, v) end)") \
	X("atomic_andnot", l_rmw, OP_AND, ORD_NORETURN, ARG_NOT_BITS, GIVE_NOTHING, "(i, v)", \
	  "Clears the bits of i, atomically, without ordering", V "atomic_andnot(1, v) end)") \
	R(X, "atomic_inc_return", l_rmw, OP_ADD, ARG_INC, GIVE_NEW, "(v) -> new", \
	  "Adds 1 and gives the new value", V "print(atomic_inc_return(v)) end)") \
	R(X, "atomic_dec_return", l_rmw, OP_ADD, ARG_DEC, GIVE_NEW, "(v) -> new", \
	  "Subtracts 1 and gives the new value", V "print(atomic_dec_return(v)) end)") \
	R(X, "atomic_add_return", l_rmw, OP_ADD, ARG_ADD, GIVE_NEW, "(i, v) -> new", \
	  "Adds i and gives the new value", V "print(atomic_add_return(2, v)) end)") \
	R(X, "atomic_sub_return", l_rmw, OP_ADD, ARG_SUB, GIVE_NEW, "(i, v) -> new", \
	  "Subtracts i and gives the new value", V "print(atomic_sub_return(2, v)) end)") \
	R(X, "atomic_fetch_inc", l_rmw, OP_ADD, ARG_INC, GIVE_OLD, "(v) -> old", \
	  "Adds 1 and gives the value before", V "print(atomic_fetch_inc(v)) end)") \
	R(X, "atomic_fetch_dec", l_rmw, OP_ADD, ARG_DEC, GIVE_OLD, "(v) -> old", \
	  "Subtracts 1 and gives the value before", V "print(atomic_fetch_dec(v)) end)") \
	R(X, "atomic_fetch_add", l_rmw, OP_ADD, ARG_ADD, GIVE_OLD, "(i, v) -> old", \
	  "Adds i and gives the value before", V "print(atomic_fetch_add(2, v)) end)") \
	R(X, "atomic_fetch_sub", l_rmw, OP_ADD, ARG_SUB, GIVE_OLD, "(i, v) -> old", \
	  "Subtracts i and gives the value before", V "print(atomic_fetch_sub(2, v)) end)") \
	R(X, "atomic_fetch_and", l_rmw, OP_AND, ARG_BITS, GIVE_OLD, "(i, v) -> old", \
	  "Clears the bits that i has not and gives the value before", \
	  V "print(atomic_fetch_and(7, v)) end)") \
	R(X, "atomic_fetch_or", l_rmw, OP_OR, ARG_BITS, GIVE_OLD, "(i, v) -> old", \
	  "Sets the bits of i and gives the value before", V "print(atomic_fetch_or(1, v)) end)") \
	R(X, "atomic_fetch_xor", l_rmw, OP_XOR, ARG_BITS, GIVE_OLD, "(i, v) -> old", \
	  "Flips the bits of i and gives the value before", V "print(atomic_fetch_xor(1, v)) end)") \
	X("atomic_inc_and_test", l_rmw, OP_ADD, ORD_FULL, ARG_INC, GIVE_IS_ZERO, "(v) -> boolean", \
	  "Adds 1; is it 0 now?", V "print(atomic_inc_and_test(v)) end)") \
	X("atomic_dec_and_test", l_rmw, OP_ADD, ORD_FULL, ARG_DEC, GIVE_IS_ZERO, "(v) -> boolean", \
	  "Subtracts 1; is it 0 now? (the last reference is gone)", \
	  "local o = kmalloc(\"o\", {refs = 1})\nthread(\"t\", function()\n" \
	  "  if atomic_dec_and_test(o'refs') then kfree(o) end\nend)") \
	X("atomic_sub_and_test", l_rmw, OP_ADD, ORD_FULL, ARG_SUB, GIVE_IS_ZERO, "(i, v) -> boolean", \
	  "Subtracts i; is it 0 now?", V "print(atomic_sub_and_test(2, v)) end)") \
	X("atomic_add_negative", l_rmw, OP_ADD, ORD_FULL, ARG_ADD, GIVE_IS_NEGATIVE, \
	  "(i, v) -> boolean", "Adds i; is it negative now?", V "print(atomic_add_negative(-1, v)) end)") \
	R(X, "atomic_xchg", l_atomic_xchg, OP_XCHG, ARG_NONE, GIVE_OLD, "(v, i) -> old", \
	  "Writes a counter and gives what it held", V "print(atomic_xchg(v, 1)) end)") \
	R(X, "atomic_cmpxchg", l_atomic_cmpxchg, OP_CMPXCHG, ARG_NONE, GIVE_OLD, \
	  "(v, old, new) -> seen", "Writes new if the counter is old; gives what it was", \
	  V "print(atomic_cmpxchg(v, 0, 1)) end)") \
	X("atomic_add_unless", l_add_unless, OP_CMPXCHG, ORD_FULL, ARG_NONE, GIVE_NOTHING, \
	  "(v, i, u) -> boolean", "Adds i unless the counter is u; was it added?", \
	  V "print(atomic_add_unless(v, 1, 0)) end)") \
	X("atomic_inc_not_zero", l_inc_not_zero, OP_CMPXCHG, ORD_FULL, ARG_NONE, GIVE_NOTHING, \
	  "(v) -> boolean", "Adds 1 unless the counter is 0 (the object is on its way out); was it added?", \
	  V "if atomic_inc_not_zero(v) then atomic_dec(v) end end)")

#define FUNC(name, fn, op, order, operand, result, sig, doc, example) \
	{ name, fn, sig, doc, example },
static const struct lb_func access_funcs[] = { ACCESSES(FUNC) { 0 } };

#define ACCESS(name, fn, op, order, operand, result, sig, doc, example) \
	{ LB_SITE(op, order, 0, name), operand, result },
static const struct access accesses[] = { ACCESSES(ACCESS) };

static const struct lb_section access_section = {
	"access", "Marked accesses, barriers and atomic operations",
	"Each is a step. v is a var, a ptr or the location of a field (o'f'); the atomic "
	"operations, on signed 64-bit integers, take no ptr. A value-returning operation without a "
	"suffix is fully ordered. The arguments stand in the kernel's order: atomic_add(i, v).",
	access_funcs
};

void lb_open_access(lua_State *L)
{
	lb_register(L, &access_section);
	lb_open_rcu(L);
}
