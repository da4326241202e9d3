/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libsrcu: sleepable RCU in user space.  Readers of a domain mark sections, in which they
 * may sleep; an updater waits until every section that was open when it began to wait has
 * ended, and only those.  The algorithm is the Linux kernel's tree SRCU (per-CPU
 * counters, two banks, a flip), compiled from the files that srcush explores; kernel code
 * finds its own names in <srcu/kernel-names.h>.  See srcu(3).
 *
 * For C11 and C++, with GCC's atomic builtins.  Structures are opaque: the members of
 * struct srcu_domain are for the inline functions below and for nobody else.
 */
#ifndef SRCU_SRCU_H
#define SRCU_SRCU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <srcu/fast.h>

#if defined(__GLIBC__) && defined(__linux__) && \
	(__GLIBC__ > 2 || (__GLIBC__ == 2 && __GLIBC_MINOR__ >= 35)) && \
	(defined(__x86_64__) && defined(__LP64__))
#define SRCU_HAVE_RSEQ_CPU 1
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------- types */

/*
 * One pending callback, inside the object that it is about.  It needs no
 * initialisation beyond zeroes, and belongs to libsrcu from srcu_call() until its
 * function is called, which may free it or post it again.
 */
struct srcu_head {
	struct srcu_head *next;
	void (*func)(struct srcu_head *head);
	unsigned long queued;
};
typedef void (*srcu_callback_t)(struct srcu_head *head);

/* A CPU's counters, as far as readers count in them.  The rest is libsrcu's. */
struct srcu_percpu {
	unsigned long lock_count[2];
	unsigned long unlock_count[2];
	unsigned long private_[44];
};

/*
 * The kinds of readers.  A domain has one kind: the one it was made for, or that of the
 * first reader.  A reader of the other kind would not be waited for, so it ends the
 * program with a message (abort()).
 */
enum srcu_readers {
	SRCU_READERS_ANY = 0,	/* not settled yet */
	SRCU_READERS_NORMAL = 1, /* srcu_read_lock(), srcu_down_read() */
	SRCU_READERS_FAST = 2	/* srcu_read_lock_fast() and its kin */
};

struct srcu_more_readers;

/*
 * A domain.  Static ones need no call: SRCU_DEFINE(name), or a member that is
 * initialised by SRCU_DOMAIN_INIT (all zeroes).  Others: srcu_init().
 *
 * Ownership of the members: the first line and `private_` are the algorithm's, fast_
 * is the fast readers' (libsrcu's fast*.c), the rest is shared by both.
 */
struct srcu_domain {
	/* the flip counter: & 1 is the bank in which new sections are counted */
	unsigned int idx_;
	unsigned int ncpus_;		/* elements of percpu_ */
	unsigned long struct_[18];	/* the rest of the algorithm's own structure */
	/* what readers look at beside idx_; NULL until the first normal reader (and for
	 * ever where readers are of the other kind, which is how mixing is found) */
	struct srcu_percpu *percpu_;
	/* in the upper bits, forks since the program's start: sections do not survive
	 * into the child */
	unsigned int fork_;
	unsigned int readers_;		/* enum srcu_readers; settled once, atomically */
	unsigned int ready_;		/* a static domain's first use is over */
	const struct srcu_more_readers *more_; /* what the grace period asks about fast ones */
	unsigned long shared_[9];
	/* fast readers' */
	struct srcu_fast fast_;
	unsigned long private_[160] __attribute__((aligned(128)));
}
#ifdef __GNUC__
__attribute__((aligned(128)))
#endif
;

#ifdef __cplusplus
#define SRCU_DOMAIN_INIT {}
#else
#define SRCU_DOMAIN_INIT { 0 }
#endif
/* A domain that is ready at its first use: at file scope, with `static` in front if wanted. */
#define SRCU_DEFINE(name) struct srcu_domain name = SRCU_DOMAIN_INIT

/* What can be chosen when a domain is made; zeroes stand for the defaults. */
struct srcu_options {
	size_t size;		/* sizeof(struct srcu_options) */
	enum srcu_readers readers;
	unsigned int cpus;	/* per-CPU structures: 1..4096; 0: one for each CPU */
	unsigned int fanout;	/* of the combining tree: 2..64, 0: 64 */
	unsigned int fanout_leaf; /* 2..64, 0: 16 */
};

/* What the library's files share beside the functions below is hidden. */
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

/* ------------------------------------------------------- making, ending */

/*
 * Makes a domain ready; the memory may hold anything.  0, or EINVAL (an option out of
 * range, a wrong size), ENOMEM, in which case nothing was done.
 */
int srcu_init(struct srcu_domain *d);
int srcu_init_options(struct srcu_domain *d, const struct srcu_options *o);

/*
 * Ends a domain that nobody uses any more, and frees what it holds.  Waits for a grace
 * period's aftermath, never for readers.  0, or EBUSY: a section is open, a callback has
 * not been invoked yet (srcu_barrier() was forgotten) or a grace period is wanted; the
 * domain is left as it is, in working order.
 */
