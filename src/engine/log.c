/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log's storage: chunks that never move, so that a record costs 32 bytes
 * however long the run, and appending never slows down.
 */
#include <config.h>

#include "engine/internal.h"

#include <stdlib.h>
#include <sys/mman.h>

#define BLOCK (LOG_CHUNK * sizeof(struct record))
#define MARK_CHUNK (BLOCK / sizeof(struct mark))

/*
 * Blocks that no log uses, linked through their first word.  Kept for the next
 * run: the first touch of fresh memory costs more than the steps that fill it.
 * After the first few they come by the slab, in huge pages where there are any.
 */
#define SLAB_BLOCKS 16
static void *pool;
static size_t nblocks;

static void block_put(void *b)
{
	*(void **)b = pool;
	pool = b;
}

static void slab_get(void)
{
	char *slab = aligned_alloc(SLAB_BLOCKS * BLOCK, SLAB_BLOCKS * BLOCK);

	if (!slab)
		return;
	madvise(slab, SLAB_BLOCKS * BLOCK, MADV_HUGEPAGE);
	for (size_t i = SLAB_BLOCKS; i--;)
		block_put(slab + i * BLOCK);
}

static void *block_get(void)
{
	void *b;

	if (!pool && nblocks >= SLAB_BLOCKS)
		slab_get();
	b = pool;
	if (b) {
		pool = *(void **)b;
		return b;
	}
	nblocks++;
	return malloc(BLOCK);
}

struct record *log_append_slow(struct world *w)
{
	struct events_log *l = &w->log;
	size_t c = l->n / LOG_CHUNK;

	if (c == l->nchunks) {
		if (!grow(&l->chunks, &l->cap, c + 1, sizeof(*l->chunks)))
			return NULL;
		l->chunks[c] = block_get();
		if (!l->chunks[c])
			return NULL;
		l->nchunks++;
	}
	return &l->chunks[c][l->n++ % LOG_CHUNK];
}

struct mark *log_append_mark(struct world *w)
{
	struct events_log *l = &w->log;
	size_t c = l->nmarks / MARK_CHUNK;

	if (w->lean)
		return NULL;
	if (c == l->nmark_chunks) {
		if (!grow(&l->mark_chunks, &l->mark_cap, c + 1, sizeof(*l->mark_chunks)))
			return NULL;
		l->mark_chunks[c] = block_get();
		if (!l->mark_chunks[c])
			return NULL;
		l->nmark_chunks++;
	}
	return &l->mark_chunks[c][l->nmarks++ % MARK_CHUNK];
}

static const struct log_access *find_access(const struct events_log *l, uint64_t step)
{
	size_t lo = 0, hi = l->naccesses;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (l->accesses[mid].step < step)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < l->naccesses && l->accesses[lo].step == step ? &l->accesses[lo] : NULL;
}

const struct log_access *log_access(struct world *w, uint64_t step)
{
	return find_access(&w->log, step);
}

unsigned events_choice(const struct events_log *l, uint64_t step)
{
	const struct record *r = &l->chunks[(step - 1) / LOG_CHUNK][(step - 1) % LOG_CHUNK];
	const struct log_access *a = find_access(l, step);

	if (a)
		return a->choice > 1 ? a->choice : 0;
	return r->flags & REC_CHOICE ? (unsigned)r->value : 0;
}

unsigned log_choice(struct world *w, uint64_t step)
{
	return log_record(w, step) ? events_choice(&w->log, step) : 0;
}

bool log_add_access(struct world *w, struct log_access a)
{
	struct events_log *l = &w->log;

	if (w->lean)
		return true;
	if (!grow(&l->accesses, &l->accesses_cap, l->naccesses + 1, sizeof(*l->accesses)))
		return world_oom(w);
	l->accesses[l->naccesses++] = a;
	return true;
}

bool log_add_seen(struct world *w, struct log_seen s)
{
	struct events_log *l = &w->log;

	if (w->lean)
		return true;
	if (!grow(&l->seen, &l->seen_cap, l->nseen + 1, sizeof(*l->seen)))
		return world_oom(w);
	l->seen[l->nseen++] = s;
	return true;
}

void log_reset(struct events_log *l)
{
	l->naccesses = l->nseen = 0;
	l->n = 0;
	l->nmarks = 0;
}

void log_release(struct events_log *l)
{
	for (size_t i = 0; i < l->nchunks; i++)
		block_put(l->chunks[i]);
	for (size_t i = 0; i < l->nmark_chunks; i++)
		block_put(l->mark_chunks[i]);
	free(l->accesses);
	free(l->seen);
	free(l->chunks);
	free(l->mark_chunks);
	*l = (struct events_log){ 0 };
}

const struct record *log_record(struct world *w, uint64_t step)
{
	if (!step || step > w->log.n || w->lean)
		return NULL;
	return &w->log.chunks[(step - 1) / LOG_CHUNK][(step - 1) % LOG_CHUNK];
}

size_t log_mark_count(struct world *w) { return w->log.nmarks; }

const struct mark *log_mark(struct world *w, size_t i)
{
	return i < w->log.nmarks ? &w->log.mark_chunks[i / MARK_CHUNK][i % MARK_CHUNK] : NULL;
}

/* --- the process's table of API calls --- */

static const struct kapi **apis;
static size_t napis, apis_cap;

uint16_t kapi_id(const struct kapi *api)
{
	static const struct kapi *last;
	static uint16_t last_id;

	if (api == last)
		return last_id;
	for (size_t i = 0; i < napis; i++)
		if (apis[i] == api) {
			last = api;
			return last_id = (uint16_t)(i + 1);
		}
	if (!grow(&apis, &apis_cap, napis + 1, sizeof(*apis)))
		return 0;
	apis[napis++] = api;
	return (uint16_t)napis;
}

const struct kapi *kapi_by_id(unsigned id)
{
	return id && id <= napis ? apis[id - 1] : NULL;
}
