/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vCPUs: the section of kvm->srcu that a vCPU holds whenever it is not in the
 * guest, the way into the guest and out of it, and how others reach it there.
 * Who changes something first sets a request and then looks at vcpu->mode; the
 * vCPU sets its mode first and then looks at its requests: one of the two sees
 * the other.
 */
#include <config.h>

#include <stdio.h>

#include "k/kernel.h"
#include "k/kick.h"
#include "kvm/kvm.h"

static const struct field vcpu_fields[] = {
	FIELD(struct kvm_vcpu, requests, .flags = FIELD_HEX),
	FIELD(struct kvm_vcpu, mode),
	FIELD(struct kvm_vcpu, srcu_idx),
	FIELD(struct kvm_vcpu, srcu_depth),
	FIELD(struct kvm_vcpu, reprogram_pmi, .flags = FIELD_HEX),
	FIELD(struct kvm_vcpu, kick),
	{0}
};
const struct objtype kvm_vcpu_objtype = { .kind = "vcpu", .fields = vcpu_fields };

/* --- the section --- */

/* `what`: how the section came to be begun or ended with that depth. */
static void warn_depth(struct kvm_vcpu *vcpu, const char *what, u64 depth, const char *func,
		       int line)
{
	char text[192];

	snprintf(text, sizeof(text), "WARN_ONCE(\"%s: SRCU section %s, srcu_depth %lld\")",
		 vcpu->obj->name, what, (long long)depth);
	k_warn_text(text, func, __FILE__, line);
}

void kvm_vcpu_srcu_read_lock(struct kvm_vcpu *vcpu)
{
	static const struct kapi api = { .name = "kvm_vcpu_srcu_read_lock" };
	u64 depth;

	kapi_enter(&api, vcpu, 0);
	/* the vCPU's own thread alone is to touch these two; plain accesses show
	 * whether that is so */
	depth = PLAIN_READ(vcpu->srcu_depth);
	PLAIN_WRITE(vcpu->srcu_depth, depth + 1);
	if (depth)
		warn_depth(vcpu, "begun inside of itself", depth, __func__, __LINE__);
	PLAIN_WRITE(vcpu->srcu_idx, (u64)srcu_read_lock(vcpu->kvm->srcu));
	kapi_exit(0);
}

void kvm_vcpu_srcu_read_unlock(struct kvm_vcpu *vcpu)
{
	static const struct kapi api = { .name = "kvm_vcpu_srcu_read_unlock" };
	u64 depth;

	kapi_enter(&api, vcpu, 0);
	srcu_read_unlock(vcpu->kvm->srcu, (int)PLAIN_READ(vcpu->srcu_idx));
	depth = PLAIN_READ(vcpu->srcu_depth) - 1;
	PLAIN_WRITE(vcpu->srcu_depth, depth);
	if (depth)
		warn_depth(vcpu, "ended, and is none or not the only one", depth, __func__, __LINE__);
	kapi_exit(0);
}

/* --- in and out of the guest --- */

static void leave_guest(struct kvm_vcpu *vcpu)
{
	/* a plain store in the kernel, beside other CPUs' cmpxchg() */
	WRITE_ONCE(vcpu->mode, (u64)OUTSIDE_GUEST_MODE);
	/* as in the kernel: what the exit writes comes after the mode */
	smp_wmb();
	/* interrupts are on again: what was sent is taken now */
	(void)xchg(&vcpu->kick, (u64)0);
	kvm_vcpu_srcu_read_lock(vcpu);
}

static bool exit_requested(struct kvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->mode) == EXITING_GUEST_MODE || kvm_request_pending(vcpu);
}

