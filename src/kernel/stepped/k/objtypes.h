/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kinds of the kernel's basic objects: what tostring() calls them and how
 * their locations are named.  A field called "" is the object itself: the
 * owner of mutex "vm.lock" prints as "vm.lock".  Such an object's `impl` is its
 * `base`: the C structure lies in simulated memory.
 */
#ifndef K_OBJTYPES_H
#define K_OBJTYPES_H

#include "engine/object.h"

extern const struct objtype mutex_objtype;	/* "mutex": struct mutex */
extern const struct objtype spinlock_objtype;	/* "spinlock": struct spinlock */
extern const struct objtype completion_objtype;	/* "completion": struct completion */
extern const struct objtype var_objtype;	/* "var": a 64-bit integer */
extern const struct objtype ptr_objtype;	/* "ptr": an address, 0 for NULL */
extern const struct objtype rwsem_objtype;	/* "rwsem": struct rw_semaphore */
extern const struct objtype waitqueue_objtype;	/* "waitqueue": struct wait_queue_head */
extern const struct objtype list_objtype;	/* "list_head": struct list_head */
extern const struct objtype heap_objtype;	/* "kmalloc": fields in object.own_fields */

/* A zeroed object of one of these kinds but the last two: an unlocked lock, a
 * NULL pointer.  NULL with world_error() set. */
struct object *k_object_new(struct world *w, const struct objtype *type, const char *name);

#endif
