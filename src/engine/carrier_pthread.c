/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pthread carrier: pooled OS threads that wait on a futex, switch onto a
 * task's stack when the driver hands them one, and hand the baton back when the
 * task suspends.  Driver and carriers are pinned to one CPU while they hand the
 * baton to and fro: only one of them runs at a time, and a futex wake-up on the
 * same CPU costs a quarter of one across CPUs.
 */
#include <config.h>

#include "engine/carrier.h"
#include "engine/switch.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Room for the switch, the sanitizers' frames and a signal's frame. */
#define OS_STACK_SIZE (256 * 1024)

struct os_thread {
	pthread_t id;
	_Atomic uint32_t gate;	/* 1: run `stack`; set by the driver */
	_Atomic uint32_t back;	/* 1: suspended; set by the carrier */
	struct stack *stack;	/* protected by the two gates */
	int cpu;		/* pinned there, -1: nowhere */
	struct os_thread *next;
};

/* Parked threads; touched by the driver only. */
static struct os_thread *pool;
static int pin_cpu = -1;
static unsigned pin_depth;
static cpu_set_t pin_saved;

static void gate_wait(_Atomic uint32_t *gate)
{
	while (atomic_load_explicit(gate, memory_order_acquire) == 0)
		syscall(SYS_futex, gate, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	atomic_store_explicit(gate, 0, memory_order_relaxed);
}

static void gate_open(_Atomic uint32_t *gate)
{
	/* release: all that this side did before is seen behind gate_wait() */
	atomic_store_explicit(gate, 1, memory_order_release);
	syscall(SYS_futex, gate, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *os_thread_main(void *arg)
{
	struct os_thread *o = arg;

	guard_thread();
	for (;;) {
		gate_wait(&o->gate);
		stack_resume(o->stack);
		gate_open(&o->back);
	}
	return NULL;
}

struct os_thread *os_thread_get(int *err)
{
	struct os_thread *o = pool;
	pthread_attr_t attr;
	sigset_t all, old;

	if (o) {
		pool = o->next;
		return o;
	}
	o = calloc(1, sizeof(*o));
	if (!o) {
		*err = ENOMEM;
		return NULL;
	}
	o->cpu = -1;
	/* signals are the driver's: Ctrl-C must interrupt its wait, not a carrier */
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGTRAP);
	sigdelset(&all, SIGVTALRM);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, OS_STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	*err = pthread_create(&o->id, &attr, os_thread_main, o);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (*err) {
		free(o);
		return NULL;
	}
	return o;
}

bool os_thread_signal(struct os_thread *o, int sig)
{
	return !pthread_equal(pthread_self(), o->id) && !pthread_kill(o->id, sig);
}

void os_thread_put(struct os_thread *o)
{
	o->stack = NULL;
	o->next = pool;
	pool = o;
}

void os_thread_resume(struct os_thread *o, struct stack *s)
{
	if (pin_cpu >= 0 && o->cpu != pin_cpu) {
		cpu_set_t one;

		CPU_ZERO(&one);
		CPU_SET(pin_cpu, &one);
		if (pthread_setaffinity_np(o->id, sizeof(one), &one) == 0)
			o->cpu = pin_cpu;
	}
	o->stack = s;
	gate_open(&o->gate);
	gate_wait(&o->back);
}

/* Pinning is for speed only: where it fails, nothing else changes. */
void os_thread_pin(void)
{
	cpu_set_t one;

	if (pin_depth++)
		return;
	if (pthread_getaffinity_np(pthread_self(), sizeof(pin_saved), &pin_saved)) {
		pin_cpu = -1;
		return;
	}
	if (pin_cpu < 0 || !CPU_ISSET(pin_cpu, &pin_saved))
		pin_cpu = sched_getcpu();
	if (pin_cpu < 0)
		return;
	CPU_ZERO(&one);
	CPU_SET(pin_cpu, &one);
	pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
}

void os_thread_unpin(void)
{
	if (--pin_depth || pin_cpu < 0)
		return;
	pthread_setaffinity_np(pthread_self(), sizeof(pin_saved), &pin_saved);
}
