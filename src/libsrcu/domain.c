/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libsrcu, domains: making and ending them, the first use of static ones, and the list of
 * all that are in use.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "domain.h"
#include "runtime.h"
#include "srcu/tree_seq.h"
#include "tsan.h"

#define CPUS_MAX 4096

/* The installed header's idea of the structures whose parts it shows. */
_Static_assert(offsetof(struct srcu_struct, srcu_idx) == offsetof(struct srcu_domain, idx_), "idx_");
_Static_assert(offsetof(struct srcu_struct, ncpus) == offsetof(struct srcu_domain, ncpus_), "ncpus_");
_Static_assert(sizeof(struct srcu_struct) <= offsetof(struct srcu_domain, percpu_), "struct_");
_Static_assert(sizeof(struct srcu_percpu) == sizeof(struct srcu_data), "struct srcu_percpu");
_Static_assert(offsetof(struct srcu_data, srcu_lock_count) ==
	       offsetof(struct srcu_percpu, lock_count), "lock_count");
_Static_assert(offsetof(struct srcu_data, srcu_unlock_count) ==
	       offsetof(struct srcu_percpu, unlock_count), "unlock_count");
_Static_assert(sizeof(struct domain_part) <= sizeof(((struct srcu_domain *)0)->private_), "private_");
_Static_assert(offsetof(struct srcu_domain, private_) % _Alignof(struct domain_part) == 0,
	       "private_ is aligned");
_Static_assert(sizeof(struct srcu_head) == 3 * sizeof(long), "struct srcu_head");

static struct {
	u32 lock;			/* protects the list, and first uses */
	struct srcu_domain *first;
} domains;

struct srcu_domain *domains_lock(void)
{
	k_lock(&domains.lock);
	return domains.first;
}

struct srcu_domain *domains_first(void) { return domains.first; }
void domains_unlock(void) { k_unlock(&domains.lock); }
void domains_unlock_child(void) { domains.lock = 0; }

static void list_add(struct srcu_domain *d)
{
	struct domain_part *p = domain_part(d);

	p->prev = NULL;
	p->next = domains.first;
	if (p->next)
		domain_part(p->next)->prev = d;
	domains.first = d;
}

static void list_del(struct srcu_domain *d)
{
	struct domain_part *p = domain_part(d);

	if (p->next)
		domain_part(p->next)->prev = p->prev;
	if (p->prev)
		domain_part(p->prev)->next = p->next;
	else
		domains.first = p->next;
}

/* --- making --- */

/* Does the CPU's list hold nothing?  Asked when a grace period ends, by whoever would
 * have the worker look: a callback that this grace period is for was posted before it
 * began, so its posting is seen.  (Without the lock: ThreadSanitizer need not know.) */
__attribute__((no_sanitize("thread"))) static bool no_callbacks(struct work_struct *w)
{
	struct srcu_data *sdp = container_of(w, struct srcu_data, work);

	return *(volatile long *)&sdp->srcu_cblist.len == 0;
}

static void reset_sdp(struct srcu_struct *ssp, unsigned cpu)
{
	struct srcu_data *sdp = srcu_sdp(ssp, cpu);

	memset(sdp, 0, sizeof(*sdp));
	init_work(&sdp->work, srcu_invoke_callbacks, "");
	sdp->work.needless = no_callbacks;
	timer_setup(&sdp->delay_work, srcu_delay_timer, "");
	sdp->cpu = (int)cpu;
	sdp->ssp = ssp;
}

static void reset_sup(struct srcu_struct *ssp, struct srcu_usage *sup)
{
	struct srcu_geometry geometry = sup->geometry;
	struct srcu_node *node = sup->node;

	memset(sup, 0, sizeof(*sup));
	sup->geometry = geometry;
	sup->node = node;
	sup->srcu_ssp = ssp;
	init_delayed_work(&sup->work, process_srcu, "");
	init_delayed_work(&sup->work_again, process_srcu_again, "");
}

/* Each domain has its tree from the start: callbacks are on their CPUs' lists. */
void domain_reset(struct srcu_domain *d)
{
	struct srcu_struct *ssp = domain_ssp(d);
	struct srcu_usage *sup = &domain_part(d)->sup;

	reset_sup(ssp, sup);
	for (unsigned cpu = 0; cpu < ssp->ncpus; cpu++)
		reset_sdp(ssp, cpu);
	/* the nodes are made through it; others see it at the end of the first use only */
	ssp->srcu_sup = sup;
	srcu_init_nodes(ssp);
	sup->srcu_size_state = SRCU_SIZE_BIG;
}

