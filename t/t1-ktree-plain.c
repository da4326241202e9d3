/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plain accesses that take no step, and crashes of code that is not ours: what tasks in C
 * tell of themselves by world_plain() is judged as if a compiler had told it.
 */
#include <config.h>

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check/check.h"
#include "check/trace.h"
#include "engine/checkpoint.h"
#include "engine/guest.h"
#include "engine/plain.h"
#include "explore/explore.h"
#include "k/kernel.h"
#include "k/objtypes.h"

/* --- a program: bodies over a few objects --- */

#define BODIES 3

static struct program {
	struct world *w;
	void (*bodies[BODIES])(void *);
	int cpus[BODIES];
	uint64_t *x, *y, *flag;
	uint64_t *heap;
	struct mutex *m;
	struct completion *done;
	struct work_struct *work;
	void (*work_fn)(struct work_struct *);
	bool built;
} p;

static struct explore e;

/* The place of an access is its site's address. */
static const struct site *site_at(const void *pc) { return pc; }

#define TELL(at, size, write) do {								\
	static const struct site s_ = { .func = __func__, .file = "plain.c", .line = 7 };	\
	assert_true(world_plain(p.w, at, size, write, &s_));					\
} while (0)
#define TOLD_WRITE(at, v) do { TELL(at, sizeof(*(at)), true); *(at) = (v); } while (0)
#define TOLD_READ(at) ({ TELL(at, sizeof(*(at)), false); *(at); })

static bool build(struct world *w, void *arg)
{
	struct object *o;

	(void)arg;
	p.x = k_object_new(w, &var_objtype, "x")->base;
	p.y = k_object_new(w, &var_objtype, "y")->base;
	p.flag = k_object_new(w, &var_objtype, "flag")->base;
	p.m = k_object_new(w, &mutex_objtype, "m")->base;
	p.done = k_object_new(w, &completion_objtype, "done")->base;
	o = object_new(w, &heap_objtype, "o", 16);
	o->heap = o->is_static = true;
	o->is_static = false;
	p.heap = o->base;
	p.work = arena_alloc(w, sizeof(*p.work));
	init_work(p.work, p.work_fn, "w");
	for (int i = 0; i < BODIES && p.bodies[i]; i++) {
		char name[] = { 't', (char)('0' + i), 0 };

		if (!task_new(w, TASK_THREAD, name, p.cpus[i], p.bodies[i], NULL, NULL))
			return false;
	}
	return true;
}

static struct world *source_begin(void *arg, bool lean, const char **why)
{
	(void)arg;
	world_set_lean(p.w, lean);
	if (world_reset(p.w))
		return p.w;
	*why = world_error(p.w);
	return NULL;
}

static int setup(void **state)
{
	(void)state;
	memset(&p, 0, sizeof(p));
	for (int i = 0; i < BODIES; i++)
		p.cpus[i] = i;
	p.w = world_new(CARRIER_FIBER);
	plain_site_of = site_at;
	e = (struct explore){
		.opts = { .strategy = EXPLORE_DPOR, .preemptions = -1, .seed = 7, .jobs = 1 },
		.src = { .begin = source_begin },
	};
	return p.w && check_attach(p.w) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	explore_release(&e);
	world_free(p.w);
	return 0;
}

static void program(void (*a)(void *), void (*b)(void *), void (*c)(void *))
{
	p.bodies[0] = a;
	p.bodies[1] = b;
	p.bodies[2] = c;
	world_set_lean(p.w, false);
	if (!p.built)
		assert_true(world_do(p.w, build, NULL, NULL, false));
	p.built = true;
	assert_true(world_reset(p.w));
}

/* Lets each body run to its end, one after the other, and judges that. */
static size_t in_turn(void (*a)(void *), void (*b)(void *))
{
	struct run_policy policy = { .last = -1 };

	program(a, b, NULL);
	for (int i = 0; i < 2; i++) {
		struct task *t = task_by_name(p.w, i ? "t1" : "t0");

		assert_true(world_prime(p.w));
		while (task_enabled(t))
			assert_int_equal(world_step(p.w, t, 0), STEP_OK);
	}
	world_run(p.w, &policy, 1000);
	trace_judge(p.w, NULL);
	return world_violation_count(p.w);
}

static const char *message(void)
{
	return world_violation_count(p.w) ? world_violation(p.w, 0)->message : "";
}

