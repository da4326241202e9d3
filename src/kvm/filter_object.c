/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filters as objects of a world: what they are found to be and described as, and how one
 * is allocated.  The native build has its own: kernel/native/kvm/heap.c.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "engine/world.h"
#include "k/kernel.h"
#include "kvm/filter.h"

bool kvm_is_filter(const void *filter, const struct objtype *type)
{
	struct object *o = object_at(task_current()->w, filter);

	return o && o->type == type && o->base == filter;
}

void kvm_filter_describe(void *base, const struct field *fields, size_t n, uint32_t count)
{
	struct object *o = object_at(task_current()->w, base);
	struct field *own = calloc(n + 1, sizeof(*own));

	if (!own)
		return;
	memcpy(own, fields, n * sizeof(*own));
	if (count)
		own[n - 1].count = count;
	o->own_fields = own;
	object_describe(o, base, NULL, own, o->size);
}

void *kvm_filter_kzalloc(const struct kvm_filter_opts *o, const struct objtype *type,
			 const char *label, size_t size)
{
	if (o->may_fail &&
	    K_EV(K_SITE(OP_CHOOSE, ORD_NONE, 0, "kzalloc", "size", NULL), NULL, 0, 2, 0) == 2)
		return NULL;
	return k_kzalloc(type, label, size);
}
