/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Load buffering by promises (memory/promise.c): what the exploration without promises has
 * stored becomes what others promise, again and again, until nothing new comes of it.
 * Between explore.c, promise.c and promise_leaf.c, and dpor.c, which tells of each execution.
 */
#ifndef SRCUSH_EXPLORE_PROMISE_H
#define SRCUSH_EXPLORE_PROMISE_H

#include "explore/dpor.h"

/* More promises than that in one execution are not looked at: a bound, which is reported. */
#define PROMISES_MAX 3

/* A store that somebody may make earlier than its turn is. */
struct promise {
	struct promise_store store;
	unsigned times;		/* it was seen in one execution */
};

/* Those of one execution. */
struct promise_set { const struct promise *v[PROMISES_MAX]; unsigned n; };

/* A store that was made behind a load for which it need not wait. */
struct offer {
	uint32_t loc, size;
	uint32_t before;	/* what was loaded */
	uint64_t value;
	uint64_t task;		/* hash of the name */
	unsigned times, now;	/* in one execution at most; and in this one */
	uint16_t last;		/* the event that was counted last */
};
/* A task's load of a location before some store of it, or a task's store to a location. */
struct wish { uint32_t loc; bool stores; uint64_t task; };

/* An execution with a circle, by hashes of all that it consists of. */
struct merged { uint64_t a, b; uint32_t run, attempt; };

struct promising {
	const struct promise *now[PROMISES_MAX]; /* of the runs that are made now */
	unsigned n;
	struct promise **all;
	size_t nall, all_cap;
	struct promise_deps *deps;
	struct offer *offers;
	size_t noffers, offers_cap;
	struct wish *wishes;
	size_t nwishes, wishes_cap;
	struct merged *merged;	/* open addressing */
	size_t nmerged, merged_cap;
	uint32_t run;		/* explorations so far, one for each set of promises */
	uint32_t attempt;	/* of this one: it has begun anew so often */
	uint64_t found;		/* executions that this one has added */
	/* scratch of promise_leaf.c */
	uint16_t *event;	/* of the graph, by that of the model */
	uint16_t *keeper;
	uint64_t *named;
	uint16_t *at_step;
	size_t scratch_cap;
};

/* Are there any in the executions that are made now? */
static inline bool promises_are_made(const struct dpor *d)
{
	return d->x->promising && d->x->promising->n;
}

/* Explores without promises, then with them.  Until promise_release() the executions that were
 * found can be made again. */
bool promise_run(struct explore *x, bool (*strategy)(struct explore *x));
void promise_release(struct explore *x);
/* The promises of the executions that are made now, and other ones from now on. */
struct promise_set promise_now(const struct explore *x);
void promise_use(struct explore *x, const struct promise_set *s);
/* An execution begins: the tasks of its promises are made.  False: world_error(). */
bool promise_begin(const struct promising *p, struct world *w);
/* The exploration that runs begins anew: what it has found so far was not. */
void promise_forget(struct promising *p);

/* --- promise_leaf.c --- */

/* What the execution that is over stored and loaded is told.  False: there is no memory. */
bool promise_note(struct dpor *d);
/* With promises: is it an execution, all of them kept, and one that has not been counted? */
bool promise_kept(struct dpor *d, enum exec_end how);
void promise_leaf_release(struct promising *p);

/* --- promise_deps.c --- */

/* Event i has been performed: what was its task's way there? */
void promise_deps_of(struct dpor *d, const struct gevent *e, uint32_t i, const struct event *ev);
/* The execution is over, whether it is one or not.  False: there is no memory. */
bool promise_deps_note(struct dpor *d);
/* From now on what has been seen counts.  Is anything that was asked for answered otherwise? */
bool promise_deps_learn(struct promise_deps *p);
bool promise_deps_are(const struct dmem *w, const struct dmem *r);
void promise_deps_release(struct promise_deps *p);

#endif
