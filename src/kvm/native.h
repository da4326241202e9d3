/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VMs for real threads: kvm/ compiled against the native primitives, on libsrcu.  For
 * programs that have the stepped one too, so each function begins with native_; what it
 * does is said in kvm.h.  A struct kvm or kvm_vcpu of one build must not be given to the other.
 */
#ifndef SRCUSH_KVM_NATIVE_H
#define SRCUSH_KVM_NATIVE_H

#include "kvm/kvm.h"

/*
 * Where filters come from and go to; set before the first VM is made.  alloc() may return
 * NULL.  release() gets what alloc() gave, `size` bytes that nobody may read any more and
 * that are filled with NATIVE_KVM_POISON; it may keep them for a while.  Both are called in
 * any thread.
 */
#define NATIVE_KVM_POISON 0x6b
struct native_kvm_heap {
	void *(*alloc)(size_t size);
	void (*release)(void *p, size_t size);
};
extern struct native_kvm_heap native_kvm_heap;

/* NULL: no memory, or o->vcpus is more than KVM_MAX_VCPUS.  may_fail means nothing here:
 * allocations fail when there is no memory. */
struct kvm *native_kvm_create_vm(const char *name, const struct kvm_opts *o);
/* When nobody uses it any more.  False: a section of its domains is open, and nothing
 * has been done. */
bool native_kvm_destroy_vm(struct kvm *kvm);
/* The n-th, from 0; NULL: it has fewer. */
struct kvm_vcpu *native_kvm_vcpu(struct kvm *kvm, unsigned n);

int native_kvm_vm_ioctl_set_msr_filter(struct kvm *kvm, const struct kvm_msr_filter *filter,
				       struct kvm_reason *why);
int native_kvm_msr_allowed(struct kvm *kvm, u32 index, u32 type);
int native_kvm_vm_ioctl_set_pmu_event_filter(struct kvm *kvm,
					     const struct kvm_pmu_event_filter *filter,
					     struct kvm_reason *why);
int native_kvm_pmu_event_allowed(struct kvm *kvm, const struct kvm_pmu_event *event);

void native_kvm_vcpu_srcu_read_lock(struct kvm_vcpu *vcpu);
void native_kvm_vcpu_srcu_read_unlock(struct kvm_vcpu *vcpu);
bool native_kvm_vcpu_enter_guest(struct kvm_vcpu *vcpu);
void native_kvm_vcpu_run_guest(struct kvm_vcpu *vcpu);
void native_kvm_vcpu_leave_guest(struct kvm_vcpu *vcpu);
void native_kvm_vcpu_kick(struct kvm_vcpu *vcpu);
void native_kvm_make_all_cpus_request(struct kvm *kvm, unsigned req);
bool native_kvm_check_request(unsigned req, struct kvm_vcpu *vcpu);

#endif
