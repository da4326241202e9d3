/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tasks: making them, announcing events, and why one cannot step now.
 */
#include <config.h>

#include "engine/carrier.h"
#include "engine/switch.h"
#include "engine/internal.h"
#include "k/lock.h"
#include "k/wait.h"
#include "k/work.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct task *task_running_;
#define current task_running_

static const struct objtype task_types[] = {
	[TASK_THREAD] = { .kind = "thread" },
	[TASK_WORKER] = { .kind = "kworker" },
	[TASK_TIMER] = { .kind = "timer" },
	[TASK_IRQ] = { .kind = "irq" },
};

/* First code on a task's stack; suspends for good at its end. */
static void task_main(void *arg)
{
	struct task *t = arg;

	t->body(t->arg);
	t->state = TASK_DONE;
	stack_suspend(t->stack);
}

bool task_give_stack(struct task *t)
{
	t->stack = stack_get(task_main, t);
	if (!t->stack)
		return world_fail(t->w, "no memory for the stack of thread \"%s\"", task_name(t));
	t->stack->who = task_name(t);
	return true;
}

/* All zero but for w. */
static struct task *task_alloc(struct world *w)
{
	struct task *t = w->task_pool;

	if (t) {
		w->task_pool = t->park_next;
		memset(t, 0, offsetof(struct task, calls));
	} else {
		t = calloc(1, sizeof(*t));
		if (!t) {
			world_oom(w);
			return NULL;
		}
	}
	t->w = w;
	return t;
}

static void task_free(struct task *t)
{
	t->park_next = t->w->task_pool;
	t->w->task_pool = t;
}

static bool task_add(struct world *w, struct task *t)
{
	if (w->ntasks == TASKS_MAX)
		return world_fail(w, "too many threads: %d can be had", TASKS_MAX);
	if (!grow(&w->tasks, &w->tasks_cap, w->ntasks + 1, sizeof(*w->tasks)))
		return world_oom(w);
	if (!task_give_stack(t))
		return false;
	t->index = (uint32_t)w->ntasks;
	t->made_at = current ? w->log.n : 0;
	t->maker = current ? current->index : UINT32_MAX;
	t->made_plains = (uint32_t)w->plains.n;
	if (!awake_add(w, t)) {
		stack_put(t->stack);
		return world_oom(w);
	}
	w->tasks[w->ntasks++] = t;
	w->nfresh++;
	t->obj->impl = t;
	return true;
}

struct task *task_new(struct world *w, enum task_kind kind, const char *label, int cpu,
		      void (*body)(void *), void *arg, void (*release)(void *))
{
	struct task *t;

	if (cpu >= (int)w->cpus) {
		world_fail(w, "there is no CPU %d: the world has %u, from 0", cpu, w->cpus);
		return NULL;
	}
	if (cpu >= (int)w->online) {
		world_fail(w, "CPU %d is not online: the first %u of %u are", cpu, w->online, w->cpus);
		return NULL;
	}
	t = task_alloc(w);
	if (!t)
		return NULL;
	t->kind = (uint8_t)kind;
	t->body = body;
	t->arg = arg;
	t->obj = object_new(w, &task_types[kind], label, 0);
	if (!t->obj) {
		task_free(t);
		return NULL;
	}
	if (cpu >= 0)
		t->cpu = (uint32_t)cpu;
	else
		t->cpu = current ? current->cpu : w->threads_made++ % w->online;
	if (!task_add(w, t)) {
		task_free(t);
		return NULL;
	}
	t->release = release;
	return t;
}

/* A worker or timer: its name is unique and gives its identity. */
struct task *task_new_engine(struct world *w, enum task_kind kind, const char *name,
			     unsigned cpu, void (*body)(void *), void *arg)
{
	uint32_t id = idspace_by_name(w->ids, name);
	struct task *t = id ? task_alloc(w) : NULL;

	if (!t) {
		world_oom(w);
		return NULL;
	}
	t->kind = (uint8_t)kind;
	t->body = body;
	t->arg = arg;
	t->work = arg;
	t->cpu = cpu;
	t->obj = object_make(w, &task_types[kind], name, id);
	if (!t->obj || !task_add(w, t)) {
		task_free(t);
		return NULL;
	}
	return t;
}

