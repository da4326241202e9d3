/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the exhaustive strategy share: the graph that is being visited,
 * with everything that is known of its events, and the tables of tasks and locations
 * that last for the whole exploration.
 */
#ifndef SRCUSH_EXPLORE_DPOR_H
#define SRCUSH_EXPLORE_DPOR_H

#include "engine/agree.h"
#include "engine/internal.h"
#include "engine/peek.h"
#include "explore/estimate.h"
#include "explore/explore.h"
#include "explore/graph.h"
#include "explore/wire.h"
#include "memory/model.h"

/* A step that a task has made, and what it was answered. */
struct dkept {
	struct event ev;
	uint64_t answer;
	uint32_t loc;		/* arena offset, LOC_NONE */
	uint32_t check;		/* see visit_check() */
	struct event_deps deps;
};

/* A task, wherever it occurs; slots are given at first sight and kept. */
struct dslot {
	uint32_t id;		/* identity */
	char *name;
	uint8_t kind;		/* enum task_kind */
	bool promise;		/* it makes a store that another task is to keep */
	uint32_t initial;	/* number in order of making, if the scenario made it; else UINT32_MAX */
	/* in the graph that is visited: */
	struct task *t;		/* NULL: not made */
	uint16_t last;		/* its last event; GNONE: none */
	uint16_t count;		/* of its events, in program order */
	uint16_t maker;		/* the event behind which it was made */
	bool waiting;		/* its last event waits, or it is starved */
	uint64_t done;		/* promise_deps.c's: hash of what it has done, and its reads so far */
	uint16_t nread;
	/* where the task itself stands: see keep.c */
	struct dkept *kept;
	size_t nkept, kept_cap;
	bool follows;		/* it may not be where the graph has it */
};

/* Locations that are dependent on each other: one, nearly always. */
struct dclass {
	bool chain;		/* writes read what was before: each is a read-modify-write */
	bool lock;		/* only ever locked and unlocked */
	bool shared_wait;	/* several tasks wait on it and take what they waited for */
	bool strong;		/* more is done to it than is done to memory: consistent.c */
	bool freed;		/* it is that of an object's first field, which somebody frees */
	bool timer, disarmed;	/* a timer's cell; and somebody may disarm it */
	uint32_t waiter;	/* slot + 1 of the only one */
};

/* Locations by arena offset: open addressing; a class refers to its representative. */
struct loc_entry {
	uint32_t loc;
	uint16_t cls;
	uint16_t user;	/* of ghosts: slot + 1 of the only task that uses it; 0: shared */
	uint32_t base;	/* in an object that can be freed: where that begins; LOC_NONE */
};
struct loc_table {
	struct loc_entry *v;
	size_t n, cap;		/* cap: a power of two */
	uint16_t *parent;	/* of classes; themselves if they have none */
};

/* What the visit knows of an event beside the graph. */
struct dinfo {
	uint64_t value, stored;	/* before and after, or what a load returned */
	uint32_t loc;		/* arena offset, LOC_NONE */
	uint8_t size;
};

/* And what the memory model does. */
struct dmem {
	uint8_t order, flags;	/* as in struct mm_event */
	uint32_t loc;
	uint64_t value;
	struct event_deps deps;
	uint64_t operand, operand2;
	/* promise_deps.c's: what came before, whether it reads and as which of its task, and bits
	 * of the reads that it depends on */
	uint64_t before, on;
	uint16_t nth;
	bool reads;
};

/* By task: what its next access comes behind because of its maker; MM_NONE. */
struct mm_pending {
	uint16_t of[UINT8_MAX + 1];
	bool any;		/* else `of` says nothing */
};

#define DPOR_STEPS_MAX 30000	/* events are counted in 15 bits, writes twice */

/* Clocks: how many events of each slot are in an event's past. */
typedef uint16_t *dclock;

