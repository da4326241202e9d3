-- SPDX-License-Identifier: GPL-2.0-or-later
-- T4: without mutual exclusion a grace period may fail for a long time (a claim).
--
-- Question: nothing keeps tasks from calling synchronize_srcu() one upon the other, and each
-- call is a reader for a moment itself.  Can they hold up each other's grace period for
-- long?  How many grace periods and how many successful scans does one call wait for, and
-- how often may a scan fail?
--
-- Where: a thread on LKML, 2022-10.
--
-- Answer: the claim is false.  A call takes a snapshot of gp_seq, and what it then waits for
-- depends on the state it found there and on nothing that others do afterwards:
--
--   state at the snapshot    IDLE    SCAN1    SCAN2
--   grace periods            1       2        2         (the one under way, and its own)
--   successful scans         2       4        3
--
-- Before its snapshot a call counts itself as a reader.  Counted from there, one more grace
-- period may end, the one under way, whose scans may have missed the new reader; the one
-- after that cannot end before the call leaves.  So 3 grace periods and 6 scans, for which
-- three callers are needed; two get to 2 and 4.  More callers do not make it more, by that
-- argument; with three and four no exploration came to its end.
--
-- Counted from its entry there is no bound but the number of grace periods that others ask
-- for: the task may be preempted before it is a reader.  It waits for none of these; they
-- go by.  The same holds for the time between the end of its grace period and the run of
-- its callback.
--
-- A mutex around the calls makes each one, once it has the mutex, find IDLE: 1 grace period
-- and 2 scans.  But the caller then waits for everybody before it in the queue for the
-- mutex: the last one of N waits for N grace periods and 2N scans, without the mutex for 2
-- and 4 at most.  Normal and expedited calls differ in delays, and in nothing here.
--
-- How often may a scan fail?  A look fails when the sums of a bank differ, and the next one
-- can only end differently if a counter of that bank has changed.  A pass of the work item
-- that fails leaves nothing behind; the explorer makes the next one only after such a
-- change.  From these rules, not from a count, follow as many failed passes as changes, at
-- most, and one more: two changes
-- for each section of a reader, and two for each call of synchronize_srcu(), which does not
-- sleep between them.  In a kernel, looks repeat at intervals while a reader is in its
-- section; what decides is how long that is, never how many tasks call.  Counted in looks,
-- a grace period in the explored executions that come to their end (those in which a pass
-- would do nothing but fail once more are `blocked`, and stand for that) has at most 5
-- failed ones if expedited, 3 if normal, with one reader or two.
--
-- Numbers and what they rest on (model sc; weak memory is not looked at):
--   The algorithm, with readers' counters, scans and snapshot, in Lua over var().  `limit`
--   is asserted from the moment at which the caller is a reader, in every interleaving:
--     model1           ok                    1 caller: 1 grace period, 2 scans
--     model2           ok                    2 callers: 2 and 4 (13602+1192 executions)
--     model2_less      violation, assertion  2 callers: 2 and 3
--     model3           no violation          3 callers: 3 and 6 (pct: a sample; and 197436+18778
--                                            executions of dpor, which is not all)
--     model3_less      violation, assertion  3 callers: 3 and 5
--     model4           no violation          4 callers: 3 and 6 (pct: a sample)
--     model_mutex2, 3  ok                    2, 3 callers with a mutex: 1 and 2
--     model_mutex4     no violation          4 callers with a mutex: 1 and 2 (pct: a sample)
--   Tree SRCU, 1 CPU, small, by the trace.  Asserted: from when the caller is a reader to
--   the end of the grace period, 3 and 6 (or what the line says), and that the callback does
--   not come before.  That end is computed from the snapshot that was read, by the same
--   formula as the table above, which therefore rests on the code; it is not observed.
--   An execution of dpor shows one order of steps that do not depend on each other; entry
--   and count of a reader are such steps, so those figures are exact in samples only, and
--   where, as with one call at a time, nothing of a grace period can come in between.
--   `outcome` tallies what was seen, from the entry, too:
--     tree1            ok                    1 caller, expedited, twice (432+73 executions)
--     tree1_normal     ok                    1 caller, normal
--     tree_mutex2      ok                    2 callers, a mutex: 1 and 2 (864+146)
--     tree2            no violation          2 callers, expedited (pct: a sample; and every
--                                            interleaving with at most 1 preemption)
--     tree3, tree4     no violation          3, 4 callers, expedited (pct: a sample)
--     tree2_normal, tree3_normal, tree4_normal, tree_mutex3, tree_mutex4    the same
--     tree2_less       violation, assertion  that one grace period is all a call waits for
--   Failed looks of tree SRCU, 1 caller, 1 CPU, small:
--     scans            ok                    1 reader, expedited: 5 (166+71 executions)
--     scans_less       violation, assertion  1 reader, expedited: 4
--     scans_normal     ok                    1 reader, normal: 3 (68+41 executions)
--     scans_normal2    ok                    2 readers, normal: 3
--
-- The kernel's own srcutree.c, of Linux 6.1 and 6.12 (with --kernel), stays within the same
-- bounds: tree1 (6.12: 432+73 executions), tree1_normal, scans (166+71), scans_normal (68+41)
-- and scans_normal2 are explored to the end with the same figures, tree2_less and scans_less
-- are violations, the others are samples without one (tree1 and tree_mutex2 of 6.1, too).
--
--	srcush explore T4.lua:model3_less