static void explore(void (*a)(void *), void (*b)(void *), void (*c)(void *))
{
	explore_release(&e);
	program(a, b, c);
	if (!explore_run(&e))
		fail_msg("%s", e.report.error);
}

static void assert_explored_clean(void (*a)(void *), void (*b)(void *))
{
	explore(a, b, NULL);
	if (e.report.nviolations)
		fail_msg("unexpected: %s", e.report.violations[0].message);
	assert_true(e.report.complete);
}

static void assert_explored(const char *kind)
{
	assert_int_equal(e.report.nviolations, 1);
	assert_string_equal(e.report.violations[0].kind, kind);
}

/* --- races --- */

#define ORDERS ", with nothing that orders the two. What is shared without a lock is read " \
	"by READ_ONCE() and written by WRITE_ONCE(), or the like."

static void writer(void *arg)
{
	(void)arg;
	smp_mb();
	TOLD_WRITE(p.x, 1);
	smp_mb();
}

static void reader(void *arg)
{
	(void)arg;
	smp_mb();
	smp_mb();
	smp_mb();
	(void)TOLD_READ(p.x);
}

static void test_race(void **state)
{
	(void)state;
	assert_int_equal(in_turn(writer, reader), 1);
	assert_string_equal(world_violation(p.w, 0)->kind, "data-race");
	assert_string_equal(message(), "t1 plainly read x after step 5 (reader, plain.c:7), and t0 plainly "
			    "wrote it after step 1 (writer, plain.c:7)" ORDERS);
	assert_int_equal(world_violation(p.w, 0)->step, 5);
	assert_int_equal(in_turn(reader, reader), 0);
	assert_int_equal(in_turn(writer, writer), 1);
}

static void at_once(void *arg) { (void)arg; TOLD_WRITE(p.x, 2); }
static void at_once_read(void *arg) { (void)arg; (void)TOLD_READ(p.x); }

/* Without a single step. */
static void test_no_steps(void **state)
{
	(void)state;
	assert_int_equal(in_turn(at_once, at_once_read), 1);
	assert_string_equal(message(), "t1 plainly read x before the first step (at_once_read, plain.c:7), "
			    "and t0 plainly wrote it before the first step (at_once, plain.c:7)" ORDERS);
	assert_int_equal(in_turn(at_once, reader), 1);
	explore(at_once, at_once_read, NULL);
	assert_explored("data-race");
}

/* Said once for a pair of places. */
static void many_writes(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++) {
		TOLD_WRITE(p.x, i);
		smp_mb();
	}
}

static void test_told_once(void **state)
{
	(void)state;
	assert_int_equal(in_turn(many_writes, many_writes), 1);
	trace_judge(p.w, NULL);
	assert_int_equal(world_violation_count(p.w), 1);
}

/* --- bytes --- */

#define BYTES(x) ((uint8_t *)(x))
static void low_half(void *arg) { (void)arg; smp_mb(); TOLD_WRITE((uint32_t *)p.x, 1); }
static void high_half(void *arg) { (void)arg; smp_mb(); TOLD_WRITE((uint32_t *)p.x + 1, 1); }
static void last_byte(void *arg) { (void)arg; smp_mb(); (void)TOLD_READ(BYTES(p.x) + 7); }
static void store_word(void *arg) { (void)arg; WRITE_ONCE(*p.x, 3); }
static void store_half(void *arg) { (void)arg; WRITE_ONCE(*(uint32_t *)p.x, 3); }
static void load_word(void *arg) { (void)arg; (void)READ_ONCE(*p.x); }

static void across(void *arg)
{
	(void)arg;
	smp_mb();
	TELL(BYTES(p.heap) + 6, 4, true);
}

static void second_word(void *arg) { (void)arg; smp_mb(); (void)TOLD_READ(p.heap + 1); }
static void large(void *arg) { (void)arg; smp_mb(); TELL(p.heap, 16, true); }

static void test_bytes(void **state)
{
	(void)state;
	assert_int_equal(in_turn(low_half, high_half), 0);
	assert_int_equal(in_turn(low_half, last_byte), 0);
	assert_int_equal(in_turn(high_half, last_byte), 1);
	assert_int_equal(in_turn(across, second_word), 1);
	assert_int_equal(in_turn(second_word, large), 1);
}

