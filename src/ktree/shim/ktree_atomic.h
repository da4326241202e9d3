/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Atomic operations beyond those of k/access.h, per-CPU data, and what race detectors
 * are told by the kernel's code.
 */
#ifndef KTREE_ATOMIC_H
#define KTREE_ATOMIC_H

#define ATOMIC_INIT(i)		{ (i) }

/* One read-modify-write of a counter; its old value. */
#define KTREE_ADD(v, i, order, prim)	K_RMW(&(v)->counter, OP_ADD, order, prim, i, 0)

#undef atomic_dec_and_test
#define atomic_dec_and_test(v)		(KTREE_ADD(v, -1, ORD_FULL, "atomic_dec_and_test") == 1)
#define atomic_inc_and_test(v)		(KTREE_ADD(v, 1, ORD_FULL, "atomic_inc_and_test") == -1)
#define atomic_sub_and_test(i, v)	(KTREE_ADD(v, -(i), ORD_FULL, "atomic_sub_and_test") == (i))
#define atomic_add(i, v)		((void)KTREE_ADD(v, i, ORD_NORETURN, "atomic_add"))
#define atomic_sub(i, v)		((void)KTREE_ADD(v, -(i), ORD_NORETURN, "atomic_sub"))
#define atomic_add_return(i, v)		(KTREE_ADD(v, i, ORD_FULL, "atomic_add_return") + (i))
#define atomic_sub_return(i, v)		(KTREE_ADD(v, -(i), ORD_FULL, "atomic_sub_return") - (i))
#define atomic_dec_return(v)		(KTREE_ADD(v, -1, ORD_FULL, "atomic_dec_return") - 1)
#define atomic_fetch_add(i, v)		KTREE_ADD(v, i, ORD_FULL, "atomic_fetch_add")
#define atomic_fetch_inc(v)		KTREE_ADD(v, 1, ORD_FULL, "atomic_fetch_inc")
#define atomic_fetch_dec(v)		KTREE_ADD(v, -1, ORD_FULL, "atomic_fetch_dec")
#define atomic_xchg(v, n)		K_RMW(&(v)->counter, OP_XCHG, ORD_FULL, "atomic_xchg", n, 0)
#define atomic_cmpxchg(v, o, n)		K_RMW(&(v)->counter, OP_CMPXCHG, ORD_FULL, "atomic_cmpxchg", o, n)
#define atomic_read_acquire(v)		smp_load_acquire(&(v)->counter)
#define atomic_set_release(v, i)	smp_store_release(&(v)->counter, i)

#define atomic_long_add(i, v)		((void)KTREE_ADD(v, i, ORD_NORETURN, "atomic_long_add"))
#define atomic_long_sub(i, v)		((void)KTREE_ADD(v, -(i), ORD_NORETURN, "atomic_long_sub"))
#define atomic_long_dec(v)		((void)KTREE_ADD(v, -1, ORD_NORETURN, "atomic_long_dec"))
#define atomic_long_inc_return(v)	(KTREE_ADD(v, 1, ORD_FULL, "atomic_long_inc_return") + 1)
#define atomic_long_dec_return(v)	(KTREE_ADD(v, -1, ORD_FULL, "atomic_long_dec_return") - 1)
#define atomic_long_dec_and_test(v)	(KTREE_ADD(v, -1, ORD_FULL, "atomic_long_dec_and_test") == 1)
#define atomic_long_fetch_add(i, v)	KTREE_ADD(v, i, ORD_FULL, "atomic_long_fetch_add")
#define atomic_long_xchg(v, n)		K_RMW(&(v)->counter, OP_XCHG, ORD_FULL, "atomic_long_xchg", n, 0)
#define atomic_long_cmpxchg(v, o, n)	K_RMW(&(v)->counter, OP_CMPXCHG, ORD_FULL, "atomic_long_cmpxchg", o, n)

#define xchg_relaxed(p, v)	K_RMW(p, OP_XCHG, ORD_ONCE, "xchg_relaxed", v, 0)
#define xchg_acquire(p, v)	K_RMW(p, OP_XCHG, ORD_ACQUIRE, "xchg_acquire", v, 0)
#define xchg_release(p, v)	K_RMW(p, OP_XCHG, ORD_RELEASE, "xchg_release", v, 0)
#define cmpxchg_acquire(p, o, n) K_RMW(p, OP_CMPXCHG, ORD_ACQUIRE, "cmpxchg_acquire", o, n)
#define cmpxchg_release(p, o, n) K_RMW(p, OP_CMPXCHG, ORD_RELEASE, "cmpxchg_release", o, n)
/* *old gets what was there, if it was another. */
#define KTREE_TRY_CMPXCHG(p, oldp, n, order, prim) ({				\
		__typeof__(*(p)) k_want = *(oldp);				\
		__typeof__(*(p)) k_was = K_RMW(p, OP_CMPXCHG, order, prim, k_want, n); \
		if (k_was != k_want)						\
			*(oldp) = k_was;					\
		k_was == k_want; })
#define try_cmpxchg(p, oldp, n)		KTREE_TRY_CMPXCHG(p, oldp, n, ORD_FULL, "try_cmpxchg")
#define try_cmpxchg_acquire(p, oldp, n)	KTREE_TRY_CMPXCHG(p, oldp, n, ORD_ACQUIRE, "try_cmpxchg_acquire")
#define try_cmpxchg_release(p, oldp, n)	KTREE_TRY_CMPXCHG(p, oldp, n, ORD_RELEASE, "try_cmpxchg_release")
#define atomic_try_cmpxchg(v, oldp, n)	KTREE_TRY_CMPXCHG(&(v)->counter, oldp, n, ORD_FULL, "atomic_try_cmpxchg")

