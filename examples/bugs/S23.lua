-- SPDX-License-Identifier: GPL-2.0-or-later
-- S23: waits that can never end, and clean-ups that come too early (deadlock).
--
-- Question: what does the documentation of srcu_read_lock(), synchronize_srcu() and
-- cleanup_srcu_struct() forbid, and what happens to who does it all the same?
--
-- Where: the kernel-doc comments of these functions.
--
-- Answer: a grace period waits for every section, the caller's own included: a wait in
-- one's own section never ends.  Nor do two readers that wait for each other's
-- srcu_struct; but one may wait for a srcu_struct that one is no reader of, as long as
-- there is an order among them all.  cleanup_srcu_struct() refuses, with a warning, and
-- leaks what it cannot free, while there are readers or callbacks.
--
-- Scenarios and what exploring them says (model sc; ideal SRCU, what is told to clean up
-- tree SRCU on 2 CPUs):
--   buggy              violation, self-deadlock   synchronize_srcu() in one's own section
--   fixed              ok                         after the section
--   cycle              violation, lock-order      two srcu_structs, each waited for by the
--                      (and deadlock)             other's reader
--   ordered            ok                         both wait for b in a section of a
--   cleanup_reader     violation, warning         a reader may still be inside
--   cleanup_waited     ok                         it has ended before
--   cleanup_callback   violation, warning         call_srcu(), and no srcu_barrier()
--   cleanup_barrier    ok                         with srcu_barrier()
--
--	srcush explore S23.lua:buggy

local function ideal(name)
  return srcu.new(name, {flavor = "ideal"})
end

local function buggy()
  local ss = ideal "ss"
  thread("task", function()
    local idx = srcu_read_lock(ss)
    synchronize_srcu(ss)
    srcu_read_unlock(ss, idx)
  end)
end

local function fixed()
  local ss = ideal "ss"
  for i = 1, 2 do
    thread("task" .. i, function()
      local idx = srcu_read_lock(ss)
      srcu_read_unlock(ss, idx)
      synchronize_srcu(ss)
    end)
  end
end

-- Waits for one srcu_struct in a section of another.
local function wait_inside(name, reads, waits)
  thread(name, function()
    local idx = srcu_read_lock(reads)
    synchronize_srcu(waits)
    srcu_read_unlock(reads, idx)
  end)
end

local function cycle()
  local a, b = ideal "a", ideal "b"
  wait_inside("first", a, b)
  wait_inside("second", b, a)
end

local function ordered()
  local a, b = ideal "a", ideal "b"
  wait_inside("first", a, b)
  wait_inside("second", a, b)
end

-- A reader, and somebody who cleans up when the reader is inside, or has gone.
local INSIDE, GONE = 1, 2

local function cleanup_reader(waits_for)
  return function()
    cpus(2)
    local ss, reader = srcu.new("ss"), var "reader_is"
    thread("reader", function()
      local idx = srcu_read_lock(ss)
      smp_store_release(reader, INSIDE)
      srcu_read_unlock(ss, idx)
      smp_store_release(reader, GONE)
    end)
    thread("owner", function()
      cond_wait(function() return READ_ONCE(reader) >= waits_for end)
      cleanup_srcu_struct(ss)
    end)
  end
end

local function cleanup_callback(waits)
  return function()
    cpus(2)
    local ss = srcu.new("ss")
    thread("owner", function()
      call_srcu(ss, function() end)
      if waits then srcu_barrier(ss) end
      cleanup_srcu_struct(ss)
    end)
  end
end

return {
  buggy = buggy,
  fixed = fixed,
  cycle = cycle,
  ordered = ordered,
  cleanup_reader = cleanup_reader(INSIDE),
  cleanup_waited = cleanup_reader(GONE),
  cleanup_callback = cleanup_callback(false),
  cleanup_barrier = cleanup_callback(true),
}
