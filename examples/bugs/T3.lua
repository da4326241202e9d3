-- SPDX-License-Identifier: GPL-2.0-or-later
-- T3: srcu_gp_mutex is meaningless, because a work item is not re-entered (a claim).
--
-- Question: one work item drives all grace periods of an srcu_struct, and a workqueue never
-- runs one item twice at once.  So whom does srcu_gp_mutex keep out?  The same of
-- srcu_cb_mutex.  And srcu_advance_state() provides for somebody else who starts the grace
-- period between its two looks at the state: is that branch reachable, and by whom?
--
-- Where: a thread on LKML, 2022-10.
--
-- Answer: the claim is true of the kernel as it is, and that rests on the workqueue alone.
--
-- - With a work item that is not re-entered, both mutexes may go: no verdict changes,
--   small or big.  The branch is unreachable then, and so is the whole case that it belongs
--   to: no pass ever finds IDLE at its begin.  For the item is queued, by a caller under the
--   lock of the srcu_struct or at the end of a pass, only after a grace period was started,
--   and nothing but a pass of this same item ends one.
--   (srcu_init(), which queues what was asked for during early boot, is not modelled; there,
--   too, the grace period has been started before.)
-- - With a work item that two tasks may run at once, srcu_gp_mutex is what SRCU stands on:
--   without it the passes race for srcu_idx and the state, and grace periods end too early.
--   The branch is reachable then, in both ways: a caller of call_srcu() and the like starts
--   the grace period, or the other pass does when it has given srcu_gp_mutex back.
-- - srcu_cb_mutex matters only for re-entered work, big, and five grace periods: a node of
--   the tree tells four in a row apart.  The pass that ended the first one is preempted
--   before it goes through the nodes; the other pass ends three more; a caller asks for the
--   fifth, in the slot of the first; then the first pass clears that slot, and the callback
--   that waits for the fifth is never invoked.  (T5 has what the mutex promises.)
--
-- The table (model sc; for weak memory see below).  Executions are complete + blocked.
-- "once": the work item is not re-entered; one thread, two calls of
-- synchronize_srcu_expedited() on one CPU, every interleaving.  "again": it is; one request,
-- so that two passes run at once, every interleaving; or what the line says.
--
--                        srcu_gp_mutex srcu_cb_mutex   small           big
--   once_both            with          with            ok 432+73       ok 432+73
--   once_no_gp           without       with            ok 432+73       ok 432+73
--   once_no_cb           with          without         ok 432+73       ok 432+73
--   once_neither         without       without         ok 432+73       ok 432+73
--   again_both           with          with            ok 1766+255     ok 1766+255
--   again_no_gp          without       with            data-race       data-race
--   again_no_cb          with          without         ok 1766+255     ok 1766+255
--   again_neither        without       without         data-race       data-race
--   (names of the last column end in _big)
--
--   early                violation     again, without srcu_gp_mutex, a reader, two requests:
--                        grace-period  besides races and warnings, too short a grace period
--                                      (found by pct)
--   lost                 violation     again, without srcu_cb_mutex, big, five requests
--                        stall         (found by pct)
--   lost_small           no violation  the same, small: there are no nodes (pct: a sample)
--   lost_both            no violation  the same, big, with srcu_cb_mutex (pct: a sample)
--   lost_once            no violation  the same, big, not re-entered (pct: a sample)
--
--   idle                 ok            once, with both mutexes: no pass finds IDLE
--   by_caller            violation     again, with both mutexes: the violation is that a
--                        assertion     caller was the somebody else (found by pct)
--   by_pass              violation     the same: the other pass was (found by pct)
--
--   reader_*             ok            once, each of the four, one request, and a reader on
--                                      another CPU: under sc, tso and weak alike
--
-- Weak memory changes nothing for a work item that is not re-entered: a pass is queued by
-- the pass before it, or by a caller under the lock, and queueing orders.  (once_no_gp has
-- more executions there than can be waited for: 2592+432 of them were ok.)  Nor does it for
-- one that is re-entered: with srcu_gp_mutex again_both is ok under tso and weak, without it
-- again_no_gp, again_neither and early end in a violation under both, within some dozens of
-- executions: WARN_ON(seq_state(srcu_gp_seq)) in srcu_reschedule() is hit, or the data race
-- is what is seen first.  That warning sc shows as well (with keep_going, behind the race).
--
-- Two requests that do not wait, start_poll_synchronize_srcu() twice, are ok for once_both
-- as well, and no pass of theirs finds IDLE: 9737+1287 executions.
--
-- The kernel's own code says the same: srcutree.c of Linux 6.1 and 6.12, with --kernel and
-- copies of the trees from which the mutexes were removed, and to which a second work item
-- was added that runs the same pass, and that each request from outside queues beside the
-- first.  No fault of ours can be asked for there; the scenarios plain_* leave them out.
--   once_both        ok: 6.12 432+73, with both mutexes, without either, without both, small
--                    and big; no pass finds IDLE.  6.1: no violation (pct: a sample)
--   plain_again      with both mutexes, and without srcu_cb_mutex: ok 1766+255, small and big,
--                    on both; without srcu_gp_mutex: data-race
--   plain_early      without srcu_gp_mutex: too short a grace period, on both (pct)
--   plain_lost       without srcu_cb_mutex: stall, on both (pct); plain_lost_small, or with
--                    srcu_cb_mutex: no violation (pct: a sample)
--   plain_by_caller, plain_by_pass    with both mutexes: a caller was the somebody else, and
--                    so was the other pass, on both (pct)
-- One thing more rests on the workqueue there: srcu_n_exp_nodelay, a statistic, is set to 0
-- by a plain store under srcu_gp_mutex, and counted by WRITE_ONCE() without it.  Of two
-- passes at once that is a data race, both mutexes or not; these two stores were
-- marked in the copies that have a second work item.
-- As they stand, without a second work item, the plain_* are ok or no violation on each.
--
--	srcush explore --strategy pct T3.lua:lost

