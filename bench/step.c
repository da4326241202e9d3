/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one step costs, on each carrier, with a body in C, beside the bare
 * mechanism underneath: two threads that hand a futex to and fro (pinned to one
 * CPU, and left alone).  Median over rounds; prints a table.
 */
#include <config.h>

#include "engine/driver.h"
#include <k/kernel.h>

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 31

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Median of ROUNDS rounds of fn(n), in ns per unit. */
static double median(void (*fn)(void *, unsigned), void *arg, unsigned n)
{
	double t[ROUNDS];

	fn(arg, n);
	for (int i = 0; i < ROUNDS; i++) {
		double start = now_ns();

		fn(arg, n);
		t[i] = (now_ns() - start) / n;
	}
	qsort(t, ROUNDS, sizeof(*t), cmp);
	return t[ROUNDS / 2];
}

/* --- the peer: a futex handed to and fro --- */

static _Atomic unsigned ping, pong;

static void wait_for(_Atomic unsigned *g)
{
	while (!atomic_load(g))
		syscall(SYS_futex, g, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	atomic_store(g, 0);
}

static void open_gate(_Atomic unsigned *g)
{
	atomic_store(g, 1);
	syscall(SYS_futex, g, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *echo(void *arg)
{
	for (;;) {
		wait_for(&ping);
		open_gate(&pong);
	}
	return arg;
}

static void bounce(void *arg, unsigned n)
{
	(void)arg;
	while (n--) {
		open_gate(&ping);
		wait_for(&pong);
	}
}

static double futex_pair(bool pinned)
{
	static pthread_t other;
	cpu_set_t all, one;
	double ns;

	if (!other && pthread_create(&other, NULL, echo, NULL)) {
		perror("pthread_create");
		exit(1);
	}
	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	pthread_setaffinity_np(pthread_self(), sizeof(one), pinned ? &one : &all);
	pthread_setaffinity_np(other, sizeof(one), pinned ? &one : &all);
	ns = median(bounce, NULL, 2000);
	sched_setaffinity(0, sizeof(all), &all);
	return ns;
}

/* --- us --- */

static void body(void *arg)
{
	(void)arg;
	for (;;)
		smp_mb();
}

static void steps(void *arg, unsigned n)
{
	struct world *w = arg;
	struct task *t = world_task(w, 0);

	world_batch_begin(w);
	while (n--)
		if (world_step(w, t, 0) != STEP_OK)
			exit(1);
	world_batch_end(w);
}

static double step_on(enum carrier_kind carrier, unsigned n)
{
	struct world *w = world_new(carrier);
	double ns;

	if (!w || !task_new(w, TASK_THREAD, "t", -1, body, NULL, NULL)) {
		fprintf(stderr, "step: %s\n", w ? world_error(w) : "out of memory");
		exit(1);
	}
	ns = median(steps, w, n);
	world_free(w);
	return ns;
}

int main(void)
{
	double pinned = futex_pair(true), loose = futex_pair(false);
	double real = step_on(CARRIER_PTHREAD, 2000), fiber = step_on(CARRIER_FIBER, 20000);

	printf("step: median of %d rounds, ns\n", ROUNDS);
	printf("  futex to and fro, pinned        %10.0f\n", pinned);
	printf("  futex to and fro, not pinned    %10.0f\n", loose);
	printf("  step on a pthread carrier       %10.0f   ratio to pinned futex %.2f\n", real, real / pinned);
	printf("  step on a fiber carrier         %10.1f\n", fiber);
	return 0;
}
