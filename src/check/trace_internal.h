/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the oracles that judge the trace share: the events of an execution in a form
 * that is quick to walk, and the happens-before of its trace as vector clocks.
 */
#ifndef SRCUSH_CHECK_TRACE_INTERNAL_H
#define SRCUSH_CHECK_TRACE_INTERNAL_H

#include "check/internal.h"
#include "check/trace.h"
#include "memory/execution.h"

/* How an event treats its location. */
enum tr_how {
	TR_READ	 = 1u << 0,
	TR_WRITE = 1u << 1,	/* it may read as well */
	TR_PLAIN = 1u << 2,
	TR_IDLE	 = 1u << 3,	/* begins after an idle pass, which blocked it */
	TR_FREE	 = 1u << 4,
	TR_COND	 = 1u << 5,
	TR_ACQUIRED = 1u << 6,	/* a lock: it got it */
	TR_HOLDS = 1u << 7,	/* it takes or gives back a lock, or what its CPU does beside it */
};

/* One step.  Events are numbered as steps are, from 1; 0 stands for none. */
struct tr_event {
	const struct site *site;
	uint32_t loc;		/* number of its location, 0: none */
	uint32_t cpu;
	uint32_t prev;		/* its task's event before it */
	uint32_t pos;		/* it is its task's so manieth, from 1 */
	uint16_t task;		/* index into tasks[] */
	uint8_t how;		/* enum tr_how */
	uint8_t size;		/* bytes at loc */
	uint8_t own;		/* what its task keeps to itself on its CPU from then on:
				 * 1 no preemption, 2 no bottom halves, 3 no interrupts */
};

struct tr_task {
	struct task *t;		/* NULL: somebody outside moved the clock */
	uint32_t last;		/* its last event */
	uint32_t made_at;	/* the event that made it */
	uint32_t first, count;	/* where its events begin in by_task, and how many */
	struct context ctx;	/* after its last event */
	uint8_t own;
};

struct tr_loc {
	uint32_t off;		/* in the arena */
	uint32_t write;		/* the last write that orders */
	uint32_t plain_write;	/* races: the last plain one */
	uint32_t ghost_write;	/* not HB_TRACE: tr_place() of the last of a ghost */
	uint32_t reads;		/* since the last write: a chain of nodes */
	uint32_t races;		/* races: a chain of race_nodes */
	uint32_t cls;		/* of a lock: its class + 1, where that is known */
	uint16_t task;		/* that touched it first */
	uint16_t ghost_task;	/* whose that ghost write is */
	bool touched, shared, written;
	bool plain;		/* somebody touches it plainly */
};

/* Accesses without a step, and what else the log does not tell, as they come. */
enum tr_extra_kind { EXTRA_READ, EXTRA_WRITE, EXTRA_PEEK, EXTRA_ANYTHING, EXTRA_IDLE };
struct tr_extra {
	uint32_t step;
	uint32_t plains;	/* EXTRA_WRITE: so many plain accesses came before; UINT32_MAX: unknown */
	uint32_t what;		/* location; of EXTRA_IDLE the worker's index */
	uint8_t kind;
};

struct tr_node { uint32_t event, next; };

/* Locations of which conditions are evaluated as a whole: a domain's, or all.  The
 * writes among them commute, and so do the conditions. */
struct tr_group {
	uint32_t base, size;
	uint32_t *writes, *conds; /* of each task the last */
};

struct race_node { uint32_t next; uint16_t task; uint32_t last[4]; };

struct tr_free { uint32_t base, size, event; };

/* A read section: begun after `lock`, over before `unlock`; 0: never. */
struct tr_section {
	uint64_t idx;
	uint32_t obj, lock, unlock;
	uint16_t task;
	bool open, handed;
};

/* A call that waits, or whose callback or poll does. */
struct tr_wait {
	uint64_t arg;		/* the callback's head; the cookie */
	uint32_t obj;
	uint32_t start;		/* its first event, 0: it has made none */
	uint32_t last;		/* when it returned: the last */
	uint32_t end;		/* the last before the grace period is taken to be over */
	uint32_t over;		/* callbacks: the last of the callback itself */
	uint16_t task, invoker;
	uint8_t kind;		/* enum kapi_kind */
	bool returned, refused;
};

struct tr_calls {
	struct tr_section *sections;
	size_t nsections, sections_cap;
	struct tr_wait *waits;
	size_t nwaits, waits_cap;
	struct tr_stack { uint64_t arg[TASK_CALLS_MAX]; unsigned n; } *stacks; /* of each task */
	size_t stacks_cap;
};

/*
 * Which edges make the order: see hb.c.  HB_FREE has those of HB_TRACE.  It and HB_RACE
 * have clocks that also tell the places in the stretch behind an event, as far as they go:
 * those between the ghost writes in it, and the tasks that are made there.
 */
enum hb_mode { HB_TRACE, HB_RACE, HB_FREE };
#define HB_PLACES 4	/* bits of a clock */

