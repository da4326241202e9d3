-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: KVM's buses of emulated devices are arrays that are copied for each
-- change.  What does kvm_io_bus_unregister_dev() owe to vCPUs that are looking into
-- the old array, also when it gets no memory for the new one?
--
-- Shows: registering and unregistering as Linux 6.12 does it; two ways to get the end
-- of a device wrong, of which Linux 5.9 to 5.12 had one; both are caught.
--
--	srcush kvm-io-bus.lua

local function say(format, ...)
  print((format:format(...)))
end

local function title(text, mark)
  say("\n%s\n%s", text, string.rep(mark or "-", #text))
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

-- ------------------------------------------------------------- the bus

-- struct kvm_io_bus with its flexible array of ranges, as one array a member.
local function alloc_bus(count, may_fail)
  local n = math.max(count, 1)
  return kmalloc("bus", {dev_count = count, addr = array(n), len = array(n), dev = array(n, null)},
                 {may_fail = may_fail})
end

local function copy_range(to, i, from, j)
  to.addr[i], to.len[i], to.dev[i] = from.addr[j], from.len[j], from.dev[j]
end

local function kvm_get_bus(vm)
  return srcu_dereference_check(vm.bus, vm.kvm.srcu, lockdep_is_held(vm.kvm.slots_lock))
end

-- Inserts the device before the first range that lies behind its own.
local function register_dev(vm, addr, len, dev)
  lockdep_assert_held(vm.kvm.slots_lock)
  local bus = kvm_get_bus(vm)
  if not bus then return "ENOMEM" end
  local count, i = bus.dev_count, 0
  if count > 999 then return "ENOSPC" end
  local new_bus = alloc_bus(count + 1)
  while i < count and bus.addr[i] <= addr do i = i + 1 end
  for j = 0, i - 1 do copy_range(new_bus, j, bus, j) end
  new_bus.addr[i], new_bus.len[i], new_bus.dev[i] = addr, len, dev
  for j = i, count - 1 do copy_range(new_bus, j + 1, bus, j) end
  rcu_assign_pointer(vm.bus, new_bus)
  synchronize_srcu_expedited(vm.kvm.srcu)
  kfree(bus)
end

local function destroy_bus(bus)
  for i = 0, bus.dev_count - 1 do kfree(bus.dev[i]) end
  kfree(bus)
end

-- Without memory for a shorter array the bus goes as a whole, with all its devices.
local function unregister_dev(vm, dev)
  lockdep_assert_held(vm.kvm.slots_lock)
  local bus = kvm_get_bus(vm)
  if not bus then return end
  local count, i = bus.dev_count, 0
  while i < count and bus.dev[i] ~= dev do i = i + 1 end
  if i == count then return end
  local new_bus = alloc_bus(count - 1, true)
  if new_bus then
    for j = 0, i - 1 do copy_range(new_bus, j, bus, j) end
    for j = i + 1, count - 1 do copy_range(new_bus, j - 1, bus, j) end
  elseif vm.variant == "devices before the grace period" then
    for j = 0, count - 1 do
      if j ~= i then kfree(bus.dev[j]) end
    end
  end
  rcu_assign_pointer(vm.bus, new_bus)
  if vm.variant ~= "no grace period" then synchronize_srcu_expedited(vm.kvm.srcu) end
  if not new_bus and vm.variant ~= "devices before the grace period" then
    destroy_bus(bus)
    return "ENOMEM"
  end
  kfree(dev)
  kfree(bus)
  return not new_bus and "ENOMEM" or nil
end

-- A vCPU's write: the first device whose range holds the address counts it.
local function io_bus_write(vm, addr)
  local bus = srcu_dereference(vm.bus, vm.kvm.srcu)
  if not bus then return "ENOMEM" end
  for i = 0, bus.dev_count - 1 do
    if addr >= bus.addr[i] and addr < bus.addr[i] + bus.len[i] then
      local dev = bus.dev[i]
      dev.written = dev.written + 1
      return
    end
  end
  return "EOPNOTSUPP"
end

-- ------------------------------------------------------------- the scenario

-- A bus with two devices, a vCPU that writes to the second, and somebody who takes
-- the first one off.
local function scenario(variant)
  world()
  cpus(2)
  local vm = {kvm = kvm.create_vm("kvm"), variant = variant}
  local result = {}
  vm.bus = ptr("kvm.bus", alloc_bus(0))
  vm.pit, vm.uart = kmalloc("pit", {written = 0}), kmalloc("uart", {written = 0})
  thread("setup", function()
    mutex_lock(vm.kvm.slots_lock)
    register_dev(vm, 0x3f8, 8, vm.uart)
    register_dev(vm, 0x40, 4, vm.pit)
    mutex_unlock(vm.kvm.slots_lock)
  end)
  run()
  local vcpu = vm.kvm.vcpus[0]
  thread("vcpu", function()
    kvm_vcpu_srcu_read_lock(vcpu)
    result.write = io_bus_write(vm, 0x3f8) or "done"
    kvm_vcpu_srcu_read_unlock(vcpu)
  end, {cpu = 0})
  thread("unregister", function()
    mutex_lock(vm.kvm.slots_lock)
    result.unregister = unregister_dev(vm, vm.pit) or "done"
    mutex_unlock(vm.kvm.slots_lock)
  end, {cpu = 1})
  return vm, result
end

print [[
A device leaves KVM's I/O bus
=============================
  kvm_io_bus_unregister_dev()           a vCPU
  ------------------------------------  ---------------------------------------
  new_bus = kmalloc(one range less)     (inside of its section of kvm->srcu)
  memcpy(all ranges but the device's)   bus = srcu_dereference(kvm->buses[i])
  rcu_assign_pointer(buses[i], new_bus) find the range of the address
  synchronize_srcu_expedited(srcu)      call the range's device
  free the device and the old array

The caller holds kvm->slots_lock.  If kmalloc() fails the bus is given up: NULL
is published, and all its devices go.]]

title("1. As in Linux 6.12")
do
  local vm, result = scenario()
  run_until("vcpu", function() return (pending("vcpu").object or ""):find "dev_count" end)
  finish("unregister")
  say("The vCPU has the old array; unregister is %s.  The array that others find:\n",
      (status("unregister")))
  show(READ_ONCE(vm.bus))
  run()
  say("\nThe vCPU's write: %s.  Unregistering: %s.", result.write, result.unregister)
end

-- Whatever the schedule, with kmalloc() failing (the second choice) or not.
local function first_violation(variant, fails)
  scenario(variant)
  run_until("vcpu", function() return (pending("vcpu").object or ""):find "dev_count" end)
  run_until("unregister", function() return pending("unregister").op == "choose" end)
  assert(replay(schedule() .. (fails and " unregister=2" or " unregister=1")))
  finish("unregister")
  return run().violations[1]
end

title("2. Without the grace period")
wrapped(first_violation("no grace period", false).message)

title("3. No memory, and the other devices go before the grace period")
print [[
  Linux 5.9 to 5.12 called the destructors of the remaining devices when it saw
  that kmalloc() had failed, and waited for readers after that.  The array was
  safe; what it points to was not.
]]
wrapped(first_violation("devices before the grace period", true).message)

title("Verdict", "=")

local RUNS = 100

local function violations(variant)
  local n, failed = 0, 0
  for seed = 1, RUNS do
    local _, result = scenario(variant)
    if #run{policy = "random", seed = seed}.violations > 0 then n = n + 1 end
    if result.unregister == "ENOMEM" then failed = failed + 1 end
  end
  return n, failed
end

say("%d schedules at random, in which kmalloc() may fail:\n", RUNS)
say("  %-35s  %10s  %9s", "unregistering", "violations", "no memory")
say("  %s  %s  %s", ("-"):rep(35), ("-"):rep(10), ("-"):rep(9))
for _, variant in ipairs {"as in Linux 6.12", "no grace period", "devices before the grace period"} do
  say("  %-35s  %10d  %9d", variant, violations(variant))
end
print [[

The old array and every device that can be found through it, and not through the
new one, may be freed when the grace period is over, and no earlier.  The error
path removes more devices than the caller asked for, so it owes them the same.
slots_lock keeps other updaters out all the while, the wait included: nobody who
holds kvm->srcu takes it.]]
