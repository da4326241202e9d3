/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code that is not ours (engine/guest.h) and goes wrong: endless loops, with accesses that
 * are told and with none, and crashes are violations of the thread that ran it.
 */
#include <config.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/guest.h"

#include "t1-ktree-scene.h"

static void locked(void *arg)
{
	(void)arg;
	mutex_lock(p.m);
	TOLD_WRITE(p.x, 1);
	mutex_unlock(p.m);
}

static void loops(void *arg)
{
	(void)arg;
	smp_mb();
	while (!TOLD_READ(p.flag))
		;
}

static void test_loop(void **state)
{
	(void)state;
	assert_int_equal(in_turn(loops, locked), 1);
	assert_string_equal(world_violation(p.w, 0)->kind, "error");
	assert_non_null(strstr(message(), "t0 loops in loops() (plain.c:7): after step 1"));
	assert_int_equal(task_by_name(p.w, "t1")->state, TASK_DONE);
}

#define GUEST __attribute__((section("t_guest"), noinline, no_sanitize("address", "undefined", "thread")))
extern const char __start_t_guest[], __stop_t_guest[];

static uint64_t *volatile null;
static void (*volatile nowhere)(void);
static volatile int never = 1;

GUEST static void guest_null(void *arg) { (void)arg; *(volatile uint64_t *)(null + 3) = 1; }
GUEST static void guest_wild(void *arg) { (void)arg; *(volatile uint64_t *)((uintptr_t)null + 0xdead000000000100u) = 1; }
GUEST static void guest_jump(void *arg) { (void)arg; nowhere(); never = 2; }
GUEST static void guest_trap(void *arg) { (void)arg; __builtin_trap(); }
GUEST static void guest_loop(void *arg) { (void)arg; while (never) ; }

static const struct site guest_place = { .func = "guest_code", .file = "guest.c", .line = 12 };
static const struct site *near_guest(const void *pc) { (void)pc; return &guest_place; }

static void (*guest_code)(void *);

static void crasher(void *arg)
{
	mutex_lock(p.m);
	guest_code(arg);
	mutex_unlock(p.m);
}

/* cmocka takes the signals for itself before each test. */
static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
static struct sigaction ours[5];

static void save_signals(void)
{
	for (size_t i = 0; i < 5; i++)
		sigaction(signals[i], NULL, &ours[i]);
}

static void add_guest(void)
{
	static struct guest g;

	for (size_t i = 0; i < 5; i++)
		sigaction(signals[i], &ours[i], NULL);
	if (g.text)
		return;
	g.text = __start_t_guest;
	g.text_end = __stop_t_guest;
	g.near_pc = near_guest;
	guest_add(&g);
}

static void smp_mb_only(void *arg) { (void)arg; smp_mb(); }

static void assert_crash(enum carrier_kind carrier, void (*code)(void *), const char *text)
{
	teardown(NULL);
	setup(NULL);
	world_free(p.w);
	p.w = world_new(carrier);
	assert_true(check_attach(p.w));
	guest_code = code;
	assert_int_equal(in_turn(crasher, smp_mb_only), 1);
	assert_string_equal(world_violation(p.w, 0)->kind, "error");
	assert_string_equal(message(), text);
	assert_int_equal(task_by_name(p.w, "t0")->state, TASK_FAILED);
	assert_int_equal(task_by_name(p.w, "t1")->state, TASK_DONE);
}

static void test_crash(void **state)
{
	(void)state;
#if defined(__x86_64__) || defined(__aarch64__)
	add_guest();
	for (int i = 0; i < 4; i++) {
		enum carrier_kind c = i & 1 ? CARRIER_PTHREAD : CARRIER_FIBER;

		assert_crash(c, guest_null, "t0 crashed in guest_code() (guest.c:12): it followed a NULL pointer.");
		assert_crash(c, guest_jump, "t0 crashed in guest_code() (guest.c:12): it followed a NULL pointer.");
		assert_crash(c, guest_wild, "t0 crashed in guest_code() (guest.c:12): it followed a pointer to "
			     "where there is no memory, or none to be written.");
		assert_crash(c, guest_trap, "t0 crashed in guest_code() (guest.c:12): it came to an instruction "
			     "that traps, as compilers put where the code must not come.");
	}
	guest_code = guest_null;
	e.opts.keep_going = true;
	explore(crasher, locked, NULL);
	assert_true(e.report.nviolations);
	assert_string_equal(e.report.violations[0].kind, "error");
	assert_true(e.report.violating == e.report.complete && e.report.complete > 1);
#else
	skip();
#endif
}

static void test_endless(void **state)
{
	(void)state;
#if defined(__x86_64__) || defined(__aarch64__)
	add_guest();
	for (int i = 0; i < 2; i++)
		assert_crash(i ? CARRIER_PTHREAD : CARRIER_FIBER, guest_loop,
			     "t0 loops in guest_code() (guest.c:12): it has run for seconds without a step.");
#else
	skip();
#endif
}
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_loop), T(test_crash), T(test_endless) };
	struct world *first = world_new(CARRIER_FIBER);

	save_signals();
	world_free(first);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
