/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host keeps of a domain: names for the work items and timers that the kernel's
 * code makes ready, by where they lie, and the memory that it allocates, each piece an
 * object of its own.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <k/kernel.h>

#include "ktree/internal.h"
#include "srcu/wait.h"

/* --- work items and timers --- */

static struct kt_item *item_new(struct srcu *ss, const char *fmt, unsigned cpu)
{
	char *name = srcu_name_with(ss, fmt, cpu);
	size_t n = name ? strlen(name) + 1 : 0;
	struct kt_item *i = name ? arena_alloc(ss->obj->w, sizeof(*i) + n) : NULL;

	if (!i)
		return NULL;
	i->ss = ss;
	memcpy(i->name, name, n);
	return i;
}

bool kt_items_init(struct srcu *ss)
{
	struct kt_domain *d = kt_domain(ss);

	d->sync_label = srcu_name_with(ss, ":sync", 0);
	d->gp = item_new(ss, ":gp", 0);
	if (!d->sync_label || !d->gp)
		return false;
	for (unsigned cpu = 0; !kt_is_tiny(kt_of(ss)) && cpu < world_cpus(ss->obj->w); cpu++) {
		d->cpu[cpu].work = item_new(ss, ":cb%u", cpu);
		d->cpu[cpu].timer = item_new(ss, ":%u", cpu);
		if (!d->cpu[cpu].work || !d->cpu[cpu].timer)
			return false;
	}
	return true;
}

bool kt_cpu_of(const struct srcu *ss, const void *p, unsigned *cpu)
{
	const char *sda = kt_domain(ss)->sda;

	if (!sda || (const char *)p < sda ||
	    (const char *)p >= sda + (size_t)KTREE_PCPU_STRIDE * world_cpus(ss->obj->w))
		return false;
	*cpu = (unsigned)(((const char *)p - sda) / KTREE_PCPU_STRIDE);
	return true;
}

/* One that the tree does not have which the names were made for: the place's name, and a
 * number, from 2 on. */
static struct kt_item *other_item(struct srcu *ss, const void *at, const char *fmt, unsigned cpu)
{
	struct kt_domain *d = kt_domain(ss);
	char numbered[32];
	struct kt_item *i;
	unsigned n = 2;

	for (i = d->others; i; i = i->next, n++)
		if (i->at == at)
			return i;
	snprintf(numbered, sizeof(numbered), "%s%s%u", fmt, strchr(fmt, '%') ? "." : "", n);
	i = item_new(ss, numbered, cpu);
	if (!i)
		return NULL;
	i->next = d->others;
	d->others = i;
	return i;
}

struct kt_item *kt_item_at(struct srcu *ss, struct kt_item *own, const void *at, const char *fmt,
			   unsigned cpu)
{
	struct kt_item *i = own;

	if (!own || (own->at && own->at != at))
		i = other_item(ss, at, fmt, cpu);
	if (i)
		i->at = at;
	return i;
}

/* --- memory --- */

const struct objtype kt_memory_type = { .kind = "kernel memory" };

/* "ss.sup", and if there was one before, "ss.sup.2". */
static struct object *memory_new(struct srcu *ss, const char *suffix, size_t size)
{
	struct world *w = ss->obj->w;
	struct object *o = NULL;
	char fmt[32];
	char *name;

	for (unsigned n = 1; !o; n++) {
		if (n == 1)
			snprintf(fmt, sizeof(fmt), ".%s", suffix);
		else
			snprintf(fmt, sizeof(fmt), ".%s.%u", suffix, n);
		name = srcu_name_with(ss, fmt, 0);
		if (!name)
			return NULL;
		o = object_by_name(w, name);
		if (o && o->type == &kt_memory_type && o->impl == ss) {
			o = NULL;
			continue;
		}
		o = object_new_unique(w, &kt_memory_type, name, size);
		if (!o)
			return NULL;
	}
	o->impl = ss;
	return o;
}

