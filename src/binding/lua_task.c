/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lua on task stacks: a thread's body runs in a Lua thread of its own, on the
 * task's stack, so that a kernel function called from Lua is an ordinary C
 * function that may switch away in its middle.  Whatever can raise on a task's
 * Lua thread runs inside that thread's own lua_resume(), whatever must not raise
 * goes through aux_call().
 */
#include <config.h>

#include "binding/binding.h"
#include "check/check.h"

#include <stdlib.h>
#include <string.h>

/* What a task with Lua on its stack has; task->user. */
struct lua_body {
	struct session *s;
	struct task *t;
	struct lb_fn *fn;	/* the body, or NULL: it takes calls */
	lua_State *L1;		/* its Lua thread, made with the task */
	int l1_ref;
	bool used;		/* L1 has begun something that has not come to its end */
	lua_State *cur;		/* the innermost that runs: L1 or a coroutine */
	struct lb_fn *call;	/* a typed call that has not begun */
	enum { CALL_NONE, CALL_RUNS, CALL_DONE, CALL_ERROR } result;
	int nresults;		/* on L1's stack */
};

/* --- counted functions --- */

struct lb_fn *lb_fn_new(lua_State *L, int idx)
{
	struct lb_fn *f = malloc(sizeof(*f));

	if (!f)
		luaL_error(L, "%s: out of memory", lb_func_name(L));
	*f = (struct lb_fn){ .s = lb_session(L), .l1_ref = LUA_NOREF, .count = 1 };
	lua_pushvalue(L, idx);
	f->ref = luaL_ref(L, LUA_REGISTRYINDEX);
	return f;
}

struct lb_fn *lb_fn_get(struct lb_fn *f)
{
	f->count++;
	return f;
}

void lb_fn_put(struct lb_fn *f)
{
	if (!f || --f->count)
		return;
	luaL_unref(f->s->L, LUA_REGISTRYINDEX, f->ref);
	luaL_unref(f->s->L, LUA_REGISTRYINDEX, f->l1_ref);
	free(f);
}

/* --- short calls that must not raise --- */

/* fn(aux) with `ud` at index 1.  The result, if wanted, stays on aux's stack. */
static bool aux_call(struct session *s, lua_CFunction fn, void *ud, int nresults)
{
	lua_State *A = s->aux;

	lua_settop(A, 0);
	lua_pushcfunction(A, fn);
	lua_pushlightuserdata(A, ud);
	return lua_pcall(A, 1, nresults, 0) == LUA_OK;
}

static int make_l1(lua_State *A)
{
	struct lua_body *b = lua_touserdata(A, 1);

	b->L1 = lua_newthread(A);
	b->l1_ref = luaL_ref(A, LUA_REGISTRYINDEX);
	return 0;
}

/*
 * A Lua thread for a body to begin on, where the last one may have been abandoned.  What
 * is abandoned is never run again; its variables that are to be closed are not, unless
 * they would only be forgotten.  False: no memory.
 */
static bool renew_l1(struct lua_body *b)
{
	struct session *s = b->s;
	int old = b->l1_ref;

	if (!b->used)
		return true;
	b->used = false;
	lua_sethook(b->L1, NULL, 0, 0);
	if (!s->closes) {
		lua_resetthread(b->L1);
		lua_settop(b->L1, 0);
		return true;
	}
	if (!aux_call(s, make_l1, b, 0)) {
		b->used = true;
		return false;
	}
	luaL_unref(s->L, LUA_REGISTRYINDEX, old);
	return true;
}

static int make_traceback(lua_State *A)
{
	lua_State *L1 = lua_touserdata(A, 1);
	const char *msg;

	if (lua_type(L1, -1) == LUA_TSTRING)
		msg = lua_tostring(L1, -1);
	else
		msg = lua_pushfstring(A, "(error object is a %s value)", luaL_typename(L1, -1));
	luaL_traceback(A, L1, msg, 0);
	return 1;
}

/* The message of the error on L1, with a traceback; lives until the next aux_call(). */
static const char *error_text(struct session *s, lua_State *L1)
{
	if (aux_call(s, make_traceback, L1, 1))
		return lua_tostring(s->aux, -1);
	return "an error, and no memory to say which";
}

/* --- bodies --- */

static struct lua_body *body_of(struct task *t)
{
	return t->user;
}

lua_State *lb_running(struct session *s)
{
	struct task *t = task_current();
	struct lua_body *b = t ? body_of(t) : NULL;

	if (b && b->cur && !s->pure)
		return b->cur;
	return s->running ? s->running : s->L;
}

bool lb_is_body_thread(struct task *t, lua_State *L)
{
	struct lua_body *b = body_of(t);

	return b && b->L1 == L;
}