struct dpor {
	struct explore *x;
	struct world *w;
	struct graph g;		/* visited now */
	struct graph next;	/* being made */
	struct gstack stack;
	struct order order;
	uint16_t *po, *where;
	struct dinfo *info;
	uint16_t *unlock;	/* of each lock event: its end, GNONE */
	uint8_t *revisited;	/* of each write or lock: an event that was there before reads from it */
	uint16_t *lane;		/* scratch, by event */
	bool weak;		/* the memory model is another than sc */
	struct mm mm;		/* consistent.c's, as are the arrays */
	struct dmem *mem;
	uint16_t *mm_at, *mm_old, *mm_unlock;
	struct mm base;		/* the graph's first base_n events, kept from one question to the next */
	uint16_t *base_at;
	uint32_t base_n;
	struct mm_pending base_pending;
	uint16_t said_of;	/* the event of which base.said is, as a said_kind; GNONE */
	uint8_t said_kind;
	uint16_t *write;	/* of each G_RMW: its write part, GNONE */
	uint8_t *loose;		/* by class */
	uint8_t *performed;	/* of writes: in this visit */
	unsigned kept_choice;	/* of the event of which keep_follows() was asked last */
	uint16_t rewriting;	/* a revisited read-modify-write that was made, but whose write is not
				 * in the graph again; GNONE */
	bool oom;
	uint16_t *hb, *past;	/* clocks by event */
	size_t per_event;	/* capacity of the arrays by event */
	unsigned stride;	/* of a clock */
	struct gclass *classes;	/* writes of each class, in coherence order */
	struct dclass *cls;
	uint16_t *written, *touched; /* clocks by class: of the last write; and of all since */
	unsigned nclasses, classes_cap;
	struct dslot *slots;
	unsigned nslots, slots_cap;
	uint8_t *turn;		/* slots in the order of their turns */
	uint16_t *slot_of;	/* by identity: slot + 1 */
	size_t slot_of_cap;
	struct loc_table *locs;
	size_t nwatched;	/* locations that invariants read, as far as is known */
	uint32_t watch;		/* one of them, LOC_NONE */
	uint16_t *clock;	/* scratch: one clock */
	struct peek peek;
	uint64_t begun;		/* the execution in which the tasks were told what is kept; 0: none */
	bool keeps;
	bool ghost_written;	/* by the step performed last */
	struct exec_step *steps; /* performed in this execution */
	size_t nsteps;
	bool anew;		/* something was learnt on which everything rests: begin again */
	uint8_t stuck[WORLD_CPUS_MAX]; /* CPUs on which somebody may be stuck for good: whoever
				 * owns less than that of the CPU may never move again */
	struct snare *snare;	/* snare.c's */
	bool forced;		/* a step was made on a CPU that was not to be had: the order of
				 * the steps is none that can be, see leaf.c */
	bool dropped;		/* this graph turned out to be none */
	bool idle_stale;	/* a worker would poll again: others stand for this execution */
	bool failed;		/* x->report.error is set */
	bool stopped;		/* explore_end() said so */
	unsigned preempted;	/* graphs left out because of the bound on preemptions */
	uint16_t *prune_mem;	/* prune.c's */
	size_t prune_size;
	struct estimate estimate; /* of what is still to come */
	/* with other processes that work on the same, see jobs_dpor.c: */
	struct agree *agree;	/* NULL: there are none */
	size_t agreed;		/* read of it so far */
	struct idspace *ids;	/* which knows of it */
	uint64_t told;		/* executions of this process that another one counts */
	uint64_t patience;	/* so many more are to teach nothing before others are called */
	bool alone;		/* no others are called (any more) */
};

static inline dclock hb_of(const struct dpor *d, uint32_t i)
{
	return d->hb + (size_t)i * d->stride;
}
static inline dclock past_of(const struct dpor *d, uint32_t i)
{
	return d->past + (size_t)i * d->stride;
}
/* Clocks are a multiple of eight long, and count no further than DPOR_STEPS_MAX. */
typedef int16_t clock8 __attribute__((vector_size(16), aligned(2), may_alias));
static inline void clock_join(const struct dpor *d, dclock to, const uint16_t *from)
{
	unsigned i = 0, n = d->stride;

	do {
		clock8 a = *(const clock8 *)(to + i), b = *(const clock8 *)(from + i), more = a > b;

		*(clock8 *)(to + i) = (a & more) | (b & ~more);
	} while ((i += 8) < n);
}
static inline void clock_copy(const struct dpor *d, dclock to, const uint16_t *from)
{
	unsigned i = 0, n = d->stride;

	do
		*(clock8 *)(to + i) = *(const clock8 *)(from + i);
	while ((i += 8) < n);
}
/* Is event i in the past that the clock describes? */
static inline bool in_clock(const struct dpor *d, const uint16_t *clock, uint32_t i)
{
	return d->po[i] < clock[d->g.ev[i].task];
}

