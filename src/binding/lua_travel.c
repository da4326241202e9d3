/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moving in time: back, reset, schedule, replay.  The world is built again from
 * its journal; handles find their objects by identity, so that a script keeps
 * what it has in its hands.
 */
#include <config.h>

#include "binding/binding.h"
#include "check/check.h"
#include "check/trace.h"
#include "view/view.h"

#include <string.h>

/* A rebuild makes all tasks anew: the shell's focus must find its own again. */
struct focus { uint32_t id; };

static struct focus focus_save(struct session *s)
{
	struct focus f = { s->focus ? task_id(s->focus) : 0 };

	s->busy++;
	return f;
}

static void focus_restore(struct session *s, struct focus f)
{
	s->busy--;
	if (world_steps(s->w) < s->lowest)
		s->lowest = world_steps(s->w);
	s->focus = f.id ? task_by_id(s->w, f.id) : NULL;
}

static int f_back(lua_State *L)
{
	struct session *s = lb_check_steppable(L);
	lua_Integer n = lua_isnoneornil(L, 1) ? 1 : lb_check_int(L, 1);
	uint64_t steps = world_steps(s->w);
	struct focus f;
	bool ok;

	if (n < 1)
		lb_arg_error(L, 1, "expected a number of steps, 1 or more, got %I", (LUAI_UACINT)n);
	if ((uint64_t)n > steps)
		return luaL_error(L, "%s: cannot go back %I step%s, %s", lb_func_name(L),
				  (LUAI_UACINT)n, n == 1 ? "" : "s",
				  !steps ? "none has been made" :
				  lua_pushfstring(L, "only %I %s been made", (LUAI_UACINT)steps,
						  steps == 1 ? "has" : "have"));
	f = focus_save(s);
	ok = world_rewind(s->w, steps - (uint64_t)n);
	focus_restore(s, f);
	if (!ok)
		return luaL_error(L, "%s: %s", lb_func_name(L), world_error(s->w));
	lua_pushinteger(L, (lua_Integer)world_steps(s->w));
	return 1;
}

static int f_reset(lua_State *L)
{
	struct session *s = lb_check_steppable(L);
	struct focus f = focus_save(s);
	bool ok = world_reset(s->w);

	focus_restore(s, f);
	if (!ok)
		return luaL_error(L, "%s: %s", lb_func_name(L), world_error(s->w));
	return 0;
}

static int f_schedule(lua_State *L)
{
	struct session *s = lb_session(L);
	struct sbuf *b = lb_new_sbuf(L);

	lb_look(L);
	b->s = world_schedule(s->w);
	if (!b->s)
		return luaL_error(L, "%s: out of memory", lb_func_name(L));
	lua_pushstring(L, b->s);
	sbuf_release(b);
	return 1;
}

void lb_replayed(struct world *w)
{
	struct trace_finding f;

	/* a deadlock is no step: where the schedule led to one it has to be found again,
	 * and so does a circle of some while others could go on */
	lb_stuck(w);
	if (!world_violation_count(w))
		check_stuck(w);
	if (!world_violation_count(w) && trace_judge(w, &f))
		trace_finding_release(&f);
}

static int f_replay(lua_State *L)
{
	struct session *s = lb_check_steppable(L);
	const char *schedule;
	struct focus f;
	size_t len;
	bool ok;

	luaL_checktype(L, 1, LUA_TSTRING);
	schedule = lua_tolstring(L, 1, &len);
	if (strlen(schedule) != len)
		lb_arg_error(L, 1, "a schedule has no zero bytes");
	f = focus_save(s);
	s->lowest = 0;		/* it starts again */
	ok = world_replay(s->w, schedule);
	focus_restore(s, f);
	if (!ok) {
		lua_pushnil(L);
		lua_pushstring(L, world_error(s->w));
		return 2;
	}
	lua_pushboolean(L, true);
	lb_replayed(s->w);
	if (!world_violation_count(s->w))
		return 1;
	lb_push_violation(L, world_violation(s->w, 0));
	return 2;
}

static const struct lb_func travel_funcs[] = {
	{ "back", f_back, "([n]) -> step number",
	  "Goes n steps back (1): the world is as it was; variables of the script stay as they are",
	  "back()\nback(10)" },
	{ "reset", f_reset, "()",
	  "Goes back to the start, and forgets calls that were typed for threads as well",
	  "reset()" },
	{ "schedule", f_schedule, "() -> string",
	  "Who has stepped so far, as a string for replay: \"@sc,4 writer*3 reader\"",
	  "print(schedule())" },
	{ "replay", f_replay, "(schedule) -> true [, violation]",
	  "Starts again and steps exactly as the schedule says; nil and why not when it does not "
	  "fit, at the last item that did. Data races and the order of locks are judged as well", "assert(replay(\"@sc,4 writer*3 reader\"))" },
	{ 0 }
};
static const struct lb_section travel_section = {
	"travel", "Time travel", NULL, travel_funcs
};

void lb_open_travel(lua_State *L)
{
	lb_register(L, &travel_section);
}
