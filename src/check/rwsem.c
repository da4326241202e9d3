/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who holds which rwsem for reading.  The semaphore itself only counts its
 * readers; deadlocks have parties, and a release has to fit.
 */
#include <config.h>

#include "check/internal.h"

static struct read_hold *find_hold(const struct check *c, const struct task *t, const void *sem)
{
	for (size_t i = c->reads.n; i--;)
		if (c->reads.v[i].sem == sem && c->reads.v[i].task == task_id(t))
			return &c->reads.v[i];
	return NULL;
}

uint64_t reads_since(const struct check *c, const struct task *t, const void *sem)
{
	const struct read_hold *r = find_hold(c, t, sem);

	return r ? r->since : 0;
}

void reads_performed(struct check *c, struct task *t, const struct event *ev)
{
	struct read_holds *h = &c->reads;
	struct read_hold *r;

	if (ev->op == OP_LOCK_READ) {
		if (check_grow(c, (void **)&h->v, &h->cap, h->n + 1, sizeof(*h->v)))
			h->v[h->n++] = (struct read_hold){ .sem = ev->loc, .task = task_id(t),
							   .since = world_steps(c->w) };
		return;
	}
	r = find_hold(c, t, ev->loc);
	if (!r)
		return;
	/* in order of taking: messages name the oldest first */
	for (h->n--; r < h->v + h->n; r++)
		*r = r[1];
}
