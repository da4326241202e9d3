/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nothing moves any more: is that the end, a deadlock or a stall?  Tasks that
 * wait in a circle are a deadlock, a wait for somebody who has ended is one too;
 * a wait that nobody is left to end is a stall.  Idle workers and timers, threads
 * without a call and assume(false) may stand for ever.
 */
#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check/waitgraph.h"
#include "engine/log.h"
#include "srcu/srcu.h"

/* --- words --- */

static void add_since(struct msg *m, uint64_t since)
{
	if (since)
		msg_addf(m, " since step %" PRIu64, since);
}

static void add_call(struct msg *m, const struct node *n)
{
	msg_addf(m, "%s(%s)", n->call->api->name, ss_arg(n->gp));
}

static void add_lock(struct msg *m, const struct node *n)
{
	char lock[112];

	lock_text(n->t->w, n->t->ev.site, n->b.loc, lock, sizeof(lock));
	msg_addf(m, "%s", lock);
}

/* "which is inside a read section of ss since step 4", of a waiting reader */
static void add_section(struct msg *m, const struct edge *e)
{
	const struct section *s = e->section;

	if (s->any_task)
		msg_addf(m, "which began a read section of %s (index %d) with "
			 "srcu_down_read() at step %" PRIu64 " that nobody has ended",
			 ss_name(s->ss), s->idx, s->since);
	else {
		msg_addf(m, "which is inside ");
		msg_section(m, s);
	}
}

/* "writer waits for mutex vm.lock, which reader holds since step 9" */
static void add_edge(struct msg *m, const struct node *n, const struct edge *e)
{
	const char *me = task_name(n->t), *you = task_name(e->to);

	switch (e->kind) {
	case EDGE_LOCK:
		msg_addf(m, "%s waits for ", me);
		add_lock(m, n);
		msg_addf(m, ", which %s holds%s", you,
			 n->b.why == BLOCK_READERS ? " for reading" : "");
		add_since(m, e->since);
		break;
	case EDGE_QUEUE:
		msg_addf(m, "%s waits to read under ", me);
		add_lock(m, n);
		msg_addf(m, ", for which %s waits before it, to write", you);
		break;
	case EDGE_SECTION:
		msg_addf(m, "%s waits in ", me);
		add_call(m, n);
		msg_addf(m, " for %s, ", you);
		add_section(m, e);
		break;
	case EDGE_WORKER:
		msg_addf(m, "%s waits in ", me);
		add_call(m, n);
		msg_addf(m, " for %s, which does the work of %s", you, ss_name(n->gp));
		break;
	case EDGE_CPU:
		msg_addf(m, "%s waits for CPU %" PRIu32 ", which %s does not give up "
			 "(it may not be preempted there)", me, n->t->cpu, you);
		break;
	default:
		msg_addf(m, "%s waits in %s() for %s", me, n->t->ev.site->prim, you);
		break;
	}
}

/* --- a circle --- */

static void report_self(struct check *c, struct node *n)
{
	struct gp_task *gt = gp_task(c, n->t);
	struct msg m;

	if (!gt || gt->reported)
		return;
	msg_begin(&m);
	gt->reported = true;
	if (n->taken.kind == EDGE_SECTION) {
		msg_addf(&m, "%s waits in ", task_name(n->t));
		add_call(&m, n);
		msg_addf(&m, " although it is itself inside ");
		msg_section(&m, n->taken.section);
		msg_addf(&m, ". The grace period has to wait for that section, and the "
			 "section for the grace period: %s can never go on.", task_name(n->t));
	} else if (n->taken.kind == EDGE_TASK) {
		msg_addf(&m, "%s waits in %s() for itself: the work that it does would have to end "
			 "first. It can never go on.", task_name(n->t), n->t->ev.site->prim);
	} else {
		msg_addf(&m, "%s waits for ", task_name(n->t));
		add_lock(&m, n);
		msg_addf(&m, ", which it holds itself%s",
			 n->b.why == BLOCK_READERS ? " for reading" : "");
		add_since(&m, n->b.why == BLOCK_READERS ? n->taken.since : n->b.since);
		msg_addf(&m, ". Nobody else can release it: %s can never go on.",
			 task_name(n->t));
	}
	msg_end(&m, c->w, "self-deadlock", n->t, n->t);
}

