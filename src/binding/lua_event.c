/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events, violations and threads as Lua values: what the stepping functions
 * give back, and pending, status, threads, trace.
 */
#include <config.h>

#include "binding/binding.h"
#include "engine/log.h"
#include "engine/peek.h"
#include "memory/execution.h"

#include <stdio.h>
#include <string.h>

/* --- events --- */

/* What there is nothing to be said of is no field. */
static void set_text(lua_State *L, const char *key, const char *s)
{
	if (s && *s)
		lb_set_string(L, key, s);
}

/* An address becomes the name that is shown for it: a string, as addresses
 * mean nothing to a script. */
static void set_value(lua_State *L, const char *key, uint64_t raw, const char *shown)
{
	if (arena_contains(lb_session(L)->w, (void *)(uintptr_t)raw))
		lua_pushstring(L, shown);
	else
		lua_pushinteger(L, (lua_Integer)raw);
	lua_setfield(L, -2, key);
}

static void set_values(lua_State *L, const struct event_view *v, enum ev_op op)
{
	switch (op) {
	case OP_STORE:
	case OP_PLAIN_STORE:
		set_value(L, "value", v->raw_stored, v->stored);
		break;
	case OP_CHOOSE:
	case OP_TRYLOCK:
	case OP_LOAD:
	case OP_PLAIN_LOAD:
		set_value(L, "value", v->raw_value, v->value);
		break;
	case OP_ADD:
	case OP_CPU_ADD:
	case OP_AND:
	case OP_OR:
	case OP_XOR:
	case OP_XCHG:
	case OP_CMPXCHG:
	case OP_MIN_ARM:
	case OP_MAX:
	case OP_ADVANCE:
		set_value(L, "value", v->raw_value, v->value);
		set_value(L, "stored", v->raw_stored, v->stored);
		break;
	default:
		break;
	}
}

/* "step 12, reader: READ_ONCE ss.srcu_idx = 0" */
static int event_tostring(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	lua_getfield(L, 1, "n");
	lua_getfield(L, 1, "thread");
	lua_getfield(L, 1, "text");
	lua_pushfstring(L, "step %s, %s: %s", luaL_tolstring(L, 2, NULL),
			luaL_tolstring(L, 3, NULL), luaL_tolstring(L, 4, NULL));
	return 1;
}

/* 'violation "use-after-free"': the rest is in its fields */
static int violation_tostring(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_getfield(L, 1, "kind");
	lua_pushfstring(L, "violation \"%s\"", luaL_tolstring(L, -1, NULL));
	return 1;
}

/* The table on top prints as `fn` says: its address would differ from run to run. */
static void set_printed(lua_State *L, const char *name, lua_CFunction fn)
{
	if (luaL_newmetatable(L, name)) {
		lua_pushcfunction(L, fn);
		lua_setfield(L, -2, "__tostring");
	}
	lua_setmetatable(L, -2);
}

static void push_view(lua_State *L, const struct event_view *v)
{
	lua_createtable(L, 0, 14);
	set_printed(L, "event", event_tostring);
	lb_set_integer(L, "n", v->n);
	lb_set_integer(L, "cpu", v->cpu);
	set_text(L, "thread", v->thread);
	set_text(L, "op", v->op);
	set_text(L, "object", v->object);
	set_text(L, "order", v->order);
	set_text(L, "call", v->call);
	set_text(L, "label", v->label);
	if (*v->note)
		lua_pushfstring(L, "%s, %s", v->text, v->note);
	else
		lua_pushstring(L, v->text);
	lua_setfield(L, -2, "text");
	set_text(L, "file", v->file);
	if (v->line)
		lb_set_integer(L, "line", (uint64_t)v->line);
}

#define MISSED_MAX 64

