/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libsrcu's readers under SRCU_DEBUG, and misuse that is found without it: each mistake is
 * made in a child, which must be ended by SIGABRT and have told what was wrong.  And what
 * is right must pass.
 */
#include <config.h>

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <srcu/srcu.h>

static SRCU_DEFINE(a);
static SRCU_DEFINE(b);

/* Runs fn in a child.  Returns whether it was aborted; `said` has what it wrote. */
static bool aborts(void (*fn)(void), char *said, size_t size)
{
	struct rlimit no_core = { 0, 0 };
	int fds[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(60);
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		dup2(fds[1], STDERR_FILENO);
		fn();
		_exit(0);
	}
	close(fds[1]);
	while ((n = read(fds[0], said + len, size - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = 0;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void must_abort(void (*fn)(void), const char *const words[])
{
	char said[4096];

	assert_true(aborts(fn, said, sizeof(said)));
	assert_memory_equal(said, "libsrcu: ", 9);
	for (; *words; words++)
		if (!strstr(said, *words))
			fail_msg("\"%s\" is not in: %s", *words, said);
}

static void unlock_twice(void)
{
	int idx = srcu_read_lock(&a);

	srcu_read_unlock(&a, idx);
	srcu_read_unlock(&a, idx);
}

static void foreign_domain(void)
{
	int idx = srcu_read_lock(&a);

	srcu_read_unlock(&b, idx);
}

static void foreign_index(void)
{
	int idx = srcu_read_lock(&a);

	srcu_read_unlock(&a, !idx);
}

static void fast_unlock_twice(void)
{
	struct srcu_ctr *ctr = srcu_read_lock_fast(&a);

	srcu_read_unlock_fast(&a, ctr);
	srcu_read_unlock_fast(&a, ctr);
}

static void fast_foreign_domain(void)
{
	struct srcu_ctr *ctr = srcu_read_lock_fast(&a);

	srcu_read_unlock_fast(&b, srcu_read_lock_fast(&b));
	srcu_read_unlock_fast(&b, ctr);
}

static void fast_foreign_counter(void)
{
	srcu_read_unlock_fast(&a, srcu_read_lock_fast(&a) + 1);
}

static void fast_null(void)
{
	(void)srcu_read_lock_fast(&a);
	srcu_read_unlock_fast(&a, NULL);
}

static void *ends_it(void *ctr)
{
	srcu_read_unlock_fast(&a, ctr);
	return NULL;
}

static void fast_in_another_thread(void)
{
	pthread_t t;

	pthread_create(&t, NULL, ends_it, srcu_read_lock_fast(&a));
	pthread_join(t, NULL);
}

static void fast_waits_for_itself(void)
{
	(void)srcu_read_lock_fast(&a);
	srcu_synchronize_expedited(&a);
}

static void *leaves_it_open_fast(void *arg)
{
	(void)arg;
	(void)srcu_read_lock_fast(&a);
	return NULL;
}

static void fast_exit_in_a_section(void)
{
	pthread_t t;

	pthread_create(&t, NULL, leaves_it_open_fast, NULL);
	pthread_join(t, NULL);
}

static void waits_for_itself(void)
{
	(void)srcu_read_lock(&a);
	srcu_synchronize(&a);
}

static void barrier_waits_for_itself(void)
{
	(void)srcu_read_lock(&a);
	(void)srcu_barrier(&a);
}

static void *leaves_it_open(void *arg)
{
	(void)arg;
	(void)srcu_read_lock(&a);
	return NULL;
}

static void exit_in_a_section(void)
{
	pthread_t t;

	pthread_create(&t, NULL, leaves_it_open, NULL);
	pthread_join(t, NULL);
}

static void mixed(void)
{
	srcu_read_unlock(&a, srcu_read_lock(&a));
	(void)srcu_read_lock_fast(&a);
}

static void mixed_the_other_way(void)
{
	srcu_read_unlock_fast(&b, srcu_read_lock_fast(&b));
	(void)srcu_read_lock(&b);
}

/* Without watching, too. */
static void no_such_index(void)
{
	srcu_read_unlock_call(&a, (srcu_read_lock)(&a) + 2);
}

static void never_used(void)
{
	srcu_read_unlock_call(&b, 0);
}

static void mistakes(void **state)
{
	(void)state;
	must_abort(unlock_twice, (const char *const[]){ "has not begun that section",
		"no section open", "ended: ", "t6-native-debug.c:", NULL });
	must_abort(foreign_domain, (const char *const[]){ "has not begun that section",
		"open: ", NULL });
	must_abort(foreign_index, (const char *const[]){ "has not begun that section",
		"open: ", NULL });
	must_abort(waits_for_itself, (const char *const[]){
		"srcu_synchronize() at ", "of its own thread", "open: ", NULL });
	must_abort(barrier_waits_for_itself, (const char *const[]){
		"srcu_barrier() at ", "of its own thread", NULL });
	must_abort(exit_in_a_section, (const char *const[]){ "exits in a section",
		"open: ", NULL });
}

static void mistakes_of_fast_readers(void **state)
{
	(void)state;
	must_abort(fast_unlock_twice, (const char *const[]){ "has not begun that section",
		"no section open", "ended: ", "counter ", "t6-native-debug.c:", NULL });
	must_abort(fast_foreign_domain, (const char *const[]){ "has not begun that section",
		"open: ", "ended: ", NULL });
	must_abort(fast_foreign_counter, (const char *const[]){ "has not begun that section",
		"open: ", NULL });
	must_abort(fast_null, (const char *const[]){ "has not begun that section", "open: ", NULL });
	must_abort(fast_in_another_thread, (const char *const[]){ "has not begun that section",
		"no section open", NULL });
	must_abort(fast_waits_for_itself, (const char *const[]){
		"srcu_synchronize_expedited() at ", "of its own thread", "open: ", NULL });
	must_abort(fast_exit_in_a_section, (const char *const[]){ "exits in a section",
		"open: ", NULL });
}

static void mistakes_without_watching(void **state)
{
	(void)state;
	must_abort(mixed, (const char *const[]){ "srcu_read_lock_fast()", "normal", NULL });
	must_abort(mixed_the_other_way, (const char *const[]){ "srcu_read_lock()", "fast", NULL });
	must_abort(no_such_index, (const char *const[]){ "srcu_read_unlock()", NULL });
	must_abort(never_used, (const char *const[]){ "srcu_read_unlock()", NULL });
}

/* Nested, overlapping, more than are watched, across a fork, handed over. */
static void all_is_well(void)
{
	int idx[200], outer = srcu_read_lock(&a), down, status;
	pid_t pid;

	srcu_synchronize(&b);
	for (int i = 0; i < 200; i++)
		idx[i] = srcu_read_lock(&b);
	for (int i = 0; i < 200; i++)
		srcu_read_unlock(&b, idx[i]);
	down = srcu_down_read(&a);
	pid = fork();
	if (pid == 0) {
		int own = srcu_read_lock(&a);

		srcu_read_unlock(&a, outer);
		srcu_read_unlock(&a, own);
		srcu_synchronize(&a);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		abort();
	srcu_read_unlock(&a, outer);
	srcu_up_read(&a, down);
	srcu_synchronize(&a);
	srcu_synchronize(&b);
}

/* The same of fast ones.  In the child the forking thread's sections are open. */
static void all_is_well_fast(void)
{
	struct srcu_ctr *ctr[200], *outer = srcu_read_lock_fast(&a), *down;
	int status;
	pid_t pid;

	for (int i = 0; i < 200; i++)
		ctr[i] = srcu_read_lock_fast(&b);
	for (int i = 0; i < 200; i++)
		srcu_read_unlock_fast(&b, ctr[i]);
	srcu_synchronize(&b);
	down = srcu_down_read_fast(&a);
	pid = fork();
	if (pid == 0) {
		srcu_read_unlock_fast(&a, outer);
		srcu_up_read_fast(&a, down);
		srcu_synchronize(&a);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		abort();
	srcu_read_unlock_fast(&a, outer);
	srcu_up_read_fast(&a, down);
	srcu_synchronize(&a);
}

static void what_is_right(void **state)
{
	char said[4096];

	(void)state;
	assert_false(aborts(all_is_well, said, sizeof(said)));
	assert_string_equal(said, "");
	assert_false(aborts(all_is_well_fast, said, sizeof(said)));
	assert_string_equal(said, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes),
		cmocka_unit_test(mistakes_of_fast_readers),
		cmocka_unit_test(mistakes_without_watching),
		cmocka_unit_test(what_is_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
