/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many executions are still to come?  Sub-trees of the search that are over say how
 * large one is that begins as deep down (the same idea as Knuth's: Estimating the
 * efficiency of backtrack programs, Math. Comp. 1975); what waits is added up.
 */
#ifndef SRCUSH_EXPLORE_ESTIMATE_H
#define SRCUSH_EXPLORE_ESTIMATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ESTIMATE_LEVELS 256	/* deeper ones are taken as one */

/* Sub-trees that begin at one level. */
struct estimate_level { double n, mean, squares; };

/* A graph that was taken from the stack, and whose sub-tree is not over. */
struct estimate_open {
	size_t at;		/* its children are on the stack from here on */
	uint64_t before;	/* executions when it was taken */
	uint16_t level;
	bool partial;		/* some of it was given away */
};

struct estimate {
	struct estimate_level level[ESTIMATE_LEVELS];
	struct estimate_open *open;
	size_t nopen, cap;
	uint16_t *base;		/* levels of the lowest graphs on the stack, which came from elsewhere */
	size_t nbase, base_cap;
};

/* The newest of n graphs is taken; so many executions have been made.  False: no memory. */
bool estimate_take(struct estimate *e, size_t n, uint64_t executions);
/* How many more, with n graphs on the stack: from *low to *high; -1 if nothing can be said. */
void estimate_rest(const struct estimate *e, size_t n, uint64_t executions, double *low, double *high);
/* How deep down the graph at that place of the stack begins. */
uint16_t estimate_level(const struct estimate *e, size_t at);
/* The k oldest graphs are given away. */
void estimate_give(struct estimate *e, size_t k);
/* All begins anew; and, with levels: so many graphs are there now. */
void estimate_clear(struct estimate *e);
bool estimate_begin(struct estimate *e, const uint16_t *levels, size_t n);
void estimate_release(struct estimate *e);

#endif
