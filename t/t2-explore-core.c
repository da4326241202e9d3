/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The driver of explorations with the simplest strategies: every interleaving of small
 * programs in C, counted by hand; bounds, repetitions by seed, what is kept of what
 * was found, and what is refused.
 */
#include <config.h>

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check/check.h"
#include "engine/driver.h"
#include "explore/explore.h"
#include "k/kernel.h"
#include "k/objtypes.h"

/* --- a source: bodies over a few variables, all zero at the start --- */

#define VARS 4
#define BODIES 3

static struct program {
	struct world *w;
	void (*bodies[BODIES])(void *);
	uint64_t *vars[VARS];
	struct mutex *locks[2];
	void (*stepped)(struct task *);	/* called after each step, or NULL */
	char text[128];
	unsigned begun;
} p;

static const char *const var_names[VARS] = { "x", "y", "r0", "r1" };
static const char *const task_names[BODIES] = { "t0", "t1", "t2" };

#define X  (*p.vars[0])
#define Y  (*p.vars[1])
#define R0 (*p.vars[2])
#define R1 (*p.vars[3])

static bool build(struct world *w, void *arg)
{
	(void)arg;
	for (int i = 0; i < VARS; i++)
		p.vars[i] = k_object_new(w, &var_objtype, var_names[i])->base;
	p.locks[0] = k_object_new(w, &mutex_objtype, "a")->base;
	p.locks[1] = k_object_new(w, &mutex_objtype, "b")->base;
	for (int i = 0; i < BODIES && p.bodies[i]; i++)
		if (!task_new(w, TASK_THREAD, task_names[i], -1, p.bodies[i], NULL, NULL))
			return false;
	return true;
}

static struct world *source_begin(void *arg, bool lean, const char **why)
{
	(void)arg;
	(void)lean;
	p.begun++;
	if (world_reset(p.w))
		return p.w;
	*why = world_error(p.w);
	return NULL;
}

static const char *source_end(void *arg, struct world *w, enum exec_end how)
{
	(void)arg;
	(void)w;
	(void)how;
	snprintf(p.text, sizeof(p.text), "%d%d", (int)R0, (int)R1);
	return p.text;
}

static void source_stepped(void *arg, struct world *w, struct task *t)
{
	(void)arg;
	(void)w;
	if (p.stepped)
		p.stepped(t);
}

static struct explore x;

static int setup(void **state)
{
	(void)state;
	memset(&p, 0, sizeof(p));
	p.w = world_new(CARRIER_FIBER);
	if (!p.w || !check_attach(p.w))
		return -1;
	x = (struct explore){
		.opts = { .strategy = EXPLORE_NAIVE, .preemptions = -1, .seed = 7 },
		.src = { .begin = source_begin, .end = source_end, .stepped = source_stepped },
	};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	explore_release(&x);
	world_free(p.w);
	return 0;
}

static bool explore(void (*a)(void *), void (*b)(void *), void (*c)(void *))
{
	explore_release(&x);
	p.bodies[0] = a;
	p.bodies[1] = b;
	p.bodies[2] = c;
	if (!p.vars[0])
		assert_true(world_do(p.w, build, NULL, NULL, false));
	return explore_run(&x);
}

static void assert_explored(void (*a)(void *), void (*b)(void *), void (*c)(void *))
{
	if (!explore(a, b, c))
		fail_msg("%s", x.report.error);
}

/* "00:1 11:5" */
static void assert_outcomes(const char *expected)
{
	char text[256] = "";

	for (size_t i = 0; i < x.report.noutcomes; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s:%" PRIu64,
			 i ? " " : "", x.report.outcomes[i].text, x.report.outcomes[i].count);
	assert_string_equal(text, expected);
}

/* --- counting --- */

static void two_fences(void *arg)
{
	(void)arg;
	smp_mb();
	smp_mb();
}

