/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The entry points that the compiler calls before each plain access (-fsanitize=thread):
 * those of simulated memory are told to the host, those that write the tree's static data
 * are refused.  All others, the most, cost two comparisons.
 */
#line 8 "src/ktree/shim/hooks.c"
#include "ktree_image.h"

unsigned ktree_quiet;

static __attribute__((__noinline__, __cold__)) void static_write(const void *pc)
{
	const struct ktree_line *l = ktree_line_at(pc);

	if (!ktree_quiet)
		ktree_static_write("a plain store.", l ? l->func : "the kernel tree",
				   l ? l->file : "an unknown place", l ? (int)l->line : 0);
}

static inline __attribute__((always_inline))
void access(const void *p, unsigned size, bool write, const void *pc)
{
	const struct ktree_host *h = ktree_host;

	if (__builtin_expect((uintptr_t)p - h->watch_base < h->watch_size, 0))
		ktree_plain(p, size, write, pc);
	else if (write && (uintptr_t)p - (uintptr_t)&ktree_data_first <
			  (uintptr_t)&ktree_data_last - (uintptr_t)&ktree_data_first)
		static_write(pc);
}

/* In pieces that lie within a word each. */
__attribute__((__noinline__))
void ktree_plain(const volatile void *at, unsigned size, bool write, const void *pc)
{
	const char *p = (const char *)at;

	if (ktree_quiet)
		return;
	while (size) {
		unsigned room = 8 - ((uintptr_t)p & 7), n = size < room ? size : room;

		ktree_host->plain(p, n, write, pc);
		p += n;
		size -= n;
	}
}

#define PC __builtin_return_address(0)
#define HOOK(name, size, write)	void name(void *p); void name(void *p) { access(p, size, write, PC); }
/* A read and a write of the same bytes. */
#define HOOK_BOTH(name, size)							\
	void name(void *p);							\
	void name(void *p) { access(p, size, false, PC); access(p, size, true, PC); }
#define HOOKS(n)								\
	HOOK(__tsan_read##n, n, false)						\
	HOOK(__tsan_write##n, n, true)						\
	HOOK_BOTH(__tsan_read_write##n, n)					\
	HOOK(__tsan_unaligned_read##n, n, false)				\
	HOOK(__tsan_unaligned_write##n, n, true)				\
	HOOK_BOTH(__tsan_unaligned_read_write##n, n)				\
	HOOK(__tsan_volatile_read##n, n, false)					\
	HOOK(__tsan_volatile_write##n, n, true)					\
	HOOK(__tsan_unaligned_volatile_read##n, n, false)			\
	HOOK(__tsan_unaligned_volatile_write##n, n, true)

HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)
HOOK(__tsan_vptr_read, 8, false)

void __tsan_vptr_update(void **p, void *v);
void __tsan_vptr_update(void **p, void *v)
{
	(void)v;
	access(p, 8, true, PC);
}

void __tsan_read_range(void *p, unsigned long n);
void __tsan_read_range(void *p, unsigned long n)
{
	access(p, (unsigned)n, false, PC);
}

void __tsan_write_range(void *p, unsigned long n);
void __tsan_write_range(void *p, unsigned long n)
{
	access(p, (unsigned)n, true, PC);
}

void *__tsan_memcpy(void *to, const void *from, size_t n);
void *__tsan_memcpy(void *to, const void *from, size_t n)
{
	access(from, (unsigned)n, false, PC);
	access(to, (unsigned)n, true, PC);
	return __builtin_memcpy(to, from, n);
}

void *__tsan_memmove(void *to, const void *from, size_t n);
void *__tsan_memmove(void *to, const void *from, size_t n)
{
	access(from, (unsigned)n, false, PC);
	access(to, (unsigned)n, true, PC);
	return __builtin_memmove(to, from, n);
}

void *__tsan_memset(void *to, int c, size_t n);
void *__tsan_memset(void *to, int c, size_t n)
{
	access(to, (unsigned)n, true, PC);
	return __builtin_memset(to, c, n);
}

/* Nothing to prepare, and calls are nobody's concern. */
void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_func_entry(void *pc);
void __tsan_func_entry(void *pc)
{
	(void)pc;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}
