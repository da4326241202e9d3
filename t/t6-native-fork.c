/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libsrcu and fork(): what the child has of its parent's domains, and that neither is
 * disturbed by the other.  A child tells by its exit status which of its checks failed.
 */
#include <config.h>

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <srcu/srcu.h>

#define CHILD_SECONDS 60	/* a child that hangs is ended by SIGALRM */

#define CHILD_CHECK(cond) do { if (!(cond)) _exit(__LINE__ % 250 + 1); } while (0)

static pid_t forked(void)
{
	pid_t pid = fork();

	if (pid == 0)
		alarm(CHILD_SECONDS);
	return pid;
}

static void child_ends_well(pid_t pid)
{
	int status;

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);	/* else a line of this file */
}

/* Children of threaded processes make threads here, for which ThreadSanitizer would end them. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) { return "die_after_fork=0"; }

struct counted { struct srcu_head head; unsigned long *n; };

static void count(struct srcu_head *head)
{
	struct counted *c = (struct counted *)head;

	__atomic_fetch_add(c->n, 1, __ATOMIC_RELAXED);
}

/* Everything that a domain can be asked for, in a child. */
static void use_all(struct srcu_domain *d)
{
	static unsigned long n;
	static struct counted c[3];
	unsigned long cookie, before = n;
	int idx = srcu_read_lock(d);

	cookie = srcu_start_poll(d);
	CHILD_CHECK(!srcu_poll_state(d, cookie));
	srcu_read_unlock(d, idx);
	srcu_synchronize(d);
	CHILD_CHECK(srcu_poll_state(d, cookie));
	for (int i = 0; i < 3; i++) {
		c[i] = (struct counted){ .n = &n };
		CHILD_CHECK(srcu_call(d, &c[i].head, count) == 0);
	}
	CHILD_CHECK(srcu_barrier(d) == 0);
	CHILD_CHECK(n == before + 3);
}

/* --- */

static struct {
	struct srcu_domain d;
	unsigned long stop, inside;
} busy;

static void *reads(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&busy.stop, __ATOMIC_RELAXED)) {
		int idx = srcu_read_lock(&busy.d);

		__atomic_store_n(&busy.inside, 1, __ATOMIC_RELEASE);
		sched_yield();
		srcu_read_unlock(&busy.d, idx);
	}
	return NULL;
}

static void *updates(void *arg)
{
	static unsigned long n;
	struct counted *c = arg;

	c->n = &n;
	while (!__atomic_load_n(&busy.stop, __ATOMIC_RELAXED)) {
		(void)srcu_call(&busy.d, &c->head, count);	/* or it is queued still */
		srcu_synchronize(&busy.d);
	}
	return NULL;
}

/* Readers, updaters and the worker are somewhere when the fork comes. */
static void fork_amid_everything(void **state)
{
	static struct counted c[2];
	pthread_t t[4];

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_create(&t[i], NULL, reads, NULL), 0);
		assert_int_equal(pthread_create(&t[2 + i], NULL, updates, &c[i]), 0);
	}
	while (!__atomic_load_n(&busy.inside, __ATOMIC_ACQUIRE))
		sched_yield();
	for (int i = 0; i < 60; i++) {
		pid_t pid = forked();

		if (pid == 0) {
			use_all(&busy.d);
			CHILD_CHECK(srcu_cleanup(&busy.d) == 0);
			_exit(0);
		}
		child_ends_well(pid);
	}
	__atomic_store_n(&busy.stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(srcu_barrier(&busy.d), 0);
	assert_int_equal(srcu_cleanup(&busy.d), 0);
}

/* The parent's section goes on in the parent, and is none in the child, or its child. */
static void fork_in_a_section(void **state)
{
	static SRCU_DEFINE(d);
	unsigned long cookie;
	int idx;
	pid_t pid;

	(void)state;
	idx = srcu_read_lock(&d);
	cookie = srcu_start_poll(&d);
	pid = forked();
	if (pid == 0) {
		int own;

		srcu_synchronize(&d);		/* does not wait for it */
		CHILD_CHECK(srcu_poll_state(&d, cookie));
		own = srcu_read_lock(&d);
		srcu_read_unlock(&d, idx);	/* ends nothing */
		cookie = srcu_start_poll(&d);
		for (int i = 0; i < 1000; i++)
			CHILD_CHECK(!srcu_poll_state(&d, cookie));
		pid = forked();
		if (pid == 0) {
			srcu_read_unlock(&d, idx);
			srcu_read_unlock(&d, own);
			use_all(&d);
			_exit(0);
		}
		{
			int status;

			CHILD_CHECK(waitpid(pid, &status, 0) == pid && status == 0);
		}
		CHILD_CHECK(!srcu_poll_state(&d, cookie));
		srcu_read_unlock(&d, own);
		use_all(&d);
		_exit(0);
	}
	child_ends_well(pid);
	for (int i = 0; i < 1000; i++)
		assert_false(srcu_poll_state(&d, cookie));
	srcu_read_unlock(&d, idx);
	srcu_synchronize(&d);
	assert_true(srcu_poll_state(&d, cookie));
	assert_int_equal(srcu_cleanup(&d), 0);
}

