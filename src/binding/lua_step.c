/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moving forwards: step, step_over, finish, run_until, run, advance.  Each is a
 * loop around world_step() that ends at a violation, at Ctrl-C, or where its
 * thread cannot go on; nothing in a loop raises, so that what was begun for it
 * is always ended.
 */
#include <config.h>

#include "binding/binding.h"
#include "binding/lua_claim.h"
#include "check/check.h"
#include "engine/log.h"
#include "memory/execution.h"
#include "memory/model.h"
#include "srcu/srcu.h"
#include "view/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAX_STEPS 1000000	/* of one call, unless run() is told another bound */

/* How a loop of steps ended. */
enum outcome {
	WENT_ON,	/* a step was made */
	REACHED,	/* what was asked for */
	BLOCKED,
	OVER,
	VIOLATED,	/* a violation was found: the first new one counts */
	BOUND,		/* MAX_STEPS */
	INTERRUPTED,
	FAILED,		/* the engine failed: world_error() */
	RAISED,		/* a predicate raised: its error is on the stack */
};

/* One call of a stepping function. */
struct walk {
	lua_State *L;
	struct session *s;
	struct world *w;
	size_t violations;	/* found before */
	uint64_t first, max;	/* steps made before, and how many may follow */
};

struct session *lb_check_steppable(lua_State *L)
{
	struct session *s = lb_session(L);

	lb_check_driver(L);
	lb_check_impure(L);
	if (s->building)
		luaL_error(L, "%s: cannot be called while a scenario builds its world",
			   lb_func_name(L));
	if (s->busy)
		luaL_error(L, "%s: cannot be called while threads are being stepped",
			   lb_func_name(L));
	return s;
}

/* Nothing may raise from here to walk_end(). */
static void walk_begin(struct walk *g, lua_State *L, struct session *s, uint64_t max)
{
	*g = (struct walk){
		.L = L, .s = s, .w = s->w, .max = max,
		.violations = world_violation_count(s->w), .first = world_steps(s->w),
	};
	s->busy++;
	world_batch_begin(g->w);
}

static void walk_end(struct walk *g)
{
	world_batch_end(g->w);
	g->s->busy--;
}

static bool walk_violated(const struct walk *g)
{
	return world_violation_count(g->w) > g->violations;
}

static bool anything_enabled(struct world *w)
{
	for (size_t i = 0; i < world_task_count(w); i++)
		if (task_enabled(world_task(w, i)))
			return true;
	return false;
}

void lb_stuck(struct world *w)
{
	if (anything_enabled(w))
		return;
	check_stuck(w);
	lb_claims_finish(w);
}

/* Nobody can move: that may be a deadlock. */
static enum outcome walk_stuck(struct walk *g, enum outcome otherwise)
{
	lb_stuck(g->w);
	return walk_violated(g) ? VIOLATED : otherwise;
}

static enum outcome walk_step(struct walk *g, struct task *t, unsigned choice)
{
	if (world_interrupted(g->w))
		return INTERRUPTED;
	if (world_steps(g->w) - g->first >= g->max)
		return BOUND;
	switch (world_step(g->w, t, choice)) {
	case STEP_OK:
		return walk_violated(g) ? VIOLATED : WENT_ON;
	case STEP_OVER:
		return walk_violated(g) ? VIOLATED : OVER;
	case STEP_BLOCKED:
		return walk_stuck(g, BLOCKED);
	case STEP_ERROR:
		break;
	}
	return FAILED;
}

/* "blocked on mutex vm.lock, held by writer since step 12" */
static void push_reason(lua_State *L, struct task *t)
{
	struct block b = task_blocked(t);
	char why[256];

	block_text(t, &b, why, sizeof(why));
	if (b.why == BLOCK_OVER || b.why == BLOCK_CALL || !strncmp(why, "idle", 4))
		lua_pushstring(L, why);
	else if (b.why == BLOCK_CPU || b.why == BLOCK_IRQ_OFF)
		lua_pushfstring(L, "blocked: %s", why);
	else
		lua_pushfstring(L, "blocked %s", why);
}

/* What the function gives back when it did not get where it was to go: nil and
 * why not; what came last and the violation; or it raises. */
