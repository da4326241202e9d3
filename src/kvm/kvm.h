/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM as far as its two filters need it: a VM with its locks and SRCU domains,
 * vCPUs that enter and leave the guest, requests and kicks, and each filter's
 * ioctl and look-up, after Linux 6.12's arch/x86/kvm/x86.c, arch/x86/kvm/pmu.c,
 * virt/kvm/kvm_main.c and <linux/kvm.h>.  All but the making of a VM is compiled a second
 * time against the native primitives: see native.h.
 */
#ifndef SRCUSH_KVM_KVM_H
#define SRCUSH_KVM_KVM_H

#include "k/lock.h"
#include "k/object.h"
#include "k/srcu.h"

struct kvm;
struct kvm_x86_msr_filter;
struct kvm_x86_pmu_event_filter;
struct world;

enum kvm_sync { KVM_SYNC_OUTSIDE, KVM_SYNC_INSIDE, KVM_SYNC_NONE };
struct kvm_filter_opts {
	enum kvm_sync sync;	/* where synchronize_srcu() stands relative to kvm->lock */
	bool expedited;
	bool mutex;		/* take kvm->lock at all */
	bool may_fail;		/* allocations fail where the schedule chooses so */
};
enum kvm_vendor { KVM_VENDOR_INTEL, KVM_VENDOR_AMD };
struct kvm_opts {
	unsigned vcpus;		/* how many; kvm_opts_default() says 1 */
	enum kvm_vendor vendor;	/* whose PMU: AMD's event selects have 12 bits, not 8 */
	struct kvm_filter_opts msr, pmu;
};
/* One vCPU, Intel's PMU and the placements of Linux 6.12. */
struct kvm_opts kvm_opts_default(void);

#define KVM_MAX_VCPUS 1024

enum kvm_vcpu_mode {
	OUTSIDE_GUEST_MODE,
	IN_GUEST_MODE,
	EXITING_GUEST_MODE,	/* kicked, and not out yet */
	READING_SHADOW_PAGE_TABLES,
};

struct kvm_vcpu {
	struct object *obj;	/* first, as kapi_enter() wants it */
	u64 requests;		/* pending KVM_REQ_*, one bit each */
	u64 mode;		/* enum kvm_vcpu_mode */
	u64 srcu_idx;		/* what srcu_read_lock(kvm->srcu) gave */
	u64 srcu_depth;		/* 1 inside of that section, as CONFIG_PROVE_RCU keeps it */
	u64 reprogram_pmi;	/* counters to be programmed anew (struct kvm_pmu's) */
	u64 kick;		/* interrupts sent to the CPU and not yet taken there */
	struct kvm *kvm;
	u32 vcpu_id;
};

/* A VM.  Lies in simulated memory with all it points to, but for the srcu
 * handles; written once, by kvm_create_vm(). */
struct kvm {
	struct object *obj;	/* "NAME"; first, as kapi_enter() wants it */
	struct kvm_opts opts;
	struct mutex *lock, *slots_lock, *irq_lock;	/* objects "NAME.lock" ... */
	k_srcu *srcu, *irq_srcu;			/* "NAME.srcu", "NAME.irq_srcu" */
	/* the cells of the ptr objects "NAME.msr_filter", "NAME.pmu_event_filter" */
	struct kvm_x86_msr_filter **msr_filter;
	struct kvm_x86_pmu_event_filter **pmu_event_filter;
	u32 nr_vcpus;
	struct kvm_vcpu **vcpus;			/* objects "NAME.vcpu0" ... */
};

extern const struct objtype kvm_objtype;	/* kind "vm" */
extern const struct objtype kvm_vcpu_objtype;	/* kind "vcpu" */
extern const struct objtype kvm_msr_filter_objtype; /* kind "msr_filter", on the heap */
extern const struct objtype kvm_msr_bitmap_objtype; /* kind "msr_bitmap", on the heap */
extern const struct objtype kvm_pmu_filter_objtype; /* kind "pmu_event_filter", on the heap */

