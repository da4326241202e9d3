/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One interface for every SRCU (design.md): a domain is a table of operations
 * and the implementation's own structure.  The functions below are what the
 * binding, KVM and the oracles call; they mark begin and end of each API call
 * (engine/kapi.h) and otherwise only dispatch.
 */
#ifndef SRCUSH_SRCU_SRCU_H
#define SRCUSH_SRCU_SRCU_H

#include "engine/object.h"
#include "engine/kapi.h"
#include "k/types.h"
#include "srcu/common.h"

struct srcu;
struct world;

/* As in the kernel; lives in simulated memory, one per pending callback. */
struct rcu_head {
	struct rcu_head *next;
	void (*func)(struct rcu_head *head);
	uint64_t queued;	/* 1 from call_srcu() to invocation: a second call_srcu() of
				 * a queued head is a violation */
	uint64_t ticket;	/* the implementation's */
};
typedef void (*rcu_callback_t)(struct rcu_head *head);

/* Name and one sentence of each fault; ends with {0}. */
struct srcu_fault_info { const char *name; uint32_t bit; const char *text; };
extern const struct srcu_fault_info srcu_fault_table[];

enum srcu_size { SRCU_SIZE_OPT_AUTO, SRCU_SIZE_OPT_SMALL, SRCU_SIZE_OPT_BIG };

/* How to make one (srcu.new's opts).  0 means the default of each. */
struct srcu_opts {
	enum srcu_size size;
	unsigned fanout, fanout_leaf;
	bool is_static;		/* as DEFINE_SRCU() makes one: ready at first use */
	bool has_contention_lim;
	unsigned contention_lim; /* "auto": so much contention in a jiffy is borne */
	bool has_exp_holdoff;
	uint64_t exp_holdoff;	/* ns; default 25 us as in the kernel */
	unsigned counter_bits;	/* 2..64: reader counters wrap after so many bits */
	unsigned seq_bits;	/* 4..64: gp_seq wraps */
	uint32_t faults;	/* SRCU_FAULT_* */
};

/* What an implementation lets be seen; fields it does not have stay at "has" = 0. */
struct srcu_cblist_view { long done, wait, next_ready, next; };
/* A node of a combining tree, numbered breadth first from the root, 0. */
#define SRCU_VIEW_SLOTS 4
struct srcu_node_view {
	unsigned level;			/* 0: the root's */
	int lo, hi;			/* the CPUs below */
	int parent;			/* -1: none */
	bool has_cbs[SRCU_VIEW_SLOTS], has_needed_exp; /* false: never set yet */
	uint64_t have_cbs[SRCU_VIEW_SLOTS];	/* grace period asked for; state 1: ended */
	uint64_t data_have_cbs[SRCU_VIEW_SLOTS]; /* leaves: whose callbacks; bit 0 is lo */
	uint64_t needed_exp;
};
struct srcu_view {
	bool has_nesting, has_open;	/* tiny; ideal */
	bool has_gp_seq, has_counts, has_cblist, has_mutexes, has_size_state;
	uint64_t gp_seq, gp_seq_needed, gp_seq_needed_exp;
	unsigned gp_state;		/* enum srcu_gp_state */
	unsigned srcu_idx;		/* the raw value; & 1 is the index in use */
	const char *size_state;		/* "SMALL", "ALLOC", ..., "BIG" */
	unsigned ncpus;
	unsigned nnodes, nlevels;	/* of the combining tree, 0: there is none */
	bool uninitialised;		/* static, and not used yet */
	long nesting[2];		/* readers, by index */
	uint64_t srcu_idx_max;
	bool gp_running, gp_waiting;
	uint64_t open;			/* sections */
	const uint64_t *gp_mutex_owner, *cb_mutex_owner; /* task id + 1, or 0 */
};

