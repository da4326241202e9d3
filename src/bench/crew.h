/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The threads of benchmarks: made once, asleep between jobs, so that none of their time is
 * spent on making them, and what they have in a library stays as warm as in a program.
 */
#ifndef SRCUSH_BENCH_CREW_H
#define SRCUSH_BENCH_CREW_H

#include <stdbool.h>

#define CREW_MAX 10

/* CPUs that this process may run on. */
unsigned crew_cpus(void);

/*
 * Runs job(arg, i) in threads 0 to n-1 and waits for them.  `pinned`: thread i stays on the
 * i-th CPU.  False: a thread could not be made; the message has been printed.
 */
bool crew_run(unsigned n, bool pinned, void (*job)(void *arg, unsigned i), void *arg);
/* Ends the threads. */
void crew_release(void);

/* Where threads of a job wait for one another; all zero at first, and again after it. */
struct crew_meeting {
	unsigned long came, times;
};
/* Returns in each of n threads once all are there. */
void crew_meet(struct crew_meeting *m, unsigned n);

double crew_now_ns(void);
void crew_sleep_ns(double ns);

#endif
