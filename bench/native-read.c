/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a pair of lock and unlock costs a reader of libsrcu's two kinds, and what a grace
 * period costs, beside liburcu's flavours, POSIX locks and an empty loop.  All in one
 * process, peers in turn round by round; medians, and the ratio to liburcu's memb flavour
 * of the same round.
 *
 *	bench/native-read [rseq|membarrier|fence]	as if the kernel had no more
 */
#include <config.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef HAVE_LIBURCU
#define _LGPL_SOURCE		/* readers inline, as ours are */
#include <urcu/urcu-memb.h>
#include <urcu/urcu-mb.h>
#include <urcu/urcu-qsbr.h>
#include <urcu/urcu-bp.h>
#endif

#include <srcu/srcu.h>

#include "libsrcu/fast.h"

#define ROUNDS 201
#define PAIRS 2000
#define GRACE_PERIODS 4		/* of each peer in each round */
#define PEERS_MAX 16

/* --- the peers --- */

struct peer {
	const char *name;
	void (*pairs)(unsigned n);
	void (*gp)(void);		/* NULL: has none */
	void (*enter)(void);		/* by each thread, and */
	void (*leave)(void);		/* NULL: nothing to do */
};

/* Nothing is taken out of the loop, or out of the section. */
#define LOOP(name_, lock, unlock)						\
	static void pairs_##name_(unsigned n)					\
	{									\
		for (unsigned i = 0; i < n; i++) {				\
			lock;							\
			__asm__ __volatile__("" : : : "memory");		\
			unlock;							\
		}								\
	}

static SRCU_DEFINE(fast);
static SRCU_DEFINE(normal);
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

LOOP(empty, (void)0, (void)0)
LOOP(fast, struct srcu_ctr *ctr = srcu_read_lock_fast(&fast), srcu_read_unlock_fast(&fast, ctr))
LOOP(normal, int idx = srcu_read_lock(&normal), srcu_read_unlock(&normal, idx))
LOOP(rwlock, pthread_rwlock_rdlock(&rwlock), pthread_rwlock_unlock(&rwlock))
LOOP(mutex, pthread_mutex_lock(&mutex), pthread_mutex_unlock(&mutex))

static void gp_fast(void)
{
	srcu_synchronize(&fast);
}

static void gp_normal(void)
{
	srcu_synchronize(&normal);
}

#ifdef HAVE_LIBURCU
LOOP(memb, urcu_memb_read_lock(), urcu_memb_read_unlock())
LOOP(mb, urcu_mb_read_lock(), urcu_mb_read_unlock())
LOOP(qsbr, urcu_qsbr_read_lock(), urcu_qsbr_read_unlock(); urcu_qsbr_quiescent_state())
LOOP(bp, urcu_bp_read_lock(), urcu_bp_read_unlock())

static void gp_memb(void) { urcu_memb_synchronize_rcu(); }
static void gp_mb(void) { urcu_mb_synchronize_rcu(); }
static void gp_qsbr(void) { urcu_qsbr_synchronize_rcu(); }
static void gp_bp(void) { urcu_bp_synchronize_rcu(); }
static void enter_memb(void) { urcu_memb_register_thread(); }
static void leave_memb(void) { urcu_memb_unregister_thread(); }
static void enter_mb(void) { urcu_mb_register_thread(); }
static void leave_mb(void) { urcu_mb_unregister_thread(); }
/* Only while it is measured: others would wait for a thread that says nothing. */
static void enter_qsbr(void) { urcu_qsbr_register_thread(); }
static void leave_qsbr(void) { urcu_qsbr_unregister_thread(); }
static void enter_bp(void) { urcu_bp_register_thread(); }
static void leave_bp(void) { urcu_bp_unregister_thread(); }
#endif

