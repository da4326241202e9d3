/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Visiting a graph: its steps are made again in the real world, in an order that
 * agrees with it; then everybody moves on, leftmost first, each new event where it
 * comes last, and what else could have been done with it is pushed for later.
 */
#include <config.h>

#include "explore/dpor.h"
#include "explore/promise.h"

#include "engine/checkpoint.h"
#include "engine/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool visit_oom(struct dpor *d)
{
	d->failed = true;
	if (d->stack.full) {
		explore_bound(d->x, "memory %zu MiB", GSTACK_MAX >> 20);
		d->stopped = true;
		return false;
	}
	return explore_fail(d->x, "out of memory while exploring");
}

/* --- room --- */

bool visit_resize(void *arrayp, size_t bytes)
{
	void **array = arrayp, *p = realloc(*array, bytes);

	if (p)
		*array = p;
	return p;
}

bool visit_widen(struct dpor *d, uint32_t need)
{
	size_t cap = d->per_event ? d->per_event : 128, clock = d->stride * sizeof(uint16_t);

	if (need <= d->per_event)
		return true;
	while (cap < need)
		cap *= 2;
	if (!visit_resize(&d->po, cap * sizeof(*d->po)) || !visit_resize(&d->where, cap * sizeof(*d->where)) ||
	    !visit_resize(&d->info, cap * sizeof(*d->info)) || !visit_resize(&d->unlock, cap * sizeof(*d->unlock)) ||
	    !visit_resize(&d->hb, cap * clock) || !visit_resize(&d->past, cap * clock) ||
	    !visit_resize(&d->steps, cap * sizeof(*d->steps)) || !visit_resize(&d->mem, cap * sizeof(*d->mem)) ||
	    !visit_resize(&d->mm_at, cap * sizeof(*d->mm_at)) || !visit_resize(&d->mm_old, cap * sizeof(*d->mm_old)) ||
	    !visit_resize(&d->base_at, cap * sizeof(*d->base_at)) ||
	    !visit_resize(&d->mm_unlock, cap * sizeof(*d->mm_unlock)) || !visit_resize(&d->performed, cap) ||
	    !visit_resize(&d->revisited, cap) || !visit_resize(&d->lane, cap * sizeof(*d->lane)) ||
	    !visit_resize(&d->write, cap * sizeof(*d->write)))
		return visit_oom(d);
	memset(d->performed, 0, cap);
	d->per_event = cap;
	return graph_reserve(&d->g, (uint32_t)cap) || visit_oom(d);
}

bool class_put(struct dpor *d, uint16_t cls, uint32_t rank, uint16_t i)
{
	struct gclass *c = &d->classes[cls];

	if (rank >= c->cap) {
		uint32_t cap = c->cap ? 2u * c->cap : 8;
		uint16_t *w;

		while (cap <= rank)
			cap *= 2;
		w = realloc(c->w, cap * sizeof(*w));
		if (!w)
			return visit_oom(d);
		c->w = w;
		c->cap = (uint16_t)cap;
	}
	c->w[rank] = i;
	if (rank >= c->n)
		c->n = (uint16_t)(rank + 1);
	return true;
}

/* --- clocks --- */

/* Before event i of the slot: what its program order, or its maker, has behind it. */
void clocks_begin(struct dpor *d, const struct dslot *s, uint32_t i)
{
	size_t bytes = d->stride * sizeof(uint16_t);
	uint16_t before = s->last != GNONE ? s->last : s->maker;

	if (before != GNONE) {
		clock_copy(d, hb_of(d, i), hb_of(d, before));
		clock_copy(d, past_of(d, i), past_of(d, before));
	} else {
		memset(hb_of(d, i), 0, bytes);
		memset(past_of(d, i), 0, bytes);
	}
}

/* The event polls anew because of another one, its maker. */
void clocks_behind(struct dpor *d, uint32_t i, uint32_t maker)
{
	clock_join(d, hb_of(d, i), hb_of(d, maker));
	clock_join(d, past_of(d, i), past_of(d, maker));
}