static void test_steps(void **state)
{
	(void)state;
	assert_int_equal(in_turn(store_word, last_byte), 1);
	assert_int_equal(in_turn(last_byte, store_word), 1);
	assert_non_null(strstr(message(), "t1 wrote x at step 2 (WRITE_ONCE, store_word, "));
	assert_int_equal(in_turn(store_half, last_byte), 0);
	assert_int_equal(in_turn(load_word, last_byte), 0);
	assert_int_equal(in_turn(load_word, high_half), 1);
	assert_int_equal(in_turn(store_half, high_half), 0);
}

/* --- what orders --- */

static void locked(void *arg)
{
	(void)arg;
	mutex_lock(p.m);
	TOLD_WRITE(p.x, TOLD_READ(p.x) + 1);
	mutex_unlock(p.m);
}

static void locked_and_more(void *arg)
{
	locked(arg);
	(void)TOLD_READ(p.x);
}

static void test_lock(void **state)
{
	(void)state;
	assert_explored_clean(locked, locked);
	/* far apart: the lock is long given back */
	assert_int_equal(in_turn(locked, locked_and_more), 0);
	assert_int_equal(in_turn(locked_and_more, locked), 1);
	explore(locked, locked_and_more, NULL);
	assert_explored("data-race");
}

static void publish(void *arg)
{
	(void)arg;
	TOLD_WRITE(p.x, 1);
	smp_store_release(p.flag, 1);
}

static void subscribe(void *arg)
{
	(void)arg;
	if (smp_load_acquire(p.flag))
		(void)TOLD_READ(p.x);
}

static void publish_late(void *arg)
{
	(void)arg;
	smp_store_release(p.flag, 1);
	TOLD_WRITE(p.x, 1);
}

static void test_release(void **state)
{
	(void)state;
	assert_explored_clean(publish, subscribe);
	explore(publish_late, subscribe, NULL);
	assert_explored("data-race");
}

static void completer(void *arg)
{
	(void)arg;
	smp_mb();
	TOLD_WRITE(p.x, 1);
	complete(p.done);
}

static void waiter(void *arg)
{
	(void)arg;
	wait_for_completion(p.done);
	TOLD_WRITE(p.x, 2);
}

static void test_completion(void **state)
{
	(void)state;
	assert_explored_clean(completer, waiter);
}

static void child(void *arg) { (void)arg; TOLD_WRITE(p.x, 2); smp_mb(); }

static void maker(void *arg)
{
	(void)arg;
	TOLD_WRITE(p.x, 1);
	smp_mb();
	TOLD_WRITE(p.x, 3);
	assert_non_null(task_new(p.w, TASK_THREAD, "child", 2, child, NULL, NULL));
	smp_mb();
}

static void maker_and_more(void *arg)
{
	maker(arg);
	(void)TOLD_READ(p.x);
}

static void test_creation(void **state)
{
	(void)state;
	assert_explored_clean(maker, NULL);
	explore(maker_and_more, NULL, NULL);
	assert_explored("data-race");
}

/* The last stretch of the pass is one that no step follows. */
static void write_it(struct work_struct *work)
{
	(void)work;
	smp_mb();
	TOLD_WRITE(p.x, 2);
}

static void queuer(void *arg)
{
	(void)arg;
	TOLD_WRITE(p.x, 1);
	queue_work(p.work);
	flush_work(p.work);
	TOLD_WRITE(p.x, 3);
}

static void no_flush(void *arg)
{
	(void)arg;
	TOLD_WRITE(p.x, 1);
	queue_work(p.work);
	smp_mb();
	TOLD_WRITE(p.x, 3);
}

static void test_work(void **state)
{
	(void)state;
	p.work_fn = write_it;
	assert_explored_clean(queuer, NULL);
	explore(no_flush, NULL, NULL);
	assert_explored("data-race");
}

static void alone_on_cpu(void *arg)
{
	(void)arg;
	preempt_disable();
	TOLD_WRITE(p.x, 1);
	preempt_enable();
}

static void test_one_cpu(void **state)
{
	(void)state;
	p.cpus[0] = p.cpus[1] = 1;
	assert_int_equal(in_turn(alone_on_cpu, alone_on_cpu), 0);
	assert_int_equal(in_turn(alone_on_cpu, writer), 1);
}

/* --- frees --- */

