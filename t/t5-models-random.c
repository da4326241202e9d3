/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory models against their definitions: executions at random, with everything that
 * a model knows of, judged by src/memory and by the plain and slow t/lib/naive-lkmm.h.
 * What is sequentially consistent x86 allows, what x86 allows the kernel's model does.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "memory/consistency.h"
#include "memory/internal.h"
#include "lib/naive-lkmm.h"

#define ROUNDS 24000
#define TASKS 4
#define LOCS 4		/* the last is a lock */
#define LOCK (LOCS - 1)
#define TRIES 40	/* to make one that is coherent */

static uint64_t state;

static unsigned below(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)((state * 0x2545f4914f6cdd1du >> 33) % n);
}

static bool once_in(unsigned n) { return !below(n); }

/* --- programs --- */

/* What may occur in one. */
struct kinds { unsigned tasks, accesses, locs; bool plain, deps, locks, made, sleeps; };

static struct mm_event *put(struct mm *m, unsigned task, enum mm_kind kind, unsigned loc)
{
	struct mm_event *e = mm_add(m);

	assert_non_null(e);
	e->kind = (uint8_t)kind;
	e->task = e->cpu = (uint16_t)task;
	e->loc = (uint16_t)loc;
	e->order = ORD_ONCE;
	return e;
}

static void put_fence(struct mm *m, unsigned task, const struct kinds *k)
{
	static const uint8_t orders[] = { ORD_MB, ORD_MB, ORD_RMB, ORD_RMB, ORD_WMB, ORD_WMB, ORD_MB_BEFORE_ATOMIC,
					  ORD_MB_AFTER_ATOMIC, ORD_MB_AFTER_SPINLOCK,
					  ORD_MB_AFTER_UNLOCK_LOCK, ORD_MB_AFTER_UNLOCK_LOCK };
	struct mm_fence *f = mm_add_fence(m);

	assert_non_null(f);
	f->task = (uint16_t)task;
	f->order = orders[below(sizeof(orders))];
	if (k->sleeps && once_in(12)) {
		f->order = ORD_NONE;
		f->flags = MM_SWITCH;
	}
}

static void put_rmw(struct mm *m, unsigned task, unsigned loc)
{
	static const uint8_t orders[] = { ORD_ONCE, ORD_ACQUIRE, ORD_RELEASE, ORD_FULL, ORD_NORETURN };
	uint8_t order = orders[below(sizeof(orders))];
	struct mm_event *r = put(m, task, MM_READ, loc), *w;

	r->order = order == ORD_RELEASE ? ORD_ONCE : order;
	r->flags = MM_LOCKED;
	w = put(m, task, MM_WRITE, loc);
	w->order = order == ORD_ACQUIRE ? ORD_ONCE : order;
	w->flags = MM_LOCKED;
	w->pair = (uint16_t)(m->n - 2);
	m->ev[w->pair].pair = (uint16_t)(m->n - 1);
}

static void put_lock(struct mm *m, unsigned task)
{
	struct mm_event *e = put(m, task, MM_READ, LOCK);

	e->order = ORD_ACQUIRE;
	e->flags = MM_LOCK | MM_LOCKED;
	e = put(m, task, MM_WRITE, LOCK);
	e->order = ORD_NONE;
	e->flags = MM_LOCK | MM_LOCKED;
	e->pair = (uint16_t)(m->n - 2);
	m->ev[e->pair].pair = (uint16_t)(m->n - 1);
}

static void put_unlock(struct mm *m, unsigned task)
{
	struct mm_event *e = put(m, task, MM_WRITE, LOCK);

	e->order = ORD_RELEASE;
	e->flags = MM_UNLOCK;
}

/* The access is made where some read before it said, of which no bit tells. */
static void put_address(struct mm *m, size_t access)
{
	size_t read = below((unsigned)access + 1);

	if (read < access && m->ev[read].task == m->ev[access].task && m->ev[read].kind == MM_READ)
		assert_true(mm_add_addr(m, read, access));
}

static void put_access(struct mm *m, unsigned task, const struct kinds *k, unsigned reads)
{
	struct mm_event *e;
	size_t first = m->n;

	if (once_in(5)) {
		put_rmw(m, task, below(k->locs));
	} else {
		e = put(m, task, once_in(2) ? MM_READ : MM_WRITE, below(k->locs));
		if (once_in(4))
			e->order = e->kind == MM_READ ? ORD_ACQUIRE : ORD_RELEASE;
		if (k->plain && once_in(3)) {
			e->order = ORD_NONE;
			e->flags = MM_PLAIN;
		}
		if (k->sleeps && once_in(20))
			e->flags |= MM_SWITCH;
	}
	for (size_t i = first; k->deps && reads && i < m->n; i++) {
		uint64_t bit = (uint64_t)1 << below(reads);

		e = &m->ev[i];
		switch (below(6)) {
		case 0:
			e->addr = bit;
			break;
		case 1:
			e->data = e->kind == MM_WRITE ? bit : 0;
			break;
		case 2:
			e->ctrl = bit;
			break;
		case 3:
			put_address(m, i);
			break;
		default:
			break;
		}
	}
}

