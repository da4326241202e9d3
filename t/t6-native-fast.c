/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fast readers on real threads, by each of the ways to have no fence in them (or to have
 * one): the guarantee under load, sections that are nested, handed over or left open,
 * threads that come and go, forks, and kernels that refuse what is asked of them.
 *
 * What the process relies on is chosen once in its life: each case runs in a child.
 */
#include <config.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "libsrcu/fast_only.h"

/* --- cases in children --- */

enum { RESULT_OK = 0, RESULT_WRONG = 1, RESULT_NOT_HERE = 77 };

#define CHECK(cond) do {							\
		if (!(cond)) {							\
			fprintf(stderr, "# %s:%d: %s\n", __FILE__, __LINE__, #cond); \
			_exit(RESULT_WRONG);					\
		}								\
	} while (0)

/* Runs fn(mode) in a child; what waitpid() says of it. */
static int in_child(void (*fn)(enum srcu_fast_mode), enum srcu_fast_mode mode)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		alarm(120);	/* what hangs is wrong */
		if (mode && !srcu_fast_limit(mode))
			_exit(RESULT_NOT_HERE);
		fn(mode);
		_exit(RESULT_OK);
	}
	assert_true(pid > 0);
	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	return status;
}

static void must_be_ok(int status)
{
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == RESULT_NOT_HERE)
		skip();
	assert_int_equal(WEXITSTATUS(status), RESULT_OK);
}

#define IN_EACH_MODE(name)							\
	static void name##_rseq(void **state)					\
	{									\
		(void)state;							\
		must_be_ok(in_child(name, SRCU_FAST_BY_RSEQ));			\
	}									\
	static void name##_membarrier(void **state)				\
	{									\
		(void)state;							\
		must_be_ok(in_child(name, SRCU_FAST_BY_MEMBARRIER));		\
	}									\
	static void name##_fence(void **state)					\
	{									\
		(void)state;							\
		must_be_ok(in_child(name, SRCU_FAST_BY_FENCE));			\
	}