/* Where to begin telling a circle: at a wait for a grace period, because that is
 * the edge that people do not see. */
static size_t telling_start(struct node **cycle, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (cycle[i]->gp)
			return i;
	return 0;
}

/* A circle stays while others move on: it is said once. */
static bool said_before(struct check *c, struct node **cycle)
{
	bool all = true;

	for (size_t i = 0; cycle[i]; i++) {
		struct gp_task *gt = gp_task(c, cycle[i]->t);

		if (!gt)
			return false;
		all &= gt->reported;
		gt->reported = true;
	}
	return all;
}

static void report_cycle(struct check *c, struct node **cycle)
{
	size_t n = 0, first;
	struct msg m;

	while (cycle[n])
		n++;
	if (n == 1) {
		report_self(c, cycle[0]);
		return;
	}
	if (said_before(c, cycle))
		return;
	msg_begin(&m);
	first = telling_start(cycle, n);
	for (size_t i = 0; i < n; i++) {
		const struct node *at = cycle[(first + i) % n];

		msg_addf(&m, "%s", i ? "; " : "");
		add_edge(&m, at, &at->taken);
	}
	msg_addf(&m, ". %s can ever go on.", n == 2 ? "Neither" : "None of them");
	msg_end(&m, c->w, "deadlock", cycle[first]->t, cycle[first]->taken.to);
}

/* --- a wait for somebody who has ended --- */

static bool is_over(const struct task *t)
{
	return t->state == TASK_DONE || t->state == TASK_FAILED;
}

/* A section that was handed over: who was to end it cannot be known, but all who
 * are left stand still. */
static void add_helpers(struct msg *m, struct graph *g, const struct node *n,
			const struct task *owner)
{
	size_t helpers = 0;

	msg_addf(m, ". %s has %s, and ", task_name(owner),
		 owner->state == TASK_DONE ? "ended" : "failed");
	for (size_t i = 0; i < g->n; i++) {
		struct node *x = &g->nodes[i];
		struct edge e;

		if (x == n || x->t->kind != TASK_THREAD || !node_waits(x))
			continue;
		x->cursor = 0;
		e = graph_next(g, x);
		if (!e.to)
			continue;
		msg_addf(m, "%s", helpers++ ? "; " : "whoever might call srcu_up_read() waits too: ");
		add_edge(m, x, &e);
	}
	msg_addf(m, helpers ? "." : "nobody is left who could call srcu_up_read().");
}

static bool report_ended(struct graph *g, struct node *n, const struct edge *e)
{
	const char *end = e->to->state == TASK_DONE ? "ended" : "failed";
	struct msg m;

	msg_begin(&m);
	add_edge(&m, n, e);
	if (e->kind == EDGE_LOCK)
		msg_addf(&m, ". But %s has %s without releasing it: nobody else can.",
			 task_name(e->to), end);
	else if (e->section && e->section->any_task)
		add_helpers(&m, g, n, e->to);
	else if (e->kind == EDGE_SECTION)
		msg_addf(&m, ". But %s has %s inside its section: no grace period of %s "
			 "can end any more.", task_name(e->to), end, ss_name(n->gp));
	else
		msg_addf(&m, ". But %s has %s.", task_name(e->to), end);
	msg_end(&m, g->c->w, "deadlock", n->t, e->to);
	return true;
}

static bool find_ended(struct graph *g)
{
	for (size_t i = 0; i < g->n; i++) {
		struct node *n = &g->nodes[i];
		struct edge e;

		n->cursor = 0;
		while (node_waits(n) && (e = graph_next(g, n)).kind != EDGE_NONE) {
			/* of one who failed it is said already why */
			if (!e.to || !is_over(e.to) || e.to->state == TASK_FAILED)
				continue;
			if (e.section && e.section->any_task && g->may_come)
				continue;
			return report_ended(g, n, &e);
		}
	}
	return false;
}

