/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libsrcu: what a grace period guarantees, with real threads.  Readers follow a pointer to
 * the newest of a few objects, updaters replace it and mark the old one only after a grace
 * period, by each of the ways there are to wait for one; a reader that sees a mark has not
 * been waited for.  Beside that each function does what its documentation says.
 */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <srcu/kernel-names.h>

#define ROUNDS	3000	/* grace periods of an updater */
#define READERS	2

/* --- the pipe --- */

/* Fresh, then replaced and waited for: nobody may be looking any more. */
struct node {
	unsigned long gone;
	unsigned long payload;
	struct rcu_head head;
};

struct pipe {
	struct srcu_domain *d;
	struct node *newest;
	pthread_mutex_t lock;		/* of updaters, while they replace */
	unsigned long errors, sections, stop;
	void (*wait)(struct pipe *p, struct node *old);
};

static void look(struct pipe *p, int pauses)
{
	int idx = srcu_read_lock(p->d);
	struct node *n = srcu_dereference(p->newest, p->d);

	for (int i = 0; i <= pauses; i++) {
		if (__atomic_load_n(&n->gone, __ATOMIC_RELAXED))
			__atomic_fetch_add(&p->errors, 1, __ATOMIC_RELAXED);
		if (i < pauses)
			sched_yield();
	}
	srcu_read_unlock(p->d, idx);
	__atomic_fetch_add(&p->sections, 1, __ATOMIC_RELAXED);
}

static void *reader(void *arg)
{
	struct pipe *p = arg;

	for (unsigned long i = 0; !__atomic_load_n(&p->stop, __ATOMIC_RELAXED); i++)
		look(p, i % 16 ? 0 : 3);
	return NULL;
}

static void retire(struct node *n)
{
	__atomic_store_n(&n->gone, 1, __ATOMIC_RELAXED);
	free(n);
}

static struct node *node_new(void)
{
	struct node *n = calloc(1, sizeof(*n));

	assert_non_null(n);
	return n;
}

static void *updater(void *arg)
{
	struct pipe *p = arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct node *fresh = node_new(), *old;

		pthread_mutex_lock(&p->lock);
		old = p->newest;
		__atomic_store_n(&p->newest, fresh, __ATOMIC_RELEASE);
		pthread_mutex_unlock(&p->lock);
		p->wait(p, old);
	}
	return NULL;
}

static void run_pipe(struct srcu_domain *d, unsigned updaters,
		     void (*wait)(struct pipe *, struct node *))
{
	struct pipe p = { .d = d, .newest = node_new(), .wait = wait,
			  .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t r[READERS], u[8];

	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&r[i], NULL, reader, &p), 0);
	for (unsigned i = 0; i < updaters; i++)
		assert_int_equal(pthread_create(&u[i], NULL, updater, &p), 0);
	for (unsigned i = 0; i < updaters; i++)
		pthread_join(u[i], NULL);
	__atomic_store_n(&p.stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < READERS; i++)
		pthread_join(r[i], NULL);
	assert_int_equal(srcu_barrier(d), 0);
	free(p.newest);
	assert_int_equal(p.errors, 0);
	assert_true(p.sections > 0);
}

static void by_synchronize(struct pipe *p, struct node *old)
{
	srcu_synchronize(p->d);
	retire(old);
}

static void by_expedited(struct pipe *p, struct node *old)
{
	srcu_synchronize_expedited(p->d);
	retire(old);
}

static void retire_head(struct rcu_head *head)
{
	retire((struct node *)((char *)head - offsetof(struct node, head)));
}

static void by_call(struct pipe *p, struct node *old)
{
	assert_int_equal(srcu_call(p->d, &old->head, retire_head), 0);
}

static void by_polling(struct pipe *p, struct node *old)
{
	unsigned long cookie = srcu_get_state(p->d);

	/* what get_state() stands for comes about by somebody's grace period */
	if (!srcu_poll_state(p->d, cookie))
		cookie = srcu_start_poll(p->d);
	for (int i = 0; !srcu_poll_state(p->d, cookie); i++) {
		if (i == 20)
			srcu_synchronize(p->d);
		sched_yield();
	}
	retire(old);
}

static void by_anything(struct pipe *p, struct node *old)
{
	static void (*const ways[])(struct pipe *, struct node *) = {
		by_synchronize, by_call, by_expedited, by_polling, by_call
	};
	static unsigned turn;

	ways[__atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED) % 5](p, old);
}

static void pipe_synchronize(void **state)
{
	static SRCU_DEFINE(d);

	(void)state;
	run_pipe(&d, 1, by_synchronize);
	assert_int_equal(srcu_cleanup(&d), 0);
}

