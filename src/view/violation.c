/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A violation in full: what it is in words, the last steps that led there, and
 * the schedule that leads there again.
 */
#include <config.h>

#include "view/timeline.h"
#include "check/check.h"

#include <stdlib.h>

#define LAST_STEPS 12

bool view_headline(struct world *w, const struct violation *v, const struct view_opts *o, struct sbuf *out)
{
	char *head = violation_headline(w, v);

	if (!head) {
		sbuf_fail(out);
		return false;
	}
	view_paint(out, o, TINT_BAD, "violation: ");
	view_paint(out, o, TINT_BAD, v->kind);
	sbuf_add(out, "\n");
	view_wrap(out, o, head, 2, false);
	free(head);
	return true;
}

struct view_opts view_tail(const struct view_opts *o, uint64_t last, uint64_t n)
{
	struct view_opts tail = *o;

	tail.last = last;
	tail.first = last > n ? last - n + 1 : 1;
	tail.max_lines = 0;
	return tail;
}

void view_violation(struct world *w, const struct violation *v, const struct view_opts *o, struct sbuf *out)
{
	if (!view_headline(w, v, o, out))
		return;
	if (v->step && !o->brief) {
		struct view_opts tail = view_tail(o, v->step, LAST_STEPS);

		sbuf_add(out, "\nThe last steps:\n");
		view_timeline(w, &tail, out);
	}
	if (v->schedule) {
		sbuf_add(out, "\nThe schedule that leads here, for replay():\n");
		view_wrap(out, o, v->schedule, 2, false);
	}
}
