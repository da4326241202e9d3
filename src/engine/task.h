/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tasks: simulated kernel threads, work items, timers and interrupts, each on
 * a stack of its own.
 *
 * A task *announces* an event (task_event()) and leaves; the driver performs
 * it when somebody lets the task step, puts the value into `ev.value` and lets
 * the task run on to its next announcement.  The task itself never reads or
 * writes simulated memory except what a lock protects.
 */
#ifndef SRCUSH_ENGINE_TASK_H
#define SRCUSH_ENGINE_TASK_H

#include "engine/object.h"
#include "engine/site.h"
#include "engine/switch.h"

enum task_kind { TASK_THREAD, TASK_WORKER, TASK_TIMER, TASK_IRQ };
enum task_state {
	TASK_FRESH,	/* its stack has not run yet */
	TASK_READY,	/* has announced an event; enabled or not: task_blocked() */
	TASK_DONE,
	TASK_FAILED,	/* a violation ended it */
};

/*
 * An announced event, and the driver's answer.
 *
 * Additions to a part of something that others look at as a whole name a location of
 * the whole as their second operand.  A condition (OP_COND) with a location looks at
 * that whole, and once true it stays true.
 */
struct event {
	const struct site *site;
	void *loc;		/* NULL where the operation has none */
	uint64_t a, b;		/* operands */
	uint64_t value;		/* the driver's answer */
	uint8_t op;		/* site->op, unless the primitive chose another */
	uint8_t order;
	uint8_t size;		/* bytes at loc: 1, 2, 4, 8 */
};

/* One API call that the task is in (srcu_read_lock, synchronize_srcu ...). */
struct kcall {
	const struct kapi *api;
	void *obj;		/* what it was called on: see kapi.h */
	uint64_t arg;
	uint64_t since;		/* step number at its begin */
	uint32_t mark;		/* index of its begin in the log's marks */
};
#define TASK_CALLS_MAX 32	/* nesting of API calls and callbacks */

/* What a context forbids on its CPU (semantics.md section 2). */
struct context {
	uint16_t preempt, bh, irq, spin; /* nesting depths */
	uint16_t rcu;		/* sections of plain RCU: may be preempted, not sleep */
};

/* A wait queue on which a task has put itself (k/wait.h). */
struct task_wait { const void *wq; uint64_t ticket; };
#define TASK_WAITS_MAX 8
/* Nesting of preempt_disable() and the like, and of spinlocks: as the kernel counts
 * them, in eight bits. */
#define CONTEXT_MAX 255

/* What the next event of a task depends on, where the language that it is written in shows
 * it: bits, each of which stands for a read of the task, the one that said so by `self`.
 * The beginnings of an ideal SRCU's sections have bits of their own: `begun` are those that
 * the value stored, or given to the end of a section, comes from. */
struct event_deps { uint64_t addr, data, ctrl, self, begun; };

struct task {
	struct object *obj;	/* its name and identity */
	struct world *w;
	uint32_t index;		/* in order of making in this execution */
	uint8_t kind;		/* enum task_kind */
	uint8_t state;		/* enum task_state */
	bool in_pass;		/* a worker between WORK_WAIT and its end */
	uint32_t cpu;
	struct event ev;	/* announced, or the last one */
	struct context ctx;
	uint64_t steps;		/* performed by this task */
	uint64_t made_at;	/* step that it was made in; 0: before the first */
	uint32_t maker;		/* index of the task that made it, UINT32_MAX: the world */
	uint32_t made_plains;	/* so many plain accesses (plain.h) had been made by then */
	uint64_t start_since;	/* steps performed when the pending event was announced */
	uint32_t made;		/* things made by it so far */
	struct task *under;	/* timers, irqs: who owned the CPU that they struck */
	unsigned ncalls;

	/* what runs: body(arg) on the task's stack; release(arg) when the task is
	 * dropped, on the driver's stack, in any state */
	void (*body)(void *arg);
	void (*release)(void *arg);
	/* the world goes back to its checkpoint: body(arg) will run once more.  False: no
	 * memory.  NULL: there is nothing to do */
	bool (*restart)(void *arg);
	void *arg;
	/* OP_COND: evaluated by the driver on the task's behalf; must not step */
	bool (*predicate)(void *arg);
	void *predicate_arg;
	struct task *flushes;	/* OP_COND of flush_work(): the worker waited for */
	unsigned nwaits;

