/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SRCU domains, whatever their implementation: making them, the table of
 * faults, and the API functions, which mark where a call begins and ends and
 * hand it on.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <k/kernel.h>

#include "engine/world.h"
#include "srcu/seq.h"
#include "srcu/srcu.h"
#include "srcu/wait.h"

const struct srcu_fault_info srcu_fault_table[] = {
	{ "no-mb-A", SRCU_FAULT_NO_MB_A,
	  "barrier A is left out: a scan may sum the locks before the unlocks" },
	{ "no-mb-B", SRCU_FAULT_NO_MB_B,
	  "barrier B is left out: a section's accesses may come before its lock is counted" },
	{ "no-mb-C", SRCU_FAULT_NO_MB_C,
	  "barrier C is left out: a section's accesses may come after its unlock is counted" },
	{ "no-mb-D", SRCU_FAULT_NO_MB_D,
	  "barrier D is left out: the second scan may begin before the flip is seen" },
	{ "no-mb-E", SRCU_FAULT_NO_MB_E,
	  "barrier E is left out: the flip may be seen before the first scan is over" },
	{ "no-flip", SRCU_FAULT_NO_FLIP,
	  "srcu_idx is not flipped: both scans look at the bank that no new reader uses" },
	{ "both-banks", SRCU_FAULT_BOTH_BANKS,
	  "srcu_idx is not flipped, and the second scan looks at the bank in use: "
	  "new readers can hold it up for ever" },
	{ "no-scan1", SRCU_FAULT_NO_SCAN1,
	  "the first scan is left out: SCAN1 flips at once" },
	{ "no-scan2", SRCU_FAULT_NO_SCAN2,
	  "the second scan is left out: SCAN2 ends the grace period at once" },
	{ "lock-before-unlock", SRCU_FAULT_LOCK_BEFORE_UNLOCK,
	  "a scan sums the locks first and the unlocks after them" },
	{ "snap-after-advance", SRCU_FAULT_SNAP_AFTER_ADVANCE,
	  "a request takes its snapshot of gp_seq after it has advanced the callback list" },
	{ "no-gp-mutex", SRCU_FAULT_NO_GP_MUTEX,
	  "srcu_gp_mutex is never taken" },
	{ "no-cb-mutex", SRCU_FAULT_NO_CB_MUTEX,
	  "srcu_cb_mutex is never taken: a grace period may end while callbacks of the "
	  "last one are being initiated" },
	{ "reentrant-work", SRCU_FAULT_REENTRANT_WORK,
	  "the workqueue may run process_srcu() of one domain twice at once" },
	{ "plain-gp-seq", SRCU_FAULT_PLAIN_GP_SEQ,
	  "gp_seq is read and written by plain accesses, without READ_ONCE and WRITE_ONCE" },
	{ "plain-inc", SRCU_FAULT_PLAIN_INC,
	  "a reader counts with a load and a store instead of one increment" },
	{ 0 }
};

/* --- making a domain --- */

void srcu_destroy(struct object *o)
{
	free(o->impl);
}

const struct objtype srcu_objtype = {
	.kind = "srcu", .destroy = srcu_destroy, .impl_size = sizeof(struct srcu)
};

static uint32_t known_faults(void)
{
	uint32_t known = 0;

	for (const struct srcu_fault_info *f = srcu_fault_table; f->name; f++)
		known |= f->bit;
	return known;
}

/* 0 stands for the default. */
static bool check_range(struct world *w, const char *what, unsigned v, unsigned lo, unsigned hi)
{
	if (v == 0 || (v >= lo && v <= hi))
		return true;
	return world_fail(w, "%s: expected %u..%u, got %u", what, lo, hi, v);
}

static bool check_opts(struct world *w, const struct srcu_ops *ops, const struct srcu_opts *o)
{
	if (!check_range(w, "counter_bits", o->counter_bits, 2, 64) ||
	    !check_range(w, "seq_bits", o->seq_bits, SEQ_BITS_MIN, 64) ||
	    !check_range(w, "fanout", o->fanout, 2, 64) ||
	    !check_range(w, "fanout_leaf", o->fanout_leaf, 2, 64))
		return false;
	if (o->faults & ~known_faults())
		return world_fail(w, "faults: unknown bit 0x%x",
				  (unsigned)(o->faults & ~known_faults()));
	return !ops->check_opts || ops->check_opts(w, ops, o);
}

