/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A world's simulated memory, and the idspace from which everything gets its
 * number and its place.  Each creator allocates from chunks of its own, whose
 * places the idspace remembers: the same thing has the same address in every
 * execution, whoever came first.  Nothing is given back before the end of the
 * execution, so that a freed object can be told from a new one.
 */
#include <config.h>

#include "engine/agree.h"
#include "engine/internal.h"
#include "engine/switch.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The first chunk of a creator is small: most tasks make little. */
#define CHUNK_FIRST 4096u
#define CHUNK_MAX (4u << 20)
#define ARENA_START 64u	/* offset 0 is nobody's */

/* --- identities --- */

struct placed { uint32_t nth, offset, size; };
struct creator {
	uint32_t *children;
	size_t nchildren, cap;
	struct placed *chunks;
	size_t nchunks, chunks_cap;
};
struct named { uint32_t id; char name[]; };

struct idspace {
	struct creator *creators;	/* by identity */
	size_t cap;
	uint32_t next;			/* the next free identity */
	uint32_t top;			/* first free byte of the arena's layout */
	void *named;			/* tsearch tree of struct named */
	struct agree *agree;		/* with other processes; NULL: there are none */
	size_t agreed;			/* read so far */
};

bool grow(void *arrayp, size_t *cap, size_t need, size_t elem)
{
	void **array = arrayp, *p;
	size_t n = *cap ? *cap : 8;

	if (need <= *cap)
		return true;
	while (n < need)
		n *= 2;
	p = realloc(*array, n * elem);
	if (!p)
		return false;
	memset((char *)p + *cap * elem, 0, (n - *cap) * elem);
	*array = p;
	*cap = n;
	return true;
}

struct idspace *idspace_new(void)
{
	struct idspace *s = calloc(1, sizeof(*s));

	if (s) {
		s->next = IDENT_WORLD + 1;
		s->top = ARENA_START;
	}
	return s;
}

void idspace_free(struct idspace *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->cap; i++) {
		free(s->creators[i].children);
		free(s->creators[i].chunks);
	}
	free(s->creators);
	tdestroy(s->named, free);
	free(s);
}

static struct creator *creator_get(struct idspace *s, uint32_t id)
{
	return grow(&s->creators, &s->cap, (size_t)id + 1, sizeof(*s->creators)) ?
		       &s->creators[id] : NULL;
}