static dclock of_class(const struct dpor *d, uint16_t *clocks, uint16_t cls)
{
	return clocks + (size_t)cls * d->stride;
}

static bool is_loose_access(const struct dpor *d, const struct gevent *e)
{
	return (g_reads(e) || g_writes(e)) && consistent_is_loose(d, e->cls);
}

/* What the event itself adds: reads-from, coherence, and what they imply. */
void clocks_end(struct dpor *d, const struct gevent *e, uint32_t i)
{
	dclock hb = hb_of(d, i), past = past_of(d, i);

	hb[e->task] = past[e->task] = (uint16_t)(d->po[i] + 1);
	if (is_loose_access(d, e)) {
		/* of these, all orders of the steps have nothing in common but reads-from */
		if (g_reads(e) && e->rf != GNONE) {
			clock_join(d, past, past_of(d, e->rf));
			clock_join(d, hb, hb_of(d, e->rf));
		}
		return;
	}
	switch (e->kind) {
	case G_READ:
	case G_RMW:
		if (e->rf != GNONE)
			clock_join(d, past, past_of(d, e->rf));
		clock_join(d, hb, of_class(d, e->kind == G_READ ? d->written : d->touched, e->cls));
		break;
	case G_WRITE:
		clock_join(d, hb, of_class(d, d->touched, e->cls));
		break;
	case G_LOCK:
		if (e->rf == GNONE)
			return;
		clock_join(d, past, past_of(d, e->rf));
		if (d->unlock[e->rf] == GNONE)
			return;
		clock_join(d, past, past_of(d, d->unlock[e->rf]));
		clock_join(d, hb, hb_of(d, d->unlock[e->rf]));
		return;
	default:
		return;
	}
	if (e->kind == G_READ) {
		clock_join(d, of_class(d, d->touched, e->cls), hb);
	} else {
		clock_copy(d, of_class(d, d->written, e->cls), hb);
		clock_copy(d, of_class(d, d->touched, e->cls), hb);
	}
}

/* A write part shares everything with its read part. */
void clocks_share(struct dpor *d, uint32_t read, uint32_t write)
{
	clock_copy(d, hb_of(d, write), hb_of(d, read));
	clock_copy(d, past_of(d, write), past_of(d, read));
	d->po[write] = d->po[read];
	d->info[write] = d->info[read];
}

/* --- steps --- */

/* One step, with what it did to its location in *r. */
static bool step(struct world *w, struct task *t, unsigned choice, struct record *r)
{
	bool ok;

	if (world_is_lean(w))
		return world_step_lean(w, t, choice, r) == STEP_OK;
	w->trusted = true;
	ok = world_step(w, t, choice) == STEP_OK;
	w->trusted = false;
	if (!ok)
		return false;
	*r = *log_record(w, world_steps(w));
	return true;
}

static bool meet_tasks(struct dpor *d, size_t from, uint16_t maker)
{
	for (size_t i = from; i < d->w->ntasks; i++) {
		struct task *t = d->w->tasks[i];
		int slot = place_task(d, t);

		if (slot < 0)
			return false;
		d->slots[slot].t = t;
		d->slots[slot].maker = maker;
	}
	return true;
}

/* What the stretch behind a step did to ghost state is part of the step: another location
 * of it, or its only one. */
static bool note_ghosts(struct dpor *d, struct gevent *e)
{
	size_t n;
	const struct ghost_access *g = world_ghosts(d->w, &n);
	bool none = e->kind == G_NONE;

	d->ghost_written = false;
	for (size_t k = 0; k < n; k++) {
		int cls = place_ghost(d, g[k].loc, e->task);

		if (cls == PLACE_PRIVATE)
			continue;
		if (cls < 0)
			return false;
		if (none) {
			none = false;
			e->cls = (uint16_t)cls;
			e->kind = G_READ;
		} else if (e->cls != cls) {
			place_join(d, e->cls, cls);
			return false;
		}
		if (!shape_is_data(d, cls, g[k].write))
			return false;
		d->ghost_written |= g[k].write;
	}
	return true;
}