bool lb_task_takes_calls(struct task *t)
{
	struct lua_body *b = body_of(t);

	return b && !b->fn && b->result == CALL_RUNS;
}

struct lb_fn *lb_task_fn(struct task *t)
{
	struct lua_body *b = body_of(t);

	return b ? b->fn : NULL;
}

/* Which Lua thread of the task runs now; gives the one before (lua_guard.c). */
lua_State *lb_swap_running(lua_State *L)
{
	struct task *t = task_current();
	struct lua_body *b = t ? body_of(t) : NULL;
	/* a predicate runs on the driver's side even where a body asks for it */
	lua_State **slot = b && !lb_session(L)->pure ? &b->cur : &lb_session(L)->running, *old = *slot;

	*slot = L;
	return old;
}

/* Runs the function on top of L1; true when it returned, its results on L1. */
static bool resume_body(struct lua_body *b, lua_State *L1, int nargs, int *nresults)
{
	lua_State *before = b->cur;
	int status;

	b->cur = L1;
	status = lua_resume(L1, NULL, nargs, nresults);
	b->cur = before;
	if (status == LUA_YIELD) {
		/* coroutine.yield refuses (lua_guard.c); C code may still get here */
		lua_settop(L1, 0);
		lua_pushliteral(L1, "attempt to yield out of a thread's body");
		return false;
	}
	return status == LUA_OK;
}

static void push_fn(lua_State *L, struct lb_fn *f)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, f->ref);
}

static int new_thread(lua_State *A)
{
	lua_newthread(A);
	return 1;
}

static int error_tostring(lua_State *L)
{
	if (lua_tostring(L, 1))		/* a number */
		return lua_settop(L, 1), 1;
	if (!luaL_callmeta(L, 1, "__tostring") || lua_type(L, -1) != LUA_TSTRING)
		lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
	return 1;
}

/*
 * Makes a string of the error on top of L1, which has died of it.  A __tostring is
 * the script's own code, may step and may raise: it runs as bodies do, in a Lua
 * thread of its own.  Where that fails the error stays what it is.
 */
static void stringify_error(struct task *t, lua_State *L1)
{
	struct lua_body *b = body_of(t);
	lua_State *L2;
	int n;

	if (lua_type(L1, -1) == LUA_TSTRING || !lua_checkstack(L1, 3) ||
	    !aux_call(b->s, new_thread, NULL, 1))
		return;
	lua_xmove(b->s->aux, L1, 1);		/* error, L2: it lives as long as L1 */
	L2 = lua_tothread(L1, -1);
	lua_pushcfunction(L2, error_tostring);
	lua_pushvalue(L1, -2);
	lua_xmove(L1, L2, 1);
	if (resume_body(b, L2, 1, &n))
		lua_xmove(L2, L1, 1);		/* error, L2, text */
	else
		lua_pop(L1, 1);
}

static void fail_with_error(struct lua_body *b, lua_State *L1)
{
	stringify_error(b->t, L1);
	check_report(b->t->w, "error", b->t, NULL, "an error was thrown in the body of %s: %s",
		     task_name(b->t), error_text(b->s, L1));
	task_fail();
}

/* Typed calls, one after the other, for ever. */
static void serve_calls(struct lua_body *b)
{
	static struct site wait_site = { .op = OP_CALL_WAIT, .flags = SITE_LUA,
					 .prim = "waits for a call", .expr = "", .func = "", .file = "" };
	lua_State *L1 = b->L1;

	for (;;) {
		task_event((struct event){ .site = &wait_site, .op = OP_CALL_WAIT });
		if (!b->call)
			continue;
		lua_settop(L1, 0);
		push_fn(L1, b->call);
		lb_fn_put(b->call);
		b->call = NULL;
		b->result = CALL_RUNS;
		if (resume_body(b, L1, 0, &b->nresults)) {
			b->result = CALL_DONE;
			continue;
		}
		/* a typing error must not cost the thread its life */
		b->result = CALL_ERROR;
		stringify_error(b->t, L1);
		error_text(b->s, L1);
		lua_sethook(L1, NULL, 0, 0);	/* the watchdog's */
		lua_resetthread(L1);
		lua_settop(L1, 0);
		lua_xmove(b->s->aux, L1, 1);
	}
}

static void body_main(void *arg)
{
	static struct site irq_site = { .op = OP_IRQ, .flags = SITE_LUA, .prim = "interrupt",
					.expr = "", .func = "", .file = "" };
	struct lua_body *b = arg;
	int n;

	if (!b->fn) {
		b->used = true;
		serve_calls(b);
	}
	if (b->t->kind == TASK_IRQ)
		task_event((struct event){ .site = &irq_site, .op = OP_IRQ });
	b->used = true;
	push_fn(b->L1, b->fn);
	if (!resume_body(b, b->L1, 0, &n))
		fail_with_error(b, b->L1);
	lua_settop(b->L1, 0);
	b->used = false;
}

