/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the code of an image calls (abi.h): steps, locks and work items of our own kernel,
 * under the names that they have in our own tree.  While a domain is set up without steps
 * all is performed at once.
 */
#include <config.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <k/kernel.h>

#include "engine/guest.h"
#include "engine/internal.h"
#include "engine/plain.h"
#include "ktree/internal.h"
#include "srcu/rcu.h"

struct kt_here kt_here;

/* --- errors --- */

void kt_setup_fail(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	world_fail(kt_here.w, "%s", text);
	longjmp(*kt_here.setup, 1);
}

void kt_crashed(const char *what)
{
	if (kt_here.setup)
		kt_setup_fail("the kernel's code %s, while \"%s\" was made", what, kt_here.ss->obj->name);
}

/* The image's code cannot go on; takes `message`. */
static _Noreturn void fail(char *message)
{
	if (kt_here.setup)
		kt_setup_fail("%s", message ? message : "out of memory");
	world_violate(kt_here.w, "error", message, task_current(), NULL);
	task_fail();
}

static _Noreturn void fail_with_error(void)
{
	char *text = strdup(world_error(kt_here.w));

	fail(text);
}

/* A location that is simulated, and nobody's. */
static _Noreturn void outside(const void *p, size_t size, const struct site *s)
{
	char *text = NULL, *what = kt_where_outside(kt_here.ss, p);

	if (what && asprintf(&text, "%s in %s() (%s:%d) accesses %zu byte%s %s, which no object has.",
			     s && s->prim ? s->prim : "A plain access", s && s->func ? s->func : "?",
			     s ? site_file(s) : "?", s ? s->line : 0, size, size == 1 ? "" : "s",
			     what) < 0)
		text = NULL;
	free(what);
	fail(text);
}

/* An address that the image's code gives may be wrong: then it crashes here, and not where
 * nobody knows whose fault it is. */
static void given(const void *p, size_t size, const struct site *s)
{
	if (!arena_contains(kt_here.w, p))
		guest_touch(p, s);
	if (!kt_is_memory(kt_here.ss, p, size))
		outside(p, size, s);
}

static void host_die(const char *text, const char *func, const char *file, int line)
{
	struct task *t = task_current();
	char *m = NULL;

	if (asprintf(&m, "%s in %s() (%s:%d)%s%s.", text, func, file, line,
		     t ? " ended " : "", t ? task_name(t) : "") < 0)
		m = NULL;
	fail(m);
}

/* Half of a stack is for reporting that the other half is used up. */
static inline bool stack_used_up(void)
{
	const char *here = __builtin_frame_address(0), *low = kt_here.stack;

	return low && here >= low - kt_here.stack_size && here < low + kt_here.stack_size / 2;
}

static void too_deep(const char *func, const char *file, int line)
{
	kt_here.stack = NULL;
	host_die("The calls went deeper than their stack, as where a function calls itself for ever,",
		 func, file, line);
}

static bool host_warn(bool cond, const char *text, const char *func, const char *file, int line)
{
	struct kt_here h = kt_here;

	if (!cond)
		return false;
	if (h.warned)
		*h.warned = true;
	if (h.setup)
		kt_setup_fail("%s in %s() (%s:%d) was hit while \"%s\" was made", text, func, file,
			      line, h.ss->obj->name);
	k_warn(true, text, func, file, line);
	kt_back(&h);
	return true;
}

/* --- on whose behalf --- */

void kt_back(const struct kt_here *h)
{
	kt_here = *h;
	if (h->k->owner != h->w && !ktree_enter(h->k, h->w))
		fail_with_error();
}

const struct ktree_image *kt_enter(struct srcu *ss)
{
	struct kt_here h = { .k = kt_of(ss), .w = ss->obj->w, .ss = ss };

	kt_back(&h);
	return h.k->image;
}

