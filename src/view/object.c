/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of one object.  Small ones (locks, variables, pointers) are a line;
 * others are listed field by field, as their tables describe them; threads say
 * where they are and why.
 */
#include <config.h>

#include "view/object.h"
#include "check/check.h"
#include "engine/kapi.h"
#include "engine/log.h"
#include "k/lock.h"
#include "k/objtypes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PAIR_INDENT 2
#define PAIR_NAME 10

void view_pair(struct sbuf *out, const struct view_opts *o, const char *name,
	       const char *fmt, ...)
{
	char text[512];
	unsigned used = PAIR_INDENT + PAIR_NAME + 1, columns = view_columns(o);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sbuf_fill(out, ' ', PAIR_INDENT);
	sbuf_addf(out, "%-*s ", PAIR_NAME, name);
	if (strlen(name) > PAIR_NAME)
		used += strlen(name) - PAIR_NAME;
	view_fit(out, o, TINT_PLAIN, text, NULL, columns > used ? columns - used : 8);
	sbuf_add(out, "\n");
}

void lock_brief(struct world *w, const uint64_t *lock, char *buf, size_t n)
{
	struct object *holder = lock[0] ? object_by_id(w, (uint32_t)lock[0] - 1) : NULL;

	if (!lock[0])
		snprintf(buf, n, "free");
	else
		snprintf(buf, n, "held by %s since step %" PRIu64,
			 holder ? holder->name : "?", lock[1]);
}

static void rwsem_brief(struct world *w, const struct rw_semaphore *sem, char *buf, size_t n)
{
	size_t len;

	if (sem->readers)
		snprintf(buf, n, "held by %" PRIu64 " for reading", sem->readers);
	else
		lock_brief(w, &sem->owner, buf, n);
	len = strlen(buf);
	if (sem->waiters)
		snprintf(buf + len, n - len, ", %" PRIu64 " waiting to write", sem->waiters);
}

/* The value at `p`, described by f, in words. */
static void field_text(struct world *w, const void *p, const struct field *f, char *buf, size_t n)
{
	union { uint8_t b; uint16_t h; uint32_t w; uint64_t d; } v = { .d = 0 };
	uint64_t value;
	struct object *to;
	char brief[128];

	memcpy(&v, p, f->size <= 8 ? f->size : 8);
	value = f->size == 1 ? v.b : f->size == 2 ? v.h : f->size == 4 ? v.w : v.d;
	value_name(w, value, f, buf, n);
	/* what a pointer to a small object leads to is worth the room */
	to = f->flags & FIELD_PTR && value ? object_at(w, (void *)(uintptr_t)value) : NULL;
	if (to && to->base == (void *)(uintptr_t)value && object_brief(to, brief, sizeof(brief)) &&
	    strlen(buf) + strlen(brief) + 4 < n)
		snprintf(buf + strlen(buf), n - strlen(buf), " (%s)", brief);
}

static bool is_lock(const struct object *obj)
{
	return obj->type == &mutex_objtype || obj->type == &spinlock_objtype;
}

bool object_brief(struct object *obj, char *buf, size_t n)
{
	const struct field *f = obj->own_fields ? obj->own_fields : obj->type->fields;
	uint64_t v;

	if (!obj->base)
		return false;
	if (is_lock(obj)) {
		lock_brief(obj->w, obj->base, buf, n);
		return true;
	}
	if (obj->type == &rwsem_objtype) {
		rwsem_brief(obj->w, obj->base, buf, n);
		return true;
	}
	if (!f || !f->name || *f->name || f->count > 1 || f[1].name)
		return false;
	if (obj->type == &completion_objtype) {
		memcpy(&v, obj->base, sizeof(v));
		if (v)
			snprintf(buf, n, "completed (%" PRIu64 ")", v);
		else
			snprintf(buf, n, "not completed");
		return true;
	}
	if (obj->type == &waitqueue_objtype) {
		memcpy(&v, obj->base, sizeof(v));
		snprintf(buf, n, "%" PRIu64 " waiting", v);
		return true;
	}
	if (obj->type == &ptr_objtype) {
		memcpy(&v, obj->base, sizeof(v));
		value_name(obj->w, v, f, buf, n);
		return true;
	}
	field_text(obj->w, (char *)obj->base + f->offset, f, buf, n);
	return true;
}

/* --- threads --- */

void task_state_text(struct task *t, const char **state, char *why, size_t n)
{
	struct block b = task_blocked(t);
	char text[256];

	*why = '\0';
	switch (b.why) {
	case BLOCK_NONE:
		*state = "ready";
		return;
	case BLOCK_OVER:
		*state = t->state == TASK_DONE ? "done" : "failed";
		return;
	case BLOCK_IDLE_WORKER:
	case BLOCK_IDLE_TIMER:
	case BLOCK_IDLE_PASS:
	case BLOCK_CALL:
		*state = "idle";
		break;
	default:
		*state = "blocked";
		break;
	}
	block_text(t, &b, text, sizeof(text));
	/* the state has its own place */
	snprintf(why, n, "%s", strncmp(text, "idle: ", 6) ? text : text + 6);
}

void task_next_text(struct task *t, char *buf, size_t n)
{
	struct event_view v;

	*buf = '\0';
	if (t->state != TASK_READY || !pending_view(t->w, t, &v))
		return;
	if (*v.call && strncmp(v.text, v.call, strlen(v.call)))
		snprintf(buf, n, "%s: %s", v.call, v.text);
	else
		snprintf(buf, n, "%s", v.text);
}