static void test_independent(void **state)
{
	(void)state;
	assert_explored(two_fences, two_fences, NULL);
	assert_int_equal(x.report.complete, 6);
	assert_int_equal(x.report.traces, 1);
	assert_int_equal(x.report.steps, 24);
	assert_int_equal(x.report.deepest, 4);
	assert_null(x.report.bound);
	assert_string_equal(x.report.example, "@sc,4 t0*2 t1*2");
	assert_explored(two_fences, two_fences, two_fences);
	assert_int_equal(x.report.complete, 90);
	assert_int_equal(x.report.traces, 1);
}

static void sb0(void *arg) { (void)arg; WRITE_ONCE(X, 1); R0 = READ_ONCE(Y); }
static void sb1(void *arg) { (void)arg; WRITE_ONCE(Y, 1); R1 = READ_ONCE(X); }

static void test_store_buffering(void **state)
{
	(void)state;
	assert_explored(sb0, sb1, NULL);
	assert_int_equal(x.report.complete, 6);
	assert_int_equal(x.report.traces, 3);
	assert_outcomes("01:1 10:1 11:4");
}

static void inc(void *arg) { (void)arg; R0 = (uint64_t)xchg(p.vars[0], 1); }
static void try_it(void *arg) { (void)arg; R1 = (uint64_t)cmpxchg(p.vars[0], 1, 2); }

static void keep_it(void *arg) { (void)arg; xchg(p.vars[0], 0); }

/* A compare-and-exchange that fails only reads, and so does an exchange of the same. */
static void test_failed_cmpxchg(void **state)
{
	(void)state;
	assert_explored(try_it, try_it, NULL);
	assert_int_equal(x.report.complete, 2);
	assert_int_equal(x.report.traces, 1);
	assert_explored(try_it, inc, NULL);
	assert_int_equal(x.report.complete, 2);
	assert_int_equal(x.report.traces, 2);
	assert_explored(keep_it, keep_it, NULL);
	assert_int_equal(x.report.traces, 1);
	assert_explored(keep_it, inc, NULL);
	assert_int_equal(x.report.traces, 2);
}

static void chooser(void *arg)
{
	static struct site site = { .op = OP_CHOOSE, .prim = "choose", .expr = "", .func = "",
				    .file = __FILE__, .line = __LINE__ };

	(void)arg;
	R0 = task_event((struct event){ .site = &site, .op = OP_CHOOSE, .a = 3 });
}

static void test_choose(void **state)
{
	(void)state;
	x.opts.show = 3;
	assert_explored(chooser, NULL, NULL);
	assert_outcomes("10:1 20:1 30:1");
	assert_int_equal(x.report.traces, 3);
	assert_string_equal(x.report.shown, "@sc,4 t0=3");
}

static void assume_read(void *arg)
{
	static struct site site = { .op = OP_ASSUME, .prim = "assume", .expr = "", .func = "",
				    .file = __FILE__, .line = __LINE__ };

	(void)arg;
	if (!READ_ONCE(X))
		(void)task_event((struct event){ .site = &site, .op = OP_ASSUME });
	R0 = 1;
}

static void write_x(void *arg) { (void)arg; WRITE_ONCE(X, 1); }

static void test_assume(void **state)
{
	(void)state;
	assert_explored(assume_read, write_x, NULL);
	assert_int_equal(x.report.complete, 1);
	assert_int_equal(x.report.blocked, 1);
	assert_outcomes("10:1");
	assert_int_equal(x.report.nviolations, 0);
}

/* --- violations --- */

static void lock_ab(void *arg)
{
	(void)arg;
	mutex_lock(p.locks[0]);
	mutex_lock(p.locks[1]);
	mutex_unlock(p.locks[1]);
	mutex_unlock(p.locks[0]);
}

static void lock_ba(void *arg)
{
	(void)arg;
	mutex_lock(p.locks[1]);
	mutex_lock(p.locks[0]);
	mutex_unlock(p.locks[0]);
	mutex_unlock(p.locks[1]);
}

