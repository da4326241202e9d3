/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Not doing again what has been done.  As long as all steps of an execution are accesses
 * of memory, a task is a function of the answers that its steps got.  So between two
 * graphs the tasks stay where they stand, and only memory goes back: a task whose answers
 * are those that the new graph gives it as well is left alone, its events are applied to
 * memory without it.  One that is answered something else begins anew, and is told the
 * same as before up to there.
 */
#include <config.h>

#include "explore/dpor.h"
#include "explore/promise.h"

#include "engine/checkpoint.h"

#include <stdlib.h>

bool keep_begin(struct dpor *d)
{
	bool again = d->begun && d->begun == d->w->begun && explore_again(d->x);

	d->keeps = d->x->lean;
	for (unsigned k = 0; k < d->nslots; k++) {
		struct dslot *s = &d->slots[k];

		s->follows = again && s->t;
		if (!s->follows)
			s->nkept = 0;
	}
	d->begun = again ? d->w->begun : 0;
	return again;
}

void keep_began(struct dpor *d)
{
	d->begun = world_is_lean(d->w) ? d->w->begun : 0;
	d->keeps = d->begun;
	for (unsigned k = 0; k < d->nslots; k++) {
		d->slots[k].nkept = 0;
		d->slots[k].follows = false;
	}
}

bool keep_note(struct dpor *d, struct dslot *s, const struct event *ev, uint64_t answer,
	       const struct event_deps *deps)
{
	if (!d->keeps)
		return true;
	/* code in C may do more to memory than it announces */
	if (!(ev->site->flags & SITE_LUA)) {
		d->keeps = false;
		d->begun = 0;
		return true;
	}
	if (!grow(&s->kept, &s->kept_cap, s->nkept + 1u, sizeof(*s->kept)))
		return visit_oom(d);
	s->kept[s->nkept++] = (struct dkept){ .ev = *ev, .answer = answer, .deps = *deps,
					      .loc = ev->loc ? arena_offset(d->w, ev->loc) : LOC_NONE };
	return true;
}

/* What a task that has begun again is told. */
struct telling {
	const struct dslot *s;
	uint32_t i, n;
	bool differs;		/* it announced something else than before */
};

static bool tell(void *arg, struct task *t)
{
	struct telling *told = arg;
	const struct dkept *k = &told->s->kept[told->i];

	if (told->differs || told->i == told->n)
		return false;
	if (t->ev.op != k->ev.op || t->ev.loc != k->ev.loc || t->ev.a != k->ev.a || t->ev.b != k->ev.b) {
		told->differs = true;
		return false;
	}
	t->ev.value = k->answer;
	t->steps++;
	told->i++;
	return true;
}

bool keep_catch_up(struct dpor *d, struct dslot *s)
{
	struct telling told = { .s = s, .n = s->count };

	if (!s->follows)
		return true;
	s->follows = false;
	if (s->nkept == told.n)
		return true;
	s->nkept = told.n;
	if (!task_begin_again(s->t, tell, &told)) {
		d->failed = true;
		return explore_fail(d->x, "%s", world_error(d->w));
	}
	if (told.differs)
		return visit_diverged(d, s, told.i, &s->t->ev);
	return told.i == told.n || visit_diverged(d, s, told.i, NULL);
}

/* Does the event of which keep_follows() was asked find what memory holds? */
static bool finds_memory(const struct dpor *d)
{
	return d->kept_choice <= 1 && !promises_are_made(d);
}

/* What the task would be answered now: is it what it was? */
static bool same_answer(const struct dpor *d, const struct dkept *k, const struct gevent *e)
{
	const struct event *ev = &k->ev;

	if (ev->op == OP_CHOOSE)
		return k->answer == (e->choice ? e->choice : 1u);
	/* who stores is not told what was there */
	if (ev->loc && ev->op != OP_STORE && d->weak && !finds_memory(d))
		return event_would_read(d->w, ev, d->kept_choice) == k->answer;
	return !ev->loc || ev->op == OP_STORE || mem_read(ev->loc, ev->size) == k->answer;
}

bool keep_follows(struct dpor *d, const struct gevent *e, uint32_t i)
{
	struct dslot *s = &d->slots[e->task];

	if (!s->follows || s->count >= s->nkept || s->kept[s->count].ev.op != e->op ||
	    e->flags & GF_AWAIT || e->maker != GNONE)
		return false;
	if (d->weak)
		d->kept_choice = consistent_choice(d, e, i);
	return same_answer(d, &s->kept[s->count], e);
}

/* What performing it does to memory. */
static void effect(const struct event *ev, struct dinfo *info)
{
	uint64_t *word = ev->loc, old;

	if (ev->size == 8 && ev->op == OP_LOAD) {
		info->value = info->stored = *word;
		return;
	}
	old = mem_read(ev->loc, ev->size);
	if (ev->op == OP_STORE)
		mem_write(ev->loc, ev->size, ev->a);
	else if (ev->op != OP_LOAD)
		mem_write(ev->loc, ev->size, rmw_value(ev, old));
	info->value = old;
	info->stored = mem_read(ev->loc, ev->size);
}

const struct dkept *keep_perform(struct dpor *d, struct gevent *e, uint32_t i)
{
	struct dslot *s = &d->slots[e->task];
	const struct dkept *k = &s->kept[s->count];
	struct dinfo *info = &d->info[i];
	unsigned choice = e->choice;

	info->size = k->ev.size;
	info->loc = k->loc;
	if (d->weak)
		choice = d->kept_choice;
	if (k->ev.loc && d->weak && !(k->ev.op == OP_LOAD && finds_memory(d))) {
		struct access_done done = { 0 };

		d->oom |= !event_access(d->w, &k->ev, choice, &done);
		info->value = done.value;
		info->stored = done.stored;
	} else if (k->ev.loc) {
		effect(&k->ev, info);
	} else {
		info->value = k->answer;
		info->stored = k->ev.a;
	}
	d->w->log.n++;
	d->steps[d->nsteps++] = (struct exec_step){ .task = s->id, .choice = choice };
	if (d->weak) {
		consistent_note(d, i, &k->ev, &k->deps);
		if (d->x->promising)
			promise_deps_of(d, e, i, &k->ev);
		consistent_performed(d, e, i);
	}
	d->ghost_written = false;
	e->own = 0;
	return k;
}

void keep_release(struct dpor *d)
{
	for (unsigned k = 0; k < d->nslots; k++)
		free(d->slots[k].kept);
}
