/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the models share.
 */
#ifndef SRCUSH_MEMORY_INTERNAL_H
#define SRCUSH_MEMORY_INTERNAL_H

#include "memory/consistency.h"
#include "memory/relation.h"

/* n empty relations over the events of m.  False: no memory. */
bool mm_begin(struct mm *m, struct rels *s, struct rel *v, size_t n);
/* Adds coherence order and from-reads. */
void mm_communicate(const struct mm *m, const struct rels *s, struct rel co, struct rel fr);
/* Adds the order between the making of tasks and the tasks. */
void mm_made(const struct mm *m, const struct rels *s, struct rel r);
bool mm_acyclic(struct mm *m, const struct rels *s, struct rel r);

static inline bool mm_ext(const struct mm *m, size_t i, size_t j)
{
	return m->ev[i].task != m->ev[j].task;
}

#endif
