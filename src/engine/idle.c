/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Idle passes (semantics.md section 5).  A work item that polls and re-queues
 * itself would keep a stuck world busy for ever.  A pass whose net effect is
 * nil (statistics, and the item's own pending state and timer, apart) can be
 * left out of any execution without changing what anybody sees; so after one
 * the item is enabled again only when something that its last failing check
 * read has changed.  udelay() begins a new check.
 */
#include <config.h>

#include "engine/internal.h"
#include "k/lock.h"
#include "k/work.h"

#include <stdlib.h>

struct note { void *loc; uint64_t value; uint8_t size; bool lock; };
struct notes { struct note *v; size_t n, cap; };
struct idle {
	struct notes writes;	/* the first write of each location: the value before */
	struct notes reads;	/* of the last check */
	bool complete;		/* false: memory ran out, never call the pass idle */
	bool idle;		/* the last pass was, see idle_blocks() */
	bool read_clock;
};

static void add(struct idle *d, struct notes *n, struct note note)
{
	if (grow(&n->v, &n->cap, n->n + 1, sizeof(*n->v)))
		n->v[n->n++] = note;
	else
		d->complete = false;
}

void idle_pass_begin(struct task *t)
{
	if (!t->idle)
		t->idle = calloc(1, sizeof(*t->idle));
	t->in_pass = t->idle;
	if (!t->idle)
		return;
	t->idle->writes.n = t->idle->reads.n = 0;
	t->idle->complete = true;
	t->idle->idle = false;
	t->idle->read_clock = false;
}

/* The item's own pending state and timer, which each pass turns over. */
static bool own_cell(struct task *t, const void *loc)
{
	struct work_struct *work = t->work;
	struct timer_list *timer = work_timer(work);

	return loc == &work->state || (timer && loc == &timer->expires);
}

static void note_write(struct task *t, const struct event *ev, uint64_t old)
{
	struct idle *d = t->idle;

	for (size_t i = 0; i < d->writes.n; i++)
		if (d->writes.v[i].loc == ev->loc)
			return;
	add(d, &d->writes, (struct note){ .loc = ev->loc, .value = old, .size = ev->size });
}

static void note_read(struct task *t, const struct event *ev, uint64_t old)
{
	bool lock = ev->op == OP_LOCK || (ev->op == OP_TRYLOCK && ev->value);
	/* of a lock it counts who took it last: what it protects may have changed */
	struct note note = { .loc = ev->loc, .size = ev->size, .lock = lock,
			     .value = lock ? ((uint64_t *)ev->loc)[1] : old };
	struct notes *reads = &t->idle->reads;

	for (size_t i = 0; lock && i < reads->n; i++)
		if (reads->v[i].loc == ev->loc) {
			reads->v[i] = note; /* taken again by the pass itself */
			return;
		}
	add(t->idle, reads, note);
}

void idle_note(struct task *t, const struct event *ev, uint64_t old)
{
	struct idle *d = t->idle;

	if (!d->complete || own_cell(t, ev->loc))
		return;
	if (ev->loc == t->w->clock) {
		d->read_clock = true;
		return;
	}
	if (op_writes((enum ev_op)ev->op))
		note_write(t, ev, old);
	if (op_reads((enum ev_op)ev->op))
		note_read(t, ev, old);
}

/* A new check begins: what earlier ones read no longer matters. */
void idle_check_begins(struct task *t)
{
	if (t->in_pass) {
		t->idle->reads.n = 0;
		t->idle->read_clock = false;
	}
}

static bool is_statistic(struct world *w, const void *loc)
{
	char name[1];
	const struct field *f;

	location_name(w, loc, name, sizeof(name), &f);
	return f && (f->flags & FIELD_STAT);
}

void idle_pass_end(struct task *t)
{
	struct idle *d = t->idle;
	struct work_struct *work = t->work;

	if (!t->in_pass)
		return;
	t->in_pass = false;
	d->idle = false;
	if (!d->complete || !(work->state & WORK_PENDING))
		return; /* it did not re-queue itself: nothing polls */
	if (d->read_clock && !work->clock_free)
		return;
	for (size_t i = 0; i < d->writes.n; i++) {
		struct note *n = &d->writes.v[i];

		if (mem_read(n->loc, n->size) != n->value && !is_statistic(t->w, n->loc))
			return;
	}
	d->idle = true;
}

bool idle_blocks(struct task *t)
{
	const struct work_struct *work = t->work;
	struct idle *d = t->idle;

	if (!d || !d->idle || work->done < work->flush_until)
		return false;
	for (size_t i = 0; i < d->reads.n; i++) {
		struct note *n = &d->reads.v[i];
		uint64_t now = n->lock ? ((uint64_t *)n->loc)[1] : mem_read(n->loc, n->size);

		if (now != n->value && !is_statistic(t->w, n->loc))
			return false;
	}
	return true;
}

void idle_release(struct task *t)
{
	if (!t->idle)
		return;
	free(t->idle->writes.v);
	free(t->idle->reads.v);
	free(t->idle);
	t->idle = NULL;
	t->in_pass = false;
}