static size_t domain_size(struct world *w, const struct srcu_ops *ops, const struct srcu_opts *o)
{
	return ops->impl_size + world_cpus(w) * ops->percpu_size +
	       (ops->extra_size ? ops->extra_size(w, o) : 0);
}

bool srcu_refuse_tree_opts(struct world *w, const char *flavor, const struct srcu_opts *o,
			   bool has_seq)
{
	const char *what = o->size != SRCU_SIZE_OPT_AUTO ? "size" : o->fanout ? "fanout" :
			   o->fanout_leaf ? "fanout_leaf" :
			   o->has_contention_lim ? "small_contention_lim" :
			   o->has_exp_holdoff ? "exp_holdoff" :
			   o->counter_bits ? "counter_bits" : o->faults ? "faults" :
			   o->seq_bits && !has_seq ? "seq_bits" : NULL;

	return !what || world_fail(w, "%s: the %s flavor has no such thing", what, flavor);
}

/* Of an object that has just been made, or of NULL. */
static struct srcu *make_domain(struct object *obj, const struct srcu_ops *ops,
				const struct srcu_opts *o)
{
	struct srcu *ss = obj ? calloc(1, sizeof(*ss)) : NULL;

	if (!obj)
		return NULL;
	if (!ss) {
		obj->state = OBJECT_DESTROYED;
		world_fail(obj->w, "out of memory");
		return NULL;
	}
	obj->impl = ss;
	*ss = (struct srcu){ .obj = obj, .ops = ops, .impl = obj->base, .opts = *o };
	if (!object_describe(obj, obj->base, NULL, ops->fields, ops->impl_size) ||
	    !ops->init(ss, o)) {
		obj->state = OBJECT_DESTROYED;
		return NULL;
	}
	return ss;
}

void srcu_use(struct world *w, const struct srcu_ops *tree, const struct srcu_ops *tiny)
{
	const struct srcu_ops **instead = world_srcu_ops(w);

	instead[0] = tree;
	instead[1] = tiny;
}

const struct srcu_ops *srcu_ops_used(struct world *w, const struct srcu_ops *ops)
{
	const struct srcu_ops **instead = world_srcu_ops(w);

	if (ops == &srcu_tree_ops && instead[0])
		return instead[0];
	if (ops == &srcu_tiny_ops && instead[1])
		return instead[1];
	return ops;
}

struct srcu *srcu_new(struct world *w, const char *name, const struct srcu_ops *ops,
		      const struct srcu_opts *o)
{
	static const struct srcu_opts defaults;

	if (!o)
		o = &defaults;
	ops = srcu_ops_used(w, ops);
	if (!check_opts(w, ops, o))
		return NULL;
	return make_domain(object_new(w, &srcu_objtype, name, domain_size(w, ops, o)),
			   ops, o);
}

struct srcu *srcu_new_unique(struct world *w, const char *name, const struct objtype *type,
			     const struct srcu_ops *ops)
{
	static const struct srcu_opts defaults;

	return make_domain(object_new_unique(w, type, name, domain_size(w, ops, &defaults)),
			   ops, &defaults);
}

/* --- for implementations --- */

char *srcu_name_with(struct srcu *ss, const char *fmt, unsigned cpu)
{
	struct world *w = ss->obj->w;
	char suffix[32], *name = NULL, *copy;

	snprintf(suffix, sizeof(suffix), fmt, cpu);
	/* workers keep their names for life: a domain made anew has others */
	if ((ss->inits ? asprintf(&name, "%s#%u%s", ss->obj->name, ss->inits + 1, suffix) :
			 asprintf(&name, "%s%s", ss->obj->name, suffix)) < 0) {
		world_fail(w, "out of memory");
		return NULL;
	}
	copy = arena_strdup(w, name);
	free(name);
	return copy;
}