/* --- a wait that nobody ends --- */

/* What there is to say of a grace period that no section holds up. */
static void add_counters(struct msg *m, struct srcu *ss)
{
	static const char *const states[] = { "IDLE", "SCAN1", "SCAN2", "?" };
	struct srcu_view v = { 0 };

	if (!ss->ops || !ss->ops->view)
		return;
	ss->ops->view(ss, &v);
	if (v.has_gp_seq)
		msg_addf(m, " Its state is %s", states[v.gp_state & 3]);
	for (unsigned idx = 0; idx < 2 && v.has_counts && ss->ops->counts; idx++) {
		uint64_t locks = 0, unlocks = 0, a, b;

		for (unsigned cpu = 0; cpu < v.ncpus; cpu++) {
			if (!ss->ops->counts(ss, cpu, idx, &a, &b))
				break;
			locks += a;
			unlocks += b;
		}
		msg_addf(m, ", index %u has %" PRIu64 " lock%s and %" PRIu64 " unlock%s", idx,
			 locks, locks == 1 ? "" : "s", unlocks, unlocks == 1 ? "" : "s");
	}
	if (v.has_gp_seq)
		msg_addf(m, ".");
}

/* The first callback that was queued and not invoked, or NULL. */
static const struct open_wait *lost_callback(const struct gp *gp)
{
	for (size_t i = 0; i < gp->nwaits; i++)
		if (!gp->waits[i].dead && gp->waits[i].kind == KAPI_CALL)
			return &gp->waits[i];
	return NULL;
}

/* The oldest open section of ss, or NULL. */
static const struct section *oldest_section(const struct gp *gp, const struct srcu *ss)
{
	for (size_t i = 0; i < gp->nsections; i++)
		if (!gp->sections[i].dead && gp->sections[i].pub.ss == ss)
			return &gp->sections[i].pub;
	return NULL;
}

static void add_callback(struct msg *m, struct world *w, const struct open_wait *x)
{
	msg_addf(m, "The callback that %s queued with %s(%s) at step %" PRIu64
		 " was never invoked", id_name(w, x->pub.task), x->pub.api,
		 ss_arg(x->pub.ss), x->pub.since);
}

/* Whoever waits may wait for a callback: the likely helper that is missing. */
static void add_missing_help(struct msg *m, struct check *c)
{
	const struct open_wait *x = lost_callback(&c->gp);
	const struct section *s = x ? oldest_section(&c->gp, x->pub.ss) : NULL;

	if (!x)
		return;
	msg_addf(m, " ");
	add_callback(m, c->w, x);
	if (s) {
		msg_addf(m, ": %s is inside ", id_name(c->w, s->task));
		msg_section(m, s);
	}
	msg_addf(m, ".");
}

/* The last wake-up of a queue: its step, 0 if there was none. */
static uint64_t last_wake_up(struct world *w, const void *wq)
{
	for (uint64_t n = world_steps(w); n; n--) {
		const struct record *r = log_record(w, n);
		const struct site *s = r && arena_addr(w, r->loc) == wq ? site_by_id(r->site) : NULL;

		if (s && s->op == OP_WQ && !strcmp(s->prim, "wake_up"))
			return n;
	}
	return 0;
}

static void add_sleeper(struct msg *m, struct world *w, const struct node *n)
{
	uint64_t wake = last_wake_up(w, n->b.loc);
	const struct record *r = wake ? log_record(w, wake) : NULL;

	msg_addf(m, "%s sleeps on ", task_name(n->t));
	add_lock(m, n);
	add_since(m, n->b.waiting_since);
	msg_addf(m, ", and nothing is left to run that could wake it.");
	if (r && r->task != UINT16_MAX)
		msg_addf(m, " The last wake_up() was %s's at step %" PRIu64 ", before %s had got on "
			 "the queue: it was lost. prepare_to_wait() belongs before the test of the "
			 "condition.", task_name(world_task(w, r->task)), wake, task_name(n->t));
}

