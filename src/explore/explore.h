/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exploration: executions of one scenario, one after the other, each from its
 * start, until every interleaving has been seen, a violation is found or a bound
 * is hit.  A *source* makes the executions (the binding: it owns the scenario), a
 * *strategy* says who moves next, and this is what both share.
 */
#ifndef SRCUSH_EXPLORE_EXPLORE_H
#define SRCUSH_EXPLORE_EXPLORE_H

#include "engine/plain.h"
#include "engine/world.h"
#include "memory/consistency.h"

enum explore_strategy { EXPLORE_DPOR, EXPLORE_RANDOM, EXPLORE_PCT, EXPLORE_NAIVE };

/* How an execution ended. */
enum exec_end {
	EXEC_COMPLETE,	/* nothing can move: every thread is done, or waits for ever
			 * (check_stuck() has judged) */
	EXEC_BLOCKED,	/* nothing can move, and an assume(false) or a failed poll that another
			 * execution does later holds somebody: no deadlock, no end */
	EXEC_CUT,	/* --max-steps, or a preemption too many */
	EXEC_FAILED,	/* the engine failed: world_error() */
};

/* One step of an execution: who (an identity, see task_by_id()), and the model's or
 * choose()'s choice, 0 for the first. */
struct exec_step { uint32_t task; uint32_t choice; };

/* Where executions come from.  All on the driver's stack. */
struct explore_source {
	void *arg;
	/* The world at the start of a fresh execution, always the same one.  `lean`: it
	 * need not keep its log (world_set_lean()).  NULL: failed, for the reason in
	 * *why (a message for the user, valid until the next call). */
	struct world *(*begin)(void *arg, bool lean, const char **why);
	/* The same after an execution that nobody has looked at with a log meanwhile, for
	 * those who know what each task was answered: only memory goes back, and the tasks
	 * stand where they stood.  False: not now; begin() is to be called. */
	bool (*again)(void *arg);
	/* The execution is over: leaks, finally(), and outcome(), whose text it returns
	 * (valid until the next call; NULL: none).  What they find is in the world's
	 * violations. */
	const char *(*end)(void *arg, struct world *w, enum exec_end how);
	/* After each step of t, where not NULL: the invariants.  Finds violations. */
	void (*stepped)(void *arg, struct world *w, struct task *t);
	/* Is `loc` (arena offset) read by an invariant?  Such locations are pairwise
	 * dependent.  NULL where there are none. */
	bool (*watched)(void *arg, struct world *w, uint32_t loc);
	/* How many such locations there are.  They are known from what invariants have
	 * read so far, so that there may be more after an execution than before it: then
	 * what was concluded without them is to be looked at again. */
	size_t (*nwatched)(void *arg);
	/* The i-th of them (LOC_NONE: no location, but all of them are to be taken as
	 * read), and what another process found an invariant to read. */
	uint32_t (*watched_at)(void *arg, size_t i);
	void (*watch)(void *arg, uint32_t loc);
	/* Under a model with graphs, where not NULL: may the whole execution be?  What is asked
	 * before it is over says nothing of what only the whole shows.  False: it is not
	 * counted. */
	bool (*allows)(void *arg, struct mm *m);
	/* Why the scenario cannot be explored, as far as the executions so far have shown
	 * (bodies share a Lua variable ...), or NULL.  To be asked after each end(), and
	 * after each begin() that fails: it says more than *why. */
	const char *(*refused)(void *arg);
};

struct explore_opts {
	enum explore_strategy strategy;
	uint64_t seed;
	uint64_t max_executions;	/* 0: no bound; complete and blocked ones count */
	uint64_t max_steps;		/* of one execution */
	int preemptions;		/* -1: no bound */
	unsigned depth;			/* pct: number of priority change points + 1 */
	double seconds;			/* 0: no bound */
	unsigned jobs;
	bool lockdep_61;		/* the order of locks as Linux 6.1 sees it: without SRCU */
	bool unjudged;			/* no oracles: outcomes alone are of interest */
	bool promises;			/* load buffering, too: promise.c; of models that have it */
	bool keep_going;		/* all violations of distinct kinds and places */
	uint64_t show;			/* keep the schedule of the n-th complete execution; 0: none */
};
#define EXPLORE_MAX_STEPS_DEFAULT 100000
#define EXPLORE_DEPTH_DEFAULT 3
#define EXPLORE_SAMPLES_DEFAULT 10000	/* executions of random and pct without another bound */

