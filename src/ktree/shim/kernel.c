/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a tree's SRCU finds in other files of the kernel, in our own words: the way to the
 * host, the shape of the combining tree, and what an RCU of its own would have.  Linked
 * beside the tree's files: its static data belongs to a world as theirs does.
 */
#line 8 "src/ktree/shim/kernel.c"
#include <linux/rcu_node_tree.h>

#include "ktree_image.h"

/* --- the way to the host --- */

/* No task's stack, nor what the host has used of its own, is larger. */
#define KTREE_STACK_MAX ((uintptr_t)1 << 20)

bool ktree_in_image(const volatile void *p)
{
	return (const volatile char *)p >= &ktree_data_first &&
	       (const volatile char *)p < &ktree_data_last;
}

/* What cannot be modelled: memory that all worlds' tasks share and no step can name. */
void ktree_static_write(const char *what, const char *func, const char *file, int line)
{
	static const char text[] = "A write to static data of the kernel tree, which is no step: ";
	char buf[160];
	size_t n = sizeof(text) - 1;

	if (!ktree_host->stepping())
		return;
	__builtin_memcpy(buf, text, n);
	while (*what && n < sizeof(buf) - 1)
		buf[n++] = *what++;
	buf[n] = '\0';
	ktree_host->die(buf, func, file, line);
}

static uint64_t load(const volatile void *p, unsigned size)
{
	switch (size) {
	case 1: return *(const volatile u8 *)p;
	case 2: return *(const volatile u16 *)p;
	case 4: return *(const volatile u32 *)p;
	default: return *(const volatile u64 *)p;
	}
}

static void store(volatile void *p, unsigned size, uint64_t v)
{
	switch (size) {
	case 1: *(volatile u8 *)p = (u8)v; break;
	case 2: *(volatile u16 *)p = (u16)v; break;
	case 4: *(volatile u32 *)p = (u32)v; break;
	default: *(volatile u64 *)p = v; break;
	}
}

static uint64_t truncated(uint64_t v, unsigned size)
{
	return size < 8 ? v & ((1ull << size * 8) - 1) : v;
}

/* The operation on memory that is nobody else's. */
static uint64_t perform(struct site *s, volatile void *p, unsigned size, uint64_t a, uint64_t b)
{
	uint64_t old = load(p, size), v;

	switch (s->op) {
	case OP_LOAD: case OP_PLAIN_LOAD: return old;
	case OP_STORE: case OP_PLAIN_STORE: case OP_XCHG: v = a; break;
	case OP_ADD: case OP_CPU_ADD: v = old + a; break;
	case OP_AND: v = old & a; break;
	case OP_OR: v = old | a; break;
	case OP_XOR: v = old ^ a; break;
	case OP_CMPXCHG:
		if (old != truncated(a, size))
			return old;
		v = b;
		break;
	default:
		ktree_host->die("A lock or the like that lies on a stack or in static data", s->func,
				s->file, s->line);
		return 0;
	}
	if (ktree_in_image(p))
		ktree_static_write(s->expr, s->func, s->file, s->line);
	store(p, size, v);
	return old;
}

/* The image's own data, or a variable of a function that has called: not a wild pointer. */
static bool is_own(const volatile void *p)
{
	return ktree_in_image(p) ||
	       (uintptr_t)p - (uintptr_t)__builtin_frame_address(0) < KTREE_STACK_MAX;
}

uint64_t ktree_event(struct site *s, const volatile void *loc, unsigned size, uint64_t a,
		     uint64_t b)
{
	struct ktree_host *h = ktree_host;
	struct site *raced = ktree_raced;
	uint64_t value;

	if (loc && h->watch_size && (uintptr_t)loc - h->watch_base >= h->watch_size && is_own(loc)) {
		h->performing = s;
		value = perform(s, (volatile void *)loc, size, a, b);
		h->performing = NULL;
		return value;
	}
	/* others run meanwhile */
	ktree_raced = NULL;
	value = h->event(s, (const void *)loc, size, a, b);
	ktree_raced = raced;
	return value;
}

bool k_queue_work(struct work_struct *w, int cpu, struct site *s)
{
	return (ktree_host->queue_work)(w, cpu, s);
}

bool k_queue_delayed_work(struct delayed_work *d, unsigned long delay, struct site *s)
{
	return (ktree_host->queue_delayed_work)(d, delay, s);
}

bool k_timer_reduce(struct timer_list *t, unsigned long expires, struct site *s)
{
	return (ktree_host->timer_reduce)(t, expires, s);
}

bool k_del_timer_sync(struct timer_list *t, struct site *s)
{
	return (ktree_host->del_timer_sync)(t, s);
}

void k_flush_work(struct work_struct *w, struct site *s)
{
	(ktree_host->flush_work)(w, s);
}

void k_flush_delayed_work(struct delayed_work *d, struct site *s)
{
	(ktree_host->flush_delayed_work)(d, s);
}

