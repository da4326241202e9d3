/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an event does to the world: the driver's answer to each operation under
 * sequentially consistent memory, where every location has one latest value.
 */
#include <config.h>

#include "engine/internal.h"
#include "engine/peek.h"
#include "k/lock.h"
#include "k/wait.h"
#include "k/work.h"
#include "memory/history.h"
#include "memory/model.h"

#include <stdlib.h>

uint64_t mem_read(const void *p, unsigned size)
{
	switch (size) {
	case 1:
		return *(const uint8_t *)p;
	case 2:
		return *(const uint16_t *)p;
	case 4:
		return *(const uint32_t *)p;
	default:
		return *(const uint64_t *)p;
	}
}

void mem_write(void *p, unsigned size, uint64_t v)
{
	switch (size) {
	case 1:
		*(uint8_t *)p = (uint8_t)v;
		break;
	case 2:
		*(uint16_t *)p = (uint16_t)v;
		break;
	case 4:
		*(uint32_t *)p = (uint32_t)v;
		break;
	default:
		*(uint64_t *)p = v;
		break;
	}
}

/* The cases that write and read their location, for the oracles and idle.c. */
bool op_writes(enum ev_op op)
{
	switch (op) {
	case OP_STORE: case OP_PLAIN_STORE: case OP_ADD: case OP_CPU_ADD: case OP_AND:
	case OP_OR: case OP_XOR: case OP_XCHG: case OP_CMPXCHG: case OP_MIN_ARM: case OP_MAX:
	case OP_LOCK: case OP_TRYLOCK: case OP_UNLOCK: case OP_WAIT: case OP_COMPLETE:
	case OP_WORK_WAIT: case OP_TIMER_WAIT: case OP_FREE:
	case OP_LOCK_READ: case OP_UNLOCK_READ: case OP_ADVANCE:
	case OP_LOCK_QUEUE: case OP_WQ:
		return true;
	default:
		return false;
	}
}

bool op_reads(enum ev_op op)
{
	switch (op) {
	case OP_STORE: case OP_PLAIN_STORE: case OP_UNLOCK: case OP_FREE:
		return false;
	case OP_LOAD: case OP_PLAIN_LOAD: case OP_WQ_WAIT:
		return true;
	default:
		return op_writes(op);
	}
}

static uint64_t mask(unsigned size)
{
	return size >= 8 ? UINT64_MAX : ((uint64_t)1 << (size * 8)) - 1;
}

/* Never below nothing: what is given back without having been taken is reported
 * before it comes here, except from C code that counts on its caller. */
static void add_depth(uint16_t *depth, int delta)
{
	if (delta > 0 || *depth)
		*depth = (uint16_t)(*depth + delta);
}

/* Context that a lock or a context switch of its own turns on (+1) or off (-1). */
static void change_context(struct task *t, const struct event *ev, int delta)
{
	unsigned flags = ev->site->flags;

	if (flags & SITE_SPIN)
		add_depth(&t->ctx.spin, delta);
	if (flags & SITE_IRQ)
		add_depth(&t->ctx.irq, delta);
	if (flags & SITE_BH)
		add_depth(&t->ctx.bh, delta);
	if (ev->op == OP_CPU_CTX && !(flags & (SITE_IRQ | SITE_BH)))
		add_depth(&t->ctx.preempt, delta);
	cpu_update_owner(t);
}

static void lock_take(struct world *w, struct task *t)
{
	uint64_t *lock = t->ev.loc;

	lock[0] = (uint64_t)task_id(t) + 1;
	lock[1] = w->log.n + 1; /* this step's number; for messages and idle.c */
	change_context(t, &t->ev, 1);
}

static void lock_drop(struct task *t)
{
	uint64_t *lock = t->ev.loc;

	lock[0] = 0;
	change_context(t, &t->ev, -1);
}

/* May a trylock take it now?  Of an rwsem only the writers' fast path tries. */
static bool lock_is_free(const struct event *ev)
{
	const struct rw_semaphore *sem = ev->loc;

	return !sem->owner && !(ev->site->flags & SITE_WRITE && (sem->readers || sem->waiters));
}

static void perform_rwsem(struct event *ev)
{
	struct rw_semaphore *sem = ev->loc;

	switch (ev->op) {
	case OP_LOCK_READ:
		sem->readers++;
		break;
	case OP_UNLOCK_READ:
		sem->readers--;
		break;
	case OP_LOCK_QUEUE:
		sem->waiters++;
		break;
	default:
		sem->waiters--; /* OP_LOCK: it waits no longer */
		break;
	}
}

