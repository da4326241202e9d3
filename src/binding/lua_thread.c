/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads, interrupts and what their bodies say about themselves: thread, irq, migrate, yield,
 * choose, assume, assert, WARN_ON, BUG_ON, cond_wait.
 */
#include <config.h>

#include "binding/binding.h"
#include "binding/lua_purity.h"
#include "check/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- making them --- */

struct thread_recipe {
	struct lb_recipe head;
	struct session *s;
	struct lb_fn *fn;
	enum task_kind kind;
	int cpu;
};

static struct object *thread_make(struct world *w, struct lb_recipe *r)
{
	struct thread_recipe *tr = (struct thread_recipe *)r;
	struct task *t = lb_task_new(tr->s, w, tr->kind, r->name, tr->cpu, tr->fn);

	return t ? t->obj : NULL;
}

static void thread_release(struct lb_recipe *r)
{
	lb_fn_put(((struct thread_recipe *)r)->fn);
}

/* The {cpu=N} table at idx; -1 when there is none. */
static int check_opts(lua_State *L, int idx)
{
	lua_Integer cpu = -1;

	if (lua_isnoneornil(L, idx))
		return -1;
	luaL_checktype(L, idx, LUA_TTABLE);
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING || strcmp(lua_tostring(L, -2), "cpu"))
			lb_arg_error(L, idx, "unknown option '%s': there is cpu",
				     luaL_tolstring(L, -2, NULL));
		if (!lua_isinteger(L, -1))
			lb_arg_error(L, idx, "cpu: a number is expected, got %s", luaL_typename(L, -1));
		cpu = lua_tointeger(L, -1);
		if (cpu < 0 || cpu >= (lua_Integer)world_cpus(lb_session(L)->w))
			lb_arg_error(L, idx, "cpu: there is no CPU %I: the world has %d, from 0",
				     (LUAI_UACINT)cpu, (int)world_cpus(lb_session(L)->w));
		if (cpu >= (lua_Integer)world_online(lb_session(L)->w))
			lb_arg_error(L, idx, "cpu: CPU %I is not online: the first %d of %d are",
				     (LUAI_UACINT)cpu, (int)world_online(lb_session(L)->w),
				     (int)world_cpus(lb_session(L)->w));
	}
	return (int)cpu;
}

/* Makes it; its body, if it has one, is at index `body`. */
static int make_task(lua_State *L, enum task_kind kind, int cpu, int body)
{
	struct thread_recipe *r = lb_recipe_new(L, 1, sizeof(*r), thread_make);

	r->head.release = thread_release;
	r->s = lb_session(L);
	r->kind = kind;
	r->cpu = cpu;
	if (body) {
		r->fn = lb_fn_new(L, body);
		purity_adopt(L, body, kind == TASK_IRQ ? "irq" : "thread", r->head.name);
	}
	lb_make(L, &r->head);
	return 1;
}

static int f_thread(lua_State *L)
{
	int opts = lua_istable(L, 2) ? 2 : 3;
	bool body;

	lb_check_name(L, 1);
	body = opts == 3 && !lua_isnoneornil(L, 2);
	if (body && !lua_isfunction(L, 2))
		return luaL_typeerror(L, 2, "function or table");
	return make_task(L, TASK_THREAD, check_opts(L, opts), body ? 2 : 0);
}

static int f_irq(lua_State *L)
{
	lua_Integer cpu;

	lb_check_name(L, 1);
	cpu = lb_check_range(L, 2, 0, (lua_Integer)world_cpus(lb_session(L)->w) - 1);
	lb_check_type(L, 3, LUA_TFUNCTION);
	return make_task(L, TASK_IRQ, (int)cpu, 3);
}

/* --- scheduling --- */

