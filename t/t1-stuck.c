/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deadlocks and stalls, locks released by others, and the heap.
 */
#include <config.h>

#include "t1-check-scene.h"

/* --- standing still --- */

static struct mutex *lock;
static struct completion *event;

static void section_then_mutex(void *arg)
{
	(void)arg;
	srcu_read_lock(ss);
	mutex_lock(lock);
}

static void sync_waits(struct srcu *s)
{
	(void)s;
	wait_for_completion(event);
}

static void mutex_then_sync(void *arg)
{
	static struct srcu_ops waiting;

	(void)arg;
	waiting = fake_ops;
	waiting.synchronize = sync_waits;
	ss->ops = &waiting;
	mutex_lock(lock);
	synchronize_srcu(ss);
}

static void scene_locks(void)
{
	lock = k_object_new(w, &mutex_objtype, "m")->base;
	event = k_object_new(w, &completion_objtype, "c")->base;
}

static void test_deadlock(void **state)
{
	struct task *reader, *updater;

	(void)state;
	scene_locks();
	reader = make("reader", section_then_mutex, NULL);
	updater = make("updater", mutex_then_sync, NULL);
	assert_false(check_stuck(w));
	steps(reader, 1);
	steps(updater, 1);
	assert_true(check_stuck(w));
	assert_true(check_stuck(w));	/* said once */
	assert_violation("deadlock",
		"updater waits in synchronize_srcu(ss) for reader, which is inside a read section "
		"of ss (index 0) since step 1; reader waits for mutex m, which updater holds "
		"since step 2. Neither can ever go on.");
}

static void takes_twice(void *arg)
{
	(void)arg;
	mutex_lock(lock);
	mutex_lock(lock);
}

static void test_self_deadlock(void **state)
{
	struct task *t;

	(void)state;
	scene_locks();
	t = make("t", takes_twice, NULL);
	assert_false(check_blocked(w, t));
	steps(t, 1);
	assert_true(check_blocked(w, t));
	assert_false(check_blocked(w, t));
	assert_violation("self-deadlock",
		"t waits for mutex m, which it holds itself since step 1. Nobody else can release "
		"it: t can never go on.");
	assert_true(check_stuck(w));
	assert_int_equal(world_violation_count(w), 1);
}

static void section_and_end(void *arg)
{
	(void)arg;
	srcu_read_lock(ss);
}

static void test_reader_ended(void **state)
{
	struct task *reader, *updater;

	(void)state;
	scene_locks();
	reader = make("reader", section_and_end, NULL);
	updater = make("updater", mutex_then_sync, NULL);
	steps(reader, 1);
	steps(updater, 1);
	assert_true(check_stuck(w));
	assert_violation("deadlock",
		"updater waits in synchronize_srcu(ss) for reader, which is inside a read section "
		"of ss (index 0) since step 1. But reader has ended inside its section: no grace "
		"period of ss can end any more.");
}

static void waits(void *arg)
{
	(void)arg;
	wait_for_completion(event);
}

static void test_stall(void **state)
{
	(void)state;
	scene_locks();
	make("t", waits, NULL);
	assert_true(check_stuck(w));
	assert_violation("stall",
		"t waits for completion c, and nothing is left to run that could complete it.");
}

static void assumes(void *arg)
{
	static struct site site = { .op = OP_ASSUME, .prim = "assume", .expr = "" };

	(void)arg;
	task_event((struct event){ .site = &site, .op = OP_ASSUME });
}

static void test_legal_waits(void **state)
{
	(void)state;
	scene_locks();
	make("t", assumes, NULL);
	assert_false(check_stuck(w));
	make("u", waits, NULL);	/* t might have completed it */
	assert_false(check_stuck(w));
	assert_clean();
}

/* --- locks and the heap --- */

static void releases(void *arg)
{
	(void)arg;
	mutex_unlock(lock);
}

static void holds(void *arg)
{
	(void)arg;
	mutex_lock(lock);
	smp_mb();
}

static void test_foreign_unlock(void **state)
{
	struct task *owner, *t;

	(void)state;
	scene_locks();
	owner = make("owner", holds, NULL);
	t = make("t", releases, NULL);
	steps(owner, 1);
	steps(t, 1);
	assert_int_equal(t->state, TASK_FAILED);
	assert_string_equal(world_violation(w, 0)->kind, "unbalanced-unlock");
	assert_non_null(strstr(world_violation(w, 0)->message,
			       "at step 2, but owner holds it."));
	assert_int_equal(world_violation(w, 0)->other, task_id(owner));
}

static struct object *heap_object(const char *name)
{
	struct object *o = object_new(w, &var_objtype, name, 24);

	assert_non_null(o);
	o->heap = true;
	return o;
}

static void frees(void *arg)
{
	kfree(arg);
}

static void loads(void *arg)
{
	(void)READ_ONCE(*(uint64_t *)arg);
}

static void test_heap(void **state)
{
	struct object *old = heap_object("old"), *next = heap_object("next");
	struct task *updater = make("updater", frees, old->base);
	struct task *reader = make("reader", loads, (char *)old->base + 16);
	struct task *other = make("other", loads, next->base);

	(void)state;
	steps(updater, 1);
	assert_clean();
	steps(other, 1);	/* a neighbour is not touched */
	assert_clean();
	steps(reader, 1);
	assert_int_equal(reader->state, TASK_FAILED);
	assert_string_equal(world_violation(w, 0)->kind, "use-after-free");
	assert_non_null(strstr(world_violation(w, 0)->message,
			       "at step 3, but updater had freed old at step 1."));
	steps(make("again", frees, old->base), 1);
	assert_string_equal(world_violation(w, 1)->kind, "double-free");
	steps(make("inner", frees, (char *)next->base + 8), 1);
	assert_string_equal(world_violation(w, 2)->kind, "invalid-free");
	steps(make("nobody", frees, ss->impl), 1);
	assert_string_equal(world_violation(w, 3)->kind, "invalid-free");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(test_deadlock),
		SCENE(test_self_deadlock),
		SCENE(test_reader_ended),
		SCENE(test_stall),
		SCENE(test_legal_waits),
		SCENE(test_foreign_unlock),
		SCENE(test_heap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