-- How far an srcu_struct has got: grace periods and successful scans.
local function progress(seq)
  return seq // 4, 2 * (seq // 4) + (seq % 4 == 2 and 1 or 0)
end

-- From one value of gp_seq to another.
local function between(from, to)
  local gps, scans = progress(from)
  local gps2, scans2 = progress(to)
  return gps2 - gps, scans2 - scans
end

-- What gp_seq is when a grace period that begins after `seq` is over.
local function snap(seq)
  return (seq + 7) & ~3
end

-- ------------------------------------------------- the algorithm, in Lua

local SCAN1, ONE = 1, 4

-- The next state; where that is IDLE and a grace period is needed, it starts.
local function advance(s, by)
  spin_lock(s.lock)
  local seq = READ_ONCE(s.gp_seq) + by
  if seq % ONE == 0 and s.needed:get() > seq then seq = seq + SCAN1 end
  WRITE_ONCE(s.gp_seq, seq)
  spin_unlock(s.lock)
end

local function scan(s, i)
  local unlocks = READ_ONCE(s.unlocks[i])
  assume(READ_ONCE(s.locks[i]) == unlocks)
end

local function request(s, limit)
  local i = READ_ONCE(s.srcu_idx)
  atomic_inc(s.locks[i])
  local reader = READ_ONCE(s.gp_seq)
  local over = snap(READ_ONCE(s.gp_seq))
  local gps, scans = between(reader, over)
  assert(gps <= limit[1] and scans <= limit[2], "one call waits for more than that")
  spin_lock(s.lock)
  local seq = READ_ONCE(s.gp_seq)
  if s.needed:get() < over then s.needed:set(over) end
  if seq % ONE == 0 then WRITE_ONCE(s.gp_seq, seq + SCAN1) end
  spin_unlock(s.lock)
  atomic_inc(s.unlocks[i])
  return over
end

local function caller(s, limit)
  if s.mutex then mutex_lock(s.mutex) end
  local over = request(s, limit)
  if s.mutex then
    cond_wait(function() return READ_ONCE(s.gp_seq) >= over end)
    mutex_unlock(s.mutex)
  end
  atomic_inc(s.done)
end

-- Grace periods, as long as one is needed or may be.
local function drive(s, callers)
  local idx = 0
  while true do
    cond_wait(function()
      return READ_ONCE(s.gp_seq) % ONE == SCAN1 or READ_ONCE(s.done) == callers
    end)
    if READ_ONCE(s.gp_seq) % ONE ~= SCAN1 then return end
    scan(s, idx ~ 1)
    WRITE_ONCE(s.srcu_idx, idx ~ 1)
    advance(s, 1)
    scan(s, idx)
    idx = idx ~ 1
    advance(s, 2)
  end
end

local function model(callers, limit, exclusive)
  return function()
    local s = {gp_seq = var "gp_seq", needed = var "needed", srcu_idx = var "srcu_idx",
               done = var "done", lock = spinlock "lock", locks = {}, unlocks = {},
               mutex = exclusive and mutex "mutex"}
    for i = 0, 1 do
      s.locks[i] = var("locks" .. i)
      s.unlocks[i] = var("unlocks" .. i)
    end
    for n = 1, callers do
      thread("caller" .. n, function() caller(s, limit) end)
    end
    thread("gp", function() drive(s, callers) end)
  end
end

-- ------------------------------------------------- tree SRCU

-- By its name in each implementation: "ss.gp_seq", "ss.sup.srcu_gp_seq".
local function is_gp_seq(object)
  return object and object:find "gp_seq$"
end

-- What a task does next in its call c, and gp_seq is seq.
local function note(c, e, seq)
  if not c.reader then
    if e.text:find "lock_count" then c.reader = seq end
  elseif not c.snapshot and is_gp_seq(e.object) then
    c.snapshot = seq
  end
end

