/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Circles in the order of locks, and locks on which an interrupt may spin for ever: in
 * this execution nobody was stuck, in another one somebody might be.  The rules are those
 * of lockdep: a circle counts only if at each of its classes who waits has to wait for
 * who holds, which readers that may nest do not have to do for one another.
 */
#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check/lockorder.h"
#include "engine/internal.h"

/* Whoever takes what edge a takes has to wait for whoever holds what edge b holds. */
static bool leads_to(const struct lk_edge *a, const struct lk_edge *b)
{
	return a->got.cls == b->held.cls && !(a->got.recursive && b->held.shared);
}

/* --- words --- */

static void add_hold(struct trace *tr, struct msg *m, const struct lk_hold *h)
{
	char lock[112];

	if (!h->site) {
		msg_addf(m, "a read section of %s since step %" PRIu32,
			 object_by_id(tr->w, h->what)->name, h->step);
		return;
	}
	lock_text(tr->w, h->site, arena_addr(tr->w, h->what), lock, sizeof(lock));
	msg_addf(m, "%s since step %" PRIu32, lock, h->step);
	msg_site(m, h->site);
}

/* "t took mutex b at step 4 (mutex_lock, x.lua:7)" */
static void add_got(struct trace *tr, struct msg *m, const char *who, const struct lk_hold *h)
{
	char lock[112];

	if (!h->site) {
		msg_addf(m, "%s %s%s(%s) after step %" PRIu32, who,
			 h->recursive ? "was in " : "called ", h->api->name,
			 object_by_id(tr->w, h->what)->name, h->step);
		return;
	}
	lock_text(tr->w, h->site, arena_addr(tr->w, h->what), lock, sizeof(lock));
	msg_addf(m, "%s took %s at step %" PRIu32, who, lock, h->step);
	msg_site(m, h->site);
}

static void add_edge(struct trace *tr, struct msg *m, const struct lk_edge *e)
{
	add_got(tr, m, task_name(tr->tasks[e->task].t), &e->got);
	msg_addf(m, "%s", e->held.site ? " while holding " : " inside ");
	add_hold(tr, m, &e->held);
}

static const char *hold_name(struct trace *tr, const struct lk_hold *h, char *buf, size_t n)
{
	if (!h->site)
		snprintf(buf, n, "%s", object_by_id(tr->w, h->what)->name);
	else if (!location_name(tr->w, arena_addr(tr->w, h->what), buf, n, NULL))
		snprintf(buf, n, "?");
	return buf;
}

static bool same_thing(const struct lk_hold *a, const struct lk_hold *b)
{
	return a->what == b->what && !a->site == !b->site;
}

/* Where one takes another lock of the class than the next one holds. */
static void add_classes(struct trace *tr, struct msg *m, const struct lk_edge *a,
			const struct lk_edge *b)
{
	const struct lk_class *cls = &tr->c->lockorder->classes[a->got.cls];
	char one[112], two[112];

	if (same_thing(&a->got, &b->held))
		return;
	msg_addf(m, " %s and %s are of one class, \"%s\".", hold_name(tr, &a->got, one, sizeof(one)),
		 hold_name(tr, &b->held, two, sizeof(two)), cls->name);
}

static uint32_t last_step(const struct lk_edge *e)
{
	return e->got.step > e->held.step ? e->got.step : e->held.step;
}

