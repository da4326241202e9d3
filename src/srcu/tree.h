/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tree SRCU after Linux 6.12: its structures, and what its files offer one
 * another.  The algorithm knows nothing but the primitives of k/kernel.h.
 *
 *	tree_readers.c	the per-CPU counters: readers count, the updater sums
 *	tree_gp.c	the grace period: states, flip, delay, the work item
 *	tree_call.c	requests: call, synchronize, poll
 *	tree_node.c	the combining tree: requests climb it, ends go down
 *	tree_size.c	growing from small to big
 *	tree_cb.c	callbacks: scheduling, invocation, barrier
 *	tree_init.c	making, first use, cleaning up
 *	tree_view.c	the look from outside, and the table of it all
 *
 * A small domain has no tree: all callbacks stand on the boot CPU's list and
 * requests go straight to the top.  In a big one each CPU has callbacks of its
 * own, and requests for the same grace period meet in the tree.
 *
 * What the kernel accesses with READ_ONCE() and the like goes through a
 * primitive and is a step.  What is protected by a lock is touched plainly.
 */
#ifndef SRCUSH_SRCU_TREE_H
#define SRCUSH_SRCU_TREE_H

#include <k/kernel.h>

#include "srcu/geometry.h"
#include "srcu/segcblist.h"
#include "srcu/seq.h"
#include "srcu/srcu.h"

/* States of a grace period, in the low bits of srcu_gp_seq. */
enum {
	SRCU_STATE_IDLE = SRCU_GP_IDLE,
	SRCU_STATE_SCAN1 = SRCU_GP_SCAN1,
	SRCU_STATE_SCAN2 = SRCU_GP_SCAN2
};

/*
 * How far a domain has grown.  It goes one state further with the end of each
 * grace period, so that whoever still acts on an earlier state is done before
 * the next but one is reached:
 */
enum srcu_size_state {
	SRCU_SIZE_SMALL,
	SRCU_SIZE_ALLOC,	/* the tree is wanted */
	SRCU_SIZE_WAIT_BARRIER,	/* it is there, requests use it; barriers visit all CPUs */
	SRCU_SIZE_WAIT_CALL,	/* callbacks go to their CPUs' lists */
	SRCU_SIZE_WAIT_CBS1,	/* masks may miss callbacks posted before: each grace */
	SRCU_SIZE_WAIT_CBS2,	/* period's end has all CPUs look at their lists */
	SRCU_SIZE_WAIT_CBS3,
	SRCU_SIZE_WAIT_CBS4,
	SRCU_SIZE_BIG		/* only those that the masks name */
};

#define SRCU_SNP_SLOTS	4	/* grace periods in a row that a node tells apart */
#define SRCU_INVALID_SEQ 2	/* "none yet", in a node: no request has state 2 */
#define SRCU_INTERVAL	1	/* jiffies between scans while nothing is expedited */

struct srcu_struct;

/* A node of the combining tree.  `lock` protects it; none is taken under another's. */
struct srcu_node {
	spinlock_t lock;
	/* By grace period modulo the number of slots: the latest that somebody
	 * below has asked for, or (with state 1) that has ended. */
	unsigned long srcu_have_cbs[SRCU_SNP_SLOTS];
	/* Leaves: whose requests, hence callbacks, these are; bit 0 is grplo's. */
	unsigned long srcu_data_have_cbs[SRCU_SNP_SLOTS];
	unsigned long srcu_gp_seq_needed_exp;	/* latest expedited one asked for below */
	/* constant once the tree is there */
	struct srcu_node *srcu_parent;		/* NULL: the root */
	int grplo, grphi;			/* the CPUs below */
};

/* One per CPU. */
struct srcu_data {
	/* Reader side: only ever incremented, by the CPU's own readers (or by
	 * RMW atomics); read by the updater without a lock. */
	atomic_long_t srcu_lock_count[2];
	atomic_long_t srcu_unlock_count[2];

	/* Updater side: `lock` protects all that follows up to the timer. */
	spinlock_t lock;
	struct rcu_segcblist srcu_cblist;
	unsigned long srcu_gp_seq_needed;	/* latest grace period asked for here */
	unsigned long srcu_gp_seq_needed_exp;	/* the same, expedited */
	bool srcu_cblist_invoking;		/* somebody invokes callbacks of the list */