static const struct explore_violation *violation(const char *kind)
{
	for (size_t i = 0; i < x.report.nviolations; i++)
		if (!strcmp(x.report.violations[i].kind, kind))
			return &x.report.violations[i];
	fail_msg("no violation of kind %s", kind);
	return NULL;
}

static void test_deadlock(void **state)
{
	(void)state;
	x.opts.keep_going = true;
	assert_explored(lock_ab, lock_ba, NULL);
	/* either first, the other before or after the last unlock; or a deadlock, in two orders */
	assert_int_equal(x.report.complete, 6);
	assert_int_equal(x.report.traces, 3);
	assert_true(x.report.violating >= 2);
	assert_non_null(violation("deadlock")->schedule);
	assert_true(world_replay(p.w, violation("deadlock")->schedule));
	assert_true(check_stuck(p.w));
}

static void fail_at_step(struct task *t)
{
	if (X && !world_violation_count(p.w))
		check_report(p.w, "invariant", t, NULL, "x is set before r0");
}

/* Without a log first, then repeated with one. */
static void test_violation(void **state)
{
	const struct explore_violation *v;

	(void)state;
	p.stepped = fail_at_step;
	assert_explored(write_x, two_fences, NULL);
	v = violation("invariant");
	assert_int_equal(x.report.nviolations, 1);
	assert_string_equal(v->thread, "t0");
	assert_string_equal(v->schedule, "@sc,4 t0");
	assert_int_equal(v->execution, 1);
	assert_int_equal(v->step, 1);
	assert_int_equal(x.executions, 1);

	x.opts.keep_going = true;
	assert_explored(write_x, two_fences, NULL);
	assert_int_equal(x.report.complete, 3);
	assert_int_equal(x.report.violating, 3);
	assert_int_equal(x.report.nviolations, 1);
}

static unsigned rounds;

static void unsteady(void *arg)
{
	(void)arg;
	if (rounds++ % 2)
		smp_mb();
	smp_mb();
}

static void test_not_deterministic(void **state)
{
	(void)state;
	rounds = 0;
	assert_false(explore(unsteady, two_fences, NULL));
	assert_non_null(x.report.error);
	assert_non_null(strstr(x.report.error, "not deterministic"));
}

static struct world *never_begins(void *arg, bool lean, const char **why)
{
	(void)arg;
	(void)lean;
	*why = "there is no such scenario";
	return NULL;
}

static void test_no_world(void **state)
{
	(void)state;
	x.src.begin = never_begins;
	assert_false(explore(two_fences, NULL, NULL));
	assert_string_equal(x.report.error, "there is no such scenario");
}

/* --- bounds --- */

static void endless(void *arg)
{
	(void)arg;
	for (;;)
		smp_mb();
}

static bool at_once(void *arg)
{
	(void)arg;
	return true;
}

static void test_bounds(void **state)
{
	(void)state;
	x.opts.max_executions = 5;
	assert_explored(two_fences, two_fences, NULL);
	assert_int_equal(x.report.complete, 5);
	assert_string_equal(x.report.bound, "max_executions 5");

	x.opts.max_executions = 6;	/* that was all of them */
	assert_explored(two_fences, two_fences, NULL);
	assert_null(x.report.bound);

	x.opts.max_executions = 0;
	x.opts.preemptions = 0;
	assert_explored(two_fences, two_fences, NULL);
	assert_int_equal(x.report.complete, 2);
	assert_string_equal(x.report.bound, "preemptions 0");
	x.opts.preemptions = 1;
	assert_explored(two_fences, two_fences, NULL);
	assert_int_equal(x.report.complete, 4);
	x.opts.preemptions = 2;
	assert_explored(two_fences, two_fences, NULL);
	assert_int_equal(x.report.complete, 6);
	assert_null(x.report.bound);

	x.opts.preemptions = -1;
	x.opts.max_steps = 100;
	assert_explored(endless, NULL, NULL);
	assert_int_equal(x.report.complete, 0);
	assert_int_equal(x.report.cut, 1);
	assert_string_equal(x.report.bound, "max_steps 100");

	x.opts.max_steps = 0;
	x.interrupted = at_once;
	assert_explored(two_fences, NULL, NULL);
	assert_int_equal(x.report.complete, 0);
	assert_string_equal(x.report.bound, "interrupted");
}

