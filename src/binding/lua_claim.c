/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Claims about every execution: invariants hold after each step, finally() functions
 * when nothing moves any more, outcome() says what came out.  They run on the driver's
 * side and only read.  Invariants are asked in lua_invariant.c, and what outcome() gives
 * becomes a text in lua_outcome.c.
 */
#include <config.h>

#include "binding/lua_claim_internal.h"
#include "check/check.h"

#include <stdlib.h>
#include <string.h>

/* --- calling them --- */

static int call_claim(lua_State *B)
{
	struct claim_call *x = lua_touserdata(B, 1);

	lua_rawgeti(B, LUA_REGISTRYINDEX, x->c->fn->ref);
	lua_call(B, 0, 1);
	x->truth = lua_toboolean(B, -1);
	x->is_false = lua_isboolean(B, -1) && !x->truth;
	return x->then ? x->then(B) : 0;
}

bool claim_run(struct claim_call *x)
{
	struct session *s = x->cs->s;
	const void **freed = s->freed_read;
	bool ok;

	s->pure++;
	s->freed_read = &x->freed;
	ok = lb_protected(s, call_claim, x);
	s->freed_read = freed;
	s->pure--;
	return ok;
}

const char *claim_raised(struct session *s)
{
	lua_State *B = s->builder;

	return lua_type(B, -1) == LUA_TSTRING ? lua_tostring(B, -1) :
	       "an error that is no string";
}

bool claim_report_freed(struct world *w, const struct claim_call *x, struct task *t,
			const char *what, const char *name_of_it)
{
	char name[96];

	if (!x->freed)
		return false;
	location_name(w, x->freed, name, sizeof(name), NULL);
	check_report(w, "use-after-free", t, NULL, "%s%s read %s, which has been freed", what,
		     name_of_it, name);
	return true;
}

bool claim_room(void *arrayp, size_t *cap, size_t need, size_t elem)
{
	void **array = arrayp, *p;
	size_t n = *cap ? *cap : 8;

	while (n < need)
		n *= 2;
	if (n == *cap)
		return true;
	p = realloc(*array, n * elem);
	if (!p)
		return false;
	*array = p;
	*cap = n;
	return true;
}

/* --- the end --- */

static void call_finally(struct world *w, struct claims *cs, struct claim *c)
{
	struct claim_call x = { .cs = cs, .c = c };
	bool ok;

	cs->s->asserted = false;
	ok = claim_run(&x);
	if ((!ok && world_interrupted(w)) || claim_report_freed(w, &x, NULL, "finally()", ""))
		return;
	if (!ok)
		check_report(w, cs->s->asserted ? "assertion" : "error", NULL, NULL,
			     "finally(), when nothing could move any more: %s", claim_raised(cs->s));
	else if (x.is_false)
		check_report(w, "assertion", NULL, NULL,
			     "finally(), when nothing could move any more, gave false");
}

/* Could it go on, or is it no end of a run at all? */
static bool holds_up(const struct task *t)
{
	return t->state == TASK_FRESH ||
	       (t->state == TASK_READY && (t->ev.op == OP_ASSUME || t->ev.op == OP_CALL_WAIT));
}

void lb_claims_finish(struct world *w)
{
	struct claims *cs = claims_of(w);

	if (cs->finished == world_steps(w) + 1 || world_violation_count(w))
		return;
	for (size_t i = 0; i < world_task_count(w); i++)
		if (holds_up(world_task(w, i)))
			return;
	cs->finished = world_steps(w) + 1;
	for (size_t i = 0; i < cs->n; i++)
		if (cs->v[i].kind == CLAIM_FINALLY)
			call_finally(w, cs, &cs->v[i]);
}

/* --- the list --- */

bool lb_claim_at(struct world *w, size_t i, struct lb_claim *c)
{
	const struct claims *cs = claims_of(w);

	if (i >= cs->n)
		return false;
	*c = (struct lb_claim){ cs->v[i].name, cs->v[i].kind == CLAIM_INVARIANT, cs->v[i].fn };
	return true;
}

static void claim_release(struct claim *c)
{
	free(c->name);
	lb_fn_put(c->fn);
	peek_release(&c->read);
	free(c->values);
}

void lb_claims_restart(struct world *w)
{
	struct claims *cs = claims_of(w);

	for (size_t i = 0; i < cs->n; i++)
		cs->v[i].known = cs->v[i].broken = false;
	cs->finished = 0;
}

static void on_rebuilt(struct world *w)
{
	struct claims *cs = claims_of(w);

	while (cs->n)
		claim_release(&cs->v[--cs->n]);
	cs->ninvariants = 0;
	cs->finished = 0;
}

static void on_release(struct world *w)
{
	struct claims *cs = claims_of(w);

	free(cs->v);
	free(cs->locs);
	free(cs->outcome);
	free(cs);
}

