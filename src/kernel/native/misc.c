/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small things of the native primitives: clocks, the CPU's number, warnings.
 */
#include <config.h>

#include <sched.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <srcu/srcu.h>

#include "k/access.h"
#include "k/mem.h"
#include "k/work.h"
#include "pause.h"

unsigned raw_cpu(void)
{
#ifdef SRCU_HAVE_RSEQ_CPU
	return srcu_cpu_(~0u);
#else
	int cpu = sched_getcpu();

	return cpu < 0 ? 0 : (unsigned)cpu;
#endif
}

u64 ktime_get_mono_fast_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

unsigned long k_jiffies(void)
{
	return (unsigned long)(ktime_get_mono_fast_ns() / NSEC_PER_JIFFY);
}

void udelay(unsigned us)
{
	for (unsigned i = 0; i < 2 * us; i++)
		k_pause();
}

/* One write(): nothing of stdio's, which the program may be in the middle of. */
void k_warn(bool *said, const char *text, const char *file, int line)
{
	char msg[512];
	int n;

	if (__atomic_exchange_n(said, true, __ATOMIC_RELAXED))
		return;
	n = snprintf(msg, sizeof(msg), "libsrcu: %s at %s:%d\n", text, file, line);
	if (n > 0 && write(STDERR_FILENO, msg, (size_t)n < sizeof(msg) ? (size_t)n : sizeof(msg) - 1) < 0)
		return;
}
