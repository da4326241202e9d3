-- SPDX-License-Identifier: GPL-2.0-or-later
-- K2: synchronize_srcu() under kvm->lock (cost, a claim).
--
-- Question: up to Linux 6.2 the ioctl that replaces a VM's MSR filter called
-- synchronize_srcu() under kvm->lock; from 6.3 on it does so after the unlock.  Was the
-- old place needed?  What did it cost?
--
-- Where: commit 708f799d22fe ("KVM: x86: Optimize kvm->lock and SRCU interaction
-- (KVM_X86_SET_MSR_FILTER)"), 2023-01, Linux 6.3.
--
-- Answer: it was not needed: with synchronize_srcu() in either place, no vCPU uses a
-- filter that is freed, and no filter is freed twice.  What it cost: whoever wants
-- kvm->lock for anything else, once the new filter is in place, had to wait until the
-- slowest vCPU was done with the old one.  Outside of the lock nobody but the updater
-- waits for vCPUs; the outcomes show both.  (If a vCPU wants the lock itself, see K5.)
--
-- Scenarios and what exploring them says (model sc):
--   claim         ok                          outside: some outcomes are "while in use"
--   inside        ok                          inside: none is
--   vm_none       violation, use-after-free   the ioctl in C on tree SRCU, without any
--                                             grace period: a vCPU and an updater, 2 CPUs
--   vm_outside    ok                          the same with synchronize_srcu() outside
--   vm_inside     ok                          the same inside
--
-- `claim` and `inside` are written in Lua on ideal SRCU: a vCPU, an updater, and somebody
-- else who wants kvm->lock.  The last two are two grace periods: some 10,000 executions
-- each, half a minute.  There is no `buggy`: neither place is a bug.
--
--	srcush explore K2.lua:claim

-- ------------------------------------------------- in Lua

local function outside(s)
  mutex_unlock(s.lock)
  synchronize_srcu(s.ss)
end

local function inside(s)
  synchronize_srcu(s.ss)
  mutex_unlock(s.lock)
end

-- uses_old: the vCPU is inside of a section in which it has found the old filter.
local function scenario(wait)
  return function()
    cpus(2)
    local s = {ss = srcu.new("kvm.srcu", {flavor = "ideal"}), lock = mutex "kvm.lock",
               old = kmalloc("old", {allow = 1})}
    s.filter = ptr("kvm.msr_filter", s.old)
    local replaced, uses_old = ghost("replaced", false), ghost("uses_old", false)
    local had = ghost("had", "nobody had the lock")

    thread("vcpu", function()
      local idx = srcu_read_lock(s.ss)
      local f = srcu_dereference(s.filter, s.ss)
      uses_old.value = f == s.old
      local _ = f.allow
      uses_old.value = false
      srcu_read_unlock(s.ss, idx)
    end)
    thread("updater", function()
      local new = kmalloc("new", {allow = 0})
      mutex_lock(s.lock)
      local old = rcu_replace_pointer(s.filter, new, lockdep_is_held(s.lock))
      replaced.value = true
      wait(s)
      kfree(old)
    end)
    thread("other", function()
      mutex_lock(s.lock)
      if not replaced.value then
        had.value = "the lock was had before the swap"
      elseif uses_old.value then
        had.value = "the lock was had after the swap, while the old filter was in use"
      else
        had.value = "the lock was had after the swap, when the old filter was in use no more"
      end
      mutex_unlock(s.lock)
    end)
    outcome(function() return had.value end)
  end
end

-- ------------------------------------------------- the ioctl in C

local function vm(sync)
  return function()
    cpus(2)
    local vm = kvm.create_vm("kvm", {msr = {sync = sync}})
    local ready = var "ready"
    thread("updater", function()
      kvm_vm_ioctl_set_msr_filter(vm, {default = "allow"})
      smp_store_release(ready, 1)
      kvm_vm_ioctl_set_msr_filter(vm, {default = "allow"})
    end, {cpu = 0})
    thread("vcpu", function()
      cond_wait(function() return READ_ONCE(ready) == 1 end)
      kvm_msr_allowed(vm, 0x174, "read")
    end, {cpu = 1})
  end
end

return {
  claim = scenario(outside),
  inside = scenario(inside),
  vm_none = vm "none",
  vm_outside = vm "outside",
  vm_inside = vm "inside",
}
