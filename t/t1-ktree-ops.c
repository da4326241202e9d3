/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's side of kernel trees, with an image that is no kernel's: a toy that counts
 * readers per CPU and whose updater sleeps, with a completion on its stack, until a work
 * item has seen none.  What it asks of the host is what a kernel tree asks.
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

#include "check/check.h"
#include "engine/checkpoint.h"
#include "engine/log.h"
#include "k/work.h"
#include "ktree/ktree.h"

/* --- the image --- */

struct toy_cpu { long inside; struct work_struct work; struct timer_list timer; };
struct toy_sync { void *next, *func; uint64_t done; };
struct toy_sup {
	uint64_t lock[2], seq;
	struct delayed_work work, second;
	struct toy_sync *waiter;
	struct toy *ssp;
};
struct toy { struct toy_sup *sup; char *sda; struct rcu_head *head; };

/* Static data of the image. */
static struct { int limit; unsigned booted; unsigned long passes; } data = { .limit = 7 };

static struct ktree_host *host;

#define SITE(op_, order_, flags_, prim_, expr_) ({				\
	static struct site s_ = { .op = (op_), .order = (order_), .flags = (flags_), \
		.prim = (prim_), .expr = (expr_), .func = __func__,		\
		.file = "kernel/toy.c", .line = __LINE__ };			\
	&s_; })
#define LOAD(p)		host->event(SITE(OP_LOAD, ORD_ONCE, 0, "READ_ONCE", #p), p, 8, 0, 0)
#define STORE(p, v)	host->event(SITE(OP_STORE, ORD_ONCE, 0, "WRITE_ONCE", #p), p, 8, v, 0)
#define ADD(p, n)	host->event(SITE(OP_CPU_ADD, ORD_NONE, 0, "this_cpu_inc", #p), p, 8, (uint64_t)(n), 0)
#define LOCK(p)		host->event(SITE(OP_LOCK, ORD_ACQUIRE, SITE_SPIN, "spin_lock", #p), p, 8, 0, 0)
#define UNLOCK(p)	host->event(SITE(OP_UNLOCK, ORD_RELEASE, SITE_SPIN, "spin_unlock", #p), p, 8, 0, 0)
#define WAIT(p)		host->event(SITE(OP_WAIT, ORD_ACQUIRE, SITE_SLEEPS, "wait_for_completion", #p), p, 8, 0, 0)
#define COMPLETE(p)	host->event(SITE(OP_COMPLETE, ORD_RELEASE, 0, "complete", #p), p, 8, 1, 0)
#define WARN(c)		host->warn(c, "WARN_ON(" #c ")", __func__, "kernel/toy.c", __LINE__)

static struct toy_cpu *toy_cpu(struct toy *t, unsigned cpu)
{
	return (struct toy_cpu *)(t->sda + (size_t)cpu * KTREE_PCPU_STRIDE);
}

static void toy_process(struct work_struct *work)
{
	struct toy_sup *sup = container_of(work, struct toy_sup, work.work);
	uint64_t inside = 0;

	data.passes++;
	for (unsigned cpu = 0; cpu < host->nr_cpus(); cpu++)
		inside += LOAD(&toy_cpu(sup->ssp, cpu)->inside);
	if (inside) {
		(host->queue_delayed_work)(&sup->work, 1,
					 SITE(OP_CMPXCHG, ORD_FULL, 0, "queue_delayed_work", "work"));
		return;
	}
	LOCK(sup->lock);
	sup->seq++;
	UNLOCK(sup->lock);
	if (sup->ssp->head) {
		struct rcu_head *head = sup->ssp->head;

		sup->ssp->head = NULL;
		head->func(head);
		/* the user's function may have been anywhere */
		LOAD(&sup->seq);
	}
	if (sup->waiter)
		COMPLETE(&sup->waiter->done);
}

static void toy_nothing(struct work_struct *work) { (void)work; }
static void toy_tick(struct timer_list *t) { (void)t; }

static void toy_ready(struct toy *t)
{
	STORE(&t->sup->seq, 4);
	t->sup->ssp = t;
	host->init_delayed_work(&t->sup->work, toy_process, "&sup->work");
	host->init_delayed_work(&t->sup->second, toy_nothing, "&sup->second");
	for (unsigned cpu = 0; cpu < host->nr_cpus(); cpu++) {
		host->init_work(&toy_cpu(t, cpu)->work, toy_nothing, "&sdp->work");
		host->timer_setup(&toy_cpu(t, cpu)->timer, toy_tick, "&sdp->timer");
	}
}

