/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Marked and plain accesses, fences, and the per-CPU increment: native, on GCC's atomic
 * builtins.  Each gives at least the order that the Linux-kernel memory model gives the
 * primitive of its name.
 *
 * ThreadSanitizer knows acquire, release and atomic operations, but no fences: for it
 * each marked load acquires and each marked store releases, which is more than is asked
 * for, so that what the fences order is ordered in its eyes too.
 */
#ifndef K_ACCESS_H
#define K_ACCESS_H

#include "k/types.h"

#if defined(__SANITIZE_THREAD__)
#define K_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define K_TSAN 1
#endif
#endif
#ifdef K_TSAN
#define K_LOAD_ORDER	__ATOMIC_ACQUIRE
#define K_STORE_ORDER	__ATOMIC_RELEASE
#define K_RMW_ORDER	__ATOMIC_SEQ_CST
#else
#define K_LOAD_ORDER	__ATOMIC_RELAXED
#define K_STORE_ORDER	__ATOMIC_RELAXED
#define K_RMW_ORDER	__ATOMIC_RELAXED
#endif

#define barrier()		__asm__ volatile("" ::: "memory")

#define READ_ONCE(x)		__atomic_load_n(&(x), K_LOAD_ORDER)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), v, K_STORE_ORDER)
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
/* no compiler keeps all dependencies: as strong as the load itself */
#define rcu_dereference_raw(p)	__atomic_load_n(&(p), __ATOMIC_CONSUME)
#define rcu_assign_pointer(p, v) __atomic_store_n(&(p), v, __ATOMIC_RELEASE)

#define PLAIN_READ(x)		(x)
#define PLAIN_WRITE(x, v)	((void)((x) = (v)))

/*
 * Fences.  A locked instruction on the stack is a full barrier on x86 and cheaper than
 * mfence; loads and stores of one kind keep their order there by themselves.
 */
#if defined(__x86_64__)
#define smp_mb()	__asm__ volatile("lock; orl $0, -4(%%rsp)" ::: "memory", "cc")
#define smp_rmb()	barrier()
#define smp_wmb()	barrier()
#elif defined(__aarch64__)
#define smp_mb()	__asm__ volatile("dmb ish" ::: "memory")
#define smp_rmb()	__asm__ volatile("dmb ishld" ::: "memory")
#define smp_wmb()	__asm__ volatile("dmb ishst" ::: "memory")
#else
#define smp_mb()	__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb()	__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_wmb()	__atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif
#define smp_mb_as(letter)	smp_mb()

/* Where an atomic operation or the taking of a lock is a locked instruction, it is a full
 * barrier already, and the compiler's part is all that is left to do. */
#if defined(__x86_64__)
#define K_MB_BY_RMW()	barrier()
#else
#define K_MB_BY_RMW()	smp_mb()
#endif
#define smp_mb__before_atomic()			K_MB_BY_RMW()
#define smp_mb__after_atomic()			K_MB_BY_RMW()
#define smp_mb__before_atomic_as(letter)	K_MB_BY_RMW()
#define smp_mb__after_atomic_as(letter)		K_MB_BY_RMW()
#define smp_mb__after_spinlock()		K_MB_BY_RMW()
#define smp_mb__after_unlock_lock()		K_MB_BY_RMW()

/* Full order on both sides: more than C11's strongest operation promises. */
#define K_FULL(rmw) ({								\
		K_MB_BY_RMW();							\
		__typeof__(rmw) k_old = (rmw);					\
		K_MB_BY_RMW();							\
		k_old; })
#define xchg(p, v)	K_FULL(__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST))
#define K_CMPXCHG(p, o, n, order) ({						\
		__typeof__(*(p)) k_expected = (o);				\
		__atomic_compare_exchange_n(p, &k_expected, n, 0, order, __ATOMIC_RELAXED); \
		k_expected; })
#define cmpxchg(p, o, n)		K_FULL(K_CMPXCHG(p, o, n, __ATOMIC_SEQ_CST))
#define cmpxchg_relaxed(p, o, n)	K_CMPXCHG(p, o, n, K_RMW_ORDER)

typedef struct { long counter; } atomic_long_t;
typedef struct { int counter; } atomic_t;
#define ATOMIC_LONG_INIT(i) { (i) }
#define atomic_long_read(v)		READ_ONCE((v)->counter)
#define atomic_long_set(v, i)		WRITE_ONCE((v)->counter, i)
#define atomic_long_inc(v)		((void)__atomic_fetch_add(&(v)->counter, 1, K_RMW_ORDER))
#define atomic_read(v)			READ_ONCE((v)->counter)
#define atomic_set(v, i)		WRITE_ONCE((v)->counter, i)
#define atomic_inc(v)			((void)__atomic_fetch_add(&(v)->counter, 1, K_RMW_ORDER))
#define atomic_dec(v)			((void)__atomic_fetch_sub(&(v)->counter, 1, K_RMW_ORDER))
#define atomic_dec_and_test(v) \
	(K_FULL(__atomic_sub_fetch(&(v)->counter, 1, __ATOMIC_SEQ_CST)) == 0)

/* The CPU that runs this, or was a moment ago; a thread may be moved at any time. */
unsigned raw_cpu(void);

/*
 * A counter of this CPU's structure.  Nothing keeps a thread on its CPU, so the increment
 * is atomic against all, and any structure would do.  K_PCP_NR (k/domain.h) says how many
 * there are.
 */
#define K_THIS_CPU(pcp, field) ({						\
		unsigned k_cpu = raw_cpu();					\
		&(pcp)[k_cpu < K_PCP_NR(pcp) ? k_cpu : 0].field; })
#define K_CPU_INC(pcp, field) \
	((void)__atomic_fetch_add(K_THIS_CPU(pcp, field), 1, K_RMW_ORDER))
#define this_cpu_inc_mb(pcp, field, letter) do { \
		K_CPU_INC(pcp, field); K_MB_BY_RMW(); } while (0)
/*
 * Without a barrier the increment may stand in the CPU's store buffer for a while.  An atomic
 * one does not on every machine, so a program that must see the barrier's absence puts a
 * store buffer of its own there, which a barrier drains.
 */
#ifdef SRCU_FAULT_BUFFER
#define this_cpu_inc(pcp, field) SRCU_FAULT_BUFFER((unsigned long *)K_THIS_CPU(pcp, field))
#define mb_this_cpu_inc(pcp, field, letter) do { \
		SRCU_FAULT_DRAIN(); K_CPU_INC(pcp, field); } while (0)
#else
#define this_cpu_inc(pcp, field) K_CPU_INC(pcp, field)
#define mb_this_cpu_inc(pcp, field, letter) do { \
		K_MB_BY_RMW(); K_CPU_INC(pcp, field); } while (0)
#endif

#endif