static bool body_restart(void *arg)
{
	struct lua_body *b = arg;

	lb_fn_put(b->call);
	b->call = NULL;
	b->cur = NULL;
	b->result = CALL_NONE;
	return renew_l1(b);
}

static void body_release(void *arg)
{
	struct lua_body *b = arg;

	b->t->user = NULL;
	lb_fn_put(b->fn);
	lb_fn_put(b->call);
	luaL_unref(b->s->L, LUA_REGISTRYINDEX, b->l1_ref);
	free(b);
}

struct task *lb_task_new(struct session *s, struct world *w, enum task_kind kind,
			 const char *name, int cpu, struct lb_fn *f)
{
	struct lua_body *b = calloc(1, sizeof(*b));
	struct task *t;

	if (!b) {
		world_fail(w, "out of memory");
		return NULL;
	}
	b->s = s;
	b->fn = f ? lb_fn_get(f) : NULL;
	b->l1_ref = LUA_NOREF;
	if (!aux_call(s, make_l1, b, 0)) {
		world_fail(w, "out of memory");
		goto fail;
	}
	t = task_new(w, kind, name, cpu, body_main, b, body_release);
	if (!t)
		goto fail;
	b->t = t;
	t->user = b;
	t->restart = body_restart;
	return t;
fail:
	luaL_unref(s->L, LUA_REGISTRYINDEX, b->l1_ref);
	lb_fn_put(b->fn);
	free(b);
	return NULL;
}

/* --- callbacks --- */

static int push_handle(lua_State *A)
{
	lb_push_object(A, lua_touserdata(A, 1));
	return 1;
}

/* f keeps its Lua thread, so that it goes with f when the task is abandoned in here. */
static bool callback_begin(struct lb_fn *f, struct lua_body *b)
{
	b->L1 = f->L1;
	b->l1_ref = f->l1_ref;
	b->used = f->used;
	if (f->L1 ? !renew_l1(b) : !aux_call(f->s, make_l1, b, 0))
		return false;
	f->L1 = b->L1;
	f->l1_ref = b->l1_ref;
	f->used = true;
	return true;
}

void lb_fn_call(struct lb_fn *f, struct object *arg)
{
	struct session *s = f->s;
	struct task *t = task_current();
	struct lua_body *mine = body_of(t);
	struct lua_body b = { .s = s, .t = t, .l1_ref = LUA_NOREF };
	int n;

	if (!callback_begin(f, &b)) {
		check_report(t->w, "error", t, NULL, "out of memory for a callback in %s", task_name(t));
		task_fail();
	}
	/* a kworker has no body of its own: for hooks it has this one meanwhile */
	if (!mine)
		t->user = &b;
	push_fn(b.L1, f);
	if (arg && aux_call(s, push_handle, arg, 1))
		lua_xmove(s->aux, b.L1, 1);
	else
		lua_pushnil(b.L1);
	if (!resume_body(mine ? mine : &b, b.L1, 1, &n))
		fail_with_error(&b, b.L1);
	lua_settop(b.L1, 0);
	f->used = false;
	if (!mine)
		t->user = NULL;
}

/* --- typed calls --- */

struct typed_call { struct session *s; uint32_t task; struct lb_fn *fn; };

static bool call_apply(struct world *w, void *arg)
{
	struct typed_call *c = arg;
	struct task *t = task_by_id(w, c->task);
	struct lua_body *b = t ? body_of(t) : NULL;

	if (!b || b->fn)
		return world_fail(w, "the thread that was called does not take calls");
	if (!world_prime(w))
		return false;
	if (t->ev.op != OP_CALL_WAIT || b->call)
		return world_fail(w, "thread \"%s\" has not ended its last call", task_name(t));
	b->call = lb_fn_get(c->fn);
	b->result = CALL_RUNS;
	task_poke(t);
	return true;
}

static void call_release(void *arg)
{
	struct typed_call *c = arg;

	lb_fn_put(c->fn);
	free(c);
}

void lb_thread_call(lua_State *L, struct task *t, int idx)
{
	struct session *s = lb_session(L);
	struct lua_body *b = body_of(t);
	struct typed_call *c;

	if (t->kind != TASK_THREAD)
		luaL_error(L, "%s takes no calls: it is a %s", task_name(t), t->obj->type->kind);
	if (t->state == TASK_DONE || t->state == TASK_FAILED)
		luaL_error(L, "thread \"%s\" takes no calls: it is %s", task_name(t),
			   t->state == TASK_DONE ? "done" : "failed");
	if (!b || b->fn)
		luaL_error(L, "thread \"%s\" takes no calls: it has a body (a thread made without a "
			   "function takes calls)", task_name(t));
	c = malloc(sizeof(*c));
	if (!c)
		luaL_error(L, "out of memory");
	*c = (struct typed_call){ .s = s, .task = task_id(t), .fn = lb_fn_new(L, idx) };
	if (!world_do(s->w, call_apply, c, call_release, true) || !world_prime(s->w))
		luaL_error(L, "%s", world_error(s->w));
}

