-- SPDX-License-Identifier: GPL-2.0-or-later
-- S7: the flip, reordered with the sums (grace period too short): the reason for D.
--
-- Question: the updater flips srcu_idx and then scans the bank that was in use.  What does
-- the barrier between the two, D, keep from happening?
--
-- Where: 7f554a3d05be, 2017.
--
-- Answer: without it the scan may begin before anybody sees the flip.  Then a reader comes
-- and goes in the old bank as often as it likes, between the sum of the unlocks and the sum
-- of the locks, and each time adds a lock to the one and nothing to the other.  Counters
-- that wrap come full circle: equal sums, and a reader inside.  With D each task comes
-- that way but a bounded number of times (S8), and the counters are wider than that.
-- Wide counters take 2^32 or 2^64 sections, so without D nothing shows in any scenario of
-- a few.  On x86 the spin lock that is taken between flip and scan is a full barrier.
--
-- Scenarios, counters of 3 bits (8 is 0), one section that stays and six within it:
--                sc      tso     weak
--   buggy        ok      ok      violation, grace-period     without D
--   fixed        ok      ok      ok
--   wide         ok      ok      ok                          without D, wide counters; one
--                                                            section within the other
--
--	srcush explore --model weak S7.lua:buggy

local function sections(fault, bits, inner)
  return function()
    cpus(2)
    local ss = srcu.new("ss", {size = "small", faults = {fault}, counter_bits = bits})
    thread("reader", function()
      local idx = srcu_read_lock(ss)
      for _ = 1, inner do
        local within = srcu_read_lock(ss)
        srcu_read_unlock(ss, within)
      end
      srcu_read_unlock(ss, idx)
    end, {cpu = 1})
    thread("updater", function() synchronize_srcu_expedited(ss) end, {cpu = 0})
  end
end

return {
  buggy = sections("no-mb-D", 3, 6),
  fixed = sections(nil, 3, 6),
  wide = sections("no-mb-D", nil, 1),
}
