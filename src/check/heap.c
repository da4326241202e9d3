/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The heap's rules: nobody touches what has been freed, and kfree() gets the
 * start of a live object that kmalloc() made.  Freed memory is marked in a
 * bitmap, because every step asks; the arena never gives it out again, so a
 * mark lasts as long as the execution.
 */
#include <config.h>

#include <inttypes.h>
#include <stdlib.h>

#include "check/internal.h"

bool heap_is_freed(struct check *c, const void *loc)
{
	uint32_t at = arena_offset(c->w, loc);
	const uint64_t *chunk;
	uint32_t bit = at % HEAP_CHUNK / HEAP_GRANULE;

	if (at == LOC_NONE)
		return false;
	chunk = c->heap.chunks[at / HEAP_CHUNK];
	return chunk && (chunk[bit / 64] >> (bit % 64) & 1);
}

bool check_freed(struct world *w, const void *loc)
{
	struct check *c = check_of(w);

	return c && c->heap.nfreed && heap_is_freed(c, loc);
}

/* The word and bit of a granule; NULL: the chunk could not be made. */
static uint64_t *granule(struct heap *h, uint32_t at, uint64_t *bit)
{
	uint64_t **chunk = &h->chunks[at / HEAP_CHUNK];
	uint32_t n = at % HEAP_CHUNK / HEAP_GRANULE;

	if (!*chunk)
		*chunk = calloc(HEAP_CHUNK / HEAP_GRANULE / 64, sizeof(**chunk));
	*bit = 1ull << (n % 64);
	return *chunk ? &(*chunk)[n / 64] : NULL;
}

static void mark_freed(struct check *c, const struct object *o)
{
	struct heap *h = &c->heap;
	uint32_t at = arena_offset(c->w, o->base);
	uint64_t *word, bit;

	if (!check_grow(c, (void **)&h->freed, &h->cap, h->nfreed + 1, sizeof(*h->freed)))
		return;
	h->freed[h->nfreed++] = (struct freed){ at, (uint32_t)o->size };
	for (uint32_t i = 0; i < o->size; i += HEAP_GRANULE) {
		word = granule(h, at + i, &bit);
		if (word)
			*word |= bit;
		else
			world_fail(c->w, "out of memory");
	}
}

void heap_forget(struct check *c)
{
	struct heap *h = &c->heap;
	uint64_t *word, bit;

	while (h->nfreed) {
		struct freed f = h->freed[--h->nfreed];

		for (uint32_t i = 0; i < f.size; i += HEAP_GRANULE) {
			word = granule(h, f.at + i, &bit);
			if (word)
				*word = 0;
		}
	}
}

void heap_release(struct check *c)
{
	for (size_t i = 0; i < HEAP_CHUNKS; i++)
		free(c->heap.chunks[i]);
	free(c->heap.freed);
}

/* What t did to a location, in a word. */
static const char *access_verb(const struct event *ev)
{
	switch (ev->op) {
	case OP_LOAD:
	case OP_PLAIN_LOAD:
	case OP_COND:
		return "read";
	case OP_STORE:
	case OP_PLAIN_STORE:
		return "wrote";
	case OP_LOCK:
	case OP_TRYLOCK:
	case OP_LOCK_READ:
	case OP_LOCK_QUEUE:
		return "locked";
	case OP_UNLOCK:
	case OP_UNLOCK_READ:
		return "unlocked";
	case OP_WAIT:
		return "waited for";
	default:
		return "updated";
	}
}

/* ", but X had freed Y at step 17" */
static void add_freed(struct msg *m, struct check *c, struct task *t, const struct object *o)
{
	struct task *by = task_by_id(c->w, o->freed_by);
	const char *who = !by ? "somebody" : by == t ? "it" : task_name(by);

	msg_addf(m, ", but %s had%s freed %s at step %" PRIu64, who,
		 by == t ? " itself" : "", o->name, o->freed_at);
}