static const struct field *fields_of(const struct ktree *k, enum ktree_struct s)
{
	_Static_assert(sizeof(struct field) == sizeof(struct ktree_field) &&
		       offsetof(struct field, flags) == offsetof(struct ktree_field, flags) &&
		       offsetof(struct field, stride) == offsetof(struct ktree_field, stride),
		       "both sides lay fields out alike");
	return (const struct field *)k->image->fields[s];
}

void *kt_memory(struct srcu *ss, size_t n, size_t size)
{
	const struct ktree *k = kt_of(ss);
	struct kt_domain *d = kt_domain(ss);
	bool sup = n == 1 && size && size == k->image->sup_size;
	bool tree = !sup && size && size == k->image->snp_size;
	struct object *o;

	if (size && n > UINT32_MAX / 4 / size) {
		world_fail(ss->obj->w, "out of simulated memory");
		return NULL;
	}
	o = memory_new(ss, sup ? "sup" : tree ? "tree" : "mem", n * size);
	if (!o || (sup && !object_describe(o, o->base, NULL, fields_of(k, KTREE_SUP), size)) ||
	    (tree && !object_describe_run(o, o->base, "node", fields_of(k, KTREE_SNP), size, n)))
		return NULL;
	if (sup)
		d->sup = o->base;
	if (tree)
		d->tree = o->base;
	return o->base;
}

void *kt_memory_percpu(struct srcu *ss, size_t size)
{
	const struct ktree *k = kt_of(ss);
	unsigned ncpus = world_cpus(ss->obj->w);
	bool sda = size == k->image->sdp_size;
	struct object *o;

	if (size > KTREE_PCPU_STRIDE) {
		world_fail(ss->obj->w, "%zu bytes of per-CPU data are more than the %d that there is "
			   "room for", size, KTREE_PCPU_STRIDE);
		return NULL;
	}
	o = memory_new(ss, sda ? "sda" : "pcpu", (size_t)KTREE_PCPU_STRIDE * ncpus);
	if (!o || !object_describe_run(o, o->base, "cpu", sda ? fields_of(k, KTREE_SDP) : NULL,
				       KTREE_PCPU_STRIDE, ncpus))
		return NULL;
	if (sda)
		kt_domain(ss)->sda = o->base;
	return o->base;
}

/* --- what is nobody's memory --- */

/* Of the object at p, the part that the kernel knows: not what the host keeps behind it,
 * and of per-CPU data not what lies between the copies.  NULL: there is none. */
static const char *part_at(struct srcu *ss, const void *p, size_t *size)
{
	const struct kt_domain *d = kt_domain(ss);
	const struct object *o = object_at(ss->obj->w, p);
	size_t at;

	if (!o)
		return NULL;
	at = (size_t)((const char *)p - (const char *)o->base);
	*size = o->size;
	if (o->base == ss->impl) {
		*size = kt_of(ss)->image->ssp_size;
	} else if (o->base == d->sda) {
		*size = kt_of(ss)->image->sdp_size;
		return (const char *)o->base + at / KTREE_PCPU_STRIDE * KTREE_PCPU_STRIDE;
	}
	return o->base;
}

bool kt_is_memory(struct srcu *ss, const void *p, size_t size)
{
	size_t have;
	const char *part = part_at(ss, p, &have), *at = p;

	return part && at - part < (ptrdiff_t)have && size <= have - (size_t)(at - part);
}

/* What stands before that place, as far as it is looked for. */
#define LOOK_BACK 4096

char *kt_where_outside(struct srcu *ss, const void *p)
{
	struct world *w = ss->obj->w;
	const char *at = p, *part = NULL;
	const struct object *o;
	size_t have = 0, back = 0;
	char *text;

	for (; !part && back < LOOK_BACK && arena_contains(w, at - back); back += !part)
		part = part_at(ss, at - back, &have);
	o = part ? object_at(w, part) : NULL;
	if (!arena_contains(w, p))
		return strdup("of memory that is not simulated");
	if (!o)
		return strdup("of simulated memory far from anything");
	if (at < part + have)
		return asprintf(&text, "at the end of %s and beyond", o->name) < 0 ? NULL : text;
	return asprintf(&text, "%td behind the end of %s", at - (part + have), o->name) < 0 ? NULL : text;
}
