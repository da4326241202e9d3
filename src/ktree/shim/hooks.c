/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The entry points that the compiler calls before each plain access (-fsanitize=thread):
 * those of simulated memory are told to the host, those that write the tree's static data
 * are refused.  All others, the most, cost two comparisons.
 */
#line 8 "src/ktree/shim/hooks.c"
#include "ktree_image.h"

struct site *ktree_raced;

static __attribute__((__noinline__, __cold__)) void static_write(const void *pc)
{
	const struct ktree_line *l = ktree_line_at(pc);

	ktree_static_write("a plain store", l ? l->func : "the kernel tree",
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

/* Under data_race(): a read is a step of its own, and the access itself comes before anybody
 * else's next one.  A write would be one whose value nobody knows. */
static __attribute__((__noinline__, __cold__))
void raced(const char *p, unsigned size, bool write)
{
	struct site *s = ktree_raced;

	if (!ktree_host->stepping())
		return;
	if (write)
		ktree_host->die("A write under data_race(), which is no step,", s->func, s->file, s->line);
	for (unsigned n; !write && size; p += n, size -= n) {
		n = size & 1 ? 1 : size & 2 ? 2 : size & 4 ? 4 : 8;
		(void)ktree_event(s, p, n, 0, 0);
	}
}

/* In pieces that lie within a word each. */
__attribute__((__noinline__))
void ktree_plain(const volatile void *at, unsigned size, bool write, const void *pc)
{
	const char *p = (const char *)at;

	while (size) {
		unsigned room = 8 - ((uintptr_t)p & 7), n = size < room ? size : room;

		if (ktree_raced)
			raced(p, n, write);
		else
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

void *__tsan_memcpy(void *to, const void *from, size_t n)
{
	access(from, (unsigned)n, false, PC);
	access(to, (unsigned)n, true, PC);
	return __builtin_memcpy(to, from, n);
}

void *__tsan_memmove(void *to, const void *from, size_t n)
{
	access(from, (unsigned)n, false, PC);
	access(to, (unsigned)n, true, PC);
	return __builtin_memmove(to, from, n);
}

void *__tsan_memset(void *to, int c, size_t n)
{
	access(to, (unsigned)n, true, PC);
	return __builtin_memset(to, c, n);
}

int __tsan_memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	access(a, (unsigned)n, false, PC);
	access(b, (unsigned)n, false, PC);
	while (n && *x == *y)
		x++, y++, n--;
	return n ? *x - *y : 0;
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
