/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Task stacks: a pool of mmapped stacks with guard pages, and the switch onto
 * them and back.  Hand-written for x86-64 and AArch64, ucontext elsewhere;
 * annotated for the address and thread sanitizers.
 */
#include <config.h>

#include "engine/carrier.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/switch.h"

/* Stacks that nobody uses.  Only whoever holds the baton touches the pool. */
static struct stack *pool;

static struct stack *stack_map(void)
{
	long page = sysconf(_SC_PAGESIZE);
	struct stack *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->map_size = STACK_SIZE + (size_t)page;
	s->map = mmap(NULL, s->map_size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (s->map == MAP_FAILED) {
		free(s);
		return NULL;
	}
	if (mprotect(s->map, (size_t)page, PROT_NONE) < 0) {
		munmap(s->map, s->map_size);
		free(s);
		return NULL;
	}
	s->low = s->map + page;
	return s;
}

/* Runs on the new stack, after the first switch. */
static void stack_main(void *arg)
{
	struct stack *s = arg;

#ifdef HAVE_ASAN
	__sanitizer_finish_switch_fiber(NULL, &s->asan_back_low, &s->asan_back_size);
#endif
	s->entry(s->arg);
	abort(); /* entry never returns: a task ends by suspending for good */
}

#ifdef HAND_SWITCH
void fiber_start(void);

static void stack_arm(struct stack *s)
{
	uintptr_t top = ((uintptr_t)s->low + STACK_SIZE) & ~(uintptr_t)15;
	uint64_t *sp = (uint64_t *)top;

#if defined(__x86_64__)
	/* what fiber_switch() pops: r15 r14 r13 r12 rbx rbp, then the address it
	 * jumps to; fiber_start() then has the alignment of a function's caller */
	*--sp = 0;
	*--sp = 0;
	*--sp = (uint64_t)(uintptr_t)fiber_start;
	*--sp = 0;				 /* rbp */
	*--sp = 0;				 /* rbx */
	*--sp = (uint64_t)(uintptr_t)stack_main; /* r12 */
	*--sp = (uint64_t)(uintptr_t)s;		 /* r13 */
	*--sp = 0;				 /* r14 */
	*--sp = 0;				 /* r15 */
#else
	sp -= 20;
	memset(sp, 0, 160);
	sp[0] = (uint64_t)(uintptr_t)stack_main; /* x19 */
	sp[1] = (uint64_t)(uintptr_t)s;		 /* x20 */
	sp[11] = (uint64_t)(uintptr_t)fiber_start; /* x30 */
#endif
	s->sp = sp;
}
static bool stack_alloc_context(struct stack *s)
{
	(void)s;
	return true;
}
#else
static void uc_main(unsigned lo, unsigned hi)
{
	stack_main((void *)(((uintptr_t)hi << 32) | lo));
}

static bool stack_alloc_context(struct stack *s)
{
	if (!s->uc)
		s->uc = calloc(2, sizeof(ucontext_t));
	return s->uc;
}

static void stack_arm(struct stack *s)
{
	ucontext_t *uc = s->uc;
	uintptr_t p = (uintptr_t)s;

	getcontext(&uc[0]);
	uc[0].uc_stack.ss_sp = s->low;
	uc[0].uc_stack.ss_size = STACK_SIZE;
	uc[0].uc_link = NULL;
	makecontext(&uc[0], (void (*)(void))uc_main, 2, (unsigned)p, (unsigned)((uint64_t)p >> 32));
}
#endif

#ifdef HAVE_ASAN
/*
 * Where frames of functions are kept apart, to find uses after return, those of an
 * abandoned stack would stay for good: only leaving it for the last time frees them.
 * So pretend to.
 */
__attribute__((no_sanitize_address)) static void stack_drop_frames(struct stack *s)
{
	if (!s->asan_fake)
		return;
	__sanitizer_start_switch_fiber(&s->asan_back_fake, s->on, s->on_size);
	__sanitizer_finish_switch_fiber(s->asan_fake, &s->asan_back_low, &s->asan_back_size);
	__sanitizer_start_switch_fiber(NULL, s->asan_back_low, s->asan_back_size);
	__sanitizer_finish_switch_fiber(s->asan_back_fake, NULL, NULL);
	s->asan_fake = NULL;
}
#endif

/* Whatever was on the stack, entry(arg) begins on it next. */
static void stack_begin(struct stack *s)
{
	s->asan_fake = NULL;
	s->asan_back_fake = NULL;
	s->on = s->low;
	s->on_size = STACK_SIZE;
#ifdef HAVE_ASAN
	/* frames that were abandoned here have left their poison */
	__asan_unpoison_memory_region(s->low, STACK_SIZE);
#endif
#ifdef HAVE_TSAN
	s->tsan_fiber = __tsan_create_fiber(0);
#endif
	stack_arm(s);
}

/* What was on the stack is given up. */
static void stack_abandon(struct stack *s)
{
#ifdef HAVE_ASAN
	stack_drop_frames(s);
#endif
#ifdef HAVE_TSAN
	if (s->tsan_fiber) {
		__tsan_destroy_fiber(s->tsan_fiber);
		s->tsan_fiber = NULL;
	}
#endif
	(void)s;
}

struct stack *stack_get(void (*entry)(void *), void *arg)
{
	struct stack *s = pool;

	if (s)
		pool = s->next;
	else
		s = stack_map();
	if (!s)
		return NULL;
	if (!stack_alloc_context(s)) {
		stack_put(s);
		return NULL;
	}
	s->entry = entry;
	s->arg = arg;
	s->who = NULL;
	stack_begin(s);
	return s;
}

void stack_rearm(struct stack *s)
{
	stack_abandon(s);
	stack_begin(s);
}

void stack_put(struct stack *s)
{
	stack_abandon(s);
	s->next = pool;
	pool = s;
}
