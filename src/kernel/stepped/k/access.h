/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Marked and plain accesses, fences, and the per-CPU increment: stepped.
 * Each use is a step: it announces an event and returns the driver's answer.
 */
#ifndef K_ACCESS_H
#define K_ACCESS_H

#include "k/event.h"
#include "k/types.h"

/* The static site of one use of a primitive. */
#define K_SITE(op_, order_, flags_, prim_, expr_, letter_) ({			\
	static struct site k_site_ K_SITE_ATTR = {				\
		.op = (op_), .order = (order_), .flags = (flags_),		\
		.prim = (prim_), .expr = (expr_), .func = __func__,		\
		.file = __FILE__, .line = __LINE__, .letter = (letter_) };	\
	&k_site_; })

#define K_LOAD(p, order, prim, op)						\
	((__typeof__(*(p)))(uintptr_t)({					\
		struct site *k_s = K_SITE(op, order, 0, prim, #p, NULL);	\
		K_EV(k_s, p, sizeof(*(p)), 0, 0); }))
#define K_STORE(p, v, order, prim, op) do {					\
		struct site *k_s = K_SITE(op, order, 0, prim, #p, NULL);	\
		__typeof__(*(p)) k_v = (v);					\
		(void)K_EV(k_s, p, sizeof(*(p)), (uintptr_t)k_v, 0);		\
	} while (0)

#define READ_ONCE(x)		K_LOAD(&(x), ORD_ONCE, "READ_ONCE", OP_LOAD)
#define WRITE_ONCE(x, v)	K_STORE(&(x), v, ORD_ONCE, "WRITE_ONCE", OP_STORE)
#define smp_load_acquire(p)	K_LOAD(p, ORD_ACQUIRE, "smp_load_acquire", OP_LOAD)
#define smp_store_release(p, v)	K_STORE(p, v, ORD_RELEASE, "smp_store_release", OP_STORE)
#define rcu_dereference_raw(p)	K_LOAD(&(p), ORD_DEREF, "rcu_dereference", OP_LOAD)
#define rcu_assign_pointer(p, v) K_STORE(&(p), v, ORD_RELEASE, "rcu_assign_pointer", OP_STORE)

/* Plain accesses of memory that no lock protects (an SRCU reader looking into
 * an object): a step, so that use after free and races are seen. */
#define PLAIN_READ(x)		K_LOAD(&(x), ORD_NONE, "plain read", OP_PLAIN_LOAD)
#define PLAIN_WRITE(x, v)	K_STORE(&(x), v, ORD_NONE, "plain write", OP_PLAIN_STORE)

#define K_FENCE(order, prim, letter) do {					\
		struct site *k_s = K_SITE(OP_FENCE, order, 0, prim, "", letter); \
		(void)K_EV(k_s, NULL, 0, 0, 0);					\
	} while (0)
#define smp_mb()			K_FENCE(ORD_MB, "smp_mb", NULL)
#define smp_rmb()			K_FENCE(ORD_RMB, "smp_rmb", NULL)
#define smp_wmb()			K_FENCE(ORD_WMB, "smp_wmb", NULL)
#define smp_mb_as(letter)		K_FENCE(ORD_MB, "smp_mb", letter) /* "A".."E" */
#define smp_mb__before_atomic()		K_FENCE(ORD_MB_BEFORE_ATOMIC, "smp_mb__before_atomic", NULL)
#define smp_mb__after_atomic()		K_FENCE(ORD_MB_AFTER_ATOMIC, "smp_mb__after_atomic", NULL)
#define smp_mb__after_spinlock()	K_FENCE(ORD_MB_AFTER_SPINLOCK, "smp_mb__after_spinlock", NULL)
/* with a barrier letter, as smp_mb_as() */
#define smp_mb__before_atomic_as(letter) K_FENCE(ORD_MB_BEFORE_ATOMIC, "smp_mb__before_atomic", letter)
#define smp_mb__after_atomic_as(letter)	K_FENCE(ORD_MB_AFTER_ATOMIC, "smp_mb__after_atomic", letter)
#define smp_mb__after_unlock_lock()	K_FENCE(ORD_MB_AFTER_UNLOCK_LOCK, "smp_mb__after_unlock_lock", NULL)

/* Atomic read-modify-writes; p points to an integer or pointer, or to an
 * atomic_t-like struct's counter.  The old value comes back. */
#define K_RMW(p, op, order, prim, a, b)						\
	((__typeof__(*(p)))(uintptr_t)({					\
		struct site *k_s = K_SITE(op, order, 0, prim, #p, NULL);	\
		K_EV(k_s, p, sizeof(*(p)), (uintptr_t)(a), (uintptr_t)(b)); }))
#define xchg(p, v)		K_RMW(p, OP_XCHG, ORD_FULL, "xchg", v, 0)
#define cmpxchg(p, o, n)	K_RMW(p, OP_CMPXCHG, ORD_FULL, "cmpxchg", o, n)
#define cmpxchg_relaxed(p, o, n) K_RMW(p, OP_CMPXCHG, ORD_ONCE, "cmpxchg_relaxed", o, n)

typedef struct { long counter; } atomic_long_t;
typedef struct { int counter; } atomic_t;
#define ATOMIC_LONG_INIT(i) { (i) }
#define atomic_long_read(v)		READ_ONCE((v)->counter)
#define atomic_long_set(v, i)		WRITE_ONCE((v)->counter, i)
#define atomic_long_inc(v)		((void)K_RMW(&(v)->counter, OP_ADD, ORD_NORETURN, "atomic_long_inc", 1, 0))
#define atomic_long_add_return(i, v)	(K_RMW(&(v)->counter, OP_ADD, ORD_FULL, "atomic_long_add_return", i, 0) + (i))
#define atomic_read(v)			READ_ONCE((v)->counter)
#define atomic_set(v, i)		WRITE_ONCE((v)->counter, i)
#define atomic_inc(v)			((void)K_RMW(&(v)->counter, OP_ADD, ORD_NORETURN, "atomic_inc", 1, 0))
#define atomic_dec(v)			((void)K_RMW(&(v)->counter, OP_ADD, ORD_NORETURN, "atomic_dec", -1, 0))
#define atomic_inc_return(v)		(K_RMW(&(v)->counter, OP_ADD, ORD_FULL, "atomic_inc_return", 1, 0) + 1)
#define atomic_dec_and_test(v)		(K_RMW(&(v)->counter, OP_ADD, ORD_FULL, "atomic_dec_and_test", -1, 0) == 1)

/*
 * A per-CPU counter of this CPU: one event, atomic against its own CPU only,
 * without ordering (semantics.md section 2).  `pcp` is the array of per-CPU
 * structures and `field` the counter in it; the CPU is read when the event is
 * performed, which is when the task runs there: see task_event().
 */
#define this_cpu_inc(pcp, field) do {						\
		struct site *k_s = K_SITE(OP_CPU_ADD, ORD_NONE, 0, "this_cpu_inc", #field, NULL); \
		(void)K_EV(k_s, &(pcp)[raw_cpu()].field, sizeof((pcp)[0].field), 1, 0); \
	} while (0)
/* The increment with the full barrier behind or before it: two events here, one
 * locked instruction natively on x86. */
#define this_cpu_inc_mb(pcp, field, letter) do { this_cpu_inc(pcp, field); smp_mb_as(letter); } while (0)
#define mb_this_cpu_inc(pcp, field, letter) do { smp_mb_as(letter); this_cpu_inc(pcp, field); } while (0)
/* The CPU of the current task (no step).  A task migrates only by migrate(),
 * never between this and its next step. */
unsigned raw_cpu(void);

#endif
