/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each step gets a number made of its task's step before it, of the last write of its
 * location, and, where it writes itself, of the reads since then, whose order does not
 * matter: they are summed.  The last numbers of the tasks then stand for the trace.
 */
#include <config.h>

#include "explore/trace-hash.h"

#include "engine/internal.h"

#include <stdlib.h>

struct hash_loc { const void *loc; uint64_t write, reads; };
struct hash_task { uint32_t id; uint64_t last; };

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t x = a ^ (b * 0xff51afd7ed558ccdu + 0x9e3779b97f4a7c15u);

	return world_random(&x);
}

void trace_hash_begin(struct trace_hash *h)
{
	h->nlocs = h->ntasks = 0;
}

static struct hash_task *task_of(struct trace_hash *h, uint32_t id)
{
	for (size_t i = 0; i < h->ntasks; i++)
		if (h->tasks[i].id == id)
			return &h->tasks[i];
	if (!grow(&h->tasks, &h->tasks_cap, h->ntasks + 1, sizeof(*h->tasks)))
		return NULL;
	h->tasks[h->ntasks] = (struct hash_task){ .id = id, .last = mix(id, 1) };
	return &h->tasks[h->ntasks++];
}

static struct hash_loc *loc_of(struct trace_hash *h, const void *loc)
{
	for (size_t i = 0; i < h->nlocs; i++)
		if (h->locs[i].loc == loc)
			return &h->locs[i];
	if (!grow(&h->locs, &h->locs_cap, h->nlocs + 1, sizeof(*h->locs)))
		return NULL;
	h->locs[h->nlocs] = (struct hash_loc){ .loc = loc };
	return &h->locs[h->nlocs++];
}

void trace_hash_before(struct trace_hash *h, const struct task *t, unsigned choice)
{
	h->ev = t->ev;
	h->task = task_id(t);
	h->choice = choice;
	h->before = t->ev.loc && t->ev.size ? mem_read(t->ev.loc, t->ev.size) : 0;
}

static bool wrote(const struct trace_hash *h)
{
	switch (h->ev.op) {
	case OP_ADD: case OP_CPU_ADD: case OP_AND: case OP_OR: case OP_XOR: case OP_XCHG:
	case OP_CMPXCHG:
	case OP_MIN_ARM: case OP_MAX: case OP_TRYLOCK:
		return mem_read(h->ev.loc, h->ev.size) != h->before;
	default:
		return op_writes((enum ev_op)h->ev.op);
	}
}

bool trace_hash_after(struct trace_hash *h)
{
	enum ev_op op = (enum ev_op)h->ev.op;
	struct hash_task *own = task_of(h, h->task);
	struct hash_loc *l;
	uint64_t v;

	if (!own)
		return false;
	v = mix(own->last, ((uint64_t)op << 32) + h->choice);
	if (h->ev.loc && (op_reads(op) || op_writes(op))) {
		l = loc_of(h, h->ev.loc);
		if (!l)
			return false;
		v = mix(v, l->write);
		if (wrote(h)) {
			v = mix(v, l->reads);
			l->write = v;
			l->reads = 0;
		} else {
			l->reads += v;
		}
	}
	own->last = v;
	return true;
}

uint64_t trace_hash_end(const struct trace_hash *h)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < h->ntasks; i++)
		sum += mix(h->tasks[i].last, h->tasks[i].id);
	return sum;
}

void trace_hash_release(struct trace_hash *h)
{
	free(h->locs);
	free(h->tasks);
}

/* --- sets --- */

static void insert(struct trace_set *s, uint64_t v)
{
	size_t i = v & (s->nslots - 1);

	while (s->slots[i] && s->slots[i] != v)
		i = (i + 1) & (s->nslots - 1);
	s->n += !s->slots[i];
	s->slots[i] = v;
}

bool trace_set_add(struct trace_set *s, uint64_t v)
{
	struct trace_set more = { 0 };

	if (s->n * 2 >= s->nslots) {
		more.nslots = s->nslots ? s->nslots * 2 : 256;
		more.slots = calloc(more.nslots, sizeof(*more.slots));
		if (!more.slots)
			return false;
		for (size_t i = 0; i < s->nslots; i++)
			if (s->slots[i])
				insert(&more, s->slots[i]);
		free(s->slots);
		*s = more;
	}
	insert(s, v ? v : 1);
	return true;
}

void trace_set_release(struct trace_set *s)
{
	free(s->slots);
}
