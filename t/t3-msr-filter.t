-- SPDX-License-Identifier: GPL-2.0-or-later
-- KVM's MSR filter: what the ioctl takes and refuses, what a look-up answers,
-- where synchronize_srcu() must stand, what kvm->lock is for, and requests.

local tap = require "tap"
local common = dofile((os.getenv("top_srcdir") or ".") .. "/t/lib/filter.lua")
local ask = common.ask

local MSR = 0x174

-- A filter that decides reads of `n` MSRs from MSR on, all by `bit`.
local function reads(bit, n)
  return {default = "allow",
          ranges = {{base = MSR, nmsrs = n or 1, read = true,
                     bitmap = string.rep(bit == 1 and "\xff" or "\0", ((n or 1) + 7) // 8)}}}
end

local function set(filter)
  return ask(function(vm) return kvm_vm_ioctl_set_msr_filter(vm, filter) end)
end

local function accepted(filter, what)
  tap.is(set(filter)[1], 0, what)
end

local function refused(filter, errno, message, what)
  common.refused(set(filter), errno, message, what)
end

-- Answers of look-ups {index, "read"|"write"} under a filter, as a string of + and -.
local function look_up(filter, msrs)
  local a = ask(function(vm)
    local s = ""
    if filter then assert(kvm_vm_ioctl_set_msr_filter(vm, filter) == 0) end
    for _, m in ipairs(msrs) do
      s = s .. (kvm_msr_allowed(vm, m[1], m[2]) and "+" or "-")
    end
    return s
  end)
  return a[1]
end

-- ---------------------------------------------------------------- the VM

do
  world()
  local vm = kvm.create_vm("kvm", {vcpus = 2})
  tap.is(tostring(vm), 'vm "kvm"', "a VM says what it is")
  tap.is(vm.name, "kvm", "its name")
  for field, what in pairs {srcu = "srcu", irq_srcu = "srcu", lock = "mutex",
                            slots_lock = "mutex", irq_lock = "mutex", msr_filter = "ptr",
                            pmu_event_filter = "ptr"} do
    tap.is(tostring(vm[field]), what .. ' "kvm.' .. field .. '"', "vm." .. field)
  end
  tap.is(tostring(vm.vcpus[1]), 'vcpu "kvm.vcpu1"', "vm.vcpus[1]")
  tap.is(vm.vcpus[2], nil, "there is no third vCPU")
  tap.ok(vm.lock == vm.lock, "a part is always the same object")
  tap.like(select(2, pcall(function() return vm.lokc end)), "has no field 'lokc'", "no such field")
end

-- ------------------------------------------------- what the ioctl decides

accepted({}, "an empty filter that allows")
accepted({default = "allow", ranges = {}}, "the same, spelt out")
refused({default = "deny"}, "EINVAL", "without ranges", "an empty filter that denies")
refused({default = "deny", ranges = {{base = 1, nmsrs = 0, read = true}}}, "EINVAL",
        "without ranges", "unused slots only, and deny")
accepted({ranges = {{base = 1, nmsrs = 0}}}, "an unused slot is skipped unread")
refused({ranges = {{base = 1, nmsrs = 1, bitmap = "\0"}}}, "EINVAL", "range 1",
        "a range without flags")
refused({ranges = {{base = 1, nmsrs = 1, read = true, flags = 4, bitmap = "\0"}}}, "EINVAL",
        "unknown flags 0x4", "a range with an unknown flag")
refused({flags = 2}, "EINVAL", "unknown flags 0x2", "a filter with an unknown flag")
accepted(reads(1, 0x3000), "the longest bitmap, 0x600 bytes")
refused(reads(1, 0x3001), "EINVAL", "12289 MSRs are more than 12288", "one MSR more")
refused(reads(1, 0xffffffff // 8), "EINVAL", "range 1", "far too many MSRs")
refused({ranges = {{base = 0, nmsrs = 0xffffffff, read = true}}}, "EINVAL", "range 1",
        "all MSRs, before its bitmap is looked at")
refused({ranges = {{base = 0, nmsrs = 9, read = true, bitmap = "\xff"}}}, "EFAULT",
        "1 bytes, 9 MSRs need 2", "a bitmap that ends too early")
refused({ranges = {{base = 0, nmsrs = 9, write = true}}}, "EFAULT", "0 bytes", "no bitmap")
refused({ranges = {{base = 0, nmsrs = 9, read = true, bitmap = {1, 1}}}}, "EFAULT", "1 bytes",
        "a table of too few bits")

do
  local function ranges(n)
    local r = {}
    for i = 1, n do r[i] = {base = i, nmsrs = 1, read = true, bitmap = "\1"} end
    return {default = "deny", ranges = r}
  end
  accepted(ranges(16), "16 ranges")
  refused(ranges(17), "E2BIG", "17 ranges are more than 16", "17 ranges")
end

do
  local a = ask(function(vm)
    kvm_vm_ioctl_set_msr_filter(vm, reads(0))
    local before = READ_ONCE(vm.msr_filter)
    local r = kvm_vm_ioctl_set_msr_filter(vm, {default = "deny"})
    return r, before == READ_ONCE(vm.msr_filter), kvm_msr_allowed(vm, MSR, "read")
  end)
  tap.same({a[1], a[2], a[3]}, {nil, true, false}, "a refused filter leaves the old one in place")
end

-- ---------------------------------------------------- what a look-up says

tap.is(look_up(nil, {{MSR, "read"}, {0, "write"}, {0xffffffff, "read"}}), "+++",
       "without a filter everything is allowed")

local deny = {default = "deny", ranges = {{base = 0, nmsrs = 0x1000, read = true, write = true,
                                           bitmap = string.rep("\0", 0x200)}}}
tap.is(look_up(deny, {{0x7ff, "read"}, {0x800, "read"}, {0x8ff, "write"}, {0x900, "read"}}),
       "-++-", "x2APIC MSRs are always allowed")
tap.is(look_up(deny, {{0x1000, "read"}}), "-", "outside of all ranges the default decides")

for what, bitmap in pairs {string = "\x05\x01", table = {1, 0, 1, 0, 0, 0, 0, 0, 1},
                           ["table of booleans"] = {true, false, true, false, false, false,
                                                    false, false, true}} do
  local f = {default = "deny", ranges = {{base = 100, nmsrs = 9, read = true, bitmap = bitmap}}}
  local msrs = {}
  for i = 99, 109 do msrs[#msrs + 1] = {i, "read"} end
  tap.is(look_up(f, msrs), "-+-+-----+-", "bits of a " .. what .. ", lowest first")
end

do
  local bits = {}
  for i = 1, 130 do bits[i] = (i == 65 or i == 130) and 1 or 0 end
  local f = {default = "deny", ranges = {{base = 0, nmsrs = 130, read = true, bitmap = bits}}}
  tap.is(look_up(f, {{63, "read"}, {64, "read"}, {65, "read"}, {129, "read"}}), "-+-+",
         "bitmaps of several words")
end

do
  local f = {ranges = {{base = 10, nmsrs = 1, read = true, bitmap = "\0"},
                       {base = 10, nmsrs = 2, read = true, write = true, bitmap = "\1"}}}
  tap.is(look_up(f, {{10, "read"}, {10, "write"}, {11, "read"}, {12, "read"}}), "-+-+",
         "the first range for that kind of access decides, else the default")
  f = {default = "deny", ranges = {{base = 10, nmsrs = 1, write = true, bitmap = "\1"}}}
  tap.is(look_up(f, {{10, "read"}, {10, "write"}}), "-+", "a range for writes says nothing of reads")
  f = {ranges = {{base = 0xfffffff0, nmsrs = 0x20, read = true, bitmap = "\0\0\0\0"}}}
  tap.is(look_up(f, {{0xfffffff0, "read"}, {0, "read"}}), "++",
         "a range over the end of 32 bits matches nothing, as in the kernel")
  f = {flags = KVM_MSR_FILTER_DEFAULT_DENY,
       ranges = {{base = 1, nmsrs = 1, flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
                  bitmap = "\1"}}}
  tap.is(look_up(f, {{1, "read"}, {1, "write"}, {2, "read"}}), "++-", "flags as numbers")
end

-- ------------------------------------------- where the grace period stands

-- A vCPU that has just got hold of the old filter, and an updater.
local function parked(msr)
  world()
  cpus(2)
  local vm = kvm.create_vm("kvm", {msr = msr})
  thread("setup", function() assert(kvm_vm_ioctl_set_msr_filter(vm, reads(1)) == 0) end)
  run()
  local answer = {}
  thread("vcpu", function() answer.allowed = kvm_msr_allowed(vm, MSR, "read") end, {cpu = 0})
  thread("updater", function()
    answer.set = kvm_vm_ioctl_set_msr_filter(vm, reads(0))
  end, {cpu = 1})
  local e
  repeat e = step("vcpu") until e.object == "kvm.msr_filter"
  return vm, answer
end

do
  parked {sync = "none"}
  local _, v = finish("updater")
  tap.is(v, nil, "none: the updater itself sees nothing")
  tap.is(status("updater"), "done", "none: it does not wait")
  _, v = finish("vcpu")
  tap.is(v and v.kind, "use-after-free", "none: the vCPU reads a freed filter")
  tap.is(v and v.thread, "vcpu", "none: the vCPU is named")
  tap.is(v and v.other, "updater", "none: and who freed it")
  local schedule = v and v.schedule
  back()
  tap.is(status("vcpu"), "ready", "none: one step back the vCPU is alive")
  tap.ok(type(schedule) == "string" and #schedule > 0, "none: the violation has its schedule")
end

common.waits(parked)

for _, expedited in ipairs {false, true} do
  parked {expedited = expedited}
  run()
  tap.is(common.expedited(), expedited,
         "expedited=" .. tostring(expedited) .. ": the grace period asked for")
end

do
  local function texts()
    local t = {}
    for i, e in ipairs(trace()) do t[i] = e.thread .. " " .. e.text end
    return t
  end
  parked {sync = "inside"}
  run()
  local before, steps = texts(), schedule()
  back(100)
  run()
  tap.same(texts(), before, "100 steps back and on again: the same steps")
  reset()
  tap.is(#trace(), 0, "back at the start")
  replay(steps)
  tap.same(texts(), before, "and by the schedule")
end

do
  world()
  local vm, answer
  thread("maker", function()
    vm = kvm.create_vm("kvm", {vcpus = 2})
    assert(kvm_vm_ioctl_set_msr_filter(vm, reads(0)) == 0)
    answer = {kvm_msr_allowed(vm, MSR, "read"), tostring(vm), tostring(vm.lock),
              tostring(kvm.create_vm("kvm").lock)}
  end)
  run()
  tap.same(answer, {false, 'vm "kvm@maker.1"', 'mutex "kvm.lock@maker.1"',
                    'mutex "kvm.lock@maker.2"'}, "a thread makes VMs of one name")
end

-- ------------------------------------------------------ what the lock is for

-- Two updaters, the first stopped between reading the old pointer and storing
-- its own; returns the report and the VM.
local function two_updaters(msr)
  world()
  cpus(2)
  local vm = kvm.create_vm("kvm", {msr = msr})
  thread("setup", function() assert(kvm_vm_ioctl_set_msr_filter(vm, reads(1)) == 0) end)
  run()
  for _, name in ipairs {"first", "second"} do
    thread(name, function() assert(kvm_vm_ioctl_set_msr_filter(vm, reads(0)) == 0) end)
  end
  local e
  repeat e = step("first") until e.object == "kvm.msr_filter"
  finish("second")
  return vm, run()
end

do
  local _, report = two_updaters {mutex = false}
  tap.ok(#report.violations > 0, "without kvm->lock two updaters free one filter twice")
  tap.like(report.violations[1] and report.violations[1].kind, "free", "and it is seen")
end
for _, sync in ipairs {"outside", "inside"} do
  local _, report = two_updaters {sync = sync}
  tap.is(#report.violations, 0, sync .. ": with kvm->lock two updaters do no harm")
end

do
  local vm
  world()
  vm = kvm.create_vm("kvm")
  thread("updater", function()
    for i = 1, 3 do assert(kvm_vm_ioctl_set_msr_filter(vm, reads(i % 2, 100)) == 0) end
    assert(kvm_vm_ioctl_set_msr_filter(vm, {}) == 0)
  end)
  run()
  local freed = 0
  for _, e in ipairs(trace()) do
    if e.op == "free" then freed = freed + 1 end
  end
  tap.is(freed, 6, "each replaced filter is freed with its bitmap")
end

-- ----------------------------------------------------------------- requests

do
  local vm, seen
  world()
  vm = kvm.create_vm("kvm", {vcpus = 3})
  thread("updater", function()
    seen = {}
    for i = 0, 2 do
      seen[#seen + 1] = kvm_check_request(KVM_REQ_MSR_FILTER_CHANGED, vm.vcpus[i])
    end
    assert(kvm_vm_ioctl_set_msr_filter(vm, {}) == 0)
    for i = 0, 2 do
      seen[#seen + 1] = kvm_check_request(KVM_REQ_MSR_FILTER_CHANGED, vm.vcpus[i])
    end
    seen[#seen + 1] = kvm_check_request(KVM_REQ_MSR_FILTER_CHANGED, vm.vcpus[1])
    kvm_make_all_cpus_request(vm, 0)
    kvm_make_all_cpus_request(vm, 63)
    for _, req in ipairs {0, 1, 63} do seen[#seen + 1] = kvm_check_request(req, vm.vcpus[0]) end
  end)
  run()
  tap.same(seen, {false, false, false, true, true, true, false, true, false, true},
           "an update requests each vCPU once; requests are bits of their own")
end

do
  local a = ask(function(vm)
    return kvm_vm_ioctl_set_msr_filter(vm, {default = "deny"}),
           kvm_check_request(KVM_REQ_MSR_FILTER_CHANGED, vm.vcpus[0])
  end)
  tap.is(a[a.n], false, "a refused update requests nothing")
end

-- --------------------------------------------------------- allocations fail

do
  local vm, r
  world()
  vm = kvm.create_vm("kvm", {msr = {may_fail = true}})
  thread("updater", function() r = table.pack(kvm_vm_ioctl_set_msr_filter(vm, reads(0))) end)
  replay("@sc,4 updater=2 updater*20")
  run()
  tap.is(r and r[3], "ENOMEM", "the filter's allocation fails where the schedule says so")
  r = nil
  world()
  vm = kvm.create_vm("kvm", {msr = {may_fail = true}})
  thread("updater", function() r = table.pack(kvm_vm_ioctl_set_msr_filter(vm, reads(0))) end)
  replay("@sc,4 updater=1 updater=2")
  run()
  tap.is(r and r[3], "ENOMEM", "and its bitmap's")
  tap.is(READ_ONCE(vm.msr_filter), nil, "nothing is installed then")
end

-- ---------------------------------------------------------------- bad input

local function raises(message, what, fn, ...)
  local ok, err = pcall(fn, ...)
  tap.ok(not ok, what .. ": an error")
  tap.like(err, message, what .. ": its message")
end

world()
raises("name expected", "no name", kvm.create_vm)
raises("is no name", "a bad name", kvm.create_vm, "a b")
raises("table", "options that are no table", kvm.create_vm, "kvm", 1)
raises("unknown key 'vcpu'", "an unknown option", kvm.create_vm, "kvm", {vcpu = 1})
raises("unknown key 'msr.snyc'", "an unknown option of msr", kvm.create_vm, "kvm", {msr = {snyc = 1}})
raises("unknown key %[1%]", "a list for options", kvm.create_vm, "kvm", {1})
raises("vcpus: expected an integer 0..1024, got %-1", "-1 vCPUs", kvm.create_vm, "kvm", {vcpus = -1})
raises("vcpus", "too many vCPUs", kvm.create_vm, "kvm", {vcpus = 1025})
raises("vcpus", "1.5 vCPUs", kvm.create_vm, "kvm", {vcpus = 1.5})
raises("vcpus", "vCPUs as a string", kvm.create_vm, "kvm", {vcpus = "1"})
raises("msr: expected a table", "msr is no table", kvm.create_vm, "kvm", {msr = "outside"})
raises("msr.sync: expected .*got 'both'", "an unknown sync", kvm.create_vm, "kvm", {msr = {sync = "both"}})
raises("pmu.sync", "the same of pmu", kvm.create_vm, "kvm", {pmu = {sync = true}})
raises("msr.mutex: expected true or false", "mutex is no boolean", kvm.create_vm, "kvm", {msr = {mutex = 1}})
raises("msr.mutex: .*got a function%)$", "no address in a message", kvm.create_vm, "kvm", {msr = {mutex = print}})
raises("unknown key msr.%[a table%]", "nor of a key", kvm.create_vm, "kvm", {msr = {[{}] = 1}})
raises("msr.expedited", "expedited is no boolean", kvm.create_vm, "kvm", {msr = {expedited = "yes"}})

do
  mutex("kvm.lock")
  raises('name "kvm.lock" is taken', "a part's name is taken", kvm.create_vm, "kvm")
  tap.ok(pcall(mutex, "kvm"), "and then nothing was made")
  kvm.create_vm("vm")
  raises('name "vm" is taken', "a VM's name is taken", kvm.create_vm, "vm")
end

do
  world()
  local vm = kvm.create_vm("kvm")
  raises("no current thread", "the ioctl without a thread", kvm_vm_ioctl_set_msr_filter, vm, {})
  raises("no current thread", "a look-up without a thread", kvm_msr_allowed, vm, 1, "read")
  raises("no current thread", "requests without a thread", kvm_make_all_cpus_request, vm, 1)
  raises("no current thread", "a check without a thread", kvm_check_request, 1, vm.vcpus[0])
end

do
  local function one(range)
    return {ranges = {range}}
  end
  local good = {base = 1, nmsrs = 1, read = true, bitmap = "\1"}
  local function with(key, value)
    local r = {}
    for k, v in pairs(good) do r[k] = v end
    if value == nil then r[key] = nil else r[key] = value end
    return one(r)
  end
  local bad = {
    {"ranges%[1%].nmsrs: .*got %-1", with("nmsrs", -1)},
    {"ranges%[1%].nmsrs", with("nmsrs", 0x100000000)},
    {"ranges%[1%].nmsrs", with("nmsrs", "1")},
    {"ranges%[1%].nmsrs: .*got nil", with("nmsrs", nil)},
    {"ranges%[1%].base", with("base", -1)},
    {"ranges%[1%].base", with("base", 0x100000000)},
    {"ranges%[1%].base: .*got nil", with("base", nil)},
    {"ranges%[1%].read", with("read", 1)},
    {"ranges%[1%].write", with("write", "no")},
    {"ranges%[1%].flags", with("flags", -1)},
    {"ranges%[1%].bitmap", with("bitmap", 255)},
    {"ranges%[1%].bitmap%[2%]", with("bitmap", {1, 2})},
    {"ranges%[1%].bitmap%[1%]", with("bitmap", {"1"})},
    {"unknown key 'ranges%[1%].bitmask'", with("bitmask", "\1")},
    {"ranges%[1%]: expected a table", one(7)},
    {"ranges: expected a list", {ranges = "all"}},
    {"ranges: a list has no key 'x'", {ranges = {x = good}}},
    {"default: expected 'allow' or 'deny', got 'maybe'", {default = "maybe"}},
    {"default", {default = true}},
    {"flags", {flags = 1 << 32}},
    {"unknown key 'defualt'", {defualt = "deny"}},
  }
  for _, b in ipairs(bad) do
    local a = ask(function(vm) return pcall(kvm_vm_ioctl_set_msr_filter, vm, b[2]) end)
    tap.ok(a[1] == false, b[1] .. ": an error")
    tap.like(a[2], b[1], b[1] .. ": its message")
  end
end

do
  local calls = {
    {"table", function(vm) kvm_vm_ioctl_set_msr_filter(vm) end},
    {"table", function(vm) kvm_vm_ioctl_set_msr_filter(vm, "deny") end},
    {"vm expected", function(vm) kvm_vm_ioctl_set_msr_filter(vm.lock, {}) end},
    {"vm expected", function(vm) kvm_vm_ioctl_set_msr_filter(nil, {}) end},
    {"vm expected", function() kvm_msr_allowed("kvm", 1, "read") end},
    {"0..4294967295, got %-1", function(vm) kvm_msr_allowed(vm, -1, "read") end},
    {"0..4294967295", function(vm) kvm_msr_allowed(vm, 1 << 32, "read") end},
    {"integer", function(vm) kvm_msr_allowed(vm, "1", "read") end},
    {"integer", function(vm) kvm_msr_allowed(vm, 1.5, "read") end},
    {"rw", function(vm) kvm_msr_allowed(vm, 1, "rw") end},
    {"string", function(vm) kvm_msr_allowed(vm, 1) end},
    {"0..63", function(vm) kvm_make_all_cpus_request(vm, 64) end},
    {"0..63", function(vm) kvm_check_request(-1, vm.vcpus[0]) end},
    {"vcpu expected", function(vm) kvm_check_request(1, vm) end},
    {"no MSR filter", function(vm)
      rcu_assign_pointer(vm.msr_filter, kmalloc("impostor", {count = 1}))
      kvm_msr_allowed(vm, 1, "read")
    end},
    {"no MSR filter", function(vm)
      rcu_assign_pointer(vm.msr_filter, vm)
      assert(kvm_msr_allowed(vm, 0x800, "read"))
      kvm_msr_allowed(vm, 1, "read")
    end},
  }
  for i, c in ipairs(calls) do
    local a = ask(function(vm) return pcall(c[2], vm) end)
    tap.ok(a[1] == false, "bad call " .. i .. ": an error")
    tap.like(a[2], c[1], "bad call " .. i .. ": its message")
  end
  local a, report = ask(function(vm)
    rcu_assign_pointer(vm.msr_filter, kmalloc("impostor", {count = 1}, {static = true}))
    return kvm_vm_ioctl_set_msr_filter(vm, {})
  end)
  tap.is(a[3], "EFAULT", "an impostor is replaced, and not taken for a filter")
  tap.is(#report.violations, 0, "which harms nobody")
end

do
  world()
  local old = kvm.create_vm("kvm")
  world()
  raises("another world", "a VM of another world", function() return old.lock end)
end

tap.done()
