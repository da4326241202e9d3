/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an announced event is to the graph.  Every operation of the engine is here a
 * read, a write or a read-modify-write of one class of locations, a link in a chain of
 * locks, a choice, or nothing that conflicts.
 *
 * Blocking operations are of three kinds.  What enables a worker, a timer that nobody
 * disarms, or the only one who waits for a completion is undone by nobody but itself: it
 * is simply not there until it is enabled.  A lock that is only locked and unlocked has a
 * chain of owners, in which one can stand before its turn comes.  All others (`await`) are
 * in the graph as a read even when what they read does not enable them, and wait there for
 * a write that revisits them.
 */
#include <config.h>

#include "explore/dpor.h"
#include "k/work.h"

/* The location is used as something else than a lock: its chain ends here. */
static void no_chain_of_locks(struct dpor *d, int cls)
{
	if (!d->cls[cls].lock)
		return;
	d->cls[cls].lock = false;
	d->anew = true;
}

/* Whatever the memory model: all see one order of what is done to it. */
static void needs_order(struct dpor *d, int cls)
{
	if (d->cls[cls].strong)
		return;
	d->cls[cls].strong = true;
	if (d->weak)
		d->anew = true;
}

static void needs_chain(struct dpor *d, int cls)
{
	no_chain_of_locks(d, cls);
	if (d->cls[cls].chain)
		return;
	d->cls[cls].chain = true;
	d->anew = true;
}

/* Does a second task wait on it? */
static bool wait_is_shared(struct dpor *d, int cls, int slot)
{
	struct dclass *c;

	if (!d->cls[cls].waiter && !place_waiter(d, cls, (unsigned)slot))
		return false;
	c = &d->cls[cls];
	if (!c->shared_wait && c->waiter && c->waiter != (uint32_t)slot + 1) {
		c->shared_wait = true;
		d->anew = true;
	}
	c->waiter = (uint32_t)slot + 1;
	return c->shared_wait;
}

/* Is it a timer that can be disarmed before it fires? */
static bool timer_is_disarmed(struct dpor *d, int cls, const struct event *ev)
{
	bool timer = ev->op == OP_MIN_ARM || ev->op == OP_TIMER_WAIT, disarmed = ev->op == OP_XCHG;
	const struct dclass *c = &d->cls[cls];

	if (((timer && !c->timer) || (disarmed && !c->disarmed)) &&
	    !place_timer(d, cls, timer, disarmed))
		return false;
	return d->cls[cls].timer && d->cls[cls].disarmed;
}

static bool locks_only(const struct event *ev)
{
	return (ev->op == OP_LOCK || ev->op == OP_UNLOCK) && !(ev->site->flags & SITE_WRITE);
}

/* The class of the locations that a predicate reads, made one.  -1: it reads none. */
static int condition_class(struct dpor *d, struct task *t)
{
	struct peek *p = &d->peek;
	int cls = -1;

	p->n = 0;
	p->other = false;
	world_peek_begin(d->w, p);
	(void)task_blocked(t);
	world_peek_end(d->w, p);
	if (p->other) {
		d->failed = true;
		explore_fail(d->x, "the condition of %s() in \"%s\" (%s:%d) looks at something that is neither "
			     "a shared variable nor ghost state: explore cannot know when it changes",
			     t->ev.site->prim, task_name(t), site_file(t->ev.site), t->ev.site->line);
		return -1;
	}
	for (size_t i = 0; i < p->n; i++) {
		place_seen(d, p->locs[i]);
		place_unite(d, p->locs[0], p->locs[i]);
		cls = place_loc(d, p->locs[0]);
	}
	return cls;
}

/* The whole that a step concerns which changes a part of it; 0: none. */
static uint64_t whole_of(const struct dpor *d, const struct event *ev)
{
	return (ev->op == OP_ADD || ev->op == OP_CPU_ADD) &&
	       arena_contains(d->w, (void *)(uintptr_t)ev->b) ? ev->b : 0;
}

/* A step on a part is one on the whole: those who look at the whole, and each other. */
static void part_of_whole(struct dpor *d, uint64_t whole, const struct event *ev, struct shape *s)
{
	uint32_t loc = arena_offset(d->w, (void *)(uintptr_t)whole), part = arena_offset(d->w, ev->loc);

	s->cls = place_loc(d, loc);
	if (s->cls < 0)
		return;
	needs_chain(d, s->cls);
	s->kind = G_RMW;
	if (place_loc(d, part) != s->cls)
		place_unite(d, loc, part);
}

static void condition(struct dpor *d, struct task *t, struct shape *s)
{
	if (t->ev.loc) {
		s->cls = place_loc(d, arena_offset(d->w, t->ev.loc));
		s->kind = G_READ;
		if (s->cls >= 0) {
			no_chain_of_locks(d, s->cls);
			needs_order(d, s->cls);
		}
		return;
	}
	s->cls = condition_class(d, t);
	s->kind = s->cls < 0 ? G_NONE : G_READ;
	/* the engine's own wait for counts that only grow */
	s->await = s->cls >= 0 && t->ev.site->flags & SITE_LUA && !t->flushes;
	if (s->cls >= 0) {
		no_chain_of_locks(d, s->cls);
		needs_order(d, s->cls);
	}
}

bool shape_of_condition(struct dpor *d, struct task *t, const struct gevent *e)
{
	int cls;

	if (t->ev.op != OP_COND || t->ev.loc)
		return true;
	/* it need not read all that it names: what comes first may decide */
	cls = condition_class(d, t);
	if (cls >= 0 && cls != e->cls && !d->anew && !d->failed)
		place_join(d, cls, e->cls);
	return !d->anew && !d->failed;
}