/* Each task's next access or fence in turn, at random. */
static void make_program(struct mm *m, const struct kinds *k)
{
	unsigned left[TASKS] = { 0 }, reads[TASKS] = { 0 }, total = 0;
	bool has[TASKS] = { false };

	mm_clear(m);
	for (unsigned t = 0; t < k->tasks; t++)
		total += left[t] = 2 + below(k->accesses - 1);
	while (total && m->n + 2 * TASKS + 4 < NAIVE_MAX) {
		unsigned t = below(k->tasks);
		size_t n = m->n;

		if (!left[t])
			continue;
		if (once_in(3))
			put_fence(m, t, k);
		if (k->locks && once_in(2)) {
			if (has[t])
				put_unlock(m, t);
			else
				put_lock(m, t);
			has[t] = !has[t];
		} else {
			put_access(m, t, k, reads[t]);
		}
		for (; n < m->n; n++)
			if (m->ev[n].kind == MM_READ)
				m->ev[n].self = (uint64_t)1 << reads[t]++;
		left[t]--;
		total--;
	}
	for (unsigned t = 0; t < k->tasks; t++)
		if (has[t])
			put_unlock(m, t);
	if (k->made && once_in(2) && m->n > 2) {
		size_t a = below((unsigned)m->n - 1), b = a + 1 + below((unsigned)(m->n - a - 1));

		if (m->ev[a].task != m->ev[b].task)
			m->ev[b].after = (uint16_t)a;
	}
}

/* --- executions of them --- */

/* The writes of a location in an order that each task's program order allows. */
static unsigned shuffle(const struct mm *m, unsigned loc, uint16_t *w)
{
	unsigned n = 0;

	for (uint16_t i = 0; i < m->n; i++)
		if (m->ev[i].loc == loc && m->ev[i].kind == MM_WRITE)
			w[n++] = i;
	for (unsigned round = 0; round < 3 * n; round++) {
		unsigned i = below(n);

		if (i + 1 < n && m->ev[w[i]].task != m->ev[w[i + 1]].task) {
			uint16_t x = w[i];

			w[i] = w[i + 1];
			w[i + 1] = x;
		}
	}
	return n;
}

/* Sections of a lock one behind the other: from a lock's write to its task's next unlock. */
static void order_lock(struct mm *m)
{
	uint16_t w[NAIVE_MAX], last = MM_NONE, rank = 0;
	unsigned n = shuffle(m, LOCK, w);

	for (unsigned i = 0; i < n; i++) {
		struct mm_event *e = &m->ev[w[i]];
		uint16_t j = w[i];

		if (e->flags & MM_UNLOCK)
			continue;
		m->ev[e->pair].rf = last;
		e->rank = rank++;
		do
			j++;
		while (m->ev[j].task != e->task || !(m->ev[j].flags & MM_UNLOCK));
		m->ev[j].rank = rank++;
		last = j;
	}
}

static void order_loc(struct mm *m, unsigned loc)
{
	uint16_t w[NAIVE_MAX];
	unsigned n = shuffle(m, loc, w);

	for (unsigned i = 0; i < n; i++)
		m->ev[w[i]].rank = (uint16_t)i;
	for (unsigned i = 0; i < m->n; i++) {
		struct mm_event *e = &m->ev[i];
		unsigned k;

		if (e->loc != loc || e->kind != MM_READ)
			continue;
		k = e->pair != MM_NONE ? m->ev[e->pair].rank : below(n + 1);
		e->rf = k ? w[k - 1] : MM_NONE;
	}
}

static bool make_execution(struct mm *m, const struct kinds *k)
{
	for (unsigned t = 0; t < TRIES; t++) {
		order_lock(m);
		for (unsigned l = 0; l < k->locs; l++)
			order_loc(m, l);
		if (mm_coherent(m))
			return true;
	}
	return false;
}

/* --- what is wrong --- */

