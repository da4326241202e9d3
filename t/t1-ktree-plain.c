/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plain accesses that take no step: what tasks in C tell of themselves by world_plain() is
 * judged as if a compiler had told it.
 */
#include <config.h>

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "t1-ktree-scene.h"

/* --- races --- */

#define ORDERS ", with nothing that orders the two. What is shared without a lock is read " \
	"by READ_ONCE() and written by WRITE_ONCE(), or the like."

static void writer(void *arg)
{
	(void)arg;
	smp_mb();
	TOLD_WRITE(p.x, 1);
	smp_mb();
}

static void reader(void *arg)
{
	(void)arg;
	smp_mb();
	smp_mb();
	smp_mb();
	(void)TOLD_READ(p.x);
}

static void test_race(void **state)
{
	(void)state;
	assert_int_equal(in_turn(writer, reader), 1);
	assert_string_equal(world_violation(p.w, 0)->kind, "data-race");
	assert_string_equal(message(), "t1 plainly read x after step 5 (reader, plain.c:7), and t0 plainly "
			    "wrote it after step 1 (writer, plain.c:7)" ORDERS);
	assert_int_equal(world_violation(p.w, 0)->step, 5);
	assert_int_equal(in_turn(reader, reader), 0);
	assert_int_equal(in_turn(writer, writer), 1);
}

static void at_once(void *arg) { (void)arg; TOLD_WRITE(p.x, 2); }
static void at_once_read(void *arg) { (void)arg; (void)TOLD_READ(p.x); }

/* Without a single step. */
static void test_no_steps(void **state)
{
	(void)state;
	assert_int_equal(in_turn(at_once, at_once_read), 1);
	assert_string_equal(message(), "t1 plainly read x before the first step (at_once_read, plain.c:7), "
			    "and t0 plainly wrote it before the first step (at_once, plain.c:7)" ORDERS);
	assert_int_equal(in_turn(at_once, reader), 1);
	explore(at_once, at_once_read, NULL);
	assert_explored("data-race");
}

/* Said once for a pair of places. */
static void many_writes(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++) {
		TOLD_WRITE(p.x, i);
		smp_mb();
	}
}

static void test_told_once(void **state)
{
	(void)state;
	assert_int_equal(in_turn(many_writes, many_writes), 1);
	trace_judge(p.w, NULL);
	assert_int_equal(world_violation_count(p.w), 1);
}

/* --- bytes --- */

#define BYTES(x) ((uint8_t *)(x))
static void low_half(void *arg) { (void)arg; smp_mb(); TOLD_WRITE((uint32_t *)p.x, 1); }
static void high_half(void *arg) { (void)arg; smp_mb(); TOLD_WRITE((uint32_t *)p.x + 1, 1); }
static void last_byte(void *arg) { (void)arg; smp_mb(); (void)TOLD_READ(BYTES(p.x) + 7); }
static void store_word(void *arg) { (void)arg; WRITE_ONCE(*p.x, 3); }
static void store_half(void *arg) { (void)arg; WRITE_ONCE(*(uint32_t *)p.x, 3); }
static void load_word(void *arg) { (void)arg; (void)READ_ONCE(*p.x); }

static void across(void *arg)
{
	(void)arg;
	smp_mb();
	TELL(BYTES(p.heap) + 6, 4, true);
}

static void second_word(void *arg) { (void)arg; smp_mb(); (void)TOLD_READ(p.heap + 1); }
static void large(void *arg) { (void)arg; smp_mb(); TELL(p.heap, 16, true); }

static void test_bytes(void **state)
{
	(void)state;
	assert_int_equal(in_turn(low_half, high_half), 0);
	assert_int_equal(in_turn(low_half, last_byte), 0);
	assert_int_equal(in_turn(high_half, last_byte), 1);
	assert_int_equal(in_turn(across, second_word), 1);
	assert_int_equal(in_turn(second_word, large), 1);
}

