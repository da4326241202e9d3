-- SPDX-License-Identifier: GPL-2.0-or-later
-- K5: synchronize_srcu() under a lock that readers take (deadlock).
--
-- Question: KVM_XEN_EVTCHN_RESET called synchronize_srcu(&kvm->srcu) under kvm->lock.
-- vCPUs, inside of their sections of kvm->srcu, took kvm->lock for Xen's hypercalls.
-- Does that go together?
--
-- Where: commit a79b53aaaab5 ("KVM: x86: fix deadlock for KVM_XEN_EVTCHN_RESET"),
-- 2022-12.
--
-- Answer: no.  The updater holds the lock and waits for the section, the reader is in its
-- section and waits for the lock.  It takes a reader at the very moment; but the order
-- is wrong in every execution: the section before the lock here, the lock before the
-- section there, and that is reported even where nothing hangs.  Lockdep could not say so
-- until it learnt of synchronize_srcu() in Linux 6.4.  The cure: wait after the unlock.
--
-- Scenarios and what exploring them says (model sc, ideal SRCU):
--   buggy         violation, lock-order (and with --keep-going, deadlock)
--   fixed         ok                       synchronize_srcu() after the unlock
--   own_lock      ok                       inside, and the readers take a lock of their own
--   vm_buggy      violation, lock-order    the MSR filter's ioctl as in Linux 6.2, tree
--                                          SRCU on 2 CPUs
--   vm_fixed      ok                       the same as in Linux 6.3
--
--	srcush explore K5.lua:buggy

local function takes(ss, lock)
  local idx = srcu_read_lock(ss)
  mutex_lock(lock)
  mutex_unlock(lock)
  srcu_read_unlock(ss, idx)
end

local function inside(ss, lock)
  mutex_lock(lock)
  synchronize_srcu(ss)
  mutex_unlock(lock)
end

local function outside(ss, lock)
  mutex_lock(lock)
  mutex_unlock(lock)
  synchronize_srcu(ss)
end

local function scenario(reset, own_lock)
  return function()
    cpus(2)
    local ss = srcu.new("kvm.srcu", {flavor = "ideal"})
    local lock = mutex "kvm.lock"
    local readers = own_lock and mutex "xen_lock" or lock
    thread("vcpu", function() takes(ss, readers) end)
    thread("reset", function() reset(ss, lock) end)
  end
end

local function vm(sync)
  return function()
    cpus(2)
    local vm = kvm.create_vm("kvm", {msr = {sync = sync}})
    thread("vcpu", function() takes(vm.srcu, vm.lock) end, {cpu = 0})
    thread("updater", function()
      kvm_vm_ioctl_set_msr_filter(vm, {default = "allow"})
    end, {cpu = 1})
  end
end

return {
  buggy = scenario(inside),
  fixed = scenario(outside),
  own_lock = scenario(inside, true),
  vm_buggy = vm "inside",
  vm_fixed = vm "outside",
}
