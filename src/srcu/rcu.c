/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plain RCU: the API, on an ideal domain (ideal.c) that a world has one of.
 */
#include <config.h>

#include <string.h>

#include <k/kernel.h>

#include "engine/world.h"
#include "srcu/ideal.h"
#include "srcu/rcu.h"

#define RCU_NAME "rcu_state"	/* which name_is_valid() keeps from others */

const struct objtype rcu_objtype = {
	.kind = "rcu", .destroy = srcu_destroy, .impl_size = sizeof(struct srcu)
};

bool srcu_is_rcu(const struct srcu *ss)
{
	return ss->ops == &srcu_rcu_ops;
}

struct srcu *rcu_find(struct world *w)
{
	struct object *o = object_by_name(w, RCU_NAME);

	return o ? o->impl : NULL;
}

static struct srcu *rcu_domain(void)
{
	struct world *w = task_current()->w;
	struct srcu *ss = rcu_find(w);

	if (!ss)
		ss = srcu_new_unique(w, RCU_NAME, &rcu_objtype, &srcu_rcu_ops);
	if (!ss) {
		world_violate(w, "error", strdup(world_error(w)), task_current(), NULL);
		task_fail();
	}
	return ss;
}

void rcu_read_lock(void)
{
	static const struct kapi api = { "rcu_read_lock", KAPI_READ_LOCK };
	struct srcu *ss = rcu_domain();

	kapi_enter(&api, ss, 0);
	ss->ops->read_lock(ss);
	task_current()->ctx.rcu++;
	kapi_exit(0);
}

void rcu_read_unlock(void)
{
	static const struct kapi api = { "rcu_read_unlock", KAPI_READ_UNLOCK };
	struct srcu *ss = rcu_domain();

	kapi_enter(&api, ss, 0);
	ss->ops->read_unlock(ss, 0);
	if (task_current()->ctx.rcu)
		task_current()->ctx.rcu--;
	kapi_exit(0);
}

void synchronize_rcu(void)
{
	static const struct kapi api = { "synchronize_rcu", KAPI_SYNCHRONIZE };
	struct srcu *ss = rcu_domain();

	kapi_enter(&api, ss, 0);
	ss->ops->synchronize(ss);
	kapi_exit(0);
}

void call_rcu(struct rcu_head *head, rcu_callback_t func)
{
	static const struct kapi api = { "call_rcu", KAPI_CALL };
	struct srcu *ss = rcu_domain();

	kapi_enter(&api, ss, (uintptr_t)head);
	kapi_exit(ss->ops->call(ss, head, func));
}

void rcu_barrier(void)
{
	static const struct kapi api = { "rcu_barrier", KAPI_BARRIER };
	struct srcu *ss = rcu_domain();

	kapi_enter(&api, ss, 0);
	ss->ops->barrier(ss);
	kapi_exit(0);
}

/* --- kfree_rcu() --- */

/* The kernel keeps the head in the object itself; a script's object has no room. */
struct free_later {
	struct rcu_head head;
	void *p;
	struct object *self;
};

static const struct field free_later_fields[] = {
	{ .name = "queued", .offset = offsetof(struct free_later, head.queued), .size = 8 },
	{ .name = "object", .offset = offsetof(struct free_later, p), .size = 8,
	  .flags = FIELD_PTR },
	{ 0 }
};

static const struct objtype free_later_type = {
	.kind = "kfree_rcu", .fields = free_later_fields
};

static void free_now(struct rcu_head *head)
{
	struct free_later *f = container_of(head, struct free_later, head);

	kfree(f->p);
	srcu_stack_object_over(f->self);
}

void kfree_rcu(void *p)
{
	static const struct kapi api = { "kfree_rcu", KAPI_CALL };
	struct srcu *ss = rcu_domain();
	struct free_later *f;
	struct object *o;

	if (!p)
		return;
	o = srcu_stack_object(ss, &free_later_type, "kfree_rcu", sizeof(*f));
	f = o->base;
	f->p = p;
	f->self = o;
	kapi_enter(&api, ss, (uintptr_t)&f->head);
	kapi_exit(ss->ops->call(ss, &f->head, free_now));
}