static void perform_wq(struct event *ev)
{
	struct wait_queue_head *wq = ev->loc;
	bool on_it = ev->b == wq->wakeups + 1;

	ev->value = wq->wakeups;
	switch (ev->a) {
	case WQ_PREPARE:
		wq->waiting += !on_it;
		break;
	case WQ_FINISH:
		wq->waiting -= on_it;
		break;
	default:
		/* of nobody: nothing happens, and nothing is kept for later */
		ev->value = wq->waiting;
		wq->wakeups += wq->waiting != 0;
		wq->waiting = 0;
		break;
	}
}

static void free_object(struct world *w, struct task *t)
{
	struct object *o = object_at(w, t->ev.loc);

	if (!o)
		return;
	o->state = OBJECT_FREED;
	o->freed_by = task_id(t);
	o->freed_at = w->log.n + 1;
}

/* Read-modify-writes: the new value of the location. */
uint64_t rmw_value(const struct event *ev, uint64_t old)
{
	switch (ev->op) {
	case OP_ADD: case OP_CPU_ADD:
		return old + ev->a;
	case OP_AND:
		return old & ev->a;
	case OP_OR:
		return old | ev->a;
	case OP_XOR:
		return old ^ ev->a;
	case OP_XCHG:
		return ev->a;
	case OP_CMPXCHG:
		return old == (ev->a & mask(ev->size)) ? ev->b : old;
	case OP_MIN_ARM:
		return !old || ev->a < old ? ev->a : old;
	case OP_MAX:
		return ev->a > old ? ev->a : old;
	default:
		return old;
	}
}

/* Operations without a location of their own. */
static void perform_other(struct task *t, unsigned choice)
{
	struct event *ev = &t->ev;

	ev->value = 0;
	if (ev->op == OP_CHOOSE) {
		ev->value = choice ? choice : 1;
	} else if (ev->op == OP_MIGRATE) {
		ev->value = t->cpu;
		t->cpu = (uint32_t)ev->a;
	} else if (ev->op == OP_CPU_CTX) {
		change_context(t, ev, (int)(int64_t)ev->a);
	} else if (ev->op == OP_IRQ) {
		t->ctx.irq = 1;	/* until it ends: nothing else runs on its CPU */
		cpu_update_owner(t);
	} else if (ev->site->flags & SITE_DELAY) {
		idle_check_begins(t);
	}
}

/* The timer's stroke: until it waits again it owns its CPU, as a soft interrupt. */
static void timer_context(struct task *t, bool on)
{
	t->ctx.bh = on;
	cpu_update_owner(t);
}

/* A worker takes its item: it runs where that was queued. */
static void work_starts(struct task *t)
{
	struct work_struct *work = t->work;

	t->cpu = work->cpu;
	work->started++;
	idle_pass_begin(t);
}

static void perform_on(struct world *w, struct task *t, uint64_t old)
{
	struct event *ev = &t->ev;

	ev->value = old;
	switch (ev->op) {
	case OP_STORE: case OP_PLAIN_STORE:
		mem_write(ev->loc, ev->size, ev->a);
		break;
	case OP_LOAD: case OP_PLAIN_LOAD:
		break;
	case OP_LOCK:
		lock_take(w, t);
		if (ev->site->flags & SITE_WRITE)
			perform_rwsem(ev);
		break;
	case OP_TRYLOCK:
		ev->value = lock_is_free(ev);
		if (ev->value)
			lock_take(w, t);
		break;
	case OP_UNLOCK:
		lock_drop(t);
		break;
	case OP_WAIT:
		if (!ev->a)
			mem_write(ev->loc, ev->size, old - 1);
		break;
	case OP_COMPLETE:
		mem_write(ev->loc, ev->size, old + ev->a < old ? UINT64_MAX : old + ev->a);
		break;
	case OP_WORK_WAIT:
		mem_write(ev->loc, ev->size, 0);
		work_starts(t);
		break;
	case OP_TIMER_WAIT:
		mem_write(ev->loc, ev->size, 0);
		timer_context(t, true);
		break;
	case OP_FREE:
		free_object(w, t);
		break;
	case OP_LOCK_READ: case OP_UNLOCK_READ: case OP_LOCK_QUEUE:
		perform_rwsem(ev);
		break;
	case OP_WQ:
		perform_wq(ev);
		break;
	case OP_WQ_WAIT:
		break;
	default:
		mem_write(ev->loc, ev->size, rmw_value(ev, old));
		break;
	}
}

bool op_is_access(enum ev_op op)
{
	switch (op) {
	case OP_LOAD: case OP_STORE: case OP_PLAIN_LOAD: case OP_PLAIN_STORE:
	case OP_ADD: case OP_CPU_ADD: case OP_AND: case OP_OR: case OP_XOR: case OP_XCHG:
	case OP_CMPXCHG:
		return true;
	default:
		return false;
	}
}

