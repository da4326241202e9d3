-- SPDX-License-Identifier: GPL-2.0-or-later
-- KVM's PMU event filter: what the ioctl takes and refuses, each field at its
-- limit and past it, how a look-up answers against a plain model, where the
-- grace period stands, and that the look-up relies on its caller's section.

local tap = require "tap"
local common = dofile((os.getenv("top_srcdir") or ".") .. "/t/lib/filter.lua")
local ask = common.ask

local MAX = KVM_PMU_EVENT_FILTER_MAX_EVENTS
local MASKED = KVM_PMU_EVENT_FLAG_MASKED_EVENTS
local entry = KVM_PMU_ENCODE_MASKED_ENTRY

local function set(filter, opts)
  return ask(function(vm) return kvm_vm_ioctl_set_pmu_event_filter(vm, filter) end, opts)
end

local function accepted(filter, what, opts)
  local a, report = set(filter, opts)
  tap.is(a[1], 0, what)
  tap.is(#report.violations, 0, what .. ": no violation")
end

local function refused(filter, errno, message, what, opts)
  common.refused(set(filter, opts), errno, message, what)
end

-- Answers of look-ups under a filter, as a string of + and -.
local function look_up(filter, events, opts)
  local a, report = ask(function(vm)
    local s = ""
    if filter then assert(kvm_vm_ioctl_set_pmu_event_filter(vm, filter) == 0) end
    kvm_vcpu_srcu_read_lock(vm.vcpus[0])
    for _, e in ipairs(events) do s = s .. (kvm_pmu_event_allowed(vm, e) and "+" or "-") end
    kvm_vcpu_srcu_read_unlock(vm.vcpus[0])
    return s
  end, opts)
  if #report.violations > 0 then tap.diag(report.violations[1].message) end
  return a[1]
end

local function events(n, event)
  local list = {}
  for i = 1, n do list[i] = event or i end
  return list
end

-- ------------------------------------------------- what the ioctl decides

accepted({}, "an empty filter allows nothing, and is a filter")
accepted({action = "deny"}, "an empty filter that denies nothing")
accepted({action = 0}, "KVM_PMU_EVENT_ALLOW as a number")
accepted({action = KVM_PMU_EVENT_DENY}, "KVM_PMU_EVENT_DENY as a number")
refused({action = 2}, "EINVAL", "unknown action 2", "an action past the last")
refused({action = 0xffffffff}, "EINVAL", "unknown action 4294967295", "the largest action")
accepted({flags = MASKED}, "the flag that there is")
refused({flags = 2}, "EINVAL", "unknown flags 0x2", "the next flag")
refused({flags = 0xffffffff}, "EINVAL", "unknown flags 0xfffffffe", "all flags")
accepted({fixed_counter_bitmap = 0xffffffff}, "all fixed counters")
accepted({events = events(MAX)}, "300 events")
refused({events = events(MAX + 1)}, "E2BIG", "301 events are more than 300", "301 events")
refused({events = events(5000), flags = 2}, "EINVAL", "flags", "flags are looked at before the number")
refused({action = 9, flags = 2}, "EINVAL", "action", "and the action before the flags")

-- Without the flag an impossible event is ignored, with it it is refused.
accepted({events = {math.mininteger, -1, 0x10000, 1 << 32}}, "plain events with bits that none has")
accepted({events = {entry(0xff, 0xff, 0xff, true)}, flags = MASKED}, "a masked entry, all at its limit")
refused({events = {1, entry(0x100, 0, 0, false)}, flags = MASKED}, "EINVAL",
        "event 2: bits 0x100000000", "an event select of nine bits on Intel")
accepted({events = {entry(0xfff, 0, 0, false)}, flags = MASKED}, "one of twelve on AMD",
         {vendor = "amd"})
refused({events = {1 << 36}, flags = MASKED}, "EINVAL", "bits 0x1000000000",
        "one of thirteen on AMD", {vendor = "amd"})
refused({events = {1 << 16}, flags = MASKED}, "EINVAL", "bits 0x10000", "a bit above the unit mask")
refused({events = {1 << 54}, flags = MASKED}, "EINVAL", "bits 0x40000000000000", "a bit below exclude")

do
  local a = ask(function(vm)
    kvm_vm_ioctl_set_pmu_event_filter(vm, {action = "deny", events = {0xc0}})
    local before = READ_ONCE(vm.pmu_event_filter)
    local r = kvm_vm_ioctl_set_pmu_event_filter(vm, {action = 2})
    local same = before == READ_ONCE(vm.pmu_event_filter)
    kvm_vm_ioctl_set_pmu_event_filter(vm, {events = {1 << 16}, flags = MASKED})
    return r, same, before == READ_ONCE(vm.pmu_event_filter), tostring(before)
  end)
  tap.same({a[1], a[2], a[3], a[4]}, {nil, true, true, 'pmu_event_filter "pmu_filter@asker.1"'},
           "a refused filter leaves the old one in place")
end

-- ---------------------------------------------------- what a look-up says

local fixed0, fixed31 = {fixed = 0}, {fixed = 31}
tap.is(look_up(nil, {0xc0, 0, -1, fixed0, fixed31}), "+++++", "without a filter everything is allowed")
tap.is(look_up({}, {0xc0, fixed0}), "--", "an empty list of what is allowed")
tap.is(look_up({action = "deny"}, {0xc0, fixed0}), "++", "an empty list of what is denied")
tap.is(look_up({events = {0x01c0, 0x3c}}, {0x01c0, 0xc0, 0x02c0, 0x3c, 0x13c}), "+--+-",
       "without the flag select and unit mask must be equal")
tap.is(look_up({action = "deny", events = {0x01c0, 0x3c}}, {0x01c0, 0xc0, 0x02c0, 0x3c, 0x13c}), "-++-+",
       "the same, denied")
tap.is(look_up({events = {0x01c0}}, {0x4301c0, 0x01c0 | 1 << 63, 0x1c1}), "++-",
       "an event's other bits do not matter")
tap.is(look_up({events = {0x1000000c0}}, {0x1000000c0}), "-", "on Intel a select has 8 bits")
tap.is(look_up({events = {0x1000000c0}}, {0x1000000c0, 0xc0, 0x5000000c0}, {vendor = "amd"}), "+--",
       "on AMD it has 12")
tap.is(look_up({fixed_counter_bitmap = 0x80000001, events = {0xc0}}, {fixed0, {fixed = 1}, fixed31}), "+-+",
       "fixed counters that are allowed")
tap.is(look_up({action = "deny", fixed_counter_bitmap = 2}, {fixed0, {fixed = 1}, {fixed = 2}}), "+-+",
       "fixed counters that are denied")
tap.is(look_up({events = {entry(0xc0, 0, 0, false), entry(0xc0, 0xff, 0x02, true),
                          entry(0xc0, 0xf0, 0x30, true)}, flags = MASKED},
               {0xc0, 0x01c0, 0x02c0, 0x30c0, 0x3fc0, 0x40c0, 0xc1}), "++---+-",
       "all unit masks of an event but some")
tap.is(look_up({action = "deny", events = {entry(0xc0, 0, 0, false), entry(0xc0, 0xff, 2, true)},
                flags = MASKED}, {0xc0, 0x02c0, 0xc1}), "-++", "the same, denied")
tap.is(look_up({events = {entry(0xc0, 0xff, 2, true)}, flags = MASKED}, {0xc0, 0x02c0}), "--",
       "excluding alone allows nothing")
tap.is(look_up({events = {entry(0xc0, 0x0f, 0x12, false)}, flags = MASKED}, {0x12c0, 0x02c0}), "--",
       "a match with bits outside of its mask never comes out")

-- Against a model that knows neither sorting nor searching.
do
  local seed = 20241118
  local function random(n)
    seed = (seed * 1103515245 + 12345) & 0x7fffffff
    return (seed >> 8) % n
  end
  local function model(filter, e)
    local listed, excluded = false, false
    for _, f in ipairs(filter.events) do
      local mask, match = f >> 56 & 0xff, f >> 8 & 0xff
      if f & 0xff == e & 0xff and (e >> 8 & 0xff) & mask == match then
        if f >> 55 & 1 == 1 then excluded = true else listed = true end
      end
    end
    return (listed and not excluded) == (filter.action == "allow") and "+" or "-"
  end
  local wrong = 0
  for _, size in ipairs {1, 2, 3, 7, 20, 100, MAX} do
    for _, action in ipairs {"allow", "deny"} do
      local filter, asked, expected = {action = action, flags = MASKED, events = {}}, {}, ""
      for i = 1, size do
        filter.events[i] = entry(random(6) * 40, random(4) == 0 and 0xff or random(4), random(4),
                                 random(3) == 0)
      end
      for i = 1, 25 do
        asked[i] = random(6) * 40 | random(5) << 8
        expected = expected .. model(filter, asked[i])
      end
      if look_up(filter, asked) ~= expected then wrong = wrong + 1 end
    end
  end
  tap.is(wrong, 0, "filters at random answer as the model does")
end

do
  local n = {}
  for i, size in ipairs {1, MAX} do
    ask(function(vm)
      kvm_vm_ioctl_set_pmu_event_filter(vm, {events = events(size, nil)})
      kvm_vcpu_srcu_read_lock(vm.vcpus[0])
      kvm_pmu_event_allowed(vm, 0xff << 8 | 0xfe)
      kvm_vcpu_srcu_read_unlock(vm.vcpus[0])
    end)
    n[i] = 0
    for _, e in ipairs(trace()) do
      if (e.object or ""):find("events%[%d+%]$") or (e.object or ""):find("%.events$") then n[i] = n[i] + 1 end
    end
  end
  tap.ok(n[1] == 1 and n[2] > 1 and n[2] <= 9 + 2, ("a look-up reads %d of 300 events"):format(n[2]))
end

do
  ask(function(vm)
    kvm_vm_ioctl_set_pmu_event_filter(vm, {events = {0x3c, 0x02c0, 0x01c0, 1 << 40}})
    mutex("after")
  end)
  local text = show("pmu_filter@asker.1", {text = true})
  tap.like(text, "nevents +3\n", "an impossible event is dropped on installation")
  tap.like(text, "events%[0%] +0xff0000000000003c\n", "and the others are sorted by select")
  tap.like(text, "includes +pmu_filter@asker.1.events", "the lists point into the filter")
end

-- ------------------------------------------- where the grace period stands

-- A vCPU in its section that has just got hold of the old filter, and an updater.
local function parked(pmu)
  world()
  cpus(2)
  local vm = kvm.create_vm("kvm", {pmu = pmu})
  thread("setup", function()
    assert(kvm_vm_ioctl_set_pmu_event_filter(vm, {events = {0xc0}}) == 0)
  end)
  run()
  local answer = {}
  thread("vcpu", function()
    kvm_vcpu_srcu_read_lock(vm.vcpus[0])
    answer.allowed = kvm_pmu_event_allowed(vm, 0xc0)
    kvm_vcpu_srcu_read_unlock(vm.vcpus[0])
  end, {cpu = 0})
  thread("updater", function()
    answer.set = kvm_vm_ioctl_set_pmu_event_filter(vm, {action = "deny", events = {0xc0}})
  end, {cpu = 1})
  local e
  repeat e = step("vcpu") until e.object == "kvm.pmu_event_filter"
  return vm, answer
end

do
  parked {sync = "none"}
  finish("updater")
  local _, v = finish("vcpu")
  tap.is(v and v.kind, "use-after-free", "none: the vCPU reads a freed filter")
  tap.is(v and v.other, "updater", "none: and who freed it")
end

common.waits(parked)

for _, expedited in ipairs {true, false} do
  parked(not expedited and {expedited = false} or nil)
  run()
  tap.is(common.expedited(), expedited,
         "expedited=" .. tostring(expedited) .. (expedited and " (the default)" or ""))
end

do
  world()
  cpus(2)
  local vm = kvm.create_vm("kvm", {pmu = {mutex = false}})
  thread("setup", function() assert(kvm_vm_ioctl_set_pmu_event_filter(vm, {}) == 0) end)
  run()
  for _, name in ipairs {"first", "second"} do
    thread(name, function() assert(kvm_vm_ioctl_set_pmu_event_filter(vm, {}) == 0) end)
  end
  local e
  repeat e = step("first") until e.object == "kvm.pmu_event_filter"
  finish("second")
  local report = run()
  tap.is(report.violations[1] and report.violations[1].kind, "double-free",
         "without kvm->lock two updaters free one filter twice")
end

-- --------------------------------------------- the caller holds the section

do
  local a, report = ask(function(vm)
    kvm_vm_ioctl_set_pmu_event_filter(vm, {events = {0xc0}})
    return kvm_pmu_event_allowed(vm, 0xc0)
  end)
  tap.is(#report.violations, 1, "a look-up outside of a section is reported")
  tap.is(report.violations[1].kind, "rcu-usage", 'as "rcu-usage"')
  tap.like(report.violations[1].message, "kvm%.pmu_event_filter outside of any read section of kvm%.srcu",
           "which says what is missing")
  a, report = ask(function(vm)
    local idx = srcu_read_lock(vm.irq_srcu)
    kvm_pmu_event_allowed(vm, 0xc0)
    srcu_read_unlock(vm.irq_srcu, idx)
  end)
  tap.is(report.violations[1].kind, "rcu-usage", "a section of another domain is none")
  a, report = ask(function(vm)
    local idx = srcu_read_lock(vm.srcu)
    kvm_pmu_event_allowed(vm, {fixed = 2})
    srcu_read_unlock(vm.srcu, idx)
  end)
  tap.is(#report.violations, 0, "any section of kvm->srcu will do")
end

-- ----------------------------------------------------------------- requests

do
  local a = ask(function(vm)
    local before = kvm_check_request(KVM_REQ_PMU, vm.vcpus[1])
    kvm_vm_ioctl_set_pmu_event_filter(vm, {})
    return before, kvm_check_request(KVM_REQ_PMU, vm.vcpus[0]), kvm_check_request(KVM_REQ_PMU, vm.vcpus[1]),
           vm.vcpus[0].reprogram_pmi, vm.vcpus[1].requests
  end, {vcpus = 2})
  tap.same({table.unpack(a, 1, 5)}, {false, true, true, -1, 0},
           "an update has each vCPU program all its counters anew")
end

-- --------------------------------------------------------- allocations fail

do
  world()
  local vm, r = kvm.create_vm("kvm", {pmu = {may_fail = true}})
  thread("updater", function() r = table.pack(kvm_vm_ioctl_set_pmu_event_filter(vm, {})) end)
  replay("@sc,4 updater=2 updater*20")
  run()
  tap.is(r and r[3], "ENOMEM", "the allocation fails where the schedule says so")
  tap.is(READ_ONCE(vm.pmu_event_filter), nil, "nothing is installed then")
end

-- ---------------------------------------------------------------- bad input

for _, b in ipairs {
  {"table expected", "all"},
  {"unknown key 'event'", {event = {1}}},
  {"unknown key %[1%]", {0xc0}},
  {"action: expected 'allow', 'deny' or a number, got 'maybe'", {action = "maybe"}},
  {"action: expected 'allow', 'deny' or a number, got true", {action = true}},
  {"action: expected an integer 0..4294967295, got %-1", {action = -1}},
  {"action", {action = 1 << 32}},
  {"action", {action = 0.5}},
  {"flags: expected an integer 0..4294967295, got 4294967296", {flags = 1 << 32}},
  {"flags", {flags = "1"}},
  {"fixed_counter_bitmap", {fixed_counter_bitmap = -1}},
  {"fixed_counter_bitmap", {fixed_counter_bitmap = 1 << 32}},
  {"events: expected a list of integers, got 192", {events = 0xc0}},
  {"events%[2%]: expected an integer, got '1'", {events = {1, "1"}}},
  {"events%[1%]: expected an integer, got 1.5", {events = {1.5}}},
  {"events%[1%]: expected an integer, got a table", {events = {{}}}},
  {"events: a list has no key 'x'", {events = {x = 1}}},
  {"events: a list has no key 0", {events = {[0] = 1}}},
} do
  local a = ask(function(vm) return pcall(kvm_vm_ioctl_set_pmu_event_filter, vm, b[2]) end)
  tap.ok(a[1] == false, b[1] .. ": an error")
  tap.like(a[2], b[1], b[1] .. ": its message")
end

for i, c in ipairs {
  {"table expected, got no value", function(vm) kvm_vm_ioctl_set_pmu_event_filter(vm) end},
  {"vm expected, got mutex", function(vm) kvm_vm_ioctl_set_pmu_event_filter(vm.lock, {}) end},
  {"vm expected, got nil", function() kvm_pmu_event_allowed(nil, 1) end},
  {"integer or {fixed=N} expected, got string", function(vm) kvm_pmu_event_allowed(vm, "1") end},
  {"integer or {fixed=N} expected, got no value", function(vm) kvm_pmu_event_allowed(vm) end},
  {"no integer representation", function(vm) kvm_pmu_event_allowed(vm, 1.5) end},
  {"fixed: expected an integer 0..31, got 32", function(vm) kvm_pmu_event_allowed(vm, {fixed = 32}) end},
  {"fixed: expected an integer 0..31, got %-1", function(vm) kvm_pmu_event_allowed(vm, {fixed = -1}) end},
  {"fixed: expected an integer 0..31, got nil", function(vm) kvm_pmu_event_allowed(vm, {}) end},
  {"unknown key 'gp'", function(vm) kvm_pmu_event_allowed(vm, {gp = 1}) end},
  {"expected 0..4095, got 4096", function() entry(0x1000, 0, 0, false) end},
  {"expected 0..255, got 256", function() entry(0, 256, 0, false) end},
  {"expected 0..255, got %-1", function() entry(0, 0, -1, false) end},
  {"boolean expected, got number", function() entry(0, 0, 0, 1) end},
  {"vendor: expected 'intel' or 'amd', got 'via'", function() kvm.create_vm("v", {vendor = "via"}) end},
  {"no PMU event filter", function(vm)
    rcu_assign_pointer(vm.pmu_event_filter, kmalloc("impostor", {action = 1}))
    kvm_vcpu_srcu_read_lock(vm.vcpus[0])
    kvm_pmu_event_allowed(vm, 1)
  end},
} do
  local a = ask(function(vm) return pcall(c[2], vm) end)
  tap.ok(a[1] == false, "bad call " .. i .. ": an error")
  tap.like(a[2], c[1], "bad call " .. i .. ": its message")
end

do
  local a, report = ask(function(vm)
    rcu_assign_pointer(vm.pmu_event_filter, vm)
    return kvm_vm_ioctl_set_pmu_event_filter(vm, {})
  end)
  tap.is(a[3], "EFAULT", "an impostor is replaced, and not taken for a filter")
  tap.is(#report.violations, 0, "which harms nobody")
  local vm = kvm.create_vm("other")
  tap.raises(function() kvm_vm_ioctl_set_pmu_event_filter(vm, {}) end, "no current thread",
             "the ioctl without a thread")
  tap.raises(function() kvm_pmu_event_allowed(vm, 1) end, "no current thread", "a look-up without a thread")
end

tap.done()
