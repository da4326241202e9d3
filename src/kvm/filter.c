/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a filter of KVM's is replaced while vCPUs look into it: the swap under
 * kvm->lock, the grace period, the end of the old one.  Where the grace period
 * stands relative to the lock is what the mailing list discussed; the MSR
 * filter and the PMU event filter differ in nothing else here.
 */
#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "k/kernel.h"
#include "kvm/filter.h"

int kvm_refuse(struct kvm_reason *why, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return err;
}

static void filter_synchronize(struct kvm *kvm, const struct kvm_filter_opts *o)
{
	if (o->expedited)
		synchronize_srcu_expedited(kvm->srcu);
	else
		synchronize_srcu(kvm->srcu);
}

int kvm_filter_install(struct kvm *kvm, const struct kvm_filter_kind *kind,
		       const struct kvm_filter_opts *o, void **cell, void *filter,
		       struct kvm_reason *why)
{
	bool unlocked = !o->mutex;
	void *old;
	int r = 0;

	if (o->mutex)
		mutex_lock(kvm->lock);
	/* the kernel needs kvm->lock for this, and only for this */
	old = rcu_replace_pointer(*cell, filter, !o->mutex || k_lock_held(&kvm->lock->owner));
	if (o->sync != KVM_SYNC_INSIDE && !unlocked) {
		mutex_unlock(kvm->lock);
		unlocked = true;
	}
	if (o->sync != KVM_SYNC_NONE)
		filter_synchronize(kvm, o);
	if (!old || kvm_is_filter(old, kind->type))
		kind->retire(kvm, old);
	else
		r = kvm_refuse(why, -EFAULT, "%s.%s pointed to something that is no %s",
			       kvm->obj->name, kind->cell, kind->what);
	if (!unlocked)
		mutex_unlock(kvm->lock);
	return r;
}
