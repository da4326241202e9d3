/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A native VM: its locks, domains, pointers and vCPUs, in memory of their own instead of a
 * world's.  What is written often does not share a line with anything else.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "k/kernel.h"
#include "kvm/filter.h"
#include "kvm/native.h"

#define APART __attribute__((aligned(128)))

struct native_vm {
	struct kvm kvm;		/* first: what the world outside has */
	struct object obj;
	struct kvm_x86_msr_filter *msr_filter;
	struct kvm_x86_pmu_event_filter *pmu_event_filter;
	APART struct mutex lock;
	APART struct mutex slots_lock;
	APART struct mutex irq_lock;
	struct srcu_domain srcu, irq_srcu;
};

struct native_vcpu {
	struct kvm_vcpu vcpu;
	struct object obj;
	char name[16];
} APART;

static void *zalloc(size_t align, size_t size)
{
	void *p = aligned_alloc(align, (size + align - 1) / align * align);

	if (p)
		memset(p, 0, size);
	return p;
}

/* The array of pointers, and all that they point to behind it. */
static bool make_vcpus(struct kvm *kvm)
{
	u32 n = kvm->opts.vcpus;
	struct native_vcpu *v = zalloc(_Alignof(struct native_vcpu), (n + 1) * sizeof(*v));

	kvm->vcpus = calloc(n + 1, sizeof(struct kvm_vcpu *));
	if (!v || !kvm->vcpus) {
		free(v);
		free(kvm->vcpus);
		return false;
	}
	/* one more than there are: the block's beginning, even where there are none */
	kvm->vcpus[n] = &v[n].vcpu;
	for (u32 i = 0; i < n; i++) {
		snprintf(v[i].name, sizeof(v[i].name), "vcpu%u", (unsigned)i);
		v[i].obj.name = v[i].name;
		v[i].vcpu.obj = &v[i].obj;
		v[i].vcpu.kvm = kvm;
		v[i].vcpu.vcpu_id = i;
		kvm->vcpus[i] = &v[i].vcpu;
	}
	kvm->nr_vcpus = n;
	return true;
}

static void free_vcpus(struct kvm *kvm)
{
	free((struct native_vcpu *)(void *)kvm->vcpus[kvm->nr_vcpus] - kvm->nr_vcpus);
	free(kvm->vcpus);
}

static bool make_parts(struct native_vm *vm)
{
	if (!make_vcpus(&vm->kvm))
		return false;
	if (srcu_init(&vm->srcu))
		goto no_srcu;
	if (srcu_init(&vm->irq_srcu))
		goto no_irq_srcu;
	return true;
no_irq_srcu:
	srcu_cleanup(&vm->srcu);
no_srcu:
	free_vcpus(&vm->kvm);
	return false;
}

struct kvm *native_kvm_create_vm(const char *name, const struct kvm_opts *o)
{
	struct native_vm *vm;

	if (o->vcpus > KVM_MAX_VCPUS)
		return NULL;
	vm = zalloc(_Alignof(struct native_vm), sizeof(*vm));
	if (!vm)
		return NULL;
	vm->kvm = (struct kvm){
		.obj = &vm->obj, .opts = *o,
		.lock = &vm->lock, .slots_lock = &vm->slots_lock, .irq_lock = &vm->irq_lock,
		.srcu = &vm->srcu, .irq_srcu = &vm->irq_srcu,
		.msr_filter = &vm->msr_filter, .pmu_event_filter = &vm->pmu_event_filter,
	};
	mutex_init(&vm->lock);
	mutex_init(&vm->slots_lock);
	mutex_init(&vm->irq_lock);
	vm->obj.name = strdup(name);
	if (vm->obj.name && make_parts(vm))
		return &vm->kvm;
	free((char *)(uintptr_t)vm->obj.name);
	free(vm);
	return NULL;
}

bool native_kvm_destroy_vm(struct kvm *kvm)
{
	struct native_vm *vm = container_of(kvm, struct native_vm, kvm);

	if (srcu_cleanup(&vm->srcu))
		return false;
	if (srcu_cleanup(&vm->irq_srcu)) {
		/* as it was: a domain that is all zeroes is made ready by its first use */
		vm->srcu = (struct srcu_domain)SRCU_DOMAIN_INIT;
		return false;
	}
	kvm_free_msr_filter(vm->msr_filter);
	kfree(vm->pmu_event_filter);
	free_vcpus(kvm);
	free((char *)(uintptr_t)vm->obj.name);
	free(vm);
	return true;
}

struct kvm_vcpu *native_kvm_vcpu(struct kvm *kvm, unsigned n)
{
	return n < kvm->nr_vcpus ? kvm->vcpus[n] : NULL;
}
