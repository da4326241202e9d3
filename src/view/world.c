/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole world at a glance: its threads, SRCU domains, locks, variables and
 * heap objects, in order of making.
 */
#include <config.h>

#include "view/object.h"
#include "view/timeline.h"
#include "k/objtypes.h"
#include "memory/model.h"
#include "srcu/srcu.h"

#include <inttypes.h>
#include <string.h>

#define NARROW 60	/* below this, numbers give way to words */

static void thread_row(struct table *t, struct task *k, bool narrow)
{
	char why[256], next[352];
	const char *state;

	task_state_text(k, &state, why, sizeof(why));
	task_next_text(k, next, sizeof(next));
	table_cell(t, TINT_PLAIN, "%s", task_name(k));
	if (!narrow)
		table_cell(t, TINT_PLAIN, "%u", k->cpu);
	table_cell(t, k->state == TASK_FAILED ? TINT_BAD : TINT_PLAIN, "%s", state);
	if (!narrow)
		table_cell(t, TINT_PLAIN, "%" PRIu64, k->steps);
	table_cell(t, TINT_PLAIN, "%s", *why ? why : next);
}

void view_threads(struct world *w, const struct view_opts *o, struct sbuf *out)
{
	static const char *const heads[] = { "thread", "cpu", "status", "steps", "next, or why not" };
	bool narrow = view_columns(o) < NARROW;
	struct table t;

	if (!world_task_count(w)) {
		sbuf_add(out, "(no threads)\n");
		return;
	}
	table_init(&t, narrow ? 3 : 5, narrow ? 0 : 0x0a);
	for (unsigned i = 0; i < 5; i++)
		if (!narrow || i % 2 == 0)
			table_cell(&t, TINT_HEAD, "%s", heads[i]);
	for (size_t i = 0; i < world_task_count(w); i++)
		thread_row(&t, world_task(w, i), narrow);
	table_print(&t, o, 0, out);
}

/* A chapter of the world: objects of some kinds, a line each. */
struct chapter {
	const char *title;
	bool (*has)(struct object *obj);
};

static bool is_srcu(struct object *obj) { return object_srcu(obj) != NULL; }

static bool is_lock(struct object *obj)
{
	return obj->type == &mutex_objtype || obj->type == &spinlock_objtype ||
	       obj->type == &completion_objtype || obj->type == &rwsem_objtype ||
	       obj->type == &waitqueue_objtype;
}

static bool is_variable(struct object *obj)
{
	return obj->type == &var_objtype || obj->type == &ptr_objtype ||
	       obj->type == &list_objtype;
}

static bool is_heap(struct object *obj) { return obj->heap; }

static const struct chapter chapters[] = {
	{ "SRCU", is_srcu },
	{ "locks and completions", is_lock },
	{ "variables", is_variable },
	{ "heap", is_heap },
};

/* "count 0, next NULL": the first fields of an object with several. */
static void fields_line(struct world *w, struct object *obj, char *buf, size_t n)
{
	const struct field *f = obj->own_fields ? obj->own_fields : obj->type->fields;
	char value[96];
	size_t len = 0;
	uint64_t v;

	*buf = '\0';
	for (; obj->base && f && f->name && len + 1 < n; f++) {
		v = 0;
		if (f->count > 1 || f->size != sizeof(v))
			continue;
		memcpy(&v, (char *)obj->base + f->offset, sizeof(v));
		value_name(w, v, f, value, sizeof(value));
		len += snprintf(buf + len, n - len, "%s%s%s%s", len ? ", " : "", f->name,
				*f->name ? " " : "", value);
	}
}

static void object_line(struct world *w, struct object *obj, char *buf, size_t n)
{
	struct srcu *ss = object_srcu(obj);
	struct object *by = obj->freed_by ? object_by_id(w, obj->freed_by) : NULL;

	if (ss)
		srcu_brief(ss, buf, n);
	else if (obj->state == OBJECT_FREED)
		snprintf(buf, n, "freed by %s at step %" PRIu64, by ? by->name : "?", obj->freed_at);
	else if (!object_brief(obj, buf, n))
		fields_line(w, obj, buf, n);
}

static void view_chapter(struct world *w, const struct chapter *c, const struct view_opts *o,
			 struct sbuf *out)
{
	struct table t;
	char line[384];
	bool any = false;

	table_init(&t, 2, 0);
	for (size_t i = 0; i < world_object_count(w); i++) {
		struct object *obj = world_object(w, i);

		if (obj->state == OBJECT_DESTROYED || !c->has(obj))
			continue;
		any = true;
		object_line(w, obj, line, sizeof(line));
		table_cell(&t, TINT_PLAIN, "%s", obj->name);
		table_cell(&t, obj->state == OBJECT_FREED ? TINT_DIM : TINT_PLAIN, "%s", line);
	}
	if (any) {
		sbuf_add(out, "\n");
		view_paint(out, o, TINT_HEAD, c->title);
		sbuf_add(out, "\n");
		table_print(&t, o, 2, out);
	}
	sbuf_release(&t.cells);
}

/* What is not everywhere yet. */
static void view_stale(struct world *w, const struct view_opts *o, struct sbuf *out)
{
	struct sbuf b = { 0 };

	if (view_readable(w, NULL, o, &b)) {
		sbuf_add(out, "\n");
		view_paint(out, o, TINT_HEAD, world_model(w)->buffers ? "store buffers" : "views");
		sbuf_add(out, "\n");
		sbuf_add(out, b.s ? b.s : "");
	}
	if (sbuf_failed(&b))
		sbuf_fail(out);
	sbuf_release(&b);
}

void view_world(struct world *w, const struct view_opts *o, struct sbuf *out)
{
	static const struct field time = { .name = "", .size = 8, .flags = FIELD_TIME };
	char clock[64], line[128];

	value_name(w, world_clock(w), &time, clock, sizeof(clock));
	snprintf(line, sizeof(line), "step %" PRIu64 ", clock %s, %u CPU%s", world_steps(w), clock,
		 world_cpus(w), world_cpus(w) == 1 ? "" : "s");
	if (world_online(w) < world_cpus(w))
		snprintf(line + strlen(line), sizeof(line) - strlen(line), ", %u of them online",
			 world_online(w));
	view_paint(out, o, TINT_HEAD, line);
	sbuf_add(out, "\n\n");
	view_threads(w, o, out);
	for (size_t i = 0; i < sizeof(chapters) / sizeof(chapters[0]); i++)
		view_chapter(w, &chapters[i], o, out);
	view_stale(w, o, out);
	for (size_t i = 0; i < world_violation_count(w); i++) {
		const struct violation *v = world_violation(w, i);

		snprintf(line, sizeof(line), "\nviolation at step %" PRIu64 ": %s",
			 v->step, v->kind);
		view_paint(out, o, TINT_BAD, line);
		sbuf_add(out, "\n");
	}
}
