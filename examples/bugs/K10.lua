-- SPDX-License-Identifier: GPL-2.0-or-later
-- K10: a device of KVM's I/O bus, used too late or freed too early (grace period).
--
-- Question: the bus is an array of devices that is copied for each change and found under
-- kvm->srcu.  kvm_io_bus_get_dev() looks a device up in a section of its own and returns
-- it.  kvm_io_bus_unregister_dev(), if it gets no memory for a shorter array, gives up the
-- bus as a whole.  What can go wrong with either?
--
-- Where: CVE-2021-47061 ("KVM: Destroy I/O bus devices on unregister failure _after_
-- sync'ing SRCU"), 2021-04.
--
-- Answer: what is found in a section may be used in that section.  After its end only
-- something else keeps the device: a lock that its unregistering needs as well.  And on
-- the error path the other devices were destroyed first, before the grace period: a
-- vCPU that had found the old array still used them.  All that goes with the array has
-- to wait for the same grace period.
--
-- Scenarios and what exploring them says (model sc, 2 CPUs, ideal SRCU):
--   buggy         violation, use-after-free   used after the unlock
--   fixed         ok                          used in the section
--   under_lock    ok                          used after it, under slots_lock
--   error_path    violation, use-after-free   devices destroyed before the grace period
--   error_fixed   ok                          after it
--
--	srcush explore K10.lua:buggy

-- An array of two devices, one field for each place.  The first is taken off.
local function build()
  local pit, uart = kmalloc("pit", {written = 0}), kmalloc("uart", {written = 0})
  return {ss = srcu.new("kvm.srcu", {flavor = "ideal"}), slots_lock = mutex "slots_lock",
          bus = ptr("kvm.bus", kmalloc("bus", {pit = pit, uart = uart}))}
end

-- ------------------------------------------------- taking a device off

-- Without memory for the shorter array both devices go.
local function unregister(s, early)
  mutex_lock(s.slots_lock)
  local bus = rcu_dereference_protected(s.bus, lockdep_is_held(s.slots_lock))
  local pit, uart = bus.pit, bus.uart
  local new = kmalloc("shorter", {pit = null, uart = uart}, {may_fail = true})
  if not new and early then kfree(uart) end
  rcu_assign_pointer(s.bus, new)
  synchronize_srcu_expedited(s.ss)
  if not new and not early then kfree(uart) end
  kfree(pit)
  kfree(bus)
  mutex_unlock(s.slots_lock)
end

-- ------------------------------------------------- using one

local function use(dev)
  WRITE_ONCE(dev'written', 1)
end

local function get_dev(s)
  local idx = srcu_read_lock(s.ss)
  local bus = srcu_dereference(s.bus, s.ss)
  local dev = bus and bus.pit
  srcu_read_unlock(s.ss, idx)
  return dev
end

local function after_unlock(s)
  local dev = get_dev(s)
  if dev then use(dev) end
end

local function under_lock(s)
  mutex_lock(s.slots_lock)
  local dev = get_dev(s)
  if dev then use(dev) end
  mutex_unlock(s.slots_lock)
end

local function in_section(s)
  local idx = srcu_read_lock(s.ss)
  local bus = srcu_dereference(s.bus, s.ss)
  if bus then use(bus.uart) end
  srcu_read_unlock(s.ss, idx)
end

local function scenario(user, early)
  return function()
    cpus(2)
    local s = build()
    thread("user", function() user(s) end)
    thread("unregister", function() unregister(s, early) end)
  end
end

return {
  buggy = scenario(after_unlock),
  fixed = scenario(in_section),
  under_lock = scenario(under_lock),
  error_path = scenario(in_section, true),
  error_fixed = scenario(in_section, false),
}