static void pipe_many_callers(void **state)
{
	static SRCU_DEFINE(d);

	(void)state;
	run_pipe(&d, 4, by_synchronize);
	assert_int_equal(srcu_cleanup(&d), 0);
}

static void pipe_call(void **state)
{
	static SRCU_DEFINE(d);

	(void)state;
	run_pipe(&d, 2, by_call);
	assert_int_equal(srcu_cleanup(&d), 0);
}

static void pipe_mixed(void **state)
{
	static SRCU_DEFINE(d);

	(void)state;
	run_pipe(&d, 3, by_anything);
	assert_int_equal(srcu_cleanup(&d), 0);
}

/* More CPUs than there are, in a tree of several levels; and fewer. */
static void pipe_geometries(void **state)
{
	static const struct srcu_options shapes[] = {
		{ .size = sizeof(struct srcu_options), .cpus = 1 },
		{ .size = sizeof(struct srcu_options), .cpus = 67, .fanout = 2,
		  .fanout_leaf = 2, .readers = SRCU_READERS_NORMAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		struct srcu_domain d;

		assert_int_equal(srcu_init_options(&d, &shapes[i]), 0);
		run_pipe(&d, 2, by_anything);
		assert_int_equal(srcu_cleanup(&d), 0);
	}
}

/* --- a section in the way --- */

struct handshake {
	struct srcu_domain d;
	unsigned long step;
	int idx;
};

static void reach(struct handshake *h, unsigned long step)
{
	__atomic_store_n(&h->step, step, __ATOMIC_RELEASE);
}

static void await(struct handshake *h, unsigned long step)
{
	while (__atomic_load_n(&h->step, __ATOMIC_ACQUIRE) < step)
		sched_yield();
}

static void *waits_for_us(void *arg)
{
	struct handshake *h = arg;

	reach(h, 1);
	srcu_synchronize(&h->d);
	reach(h, 2);
	return NULL;
}

/* A grace period does not end before the section that was open when it began, however
 * many others come and go; and does when that one has ended. */
static void waits_for_the_section(void **state)
{
	static struct handshake h;
	unsigned long cookie;
	pthread_t t;

	(void)state;
	h.idx = srcu_read_lock(&h.d);
	assert_int_equal(pthread_create(&t, NULL, waits_for_us, &h), 0);
	await(&h, 1);
	cookie = srcu_start_poll(&h.d);
	for (int i = 0; i < 20000; i++) {
		srcu_read_unlock(&h.d, srcu_read_lock(&h.d));
		assert_int_equal(__atomic_load_n(&h.step, __ATOMIC_RELAXED), 1);
		if (i % 100 == 0)
			sched_yield();
	}
	assert_false(srcu_poll_state(&h.d, cookie));
	srcu_read_unlock(&h.d, h.idx);
	pthread_join(t, NULL);
	srcu_synchronize(&h.d);
	assert_true(srcu_poll_state(&h.d, cookie));
	assert_int_equal(srcu_cleanup(&h.d), 0);
}

static void *ends_it(void *arg)
{
	struct handshake *h = arg;

	srcu_up_read(&h->d, h->idx);
	return NULL;
}

/* Begun here, ended there; nested and overlapping beside it. */
static void handed_over(void **state)
{
	static struct handshake h;
	unsigned long cookie;
	int inner, outer;
	pthread_t t;

	(void)state;
	outer = srcu_read_lock(&h.d);
	h.idx = srcu_down_read(&h.d);
	inner = srcu_read_lock(&h.d);
	cookie = srcu_start_poll(&h.d);
	srcu_read_unlock(&h.d, outer);	/* overlapping: the outer one first */
	assert_int_equal(pthread_create(&t, NULL, ends_it, &h), 0);
	pthread_join(t, NULL);
	for (int i = 0; i < 1000; i++)
		assert_false(srcu_poll_state(&h.d, cookie));
	srcu_read_unlock(&h.d, inner);
	srcu_synchronize(&h.d);
	assert_true(srcu_poll_state(&h.d, cookie));
	assert_int_equal(srcu_cleanup(&h.d), 0);
}

/* One domain's section is nothing to another. */
static void domains_apart(void **state)
{
	static SRCU_DEFINE(a);
	static SRCU_DEFINE(b);
	int idx;

	(void)state;
	idx = srcu_read_lock(&a);
	srcu_synchronize(&b);
	srcu_synchronize_expedited(&b);
	assert_int_equal(srcu_cleanup(&a), EBUSY);
	srcu_read_unlock(&a, idx);
	assert_int_equal(srcu_cleanup(&a), 0);
	assert_int_equal(srcu_cleanup(&b), 0);
}

/* Requests that come while a grace period is under way need its end and one more. */
static void requests_share(void **state)
{
	static SRCU_DEFINE(d);
	unsigned long cookies[100], first, batches;
	int idx = srcu_read_lock(&d);

	(void)state;
	batches = srcu_batches_completed(&d);
	first = srcu_start_poll(&d);
	while (srcu_batches_completed(&d) == batches)
		usleep(100);	/* the flip: the section is waited for */
	batches++;
	for (int i = 0; i < 100; i++)
		cookies[i] = srcu_start_poll(&d);
	assert_false(srcu_poll_state(&d, first));
	srcu_read_unlock(&d, idx);
	for (int i = 0; i < 100; i++)
		while (!srcu_poll_state(&d, cookies[i]))
			usleep(100);
	assert_int_equal(srcu_batches_completed(&d), batches + 1);
	assert_int_equal(srcu_cleanup(&d), 0);
}

/* --- callbacks --- */

struct again {
	struct rcu_head head, other;
	struct srcu_domain *d;
	unsigned long left, invoked, err;
};

static void count_one(struct rcu_head *head)
{
	struct again *a = (struct again *)((char *)head - offsetof(struct again, other));

	a->invoked++;
}

/* Posts itself and another, waits for a grace period, and tries what it must not. */
static void post_again(struct rcu_head *head)
{
	struct again *a = (struct again *)head;

	a->invoked++;
	if (srcu_barrier(a->d) != EDEADLK)
		a->err++;
	if (srcu_cleanup(a->d) != EBUSY && a->left)
		a->err++;
	srcu_synchronize(a->d);
	if (a->left-- > 1) {
		if (srcu_call(a->d, &a->head, post_again))
			a->err++;
	} else if (srcu_call(a->d, &a->other, count_one)) {
		a->err++;
	}
}

static void call_from_callback(void **state)
{
	static SRCU_DEFINE(d);
	struct again a = { .d = &d, .left = 5 };
	int idx;

	(void)state;
	idx = srcu_read_lock(&d);
	assert_int_equal(srcu_call(&d, &a.head, post_again), 0);
	assert_int_equal(srcu_call(&d, &a.head, post_again), EBUSY);
	assert_int_equal(srcu_cleanup(&d), EBUSY);
	srcu_read_unlock(&d, idx);
	for (int i = 0; i < 7; i++)
		assert_int_equal(srcu_barrier(&d), 0);
	assert_int_equal(a.invoked, 6);
	assert_int_equal(a.err, 0);
	assert_int_equal(srcu_cleanup(&d), 0);
}

static unsigned long order_errors;
struct numbered { struct rcu_head head; unsigned long n; };
static unsigned long last_number;

static void in_order(struct rcu_head *head)
{
	struct numbered *x = (struct numbered *)head;

	if (x->n != last_number + 1)
		order_errors++;
	last_number = x->n;
}

/* srcu_barrier() waits for all of them; those of one CPU come in order. */
static void barrier_waits(void **state)
{
	enum { N = 20000 };
	static struct numbered x[N];
	struct srcu_options one = { .size = sizeof(one), .cpus = 1 };
	struct srcu_domain d;

	(void)state;
	assert_int_equal(srcu_init_options(&d, &one), 0);
	assert_int_equal(srcu_barrier(&d), 0);	/* of nothing */
	for (unsigned long i = 0; i < N; i++) {
		x[i].n = i + 1;
		assert_int_equal(srcu_call(&d, &x[i].head, in_order), 0);
		if (i % 7000 == 0)
			srcu_synchronize(&d);
	}
	assert_int_equal(srcu_barrier(&d), 0);
	assert_int_equal(last_number, N);
	assert_int_equal(order_errors, 0);
	assert_int_equal(srcu_cleanup(&d), 0);
}

/* --- whoever waits is served --- */

#define TURNS 1500

static SRCU_DEFINE(shared);

static void drop(struct rcu_head *head) { free(head); }

/* Nobody drives on behalf of those who only poll: when those who drive have gone, what is
 * left to do must be the worker's. */
static void *drives_then_polls(void *arg)
{
	for (unsigned i = 0; i < TURNS; i++) {
		unsigned long cookie;

		switch (i % 4) {
		case 0: srcu_synchronize_expedited(&shared); break;
		case 1: srcu_call(&shared, calloc(1, sizeof(struct rcu_head)), drop); break;
		default: srcu_synchronize(&shared);
		}
		cookie = srcu_start_poll(&shared);
		while (!srcu_poll_state(&shared, cookie))
			usleep(20);
	}
	return arg;
}

static void nobody_is_forgotten(void **state)
{
	pthread_t t[6];

	(void)state;
	for (int i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&t[i], NULL, drives_then_polls, NULL), 0);
	for (int i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(srcu_barrier(&shared), 0);
	assert_int_equal(srcu_cleanup(&shared), 0);
}

/* --- making and ending --- */

static void absurd_options(void **state)
{
	static const struct srcu_options bad[] = {
		{ .size = 0 },
		{ .size = sizeof(struct srcu_options) - 1 },
		{ .size = sizeof(struct srcu_options), .cpus = 4097 },
		{ .size = sizeof(struct srcu_options), .cpus = ~0u },
		{ .size = sizeof(struct srcu_options), .fanout = 1 },
		{ .size = sizeof(struct srcu_options), .fanout = 65 },
		{ .size = sizeof(struct srcu_options), .fanout_leaf = 1 },
		{ .size = sizeof(struct srcu_options), .fanout_leaf = 65 },
		{ .size = sizeof(struct srcu_options), .fanout = 2, .fanout_leaf = 4 },
		{ .size = sizeof(struct srcu_options), .readers = (enum srcu_readers)3 },
	};
	struct srcu_options huge = { .size = sizeof(huge), .cpus = 4096, .fanout = 2,
				     .fanout_leaf = 2 };
	struct srcu_domain d, before;

	(void)state;
	memset(&d, 0x5a, sizeof(d));
	before = d;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(srcu_init_options(&d, &bad[i]), EINVAL);
		assert_memory_equal(&d, &before, sizeof(d));
	}
	assert_int_equal(srcu_init_options(NULL, &huge), EINVAL);
	assert_int_equal(srcu_init_options(&d, NULL), EINVAL);
	assert_int_equal(srcu_init(NULL), EINVAL);
	assert_int_equal(srcu_init((struct srcu_domain *)((char *)&d + 1)), EINVAL);
	assert_int_equal(srcu_init_options(&d, &huge), 0);
	srcu_synchronize(&d);
	assert_int_equal(srcu_cleanup(&d), 0);
}

