/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The happens-before of a trace under sequential consistency: the order of each task,
 * the making of tasks, and for each location a read after the write before it, and a
 * write after that and the reads since.  A vector clock for each event says what comes
 * before it.  Steps that this does not order may be swapped, and nobody could tell, if
 * their CPUs let them: that one task kept another from its CPU for a while orders
 * nothing, because it could as well have done so before or after.
 *
 * For data races the plain accesses make no edges, because they are what is to be
 * ordered by the others; nor do ghosts, which are not part of the program.
 */
#include <config.h>

#include <string.h>

#include "check/trace_internal.h"
#include "engine/internal.h"

struct hb {
	struct trace *tr;
	enum hb_mode mode;
	size_t ntasks;
	uint32_t event;		/* whose clock is being made */
	uint32_t *clock;	/* this */
	size_t extra;		/* the next one */
	bool ok;
};

/* Event a comes before this one, and all that comes before it. */
static void after(struct hb *h, uint32_t a)
{
	const uint32_t *other;

	if (!a || a == h->event || tr_covers(h->tr, h->clock, a))
		return;
	other = tr_clock(h->tr, a);
	for (size_t i = 0; i < h->ntasks; i++)
		if (other[i] > h->clock[i])
			h->clock[i] = other[i];
}

/* A ghost is written in the stretch behind an event, which is over up to there. */
static void after_ghost(struct hb *h, const struct tr_loc *l)
{
	uint32_t *known;

	if (!l->ghost_write)
		return;
	known = &h->clock[l->ghost_task];
	if (l->ghost_write > *known)
		*known = l->ghost_write;
}

/* Also after what was done plainly, where races are looked for: what waits for a
 * condition has seen what makes it true. */
static void after_writes(struct hb *h, const struct tr_loc *l, bool plain_too)
{
	after(h, l->write);
	if (plain_too)
		after(h, l->plain_write);
	after_ghost(h, l);
}

static void reads(struct hb *h, struct tr_loc *l)
{
	struct trace *tr = h->tr;
	struct tr_node *first = &tr->nodes[l->reads];

	/* a later read of the same task stands for both */
	if (l->reads && tr->ev[first->event].task == tr->ev[h->event].task) {
		first->event = h->event;
		return;
	}
	if (!check_grow(tr->c, (void **)&tr->nodes, &tr->nodes_cap, tr->nnodes + 2,
			sizeof(*tr->nodes))) {
		h->ok = false;
		return;
	}
	tr->nodes[++tr->nnodes] = (struct tr_node){ .event = h->event, .next = l->reads };
	l->reads = (uint32_t)tr->nnodes;
}

static void writes(struct hb *h, struct tr_loc *l)
{
	struct trace *tr = h->tr;

	for (uint32_t i = l->reads; i; i = tr->nodes[i].next)
		after(h, tr->nodes[i].event);
	l->reads = 0;
	l->write = h->event;
}

static void touch(struct hb *h, struct tr_loc *l, bool write)
{
	after(h, l->write);
	if (write)
		writes(h, l);
	else
		reads(h, l);
}

/* --- conditions over many locations --- */

static bool in_group(const struct tr_group *g, uint32_t off)
{
	return off - g->base < g->size;
}

static void group_write(struct hb *h, uint32_t off)
{
	struct trace *tr = h->tr;

	for (size_t g = 0; g < tr->ngroups; g++) {
		if (!in_group(&tr->groups[g], off))
			continue;
		for (size_t i = 0; i < h->ntasks; i++)
			after(h, tr->groups[g].conds[i]);
		tr->groups[g].writes[tr->ev[h->event].task] = h->event;
	}
}

static void group_cond(struct hb *h, struct tr_group *g)
{
	for (size_t i = 0; i < h->ntasks; i++)
		after(h, g->writes[i]);
	g->conds[h->tr->ev[h->event].task] = h->event;
}

static void domain_cond(struct hb *h, uint32_t off)
{
	struct trace *tr = h->tr;

	for (size_t g = tr->anything; g < tr->ngroups; g++)
		if (in_group(&tr->groups[g], off))
			group_cond(h, &tr->groups[g]);
}

/* --- accesses without a step --- */

static void ghost(struct hb *h, struct tr_loc *l, const struct tr_extra *x)
{
	bool write = x->kind == EXTRA_WRITE;

	if (h->mode != HB_RACE) {
		after_ghost(h, l);
		touch(h, l, write);
	} else if (write) {
		l->plain_write = h->event; /* for conditions that wait for it */
	}
	if (!write || h->mode == HB_TRACE)
		;
	else if (x->plains == UINT32_MAX) {
		l->ghost_write = 0;
	} else {
		l->ghost_write = tr_place(h->tr, h->event, x->plains);
		l->ghost_task = h->tr->ev[h->event].task;
	}
	if (write && h->tr->ngroups)
		group_write(h, l->off);
}

/* A condition has looked at anything: at who is done, too, and that is all of him. */
static void after_ends(struct hb *h)
{
	struct trace *tr = h->tr;

	for (size_t i = 0; h->mode != HB_TRACE && i < tr->ntasks; i++) {
		const struct tr_task *t = &tr->tasks[i];

		if (!t->t || t->t->state != TASK_DONE || !t->last || tr->ev[t->last].pos != t->t->steps)
			continue;
		after(h, t->last);
		h->clock[i] = UINT32_MAX;
	}
}