static int f_migrate(lua_State *L)
{
	static const struct site base = LB_SITE(OP_MIGRATE, ORD_NONE, 0, "migrate");
	struct task *t = lb_task(L);
	lua_Integer cpu = lb_check_range(L, 1, 0, (lua_Integer)world_cpus(t->w) - 1);

	if (cpu >= (lua_Integer)world_online(t->w))
		lb_arg_error(L, 1, "CPU %I is not online: the first %d of %d are", (LUAI_UACINT)cpu,
			     (int)world_online(t->w), (int)world_cpus(t->w));
	if (t->ctx.preempt || t->ctx.bh || t->ctx.irq || t->ctx.spin)
		return luaL_error(L, "migrate: %s cannot leave its CPU: preemption is off", task_name(t));
	lb_event(L, &base, NULL, 0, (uint64_t)cpu, 0);
	return 0;
}

static int f_yield(lua_State *L)
{
	static const struct site base = LB_SITE(OP_YIELD, ORD_NONE, 0, "yield");

	lb_event(L, &base, NULL, 0, 0, 0);
	return 0;
}

static int f_choose(lua_State *L)
{
	static const struct site base = LB_SITE(OP_CHOOSE, ORD_NONE, 0, "choose");
	lua_Integer n;

	lb_task(L);
	n = lb_check_range(L, 1, 1, 1 << 20);
	lua_pushinteger(L, (lua_Integer)lb_event(L, &base, NULL, 0, (uint64_t)n, 0));
	return 1;
}

static int f_assume(lua_State *L)
{
	static const struct site base = LB_SITE(OP_ASSUME, ORD_NONE, 0, "assume");

	lb_task(L);
	luaL_checkany(L, 1);
	if (!lua_toboolean(L, 1))
		lb_event(L, &base, NULL, 0, 0, 0);
	return 0;
}

/* --- claims --- */

/* "FILE:LINE" of the caller, pushed. */
static const char *push_where(lua_State *L)
{
	luaL_where(L, 1);
	return lua_tostring(L, -1);
}

static int f_assert(lua_State *L)
{
	struct task *t = task_current();
	const char *msg, *where;

	luaL_checkany(L, 1);
	if (lua_toboolean(L, 1))
		return lua_gettop(L);
	if (!t) {
		lb_session(L)->asserted = true;
		lua_remove(L, 1);
		if (lua_isnone(L, 1))
			lua_pushliteral(L, "assertion failed!");
		lua_settop(L, 1);
		return lua_type(L, 1) == LUA_TSTRING ? luaL_error(L, "%s", lua_tostring(L, 1)) :
						       lua_error(L);
	}
	lb_task(L);
	msg = lua_isnoneornil(L, 2) ? "assertion failed!" : luaL_tolstring(L, 2, NULL);
	where = push_where(L);
	check_report(t->w, "assertion", t, NULL, "%sassert() failed: %s", where, msg);
	task_fail();
}

static int f_warn_on(lua_State *L)
{
	struct task *t = lb_task(L);

	luaL_checkany(L, 1);
	if (lua_toboolean(L, 1))
		check_report(t->w, "warning", t, NULL, "%sWARN_ON() was hit", push_where(L));
	lua_pushboolean(L, lua_toboolean(L, 1));
	return 1;
}

static int f_bug_on(lua_State *L)
{
	struct task *t = lb_task(L);

	luaL_checkany(L, 1);
	if (!lua_toboolean(L, 1))
		return 0;
	check_report(t->w, "assertion", t, NULL, "%sBUG_ON() was hit", push_where(L));
	task_fail();
}

/* --- cond_wait --- */

struct predicate {
	struct session *s;
	struct task *t;
	lua_State *L;
	bool value;
	char error[512];	/* what it raised, "" if nothing */
};

static int predicate_call(lua_State *B)
{
	struct predicate *p = lua_touserdata(B, 1);

	lua_pushvalue(p->L, 1);
	lua_xmove(p->L, B, 1);
	lua_call(B, 0, 1);
	p->value = lua_toboolean(B, -1);
	return 0;
}

/*
 * On the driver's side: is the condition true now?  How often that is asked is no
 * part of the schedule, so nothing may come of it but the answer.  A condition that
 * raises, or reads what has been freed, lets its thread go on into the violation:
 * the step's location tells the heap oracle.
 */