static int push_failure(struct walk *g, enum outcome out, struct task *t)
{
	lua_State *L = g->L;

	switch (out) {
	case RAISED:
		return lua_error(L);
	case FAILED:
		return luaL_error(L, "%s: %s", lb_func_name(L), world_error(g->w));
	case INTERRUPTED:
		return luaL_error(L, "interrupted");
	case VIOLATED:
		if (world_steps(g->w) > g->first)
			lb_push_event(L, world_steps(g->w));
		else
			lua_pushnil(L);
		lb_push_violation(L, world_violation(g->w, g->violations));
		return 2;
	case BOUND:
		lua_pushnil(L);
		lua_pushfstring(L, "no end after %I steps", (LUAI_UACINT)g->max);
		return 2;
	default:
		lua_pushnil(L);
		push_reason(L, t);
		return 2;
	}
}

/* The event of the last step; true where there was none to make. */
static int push_success(struct walk *g)
{
	if (world_steps(g->w) > g->first)
		lb_push_event(g->L, world_steps(g->w));
	else
		lua_pushboolean(g->L, true);
	return 1;
}

/* --- step, step_over, finish --- */

/* Has t's next step a choice of that kind? */
static void check_choice(lua_State *L, struct task *t, unsigned k)
{
	if (!k)
		return;
	lb_prime(L);
	if (t->state != TASK_READY || t->ev.op == OP_CHOOSE)
		return;
	if (!execution_is_access(t))
		lb_arg_error(L, 3, "\"%s\" has no choice to make there", task_name(t));
	if (k > 1 && !world_model(t->w)->consistent)
		lb_arg_error(L, 3, "the %s model leaves no choice: a load returns the latest store",
			     world_model(t->w)->name);
}

static int f_step(lua_State *L)
{
	struct session *s = lb_check_steppable(L);
	struct task *t = lb_check_task(L, 1);
	lua_Integer n = lua_isnoneornil(L, 2) ? 1 : lb_check_range(L, 2, 1, INT32_MAX);
	unsigned k = lua_isnoneornil(L, 3) ? 0 : (unsigned)lb_check_range(L, 3, 1, INT32_MAX);
	enum outcome out = WENT_ON;
	struct walk g;

	if (k && n != 1)
		lb_arg_error(L, 3, "a choice is that of one step");
	check_choice(L, t, k);
	walk_begin(&g, L, s, UINT64_MAX);
	for (lua_Integer i = 0; i < n && out == WENT_ON; i++)
		out = walk_step(&g, t, k);
	walk_end(&g);
	return out == WENT_ON ? push_success(&g) : push_failure(&g, out, t);
}

/* The call that a script sees: the outermost.  0: t is in none. */
static uint32_t outer_call(const struct task *t)
{
	return t->ncalls ? t->calls[0].mark : 0;
}

static int f_step_over(lua_State *L)
{
	struct session *s = lb_check_steppable(L);
	struct task *t = lb_check_task(L, 1);
	enum outcome out = FAILED;
	struct walk g;
	uint32_t call;

	walk_begin(&g, L, s, MAX_STEPS);
	if (world_prime(g.w)) {
		call = outer_call(t);
		do {
			out = walk_step(&g, t, 0);
		} while (out == WENT_ON && call && outer_call(t) == call &&
			 t->state == TASK_READY);
	}
	walk_end(&g);
	return out == WENT_ON ? push_success(&g) : push_failure(&g, out, t);
}

/* Has t nothing left to do of its own? */
static bool at_rest(struct task *t)
{
	switch (task_blocked(t).why) {
	case BLOCK_OVER:
		return t->state == TASK_DONE;
	case BLOCK_CALL:
	case BLOCK_IDLE_WORKER:
	case BLOCK_IDLE_TIMER:
	case BLOCK_IDLE_PASS:
		return true;
	default:
		return false;
	}
}

static int f_finish(lua_State *L)
{
	struct session *s = lb_check_steppable(L);
	struct task *t = lb_check_task(L, 1);
	enum outcome out;
	struct walk g;

	walk_begin(&g, L, s, MAX_STEPS);
	do {
		out = walk_step(&g, t, 0);
	} while (out == WENT_ON);
	walk_end(&g);
	if ((out == BLOCKED || out == OVER) && at_rest(t))
		return push_success(&g);
	return push_failure(&g, out, t);
}

