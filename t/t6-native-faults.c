/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libsrcu, broken on purpose: its files are compiled into this test with a fault mask that
 * is not 0, and the same check that finds nothing without a fault must catch each of these.
 * Readers here decide when a grace period looks, so that no race has to be won.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <srcu/srcu.h>

#include "srcu/common.h"

unsigned int test_faults;	/* SRCU_FAULT_VARIABLE, see Makefile.am */

/*
 * A section that was open before each of three grace periods must hold up all of them: the
 * first finds it in the bank in use, the later ones in the other.  Returns how many a
 * poller saw end.
 */
static unsigned ended_too_early(struct srcu_domain *d)
{
	unsigned early = 0;

	for (int flips = 0; flips < 4; flips++) {
		unsigned long cookie;
		int idx;

		for (int i = 0; i < flips; i++)
			srcu_synchronize(d);
		idx = srcu_read_lock(d);
		cookie = srcu_start_poll(d);
		for (int i = 0; i < 300; i++)
			if (srcu_poll_state(d, cookie)) {
				early++;
				break;
			}
		srcu_read_unlock(d, idx);
		srcu_synchronize(d);
		assert_true(srcu_poll_state(d, cookie));
	}
	return early;
}

/*
 * The index was fetched long before the count: such a reader counts in the bank that is
 * not in use when the grace period begins, which only SCAN1 looks at.  A lock that counts
 * in the other bank than the next reader would, is what that looks like from outside.
 */
static bool late_count_missed(struct srcu_domain *d)
{
	unsigned long cookie;
	bool missed = false;
	int idx = srcu_read_lock(d);

	/* as if the index had been fetched before the last flip: undo and count there */
	d->percpu_[0].lock_count[!idx]++;
	srcu_read_unlock(d, idx);
	cookie = srcu_start_poll(d);
	for (int i = 0; i < 300 && !missed; i++)
		missed = srcu_poll_state(d, cookie);
	d->percpu_[0].unlock_count[!idx]++;
	srcu_synchronize(d);
	assert_true(srcu_poll_state(d, cookie));
	return missed;
}

/* Without a worker a poll is a pass: see t6-native-oom. */
int test_pthread_create(void *t, const void *attr, void *(*fn)(void *), void *arg);

int test_pthread_create(void *t, const void *attr, void *(*fn)(void *), void *arg)
{
	(void)t; (void)attr; (void)fn; (void)arg;
	return 1;
}

static unsigned run(unsigned faults, bool late)
{
	SRCU_DEFINE(d);
	unsigned n;

	test_faults = faults;
	n = late ? late_count_missed(&d) : ended_too_early(&d);
	test_faults = 0;
	srcu_synchronize(&d);
	assert_int_equal(srcu_cleanup(&d), 0);
	return n;
}

static void no_fault(void **state)
{
	(void)state;
	assert_int_equal(run(0, false), 0);
	assert_int_equal(run(0, true), 0);
	/* scans both banks, if not for ever new readers keep it from ending */
	assert_int_equal(run(SRCU_FAULT_BOTH_BANKS, false), 0);
}

static void no_flip(void **state)
{
	(void)state;
	assert_int_not_equal(run(SRCU_FAULT_NO_FLIP, false), 0);
}

static void no_scan2(void **state)
{
	(void)state;
	assert_int_not_equal(run(SRCU_FAULT_NO_SCAN2, false), 0);
}

static void no_scan1(void **state)
{
	(void)state;
	assert_int_not_equal(run(SRCU_FAULT_NO_SCAN1, true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_fault),
		cmocka_unit_test(no_flip),
		cmocka_unit_test(no_scan2),
		cmocka_unit_test(no_scan1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
