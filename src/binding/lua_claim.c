/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Claims about every execution: invariants hold after each step, finally() functions
 * when nothing moves any more, outcome() says what came out.  They run on the driver's
 * side and only read.  An invariant is asked again only when a value that it had read
 * has changed, because its answer is a function of those.
 */
#include <config.h>

#include "binding/lua_claim.h"
#include "check/check.h"
#include "engine/peek.h"

#include <stdlib.h>
#include <string.h>

#define OUTCOME_DEPTH 8	/* tables in tables */

enum claim_kind { CLAIM_INVARIANT, CLAIM_FINALLY, CLAIM_OUTCOME };

struct claim {
	enum claim_kind kind;
	char *name;
	struct lb_fn *fn;
	/* invariants: what was read last time, and what stood there */
	struct peek read;
	uint64_t *values;
	size_t values_cap;
	bool known;		/* the two are of this execution */
	bool broken;		/* has been reported in this execution */
};

struct claims {
	struct session *s;
	struct claim *v;
	size_t n, cap;
	size_t ninvariants;
	uint64_t finished;	/* finally() was called at this step, plus 1 */
	/* locations that any invariant ever read, in order */
	uint32_t *locs;
	size_t nlocs, locs_cap;
	bool everything;	/* and things that are no locations */
	char *outcome;
};

static struct claims *claims_of(struct world *w)
{
	return world_watch_data(w);
}

/* --- calling them --- */

struct claim_call {
	struct claims *cs;
	struct claim *c;
	lua_CFunction then;	/* what becomes of the result, on top */
	bool truth, is_false;
	const void *freed;	/* it read what has been freed */
};

static int call_claim(lua_State *B)
{
	struct claim_call *x = lua_touserdata(B, 1);

	lua_rawgeti(B, LUA_REGISTRYINDEX, x->c->fn->ref);
	lua_call(B, 0, 1);
	x->truth = lua_toboolean(B, -1);
	x->is_false = lua_isboolean(B, -1) && !x->truth;
	return x->then ? x->then(B) : 0;
}

/* False: it raised; what stands on top of the builder. */
static bool run_claim(struct claim_call *x)
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

/* What it raised, in words. */
static const char *raised(struct session *s)
{
	lua_State *B = s->builder;

	return lua_type(B, -1) == LUA_TSTRING ? lua_tostring(B, -1) :
	       "an error that is no string";
}

