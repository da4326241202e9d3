/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects: identity, names, and what a location and a value are called.
 */
#include <config.h>

#include "engine/internal.h"
#include "k/list.h"

#include <inttypes.h>
#include <search.h>
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

static int cmp_name(const void *a, const void *b)
{
	return strcmp(((const struct object *)a)->name, ((const struct object *)b)->name);
}

static int cmp_label(const void *a, const void *b)
{
	const struct label_count *x = a, *y = b;

	if (x->creator != y->creator)
		return x->creator < y->creator ? -1 : 1;
	return strcmp(x->label, y->label);
}

/* The how-manieth thing of this label by this creator, from 1; 0: no memory. */
static uint32_t count_label(struct world *w, uint32_t creator, const char *label)
{
	size_t n = strlen(label) + 1;
	struct label_count *key = malloc(sizeof(*key) + n), **found;

	if (!key)
		return 0;
	key->creator = creator;
	key->count = 0;
	memcpy(key->label, label, n);
	found = tsearch(key, &w->labels, cmp_label);
	if (!found || *found != key)
		free(key);
	return found ? ++(*found)->count : 0;
}

static void object_free(struct object *o)
{
	if (o->type->destroy)
		o->type->destroy(o);
	free((void *)o->own_fields);
	free(o->lock_class);
	free(o->label);
	free(o->name);
	free(o);
}

/* Takes `name`.  The object has no memory yet. */
struct object *object_make(struct world *w, const struct objtype *type,
			   const char *label, char *name, uint32_t id, uint32_t creator)
{
	struct object *o = calloc(1, sizeof(*o)), **found;

	if (!o || !grow(&w->objs, &w->objs_cap, w->nobjs + 1, sizeof(*w->objs)) ||
	    !grow(&w->by_id, &w->by_id_cap, (size_t)id + 1, sizeof(*w->by_id)) ||
	    !(o->label = strdup(label))) {
		free(name);
		free(o);
		world_oom(w);
		return NULL;
	}
	o->type = type;
	o->w = w;
	o->id = id;
	o->creator = creator;
	o->name = name;
	found = tsearch(o, &w->names, cmp_name);
	if (!found || *found != o) {
		/* "a@t.1" may be a name that the scenario gave */
		if (found)
			world_fail(w, "name \"%s\" is taken by a %s", name, (*found)->type->kind);
		else
			world_oom(w);
		free(o->label);
		free(name);
		free(o);
		return NULL;
	}
	w->objs[w->nobjs++] = o;
	w->by_id[id] = o;
	return o;
}

/* The printed name, malloced: the label among what the world makes (a clash is
 * an error), label@creator.n for what a task makes. */
static char *make_name(struct world *w, const char *label, uint32_t *nth)
{
	struct task *t = task_current();
	struct object *clash;
	char *name = NULL;

	if (!name_is_valid(label)) {
		world_fail(w, "'%s' is no name: letters, digits and _.:/@#- make one", label);
		return NULL;
	}
	if (!t) {
		clash = object_by_name(w, label);
		if (clash) {
			world_fail(w, "name \"%s\" is taken by a %s", label, clash->type->kind);
			return NULL;
		}
		*nth = 1;
		name = strdup(label);
	} else {
		*nth = count_label(w, task_id(t), label);
		if (!*nth || asprintf(&name, "%s@%s.%u", label, task_name(t), *nth) < 0)
			name = NULL;
	}
	if (!name)
		world_oom(w);
	return name;
}

struct object *object_new(struct world *w, const struct objtype *type,
			  const char *label, size_t size)
{
	struct task *t = task_current();
	uint32_t id, nth = 0, creator = creator_id();
	char *name = make_name(w, label, &nth);
	struct object *o;

	if (!name)
		return NULL;
	if (!w->clock) {
		/* memory ran out when the world was built again: back() and reset() try anew */
		free(name);
		world_oom(w);
		return NULL;
	}
	w->frozen = true;
	id = idspace_get(w->ids, creator, t ? t->made++ : w->made++);
	if (!id) {
		free(name);
		world_oom(w);
		return NULL;
	}
	o = object_make(w, type, label, name, id, creator);
	if (!o)
		return NULL;
	o->nth = nth;
	if (size) {
		o->base = arena_alloc(w, size);
		o->size = size;
		if (!o->base || !object_describe(o, o->base, NULL, type->fields, size)) {
			/* it has a name already, and handles from before a rebuild */
			o->state = OBJECT_DESTROYED;
			return NULL;
		}
	}
	return o;
}

struct object *object_new_unique(struct world *w, const struct objtype *type,
				 const char *name, size_t size)
{
	uint32_t id = idspace_by_name(w->ids, name);
	char *copy = strdup(name);
	struct object *o;

	if (!id || !copy) {
		free(copy);
		world_oom(w);
		return NULL;
	}
	w->frozen = true;
	o = object_make(w, type, name, copy, id, IDENT_WORLD);
	if (!o)
		return NULL;
	o->base = arena_alloc_for(w, id, size);
	o->size = size;
	if (!o->base || !object_describe(o, o->base, NULL, type->fields, size))
		return NULL;
	return o;
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

struct object *object_by_name(struct world *w, const char *name)
{
	struct object key = { .name = (char *)name }, **found = tfind(&key, &w->names, cmp_name);

	return found ? *found : NULL;
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

static void free_nothing(void *p)
{
	(void)p;
}

void objects_release(struct world *w)
{
	tdestroy(w->names, free_nothing);
	w->names = NULL;
	tdestroy(w->labels, free);
	w->labels = NULL;
	for (size_t i = w->nobjs; i--;)
		object_free(w->objs[i]);
	free(w->objs);
	free(w->by_id);
	w->objs = w->by_id = NULL;
	w->nobjs = w->objs_cap = w->by_id_cap = 0;
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
		snprintf(buf, n, "%" PRIu64 " %s", value, gp_states[value & 3]);
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
