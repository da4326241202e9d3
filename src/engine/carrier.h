/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stacks and what executes them.  A suspended stack can be resumed by the
 * driver itself (fiber) or by an OS thread (pthread): both make the same switch,
 * so that a task may be replayed on fibers and go on as a real thread.
 * Stacks are abandoned, never unwound.
 */
#ifndef SRCUSH_ENGINE_CARRIER_H
#define SRCUSH_ENGINE_CARRIER_H

#include <stdbool.h>
#include <stddef.h>

/* 1 MiB reserved and lazily used, a guard page below. */
#define STACK_SIZE (1024 * 1024)

struct stack {
	void *sp;		/* saved while it is suspended */
	void *resumer_sp;	/* of whoever resumed it */
	char *map;		/* guard page first */
	size_t map_size;
	char *low;		/* lowest usable byte */
	struct stack *next;	/* in the pool */
	void (*entry)(void *);
	void *arg;
	const char *who;	/* for the guard page's message */
	void *asan_fake, *asan_back_fake;
	const void *asan_back_low;
	size_t asan_back_size;
	const char *on;		/* the memory that it runs on: hop.h */
	size_t on_size;
	void *tsan_fiber, *tsan_back;
	void *uc;		/* ucontext fallback: two ucontext_t */
};

/* A stack that will run entry(arg) when first resumed; entry never returns.
 * From a pool; NULL: no memory. */
struct stack *stack_get(void (*entry)(void *), void *arg);
void stack_put(struct stack *s);	/* abandoned or over */
void stack_rearm(struct stack *s);	/* abandoned: it will run entry(arg) once more */
/* stack_resume() and stack_suspend(): switch.h */

/* An OS thread, pooled, that resumes stacks on demand. */
struct os_thread;
struct os_thread *os_thread_get(int *err);	/* NULL: errno in *err */
void os_thread_put(struct os_thread *o);
/* Sends it a signal that has come to another thread; false: it is this one, or cannot be. */
bool os_thread_signal(struct os_thread *o, int sig);
void os_thread_resume(struct os_thread *o, struct stack *s); /* returns at its suspend */
/* Pins the caller beside the carriers; nests through the world's batch. */
void os_thread_pin(void);
void os_thread_unpin(void);

/* Reports a fault on a guard page with the task's name and ends the process. */
void guard_install(void);
void guard_thread(void);	/* an alternate signal stack for this OS thread */

#endif