	struct timer_list delay_work;		/* delays `work` */
	struct work_struct work;		/* invokes callbacks */
	struct rcu_head srcu_barrier_head;	/* protected by srcu_barrier_mutex */
	int cpu;
	struct srcu_struct *ssp;
	/* published with SRCU_SIZE_WAIT_BARRIER, constant from then on */
	struct srcu_node *mynode;		/* its leaf */
	unsigned long grpmask;			/* its bit in the leaf's masks */
};

/*
 * The updater's side of a domain.  Order of nesting: srcu_barrier_mutex;
 * srcu_gp_mutex; srcu_cb_mutex; then a CPU's lock or a
 * node's or this lock.
 */
struct srcu_usage {
	int srcu_size_state;			/* enum srcu_size_state */
	struct srcu_node *node;			/* breadth first, the root first */
	struct srcu_geometry geometry;
	/* failed attempts to get a lock in jiffy srcu_size_jiffies; under `lock` */
	unsigned long srcu_size_jiffies;
	unsigned long srcu_n_lock_retries;
	/* A callback's way from its grace period's end to its invocation is
	 * prepared under this one, so that at most one more grace period ends
	 * meanwhile. */
	struct mutex srcu_cb_mutex;
	spinlock_t lock;			/* protects the sequence numbers */
	struct mutex srcu_gp_mutex;		/* one grace period at a time; srcu_idx */
	unsigned long srcu_gp_seq;		/* counter << 2 | state */
	unsigned long srcu_gp_seq_needed;	/* latest grace period asked for */
	unsigned long srcu_gp_seq_needed_exp;	/* the same, expedited */
	unsigned long srcu_gp_start;		/* jiffies */
	u64 srcu_last_gp_end;			/* ns */
	unsigned long srcu_n_exp_nodelay;	/* scans in a row without a delay */

	unsigned long srcu_barrier_seq;		/* state 1: a barrier is in progress */
	struct mutex srcu_barrier_mutex;	/* one srcu_barrier() at a time */
	struct completion srcu_barrier_completion;
	atomic_t srcu_barrier_cpu_cnt;		/* lists to wait for, and one */

	unsigned long reschedule_jiffies;
	unsigned long reschedule_count;		/* undelayed passes in this jiffy */
	struct delayed_work work;		/* process_srcu() */
	struct delayed_work work_again;		/* for SRCU_FAULT_REENTRANT_WORK only */
	struct srcu_struct *srcu_ssp;
};

/* A domain. */
struct srcu_struct {
	unsigned int srcu_idx;			/* & 1: the bank that new readers count in */
	struct srcu_data *sda;			/* one for each CPU */
	struct srcu_usage *srcu_sup;

	/* constant from init on */
	struct srcu *ss;
	const char *sync_label;			/* "ss:sync", see tree_synchronize() */
	unsigned ncpus;
	u32 faults;				/* SRCU_FAULT_* */
	unsigned long seq_mask;			/* of all sequence numbers */
	unsigned long counter_mask;		/* of reader counters and their sums */
	u64 exp_holdoff;			/* ns */
	bool born_big;				/* has its tree from init on */
	bool contend;				/* grows when locks are contended for ... */
	unsigned long small_contention_lim;	/* ... more often than this in a jiffy */
};

/* A domain's memory is one piece, so that all of it is gone after cleanup: this, and
 * behind the last CPU's data the nodes of the tree, used or not. */
struct tree_layout {
	struct srcu_struct ssp;
	struct srcu_usage sup;
	_Alignas(64) struct srcu_data sda[];
};

static inline bool srcu_fault(const struct srcu_struct *ssp, enum srcu_fault f)
{
	return ssp->faults & f;
}

static inline struct srcu_data *srcu_sdp(struct srcu_struct *ssp, unsigned cpu)
{
	return &ssp->sda[cpu];
}

/*
 * Locks of srcu_data and srcu_usage.  The barrier makes an unlock by another
 * CPU followed by this lock order everything before against everything after,
 * which acquire and release alone do not.
 */
#define spin_lock_irq_rcu_node(p) do {						\
		spin_lock_irq(&(p)->lock);					\
		smp_mb__after_unlock_lock();					\
	} while (0)
#define spin_unlock_irq_rcu_node(p) spin_unlock_irq(&(p)->lock)
#define spin_lock_irqsave_rcu_node(p, flags) do {				\
		spin_lock_irqsave(&(p)->lock, flags);				\
		smp_mb__after_unlock_lock();					\
	} while (0)
