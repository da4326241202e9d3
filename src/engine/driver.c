/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The driver's loop body: perform what a task announced, record it, let the
 * task run on to its next announcement.
 */
#include <config.h>

#include "engine/carrier.h"
#include "engine/checkpoint.h"
#include "engine/switch.h"
#include "engine/internal.h"
#include "memory/execution.h"
#include "k/work.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool get_thread(struct world *w, struct task *t)
{
	int err = 0;

	t->thread = os_thread_get(&err);
	return t->thread || world_fail(w, "cannot start an OS thread for \"%s\": %s "
				       "(--carrier fiber needs none)", task_name(t), strerror(err));
}

static void over(struct world *w, struct task *t)
{
	cpu_update_owner(t);
	if (w->hooks.task_over)
		w->hooks.task_over(w, t);
	task_retire(t);
}

/* Lets t run until it announces or ends.  False: no OS thread could be had. */
static inline bool resume(struct world *w, struct task *t)
{
	bool real = w->carrier == CARRIER_PTHREAD && !w->muted;

	if (real && !t->thread && !get_thread(w, t))
		return false;
	task_running_ = t;
	if (real)
		os_thread_resume(t->thread, t->stack);
	else
		stack_resume(t->stack);
	task_running_ = NULL;
	if (t->in_pass)
		idle_stretch_ends(t);
	t->start_since = w->log.n;
	if (t->state == TASK_DONE || t->state == TASK_FAILED) {
		over(w, t);
	} else if (t->ev.site->flags & SITE_SLEEPS && w->hooks.sleeps) {
		w->hooks.sleeps(w, t, &t->ev);
	}
	return true;
}

bool world_prime(struct world *w)
{
	bool began = false;

	/* a task's first stretch may make further tasks: they stand behind it */
	for (size_t i = 0; w->nfresh && i < w->ntasks; i++) {
		struct task *t = w->tasks[i];

		if (t->state != TASK_FRESH)
			continue;
		if (!resume(w, t))
			return false;
		w->nfresh--;
		began = true;
	}
	if (began && !w->log.n && w->watch.stepped)
		w->watch.stepped(w, NULL);
	return true;
}

bool task_begin_again(struct task *t, bool (*tell)(void *arg, struct task *t), void *arg)
{
	bool ok = checkpoint_task(t);

	t->tell = tell;
	t->tell_arg = arg;
	ok = ok && resume(t->w, t);
	t->tell = NULL;
	return ok;
}

void task_poke(struct task *t)
{
	if (t->state != TASK_READY || t->ev.op != OP_CALL_WAIT)
		return;
	t->state = TASK_FRESH;
	t->w->nfresh++;
}

/* Where there is no size the location is a word. */
static unsigned size_bits(unsigned size)
{
	return (size == 1 ? 0u : size == 2 ? 1u : size == 4 ? 2u : 3u) << REC_SIZE_SHIFT;
}

static void fill_record(struct world *w, struct task *t, unsigned choice, struct record *r)
{
	r->loc = t->ev.loc ? arena_offset(w, t->ev.loc) : LOC_NONE;
	r->site = t->ev.site->id ? t->ev.site->id : site_id((struct site *)t->ev.site);
	r->call = t->ncalls ? t->calls[t->ncalls - 1].mark : 0;
	r->task = (uint16_t)t->index;
	r->cpu_lo = (uint8_t)t->cpu;
	r->flags = (uint8_t)((t->cpu >> 8) << REC_CPU_SHIFT | size_bits(t->ev.size));
	if (t->ev.op == OP_CHOOSE && choice > 1)
		r->flags |= REC_CHOICE;
}

/* The most frequent events without a detour; event_perform() does the same. */
static inline bool perform(struct world *w, struct task *t, unsigned choice, struct record *r)
{
	struct event *ev = &t->ev;

	if (ev->size != 8 || t->in_pass || w->history)
		return event_perform(w, t, choice, r);
	if (ev->op == OP_LOAD || ev->op == OP_PLAIN_LOAD) {
		r->value = r->stored = ev->value = *(uint64_t *)ev->loc;
	} else if (ev->op == OP_STORE || ev->op == OP_PLAIN_STORE) {
		r->value = ev->value = *(uint64_t *)ev->loc;
		r->stored = *(uint64_t *)ev->loc = ev->a;
	} else {
		return event_perform(w, t, choice, r);
	}
	return true;
}

/*
 * An oracle would not have t's event performed, which ends t.  The step stands in
 * the log all the same, without values, so that a schedule leads to it; what was
 * reported of it has to count it.
 */
static void refuse_step(struct world *w, struct task *t, struct record *r, size_t violations)
{
	r->value = r->stored = 0;
	r->flags |= REC_REFUSED;
	w->log.n++;
	for (size_t i = violations; i < w->nviolations; i++) {
		w->violations[i].step = w->log.n;
		free(w->violations[i].schedule);
		w->violations[i].schedule = world_schedule(w);
	}
	t->state = TASK_FAILED;
	over(w, t);
}

#define QUIET_OPS (1ull << OP_LOAD | 1ull << OP_STORE | 1ull << OP_ADD | 1ull << OP_AND | \
	1ull << OP_OR | 1ull << OP_XOR | 1ull << OP_XCHG | 1ull << OP_CMPXCHG | 1ull << OP_FENCE | \
	1ull << OP_ASSUME | 1ull << OP_CHOOSE | 1ull << OP_YIELD)

