/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual time, timers, work items: stepped (semantics.md sections 3 and 4).
 * One jiffy is 1 ms of virtual time (HZ = 1000); the clock stands still unless
 * a timer fires or somebody calls advance().
 */
#ifndef K_WORK_H
#define K_WORK_H

#include "k/access.h"

#define HZ 1000
#define NSEC_PER_JIFFY ((u64)1000000)

/* Both read the clock: a step. */
#define jiffies			k_jiffies(K_SITE(OP_LOAD, ORD_ONCE, SITE_CLOCK, "jiffies", "jiffies", NULL))
#define ktime_get_mono_fast_ns() k_ktime(K_SITE(OP_LOAD, ORD_ONCE, SITE_CLOCK, "ktime_get_mono_fast_ns", "", NULL))
unsigned long k_jiffies(struct site *s);
u64 k_ktime(struct site *s);
#define time_after(a, b)	((long)((b) - (a)) < 0)
#define time_in_range_open(a, b, c) ((long)((a) - (b)) >= 0 && (long)((a) - (c)) < 0)

/* udelay(): a step that does nothing but delimit a polling check. */
#define udelay(us)		k_udelay(K_SITE(OP_YIELD, ORD_NONE, SITE_DELAY, "udelay", #us, NULL))
void k_udelay(struct site *s);

/*
 * A timer: `expires` is 0 while it is not armed.  Its task "timer/NAME" is made
 * when it is first armed; firing takes three steps of that task: the cell is
 * cleared, the clock goes to the expiry, and fn runs (with its own steps).
 */
struct timer_list {
	u64 expires;		/* ns, 0: not armed */
	void (*fn)(struct timer_list *t);
	const char *name;	/* "ss:0", arena or static: the task is timer/NAME */
	struct task *task;	/* the engine's */
	struct work_struct *work; /* the delayed item that it queues, or NULL */
	u32 cpu;		/* where it was armed last: it fires there */
	u64 struck, done;	/* functions begun and ended: del_timer_sync() waits on them */
};
void timer_setup(struct timer_list *t, void (*fn)(struct timer_list *), const char *name);
/* Arms, or brings forward if it is armed for later; `expires` in jiffies. */
#define timer_reduce(t, exp)	k_timer_reduce(t, exp, K_SITE(OP_MIN_ARM, ORD_FULL, 0, "timer_reduce", #t, NULL))
bool k_timer_reduce(struct timer_list *t, unsigned long expires, struct site *s);
#define del_timer_sync(t)	k_del_timer_sync(t, K_SITE(OP_XCHG, ORD_FULL, 0, "del_timer_sync", #t, NULL))
bool k_del_timer_sync(struct timer_list *t, struct site *s);

/* Two links of a list: what the kernel's code keeps in a work item of its own until the
 * workqueues are there. */
struct K_LINK { struct K_LINK *next, *prev; };

/*
 * A work item.  state: WORK_PENDING from queueing to the start of its function,
 * WORK_QUEUED once no timer stands before it.  Its task "kworker/NAME" is made
 * when it is first queued and runs fn once per queueing, never twice at once.
 */
enum { WORK_PENDING = 1, WORK_QUEUED = 2 };
struct work_struct {
	u64 state;
	void (*fn)(struct work_struct *w);
	const char *name;	/* "ss:gp" */
	struct task *task;	/* the engine's */
	u32 cpu;		/* where it was queued last: the worker runs there */
	u8 clock_free;		/* the clock cannot change the course of a pass
				 * that failed (semantics.md section 5) */
	struct timer_list *timer; /* of a delayed item, or NULL */
	u64 started, done;	/* passes begun and ended: flush_work() waits on them */
	u64 flush_until;	/* so many passes somebody waits for: none of them is idle */
	struct K_LINK entry;	/* a kernel tree's own; not ours */
};
struct delayed_work {
	struct work_struct work;
	struct timer_list timer;
};
/* name must outlive the item (arena_strdup). */
void init_work(struct work_struct *w, void (*fn)(struct work_struct *), const char *name);
void init_delayed_work(struct delayed_work *d, void (*fn)(struct work_struct *), const char *name);
/* True if it was not pending.  An RMW on the state; full ordering only when true. */
#define queue_work(w)		k_queue_work(w, -1, K_SITE(OP_CMPXCHG, ORD_FULL, 0, "queue_work", #w, NULL))
#define queue_work_on(c, w)	k_queue_work(w, (int)(c), K_SITE(OP_CMPXCHG, ORD_FULL, 0, "queue_work_on", #w, NULL))
bool k_queue_work(struct work_struct *w, int cpu, struct site *s);
/* delay in jiffies; 0 queues at once.  Not re-armed while pending. */
#define queue_delayed_work(d, delay) k_queue_delayed_work(d, delay, K_SITE(OP_CMPXCHG, ORD_FULL, 0, "queue_delayed_work", #d, NULL))
bool k_queue_delayed_work(struct delayed_work *d, unsigned long delay, struct site *s);
/* Waits until the passes queued or running at the call are over (sleeps). */
#define flush_work(w)		k_flush_work(w, K_SITE(OP_COND, ORD_FULL, SITE_SLEEPS, "flush_work", #w, NULL))
void k_flush_work(struct work_struct *w, struct site *s);
/* As the kernel's: a delayed item is queued at once, then waited for. */
#define flush_delayed_work(d)	k_flush_delayed_work(d, K_SITE(OP_COND, ORD_FULL, SITE_SLEEPS, "flush_delayed_work", #d, NULL))
void k_flush_delayed_work(struct delayed_work *d, struct site *s);
struct world;
/* A copy in simulated memory; NULL when that is exhausted. */
char *arena_strdup(struct world *w, const char *s);
static inline struct timer_list *work_timer(struct work_struct *w) { return w->timer; }

#endif
