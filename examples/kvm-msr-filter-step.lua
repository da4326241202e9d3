-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: must synchronize_srcu() stand inside kvm->lock when KVM replaces a VM's
-- MSR filter?  Here one can step through each answer oneself.
--
-- Scenarios: "none" (no grace period: the bug), "inside" and "outside" of the lock.
-- Step the vCPU until it holds the old filter, finish the updater, and go on:
--
--	srcush step kvm-msr-filter-step.lua:none
--	srcush run --seed 9 kvm-msr-filter-step.lua:none
--
-- kvm-msr-filter.lua tells the whole story.

local MSR = 0x174			-- IA32_SYSENTER_CS

-- A filter that says of one MSR whether it may be read: allowed by 1, not by 0.
local function filter(bit)
  return {default = "allow",
          ranges = {{base = MSR, nmsrs = 1, read = true, bitmap = {bit}}}}
end

-- The first filter is in place before the others look.
local function scenario(sync)
  return function()
    local vm = kvm.create_vm("kvm", {msr = {sync = sync}})
    local ready = var("ready")
    thread("updater", function()
      kvm_vm_ioctl_set_msr_filter(vm, filter(1))
      smp_store_release(ready, 1)
      kvm_vm_ioctl_set_msr_filter(vm, filter(0))
    end)
    thread("vcpu", function()
      cond_wait(function() return READ_ONCE(ready) == 1 end)
      kvm_msr_allowed(vm, MSR, "read")
    end)
  end
end

return {
  none = scenario("none"),
  inside = scenario("inside"),
  outside = scenario("outside"),
}