static void on_stepped(struct world *w, struct task *t)
{
	if (claims_of(w)->ninvariants)
		lb_claims_stepped(w, t);
}

bool lb_claims_attach(struct session *s, struct world *w, bool each_step)
{
	struct claims *cs = calloc(1, sizeof(*cs));

	if (!cs)
		return false;
	cs->s = s;
	world_set_watch(w, &(struct engine_watch){ .stepped = each_step ? on_stepped : NULL,
						   .rebuilt = on_rebuilt,
						   .release = on_release }, cs);
	return true;
}

/* --- making them --- */

struct claim_recipe {
	enum claim_kind kind;
	char *name;
	struct lb_fn *fn;
};

static void recipe_free(void *arg)
{
	struct claim_recipe *r = arg;

	free(r->name);
	lb_fn_put(r->fn);
	free(r);
}

static bool recipe_apply(struct world *w, void *arg)
{
	struct claim_recipe *r = arg;
	struct claims *cs = claims_of(w);
	char *name = strdup(r->name);

	if (!name || !claim_room(&cs->v, &cs->cap, cs->n + 1, sizeof(*cs->v))) {
		free(name);
		return world_fail(w, "out of memory");
	}
	cs->v[cs->n++] = (struct claim){ .kind = r->kind, .name = name, .fn = lb_fn_get(r->fn) };
	cs->ninvariants += r->kind == CLAIM_INVARIANT;
	return true;
}

static bool has_claim(struct world *w, enum claim_kind kind, const char *name)
{
	struct claims *cs = claims_of(w);

	for (size_t i = 0; i < cs->n; i++)
		if (cs->v[i].kind == kind && !strcmp(cs->v[i].name, name))
			return true;
	return false;
}

/* The function at `idx`; like objects, claims are made anew with the world. */
static int make_claim(lua_State *L, enum claim_kind kind, const char *name, int idx)
{
	struct session *s = lb_session(L);
	struct claim_recipe *r;
	bool ok;

	lb_check_driver(L);
	lb_check_impure(L);
	lb_check_type(L, idx, LUA_TFUNCTION);
	r = calloc(1, sizeof(*r));
	if (!r || !(r->name = strdup(name))) {
		free(r);
		return luaL_error(L, "%s: out of memory", lb_func_name(L));
	}
	r->kind = kind;
	r->fn = lb_fn_new(L, idx);
	if (s->building) {
		ok = recipe_apply(s->w, r);
		recipe_free(r);
	} else {
		ok = world_do(s->w, recipe_apply, r, recipe_free, false);
	}
	return ok ? 0 : luaL_error(L, "%s: %s", lb_func_name(L), world_error(s->w));
}

static int f_invariant(lua_State *L)
{
	const char *name;

	lb_check_type(L, 1, LUA_TSTRING);
	name = lua_tostring(L, 1);
	if (has_claim(lb_session(L)->w, CLAIM_INVARIANT, name))
		lb_arg_error(L, 1, "there is an invariant \"%s\" already", name);
	return make_claim(L, CLAIM_INVARIANT, name, 2);
}

static int f_finally(lua_State *L)
{
	return make_claim(L, CLAIM_FINALLY, "finally", 1);
}

static int f_outcome(lua_State *L)
{
	if (has_claim(lb_session(L)->w, CLAIM_OUTCOME, "outcome"))
		return luaL_error(L, "outcome: this world has one already");
	return make_claim(L, CLAIM_OUTCOME, "outcome", 1);
}

static const struct lb_func claim_funcs[] = {
	{ "invariant", f_invariant, "(name, fn)",
	  "Claims that fn() is true at the start and after each step; it only reads, without steps. "
	  "Where it gives false or nil, or raises, that is the violation \"invariant\"",
	  "local x = var(\"x\")\ninvariant(\"x stays small\", function() return READ_ONCE(x) < 3 end)" },
	{ "finally", f_finally, "(fn)",
	  "Has fn() called when nothing can move any more; an assert() that fails in it is the "
	  "violation \"assertion\". It is not called where assume(false) holds a thread up",
	  "local x = var(\"x\")\nfinally(function() assert(READ_ONCE(x) == 2, \"an update was lost\") end)" },
	{ "outcome", f_outcome, "(fn)",
	  "Says what came out of an execution, for explore() to count: fn() gives a string, or a "
	  "table that is shown as \"key=value ...\"",
	  "local x = var(\"x\")\noutcome(function() return { x = READ_ONCE(x) } end)" },
	{ 0 }
};
static const struct lb_section claim_section = {
	"claims", "Claims about every execution",
	"Made in the scenario function or at the prompt. The functions run outside of threads, only "
	"read (READ_ONCE, v:get(), o.f, ghosts), and take no step.",
	claim_funcs
};

void lb_open_claim(lua_State *L)
{
	lb_register(L, &claim_section);
}