/* The newest store that memory itself has. */
static size_t newest(const struct mem_location *l)
{
	size_t at = l->n - 1;

	while (at && l->v[at].promise)
		at--;
	return at;
}

bool event_access(struct world *w, const struct event *ev, unsigned choice, struct access_done *done)
{
	uint64_t latest = mem_read(ev->loc, ev->size);
	struct mem_location *l = history_at(w->history, ev->loc, latest);
	bool store = ev->op == OP_STORE || ev->op == OP_PLAIN_STORE;
	size_t at;

	if (!l || l->n < choice)
		return world_fail(w, l ? "there is no such store" : "out of memory");
	l->v[newest(l)].value = latest;	/* something may have been stored without a step */
	at = l->n - (choice ? choice : 1);
	*done = (struct access_done){ .value = l->v[at].value, .stored = l->v[at].value,
				      .source = store ? 0 : l->v[at].step };
	if (store)
		done->stored = ev->a & mask(ev->size);
	else if (op_writes((enum ev_op)ev->op))
		done->stored = rmw_value(ev, done->value) & mask(ev->size);
	if (!op_writes((enum ev_op)ev->op))
		return true;
	/* one that fails stores nothing; one that succeeds does, be it what was there */
	if (ev->op == OP_CMPXCHG && done->value != (ev->a & mask(ev->size)))
		return true;
	if (!history_put(l, at + 1, (struct mem_store){ .value = done->stored, .step = (uint32_t)w->log.n + 1,
							.behind = !store,
							.promise = ev->site->flags & SITE_PROMISE }))
		return world_oom(w);
	mem_write(ev->loc, ev->size, l->v[newest(l)].value);
	return true;
}

uint64_t event_would_read(struct world *w, const struct event *ev, unsigned choice)
{
	uint64_t latest = mem_read(ev->loc, ev->size);
	const struct mem_location *l = history_at(w->history, ev->loc, latest);
	size_t at;

	if (!l || choice > l->n)
		return latest;
	at = l->n - (choice ? choice : 1);
	return at == newest(l) ? latest : l->v[at].value;
}

/* An access under a model in which they do not stand in one order. */
static bool perform_chosen(struct world *w, struct task *t, unsigned choice, struct record *r)
{
	struct event *ev = &t->ev;
	struct access_done done = { 0 };

	if (!event_access(w, ev, choice, &done))
		return false;
	if (!log_add_access(w, (struct log_access){ .step = (uint32_t)w->log.n + 1, .source = done.source,
						    .choice = choice ? choice : 1 }))
		return false;
	ev->value = r->value = done.value;
	r->stored = done.stored;
	if (op_writes((enum ev_op)ev->op))
		awake_touched(w, ev->loc);
	if (t->in_pass)
		idle_note(t, ev, r->value);
	return true;
}

/* What the condition that has come true reads, and from which stores: the latest. */
static bool note_seen(struct world *w, struct task *t)
{
	struct peek p = { 0 };
	bool ok = true;

	world_peek_begin(w, &p);
	(void)t->predicate(t->predicate_arg);
	world_peek_end(w, &p);
	for (size_t i = 0; i < p.n && ok; i++) {
		const struct mem_location *l = history_at(w->history, arena_addr(w, p.locs[i]), 0);

		ok = l ? log_add_seen(w, (struct log_seen){ .step = (uint32_t)w->log.n + 1, .loc = p.locs[i],
							    .source = l->v[l->n - 1].step }) : world_oom(w);
	}
	peek_release(&p);
	return ok;
}

bool event_perform(struct world *w, struct task *t, unsigned choice, struct record *r)
{
	struct event *ev = &t->ev;
	uint64_t old;

	if (!ev->loc || ev->op == OP_COND || ev->op == OP_CALL_WAIT) {
		perform_other(t, choice);
		r->value = ev->value;
		r->stored = ev->a;
		return !w->history || ev->op != OP_COND || note_seen(w, t);
	}
	if (w->history && op_is_access((enum ev_op)ev->op))
		return perform_chosen(w, t, choice, r);
	old = ev->size ? mem_read(ev->loc, ev->size) : 0;
	perform_on(w, t, old);
	if (op_writes((enum ev_op)ev->op))
		awake_touched(w, ev->loc);
	/* for stores and lock operations the record keeps what was there before */
	r->value = op_reads((enum ev_op)ev->op) ? ev->value : old;
	r->stored = ev->size ? mem_read(ev->loc, ev->size) : 0;
	if (t->in_pass)
		idle_note(t, ev, old);
	return true;
}
