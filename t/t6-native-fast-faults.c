/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fast readers with a piece left out: each grace period that is too short is seen as
 * one, and the same course of events with nothing left out is not.  What a scheduler would
 * have to bring about is done in the one place where it hurts: a reader that has loaded the
 * index and has not counted yet.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "libsrcu/fast_only.h"

static unsigned int faults;
static void (*window)(void);

static void in_window(void)
{
	void (*fn)(void) = window;

	window = NULL;
	if (fn)
		fn();
}

#undef SRCU_FAST_FAULTS
#undef SRCU_FAST_WINDOW
#define SRCU_FAST_FAULTS faults
#define SRCU_FAST_WINDOW() in_window()
#include "libsrcu/fast.c"

static struct fast_only dom;

/* Does a grace period that begins now end although the section goes on? */
static bool too_short(struct srcu_ctr *section)
{
	bool early;

	fast_only_start(&dom);
	early = fast_only_done(&dom);
	srcu_fast_read_unlock(section);
	while (!fast_only_done(&dom))
		;
	return early;
}

/* Without the flip: the bank is looked at that was not in use, and still is not. */
static bool no_flip(void)
{
	struct srcu_ctr *section = srcu_fast_read_lock_slow(&dom.fast, &dom.idx);
	bool early = srcu_fast_idx_check(&dom.fast, (dom.idx & 1) ^ 1, true);

	srcu_fast_read_unlock(section);
	return early;
}

/* Something happens while a reader has the index and has not counted. */
static bool stale(unsigned int with, void (*meanwhile)(void))
{
	struct srcu_ctr *section;
	bool early;

	faults = with;
	window = meanwhile;
	section = srcu_fast_read_lock_slow(&dom.fast, &dom.idx);
	assert_null(window);
	early = too_short(section);
	faults = 0;
	assert_false(srcu_fast_readers_active(&dom.fast));
	return early;
}

static void one_grace_period(void)
{
	fast_only_gp(&dom);
}

static void two_grace_periods(void)
{
	fast_only_gp(&dom);
	fast_only_gp(&dom);
}

static void half_a_grace_period(void)
{
	fast_only_start(&dom);
}

/* Readers that look again: the ones that have rseq have no such window. */
static int no_rseq(void **state)
{
	(void)state;
	return srcu_fast_limit(SRCU_FAST_BY_MEMBARRIER) || srcu_fast_mode() ? 0 : -1;
}

static int release(void **state)
{
	(void)state;
	srcu_fast_release(&dom.fast);
	return 0;
}

static void test_no_flip(void **state)
{
	struct srcu_ctr *section;

	(void)state;
	assert_true(no_flip());
	section = srcu_fast_read_lock_slow(&dom.fast, &dom.idx);
	assert_false(too_short(section));
}

static void test_stale(void **state)
{
	(void)state;
	assert_true(stale(SRCU_FAST_STALE, one_grace_period));
	assert_false(stale(0, one_grace_period));
	assert_false(stale(0, half_a_grace_period));
}

/* After as many flips the index is the old one again, and there is no harm in that. */
static void test_back_again(void **state)
{
	(void)state;
	assert_false(stale(SRCU_FAST_STALE, two_grace_periods));
	assert_false(stale(0, two_grace_periods));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_flip),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_back_again),
	};

	return cmocka_run_group_tests(tests, no_rseq, release);
}
