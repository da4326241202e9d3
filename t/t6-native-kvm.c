/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM's filters on real threads: they decide as the stepped ones do, they are freed after
 * the grace period and not before, wherever that stands relative to kvm->lock, and refuse
 * what those refuse, without a leak when memory ends.
 */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "check/check.h"
#include "engine/driver.h"
#include "engine/world.h"
#include "kvm/native.h"

/* --- a heap that counts, fails on demand, and keeps what was freed --- */

#define KEPT 64
static struct {
	unsigned long made, freed, budget;	/* budget: 0 ends memory, ULONG_MAX never */
	pthread_mutex_t lock;
	struct { unsigned char *p; size_t size; } kept[KEPT];
	unsigned long written;			/* blocks that were written to after kfree() */
} heap = { .budget = ~0ul, .lock = PTHREAD_MUTEX_INITIALIZER };

static void *heap_alloc(size_t size)
{
	unsigned long budget = __atomic_load_n(&heap.budget, __ATOMIC_RELAXED);
	void *p;

	if (!budget)
		return NULL;
	if (budget != ~0ul)
		__atomic_store_n(&heap.budget, budget - 1, __ATOMIC_RELAXED);
	p = malloc(size);
	if (p)
		__atomic_fetch_add(&heap.made, 1, __ATOMIC_RELAXED);
	return p;
}

static void leave_quarantine(unsigned long slot)
{
	for (size_t i = 0; i < heap.kept[slot].size; i++)
		if (heap.kept[slot].p[i] != NATIVE_KVM_POISON) {
			heap.written++;
			break;
		}
	free(heap.kept[slot].p);
	heap.kept[slot].p = NULL;
	heap.kept[slot].size = 0;
}

static void heap_release(void *p, size_t size)
{
	unsigned long slot;

	pthread_mutex_lock(&heap.lock);
	slot = __atomic_fetch_add(&heap.freed, 1, __ATOMIC_RELAXED) % KEPT;
	leave_quarantine(slot);
	heap.kept[slot].p = p;
	heap.kept[slot].size = size;
	pthread_mutex_unlock(&heap.lock);
}

static unsigned long freed(void)
{
	return __atomic_load_n(&heap.freed, __ATOMIC_RELAXED);
}

/* At the end of a test: nothing has leaked, nothing was written to too late. */
static void heap_settled(void)
{
	assert_int_equal(heap.made, heap.freed);
	for (unsigned long i = 0; i < KEPT; i++)
		leave_quarantine(i);
	assert_int_equal(heap.written, 0);
}

static struct kvm *vm_new(enum kvm_sync sync)
{
	struct kvm_opts o = kvm_opts_default();
	struct kvm *vm;

	o.vcpus = 2;
	o.msr.sync = o.pmu.sync = sync;
	vm = native_kvm_create_vm("vm", &o);
	assert_non_null(vm);
	return vm;
}

/* --- the same decisions --- */

static const u8 bits_a[] = { 0xa5, 0x0f }, bits_b[] = { 0x01 };
static const struct kvm_msr_filter msr_filters[] = {
	{ .flags = KVM_MSR_FILTER_DEFAULT_DENY, .ranges = {
		{ KVM_MSR_FILTER_READ, 12, 0x10, bits_a, sizeof(bits_a) },
		{ KVM_MSR_FILTER_WRITE, 8, 0x18, bits_a, sizeof(bits_a) },
		{ 3, 1, 0xc0000080, bits_b, sizeof(bits_b) } } },
	{ .flags = KVM_MSR_FILTER_DEFAULT_ALLOW, .ranges = {
		{ 3, 9, 0xfffffffb, bits_a, sizeof(bits_a) },
		{ 0, 0, 0, NULL, 0 },
		{ 2, 16, 0x7f8, bits_a, sizeof(bits_a) } } },
	{ .flags = KVM_MSR_FILTER_DEFAULT_DENY },			/* without ranges */
	{ .flags = 2 },							/* unknown flags */
	{ .ranges = { { 0, 1, 0, bits_b, 1 } } },			/* for nothing */
	{ .ranges = { { 4, 1, 0, bits_b, 1 } } },			/* unknown flags */
	{ .ranges = { { 3, 9, 0, bits_b, 1 } } },			/* a short bitmap */
	{ .ranges = { { 3, 1, 0, bits_b, 1 }, { 3, 0x3001, 0, bits_b, 1 } } }, /* too long */
	{ .flags = 0 },
};
static const u32 msrs[] = {
	0, 0xf, 0x10, 0x11, 0x12, 0x17, 0x18, 0x1a, 0x1b, 0x1c, 0x1f, 0x20, 0x7f8, 0x7ff, 0x800,
	0x8ff, 0x900, 0xc0000080, 0xc0000081, 0xfffffffb, 0xfffffffc, 0xffffffff,
};