/* --- run_until --- */

struct target {
	int predicate;		/* stack index of a function, or 0 */
	struct srcu *ss;	/* else: its grace period is in `state` */
	unsigned state;
};

static struct srcu *only_srcu(lua_State *L, struct world *w)
{
	struct object *found = NULL, *o;

	for (size_t i = 0; i < world_object_count(w); i++) {
		o = world_object(w, i);
		if (o->type != &srcu_objtype || o->state == OBJECT_DESTROYED)
			continue;
		if (found)
			lb_arg_error(L, 3, "which srcu_struct? there are \"%s\", \"%s\" and perhaps more",
				     found->name, o->name);
		found = o;
	}
	if (!found)
		luaL_error(L, "%s: there is no srcu_struct in this world", lb_func_name(L));
	return found->impl;
}

/* Argument 3: a handle or, as for threads, a name. */
static struct srcu *named_srcu(lua_State *L, struct world *w)
{
	struct object *o;

	if (lua_type(L, 3) != LUA_TSTRING)
		return lb_check_object(L, 3, &srcu_objtype)->impl;
	o = object_by_name(w, lua_tostring(L, 3));
	if (!o || o->type != &srcu_objtype)
		lb_arg_error(L, 3, "no srcu_struct is called \"%s\"", lua_tostring(L, 3));
	return o->impl;
}

static void check_target(lua_State *L, struct world *w, struct target *goal)
{
	static const char *const states[] = { "IDLE", "SCAN1", "SCAN2" };
	struct srcu_view v = { 0 };
	const char *name;

	*goal = (struct target){0};
	if (lua_isfunction(L, 2)) {
		goal->predicate = 2;
		return;
	}
	if (lua_type(L, 2) != LUA_TSTRING)
		luaL_typeerror(L, 2, "function, \"SCAN1\", \"SCAN2\" or \"IDLE\"");
	name = lua_tostring(L, 2);
	while (goal->state < 3 && strcmp(states[goal->state], name))
		goal->state++;
	if (goal->state == 3)
		lb_arg_error(L, 2, "\"%s\" is no state of a grace period: \"SCAN1\", \"SCAN2\" "
			     "and \"IDLE\" are", name);
	if (lua_isnoneornil(L, 3))
		goal->ss = only_srcu(L, w);
	else
		goal->ss = named_srcu(L, w);
	goal->ss->ops->view(goal->ss, &v);
	if (!v.has_gp_seq)
		lb_arg_error(L, 2, "grace periods of %s have no states: it is of the %s flavor",
			     goal->ss->obj->name, goal->ss->ops->flavor);
}

static enum outcome target_reached(struct walk *g, const struct target *goal)
{
	struct srcu_view v = {0};
	int status;
	bool yes;

	if (!goal->predicate) {
		goal->ss->ops->view(goal->ss, &v);
		return v.gp_state == goal->state ? REACHED : WENT_ON;
	}
	g->s->pure++;
	lua_pushvalue(g->L, goal->predicate);
	status = lua_pcall(g->L, 0, 1, 0);
	g->s->pure--;
	if (status != LUA_OK)
		return RAISED;
	yes = lua_toboolean(g->L, -1);
	lua_pop(g->L, 1);
	return yes ? REACHED : WENT_ON;
}

/* Does the work item or timer belong to what is waited for? */
static bool serves(struct task *t, void *arg)
{
	const struct target *goal = arg;
	struct object *o = goal->ss && t->work ? object_at(t->w, t->work) : NULL;

	/* in the domain itself, or in memory that is part of it */
	return !goal->ss || (o && (o == goal->ss->obj || o->impl == goal->ss));
}

/* t while it can go on; then the first worker that can, then the first timer. */
static struct task *next_towards(struct world *w, struct task *t, struct target *goal)
{
	struct task *k;

	if (task_enabled(t))
		return t;
	k = world_first(w, TASK_WORKER, serves, goal);
	return k ? k : world_first(w, TASK_TIMER, serves, goal);
}