#define TESTS_IN_EACH_MODE(name)						\
	cmocka_unit_test(name##_rseq), cmocka_unit_test(name##_membarrier),	\
	cmocka_unit_test(name##_fence)

static struct fast_only dom;

static void thread_start(pthread_t *t, void *(*fn)(void *), void *arg)
{
	CHECK(!pthread_create(t, NULL, fn, arg));
}

static void thread_end(pthread_t t)
{
	CHECK(!pthread_join(t, NULL));
}

/* --- the rule itself, one thread --- */

static void rule(enum srcu_fast_mode mode)
{
	struct srcu_ctr *a, *b, *c;

	CHECK(srcu_fast_mode() == mode);
	CHECK(!srcu_fast_readers_active(&dom.fast));
	fast_only_gp(&dom);			/* no reader: nothing to wait for */
	a = fast_only_lock(&dom);
	CHECK(srcu_fast_readers_active(&dom.fast));
	CHECK(!!srcu_thread.rseq_cs == (mode == SRCU_FAST_BY_RSEQ));
	fast_only_start(&dom);
	CHECK(!fast_only_done(&dom));
	b = fast_only_lock(&dom);		/* began later: not waited for */
	CHECK(b != a);
	CHECK(!fast_only_done(&dom));
	srcu_fast_read_unlock(a);		/* overlapping, not nested */
	CHECK(fast_only_done(&dom));
	CHECK(fast_only_done(&dom));
	fast_only_start(&dom);
	CHECK(!fast_only_done(&dom));	/* the next one does */
	c = fast_only_lock(&dom);
	CHECK(c == a);
	a = fast_only_lock(&dom);
	CHECK(c == a);				/* nested: the same counter, twice */
	srcu_fast_read_unlock(b);
	CHECK(fast_only_done(&dom));
	fast_only_start(&dom);
	srcu_fast_read_unlock(c);
	CHECK(!fast_only_done(&dom));
	srcu_fast_read_unlock(a);
	CHECK(fast_only_done(&dom));
	CHECK(!srcu_fast_readers_active(&dom.fast));
	srcu_fast_release(&dom.fast);
	fast_only_gp(&dom);			/* and is as if new */
	srcu_fast_read_unlock(fast_only_lock(&dom));
	srcu_fast_release(&dom.fast);
}
IN_EACH_MODE(rule)

/* --- generations --- */

/* A reader must never see its generation die.  They are used again, all but the two that
 * may be in use, so that a mistake is seen soon. */
#define GENERATIONS 8
struct generation {
	unsigned long number;
	unsigned long alive;
} __attribute__((aligned(64)));
static struct generation gens[GENERATIONS];
static struct generation *current;
static int stop;
static unsigned long sections, wrong;

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)

static void read_once(unsigned int turns)
{
	struct srcu_ctr *ctr = fast_only_lock(&dom);
	struct generation *g = __atomic_load_n(&current, __ATOMIC_ACQUIRE);
	unsigned long number = LOAD(g->number);

	for (unsigned int i = 0; i <= turns; i++)
		if (!LOAD(g->alive) || LOAD(g->number) != number)
			__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
	srcu_fast_read_unlock(ctr);
}

static void *generation_reader(void *arg)
{
	unsigned long n = 0;

	do {
		read_once(n % 64);
		if (n % 1024 == 0 && arg)
			sched_yield();
		n++;
	} while (!LOAD(stop));
	__atomic_fetch_add(&sections, n, __ATOMIC_RELAXED);
	return NULL;
}

/* So many grace periods, each of which kills a generation. */
static void generations(unsigned long n)
{
	for (unsigned long i = 1; i <= n; i++) {
		struct generation *old = current, *g = &gens[i % GENERATIONS];

		__atomic_store_n(&g->number, i, __ATOMIC_RELAXED);
		__atomic_store_n(&g->alive, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&current, g, __ATOMIC_RELEASE);
		fast_only_gp(&dom);
		__atomic_store_n(&old->alive, 0, __ATOMIC_RELAXED);
	}
}

static void generations_begin(void)
{
	gens[0].alive = 1;
	current = &gens[0];
}

#define READERS 3

static void guarantee(enum srcu_fast_mode mode)
{
	pthread_t t[READERS];

	(void)mode;
	generations_begin();
	for (long i = 0; i < READERS; i++)
		thread_start(&t[i], generation_reader, i ? &dom : NULL);
	while (!srcu_fast_readers_active(&dom.fast))	/* somebody is there */
		sched_yield();
	generations(300);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (long i = 0; i < READERS; i++)
		thread_end(t[i]);
	CHECK(!wrong);
	CHECK(sections);
	CHECK(!srcu_fast_readers_active(&dom.fast));
	srcu_fast_release(&dom.fast);
}
IN_EACH_MODE(guarantee)

/* --- restarts: signals, other CPUs --- */

static volatile sig_atomic_t in_handler;

/* A section of its own, in whatever instruction of the thread's. */
static void handler(int sig)
{
	(void)sig;
	in_handler++;
	read_once(0);
}

#define STORM_SECTIONS 300000

static void *storm_reader(void *arg)
{
	unsigned long *n = arg;

	for (*n = 0; *n < STORM_SECTIONS; ++*n)
		read_once(0);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	return NULL;
}

struct storm { pthread_t target; cpu_set_t all; };

/* Signals for the target, and now this CPU, now that. */
static void *storm_blow(void *arg)
{
	struct storm *s = arg;
	int cpu = 0;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		cpu_set_t one;

		for (cpu = (cpu + 1) % CPU_SETSIZE; !CPU_ISSET(cpu, &s->all);)
			cpu = (cpu + 1) % CPU_SETSIZE;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		pthread_setaffinity_np(s->target, sizeof(one), &one);
		pthread_kill(s->target, SIGUSR1);
		sched_yield();
	}
	return NULL;
}

