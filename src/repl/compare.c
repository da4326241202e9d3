/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lua/compare.lua needs and only C can give: pieces of a run that have the same
 * name in every implementation of SRCU (a call, a pass of a worker, all that the workers
 * can do), and what can be seen of a world between two of them.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "binding/lua_claim.h"
#include "binding/lua_ktree.h"
#include "check/check.h"
#include "engine/log.h"
#include "repl/compare.h"
#include "srcu/srcu.h"

static struct session *the_session(lua_State *L)
{
	return lb_session(L);
}

/* --- which implementation --- */

/* kernel(DIR) -> K */
static int compare_kernel(lua_State *L)
{
	lb_kernel_default(L, luaL_checkstring(L, 1));
	lb_push_kernel(L, the_session(L)->kernel[0]);
	return 1;
}

/* use(K or nil): what the worlds that are built from now on are made of */
static int compare_use(lua_State *L)
{
	struct session *s = the_session(L);
	struct lb_kernel *kn = lb_test_kernel(L, 1);

	if (s->kernel[0] == kn)
		return 0;
	s->kernel[0] = kn;
	s->kernel[1] = NULL;	/* loaded when it is asked for */
	return 0;
}

/* --- pieces of a run --- */

#define MAX_STEPS 1000000	/* of one piece */

struct leg {
	lua_State *L;
	struct world *w;
	size_t violations;	/* found before */
	uint64_t first;		/* steps made before */
	const char *end;	/* how it ended, or NULL: it goes on */
};

static void leg_begin(struct leg *g, lua_State *L)
{
	struct session *s = the_session(L);

	*g = (struct leg){
		.L = L, .w = s->w, .violations = world_violation_count(s->w),
		.first = world_steps(s->w),
	};
	s->busy++;
	world_batch_begin(g->w);
}

/* Pushes how it ended. */
static int leg_end(struct leg *g)
{
	world_batch_end(g->w);
	the_session(g->L)->busy--;
	if (!strcmp(g->end, "failed"))
		return luaL_error(g->L, "%s", world_error(g->w));
	lua_pushstring(g->L, g->end);
	return 1;
}

/* One step; false when the leg is over by it. */
static bool leg_step(struct leg *g, struct task *t, unsigned choice)
{
	if (world_interrupted(g->w)) {
		g->end = "interrupted";
		return false;
	}
	if (world_steps(g->w) - g->first >= MAX_STEPS) {
		g->end = "endless";
		return false;
	}
	switch (world_step(g->w, t, choice)) {
	case STEP_OK:
		break;
	case STEP_OVER:
		g->end = "over";
		break;
	case STEP_BLOCKED:
		g->end = "blocked";
		break;
	case STEP_ERROR:
		g->end = "failed";
		break;
	}
	if (world_violation_count(g->w) > g->violations && (!g->end || strcmp(g->end, "failed")))
		g->end = "violation";
	return !g->end;
}

static bool is_background(const struct task *t)
{
	return t->kind == TASK_WORKER || t->kind == TASK_TIMER;
}

/* The call that the script sees: the outermost.  0: it is in none. */
static uint32_t outer_call(const struct task *t)
{
	return t->ncalls ? t->calls[0].mark : 0;
}

/* Did the last step read a domain's srcu_idx? */
static bool has_read_idx(struct world *w)
{
	static const char field[] = ".srcu_idx";
	struct event_view v;
	size_t len;

	if (!event_view(w, world_steps(w), &v))
		return false;
	len = strlen(v.object);
	return len >= sizeof(field) - 1 && !strcmp(v.object + len - (sizeof(field) - 1), field);
}

/* A thread's next call, or next step where it is in none. */
static void leg_call(struct leg *g, struct task *t, unsigned choice, bool to_idx)
{
	uint32_t call = outer_call(t);

	while (leg_step(g, t, choice)) {
		choice = 0;
		if (t->state != TASK_READY)
			g->end = "over";
		else if (!call || outer_call(t) != call)
			g->end = "returned";
		else if (to_idx && has_read_idx(g->w))
			g->end = "index";
		else if (!task_enabled(t))
			g->end = "blocked";
		if (g->end)
			break;
	}
}

/* One pass of a worker, or one firing of a timer. */
static void leg_pass(struct leg *g, struct task *t)
{
	while (leg_step(g, t, 0)) {
		if (t->kind == TASK_WORKER ? !t->in_pass : t->ev.op == OP_TIMER_WAIT)
			g->end = "returned";
		else if (!task_enabled(t))
			g->end = "blocked";
		if (g->end)
			break;
	}
}

/* leg(NAME [, "index" [, CHOICE]]) -> how it ended ("cannot", "missing": nothing was done).  A thread makes its next call, as far
 * as it can go or, with "index", until it has read srcu_idx; a worker a pass. */
