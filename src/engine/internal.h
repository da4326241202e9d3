/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What only the engine's own files know: the inside of a world.
 */
#ifndef SRCUSH_ENGINE_INTERNAL_H
#define SRCUSH_ENGINE_INTERNAL_H

#include "engine/driver.h"
#include "engine/kapi.h"
#include "engine/log.h"
#include "engine/peek.h"
#include "engine/plain.h"
#include "memory/model.h"

#define LOG_CHUNK 4096

/* A piece of the arena that one creator allocates from, bump-wise.  Its place
 * comes from the idspace, so that it is the same in every execution. */
struct chunk {
	uint32_t offset, size, used;
	uint32_t creator;
	struct region *regions;	/* in order of address, because memory only grows */
	size_t nregions, cap;
	bool live;		/* of this execution; else kept for one to come */
};

/* How many things of one label a task has made in the execution `epoch`. */
struct label_count {
	struct label_count *next;
	uint32_t hash, creator;
	uint32_t count, epoch;
	char label[];
};
struct labels {
	struct label_count **buckets;
	size_t n, cap;
	uint32_t epoch;
};

struct journal_entry {
	bool (*apply)(struct world *, void *);
	void (*release)(void *);
	void *arg;
	uint64_t at;		/* steps performed when it was done */
	bool vanishes;
};

struct events_log {
	struct record **chunks;
	size_t nchunks, cap;
	uint64_t n;		/* records */
	struct log_access *accesses; /* models with a choice: of each access, in order */
	size_t naccesses, accesses_cap;
	struct log_seen *seen;	/* and what conditions that came true have read */
	size_t nseen, seen_cap;
	struct mark **mark_chunks;
	size_t nmark_chunks, mark_cap;
	size_t nmarks;
};

/* Tasks that might move, by index, and the others by what they wait for (awake.c). */
struct awake {
	uint64_t *bits;
	size_t nwords, cap;
	struct task **buckets;	/* lists of those set aside, by location */
	size_t nbuckets, nparked;
};

/* Accesses without a step since the last one (peek.c). */
struct ghosts {
	struct ghost_access *v;
	size_t n, cap;
};

/* Plain accesses of this execution (plain.c). */
struct plains {
	struct plain_access *v;
	size_t n, cap;
	uint64_t writes;	/* recorded in this world's life */
	uint64_t at;		/* world_progress() when the count below began ... */
	uint32_t run;		/* accesses since then, recorded or not, */
	uint32_t task;		/* of the task of this index */
	size_t seam;		/* since so many somebody may know of those before: a ghost, a new task */
	bool ever;		/* there has been one, in whatever execution */
	unsigned open;		/* PLAIN_*: of this execution, once it was judged */
};

/* A promise's task, made for a schedule, as which one and behind which step. */
struct promised { char *name; uint32_t index; uint64_t step; };

struct world {
	char error[1024];
	enum carrier_kind carrier;
	unsigned cpus;
	unsigned online;	/* the first so many of them are */
	const struct memory_model *model;
	struct history *history; /* where the model needs one, else NULL */
	bool frozen;		/* the first object is made: cpus() is refused */
	size_t objects_max;
	bool muted;
	struct promised *promised;
	size_t npromised, promised_cap;
	bool trusted;		/* who steps has asked the memory model already */
	/* Does what is stored in the one step depend on what was read in the other?  NULL: nobody
	 * knows more than the code says (explore/promise_deps.c). */
	bool (*depends)(void *arg, uint64_t read, uint64_t write);
	void *depends_arg;
	bool voluntary;		/* no task is preempted: world_set_voluntary() */
	unsigned batch;

	/* simulated memory (arena.c) */
	char *arena;
	size_t arena_size;
	struct chunk **chunks;	/* by offset */
	size_t nchunks, chunks_cap;
	struct chunk *bump;	/* the chunk of the creator that allocated last */
	struct idspace *ids;

	/* objects and tasks, in order of making */
	struct object **objs;
	size_t nobjs, objs_cap;
	struct object **by_id;
	size_t by_id_cap;
	struct object **names;	/* buckets, by hash; their number is a power of two */
	size_t names_cap;
	struct object **spare;	/* by identity: of earlier executions, to be used again */
	size_t spare_cap;
	struct labels labels;
	uint32_t made;		/* by the world itself */
	uint32_t threads_made;
	struct task **tasks;
	size_t ntasks, tasks_cap;
	size_t nfresh;		/* tasks that have not been primed */
	struct awake awake;
	struct task *found;	/* found enabled by a policy, and nothing done since */
	struct task *task_pool;	/* of earlier executions, to be used again; by park_next */
	struct checkpoint *checkpoint; /* or NULL */
	uint64_t begun;		/* executions so far, however they began */
	struct task **cpu_owner; /* per CPU: who may not be preempted there */

