/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Torture, the run: makes domains and threads, watches over them, and ends them.  The
 * watchdog knows of each call that waits for readers since when it does: if that is too
 * long the readers have to leave, and if it does not end then, it never would have.
 */
#include <config.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "repl/status.h"
#include "torture/internal.h"

#define TICK_NS		10000000ull	/* how often the watchdog looks */
#define SECOND		1000000000ull
#define CALM_NS		50000000ull	/* as long as a busy time */
#define ELEMENTS_SPARE	32		/* and as many for each writer */
/* After a failure nothing is certain to end: so long do we wait for it. */
#define AFTERMATH_NS	(2 * SECOND)

static volatile sig_atomic_t interrupted;

/* What threads that were left behind are still using. */
static struct torture *left_behind;

void torture_interrupt(void) { interrupted = 1; }

/* --- small things --- */

unsigned long long torture_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (unsigned long long)ts.tv_sec * SECOND + (unsigned long long)ts.tv_nsec;
}

void torture_nap(unsigned long long ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / SECOND), .tv_nsec = (long)(ns % SECOND) };

	nanosleep(&ts, NULL);
}

/* splitmix64 (Steele, Lea, Flood 2014): any seed will do, 0 too */
uint64_t member_random(struct member *me)
{
	uint64_t z = me->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

bool torture_is_calm(const struct torture *t)
{
	return (torture_now() - t->began) / CALM_NS % 2;
}

bool member_delay(struct member *me)
{
	uint64_t r = member_random(me), n = r >> 32;

	r %= 1000;
	if (r < 500)
		return false;
	if (r < 900) {
		for (n %= 400; n; n--)
			atomic_signal_fence(memory_order_seq_cst);
		return false;
	}
	if (r < 970) {
		sched_yield();
		return true;
	}
	torture_nap(r < 998 ? n % 100000 : n % 2000000);
	return true;
}

void torture_fail(struct torture *t, const struct bed *b, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&t->text_lock);
	if (!t->failure[0]) {
		t->failed_bed = b;
		va_start(ap, fmt);
		vsnprintf(t->failure, sizeof(t->failure), fmt, ap);
		va_end(ap);
	}
	pthread_mutex_unlock(&t->text_lock);
	atomic_fetch_add(&t->failures, 1);
	atomic_store(&t->stop, true);
}

void torture_error(struct torture *t, const char *what, int err)
{
	char why[64] = "";

	if (err)
		snprintf(why, sizeof(why), ": %s", strerror(err));
	pthread_mutex_lock(&t->text_lock);
	if (!t->error[0])
		snprintf(t->error, sizeof(t->error), "%s%s", what, why);
	pthread_mutex_unlock(&t->text_lock);
	atomic_store(&t->stop, true);
}

static bool has_error(struct torture *t)
{
	bool r;

	pthread_mutex_lock(&t->text_lock);
	r = t->error[0] != 0;
	pthread_mutex_unlock(&t->text_lock);
	return r;
}

void member_waits(struct member *me, const char *call)
{
	atomic_store(&me->waits_in, call);
	atomic_store(&me->waits_since, torture_now());
}

void member_waits_no_more(struct member *me)
{
	atomic_store(&me->waits_since, 0);
}

/* --- the watchdog --- */

struct watch {
	unsigned long long stat_at;	/* the next statistics */
	unsigned long long held_at;	/* readers were asked to leave; 0: they were not */
	unsigned long long silent_at;	/* the last one had left; 0: not yet */
};

/* Who has been waiting for longest; NULL: nobody for that long. */
static struct member *stalled(struct torture *t, unsigned long long now)
{
	unsigned long long limit = (unsigned long long)(t->o.stall * 1e9), oldest = 0;
	struct member *who = NULL;

	for (unsigned i = 0; i < t->nmembers; i++) {
		unsigned long long since = atomic_load(&t->members[i].waits_since);

		if (since && now > since && now - since > limit && (!oldest || since < oldest)) {
			oldest = since;
			who = &t->members[i];
		}
	}
	return who;
}

/* Has every reader left?  A section that was handed over is ended here. */
static bool readers_left(struct torture *t, struct member *me)
{
	for (unsigned i = 0; i < t->nmembers; i++) {
		struct member *m = &t->members[i];

		if ((m->run == reader_run || m->run == churn_run) &&
		    !atomic_load(&m->done) && !atomic_load(&m->parked))
			return false;
	}
	for (unsigned i = 0; i < t->nbeds; i++) {
		me->bed = t->beds[i];
		bed_take_handed(me);
	}
	return true;
}

