/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Grace-period sequence numbers: the arithmetic of srcu/seq.h at each width,
 * against a model that counts in 64 bits and never wraps.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "srcu/seq.h"

static const unsigned widths[] = { 4, 5, 8, 13, 32, 63, 64 };

static uint64_t rnd(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	return *s ^= *s << 17;
}

static void masks(void **state)
{
	(void)state;
	assert_true(seq_mask(0) == ULONG_MAX);
	assert_true(seq_mask(64) == ULONG_MAX);
	assert_true(seq_mask(4) == 15);
	assert_true(seq_mask(63) == ULONG_MAX / 2);
}

/* A grace period goes 0, 1, 2 and on to the next multiple of four. */
static void life_of_a_grace_period(void **state)
{
	unsigned long s = 0, mask = seq_mask(4);

	(void)state;
	for (int i = 0; i < 9; i++) {
		assert_int_equal(seq_ctr(s), i % 4);
		assert_int_equal(seq_state(s), 0);
		s = seq_started(s, mask);
		assert_int_equal(seq_state(s), 1);
		s = seq_with_state(s, 2);
		assert_int_equal(seq_state(s), 2);
		assert_int_equal(seq_ctr(s), i % 4);
		s = seq_ended(s, mask);
	}
}

static void snapshots(void **state)
{
	unsigned long mask = seq_mask(64);

	(void)state;
	assert_int_equal(seq_snap(0, mask), 4);	/* idle: the next one */
	assert_int_equal(seq_snap(1, mask), 8);	/* under way: the one after it */
	assert_int_equal(seq_snap(2, mask), 8);
	assert_int_equal(seq_snap(4, mask), 8);
	assert_int_equal(seq_snap(13, seq_mask(4)), 4);	/* round the corner */
}

/* a + d is after a for each d up to half the range, whatever a. */
static void comparisons(void **state)
{
	uint64_t seed = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(widths) / sizeof(*widths); i++) {
		unsigned long mask = seq_mask(widths[i]);

		for (int k = 0; k < 20000; k++) {
			unsigned long a = rnd(&seed) & mask;
			unsigned long d = rnd(&seed) & (mask / 2);

			if (k % 4 == 0)
				d %= 16;
			d &= mask / 2;
			assert_true(seq_ge(a + d, a, mask));
			assert_false(seq_lt((a + d) & mask, a, mask));
			if (!d)
				continue;
			assert_true(seq_lt(a, (a + d) & mask, mask));
			assert_false(seq_ge(a, (a + d) & mask, mask));
		}
	}
}

/* Moves a number and the model's on by one state, now and then. */
static void walk(unsigned long *s, uint64_t *m, unsigned long mask)
{
	switch (seq_state(*s)) {
	case 0:
		*s = seq_started(*s, mask);
		*m += 1;
		break;
	case 1:
		*s = seq_with_state(*s, 2);
		*m += 1;
		break;
	default:
		*s = seq_ended(*s, mask);
		*m += 2;
		break;
	}
}

/*
 * A snapshot is over when the model says so, for as long as no more than a third
 * of the range goes by; and a full grace period lies in between.
 */
static void polling_against_the_model(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(widths) / sizeof(*widths); i++) {
		unsigned long mask = seq_mask(widths[i]), s = 0;
		uint64_t m = 0;

		for (int k = 0; k < 500; k++) {
			unsigned long cookie = seq_snap(s, mask);
			uint64_t want = (m + 7) & ~(uint64_t)3, from = m;
			int starts = 0;

			for (uint64_t left = rnd(&seed) % 10; left; left--) {
				if (seq_state(s) == 0)
					starts++;
				walk(&s, &m, mask);
				assert_int_equal(s, m & mask);
				if (m - from > mask / 3)
					break;
				assert_int_equal(seq_ge(s, cookie, mask), m >= want);
				if (m >= want)
					assert_true(starts >= 1);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(masks),
		cmocka_unit_test(life_of_a_grace_period),
		cmocka_unit_test(snapshots),
		cmocka_unit_test(comparisons),
		cmocka_unit_test(polling_against_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