int lb_thread_result(lua_State *L, struct task *t)
{
	struct lua_body *b = body_of(t);
	int n = 0;

	if (!b)
		return t->state == TASK_FAILED ? 0 : -2;
	switch (b->result) {
	case CALL_RUNS:
		return -2;
	case CALL_ERROR:
		n = -1;
		lua_xmove(b->L1, L, 1);
		break;
	case CALL_DONE:
		n = b->nresults;
		luaL_checkstack(L, n, "too many results");
		lua_xmove(b->L1, L, n);
		break;
	case CALL_NONE:
		break;
	}
	b->result = CALL_NONE;
	return n;
}

/* --- where a call comes from --- */

struct task *lb_task_refuse(lua_State *L)
{
	if (lb_session(L)->pure)
		luaL_error(L, "%s: a predicate only reads", lb_func_name(L));
	if (!task_current())
		luaL_error(L, "%s: no current thread", lb_func_name(L));
	luaL_error(L, "%s: cannot be called in a finalizer", lb_func_name(L));
	return NULL;
}

void lb_check_driver(lua_State *L)
{
	if (task_current())
		luaL_error(L, "%s: cannot be called in a thread's body", lb_func_name(L));
}

/*
 * A small cache before site_intern(): the same line is usually executed again.
 * Which function stands there is told by its address, which is cheap to have; so
 * that no other function can get that address, a cached one is kept alive.
 */
#define SITE_CACHE 256

struct site_slot {
	const struct site *base;
	const void *fn;
	lua_State *main;	/* addresses mean something in one lua_State only */
	int line;
	struct site *site;
};
static struct site_slot site_cache[SITE_CACHE];
static const char site_cache_key; /* registry: slot -> function */

/* The caller's function is on top of the stack. */
static struct site *site_miss(lua_State *L, const struct site *base, lua_Debug *ar,
			      struct site_slot *slot)
{
	struct site *s;

	lua_getinfo(L, "S", ar);
	s = site_intern(base, ar->short_src, ar->currentline);
	if (!s)
		luaL_error(L, "%s: out of memory", lb_func_name(L));
	slot->base = NULL;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &site_cache_key);
	lua_pushvalue(L, -2);
	lua_rawseti(L, -2, slot - site_cache + 1);
	lua_pop(L, 1);
	*slot = (struct site_slot){ .base = base, .fn = lua_topointer(L, -1), .site = s,
				    .main = lb_session(L)->L, .line = ar->currentline };
	return s;
}

/* Late in a long execution nobody looks where a step stands. */
static struct site *site_without_line(lua_State *L, const struct site *base)
{
	struct site_slot *slot = &site_cache[((uintptr_t)base >> 4) % SITE_CACHE];

	if (slot->base == base && !slot->fn)
		return slot->site;
	*slot = (struct site_slot){ .base = base, .site = site_intern(base, "", 0) };
	if (!slot->site)
		luaL_error(L, "%s: out of memory", lb_func_name(L));
	return slot->site;
}

struct site *lb_site_of_line(lua_State *L, const struct site *base)
{
	struct session *session = lb_session(L);
	struct site_slot *slot;
	struct site *s;
	const void *fn;
	lua_Debug ar;

	if (world_steps(session->w) >= LB_LINES_MAX)
		return site_without_line(L, base);
	/* level 0 is the primitive itself, 1 who called it */
	if (!lua_getstack(L, 1, &ar))
		return site_intern(base, "?", -1);
	lua_getinfo(L, "fl", &ar);
	fn = lua_topointer(L, -1);
	slot = &site_cache[(((uintptr_t)base >> 4) ^ ((uintptr_t)fn >> 5) ^
			    (unsigned)ar.currentline * 31) % SITE_CACHE];
	if (slot->base == base && slot->fn == fn && slot->line == ar.currentline &&
	    slot->main == session->L)
		s = slot->site;
	else
		s = site_miss(L, base, &ar, slot);
	lua_pop(L, 1);
	return s;
}

void lb_open_task(lua_State *L)
{
	struct session *s = lb_session(L);
	static const char key;

	s->aux = lua_newthread(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &site_cache_key);
	memset(site_cache, 0, sizeof(site_cache));
}