static void fail_stalled(struct torture *t, struct member *m, unsigned long long now, bool silent)
{
	struct bed *b = m->bed;
	unsigned waiting = 0;

	for (unsigned i = 0; i < t->nmembers; i++)
		waiting += t->members[i].bed == b && atomic_load(&t->members[i].waits_since);
	if (silent)
		torture_fail(t, b, "%s of a %s has not returned for %.1f s, although every reader has left: "
			     "%u threads wait for this domain, %lu grace periods have ended in it, "
			     "%lu elements are between two callbacks", atomic_load(&m->waits_in), m->role,
			     (double)(now - atomic_load(&m->waits_since)) / 1e9, waiting,
			     bed_grace_periods(b), atomic_load(&b->in_flight));
	else
		torture_fail(t, b, "a reader does not leave: %s of a %s has been waiting for %.1f s",
			     atomic_load(&m->waits_in), m->role,
			     (double)(now - atomic_load(&m->waits_since)) / 1e9);
}

static void watch_stalls(struct torture *t, struct watch *w, struct member *me)
{
	unsigned long long now = torture_now(), limit = (unsigned long long)(t->o.stall * 1e9);
	struct member *m = stalled(t, now);

	if (!m) {
		atomic_store(&t->hold, false);
		w->held_at = w->silent_at = 0;
		return;
	}
	if (!w->held_at) {
		atomic_store(&t->hold, true);
		w->held_at = now;
	}
	if (!w->silent_at && readers_left(t, me))
		w->silent_at = now;
	/* as long again, now that nothing is in its way */
	if (w->silent_at ? now - w->silent_at > limit : now - w->held_at > 10 * limit)
		fail_stalled(t, m, now, w->silent_at != 0);
}

static void watch(struct torture *t, struct watch *w, struct member *me)
{
	watch_stalls(t, w, me);
	if (torture_stopping(t))
		readers_left(t, me);	/* a section may be waiting that nobody will take any more */
	if (w->stat_at && torture_now() >= w->stat_at) {
		report_stat(t);
		w->stat_at += (unsigned long long)(t->o.stat_interval * 1e9);
	}
	torture_nap(TICK_NS);
}

static bool failed(struct torture *t) { return atomic_load(&t->failures) != 0; }

/* Until each of these threads has come to its end.  False: they do not. */
static bool watch_ends(struct torture *t, struct watch *w, struct member *me,
		       struct member *first, unsigned n)
{
	unsigned long long failed_at = 0;

	for (unsigned i = 0; i < n; ) {
		if (atomic_load(&first[i].done)) {
			i++;
			continue;
		}
		if (failed(t) && !failed_at)
			failed_at = torture_now();
		if (failed_at && torture_now() - failed_at > AFTERMATH_NS)
			return false;
		watch(t, w, me);
	}
	return true;
}

/* --- threads --- */

static void *member_thread(void *arg)
{
	struct member *me = arg;

	me->run(me);
	atomic_store(&me->done, true);
	return NULL;
}

static void member_init(struct member *m, struct torture *t, struct bed *b,
			const char *role, void (*run)(struct member *))
{
	m->t = t;
	m->bed = b;
	m->role = role;
	m->run = run;
	m->random = t->o.seed + 0x632be59bd9b4e019u * (uint64_t)(m - t->members);
}

static unsigned members_wanted(const struct torture *t)
{
	/* with a churner and a flood */
	return t->nbeds * (t->o.readers + t->o.writers + t->o.fakewriters + 2);
}

static void members_init(struct torture *t)
{
	struct member *m = t->members;

	for (unsigned b = 0; b < t->nbeds; b++) {
		for (unsigned i = 0; i < t->o.readers; i++)
			member_init(m++, t, t->beds[b], "reader", reader_run);
		for (unsigned i = 0; i < t->o.writers; i++)
			member_init(m++, t, t->beds[b], "writer", writer_run);
		for (unsigned i = 0; i < t->o.fakewriters; i++)
			member_init(m++, t, t->beds[b], "fake writer", fakewriter_run);
		member_init(m++, t, t->beds[b], "flood of callbacks", flood_run);
		member_init(m++, t, t->beds[b], "thread that comes and goes", churn_run);
	}
}

/* Starts them; returns how many. */
static unsigned members_start(struct torture *t, struct member *m, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int err = pthread_create(&m[i].thread, NULL, member_thread, &m[i]);

		if (err) {
			torture_error(t, "cannot create a thread", err);
			return i;
		}
	}
	return n;
}

static void members_join(struct member *m, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		pthread_join(m[i].thread, NULL);
}

/* --- domains --- */

