/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The grace-period guarantee under a memory model other than sequential consistency.  There
 * the order in which steps were made proves nothing; what counts is what a program could
 * see.  So two variables are imagined beside those of the scenario: one that the waiter
 * stores to before it asks for the grace period and that the section loads, and one that the
 * section stores to and that is loaded behind the end of the grace period.  If the model
 * allows both loads to miss both stores, the grace period was too short: the section has
 * neither begun after the wait nor ended before its end (Alglave et al., ASPLOS 2018, "the
 * fundamental law of RCU").
 */
#include <config.h>

#include <inttypes.h>

#include "check/trace_calls.h"
#include "engine/internal.h"
#include "memory/execution.h"

static bool too_short(struct trace *tr, const struct tr_wait *x, const struct tr_section *s)
{
	const struct task *waiter = tr->tasks[x->task].t, *reader = tr->tasks[s->task].t;
	const struct task *after = tr->tasks[x->kind == KAPI_CALL ? x->invoker : x->task].t;
	struct execution_probe p[] = {
		{ .t = waiter, .step = x->start, .writes = true, .var = 0 },
		{ .t = reader, .step = s->lock, .behind = true, .var = 0 },
		{ .t = reader, .step = s->unlock ? s->unlock : tr->n, .behind = !s->unlock,
		  .writes = true, .var = 1 },
		{ .t = after, .step = x->end, .behind = true, .var = 1 },
	};

	return waiter && reader && after && execution_allows(tr->w, tr->peeks, tr->npeeks, p, 4);
}

static void report(struct trace *tr, const struct tr_wait *x, const struct tr_section *s)
{
	const struct tr_task *waiter = &tr->tasks[x->task], *reader = &tr->tasks[s->task];
	struct object *ss = object_by_id(tr->w, s->obj);
	struct msg m;

	if (trace_told(tr, (uint64_t)s->lock << 32 | x->start))
		return;
	msg_begin(&m);
	msg_addf(&m, "%s(%s) by %s, asked for at step %" PRIu32 " and over after step %" PRIu32
		 ", does not hold against the read section that %s began after step %" PRIu32
		 ": the %s model allows the section to miss what was stored before the grace period was asked "
		 "for, and what comes behind its end to miss what the section stored.",
		 x->kind == KAPI_CALL ? "call_srcu" : "synchronize_srcu", ss ? ss->name : "?",
		 task_name(waiter->t), x->start, x->end, task_name(reader->t), s->lock, tr->w->model->name);
	msg_end(&m, tr->w, "grace-period", waiter->t, reader->t);
	trace_at_step(tr, x->end);
}

bool gp_model_judge(struct trace *tr)
{
	struct tr_calls *k = &tr->calls;

	if (!tr->has_marks)
		return true;
	if (!trace_index_tasks(tr) || !trace_calls(tr))
		return false;
	for (size_t i = 0; i < k->nwaits; i++) {
		const struct tr_wait *x = &k->waits[i];

		if (!x->start || !x->end || (x->kind != KAPI_SYNCHRONIZE && x->kind != KAPI_CALL))
			continue;
		for (size_t j = 0; j < k->nsections; j++)
			if (k->sections[j].obj == x->obj && k->sections[j].lock &&
			    too_short(tr, x, &k->sections[j]))
				report(tr, x, &k->sections[j]);
	}
	return true;
}
