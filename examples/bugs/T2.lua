-- SPDX-License-Identifier: GPL-2.0-or-later
-- T2: two calls of synchronize_srcu() at once confuse the counters (a claim).
--
-- Question: nothing keeps two tasks from calling synchronize_srcu() at the same time.
-- Can they confuse lock_count[] and unlock_count[], so that a reader is missed?
--
-- Where: a thread on LKML, 2022-10.
--
-- Answer: no, the claim is false.  Scans only read the counters; readers alone write
-- them, and nobody ever resets one.  Besides, the callers do not scan: one work item
-- does, for all of them, and srcu_gp_mutex stands around each of its passes.
--
-- What would happen if they did scan side by side?  The counters are not confused then,
-- either: a scan that finds a bank empty is right even if that bank is in use.  What
-- breaks is srcu_idx.  Two flips at once change the bank in use back again, and if an
-- updater looks up after its flip which bank it left behind (as the kernel does), its
-- two scans can look at the same bank.  If it goes by the index that it had looked up
-- before, it scans both banks whatever the others do, and no reader is missed.
--
-- Scenarios and what exploring them says (model sc):
--   claim         ok                       the core, 1 reader, 2 updaters, one mutex
--   unserialised  violation, assertion     no mutex; the index is looked up for each scan
--   own_index     ok                       no mutex; the index is looked up once
--   tree_claim    no violation             tree SRCU on 2 CPUs, two calls and no reader: not
--                                          at its end after 860,000 executions
--
-- This file has no `fixed`: `claim` is what the kernel does.
--
--	srcush explore T2.lua:unserialised

-- ------------------------------------------------- the core of SRCU, in Lua

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

local function looks_again(c)
  scan(c, ~READ_ONCE(c.srcu_idx) & 1)
  flip(c)
  scan(c, ~READ_ONCE(c.srcu_idx) & 1)
end

local function looks_once(c)
  local i = READ_ONCE(c.srcu_idx) & 1
  scan(c, i ~ 1)
  flip(c)
  scan(c, i)
end

local function serialised(c)
  mutex_lock(c.gp_mutex)
  looks_again(c)
  mutex_unlock(c.gp_mutex)
end

-- Each updater takes an object of its own out of use (gone), waits, and frees it.  The
-- reader uses both.
local function core(synchronize)
  return function()
    local c = {srcu_idx = var "srcu_idx", lock = {}, unlock = {}, gp_mutex = mutex "gp_mutex"}
    local gone, freed = {}, {}
    for i = 0, 1 do
      c.lock[i] = var("lock" .. i)
      c.unlock[i] = var("unlock" .. i)
    end
    for u = 1, 2 do
      gone[u] = var("gone" .. u)
      freed[u] = var("freed" .. u)
    end
    thread("reader", function()
      local i = READ_ONCE(c.srcu_idx) & 1
      WRITE_ONCE(c.lock[i], READ_ONCE(c.lock[i]) + 1)
      smp_mb()
      for u = 1, 2 do
        if READ_ONCE(gone[u]) == 0 then
          assert(READ_ONCE(freed[u]) == 0, "the object in use is freed")
        end
      end
      smp_mb()
      WRITE_ONCE(c.unlock[i], READ_ONCE(c.unlock[i]) + 1)
    end)
    for u = 1, 2 do
      thread("updater" .. u, function()
        WRITE_ONCE(gone[u], 1)
        smp_mb()
        synchronize(c)
        smp_mb()
        WRITE_ONCE(freed[u], 1)
      end)
    end
  end
end

-- ------------------------------------------------- tree SRCU

local function tree()
  cpus(2)
  local ss = srcu.new("ss")
  for u = 1, 2 do
    thread("updater" .. u, function() synchronize_srcu(ss) end)
  end
end

return {
  claim = core(serialised),
  unserialised = core(looks_again),
  own_index = core(looks_once),
  tree_claim = tree,
}
