/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stress(): a scenario's threads on OS threads.  Here is what only C can do: threads, the
 * baton, locations, libsrcu's domains.  What the vocabulary means on them, and what is
 * checked, is said in lua/stress.lua, which is called in the place of each function of the
 * vocabulary while a run lasts.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "binding/lua_stress.h"
#include "stress/baton.h"
#include "stress/cell.h"
#include "stress/native.h"

/* A body gives the baton away after so many instructions without a primitive. */
#define TURN 20000
#define THREADS_MAX 256
#define DOMAIN_KIND "srcush.stress.domain"
#define CELL_KIND "srcush.stress.cell"

struct stress;
struct stress_thread {
	struct stress *st;
	lua_State *L;
	pthread_t tid;
	lua_Integer index;	/* from 1; 0: libsrcu's worker */
	struct stress_dice dice;
	atomic_bool ended;
};
struct stress {
	struct session *s;
	struct stress_baton baton;
	uint64_t seed, round;
	struct stress_thread thread[THREADS_MAX], worker;
	unsigned nthreads;
};

static _Thread_local struct stress_thread *self;
static const char ops_key, anchors_key, given_up;

static struct stress *the_run(lua_State *L)
{
	return lb_session(L)->stress;
}

/* --- dispatch --- */

int lb_stress_call(lua_State *L, const struct lb_func *f)
{
	int n = lua_gettop(L);

	luaL_checkstack(L, 4, NULL);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &ops_key);
	if (lua_getfield(L, -1, f->name) == LUA_TNIL) {
		lua_pop(L, 1);
		lua_getfield(L, -1, "missing");
		lua_remove(L, -2);
		lua_pushstring(L, f->name);
		lua_call(L, 1, 0);	/* raises */
		return 0;
	}
	lua_insert(L, 1);
	lua_pop(L, 1);
	lua_call(L, n, LUA_MULTRET);
	return lua_gettop(L);
}

/* --- the baton --- */

/* The round is to end: unwinds the body, through any pcall() of its own. */
static void check_abort(lua_State *L, struct stress *st)
{
	if (self && atomic_load_explicit(&st->baton.abort, memory_order_relaxed)) {
		lua_pushlightuserdata(L, (void *)&given_up);
		lua_error(L);
	}
}

static void leave(struct stress *st)
{
	stress_give(&st->baton);
	if (self)
		stress_delay(&self->dice);
}

static void enter(lua_State *L, struct stress *st)
{
	stress_take(&st->baton, L);
	check_abort(L, st);
}

/* A body that makes no primitive lets others run, and can be ended. */
static void on_turn(lua_State *L, lua_Debug *ar)
{
	struct stress *st = the_run(L);

	(void)ar;
	if (!self || !st)
		return;
	stress_give(&st->baton);
	stress_pause(0);
	stress_take(&st->baton, L);
	if (atomic_load_explicit(&st->baton.abort, memory_order_relaxed))
		lua_sethook(L, on_turn, LUA_MASKCOUNT, 1);	/* wherever a pcall() ends */
	check_abort(L, st);
}

/* pause(tries): while something is waited for. */
static int c_pause(lua_State *L)
{
	struct stress *st = the_run(L);
	lua_Integer tries = lua_tointeger(L, 1);

	stress_give(&st->baton);
	stress_pause(tries > 1000 ? 1000 : (unsigned)tries);
	enter(L, st);
	return 0;
}

static int c_delay(lua_State *L)
{
	struct stress *st = the_run(L);

	leave(st);
	enter(L, st);
	return 0;
}

static int c_abort(lua_State *L)
{
	atomic_store(&the_run(L)->baton.abort, true);
	return 0;
}

/* The error that ends a body when the round is over. */
static int c_give_up(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)&given_up);
	return lua_error(L);
}

static int c_is_given_up(lua_State *L)
{
	lua_pushboolean(L, lua_touserdata(L, 1) == &given_up);
	return 1;
}

static int c_self(lua_State *L)
{
	if (!self)
		return 0;
	lua_pushinteger(L, self->index);
	return 1;
}

/* random(n) -> 1..n, from the thread's dice */
static int c_random(lua_State *L)
{
	uint64_t n = (uint64_t)luaL_checkinteger(L, 1);

	lua_pushinteger(L, (lua_Integer)((self ? stress_draw(&self->dice) : 0) % n + 1));
	return 1;
}