static int toy_init(void *ssp)
{
	struct toy *t = ssp;

	t->sup = host->alloc(1, sizeof(*t->sup), "sizeof(*sup)", true,
			     SITE(OP_YIELD, ORD_NONE, 0, "kzalloc", "sizeof(*sup)"));
	if (!t->sup)
		return -12;
	t->sda = host->alloc_percpu(sizeof(struct toy_cpu), "struct toy_cpu",
				    SITE(OP_YIELD, ORD_NONE, 0, "alloc_percpu", "struct toy_cpu"));
	toy_ready(t);
	return 0;
}

static void toy_init_static(void *ssp, void *sup, void *sda)
{
	struct toy *t = ssp;

	t->sup = sup;
	t->sda = sda;
	toy_ready(t);
}

static void toy_cleanup(void *ssp)
{
	struct toy *t = ssp;

	for (unsigned cpu = 0; cpu < host->nr_cpus(); cpu++)
		if (WARN(LOAD(&toy_cpu(t, cpu)->inside) != 0))
			return;
	host->free_percpu(t->sda, SITE(OP_FREE, ORD_NONE, 0, "free_percpu", "t->sda"));
	host->free(t->sup, SITE(OP_FREE, ORD_NONE, 0, "kfree", "t->sup"));
}

static int toy_read_lock(void *ssp)
{
	ADD(&toy_cpu(ssp, host->cpu())->inside, 1);
	return 0;
}

static void toy_read_unlock(void *ssp, int idx)
{
	(void)idx;
	ADD(&toy_cpu(ssp, host->cpu())->inside, -1);
}

static void toy_queue(struct toy *t)
{
	(host->queue_delayed_work)(&t->sup->work, 0,
				 SITE(OP_CMPXCHG, ORD_FULL, 0, "queue_delayed_work", "work"));
}

/* As an image's code is compiled: a sanitizer may keep `sync` somewhere else than on the stack. */
__attribute__((no_sanitize_address)) static void toy_synchronize(void *ssp)
{
	struct toy *t = ssp;
	struct toy_sync sync = { .done = 0 };

	host->init_completion(&sync.done, "&sync.done");
	t->sup->waiter = &sync;
	toy_queue(t);
	WAIT(&sync.done);
}

static void toy_call(void *ssp, void *rhp, void (*func)(void *rhp))
{
	struct toy *t = ssp;
	struct rcu_head *head = rhp;

	head->func = (void (*)(struct rcu_head *))(void *)func;
	t->head = head;
	toy_queue(t);
}

static unsigned long toy_state(void *ssp)
{
	/* what a task may not do */
	host->die("a toy has no cookies", __func__, "kernel/toy.c", __LINE__);
	return (unsigned long)ssp;
}

static bool toy_poll(void *ssp, unsigned long cookie)
{
	(void)ssp;
	return cookie == 0;
}

static bool toy_boot(unsigned fanout, unsigned fanout_leaf)
{
	data.booted = fanout * 100 + fanout_leaf + 1;
	return fanout != 63;
}

static void toy_view(void *ssp, struct ktree_view *v)
{
	struct toy *t = ssp;

	v->has = 1u << KTREE_GP_SEQ | 1u << KTREE_GP_SEQ_NEEDED;
	v->value[KTREE_GP_SEQ] = v->value[KTREE_GP_SEQ_NEEDED] = t->sup ? t->sup->seq : 0;
}

static const struct ktree_field ssp_fields[] = { { "sup", 0, 8, 0, 0, FIELD_PTR }, { 0 } };
static const struct ktree_field sup_fields[] = {
	{ "lock", offsetof(struct toy_sup, lock), 8, 0, 0, FIELD_OWNER },
	{ "seq", offsetof(struct toy_sup, seq), 8, 0, 0, 0 }, { 0 }
};
static const struct ktree_field sdp_fields[] = { { "inside", 0, 8, 0, 0, 0 }, { 0 } };
static const struct ktree_param params[] = {
	{ "small_contention_lim", "int", &data.limit, sizeof(data.limit) }
};

static const struct ktree_image image = {
	.abi = KTREE_ABI, .site_size = sizeof(struct site), .variant = "tree", .nr_cpus = 4,
	.ssp_size = sizeof(struct toy), .sup_size = sizeof(struct toy_sup),
	.sdp_size = sizeof(struct toy_cpu),
	.fields = { [KTREE_SSP] = ssp_fields, [KTREE_SUP] = sup_fields, [KTREE_SDP] = sdp_fields },
	.data = &data, .data_end = &data + 1,
	.params = params, .params_end = params + 1,
	.boot = toy_boot, .init = toy_init, .init_static = toy_init_static, .cleanup = toy_cleanup,
	.read_lock = toy_read_lock, .read_unlock = toy_read_unlock,
	.synchronize = toy_synchronize, .call = toy_call, .get_state = toy_state,
	.poll_state = toy_poll, .view = toy_view,
};