bool visit_perform(struct dpor *d, struct gevent *e, uint32_t i, struct event *ev)
{
	unsigned choice = consistent_choice(d, e, i);
	struct task *t = d->slots[e->task].t;
	size_t ntasks = d->w->ntasks;
	enum block_why why;
	struct event_deps deps = t->deps ? *t->deps : (struct event_deps){ 0 };
	struct record r;

	*ev = t->ev;
	e->cpu = (uint16_t)t->cpu;
	if (ev->op == OP_TIMER_WAIT || ev->op == OP_IRQ)
		e->flags |= GF_STROKE;
	if (!visit_widen(d, i + 2))
		return false;
	if (d->x->lean && !explore_lean(t)) {
		d->x->lean = false;
		d->anew = true;
		return false;
	}
	d->steps[d->nsteps++] = (struct exec_step){ .task = task_id(t), .choice = choice };
	why = task_blocked(t).why;
	if (is_block(why)) {
		d->failed = true;
		return explore_fail(d->x, "a step of \"%s\" was planned that it cannot make: this is an error "
				    "in srcush", task_name(t));
	}
	d->forced |= why == BLOCK_CPU || why == BLOCK_IRQ_OFF;
	d->w->found = t;
	if (!step(d->w, t, choice, &r)) {
		d->failed = true;
		return explore_fail(d->x, "%s", world_error(d->w));
	}
	explore_stepped(d->x, d->w, t);
	e->own = owns_cpu(t);
	if (e->own)
		e->cpu = (uint16_t)t->cpu;
	d->info[i] = (struct dinfo){ .value = r.value, .stored = r.stored, .size = ev->size,
				     .loc = ev->loc ? arena_offset(d->w, ev->loc) : LOC_NONE };
	if (ev->op == OP_TRYLOCK) /* what was there, not what was returned */
		d->info[i].value = !r.value;
	if (d->weak) {
		consistent_note(d, i, ev, &deps);
		if (d->x->promising)
			promise_deps_of(d, e, i, ev);
		consistent_performed(d, e, i);
	}
	if (!keep_note(d, &d->slots[e->task], ev, r.value, &deps))
		return false;
	return (d->w->ntasks == ntasks || meet_tasks(d, ntasks, (uint16_t)i)) && note_ghosts(d, e) &&
	       ((ev->op != OP_LOCK && ev->op != OP_TRYLOCK) || snare_has(d, e, i));
}

static uint32_t mix(uint32_t h, uint64_t v)
{
	v *= 0x9e3779b97f4a7c15u;
	return (h ^ (uint32_t)(v >> 32)) * 16777619u;
}

/* What must be the same whenever this event is performed with the same past. */
uint32_t visit_check(struct dpor *d, uint32_t i, const struct event *ev)
{
	uint32_t where = mix(ev->op + 1u, d->info[i].loc), what = mix(1, ev->a), check;
	struct dslot *s = &d->slots[d->g.ev[i].task];

	if (d->g.ev[i].kind == G_READ || d->g.ev[i].kind == G_RMW)
		what = mix(what, d->info[i].value);
	if (ev->op == OP_CMPXCHG)
		what = mix(what, ev->b);
	check = (where & 0xffff) | what << 16;
	if (d->keeps && s->nkept)
		s->kept[s->nkept - 1].check = check;
	return check;
}

/* What the slot's task is about to do after so many steps of its own, in an execution that
 * keeps its log and so knows lines. */
static bool view_again(struct dpor *d, const struct dslot *s, uint32_t step, struct event_view *v)
{
	uint32_t id = s->id;
	struct world *w;
	struct task *t;
	size_t n = 0;

	for (; n < d->nsteps; n++)
		if (d->steps[n].task == id && !step--)
			break;
	w = explore_rerun(d->x, d->steps, n, NULL);
	t = w ? task_by_id(w, id) : NULL;
	return t && t->state == TASK_READY && pending_view(w, t, v);
}