static void view_task_calls(struct task *t, const struct view_opts *o, struct sbuf *out)
{
	struct object *obj;
	struct world *w = t->w;

	for (unsigned i = t->ncalls; i--;)
		view_pair(out, o, "in", "%s() since step %" PRIu64, t->calls[i].api->name,
			  t->calls[i].since);
	for (size_t i = 0; world_check_data(w) && i < check_section_count(w); i++) {
		const struct section *s = check_section(w, i);

		if (s->task != task_id(t))
			continue;
		view_pair(out, o, "inside", "a read section, index %d, since step %" PRIu64,
			  s->idx, s->since);
	}
	for (size_t i = 0; i < world_object_count(w); i++) {
		obj = world_object(w, i);
		if (is_lock(obj) && obj->base &&
		    *(const uint64_t *)obj->base == (uint64_t)task_id(t) + 1)
			view_pair(out, o, "holds", "%s %s", obj->type->kind, obj->name);
	}
}

static void view_task(struct task *t, const struct view_opts *o, struct sbuf *out)
{
	char why[256], next[352];
	const char *state;

	task_state_text(t, &state, why, sizeof(why));
	task_next_text(t, next, sizeof(next));
	view_pair(out, o, "cpu", "%u", t->cpu);
	view_pair(out, o, "status", "%s%s%s", state, *why ? " " : "", why);
	view_pair(out, o, "steps", "%" PRIu64, t->steps);
	if (*next)
		view_pair(out, o, "next", "%s", next);
	view_choices(t, o, out);
	view_task_calls(t, o, out);
}

/* --- others --- */

/* Who waits for the lock or completion at `loc`. */
static void view_waiters(struct world *w, const void *loc, const struct view_opts *o, struct sbuf *out)
{
	for (size_t i = 0; i < world_task_count(w); i++) {
		struct task *t = world_task(w, i);
		struct block b = task_blocked(t);

		if (b.loc == loc && (b.why == BLOCK_LOCK || b.why == BLOCK_SELF || b.why == BLOCK_WAIT ||
				   b.why == BLOCK_READERS || b.why == BLOCK_QUEUE ||
				   b.why == BLOCK_SLEEP))
			view_pair(out, o, "wanted by", "%s since step %" PRIu64, task_name(t),
				  b.waiting_since);
	}
}

/* The next location of the object's memory from `p` on that has a description, and
 * its name within the object; NULL: there is none. */
static const char *next_field(struct world *w, const struct object *obj, const char *p,
			      const struct field **f, char *name, size_t n)
{
	const char *end = (const char *)obj->base + obj->size;
	size_t prefix = strlen(obj->name);

	for (; p < end; p++) {
		if (!location_name(w, p, name, n, f) || !*f || !(*f)->size)
			continue;
		if ((*f)->flags & FIELD_LINK && !*(const uint64_t *)p) {
			p += (*f)->size - 1;	/* on no list: not worth a line */
			continue;
		}
		if (name[prefix] == '.')
			memmove(name, name + prefix + 1, strlen(name + prefix));
		return p;
	}
	return NULL;
}

/* Each of them, the values below one another. */
static void view_fields(struct world *w, struct object *obj, const struct view_opts *o,
			struct sbuf *out)
{
	const char *p = obj->base;
	const struct field *f;
	char name[128], padded[160], value[256];
	size_t widest = 0;

	for (; (p = next_field(w, obj, p, &f, name, sizeof(name))); p += f->size)
		if (strlen(name) > widest)
			widest = strlen(name);
	if (widest > 24)
		widest = 24;
	for (p = obj->base; (p = next_field(w, obj, p, &f, name, sizeof(name))); p += f->size) {
		field_text(w, p, f, value, sizeof(value));
		snprintf(padded, sizeof(padded), "%-*s", (int)widest, name);
		view_pair(out, o, padded, "%s", value);
	}
}

static void view_header(struct world *w, struct object *obj, const char *brief,
			const struct view_opts *o, struct sbuf *out)
{
	struct object *by = obj->freed_by ? object_by_id(w, obj->freed_by) : NULL;
	char freed[160] = "", line[768];

	if (obj->state == OBJECT_FREED)
		snprintf(freed, sizeof(freed), " (freed by %s at step %" PRIu64 ")",
			 by ? by->name : "?", obj->freed_at);
	else if (obj->state == OBJECT_DESTROYED)
		snprintf(freed, sizeof(freed), " (destroyed)");
	snprintf(line, sizeof(line), "%s %s%s%s%s", obj->type->kind, obj->name, freed,
		 *brief ? ": " : "", brief);
	view_fit(out, o, TINT_HEAD, line, NULL, view_columns(o));
	sbuf_add(out, "\n");
}

void view_object(struct world *w, struct object *obj, const struct view_opts *o, struct sbuf *out)
{
	struct task *t = task_by_id(w, obj->id);
	struct srcu *ss = object_srcu(obj);
	char brief[256] = "";

	if (ss) {
		view_srcu(w, ss, o, out);
		view_readable(w, obj, o, out);
		return;
	}
	if (!t && object_brief(obj, brief, sizeof(brief))) {
		view_header(w, obj, brief, o, out);
		view_waiters(w, obj->base, o, out);
		view_readable(w, obj, o, out);
		return;
	}
	view_header(w, obj, "", o, out);
	if (t)
		view_task(t, o, out);
	else if (obj->base)
		view_fields(w, obj, o, out);
	view_readable(w, obj, o, out);
}
