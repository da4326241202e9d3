/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Relations between the events of an execution as matrices of bits: row i holds those
 * that i is related to.
 */
#ifndef SRCUSH_MEMORY_RELATION_H
#define SRCUSH_MEMORY_RELATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* All relations of one question have the same size. */
struct rel { uint64_t *row; };
struct rels { size_t n, words; };

static inline uint64_t *rel_row(const struct rels *s, struct rel r, size_t i)
{
	return r.row + i * s->words;
}
static inline void rel_set(const struct rels *s, struct rel r, size_t i, size_t j)
{
	rel_row(s, r, i)[j / 64] |= (uint64_t)1 << (j % 64);
}
static inline bool rel_has(const struct rels *s, struct rel r, size_t i, size_t j)
{
	return rel_row(s, r, i)[j / 64] >> (j % 64) & 1;
}
static inline void rel_join_row(const struct rels *s, uint64_t *to, const uint64_t *from)
{
	for (size_t k = 0; k < s->words; k++)
		to[k] |= from[k];
}
static inline void rel_clear(const struct rels *s, struct rel r)
{
	if (s->n)	/* else there is nothing at r.row */
		memset(r.row, 0, s->n * s->words * sizeof(uint64_t));
}
static inline void rel_copy(const struct rels *s, struct rel to, struct rel from)
{
	if (s->n)
		memcpy(to.row, from.row, s->n * s->words * sizeof(uint64_t));
}
static inline void rel_join(const struct rels *s, struct rel to, struct rel from)
{
	for (size_t k = 0; k < s->n * s->words; k++)
		to.row[k] |= from.row[k];
}
/* What follows is done for each j that i is related to; the row must not change then. */
#define rel_each(s, r, i, j)							\
	for (size_t j##_w = 0, j = 0; j##_w < (s)->words; j##_w++)		\
		for (uint64_t j##_b = rel_row(s, r, i)[j##_w];			\
		     j##_b && (j = j##_w * 64 + (size_t)__builtin_ctzll(j##_b), true); \
		     j##_b &= j##_b - 1)

/* to = a ; b.  `to` is neither. */
static inline void rel_compose(const struct rels *s, struct rel to, struct rel a, struct rel b)
{
	rel_clear(s, to);
	for (size_t i = 0; i < s->n; i++)
		rel_each(s, a, i, j)
			rel_join_row(s, rel_row(s, to, i), rel_row(s, b, j));
}

/* r becomes r+ (Warshall). */
static inline void rel_close(const struct rels *s, struct rel r)
{
	for (size_t k = 0; k < s->n; k++) {
		uint64_t *via = rel_row(s, r, k);

		for (size_t i = 0; i < s->n; i++)
			if (rel_has(s, r, i, k))
				rel_join_row(s, rel_row(s, r, i), via);
	}
}

static inline void rel_reflexive(const struct rels *s, struct rel r)
{
	for (size_t i = 0; i < s->n; i++)
		rel_set(s, r, i, i);
}

static inline bool rel_is_irreflexive(const struct rels *s, struct rel r)
{
	for (size_t i = 0; i < s->n; i++)
		if (rel_has(s, r, i, i))
			return false;
	return true;
}

#endif
