/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libsrcu without memory and without threads: the program's own aligned_alloc() and
 * pthread_create() refuse when told to, in place of the C library's.  What can say so says
 * so; what cannot, works without.
 */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <srcu/srcu.h>

static bool no_memory, no_threads;
static unsigned refused;

/* In libsrcu's files these stand for what is said behind -D, see Makefile.am. */
void *test_aligned_alloc(size_t align, size_t size);
int test_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int test_pthread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void));

void *test_aligned_alloc(size_t align, size_t size)
{
	if (no_memory) {
		refused++;
		return NULL;
	}
	return aligned_alloc(align, size);
}

int test_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	if (no_threads) {
		refused++;
		return EAGAIN;
	}
	return pthread_create(t, attr, fn, arg);
}

int test_pthread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void))
{
	if (no_memory) {
		refused++;
		return ENOMEM;
	}
	return pthread_atfork(before, parent, child);
}

static void count(struct srcu_head *head)
{
	(*(unsigned long *)(void *)(head + 1))++;
}

/* Run first: there is no worker yet. */
static void no_worker(void **state)
{
	static SRCU_DEFINE(d);
	static struct { struct srcu_head head; unsigned long n; } c;
	unsigned long cookie;
	int idx;

	(void)state;
	no_threads = true;
	refused = 0;
	assert_int_equal(srcu_call(&d, &c.head, count), EAGAIN);
	srcu_synchronize(&d);
	assert_int_equal(srcu_barrier(&d), EAGAIN);
	assert_true(refused >= 2);
	/* who polls does the worker's work */
	idx = srcu_read_lock(&d);
	cookie = srcu_start_poll(&d);
	for (int i = 0; i < 100; i++)
		assert_false(srcu_poll_state(&d, cookie));
	srcu_read_unlock(&d, idx);
	for (int i = 0; i < 10 && !srcu_poll_state(&d, cookie); i++)
		;
	assert_true(srcu_poll_state(&d, cookie));
	assert_int_equal(srcu_cleanup(&d), 0);

	no_threads = false;	/* the head was not posted: it may be now */
	assert_int_equal(srcu_call(&d, &c.head, count), 0);
	assert_int_equal(srcu_barrier(&d), 0);
	assert_int_equal(c.n, 1);
	assert_int_equal(srcu_cleanup(&d), 0);
}

static void init_says_so(void **state)
{
	struct srcu_options o = { .size = sizeof(o), .cpus = 100 };
	struct srcu_domain d;

	(void)state;
	no_memory = true;
	refused = 0;
	assert_int_equal(srcu_init(&d), ENOMEM);
	assert_int_equal(srcu_init_options(&d, &o), ENOMEM);
	assert_int_equal(refused, 2);
	no_memory = false;
	assert_int_equal(srcu_init_options(&d, &o), 0);
	assert_int_equal(srcu_cleanup(&d), 0);
}

/* A static domain's first use cannot fail: it has one CPU's structures in itself. */
static void first_use_works(void **state)
{
	static SRCU_DEFINE(reader_first);
	static SRCU_DEFINE(updater_first);
	static struct { struct srcu_head head; unsigned long n; } c;
	unsigned long cookie;
	int idx;

	(void)state;
	no_memory = true;
	refused = 0;
	idx = srcu_read_lock(&reader_first);
	assert_true(refused > 0);
	srcu_synchronize(&updater_first);
	cookie = srcu_start_poll(&reader_first);
	for (int i = 0; i < 1000; i++)
		assert_false(srcu_poll_state(&reader_first, cookie));
	srcu_read_unlock(&reader_first, idx);
	srcu_synchronize(&reader_first);
	assert_true(srcu_poll_state(&reader_first, cookie));
	assert_int_equal(srcu_call(&updater_first, &c.head, count), 0);
	assert_int_equal(srcu_barrier(&updater_first), 0);
	assert_int_equal(c.n, 1);
	no_memory = false;
	srcu_synchronize(&reader_first);
	assert_int_equal(srcu_cleanup(&reader_first), 0);
	assert_int_equal(srcu_cleanup(&updater_first), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_worker),
		cmocka_unit_test(init_says_so),
		cmocka_unit_test(first_use_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