bool kt_setup(struct srcu *ss, void (*fn)(struct srcu *ss))
{
	struct kt_here before = kt_here;
	struct world *w = ss->obj->w;
	jmp_buf out;
	bool ok;

	if (!ktree_enter(kt_of(ss), w))
		return false;
	kt_here = (struct kt_here){ .k = kt_of(ss), .w = w, .ss = ss, .setup = &out };
	ok = !setjmp(out);
	if (ok)
		fn(ss);
	kt_here = before;
	kt_keep(kt_of(ss), w);
	return ok;
}

/* --- steps --- */

/* What a step does, outside of tasks or without being one: nobody else is about. */
static uint64_t at_once(struct site *s, void *loc, unsigned size, uint64_t a, uint64_t b)
{
	struct event ev = { .site = s, .loc = loc, .a = a, .b = b, .op = s->op, .size = (uint8_t)size };
	uint64_t old = loc && size ? mem_read(loc, size) : 0;

	switch (s->op) {
	case OP_LOAD: case OP_PLAIN_LOAD:
		return old;
	case OP_STORE: case OP_PLAIN_STORE:
		mem_write(loc, size, a);
		return old;
	case OP_ADD: case OP_CPU_ADD: case OP_AND: case OP_OR: case OP_XOR: case OP_XCHG:
	case OP_CMPXCHG:
	case OP_MIN_ARM: case OP_MAX:
		mem_write(loc, size, rmw_value(&ev, old));
		return old;
	case OP_COMPLETE:
		mem_write(loc, size, old + a);
		return old;
	case OP_LOCK: case OP_UNLOCK: case OP_FENCE: case OP_YIELD: case OP_CPU_CTX:
		return 0;
	case OP_TRYLOCK: case OP_CHOOSE:
		return 1;
	default:
		kt_setup_fail("%s() in %s() (%s:%d) would wait for another thread, and \"%s\" is made "
			      "before any runs", s->prim, s->func, site_file(s), s->line,
			      kt_here.ss->obj->name);
	}
}

/* A worker of the tiny flavor sleeps until readers are gone, as in our own. */
static uint64_t drain(struct srcu *ss, struct event ev)
{
	static const struct kapi api = { "srcu_drive_gp", KAPI_DRAIN };
	uint64_t v;

	kapi_enter(&api, ss, 0);
	v = task_event(ev);
	kapi_exit(0);
	return v;
}

static uint64_t host_event(struct site *s, const void *loc, unsigned size, uint64_t a, uint64_t b)
{
	struct event ev = { .site = s, .loc = (void *)(uintptr_t)loc, .a = a, .b = b, .op = s->op,
			    .order = s->order, .size = (uint8_t)size };
	struct kt_here h = kt_here;
	uint64_t v;

	if (stack_used_up())
		too_deep(s->func, site_file(s), s->line);
	if (size)
		given(loc, size, s);
	if (h.setup)
		return at_once(s, ev.loc, size, a, b);
	if (s->op == OP_WAIT && task_current()->kind == TASK_WORKER && kt_is_tiny(h.k))
		v = drain(h.ss, ev);
	else
		v = task_event(ev);
	kt_back(&h);
	return v;
}

static void too_deep_at(const void *pc)
{
	const struct site *s = plain_site_of ? plain_site_of(pc) : NULL;

	too_deep(s && s->func ? s->func : "?", s && s->file ? site_file(s) : "?", s ? s->line : 0);
}

static void host_plain(const void *p, unsigned size, bool write, const void *pc)
{
	if (kt_here.setup || !task_current())
		return;
	if (stack_used_up())
		too_deep_at(pc);
	if (!kt_is_memory(kt_here.ss, p, size))
		outside(p, size, plain_site_of ? plain_site_of(pc) : NULL);
	if (!world_plain(kt_here.w, p, size, write, pc))
		fail_with_error();
}

/* In a setup these say what cannot be. */
static void only_in_tasks(const char *what)
{
	if (kt_here.setup)
		kt_setup_fail("%s was called while \"%s\" was made: there is nobody yet to do it",
			      what, kt_here.ss->obj->name);
}

static struct kt_item *item_of(const char *name)
{
	return (struct kt_item *)(uintptr_t)(name - offsetof(struct kt_item, name));
}

