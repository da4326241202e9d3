/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A world that goes back to its checkpoint is the world that is built anew: over
 * random schedules of all sorts of worlds the logs are the same byte for byte, and
 * without a log the same steps are made with the same values.  And nothing piles up.
 */
#include <config.h>

#include <inttypes.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lualib.h>

#include "binding/lua_source.h"
#include "engine/checkpoint.h"
#include "engine/log.h"
#include "engine/peek.h"

#define SEEDS 25
#define STEPS_MAX 600

/* What one execution left behind. */
struct run {
	struct record *records;
	size_t nrecords;
	struct mark *marks;
	size_t nmarks;
	char *text;		/* violations, schedule, outcome */
	uint64_t hash;		/* of what the steps did, log or not */
	uint64_t steps;
};

static lua_State *L;

static uint64_t mix(uint64_t h, uint64_t v)
{
	return (h ^ v) * 0x9e3779b97f4a7c15u + (h >> 29);
}

/* Where violations are told apart by words: numbers of steps are in them, lines not
 * without a log. */
static void note_violations(FILE *f, struct world *w, bool in_full)
{
	for (size_t i = 0; i < world_violation_count(w); i++) {
		const struct violation *v = world_violation(w, i);

		fprintf(f, "%s %u %u %" PRIu64 "\n", v->kind, v->task, v->other, v->step);
		if (in_full)
			fprintf(f, "%s\n%s\n", v->message, v->schedule);
	}
}

static struct task *pick(struct world *w, uint64_t *rng)
{
	struct task *t = world_next_random(w, rng);

	return t;
}

/* One execution from a seed. */
static struct run execute(const struct explore_source *src, uint64_t seed, bool lean)
{
	struct run r = { .hash = 1 };
	const char *why = NULL, *outcome;
	struct world *w = src->begin(src->arg, lean, &why);
	enum exec_end how = EXEC_COMPLETE;
	uint64_t rng = seed;
	struct task *t;
	size_t len, n;
	FILE *f = open_memstream(&r.text, &len);

	if (!w)
		fail_msg("%s", why);
	assert_non_null(f);
	while ((t = pick(w, &rng))) {
		unsigned choice = t->ev.op == OP_CHOOSE ? 1 + (unsigned)(world_random(&rng) % t->ev.a) : 0;
		struct event ev = t->ev;

		if (world_steps(w) == STEPS_MAX) {
			how = EXEC_CUT;
			break;
		}
		r.hash = mix(mix(r.hash, ev.op), task_id(t));
		r.hash = mix(mix(r.hash, (uintptr_t)ev.loc), ev.a);
		r.hash = mix(mix(r.hash, ev.b), choice);
		assert_int_equal(world_step(w, t, choice), STEP_OK);
		if (src->stepped)
			src->stepped(src->arg, w, t);
		const struct ghost_access *g = world_ghosts(w, &n);

		for (size_t i = 0; i < n; i++)
			r.hash = mix(mix(r.hash, g[i].task), g[i].loc * 2 + g[i].write);
	}
	outcome = src->end(src->arg, w, how);
	fprintf(f, "%s\n", outcome ? outcome : "-");
	note_violations(f, w, !world_is_lean(w));
	for (size_t i = 0; i < world_object_count(w); i++)
		fprintf(f, "%s %s %u %d\n", world_object(w, i)->type->kind, world_object(w, i)->name,
			world_object(w, i)->id, world_object(w, i)->state);
	fclose(f);
	r.steps = world_steps(w);
	if (world_is_lean(w))
		return r;
	r.nrecords = world_steps(w);
	r.nmarks = log_mark_count(w);
	r.records = calloc(r.nrecords + 1, sizeof(*r.records));
	r.marks = calloc(r.nmarks + 1, sizeof(*r.marks));
	assert_true(r.records && r.marks);
	for (size_t i = 0; i < r.nrecords; i++)
		r.records[i] = *log_record(w, i + 1);
	for (size_t i = 0; i < r.nmarks; i++)
		r.marks[i] = *log_mark(w, i);
	return r;
}

static void run_release(struct run *r)
{
	free(r->records);
	free(r->marks);
	free(r->text);
}

