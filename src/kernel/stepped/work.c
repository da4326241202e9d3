/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual time, timers and work items (semantics.md sections 3 and 4), each
 * item and each timer a task of its own, made when it is first used.
 */
#include <config.h>

#include "engine/internal.h"
#include "k/kernel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct site fire_site = { .op = OP_TIMER_WAIT, .prim = "timer", .expr = "",
				 .func = "timer", .file = "src/kernel/stepped/work.c",
				 .line = __LINE__ };
static struct site clock_site = { .op = OP_MAX, .flags = SITE_CLOCK, .prim = "time passes:",
				  .expr = "", .func = "timer",
				  .file = "src/kernel/stepped/work.c", .line = __LINE__ };
static struct site start_site = { .op = OP_WORK_WAIT, .order = ORD_ACQUIRE, .prim = "kworker",
				  .expr = "", .func = "kworker",
				  .file = "src/kernel/stepped/work.c", .line = __LINE__ };

/* The engine could not make a worker or timer: an error of whoever needed it. */
static _Noreturn void no_task(void)
{
	struct task *t = task_current();

	world_violate(t->w, "error", strdup(world_error(t->w)), t, NULL);
	task_fail();
}

/* A pass or a stroke is over, which others wait for without any further step. */
static void tell_done(const u64 *done)
{
	if (!world_ghost(task_current()->w, done, true))
		no_task();
}

/* --- time --- */

u64 k_ktime(struct site *s)
{
	return K_EV(s, task_current()->w->clock, 8, 0, 0);
}

unsigned long k_jiffies(struct site *s)
{
	return k_ktime(s) / NSEC_PER_JIFFY;
}

void k_udelay(struct site *s)
{
	(void)K_EV(s, NULL, 0, 0, 0);
}

/* --- timers --- */

static void timer_main(void *arg)
{
	struct timer_list *timer = arg;
	struct task *t = timer->task;

	for (;;) {
		u64 expiry = K_EV(&fire_site, &timer->expires, 8, 0, 0);

		timer->struck++;
		(void)K_EV(&clock_site, t->w->clock, 8, expiry, 0);
		timer->fn(timer);
		timer->done++;
		tell_done(&timer->done);
		t->ctx.bh = 0; /* taken by the stroke: see perform.c */
		cpu_update_owner(t);
		t->cpu = timer->cpu;	/* armed anew while it ran */
	}
}

/* The timer was armed by the current task: its own task fires on that CPU. */
static void timer_armed(struct timer_list *timer)
{
	struct task *me = task_current();
	char name[128];

	timer->cpu = me->cpu;
	if (!timer->task) {
		snprintf(name, sizeof(name), "timer/%s", timer->name);
		timer->task = task_new_engine(me->w, TASK_TIMER, name, me->cpu, timer_main, timer);
		if (!timer->task)
			no_task();
	} else if (timer->task->ev.op == OP_TIMER_WAIT) {
		timer->task->cpu = me->cpu;
	}
}

void timer_setup(struct timer_list *t, void (*fn)(struct timer_list *), const char *name)
{
	*t = (struct timer_list){ .fn = fn, .name = name };
}

bool k_timer_reduce(struct timer_list *t, unsigned long expires, struct site *s)
{
	u64 ns = expires * NSEC_PER_JIFFY, old;

	/* 0 stands for "not armed" */
	ns = ns ? ns : 1;
	old = K_EV(s, &t->expires, 8, ns, 0);
	if (!old || ns < old)
		timer_armed(t);
	return old != 0;
}

struct strike { struct timer_list *timer; u64 until; };

static bool struck(void *arg)
{
	struct strike *k = arg;

	world_peeked(k->timer->task->w, &k->timer->done);
	return k->timer->done >= k->until;
}

/* Disarms, and waits until a function that has begun is over.  Whether one runs
 * must not show in the number of steps: a timer that was ever armed is waited for. */
bool k_del_timer_sync(struct timer_list *t, struct site *s)
{
	struct site *over = K_SITE(OP_COND, ORD_FULL, 0, "del_timer_sync", "t", NULL);
	bool armed = K_EV(s, &t->expires, 8, 0, 0) != 0;
	struct strike k = { .timer = t, .until = t->struck };
	struct task *me = task_current();

	if (!t->task)
		return armed;
	me->predicate = struck;
	me->predicate_arg = &k;
	(void)K_EV(over, NULL, 0, 0, 0);
	me->predicate = NULL;
	return armed;
}

/* --- work items --- */

/* An item's function must leave the CPU as it found it; the kernel complains and
 * goes on, and so do we. */
