/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many executions of one world.  A checkpoint is a copy of what a world holds when
 * it is built and nobody has moved: the memory in use, the objects, the tasks.  Going
 * back to it drops what was made since and copies the rest back; what it takes (stacks,
 * tasks, objects' names) is kept from one execution to the next.
 */
#include <config.h>

#include "engine/carrier.h"
#include "engine/checkpoint.h"
#include "engine/guest.h"
#include "engine/internal.h"
#include "memory/history.h"

#include <stdlib.h>
#include <string.h>

/* A task without its nested calls, of which it has none. */
#define TASK_HEAD offsetof(struct task, calls)

struct saved_chunk {
	struct chunk *c;
	uint32_t used;
	char *bytes;
	struct region *regions;
	size_t nregions;
};
/* What an object has outside of the arena. */
struct saved_impl { struct object *o; void *bytes; };
/* An original task is put back to these bytes. */
struct saved_task { char head[TASK_HEAD]; };

struct checkpoint {
	struct saved_chunk *chunks;
	size_t nchunks;
	struct object *objs;	/* copies */
	size_t nobjs;
	struct saved_impl *impls;
	size_t nimpls;
	struct object **resets;	/* those whose type has something to do first */
	size_t nresets;
	struct saved_task *tasks;
	size_t ntasks;
	uint32_t made, threads_made;
	struct chunk *bump;
};

/* --- making one --- */

static void *copy_of(const void *p, size_t n)
{
	void *copy = malloc(n ? n : 1);

	return copy && n ? memcpy(copy, p, n) : copy;
}

static bool save_memory(struct world *w, struct checkpoint *cp)
{
	cp->chunks = calloc(w->nchunks + 1, sizeof(*cp->chunks));
	if (!cp->chunks)
		return false;
	for (size_t i = 0; i < w->nchunks; i++) {
		struct chunk *c = w->chunks[i];
		struct saved_chunk *s = &cp->chunks[cp->nchunks];

		if (!c->live)
			continue;
		cp->nchunks++;
		*s = (struct saved_chunk){
			.c = c, .used = c->used, .nregions = c->nregions,
			.bytes = copy_of(w->arena + c->offset, c->used),
			.regions = copy_of(c->regions, c->nregions * sizeof(*c->regions)),
		};
		if (!s->bytes || !s->regions)
			return false;
	}
	return true;
}

static bool save_objects(struct world *w, struct checkpoint *cp)
{
	cp->objs = calloc(w->nobjs + 1, sizeof(*cp->objs));
	cp->impls = calloc(w->nobjs + 1, sizeof(*cp->impls));
	cp->resets = calloc(w->nobjs + 1, sizeof(*cp->resets));
	if (!cp->objs || !cp->impls || !cp->resets)
		return false;
	for (size_t i = 0; i < w->nobjs; i++) {
		struct object *o = w->objs[i];
		struct saved_impl *s = &cp->impls[cp->nimpls];

		cp->objs[cp->nobjs++] = *o;
		if (o->type->reset)
			cp->resets[cp->nresets++] = o;
		if (!o->type->impl_size || !o->impl)
			continue;
		cp->nimpls++;
		*s = (struct saved_impl){ .o = o, .bytes = copy_of(o->impl, o->type->impl_size) };
		if (!s->bytes)
			return false;
	}
	return true;
}

static bool save_tasks(struct world *w, struct checkpoint *cp)
{
	cp->tasks = calloc(w->ntasks + 1, sizeof(*cp->tasks));
	if (!cp->tasks)
		return false;
	for (size_t i = 0; i < w->ntasks; i++) {
		w->tasks[i]->kept = true;
		memcpy(cp->tasks[cp->ntasks++].head, w->tasks[i], TASK_HEAD);
	}
	return true;
}

static bool is_at_start(struct world *w)
{
	for (size_t i = 0; i < w->ntasks; i++)
		if (w->tasks[i]->state != TASK_FRESH)
			return false;
	return !w->log.n && w->clock;
}

bool world_checkpoint(struct world *w)
{
	struct checkpoint *cp;

	checkpoint_release(w);
	if (!is_at_start(w))
		return world_fail(w, "a checkpoint is made before anybody moves");
	cp = w->checkpoint = calloc(1, sizeof(*cp));
	if (!cp)
		return world_oom(w);
	cp->made = w->made;
	cp->threads_made = w->threads_made;
	cp->bump = w->bump;
	if (save_memory(w, cp) && save_objects(w, cp) && save_tasks(w, cp))
		return true;
	checkpoint_release(w);
	return world_oom(w);
}

void checkpoint_release(struct world *w)
{
	struct checkpoint *cp = w->checkpoint;

	if (!cp)
		return;
	/* from here on they go like any others */
	for (size_t i = 0; i < w->ntasks && i < cp->ntasks; i++)
		w->tasks[i]->kept = false;
	for (size_t i = 0; i < cp->nchunks; i++) {
		free(cp->chunks[i].bytes);
		free(cp->chunks[i].regions);
	}
	for (size_t i = 0; i < cp->nimpls; i++)
		free(cp->impls[i].bytes);
	free(cp->chunks);
	free(cp->objs);
	free(cp->impls);
	free(cp->resets);
	free(cp->tasks);
	free(cp);
	w->checkpoint = NULL;
}

bool world_has_checkpoint(const struct world *w)
{
	return w->checkpoint;
}

/* --- going back --- */

static void restore_memory(struct world *w, const struct checkpoint *cp)
{
	size_t k = 0;

	for (size_t i = 0; i < w->nchunks; i++) {
		struct chunk *c = w->chunks[i];
		const struct saved_chunk *s = &cp->chunks[k];

		if (k == cp->nchunks || s->c != c) {
			if (c->live)
				chunk_wipe(w, c);
			continue;
		}
		k++;
		chunk_unpoison(w, c);
		memcpy(w->arena + c->offset, s->bytes, s->used);
		if (c->used > s->used)
			memset(w->arena + c->offset + s->used, 0, c->used - s->used);
		c->used = s->used;
		/* regions are only ever added */
		if (c->nregions != s->nregions) {
			memcpy(c->regions, s->regions, s->nregions * sizeof(*s->regions));
			c->nregions = s->nregions;
		}
	}
	w->bump = cp->bump;
}

static void restore_objects(struct world *w, const struct checkpoint *cp)
{
	while (w->nobjs > cp->nobjs)
		object_drop(w);
	w->labels.epoch++;
	for (size_t i = 0; i < cp->nresets; i++)
		cp->resets[i]->type->reset(cp->resets[i]);
	for (size_t i = 0; i < cp->nobjs; i++) {
		struct object *next = w->objs[i]->next_named; /* there may be more buckets now */

		*w->objs[i] = cp->objs[i];
		w->objs[i]->next_named = next;
	}
	for (size_t i = 0; i < cp->nimpls; i++)
		memcpy(cp->impls[i].o->impl, cp->impls[i].bytes, cp->impls[i].o->type->impl_size);
}

/* The task's stack, whatever stands on it, is its to begin on. */
static bool restore_task(struct task *t, const struct saved_task *s)
{
	struct stack *stack = t->stack;

	if (t->idle)
		idle_release(t);
	memcpy(t, s->head, TASK_HEAD);
	t->stack = stack;
	if (!stack) {
		if (!task_give_stack(t))
			return false;
	} else {
		stack_rearm(stack);
	}
	return !t->restart || t->restart(t->arg) || world_oom(t->w);
}

/* The first chunks are the checkpoint's, and nothing was added. */
static bool nothing_was_made(const struct world *w, const struct checkpoint *cp)
{
	size_t k = 0;

	if (w->nobjs != cp->nobjs || w->ntasks != cp->ntasks || w->made != cp->made || w->nfresh)
		return false;
	for (size_t i = 0; i < w->nchunks; i++) {
		const struct chunk *c = w->chunks[i];

		if (!c->live)
			continue;
		if (k == cp->nchunks || cp->chunks[k].c != c || cp->chunks[k].used != c->used ||
		    cp->chunks[k].nregions != c->nregions)
			return false;
		k++;
	}
	return k == cp->nchunks;
}

/* Does the task have nothing but its stack? */
static bool is_self_contained(const struct task *t)
{
	return t->kind == TASK_THREAD && !t->idle && !t->under && !t->ncalls && !t->nwaits &&
	       (t->state != TASK_READY || t->ev.op != OP_CALL_WAIT);
}

bool world_restore_memory(struct world *w)
{
	const struct checkpoint *cp = w->checkpoint;

	if (!cp || !w->lean || w->aside || w->plains.ever || w->nviolations ||
	    !nothing_was_made(w, cp))
		return false;
	for (size_t i = 0; i < w->ntasks; i++)
		if (!is_self_contained(w->tasks[i]))
			return false;
	for (unsigned i = 0; i < w->cpus; i++)
		if (w->cpu_owner[i])
			return false;
	if (w->hooks.rebuilt)
		w->hooks.rebuilt(w);
	for (size_t i = 0; i < cp->nchunks; i++) {
		chunk_unpoison(w, cp->chunks[i].c);
		memcpy(w->arena + cp->chunks[i].c->offset, cp->chunks[i].bytes, cp->chunks[i].used);
	}
	awake_reset(w, cp->ntasks);
	log_reset(&w->log);
	plains_reset(w);
	w->found = NULL;
	w->ghosts.n = 0;
	w->begun++;
	if (w->history)
		history_clear(w->history);
	return true;
}

bool checkpoint_task(struct task *t)
{
	return restore_task(t, &t->w->checkpoint->tasks[t->index]);
}

bool world_restore(struct world *w)
{
	const struct checkpoint *cp = w->checkpoint;
	bool ok = true;

	if (!cp)
		return world_fail(w, "there is no checkpoint");
	tasks_drop(w, cp->ntasks);
	if (w->hooks.rebuilt)
		w->hooks.rebuilt(w);
	restore_objects(w, cp);
	restore_memory(w, cp);
	for (size_t i = 0; i < cp->ntasks; i++)
		ok = restore_task(w->tasks[i], &cp->tasks[i]) && ok;
	awake_reset(w, cp->ntasks);
	memset(w->cpu_owner, 0, w->cpus * sizeof(*w->cpu_owner));
	log_reset(&w->log);
	plains_reset(w);
	w->nfresh = cp->ntasks;
	w->made = cp->made;
	w->threads_made = cp->threads_made;
	w->found = NULL;
	w->ghosts.n = 0;
	w->aside = false;
	w->begun++;
	if (w->history)
		history_clear(w->history);
	guest_watch();
	if (w->nviolations)
		violations_drop(w);
	return ok;
}

/* --- without a log --- */

void world_set_lean(struct world *w, bool lean) { w->lean = lean; }
bool world_is_lean(const struct world *w) { return w->lean; }
