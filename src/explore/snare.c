/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * On which CPUs may somebody be stuck for good, so that those below him never move
 * again?  Where a task waits while it keeps its CPU, and where an interrupt or a timer
 * may wait for a spinlock whose owner it has struck, perhaps by way of other owners.
 * In a graph alone that cannot be seen: there the owner goes on and releases it.
 */
#include <config.h>

#include "explore/dpor.h"

#include <stdlib.h>

/* A lock, taken or wanted on a CPU. */
struct lock_use {
	uint32_t loc;
	uint16_t cpu;
	uint8_t low;	/* the least that a task owned of the CPU when it had taken it; UINT8_MAX: none */
	uint8_t high;	/* the level of the highest that waits for it; 0: none */
};
/* One that is wanted by a task that has another. */
struct lock_nest { uint32_t held, wanted; };

struct snare {
	struct lock_use *uses;
	size_t nuses, uses_cap;
	struct lock_nest *nests;
	size_t nnests, nests_cap;
};

bool snare_learn(struct dpor *d, uint32_t cpu, uint8_t level)
{
	if (d->stuck[cpu] >= level)
		return false;
	d->stuck[cpu] = level;
	d->anew = true;
	return true;
}

static struct lock_use *use_of(struct snare *s, uint32_t loc, uint16_t cpu)
{
	for (size_t i = 0; i < s->nuses; i++)
		if (s->uses[i].loc == loc && s->uses[i].cpu == cpu)
			return &s->uses[i];
	if (!grow(&s->uses, &s->uses_cap, s->nuses + 1, sizeof(*s->uses)))
		return NULL;
	s->uses[s->nuses] = (struct lock_use){ .loc = loc, .cpu = cpu, .low = UINT8_MAX };
	return &s->uses[s->nuses++];
}

/* May the owner of `from` have to wait for that of `to`?  They are few; `depth` ends rings. */
static bool leads(const struct snare *s, uint32_t from, uint32_t to, size_t depth)
{
	if (from == to)
		return true;
	for (size_t i = 0; depth && i < s->nnests; i++)
		if (s->nests[i].held == from && leads(s, s->nests[i].wanted, to, depth - 1))
			return true;
	return false;
}

#define CHAIN_MAX 8	/* locks from the one waited for to the one held below */

static void learn_from_locks(struct dpor *d, const struct snare *s)
{
	for (size_t i = 0; i < s->nuses; i++)
		for (size_t j = 0; s->uses[i].high && j < s->nuses; j++)
			if (s->uses[j].cpu == s->uses[i].cpu && s->uses[j].low < s->uses[i].high &&
			    leads(s, s->uses[i].loc, s->uses[j].loc, CHAIN_MAX))
				snare_learn(d, s->uses[i].cpu, s->uses[i].high);
}

/* NULL: no memory. */
static struct snare *snare_of(struct dpor *d)
{
	if (!d->snare)
		d->snare = calloc(1, sizeof(*d->snare));
	return d->snare;
}

/* v: location, CPU, low, high. */
static bool put_use(struct dpor *d, const uint32_t v[4])
{
	struct snare *s = snare_of(d);
	struct lock_use *use = s ? use_of(s, v[0], (uint16_t)v[1]) : NULL;

	if (!use)
		return visit_oom(d);
	use->low = use->low < v[2] ? use->low : (uint8_t)v[2];
	use->high = use->high > v[3] ? use->high : (uint8_t)v[3];
	learn_from_locks(d, s);
	return true;
}

static bool put_nest(struct dpor *d, const uint32_t v[2])
{
	struct snare *s = snare_of(d);

	if (!s || !grow(&s->nests, &s->nests_cap, s->nnests + 1, sizeof(*s->nests)))
		return visit_oom(d);
	s->nests[s->nnests++] = (struct lock_nest){ v[0], v[1] };
	learn_from_locks(d, s);
	return true;
}

bool snare_put(struct dpor *d, const struct agree_record *r)
{
	return r->kind == AGREE_USE ? put_use(d, r->v) : put_nest(d, r->v);
}

/* What one process has seen of a lock and another one of the next is to be put together:
 * they tell each other. */
static bool note_use(struct dpor *d, uint32_t loc, uint16_t cpu, uint8_t low, uint8_t high)
{
	uint32_t v[4] = { loc, cpu, low, high };
	struct snare *s = snare_of(d);
	const struct lock_use *use = s ? use_of(s, loc, cpu) : NULL;

	if (!use)
		return visit_oom(d);
	if (use->low <= low && use->high >= high)
		return true;
	if (!places_ask(d))
		return false;
	return places_told(d, put_use(d, v) && places_tell(d, AGREE_USE, v, sizeof(v)));
}

static bool note_nest(struct dpor *d, uint32_t held, uint32_t wanted)
{
	uint32_t v[2] = { held, wanted };
	const struct snare *s = d->snare;

	for (size_t i = 0; s && i < s->nnests; i++)
		if (s->nests[i].held == held && s->nests[i].wanted == wanted)
			return true;
	if (!places_ask(d))
		return false;
	return places_told(d, put_nest(d, v) && places_tell(d, AGREE_NEST, v, sizeof(v)));
}

/* What the task took before is nested as far as it was under a spinlock all the time:
 * that it took it at all is near enough. */
static bool note_nests(struct dpor *d, unsigned slot, uint32_t i, uint32_t wanted)
{
	for (uint32_t j = 0; j < i; j++) {
		const struct gevent *e = &d->g.ev[j];

		if (e->task == slot && g_steps(e) && (e->op == OP_LOCK || e->op == OP_TRYLOCK) &&
		    d->info[j].loc != LOC_NONE && d->info[j].loc != wanted &&
		    !note_nest(d, d->info[j].loc, wanted))
			return false;
	}
	return true;
}

bool snare_wants(struct dpor *d, unsigned slot, uint32_t i)
{
	const struct task *t = d->slots[slot].t;
	bool strikes = t->kind == TASK_IRQ || t->kind == TASK_TIMER;
	uint8_t level = strikes ? level_of(&d->slots[slot]) : 0;
	uint32_t loc = arena_offset(d->w, t->ev.loc);

	if (!level && !t->ctx.spin)
		return true;
	if (!note_use(d, loc, (uint16_t)t->cpu, UINT8_MAX, level) ||
	    (t->ctx.spin && !note_nests(d, slot, i, loc)))
		return false;
	return !d->anew;
}

bool snare_has(struct dpor *d, const struct gevent *e, uint32_t i)
{
	if (!e->own || e->own > 2)
		return true;
	return note_use(d, d->info[i].loc, e->cpu, e->own, 0) && !d->anew;
}

/* An owner of a spinlock keeps his CPU himself: that is looked at above.  Whatever else is
 * waited for may be up to somebody below. */
bool snare_waits(struct dpor *d, const struct task *t)
{
	switch (t->ev.op) {
	case OP_LOCK:
		if (t->ev.site->flags & SITE_SPIN)
			return true;
		break;
	case OP_LOCK_READ: case OP_WAIT: case OP_WQ_WAIT: case OP_COND:
		break;
	default:
		return true;
	}
	return !keeps_cpu(t) || !snare_learn(d, t->cpu, owns_cpu(t));
}

void snare_release(struct dpor *d)
{
	if (!d->snare)
		return;
	free(d->snare->uses);
	free(d->snare->nests);
	free(d->snare);
	d->snare = NULL;
}
