-- SPDX-License-Identifier: GPL-2.0-or-later
-- S1: a grace period that scans too little (grace period too short).
--
-- Question: a grace period scans the bank that is not in use, flips srcu_idx, and
-- scans the bank that is left behind.  A reader may have fetched the index long ago
-- and count itself only now.  Which of the three pieces is needed, and what for?
--
-- Where: the design of SRCU; J. Fernandes' note on the double scan, 2020-03-06.
--
-- Answer: both scans and the flip are needed, but not all at once:
--   * without the second scan, or without the flip (both scans then look at the bank
--     that no reader uses), the first grace period already misses a plain reader;
--   * without the first scan one grace period is right: it takes two.  The reader
--     fetches index 0 and stops; the first grace period flips to 1 and finds bank 0
--     empty; the reader counts itself in bank 0 and goes in; the second flips back
--     to 0 and looks at bank 1 only;
--   * with both banks scanned and no flip at all nothing goes wrong here.  The flip
--     is for progress: without it new readers come into the bank that is waited for.
--
-- Scenarios and what exploring them says (model sc):
--   buggy         violation, assertion     the core: no first scan, 2 grace periods
--   fixed         ok                       the core as it is, 2 grace periods
--   no_scan1      ok                       the core: no first scan, 1 grace period
--   no_scan2      violation, assertion     the core: no second scan, 1 grace period
--   no_flip       violation, assertion     the core: no flip, 1 grace period
--   both_banks    ok                       the core: both banks, no flip, 2 grace periods
--   tree_*        the same for tree SRCU on 2 CPUs; the violations are of the kind
--                 grace-period, and tree_fixed and tree_both_banks are one grace period
--
--	srcush explore S1.lua:buggy

-- ------------------------------------------------- the core of SRCU, in Lua

-- A reader and an updater that replaces `rounds` objects, one after the other: gp is
-- the number of the object in use, and freed[n] says that object n is gone.
local function core(rounds, synchronize)
  return function()
    local c = {srcu_idx = var "srcu_idx", lock = {}, unlock = {}}
    for i = 0, 1 do
      c.lock[i] = var("lock" .. i)
      c.unlock[i] = var("unlock" .. i)
    end
    local gp, freed = var "gp", {}
    for n = 0, rounds do freed[n] = var("freed" .. n) end

    thread("reader", function()
      local i = READ_ONCE(c.srcu_idx) & 1
      WRITE_ONCE(c.lock[i], READ_ONCE(c.lock[i]) + 1)
      smp_mb()
      local n = READ_ONCE(gp)
      assert(READ_ONCE(freed[n]) == 0, "the object in use is freed")
      smp_mb()
      WRITE_ONCE(c.unlock[i], READ_ONCE(c.unlock[i]) + 1)
    end)
    thread("updater", function()
      for n = 0, rounds - 1 do
        WRITE_ONCE(gp, n + 1)
        smp_mb()
        synchronize(c)
        smp_mb()
        WRITE_ONCE(freed[n], 1)
      end
    end)
  end
end

-- Waits until the bank is empty: unlocks first, then locks.
local function scan(c, i)
  local unlocks = READ_ONCE(c.unlock[i])
  smp_mb()
  assume(READ_ONCE(c.lock[i]) == unlocks)
end

local function flip(c)
  smp_mb()
  WRITE_ONCE(c.srcu_idx, READ_ONCE(c.srcu_idx) + 1)
  smp_mb()
end

local function in_use(c)
  return READ_ONCE(c.srcu_idx) & 1
end

local function whole(c)
  scan(c, in_use(c) ~ 1)
  flip(c)
  scan(c, in_use(c) ~ 1)
end

local function no_scan1(c)
  flip(c)
  scan(c, in_use(c) ~ 1)
end

local function no_scan2(c)
  scan(c, in_use(c) ~ 1)
  flip(c)
end

local function no_flip(c)
  scan(c, in_use(c) ~ 1)
  smp_mb()
  scan(c, in_use(c) ~ 1)
end

local function both_banks(c)
  scan(c, in_use(c) ~ 1)
  smp_mb()
  scan(c, in_use(c))
end

-- ------------------------------------------------- tree SRCU

local function tree(periods, fault)
  return function()
    cpus(2)
    local ss = srcu.new("ss", {faults = {fault}})
    thread("reader", function()
      local idx = srcu_read_lock(ss)
      srcu_read_unlock(ss, idx)
    end)
    thread("updater", function()
      for _ = 1, periods do synchronize_srcu(ss) end
    end)
  end
end

return {
  buggy = core(2, no_scan1),
  fixed = core(2, whole),
  no_scan1 = core(1, no_scan1),
  no_scan2 = core(1, no_scan2),
  no_flip = core(1, no_flip),
  both_banks = core(2, both_banks),
  tree_buggy = tree(2, "no-scan1"),
  tree_fixed = tree(1),
  tree_no_scan1 = tree(1, "no-scan1"),
  tree_no_scan2 = tree(1, "no-scan2"),
  tree_no_flip = tree(1, "no-flip"),
  tree_both_banks = tree(1, "both-banks"),
}
