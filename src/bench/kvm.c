/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `srcush bench kvm`: how many MSR filters users can install in a second, with the grace period
 * inside of kvm->lock and outside of it, while two vCPUs look MSRs up.  Inside, updaters wait
 * for one another's grace periods; outside they share them.
 */
#include <config.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "bench/bench.h"
#include "bench/crew.h"
#include "kvm/native.h"

#define VCPUS		2
#define UPDATERS_MAX	8
/*
 * A vCPU's exit takes so long, in its section; it comes back from the guest at once.  (Were
 * there moments at which no vCPU is in a section, the thousands of updates that fit in there
 * would be all that is seen.)
 */
#define EXIT_NS		50000
_Static_assert(VCPUS + UPDATERS_MAX <= CREW_MAX, "the crew suffices");

struct updating {
	struct kvm *vm;
	unsigned updaters;
	double ns;
	struct crew_meeting begin;
	unsigned long returned;		/* updaters that are done */
	bool failed;
	double rate[UPDATERS_MAX];	/* per ns */
};

static void vcpu_loop(struct updating *u, struct kvm_vcpu *vcpu)
{
	crew_meet(&u->begin, u->updaters + VCPUS);
	while (__atomic_load_n(&u->returned, __ATOMIC_ACQUIRE) < u->updaters) {
		native_kvm_vcpu_srcu_read_lock(vcpu);
		if (native_kvm_msr_allowed(u->vm, 0x100, KVM_MSR_FILTER_READ) != 1)
			__atomic_store_n(&u->failed, true, __ATOMIC_RELAXED);
		crew_sleep_ns(EXIT_NS);
		native_kvm_vcpu_srcu_read_unlock(vcpu);
		(void)native_kvm_check_request(KVM_REQ_MSR_FILTER_CHANGED, vcpu);
	}
}

/* What is begun in time counts, and so does its time. */
static void updater(struct updating *u, unsigned i)
{
	static const u8 all = 0xff;
	const struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_DENY,
		.ranges = { { KVM_MSR_FILTER_RANGE_VALID_MASK, 8, 0x100, &all, sizeof(all) } },
	};
	struct kvm_reason why;
	unsigned long n = 0;
	double start, now;

	crew_meet(&u->begin, u->updaters + VCPUS);
	start = crew_now_ns();
	do {
		if (native_kvm_vm_ioctl_set_msr_filter(u->vm, &filter, &why))
			__atomic_store_n(&u->failed, true, __ATOMIC_RELAXED);
		n++;
		now = crew_now_ns();
	} while (now - start < u->ns);
	u->rate[i] = (double)n / (now - start);
	__atomic_add_fetch(&u->returned, 1, __ATOMIC_RELEASE);
}

static void job(void *arg, unsigned i)
{
	struct updating *u = arg;

	if (i < VCPUS)
		vcpu_loop(u, native_kvm_vcpu(u->vm, i));
	else
		updater(u, i - VCPUS);
}

static bool measure(struct updating *u)
{
	if (!crew_run(VCPUS + u->updaters, false, job, u))
		return false;
	if (!u->failed)
		return true;
	fprintf(stderr, "srcush: kvm: an update was refused or an MSR denied: out of memory\n");
	return false;
}

static enum bench_result kvm_round(const struct bench_row *row, unsigned updaters,
				   double seconds, double *value)
{
	struct updating u = { .updaters = updaters, .ns = seconds * 1e9 };
	const enum kvm_sync *sync = row->what;
	struct kvm_opts o = kvm_opts_default();
	bool ok;

	o.vcpus = VCPUS;
	o.msr.sync = *sync;
	u.vm = native_kvm_create_vm("vm", &o);
	if (!u.vm) {
		fprintf(stderr, "srcush: kvm: out of memory\n");
		return BENCH_FAILED;
	}
	ok = measure(&u);
	*value = 0;
	for (unsigned i = 0; i < updaters; i++)
		*value += u.rate[i] * 1e9;
	return native_kvm_destroy_vm(u.vm) && ok ? BENCH_OK : BENCH_FAILED;
}

static size_t kvm_rows(struct bench_row *rows)
{
	static const enum kvm_sync inside = KVM_SYNC_INSIDE, outside = KVM_SYNC_OUTSIDE;

	rows[0] = (struct bench_row){ "inside kvm->lock", &inside };
	rows[1] = (struct bench_row){ "outside kvm->lock", &outside };
	return 2;
}

static size_t kvm_columns(unsigned *columns)
{
	size_t n = 0;

	for (unsigned k = 1; k <= UPDATERS_MAX; k++)
		columns[n++] = k;
	return n;
}

const struct bench bench_kvm = {
	.name = "kvm", .title = "MSR filters installed, with the grace period", .unit = "per second",
	.columns_are = "updaters", .base = "inside kvm->lock", .more_is_better = true,
	.rows = kvm_rows, .columns = kvm_columns, .round = kvm_round,
};
