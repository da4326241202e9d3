/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vCPUs seen from Lua: the pieces of which a script puts its vCPU loop
 * together, and what others do to a vCPU.
 */
#include <config.h>

#include "binding/lua_kvm.h"

#include <string.h>

/* --- a vCPU's fields --- */

static const struct site field_site = LB_SITE(OP_LOAD, ORD_ONCE, 0, "READ_ONCE");

/* The location of the field that the key at 2 names, or NULL. */
static u64 *vcpu_location(lua_State *L, struct kvm_vcpu *vcpu)
{
	const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";

	for (const struct field *f = kvm_vcpu_objtype.fields; f->name; f++)
		if (!strcmp(f->name, key))
			return (u64 *)((char *)vcpu + f->offset);
	return NULL;
}

static int vcpu_index(lua_State *L)
{
	struct kvm_vcpu *vcpu = kvm_check_vcpu(L, 1);
	u64 *loc = vcpu_location(L, vcpu);
	const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";

	if (loc)
		lua_pushinteger(L, (lua_Integer)(lb_outside(L) ? *loc :
				   lb_event(L, &field_site, loc, sizeof(*loc), 0, 0)));
	else if (!strcmp(key, "kvm"))
		lb_push_object(L, vcpu->kvm->obj);
	else if (!strcmp(key, "vcpu_id"))
		lua_pushinteger(L, vcpu->vcpu_id);
	else if (!strcmp(key, "name"))
		lua_pushstring(L, vcpu->obj->name);
	else
		return luaL_error(L, "vcpu \"%s\" has no field %s", vcpu->obj->name,
				  kvm_opt_shown(L, 2));
	return 1;
}

/* --- the loop --- */

static int l_srcu_read_lock(lua_State *L)
{
	lb_task(L);
	kvm_vcpu_srcu_read_lock(kvm_check_vcpu(L, 1));
	return 0;
}

static int l_srcu_read_unlock(lua_State *L)
{
	lb_task(L);
	kvm_vcpu_srcu_read_unlock(kvm_check_vcpu(L, 1));
	return 0;
}

static int l_enter_guest(lua_State *L)
{
	struct kvm_vcpu *vcpu;
	int status = LUA_OK;
	bool entered;

	lb_task(L);
	vcpu = kvm_check_vcpu(L, 1);
	lua_settop(L, 2);
	if (!lua_isnil(L, 2))
		lb_check_type(L, 2, LUA_TFUNCTION);
	entered = kvm_vcpu_enter_guest(vcpu);
	if (entered && lua_isnil(L, 2))
		kvm_vcpu_run_guest(vcpu);
	else if (entered)
		status = lua_pcall(L, 0, 0, 0);
	/* whatever the guest has done, it is left */
	if (entered)
		kvm_vcpu_leave_guest(vcpu);
	if (status != LUA_OK)
		return lua_error(L);
	lua_pushboolean(L, entered);
	return 1;
}

/* --- from outside --- */

static int l_kick(lua_State *L)
{
	lb_task(L);
	kvm_vcpu_kick(kvm_check_vcpu(L, 1));
	return 0;
}

static unsigned check_req(lua_State *L, int idx)
{
	return (unsigned)lb_check_range(L, idx, 0, KVM_REQ_MAX);
}

static int l_make_request(lua_State *L)
{
	unsigned req;

	lb_task(L);
	req = check_req(L, 1);
	kvm_make_request(req, kvm_check_vcpu(L, 2));
	return 0;
}

static int l_make_all_cpus_request(lua_State *L)
{
	struct kvm *kvm;

	lb_task(L);
	kvm = kvm_check_vm(L, 1);
	kvm_make_all_cpus_request(kvm, check_req(L, 2));
	return 0;
}

static int l_request_pending(lua_State *L)
{
	lb_task(L);
	lua_pushboolean(L, kvm_request_pending(kvm_check_vcpu(L, 1)));
	return 1;
}

static int l_check_request(lua_State *L)
{
	unsigned req;

	lb_task(L);
	req = check_req(L, 1);
	lua_pushboolean(L, kvm_check_request(req, kvm_check_vcpu(L, 2)));
	return 1;
}

#define VM "vm = kvm.create_vm(\"kvm\")\n"