/* How much of its CPU somebody else must own to keep a task from running: as in struct gevent. */
static inline uint8_t level_of(const struct dslot *s)
{
	return s->kind == TASK_IRQ ? 3 : s->kind == TASK_TIMER ? 2 : 1;
}

/* --- places.c: slots and classes --- */
bool places_init(struct dpor *d);
void places_release(struct dpor *d);
/* Invariants have been found to read more than was known.  True: d->anew. */
bool places_watch(struct dpor *d);
/* The slot of a task; -1: failed, or too many for the clocks (d->anew). */
int place_task(struct dpor *d, struct task *t);
/* The class of a location; -1: failed. */
int place_loc(struct dpor *d, uint32_t loc);
/* The class of ghost state that a task uses: none as long as nobody else does. */
#define PLACE_PRIVATE (-2)
int place_ghost(struct dpor *d, uint32_t loc, unsigned slot);
/* The class of a location that a condition reads: from then on it is somebody's. */
int place_seen(struct dpor *d, uint32_t loc);
/* Makes locations one class.  False if they were already (nothing was learnt). */
bool place_unite(struct dpor *d, uint32_t a, uint32_t b);
/* The object at loc is about to be freed: it is one location, if it was not.  False: d->anew. */
bool place_freed(struct dpor *d, uint32_t loc);
/* Of each object that is known to be freed, all that was met is one location. */
void places_join_freed(struct dpor *d);
bool place_join(struct dpor *d, int x, int y);	/* the same of classes */

/* A task is the only one who waits on a class. */
bool place_waiter(struct dpor *d, int cls, unsigned slot);
/* A class is a timer's cell, or is disarmed by somebody; both: d->anew. */
bool place_timer(struct dpor *d, int cls, bool timer, bool disarmed);
/* The class as which it and those that were joined with it are known. */
uint16_t class_root(const struct dpor *d, uint16_t cls);
/* A location is everybody's, if it is known. */
void place_share(struct dpor *d, uint32_t loc);
/* Something is not in the tables.  True: all is known that the others know, and they are
 * held up until places_told() is called, which returns `ok`. */
bool places_ask(struct dpor *d);
bool places_told(struct dpor *d, bool ok);
/* In between: what this process has met and put into its tables itself. */
bool places_tell(struct dpor *d, enum agree_kind kind, const void *v, size_t len);
/* Takes over what the other processes have met.  False: d->failed, or d->anew. */
bool places_sync(struct dpor *d);

/* --- facts.c: what one process has learnt on which everything rests --- */
bool facts_put(struct dpor *d, struct wire *to);
bool facts_get(struct dpor *d, struct wire *from);

/* --- shape.c: what an announced event is to the graph --- */
struct shape {
	uint8_t kind;		/* G_RMW: may turn out to be a read */
	bool await;		/* blocks, and waits in place */
	int cls;		/* -1: none */
};
/* False: d->anew or d->failed. */
bool shape_of(struct dpor *d, int slot, struct shape *s);
/* Would the operation change its location, if that held v? */
bool shape_writes(const struct dpor *d, const struct event *ev, uint64_t v);
/* Would it be enabled?  Asked of blocking operations on one word. */
bool shape_enabled(const struct event *ev, uint64_t v);
/* What the condition of an event that is looked at for the first time reads is part of its
 * class, as it stands now.  False: d->anew or d->failed. */
bool shape_of_condition(struct dpor *d, struct task *t, const struct gevent *e);
/* Does it leave its location alone, whatever is there? */
bool shape_is_pure(const struct event *ev);
/* What a performed event turned out to be, where it found v. */
uint8_t shape_kind(const struct dpor *d, uint16_t cls, const struct event *ev, uint64_t v,
		   bool ghost_written);