bool kvm_vcpu_enter_guest(struct kvm_vcpu *vcpu)
{
	static const struct kapi api = { .name = "vcpu_enter_guest" };
	bool stay;

	kapi_enter(&api, vcpu, 0);
	smp_store_release(&vcpu->mode, (u64)IN_GUEST_MODE);
	kvm_vcpu_srcu_read_unlock(vcpu);
	/* The mode is stored before the requests are read, together with the
	 * unlock's own barrier; pairs with the one in exiting_guest_mode(). */
	smp_mb__after_srcu_read_unlock();
	stay = !exit_requested(vcpu);
	if (!stay)
		leave_guest(vcpu);
	kapi_exit(stay);
	return stay;
}

void kvm_vcpu_run_guest(struct kvm_vcpu *vcpu)
{
	static const struct kapi api = { .name = "vcpu_run" };

	kapi_enter(&api, vcpu, 0);
	/* the interrupt stays there for leave_guest() */
	k_guest_wait(&vcpu->kick, "guest", "vcpu->kick");
	kapi_exit(0);
}

void kvm_vcpu_leave_guest(struct kvm_vcpu *vcpu)
{
	static const struct kapi api = { .name = "vcpu_enter_guest" };

	kapi_enter(&api, vcpu, 0);
	leave_guest(vcpu);
	kapi_exit(0);
}

/* --- from outside: kicks and requests --- */

/* What the mode was; from IN_GUEST_MODE it becomes EXITING_GUEST_MODE, so that
 * one of several kicks sends the interrupt. */
static u64 exiting_guest_mode(struct kvm_vcpu *vcpu)
{
	/* Orders the request before the mode is read; pairs with the barrier in
	 * kvm_vcpu_enter_guest(). */
	smp_mb__before_atomic();
	return cmpxchg(&vcpu->mode, (u64)IN_GUEST_MODE, (u64)EXITING_GUEST_MODE);
}

void kvm_vcpu_kick(struct kvm_vcpu *vcpu)
{
	static const struct kapi api = { .name = "kvm_vcpu_kick" };

	kapi_enter(&api, vcpu, 0);
	if (exiting_guest_mode(vcpu) == IN_GUEST_MODE)
		k_guest_kick(&vcpu->kick, "smp_send_reschedule", "vcpu->kick");
	kapi_exit(0);
}

static void make_request(unsigned req, struct kvm_vcpu *vcpu)
{
	/* what the request is about becomes visible before the request; pairs
	 * with the barrier in kvm_check_request() */
	smp_wmb();
	set_bit(req, &vcpu->requests);
}

void kvm_make_request(unsigned req, struct kvm_vcpu *vcpu)
{
	static const struct kapi api = { .name = "kvm_make_request" };

	kapi_enter(&api, vcpu, req);
	make_request(req, vcpu);
	kapi_exit(0);
}

void kvm_make_all_cpus_request(struct kvm *kvm, unsigned req)
{
	static const struct kapi api = { .name = "kvm_make_all_cpus_request" };
	u64 in_guest[BITS_TO_LONGS(KVM_MAX_VCPUS)] = { 0 };

	kapi_enter(&api, kvm, req);
	for (u32 i = 0; i < kvm->nr_vcpus; i++) {
		make_request(req, kvm->vcpus[i]);
		if (exiting_guest_mode(kvm->vcpus[i]) == IN_GUEST_MODE)
			*K_BIT_WORD(i, in_guest) |= K_BIT(i);
	}
	for (u32 i = 0; i < kvm->nr_vcpus; i++)
		if (*K_BIT_WORD(i, in_guest) & K_BIT(i))
			k_guest_kick(&kvm->vcpus[i]->kick, "smp_call_function_many",
				     "vcpu->kick");
	kapi_exit(0);
}

bool kvm_request_pending(struct kvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->requests) != 0;
}

bool kvm_check_request(unsigned req, struct kvm_vcpu *vcpu)
{
	static const struct kapi api = { .name = "kvm_check_request" };
	bool pending;

	kapi_enter(&api, vcpu, req);
	pending = test_bit(req, &vcpu->requests);
	if (pending) {
		clear_bit(req, &vcpu->requests);
		/* pairs with the one in make_request() */
		smp_mb__after_atomic();
	}
	kapi_exit(pending);
	return pending;
}
