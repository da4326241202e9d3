/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is the happens-before of a trace what it claims to be?  Random runs of scenes with
 * all kinds of steps are performed again in another order that it allows: each step must
 * be possible there and do the same.  And what only such an order shows, trace_judge()
 * must have found in the first run, with steps that lead to it.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "check/trace_internal.h"
#include "engine/driver.h"
#include "engine/log.h"
#include "k/kernel.h"
#include "k/objtypes.h"
#include "k/wait.h"
#include "srcu/srcu.h"

#define ROUNDS 150
#define STEPS 1500
#define OTHERS 4	/* orders of one trace */

/* --- the parts of a scene --- */

static struct world *w;
static struct srcu *ss;
static uint64_t *x, *y, *shared;	/* shared: a pointer to a heap object */
static struct mutex *m;
static struct spinlock *l;
static struct rw_semaphore *sem;
static struct completion *done;
static struct wait_queue_head *wq;
static struct rcu_head *heads;
static struct work_struct *work;
static struct delayed_work *later;
static void *initial;

static void make_parts(const struct srcu_ops *ops, const struct srcu_opts *o)
{
	ss = srcu_new(w, "ss", ops, o);
	assert_non_null(ss);
	x = k_object_new(w, &var_objtype, "x")->base;
	y = k_object_new(w, &var_objtype, "y")->base;
	shared = k_object_new(w, &ptr_objtype, "shared")->base;
	m = k_object_new(w, &mutex_objtype, "m")->base;
	l = k_object_new(w, &spinlock_objtype, "l")->base;
	sem = k_object_new(w, &rwsem_objtype, "sem")->base;
	done = k_object_new(w, &completion_objtype, "done")->base;
	wq = k_object_new(w, &waitqueue_objtype, "wq")->base;
	heads = arena_alloc(w, 4 * sizeof(*heads));
	work = arena_alloc(w, sizeof(*work));
	later = arena_alloc(w, sizeof(*later));
	initial = object_new(w, &heap_objtype, "o", 16)->base;
	object_at(w, initial)->heap = true;
	*shared = (uintptr_t)initial;
}

static void thread(const char *name, int cpu, void (*body)(void *))
{
	assert_non_null(task_new(w, TASK_THREAD, name, cpu, body, NULL, NULL));
}

/* --- bodies --- */

static void reader(void *arg)
{
	int idx = srcu_read_lock(ss);
	uint64_t *o = (uint64_t *)(uintptr_t)rcu_dereference_raw(*shared);

	(void)arg;
	if (o)
		(void)READ_ONCE(*o);
	srcu_read_unlock(ss, idx);
}

static void reader_twice(void *arg)
{
	reader(arg);
	reader(arg);
}

static void updater(void *arg)
{
	uint64_t *old = (uint64_t *)(uintptr_t)xchg(shared, 0);

	(void)arg;
	synchronize_srcu(ss);
	if (old)
		kfree(old);
}

static void hasty_updater(void *arg)
{
	uint64_t *old = (uint64_t *)(uintptr_t)xchg(shared, 0);

	(void)arg;
	if (old)
		kfree(old);
}

static void expedited(void *arg)
{
	(void)arg;
	synchronize_srcu_expedited(ss);
	WRITE_ONCE(*x, 1);
}

static void count_callback(struct rcu_head *head)
{
	(void)head;
	(void)K_RMW(x, OP_ADD, ORD_ONCE, "add", 1, 0);
	smp_mb();
}

static void caller(void *arg)
{
	(void)arg;
	call_srcu(ss, &heads[0], count_callback);
	call_srcu(ss, &heads[1], count_callback);
}

static void barrier_caller(void *arg)
{
	(void)arg;
	call_srcu(ss, &heads[2], count_callback);
	srcu_barrier(ss);
	(void)READ_ONCE(*x);
}

static void poller(void *arg)
{
	unsigned long cookie = start_poll_synchronize_srcu(ss);

	(void)arg;
	for (int i = 0; i < 3; i++)
		if (poll_state_synchronize_srcu(ss, cookie))
			break;
}

static void work_fn(struct work_struct *item)
{
	(void)item;
	mutex_lock(m);
	(void)K_RMW(y, OP_ADD, ORD_ONCE, "add", 1, 0);
	mutex_unlock(m);
}

