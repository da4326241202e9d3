/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The read sections, grace periods, callbacks, cookies and barriers of a trace, from
 * the begin and end of each API call: which of a task's steps come before and after
 * them.  The pairing is that of gp.c and section.c.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "check/trace_calls.h"
#include "engine/internal.h"

struct walk {
	struct trace *tr;
	struct tr_calls *k;
	uint32_t at;		/* events up to this one have been passed */
	bool ok;
};

/* --- where a call stands among the steps of its task --- */

static uint32_t last_event(const struct walk *g, uint16_t task)
{
	return g->tr->tasks[task].last;
}

/* The task's next event, 0 if there is none. */
static uint32_t next_event(const struct walk *g, uint16_t task)
{
	const struct trace *tr = g->tr;
	uint32_t last = tr->tasks[task].last, pos = last ? tr->ev[last].pos : 0;

	return pos < tr->tasks[task].count ? tr->by_task[tr->tasks[task].first + pos] : 0;
}

/* --- sections --- */

static void section_opens(struct walk *g, const struct mark *m, uint16_t task, bool handed)
{
	struct tr_calls *k = g->k;

	if (!check_grow(g->tr->c, (void **)&k->sections, &k->sections_cap, k->nsections + 1,
			sizeof(*k->sections))) {
		g->ok = false;
		return;
	}
	k->sections[k->nsections++] = (struct tr_section){
		.obj = m->obj, .task = task, .idx = m->arg, .lock = last_event(g, task),
		.open = true, .handed = handed };
}

static void section_closes(struct walk *g, const struct mark *m, uint16_t task, bool handed)
{
	struct tr_calls *k = g->k;
	struct tr_section *found = NULL;

	for (size_t i = k->nsections; i--;) {
		struct tr_section *s = &k->sections[i];

		if (!s->open || s->obj != m->obj || s->idx != m->arg || s->handed != handed)
			continue;
		if (s->task == task) {
			found = s;
			break;
		}
		if (handed)
			found = s;	/* the oldest that somebody handed over */
	}
	if (!found)
		return;	/* reported when it was called */
	found->open = false;
	found->unlock = next_event(g, task);
}

/* --- waits --- */

static void wait_begins(struct walk *g, const struct mark *m, uint16_t task, enum kapi_kind kind)
{
	struct tr_calls *k = g->k;

	if (!check_grow(g->tr->c, (void **)&k->waits, &k->waits_cap, k->nwaits + 1,
			sizeof(*k->waits))) {
		g->ok = false;
		return;
	}
	k->waits[k->nwaits++] = (struct tr_wait){
		.obj = m->obj, .task = task, .kind = (uint8_t)kind, .arg = m->arg,
		.start = next_event(g, task) };
}

static struct tr_wait *wait_of(struct tr_calls *k, const struct mark *m, uint16_t task,
			       enum kapi_kind kind)
{
	for (size_t i = k->nwaits; i--;) {
		struct tr_wait *x = &k->waits[i];

		if (x->task == task && x->kind == kind && x->obj == m->obj && !x->returned)
			return x;
	}
	return NULL;
}

static void wait_returns(struct walk *g, const struct mark *m, uint16_t task, enum kapi_kind kind)
{
	struct tr_wait *x = wait_of(g->k, m, task, kind);

	if (!x)
		return;
	x->returned = true;
	x->last = last_event(g, task);
	if (kind == KAPI_CALL)
		x->refused = !m->arg;
	else if (kind == KAPI_GET_STATE)
		x->arg = m->arg;
	else
		x->end = x->last;
}

/* Whose the callback is: of the oldest that waits. */
static void callback_begins(struct walk *g, const struct mark *m, uint16_t task)
{
	for (size_t i = 0; i < g->k->nwaits; i++) {
		struct tr_wait *x = &g->k->waits[i];

		if (x->kind != KAPI_CALL || x->arg != m->arg || x->obj != m->obj || x->refused ||
		    x->end)
			continue;
		x->end = last_event(g, task);
		x->invoker = task;
		return;
	}
}

