/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The grace-period guarantee: what waits for a grace period of an srcu_struct,
 * from S to E, must not come to E while a read section that began before S is
 * still open.  This file keeps the waits and the cookies, and judges each wait
 * when it ends.
 *
 * A call's begin has no step.  It is taken to lie just before the first step
 * that the call performs, because nothing that others do in between can tell
 * the difference: so a section lasts until its unlock really moves, and a grace
 * period must wait for every section that began before the wait moved.
 */
#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check/internal.h"
#include "memory/model.h"

/* --- the waits --- */

/* Squeezes once the dead are as many as the living: each element is moved at
 * most a constant number of times. */
static void squeeze_waits(struct gp *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->nwaits; i++)
		if (!g->waits[i].dead)
			g->waits[n++] = g->waits[i];
	g->nwaits = n;
	g->dead_waits = 0;
}

void gp_tidy(struct check *c)
{
	if (c->gp.dead_sections)
		sections_squeeze(&c->gp);
	if (c->gp.dead_waits)
		squeeze_waits(&c->gp);
}

static void end_wait(struct gp *g, struct open_wait *x)
{
	x->dead = true;
	if (++g->dead_waits > 8 && g->dead_waits > g->nwaits / 2)
		squeeze_waits(g);
}

static struct open_wait *wait_by_id(struct gp *g, tick_t id)
{
	size_t lo = 0, hi = g->nwaits;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (g->waits[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == g->nwaits || g->waits[lo].id != id || g->waits[lo].dead)
		return NULL;
	return &g->waits[lo];
}

struct gp_task *gp_task(struct check *c, struct task *t)
{
	if (!check_grow(c, (void **)&c->gp.tasks, &c->gp.tasks_cap,
			(size_t)t->index + 1, sizeof(*c->gp.tasks)))
		return NULL;
	return &c->gp.tasks[t->index];
}

void gp_set_pending(struct check *c, struct task *t, enum pending what, tick_t id)
{
	struct gp_task *gt = gp_task(c, t);

	if (!gt)
		return;
	if (gt->pending)
		gp_settle(c, t);
	gt->pending = what;
	gt->id = id;
	c->gp.npending++;
}

/* The first step of the call that t has begun, or its end if it makes none:
 * now it counts. */
void gp_settle(struct check *c, struct task *t)
{
	struct gp *g = &c->gp;
	struct gp_task *gt = &g->tasks[t->index];
	struct open_wait *x;

	switch (gt->pending) {
	case PEND_UNLOCK:
		section_close(c, gt->id);
		break;
	case PEND_WAIT:
		x = wait_by_id(g, gt->id);
		if (x) {
			x->start = ++g->tick;
			x->start_step = x->pub.since = world_steps(c->w);
		}
		break;
	case PEND_COOKIE:
		gt->start = ++g->tick;
		gt->start_step = world_steps(c->w);
		break;
	}
	gt->pending = PEND_NONE;
	g->npending--;
}

static void settle_if_pending(struct check *c, struct task *t)
{
	if (t->index < c->gp.tasks_cap && c->gp.tasks[t->index].pending)
		gp_settle(c, t);
}

void gp_forget(struct check *c)
{
	struct gp *g = &c->gp;

	g->tick = 0;
	g->nsections = g->dead_sections = 0;
	g->nwaits = g->dead_waits = 0;
	g->ncookies = g->npending = 0;
	if (g->tasks)
		memset(g->tasks, 0, g->tasks_cap * sizeof(*g->tasks));
}

void gp_release(struct check *c)
{
	free(c->gp.sections);
	free(c->gp.waits);
	free(c->gp.cookies);
	free(c->gp.tasks);
}

/* --- grace periods --- */

/* One end of a grace period, as the guarantee sees it. */
struct gp_end {
	struct srcu *ss;
	tick_t start;		/* S */
	uint64_t start_step;
	uint32_t starter;	/* who waits: identity */
	const char *api;
	enum kapi_kind kind;
};

static void report_missed(struct check *c, struct task *t, const struct gp_end *e,
			  const struct open_section *s, size_t more)
{
	struct world *w = c->w;
	struct task *reader = task_by_id(w, s->pub.task);
	const char *starter = id_name(w, e->starter), *name = id_name(w, s->pub.task);
	const char *ss = ss_arg(e->ss);
	uint64_t now = world_steps(w);
	struct msg m;

	msg_begin(&m);
	if (e->kind == KAPI_CALL)
		msg_addf(&m, "The callback that %s queued with %s(%s) was invoked after step %" PRIu64,
			 starter, e->api, ss, now);
	else if (e->kind == KAPI_POLL)
		msg_addf(&m, "%s(%s) by %s said at step %" PRIu64 " that the grace period is over",
			 e->api, ss, task_name(t), now);
	else
		msg_addf(&m, "%s(%s) by %s returned at step %" PRIu64, e->api, ss, starter, now);
	msg_addf(&m, " although %s%s has been inside ", name,
		 s->pub.task == e->starter ? " itself" : "");
	msg_section(&m, &s->pub);
	if (e->kind == KAPI_POLL)
		msg_addf(&m, ". Its cookie was taken by %s at step %" PRIu64, starter,
			 e->start_step);
	else
		msg_addf(&m, ". The grace period was asked for at step %" PRIu64, e->start_step);
	msg_addf(&m, "; it had to wait for that section.");
	if (more)
		msg_addf(&m, " %zu more section%s had begun before it and %s open too.",
			 more, more > 1 ? "s" : "", more > 1 ? "are" : "is");
	msg_end(&m, w, "grace-period", t, reader);
}

/* E: does a section from before S still go on? */
static void judge(struct check *c, struct task *t, const struct gp_end *e)
{
	struct gp *g = &c->gp;
	struct open_section *missed = NULL;
	size_t more = 0;

	/* under other models than sc the order of steps says nothing: gp_model.c */
	if (world_model(c->w)->consistent)
		return;
	for (size_t i = 0; i < g->nsections && g->sections[i].begun < e->start; i++) {
		struct open_section *s = &g->sections[i];

		if (s->dead || s->pub.ss != e->ss)
			continue;
		if (missed)
			more++;
		else if (!s->reported)
			missed = s;
	}
	if (!missed)
		return;
	missed->reported = true;
	report_missed(c, t, e, missed, more);
}

static void judge_wait(struct check *c, struct task *t, const struct open_wait *x)
{
	judge(c, t, &(struct gp_end){
		.ss = x->pub.ss, .start = x->start, .start_step = x->start_step,
		.starter = x->pub.task, .api = x->pub.api, .kind = x->kind });
}

/* srcu_barrier() promises that what was queued before it is over: invoked, and back. */
static void judge_barrier(struct check *c, struct task *t, const struct open_wait *b)
{
	struct gp *g = &c->gp;
	struct msg m;

	for (size_t i = 0; i < g->nwaits; i++) {
		const struct open_wait *x = &g->waits[i];

		if (x->dead || x->kind != KAPI_CALL || x->pub.ss != b->pub.ss ||
		    !x->returned || x->returned > b->start)
			continue;
		msg_begin(&m);
		msg_addf(&m, "%s(%s) by %s returned at step %" PRIu64 " although the callback "
			 "that %s queued with %s(%s) at step %" PRIu64 " %s. "
			 "It had been queued before the barrier, which had to wait for it.",
			 b->pub.api, ss_arg(b->pub.ss), task_name(t), world_steps(c->w),
			 id_name(c->w, x->pub.task), x->pub.api, ss_arg(x->pub.ss),
			 x->start_step, x->invoker ? "has not come to its end" :
						     "has not been invoked");
		msg_end(&m, c->w, "grace-period", t, task_by_id(c->w, x->pub.task));
		return;
	}
}

static void wait_begin(struct check *c, struct task *t, const struct kcall *call)
{
	struct gp *g = &c->gp;
	tick_t id;

	if (!check_grow(c, (void **)&g->waits, &g->waits_cap, g->nwaits + 1, sizeof(*g->waits)))
		return;
	settle_if_pending(c, t);
	id = ++g->tick;
	g->waits[g->nwaits++] = (struct open_wait){
		.pub = { .ss = call->obj, .task = task_id(t), .since = call->since,
			 .api = call->api->name },
		.id = id,
		.kind = call->api->kind,
		.head = call->api->kind == KAPI_CALL ? (void *)(uintptr_t)call->arg : NULL,
	};
	gp_set_pending(c, t, PEND_WAIT, id);
}

/* The innermost wait of that kind by t, whose call has not returned. */
static struct open_wait *wait_of(struct gp *g, struct task *t, struct srcu *ss,
				 enum kapi_kind kind)
{
	for (size_t i = g->nwaits; i--;) {
		struct open_wait *x = &g->waits[i];

		if (!x->dead && !x->returned && x->kind == kind && x->pub.ss == ss &&
		    x->pub.task == task_id(t))
			return x;
	}
	return NULL;
}

const struct open_wait *gp_wait_of(struct check *c, struct task *t, struct srcu *ss)
{
	const struct open_wait *x = wait_of(&c->gp, t, ss, KAPI_SYNCHRONIZE);

	return x ? x : wait_of(&c->gp, t, ss, KAPI_BARRIER);
}

static void wait_end(struct check *c, struct task *t, const struct kcall *call,
		     uint64_t result)
{
	struct open_wait *x;

	settle_if_pending(c, t);
	x = wait_of(&c->gp, t, call->obj, call->api->kind);
	if (!x)
		return;
	if (x->kind == KAPI_CALL && result) {
		x->returned = ++c->gp.tick;
		return;
	}
	if (x->kind == KAPI_BARRIER)
		judge_barrier(c, t, x);
	else if (x->kind == KAPI_SYNCHRONIZE)
		judge_wait(c, t, x);
	end_wait(&c->gp, x);
}

static struct open_wait *callback_of(struct gp *g, const struct srcu *ss, const void *head)
{
	for (size_t i = 0; i < g->nwaits; i++) {
		struct open_wait *x = &g->waits[i];

		if (!x->dead && x->kind == KAPI_CALL && x->head == head && x->pub.ss == ss &&
		    !x->invoker)
			return x;
	}
	return NULL;
}

const struct open_wait *gp_callback_of(struct check *c, const struct srcu *ss, const void *head)
{
	return callback_of(&c->gp, ss, head);
}

/* E of a call_srcu(): its callback begins. */
static void callback_begin(struct check *c, struct task *t, const struct kcall *call)
{
	struct open_wait *x = callback_of(&c->gp, call->obj, (void *)(uintptr_t)call->arg);

	if (!x)
		return;
	judge_wait(c, t, x);
	x->invoker = task_id(t);
}

/* It is over when the callback is, not before: a barrier waits for that. */
static void callback_end(struct check *c, struct task *t, const struct kcall *call)
{
	struct gp *g = &c->gp;

	for (size_t i = g->nwaits; i--;) {
		struct open_wait *x = &g->waits[i];

		if (x->dead || x->invoker != task_id(t) || x->pub.ss != call->obj ||
		    x->head != (void *)(uintptr_t)call->arg)
			continue;
		end_wait(g, x);
		return;
	}
}

/* --- polling --- */

static void cookie_keep(struct check *c, struct task *t, const struct kcall *call,
			uint64_t value)
{
	struct gp *g = &c->gp;
	struct gp_task *gt = gp_task(c, t);
	struct cookie k;

	if (!gt)
		return;
	settle_if_pending(c, t);
	k = (struct cookie){ .ss = call->obj, .value = value, .start = gt->start,
			     .step = gt->start_step, .task = task_id(t) };
	/* equal cookies in a row: the last one binds the most */
	if (g->ncookies && g->cookies[g->ncookies - 1].ss == k.ss &&
	    g->cookies[g->ncookies - 1].value == value) {
		g->cookies[g->ncookies - 1] = k;
		return;
	}
	if (check_grow(c, (void **)&g->cookies, &g->cookies_cap, g->ncookies + 1,
		       sizeof(*g->cookies)))
		g->cookies[g->ncookies++] = k;
}

/*
 * The cookie is looked up when the poll begins: one that another task takes
 * while the poll is under way may have the same value, and the poll's answer
 * says nothing about it.
 */
static void poll_begin(struct check *c, struct task *t, const struct kcall *call)
{
	struct gp *g = &c->gp;
	struct gp_task *gt = gp_task(c, t);

	if (!gt)
		return;
	gt->polls = false;
	for (size_t i = g->ncookies; i--;) {
		if (g->cookies[i].ss != call->obj || g->cookies[i].value != call->arg)
			continue;
		gt->polls = true;
		gt->polled = g->cookies[i];
		return;
	}
}

static void poll_end(struct check *c, struct task *t, const struct kcall *call,
		     uint64_t result)
{
	struct gp_task *gt = gp_task(c, t);

	if (!gt || !gt->polls)
		return;
	gt->polls = false;
	if (result)
		judge(c, t, &(struct gp_end){
			.ss = gt->polled.ss, .start = gt->polled.start,
			.start_step = gt->polled.step, .starter = gt->polled.task,
			.api = call->api->name, .kind = KAPI_POLL });
}

/* --- from the engine --- */

/* synchronize_srcu() in a section of one's own: nothing can help any more, so
 * it is said at once. */
static void sync_in_own_section(struct check *c, struct task *t, const struct kcall *call)
{
	const struct section *s = section_own(c, t, call->obj, true);
	struct gp_task *gt = gp_task(c, t);
	struct msg m;

	if (!s || !gt)
		return;
	msg_begin(&m);
	gt->reported = true;
	msg_addf(&m, "%s called %s(%s) ", task_name(t), call->api->name, ss_arg(s->ss));
	msg_after_step(&m, c->w);
	msg_addf(&m, " although it is itself inside ");
	msg_section(&m, s);
	msg_addf(&m, ". The grace period has to wait for that section, and the section "
		 "for the grace period: %s can never go on.", task_name(t));
	msg_end(&m, c->w, "self-deadlock", t, t);
}

void gp_call_begin(struct check *c, struct task *t, const struct kcall *call)
{
	switch (call->api->kind) {
	case KAPI_READ_UNLOCK:
	case KAPI_UP_READ:
		section_end(c, t, call);
		break;
	case KAPI_SYNCHRONIZE:
		sync_in_own_section(c, t, call);
		wait_begin(c, t, call);
		break;
	case KAPI_CALL:
	case KAPI_BARRIER:
		wait_begin(c, t, call);
		break;
	case KAPI_CALLBACK:
		callback_begin(c, t, call);
		break;
	case KAPI_GET_STATE:
		gp_set_pending(c, t, PEND_COOKIE, 0);
		break;
	case KAPI_POLL:
		poll_begin(c, t, call);
		break;
	default:
		break;
	}
}

void gp_call_end(struct check *c, struct task *t, const struct kcall *call, uint64_t result)
{
	switch (call->api->kind) {
	case KAPI_READ_LOCK:
	case KAPI_DOWN_READ:
		section_begin(c, t, call, result);
		break;
	case KAPI_READ_UNLOCK:
	case KAPI_UP_READ:
		settle_if_pending(c, t);
		break;
	case KAPI_SYNCHRONIZE:
	case KAPI_BARRIER:
	case KAPI_CALL:
		wait_end(c, t, call, result);
		break;
	case KAPI_CALLBACK:
		callback_end(c, t, call);
		break;
	case KAPI_GET_STATE:
		cookie_keep(c, t, call, result);
		break;
	case KAPI_POLL:
		poll_end(c, t, call, result);
		break;
	default:
		break;
	}
}

/* --- for views --- */

size_t check_gp_wait_count(struct world *w)
{
	struct check *c = check_of(w);

	if (!c)
		return 0;
	gp_tidy(c);
	return c->gp.nwaits;
}

const struct gp_wait *check_gp_wait(struct world *w, size_t i)
{
	return i < check_gp_wait_count(w) ? &check_of(w)->gp.waits[i].pub : NULL;
}