#define spin_unlock_irqrestore_rcu_node(p, flags) spin_unlock_irqrestore(&(p)->lock, flags)
#define spin_trylock_irqsave_rcu_node(p, flags) ({				\
		bool locked_ = spin_trylock_irqsave(&(p)->lock, flags);		\
		if (locked_)							\
			smp_mb__after_unlock_lock();				\
		locked_; })

/* tree_readers.c */
int __srcu_read_lock(struct srcu_struct *ssp);
void __srcu_read_unlock(struct srcu_struct *ssp, int idx);
int __srcu_read_lock_nmisafe(struct srcu_struct *ssp);
void __srcu_read_unlock_nmisafe(struct srcu_struct *ssp, int idx);
/* Was there a moment during the call at which bank idx had no reader that the
 * grace period must wait for? */
bool srcu_readers_active_idx_check(struct srcu_struct *ssp, int idx);
/* Are there readers in any bank?  Only a hint while readers come and go. */
bool srcu_readers_active(struct srcu_struct *ssp);

/* tree_gp.c */
/* Jiffies to wait before the next scan: 0 while a grace period is expedited. */
unsigned long srcu_get_delay(struct srcu_struct *ssp);
/* Starts a grace period; sup->lock is held, and one is needed. */
void srcu_gp_start(struct srcu_struct *ssp);
/* Has the work item begin with a grace period, after so many jiffies. */
void srcu_queue_gp_work(struct srcu_struct *ssp, unsigned long delay);
void process_srcu(struct work_struct *work);
void process_srcu_again(struct work_struct *work);

/* tree_call.c */
bool tree_call(struct srcu *ss, struct rcu_head *head, rcu_callback_t func);
void tree_synchronize(struct srcu *ss);
void tree_synchronize_expedited(struct srcu *ss);
unsigned long tree_get_state(struct srcu *ss);
unsigned long tree_start_poll(struct srcu *ss);
bool tree_poll_state(struct srcu *ss, unsigned long cookie);

/* tree_init.c */
/* Makes a static domain ready if this is its first use: see srcu_init_fields(). */
void check_init_srcu_struct(struct srcu_struct *ssp);
bool tree_init(struct srcu *ss, const struct srcu_opts *o);
void tree_init_struct(struct srcu *ss);
bool tree_cleanup(struct srcu *ss);
bool tree_check_opts(struct world *w, const struct srcu_ops *ops,
		     const struct srcu_opts *o);
size_t tree_extra_size(struct world *w, const struct srcu_opts *o);
extern const struct field srcu_tree_fields[];

/* tree_node.c */
/* Puts the tree together in memory that is there; nobody uses it yet. */
void srcu_init_nodes(struct srcu_struct *ssp);
/*
 * Sees to it that grace period s happens, and starts one if none is under way.
 * Called within a read section of ssp that was begun before s was taken, so that
 * s cannot be over; sdp's callbacks that wait for s will be invoked.
 */
void srcu_funnel_gp_start(struct srcu_struct *ssp, struct srcu_data *sdp, unsigned long s,
			  bool do_norm);
/* Expedites grace period s, which has been asked for already; snp is the leaf to
 * begin at, NULL in a small domain. */
void srcu_funnel_exp_start(struct srcu_struct *ssp, struct srcu_node *snp, unsigned long s);
/* Grace period gp_seq has ended: tells the tree, and initiates callbacks. */
void srcu_end_in_nodes(struct srcu_struct *ssp, int size_state, unsigned long gp_seq,
		       unsigned long delay);

/* tree_size.c */
void spin_lock_irqsave_sdp_contention(struct srcu_data *sdp, unsigned long *flags);
void spin_lock_irqsave_sup_contention(struct srcu_usage *sup, unsigned long *flags);
/* A grace period is over that ended in that state: one state further, if it grows. */
void srcu_grow(struct srcu_struct *ssp, int size_state);

/* tree_cb.c */
/* Has sdp's CPU invoke its ready callbacks after so many jiffies. */
void srcu_schedule_cbs_sdp(struct srcu_data *sdp, unsigned long delay);
void srcu_invoke_callbacks(struct work_struct *work);
void srcu_delay_timer(struct timer_list *t);
void tree_barrier(struct srcu *ss);

#endif