static bool same_mark(const struct mark *a, const struct mark *b)
{
	return a->arg == b->arg && a->step == b->step && a->obj == b->obj && a->api == b->api &&
	       a->task == b->task && a->end == b->end;
}

static bool same_record(const struct record *a, const struct record *b)
{
	return a->value == b->value && a->stored == b->stored && a->loc == b->loc &&
	       a->site == b->site && a->call == b->call && a->task == b->task &&
	       a->cpu_lo == b->cpu_lo && a->flags == b->flags;
}

static void compare(const char *name, uint64_t seed, const struct run *a, const struct run *b)
{
	if (strcmp(a->text, b->text))
		fail_msg("%s, seed %" PRIu64 ":\n%s\nbut then\n%s", name, seed, a->text, b->text);
	assert_int_equal(a->nrecords, b->nrecords);
	assert_int_equal(a->nmarks, b->nmarks);
	for (size_t i = 0; i < a->nrecords; i++)
		if (!same_record(&a->records[i], &b->records[i]))
			fail_msg("%s, seed %" PRIu64 ": step %zu differs", name, seed, i + 1);
	for (size_t i = 0; i < a->nmarks; i++)
		if (!same_mark(&a->marks[i], &b->marks[i]))
			fail_msg("%s, seed %" PRIu64 ": mark %zu differs", name, seed, i + 1);
	assert_int_equal(a->hash, b->hash);
}

static uint64_t seed_of(size_t i)
{
	uint64_t s = 1000 + i;

	return world_random(&s);
}

/* --- what Lua gives --- */

static struct lb_source *source;

static int make_source(lua_State *l)
{
	source = lb_source_new(l, 1, "test");
	return 0;
}

/* The function on top becomes a source. */
static struct lb_source *source_of_top(struct explore_source *src)
{
	lua_pushcfunction(L, make_source);
	lua_insert(L, -2);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK)
		fail_msg("%s", lua_tostring(L, -1));
	lb_source_fill(source, src);
	return source;
}

static void release(struct lb_source *s)
{
	lb_source_free(s);
	source = NULL;
}

/* Calls fn(name, source) for each scenario of a file that gives a table of them. */
static void each_scenario(const char *file, void (*fn)(const char *name, struct lb_source *s,
						       const struct explore_source *src))
{
	const char *top = getenv("top_srcdir");
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", top ? top : ".", file);
	if (luaL_dofile(L, path))
		fail_msg("%s", lua_tostring(L, -1));
	for (lua_pushnil(L); lua_next(L, -2);) {
		struct explore_source src;
		struct lb_source *s;
		char name[600];

		snprintf(name, sizeof(name), "%s:%s", file, lua_tostring(L, -2));
		s = source_of_top(&src);	/* pops the function */
		fn(name, s, &src);
		release(s);
	}
	lua_pop(L, 1);
}

/* --- the tests --- */

static void check_same(const char *name, struct lb_source *s, const struct explore_source *src)
{
	struct run cold[SEEDS], r;

	for (size_t i = 0; i < SEEDS; i++)
		cold[i] = execute(src, seed_of(i), false);
	lb_source_set_warm(s, true);
	for (size_t i = 0; i < 2 * SEEDS; i++) {
		r = execute(src, seed_of(i % SEEDS), false);
		compare(name, seed_of(i % SEEDS), &cold[i % SEEDS], &r);
		run_release(&r);
	}
	assert_true(lb_source_is_warm(s));
	/* and built again afterwards */
	lb_source_set_warm(s, false);
	r = execute(src, seed_of(0), false);
	compare(name, seed_of(0), &cold[0], &r);
	run_release(&r);
	for (size_t i = 0; i < SEEDS; i++)
		run_release(&cold[i]);
}

static void test_same(void **state)
{
	(void)state;
	each_scenario("t/lib/restore.lua", check_same);
	each_scenario("examples/bugs/K1.lua", check_same);
	each_scenario("examples/bugs/K8.lua", check_same);
	each_scenario("examples/bugs/S23.lua", check_same);
	each_scenario("examples/bugs/T5.lua", check_same);
}

/* Lean runs are compared with each other and, what the steps did, with those that keep
 * a log. */
