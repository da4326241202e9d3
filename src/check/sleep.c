/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may not be preempted may not sleep (semantics.md section 2): mutexes,
 * completions, flushing work and waiting for a grace period are forbidden under a
 * spinlock, with preemption, bottom halves or interrupts off, in callbacks, and in
 * sections of plain RCU, which may be preempted but not sleep.
 * The calls that wait are judged when they begin, whether they come to wait or
 * not; the rest when it is done.
 */
#include <config.h>

#include <inttypes.h>

#include "check/internal.h"
#include "srcu/rcu.h"

static const char in_rcu[] = "inside an RCU read section";

/* What keeps t from sleeping; NULL: nothing does. */
static const char *context_text(const struct task *t)
{
	if (t->ctx.spin)
		return "while it holds a spinlock";
	if (t->ctx.irq)
		return "with interrupts off";
	if (t->ctx.bh)
		return t->kind == TASK_WORKER ? "in a callback, where bottom halves are off" :
						"with bottom halves off";
	if (t->ctx.preempt)
		return "with preemption off";
	return t->ctx.rcu ? in_rcu : NULL;
}

/* Once for each task: what it does next in the same context says nothing new. */
static const char *unsaid_context(struct check *c, struct task *t)
{
	const char *context = context_text(t);
	struct gp_task *gt = context ? gp_task(c, t) : NULL;

	if (!gt || gt->slept)
		return NULL;
	gt->slept = true;
	return context;
}

static void say_rule(struct check *c, struct msg *m, struct task *t, const char *context)
{
	if (context == in_rcu)
		msg_addf(m, ", which may sleep, %s. Everybody who waits for a grace period of "
			 "RCU would wait until it wakes up: sections that sleep are SRCU's.",
			 context);
	else
		msg_addf(m, ", which may sleep, %s. A task that may not be preempted must not: "
			 "CPU %" PRIu32 " would have nobody to run.", context, t->cpu);
	msg_end(m, c->w, "sleep-in-atomic", t, NULL);
}

void sleep_performed(struct check *c, struct task *t, const struct event *ev)
{
	const char *context = unsaid_context(c, t);
	struct msg m;

	if (!context)
		return;
	msg_begin(&m);
	msg_addf(&m, "%s made step %" PRIu64, task_name(t), world_steps(c->w));
	msg_site(&m, ev->site);
	say_rule(c, &m, t, context);
}

void sleep_call_begin(struct check *c, struct task *t, const struct kcall *call)
{
	const char *context;
	struct msg m;

	switch (call->api->kind) {
	case KAPI_SYNCHRONIZE:
	case KAPI_BARRIER:
	case KAPI_CLEANUP:
		break;
	default:
		return;
	}
	/* in its own section it is worse, and gp.c says so */
	if (call->api->kind == KAPI_SYNCHRONIZE && srcu_is_rcu(call->obj) &&
	    context_text(t) == in_rcu)
		return;
	context = unsaid_context(c, t);
	if (!context)
		return;
	msg_begin(&m);
	msg_addf(&m, "%s called %s(%s) ", task_name(t), call->api->name, ss_arg(call->obj));
	msg_after_step(&m, c->w);
	say_rule(c, &m, t, context);
}
