/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nobody is left to move.  Is that an execution, and of which kind?
 *
 * Someone who waits in place for a location must see what was written there last, or
 * what he waits for came and nobody told him: then this graph is none, another has him
 * go on.  Those who wait for a lock that is never released stand in no order: of the
 * graphs that differ only in it, one counts.
 *
 * A worker whose pass changed nothing tries again when something changes that it had
 * read.  Executions in which it does so are equal to those in which the pass came later,
 * unless somebody saw something of the pass: only then it goes on here.
 */
#include <config.h>

#include "explore/dpor.h"
#include "k/work.h"

static bool is_last(const struct dpor *d, const struct gevent *e)
{
	const struct gclass *c = &d->classes[e->cls];

	return e->rf == (c->n ? c->w[c->n - 1] : GNONE);
}

static bool waits_for_what_came(const struct dpor *d)
{
	for (unsigned k = 0; k < d->nslots; k++) {
		const struct dslot *s = &d->slots[k];

		if (s->t && s->waiting && d->g.ev[s->last].kind == G_READ &&
		    !is_last(d, &d->g.ev[s->last]))
			return true;
	}
	return false;
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

		if (!s->t || !s->waiting)
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

/* Did somebody read what the worker's last pass wrote? */
static bool pass_was_seen(const struct dpor *d, unsigned slot)
{
	const struct work_struct *work = d->slots[slot].t->work;
	uint32_t begin = 0;

	for (uint32_t i = 0; i < d->g.n; i++)
		if (d->g.ev[i].task == slot && d->g.ev[i].op == OP_WORK_WAIT && g_steps(&d->g.ev[i]))
			begin = i;
	for (uint32_t i = 0; i < d->g.n; i++) {
		const struct gevent *e = &d->g.ev[i];
		uint32_t from = e->rf;

		if (e->task == slot || from == GNONE || e->flags & GF_WAITING ||
		    !(g_reads(e) || e->kind == G_LOCK))
			continue;
		if (d->g.ev[from].task == slot && d->po[from] >= d->po[begin] &&
		    !own_cell(d, work, from))
			return true;
	}
	return false;
}

/* Lets a worker try again, or says that this execution is one that others stand for. */
static bool retry_idle(struct dpor *d, bool *stale)
{
	for (unsigned k = 0; k < d->nslots; k++) {
		struct dslot *s = &d->slots[d->turn[k]];
		const struct work_struct *work;
		int timer;

		if (!s->t || s->t->kind != TASK_WORKER || s->t->state != TASK_READY ||
		    s->t->ev.op != OP_WORK_WAIT || !idle_was_idle(s->t) || idle_blocks(s->t))
			continue;
		work = s->t->work;
		if (!(work->state & (WORK_PENDING | WORK_QUEUED)))
			continue;
		*stale = true;
		if (!pass_was_seen(d, d->turn[k]))
			continue;
		s->retries = true;
		timer = work->timer && work->timer->task ? place_task(d, work->timer->task) : -1;
		if (timer >= 0)
			d->slots[timer].retries = true;
		return true;
	}
	return false;
}

bool leaf_is_final(struct dpor *d)
{
	d->idle_stale = false;
	if (waits_for_what_came(d) || waits_out_of_turn(d)) {
		d->dropped = true;
		d->stale++;
		return true;
	}
	return !retry_idle(d, &d->idle_stale);
}

bool leaf_end(struct dpor *d, bool cut)
{
	enum exec_end how = cut ? EXEC_CUT : d->idle_stale ? EXEC_BLOCKED : explore_end_of(d->w);

	return explore_end(d->x, d->w, how, d->steps, d->nsteps);
}
