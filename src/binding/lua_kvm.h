/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the binding's KVM files share: checking VMs and vCPUs, and reading the
 * tables that describe VMs and filters.  Only src/binding/lua_kvm*.c include
 * this.
 */
#ifndef SRCUSH_BINDING_LUA_KVM_H
#define SRCUSH_BINDING_LUA_KVM_H

#include "binding/binding.h"
#include "kvm/kvm.h"

struct kvm *kvm_check_vm(lua_State *L, int idx);
struct kvm_vcpu *kvm_check_vcpu(lua_State *L, int idx);

/* Globals with the kernel's values; the list ends with {0}. */
struct kvm_constant { const char *name; lua_Integer value; };
void kvm_set_constants(lua_State *L, const struct kvm_constant *c);

/* --- tables of options: each function reads a field of the table on top --- */

/* Where a table stands: the argument, and the way to it ("ranges[2].") */
struct kvm_opt_place {
	int arg;
	const char *path;
};

/* The value at `idx` for a message: what has no text of its own would be shown
 * by its address, so its type must do.  Pushes it. */
const char *kvm_opt_shown(lua_State *L, int idx);
/* Raises about the value on top of the stack. */
int kvm_opt_bad(lua_State *L, const struct kvm_opt_place *p, const char *key,
		const char *expected);
/* Raises unless the value on top of the stack is a table all of whose keys are
 * in `known`, which ends with NULL. */
void kvm_opt_keys(lua_State *L, const struct kvm_opt_place *p, const char *const *known);
bool kvm_opt_boolean(lua_State *L, const struct kvm_opt_place *p, const char *key, bool def);
/* An integer 0..max; it must be there when `def` is negative. */
lua_Integer kvm_opt_integer(lua_State *L, const struct kvm_opt_place *p, const char *key,
			    lua_Integer max, lua_Integer def);
/* One of several strings, by its place in `names`, which ends with NULL. */
int kvm_opt_choice(lua_State *L, const struct kvm_opt_place *p, const char *key,
		   const char *const *names, const char *expected, int def);
/* The length of the list on top of the stack, called `key`; raises when it has
 * other keys than 1 to that. */
lua_Integer kvm_opt_list(lua_State *L, const struct kvm_opt_place *p, const char *key);

/* What an ioctl returns to the script: 0, or nil, message, name of the errno. */
int kvm_push_ioctl_result(lua_State *L, int r, const char *message);

/* Sections beside the VM's own, opened by lb_open_kvm(). */
void kvm_open_vcpu(lua_State *L);	/* vCPUs, requests, kicks: lua_kvm_vcpu.c */
void kvm_open_pmu(lua_State *L);	/* the PMU event filter: lua_kvm_pmu.c */

#endif
