/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the explorer's executions of a Lua scenario come from: a world that is
 * built by calling the scenario function, or put back to how that had left it.
 */
#include <config.h>

#include "binding/lua_claim.h"
#include "binding/lua_determinism.h"
#include "binding/lua_purity.h"
#include "binding/lua_source.h"
#include "engine/checkpoint.h"
#include "engine/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A world that is built a million times has a few dozen. */
#define OBJECTS_MAX 100000

struct lb_source {
	struct session *s;
	struct lb_world_aside aside;	/* the session's own */
	bool fresh;			/* built, and nothing has been done in it */
	bool warm;			/* go back rather than build */
	struct lb_ghosts *ghosts;	/* with the world's checkpoint */
	bool has_heap;			/* see below */
	bool invariants;		/* there are some */
	struct purity *purity;
	struct lb_limit *limit;
	struct shape *shape;		/* of the first world that was built */
	char why[1024];
};

/* --- an execution's begin --- */

/* Without a log nobody can tell of an object that the scenario made whether a pointer
 * led to it once: such a world keeps its log. */
static bool has_heap(struct world *w)
{
	for (size_t i = 0; i < world_object_count(w); i++)
		if (world_object(w, i)->heap && !world_object(w, i)->is_static)
			return true;
	return false;
}

/* Builds it once more.  It has to come out the same: an execution is what its steps say
 * only where they are made in the same world. */
static bool rebuild(struct lb_source *src)
{
	struct session *s = src->s;
	struct world *w = s->w;

	if (src->fresh) {
		src->fresh = false;
		src->shape = shape_take(w);
		if (!src->shape)
			return world_fail(w, "out of memory");
		if (!purity_built(src->purity))
			return false;
	}
	if (!world_rebuild(w))
		return false;
	if (!shape_check(src->shape, w)) {
		snprintf(s->unexplorable, sizeof(s->unexplorable), "the scenario function builds a "
			 "different world each time: %s", world_error(w));
		return false;
	}
	return true;
}

/* The world as the scenario function leaves it. */
static bool build(struct lb_source *src)
{
	struct world *w = src->s->w;
	bool ok = rebuild(src);

	lb_ghosts_drop(src->s, src->ghosts);
	src->ghosts = NULL;
	if (!ok || !purity_built(src->purity))
		return false;
	src->has_heap = has_heap(w);
	src->invariants = lb_has_invariants(w);
	src->warm = src->warm && purity_warm(src->purity);
	if (!src->warm)
		return true;
	src->ghosts = lb_ghosts_save(src->s);
	src->warm = src->ghosts && world_checkpoint(w);
	return true;
}

static bool go_back(struct lb_source *src)
{
	lb_claims_restart(src->s->w);
	return lb_ghosts_back(src->s, src->ghosts) && world_restore(src->s->w);
}

static struct world *source_begin(void *arg, bool lean, const char **why)
{
	struct lb_source *src = arg;
	struct session *s = src->s;
	struct world *w = s->w;
	bool ok;

	s->executions++;
	world_set_lean(w, false);
	ok = purity_begin(src->purity) &&
	     (src->warm && purity_warm(src->purity) && world_has_checkpoint(w) ? go_back(src) : build(src));
	s->lean = lean && !src->has_heap;
	world_set_lean(w, s->lean);
	/* what bodies print a million times nobody wants to read */
	world_set_muted(w, true);
	if (!ok || !world_prime(w) || !purity_stepped(src->purity, NULL)) {
		strncpy(src->why, world_error(w), sizeof(src->why) - 1);
		*why = src->why;
		return NULL;
	}
	if (src->invariants)
		lb_claims_stepped(w, NULL);
	return w;
}

static bool source_again(void *arg)
{
	struct lb_source *src = arg;
	struct world *w = src->s->w;

	if (!src->warm || src->invariants || !world_is_lean(w) || !world_has_checkpoint(w) ||
	    !purity_may_go_on(src->purity) || !world_restore_memory(w))
		return false;
	src->s->executions++;
	lb_claims_restart(w);
	return true;
}