/*
 * Makes a VM and the objects around it, on behalf of the current task or the
 * world.  NULL with world_error() set: a name that is taken (then nothing was
 * made), or exhausted memory.
 */
struct kvm *kvm_create_vm(struct world *w, const char *name, const struct kvm_opts *o);

/* --- vCPUs; these and all below run in a task --- */

/* The vCPU's own section of kvm->srcu, held whenever it is in KVM and not in the
 * guest.  It does not nest: the index has one place.  A second lock, and an
 * unlock without one, are warnings, as with CONFIG_PROVE_RCU. */
void kvm_vcpu_srcu_read_lock(struct kvm_vcpu *vcpu);
void kvm_vcpu_srcu_read_unlock(struct kvm_vcpu *vcpu);

/*
 * The part of vcpu_enter_guest() around the guest.  Entering says so in
 * vcpu->mode, ends the section and looks for requests once more; where there is
 * one (or a kick), the vCPU is out again, in its section, and false is
 * returned.  In the kernel interrupts are off from the first of these steps to
 * the guest's first instruction, so that a kick in between is taken there; here
 * it stays in vcpu->kick, which comes to the same.
 */
bool kvm_vcpu_enter_guest(struct kvm_vcpu *vcpu);
/* The guest runs until the vCPU is kicked: blocking. */
void kvm_vcpu_run_guest(struct kvm_vcpu *vcpu);
/* Out of the guest and in the section again; a kick that was sent is taken. */
void kvm_vcpu_leave_guest(struct kvm_vcpu *vcpu);

/* Makes the vCPU leave the guest if it is there.  (In the kernel it also wakes
 * a halted one, which there is none of here.) */
void kvm_vcpu_kick(struct kvm_vcpu *vcpu);

#define KVM_REQUEST_ARCH_BASE	8
#define KVM_ARCH_REQ(nr)	((nr) + KVM_REQUEST_ARCH_BASE)
#define KVM_REQ_PMU		KVM_ARCH_REQ(8)
#define KVM_REQ_MSR_FILTER_CHANGED KVM_ARCH_REQ(29)
#define KVM_REQ_MAX		63

/* Sets the request for one vCPU, without a kick. */
void kvm_make_request(unsigned req, struct kvm_vcpu *vcpu);
/* Sets the request for each vCPU, in order, and then kicks those that were in
 * the guest.  Nobody waits for them to leave. */
void kvm_make_all_cpus_request(struct kvm *kvm, unsigned req);
/* Is any request pending?  And: was this one requested?  Then it is no more. */
bool kvm_request_pending(struct kvm_vcpu *vcpu);
bool kvm_check_request(unsigned req, struct kvm_vcpu *vcpu);

/* --- the MSR filter --- */

#define KVM_MSR_FILTER_READ	(1u << 0)
#define KVM_MSR_FILTER_WRITE	(1u << 1)
#define KVM_MSR_FILTER_RANGE_VALID_MASK (KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE)
#define KVM_MSR_FILTER_DEFAULT_ALLOW 0u
#define KVM_MSR_FILTER_DEFAULT_DENY (1u << 0)
#define KVM_MSR_FILTER_VALID_MASK KVM_MSR_FILTER_DEFAULT_DENY
#define KVM_MSR_FILTER_MAX_RANGES 16
#define KVM_MSR_FILTER_MAX_BITMAP_SIZE 0x600

/* What user space hands to the ioctl. */
struct kvm_msr_filter_range {
	u32 flags;		/* KVM_MSR_FILTER_READ, _WRITE */
	u32 nmsrs;		/* bits of the bitmap; 0: an unused slot */
	u32 base;		/* the MSR of bit 0 */
	const u8 *bitmap;	/* set: allowed; least significant bit first */
	size_t bitmap_size;	/* bytes that are readable there: the kernel is told by
				 * a page fault, we by this */
};
struct kvm_msr_filter {
	u32 flags;		/* KVM_MSR_FILTER_DEFAULT_DENY */
	struct kvm_msr_filter_range ranges[KVM_MSR_FILTER_MAX_RANGES];
};