static unsigned possible_cpus(void)
{
	static unsigned known;
	unsigned n = READ_ONCE(known);

	if (!n) {
		long conf = sysconf(_SC_NPROCESSORS_CONF);

		n = conf < 1 ? 1 : conf > CPUS_MAX ? CPUS_MAX : (unsigned)conf;
		WRITE_ONCE(known, n);
	}
	return n;
}

/* Per-CPU structures, and behind them the tree's nodes. */
static bool allocate(struct srcu_domain *d, const struct srcu_options *o)
{
	struct srcu_struct *ssp = domain_ssp(d);
	struct domain_part *p = domain_part(d);
	struct srcu_geometry *g = &p->sup.geometry;
	unsigned n = o->cpus ? o->cpus : possible_cpus();
	size_t align = _Alignof(struct srcu_data), size;

	srcu_geometry_init(g, n, o->fanout, o->fanout_leaf);
	size = n * sizeof(struct srcu_data) + g->nnodes * sizeof(struct srcu_node);
	p->memory = LIBSRCU_ALLOC(align, (size + align - 1) / align * align);
	if (!p->memory)
		return false;
	ssp->ncpus = n;
	ssp->sda = p->memory;
	p->sup.node = (struct srcu_node *)&ssp->sda[n];
	return true;
}

static void spare_memory(struct srcu_domain *d)
{
	struct srcu_struct *ssp = domain_ssp(d);
	struct domain_part *p = domain_part(d);

	srcu_geometry_init(&p->sup.geometry, 1, 0, 0);
	ssp->ncpus = 1;
	ssp->sda = p->spare_sda;
	p->sup.node = &p->spare_node;
}

/* Everything but the mark that says so; zeroed memory, under the list's lock. */
static int make(struct srcu_domain *d, const struct srcu_options *o, bool may_fail)
{
	struct srcu_struct *ssp = domain_ssp(d);

	if (!fork_prepared() && may_fail)
		return ENOMEM;
	if (!allocate(d, o)) {
		if (may_fail)
			return ENOMEM;
		spare_memory(d);
	}
	ssp->ss = &domain_part(d)->ss;
	ssp->ss->impl = ssp;
	ssp->seq_mask = seq_mask(0);
	ssp->counter_mask = seq_mask(0);
	ssp->born_big = true;
	domain_reset(d);
	list_add(d);
	return 0;
}

static bool in_range(unsigned v, unsigned lo, unsigned hi)
{
	return v == 0 || (v >= lo && v <= hi);
}

int srcu_init_options(struct srcu_domain *d, const struct srcu_options *o)
{
	int err;

	if (!d || (uintptr_t)d % _Alignof(struct srcu_domain) || !o || o->size != sizeof(*o) ||
	    !in_range(o->cpus, 1, CPUS_MAX) || !in_range(o->fanout, 2, SRCU_FANOUT_MAX) ||
	    !in_range(o->fanout_leaf, 2, SRCU_FANOUT_MAX) ||
	    (o->fanout && o->fanout_leaf > o->fanout) ||
	    (unsigned)o->readers > SRCU_READERS_FAST)
		return EINVAL;
	memset(d, 0, sizeof(*d));
	k_lock(&domains.lock);
	err = make(d, o, true);
	k_unlock(&domains.lock);
	if (err) {
		memset(d, 0, sizeof(*d));
		return err;
	}
	d->readers_ = o->readers;
	d->ready_ = 1;
	if (o->readers == SRCU_READERS_NORMAL)
		domain_settle(d, SRCU_READERS_NORMAL, "srcu_init_options");
	return 0;
}

int srcu_init(struct srcu_domain *d)
{
	return srcu_init_options(d, &(struct srcu_options){ .size = sizeof(struct srcu_options) });
}

/* --- first uses --- */

void domain_ready(struct srcu_domain *d)
{
	static const struct srcu_options defaults;

	if (unlikely(!smp_load_acquire(&d->ready_))) {
		k_lock(&domains.lock);
		if (!d->ready_) {
			(void)make(d, &defaults, false);
			tsan_before(&d->ready_);
			smp_store_release(&d->ready_, 1);
		}
		k_unlock(&domains.lock);
	}
	tsan_after(&d->ready_);		/* the allocation, which it sees, by another thread */
}

