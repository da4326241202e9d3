/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a memory model leaves open at the point reached: which stores the next step of a task
 * may read from, and of each location what each task may still read in it, because the newest
 * stores have not come to it yet.  Nothing under sequential consistency.
 */
#include <config.h>

#include "engine/log.h"
#include "memory/execution.h"
#include "memory/history.h"
#include "memory/model.h"
#include "view/object.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUES_SHOWN 4
#define TEXT 256

static void add(char *buf, const char *s)
{
	size_t n = strlen(buf);

	snprintf(buf + n, TEXT - n, "%s", s);
}

static void origin(uint32_t step, char *buf, size_t n)
{
	if (step)
		snprintf(buf, n, "step %" PRIu32, step);
	else
		snprintf(buf, n, "the start");
}

/* "1 (step 3), 0 (the start)" */
static void values(struct world *w, const struct mem_location *l, uint64_t bits, char *text)
{
	const struct field *f = NULL;
	char name[96], value[64], from[32], one[128];
	unsigned shown = 0;

	location_name(w, l->loc, name, sizeof(name), &f);
	*text = '\0';
	for (unsigned k = 1; k <= l->n && k <= 64; k++) {
		const struct mem_store *s = &l->v[l->n - k];

		if (!(bits >> (k - 1) & 1))
			continue;
		if (shown == VALUES_SHOWN) {
			add(text, " and others");
			break;
		}
		value_name(w, s->value, f, value, sizeof(value));
		origin(s->step, from, sizeof(from));
		snprintf(one, sizeof(one), "%s%s (%s)", shown++ ? ", " : "", value, from);
		add(text, one);
	}
}

static size_t view_location(struct world *w, const struct mem_location *l, const struct view_opts *o,
			    struct sbuf *out)
{
	char name[96], text[TEXT];
	size_t n = 0;

	location_name(w, l->loc, name, sizeof(name), NULL);
	for (size_t i = 0; i < world_task_count(w); i++) {
		struct task *t = world_task(w, i);
		uint64_t bits;

		if (t->state == TASK_DONE || t->state == TASK_FAILED)
			continue;
		bits = execution_readable(w, t, l->loc);
		if (bits == 1)
			continue;
		values(w, l, bits, text);
		view_line(out, o, "  %s: %s may read %s", name, task_name(t), text);
		n++;
	}
	return n;
}

static int by_address(const void *a, const void *b)
{
	const struct mem_location *const *x = a, *const *y = b;

	return (*x)->loc < (*y)->loc ? -1 : (*x)->loc > (*y)->loc;
}

size_t view_readable(struct world *w, const struct object *obj, const struct view_opts *o, struct sbuf *out)
{
	const struct history *h = execution_history(w);
	const struct mem_location **list;
	size_t n = 0, found = 0;

	if (!h || !h->n)
		return 0;
	list = malloc(h->n * sizeof(*list));
	if (!list) {
		sbuf_fail(out);
		return 0;
	}
	for (size_t i = 0; i < h->cap; i++)
		if (h->v[i].loc && h->v[i].n > 1 && (!obj || object_at(w, h->v[i].loc) == obj))
			list[n++] = &h->v[i];
	qsort(list, n, sizeof(*list), by_address);
	for (size_t i = 0; i < n; i++)
		found += view_location(w, list[i], o, out);
	free(list);
	return found;
}

void view_choices(struct task *t, const struct view_opts *o, struct sbuf *out)
{
	uint64_t bits = execution_choices(t->w, t), value;
	const struct field *f = NULL;
	char name[96], shown[64], from[32];
	struct event_view v;
	uint32_t step;

	if (bits == 1 || !pending_view(t->w, t, &v))
		return;
	location_name(t->w, t->ev.loc, name, sizeof(name), &f);
	for (unsigned k = 1; k <= 64; k++) {
		if (!(bits >> (k - 1) & 1) || !execution_store(t->w, t->ev.loc, k, &value, &step))
			continue;
		value_name(t->w, value, f, shown, sizeof(shown));
		origin(step, from, sizeof(from));
		view_line(out, o, "  =%-3u %s %s, of %s", k, strcmp(v.op, "store") ? "reads" : "is put behind",
			  shown, from);
	}
}
