/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data races of plain accesses that took no step (engine/plain.h): each stands in the
 * stretch between two steps of its task, and is ordered by what orders those.  They are
 * compared byte by byte, with one another and with the steps that touch the same bytes.
 * And accesses of what somebody frees, which nothing keeps from coming after that.
 */
#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check/trace_internal.h"
#include "engine/internal.h"

#define WORD 8u
#define TASK_OUTSIDE UINT16_MAX

/* A word that somebody accesses plainly, by its offset in the arena / 8. */
struct pl_word {
	uint32_t word;
	uint32_t nodes;		/* accesses: a chain */
	uint16_t task;		/* that touched it first */
	bool shared, written;
};

/* An access of (a part of) a word: the last of its sort by its task. */
struct pl_node {
	uint32_t next;
	uint32_t ref;		/* number of the event, or of the plain access */
	uint32_t need;		/* it is before whoever knows so much of its task */
	uint16_t task;		/* index in the world */
	uint16_t cpu;
	uint8_t mask;		/* bytes of the word */
	uint8_t own;		/* what its task kept to itself on its CPU */
	bool write, plain, stepped;
};

void race_plain_release(struct trace *tr)
{
	free(tr->words);
	free(tr->word_slots);
	free(tr->pl_nodes);
	free(tr->pl_last);
	free(tr->places);
}

/* --- words --- */

static size_t slot_of(const struct trace *tr, uint32_t word)
{
	size_t i = (size_t)((word * 0x9e3779b97f4a7c15u) >> 32) & (tr->nword_slots - 1);

	while (tr->word_slots[i] && tr->words[tr->word_slots[i] - 1].word != word)
		i = (i + 1) & (tr->nword_slots - 1);
	return i;
}

static bool more_slots(struct trace *tr)
{
	size_t n = tr->nword_slots ? tr->nword_slots * 2 : 256;
	uint32_t *slots = calloc(n, sizeof(*slots));

	if (!slots)
		return world_fail(tr->w, "out of memory");
	free(tr->word_slots);
	tr->word_slots = slots;
	tr->nword_slots = n;
	for (size_t i = 0; i < tr->nwords; i++)
		slots[slot_of(tr, tr->words[i].word)] = (uint32_t)i + 1;
	return true;
}

static struct pl_word *find_word(const struct trace *tr, uint32_t word)
{
	uint32_t i = tr->word_slots[slot_of(tr, word)];

	return i ? &tr->words[i - 1] : NULL;
}

static struct pl_word *word_at(struct trace *tr, uint32_t word)
{
	size_t i;

	if (tr->nwords * 2 >= tr->nword_slots && !more_slots(tr))
		return NULL;
	i = slot_of(tr, word);
	if (!tr->word_slots[i]) {
		if (!check_grow(tr->c, (void **)&tr->words, &tr->words_cap, tr->nwords + 1,
				sizeof(*tr->words)))
			return NULL;
		tr->words[tr->nwords++] = (struct pl_word){ .word = word };
		tr->word_slots[i] = (uint32_t)tr->nwords;
	}
	return &tr->words[tr->word_slots[i] - 1];
}

static void forget_words(struct trace *tr)
{
	if (tr->nwords)
		memset(tr->word_slots, 0, tr->nword_slots * sizeof(*tr->word_slots));
	tr->nwords = 0;
}

static uint8_t mask_in(uint32_t word, uint32_t loc, uint32_t size)
{
	uint32_t first = loc > word * WORD ? loc - word * WORD : 0;
	uint32_t end = loc + size < (word + 1) * WORD ? loc + size - word * WORD : WORD;

	return (uint8_t)((1u << end) - (1u << first));
}

/* --- places --- */