struct explore_violation {
	char *kind, *message;
	char *thread, *other;		/* names, or NULL */
	uint64_t step;
	char *schedule;			/* minimised */
	char *place;			/* by which repetitions are known */
	uint64_t execution;		/* number of the execution that showed it, from 1 */
	uint64_t seed;			/* random, pct: that execution's own seed */
};

struct explore_outcome { char *text; uint64_t count; };

struct explore_report {
	uint64_t complete, blocked;	/* executions of each kind */
	uint64_t violating;		/* those with a violation; of either kind */
	uint64_t steps;			/* of all executions */
	uint64_t cut;			/* executions that a bound cut */
	uint64_t traces;		/* naive: complete executions that differ in more than the
					 * order of independent steps; 0: not counted */
	uint64_t deepest;		/* steps of the longest execution */
	uint64_t promised;		/* complete executions that nothing but promises shows */
	unsigned promises;		/* so many were made in one execution at most */
	double seconds;
	const char *bound;		/* which bound cut it, as the option is spelt
					 * ("max_executions 1000"), "interrupted", or NULL */
	char *error;			/* not deterministic, does not build, no memory ...: the
					 * verdict is none; or NULL */
	struct explore_violation *violations;
	size_t nviolations;
	struct explore_outcome *outcomes; /* sorted by text */
	size_t noutcomes;
	char *example;			/* schedule of the first complete execution without a violation */
	char *shown;			/* that of execution number opts.show, or NULL */
};

/* Told of how far it is, a few times a second. */
struct explore_progress {
	uint64_t complete, blocked, deepest, pending;
	double seconds, rate;		/* executions a second */
	double low, high;		/* interval for the number of executions that remain; < 0: unknown */
};

/* State that all strategies share. */
struct explore {
	struct explore_opts opts;
	struct explore_source src;
	struct explore_report report;
	bool (*interrupted)(void *);	/* Ctrl-C */
	void (*progress)(void *, const struct explore_progress *);
	void *arg;			/* of these two */
	bool lean;			/* executions keep no log: see explore_lean() */
	bool shared;			/* several processes work on it: of violations the smallest
					 * is kept, whoever found which first */
	double started, next_progress;
	uint64_t executions;		/* ended so far, those that were cut too */
	uint64_t seed;			/* random, pct: that of the execution that runs */
	struct explore_progress now;	/* the strategy's: pending, low, high */
	struct explore_progress others;	/* the same and more, of processes that work on it */
	bool unnumbered;		/* of several at the same time none is the n-th */
	uint64_t first;			/* executions before those that this process counts */
	struct promising *promising;	/* promise.c's; NULL: no promises */
	struct judge *judge;		/* judge.c's: what was found so far */
};

/* Explores; the report is in x->report afterwards and released by
 * explore_release().  False: x->report.error says why there is no verdict. */
bool explore_run(struct explore *x);
void explore_release(struct explore *x);

/* --- for strategies --- */

bool dpor_run(struct explore *x);
bool random_run(struct explore *x);	/* EXPLORE_RANDOM and EXPLORE_PCT */
bool naive_run(struct explore *x);	/* every interleaving, one by one: for checking the others */

double explore_now(void);	/* seconds, of a clock that only goes on */
/* A fresh execution; NULL: x->report.error is set. */
struct world *explore_begin(struct explore *x);
/* See explore_source.again. */
static inline bool explore_again(struct explore *x)
{
	return x->lean && x->src.again && x->src.again(x->src.arg);
}
/* Why the source cannot go on, or NULL. */
static inline const char *explore_refused(const struct explore *x)
{
	return x->src.refused ? x->src.refused(x->src.arg) : NULL;
}
/* A step was performed (calls src.stepped). */
void explore_stepped(struct explore *x, struct world *w, struct task *t);
/*
 * The execution `steps[0..n)` is over: judges its end and its trace (check_stuck(),
 * trace_judge()), counts it, tallies its outcome, keeps what was violated with a
 * schedule.  True: go on; false: stop (a violation without keep_going, a bound).
 */
bool explore_end(struct explore *x, struct world *w, enum exec_end how,
		 const struct exec_step *steps, size_t n);
