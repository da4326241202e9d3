/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libsrcu, readers that are watched (SRCU_DEBUG): each thread keeps a record of the sections
 * that it has open and of those that it ended last, and what does not fit ends the program
 * with the story: an unlock without its lock, a wait for one's own section, a thread that
 * exits in one.
 */
#include <config.h>

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fork.h"
#include "native.h"

#define OPEN_MAX_TOLD	64	/* more at once are not watched */
#define ENDED_MAX_TOLD	4
#define STORY_MAX	1000

struct section {
	const struct srcu_domain *d;
	const struct srcu_ctr *ctr;	/* of a fast one; else NULL, and its index: */
	int idx;
	int line, end_line;
	const char *file, *end_file;
};

struct record {
	unsigned nopen, nended;
	unsigned long unwatched;	/* begun while the record was full */
	unsigned long forks;		/* fork_count() when it was used last */
	struct section open[OPEN_MAX_TOLD];
	struct section ended[ENDED_MAX_TOLD]; /* in turn */
};

static __thread struct record *record __attribute__((tls_model("initial-exec")));
static pthread_key_t at_exit;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool have_key;

struct story { char text[STORY_MAX]; size_t len; };

__attribute__((format(printf, 2, 3))) static void tell(struct story *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(s->text + s->len, sizeof(s->text) - s->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		s->len += (size_t)n < sizeof(s->text) - s->len ? (size_t)n :
			  sizeof(s->text) - s->len - 1;
}

static void tell_section(struct story *s, const char *state, const struct section *e)
{
	tell(s, "\n  %s: domain %p, ", state, (const void *)e->d);
	if (e->ctr)
		tell(s, "counter %p", (const void *)e->ctr);
	else
		tell(s, "index %d", e->idx);
	tell(s, ", begun at %s:%d", e->file, e->line);
}

/* What this thread has open and has ended, newest first. */
static void tell_record(struct story *s, const struct record *r)
{
	unsigned n = r->nended < ENDED_MAX_TOLD ? r->nended : ENDED_MAX_TOLD;

	if (!r->nopen)
		tell(s, "\n  the thread has no section open");
	for (unsigned i = r->nopen; i--;)
		tell_section(s, "open", &r->open[i]);
	for (unsigned i = 0; i < n; i++) {
		const struct section *e = &r->ended[(r->nended - 1 - i) % ENDED_MAX_TOLD];

		tell_section(s, "ended", e);
		tell(s, ", ended at %s:%d", e->end_file, e->end_line);
	}
}

/* Of the forking thread's sections only the fast ones are open in the child. */
static void drop_forked(struct record *r)
{
	unsigned n = 0;

	if (r->forks == fork_count())
		return;
	for (unsigned i = 0; i < r->nopen; i++)
		if (r->open[i].ctr)
			r->open[n++] = r->open[i];
	r->nopen = n;
	r->forks = fork_count();
}

static void thread_exits(void *arg)
{
	struct record *r = arg;
	struct story s = { .len = 0 };

	drop_forked(r);
	if (r->nopen) {
		tell(&s, "a thread exits in a section, which stays open for ever");
		tell_record(&s, r);
		domain_misused(r->open[0].d, s.text);
	}
	record = NULL;
	free(r);
}

static void make_key(void) { have_key = !pthread_key_create(&at_exit, thread_exits); }

/* NULL: no memory, and nothing is watched in this thread. */
static struct record *my_record(void)
{
	if (!record) {
		pthread_once(&once, make_key);
		record = calloc(1, sizeof(*record));
		if (record && have_key)
			(void)pthread_setspecific(at_exit, record);
		if (record)
			record->forks = fork_count();
	}
	if (record)
		drop_forked(record);
	return record;
}

static void begin(struct record *r, struct section begun)
{
	if (r && r->nopen < OPEN_MAX_TOLD)
		r->open[r->nopen++] = begun;
	else if (r)
		r->unwatched++;
}

int srcu_read_lock_debug(struct srcu_domain *d, const char *file, int line)
{
	struct record *r = my_record();
	int idx = srcu_read_lock_call(d);

	begin(r, (struct section){ .d = d, .idx = idx, .file = file, .line = line });
	return idx;
}

struct srcu_ctr *srcu_read_lock_fast_debug(struct srcu_domain *d, const char *file, int line)
{
	struct record *r = my_record();
	struct srcu_ctr *ctr = srcu_read_lock_fast_call(d);

	begin(r, (struct section){ .d = d, .ctr = ctr, .file = file, .line = line });
	return ctr;
}

/* The newest section of that domain and index, or counter; false: there is none. */
static bool take_section(struct record *r, const struct section *end)
{
	for (unsigned i = r->nopen; i--;) {
		struct section *o = &r->open[i];

		if (o->d != end->d || o->ctr != end->ctr || o->idx != end->idx)
			continue;
		o->end_file = end->file;
		o->end_line = end->line;
		r->ended[r->nended++ % ENDED_MAX_TOLD] = *o;
		memmove(o, o + 1, (--r->nopen - i) * sizeof(*o));
		return true;
	}
	return false;
}

/* May that end a section of this thread? */
static bool may_end(struct record *r, const struct section *end)
{
	if (r && take_section(r, end))
		return true;
	if (!r || !r->unwatched)
		return false;
	r->unwatched--;
	return true;
}

void srcu_read_unlock_debug(struct srcu_domain *d, int idx, const char *file, int line)
{
	struct record *r = record ? my_record() : NULL;
	static const struct record nothing;
	struct story s = { .len = 0 };

	if (may_end(r, &(struct section){ .d = d, .idx = idx, .file = file, .line = line })) {
		srcu_read_unlock_call(d, idx);
		return;
	}
	if (idx >= 0 && (unsigned)idx < d->fork_)
		return;		/* begun before the fork(), and not open in this process */
	tell(&s, "srcu_read_unlock() of index %d at %s:%d: the thread has not begun that section",
	     idx, file, line);
	tell_record(&s, r ? r : &nothing);
	domain_misused(d, s.text);
}

void srcu_read_unlock_fast_debug(struct srcu_domain *d, struct srcu_ctr *ctr, const char *file,
				 int line)
{
	struct record *r = record ? my_record() : NULL;
	static const struct record nothing;
	struct story s = { .len = 0 };

	if (ctr && may_end(r, &(struct section){ .d = d, .ctr = ctr, .file = file, .line = line })) {
		srcu_read_unlock_fast_call(d, ctr);
		return;
	}
	tell(&s, "srcu_read_unlock_fast() of counter %p at %s:%d: the thread has not begun that section",
	     (void *)ctr, file, line);
	tell_record(&s, r ? r : &nothing);
	domain_misused(d, s.text);
}

void srcu_waits_debug(struct srcu_domain *d, const char *call, const char *file, int line)
{
	struct record *r = record ? my_record() : NULL;
	struct story s = { .len = 0 };

	for (unsigned i = 0; r && i < r->nopen; i++)
		if (r->open[i].d == d) {
			tell(&s, "%s() at %s:%d waits for a section of its own thread", call,
			     file, line);
			tell_record(&s, r);
			domain_misused(d, s.text);
		}
}