static int cmp_named(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* Each of the following puts something new into the tables; false: no memory. */

static uint32_t *child(struct idspace *s, uint32_t creator, uint32_t nth)
{
	struct creator *c = creator_get(s, creator);

	return c && grow(&c->children, &c->cap, (size_t)nth + 1, sizeof(*c->children)) ?
		       &c->children[nth] : NULL;
}

static bool put_child(struct idspace *s, uint32_t creator, uint32_t nth)
{
	uint32_t *id = child(s, creator, nth);

	if (id)
		*id = s->next++;
	return id;
}

static struct named *find_named(struct idspace *s, struct named *key)
{
	struct named **found = tfind(key, &s->named, cmp_named);

	return found ? *found : NULL;
}

static bool put_named(struct idspace *s, const char *name)
{
	size_t n = strlen(name) + 1;
	struct named *key = malloc(sizeof(*key) + n);

	if (!key)
		return false;
	memcpy(key->name, name, n);
	key->id = s->next;
	if (!tsearch(key, &s->named, cmp_named)) {
		free(key);
		return false;
	}
	s->next++;
	return true;
}

static struct placed *find_chunk(struct creator *c, uint32_t nth, uint32_t size)
{
	for (size_t i = 0; i < c->nchunks; i++)
		if (c->chunks[i].nth == nth && c->chunks[i].size == size)
			return &c->chunks[i];
	return NULL;
}

static bool put_chunk(struct idspace *s, uint32_t creator, uint32_t nth, uint32_t size)
{
	struct creator *c = creator_get(s, creator);

	if (!c || s->top > UINT32_MAX - 64 - size ||
	    !grow(&c->chunks, &c->chunks_cap, c->nchunks + 1, sizeof(*c->chunks)))
		return false;
	c->chunks[c->nchunks++] = (struct placed){ .nth = nth, .offset = s->top, .size = size };
	s->top += (size + 63) & ~63u;
	return true;
}

/* What the others have met since. */
static bool catch_up(struct idspace *s)
{
	const struct agree_record *r;
	bool ok = true;

	while (ok && (r = agree_next(s->agree, &s->agreed)))
		switch (r->kind) {
		case AGREE_CHILD:
			ok = put_child(s, r->v[0], r->v[1]);
			break;
		case AGREE_NAME:
			ok = put_named(s, (const char *)r->v);
			break;
		case AGREE_CHUNK:
			ok = put_chunk(s, r->v[0], r->v[1], r->v[2]);
			break;
		default:
			break;
		}
	return ok;
}

/* Something is not in the tables: this is what makes room for it in all processes' tables.
 * True: the lock is held, and all is known that the others know. */
static bool meet_begin(struct idspace *s)
{
	if (!s->agree)
		return true;
	agree_lock(s->agree);
	if (catch_up(s))
		return true;
	agree_unlock(s->agree);
	return false;
}

static bool meet_end(struct idspace *s, enum agree_kind kind, const void *v, size_t len, bool isnew)
{
	size_t at = s->agreed;
	bool ok = true;

	if (!s->agree)
		return true;
	if (isnew) {
		ok = agree_add(s->agree, kind, v, len);
		agree_next(s->agree, &at);
		s->agreed = at;	/* one's own is known */
	}
	agree_unlock(s->agree);
	return ok;
}

/* The nth (from 0) thing that `creator` makes; 0 when memory runs out. */
uint32_t idspace_get(struct idspace *s, uint32_t creator, uint32_t nth)
{
	uint32_t *id = child(s, creator, nth), v[2] = { creator, nth };
	bool ok = true, isnew;

	if (!id || *id)
		return id ? *id : 0;
	if (!meet_begin(s))
		return 0;
	id = child(s, creator, nth);	/* the tables may have moved */
	isnew = id && !*id;
	if (isnew)
		ok = put_child(s, creator, nth);
	ok = meet_end(s, AGREE_CHILD, v, sizeof(v), isnew && ok) && ok;
	id = ok ? child(s, creator, nth) : NULL;
	return id ? *id : 0;
}

uint32_t idspace_by_name(struct idspace *s, const char *name)
{
	size_t n = strlen(name) + 1;
	struct named *key = malloc(sizeof(*key) + n), *found;
	bool ok = true, isnew;

	if (!key)
		return 0;
	memcpy(key->name, name, n);
	found = find_named(s, key);
	if (!found && meet_begin(s)) {
		isnew = !find_named(s, key);
		if (isnew)
			ok = put_named(s, name);
		ok = meet_end(s, AGREE_NAME, name, n, isnew && ok) && ok;
		found = ok ? find_named(s, key) : NULL;
	}
	free(key);
	return found ? found->id : 0;
}

/* Where the creator's nth chunk, which has that size, lies; 0: arena full. */
uint32_t idspace_chunk(struct idspace *s, uint32_t creator, uint32_t nth, uint32_t size)
{
	struct creator *c = creator_get(s, creator);
	struct placed *p = c ? find_chunk(c, nth, size) : NULL;
	uint32_t v[3] = { creator, nth, size };
	bool ok = true, isnew;

	if (!c || p)
		return p ? p->offset : 0;
	if (!meet_begin(s))
		return 0;
	c = creator_get(s, creator);
	isnew = !find_chunk(c, nth, size);
	if (isnew)
		ok = put_chunk(s, creator, nth, size);
	ok = meet_end(s, AGREE_CHUNK, v, sizeof(v), isnew && ok) && ok;
	c = creator_get(s, creator);
	p = ok && c ? find_chunk(c, nth, size) : NULL;
	return p ? p->offset : 0;
}

void idspace_agree(struct idspace *s, struct agree *a)
{
	if (s->agree)
		catch_up(s);	/* its numbers stay what they are */
	s->agree = a;
	s->agreed = 0;
}

/* --- memory --- */

bool arena_init(struct world *w)
{
	/* as much as the system lets us reserve; only what is touched is used */
	for (size_t n = (size_t)1 << 32; n >= (size_t)64 << 20; n >>= 1) {
		w->arena = mmap(NULL, n, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (w->arena != MAP_FAILED) {
			w->arena_size = n;
			return true;
		}
	}
	w->arena = NULL;
	return world_oom(w);
}

void chunk_unpoison(struct world *w, struct chunk *c)
{
#ifdef HAVE_ASAN
	__asan_unpoison_memory_region(w->arena + c->offset, c->used);
#endif
	(void)w;
	(void)c;
}

void chunk_wipe(struct world *w, struct chunk *c)
{
	uint32_t lo = (c->offset + 4095) & ~4095u, hi = (c->offset + c->used) & ~4095u;

	chunk_unpoison(w, c);
	/* large ones go back to the system, small ones are wiped in place */
	if (c->used > (1u << 20)) {
		memset(w->arena + c->offset, 0, lo - c->offset);
		memset(w->arena + hi, 0, c->offset + c->used - hi);
		if (madvise(w->arena + lo, hi - lo, MADV_DONTNEED))
			memset(w->arena + lo, 0, hi - lo);
	} else {
		memset(w->arena + c->offset, 0, c->used);
	}
	c->used = 0;
	c->nregions = 0;
	c->live = false;
}

/* The chunks stay, empty: the next execution will want the same. */
void arena_reset(struct world *w)
{
	for (size_t i = 0; i < w->nchunks; i++)
		chunk_wipe(w, w->chunks[i]);
	w->bump = NULL;
}

void arena_release(struct world *w)
{
	for (size_t i = 0; i < w->nchunks; i++) {
		free(w->chunks[i]->regions);
		free(w->chunks[i]);
	}
	free(w->chunks);
	w->chunks = NULL;
	w->nchunks = w->chunks_cap = 0;
	w->bump = NULL;
	if (w->arena)
		munmap(w->arena, w->arena_size);
	w->arena = NULL;
}

/* How many chunks lie at or before that offset. */
static size_t chunks_upto(const struct world *w, uint32_t offset)
{
	size_t lo = 0, hi = w->nchunks;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (w->chunks[mid]->offset <= offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The chunk at that place, left by an earlier execution or made. */
static struct chunk *chunk_at_offset(struct world *w, uint32_t offset)
{
	size_t i = chunks_upto(w, offset);
	struct chunk *c = i ? w->chunks[i - 1] : NULL;

	if (c && c->offset == offset)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c || !grow(&w->chunks, &w->chunks_cap, w->nchunks + 1, sizeof(*w->chunks))) {
		free(c);
		return NULL;
	}
	c->offset = offset;
	memmove(&w->chunks[i + 1], &w->chunks[i], (w->nchunks - i) * sizeof(*w->chunks));
	w->chunks[i] = c;
	w->nchunks++;
	return c;
}

static struct chunk *chunk_new(struct world *w, uint32_t creator, size_t need)
{
	uint32_t nth = 0, size = CHUNK_FIRST, offset;
	struct chunk *c;

	for (size_t i = 0; i < w->nchunks; i++) {
		c = w->chunks[i];
		if (!c->live || c->creator != creator)
			continue;
		nth++;
		size = c->size > size ? c->size : size;
	}
	if (nth && size < CHUNK_MAX)
		size *= 4;
	if (size < need + 64)
		size = (uint32_t)((need + 64 + 4095) & ~(size_t)4095);
	offset = idspace_chunk(w->ids, creator, nth, size);
	if (!offset || (size_t)offset + size > w->arena_size)
		return NULL;
	c = chunk_at_offset(w, offset);
	if (!c)
		return NULL;
	c->size = size;
	c->creator = creator;
	c->live = true;
	return c;
}

/* The creator's newest chunk, if it has room. */
static struct chunk *chunk_with_room(struct world *w, uint32_t creator, size_t size)
{
	if (w->bump && w->bump->creator == creator && w->bump->used + size <= w->bump->size)
		return w->bump;
	for (size_t i = 0; i < w->nchunks; i++) {
		struct chunk *c = w->chunks[i];

		if (c->live && c->creator == creator && c->used + size + 64 <= c->size)
			return c;
	}
	return NULL;
}

void *arena_alloc_for(struct world *w, uint32_t creator, size_t size)
{
	size_t align = size >= 64 ? 64 : 8;
	struct chunk *c;
	uint32_t at;

	if (size > UINT32_MAX / 2) {
		world_oom(w);
		return NULL;
	}
	size = size ? (size + 7) & ~(size_t)7 : 8;
	c = chunk_with_room(w, creator, size + align);
	if (!c)
		c = chunk_new(w, creator, size + align);
	if (!c) {
		world_fail(w, "out of simulated memory (%zu MiB)", w->arena_size >> 20);
		return NULL;
	}
	w->bump = c;
	at = (c->offset + c->used + (uint32_t)align - 1) & ~((uint32_t)align - 1);
	c->used = at + (uint32_t)size - c->offset;
	return w->arena + at;
}

void *arena_alloc(struct world *w, size_t size)
{
	return arena_alloc_for(w, creator_id(), size);
}

bool arena_contains(struct world *w, const void *p)
{
	return (const char *)p > w->arena && (const char *)p < w->arena + w->arena_size;
}

uint32_t arena_offset(struct world *w, const void *p)
{
	return arena_contains(w, p) ? (uint32_t)((const char *)p - w->arena) : LOC_NONE;
}

void *arena_addr(struct world *w, uint32_t offset)
{
	return offset == LOC_NONE ? NULL : w->arena + offset;
}

size_t world_arena_size(struct world *w) { return w->arena_size; }

struct chunk *arena_chunk_at(struct world *w, const void *p)
{
	uint32_t off = arena_offset(w, p);
	size_t n = off == LOC_NONE ? 0 : chunks_upto(w, off);

	if (!n || off >= w->chunks[n - 1]->offset + w->chunks[n - 1]->used)
		return NULL;
	return w->chunks[n - 1];
}

bool arena_add_region(struct world *w, const struct region *r)
{
	struct chunk *c = arena_chunk_at(w, (const void *)r->base);
	size_t i;

	if (!c || !grow(&c->regions, &c->cap, c->nregions + 1, sizeof(*c->regions)))
		return world_oom(w);
	/* nearly always the last: memory only grows */
	for (i = c->nregions; i && c->regions[i - 1].base > r->base; i--)
		c->regions[i] = c->regions[i - 1];
	c->regions[i] = *r;
	c->nregions++;
	return true;
}
