/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel tree's SRCU as one more implementation of struct srcu_ops: each call enters
 * the image on behalf of its domain.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <k/kernel.h>

#include "engine/hop.h"
#include "engine/switch.h"
#include "ktree/internal.h"
#include "srcu/wait.h"

/* What a task needs of stack from synchronize_srcu() on: the image's own frames are
 * small, reporting a violation takes the most. */
#ifdef HAVE_ASAN
#define STACK_CALL_SIZE (256 * 1024)
#else
#define STACK_CALL_SIZE (32 * 1024)
#endif

/* --- a domain's life --- */

static bool check_tiny(struct world *w, const struct srcu_opts *o)
{
	if (world_cpus(w) != 1)
		return world_fail(w, "the tiny flavor is for one CPU and this world has %u: "
				  "call cpus(1) first", world_cpus(w));
	if (task_current())
		return world_fail(w, "a domain of the tiny flavor is made before the threads run");
	return srcu_refuse_tree_opts(w, "tiny", o, false);
}

static bool kt_check_opts(struct world *w, const struct srcu_ops *ops, const struct srcu_opts *o)
{
	struct ktree *k = kt_of(&(const struct srcu){ .ops = ops });

	if (o->faults)
		return world_fail(w, "faults: a kernel tree has no faults: change a copy of it");
	if (o->counter_bits || o->seq_bits)
		return world_fail(w, "%s: a kernel tree has no such thing: its numbers have the bits "
				  "that they have", o->counter_bits ? "counter_bits" : "seq_bits");
	if (world_cpus(w) > k->image->nr_cpus)
		return world_fail(w, "this kernel tree was built for %u CPUs and this world has %u: "
				  "load it with nr_cpus = %u", k->image->nr_cpus, world_cpus(w),
				  world_cpus(w));
	if (kt_is_tiny(k))
		return check_tiny(w, o);
	return kt_check_settings(k, w, o);
}

static void init_by_kernel(struct srcu *ss)
{
	int err = kt_of(ss)->image->init(ss->impl);

	if (err)
		kt_setup_fail("init_srcu_struct() of \"%s\" returned %d", ss->obj->name, err);
}

/* As DEFINE_SRCU() has it: sup and sda are static, too. */
static void init_static(struct srcu *ss)
{
	const struct ktree_image *image = kt_of(ss)->image;
	void *sup = image->sup_size ? kt_memory(ss, 1, image->sup_size) : NULL;
	void *sda = image->sdp_size ? kt_memory_percpu(ss, image->sdp_size) : NULL;

	if ((image->sup_size && !sup) || (image->sdp_size && !sda))
		kt_setup_fail("%s", world_error(ss->obj->w));
	if (sup)
		object_at(ss->obj->w, sup)->is_static = true;
	if (sda)
		object_at(ss->obj->w, sda)->is_static = true;
	image->init_static(ss->impl, sup, sda);
}

static bool kt_init(struct srcu *ss, const struct srcu_opts *o)
{
	struct ktree *k = kt_of(ss);

	if (!kt_items_init(ss) || !kt_boot(ss, o))
		return false;
	if (kt_is_tiny(k))
		world_set_voluntary(ss->obj->w);
	/* by init_srcu_struct(): all of it are steps */
	if (ss->inits)
		return true;
	return kt_setup(ss, o->is_static ? init_static : init_by_kernel);
}

static void kt_init_struct(struct srcu *ss)
{
	int err = kt_enter(ss)->init(ss->impl);
	char *m = NULL;

	if (!err)
		return;
	if (asprintf(&m, "init_srcu_struct() of %s returned %d, and %s goes on as if it had not.",
		     ss->obj->name, err, task_name(task_current())) < 0)
		m = NULL;
	world_violate(ss->obj->w, "error", m, task_current(), NULL);
	task_fail();
}

static bool is_freed(struct srcu *ss, const void *p)
{
	const struct object *o = p ? object_at(ss->obj->w, p) : NULL;

	return o && o->state == OBJECT_FREED;
}

/* The kernel's has no result: it has warned, or it has freed what it had. */
static bool kt_cleanup(struct srcu *ss)
{
	const struct ktree_image *image = kt_enter(ss);
	const void *sda = kt_domain(ss)->sda;
	bool warned = false, over;

	kt_here.warned = &warned;
	image->cleanup(ss->impl);
	over = is_freed(ss, sda) || (!warned && (!sda || object_at(ss->obj->w, sda)->is_static));
	if (!over)
		return false;
	/* from here on the domain is a freed object, for all to see */
	ss->obj->heap = true;
	kfree(ss->impl);
	return true;
}

/* --- readers --- */

static int kt_read_lock(struct srcu *ss)
{
	return kt_enter(ss)->read_lock(ss->impl);
}

