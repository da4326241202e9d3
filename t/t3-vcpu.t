-- SPDX-License-Identifier: GPL-2.0-or-later
-- vCPUs: their section of kvm->srcu and its warnings, into the guest and out of
-- it, requests and kicks in every interleaving, and an update that reaches a
-- vCPU which sits in the guest.

local tap = require "tap"

local function vcpu0(opts)
  world()
  cpus(2)
  local vm = kvm.create_vm("kvm", opts)
  return vm.vcpus[0], vm
end

-- Runs on over violations until nobody can move; their kinds and messages.
local function settle()
  local kinds, messages = {}, {}
  repeat
    local report = run()
    for _, v in ipairs(report.violations) do
      kinds[#kinds + 1], messages[#messages + 1] = v.kind, v.message
    end
  until report.steps == 0
  return table.concat(kinds, " "), messages
end

-- The same of one thread that runs fn.
local function violations(fn)
  local vcpu, vm = vcpu0()
  thread("t", function() fn(vcpu, vm) end)
  return settle()
end

-- ------------------------------------------------------------------ fields

do
  local vcpu, vm = vcpu0()
  tap.is(vcpu.vcpu_id, 0, "a vCPU has its number")
  tap.ok(vcpu.kvm == vm, "its VM")
  tap.is(vcpu.name, "kvm.vcpu0", "its name")
  tap.same({vcpu.mode, vcpu.requests, vcpu.srcu_depth, vcpu.kick}, {OUTSIDE_GUEST_MODE, 0, 0, 0},
           "and is outside of the guest, without requests, at first")
  tap.raises(function() return vcpu.modes end, "has no field 'modes'", "no other field")
  tap.raises(function() return vcpu[print] end, "has no field a function", "nor one without a name")
  tap.raises(function() vcpu.mode = 1 end, "", "fields are not written")
  thread("t", function() return vcpu.mode end)
  run()
  tap.is(trace()[1].object, "kvm.vcpu0.mode", "in a thread to read one is a step")
end

-- ------------------------------------------------------------- the section

do
  local vcpu, vm = vcpu0()
  local inside, depth
  thread("t", function()
    kvm_vcpu_srcu_read_lock(vcpu)
    inside, depth = srcu_read_lock_held(vm.srcu), vcpu.srcu_depth
    kvm_vcpu_srcu_read_unlock(vcpu)
  end)
  local report = run()
  tap.is(#report.violations, 0, "a section of the vCPU")
  tap.same({inside, depth, vcpu.srcu_depth}, {true, 1, 0}, "is one of kvm->srcu, of depth 1")
  tap.same(vm.srcu:state().readers[0], 0, "and ends")
end

do
  local kinds, messages = violations(function(vcpu)
    kvm_vcpu_srcu_read_lock(vcpu)
    kvm_vcpu_srcu_read_lock(vcpu)
    kvm_vcpu_srcu_read_unlock(vcpu)
    kvm_vcpu_srcu_read_unlock(vcpu)
  end)
  tap.is(kinds, "warning warning", "a section inside of itself is a warning, at both ends")
  tap.like(messages[1], "kvm%.vcpu0: SRCU section begun inside of itself, srcu_depth 1", "the first's words")
  tap.like(messages[1], "kvm_vcpu_srcu_read_lock%(%)", "and where it was")
  kinds, messages = violations(kvm_vcpu_srcu_read_unlock)
  tap.like(kinds, "^unbalanced%-unlock", "an unlock without a lock")
end

do
  -- why it must not nest: the second index takes the first one's place
  local vcpu, vm = vcpu0()
  thread("vcpu", function()
    kvm_vcpu_srcu_read_lock(vcpu)
    yield()
    kvm_vcpu_srcu_read_lock(vcpu)
    kvm_vcpu_srcu_read_unlock(vcpu)
    kvm_vcpu_srcu_read_unlock(vcpu)
  end, {cpu = 0})
  thread("updater", function() synchronize_srcu(vm.srcu) end, {cpu = 1})
  run_until("vcpu", function() return pending("vcpu").op == "yield" end)
  run_until("updater", "SCAN2", vm.srcu)
  tap.like(settle(), "unbalanced%-unlock", "with a flip in between the wrong index is given back")
end

-- ------------------------------------------------------ in and out of the guest

do
  local vcpu, vm = vcpu0()
  local seen = {}
  thread("vcpu", function()
    kvm_vcpu_srcu_read_lock(vcpu)
    seen.entered = vcpu_enter_guest(vcpu, function()
      seen.mode, seen.inside = vcpu.mode, srcu_read_lock_held(vm.srcu)
    end)
    seen.after, seen.again = vcpu.mode, srcu_read_lock_held(vm.srcu)
    kvm_vcpu_srcu_read_unlock(vcpu)
  end)
  local report = run()
  tap.is(#report.violations, 0, "a guest that leaves by itself")
  tap.same(seen, {entered = true, mode = IN_GUEST_MODE, inside = false, after = OUTSIDE_GUEST_MODE,
                  again = true}, "the guest runs outside of the section")
end

do
  local vcpu = vcpu0()
  local ran, entered = false, nil
  thread("vcpu", function()
    kvm_make_request(KVM_REQ_PMU, vcpu)
    kvm_vcpu_srcu_read_lock(vcpu)
    entered = vcpu_enter_guest(vcpu, function() ran = true end)
    kvm_vcpu_srcu_read_unlock(vcpu)
  end)
  run()
  tap.same({ran, entered}, {false, false}, "with a request pending the guest does not run")
  tap.same({vcpu.mode, vcpu.srcu_depth}, {OUTSIDE_GUEST_MODE, 0}, "and all is as before")
end

do
  local vcpu = vcpu0()
  thread("vcpu", function()
    kvm_vcpu_srcu_read_lock(vcpu)
    vcpu_enter_guest(vcpu)
    kvm_vcpu_srcu_read_unlock(vcpu)
  end)
  finish("vcpu")
  local state, why = status("vcpu")
  tap.is(state, "blocked", "without a function the guest runs on")
  tap.like(why, "kvm%.vcpu0%.kick", "until there is a kick")
  tap.is(vcpu.mode, IN_GUEST_MODE, "meanwhile it is in the guest")
  thread("kicker", function() kvm_vcpu_kick(vcpu); kvm_vcpu_kick(vcpu) end)
  local report = run()
  tap.is(status("vcpu"), "done", "a kick ends it")
  tap.is(#report.violations, 0, "without a violation")
  local sent = 0
  for _, e in ipairs(trace()) do
    if e.op == "complete" then sent = sent + 1 end
  end
  tap.is(sent, 1, "two kicks send one interrupt")
  tap.is(vcpu.kick, 0, "which was taken")
end

do
  local ok, why
  local vcpu = vcpu0()
  thread("vcpu", function()
    kvm_vcpu_srcu_read_lock(vcpu)
    ok, why = pcall(vcpu_enter_guest, vcpu, function() error("in the guest", 0) end)
    kvm_vcpu_srcu_read_unlock(vcpu)
  end)
  tap.is(#run().violations, 0, "an error in the guest can be caught")
  tap.same({ok, why, vcpu.mode}, {false, "in the guest", OUTSIDE_GUEST_MODE}, "and the guest has been left")
end

do
  -- requests are for all, kicks for those in the guest
  local vcpu, vm = vcpu0 {vcpus = 3}
  for i = 0, 1 do
    thread("vcpu" .. i, function()
      kvm_vcpu_srcu_read_lock(vm.vcpus[i])
      vcpu_enter_guest(vm.vcpus[i])
      kvm_vcpu_srcu_read_unlock(vm.vcpus[i])
    end)
    finish("vcpu" .. i)
  end
  thread("updater", function() kvm_make_all_cpus_request(vm, 63) end)
  finish("updater")
  local list = {}
  for i = 0, 2 do
    list[#list + 1] = ("%d %x %d"):format(vm.vcpus[i].mode, vm.vcpus[i].requests, vm.vcpus[i].kick)
  end
  tap.same(list, {"2 8000000000000000 1", "2 8000000000000000 1", "0 8000000000000000 0"},
           "a request to all kicks those in the guest")
end

-- --------------------------------------- nobody is missed, whatever the order

-- A vCPU loop that ends when it has seen the request, against an updater; guest
-- mode ends by a kick only, so that one that is missed leaves the vCPU there.
local function stuck(enter, seeds)
  local n = 0
  for seed = 1, seeds do
    local vcpu, vm = vcpu0()
    thread("vcpu", function()
      kvm_vcpu_srcu_read_lock(vcpu)
      while not kvm_check_request(KVM_REQ_PMU, vcpu) do enter(vcpu) end
      kvm_vcpu_srcu_read_unlock(vcpu)
    end, {cpu = 0})
    thread("updater", function() kvm_make_all_cpus_request(vm, KVM_REQ_PMU) end, {cpu = 1})
    run {policy = "random", seed = seed, max_steps = 2000}
    if status("vcpu") ~= "done" then n = n + 1 end
  end
  return n
end

tap.is(stuck(vcpu_enter_guest, 200), 0, "no request is missed in 200 schedules")
tap.ok(stuck(function(vcpu)
  -- a check that comes too early: the kick finds the mode as it was
  if kvm_request_pending(vcpu) then return end
  kvm_vcpu_srcu_read_unlock(vcpu)
  cond_wait(function() return vcpu.kick ~= 0 end)
  kvm_vcpu_srcu_read_lock(vcpu)
end, 200) > 0, "one that never says it is in the guest is missed")

-- The old filter is freed while the vCPU is in the guest, and not before.
do
  local vcpu, vm = vcpu0()
  local answers = {}
  thread("setup", function() kvm_vm_ioctl_set_pmu_event_filter(vm, {events = {0xc0}}) end)
  run()
  thread("vcpu", function()
    kvm_vcpu_srcu_read_lock(vcpu)
    kvm_check_request(KVM_REQ_PMU, vcpu)
    answers[1] = kvm_pmu_event_allowed(vm, 0xc0)
    while not kvm_check_request(KVM_REQ_PMU, vcpu) do vcpu_enter_guest(vcpu) end
    answers[2] = kvm_pmu_event_allowed(vm, 0xc0)
    kvm_vcpu_srcu_read_unlock(vcpu)
  end, {cpu = 0})
  finish("vcpu")
  tap.is(vcpu.mode, IN_GUEST_MODE, "a vCPU sits in the guest")
  thread("updater", function()
    kvm_vm_ioctl_set_pmu_event_filter(vm, {action = "deny", events = {0xc0}})
  end, {cpu = 1})
  local report = run()
  tap.is(#report.violations, 0, "an update does not wait for it")
  tap.is(status("vcpu"), "done", "and fetches it out")
  tap.same(answers, {true, false}, "to look into the new filter")
end

-- ------------------------------------------------------------- the examples

do
  local help, bad = require "help", {}
  help.each(function(f, _, section)
    if not section.name:match "^kvm" or not f.example then return end
    world()
    local shown = {}
    local env = setmetatable({print = function(...) shown[#shown + 1] = ... end}, {__index = _G})
    local ok, why = pcall(load(f.example, "=example", "t", env))
    if not ok then bad[#bad + 1] = f.name .. ": " .. why end
    for _, v in ipairs(run().violations) do bad[#bad + 1] = f.name .. ": " .. v.message end
  end)
  tap.same(bad, {}, "the examples of help() run without a violation")
end

-- ---------------------------------------------------------------- bad input

do
  local vcpu, vm = vcpu0()
  for name, args in pairs {
    kvm_vcpu_srcu_read_lock = {vcpu}, kvm_vcpu_srcu_read_unlock = {vcpu}, vcpu_enter_guest = {vcpu},
    kvm_vcpu_kick = {vcpu}, kvm_make_request = {1, vcpu}, kvm_request_pending = {vcpu},
    kvm_check_request = {1, vcpu}, kvm_make_all_cpus_request = {vm, 1},
  } do
    tap.raises(function() _G[name](table.unpack(args)) end, name .. ": no current thread",
               name .. " without a thread")
  end
  local bad = {}
  local function wrong(message, fn, ...)
    local ok, why = pcall(fn, ...)
    if ok or not why:find(message, 1, true) then bad[#bad + 1] = tostring(why) end
  end
  thread("t", function()
    for _, fn in ipairs {kvm_vcpu_srcu_read_lock, kvm_vcpu_srcu_read_unlock, vcpu_enter_guest,
                         kvm_vcpu_kick, kvm_request_pending} do
      wrong("vcpu expected, got vm", fn, vm)
      wrong("vcpu expected, got no value", fn)
      wrong("vcpu expected, got number", fn, 0)
    end
    wrong("expected 0..63, got 64", kvm_make_request, 64, vcpu)
    wrong("expected 0..63, got -1", kvm_check_request, -1, vcpu)
    wrong("expected 0..63, got 64", kvm_make_all_cpus_request, vm, 64)
    wrong("integer expected", kvm_make_request, "1", vcpu)
    wrong("vcpu expected", kvm_make_request, 1, vm)
    wrong("vm expected", kvm_make_all_cpus_request, vcpu, 1)
    wrong("function expected, got number", vcpu_enter_guest, vcpu, 1)
  end)
  run()
  tap.same(bad, {}, "wrong arguments have clear messages")
  tap.is(status("t"), "done", "and nothing is lost")
end

tap.done()
