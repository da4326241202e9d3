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
#include <string.h>

struct note { void *loc; uint64_t value, last; uint8_t size; bool lock; };
/* With an index by location, made when there are more than a few: a pass over
 * thousands of CPUs takes thousands of notes. */
struct notes {
	struct note *v;
	size_t n, cap;
	uint32_t *slots;	/* number of a note + 1, or 0; open addressing */
	size_t nslots;		/* a power of two, at least twice the notes indexed */
	size_t indexed;		/* so many of v are */
};
#define NOTES_FEW 16
struct idle {
	struct notes writes;	/* each location: the value before the first, that of the last */
	struct notes reads;	/* of the last check */
	bool again;		/* the pass queued its own item */
	bool complete;		/* false: memory ran out, never call the pass idle */
	bool idle;		/* the last pass was, see idle_blocks() */
	bool read_clock;
	uint64_t looked;	/* step after which nothing that it read had changed ... */
	size_t journal;		/* ... and how much had been done from outside */
};

static size_t slot_of(const struct notes *n, const void *loc)
{
	return (size_t)(((uint64_t)(uintptr_t)loc * 0x9e3779b97f4a7c15u) >> 32) & (n->nslots - 1);
}

/* Puts what is not in it yet into the index.  False: no memory. */
static bool index_notes(struct notes *n)
{
	if (n->nslots < 2 * n->n) {
		size_t want = n->nslots ? n->nslots : 8 * NOTES_FEW;
		uint32_t *slots;

		while (want < 2 * n->n)
			want *= 2;
		slots = realloc(n->slots, want * sizeof(*slots));
		if (!slots)
			return false;
		n->slots = slots;
		n->nslots = want;
		n->indexed = 0;
	}
	if (!n->indexed)
		memset(n->slots, 0, n->nslots * sizeof(*n->slots));
	for (; n->indexed < n->n; n->indexed++) {
		size_t i = slot_of(n, n->v[n->indexed].loc);

		while (n->slots[i])
			i = (i + 1) & (n->nslots - 1);
		n->slots[i] = (uint32_t)n->indexed + 1;
	}
	return true;
}

/* A note of that location, or NULL. */
static struct note *find_note(struct notes *n, const void *loc)
{
	if (n->n <= NOTES_FEW || !index_notes(n)) {
		for (size_t i = 0; i < n->n; i++)
			if (n->v[i].loc == loc)
				return &n->v[i];
		return NULL;
	}
	for (size_t i = slot_of(n, loc); n->slots[i]; i = (i + 1) & (n->nslots - 1))
		if (n->v[n->slots[i] - 1].loc == loc)
			return &n->v[n->slots[i] - 1];
	return NULL;
}

static void forget(struct notes *n)
{
	n->n = n->indexed = 0;
}

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
	forget(&t->idle->writes);
	forget(&t->idle->reads);
	t->idle->complete = true;
	t->idle->again = false;
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
	struct note *before = find_note(&d->writes, ev->loc);
	uint64_t now = ev->size ? mem_read(ev->loc, ev->size) : 0;

	if (before)
		before->last = now;
	else
		add(d, &d->writes, (struct note){ .loc = ev->loc, .value = old, .last = now,
						  .size = ev->size });
}

static void note_read(struct task *t, const struct event *ev, uint64_t old)
{
	bool lock = ev->op == OP_LOCK || (ev->op == OP_TRYLOCK && ev->value);
	/* of a lock it counts who took it last: what it protects may have changed */
	struct note note = { .loc = ev->loc, .size = ev->size, .lock = lock,
			     .value = lock ? ((uint64_t *)ev->loc)[1] : old };
	struct note *before = lock ? find_note(&t->idle->reads, ev->loc) : NULL;

	if (before) {
		*before = note; /* taken again by the pass itself */
		return;
	}
	add(t->idle, &t->idle->reads, note);
}

void idle_note(struct task *t, const struct event *ev, uint64_t old)
{
	struct idle *d = t->idle;

	if (ev->op == OP_CMPXCHG && !old && ev->loc == &((struct work_struct *)t->work)->state)
		d->again = true;
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
		forget(&t->idle->reads);
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
	/* all of this is told from the pass's own steps: what others do meanwhile might
	 * come before its end or after it, with no step to say which */
	if (!d->complete || !d->again)
		return; /* it did not re-queue itself: nothing polls */
	if (d->read_clock && !work->clock_free)
		return;
	for (size_t i = 0; i < d->writes.n; i++) {
		struct note *n = &d->writes.v[i];

		if (n->last != n->value && !is_statistic(t->w, n->loc))
			return;
	}
	d->idle = true;
	d->looked = 0;
}

/* Was a step made since the last look that may have changed what it read?  Tells it
 * from the log, which is shorter than the notes if one looks at each step. */
static bool may_have_changed(struct world *w, struct idle *d)
{
	if (!d->looked || d->journal != w->njournal || w->log.n - d->looked > d->reads.n)
		return true;
	for (uint64_t i = d->looked + 1; i <= w->log.n; i++) {
		const struct record *r = log_record(w, i);

		/* without a log it may */
		if (!r || (r->loc != LOC_NONE && find_note(&d->reads, arena_addr(w, r->loc))))
			return true;
	}
	return false;
}

bool idle_was_idle(const struct task *t)
{
	return t->idle && t->idle->idle;
}

bool idle_blocks(struct task *t)
{
	const struct work_struct *work = t->work;
	struct idle *d = t->idle;

	if (!d || !d->idle || work->done < work->flush_until)
		return false;
	if (!may_have_changed(t->w, d)) {
		d->looked = t->w->log.n;
		return true;
	}
	for (size_t i = 0; i < d->reads.n; i++) {
		struct note *n = &d->reads.v[i];
		uint64_t now = n->lock ? ((uint64_t *)n->loc)[1] : mem_read(n->loc, n->size);

		if (now != n->value && !is_statistic(t->w, n->loc))
			return false;
	}
	d->looked = t->w->log.n;
	d->journal = t->w->njournal;
	return true;
}

void idle_release(struct task *t)
{
	if (!t->idle)
		return;
	free(t->idle->writes.v);
	free(t->idle->reads.v);
	free(t->idle->writes.slots);
	free(t->idle->reads.slots);
	free(t->idle);
	t->idle = NULL;
	t->in_pass = false;
}
