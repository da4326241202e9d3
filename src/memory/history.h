/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was ever stored, for memory models in which a load need not return the latest
 * store and a store need not be the latest: of each location the stores so far, in
 * coherence order.  A choice names one of them, counted from the newest, 1.
 */
#ifndef SRCUSH_MEMORY_HISTORY_H
#define SRCUSH_MEMORY_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mem_store {
	uint64_t value;
	uint32_t step;		/* that made it; 0: it was there before */
	bool behind;		/* part of a read-modify-write: nothing comes before it */
	bool promise;		/* not made yet: memory itself does not have it */
};
struct mem_location {
	const void *loc;	/* NULL: a free slot */
	struct mem_store *v;	/* in coherence order */
	size_t n, cap;
};
struct history {
	struct mem_location *v;	/* open addressing */
	size_t n, cap;
};

struct history *history_new(void);	/* NULL: no memory */
void history_free(struct history *h);
void history_clear(struct history *h);	/* an execution begins */
/* The stores of a location; where it is met for the first time, the one that it holds now
 * is all.  NULL: no memory. */
struct mem_location *history_at(struct history *h, const void *loc, uint64_t now);
/* Puts a store behind the `place` oldest.  False: no memory. */
bool history_put(struct mem_location *l, size_t place, struct mem_store s);

#endif
