/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Classes of locks: locks that are used alike are one, as "vm1.lock" and "vm2.lock"
 * are.  What a script makes goes by its name, without the numbers of what it belongs
 * to, unless it is given a class; a lock inside a structure goes by the kind of that.
 */
#include <config.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/lockorder.h"
#include "engine/internal.h"
#include "k/objtypes.h"

/* The number of the class of that name, made when there is none. */
static bool intern(struct trace *tr, const char *name, uint16_t *cls)
{
	struct lockorder *lo = tr->c->lockorder;

	for (size_t i = 0; i < lo->nclasses; i++)
		if (!strcmp(lo->classes[i].name, name)) {
			*cls = (uint16_t)i;
			return true;
		}
	if (lo->nclasses == UINT16_MAX ||
	    !check_grow(tr->c, (void **)&lo->classes, &lo->classes_cap, lo->nclasses + 1,
			sizeof(*lo->classes)))
		return false;
	lo->classes[lo->nclasses] = (struct lk_class){ .name = strdup(name) };
	if (!lo->classes[lo->nclasses].name)
		return false;
	*cls = (uint16_t)lo->nclasses++;
	return true;
}

/* "vm1.lock" becomes "vm.lock", "cpu0.lock[1]" "cpu.lock": what an array or a series of
 * things has for numbers.  Those at the end of the name are part of it. */
static void without_numbers(char *s)
{
	char *out = s, *part = s;

	for (; *s; s++) {
		if (*s == '[') {
			s += strcspn(s, "]");
			if (!*s)
				break;
			continue;
		}
		if (*s == '.') {
			while (out > part + 1 && isdigit((unsigned char)out[-1]))
				out--;
			part = out + 1;
		}
		*out++ = *s;
	}
	*out = '\0';
}

static bool is_lock(const struct objtype *type)
{
	return type == &mutex_objtype || type == &spinlock_objtype || type == &rwsem_objtype;
}

/* The name of the class that an object, or a lock inside it, belongs to. */
static void class_name(struct world *w, const struct object *o, const void *loc, char *buf, size_t n)
{
	char name[128];

	if (o->lock_class) {
		snprintf(buf, n, "%s %s", o->type->kind, o->lock_class);
		return;
	}
	if (!loc || is_lock(o->type)) {
		snprintf(name, sizeof(name), "%s", o->label);
		without_numbers(name);
		snprintf(buf, n, "%s %s", o->type->kind, name);
		return;
	}
	location_name(w, loc, name, sizeof(name), NULL);
	snprintf(buf, n, "%s%s", o->type->kind,
		 strncmp(name, o->name, strlen(o->name)) ? "" : name + strlen(o->name));
	without_numbers(buf);
}

static bool look_up(struct trace *tr, uint64_t key, const struct object *o, const void *loc,
		    uint16_t *cls)
{
	struct lockorder *lo = tr->c->lockorder;
	struct lk_known *k = lo->known, *end = k + lo->nknown;
	const char *label = o->lock_class ? o->lock_class : o->label;
	char name[160];

	while (k < end && k->key != key)
		k++;
	/* another execution may have made something else there */
	if (k < end && k->type == o->type && !strcmp(k->label, label)) {
		*cls = k->cls;
		return true;
	}
	class_name(tr->w, o, loc, name, sizeof(name));
	if (!intern(tr, name, cls))
		return false;
	if (k == end) {
		if (!check_grow(tr->c, (void **)&lo->known, &lo->known_cap, lo->nknown + 1,
				sizeof(*lo->known)))
			return false;
		k = &lo->known[lo->nknown++];
	} else {
		free(k->label);
	}
	*k = (struct lk_known){ .key = key, .type = o->type, .label = strdup(label), .cls = *cls };
	if (!k->label)
		k->label = strdup("");
	return k->label;
}

bool lk_class_of(struct trace *tr, uint32_t off, uint16_t *cls)
{
	void *loc = arena_addr(tr->w, off);
	const struct object *o = object_at(tr->w, loc);

	return o ? look_up(tr, off, o, loc, cls) : intern(tr, "lock", cls);
}

bool lk_class_of_object(struct trace *tr, const struct object *o, uint16_t *cls)
{
	return look_up(tr, (uint64_t)1 << 32 | o->id, o, NULL, cls);
}