-- The calls of synchronize_srcu() in this execution, as they end: fn(call), with the values
-- of gp_seq when it was entered (entry), counted itself as a reader (reader), took its
-- snapshot (snapshot), was fulfilled (over), and had its callback invoked (callback).  It
-- is first_seq when the execution begins.
local function calls(first_seq, fn)
  local seq, call = first_seq, {}
  for _, e in ipairs(trace(math.maxinteger)) do
    local t = e.thread
    if e.call and e.call:find "^synchronize_srcu" then
      if not call[t] or call[t].callback then call[t] = {entry = seq} end
      note(call[t], e, seq)
    end
    if is_gp_seq(e.object) and e.op == "store" then
      seq = e.value
    elseif e.op == "complete" then
      local c = call[e.object:match "^ss:sync@(.-)%.%d+%."]
      c.over, c.callback = snap(c.snapshot), seq
      fn(c)
    end
  end
end

-- Checks the bounds and tallies what was seen.
local function bounds(ss, limit)
  local first_seq = ss:state().gp_seq
  finally(function()
    calls(first_seq, function(c)
      local gps, scans = between(c.reader, c.over)
      assert(c.callback >= c.over, "a callback came before its grace period was over")
      assert(gps <= limit[1] and scans <= limit[2], "one call waits for more than that")
    end)
  end)
  outcome(function()
    local most = {}
    calls(first_seq, function(c)
      for _, from in ipairs{"snapshot", "reader", "entry"} do
        local gps, scans = between(c[from], c.over)
        local m = most[from] or {0, 0}
        most[from] = {math.max(m[1], gps), math.max(m[2], scans)}
      end
    end)
    return ("grace periods, scans: from the snapshot %d, %d; the reader %d, %d; the entry %d, %d")
           :format(most.snapshot[1], most.snapshot[2], most.reader[1], most.reader[2],
                   most.entry[1], most.entry[2])
  end)
end

local function tree(o)
  return function()
    cpus(1)
    local ss = srcu.new("ss", {size = "small"})
    local lock = o.mutex and mutex "mutex"
    local synchronize = o.normal and synchronize_srcu or synchronize_srcu_expedited
    for n = 1, o.callers do
      thread("caller" .. n, function()
        for _ = 1, o.times or 1 do
          if lock then mutex_lock(lock) end
          synchronize(ss)
          if lock then mutex_unlock(lock) end
        end
      end)
    end
    bounds(ss, o.limit or {3, 6})
  end
end

-- Looks at a bank that failed in this execution.
local function failures()
  local unlocks, n = nil, 0
  for _, e in ipairs(trace(math.maxinteger)) do
    local kind = e.thread:find "^kworker/ss:gp" and e.text:match "cpu0%.([%l_]+)_count%["
    if kind and kind:find "unlock$" then
      unlocks = e.value
    elseif kind and e.value ~= unlocks then
      n = n + 1
    end
  end
  return n
end

-- Wrong if more looks than that fail before the grace period is over.
local function scans(synchronize, readers, limit)
  return function()
    cpus(1)
    local ss = srcu.new("ss", {size = "small"})
    thread("caller", function() synchronize(ss) end)
    for n = 1, readers do
      thread("reader" .. n, function()
        local idx = srcu_read_lock(ss)
        srcu_read_unlock(ss, idx)
      end)
    end
    finally(function() assert(failures() <= limit, "more looks fail than that") end)
    outcome(function() return ("%d looks failed"):format(failures()) end)
  end
end

return {
  model1 = model(1, {1, 2}),
  model2 = model(2, {2, 4}),
  model2_less = model(2, {2, 3}),
  model3 = model(3, {3, 6}),
  model3_less = model(3, {3, 5}),
  model4 = model(4, {3, 6}),
  model_mutex2 = model(2, {1, 2}, true),
  model_mutex3 = model(3, {1, 2}, true),
  model_mutex4 = model(4, {1, 2}, true),
  tree1 = tree{callers = 1, times = 2},
  tree1_normal = tree{callers = 1, normal = true},
  tree2 = tree{callers = 2},
  tree2_normal = tree{callers = 2, normal = true},
  tree2_less = tree{callers = 2, limit = {1, 2}},
  tree3 = tree{callers = 3},
  tree3_normal = tree{callers = 3, normal = true},
  tree4 = tree{callers = 4},
  tree4_normal = tree{callers = 4, normal = true},
  tree_mutex2 = tree{callers = 2, mutex = true, limit = {1, 2}},
  tree_mutex3 = tree{callers = 3, mutex = true, limit = {1, 2}},
  tree_mutex4 = tree{callers = 4, mutex = true, limit = {1, 2}},
  scans = scans(synchronize_srcu_expedited, 1, 5),
  scans_less = scans(synchronize_srcu_expedited, 1, 4),
  scans_normal = scans(synchronize_srcu, 1, 3),
  scans_normal2 = scans(synchronize_srcu, 2, 3),
}