static void kt_read_unlock(struct srcu *ss, int idx)
{
	kt_enter(ss)->read_unlock(ss->impl, idx);
}

/* Trees that do not have one of the kinds of readers have no more than the plain one. */
static int kt_read_lock_nmisafe(struct srcu *ss)
{
	const struct ktree_image *image = kt_enter(ss);

	return (image->read_lock_nmisafe ? image->read_lock_nmisafe : image->read_lock)(ss->impl);
}

static void kt_read_unlock_nmisafe(struct srcu *ss, int idx)
{
	const struct ktree_image *image = kt_enter(ss);

	(image->read_unlock_nmisafe ? image->read_unlock_nmisafe : image->read_unlock)(ss->impl, idx);
}

static int kt_down_read(struct srcu *ss)
{
	const struct ktree_image *image = kt_enter(ss);

	return (image->down_read ? image->down_read : image->read_lock)(ss->impl);
}

static void kt_up_read(struct srcu *ss, int idx)
{
	const struct ktree_image *image = kt_enter(ss);

	(image->up_read ? image->up_read : image->read_unlock)(ss->impl, idx);
}

/* --- updaters --- */

struct on_stack { void (*fn)(void *ssp); void *ssp; };

static void call_on_stack(void *arg)
{
	struct on_stack *c = arg;

	c->fn(c->ssp);
}

/* What the kernel has on its stack others get to see: so it is simulated memory. */
static void call_with_stack(struct srcu *ss, void (*fn)(void *ssp))
{
	struct on_stack c = { .fn = fn, .ssp = ss->impl };
	struct object *o = srcu_stack_object(ss, &kt_stack_type, kt_domain(ss)->sync_label,
					     STACK_CALL_SIZE);

	kt_enter(ss);
	stack_call(o->base, STACK_CALL_SIZE, call_on_stack, &c);
	srcu_stack_object_over(o);
}

static void kt_synchronize(struct srcu *ss)
{
	call_with_stack(ss, kt_of(ss)->image->synchronize);
}

static void kt_synchronize_expedited(struct srcu *ss)
{
	const struct ktree_image *image = kt_of(ss)->image;

	call_with_stack(ss, image->synchronize_expedited ? image->synchronize_expedited :
							   image->synchronize);
}

static bool kt_call(struct srcu *ss, struct rcu_head *head, rcu_callback_t func)
{
	if (!srcu_head_post(head, func))
		return false;
	head->ticket = (uintptr_t)func;	/* the kernel puts its own in the head */
	kt_enter(ss)->call(ss->impl, head, kt_callback);
	return true;
}

/* The tiny flavor's is a synchronize_srcu() by another name. */
static void kt_barrier(struct srcu *ss)
{
	if (kt_is_tiny(kt_of(ss)))
		call_with_stack(ss, kt_of(ss)->image->barrier);
	else
		kt_enter(ss)->barrier(ss->impl);
}

static unsigned long kt_get_state(struct srcu *ss)
{
	return kt_enter(ss)->get_state(ss->impl);
}

static unsigned long kt_start_poll(struct srcu *ss)
{
	return kt_enter(ss)->start_poll(ss->impl);
}

static bool kt_poll_state(struct srcu *ss, unsigned long cookie)
{
	return kt_enter(ss)->poll_state(ss->impl, cookie);
}

static unsigned long kt_batches_completed(struct srcu *ss)
{
	return kt_enter(ss)->batches_completed(ss->impl);
}

void ktree_ops_fill(struct ktree *k)
{
	bool tiny = kt_is_tiny(k);

	k->ops = (struct srcu_ops){
		.flavor = tiny ? "tiny" : "tree",
		.impl_size = kt_domain_offset(k) + sizeof(struct kt_domain),
		.percpu_size = tiny ? 0 : sizeof(struct kt_cpu_items),
		.fields = (const struct field *)k->image->fields[KTREE_SSP],
		.check_opts = kt_check_opts,
		.init = kt_init,
		.init_struct = kt_init_struct,
		.read_lock = kt_read_lock,
		.read_unlock = kt_read_unlock,
		.read_lock_nmisafe = kt_read_lock_nmisafe,
		.read_unlock_nmisafe = kt_read_unlock_nmisafe,
		.down_read = kt_down_read,
		.up_read = kt_up_read,
		.synchronize = kt_synchronize,
		.synchronize_expedited = kt_synchronize_expedited,
		.call = kt_call,
		.barrier = kt_barrier,
		.get_state = kt_get_state,
		.start_poll = kt_start_poll,
		.poll_state = kt_poll_state,
		.batches_completed = kt_batches_completed,
		.cleanup = kt_cleanup,
		.view = kt_view,
		.counts = kt_counts,
		.cblist = kt_cblist,
		.node = kt_node,
	};
}
