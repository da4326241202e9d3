-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: what happens between the call of synchronize_srcu() and its return?
-- How does a grace period know that the readers of its time have gone?
--
-- Shows: one grace period from IDLE over SCAN1 and SCAN2 back to IDLE, with a
-- reader inside that it has to wait for, and one that comes later and must not
-- hold it up.  Every write and every counter that is read is listed; loads that
-- decide nothing, and spinlocks, are left out.
--
--	srcush grace-period.lua

local function say(format, ...)
  print((format:format(...)))
end

cpus(3)
local ss = srcu.new("ss")

local function reads()
  local idx = srcu_read_lock(ss)
  yield()
  srcu_read_unlock(ss, idx)
end

thread("early", reads, {cpu = 0})
thread("updater", function() synchronize_srcu(ss) end, {cpu = 1})
thread("late", reads, {cpu = 2})

local quiet = {["fence"] = true, ["load"] = true, ["trylock"] = true,
               ["yield"] = true, ["context"] = true}

local function matters(e)
  local object = e.object or ""
  if e.label or object:find("lock_count") then return true end
  if object:find("%.lock$") or object:find("n_exp_nodelay") or
     object:find("reschedule_count") then
    return false
  end
  return not quiet[e.op]
end

-- Runs fn, lists the steps that it made, and comments on them.
local seen = 0
local function act(title, fn, comment)
  say("\n%s\n%s", title, string.rep("-", #title))
  assert(fn())
  for _, e in ipairs(trace(math.maxinteger)) do
    if e.n > seen and matters(e) then say("  %3d  %-14s %s", e.n, e.thread, e.text) end
    seen = math.max(seen, e.n)
  end
  local s = ss:state()
  say("       => %s, new readers take bank %d; readers inside: %d and %d\n\n%s",
      s.gp_state, s.srcu_idx % 2, s.readers[0], s.readers[1], comment)
end

-- What a thread, a worker or a timer does next; workers and timers are made when
-- they are first needed.
local function upcoming(name)
  for _, t in ipairs(threads()) do
    if tostring(t):find('"' .. name .. '"', 1, true) then return pending(t) or {} end
  end
  return {}
end

local function enters(name)
  return function()
    return run_until(name, function() return pending(name).op == "yield" end)
  end
end

act("A reader enters", enters("early"), [[
Bank 0 is in use, so that is where it is counted.]])

act("The updater asks for a grace period: IDLE -> SCAN1", function()
  return run_until("updater", function() return status("updater") == "blocked" end)
end, [[
synchronize_srcu() is call_srcu() with a callback that wakes the caller up.  The
callback goes into the list of a CPU (under its spinlock: no step of its own).
gp_seq_needed says which grace period it needs; nothing is under way, so this
one starts at once, and a work item is to drive it, after a jiffy.  While it
did all this, the updater was a reader itself, for a moment.]])

act("SCAN1: the bank that is not in use", function()
  return run_until("updater", function()
    local e = upcoming("kworker/ss:gp")
    -- barriers have no names in a kernel's own code
    return e.label == "E" or e.op == "store" and e.object:find "srcu_idx$"
  end)
end, [[
Bank 1 must be empty before it comes into use: a reader may have read srcu_idx
long ago, before an earlier flip, and have counted itself only now.  Unlocks are
summed first, then locks: so a section whose unlock was seen has its lock seen
too, and what looks empty was empty at some moment in between.]])

act("The flip: SCAN1 -> SCAN2", function() return run_until("updater", "SCAN2") end, [[
From now on new readers are counted in bank 1.  E keeps the flip behind the scan
of bank 1, D keeps the next scan behind the flip.]])

act("SCAN2: the bank that was in use, with the reader inside", function()
  return run_until("updater", function()
    return upcoming("timer/ss:gp").op == "timer" and
           upcoming("kworker/ss:gp").op == "work"
  end)
end, [[
Two locks (the reader's and the updater's own) and one unlock: someone is still
inside.  The worker looks twice, 5 us apart, then gives the mutex back and comes
again later, ever less often.  It may take as long as it likes.]])

act("Another reader enters", enters("late"), [[
It is counted in bank 1, which SCAN2 does not look at.  It began after the grace
period did, and need not be waited for.]])

act("The first reader leaves", function() return finish("early") end, [[
Now the sums of bank 0 agree.]])

act("SCAN2 finds it: SCAN2 -> IDLE", function() return run_until("updater", "IDLE") end, [[
gp_seq counts grace periods in its upper bits and keeps the state in the lower
two: it went from 0 SCAN2 to 1 IDLE.  srcu_cb_mutex is held until the callbacks
have been sent on their way.]])

act("The callback", function()
  return run_until("updater", function() return status("updater") == "done" end)
end, [[
Callbacks are invoked by a work item of their CPU, a jiffy later (at once when
the grace period is expedited).  This one completes the completion that
synchronize_srcu() waits for.]])

act("The second reader leaves, long after", function() return finish("late") end, [[
Nobody waits for it.]])

assert(#run().violations == 0)
say([[

The grace period waited for the section that was open when it was asked for, and
not for the one that came after the flip.  The first is what SRCU promises; the
second is why readers that keep coming cannot make it wait for ever.]])
