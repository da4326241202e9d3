-- SPDX-License-Identifier: GPL-2.0-or-later
-- S11: a callback without a grace period (hang, lost callback).
--
-- Question: call_srcu() puts the callback into a list of four segments, moves those that
-- are ready (advance), and gives the new one the number of the grace period that it has
-- to wait for (accelerate), from a snapshot of gp_seq.  Does it matter whether the
-- snapshot is taken before or after the advance?
--
-- Where: commit 4a8e65b0c348 ("srcu: Fix callbacks acceleration mishandling"), 2023-10,
-- for code since da915ad5cf25, 2017.
--
-- Answer: it must be taken before.  With one callback waiting for the grace period under
-- way and another for the next, a third one looks at gp_seq, and nothing is ready.  Then
-- the grace period ends and the next begins.  The snapshot, taken only now, is one
-- further than both segments' numbers; both are in use, so there is no room, and the
-- callback is left without a number: no end of a grace period makes it ready.
--
-- Scenarios and what exploring them says (model sc):
--   buggy         violation, stall         the list in Lua: one thread posts three callbacks
--   fixed         ok                       the same, snapshot first
--   tree_buggy    violation, warning       tree SRCU, the same thread, 3 CPUs: the kernel
--                 (and then stall)         warns when there is no room
--   tree_fixed    no violation             the same without the fault
--
-- The last two are large.  tree_buggy is found by pct in a second or two (--depth 5);
-- tree_fixed was not at its end after 270,000 executions:
--
--	srcush explore S11.lua:buggy
--	srcush explore --strategy pct --depth 5 S11.lua:tree_buggy

local POSTS = 3

-- ------------------------------------------------- the callback list, in Lua

-- gp_seq is odd while a grace period is under way.  The list counts its callbacks: those
-- that wait for grace period wait_seq, those that are ready for the next, and those that
-- have no number yet.

local function snap(seq)
  return (seq + 3) & ~1
end

-- What waits for a grace period that is over can be invoked.
local function advance(list, seq)
  if list.wait > 0 and list.wait_seq <= seq then
    list.done, list.wait = list.done + list.wait, 0
  end
  if list.ready > 0 and list.ready_seq <= seq then
    list.done, list.ready = list.done + list.ready, 0
  end
  if list.wait == 0 and list.ready > 0 then
    list.wait, list.wait_seq, list.ready = list.ready, list.ready_seq, 0
  end
end

-- A number for those that have none: behind the last segment that waits for less.
local function accelerate(list, s)
  if list.ready > 0 and list.ready_seq < s then return end
  if list.wait > 0 and list.wait_seq < s then
    list.ready, list.ready_seq, list.next = list.ready + list.next, s, 0
  else
    list.wait, list.wait_seq = list.wait + list.ready + list.next, s
    list.ready, list.next = 0, 0
  end
end

-- Grace period s is needed; it starts, if none is under way.
local function request(c, s)
  spin_lock(c.lock)
  local seq = READ_ONCE(c.gp_seq)
  if READ_ONCE(c.needed) < s then WRITE_ONCE(c.needed, s) end
  if seq % 2 == 0 and seq < s then WRITE_ONCE(c.gp_seq, seq + 1) end
  spin_unlock(c.lock)
end

local function post(c, late)
  local list, s = c.list, nil
  spin_lock(c.list_lock)
  list.next = list.next + 1
  if not late then s = snap(READ_ONCE(c.gp_seq)) end
  advance(list, READ_ONCE(c.gp_seq))
  if late then s = snap(READ_ONCE(c.gp_seq)) end
  accelerate(list, s)
  spin_unlock(c.list_lock)
  request(c, s)
end

-- The end of a grace period, and the begin of the next, if that is needed.
local function end_period(c)
  spin_lock(c.lock)
  local seq = READ_ONCE(c.gp_seq) + 1
  WRITE_ONCE(c.gp_seq, seq)
  if READ_ONCE(c.needed) > seq then WRITE_ONCE(c.gp_seq, seq + 1) end
  spin_unlock(c.lock)
end

local function invoke(c)
  spin_lock(c.list_lock)
  advance(c.list, READ_ONCE(c.gp_seq))
  local n = c.list.done
  c.list.done = 0
  spin_unlock(c.list_lock)
  WRITE_ONCE(c.invoked, READ_ONCE(c.invoked) + n)
end

local function core(late)
  return function()
    cpus(2)
    local c = {gp_seq = var "gp_seq", needed = var "needed", posted = var "posted",
               invoked = var "invoked", lock = spinlock "lock",
               list_lock = spinlock "list_lock",
               list = kmalloc("list", {done = 0, wait = 0, wait_seq = 0, ready = 0,
                                       ready_seq = 0, next = 0}, {static = true})}
    thread("caller", function()
      for i = 1, POSTS do
        post(c, late)
        WRITE_ONCE(c.posted, i)
      end
      cond_wait(function() return READ_ONCE(c.invoked) == POSTS end)
    end)
    thread("worker", function()
      while true do
        cond_wait(function()
          return READ_ONCE(c.gp_seq) % 2 == 1 or READ_ONCE(c.posted) == POSTS
        end)
        if READ_ONCE(c.gp_seq) % 2 == 0 then break end
        end_period(c)
        invoke(c)
      end
    end)
  end
end

-- ------------------------------------------------- tree SRCU

-- With interrupts off the caller keeps its CPU; the work item for grace periods stays
-- where it was first queued.  So the caller moves away from it after the first callback.
local function tree(fault)
  return function()
    cpus(3)
    local ss = srcu.new("ss", {faults = {fault}})
    thread("caller", function()
      call_srcu(ss, function() end)
      migrate(1)
      for _ = 2, POSTS do call_srcu(ss, function() end) end
    end, {cpu = 2})
  end
end

return {
  buggy = core(true),
  fixed = core(false),
  tree_buggy = tree "snap-after-advance",
  tree_fixed = tree(),
}
