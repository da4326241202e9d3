/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code that is not ours and may be wrong: that of an image (ktree/).  Where it crashes, or
 * runs for seconds without a step, its task is ended with a violation and the world goes on.
 */
#ifndef SRCUSH_ENGINE_GUEST_H
#define SRCUSH_ENGINE_GUEST_H

#include <stdbool.h>
#include <stddef.h>

struct site;

struct guest {
	const void *text, *text_end;
	/* the place nearest to pc, at or before it; NULL: nobody knows.  May be NULL. */
	const struct site *(*near_pc)(const void *pc);
	/* It has crashed, with this to say ("crashed in f() (x.c:12): ...").  Returns, unless
	 * it runs where there is a better end to that than its task's: outside of tasks there
	 * must be one.  May be NULL. */
	void (*crashed)(const char *what);
	struct guest *next;	/* ours */
};

/* From now on and for ever: *g stays. */
void guest_add(struct guest *g);

/* Reads a byte at p on behalf of a guest that gave its address, for the access at `s`: a
 * crash is the guest's.  For addresses that are no simulated memory. */
void guest_touch(const void *p, const struct site *s);

/* Processes that were forked watch for endless loops on their own. */
void guest_watch(void);

/* guard.c: a signal has come.  True: the guest's own, and it has been seen to. */
bool guest_fault(int sig, void *siginfo, void *ucontext);

#endif