static void check_lean(const char *name, struct lb_source *s, const struct explore_source *src)
{
	for (size_t i = 0; i < SEEDS; i++) {
		struct run full, cold, warm;

		lb_source_set_warm(s, false);
		full = execute(src, seed_of(i), false);
		cold = execute(src, seed_of(i), true);
		lb_source_set_warm(s, true);
		warm = execute(src, seed_of(i), true);
		run_release(&warm);
		warm = execute(src, seed_of(i), true);
		compare(name, seed_of(i), &cold, &warm);
		assert_int_equal(full.hash, warm.hash);
		assert_int_equal(full.steps, warm.steps);
		run_release(&full);
		run_release(&cold);
		run_release(&warm);
	}
}

static void test_lean(void **state)
{
	(void)state;
	each_scenario("t/lib/restore.lua", check_lean);
}

/* Bytes in use once everything that can be collected is. */
static size_t in_use(void)
{
	lua_gc(L, LUA_GCCOLLECT);
	lua_gc(L, LUA_GCCOLLECT);
	return mallinfo2().uordblks;
}

/* Something may still grow to the size that it keeps: a leak goes on. */
#define BLOCKS 3
#define BLOCK 500

static void check_leaks(const char *name, struct lb_source *s, const struct explore_source *src)
{
	size_t grew = SIZE_MAX, before, after;
	struct run r;

	lb_source_set_warm(s, true);
	for (size_t b = 0; b <= BLOCKS; b++) {
		before = in_use();
		for (size_t i = 0; i < BLOCK; i++) {
			r = execute(src, seed_of(i % 200), i & 1);
			run_release(&r);
		}
		after = in_use();
		/* in the first one things are made that stay */
		if (b && (after < before || after - before < grew))
			grew = after < before ? 0 : after - before;
	}
	if (grew > 8 * BLOCK)
		fail_msg("%s: %zu bytes more after %d executions, and each time", name, grew, BLOCK);
}

static void test_leaks(void **state)
{
	(void)state;
#ifdef __SANITIZE_ADDRESS__
	skip();	/* its allocator keeps no such account */
#endif
	each_scenario("t/lib/restore.lua", check_leaks);
}

/* A ghost that holds a table cannot go back: such a world is built anew. */
static void test_ghost_table(void **state)
{
	struct explore_source src;
	struct lb_source *s;
	struct world *w;
	const char *why;

	(void)state;
	assert_int_equal(luaL_loadstring(L,
		"local g = ghost('g', {}) thread('a', function() g.value.n = (g.value.n or 0) + 1 "
		"yield() assert(g.value.n == 1) end)"), LUA_OK);
	s = source_of_top(&src);
	lb_source_set_warm(s, true);
	for (int i = 0; i < 3; i++) {
		/* what the body has put into the table is taken out again */
		w = src.begin(src.arg, false, &why);
		assert_non_null(w);
		assert_true(lb_source_is_warm(s));
		assert_int_equal(world_step(w, world_task(w, 0), 0), STEP_OK);
		assert_int_equal(world_violation_count(w), 0);
		src.end(src.arg, w, EXEC_COMPLETE);
	}
	assert_null(src.refused(src.arg));
	release(s);
}

/* The session's own world is not touched: handles, ghosts, steps made. */
static void test_aside(void **state)
{
	struct explore_source src;
	struct lb_source *s;
	struct run r;

	(void)state;
	if (luaL_dostring(L, "world() x, g = var('x', 3), ghost('g', 'mine') "
			     "thread('t', function() WRITE_ONCE(x, 4) yield() end) step('t')"))
		fail_msg("%s", lua_tostring(L, -1));
	assert_int_equal(luaL_loadstring(L,
		"local y, g = var('y'), ghost('g', 'other') "
		"thread('t', function() WRITE_ONCE(y, 1) g.value = 5 end)"), LUA_OK);
	s = source_of_top(&src);
	lb_source_set_warm(s, true);
	for (size_t i = 0; i < 3; i++) {
		r = execute(&src, i, false);
		run_release(&r);
	}
	assert_int_not_equal(luaL_dostring(L, "return step('t')"), LUA_OK);
	lua_pop(L, 1);
	release(s);
	if (luaL_dostring(L, "assert(x:get() == 4 and g.value == 'mine') step('t') "
			     "back() assert(x:get() == 4 and #trace() == 1)"))
		fail_msg("%s", lua_tostring(L, -1));
}

