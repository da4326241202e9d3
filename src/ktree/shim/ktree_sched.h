/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's spelling of locks, work items, timers, memory, time, contexts and of RCU,
 * where it differs from that of k/.
 */
#ifndef KTREE_SCHED_H
#define KTREE_SCHED_H

/* --- locks --- */

typedef spinlock_t raw_spinlock_t;
#define __SPIN_LOCK_UNLOCKED(name)	{ 0, 0 }
#define __RAW_SPIN_LOCK_UNLOCKED(name)	{ 0, 0 }
#define __MUTEX_INITIALIZER(name)	{ 0, 0 }
#define DEFINE_SPINLOCK(name)		spinlock_t name = { 0, 0 }
#define DEFINE_RAW_SPINLOCK(name)	raw_spinlock_t name = { 0, 0 }
#define DEFINE_MUTEX(name)		struct mutex name = { 0, 0 }
#define raw_spin_lock_init(l)		spin_lock_init(l)
#define mutex_destroy(m)		((void)(m))

#define KTREE_IRQSAVE(l, flags, prim) \
	do { (flags) = 0; K_LK(l, OP_LOCK, SITE_SPIN | SITE_IRQ, prim); } while (0)
#define KTREE_IRQRESTORE(l, flags, prim) \
	do { (void)(flags); K_LK(l, OP_UNLOCK, SITE_SPIN | SITE_IRQ, prim); } while (0)
#define spin_trylock_irq(l)		K_TRYLK(l, SITE_SPIN | SITE_IRQ, "spin_trylock_irq")
#define spin_lock_bh(l)			K_LK(l, OP_LOCK, SITE_SPIN | SITE_BH, "spin_lock_bh")
#define spin_unlock_bh(l)		K_LK(l, OP_UNLOCK, SITE_SPIN | SITE_BH, "spin_unlock_bh")
#define raw_spin_lock(l)		K_LK(l, OP_LOCK, SITE_SPIN, "raw_spin_lock")
#define raw_spin_unlock(l)		K_LK(l, OP_UNLOCK, SITE_SPIN, "raw_spin_unlock")
#define raw_spin_trylock(l)		K_TRYLK(l, SITE_SPIN, "raw_spin_trylock")
#define raw_spin_lock_irq(l)		K_LK(l, OP_LOCK, SITE_SPIN | SITE_IRQ, "raw_spin_lock_irq")
#define raw_spin_unlock_irq(l)		K_LK(l, OP_UNLOCK, SITE_SPIN | SITE_IRQ, "raw_spin_unlock_irq")
#define raw_spin_lock_irqsave(l, flags)	KTREE_IRQSAVE(l, flags, "raw_spin_lock_irqsave")
#define raw_spin_unlock_irqrestore(l, flags) KTREE_IRQRESTORE(l, flags, "raw_spin_unlock_irqrestore")
#define raw_spin_trylock_irqsave(l, flags) \
	({ (flags) = 0; K_TRYLK(l, SITE_SPIN | SITE_IRQ, "raw_spin_trylock_irqsave"); })
#define mutex_lock_nested(m, sub)	mutex_lock(m)
#define mutex_is_locked(m)		(K_LOAD(&(m)->owner, ORD_ONCE, "mutex_is_locked", OP_LOAD) != 0)
#define spin_is_locked(l)		(K_LOAD(&(l)->owner, ORD_ONCE, "spin_is_locked", OP_LOAD) != 0)

