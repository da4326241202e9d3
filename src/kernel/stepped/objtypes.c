/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptions of the kernel's basic objects, for those who print them and for
 * those who make them: the binding, and C code such as KVM's.
 */
#include <config.h>

#include "k/list.h"
#include "k/lock.h"
#include "k/wait.h"
#include "k/objtypes.h"

/* The member that stands for its object: without a name of its own. */
#define FIELD_SELF(type, member, flags_) \
	{ .name = "", .offset = offsetof(type, member), \
	  .size = sizeof(((type *)0)->member), .flags = (flags_) }

/* `since` serves messages only: no task reads it, nobody wants it listed. */
static const struct field mutex_fields[] = {
	FIELD_SELF(struct mutex, owner, FIELD_OWNER),
	{0}
};
const struct objtype mutex_objtype = { .kind = "mutex", .fields = mutex_fields };

static const struct field spinlock_fields[] = {
	FIELD_SELF(struct spinlock, owner, FIELD_OWNER),
	{0}
};
const struct objtype spinlock_objtype = { .kind = "spinlock", .fields = spinlock_fields };

static const struct field completion_fields[] = {
	FIELD_SELF(struct completion, done, 0),
	{0}
};
const struct objtype completion_objtype = { .kind = "completion", .fields = completion_fields };

static const struct field var_fields[] = {
	{ .name = "", .size = sizeof(int64_t) },
	{0}
};
const struct objtype var_objtype = { .kind = "var", .fields = var_fields };

static const struct field ptr_fields[] = {
	{ .name = "", .size = sizeof(uint64_t), .flags = FIELD_PTR },
	{0}
};
const struct objtype ptr_objtype = { .kind = "ptr", .fields = ptr_fields };

static const struct field rwsem_fields[] = {
	FIELD_SELF(struct rw_semaphore, owner, FIELD_OWNER),
	FIELD(struct rw_semaphore, readers),
	FIELD(struct rw_semaphore, waiters),
	{0}
};
const struct objtype rwsem_objtype = { .kind = "rwsem", .fields = rwsem_fields };

static const struct field list_fields[] = {
	FIELD(struct list_head, next, .flags = FIELD_PTR),
	FIELD(struct list_head, prev, .flags = FIELD_PTR),
	{0}
};
const struct objtype list_objtype = { .kind = "list_head", .fields = list_fields };

static const struct field waitqueue_fields[] = {
	FIELD_SELF(struct wait_queue_head, waiting, 0),
	{0}
};
const struct objtype waitqueue_objtype = { .kind = "waitqueue", .fields = waitqueue_fields };

const struct objtype heap_objtype = { .kind = "kmalloc" };

static size_t object_size(const struct objtype *type)
{
	if (type == &mutex_objtype)
		return sizeof(struct mutex);
	if (type == &spinlock_objtype)
		return sizeof(struct spinlock);
	if (type == &completion_objtype)
		return sizeof(struct completion);
	if (type == &rwsem_objtype)
		return sizeof(struct rw_semaphore);
	if (type == &list_objtype)
		return sizeof(struct list_head);
	if (type == &waitqueue_objtype)
		return sizeof(struct wait_queue_head);
	return sizeof(uint64_t);
}

struct object *k_object_new(struct world *w, const struct objtype *type, const char *name)
{
	struct object *o = object_new(w, type, name, object_size(type));

	if (o)
		o->impl = o->base;
	return o;
}
