/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an exploration has found so far: between explore.c and judge.c only.
 */
#ifndef SRCUSH_EXPLORE_JUDGE_H
#define SRCUSH_EXPLORE_JUDGE_H

#include "explore/explore.h"

struct judge;

struct judge *judge_new(void);	/* NULL: out of memory */
void judge_free(struct judge *j);
void judge_forget(struct judge *j);	/* the examples: see explore_forget() */
/* The exploration is over: puts violations and examples into their final form. */
bool judge_conclude(struct explore *x);

/* repeat.c: do these steps, which some execution has made, give the same whenever they are
 * made?  False: report.error says where not. */
bool repeat_check(struct explore *x, const struct exec_step *steps, size_t n);

#endif
