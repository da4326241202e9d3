-- SPDX-License-Identifier: GPL-2.0-or-later
-- S9: barrier E is redundant (a claim).
--
-- Question: E stands between the scan that finds the unused bank empty and the flip that
-- brings it into use.  Whether the flip happens depends on what the scan has read; is that
-- control dependency not enough?
--
-- Where: a discussion of 2022-12; the comment that keeps E, to be safe, 2023-03.
--
-- Answer: unreachable here.  What E orders is loads before a store.  That a load comes after
-- a store that follows it takes load buffering, which no model of this version explores:
-- without E every execution is one that there is with E, too, as the equal numbers show.
-- So the claim is neither confirmed nor refuted; by hand, with LKMM: the loads of the scan
-- are marked, the branch on them is real, the flip is a marked store, and such a control
-- dependency is preserved program order.  E adds nothing to it but safety from compilers.
--
-- Scenarios and what exploring them says (sc, tso and weak alike):
--   claim        ok                       without E
--   with         ok                       with E: as many executions
--
--	srcush explore --model weak S9.lua:claim

local function tree(fault)
  return function()
    cpus(2)
    local ss = srcu.new("ss", {size = "small", faults = {fault}})
    local x = var "x"
    thread("reader", function()
      local idx = srcu_read_lock(ss)
      READ_ONCE(x)
      srcu_read_unlock(ss, idx)
    end, {cpu = 1})
    thread("updater", function()
      WRITE_ONCE(x, 1)
      synchronize_srcu_expedited(ss)
    end, {cpu = 0})
  end
end

return {claim = tree "no-mb-E", with = tree()}
