/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants: asked again only when a value that one had read has changed, because its
 * answer is a function of those.
 */
#include <config.h>

#include "binding/lua_claim_internal.h"
#include "check/check.h"

#include <string.h>

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
	if (!claim_room(&cs->locs, &cs->locs_cap, cs->nlocs + 1, sizeof(*cs->locs))) {
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
	if (c->read.other || !claim_room(&c->values, &c->values_cap, c->read.n, sizeof(*c->values)))
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
	ok = claim_run(&x);
	world_peek_end(w, &c->read);
	if (!ok && world_interrupted(w))
		return;		/* by Ctrl-C */
	remember(w, cs, c);
	if (ok && x.truth && !x.freed)
		return;
	c->broken = true;
	if (claim_report_freed(w, &x, t, "the invariant ", c->name))
		return;
	if (ok)
		check_report(w, "invariant", t, NULL, "the invariant \"%s\" does not hold%s",
			     c->name, when);
	else
		check_report(w, "invariant", t, NULL, "the invariant \"%s\" does not hold%s: %s",
			     c->name, when, claim_raised(cs->s));
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