void k_ctx(struct site *s, int delta)
{
	ktree_host->ctx(s, delta);
}

u64 k_ktime(struct site *s)
{
	return ktree_host->ktime(s);
}

unsigned long k_jiffies(struct site *s)
{
	return ktree_host->ktime(s) / NSEC_PER_JIFFY;
}

void k_udelay(struct site *s)
{
	(void)ktree_host->event(s, NULL, 0, 0, 0);
}

bool in_task(void)
{
	return (ktree_host->in_task)();
}

bool ktree_preemptible(void)
{
	return (ktree_host->preemptible)();
}

unsigned raw_cpu(void)
{
	return ktree_host->cpu();
}

unsigned k_nr_cpus(void)
{
	return ktree_host->nr_cpus();
}

bool k_lock_held(const uint64_t *owner)
{
	return ktree_host->lock_held(owner);
}

bool k_warn(bool cond, const char *text, const char *func, const char *file, int line)
{
	return cond && ktree_host->warn(true, text, func, file, line);
}

void ktree_init_work(struct work_struct *w, void (*fn)(struct work_struct *), const char *expr)
{
	(ktree_host->init_work)(w, fn, expr);
}

void ktree_init_delayed_work(struct delayed_work *d, void (*fn)(struct work_struct *),
			     const char *expr)
{
	(ktree_host->init_delayed_work)(d, fn, expr);
}

void ktree_timer_setup(struct timer_list *t, void (*fn)(struct timer_list *), const char *expr)
{
	(ktree_host->timer_setup)(t, fn, expr);
}

void ktree_init_completion(struct completion *c, const char *expr)
{
	(ktree_host->init_completion)(&c->done, expr);
}

void *ktree_alloc(size_t n, size_t size, const char *expr, gfp_t gfp, struct site *s)
{
	return (ktree_host->alloc)(n, size, expr, !(gfp & GFP_KERNEL), s);
}

void k_kfree(void *p, struct site *s)
{
	(ktree_host->free)(p, s);
}

void *ktree_alloc_percpu(size_t size, const char *expr, struct site *s)
{
	return (ktree_host->alloc_percpu)(size, expr, s);
}

void ktree_free_percpu(void *p, struct site *s)
{
	(ktree_host->free_percpu)(p, s);
}

void ktree_rcu_read_lock(void)
{
	(ktree_host->rcu_read_lock)();
}

void ktree_rcu_read_unlock(void)
{
	(ktree_host->rcu_read_unlock)();
}

void ktree_synchronize_rcu(void)
{
	(ktree_host->synchronize_rcu)();
}

/* --- what other files of RCU have --- */

/* The tiny variant may define it itself. */
__attribute__((weak)) int rcu_scheduler_active;
struct workqueue_struct { char unused; } ktree_workqueue;
struct workqueue_struct *rcu_gp_wq = &ktree_workqueue, *rcu_par_gp_wq = &ktree_workqueue;
struct workqueue_struct *system_wq = &ktree_workqueue, *system_percpu_wq = &ktree_workqueue,
	*system_highpri_wq = &ktree_workqueue, *system_unbound_wq = &ktree_workqueue,
	*system_dfl_wq = &ktree_workqueue, *system_power_efficient_wq = &ktree_workqueue;

bool rcu_gp_is_normal(void)
{
	return false;
}

bool rcu_gp_is_expedited(void)
{
	return false;
}

void wakeme_after_rcu(struct rcu_head *head)
{
	complete(&container_of(head, struct rcu_synchronize, head)->completion);
}

/* --- the shape of the combining tree, as many levels as the CPUs need --- */

int rcu_num_lvls = 1;
int num_rcu_lvl[RCU_NUM_LVLS] = { 1 };
int rcu_num_nodes = 1;

/* It is known from the start: see ktree_geometry(). */
void rcu_init_geometry(void)
{
}

bool ktree_geometry(unsigned ncpus, unsigned fanout, unsigned leaf)
{
	unsigned long capacity;
	int levels = 1, nodes = 0;

	if (!fanout)
		fanout = RCU_FANOUT;
	if (!leaf)
		leaf = fanout < RCU_FANOUT_LEAF ? fanout : RCU_FANOUT_LEAF;
	if (fanout < 2 || leaf < 1 || leaf > BITS_PER_LONG || ncpus > NR_CPUS)
		return false;
	for (capacity = leaf; capacity < ncpus; capacity *= fanout)
		levels++;
	if (levels > RCU_NUM_LVLS)
		return false;
	for (int i = 0; i < levels; i++, capacity /= fanout) {
		num_rcu_lvl[i] = (int)((ncpus + capacity - 1) / capacity);
		nodes += num_rcu_lvl[i];
	}
	rcu_num_lvls = levels;
	rcu_num_nodes = nodes;
	return true;
}