static int compare_leg(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	bool to_idx = !strcmp(luaL_optstring(L, 2, ""), "index");
	unsigned choice = (unsigned)luaL_optinteger(L, 3, 0);
	struct task *t;
	struct leg g;

	leg_begin(&g, L);
	t = world_prime(g.w) ? task_by_name(g.w, name) : NULL;
	if (world_violation_count(g.w) > g.violations)
		g.end = "violation";
	else if (!t)
		g.end = *world_error(g.w) ? "failed" : "missing";
	else if (!task_enabled(t))
		g.end = "cannot";
	else if (is_background(t))
		leg_pass(&g, t);
	else
		leg_call(&g, t, choice, to_idx);
	return leg_end(&g);
}

/* By name, as implementations make theirs in an order of their own. */
static struct task *next_background(struct world *w, enum task_kind kind)
{
	struct task *found = NULL, *t;

	for (size_t i = 0; i < world_task_count(w); i++) {
		t = world_task(w, i);
		if (t->kind == kind && task_enabled(t) &&
		    (!found || strcmp(task_name(t), task_name(found)) < 0))
			found = t;
	}
	return found;
}

/* background() -> how it ended: "idle", "violation" ...: passes of workers while there are
 * any to make, and of timers where there are none. */
static int compare_background(lua_State *L)
{
	struct task *t;
	struct leg g;

	leg_begin(&g, L);
	if (!world_prime(g.w))
		g.end = "failed";
	while (!g.end) {
		t = next_background(g.w, TASK_WORKER);
		if (!t)
			t = next_background(g.w, TASK_TIMER);
		if (!t) {
			g.end = "idle";
			break;
		}
		leg_pass(&g, t);
		if (!strcmp(g.end, "returned") || !strcmp(g.end, "blocked"))
			g.end = NULL;
	}
	return leg_end(&g);
}

/* --- what can be seen --- */

static bool is_reader_call(const struct task *t)
{
	enum kapi_kind k;

	if (t->ncalls != 1)
		return false;
	k = t->calls[0].api->kind;
	return k == KAPI_READ_LOCK || k == KAPI_DOWN_READ;
}

static const char *state_of(struct task *t)
{
	if (t->state == TASK_DONE)
		return "done";
	if (t->state == TASK_FAILED)
		return "failed";
	if (is_background(t) && t->in_pass)
		return task_enabled(t) ? "ready" : "blocked";
	if (task_enabled(t))
		return "ready";
	return is_background(t) ? "idle" : "blocked";
}

/* tasks() -> list of {name=, background=, state=, call=, index= (it begins a reader's
 * call), choices=} */