	uint64_t *clock;	/* a location of its own */
	struct object *clock_obj;
	struct events_log log;

	struct violation *violations;
	size_t nviolations;

	struct peek *peek;	/* who wants to know of reads without a step, or NULL */
	struct ghosts ghosts;
	struct plains plains;
	bool lean;		/* no log is kept: checkpoint.h */
	const struct srcu_ops *srcu_instead[2]; /* world_srcu_ops() */
	bool aside;		/* something beside memory, and what is on the tasks' own
				 * stacks, has changed since the execution began */

	struct engine_hooks hooks;
	void *check_data;
	struct engine_watch watch;
	void *watch_data;
	bool (*interrupt)(void *);
	void *interrupt_arg;

	struct journal_entry *journal;
	size_t njournal, journal_cap;
	size_t applied;		/* entries that this execution has applied */
};

/* Grows an array to hold at least `need` elements; false: out of memory. */
bool grow(void *arrayp, size_t *cap, size_t need, size_t elem);

/* world.c */
bool world_change_model(struct world *w, const char *name); /* the next execution is of it */
bool world_init_execution(struct world *w);	/* clock, owners */
void world_drop_execution(struct world *w);	/* tasks, objects, memory, log */
void violations_drop(struct world *w);
bool world_oom(struct world *w);		/* sets the error, returns false */

/* arena.c */
bool arena_init(struct world *w);
void arena_reset(struct world *w);
void chunk_wipe(struct world *w, struct chunk *c);	/* empty, and not of this execution */
/* Frames that were abandoned in it (hop.h) have left the address sanitizer's poison. */
void chunk_unpoison(struct world *w, struct chunk *c);
void arena_release(struct world *w);
struct chunk *arena_chunk_at(struct world *w, const void *p);
bool arena_add_region(struct world *w, const struct region *r);
void *arena_alloc_for(struct world *w, uint32_t creator, size_t size);
uint32_t idspace_by_name(struct idspace *s, const char *name);
uint32_t idspace_chunk(struct idspace *s, uint32_t creator, uint32_t nth, uint32_t size);
/* From now on whatever is new is agreed on with the processes that share the (fresh)
 * journal; NULL: no more. */
struct agree;
void idspace_agree(struct idspace *s, struct agree *a);

/* plain.c */
void plains_reset(struct world *w);	/* a new execution */
/* Others may get to know of what was plainly accessed so far, and not of what comes now. */
void plains_seam(struct world *w);

/* object.c */
struct object *object_make(struct world *w, const struct objtype *type, const char *name,
			   uint32_t id);	/* a name of the engine's own */
void object_drop(struct world *w);	/* the newest */
void objects_reset(struct world *w);	/* drops all */
void objects_release(struct world *w);
uint32_t creator_id(void);
struct region *region_at(struct world *w, const void *p);

/* The commonest answer of task_blocked() without its text: nothing in the event
 * blocks, nobody owns the CPU.  False says nothing. */
static inline bool task_surely_enabled(const struct task *t)
{
	return t->state == TASK_READY && t->ev.op < OP_FENCE && t->ev.op &&
	       (!t->w->cpu_owner[t->cpu] || t->w->cpu_owner[t->cpu] == t);
}

/* task.c */
void tasks_drop(struct world *w, size_t n);	/* all but the first n */
void tasks_release(struct world *w);		/* when there are none any more */
bool task_give_stack(struct task *t);
void task_retire(struct task *t);	/* over: its stack and body go */
struct task *task_new_engine(struct world *w, enum task_kind kind, const char *name,
			     unsigned cpu, void (*body)(void *), void *arg);
bool cpu_allows(struct task *t, struct block *b);
void cpu_update_owner(struct task *t);
bool keeps_cpu(const struct task *t);	/* may it not be preempted, as it is? */

