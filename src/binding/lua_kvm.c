/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM seen from Lua: VMs and their parts, the MSR filter's ioctl and look-up.
 * Scripts give a filter as a table; here it becomes the structure that user space
 * hands to the kernel, whose judgement of it stands in kvm/msr_filter.c.
 */
#include <config.h>

#include "binding/lua_ktree.h"
#include "binding/lua_kvm.h"
#include "k/bitops.h"
#include "k/objtypes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- making a VM --- */

static void read_filter_opts(lua_State *L, const char *key, const char *path,
			     struct kvm_filter_opts *o)
{
	static const char *const known[] = { "sync", "expedited", "mutex", "may_fail", NULL };
	static const char *const syncs[] = {	/* as enum kvm_sync */
		"outside", "inside", "none", NULL
	};
	const struct kvm_opt_place p = { 2, path };

	if (lua_getfield(L, -1, key) == LUA_TTABLE) {
		kvm_opt_keys(L, &p, known);
		o->sync = (enum kvm_sync)kvm_opt_choice(L, &p, "sync", syncs,
			"'outside', 'inside' or 'none'", (int)o->sync);
		o->expedited = kvm_opt_boolean(L, &p, "expedited", o->expedited);
		o->mutex = kvm_opt_boolean(L, &p, "mutex", o->mutex);
		o->may_fail = kvm_opt_boolean(L, &p, "may_fail", o->may_fail);
	} else if (!lua_isnil(L, -1)) {
		kvm_opt_bad(L, &(struct kvm_opt_place){ 2, "" }, key, "a table");
	}
	lua_pop(L, 1);
}

static void read_opts(lua_State *L, struct kvm_opts *o)
{
	static const char *const known[] = { "vcpus", "vendor", "msr", "pmu", NULL };
	static const char *const vendors[] = { "intel", "amd", NULL }; /* as enum kvm_vendor */
	const struct kvm_opt_place p = { 2, "" };

	*o = kvm_opts_default();
	if (lua_isnoneornil(L, 2))
		return;
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	kvm_opt_keys(L, &p, known);
	o->vcpus = (unsigned)kvm_opt_integer(L, &p, "vcpus", KVM_MAX_VCPUS, o->vcpus);
	o->vendor = (enum kvm_vendor)kvm_opt_choice(L, &p, "vendor", vendors,
						    "'intel' or 'amd'", (int)o->vendor);
	read_filter_opts(L, "msr", "msr.", &o->msr);
	read_filter_opts(L, "pmu", "pmu.", &o->pmu);
}

struct vm_recipe {
	struct lb_recipe head;
	struct kvm_opts opts;
};

static struct object *vm_make(struct world *w, struct lb_recipe *r)
{
	struct kvm *kvm;

	lb_kernels_settle(w);
	kvm = kvm_create_vm(w, r->name, &((struct vm_recipe *)r)->opts);
	return kvm ? kvm->obj : NULL;
}

static int l_create_vm(lua_State *L)
{
	struct kvm_opts opts;
	struct vm_recipe *r;

	lb_check_name(L, 1);
	read_opts(L, &opts);
	r = lb_recipe_new(L, 1, sizeof(*r), vm_make);
	r->opts = opts;
	lb_make(L, &r->head);
	return 1;
}

/* --- a VM's parts --- */

static int push_cell(lua_State *L, struct kvm *kvm, const void *cell)
{
	lb_push_object(L, object_at(kvm->obj->w, cell));
	return 1;
}

/* {[0]=vcpu, [1]=vcpu ...}: counted from 0, as the kernel numbers them. */
static int push_vcpus(lua_State *L, struct kvm *kvm)
{
	lua_createtable(L, (int)kvm->nr_vcpus, 1);
	for (u32 i = 0; i < kvm->nr_vcpus; i++) {
		lb_push_object(L, kvm->vcpus[i]->obj);
		lua_rawseti(L, -2, i);
	}
	return 1;
}