static int compare_tasks(lua_State *L)
{
	struct world *w = lb_prime(L);

	lua_createtable(L, (int)world_task_count(w), 0);
	for (size_t i = 0; i < world_task_count(w); i++) {
		struct task *t = world_task(w, i);

		lua_createtable(L, 0, 6);
		lb_set_string(L, "name", task_name(t));
		lb_set_string(L, "state", state_of(t));
		lua_pushboolean(L, is_background(t));
		lua_setfield(L, -2, "background");
		lua_pushboolean(L, is_reader_call(t) && t->start_since == t->calls[0].since);
		lua_setfield(L, -2, "index");
		if (t->state == TASK_READY && t->ev.op == OP_CHOOSE && !t->ncalls)
			lb_set_integer(L, "choices", t->ev.a);
		lb_set_string(L, "call", t->ncalls ? t->calls[0].api->name : NULL);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static void set_sums(lua_State *L, struct srcu *ss, const struct srcu_view *v)
{
	static const char *const keys[2][2] = { { "locks0", "unlocks0" }, { "locks1", "unlocks1" } };

	for (unsigned idx = 0; idx < 2; idx++) {
		uint64_t sum[2] = { 0, 0 }, locks, unlocks;

		for (unsigned cpu = 0; cpu < v->ncpus; cpu++) {
			if (!ss->ops->counts(ss, cpu, idx, &locks, &unlocks))
				continue;
			sum[0] += locks;
			sum[1] += unlocks;
		}
		lb_set_integer(L, keys[idx][0], sum[0]);
		lb_set_integer(L, keys[idx][1], sum[1]);
	}
}

static void set_queued(lua_State *L, struct srcu *ss, const struct srcu_view *v)
{
	struct srcu_cblist_view c;
	long n = 0;

	for (unsigned cpu = 0; cpu < v->ncpus; cpu++)
		if (ss->ops->cblist(ss, cpu, &c))
			n += c.done + c.wait + c.next_ready + c.next;
	lb_set_integer(L, "queued", (uint64_t)n);
}

static void push_domain(lua_State *L, struct object *o)
{
	static const char *const states[] = { "IDLE", "SCAN1", "SCAN2", "?" };
	struct srcu *ss = o->impl;
	struct srcu_view v = { 0 };

	lua_createtable(L, 0, 12);
	lb_set_string(L, "name", o->name);
	lb_set_string(L, "flavor", ss->ops->flavor);
	if (ss->cleaned || o->state != OBJECT_LIVE) {
		lb_set_string(L, "gone", "cleaned up");
		return;
	}
	ss->ops->view(ss, &v);
	if (v.uninitialised) {
		lb_set_string(L, "gone", "not used yet");
		return;
	}
	if (v.has_gp_seq) {
		lb_set_string(L, "gp_state", states[v.gp_state & 3]);
		lb_set_integer(L, "gp_seq", v.gp_seq);
		lb_set_integer(L, "needed", v.gp_seq_needed);
	}
	if (!v.has_open)
		lb_set_integer(L, "idx", v.srcu_idx & 1);
	if (v.has_size_state)
		lb_set_string(L, "size", v.size_state);
	if (v.has_nesting) {
		lb_set_integer(L, "locks0", (uint64_t)v.nesting[0]);
		lb_set_integer(L, "locks1", (uint64_t)v.nesting[1]);
	}
	if (v.has_counts)
		set_sums(L, ss, &v);
	if (v.has_cblist)
		set_queued(L, ss, &v);
}

/* domains() -> list, in order of making, of what is to be seen of each */
static int compare_domains(lua_State *L)
{
	struct world *w = the_session(L)->w;
	lua_Integer n = 0;

	lua_newtable(L);
	for (size_t i = 0; i < world_object_count(w); i++) {
		struct object *o = world_object(w, i);

		if (o->type != &srcu_objtype)
			continue;
		push_domain(L, o);
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

/* calls(FROM) -> list of {thread=, call=, kind=, object=, value=, over=}, begins and ends of
 * calls in order, and from where on there are none yet */
static int compare_calls(lua_State *L)
{
	static const char *const kinds[] = {
		[KAPI_READ_LOCK] = "index", [KAPI_DOWN_READ] = "index", [KAPI_GET_STATE] = "cookie",
		[KAPI_POLL] = "poll", [KAPI_CALL] = "post", [KAPI_CALLBACK] = "callback",
		[KAPI_CLEANUP] = "cleanup", [KAPI_DRAIN] = "drain",
	};
	struct world *w = the_session(L)->w;
	size_t from = (size_t)luaL_checkinteger(L, 1), n = log_mark_count(w);
	lua_Integer k = 0;

	lua_newtable(L);
	for (size_t i = from; i < n; i++) {
		const struct mark *m = log_mark(w, i);
		const struct kapi *api = kapi_by_id(m->api);
		struct object *o = m->obj ? object_by_id(w, m->obj) : NULL;

		lua_createtable(L, 0, 6);
		lb_set_string(L, "thread", task_name(world_task(w, m->task)));
		lb_set_string(L, "call", api->name);
		lb_set_string(L, "kind", (size_t)api->kind < sizeof(kinds) / sizeof(*kinds) ?
			      kinds[api->kind] : NULL);
		lb_set_string(L, "object", o ? o->name : NULL);
		lb_set_integer(L, "value", m->arg);
		lua_pushboolean(L, m->end);
		lua_setfield(L, -2, "over");
		lua_rawseti(L, -2, ++k);
	}
	lua_pushinteger(L, (lua_Integer)n);
	return 2;
}

/* violations(FROM) -> list of {kind=, thread=, message=} */
static int compare_violations(lua_State *L)
{
	struct world *w = the_session(L)->w;
	size_t from = (size_t)luaL_checkinteger(L, 1);
	lua_Integer k = 0;

	lua_newtable(L);
	for (size_t i = from; i < world_violation_count(w); i++) {
		lb_push_violation(L, world_violation(w, i));
		lua_rawseti(L, -2, ++k);
	}
	return 1;
}

/* finish() -> what outcome() gives: nobody can move any more, and the world is judged */
static int compare_finish(lua_State *L)
{
	struct world *w = the_session(L)->w;

	lb_stuck(w);
	lua_pushstring(L, world_violation_count(w) ? NULL : lb_claims_outcome(w));
	return 1;
}

void compare_push(lua_State *L)
{
	static const luaL_Reg funcs[] = {
		{ "kernel", compare_kernel },
		{ "use", compare_use },
		{ "leg", compare_leg },
		{ "background", compare_background },
		{ "tasks", compare_tasks },
		{ "domains", compare_domains },
		{ "calls", compare_calls },
		{ "violations", compare_violations },
		{ "finish", compare_finish },
		{ NULL, NULL }
	};

	luaL_newlib(L, funcs);
}
