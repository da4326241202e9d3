/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking after the Lua state of a scenario that is explored: when to walk, to
 * compare and to put back, and what comes of it.
 */
#include <config.h>

#include "binding/lua_claim.h"
#include "binding/lua_purity_internal.h"
#include "engine/peek.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Executions in which every stretch is looked at: all of the first ones, then some. */
#define SAMPLE_FIRST 32
#define SAMPLE_EVERY 32		/* the more there are, the fewer of them: */
#define SAMPLE_LATER 512
/* Lua's own tables are large, and seldom does anybody have them as a whole. */
#define STANDARD_FIRST 8
#define STANDARD_EVERY 1024

/* --- calls that may raise --- */

struct call {
	struct purity *p;
	void (*fn)(struct purity *p, lua_State *L, void *arg);
	void *arg;
};

static int call_it(lua_State *L)
{
	struct call *c = lua_touserdata(L, 2);

	c->fn(c->p, L, c->arg);
	return 0;
}

/* The first reason stays. */
static bool keep_reason(struct purity *p, const char *why)
{
	struct session *s = p->s;

	if (!s->unexplorable[0])
		snprintf(s->unexplorable, sizeof(s->unexplorable), "%s", why ? why : "out of memory");
	return false;
}

/* What is on top of `from`, where that is not NULL, is popped and at FN meanwhile. */
#define FN 3
static bool calls_with(struct purity *p, void (*fn)(struct purity *, lua_State *, void *), void *arg,
		       lua_State *from)
{
	struct call c = { p, fn, arg };
	lua_State *L = p->L;
	bool ok;

	lua_settop(L, 0);
	lua_pushcfunction(L, call_it);
	lua_rawgeti(L, LUA_REGISTRYINDEX, p->anchors_ref);
	lua_pushlightuserdata(L, &c);
	if (from)
		lua_xmove(from, L, 1);
	else
		lua_pushnil(L);
	ok = lua_pcall(L, FN, 0, 0) == LUA_OK;
	if (!ok)
		keep_reason(p, lua_tostring(L, -1));
	lua_settop(L, 0);
	return ok;
}

static bool calls(struct purity *p, void (*fn)(struct purity *, lua_State *, void *), void *arg)
{
	return !p->s->unexplorable[0] && calls_with(p, fn, arg, NULL);
}

void purity_refuse(struct purity *p, lua_State *L, const char *fmt, ...)
{
	char text[sizeof(p->s->unexplorable)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	keep_reason(p, text);
	lua_pushstring(L, text);
	lua_error(L);
	abort();
}

uint32_t purity_anchor(struct purity *p, lua_State *L)
{
	lua_rawseti(L, ANCHORS, (lua_Integer)p->nanchors + 1);
	return ++p->nanchors;
}

void *purity_room(lua_State *L, void *array, size_t n, size_t *cap, size_t elem)
{
	void *a;

	if (n < *cap)
		return array;
	a = realloc(array, (*cap * 2 + 16) * elem);
	if (!a)
		luaL_error(L, "out of memory");
	*cap = *cap * 2 + 16;
	return a;
}

/* --- bodies --- */

uint32_t purity_body_of(const struct purity *p, const struct task *t)
{
	const char *name = task_name(t);
	bool worker = !strncmp(name, "kworker/", 8);

	for (size_t i = 0; i < p->nbodies; i++) {
		enum body_kind kind = p->bodies[i].kind;

		if (t->kind == TASK_WORKER ? kind == BODY_WORK && worker &&
					     !strcmp(name + 8, p->bodies[i].name) :
		    (kind == BODY_THREAD || kind == BODY_IRQ) && !strcmp(name, p->bodies[i].name))
			return (uint32_t)i;
	}
	return NOBODY;
}

static bool is_plain(lua_State *L, int idx)
{
	return !lua_isfunction(L, idx) && !lua_istable(L, idx) && !lua_isthread(L, idx) &&
	       !lua_isuserdata(L, idx);
}

/* The value on top, of a local or ghost, is what the same had in the last world that was
 * built.  Pops it. */
static void same_value(struct purity *p, lua_State *L, const char *what, const char *name)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, p->values_ref);
	lua_rawgeti(L, -1, ++p->nvalues);	/* value, list, the one before */
	lua_insert(L, -3);
	lua_insert(L, -2);			/* before, list, value */
	if (p->builds && is_plain(L, -1) && is_plain(L, -3) && !lua_rawequal(L, -1, -3)) {
		int now = lua_gettop(L);
		const char *first = luaL_tolstring(L, now - 2, NULL);

		purity_refuse(p, L, "the scenario function builds a different world each time: %s '%s' "
			      "is %s the first time and %s the second", what, name, first,
			      luaL_tolstring(L, now, NULL));
	}
	lua_rawseti(L, -2, p->nvalues);
	lua_pop(L, 2);
}