/* The n edges of a circle. */
static void report(struct trace *tr, struct lk_edge *const *circle, size_t n)
{
	struct task *first = tr->tasks[circle[0]->task].t, *other = NULL;
	uint32_t step = 0;
	struct msg m;

	msg_begin(&m);
	for (size_t i = 0; i < n; i++) {
		struct task *t = tr->tasks[circle[i]->task].t;

		if (t != first && !other)
			other = t;
		if (last_step(circle[i]) > step)
			step = last_step(circle[i]);
		msg_addf(&m, "%s", i ? "; " : "");
		add_edge(tr, &m, circle[i]);
	}
	msg_addf(&m, ".");
	for (size_t i = 0; i < n; i++)
		add_classes(tr, &m, circle[i], circle[(i + 1) % n]);
	if (n == 1 && same_thing(&circle[0]->got, &circle[0]->held))
		msg_addf(&m, " This run did not stop there, but it does where %s.",
			 circle[0]->got.site ? "a writer comes to wait in between" :
					       "a callback is waiting for that section to end");
	else if (n == 1)
		msg_addf(&m, " This run did not stop there, but where another thread does the same "
			 "the other way round, each waits for the other for ever.");
	else
		msg_addf(&m, " This run did not stop there, but where %s at once, each waits for the "
			 "%s for ever.", n == 2 ? "both come so far" : "all come so far",
			 n == 2 ? "other" : "next");
	msg_end(&m, tr->w, "lock-order", first, other);
	trace_at_step(tr, step);
}

/* --- circles --- */

#define NOWHERE UINT32_MAX

/*
 * The shortest circle through edge `start`, in *circle, which has room for all edges;
 * its length, 0: there is none.
 */
static size_t circle_of(struct lockorder *lo, size_t start, struct lk_edge **circle)
{
	size_t head = 0, tail = 0, n = 0, i;

	memset(lo->from, 0xff, lo->nedges * sizeof(*lo->from));
	lo->queue[tail++] = (uint32_t)start;
	lo->from[start] = (uint32_t)start;
	while (head < tail) {
		uint32_t e = lo->queue[head++];

		if (leads_to(&lo->edges[e], &lo->edges[start])) {
			for (i = e; i != start; i = lo->from[i])
				circle[n++] = &lo->edges[i];
			circle[n++] = &lo->edges[start];
			/* found from its end */
			for (i = 0; i < n / 2; i++) {
				struct lk_edge *x = circle[i];

				circle[i] = circle[n - 1 - i];
				circle[n - 1 - i] = x;
			}
			return n;
		}
		for (i = 0; i < lo->nedges; i++)
			if (lo->from[i] == NOWHERE && leads_to(&lo->edges[e], &lo->edges[i])) {
				lo->from[i] = e;
				lo->queue[tail++] = (uint32_t)i;
			}
	}
	return 0;
}

/* The same circle, wherever it is entered. */
static uint64_t circle_key(struct lk_edge *const *circle, size_t n)
{
	uint64_t key = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t x = (uint64_t)circle[i]->held.cls << 16 | circle[i]->got.cls;

		key += world_random(&x);
	}
	return key | (uint64_t)1 << 63;
}

/* Have all these edges been seen together before, without a circle? */
static bool known_clean(const struct lockorder *lo)
{
	for (size_t i = 0; i < lo->nedges; i++) {
		const struct lk_edge *e = &lo->edges[i];

		if (!(lo->clean[e->held.cls * lo->seen_n + e->got.cls] &
		      LK_KIND(e->held.shared, e->got.recursive)))
			return false;
	}
	return true;
}

/* Those of this execution are from now on, and those that were no longer. */
static void remember_clean(struct lockorder *lo)
{
	memset(lo->clean, 0, lo->seen_n * lo->seen_n);
	for (size_t i = 0; i < lo->nedges; i++) {
		const struct lk_edge *e = &lo->edges[i];

		lo->clean[e->held.cls * lo->seen_n + e->got.cls] |=
			LK_KIND(e->held.shared, e->got.recursive);
	}
}

static bool find_circles(struct trace *tr, struct lockorder *lo)
{
	struct lk_edge **circle;
	bool clean = true;

	if (!lo->nedges || known_clean(lo))
		return true;
	circle = calloc(lo->nedges, sizeof(*circle));
	if (!circle || !check_grow(tr->c, (void **)&lo->from, &lo->from_cap, lo->nedges,
				   sizeof(*lo->from)) ||
	    !check_grow(tr->c, (void **)&lo->queue, &lo->queue_cap, lo->nedges,
			sizeof(*lo->queue))) {
		free(circle);
		return false;
	}
	for (size_t i = 0; i < lo->nedges; i++) {
		size_t n = circle_of(lo, i, circle);

		clean &= !n;
		if (n && !trace_told(tr, circle_key(circle, n)))
			report(tr, circle, n);
	}
	free(circle);
	if (clean)
		remember_clean(lo);
	return true;
}