static void test_steps(void **state)
{
	(void)state;
	assert_int_equal(in_turn(store_word, last_byte), 1);
	assert_int_equal(in_turn(last_byte, store_word), 1);
	assert_non_null(strstr(message(), "t1 wrote x at step 2 (WRITE_ONCE, store_word, "));
	assert_int_equal(in_turn(store_half, last_byte), 0);
	assert_int_equal(in_turn(load_word, last_byte), 0);
	assert_int_equal(in_turn(load_word, high_half), 1);
	assert_int_equal(in_turn(store_half, high_half), 0);
}

/* --- what orders --- */

static void locked(void *arg)
{
	(void)arg;
	mutex_lock(p.m);
	TOLD_WRITE(p.x, TOLD_READ(p.x) + 1);
	mutex_unlock(p.m);
}

static void locked_and_more(void *arg)
{
	locked(arg);
	(void)TOLD_READ(p.x);
}

static void test_lock(void **state)
{
	(void)state;
	assert_explored_clean(locked, locked);
	/* far apart: the lock is long given back */
	assert_int_equal(in_turn(locked, locked_and_more), 0);
	assert_int_equal(in_turn(locked_and_more, locked), 1);
	explore(locked, locked_and_more, NULL);
	assert_explored("data-race");
}

static void publish(void *arg)
{
	(void)arg;
	TOLD_WRITE(p.x, 1);
	smp_store_release(p.flag, 1);
}

static void subscribe(void *arg)
{
	(void)arg;
	if (smp_load_acquire(p.flag))
		(void)TOLD_READ(p.x);
}

static void publish_late(void *arg)
{
	(void)arg;
	smp_store_release(p.flag, 1);
	TOLD_WRITE(p.x, 1);
}

static void test_release(void **state)
{
	(void)state;
	assert_explored_clean(publish, subscribe);
	explore(publish_late, subscribe, NULL);
	assert_explored("data-race");
}

static void completer(void *arg)
{
	(void)arg;
	smp_mb();
	TOLD_WRITE(p.x, 1);
	complete(p.done);
}

static void waiter(void *arg)
{
	(void)arg;
	wait_for_completion(p.done);
	TOLD_WRITE(p.x, 2);
}

static void test_completion(void **state)
{
	(void)state;
	assert_explored_clean(completer, waiter);
}

static void child(void *arg) { (void)arg; TOLD_WRITE(p.x, 2); smp_mb(); }

static void maker(void *arg)
{
	(void)arg;
	TOLD_WRITE(p.x, 1);
	smp_mb();
	TOLD_WRITE(p.x, 3);
	assert_non_null(task_new(p.w, TASK_THREAD, "child", 2, child, NULL, NULL));
	smp_mb();
}

static void maker_and_more(void *arg)
{
	maker(arg);
	(void)TOLD_READ(p.x);
}

static void test_creation(void **state)
{
	(void)state;
	assert_explored_clean(maker, NULL);
	explore(maker_and_more, NULL, NULL);
	assert_explored("data-race");
}

/* The last stretch of the pass is one that no step follows. */
static void write_it(struct work_struct *work)
{
	(void)work;
	smp_mb();
	TOLD_WRITE(p.x, 2);
}

static void queuer(void *arg)
{
	(void)arg;
	TOLD_WRITE(p.x, 1);
	queue_work(p.work);
	flush_work(p.work);
	TOLD_WRITE(p.x, 3);
}

static void no_flush(void *arg)
{
	(void)arg;
	TOLD_WRITE(p.x, 1);
	queue_work(p.work);
	smp_mb();
	TOLD_WRITE(p.x, 3);
}

static void test_work(void **state)
{
	(void)state;
	p.work_fn = write_it;
	assert_explored_clean(queuer, NULL);
	explore(no_flush, NULL, NULL);
	assert_explored("data-race");
}

static void alone_on_cpu(void *arg)
{
	(void)arg;
	preempt_disable();
	TOLD_WRITE(p.x, 1);
	preempt_enable();
}

static void test_one_cpu(void **state)
{
	(void)state;
	p.cpus[0] = p.cpus[1] = 1;
	assert_int_equal(in_turn(alone_on_cpu, alone_on_cpu), 0);
	assert_int_equal(in_turn(alone_on_cpu, writer), 1);
}

/* --- frees --- */