static bool report_stall(struct graph *g, struct node *n)
{
	const char *name = task_name(n->t);
	struct msg m;

	msg_begin(&m);
	if (n->gp) {
		msg_addf(&m, "%s waits in ", name);
		add_call(&m, n);
		add_since(&m, n->b.waiting_since);
		msg_addf(&m, ", no read section holds its grace period up, and still nothing "
			 "is left to run that would end it.");
		add_counters(&m, n->gp);
	} else if (n->b.why == BLOCK_COND) {
		msg_addf(&m, "%s waits in %s()", name,
			 n->t->ev.site->prim ? n->t->ev.site->prim : "cond_wait");
		add_since(&m, n->b.waiting_since);
		msg_addf(&m, ", and nothing is left to run that could make its condition true.");
		add_missing_help(&m, g->c);
	} else if (n->b.why == BLOCK_SLEEP) {
		add_sleeper(&m, g->c->w, n);
	} else {
		msg_addf(&m, "%s waits for ", name);
		add_lock(&m, n);
		add_since(&m, n->b.waiting_since);
		msg_addf(&m, ", and nothing is left to run that could %s it.",
			 n->b.why == BLOCK_WAIT ? "complete" : "release");
		add_missing_help(&m, g->c);
	}
	msg_end(&m, g->c->w, "stall", n->t, NULL);
	return true;
}

static bool find_stall(struct graph *g, bool threads)
{
	for (size_t i = 0; i < g->n; i++) {
		struct node *n = &g->nodes[i];

		n->cursor = 0;
		if (node_waits(n) && (n->t->kind == TASK_THREAD) == threads &&
		    graph_next(g, n).kind == EDGE_NONE)
			return report_stall(g, n);
	}
	return false;
}

/* Everybody is done, and a callback was never invoked. */
static bool find_lost_callback(struct graph *g)
{
	struct check *c = g->c;
	const struct open_wait *x = lost_callback(&c->gp);
	const struct section *s = x ? oldest_section(&c->gp, x->pub.ss) : NULL;
	struct task *reader = s ? task_by_id(c->w, s->task) : NULL;
	struct msg m;

	if (!x)
		return false;
	msg_begin(&m);
	add_callback(&m, c->w, x);
	if (s) {
		msg_addf(&m, ": %s ended inside ", id_name(c->w, s->task));
		msg_section(&m, s);
		msg_addf(&m, ", and no grace period of %s can end any more.", ss_name(s->ss));
	} else {
		msg_addf(&m, ", and nothing is left to run that would invoke it.");
		add_counters(&m, x->pub.ss);
	}
	msg_end(&m, c->w, s ? "deadlock" : "stall", task_by_id(c->w, x->pub.task), reader);
	return true;
}

/* --- the questions --- */

static bool find_all(struct graph *g)
{
	struct check *c = g->c;
	struct node **cycle;

	cycle = graph_cycle(g);
	if (cycle) {
		report_cycle(c, cycle);
		free(cycle);
		return true;
	}
	if (!g->quiet)
		return false;
	if (find_ended(g))
		return true;
	/* after a violation, what stands still is its consequence */
	if (g->may_come || g->failed)
		return false;
	return find_stall(g, true) || find_stall(g, false) || find_lost_callback(g) ||
	       leak_find(c);
}

bool check_stuck(struct world *w)
{
	struct check *c = check_of(w);
	struct graph g;
	bool found;

	if (!c)
		return false;
	if (c->stuck && c->stuck_at == world_steps(w))
		return true;
	found = graph_build(&g, c) && find_all(&g);
	graph_release(&g);
	c->stuck = found;
	c->stuck_at = world_steps(w);
	return found;
}

bool check_blocked(struct world *w, struct task *t)
{
	struct check *c = check_of(w);
	struct node n = { .t = t, .b = task_blocked(t), .scanned = -1 };
	struct gp_task *gt;

	if (!c || n.b.why != BLOCK_SELF)
		return false;
	gt = gp_task(c, t);
	if (!gt || gt->reported)
		return false;
	report_self(c, &n);
	return true;
}