/* What was made ready has a name of ours, that is of this very place. */
static void made_ready(const void *p, const char *name, const char *how, const struct site *s)
{
	const struct kt_item *i = name ? item_of(name) : NULL;
	char *text = NULL;

	if (i && arena_contains(kt_here.w, i) && arena_contains(kt_here.w, i + 1) && i->at == p)
		return;
	if (asprintf(&text, "%s(%s) in %s() (%s:%d) is of something that %s() has not made ready.",
		     s->prim, s->expr, s->func, site_file(s), s->line, how) < 0)
		text = NULL;
	fail(text);
}

static bool host_queue_work(struct work_struct *work, int cpu, struct site *s)
{
	struct kt_here h = kt_here;
	bool was;

	only_in_tasks("queue_work()");
	given(work, sizeof(*work), s);
	made_ready(work, work->name, "INIT_WORK", s);
	was = k_queue_work(work, cpu, s);
	kt_back(&h);
	return was;
}

static bool host_queue_delayed_work(struct delayed_work *d, unsigned long delay, struct site *s)
{
	struct kt_here h = kt_here;
	bool was;

	only_in_tasks("queue_delayed_work()");
	given(d, sizeof(*d), s);
	made_ready(d, d->work.name, "INIT_DELAYED_WORK", s);
	was = k_queue_delayed_work(d, delay, s);
	kt_back(&h);
	return was;
}

static bool host_timer_reduce(struct timer_list *t, unsigned long expires, struct site *s)
{
	struct kt_here h = kt_here;
	bool was;

	only_in_tasks("timer_reduce()");
	given(t, sizeof(*t), s);
	made_ready(t, t->name, "timer_setup", s);
	was = k_timer_reduce(t, expires, s);
	kt_back(&h);
	return was;
}

static bool host_del_timer_sync(struct timer_list *t, struct site *s)
{
	struct kt_here h = kt_here;
	bool was;

	only_in_tasks("del_timer_sync()");
	given(t, sizeof(*t), s);
	made_ready(t, t->name, "timer_setup", s);
	was = k_del_timer_sync(t, s);
	kt_back(&h);
	return was;
}

static void host_flush_work(struct work_struct *work, struct site *s)
{
	struct kt_here h = kt_here;

	only_in_tasks("flush_work()");
	given(work, sizeof(*work), s);
	made_ready(work, work->name, "INIT_WORK", s);
	k_flush_work(work, s);
	kt_back(&h);
}

static void host_flush_delayed_work(struct delayed_work *d, struct site *s)
{
	struct kt_here h = kt_here;

	only_in_tasks("flush_delayed_work()");
	given(d, sizeof(*d), s);
	made_ready(d, d->work.name, "INIT_DELAYED_WORK", s);
	k_flush_delayed_work(d, s);
	kt_back(&h);
}

static void host_ctx(struct site *s, int delta)
{
	struct kt_here h = kt_here;

	if (h.setup)
		return;
	k_ctx(s, delta);
	kt_back(&h);
}

static uint64_t host_ktime(struct site *s)
{
	struct kt_here h = kt_here;
	uint64_t ns;

	/* made by a thread: as if it had always been there (tree_init.c) */
	if (h.setup)
		return task_current() ? 0 : world_clock(h.w);
	ns = k_ktime(s);
	kt_back(&h);
	return ns;
}

static bool host_in_task(void) { return kt_here.setup || in_task(); }
static bool host_stepping(void) { return !kt_here.setup && task_current(); }
static unsigned host_cpu(void) { return kt_here.setup ? 0 : raw_cpu(); }
static unsigned host_nr_cpus(void) { return world_cpus(kt_here.w); }
static bool host_lock_held(const uint64_t *owner) { return kt_here.setup || k_lock_held(owner); }

