/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PMU event filter: which events a guest may count.  User space replaces
 * it as a whole (kvm_vm_ioctl_set_pmu_event_filter()); vCPUs look events up in
 * it by binary search, inside of the section of kvm->srcu that they hold
 * anyway.  Since Linux 6.2 an entry may stand for many unit masks of an event,
 * and exclude some of them again.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>

#include "k/kernel.h"
#include "k/srcu.h"
#include "kvm/filter.h"

/* The kernel's layout since 6.2; all of it is one allocation. */
struct kvm_x86_pmu_event_filter {
	u32 action;
	u32 nevents;
	u32 fixed_counter_bitmap;
	u32 flags;
	u32 nr_includes;
	u32 nr_excludes;
	u64 *includes;		/* events[0] on */
	u64 *excludes;		/* and behind them */
	u64 events[];		/* masked entries, sorted: see sort_events() */
};

#define HEADER_FIELDS 8		/* without events[] */
static const struct field filter_fields[] = {
	FIELD(struct kvm_x86_pmu_event_filter, action),
	FIELD(struct kvm_x86_pmu_event_filter, nevents),
	FIELD(struct kvm_x86_pmu_event_filter, fixed_counter_bitmap, .flags = FIELD_HEX),
	FIELD(struct kvm_x86_pmu_event_filter, flags, .flags = FIELD_HEX),
	FIELD(struct kvm_x86_pmu_event_filter, nr_includes),
	FIELD(struct kvm_x86_pmu_event_filter, nr_excludes),
	FIELD(struct kvm_x86_pmu_event_filter, includes, .flags = FIELD_PTR),
	FIELD(struct kvm_x86_pmu_event_filter, excludes, .flags = FIELD_PTR),
	{ .name = "events", .offset = offsetof(struct kvm_x86_pmu_event_filter, events),
	  .size = sizeof(u64), .flags = FIELD_HEX },
	{0}
};
const struct objtype kvm_pmu_filter_objtype = {
	.kind = "pmu_event_filter", .fields = filter_fields
};

#define EVENTSEL_UMASK 0xff00ull

/* The bits of the event select, in an event and in an entry alike. */
static u64 eventsel_event(const struct kvm *kvm)
{
	return kvm->opts.vendor == KVM_VENDOR_AMD ? KVM_PMU_MASKED_ENTRY_EVENT_SELECT : 0xff;
}

/* --- the ioctl --- */

/* Plain events become masked entries that compare the whole unit mask.  One
 * that no guest could ask for is dropped, because it was never refused. */
static void convert_to_masked(const struct kvm *kvm, struct kvm_x86_pmu_event_filter *filter)
{
	u32 n = 0;

	for (u32 i = 0; i < filter->nevents; i++)
		if (!(filter->events[i] & ~(eventsel_event(kvm) | EVENTSEL_UMASK)))
			filter->events[n++] = filter->events[i] | KVM_PMU_MASKED_ENTRY_UMASK_MASK;
	filter->nevents = n;
}

static int check_masked(const struct kvm *kvm, const struct kvm_x86_pmu_event_filter *filter,
			struct kvm_reason *why)
{
	u64 valid = eventsel_event(kvm) | KVM_PMU_MASKED_ENTRY_UMASK_MASK |
		    KVM_PMU_MASKED_ENTRY_UMASK_MATCH | KVM_PMU_MASKED_ENTRY_EXCLUDE;

	for (u32 i = 0; i < filter->nevents; i++)
		if (filter->events[i] & ~valid)
			return kvm_refuse(why, -EINVAL,
					  "event %u: bits 0x%llx have no meaning in a masked entry",
					  i + 1, (unsigned long long)(filter->events[i] & ~valid));
	return 0;
}

/* An entry's place: first what includes, then what excludes, each by select. */
static int cmp_entry(const void *pa, const void *pb)
{
	const u64 order = KVM_PMU_MASKED_ENTRY_EVENT_SELECT | KVM_PMU_MASKED_ENTRY_EXCLUDE;
	u64 a = *(const u64 *)pa & order, b = *(const u64 *)pb & order;

	return (a > b) - (a < b);
}