static void leave_atomic(struct task *t)
{
	char *msg;

	if (!t->ctx.preempt && !t->ctx.bh && !t->ctx.irq && !t->ctx.spin)
		return;
	if (asprintf(&msg, "%s came to the end of a work item after step %" PRIu64 " with preemption, "
		     "bottom halves or interrupts off, or with a spinlock held.", task_name(t),
		     t->w->log.n) < 0)
		msg = NULL;
	world_violate(t->w, "warning", msg, t, NULL);
	t->ctx = (struct context){ 0 };
	cpu_update_owner(t);
}

static void worker_main(void *arg)
{
	struct work_struct *work = arg;
	struct task *t = work->task;

	for (;;) {
		(void)K_EV(&start_site, &work->state, 8, 0, 0);
		work->fn(work);
		leave_atomic(t);
		work->done++;
		tell_done(&work->done);
		idle_pass_end(t);
		t->cpu = work->cpu;	/* queued anew while it ran */
	}
}

/* The item has become QUEUED: its worker may run, on that CPU. */
static void work_queued(struct work_struct *work, unsigned cpu)
{
	struct task *me = task_current();
	char name[128];

	work->cpu = cpu;
	if (work->task) {
		/* it begins there, if that CPU lets it */
		if (work->task->ev.op == OP_WORK_WAIT)
			work->task->cpu = cpu;
		return;
	}
	snprintf(name, sizeof(name), "kworker/%s", work->name);
	work->task = task_new_engine(me->w, TASK_WORKER, name, cpu, worker_main, work);
	if (!work->task)
		no_task();
}

void init_work(struct work_struct *w, void (*fn)(struct work_struct *), const char *name)
{
	*w = (struct work_struct){ .fn = fn, .name = name };
}

/* A delayed item's timer has fired. */
static void delayed_work_timer(struct timer_list *timer)
{
	struct work_struct *work = timer->work;
	struct site *s = K_SITE(OP_OR, ORD_FULL, 0, "queue", "work", NULL);

	(void)K_EV(s, &work->state, 8, WORK_QUEUED, 0);
	work_queued(work, task_current()->cpu);
}

void init_delayed_work(struct delayed_work *d, void (*fn)(struct work_struct *), const char *name)
{
	init_work(&d->work, fn, name);
	timer_setup(&d->timer, delayed_work_timer, name);
	d->timer.work = &d->work;
	d->work.timer = &d->timer;
}

bool k_queue_work(struct work_struct *w, int cpu, struct site *s)
{
	/* any state but 0 has PENDING: then it is queued already */
	if (K_EV(s, &w->state, 8, 0, WORK_PENDING | WORK_QUEUED))
		return false;
	work_queued(w, cpu < 0 ? task_current()->cpu : (unsigned)cpu);
	return true;
}

bool k_queue_delayed_work(struct delayed_work *d, unsigned long delay, struct site *s)
{
	struct site *arm = K_SITE(OP_MIN_ARM, ORD_NONE, 0, "arm timer", "d", NULL);
	u64 now;

	if (!delay)
		return k_queue_work(&d->work, -1, s);
	if (K_EV(s, &d->work.state, 8, 0, WORK_PENDING))
		return false;
	now = ktime_get_mono_fast_ns();
	(void)K_EV(arm, &d->timer.expires, 8, now + delay * NSEC_PER_JIFFY, 0);
	timer_armed(&d->timer);
	return true;
}

struct flush { struct work_struct *work; u64 until; };

static bool flushed(void *arg)
{
	struct flush *f = arg;

	if (f->work->task)
		world_peeked(f->work->task->w, &f->work->done);
	return f->work->done >= f->until;
}

void k_flush_work(struct work_struct *w, struct site *s)
{
	struct task *t = task_current();
	struct flush f = { .work = w };
	u64 state = READ_ONCE(w->state);

	/* what is pending now, and what runs now; a later queueing is not ours */
	f.until = w->started + (state & WORK_PENDING ? 1 : 0);
	if (f.until > w->flush_until)
		w->flush_until = f.until;
	t->predicate = flushed;
	t->predicate_arg = &f;
	t->flushes = w->task;
	(void)K_EV(s, NULL, 0, 0, 0);
	t->predicate = NULL;
	t->flushes = NULL;
}

void k_flush_delayed_work(struct delayed_work *d, struct site *s)
{
	struct site *now = K_SITE(OP_OR, ORD_FULL, 0, "queue", "work", NULL);

	if (del_timer_sync(&d->timer)) {
		(void)K_EV(now, &d->work.state, 8, WORK_QUEUED, 0);
		work_queued(&d->work, task_current()->cpu);
	}
	k_flush_work(&d->work, s);
}

char *arena_strdup(struct world *w, const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = arena_alloc(w, n);

	if (p)
		memcpy(p, s, n);
	return p;
}
