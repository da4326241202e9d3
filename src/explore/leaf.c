/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nobody is left to move.  Is that an execution, and of which kind?
 *
 * Someone who waits in place for a location must see what was written there last, or
 * what he waits for came and nobody told him: then this graph is none, another has him
 * go on.  Those who wait for a lock that is never released stand in no order: of the
 * graphs that differ only in it, one counts.
 *
 * CPUs that may not be preempted are left to this place, too: that a task could not have
 * run where it did is only known when all is there that it could have waited for.  An
 * execution counts if its steps can be put into an order that respects them.
 *
 * A worker whose pass changed nothing tries again when something changes that it had
 * read.  Executions in which it does so are equal to those in which the pass came later,
 * unless somebody saw something of the pass: only then it goes on here.
 */
#include <config.h>

#include "explore/dpor.h"
#include "explore/promise.h"
#include "k/work.h"

static bool is_last(const struct dpor *d, const struct gevent *e)
{
	const struct gclass *c = &d->classes[e->cls];

	return e->rf == (c->n ? c->w[c->n - 1] : GNONE);
}

/* Behind one that waits, in a chain, stands one that comes before it in turn. */
static bool waits_out_of_turn(const struct dpor *d)
{
	uint8_t turn[UINT8_MAX];

	for (unsigned k = 0; k < d->nslots; k++)
		turn[d->turn[k]] = (uint8_t)k;
	for (unsigned k = 0; k < d->nslots; k++) {
		const struct dslot *s = &d->slots[k];
		const struct gevent *e, *before;

		if (!s->t || !s->waiting || s->last == GNONE)
			continue;
		e = &d->g.ev[s->last];
		if (e->kind != G_LOCK || e->rf == GNONE)
			continue;
		before = &d->g.ev[e->rf];
		if (before->flags & GF_WAITING && turn[before->task] > turn[e->task])
			return true;
	}
	return false;
}

/* --- idle passes --- */

static bool own_cell(const struct dpor *d, const struct work_struct *work, uint32_t i)
{
	const void *loc = arena_addr(d->w, d->info[i].loc);

	return loc == &work->state || (work->timer && loc == &work->timer->expires);
}

/* Was the item queued, since its last pass, by its timer?  Then it has leave to run. */
static bool queued_by_timer(const struct dpor *d, const struct work_struct *work)
{
	const struct task *timer = work->timer ? work->timer->task : NULL;

	for (uint32_t i = d->g.n; timer && i--;)
		if (g_writes(&d->g.ev[i]) && d->info[i].loc == arena_offset(d->w, &work->state))
			return d->slots[d->g.ev[i].task].t == timer;
	return false;
}

bool polls_idly(const struct dpor *d, const struct task *t)
{
	const struct timer_list *timer;

	if (t->kind == TASK_WORKER && t->ev.op == OP_WORK_WAIT)
		return idle_was_idle(t) && !queued_by_timer(d, t->work);
	if (t->kind != TASK_TIMER || t->ev.op != OP_TIMER_WAIT)
		return false;
	timer = t->work;
	return timer->work && timer->work->task && idle_was_idle(timer->work->task);
}

static bool waits_for_what_came(const struct dpor *d)
{
	for (unsigned k = 0; k < d->nslots; k++) {
		const struct dslot *s = &d->slots[k];

		if (s->t && s->waiting && s->last != GNONE && d->g.ev[s->last].flags & GF_WAITING &&
		    d->g.ev[s->last].kind == G_READ && !polls_idly(d, s->t) && !is_last(d, &d->g.ev[s->last]))
			return true;
	}
	return false;
}

/* The first event of the worker's last pass, or of its last check in it. */
static uint32_t last_begin(const struct dpor *d, unsigned slot, bool check)
{
	uint32_t begin = 0;

	for (uint32_t i = 0; i < d->g.n; i++)
		if (d->g.ev[i].task == slot && g_steps(&d->g.ev[i]) &&
		    (d->g.ev[i].op == OP_WORK_WAIT || (check && d->g.ev[i].op == OP_YIELD)))
			begin = i;
	return begin;
}

