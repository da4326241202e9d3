-- SPDX-License-Identifier: GPL-2.0-or-later
-- T5: what srcu_cb_mutex is for (a claim).
--
-- Question: at the end of a grace period, srcu_gp_end() takes srcu_cb_mutex, sets gp_seq to
-- IDLE, gives srcu_gp_mutex back, initiates the callbacks, and gives srcu_cb_mutex back.
-- The mutex protects no data.  The claim: because of it, no more than one further grace
-- period can start while callbacks are being initiated.
--
-- Where: a thread on LKML, 2022-10; the comment in srcu_gp_end().
--
-- Answer: the claim is true.  While one pass initiates callbacks, whoever calls
-- call_srcu() may start the next grace period, and another pass could scan for it; but to
-- end it that pass needs srcu_cb_mutex, and without an end there is no further start.
-- Without the mutex any number can go by.  But all of that takes another pass at the same
-- time, and a work item never runs twice at once: as the kernel has it, the next grace
-- period gets no further than SCAN1 with the mutex or without.
--
-- Scenarios and what exploring them says (model sc).  What the algorithm does with gp_seq
-- is written in Lua here, without the scans; gp_seq counts grace periods in steps of 4 and
-- has the state (IDLE 0, SCAN1 1, SCAN2 2) in the lower bits.  Each pass asserts how far
-- gp_seq may have got when it has initiated its callbacks:
--   claim         ok                       two passes at once, with srcu_cb_mutex: SCAN2
--   no_mutex      violation, assertion     two passes at once, without it
--   one_pass      ok                       one pass at a time, with it: SCAN1 at most
--   one_no_mutex  ok                       one pass at a time, without it: the same
--
-- There is no `buggy` and no `fixed`: the kernel's code is `one_pass`.
--
--	srcush explore T5.lua:no_mutex

local IDLE, SCAN1, SCAN2, ONE = 0, 1, 2, 4

-- Starts a grace period if one is needed and none is under way.
local function start_if_needed(s)
  spin_lock(s.lock)
  local seq = READ_ONCE(s.gp_seq)
  if seq % ONE == IDLE and seq < READ_ONCE(s.needed) then WRITE_ONCE(s.gp_seq, seq + 1) end
  spin_unlock(s.lock)
end

-- With srcu_gp_mutex held: as far as SCAN2.  False: nothing is needed.
local function advance(s)
  if READ_ONCE(s.gp_seq) % ONE == IDLE then start_if_needed(s) end
  local seq = READ_ONCE(s.gp_seq)
  if seq % ONE == IDLE then return false end
  if seq % ONE == SCAN1 then
    spin_lock(s.lock)
    WRITE_ONCE(s.gp_seq, seq + 1)
    spin_unlock(s.lock)
  end
  return true
end

-- Ends the grace period, as srcu_gp_end() does.
local function gp_end(s)
  if s.cb_mutex then mutex_lock(s.cb_mutex) end
  spin_lock(s.lock)
  local seq = READ_ONCE(s.gp_seq) - SCAN2 + ONE
  WRITE_ONCE(s.gp_seq, seq)
  spin_unlock(s.lock)
  mutex_unlock(s.gp_mutex)
  -- here the callbacks are initiated
  assert(READ_ONCE(s.gp_seq) - seq <= s.limit, "more than one further grace period")
  if s.cb_mutex then mutex_unlock(s.cb_mutex) end
end

local function pass(s)
  mutex_lock(s.gp_mutex)
  if advance(s) then
    gp_end(s)
  else
    mutex_unlock(s.gp_mutex)
  end
end

-- Workers, each with so many passes, and a caller that asks for one grace period after
-- the other and starts what it can.
local function scenario(workers, passes, limit, cb_mutex)
  return function()
    local s = {gp_seq = var "gp_seq", needed = var("needed", ONE * workers * passes),
               lock = spinlock "lock", gp_mutex = mutex "gp_mutex", limit = limit,
               cb_mutex = cb_mutex and mutex "cb_mutex"}
    for i = 1, workers do
      thread("worker" .. i, function()
        for _ = 1, passes do pass(s) end
      end)
    end
    thread("caller", function() start_if_needed(s) end)
  end
end

return {
  claim = scenario(2, 2, SCAN2, true),
  no_mutex = scenario(2, 2, SCAN2, false),
  one_pass = scenario(1, 3, SCAN1, true),
  one_no_mutex = scenario(1, 3, SCAN1, false),
}