static int push_part(lua_State *L, struct kvm *kvm, const char *key)
{
	if (!strcmp(key, "srcu"))
		return lb_push_object(L, kvm->srcu->obj), 1;
	if (!strcmp(key, "irq_srcu"))
		return lb_push_object(L, kvm->irq_srcu->obj), 1;
	if (!strcmp(key, "lock"))
		return push_cell(L, kvm, kvm->lock);
	if (!strcmp(key, "slots_lock"))
		return push_cell(L, kvm, kvm->slots_lock);
	if (!strcmp(key, "irq_lock"))
		return push_cell(L, kvm, kvm->irq_lock);
	if (!strcmp(key, "msr_filter"))
		return push_cell(L, kvm, kvm->msr_filter);
	if (!strcmp(key, "pmu_event_filter"))
		return push_cell(L, kvm, kvm->pmu_event_filter);
	if (!strcmp(key, "vcpus"))
		return push_vcpus(L, kvm);
	if (!strcmp(key, "name"))
		return lua_pushstring(L, kvm->obj->name), 1;
	return 0;
}

static int vm_index(lua_State *L)
{
	struct kvm *kvm = kvm_check_vm(L, 1);

	if (lua_type(L, 2) == LUA_TSTRING && push_part(L, kvm, lua_tostring(L, 2)))
		return 1;
	return luaL_error(L, "vm \"%s\" has no field %s", kvm->obj->name, kvm_opt_shown(L, 2));
}

/* --- the MSR filter: from a table to the ioctl's structure --- */

/* The structure with room for what its bitmaps point to: the kernel refuses
 * longer ones before it looks at them. */
struct msr_filter_arg {
	struct kvm_msr_filter filter;
	u8 bits[KVM_MSR_FILTER_MAX_RANGES][KVM_MSR_FILTER_MAX_BITMAP_SIZE];
};

/* The bit that is the value on top of the stack; pops it. */
static bool read_bit(lua_State *L, const struct kvm_opt_place *p, lua_Integer i)
{
	char key[40];
	bool bit = false;

	if (lua_type(L, -1) == LUA_TBOOLEAN) {
		bit = lua_toboolean(L, -1);
	} else if (lua_isinteger(L, -1) && (lua_Unsigned)lua_tointeger(L, -1) <= 1) {
		bit = lua_tointeger(L, -1) == 1;
	} else {
		snprintf(key, sizeof(key), "bitmap[%lld]", (long long)i);
		kvm_opt_bad(L, p, key, "0, 1, true or false");
	}
	lua_pop(L, 1);
	return bit;
}

/* The range's bitmap; the range is on top of the stack. */
static void read_bitmap(lua_State *L, const struct kvm_opt_place *p, struct kvm_msr_filter_range *r,
			u8 bits[KVM_MSR_FILTER_MAX_BITMAP_SIZE])
{
	const lua_Integer max = KVM_MSR_FILTER_MAX_BITMAP_SIZE * 8;
	lua_Integer n;

	memset(bits, 0, KVM_MSR_FILTER_MAX_BITMAP_SIZE);
	r->bitmap = bits;
	switch (lua_getfield(L, -1, "bitmap")) {
	case LUA_TSTRING:
		r->bitmap_size = lua_rawlen(L, -1);
		memcpy(bits, lua_tostring(L, -1), r->bitmap_size < KVM_MSR_FILTER_MAX_BITMAP_SIZE ?
		       r->bitmap_size : KVM_MSR_FILTER_MAX_BITMAP_SIZE);
		break;
	case LUA_TTABLE:
		n = luaL_len(L, -1);
		r->bitmap_size = ((size_t)n + 7) / 8;
		for (lua_Integer i = 0; i < n && i < max; i++) {
			lua_geti(L, -1, i + 1);
			bits[i / 8] |= (u8)(read_bit(L, p, i + 1) << (i % 8));
		}
		break;
	case LUA_TNIL:
		r->bitmap_size = 0;
		break;
	default:
		kvm_opt_bad(L, p, "bitmap", "a string or a table of bits");
	}
	lua_pop(L, 1);
}

/* ranges[i], which is on top of the stack. */
static void read_range(lua_State *L, const struct kvm_opt_place *p, struct kvm_msr_filter_range *r,
		       u8 bits[KVM_MSR_FILTER_MAX_BITMAP_SIZE])
{
	static const char *const known[] = {
		"base", "nmsrs", "read", "write", "flags", "bitmap", NULL
	};

	kvm_opt_keys(L, p, known);
	r->base = (u32)kvm_opt_integer(L, p, "base", UINT32_MAX, -1);
	r->nmsrs = (u32)kvm_opt_integer(L, p, "nmsrs", UINT32_MAX, -1);
	r->flags = (u32)kvm_opt_integer(L, p, "flags", UINT32_MAX, 0);
	if (kvm_opt_boolean(L, p, "read", false))
		r->flags |= KVM_MSR_FILTER_READ;
	if (kvm_opt_boolean(L, p, "write", false))
		r->flags |= KVM_MSR_FILTER_WRITE;
	read_bitmap(L, p, r, bits);
}

