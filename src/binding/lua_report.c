/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What explore() gives back: a table that prints as its verdict, and can show a
 * violation or a passing execution by running its schedule in a world of its own.
 */
#include <config.h>

#include "binding/lua_explore.h"
#include "check/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char hidden_key;	/* registry: report -> { its parts that are no fields } */
enum { HIDDEN_SCENARIO = 1, HIDDEN_TITLE, HIDDEN_HEADLINE, HIDDEN_EXAMPLE, HIDDEN_LOCKDEP };

const char *lb_number(char *buf, double v)
{
	char digits[LB_NUMBER_SIZE];
	int n = snprintf(digits, sizeof(digits), "%.0f", v < 1e15 ? v : 1e15), k = 0;

	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			buf[k++] = ',';
		buf[k++] = digits[i];
	}
	buf[k] = '\0';
	return buf;
}

/* --- fields --- */

static bool samples(const struct exploring *e)
{
	return e->x.opts.strategy == EXPLORE_RANDOM || e->x.opts.strategy == EXPLORE_PCT;
}

static void push_violations(lua_State *L, const struct exploring *e)
{
	const struct explore_report *r = &e->x.report;

	lua_createtable(L, (int)r->nviolations, 0);
	for (size_t i = 0; i < r->nviolations; i++) {
		const struct explore_violation *v = &r->violations[i];

		lb_push_violation_of(L, &(struct lb_violation){ v->kind, v->message, v->thread, v->other,
								v->schedule, v->step });
		if (v->execution)
			lb_set_integer(L, "execution", v->execution);
		if (samples(e))
			lb_set_integer(L, "seed", v->seed);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void push_outcomes(lua_State *L, const struct explore_report *r)
{
	lua_createtable(L, 0, (int)r->noutcomes);
	for (size_t i = 0; i < r->noutcomes; i++)
		lb_set_integer(L, r->outcomes[i].text, r->outcomes[i].count);
}

/* *ok* is said only where nothing was left out. */
static const char *verdict_of(const struct exploring *e)
{
	if (e->x.report.nviolations)
		return "violation";
	return e->x.report.bound || samples(e) ? "incomplete" : "ok";
}

static const char *bound_of(const struct exploring *e)
{
	if (e->x.report.bound || e->x.report.nviolations || !samples(e))
		return e->x.report.bound;
	return "sampling";
}

static void set_fields(lua_State *L, const struct exploring *e)
{
	const struct explore_report *r = &e->x.report;

	lb_set_string(L, "verdict", verdict_of(e));
	lb_set_string(L, "bound", bound_of(e));
	lb_set_string(L, "strategy", lb_strategies[e->x.opts.strategy]);
	lb_set_string(L, "scope", e->scope.s);
	lb_set_string(L, "shown", r->shown);
	lb_set_integer(L, "executions", r->complete);
	lb_set_integer(L, "blocked", r->blocked);
	lb_set_integer(L, "violating", r->violating);
	lb_set_integer(L, "steps", r->steps);
	lb_set_integer(L, "deepest", r->deepest);
	lua_pushnumber(L, r->seconds);
	lua_setfield(L, -2, "seconds");
	if (samples(e))
		lb_set_integer(L, "seed", e->x.opts.seed);
	if (r->traces)
		lb_set_integer(L, "traces", r->traces);
	push_violations(L, e);
	lua_setfield(L, -2, "violations");
	push_outcomes(L, r);
	lua_setfield(L, -2, "outcomes");
}

/* --- the headline --- */

static void add_verdict(const struct exploring *e, struct sbuf *b)
{
	const struct explore_report *r = &e->x.report;
	const char *bound = bound_of(e);
	char n[LB_NUMBER_SIZE];

	if (r->nviolations) {
		sbuf_add(b, "violation: ");
		for (size_t i = 0; i < r->nviolations; i++)
			sbuf_addf(b, "%s%s", i ? ", " : "", r->violations[i].kind);
		/* of several at the same time none is the n-th */
		if (r->violations[0].execution)
			sbuf_addf(b, " in execution %s", lb_number(n, (double)r->violations[0].execution));
		sbuf_addf(b, "%s%s", bound ? "; stopped by " : "", bound ? bound : "");
	} else if (samples(e)) {
		sbuf_addf(b, "incomplete: no violation in %s %s schedules from seed %" PRIu64,
			  lb_number(n, (double)(r->complete + r->blocked + r->cut)),
			  lb_strategies[e->x.opts.strategy], e->x.opts.seed);
	} else if (bound) {
		sbuf_addf(b, "incomplete: no violation, but not everything was seen (%s)", bound);
	} else {
		sbuf_add(b, "ok: no violation in any interleaving");
	}
}

static void add_figures(const struct exploring *e, struct sbuf *b)
{
	const struct explore_report *r = &e->x.report;
	char n[4][LB_NUMBER_SIZE];

	sbuf_addf(b, "%s execution%s", lb_number(n[0], (double)r->complete),
		  r->complete == 1 ? "" : "s");
	if (r->blocked)
		sbuf_addf(b, ", %s blocked", lb_number(n[1], (double)r->blocked));
	if (r->cut)
		sbuf_addf(b, ", %s cut", lb_number(n[2], (double)r->cut));
	sbuf_addf(b, ", %s steps, %.2f s", lb_number(n[3], (double)r->steps), r->seconds);
}

#define SCOPE_COLUMNS 78

/* In lines, broken behind commas. */
static void add_scope(const struct exploring *e, struct sbuf *b)
{
	const char *s = e->scope.s ? e->scope.s : "";
	size_t at = 0;

	while (*s) {
		const char *comma = strstr(s, ", ");
		size_t n = comma ? (size_t)(comma - s) + 1 : strlen(s);

		if (!at || at + 1 + n > SCOPE_COLUMNS) {
			sbuf_add(b, "\n  ");
			at = 2;
		} else {
			sbuf_add(b, " ");
			at++;
		}
		sbuf_addf(b, "%.*s", (int)n, s);
		at += n;
		s += n + (comma != NULL);
	}
}

/* "ok: .." and in further lines its scope and its figures. */
static void push_headline(lua_State *L, const struct exploring *e)
{
	struct sbuf *b = lb_new_sbuf(L);

	add_verdict(e, b);
	add_scope(e, b);
	sbuf_add(b, "\n  ");
	add_figures(e, b);
	if (sbuf_failed(b))
		luaL_error(L, "explore: out of memory");
	lua_pushlstring(L, b->s, b->len);
	lua_replace(L, -2);
}

/* --- the table --- */

static void push_hidden(lua_State *L, int report)
{
	report = lua_absindex(L, report);
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &hidden_key) == LUA_TTABLE)
		lua_pushvalue(L, report);
	if (!lua_istable(L, -2) || lua_rawget(L, -2) != LUA_TTABLE)
		lb_type_error(L, report, "report");
	lua_replace(L, -2);
}

