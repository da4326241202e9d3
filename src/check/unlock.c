/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Releases that do not fit: a lock that is not held or that another task holds,
 * and srcu_read_unlock() without its srcu_read_lock(), with another index, or in
 * another task.
 */
#include <config.h>

#include <inttypes.h>

#include "check/internal.h"
#include "srcu/rcu.h"

/* Interrupts or bottom halves that the release would turn on are not off. */
static bool context_is_off(const struct task *t, const struct site *s)
{
	return (!(s->flags & SITE_IRQ) || t->ctx.irq > (t->kind == TASK_IRQ)) &&
	       (!(s->flags & SITE_BH) || t->ctx.bh);
}

/* Lock words hold task id + 1; of an rwsem's readers rwsem.c knows. */
bool unlock_allowed(struct check *c, struct task *t, const struct event *ev)
{
	uint64_t word = *(const uint64_t *)ev->loc;
	bool shared = ev->op == OP_UNLOCK_READ;
	uint64_t mine = (uint64_t)task_id(t) + 1;
	struct task *holder = NULL;
	char lock[112];
	bool held = shared ? reads_since(c, t, ev->loc) != 0 : word == mine;
	struct msg m;

	if (held && context_is_off(t, ev->site))
		return true;
	if (word)
		holder = task_by_id(c->w, (uint32_t)word - 1);
	msg_begin(&m);
	lock_text(c->w, ev->site, ev->loc, lock, sizeof(lock));
	msg_addf(&m, "%s released %s", task_name(t), lock);
	msg_site(&m, ev->site);
	msg_at_step(&m, c->w);
	if (held)
		msg_addf(&m, ", which turns %s on again, but they are on: the lock was taken in "
			 "another way than it is released.",
			 ev->site->flags & SITE_IRQ ? "interrupts" : "bottom halves");
	else if (shared && !word)
		msg_addf(&m, ", but it does not hold it for reading. Only the task that took a "
			 "lock may release it.");
	else if (holder)
		msg_addf(&m, ", but %s holds it. Only the task that took a lock may "
			 "release it.", task_name(holder));
	else
		msg_addf(&m, ", but nobody holds it.");
	msg_end(&m, c->w, "unbalanced-unlock", t, holder);
	return false;
}

static void add_rule(struct msg *m, struct task *t, const struct kcall *call,
		     const struct open_section *found)
{
	const char *ss = ss_name(call->obj);
	struct world *w = t->w;

	if (srcu_is_rcu(call->obj)) {
		/* there is but one kind of section, and no index to mix up */
		msg_addf(m, ", but it is inside no RCU read section");
		if (found)
			msg_addf(m, ": the one that is open was begun by %s at step %" PRIu64
				 ", and only the task that began it may end it",
				 id_name(w, found->pub.task), found->pub.since);
		msg_addf(m, ".");
	} else if (!found) {
		msg_addf(m, ", but it is inside no read section of %s. One unlock too many "
			 "can make a grace period take another reader's section for ended.", ss);
	} else if (found->pub.task != task_id(t)) {
		msg_addf(m, ", but the section with that index was begun by %s at step %" PRIu64
			 ". srcu_read_lock() and srcu_read_unlock() belong to one task; only "
			 "srcu_down_read() and srcu_up_read() may stand in two.",
			 id_name(w, found->pub.task), found->pub.since);
	} else if (found->pub.idx != (int)call->arg) {
		msg_addf(m, ", but the section that it is in began at step %" PRIu64
			 " with index %d. The unlock must give back the index that the lock "
			 "returned: otherwise one index counts a reader for ever, and the "
			 "other one too few.", found->pub.since, found->pub.idx);
	} else {
		msg_addf(m, ", but that section began at step %" PRIu64 " with %s(), which "
			 "ends with %s().", found->pub.since,
			 found->pub.any_task ? "srcu_down_read" : "srcu_read_lock",
			 found->pub.any_task ? "srcu_up_read" : "srcu_read_unlock");
	}
}

/* An SRCU unlock to which no section fits; `found` is the nearest one. */
void unlock_report_section(struct check *c, struct task *t, const struct kcall *call,
			   const struct open_section *found)
{
	struct msg m;

	msg_begin(&m);
	msg_addf(&m, "%s called %s(%s", task_name(t), call->api->name, ss_arg(call->obj));
	if (!srcu_is_rcu(call->obj))
		msg_addf(&m, ", %d", (int)call->arg);
	msg_addf(&m, ") ");
	msg_after_step(&m, c->w);
	add_rule(&m, t, call, found);
	msg_end(&m, c->w, "unbalanced-unlock", t,
		found && found->pub.task != task_id(t) ?
			task_by_id(c->w, found->pub.task) : NULL);
}
