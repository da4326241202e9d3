/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Torture, readers: sections one after another, nested, overlapping, handed to other
 * threads, sleeping; in threads that stay and in threads that come and go.  Each section
 * looks for the current element when it begins, and at its stage as long as it lasts.
 */
#include <config.h>

#include <stdlib.h>

#include "torture/internal.h"

#define SECTIONS_MAX 5		/* open at once in a thread */
#define CHURN_THREADS 3		/* at once */
#define LONG_NS 8000000		/* a long section, at most; in calm times */

static void section_begin(struct member *me, struct section *s, bool down)
{
	struct bed *b = me->bed;

	s->began = torture_now();
	s->down = down;
	if (b->fast)
		s->ctr = down ? srcu_down_read_fast(&b->d) : srcu_read_lock_fast(&b->d);
	else
		s->idx = down ? srcu_down_read(&b->d) : srcu_read_lock(&b->d);
	s->p = atomic_load_explicit(&b->current, memory_order_acquire);
	s->gen = atomic_load_explicit(&s->p->gen, memory_order_relaxed);
	member_count(me, COUNT_SECTIONS);
}

/* The section has not ended, and what it found must still be there. */
static void section_check(struct member *me, const struct section *s)
{
	struct bed *b = me->bed;
	struct element *e = s->p;
	unsigned stage = atomic_load_explicit(&e->stage, memory_order_acquire);
	unsigned long payload = atomic_load_explicit(&e->payload, memory_order_acquire);
	unsigned long gen = atomic_load_explicit(&e->gen, memory_order_acquire);
	unsigned at = stage > PIPE_LEN ? PIPE_LEN : stage;
	unsigned long long n = atomic_load_explicit(&me->pipe[at], memory_order_relaxed), now;

	atomic_store_explicit(&me->pipe[at], n + 1, memory_order_relaxed);
	if (stage <= 1 && gen == s->gen && payload == element_payload(gen))
		return;
	now = torture_now();
	if (gen != s->gen)
		torture_fail(me->t, b, "a %s section of a %s saw generation %lu become generation %lu: freed, and "
			     "in use again, while the section was open (it began %.3f ms ago)",
			     b->name, me->role, s->gen, gen, (double)(now - s->began) / 1e6);
	else
		torture_fail(me->t, b, "a %s section of a %s saw generation %lu at stage %u of %d%s: removed %.3f ms ago "
			     "(%s), %u grace period%s too early, in a section that began %.3f ms ago",
			     b->name, me->role, gen, stage, PIPE_LEN, stage >= PIPE_LEN ? ", freed" : "",
			     (double)(now - atomic_load(&e->removed_at)) / 1e6,
			     how_names[atomic_load(&e->removed_by) % HOW_COUNT],
			     stage > 1 ? stage - 1 : 0, stage == 2 ? "" : "s", (double)(now - s->began) / 1e6);
}

static void section_end(struct member *me, struct section *s)
{
	struct bed *b = me->bed;

	section_check(me, s);
	if (b->fast) {
		if (s->down)
			srcu_up_read_fast(&b->d, s->ctr);
		else
			srcu_read_unlock_fast(&b->d, s->ctr);
	} else {
		if (s->down)
			srcu_up_read(&b->d, s->idx);
		else
			srcu_read_unlock(&b->d, s->idx);
	}
}

void bed_take_handed(struct member *me)
{
	struct section *s = atomic_exchange(&me->bed->handed, NULL);

	if (s)
		section_end(me, s);
	free(s);
}

/* Begins a section for somebody else, and ends the one that was waiting. */
static void hand_over(struct member *me)
{
	struct section *s = malloc(sizeof(*s));

	if (!s) {
		torture_error(me->t, "not enough memory", 0);
		return;
	}
	section_begin(me, s, true);
	member_delay(me);
	member_count(me, COUNT_HANDED);
	s = atomic_exchange(&me->bed->handed, s);
	if (s)
		section_end(me, s);
	free(s);
}

static void sleep_in_section(struct member *me)
{
	uint64_t r = member_random(me);
	bool is_long = r % 4 == 0 && torture_is_calm(me->t);

	if (is_long)
		torture_nap((r >> 8) % LONG_NS);
	if (is_long || member_delay(me))
		member_count(me, COUNT_BLOCKED);
}

/* Some sections, begun one after another and ended in any order. */
static void round_of_sections(struct member *me)
{
	struct section open[SECTIONS_MAX];
	unsigned n = member_random(me) % 2 ? 1 : 1 + member_random(me) % SECTIONS_MAX;

	for (unsigned i = 0; i < n; i++) {
		section_begin(me, &open[i], false);
		sleep_in_section(me);
	}
	while (n) {
		unsigned i = member_random(me) % n;

		section_end(me, &open[i]);
		open[i] = open[--n];
		if (n)
			sleep_in_section(me);
	}
}

/* Has the watchdog asked for silence? */
static void park(struct member *me)
{
	if (!atomic_load(&me->t->hold))
		return;
	atomic_store(&me->parked, true);
	while (atomic_load(&me->t->hold) && !torture_stopping(me->t))
		torture_nap(1000000);
	atomic_store(&me->parked, false);
}

void reader_run(struct member *me)
{
	while (!torture_stopping(me->t)) {
		park(me);
		if (torture_is_calm(me->t)) {
			bed_take_handed(me);	/* nobody else might for long */
			round_of_sections(me);
		} else if (member_random(me) % 64) {
			round_of_sections(me);
		} else {
			hand_over(me);
		}
		if (member_random(me) % 8 == 0)
			member_delay(me);
	}
}

/* --- threads that come and go --- */

static void *short_thread(void *arg)
{
	struct member *me = arg;

	for (unsigned n = (unsigned)(member_random(me) % 8); n && !torture_stopping(me->t); n--)
		round_of_sections(me);
	return NULL;
}

/* What a thread has counted that is no more. */
static void inherit(struct member *me, struct member *from)
{
	for (int i = 0; i < COUNT_COUNT; i++)
		atomic_fetch_add(&me->counts[i], atomic_exchange(&from->counts[i], 0));
	for (int i = 0; i <= PIPE_LEN; i++)
		atomic_fetch_add(&me->pipe[i], atomic_exchange(&from->pipe[i], 0));
}

void churn_run(struct member *me)
{
	struct member some[CHURN_THREADS] = { 0 };

	for (int i = 0; i < CHURN_THREADS; i++) {
		some[i].t = me->t;
		some[i].bed = me->bed;
		some[i].role = "thread that came and went";
		some[i].random = member_random(me);
	}
	while (!torture_stopping(me->t)) {
		unsigned n = 0;
		int err = 0;

		park(me);
		for (; n < CHURN_THREADS && !err; n += !err)
			err = pthread_create(&some[n].thread, NULL, short_thread, &some[n]);
		if (err)
			torture_error(me->t, "cannot create a thread", err);
		for (unsigned i = 0; i < n; i++) {
			pthread_join(some[i].thread, NULL);
			member_count(me, COUNT_THREADS);
			inherit(me, &some[i]);
		}
		member_delay(me);
	}
}
