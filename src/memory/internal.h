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
/* What mm_place() was told, where m->is_placed. */
static inline struct rel mm_placed(const struct mm *m)
{
	return (struct rel){ m->placed };
}

/*
 * By event, MM_NONE where there is none: the one before it in program order; the one before
 * it that touches its location, too; the write directly behind what it sees.  Made by
 * mm_index(), for one question.  False: no memory.
 */
struct mm_places {
	const uint16_t *po, *same, *behind;
	uint16_t *state;	/* by task: room for three numbers, MM_NONE at first */
	size_t ntasks;
};
bool mm_index(struct mm *m, struct mm_places *p);
bool mm_is_coherent(const struct mm *m, const struct mm_places *p);
bool mm_is_sc(struct mm *m, const struct mm_places *p);
/* As if each task had a CPU of its own, but for what was placed. */
bool mm_is_tso(struct mm *m, const struct mm_places *p);
/* m->said as mm_tso_newest() has it, as if each task had a CPU of its own: what is not MM_NO is
 * MM_ASK.  *allowed: all without the last event is an execution; NULL: it is. */
bool mm_tso_before(struct mm *m, const struct mm_places *p, bool *allowed);
bool mm_sc_before(struct mm *m, const struct mm_places *p, bool *allowed); /* the same of sc */
/* Does the kernel's model forbid it for a reason that is quick to see?  lkmm_quick.c */
bool mm_is_no_lkmm(struct mm *m, const struct mm_places *p);

/* A list of edges, where there are few of them. */
struct mm_edges {
	uint16_t *first, *in, *queue;	/* by event */
	uint16_t *to, *next;		/* by edge */
	size_t n;
	bool backwards;		/* they are kept the other way round */
};
/* So many nodes, and room for `most` edges.  False: no memory. */
bool mm_edges_begin(struct mm *m, struct mm_edges *e, size_t nodes, size_t most);
bool mm_edges_acyclic(struct mm_edges *e, size_t nodes);
/* m->said of each node (at most three for an event): MM_NO if there is a way to it, else MM_ASK.  Before the other one, which
 * uses up what is known of the nodes.  False: no memory. */
bool mm_edges_reach(struct mm *m, struct mm_edges *e, size_t nodes, size_t from);
static inline void mm_edge(struct mm_edges *e, size_t from, size_t to)
{
	if (e->backwards) {
		size_t other = to;

		to = from;
		from = other;
	}
	e->to[e->n] = (uint16_t)to;
	e->next[e->n] = e->first[from];
	e->first[from] = (uint16_t)e->n++;
	e->in[to]++;
}

/* What was placed; and how many edges that can be. */
void mm_placed_edges(const struct mm *m, const struct mm_places *p, struct mm_edges *e);
size_t mm_placed_most(const struct mm *m, const struct mm_places *p);

static inline bool mm_ext(const struct mm *m, size_t i, size_t j)
{
	return m->ev[i].task != m->ev[j].task;
}

#endif
