-- SPDX-License-Identifier: GPL-2.0-or-later
-- K11: call_srcu() instead of synchronize_srcu() when a device comes to an I/O bus (memory
-- ordering).
--
-- Question: the registration copies kvm->buses[], swaps the pointer, and waits for a grace
-- period only to free the old copy.  That costs boot time; may it use call_srcu() instead?
--
-- Where: 7d9a0273c459, 2025-09.
--
-- Answer: the memory is safe either way.  But the wait gave something else: who knew that the
-- device was there found it.  A vCPU that has seen so (in the guest's memory), and then
-- accesses the device, loads the pointer to the bus behind that, and without a barrier may
-- get the old one: the guest's access goes to nobody.  With synchronize_srcu() that cannot
-- be, if it all is one section: one that misses the new pointer is over before the
-- registration is.  With call_srcu() the read path needs a barrier before it loads the
-- pointer.  On x86 loads stay in order.
--
-- Scenarios and what exploring them says (sc and tso: all ok):
--                weak
--   waits        ok                       synchronize_srcu(), and no barrier
--   buggy        violation, assertion     call_srcu(), and no barrier
--   fixed        ok                       call_srcu(), and smp_mb() on the read path
--
--	srcush explore --model weak K11.lua:buggy

local function bus(free, barrier)
  return function()
    cpus(2)
    local ss = srcu.new("ss", {size = "small"})
    local old = kmalloc("old", {devices = 0})
    local buses, told = ptr("buses", old), var "told"
    thread("ioctl", function()
      local new = kmalloc("new", {devices = 0})
      new.devices = 1
      rcu_assign_pointer(buses, new)
      free(ss, old)
      WRITE_ONCE(told, 1)		-- the guest gets to know
    end, {cpu = 0})
    thread("vcpu", function()
      local idx = srcu_read_lock(ss)
      local knows = READ_ONCE(told) == 1
      if barrier then smp_mb() end
      local devices = srcu_dereference(buses, ss).devices
      assert(not knows or devices == 1, "the device that was registered is not found")
      srcu_read_unlock(ss, idx)
    end, {cpu = 1})
  end
end

local function waits(ss, old)
  synchronize_srcu_expedited(ss)
  kfree(old)
end

local function calls(ss, old)
  call_srcu(ss, function() kfree(old) end)
end

return {waits = bus(waits), buggy = bus(calls), fixed = bus(calls, true)}