_Noreturn void task_fail(void)
{
	struct task *t = current;

	t->state = TASK_FAILED;
	stack_suspend(t->stack);
	abort();
}

/* Gives back what an ended task no longer needs; on the driver's stack. */
void task_retire(struct task *t)
{
	if (t->thread) {
		os_thread_put(t->thread);
		t->thread = NULL;
	}
	if (t->stack) {
		stack_put(t->stack);
		t->stack = NULL;
	}
	if (t->release && !t->kept) {
		t->release(t->arg);
		t->release = NULL;
	}
	idle_release(t);
}

void tasks_drop(struct world *w, size_t n)
{
	while (w->ntasks > n) {
		struct task *t = w->tasks[--w->ntasks];

		t->kept = false;
		task_retire(t);
		task_free(t);
	}
}

void tasks_release(struct world *w)
{
	struct task *next;

	for (struct task *t = w->task_pool; t; t = next) {
		next = t->park_next;
		free(t);
	}
	free(w->tasks);
	w->tasks = NULL;
	w->task_pool = NULL;
	w->tasks_cap = 0;
	awake_release(w);
}

struct task *world_task(struct world *w, size_t i) { return i < w->ntasks ? w->tasks[i] : NULL; }
size_t world_task_count(struct world *w) { return w->ntasks; }

static struct task *as_task(struct object *o)
{
	bool is = o && o->type >= task_types && o->type < task_types + 4;

	return is ? o->impl : NULL;
}

struct task *task_by_id(struct world *w, uint32_t id) { return as_task(object_by_id(w, id)); }
struct task *task_by_name(struct world *w, const char *name) { return as_task(object_by_name(w, name)); }

/* --- CPUs: who may not be preempted --- */

static bool atomic_context(const struct task *t)
{
	return t->ctx.preempt || t->ctx.bh || t->ctx.irq || t->ctx.spin;
}

/* Where a kernel without preemption gives the CPU to another task: where one sleeps,
 * or would if it had to, where one yields, and between two pieces of work. */
static bool gives_cpu_up(const struct task *t)
{
	switch (t->ev.op) {
	case OP_WORK_WAIT:
	case OP_TIMER_WAIT:
	case OP_CALL_WAIT:
	case OP_ASSUME:
		return true;
	case OP_YIELD:
		return !(t->ev.site->flags & SITE_DELAY);
	default:
		return t->ev.site->flags & SITE_SLEEPS;
	}
}

bool keeps_cpu(const struct task *t)
{
	return atomic_context(t) ||
	       (t->w->voluntary && t->state == TASK_READY && !gives_cpu_up(t));
}

/* After t's context changed, or what it is about to do: does it own its CPU now? */
void cpu_update_owner(struct task *t)
{
	struct task **owner = &t->w->cpu_owner[t->cpu];
	bool owns = keeps_cpu(t) && t->state != TASK_DONE && t->state != TASK_FAILED;

	if (owns && *owner != t) {
		t->under = *owner;
		*owner = t;
	} else if (!owns && *owner == t) {
		*owner = t->under;
		t->under = NULL;
	}
}

/* May t run on its CPU as it is?  Timers strike like soft interrupts, irq tasks
 * like hard ones; both then run to their end before what they interrupted. */
bool cpu_allows(struct task *t, struct block *b)
{
	struct task *owner = t->w->cpu_owner[t->cpu];

	if (!owner || owner == t)
		return true;
	b->holder = owner;
	if (t->kind == TASK_TIMER && t->ev.op == OP_TIMER_WAIT &&
	    !owner->ctx.bh && !owner->ctx.irq)
		return true;
	if (t->ev.op == OP_IRQ && !owner->ctx.irq)
		return true;
	b->why = t->kind == TASK_IRQ && owner->ctx.irq ? BLOCK_IRQ_OFF : BLOCK_CPU;
	return false;
}

/* --- blocking --- */