static void queuer(void *arg)
{
	(void)arg;
	queue_work(work);
	(void)READ_ONCE(*y);
	flush_work(work);
	queue_work(work);
	flush_work(work);
}

static void delayer(void *arg)
{
	(void)arg;
	queue_delayed_work(later, 1);
	(void)jiffies;
	flush_delayed_work(later);
	del_timer_sync(&later->timer);
}

static void locker(void *arg)
{
	unsigned long flags;

	(void)arg;
	mutex_lock(m);
	WRITE_ONCE(*x, READ_ONCE(*x) + 1);
	mutex_unlock(m);
	spin_lock_irqsave(l, flags);
	WRITE_ONCE(*y, READ_ONCE(*y) + 1);
	spin_unlock_irqrestore(l, flags);
	if (spin_trylock(l))
		spin_unlock(l);
	(void)cmpxchg(x, 1, 7);
}

static void keeper(void *arg)
{
	(void)arg;
	preempt_disable();
	WRITE_ONCE(*x, 5);
	(void)READ_ONCE(*y);
	preempt_enable();
	local_irq_disable();
	WRITE_ONCE(*y, 5);
	local_irq_enable();
}

static void interrupt(void *arg)
{
	static struct site site = { .op = OP_IRQ, .prim = "interrupt", .expr = "", .func = "",
				    .file = __FILE__, .line = __LINE__ };

	(void)arg;
	task_event((struct event){ .site = &site, .op = OP_IRQ });
	spin_lock(l);
	WRITE_ONCE(*y, READ_ONCE(*y) + 1);
	spin_unlock(l);
	complete(done);
}

static void waiter(void *arg)
{
	(void)arg;
	wait_for_completion(done);
	(void)READ_ONCE(*y);
	complete(done);
}

static void child(void *arg)
{
	(void)arg;
	WRITE_ONCE(*x, READ_ONCE(*x) + 2);
}

static void parent(void *arg)
{
	(void)arg;
	WRITE_ONCE(*y, 3);
	thread("child", -1, child);
	(void)READ_ONCE(*x);
	thread("child", -1, child);
}

static struct site *wq_site(enum ev_op op)
{
	static struct site sites[2] = {
		{ .op = OP_WQ, .order = ORD_FULL, .prim = "wq", .expr = "", .func = "",
		  .file = __FILE__, .line = __LINE__ },
		{ .op = OP_WQ_WAIT, .order = ORD_FULL, .prim = "sleep", .expr = "", .func = "",
		  .file = __FILE__, .line = __LINE__ } };

	return &sites[op == OP_WQ_WAIT];
}

static void sleeper(void *arg)
{
	(void)arg;
	k_prepare_to_wait(wq, wq_site(OP_WQ));
	if (!READ_ONCE(*x))
		k_schedule_wait(wq, wq_site(OP_WQ), wq_site(OP_WQ_WAIT));
	k_finish_wait(wq, wq_site(OP_WQ));
}

static void waker(void *arg)
{
	(void)arg;
	WRITE_ONCE(*x, 1);
	k_wake_up(wq, wq_site(OP_WQ));
}

static void sem_user(void *arg)
{
	static struct site sites[4];

	(void)arg;
	if (!sites[0].prim) {
		sites[0] = (struct site){ .op = OP_LOCK_READ, .prim = "down_read", .expr = "" };
		sites[1] = (struct site){ .op = OP_UNLOCK_READ, .prim = "up_read", .expr = "" };
		sites[2] = (struct site){ .op = OP_TRYLOCK, .flags = SITE_WRITE, .prim = "down_write", .expr = "" };
		sites[3] = (struct site){ .op = OP_UNLOCK, .flags = SITE_WRITE, .prim = "up_write", .expr = "" };
	}
	(void)K_EV(&sites[0], &sem->owner, 8, 0, 0);
	(void)READ_ONCE(*x);
	(void)K_EV(&sites[1], &sem->owner, 8, 0, 0);
	if (K_EV(&sites[2], &sem->owner, 8, 0, 0)) {
		WRITE_ONCE(*x, READ_ONCE(*x) + 1);
		(void)K_EV(&sites[3], &sem->owner, 8, 0, 0);
	}
}

