/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Torture, between its files:
 *
 *	command.c	the command line
 *	run.c		threads, their end, the watchdog
 *	report.c	what is printed
 *	pipe.c		generations of elements, and how they are retired
 *	reader.c	sections, and those who read
 *	updater.c	writers, fake writers, floods of callbacks
 *
 * What several threads touch is atomic or under the lock that is named beside it.
 */
#ifndef SRCUSH_TORTURE_INTERNAL_H
#define SRCUSH_TORTURE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <srcu/srcu.h>

#include "torture/torture.h"

/*
 * The pipe.  An element is at stage 0 while it can be found, at 1 when it has been removed,
 * and goes on by one with each grace period; at the last it is freed.  Who found it in a
 * section may see 0 and 1 for as long as the section lasts.
 */
#define PIPE_LEN 10

enum how { HOW_SYNC, HOW_EXPEDITED, HOW_POLL, HOW_STATE, HOW_CALL, HOW_COUNT };

struct element {
	struct srcu_head head;		/* the library's */
	struct bed *bed;
	struct element *next;		/* in the pool (pool_lock), or in its writer's list */
	atomic_uint stage;
	atomic_ulong gen;		/* which generation it is */
	atomic_ulong payload;		/* element_payload(gen); another one when freed */
	atomic_ullong removed_at;	/* ns */
	atomic_uint removed_by;		/* enum how */
};

/* A section, which may be handed to another thread. */
struct section {
	int idx;
	struct srcu_ctr *ctr;
	struct element *p;
	unsigned long gen;
	unsigned long long began;
	bool down;			/* to be ended by any thread */
};

/* A domain and all that happens to it. */
struct bed {
	struct srcu_domain d;
	struct torture *t;
	bool fast;
	const char *name;
	_Atomic(struct element *) current;
	_Atomic(struct section *) handed;	/* an open section, for whoever takes it */
	atomic_ulong gens;		/* the last generation's number */
	atomic_ulong in_flight;		/* elements whose callback is awaited */
	_Atomic(struct member *) lone;	/* the only writer while it is calm, or NULL */
	pthread_mutex_t pool_lock;
	struct element *pool;		/* pool_lock */
	struct element *elements;
	atomic_ulong batches;		/* when the domain was ended: how many there had been */
};

enum count {
	COUNT_SECTIONS, COUNT_BLOCKED, COUNT_HANDED, COUNT_THREADS, COUNT_GENERATIONS,
	COUNT_SYNC, COUNT_EXPEDITED, COUNT_POLL, COUNT_CALLS, COUNT_BARRIERS, COUNT_COUNT
};

/* A thread. */
struct member {
	struct torture *t;
	struct bed *bed;
	const char *role;
	void (*run)(struct member *me);
	pthread_t thread;
	uint64_t random;
	struct element *removed;	/* a writer's, not yet freed */
	atomic_bool done, parked;
	atomic_ullong waits_since;	/* ns; 0: it does not wait */
	_Atomic(const char *) waits_in;
	/* written by the thread alone */
	atomic_ullong counts[COUNT_COUNT];
	atomic_ullong pipe[PIPE_LEN + 1];
} __attribute__((aligned(128)));

struct torture {
	struct torture_opts o;
	struct bed *beds[2];
	unsigned nbeds;
	struct member *members;
	unsigned nmembers;
	unsigned long long began;	/* ns */
	atomic_bool stop;
	atomic_bool hold;		/* readers shall leave, and wait */
	atomic_uint failures;
	pthread_mutex_t text_lock;
	/* text_lock: the first failure, the first error */
	const struct bed *failed_bed;
	char failure[640], error[160];
};

/* --- run.c --- */
unsigned long long torture_now(void);
uint64_t member_random(struct member *me);
void torture_nap(unsigned long long ns);
static inline bool torture_stopping(struct torture *t)
{
	return atomic_load_explicit(&t->stop, memory_order_relaxed);
}
/* The library did what it must not.  The first one is told; the run ends. */
void torture_fail(struct torture *t, const struct bed *b, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* There is no memory, no thread: the run ends, and nothing is said of the library. */
void torture_error(struct torture *t, const char *what, int err);
static inline void member_count(struct member *me, enum count what)
{
	/* nobody else writes there */
	unsigned long long n = atomic_load_explicit(&me->counts[what], memory_order_relaxed);

	atomic_store_explicit(&me->counts[what], n + 1, memory_order_relaxed);
}
/* Around each call that waits for readers: what the watchdog looks at. */
void member_waits(struct member *me, const char *call);
void member_waits_no_more(struct member *me);
/*
 * Busy times and calm ones take turns.  In busy times one grace period begins when the one
 * before has ended; in calm ones a single writer leaves time between them, and sections are
 * long.  A section in the wrong bank is overlooked by every other grace period only, so that
 * one has to begin and end while it lasts.
 */
bool torture_is_calm(const struct torture *t);
/* Nothing, a short loop, a switch to another thread, sometimes a real sleep. */
bool member_delay(struct member *me);

/* --- pipe.c --- */
extern const char *const how_names[HOW_COUNT];
bool bed_fill(struct bed *b, unsigned elements);
/* Puts a new element in the place of the current one, which is retired in that way.
 * False: none is free, or nothing can be retired any more. */
bool bed_replace(struct member *me, enum how how);
/* Waits for a grace period in that way (not HOW_CALL). */
void bed_wait(struct member *me, enum how how);
/* A grace period is over for what the writer has removed. */
void bed_advance(struct member *me);
unsigned long element_payload(unsigned long gen);
/* For statistics. */
unsigned long bed_grace_periods(struct bed *b);

/* --- reader.c --- */
void reader_run(struct member *me);
void churn_run(struct member *me);
/* Ends the section that is waiting to be taken, if any. */
void bed_take_handed(struct member *me);

/* --- updater.c --- */
void writer_run(struct member *me);
void fakewriter_run(struct member *me);
void flood_run(struct member *me);
void closer_run(struct member *me);

/* --- report.c --- */
enum verdict { VERDICT_OK, VERDICT_FAILURE, VERDICT_INTERRUPTED, VERDICT_ERROR };
void report_header(const struct torture *t);
void report_stat(const struct torture *t);
void report_verdict(const struct torture *t, enum verdict v, int status);

#endif
