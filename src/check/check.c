/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plugs the oracles into a world: every step and every begin and end of an API
 * call comes in here and is handed to the rules that care for it.  Each world
 * has its own state, which is forgotten when the world is built again.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "check/internal.h"
#include "engine/internal.h"
#include "k/work.h"

/* The item that a worker, or the timer of a delayed item, works for. */
static void pass_begins(struct check *c, struct task *t, const struct event *ev)
{
	const struct timer_list *timer = t->work;
	const struct task *worker = ev->op == OP_WORK_WAIT ? t :
				    timer->work ? timer->work->task : NULL;

	if (worker && idle_was_idle(worker))
		trace_pass(c, worker);
}

/* On the path of every step: nothing here but tests that nearly always fail.  Without a
 * log neither this nor on_performed() is asked about marked accesses, fences and choices
 * while nothing is freed and no call waits for its first step: see check_attach(). */
static bool on_access(struct world *w, struct task *t, const struct event *ev)
{
	struct check *c = check_of(w);

	if (ev->op == OP_WORK_WAIT || ev->op == OP_TIMER_WAIT)
		pass_begins(c, t, ev);
	if (ev->op == OP_FREE)
		return heap_free(c, t, ev);
	if (c->heap.nfreed && ev->loc && heap_is_freed(c, ev->loc))
		return heap_access(c, t, ev);
	if (ev->op == OP_UNLOCK || ev->op == OP_UNLOCK_READ)
		return unlock_allowed(c, t, ev);
	return true;
}

static bool on_plain(struct world *w, struct task *t, const struct plain_access *a)
{
	return heap_plain(check_of(w), t, a);
}

static void on_performed(struct world *w, struct task *t, const struct event *ev)
{
	struct check *c = check_of(w);

	gp_performed(c, t);
	if (ev->op == OP_COND)
		trace_cond(c, t);
	else if (ev->op == OP_CPU_CTX || ev->op == OP_IRQ || ev->op == OP_WORK_WAIT ||
	    ev->op == OP_TIMER_WAIT ||
	    ev->site->flags & (SITE_SPIN | SITE_IRQ | SITE_BH))
		atomic_performed(c, t, ev);
	else if (ev->op == OP_LOCK_READ || ev->op == OP_UNLOCK_READ)
		reads_performed(c, t, ev);
}

static void on_sleeps(struct world *w, struct task *t, const struct event *ev)
{
	atomic_sleeps(check_of(w), t, ev);
}

static void on_task_over(struct world *w, struct task *t)
{
	atomic_task_over(check_of(w), t);
}

static void on_call_begin(struct world *w, struct task *t, const struct kcall *call)
{
	atomic_call(check_of(w), t, call);
	gp_call_begin(check_of(w), t, call);
}

static void on_call_end(struct world *w, struct task *t, const struct kcall *call,
			uint64_t result)
{
	gp_call_end(check_of(w), t, call, result);
}

static void on_ghosts(struct world *w)
{
	trace_ghosts(check_of(w));
}

static void on_rebuilt(struct world *w)
{
	struct check *c = check_of(w);

	gp_forget(c);
	heap_forget(c);
	atomic_forget(c);
	trace_forget(c);
	c->reads.n = 0;
	c->stuck = c->leak = false;
}

static void on_release(struct world *w)
{
	struct check *c = check_of(w);

	gp_release(c);
	heap_release(c);
	trace_release(c);
	free(c->atomic.tasks);
	free(c->reads.v);
	free(c);
}

static const struct engine_hooks check_hooks = {
	.access = on_access,
	.plain = on_plain,
	.performed = on_performed,
	.sleeps = on_sleeps,
	.task_over = on_task_over,
	.ghosts = on_ghosts,
	.call_begin = on_call_begin,
	.call_end = on_call_end,
	.rebuilt = on_rebuilt,
	.release = on_release,
};

bool check_attach(struct world *w)
{
	struct check *c = calloc(1, sizeof(*c));
	struct engine_hooks hooks = check_hooks;

	if (!c)
		return world_fail(w, "out of memory");
	c->w = w;
	hooks.noise[0] = &c->heap.nfreed;
	hooks.noise[1] = &c->gp.npending;
	world_set_hooks(w, &hooks, c);
	return true;
}

bool check_grow(struct check *c, void **p, size_t *cap, size_t need, size_t size)
{
	size_t n = *cap ? *cap : 16;
	void *q;

	if (need <= *cap)
		return true;
	while (n < need)
		n *= 2;
	q = realloc(*p, n * size);
	if (!q)
		return world_fail(c->w, "out of memory");
	memset((char *)q + *cap * size, 0, (n - *cap) * size);
	*p = q;
	*cap = n;
	return true;
}
