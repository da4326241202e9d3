/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the oracles' files share: the state that they keep for each world, and
 * the small helpers with which they put a finding into words.  check.h is what
 * everybody else sees.
 */
#ifndef SRCUSH_CHECK_INTERNAL_H
#define SRCUSH_CHECK_INTERNAL_H

#include <stdio.h>

#include "check/check.h"
#include "engine/kapi.h"
#include "engine/plain.h"

/*
 * Ghost events have no step of their own.  A `tick` orders them: what has the
 * smaller one came first in this execution.  Replacing the comparison of ticks
 * by happens-before is all that it takes to judge the trace instead of the
 * order in which its events happened to come (semantics.md section 7).
 */
typedef uint64_t tick_t;

struct open_section {
	struct section pub;
	tick_t begun;		/* L */
	bool dead;		/* ended: not yet squeezed out of the array */
	bool ending;		/* its unlock has been called, but has not stepped */
	bool reported;		/* a grace period has been found to miss it */
};

struct open_wait {
	struct gp_wait pub;
	tick_t id;		/* order of the calls; never 0 */
	tick_t start;		/* S; 0 until the call's first step */
	tick_t returned;	/* call_srcu() has returned; 0: not yet */
	uint64_t start_step;
	const void *head;	/* call_srcu: the rcu_head */
	uint32_t invoker;	/* call_srcu: whose stack the callback is on; 0: not yet */
	uint8_t kind;		/* enum kapi_kind */
	bool dead;
};

struct cookie {
	struct srcu *ss;
	uint64_t value;
	tick_t start;		/* S of the call that returned it */
	uint64_t step;
	uint32_t task;
};

/* What a task has begun whose first step is still to come, and its poll. */
enum pending { PEND_NONE, PEND_UNLOCK, PEND_WAIT, PEND_COOKIE };
struct gp_task {
	uint8_t pending;	/* enum pending */
	bool polls;		/* in a poll whose cookie is known */
	bool reported;		/* it is in a circle of waits, and that has been said */
	tick_t id;		/* of the section or wait that is pending */
	tick_t start;		/* the cookie call's S */
	uint64_t start_step;
	struct cookie polled;
};

/* Arrays in order of beginning; entries die in place, see gp_tidy(). */
struct gp {
	tick_t tick;
	struct open_section *sections;
	size_t nsections, sections_cap, dead_sections;
	struct open_wait *waits;
	size_t nwaits, waits_cap, dead_waits;
	struct cookie *cookies;
	size_t ncookies, cookies_cap;
	struct gp_task *tasks;	/* by task index */
	size_t tasks_cap;
	size_t npending;	/* tasks with something pending */
};

/* One bit for each 8 bytes of the arena, in lazily made chunks. */
#define HEAP_GRANULE	8u
#define HEAP_CHUNK	(1u << 20)	/* bytes of arena in a chunk */
#define HEAP_CHUNKS	4096u		/* the arena has at most 4 GiB */
struct freed { uint32_t at, size; };
struct heap {
	struct freed *freed;	/* what is marked, to be wiped with little work */
	size_t nfreed, cap;
	uint64_t *chunks[HEAP_CHUNKS];
};

/* What keeps a task from sleeping, and since when: one for each count of struct
 * context, and who has been told. */
struct atomic_part {
	uint64_t since;		/* step; 0: not in force */
	const struct site *site; /* of that step */
	const void *lock;	/* the spinlock, for that count */
};
struct atomic_task {
	struct atomic_part preempt, bh, irq, spin;
	uint64_t reported;	/* since which step the context is that was reported */
	bool waiting;		/* reported: a second sleep while on a wait queue */
};
struct atomic {
	struct atomic_task *tasks;	/* by task index */
	size_t cap;
};

/* Who reads under which rwsem; the lock word only counts them. */
struct read_hold {
	const void *sem;
	uint32_t task;
	uint64_t since;
};
struct read_holds {
	struct read_hold *v;
	size_t n, cap;
};

struct trace;
struct lockorder;
struct check {
	struct world *w;
	struct atomic atomic;
	struct read_holds reads;
	bool leak;		/* leaks have been reported */
	struct gp gp;
	struct heap heap;
	bool stuck;		/* check_stuck() has reported, at step stuck_at */
	uint64_t stuck_at;
	struct trace *trace;	/* made when it is first needed */
	struct lockorder *lockorder; /* the same */
	bool lockdep_61;	/* SRCU has no place in the order of locks */
};

static inline struct check *check_of(struct world *w)
{
	return world_check_data(w);
}

/* Makes room for one more element; *p stays as it is when memory runs out,
 * which is then the world's error. */
bool check_grow(struct check *c, void **p, size_t *cap, size_t need, size_t size);

