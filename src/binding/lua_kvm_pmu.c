/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PMU event filter seen from Lua: from a table to the structure that user
 * space hands to the kernel, and the look-up, which unlike the MSR filter's
 * leaves it to its caller to hold kvm->srcu.
 */
#include <config.h>

#include "binding/lua_kvm.h"
#include "check/check.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* --- the ioctl --- */

/* "allow", "deny", or a number, which the kernel judges; 0 (allow) without. */
static u32 read_action(lua_State *L, const struct kvm_opt_place *p)
{
	static const char *const actions[] = { "allow", "deny", NULL };
	int type = lua_getfield(L, -1, "action");

	lua_pop(L, 1);
	if (type == LUA_TNUMBER)
		return (u32)kvm_opt_integer(L, p, "action", UINT32_MAX, 0);
	return (u32)kvm_opt_choice(L, p, "action", actions, "'allow', 'deny' or a number",
				   (int)KVM_PMU_EVENT_ALLOW);
}

/* The list on top of the stack; of a longer one the kernel reads the length only. */
static void read_events(lua_State *L, const struct kvm_opt_place *p,
			struct kvm_pmu_event_filter *f)
{
	lua_Integer n = kvm_opt_list(L, p, "events");
	char key[40];

	f->nevents = n > UINT32_MAX ? UINT32_MAX : (u32)n;
	for (lua_Integer i = 0; i < n && i < KVM_PMU_EVENT_FILTER_MAX_EVENTS; i++) {
		lua_rawgeti(L, -1, i + 1);
		if (!lua_isinteger(L, -1)) {
			snprintf(key, sizeof(key), "events[%lld]", (long long)i + 1);
			kvm_opt_bad(L, p, key, "an integer");
		}
		f->events[i] = (u64)lua_tointeger(L, -1);
		lua_pop(L, 1);
	}
}

/* Fills in *f from the table at index 2. */
static void read_filter(lua_State *L, struct kvm_pmu_event_filter *f)
{
	static const char *const known[] = {
		"action", "events", "fixed_counter_bitmap", "flags", NULL
	};
	const struct kvm_opt_place p = { 2, "" };

	memset(f, 0, sizeof(*f));
	lua_pushvalue(L, 2);
	kvm_opt_keys(L, &p, known);
	f->action = read_action(L, &p);
	f->flags = (u32)kvm_opt_integer(L, &p, "flags", UINT32_MAX, 0);
	f->fixed_counter_bitmap =
		(u32)kvm_opt_integer(L, &p, "fixed_counter_bitmap", UINT32_MAX, 0);
	if (lua_getfield(L, -1, "events") == LUA_TTABLE)
		read_events(L, &p, f);
	else if (!lua_isnil(L, -1))
		kvm_opt_bad(L, &p, "events", "a list of integers");
	lua_pop(L, 2);
}

