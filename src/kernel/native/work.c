/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work items and timers, native: one worker thread a process, which is made when it is
 * first needed and is then there for good.  (A fork's child has none until it needs one.)
 *
 * rt.lock protects both lists and is held for some instructions at a time; nothing is
 * called under it.
 */
#include <config.h>

#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <time.h>

#include "k/lock.h"
#include "k/work.h"
#include "pause.h"
#include "runtime.h"

/* A test can have it fail: -D puts another function there. */
#ifdef LIBSRCU_THREAD
int LIBSRCU_THREAD(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
#else
#define LIBSRCU_THREAD pthread_create
#endif

#define FLUSH_POLL_NS 500000	/* between two looks of flush_work() */
#define DRIVE_SPINS 64		/* a microsecond or two: an idle grace period is shorter */

static struct {
	u32 lock;
	u32 bell;			/* the worker sleeps on it; changes with each ring */
	struct k_item *ready, *ready_last; /* first come, first served */
	struct k_item *delayed;		/* in no order */
	struct k_item *current;		/* what the worker is doing */
	u64 wakes_at;			/* while it sleeps: when by itself; 0: it is awake */
	bool exists, spawn_forbidden;
	u32 gate;
	jmp_buf restart;
} rt;

static __thread struct work_struct *driving __attribute__((tls_model("initial-exec")));
static __thread bool on_worker __attribute__((tls_model("initial-exec")));

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

/* --- the lists; all under rt.lock --- */

static void make_ready(struct k_item *it)
{
	it->next = NULL;
	if (rt.ready)
		rt.ready_last->next = it;
	else
		rt.ready = it;
	rt.ready_last = it;
}

static void list_put(struct k_item *it)
{
	it->linked = true;
	if (!it->due) {
		make_ready(it);
	} else {
		it->next = rt.delayed;
		rt.delayed = it;
	}
}

static bool list_take(struct k_item *it)
{
	struct k_item *prev = NULL, *i;

	if (!it->linked)
		return false;
	it->linked = false;
	for (struct k_item **p = &rt.delayed; *p; p = &(*p)->next)
		if (*p == it) {
			*p = it->next;
			return true;
		}
	for (i = rt.ready; i != it; prev = i, i = i->next)
		;
	if (prev)
		prev->next = it->next;
	else
		rt.ready = it->next;
	if (rt.ready_last == it)
		rt.ready_last = prev;
	return true;
}

/* Moves what is due to the ready ones.  Returns when the next one will be, 0: never. */
static u64 list_ripen(void)
{
	u64 now, next = 0;

	if (!rt.delayed)
		return 0;
	now = now_ns();
	for (struct k_item **p = &rt.delayed, *it; (it = *p);) {
		if (it->due <= now) {
			*p = it->next;
			make_ready(it);
			continue;
		}
		if (!next || it->due < next)
			next = it->due;
		p = &it->next;
	}
	return next;
}

/* Ends rt.lock, and has the worker look if it sleeps beyond `due`. */
static void unlock_and_ring(u64 due)
{
	bool ring = rt.wakes_at && (!due || due < rt.wakes_at);

	if (ring) {
		rt.wakes_at = 0;
		__atomic_fetch_add(&rt.bell, 1, __ATOMIC_RELAXED);
	}
	k_unlock(&rt.lock);
	if (ring)
		k_futex_wake(&rt.bell, 1);
}

/* Gives a pending item to the worker. */
static void hand_over(struct work_struct *w)
{
	u64 due = READ_ONCE(w->due);

	(void)k_worker_ensure();
	k_lock(&rt.lock);
	/* in the list from an earlier time, if somebody else has run it meanwhile */
	if (w->item.linked && due < w->item.due)
		list_take(&w->item);
	if (!w->item.linked) {
		w->item.due = due;
		list_put(&w->item);
	}
	unlock_and_ring(due);
}

/* --- the worker --- */

/* Somebody may have queued the item while `running` was held, and left it to us: it goes to
 * the worker.  The barrier is against the one in k_queue_work(). */
static void look_behind(struct work_struct *w)
{
	smp_mb();
	if (READ_ONCE(w->pending) && !k_lock_held(&w->running))
		hand_over(w);
}

/* One of those who wait is woken, who will hold it or let it go again: k_drive_lock(). */
void k_work_release(struct work_struct *w)
{
	if (__atomic_exchange_n(&w->running, 0, __ATOMIC_RELEASE) == 2 &&
	    k_unlock_waking(&w->running))
		return;
	look_behind(w);
}

void k_drive_tell(struct work_struct *w)
{
	if (READ_ONCE(w->running) == 2)
		k_futex_wake(&w->running, INT_MAX);
}

/* Goes without having held it.  Who was woken passes that on: others may be asleep, of whom
 * a holder that came by itself does not know. */
static void drive_leave(struct work_struct *w, bool slept)
{
	k_drive_end();
	if (!slept)
		look_behind(w);
	else if (__atomic_exchange_n(&w->running, 2, __ATOMIC_ACQUIRE) == 0)
		k_work_release(w);
}

bool k_drive_lock(struct work_struct *w, bool (*over)(void *arg), void *arg)
{
	unsigned i = 0;

	for (; !over(arg); i++) {
		if (i < DRIVE_SPINS) {
			if (k_trylock(&w->running))
				return true;
			k_pause();
			continue;
		}
		if (__atomic_exchange_n(&w->running, 2, __ATOMIC_ACQUIRE) == 0)
			return true;
		k_futex_wait(&w->running, 2, 0);
	}
	drive_leave(w, i > DRIVE_SPINS);
	return false;
}

void k_drive_pass(struct work_struct *w)
{
	xchg(&w->pending, 0);
	w->fn(w);
}

static void run_work(struct work_struct *w)
{
	/* held: whoever holds it sees that the item is pending when he gives it back */
	smp_mb();
	if (!k_trylock(&w->running))
		return;
	if (READ_ONCE(w->pending))
		k_drive_pass(w);
	k_work_release(w);
}

static void run_item(struct k_item *it)
{
	if (it->is_timer) {
		struct timer_list *t = container_of(it, struct timer_list, item);

		t->fn(t);
	} else {
		run_work(container_of(it, struct work_struct, item));
	}
}

static void worker_sleep(u64 next)
{
	u32 seen = rt.bell;
	u64 now = next ? now_ns() : 0;

	rt.wakes_at = next ? next : ~(u64)0;
	k_unlock(&rt.lock);
	if (!next || next > now)
		k_futex_wait(&rt.bell, seen, next ? next - now : 0);
	k_lock(&rt.lock);
	rt.wakes_at = 0;
}

static void worker_loop(void)
{
	k_lock(&rt.lock);
	for (;;) {
		u64 next = list_ripen();
		struct k_item *it = rt.ready;

		if (!it) {
			worker_sleep(next);
			continue;
		}
		list_take(it);
		rt.current = it;
		k_unlock(&rt.lock);
		k_gate_close();
		run_item(it);
		k_gate_open();
		k_lock(&rt.lock);
		rt.current = NULL;
	}
}

static void *worker_main(void *arg)
{
	on_worker = true;
	(void)setjmp(rt.restart);
	worker_loop();
	return arg;
}

void k_worker_restart(void)
{
	longjmp(rt.restart, 1);
}

bool k_worker_exists(void) { return READ_ONCE(rt.exists); }
bool k_on_worker(void) { return on_worker; }

/* Signals are the program's own business. */
static bool worker_make(void)
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t id;
	bool made;

	if (pthread_attr_init(&attr))
		return false;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	made = !LIBSRCU_THREAD(&id, &attr, worker_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return made;
}

bool k_worker_ensure(void)
{
	bool mine;

	if (likely(READ_ONCE(rt.exists)))
		return true;
	k_lock(&rt.lock);
	mine = !rt.exists && !rt.spawn_forbidden;
	if (mine)
		WRITE_ONCE(rt.exists, true);
	k_unlock(&rt.lock);
	if (mine && !worker_make())
		WRITE_ONCE(rt.exists, false);
	return READ_ONCE(rt.exists);
}

/* --- work items --- */

void init_work(struct work_struct *w, void (*fn)(struct work_struct *), const char *name)
{
	(void)name;
	*w = (struct work_struct){ .fn = fn };
}

void init_delayed_work(struct delayed_work *d, void (*fn)(struct work_struct *), const char *name)
{
	init_work(&d->work, fn, name);
}

bool k_queue_work(struct work_struct *w, u64 delay_ns)
{
	u64 due = delay_ns ? now_ns() + delay_ns : 0;

	if (w->needless && w->needless(w))
		return true;
	if (xchg(&w->pending, 1))
		return false;
	WRITE_ONCE(w->due, due);	/* late, perhaps, for who looks: then he is early */
	/* who drives it, or holds it, looks at `pending` afterwards: k_work_release() */
	if (driving != w && !k_lock_held(&w->running))
		hand_over(w);
	return true;
}

void k_drive_begin(struct work_struct *w) { driving = w; }
void k_drive_end(void) { driving = NULL; }

/* Under rt.lock: queued, being run, or asked for. */
static bool work_busy(struct work_struct *w)
{
	return w->item.linked || rt.current == &w->item || READ_ONCE(w->pending) ||
	       k_lock_held(&w->running);
}

void flush_work(struct work_struct *w)
{
	k_lock(&rt.lock);
	while (work_busy(w)) {
		bool taken = list_take(&w->item);

		if (taken && rt.exists && !on_worker) {
			w->item.due = 0;
			list_put(&w->item);
			taken = false;
		}
		unlock_and_ring(0);
		if (taken)
			run_work(w);
		else if (on_worker && rt.current == &w->item)
			return;	/* in a callback of the item's own: it ends after us */
		else
			k_nap(FLUSH_POLL_NS);
		k_lock(&rt.lock);
	}
	k_unlock(&rt.lock);
}

/* --- timers --- */

void timer_setup(struct timer_list *t, void (*fn)(struct timer_list *), const char *name)
{
	(void)name;
	*t = (struct timer_list){ .item.is_timer = true, .fn = fn };
}

bool timer_reduce(struct timer_list *t, unsigned long expires)
{
	u64 due = (u64)expires * NSEC_PER_JIFFY;
	bool armed;

	(void)k_worker_ensure();
	k_lock(&rt.lock);
	armed = t->item.linked;
	if (!armed || due < t->item.due) {
		list_take(&t->item);
		t->item.due = due;
		list_put(&t->item);
	}
	unlock_and_ring(due);
	return armed;
}

bool del_timer_sync(struct timer_list *t)
{
	bool armed;

	k_lock(&rt.lock);
	armed = list_take(&t->item);
	while (rt.current == &t->item && !on_worker) {
		k_unlock(&rt.lock);
		k_nap(FLUSH_POLL_NS);
		k_lock(&rt.lock);
	}
	k_unlock(&rt.lock);
	return armed;
}

/* --- fork --- */

void k_gate_close(void) { k_lock(&rt.gate); }
void k_gate_open(void) { k_unlock(&rt.gate); }

void k_runtime_before_fork(void) { k_lock(&rt.lock); }

void k_runtime_after_fork(bool child)
{
	if (child) {
		rt.ready = rt.ready_last = rt.delayed = rt.current = NULL;
		rt.wakes_at = 0;
		rt.exists = on_worker;
		driving = NULL;
		rt.lock = rt.gate = 0;
	} else {
		k_unlock(&rt.lock);
	}
}

void k_runtime_spawn(bool allowed) { rt.spawn_forbidden = !allowed; }
