/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Torture of a libsrcu that is broken on purpose: each fault is caught, and nothing is found
 * when there is none, not even if readers linger between the index and the count.  A count
 * that no barrier pushes stays in a store buffer for milliseconds, so that nothing depends on
 * how many CPUs there are.
 */
#include <config.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "libsrcu/fast.h"
#include "repl/status.h"
#include "srcu/common.h"
#include "torture/torture.h"

#define CATCH_SECONDS	60	/* caught by then, and nearly always in one */
#define WHOLE_SECONDS	1
#define LINGER_NS	2000000
#define BUFFERS		256

unsigned int broken_faults, broken_fast_faults;
static bool lingering;		/* windows are widened */
static bool stale;		/* until the index is out of date */

static void nap(long ns)
{
	nanosleep(&(struct timespec){ .tv_nsec = ns }, NULL);
}

/* In some windows somebody stays for the length of some grace periods. */
void broken_window(void)
{
	static _Thread_local unsigned seed;

	if (!lingering)
		return;
	if (!seed)
		seed = (unsigned)((uintptr_t)&seed >> 4) * 2654435761u | 1;
	seed = seed * 1103515245 + 12345;
	if ((seed >> 16) % 8 == 0)
		nap(LINGER_NS / 8 * (1 + (seed >> 20) % 8));
}

/* Whoever has loaded the index waits until it is another one, and that grace period over. */
void broken_window_at(const unsigned *index, unsigned idx)
{
	broken_window();
	if (!stale)
		return;
	for (int i = 0; i < 50 && (__atomic_load_n(index, __ATOMIC_RELAXED) & 1) == idx; i++)
		nap(LINGER_NS / 20);
	nap(LINGER_NS / 4);
}

/* --- a store buffer --- */

static _Atomic(unsigned long *) buffer[BUFFERS];
static _Thread_local unsigned newest;	/* how many are the thread's own, at most */
static _Thread_local unsigned own[BUFFERS];

static void buffer_commit(unsigned i)
{
	unsigned long *counter = atomic_exchange(&buffer[i], NULL);

	if (counter)
		__atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST);
}

void broken_buffer(unsigned long *counter)
{
	for (unsigned i = 0; i < BUFFERS && newest < BUFFERS; i++) {
		unsigned long *none = NULL;

		if (atomic_compare_exchange_strong(&buffer[i], &none, counter)) {
			own[newest++] = i;
			return;
		}
	}
	__atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST);
}

/* What the thread has not yet committed.  (What is another's by now goes with it.) */
void broken_drain(void)
{
	while (newest)
		buffer_commit(own[--newest]);
}

/* As a CPU does: sooner or later. */
static void *drainer(void *arg)
{
	for (;;) {
		nap(LINGER_NS);
		for (unsigned i = 0; i < BUFFERS; i++)
			buffer_commit(i);
	}
	return arg;
}

/* --- cases, each in a process of its own --- */

struct fault {
	unsigned kinds, tree, fast;
	bool linger;
	double seconds;
};

static int torture(const struct fault *f)
{
	struct torture_opts o = TORTURE_DEFAULTS;
	pthread_t t;

	/* with rseq there is no window between the index and the count */
	srcu_fast_limit(SRCU_FAST_BY_MEMBARRIER);
	broken_faults = f->tree;
	broken_fast_faults = f->fast;
	lingering = f->linger;
	stale = f->fast & SRCU_FAST_STALE;
	if (pthread_create(&t, NULL, drainer, NULL))
		return STATUS_ERROR;
	o.seconds = f->seconds;
	o.kinds = f->kinds;
	o.readers = 4;
	if (stale) {	/* few others, for whom grace periods would have to wait */
		o.readers = 2;
		o.writers = 1;
		o.fakewriters = 0;
	}
	o.stat_interval = 0;
	o.seed = 1;
	o.quiet = true;
	return torture_run(&o);
}

/* The status, and in text what was printed. */
static int run(const struct fault *f, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;
	int fd[2], status;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (dup2(fd[1], STDOUT_FILENO) < 0)
			_exit(STATUS_ERROR);
		close(fd[0]);
		close(fd[1]);
		status = torture(f);
		fflush(stdout);
		_exit(status);	/* threads may be left that never end */
	}
	close(fd[1]);
	while ((n = read(fd[0], text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = 0;
	close(fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void caught(unsigned kinds, unsigned tree, unsigned fast)
{
	struct fault f = { kinds, tree, fast, false, CATCH_SECONDS };
	char text[2048];
	int status = run(&f, text, sizeof(text));

	print_message("# %s", text);
	assert_int_equal(status, STATUS_VIOLATION);
	/* and it is what the fault brings about: a section that was not waited for */
	assert_non_null(strstr(text, kinds == TORTURE_FAST ? "FAILURE: fast domain: a fast section of a " :
			       "FAILURE: normal domain: a normal section of a "));
	assert_non_null(strstr(text, " saw generation "));
}

static void not_caught(unsigned kinds)
{
	struct fault f = { kinds, 0, 0, true, WHOLE_SECONDS };
	char text[2048];

	assert_int_equal(run(&f, text, sizeof(text)), STATUS_OK);
	assert_string_equal(text, "ok: no failure\n");
}

static void whole(void **state)
{
	(void)state;
	not_caught(TORTURE_NORMAL | TORTURE_FAST);
}

static void no_flip(void **state)
{
	(void)state;
	caught(TORTURE_NORMAL, SRCU_FAULT_NO_FLIP, 0);
}

static void no_flip_fast(void **state)
{
	(void)state;
	caught(TORTURE_FAST, SRCU_FAULT_NO_FLIP, 0);
}

static void no_scan2(void **state)
{
	(void)state;
	caught(TORTURE_NORMAL, SRCU_FAULT_NO_SCAN2, 0);
}

/* B: between the count of a reader and what it reads. */
static void no_barrier(void **state)
{
	(void)state;
	caught(TORTURE_NORMAL, SRCU_FAULT_NO_MB_B, 0);
}

static void no_barrier_fast(void **state)
{
	(void)state;
	caught(TORTURE_FAST, 0, SRCU_FAST_NO_BARRIER);
}

/* Fast readers without rseq that do not look at the index again. */
static void one_scan(void **state)
{
	(void)state;
	caught(TORTURE_FAST, 0, SRCU_FAST_STALE);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(no_flip),
		cmocka_unit_test(no_flip_fast),
		cmocka_unit_test(no_scan2),
		cmocka_unit_test(no_barrier),
		cmocka_unit_test(no_barrier_fast),
		cmocka_unit_test(one_scan),
	};

	if (argc > 1)	/* one of them */
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
