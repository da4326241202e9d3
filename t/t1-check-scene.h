/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scene of the oracles' tests: a world with an SRCU that waits for nobody.
 * Each of its calls is one step or two, so that a test says exactly when a
 * section or a grace period begins and ends, and nothing but the oracle notices.
 */
#ifndef T1_CHECK_SCENE_H
#define T1_CHECK_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "check/check.h"
#include "engine/driver.h"
#include "k/kernel.h"
#include "k/objtypes.h"
#include "srcu/srcu.h"

/* --- an SRCU without grace periods --- */

static int next_idx;
static unsigned long next_cookie;

static inline bool fake_init(struct srcu *ss, const struct srcu_opts *o)
{
	(void)ss;
	(void)o;
	return true;
}

static inline int fake_lock(struct srcu *ss)
{
	(void)ss;
	smp_mb();
	return next_idx;
}

static inline void fake_unlock(struct srcu *ss, int idx)
{
	(void)ss;
	(void)idx;
	smp_mb();
}

static inline void fake_synchronize(struct srcu *ss)
{
	(void)ss;
	smp_mb();
	smp_mb();
}

static inline bool fake_call(struct srcu *ss, struct rcu_head *head, rcu_callback_t func)
{
	head->func = func;
	smp_mb();
	srcu_invoke_callback(ss, head);
	return true;
}

static inline unsigned long fake_get_state(struct srcu *ss)
{
	(void)ss;
	smp_mb();
	return next_cookie;
}

static inline bool fake_poll(struct srcu *ss, unsigned long cookie)
{
	(void)ss;
	(void)cookie;
	smp_mb();
	return true;
}

static const struct srcu_ops fake_ops = {
	.flavor = "fake",
	.impl_size = 8,
	.init = fake_init,
	.read_lock = fake_lock,
	.read_unlock = fake_unlock,
	.down_read = fake_lock,
	.up_read = fake_unlock,
	.synchronize = fake_synchronize,
	.call = fake_call,
	.barrier = fake_synchronize,
	.get_state = fake_get_state,
	.poll_state = fake_poll,
};

/* --- the scene of each test --- */

static struct world *w;
static struct srcu *ss;

static inline int scene_begin(void **state)
{
	(void)state;
	next_idx = 0;
	next_cookie = 4;
	w = world_new(CARRIER_FIBER);
	if (!w || !check_attach(w))
		return -1;
	ss = srcu_new(w, "ss", &fake_ops, NULL);
	return ss ? 0 : -1;
}

static inline int scene_end(void **state)
{
	(void)state;
	world_free(w);
	return 0;
}

static inline struct task *make(const char *name, void (*body)(void *), void *arg)
{
	struct task *t = task_new(w, TASK_THREAD, name, 0, body, arg, NULL);

	assert_non_null(t);
	assert_true(world_prime(w));
	return t;
}

static inline void steps(struct task *t, unsigned n)
{
	while (n--)
		assert_int_equal(world_step(w, t, 0), STEP_OK);
}

static inline void assert_clean(void)
{
	if (world_violation_count(w))
		fail_msg("unexpected: %s", world_violation(w, 0)->message);
}

static inline void assert_violation(const char *kind, const char *message)
{
	const struct violation *v = world_violation(w, 0);

	assert_non_null(v);
	assert_string_equal(v->kind, kind);
	assert_string_equal(v->message, message);
	assert_int_equal(world_violation_count(w), 1);
}

#define SCENE(f) cmocka_unit_test_setup_teardown(f, scene_begin, scene_end)

#endif