/* As the kernel counts: sections of RCU do not matter. */
static bool host_preemptible(void)
{
	const struct task *t = task_current();

	if (kt_here.setup || !t)
		return true;
	return (t->kind == TASK_THREAD || t->kind == TASK_WORKER) && !t->ctx.preempt &&
	       !t->ctx.bh && !t->ctx.irq && !t->ctx.spin && !kt_is_tiny(kt_here.k);
}

static void host_rcu_read_lock(void)
{
	struct kt_here h = kt_here;

	only_in_tasks("rcu_read_lock()");
	rcu_read_lock();
	kt_back(&h);
}

static void host_rcu_read_unlock(void)
{
	struct kt_here h = kt_here;

	only_in_tasks("rcu_read_unlock()");
	rcu_read_unlock();
	kt_back(&h);
}

static void host_synchronize_rcu(void)
{
	struct kt_here h = kt_here;

	only_in_tasks("synchronize_rcu()");
	synchronize_rcu();
	kt_back(&h);
}

/* --- what runs in the image --- */

static void run_work(struct work_struct *work)
{
	struct kt_item *i = item_of(work->name);

	kt_enter(i->ss);
	((void (*)(struct work_struct *))i->fn)(work);
}

static void run_timer(struct timer_list *t)
{
	struct kt_item *i = item_of(t->name);

	kt_enter(i->ss);
	((void (*)(struct timer_list *))i->fn)(t);
}

void kt_callback(void *rhp)
{
	struct rcu_head *head = rhp;
	struct kt_here h = kt_here;

	WRITE_ONCE(head->queued, 0);	/* may be posted again from now on */
	head->func = (rcu_callback_t)(uintptr_t)head->ticket;
	srcu_invoke_callback(h.ss, head);
	kt_back(&h);
}

/* --- work items and timers --- */

/* The item at that place; `own` is the one that it is, unless that lies elsewhere. */
static struct kt_item *item_at(struct kt_item *own, const void *at, const char *fmt, unsigned cpu,
			       void *fn)
{
	struct kt_item *i = kt_item_at(kt_here.ss, own, at, fmt, cpu);

	if (!i)
		fail_with_error();
	i->fn = fn;
	return i;
}

static void host_init_work(struct work_struct *work, void (*fn)(struct work_struct *),
			   const char *expr)
{
	struct kt_domain *d = kt_domain(kt_here.ss);
	struct kt_item *i;
	unsigned cpu;

	(void)expr;
	if (kt_cpu_of(kt_here.ss, work, &cpu))
		i = item_at(d->cpu[cpu].work, work, ":cb%u", cpu, (void *)fn);
	else
		i = item_at(kt_is_tiny(kt_here.k) ? d->gp : NULL, work, ":work", 0, (void *)fn);
	init_work(work, run_work, i->name);
}

static void host_init_delayed_work(struct delayed_work *w, void (*fn)(struct work_struct *),
				   const char *expr)
{
	struct kt_item *i = item_at(kt_domain(kt_here.ss)->gp, w, ":gp", 0, (void *)fn);

	(void)expr;
	init_delayed_work(w, run_work, i->name);
	/* a pass whose scan failed would fail at any other time too */
	w->work.clock_free = 1;
}

static void host_timer_setup(struct timer_list *t, void (*fn)(struct timer_list *), const char *expr)
{
	struct kt_domain *d = kt_domain(kt_here.ss);
	struct kt_item *i;
	unsigned cpu;

	(void)expr;
	if (kt_cpu_of(kt_here.ss, t, &cpu))
		i = item_at(d->cpu[cpu].timer, t, ":%u", cpu, (void *)fn);
	else
		i = item_at(NULL, t, ":timer", 0, (void *)fn);
	timer_setup(t, run_timer, i->name);
}

/* --- what the kernel has on its stack --- */

/* The kernel's struct rcu_synchronize: a head, and the completion behind it. */
static const struct field sync_fields[] = {
	{ .name = "next", .offset = 0, .size = 8, .flags = FIELD_PTR },
	{ .name = "func", .offset = 8, .size = 8, .flags = FIELD_HEX },
	{ .name = "done", .offset = 16, .size = 8 },
	{ 0 }
};
#define SYNC_DONE 16

