/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM: the locks, SRCU domains, protected pointers and vCPUs that a filter
 * update touches, each an object of its own so that scripts and timelines call
 * it by its name.  What vCPUs do stands in vcpu.c.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/world.h"
#include "k/objtypes.h"
#include "kvm/kvm.h"

static const struct field kvm_fields[] = {
	FIELD(struct kvm, lock, .flags = FIELD_PTR),
	FIELD(struct kvm, slots_lock, .flags = FIELD_PTR),
	FIELD(struct kvm, irq_lock, .flags = FIELD_PTR),
	FIELD(struct kvm, msr_filter, .flags = FIELD_PTR),
	FIELD(struct kvm, pmu_event_filter, .flags = FIELD_PTR),
	FIELD(struct kvm, nr_vcpus),
	{0}
};
const struct objtype kvm_objtype = { .kind = "vm", .fields = kvm_fields };

struct kvm_opts kvm_opts_default(void)
{
	return (struct kvm_opts){
		.vcpus = 1,
		.msr = { .sync = KVM_SYNC_OUTSIDE, .mutex = true },
		.pmu = { .sync = KVM_SYNC_OUTSIDE, .mutex = true, .expedited = true },
	};
}

/* The names of a VM's parts: "NAME.lock". */
struct part_name { char *s; size_t n; };

static const char *part(struct part_name *p, const char *vm, const char *what)
{
	snprintf(p->s, p->n, "%s.%s", vm, what);
	return p->s;
}

static const char *const part_names[] = {
	"srcu", "irq_srcu", "lock", "slots_lock", "irq_lock", "msr_filter",
	"pmu_event_filter",
};

static bool name_free(struct world *w, const char *name)
{
	struct object *clash = object_by_name(w, name);

	if (!clash)
		return true;
	return world_fail(w, "name \"%s\" is taken by %s \"%s\"", name,
			  clash->type->kind, name);
}

/* So that a clash is found before half a VM has been made.  A task's names
 * cannot clash: it may use any again. */
static bool parts_free(struct world *w, const char *name, unsigned vcpus, struct part_name *p)
{
	if (task_current())
		return true;
	if (!name_free(w, name))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(part_names); i++)
		if (!name_free(w, part(p, name, part_names[i])))
			return false;
	for (unsigned i = 0; i < vcpus; i++) {
		char vcpu[16];

		snprintf(vcpu, sizeof(vcpu), "vcpu%u", i);
		if (!name_free(w, part(p, name, vcpu)))
			return false;
	}
	return true;
}

static void *part_new(struct world *w, const struct objtype *type, const char *name)
{
	struct object *o = k_object_new(w, type, name);

	return o ? o->base : NULL;
}

static bool make_vcpus(struct kvm *kvm, const char *name, struct part_name *p)
{
	struct world *w = kvm->obj->w;

	kvm->nr_vcpus = kvm->opts.vcpus;
	kvm->vcpus = object_region(kvm->obj, "vcpus", NULL, sizeof(struct kvm_vcpu *),
				   kvm->nr_vcpus ? kvm->nr_vcpus : 1);
	if (!kvm->vcpus)
		return false;
	for (unsigned i = 0; i < kvm->nr_vcpus; i++) {
		char vcpu[16];
		struct object *o;

		snprintf(vcpu, sizeof(vcpu), "vcpu%u", i);
		o = object_new(w, &kvm_vcpu_objtype, part(p, name, vcpu),
			       sizeof(struct kvm_vcpu));
		if (!o)
			return false;
		o->impl = o->base;
		kvm->vcpus[i] = o->base;
		kvm->vcpus[i]->obj = o;
		kvm->vcpus[i]->kvm = kvm;
		kvm->vcpus[i]->vcpu_id = i;
	}
	return true;
}

static bool make_parts(struct kvm *kvm, const char *name, struct part_name *p)
{
	struct world *w = kvm->obj->w;
	struct srcu_opts defaults = {0};

	kvm->srcu = srcu_new(w, part(p, name, "srcu"), &srcu_tree_ops, &defaults);
	if (!kvm->srcu)
		return false;
	kvm->irq_srcu = srcu_new(w, part(p, name, "irq_srcu"), &srcu_tree_ops, &defaults);
	if (!kvm->irq_srcu)
		return false;
	kvm->lock = part_new(w, &mutex_objtype, part(p, name, "lock"));
	kvm->slots_lock = part_new(w, &mutex_objtype, part(p, name, "slots_lock"));
	kvm->irq_lock = part_new(w, &mutex_objtype, part(p, name, "irq_lock"));
	kvm->msr_filter = part_new(w, &ptr_objtype, part(p, name, "msr_filter"));
	kvm->pmu_event_filter = part_new(w, &ptr_objtype, part(p, name, "pmu_event_filter"));
	return kvm->lock && kvm->slots_lock && kvm->irq_lock && kvm->msr_filter &&
	       kvm->pmu_event_filter && make_vcpus(kvm, name, p);
}

static struct kvm *create_vm(struct world *w, const char *name, const struct kvm_opts *o,
			     struct part_name *p)
{
	struct object *obj;
	struct kvm *kvm;

	if (!parts_free(w, name, o->vcpus, p))
		return NULL;
	obj = object_new(w, &kvm_objtype, name, sizeof(struct kvm));
	if (!obj)
		return NULL;
	kvm = obj->impl = obj->base;
	kvm->obj = obj;
	kvm->opts = *o;
	if (make_parts(kvm, name, p))
		return kvm;
	obj->state = OBJECT_DESTROYED;
	return NULL;
}

struct kvm *kvm_create_vm(struct world *w, const char *name, const struct kvm_opts *o)
{
	struct part_name p = { .n = strlen(name) + 32 };
	struct kvm *kvm;

	p.s = malloc(p.n);
	if (!p.s) {
		world_fail(w, "out of memory");
		return NULL;
	}
	kvm = create_vm(w, name, o, &p);
	free(p.s);
	return kvm;
}