/*
 * The execution steps[0..n) went another way than one before in which everybody had read the
 * same.  True: data races do that, and one has been found here or before; it is in the report.
 */
bool explore_raced(struct explore *x, struct world *w, const struct exec_step *steps, size_t n);
/* May another execution begin?  Looks at bounds, Ctrl-C, the clock; sets report.bound. */
bool explore_go_on(struct explore *x);
/* Ends the exploration without verdict (printf-like); returns false. */
bool explore_fail(struct explore *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool explore_oom(struct explore *x);	/* the same for want of memory */
/* What every message says by which a scenario is not deterministic. */
#define EXPLORE_RULE "What a thread does may depend on nothing but what its steps return: no clock, " \
	"no random numbers, no pairs() over handles, no state from an execution before"
/* May this pending event be part of an execution without a log?  Such an execution has
 * nothing that a trace oracle judges: no API call, lock, plain access (one that takes no step
 * least of all) or free. */
#define EXPLORE_LEAN_OPS (1ull << OP_LOAD | 1ull << OP_STORE | 1ull << OP_ADD | 1ull << OP_XCHG | \
	1ull << OP_CMPXCHG | 1ull << OP_AND | 1ull << OP_OR | 1ull << OP_XOR | 1ull << OP_FENCE | \
	1ull << OP_ASSUME | 1ull << OP_CHOOSE | 1ull << OP_YIELD)
static inline bool explore_lean(const struct task *t)
{
	return EXPLORE_LEAN_OPS >> t->ev.op & 1 && !t->ncalls && !world_has_plains(t->w);
}
/* t is about to move.  True: not without a log, and the execution has to begin again;
 * from then on all keep theirs. */
static inline bool explore_outgrows(struct explore *x, const struct task *t)
{
	if (!x->lean || explore_lean(t))
		return false;
	x->lean = false;
	return true;
}
/* Begins to count anew: all executions so far were made with less knowledge than is
 * needed.  What was found stays found. */
void explore_forget(struct explore *x);
/* Has nobody a step left?  How the execution then ends. */
enum exec_end explore_end_of(struct world *w);
/* Something was left out because of this bound, spelt "max_steps 100" (printf-like). */
void explore_bound(struct explore *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A fresh execution that keeps its log, whether others do or not. */
struct world *explore_begin_logged(struct explore *x);
/* Makes steps[0..n) in w, where an execution has begun.  False: one could not be made (*at
 * says which). */
bool explore_make(struct explore *x, struct world *w, const struct exec_step *steps, size_t n, size_t *at);
/* The two together.  The world, standing there;
 * NULL: some step could not be made (*at says which) or report.error. */
struct world *explore_rerun(struct explore *x, const struct exec_step *steps, size_t n, size_t *at);

/* --- results.c: what several processes found becomes one report --- */

struct wire;
/* What was counted and found since the last time; it is forgotten then, but for the
 * violations, which are not told again. */
bool results_put(struct explore *x, struct wire *to);
/* Adds it to the report, with the violations or without.  False: x->report.error is set,
 * maybe by what is in there. */
bool results_get(struct explore *x, struct wire *from, bool violations);
/* Does what is in there end the exploration: an error, or a violation and not keep_going? */
bool results_end(const struct explore *x, const struct wire *from);
/* Is the smallest violating execution in a smaller than the one in b? */
bool results_smaller(const struct wire *a, const struct wire *b);
/* By kind and place. */
void results_sort(struct explore *x);

/* --- judging runs that keep their log, without counting them --- */

/*
 * The run stops where w stands: judges that as explore_end() does.  What is found is in the
 * world's violations then; what only another linearisation of its trace shows is left
 * aside.
 */
void explore_judge(struct explore *x, struct world *w);
/* Where a violation of w is, as in struct explore_violation; malloced, NULL: no memory. */
char *explore_place(struct world *w, const struct violation *v);
/* The first violation of w of that kind and place, or NULL. */
const struct violation *explore_find(struct world *w, const char *kind, const char *place);

/* --- minimise.c --- */

/*
 * A shorter way to a violation of the same kind and place: fewest context switches
 * first, then fewest steps.  Replaces *v's message, step and schedule.
 */
void explore_minimise(struct explore *x, struct explore_violation *v,
		      const struct exec_step *steps, size_t n);

#endif