/* Entries of one select stay in the order that user space gave: the C library's
 * sort need not keep it, and what it does must not differ between systems. */
static void sort_events(struct kvm_x86_pmu_event_filter *filter)
{
	for (u32 i = 1; i < filter->nevents; i++) {
		u64 e = filter->events[i];
		u32 j = i;

		for (; j && cmp_entry(&filter->events[j - 1], &e) > 0; j--)
			filter->events[j] = filter->events[j - 1];
		filter->events[j] = e;
	}
}

static int prepare_lists(const struct kvm *kvm, struct kvm_x86_pmu_event_filter *filter,
			 struct kvm_reason *why)
{
	u32 n = 0;
	int r;

	if (filter->flags & KVM_PMU_EVENT_FLAG_MASKED_EVENTS) {
		r = check_masked(kvm, filter, why);
		if (r)
			return r;
	} else {
		convert_to_masked(kvm, filter);
	}
	sort_events(filter);
	while (n < filter->nevents && !(filter->events[n] & KVM_PMU_MASKED_ENTRY_EXCLUDE))
		n++;
	filter->nr_includes = n;
	filter->nr_excludes = filter->nevents - n;
	filter->includes = filter->events;
	filter->excludes = filter->events + n;
	return 0;
}

static int check_header(const struct kvm_pmu_event_filter *user, struct kvm_reason *why)
{
	if (user->action != KVM_PMU_EVENT_ALLOW && user->action != KVM_PMU_EVENT_DENY)
		return kvm_refuse(why, -EINVAL, "unknown action %u", user->action);
	if (user->flags & ~KVM_PMU_EVENT_FLAGS_VALID_MASK)
		return kvm_refuse(why, -EINVAL, "unknown flags 0x%x",
				  user->flags & ~KVM_PMU_EVENT_FLAGS_VALID_MASK);
	if (user->nevents > KVM_PMU_EVENT_FILTER_MAX_EVENTS)
		return kvm_refuse(why, -E2BIG, "%u events are more than %u", user->nevents,
				  KVM_PMU_EVENT_FILTER_MAX_EVENTS);
	return 0;
}

/* The new filter, filled in without a step: see build_filter() of msr_filter.c. */
static int build_filter(struct kvm *kvm, const struct kvm_pmu_event_filter *user,
			struct kvm_x86_pmu_event_filter **result, struct kvm_reason *why)
{
	struct kvm_x86_pmu_event_filter *filter;
	int r = check_header(user, why);

	if (r)
		return r;
	filter = kvm_filter_kzalloc(&kvm->opts.pmu, &kvm_pmu_filter_objtype, "pmu_filter",
				    sizeof(*filter) + user->nevents * sizeof(filter->events[0]));
	if (!filter)
		return kvm_refuse(why, -ENOMEM, "no memory for the filter");
	filter->action = user->action;
	filter->nevents = user->nevents;
	filter->fixed_counter_bitmap = user->fixed_counter_bitmap;
	filter->flags = user->flags;
	for (u32 i = 0; i < user->nevents; i++)
		filter->events[i] = user->events[i];
	kvm_filter_describe(filter, filter_fields, HEADER_FIELDS + (user->nevents != 0),
			    user->nevents);
	r = prepare_lists(kvm, filter, why);
	if (r) {
		kfree(filter);
		return r;
	}
	*result = filter;
	return 0;
}

/* The kernel frees the old filter last; nobody can tell. */
static void retire_filter(struct kvm *kvm, void *old)
{
	for (u32 i = 0; i < kvm->nr_vcpus; i++)
		WRITE_ONCE(kvm->vcpus[i]->reprogram_pmi, UINT64_MAX);
	kvm_make_all_cpus_request(kvm, KVM_REQ_PMU);
	kfree(old);
}

static const struct kvm_filter_kind pmu_filter_kind = {
	.type = &kvm_pmu_filter_objtype,
	.cell = "pmu_event_filter",
	.what = "PMU event filter",
	.retire = retire_filter,
};

