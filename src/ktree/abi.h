/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The border between srcush and an image: the shared object that is compiled from
 * somebody's own kernel tree (kernel/rcu/srcutree.c or srcutiny.c, rcu_segcblist.c) and
 * our shim and glue.  Both sides include this file, the image's copy is embedded in the
 * program and written out when an image is built; nothing else is shared.
 *
 * The image exports one symbol, KTREE_ENTRY.  It calls the host through the table that
 * it is given there, and the host calls the image through the table that it returns.
 * All code of the image runs with the baton held (engine/task.h): on a task's stack, or,
 * while the host has it set up something outside of tasks, on the driver's.
 */
#ifndef SRCUSH_KTREE_ABI_H
#define SRCUSH_KTREE_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KTREE_ABI 3u

struct site;			/* engine/site.h, embedded too */
struct work_struct;		/* k/work.h: the same structures on both sides */
struct delayed_work;
struct timer_list;

/* The distance between the copies of per-CPU data: what alloc_percpu() hands out is the
 * copy of CPU 0. */
#define KTREE_PCPU_STRIDE 1024

/* Where in the sources a plain access stands, by the address that its hook returns to. */
struct ktree_line {
	const void *pc;
	const char *file;	/* "kernel/rcu/srcutree.c" */
	const char *func;
	uint32_t line;
	uint32_t write;		/* 1: it writes; 0: it only reads */
};

/* What the image calls.  Everything from event() on may switch to another task. */
struct ktree_host {
	uint32_t abi;
	/* One step of the current task, as task_event(); outside of tasks, and while the
	 * host makes a domain without steps, it is performed at once. */
	uint64_t (*event)(struct site *s, const void *loc, unsigned size, uint64_t a, uint64_t b);

	/* Plain accesses: no step.  Reported where `p` lies in [watch_base, watch_base +
	 * watch_size), the simulated memory of the world that runs, at most 8 bytes at a
	 * time.  An image that does not watch plain accesses needs the range too: marked
	 * accesses outside of it (a variable on a stack) are no events.  `pc` is that of
	 * ktree_line. */
	uintptr_t watch_base, watch_size;
	void (*plain)(const void *p, unsigned size, bool write, const void *pc);
	/* Set by the image while it performs an operation itself, of what is not watched: if
	 * it crashes there, that is whose place is told. */
	struct site *performing;

	/* the functions of k/ with these names (k/work.h, k/mem.h, k/lock.h) */
	bool (*queue_work)(struct work_struct *w, int cpu, struct site *s);
	bool (*queue_delayed_work)(struct delayed_work *d, unsigned long delay, struct site *s);
	bool (*timer_reduce)(struct timer_list *t, unsigned long expires, struct site *s);
	bool (*del_timer_sync)(struct timer_list *t, struct site *s);
	void (*flush_work)(struct work_struct *w, struct site *s);
	void (*flush_delayed_work)(struct delayed_work *d, struct site *s);
	void (*ctx)(struct site *s, int delta);	/* preempt_disable() and the like */
	uint64_t (*ktime)(struct site *s);	/* ns; jiffies are made from it */
	bool (*in_task)(void);
	/* Does a task run, of any kind, whose accesses are steps? */
	bool (*stepping)(void);
	bool (*preemptible)(void);		/* the current task; true outside of tasks */
	unsigned (*cpu)(void);			/* of the current task; 0 outside */
	unsigned (*nr_cpus)(void);
	bool (*lock_held)(const uint64_t *owner); /* by the current task */
	/* WARN_ON() and its kin: true is reported as a "warning"; returns cond */
	bool (*warn)(bool cond, const char *text, const char *func, const char *file, int line);
	/* BUG_ON(), and what the image cannot do: an "error" that ends the task */
	void (*die)(const char *text, const char *func, const char *file, int line);

	/* Made ready for use by the kernel's code; the host finds their names from where
	 * they lie (`expr` is the operand as written, for those that it does not know). */
	void (*init_work)(struct work_struct *w, void (*fn)(struct work_struct *), const char *expr);
	void (*init_delayed_work)(struct delayed_work *d, void (*fn)(struct work_struct *), const char *expr);
	void (*timer_setup)(struct timer_list *t, void (*fn)(struct timer_list *), const char *expr);
	/* a completion: one on a stack (of stack_call) gets a name by this */
	void (*init_completion)(uint64_t *done, const char *expr);

	/* Zeroed simulated memory, an object of the domain that is being worked on.  NULL is
	 * possible only with `may_fail` (GFP_ATOMIC): then a choice of the schedule. */
	void *(*alloc)(size_t n, size_t size, const char *expr, bool may_fail, struct site *s);
	void (*free)(void *p, struct site *s);		/* kfree(): a step */
	void *(*alloc_percpu)(size_t size, const char *expr, struct site *s);
	void (*free_percpu)(void *p, struct site *s);

