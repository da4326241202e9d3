/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Torture, the pipe: elements that are published, replaced, and passed through as many
 * grace periods as there are stages before they are used again.  (The idea of a pipe that
 * shows by how much a grace period was too short is rcutorture's.)
 */
#include <config.h>

#include <stdlib.h>

#include "torture/internal.h"

const char *const how_names[HOW_COUNT] = {
	[HOW_SYNC] = "srcu_synchronize()",
	[HOW_EXPEDITED] = "srcu_synchronize_expedited()",
	[HOW_POLL] = "srcu_start_poll()",
	[HOW_STATE] = "srcu_get_state() and srcu_synchronize()",
	[HOW_CALL] = "srcu_call()",
};

unsigned long element_payload(unsigned long gen)
{
	return ~gen * 2654435761ul;
}

unsigned long bed_grace_periods(struct bed *b)
{
	unsigned long n = atomic_load(&b->batches);

	return n ? n : srcu_batches_completed(&b->d);
}

/* Nobody may be seeing it. */
static void element_free(struct element *e)
{
	struct bed *b = e->bed;

	/* of no generation: who still sees it finds that out, too */
	atomic_store_explicit(&e->payload, 0, memory_order_relaxed);
	pthread_mutex_lock(&b->pool_lock);
	e->next = b->pool;
	b->pool = e;
	pthread_mutex_unlock(&b->pool_lock);
}

/* A new generation, or NULL: all are on their way through the pipe. */
static struct element *element_new(struct bed *b)
{
	struct element *e;
	unsigned long gen;

	pthread_mutex_lock(&b->pool_lock);
	e = b->pool;
	if (e)
		b->pool = e->next;
	pthread_mutex_unlock(&b->pool_lock);
	if (!e)
		return NULL;
	gen = atomic_fetch_add(&b->gens, 1) + 1;
	atomic_store_explicit(&e->gen, gen, memory_order_relaxed);
	atomic_store_explicit(&e->payload, element_payload(gen), memory_order_relaxed);
	atomic_store_explicit(&e->stage, 0, memory_order_relaxed);
	return e;
}

bool bed_fill(struct bed *b, unsigned n)
{
	b->elements = calloc(n, sizeof(*b->elements));
	if (!b->elements)
		return false;
	for (unsigned i = 0; i < n; i++) {
		b->elements[i].bed = b;
		element_free(&b->elements[i]);
	}
	atomic_store(&b->current, element_new(b));
	return true;
}

/* One more grace period is over.  True: the last one. */
static bool element_advance(struct element *e)
{
	/* release: who sees the stage sees when and how it was removed */
	return atomic_fetch_add_explicit(&e->stage, 1, memory_order_release) + 1 >= PIPE_LEN;
}

static void called(struct srcu_head *head)
{
	struct element *e = (struct element *)(void *)head;
	struct bed *b = e->bed;
	int err;

	if (element_advance(e)) {
		element_free(e);
		atomic_fetch_sub(&b->in_flight, 1);
		return;
	}
	err = srcu_call(&b->d, head, called);
	if (err)
		torture_fail(b->t, b, "srcu_call() in a callback refused its head (error %d)", err);
}

void bed_advance(struct member *me)
{
	struct element **link = &me->removed, *e;

	while ((e = *link)) {
		if (element_advance(e)) {
			*link = e->next;
			element_free(e);
		} else {
			link = &e->next;
		}
	}
}

static void wait_polling(struct member *me)
{
	struct bed *b = me->bed;
	unsigned long cookie = srcu_start_poll(&b->d);

	for (unsigned long long ns = 1000; !srcu_poll_state(&b->d, cookie); ns += ns < 1000000 ? ns : 0)
		torture_nap(ns);
	if (!srcu_poll_state(&b->d, cookie))
		torture_fail(me->t, b, "srcu_poll_state() said yes, and then no, of one cookie");
}

static void wait_with_state(struct member *me)
{
	struct bed *b = me->bed;
	unsigned long cookie = srcu_get_state(&b->d);

	srcu_synchronize(&b->d);
	if (!srcu_poll_state(&b->d, cookie))
		torture_fail(me->t, b, "srcu_poll_state() says no of a cookie from before srcu_synchronize(), "
			     "which has returned");
}

void bed_wait(struct member *me, enum how how)
{
	member_waits(me, how_names[how]);
	switch (how) {
	case HOW_EXPEDITED:
		srcu_synchronize_expedited(&me->bed->d);
		member_count(me, COUNT_EXPEDITED);
		break;
	case HOW_POLL:
		wait_polling(me);
		member_count(me, COUNT_POLL);
		break;
	case HOW_STATE:
		wait_with_state(me);
		member_count(me, COUNT_SYNC);
		break;
	default:
		srcu_synchronize(&me->bed->d);
		member_count(me, COUNT_SYNC);
		break;
	}
	member_waits_no_more(me);
}

bool bed_replace(struct member *me, enum how how)
{
	struct bed *b = me->bed;
	struct element *e = element_new(b), *old;
	int err;

	if (!e)
		return false;
	/* the kernel's rcu_assign_pointer(), and the removal of the old one */
	old = atomic_exchange_explicit(&b->current, e, memory_order_acq_rel);
	atomic_store_explicit(&old->removed_at, torture_now(), memory_order_relaxed);
	atomic_store_explicit(&old->removed_by, how, memory_order_relaxed);
	atomic_store_explicit(&old->stage, 1, memory_order_release);
	member_count(me, COUNT_GENERATIONS);
	if (how != HOW_CALL) {
		old->next = me->removed;
		me->removed = old;
		return true;
	}
	atomic_fetch_add(&b->in_flight, 1);
	member_count(me, COUNT_CALLS);
	err = srcu_call(&b->d, &old->head, called);
	if (err) {
		atomic_fetch_sub(&b->in_flight, 1);
		torture_error(me->t, "cannot post a callback", err);
	}
	return !err;
}