/* --- scenes --- */

static const struct srcu_opts hasty = { .faults = SRCU_FAULT_NO_SCAN1 | SRCU_FAULT_NO_SCAN2 };
static const struct srcu_opts big = { .size = SRCU_SIZE_OPT_BIG };
static const struct srcu_opts no_flip = { .faults = SRCU_FAULT_NO_FLIP };

struct scene {
	const char *name;
	const struct srcu_ops *ops;
	const struct srcu_opts *opts;
	unsigned cpus;
	void (*bodies[5])(void *);
	void (*irq)(void *);
	bool broken, rarely;	/* rarely: another order that is drawn hardly ever shows it */
};

static const struct scene scenes[] = {
	{ .name = "tree", .ops = &srcu_tree_ops, .cpus = 2, .bodies = { reader, reader_twice, updater } },
	{ .name = "tree, one CPU", .ops = &srcu_tree_ops, .cpus = 1, .bodies = { reader, updater, keeper } },
	{ .name = "tree, big", .ops = &srcu_tree_ops, .opts = &big, .cpus = 2, .bodies = { reader, updater, caller } },
	{ .name = "tree, callbacks", .ops = &srcu_tree_ops, .cpus = 2, .bodies = { reader, caller, barrier_caller } },
	{ .name = "tree, expedited", .ops = &srcu_tree_ops, .cpus = 2, .bodies = { reader, expedited, updater } },
	{ .name = "tree, polls", .ops = &srcu_tree_ops, .cpus = 2, .bodies = { reader, poller, expedited } },
	{ .name = "tiny", .ops = &srcu_tiny_ops, .cpus = 1, .bodies = { reader, reader, updater, caller } },
	{ .name = "ideal", .ops = &srcu_ideal_ops, .cpus = 2, .bodies = { reader, reader_twice, updater, poller } },
	{ .name = "ideal, callbacks", .ops = &srcu_ideal_ops, .cpus = 2, .bodies = { reader, caller, barrier_caller } },
	{ .name = "work", .ops = &srcu_ideal_ops, .cpus = 2, .bodies = { queuer, locker, queuer, delayer } },
	{ .name = "delayed work", .ops = &srcu_ideal_ops, .cpus = 1, .bodies = { delayer, locker, delayer } },
	{ .name = "contexts", .ops = &srcu_ideal_ops, .cpus = 1, .bodies = { keeper, locker, waiter }, .irq = interrupt },
	{ .name = "contexts, two CPUs", .ops = &srcu_ideal_ops, .cpus = 2, .bodies = { keeper, locker, waiter, keeper }, .irq = interrupt },
	{ .name = "children", .ops = &srcu_ideal_ops, .cpus = 2, .bodies = { parent, locker, parent } },
	{ .name = "wait queues", .ops = &srcu_ideal_ops, .cpus = 2, .bodies = { sleeper, waker, sleeper, locker } },
	{ .name = "rwsems", .ops = &srcu_ideal_ops, .cpus = 2, .bodies = { sem_user, sem_user, locker } },
	{ .name = "freed too early", .ops = &srcu_ideal_ops, .cpus = 2, .bodies = { reader, hasty_updater, reader }, .broken = true },
	{ .name = "no scan", .ops = &srcu_tree_ops, .opts = &hasty, .cpus = 2, .bodies = { reader, updater, reader }, .broken = true },
	{ .name = "no scan, callbacks", .ops = &srcu_tree_ops, .opts = &hasty, .cpus = 2, .bodies = { reader, caller, expedited }, .broken = true },
	{ .name = "no flip", .ops = &srcu_tree_ops, .opts = &no_flip, .cpus = 2, .bodies = { reader, expedited, expedited }, .broken = true,
	  .rarely = true },
};
#define SCENES (sizeof(scenes) / sizeof(*scenes))

static bool build(struct world *in, void *arg)
{
	const struct scene *s = arg;
	char name[16];

	w = in;
	assert_true(world_set_cpus(w, s->cpus));
	make_parts(s->ops, s->opts);
	init_work(work, work_fn, "w");
	init_delayed_work(later, work_fn, "later");
	for (int i = 0; i < 5 && s->bodies[i]; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		thread(name, -1, s->bodies[i]);
	}
	if (s->irq)
		assert_non_null(task_new(w, TASK_IRQ, "irq", 0, s->irq, NULL, NULL));
	return true;
}

