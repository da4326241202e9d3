/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stacks and the switch between them: what a function has in its registers is
 * still there when it goes on, whoever resumes it; abandoned stacks are used
 * again.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/carrier.h"
#include "engine/switch.h"

struct worker {
	struct stack *stack;
	volatile long seed;
	volatile double fseed;
	long rounds;		/* suspended so often */
	long wrong;		/* and something had changed meanwhile */
	uintptr_t frame;
};

/*
 * More numbers of both kinds than there are registers that a callee must keep,
 * all alive across `leave(arg)`.  0 when they are still what they were.
 */
static long keep(volatile long *seed, volatile double *fseed, void (*leave)(void *), void *arg)
{
	long s = *seed;
	long a = s * 3, b = s * 5, c = s * 7, d = s * 11, e = s * 13, f = s * 17, g = s * 19,
	     h = s * 23, i = s * 29, j = s * 31, k = s * 37;
	double t = *fseed;
	double m = t * 3, n = t * 5, o = t * 7, p = t * 11, q = t * 13, r = t * 17, u = t * 19,
	       v = t * 23, w = t * 29;

	leave(arg);
	s = *seed;
	t = *fseed;
	return (a != s * 3) + (b != s * 5) + (c != s * 7) + (d != s * 11) + (e != s * 13) +
	       (f != s * 17) + (g != s * 19) + (h != s * 23) + (i != s * 29) + (j != s * 31) +
	       (k != s * 37) + (m != t * 3) + (n != t * 5) + (o != t * 7) + (p != t * 11) +
	       (q != t * 13) + (r != t * 17) + (u != t * 19) + (v != t * 23) + (w != t * 29);
}

static void suspend(void *arg)
{
	struct worker *w = arg;

	w->rounds++;
	stack_suspend(w->stack);
}

static void work(void *arg)
{
	struct worker *w = arg;

	w->frame = (uintptr_t)__builtin_frame_address(0);
	for (;;)
		w->wrong += keep(&w->seed, &w->fseed, suspend, w);
}

static struct worker *begin(struct worker *w, long seed)
{
	*w = (struct worker){ .seed = seed, .fseed = (double)seed / 3 };
	w->stack = stack_get(work, w);
	assert_non_null(w->stack);
	return w;
}

static void resume(void *arg)
{
	stack_resume(((struct worker *)arg)->stack);
}

static void test_registers(void **state)
{
	static struct worker a, b;
	volatile long seed = 1000003;
	volatile double fseed = 0.1;

	(void)state;
	begin(&a, 17);
	begin(&b, -99);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(keep(&seed, &fseed, resume, &a), 0);
		assert_int_equal(keep(&seed, &fseed, resume, &b), 0);
		seed += 7;
		fseed *= 1.01;
	}
	assert_int_equal(a.rounds, 1000);
	assert_int_equal(b.rounds, 1000);
	assert_int_equal(a.wrong + b.wrong, 0);
	stack_put(a.stack);
	stack_put(b.stack);
}

/* A frame of the ABI's alignment, inside the stack that was given. */
static void test_frame(void **state)
{
	static struct worker a;

	(void)state;
	resume(begin(&a, 1));
	assert_int_equal(a.frame % 16, 0);
	assert_in_range(a.frame, (uintptr_t)a.stack->low, (uintptr_t)a.stack->low + STACK_SIZE);
	stack_put(a.stack);
}

struct both { struct os_thread *thread; struct worker *w; };

static void resume_there(void *arg)
{
	struct both *b = arg;

	os_thread_resume(b->thread, b->w->stack);
}

/* As after back(): begun by the driver, gone on by a thread, and by another. */
static void test_carriers(void **state)
{
	static struct worker a;
	volatile long seed = 5;
	volatile double fseed = 2.5;
	struct both one, two;
	int err = 0;

	(void)state;
	begin(&a, 23);
	one = (struct both){ os_thread_get(&err), &a };
	two = (struct both){ os_thread_get(&err), &a };
	assert_non_null(one.thread);
	assert_non_null(two.thread);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(keep(&seed, &fseed, resume, &a), 0);
		assert_int_equal(keep(&seed, &fseed, resume_there, &one), 0);
		assert_int_equal(keep(&seed, &fseed, resume_there, &two), 0);
	}
	assert_int_equal(a.rounds, 300);
	assert_int_equal(a.wrong, 0);
	os_thread_put(one.thread);
	os_thread_put(two.thread);
	stack_put(a.stack);
}

/* The stack of one that is left for good is the next one's, from its top. */
static void test_abandoned(void **state)
{
	static struct worker a;
	uintptr_t frame = 0;
	char *low = NULL;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		begin(&a, i);
		if (i == 0)
			low = a.stack->low;
		assert_ptr_equal(a.stack->low, low);
		resume(&a);
		if (i == 0)
			frame = a.frame;
		assert_int_equal(a.frame, frame);
		stack_put(a.stack);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_carriers),
		cmocka_unit_test(test_abandoned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