static unsigned long counted(unsigned long *ended)
{
	unsigned long n = 0;

	*ended = 0;
	for (int bank = 0; bank < 2; bank++) {
		for (unsigned long i = 0; i < srcu_fast_threads(); i++) {
			n += dom.fast.chunk[1][i].ctr[bank].srcu_locks;
			*ended += dom.fast.chunk[1][i].ctr[bank].srcu_unlocks;
		}
		n += dom.fast.shared.ctr[bank].srcu_locks;
		*ended += dom.fast.shared.ctr[bank].srcu_unlocks;
	}
	return n;
}

/* Every section is counted once, however often it was begun again, and grace periods are
 * as long as ever. */
static void storm(enum srcu_fast_mode mode)
{
	struct sigaction sa = { .sa_handler = handler };
	unsigned long n, begun, ended;
	struct storm s;
	pthread_t blower;

	CHECK(!sched_getaffinity(0, sizeof(s.all), &s.all));
	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	generations_begin();
	thread_start(&s.target, storm_reader, &n);
	thread_start(&blower, storm_blow, &s);
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
		generations(20);
	thread_end(blower);
	thread_end(s.target);
	CHECK(!wrong);
	begun = counted(&ended);
	CHECK(begun == ended);
	CHECK(begun >= n + (unsigned long)in_handler);
	/* who does not look again counts nothing in vain */
	if (mode == SRCU_FAST_BY_RSEQ && !dom.fast.shared.ctr[0].srcu_locks && !dom.fast.shared.ctr[1].srcu_locks)
		CHECK(begun == n + (unsigned long)in_handler);
	srcu_fast_release(&dom.fast);
}
IN_EACH_MODE(storm)

/* --- threads that come and go --- */

static void *one_section(void *arg)
{
	(void)arg;
	read_once(0);
	return NULL;
}

#define SHORT_LIVES 1500

static void churn(enum srcu_fast_mode mode)
{
	unsigned long begun, ended;

	(void)mode;
	generations_begin();
	for (unsigned long i = 0; i < SHORT_LIVES; i++) {
		pthread_t t[2];

		for (int k = 0; k < 2; k++)
			thread_start(&t[k], one_section, NULL);
		if (i % 16 == 0)
			fast_only_gp(&dom);
		for (int k = 0; k < 2; k++)
			thread_end(t[k]);
	}
	CHECK(srcu_fast_threads() <= 2);	/* never more at once */
	begun = counted(&ended);
	CHECK(begun == ended && begun >= 2 * SHORT_LIVES);
	CHECK(!srcu_fast_readers_active(&dom.fast));
	fast_only_gp(&dom);
	CHECK(!wrong);
	srcu_fast_release(&dom.fast);
}
IN_EACH_MODE(churn)

/* More domains than a thread remembers its slots of: each section is counted where it
 * belongs, also in those that come after others at the same place. */
static void domains(enum srcu_fast_mode mode)
{
	static struct fast_only d[3 * SRCU_FAST_CACHED];
	struct srcu_ctr *ctr[3 * SRCU_FAST_CACHED];

	(void)mode;
	for (int turn = 0; turn < 3; turn++) {
		for (int i = 0; i < 3 * SRCU_FAST_CACHED; i++) {
			CHECK(!srcu_fast_readers_active(&d[i].fast));
			ctr[i] = fast_only_lock(&d[i]);
			CHECK(srcu_fast_readers_active(&d[i].fast));
			fast_only_start(&d[i]);
			CHECK(!fast_only_done(&d[i]));
		}
		for (int i = 0; i < 3 * SRCU_FAST_CACHED; i++) {
			CHECK(!fast_only_done(&d[i]));
			srcu_fast_read_unlock(ctr[i]);
			CHECK(fast_only_done(&d[i]));
			if ((i + turn) % 2)
				srcu_fast_release(&d[i].fast);
		}
	}
	for (int i = 0; i < 3 * SRCU_FAST_CACHED; i++)
		srcu_fast_release(&d[i].fast);
}
IN_EACH_MODE(domains)

