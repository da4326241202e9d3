/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Another order of a trace's steps, in which something comes first that need not have
 * come last.  Happens-before allows many; of these a CPU allows only those in which
 * nobody runs beside a task that keeps it.  So this is a search, but one with few
 * choices: what takes no CPU can always be done at once, and who keeps one goes on.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "check/trace_internal.h"
#include "engine/internal.h"

#define CHOICES_MAX 20000	/* until the search is given up */

/* What the task that makes an event keeps to itself on its CPU. */
enum { OWN_NOTHING, OWN_PREEMPT, OWN_BH, OWN_IRQ };

/* A place in the order where more than one way could be gone: `n` events had been
 * chosen, and the ways that have not been tried begin with task `next`. */
struct choice { uint32_t n; uint16_t next; bool needless; };

struct search {
	struct trace *tr;
	const struct tr_span *span;
	uint32_t *at;		/* so many events of each task have been chosen */
	uint32_t *order;
	uint32_t n;
	struct choice *choices;
	size_t nchoices, choices_cap;
	uint64_t *seen;		/* states in which there was a choice; open addressing */
	size_t nseen, seen_cap;
};

static bool done(const struct search *s, uint32_t event)
{
	return !event || tr_covers(s->tr, s->at, event);
}

/* The next event of a task, 0: it has none. */
static uint32_t next_of(const struct search *s, size_t task)
{
	const struct tr_task *t = &s->tr->tasks[task];

	return s->at[task] < t->count ? s->tr->by_task[t->first + s->at[task]] : 0;
}

/* May it come here: after all that happens before it, before what it has to come before? */
static bool may_come(const struct search *s, uint32_t event)
{
	const struct tr_span *p = s->span;
	const uint32_t *clock = tr_clock(s->tr, event);
	uint16_t own = s->tr->ev[event].task;

	for (size_t i = 0; i < s->tr->ntasks; i++)
		if (i != own && clock[i] > s->at[i])
			return false;
	if (p->over && tr_covers(s->tr, clock, p->over))
		return false;
	/* without a start it is the end itself that must come behind */
	return done(s, p->begun) || (p->start ? !tr_covers(s->tr, clock, p->start) : event != p->end);
}

static const struct tr_event *last_of(const struct search *s, size_t task)
{
	const struct tr_task *t = &s->tr->tasks[task];

	return s->at[task] ? &s->tr->ev[s->tr->by_task[t->first + s->at[task] - 1]] : NULL;
}

static uint8_t owns(const struct search *s, size_t task)
{
	const struct tr_event *last = last_of(s, task);

	return last ? last->own : OWN_NOTHING;
}

/* Does its CPU let it run?  Of two who own one the higher has struck the lower. */
static bool cpu_lets(const struct search *s, uint32_t event)
{
	const struct tr_event *ev = &s->tr->ev[event];
	uint8_t above = ev->site->op == OP_IRQ ? OWN_BH :
			ev->site->op == OP_TIMER_WAIT ? OWN_PREEMPT : owns(s, ev->task);

	/* whoever owns it is above those who own less */
	if (ev->site->op != OP_IRQ && ev->site->op != OP_TIMER_WAIT && above)
		above--;
	for (size_t i = 0; i < s->tr->ntasks; i++) {
		const struct tr_event *last = i == ev->task ? NULL : last_of(s, i);

		if (last && last->own > above && last->cpu == ev->cpu)
			return false;
	}
	return true;
}

/* Afterwards its task owns more than before: then somebody may be kept away. */
static bool takes_cpu(const struct search *s, uint32_t event)
{
	return s->tr->ev[event].own > owns(s, s->tr->ev[event].task);
}

static bool is_needed(const struct search *s, uint32_t event)
{
	uint32_t goal = done(s, s->span->begun) ? s->span->end : s->span->begun;

	return tr_before(s->tr, event, goal);
}

static void choose(struct search *s, uint32_t event)
{
	s->order[s->n++] = event;
	s->at[s->tr->ev[event].task]++;
}

/* The first event, from that task on, that could come now: of those that are needed,
 * or of all.  `taking`: among those that take a CPU, else among the others. */
static uint32_t find(const struct search *s, size_t from, bool taking, bool needless)
{
	for (size_t i = from; i < s->tr->ntasks; i++) {
		uint32_t e = next_of(s, i);

		if (e && takes_cpu(s, e) == taking &&
		    (needless || is_needed(s, e) || (!taking && owns(s, i))) &&
		    may_come(s, e) && cpu_lets(s, e))
			return e;
	}
	return 0;
}

