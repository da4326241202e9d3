-- SPDX-License-Identifier: GPL-2.0-or-later
-- S4: a barrier of SRCU is missing (grace period too short).
--
-- Question: B and C stand in srcu_read_lock() and srcu_read_unlock(), A between the sums
-- that a scan takes.  What breaks without each, and where does it show?
--
-- Where: mutations of a formal model of SRCU, P. McKenney and others, 2016-08.
--
-- Answer: exploring tree SRCU says
--   * without B a load of the section may come before the reader is counted: on x86, too;
--   * without C a store of the section may come after the count of its end: not on x86,
--     which keeps stores in order.  That a load does takes load buffering, which is not
--     explored; so a section that only reads is wrong only in what is imagined in it;
--   * without A a scan may take the locks first and the unlocks later.  With one reader
--     nothing follows from that.  With two, a reader that comes and goes in between hides
--     the one that stays: equal sums, and a reader inside.  x86 keeps loads in order.
-- D, which is none of these, is S7; E is S9; all of them as a table: ../barriers.lua.
--
-- Scenarios and what exploring them says (under sc all are ok):
--                  tso               weak
--   buggy          assertion or grace-period, both        without B
--   no_c_writes    ok                assertion or grace-period
--   no_c_reads     ok                grace-period (an imagined store)
--   no_a           ok                grace-period         two readers
--   no_a_one       ok                ok                   one reader
--   fixed          ok                ok
--
--	srcush explore --model weak S4.lua:no_a

local function tree(fault, readers, writes)
  return function()
    cpus(readers + 1)
    local ss = srcu.new("ss", {size = "small", faults = {fault}})
    local x, y = var "x", var "y"
    local before, behind = ghost("before", 0), ghost("behind", 0)
    for i = 1, readers do
      thread("reader" .. i, function()
        local idx = srcu_read_lock(ss)
        local seen = READ_ONCE(x)
        if i == 1 then before.value = seen end
        if writes then WRITE_ONCE(y, 1) end
        srcu_read_unlock(ss, idx)
      end, {cpu = i})
    end
    thread("updater", function()
      WRITE_ONCE(x, 1)
      synchronize_srcu_expedited(ss)
      behind.value = READ_ONCE(y)
    end, {cpu = 0})
    finally(function()
      assert(not writes or readers > 1 or before.value == 1 or behind.value == 1,
             "the section is neither behind the begin nor before the end of the grace period")
    end)
  end
end

return {
  buggy = tree("no-mb-B", 1, true),
  fixed = tree(nil, 1, true),
  no_c_writes = tree("no-mb-C", 1, true),
  no_c_reads = tree("no-mb-C", 1, false),
  no_a = tree("no-mb-A", 2, false),
  no_a_one = tree("no-mb-A", 1, true),
}
