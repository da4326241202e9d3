/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Going on from a graph: who moves next is a function of the graph alone, what it does
 * stands at the end of everything (it reads what was written last, it writes last),
 * and all else that it could have read, or where else it could have written, is pushed.
 */
#include <config.h>

#include "explore/dpor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- the value of a location at a place in coherence order --- */

/* What the new event's location held behind the k first writes of its class.  False:
 * not known without replaying. */
static bool value_at(const struct dpor *d, const struct gclass *c, uint32_t k, bool chain, uint64_t *v)
{
	if (chain || (!k && !c->n))
		return false;
	*v = k ? d->info[c->w[k - 1]].stored : d->info[c->w[0]].value;
	return true;
}

/* --- what else it could have been --- */

struct added {
	struct gevent e;	/* rf and rank as they came out */
	struct event ev;
	uint32_t i;		/* its index */
	dclock hb, past;	/* of its program order, without itself */
	bool pure;		/* only ever reads */
};

/* The past of the event if it reads from `source`. */
static const uint16_t *past_from(struct dpor *d, const struct added *a, uint16_t source)
{
	clock_copy(d, d->clock, a->past);
	if (source != GNONE)
		clock_join(d, d->clock, past_of(d, source));
	return d->clock;
}

/* The event as which a write was performed. */
static const struct gevent *step_of(const struct dpor *d, uint32_t i)
{
	const struct gevent *e = &d->g.ev[i];

	return e->kind == G_RMW_WRITE ? &d->g.ev[e->rf] : e;
}

/* May the event come out differently than it did, or be another one, as long as the new
 * event stays?  Not if it returns nothing, or is in the new event's past. */
static bool may_change(const struct dpor *d, const struct added *a, uint32_t i)
{
	const struct gevent *e = &d->g.ev[i];

	if (in_clock(d, a->past, i))
		return false;
	return g_reads(e) || e->choice;
}

/*
 * Would the new event stand between two writes that another task made on the same CPU
 * without letting it go?  That can never become an order of steps, whatever else comes:
 * the new event keeps the first write, which keeps its task where it was.  Only if the
 * task's way from the first write to the second is the same in all that may come: else
 * the second may go, and the task leave its CPU in between.
 */
static bool lacks_cpu_between(const struct dpor *d, const struct added *a, uint32_t first, uint32_t second)
{
	const struct gevent *w = step_of(d, first);
	uint8_t level = level_of(&d->slots[a->e.task]);

	if (consistent_is_loose(d, a->e.cls))
		return false;
	if (w->own < level || w->cpu != a->e.cpu || w->task == a->e.task ||
	    d->g.ev[second].task != w->task)
		return false;
	for (uint32_t i = first + 1; i < d->g.n; i++) {
		const struct gevent *e = &d->g.ev[i];

		if (e->task != w->task || !g_steps(e) || d->po[i] <= d->po[first])
			continue;
		if (d->po[i] >= d->po[second])
			return true;
		if (e->own < level || may_change(d, a, i))
			return false;
	}
	return true;
}

static bool instead_read(struct dpor *d, struct added *a, uint32_t k)
{
	const struct gclass *c = &d->classes[a->e.cls];
	bool chain = d->cls[a->e.cls].chain, known;
	struct gevent e = a->e;
	uint64_t v = 0;

	e.flags &= GF_AWAIT;
	e.own = 0;
	e.rf = k ? c->w[k - 1] : GNONE;
	if (k && k < c->n && lacks_cpu_between(d, a, c->w[k - 1], c->w[k]))
		return true;
	known = k < c->n ? value_at(d, c, k, chain, &v) : !chain;
	if (k == c->n)
		v = d->info[a->i].value;
	if (known && k < c->n && !shape_enabled(&a->ev, v))
		return true;
	if (a->e.flags & GF_WAITING && k == c->n)
		return true; /* it writes nothing until it is revisited */
	if ((!a->pure || (chain && k < c->n)) && (chain || !known || shape_writes(d, &a->ev, v))) {
		e.kind = G_RMW;
		if (k < c->n && d->g.ev[c->w[k]].kind != G_RMW_WRITE && !push_forward(d, &e, k))
			return false;
		if (!revisit_reads(d, d->g.n, &e, past_from(d, a, e.rf)))
			return false;
	}
	if (k < c->n && (shape_is_pure(&a->ev) || (!chain && (!known || !shape_writes(d, &a->ev, v))))) {
		e.kind = G_READ;
		return push_forward(d, &e, 0);
	}
	return true;
}

