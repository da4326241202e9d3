/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What KVM's two filters have in common: each is replaced as a whole, by the
 * same steps in the same order, whose variants a VM's options choose.  Only
 * src/kvm/ includes this.
 */
#ifndef SRCUSH_KVM_FILTER_H
#define SRCUSH_KVM_FILTER_H

#include "kvm/kvm.h"

struct kvm_filter_kind {
	const struct objtype *type;
	const char *cell;	/* the VM's pointer, for messages: "msr_filter" */
	const char *what;	/* "MSR filter" */
	/* The old filter (or NULL) can be found no longer: free it and tell the
	 * vCPUs. */
	void (*retire)(struct kvm *kvm, void *old);
};

/*
 * Publishes `filter` and retires the one before it, with kvm->lock and the
 * grace period where `o` says.  0, or -EFAULT with *why when the pointer led to
 * something else than such a filter (the new one is installed then).
 */
int kvm_filter_install(struct kvm *kvm, const struct kvm_filter_kind *kind,
		       const struct kvm_filter_opts *o, void **cell, void *filter,
		       struct kvm_reason *why);

/* An allocation for the current task's update; NULL where `o` lets allocations
 * fail and the schedule chooses so. */
void *kvm_filter_kzalloc(const struct kvm_filter_opts *o, const struct objtype *type,
			 const char *label, size_t size);

/*
 * Describes a heap object by those fields that it really has, n of them, of
 * which the last is an array of `count` elements unless that is 0: show() need
 * not list sixteen ranges where one is used.  Where host memory is short, the
 * type's description stays.
 */
void kvm_filter_describe(void *base, const struct field *fields, size_t n, uint32_t count);

/* Does the pointer lead to such a filter, be it live or freed?  A script may
 * store any object there. */
bool kvm_is_filter(const void *filter, const struct objtype *type);

/* An MSR filter that nobody else can find, with its bitmaps; NULL is allowed. */
void kvm_free_msr_filter(struct kvm_x86_msr_filter *filter);

/* Says why an ioctl is refused and returns err. */
int kvm_refuse(struct kvm_reason *why, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
