/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The grace-period guarantee, and unlocks of sections that do not fit.
 */
#include <config.h>

#include "t1-check-scene.h"

/* --- bodies --- */

static void reads(void *arg)
{
	int idx = srcu_read_lock(ss);

	(void)arg;
	smp_mb();
	srcu_read_unlock(ss, idx);
}

static void synchronizes(void *arg)
{
	(void)arg;
	synchronize_srcu(ss);
}

static void unlocks(void *arg)
{
	srcu_read_unlock(ss, *(int *)arg);
}

static void ups(void *arg)
{
	srcu_up_read(ss, *(int *)arg);
}

static void downs(void *arg)
{
	(void)arg;
	srcu_down_read(ss);
}

/* --- the guarantee --- */

static void test_missed_section(void **state)
{
	struct task *reader = make("reader", reads, NULL);
	struct task *updater = make("updater", synchronizes, NULL);

	(void)state;
	steps(reader, 2);
	steps(updater, 2);
	assert_violation("grace-period",
		"synchronize_srcu(ss) by updater returned at step 4 although reader has been "
		"inside a read section of ss (index 0) since step 1. The grace period was "
		"asked for at step 3; it had to wait for that section.");
}

/* The call is announced early; it begins with its first step. */
static void test_section_before_the_first_step(void **state)
{
	struct task *updater = make("updater", synchronizes, NULL);
	struct task *reader = make("reader", reads, NULL);

	(void)state;
	steps(reader, 1);
	steps(updater, 2);
	assert_int_equal(world_violation_count(w), 1);
}

static void test_later_section(void **state)
{
	struct task *reader = make("reader", reads, NULL);
	struct task *updater = make("updater", synchronizes, NULL);

	(void)state;
	steps(updater, 1);
	steps(reader, 1);
	steps(updater, 1);
	assert_clean();
	assert_true(check_holds_section(w, reader, ss));
	assert_false(check_holds_section(w, updater, ss));
}

/* A section lasts until its unlock moves. */
static void test_unlock_called_only(void **state)
{
	struct task *reader = make("reader", reads, NULL);
	struct task *updater = make("updater", synchronizes, NULL);

	(void)state;
	steps(reader, 2);
	assert_int_equal(check_section_count(w), 1);
	steps(updater, 1);
	assert_int_equal(check_gp_wait_count(w), 1);
	assert_int_equal(check_gp_wait(w, 0)->since, 3);
	steps(reader, 1);
	assert_int_equal(check_section_count(w), 0);
	steps(updater, 1);
	assert_clean();
	assert_int_equal(check_gp_wait_count(w), 0);
}

static void test_other_domain(void **state)
{
	struct srcu *mine = ss;
	struct task *reader = make("reader", reads, NULL);
	struct task *updater;

	(void)state;
	steps(reader, 1);
	ss = srcu_new(w, "other", &fake_ops, NULL);
	updater = make("updater", synchronizes, NULL);
	steps(updater, 2);
	assert_clean();
	ss = mine;
}

static void two_sections(void *arg)
{
	int a = srcu_read_lock(ss);
	int b;

	(void)arg;
	next_idx = 1;
	b = srcu_read_lock(ss);
	srcu_read_unlock(ss, a);	/* overlapping, not nested */
	srcu_read_unlock(ss, b);
}

static void test_overlapping(void **state)
{
	struct task *reader = make("reader", two_sections, NULL);
	struct task *updater = make("updater", synchronizes, NULL);

	(void)state;
	steps(reader, 1);
	steps(updater, 1);
	steps(reader, 2);
	steps(updater, 1);	/* the first has ended, the second came later */
	assert_clean();
	steps(reader, 1);
	assert_clean();
	assert_int_equal(check_section_count(w), 0);
}

static void nothing(struct rcu_head *head)
{
	(void)head;
}

static void calls(void *arg)
{
	call_srcu(ss, arg, nothing);
}

