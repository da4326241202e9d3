/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time, timers, work items: native.  One worker thread in a process runs them all; it
 * is made when the first is queued.  A jiffy is a millisecond of the monotonic clock.
 */
#ifndef K_WORK_H
#define K_WORK_H

#include "k/lock.h"

#define HZ 1000
#define NSEC_PER_JIFFY ((u64)1000000)

#define jiffies			k_jiffies()
unsigned long k_jiffies(void);
/* Both are as coarse as the kernel's tick: they serve heuristics only. */
u64 ktime_get_mono_fast_ns(void);
#define time_after(a, b)	((long)((b) - (a)) < 0)
#define time_in_range_open(a, b, c) ((long)((a) - (b)) >= 0 && (long)((a) - (c)) < 0)

/* A pause between two looks at the same memory: some hundred ns, whatever is asked for,
 * because a look costs less than in a machine of many CPUs. */
void udelay(unsigned us);

/* What the worker has in its lists; under its lock. */
struct k_item {
	struct k_item *next;
	u64 due;			/* ns */
	bool linked, is_timer;
};

struct timer_list {
	struct k_item item;
	void (*fn)(struct timer_list *t);
};
void timer_setup(struct timer_list *t, void (*fn)(struct timer_list *), const char *name);
/* Arms, or brings forward if it is armed for later; `expires` in jiffies. */
bool timer_reduce(struct timer_list *t, unsigned long expires);
/* When it returns the timer is not armed and its function is not running. */
bool del_timer_sync(struct timer_list *t);

/*
 * A work item.  `pending` from queueing to the start of its function.  `running` is a
 * lock that is held while the function runs, so that it never runs twice at once; whoever
 * gives it back looks whether the item has become pending meanwhile.  So a thread that
 * has to wait for an item's effect can take the lock and run it itself: see k_drive().
 */
struct work_struct {
	struct k_item item;
	u64 due;			/* since it is pending: ns, 0 at once */
	u32 pending;
	u32 running;
	void (*fn)(struct work_struct *w);
	/* Would the function find nothing to do, for as long as nobody queues the item
	 * again?  Then queueing does nothing.  NULL: never. */
	bool (*needless)(struct work_struct *w);
};
struct delayed_work { struct work_struct work; };
void init_work(struct work_struct *w, void (*fn)(struct work_struct *), const char *name);
void init_delayed_work(struct delayed_work *d, void (*fn)(struct work_struct *), const char *name);
/* True if it was not pending; a full barrier then. */
bool k_queue_work(struct work_struct *w, u64 delay_ns);
#define queue_work(w)			k_queue_work(w, 0)
#define queue_work_on(cpu, w)		((void)(cpu), k_queue_work(w, 0))
#define queue_delayed_work(d, delay)	k_queue_work(&(d)->work, (delay) * NSEC_PER_JIFFY)
/* Waits until what was queued or running at the call is over; does not wait for delays. */
void flush_work(struct work_struct *w);
#define flush_delayed_work(d)		flush_work(&(d)->work)

#endif
