-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: may a reader of kvm->srcu take kvm->lock, if updaters call
-- synchronize_srcu() while they hold it?
--
-- Shows: the reader waits for the lock, whose holder waits for the reader: a
-- deadlock, with its cycle; and that moving synchronize_srcu() out of the lock
-- ends it.
--
--	srcush srcu-lock-order.lua

local function say(format, ...)
  print((format:format(...)))
end

local function title(text, mark)
  say("\n%s\n%s", text, string.rep(mark or "-", #text))
end

-- A long text in lines of at most 78 characters.
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

-- A vCPU inside of its section, about to take the lock, and an updater that has
-- run as far as it could.
local function scenario(sync)
  world()
  cpus(2)
  local vm = kvm.create_vm("kvm", {msr = {sync = sync}})
  thread("vcpu", function()
    local idx = srcu_read_lock(vm.srcu)
    mutex_lock(vm.lock)
    mutex_unlock(vm.lock)
    srcu_read_unlock(vm.srcu, idx)
  end, {cpu = 0})
  thread("updater", function()
    kvm_vm_ioctl_set_msr_filter(vm, {default = "allow"})
  end, {cpu = 1})
  step_over("vcpu")
  finish("updater")
  return vm
end

-- Runs on from there and says what becomes of the two.
local function outcome(sync)
  local vm = scenario(sync)
  say("The vCPU is in its section; the updater has got as far as it can:\n")
  wrapped(("updater is %s %s"):format(status("updater")))
  show(vm.lock)
  local report = run()
  say("\nEverybody goes on as long as somebody can:\n")
  for _, name in ipairs {"vcpu", "updater"} do
    local state, why = status(name)
    wrapped(("%s is %s %s"):format(name, state, why or ""))
  end
  for _, violation in ipairs(report.violations) do
    say("\n%s:", violation.kind)
    wrapped(violation.message)
  end
  return #report.violations
end

print [[
May a reader of kvm->srcu take kvm->lock?
=========================================
  a vCPU                                an updater of the MSR filter
  ------------------------------------  ---------------------------------------
  idx = srcu_read_lock(&kvm->srcu)      mutex_lock(&kvm->lock)
  mutex_lock(&kvm->lock)                old = filter; filter = new
  ...                                   synchronize_srcu(&kvm->srcu)   (inside)
  mutex_unlock(&kvm->lock)              kfree(old)
  srcu_read_unlock(&kvm->srcu, idx)     mutex_unlock(&kvm->lock)

KVM's rules (Documentation/virt/kvm/locking.rst) forbid the left side where the
right side exists.  KVM's Xen code broke them until Linux 6.2 gave it a lock of
its own.]]

title("1. synchronize_srcu() inside kvm->lock (up to Linux 6.2)")
local inside = outcome("inside")

title("2. synchronize_srcu() outside of kvm->lock (from Linux 6.3 on)")
local outside = outcome("outside")

title("Verdict", "=")
say("synchronize_srcu() inside of the lock: %s; outside of it: %s.\n",
    inside > 0 and "deadlock" or "no deadlock", outside > 0 and "deadlock" or "no deadlock")
print [[
synchronize_srcu() waits for readers: to call it under a lock orders the lock
before the read section, as if the section were a lock that is taken there.  A
reader that takes the lock orders the two the other way round.  A test finds it
only if a reader happens to be inside at the moment of an update.]]