/* More threads at once than the first chunk has slots for. */
#define MANY 100
static pthread_barrier_t all_in, all_out;

static void *one_of_many(void *arg)
{
	struct srcu_ctr *ctr = fast_only_lock(&dom);

	(void)arg;
	pthread_barrier_wait(&all_in);
	pthread_barrier_wait(&all_out);
	srcu_fast_read_unlock(ctr);
	return NULL;
}

static void many(enum srcu_fast_mode mode)
{
	pthread_t t[MANY];

	(void)mode;
	CHECK(!pthread_barrier_init(&all_in, NULL, MANY + 1));
	CHECK(!pthread_barrier_init(&all_out, NULL, MANY + 1));
	for (int i = 0; i < MANY; i++)
		thread_start(&t[i], one_of_many, NULL);
	pthread_barrier_wait(&all_in);
	fast_only_start(&dom);
	CHECK(!fast_only_done(&dom));
	pthread_barrier_wait(&all_out);
	for (int i = 0; i < MANY; i++)
		thread_end(t[i]);
	CHECK(fast_only_done(&dom));
	CHECK(!srcu_fast_readers_active(&dom.fast));
	srcu_fast_release(&dom.fast);
}
IN_EACH_MODE(many)

/* --- sections that outlive their thread, or are ended by another one --- */

static void *down(void *arg)
{
	*(struct srcu_ctr **)arg = fast_only_lock(&dom);
	return NULL;
}

static void handed_over(enum srcu_fast_mode mode)
{
	struct srcu_ctr *ctr, *other;
	pthread_t t;

	(void)mode;
	thread_start(&t, down, &ctr);
	thread_end(t);
	fast_only_start(&dom);
	CHECK(!fast_only_done(&dom));
	/* who comes next has the slot, and what was counted stays counted */
	other = fast_only_lock(&dom);
	CHECK(((uintptr_t)other & ~(SRCU_SLOT_SIZE - 1ul)) == ((uintptr_t)ctr & ~(SRCU_SLOT_SIZE - 1ul)));
	srcu_fast_read_unlock(other);
	CHECK(!fast_only_done(&dom));
	srcu_fast_up_read(ctr);
	CHECK(fast_only_done(&dom));
	CHECK(!srcu_fast_readers_active(&dom.fast));
	srcu_fast_release(&dom.fast);
}
IN_EACH_MODE(handed_over)

static pthread_key_t late;
static bool late_was_shared;

/* Destructors run in the order in which their keys were made: the slot is gone already. */
static void late_reader(void *arg)
{
	struct srcu_ctr *ctr = fast_only_lock(&dom);

	(void)arg;
	late_was_shared = (uintptr_t)ctr & 1;
	fast_only_start(&dom);
	CHECK(!fast_only_done(&dom));
	srcu_fast_read_unlock(ctr);
	CHECK(fast_only_done(&dom));
}

static void *late_thread(void *arg)
{
	(void)arg;
	srcu_fast_read_unlock(fast_only_lock(&dom));
	CHECK(!pthread_setspecific(late, &dom));
	return NULL;
}

static void shared_slot(enum srcu_fast_mode mode)
{
	pthread_t t;

	(void)mode;
	srcu_fast_read_unlock(fast_only_lock(&dom));
	CHECK(!pthread_key_create(&late, late_reader));
	thread_start(&t, late_thread, NULL);
	thread_end(t);
	CHECK(late_was_shared);
	CHECK(!srcu_fast_readers_active(&dom.fast));
	srcu_fast_release(&dom.fast);
}
IN_EACH_MODE(shared_slot)

/* --- fork --- */

static void *holder(void *arg)
{
	struct srcu_ctr *ctr = fast_only_lock(&dom);

	(void)arg;
	pthread_barrier_wait(&all_in);
	pthread_barrier_wait(&all_out);
	srcu_fast_read_unlock(ctr);
	return NULL;
}