static int l_set_pmu_event_filter(lua_State *L)
{
	struct kvm_reason why = { "" };
	struct kvm_pmu_event_filter *f;
	struct kvm *kvm;

	lb_task(L);
	kvm = kvm_check_vm(L, 1);
	lb_check_type(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	f = lua_newuserdatauv(L, sizeof(*f), 0);
	read_filter(L, f);
	return kvm_push_ioctl_result(L, kvm_vm_ioctl_set_pmu_event_filter(kvm, f, &why), why.text);
}

/* --- the look-up --- */

static void read_event(lua_State *L, struct kvm_pmu_event *e)
{
	static const char *const known[] = { "fixed", NULL };
	const struct kvm_opt_place p = { 2, "" };

	*e = (struct kvm_pmu_event){ .fixed = lua_istable(L, 2) };
	if (e->fixed) {
		lua_settop(L, 2);
		kvm_opt_keys(L, &p, known);
		e->fixed_idx = (unsigned)kvm_opt_integer(L, &p, "fixed", KVM_PMU_FIXED_MAX, -1);
	} else if (lua_type(L, 2) != LUA_TNUMBER) {
		lb_type_error(L, 2, "integer or {fixed=N}");
	} else {
		e->eventsel = (u64)lb_check_int(L, 2);
	}
}

static int l_pmu_event_allowed(lua_State *L)
{
	struct task *t = lb_task(L);
	struct kvm *kvm = kvm_check_vm(L, 1);
	struct kvm_pmu_event e;
	int r;

	read_event(L, &e);
	if (!check_holds_section(t->w, t, kvm->srcu))
		check_report(t->w, "rcu-usage", t, NULL, "kvm_pmu_event_allowed() uses "
			     "%s.pmu_event_filter outside of any read section of %s",
			     kvm->obj->name, kvm->srcu->obj->name);
	r = kvm_pmu_event_allowed(kvm, &e);
	if (r < 0)
		return luaL_error(L, "kvm_pmu_event_allowed: %s.pmu_event_filter points to "
				  "something that is no PMU event filter", kvm->obj->name);
	lua_pushboolean(L, r);
	return 1;
}

static int l_encode_masked_entry(lua_State *L)
{
	u64 select = (u64)lb_check_range(L, 1, 0, 0xfff);
	u64 mask = (u64)lb_check_range(L, 2, 0, 0xff);
	u64 match = (u64)lb_check_range(L, 3, 0, 0xff);

	lb_check_type(L, 4, LUA_TBOOLEAN);
	lua_pushinteger(L, (lua_Integer)((select & 0xff) | (select & 0xf00) << 24 |
					 mask << KVM_PMU_MASKED_ENTRY_UMASK_MASK_SHIFT |
					 match << 8 |
					 (lua_toboolean(L, 4) ? KVM_PMU_MASKED_ENTRY_EXCLUDE : 0)));
	return 1;
}

static const struct lb_func pmu_funcs[] = {
	{ "kvm_vm_ioctl_set_pmu_event_filter", l_set_pmu_event_filter,
	  "(vm, filter) -> 0 | nil, message, errno",
	  "Replaces the VM's PMU event filter as KVM_SET_PMU_EVENT_FILTER does; filter: "
	  "action=\"allow\"|\"deny\" (the events that are listed), events={...}, at most 300, "
	  "fixed_counter_bitmap=N, flags=N; nil, a message and \"EINVAL\", \"E2BIG\" (more "
	  "events) or \"ENOMEM\" when it is refused",
	  "vm = kvm.create_vm(\"kvm\")\nthread(\"updater\", function()\n"
	  "  print(kvm_vm_ioctl_set_pmu_event_filter(vm, {action = \"deny\", events = {0x00c0}}))\nend)" },
	{ "kvm_pmu_event_allowed", l_pmu_event_allowed, "(vm, eventsel | {fixed=N}) -> boolean",
	  "May the guest count the event (select in bits 7:0, AMD's in 35:32 too, unit mask in "
	  "15:8) or fixed counter N? The caller holds vm.srcu; without that it is reported as "
	  "\"rcu-usage\"",
	  "vm = kvm.create_vm(\"kvm\")\nthread(\"vcpu\", function()\n"
	  "  kvm_vcpu_srcu_read_lock(vm.vcpus[0])\n  print(kvm_pmu_event_allowed(vm, 0x00c0))\n"
	  "  kvm_vcpu_srcu_read_unlock(vm.vcpus[0])\nend)" },
	{ "KVM_PMU_ENCODE_MASKED_ENTRY", l_encode_masked_entry,
	  "(select, mask, match, exclude) -> integer",
	  "An entry for a filter with KVM_PMU_EVENT_FLAG_MASKED_EVENTS: the events of a select (0 "
	  "to 0xfff) whose unit mask, as far as the bits of mask go, is match; exclude=true takes "
	  "them out again",
	  "local any_umask = KVM_PMU_ENCODE_MASKED_ENTRY(0xc0, 0, 0, false)" },
	{ 0 }
};
static const struct lb_section pmu_section = {
	"kvm-pmu", "KVM's PMU event filter",
	"Without KVM_PMU_EVENT_FLAG_MASKED_EVENTS in flags an event is its select and unit mask, "
	"and one that has other bits is ignored; with it events are masked entries, and other bits "
	"are EINVAL. An update ends with KVM_REQ_PMU to all vCPUs. The constants "
	"KVM_PMU_EVENT_ALLOW, KVM_PMU_EVENT_DENY, KVM_PMU_EVENT_FLAG_MASKED_EVENTS and "
	"KVM_PMU_EVENT_FILTER_MAX_EVENTS have the kernel's values.",
	pmu_funcs
};

static const struct kvm_constant constants[] = {
	{ "KVM_PMU_EVENT_ALLOW", KVM_PMU_EVENT_ALLOW },
	{ "KVM_PMU_EVENT_DENY", KVM_PMU_EVENT_DENY },
	{ "KVM_PMU_EVENT_FLAG_MASKED_EVENTS", KVM_PMU_EVENT_FLAG_MASKED_EVENTS },
	{ "KVM_PMU_EVENT_FILTER_MAX_EVENTS", KVM_PMU_EVENT_FILTER_MAX_EVENTS },
	{ 0 }
};

void kvm_open_pmu(lua_State *L)
{
	lb_new_kind(L, &kvm_pmu_filter_objtype);
	kvm_set_constants(L, constants);
	lb_register(L, &pmu_section);
}
