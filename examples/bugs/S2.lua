-- SPDX-License-Identifier: GPL-2.0-or-later
-- S2: the sums taken in the wrong order (grace period too short).
--
-- Question: a scan sums the unlocks of a bank, then its locks, and takes the bank for
-- empty if the sums are equal.  Neither sum is of one moment.  Does the order matter?
--
-- Where: commit f2c4689640e9 ("srcu: Implement more-efficient reader counts"), 2017-01,
-- which made two counters of one and had to get this right.
--
-- Answer: yes, as soon as there are two readers.  With the locks summed first, one
-- reader sits in the bank (1 lock); another, that fetched the index before the flip,
-- comes and goes between the two sums (1 unlock, and its lock is missed): 1 = 1, and
-- the first reader is still inside.  Unlocks first, each unlock that is seen has its
-- lock seen as well, so that equal sums mean an empty bank at some moment in between.
-- A single reader does not fool even the wrong order: its own unlock is what is waited for.
--
-- Scenarios and what exploring them says (model sc):
--   buggy         violation, assertion     the core, 2 readers, locks first
--   fixed         ok                       the core, 2 readers, unlocks first
--   alone         ok                       the core, 1 reader of two sections, locks first
--   tree_buggy    violation, grace-period  tree SRCU, 2 readers, 3 CPUs, locks first
--
--	srcush explore S2.lua:buggy

-- ------------------------------------------------- the core of SRCU, in Lua

local function sum(counters)
  local n = 0
  for _, c in ipairs(counters) do n = n + READ_ONCE(c) end
  return n
end

local function unlocks_first(c, i)
  local unlocks = sum(c.unlock[i])
  smp_mb()
  assume(sum(c.lock[i]) == unlocks)
end

local function locks_first(c, i)
  local locks = sum(c.lock[i])
  smp_mb()
  assume(sum(c.unlock[i]) == locks)
end

local function count(counter)
  WRITE_ONCE(counter, READ_ONCE(counter) + 1)
end

local function synchronize(c, scan)
  smp_mb()
  local i = READ_ONCE(c.srcu_idx) & 1
  scan(c, i ~ 1)
  smp_mb()
  WRITE_ONCE(c.srcu_idx, READ_ONCE(c.srcu_idx) + 1)
  smp_mb()
  scan(c, i)
  smp_mb()
end

-- Each reader has counters of its own, as if it were alone on a CPU.  The object is
-- replaced (gone = 1), and freed after the grace period.
local function core(readers, sections, scan)
  return function()
    local c = {srcu_idx = var "srcu_idx", lock = {[0] = {}, {}}, unlock = {[0] = {}, {}}}
    local gone, freed = var "gone", var "freed"
    for r = 1, readers do
      for i = 0, 1 do
        c.lock[i][r] = var(("lock%d.%d"):format(i, r))
        c.unlock[i][r] = var(("unlock%d.%d"):format(i, r))
      end
    end
    for r = 1, readers do
      thread("reader" .. r, function()
        for _ = 1, sections do
          local i = READ_ONCE(c.srcu_idx) & 1
          count(c.lock[i][r])
          smp_mb()
          if READ_ONCE(gone) == 0 then
            assert(READ_ONCE(freed) == 0, "the object in use is freed")
          end
          smp_mb()
          count(c.unlock[i][r])
        end
      end)
    end
    thread("updater", function()
      WRITE_ONCE(gone, 1)
      synchronize(c, scan)
      WRITE_ONCE(freed, 1)
    end)
  end
end

-- ------------------------------------------------- tree SRCU

local function tree(fault)
  return function()
    cpus(3)
    local ss = srcu.new("ss", {faults = {fault}})
    for r = 1, 2 do
      thread("reader" .. r, function()
        local idx = srcu_read_lock(ss)
        srcu_read_unlock(ss, idx)
      end)
    end
    thread("updater", function() synchronize_srcu(ss) end)
  end
end

return {
  buggy = core(2, 1, locks_first),
  fixed = core(2, 1, unlocks_first),
  alone = core(1, 2, locks_first),
  tree_buggy = tree "lock-before-unlock",
}