/* awake.c */
bool awake_add(struct world *w, struct task *t);	/* a new task; false: no memory */
void awake_reset(struct world *w, size_t n);	/* the first n tasks are all, and awake */
/* The first task from index i on that is not set aside, or NULL. */
struct task *awake_next(struct world *w, size_t i);
/* t was found blocked: sets it aside if only a step on its location can help. */
void awake_park(struct task *t, enum block_why why);
/* A step has written there. */
void awake_touched_slow(struct world *w, const void *loc);
static inline void awake_touched(struct world *w, const void *loc)
{
	if (w->awake.nparked)
		awake_touched_slow(w, loc);
}
/* Is t enabled?  If not it is set aside, if that is possible. */
static inline bool awake_enabled(struct task *t)
{
	enum block_why why = task_blocked(t).why;

	if (why != BLOCK_NONE)
		awake_park(t, why);
	return why == BLOCK_NONE;
}
void awake_release(struct world *w);

/* log.c */
struct record *log_append_slow(struct world *w);
/* A new last record; NULL: out of memory. */
static inline struct record *log_append(struct world *w)
{
	struct events_log *l = &w->log;
	uint64_t n = l->n;

	if (n % LOG_CHUNK == 0)
		return log_append_slow(w);
	l->n++;
	return &l->chunks[n / LOG_CHUNK][n % LOG_CHUNK];
}
struct mark *log_append_mark(struct world *w);
bool log_add_access(struct world *w, struct log_access a); /* false: no memory */
bool log_add_seen(struct world *w, struct log_seen s);	/* the same */
/* log_choice() of a log, which has that step. */
unsigned events_choice(const struct events_log *l, uint64_t step);
void log_reset(struct events_log *l);	/* empty; its blocks stay */
void log_release(struct events_log *l);
uint16_t kapi_id(const struct kapi *api);

/* perform.c: what an event does to memory; fills *r's values. */
/*
 * Under a model in which accesses are not in one order: what one reads is the store that the
 * choice names, and memory keeps what is latest in coherence order, for that is what
 * everything finds that is no access of its own.  False: world_error().
 */
struct access_done { uint64_t value, stored; uint32_t source; };
bool event_access(struct world *w, const struct event *ev, unsigned choice, struct access_done *done);
uint64_t event_would_read(struct world *w, const struct event *ev, unsigned choice);
bool event_perform(struct world *w, struct task *t, unsigned choice, struct record *r); /* false: world_error() */
uint64_t mem_read(const void *p, unsigned size);
void mem_write(void *p, unsigned size, uint64_t v);
bool op_writes(enum ev_op op);
uint64_t rmw_value(const struct event *ev, uint64_t old); /* what a read-modify-write leaves */
bool op_reads(enum ev_op op);
bool op_is_access(enum ev_op op);	/* of memory: no lock, no work item */

/* idle.c: passes of workers that change nothing (semantics.md section 5) */
void idle_pass_begin(struct task *t);
void idle_note(struct task *t, const struct event *ev, uint64_t old);
void idle_check_begins(struct task *t); /* udelay() */
/* A plain access: p holds what was there before. */
void idle_plain(struct task *t, const void *p, unsigned size, bool write);
void idle_stretch_ends(struct task *t);	/* it has announced its next step: now it holds what was written */
void idle_pass_end(struct task *t);
bool idle_was_idle(const struct task *worker);	/* its last pass was */
bool idle_blocks(struct task *worker);	/* its last pass was idle and nothing it read changed */
/* Has something changed since that its last check read plainly? */
bool idle_changed_plainly(struct task *worker);
void idle_release(struct task *t);

/* checkpoint.c */
void checkpoint_release(struct world *w);
bool checkpoint_task(struct task *t);	/* one of its tasks is fresh again */

/* journal.c */
bool journal_due(struct world *w);

/* promise.c */
struct promise_store { uint32_t loc, size; uint64_t value; };	/* loc: arena offset */
/* The name of the nth task that makes it; the task; and that of such a name, made anew, NULL: it
 * is none, or the world has no such location. */
void promise_name(struct world *w, const struct promise_store *p, unsigned nth, char *buf, size_t n);
struct task *promise_task(struct world *w, const struct promise_store *p, const char *name);
struct task *promise_by_name(struct world *w, const char *name);
/* Those of a schedule that come behind this step once more; and none of them any more. */
bool promises_again(struct world *w);
void promises_forget(struct world *w);

/* schedule.c */
bool schedule_item(struct world *w, const char *item, size_t len, unsigned nth);

#endif
