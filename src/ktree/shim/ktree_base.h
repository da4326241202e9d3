/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's names for the language: attributes, arithmetic, lists, messages, module
 * parameters; and the types that SRCU's structures are made of.
 */
#ifndef KTREE_BASE_H
#define KTREE_BASE_H

extern struct ktree_host *ktree_host;

/* --- types --- */

typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef s32 __s32;
typedef s64 __s64;
typedef unsigned int uint;
typedef unsigned long ulong;
typedef unsigned short ushort;
typedef int pid_t;
typedef long ssize_t;
typedef unsigned gfp_t;
typedef s64 ktime_t;

struct rcu_head {
	struct rcu_head *next;
	void (*func)(struct rcu_head *head);
};
#define callback_head rcu_head
typedef void (*rcu_callback_t)(struct rcu_head *head);
typedef void (*call_rcu_func_t)(struct rcu_head *head, rcu_callback_t func);

struct lockdep_map { };
struct lock_class_key { };
struct cpumask;
struct kthread_worker;
struct module;
struct notifier_block;
struct seq_file;
struct task_struct;
struct workqueue_struct;

/* --- attributes --- */

#define __percpu
#define __private
#define __rcu
#define __user
#define __force
#define __iomem
#define __init
#define __initdata
#define __initconst
#define __exit
#define __ref
#define __read_mostly
#define __ro_after_init
#define __sched
#define notrace
#define noinstr
#define asmlinkage
#define nokprobe_inline		inline
#define __nocfi
#define __no_kcsan
#define __no_sanitize_or_inline	inline
#define __cold			__attribute__((__cold__))
#define __must_check		__attribute__((__warn_unused_result__))
#define __maybe_unused		__attribute__((__unused__))
#define __always_unused		__attribute__((__unused__))
#define __used			__attribute__((__used__))
#define __packed		__attribute__((__packed__))
#define __aligned(n)		__attribute__((__aligned__(n)))
#define __section(s)		__attribute__((__section__(s)))
#define __weak			__attribute__((__weak__))
#define __pure			__attribute__((__pure__))
#define __attribute_const__	__attribute__((__const__))
#define __printf(a, b)		__attribute__((__format__(printf, a, b)))
#define __noreturn		__attribute__((__noreturn__))
#define __always_inline		inline __attribute__((__always_inline__))
#define noinline		__attribute__((__noinline__))
#define noinline_for_stack	noinline
#define __cleanup(f)		__attribute__((__cleanup__(f)))
#define fallthrough		__attribute__((__fallthrough__))
#define ____cacheline_aligned
#define ____cacheline_aligned_in_smp
#define ____cacheline_internodealigned_in_smp
#define __cacheline_aligned
#define __cacheline_aligned_in_smp
/* for the static checkers */
#define __acquires(...)
#define __acquires_shared(...)
#define __acquire(x)		((void)0)
#define __acquire_shared(x)	((void)0)
#define __releases(...)
#define __releases_shared(...)
#define __releases_generic(...)
#define __release(x)		((void)0)
#define __release_shared(x)	((void)0)
#define __must_hold(...)
#define __must_hold_shared(...)
#define __cond_acquires(...)
#define __cond_lock(x, c)	(c)
#define __guarded_by(...)
#define __pt_guarded_by(...)
#define __no_context_analysis
#define context_lock_struct(name, ...)	struct name
#define context_unsafe(...)	({ __VA_ARGS__; })

#define EXPORT_SYMBOL(s)
#define EXPORT_SYMBOL_GPL(s)
#define EXPORT_SYMBOL_NS_GPL(s, ns)
#define EXPORT_PER_CPU_SYMBOL_GPL(s)

/* --- the language --- */

#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define barrier()		__asm__ __volatile__("" : : : "memory")
#define offsetofend(type, m)	(offsetof(type, m) + sizeof(((type *)0)->m))
#define sizeof_field(type, m)	sizeof(((type *)0)->m)
#define typeof_member(type, m)	__typeof__(((type *)0)->m)
#define __same_type(a, b)	__builtin_types_compatible_p(__typeof__(a), __typeof__(b))
#define static_assert(c, ...)	_Static_assert(c, "" __VA_ARGS__)
#define BUILD_BUG_ON(c)		_Static_assert(!(c), #c)
#define BUILD_BUG_ON_MSG(c, m)	_Static_assert(!(c), m)
#define ACCESS_PRIVATE(p, m)	((p)->m)
#define KTREE_CAT_(a, b)	a##b
#define KTREE_CAT(a, b)		KTREE_CAT_(a, b)
#define __UNIQUE_ID(prefix)	KTREE_CAT(KTREE_CAT(ktree_, prefix), __COUNTER__)
#define __stringify_1(...)	#__VA_ARGS__
#define __stringify(...)	__stringify_1(__VA_ARGS__)

