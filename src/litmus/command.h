/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `srcush litmus`: runs the tests and says what they showed, in the form of herd7.
 */
#ifndef SRCUSH_LITMUS_COMMAND_H
#define SRCUSH_LITMUS_COMMAND_H

#include "litmus/litmus.h"

/* A verdict against the one that the test expects. */
enum litmus_score {
	SCORE_NONE, SCORE_AGREES, SCORE_STRONGER, SCORE_FORBIDDEN, SCORE_UNDECIDED, SCORE_RACE, SCORE_SKIPPED, SCORE_BAD,
	SCORE_COUNT
};

/* What comes first, with --json. */
void litmus_header(void);
/* Runs one file and prints what it showed.  `interrupted`: Ctrl-C.  *cut is set where not
 * all executions were made. */
enum litmus_score litmus_file(const char *file, const struct litmus_opts *o, bool (*interrupted)(void *), bool *cut);
/* How many tests there were of each kind, at the end of more than one. */
void litmus_summary(const size_t counts[SCORE_COUNT]);

#endif
