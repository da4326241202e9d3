-- SPDX-License-Identifier: GPL-2.0-or-later
-- What KVM's MSR filter and its PMU event filter are tested for alike.

local tap = require "tap"

local common = {}

-- What fn(vm) returns when a thread of a fresh world runs it, and the report.
function common.ask(fn, opts)
  local vm, answer
  world()
  cpus(2)
  vm = kvm.create_vm("kvm", opts)
  thread("asker", function() answer = table.pack(fn(vm)) end)
  local report = run()
  return answer or {n = 0}, report
end

-- The answer of an ioctl that refuses.
function common.refused(a, errno, message, what)
  tap.is(a[1], nil, what .. ": refused")
  tap.is(a[3], errno, what .. ": " .. errno)
  tap.like(a[2], message, what .. ": says why")
end

-- A grace period where the kernel has it, in kvm->lock or behind it; parked(opts) gives
-- a VM whose vCPU has just got hold of the old filter, and what vCPU and updater answer.
function common.waits(parked)
  for _, sync in ipairs {"outside", "inside"} do
    local vm, answer = parked {sync = sync}
    finish("updater")
    tap.is(status("updater"), "blocked", sync .. ": the updater waits for the vCPU")
    tap.like(show(vm.lock, {text = true}), sync == "inside" and "held by updater" or "free",
             sync .. ": kvm->lock meanwhile")
    local report = run()
    tap.is(#report.violations, 0, sync .. ": no violation")
    tap.is(answer.allowed, true, sync .. ": the vCPU finished with the old filter")
    tap.is(answer.set, 0, sync .. ": the update succeeded")
  end
end

-- Has the updater asked for an expedited grace period?
function common.expedited()
  for _, e in ipairs(trace()) do
    if e.thread == "updater" and e.call == "synchronize_srcu_expedited" then return true end
  end
  return false
end

return common