#define MASKED(sel, match, mask) ((u64)(sel) | (u64)(match) << 8 | (u64)(mask) << 56)
static const struct kvm_pmu_event_filter pmu_filters[] = {
	{ .action = KVM_PMU_EVENT_ALLOW, .nevents = 3, .fixed_counter_bitmap = 5,
	  .events = { 0x01c2, 0x003c, 0x1003c } },
	{ .action = KVM_PMU_EVENT_DENY, .nevents = 2, .fixed_counter_bitmap = 2,
	  .events = { 0x4f2e, 0x412e } },
	{ .action = KVM_PMU_EVENT_ALLOW, .nevents = 4, .flags = 1,
	  .events = { MASKED(0x2e, 0x40, 0xf0), MASKED(0x2e, 0x4f, 0xff) | 1ull << 55,
		      MASKED(0x3c, 0, 0xff), MASKED(0x3c, 1, 0xff) } },
	{ .action = KVM_PMU_EVENT_ALLOW, .nevents = 1, .flags = 1, .events = { 1ull << 16 } },
	{ .action = 2 },
	{ .flags = 2 },
	{ .nevents = KVM_PMU_EVENT_FILTER_MAX_EVENTS + 1 },
	{ .nevents = 0 },
};
static const struct kvm_pmu_event events[] = {
	{ .eventsel = 0x01c2 }, { .eventsel = 0x02c2 }, { .eventsel = 0x003c },
	{ .eventsel = 0x013c }, { .eventsel = 0x023c }, { .eventsel = 0x4f2e },
	{ .eventsel = 0x412e }, { .eventsel = 0x5f2e }, { .eventsel = 0xff00ff },
	{ .fixed = true, .fixed_idx = 0 }, { .fixed = true, .fixed_idx = 1 },
	{ .fixed = true, .fixed_idx = 2 }, { .fixed = true, .fixed_idx = KVM_PMU_FIXED_MAX },
};

/* Results and decisions one after the other, and the reasons of refusals. */
struct decisions {
	struct world *w;
	struct kvm *vm;
	int got[1024];
	size_t n;
	char reasons[2048];
};

struct calls {
	int (*set_msr)(struct kvm *, const struct kvm_msr_filter *, struct kvm_reason *);
	int (*msr)(struct kvm *, u32, u32);
	int (*set_pmu)(struct kvm *, const struct kvm_pmu_event_filter *, struct kvm_reason *);
	int (*pmu)(struct kvm *, const struct kvm_pmu_event *);
	void (*enter)(struct kvm_vcpu *), (*leave)(struct kvm_vcpu *);
};
static const struct calls stepped = {
	kvm_vm_ioctl_set_msr_filter, kvm_msr_allowed, kvm_vm_ioctl_set_pmu_event_filter,
	kvm_pmu_event_allowed, kvm_vcpu_srcu_read_lock, kvm_vcpu_srcu_read_unlock,
};
static const struct calls native = {
	native_kvm_vm_ioctl_set_msr_filter, native_kvm_msr_allowed,
	native_kvm_vm_ioctl_set_pmu_event_filter, native_kvm_pmu_event_allowed,
	native_kvm_vcpu_srcu_read_lock, native_kvm_vcpu_srcu_read_unlock,
};

static void note(struct decisions *d, int result, const struct kvm_reason *why)
{
	if (d->n < sizeof(d->got) / sizeof(d->got[0]))
		d->got[d->n] = result;
	d->n++;
	if (why && result) {
		strncat(d->reasons, why->text, sizeof(d->reasons) - strlen(d->reasons) - 1);
		strncat(d->reasons, "\n", sizeof(d->reasons) - strlen(d->reasons) - 1);
	}
}