/* --- locations --- */

static stress_cell *check_cell(lua_State *L)
{
	return luaL_checkudata(L, 1, CELL_KIND);
}

static uint64_t integer(lua_State *L, int idx)
{
	return (uint64_t)luaL_checkinteger(L, idx);
}

/* cell(v) */
static int c_cell(lua_State *L)
{
	stress_cell *c = lua_newuserdatauv(L, sizeof(*c), 0);

	atomic_init(c, integer(L, 1));
	luaL_setmetatable(L, CELL_KIND);
	return 1;
}

static int c_peek(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)stress_load(check_cell(L), STRESS_ONCE));
	return 1;
}

static int c_load(lua_State *L)
{
	struct stress *st = the_run(L);
	stress_cell *c = check_cell(L);
	enum stress_order o = (enum stress_order)luaL_checkinteger(L, 2);
	uint64_t v;

	leave(st);
	v = stress_load(c, o);
	enter(L, st);
	lua_pushinteger(L, (lua_Integer)v);
	return 1;
}

static int c_store(lua_State *L)
{
	struct stress *st = the_run(L);
	stress_cell *c = check_cell(L);
	uint64_t v = integer(L, 2);
	enum stress_order o = (enum stress_order)luaL_checkinteger(L, 3);

	leave(st);
	stress_store(c, v, o);
	enter(L, st);
	return 0;
}

/* rmw(cell, op, v, order) -> old */
static int c_rmw(lua_State *L)
{
	struct stress *st = the_run(L);
	stress_cell *c = check_cell(L);
	enum stress_op op = (enum stress_op)luaL_checkinteger(L, 2);
	uint64_t v = integer(L, 3);
	enum stress_order o = (enum stress_order)luaL_checkinteger(L, 4);

	leave(st);
	v = stress_rmw(c, op, v, o);
	enter(L, st);
	lua_pushinteger(L, (lua_Integer)v);
	return 1;
}

/* cmpxchg(cell, old, new, order) -> seen */
static int c_cmpxchg(lua_State *L)
{
	struct stress *st = the_run(L);
	stress_cell *c = check_cell(L);
	uint64_t old = integer(L, 2), new = integer(L, 3);
	enum stress_order o = (enum stress_order)luaL_checkinteger(L, 4);

	leave(st);
	old = stress_cmpxchg(c, old, new, o);
	enter(L, st);
	lua_pushinteger(L, (lua_Integer)old);
	return 1;
}

static int c_fence(lua_State *L)
{
	struct stress *st = the_run(L);
	enum stress_fence f = (enum stress_fence)luaL_checkinteger(L, 1);

	leave(st);
	stress_fence(f);
	enter(L, st);
	return 0;
}

/* --- domains --- */

struct handle {
	struct stress_domain *sd;
	bool cleaned;
};

static struct handle *check_handle(lua_State *L)
{
	struct handle *h = luaL_checkudata(L, 1, DOMAIN_KIND);

	luaL_argcheck(L, h->sd, 1, "a domain that was released");
	return h;
}

static int c_domain(lua_State *L)
{
	struct handle *h = lua_newuserdatauv(L, sizeof(*h), 0);

	*h = (struct handle){ .sd = stress_domain_new() };
	luaL_setmetatable(L, DOMAIN_KIND);
	return h->sd ? 1 : luaL_error(L, "srcu.new: out of memory");
}

/* At the end of a round, when no callback is pending; and if that was not reached. */
static int c_domain_free(lua_State *L)
{
	struct handle *h = luaL_checkudata(L, 1, DOMAIN_KIND);

	if (h->sd)
		stress_domain_free(h->sd, h->cleaned);
	h->sd = NULL;
	return 0;
}

static int c_cleanup(lua_State *L)
{
	struct handle *h = check_handle(L);
	struct stress *st = the_run(L);
	bool ok;

	leave(st);
	ok = stress_domain_cleanup(h->sd);
	stress_take(&st->baton, L);
	h->cleaned = ok;
	check_abort(L, st);
	lua_pushboolean(L, ok);
	return 1;
}

