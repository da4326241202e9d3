/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A world's own copy of an image's static data.  It hangs on an object of the world, so
 * that it comes and goes with the world's executions; the data of the world that runs
 * lies in the image, and is exchanged when another one enters.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktree/internal.h"

struct instance {
	struct ktree *k;
	bool booted;
	char by[64];			/* the first domain, whose ... */
	struct srcu_opts chosen;	/* ... options these are */
	_Alignas(16) char data[];
};

static size_t data_size(const struct ktree *k)
{
	return (size_t)((char *)k->image->data_end - (char *)k->image->data);
}

static struct instance *find(const struct ktree *k, struct world *w)
{
	struct object *o = *k->instance_name ? object_by_name(w, k->instance_name) : NULL;

	return o && o->type == &k->instance_type ? o->impl : NULL;
}

/* What lies in the image is the object's no longer, and not to be kept. */
static void instance_reset(struct object *o)
{
	struct instance *i = o->impl;

	if (i && i->k->owner == o->w)
		i->k->owner = NULL;
}

static void instance_destroy(struct object *o)
{
	instance_reset(o);
	free(o->impl);
	o->impl = NULL;
}

/* The image as it was loaded, of which each world begins with a copy. */
static bool prepare(struct ktree *k, struct world *w)
{
	static unsigned count;

	if (!k->pristine) {
		k->pristine = malloc(data_size(k) ? data_size(k) : 1);
		if (!k->pristine)
			return world_fail(w, "out of memory");
		memcpy(k->pristine, k->image->data, data_size(k));
	}
	if (*k->instance_name)
		return true;
	k->instance_type = (struct objtype){
		.kind = "kernel image", .destroy = instance_destroy, .reset = instance_reset,
		.impl_size = sizeof(struct instance) + data_size(k) };
	/* blanks: no name that anybody can give */
	snprintf(k->instance_name, sizeof(k->instance_name), "kernel image %u", ++count);
	return true;
}

static struct instance *make(struct ktree *k, struct world *w)
{
	struct object *o = prepare(k, w) ?
		object_new_unique(w, &k->instance_type, k->instance_name, 0) : NULL;
	struct instance *i = o ? malloc(k->instance_type.impl_size) : NULL;

	if (!i) {
		if (o) {
			o->state = OBJECT_DESTROYED;
			world_fail(w, "out of memory");
		}
		return NULL;
	}
	memset(i, 0, sizeof(*i));
	i->k = k;
	memcpy(i->data, k->pristine, data_size(k));
	o->impl = i;
	return i;
}

bool ktree_enter(struct ktree *k, struct world *w)
{
	struct instance *i, *before;

	if (k->owner == w)
		return true;
	i = find(k, w);
	if (!i)
		i = make(k, w);
	if (!i)
		return false;
	before = k->owner ? find(k, k->owner) : NULL;
	if (before)
		memcpy(before->data, k->image->data, data_size(k));
	memcpy(k->image->data, i->data, data_size(k));
	k->owner = w;
	k->host->watch_base = (uintptr_t)arena_addr(w, 0);
	k->host->watch_size = world_arena_size(w);
	return true;
}

void kt_keep(struct ktree *k, struct world *w)
{
	struct instance *i = find(k, w);

	if (i && k->owner == w)
		memcpy(i->data, k->image->data, data_size(k));
}

/* --- what the first domain decides for all --- */

static const struct ktree_param *find_param(const struct ktree *k, const char *name)
{
	for (const struct ktree_param *p = k->image->params; p < k->image->params_end; p++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

static bool has_param(const struct ktree *k, struct world *w, const char *option, const char *name)
{
	return find_param(k, name) ||
	       world_fail(w, "%s: this kernel tree has no parameter \"%s\" for it", option, name);
}

static void set_param(const struct ktree *k, const char *name, uint64_t value)
{
	const struct ktree_param *p = find_param(k, name);

	switch (p ? p->size : 0) {
	case 1:
		*(uint8_t *)p->var = (uint8_t)value;
		break;
	case 2:
		*(uint16_t *)p->var = (uint16_t)value;
		break;
	case 4:
		*(uint32_t *)p->var = (uint32_t)value;
		break;
	case 8:
		*(uint64_t *)p->var = value;
		break;
	default:
		break;
	}
}

static bool differs(struct world *w, const struct instance *i, const char *option)
{
	return world_fail(w, "%s: a kernel has one setting for all its domains, and %s was made "
			  "with another", option, i->by);
}

/* An option that is not given is whatever the first domain has made it. */
static bool agrees(struct world *w, const struct instance *i, const struct srcu_opts *o)
{
	const struct srcu_opts *c = &i->chosen;

	if (o->size != SRCU_SIZE_OPT_AUTO && o->size != c->size)
		return differs(w, i, "size");
	if (o->fanout && o->fanout != c->fanout)
		return differs(w, i, "fanout");
	if (o->fanout_leaf && o->fanout_leaf != c->fanout_leaf)
		return differs(w, i, "fanout_leaf");
	if (o->has_contention_lim &&
	    (!c->has_contention_lim || o->contention_lim != c->contention_lim))
		return differs(w, i, "small_contention_lim");
	if (o->has_exp_holdoff && (!c->has_exp_holdoff || o->exp_holdoff != c->exp_holdoff))
		return differs(w, i, "exp_holdoff");
	return true;
}

bool kt_check_settings(struct ktree *k, struct world *w, const struct srcu_opts *o)
{
	const struct instance *i = find(k, w);

	if ((o->size != SRCU_SIZE_OPT_AUTO && !has_param(k, w, "size", "convert_to_big")) ||
	    (o->has_contention_lim &&
	     !has_param(k, w, "small_contention_lim", "small_contention_lim")) ||
	    (o->has_exp_holdoff && !has_param(k, w, "exp_holdoff", "exp_holdoff")))
		return false;
	return !i || !i->booted || agrees(w, i, o);
}

/* Values of the kernel's convert_to_big: never; when a domain is made. */
enum { CONVERT_NONE = 0, CONVERT_INIT = 1 };

static void boot(struct srcu *ss)
{
	const struct ktree *k = kt_of(ss);
	const struct srcu_opts *o = &ss->opts;

	if (o->size != SRCU_SIZE_OPT_AUTO)
		set_param(k, "convert_to_big",
			  o->size == SRCU_SIZE_OPT_BIG ? CONVERT_INIT : CONVERT_NONE);
	if (o->has_contention_lim)
		set_param(k, "small_contention_lim", o->contention_lim);
	if (o->has_exp_holdoff)
		set_param(k, "exp_holdoff", o->exp_holdoff);
	if (!k->image->boot(o->fanout, o->fanout_leaf))
		kt_setup_fail("this kernel tree was not built for a combining tree of that shape: "
			      "load it with nr_cpus, fanout and fanout_leaf as they are wanted");
}

bool kt_boot(struct srcu *ss, const struct srcu_opts *o)
{
	struct ktree *k = kt_of(ss);
	struct world *w = ss->obj->w;
	struct instance *i;

	if (!ktree_enter(k, w))
		return false;
	i = find(k, w);
	if (i->booted)
		return true;
	i->chosen = *o;
	snprintf(i->by, sizeof(i->by), "%s", ss->obj->name);
	if (!kt_setup(ss, boot))
		return false;
	i->booted = true;
	return true;
}