/* Does e, of another task, see something of what `from` wrote?  That a lock is free again
 * is nothing to be seen. */
static bool sees(const struct dpor *d, const struct gevent *e, uint32_t from)
{
	if (!g_reads(e) || e->flags & GF_WAITING)
		return false;
	return d->g.ev[from].op != OP_UNLOCK || (e->op != OP_LOCK && e->op != OP_TRYLOCK);
}

/* Did somebody see something of the worker's last pass? */
static bool pass_was_seen(const struct dpor *d, unsigned slot)
{
	uint32_t begin = last_begin(d, slot, false);

	for (uint32_t i = 0; i < d->g.n; i++) {
		const struct gevent *e = &d->g.ev[i];

		if (e->task != slot && e->rf != GNONE && d->g.ev[e->rf].task == slot &&
		    d->po[e->rf] >= d->po[begin] && sees(d, e, e->rf) &&
		    !own_cell(d, d->slots[slot].t->work, e->rf))
			return true;
	}
	return false;
}

/*
 * The worker polls anew, because of any of the writes that came behind what its last
 * check had read: a graph for each.
 */
static bool push_retries(struct dpor *d, unsigned slot)
{
	const struct work_struct *work = d->slots[slot].t->work;
	/* plain reads have no events of their own: what orders them may come before the check */
	bool check = !idle_changed_plainly(d->slots[slot].t);
	int mover = (int)slot;

	if (work->timer && work->timer->task && work->timer->expires)
		mover = place_task(d, work->timer->task);
	if (mover >= 0 && d->slots[mover].waiting) {
		/* it would have to fire where it stands and waits to be armed */
		explore_bound(d->x, "polling by a timer that is disarmed");
		return true;
	}
	for (uint32_t i = last_begin(d, slot, check); mover >= 0 && i < d->g.n; i++) {
		const struct gevent *e = &d->g.ev[i];
		const struct gclass *cls = &d->classes[e->cls];
		uint32_t next;

		if (e->task != slot || !g_reads(e) || own_cell(d, work, i))
			continue;
		next = e->rf == GNONE ? 0 : d->g.ev[e->rf].rank + 1u;
		while (next < cls->n && d->g.ev[cls->w[next]].task == slot)
			next++;
		if (next >= cls->n)
			continue;
		if (!push_behind(d, (struct gevent){ .task = (uint8_t)mover, .kind = G_PROMISE,
						     .rf = GNONE, .maker = cls->w[next] }))
			return false;
	}
	return mover >= 0;
}

/* Workers that would try again: they do if it makes a difference, else this execution is
 * one that others stand for. */
static bool retry_idle(struct dpor *d)
{
	for (unsigned k = 0; k < d->nslots; k++) {
		unsigned slot = d->turn[k];
		const struct task *t = d->slots[slot].t;

		if (!t || t->kind != TASK_WORKER || t->state != TASK_READY || !polls_idly(d, t) ||
		    !((const struct work_struct *)t->work)->state || idle_blocks((struct task *)t))
			continue;
		d->idle_stale = true;
		if (!pass_was_seen(d, slot))
			continue;
		d->dropped = true;
		return push_retries(d, slot);
	}
	return true;
}

bool leaf_push_starved(struct dpor *d)
{
	for (unsigned k = 0; k < d->nslots; k++) {
		const struct task *t = d->slots[k].t;

		if (t && t->state == TASK_READY && keeps_cpu(t) && snare_learn(d, t->cpu, owns_cpu(t)))
			return false;
	}
	for (unsigned k = 0; k < d->nslots; k++) {
		const struct dslot *s = &d->slots[d->turn[k]];
		enum block_why why = s->t && !s->waiting ? task_blocked(s->t).why : BLOCK_OVER;
		struct gevent e = { .task = d->turn[k], .kind = G_PROMISE, .rf = GNONE, .maker = GNONE };

		if ((why != BLOCK_CPU && why != BLOCK_IRQ_OFF) || polls_idly(d, s->t))
			continue;
		if (!push_behind(d, e))
			return false;
		/* with the others it does not come */
		if (!visit_widen(d, d->g.n + 2))
			return false;
		e.kind = G_STARVED;
		d->g.ev[d->g.n++] = e;
	}
	return true;
}

