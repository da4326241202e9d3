-- SPDX-License-Identifier: GPL-2.0-or-later
-- S5: no order between the end of a grace period and the caller (memory ordering).
--
-- Question: synchronize_srcu() asks somebody else for a grace period and finds, without
-- ever sleeping, that it is over.  What then keeps the accesses behind it where they are?
--
-- Where: d85b62f18d54, 2017-01, in the SRCU before the tree.
--
-- Answer: nothing, if the flag is read without order: the scan has seen the reader's end,
-- and the store that ends the grace period carries that; but the caller's next load may
-- come before its load of the flag, and miss what the section stored.  A barrier (or an
-- acquire) is needed there.  On x86 loads stay in order, and it does not show.  In tree
-- SRCU the caller always goes through a completion, whose lock has that order: S6.
--
-- Scenarios and what exploring them says (sc and tso: all ok):
--                weak
--   buggy        violation, assertion     the flag is read by READ_ONCE()
--   fixed        ok                       and smp_mb() behind it
--   acquire      ok                       the flag is read by smp_load_acquire()
--
--	srcush explore --model weak S5.lua:buggy

local function classic(wait)
  return function()
    local lock, unlock, x, y = var "lock", var "unlock", var "x", var "y"
    local asked, done = var "asked", var "done"
    local before, behind = ghost("before", 0), ghost("behind", 0)
    thread("reader", function()
      WRITE_ONCE(lock, 1)
      smp_mb()				-- B
      before.value = READ_ONCE(x)
      WRITE_ONCE(y, 1)
      smp_mb()				-- C
      WRITE_ONCE(unlock, 1)
    end)
    thread("scanner", function()
      assume(smp_load_acquire(asked) == 1)
      local unlocks = READ_ONCE(unlock)
      smp_mb()				-- A
      assume(READ_ONCE(lock) == unlocks)
      smp_store_release(done, 1)
    end)
    thread("updater", function()
      WRITE_ONCE(x, 1)
      smp_store_release(asked, 1)
      wait(done)
      behind.value = READ_ONCE(y)
    end)
    finally(function()
      assert(READ_ONCE(done) == 0 or before.value == 1 or behind.value == 1,
             "the caller goes on and misses what the section stored")
    end)
  end
end

return {
  buggy = classic(function(done) assume(READ_ONCE(done) == 1) end),
  fixed = classic(function(done)
    assume(READ_ONCE(done) == 1)
    smp_mb()
  end),
  acquire = classic(function(done) assume(smp_load_acquire(done) == 1) end),
}