/* Building fails: the error comes out, and the old world is there. */
static void test_failing(void **state)
{
	(void)state;
	if (luaL_dostring(L, "world() z = var('z', 8)"))
		fail_msg("%s", lua_tostring(L, -1));
	lua_pushcfunction(L, make_source);
	assert_int_equal(luaL_loadstring(L, "var('z') error('on purpose')"), LUA_OK);
	assert_int_not_equal(lua_pcall(L, 1, 0, 0), LUA_OK);
	assert_non_null(strstr(lua_tostring(L, -1), "on purpose"));
	lua_pop(L, 1);
	if (luaL_dostring(L, "assert(z:get() == 8)"))
		fail_msg("%s", lua_tostring(L, -1));
}

/* What a condition reads without a step can be asked for. */
static void test_peek(void **state)
{
	struct explore_source src;
	struct peek p = { 0 };
	struct lb_source *s;
	struct world *w;
	const char *why;
	struct task *t;

	(void)state;
	assert_int_equal(luaL_loadstring(L,
		"local a, b, c, g = var('a'), var('b'), var('c'), ghost('g', 0) "
		"thread('t', function() cond_wait(function() "
		"  return b:get() == 1 or READ_ONCE(a) == 1 or b:get() == 2 or g.value == 1 end) end) "
		"invariant('i', function() return READ_ONCE(c) == 0 end) "
		"thread('u', function() g.value = 1 yield() g.value = 2 local x = g.value end)"), LUA_OK);
	s = source_of_top(&src);
	w = src.begin(src.arg, false, &why);
	assert_non_null(w);
	t = task_by_name(w, "t");
	world_peek_begin(w, &p);
	assert_true(task_enabled(t));	/* u has set the ghost on its way to its first step */
	world_peek_end(w, &p);
	assert_int_equal(p.n, 3);
	assert_false(p.other);
	assert_int_equal(p.locs[0], arena_offset(w, object_by_name(w, "a")->base));
	assert_int_equal(p.locs[1], arena_offset(w, object_by_name(w, "b")->base));
	assert_int_equal(p.locs[2], arena_offset(w, object_by_name(w, "g")->base));
	assert_true(src.watched(src.arg, w, arena_offset(w, object_by_name(w, "c")->base)));
	assert_false(src.watched(src.arg, w, p.locs[0]));
	assert_int_equal(src.nwatched(src.arg), 1);
	assert_int_equal(world_step(w, task_by_name(w, "u"), 0), STEP_OK);
	size_t n;
	const struct ghost_access *g = world_ghosts(w, &n);

	assert_int_equal(n, 1);
	assert_int_equal(g[0].loc, p.locs[2]);
	assert_true(g[0].write);
	assert_int_equal(g[0].task, task_id(task_by_name(w, "u")));
	assert_int_equal(world_step(w, t, 0), STEP_BLOCKED);
	peek_release(&p);
	release(s);
}

/* A body that looks at the world without a step cannot be explored; an invariant may. */
static void test_refused(void **state)
{
	struct explore_source src;
	struct lb_source *s;
	struct run r;

	(void)state;
	assert_int_equal(luaL_loadstring(L,
		"local ss = srcu.new('ss') invariant('i', function() return ss:state().srcu_idx == 0 end) "
		"thread('t', function() yield() status('t') end)"), LUA_OK);
	s = source_of_top(&src);
	r = execute(&src, 1, false);
	run_release(&r);
	assert_non_null(src.refused(src.arg));
	assert_non_null(strstr(src.refused(src.arg), "t called status()"));
	assert_true(src.watched(src.arg, lb_session(L)->w, 12345));
	release(s);
}

static int open_all(lua_State *l)
{
	lb_open(l, CARRIER_FIBER);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	L = luaL_newstate();
	source = NULL;
	lua_pushcfunction(L, open_all);
	return lua_pcall(L, 0, 0, 0);
}

static int teardown(void **state)
{
	(void)state;
	lb_source_free(source);	/* of a test that failed */
	lb_close(L);
	lua_close(L);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lean, setup, teardown),
		cmocka_unit_test_setup_teardown(test_leaks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ghost_table, setup, teardown),
		cmocka_unit_test_setup_teardown(test_aside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_peek, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
