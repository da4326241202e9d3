/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segmented callback lists: the cases that SRCU relies on one by one, then
 * random operations against a model that keeps each callback's grace period in
 * an array.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "srcu/segcblist.h"
#include "srcu/seq.h"

static uint64_t rnd(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	return *s ^= *s << 17;
}

static void assert_lens(struct rcu_segcblist *l, long done, long wait, long next_ready, long next)
{
	const long want[RCU_NSEGS] = { done, wait, next_ready, next };

	for (int i = 0; i < RCU_NSEGS; i++) {
		struct rcu_head *h = l->seg[i].head;
		long n = 0;

		assert_int_equal(l->seg[i].len, want[i]);
		for (; h; h = h->next, n++)
			if (!h->next)
				assert_ptr_equal(h, l->seg[i].last);
		assert_int_equal(n, want[i]);
		assert_int_equal(rcu_segcblist_segempty(l, i), !n);
	}
	assert_int_equal(rcu_segcblist_ready_cbs(l), done > 0);
	assert_int_equal(rcu_segcblist_pend_cbs(l), wait + next_ready + next > 0);
}

static void empty(void **state)
{
	struct rcu_segcblist l;
	struct rcu_head h;

	(void)state;
	rcu_segcblist_init(&l);
	assert_lens(&l, 0, 0, 0, 0);
	assert_int_equal(rcu_segcblist_n_cbs(&l), 0);
	rcu_segcblist_advance(&l, 4, ULONG_MAX);
	assert_false(rcu_segcblist_accelerate(&l, 4, ULONG_MAX));
	assert_false(rcu_segcblist_entrain(&l, &h));
	assert_lens(&l, 0, 0, 0, 0);
}

/* Posted, assigned, waited for, invoked. */
static void one_callback(void **state)
{
	struct rcu_segcblist l;
	struct rcu_cblist ready;
	struct rcu_head h;

	(void)state;
	rcu_segcblist_init(&l);
	rcu_segcblist_enqueue(&l, &h);
	assert_lens(&l, 0, 0, 0, 1);
	assert_true(rcu_segcblist_accelerate(&l, 4, ULONG_MAX));
	assert_lens(&l, 0, 1, 0, 0);
	rcu_segcblist_advance(&l, 2, ULONG_MAX);
	assert_lens(&l, 0, 1, 0, 0);
	rcu_segcblist_advance(&l, 4, ULONG_MAX);
	assert_lens(&l, 1, 0, 0, 0);
	rcu_cblist_init(&ready);
	rcu_segcblist_extract_done_cbs(&l, &ready);
	assert_lens(&l, 0, 0, 0, 0);
	assert_int_equal(rcu_segcblist_n_cbs(&l), 1); /* being invoked */
	assert_int_equal(ready.len, 1);
	assert_ptr_equal(rcu_cblist_dequeue(&ready), &h);
	assert_null(rcu_cblist_dequeue(&ready));
	rcu_segcblist_add_len(&l, -1);
	assert_int_equal(rcu_segcblist_n_cbs(&l), 0);
}

/* The case for which a request takes its snapshot before it advances. */
static void snapshot_too_new(void **state)
{
	struct rcu_segcblist l;
	struct rcu_head h[3];

	(void)state;
	rcu_segcblist_init(&l);
	for (int i = 0; i < 2; i++) {
		rcu_segcblist_enqueue(&l, &h[i]);
		assert_true(rcu_segcblist_accelerate(&l, 4 + 4 * (unsigned long)i, ULONG_MAX));
	}
	assert_lens(&l, 0, 1, 1, 0);
	rcu_segcblist_enqueue(&l, &h[2]);
	rcu_segcblist_advance(&l, 1, ULONG_MAX); /* grace period 4 seen in progress */
	assert_false(rcu_segcblist_accelerate(&l, 12, ULONG_MAX)); /* 8 seen in progress */
	assert_lens(&l, 0, 1, 1, 1);
	assert_true(rcu_segcblist_accelerate(&l, 8, ULONG_MAX));
	assert_lens(&l, 0, 1, 2, 0);
}

/* Later callbacks join the segment of the same grace period. */
static void joined(void **state)
{
	struct rcu_segcblist l;
	struct rcu_head h[3];

	(void)state;
	rcu_segcblist_init(&l);
	rcu_segcblist_enqueue(&l, &h[0]);
	assert_true(rcu_segcblist_accelerate(&l, 8, ULONG_MAX));
	rcu_segcblist_enqueue(&l, &h[1]);
	assert_true(rcu_segcblist_accelerate(&l, 8, ULONG_MAX));
	assert_lens(&l, 0, 2, 0, 0);
	rcu_segcblist_enqueue(&l, &h[2]);
	assert_true(rcu_segcblist_accelerate(&l, 12, ULONG_MAX));
	assert_lens(&l, 0, 2, 1, 0);
	rcu_segcblist_advance(&l, 8, ULONG_MAX);
	assert_lens(&l, 2, 1, 0, 0);
	assert_int_equal(l.gp_seq[RCU_WAIT], 12);
}

