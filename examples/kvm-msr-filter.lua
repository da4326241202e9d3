-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: KVM replaces a VM's MSR filter while vCPUs look MSRs up in it.  Must
-- synchronize_srcu() stay inside kvm->lock?  And what is the lock there for?
--
-- Shows: the same two threads with synchronize_srcu() left out, outside of the
-- lock and inside it; two updaters with and without the lock; and the update
-- written out in Lua beside the C object.
--
--	srcush kvm-msr-filter.lua

local MSR = 0x174			-- IA32_SYSENTER_CS

local function say(format, ...)
  print((format:format(...)))
end

local function title(text, mark)
  say("\n%s\n%s", text, string.rep(mark or "-", #text))
end

-- A filter that says of one MSR whether it may be read: allowed by 1, not by 0.
local function filter(bit)
  return {default = "allow",
          ranges = {{base = MSR, nmsrs = 1, read = true, bitmap = {bit}}}}
end

-- A VM whose filter allows the MSR, a vCPU that is about to ask for it, and
-- `updaters` that are about to forbid it.
local function scenario(msr, ...)
  world()
  cpus(3)
  local vm = kvm.create_vm("kvm", {msr = msr})
  local result = {}
  thread("setup", function()
    kvm_vm_ioctl_set_msr_filter(vm, filter(1))
    kvm_check_request(KVM_REQ_MSR_FILTER_CHANGED, vm.vcpus[0])
  end, {cpu = 0})
  run()
  thread("vcpu", function() result.allowed = kvm_msr_allowed(vm, MSR, "read") end, {cpu = 0})
  for i, name in ipairs {...} do
    thread(name, function() kvm_vm_ioctl_set_msr_filter(vm, filter(0)) end, {cpu = i})
  end
  return vm, result
end

-- Steps a thread until it has done something to an object.
local function step_to(thread, object)
  repeat local e = assert(step(thread)) until e.object == object
end

-- The steps that the question is about, in a few words: the section, the lock,
-- the pointer, the grace period's state, and what is freed.
local function gist(e)
  if e.object == "kvm.lock" then
    return e.text
  elseif e.object == "kvm.msr_filter" then
    return (e.op == "store" and "publishes " or "finds ") .. e.value
  elseif e.op == "free" then
    return ("kfree(%s)"):format(e.object:match("^[^@]+@%w+%.%d+"))
  elseif e.op == "cpu-add" then
    return e.call .. "(kvm.srcu)"
  elseif e.op == "store" and e.object:find "^kvm%.srcu%..*gp_seq$" then
    return ("grace period: %s -> %s"):format(e.text:match "(%u%w+) %-> %S+ (%u%w+)")
  end
end

local function story(first)
  for _, e in ipairs(trace()) do
    local text = e.n >= first and gist(e)
    if text then say("  %4d  %-20s %s", e.n, e.thread, text) end
  end
end

local function now()
  local last = trace(1)[1]
  return last and last.n or 0
end

-- The lines of a long text, none wider than the page.
local function wrapped(text)
  local line = " "
  for word in text:gmatch("%S+") do
    if #line + #word > 78 then
      print(line)
      line = " "
    end
    line = line .. " " .. word
  end
  print(line)
end

print [[
Must synchronize_srcu() stay inside kvm->lock?
==============================================
The ioctl KVM_X86_SET_MSR_FILTER gives a VM another filter while its vCPUs look
MSRs up in the one they find:

  the ioctl                           a vCPU
  ----------------------------------  -----------------------------------------
  mutex_lock(&kvm->lock)              idx = srcu_read_lock(&kvm->srcu)
  old = filter; filter = new          f = srcu_dereference(filter, &kvm->srcu)
  mutex_unlock(&kvm->lock)            allowed = what f says of the MSR
  synchronize_srcu(&kvm->srcu)        srcu_read_unlock(&kvm->srcu, idx)
  kfree(old)

Up to Linux 6.2 the unlock was the last line: synchronize_srcu() stood inside.
In each run below the vCPU first gets as far as holding the old filter; then the
updater runs for as long as it can; then the vCPU goes on.]]

title("1. Without synchronize_srcu()")
do
  scenario({sync = "none"}, "updater")
  local first = now() + 1
  step_to("vcpu", "kvm.msr_filter")
  finish("updater")
  local _, violation = finish("vcpu")
  timeline {from = first, columns = 80}
  say("\n%s:", violation.kind)
  wrapped(violation.message)
end

for i, sync in ipairs {"outside", "inside"} do
  title(("%d. With synchronize_srcu() %s kvm->lock"):format(
        i + 1, sync == "outside" and "outside of" or "inside"))
  local vm, result = scenario({sync = sync}, "updater", "second")
  local first = now() + 1
  step_to("vcpu", "kvm.msr_filter")
  finish("updater")
  finish("second")
  say("The vCPU has the old filter, and two updaters have run as far as they can:\n")
  story(first)
  print()
  for _, name in ipairs {"updater", "second"} do
    wrapped(("%s is %s %s"):format(name, status(name)))
  end
  first = now() + 1
  finish("vcpu")
  local report = run()
  say("\nThe vCPU goes on, and then everybody else:\n")
  story(first)
  say("\n  Violations: %d.  The vCPU was answered by the filter it had: %s.",
      #report.violations, result.allowed and "allowed" or "not allowed")
end

title("4. Without kvm->lock")
do
  scenario({mutex = false}, "updater", "second")
  local first
  say("Two updaters, no reader.  The first stops when it has read the old pointer:\n")
  finish("vcpu")
  first = now() + 1
  step_to("updater", "kvm.msr_filter")
  finish("second")
  local violation = run().violations[1]
  story(first)
  say("\n%s:", violation.kind)
  wrapped(violation.message)
end

-- ------------------------------------------------- the same, written in Lua

title("5. The same update, line by line in Lua")

local READ = KVM_MSR_FILTER_READ

-- What kvm_alloc_msr_filter() and kvm_add_msr_filter() build from filter(bit).
local function new_filter(bit)
  local bitmap = kmalloc("bitmap", {bits = bit})
  return kmalloc("filter", {count = 1, default_allow = 1,
                            flags = array(1, READ), nmsrs = array(1, 1), base = array(1, MSR),
                            bitmap = array(1, bitmap)})
end

local function free_filter(filter)
  if not filter then return end
  for i = 0, filter.count - 1 do
    kfree(filter.bitmap[i])
  end
  kfree(filter)
end

-- The ioctl, as Linux 6.12 has it.
local function set_msr_filter(vm, new)
  mutex_lock(vm.lock)
  local old = rcu_replace_pointer(vm.msr_filter, new,
                                  lockdep_is_held(vm.lock))
  mutex_unlock(vm.lock)
  synchronize_srcu(vm.srcu)
  free_filter(old)
  kvm_make_all_cpus_request(vm, KVM_REQ_MSR_FILTER_CHANGED)
end

local function msr_allowed(vm, index, type)
  local allowed = true
  local idx = srcu_read_lock(vm.srcu)
  local filter = srcu_dereference(vm.msr_filter, vm.srcu)

  if filter then
    allowed = filter.default_allow ~= 0
    for i = 0, filter.count - 1 do
      local first = filter.base[i]
      local last = first + filter.nmsrs[i] - 1
      local flags = filter.flags[i]
      local bitmap = filter.bitmap[i]

      if index >= first and index <= last and flags & type ~= 0 then
        allowed = READ_ONCE(bitmap'bits') >> (index - first) & 1 == 1
        break
      end
    end
  end
  srcu_read_unlock(vm.srcu, idx)
  return allowed
end

-- One step beside another needs fewer words still.
local function brief(e)
  local verbs = {load = "reads", ["plain-load"] = "reads", ["or"] = "sets a bit of"}
  local text = gist(e)
  if e.call == "synchronize_srcu" then
    text = "synchronize_srcu(kvm.srcu)"
  elseif not text and verbs[e.op] then
    text = verbs[e.op] .. " " .. e.object:gsub("%[%d+%]$", ""):match("[%w_]+$")
  end
  return text or e.text
end

-- A thread's steps; synchronize_srcu() counts as one.
local function steps_of(thread)
  local steps, waits = {}, false
  for _, e in ipairs(trace()) do
    if e.thread == thread then
      if not (waits and e.call == "synchronize_srcu") then steps[#steps + 1] = brief(e) end
      waits = e.call == "synchronize_srcu"
    end
  end
  return steps
end

-- The steps of an update and of a look-up after it, and the answers before and
-- after.
local function record(install, update, allowed)
  world()
  cpus(1)
  local vm = kvm.create_vm("kvm")
  local answer = {}
  local function in_thread(name, fn)
    thread(name, fn)
    run()
  end
  in_thread("setup", function() install(vm) end)
  in_thread("before", function() answer[1] = allowed(vm) end)
  in_thread("updater", function() update(vm) end)
  in_thread("vcpu", function() answer[2] = allowed(vm) end)
  return {updater = steps_of("updater"), vcpu = steps_of("vcpu"), answer = answer}
end

local c = record(function(vm) kvm_vm_ioctl_set_msr_filter(vm, filter(1)) end,
                 function(vm) kvm_vm_ioctl_set_msr_filter(vm, filter(0)) end,
                 function(vm) return kvm_msr_allowed(vm, MSR, "read") end)
local lua = record(function(vm) rcu_assign_pointer(vm.msr_filter, new_filter(1)) end,
                   function(vm) set_msr_filter(vm, new_filter(0)) end,
                   function(vm) return msr_allowed(vm, MSR, READ) end)

local function side_by_side(thread, left, right)
  local same = #c[thread] == #lua[thread]
  say("  %-37s  %s", left, right)
  say("  %s  %s", ("-"):rep(37), ("-"):rep(37))
  for i = 1, math.max(#c[thread], #lua[thread]) do
    say("  %-37s  %s", c[thread][i] or "", lua[thread][i] or "")
    same = same and c[thread][i] == lua[thread][i]
  end
  say("\n  %s\n", same and "Step for step the same." or "They differ.")
end

-- The text of a function of this script, if it comes from a file.
local function print_source(fn)
  local info, n = debug.getinfo(fn, "S"), 0
  if info.source:sub(1, 1) ~= "@" then return end
  for line in io.lines(info.source:sub(2)) do
    n = n + 1
    if n >= info.linedefined and n <= info.lastlinedefined then print("  " .. line) end
  end
end

print "The ioctl is C inside of srcush.  Here it is in the shell's own vocabulary:\n"
print_source(set_msr_filter)
print()
side_by_side("updater", "kvm_vm_ioctl_set_msr_filter() in C", "set_msr_filter() in Lua")
side_by_side("vcpu", "kvm_msr_allowed() in C", "msr_allowed() in Lua")
say("  Allowed before and after the update?  C: %s, %s.  Lua: %s, %s.",
    c.answer[1], c.answer[2], lua.answer[1], lua.answer[2])

-- -------------------------------------------------------------- the verdict

title("Verdict", "=")

local RUNS = 100

local function violations(msr)
  local n = 0
  for seed = 1, RUNS do
    scenario(msr, "updater", "second")
    if #run{policy = "random", seed = seed}.violations > 0 then n = n + 1 end
  end
  return n
end

say("A vCPU and two updaters, %d schedules at random:\n", RUNS)
say("  synchronize_srcu()  kvm->lock  schedules with a violation")
say("  ------------------  ---------  --------------------------")
for _, msr in ipairs {{sync = "none", mutex = true}, {sync = "inside", mutex = true},
                      {sync = "outside", mutex = true}, {sync = "outside", mutex = false}} do
  say("  %-18s  %-9s  %26d", msr.sync, msr.mutex and "taken" or "not taken", violations(msr))
end
print [[

synchronize_srcu() has to stand between the swap and kfree(): the old filter may
be freed only when each vCPU that could find it has left its section.  It need
not stand inside kvm->lock.  The lock is there for the other updaters: it makes
one of "read the old pointer, store the new one", so that each old filter is
found by one updater only and from then on is that updater's own.  That updaters
then wait for grace periods at the same time does no harm, as the second run
shows; concurrent-synchronize.lua looks at the counters meanwhile.

Held over synchronize_srcu(), the lock keeps other updaters out for as long as
the slowest reader takes; and if a reader wants it itself, for ever: that is
srcu-lock-order.lua.

(Schedules that were tried are evidence for this, and no proof.)]]
