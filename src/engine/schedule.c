/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Schedules as text: "@sc,4 writer*3 reader kworker/ss:gp*5 writer=2 clock+4000000".
 * Thread names, counts, choices; stable across carriers and machines.
 */
#include <config.h>

#include "engine/internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct out { char *s; size_t len, cap; bool oom; };

static void put(struct out *o, const char *s)
{
	size_t n = strlen(s);

	if (!grow(&o->s, &o->cap, o->len + n + 1, 1)) {
		o->oom = true;
		return;
	}
	memcpy(o->s + o->len, s, n + 1);
	o->len += n;
}

static void put_item(struct out *o, struct world *w, const struct record *r, unsigned choice, uint64_t count)
{
	char buf[64];

	put(o, " ");
	if (r->task == UINT16_MAX) {
		snprintf(buf, sizeof(buf), "clock+%" PRIu64, r->stored - r->value);
		put(o, buf);
		return;
	}
	put(o, task_name(w->tasks[r->task]));
	if (choice) {
		snprintf(buf, sizeof(buf), "=%u", choice);
		put(o, buf);
	} else if (count > 1) {
		snprintf(buf, sizeof(buf), "*%" PRIu64, count);
		put(o, buf);
	}
}

char *world_schedule_upto(struct world *w, uint64_t n)
{
	struct out o = { 0 };
	char head[32];

	if (w->lean)
		return NULL;
	if (n > w->log.n)
		n = w->log.n;
	snprintf(head, sizeof(head), "@%s,%u", w->model->name, w->cpus);
	put(&o, head);
	for (uint64_t i = 1, count; i <= n; i += count) {
		const struct record *r = log_record(w, i), *next;
		unsigned choice = log_choice(w, i);

		for (count = 1; i + count <= n; count++) {
			next = log_record(w, i + count);
			if (next->task != r->task || r->task == UINT16_MAX ||
			    choice || log_choice(w, i + count))
				break;
		}
		put_item(&o, w, r, choice, count);
	}
	if (o.oom) {
		free(o.s);
		return NULL;
	}
	return o.s;
}

char *world_schedule(struct world *w)
{
	return world_schedule_upto(w, w->log.n);
}

/* --- reading --- */

/* As much of an item as a message shows of it. */
static int shown(size_t len)
{
	return len < 80 ? (int)len : 80;
}

static bool bad(struct world *w, unsigned nth, const char *item, size_t len, const char *what)
{
	return world_fail(w, "schedule: item %u, '%.*s': %s", nth, shown(len), item, what);
}

static bool step_times(struct world *w, struct task *t, uint64_t times, unsigned choice,
		       unsigned nth, const char *item, size_t len)
{
	char why[256];

	for (uint64_t i = 0; i < times; i++) {
		struct block b;

		switch (world_step_again(w, t, choice)) {
		case STEP_OK:
			break;
		case STEP_OVER:
			return bad(w, nth, item, len, t->state == TASK_DONE ?
				   "the thread is done already" : "the thread has failed already");
		case STEP_BLOCKED:
			b = task_blocked(t);
			block_text(t, &b, why, sizeof(why));
			return world_fail(w, "schedule: item %u, '%.*s': it cannot step at %" PRIu64 ": %s",
					  nth, shown(len), item, w->log.n, why);
		case STEP_ERROR:
			return false;
		}
		if (world_interrupted(w))
			return world_fail(w, "interrupted");
		if (!journal_due(w))
			return false;
	}
	return true;
}

/* The item with its name, the first n bytes, cut off as a string. */
static bool named_item(struct world *w, const char *name, const char *item, size_t n, size_t len,
		       unsigned nth)
{
	uint64_t count = 1;
	unsigned choice = 0;
	struct task *t;
	char *end;

	if (n < len) {
		uint64_t k;

		if (!isdigit((unsigned char)item[n + 1]))
			return bad(w, nth, item, len, "a number is expected behind the sign");
		k = strtoull(item + n + 1, &end, 10);
		if (end != item + len || (item[n] == '*' && !k))
			return bad(w, nth, item, len, "THREAD, THREAD*COUNT or THREAD=CHOICE is expected");
		if (item[n] == '+')
			return strcmp(name, "clock") ?
				       bad(w, nth, item, len, "only the clock can be moved") :
				       world_advance(w, k) && journal_due(w);
		if (item[n] == '=') {
			if (!k || k > UINT32_MAX)
				return bad(w, nth, item, len, "choices are counted from 1");
			choice = (unsigned)k;
		} else {
			count = k;
		}
	}
	if (!world_prime(w))
		return false;
	t = task_by_name(w, name);
	if (!t && (t = promise_by_name(w, name)) && !world_prime(w))
		return false;
	if (!t)
		return world_fail(w, "schedule: item %u: there is no thread '%.*s' at step %" PRIu64,
				  nth, shown(n), name, w->log.n);
	if (choice && t->ev.op != OP_CHOOSE && !(w->history && op_is_access((enum ev_op)t->ev.op)))
		return bad(w, nth, item, len, "the thread has no choice to make there");
	return step_times(w, t, count, choice, nth, item, len);
}

bool schedule_item(struct world *w, const char *item, size_t len, unsigned nth)
{
	size_t n = strcspn(item, "*=+ \t\n");
	char *name;
	bool ok;

	if (n > len)
		n = len;
	if (!n)
		return bad(w, nth, item, len, "no thread is named");
	name = strndup(item, n);	/* a name may be of any length */
	if (!name)
		return world_oom(w);
	ok = named_item(w, name, item, n, len, nth);
	free(name);
	return ok;
}
