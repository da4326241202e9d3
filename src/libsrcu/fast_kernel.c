/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fast readers have of the kernel: membarrier(2) and rseq(2), asked for at run
 * time.  What is missing, or refused by a seccomp filter, is done without.
 */
#include <config.h>

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libsrcu/fast.h"

#ifndef MEMBARRIER_CMD_FLAG_CPU	/* headers before Linux 5.10 */
#define MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ (1 << 7)
#define MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ (1 << 8)
#endif

static int mode;	/* enum srcu_fast_mode */
static int mode_limit;	/* no better than that: for tests */

/* --- rseq --- */

/* From glibc 2.35 on each thread is registered when it starts, with an area at this
 * distance from its thread pointer; 0 bytes of it: this was turned off. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

/* The beginning of the area, as the kernel has it. */
struct rseq_area {
	uint32_t cpu_id_start;
	uint32_t cpu_id;	/* negative: not registered, or that failed */
	uint64_t rseq_cs;
};

uint64_t *srcu_fast_rseq_cs(void)
{
#ifdef SRCU_FAST_RSEQ
	volatile struct rseq_area *area;

	if (!&__rseq_offset || !&__rseq_size || !__rseq_size)
		return NULL;
	area = (struct rseq_area *)((char *)__builtin_thread_pointer() + __rseq_offset);
	return (int32_t)area->cpu_id < 0 ? NULL : (uint64_t *)&area->rseq_cs;
#else
	return NULL;
#endif
}

/* --- membarrier --- */

static long membarrier(int cmd)
{
	return syscall(SYS_membarrier, cmd, 0, 0);
}

/* The two kinds are registered for each on its own.  That of a parent is a child's, too. */
static bool membarrier_register(enum srcu_fast_mode m)
{
	return !membarrier(m == SRCU_FAST_BY_RSEQ ? MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ :
						    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

static bool membarrier_run(enum srcu_fast_mode m)
{
	return !membarrier(m == SRCU_FAST_BY_RSEQ ? MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ :
						    MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

void srcu_fast_barrier(void)
{
	enum srcu_fast_mode m = srcu_fast_mode();

	srcu_fast_fence();
	if (m == SRCU_FAST_BY_FENCE || membarrier_run(m))
		return;
	if (errno == EPERM && membarrier_register(m) && membarrier_run(m))
		return;
	/* Readers have been going without fences, which can be made good by nothing else. */
	fprintf(stderr, "srcu: membarrier() fails after it had been there at the first use: %s\n",
		strerror(errno));
	abort();
}

/* --- which of them --- */

/* Is it to be had?  The first barrier is tried, as a filter may refuse just that. */
static bool mode_works(enum srcu_fast_mode m)
{
	if (m == SRCU_FAST_BY_RSEQ && !srcu_fast_rseq_cs())
		return false;
	return m == SRCU_FAST_BY_FENCE || (membarrier_register(m) && membarrier_run(m));
}

static enum srcu_fast_mode mode_find(void)
{
	int saved = errno;
	int m = __atomic_load_n(&mode_limit, __ATOMIC_RELAXED);
	int none = SRCU_FAST_UNKNOWN;

	for (m = m ? m : SRCU_FAST_BY_RSEQ; !mode_works((enum srcu_fast_mode)m); m++)
		;
	/* threads whose filters differ may find differently: what one found first holds */
	if (!__atomic_compare_exchange_n(&mode, &none, m, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		m = none;
	errno = saved;
	return (enum srcu_fast_mode)m;
}

enum srcu_fast_mode srcu_fast_mode(void)
{
	int m = __atomic_load_n(&mode, __ATOMIC_RELAXED);

	return m ? (enum srcu_fast_mode)m : mode_find();
}

const char *srcu_fast_mode_name(enum srcu_fast_mode m)
{
	static const char *const names[] = { "unknown", "rseq", "membarrier", "fence" };

	return (size_t)m < sizeof(names) / sizeof(names[0]) ? names[m] : names[0];
}

bool srcu_fast_limit(enum srcu_fast_mode m)
{
	if (__atomic_load_n(&mode, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&mode_limit, m, __ATOMIC_RELAXED);
	return srcu_fast_mode() == m;
}