static void user(void *arg) { (void)arg; smp_mb(); (void)TOLD_READ(p.heap + 1); }
static void freer(void *arg) { (void)arg; smp_mb(); kfree(p.heap); }
static void user_done(void *arg) { user(arg); smp_store_release(p.flag, 1); }

static void free_if_done(void *arg)
{
	(void)arg;
	if (smp_load_acquire(p.flag))
		kfree(p.heap);
}

static void test_frees(void **state)
{
	(void)state;
	assert_int_equal(in_turn(user, freer), 1);
	assert_string_equal(world_violation(p.w, 0)->kind, "use-after-free");
	assert_non_null(strstr(message(), "t0 plainly read o+8 after step 1 (user, plain.c:7), and t1 freed o "
			       "at step 3 (kfree, freer, "));
	assert_int_equal(in_turn(freer, user), 1);
	assert_string_equal(message(), "t1 plainly read o+8 (user, plain.c:7) after step 3, but t0 had freed o "
			    "at step 2.");
	assert_int_equal(task_by_name(p.w, "t1")->state, TASK_FAILED);
	explore(user, freer, NULL);
	assert_explored("use-after-free");
	assert_explored_clean(user_done, free_if_done);
}

static void free_flushed(void *arg)
{
	(void)arg;
	queue_work(p.work);
	flush_work(p.work);
	kfree(p.heap);
}

static void use_it(struct work_struct *work) { (void)work; smp_mb(); TOLD_WRITE(p.heap, 2); }

static void test_free_after_flush(void **state)
{
	(void)state;
	p.work_fn = use_it;
	assert_explored_clean(free_flushed, NULL);
}

/* --- passes of workers --- */

static void poll_flag(struct work_struct *work)
{
	mutex_lock(p.m);
	if (!TOLD_READ(p.flag))
		queue_work(work);
	mutex_unlock(p.m);
}

static void toggle_and_poll(struct work_struct *work)
{
	mutex_lock(p.m);
	TOLD_WRITE(p.y, 5);
	smp_mb();
	TOLD_WRITE(p.y, 0);
	if (!TOLD_READ(p.flag))
		queue_work(work);
	mutex_unlock(p.m);
}

static void count_and_poll(struct work_struct *work)
{
	mutex_lock(p.m);
	TOLD_WRITE(p.y, *p.y + 1);
	if (!TOLD_READ(p.flag) && *p.y < 3)
		queue_work(work);
	mutex_unlock(p.m);
}

/* The lock is older than the check. */
static void poll_late(struct work_struct *work)
{
	mutex_lock(p.m);
	for (int i = 0; i < 2 && !TOLD_READ(p.flag); i++)
		udelay(5);
	if (!TOLD_READ(p.flag))
		queue_work(work);
	mutex_unlock(p.m);
}

static void start_work(void *arg) { (void)arg; queue_work(p.work); }

static void set_flag(void *arg)
{
	(void)arg;
	mutex_lock(p.m);
	TOLD_WRITE(p.flag, 1);
	mutex_unlock(p.m);
}

static enum run_end run_out(void)
{
	struct run_policy policy = { .last = -1 };

	return world_run(p.w, &policy, 10000);
}

static void assert_goes_idle(void (*fn)(struct work_struct *), bool idle)
{
	struct task *t, *worker;
	size_t steps;

	teardown(NULL);
	setup(NULL);
	p.work_fn = fn;
	program(start_work, set_flag, NULL);
	assert_true(world_prime(p.w));
	t = task_by_name(p.w, "t0");
	while (task_enabled(t))
		world_step(p.w, t, 0);
	worker = task_by_name(p.w, "kworker/w");
	assert_non_null(worker);
	assert_true(world_prime(p.w));
	for (steps = 0; steps < 200 && task_enabled(worker); steps++)
		world_step(p.w, worker, 0);
	assert_true(steps < 200);
	/* one pass, where that changes nothing */
	assert_int_equal(worker->ev.op, OP_WORK_WAIT);
	assert_int_equal(task_blocked(worker).why, idle ? BLOCK_IDLE_PASS : BLOCK_IDLE_WORKER);
	assert_int_equal(run_out(), RUN_STUCK);
	assert_int_equal(p.work->state, 0);
	assert_int_equal(*p.flag, 1);
}