/* The class has a ghost in it, which was read or written.  False: d->anew. */
bool shape_is_data(struct dpor *d, int cls, bool written);

/* --- consistent.c: what the memory model says --- */
/* Event i has been performed. */
void consistent_note(struct dpor *d, uint32_t i, const struct event *ev, const struct event_deps *deps);
/* Need its accesses not stand in one order? */
bool consistent_is_loose(const struct dpor *d, uint16_t cls);
const uint8_t *consistent_loose(struct dpor *d);
/* The choice with which event i is made now, where `performed` says what has been made
 * before it in this visit; and it has been made. */
void consistent_begin(struct dpor *d);
unsigned consistent_choice(const struct dpor *d, const struct gevent *e, uint32_t i);
void consistent_performed(struct dpor *d, const struct gevent *e, uint32_t i);
/* Is the whole execution one that the source allows (explore_source.allows)? */
bool consistent_allowed(struct dpor *d);
/* Is the graph, with all promises kept, one of the model?  Then d->mm has it, and d->mm_at
 * where. */
bool consistent_whole(struct dpor *d);
/* So many of the first writes of the class has the task certainly seen: it reads none from
 * before the last of them, and writes behind it. */
uint32_t consistent_seen(const struct dpor *d, unsigned slot, uint16_t cls);
/* A quick answer: may an event that was performed as the next one be added as `add`, at that
 * place? */
enum mm_answer consistent_forward(struct dpor *d, const struct gevent *add, uint32_t rank);
void consistent_reset(struct dpor *d);	/* the graph has been changed otherwise than at its end */
/* May d->next be, which was made by that change, or the graph itself? */
bool consistent_next(struct dpor *d, const struct gchange *c);
bool consistent_now(struct dpor *d);
/* The graph as the model wants to have it, in d->mm; d->mm_at has of each event its last one
 * there.  False: no memory. */
bool consistent_make(struct dpor *d);

/* --- cpus.c --- */
/*
 * Is there an order in which the tasks had their CPUs, in which nobody comes between the
 * steps of one who owns a CPU, and which the model allows?  Then, unless any will do, d->order
 * has the steps in such an order and *other is set.  False: there is none, or failure.
 */
bool cpus_allow(struct dpor *d, bool *other);

/* --- revisit.c --- */
/* A write that is to become event i, with that past (of all that it reads from, too),
 * may come before reads that were added earlier: pushes a graph for each. */
bool revisit_reads(struct dpor *d, uint32_t i, const struct gevent *add, const uint16_t *past);
/* The same for a lock event of a chain; `before`: the past of its program order. */
bool revisit_locks(struct dpor *d, const struct gevent *add, const uint16_t *before);
/* Pushes what becomes of the graph. */
bool push_graph(struct dpor *d, const struct gchange *c);
/* Pushes the graph with `add`, a promise or a G_STARVED, behind all that is there. */
bool push_behind(struct dpor *d, struct gevent add);
/* Pushes the graph with `add` at `rank` of its class. */
bool push_forward(struct dpor *d, const struct gevent *add, uint32_t rank);

/* --- prune.c --- */
/* Can no execution come from the graph that was popped, as its CPUs stand? */
bool prune_hopeless(struct dpor *d);
/* Does an event stand between two of another task's, by their clocks, although that kept its
 * CPU from the one to the other?  Of events in that clock; `stays` NULL: all. */
bool prune_breaks(const struct dpor *d, const uint16_t *po, const uint16_t *clocks, const uint16_t *stays);