/* A barrier's callback goes behind everything, waiting for nothing new. */
static void entrained(void **state)
{
	struct rcu_segcblist l;
	struct rcu_cblist ready;
	struct rcu_head h[2], b[3];

	(void)state;
	rcu_segcblist_init(&l);
	rcu_segcblist_enqueue(&l, &h[0]);
	assert_true(rcu_segcblist_accelerate(&l, 4, ULONG_MAX));
	assert_true(rcu_segcblist_entrain(&l, &b[0]));
	assert_lens(&l, 0, 2, 0, 0);
	rcu_segcblist_enqueue(&l, &h[1]);
	assert_true(rcu_segcblist_accelerate(&l, 8, ULONG_MAX));
	assert_true(rcu_segcblist_entrain(&l, &b[1]));
	assert_lens(&l, 0, 2, 2, 0);
	rcu_segcblist_advance(&l, 8, ULONG_MAX);
	rcu_cblist_init(&ready);
	rcu_segcblist_extract_done_cbs(&l, &ready);
	assert_ptr_equal(rcu_cblist_dequeue(&ready), &h[0]);
	assert_ptr_equal(rcu_cblist_dequeue(&ready), &b[0]);
	assert_ptr_equal(rcu_cblist_dequeue(&ready), &h[1]);
	assert_ptr_equal(rcu_cblist_dequeue(&ready), &b[1]);
	/* all taken off but still being invoked: it comes right after them */
	assert_true(rcu_segcblist_entrain(&l, &b[2]));
	assert_lens(&l, 1, 0, 0, 0);
}

/* --- against a model --- */

#define MANY 4096
#define NONE UINT64_MAX

/* Callbacks in the order of their posting, with the grace period each waits for;
 * `seq` counts without ever wrapping. */
struct model {
	uint64_t gp[MANY];
	size_t posted, taken;	/* [taken, posted) are in the list */
	uint64_t seq;
	long uncounted;		/* taken off, not yet reported by add_len() */
};

static void model_post(struct model *m, struct rcu_segcblist *l, struct rcu_head *h,
		       unsigned long mask)
{
	uint64_t snap = (m->seq + 7) & ~(uint64_t)3;

	m->gp[m->posted++] = NONE;
	rcu_segcblist_enqueue(l, h);
	rcu_segcblist_advance(l, m->seq & mask, mask);
	assert_true(rcu_segcblist_accelerate(l, snap & mask, mask));
	/* what waited for something later, which nothing can, or for nothing yet */
	for (size_t i = m->taken; i < m->posted; i++)
		if (m->gp[i] > snap)
			m->gp[i] = snap;
}

static void model_entrain(struct model *m, struct rcu_segcblist *l, struct rcu_head *h)
{
	bool any = m->posted > m->taken;

	assert_int_equal(rcu_segcblist_entrain(l, h), any || m->uncounted);
	if (any || m->uncounted) {
		m->gp[m->posted] = any ? m->gp[m->posted - 1] : 0;
		m->posted++;
	}
}

static void model_step_gp(struct model *m)
{
	m->seq += m->seq % 4 == 2 ? 2 : 1;
}

/* Takes the ready ones off and sees that they are those the model says, in order;
 * `over`: they have been invoked as well. */
static void model_invoke(struct model *m, struct rcu_segcblist *l, struct rcu_head *heads,
			 unsigned long mask, bool over)
{
	struct rcu_cblist ready;
	struct rcu_head *h;

	rcu_segcblist_advance(l, m->seq & mask, mask);
	rcu_cblist_init(&ready);
	rcu_segcblist_extract_done_cbs(l, &ready);
	while ((h = rcu_cblist_dequeue(&ready))) {
		assert_true(m->taken < m->posted);
		assert_ptr_equal(h, &heads[m->taken]);
		assert_true(m->gp[m->taken] <= m->seq);
		m->taken++;
		m->uncounted++;
	}
	if (m->taken < m->posted)
		assert_true(m->gp[m->taken] > m->seq);
	if (!over)
		return;
	rcu_segcblist_add_len(l, -m->uncounted);
	m->uncounted = 0;
}

static void random_operations(unsigned bits, uint64_t seed)
{
	static struct rcu_head heads[MANY];
	static struct model m;
	struct rcu_segcblist l;
	unsigned long mask = seq_mask(bits);

	memset(&m, 0, sizeof(m));
	rcu_segcblist_init(&l);
	while (m.posted < MANY) {
		switch (rnd(&seed) % 5) {
		case 0:
		case 1:
			model_post(&m, &l, &heads[m.posted], mask);
			break;
		case 2:
			/* a list that is left alone has nothing to wait for: as SRCU
			 * does, invoke before its numbers go round */
			if (m.posted > m.taken && m.seq >= m.gp[m.taken])
				model_invoke(&m, &l, heads, mask, true);
			model_step_gp(&m);
			break;
		case 3:
			model_invoke(&m, &l, heads, mask, rnd(&seed) & 1);
			break;
		default:
			model_entrain(&m, &l, &heads[m.posted]);
			break;
		}
		assert_int_equal(rcu_segcblist_n_cbs(&l),
				 (long)(m.posted - m.taken) + m.uncounted);
	}
	m.seq += 16;
	if (mask > 63)
		model_invoke(&m, &l, heads, mask, true);
}

static void against_the_model(void **state)
{
	static const unsigned widths[] = { 5, 8, 64 };

	(void)state;
	for (size_t i = 0; i < sizeof(widths) / sizeof(*widths); i++)
		for (uint64_t seed = 1; seed <= 20; seed++)
			random_operations(widths[i], seed * 0x9e3779b97f4a7c15u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(one_callback),
		cmocka_unit_test(snapshot_too_new),
		cmocka_unit_test(joined),
		cmocka_unit_test(entrained),
		cmocka_unit_test(against_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