static const struct lb_func vcpu_funcs[] = {
	{ "kvm_vcpu_srcu_read_lock", l_srcu_read_lock, "(vcpu)",
	  "Begins the vCPU's section of vm.srcu, in which it is whenever it is not in the guest; "
	  "the index is kept in the vCPU, so that a second one inside of it is a \"warning\"",
	  VM "thread(\"vcpu\", function()\n  kvm_vcpu_srcu_read_lock(vm.vcpus[0])\n"
	  "  print(kvm_pmu_event_allowed(vm, {fixed = 0}))\n"
	  "  kvm_vcpu_srcu_read_unlock(vm.vcpus[0])\nend)" },
	{ "kvm_vcpu_srcu_read_unlock", l_srcu_read_unlock, "(vcpu)",
	  "Ends the vCPU's section of vm.srcu",
	  VM "thread(\"vcpu\", function()\n  kvm_vcpu_srcu_read_lock(vm.vcpus[0])\n"
	  "  kvm_vcpu_srcu_read_unlock(vm.vcpus[0])\nend)" },
	{ "vcpu_enter_guest", l_enter_guest, "(vcpu [, fn]) -> boolean",
	  "From the vCPU's section into the guest and back: says so in vcpu.mode, ends the section, "
	  "looks for requests, runs fn as the guest (without fn, until a kick) and begins the "
	  "section again; false: a request was pending, and the guest did not run",
	  VM "thread(\"vcpu\", function()\n  local vcpu = vm.vcpus[0]\n  kvm_vcpu_srcu_read_lock(vcpu)\n"
	  "  repeat local pmu = kvm_check_request(KVM_REQ_PMU, vcpu) until vcpu_enter_guest(vcpu, yield)\n"
	  "  kvm_vcpu_srcu_read_unlock(vcpu)\nend)" },
	{ "kvm_vcpu_kick", l_kick, "(vcpu)",
	  "Makes the vCPU leave the guest, if it is there",
	  VM "thread(\"kicker\", function() kvm_vcpu_kick(vm.vcpus[0]) end)" },
	{ "kvm_make_request", l_make_request, "(req, vcpu)",
	  "Sets a request for one vCPU, without a kick",
	  VM "thread(\"t\", function() kvm_make_request(KVM_REQ_PMU, vm.vcpus[0]) end)" },
	{ "kvm_make_all_cpus_request", l_make_all_cpus_request, "(vm, req)",
	  "Sets a request for each vCPU of the VM and kicks those in the guest; the filters' "
	  "ioctls do it with KVM_REQ_MSR_FILTER_CHANGED and KVM_REQ_PMU",
	  VM "thread(\"updater\", function()\n"
	  "  kvm_make_all_cpus_request(vm, KVM_REQ_MSR_FILTER_CHANGED)\nend)" },
	{ "kvm_request_pending", l_request_pending, "(vcpu) -> boolean",
	  "Is anything requested of this vCPU?",
	  VM "thread(\"vcpu\", function() print(kvm_request_pending(vm.vcpus[0])) end)" },
	{ "kvm_check_request", l_check_request, "(req, vcpu) -> boolean",
	  "Was it requested of this vCPU? Then the request is taken back",
	  VM "thread(\"vcpu\", function()\n"
	  "  print(kvm_check_request(KVM_REQ_MSR_FILTER_CHANGED, vm.vcpus[0]))\nend)" },
	{ 0 }
};
static const struct lb_section vcpu_section = {
	"kvm-vcpu", "KVM's vCPUs: the loop, requests, kicks",
	"A vCPU has the fields requests, mode, srcu_idx, srcu_depth, reprogram_pmi and kick (reading "
	"one is a step in a thread), and kvm, vcpu_id and name, which never change. Requests are the "
	"numbers 0 to 63; KVM_REQ_MSR_FILTER_CHANGED, KVM_REQ_PMU, OUTSIDE_GUEST_MODE, IN_GUEST_MODE "
	"and EXITING_GUEST_MODE have the kernel's values.",
	vcpu_funcs
};

static const struct kvm_constant constants[] = {
	{ "KVM_REQ_MSR_FILTER_CHANGED", KVM_REQ_MSR_FILTER_CHANGED },
	{ "KVM_REQ_PMU", KVM_REQ_PMU },
	{ "OUTSIDE_GUEST_MODE", OUTSIDE_GUEST_MODE },
	{ "IN_GUEST_MODE", IN_GUEST_MODE },
	{ "EXITING_GUEST_MODE", EXITING_GUEST_MODE },
	{ "READING_SHADOW_PAGE_TABLES", READING_SHADOW_PAGE_TABLES },
	{ 0 }
};

void kvm_open_vcpu(lua_State *L)
{
	lb_new_kind(L, &kvm_vcpu_objtype);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &kvm_vcpu_objtype);
	lua_pushcfunction(L, vcpu_index);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	kvm_set_constants(L, constants);
	lb_register(L, &vcpu_section);
}