/* --- visit.c --- */
/* How much of its CPU a task owns, as in struct gevent. */
static inline uint8_t owns_cpu(const struct task *t)
{
	if (t->state == TASK_DONE || t->state == TASK_FAILED || !keeps_cpu(t))
		return 0;
	return t->ctx.irq ? 3 : t->ctx.bh ? 2 : 1;
}
/* Does it keep a task from moving, rather than only from moving now? */
static inline bool is_block(enum block_why why)
{
	return why != BLOCK_NONE && why != BLOCK_CPU && why != BLOCK_IRQ_OFF && why != BLOCK_IDLE_PASS;
}
bool visit_replay(struct dpor *d);	/* false: d->anew, dropped or failed */
/* Performs the pending event of e's task as event i; *ev is what was announced. */
bool visit_perform(struct dpor *d, struct gevent *e, uint32_t i, struct event *ev);
/* What must be the same whenever event i is performed with the same past. */
uint32_t visit_check(struct dpor *d, uint32_t i, const struct event *ev);
/* An array of so many bytes; false: no memory, and it is what it was. */
bool visit_resize(void *arrayp, size_t bytes);
/* Room for so many events in all that is kept by event. */
bool visit_widen(struct dpor *d, uint32_t need);
bool visit_oom(struct dpor *d);		/* false, with the error set */
/* Event i stands at that place of its class. */
bool class_put(struct dpor *d, uint16_t cls, uint32_t rank, uint16_t i);
/* Clocks of event i: what its program order has behind it, and what its maker; what it
 * adds itself; and of a write part, that of its read part. */
void clocks_begin(struct dpor *d, const struct dslot *s, uint32_t i);
void clocks_behind(struct dpor *d, uint32_t i, uint32_t maker);
void clocks_end(struct dpor *d, const struct gevent *e, uint32_t i);
void clocks_share(struct dpor *d, uint32_t read, uint32_t write);

/* A task does not do what it did when the same had happened; ev: what it does, NULL: it came
 * to an end.  Returns false. */
bool visit_diverged(struct dpor *d, const struct dslot *s, uint32_t step, const struct event *ev);

/* --- keep.c --- */
/* Begins an execution with the tasks of the last one.  False: not possible. */
bool keep_begin(struct dpor *d);
void keep_began(struct dpor *d);	/* one has begun, with nobody's task anywhere */
/* The slot's task has made a step.  False: no memory. */
bool keep_note(struct dpor *d, struct dslot *s, const struct event *ev, uint64_t answer,
	       const struct event_deps *deps);
/* Is e what its task, which stands somewhere behind, has already done? */
bool keep_follows(struct dpor *d, const struct gevent *e, uint32_t i);
/* Then what it does to memory. */
const struct dkept *keep_perform(struct dpor *d, struct gevent *e, uint32_t i);
/* Brings the task to where the graph has it.  False: failed. */
bool keep_catch_up(struct dpor *d, struct dslot *s);
void keep_release(struct dpor *d);

/* --- extend.c --- */
/* Adds the next event of a task, behind all that it must be behind.  `promise`: the graph
 * was made for this, with the choice and the event that it names; NULL: the first
 * choice, and the others are pushed.  False: d->anew or d->failed. */
bool extend_by(struct dpor *d, int slot, const struct gevent *promise);
/* The same for whoever's turn it is; *moved: false if it is nobody's. */
bool extend_next(struct dpor *d, bool *moved);

/* --- snare.c --- */
/* Somebody may be stuck for good on a CPU that he keeps, so that those who own less of it
 * (as in struct gevent) do not move.  False: that was known. */
bool snare_learn(struct dpor *d, uint32_t cpu, uint8_t level);
/* What may make somebody stuck: the task is about to take a lock, as event i; event i took
 * one; a task is about to do what it may have to wait for.  False: d->anew or d->failed. */
bool snare_wants(struct dpor *d, unsigned slot, uint32_t i);
bool snare_has(struct dpor *d, const struct gevent *e, uint32_t i);
bool snare_waits(struct dpor *d, const struct task *t);
bool snare_put(struct dpor *d, const struct agree_record *r); /* what another process has seen */
void snare_release(struct dpor *d);

/* --- leaf.c --- */
/* A worker whose last pass changed nothing, or the timer that would start its next? */
bool polls_idly(const struct dpor *d, const struct task *t);
/* Nobody is left to move. */
bool leaf_reached(struct dpor *d);
/* Those who are kept from moving by nothing but a CPU may have come first: pushes a graph
 * for each. */
bool leaf_push_starved(struct dpor *d);
/* Counts it.  False: stop exploring. */
bool leaf_end(struct dpor *d, bool cut);

/* --- dpor.c --- */
/* The newest graph on the stack, to the end of its execution.  False: stop. */
bool dpor_visit(struct dpor *d);

#endif
