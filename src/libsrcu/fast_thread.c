/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The threads that are fast readers: each has a number while it lives, which says where its
 * slot is in every domain, and which another one gets after it.
 *
 * The lock here is taken when a thread reads for the first time, by trying only: who does
 * not get it (a signal handler may have struck its holder) counts in the domain's shared
 * slot and tries again at its next section.
 */
#include <config.h>

#include <pthread.h>
#include <sys/mman.h>

#include "libsrcu/fast.h"

_Static_assert(sizeof(struct srcu_cached) == SRCU_FAST_ID_STEP, "see srcu_fast_slot()");

#define NONE { SRCU_FAST_NO_ID, NULL }
__thread struct srcu_thread srcu_thread = {
	.cached = { NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE }
};

/* srcu_thread.state */
enum { THREAD_NEW = 0, THREAD_IS, THREAD_WAS };

#define WORD_BITS (8 * sizeof(unsigned long))

static struct {
	pthread_mutex_t lock;
	bool ready;		/* the key and the handlers of forks are there */
	pthread_key_t key;	/* its destructor is how the end of a thread is known */
	unsigned long *used;	/* a bit for each number */
	unsigned long lowest;	/* all words before this one are full */
	unsigned long end;	/* no number so far was higher or equal; never goes back */
} reg = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* What signal handlers of this thread see of it, they see in program order. */
static inline void signal_fence(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* --- numbers --- */

static bool number_take(unsigned long *n)
{
	for (unsigned long i = reg.lowest; i < SRCU_FAST_THREADS_MAX / WORD_BITS; i++) {
		if (!~reg.used[i])
			continue;
		*n = i * WORD_BITS + (unsigned long)__builtin_ctzl(~reg.used[i]);
		reg.used[i] |= 1ul << (*n % WORD_BITS);
		reg.lowest = i;
		if (*n >= reg.end)
			/* before the thread's first count, by the updater's barrier */
			__atomic_store_n(&reg.end, *n + 1, __ATOMIC_RELEASE);
		return true;
	}
	return false;
}

static void number_give(unsigned long n)
{
	reg.used[n / WORD_BITS] &= ~(1ul << (n % WORD_BITS));
	if (n / WORD_BITS < reg.lowest)
		reg.lowest = n / WORD_BITS;
}

unsigned long srcu_fast_threads(void)
{
	return __atomic_load_n(&reg.end, __ATOMIC_ACQUIRE);
}

static unsigned long number_of(const struct srcu_thread *t)
{
	return srcu_fast_chunk_first(t->own_chunk) + t->own_offset / sizeof(struct srcu_slot);
}

/* The thread ends.  Its counts stay where they are: sections that it leaves open have to be
 * ended by somebody else, or are never over.  Destructors that run after this one and
 * read count in shared slots. */
static void thread_over(void *arg)
{
	struct srcu_thread *t = arg;
	unsigned long n = number_of(t);

	/* first: a signal handler must not count where another thread may, too */
	t->state = THREAD_WAS;
	t->rseq_cs = NULL;
	t->own_chunk = 0;
	for (int i = 0; i < SRCU_FAST_CACHED; i++)
		t->cached[i].id = SRCU_FAST_NO_ID;
	signal_fence();
	pthread_mutex_lock(&reg.lock);
	number_give(n);
	pthread_mutex_unlock(&reg.lock);
}

/* --- forks --- */

static void fork_prepare(void)
{
	pthread_mutex_lock(&reg.lock);
}

static void fork_parent(void)
{
	pthread_mutex_unlock(&reg.lock);
}

/* The other threads are not there any more: srcu_fast_forked() does the rest. */
static void fork_child(void)
{
	for (unsigned long i = 0; i < (reg.end + WORD_BITS - 1) / WORD_BITS; i++)
		reg.used[i] = 0;
	reg.lowest = 0;
	if (srcu_thread.own_chunk) {
		unsigned long n = number_of(&srcu_thread);

		reg.used[n / WORD_BITS] |= 1ul << (n % WORD_BITS);
	}
	pthread_mutex_unlock(&reg.lock);
}

/* --- registering --- */

/* What every thread's registration needs, once.  Each half may fail, and be tried again. */
static bool registry_ready(void)
{
	void *p;

	if (reg.ready)
		return true;
	if (!reg.used) {
		p = mmap(NULL, SRCU_FAST_THREADS_MAX / 8, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED)
			return false;
		reg.used = p;
	}
	if (pthread_key_create(&reg.key, thread_over))
		return false;
	if (pthread_atfork(fork_prepare, fork_parent, fork_child)) {
		pthread_key_delete(reg.key);
		return false;
	}
	return reg.ready = true;
}

static bool thread_enter(struct srcu_thread *me)
{
	unsigned long n;

	if (!registry_ready() || !number_take(&n))
		return false;
	if (pthread_setspecific(reg.key, me)) {
		number_give(n);
		return false;
	}
	me->own_offset = (unsigned int)((n - srcu_fast_chunk_first(srcu_fast_chunk_of(n))) *
					sizeof(struct srcu_slot));
	signal_fence();
	me->own_chunk = srcu_fast_chunk_of(n);
	me->state = THREAD_IS;
	return true;
}

bool srcu_fast_thread_register(void)
{
	struct srcu_thread *me = &srcu_thread;
	bool ok;

	if (me->state == THREAD_WAS || pthread_mutex_trylock(&reg.lock))
		return false;
	/* a signal handler may have been before us */
	ok = me->own_chunk || thread_enter(me);
	pthread_mutex_unlock(&reg.lock);
	if (ok && srcu_fast_mode() == SRCU_FAST_BY_RSEQ)
		me->rseq_cs = srcu_fast_rseq_cs();
	return ok;
}
