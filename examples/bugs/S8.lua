-- SPDX-License-Identifier: GPL-2.0-or-later
-- S8: counters that overflow (a claim).
--
-- Question: the reader counters wrap.  A scan takes a bank for empty if its locks and
-- unlocks are equal, modulo the counters' range; so how far may the two run apart, that
-- is: how many readers may count themselves in a bank that is waited for?
--
-- Where: commits 881ec9d209d5 (2017) and 0cd4b50b12d9 (2022-12), three claims in turn.
--
-- Answer, for sequentially consistent memory: at most Nt, the number of tasks.  After the
-- flip each task can count itself at most once more in the bank that is left behind: if
-- it had fetched the old index before.  The next section fetches the new one.  (The
-- second increment per task, and the Nc of the last claim, need a store to be overtaken
-- by a load.)  So a counter that wraps at M is right for Nt < M, and for Nt = M the
-- correct code fails, too: M readers inside look like none.
--
-- Scenarios and what exploring them says (model sc), for counters that wrap at M:
--   buggy         violation, assertion     2 readers, M = 2
--   fixed         ok                       1 reader of two sections, M = 2
--   claim         ok                       3 readers, M = 4
--   claim_twice   ok                       2 readers of two sections each, M = 4
--   tree_buggy    violation, grace-period  tree SRCU on 2 CPUs, counter_bits = 2, a
--                                          reader with 4 sections open at once (Nt
--                                          counts them, too)
--
-- All scenarios of the core assert the bound itself, too: of each task, no more than one
-- section in the bank left behind goes on after the flip, or begins there.
--
--	srcush explore S8.lua:buggy

-- ------------------------------------------------- the core of SRCU, in Lua

local function sum(counters)
  local n = 0
  for _, c in ipairs(counters) do n = n + READ_ONCE(c) end
  return n
end

local function count(counter)
  WRITE_ONCE(counter, READ_ONCE(counter) + 1)
end

-- Counters of wrap values: the sums are compared modulo that.
local function scan(c, i, wrap)
  local unlocks = sum(c.unlock[i])
  smp_mb()
  assume((sum(c.lock[i]) - unlocks) % wrap == 0)
end

local function synchronize(c, wrap)
  smp_mb()
  local i = READ_ONCE(c.srcu_idx) & 1
  scan(c, i ~ 1, wrap)
  smp_mb()
  WRITE_ONCE(c.srcu_idx, READ_ONCE(c.srcu_idx) + 1)
  smp_mb()
  scan(c, i, wrap)
  smp_mb()
end

-- late: sections of this task in bank 0 that see the flip when they have counted
-- themselves, before it or after it.
local function core(readers, sections, wrap)
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
        local late = 0
        for _ = 1, sections do
          local i = READ_ONCE(c.srcu_idx) & 1
          count(c.lock[i][r])
          smp_mb()
          if i ~= READ_ONCE(c.srcu_idx) & 1 then late = late + 1 end
          if READ_ONCE(gone) == 0 then
            assert(READ_ONCE(freed) == 0, "the object in use is freed")
          end
          smp_mb()
          count(c.unlock[i][r])
        end
        assert(late <= 1, "a task was in the bank left behind twice")
      end)
    end
    thread("updater", function()
      WRITE_ONCE(gone, 1)
      synchronize(c, wrap)
      WRITE_ONCE(freed, 1)
    end)
  end
end

-- ------------------------------------------------- tree SRCU

-- The fewest bits that a counter may have are two.
local function tree(sections)
  return function()
    cpus(2)
    local ss = srcu.new("ss", {counter_bits = 2})
    thread("reader", function()
      local idx = {}
      for i = 1, sections do idx[i] = srcu_read_lock(ss) end
      for i = sections, 1, -1 do srcu_read_unlock(ss, idx[i]) end
    end)
    thread("updater", function() synchronize_srcu(ss) end)
  end
end

return {
  buggy = core(2, 1, 2),
  fixed = core(1, 2, 2),
  claim = core(3, 1, 4),
  claim_twice = core(2, 2, 4),
  tree_buggy = tree(4),
}