static void user(void *arg) { (void)arg; smp_mb(); (void)TOLD_READ(p.heap + 1); }
static void freer(void *arg) { (void)arg; smp_mb(); kfree(p.heap); }
static void user_done(void *arg) { user(arg); smp_store_release(p.flag, 1); }

static void free_if_done(void *arg)
{
	(void)arg;
	if (smp_load_acquire(p.flag))
		kfree(p.heap);
}

static void test_frees(void **state)
{
	(void)state;
	assert_int_equal(in_turn(user, freer), 1);
	assert_string_equal(world_violation(p.w, 0)->kind, "use-after-free");
	assert_non_null(strstr(message(), "t0 plainly read o+8 after step 1 (user, plain.c:7), and t1 freed o "
			       "at step 3 (kfree, freer, "));
	assert_int_equal(in_turn(freer, user), 1);
	assert_string_equal(message(), "t1 plainly read o+8 (user, plain.c:7) after step 3, but t0 had freed o "
			    "at step 2.");
	assert_int_equal(task_by_name(p.w, "t1")->state, TASK_FAILED);
	explore(user, freer, NULL);
	assert_explored("use-after-free");
	assert_explored_clean(user_done, free_if_done);
}

static void free_flushed(void *arg)
{
	(void)arg;
	queue_work(p.work);
	flush_work(p.work);
	kfree(p.heap);
}

static void use_it(struct work_struct *work) { (void)work; smp_mb(); TOLD_WRITE(p.heap, 2); }

static void test_free_after_flush(void **state)
{
	(void)state;
	p.work_fn = use_it;
	assert_explored_clean(free_flushed, NULL);
}

/* --- passes of workers --- */

static void poll_flag(struct work_struct *work)
{
	mutex_lock(p.m);
	if (!TOLD_READ(p.flag))
		queue_work(work);
	mutex_unlock(p.m);
}

static void toggle_and_poll(struct work_struct *work)
{
	mutex_lock(p.m);
	TOLD_WRITE(p.y, 5);
	smp_mb();
	TOLD_WRITE(p.y, 0);
	if (!TOLD_READ(p.flag))
		queue_work(work);
	mutex_unlock(p.m);
}

static void count_and_poll(struct work_struct *work)
{
	mutex_lock(p.m);
	TOLD_WRITE(p.y, *p.y + 1);
	if (!TOLD_READ(p.flag) && *p.y < 3)
		queue_work(work);
	mutex_unlock(p.m);
}

/* The lock is older than the check. */
static void poll_late(struct work_struct *work)
{
	mutex_lock(p.m);
	for (int i = 0; i < 2 && !TOLD_READ(p.flag); i++)
		udelay(5);
	if (!TOLD_READ(p.flag))
		queue_work(work);
	mutex_unlock(p.m);
}

static void start_work(void *arg) { (void)arg; queue_work(p.work); }

static void set_flag(void *arg)
{
	(void)arg;
	mutex_lock(p.m);
	TOLD_WRITE(p.flag, 1);
	mutex_unlock(p.m);
}

static enum run_end run_out(void)
{
	struct run_policy policy = { .last = -1 };

	return world_run(p.w, &policy, 10000);
}

static void assert_goes_idle(void (*fn)(struct work_struct *), bool idle)
{
	struct task *t, *worker;
	size_t steps;

	teardown(NULL);
	setup(NULL);
	p.work_fn = fn;
	program(start_work, set_flag, NULL);
	assert_true(world_prime(p.w));
	t = task_by_name(p.w, "t0");
	while (task_enabled(t))
		world_step(p.w, t, 0);
	worker = task_by_name(p.w, "kworker/w");
	assert_non_null(worker);
	assert_true(world_prime(p.w));
	for (steps = 0; steps < 200 && task_enabled(worker); steps++)
		world_step(p.w, worker, 0);
	assert_true(steps < 200);
	/* one pass, where that changes nothing */
	assert_int_equal(worker->ev.op, OP_WORK_WAIT);
	assert_int_equal(task_blocked(worker).why, idle ? BLOCK_IDLE_PASS : BLOCK_IDLE_WORKER);
	assert_int_equal(run_out(), RUN_STUCK);
	assert_int_equal(p.work->state, 0);
	assert_int_equal(*p.flag, 1);
}