static int f_run_until(lua_State *L)
{
	struct session *s = lb_check_steppable(L);
	struct task *t = lb_check_task(L, 1), *next;
	enum outcome out = FAILED;
	struct target goal;
	struct walk g;

	check_target(L, s->w, &goal);
	luaL_checkstack(L, 8, NULL);
	walk_begin(&g, L, s, MAX_STEPS);
	if (world_prime(g.w))
		out = WENT_ON;
	while (out == WENT_ON) {
		out = target_reached(&g, &goal);
		if (out != WENT_ON)
			break;
		next = next_towards(g.w, t, &goal);
		out = next ? walk_step(&g, next, 0) : walk_stuck(&g, BLOCKED);
	}
	/* a violation in the very step that reaches the target: both are said */
	if (out == VIOLATED && target_reached(&g, &goal) == REACHED) {
		walk_end(&g);
		lua_pushboolean(L, true);
		lb_push_violation(L, world_violation(g.w, g.violations));
		return 2;
	}
	walk_end(&g);
	if (out == VIOLATED) {
		lua_pushnil(L);
		lb_push_violation(L, world_violation(g.w, g.violations));
		return 2;
	}
	if (out != REACHED)
		return push_failure(&g, out, t);
	lua_pushboolean(L, true);
	return 1;
}

/* --- run --- */

static void check_run_options(lua_State *L)
{
	static const char *const known[] = { "policy", "seed", "max_steps" };
	size_t i;

	if (lua_isnoneornil(L, 1))
		return;
	luaL_checktype(L, 1, LUA_TTABLE);
	for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			lb_arg_error(L, 1, "options have names: policy, seed, max_steps");
		for (i = 0; i < 3 && strcmp(known[i], lua_tostring(L, -2)); i++)
			;
		if (i == 3)
			lb_arg_error(L, 1, "no option \"%s\": there are policy, seed, max_steps",
				     lua_tostring(L, -2));
	}
}

/* An integer option, from `lo` on. */
static lua_Integer run_option(lua_State *L, const char *name, lua_Integer lo, lua_Integer otherwise)
{
	lua_Integer v = otherwise;
	int isint = 1;

	if (lua_istable(L, 1) && lua_getfield(L, 1, name) != LUA_TNIL) {
		v = lua_type(L, -1) == LUA_TNUMBER ? lua_tointegerx(L, -1, &isint) : (isint = 0);
		if (!isint || v < lo)
			lb_arg_error(L, 1, "%s: an integer%s expected, got %s", name,
				     lo == 1 ? " of 1 or more is" : " is", luaL_tolstring(L, -1, NULL));
	}
	return v;
}

static void check_policy(lua_State *L, struct run_policy *p)
{
	uint64_t seed = run_option(L, "seed", LUA_MININTEGER, 1);
	const char *name = "rr";

	if (lua_istable(L, 1) && lua_getfield(L, 1, "policy") != LUA_TNIL)
		name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "?";
	if (strcmp(name, "rr") && strcmp(name, "random"))
		lb_arg_error(L, 1, "policy: \"rr\" or \"random\" is expected");
	*p = (struct run_policy){ .random = *name == 'r' && name[1] == 'a', .last = -1 };
	/* neighbouring seeds must not give neighbouring sequences */
	p->rng = world_random(&seed);
	p->choices = world_random(&seed);
}

static enum outcome run_world(struct walk *g, struct run_policy *p)
{
	switch (world_run(g->w, p, g->max)) {
	case RUN_STUCK:
		return walk_stuck(g, REACHED);
	case RUN_VIOLATED:
		return VIOLATED;
	case RUN_BOUND:
		return BOUND;
	case RUN_INTERRUPTED:
		return INTERRUPTED;
	case RUN_ERROR:
		break;
	}
	return FAILED;
}

static void set_blocked(lua_State *L, struct world *w)
{
	lua_Integer n = 0;

	lua_newtable(L);
	for (size_t i = 0; i < world_task_count(w); i++) {
		struct task *t = world_task(w, i);

		if (t->state == TASK_FAILED || task_enabled(t) || at_rest(t))
			continue;
		lua_pushstring(L, task_name(t));
		lua_rawseti(L, -2, ++n);
	}
	lua_setfield(L, -2, "blocked");
}

