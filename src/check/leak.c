/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leaks: when every thread is done, an object that was not freed and to which no
 * pointer in the memory of a live object leads can never be freed any more.  What
 * a Lua variable holds does not count, because the C code that the script stands
 * for has no such variable; but an object that the scenario made and that was
 * never put anywhere in simulated memory is taken for a global of its own.
 */
#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check/internal.h"
#include "engine/log.h"

/* An object that might be one, in order of address. */
struct suspect {
	uint64_t addr;
	struct object *obj;
	bool reached;		/* a live object points to it */
	bool placed;		/* something pointed to it once */
	uint64_t cut;		/* the step that overwrote the last pointer to it */
};

struct suspects {
	struct suspect *v;
	size_t n, cap;
};

static int cmp_suspect(const void *a, const void *b)
{
	const struct suspect *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static struct suspect *suspect_at(const struct suspects *s, uint64_t addr)
{
	struct suspect key = { .addr = addr };

	if (addr < s->v[0].addr || addr > s->v[s->n - 1].addr)
		return NULL;
	return bsearch(&key, s->v, s->n, sizeof(key), cmp_suspect);
}

static bool collect(struct check *c, struct suspects *s)
{
	for (size_t i = 0; i < world_object_count(c->w); i++) {
		struct object *o = world_object(c->w, i);

		if (!o->heap || o->is_static || o->state != OBJECT_LIVE)
			continue;
		if (!check_grow(c, (void **)&s->v, &s->cap, s->n + 1, sizeof(*s->v)))
			return false;
		s->v[s->n++] = (struct suspect){ .addr = (uintptr_t)o->base, .obj = o};
	}
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), cmp_suspect);
	return s->n != 0;
}

/* Every word of the objects' memory that might be a pointer. */
static void scan_memory(struct check *c, struct suspects *s)
{
	for (size_t i = 0; i < world_object_count(c->w); i++) {
		const struct object *o = world_object(c->w, i);
		const uint64_t *p = o->base;

		for (size_t n = o->base ? o->size / 8 : 0; n--; p++) {
			struct suspect *x = *p ? suspect_at(s, *p) : NULL;

			if (!x)
				continue;
			x->placed = true;
			x->reached |= o->state == OBJECT_LIVE;
		}
	}
}

/* Stores that overwrote a pointer: who cut the last way to an object. */
static void scan_log(struct check *c, struct suspects *s)
{
	for (uint64_t n = 1; n <= world_steps(c->w); n++) {
		const struct record *r = log_record(c->w, n);
		struct suspect *x = r && r->value != r->stored ? suspect_at(s, r->value) : NULL;

		if (!x || r->loc == LOC_NONE)
			continue;
		x->placed = true;
		x->cut = n;
	}
}

static bool is_leak(const struct suspect *x)
{
	return !x->reached && (x->placed || x->obj->creator != IDENT_WORLD);
}

static void add_cut(struct msg *m, struct world *w, const struct suspect *x)
{
	const struct record *r = x->cut ? log_record(w, x->cut) : NULL;
	char loc[128];

	if (!r || r->task == UINT16_MAX ||
	    !location_name(w, arena_addr(w, r->loc), loc, sizeof(loc), NULL))
		return;
	msg_addf(m, " %s pointed to it until %s wrote something else there at step %" PRIu64 ".",
		 loc, task_name(world_task(w, r->task)), x->cut);
}

static void report(struct check *c, const struct suspect *x, size_t more)
{
	struct task *maker = task_by_id(c->w, x->obj->creator);
	struct msg m;

	msg_begin(&m);
	msg_addf(&m, "%s", x->obj->name);
	if (maker)
		msg_addf(&m, ", which %s made,", task_name(maker));
	msg_addf(&m, " was never freed: every thread is done, and no pointer in a live object "
		 "leads to it.");
	add_cut(&m, c->w, x);
	if (more)
		msg_addf(&m, " %zu more object%s lost like that.", more, more > 1 ? "s are" : " is");
	msg_end(&m, c->w, "leak", maker, NULL);
}

/* Has everything that could still free something come to its end? */
static bool all_done(struct world *w)
{
	bool any = false;

	for (size_t i = 0; i < world_task_count(w); i++) {
		const struct task *t = world_task(w, i);

		if (t->kind != TASK_THREAD && t->kind != TASK_IRQ)
			continue;
		any = true;
		if (t->state != TASK_DONE)
			return false;
	}
	return any;
}

bool leak_find(struct check *c)
{
	struct suspects s = { 0 };
	const struct suspect *first = NULL;
	size_t leaks = 0;

	if (c->leak || !all_done(c->w))
		return false;
	if (collect(c, &s)) {
		scan_memory(c, &s);
		scan_log(c, &s);
	}
	for (size_t i = 0; i < s.n; i++) {
		if (!is_leak(&s.v[i]))
			continue;
		/* neither addresses nor who came first: the same in every equal execution */
		if (!first || strcmp(s.v[i].obj->name, first->obj->name) < 0)
			first = &s.v[i];
		leaks++;
	}
	if (first)
		report(c, first, leaks - 1);
	c->leak = first != NULL;
	free(s.v);
	return first != NULL;
}