static void decide(struct decisions *d, const struct calls *c, struct kvm_vcpu *vcpu)
{
	struct kvm_reason why;

	for (size_t f = 0; f < sizeof(msr_filters) / sizeof(msr_filters[0]); f++) {
		note(d, c->set_msr(d->vm, &msr_filters[f], &why), &why);
		for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
			note(d, c->msr(d->vm, msrs[i], KVM_MSR_FILTER_READ), NULL);
			note(d, c->msr(d->vm, msrs[i], KVM_MSR_FILTER_WRITE), NULL);
		}
	}
	for (size_t f = 0; f < sizeof(pmu_filters) / sizeof(pmu_filters[0]); f++) {
		note(d, c->set_pmu(d->vm, &pmu_filters[f], &why), &why);
		c->enter(vcpu);
		for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
			note(d, c->pmu(d->vm, &events[i]), NULL);
		c->leave(vcpu);
	}
}

static void decide_stepped(void *arg)
{
	struct decisions *d = arg;

	decide(d, &stepped, d->vm->vcpus[0]);
}

static void same_decisions(void **state)
{
	static struct decisions s, n;
	struct run_policy p = { .last = -1 };
	struct kvm_opts o = kvm_opts_default();

	(void)state;
	s.w = world_new(CARRIER_FIBER);
	assert_non_null(s.w);
	check_attach(s.w);
	s.vm = kvm_create_vm(s.w, "vm", &o);
	assert_non_null(s.vm);
	assert_non_null(task_new(s.w, TASK_THREAD, "user", 0, decide_stepped, &s, NULL));
	assert_int_equal(world_run(s.w, &p, 1000000), RUN_STUCK);
	world_free(s.w);

	n.vm = vm_new(KVM_SYNC_OUTSIDE);
	decide(&n, &native, native_kvm_vcpu(n.vm, 0));
	assert_true(native_kvm_destroy_vm(n.vm));

	assert_true(s.n > 400 && s.n <= sizeof(s.got) / sizeof(s.got[0]));
	assert_int_equal(s.n, n.n);
	assert_memory_equal(s.got, n.got, s.n * sizeof(s.got[0]));
	assert_string_equal(s.reasons, n.reasons);
	assert_non_null(strstr(n.reasons, "301 events are more than 300"));
	heap_settled();
}

/* --- when the old filter ends --- */

static const struct kvm_pmu_event probe = { .fixed = true, .fixed_idx = 0 };

struct update {
	struct kvm *vm;
	struct kvm_pmu_event_filter filter;
	pthread_t thread;
	int result;
};

static void *updating(void *arg)
{
	struct update *u = arg;
	struct kvm_reason why;

	u->result = native_kvm_vm_ioctl_set_pmu_event_filter(u->vm, &u->filter, &why);
	return NULL;
}

static void update_begin(struct update *u, struct kvm *vm, bool allow)
{
	*u = (struct update){ .vm = vm, .result = 1 };
	u->filter.fixed_counter_bitmap = allow;
	assert_int_equal(pthread_create(&u->thread, NULL, updating, u), 0);
}

static void update_end(struct update *u)
{
	assert_int_equal(pthread_join(u->thread, NULL), 0);
	assert_int_equal(u->result, 0);
}

static void await(struct kvm *vm, int decision)
{
	while (native_kvm_pmu_event_allowed(vm, &probe) != decision)
		sched_yield();
}

static void moment(void)
{
	struct timespec ts = { 0, 20000000 };

	nanosleep(&ts, NULL);
}

