-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: KVM has two SRCU domains for each VM.  Interrupts are routed under
-- kvm->irq_srcu: what does kvm_set_irq_routing() have to wait for, and what may a
-- reader keep when its section is over?
--
-- Shows: the update as Linux 6.12 does it; the same with the grace period of the wrong
-- domain; and a reader that keeps a pointer instead of a copy.
--
--	srcush kvm-irq-routing.lua

local GSI = 4

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

-- struct kvm_irq_routing_table: for each GSI the first entry of a list.
local function alloc_table(vector)
  local entry = kmalloc("entry", {gsi = GSI, vector = vector, next = null})
  local routing = kmalloc("table", {nr_rt_entries = GSI + 1, map = array(GSI + 1, null)})
  routing.map[GSI] = entry
  return routing
end

local function free_irq_routing_table(routing)
  if not routing then return end
  for gsi = 0, routing.nr_rt_entries - 1 do
    local entry = routing.map[gsi]
    while entry do
      local following = entry.next
      kfree(entry)
      entry = following
    end
  end
  kfree(routing)
end

-- The irqfds' copies of their entries follow under the lock (kvm_irq_routing_update());
-- they are left out here.
local function set_irq_routing(vm, new)
  mutex_lock(vm.kvm.irq_lock)
  local old = rcu_dereference_protected(vm.irq_routing, lockdep_is_held(vm.kvm.irq_lock))
  rcu_assign_pointer(vm.irq_routing, new)
  mutex_unlock(vm.kvm.irq_lock)
  synchronize_srcu_expedited(vm.variant == "wrong domain" and vm.kvm.srcu or vm.kvm.irq_srcu)
  free_irq_routing_table(old)
end

-- The entries of a GSI: copies of them in the kernel, or what is kept of them here.
local function irq_map_gsi(vm, gsi, keep)
  local set = {}
  local routing = srcu_dereference_check(vm.irq_routing, vm.kvm.irq_srcu,
                                         lockdep_is_held(vm.kvm.irq_lock))
  if routing and gsi < routing.nr_rt_entries then
    local entry = routing.map[gsi]
    while entry do
      set[#set + 1] = keep(entry)
      entry = entry.next
    end
  end
  return set
end

-- Raises an interrupt: the section covers the look-up only, because delivering may
-- take long.
local function set_irq(vm, gsi)
  local by_pointer = vm.variant == "pointer kept"
  local idx = srcu_read_lock(vm.kvm.irq_srcu)
  local set = irq_map_gsi(vm, gsi, function(entry)
    return by_pointer and entry or {vector = entry.vector}
  end)
  srcu_read_unlock(vm.kvm.irq_srcu, idx)
  local vector
  for _, entry in ipairs(set) do vector = entry.vector end
  return vector
end

local function scenario(variant)
  world()
  cpus(2)
  local vm = {kvm = kvm.create_vm("kvm"), irq_routing = ptr("kvm.irq_routing"), variant = variant}
  local result = {}
  thread("setup", function() rcu_assign_pointer(vm.irq_routing, alloc_table(0x31)) end)
  run()
  thread("device", function()
    for i = 1, 2 do result[i] = set_irq(vm, GSI) end
  end, {cpu = 0})
  thread("updater", function() set_irq_routing(vm, alloc_table(0x32)) end, {cpu = 1})
  return vm, result
end

-- Stops the device before its next access to something whose name ends so.
local function device_until(name)
  run_until("device", function() return (pending("device").object or ""):find(name .. "$") ~= nil end)
end

-- Lets the updater end if its grace period does without the device.
local function updater_ends(vm)
  for _, ss in ipairs {vm.kvm.srcu, vm.kvm.irq_srcu} do
    run_until("updater", function() return status("updater") == "done" end, ss)
  end
  say("The device has found the old table; the updater is %s.\n", (status("updater")))
end

print [[
Another routing of interrupts
=============================
  kvm_set_irq_routing()                  kvm_set_irq()
  -------------------------------------  --------------------------------------
  mutex_lock(&kvm->irq_lock)             idx = srcu_read_lock(&kvm->irq_srcu)
  old = irq_routing; irq_routing = new   rt = srcu_dereference(irq_routing)
  mutex_unlock(&kvm->irq_lock)           copy the entries of the GSI
  synchronize_srcu_expedited(irq_srcu)   srcu_read_unlock(&kvm->irq_srcu, idx)
  free the old table with its entries    deliver what the copies say]]

title("1. As in Linux 6.12")
do
  local vm, result = scenario()
  device_until "nr_rt_entries"
  updater_ends(vm)
  local n = #run().violations
  say("  Violations: %d.  The interrupt goes where the old table says, to vector\n"
      .. "  0x%x, and the next one to 0x%x.", n, result[1], result[2])
end

title("2. The grace period of kvm->srcu instead")
do
  local vm = scenario("wrong domain")
  device_until "nr_rt_entries"
  updater_ends(vm)
  wrapped(run().violations[1].message)
end

title("3. A reader that keeps the entry's address, not a copy")
do
  local vm = scenario("pointer kept")
  device_until "next"
  step_over("device")
  device_until "vector"
  updater_ends(vm)
  wrapped(run().violations[1].message)
end

title("Verdict", "=")

-- The device stops before each of its steps in turn; the updater goes as far as it
-- can; then everybody goes on.
local function violations(variant)
  local stops, bad = 0, 0
  repeat
    local vm = scenario(variant)
    for _ = 1, stops do step("device") end
    local over = status("device") == "done"
    for _, ss in ipairs {vm.kvm.srcu, vm.kvm.irq_srcu} do
      run_until("updater", function() return status("updater") == "done" end, ss)
    end
    if #run().violations > 0 then bad = bad + 1 end
    stops = stops + 1
  until over
  return stops, bad
end

say("The device stops before each of its steps in turn, and the updater runs as far")
say("as it can; then both go on:\n")
say("  %-18s  %6s  %10s", "variant", "places", "violations")
say("  %s  %s  %s", ("-"):rep(18), ("-"):rep(6), ("-"):rep(10))
for _, variant in ipairs {"as in Linux 6.12", "wrong domain", "pointer kept"} do
  say("  %-18s  %6d  %10d", variant, violations(variant))
end
print [[

A grace period waits for the readers of its own srcu_struct and for no others.
That is what the second domain is for: who changes the routing need not wait for
vCPUs, which are inside of kvm->srcu for most of their time in KVM, and nobody
who delivers an interrupt is waited for when memory slots change.

The section covers the look-up, not the delivery.  What leaves it has to be a
copy: an address that was found in a section is worth nothing after it.]]