static void test_callback(void **state)
{
	struct rcu_head head = { 0 };
	struct task *reader = make("reader", reads, NULL);
	struct task *updater = make("updater", calls, &head);

	(void)state;
	steps(reader, 1);
	steps(updater, 1);
	assert_violation("grace-period",
		"The callback that updater queued with call_srcu(ss) was invoked after step 2 "
		"although reader has been inside a read section of ss (index 0) since step 1. "
		"The grace period was asked for at step 2; it had to wait for that section.");
}

static void polls(void *arg)
{
	unsigned long cookie = get_state_synchronize_srcu(ss);

	(void)arg;
	poll_state_synchronize_srcu(ss, cookie);
}

static void test_poll(void **state)
{
	struct task *reader = make("reader", reads, NULL);
	struct task *poller = make("poller", polls, NULL);

	(void)state;
	steps(reader, 1);
	steps(poller, 2);
	assert_violation("grace-period",
		"poll_state_synchronize_srcu(ss) by poller said at step 3 that the grace period "
		"is over although reader has been inside a read section of ss (index 0) since "
		"step 1. Its cookie was taken by poller at step 2; it had to wait for that section.");
}

/* Another task takes an equal cookie while the poll is under way: the poll's
 * answer is not about that one. */
static void test_poll_of_an_equal_cookie(void **state)
{
	struct task *first = make("first", polls, NULL);
	struct task *reader = make("reader", reads, NULL);
	struct task *second = make("second", polls, NULL);

	(void)state;
	steps(first, 1);	/* has its cookie, and has called poll */
	steps(reader, 1);
	steps(second, 1);	/* has the same cookie, from inside the section's time */
	steps(first, 1);
	assert_clean();
	steps(second, 1);
	assert_int_equal(world_violation_count(w), 1);
}

/* --- unlocks that do not fit --- */

static void test_unlock_without_lock(void **state)
{
	int idx = 1;

	(void)state;
	make("reader", unlocks, &idx);
	assert_violation("unbalanced-unlock",
		"reader called srcu_read_unlock(ss, 1) before the first step, but it is inside "
		"no read section of ss. One unlock too many can make a grace period take another "
		"reader's section for ended.");
}

static void wrong_index(void *arg)
{
	(void)arg;
	srcu_read_lock(ss);
	srcu_read_unlock(ss, 1);
}

static void test_wrong_index(void **state)
{
	struct task *reader = make("reader", wrong_index, NULL);

	(void)state;
	steps(reader, 2);
	assert_violation("unbalanced-unlock",
		"reader called srcu_read_unlock(ss, 1) after step 1, but the section that it is "
		"in began at step 1 with index 0. The unlock must give back the index that the "
		"lock returned: otherwise one index counts a reader for ever, and the other one "
		"too few.");
	assert_int_equal(check_section_count(w), 1);
}

static void test_unlock_in_another_task(void **state)
{
	int idx = 0;
	struct task *reader = make("reader", reads, NULL);

	(void)state;
	steps(reader, 1);
	make("helper", unlocks, &idx);
	assert_violation("unbalanced-unlock",
		"helper called srcu_read_unlock(ss, 0) after step 1, but the section with that "
		"index was begun by reader at step 1. srcu_read_lock() and srcu_read_unlock() "
		"belong to one task; only srcu_down_read() and srcu_up_read() may stand in two.");
	assert_int_equal(world_violation(w, 0)->other, task_id(reader));
}

static void test_handed_over(void **state)
{
	int idx = 0;
	struct task *first = make("first", downs, NULL);
	struct task *second;

	(void)state;
	steps(first, 1);
	assert_int_equal(first->state, TASK_DONE);
	second = make("second", ups, &idx);
	steps(second, 1);
	assert_clean();
	assert_int_equal(check_section_count(w), 0);
}

static void test_other_kind(void **state)
{
	int idx = 0;
	struct task *first = make("first", downs, NULL);

	(void)state;
	steps(first, 1);
	make("second", unlocks, &idx);
	assert_int_equal(world_violation_count(w), 1);
	assert_string_equal(world_violation(w, 0)->kind, "unbalanced-unlock");
}