const struct objtype kt_stack_type = { .kind = "rcu_synchronize" };

static void host_init_completion(uint64_t *done, const char *expr)
{
	struct object *o = object_at(kt_here.w, done);

	(void)expr;
	if (o && o->type == &kt_stack_type && (char *)done >= (char *)o->base + SYNC_DONE &&
	    !object_describe(o, (char *)done - SYNC_DONE, NULL, sync_fields, SYNC_DONE + 8))
		fail_with_error();
}

/* --- memory --- */

/* The same place as another operation: what a step is, its site says. */
static const struct site *site_as(const struct site *s, enum ev_op op)
{
	struct site as = *s;

	if (s->op == op)
		return s;
	as.op = (uint8_t)op;
	s = site_intern(&as, s->file, s->line);
	if (!s) {
		world_fail(kt_here.w, "out of memory");
		fail_with_error();
	}
	return s;
}

/* A step of its own, as kzalloc_step(): false if the schedule has it fail. */
static bool alloc_step(struct site *s, bool may_fail)
{
	struct kt_here h = kt_here;
	enum ev_op op = may_fail ? OP_CHOOSE : OP_YIELD;
	uint64_t v;

	if (h.setup)
		return true;
	v = task_event((struct event){ .site = site_as(s, op), .op = (uint8_t)op,
				       .a = may_fail ? 2 : 0 });
	kt_back(&h);
	return !may_fail || v != 2;
}

static void *host_alloc(size_t n, size_t size, const char *expr, bool may_fail, struct site *s)
{
	void *p;

	(void)expr;
	if (!alloc_step(s, may_fail))
		return NULL;
	/* of nothing at all there is a byte: it has an address, and can be freed */
	p = n && size ? kt_memory(kt_here.ss, n, size) : kt_memory(kt_here.ss, 1, 1);
	if (!p)
		fail_with_error();
	return p;
}

static void *host_alloc_percpu(size_t size, const char *expr, struct site *s)
{
	void *p;

	(void)expr;
	alloc_step(s, false);
	p = kt_memory_percpu(kt_here.ss, size);
	if (!p)
		fail_with_error();
	return p;
}

static void host_free(void *p, struct site *s)
{
	struct kt_here h = kt_here;
	struct object *o = p ? object_at(h.w, p) : NULL;

	if (h.setup) {
		if (o)
			o->state = OBJECT_FREED;
		return;
	}
	/* until now it was a part of the domain, that nobody can leak */
	if (o && o->type == &kt_memory_type)
		o->heap = true;
	task_event((struct event){ .site = s, .op = OP_FREE, .loc = p });
	kt_back(&h);
}

void ktree_host_fill(struct ktree_host *h)
{
	*h = (struct ktree_host){
		.abi = KTREE_ABI,
		.event = host_event,
		.plain = host_plain,
		.queue_work = host_queue_work,
		.queue_delayed_work = host_queue_delayed_work,
		.timer_reduce = host_timer_reduce,
		.del_timer_sync = host_del_timer_sync,
		.flush_work = host_flush_work,
		.flush_delayed_work = host_flush_delayed_work,
		.ctx = host_ctx,
		.ktime = host_ktime,
		.in_task = host_in_task,
		.stepping = host_stepping,
		.preemptible = host_preemptible,
		.cpu = host_cpu,
		.nr_cpus = host_nr_cpus,
		.lock_held = host_lock_held,
		.warn = host_warn,
		.die = host_die,
		.init_work = host_init_work,
		.init_delayed_work = host_init_delayed_work,
		.timer_setup = host_timer_setup,
		.init_completion = host_init_completion,
		.alloc = host_alloc,
		.free = host_free,
		.alloc_percpu = host_alloc_percpu,
		.free_percpu = host_free,
		.rcu_read_lock = host_rcu_read_lock,
		.rcu_read_unlock = host_rcu_read_unlock,
		.synchronize_rcu = host_synchronize_rcu,
	};
}
