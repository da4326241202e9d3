/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of locks in a trace: which class was held when another was taken.  A read
 * section of an srcu_struct counts as a lock that is shared, as it does for Linux 6.12's
 * lockdep, and whoever waits for a grace period as somebody who takes it alone and gives
 * it back at once.  What is taken with a trylock waits for nobody.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "check/lockorder.h"
#include "engine/internal.h"
#include "srcu/rcu.h"

static struct lockorder *lockorder_of(struct check *c)
{
	if (!c->lockorder)
		c->lockorder = calloc(1, sizeof(*c->lockorder));
	if (!c->lockorder)
		world_fail(c->w, "out of memory");
	return c->lockorder;
}

void lockorder_release(struct check *c)
{
	struct lockorder *lo = c->lockorder;

	if (!lo)
		return;
	for (size_t i = 0; i < lo->nclasses; i++)
		free(lo->classes[i].name);
	for (size_t i = 0; i < lo->nknown; i++)
		free(lo->known[i].label);
	free(lo->classes);
	free(lo->known);
	free(lo->tasks);
	free(lo->edges);
	free(lo->seen);
	free(lo->clean);
	free(lo->from);
	free(lo->queue);
	free(lo);
}

void check_set_lockdep(struct world *w, enum check_lockdep version)
{
	if (check_of(w))
		check_of(w)->lockdep_61 = version == LOCKDEP_6_1;
}

struct lk_walk {
	struct trace *tr;
	struct lockorder *lo;
	bool ok;
};

/* --- edges --- */

/* Tables of classes by classes, as large as the classes are many. */
static bool table_fits(struct lk_walk *g)
{
	struct lockorder *lo = g->lo;
	size_t n = lo->seen_n ? lo->seen_n : 16;
	uint8_t *seen, *clean;

	if (lo->nclasses <= lo->seen_n)
		return true;
	while (n < lo->nclasses)
		n *= 2;
	seen = calloc(n, n);
	clean = calloc(n, n);
	if (!seen || !clean) {
		free(seen);
		free(clean);
		return world_fail(g->tr->w, "out of memory");
	}
	for (size_t i = 0; i < lo->seen_n; i++) {
		memcpy(seen + i * n, lo->seen + i * lo->seen_n, lo->seen_n);
		memcpy(clean + i * n, lo->clean + i * lo->seen_n, lo->seen_n);
	}
	free(lo->seen);
	free(lo->clean);
	lo->seen = seen;
	lo->clean = clean;
	lo->seen_n = n;
	return true;
}

static void add_edge(struct lk_walk *g, uint16_t task, const struct lk_hold *held,
		     const struct lk_hold *got)
{
	struct lockorder *lo = g->lo;
	uint8_t kind = LK_KIND(held->shared, got->recursive), *seen;

	if (!table_fits(g)) {
		g->ok = false;
		return;
	}
	seen = &lo->seen[held->cls * lo->seen_n + got->cls];
	if (*seen & kind)
		return;
	if (!check_grow(g->tr->c, (void **)&lo->edges, &lo->edges_cap, lo->nedges + 1,
			sizeof(*lo->edges))) {
		g->ok = false;
		return;
	}
	*seen |= kind;
	lo->edges[lo->nedges++] = (struct lk_edge){ .held = *held, .got = *got, .task = task };
}

/* `got` is waited for while all else is held. */
static void waits_for(struct lk_walk *g, uint16_t task, const struct lk_hold *got)
{
	struct lk_task *t = &g->lo->tasks[task];

	for (unsigned i = 0; i < t->nholds; i++) {
		const struct lk_hold *held = &t->holds[i];

		/* readers may nest; who waits for its own section has been told at once */
		if (held->cls == got->cls &&
		    ((held->shared && got->recursive) ||
		     (held->api && held->what == got->what && got->api &&
		      got->api->kind == KAPI_SYNCHRONIZE)))
			continue;
		add_edge(g, task, held, got);
	}
}

static void hold(struct lk_walk *g, uint16_t task, const struct lk_hold *got)
{
	struct lk_task *t = &g->lo->tasks[task];

	if (t->nholds < LK_HOLDS_MAX)
		t->holds[t->nholds++] = *got;
}

static void let_go(struct lk_walk *g, uint16_t task, uint32_t what, bool is_call)
{
	struct lk_task *t = &g->lo->tasks[task];

	for (unsigned i = t->nholds; i--;) {
		if (t->holds[i].what != what || !t->holds[i].site != is_call)
			continue;
		memmove(&t->holds[i], &t->holds[i + 1], (--t->nholds - i) * sizeof(*t->holds));
		return;
	}
}

/* --- locks --- */

static void note_use(struct lk_walk *g, uint16_t task, enum lk_context context,
		     const struct lk_hold *got)
{
	struct lk_use *u = &g->lo->classes[got->cls].use[context];

	if (!u->hold.site)
		*u = (struct lk_use){ .hold = *got, .task = task };
}

static void note_contexts(struct lk_walk *g, uint16_t task, const struct lk_hold *got)
{
	const struct task *t = g->tr->tasks[task].t;
	const struct lk_task *l = &g->lo->tasks[task];

	if (!(got->site->flags & SITE_SPIN))
		return;
	if (t->kind == TASK_IRQ)
		note_use(g, task, LK_IN_IRQ, got);
	else if (!l->irq)
		note_use(g, task, LK_IRQS_ON, got);
	if (t->kind == TASK_TIMER)
		note_use(g, task, LK_IN_BH, got);
	else if (t->kind != TASK_IRQ && !l->irq && !l->bh)
		note_use(g, task, LK_BHS_ON, got);
}