static void hide(lua_State *L, const struct exploring *e, int scenario)
{
	int report = lua_gettop(L);

	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &hidden_key) != LUA_TTABLE) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_newtable(L);
		lua_pushliteral(L, "k");
		lua_setfield(L, -2, "__mode");
		lua_setmetatable(L, -2);
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &hidden_key);
	}
	lua_pushvalue(L, report);
	lua_createtable(L, 4, 0);
	lua_pushvalue(L, scenario);
	lua_rawseti(L, -2, HIDDEN_SCENARIO);
	lua_pushstring(L, e->title);
	lua_rawseti(L, -2, HIDDEN_TITLE);
	push_headline(L, e);
	lua_rawseti(L, -2, HIDDEN_HEADLINE);
	lua_pushstring(L, e->x.report.example);
	lua_rawseti(L, -2, HIDDEN_EXAMPLE);
	lua_pushboolean(L, e->x.opts.lockdep_61);
	lua_rawseti(L, -2, HIDDEN_LOCKDEP);
	lua_rawset(L, -3);
	lua_settop(L, report);
}

void lb_push_report(lua_State *L, const struct exploring *e, int scenario)
{
	luaL_checkstack(L, 12, NULL);
	lua_createtable(L, 0, 16);
	set_fields(L, e);
	hide(L, e, scenario);
	lb_report_kind(L);
	lua_setmetatable(L, -2);
}

static int report_tostring(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	push_hidden(L, 1);
	lua_rawgeti(L, -1, HIDDEN_HEADLINE);
	return 1;
}