/* Does the write come before the new event for certain, so that what it overwrites cannot
 * be seen any more?  Where stores reach memory in their order, each that is in its past does. */
static bool is_overwritten(const struct dpor *d, const struct added *a, uint32_t write)
{
	if (!consistent_is_loose(d, a->e.cls))
		return in_clock(d, a->hb, write);
	return world_model(d->w)->buffers && in_clock(d, a->past, write);
}

static bool instead_read_all(struct dpor *d, struct added *a)
{
	const struct gclass *c = &d->classes[a->e.cls];
	uint32_t seen = consistent_seen(d, a->e.task, a->e.cls);

	for (uint32_t k = c->n + 1u; k-- > seen;) {
		if (k < c->n && is_overwritten(d, a, c->w[k]))
			return true;
		if (!instead_read(d, a, k))
			return false;
	}
	return true;
}

static bool instead_write(struct dpor *d, struct added *a)
{
	const struct gclass *c = &d->classes[a->e.cls];
	uint32_t seen = consistent_seen(d, a->e.task, a->e.cls);
	struct gevent e = a->e;

	e.flags = 0;
	e.rf = GNONE;
	for (uint32_t k = c->n; k-- > seen;) {
		if (is_overwritten(d, a, c->w[k]))
			break;
		if (d->g.ev[c->w[k]].kind != G_RMW_WRITE &&
		    !(k && lacks_cpu_between(d, a, c->w[k - 1], c->w[k])) && !push_forward(d, &e, k))
			return false;
	}
	return revisit_reads(d, d->g.n, &e, past_from(d, a, GNONE));
}

/* The same step with each other choice: what it then does is found when it is made. */
static bool instead_choose(struct dpor *d, struct added *a)
{
	struct gevent e = { .task = a->e.task, .kind = G_PROMISE, .rf = GNONE, .maker = GNONE };

	if (a->ev.a > UINT16_MAX) {
		d->failed = true;
		return explore_fail(d->x, "choose(%" PRIu64 ") has too many choices to explore", a->ev.a);
	}
	for (uint64_t v = a->ev.a; v > 1; v--) {
		e.choice = (uint16_t)v;
		if (!push_behind(d, e))
			return false;
	}
	return true;
}

static bool instead(struct dpor *d, struct added *a)
{
	switch (a->e.kind) {
	case G_READ:
	case G_RMW:
		return instead_read_all(d, a);
	case G_WRITE:
		return instead_write(d, a);
	default:
		return true;
	}
}

/* --- adding --- */

static bool append(struct dpor *d, struct added *a)
{
	struct gclass *c = a->e.kind != G_NONE ? &d->classes[a->e.cls] : NULL;
	struct dslot *s = &d->slots[a->e.task];
	uint32_t i = a->i;

	if (!visit_widen(d, i + 2))
		return false;
	if (a->e.kind == G_READ || a->e.kind == G_RMW)
		a->e.rf = c->n ? c->w[c->n - 1] : GNONE;
	if (a->e.kind == G_WRITE || a->e.kind == G_LOCK) {
		a->e.rank = c->n;
		if (!class_put(d, a->e.cls, c->n, (uint16_t)i))
			return false;
	}
	d->g.ev[i] = a->e;
	d->unlock[i] = GNONE;
	d->revisited[i] = 0;
	if (a->e.kind == G_UNLOCK)
		d->unlock[a->e.rf] = (uint16_t)i;
	d->g.n = i + 1;
	clocks_end(d, &d->g.ev[i], i);
	if (a->e.kind == G_RMW) {
		uint32_t w = d->g.n++;

		d->g.ev[w] = g_write_part(&a->e, i, c->n);
		d->unlock[w] = GNONE;
		d->revisited[w] = 0;
		d->performed[w] = 1;
		clocks_share(d, i, w);
		if (!class_put(d, a->e.cls, c->n, (uint16_t)w))
			return false;
	}
	s->last = (uint16_t)i;
	s->count++;
	return true;
}

