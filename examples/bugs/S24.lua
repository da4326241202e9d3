-- SPDX-License-Identifier: GPL-2.0-or-later
-- S24: srcu_read_unlock() is a full barrier (a claim).
--
-- Question: may one count on it that what is before srcu_read_unlock() is seen by all before
-- anything behind it happens?
--
-- Where: ce332f662deb, 2013-11, which added smp_mb__after_srcu_read_unlock().
--
-- Answer: no.  The interface promises nothing of the kind, and an SRCU that is nothing but
-- the guarantee does not do it: store buffering shows.  (On x86 it does not, for the end of
-- a section is one locked instruction there, which is a full barrier.)  Tree SRCU happens to:
-- C is a full barrier, before the count.  (The count itself comes behind C, and may still
-- be under way; but that is nobody else's business.)
-- Who needs it says so: smp_mb__after_srcu_read_unlock().
--
-- Scenarios and what exploring them says (under sc all are ok):
--                tso         weak
--   buggy        ok          assertion    ideal: the guarantee and nothing else
--   fixed        ok          ok           the same, with smp_mb__after_srcu_read_unlock()
--   claim        ok          ok           tree
--
--	srcush explore --model weak S24.lua:buggy

local function buffering(flavor, after)
  return function()
    cpus(2)
    local ss = srcu.new("ss", {flavor = flavor})
    local x, y = var "x", var "y"
    local a, b = ghost("a", 0), ghost("b", 0)
    thread("reader", function()
      local idx = srcu_read_lock(ss)
      WRITE_ONCE(x, 1)
      srcu_read_unlock(ss, idx)
      if after then smp_mb__after_srcu_read_unlock() end
      a.value = READ_ONCE(y)
    end, {cpu = 0})
    thread("other", function()
      WRITE_ONCE(y, 1)
      smp_mb()
      b.value = READ_ONCE(x)
    end, {cpu = 1})
    finally(function()
      assert(a.value == 1 or b.value == 1, "both stores are missed")
    end)
  end
end

return {
  buggy = buffering "ideal",
  fixed = buffering("ideal", true),
  claim = buffering "tree",
}