bool shape_is_data(struct dpor *d, int cls, bool written)
{
	if (written)
		needs_chain(d, cls);
	else
		no_chain_of_locks(d, cls);
	return !d->anew;
}

uint8_t shape_kind(const struct dpor *d, uint16_t cls, const struct event *ev, uint64_t v, bool ghost_written)
{
	if (ghost_written)
		return G_RMW;
	if (shape_is_pure(ev))
		return G_READ;
	return d->cls[cls].chain || shape_writes(d, ev, v) ? G_RMW : G_READ;
}

bool shape_is_pure(const struct event *ev)
{
	switch (ev->op) {
	case OP_LOAD: case OP_PLAIN_LOAD: case OP_WQ_WAIT: case OP_COND: case OP_FENCE:
	case OP_YIELD: case OP_MIGRATE: case OP_CPU_CTX: case OP_IRQ:
	case OP_CHOOSE:
		return true;
	case OP_WAIT:
		return ev->a;
	default:
		return false;
	}
}

static void lock_shape(struct dpor *d, const struct event *ev, struct shape *s)
{
	if (!locks_only(ev)) {
		no_chain_of_locks(d, s->cls);
		needs_order(d, s->cls);
	}
	if (ev->op == OP_LOCK_READ || ev->op == OP_UNLOCK_READ || ev->op == OP_LOCK_QUEUE ||
	    ev->site->flags & SITE_WRITE)
		needs_chain(d, s->cls); /* several words */
	if (!d->cls[s->cls].lock)
		needs_order(d, s->cls);
	if (d->cls[s->cls].lock) {
		s->kind = ev->op == OP_LOCK ? G_LOCK : G_UNLOCK;
		return;
	}
	s->kind = ev->op == OP_UNLOCK && !d->cls[s->cls].chain ? G_WRITE : G_RMW;
	s->await = ev->op == OP_LOCK || ev->op == OP_LOCK_READ;
}

static void data_shape(struct dpor *d, const struct event *ev, int slot, struct shape *s)
{
	const struct dclass *c = &d->cls[s->cls];

	no_chain_of_locks(d, s->cls);
	if (!op_is_access((enum ev_op)ev->op))
		needs_order(d, s->cls);
	if (ev->op == OP_FREE && !place_freed(d, arena_offset(d->w, ev->loc)))
		return;
	switch (ev->op) {
	case OP_LOAD: case OP_PLAIN_LOAD:
	case OP_WQ_WAIT:	/* a count of wake-ups only grows */
		s->kind = G_READ;
		break;
	case OP_STORE: case OP_PLAIN_STORE:
		s->kind = c->chain ? G_RMW : G_WRITE;
		break;
	case OP_WQ:
		needs_chain(d, s->cls);
		s->kind = G_RMW;
		break;
	case OP_WAIT:
		s->kind = ev->a ? G_READ : G_RMW;
		s->await = wait_is_shared(d, s->cls, slot) && !ev->a;
		break;
	case OP_XCHG: case OP_MIN_ARM: case OP_TIMER_WAIT:
		s->kind = G_RMW;
		s->await = timer_is_disarmed(d, s->cls, ev) && ev->op == OP_TIMER_WAIT;
		break;
	default:
		s->kind = G_RMW;
		break;
	}
}

bool shape_of(struct dpor *d, int slot, struct shape *s)
{
	struct task *t = d->slots[slot].t;
	const struct event *ev = &t->ev;

	*s = (struct shape){ .kind = G_NONE, .cls = -1 };
	switch (ev->op) {
	case OP_COND:
		condition(d, t, s);
		break;
	case OP_FENCE: case OP_YIELD: case OP_MIGRATE: case OP_CPU_CTX: case OP_IRQ:
	case OP_ASSUME: case OP_CALL_WAIT: case OP_NONE: case OP_CHOOSE:
		break;
	default:
		if (!ev->loc || !arena_contains(d->w, ev->loc))
			break;
		if (whole_of(d, ev)) {
			part_of_whole(d, whole_of(d, ev), ev, s);
			break;
		}
		s->cls = place_loc(d, arena_offset(d->w, ev->loc));
		if (s->cls < 0)
			break;
		if (ev->op == OP_LOCK || ev->op == OP_UNLOCK || ev->op == OP_TRYLOCK ||
		    ev->op == OP_LOCK_READ || ev->op == OP_UNLOCK_READ || ev->op == OP_LOCK_QUEUE)
			lock_shape(d, ev, s);
		else
			data_shape(d, ev, slot, s);
		break;
	}
	return !d->anew && !d->failed;
}

static uint64_t narrow(const struct event *ev, uint64_t v)
{
	return ev->size >= 8 ? v : v & (((uint64_t)1 << (8 * ev->size)) - 1);
}

bool shape_writes(const struct dpor *d, const struct event *ev, uint64_t v)
{
	/* that somebody stored what was there already makes a difference to the order */
	if (d->weak && ev->op == OP_CMPXCHG)
		return narrow(ev, ev->a) == v;
	if (d->weak && op_is_access((enum ev_op)ev->op))
		return true;
	switch (ev->op) {
	case OP_ADD: case OP_CPU_ADD: case OP_AND: case OP_OR: case OP_XOR: case OP_XCHG:
	case OP_CMPXCHG:
	case OP_MIN_ARM: case OP_MAX:
		return narrow(ev, rmw_value(ev, v)) != v;
	case OP_TRYLOCK:
		return !v;
	default:
		return true;
	}
}

bool shape_enabled(const struct event *ev, uint64_t v)
{
	switch (ev->op) {
	case OP_LOCK:
		return !v;
	case OP_WAIT: case OP_TIMER_WAIT:
		return v;
	case OP_WORK_WAIT:
		return v & WORK_QUEUED;
	default:
		return true;
	}
}