/* The lock event that a task's unlock ends: its last on that lock. */
static uint16_t lock_of(const struct dpor *d, int slot, int cls)
{
	const struct gclass *c = &d->classes[cls];

	for (uint32_t k = c->n; k--;)
		if (d->g.ev[c->w[k]].task == slot)
			return c->w[k];
	return GNONE;
}

/* A lock event stands at the end of the chain, or takes the place of another. */
static bool add_lock(struct dpor *d, struct added *a)
{
	struct gclass *c = &d->classes[a->e.cls];
	uint16_t last = c->n ? c->w[c->n - 1] : GNONE;
	struct dslot *s = &d->slots[a->e.task];

	if (!revisit_locks(d, &a->e, a->past))
		return false;
	a->e.rf = last;
	if (last != GNONE && d->unlock[last] == GNONE) {
		a->e.flags = GF_WAITING | GF_FRESH;
		d->info[a->i] = (struct dinfo){ .loc = LOC_NONE };
		s->waiting = true;
		return append(d, a);
	}
	/* the chain says who has it, so its end must be known before the step */
	if (!visit_perform(d, &a->e, a->i, &a->ev))
		return false;
	d->g.ev[a->i] = a->e;
	a->e.check = visit_check(d, a->i, &a->ev);
	return append(d, a);
}

static bool add_waiting(struct dpor *d, struct added *a)
{
	static const struct event_deps none;
	struct dslot *s = &d->slots[a->e.task];

	a->ev = s->t->ev;
	a->e.kind = G_READ;
	a->e.flags = GF_AWAIT | GF_WAITING;
	d->info[a->i] = (struct dinfo){ .loc = LOC_NONE };
	if (d->weak)
		consistent_note(d, a->i, &a->ev, s->t->deps ? s->t->deps : &none);
	s->waiting = true;
	return instead(d, a) && append(d, a);
}

/* Where somebody was seen to be stuck on its CPU for good a task may not come to its next
 * step: what then is gets a graph of its own.  See leaf_push_starved(). */
static bool instead_starve(struct dpor *d, int slot)
{
	return push_behind(d, (struct gevent){ .task = (uint8_t)slot, .kind = G_STARVED, .rf = GNONE,
					       .maker = GNONE });
}

/* What is known of the event before it is performed. */
static void begin_added(struct dpor *d, int slot, const struct shape *shape,
			const struct gevent *promise, struct added *a)
{
	const struct dslot *s = &d->slots[slot];

	d->po[a->i] = s->count;
	clocks_begin(d, s, a->i);
	a->e = (struct gevent){ .task = (uint8_t)slot, .kind = shape->kind, .cpu = (uint16_t)s->t->cpu,
				.flags = shape->await ? GF_AWAIT : 0, .rf = GNONE,
				.cls = (uint16_t)(shape->cls < 0 ? 0 : shape->cls),
				.maker = s->count ? GNONE : s->maker, .op = s->t->ev.op };
	if (promise && promise->maker != GNONE) {
		clocks_behind(d, a->i, promise->maker);
		a->e.maker = promise->maker;
	}
	clock_copy(d, a->hb, hb_of(d, a->i));
	clock_copy(d, a->past, past_of(d, a->i));
}

