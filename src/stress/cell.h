/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A shared location of a stress run: 64 bits, and what kernel code does to them, with the
 * orders of C11 that the kernel's come closest to.
 */
#ifndef SRCUSH_STRESS_CELL_H
#define SRCUSH_STRESS_CELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef _Atomic uint64_t stress_cell;

enum stress_op { CELL_ADD, CELL_AND, CELL_OR, CELL_XOR, CELL_XCHG };
enum stress_order { STRESS_ONCE, STRESS_ACQUIRE, STRESS_RELEASE, STRESS_FULL };
enum stress_fence { STRESS_MB, STRESS_RMB, STRESS_WMB };

uint64_t stress_load(stress_cell *c, enum stress_order o);
void stress_store(stress_cell *c, uint64_t v, enum stress_order o);
/* What it held before. */
uint64_t stress_rmw(stress_cell *c, enum stress_op op, uint64_t v, enum stress_order o);
uint64_t stress_cmpxchg(stress_cell *c, uint64_t old, uint64_t new, enum stress_order o);
void stress_fence(enum stress_fence f);

#endif