/* --- many --- */

enum { MANY = 10000 };

static void many_sections(void *arg)
{
	(void)arg;
	for (int i = 0; i < MANY; i++)
		srcu_read_lock(ss);
	for (int i = 0; i < MANY; i++)
		srcu_read_unlock(ss, 0);
}

static void test_many_sections(void **state)
{
	struct task *reader = make("reader", many_sections, NULL);

	(void)state;
	steps(reader, MANY);
	assert_int_equal(check_section_count(w), MANY);
	assert_int_equal(check_section(w, MANY - 1)->since, MANY);
	steps(reader, MANY);
	assert_int_equal(check_section_count(w), 0);
	assert_clean();
}

/* --- barriers --- */

static struct rcu_head *queued;

static void two_steps(struct rcu_head *head)
{
	(void)head;
	smp_mb();
	smp_mb();
}

static bool only_queues(struct srcu *s, struct rcu_head *head, rcu_callback_t func)
{
	(void)s;
	head->func = func;
	smp_mb();
	return true;
}

static void posts(void *arg)
{
	static struct srcu_ops queueing;

	(void)arg;
	queueing = fake_ops;
	queueing.call = only_queues;
	ss->ops = &queueing;
	call_srcu(ss, queued, two_steps);
}

static void invokes(void *arg)
{
	(void)arg;
	smp_mb();
	srcu_invoke_callback(ss, queued);
}

static void waits_for_callbacks(void *arg)
{
	(void)arg;
	srcu_barrier(ss);
}

static struct task *scene_barrier(struct task **worker)
{
	queued = arena_alloc(w, sizeof(*queued));
	steps(make("caller", posts, NULL), 1);
	*worker = make("worker", invokes, NULL);
	return make("barrier", waits_for_callbacks, NULL);
}

static void test_barrier(void **state)
{
	struct task *worker, *barrier = scene_barrier(&worker);

	(void)state;
	steps(worker, 3);	/* the callback is over with its last step */
	steps(barrier, 2);
	assert_clean();
}

static void test_barrier_before_the_callback(void **state)
{
	struct task *worker, *barrier = scene_barrier(&worker);

	(void)state;
	steps(barrier, 2);
	assert_violation("grace-period",
		"srcu_barrier(ss) by barrier returned at step 3 although the callback that caller "
		"queued with call_srcu(ss) at step 1 has not been invoked. It had been queued "
		"before the barrier, which had to wait for it.");
}

static void test_barrier_in_the_callback(void **state)
{
	struct task *worker, *barrier = scene_barrier(&worker);

	(void)state;
	steps(worker, 2);
	steps(barrier, 2);
	assert_violation("grace-period",
		"srcu_barrier(ss) by barrier returned at step 5 although the callback that caller "
		"queued with call_srcu(ss) at step 1 has not come to its end. It had been queued "
		"before the barrier, which had to wait for it.");
}

/* It counts from its first step, however early it was announced. */
static void test_barrier_announced_early(void **state)
{
	struct task *barrier = make("barrier", waits_for_callbacks, NULL);

	(void)state;
	queued = arena_alloc(w, sizeof(*queued));
	steps(make("caller", posts, NULL), 1);
	steps(barrier, 2);
	assert_int_equal(world_violation_count(w), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(test_missed_section),
		SCENE(test_section_before_the_first_step),
		SCENE(test_later_section),
		SCENE(test_unlock_called_only),
		SCENE(test_other_domain),
		SCENE(test_overlapping),
		SCENE(test_callback),
		SCENE(test_poll),
		SCENE(test_poll_of_an_equal_cookie),
		SCENE(test_unlock_without_lock),
		SCENE(test_wrong_index),
		SCENE(test_unlock_in_another_task),
		SCENE(test_handed_over),
		SCENE(test_other_kind),
		SCENE(test_many_sections),
		SCENE(test_barrier),
		SCENE(test_barrier_before_the_callback),
		SCENE(test_barrier_in_the_callback),
		SCENE(test_barrier_announced_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