	/* Plain RCU's, as modelled by srcu/rcu.c */
	void (*rcu_read_lock)(void);
	void (*rcu_read_unlock)(void);
	void (*synchronize_rcu)(void);
};

/* A module parameter: static data of the image. */
struct ktree_param {
	const char *name;	/* "exp_holdoff" */
	const char *type;	/* "ulong", "int", "bool" ... as written */
	void *var;
	uint32_t size;
};

/* A field of one of the structures, for names of locations and for inspection: only those
 * are there that the tree has.  `member` as written, without what is nested: "srcu_gp_seq". */
enum ktree_struct { KTREE_SSP, KTREE_SUP, KTREE_SDP, KTREE_SNP, KTREE_STRUCTS };
struct ktree_field {
	const char *name;	/* how it is printed: "srcu_gp_seq", "lock_count" */
	uint32_t offset, size, count, stride;	/* as struct field, engine/object.h */
	uint32_t flags;				/* FIELD_* */
};

/* Segments of a callback list, from the oldest. */
struct ktree_cblist { long done, wait, next_ready, next; };

/* What can be seen of a domain without a step; a value that the tree does not have is
 * not in `has`, a set of 1 << enum. */
enum ktree_seen {
	KTREE_GP_SEQ, KTREE_GP_SEQ_NEEDED, KTREE_GP_SEQ_NEEDED_EXP, KTREE_IDX,
	KTREE_SIZE_STATE, KTREE_GP_MUTEX, KTREE_CB_MUTEX, KTREE_NODES, KTREE_COUNTS,
	KTREE_CBLIST,
	/* tiny */
	KTREE_NESTING, KTREE_IDX_MAX, KTREE_GP_RUNNING, KTREE_GP_WAITING,
	KTREE_SEEN
};
struct ktree_view {
	uint64_t has;
	uint64_t value[KTREE_SEEN];	/* mutexes: the address of the owner */
	long nesting[2];
	unsigned nnodes, nlevels;
};
struct ktree_node {
	unsigned level;
	int lo, hi, parent;
	uint64_t have_cbs[4], data_have_cbs[4], needed_exp, invalid; /* invalid: none yet */
};

/* What the image offers. */
struct ktree_image {
	uint32_t abi;
	uint32_t site_size;		/* sizeof(struct site): a second look at the ABI */
	const char *variant;		/* "tree" or "tiny" */
	unsigned nr_cpus;		/* built for so many */
	size_t ssp_size, sup_size, sdp_size, snp_size; /* 0: there is no such structure */
	const struct ktree_field *fields[KTREE_STRUCTS]; /* each ends with name NULL */

	/* static data that is written: [data, data_end), to be kept apart for each world */
	void *data, *data_end;
	const struct ktree_param *params, *params_end;
	const struct ktree_line *lines, *lines_end;	/* the host sorts them by pc */
	const void *text, *text_end;	/* where its code lies */
	struct site *sites, *sites_end;	/* of its steps */

	/* Once for each world, outside of tasks, before the first domain: geometry by
	 * nr_cpus(), fanouts (0: the tree's own), srcu_init().  False: that takes more levels,
	 * or CPUs, than it was built for. */
	bool (*boot)(unsigned fanout, unsigned fanout_leaf);

	/* The API, on a struct srcu_struct in simulated memory.  NULL: not in this tree. */
	int (*init)(void *ssp);		/* init_srcu_struct(); an errno, negative */
	/* as DEFINE_SRCU() makes one, of zeroed memory; sup NULL where there is none */
	void (*init_static)(void *ssp, void *sup, void *sda);
	void (*cleanup)(void *ssp);
	int (*read_lock)(void *ssp);
	void (*read_unlock)(void *ssp, int idx);
	int (*read_lock_nmisafe)(void *ssp);
	void (*read_unlock_nmisafe)(void *ssp, int idx);
	int (*down_read)(void *ssp);
	void (*up_read)(void *ssp, int idx);
	void (*synchronize)(void *ssp);
	void (*synchronize_expedited)(void *ssp);
	void (*call)(void *ssp, void *rhp, void (*func)(void *rhp));
	void (*barrier)(void *ssp);
	unsigned long (*get_state)(void *ssp);
	unsigned long (*start_poll)(void *ssp);
	bool (*poll_state)(void *ssp, unsigned long cookie);
	unsigned long (*batches_completed)(void *ssp);

	/* Inspection: no steps, nothing is changed. */
	void (*view)(void *ssp, struct ktree_view *v);
	bool (*counts)(void *ssp, unsigned cpu, unsigned idx, uint64_t *lock, uint64_t *unlock);
	bool (*cblist)(void *ssp, unsigned cpu, struct ktree_cblist *l);
	bool (*node)(void *ssp, unsigned i, struct ktree_node *n);
};

/* const struct ktree_image *srcush_ktree_image(struct ktree_host *host); NULL: another ABI */
#define KTREE_ENTRY "srcush_ktree_image"
typedef const struct ktree_image *ktree_entry_fn(struct ktree_host *host);

#endif