static bool predicate_holds(void *arg)
{
	struct predicate *p = arg;
	const void **watch = p->s->freed_read, *freed = NULL;
	bool ok;

	p->value = false;
	p->error[0] = '\0';
	p->s->pure++;
	p->s->freed_read = &freed;
	ok = lb_protected(p->s, predicate_call, p);
	p->s->freed_read = watch;
	p->s->pure--;
	p->t->ev.loc = (void *)freed;
	if (!ok)
		snprintf(p->error, sizeof(p->error), "%s", world_error(p->t->w));
	return p->value || !ok || freed;
}

static int f_cond_wait(lua_State *L)
{
	static const struct site base = LB_SITE(OP_COND, ORD_FULL, 0, "cond_wait");
	struct predicate p = { .s = lb_session(L), .t = lb_task(L), .L = L };

	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, 1);
	luaL_checkstack(L, 2, NULL);	/* predicate_call() pushes here from outside */
	purity_condition(L, 1);
	p.t->predicate = predicate_holds;
	p.t->predicate_arg = &p;
	lb_event(L, &base, NULL, 0, 0, 0);
	p.t->predicate = NULL;
	if (p.error[0]) {
		check_report(p.t->w, "error", p.t, NULL,
			     "the condition of cond_wait() in %s raised an error: %s",
			     task_name(p.t), p.error);
		task_fail();
	}
	return 0;
}

static const struct lb_func thread_funcs[] = {
	{ "thread", f_thread, "(name [, fn] [, {cpu=N}]) -> thread",
	  "Makes a thread that runs fn; without fn it takes calls, see .thread in the shell",
	  "r = thread(\"reader\", function() idx = srcu_read_lock(ss); srcu_read_unlock(ss, idx) end)" },
	{ "irq", f_irq, "(name, cpu, fn) -> irq",
	  "Makes an interrupt of a CPU: it strikes once, between any two steps of what runs there "
	  "with interrupts on, and runs fn to its end before anything else runs there. fn may not "
	  "sleep. run() in turns lets it strike last, at random anywhere; step(name) lets it now",
	  "irq(\"timer0\", 0, function() WRITE_ONCE(x, 1) end)" },
	{ "migrate", f_migrate, "(cpu)", "Moves the current thread to another CPU", "migrate(1)" },
	{ "yield", f_yield, "()", "A step that does nothing: a pure scheduling point", "yield()" },
	{ "choose", f_choose, "(n) -> 1..n",
	  "A choice that the schedule makes (THREAD=K in a schedule), 1 unless it says otherwise",
	  "if choose(2) == 1 then kfree(o) end" },
	{ "assume", f_assume, "(cond)",
	  "Where cond is false the thread is blocked for ever: the execution does not count",
	  "assume(READ_ONCE(x) == 1)" },
	{ "assert", f_assert, "(cond [, message]) -> ...",
	  "In a thread a false cond is the violation \"assertion\"; elsewhere it is Lua's own assert",
	  "assert(READ_ONCE(freed) == 0, \"seen after the free\")" },
	{ "WARN_ON", f_warn_on, "(cond) -> boolean",
	  "A true cond is the violation \"warning\"; the thread goes on", "WARN_ON(idx ~= 0)" },
	{ "BUG_ON", f_bug_on, "(cond)",
	  "A true cond is the violation \"assertion\"; the thread ends", "BUG_ON(o == nil)" },
	{ "cond_wait", f_cond_wait, "(fn)",
	  "Blocks until fn() is true; fn only reads shared variables and ghosts, without steps",
	  "cond_wait(function() return READ_ONCE(x) == 1 end)" },
	{ 0 }
};

static const struct lb_section thread_section = {
	"threads", "Threads and interrupts",
	"A thread's body is a Lua function; each kernel call in it is one or more steps.",
	thread_funcs
};

void lb_open_thread(lua_State *L)
{
	lb_open_task(L);
	lb_register(L, &thread_section);
	lb_open_guard(L);
}
