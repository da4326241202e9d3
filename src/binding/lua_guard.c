/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lua's own functions where they meet task stacks: which coroutine runs is kept
 * known (for Ctrl-C), a body cannot be yielded out of, finalizers cannot step,
 * load() leaves nothing behind in an abandoned body, what bodies print is muted
 * while a world is rebuilt, and a watchdog ends a body that computes for ever
 * without a step.
 */
#include <config.h>

#include "binding/binding.h"
#include "check/check.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

lua_State *lb_swap_running(lua_State *L); /* lua_task.c */

/* --- coroutines --- */

/* Upvalue 1: the original function.  Calls it with all arguments while `co` counts
 * as the Lua thread that runs. */
static int call_as(lua_State *L, lua_State *co)
{
	lua_State *before = lb_swap_running(co);
	int n = lua_gettop(L), status;

	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	status = lua_pcall(L, n, LUA_MULTRET, 0);
	lb_swap_running(before);
	return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

static int g_resume(lua_State *L)
{
	lua_State *co = lua_tothread(L, 1);

	luaL_argexpected(L, co, 1, "coroutine");
	return call_as(L, co);
}

/* The function that coroutine.wrap() gave: upvalue 1; upvalue 2: its coroutine. */
static int wrapped(lua_State *L)
{
	lua_State *co = lua_tothread(L, lua_upvalueindex(2));

	return call_as(L, co ? co : L);
}

static int g_wrap(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, 1, 1);
	/* wrap keeps its coroutine as the first upvalue */
	if (!lua_getupvalue(L, -1, 1))
		lua_pushnil(L);
	lua_pushcclosure(L, wrapped, 2);
	return 1;
}

static int g_yield(lua_State *L)
{
	struct task *t = task_current();

	/* on the body's own Lua thread there is nobody to yield to */
	if (t && lb_is_body_thread(t, L))
		return luaL_error(L, "coroutine.yield: a thread's body is no coroutine (yield() is "
				  "the scheduling point)");
	return lua_yield(L, lua_gettop(L));
}

/* --- load --- */

/* What the function at 1 gives, piece by piece, as one string. */
static int read_pieces(lua_State *L)
{
	luaL_Buffer b;
	size_t len;

	luaL_buffinit(L, &b);
	do {
		lua_pushvalue(L, 1);
		lua_call(L, 0, 1);
		if (lua_isnil(L, -1)) {
			lua_pushliteral(L, "");
			lua_replace(L, -2);
		} else if (!lua_isstring(L, -1)) {
			return luaL_error(L, "reader function must return a string");
		}
		luaL_tolstring(L, -1, &len);	/* a number has no length */
		lua_replace(L, -2);
		luaL_addvalue(&b);
	} while (len);
	luaL_pushresult(&b);
	return 1;
}

/* In a body the pieces are read first: Lua's parser has memory that nothing would
 * free if the body were abandoned in a step that the reader makes. */
static int g_load(lua_State *L)
{
	if (task_current() && lua_isfunction(L, 1)) {
		lua_pushcfunction(L, read_pieces);
		lua_pushvalue(L, 1);
		if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
			luaL_pushfail(L);
			lua_insert(L, -2);
			return 2;
		}
		lua_replace(L, 1);
		if (lua_isnoneornil(L, 2)) {
			lua_settop(L, lua_gettop(L) < 2 ? 2 : lua_gettop(L));
			lua_pushliteral(L, "=(load)");
			lua_replace(L, 2);
		}
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

/* --- finalizers --- */

static int finalizer(lua_State *L)
{
	struct session *s = lb_session(L);
	int status, n = lua_gettop(L);

	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	s->finalizing++;
	status = lua_pcall(L, n, 0, 0);
	s->finalizing--;
	return status == LUA_OK ? 0 : lua_error(L);
}

/* setmetatable(): a __gc written in Lua is marked as a finalizer, and that there is a
 * __close is noted (lua_task.c). */
static int g_setmetatable(lua_State *L)
{
	if (lua_istable(L, 2)) {
		lua_pushliteral(L, "__close");
		lb_session(L)->closes |= lua_rawget(L, 2) != LUA_TNIL;
		lua_pop(L, 1);
		lua_pushliteral(L, "__gc");
		if (lua_rawget(L, 2) == LUA_TFUNCTION && lua_tocfunction(L, -1) != finalizer) {
			lua_pushcclosure(L, finalizer, 1);
			lua_pushliteral(L, "__gc");
			lua_insert(L, -2);
			lua_rawset(L, 2);
		} else {
			lua_pop(L, 1);
		}
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 1);
	return 1;
}

/* --- output --- */

static int g_muted(lua_State *L)
{
	struct session *s = lb_session(L);
	int n = lua_gettop(L);

	if (s->w && world_muted(s->w))
		return 0;
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, n, LUA_MULTRET);
	return lua_gettop(L);
}