/* One section of a vCPU's, and two updates meanwhile. */
static void two_updates(enum kvm_sync sync)
{
	struct kvm *vm = vm_new(sync);
	struct kvm_vcpu *vcpu = native_kvm_vcpu(vm, 0);
	unsigned long before;
	struct update first, second;

	update_begin(&first, vm, true);
	update_end(&first);
	before = freed();
	native_kvm_vcpu_srcu_read_lock(vcpu);
	update_begin(&first, vm, false);
	await(vm, 0);
	update_begin(&second, vm, true);
	if (sync == KVM_SYNC_INSIDE) {
		moment();	/* kvm->lock is held until the section ends */
		assert_int_equal(native_kvm_pmu_event_allowed(vm, &probe), 0);
	} else {
		await(vm, 1);
	}
	if (sync == KVM_SYNC_NONE) {
		update_end(&first);
		update_end(&second);
		assert_int_equal(freed(), before + 2);	/* the bug */
	} else {
		moment();
		assert_int_equal(freed(), before);
	}
	assert_false(native_kvm_destroy_vm(vm));
	native_kvm_vcpu_srcu_read_unlock(vcpu);
	if (sync != KVM_SYNC_NONE) {
		update_end(&first);
		update_end(&second);
	}
	assert_int_equal(native_kvm_pmu_event_allowed(vm, &probe), 1);
	assert_int_equal(freed(), before + 2);
	assert_true(native_kvm_check_request(KVM_REQ_PMU, vcpu));
	assert_false(native_kvm_check_request(KVM_REQ_PMU, vcpu));
	assert_true(native_kvm_destroy_vm(vm));
	heap_settled();
}

static void sync_outside(void **state) { (void)state; two_updates(KVM_SYNC_OUTSIDE); }
static void sync_inside(void **state) { (void)state; two_updates(KVM_SYNC_INSIDE); }
static void sync_none(void **state) { (void)state; two_updates(KVM_SYNC_NONE); }

/* --- updaters beside vCPUs --- */

#define UPDATES 300
struct crowd {
	struct kvm *vm;
	unsigned long stop, looks, wrong, refused;
};
struct member {
	struct crowd *c;
	unsigned n;
	pthread_t thread;
};

/* Each filter allows MSRs 0x100 and 0x101, or neither, and so it must be seen: in one
 * look-up each, they may differ, but what was freed gives -EFAULT. */
static void *vcpu_thread(void *arg)
{
	struct member *m = arg;
	struct kvm_vcpu *vcpu = native_kvm_vcpu(m->c->vm, m->n);
	unsigned long looks = 0, wrong = 0;

	while (!__atomic_load_n(&m->c->stop, __ATOMIC_ACQUIRE) || !looks) {
		int msr = native_kvm_msr_allowed(m->c->vm, 0x100, KVM_MSR_FILTER_READ), pmu;

		native_kvm_vcpu_srcu_read_lock(vcpu);
		pmu = native_kvm_pmu_event_allowed(m->c->vm, &events[0]);
		if (looks % 16 == 0)
			sched_yield();
		native_kvm_vcpu_srcu_read_unlock(vcpu);
		wrong += msr < 0 || pmu != 1;
		native_kvm_check_request(KVM_REQ_MSR_FILTER_CHANGED, vcpu);
		looks++;
	}
	__atomic_fetch_add(&m->c->looks, looks, __ATOMIC_RELAXED);
	__atomic_fetch_add(&m->c->wrong, wrong, __ATOMIC_RELAXED);
	return NULL;
}