static void blocked_on_lock(struct task *t, struct block *b)
{
	/* all kinds of lock keep `since` behind the owner */
	const uint64_t *lock = t->ev.loc;
	const struct rw_semaphore *sem = t->ev.loc;

	if (!lock[0]) {
		if (t->ev.op == OP_LOCK_READ)
			b->why = sem->waiters ? BLOCK_QUEUE : BLOCK_NONE;
		else if (t->ev.site->flags & SITE_WRITE)
			b->why = sem->readers ? BLOCK_READERS : BLOCK_NONE;
		return;
	}
	b->holder = task_by_id(t->w, (uint32_t)lock[0] - 1);
	b->since = lock[1];
	b->why = b->holder == t ? BLOCK_SELF : BLOCK_LOCK;
}

static void blocked_worker(struct task *t, struct block *b)
{
	const uint64_t *state = t->ev.loc;

	if (!(*state & WORK_QUEUED))
		b->why = BLOCK_IDLE_WORKER;
	else if (((const struct work_struct *)t->work)->cpu >= t->w->online)
		b->why = BLOCK_OFFLINE;
	else if (idle_blocks(t))
		b->why = BLOCK_IDLE_PASS;
}

static void blocked_timer(struct task *t, struct block *b)
{
	struct timer_list *timer = t->work;

	if (!timer->expires)
		b->why = BLOCK_IDLE_TIMER;
	else if (timer->work && timer->work->task && idle_blocks(timer->work->task))
		b->why = BLOCK_IDLE_PASS;
}

struct block task_blocked(struct task *t)
{
	struct block b = { .why = BLOCK_NONE, .waiting_since = t->start_since,
			   .loc = t->ev.loc };

	if (t->state == TASK_DONE || t->state == TASK_FAILED) {
		b.why = BLOCK_OVER;
		return b;
	}
	/* what it announced last is performed already where it runs */
	if (t->state == TASK_FRESH || t == current)
		return b;
	switch (t->ev.op) {
	case OP_LOCK:
	case OP_LOCK_READ:
		blocked_on_lock(t, &b);
		break;
	case OP_WAIT:
		if (!mem_read(t->ev.loc, t->ev.size))
			b.why = BLOCK_WAIT;
		break;
	case OP_COND:
		if (!t->predicate(t->predicate_arg)) {
			b.why = BLOCK_COND;
			b.holder = t->flushes;
		}
		break;
	case OP_WQ_WAIT:
		if (((const struct wait_queue_head *)t->ev.loc)->wakeups == t->ev.a)
			b.why = BLOCK_SLEEP;
		break;
	case OP_ASSUME:
		b.why = BLOCK_ASSUME;
		break;
	case OP_CALL_WAIT:
		b.why = BLOCK_CALL; /* task_poke() ends it */
		break;
	case OP_WORK_WAIT:
		blocked_worker(t, &b);
		break;
	case OP_TIMER_WAIT:
		blocked_timer(t, &b);
		break;
	default:
		break;
	}
	if (b.why == BLOCK_NONE)
		cpu_allows(t, &b);
	return b;
}

/* "mutex vm.lock", "completion done": kind and name of a location. */
static void loc_text(struct task *t, const struct block *b, const char *kind, char *buf, size_t n)
{
	char name[96];

	location_name(t->w, b->loc, name, sizeof(name), NULL);
	if (t->ev.site->flags & SITE_WRITE || t->ev.op == OP_LOCK_READ)
		kind = "rwsem";
	else if (t->ev.site->flags & SITE_MUTEX)
		kind = "mutex";
	else if (t->ev.site->flags & SITE_SPIN)
		kind = "spinlock";
	else if (!strcmp(t->ev.site->prim, "schedule"))
		kind = "wait queue";
	snprintf(buf, n, "%s %s", kind, name);
}

