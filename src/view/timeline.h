/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The timeline in two halves: story.c walks the log and says which lines there
 * are, timeline.c gives each line its place on the screen.
 */
#ifndef SRCUSH_VIEW_TIMELINE_H
#define SRCUSH_VIEW_TIMELINE_H

#include "view/paint.h"

enum story_kind {
	STORY_STEP,	/* a step, in its thread's lane */
	STORY_CALL,	/* an API call begins or ends, or the thread does */
	STORY_RULE,	/* concerns everybody: grace period, clock, violation */
};

struct story_line {
	enum story_kind kind;
	enum tint tint;
	uint64_t n;		/* number of the step that it stands at */
	struct task *task;	/* NULL for a rule */
	size_t lane;		/* of the task, from 0 */
	unsigned depth;		/* calls around it */
	bool numbered;		/* the line that carries the step's number */
	const char *text;
	const char *object;	/* the name in the text that may be shortened, or NULL */
};

/* A column of the screen: a thread of the window, or all workers and timers. */
struct lane {
	const char *name;
	enum task_kind kind;
	struct task *task;	/* the one that it belongs to; NULL: a shared lane .. */
	struct task *actor;	/* .. and whose line was the last in it */
	/* timeline.c's: */
	size_t width, want;	/* that it has, and that its texts would have */
	uint32_t lines, cut;	/* in all, and those that do not fit the width */
};

struct story {
	struct world *w;
	uint64_t first, last;	/* steps to tell of; 1.., both included */
	struct lane *lanes;	/* see story_arrange() */
	size_t nlanes;
	struct teller *tellers;	/* per task, see story.c */
	size_t ntellers;
};

/* False: out of memory (nothing is left to release). */
bool story_init(struct story *s, struct world *w, uint64_t first, uint64_t last);
void story_release(struct story *s);
/*
 * Makes the lanes: of tasks with steps in the window, threads first, then
 * interrupts, workers, timers.  With `shared`, workers and timers have one lane
 * together, in which a line with a name says who goes on.  False: they need none.
 */
bool story_arrange(struct story *s, bool shared);
/* Tells it: each line to `line`.  May be called again. */
void story_tell(struct story *s, void (*line)(void *, const struct story_line *), void *arg);

#endif