void srcu_invoke_callback(struct srcu *ss, struct rcu_head *head)
{
	static const struct kapi api = { "callback", KAPI_CALLBACK };

	kapi_enter(&api, ss, (uintptr_t)head);
	head->func(head);
	kapi_exit(0);
}

struct object *srcu_stack_object(struct srcu *ss, const struct objtype *type,
				 const char *label, size_t size)
{
	struct world *w = ss->obj->w;
	struct object *o = object_new(w, type, label, size);

	if (!o) {
		world_violate(w, "error", strdup(world_error(w)), task_current(), NULL);
		task_fail();
	}
	o->impl = o->base;
	return o;
}

void srcu_stack_object_over(struct object *o)
{
	o->state = OBJECT_FREED;
	o->freed_by = task_id(task_current());
	o->freed_at = world_steps(o->w);
}

/* --- the API --- */

int srcu_read_lock(struct srcu *ss)
{
	static const struct kapi api = { "srcu_read_lock", KAPI_READ_LOCK };
	int idx;

	kapi_enter(&api, ss, 0);
	idx = ss->ops->read_lock(ss);
	kapi_exit((uint64_t)idx);
	return idx;
}

/* The kernel warns and goes on to count in memory that is not the counter's. */
static bool index_is_wrong(int idx)
{
	return WARN_ON_ONCE(idx & ~1);
}

void srcu_read_unlock(struct srcu *ss, int idx)
{
	static const struct kapi api = { "srcu_read_unlock", KAPI_READ_UNLOCK };

	kapi_enter(&api, ss, (uint64_t)idx);
	if (!index_is_wrong(idx))
		ss->ops->read_unlock(ss, idx);
	kapi_exit(0);
}

int srcu_read_lock_nmisafe(struct srcu *ss)
{
	static const struct kapi api = { "srcu_read_lock_nmisafe", KAPI_READ_LOCK };
	int idx;

	kapi_enter(&api, ss, 0);
	idx = ss->ops->read_lock_nmisafe(ss);
	kapi_exit((uint64_t)idx);
	return idx;
}

void srcu_read_unlock_nmisafe(struct srcu *ss, int idx)
{
	static const struct kapi api = { "srcu_read_unlock_nmisafe", KAPI_READ_UNLOCK };

	kapi_enter(&api, ss, (uint64_t)idx);
	if (!index_is_wrong(idx))
		ss->ops->read_unlock_nmisafe(ss, idx);
	kapi_exit(0);
}

int srcu_down_read(struct srcu *ss)
{
	static const struct kapi api = { "srcu_down_read", KAPI_DOWN_READ };
	int idx;

	kapi_enter(&api, ss, 0);
	idx = ss->ops->down_read(ss);
	kapi_exit((uint64_t)idx);
	return idx;
}

void srcu_up_read(struct srcu *ss, int idx)
{
	static const struct kapi api = { "srcu_up_read", KAPI_UP_READ };

	kapi_enter(&api, ss, (uint64_t)idx);
	if (!index_is_wrong(idx))
		ss->ops->up_read(ss, idx);
	kapi_exit(0);
}

void synchronize_srcu(struct srcu *ss)
{
	static const struct kapi api = { "synchronize_srcu", KAPI_SYNCHRONIZE };

	kapi_enter(&api, ss, 0);
	ss->ops->synchronize(ss);
	kapi_exit(0);
}

void synchronize_srcu_expedited(struct srcu *ss)
{
	static const struct kapi api = { "synchronize_srcu_expedited", KAPI_SYNCHRONIZE };

	kapi_enter(&api, ss, 0);
	ss->ops->synchronize_expedited(ss);
	kapi_exit(0);
}

void call_srcu(struct srcu *ss, struct rcu_head *head, rcu_callback_t func)
{
	static const struct kapi api = { "call_srcu", KAPI_CALL };

	kapi_enter(&api, ss, (uintptr_t)head);
	kapi_exit(ss->ops->call(ss, head, func));
}

