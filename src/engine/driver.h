/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The driver: performs announced events and lets tasks run to their next.
 * Everything here runs on the driver's stack (task_current() == NULL).
 */
#ifndef SRCUSH_ENGINE_DRIVER_H
#define SRCUSH_ENGINE_DRIVER_H

#include "engine/world.h"

enum step_result {
	STEP_OK,
	STEP_BLOCKED,	/* nothing was done: task_blocked() says why */
	STEP_OVER,	/* nothing was done: the task is done or failed */
	STEP_ERROR,	/* the engine itself failed (no memory, no OS thread): world_error() */
};

/* Lets each fresh task run to its first announcement.  Called by all below. */
bool world_prime(struct world *w);

/* A task that waits for a call (OP_CALL_WAIT) has one now: it is primed anew, so that
 * it announces the call's first event.  Not a step. */
void task_poke(struct task *t);

/* Performs t's pending event, with the model's `choice` (0: newest; for
 * choose(n) the number 1..n, 0 meaning 1). */
enum step_result world_step(struct world *w, struct task *t, unsigned choice);

/* The same for a step of a schedule: a worker whose last pass changed nothing may begin
 * another, although nothing has changed (which a schedule that was put together from
 * independent pieces may ask for, and which does no harm). */
enum step_result world_step_again(struct world *w, struct task *t, unsigned choice);

/* Moves virtual time: a step of nobody's. */
bool world_advance(struct world *w, uint64_t ns);

/* Brackets around many steps: pins the driver beside its pthread carriers and
 * steps Lua's collector.  Nest. */
void world_batch_begin(struct world *w);
void world_batch_end(struct world *w);

/* A function that returns true when the driver should stop between two steps
 * (Ctrl-C).  Polled in loops of steps. */
void world_set_interrupt(struct world *w, bool (*fn)(void *), void *arg);
bool world_interrupted(struct world *w);

/*
 * The next task of a deterministic policy: round robin after `last` (an index,
 * or -1), timers only when nothing else is enabled.  NULL: nothing can move.
 */
struct task *world_next_rr(struct world *w, int last);
/* The first enabled task of a kind, in order of making, that `fits`.  NULL: none. */
struct task *world_first(struct world *w, enum task_kind kind,
			 bool (*fits)(struct task *t, void *arg), void *arg);
/* One of the enabled tasks, each equally likely; timers as likely as others. */
struct task *world_next_random(struct world *w, uint64_t *rng);

/* The next number of a splitmix64 generator (Steele, Lea, Flood, OOPSLA 2014). */
uint64_t world_random(uint64_t *rng);

/* Runs by a policy until nobody can move, a violation is found, `max` steps are
 * made, or it is interrupted. */
struct run_policy {
	bool random;		/* else in turns */
	uint64_t rng, choices;	/* seeds, advanced */
	int last;		/* who moved last; -1 at first */
};
enum run_end { RUN_STUCK, RUN_VIOLATED, RUN_BOUND, RUN_INTERRUPTED, RUN_ERROR };
enum run_end world_run(struct world *w, struct run_policy *p, uint64_t max);

/* The schedule so far, malloced ("@sc,4 writer*3 reader ..."), and up to step n. */
char *world_schedule(struct world *w);
char *world_schedule_upto(struct world *w, uint64_t n);

/* --- journal and time travel (journal.c) --- */

/*
 * Something was done to the world from outside: `apply(w, arg)` does it (it is
 * called now, and again at each rebuild), `release(arg)` when the journal goes.
 * False with world_error() when apply failed; then it is not kept.
 */
bool world_do(struct world *w, bool (*apply)(struct world *, void *), void *arg,
	      void (*release)(void *), bool vanishes);
/* `vanishes`: gone when one goes back before it (a typed call); otherwise it
 * stays and is done again at the point reached (a created object). */

/* Drops everything and builds the world again up to step n (0: the start).
 * Output of bodies is muted meanwhile (world_muted()).  False with
 * world_error(): the first event that came out differently, and why. */
bool world_rewind(struct world *w, uint64_t n);
/* The same to the start, and forgets typed calls as well. */
bool world_reset(struct world *w);
/* The same, with the tasks left fresh: nobody has run to its first step. */
bool world_rebuild(struct world *w);
bool world_muted(struct world *w);
/* Mutes the bodies' output, which a rebuild ends; they run on fibers meanwhile. */
void world_set_muted(struct world *w, bool muted);
/* How many objects there may be, freed ones included: a million at first. */
void world_set_objects_max(struct world *w, size_t n);

/* Rewinds to the start and performs a schedule string.  False with
 * world_error(): "schedule: item 3: no thread 'x'" and the like; the world then
 * stands at the last item that fitted. */
bool world_replay(struct world *w, const char *schedule);

#endif
