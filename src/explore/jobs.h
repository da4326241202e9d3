/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes that explore together: forked from one that has begun, each with everything
 * that is known by then, they get work from it and tell it what came of that.  What the
 * work is, is the strategies' matter.
 */
#ifndef SRCUSH_EXPLORE_JOBS_H
#define SRCUSH_EXPLORE_JOBS_H

#include "explore/dpor.h"

#include <sys/types.h>

/* What the coordinator wants of a worker, between two executions. */
enum jobs_want {
	JOBS_GIVE = 1u << 0,	/* part of its work, for others */
	JOBS_TELL = 1u << 1,	/* what it has found so far */
	JOBS_STOP = 1u << 2,	/* to tell that and do no more */
};

/* In memory that all share.  Of what a worker has not told yet: */
struct jobs_status {
	_Atomic unsigned want;
	_Atomic uint64_t taken;		/* executions of the bound, see jobs_take() */
	_Atomic uint64_t complete, blocked, deepest, pending;
	_Atomic int64_t low, high;	/* what it expects to be left of its work; -1: unknown */
};
struct jobs_shared {
	_Atomic uint64_t taken;		/* of max_executions, by all */
	struct jobs_status w[];
};

struct worker {
	pid_t pid;		/* 0: there is none (any more) */
	int fd;
	bool busy;
	struct wire in;		/* what came from it, not yet read */
	struct wire base;	/* its work, if it dies: what it was given or has kept since */
	struct wire end;	/* its last message, where that ended the exploration */
};

struct jobs {
	struct explore *x;
	struct jobs_shared *shared;
	struct worker *w;
	unsigned n, alive;
	/* Does what is in the packet.  In a worker; tells at least once, at the end. */
	void (*work)(struct jobs *j, struct wire *packet);
	void *arg;
	/* of a worker: */
	int fd;
	struct jobs_status *me;
};

/* Forks x->opts.jobs workers.  False: not even two, for a reason that was said; then
 * nothing has happened. */
bool jobs_start(struct jobs *j);
/* All come to an end, whatever they do. */
void jobs_end(struct jobs *j);

/* --- the coordinator's side --- */

/* Gives idle worker i the packet; false: it is dead, and jobs_wait() will say so. */
bool jobs_give(struct jobs *j, unsigned i, const struct wire *packet);
/* The next message, into *m; or NULL there, for a worker that has died.  The worker; -1:
 * nothing for so many milliseconds. */
int jobs_wait(struct jobs *j, int ms, struct wire *m);
bool jobs_any_busy(const struct jobs *j);
void jobs_want(struct jobs *j, unsigned i, unsigned what);
void jobs_want_all(struct jobs *j, unsigned what);	/* of the busy ones */
void jobs_died(void);	/* says that one has */
/* May it go on?  Like explore_go_on(), but the bound on executions is not looked at. */
bool jobs_go_on(struct jobs *j);
/* Waits until nobody is busy, calling `take` with each message (NULL: of one who died);
 * who takes too long is killed. */
void jobs_drain(struct jobs *j, void (*take)(void *arg, unsigned i, struct wire *m), void *arg);

/* --- a worker's side --- */

void jobs_tell(struct jobs *j, const struct wire *m);
/* One execution more; false: the bound is reached.  One that turned out to be none is
 * given back. */
bool jobs_take(struct jobs *j);
void jobs_take_back(struct jobs *j);
/* For those who watch. */
void jobs_show(struct jobs *j, size_t pending);

/* --- jobs_dpor.c --- */

enum jobs_end {
	JOBS_DONE,	/* all is explored, or bound, error or violation are in the report */
	JOBS_ANEW,	/* d->anew: something was learnt */
	JOBS_ALONE,	/* there is nobody (left): d->stack is what is to be done */
};
/* Is it time to call others? */
bool jobs_are_due(const struct dpor *d);
enum jobs_end jobs_run(struct dpor *d);
void jobs_release(struct dpor *d);

/* --- jobs_random.c --- */

/* Executions that follow each other: the number of the first, from 0; how many; and from
 * what they get their seeds. */
struct samples { uint64_t first, count, seed, rng; };
/* Makes the executions from *next on, so many of them at a time in one process, as a loop
 * would that makes one after the other.  True: *next is still to be done, by one process;
 * false: nothing is.  `make` says whether to go on. */
bool jobs_sample(struct explore *x, struct samples *next,
		 bool (*make)(void *arg, struct samples what), void *arg);

#endif
