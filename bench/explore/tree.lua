-- SPDX-License-Identifier: GPL-2.0-or-later
-- How exploring grows on tree SRCU and on KVM's code: executions, blocked ones, steps,
-- rate and time of a few scenarios, as a table.  What is not done in time says how far it
-- came.  Run with: srcush --carrier fiber bench/explore/tree.lua [SECONDS [NAME...]]
-- SECONDS is for each line, 10 unless given; 600 is what RESULTS.md has.

local SECONDS = tonumber(arg[1] or 10)

if not SECONDS or SECONDS <= 0 then
  error("usage: tree.lua [SECONDS [NAME...]]", 0)
end

local rows, byname = {}, {}

local function row(name, scenario)
  rows[#rows + 1] = name
  byname[name] = scenario
end

local function srcu_scene(readers, writers, synchronize)
  return function()
    cpus(1)
    local ss = srcu.new("ss", {size = "small"})
    for n = 1, readers do
      thread("reader" .. n, function()
        local idx = srcu_read_lock(ss)
        srcu_read_unlock(ss, idx)
      end)
    end
    for n = 1, writers do
      thread("writer" .. n, function() synchronize(ss) end)
    end
  end
end

for _, rw in ipairs{{1, 1}, {2, 1}, {3, 1}, {0, 2}, {1, 2}} do
  local name = ("%dr%dw"):format(rw[1], rw[2])
  row(name, srcu_scene(rw[1], rw[2], synchronize_srcu))
  row(name .. "-expedited", srcu_scene(rw[1], rw[2], synchronize_srcu_expedited))
end

local MSR = 0x174
local FILTER = {default = "allow",
                ranges = {{base = MSR, nmsrs = 1, read = true, bitmap = {1}}}}

-- A vCPU asks the MSR filter while ioctls set and replace it.
for _, sync in ipairs{"outside", "inside", "none"} do
  row("kvm-" .. sync, function()
    cpus(2)
    local vm = kvm.create_vm("vm", {vcpus = 1, msr = {sync = sync}})
    thread("vcpu", function() kvm_msr_allowed(vm, MSR, "read") end, {cpu = 1})
    thread("vmm", function()
      for _ = 1, 2 do assert(kvm_vm_ioctl_set_msr_filter(vm, FILTER)) end
    end)
  end)
end

local wanted = #arg > 1 and table.move(arg, 2, #arg, 1, {}) or rows
for _, name in ipairs(wanted) do
  if not byname[name] then error("no such line: " .. name, 0) end
end

print("| scenario | verdict | executions | blocked | steps | executions/s | seconds |")
print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
for _, name in ipairs(wanted) do
  local r = explore(byname[name], {time = SECONDS})
  local verdict = r.verdict
  if r.bound then verdict = verdict .. " (" .. r.bound .. ")" end
  if r.violations[1] then verdict = r.violations[1].kind end
  print(("| %s | %s | %d | %d | %d | %.0f | %.2f |"):format(name, verdict, r.executions,
        r.blocked, r.steps, (r.executions + r.blocked) / math.max(r.seconds, 1e-3), r.seconds))
  io.stdout:flush()
end