void domain_misused(const struct srcu_domain *d, const char *what)
{
	char msg[1024];
	int n = snprintf(msg, sizeof(msg), "libsrcu: domain %p: %s\n", (const void *)d, what);

	if (n >= (int)sizeof(msg))
		n = (int)sizeof(msg) - 1;
	if (write(STDERR_FILENO, msg, (size_t)n) < 0)
		abort();	/* closed, perhaps: no reason to go on */
	abort();
}

void domain_settle(struct srcu_domain *d, enum srcu_readers kind, const char *call)
{
	static const char *const names[] = { "any", "normal (srcu_read_lock)",
					     "fast (srcu_read_lock_fast)" };
	unsigned settled;
	char what[256];

	domain_ready(d);
	settled = cmpxchg(&d->readers_, SRCU_READERS_ANY, (unsigned)kind);
	if (settled != SRCU_READERS_ANY && settled != (unsigned)kind) {
		snprintf(what, sizeof(what), "%s(): the domain's readers are %s, and grace "
			 "periods do not wait for others", call, names[settled]);
		domain_misused(d, what);
	}
	if (kind == SRCU_READERS_NORMAL) {
		tsan_before(&d->percpu_);	/* against inline readers, who acquire it */
		/* release: who sees it sees ncpus_ too */
		smp_store_release(&d->percpu_, (struct srcu_percpu *)(void *)domain_ssp(d)->sda);
	}
}

/* --- the other kind of readers --- */

/* The barrier is against the one in the scan: a grace period that does not see them is
 * seen to have begun by the sections that follow. */
void domain_add_readers(struct srcu_domain *d, const struct srcu_more_readers *r)
{
	smp_store_release(&d->more_, r);
	smp_mb();
}

bool k_more_readers_gone(struct srcu_struct *ssp, int idx)
{
	struct srcu_domain *d = ssp_domain(ssp);
	const struct srcu_more_readers *r = smp_load_acquire(&d->more_);

	return !r || r->idx_check(d, idx,
				  seq_state(ssp->srcu_sup->srcu_gp_seq) == SRCU_STATE_SCAN2);
}

bool k_more_readers_active(struct srcu_struct *ssp)
{
	struct srcu_domain *d = ssp_domain(ssp);
	const struct srcu_more_readers *r = smp_load_acquire(&d->more_);

	return r && r->active(d);
}

/* --- ending --- */

/* Are there callbacks that nobody has begun to invoke?  On the worker: or that have not
 * ended, as the one that asks. */
static bool callbacks_waiting(struct srcu_struct *ssp)
{
	bool found = false;
	int cpu;

	srcu_for_each_cpu(ssp, cpu) {
		struct srcu_data *sdp = srcu_sdp(ssp, (unsigned)cpu);

		spin_lock_irq_rcu_node(sdp);
		found |= rcu_segcblist_ready_cbs(&sdp->srcu_cblist) ||
			 rcu_segcblist_pend_cbs(&sdp->srcu_cblist) ||
			 (k_on_worker() && rcu_segcblist_n_cbs(&sdp->srcu_cblist));
		spin_unlock_irq_rcu_node(sdp);
	}
	return found;
}

/* A callback that was being invoked has posted others: their timers are gone. */
static void resume_callbacks(struct srcu_struct *ssp)
{
	int cpu;

	srcu_for_each_cpu(ssp, cpu)
		srcu_schedule_cbs_sdp(srcu_sdp(ssp, (unsigned)cpu), 0);
}

int srcu_cleanup(struct srcu_domain *d)
{
	struct srcu_struct *ssp = domain_ssp(d);
	const struct srcu_more_readers *more;

	if (!smp_load_acquire(&d->ready_))
		return 0;
	if (srcu_readers_active(ssp) || callbacks_waiting(ssp))
		return EBUSY;
	/* a grace period that was asked for by polling has nobody else to end it */
	srcu_synchronize(d);
	if (!srcu_retire(ssp)) {
		resume_callbacks(ssp);
		return EBUSY;
	}
	more = d->more_;
	if (more)
		more->release(d);
	k_lock(&domains.lock);
	list_del(d);
	k_unlock(&domains.lock);
	free(domain_part(d)->memory);
	memset(d, 0, sizeof(*d));
	return 0;
}