local FAULT = {
  both = {}, no_gp = {"no-gp-mutex"}, no_cb = {"no-cb-mutex"},
  neither = {"no-gp-mutex", "no-cb-mutex"},
}

local function domain(size, without, again)
  cpus(1)
  local faults = {table.unpack(FAULT[without])}
  if again then faults[#faults + 1] = "reentrant-work" end
  return srcu.new("ss", {size = size, faults = faults})
end

local function waits(name, ss, times)
  thread(name, function()
    for _ = 1, times do synchronize_srcu_expedited(ss) end
  end)
end

local function once(size, without)
  return function() waits("caller", domain(size, without), 2) end
end

local function again(size, without, reentered)
  return function()
    local ss = domain(size, without, reentered)
    thread("caller", function() start_poll_synchronize_srcu(ss) end)
  end
end

-- The model makes no difference: to be explored under each.
local function with_reader(without)
  return function()
    cpus(2)
    local ss = srcu.new("ss", {size = "small", faults = FAULT[without]})
    local x = var "x"
    thread("caller", function()
      WRITE_ONCE(x, 1)
      synchronize_srcu_expedited(ss)
    end, {cpu = 0})
    thread("reader", function()
      local idx = srcu_read_lock(ss)
      READ_ONCE(x)
      srcu_read_unlock(ss, idx)
    end, {cpu = 1})
  end
end

local function early(without, reentered)
  return function()
    local ss = domain("small", without, reentered)
    waits("caller1", ss, 1)
    waits("caller2", ss, 1)
    thread("reader", function()
      local idx = srcu_read_lock(ss)
      srcu_read_unlock(ss, idx)
    end)
  end
end

local function five(size, without, reentered)
  return function()
    local ss = domain(size, without, reentered)
    waits("caller1", ss, 1)
    waits("caller2", ss, 4)
  end
end

-- ------------------------------------------------- what a pass finds at its begin

-- The first look reads IDLE; the second one, with the lock, reads the state again if a grace
-- period is needed.  Who started the last one, and each pass that found IDLE, in this
-- execution: found(pass, "nobody" | "itself" | name of a task).
local function passes(found)
  local starter, look = nil, {}
  for _, e in ipairs(trace(math.maxinteger)) do
    local t = e.thread
    if e.text:find "smp_load_acquire ss%.[%w_.]*gp_seq = %S+ IDLE" then
      look[t] = 1
    elseif look[t] == 1 and e.op == "lock" then
      look[t] = 2
    elseif look[t] == 2 and e.op == "unlock" then
      look[t] = nil
      found(t, "nobody")
    elseif look[t] == 2 and e.op == "load" then
      look[t] = nil
      found(t, e.text:find "IDLE" and "itself" or starter)
    end
    if e.op == "store" and e.text:find "gp_seq: %S+ IDLE" then starter = t end
  end
end

local function idle()
  waits("caller", domain("small", "both"), 2)
  finally(function()
    passes(function(pass) assert(false, pass .. " found IDLE") end)
  end)
end

-- Wrong if somebody whose name is like that was the somebody else.
local function somebody(name, reentered)
  return function()
    local ss = domain("small", "both", reentered)
    waits("caller1", ss, 2)
    waits("caller2", ss, 1)
    finally(function()
      passes(function(pass, starter)
        assert(not starter:find(name), pass .. ": the grace period was started by " .. starter)
      end)
    end)
  end
end

local scenarios = {
  early = early("no_gp", true),
  lost = five("big", "no_cb", true),
  lost_small = five("small", "no_cb", true),
  lost_both = five("big", "both", true),
  lost_once = five("big", "no_cb"),
  idle = idle,
  by_caller = somebody("^caller", true),
  by_pass = somebody("^kworker", true),
  plain_again = again("small", "both"),
  plain_again_big = again("big", "both"),
  plain_early = early "both",
  plain_lost = five("big", "both"),
  plain_lost_small = five("small", "both"),
  plain_by_caller = somebody "^caller",
  plain_by_pass = somebody "^kworker",
}
for without in pairs(FAULT) do
  scenarios["reader_" .. without] = with_reader(without)
  scenarios["once_" .. without] = once("small", without)
  scenarios["once_" .. without .. "_big"] = once("big", without)
  scenarios["again_" .. without] = again("small", without, true)
  scenarios["again_" .. without .. "_big"] = again("big", without, true)
end
return scenarios
