/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sleeping where one may not: with preemption, bottom halves or interrupts off,
 * under a spinlock, in an interrupt, in an SRCU callback (semantics.md section 2), and
 * in a section of plain RCU, which may be preempted but not sleep.
 * What may sleep is reported when it is called, as by might_sleep(), whether it
 * would have to wait or not.  So is a thread or an interrupt that ends in such a
 * context.
 */
#include <config.h>

#include <inttypes.h>
#include <string.h>

#include "check/internal.h"
#include "k/wait.h"
#include "srcu/rcu.h"

static struct atomic_task *atomic_task(struct check *c, const struct task *t)
{
	if (!check_grow(c, (void **)&c->atomic.tasks, &c->atomic.cap, (size_t)t->index + 1,
			sizeof(*c->atomic.tasks)))
		return NULL;
	return &c->atomic.tasks[t->index];
}

void atomic_forget(struct check *c)
{
	if (c->atomic.tasks)
		memset(c->atomic.tasks, 0, c->atomic.cap * sizeof(*c->atomic.tasks));
}

/* A count of the context after a step: the first that is not 0 is what is told. */
static void note(struct check *c, struct atomic_part *p, unsigned depth, const struct event *ev)
{
	if (!depth)
		p->since = 0;
	else if (!p->since)
		*p = (struct atomic_part){ .since = world_steps(c->w), .site = ev->site,
					   .lock = ev->loc };
}

void atomic_performed(struct check *c, struct task *t, const struct event *ev)
{
	struct atomic_task *a = atomic_task(c, t);

	if (!a)
		return;
	/* a stroke or a pass begins: whatever the last one left was put right without
	 * an event */
	if (ev->op == OP_WORK_WAIT || ev->op == OP_TIMER_WAIT)
		*a = (struct atomic_task){ 0 };
	note(c, &a->preempt, t->ctx.preempt, ev);
	note(c, &a->bh, t->ctx.bh, ev);
	note(c, &a->irq, t->ctx.irq, ev);
	note(c, &a->spin, t->ctx.spin, ev);
}

/* --- words --- */

static bool in_atomic(const struct task *t)
{
	return t->ctx.preempt || t->ctx.bh || t->ctx.irq || t->ctx.spin;
}

/* The callback that t is in, or NULL. */
static const struct kcall *callback_of(const struct task *t)
{
	for (unsigned i = t->ncalls; i--;)
		if (t->calls[i].api->kind == KAPI_CALLBACK)
			return &t->calls[i];
	return NULL;
}

/* The outermost section of plain RCU that t is in, or NULL. */
static const struct section *rcu_section(const struct check *c, const struct task *t)
{
	for (size_t i = 0; t->ctx.rcu && i < c->gp.nsections; i++) {
		const struct open_section *s = &c->gp.sections[i];

		if (!s->dead && s->pub.task == task_id(t) && srcu_is_rcu(s->pub.ss))
			return &s->pub;
	}
	return NULL;
}

/* Since which step the context is what it is; 1 more, as 0 means none. */
static uint64_t context_since(const struct check *c, const struct task *t,
			      const struct atomic_task *a)
{
	const struct section *rcu = rcu_section(c, t);
	const struct atomic_part *parts[] = { &a->spin, &a->irq, &a->bh, &a->preempt };
	const struct kcall *cb = callback_of(t);

	if (cb)
		return cb->since + 1;
	for (size_t i = 0; i < 4; i++)
		if (parts[i]->since)
			return parts[i]->since + 1;
	return rcu ? rcu->since + 1 : UINT64_MAX;
}

static void add_part(struct msg *m, const struct atomic_part *p, const char *what)
{
	msg_addf(m, "with %s off", what);
	if (!p->since)
		return;
	msg_addf(m, " since step %" PRIu64, p->since);
	msg_site(m, p->site);
}

/* "under spinlock l since step 3 (spin_lock, x.lua:7)" */
static void add_context(struct msg *m, struct task *t, const struct atomic_task *a, bool ends)
{
	const struct section *rcu = rcu_section(check_of(t->w), t);
	const struct kcall *cb = callback_of(t);
	char lock[112];

	/* of an interrupt that ends, the interrupt itself is not what is left over */
	if (t->kind == TASK_IRQ && !ends) {
		msg_addf(m, "in interrupt %s", task_name(t));
		if (a->irq.since)
			msg_addf(m, ", which struck at step %" PRIu64, a->irq.since);
	} else if (cb) {
		msg_addf(m, "in an %s callback since step %" PRIu64,
			 srcu_is_rcu(cb->obj) ? "RCU" : "SRCU", cb->since);
	} else if (t->ctx.spin && a->spin.since) {
		lock_text(t->w, a->spin.site, a->spin.lock, lock, sizeof(lock));
		msg_addf(m, "under %s since step %" PRIu64, lock, a->spin.since);
		msg_site(m, a->spin.site);
	} else if (t->ctx.irq > (t->kind == TASK_IRQ)) {
		add_part(m, &a->irq, "interrupts");
	} else if (t->ctx.bh) {
		add_part(m, &a->bh, "bottom halves");
	} else if (rcu && !t->ctx.preempt) {
		msg_addf(m, "inside ");
		msg_section(m, rcu);
	} else {
		add_part(m, &a->preempt, "preemption");
	}
}

