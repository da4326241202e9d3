/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A world: simulated memory, objects, tasks, the clock, the events so far, and
 * the journal of what was done to it from outside, from which it can be built
 * again.  There are no globals: any number of worlds exist side by side, one
 * runs at a time.
 */
#ifndef SRCUSH_ENGINE_WORLD_H
#define SRCUSH_ENGINE_WORLD_H

#include "engine/object.h"
#include "engine/task.h"

#define WORLD_CPUS_DEFAULT 4
#define WORLD_CPUS_MAX 4096
#define TASKS_MAX 60000

enum carrier_kind { CARRIER_FIBER, CARRIER_PTHREAD };

struct kapi;
struct memory_model;
struct plain_access;

/* One performed step.  32 bytes; see log.h for reading it back. */
struct record {
	uint64_t value;		/* what the task got; for stores what was there before */
	uint64_t stored;	/* what the location held afterwards */
	uint32_t loc;		/* offset in the arena, or LOC_NONE */
	uint32_t site;
	uint32_t call;		/* enclosing API call: index into the log's marks + 1, or 0 */
	uint16_t task;		/* index in order of making: see record_task() */
	uint8_t cpu_lo;		/* low byte of the CPU; high nibble in flags */
	uint8_t flags;		/* REC_* */
};
#define LOC_NONE UINT32_MAX
enum {
	REC_CHOICE = 1u << 0,	/* choose(): value was the schedule's */
	REC_REFUSED = 1u << 1,	/* an oracle refused it: nothing was done */
	REC_SIZE_SHIFT = 2,	/* two bits: so many times 2 bytes were accessed at loc */
	REC_CPU_SHIFT = 4
};

/* A ghost event: an API call begins or ends.  24 bytes. */
struct mark {
	uint64_t arg;		/* at begin: argument; at end: result */
	uint32_t step;		/* number of steps performed before it */
	uint32_t obj;		/* identity of the object, or 0 */
	uint16_t api;		/* see kapi_by_id() */
	uint16_t task;
	uint8_t end;		/* 0 begin, 1 end */
};

/* What the layers above want to hear of (check/, binding/).  Any may be NULL.
 * All are called on the driver's stack or on the current task's, with the
 * baton held; none may step. */
struct engine_hooks {
	/* before a location is touched: false fails the task (a violation was
	 * reported) */
	bool (*access)(struct world *w, struct task *t, const struct event *ev);
	/* before a plain access (plain.h), while *noise[0] is not 0: the same.  May be NULL
	 * where that is */
	bool (*plain)(struct world *w, struct task *t, const struct plain_access *a);
	void (*performed)(struct world *w, struct task *t, const struct event *ev);
	/* a step is over, with all that ran for it: world_ghosts() are its own */
	void (*ghosts)(struct world *w);
	/* t has announced an event that may sleep (SITE_SLEEPS) */
	void (*sleeps)(struct world *w, struct task *t, const struct event *ev);
	void (*call_begin)(struct world *w, struct task *t, const struct kcall *c);
	void (*call_end)(struct world *w, struct task *t, const struct kcall *c, uint64_t result);
	void (*task_over)(struct world *w, struct task *t);
	void (*rebuilt)(struct world *w); /* a fresh execution begins: forget all */
	void (*release)(struct world *w);
	/* While both of these are 0, access() and performed() have nothing to say of a
	 * marked access, a fence or a choice, and are not asked.  Or NULL. */
	const size_t *noise[2];
};

/* What the binding wants to hear of beside that: the same rules. */
struct engine_watch {
	/* A step of t is over and t has announced its next; t is NULL before the first
	 * step and after an advance() from outside. */
	void (*stepped)(struct world *w, struct task *t);
	void (*rebuilt)(struct world *w);
	void (*release)(struct world *w);
};

/* A rule was broken.  Text and parties are made by check/. */
struct violation {
	const char *kind;	/* api.md section 7 */
	char *message;		/* two or three sentences; malloced */
	uint32_t task, other;	/* identities, 0: none */
	uint64_t step;		/* number of the last step performed */
	char *schedule;		/* filled by world_violate() */
};

struct world *world_new(enum carrier_kind carrier);	/* NULL: out of memory */
void world_free(struct world *w);

/* The last error of a call that returned false or NULL, "" if none. */
const char *world_error(struct world *w);
/* Sets it (printf-like) and returns false. */
bool world_fail(struct world *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

bool world_set_cpus(struct world *w, unsigned n);	/* before the first object */
unsigned world_cpus(struct world *w);
/* Of these only the first m are online, from 1: tasks run nowhere else.  The others
 * are possible and never come.  Set with or after their number; all, unless set. */
bool world_set_online(struct world *w, unsigned m);
unsigned world_online(struct world *w);
/* From now on the kernel of this world does not preempt: a task loses its CPU only
 * where it sleeps or might, where it yields, and when it ends. */
void world_set_voluntary(struct world *w);
/* The memory model, "sc" unless set: before the first object.  False: there is none of
 * that name, or it is too late. */
bool world_set_model(struct world *w, const char *name);
/* The same of one that may have no name of its own. */
bool world_set_memory(struct world *w, const struct memory_model *m);
const struct memory_model *world_model(const struct world *w);
uint64_t world_clock(struct world *w);			/* virtual ns */
uint64_t world_steps(struct world *w);			/* performed so far */
uint64_t world_progress(struct world *w);		/* another after each step, for ever */

/* Two pointers that srcu/ keeps here for as long as the world exists: see srcu_use(). */
struct srcu_ops;
const struct srcu_ops **world_srcu_ops(struct world *w);

/* check/ plugs itself in here; `data` is its own per-world state */
void world_set_hooks(struct world *w, const struct engine_hooks *h, void *data);
void *world_check_data(struct world *w);
/* the binding, here */
void world_set_watch(struct world *w, const struct engine_watch *watch, void *data);
void *world_watch_data(struct world *w);

/* Simulated memory.  Made by the current task (or the world) in its own slice
 * of the arena, so that addresses do not depend on who came first.  Zeroed, 8-byte
 * aligned (64 from 64 bytes on).  NULL with world_error(). */
void *arena_alloc(struct world *w, size_t size);
bool arena_contains(struct world *w, const void *p);
uint32_t arena_offset(struct world *w, const void *p);	/* LOC_NONE outside */
void *arena_addr(struct world *w, uint32_t offset);
size_t world_arena_size(struct world *w);	/* from arena_addr(w, 0) on */

/* Reports a violation; it becomes the world's newest.  Takes `message`. */
void world_violate(struct world *w, const char *kind, char *message,
		   struct task *t, struct task *other);
size_t world_violation_count(struct world *w);
const struct violation *world_violation(struct world *w, size_t i);

#endif