struct trace {
	struct check *c;
	struct world *w;
	size_t n;		/* events */
	struct tr_event *ev;	/* [1..n] */
	size_t ev_cap;
	struct tr_task *tasks;
	size_t ntasks, tasks_cap;
	uint16_t *dense;	/* by index of the world's tasks: number in tasks + 1 */
	size_t dense_cap;
	struct tr_loc *locs;	/* [1..nlocs] */
	size_t nlocs, locs_cap;
	struct tr_slot { uint32_t gen, loc; } *slots;
	size_t nslots;		/* a power of two */
	uint32_t gen;
	uint32_t *clocks;	/* a row of ntasks for each event, from 0 */
	size_t clocks_cap;
	struct tr_node *nodes;
	size_t nnodes, nodes_cap;
	struct execution_peek *peeks;
	size_t npeeks, peeks_cap;
	struct race_node *race_nodes;
	size_t nrace_nodes, race_cap;
	struct tr_group *groups;
	size_t ngroups, groups_cap;
	uint32_t *group_mem;
	size_t group_cap;
	uint32_t *holds;	/* events that are TR_HOLDS */
	size_t nholds, holds_cap;
	struct tr_free *frees;	/* sorted by base */
	size_t nfrees, frees_cap;
	uint32_t *by_task;	/* events of each task in order */
	size_t by_task_cap;
	struct tr_calls calls;
	bool may_race, has_locks, has_marks, outside, anything;
	uint8_t shift;		/* clocks hold positions times 1 << shift */

	/* plain accesses without a step: race_plain.c */
	struct pl_word *words;
	size_t nwords, words_cap;
	uint32_t *word_slots;
	size_t nword_slots;
	struct pl_node *pl_nodes;
	size_t npl_nodes, pl_nodes_cap;
	uint64_t *places;	/* in stretches where something else hears of what was done */
	size_t nplaces, places_cap;
	uint32_t *pl_last;	/* the last event so far of each of the world's tasks */
	size_t pl_last_cap;

	/* kept from step to step */
	struct tr_extra *extras;
	size_t nextras, extras_cap;
	bool lost;		/* no memory for one of them */

	/* findings that have been told in this execution */
	uint64_t *told;
	size_t ntold, told_cap;
};

static inline uint32_t *tr_clock(const struct trace *tr, uint32_t event)
{
	return tr->clocks + (size_t)event * tr->ntasks;
}

/* Does event a, which is not 0, come at or before the place with that clock? */
static inline bool tr_covers(const struct trace *tr, const uint32_t *clock, uint32_t a)
{
	return clock[tr->ev[a].task] >= tr->ev[a].pos << tr->shift;
}

/* race_plain.c, in such clocks: the place in the stretch behind `event` where so many plain
 * accesses of the execution have been made. */
uint32_t tr_place(const struct trace *tr, uint32_t event, uint32_t plains);
/* The same for where a task was made that has no event yet, which knows so much of its
 * maker's; 0: nothing of note. */
uint32_t tr_birthplace(const struct trace *tr, const struct task *t);

/* Is a before b, or b itself? */
static inline bool tr_before(const struct trace *tr, uint32_t a, uint32_t b)
{
	return tr_covers(tr, tr_clock(tr, b), a);
}

/* trace.c */
/* Reads the log.  False: there is no memory. */
bool trace_scan(struct trace *tr);
uint32_t trace_loc(struct trace *tr, uint32_t off);
/* Without a judgement there must be no verdict. */
void trace_give_up(struct world *w, const char *why);
/* Has this finding been told?  Else it counts as told from now on. */
bool trace_told(struct trace *tr, uint64_t key);
/* The violation just reported belongs to that step, and so does its schedule. */
void trace_at_step(struct trace *tr, uint32_t step);

/* hb.c: the clock of each event.  False: no memory. */
bool hb_compute(struct trace *tr, enum hb_mode mode);

/* race.c.  False: no memory.  Wants the clocks of HB_RACE. */
bool race_judge(struct trace *tr);
/* The same by the Linux-kernel memory model, of accesses that took a step. */
bool race_model_judge(struct trace *tr);

/* race_plain.c: the plain accesses that took no step */
/* Is there one that could race?  False as well: no memory, then *ok is, too. */
bool race_plain_possible(struct trace *tr, bool *ok);
/* Wants the clocks of HB_RACE.  False: no memory. */
bool race_plain_judge(struct trace *tr);
/* Accesses of what somebody frees, unordered.  Wants the clocks of HB_FREE. */
bool race_plain_frees(struct trace *tr);
bool race_plain_has_frees(struct trace *tr);
void race_plain_release(struct trace *tr);

/* trace_calls.c */
void trace_calls_release(struct tr_calls *k);

/* lockorder.c */
bool lockorder_judge(struct trace *tr);	/* the same */
void lockorder_release(struct check *c);

/* What has to wait, from before event `start` to after event `end`, and what began with
 * event `begun` and is over before event `over`.  All but `end` may be 0: the first that
 * it began at once, the second that it is never over; `start`, that it does not matter. */
struct tr_span { uint32_t start, end, begun, over; };
enum tr_answer { TR_NO, TR_YES, TR_UNKNOWN, TR_NO_MEMORY };

/*
 * trace_order.c: is there an order of the trace in which `begun` comes before `start`, and
 * `end` before `over`?  Then *f gets its steps up to `end`.  Wants the clocks of HB_TRACE.
 */
enum tr_answer trace_order(struct trace *tr, const struct tr_span *span, struct trace_finding *f);

/* trace_find.c: what another linearisation would show, in *f, which stays empty where
 * there is nothing.  False: no memory. */
bool trace_find(struct trace *tr, struct trace_finding *f);
/* by_task.  False: no memory. */
bool trace_index_tasks(struct trace *tr);

/* gp_model.c: grace periods under other models than sc.  False: no memory. */
bool gp_model_judge(struct trace *tr);
/* What was written beside the steps and conditions have looked at, into tr->peeks.  False: no
 * memory. */
bool trace_peeks(struct trace *tr);

#endif