/* file:write(): only the two streams that people read are muted. */
static int g_file_write(lua_State *L)
{
	luaL_Stream *p = luaL_testudata(L, 1, LUA_FILEHANDLE);
	struct session *s = lb_session(L);
	int n = lua_gettop(L);

	if (s->w && world_muted(s->w) && p && (p->f == stdout || p->f == stderr)) {
		lua_settop(L, 1);
		return 1;
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, n, LUA_MULTRET);
	return lua_gettop(L);
}

/* --- the watchdog --- */

/* So many seconds of the process's own computing time without a step. */
#define WATCHDOG_TICKS 3

static volatile sig_atomic_t ticks;
static struct session *watched;
static struct task *volatile watched_task;
static volatile uint64_t watched_progress;

/* What runs for the driver rather than as a thread's own code and ought to end
 * soon; NULL: nothing does. */
static const char *watched_call(const struct session *s)
{
	if (s->pure)
		return "the predicate";
	return s->building ? "the scenario function" : NULL;
}

static void watchdog_hook(lua_State *L, lua_Debug *ar);

/* Raises at every further instruction too, so that no pcall can hold it up. */
static void raise_endless(lua_State *L, const char *who)
{
	lua_sethook(L, watchdog_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
	luaL_where(L, 0);
	lua_pushfstring(L, "%s%s computed for %d s without a step: an endless loop?",
			lua_tostring(L, -1), who, WATCHDOG_TICKS);
	lua_error(L);
}

static void watchdog_hook(lua_State *L, lua_Debug *ar)
{
	struct task *t = task_current();
	const char *call = watched_call(lb_session(L));

	(void)ar;
	lua_sethook(L, NULL, 0, 0);
	ticks = 0;
	if (call)
		raise_endless(L, call);
	if (!t)
		return;
	if (lb_task_takes_calls(t))
		raise_endless(L, task_name(t));
	luaL_where(L, 0);
	check_report(t->w, "error", t, NULL, "%s%s computed for %d s without a step: an endless loop?",
		     lua_tostring(L, -1), task_name(t), WATCHDOG_TICKS);
	task_fail();
}

/* Grows while the world gets on: by steps, and by objects while it is built. */
static uint64_t progress(const struct session *s)
{
	return world_progress(s->w) + (s->building ? world_object_count(s->w) : 0);
}

static void on_tick(int sig)
{
	struct task *t = task_current();
	bool call = watched && watched_call(watched);

	(void)sig;
	if (!watched || (!t && !call)) {
		ticks = 0;
		return;
	}
	if (call)
		t = NULL;
	if (t != watched_task || progress(watched) != watched_progress) {
		watched_task = t;
		watched_progress = progress(watched);
		ticks = 0;
		return;
	}
	if (++ticks >= WATCHDOG_TICKS)
		lua_sethook(lb_running(watched), watchdog_hook, LUA_MASKCOUNT, 1);
}

static void watchdog_start(struct session *s)
{
	struct sigaction sa = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
	struct itimerval it = { .it_interval.tv_sec = 1, .it_value.tv_sec = 1 };

	watched = s;
	sigemptyset(&sa.sa_mask);
	sigaction(SIGVTALRM, &sa, NULL);
	/* counts computing only: a sleeping shell never wakes up for it */
	setitimer(ITIMER_VIRTUAL, &it, NULL);
}

static int watchdog_stop(lua_State *L)
{
	(void)L;
	watched = NULL;
	return 0;
}

/* Replaces t[name], the table on top, by fn with the original as its upvalue. */
static void wrap_field(lua_State *L, const char *name, lua_CFunction fn)
{
	lua_getfield(L, -1, name);
	lua_pushcclosure(L, fn, 1);
	lua_setfield(L, -2, name);
}

void lb_open_guard(lua_State *L)
{
	static const char key;

	lua_pushglobaltable(L);
	wrap_field(L, "print", g_muted);
	wrap_field(L, "setmetatable", g_setmetatable);
	wrap_field(L, "load", g_load);
	lua_getfield(L, -1, "coroutine");
	wrap_field(L, "resume", g_resume);
	wrap_field(L, "wrap", g_wrap);
	wrap_field(L, "yield", g_yield);
	lua_pop(L, 1);
	lua_getfield(L, -1, "debug");
	wrap_field(L, "setmetatable", g_setmetatable);
	lua_pop(L, 1);
	lua_getfield(L, -1, "io");
	wrap_field(L, "write", g_muted);
	lua_pop(L, 2);
	luaL_getmetatable(L, LUA_FILEHANDLE);
	lua_getfield(L, -1, "__index");
	wrap_field(L, "write", g_file_write);
	lua_pop(L, 2);
	watchdog_start(lb_session(L));
	/* the session goes with the state, the timer stays */
	lua_newuserdatauv(L, 0, 0);
	lua_newtable(L);
	lua_pushcfunction(L, watchdog_stop);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
}
