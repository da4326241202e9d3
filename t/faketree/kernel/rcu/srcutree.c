/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Uses what a kernel's file of this name may use, once each, and says what came of it:
 * every check that fails is one bit more of the answer of poll_state_synchronize_srcu().
 */
#define pr_fmt(fmt) "fake: " fmt
#include <linux/export.h>
#include <linux/srcu.h>
#include "rcu.h"
#include "rcu_segcblist.h"

#if !IS_ENABLED(CONFIG_SMP) || IS_ENABLED(CONFIG_NOT_THERE) || IS_MODULE(CONFIG_SMP)
#error "IS_ENABLED() is wrong"
#endif

static ulong holdoff = 5;
module_param(holdoff, ulong, 0444);
static int limit __read_mostly;
module_param_named(other_name, limit, int, 0444);
static bool initialised, announced;
static int written;
static LIST_HEAD(boot_list);

static int __init announce(void)
{
	pr_info("%d\n", limit);
	announced = initialised;
	return 0;
}
early_initcall(announce);

void __init srcu_init(void)
{
	initialised = list_empty(&boot_list);
}

static void work_fn(struct work_struct *w)
{
	struct everything *e = container_of(w, struct everything, work);

	e->word++;
}

static void timer_fn(struct timer_list *t)
{
	struct everything *e = from_timer(e, t, timer);

	e->word++;
}

int init_srcu_struct(struct srcu_struct *ssp)
{
	struct everything *e = &ssp->e;
	int cpu;

	if (!initialised || !announced)
		return -EINVAL;
	ssp->sda = alloc_percpu(struct srcu_data);
	for_each_possible_cpu(cpu)
		per_cpu_ptr(ssp->sda, cpu)->cpu = cpu;
	mutex_init(&e->mutex);
	init_completion(&e->done);
	INIT_WORK(&e->work, work_fn);
	INIT_DELAYED_WORK(&e->delayed, work_fn);
	timer_setup(&e->timer, timer_fn, 0);
	list_add(&e->work.entry, &boot_list);
	return list_first_entry(&boot_list, struct everything, work.entry) == e ? 0 : -ENOENT;
}
EXPORT_SYMBOL_GPL(init_srcu_struct);

void cleanup_srcu_struct(struct srcu_struct *ssp)
{
	WARN_ON_ONCE(ssp->srcu_idx == 1);
	lockdep_assert_held(&ssp->e.mutex);
	free_percpu(ssp->sda);
}

int srcu_read_lock(struct srcu_struct *ssp)
{
	int idx = READ_ONCE(ssp->srcu_idx) & 1;

	this_cpu_inc(ssp->sda->srcu_lock_count[idx].counter);
	smp_mb(); /* B */
	return idx;
}

void srcu_read_unlock(struct srcu_struct *ssp, int idx)
{
	smp_mb(); /* C */
	this_cpu_inc(ssp->sda->srcu_unlock_count[idx].counter);
}

/* Static data is written as it must not be: plainly, and by an atomic. */
void synchronize_srcu(struct srcu_struct *ssp)
{
	if (ssp->srcu_idx)
		written++;
	else
		WRITE_ONCE(written, READ_ONCE(written) + 1);
}

/* Plain accesses: two that count, and two that are meant to race. */
unsigned long srcu_batches_completed(struct srcu_struct *ssp)
{
	ssp->srcu_gp_seq = ssp->e.word;
	return data_race(ssp->e.small) + data_race(ssp->e.byte);
}

static unsigned long atomics(struct everything *e)
{
	unsigned long bad = 0, old = 4;
	int iold = 2;

	atomic_set(&e->atomic, 1);
	atomic_inc(&e->atomic);
	bad |= !atomic_try_cmpxchg(&e->atomic, &iold, 5) << 0;
	bad |= (atomic_try_cmpxchg(&e->atomic, &iold, 6) || iold != 5) << 1;
	bad |= (atomic_add_return(2, &e->atomic) != 7 || atomic_sub_return(3, &e->atomic) != 4) << 2;
	bad |= (atomic_xchg(&e->atomic, 1) != 4 || !atomic_dec_and_test(&e->atomic)) << 3;
	atomic_long_set(&e->along, -1);
	bad |= (atomic_long_inc_return(&e->along) != 0 || atomic_long_fetch_add(3, &e->along)) << 4;
	WRITE_ONCE(e->word, 4);
	bad |= (!try_cmpxchg(&e->word, &old, 9) || cmpxchg(&e->word, 9, 8) != 9 ||
		xchg(&e->word, 1) != 8) << 5;
	set_bit(70, e->bits);
	bad |= (!test_and_set_bit(70, e->bits) || e->bits[1] != 64 ||
		!test_and_clear_bit(70, e->bits) || test_bit(70, e->bits)) << 6;
	return bad;
}

static unsigned long sizes(struct everything *e)
{
	unsigned long bad = 0, here = 5;

	WRITE_ONCE(e->small, -3);
	WRITE_ONCE(e->flag, 256);
	WRITE_ONCE(e->byte, 300);
	WRITE_ONCE(e->colour, GREEN);
	WRITE_ONCE(e->pointer, e);
	bad |= (READ_ONCE(e->small) != -3) << 7;
	bad |= (READ_ONCE(e->flag) != true) << 8;
	bad |= (READ_ONCE(e->byte) != 44) << 9;
	bad |= (READ_ONCE(e->colour) != GREEN || READ_ONCE(e->pointer) != e) << 10;
	/* on the stack: no steps */
	WRITE_ONCE(here, READ_ONCE(here) + 1);
	bad |= (cmpxchg(&here, 6, 7) != 6 || here != 7) << 11;
	return bad;
}

static unsigned long guards(struct srcu_struct *ssp)
{
	struct everything *e = &ssp->e;
	unsigned long bad = 0, flags;
	bool once = false;

	guard(mutex)(&e->mutex);
	lockdep_assert_held(&e->mutex);
	scoped_guard(raw_spinlock_irqsave, &e->raw) {
		bad |= (once || !e->raw.owner) << 12;
		once = true;
	}
	bad |= (!once || e->raw.owner) << 13;
	raw_spin_lock_irqsave(&e->raw, flags);
	raw_spin_unlock_irqrestore(&e->raw, flags);
	{
		guard(srcu)(ssp);
		bad |= (ssp->sda->srcu_lock_count[0].counter != 1) << 14;
	}
	bad |= (ssp->sda->srcu_unlock_count[0].counter != 1) << 15;
	return bad;
}

bool poll_state_synchronize_srcu(struct srcu_struct *ssp, unsigned long cookie)
{
	struct everything *e = &ssp->e;
	unsigned long bad = atomics(e) | sizes(e) | guards(ssp);

	complete(&e->done);
	wait_for_completion(&e->done);
	queue_work(rcu_gp_wq, &e->work);
	queue_delayed_work(rcu_gp_wq, &e->delayed, 1);
	timer_reduce(&e->timer, jiffies + 1);
	bad |= (per_cpu_ptr(ssp->sda, 1)->cpu != 1 || raw_cpu_ptr(ssp->sda)->cpu) << 16;
	ssp->srcu_gp_seq = bad;
	return !bad;
}
