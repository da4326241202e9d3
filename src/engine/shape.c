/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shape of a world, flat: a line for each object, and the values of all their
 * described fields one after the other.
 */
#include <config.h>

#include "engine/internal.h"
#include "engine/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shape_object {
	const char *kind;
	char *name;
	size_t size;
	uint32_t id;
	uint32_t cpu;		/* of a task, plus 1 */
};

struct shape {
	unsigned cpus, online;
	struct shape_object *objs;
	size_t n;
	uint64_t *values;
	size_t nvalues, cap;
};

/* --- the values --- */

/* Calls fn for each field of an object, until it gives false. */
static bool each_value(struct object *o, bool (*fn)(void *arg, struct object *o, void *addr,
						     const struct field *f, uint64_t value), void *arg)
{
	const struct field *f = o->own_fields ? o->own_fields : o->type->fields;

	for (; o->base && f && f->name; f++) {
		for (uint32_t i = 0; i < (f->count ? f->count : 1); i++) {
			size_t off = f->offset + (size_t)i * (f->stride ? f->stride : f->size);
			uint64_t v = 0;

			if (off + f->size > o->size || f->size > sizeof(v))
				break;
			memcpy(&v, (char *)o->base + off, f->size);
			if (!fn(arg, o, (char *)o->base + off, f, v))
				return false;
		}
	}
	return true;
}

static bool keep_value(void *arg, struct object *o, void *addr, const struct field *f, uint64_t v)
{
	struct shape *s = arg;

	(void)o;
	(void)addr;
	(void)f;
	if (!grow(&s->values, &s->cap, s->nvalues + 1, sizeof(*s->values)))
		return false;
	s->values[s->nvalues++] = v;
	return true;
}

struct compared {
	const struct shape *s;
	struct world *w;
	size_t i;
};

static bool same_value(void *arg, struct object *o, void *addr, const struct field *f, uint64_t v)
{
	struct compared *c = arg;
	uint64_t old = c->i < c->s->nvalues ? c->s->values[c->i] : 0;
	char name[160], first[128], second[128];

	c->i++;
	if (v == old)
		return true;
	location_name(c->w, addr, name, sizeof(name), NULL);
	value_name(c->w, old, f, first, sizeof(first));
	value_name(c->w, v, f, second, sizeof(second));
	return world_fail(c->w, "%s '%s' is %s the first time and %s the second", o->type->kind,
			  *name ? name : o->name, first, second);
}

/* --- the objects --- */

static uint32_t cpu_of(struct world *w, const struct object *o)
{
	const struct task *t = task_by_id(w, o->id);

	return t ? t->cpu + 1 : 0;
}

struct shape *shape_take(struct world *w)
{
	struct shape *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->cpus = world_cpus(w);
	s->online = world_online(w);
	s->objs = calloc(world_object_count(w) + 1, sizeof(*s->objs));
	for (; s->objs && s->n < world_object_count(w); s->n++) {
		struct object *o = world_object(w, s->n);
		struct shape_object *so = &s->objs[s->n];

		*so = (struct shape_object){ .kind = o->type->kind, .name = strdup(o->name),
					     .size = o->size, .id = o->id, .cpu = cpu_of(w, o) };
		if (so->name && each_value(o, keep_value, s))
			continue;
		s->n++;
		break;
	}
	if (s->objs && s->n == world_object_count(w) && (!s->n || s->objs[s->n - 1].name))
		return s;
	shape_free(s);
	return NULL;
}

void shape_free(struct shape *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		free(s->objs[i].name);
	free(s->objs);
	free(s->values);
	free(s);
}

static bool same_object(struct world *w, const struct shape_object *a, struct object *b)
{
	uint32_t cpu = cpu_of(w, b);

	if (strcmp(a->kind, b->type->kind) || strcmp(a->name, b->name))
		return world_fail(w, "%s '%s' is made the first time where %s '%s' is the second",
				  a->kind, a->name, b->type->kind, b->name);
	if (a->cpu != cpu)
		return world_fail(w, "%s '%s' is on CPU %u the first time and on CPU %u the second",
				  a->kind, a->name, a->cpu - 1, cpu - 1);
	if (a->size != b->size || a->id != b->id)
		return world_fail(w, "%s '%s' has %zu bytes the first time and %zu the second", a->kind,
				  a->name, a->size, b->size);
	return true;
}

bool shape_check(const struct shape *s, struct world *w)
{
	struct compared c = { .s = s, .w = w };
	size_t n = world_object_count(w);

	if (s->cpus != world_cpus(w) || s->online != world_online(w))
		return world_fail(w, "it has %u CPUs (%u online) the first time and %u (%u online) the second",
				  s->cpus, s->online, world_cpus(w), world_online(w));
	for (size_t i = 0; i < s->n && i < n; i++)
		if (!same_object(w, &s->objs[i], world_object(w, i)) ||
		    !each_value(world_object(w, i), same_value, &c))
			return false;
	if (s->n == n)
		return true;
	if (s->n > n)
		return world_fail(w, "%s '%s' is made the first time and not the second",
				  s->objs[n].kind, s->objs[n].name);
	return world_fail(w, "%s '%s' is made the second time and not the first",
			  world_object(w, s->n)->type->kind, world_object(w, s->n)->name);
}