static void the_child(struct srcu_ctr *mine)
{
	pthread_t t;

	fast_only_forked(&dom);
	/* the holder is not there any more, the forking thread still is, in the bank that
	 * no new grace period would look at after its flip */
	CHECK(srcu_fast_readers_active(&dom.fast));
	CHECK(!srcu_fast_idx_check(&dom.fast, (dom.idx & 1) ^ 1, false));
	srcu_fast_read_unlock(mine);
	CHECK(srcu_fast_idx_check(&dom.fast, (dom.idx & 1) ^ 1, false));
	mine = fast_only_lock(&dom);
	fast_only_start(&dom);
	CHECK(!fast_only_done(&dom));
	srcu_fast_read_unlock(mine);
	CHECK(fast_only_done(&dom));
	CHECK(!srcu_fast_readers_active(&dom.fast));
	generations_begin();
	thread_start(&t, one_section, NULL);
	generations(20);
	thread_end(t);
	CHECK(!wrong);
	CHECK(srcu_fast_threads() == 2);	/* the holder's number was free again */
	_exit(RESULT_OK);
}

static void forking(enum srcu_fast_mode mode)
{
	struct srcu_ctr *mine;
	pthread_t t;
	pid_t pid;
	int status;

	(void)mode;
#ifdef SRCU_FAST_TSAN
	_exit(RESULT_NOT_HERE);	/* it lets no child of a process with threads have threads */
#endif
	CHECK(!pthread_barrier_init(&all_in, NULL, 2));
	CHECK(!pthread_barrier_init(&all_out, NULL, 2));
	thread_start(&t, holder, NULL);
	pthread_barrier_wait(&all_in);
	mine = fast_only_lock(&dom);
	fast_only_start(&dom);		/* and that is given up in the child */
	CHECK(!fast_only_done(&dom));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid)
		the_child(mine);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == RESULT_OK);
	srcu_fast_read_unlock(mine);
	CHECK(!fast_only_done(&dom));	/* the parent's holder holds on */
	pthread_barrier_wait(&all_out);
	thread_end(t);
	CHECK(fast_only_done(&dom));
	srcu_fast_release(&dom.fast);
}
IN_EACH_MODE(forking)

/* --- what the kernel refuses --- */

/* From now on this system call fails with that error, if its first argument is the given one
 * (ANY: whatever it is). */