static void test_idle(void **state)
{
	(void)state;
	assert_goes_idle(poll_flag, true);
	assert_goes_idle(toggle_and_poll, true);
	assert_goes_idle(poll_late, true);
	/* it changes something, until it has done so often enough */
	assert_goes_idle(count_and_poll, false);
	assert_int_equal(*p.y, 3);
}

static void test_idle_explored(void **state)
{
	(void)state;
	p.work_fn = poll_late;
	assert_explored_clean(start_work, set_flag);
	assert_null(e.report.bound);
}

/* --- exploring --- */

static void rare_writer(void *arg)
{
	(void)arg;
	if (xchg(p.flag, 1) == 2)
		TOLD_WRITE(p.x, 1);
}

static void rare_reader(void *arg)
{
	(void)arg;
	(void)cmpxchg(p.flag, 0, 2);
	(void)TOLD_READ(p.x);
}

/* Without a log to the very end, but for what is told of them. */
static void test_strategies(void **state)
{
	static const enum explore_strategy all[] = { EXPLORE_DPOR, EXPLORE_NAIVE, EXPLORE_RANDOM, EXPLORE_PCT };
	char *found = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		e.opts.strategy = all[i];
		e.opts.max_executions = all[i] < EXPLORE_NAIVE ? 0 : 200;
		explore(rare_writer, rare_reader, NULL);
		assert_explored("data-race");
		explore(at_once, reader, NULL);
		assert_explored("data-race");
	}
	e.opts.strategy = EXPLORE_DPOR;
	e.opts.max_executions = 0;
	for (unsigned jobs = 1; jobs < 4; jobs++) {
		e.opts.jobs = jobs;
		e.opts.keep_going = true;
		explore(rare_writer, rare_reader, reader);
		assert_true(e.report.nviolations >= 1);
		assert_string_equal(e.report.violations[0].kind, "data-race");
		if (found)
			assert_string_equal(found, e.report.violations[0].message);
		free(found);
		found = strdup(e.report.violations[0].message);
	}
	free(found);
}

static void test_replay(void **state)
{
	char *schedule, *text;

	(void)state;
	explore(rare_writer, rare_reader, NULL);
	assert_explored("data-race");
	schedule = strdup(e.report.violations[0].schedule);
	text = strdup(e.report.violations[0].message);
	world_set_lean(p.w, false);
	for (int i = 0; i < 2; i++) {
		assert_true(world_replay(p.w, schedule));
		trace_judge(p.w, NULL);
		assert_int_equal(world_violation_count(p.w), 1);
		assert_string_equal(message(), text);
	}
	assert_true(world_rewind(p.w, world_steps(p.w)));
	trace_judge(p.w, NULL);
	assert_string_equal(message(), text);
	assert_true(world_rewind(p.w, 0));
	trace_judge(p.w, NULL);
	assert_int_equal(world_violation_count(p.w), 0);
	free(schedule);
	free(text);
}

/* What is repeated in a stretch is kept once. */
static void repeats(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++) {
		TOLD_WRITE(p.x, i);
		(void)TOLD_READ(p.x);
		(void)TOLD_READ((uint32_t *)p.x + 1);
	}
	smp_mb();
	(void)TOLD_READ(p.x);
	TOLD_WRITE(p.x, 1);
}

static void test_records(void **state)
{
	size_t n;

	(void)state;
	in_turn(repeats, at_once_read);
	(void)world_plains(p.w, &n);
	assert_int_equal(n, 4);
	assert_true(world_reset(p.w));
	/* what comes before the first step is there again */
	(void)world_plains(p.w, &n);
	assert_int_equal(n, 2);
	assert_true(world_has_plains(p.w));
}

/* --- loops and crashes --- */

static void loops(void *arg)
{
	(void)arg;
	smp_mb();
	while (!TOLD_READ(p.flag))
		;
}

static void test_loop(void **state)
{
	(void)state;
	assert_int_equal(in_turn(loops, locked), 1);
	assert_string_equal(world_violation(p.w, 0)->kind, "error");
	assert_non_null(strstr(message(), "t0 loops in loops() (plain.c:7): after step 1"));
	assert_int_equal(task_by_name(p.w, "t1")->state, TASK_DONE);
}

#define GUEST __attribute__((section("t_guest"), noinline, no_sanitize("address", "undefined", "thread")))
extern const char __start_t_guest[], __stop_t_guest[];