static void report(struct check *c, struct task *t, const struct atomic_task *a,
		   const char *what, const struct site *s)
{
	struct msg m;

	msg_begin(&m);
	msg_addf(&m, "Sleeping function called from invalid context: %s called %s", task_name(t),
		 what);
	if (s && s->flags & SITE_LUA)
		msg_site(&m, s);
	msg_addf(&m, " ");
	msg_after_step(&m, c->w);
	msg_addf(&m, ", ");
	add_context(&m, t, a, false);
	msg_addf(&m, ". What may sleep must not be called there, even if it would not have to "
		 "wait this time.");
	msg_end(&m, c->w, "sleep-in-atomic", t, NULL);
}

static void report_end(struct check *c, struct task *t, const struct atomic_task *a)
{
	struct msg m;

	msg_begin(&m);
	msg_addf(&m, "%s ended ", task_name(t));
	msg_after_step(&m, c->w);
	msg_addf(&m, " ");
	add_context(&m, t, a, true);
	msg_addf(&m, ". Whoever turns something off, or takes a spinlock, has to undo it before "
		 "it ends: the CPU goes on to something else, which sleeps.");
	msg_end(&m, c->w, "sleep-in-atomic", t, NULL);
}

/* The same context is told once. */
static struct atomic_task *untold(struct check *c, struct task *t)
{
	struct atomic_task *a;

	if (!in_atomic(t) && !callback_of(t) && !rcu_section(c, t))
		return NULL;
	a = atomic_task(c, t);
	if (!a || a->reported == context_since(c, t, a))
		return NULL;
	a->reported = context_since(c, t, a);
	return a;
}

/* --- from the engine --- */

/* Already announced as asleep elsewhere: the sleep would lose its wake-up. */
static void check_waiting(struct check *c, struct task *t, const struct event *ev)
{
	struct atomic_task *a;
	struct msg m;

	if (!t->nwaits || ev->op == OP_WQ_WAIT || !k_is_waiting(t))
		return;
	a = atomic_task(c, t);
	if (!a || a->waiting)
		return;
	a->waiting = true;
	msg_begin(&m);
	msg_addf(&m, "%s called %s", task_name(t), ev->site->prim);
	msg_site(&m, ev->site);
	msg_addf(&m, " ");
	msg_after_step(&m, c->w);
	msg_addf(&m, ", between prepare_to_wait() and schedule_wait(): what blocks there uses up "
		 "the state in which prepare_to_wait() has put the thread, and the wait that "
		 "was prepared no longer sleeps.");
	msg_end(&m, c->w, "warning", t, NULL);
}

void atomic_sleeps(struct check *c, struct task *t, const struct event *ev)
{
	struct atomic_task *a = untold(c, t);
	char what[200], lock[112];

	check_waiting(c, t, ev);
	if (!a)
		return;
	if (ev->loc && (!location_name(c->w, ev->loc, lock, sizeof(lock), NULL) || !*lock))
		snprintf(lock, sizeof(lock), "?");
	snprintf(what, sizeof(what), "%s(%s)", ev->site->prim, ev->loc ? lock : "");
	report(c, t, a, what, ev->site);
}

/* API calls that wait say so themselves, before their first step. */
void atomic_call(struct check *c, struct task *t, const struct kcall *call)
{
	struct atomic_task *a;
	char what[160];

	if (call->api->kind != KAPI_SYNCHRONIZE && call->api->kind != KAPI_BARRIER &&
	    call->api->kind != KAPI_CLEANUP)
		return;
	/* in its own section it is worse, and gp.c says so */
	if (call->api->kind == KAPI_SYNCHRONIZE && srcu_is_rcu(call->obj) && rcu_section(c, t))
		return;
	a = untold(c, t);
	if (!a)
		return;
	snprintf(what, sizeof(what), "%s(%s)", call->api->name, ss_arg(call->obj));
	report(c, t, a, what, NULL);
}

void atomic_task_over(struct check *c, struct task *t)
{
	struct atomic_task *a;

	if (t->state != TASK_DONE)
		return;
	if (t->kind == TASK_IRQ ? !(t->ctx.preempt || t->ctx.bh || t->ctx.spin || t->ctx.irq > 1) :
				  !in_atomic(t))
		return;
	a = atomic_task(c, t);
	if (a)
		report_end(c, t, a);
}