static const struct peer peers[] = {
	{ "empty loop", pairs_empty, NULL, NULL, NULL },
	{ "libsrcu fast", pairs_fast, gp_fast, NULL, NULL },
	{ "libsrcu normal", pairs_normal, gp_normal, NULL, NULL },
#ifdef HAVE_LIBURCU
	{ "liburcu memb", pairs_memb, gp_memb, enter_memb, leave_memb },
	{ "liburcu qsbr", pairs_qsbr, gp_qsbr, enter_qsbr, leave_qsbr },
	{ "liburcu bp", pairs_bp, gp_bp, enter_bp, leave_bp },
	{ "liburcu mb", pairs_mb, gp_mb, enter_mb, leave_mb },
#endif
	{ "pthread rwlock", pairs_rwlock, NULL, NULL, NULL },
	{ "pthread mutex", pairs_mutex, NULL, NULL, NULL },
};
#define NPEERS (sizeof(peers) / sizeof(peers[0]))

static void enter(const struct peer *p)
{
	if (p->enter)
		p->enter();
}

static void leave(const struct peer *p)
{
	if (p->leave)
		p->leave();
}

/* --- time --- */

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

struct samples { double t[ROUNDS * GRACE_PERIODS]; size_t n; };

static void add(struct samples *s, double t)
{
	s->t[s->n++] = t;
}

/* The median of the ratios of what was measured in the same round. */
static double ratio(const struct samples *s, const struct samples *base)
{
	static struct samples r;
	size_t n = s->n < base->n ? s->n : base->n;

	for (r.n = 0; r.n < n; r.n++)
		r.t[r.n] = s->t[r.n] / base->t[r.n];
	if (!n)
		return 0;
	qsort(r.t, n, sizeof(*r.t), cmp);
	return r.t[n / 2];
}

static double median(struct samples *s)
{
	if (!s->n)
		return 0;
	qsort(s->t, s->n, sizeof(*s->t), cmp);
	return s->t[s->n / 2];
}

/* --- a second thread --- */

static int two_cpus[2];