/* Reading freed memory is as wrong here as anywhere. */
static bool report_freed(struct world *w, const struct claim_call *x, struct task *t,
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

/* --- invariants --- */

static bool room(void *arrayp, size_t *cap, size_t need, size_t elem)
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

/* Where loc stands among the watched ones, or would stand. */
static size_t find_loc(const struct claims *cs, uint32_t loc)
{
	size_t lo = 0, hi = cs->nlocs;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (cs->locs[mid] < loc)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void watch(struct claims *cs, uint32_t loc)
{
	size_t i = find_loc(cs, loc);

	if (i < cs->nlocs && cs->locs[i] == loc)
		return;
	if (!room(&cs->locs, &cs->locs_cap, cs->nlocs + 1, sizeof(*cs->locs))) {
		cs->everything = true;
		return;
	}
	memmove(&cs->locs[i + 1], &cs->locs[i], (cs->nlocs - i) * sizeof(*cs->locs));
	cs->locs[i] = loc;
	cs->nlocs++;
}

static uint64_t value_at(struct world *w, uint32_t loc)
{
	return *(const uint64_t *)arena_addr(w, loc);
}

/* Remembers what it has read. */
static void remember(struct world *w, struct claims *cs, struct claim *c)
{
	c->known = false;
	cs->everything |= c->read.other;
	for (size_t i = 0; i < c->read.n; i++)
		watch(cs, c->read.locs[i]);
	if (c->read.other || !room(&c->values, &c->values_cap, c->read.n, sizeof(*c->values)))
		return;
	for (size_t i = 0; i < c->read.n; i++)
		c->values[i] = value_at(w, c->read.locs[i]);
	c->known = true;
}

/* May its answer be another one than the last? */
static bool may_differ(struct world *w, const struct claim *c)
{
	if (!c->known)
		return true;
	for (size_t i = 0; i < c->read.n; i++)
		if (value_at(w, c->read.locs[i]) != c->values[i] ||
		    check_freed(w, arena_addr(w, c->read.locs[i])))
			return true;
	return false;
}

static void check_invariant(struct world *w, struct claims *cs, struct claim *c, struct task *t)
{
	struct claim_call x = { .cs = cs, .c = c };
	const char *when = t ? "" : " at the start";
	bool ok;

	world_peek_begin(w, &c->read);
	ok = run_claim(&x);
	world_peek_end(w, &c->read);
	if (!ok && world_interrupted(w))
		return;		/* by Ctrl-C */
	remember(w, cs, c);
	if (ok && x.truth && !x.freed)
		return;
	c->broken = true;
	if (report_freed(w, &x, t, "the invariant ", c->name))
		return;
	if (ok)
		check_report(w, "invariant", t, NULL, "the invariant \"%s\" does not hold%s",
			     c->name, when);
	else
		check_report(w, "invariant", t, NULL, "the invariant \"%s\" does not hold%s: %s",
			     c->name, when, raised(cs->s));
}

void lb_claims_stepped(struct world *w, struct task *t)
{
	struct claims *cs = claims_of(w);

	for (size_t i = 0; i < cs->n; i++)
		if (cs->v[i].kind == CLAIM_INVARIANT && !cs->v[i].broken && may_differ(w, &cs->v[i]))
			check_invariant(w, cs, &cs->v[i], t);
}

bool lb_has_invariants(struct world *w)
{
	return claims_of(w)->ninvariants != 0;
}

bool lb_claims_watched(struct world *w, uint32_t loc)
{
	const struct claims *cs = claims_of(w);
	size_t i = find_loc(cs, loc);

	return cs->everything || (i < cs->nlocs && cs->locs[i] == loc);
}

size_t lb_claims_nwatched(struct world *w)
{
	return claims_of(w)->nlocs + claims_of(w)->everything;
}

uint32_t lb_claims_watched_at(struct world *w, size_t i)
{
	return i < claims_of(w)->nlocs ? claims_of(w)->locs[i] : LOC_NONE;
}

void lb_claims_watch(struct world *w, uint32_t loc)
{
	if (loc == LOC_NONE)
		claims_of(w)->everything = true;
	else
		watch(claims_of(w), loc);
}

/* --- the end --- */

static void call_finally(struct world *w, struct claims *cs, struct claim *c)
{
	struct claim_call x = { .cs = cs, .c = c };
	bool ok;

	cs->s->asserted = false;
	ok = run_claim(&x);
	if ((!ok && world_interrupted(w)) || report_freed(w, &x, NULL, "finally()", ""))
		return;
	if (!ok)
		check_report(w, cs->s->asserted ? "assertion" : "error", NULL, NULL,
			     "finally(), when nothing could move any more: %s", raised(cs->s));
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

/* --- outcomes --- */

struct outcome_key { const char *s; lua_Integer i; };

static int cmp_key(const void *a, const void *b)
{
	const struct outcome_key *x = a, *y = b;

	if (!x->s != !y->s)
		return x->s ? 1 : -1;	/* integers first */
	return x->s ? strcmp(x->s, y->s) : x->i < y->i ? -1 : x->i > y->i;
}

/* The keys of the table at `idx`, in order, in a userdata that is pushed. */
static struct outcome_key *sorted_keys(lua_State *L, int idx, size_t *n)
{
	struct outcome_key *k;
	size_t i = 0;

	*n = 0;
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1))
		++*n;
	k = lua_newuserdatauv(L, (*n + 1) * sizeof(*k), 0);
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1), i++) {
		k[i] = (struct outcome_key){ 0 };
		if (lua_type(L, -2) == LUA_TSTRING)
			k[i].s = lua_tostring(L, -2);
		else if (lua_isinteger(L, -2))
			k[i].i = lua_tointeger(L, -2);
		else
			luaL_error(L, "outcome: a key of the table is a %s, and strings and integers "
				   "have an order", luaL_typename(L, -2));
	}
	qsort(k, *n, sizeof(*k), cmp_key);
	return k;
}