/* Callbacks that wait are invoked in both, and none twice. */
static void fork_with_callbacks(void **state)
{
	enum { N = 500 };
	static SRCU_DEFINE(d);
	static struct counted c[N];
	static unsigned long n;
	int idx;
	pid_t pid;

	(void)state;
	idx = srcu_read_lock(&d);
	for (int i = 0; i < N; i++) {
		c[i].n = &n;
		assert_int_equal(srcu_call(&d, &c[i].head, count), 0);
	}
	pid = forked();
	if (pid == 0) {
		CHILD_CHECK(n == 0);
		CHILD_CHECK(srcu_barrier(&d) == 0);
		CHILD_CHECK(n == N);
		CHILD_CHECK(srcu_call(&d, &c[0].head, count) == 0);
		CHILD_CHECK(srcu_barrier(&d) == 0);
		CHILD_CHECK(n == N + 1);
		use_all(&d);
		_exit(0);
	}
	child_ends_well(pid);
	assert_int_equal(n, 0);
	srcu_read_unlock(&d, idx);
	assert_int_equal(srcu_barrier(&d), 0);
	assert_int_equal(n, N);
	assert_int_equal(srcu_cleanup(&d), 0);
}

/* --- in the middle of a batch --- */

static struct {
	struct srcu_domain d;
	struct counted c[20];
	unsigned long n, in_first, go_on;
	pid_t pid;
} mid;

static void first_of_batch(struct srcu_head *head)
{
	count(head);
	__atomic_store_n(&mid.in_first, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&mid.go_on, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void begin_batch(void (*first)(struct srcu_head *))
{
	memset(&mid, 0, sizeof(mid));
	/* one list, so that they are one batch */
	assert_int_equal(srcu_init_options(&mid.d, &(struct srcu_options){
		.size = sizeof(struct srcu_options), .cpus = 1 }), 0);
	for (int i = 0; i < 20; i++) {
		mid.c[i].n = &mid.n;
		assert_int_equal(srcu_call(&mid.d, &mid.c[i].head, i ? count : first), 0);
	}
}

/* The one that is being invoked is the parent's, those behind it are everybody's. */
static void fork_amid_a_batch(void **state)
{
	pid_t pid;

	(void)state;
	begin_batch(first_of_batch);
	while (!__atomic_load_n(&mid.in_first, __ATOMIC_ACQUIRE))
		sched_yield();
	pid = forked();
	if (pid == 0) {
		CHILD_CHECK(srcu_barrier(&mid.d) == 0);
		CHILD_CHECK(mid.n == 20);
		use_all(&mid.d);
		CHILD_CHECK(srcu_cleanup(&mid.d) == 0);
		_exit(0);
	}
	child_ends_well(pid);
	__atomic_store_n(&mid.go_on, 1, __ATOMIC_RELEASE);
	assert_int_equal(srcu_barrier(&mid.d), 0);
	assert_int_equal(mid.n, 20);
	assert_int_equal(srcu_cleanup(&mid.d), 0);
}

static void exits_after_all(struct srcu_head *head)
{
	count(head);
	_exit(mid.n == 21 ? 0 : (int)mid.n + 1);
}

/* In the child it uses the domain, and returns: the child's only thread is its worker. */
static void forks(struct srcu_head *head)
{
	static struct counted last;

	count(head);
	mid.pid = forked();
	if (mid.pid)
		return;
	srcu_synchronize(&mid.d);
	last.n = &mid.n;
	CHILD_CHECK(srcu_call(&mid.d, &last.head, exits_after_all) == 0);
}

static void fork_in_a_callback(void **state)
{
	(void)state;
	begin_batch(forks);
	assert_int_equal(srcu_barrier(&mid.d), 0);
	assert_int_equal(mid.n, 20);
	child_ends_well(mid.pid);
	assert_int_equal(srcu_cleanup(&mid.d), 0);
}

int main(void)
{
#ifdef __SANITIZE_ADDRESS__
	/* at a fork() another thread may have its allocator's lock, which then nobody gives
	 * back in the child */
	puts("1..0 # SKIP AddressSanitizer's own locks do not survive a fork of several threads");
	return 0;
#endif
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fork_in_a_section),
		cmocka_unit_test(fork_with_callbacks),
		cmocka_unit_test(fork_amid_everything),
		cmocka_unit_test(fork_amid_a_batch),
		cmocka_unit_test(fork_in_a_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