static void pin(int which)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(two_cpus[which], &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/* The first two that this process may run on. */
static bool find_cpus(void)
{
	cpu_set_t set;
	int n = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		return false;
	for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
		if (CPU_ISSET(cpu, &set))
			two_cpus[n++] = cpu;
	return n == 2;
}

/* What the helper does.  Jobs are numbered: it says which it has begun and ended, and is
 * told up to which it shall stop. */
enum order { ONCE, READ, SIT, QUIT };
static struct {
	enum order order;
	const struct peer *peer;
	unsigned long given, begun, stop, ended;
	unsigned long sections;		/* so many groups of them, in READ */
} helper;

#define STORE(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELEASE)
#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_ACQUIRE)

/* A thread of the qsbr flavour that does not read has to say so. */
static void sit(const struct peer *p, unsigned long job)
{
#ifdef HAVE_LIBURCU
	if (p->pairs == pairs_qsbr)
		urcu_qsbr_thread_offline();
#endif
	while (LOAD(helper.stop) < job)	/* asleep, nearly always */
		nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
#ifdef HAVE_LIBURCU
	if (p->pairs == pairs_qsbr)
		urcu_qsbr_thread_online();
#endif
	(void)p;
}

static void helper_obey(unsigned long job)
{
	const struct peer *p = helper.peer;

	enter(p);
	STORE(helper.begun, job);
	if (helper.order == ONCE)
		p->pairs(PAIRS);
	for (; helper.order == READ && LOAD(helper.stop) < job; STORE(helper.sections, helper.sections + 1))
		p->pairs(16);
	if (helper.order == SIT)
		sit(p, job);
	leave(p);
	STORE(helper.ended, job);
}

static void *helper_main(void *arg)
{
	(void)arg;
	pin(1);
	for (unsigned long job = 1;; job++) {
		while (LOAD(helper.given) < job)
			sched_yield();
		if (helper.order == QUIT)
			return NULL;
		helper_obey(job);
	}
}

static void helper_begin(enum order order, const struct peer *p)
{
	helper.peer = p;
	helper.order = order;
	STORE(helper.given, helper.given + 1);
	while (order != QUIT && LOAD(helper.begun) < helper.given)
		sched_yield();
}

static void helper_end(void)
{
	STORE(helper.stop, helper.given);
	while (LOAD(helper.ended) < helper.given)
		sched_yield();
}

/* --- measuring --- */

static struct samples one[PEERS_MAX], two[PEERS_MAX], idle[PEERS_MAX], busy[PEERS_MAX];

static void measure_pairs(size_t i, bool helped)
{
	const struct peer *p = &peers[i];
	double start;

	enter(p);
	if (helped)
		helper_begin(ONCE, p);
	start = now_ns();
	p->pairs(PAIRS);
	add(helped ? &two[i] : &one[i], (now_ns() - start) / PAIRS);
	leave(p);
	if (helped)
		helper_end();
}

/* Grace periods beside a thread that reads, or sits there.  Where it reads, only those count
 * in whose time it did: else it was not on its CPU, and there was nothing to wait for. */
static void measure_gp(size_t i, bool reads)
{
	const struct peer *p = &peers[i];

	helper_begin(reads ? READ : SIT, p);
	for (int k = 0; k < GRACE_PERIODS; k++) {
		unsigned long before = LOAD(helper.sections);
		double start = now_ns(), t;

		p->gp();
		t = now_ns() - start;
		if (!reads || LOAD(helper.sections) != before)
			add(reads ? &busy[i] : &idle[i], t);
	}
	helper_end();
}

static void one_round(bool have_two)
{
	for (size_t i = 0; i < NPEERS; i++)
		measure_pairs(i, false);
	if (!have_two)
		return;
	for (size_t i = 0; i < NPEERS; i++)
		measure_pairs(i, true);
	for (size_t i = 0; i < NPEERS; i++)
		if (peers[i].gp) {
			measure_gp(i, false);
			measure_gp(i, true);
		}
}

/* --- the table --- */

static void cell(double t, const char *fmt)
{
	if (t > 0)
		printf(fmt, t);
	else
		printf("%*s", (int)strlen("    10.00"), "-");
}

/* Ratios are to this one. */
static size_t base_peer(void)
{
	size_t i = 0;

	while (i < NPEERS - 1 && strcmp(peers[i].name, "liburcu memb"))
		i++;
	return i;
}

static void print_table(void)
{
	size_t base = base_peer();
	double to_base[NPEERS], busy_to_base[NPEERS];

	/* before the samples are sorted */
	for (size_t i = 0; i < NPEERS; i++) {
		to_base[i] = ratio(&one[i], &one[base]);
		busy_to_base[i] = ratio(&busy[i], &busy[base]);
	}
	printf("readers by %s; medians of %d rounds; ratios to %s\n\n",
	       srcu_fast_mode_name(srcu_fast_mode()), ROUNDS, peers[base].name);
	printf("%-16s %9s %9s %9s %12s %12s %9s\n", "", "ns, 1", "ns, 2", "ratio", "gp idle, us",
	       "gp busy, us", "ratio");
	for (size_t i = 0; i < NPEERS; i++) {
		printf("%-16s ", peers[i].name);
		cell(median(&one[i]), "%9.2f");
		putchar(' ');
		cell(median(&two[i]), "%9.2f");
		putchar(' ');
		cell(to_base[i], "%9.2f");
		cell(median(&idle[i]) / 1000, "    %9.2f");
		cell(median(&busy[i]) / 1000, "    %9.2f");
		putchar(' ');
		cell(busy_to_base[i], "%9.2f");
		putchar('\n');
	}
}

static bool limit(const char *name)
{
	for (int m = SRCU_FAST_BY_RSEQ; m <= SRCU_FAST_BY_FENCE; m++)
		if (!strcmp(name, srcu_fast_mode_name((enum srcu_fast_mode)m)))
			return srcu_fast_limit((enum srcu_fast_mode)m);
	return false;
}

int main(int argc, char **argv)
{
	bool have_two = find_cpus();
	pthread_t t;

	if (argc > 1 && !limit(argv[1])) {
		fprintf(stderr, "native-read: no readers by '%s' here\n", argv[1]);
		return 2;
	}
	if (have_two) {
		pin(0);
		have_two = !pthread_create(&t, NULL, helper_main, NULL);
	}
	for (int i = 0; i < ROUNDS; i++)
		one_round(have_two);
	if (have_two) {
		helper_begin(QUIT, NULL);
		pthread_join(t, NULL);
	}
	print_table();
	return 0;
}
