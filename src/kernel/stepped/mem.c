/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocation, warnings and contexts of the stepped kernel.
 */
#include <config.h>

#include "engine/internal.h"
#include "k/kernel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool k_lock_held(const uint64_t *owner)
{
	return task_current() && *owner == (uint64_t)task_id(task_current()) + 1;
}

unsigned raw_cpu(void)
{
	return task_current()->cpu;
}

bool in_task(void)
{
	return task_current()->kind == TASK_THREAD || task_current()->kind == TASK_WORKER;
}

unsigned k_nr_cpus(void)
{
	return task_current()->w->cpus;
}

void *k_kzalloc(const struct objtype *type, const char *label, size_t size)
{
	struct task *t = task_current();
	struct object *o = object_new(t->w, type, label, size);

	if (!o) {
		world_violate(t->w, "error", strdup(world_error(t->w)), t, NULL);
		task_fail();
	}
	o->heap = true;
	return o->base;
}

void k_kfree(void *p, struct site *s)
{
	/* a pointer that is no object of ours still makes an event: the heap
	 * oracle says what is wrong with it */
	task_event((struct event){ .site = s, .op = OP_FREE, .loc = p });
}

bool k_warn(bool cond, const char *text, const char *func, const char *file, int line)
{
	struct task *t = task_current();
	const char *src = strstr(file, "src/");
	char *msg = NULL;

	if (!cond || !t)
		return cond;
	if (asprintf(&msg, "%s in %s() (%s:%d) was hit by %s%s%s%s after step %" PRIu64 ".",
		     text, func, src ? src : file, line, task_name(t),
		     t->ncalls ? " in " : "", t->ncalls ? t->calls[0].api->name : "",
		     t->ncalls ? "()" : "", t->w->log.n) < 0)
		msg = NULL;
	world_violate(t->w, "warning", msg, t, NULL);
	return cond;
}

unsigned k_ctx_depth(const struct task *t, const struct site *s)
{
	return s->flags & SITE_IRQ ? t->ctx.irq : s->flags & SITE_BH ? t->ctx.bh : t->ctx.preempt;
}

void k_ctx(struct site *s, int delta)
{
	struct task *t = task_current();
	char *msg = NULL;

	/* in an interrupt they are off because it is one: it is not its to say */
	if (delta < 0 && k_ctx_depth(t, s) <= (t->kind == TASK_IRQ && s->flags & SITE_IRQ)) {
		if (asprintf(&msg, "%s called %s() (%s:%d) after its step %" PRIu64 ", but nothing was "
			     "disabled that it could enable. Each call ends one of the other kind, "
			     "in the same thread.", task_name(t), s->prim, site_file(s), s->line,
			     t->steps) < 0)
			msg = NULL;
		world_violate(t->w, "unbalanced-unlock", msg, t, NULL);
		return;
	}
	(void)K_EV(s, NULL, 0, (int64_t)delta, 0);
}
