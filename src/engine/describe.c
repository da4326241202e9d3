/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps in words: what a record or an announced event says to a person.
 */
#include <config.h>

#include "engine/internal.h"
#include "memory/execution.h"
#include "memory/model.h"
#include "k/work.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What was known of a step before it is put into words. */
struct facts {
	const struct site *site;
	const void *loc;
	uint64_t value, stored;
	const struct field *field;
	bool pending, refused;
};

static const char *with_letter(const struct site *s, char *buf, size_t n)
{
	if (s->letter)
		snprintf(buf, n, "%s (%s)", s->prim, s->letter);
	else
		snprintf(buf, n, "%s", s->prim);
	return buf;
}

static void lock_text(struct event_view *v, const struct facts *f)
{
	bool got = f->site->op != OP_TRYLOCK || f->value;

	snprintf(v->text, sizeof(v->text), "%s(%s)%s", v->prim, v->object,
		 f->pending ? "" : got ? "" : " -> false");
}

/* Where old and new differ the text shows both, else the value alone. */
static void access_text(struct event_view *v, const struct facts *f)
{
	bool writes = op_writes((enum ev_op)f->site->op), reads = op_reads((enum ev_op)f->site->op);

	if (f->pending || f->refused)
		snprintf(v->text, sizeof(v->text), "%s %s", v->prim, v->object);
	else if (!writes)
		snprintf(v->text, sizeof(v->text), "%s %s = %s", v->prim, v->object, v->value);
	else if (v->changed)
		snprintf(v->text, sizeof(v->text), "%s %s: %s -> %s", v->prim, v->object,
			 v->value, v->stored);
	else
		snprintf(v->text, sizeof(v->text), "%s %s: %s%s", v->prim, v->object, v->stored,
			 reads ? " (unchanged)" : " (again)");
}

static void make_text(struct event_view *v, const struct facts *f)
{
	const struct site *s = f->site;
	char buf[96];

	switch (s->op) {
	case OP_FENCE:
		with_letter(s, v->text, sizeof(v->text));
		break;
	case OP_LOCK: case OP_TRYLOCK: case OP_UNLOCK: case OP_LOCK_READ: case OP_UNLOCK_READ:
		lock_text(v, f);
		break;
	case OP_LOCK_QUEUE:
		snprintf(v->text, sizeof(v->text), "%s(%s) -> waits", v->prim, v->object);
		break;
	case OP_WQ:
		/* schedule_wait() of a task that has not prepared gets on the queue first */
		snprintf(v->text, sizeof(v->text), "%s(%s)%s", v->prim, v->object,
			 strcmp(v->prim, "schedule_wait") ? "" : " -> waits");
		break;
	case OP_IRQ:
		snprintf(v->text, sizeof(v->text), f->pending ? "may strike" : "strikes");
		break;
	case OP_WAIT: case OP_COMPLETE: case OP_FREE: case OP_WQ_WAIT:
		snprintf(v->text, sizeof(v->text), "%s(%s)", v->prim, v->object);
		break;
	case OP_WORK_WAIT:
		snprintf(v->text, sizeof(v->text), f->pending ? "waits for work" : "starts %s", v->object);
		break;
	case OP_TIMER_WAIT:
		if (f->pending)
			snprintf(v->text, sizeof(v->text), "fires when armed");
		else
			snprintf(v->text, sizeof(v->text), "fires (armed for %s)", v->value);
		break;
	case OP_CHOOSE:
		snprintf(v->text, sizeof(v->text), f->pending ? "choose(%" PRIu64 ")" : "choose: %" PRIu64,
			 f->pending ? f->stored : f->value);
		break;
	case OP_MIGRATE:
		snprintf(v->text, sizeof(v->text), "migrate to CPU %" PRIu64, f->stored);
		break;
	case OP_ADVANCE:
		snprintf(v->text, sizeof(v->text), "the clock goes from %s to %s", v->value, v->stored);
		break;
	case OP_COND: case OP_ASSUME: case OP_YIELD: case OP_CALL_WAIT: case OP_CPU_CTX:
		snprintf(v->text, sizeof(v->text), "%s", with_letter(s, buf, sizeof(buf)));
		break;
	default:
		access_text(v, f);
		break;
	}
}

/* kfree() takes an object, not the field that stands first in it. */
static void freed_name(struct world *w, struct event_view *v, const void *loc)
{
	struct object *o = loc ? object_at(w, loc) : NULL;

	if (!loc)
		snprintf(v->object, sizeof(v->object), "NULL");
	else if (o && o->base == loc)
		snprintf(v->object, sizeof(v->object), "%s", o->name);
	else
		location_name(w, loc, v->object, sizeof(v->object), NULL);
}