/* Does the world that was made again stand still? */
static bool stands_still(struct dpor *d)
{
	for (size_t i = 0; i < world_task_count(d->w); i++) {
		struct task *t = world_task(d->w, i);

		if (task_enabled(t) && !polls_idly(d, t))
			return false;
	}
	return true;
}

bool leaf_reached(struct dpor *d)
{
	bool came = waits_for_what_came(d);

	d->idle_stale = false;
	if (came || waits_out_of_turn(d)) {
		d->dropped = true;
		/* from nowhere else do those whose CPU he keeps come to revisit what he read */
		return !came || leaf_push_starved(d);
	}
	if (!retry_idle(d))
		return false;
	/* the same of one in which a worker is to poll anew */
	return !d->dropped || leaf_push_starved(d);
}

static bool leaf_rerun(struct dpor *d)
{
	size_t at;

	d->w = explore_begin(d->x);
	if (d->w && explore_make(d->x, d->w, d->steps, d->nsteps, &at))
		return true;
	d->failed = true;
	return d->w && explore_fail(d->x, "step %zu of an execution could not be made when its "
				    "independent steps were put into another order", at + 1);
}

/* Makes the steps again in the order that was found. */
static bool make_in_order(struct dpor *d)
{
	size_t n = 0;

	consistent_begin(d);
	for (uint32_t k = 0; k < d->order.n; k++) {
		uint32_t i = d->order.v[k];
		const struct gevent *e = &d->g.ev[i];

		if (e->flags & GF_WAITING)
			continue;
		d->steps[n++] = (struct exec_step){ .task = d->slots[e->task].id,
						    .choice = consistent_choice(d, e, i) };
		consistent_performed(d, e, i);
	}
	d->nsteps = n;
	return leaf_rerun(d);
}

/* Makes the steps again in an order that can be.  False: there is none, or failure. */
static bool straighten(struct dpor *d)
{
	const struct promising *p = d->x->promising;
	bool ordered, other;

	if (d->weak && !(p && p->n))
		return cpus_allow(d, &other) && (!other || make_in_order(d));
	if (!d->forced)
		return true;
	/* the commonest reason why there is none, found with little work */
	ordered = !prune_breaks(d, d->po, d->hb, NULL);
	if (ordered) {
		ordered = order_find(&d->order, &d->g, d->nslots, d->nclasses, consistent_loose(d), ORDER_CPUS);
		if (d->order.oom)
			return visit_oom(d);
		if (!ordered && d->order.undecided) {
			d->failed = true;
			return explore_fail(d->x, "whether %zu steps respect the CPUs on which nothing may be "
					    "preempted could not be decided", d->nsteps);
		}
	}
	if (!ordered) {
		d->dropped = true;
		return false;
	}
	return make_in_order(d);
}

static bool is_execution(struct dpor *d, enum exec_end how)
{
	const struct promising *p = d->x->promising;

	if (p && p->n)
		return promise_kept(d, how);
	if (p && !promise_note(d))
		return false;
	return how != EXEC_COMPLETE || consistent_allowed(d);
}

bool leaf_end(struct dpor *d, bool cut)
{
	enum exec_end how = cut ? EXEC_CUT : d->idle_stale ? EXEC_BLOCKED : explore_end_of(d->w);

	if (!straighten(d))
		return d->dropped;
	/* somebody stuck on a CPU of his own may have been put behind others, or who was to
	 * be starved is not */
	if (!cut && !stands_still(d)) {
		d->dropped = true;
		return true;
	}
	if (!is_execution(d, how)) {
		d->dropped = true;
		return !d->oom || visit_oom(d);
	}
	d->stopped = !explore_end(d->x, d->w, how, d->steps, d->nsteps);
	return !d->stopped;
}