#define __set_bit(nr, addr)	((void)(*K_BIT_WORD(nr, addr) |= K_BIT(nr)))
#define __clear_bit(nr, addr)	((void)(*K_BIT_WORD(nr, addr) &= ~K_BIT(nr)))
#define test_and_set_bit(nr, addr) \
	((K_RMW(K_BIT_WORD(nr, addr), OP_OR, ORD_FULL, "test_and_set_bit", K_BIT(nr), 0) & K_BIT(nr)) != 0)
#define test_and_clear_bit(nr, addr) \
	((K_RMW(K_BIT_WORD(nr, addr), OP_AND, ORD_FULL, "test_and_clear_bit", ~K_BIT(nr), 0) & K_BIT(nr)) != 0)

#define smp_store_mb(x, v)		do { WRITE_ONCE(x, v); smp_mb(); } while (0)
#define mb()				K_FENCE(ORD_MB, "mb", NULL)
#define rmb()				K_FENCE(ORD_RMB, "rmb", NULL)
#define wmb()				K_FENCE(ORD_WMB, "wmb", NULL)

#define RCU_INIT_POINTER(p, v)		WRITE_ONCE(p, v)
#define rcu_dereference_check(p, c)	((void)sizeof(!!(c)), rcu_dereference_raw(p))
#define rcu_dereference(p)		rcu_dereference_raw(p)
#define __rcu_dereference_check(p, local, c, space) rcu_dereference_check(p, c)
#define rcu_access_pointer(p)		READ_ONCE(p)

/* --- per-CPU data: a pointer to it is one to CPU 0's copy --- */

#define KTREE_COPY(p, cpu) \
	((__typeof__(p))((char *)(p) + (size_t)(cpu) * KTREE_PCPU_STRIDE))
#define per_cpu_ptr(p, cpu)	KTREE_COPY(p, cpu)
#define raw_cpu_ptr(p)		KTREE_COPY(p, raw_cpu())
#define this_cpu_ptr(p)		KTREE_COPY(p, raw_cpu())
#define per_cpu(x, cpu)		(*KTREE_COPY(&(x), cpu))
#define smp_processor_id()	((int)raw_cpu())
#define raw_smp_processor_id()	((int)raw_cpu())

/* Atomic on its own CPU only, and no ordering. */
#define KTREE_THIS_CPU_ADD(x, n, prim) do {					\
		struct site *k_s = K_SITE(OP_CPU_ADD, ORD_NONE, 0, prim, #x, NULL); \
		(void)K_EV(k_s, this_cpu_ptr(&(x)), sizeof(x), n, 0);		\
	} while (0)
#undef this_cpu_inc
#define this_cpu_inc(x)		KTREE_THIS_CPU_ADD(x, 1, "this_cpu_inc")
#define this_cpu_dec(x)		KTREE_THIS_CPU_ADD(x, -1, "this_cpu_dec")
#define this_cpu_add(x, n)	KTREE_THIS_CPU_ADD(x, n, "this_cpu_add")
#define this_cpu_sub(x, n)	KTREE_THIS_CPU_ADD(x, -(n), "this_cpu_sub")
#define this_cpu_read(x)	K_LOAD(this_cpu_ptr(&(x)), ORD_ONCE, "this_cpu_read", OP_LOAD)
#define this_cpu_write(x, v)	K_STORE(this_cpu_ptr(&(x)), v, ORD_ONCE, "this_cpu_write", OP_STORE)
#define raw_cpu_read(x)		K_LOAD(this_cpu_ptr(&(x)), ORD_ONCE, "raw_cpu_read", OP_LOAD)
/* The caller has seen to it that nothing interrupts: a load and a store. */
#define __this_cpu_inc(x)	((void)(*this_cpu_ptr(&(x)) += 1))
#define __this_cpu_dec(x)	((void)(*this_cpu_ptr(&(x)) -= 1))
#define raw_cpu_inc(x)		((void)(*this_cpu_ptr(&(x)) += 1))

void *ktree_alloc_percpu(size_t size, const char *expr, struct site *s);
#define alloc_percpu(type) ({							\
		_Static_assert(sizeof(type) <= KTREE_PCPU_STRIDE,		\
			       "a per-CPU structure larger than srcush provides for"); \
		(type *)ktree_alloc_percpu(sizeof(type), #type,			\
			K_SITE(OP_YIELD, ORD_NONE, 0, "alloc_percpu", #type, NULL)); })
#define alloc_percpu_gfp(type, gfp)	((void)(gfp), alloc_percpu(type))
void ktree_free_percpu(void *p, struct site *s);
#define free_percpu(p)								\
	ktree_free_percpu(p, K_SITE(OP_FREE, ORD_NONE, 0, "free_percpu", #p, NULL))

/* --- what is meant to race, and what is not --- */

/* Plain reads while it is not NULL are steps (hooks.c): what they read depends on when they
 * come.  The compiler puts the hooks in late: until then it must not move the accesses out
 * of it. */
extern struct site *ktree_raced;
#define data_race(x) ({								\
		struct site *k_outer = ktree_raced;				\
		ktree_raced = K_SITE(OP_LOAD, ORD_ONCE, SITE_RACED, "data_race", #x, NULL); \
		barrier();							\
		__typeof__(x) k_raced = (x);					\
		barrier();							\
		ktree_raced = k_outer;						\
		k_raced; })
/* Both are about accesses that are recorded or steps: the race detector sees others. */
#define ASSERT_EXCLUSIVE_WRITER(x)	((void)0)
#define ASSERT_EXCLUSIVE_ACCESS(x)	((void)0)
#define kcsan_check_access(p, n, type)	((void)0)
#define kasan_record_aux_stack(p)	((void)0)

#endif