int kvm_vm_ioctl_set_pmu_event_filter(struct kvm *kvm,
				      const struct kvm_pmu_event_filter *user,
				      struct kvm_reason *why)
{
	static const struct kapi api = { .name = "kvm_vm_ioctl_set_pmu_event_filter" };
	struct kvm_x86_pmu_event_filter *filter = NULL;
	int r;

	kapi_enter(&api, kvm, 0);
	r = build_filter(kvm, user, &filter, why);
	if (!r)
		r = kvm_filter_install(kvm, &pmu_filter_kind, &kvm->opts.pmu,
				       (void **)kvm->pmu_event_filter, filter, why);
	kapi_exit((uint64_t)(int64_t)r);
	return r;
}

/* --- looking an event up --- */

/* Half of the filter: the entries that include, or those that exclude. */
struct entries {
	u64 *events;
	u32 n;
};

/* Any entry of the event select, or -1. */
static s64 find_entry(const struct entries *l, u64 select)
{
	u32 lo = 0, hi = l->n;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;
		u64 e = PLAIN_READ(l->events[mid]) & KVM_PMU_MASKED_ENTRY_EVENT_SELECT;

		if (e == select)
			return mid;
		if (e < select)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
}

/* Does the entry at i, if it is of this select at all, match the unit mask?
 * *same says whether it was of the select. */
static bool entry_matches(const struct entries *l, s64 i, u64 select, u64 umask, bool *same)
{
	u64 e = PLAIN_READ(l->events[i]);
	u64 mask = e >> (KVM_PMU_MASKED_ENTRY_UMASK_MASK_SHIFT - 8) & EVENTSEL_UMASK;

	*same = (e & KVM_PMU_MASKED_ENTRY_EVENT_SELECT) == select;
	return *same && (umask & mask) == (e & KVM_PMU_MASKED_ENTRY_UMASK_MATCH);
}

/* All entries of one select stand together, around the one that was found. */
static bool contains_match(const struct kvm *kvm, const struct entries *l, u64 eventsel)
{
	u64 select = eventsel & eventsel_event(kvm), umask = eventsel & EVENTSEL_UMASK;
	s64 found = find_entry(l, select);
	bool same = found >= 0;

	for (s64 i = found; same && i < (s64)l->n; i++)
		if (entry_matches(l, i, select, umask, &same))
			return true;
	same = true;
	for (s64 i = found - 1; same && i >= 0; i--)
		if (entry_matches(l, i, select, umask, &same))
			return true;
	return false;
}

static bool gp_event_allowed(const struct kvm *kvm, struct kvm_x86_pmu_event_filter *filter,
			     u64 eventsel)
{
	struct entries l = { PLAIN_READ(filter->includes), PLAIN_READ(filter->nr_includes) };
	bool listed = contains_match(kvm, &l, eventsel);

	if (listed) {
		l = (struct entries){ PLAIN_READ(filter->excludes),
				      PLAIN_READ(filter->nr_excludes) };
		listed = !contains_match(kvm, &l, eventsel);
	}
	return listed == (PLAIN_READ(filter->action) == KVM_PMU_EVENT_ALLOW);
}

static bool fixed_event_allowed(struct kvm_x86_pmu_event_filter *filter, unsigned idx)
{
	u32 action = PLAIN_READ(filter->action);
	bool listed = PLAIN_READ(filter->fixed_counter_bitmap) >> idx & 1;

	return listed == (action == KVM_PMU_EVENT_ALLOW);
}

int kvm_pmu_event_allowed(struct kvm *kvm, const struct kvm_pmu_event *event)
{
	static const struct kapi api = { .name = "kvm_pmu_event_allowed" };
	struct kvm_x86_pmu_event_filter *filter;
	int allowed = 1;

	kapi_enter(&api, kvm, event->fixed ? event->fixed_idx : event->eventsel);
	filter = srcu_dereference(*kvm->pmu_event_filter, kvm->srcu);
	if (filter && !kvm_is_filter(filter, &kvm_pmu_filter_objtype))
		allowed = -EFAULT;
	else if (filter)
		allowed = event->fixed ? fixed_event_allowed(filter, event->fixed_idx) :
					 gp_event_allowed(kvm, filter, event->eventsel);
	kapi_exit((uint64_t)(int64_t)allowed);
	return allowed;
}