static void test_idle(void **state)
{
	(void)state;
	assert_goes_idle(poll_flag, true);
	assert_goes_idle(toggle_and_poll, true);
	assert_goes_idle(poll_late, true);
	/* it changes something, until it has done so often enough */
	assert_goes_idle(count_and_poll, false);
	assert_int_equal(*p.y, 3);
}

static void test_idle_explored(void **state)
{
	(void)state;
	p.work_fn = poll_late;
	assert_explored_clean(start_work, set_flag);
	assert_null(e.report.bound);
}

/* --- exploring --- */

static void rare_writer(void *arg)
{
	(void)arg;
	if (xchg(p.flag, 1) == 2)
		TOLD_WRITE(p.x, 1);
}

static void rare_reader(void *arg)
{
	(void)arg;
	(void)cmpxchg(p.flag, 0, 2);
	(void)TOLD_READ(p.x);
}

/* Without a log to the very end, but for what is told of them. */
static void test_strategies(void **state)
{
	static const enum explore_strategy all[] = { EXPLORE_DPOR, EXPLORE_NAIVE, EXPLORE_RANDOM, EXPLORE_PCT };
	char *found = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		e.opts.strategy = all[i];
		e.opts.max_executions = all[i] < EXPLORE_NAIVE ? 0 : 200;
		explore(rare_writer, rare_reader, NULL);
		assert_explored("data-race");
		explore(at_once, reader, NULL);
		assert_explored("data-race");
	}
	e.opts.strategy = EXPLORE_DPOR;
	e.opts.max_executions = 0;
	for (unsigned jobs = 1; jobs < 4; jobs++) {
		e.opts.jobs = jobs;
		e.opts.keep_going = true;
		explore(rare_writer, rare_reader, reader);
		assert_true(e.report.nviolations >= 1);
		assert_string_equal(e.report.violations[0].kind, "data-race");
		if (found)
			assert_string_equal(found, e.report.violations[0].message);
		free(found);
		found = strdup(e.report.violations[0].message);
	}
	free(found);
}

static void test_replay(void **state)
{
	char *schedule, *text;

	(void)state;
	explore(rare_writer, rare_reader, NULL);
	assert_explored("data-race");
	schedule = strdup(e.report.violations[0].schedule);
	text = strdup(e.report.violations[0].message);
	world_set_lean(p.w, false);
	for (int i = 0; i < 2; i++) {
		assert_true(world_replay(p.w, schedule));
		trace_judge(p.w, NULL);
		assert_int_equal(world_violation_count(p.w), 1);
		assert_string_equal(message(), text);
	}
	assert_true(world_rewind(p.w, world_steps(p.w)));
	trace_judge(p.w, NULL);
	assert_string_equal(message(), text);
	assert_true(world_rewind(p.w, 0));
	trace_judge(p.w, NULL);
	assert_int_equal(world_violation_count(p.w), 0);
	free(schedule);
	free(text);
}

/* What is repeated in a stretch is kept once. */
static void repeats(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++) {
		TOLD_WRITE(p.x, i);
		(void)TOLD_READ(p.x);
		(void)TOLD_READ((uint32_t *)p.x + 1);
	}
	smp_mb();
	(void)TOLD_READ(p.x);
	TOLD_WRITE(p.x, 1);
}

static void test_records(void **state)
{
	size_t n;

	(void)state;
	in_turn(repeats, at_once_read);
	(void)world_plains(p.w, &n);
	assert_int_equal(n, 4);
	assert_true(world_reset(p.w));
	/* what comes before the first step is there again */
	(void)world_plains(p.w, &n);
	assert_int_equal(n, 2);
	assert_true(world_has_plains(p.w));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_race), T(test_no_steps), T(test_told_once), T(test_bytes), T(test_steps),
		T(test_lock), T(test_release), T(test_completion), T(test_creation), T(test_work),
		T(test_one_cpu), T(test_frees), T(test_free_after_flush), T(test_idle),
		T(test_idle_explored), T(test_strategies), T(test_replay), T(test_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