static void *user_thread(void *arg)
{
	struct member *m = arg;
	struct kvm_reason why;

	for (unsigned i = 0; i < UPDATES; i++) {
		u8 bits = (u8)(i + m->n);
		struct kvm_msr_filter f = { .ranges = { { 3, 8, 0x100, &bits, 1 } } };

		if (native_kvm_vm_ioctl_set_msr_filter(m->c->vm, &f, &why) ||
		    native_kvm_vm_ioctl_set_pmu_event_filter(m->c->vm, &pmu_filters[0], &why))
			__atomic_fetch_add(&m->c->refused, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void crowd(enum kvm_sync sync)
{
	struct crowd c = { .vm = vm_new(sync) };
	struct member vcpus[2], users[3];
	struct kvm_reason why;

	assert_int_equal(native_kvm_vm_ioctl_set_pmu_event_filter(c.vm, &pmu_filters[0], &why), 0);
	for (unsigned i = 0; i < 2; i++) {
		vcpus[i] = (struct member){ .c = &c, .n = i };
		assert_int_equal(pthread_create(&vcpus[i].thread, NULL, vcpu_thread, &vcpus[i]), 0);
	}
	for (unsigned i = 0; i < 3; i++) {
		users[i] = (struct member){ .c = &c, .n = i };
		assert_int_equal(pthread_create(&users[i].thread, NULL, user_thread, &users[i]), 0);
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_join(users[i].thread, NULL), 0);
	__atomic_store_n(&c.stop, 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_join(vcpus[i].thread, NULL), 0);
	assert_true(c.looks >= 2);
	assert_int_equal(c.wrong, 0);
	assert_int_equal(c.refused, 0);
	assert_true(native_kvm_destroy_vm(c.vm));
	heap_settled();
}

static void crowd_outside(void **state) { (void)state; crowd(KVM_SYNC_OUTSIDE); }
static void crowd_inside(void **state) { (void)state; crowd(KVM_SYNC_INSIDE); }

/* --- kicks --- */

static void *guest(void *arg)
{
	struct kvm_vcpu *vcpu = native_kvm_vcpu(arg, 1);
	unsigned long kicked = 0;

	native_kvm_vcpu_srcu_read_lock(vcpu);
	while (!native_kvm_check_request(KVM_REQ_MSR_FILTER_CHANGED, vcpu))
		if (native_kvm_vcpu_enter_guest(vcpu)) {
			native_kvm_vcpu_run_guest(vcpu);
			native_kvm_vcpu_leave_guest(vcpu);
			kicked++;
		}
	native_kvm_vcpu_srcu_read_unlock(vcpu);
	return (void *)(uintptr_t)kicked;
}

/* The guest has no section open, so an update ends; it then makes the guest leave. */
static void guest_is_kicked(void **state)
{
	struct kvm *vm = vm_new(KVM_SYNC_OUTSIDE);
	struct kvm_reason why;
	pthread_t thread;
	void *kicked;

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(pthread_create(&thread, NULL, guest, vm), 0);
		assert_int_equal(native_kvm_vm_ioctl_set_msr_filter(vm, &msr_filters[0], &why), 0);
		assert_int_equal(pthread_join(thread, &kicked), 0);
		assert_true((uintptr_t)kicked <= 1);
	}
	assert_true(native_kvm_destroy_vm(vm));
	heap_settled();
}

/* --- faults --- */

static void memory_ends(void **state)
{
	struct kvm *vm = vm_new(KVM_SYNC_OUTSIDE);
	struct kvm_reason why;
	unsigned long n = 0;
	int r;

	(void)state;
	do {		/* the filter, then each range's bitmap */
		heap.budget = n;
		r = native_kvm_vm_ioctl_set_msr_filter(vm, &msr_filters[0], &why);
		if (r) {
			assert_int_equal(r, -ENOMEM);
			assert_non_null(strstr(why.text, "no memory"));
			assert_int_equal(native_kvm_msr_allowed(vm, 0, 1), 1);
		}
		n++;
	} while (r);
	assert_int_equal(n, 5);
	heap.budget = 0;
	assert_int_equal(native_kvm_vm_ioctl_set_pmu_event_filter(vm, &pmu_filters[0], &why),
			 -ENOMEM);
	heap.budget = ~0ul;
	assert_true(native_kvm_destroy_vm(vm));
	heap_settled();
}

static void too_many_vcpus(void **state)
{
	struct kvm_opts o = kvm_opts_default();
	struct kvm *vm;

	(void)state;
	o.vcpus = KVM_MAX_VCPUS + 1;
	assert_null(native_kvm_create_vm("vm", &o));
	o.vcpus = 0;
	vm = native_kvm_create_vm("vm", &o);
	assert_non_null(vm);
	assert_null(native_kvm_vcpu(vm, 0));
	assert_true(native_kvm_destroy_vm(vm));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_decisions),
		cmocka_unit_test(sync_outside),
		cmocka_unit_test(sync_inside),
		cmocka_unit_test(sync_none),
		cmocka_unit_test(crowd_outside),
		cmocka_unit_test(crowd_inside),
		cmocka_unit_test(guest_is_kicked),
		cmocka_unit_test(memory_ends),
		cmocka_unit_test(too_many_vcpus),
	};

	native_kvm_heap = (struct native_kvm_heap){ heap_alloc, heap_release };
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