static void push_text(lua_State *L, int idx, int depth);

/* Pushes "k=v k=v" for the table at `idx`. */
static void push_table_text(lua_State *L, int idx, int depth)
{
	struct outcome_key *k;
	luaL_Buffer b;
	size_t n;

	if (depth > OUTCOME_DEPTH)
		luaL_error(L, "outcome: tables are nested too deeply");
	luaL_checkstack(L, 8, NULL);
	k = sorted_keys(L, idx, &n);
	luaL_buffinit(L, &b);
	for (size_t i = 0; i < n; i++) {
		if (i)
			luaL_addchar(&b, ' ');
		if (k[i].s)
			lua_pushstring(L, k[i].s);
		else
			lua_pushinteger(L, k[i].i);
		lua_pushvalue(L, -1);
		luaL_tolstring(L, -1, NULL);
		lua_replace(L, -2);
		lua_insert(L, -2);		/* text, key */
		lua_rawget(L, idx);		/* text, value */
		push_text(L, lua_gettop(L), depth);
		lua_remove(L, -2);
		lua_pushfstring(L, "%s=%s", lua_tostring(L, -2), lua_tostring(L, -1));
		lua_replace(L, -3);
		lua_pop(L, 1);
		luaL_addvalue(&b);
	}
	luaL_pushresult(&b);
	lua_replace(L, -2);			/* the keys */
}

static void push_text(lua_State *L, int idx, int depth)
{
	if (lua_type(L, idx) != LUA_TTABLE || luaL_getmetafield(L, idx, "__tostring")) {
		if (lua_type(L, idx) == LUA_TTABLE)
			lua_pop(L, 1);
		/* what has no text but its address would differ from run to run */
		if (lua_type(L, idx) == LUA_TFUNCTION || lua_type(L, idx) == LUA_TTHREAD)
			luaL_error(L, "outcome: a %s is no outcome", luaL_typename(L, idx));
		luaL_tolstring(L, idx, NULL);
		return;
	}
	push_table_text(L, idx, depth + 1);
	if (depth) {
		lua_pushfstring(L, "{%s}", lua_tostring(L, -1));
		lua_replace(L, -2);
	}
}

static int keep_outcome(lua_State *B)
{
	struct claim_call *x = lua_touserdata(B, 1);

	if (lua_isnil(B, -1))
		return luaL_error(B, "outcome: the function gave nil: a string or a table is expected");
	push_text(B, lua_gettop(B), 0);
	free(x->cs->outcome);
	x->cs->outcome = strdup(lua_tostring(B, -1));
	return x->cs->outcome ? 0 : luaL_error(B, "outcome: out of memory");
}

const char *lb_claims_outcome(struct world *w)
{
	struct claims *cs = claims_of(w);

	for (size_t i = 0; i < cs->n; i++) {
		struct claim_call x = { .cs = cs, .c = &cs->v[i], .then = keep_outcome };

		if (cs->v[i].kind != CLAIM_OUTCOME)
			continue;
		if (run_claim(&x))
			return report_freed(w, &x, NULL, "outcome()", "") ? NULL : cs->outcome;
		if (world_interrupted(w))
			return NULL;
		check_report(w, "error", NULL, NULL, "outcome(), at the end, raised an error: %s",
			     raised(cs->s));
		return NULL;
	}
	return NULL;
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

	if (!name || !room(&cs->v, &cs->cap, cs->n + 1, sizeof(*cs->v))) {
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
