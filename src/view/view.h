/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a person sees: state tables and timelines as text.  Plain ASCII, no
 * addresses, no times; colours only when asked for.  Nothing here steps.
 */
#ifndef SRCUSH_VIEW_VIEW_H
#define SRCUSH_VIEW_VIEW_H

#include <stdio.h>
#include "engine/world.h"

struct srcu;

struct view_opts {
	unsigned columns;	/* width of the output, 40.. ; 0: 80 */
	bool color;
	uint64_t first, last;	/* timeline: steps to show; 0,0: all */
	size_t max_lines;	/* 0: no limit; the oldest are cut, and it says so */
	bool brief;		/* violation: without the last steps, which stand above */
};

/*
 * A growing string; begins as {0}, ends with sbuf_release().  `s` is NULL while
 * it is empty, and also when memory ran out: then all text is dropped, what
 * follows is ignored, and sbuf_failed() says so.
 */
struct sbuf { char *s; size_t len, cap; };
bool sbuf_failed(const struct sbuf *b);
void sbuf_add(struct sbuf *b, const char *s);
void sbuf_addn(struct sbuf *b, const char *s, size_t n);
void sbuf_fill(struct sbuf *b, char c, size_t n);	/* c, n times */
void sbuf_addf(struct sbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sbuf_release(struct sbuf *b);

/* One lane per thread, one line per step, what changed marked, grace-period state
 * changes as full-width rules. */
void view_timeline(struct world *w, const struct view_opts *o, struct sbuf *out);
/* The state of one object (its fields; an srcu_struct as a table). */
void view_object(struct world *w, struct object *obj, const struct view_opts *o, struct sbuf *out);
/* Threads, locks, SRCU domains, variables of the whole world. */
void view_world(struct world *w, const struct view_opts *o, struct sbuf *out);
/* Under a memory model that leaves choices: where a task may still read something that is not
 * the newest, of one object or (NULL) of all.  Returns how many such there are. */
size_t view_readable(struct world *w, const struct object *obj, const struct view_opts *o, struct sbuf *out);
/* The choices of a task's next step, "=1 newest ..", a line each; nothing where there is one. */
void view_choices(struct task *t, const struct view_opts *o, struct sbuf *out);
/* The threads: name, cpu, status, what is pending, what it waits for. */
void view_threads(struct world *w, const struct view_opts *o, struct sbuf *out);
/* A violation in full: headline, the end of the timeline, the schedule. */
void view_violation(struct world *w, const struct violation *v, const struct view_opts *o, struct sbuf *out);
/* The same for what an exploration found: what it is, who did what, the last steps. */
void view_counterexample(struct world *w, const struct violation *v, const struct view_opts *o,
			 struct sbuf *out);
/* What a verdict on this world is about: "3 threads, 4 CPUs, sc, tree SRCU of ..".  `promises`: so
 * many were looked for in one execution, -1: none were. */
void view_scope(struct world *w, int promises, struct sbuf *out);
/* "IDLE", "SCAN1", "SCAN2" of the world's only srcu_struct, or "" (prompt). */
const char *view_gp_state(struct world *w);

#endif