static int c_init(lua_State *L)
{
	struct handle *h = check_handle(L);

	if (!stress_domain_init(h->sd))
		return luaL_error(L, "init_srcu_struct: out of memory");
	h->cleaned = false;
	return 0;
}

/* lock(domain, fast) -> what unlock() takes */
static int c_lock(lua_State *L)
{
	struct stress_domain *sd = check_handle(L)->sd;
	struct stress *st = the_run(L);
	bool fast = lua_toboolean(L, 2);
	uint64_t idx;

	stress_give(&st->baton);
	idx = fast ? stress_lock_fast(sd) : stress_lock(sd);
	if (self)
		stress_delay(&self->dice);
	/* no check: who begins a section has to write it down */
	stress_take(&st->baton, L);
	lua_pushinteger(L, (lua_Integer)idx);
	return 1;
}

/* unlock(domain, idx, fast, other_thread); raises nothing */
static int c_unlock(lua_State *L)
{
	struct stress_domain *sd = check_handle(L)->sd;
	struct stress *st = the_run(L);
	uint64_t idx = integer(L, 2);
	bool fast = lua_toboolean(L, 3), other = lua_toboolean(L, 4);

	leave(st);
	if (fast)
		stress_unlock_fast(sd, idx, other);
	else
		stress_unlock(sd, idx);
	stress_take(&st->baton, L);
	return 0;
}

static int c_synchronize(lua_State *L)
{
	struct stress_domain *sd = check_handle(L)->sd;
	struct stress *st = the_run(L);
	bool expedited = lua_toboolean(L, 2);

	leave(st);
	stress_synchronize(sd, expedited);
	enter(L, st);
	return 0;
}

static int c_barrier(lua_State *L)
{
	struct stress_domain *sd = check_handle(L)->sd;
	struct stress *st = the_run(L);
	int r;

	leave(st);
	r = stress_barrier(sd);
	enter(L, st);
	lua_pushinteger(L, r);
	return 1;
}

static int c_get_state(lua_State *L)
{
	struct stress_domain *sd = check_handle(L)->sd;
	struct stress *st = the_run(L);
	bool start = lua_toboolean(L, 2);
	uint64_t cookie;

	leave(st);
	cookie = start ? stress_start_poll(sd) : stress_get_state(sd);
	enter(L, st);
	lua_pushinteger(L, (lua_Integer)cookie);
	return 1;
}

static int c_poll(lua_State *L)
{
	struct stress_domain *sd = check_handle(L)->sd;
	struct stress *st = the_run(L);
	uint64_t cookie = integer(L, 2);
	bool over;

	leave(st);
	over = stress_poll(sd, cookie);
	enter(L, st);
	lua_pushboolean(L, over);
	return 1;
}

/* --- threads --- */

/* The functions that a round's threads run, and their Lua threads, until reap(). */
static void push_anchors(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors_key);
}

static void run_lua(struct stress_thread *t)
{
	struct stress *st = t->st;

	self = t;
	stress_take(&st->baton, t->L);
	lua_sethook(t->L, on_turn, LUA_MASKCOUNT, TURN);
	/* it catches its own errors; what is left is memory that ran out in doing so */
	if (lua_pcall(t->L, 0, 0, 0) != LUA_OK)
		lua_settop(t->L, 0);
	lua_sethook(t->L, NULL, 0, 0);
	stress_give(&st->baton);
	self = NULL;
}

static void *thread_main(void *arg)
{
	struct stress_thread *t = arg;

	run_lua(t);
	atomic_store(&t->ended, true);
	sem_post(&t->st->baton.ended);
	return NULL;
}

/* spawn(fn) -> index */
static int c_spawn(lua_State *L)
{
	struct stress *st = the_run(L);
	struct stress_thread *t = &st->thread[st->nthreads];
	int r;

	if (st->nthreads == THREADS_MAX)
		return luaL_error(L, "thread: no more than %d in a stress run", THREADS_MAX);
	push_anchors(L);
	*t = (struct stress_thread){ .st = st, .L = lua_newthread(L), .index = st->nthreads + 1 };
	lua_rawseti(L, -2, t->index);
	lua_pushvalue(L, 1);
	lua_xmove(L, t->L, 1);
	stress_dice_init(&t->dice, st->seed, st->round, (uint64_t)t->index);
	r = pthread_create(&t->tid, NULL, thread_main, t);
	if (r)
		return luaL_error(L, "thread: cannot make an OS thread: %s", strerror(r));
	st->nthreads++;
	lua_pushinteger(L, t->index);
	return 1;
}