/* --- and what comes after --- */

static const char *source_end(void *arg, struct world *w, enum exec_end how)
{
	struct lb_source *src = arg;

	if (!purity_end(src->purity) || how != EXEC_COMPLETE)
		return NULL;
	lb_claims_finish(w);
	return lb_claims_outcome(w);
}

static void source_stepped(void *arg, struct world *w, struct task *t)
{
	struct lb_source *src = arg;

	purity_stepped(src->purity, t);
	if (src->invariants)
		lb_claims_stepped(w, t);
}

static bool source_watched(void *arg, struct world *w, uint32_t loc)
{
	(void)arg;
	return lb_claims_watched(w, loc);
}

static size_t source_nwatched(void *arg)
{
	struct lb_source *src = arg;

	return lb_claims_nwatched(src->s->w);
}

static uint32_t source_watched_at(void *arg, size_t i)
{
	struct lb_source *src = arg;

	return lb_claims_watched_at(src->s->w, i);
}

static void source_watch(void *arg, uint32_t loc)
{
	struct lb_source *src = arg;

	lb_claims_watch(src->s->w, loc);
}

static const char *source_refused(void *arg)
{
	struct lb_source *src = arg;

	lb_limit_check(src->limit);
	return src->s->unexplorable[0] ? src->s->unexplorable : NULL;
}

void lb_source_fill(struct lb_source *src, struct explore_source *out)
{
	bool invariants = lb_has_invariants(src->s->w);

	*out = (struct explore_source){
		.arg = src,
		.begin = source_begin,
		.again = source_again,
		.end = source_end,
		.stepped = source_stepped,
		.watched = invariants ? source_watched : NULL,
		.nwatched = invariants ? source_nwatched : NULL,
		.watched_at = invariants ? source_watched_at : NULL,
		.watch = invariants ? source_watch : NULL,
		.refused = source_refused,
	};
}

void lb_source_set_warm(struct lb_source *src, bool warm)
{
	src->warm = warm;
}

bool lb_source_is_warm(const struct lb_source *src)
{
	return src->warm;
}

/* --- making it --- */

/* The session's own world comes back. */
static void drop(struct lb_source *src)
{
	lb_world_take_back(src->s, &src->aside);
	lb_limit_free(src->limit);
	free(src);
}

struct lb_source *lb_source_new(lua_State *L, int scenario_idx, const char *title)
{
	struct session *s = lb_session(L);
	struct lb_source *src;

	lb_check_steppable(L);
	scenario_idx = lua_absindex(L, scenario_idx);
	src = calloc(1, sizeof(*src));
	if (!src)
		luaL_error(L, "%s: out of memory", lb_func_name(L));
	src->s = s;
	if (!lb_world_set_aside(L, &src->aside)) {
		free(src);
		luaL_error(L, "%s: out of memory for a new world", lb_func_name(L));
	}
	s->unexplorable[0] = '\0';
	s->scenario_name = strdup(title);
	src->limit = lb_limit_set(s);
	world_set_objects_max(s->w, OBJECTS_MAX);
	if (!lb_scenario_build(L, scenario_idx)) {
		/* what was raised is on top */
		lb_limit_check(src->limit);
		drop(src);
		if (lua_type(L, -1) == LUA_TSTRING && s->unexplorable[0] &&
		    strstr(lua_tostring(L, -1), "not enough memory"))
			luaL_error(L, "%s: %s: %s", lb_func_name(L), title, s->unexplorable);
		lua_error(L);
	}
	src->purity = src->limit ? s->purity = purity_new(s) : NULL;
	if (!src->purity) {
		drop(src);
		luaL_error(L, "%s: out of memory", lb_func_name(L));
		return NULL;
	}
	src->fresh = src->warm = true;
	s->busy++;
	return src;
}

void lb_source_free(struct lb_source *src)
{
	if (!src)
		return;
	src->s->busy--;
	src->s->purity = NULL;
	purity_free(src->purity);
	shape_free(src->shape);
	src->s->lean = false;
	lb_ghosts_drop(src->s, src->ghosts);
	drop(src);
}
