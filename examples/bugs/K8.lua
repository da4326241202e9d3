-- SPDX-License-Identifier: GPL-2.0-or-later
-- K8: vcpu->srcu_idx overwritten by a nested lock (misuse).
--
-- Question: a vCPU keeps the index of its section of kvm->srcu in vcpu->srcu_idx.  Code
-- that did not know that it was inside of a section already took the lock once more, and
-- stored the index there, too.  Nothing was ever seen of it.  Is it a bug?
--
-- Where: commit 2031f2876896 ("KVM: Add helpers to wrap vcpu->srcu_idx and yell if it's
-- abused"), 2022-04.
--
-- Answer: yes, one that hides.  As long as no grace period flips the index between the
-- two locks, both get the same one, and it does not matter which is given back.  If one
-- does, the inner index is given back twice: the outer section is never over, so that
-- the next grace period hangs, and the other bank has one reader too few.  The wrappers
-- warn about every nested lock, whatever the indices are.
--
-- Scenarios and what exploring them says (model sc, tree SRCU on 2 CPUs):
--   buggy         violation, unbalanced-unlock   beside an updater
--   hidden        ok                             the same code, and no updater
--   fixed         ok                             the nested lock keeps its own index
--   wrappers      violation, warning             nested wrappers, and no updater
--
--	srcush explore K8.lua:buggy

local function overwrites(ss, vcpu)
  vcpu.srcu_idx = srcu_read_lock(ss)
  vcpu.srcu_idx = srcu_read_lock(ss)
  srcu_read_unlock(ss, vcpu.srcu_idx)
  srcu_read_unlock(ss, vcpu.srcu_idx)
end

local function keeps_own(ss, vcpu)
  vcpu.srcu_idx = srcu_read_lock(ss)
  local idx = srcu_read_lock(ss)
  srcu_read_unlock(ss, idx)
  srcu_read_unlock(ss, vcpu.srcu_idx)
end

local function scenario(body, updater)
  return function()
    cpus(2)
    local ss = srcu.new("kvm.srcu")
    local vcpu = kmalloc("kvm_vcpu", {srcu_idx = 0}, {static = true})
    thread("vcpu", function() body(ss, vcpu) end)
    if updater then thread("updater", function() synchronize_srcu(ss) end) end
  end
end

local function wrappers()
  cpus(2)
  local vcpu = kvm.create_vm("kvm").vcpus[0]
  thread("vcpu", function()
    kvm_vcpu_srcu_read_lock(vcpu)
    kvm_vcpu_srcu_read_lock(vcpu)
    kvm_vcpu_srcu_read_unlock(vcpu)
    kvm_vcpu_srcu_read_unlock(vcpu)
  end)
end

return {
  buggy = scenario(overwrites, true),
  hidden = scenario(overwrites, false),
  fixed = scenario(keeps_own, true),
  wrappers = wrappers,
}