static void set_values(struct world *w, struct event_view *v, struct facts *f)
{
	if (f->site->op == OP_FREE)
		freed_name(w, v, f->loc);
	else if (f->loc)
		location_name(w, f->loc, v->object, sizeof(v->object), &f->field);
	if (f->refused)
		return;
	if (f->loc == w->clock && f->site->op != OP_ADVANCE && f->site->op != OP_MAX &&
	    !strcmp(f->site->prim, "jiffies"))
		snprintf(v->value, sizeof(v->value), "%" PRIu64, f->value / NSEC_PER_JIFFY);
	else if (f->site->op == OP_TIMER_WAIT)
		value_name(w, f->value, &(struct field){ .flags = FIELD_TIME }, v->value, sizeof(v->value));
	else if (f->site->op != OP_FENCE)
		value_name(w, f->value, f->field, v->value, sizeof(v->value));
	if (op_writes((enum ev_op)f->site->op) && f->loc)
		value_name(w, f->stored, f->field, v->stored, sizeof(v->stored));
	v->changed = !f->pending && f->loc && op_writes((enum ev_op)f->site->op) &&
		     f->value != f->stored && f->site->op != OP_FREE;
}

static void set_site(struct event_view *v, const struct site *s)
{
	v->op = op_name((enum ev_op)s->op);
	v->prim = s->prim ? s->prim : v->op;
	v->order = order_name((enum ev_order)s->order);
	v->file = site_file(s);
	v->func = s->func ? s->func : "";
	v->line = s->line;
	v->label = s->letter ? s->letter : "";
}

static void set_call(struct world *w, struct event_view *v, uint32_t call)
{
	const struct mark *m = call ? log_mark(w, call - 1) : NULL;
	const struct kapi *api = m ? kapi_by_id(m->api) : NULL;
	struct object *o = m && m->obj ? object_by_id(w, m->obj) : NULL;

	v->call = api ? api->name : "";
	if (o)
		snprintf(v->call_obj, sizeof(v->call_obj), "%s", o->name);
}

/* Appends to the note. */
static void say(struct event_view *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct event_view *v, const char *fmt, ...)
{
	size_t n = strlen(v->note);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(v->note + n, sizeof(v->note) - n, fmt, ap);
	va_end(ap);
}

#define MISSED_SHOWN 3

static void say_steps(struct event_view *v, const uint32_t *steps, size_t n)
{
	say(v, n == 1 ? "step" : "steps");
	for (size_t i = 0; i < n && i < MISSED_SHOWN; i++)
		say(v, "%s %" PRIu32, i ? "," : "", steps[i]);
	if (n > MISSED_SHOWN)
		say(v, " and %zu more", n - MISSED_SHOWN);
}

/* Of an access that had a choice and did not take the newest: which it was, and what is
 * newer.  Of a store: until when others did not see it. */
static void say_choice(struct world *w, uint64_t step, const struct facts *f, struct event_view *v)
{
	const struct log_access *a = log_access(w, step);
	bool reads = op_reads((enum ev_op)f->site->op);
	uint32_t missed[MISSED_SHOWN];
	uint64_t late;
	size_t n;

	if (!a)
		return;
	n = execution_missed(w, step, missed, MISSED_SHOWN);
	if (n && reads && a->source)
		say(v, "stale: from step %" PRIu32 ", missed ", a->source);
	else if (n)
		say(v, reads ? "stale: from the start, missed " : "older than ");
	if (n)
		say_steps(v, missed, n);
	late = op_writes((enum ev_op)f->site->op) ? execution_missed_by(w, step) : 0;
	if (late)
		say(v, "%s%s %" PRIu64, n ? "; " : "", w->model->buffers ? "in memory only after step" :
		    "not seen yet at step", late);
}

bool event_view(struct world *w, uint64_t step, struct event_view *v)
{
	const struct record *r = log_record(w, step);
	struct facts f;

	memset(v, 0, sizeof(*v));
	if (!r)
		return false;
	f = (struct facts){ .site = site_by_id(r->site), .loc = arena_addr(w, r->loc),
			    .value = r->value, .stored = r->stored,
			    .refused = r->flags & REC_REFUSED };
	if (!f.site)
		return false;
	v->n = step;
	v->raw_value = r->value;
	v->raw_stored = r->stored;
	v->task = r->task == UINT16_MAX ? NULL : world_task(w, r->task);
	v->thread = v->task ? task_name(v->task) : "clock";
	v->cpu = r->cpu_lo | (unsigned)(r->flags >> REC_CPU_SHIFT) << 8;
	set_site(v, f.site);
	set_call(w, v, r->call);
	set_values(w, v, &f);
	make_text(v, &f);
	say_choice(w, step, &f, v);
	return true;
}

bool pending_view(struct world *w, struct task *t, struct event_view *v)
{
	struct facts f;

	memset(v, 0, sizeof(*v));
	if (t->state != TASK_READY || !t->ev.site)
		return false;
	f = (struct facts){ .site = t->ev.site, .loc = t->ev.loc, .pending = true,
			    .stored = t->ev.a };
	v->n = w->log.n + 1;
	v->task = t;
	v->thread = task_name(t);
	v->cpu = t->cpu;
	set_site(v, f.site);
	set_call(w, v, t->ncalls ? t->calls[t->ncalls - 1].mark : 0);
	set_values(w, v, &f);
	v->value[0] = v->stored[0] = '\0';
	make_text(v, &f);
	return true;
}