static bool class_of(struct lk_walk *g, struct tr_loc *l, uint16_t *cls)
{
	if (!l->cls) {
		if (!lk_class_of(g->tr, l->off, cls))
			return g->ok = false;
		l->cls = *cls + 1u;
	}
	*cls = (uint16_t)(l->cls - 1);
	return true;
}

static void acquired(struct lk_walk *g, uint32_t n)
{
	const struct tr_event *ev = &g->tr->ev[n];
	const struct site *s = ev->site;
	struct lk_hold got = { .site = s, .what = g->tr->locs[ev->loc].off, .step = n,
			       .shared = s->op == OP_LOCK_READ };

	if (!class_of(g, &g->tr->locs[ev->loc], &got.cls))
		return;
	/* down_write() tries first, and would wait */
	if (s->op != OP_TRYLOCK || s->flags & SITE_WRITE)
		waits_for(g, ev->task, &got);
	note_contexts(g, ev->task, &got);
	hold(g, ev->task, &got);
}

/* Interrupts and bottom halves of the task's CPU, which it turns off or on. */
static void count_context(struct lk_walk *g, uint32_t n, int delta)
{
	const struct tr_event *ev = &g->tr->ev[n];
	struct lk_task *t = &g->lo->tasks[ev->task];

	if (ev->site->flags & SITE_IRQ && (delta > 0 || t->irq))
		t->irq += (unsigned)delta;
	if (ev->site->flags & SITE_BH && (delta > 0 || t->bh))
		t->bh += (unsigned)delta;
}

static void one_event(struct lk_walk *g, uint32_t n)
{
	const struct tr_event *ev = &g->tr->ev[n];

	switch (ev->site->op) {
	case OP_LOCK: case OP_TRYLOCK: case OP_LOCK_READ:
		if (!(ev->how & TR_ACQUIRED))
			break;
		count_context(g, n, 1);
		acquired(g, n);
		break;
	case OP_UNLOCK: case OP_UNLOCK_READ:
		if (!(ev->how & TR_WRITE))
			break;
		count_context(g, n, -1);
		let_go(g, ev->task, g->tr->locs[ev->loc].off, false);
		break;
	case OP_CPU_CTX:
		count_context(g, n, (int)(int64_t)log_record(g->tr->w, n)->stored);
		break;
	case OP_WORK_WAIT: case OP_TIMER_WAIT:
		g->lo->tasks[ev->task].irq = g->lo->tasks[ev->task].bh = 0;
		break;
	default:
		break;
	}
}

/* --- SRCU --- */

static void one_mark(struct lk_walk *g, const struct mark *m)
{
	const struct kapi *api = kapi_by_id(m->api);
	struct object *o = m->obj ? object_by_id(g->tr->w, m->obj) : NULL;
	struct lk_hold got = { .api = api, .what = m->obj, .step = m->step };
	uint16_t task;

	/* lockdep has RCU's own sections, but draws no conclusions from their order */
	if (!api || !o || !o->impl || o->type == &rcu_objtype ||
	    m->task >= world_task_count(g->tr->w) || !g->tr->dense[m->task])
		return;
	task = (uint16_t)(g->tr->dense[m->task] - 1);
	switch (api->kind) {
	case KAPI_READ_LOCK:
		if (!m->end)
			break;
		got.shared = got.recursive = true;
		if (!lk_class_of_object(g->tr, o, &got.cls)) {
			g->ok = false;
			break;
		}
		waits_for(g, task, &got);
		hold(g, task, &got);
		break;
	case KAPI_READ_UNLOCK:
		if (!m->end)
			let_go(g, task, m->obj, true);
		break;
	case KAPI_SYNCHRONIZE:
	case KAPI_BARRIER:
		if (m->end)
			break;
		if (lk_class_of_object(g->tr, o, &got.cls))
			waits_for(g, task, &got);
		else
			g->ok = false;
		break;
	default:
		break;
	}
}

/* --- all of it --- */

static bool begin(struct lk_walk *g)
{
	struct lockorder *lo = g->lo;

	for (size_t i = 0; i < lo->nedges; i++)
		lo->seen[lo->edges[i].held.cls * lo->seen_n + lo->edges[i].got.cls] = 0;
	lo->nedges = 0;
	for (size_t i = 0; i < lo->nclasses; i++)
		memset(lo->classes[i].use, 0, sizeof(lo->classes[i].use));
	if (!check_grow(g->tr->c, (void **)&lo->tasks, &lo->tasks_cap, g->tr->ntasks,
			sizeof(*lo->tasks)))
		return false;
	for (size_t i = 0; i < g->tr->ntasks; i++)
		lo->tasks[i].nholds = lo->tasks[i].irq = lo->tasks[i].bh = 0;
	return true;
}

bool lockorder_judge(struct trace *tr)
{
	struct lk_walk g = { .tr = tr, .lo = lockorder_of(tr->c), .ok = true };
	size_t nmarks = tr->c->lockdep_61 ? 0 : log_mark_count(tr->w), mark = 0;

	if (!g.lo || !begin(&g))
		return false;
	for (size_t i = 0; i < tr->nholds && g.ok; i++) {
		/* those before it first: they came after an earlier step */
		for (; mark < nmarks && log_mark(tr->w, mark)->step < tr->holds[i]; mark++)
			one_mark(&g, log_mark(tr->w, mark));
		if (tr->tasks[tr->ev[tr->holds[i]].task].t)
			one_event(&g, tr->holds[i]);
	}
	for (; mark < nmarks; mark++)
		one_mark(&g, log_mark(tr->w, mark));
	return g.ok && lk_judge(tr, g.lo);
}