static struct ktree toy;

static int load_toy(void **state)
{
	(void)state;
	host = calloc(1, sizeof(*host));
	ktree_host_fill(host);
	toy.image = &image;
	toy.host = host;
	ktree_ops_fill(&toy);
	return 0;
}

/* --- worlds --- */

struct scene {
	struct world *w;
	struct srcu *ss;
	struct task *t[3];
};

static void begin(struct scene *s, enum carrier_kind carrier)
{
	memset(s, 0, sizeof(*s));
	s->w = world_new(carrier);
	assert_non_null(s->w);
	check_attach(s->w);
	assert_true(world_set_cpus(s->w, 2));
}

static void domain(struct scene *s, const char *name, const struct srcu_opts *o)
{
	s->ss = srcu_new(s->w, name, &toy.ops, o);
	if (!s->ss)
		fail_msg("%s", world_error(s->w));
}

static struct task *thread(struct scene *s, int i, const char *name, void (*body)(void *))
{
	return s->t[i] = task_new(s->w, TASK_THREAD, name, i, body, s, NULL);
}

/* In turns, until nobody can move; violations or not. */
static void run(struct scene *s)
{
	struct run_policy p = { .last = -1 };

	while (world_run(s->w, &p, 10000) == RUN_VIOLATED)
		;
}

static void step(struct scene *s, const char *name)
{
	struct task *t = task_by_name(s->w, name);

	assert_non_null(t);
	assert_int_equal(world_step(s->w, t, 0), STEP_OK);
}

static void reader(void *arg)
{
	struct scene *s = arg;
	int idx = srcu_read_lock(s->ss);

	srcu_read_unlock(s->ss, idx);
}

static void writer(void *arg)
{
	struct scene *s = arg;

	synchronize_srcu(s->ss);
}

/* The events of the execution so far. */
static char *events(struct world *w)
{
	struct event_view v;
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	for (uint64_t i = 1; i <= world_steps(w); i++)
		if (event_view(w, i, &v))
			fprintf(f, "%s %s %s:%d\n", v.thread, v.text, v.file, v.line);
	fclose(f);
	return text;
}

static bool has_line(const char *text, const char *part)
{
	if (strstr(text, part))
		return true;
	print_message("no \"%s\" in\n%s", part, text);
	return false;
}

static char *grace_period(enum carrier_kind carrier)
{
	struct scene s;
	char *text;

	begin(&s, carrier);
	domain(&s, "ss", NULL);
	thread(&s, 0, "reader", reader);
	thread(&s, 1, "writer", writer);
	assert_true(world_prime(s.w));
	step(&s, "reader");
	step(&s, "writer");
	for (int i = 0; i < 3; i++)
		step(&s, "kworker/ss:gp");
	run(&s);
	text = events(s.w);
	assert_int_equal(s.t[0]->state, TASK_DONE);
	assert_int_equal(s.t[1]->state, TASK_DONE);
	assert_int_equal(world_violation_count(s.w), 0);
	world_free(s.w);
	return text;
}

static void test_names(void **state)
{
	char *text = grace_period(CARRIER_FIBER), *threads = grace_period(CARRIER_PTHREAD);

	(void)state;
	assert_true(has_line(text, "reader this_cpu_inc ss.sda.cpu0.inside: 0 -> 1 kernel/toy.c:"));
	assert_true(has_line(text, "kworker/ss:gp READ_ONCE ss.sda.cpu0.inside = 1"));
	assert_true(has_line(text, "timer/ss:gp "));
	assert_true(has_line(text, "kworker/ss:gp spin_lock(ss.sup.lock)"));
	assert_true(has_line(text, "ss:sync@writer.1.done"));
	assert_string_equal(text, threads);
	free(text);
	free(threads);
}