bool visit_diverged(struct dpor *d, const struct dslot *s, uint32_t step, const struct event *ev)
{
	char name[96] = "", where[160] = "";
	struct event_view v;
	const char *prim;

	if (explore_raced(d->x, d->w, d->steps, d->nsteps)) {
		/* what follows a race nobody can foresee */
		explore_bound(d->x, "the orders of a data race");
		d->dropped = d->x->opts.keep_going || !d->x->report.nviolations;
		d->stopped = !d->dropped;
		return false;
	}
	d->failed = true;
	if (!ev)
		return explore_fail(d->x, "the scenario is not deterministic: \"%s\" came to an end or failed "
				    "after its step %u, where an execution in which it had read the same "
				    "went on. " EXPLORE_RULE, s->name, step);
	prim = ev->site->prim;
	if (ev->loc)
		location_name(d->w, ev->loc, name, sizeof(name), NULL);
	if (view_again(d, s, step, &v)) {
		snprintf(name, sizeof(name), "%s", v.object);
		prim = v.prim;
		if (v.line)
			snprintf(where, sizeof(where), " (%s:%d)", v.file, v.line);
	}
	return explore_fail(d->x, "the scenario is not deterministic: as its step %u \"%s\" did %s%s%s%s%s, "
			    "where an execution in which it had read the same did something else. "
			    EXPLORE_RULE, step + 1, s->name, prim, *name ? "(" : "", name,
			    *name ? ")" : "", where);
}

/* --- replay --- */

/* An event that was newly placed: does it fit what was assumed of it? */
static bool settle_fresh(struct dpor *d, struct gevent *e, uint32_t i, const struct event *ev,
			 bool revisited, bool has_write)
{
	uint8_t kind;

	e->flags &= (uint8_t)~GF_FRESH;
	if (e->kind != G_READ && e->kind != G_RMW)
		return true;
	kind = shape_kind(d, e->cls, ev, d->info[i].value, d->ghost_written);
	if (revisited) {
		e->kind = kind; /* its write part comes anew, see visit_replay() */
		return true;
	}
	if (kind != e->kind || (kind == G_RMW) != has_write)
		d->dropped = true;
	return !d->dropped;
}

static bool stays_waiting(struct gevent *e, struct task *t)
{
	if (!(e->flags & GF_AWAIT))
		return false;
	if (e->flags & GF_FRESH) {
		if (!is_block(task_blocked(t).why))
			return false;
		e->flags |= GF_WAITING;
	}
	return e->flags & GF_WAITING;
}

/* It was performed: is it what it was, or what was expected of it? */
static bool settle(struct dpor *d, uint32_t i, const struct event *ev, uint32_t check,
		   bool revisited, bool has_write)
{
	struct gevent *e = &d->g.ev[i];

	if (e->flags & GF_FRESH) {
		if (!settle_fresh(d, e, i, ev, revisited, has_write))
			return false;
		e->check = check;
	} else if (e->check != check) {
		const struct dslot *s = &d->slots[e->task];

		return visit_diverged(d, s, s->count, ev);
	}
	return true;
}

static void replayed(struct dpor *d, uint32_t i)
{
	struct dslot *s = &d->slots[d->g.ev[i].task];

	clocks_end(d, &d->g.ev[i], i);
	s->last = (uint16_t)i;
	s->count++;
}

