/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Idle passes (semantics.md section 5).  A work item that polls and re-queues
 * itself would keep a stuck world busy for ever.  A pass whose net effect is
 * nil (statistics, and the item's own pending state and timer, apart) can be
 * left out of any execution without changing what anybody sees; so after one
 * the item is enabled again only when something that its last failing check
 * read has changed.  udelay() begins a new check.  Plain accesses (plain.h) count as
 * steps do.
 */
#include <config.h>

#include "engine/internal.h"
#include "k/lock.h"
#include "k/work.h"

#include <stdlib.h>
#include <string.h>

/* Of the bytes `mask` of the word at loc. */
struct note {
	void *loc;
	uint64_t value, last;
	uint8_t mask;
	bool lock;		/* of a lock, which stands in one word whole */
	bool plain;		/* read without a step */
	uint8_t open;		/* bytes written plainly in this stretch: `last` is still to come */
};
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
	uint32_t *open;		/* the writes that are */
	size_t nopen, open_cap;
	bool again;		/* the pass queued its own item */
	bool complete;		/* false: memory ran out, never call the pass idle */
	bool idle;		/* the last pass was, see idle_blocks() */
	bool read_clock;
	uint64_t looked;	/* step after which nothing that it read had changed ... */
	size_t journal;		/* ... and how much had been done from outside */
	size_t plains;		/* plain accesses up to then */
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

/* --- words --- */

static void *word_of(const void *p)
{
	return (void *)((uintptr_t)p & ~(uintptr_t)7);
}

static uint8_t mask_of(const void *p, unsigned size)
{
	return (uint8_t)(((1u << (size < 8 ? size : 8)) - 1) << ((uintptr_t)p & 7));
}

/* The bits of the bytes in a mask. */
static uint64_t bits_of(uint8_t mask)
{
	uint64_t bits = 0;

	if (mask == 0xff)
		return UINT64_MAX;
	for (unsigned i = 0; i < 8; i++)
		if (mask >> i & 1)
			memset((char *)&bits + i, 0xff, 1);
	return bits;
}

/* The word with these bytes of another. */
static uint64_t with_bytes(uint64_t word, uint64_t other, uint8_t mask)
{
	uint64_t bits = bits_of(mask);

	return (word & ~bits) | (other & bits);
}

/* The word around a value that an event found at loc. */
static uint64_t word_around(const struct event *ev, uint64_t value)
{
	uint64_t word = mem_read(word_of(ev->loc), 8);

	unsigned at = (uintptr_t)ev->loc & 7, room = 8 - at;

	memcpy((char *)&word + at, &value, ev->size < room ? ev->size : room);
	return word;
}

static bool is_statistic(struct world *w, const void *loc)
{
	char name[1];
	const struct field *f;

	location_name(w, loc, name, sizeof(name), &f);
	return f && (f->flags & FIELD_STAT);
}

/* Do the two differ in one of the bytes, statistics apart? */
static bool differs(struct world *w, const struct note *n, uint64_t a, uint64_t b)
{
	uint64_t diff = (a ^ b) & bits_of(n->mask);

	for (unsigned i = 0; diff && i < 8; i++)
		if (((const char *)&diff)[i] && !is_statistic(w, (char *)n->loc + i))
			return true;
	return false;
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
	t->idle->nopen = 0;
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

/* The pass is about to write these bytes of a word, or has done so: before that the word
 * was `old`. */
static struct note *note_bytes(struct idle *d, void *word, uint8_t mask, uint64_t old)
{
	struct note *n = find_note(&d->writes, word);

	if (!n) {
		add(d, &d->writes, (struct note){ .loc = word, .value = old, .last = old });
		n = find_note(&d->writes, word);
	}
	if (n) {
		n->value = with_bytes(n->value, old, mask & (uint8_t)~n->mask);
		n->mask |= mask;
	}
	return n;
}

static void note_write(struct task *t, const struct event *ev, uint64_t old)
{
	uint8_t mask = mask_of(ev->loc, ev->size);
	struct note *n;

	if (!ev->size)
		return; /* a kfree() */
	n = note_bytes(t->idle, word_of(ev->loc), mask, word_around(ev, old));
	if (n)
		n->last = with_bytes(n->last, mem_read(n->loc, 8), mask);
}

static void note_read(struct task *t, const struct event *ev, uint64_t old)
{
	bool lock = ev->op == OP_LOCK || (ev->op == OP_TRYLOCK && ev->value);
	/* of a lock it counts who took it last: what it protects may have changed */
	struct note note = { .loc = word_of(ev->loc), .mask = mask_of(ev->loc, ev->size), .lock = lock,
			     .value = lock ? ((uint64_t *)ev->loc)[1] : word_around(ev, old) };
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

/* --- plain accesses --- */

static void plain_write(struct task *t, void *word, uint8_t mask)
{
	struct idle *d = t->idle;
	struct note *n = note_bytes(d, word, mask, mem_read(word, 8));

	if (!n)
		return;
	if (n->open) {
		n->open |= mask;
		return;
	}
	if (!grow(&d->open, &d->open_cap, d->nopen + 1, sizeof(*d->open))) {
		d->complete = false;
		return;
	}
	n->open = mask;
	d->open[d->nopen++] = (uint32_t)(n - d->writes.v);
}

/*
 * Under a lock or not: a lock may have been taken before the check began.  What the pass
 * has written itself it need not wait for.
 */
static void plain_read(struct task *t, void *word, uint8_t mask)
{
	struct idle *d = t->idle;
	uint64_t now = mem_read(word, 8);
	struct note *n = find_note(&d->writes, word);

	if (n && !((n->last ^ now) & bits_of(mask & n->mask & (uint8_t)~n->open)))
		mask &= (uint8_t)~n->mask;
	if (!mask)
		return;
	n = find_note(&d->reads, word);
	if (n && !n->lock && !((n->value ^ now) & bits_of(n->mask))) {
		n->plain |= (mask & ~n->mask) != 0;
		n->value = with_bytes(n->value, now, mask);
		n->mask |= mask;
		return;
	}
	add(d, &d->reads, (struct note){ .loc = word, .value = now, .mask = mask, .plain = true });
}

void idle_plain(struct task *t, const void *p, unsigned size, bool write)
{
	const char *at = p;

	while (size && t->idle->complete) {
		unsigned n = 8 - (unsigned)((uintptr_t)at & 7);

		n = n < size ? n : size;
		if (own_cell(t, word_of(at)))
			;
		else if (write)
			plain_write(t, word_of(at), mask_of(at, n));
		else
			plain_read(t, word_of(at), mask_of(at, n));
		at += n;
		size -= n;
	}
}

/* What the pass has written plainly is there now, and nobody else has run. */
static void close_writes(struct idle *d)
{
	for (size_t i = 0; i < d->nopen; i++) {
		struct note *n = &d->writes.v[d->open[i]];

		n->last = with_bytes(n->last, mem_read(n->loc, 8), n->open);
		n->open = 0;
	}
	d->nopen = 0;
}

void idle_stretch_ends(struct task *t)
{
	if (t->idle->nopen)
		close_writes(t->idle);
}

/* --- the end --- */

void idle_pass_end(struct task *t)
{
	struct idle *d = t->idle;
	struct work_struct *work = t->work;

	if (!t->in_pass)
		return;
	t->in_pass = false;
	d->idle = false;
	close_writes(d);
	/* all of this is told from the pass's own steps: what others do meanwhile might
	 * come before its end or after it, with no step to say which */
	if (!d->complete || !d->again)
		return; /* it did not re-queue itself: nothing polls */
	if (d->read_clock && !work->clock_free)
		return;
	for (size_t i = 0; i < d->writes.n; i++) {
		struct note *n = &d->writes.v[i];

		if (differs(t->w, n, n->last, n->value))
			return;
	}
	d->idle = true;
	d->looked = 0;
}

/* Was something written since the last look that it read?  Tells it from the log, which
 * is shorter than the notes if one looks at each step. */
static bool may_have_changed(struct world *w, struct idle *d)
{
	if (!d->looked || d->journal != w->njournal ||
	    w->log.n - d->looked + (w->plains.n - d->plains) > d->reads.n)
		return true;
	for (uint64_t i = d->looked + 1; i <= w->log.n; i++) {
		const struct record *r = log_record(w, i);

		/* without a log it may */
		if (!r || (r->loc != LOC_NONE && find_note(&d->reads, word_of(arena_addr(w, r->loc)))))
			return true;
	}
	for (size_t i = d->plains; i < w->plains.n; i++) {
		const struct plain_access *a = &w->plains.v[i];

		if (a->write && (a->size > 8 || find_note(&d->reads, word_of(arena_addr(w, a->loc))) ||
				 find_note(&d->reads, word_of(arena_addr(w, a->loc + a->size - 1)))))
			return true;
	}
	return false;
}

static void looked(struct world *w, struct idle *d)
{
	d->looked = w->log.n;
	d->journal = w->njournal;
	d->plains = w->plains.n;
}

static bool has_changed(struct world *w, const struct note *n)
{
	if (n->lock)
		return ((const uint64_t *)n->loc)[1] != n->value;
	return differs(w, n, mem_read(n->loc, 8), n->value);
}

bool idle_was_idle(const struct task *t)
{
	return t->idle && t->idle->idle;
}

bool idle_changed_plainly(struct task *t)
{
	for (size_t i = 0; t->idle && i < t->idle->reads.n; i++)
		if (t->idle->reads.v[i].plain && has_changed(t->w, &t->idle->reads.v[i]))
			return true;
	return false;
}

bool idle_blocks(struct task *t)
{
	const struct work_struct *work = t->work;
	struct idle *d = t->idle;

	if (!d || !d->idle || work->done < work->flush_until)
		return false;
	if (may_have_changed(t->w, d)) {
		for (size_t i = 0; i < d->reads.n; i++)
			if (has_changed(t->w, &d->reads.v[i]))
				return false;
	}
	looked(t->w, d);
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
	free(t->idle->open);
	free(t->idle);
	t->idle = NULL;
	t->in_pass = false;
}
