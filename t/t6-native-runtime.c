/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The run time of the native primitives: work items, timers and the locks below them.  The
 * worker is one thread, and a thread that waits may do its work; what must not happen is
 * that an item runs twice at once, or that each thinks the other will run it.
 */
#include <config.h>

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <k/kernel.h>

#include "runtime.h"

static unsigned long runs, inside, at_once, go_on;

static unsigned long get(unsigned long *v) { return __atomic_load_n(v, __ATOMIC_ACQUIRE); }
static void set(unsigned long *v, unsigned long x) { __atomic_store_n(v, x, __ATOMIC_RELEASE); }

static void until(unsigned long *v, unsigned long least)
{
	while (get(v) < least)
		sched_yield();
}

static void runs_once(struct work_struct *w)
{
	(void)w;
	if (__atomic_fetch_add(&inside, 1, __ATOMIC_ACQ_REL))
		__atomic_fetch_add(&at_once, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&runs, 1, __ATOMIC_ACQ_REL);
	while (!get(&go_on))
		sched_yield();
	__atomic_fetch_sub(&inside, 1, __ATOMIC_ACQ_REL);
}

static int reset(void **state)
{
	(void)state;
	runs = inside = at_once = 0;
	go_on = 1;
	return 0;
}

static void queued(void **state)
{
	struct work_struct w;

	(void)state;
	init_work(&w, runs_once, "w");
	set(&go_on, 0);
	assert_true(queue_work(&w));
	until(&runs, 1);		/* the worker is inside */
	assert_true(queue_work(&w));	/* not pending any more, so it is queued again */
	assert_false(queue_work(&w));
	assert_int_equal(get(&runs), 1);
	set(&go_on, 1);
	until(&runs, 2);
	flush_work(&w);
	assert_int_equal(runs, 2);
	assert_int_equal(at_once, 0);
}

static void delayed(void **state)
{
	struct delayed_work d;
	unsigned long begin = jiffies;

	(void)state;
	init_delayed_work(&d, runs_once, "d");
	assert_true(queue_delayed_work(&d, 30));
	assert_false(queue_delayed_work(&d, 0));
	until(&runs, 1);
	/* the clock is coarse: some ms at most */
	assert_true(jiffies - begin >= 30 - 10);
	flush_delayed_work(&d);
	/* flushing does not wait for the delay, and leaves nothing behind */
	assert_true(queue_delayed_work(&d, 1000000));
	flush_delayed_work(&d);
	assert_int_equal(runs, 2);
}

static bool has_nothing_to_do(struct work_struct *w)
{
	(void)w;
	return true;
}

static void needless(void **state)
{
	struct work_struct w;

	(void)state;
	init_work(&w, runs_once, "w");
	w.needless = has_nothing_to_do;
	queue_work(&w);
	flush_work(&w);
	assert_int_equal(runs, 0);
}

/* --- driving --- */

struct driver {
	struct work_struct w;
	unsigned long step;
};

static void *holds_after_waiting(void *arg)
{
	struct driver *d = arg;

	set(&d->step, 1);
	k_lock(&d->w.running);
	set(&d->step, 2);
	until(&d->step, 3);
	k_work_release(&d->w);
	return NULL;
}

/*
 * It is queued while somebody holds it who had to wait for that, so that the lock still
 * says that there might be others: there are none, and the worker must get it.
 */
static void left_by_a_waiter(void **state)
{
	static struct driver d;
	pthread_t t;

	(void)state;
	init_work(&d.w, runs_once, "w");
	k_lock(&d.w.running);
	assert_int_equal(pthread_create(&t, NULL, holds_after_waiting, &d), 0);
	until(&d.step, 1);
	while (READ_ONCE(d.w.running) != 2)	/* until it sleeps, or is about to */
		sched_yield();
	k_work_release(&d.w);
	until(&d.step, 2);
	assert_true(queue_work(&d.w));
	set(&d.step, 3);
	until(&runs, 1);
	pthread_join(t, NULL);
	flush_work(&d.w);
}

/* Queued by who is about to drive: his, until he leaves it pending. */
static void driven(void **state)
{
	struct work_struct w;

	(void)state;
	init_work(&w, runs_once, "w");
	k_drive_begin(&w);
	assert_true(queue_work(&w));
	usleep(20000);
	assert_int_equal(get(&runs), 0);
	k_lock(&w.running);
	k_drive_pass(&w);
	assert_int_equal(get(&runs), 1);
	assert_true(queue_work(&w));
	k_drive_end();
	assert_int_equal(get(&runs), 1);
	k_work_release(&w);
	until(&runs, 2);
	flush_work(&w);
	assert_int_equal(runs, 2);
}

/* Threads that drive, and threads that only queue: each queueing is followed by a run. */
static struct work_struct crowded;
static unsigned long ticket, served;

static void serve(struct work_struct *w)
{
	(void)w;
	if (__atomic_fetch_add(&inside, 1, __ATOMIC_ACQ_REL))
		__atomic_fetch_add(&at_once, 1, __ATOMIC_RELAXED);
	set(&served, get(&ticket));
	__atomic_fetch_sub(&inside, 1, __ATOMIC_ACQ_REL);
}

static void *asks(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		bool drive = (i + (arg != NULL)) % 3 == 0;
		unsigned long mine;

		if (drive)
			k_drive_begin(&crowded);
		mine = __atomic_add_fetch(&ticket, 1, __ATOMIC_ACQ_REL);
		queue_work(&crowded);
		if (drive) {
			k_lock(&crowded.running);
			while (get(&served) < mine)
				k_drive_pass(&crowded);
			k_drive_end();
			k_work_release(&crowded);
		}
		until(&served, mine);
	}
	return NULL;
}

static void crowd(void **state)
{
	pthread_t t[4];

	(void)state;
	init_work(&crowded, serve, "w");
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, asks, i % 2 ? &crowded : NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	flush_work(&crowded);
	assert_int_equal(at_once, 0);
}

/* --- timers --- */

static void fires(struct timer_list *t)
{
	(void)t;
	__atomic_fetch_add(&runs, 1, __ATOMIC_ACQ_REL);
}

static void timers(void **state)
{
	struct timer_list t;

	(void)state;
	timer_setup(&t, fires, "t");
	assert_false(timer_reduce(&t, jiffies + 1000000));
	assert_true(timer_reduce(&t, jiffies + 2000000));	/* later: stays as it is */
	assert_true(timer_reduce(&t, jiffies + 1));
	until(&runs, 1);
	assert_false(timer_reduce(&t, jiffies + 1000000));
	assert_true(del_timer_sync(&t));
	assert_false(del_timer_sync(&t));
	assert_int_equal(runs, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(queued, reset),
		cmocka_unit_test_setup(delayed, reset),
		cmocka_unit_test_setup(needless, reset),
		cmocka_unit_test_setup(left_by_a_waiter, reset),
		cmocka_unit_test_setup(driven, reset),
		cmocka_unit_test_setup(crowd, reset),
		cmocka_unit_test_setup(timers, reset),
	};

	alarm(300);	/* what hangs, fails */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
