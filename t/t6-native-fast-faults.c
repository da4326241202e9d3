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

#include "libsrcu/fast.h"

static unsigned int faults;
static void (*window)(struct srcu_fast *f);

static void in_window(struct srcu_fast *f)
{
	void (*fn)(struct srcu_fast *) = window;

	window = NULL;
	if (fn)
		fn(f);
}

#undef SRCU_FAST_FAULTS
#undef SRCU_FAST_WINDOW
#define SRCU_FAST_FAULTS faults
#define SRCU_FAST_WINDOW(f) in_window(f)
#include "libsrcu/fast.c"

static struct srcu_fast dom;

/* Does a grace period that begins now end although the section goes on? */
static bool too_short(struct srcu_ctr *section)
{
	bool early;

	srcu_fast_gp_start(&dom);
	early = srcu_fast_gp_done(&dom);
	srcu_fast_read_unlock(&dom, section);
	while (!srcu_fast_gp_done(&dom))
		;
	return early;
}

static bool simple(unsigned int with)
{
	struct srcu_ctr *ctr;
	bool early;

	faults = with;
	ctr = srcu_fast_read_lock_slow(&dom);
	early = too_short(ctr);
	faults = 0;
	srcu_fast_release(&dom);
	return early;
}

/* So many grace periods pass while a reader has the index and has not counted. */
static bool stale(unsigned int with, void (*meanwhile)(struct srcu_fast *))
{
	struct srcu_ctr *ctr;
	bool early;

	faults = with;
	window = meanwhile;
	ctr = srcu_fast_read_lock_slow(&dom);
	assert_null(window);
	early = too_short(ctr);
	faults = 0;
	srcu_fast_release(&dom);
	return early;
}

static void two_grace_periods(struct srcu_fast *f)
{
	srcu_fast_gp(f);
	srcu_fast_gp(f);
}

static void half_a_grace_period(struct srcu_fast *f)
{
	srcu_fast_gp_start(f);
}

/* Readers that look again: the ones that have rseq have no such window. */
static int no_rseq(void **state)
{
	(void)state;
	return srcu_fast_limit(SRCU_FAST_BY_MEMBARRIER) || srcu_fast_mode() ? 0 : -1;
}

static void test_no_flip(void **state)
{
	(void)state;
	assert_true(simple(SRCU_FAST_NO_FLIP));
	assert_false(simple(0));
}

static void test_stale(void **state)
{
	(void)state;
	assert_true(stale(SRCU_FAST_STALE, srcu_fast_gp));
	assert_false(stale(0, srcu_fast_gp));
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

	return cmocka_run_group_tests(tests, no_rseq, NULL);
}