static void test_time(void **state)
{
	(void)state;
	x.opts.seconds = 0.01;
	x.opts.strategy = EXPLORE_RANDOM;
	assert_explored(two_fences, two_fences, NULL);
	assert_string_equal(x.report.bound, "time 0.01");
	assert_true(x.report.complete > 0);
}

/* --- chance --- */

static void test_random(void **state)
{
	(void)state;
	x.opts.strategy = EXPLORE_RANDOM;
	x.opts.max_executions = 4000;
	assert_explored(sb0, sb1, NULL);
	assert_int_equal(x.report.noutcomes, 3);
	assert_string_equal(x.report.bound, "max_executions 4000");
	/* a quarter each for the two that do not mix, half for the others: four sigmas */
	assert_in_range(x.report.outcomes[0].count, 1000 - 110, 1000 + 110);
	assert_in_range(x.report.outcomes[1].count, 1000 - 110, 1000 + 110);
}

static void only_01(struct task *t)
{
	if (X && Y && !R0 && t->steps == 2 && t->index == 1 && R1)
		check_report(p.w, "invariant", t, NULL, "t1 saw x, and t0 has not read y");
}

/* The seed of a violation repeats that execution alone. */
static void repeats(enum explore_strategy strategy)
{
	const struct explore_violation *v;
	char *schedule;
	uint64_t seed;

	x.opts.strategy = strategy;
	x.opts.max_executions = 1000;
	p.stepped = only_01;
	assert_explored(sb0, sb1, NULL);
	v = violation("invariant");
	schedule = strdup(v->schedule);
	seed = v->seed;
	assert_true(v->execution > 1);
	x.opts.seed = seed;
	x.opts.max_executions = 1;
	assert_explored(sb0, sb1, NULL);
	assert_string_equal(violation("invariant")->schedule, schedule);
	free(schedule);
}

static void test_seed_random(void **state)
{
	(void)state;
	x.opts.seed = 3;
	repeats(EXPLORE_RANDOM);
}

static void test_seed_pct(void **state)
{
	(void)state;
	x.opts.seed = 3;
	repeats(EXPLORE_PCT);
}

static void spins(void *arg)
{
	static struct site site = { .op = OP_YIELD, .prim = "yield", .expr = "", .func = "",
				    .file = __FILE__, .line = __LINE__ };

	(void)arg;
	while (!READ_ONCE(X))
		(void)task_event((struct event){ .site = &site, .op = OP_YIELD });
}

static void spins_hard(void *arg)
{
	(void)arg;
	while (!READ_ONCE(X))
		;
}

/* Who waits for another actively does not keep it from running. */
static void test_pct_fair(void **state)
{
	(void)state;
	x.opts.strategy = EXPLORE_PCT;
	x.opts.max_executions = 50;
	x.opts.max_steps = 2000;
	assert_explored(spins, write_x, NULL);
	assert_int_equal(x.report.complete, 50);
	assert_explored(spins_hard, write_x, NULL);
	assert_int_equal(x.report.cut, 0);
	assert_int_equal(x.report.complete, 50);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_independent),
		TEST(test_store_buffering),
		TEST(test_failed_cmpxchg),
		TEST(test_choose),
		TEST(test_assume),
		TEST(test_deadlock),
		TEST(test_violation),
		TEST(test_not_deterministic),
		TEST(test_no_world),
		TEST(test_bounds),
		TEST(test_time),
		TEST(test_random),
		TEST(test_seed_random),
		TEST(test_seed_pct),
		TEST(test_pct_fair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