/* Have the oracles nothing to say of this event? */
static inline bool is_quiet(const struct world *w, const struct event *ev)
{
	const struct engine_hooks *h = &w->hooks;

	/* somebody else makes the store of a promise */
	if (ev->site->flags & SITE_PROMISE)
		return true;
	return h->noise[0] && !*h->noise[0] && !*h->noise[1] && QUIET_OPS >> ev->op & 1 &&
	       !(ev->site->flags & (SITE_SPIN | SITE_IRQ | SITE_BH));
}

/* What follows a step that has been performed: t runs on. */
static inline enum step_result step_on(struct world *w, struct task *t, bool quiet)
{
	w->log.n++;
	t->steps++;
	if (!quiet && w->hooks.performed)
		w->hooks.performed(w, t, &t->ev);
	if (!resume(w, t))
		return STEP_ERROR;
	if (w->voluntary)
		cpu_update_owner(t);
	if (w->nfresh && !world_prime(w))
		return STEP_ERROR;
	if (w->ghosts.n && !w->lean && w->hooks.ghosts)
		w->hooks.ghosts(w);
	if (w->watch.stepped)
		w->watch.stepped(w, t);
	return STEP_OK;
}

/* The same step, of which nothing is written down. */
static inline enum step_result step_without_log(struct world *w, struct task *t, unsigned choice,
						 struct record *r)
{
	size_t violations = w->nviolations;
	bool quiet = is_quiet(w, &t->ev);

	r->flags = 0;
	if (!quiet && t->ev.loc && w->hooks.access && !w->hooks.access(w, t, &t->ev)) {
		refuse_step(w, t, r, violations);
		return STEP_OK;
	}
	return perform(w, t, choice, r) ? step_on(w, t, quiet) : STEP_ERROR;
}

enum step_result world_step_lean(struct world *w, struct task *t, unsigned choice, struct record *r)
{
	assert(w->lean);
	w->found = NULL;
	w->ghosts.n = 0;
	return step_without_log(w, t, choice, r);
}

enum step_result world_step(struct world *w, struct task *t, unsigned choice)
{
	struct record *r, none;
	size_t violations;
	bool quiet;

	assert(!task_current());
	if (w->nfresh && !world_prime(w))
		return STEP_ERROR;
	if (t->state == TASK_DONE || t->state == TASK_FAILED)
		return STEP_OVER;
	if (w->found != t && task_blocked(t).why != BLOCK_NONE)
		return STEP_BLOCKED;
	w->found = NULL;
	if (w->watch.stepped && !w->log.n)
		w->watch.stepped(w, NULL);
	w->ghosts.n = 0;
	if (t->ev.op == OP_CHOOSE && choice > t->ev.a) {
		world_fail(w, "there is no choice %u: 1 to %u can be had", choice, (unsigned)t->ev.a);
		return STEP_ERROR;
	}
	if (w->lean)
		return step_without_log(w, t, choice, &none);
	if (choice > 1 && w->history && !w->trusted && t->ev.op != OP_CHOOSE && !execution_may_choose(w, t, choice))
		return STEP_ERROR;
	r = log_append(w);
	if (!r) {
		world_oom(w);
		return STEP_ERROR;
	}
	w->log.n--; /* the oracles and `since` count what is performed already */
	fill_record(w, t, choice, r);
	violations = w->nviolations;
	quiet = t->promise;
	if (!quiet && t->ev.loc && w->hooks.access && !w->hooks.access(w, t, &t->ev)) {
		refuse_step(w, t, r, violations);
		return STEP_OK;
	}
	return perform(w, t, choice, r) ? step_on(w, t, quiet) : STEP_ERROR;
}

enum step_result world_step_again(struct world *w, struct task *t, unsigned choice)
{
	if (t->state == TASK_READY && task_blocked(t).why == BLOCK_IDLE_PASS)
		w->found = t;
	return world_step(w, t, choice);
}

bool world_advance(struct world *w, uint64_t ns)
{
	static struct site site = { .op = OP_ADVANCE, .prim = "advance", .expr = "",
				    .func = "", .file = "", .flags = SITE_CLOCK };
	struct record *r, none;

	if (w->nfresh && !world_prime(w))
		return false;
	if (!w->clock)
		return world_oom(w);
	if (ns > INT64_MAX - *w->clock)
		return world_fail(w, "the clock cannot go that far");
	r = w->lean ? &none : log_append(w);
	if (!r)
		return world_oom(w);
	w->log.n += w->lean;
	*r = (struct record){ .value = *w->clock, .stored = *w->clock + ns,
			      .loc = arena_offset(w, w->clock), .site = site_id(&site),
			      .task = UINT16_MAX };
	*w->clock += ns;
	w->found = NULL;
	w->aside = true;
	if (w->watch.stepped)
		w->watch.stepped(w, NULL);
	return true;
}

void world_batch_begin(struct world *w)
{
	w->batch++;
	if (w->carrier == CARRIER_PTHREAD)
		os_thread_pin();
}

void world_batch_end(struct world *w)
{
	w->batch--;
	if (w->carrier == CARRIER_PTHREAD)
		os_thread_unpin();
}