/* ended(index): has it come to its end, in whatever way? */
static int c_ended(lua_State *L)
{
	struct stress *st = the_run(L);
	lua_Integer i = luaL_checkinteger(L, 1);

	luaL_argcheck(L, i >= 1 && i <= st->nthreads, 1, "no such thread");
	lua_pushboolean(L, atomic_load(&st->thread[i - 1].ended));
	return 1;
}

/* round(n): begins one. */
static int c_round(lua_State *L)
{
	struct stress *st = the_run(L);

	st->round = integer(L, 1);
	st->nthreads = 0;
	atomic_store(&st->baton.abort, false);
	stress_dice_init(&st->worker.dice, st->seed, st->round, 0);
	return 0;
}

/* wait(): for a thread's end, or some milliseconds. */
static int c_wait(lua_State *L)
{
	struct stress *st = the_run(L);
	struct timespec until;

	clock_gettime(STRESS_CLOCK, &until);
	until.tv_nsec += 5000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	stress_give(&st->baton);
	stress_sem_wait(&st->baton.ended, &until);
	stress_take(&st->baton, L);
	return 0;
}

/* reap(): all threads have come to their end, or are about to. */
static int c_reap(lua_State *L)
{
	struct stress *st = the_run(L);

	stress_give(&st->baton);
	for (unsigned i = 0; i < st->nthreads; i++)
		pthread_join(st->thread[i].tid, NULL);
	while (sem_trywait(&st->baton.ended) == 0)
		;
	stress_take(&st->baton, L);
	st->nthreads = 0;
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &anchors_key);
	return 0;
}

/* --- callbacks --- */

struct callback {
	struct stress *st;
	lua_State *L;	/* anchored under the callback's address */
};

static void callback_invoke(void *arg)
{
	struct callback *c = arg;

	c->st->worker.L = c->L;
	run_lua(&c->st->worker);
}

/* call(domain, fn): fn catches its own errors. */
static int c_call(lua_State *L)
{
	struct stress_domain *sd = check_handle(L)->sd;
	struct stress *st = the_run(L);
	struct callback *c;
	int r;

	push_anchors(L);			/* domain, fn, anchors */
	c = lua_newuserdatauv(L, sizeof(*c), 1);
	c->st = st;
	c->L = lua_newthread(L);
	lua_pushvalue(L, 2);
	lua_xmove(L, c->L, 1);
	lua_setiuservalue(L, -2, 1);
	lua_rawsetp(L, 3, c);
	leave(st);
	r = stress_call(sd, callback_invoke, c);
	enter(L, st);
	return r ? luaL_error(L, "call_srcu: %s", strerror(r)) : 0;
}

/* --- the run --- */

static int c_interrupted(lua_State *L)
{
	struct session *s = lb_session(L);

	lua_pushboolean(L, s->interrupt && s->interrupt(s->interrupt_arg));
	return 1;
}

static int c_clock(lua_State *L)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	lua_pushnumber(L, (lua_Number)ts.tv_sec + (lua_Number)ts.tv_nsec / 1e9);
	return 1;
}

static const luaL_Reg core[] = {
	{ "pause", c_pause }, { "delay", c_delay }, { "abort", c_abort },
	{ "give_up", c_give_up }, { "is_given_up", c_is_given_up },
	{ "self", c_self }, { "random", c_random },
	{ "cell", c_cell }, { "peek", c_peek }, { "load", c_load }, { "store", c_store },
	{ "rmw", c_rmw }, { "cmpxchg", c_cmpxchg }, { "fence", c_fence },
	{ "domain", c_domain }, { "free", c_domain_free }, { "cleanup", c_cleanup },
	{ "init", c_init }, { "lock", c_lock }, { "unlock", c_unlock },
	{ "synchronize", c_synchronize }, { "barrier", c_barrier },
	{ "get_state", c_get_state }, { "poll", c_poll }, { "call", c_call },
	{ "spawn", c_spawn }, { "ended", c_ended }, { "round", c_round }, { "wait", c_wait }, { "reap", c_reap },
	{ "interrupted", c_interrupted }, { "clock", c_clock },
	{ NULL, NULL }
};

