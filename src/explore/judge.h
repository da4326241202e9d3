/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an exploration has found so far: between explore.c, judge.c and results.c only.
 */
#ifndef SRCUSH_EXPLORE_JUDGE_H
#define SRCUSH_EXPLORE_JUDGE_H

#include "explore/explore.h"
#include "explore/promise.h"

/* A copy of an execution's steps. */
struct run {
	struct exec_step *steps;
	size_t n;
	bool is;
	bool told;		/* to the process that puts it all together */
	uint64_t hash;		/* of the steps; the same in all processes */
	struct promise_set promises;
};

struct seen { char *key; size_t n; uint64_t hash; };

/* Complete executions number 1, 16, 256 ... are repeated at the end. */
#define SAMPLES 6
#define SAMPLE_FACTOR 16

struct judge {
	struct run *runs;	/* of report.violations, one for one */
	size_t runs_cap, violations_cap;
	struct seen *seen;	/* of executions without a log: what has been repeated */
	size_t nseen, seen_cap;
	size_t outcomes_cap, last_outcome;
	struct run example, shown;
	struct run samples[SAMPLES];	/* to be repeated, see repeat.c */
};

struct judge *judge_new(void);	/* NULL: out of memory */
void judge_free(struct judge *j);
void judge_forget(struct judge *j);	/* the examples: see explore_forget() */
/* So many executions came out like that; false: report.error. */
bool judge_tally(struct explore *x, const char *text, uint64_t times);
/* Takes the violation and its run: one more, or in place of the i-th. */
bool judge_take(struct explore *x, size_t i, const struct explore_violation *v, const struct run *r);
/* Which of the report's violations is of that kind and place?  Their number: none. */
size_t judge_find(const struct explore_report *r, const char *kind, const char *place);
/* Has a run of n steps with that hash less to it?  The order is the same for all processes. */
static inline bool run_is_less(size_t n, uint64_t hash, size_t n2, uint64_t hash2)
{
	return n != n2 ? n < n2 : hash < hash2;
}
void violation_release(struct explore_violation *v);
/* Forgets the violations of executions with promises. */
void judge_drop_promised(struct explore *x);
/* The exploration is over: puts violations and examples into their final form. */
bool judge_conclude(struct explore *x);

/* repeat.c: do these steps, which some execution has made, give the same whenever they are
 * made?  False: report.error says where not. */
bool repeat_check(struct explore *x, const struct exec_step *steps, size_t n);

#endif
