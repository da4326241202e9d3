/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small program for tests of plain accesses that take no step: bodies in C over a few
 * objects, which tell of themselves by world_plain() as if a compiler had told it.
 */
#ifndef T1_KTREE_SCENE_H
#define T1_KTREE_SCENE_H

#include "check/check.h"
#include "check/trace.h"
#include "engine/checkpoint.h"
#include "engine/plain.h"
#include "explore/explore.h"
#include "k/kernel.h"
#include "k/objtypes.h"

/* --- a program: bodies over a few objects --- */

#define BODIES 3

static struct program {
	struct world *w;
	void (*bodies[BODIES])(void *);
	int cpus[BODIES];
	uint64_t *x, *y, *flag;
	uint64_t *heap;
	struct mutex *m;
	struct completion *done;
	struct work_struct *work;
	void (*work_fn)(struct work_struct *);
	bool built;
} p;

static struct explore e;

/* The place of an access is its site's address. */
static inline const struct site *site_at(const void *pc) { return pc; }

#define TELL(at, size, write) do {								\
	static const struct site s_ = { .func = __func__, .file = "plain.c", .line = 7 };	\
	assert_true(world_plain(p.w, at, size, write, &s_));					\
} while (0)
#define TOLD_WRITE(at, v) do { TELL(at, sizeof(*(at)), true); *(at) = (v); } while (0)
#define TOLD_READ(at) ({ TELL(at, sizeof(*(at)), false); *(at); })

static inline bool build(struct world *w, void *arg)
{
	struct object *o;

	(void)arg;
	p.x = k_object_new(w, &var_objtype, "x")->base;
	p.y = k_object_new(w, &var_objtype, "y")->base;
	p.flag = k_object_new(w, &var_objtype, "flag")->base;
	p.m = k_object_new(w, &mutex_objtype, "m")->base;
	p.done = k_object_new(w, &completion_objtype, "done")->base;
	o = object_new(w, &heap_objtype, "o", 16);
	o->heap = o->is_static = true;
	o->is_static = false;
	p.heap = o->base;
	p.work = arena_alloc(w, sizeof(*p.work));
	init_work(p.work, p.work_fn, "w");
	for (int i = 0; i < BODIES && p.bodies[i]; i++) {
		char name[] = { 't', (char)('0' + i), 0 };

		if (!task_new(w, TASK_THREAD, name, p.cpus[i], p.bodies[i], NULL, NULL))
			return false;
	}
	return true;
}

static inline struct world *source_begin(void *arg, bool lean, const char **why)
{
	(void)arg;
	world_set_lean(p.w, lean);
	if (world_reset(p.w))
		return p.w;
	*why = world_error(p.w);
	return NULL;
}

static inline int setup(void **state)
{
	(void)state;
	memset(&p, 0, sizeof(p));
	for (int i = 0; i < BODIES; i++)
		p.cpus[i] = i;
	p.w = world_new(CARRIER_FIBER);
	plain_site_of = site_at;
	e = (struct explore){
		.opts = { .strategy = EXPLORE_DPOR, .preemptions = -1, .seed = 7, .jobs = 1 },
		.src = { .begin = source_begin },
	};
	return p.w && check_attach(p.w) ? 0 : -1;
}

static inline int teardown(void **state)
{
	(void)state;
	explore_release(&e);
	world_free(p.w);
	return 0;
}

static inline void program(void (*a)(void *), void (*b)(void *), void (*c)(void *))
{
	p.bodies[0] = a;
	p.bodies[1] = b;
	p.bodies[2] = c;
	world_set_lean(p.w, false);
	if (!p.built)
		assert_true(world_do(p.w, build, NULL, NULL, false));
	p.built = true;
	assert_true(world_reset(p.w));
}

/* Lets each body run to its end, one after the other, and judges that. */
static inline size_t in_turn(void (*a)(void *), void (*b)(void *))
{
	struct run_policy policy = { .last = -1 };

	program(a, b, NULL);
	for (int i = 0; i < 2; i++) {
		struct task *t = task_by_name(p.w, i ? "t1" : "t0");

		assert_true(world_prime(p.w));
		while (task_enabled(t))
			assert_int_equal(world_step(p.w, t, 0), STEP_OK);
	}
	world_run(p.w, &policy, 1000);
	trace_judge(p.w, NULL);
	return world_violation_count(p.w);
}

static inline const char *message(void)
{
	return world_violation_count(p.w) ? world_violation(p.w, 0)->message : "";
}

static inline void explore(void (*a)(void *), void (*b)(void *), void (*c)(void *))
{
	explore_release(&e);
	program(a, b, c);
	if (!explore_run(&e))
		fail_msg("%s", e.report.error);
}

static inline void assert_explored_clean(void (*a)(void *), void (*b)(void *))
{
	explore(a, b, NULL);
	if (e.report.nviolations)
		fail_msg("unexpected: %s", e.report.violations[0].message);
	assert_true(e.report.complete);
}

static inline void assert_explored(const char *kind)
{
	assert_int_equal(e.report.nviolations, 1);
	assert_string_equal(e.report.violations[0].kind, kind);
}

#endif