static bool replay_event(struct dpor *d, uint32_t i, bool revisited, bool has_write)
{
	struct gevent *e = &d->g.ev[i];
	struct dslot *s = &d->slots[e->task];
	struct event ev;

	if (keep_follows(d, e, i)) {
		const struct dkept *k = keep_perform(d, e, i);

		clocks_begin(d, s, i);
		if (!settle(d, i, &k->ev, k->check, revisited, has_write))
			return false;
		replayed(d, i);
		return true;
	}
	if (!keep_catch_up(d, s))
		return false;
	if (!s->t || s->t->state != TASK_READY)
		return visit_diverged(d, s, s->count, NULL);
	if (s->t->ev.op != e->op)
		return visit_diverged(d, s, s->count, &s->t->ev);
	clocks_begin(d, s, i);
	if (e->maker != GNONE && s->last != GNONE)
		clocks_behind(d, i, e->maker);
	if (e->flags & GF_FRESH && !shape_of_condition(d, s->t, e))
		return false;
	if (stays_waiting(e, s->t)) {
		if (has_write) {
			d->dropped = true; /* it was assumed to go through */
			return false;
		}
		e->kind = G_READ;
		e->flags &= (uint8_t)~GF_FRESH;
		s->waiting = true;
		d->info[i] = (struct dinfo){ .loc = LOC_NONE };
	} else {
		if (e->flags & GF_FRESH && is_block(task_blocked(s->t).why)) {
			d->dropped = true;
			return false;
		}
		e->flags &= (uint8_t)~GF_WAITING;
		if (!visit_perform(d, e, i, &ev))
			return false;
		if (!settle(d, i, &ev, visit_check(d, i, &ev), revisited, has_write))
			return false;
	}
	replayed(d, i);
	return true;
}

/* A lock event that is not in the order waits. */
static void replay_waiting_lock(struct dpor *d, uint32_t i)
{
	struct gevent *e = &d->g.ev[i];
	struct dslot *s = &d->slots[e->task];

	clocks_begin(d, s, i);
	clocks_end(d, e, i);
	e->flags |= GF_WAITING;
	d->info[i] = (struct dinfo){ .loc = LOC_NONE };
	s->last = (uint16_t)i;
	s->count++;
	s->waiting = true;
}

/* Events by class and by what refers to them: of each read-modify-write d->where has its
 * write part. */
static bool index_graph(struct dpor *d)
{
	for (unsigned k = 0; k < d->nclasses; k++)
		d->classes[k].n = 0;
	if (d->nclasses) {
		memset(d->written, 0, (size_t)d->nclasses * d->stride * sizeof(uint16_t));
		memset(d->touched, 0, (size_t)d->nclasses * d->stride * sizeof(uint16_t));
	}
	for (uint32_t i = 0; i < d->g.n; i++)
		d->unlock[i] = d->where[i] = GNONE;
	if (d->g.n)
		memset(d->revisited, 0, d->g.n);
	consistent_begin(d);
	for (uint32_t i = 0; i < d->g.n; i++) {
		const struct gevent *e = &d->g.ev[i];
		struct dslot *s = &d->slots[e->task];

		if ((g_reads(e) || e->kind == G_LOCK) && e->rf != GNONE && e->rf > i)
			d->revisited[e->rf] = 1;
		if (e->kind == G_UNLOCK)
			d->unlock[e->rf] = (uint16_t)i;
		if (g_steps(e)) {
			d->po[i] = s->count++;
		} else if (e->kind == G_STARVED) {
			d->po[i] = s->count;
			s->waiting = true;
		} else {
			d->po[i] = d->po[e->rf];
			d->where[e->rf] = (uint16_t)i;
		}
		if ((g_writes(e) || e->kind == G_LOCK) && !class_put(d, e->cls, e->rank, (uint16_t)i))
			return false;
	}
	for (unsigned k = 0; k < d->nslots; k++) {
		d->slots[k].count = d->slots[k].nread = 0;
		d->slots[k].done = d->slots[k].id;
	}
	return true;
}

static bool begin_world(struct dpor *d)
{
	bool again = keep_begin(d);

	d->nsteps = 0;
	d->forced = false;
	for (unsigned k = 0; k < d->nslots; k++) {
		struct dslot *s = &d->slots[k];

		if (!again)
			s->t = NULL;
		s->last = s->maker = GNONE;
		s->count = 0;
		s->waiting = false;
	}
	if (again)
		return true;
	d->w = explore_begin(d->x);
	if (!d->w) {
		d->failed = true;
		return false;
	}
	if (!world_prime(d->w)) {
		d->failed = true;
		return explore_fail(d->x, "%s", world_error(d->w));
	}
	keep_began(d);
	return meet_tasks(d, 0, GNONE);
}