int srcu_cleanup(struct srcu_domain *d);

/* -------------------------------------------------------------- updaters */

/*
 * Waits until all sections that are open now have ended.  Full barriers as for the
 * kernel's synchronize_srcu(): what came before the call is seen by every section that
 * begins after it began, what sections did is seen after it returned.  Never fails: it
 * needs neither memory nor another thread.  Must not be called in a section of the
 * same domain.  The caller drives an idle domain's grace period itself; of many callers
 * at once one does, and no more than two grace periods serve them all.
 */
void srcu_synchronize(struct srcu_domain *d);
/* The same, less considerate of other threads when a reader takes long. */
void srcu_synchronize_expedited(struct srcu_domain *d);

/*
 * Has func(head) called once all sections that are open now have ended, by libsrcu's
 * worker thread (one a process, made when it is first needed).  Callbacks may sleep, call
 * srcu_call() and srcu_synchronize(), but each holds up those behind it.  0, or EBUSY: the
 * head is queued already; EAGAIN: the worker could not be made; nothing was posted.
 */
int srcu_call(struct srcu_domain *d, struct srcu_head *head, srcu_callback_t func);
/* Waits until all callbacks posted before have been invoked.  0, or EDEADLK: in a
 * callback, which would wait for itself; EAGAIN: there is no worker to invoke them. */
int srcu_barrier(struct srcu_domain *d);

/*
 * Polling: a cookie stands for the sections that are open when it is taken;
 * srcu_poll_state() says whether they have ended.  srcu_start_poll() sees to it that a
 * grace period happens, srcu_get_state() does not.  Cookies compare by poll only.
 */
unsigned long srcu_get_state(struct srcu_domain *d);
unsigned long srcu_start_poll(struct srcu_domain *d);
bool srcu_poll_state(struct srcu_domain *d, unsigned long cookie);

/* A number that grows with grace periods: for statistics. */
unsigned long srcu_batches_completed(struct srcu_domain *d);

/* --------------------------------------------------------------- readers */

/* The out-of-line forms: for other languages (the inline ones below are theirs), for first
 * uses and for what has gone wrong. */
int srcu_read_lock_call(struct srcu_domain *d);
void srcu_read_unlock_call(struct srcu_domain *d, int idx);

/* Which per-CPU structure to count in.  Any would be right, this CPU's is not shared.  No
 * CPU of that number (rseq is not registered, more CPUs than expected): the first. */