	/* begun again: gives the answer to what it announces in t->ev.value, as long as it
	 * knows; false: no longer.  NULL: nobody does */
	bool (*tell)(void *arg, struct task *t);
	void *tell_arg;

	struct stack *stack;	/* where it is suspended (carrier.h) */
	struct os_thread *thread; /* its pthread carrier, made when first needed */
	struct task *park_next;	/* awake.c's */
	struct idle *idle;	/* workers: what the last pass read and wrote */
	void *work;		/* workers and timers: the item */
	const struct event_deps *deps; /* or NULL: nothing is known */
	void *user;		/* the binding's */
	bool promise;		/* makes a store that another task is to make again (memory/promise.c) */
	bool kept;		/* of a checkpoint: not released when it is over */
	/* last: what nobody looks at where the two numbers are 0 */
	struct kcall calls[TASK_CALLS_MAX];
	struct task_wait waits[TASK_WAITS_MAX];
};

/* The task whose stack runs now, or NULL on the driver's.  The one process-wide
 * variable of the engine: it says who holds the baton. */
extern struct task *task_running_;
static inline struct task *task_current(void) { return task_running_; }

/*
 * Makes a task; it runs `body(arg)` when first primed.  `label` is its name.
 * cpu < 0: the n-th thread of the world gets CPU n modulo the number of online CPUs,
 * one made by a task its maker's.  NULL with world_error() set.
 */
struct task *task_new(struct world *w, enum task_kind kind, const char *label, int cpu,
		      void (*body)(void *), void *arg, void (*release)(void *));

/* Announces `ev` for the current task and returns when it has been performed;
 * the answer is in the return value.  Only on a task's stack. */
static inline uint64_t task_event(struct event ev);

static inline uint64_t task_event(struct event ev)
{
	struct task *t = task_current();

	t->ev = ev;
	t->state = TASK_READY;
	if (t->tell && t->tell(t->tell_arg, t))
		return t->ev.value;
	stack_suspend(t->stack);
	return t->ev.value;
}

/* The current task stops here as failed and never runs again (violations). */
_Noreturn void task_fail(void);

static inline const char *task_name(const struct task *t) { return t->obj->name; }
static inline uint32_t task_id(const struct task *t) { return t->obj->id; }

struct task *world_task(struct world *w, size_t i);	/* in order of making */
size_t world_task_count(struct world *w);
struct task *task_by_id(struct world *w, uint32_t id);
struct task *task_by_name(struct world *w, const char *name);

/* Why a task cannot step now. */
enum block_why {
	BLOCK_NONE = 0,		/* it can */
	BLOCK_OVER,		/* done or failed */
	BLOCK_LOCK,		/* the location is held by `holder` since `since` */
	BLOCK_SELF,		/* it holds the lock itself */
	BLOCK_WAIT,		/* an incomplete completion */
	BLOCK_COND, BLOCK_ASSUME,
	BLOCK_IDLE_WORKER,	/* no work is queued: not a wait for anybody */
	BLOCK_OFFLINE,		/* its work is queued on a CPU that is not online */
	BLOCK_IDLE_TIMER,	/* not armed */
	BLOCK_IDLE_PASS,	/* its last pass changed nothing; waits for what it read */
	BLOCK_CALL,		/* a thread without a body that has no call to make */
	BLOCK_CPU,		/* another task of its CPU may not be preempted */
	BLOCK_IRQ_OFF,		/* an interrupt, masked on its CPU */
	BLOCK_READERS,		/* a writer: readers hold the rwsem */
	BLOCK_QUEUE,		/* a reader: a writer waits for the rwsem before it */
	BLOCK_SLEEP,		/* asleep on a wait queue */
};
struct block {
	enum block_why why;
	struct task *holder;	/* who could end the wait, where that is known */
	uint64_t since;		/* step at which the holder took it; 0: unknown */
	uint64_t waiting_since; /* step at which the task began to wait */
	void *loc;
};
/* Is t unable to step, and why?  Pure. */
struct block task_blocked(struct task *t);
static inline bool task_enabled(struct task *t) { return task_blocked(t).why == BLOCK_NONE; }
/* "on mutex vm.lock, held by writer since step 12"; at most n bytes. */
void block_text(struct task *t, const struct block *b, char *buf, size_t n);

#endif