/* --- choices --- */

static uint64_t state_of(const struct search *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->tr->ntasks; i++) {
		uint64_t v = (uint64_t)i << 32 | s->at[i];

		sum += world_random(&v);
	}
	return sum ? sum : 1;
}

static void put_state(struct search *s, uint64_t v)
{
	size_t i = v & (s->seen_cap - 1);

	while (s->seen[i] && s->seen[i] != v)
		i = (i + 1) & (s->seen_cap - 1);
	s->nseen += !s->seen[i];
	s->seen[i] = v;
}

/* Has the search been here?  It is from now on.  False in *ok: no memory. */
static bool been_here(struct search *s, bool *ok)
{
	uint64_t v = state_of(s);
	struct search old = *s;
	size_t n = s->nseen;

	if (s->nseen * 2 >= s->seen_cap) {
		s->seen_cap = s->seen_cap ? s->seen_cap * 2 : 64;
		s->seen = calloc(s->seen_cap, sizeof(*s->seen));
		if (!s->seen) {
			s->seen = old.seen;
			s->seen_cap = old.seen_cap;
			return *ok = false;
		}
		s->nseen = 0;
		for (size_t i = 0; i < old.seen_cap; i++)
			if (old.seen[i])
				put_state(s, old.seen[i]);
		free(old.seen);
		n = s->nseen;
	}
	put_state(s, v);
	return s->nseen == n;
}

/* The next way from the last place where there was a choice; 0: there is none left. */
static uint32_t next_way(struct search *s)
{
	while (s->nchoices) {
		struct choice *c = &s->choices[s->nchoices - 1];
		uint32_t e;

		while (s->n > c->n)
			s->at[s->tr->ev[s->order[--s->n]].task]--;
		e = find(s, c->next, true, c->needless);
		if (!e && !c->needless) {
			c->needless = true;
			c->next = 0;
			e = find(s, 0, true, true);
		}
		if (e) {
			c->next = (uint16_t)(s->tr->ev[e].task + 1);
			return e;
		}
		s->nchoices--;
	}
	return 0;
}

/* Nothing goes without a choice. */
static enum tr_answer branch(struct search *s)
{
	bool ok = true;
	uint32_t e;

	if (!been_here(s, &ok)) {
		if (!ok || !check_grow(s->tr->c, (void **)&s->choices, &s->choices_cap,
				       s->nchoices + 1, sizeof(*s->choices)))
			return TR_NO_MEMORY;
		s->choices[s->nchoices++] = (struct choice){ .n = s->n };
	}
	if (s->nseen > CHOICES_MAX)
		return TR_UNKNOWN;
	e = next_way(s);
	if (!e)
		return TR_NO;
	choose(s, e);
	return TR_YES;
}

static enum tr_answer search_on(struct search *s)
{
	while (!done(s, s->span->begun) || !done(s, s->span->end)) {
		uint32_t e = find(s, 0, false, false);
		enum tr_answer a;

		if (!e && !find(s, 0, true, false))
			e = find(s, 0, false, true);
		if (e) {
			choose(s, e);
			continue;
		}
		a = branch(s);
		if (a != TR_YES)
			return a;
	}
	return TR_YES;
}

/* --- the finding --- */

static bool write_down(struct search *s, struct trace_finding *f)
{
	f->steps = calloc(s->n, sizeof(*f->steps));
	if (!f->steps)
		return false;
	for (f->n = 0; f->n < s->n; f->n++) {
		const struct tr_event *ev = &s->tr->ev[s->order[f->n]];

		f->steps[f->n] = (struct trace_step){
			.task = task_id(s->tr->tasks[ev->task].t),
			.choice = ev->site->op == OP_CHOOSE ?
				(uint32_t)log_record(s->tr->w, s->order[f->n])->value : 0 };
	}
	return true;
}

enum tr_answer trace_order(struct trace *tr, const struct tr_span *span, struct trace_finding *f)
{
	struct search s = { .tr = tr, .span = span };
	enum tr_answer a = TR_NO_MEMORY;

	s.at = calloc(tr->ntasks, sizeof(*s.at));
	s.order = calloc(tr->n, sizeof(*s.order));
	if (s.at && s.order)
		a = search_on(&s);
	if (a == TR_YES && !write_down(&s, f))
		a = TR_NO_MEMORY;
	free(s.at);
	free(s.order);
	free(s.choices);
	free(s.seen);
	return a;
}