/* Static data: each world its own, as old as the execution. */
static void test_static_data(void **state)
{
	unsigned long passes[2][2];
	struct scene s[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		begin(&s[i], CARRIER_FIBER);
		domain(&s[i], "ss", NULL);
		thread(&s[i], 0, "writer", writer);
		assert_true(world_checkpoint(s[i].w));
	}
	for (int round = 0; round < 2; round++) {
		for (int n = 0; n < 200; n++)
			for (int i = 0; i < 2; i++) {
				struct task *t = world_next_rr(s[i].w, -1);

				if (t)
					assert_int_equal(world_step(s[i].w, t, 0), STEP_OK);
			}
		for (int i = 0; i < 2; i++) {
			assert_int_equal(s[i].t[0]->state, TASK_DONE);
			assert_true(ktree_enter(&toy, s[i].w));
			passes[round][i] = data.passes;
			assert_int_equal(data.booted, 1);
			assert_true(world_restore(s[i].w));
			assert_true(ktree_enter(&toy, s[i].w));
			assert_int_equal(data.passes, 0);
			assert_int_equal(data.booted, 1);
		}
	}
	assert_int_equal(passes[0][0], 1);
	assert_memory_equal(passes[0], passes[1], sizeof(passes[0]));
	assert_int_equal(passes[0][0], passes[0][1]);
	world_free(s[0].w);
	assert_true(ktree_enter(&toy, s[1].w));
	world_free(s[1].w);
	assert_null(toy.owner);
}

static unsigned called;
static struct scene *now;

static void callback(struct rcu_head *head)
{
	(void)head;
	called++;
	/* into the image from a function that the image has called */
	srcu_read_unlock(now->ss, srcu_read_lock(now->ss));
}

static void caller(void *arg)
{
	struct scene *s = arg;
	struct rcu_head *head = arena_alloc(s->w, sizeof(*head));

	now = s;
	call_srcu(s->ss, head, callback);
	call_srcu(s->ss, head, callback);	/* a warning, and nothing is posted */
}

static void test_callbacks(void **state)
{
	struct scene s;

	(void)state;
	called = 0;
	begin(&s, CARRIER_FIBER);
	domain(&s, "ss", NULL);
	thread(&s, 0, "caller", caller);
	run(&s);
	assert_int_equal(called, 1);
	assert_int_equal(world_violation_count(s.w), 1);
	assert_string_equal(world_violation(s.w, 0)->kind, "warning");
	world_free(s.w);
}

static void cleaner(void *arg)
{
	struct scene *s = arg;

	cleanup_srcu_struct(s->ss);
}

static void keeper(void *arg)
{
	struct scene *s = arg;

	srcu_read_lock(s->ss);
}

static void test_cleanup(void **state)
{
	struct scene s;
	char *text;

	(void)state;
	begin(&s, CARRIER_FIBER);
	domain(&s, "ss", NULL);
	thread(&s, 0, "cleaner", cleaner);
	run(&s);
	text = events(s.w);
	assert_true(s.ss->cleaned);
	assert_int_equal(s.ss->obj->state, OBJECT_FREED);
	assert_int_equal(object_by_name(s.w, "ss.sda")->state, OBJECT_FREED);
	assert_true(has_line(text, "kernel/toy.c"));
	assert_int_equal(world_violation_count(s.w), 0);
	free(text);
	world_free(s.w);

	/* with a reader inside the toy warns, and nothing is freed */
	begin(&s, CARRIER_FIBER);
	domain(&s, "ss", NULL);
	thread(&s, 0, "keeper", keeper);
	thread(&s, 1, "cleaner", cleaner);
	assert_true(world_prime(s.w));
	step(&s, "keeper");
	step(&s, "cleaner");
	assert_false(s.ss->cleaned);
	assert_int_equal(object_by_name(s.w, "ss.sup")->state, OBJECT_LIVE);
	assert_true(world_violation_count(s.w) > 0);
	assert_non_null(strstr(world_violation(s.w, 0)->message,
			       "WARN_ON(LOAD(&toy_cpu(t, cpu)->inside) != 0) in toy_cleanup() (kernel/toy.c:"));
	world_free(s.w);
}

static void freer(void *arg)
{
	struct scene *s = arg;
	struct toy *t = s->ss->impl;

	toy_read_lock(t);	/* enters nothing: the domain has been entered below */
}

static void twice(void *arg)
{
	struct scene *s = arg;
	struct toy *t = s->ss->impl;

	srcu_read_unlock(s->ss, srcu_read_lock(s->ss));
	host->free(t->sup, SITE(OP_FREE, ORD_NONE, 0, "kfree", "sup"));
	host->free(t->sup, SITE(OP_FREE, ORD_NONE, 0, "kfree", "sup"));
	freer(arg);
}

static void poller(void *arg)
{
	struct scene *s = arg;

	get_state_synchronize_srcu(s->ss);
}

