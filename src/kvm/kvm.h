/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM as far as the MSR filter needs it: a VM with its lock and SRCU domain,
 * vCPUs with requests, and the filter's ioctl and look-up, after Linux 6.12's
 * arch/x86/kvm/x86.c and <linux/kvm.h>.
 */
#ifndef SRCUSH_KVM_KVM_H
#define SRCUSH_KVM_KVM_H

#include "engine/object.h"
#include "k/lock.h"
#include "srcu/srcu.h"

struct kvm;
struct kvm_x86_msr_filter;
struct world;

enum kvm_sync { KVM_SYNC_OUTSIDE, KVM_SYNC_INSIDE, KVM_SYNC_NONE };
struct kvm_filter_opts {
	enum kvm_sync sync;	/* where synchronize_srcu() stands relative to kvm->lock */
	bool expedited;
	bool mutex;		/* take kvm->lock at all */
	bool may_fail;		/* allocations fail where the schedule chooses so */
};
struct kvm_opts {
	unsigned vcpus;		/* how many; kvm_opts_default() says 1 */
	struct kvm_filter_opts msr, pmu;
};
/* One vCPU and the placements of Linux 6.12. */
struct kvm_opts kvm_opts_default(void);

#define KVM_MAX_VCPUS 1024

struct kvm_vcpu {
	struct object *obj;	/* first, as kapi_enter() wants it */
	u64 requests;		/* pending KVM_REQ_*, one bit each */
	struct kvm *kvm;
	u32 vcpu_id;
};

/* A VM.  Lies in simulated memory with all it points to, but for the srcu
 * handles; written once, by kvm_create_vm(). */
struct kvm {
	struct object *obj;	/* "NAME"; first, as kapi_enter() wants it */
	struct kvm_opts opts;
	struct mutex *lock, *slots_lock, *irq_lock;	/* objects "NAME.lock" ... */
	struct srcu *srcu, *irq_srcu;			/* "NAME.srcu", "NAME.irq_srcu" */
	/* the cells of the ptr objects "NAME.msr_filter", "NAME.pmu_event_filter" */
	struct kvm_x86_msr_filter **msr_filter;
	void **pmu_event_filter;
	u32 nr_vcpus;
	struct kvm_vcpu **vcpus;			/* objects "NAME.vcpu0" ... */
};

extern const struct objtype kvm_objtype;	/* kind "vm" */
extern const struct objtype kvm_vcpu_objtype;	/* kind "vcpu" */
extern const struct objtype kvm_msr_filter_objtype; /* kind "msr_filter", on the heap */
extern const struct objtype kvm_msr_bitmap_objtype; /* kind "msr_bitmap", on the heap */

/*
 * Makes a VM and the objects around it, on behalf of the current task or the
 * world.  NULL with world_error() set: a name that is taken (then nothing was
 * made), or exhausted memory.
 */
struct kvm *kvm_create_vm(struct world *w, const char *name, const struct kvm_opts *o);

/* --- requests to vCPUs; these and all below run in a task --- */

#define KVM_REQUEST_ARCH_BASE	8
#define KVM_ARCH_REQ(nr)	((nr) + KVM_REQUEST_ARCH_BASE)
#define KVM_REQ_MSR_FILTER_CHANGED KVM_ARCH_REQ(29)
#define KVM_REQ_MAX		63

/* Sets the request for each vCPU, in order.  Nobody is kicked: a vCPU here
 * looks at its requests when its script does. */
void kvm_make_all_cpus_request(struct kvm *kvm, unsigned req);
/* Was it requested of this vCPU?  Then it is no more. */
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

#endif