void srcu_barrier(struct srcu *ss)
{
	static const struct kapi api = { "srcu_barrier", KAPI_BARRIER };

	kapi_enter(&api, ss, 0);
	ss->ops->barrier(ss);
	kapi_exit(0);
}

unsigned long get_state_synchronize_srcu(struct srcu *ss)
{
	static const struct kapi api = { "get_state_synchronize_srcu", KAPI_GET_STATE };
	unsigned long cookie;

	kapi_enter(&api, ss, 0);
	cookie = ss->ops->get_state(ss);
	kapi_exit(cookie);
	return cookie;
}

unsigned long start_poll_synchronize_srcu(struct srcu *ss)
{
	static const struct kapi api = { "start_poll_synchronize_srcu", KAPI_GET_STATE };
	unsigned long cookie;

	kapi_enter(&api, ss, 0);
	cookie = ss->ops->start_poll(ss);
	kapi_exit(cookie);
	return cookie;
}

bool poll_state_synchronize_srcu(struct srcu *ss, unsigned long cookie)
{
	static const struct kapi api = { "poll_state_synchronize_srcu", KAPI_POLL };
	bool over;

	kapi_enter(&api, ss, cookie);
	over = ss->ops->poll_state(ss, cookie);
	kapi_exit(over);
	return over;
}

unsigned long srcu_batches_completed(struct srcu *ss)
{
	static const struct kapi api = { "srcu_batches_completed", KAPI_PLAIN };
	unsigned long n;

	kapi_enter(&api, ss, 0);
	n = ss->ops->batches_completed(ss);
	kapi_exit(n);
	return n;
}

void cleanup_srcu_struct(struct srcu *ss)
{
	static const struct kapi api = { "cleanup_srcu_struct", KAPI_CLEANUP };

	kapi_enter(&api, ss, 0);
	ss->cleaned = ss->ops->cleanup(ss);
	kapi_exit(ss->cleaned);
}

/* Readers inside, callbacks, a grace period under way or asked for? */
static bool domain_in_use(struct srcu *ss)
{
	struct srcu_view v = { 0 };
	struct srcu_cblist_view l;
	uint64_t locks, unlocks, readers = 0;

	ss->ops->view(ss, &v);
	if (v.has_gp_seq && !v.uninitialised && (v.gp_state || v.gp_seq != v.gp_seq_needed))
		return true;
	if ((v.has_nesting && (v.nesting[0] || v.nesting[1] || v.gp_running)) || v.open)
		return true;
	for (unsigned cpu = 0; cpu < v.ncpus; cpu++) {
		for (unsigned idx = 0; v.has_counts && idx < 2; idx++)
			if (ss->ops->counts(ss, cpu, idx, &locks, &unlocks))
				readers += locks - unlocks;
		if (v.has_cblist && ss->ops->cblist(ss, cpu, &l) &&
		    (l.done || l.wait || l.next_ready || l.next))
			return true;
	}
	return readers != 0;
}

/* Other memory for the same domain, as if it had just been made. */
static bool srcu_renew(struct srcu *ss)
{
	struct srcu_opts o = ss->opts;
	struct object *obj = ss->obj;
	size_t size = domain_size(obj->w, ss->ops, &o);
	void *mem = arena_alloc(obj->w, size);

	o.is_static = true;	/* the rest are steps */
	if (!mem || !object_describe(obj, mem, NULL, ss->ops->fields, size))
		return false;
	ss->inits++;
	ss->impl = obj->base = mem;
	obj->size = size;
	obj->state = OBJECT_LIVE;
	obj->heap = false;
	ss->cleaned = false;
	return ss->ops->init(ss, &o);
}

bool init_srcu_struct(struct srcu *ss)
{
	static const struct kapi api = { "init_srcu_struct", KAPI_PLAIN };
	bool ok = true;

	kapi_enter(&api, ss, 0);
	kzalloc_step("struct srcu_usage");
	if (ss->cleaned || !WARN_ON_ONCE(domain_in_use(ss))) {
		ok = srcu_renew(ss);
		if (ok && ss->ops->init_struct)
			ss->ops->init_struct(ss);
	}
	kapi_exit(0);
	return ok;
}