void block_text(struct task *t, const struct block *b, char *buf, size_t n)
{
	const char *holder = b->holder ? task_name(b->holder) : "nobody";
	char what[128];

	switch (b->why) {
	case BLOCK_NONE:
		snprintf(buf, n, "ready");
		break;
	case BLOCK_OVER:
		snprintf(buf, n, t->state == TASK_DONE ? "done" : "failed");
		break;
	case BLOCK_LOCK:
		loc_text(t, b, "lock", what, sizeof(what));
		snprintf(buf, n, "on %s, held by %s since step %" PRIu64, what, holder, b->since);
		break;
	case BLOCK_SELF:
		loc_text(t, b, "lock", what, sizeof(what));
		snprintf(buf, n, "on %s, which it holds itself since step %" PRIu64, what, b->since);
		break;
	case BLOCK_WAIT:
		loc_text(t, b, "completion", what, sizeof(what));
		if (t->ncalls && t->calls[0].obj)
			snprintf(buf, n, "in %s() on %s since step %" PRIu64,
				 t->calls[0].api->name, what, b->waiting_since);
		else
			snprintf(buf, n, "on %s since step %" PRIu64, what, b->waiting_since);
		break;
	case BLOCK_COND:
		if (t->ev.site->prim && strcmp(t->ev.site->prim, "cond_wait"))
			snprintf(buf, n, "in %s() since step %" PRIu64, t->ev.site->prim,
				 b->waiting_since);
		else
			snprintf(buf, n, "in cond_wait(): its condition is false since step %" PRIu64,
				 b->waiting_since);
		break;
	case BLOCK_READERS:
		loc_text(t, b, "rwsem", what, sizeof(what));
		snprintf(buf, n, "on %s, held by %" PRIu64 " for reading", what,
			 ((const struct rw_semaphore *)b->loc)->readers);
		break;
	case BLOCK_QUEUE:
		loc_text(t, b, "rwsem", what, sizeof(what));
		snprintf(buf, n, "on %s, for which a writer waits", what);
		break;
	case BLOCK_SLEEP:
		loc_text(t, b, "waitqueue", what, sizeof(what));
		snprintf(buf, n, "asleep on %s since step %" PRIu64, what, b->waiting_since);
		break;
	case BLOCK_ASSUME:
		snprintf(buf, n, "for ever: assume(false)");
		break;
	case BLOCK_IDLE_WORKER:
		snprintf(buf, n, "idle: no work is queued");
		break;
	case BLOCK_OFFLINE:
		snprintf(buf, n, "on CPU %u, which is not online", ((const struct work_struct *)t->work)->cpu);
		break;
	case BLOCK_IDLE_TIMER:
		snprintf(buf, n, "idle: not armed");
		break;
	case BLOCK_IDLE_PASS:
		snprintf(buf, n, "idle: its last pass changed nothing, and nothing that it read has changed since");
		break;
	case BLOCK_CALL:
		snprintf(buf, n, "waiting for a call");
		break;
	case BLOCK_CPU:
		snprintf(buf, n, "CPU %u belongs to %s, which may not be preempted", t->cpu, holder);
		break;
	case BLOCK_IRQ_OFF:
		snprintf(buf, n, "interrupts are off on CPU %u (%s)", t->cpu, holder);
		break;
	}
}

/* --- API calls --- */

uint32_t kapi_object_id(const void *obj)
{
	struct object *const *first = obj;

	return obj ? (*first)->id : 0;
}

void kapi_enter(const struct kapi *api, void *obj, uint64_t arg)
{
	struct task *t = current;
	struct world *w;
	struct kcall *c;
	struct mark *m;

	if (!t)
		return;
	w = t->w;
	w->aside = true;
	if (t->ncalls == TASK_CALLS_MAX) {
		world_violate(w, "error", strdup("calls and callbacks are nested too deeply"), t, NULL);
		task_fail();
	}
	c = &t->calls[t->ncalls++];
	*c = (struct kcall){ .api = api, .obj = obj, .arg = arg, .since = w->log.n };
	m = log_append_mark(w);
	if (m) {
		*m = (struct mark){ .arg = arg, .step = (uint32_t)w->log.n,
				    .obj = kapi_object_id(obj), .api = kapi_id(api),
				    .task = (uint16_t)t->index };
		c->mark = (uint32_t)log_mark_count(w); /* index + 1 */
	}
	if (w->hooks.call_begin)
		w->hooks.call_begin(w, t, c);
}

void kapi_exit(uint64_t result)
{
	struct task *t = current;
	struct world *w;
	struct kcall c;
	struct mark *m;

	if (!t || !t->ncalls)
		return;
	w = t->w;
	c = t->calls[--t->ncalls];
	m = log_append_mark(w);
	if (m)
		*m = (struct mark){ .arg = result, .step = (uint32_t)w->log.n,
				    .obj = kapi_object_id(c.obj), .api = kapi_id(c.api),
				    .task = (uint16_t)t->index, .end = 1 };
	if (w->hooks.call_end)
		w->hooks.call_end(w, t, &c, result);
}
