-- SPDX-License-Identifier: GPL-2.0-or-later
-- S6: synchronize_srcu() wakes on a CPU that had no part in the grace period (a claim).
--
-- Question: the callback that ends the wait runs elsewhere; the caller is woken on a CPU
-- that has done nothing for the grace period.  Is the smp_mb() at the end of
-- synchronize_srcu() needed for the guarantee?
--
-- Where: 35732cf9dd38, 2017-07, which added it.
--
-- Answer: not for what a section and the code behind the grace period see of each other,
-- as long as the completion has a lock in it.  The reader's barrier C is a full one, the
-- scan has seen the count behind it, and from there it is release and acquire all the way:
-- the caller's load cannot miss the section's store, for that store has come to every CPU
-- before the count of the section's end could be seen at all.  Without any order at the
-- completion it is S5.  What the barrier gives beside that is that the call as a whole is a
-- full barrier, which its documentation promises to callers.
--
-- Here the completion is a word under a spin lock, as the kernel's is, and whoever waits
-- does not sleep; srcush takes a wait that sleeps for a full barrier of its own (a switch of
-- tasks), so that tree SRCU without that smp_mb() would say nothing.
--
-- Scenarios and what exploring them says (sc and tso: all ok):
--                weak
--   claim        ok                       no smp_mb() behind the completion
--   fixed        ok                       with it
--   buggy        violation, assertion     and no lock in the completion
--
--	srcush explore --model weak S6.lua:claim

local function tree(complete, wait)
  return function()
    local lock, unlock, x, y = var "lock", var "unlock", var "x", var "y"
    local asked, done, l = var "asked", var "done", spinlock "l"
    local before, behind, over = ghost("before", 0), ghost("behind", 0), ghost("over", 0)
    thread("reader", function()
      WRITE_ONCE(lock, 1)
      smp_mb()				-- B
      before.value = READ_ONCE(x)
      WRITE_ONCE(y, 1)
      smp_mb()				-- C
      WRITE_ONCE(unlock, 1)
    end)
    thread("worker", function()
      assume(smp_load_acquire(asked) == 1)
      local unlocks = READ_ONCE(unlock)
      smp_mb()				-- A
      assume(READ_ONCE(lock) == unlocks)
      complete(l, done)
    end)
    thread("updater", function()
      WRITE_ONCE(x, 1)
      smp_store_release(asked, 1)
      wait(l, done)
      behind.value = READ_ONCE(y)
      over.value = 1
    end)
    finally(function()
      assert(over.value == 0 or before.value == 1 or behind.value == 1,
             "the caller goes on and misses what the section stored")
    end)
  end
end

local function complete_locked(l, done)
  spin_lock(l)
  WRITE_ONCE(done, 1)
  spin_unlock(l)
end

local function wait_locked(l, done)
  spin_lock(l)
  local over = READ_ONCE(done)
  spin_unlock(l)
  assume(over == 1)
end

return {
  claim = tree(complete_locked, wait_locked),
  fixed = tree(complete_locked, function(l, done)
    wait_locked(l, done)
    smp_mb()
  end),
  buggy = tree(function(_, done) WRITE_ONCE(done, 1) end,
               function(_, done) assume(READ_ONCE(done) == 1) end),
}