/* --- gp.c: grace periods, cookies --- */
void gp_call_begin(struct check *c, struct task *t, const struct kcall *call);
void gp_call_end(struct check *c, struct task *t, const struct kcall *call, uint64_t result);
void gp_settle(struct check *c, struct task *t);
static inline void gp_performed(struct check *c, struct task *t)
{
	if (c->gp.npending && t->index < c->gp.tasks_cap &&
	    c->gp.tasks[t->index].pending)
		gp_settle(c, t);
}
void gp_forget(struct check *c);
void gp_release(struct check *c);
/* The state of t, made when it is first asked for; NULL: out of memory. */
struct gp_task *gp_task(struct check *c, struct task *t);
/* The call that t has begun counts from its first step on: until then `what` is
 * pending. */
void gp_set_pending(struct check *c, struct task *t, enum pending what, tick_t id);
/* The wait that t is in on ss, or NULL.  Valid until the next ghost event. */
/* The call_srcu() whose callback is `head`, or NULL. */
const struct open_wait *gp_callback_of(struct check *c, const struct srcu *ss, const void *head);
const struct open_wait *gp_wait_of(struct check *c, struct task *t, struct srcu *ss);
/* Squeezes the dead out, so that sections[0..nsections) are all open. */
void gp_tidy(struct check *c);

/* --- section.c --- */
void section_begin(struct check *c, struct task *t, const struct kcall *call, uint64_t idx);
/* An unlock is called: its section ends with the call's first step. */
void section_end(struct check *c, struct task *t, const struct kcall *call);
void section_close(struct check *c, tick_t id);
void sections_squeeze(struct gp *g);
/* The innermost open section of t (ss NULL: of any domain); `plain` leaves out
 * those that another task may end. */
const struct section *section_own(struct check *c, struct task *t,
				  struct srcu *ss, bool plain);

/* --- heap.c --- */
bool heap_access(struct check *c, struct task *t, const struct event *ev);
/* The same for one that takes no step. */
bool heap_plain(struct check *c, struct task *t, const struct plain_access *a);
bool heap_free(struct check *c, struct task *t, const struct event *ev);
bool heap_is_freed(struct check *c, const void *loc);
void heap_forget(struct check *c);
void heap_release(struct check *c);

/* --- atomic.c: who may not sleep --- */
void atomic_performed(struct check *c, struct task *t, const struct event *ev);
void atomic_sleeps(struct check *c, struct task *t, const struct event *ev);
void atomic_call(struct check *c, struct task *t, const struct kcall *call);
void atomic_task_over(struct check *c, struct task *t);
void atomic_forget(struct check *c);

/* --- rwsem.c: readers of rwsems --- */
void reads_performed(struct check *c, struct task *t, const struct event *ev);
/* Since which step t reads under the rwsem; 0: it does not. */
uint64_t reads_since(const struct check *c, const struct task *t, const void *sem);

/* --- leak.c --- */
/* Every thread is done: reports objects that nothing leads to.  True: there are. */
bool leak_find(struct check *c);

/* --- unlock.c: releases of locks and of sections that do not fit --- */
bool unlock_allowed(struct check *c, struct task *t, const struct event *ev);
void unlock_report_section(struct check *c, struct task *t, const struct kcall *call,
			   const struct open_section *found);

/* --- trace.c: what is kept for the judgement of the trace --- */
/* OP_COND of t has been performed: what does its condition read? */
void trace_cond(struct check *c, struct task *t);
/* A step is over: accesses that cost none have been made meanwhile. */
void trace_ghosts(struct check *c);
/* A worker, or the timer of its item, is about to begin after an idle pass. */
void trace_pass(struct check *c, const struct task *worker);
void trace_forget(struct check *c);
void trace_release(struct check *c);

/* --- text.c --- */

/* A message in the making.  msg_end() reports it as a violation, whose text is
 * missing when memory has run out. */
struct msg {
	FILE *f;
	char *text;
	size_t len;
};
void msg_begin(struct msg *m);
void msg_addf(struct msg *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void msg_end(struct msg *m, struct world *w, const char *kind, struct task *t,
	     struct task *other);

/* "ss", or "RCU" */
const char *ss_name(const struct srcu *ss);
/* What stands between the parentheses of a call: the domain, or nothing for RCU. */
const char *ss_arg(const struct srcu *ss);
/* The name of a task given by identity, "?" if there is none. */
const char *id_name(struct world *w, uint32_t task);
/* "after step 12", or "before the first step". */
void msg_after_step(struct msg *m, struct world *w);
/* " at step 13": the one that is being performed and not yet counted. */
void msg_at_step(struct msg *m, struct world *w);
/* "a read section of ss (index 0) since step 3", "an RCU read section since step 3" */
void msg_section(struct msg *m, const struct section *s);
/* " (kfree, x.lua:12)": where in the source; nothing when it is not known. */
void msg_site(struct msg *m, const struct site *s);
/* " (f, x.c:12)": that of a plain access, which has no primitive. */
void msg_plain_site(struct msg *m, const struct site *s);
/* "mutex vm.lock": the lock or completion that an event works on. */
void lock_text(struct world *w, const struct site *s, const void *loc, char *buf, size_t n);

#endif