/* --- runs --- */

struct order { uint32_t task; uint32_t event; };

/* What comes after so many of each task's events: of task i the last, or NULL. */
static const struct tr_event *last_of(const struct trace *tr, const uint32_t *at, size_t i)
{
	for (uint32_t e = 1; e <= tr->n; e++)
		if (tr->ev[e].task == i && tr->ev[e].pos == at[i])
			return &tr->ev[e];
	return NULL;
}

/* Do those who own its CPU let it run?  An interrupt strikes all but those who keep it
 * out, a timer those who only may not be preempted; others wait. */
static bool cpu_is_free(const struct trace *tr, const struct tr_event **last,
			const struct tr_event *ev)
{
	unsigned own = last[ev->task] ? last[ev->task]->own : 0;

	for (size_t i = 0; i < tr->ntasks; i++) {
		if (i == ev->task || !last[i] || !last[i]->own || last[i]->cpu != ev->cpu)
			continue;
		if (ev->site->op == OP_IRQ ? last[i]->own == 3 :
		    ev->site->op == OP_TIMER_WAIT ? last[i]->own >= 2 : last[i]->own >= own)
			return false;
	}
	return true;
}

static uint32_t pick(const struct trace *tr, const uint32_t *at, const struct tr_event **last,
		     size_t favourite, uint64_t *rng)
{
	uint32_t ready[64];
	unsigned nready = 0;

	for (uint32_t e = 1; e <= tr->n; e++) {
		const struct tr_event *ev = &tr->ev[e];
		bool free = ev->pos == at[ev->task] + 1 && cpu_is_free(tr, last, ev);

		for (size_t i = 0; free && i < tr->ntasks; i++)
			free = i == ev->task || tr_clock(tr, e)[i] <= at[i];
		if (free && nready < 64)
			ready[nready++] = e;
	}
	if (!nready)
		return 0;
	/* as they come, or one that is let go on while it can and the others stand still */
	if (!favourite || world_random(rng) % 16 == 0)
		return ready[world_random(rng) % nready];
	for (unsigned i = 0; i < nready; i++)
		if ((tr->ev[ready[i]].task + favourite) % tr->ntasks <
		    (tr->ev[ready[0]].task + favourite) % tr->ntasks)
			ready[0] = ready[i];
	return ready[0];
}

/* A random order of the trace's steps that its clocks and CPUs allow, as far as it gets. */
static size_t shuffle(const struct trace *tr, struct order *o, uint64_t *rng)
{
	size_t favourite = world_random(rng) % (tr->ntasks + 1);
	uint32_t *at = calloc(tr->ntasks, sizeof(*at));	/* so many of each task's are out */
	const struct tr_event **last = calloc(tr->ntasks, sizeof(*last));
	size_t n = 0;
	uint32_t e;

	assert_true(at && last);
	while (n < tr->n && (e = pick(tr, at, last, favourite, rng))) {
		o[n].event = e;
		o[n++].task = task_id(tr->tasks[tr->ev[e].task].t);
		at[tr->ev[e].task]++;
		last[tr->ev[e].task] = last_of(tr, at, tr->ev[e].task);
	}
	free(at);
	free(last);
	return n;
}

static bool has(const char *kind)
{
	for (size_t i = 0; i < world_violation_count(w); i++)
		if (!strcmp(world_violation(w, i)->kind, kind))
			return true;
	return false;
}

static bool is_wrong(void)
{
	return has("grace-period") || has("use-after-free");
}

static struct record first[STEPS + 1];	/* of the first run, from 1 */

static void start_again(void)
{
	assert_true(world_reset(w));
	assert_true(world_prime(w));
}

static void perform_step(const struct scene *s, size_t n, uint32_t task, unsigned choice)
{
	struct task *t = task_by_id(w, task);
	struct block why;
	char text[200];

	if (!t)
		fail_msg("%s: step %zu: its task is not there", s->name, n);
	if (world_step(w, t, choice) == STEP_OK)
		return;
	why = task_blocked(t);
	block_text(t, &why, text, sizeof(text));
	fail_msg("%s: step %zu of %s cannot be made: %s", s->name, n, task_name(t), text);
}

