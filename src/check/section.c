/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The read sections that are open: which one an unlock ends, and whether it may
 * end it.  Kept in one array in the order in which they began; what has ended is
 * squeezed out of it now and then.
 */
#include <config.h>

#include <string.h>

#include "check/internal.h"
#include "srcu/srcu.h"

/* Squeezes once the dead are as many as the living: each element is moved at
 * most a constant number of times. */
void sections_squeeze(struct gp *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->nsections; i++)
		if (!g->sections[i].dead)
			g->sections[n++] = g->sections[i];
	g->nsections = n;
	g->dead_sections = 0;
}

/* The array is in the order of its ticks. */
static struct open_section *section_by_id(struct gp *g, tick_t id)
{
	size_t lo = 0, hi = g->nsections;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (g->sections[mid].begun < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == g->nsections || g->sections[lo].begun != id || g->sections[lo].dead)
		return NULL;
	return &g->sections[lo];
}

static void end_section(struct gp *g, struct open_section *s)
{
	s->dead = true;
	if (++g->dead_sections > 8 && g->dead_sections > g->nsections / 2)
		sections_squeeze(g);
}

void section_close(struct check *c, tick_t id)
{
	struct open_section *s = section_by_id(&c->gp, id);

	if (s)
		end_section(&c->gp, s);
}

/*
 * The two kinds of readers count in different ways, of which only one is safe against
 * an NMI that strikes the other: a domain has readers of one kind.  The kernel notices
 * when both come on one CPU; here it does not matter where and in which order.
 */
static void check_reader_kind(struct check *c, struct task *t, const struct kcall *call)
{
	struct srcu *ss = call->obj;
	bool nmisafe = strstr(call->api->name, "_nmisafe");
	uint8_t kind = nmisafe ? 2 : 1, before = ss->readers_seen;
	struct msg m;

	ss->readers_seen |= kind;
	if (!before || before & kind)
		return;
	msg_begin(&m);
	msg_addf(&m, "%s called %s(%s) ", task_name(t), call->api->name, ss_name(ss));
	msg_after_step(&m, c->w);
	msg_addf(&m, ", but %s has had readers that are %sNMI-safe: srcu_read_lock() and "
		 "srcu_read_lock_nmisafe() may not both be used on one srcu_struct.",
		 ss_name(ss), nmisafe ? "not " : "");
	msg_end(&m, c->w, "rcu-usage", t, NULL);
}

void section_begin(struct check *c, struct task *t, const struct kcall *call,
		   uint64_t idx)
{
	struct gp *g = &c->gp;

	check_reader_kind(c, t, call);
	if (!check_grow(c, (void **)&g->sections, &g->sections_cap, g->nsections + 1,
			sizeof(*g->sections)))
		return;
	g->sections[g->nsections++] = (struct open_section){
		.pub = { .ss = call->obj, .task = task_id(t), .idx = (int)idx,
			 .since = world_steps(c->w),
			 .any_task = call->api->kind == KAPI_DOWN_READ },
		.begun = ++g->tick,
	};
}

/* How well an open section fits an unlock: the best one is what it ends. */
enum fit { FIT_NOT, FIT_OTHER_TASK, FIT_OTHER_INDEX, FIT_OTHER_KIND, FIT_HANDED, FIT_OWN };

static enum fit section_fit(const struct open_section *s, struct task *t,
			    const struct kcall *call)
{
	bool up = call->api->kind == KAPI_UP_READ;
	bool own = s->pub.task == task_id(t);

	if (s->dead || s->ending || s->pub.ss != call->obj)
		return FIT_NOT;
	if (s->pub.idx != (int)call->arg)
		return own ? FIT_OTHER_INDEX : FIT_NOT;
	if (s->pub.any_task != up)
		return own ? FIT_OTHER_KIND : FIT_OTHER_TASK;
	return own ? FIT_OWN : up ? FIT_HANDED : FIT_OTHER_TASK;
}

/*
 * The section that an unlock ends: the innermost of the task's own; otherwise,
 * for srcu_up_read(), the oldest that anybody handed over.  Which one of several
 * is meant cannot be known; the oldest leaves the fewest grace periods to blame.
 */
static struct open_section *section_for(struct gp *g, struct task *t,
					const struct kcall *call, enum fit *fit)
{
	struct open_section *best = NULL;

	*fit = FIT_NOT;
	for (size_t i = g->nsections; i-- && *fit != FIT_OWN;) {
		struct open_section *s = &g->sections[i];
		enum fit f = section_fit(s, t, call);

		if (f > *fit || (f && f == *fit && f == FIT_HANDED)) {
			*fit = f;
			best = s;
		}
	}
	return best;
}

void section_end(struct check *c, struct task *t, const struct kcall *call)
{
	enum fit fit;
	struct open_section *s = section_for(&c->gp, t, call, &fit);

	check_reader_kind(c, t, call);
	if (fit != FIT_OWN && fit != FIT_HANDED)
		unlock_report_section(c, t, call, s);
	/* with another index it is not this section's count that goes up: it
	 * stays open, for the grace period as for us */
	if (!s || fit == FIT_OTHER_INDEX)
		return;
	s->ending = true;
	gp_set_pending(c, t, PEND_UNLOCK, s->begun);
}

const struct section *section_own(struct check *c, struct task *t,
				  struct srcu *ss, bool plain)
{
	for (size_t i = c->gp.nsections; i--;) {
		struct open_section *s = &c->gp.sections[i];

		if (!s->dead && s->pub.task == task_id(t) && (!ss || s->pub.ss == ss) &&
		    !(plain && s->pub.any_task))
			return &s->pub;
	}
	return NULL;
}

/* --- for views --- */

size_t check_section_count(struct world *w)
{
	struct check *c = check_of(w);

	if (!c)
		return 0;
	gp_tidy(c);
	return c->gp.nsections;
}

const struct section *check_section(struct world *w, size_t i)
{
	return i < check_section_count(w) ? &check_of(w)->gp.sections[i].pub : NULL;
}

bool check_holds_section(struct world *w, struct task *t, struct srcu *ss)
{
	struct check *c = check_of(w);

	return c && section_own(c, t, ss, false);
}