/* A thread does what is wrong: the kind of violation, and a part of what it says. */
static void expect(void (*body)(void *), bool is_static, const char *kind, const char *part)
{
	const struct violation *v;
	struct scene s;

	begin(&s, CARRIER_FIBER);
	domain(&s, "ss", &(struct srcu_opts){ .is_static = is_static });
	thread(&s, 0, "wrong", body);
	run(&s);
	v = world_violation(s.w, 0);
	assert_non_null(v);
	assert_string_equal(v->kind, kind);
	assert_true(has_line(v->message, part));
	assert_int_equal(s.t[0]->state, TASK_FAILED);
	world_free(s.w);
}

static void test_violations(void **state)
{
	(void)state;
	expect(twice, false, "double-free", "wrong freed ss.sup");
	expect(twice, true, "invalid-free", "that is static");
	expect(poller, false, "error", "a toy has no cookies in toy_state() (kernel/toy.c:");
}

/* As steps: an allocation may fail, where the schedule says so. */
static void maker(void *arg)
{
	struct scene *s = arg;

	cleanup_srcu_struct(s->ss);
	init_srcu_struct(s->ss);
	synchronize_srcu(s->ss);
}

static void test_init_in_thread(void **state)
{
	struct scene s;
	char *text;

	(void)state;
	begin(&s, CARRIER_FIBER);
	domain(&s, "ss", NULL);
	thread(&s, 0, "maker", maker);
	run(&s);
	text = events(s.w);
	assert_int_equal(s.t[0]->state, TASK_DONE);
	assert_true(has_line(text, "maker WRITE_ONCE ss#2.sup.seq: 0 -> 4"));
	assert_true(has_line(text, "kworker/ss#2:gp "));
	free(text);
	assert_true(world_reset(s.w));
	while (s.t[0]->state == TASK_READY || s.t[0]->state == TASK_FRESH) {
		bool chooses = s.t[0]->state == TASK_READY && s.t[0]->ev.op == OP_CHOOSE;

		if (world_step(s.w, s.t[0], chooses ? 2 : 0) != STEP_OK)
			break;
	}
	world_free(s.w);
}

static void refused(struct scene *s, const struct srcu_opts *o, const char *why)
{
	assert_null(srcu_new(s->w, "bad", &toy.ops, o));
	assert_true(has_line(world_error(s->w), why));
}

static void test_options(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, CARRIER_FIBER);
	refused(&s, &(struct srcu_opts){ .faults = SRCU_FAULT_NO_FLIP }, "change a copy of it");
	refused(&s, &(struct srcu_opts){ .seq_bits = 8 }, "seq_bits: ");
	refused(&s, &(struct srcu_opts){ .size = SRCU_SIZE_OPT_BIG }, "convert_to_big");
	domain(&s, "one", &(struct srcu_opts){ .has_contention_lim = true, .contention_lim = 3,
					       .fanout = 4 });
	assert_true(ktree_enter(&toy, s.w));
	assert_int_equal(data.limit, 3);
	assert_int_equal(data.booted, 401);
	domain(&s, "two", NULL);
	refused(&s, &(struct srcu_opts){ .has_contention_lim = true, .contention_lim = 4 },
		"one was made with another");
	refused(&s, &(struct srcu_opts){ .fanout = 2 }, "fanout: ");
	world_free(s.w);

	begin(&s, CARRIER_FIBER);
	refused(&s, &(struct srcu_opts){ .fanout = 63 }, "of that shape");
	world_free(s.w);

	begin(&s, CARRIER_FIBER);
	assert_true(world_set_cpus(s.w, 5));
	refused(&s, NULL, "nr_cpus = 5");
	world_free(s.w);
}

/* srcu_use(): "tree" is made of the image then, "tiny" as ever. */
static void test_instead(void **state)
{
	struct scene s;
	struct srcu *ss;

	(void)state;
	begin(&s, CARRIER_FIBER);
	srcu_use(s.w, &toy.ops, NULL);
	ss = srcu_new(s.w, "ss", &srcu_tree_ops, NULL);
	assert_non_null(ss);
	assert_ptr_equal(ss->ops, &toy.ops);
	assert_ptr_equal(srcu_ops_used(s.w, &srcu_tiny_ops), &srcu_tiny_ops);
	world_free(s.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_static_data),
		cmocka_unit_test(test_callbacks),
		cmocka_unit_test(test_cleanup),
		cmocka_unit_test(test_violations),
		cmocka_unit_test(test_init_in_thread),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_instead),
	};

	return cmocka_run_group_tests(tests, load_toy, NULL);
}