static uint16_t task_of(const struct trace *tr, const struct tr_event *ev)
{
	const struct task *t = tr->tasks[ev->task].t;

	return t ? (uint16_t)t->index : TASK_OUTSIDE;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool add_place(struct trace *tr, uint64_t step, uint32_t plains)
{
	if (!check_grow(tr->c, (void **)&tr->places, &tr->places_cap, tr->nplaces + 1,
			sizeof(*tr->places)))
		return false;
	tr->places[tr->nplaces++] = step << 32 | plains;
	return true;
}

/* Was t made in the stretch behind an event of its maker's? */
static bool has_birthplace(const struct trace *tr, const struct task *t)
{
	return t->maker != UINT32_MAX && t->made_at && t->made_at <= tr->n && tr->dense[t->maker] &&
	       tr->ev[t->made_at].task == tr->dense[t->maker] - 1;
}

static bool find_places(struct trace *tr)
{
	tr->nplaces = 0;
	for (size_t i = 0; i < tr->nextras; i++) {
		const struct tr_extra *x = &tr->extras[i];

		if (x->kind == EXTRA_WRITE && x->plains != UINT32_MAX && !add_place(tr, x->step, x->plains))
			return false;
	}
	for (size_t i = 0; i < world_task_count(tr->w); i++) {
		const struct task *t = world_task(tr->w, i);

		if (has_birthplace(tr, t) && !add_place(tr, t->made_at, t->made_plains))
			return false;
	}
	if (tr->nplaces)
		qsort(tr->places, tr->nplaces, sizeof(*tr->places), by_number);
	return true;
}

/* How many places come before the number? */
static size_t places_before(const struct trace *tr, uint64_t number)
{
	size_t low = 0, high = tr->nplaces;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (tr->places[mid] < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

uint32_t tr_place(const struct trace *tr, uint32_t event, uint32_t plains)
{
	uint64_t step = (uint64_t)event << 32;
	size_t n = places_before(tr, (step | plains) + 1) - places_before(tr, step);
	size_t max = (1u << HB_PLACES) - 2;

	return (tr->ev[event].pos << HB_PLACES) + (uint32_t)(n < max ? n : max);
}

uint32_t tr_birthplace(const struct trace *tr, const struct task *t)
{
	return has_birthplace(tr, t) ? tr_place(tr, (uint32_t)t->made_at, t->made_plains) : 0;
}

/* The tasks' last events as one walks through the execution. */
static bool walk_begin(struct trace *tr)
{
	size_t ntasks = world_task_count(tr->w);

	if (!check_grow(tr->c, (void **)&tr->pl_last, &tr->pl_last_cap, ntasks + 1,
			sizeof(*tr->pl_last)))
		return false;
	memset(tr->pl_last, 0, (ntasks + 1) * sizeof(*tr->pl_last));
	return true;
}

/* An event is over: its task stands behind it. */
static void walk_event(struct trace *tr, uint32_t event)
{
	uint16_t task = task_of(tr, &tr->ev[event]);

	if (task != TASK_OUTSIDE)
		tr->pl_last[task] = event;
}

/* What one has to know of its task for the i-th plain access to be before him. */
static uint32_t need_of(const struct trace *tr, const struct plain_access *a, size_t i)
{
	uint32_t last = tr->pl_last[a->task];

	return last ? tr_place(tr, last, (uint32_t)i) + 1 : 1;
}

/* What is known where a task stands. */
static const uint32_t *clock_at(const struct trace *tr, uint16_t task)
{
	uint32_t last = tr->pl_last[task];

	return tr_clock(tr, last ? last : (uint32_t)tr->w->tasks[task]->made_at);
}

static bool known(const struct trace *tr, const uint32_t *clock, uint16_t task, uint32_t need)
{
	uint16_t number = task == TASK_OUTSIDE ? tr->dense[world_task_count(tr->w)] : tr->dense[task];

	return number && clock[number - 1] >= need;
}

/* The same for what is known by a task that has made no step yet: of its maker more than at
 * that one's. */
static bool known_at_birth(const struct trace *tr, const struct pl_node *a, const struct pl_node *b)
{
	const struct task *t = !b->stepped && !tr->pl_last[b->task] ? tr->w->tasks[b->task] : NULL;

	return t && t->maker == a->task && a->need <= tr_birthplace(tr, t);
}

/* --- is there anything to do? --- */

static bool accesses(const struct tr_event *ev)
{
	return ev->loc && ev->how & (TR_READ | TR_WRITE);
}

/* A race takes two tasks and a write. */
static bool meets(struct pl_word *w, uint16_t task, bool write, bool first)
{
	if (first)
		w->task = task;
	w->shared |= w->task != task;
	w->written |= write;
	return w->shared && w->written;
}

static bool add_words(struct trace *tr, const struct plain_access *a, bool *possible)
{
	uint32_t last = (a->loc + a->size - 1) / WORD;

	for (uint32_t i = a->loc / WORD; i <= last; i++) {
		size_t n = tr->nwords;
		struct pl_word *w = word_at(tr, i);

		if (!w)
			return false;
		*possible |= meets(w, a->task, a->write, tr->nwords != n);
	}
	return true;
}

static bool step_meets(struct trace *tr, const struct tr_event *ev)
{
	uint32_t off = tr->locs[ev->loc].off, last = (off + ev->size - 1) / WORD;
	bool possible = false;

	for (uint32_t i = off / WORD; i <= last; i++) {
		struct pl_word *w = find_word(tr, i);

		possible |= w && meets(w, task_of(tr, ev), ev->how & TR_WRITE, false);
	}
	return possible;
}

bool race_plain_possible(struct trace *tr, bool *ok)
{
	size_t n;
	const struct plain_access *a = world_plains(tr->w, &n);
	bool possible = false;

	*ok = true;
	tr->nplaces = 0;
	if (!n)
		return false;
	forget_words(tr);
	for (size_t i = 0; i < n; i++)
		if (!add_words(tr, &a[i], &possible)) {
			*ok = false;
			return false;
		}
	for (uint32_t e = 1; e <= tr->n; e++)
		if (accesses(&tr->ev[e]))
			possible |= step_meets(tr, &tr->ev[e]);
	*ok = find_places(tr);
	return *ok && (possible || race_plain_has_frees(tr));
}

/* --- words of a report --- */

static const struct site *site_of(const struct trace *tr, const struct pl_node *a)
{
	if (a->stepped)
		return tr->ev[a->ref].site;
	return plain_site_of ? plain_site_of(tr->w->plains.v[a->ref].pc) : NULL;
}

/* The same in every process. */
static uint32_t place_hash(const struct site *s)
{
	const char *text[] = { s && s->file ? s->file : "", s && s->func ? s->func : "" };
	uint32_t h = s ? (uint32_t)s->line + 1 : 0;

	for (size_t i = 0; i < 2; i++)
		for (const char *c = text[i]; *c; c++)
			h = (h ^ (unsigned char)*c) * 16777619u;
	return h;
}

static const char *verb(const struct trace *tr, const struct pl_node *a)
{
	if (a->stepped && (tr->ev[a->ref].how & (TR_READ | TR_WRITE)) == (TR_READ | TR_WRITE))
		return "updated";
	if (a->write)
		return a->plain ? "plainly wrote" : "wrote";
	return a->plain ? "plainly read" : "read";
}

static void add_when(struct msg *m, bool stepped, uint32_t step)
{
	if (step)
		msg_addf(m, stepped ? " at step %" PRIu32 : " after step %" PRIu32, step);
	else
		msg_addf(m, " before the first step");
}

static uint32_t step_of(const struct trace *tr, const struct pl_node *a)
{
	return a->stepped ? a->ref : tr->w->plains.v[a->ref].step;
}

static void add_party(struct trace *tr, struct msg *m, const struct pl_node *a, const char *what)
{
	const struct task *t = world_task(tr->w, a->task);

	msg_addf(m, "%s %s %s", t ? task_name(t) : "somebody", verb(tr, a), what);
	add_when(m, a->stepped, step_of(tr, a));
	if (a->stepped)
		msg_site(m, site_of(tr, a));
	else
		msg_plain_site(m, site_of(tr, a));
}

static void name_at(struct trace *tr, uint32_t off, char *buf, size_t n)
{
	if (!location_name(tr->w, arena_addr(tr->w, off), buf, n, NULL))
		snprintf(buf, n, "a location");
}

/* a and b race, and a came first this time. */
static void report(struct trace *tr, uint32_t word, const struct pl_node *a, const struct pl_node *b)
{
	uint32_t x = place_hash(site_of(tr, a)), y = place_hash(site_of(tr, b));
	uint8_t both = a->mask & b->mask;
	char name[96];
	struct msg m;

	if (trace_told(tr, x < y ? (uint64_t)x << 32 | y : (uint64_t)y << 32 | x))
		return;
	name_at(tr, word * WORD + (uint32_t)__builtin_ctz(both), name, sizeof(name));
	msg_begin(&m);
	add_party(tr, &m, b, name);
	msg_addf(&m, ", and ");
	add_party(tr, &m, a, "it");
	msg_addf(&m, ", with nothing that orders the two. What is shared without a lock is read "
		 "by READ_ONCE() and written by WRITE_ONCE(), or the like.");
	msg_end(&m, tr->w, "data-race", world_task(tr->w, b->task), world_task(tr->w, a->task));
	trace_at_step(tr, step_of(tr, b));
}

/* --- races --- */

static bool interrupts(const struct trace *tr, const struct pl_node *a, const struct pl_node *b)
{
	const struct task *t = world_task(tr->w, b->task);

	switch (t ? t->kind : TASK_THREAD) {
	case TASK_IRQ:
		return a->own < 3;
	case TASK_TIMER:
		return a->own < 2;
	default:
		return a->own < 1;
	}
}

/* On one CPU those do not race of which neither can interrupt the other. */
static bool kept_apart(const struct trace *tr, const struct pl_node *a, const struct pl_node *b)
{
	return a->cpu == b->cpu && !interrupts(tr, a, b) && !interrupts(tr, b, a);
}

static bool same_sort(const struct pl_node *a, const struct pl_node *b)
{
	return a->task == b->task && a->mask == b->mask && a->own == b->own && a->cpu == b->cpu &&
	       a->write == b->write && a->plain == b->plain && a->stepped == b->stepped;
}

/* b touches the word now, where `clock` is what its task knows. */
static bool check_word(struct trace *tr, struct pl_word *w, struct pl_node b, const uint32_t *clock)
{
	struct pl_node *own = NULL;

	for (uint32_t i = w->nodes; i; i = tr->pl_nodes[i].next) {
		struct pl_node *a = &tr->pl_nodes[i];

		if (a->task == b.task) {
			if (same_sort(a, &b))
				own = a;
		} else if (a->mask & b.mask && (a->write || b.write) && !(a->stepped && b.stepped) &&
			   !known(tr, clock, a->task, a->need) && !known_at_birth(tr, a, &b) &&
			   !kept_apart(tr, a, &b)) {
			report(tr, w->word, a, &b);
		}
	}
	if (own) {
		own->ref = b.ref;
		own->need = b.need;
		return true;
	}
	if (!check_grow(tr->c, (void **)&tr->pl_nodes, &tr->pl_nodes_cap, tr->npl_nodes + 2,
			sizeof(*tr->pl_nodes)))
		return false;
	b.next = w->nodes;
	w->nodes = (uint32_t)++tr->npl_nodes;
	tr->pl_nodes[w->nodes] = b;
	return true;
}

/* All words of an access from `off` on. */
static bool check_access(struct trace *tr, struct pl_node b, uint32_t off, uint32_t size,
			 const uint32_t *clock)
{
	uint32_t last = (off + size - 1) / WORD;

	for (uint32_t i = off / WORD; i <= last; i++) {
		struct pl_word *w = find_word(tr, i);

		if (!w || !w->shared || !w->written)
			continue;
		b.mask = mask_in(i, off, size);
		if (!check_word(tr, w, b, clock))
			return false;
	}
	return true;
}

static bool check_step(struct trace *tr, uint32_t event)
{
	const struct tr_event *ev = &tr->ev[event];
	struct pl_node b = { .ref = event, .need = ev->pos << tr->shift, .task = task_of(tr, ev),
			     .cpu = (uint16_t)ev->cpu, .own = ev->prev ? tr->ev[ev->prev].own : 0,
			     .write = ev->how & TR_WRITE, .plain = ev->how & TR_PLAIN, .stepped = true };

	return check_access(tr, b, tr->locs[ev->loc].off, ev->size, tr_clock(tr, event));
}

static bool check_plain(struct trace *tr, size_t i)
{
	const struct plain_access *a = &tr->w->plains.v[i];
	struct pl_node b = { .ref = (uint32_t)i, .need = need_of(tr, a, i), .task = a->task,
			     .cpu = a->cpu, .own = a->own, .write = a->write, .plain = true };

	return check_access(tr, b, a->loc, a->size, clock_at(tr, a->task));
}

bool race_plain_judge(struct trace *tr)
{
	size_t n, i = 0;
	const struct plain_access *a = world_plains(tr->w, &n);

	tr->npl_nodes = 0;
	for (size_t j = 0; j < tr->nwords; j++)
		tr->words[j].nodes = 0;
	if (!walk_begin(tr))
		return false;
	for (uint32_t e = 0; e <= tr->n; e++) {
		if (e && accesses(&tr->ev[e]) && !check_step(tr, e))
			return false;
		if (e)
			walk_event(tr, e);
		for (; i < n && a[i].step == e; i++)
			if (!check_plain(tr, i))
				return false;
	}
	return true;
}

/* --- what is freed --- */

/* The one of the freed that the access lies in, or NULL. */
static const struct tr_free *free_of(const struct trace *tr, const struct plain_access *a)
{
	for (size_t i = 0; i < tr->nfrees; i++) {
		const struct tr_free *f = &tr->frees[i];

		if (a->loc < f->base + f->size && f->base < a->loc + a->size)
			return f;
	}
	return NULL;
}

bool race_plain_has_frees(struct trace *tr)
{
	for (size_t i = 0; tr->nfrees && i < tr->w->plains.n; i++)
		if (free_of(tr, &tr->w->plains.v[i]))
			return true;
	return false;
}

static void report_free(struct trace *tr, size_t i, const struct tr_free *f)
{
	const struct plain_access *a = &tr->w->plains.v[i];
	struct pl_node n = { .ref = (uint32_t)i, .task = a->task, .write = a->write, .plain = true };
	struct task *by = tr->tasks[tr->ev[f->event].task].t;
	const struct object *o = object_at(tr->w, arena_addr(tr->w, f->base));
	uint64_t key = (uint64_t)place_hash(site_of(tr, &n)) << 32 |
		       place_hash(tr->ev[f->event].site);
	char name[96];
	struct msg m;

	if (!by || trace_told(tr, ~key))
		return;
	name_at(tr, a->loc, name, sizeof(name));
	msg_begin(&m);
	add_party(tr, &m, &n, name);
	msg_addf(&m, ", and %s freed %s", task_name(by), o ? o->name : "it");
	add_when(&m, true, f->event);
	msg_site(&m, tr->ev[f->event].site);
	msg_addf(&m, ", with nothing that orders the two: it might as well have been freed before.");
	msg_end(&m, tr->w, "use-after-free", world_task(tr->w, a->task), by);
	trace_at_step(tr, f->event);
}

/* What came after the free in this execution was seen when it was made. */
bool race_plain_frees(struct trace *tr)
{
	size_t n, i = 0;
	const struct plain_access *a = world_plains(tr->w, &n);

	if (!walk_begin(tr))
		return false;
	for (uint32_t e = 0; e <= tr->n; e++) {
		if (e)
			walk_event(tr, e);
		for (; i < n && a[i].step == e; i++) {
			const struct tr_free *f = free_of(tr, &a[i]);

			if (f && f->event > e && task_of(tr, &tr->ev[f->event]) != a[i].task &&
			    !known(tr, tr_clock(tr, f->event), a[i].task, need_of(tr, &a[i], i)))
				report_free(tr, i, f);
		}
	}
	return true;
}