static void callback_ends(struct walk *g, const struct mark *m, uint16_t task, uint64_t head)
{
	for (size_t i = g->k->nwaits; i--;) {
		struct tr_wait *x = &g->k->waits[i];

		if (x->kind == KAPI_CALL && x->arg == head && x->obj == m->obj && x->end &&
		    x->invoker == task && !x->over) {
			x->over = last_event(g, task);
			return;
		}
	}
}

/* A poll that said yes; its cookies are looked up when it is judged. */
static void poll_ends(struct walk *g, const struct mark *m, uint16_t task, uint64_t cookie)
{
	struct mark begin = *m;
	size_t n = g->k->nwaits;

	if (!m->arg)
		return;
	begin.arg = cookie;
	wait_begins(g, &begin, task, KAPI_POLL);
	if (g->k->nwaits > n)
		g->k->waits[n].end = last_event(g, task);
}

/* --- marks --- */

static void call_begins(struct walk *g, const struct mark *m, uint16_t task, enum kapi_kind kind)
{
	switch (kind) {
	case KAPI_READ_UNLOCK:
	case KAPI_UP_READ:
		section_closes(g, m, task, kind == KAPI_UP_READ);
		break;
	case KAPI_SYNCHRONIZE:
	case KAPI_CALL:
	case KAPI_BARRIER:
	case KAPI_GET_STATE:
		wait_begins(g, m, task, kind);
		break;
	case KAPI_CALLBACK:
		callback_begins(g, m, task);
		break;
	default:
		break;
	}
}

/* `arg` is that of the begin. */
static void call_ends(struct walk *g, const struct mark *m, uint16_t task, enum kapi_kind kind,
		      uint64_t arg)
{
	switch (kind) {
	case KAPI_READ_LOCK:
	case KAPI_DOWN_READ:
		section_opens(g, m, task, kind == KAPI_DOWN_READ);
		break;
	case KAPI_SYNCHRONIZE:
	case KAPI_CALL:
	case KAPI_BARRIER:
	case KAPI_GET_STATE:
		wait_returns(g, m, task, kind);
		break;
	case KAPI_CALLBACK:
		callback_ends(g, m, task, arg);
		break;
	case KAPI_POLL:
		poll_ends(g, m, task, arg);
		break;
	default:
		break;
	}
}

static void one_mark(struct walk *g, const struct mark *m)
{
	const struct kapi *api = kapi_by_id(m->api);
	struct tr_calls *k = g->k;
	struct tr_stack *s;
	uint16_t task;

	/* a task that never stepped has neither begun nor ended anything */
	if (!api || m->task >= world_task_count(g->tr->w) || !g->tr->dense[m->task])
		return;
	task = (uint16_t)(g->tr->dense[m->task] - 1);
	s = &k->stacks[task];
	if (!m->end) {
		if (s->n < TASK_CALLS_MAX)
			s->arg[s->n++] = m->arg;
		call_begins(g, m, task, api->kind);
	} else if (s->n) {
		call_ends(g, m, task, api->kind, s->arg[--s->n]);
	}
}

bool trace_calls(struct trace *tr)
{
	struct tr_calls *k = &tr->calls;
	struct walk g = { .tr = tr, .k = k, .ok = true };
	size_t n = log_mark_count(tr->w);

	k->nsections = k->nwaits = 0;
	if (!check_grow(tr->c, (void **)&k->stacks, &k->stacks_cap, tr->ntasks,
			sizeof(*k->stacks)))
		return false;
	for (size_t i = 0; i < tr->ntasks; i++)
		k->stacks[i].n = tr->tasks[i].last = 0;
	for (size_t i = 0; i < n && g.ok; i++) {
		const struct mark *m = log_mark(tr->w, i);

		for (; g.at < m->step && g.at < tr->n; g.at++)
			tr->tasks[tr->ev[g.at + 1].task].last = g.at + 1;
		one_mark(&g, m);
	}
	return g.ok;
}

void trace_calls_release(struct tr_calls *k)
{
	free(k->sections);
	free(k->waits);
	free(k->stacks);
}