/* Of a load that did not return the newest store, and of a store that is not the newest. */
static void set_staleness(lua_State *L, struct world *w, uint64_t step, enum ev_op op)
{
	const struct log_access *a = log_access(w, step);
	uint32_t missed[MISSED_MAX];
	size_t n = execution_missed(w, step, missed, MISSED_MAX);

	if (!a || a->choice < 2)
		return;
	lb_set_integer(L, "choice", a->choice);
	if (op != OP_STORE && op != OP_PLAIN_STORE)
		lb_set_integer(L, "source", a->source);
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n && i < MISSED_MAX; i++) {
		lua_pushinteger(L, (lua_Integer)missed[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "missed");
}

void lb_push_event(lua_State *L, uint64_t step)
{
	struct world *w = lb_session(L)->w;
	struct event_view v;

	luaL_checkstack(L, 6, NULL);
	if (!event_view(w, step, &v)) {
		lua_pushnil(L);
		return;
	}
	push_view(L, &v);
	set_values(L, &v, (enum ev_op)site_by_id(log_record(w, step)->site)->op);
	set_staleness(L, w, step, (enum ev_op)site_by_id(log_record(w, step)->site)->op);
}

/* Sets `value` of the table on top. */
static void choice_value(struct task *t, uint64_t value, lua_State *L)
{
	const struct field *f = NULL;
	char name[96], shown[64];

	location_name(t->w, t->ev.loc, name, sizeof(name), &f);
	value_name(t->w, value, f, shown, sizeof(shown));
	set_value(L, "value", value, shown);
}

/* The stores that the model lets the step read from or be put behind: {k=, value=, from=}. */
static void set_choices(lua_State *L, struct task *t)
{
	uint64_t bits = execution_choices(t->w, t), value;
	lua_Integer n = 0;
	uint32_t step;

	if (bits == 1)
		return;
	lua_newtable(L);
	for (unsigned k = 1; k <= 64; k++) {
		if (!(bits >> (k - 1) & 1) || !execution_store(t->w, t->ev.loc, k, &value, &step))
			continue;
		lua_createtable(L, 0, 3);
		lb_set_integer(L, "k", k);
		lb_set_integer(L, "from", step);
		choice_value(t, value, L);
		lua_rawseti(L, -2, ++n);
	}
	lua_setfield(L, -2, "choices");
}

void lb_push_pending(lua_State *L, struct task *t)
{
	struct event_view v;

	luaL_checkstack(L, 8, NULL);
	if (!pending_view(t->w, t, &v)) {
		lua_pushnil(L);
		return;
	}
	push_view(L, &v);
	set_choices(L, t);
}

/* --- violations --- */

/* Who; NULL: nobody. */
static const char *party(lua_State *L, uint32_t id)
{
	struct object *o = id ? object_by_id(lb_session(L)->w, id) : NULL;

	return o ? o->name : NULL;
}

void lb_push_violation_of(lua_State *L, const struct lb_violation *v)
{
	lua_createtable(L, 0, 8);
	set_printed(L, "violation", violation_tostring);
	lb_set_string(L, "kind", v->kind);
	lb_set_string(L, "message", v->message);
	lb_set_string(L, "thread", v->thread);
	lb_set_string(L, "other", v->other);
	lb_set_string(L, "schedule", v->schedule);
	lb_set_integer(L, "step", v->step);
}

void lb_push_violation(lua_State *L, const struct violation *v)
{
	luaL_checkstack(L, 6, NULL);
	if (!v) {
		lua_pushnil(L);
		return;
	}
	lb_push_violation_of(L, &(struct lb_violation){ v->kind, v->message, party(L, v->task),
							party(L, v->other), v->schedule, v->step });
}

/* --- looking at threads --- */

void lb_look(lua_State *L)
{
	struct session *s = lb_session(L);

	world_peeked_other(s->w);
	if (task_current() && !s->pure && !s->unexplorable[0])
		snprintf(s->unexplorable, sizeof(s->unexplorable),
			 "%s called %s(), which looks at the world without a step: what it sees depends "
			 "on an order that no exploration knows of (outside of threads, as in invariant(), "
			 "it may be used)", task_name(task_current()), lb_func_name(L));
}

struct world *lb_prime(lua_State *L)
{
	struct session *s = lb_session(L);

	lb_look(L);
	/* elsewhere somebody is in the middle of a step, or will prime them */
	if (!task_current() && !s->pure && !s->building && !s->busy && !world_prime(s->w))
		luaL_error(L, "%s: %s", lb_func_name(L), world_error(s->w));
	return s->w;
}

static int f_pending(lua_State *L)
{
	lb_prime(L);
	lb_push_pending(L, lb_check_task(L, 1));
	return 1;
}

/* The message of the violation that ended t, or nil. */
static void push_failure(lua_State *L, struct world *w, struct task *t)
{
	const struct violation *v;

	for (size_t i = world_violation_count(w); i--;) {
		v = world_violation(w, i);
		if (v->task == task_id(t)) {
			lua_pushstring(L, v->message ? v->message : v->kind);
			return;
		}
	}
	lua_pushnil(L);
}

static int f_status(lua_State *L)
{
	struct world *w = lb_prime(L);
	struct task *t = lb_check_task(L, 1);
	struct block b = task_blocked(t);
	char why[256];

	switch (b.why) {
	case BLOCK_NONE:
		lua_pushliteral(L, "ready");
		return 1;
	case BLOCK_OVER:
		lua_pushstring(L, t->state == TASK_DONE ? "done" : "failed");
		if (t->state == TASK_DONE)
			return 1;
		push_failure(L, w, t);
		return 2;
	default:
		lua_pushliteral(L, "blocked");
		block_text(t, &b, why, sizeof(why));
		lua_pushstring(L, why);
		return 2;
	}
}

static int f_threads(lua_State *L)
{
	struct world *w = lb_prime(L);
	size_t n = world_task_count(w);

	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		lb_push_object(L, world_task(w, i)->obj);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int f_trace(lua_State *L)
{
	struct world *w = lb_session(L)->w;
	uint64_t steps = world_steps(w), n = steps;
	lua_Integer k = 0;

	lb_look(L);
	if (!lua_isnoneornil(L, 1)) {
		n = (uint64_t)lb_check_range(L, 1, 0, LUA_MAXINTEGER);
		if (n > steps)
			n = steps;
	}
	lua_createtable(L, n < 1024 ? (int)n : 1024, 0);
	for (uint64_t i = steps - n + 1; i <= steps; i++) {
		lb_push_event(L, i);
		lua_rawseti(L, -2, ++k);
	}
	return 1;
}

static const struct lb_func event_funcs[] = {
	{ "pending", f_pending, "(t) -> event",
	  "What a thread would do next; nil when it is over. Where the memory model leaves a choice, "
	  "choices lists {k=, value=, from=}: the stores, the newest first, that the step may read "
	  "from or, itself a store, be put behind; from is the step that made it, 0 at the start",
	  "print(pending(\"reader\").text)" },
	{ "status", f_status, "(t) -> status [, why]",
	  "\"ready\", \"blocked\", \"done\" or \"failed\"; if it is blocked or failed also why, in words",
	  "print(status(\"writer\"))" },
	{ "threads", f_threads, "() -> list",
	  "All threads, workers and timers included, in order of making",
	  "for _, t in ipairs(threads()) do print(t, status(t)) end" },
	{ "trace", f_trace, "([n]) -> list of events",
	  "The last n events (all), the oldest first. An event has n, thread, cpu, op, object, value, "
	  "stored, order, call, file, line, label and text, as far as they apply; of a load that was "
	  "stale, and of a store that was older than others, choice, source (the step it read from) "
	  "and missed (the steps of the newer stores)",
	  "for _, e in ipairs(trace(5)) do print(e.n, e.thread, e.text) end" },
	{ 0 }
};
static const struct lb_section event_section = {
	"events", "Events and threads", NULL, event_funcs
};

void lb_open_event(lua_State *L)
{
	lb_register(L, &event_section);
}
