/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who might move.  A world has thousands of workers, timers and sleeping threads of
 * which a handful is awake; a policy that asked each of them at each step would
 * spend its time there.  A task found blocked on a location that only steps change
 * is set aside until one does, and is asked no more until then.
 */
#include <config.h>

#include "engine/internal.h"

#include <stdlib.h>
#include <string.h>

#define WORD_BITS 64

static struct task **bucket_of(struct awake *a, const void *loc)
{
	uint64_t h = (uint64_t)(uintptr_t)loc * 0x9e3779b97f4a7c15u;

	return &a->buckets[(h >> 32) & (a->nbuckets - 1)];
}

bool awake_add(struct world *w, struct task *t)
{
	struct awake *a = &w->awake;
	size_t word = t->index / WORD_BITS;

	if (!grow(&a->bits, &a->cap, word + 1, sizeof(*a->bits)))
		return false;
	while (word >= a->nwords)
		a->bits[a->nwords++] = 0;
	a->bits[word] |= 1ull << (t->index % WORD_BITS);
	return true;
}

struct task *awake_next(struct world *w, size_t i)
{
	const struct awake *a = &w->awake;
	size_t word = i / WORD_BITS;
	uint64_t bits;

	if (word >= a->nwords)
		return NULL;
	bits = a->bits[word] & (~0ull << (i % WORD_BITS));
	while (!bits) {
		if (++word >= a->nwords)
			return NULL;
		bits = a->bits[word];
	}
	return w->tasks[word * WORD_BITS + (size_t)__builtin_ctzll(bits)];
}

/* More buckets than tasks set aside.  False: no memory, which costs time only. */
static bool make_room(struct awake *a)
{
	size_t n = a->nbuckets ? a->nbuckets * 2 : 64;
	struct task **old = a->buckets, **buckets, *next;

	if (a->nparked < a->nbuckets)
		return true;
	buckets = calloc(n, sizeof(*buckets));
	if (!buckets)
		return false;
	a->buckets = buckets;
	a->nbuckets = n;
	for (size_t i = 0; i < n / 2 && old; i++)
		for (struct task *t = old[i]; t; t = next) {
			struct task **b = bucket_of(a, t->ev.loc);

			next = t->park_next;
			t->park_next = *b;
			*b = t;
		}
	free(old);
	return true;
}

void awake_park(struct task *t, enum block_why why)
{
	struct awake *a = &t->w->awake;
	struct task **b;

	switch (why) {
	case BLOCK_OVER:
		break;
	case BLOCK_LOCK:
	case BLOCK_SELF:
	case BLOCK_WAIT:
	case BLOCK_IDLE_WORKER:
	case BLOCK_OFFLINE:
	case BLOCK_IDLE_TIMER:
	case BLOCK_READERS:
	case BLOCK_QUEUE:
	case BLOCK_SLEEP:
		if (!make_room(a))
			return;
		b = bucket_of(a, t->ev.loc);
		t->park_next = *b;
		*b = t;
		a->nparked++;
		break;
	default:
		return;	/* may end without a step on that location */
	}
	a->bits[t->index / WORD_BITS] &= ~(1ull << (t->index % WORD_BITS));
}

void awake_touched_slow(struct world *w, const void *loc)
{
	struct awake *a = &w->awake;
	struct task **p = bucket_of(a, loc), *t;

	while ((t = *p)) {
		if (t->ev.loc != loc) {
			p = &t->park_next;
			continue;
		}
		*p = t->park_next;
		a->nparked--;
		a->bits[t->index / WORD_BITS] |= 1ull << (t->index % WORD_BITS);
	}
}

void awake_reset(struct world *w, size_t n)
{
	struct awake *a = &w->awake;

	if (a->nparked)
		memset(a->buckets, 0, a->nbuckets * sizeof(*a->buckets));
	a->nparked = 0;
	a->nwords = (n + WORD_BITS - 1) / WORD_BITS;
	for (size_t i = 0; i < a->nwords; i++)
		a->bits[i] = ~0ull;
	if (n % WORD_BITS)
		a->bits[a->nwords - 1] = (1ull << (n % WORD_BITS)) - 1;
}

void awake_release(struct world *w)
{
	free(w->awake.bits);
	free(w->awake.buckets);
	w->awake = (struct awake){ 0 };
}