static void walk_fn(struct purity *p, lua_State *L, enum body_kind kind, const char *name,
		    const struct lb_fn *fn)
{
	const char *local;

	if (!fn)
		return;
	p->body = reach_body(p, L, kind, name);
	lua_rawgeti(L, LUA_REGISTRYINDEX, fn->ref);
	for (int i = 1; !lua_iscfunction(L, -1) && (local = lua_getupvalue(L, -1, i)); i++)
		same_value(p, L, "the local", local);
	reach_walk(p, L);
}

static void walk_claims(struct purity *p, lua_State *L)
{
	struct lb_claim c;

	for (size_t i = 0; lb_claim_at(p->s->w, i, &c); i++) {
		char name[16];

		snprintf(name, sizeof(name), "%s()", c.name);
		walk_fn(p, L, c.invariant ? BODY_INVARIANT : BODY_END, c.invariant ? c.name : name,
			c.fn);
	}
}

static void walk_objects(struct purity *p, lua_State *L)
{
	struct world *w = p->s->w;

	for (size_t i = 0; i < world_object_count(w); i++) {
		struct object *o = world_object(w, i);

		walk_fn(p, L, BODY_WORK, o->name, lb_work_fn(o));
		if (strcmp(o->type->kind, "ghost"))
			continue;
		lb_ghosts_push(L);
		lua_rawgeti(L, -1, o->id);
		lua_replace(L, -2);
		lua_pushvalue(L, -1);
		same_value(p, L, "ghost", o->name);
		reach_ghost(p, L, arena_offset(w, o->base), o->name);
	}
}

/* --- coroutines --- */

/* Those of this world; one that the last world had as well was made outside of the
 * scenario function, and is not what it was. */
static void check_states(struct purity *p, lua_State *L)
{
	const void **states;
	size_t n = 0;

	for (size_t i = 0; i < p->nnodes; i++) {
		if (p->nodes[i].kind != NODE_STATE)
			continue;
		n++;
		for (size_t j = 0; j < p->nstates; j++)
			if (p->states[j] == p->nodes[i].id)
				purity_refuse(p, L, "%s uses the coroutine or iterator '%s', which is "
					      "made outside of the scenario function and would not "
					      "start anew", conflict_who(p, L, p->nodes[i].uses[0].body),
					      p->nodes[i].name);
	}
	states = malloc((n + 1) * sizeof(*states));
	if (!states)
		luaL_error(L, "out of memory");
	free(p->states);
	p->states = states;
	p->nstates = n;
	n = 0;
	for (size_t i = 0; i < p->nnodes; i++)
		if (p->nodes[i].kind == NODE_STATE)
			states[n++] = p->nodes[i].id;
	p->warm = !n;
}

/* --- an exploration's course --- */

static void do_built(struct purity *p, lua_State *L, void *arg)
{
	struct world *w = p->s->w;

	(void)arg;
	reach_reset(p);
	p->nwatch = 0;
	p->nvalues = 0;
	p->everything = p->globals = p->fresh = false;
	reach_standard(p, L);
	watch_add(p, L, 0);
	p->nstandard = p->nwatch;
	for (size_t i = 0; i < world_task_count(w); i++) {
		struct task *t = world_task(w, i);

		walk_fn(p, L, t->kind == TASK_IRQ ? BODY_IRQ : BODY_THREAD, task_name(t),
			lb_task_fn(t));
	}
	walk_objects(p, L);
	walk_claims(p, L);
	conflict_check(p, L, 0);
	check_states(p, L);
	watch_add(p, L, 0);
	for (size_t i = 0; i < p->nnodes; i++)
		p->nodes[i].built = p->nodes[i].nuses;
	p->built_nodes = p->nnodes;
	p->built_bodies = p->nbodies;
	p->built_anchors = p->nanchors;
	p->built_watch = p->nwatch;
	p->builds++;
}