static void extras(struct hb *h)
{
	struct trace *tr = h->tr;

	for (; h->extra < tr->nextras && tr->extras[h->extra].step <= h->event; h->extra++) {
		const struct tr_extra *x = &tr->extras[h->extra];
		struct tr_loc *l;

		if (x->step != h->event || x->kind == EXTRA_IDLE)
			continue;
		if (x->kind == EXTRA_ANYTHING) {
			group_cond(h, &tr->groups[0]);
			after_ends(h);
			continue;
		}
		l = &tr->locs[trace_loc(tr, x->what)];
		if (x->kind == EXTRA_PEEK) {
			after_writes(h, l, h->mode == HB_RACE);
			reads(h, l);
		} else {
			ghost(h, l, x);
		}
	}
}

/*
 * A pass whose predecessor changed nothing: it begins when something that the last check
 * of that one read has changed.  That check is what came since the last udelay().
 */
static void after_idle(struct hb *h, const struct tr_event *ev)
{
	struct trace *tr = h->tr;
	uint32_t i = ev->prev;

	/* the timer of a delayed item: it was its worker's pass */
	for (size_t x = h->extra; x < tr->nextras && tr->extras[x].step <= h->event; x++)
		if (tr->extras[x].step == h->event && tr->extras[x].kind == EXTRA_IDLE &&
		    tr->extras[x].what < tr->dense_cap && tr->dense[tr->extras[x].what])
			i = tr->tasks[tr->dense[tr->extras[x].what] - 1].last;
	for (; i; i = tr->ev[i].prev) {
		const struct tr_event *r = &tr->ev[i];

		if (r->site->op == OP_WORK_WAIT || r->site->flags & SITE_DELAY)
			return;
		if (r->loc && r->how & TR_READ)
			touch(h, &tr->locs[r->loc], false);
	}
}

/* --- events --- */

static void on_location(struct hb *h, const struct tr_event *ev)
{
	struct tr_loc *l = &h->tr->locs[ev->loc];
	bool write = ev->how & TR_WRITE;

	if (write && h->tr->ngroups)
		group_write(h, l->off);
	if (h->mode != HB_RACE || !(ev->how & TR_PLAIN))
		touch(h, l, write);
	else if (write)
		l->plain_write = h->event;
}

/* What its maker had done before, since that one's step. */
static void after_birth(struct hb *h, const struct task *t)
{
	uint32_t place = tr_birthplace(h->tr, t);
	uint32_t *known;

	if (!place)
		return;
	known = &h->clock[h->tr->dense[t->maker] - 1];
	if (place > *known)
		*known = place;
}

static void start_clock(struct hb *h, const struct tr_event *ev)
{
	const struct tr_task *t = &h->tr->tasks[ev->task];
	uint32_t before = ev->prev ? ev->prev : t->made_at;

	/* row 0 is that of the start: all zero */
	memcpy(h->clock, tr_clock(h->tr, before), h->ntasks * sizeof(*h->clock));
	h->clock[ev->task] = ev->pos << h->tr->shift;
	if (!ev->prev && h->mode != HB_TRACE && t->t)
		after_birth(h, t->t);
}

static void one_event(struct hb *h, struct tr_event *ev)
{
	struct trace *tr = h->tr;

	start_clock(h, ev);
	if (ev->how & TR_IDLE && h->mode != HB_RACE)
		after_idle(h, ev);
	if (ev->how & TR_COND && ev->loc)
		domain_cond(h, tr->locs[ev->loc].off);
	else if (ev->loc && ev->how & (TR_READ | TR_WRITE))
		on_location(h, ev);
	if (h->extra < tr->nextras && tr->extras[h->extra].step <= h->event)
		extras(h);
	tr->tasks[ev->task].last = h->event;
}

/* --- preparations --- */

static bool prepare_groups(struct trace *tr)
{
	size_t need = 2 * tr->ngroups * tr->ntasks;

	if (!tr->ngroups)
		return true;
	if (!check_grow(tr->c, (void **)&tr->group_mem, &tr->group_cap, need,
			sizeof(*tr->group_mem)))
		return false;
	memset(tr->group_mem, 0, need * sizeof(*tr->group_mem));
	for (size_t g = 0; g < tr->ngroups; g++) {
		tr->groups[g].writes = tr->group_mem + 2 * g * tr->ntasks;
		tr->groups[g].conds = tr->groups[g].writes + tr->ntasks;
	}
	return true;
}

bool hb_compute(struct trace *tr, enum hb_mode mode)
{
	struct hb h = { .tr = tr, .mode = mode, .ntasks = tr->ntasks, .ok = true };

	if (!check_grow(tr->c, (void **)&tr->clocks, &tr->clocks_cap, (tr->n + 1) * tr->ntasks,
			sizeof(*tr->clocks)) ||
	    !check_grow(tr->c, (void **)&tr->nodes, &tr->nodes_cap, 1, sizeof(*tr->nodes)) ||
	    !prepare_groups(tr))
		return false;
	tr->shift = mode == HB_TRACE ? 0 : HB_PLACES;
	if (!tr->ntasks)
		return true;
	memset(tr->clocks, 0, tr->ntasks * sizeof(*tr->clocks));
	tr->nnodes = 0;
	for (size_t i = 1; i <= tr->nlocs; i++)
		tr->locs[i].write = tr->locs[i].plain_write = tr->locs[i].ghost_write =
			tr->locs[i].reads = 0;
	for (size_t i = 0; i < tr->ntasks; i++)
		tr->tasks[i].last = 0;
	for (h.event = 1; h.event <= tr->n && h.ok; h.event++) {
		h.clock = tr_clock(tr, h.event);
		one_event(&h, &tr->ev[h.event]);
	}
	return h.ok;
}
