/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A call on other memory than the current stack: see hop.h.  By hand for x86-64 and
 * AArch64, ucontext elsewhere.  The address sanitizer is told where the stack is, as at
 * each switch of tasks; the frames stay the task's, and go with it.
 */
#include <config.h>

#include "engine/hop.h"
#include "engine/switch.h"
#include "engine/task.h"

#include <stdint.h>

struct hop {
	void (*fn)(void *);
	void *arg;
#ifdef HAVE_ASAN
	void *fake;
	const void *old_low;
	size_t old_size;
#endif
};

/* First code on the memory, and the last. */
static void hop_main(void *arg)
{
	struct hop *h = arg;

#ifdef HAVE_ASAN
	__sanitizer_finish_switch_fiber(h->fake, &h->old_low, &h->old_size);
#endif
	h->fn(h->arg);
#ifdef HAVE_ASAN
	__sanitizer_start_switch_fiber(&h->fake, h->old_low, h->old_size);
#endif
}

#ifdef HAND_SWITCH
void hop_switch(void *top, void (*fn)(void *), void *arg);	/* switch_*.S */

static void hop(char *low, size_t size, struct hop *h)
{
	hop_switch(low + size, hop_main, h);
}
#else
static void uc_main(unsigned lo, unsigned hi)
{
	hop_main((void *)(((uintptr_t)hi << 32) | lo));
}

static void hop(char *low, size_t size, struct hop *h)
{
	uintptr_t p = (uintptr_t)h;
	ucontext_t here, there;

	getcontext(&there);
	there.uc_stack.ss_sp = low;
	there.uc_stack.ss_size = size;
	there.uc_link = &here;
	makecontext(&there, (void (*)(void))uc_main, 2, (unsigned)p, (unsigned)((uint64_t)p >> 32));
	swapcontext(&here, &there);
}
#endif

void stack_call(void *low, size_t size, void (*fn)(void *), void *arg)
{
	struct task *t = task_current();
	struct hop h = { .fn = fn, .arg = arg };
	const char *before = t ? t->stack->on : NULL;
	size_t before_size = t ? t->stack->on_size : 0;

#ifdef HAVE_ASAN
	__asan_unpoison_memory_region(low, size);
	__sanitizer_start_switch_fiber(&h.fake, low, size);
#endif
	if (t) {
		t->stack->on = low;
		t->stack->on_size = size;
	}
	hop(low, size, &h);
#ifdef HAVE_ASAN
	__sanitizer_finish_switch_fiber(h.fake, NULL, NULL);
	/* whatever the memory is used for next, no frame's red zones are in the way */
	__asan_unpoison_memory_region(low, size);
#endif
	if (t) {
		t->stack->on = before;
		t->stack->on_size = before_size;
	}
}