/* The list `ranges`, which is on top of the stack.  Returns its length, which is
 * more than the structure holds when the filter is too big. */
static lua_Integer read_ranges(lua_State *L, struct msr_filter_arg *a)
{
	lua_Integer n = kvm_opt_list(L, &(struct kvm_opt_place){ 2, "" }, "ranges");

	for (lua_Integer i = 0; i < n && i < KVM_MSR_FILTER_MAX_RANGES; i++) {
		const char *path = lua_pushfstring(L, "ranges[%I]", (LUAI_UACINT)i + 1);

		if (lua_geti(L, -2, i + 1) != LUA_TTABLE)
			kvm_opt_bad(L, &(struct kvm_opt_place){ 2, "" }, path, "a table");
		path = lua_pushfstring(L, "%s.", path);
		lua_insert(L, -2);		/* name, path, range */
		read_range(L, &(struct kvm_opt_place){ 2, path }, &a->filter.ranges[i], a->bits[i]);
		lua_pop(L, 3);
	}
	return n;
}

/* Fills in *a from the table at index 2; returns the number of ranges. */
static lua_Integer read_filter(lua_State *L, struct msr_filter_arg *a)
{
	static const char *const known[] = { "default", "ranges", "flags", NULL };
	static const char *const defaults[] = { "allow", "deny", NULL };
	const struct kvm_opt_place p = { 2, "" };
	lua_Integer n = 0;

	lua_pushvalue(L, 2);
	kvm_opt_keys(L, &p, known);
	memset(&a->filter, 0, sizeof(a->filter));
	a->filter.flags = (u32)kvm_opt_integer(L, &p, "flags", UINT32_MAX, 0);
	if (kvm_opt_choice(L, &p, "default", defaults, "'allow' or 'deny'", 0))
		a->filter.flags |= KVM_MSR_FILTER_DEFAULT_DENY;
	if (lua_getfield(L, -1, "ranges") == LUA_TTABLE)
		n = read_ranges(L, a);
	else if (!lua_isnil(L, -1))
		kvm_opt_bad(L, &p, "ranges", "a list of tables");
	lua_pop(L, 2);
	return n;
}

static int l_set_msr_filter(lua_State *L)
{
	struct kvm_reason why = { "" };
	struct msr_filter_arg *a;
	struct kvm *kvm;
	lua_Integer n;

	lb_task(L);
	kvm = kvm_check_vm(L, 1);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	a = lua_newuserdatauv(L, sizeof(*a), 0);
	n = read_filter(L, a);
	if (n > KVM_MSR_FILTER_MAX_RANGES) {
		/* the kernel's array ends there, and so cannot be asked */
		snprintf(why.text, sizeof(why.text), "%lld ranges are more than %d",
			 (long long)n, KVM_MSR_FILTER_MAX_RANGES);
		return kvm_push_ioctl_result(L, -E2BIG, why.text);
	}
	return kvm_push_ioctl_result(L, kvm_vm_ioctl_set_msr_filter(kvm, &a->filter, &why), why.text);
}

static int l_msr_allowed(lua_State *L)
{
	static const char *const types[] = { "read", "write", NULL };
	struct kvm *kvm;
	u32 index;
	int r;

	lb_task(L);
	kvm = kvm_check_vm(L, 1);
	index = (u32)lb_check_range(L, 2, 0, UINT32_MAX);
	r = luaL_checkoption(L, 3, NULL, types);
	r = kvm_msr_allowed(kvm, index, r ? KVM_MSR_FILTER_WRITE : KVM_MSR_FILTER_READ);
	if (r < 0)
		return luaL_error(L, "kvm_msr_allowed: %s.msr_filter points to something that is "
				  "no MSR filter", kvm->obj->name);
	lua_pushboolean(L, r);
	return 1;
}

