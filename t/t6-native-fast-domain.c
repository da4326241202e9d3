/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fast readers in a domain of libsrcu's, by the installed header alone: every way to wait
 * for them, both kinds of readers in one domain, sections across threads and a fork.
 */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <srcu/srcu.h>

static SRCU_DEFINE(dom);

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define STORE(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELEASE)

/* --- the guarantee, whoever waits --- */

/* An object is overwritten before it is freed, and its reader looks for that. */
struct thing {
	unsigned long alive;
	struct srcu_head head;
};
static struct thing *current;
static int stop;
static unsigned long wrong, sections;

static struct thing *thing_new(void)
{
	struct thing *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->alive = 1;
	return t;
}

static void thing_free(struct thing *t)
{
	__atomic_store_n(&t->alive, 0, __ATOMIC_RELAXED);
	free(t);
}

static void thing_callback(struct srcu_head *head)
{
	thing_free((struct thing *)((char *)head - offsetof(struct thing, head)));
}

static void *reader(void *arg)
{
	unsigned long n = 0;

	do {
		struct srcu_ctr *outer = srcu_read_lock_fast(&dom);
		struct thing *t = LOAD(current);
		struct srcu_ctr *inner = srcu_read_lock_fast(&dom);

		for (unsigned long i = 0; i < n % 32; i++)
			if (!__atomic_load_n(&t->alive, __ATOMIC_RELAXED))
				__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
		srcu_read_unlock_fast(&dom, inner);
		if (n % 256 == 0)
			sched_yield();
		srcu_read_unlock_fast(&dom, outer);
		n++;
	} while (!LOAD(stop));
	__atomic_fetch_add(&sections, n, __ATOMIC_RELAXED);
	return arg;
}

/* Replaces the object n times; what becomes of the old one is the turn's. */
static void *updater(void *arg)
{
	for (int i = 0; i < 60; i++) {
		struct thing *old = __atomic_exchange_n(&current, thing_new(), __ATOMIC_ACQ_REL);
		unsigned long cookie;

		switch (i % 4) {
		case 0:
			srcu_synchronize(&dom);
			thing_free(old);
			break;
		case 1:
			srcu_synchronize_expedited(&dom);
			thing_free(old);
			break;
		case 2:
			assert_int_equal(srcu_call(&dom, &old->head, thing_callback), 0);
			break;
		default:
			cookie = srcu_start_poll(&dom);
			while (!srcu_poll_state(&dom, cookie))
				sched_yield();
			thing_free(old);
		}
	}
	return arg;
}

static void test_guarantee(void **state)
{
	pthread_t readers[2], updaters[2];

	(void)state;
	current = thing_new();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_create(&readers[i], NULL, reader, NULL), 0);
		assert_int_equal(pthread_create(&updaters[i], NULL, updater, NULL), 0);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(updaters[i], NULL), 0);
	STORE(stop, 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(readers[i], NULL), 0);
	assert_int_equal(srcu_barrier(&dom), 0);
	assert_int_equal(wrong, 0);
	assert_true(sections >= 2);
	thing_free(current);
	assert_int_equal(srcu_cleanup(&dom), 0);
}

/* --- a section holds a grace period up, until it is ended, by whomever --- */

static void *ender(void *arg)
{
	srcu_up_read_fast(&dom, arg);
	return NULL;
}

static void *pass_grace_periods(void *arg)
{
	srcu_synchronize(&dom);
	STORE(*(int *)arg, 1);
	return NULL;
}

static void test_held_up(void **state)
{
	struct srcu_ctr *ctr = srcu_down_read_fast(&dom);
	pthread_t waiter, other;
	unsigned long cookie;
	int passed = 0;

	(void)state;
	cookie = srcu_start_poll(&dom);
	assert_int_equal(pthread_create(&waiter, NULL, pass_grace_periods, &passed), 0);
	for (int i = 0; i < 100; i++) {
		assert_false(srcu_poll_state(&dom, cookie));
		sched_yield();
	}
	assert_false(LOAD(passed));
	assert_int_equal(srcu_cleanup(&dom), EBUSY);
	assert_int_equal(pthread_create(&other, NULL, ender, ctr), 0);
	assert_int_equal(pthread_join(other, NULL), 0);
	assert_int_equal(pthread_join(waiter, NULL), 0);
	assert_true(LOAD(passed));
	assert_true(srcu_poll_state(&dom, cookie));
	assert_int_equal(srcu_cleanup(&dom), 0);
}

/* --- in children --- */

static int child_status(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		alarm(60);
		fn();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void normal_in_fast(void)
{
	srcu_read_unlock_fast(&dom, srcu_read_lock_fast(&dom));
	if (!freopen("/dev/null", "w", stderr))
		_exit(1);
	srcu_read_unlock(&dom, srcu_read_lock(&dom));
}

static void fast_in_normal(void)
{
	srcu_read_unlock(&dom, srcu_read_lock(&dom));
	if (!freopen("/dev/null", "w", stderr))
		_exit(1);
	srcu_read_unlock_fast(&dom, srcu_read_lock_fast(&dom));
}

static void test_mixed(void **state)
{
	int status;

	(void)state;
	status = child_status(normal_in_fast);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	status = child_status(fast_in_normal);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static struct srcu_ctr *before_fork;

/* The section goes on; other threads' do not. */
static void in_child(void)
{
	unsigned long cookie = srcu_start_poll(&dom);

	for (int i = 0; i < 100; i++) {
		if (srcu_poll_state(&dom, cookie))
			_exit(1);
		sched_yield();
	}
	srcu_read_unlock_fast(&dom, before_fork);
	srcu_synchronize(&dom);
	if (!srcu_poll_state(&dom, cookie))
		_exit(2);
	srcu_read_unlock_fast(&dom, srcu_read_lock_fast(&dom));
	srcu_synchronize(&dom);
	_exit(srcu_cleanup(&dom) ? 3 : 0);
}

static pthread_barrier_t in, out;

static void *holder(void *arg)
{
	struct srcu_ctr *ctr = srcu_read_lock_fast(&dom);

	pthread_barrier_wait(&in);
	pthread_barrier_wait(&out);
	srcu_read_unlock_fast(&dom, ctr);
	return arg;
}

static void test_fork(void **state)
{
	pthread_t t;
	int status;

	(void)state;
#ifdef SRCU_FAST_TSAN
	skip();		/* it lets no child of a process with threads have threads */
#endif
	assert_int_equal(pthread_barrier_init(&in, NULL, 2), 0);
	assert_int_equal(pthread_barrier_init(&out, NULL, 2), 0);
	assert_int_equal(pthread_create(&t, NULL, holder, NULL), 0);
	pthread_barrier_wait(&in);
	before_fork = srcu_read_lock_fast(&dom);
	status = child_status(in_child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	srcu_read_unlock_fast(&dom, before_fork);
	pthread_barrier_wait(&out);
	assert_int_equal(pthread_join(t, NULL), 0);
	srcu_synchronize(&dom);
	assert_int_equal(srcu_cleanup(&dom), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guarantee),
		cmocka_unit_test(test_held_up),
		cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
