/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Torture: libsrcu under load, with all that it offers used at once and checked, after
 * the idea of the kernel's rcutorture.  This is what the command `srcush torture` and the
 * programs that link a broken libsrcu see of it.
 */
#ifndef SRCUSH_TORTURE_H
#define SRCUSH_TORTURE_H

#include <stdbool.h>
#include <stdint.h>

enum { TORTURE_NORMAL = 1, TORTURE_FAST = 2 };	/* kinds of domains */

struct torture_opts {
	double seconds;			/* how long */
	double stat_interval;		/* between statistics; 0: only at the end */
	double stall;			/* a wait that takes longer is looked into */
	uint64_t seed;
	unsigned kinds;			/* TORTURE_NORMAL | TORTURE_FAST */
	unsigned readers, writers, fakewriters;	/* threads in each domain */
	bool json, quiet;
};

#define TORTURE_DEFAULTS { \
	.seconds = 10, .stat_interval = 2, .stall = 10, \
	.kinds = TORTURE_NORMAL | TORTURE_FAST, .readers = 2, .writers = 2, .fakewriters = 2, \
}
#define TORTURE_THREADS_MAX 1024	/* of each of the three */

/*
 * Does it, with results on stdout and an error on stderr.  Returns an exit status
 * (repl/status.h): 0, 1 (no memory, no thread), 3 (a failure) or 130 (torture_interrupt()).
 * After a failure threads may be left behind that never end; the process should.
 */
int torture_run(const struct torture_opts *o);

/* Ends the run soon.  May be called in a signal handler. */
void torture_interrupt(void);

/* `srcush torture ARG...`; the exit status. */
int torture_command(int argc, char **argv);

#endif
