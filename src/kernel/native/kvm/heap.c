/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The heap that native filters lie on: each block has in front of it what kind it is of,
 * and is overwritten when it is freed, so that a vCPU which still looks into it finds
 * nothing that could be taken for a filter.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "k/kernel.h"
#include "kvm/filter.h"
#include "kvm/native.h"

struct block {
	const struct objtype *type;
	size_t size;			/* of what follows */
} __attribute__((aligned(16)));

static void *heap_alloc(size_t size)
{
	return malloc(size);
}

static void heap_release(void *p, size_t size)
{
	(void)size;
	free(p);
}

struct native_kvm_heap native_kvm_heap = { heap_alloc, heap_release };

static struct block *block_of(const void *p)
{
	return (struct block *)(uintptr_t)p - 1;
}

void *native_k_kzalloc(const struct objtype *type, size_t size)
{
	struct block *b = native_kvm_heap.alloc(sizeof(*b) + size);

	if (!b)
		return NULL;
	memset(b + 1, 0, size);
	b->type = type;
	b->size = size;
	return b + 1;
}

void native_k_kfree(void *p)
{
	struct block *b;
	size_t size;

	if (!p)
		return;
	b = block_of(p);
	size = sizeof(*b) + b->size;
	memset(b, NATIVE_KVM_POISON, size);
	/* the compiler knows that nobody may read it, and a quarantine does */
	barrier();
	native_kvm_heap.release(b, size);
}

bool kvm_is_filter(const void *filter, const struct objtype *type)
{
	return block_of(filter)->type == type;
}

/* There is nobody to whom it would be shown. */
void kvm_filter_describe(void *base, const struct field *fields, size_t n, uint32_t count)
{
	(void)base;
	(void)fields;
	(void)n;
	(void)count;
}

void *kvm_filter_kzalloc(const struct kvm_filter_opts *o, const struct objtype *type,
			 const char *label, size_t size)
{
	(void)o;
	return k_kzalloc(type, label, size);
}