#define INT_MAX			__INT_MAX__
#define INT_MIN			(-INT_MAX - 1)
#define UINT_MAX		(~0u)
#define LONG_MAX		__LONG_MAX__
#define LONG_MIN		(-LONG_MAX - 1l)
#define ULONG_MAX		(~0ul)
#define U8_MAX			((u8)~0u)
#define U16_MAX			((u16)~0u)
#define U32_MAX			((u32)~0u)
#define U64_MAX			((u64)~0ull)

#define BIT(n)			(1ul << (n))
#define BIT_MASK(n)		(1ul << ((n) % BITS_PER_LONG))
#define GENMASK(h, l)		((~0ul << (l)) & (~0ul >> (BITS_PER_LONG - 1 - (h))))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define KTREE_MIN(a, b)		({ __typeof__(a) k_a = (a); __typeof__(b) k_b = (b); k_a < k_b ? k_a : k_b; })
#define KTREE_MAX(a, b)		({ __typeof__(a) k_a = (a); __typeof__(b) k_b = (b); k_a > k_b ? k_a : k_b; })
#define min(a, b)		KTREE_MIN(a, b)
#define max(a, b)		KTREE_MAX(a, b)
#define min_t(t, a, b)		KTREE_MIN((t)(a), (t)(b))
#define max_t(t, a, b)		KTREE_MAX((t)(a), (t)(b))
#define clamp(v, lo, hi)	KTREE_MIN(KTREE_MAX(v, lo), hi)
#define swap(a, b)		do { __typeof__(a) k_t = (a); (a) = (b); (b) = k_t; } while (0)
#define upper_32_bits(n)	((u32)((u64)(n) >> 32))
#define lower_32_bits(n)	((u32)(n))

#define EPERM	1
#define ENOENT	2
#define EAGAIN	11
#define ENOMEM	12
#define EBUSY	16
#define EINVAL	22
#define NOTIFY_DONE 0
#define NOTIFY_OK 1

#define USEC_PER_SEC	1000000L
#define USEC_PER_MSEC	1000L
#define NSEC_PER_USEC	1000L
#define NSEC_PER_MSEC	1000000L
#define NSEC_PER_SEC	1000000000L
#define MSEC_PER_SEC	1000L

/* --- blocks of memory: plain, and seen as the compiler's own copies are (hooks.c) --- */

void *__tsan_memcpy(void *to, const void *from, size_t n);
void *__tsan_memmove(void *to, const void *from, size_t n);
void *__tsan_memset(void *to, int c, size_t n);
int __tsan_memcmp(const void *a, const void *b, size_t n);
#ifndef __has_feature
#define __has_feature(name)		0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define __builtin_memcpy(to, from, n)	__tsan_memcpy(to, from, n)
#define __builtin_memmove(to, from, n)	__tsan_memmove(to, from, n)
#define __builtin_memset(to, c, n)	__tsan_memset(to, c, n)
#define __builtin_memcmp(a, b, n)	__tsan_memcmp(a, b, n)
#endif
#define memcpy(to, from, n)		__builtin_memcpy(to, from, n)
#define memmove(to, from, n)		__builtin_memmove(to, from, n)
#define memset(to, c, n)		__builtin_memset(to, c, n)
#define memcmp(a, b, n)			__builtin_memcmp(a, b, n)

/* --- lists: plain, the caller sees to it that nobody else is there --- */

#define LIST_HEAD_INIT(name)	{ &(name), &(name) }
#define LIST_HEAD(name)		struct list_head name = LIST_HEAD_INIT(name)
#define INIT_LIST_HEAD(head)	((void)((head)->next = (head), (head)->prev = (head)))
#define list_entry(p, type, m)	container_of(p, type, m)
#define list_first_entry(head, type, m)	container_of((head)->next, type, m)
#define list_for_each_entry(pos, head, m)					\
	for ((pos) = container_of((head)->next, __typeof__(*(pos)), m);		\
	     &(pos)->m != (head);						\
	     (pos) = container_of((pos)->m.next, __typeof__(*(pos)), m))

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

static inline void ktree_list_between(struct list_head *l, struct list_head *before,
				      struct list_head *after)
{
	l->prev = before;
	l->next = after;
	before->next = l;
	after->prev = l;
}

