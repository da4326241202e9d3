/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls on simulated memory (engine/hop.h): they suspend and go on, nest, and may be given
 * up in the middle, on both carriers; what is on their stack has the same address in
 * every execution.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <k/kernel.h>

#include "engine/checkpoint.h"
#include "engine/hop.h"
#include "k/objtypes.h"

#define SIZE ((size_t)256 * 1024)
#define DEPTH 3

/* What a writer does on memory of its own, over and over. */
struct hopper {
	struct world *w;
	long *var;		/* in simulated memory */
	char *low;		/* where its frames are to lie now */
	unsigned depth;
	long seed;
	uintptr_t seen;		/* address of what was on the stack */
	long wrong, returned;
};

static bool within(const struct hopper *h, const void *p)
{
	return (const char *)p >= h->low && (const char *)p < h->low + SIZE;
}

static const struct objtype memory = { .kind = "memory" };

static void hop(struct hopper *h);

/* Not a variable's address: a sanitizer may keep variables somewhere else. */
#define FRAME __builtin_frame_address(0)

/* More numbers than a callee must keep registers, alive across steps and calls. */
static void on_memory(void *arg)
{
	struct hopper *h = arg;
	char *low = h->low;
	long local = h->seed, s = h->seed;
	long a = s * 3, b = s * 5, c = s * 7, d = s * 11, e = s * 13, f = s * 17, g = s * 19;
	double m = (double)s / 3, n = (double)s / 7;

	h->wrong += !within(h, FRAME) || !arena_contains(h->w, FRAME);
	h->seen = (uintptr_t)FRAME;
	WRITE_ONCE(*h->var, READ_ONCE(*h->var) + 1);
	if (++h->depth < DEPTH) {
		hop(h);
		h->low = low;
	}
	WRITE_ONCE(*h->var, READ_ONCE(*h->var) + 1);
	s = h->seed;
	h->wrong += (a != s * 3) + (b != s * 5) + (c != s * 7) + (d != s * 11) + (e != s * 13) +
		    (f != s * 17) + (g != s * 19) + (m != (double)s / 3) + (n != (double)s / 7) +
		    (local != s) + !within(h, FRAME);
	h->returned++;
}

static void hop(struct hopper *h)
{
	struct object *o = object_new(h->w, &memory, "stack", SIZE);

	h->low = o->base;
	stack_call(h->low, SIZE, on_memory, h);
}

static void writer(void *arg)
{
	struct hopper *h = arg;

	h->depth = 0;
	hop(h);
	h->wrong += within(h, FRAME);
	WRITE_ONCE(*h->var, READ_ONCE(*h->var) + 1);
}

struct scene {
	struct world *w;
	struct hopper h[2];
	struct task *t[2];
	long *var;
};

static void set_up(struct scene *s, enum carrier_kind carrier)
{
	static const char *const names[] = { "one", "two" };
	struct object *o;

	memset(s, 0, sizeof(*s));
	s->w = world_new(carrier);
	assert_non_null(s->w);
	o = k_object_new(s->w, &var_objtype, "var");
	s->var = o->base;
	for (int i = 0; i < 2; i++) {
		s->h[i] = (struct hopper){ .w = s->w, .var = s->var, .seed = 1000 + i };
		s->t[i] = task_new(s->w, TASK_THREAD, names[i], -1, writer, &s->h[i], NULL);
		assert_non_null(s->t[i]);
	}
	assert_true(world_checkpoint(s->w));
}

/* Both, a step each in turns, `n` of them or to the end. */
static void run(struct scene *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (world_step(s->w, s->t[i % 2], 0) != STEP_OK)
			break;
}

/* Two for each of DEPTH calls at both ends, and two more, by each. */
#define STEPS (2 * (4 * DEPTH + 2))

static void test_calls(enum carrier_kind carrier)
{
	uintptr_t seen[2] = { 0, 0 };
	struct scene s;

	set_up(&s, carrier);
	for (int round = 0; round < 20; round++) {
		/* one execution is left in the middle, the next one is not */
		if (round) {
			assert_true(world_restore(s.w));
			run(&s, (unsigned)round % STEPS);
			assert_true(world_restore(s.w));
		}
		for (int i = 0; i < 2; i++)
			s.h[i].returned = 0;
		run(&s, STEPS);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(s.t[i]->state, TASK_DONE);
			assert_int_equal(s.h[i].returned, DEPTH);
			assert_int_equal(s.h[i].wrong, 0);
			if (round)
				assert_int_equal(s.h[i].seen, seen[i]);
			seen[i] = s.h[i].seen;
		}
		assert_true(*s.var > 0);
	}
	world_free(s.w);
}

static void test_fiber(void **state)
{
	(void)state;
	test_calls(CARRIER_FIBER);
}

static void test_pthread(void **state)
{
	(void)state;
	test_calls(CARRIER_PTHREAD);
}

/* What was a stack in one execution is other things' memory in the next. */
static void test_given_up(void **state)
{
	struct scene s;

	(void)state;
	set_up(&s, CARRIER_FIBER);
	for (unsigned n = 1; n < STEPS; n += 3) {
		run(&s, n);
		assert_true(world_restore(s.w));
		memset(s.h[0].low, 0, SIZE);
	}
	world_free(s.w);
}

/* Outside of tasks, too. */
static void add(void *arg)
{
	long *p = arg;

	*p += 2;
}

static void test_no_task(void **state)
{
	char *p = aligned_alloc(16, SIZE);
	long n = 40;

	(void)state;
	assert_non_null(p);
	stack_call(p, SIZE, add, &n);
	assert_int_equal(n, 42);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_task),
		cmocka_unit_test(test_fiber),
		cmocka_unit_test(test_pthread),
		cmocka_unit_test(test_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
