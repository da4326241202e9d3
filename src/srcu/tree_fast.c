/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tree SRCU with fast readers: no fence is theirs, and what the readers of tree_readers.c
 * have fences for is done by one membarrier in each grace period.  The same readers as
 * libsrcu's (libsrcu/fast.c argues why they are right), with counters for each CPU as the
 * kernel's have, so that they can be stepped and explored.
 *
 * A request's own readers are those of tree_readers.c, as everywhere.
 *
 * What that argument needs of the machine is what k/rseq.h and the memory models give, and no
 * more: from a membarrier to the sequence behind it, and from the one before to it (points (1)
 * and (2) there), an acquire of the index and a release at the end of a section.  Nothing of
 * it is a fence of the reader's.
 */
#include <config.h>

#include "srcu/tree.h"
#include "srcu/tree_fast.h"
#include "srcu/tree_make.h"

#include <k/rseq.h>

#include "engine/world.h"

/* One per CPU. */
struct fast_cpu {
	atomic_long_t lock_count[2];
	atomic_long_t unlock_count[2];
	struct rseq rseq;
};

/* Behind the nodes of the tree. */
struct tree_fast {
	bool barrier;		/* there was one in this grace period; under srcu_gp_mutex */
	struct fast_cpu cpu[];
};

static const struct field fast_fields[] = {
	{ .name = "lock_count", .offset = offsetof(struct fast_cpu, lock_count),
	  .size = sizeof(atomic_long_t), .count = 2 },
	{ .name = "unlock_count", .offset = offsetof(struct fast_cpu, unlock_count),
	  .size = sizeof(atomic_long_t), .count = 2 },
	{ .name = "rseq", .offset = offsetof(struct fast_cpu, rseq.lock.owner), .size = 8,
	  .flags = FIELD_OWNER },
	{ 0 }
};

/* --- readers --- */

static int bank_in_use(struct srcu_struct *ssp)
{
	/* acquire: whoever is sent to a bank by a flip sees what came before the flip */
	return smp_load_acquire(&ssp->srcu_idx) & 1;
}

/* Index and count are one sequence. */
static int lock_by_rseq(struct srcu_struct *ssp)
{
	struct fast_cpu *cpu = ssp->fast->cpu;
	int idx;

	rseq_begin(cpu, rseq);
	idx = bank_in_use(ssp);
	this_cpu_inc(cpu, lock_count[idx].counter);
	rseq_end(cpu, rseq);
	return idx;
}

/* They are two, and a membarrier may come in between. */
static int lock_in_two(struct srcu_struct *ssp)
{
	struct fast_cpu *cpu = ssp->fast->cpu;
	int idx = bank_in_use(ssp);

	rseq_begin(cpu, rseq);
	this_cpu_inc(cpu, lock_count[idx].counter);
	rseq_end(cpu, rseq);
	return idx;
}

int tree_fast_read_lock(struct srcu *ss)
{
	struct srcu_struct *ssp = ss->impl;
	int idx;

	if (!srcu_fault(ssp, SRCU_FAULT_NO_RSEQ | SRCU_FAULT_RECHECK))
		return lock_by_rseq(ssp);
	for (;;) {
		idx = lock_in_two(ssp);
		if (!srcu_fault(ssp, SRCU_FAULT_RECHECK) || bank_in_use(ssp) == idx)
			return idx;
		this_cpu_inc_release(ssp->fast->cpu, unlock_count[idx].counter);
	}
}

void tree_fast_read_unlock(struct srcu *ss, int idx)
{
	struct srcu_struct *ssp = ss->impl;

	this_cpu_inc_release(ssp->fast->cpu, unlock_count[idx].counter);
}

/* --- the updater --- */

/* Unlocks first: one is never counted without its lock, which it is a release for. */
static bool bank_is_empty(struct srcu_struct *ssp, int idx)
{
	unsigned long locks = 0, unlocks = 0;

	for (unsigned cpu = 0; cpu < ssp->ncpus; cpu++)
		unlocks += (unsigned long)smp_load_acquire(&ssp->fast->cpu[cpu].unlock_count[idx].counter);
	for (unsigned cpu = 0; cpu < ssp->ncpus; cpu++)
		locks += (unsigned long)atomic_long_read(&ssp->fast->cpu[cpu].lock_count[idx]);
	return !((locks - unlocks) & ssp->counter_mask);
}

bool tree_fast_gone(struct srcu_struct *ssp, int idx)
{
	struct tree_fast *f = ssp->fast;
	bool flipped;

	if (!f)
		return true;
	flipped = seq_state(ssp->srcu_sup->srcu_gp_seq) == SRCU_STATE_SCAN2;
	/* one scan is enough, that after the flip, where no index is an old one when it
	 * is counted */
	if (!flipped && !srcu_fault(ssp, SRCU_FAULT_NO_RSEQ))
		return true;
	if (!f->barrier && !srcu_fault(ssp, SRCU_FAULT_NO_MEMBARRIER))
		membarrier_rseq(f->cpu, rseq);
	f->barrier = true;
	if (!bank_is_empty(ssp, idx))
		return false;
	f->barrier = !flipped;
	return true;
}

bool tree_fast_active(struct srcu_struct *ssp)
{
	return ssp->fast && !(bank_is_empty(ssp, 0) && bank_is_empty(ssp, 1));
}

/* --- a domain's life --- */

/* What srcu_gp_mutex protects would be nobody's without it. */
bool tree_fast_check_opts(struct world *w, const struct srcu_ops *ops, const struct srcu_opts *o)
{
	if (o->faults & SRCU_FAULT_NO_GP_MUTEX)
		return world_fail(w, "faults: the fast flavor cannot do without srcu_gp_mutex");
	return tree_check_opts(w, ops, o);
}

static size_t up(size_t n)
{
	return (n + 63) / 64 * 64;
}

size_t tree_fast_extra_size(struct world *w, const struct srcu_opts *o)
{
	return up(tree_extra_size(w, o)) + sizeof(struct tree_fast) +
	       world_cpus(w) * sizeof(struct fast_cpu);
}

bool tree_fast_init(struct srcu *ss, const struct srcu_opts *o)
{
	struct srcu_struct *ssp = ss->impl;

	if (!tree_init(ss, o))
		return false;
	ssp->fast = (struct tree_fast *)((char *)ssp->srcu_sup->node +
					 up(tree_extra_size(ss->obj->w, o)));
	for (unsigned cpu = 0; cpu < ssp->ncpus; cpu++)
		rseq_init(&ssp->fast->cpu[cpu].rseq);
	return object_describe_run(ss->obj, ssp->fast->cpu, "fast", fast_fields,
				   sizeof(struct fast_cpu), ssp->ncpus);
}

/* --- inspection --- */

void tree_fast_counts(struct srcu_struct *ssp, unsigned cpu, unsigned idx, uint64_t *lock_count,
		      uint64_t *unlock_count)
{
	if (!ssp->fast)
		return;
	*lock_count += (uint64_t)ssp->fast->cpu[cpu].lock_count[idx].counter;
	*unlock_count += (uint64_t)ssp->fast->cpu[cpu].unlock_count[idx].counter;
}