static const char *print(const struct mm *m)
{
	static char text[8192];
	size_t n = 0, f = 0;

	for (size_t i = 0; i <= m->n; i++) {
		const struct mm_event *e = &m->ev[i];

		for (; f < m->nfences && m->fences[f].at <= i; f++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "    P%u fence %s%s\n", m->fences[f].task,
					      order_name(m->fences[f].order), m->fences[f].flags ? "sleeps" : "");
		if (i == m->n)
			break;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%2zu: P%u %c%u %s rf %d rank %u pair %d after %d "
				      "flags %x addr %x data %x ctrl %x\n", i, e->task, "RW"[e->kind], e->loc,
				      order_name(e->order), (int16_t)e->rf, e->rank, (int16_t)e->pair,
				      (int16_t)e->after, e->flags, (unsigned)e->addr, (unsigned)e->data,
				      (unsigned)e->ctrl);
	}
	for (size_t i = 0; i < m->naddrs; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "    %u says where %u is made\n",
				      m->addrs[i].read, m->addrs[i].access);
	return text;
}

struct tally { unsigned made, sc, tso, weak, forbidden, quick; };

static void judge(struct mm *m, struct tally *t)
{
	struct mm_places p;
	bool sc = mm_sc(m), tso = mm_tso(m), weak = mm_lkmm(m), naive = naive_lkmm(m);

	t->made++;
	t->sc += sc;
	t->tso += tso;
	t->weak += weak;
	t->forbidden += !naive;
	if (sc != naive_sc(m))
		fail_msg("mm_sc() says %d:\n%s", sc, print(m));
	if (tso != naive_tso(m))
		fail_msg("mm_tso() says %d:\n%s", tso, print(m));
	if (weak != naive)
		fail_msg("mm_lkmm() says %d:\n%s", weak, print(m));
	if ((sc && !tso) || (tso && !weak))
		fail_msg("sc %d, tso %d, weak %d:\n%s", sc, tso, weak, print(m));
	assert_true(mm_index(m, &p));
	if (mm_is_no_lkmm(m, &p)) {
		t->quick++;
		if (naive)
			fail_msg("mm_is_no_lkmm() says that it is forbidden:\n%s", print(m));
	}
}

static void executions(const struct kinds *k, uint64_t seed)
{
	struct tally t = { 0 };
	struct mm m = { 0 };

	state = seed;
	for (unsigned i = 0; i < ROUNDS / 6; i++) {
		make_program(&m, k);
		for (unsigned e = 0; e < 6 && make_execution(&m, k); e++)
			if (naive_in_order(&m))
				judge(&m, &t);
	}
	mm_release(&m);
	print_message("%u executions: sc %u, tso %u, weak %u, forbidden %u, quickly seen %u\n", t.made, t.sc,
		      t.tso, t.weak, t.forbidden, t.quick);
	/* all verdicts have been seen */
	assert_true(t.sc && t.tso > t.sc && t.weak > t.tso && t.forbidden);
	assert_true(k->plain || t.quick);
}

static void test_marked(void **unused)
{
	(void)unused;
	executions(&(struct kinds){ .tasks = 2, .accesses = 5, .locs = 2 }, 1);
	executions(&(struct kinds){ .tasks = 3, .accesses = 3, .locs = 2 }, 2);
	executions(&(struct kinds){ .tasks = 4, .accesses = 3, .locs = 3 }, 3);
}

static void test_dependencies(void **unused)
{
	(void)unused;
	executions(&(struct kinds){ .tasks = 3, .accesses = 4, .locs = 3, .deps = true }, 4);
}

static void test_locks(void **unused)
{
	(void)unused;
	executions(&(struct kinds){ .tasks = 2, .accesses = 6, .locs = 2, .locks = true }, 5);
	executions(&(struct kinds){ .tasks = 3, .accesses = 5, .locs = 2, .locks = true }, 6);
}

static void test_plain(void **unused)
{
	(void)unused;
	executions(&(struct kinds){ .tasks = 3, .accesses = 4, .locs = 3, .deps = true, .plain = true }, 7);
	executions(&(struct kinds){ .tasks = 2, .accesses = 6, .locs = 2, .deps = true, .plain = true }, 8);
}

static void test_made(void **unused)
{
	(void)unused;
	executions(&(struct kinds){ .tasks = 3, .accesses = 4, .locs = 2, .made = true, .sleeps = true }, 9);
}

static void test_everything(void **unused)
{
	(void)unused;
	executions(&(struct kinds){ .tasks = 4, .accesses = 5, .locs = 3, .made = true, .sleeps = true,
				    .locks = true, .deps = true, .plain = true }, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_marked),
		cmocka_unit_test(test_dependencies),
		cmocka_unit_test(test_locks),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_made),
		cmocka_unit_test(test_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