static void push_report(struct walk *g, enum outcome out)
{
	lua_State *L = g->L;
	size_t i, n = world_violation_count(g->w);

	lua_newtable(L);
	lua_pushstring(L, n > g->violations ? "violation" : out == REACHED ? "ok" : "incomplete");
	lua_setfield(L, -2, "verdict");
	lua_pushinteger(L, (lua_Integer)(world_steps(g->w) - g->first));
	lua_setfield(L, -2, "steps");
	lua_newtable(L);
	for (i = g->violations; i < n; i++) {
		lb_push_violation(L, world_violation(g->w, i));
		lua_rawseti(L, -2, (lua_Integer)(i - g->violations) + 1);
	}
	lua_setfield(L, -2, "violations");
	if (out == BOUND)
		lua_pushfstring(L, "max_steps %I", (LUAI_UACINT)g->max);
	else if (out == INTERRUPTED)
		lua_pushliteral(L, "interrupted");
	else if (out == FAILED)
		lua_pushstring(L, world_error(g->w));
	else
		lua_pushnil(L);
	lua_setfield(L, -2, "bound");
	set_blocked(L, g->w);
}

static int f_run(lua_State *L)
{
	struct session *s = lb_check_steppable(L);
	enum outcome out;
	struct run_policy p;
	struct walk g;
	lua_Integer max;

	check_run_options(L);
	check_policy(L, &p);
	max = run_option(L, "max_steps", 1, MAX_STEPS);
	walk_begin(&g, L, s, (uint64_t)max);
	out = run_world(&g, &p);
	walk_end(&g);
	push_report(&g, out);
	return 1;
}

static int f_advance(lua_State *L)
{
	struct session *s = lb_check_steppable(L);
	lua_Integer ns = lb_check_range(L, 1, 1, LUA_MAXINTEGER);
	size_t violations = world_violation_count(s->w);

	if (!world_advance(s->w, (uint64_t)ns))
		return luaL_error(L, "%s: %s", lb_func_name(L), world_error(s->w));
	lb_push_event(L, world_steps(s->w));
	if (world_violation_count(s->w) == violations)
		return 1;
	lb_push_violation(L, world_violation(s->w, violations));
	return 2;
}

/* --- registration --- */

static const struct lb_func step_funcs[] = {
	{ "step", f_step, "(t [, n [, k]]) -> event [, violation]",
	  "Performs the next n steps (1) of a thread and gives the last one's event; nil and why "
	  "not when it cannot make them all. Stops at a violation, which is the second value. k is the "
	  "choice of a single step: of choose(), or among the stores that pending(t).choices lists",
	  "print(step(\"reader\").text)" },
	{ "step_over", f_step_over, "(t) -> event [, violation]",
	  "Steps a thread until the kernel call that it is in returns; nil and why not when it "
	  "blocks before that", "step_over(\"writer\")" },
	{ "finish", f_finish, "(t) -> event [, violation]",
	  "Runs a thread alone until it is done; nil and why not when it blocks",
	  "assert(finish(\"reader\"))" },
	{ "run_until", f_run_until, "(t, what [, ss]) -> true",
	  "Runs a thread, and while it cannot go on the workers and timers of ss, until the grace "
	  "period of ss is in state \"SCAN1\", \"SCAN2\" or \"IDLE\" or the function `what` gives "
	  "true; nil and why not otherwise. ss may be left out where there is only one",
	  "run_until(\"writer\", \"SCAN1\")\nrun_until(\"writer\", function() return x:get() == 1 end)" },
	{ "run", f_run, "([{policy=, seed=, max_steps=}]) -> report",
	  "Runs everything until all threads are done or blocked, in turns (policy \"rr\") or at "
	  "random from a seed (\"random\"). The report has verdict (\"ok\", \"violation\" or "
	  "\"incomplete\"), steps, violations, blocked (names of threads) and bound (what cut it)",
	  "local r = run{policy=\"random\", seed=7}\nprint(r.verdict, r.steps)" },
	{ "advance", f_advance, "(ns) -> event",
	  "Moves virtual time on by so many nanoseconds: a step of nobody's",
	  "advance(1000000)" },
	{ 0 }
};
static const struct lb_section step_section = {
	"stepping", "Stepping",
	"Where a thread is expected its name does as well. A thread cannot step itself: none of "
	"these can be called in a thread's body.",
	step_funcs
};

void lb_open_step(lua_State *L)
{
	lb_register(L, &step_section);
	lb_open_travel(L);
	lb_open_event(L);
}