static inline void list_add(struct list_head *l, struct list_head *head)
{
	ktree_list_between(l, head, head->next);
}

static inline void list_add_tail(struct list_head *l, struct list_head *head)
{
	ktree_list_between(l, head->prev, head);
}

static inline void list_del_init(struct list_head *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	INIT_LIST_HEAD(l);
}

/* --- messages: nobody reads them, and what they print is not evaluated --- */

int ktree_no_message(const char *fmt, ...);
#define KTREE_NO_MESSAGE(...)	do { if (0) ktree_no_message(__VA_ARGS__); } while (0)
#define KERN_ERR
#define KERN_WARNING
#define KERN_INFO
#define KERN_CONT
#define KERN_ALERT
#define printk(...)		KTREE_NO_MESSAGE(__VA_ARGS__)
#define printk_once(...)	KTREE_NO_MESSAGE(__VA_ARGS__)
#define pr_alert(...)		KTREE_NO_MESSAGE(__VA_ARGS__)
#define pr_err(...)		KTREE_NO_MESSAGE(__VA_ARGS__)
#define pr_err_once(...)	KTREE_NO_MESSAGE(__VA_ARGS__)
#define pr_warn(...)		KTREE_NO_MESSAGE(__VA_ARGS__)
#define pr_warn_once(...)	KTREE_NO_MESSAGE(__VA_ARGS__)
#define pr_notice(...)		KTREE_NO_MESSAGE(__VA_ARGS__)
#define pr_info(...)		KTREE_NO_MESSAGE(__VA_ARGS__)
#define pr_info_once(...)	KTREE_NO_MESSAGE(__VA_ARGS__)
#define pr_debug(...)		KTREE_NO_MESSAGE(__VA_ARGS__)
#define pr_cont(...)		KTREE_NO_MESSAGE(__VA_ARGS__)
#define dump_stack()		((void)0)
#define kmem_dump_obj(p)	((void)(p))
#define mem_dump_obj(p)		((void)(p))
#define trace_rcu_utilization(s) ((void)0)
#define tracepoint_string(s)	(s)

/* Warnings are violations, with their condition as it is written. */
#define KTREE_WARN(c, text)	k_warn(!!(c), text, __func__, __FILE__, __LINE__)
#undef WARN_ON
#undef WARN_ON_ONCE
#define WARN_ON(c)		KTREE_WARN(c, "WARN_ON(" #c ")")
#define WARN_ON_ONCE(c)		KTREE_WARN(c, "WARN_ON_ONCE(" #c ")")
#define WARN_ON_FUNCTION_MISMATCH(p, f) ((void)0)
#define WARN(c, ...)		({ KTREE_NO_MESSAGE(__VA_ARGS__); KTREE_WARN(c, "WARN(" #c ")"); })
#define WARN_ONCE(c, ...)	({ KTREE_NO_MESSAGE(__VA_ARGS__); KTREE_WARN(c, "WARN_ONCE(" #c ")"); })
#define BUG_ON(c) do {								\
		if (c)								\
			ktree_host->die("BUG_ON(" #c ")", __func__, __FILE__, __LINE__); \
	} while (0)
#define BUG()	ktree_host->die("BUG()", __func__, __FILE__, __LINE__)

/* --- module parameters and initcalls --- */

#define KTREE_PARAM(n, v, t)							\
	static const struct ktree_param KTREE_CAT(ktree_param_, n)		\
		__attribute__((__used__, section("ktree_params"), aligned(8))) =	\
		{ .name = #n, .type = #t, .var = (void *)&(v), .size = sizeof(v) }
#define module_param(n, t, perm)	KTREE_PARAM(n, n, t)
#define module_param_named(n, v, t, perm) KTREE_PARAM(n, v, t)
#define core_param(n, v, t, perm)	KTREE_PARAM(n, v, t)
#define MODULE_PARM_DESC(n, text)
#define MODULE_LICENSE(s)
#define MODULE_AUTHOR(s)
#define MODULE_DESCRIPTION(s)
#define MODULE_ALIAS(s)

typedef int ktree_initcall(void);
#define KTREE_INITCALL(f)							\
	static ktree_initcall *const KTREE_CAT(ktree_initcall_, f)		\
		__attribute__((__used__, section("ktree_initcalls"))) = (f)
#define early_initcall(f)	KTREE_INITCALL(f)
#define core_initcall(f)	KTREE_INITCALL(f)
#define subsys_initcall(f)	KTREE_INITCALL(f)
#define late_initcall(f)	KTREE_INITCALL(f)
#define module_init(f)		KTREE_INITCALL(f)

#endif