/* The module's rounds(core, scenario, opts, ops): see lua/stress.lua. */
static int call_rounds(lua_State *L)
{
	lua_getglobal(L, "require");
	lua_pushliteral(L, "stress");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "rounds");
	luaL_newlib(L, core);
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 2);
	lua_newtable(L);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &ops_key);
	lua_call(L, 4, 1);
	return 1;
}

static int rounds(lua_State *L, struct session *s, struct stress *st)
{
	bool defers = s->defers;
	int status;

	stress_take(&st->baton, L);
	s->stress = st;
	s->defers = true;
	s->busy++;
	lua_pushcfunction(L, call_rounds);
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 2);
	status = lua_pcall(L, 2, 1, 0);
	if (st->nthreads) {	/* it could not go on, for want of memory */
		atomic_store(&st->baton.abort, true);
		lua_pushcfunction(L, c_reap);
		if (lua_pcall(L, 0, 0, 0) != LUA_OK)
			lua_pop(L, 1);
	}
	s->busy--;
	s->defers = defers;
	s->stress = NULL;
	stress_give(&st->baton);
	return status;
}

static int f_stress(lua_State *L)
{
	struct session *s = lb_check_steppable(L);
	struct stress *st;
	int status;

	lua_settop(L, 2);
	lb_check_type(L, 1, LUA_TFUNCTION);
	if (lua_isnil(L, 2)) {
		lua_newtable(L);
		lua_replace(L, 2);
	}
	lb_check_type(L, 2, LUA_TTABLE);
	lua_getfield(L, 2, "seed");
	/* kept: a worker of libsrcu may still be on its way out of the last callback */
	st = lua_newuserdatauv(L, sizeof(*st), 0);
	memset(st, 0, sizeof(*st));
	st->s = s;
	st->seed = lua_isnil(L, 3) ? 1 : (uint64_t)lb_check_int(L, 3);
	st->worker.st = st;
	if (!stress_baton_init(&st->baton))
		return luaL_error(L, "stress: out of memory");
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &anchors_key);
	status = rounds(L, s, st);
	stress_baton_release(&st->baton);
	if (status != LUA_OK)
		return lua_error(L);
	lua_getglobal(L, "require");
	lua_pushliteral(L, "stress");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "finish");	/* finish(report, scenario, opts) */
	lua_pushvalue(L, -3);
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 2);
	lua_call(L, 3, 1);
	return 1;
}

static const struct lb_func stress_funcs[] = {
	{ "stress", f_stress, "(scenario [, opts]) -> report",
	  "Runs a scenario's threads on OS threads, in real time and with libsrcu, over and over, "
	  "randomly delayed at the primitives; Lua itself runs in one thread at a time. opts: "
	  "seconds=N (5), seed=N (1), reproduce=SECONDS (2; 0: not at all) for explore() to look for a "
	  "schedule of what was found, title=NAME. The report has verdict (\"violation\"; \"ok\": the "
	  "time is over and nothing was seen, which proves nothing; \"incomplete\": interrupted), rounds and "
	  "executions (the same), blocked, seconds, seed, violations (each with kind, message, thread, round, "
	  "schedule if there is one) and outcomes. Invariants are judged at the end of a round only; the "
	  "flavor fast has libsrcu's fast readers, the others its tree; interrupts, KVM's objects, lists and faults are not available",
	  "local r = stress(function()\n"
	  "  local ss = srcu.new(\"ss\")\n"
	  "  thread(\"t\", function() srcu_read_unlock(ss, srcu_read_lock(ss)) end)\n"
	  "  thread(\"u\", function() synchronize_srcu(ss) end)\n"
	  "end, {seconds = 0.2})\n"
	  "print(r.verdict, #r.violations)" },
	{ 0 }
};
static const struct lb_section stress_section = {
	"stress", "Stress on real threads", NULL, stress_funcs
};

void lb_open_stress(lua_State *L)
{
	luaL_newmetatable(L, CELL_KIND);
	luaL_newmetatable(L, DOMAIN_KIND);
	lua_pushcfunction(L, c_domain_free);
	lua_setfield(L, -2, "__gc");
	lua_pop(L, 2);
	lb_register(L, &stress_section);
}
