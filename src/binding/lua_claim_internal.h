/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of lua_claim.h share: the claims of a world, and calling them.
 */
#ifndef SRCUSH_BINDING_LUA_CLAIM_INTERNAL_H
#define SRCUSH_BINDING_LUA_CLAIM_INTERNAL_H

#include "binding/lua_claim.h"
#include "engine/peek.h"

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

static inline struct claims *claims_of(struct world *w)
{
	return world_watch_data(w);
}

/* A claim that is called. */
struct claim_call {
	struct claims *cs;
	struct claim *c;
	lua_CFunction then;	/* what becomes of the result, on top */
	bool truth, is_false;
	const void *freed;	/* it read what has been freed */
};

/* False: it raised; what stands on top of the builder. */
bool claim_run(struct claim_call *x);
/* What it raised, in words. */
const char *claim_raised(struct session *s);
/* Reading freed memory is as wrong here as anywhere. */
bool claim_report_freed(struct world *w, const struct claim_call *x, struct task *t,
			const char *what, const char *name_of_it);
/* Room for so many elements; false: no memory. */
bool claim_room(void *arrayp, size_t *cap, size_t need, size_t elem);

#endif