#define ANY UINT32_MAX
static void refuse_as(unsigned int nr, unsigned int arg, unsigned int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
		BPF_JUMP(arg == ANY ? BPF_JMP | BPF_JGE | BPF_K : BPF_JMP | BPF_JEQ | BPF_K,
			 arg == ANY ? 0 : arg, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = 6, .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		_exit(RESULT_NOT_HERE);
}

static void refuse(unsigned int nr, unsigned int arg)
{
	refuse_as(nr, arg, EPERM);
}

static bool have(enum srcu_fast_mode mode)
{
	return srcu_fast_mode() <= mode;
}

static void have_rseq_or_not(enum srcu_fast_mode mode)
{
	(void)mode;
	_exit(have(SRCU_FAST_BY_RSEQ) ? RESULT_OK : RESULT_NOT_HERE);
}

static void have_membarrier_or_not(enum srcu_fast_mode mode)
{
	(void)mode;
	_exit(have(SRCU_FAST_BY_MEMBARRIER) ? RESULT_OK : RESULT_NOT_HERE);
}

static void refuse_rseq_kind(enum srcu_fast_mode mode)
{
	(void)mode;
	refuse(SYS_membarrier, 1 << 8);		/* to register for the RSEQ kind */
	CHECK(srcu_fast_mode() == SRCU_FAST_BY_MEMBARRIER);
	guarantee(SRCU_FAST_BY_MEMBARRIER);
}

static void refuse_rseq_barrier(enum srcu_fast_mode mode)
{
	(void)mode;
	refuse(SYS_membarrier, 1 << 7);		/* registers, and then is refused */
	CHECK(srcu_fast_mode() == SRCU_FAST_BY_MEMBARRIER);
	rule(SRCU_FAST_BY_MEMBARRIER);
}

static void refuse_membarrier(enum srcu_fast_mode mode)
{
	(void)mode;
	refuse(SYS_membarrier, ANY);
	CHECK(srcu_fast_mode() == SRCU_FAST_BY_FENCE);
	guarantee(SRCU_FAST_BY_FENCE);
}

/* As a kernel without it. */
static void no_membarrier(enum srcu_fast_mode mode)
{
	(void)mode;
	refuse_as(SYS_membarrier, ANY, ENOSYS);
	CHECK(srcu_fast_mode() == SRCU_FAST_BY_FENCE);
	guarantee(SRCU_FAST_BY_FENCE);
}

/* Without memory for slots readers count in the one that all share, and try again. */
static void no_memory(enum srcu_fast_mode mode)
{
	pthread_t t;

	(void)mode;
	srcu_fast_mode();
	refuse_as(SYS_mmap, 0, ENOMEM);		/* anywhere: all but fixed addresses */
	for (int i = 0; i < 3; i++) {
		struct srcu_ctr *ctr = fast_only_lock(&dom);

		CHECK((uintptr_t)ctr & 1);
		CHECK(srcu_fast_readers_active(&dom.fast));
		fast_only_start(&dom);
		CHECK(!fast_only_done(&dom));
		srcu_fast_read_unlock(ctr);
		CHECK(fast_only_done(&dom));
	}
	CHECK(!srcu_fast_readers_active(&dom.fast));
	CHECK(pthread_create(&t, NULL, generation_reader, &dom) == EAGAIN);
}

/* Nor is there a key by which to know of a thread's end. */
static void no_keys(enum srcu_fast_mode mode)
{
	struct srcu_ctr *ctr;
	pthread_key_t key, last = 0;
	bool some = false;

	(void)mode;
	for (int i = 0; !pthread_key_create(&key, NULL); i++) {
		CHECK(i < 1000000);
		last = key;
		some = true;
	}
	CHECK(some);
	ctr = fast_only_lock(&dom);
	CHECK((uintptr_t)ctr & 1);
	fast_only_start(&dom);
	CHECK(!fast_only_done(&dom));
	srcu_fast_read_unlock(ctr);
	CHECK(fast_only_done(&dom));
	CHECK(!pthread_key_delete(last));
	ctr = fast_only_lock(&dom);
	CHECK(!((uintptr_t)ctr & 1));	/* tried again */
	srcu_fast_read_unlock(ctr);
	srcu_fast_release(&dom.fast);
}

/* The C library has been told to register no thread: a program of its own, as that is read
 * when one begins. */
static void rseq_turned_off(enum srcu_fast_mode mode)
{
	(void)mode;
	if (setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1))
		_exit(RESULT_NOT_HERE);
	execl("/proc/self/exe", "t6-native-fast", "rseq-is-off", (char *)NULL);
	_exit(RESULT_NOT_HERE);
}

static int when_rseq_is_off(void)
{
	alarm(120);
	CHECK(!srcu_fast_rseq_cs());
	CHECK(srcu_fast_mode() != SRCU_FAST_BY_RSEQ);
	guarantee(srcu_fast_mode());
	return RESULT_OK;
}

/* It was there when readers began to rely on it: no way to go on. */
static void refuse_too_late(enum srcu_fast_mode mode)
{
	(void)mode;
	fast_only_gp(&dom);
	refuse(SYS_membarrier, ANY);
	if (!freopen("/dev/null", "w", stderr))
		_exit(RESULT_NOT_HERE);
	fast_only_gp(&dom);
}

/* The size and the signature that it was registered with. */
#define RSEQ_LENGTH 32
#define RSEQ_SIGNATURE 0x53053053
#define RSEQ_UNREGISTER 1