/* Kernel code's names; a domain that has been ended may be used as a static one. */
static void kernel_names(void **state)
{
	DEFINE_STATIC_SRCU(ss);
	struct srcu_struct other;
	unsigned long cookie, batches;
	int idx;

	(void)state;
	assert_int_equal(init_srcu_struct(&other), 0);
	for (int i = 0; i < 3; i++) {
		cookie = get_state_synchronize_srcu(&ss);
		assert_false(poll_state_synchronize_srcu(&ss, cookie));
		batches = srcu_batches_completed(&ss);
		idx = srcu_read_lock_nmisafe(&ss);
		srcu_read_unlock_nmisafe(&ss, idx);
		smp_mb__after_srcu_read_unlock();
		synchronize_srcu(&ss);
		synchronize_srcu_expedited(&ss);
		assert_true(poll_state_synchronize_srcu(&ss, cookie));
		assert_true(srcu_batches_completed(&ss) > batches);
		cleanup_srcu_struct(&ss);
	}
	cleanup_srcu_struct(&other);
}

static void *one_section(void *arg)
{
	srcu_read_unlock(arg, srcu_read_lock(arg));
	return NULL;
}

/* Threads leave nothing behind. */
static void short_threads(void **state)
{
	static SRCU_DEFINE(d);

	(void)state;
	for (int i = 0; i < 2000; i++) {
		pthread_t t;

		assert_int_equal(pthread_create(&t, NULL, one_section, &d), 0);
		if (i % 100 == 0)
			srcu_synchronize(&d);
		pthread_join(t, NULL);
	}
	srcu_synchronize(&d);
	assert_int_equal(srcu_cleanup(&d), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pipe_synchronize),
		cmocka_unit_test(pipe_many_callers),
		cmocka_unit_test(pipe_call),
		cmocka_unit_test(pipe_mixed),
		cmocka_unit_test(pipe_geometries),
		cmocka_unit_test(waits_for_the_section),
		cmocka_unit_test(handed_over),
		cmocka_unit_test(domains_apart),
		cmocka_unit_test(requests_share),
		cmocka_unit_test(call_from_callback),
		cmocka_unit_test(barrier_waits),
		cmocka_unit_test(nobody_is_forgotten),
		cmocka_unit_test(absurd_options),
		cmocka_unit_test(kernel_names),
		cmocka_unit_test(short_threads),
	};

	alarm(300);	/* what hangs, fails */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