/* The write part of a read-modify-write that now reads from another write. */
static bool readd_write(struct dpor *d, uint32_t r)
{
	struct gevent *e = &d->g.ev[r];
	uint32_t i = d->g.n, rank = e->rf == GNONE ? 0 : d->g.ev[e->rf].rank + 1u;
	struct gevent w = g_write_part(e, r, rank);
	struct gclass *c = &d->classes[e->cls];

	if (!revisit_reads(d, i, &w, past_of(d, r)))
		return false;
	if (!visit_widen(d, i + 2) || !class_put(d, w.cls, c->n, 0))
		return false;
	for (uint32_t k = c->n - 1u; k > rank; k--) {
		c->w[k] = c->w[k - 1];
		d->g.ev[c->w[k]].rank = (uint16_t)k;
	}
	c->w[rank] = (uint16_t)i;
	d->g.ev[i] = w;
	d->g.n++;
	d->rewriting = GNONE;
	clocks_share(d, r, i);
	d->unlock[i] = GNONE;
	d->revisited[i] = 0;
	if (d->weak) {
		d->performed[i] = 1;
		d->dropped = !consistent_now(d);
		return !d->dropped && (!d->oom || visit_oom(d));
	}
	return true;
}

/* The order in which the graph's steps are made.  Best one that can be; if there is none
 * yet, the events that would make one possible may be still to come. */
static bool find_order(struct dpor *d)
{
	if (!order_find(&d->order, &d->g, d->nslots, d->nclasses, consistent_loose(d), ORDER_TRY_CPUS) &&
	    !order_find(&d->order, &d->g, d->nslots, d->nclasses, consistent_loose(d), ORDER_NO_CPUS)) {
		d->dropped = !d->order.oom;
		return d->dropped ? false : visit_oom(d);
	}
	if (d->x->opts.preemptions >= 0 &&
	    order_preemptions(&d->order, &d->g) > (unsigned)d->x->opts.preemptions) {
		d->preempted++;
		d->dropped = true;
		return false;
	}
	return true;
}

static void replay_waiting_locks(struct dpor *d)
{
	for (uint32_t i = 0; i < d->g.n; i++)
		if (d->g.ev[i].kind == G_LOCK && d->slots[d->g.ev[i].task].count == d->po[i])
			replay_waiting_lock(d, i);
}

bool visit_replay(struct dpor *d)
{
	struct gevent promise = { .kind = G_NONE };
	uint32_t n = d->g.n, tail = n;
	int revisited = -1;
	bool tail_writes;

	if (n && d->g.ev[n - 1].kind == G_PROMISE) {
		promise = d->g.ev[--n];
		d->g.n = tail = n;
	}
	if (!visit_widen(d, n + 2) || !find_order(d) || !begin_world(d) || !index_graph(d))
		return false;
	/* the event for which the graph was made: the last one, or the read part of the last
	 * two.  Another one that is fresh was revisited by it. */
	tail_writes = n && d->g.ev[n - 1].kind == G_RMW_WRITE;
	if (n && promise.kind != G_PROMISE)
		tail = tail_writes && d->g.ev[n - 1].rf + 2u == n ? n - 2 : n - 1;
	for (uint32_t k = 0; k < d->order.n; k++) {
		uint32_t i = d->order.v[k];
		bool fresh = d->g.ev[i].flags & GF_FRESH;

		if (fresh && i != tail)
			revisited = (int)i;
		if (!replay_event(d, i, fresh && i != tail, i == tail && tail_writes && tail == n - 2))
			return false;
		if (revisited == (int)i && d->g.ev[i].kind == G_RMW)
			d->rewriting = (uint16_t)i;
		if (d->where[i] != GNONE)
			clocks_share(d, i, d->where[i]);
	}
	for (unsigned k = 0; k < d->nslots; k++)
		if (!keep_catch_up(d, &d->slots[k]))
			return false;
	replay_waiting_locks(d);
	if (promise.kind == G_PROMISE)
		return extend_by(d, promise.task, &promise);
	if (revisited >= 0 && d->g.ev[revisited].kind == G_RMW)
		return readd_write(d, (uint32_t)revisited);
	return true;
}