/* Why an ioctl failed, in words. */
struct kvm_reason { char text[128]; };

/*
 * KVM_X86_SET_MSR_FILTER: 0, or -EINVAL, -EFAULT (a bitmap shorter than its
 * range), -ENOMEM as the kernel decides it, with *why.  Also -EFAULT when
 * vm.msr_filter pointed at something that is no filter.
 */
int kvm_vm_ioctl_set_msr_filter(struct kvm *kvm, const struct kvm_msr_filter *filter,
				struct kvm_reason *why);

/*
 * May a guest access MSR `index`?  type is KVM_MSR_FILTER_READ or _WRITE.
 * Takes kvm->srcu itself.  1, 0, or -EFAULT when vm.msr_filter was pointed at
 * something that is no filter, where a kernel would read garbage.
 */
int kvm_msr_allowed(struct kvm *kvm, u32 index, u32 type);

/* --- the PMU event filter --- */

#define KVM_PMU_EVENT_ALLOW	0u
#define KVM_PMU_EVENT_DENY	1u
#define KVM_PMU_EVENT_FLAG_MASKED_EVENTS (1u << 0)
#define KVM_PMU_EVENT_FLAGS_VALID_MASK	KVM_PMU_EVENT_FLAG_MASKED_EVENTS
#define KVM_PMU_EVENT_FILTER_MAX_EVENTS	300
#define KVM_PMU_FIXED_MAX		31	/* bits of fixed_counter_bitmap */

/* A masked entry: the event select in bits 7:0 and 35:32, the unit mask that
 * must come out in 15:8, which of its bits count in 63:56, exclude in 55. */
#define KVM_PMU_MASKED_ENTRY_EVENT_SELECT (0xffull | 0xfull << 32)
#define KVM_PMU_MASKED_ENTRY_UMASK_MATCH  (0xffull << 8)
#define KVM_PMU_MASKED_ENTRY_UMASK_MASK_SHIFT 56
#define KVM_PMU_MASKED_ENTRY_UMASK_MASK	  (0xffull << KVM_PMU_MASKED_ENTRY_UMASK_MASK_SHIFT)
#define KVM_PMU_MASKED_ENTRY_EXCLUDE	  (1ull << 55)

/* What user space hands to the ioctl. */
struct kvm_pmu_event_filter {
	u32 action;		/* KVM_PMU_EVENT_ALLOW, _DENY */
	u32 nevents;
	u32 fixed_counter_bitmap; /* of the fixed counters, bit 0 the first */
	u32 flags;
	u32 pad[4];
	u64 events[KVM_PMU_EVENT_FILTER_MAX_EVENTS];
};

/*
 * KVM_SET_PMU_EVENT_FILTER: 0, or -EINVAL, -E2BIG, -ENOMEM as the kernel
 * decides it, with *why.  Also -EFAULT when vm.pmu_event_filter pointed at
 * something that is no filter.
 */
int kvm_vm_ioctl_set_pmu_event_filter(struct kvm *kvm,
				      const struct kvm_pmu_event_filter *filter,
				      struct kvm_reason *why);

/* What a guest wants to count. */
struct kvm_pmu_event {
	bool fixed;
	unsigned fixed_idx;	/* 0..KVM_PMU_FIXED_MAX */
	u64 eventsel;		/* else: event select and unit mask; other bits do not matter */
};

/*
 * May it be counted?  The caller stands in a section of kvm->srcu, which is not
 * taken here.  1, 0, or -EFAULT when vm.pmu_event_filter was pointed at
 * something that is no filter.
 */
int kvm_pmu_event_allowed(struct kvm *kvm, const struct kvm_pmu_event *event);

#endif