static uint64_t *volatile null;
static void (*volatile nowhere)(void);
static volatile int never = 1;

GUEST static void guest_null(void *arg) { (void)arg; *(volatile uint64_t *)(null + 3) = 1; }
GUEST static void guest_wild(void *arg) { (void)arg; *(volatile uint64_t *)((uintptr_t)null + 0xdead000000000100u) = 1; }
GUEST static void guest_jump(void *arg) { (void)arg; nowhere(); never = 2; }
GUEST static void guest_trap(void *arg) { (void)arg; __builtin_trap(); }
GUEST static void guest_loop(void *arg) { (void)arg; while (never) ; }

static const struct site guest_place = { .func = "guest_code", .file = "guest.c", .line = 12 };
static const struct site *near_guest(const void *pc) { (void)pc; return &guest_place; }

static void (*guest_code)(void *);

static void crasher(void *arg)
{
	mutex_lock(p.m);
	guest_code(arg);
	mutex_unlock(p.m);
}

/* cmocka takes the signals for itself before each test. */
static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
static struct sigaction ours[5];

static void save_signals(void)
{
	for (size_t i = 0; i < 5; i++)
		sigaction(signals[i], NULL, &ours[i]);
}

static void add_guest(void)
{
	static struct guest g;

	for (size_t i = 0; i < 5; i++)
		sigaction(signals[i], &ours[i], NULL);
	if (g.text)
		return;
	g.text = __start_t_guest;
	g.text_end = __stop_t_guest;
	g.near_pc = near_guest;
	guest_add(&g);
}

static void assert_crash(enum carrier_kind carrier, void (*code)(void *), const char *text)
{
	teardown(NULL);
	setup(NULL);
	world_free(p.w);
	p.w = world_new(carrier);
	assert_true(check_attach(p.w));
	guest_code = code;
	assert_int_equal(in_turn(crasher, writer), 1);
	assert_string_equal(world_violation(p.w, 0)->kind, "error");
	assert_string_equal(message(), text);
	assert_int_equal(task_by_name(p.w, "t0")->state, TASK_FAILED);
	assert_int_equal(task_by_name(p.w, "t1")->state, TASK_DONE);
}

static void test_crash(void **state)
{
	(void)state;
#if defined(__x86_64__) || defined(__aarch64__)
	add_guest();
	for (int i = 0; i < 4; i++) {
		enum carrier_kind c = i & 1 ? CARRIER_PTHREAD : CARRIER_FIBER;

		assert_crash(c, guest_null, "t0 crashed in guest_code() (guest.c:12): it followed a NULL pointer.");
		assert_crash(c, guest_jump, "t0 crashed in guest_code() (guest.c:12): it followed a NULL pointer.");
		assert_crash(c, guest_wild, "t0 crashed in guest_code() (guest.c:12): it followed a pointer to "
			     "where there is no memory, or none to be written.");
		assert_crash(c, guest_trap, "t0 crashed in guest_code() (guest.c:12): it came to an instruction "
			     "that traps, as compilers put where the code must not come.");
	}
	guest_code = guest_null;
	e.opts.keep_going = true;
	explore(crasher, locked, NULL);
	assert_true(e.report.nviolations);
	assert_string_equal(e.report.violations[0].kind, "error");
	assert_true(e.report.violating == e.report.complete && e.report.complete > 1);
#else
	skip();
#endif
}

static void test_endless(void **state)
{
	(void)state;
#if defined(__x86_64__) || defined(__aarch64__)
	add_guest();
	for (int i = 0; i < 2; i++)
		assert_crash(i ? CARRIER_PTHREAD : CARRIER_FIBER, guest_loop,
			     "t0 loops in guest_code() (guest.c:12): it has run for 5 seconds without a step.");
#else
	skip();
#endif
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_race), T(test_no_steps), T(test_told_once), T(test_bytes), T(test_steps),
		T(test_lock), T(test_release), T(test_completion), T(test_creation), T(test_work),
		T(test_one_cpu), T(test_frees), T(test_free_after_flush), T(test_idle),
		T(test_idle_explored), T(test_strategies), T(test_replay), T(test_records),
		T(test_loop), T(test_crash), T(test_endless),
	};
	struct world *first = world_new(CARRIER_FIBER);

	save_signals();
	world_free(first);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