/* --- interrupts --- */

static void report_context(struct trace *tr, const struct lk_use *in, const struct lk_use *on,
			   bool irq)
{
	struct task *striker = tr->tasks[in->task].t, *t = tr->tasks[on->task].t;
	const char *what = irq ? "interrupt" : "timer";
	struct msg m;

	msg_begin(&m);
	add_got(tr, &m, task_name(t), &on->hold);
	msg_addf(&m, " with %s on, and ", irq ? "interrupts" : "bottom halves");
	add_got(tr, &m, task_name(striker), &in->hold);
	msg_addf(&m, ", in %s %s. This run did not stop there, but where the %s strikes the CPU of "
		 "whoever holds that lock, it spins for ever. Take it with %s.",
		 irq ? "an" : "a", what, what, irq ? "spin_lock_irqsave()" : "spin_lock_bh()");
	msg_end(&m, tr->w, "lock-order", t, striker);
	trace_at_step(tr, in->hold.step > on->hold.step ? in->hold.step : on->hold.step);
}

static void find_contexts(struct trace *tr, struct lockorder *lo)
{
	for (size_t i = 0; i < lo->nclasses; i++) {
		for (int context = LK_IN_IRQ; context < LK_CONTEXTS; context += 2) {
			const struct lk_use *in = &lo->classes[i].use[context], *on = in + 1;

			if (in->hold.site && on->hold.site &&
			    !trace_told(tr, (uint64_t)3 << 62 | (uint64_t)i << 8 | (unsigned)context))
				report_context(tr, in, on, context == LK_IN_IRQ);
		}
	}
}

/*
 * A lock that an interrupt takes is held, and one is waited for that is also taken with
 * interrupts on: its holder is struck, and the interrupt waits for the one that waits.
 */
static void report_inversion(struct trace *tr, const struct lk_edge *e, const struct lk_use *in,
			     const struct lk_use *on, bool irq)
{
	struct task *t = tr->tasks[e->task].t, *holder = tr->tasks[on->task].t;
	uint32_t step = last_step(e);
	struct msg m;

	if (in->hold.step > step)
		step = in->hold.step;
	if (on->hold.step > step)
		step = on->hold.step;
	msg_begin(&m);
	add_edge(tr, &m, e);
	msg_addf(&m, ". ");
	add_got(tr, &m, task_name(holder), &on->hold);
	msg_addf(&m, " with %s on, and ", irq ? "interrupts" : "bottom halves");
	add_got(tr, &m, task_name(tr->tasks[in->task].t), &in->hold);
	msg_addf(&m, ", in %s. This run did not stop there, but where that strikes the CPU of %s "
		 "while %s waits for it, all three wait for ever.", irq ? "an interrupt" : "a timer",
		 task_name(holder), task_name(t));
	msg_end(&m, tr->w, "lock-order", t, holder);
	trace_at_step(tr, step);
}

static void find_inversions(struct trace *tr, struct lockorder *lo)
{
	for (size_t i = 0; i < lo->nedges; i++) {
		const struct lk_edge *e = &lo->edges[i];

		for (int context = LK_IN_IRQ; context < LK_CONTEXTS; context += 2) {
			const struct lk_use *in = &lo->classes[e->held.cls].use[context];
			const struct lk_use *on = &lo->classes[e->got.cls].use[context + 1];
			uint64_t key = (uint64_t)5 << 61 | (uint64_t)e->held.cls << 24 |
				       (uint64_t)e->got.cls << 8 | (unsigned)context;

			if (in->hold.site && on->hold.site && e->held.cls != e->got.cls &&
			    !trace_told(tr, key))
				report_inversion(tr, e, in, on, context == LK_IN_IRQ);
		}
	}
}

bool lk_judge(struct trace *tr, struct lockorder *lo)
{
	find_contexts(tr, lo);
	find_inversions(tr, lo);
	return find_circles(tr, lo);
}
