/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows and columns that several benchmarks have.
 */
#ifndef SRCUSH_BENCH_SETS_H
#define SRCUSH_BENCH_SETS_H

#include "bench/bench.h"
#include "bench/peer.h"

/* The peers that `has` says yes to; NULL: all. */
size_t set_rows(struct bench_row *rows, bool (*has)(const struct peer *p));
/* first, and powers of two above it up to last. */
size_t set_columns(unsigned *columns, unsigned first, unsigned last);

extern const struct bench bench_read, bench_gp, bench_callers, bench_call, bench_kvm;

#endif
