/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared locations of stress runs: see cell.h.  A fully ordered operation has a fence on
 * either side, as C11's sequentially consistent one orders less than the kernel's.
 */
#include <config.h>

#include "stress/cell.h"

/* ThreadSanitizer understands no fences; a locked operation on a location that all share
 * is one that it does. */
#ifdef __SANITIZE_THREAD__
static stress_cell all;
#define fence(order) ((void)atomic_fetch_add(&all, 0))
#else
#define fence(order) atomic_thread_fence(order)
#endif

void stress_fence(enum stress_fence f)
{
	switch (f) {
	case STRESS_MB:
		fence(memory_order_seq_cst);
		break;
	case STRESS_RMB:
		fence(memory_order_acquire);
		break;
	case STRESS_WMB:
		fence(memory_order_release);
		break;
	}
}

uint64_t stress_load(stress_cell *c, enum stress_order o)
{
	return o == STRESS_ACQUIRE ? atomic_load_explicit(c, memory_order_acquire) :
				     atomic_load_explicit(c, memory_order_relaxed);
}

void stress_store(stress_cell *c, uint64_t v, enum stress_order o)
{
	if (o == STRESS_RELEASE)
		atomic_store_explicit(c, v, memory_order_release);
	else
		atomic_store_explicit(c, v, memory_order_relaxed);
}

static uint64_t rmw(stress_cell *c, enum stress_op op, uint64_t v, memory_order mo)
{
	switch (op) {
	case CELL_ADD:
		return atomic_fetch_add_explicit(c, v, mo);
	case CELL_AND:
		return atomic_fetch_and_explicit(c, v, mo);
	case CELL_OR:
		return atomic_fetch_or_explicit(c, v, mo);
	case CELL_XOR:
		return atomic_fetch_xor_explicit(c, v, mo);
	case CELL_XCHG:
		break;
	}
	return atomic_exchange_explicit(c, v, mo);
}

static memory_order c11_order(enum stress_order o)
{
	return o == STRESS_ACQUIRE ? memory_order_acquire :
	       o == STRESS_RELEASE ? memory_order_release : memory_order_relaxed;
}

uint64_t stress_rmw(stress_cell *c, enum stress_op op, uint64_t v, enum stress_order o)
{
	uint64_t old;

	if (o != STRESS_FULL)
		return rmw(c, op, v, c11_order(o));
	stress_fence(STRESS_MB);
	old = rmw(c, op, v, memory_order_relaxed);
	stress_fence(STRESS_MB);
	return old;
}

/* One that fails orders nothing, as in the kernel. */
uint64_t stress_cmpxchg(stress_cell *c, uint64_t old, uint64_t new, enum stress_order o)
{
	bool full = o == STRESS_FULL;

	if (full)
		stress_fence(STRESS_MB);
	atomic_compare_exchange_strong_explicit(c, &old, new, full ? memory_order_seq_cst : c11_order(o),
						memory_order_relaxed);
	if (full)
		stress_fence(STRESS_MB);
	return old;
}
