/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plain accesses that take no step: recorded as they come, once for each stretch
 * between two steps of a task.  See plain.h.
 */
#include <config.h>

#include "engine/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Code that makes so many without a step is in a loop that it never leaves. */
#define RUN_MAX 8000000u
/* As far back is looked for the same access: what is repeated is mostly repeated soon. */
#define LOOK_BACK 8
/* The most bytes of one record, a number of words. */
#define PIECE 248u

const struct site *(*plain_site_of)(const void *pc);

static _Noreturn void endless(struct task *t, const void *pc)
{
	const struct site *s = plain_site_of ? plain_site_of(pc) : NULL;
	char where[256] = "", *text;

	if (s && s->file)
		snprintf(where, sizeof(where), " in %s() (%s:%d)", s->func ? s->func : "?",
			 site_file(s), s->line);
	if (asprintf(&text, "%s loops%s: after step %" PRIu64 " it has accessed memory %u times without "
		     "a step, so that nobody else can ever run.", task_name(t), where,
		     t->w->log.n, RUN_MAX) < 0)
		text = NULL;
	world_violate(t->w, "error", text, t, NULL);
	task_fail();
}

static void count(struct world *w, struct task *t, const void *pc)
{
	struct plains *l = &w->plains;
	uint64_t now = world_progress(w);

	if (l->at != now || l->task != t->index) {
		l->at = now;
		l->task = t->index;
		l->run = 0;
	}
	if (++l->run > RUN_MAX)
		endless(t, pc);
}

/* Does b say nothing that a, of the same stretch, has not said? */
static bool covers(const struct plain_access *a, const struct plain_access *b)
{
	return a->loc <= b->loc && a->loc + a->size >= b->loc + b->size && (a->write || !b->write);
}

static bool is_known(const struct plains *l, const struct plain_access *a)
{
	for (size_t i = l->n; i > l->seam && l->n - i < LOOK_BACK; i--) {
		const struct plain_access *b = &l->v[i - 1];

		if (b->step != a->step || b->task != a->task)
			return false;
		if (covers(b, a))
			return true;
	}
	return false;
}

static uint8_t kept_by(const struct task *t)
{
	const struct context *c = &t->ctx;

	return c->irq ? 3 : c->bh ? 2 : c->preempt || c->spin || t->w->voluntary;
}

static bool record(struct world *w, struct task *t, const struct plain_access *a)
{
	struct plains *l = &w->plains;

	if (is_known(l, a))
		return true;
	if (t->in_pass)
		idle_plain(t, arena_addr(w, a->loc), a->size, a->write);
	/* nothing is kept, and nothing is concluded from that either: see explore_end() */
	if (w->lean)
		return true;
	if (w->hooks.plain && w->hooks.noise[0] && *w->hooks.noise[0] && !w->hooks.plain(w, t, a))
		task_fail();
	if (!grow(&l->v, &l->cap, l->n + 1, sizeof(*l->v)))
		return world_oom(w);
	l->v[l->n++] = *a;
	l->writes += a->write;
	return true;
}

bool world_plain(struct world *w, const void *p, unsigned size, bool write, const void *pc)
{
	struct task *t = task_current();
	struct plain_access a;

	if (!t)
		return true;
	a = (struct plain_access){ .step = (uint32_t)w->log.n, .task = (uint16_t)t->index,
				   .write = write, .loc = arena_offset(w, p), .cpu = (uint16_t)t->cpu,
				   .own = kept_by(t), .pc = pc };
	if (a.loc == LOC_NONE)
		return true;
	w->plains.ever = true;
	count(w, t, pc);
	for (; size; size -= a.size, a.loc += a.size) {
		a.size = (uint8_t)(size < PIECE ? size : PIECE);
		if (!record(w, t, &a))
			return false;
	}
	return true;
}

const struct plain_access *world_plains(struct world *w, size_t *n)
{
	*n = w->plains.n;
	return w->plains.v;
}

void plains_seam(struct world *w)
{
	w->plains.seam = w->plains.n;
}

void plains_reset(struct world *w)
{
	w->plains.n = w->plains.seam = 0;
	w->plains.open = 0;
}

unsigned world_plains_open(const struct world *w)
{
	return w->plains.open;
}

bool world_has_plains(const struct world *w)
{
	return w->plains.ever;
}
