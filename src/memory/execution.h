/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a world has done so far as the memory model sees it: whether a task may make its
 * next step with a choice of its own.
 */
#ifndef SRCUSH_MEMORY_EXECUTION_H
#define SRCUSH_MEMORY_EXECUTION_H

#include "engine/world.h"

/*
 * The object to which all later accesses of its task depend on a load that returned that; NULL:
 * it heads no dependencies.  Each load of a pointer to a heap object does, for there is no other
 * way to such an object but for who made it; of other objects those that say so.
 */
const struct object *execution_head(struct world *w, uint64_t value, enum ev_order order);
/* May t's pending access read from, or be put behind, the `choice`-th newest store?  The
 * newest, 1, it always may.  False with world_error() when it may not.  Needs the log. */
bool execution_may_choose(struct world *w, struct task *t, unsigned choice);
/* Is what t does next an access, of which a model may leave several? */
bool execution_is_access(const struct task *t);
/* All choices that it has, as bits (bit 0: the newest); of more than 64 stores the newest. */
uint64_t execution_choices(struct world *w, struct task *t);
/* In the same way: what a READ_ONCE() of a location that has been accessed could return if t
 * made it now. */
uint64_t execution_readable(struct world *w, const struct task *t, const void *loc);
/* The stores of all locations; NULL: the model has no choices. */
const struct history *execution_history(const struct world *w);
/* The k-th newest store to a location that has been accessed, and the step that made it, 0 if
 * it was there first.  False: there is none, or the model has no choices. */
bool execution_store(struct world *w, const void *loc, unsigned k, uint64_t *value, uint32_t *step);
/* The stores, by their steps, that are newer than what the access of that step read, or than
 * what it stored, and had been made by then.  Returns how many; v has the oldest `max`. */
size_t execution_missed(struct world *w, uint64_t step, uint32_t *v, size_t max);
/* The last step so far that loaded something older than the store of that step and came
 * later; 0: none. */
uint64_t execution_missed_by(struct world *w, uint64_t step);

/*
 * An access of one of a few variables that are only imagined, all 0 at first: by t, before or
 * behind that step (whoever made it; 0 and `behind`: at the start).
 */
struct execution_probe {
	const struct task *t;
	uint32_t step;
	bool behind, writes;
	uint8_t var;
};
/* What is no access, was written behind that step and is what a condition looks at, by its place
 * in the arena; in the order of the steps. */
struct execution_peek { uint32_t step, loc; };
/* Does the model allow what has happened, with these accesses in it, of which the reads all
 * return 0?  False also where there is no memory. */
bool execution_allows(struct world *w, const struct execution_peek *peeks, size_t npeeks,
		      const struct execution_probe *p, size_t n);

/* Which plain accesses race, by the Linux-kernel memory model, whatever the world's own: by
 * their steps, the earlier one first.  False: no memory. */
bool execution_races(struct world *w, const struct execution_peek *peeks, size_t npeeks,
		     void (*race)(void *arg, uint32_t a, uint32_t b), void *arg);

#endif