bool extend_by(struct dpor *d, int slot, const struct gevent *promise)
{
	struct dslot *s = &d->slots[slot];
	uint16_t before[2][UINT8_MAX + 1];
	struct shape shape;
	struct added a = { .i = d->g.n, .hb = before[0], .past = before[1] };

	if (!visit_widen(d, d->g.n + 2) || !shape_of(d, slot, &shape))
		return false;
	if (!snare_waits(d, s->t) || (s->t->ev.op == OP_LOCK && !snare_wants(d, (unsigned)slot, a.i)))
		return false;
	if (!promise && d->stuck[s->t->cpu] > owns_cpu(s->t) && !instead_starve(d, slot))
		return false;
	begin_added(d, slot, &shape, promise, &a);
	if (shape.kind == G_LOCK)
		return add_lock(d, &a);
	if (shape.await && is_block(task_blocked(s->t).why))
		return add_waiting(d, &a);
	if (s->t->ev.op == OP_CHOOSE)
		a.e.choice = promise && promise->choice ? promise->choice : 1;
	if (shape.kind == G_UNLOCK)
		a.e.rf = lock_of(d, slot, shape.cls);
	if (a.e.kind == G_UNLOCK && a.e.rf == GNONE)
		a.e.kind = G_NONE; /* not its lock: the oracles end the task */
	if (!visit_perform(d, &a.e, a.i, &a.ev))
		return false;
	a.pure = shape_is_pure(&a.ev) && !d->ghost_written;
	if (a.e.kind == G_READ || a.e.kind == G_RMW)
		a.e.kind = shape_kind(d, a.e.cls, &a.ev, d->info[a.i].value, d->ghost_written);
	d->g.ev[a.i] = a.e;
	a.e.check = visit_check(d, a.i, &a.ev);
	if (a.ev.op == OP_CHOOSE && !(promise && promise->choice) && !instead_choose(d, &a))
		return false;
	return instead(d, &a) && append(d, &a);
}

/* A lock that was waited for has been released. */
static bool perform_lock(struct dpor *d, int slot)
{
	struct dslot *s = &d->slots[slot];
	uint32_t i = s->last;
	struct gevent e = d->g.ev[i];
	struct event ev;

	e.flags &= (uint8_t)~GF_WAITING;
	if (!visit_perform(d, &e, i, &ev))
		return false;
	d->g.ev[i] = e;
	consistent_reset(d);
	if (e.flags & GF_FRESH)
		d->g.ev[i].check = visit_check(d, i, &ev);
	d->g.ev[i].flags &= (uint8_t)~GF_FRESH;
	s->waiting = false;
	clocks_end(d, &d->g.ev[i], i);
	return true;
}

/* --- whose turn it is --- */

/* May the task be given its next event?  A lock or an awaited condition may be waited
 * for: that is an event too. */
static bool has_event(struct dpor *d, int slot, bool *failed)
{
	struct dslot *s = &d->slots[slot];
	struct shape shape;

	switch (task_blocked(s->t).why) {
	case BLOCK_NONE:
		return !polls_idly(d, s->t);
	case BLOCK_LOCK: case BLOCK_SELF: case BLOCK_WAIT: case BLOCK_COND:
	case BLOCK_READERS: case BLOCK_QUEUE: case BLOCK_IDLE_TIMER:
		if (!shape_of(d, slot, &shape)) {
			*failed = true;
			return false;
		}
		return shape.await || shape.kind == G_LOCK;
	default:
		return false;
	}
}

static bool lock_is_due(const struct dpor *d, const struct dslot *s)
{
	const struct gevent *e = s->last != GNONE ? &d->g.ev[s->last] : NULL;

	return e && e->kind == G_LOCK && e->flags & GF_WAITING && e->rf != GNONE &&
	       d->unlock[e->rf] != GNONE;
}

bool extend_next(struct dpor *d, bool *moved)
{
	bool failed = false;

	*moved = true;
	for (unsigned k = 0; k < d->nslots; k++) {
		int slot = d->turn[k];
		struct dslot *s = &d->slots[slot];

		if (!s->t || s->t->state != TASK_READY)
			continue;
		if (s->waiting) {
			if (lock_is_due(d, s))
				return perform_lock(d, slot);
			continue;
		}
		if (has_event(d, slot, &failed))
			return extend_by(d, slot, NULL);
		if (failed)
			return false;
	}
	*moved = false;
	return true;
}