static int new_anchors(lua_State *L)
{
	struct purity *p = lua_touserdata(L, 1);

	/* the last world's stay until the new one has been walked through, so that no
	 * address means two things */
	lua_rawgeti(L, LUA_REGISTRYINDEX, p->anchors_ref);
	luaL_unref(L, LUA_REGISTRYINDEX, p->old_ref);
	p->old_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	luaL_unref(L, LUA_REGISTRYINDEX, p->anchors_ref);
	p->anchors_ref = LUA_NOREF;
	lua_newtable(L);
	p->anchors_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	return 0;
}

bool purity_built(struct purity *p)
{
	lua_State *L = p->L;

	if (p->s->unexplorable[0])
		return false;
	lua_settop(L, 0);
	lua_pushcfunction(L, new_anchors);
	lua_pushlightuserdata(L, p);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK)
		return keep_reason(p, NULL);
	return calls(p, do_built, NULL);
}

bool purity_warm(const struct purity *p)
{
	return p->warm;
}

static void do_begin(struct purity *p, lua_State *L, void *arg)
{
	(void)arg;
	/* one that was given up has not been compared; after the others finally() and
	 * outcome() may have changed globals */
	if (p->was_standard && !p->ended)
		watch_compare(p, L, NULL, true);
	else if (p->standard)
		watch_accept(p, L);
	/* what the last execution has handed on is gone */
	p->nwatch = p->built_watch;
	reach_forget(p);
	p->fresh = false;
	watch_put_back(p, L);
	p->nanchors = p->built_anchors;
}

/* Has the last execution left everything as it had found it? */
static bool nothing_changed(struct purity *p)
{
	struct lb_claim c;

	return p->ended && !p->differs && !p->fresh && !p->globals && !lb_claim_at(p->s->w, 0, &c) &&
	       p->nwatch == p->built_watch && p->nnodes == p->built_nodes &&
	       p->nbodies == p->built_bodies && p->nanchors == p->built_anchors;
}

static bool is_sample(uint64_t execution)
{
	return execution <= SAMPLE_FIRST ||
	       execution % (execution < SAMPLE_FIRST * SAMPLE_EVERY ? SAMPLE_EVERY : SAMPLE_LATER) == 0;
}

bool purity_begin(struct purity *p)
{
	bool clean = (p->nwatch == p->nstandard && p->nnodes == p->built_nodes &&
		      p->nbodies == p->built_bodies) || nothing_changed(p);

	p->executions++;
	p->was_standard = p->standard;
	p->standard = p->executions <= STANDARD_FIRST || p->globals ||
		      p->executions % STANDARD_EVERY == 0;
	p->sampling = is_sample(p->executions);
	if (p->s->unexplorable[0])
		return false;
	if ((!clean || p->standard || p->was_standard) && !calls(p, do_begin, NULL))
		return false;
	p->ended = false;
	return true;
}

static void do_differs(struct purity *p, lua_State *L, void *arg)
{
	(void)arg;
	watch_differs(p, L);
}

/* finally() and outcome() have been called since the execution was compared. */
static bool claims_differ(struct purity *p)
{
	struct lb_claim c;

	return p->nwatch > p->nstandard && lb_claim_at(p->s->w, 0, &c) &&
	       (!calls(p, do_differs, NULL) || p->differs);
}

bool purity_may_go_on(struct purity *p)
{
	uint64_t next = p->executions + 1;

	if (p->s->unexplorable[0] || !p->warm || p->fresh || p->globals || p->standard ||
	    p->nwatch != p->built_watch || !p->ended || p->differs || p->nnodes != p->built_nodes || p->nbodies != p->built_bodies ||
	    is_sample(next) || next % STANDARD_EVERY == 0 || claims_differ(p))
		return false;
	p->executions = next;
	p->was_standard = p->sampling = p->ended = false;
	return true;
}

struct stretch { struct task *t; bool at_end; };

static void do_compare(struct purity *p, lua_State *L, void *arg)
{
	const struct stretch *st = arg;

	watch_compare(p, L, st->t, st->at_end);
	if (p->fresh)
		watch_add(p, L, p->built_nodes);
	p->fresh = false;
}

/* Nobody has anything that may change, and no ghost was touched in this stretch. */
static bool nothing_to_see(const struct purity *p)
{
	size_t ghosts;

	world_ghosts(p->s->w, &ghosts);
	return p->nwatch == p->nstandard && !p->globals && !ghosts;
}

bool purity_stepped(struct purity *p, struct task *t)
{
	struct stretch st = { t, false };

	if (!p->fresh && (!p->sampling || nothing_to_see(p)))
		return true;
	return calls(p, do_compare, &st);
}

