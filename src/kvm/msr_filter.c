/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MSR filter: which MSRs a guest may read and write.  User space replaces
 * the whole filter at once (kvm_vm_ioctl_set_msr_filter()) while vCPUs look
 * MSRs up in it under kvm->srcu (kvm_msr_allowed()); the update is the code
 * whose place of synchronize_srcu() the mailing list discussed.
 */
#include <config.h>

#include <errno.h>

#include "k/kernel.h"
#include "k/srcu.h"
#include "kvm/filter.h"

/* The kernel's layout; its default_allow is a bit-field, which has no address
 * and therefore could not be a step's location, at the same place. */
struct msr_bitmap_range {
	u32 flags;
	u32 nmsrs;
	u32 base;
	u64 *bitmap;
};
struct kvm_x86_msr_filter {
	u8 count;
	bool default_allow;
	struct msr_bitmap_range ranges[KVM_MSR_FILTER_MAX_RANGES];
};

#define RANGE_FIELD(i, member, flags_)						\
	{ .name = "ranges[" #i "]." #member,					\
	  .offset = offsetof(struct kvm_x86_msr_filter, ranges[i].member),	\
	  .size = sizeof(((struct msr_bitmap_range *)0)->member), .flags = (flags_) }
#define RANGE_FIELDS(i)								\
	RANGE_FIELD(i, flags, 0), RANGE_FIELD(i, nmsrs, 0),			\
	RANGE_FIELD(i, base, FIELD_HEX), RANGE_FIELD(i, bitmap, FIELD_PTR)
#define FIELDS_BEFORE_RANGES	2
#define FIELDS_OF_A_RANGE	4

static const struct field filter_fields[] = {
	FIELD(struct kvm_x86_msr_filter, count),
	FIELD(struct kvm_x86_msr_filter, default_allow),
	RANGE_FIELDS(0), RANGE_FIELDS(1), RANGE_FIELDS(2), RANGE_FIELDS(3),
	RANGE_FIELDS(4), RANGE_FIELDS(5), RANGE_FIELDS(6), RANGE_FIELDS(7),
	RANGE_FIELDS(8), RANGE_FIELDS(9), RANGE_FIELDS(10), RANGE_FIELDS(11),
	RANGE_FIELDS(12), RANGE_FIELDS(13), RANGE_FIELDS(14), RANGE_FIELDS(15),
	{0}
};
const struct objtype kvm_msr_filter_objtype = { .kind = "msr_filter", .fields = filter_fields };

/* A bitmap is an object of its own, as it is an allocation of its own. */
static const struct field bitmap_fields[] = {
	{ .name = "bits", .size = sizeof(u64), .flags = FIELD_HEX },
	{0}
};
const struct objtype kvm_msr_bitmap_objtype = { .kind = "msr_bitmap", .fields = bitmap_fields };

static struct kvm_x86_msr_filter *kvm_alloc_msr_filter(struct kvm *kvm, bool default_allow)
{
	struct kvm_x86_msr_filter *filter;

	filter = kvm_filter_kzalloc(&kvm->opts.msr, &kvm_msr_filter_objtype, "filter", sizeof(*filter));
	if (filter)
		filter->default_allow = default_allow;
	return filter;
}

/*
 * Plain reads, as the caller must be alone with the filter: it was never
 * published, or it is unlinked and its grace period is over.  That is the claim
 * on trial, so they are steps.
 */
void kvm_free_msr_filter(struct kvm_x86_msr_filter *filter)
{
	u32 count;

	if (!filter)
		return;
	count = PLAIN_READ(filter->count);
	for (u32 i = 0; i < count; i++) {
		u64 *bitmap = PLAIN_READ(filter->ranges[i].bitmap);

		kfree(bitmap);
	}
	kfree(filter);
}

/* memdup_user() of a range's bitmap, filled up with zeros to whole words. */
static int copy_bitmap(struct kvm *kvm, const struct kvm_msr_filter_range *user,
		       unsigned slot, u64 **bitmap, struct kvm_reason *why)
{
	size_t bytes = ((size_t)user->nmsrs + 7) / 8;
	size_t words = BITS_TO_LONGS(user->nmsrs);
	u64 *b;

	if (user->bitmap_size < bytes)
		return kvm_refuse(why, -EFAULT,
			      "range %u: the bitmap has %zu bytes, %u MSRs need %zu",
			      slot, user->bitmap_size, user->nmsrs, bytes);
	b = kvm_filter_kzalloc(&kvm->opts.msr, &kvm_msr_bitmap_objtype, "bitmap", words * sizeof(*b));
	if (!b)
		return kvm_refuse(why, -ENOMEM, "range %u: no memory for its bitmap", slot);
	for (size_t i = 0; i < bytes; i++)
		b[i / 8] |= (u64)user->bitmap[i] << (i % 8 * 8);
	kvm_filter_describe(b, bitmap_fields, 1, (uint32_t)words);
	*bitmap = b;
	return 0;
}

/* `slot` counts from 1, for messages. */
static int kvm_add_msr_filter(struct kvm *kvm, struct kvm_x86_msr_filter *filter,
			      const struct kvm_msr_filter_range *user, unsigned slot,
			      struct kvm_reason *why)
{
	u64 *bitmap = NULL;
	int r;