static bool leave_rseq(void)
{
	uint64_t *cs = srcu_fast_rseq_cs();

	/* the area begins with two numbers of 32 bits */
	return cs && !syscall(SYS_rseq, cs - 1, RSEQ_LENGTH, RSEQ_UNREGISTER, RSEQ_SIGNATURE);
}

static pthread_barrier_t begun;

static void *without_rseq(void *arg)
{
	struct srcu_ctr *ctr;

	(void)arg;
	if (!leave_rseq())
		_exit(RESULT_NOT_HERE);
	ctr = fast_only_lock(&dom);
	CHECK(!srcu_thread.rseq_cs && srcu_thread.own_chunk);
	fast_only_start(&dom);
	CHECK(!fast_only_done(&dom));
	srcu_fast_read_unlock(ctr);
	CHECK(fast_only_done(&dom));
	pthread_barrier_wait(&begun);
	return generation_reader(&dom);
}

/* The process relies on it, and one thread does not have it. */
static void one_without_rseq(enum srcu_fast_mode mode)
{
	pthread_t t[2];

	(void)mode;
	CHECK(srcu_fast_mode() == SRCU_FAST_BY_RSEQ);
	CHECK(!pthread_barrier_init(&begun, NULL, 2));
	generations_begin();
	thread_start(&t[0], without_rseq, NULL);
	pthread_barrier_wait(&begun);
	thread_start(&t[1], generation_reader, &dom);
	generations(300);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		thread_end(t[i]);
	CHECK(!wrong);
	CHECK(sections);
	srcu_fast_release(&dom.fast);
}

#define REFUSAL(name, needs, signal)						\
	static void test_##name(void **state)					\
	{									\
		int status;							\
										\
		(void)state;							\
		must_be_ok(in_child(needs, SRCU_FAST_UNKNOWN));			\
		status = in_child(name, SRCU_FAST_UNKNOWN);			\
		if (signal && WIFSIGNALED(status))				\
			assert_int_equal(WTERMSIG(status), signal);		\
		else								\
			must_be_ok(status);					\
		if (signal)							\
			assert_false(WIFEXITED(status) && !WEXITSTATUS(status)); \
	}
REFUSAL(refuse_rseq_kind, have_rseq_or_not, 0)
REFUSAL(refuse_rseq_barrier, have_rseq_or_not, 0)
REFUSAL(one_without_rseq, have_rseq_or_not, 0)
REFUSAL(refuse_membarrier, have_membarrier_or_not, 0)
REFUSAL(refuse_too_late, have_membarrier_or_not, SIGABRT)
REFUSAL(no_membarrier, have_membarrier_or_not, 0)
REFUSAL(rseq_turned_off, have_rseq_or_not, 0)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

static void test_no_memory(void **state)
{
	(void)state;
	if (SANITIZED)
		skip();		/* it needs some itself */
	must_be_ok(in_child(no_memory, SRCU_FAST_UNKNOWN));
}

static void test_no_keys(void **state)
{
	(void)state;
	must_be_ok(in_child(no_keys, SRCU_FAST_UNKNOWN));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TESTS_IN_EACH_MODE(rule),
		TESTS_IN_EACH_MODE(guarantee),
		TESTS_IN_EACH_MODE(storm),
		TESTS_IN_EACH_MODE(churn),
		TESTS_IN_EACH_MODE(domains),
		TESTS_IN_EACH_MODE(many),
		TESTS_IN_EACH_MODE(handed_over),
		TESTS_IN_EACH_MODE(shared_slot),
		TESTS_IN_EACH_MODE(forking),
		cmocka_unit_test(test_refuse_rseq_kind),
		cmocka_unit_test(test_refuse_rseq_barrier),
		cmocka_unit_test(test_one_without_rseq),
		cmocka_unit_test(test_refuse_membarrier),
		cmocka_unit_test(test_refuse_too_late),
		cmocka_unit_test(test_no_membarrier),
		cmocka_unit_test(test_rseq_turned_off),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_no_keys),
	};

	if (argc == 2 && !strcmp(argv[1], "rseq-is-off"))
		return when_rseq_is_off();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
