/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Torture, updaters: writers replace the current element; fake writers ask for grace
 * periods that nobody needs; a flood is many callbacks at once and srcu_barrier() behind
 * them.  The closer comes when all others have gone.
 */
#include <config.h>

#include <stdlib.h>

#include "torture/internal.h"

#define FLOOD 512		/* callbacks at once */
/* An element's callback is posted once for each stage, a barrier waits for one of them. */
#define CLOSING_BARRIERS (2 * PIPE_LEN)

#define CALM_NAP_NS 1000000	/* how long, at most, between grace periods in calm times */

/* Is it calm?  Then the domain is another's; this thread has slept. */
static bool rests(struct member *me)
{
	if (!torture_is_calm(me->t))
		return false;
	torture_nap(CALM_NAP_NS);
	return true;
}

/* Is the thread, a writer, to rest, because it is calm and another one is at work? */
static bool writer_rests(struct member *me, bool *lone)
{
	struct member *nobody = NULL;

	*lone = false;
	if (!torture_is_calm(me->t)) {
		nobody = me;
		atomic_compare_exchange_strong(&me->bed->lone, &nobody, NULL);
		return false;
	}
	*lone = atomic_load(&me->bed->lone) == me || atomic_compare_exchange_strong(&me->bed->lone, &nobody, me);
	if (*lone)
		torture_nap(member_random(me) % CALM_NAP_NS);
	return !*lone && rests(me);
}

void writer_run(struct member *me)
{
	bool lone;

	while (!torture_stopping(me->t)) {
		enum how how = (enum how)(member_random(me) % HOW_COUNT);

		if (writer_rests(me, &lone))
			continue;
		if (lone && how == HOW_CALL)	/* which takes a grace period for each stage */
			how = HOW_SYNC;

		if (!bed_replace(me, how))
			how = HOW_SYNC;	/* all elements are in the pipe: this moves some on */
		if (how != HOW_CALL) {
			bed_wait(me, how);
			bed_advance(me);
		}
		if (member_random(me) % 4 == 0)
			member_delay(me);
	}
}

void fakewriter_run(struct member *me)
{
	while (!torture_stopping(me->t)) {
		if (rests(me))
			continue;
		bed_wait(me, (enum how)(member_random(me) % HOW_CALL));
		member_delay(me);
	}
}

/* --- floods --- */

struct drop {
	struct srcu_head head;	/* the library's */
	atomic_uint invoked;
};

static void drop_called(struct srcu_head *head)
{
	struct drop *d = (struct drop *)(void *)head;

	atomic_fetch_add_explicit(&d->invoked, 1, memory_order_relaxed);
}

static bool barrier(struct member *me)
{
	int err;

	member_waits(me, "srcu_barrier()");
	err = srcu_barrier(&me->bed->d);
	member_waits_no_more(me);
	member_count(me, COUNT_BARRIERS);
	if (err)
		torture_error(me->t, "srcu_barrier() failed", err);
	return !err;
}

/* n callbacks, and whether the barrier waits for each.  False: the library refuses. */
static bool flood(struct member *me, struct drop *drops, unsigned n)
{
	unsigned missing = 0;

	for (unsigned i = 0; i < n; i++) {
		int err;

		atomic_store_explicit(&drops[i].invoked, 0, memory_order_relaxed);
		err = srcu_call(&me->bed->d, &drops[i].head, drop_called);
		if (err) {
			torture_error(me->t, "cannot post a callback", err);
			barrier(me);
			return false;
		}
		member_count(me, COUNT_CALLS);
	}
	if (!barrier(me))
		return false;
	for (unsigned i = 0; i < n; i++)
		missing += atomic_load_explicit(&drops[i].invoked, memory_order_relaxed) != 1;
	if (missing)
		torture_fail(me->t, me->bed, "srcu_barrier() has returned, and of %u callbacks posted before "
			     "%u were not invoked, or more than once", n, missing);
	return !missing;
}

void flood_run(struct member *me)
{
	struct drop *drops = calloc(FLOOD, sizeof(*drops));

	if (!drops)
		torture_error(me->t, "not enough memory", 0);
	while (drops && !torture_stopping(me->t)) {
		if (rests(me))
			continue;
		if (!flood(me, drops, 1 + (unsigned)(member_random(me) % FLOOD)))
			return;	/* they may be called for yet: the memory stays */
		member_delay(me);
	}
	free(drops);
}

/* --- the end --- */

void closer_run(struct member *me)
{
	struct bed *b = me->bed;
	int err;

	bed_take_handed(me);
	for (int i = 0; atomic_load(&b->in_flight) && i < CLOSING_BARRIERS; i++)
		if (!barrier(me))
			return;
	if (atomic_load(&b->in_flight)) {
		torture_fail(me->t, b, "%lu callbacks have not been invoked, after %d times srcu_barrier()",
			     atomic_load(&b->in_flight), CLOSING_BARRIERS);
		return;
	}
	atomic_store(&b->batches, srcu_batches_completed(&b->d));
	member_waits(me, "srcu_cleanup()");
	err = srcu_cleanup(&b->d);
	member_waits_no_more(me);
	if (err)
		torture_fail(me->t, b, "srcu_cleanup() finds a section, a callback or a grace period where "
			     "there is none (error %d)", err);
}