void lb_report_kind(lua_State *L)
{
	if (!luaL_newmetatable(L, "report"))
		return;
	lua_pushcfunction(L, report_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_newtable(L);
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, "__methods");
	lua_setfield(L, -2, "__index");
}

/* --- methods --- */

int lb_report_example(lua_State *L)
{
	push_hidden(L, 1);
	lua_rawgeti(L, -1, HIDDEN_EXAMPLE);
	return 1;
}

/* What is to be shown: a schedule, and of which kind the violation is that it leads to. */
struct wish { const char *schedule, *kind; };

/* Leaves what the strings belong to on the stack. */
static struct wish check_wish(lua_State *L)
{
	struct wish want = { 0 };
	lua_Integer i, n;

	push_hidden(L, 1);
	lua_getfield(L, 1, "violations");
	n = (lua_Integer)lua_rawlen(L, -1);
	if (lua_isnoneornil(L, 2) && !n) {
		lua_rawgeti(L, -2, HIDDEN_EXAMPLE);
		want.schedule = lua_tostring(L, -1);
		if (!want.schedule)
			luaL_error(L, "report:show: there is neither a violation nor an execution without one");
		return want;
	}
	i = lua_isnoneornil(L, 2) ? 1 : lb_check_int(L, 2);
	if (i < 1 || i > n)
		lb_arg_error(L, 2, "there %s %I violation%s", n == 1 ? "is" : "are", (LUAI_UACINT)n,
			     n == 1 ? "" : "s");
	lua_rawgeti(L, -1, i);
	lua_getfield(L, -1, "schedule");
	lua_getfield(L, -2, "kind");
	want.schedule = lua_tostring(L, -2);
	want.kind = lua_tostring(L, -1);
	if (!want.schedule || !want.kind)
		luaL_error(L, "report:show: the report has been changed");
	return want;
}

static const struct violation *find_kind(struct world *w, const char *kind)
{
	for (size_t i = 0; i < world_violation_count(w); i++)
		if (!strcmp(world_violation(w, i)->kind, kind))
			return world_violation(w, i);
	return NULL;
}

/* Runs the schedule and describes what it shows.  NULL, or why it could not. */
static const char *describe(struct exploring *e, const struct wish *want,
			    const struct view_opts *o, struct sbuf *b)
{
	const char *why = NULL;
	struct world *w = e->x.src.begin(e->x.src.arg, false, &why);
	const struct violation *v = NULL;

	if (!w)
		return why;
	if (!world_replay(w, want->schedule))
		return world_error(w);
	lb_replayed(w);
	if (!want->kind) {
		view_timeline(w, o, b);
		return NULL;
	}
	v = find_kind(w, want->kind);
	if (!v)
		return "its schedule does not show the violation again";
	view_counterexample(w, v, o, b);
	return NULL;
}

int lb_report_show(lua_State *L)
{
	struct session *s = lb_check_steppable(L);
	struct lb_view_request r;
	struct exploring *e;
	struct wish want;
	const char *why;
	struct sbuf *b;
	char text[1024] = "";

	lua_settop(L, 3);
	luaL_checktype(L, 1, LUA_TTABLE);
	lb_check_view(L, 3, &r);
	want = check_wish(L);
	b = lb_new_sbuf(L);
	push_hidden(L, 1);
	lua_rawgeti(L, -1, HIDDEN_TITLE);
	lua_rawgeti(L, -2, HIDDEN_SCENARIO);
	e = lb_new_exploring(L, s);
	lua_rawgeti(L, -4, HIDDEN_LOCKDEP);
	e->x.opts.lockdep_61 = lua_toboolean(L, -1);
	lua_pop(L, 1);
	e->src = lb_source_new(L, -2, lua_tostring(L, -3));
	lb_source_fill(e->src, &e->x.src);
	check_set_lockdep(s->w, e->x.opts.lockdep_61 ? LOCKDEP_6_1 : LOCKDEP_6_12);
	why = describe(e, &want, &r.o, b);
	if (why)
		snprintf(text, sizeof(text), "%s", why);
	lb_source_free(e->src);
	e->src = NULL;
	if (why)
		return luaL_error(L, "report:show: %s", text);
	return lb_give_view(L, b, &r);
}