#define lockdep_assert_held(l) \
	((void)KTREE_WARN(!k_lock_held(&(l)->owner), "lockdep_assert_held(" #l ")"))
#define lockdep_assert_held_once(l)	lockdep_assert_held(l)
#define lockdep_assert_not_held(l) \
	((void)KTREE_WARN(k_lock_held(&(l)->owner), "lockdep_assert_not_held(" #l ")"))
#define lockdep_assert(c)		((void)KTREE_WARN(!(c), "lockdep_assert(" #c ")"))
#define lockdep_assert_once(c)		lockdep_assert(c)
#define lockdep_assert_cpus_held()	((void)0)
#define lockdep_assert_irqs_disabled()	((void)0)
#define lockdep_assert_irqs_enabled()	((void)0)
#define lockdep_assert_preemption_disabled() ((void)0)
#define lockdep_assert_preemption_enabled() ((void)0)
#define lockdep_assert_in_irq()		((void)0)
#define lockdep_is_held(l)		1
#define lock_is_held(map)		1
#define lockdep_set_class(l, key)	((void)0)
#define lockdep_set_class_and_name(l, key, name) ((void)0)
#define lockdep_init_map(map, name, key, sub) ((void)0)
#define lock_map_acquire_read(map)	((void)0)
#define lock_map_acquire(map)		((void)0)
#define lock_map_release(map)		((void)0)
#define lock_map_sync(map)		((void)0)
#define lock_sync(...)			((void)0)
#define debug_check_no_locks_freed(p, n) ((void)0)
#define debug_lockdep_rcu_enabled()	0
#define rcu_try_lock_acquire(map)	((void)0)
#define rcu_lock_acquire(map)		((void)0)
#define rcu_lock_release(map)		((void)0)
/* srcush has oracles of its own for these. */
#define RCU_LOCKDEP_WARN(c, text)	((void)0)

/* --- completions --- */

void ktree_init_completion(struct completion *c, const char *expr);
#undef init_completion
/* The stores stand here too, and in those below, to be seen as plain ones of the caller's. */
#define init_completion(c) ({							\
		struct completion *k_c = (c);					\
		k_c->done = 0;							\
		ktree_init_completion(k_c, #c); })
#define reinit_completion(c)		((void)((c)->done = 0))
#define COMPLETION_INITIALIZER(c)	{ 0 }

/* --- work items and timers --- */

extern struct workqueue_struct ktree_workqueue;
extern struct workqueue_struct *rcu_gp_wq, *rcu_par_gp_wq;
extern struct workqueue_struct *system_wq, *system_percpu_wq, *system_highpri_wq,
	*system_unbound_wq, *system_dfl_wq, *system_power_efficient_wq;

typedef void (*work_func_t)(struct work_struct *w);
void ktree_init_work(struct work_struct *w, void (*fn)(struct work_struct *), const char *expr);
void ktree_init_delayed_work(struct delayed_work *d, void (*fn)(struct work_struct *),
			     const char *expr);
void ktree_timer_setup(struct timer_list *t, void (*fn)(struct timer_list *), const char *expr);
#define INIT_WORK(w, f) ({							\
		struct work_struct *k_w = (w);					\
		k_w->state = 0;							\
		ktree_init_work(k_w, f, #w);					\
		INIT_LIST_HEAD(&k_w->entry); })
#define INIT_DELAYED_WORK(d, f) ({						\
		struct delayed_work *k_d = (d);					\
		k_d->work.state = 0;						\
		k_d->timer.expires = 0;						\
		ktree_init_delayed_work(k_d, f, #d);				\
		INIT_LIST_HEAD(&k_d->work.entry); })
#define __WORK_INITIALIZER(n, f) { .fn = (f), .entry = { &(n).entry, &(n).entry } }
#define __DELAYED_WORK_INITIALIZER(n, f, flags) { .work = __WORK_INITIALIZER((n).work, f) }
#define to_delayed_work(w)	container_of(w, struct delayed_work, work)

#define KTREE_QUEUE(w, cpu, prim)						\
	k_queue_work(w, cpu, K_SITE(OP_CMPXCHG, ORD_FULL, 0, prim, #w, NULL))
#define KTREE_QUEUE_DELAYED(d, delay, prim)					\
	k_queue_delayed_work(d, delay, K_SITE(OP_CMPXCHG, ORD_FULL, 0, prim, #d, NULL))
#undef queue_work
#undef queue_work_on
#undef queue_delayed_work
#define queue_work(wq, w)	((void)(wq), KTREE_QUEUE(w, -1, "queue_work"))
#define queue_work_on(c, wq, w)	((void)(wq), KTREE_QUEUE(w, (int)(c), "queue_work_on"))
#define schedule_work(w)	KTREE_QUEUE(w, -1, "schedule_work")
#define schedule_work_on(c, w)	KTREE_QUEUE(w, (int)(c), "schedule_work_on")
#define queue_delayed_work(wq, d, delay) \
	((void)(wq), KTREE_QUEUE_DELAYED(d, delay, "queue_delayed_work"))
#define schedule_delayed_work(d, delay)	KTREE_QUEUE_DELAYED(d, delay, "schedule_delayed_work")
#define work_pending(w)		(K_LOAD(&(w)->state, ORD_ONCE, "work_pending", OP_LOAD) != 0)
#define delayed_work_pending(d)	work_pending(&(d)->work)
#define alloc_workqueue(...)	(&ktree_workqueue)
#define WORK_CPU_UNBOUND	(-1)

#define timer_setup(t, f, flags) ({						\
		struct timer_list *k_t = (t);					\
		k_t->expires = 0;						\
		ktree_timer_setup(k_t, f, #t); })
#define KTREE_DEL_TIMER(t, prim) \
	k_del_timer_sync(t, K_SITE(OP_XCHG, ORD_FULL, 0, prim, #t, NULL))
#undef del_timer_sync
#define del_timer_sync(t)	KTREE_DEL_TIMER(t, "del_timer_sync")
#define timer_delete_sync(t)	KTREE_DEL_TIMER(t, "timer_delete_sync")
#define timer_shutdown_sync(t)	KTREE_DEL_TIMER(t, "timer_shutdown_sync")
#define timer_pending(t)	(K_LOAD(&(t)->expires, ORD_ONCE, "timer_pending", OP_LOAD) != 0)
#define from_timer(v, t, m)	container_of(t, __typeof__(*(v)), m)
#define timer_container_of(v, t, m) container_of(t, __typeof__(*(v)), m)

/* --- memory --- */

#define GFP_KERNEL	1u
#define GFP_ATOMIC	2u
#define GFP_NOWAIT	2u
#define __GFP_NOWARN	4u
#define __GFP_ZERO	8u
void *ktree_alloc(size_t n, size_t size, const char *expr, gfp_t gfp, struct site *s);
#define KTREE_ALLOC(n, size, gfp, prim, expr) \
	ktree_alloc(n, size, expr, gfp, K_SITE(OP_YIELD, ORD_NONE, 0, prim, expr, NULL))
#define kzalloc(size, gfp)	KTREE_ALLOC(1, size, gfp, "kzalloc", #size)
#define kcalloc(n, size, gfp)	KTREE_ALLOC(n, size, gfp, "kcalloc", #size)
#define kzalloc_obj(p, ...) \
	((__typeof__(p) *)KTREE_ALLOC(1, sizeof(p), GFP_KERNEL, "kzalloc_obj", "sizeof(" #p ")"))
#define kzalloc_objs(p, n, ...) \
	((__typeof__(p) *)KTREE_ALLOC(n, sizeof(p), KTREE_GFP(__VA_ARGS__), "kzalloc_objs", "sizeof(" #p ")"))
#define KTREE_GFP(...)		(KTREE_PICK(0, ##__VA_ARGS__, GFP_KERNEL))

/* --- time --- */

#define jiffies_64		((u64)jiffies)
#define get_jiffies_64()	((u64)jiffies)
#define KTREE_CLOCK(prim)	k_ktime(K_SITE(OP_LOAD, ORD_ONCE, SITE_CLOCK, prim, "", NULL))
#define ktime_get_ns()		KTREE_CLOCK("ktime_get_ns")
#define ktime_get_mono_fast()	KTREE_CLOCK("ktime_get_mono_fast")
#define local_clock()		KTREE_CLOCK("local_clock")
#define sched_clock()		KTREE_CLOCK("sched_clock")
#define time_before(a, b)	time_after(b, a)
#define time_after_eq(a, b)	((long)((a) - (b)) >= 0)
#define time_before_eq(a, b)	time_after_eq(b, a)
#define time_in_range(a, b, c)	(time_after_eq(a, b) && time_before_eq(a, c))
#define msecs_to_jiffies(m)	((unsigned long)(m) * HZ / 1000)
#define usecs_to_jiffies(u)	(((unsigned long)(u) * HZ + 999999) / 1000000)
#define nsecs_to_jiffies(n)	((unsigned long)(n) / NSEC_PER_JIFFY)
#define jiffies_to_usecs(j)	((unsigned)((j) * (1000000 / HZ)))
#define jiffies_to_msecs(j)	((unsigned)((j) * (1000 / HZ)))
#define ndelay(ns)		k_udelay(K_SITE(OP_YIELD, ORD_NONE, SITE_DELAY, "ndelay", #ns, NULL))
#define cpu_relax()		k_udelay(K_SITE(OP_YIELD, ORD_NONE, SITE_DELAY, "cpu_relax", "", NULL))

/* --- where one runs --- */

#define nr_cpu_ids		k_nr_cpus()
#define num_possible_cpus()	k_nr_cpus()
#define num_online_cpus()	k_nr_cpus()
#define for_each_online_cpu(c)	for_each_possible_cpu(c)
#define for_each_present_cpu(c)	for_each_possible_cpu(c)
#define cpu_possible(c)		((unsigned)(c) < k_nr_cpus())
#define cpu_online(c)		cpu_possible(c)
#define cpus_read_lock()	((void)0)
#define cpus_read_unlock()	((void)0)
#define in_nmi()		0
#define in_hardirq()		(!in_task())
#define in_interrupt()		(!in_task())
#define preemptible()		ktree_preemptible()
#define in_atomic()		(!ktree_preemptible())
bool ktree_preemptible(void);
#define might_sleep()		((void)0)
#define might_sleep_if(c)	((void)0)
#define cond_resched()		((void)0)
#define get_cpu()		({ preempt_disable(); (int)raw_cpu(); })
#define put_cpu()		preempt_enable()
#define preempt_disable_notrace() preempt_disable()
#define preempt_enable_notrace() preempt_enable()
#define local_irq_save(flags)	do { (flags) = 0; local_irq_disable(); } while (0)
#define local_irq_restore(flags) do { (void)(flags); local_irq_enable(); } while (0)
#define local_lock_irqsave(l, flags) local_irq_save(flags)
#define local_unlock_irqrestore(l, flags) local_irq_restore(flags)

#define __SWAIT_QUEUE_HEAD_INITIALIZER(name) { 0 }
#define DECLARE_SWAIT_QUEUE_HEAD(name)	struct swait_queue_head name = { 0 }
#define swait_event_idle_exclusive(q, cond) swait_event_exclusive(q, cond)

/* --- RCU --- */

#define RCU_SEQ_CTR_SHIFT	2
#define RCU_SEQ_STATE_MASK	((1 << RCU_SEQ_CTR_SHIFT) - 1)
extern int rcu_scheduler_active;
extern struct lockdep_map rcu_lock_map, rcu_bh_lock_map, rcu_sched_lock_map, rcu_callback_map;

struct rcu_gp_oldstate { unsigned long rgos_norm, rgos_exp; };
struct rcu_synchronize {
	struct rcu_head head;
	struct completion completion;
	struct rcu_gp_oldstate oldstate;
};
void wakeme_after_rcu(struct rcu_head *head);
#define init_rcu_head(h)		((void)(h))
#define init_rcu_head_on_stack(h)	((void)(h))
#define destroy_rcu_head(h)		((void)(h))
#define destroy_rcu_head_on_stack(h)	((void)(h))
#define rcu_is_watching()		1
#define rcu_inkernel_boot_has_ended()	1
#define rcu_init_tasks_generic()	((void)0)

void ktree_rcu_read_lock(void);
void ktree_rcu_read_unlock(void);
void ktree_synchronize_rcu(void);
#define rcu_read_lock()			ktree_rcu_read_lock()
#define rcu_read_unlock()		ktree_rcu_read_unlock()
#define rcu_read_lock_sched_notrace()	ktree_rcu_read_lock()
#define rcu_read_unlock_sched_notrace()	ktree_rcu_read_unlock()
#define synchronize_rcu()		ktree_synchronize_rcu()
#define synchronize_rcu_expedited()	ktree_synchronize_rcu()

#endif
