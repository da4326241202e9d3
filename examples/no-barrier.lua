-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: what goes wrong without one of SRCU's barriers?
--
-- Shows: scenarios FAULT_DOES, for `srcush explore --model weak no-barrier.lua:B_loads`:
-- without barrier A to E (or with all of them: `none`, or with gp_seq read and written
-- plainly: `plain`), and
--   loads, stores    one reader, whose section only loads, or also stores
--   loads2, stores2  two such readers
--   wrap             one reader, counters of 3 bits (none and D only)
--   polled           an updater, and somebody who polls for its grace period
-- barriers.lua explores them all and prints a table.

-- Of srcu.new(), for a fault (or nil); another function, if somebody loads this with one.
local options = ... or function(fault, bits)
  return {size = "small", faults = {fault}, counter_bits = bits}
end

-- A section loads x, and then loads or stores y; the updater stores to x, waits, and then
-- stores or loads y.  Whatever a section does comes behind the begin of the grace period or
-- before its end: it must not miss what is stored before, and be missed behind it (or see
-- what is stored there).
local function sections(fault, readers, stores)
  return function()
    cpus(readers + 1)
    local ss = srcu.new("ss", options(fault))
    local x, y, seen = var "x", {}, {}
    for i = 1, readers do
      y[i] = (stores or i == 1) and var("y" .. i) or y[1]
      seen[i] = {x = ghost("seen" .. i .. ".x", 0), y = ghost("seen" .. i .. ".y", 0)}
      thread("reader" .. i, function()
        local idx = srcu_read_lock(ss)
        seen[i].x.value = READ_ONCE(x)
        if stores then WRITE_ONCE(y[i], 1) else seen[i].y.value = READ_ONCE(y[i]) end
        srcu_read_unlock(ss, idx)
      end, {cpu = i})
    end
    local behind = ghost("behind", {})
    thread("updater", function()
      WRITE_ONCE(x, 1)
      synchronize_srcu_expedited(ss)
      local found = {}
      for i = 1, stores and readers or 0 do found[i] = READ_ONCE(y[i]) end
      if not stores then WRITE_ONCE(y[1], 1) end
      behind.value = found
    end, {cpu = 0})
    finally(function()
      for i = 1, readers do
        local behind_begin = seen[i].x.value == 1
        local before_end = not stores and seen[i].y.value == 0 or behind.value[i] == 1
        assert(behind_begin or before_end,
               "a section is neither behind the begin of the grace period nor before its end")
      end
    end)
  end
end

-- One section is open all the time, others come and go: for a scan that misses their ends
-- they are 1 + 6 locks, and the section within synchronize_srcu() makes 8, which is 0.
local function wrap(fault)
  return function()
    cpus(2)
    local ss = srcu.new("ss", options(fault, 3))
    thread("reader", function()
      local idx = srcu_read_lock(ss)
      for _ = 1, 6 do
        local inner = srcu_read_lock(ss)
        srcu_read_unlock(ss, inner)
      end
      srcu_read_unlock(ss, idx)
    end, {cpu = 1})
    thread("updater", function() synchronize_srcu_expedited(ss) end, {cpu = 0})
  end
end

local function polled(fault)
  return function()
    cpus(2)
    local ss = srcu.new("ss", options(fault))
    thread("updater", function() synchronize_srcu_expedited(ss) end, {cpu = 0})
    thread("poller", function()
      poll_state_synchronize_srcu(ss, get_state_synchronize_srcu(ss))
    end, {cpu = 1})
  end
end

local scenarios = {}
local faults = {none = false, A = "no-mb-A", B = "no-mb-B", C = "no-mb-C", D = "no-mb-D",
                E = "no-mb-E", plain = "plain-gp-seq"}
for name, fault in pairs(faults) do
  fault = fault or nil
  scenarios[name .. "_loads"] = sections(fault, 1, false)
  scenarios[name .. "_stores"] = sections(fault, 1, true)
  scenarios[name .. "_loads2"] = sections(fault, 2, false)
  scenarios[name .. "_stores2"] = sections(fault, 2, true)
end
scenarios.none_wrap, scenarios.D_wrap = wrap(), wrap "no-mb-D"
scenarios.none_polled, scenarios.plain_polled = polled(), polled "plain-gp-seq"
return scenarios
