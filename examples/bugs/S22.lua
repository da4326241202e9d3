-- SPDX-License-Identifier: GPL-2.0-or-later
-- S22: the index that srcu_read_lock() returned (misuse).
--
-- Question: srcu_read_unlock() wants the index back.  What if it is another one, or
-- lost, or there was no lock at all?  And must sections be nested?
--
-- Where: commits 9393998e9ee0 ("tools/memory-model: Dynamically check SRCU lock-to-unlock
-- matching"), 2019-03, and 6cd244c87428, 2023-03, which say in the memory model what a
-- section is: an unlock belongs to the lock whose value it is given.
--
-- Answer: a wrong index counts the unlock in the other bank: the own bank has a reader
-- for ever, and the other one too few, so that a grace period may end under somebody
-- else.  A nested lock that is stored where the outer one's index was is the treacherous
-- form: both are the same index, and nothing is wrong, unless a flip comes in between.
-- Sections that overlap, and sections of two srcu_structs in any order, are legal.
-- (The memory model of Linux 6.1 flagged overlapping sections of one srcu_struct; that
-- of 6.12 does not.)
--
-- Scenarios and what exploring them says (model sc, tree SRCU on 2 CPUs; those
-- of two srcu_structs or three tasks on ideal SRCU):
--   buggy         violation, unbalanced-unlock   the index is overwritten by a nested lock
--   fixed         ok                             each lock has a variable of its own
--   wrong_index   violation, unbalanced-unlock
--   no_lock       violation, unbalanced-unlock
--   other_task    violation, unbalanced-unlock   lock here, unlock there
--   handed_over   ok                             srcu_down_read() here, srcu_up_read() there
--   overlap       ok                             lock a, lock b, unlock a, unlock b
--   misnested     ok                             the same on two srcu_structs
-- With ideal SRCU (the index follows the depth, not the grace period) `buggy` fails in
-- every execution; it is the tree that hides it.
--
--	srcush explore S22.lua:buggy

-- A reader beside an updater, whose grace period flips the index.
local function beside_updater(reader)
  return function()
    cpus(2)
    local ss = srcu.new("ss")
    thread("reader", function() reader(ss) end)
    thread("updater", function() synchronize_srcu(ss) end)
  end
end

local function buggy(ss)
  local idx = srcu_read_lock(ss)
  idx = srcu_read_lock(ss)
  srcu_read_unlock(ss, idx)
  srcu_read_unlock(ss, idx)
end

local function fixed(ss)
  local outer = srcu_read_lock(ss)
  local inner = srcu_read_lock(ss)
  srcu_read_unlock(ss, inner)
  srcu_read_unlock(ss, outer)
end

local function overlap(ss)
  local a = srcu_read_lock(ss)
  local b = srcu_read_lock(ss)
  srcu_read_unlock(ss, a)
  srcu_read_unlock(ss, b)
end

local function wrong_index(ss)
  local idx = srcu_read_lock(ss)
  srcu_read_unlock(ss, idx ~ 1)
end

local function no_lock(ss)
  srcu_read_unlock(ss, 0)
end

-- Two srcu_structs, each with an updater.
local function misnested()
  local a = srcu.new("a", {flavor = "ideal"})
  local b = srcu.new("b", {flavor = "ideal"})
  thread("reader", function()
    local i = srcu_read_lock(a)
    local j = srcu_read_lock(b)
    srcu_read_unlock(a, i)
    srcu_read_unlock(b, j)
  end)
  thread("updater_a", function() synchronize_srcu(a) end)
  thread("updater_b", function() synchronize_srcu(b) end)
end

-- One task begins the section and hands the index on to another, which ends it.
local function two_tasks(lock, unlock)
  return function()
    local ss = srcu.new("ss", {flavor = "ideal"})
    local index = var("index", -1)
    thread("begins", function()
      smp_store_release(index, lock(ss))
    end)
    thread("ends", function()
      cond_wait(function() return READ_ONCE(index) >= 0 end)
      unlock(ss, smp_load_acquire(index))
    end)
    thread("updater", function() synchronize_srcu(ss) end)
  end
end

return {
  buggy = beside_updater(buggy),
  fixed = beside_updater(fixed),
  wrong_index = beside_updater(wrong_index),
  no_lock = beside_updater(no_lock),
  other_task = two_tasks(srcu_read_lock, srcu_read_unlock),
  handed_over = two_tasks(srcu_down_read, srcu_up_read),
  overlap = beside_updater(overlap),
  misnested = misnested,
}