/* Performs them; a step that is refused ends it, because then all is different. */
static void perform_order(const struct scene *s, const struct order *o, size_t n)
{
	start_again();
	for (size_t i = 0; i < n && !has("use-after-free"); i++) {
		const struct record *a = &first[o[i].event], *b;

		perform_step(s, i + 1, o[i].task, a->flags & REC_CHOICE ? (unsigned)a->value : 0);
		b = log_record(w, i + 1);
		if (!(b->flags & REC_REFUSED) && (a->site != b->site || a->value != b->value ||
						  a->stored != b->stored || a->loc != b->loc))
			fail_msg("%s: step %zu is not what step %u was: %s %#lx -> %#lx, "
				 "and not %s %#lx -> %#lx", s->name, i + 1, o[i].event,
				 site_by_id(b->site)->prim, (long)b->value, (long)b->stored,
				 site_by_id(a->site)->prim, (long)a->value, (long)a->stored);
	}
}

static void perform_finding(const struct scene *s, const struct trace_finding *f)
{
	start_again();
	for (size_t i = 0; i < f->n; i++)
		perform_step(s, i + 1, f->steps[i].task, f->steps[i].choice);
	if (!has(f->kind))
		fail_msg("%s: a finding does not show %s", s->name, f->kind);
}

struct tally { unsigned others, whole, found, shown; };

/* One random run, and others of the same trace. */
static void one_run(const struct scene *s, uint64_t seed, struct tally *tally)
{
	static struct order orders[OTHERS][STEPS];
	size_t ns[OTHERS];
	uint64_t rng = seed;
	struct run_policy p = { .random = true, .rng = world_random(&rng), .last = -1 };
	struct trace_finding f;
	struct trace *tr;
	size_t n;
	bool wrong, refused;

	start_again();
	world_run(w, &p, STEPS);
	wrong = is_wrong();
	refused = has("use-after-free");	/* whose thread then does no more */
	trace_judge(w, &f);
	/* where it was wrong as it came another order need not be worse */
	tally->found += f.n != 0;
	tr = check_of(w)->trace;
	n = world_steps(w);
	assert_true(trace_scan(tr) && hb_compute(tr, HB_TRACE));
	for (uint32_t i = 1; i <= tr->n; i++)
		first[i] = *log_record(w, i);
	for (int i = 0; i < OTHERS; i++)
		ns[i] = shuffle(tr, orders[i], &rng);
	if (f.n)
		perform_finding(s, &f);
	for (int i = 0; i < OTHERS && !refused; i++) {
		perform_order(s, orders[i], ns[i]);
		tally->others++;
		tally->whole += ns[i] == n;
		if (!is_wrong())
			continue;
		tally->shown++;
		if (!wrong && !f.n)
			fail_msg("%s, seed %u: another order is wrong, and was not found: %s",
				 s->name, (unsigned)seed, world_violation(w, 0)->message);
	}
	trace_finding_release(&f);
}

static void run_scene(void **state)
{
	const struct scene *s = *state;
	struct tally tally = { 0 };

	w = world_new(CARRIER_FIBER);
	assert_non_null(w);
	assert_true(check_attach(w));
	assert_true(world_do(w, build, (void *)s, NULL, false));
	for (uint64_t seed = 1; seed <= ROUNDS; seed++)
		one_run(s, seed, &tally);
	world_free(w);
	assert_true(tally.others > ROUNDS);
	assert_true(tally.whole > 0);
	if (s->broken) {
		assert_true(tally.found > 0);
		assert_true(tally.shown > 0 || s->rarely);
	} else {
		assert_int_equal(tally.found, 0);
		assert_int_equal(tally.shown, 0);
	}
}

int main(void)
{
	struct CMUnitTest tests[SCENES];

	for (size_t i = 0; i < SCENES; i++)
		tests[i] = (struct CMUnitTest){ .name = scenes[i].name, .test_func = run_scene,
						.initial_state = (void *)&scenes[i] };
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
