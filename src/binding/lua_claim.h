/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a script claims of every execution: invariant(), finally(), outcome().
 * They belong to the world that the scenario function, or the prompt, builds.
 */
#ifndef SRCUSH_BINDING_LUA_CLAIM_H
#define SRCUSH_BINDING_LUA_CLAIM_H

#include "binding/binding.h"

/* Gives the session's new world its (empty) list of claims.  With `each_step` the
 * engine has the invariants checked after each step; else lb_claims_stepped() is called
 * by whoever steps.  False: no memory. */
bool lb_claims_attach(struct session *s, struct world *w, bool each_step);

/* A step of t is over, or (NULL) the execution begins: checks the invariants of which a
 * value has changed that they had read.  Finds violations. */
void lb_claims_stepped(struct world *w, struct task *t);
bool lb_has_invariants(struct world *w);
/* Does an invariant read this location (arena offset)?  And a number that grows whenever
 * there are more such locations than before: they depend on values, and are remembered
 * as long as the world lives. */
bool lb_claims_watched(struct world *w, uint32_t loc);
size_t lb_claims_nwatched(struct world *w);
/* The i-th of them; LOC_NONE: they read more than locations. */
uint32_t lb_claims_watched_at(struct world *w, size_t i);
void lb_claims_watch(struct world *w, uint32_t loc);	/* the same, of another process's */

/* Nothing can move any more: calls the finally() functions, once, unless somebody is
 * held by assume(false) or waits for a call, or a violation has been found. */
void lb_claims_finish(struct world *w);
/* What outcome() gives, NULL if there is none or it raised, which is a violation then.
 * Valid until the next call. */
const char *lb_claims_outcome(struct world *w);
/* The i-th claim of a world, in order of making; false past the last. */
struct lb_claim { const char *name; bool invariant; const struct lb_fn *fn; };
bool lb_claim_at(struct world *w, size_t i, struct lb_claim *c);
/* The same execution begins once more, without being built. */
void lb_claims_restart(struct world *w);

#endif