static const struct lb_func kvm_funcs[] = {
	{ "kvm.create_vm", l_create_vm, "(name [, opts]) -> vm",
	  "Makes a virtual machine: vm.srcu, vm.irq_srcu, the mutexes vm.lock, vm.slots_lock and "
	  "vm.irq_lock, the pointers vm.msr_filter and vm.pmu_event_filter, vm.vcpus[0] and so on; "
	  "opts: vcpus=N (1), msr={sync=\"outside\"|\"inside\"|\"none\", expedited=false, mutex=true, "
	  "may_fail=false}, pmu={the same, but expedited=true}, vendor=\"intel\"|\"amd\" (whose PMU); "
	  "sync says where synchronize_srcu() stands relative to "
	  "kvm->lock, mutex=false takes no lock at all, may_fail lets a schedule fail an allocation",
	  "vm = kvm.create_vm(\"kvm\", {vcpus=2, msr={sync=\"inside\"}})" },
	{ "kvm_vm_ioctl_set_msr_filter", l_set_msr_filter,
	  "(vm, filter) -> 0 | nil, message, errno",
	  "Replaces the VM's MSR filter as KVM_X86_SET_MSR_FILTER does; filter: default=\"allow\"|"
	  "\"deny\", ranges={{base=, nmsrs=, read=bool, write=bool, bitmap=STRING|{bits}}}, at most "
	  "16, least significant bit first; nil, a message and \"EINVAL\", \"E2BIG\" (more "
	  "ranges), \"EFAULT\" (a bitmap shorter than its range) or \"ENOMEM\" when it is refused",
	  "vm = kvm.create_vm(\"kvm\")\n"
	  "thread(\"updater\", function() print(kvm_vm_ioctl_set_msr_filter(vm, {default = \"deny\",\n"
	  "  ranges = {{base = 0x174, nmsrs = 3, read = true, bitmap = {1, 0, 1}}}})) end)" },
	{ "kvm_msr_allowed", l_msr_allowed, "(vm, index, \"read\"|\"write\") -> boolean",
	  "May the guest access the MSR? Looks it up in the VM's filter, in a read section of "
	  "vm.srcu that it takes itself; x2APIC MSRs (0x800 to 0x8ff) always may be",
	  "vm = kvm.create_vm(\"kvm\")\n"
	  "thread(\"vcpu\", function() print(kvm_msr_allowed(vm, 0x174, \"read\")) end)" },
	{0}
};
static const struct lb_section kvm_section = {
	"kvm", "KVM",
	"A virtual machine with as much of KVM as an update of its filters touches, after Linux "
	"6.12. The constants KVM_MSR_FILTER_READ, KVM_MSR_FILTER_WRITE, "
	"KVM_MSR_FILTER_DEFAULT_DENY, KVM_MSR_FILTER_MAX_RANGES and "
	"KVM_MSR_FILTER_MAX_BITMAP_SIZE have the kernel's values; filters and ranges take a number "
	"flags= as well.",
	kvm_funcs
};

static const struct kvm_constant constants[] = {
	{ "KVM_MSR_FILTER_READ", KVM_MSR_FILTER_READ },
	{ "KVM_MSR_FILTER_WRITE", KVM_MSR_FILTER_WRITE },
	{ "KVM_MSR_FILTER_DEFAULT_ALLOW", KVM_MSR_FILTER_DEFAULT_ALLOW },
	{ "KVM_MSR_FILTER_DEFAULT_DENY", KVM_MSR_FILTER_DEFAULT_DENY },
	{ "KVM_MSR_FILTER_MAX_RANGES", KVM_MSR_FILTER_MAX_RANGES },
	{ "KVM_MSR_FILTER_MAX_BITMAP_SIZE", KVM_MSR_FILTER_MAX_BITMAP_SIZE },
	{ 0 }
};

static const struct lb_func vm_index_func = { "vm.f", vm_index, NULL, NULL, NULL };

void lb_open_kvm(lua_State *L)
{
	lb_new_kind(L, &kvm_objtype);
	lb_new_kind(L, &kvm_msr_filter_objtype);
	lb_new_kind(L, &kvm_msr_bitmap_objtype);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &kvm_objtype);
	lb_push_func(L, &vm_index_func);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	kvm_set_constants(L, constants);
	lb_register(L, &kvm_section);
	kvm_open_vcpu(L);
	kvm_open_pmu(L);
}
