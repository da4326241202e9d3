/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal of what was done to a world from outside, and time travel: a
 * world is built again from its journal and the steps are performed again, on
 * fibers and muted.  What comes out differently stops it: some body used
 * something that outlives the execution.
 */
#include <config.h>

#include "engine/internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool world_do(struct world *w, bool (*apply)(struct world *, void *), void *arg,
	      void (*release)(void *), bool vanishes)
{
	/* noted first: nothing may be done that cannot be done again */
	if (!grow(&w->journal, &w->journal_cap, w->njournal + 1, sizeof(*w->journal))) {
		if (release)
			release(arg);
		return world_oom(w);
	}
	w->found = NULL;
	if (!apply(w, arg)) {
		if (release)
			release(arg);
		return false;
	}
	w->journal[w->njournal++] = (struct journal_entry){
		.apply = apply, .release = release, .arg = arg,
		.at = w->log.n, .vanishes = vanishes };
	w->applied = w->njournal;
	return true;
}

/* Applies the entries whose time has come. */
bool journal_due(struct world *w)
{
	while (w->applied < w->njournal && w->journal[w->applied].at <= w->log.n) {
		struct journal_entry *e = &w->journal[w->applied++];

		if (!e->apply(w, e->arg))
			return false;
	}
	return true;
}

static void journal_drop(struct world *w, size_t i)
{
	if (w->journal[i].release)
		w->journal[i].release(w->journal[i].arg);
	memmove(&w->journal[i], &w->journal[i + 1],
		(--w->njournal - i) * sizeof(*w->journal));
}

/* Forgets what vanishes after step n; what stays is done at n at the latest. */
static void journal_cut(struct world *w, uint64_t n, bool calls_too)
{
	for (size_t i = 0; i < w->njournal;) {
		struct journal_entry *e = &w->journal[i];

		if (e->vanishes && (e->at > n || calls_too)) {
			journal_drop(w, i);
			continue;
		}
		if (e->at > n)
			e->at = n;
		i++;
	}
}

/* An empty execution with what stands at its start. */
static bool restart(struct world *w)
{
	world_drop_execution(w);
	w->applied = 0;
	return world_init_execution(w) && journal_due(w);
}

static bool same(const struct record *a, const struct record *b)
{
	return a->value == b->value && a->stored == b->stored && a->loc == b->loc &&
	       a->site == b->site && a->task == b->task;
}

/* Performs step i of `old` again. */
static bool repeat(struct world *w, const struct record *old, unsigned choice)
{
	uint64_t n = w->log.n + 1;
	enum step_result res;
	struct task *t;

	if (old->task == UINT16_MAX)
		return world_advance(w, old->stored - old->value);
	if (!promises_again(w))
		return false;
	t = world_task(w, old->task);
	if (!t)
		return world_fail(w, "step %" PRIu64 " cannot be repeated: its thread does not exist this time", n);
	res = world_step_again(w, t, choice);
	if (res == STEP_ERROR)
		return false;
	if (res != STEP_OK || !same(log_record(w, n), old))
		return world_fail(w, "step %" PRIu64 " of %s came out differently this time: its body uses "
				  "something that outlives the execution (a global or an upvalue that it changes, "
				  "the time, random numbers)", n, task_name(t));
	return true;
}

static bool rewind_to(struct world *w, uint64_t n, bool calls_too)
{
	struct events_log old = w->log;
	bool ok;

	w->log = (struct events_log){ 0 };
	if (n > old.n)
		n = old.n;
	journal_cut(w, n, calls_too);
	w->muted = true;
	ok = restart(w);
	for (uint64_t i = 0; ok && i < n; i++)
		ok = world_prime(w) && repeat(w, &old.chunks[i / LOG_CHUNK][i % LOG_CHUNK],
					   events_choice(&old, i + 1)) &&
		     journal_due(w);
	if (ok)
		ok = world_prime(w);
	/* whatever happened, what was made stays made */
	while (w->applied < w->njournal) {
		w->journal[w->applied].at = w->log.n;
		if (!journal_due(w))
			ok = false;
	}
	w->muted = false;
	log_release(&old);
	return ok;
}

bool world_rebuild(struct world *w)
{
	bool ok;

	journal_cut(w, 0, true);
	w->muted = true;
	ok = restart(w);
	w->muted = false;
	return ok;
}

bool world_rewind(struct world *w, uint64_t n)
{
	if (w->lean && n)
		return world_fail(w, "this run keeps no log: it cannot be gone back in");
	return rewind_to(w, n, false);
}

bool world_reset(struct world *w) { return rewind_to(w, 0, true); }

/* --- replaying a schedule --- */

static bool check_head(struct world *w, const char *head, size_t len)
{
	const char *comma = memchr(head, ',', len);
	unsigned long cpus;
	char *end;

	char model[16] = "";

	if (comma && comma - head - 1 < (ptrdiff_t)sizeof(model))
		memcpy(model, head + 1, (size_t)(comma - head - 1));
	if (!*model || !memory_model_by_name(model))
		return world_fail(w, "schedule: it begins with '@MODEL,CPUS', not '%.*s'", (int)len, head);
	cpus = strtoul(comma + 1, &end, 10);
	if (!isdigit((unsigned char)comma[1]) || end != head + len)
		return world_fail(w, "schedule: '%.*s' gives no number of CPUs", (int)len, head);
	if (cpus != w->cpus)
		return world_fail(w, "schedule: it was made with %lu CPUs, this world has %u", cpus, w->cpus);
	return world_change_model(w, model);
}

bool world_replay(struct world *w, const char *schedule)
{
	struct events_log old = w->log;
	const char *p = schedule + strspn(schedule, " \t\n");
	size_t len = strcspn(p, " \t\n");
	unsigned nth = 0;
	bool ok;

	if (*p == '@') {
		if (!check_head(w, p, len))
			return false;
		p += len;	/* what follows may be a thread called "@..." */
	}
	w->log = (struct events_log){ 0 };
	promises_forget(w);
	ok = restart(w);
	log_release(&old);
	for (; ok && *p; p += len) {
		p += strspn(p, " \t\n");
		len = strcspn(p, " \t\n");
		if (!len)
			continue;
		ok = schedule_item(w, p, len, ++nth);
	}
	/* calls that were typed later in the old run are not part of this one */
	if (w->applied < w->njournal) {
		size_t done = w->applied;

		for (size_t i = done; i < w->njournal;)
			if (w->journal[i].vanishes)
				journal_drop(w, i);
			else
				w->journal[i++].at = w->log.n;
		ok = journal_due(w) && ok;
	}
	return world_prime(w) && ok;
}