static struct bed *bed_new(struct torture *t, bool fast)
{
	struct srcu_options o = {
		.size = sizeof(o), .readers = fast ? SRCU_READERS_FAST : SRCU_READERS_NORMAL,
	};
	struct bed *b = aligned_alloc(_Alignof(struct bed), sizeof(*b));

	if (!b)
		return NULL;
	memset(b, 0, sizeof(*b));
	b->t = t;
	b->fast = fast;
	b->name = fast ? "fast" : "normal";
	pthread_mutex_init(&b->pool_lock, NULL);
	if (bed_fill(b, ELEMENTS_SPARE * (t->o.writers + 1)) && !srcu_init_options(&b->d, &o))
		return b;
	free(b->elements);
	free(b);
	return NULL;
}

/* Nobody uses them any more, and the library neither. */
static void torture_free(struct torture *t)
{
	for (unsigned i = 0; i < t->nbeds; i++) {
		free(t->beds[i]->elements);
		free(t->beds[i]);
	}
	free(t->members);
	free(t);
}

static struct torture *torture_new(const struct torture_opts *o)
{
	struct torture *t = calloc(1, sizeof(*t));
	unsigned n;

	if (!t)
		return NULL;
	t->o = *o;
	pthread_mutex_init(&t->text_lock, NULL);
	for (unsigned kind = TORTURE_NORMAL; kind <= TORTURE_FAST; kind <<= 1) {
		if (!(o->kinds & kind))
			continue;
		t->beds[t->nbeds] = bed_new(t, kind == TORTURE_FAST);
		if (!t->beds[t->nbeds])
			break;
		t->nbeds++;
	}
	n = members_wanted(t) + t->nbeds;	/* and the closers */
	t->members = aligned_alloc(_Alignof(struct member), (n ? n : 1) * sizeof(*t->members));
	if (t->members && t->nbeds == (unsigned)__builtin_popcount(o->kinds)) {
		memset(t->members, 0, n * sizeof(*t->members));
		return t;
	}
	for (unsigned i = 0; i < t->nbeds; i++)
		(void)srcu_cleanup(&t->beds[i]->d);
	torture_free(t);
	return NULL;
}

/* --- from begin to end --- */

/* All have come to their end: what is still in the pipes is let out, and the domains are
 * ended.  False: a thread is left that uses them. */
static bool close_all(struct torture *t, struct watch *w, struct member *me, struct member *closers)
{
	unsigned n;

	for (unsigned i = 0; i < t->nbeds; i++)
		member_init(&closers[i], t, t->beds[i], "closer", closer_run);
	n = members_start(t, closers, t->nbeds);
	t->nmembers += n;
	if (!watch_ends(t, w, me, closers, n))
		return false;
	members_join(closers, n);
	return n == t->nbeds;
}

static bool run_all(struct torture *t)
{
	unsigned long long end;
	struct member me = { .t = t, .role = "watchdog" };
	struct watch w = { 0 };
	unsigned wanted = members_wanted(t);

	t->began = torture_now();
	end = t->began + (unsigned long long)(t->o.seconds * 1e9);
	if (t->o.stat_interval > 0)
		w.stat_at = t->began + (unsigned long long)(t->o.stat_interval * 1e9);
	members_init(t);
	t->nmembers = members_start(t, t->members, wanted);
	while (!torture_stopping(t) && !interrupted && torture_now() < end)
		watch(t, &w, &me);
	atomic_store(&t->stop, true);
	if (!watch_ends(t, &w, &me, t->members, t->nmembers))
		return false;
	members_join(t->members, t->nmembers);
	/* a library that has failed need not be asked for more */
	return !failed(t) && !has_error(t) && close_all(t, &w, &me, t->members + wanted) && !failed(t);
}

static enum verdict verdict(struct torture *t)
{
	if (failed(t))
		return VERDICT_FAILURE;
	if (has_error(t))
		return VERDICT_ERROR;
	return interrupted ? VERDICT_INTERRUPTED : VERDICT_OK;
}

int torture_run(const struct torture_opts *o)
{
	static const int statuses[] = {
		[VERDICT_OK] = STATUS_OK, [VERDICT_FAILURE] = STATUS_VIOLATION,
		[VERDICT_INTERRUPTED] = STATUS_INTERRUPTED, [VERDICT_ERROR] = STATUS_ERROR,
	};
	struct torture *t = torture_new(o);
	enum verdict v;
	bool over;

	if (!t) {
		fputs("srcush: not enough memory\n", stderr);
		return STATUS_ERROR;
	}
	report_header(t);
	over = run_all(t);
	v = verdict(t);
	report_verdict(t, v, statuses[v]);
	if (over)
		torture_free(t);
	else
		left_behind = t;
	return statuses[v];
}