	if (!user->nmsrs)
		return 0;
	if (user->flags & ~KVM_MSR_FILTER_RANGE_VALID_MASK)
		return kvm_refuse(why, -EINVAL, "range %u: unknown flags 0x%x", slot,
			      user->flags & ~KVM_MSR_FILTER_RANGE_VALID_MASK);
	if (!user->flags)
		return kvm_refuse(why, -EINVAL, "range %u: neither for reads nor for writes", slot);
	if (BITS_TO_LONGS(user->nmsrs) * sizeof(u64) > KVM_MSR_FILTER_MAX_BITMAP_SIZE)
		return kvm_refuse(why, -EINVAL, "range %u: %u MSRs are more than %u", slot,
			      user->nmsrs, KVM_MSR_FILTER_MAX_BITMAP_SIZE * 8);
	r = copy_bitmap(kvm, user, slot, &bitmap, why);
	if (r)
		return r;
	filter->ranges[filter->count++] = (struct msr_bitmap_range){
		.flags = user->flags,
		.nmsrs = user->nmsrs,
		.base = user->base,
		.bitmap = bitmap,
	};
	return 0;
}

/*
 * The new filter, filled in without a step: what kmalloc() returns belongs to
 * nobody else until it is published, so its contents count as given with it.
 */
static int build_filter(struct kvm *kvm, const struct kvm_msr_filter *user,
			struct kvm_x86_msr_filter **result, struct kvm_reason *why)
{
	bool default_allow = !(user->flags & KVM_MSR_FILTER_DEFAULT_DENY);
	struct kvm_x86_msr_filter *filter;
	bool empty = true;

	if (user->flags & ~KVM_MSR_FILTER_VALID_MASK)
		return kvm_refuse(why, -EINVAL, "unknown flags 0x%x",
			      user->flags & ~KVM_MSR_FILTER_VALID_MASK);
	for (unsigned i = 0; i < KVM_MSR_FILTER_MAX_RANGES; i++)
		empty &= !user->ranges[i].nmsrs;
	if (empty && !default_allow)
		return kvm_refuse(why, -EINVAL, "a filter without ranges cannot deny by default");

	filter = kvm_alloc_msr_filter(kvm, default_allow);
	if (!filter)
		return kvm_refuse(why, -ENOMEM, "no memory for the filter");
	for (unsigned i = 0; i < KVM_MSR_FILTER_MAX_RANGES; i++) {
		int r = kvm_add_msr_filter(kvm, filter, &user->ranges[i], i + 1, why);

		if (r) {
			kvm_free_msr_filter(filter);
			return r;
		}
	}
	kvm_filter_describe(filter, filter_fields,
		 FIELDS_BEFORE_RANGES + filter->count * FIELDS_OF_A_RANGE, 0);
	*result = filter;
	return 0;
}

/* The old filter's grace period is over, and it is the updater's own. */
static void retire_filter(struct kvm *kvm, void *old)
{
	kvm_free_msr_filter(old);
	kvm_make_all_cpus_request(kvm, KVM_REQ_MSR_FILTER_CHANGED);
}

static const struct kvm_filter_kind msr_filter_kind = {
	.type = &kvm_msr_filter_objtype,
	.cell = "msr_filter",
	.what = "MSR filter",
	.retire = retire_filter,
};

int kvm_vm_ioctl_set_msr_filter(struct kvm *kvm, const struct kvm_msr_filter *user,
				struct kvm_reason *why)
{
	static const struct kapi api = { .name = "kvm_vm_ioctl_set_msr_filter" };
	struct kvm_x86_msr_filter *filter = NULL;
	int r;

	kapi_enter(&api, kvm, 0);
	r = build_filter(kvm, user, &filter, why);
	if (!r)
		r = kvm_filter_install(kvm, &msr_filter_kind, &kvm->opts.msr,
				       (void **)kvm->msr_filter, filter, why);
	kapi_exit((uint64_t)(int64_t)r);
	return r;
}

/* The x2APIC's registers: their interception is not the filter's to decide. */
static bool is_x2apic_msr(u32 index)
{
	return index >= 0x800 && index <= 0x8ff;
}

/* The first range that holds the MSR for this kind of access decides. */
static bool filter_allows(struct kvm_x86_msr_filter *filter, u32 index, u32 type)
{
	bool allowed = PLAIN_READ(filter->default_allow);
	struct msr_bitmap_range *ranges = filter->ranges;
	u32 count = PLAIN_READ(filter->count);

	for (u32 i = 0; i < count; i++) {
		u32 start = PLAIN_READ(ranges[i].base);
		/* may wrap: a range over the end of 32 bits then matches nothing,
		 * as in the kernel */
		u32 end = start + PLAIN_READ(ranges[i].nmsrs);
		u32 flags = PLAIN_READ(ranges[i].flags);
		u64 *bitmap = PLAIN_READ(ranges[i].bitmap);

		if (index >= start && index < end && (flags & type))
			return test_bit(index - start, bitmap);
	}
	return allowed;
}

int kvm_msr_allowed(struct kvm *kvm, u32 index, u32 type)
{
	static const struct kapi api = { .name = "kvm_msr_allowed" };
	struct kvm_x86_msr_filter *filter;
	int allowed = 1;
	int idx;

	kapi_enter(&api, kvm, index);
	if (!is_x2apic_msr(index)) {
		idx = srcu_read_lock(kvm->srcu);
		filter = srcu_dereference(*kvm->msr_filter, kvm->srcu);
		if (filter)
			allowed = kvm_is_filter(filter, &kvm_msr_filter_objtype) ?
				filter_allows(filter, index, type) : -EFAULT;
		srcu_read_unlock(kvm->srcu, idx);
	}
	kapi_exit((uint64_t)(int64_t)allowed);
	return allowed;
}
