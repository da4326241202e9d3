-- SPDX-License-Identifier: GPL-2.0-or-later
-- S11: a callback without a grace period (hang, lost callback).
--
-- Question: call_srcu() puts the callback into a list of four segments, moves those that
-- are ready (advance), and gives the new one the number of the grace period that it has
-- to wait for (accelerate), from a snapshot of gp_seq.  Does it matter whether the
-- snapshot is taken before or after the advance?
--
-- Where: commit 4a8e65b0c348 ("srcu: Fix callbacks acceleration mishandling"), 2023-10,
-- for code since da915ad5cf25, 2017.
--
-- Answer: it must be taken before.  With one callback waiting for the grace period under
-- way and another for the next, a third one looks at gp_seq, and nothing is ready.  Then
-- the grace period ends and the next begins.  The snapshot, taken only now, is one
-- further than both segments' numbers; both are in use, so there is no room, and the
-- callback is left without a number.  Nobody asks for a grace period on its behalf: the
-- kernel warns, and it is never invoked.
--
-- Scenarios and what exploring them says (model sc, tree SRCU, 1 CPU, one thread that
-- queues three callbacks):
--   buggy         violation, warning, and in the end, with --keep-going, stall
--   fixed         ok
--
--	srcush explore S11.lua:buggy

local function scenario(fault)
  return function()
    cpus(1)
    local ss = srcu.new("ss", {faults = {fault}})
    thread("caller", function()
      for _ = 1, 3 do call_srcu(ss, function() end) end
    end)
  end
end

return {
  buggy = scenario "snap-after-advance",
  fixed = scenario(),
}