bool purity_end(struct purity *p)
{
	struct stretch st = { NULL, true };

	p->ended = true;
	if (p->s->unexplorable[0])
		return false;
	p->differs = false;
	if (p->nwatch == p->nstandard && !p->standard)
		return true;
	return calls(p, do_compare, &st);
}

/* --- what bodies hand on --- */

struct handing { const char *kind, *name; struct task *t; };

static enum body_kind kind_of(const char *kind)
{
	return !strcmp(kind, "thread") ? BODY_THREAD : !strcmp(kind, "irq") ? BODY_IRQ :
	       !strcmp(kind, "work") ? BODY_WORK : BODY_CALLBACK;
}

static void do_adopt(struct purity *p, lua_State *L, void *arg)
{
	const struct handing *h = arg;
	size_t nodes = p->nnodes;
	uint32_t maker = purity_body_of(p, h->t), body;
	lua_Debug ar;

	/* what it was given in this stretch is looked at when that is over */
	p->fresh = true;
	if (maker == NOBODY)
		maker = reach_body(p, L, BODY_WORKER, task_name(h->t));
	body = p->body = reach_body(p, L, kind_of(h->kind), h->name ? h->name : task_name(h->t));
	lua_pushvalue(L, FN);
	lua_getinfo(L, ">S", &ar);
	lua_pushvalue(L, FN);
	reach_walk(p, L);
	/* variables and tables that nobody knew are the running body's own */
	for (size_t i = nodes; i < p->nnodes; i++) {
		struct node *n = &p->nodes[i];

		n->handed = true;
		if (n->kind != NODE_FUNCTION)
			reach_use(L, n, &(struct use){ .body = maker, .kind = n->kind == NODE_CELL ?
							BC_LOOK : BC_VALUE });
	}
	p->handed_on = &ar;
	conflict_check(p, L, body);
	p->handed_on = NULL;
}

void purity_adopt(lua_State *L, int idx, const char *kind, const char *name)
{
	struct session *s = lb_session(L);
	struct handing h = { kind, name, task_current() };

	if (!s->purity || !h.t || s->unexplorable[0])
		return;
	lua_pushvalue(L, idx);
	calls_with(s->purity, do_adopt, &h, L);
}

static void do_condition(struct purity *p, lua_State *L, void *arg)
{
	const struct bytecode *bc;
	const struct task *t = arg;

	lua_pushvalue(L, FN);
	if (lua_iscfunction(L, -1))
		return;
	bc = bc_get(&p->cache, L);
	if (!bc)
		luaL_error(L, "out of memory");
	for (size_t i = 0; i < bc->nuses; i++) {
		const struct bc_use *u = &bc->uses[i];

		if (u->kind == BC_ASSIGN)
			purity_refuse(p, L, "the condition of cond_wait() in '%s' changes the local "
				      "'%s': how often it is asked is nobody's choice", task_name(t),
				      lua_getupvalue(L, FN, u->up + 1));
	}
}

void purity_condition(lua_State *L, int idx)
{
	struct session *s = lb_session(L);

	if (!s->purity || !task_current() || !s->purity->sampling || s->unexplorable[0])
		return;
	lua_pushvalue(L, idx);
	calls_with(s->purity, do_condition, task_current(), L);
}

/* --- making it --- */

static int new_thread(lua_State *L)
{
	struct purity *p = lua_touserdata(L, 1);

	p->L = lua_newthread(L);
	p->l_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_newtable(L);
	p->values_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	return 0;
}

struct purity *purity_new(struct session *s)
{
	struct purity *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->s = s;
	p->l_ref = p->values_ref = p->anchors_ref = p->old_ref = LUA_NOREF;
	if (!lb_protected(s, new_thread, p)) {
		luaL_unref(s->L, LUA_REGISTRYINDEX, p->l_ref);
		free(p);
		return NULL;
	}
	return p;
}

void purity_free(struct purity *p)
{
	if (!p)
		return;
	luaL_unref(p->s->L, LUA_REGISTRYINDEX, p->l_ref);
	luaL_unref(p->s->L, LUA_REGISTRYINDEX, p->values_ref);
	luaL_unref(p->s->L, LUA_REGISTRYINDEX, p->anchors_ref);
	luaL_unref(p->s->L, LUA_REGISTRYINDEX, p->old_ref);
	reach_reset(p);
	bc_release(&p->cache);
	free(p->bodies);
	free(p->nodes);
	free(p->hash);
	free(p->todo);
	free(p->watch);
	free(p->states);
	free(p);
}