#ifdef SRCU_HAVE_RSEQ_CPU
#ifdef __cplusplus
}
#endif
#include <sys/rseq.h>
#ifdef __cplusplus
extern "C" {
#endif
static inline unsigned int srcu_cpu_(unsigned int n)
{
	unsigned int cpu;

	/* struct rseq's cpu_id: the kernel keeps it up to date */
	__asm__ volatile("movl %%fs:4(%1), %0" : "=r"(cpu) : "r"(__rseq_offset));
	return cpu < n ? cpu : 0;
}
#else
unsigned int srcu_this_cpu(void);	/* sched_getcpu(), or 0 */
static inline unsigned int srcu_cpu_(unsigned int n)
{
	unsigned int cpu = srcu_this_cpu();

	return cpu < n ? cpu : 0;
}
#endif

/* Nothing but the fast path of the two functions that follow. */
static inline void srcu_count_(unsigned long *counter)
{
#if defined(__x86_64__) || defined(__i386__) || defined(__SANITIZE_THREAD__)
	/* a locked increment is a full barrier; ThreadSanitizer understands no fences */
	__asm__ volatile("" ::: "memory");
	(void)__atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST);
	__asm__ volatile("" ::: "memory");
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	(void)__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/*
 * Begins a section, which may sleep, and nest in or overlap with others of the same
 * thread.  Pass the result to srcu_read_unlock().  Never fails and never blocks.  The
 * section must end in the thread that began it, see srcu_down_read(); a thread that
 * exits without ending it leaves it open, and grace periods wait for it for ever.
 */
static inline int srcu_read_lock(struct srcu_domain *d)
{
#ifndef SRCU_NO_INLINE
	/* acquire: what it points to, and ncpus_, is ready */
	struct srcu_percpu *p = __atomic_load_n(&d->percpu_, __ATOMIC_ACQUIRE);

	if (__builtin_expect(p != NULL, 1)) {
		unsigned int idx = __atomic_load_n(&d->idx_, __ATOMIC_RELAXED) & 1;

		srcu_count_(&p[srcu_cpu_(d->ncpus_)].lock_count[idx]);
		return (int)(idx | d->fork_);
	}
#endif
	return srcu_read_lock_call(d);
}

/* Ends a section. */
static inline void srcu_read_unlock(struct srcu_domain *d, int idx)
{
#ifndef SRCU_NO_INLINE
	struct srcu_percpu *p = __atomic_load_n(&d->percpu_, __ATOMIC_RELAXED);
	unsigned int bank = (unsigned int)idx ^ d->fork_;

	if (__builtin_expect(bank <= 1 && p != NULL, 1)) {
		srcu_count_(&p[srcu_cpu_(d->ncpus_)].unlock_count[bank]);
		return;
	}
#endif
	srcu_read_unlock_call(d, idx);
}

/* A section that need not end in the thread that began it. */
static inline int srcu_down_read(struct srcu_domain *d) { return srcu_read_lock(d); }
static inline void srcu_up_read(struct srcu_domain *d, int idx) { srcu_read_unlock(d, idx); }

/*
 * Fast readers: sections without any fence or locked instruction, as Linux 6.15 has them; in
 * exchange a grace period has the kernel interrupt every CPU that runs a thread of this
 * process.  A counter pointer instead of an index, for srcu_read_unlock_fast() in the same
 * thread; srcu_up_read_fast() may be called in any, for a section that was begun by
 * srcu_down_read_fast() (by any other unlock the count would be a data race).
 *
 * srcu_read_unlock_fast() is no full barrier; see srcu_smp_mb_after_read_unlock().  In the
 * child of a fork() the sections of the forking thread go on, and it has to end them.  A
 * thread's first section in a domain may need memory; without any it counts in a place that
 * all share, which is slower and nothing else.
 */
struct srcu_ctr *srcu_read_lock_fast_call(struct srcu_domain *d);
void srcu_read_unlock_fast_call(struct srcu_domain *d, struct srcu_ctr *ctr);
void srcu_up_read_fast(struct srcu_domain *d, struct srcu_ctr *ctr);

static inline struct srcu_ctr *srcu_read_lock_fast(struct srcu_domain *d)
{
#if defined(SRCU_FAST_INLINE) && !defined(SRCU_NO_INLINE)
	struct srcu_slot *slot = srcu_fast_slot(&d->fast_);

	if (__builtin_expect(slot != NULL, 1))
		return srcu_fast_count_rseq(&d->idx_, slot, srcu_thread.rseq_cs);
#endif
	return srcu_read_lock_fast_call(d);
}

static inline void srcu_read_unlock_fast(struct srcu_domain *d, struct srcu_ctr *ctr)
{
#ifndef SRCU_NO_INLINE
	if (!srcu_fast_is_shared(ctr)) {
		srcu_fast_count_unlock(ctr);
		return;
	}
#endif
	srcu_read_unlock_fast_call(d, ctr);
}

static inline struct srcu_ctr *srcu_down_read_fast(struct srcu_domain *d)
{
	return srcu_read_lock_fast(d);
}

/* A full barrier together with the srcu_read_unlock() before it, whichever kind: a normal
 * one is a barrier already, srcu_read_unlock_fast() is none. */
static inline void srcu_smp_mb_after_read_unlock(void)
{
#ifdef __SANITIZE_THREAD__
	unsigned int all = 0;	/* fences are unknown to it, and warned of */

	(void)__atomic_fetch_add(&all, 1, __ATOMIC_SEQ_CST);
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* ---------------------------------------------------------- debugging */

/*
 * In files compiled with -DSRCU_DEBUG readers are watched: an unlock without its lock (twice,
 * or with another domain's index or counter), waiting for a section of one's own thread, and
 * a thread's exit in one end the program with the story of that thread's sections.  Sections
 * that are handed over (srcu_down_read() and its kin) are not.
 */
int srcu_read_lock_debug(struct srcu_domain *d, const char *file, int line);
void srcu_read_unlock_debug(struct srcu_domain *d, int idx, const char *file, int line);
struct srcu_ctr *srcu_read_lock_fast_debug(struct srcu_domain *d, const char *file, int line);
void srcu_read_unlock_fast_debug(struct srcu_domain *d, struct srcu_ctr *ctr, const char *file,
				 int line);
void srcu_waits_debug(struct srcu_domain *d, const char *call, const char *file, int line);
#ifdef SRCU_DEBUG
#define srcu_read_lock(d) srcu_read_lock_debug(d, __FILE__, __LINE__)
#define srcu_read_unlock(d, idx) srcu_read_unlock_debug(d, idx, __FILE__, __LINE__)
#define srcu_read_lock_fast(d) srcu_read_lock_fast_debug(d, __FILE__, __LINE__)
#define srcu_read_unlock_fast(d, ctr) srcu_read_unlock_fast_debug(d, ctr, __FILE__, __LINE__)
#define srcu_synchronize(d) \
	(srcu_waits_debug(d, "srcu_synchronize", __FILE__, __LINE__), (srcu_synchronize)(d))
#define srcu_synchronize_expedited(d) \
	(srcu_waits_debug(d, "srcu_synchronize_expedited", __FILE__, __LINE__), \
	 (srcu_synchronize_expedited)(d))
#define srcu_barrier(d) \
	(srcu_waits_debug(d, "srcu_barrier", __FILE__, __LINE__), (srcu_barrier)(d))
#endif

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