/* Which section of t's the freed object was, or was not, protected by. */
static void add_section(struct msg *m, const struct task *t, const struct object *o,
			const struct section *s)
{
	if (s && s->since < o->freed_at) {
		msg_addf(m, " At that time %s was inside ", task_name(t));
		msg_section(m, s);
		msg_addf(m, ": whoever frees what a reader can still see has to wait for a "
			 "grace period first, after no pointer leads there any more.");
	} else if (s) {
		msg_addf(m, " %s has been inside ", task_name(t));
		msg_section(m, s);
		msg_addf(m, ", which began only after that: a pointer to the freed object "
			 "was still to be found, or was kept from an earlier section.");
	}
}

bool heap_access(struct check *c, struct task *t, const struct event *ev)
{
	struct object *o = object_at(c->w, ev->loc);
	const struct section *s = section_own(c, t, NULL, false);
	char name[96];
	struct msg m;

	if (!o)
		return true;
	msg_begin(&m);
	if (!location_name(c->w, ev->loc, name, sizeof(name), NULL))
		snprintf(name, sizeof(name), "%s", o->name);
	msg_addf(&m, "%s %s %s", task_name(t), access_verb(ev), name);
	msg_site(&m, ev->site);
	msg_at_step(&m, c->w);
	add_freed(&m, c, t, o);
	msg_addf(&m, ".");
	add_section(&m, t, o, s);
	msg_end(&m, c->w, "use-after-free", t, task_by_id(c->w, o->freed_by));
	return false;
}

bool heap_plain(struct check *c, struct task *t, const struct plain_access *a)
{
	const void *loc = arena_addr(c->w, a->loc);
	struct object *o = heap_is_freed(c, loc) || heap_is_freed(c, (const char *)loc + a->size - 1) ?
			   object_at(c->w, loc) : NULL;
	char name[96];
	struct msg m;

	if (!o)
		return true;
	msg_begin(&m);
	if (!location_name(c->w, loc, name, sizeof(name), NULL))
		snprintf(name, sizeof(name), "%s", o->name);
	msg_addf(&m, "%s plainly %s %s", task_name(t), a->write ? "wrote" : "read", name);
	msg_plain_site(&m, plain_site_of ? plain_site_of(a->pc) : NULL);
	msg_addf(&m, " ");
	msg_after_step(&m, c->w);
	add_freed(&m, c, t, o);
	msg_addf(&m, ".");
	add_section(&m, t, o, section_own(c, t, NULL, false));
	msg_end(&m, c->w, "use-after-free", t, task_by_id(c->w, o->freed_by));
	return false;
}

static bool double_free(struct check *c, struct task *t, const struct event *ev,
			const struct object *o)
{
	struct msg m;

	msg_begin(&m);
	msg_addf(&m, "%s freed %s", task_name(t), o->name);
	msg_site(&m, ev->site);
	msg_at_step(&m, c->w);
	add_freed(&m, c, t, o);
	msg_addf(&m, " already.");
	msg_end(&m, c->w, "double-free", t, task_by_id(c->w, o->freed_by));
	return false;
}

static bool invalid_free(struct check *c, struct task *t, const struct event *ev,
			 const struct object *o)
{
	char name[96];
	struct msg m;

	msg_begin(&m);
	if (!location_name(c->w, ev->loc, name, sizeof(name), NULL))
		snprintf(name, sizeof(name), "something");
	msg_addf(&m, "%s freed %s", task_name(t), o && ev->loc == o->base ? o->name : name);
	msg_site(&m, ev->site);
	msg_at_step(&m, c->w);
	if (!o)
		msg_addf(&m, ": that is no object at all.");
	else if (!o->heap)
		msg_addf(&m, ": that is a %s, and nothing that kmalloc() made.", o->type->kind);
	else if (o->is_static)
		msg_addf(&m, ": that is static, and never freed.");
	else
		msg_addf(&m, ": that lies inside %s, and only the pointer that kmalloc() "
			 "returned may be freed.", o->name);
	msg_end(&m, c->w, "invalid-free", t, NULL);
	return false;
}

/* The engine marks the object as freed when this says that it may. */
bool heap_free(struct check *c, struct task *t, const struct event *ev)
{
	struct object *o;

	if (!ev->loc)
		return true;
	o = object_at(c->w, ev->loc);
	if (!o || !o->heap || o->is_static || ev->loc != o->base)
		return invalid_free(c, t, ev, o);
	if (o->state == OBJECT_FREED)
		return double_free(c, t, ev, o);
	mark_freed(c, o);
	return true;
}
