-- SPDX-License-Identifier: GPL-2.0-or-later
-- S21: two flavours of reader on one srcu_struct (misuse).
--
-- Question: srcu_read_lock_nmisafe() counts with an atomic operation, srcu_read_lock()
-- with an increment of this CPU's own, which on some machines is a load and a store.
-- May one srcu_struct have readers of both kinds?
--
-- Where: commit 2e83b879fb91 ("srcu: Create an srcu_read_lock_nmisafe() and
-- srcu_read_unlock_nmisafe()"), 2022.
--
-- Answer: no.  An NMI that strikes between the load and the store of the one has its
-- atomic increment overwritten by the other: a reader is not counted any more.  One
-- kind alone is right: all atomic where there are readers in NMIs, and otherwise it
-- does not matter.  The misuse is reported in every execution, because the two kinds
-- need never meet in a test.
--
-- Scenarios and what exploring them says (model sc):
--   buggy         violation, rcu-usage     a task and an NMI, one kind each
--   fixed         ok                       both atomic
--   apart         ok                       a srcu_struct for each
--   damage        violation, assertion     the increments alone: one of two is lost
--
--	srcush explore S21.lua:buggy

local function plain(ss)
  local idx = srcu_read_lock(ss)
  srcu_read_unlock(ss, idx)
end

local function nmisafe(ss)
  local idx = srcu_read_lock_nmisafe(ss)
  srcu_read_unlock_nmisafe(ss, idx)
end

-- A task, and what strikes it; one srcu_struct or two.
local function scenario(task, handler, domains)
  return function()
    cpus(1)
    local first = srcu.new("ss")
    local second = domains == 2 and srcu.new("nmi_ss") or first
    thread("task", function() task(first) end)
    irq("nmi", 0, function() handler(second) end)
  end
end

-- What the counter goes through where an increment is no single instruction.
local function damage()
  cpus(1)
  local lock_count, struck, counted = var "lock_count", var "struck", var "counted"
  thread("task", function()
    local n = READ_ONCE(lock_count)
    WRITE_ONCE(lock_count, n + 1)
    WRITE_ONCE(counted, 1)
  end)
  irq("nmi", 0, function()
    atomic_inc(lock_count)
    WRITE_ONCE(struck, 1)
  end)
  thread("updater", function()
    cond_wait(function() return READ_ONCE(struck) == 1 and READ_ONCE(counted) == 1 end)
    assert(READ_ONCE(lock_count) == 2, "a reader was not counted")
  end)
end

return {
  buggy = scenario(plain, nmisafe),
  fixed = scenario(nmisafe, nmisafe),
  apart = scenario(plain, nmisafe, 2),
  damage = damage,
}
