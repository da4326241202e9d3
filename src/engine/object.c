/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects: identity, names, and what a location and a value are called.
 */
#include <config.h>

#include "engine/internal.h"
#include "k/list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool name_is_valid(const char *name)
{
	static const char ok[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				 "0123456789_.:/@#-";

	return *name && name[strspn(name, ok)] == '\0' &&
	       strncmp(name, "kworker/", 8) && strncmp(name, "timer/", 6) &&
	       strncmp(name, "sb/", 3) && strcmp(name, "clock") && strcmp(name, "rcu_state");
}

uint32_t creator_id(void)
{
	struct task *t = task_current();

	return t ? task_id(t) : IDENT_WORLD;
}

/* --- names --- */

/* FNV-1a (Fowler, Noll, Vo). */
static uint32_t hash_of(const char *s, uint32_t h)
{
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}
#define HASH_START 2166136261u

static struct object **name_bucket(struct world *w, uint32_t hash)
{
	return &w->names[hash & (w->names_cap - 1)];
}

/* A name stands before those that were given earlier: the last one given is the first
 * in its bucket, and taken away as quickly. */
static void name_put(struct world *w, struct object *o)
{
	struct object **bucket = name_bucket(w, o->hash);

	o->next_named = *bucket;
	*bucket = o;
}

/* As many buckets as objects, at least. */
static bool names_grow(struct world *w)
{
	size_t n = w->names_cap ? w->names_cap * 2 : 64;
	struct object **p;

	if (w->nobjs < w->names_cap)
		return true;
	p = calloc(n, sizeof(*p));
	if (!p)
		return false;
	free(w->names);
	w->names = p;
	w->names_cap = n;
	for (size_t i = 0; i < w->nobjs; i++)
		name_put(w, w->objs[i]);
	return true;
}

struct object *object_by_name(struct world *w, const char *name)
{
	uint32_t hash = hash_of(name, HASH_START);
	struct object *o = w->names_cap ? *name_bucket(w, hash) : NULL;

	while (o && (o->hash != hash || strcmp(o->name, name)))
		o = o->next_named;
	return o;
}

static bool labels_grow(struct labels *l)
{
	size_t n = l->cap ? l->cap * 2 : 64;
	struct label_count **p, *next;

	if (l->n < l->cap)
		return true;
	p = calloc(n, sizeof(*p));
	if (!p)
		return false;
	for (size_t i = 0; i < l->cap; i++)
		for (struct label_count *c = l->buckets[i]; c; c = next) {
			next = c->next;
			c->next = p[c->hash & (n - 1)];
			p[c->hash & (n - 1)] = c;
		}
	free(l->buckets);
	l->buckets = p;
	l->cap = n;
	return true;
}

static struct label_count *label_new(struct labels *l, uint32_t hash, uint32_t creator,
				     const char *label)
{
	size_t len = strlen(label) + 1;
	struct label_count *c = labels_grow(l) ? malloc(sizeof(*c) + len) : NULL;
	struct label_count **bucket = c ? &l->buckets[hash & (l->cap - 1)] : NULL;

	if (!c)
		return NULL;
	*c = (struct label_count){ .next = *bucket, .hash = hash, .creator = creator };
	memcpy(c->label, label, len);
	*bucket = c;
	l->n++;
	return c;
}

/* The how-manieth thing of this label by this creator, from 1; 0: no memory. */
static uint32_t count_label(struct world *w, uint32_t creator, const char *label)
{
	struct labels *l = &w->labels;
	uint32_t hash = hash_of(label, HASH_START ^ creator * 0x9e3779b9u);
	struct label_count *c = l->cap ? l->buckets[hash & (l->cap - 1)] : NULL;

	while (c && (c->hash != hash || c->creator != creator || strcmp(c->label, label)))
		c = c->next;
	if (!c)
		c = label_new(l, hash, creator, label);
	if (!c)
		return 0;
	if (c->epoch != l->epoch) {
		c->epoch = l->epoch;
		c->count = 0;
	}
	return ++c->count;
}

/* --- making and dropping --- */

static void object_free(struct object *o)
{
	if (!o)
		return;
	free(o->label);
	free(o->name);
	free(o);
}

/* What an earlier execution called this; the strings are its own. */
static struct object *spare_take(struct world *w, uint32_t id)
{
	struct object *o = id < w->spare_cap ? w->spare[id] : NULL;

	if (o)
		w->spare[id] = NULL;
	return o;
}

/* The newest object goes, and is kept for the next of its identity. */
void object_drop(struct world *w)
{
	struct object *o = w->objs[--w->nobjs];

	*name_bucket(w, o->hash) = o->next_named;
	w->by_id[o->id] = NULL;
	if (o->type->destroy)
		o->type->destroy(o);
	free((void *)o->own_fields);
	o->own_fields = NULL;
	free(o->lock_class);
	o->lock_class = NULL;
	if (grow(&w->spare, &w->spare_cap, (size_t)o->id + 1, sizeof(*w->spare)) &&
	    !w->spare[o->id])
		w->spare[o->id] = o;
	else
		object_free(o);
}

void objects_reset(struct world *w)
{
	while (w->nobjs)
		object_drop(w);
	w->labels.epoch++;
}

static void labels_release(struct labels *l)
{
	struct label_count *next;

	for (size_t i = 0; i < l->cap; i++)
		for (struct label_count *c = l->buckets[i]; c; c = next) {
			next = c->next;
			free(c);
		}
	free(l->buckets);
	*l = (struct labels){ 0 };
}

void objects_release(struct world *w)
{
	objects_reset(w);
	for (size_t i = 0; i < w->spare_cap; i++)
		object_free(w->spare[i]);
	free(w->spare);
	free(w->objs);
	free(w->by_id);
	free(w->names);
	w->spare = w->objs = w->by_id = w->names = NULL;
	w->spare_cap = w->objs_cap = w->by_id_cap = w->names_cap = 0;
	labels_release(&w->labels);
}

/* Is the name LABEL@MAKER.something? */
static bool is_by(const char *name, const char *label, const char *maker)
{
	size_t n = strlen(label), m = strlen(maker);

	return !strncmp(name, label, n) && name[n] == '@' &&
	       !strncmp(name + n + 1, maker, m) && name[n + 1 + m] == '.';
}

/* Is it called so, the name or the label@maker.nth? */
static bool is_called(const struct object *o, const char *label, const char *name, uint32_t nth)
{
	if (!o || strcmp(o->label, label))
		return false;
	return name ? !strcmp(o->name, name) :
		      o->nth == nth && is_by(o->name, label, task_name(task_current()));
}

/* An object with that name, the maker's nth of its label, which has no memory yet.  `name`
 * may be NULL: label@MAKER.nth. */
static struct object *make(struct world *w, const struct objtype *type, const char *label,
			   const char *name, uint32_t id, uint32_t creator, uint32_t nth)
{
	struct object *o = spare_take(w, id), *clash;
	struct task *t = task_current();

	if (!is_called(o, label, name, nth)) {
		object_free(o);
		o = calloc(1, sizeof(*o));
		if (o) {
			o->label = strdup(label);
			if (name)
				o->name = strdup(name);
			else if (asprintf(&o->name, "%s@%s.%u", label, task_name(t), nth) < 0)
				o->name = NULL;
		}
	}
	if (!o || !o->label || !o->name || !names_grow(w) ||
	    !grow(&w->objs, &w->objs_cap, w->nobjs + 1, sizeof(*w->objs)) ||
	    !grow(&w->by_id, &w->by_id_cap, (size_t)id + 1, sizeof(*w->by_id))) {
		object_free(o);
		world_oom(w);
		return NULL;
	}
	*o = (struct object){ .type = type, .w = w, .id = id, .creator = creator, .nth = nth,
			      .label = o->label, .name = o->name,
			      .hash = hash_of(o->name, HASH_START) };
	clash = object_by_name(w, o->name);
	if (clash) {
		/* "a@t.1" may be a name that the scenario gave */
		world_fail(w, "name \"%s\" is taken by a %s", o->name, clash->type->kind);
		object_free(o);
		return NULL;
	}
	name_put(w, o);
	w->objs[w->nobjs++] = o;
	w->by_id[id] = o;
	return o;
}

struct object *object_make(struct world *w, const struct objtype *type, const char *name,
			   uint32_t id)
{
	return make(w, type, name, name, id, IDENT_WORLD, 0);
}

/* A name that the scenario or the prompt gives, or the label of what a task makes. */
static bool check_label(struct world *w, const char *label)
{
	struct object *clash;

	if (!name_is_valid(label))
		return world_fail(w, "'%s' is no name: letters, digits and _.:/@#- make one", label);
	clash = task_current() ? NULL : object_by_name(w, label);
	if (clash)
		return world_fail(w, "name \"%s\" is taken by a %s", label, clash->type->kind);
	return true;
}

/* Its own memory, described.  False: it has a name already, and handles from before a
 * rebuild, but is nothing. */
static bool give_memory(struct object *o, void *base, size_t size)
{
	o->base = base;
	o->size = size;
	if (base && object_describe(o, base, NULL, o->type->fields, size))
		return true;
	o->state = OBJECT_DESTROYED;
	return false;
}

struct object *object_new(struct world *w, const struct objtype *type,
			  const char *label, size_t size)
{
	struct task *t = task_current();
	uint32_t id, nth = 1, creator = creator_id();
	struct object *o;

	if (!check_label(w, label))
		return NULL;
	/* no clock: memory ran out when the world was built again, and back() and reset()
	 * try anew */
	if (!w->clock || (t && !(nth = count_label(w, creator, label)))) {
		world_oom(w);
		return NULL;
	}
	if (w->nobjs >= w->objects_max) {
		world_fail(w, "out of memory: the world has %zu objects, and is to have no more",
			   w->nobjs);
		return NULL;
	}
	w->frozen = true;
	id = idspace_get(w->ids, creator, t ? t->made++ : w->made++);
	if (!id) {
		world_oom(w);
		return NULL;
	}
	o = make(w, type, label, t ? NULL : label, id, creator, nth);
	if (!o)
		return NULL;
	return !size || give_memory(o, arena_alloc(w, size), size) ? o : NULL;
}

struct object *object_new_unique(struct world *w, const struct objtype *type,
				 const char *name, size_t size)
{
	uint32_t id = idspace_by_name(w->ids, name);
	struct object *o;

	if (!id) {
		world_oom(w);
		return NULL;
	}
	w->frozen = true;
	o = object_make(w, type, name, id);
	return o && give_memory(o, arena_alloc_for(w, id, size), size) ? o : NULL;
}

bool object_describe(struct object *o, void *base, const char *label,
		     const struct field *fields, size_t size)
{
	return arena_add_region(o->w, &(struct region){
		.base = (uintptr_t)base, .size = size, .label = label,
		.fields = fields, .obj = o });
}

bool object_describe_run(struct object *o, void *base, const char *label,
			 const struct field *fields, size_t stride, size_t n)
{
	return arena_add_region(o->w, &(struct region){
		.base = (uintptr_t)base, .size = stride * n, .stride = stride,
		.label = label, .fields = fields, .obj = o });
}

void *object_region(struct object *o, const char *label, const struct field *fields,
		    size_t stride, size_t n)
{
	void *p = arena_alloc(o->w, stride * n);

	return p && object_describe_run(o, p, label, fields, stride, n) ? p : NULL;
}

struct object *world_object(struct world *w, size_t i) { return i < w->nobjs ? w->objs[i] : NULL; }
size_t world_object_count(struct world *w) { return w->nobjs; }

struct object *object_by_id(struct world *w, uint32_t id)
{
	return id < w->by_id_cap ? w->by_id[id] : NULL;
}

struct region *region_at(struct world *w, const void *p)
{
	struct chunk *c = arena_chunk_at(w, p);
	uintptr_t a = (uintptr_t)p;
	size_t lo = 0, hi;

	if (!c)
		return NULL;
	for (hi = c->nregions; lo < hi;) {
		size_t mid = (lo + hi) / 2;

		if (c->regions[mid].base <= a)
			lo = mid + 1;
		else
			hi = mid;
	}
	/* descriptions may overlap (a part described anew): the nearest that
	 * covers the place wins */
	for (; lo; lo--)
		if (a < c->regions[lo - 1].base + c->regions[lo - 1].size)
			return &c->regions[lo - 1];
	return NULL;
}

struct object *object_at(struct world *w, const void *addr)
{
	struct region *r = region_at(w, addr);

	return r ? r->obj : NULL;
}

/* --- names of locations and values --- */

static const struct field *field_at(const struct field *f, size_t off, unsigned *index)
{
	for (; f && f->name; f++) {
		uint32_t count = f->count ? f->count : 1;
		uint32_t stride = f->stride ? f->stride : f->size;

		if (off < f->offset || off >= f->offset + (size_t)count * stride)
			continue;
		if ((off - f->offset) % stride >= f->size)
			continue;
		*index = (unsigned)((off - f->offset) / stride);
		return f;
	}
	return NULL;
}

bool location_name(struct world *w, const void *addr, char *buf, size_t n,
		   const struct field **field)
{
	struct region *r = region_at(w, addr);
	size_t off, elem = 0;
	const struct field *f;
	unsigned index = 0;
	int len;

	if (field)
		*field = NULL;
	if (n)
		*buf = '\0';
	if (!r)
		return false;
	off = (uintptr_t)addr - r->base;
	if (r->stride) {
		elem = off / r->stride;
		off %= r->stride;
	}
	f = field_at(r->fields, off, &index);
	if (field)
		*field = f;
	len = snprintf(buf, n, "%s", r->obj->name);
	if (r->label && len >= 0 && (size_t)len < n)
		len += snprintf(buf + len, n - (size_t)len, r->stride ? ".%s%zu" : ".%s",
				r->label, elem);
	if (len < 0 || (size_t)len >= n)
		return true;
	if (!f)
		snprintf(buf + len, n - (size_t)len, "+%zu", off);
	else if (*f->name && f->count > 1)
		snprintf(buf + len, n - (size_t)len, ".%s[%u]", f->name, index);
	else if (*f->name)
		snprintf(buf + len, n - (size_t)len, ".%s", f->name);
	return true;
}

static const char *const gp_states[] = { "IDLE", "SCAN1", "SCAN2", "?" };

/* Virtual time in the unit that leaves no remainder. */
static void time_name(uint64_t ns, char *buf, size_t n)
{
	if (!ns)
		snprintf(buf, n, "0");
	else if (ns % 1000000 == 0)
		snprintf(buf, n, "%" PRIu64 "ms", ns / 1000000);
	else if (ns % 1000 == 0)
		snprintf(buf, n, "%" PRIu64 "us", ns / 1000);
	else
		snprintf(buf, n, "%" PRIu64 "ns", ns);
}

/* A pointer into the arena is printed by the name of what it points to. */
static bool pointer_name(struct world *w, uint64_t value, char *buf, size_t n)
{
	struct region *r;

	if (!arena_contains(w, (void *)(uintptr_t)value))
		return false;
	r = region_at(w, (void *)(uintptr_t)value);
	if (!r) {
		snprintf(buf, n, "(pointer)");
		return true;
	}
	if ((void *)(uintptr_t)value == r->obj->base)
		snprintf(buf, n, "%s", r->obj->name);
	else if (n)
		location_name(w, (void *)(uintptr_t)value, buf, n, NULL);
	return true;
}

void value_name(struct world *w, uint64_t value, const struct field *f, char *buf, size_t n)
{
	uint32_t flags = f ? f->flags : 0;
	struct object *o;

	if (flags & FIELD_OWNER) {
		o = value ? object_by_id(w, (uint32_t)value - 1) : NULL;
		snprintf(buf, n, "%s", !value ? "free" : o ? o->name : "?");
	} else if (flags & FIELD_GP_SEQ) {
		snprintf(buf, n, "%" PRId64 " %s", (int64_t)value, gp_states[value & 3]);
	} else if (flags & FIELD_TIME) {
		time_name(value, buf, n);
	} else if ((flags & FIELD_LINK) && (value == LIST_POISON1 || value == LIST_POISON2)) {
		snprintf(buf, n, value == LIST_POISON1 ? "LIST_POISON1" : "LIST_POISON2");
	} else if ((flags & FIELD_PTR) && !value) {
		snprintf(buf, n, "NULL");
	} else if (pointer_name(w, value, buf, n)) {
		return;
	} else if (flags & FIELD_HEX) {
		snprintf(buf, n, "0x%" PRIx64, value);
	} else {
		snprintf(buf, n, "%" PRId64, (int64_t)value);
	}
}