struct srcu_ops {
	const char *flavor;		/* "tree", "tiny", "ideal", "fast", "rcu" */
	const char *version;		/* of the kernel tree that it is the code of; NULL: it is ours */
	size_t impl_size;		/* bytes of simulated memory for the structure */
	size_t percpu_size;		/* more of it for each CPU, right behind */
	/* And so much for the domain as a whole, behind that.  NULL: nothing. */
	size_t (*extra_size)(struct world *w, const struct srcu_opts *o);
	const struct field *fields;	/* of that structure */
	/* Before anything is made: can a domain be made with these options?  False
	 * with world_error() set.  NULL: always. */
	bool (*check_opts)(struct world *w, const struct srcu_ops *ops, const struct srcu_opts *o);
	/* Outside of tasks, without a step, on zeroed memory.  False with
	 * world_error() set. */
	bool (*init)(struct srcu *ss, const struct srcu_opts *o);
	/* In a task, as steps: the rest of it, where init() was told is_static and
	 * nothing has been used yet.  NULL: there is no more to it. */
	void (*init_struct)(struct srcu *ss);
	int (*read_lock)(struct srcu *ss);
	void (*read_unlock)(struct srcu *ss, int idx);
	int (*read_lock_nmisafe)(struct srcu *ss);
	void (*read_unlock_nmisafe)(struct srcu *ss, int idx);
	int (*down_read)(struct srcu *ss);
	void (*up_read)(struct srcu *ss, int idx);
	void (*synchronize)(struct srcu *ss);
	void (*synchronize_expedited)(struct srcu *ss);
	/* False: the head is queued already (a WARN_ON was raised), nothing was posted. */
	bool (*call)(struct srcu *ss, struct rcu_head *head, rcu_callback_t func);
	void (*barrier)(struct srcu *ss);
	unsigned long (*get_state)(struct srcu *ss);
	unsigned long (*start_poll)(struct srcu *ss);
	bool (*poll_state)(struct srcu *ss, unsigned long cookie);
	unsigned long (*batches_completed)(struct srcu *ss);
	/* False: refused, as the kernel does (a WARN_ON was raised); the structure
	 * is then leaked and stays usable for the readers that are still in it. */
	bool (*cleanup)(struct srcu *ss);
	/* Inspection: pure, no steps, from anywhere. */
	void (*view)(struct srcu *ss, struct srcu_view *v);
	/* Reader counters of one CPU and index, as they have run on since the start:
	 * few counter_bits are a matter of comparing them.  False: no such CPU. */
	bool (*counts)(struct srcu *ss, unsigned cpu, unsigned idx,
		       uint64_t *lock_count, uint64_t *unlock_count);
	bool (*cblist)(struct srcu *ss, unsigned cpu, struct srcu_cblist_view *v);
	/* False: no such node (yet).  NULL: there never are any. */
	bool (*node)(struct srcu *ss, unsigned i, struct srcu_node_view *v);
};
extern const struct srcu_ops srcu_tree_ops, srcu_tiny_ops, srcu_ideal_ops, srcu_fast_ops;

struct srcu {
	struct object *obj;		/* first: see kapi.h.  obj->name names it */
	const struct srcu_ops *ops;
	void *impl;			/* ops' own structure, in simulated memory */
	struct srcu_opts opts;
	bool cleaned;			/* cleanup_srcu_struct() has succeeded */
	unsigned inits;			/* by init_srcu_struct() */
	uint8_t readers_seen;		/* kinds of readers: check/section.c */
};

extern const struct objtype srcu_objtype;	/* kind "srcu" */

/* --- for implementations --- */

/* Invokes a callback whose grace period is over, marked as KAPI_CALLBACK. */
void srcu_invoke_callback(struct srcu *ss, struct rcu_head *head);
/* An object of the current task's that lives until srcu_stack_object_over(), as
 * a variable on the stack would.  Never NULL: exhausted memory is an error of
 * the task. */
struct object *srcu_stack_object(struct srcu *ss, const struct objtype *type,
				 const char *label, size_t size);
void srcu_stack_object_over(struct object *o);

/* The options that only the tree has are refused; seq_bits too, unless the flavor has
 * sequence numbers.  False with world_error() set. */
bool srcu_refuse_tree_opts(struct world *w, const char *flavor, const struct srcu_opts *o,
			   bool has_seq);
/* For kinds of objects whose `impl` is a struct srcu. */
void srcu_destroy(struct object *o);
/* A domain that a world has one of, made when it is first asked for: see
 * object_new_unique().  NULL with world_error() set. */
struct srcu *srcu_new_unique(struct world *w, const char *name, const struct objtype *type,
			     const struct srcu_ops *ops);

/*
 * From now on, in every execution, the world's domains of the flavors "tree" and "tiny"
 * are made by these operations; NULL: by our own.
 */
void srcu_use(struct world *w, const struct srcu_ops *tree, const struct srcu_ops *tiny);
/* What makes a domain for which `ops` are asked. */
const struct srcu_ops *srcu_ops_used(struct world *w, const struct srcu_ops *ops);
/* Makes a domain (srcu.new) by srcu_ops_used().  NULL with world_error() set. */
struct srcu *srcu_new(struct world *w, const char *name, const struct srcu_ops *ops,
		      const struct srcu_opts *o);

/* The API, as called by KVM's C code and by the binding. */
int srcu_read_lock(struct srcu *ss);
void srcu_read_unlock(struct srcu *ss, int idx);
int srcu_read_lock_nmisafe(struct srcu *ss);
void srcu_read_unlock_nmisafe(struct srcu *ss, int idx);
int srcu_down_read(struct srcu *ss);
void srcu_up_read(struct srcu *ss, int idx);
void synchronize_srcu(struct srcu *ss);
void synchronize_srcu_expedited(struct srcu *ss);
void call_srcu(struct srcu *ss, struct rcu_head *head, rcu_callback_t func);
/* (libsrcu exports the same name, and srcush is linked with both.) */
void srcu_barrier(struct srcu *ss) __asm__("core_srcu_barrier");
unsigned long get_state_synchronize_srcu(struct srcu *ss);
unsigned long start_poll_synchronize_srcu(struct srcu *ss);
bool poll_state_synchronize_srcu(struct srcu *ss, unsigned long cookie);
unsigned long srcu_batches_completed(struct srcu *ss) __asm__("core_srcu_batches_completed");
/*
 * Makes the domain anew: one that is static and unused, idle, or cleaned up gets
 * fresh memory, and readers that are still about in the old are not seen any more.
 * One that is in use (readers, callbacks, a grace period) is left alone, with a
 * warning.  False: no memory, with world_error() set.
 */
bool init_srcu_struct(struct srcu *ss);
void cleanup_srcu_struct(struct srcu *ss);

#endif
