/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Oracles that judge the trace of an execution that is over (semantics.md section
 * 7): what its events are ordered by, not the order in which they happened to
 * come.  One execution then stands for all its equivalents.
 */
#ifndef SRCUSH_CHECK_TRACE_H
#define SRCUSH_CHECK_TRACE_H

#include "engine/world.h"

/* A linearisation of a part of the trace in which an oracle of check.h sees what is
 * wrong, step for step: who moves, and the choice. */
struct trace_step { uint32_t task; uint32_t choice; };
struct trace_finding {
	const char *kind;	/* "grace-period", "use-after-free" ... */
	struct trace_step *steps;
	size_t n;
};

/*
 * Looks at the world's log.  Data races and lock-order violations are reported as
 * violations of this world.  A use after free or a short grace period that only
 * another linearisation shows is put into *f (to be released with
 * trace_finding_release()) and true is returned; running f->steps from the start
 * shows it.  With f NULL that is not looked for.  Each finding is told once in an
 * execution, however often it is judged.  A trace that cannot be judged (no memory, far
 * too long) is a violation "error": silence would look like a verdict.
 */
bool trace_judge(struct world *w, struct trace_finding *f);
void trace_finding_release(struct trace_finding *f);

#endif
