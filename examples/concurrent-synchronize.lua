-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: must callers of synchronize_srcu() exclude each other?  Can two of
-- them confuse the lock and unlock counters, or keep each other waiting for
-- long?  And is srcu_gp_mutex redundant, given that a work item never runs twice
-- at once?
--
-- Shows: two writers that share a grace period and two that need one each; how
-- many grace periods twelve writers cost; who writes what; and both halves of
-- the answer about the mutex.
--
--	srcush concurrent-synchronize.lua

local function say(format, ...)
  print((format:format(...)))
end

local function title(text)
  say("\n%s\n%s", text, string.rep("-", #text))
end

-- A violation in words, at most 78 columns wide; where in the C source it was
-- found is left out.
local function tell(v)
  local text = ""
  for word in (v.kind .. ": " .. v.message:gsub(" %(src/.-%)", "")):gmatch("%S+") do
    if #text + #word > 77 then
      say("  %s", text)
      text = ""
    end
    text = text .. (text == "" and "" or " ") .. word
  end
  say("  %s", text)
end

-- A fresh world with `n` writers on CPUs of their own; and gp_seq at its beginning.
local first_seq
local function writers(n)
  world()
  cpus(n)
  local ss = srcu.new("ss")
  first_seq = ss:state().gp_seq
  for i = 1, n do
    thread("writer" .. i, function() synchronize_srcu(ss) end, {cpu = i - 1})
  end
  return ss
end

-- Steps a writer until it has noted which grace period it needs: it waits then.
local function waits(name)
  assert(run_until(name, function() return status(name) == "blocked" end))
end

-- How many grace periods are over.
local function over(ss)
  return (ss:state().gp_seq - first_seq) // 4
end

-- The state in a line.
local function line(ss, what)
  local s = ss:state()
  say("  %-38s %d over, needed %d, now %s", what, over(ss),
      (s.gp_seq_needed - first_seq) // 4, s.gp_state)
end

-- The lock of the srcu_struct is what it wants next (and not that of a CPU).
local function asks(name)
  local object = pending(name).object
  return object == "ss.lock" or object == "ss.sup.lock"
end

local function finish_all()
  local report = run()
  assert(report.verdict == "ok", report.verdict)
end

title("Two writers that share one grace period")
local ss = writers(2)
line(ss, "at first")
assert(run_until("writer1", function() return asks "writer1" end))
line(ss, "writer1 is about to ask")
waits("writer2")
line(ss, "writer2 found the same need noted")
waits("writer1")
line(ss, "writer1 has asked, and started one")
finish_all()
line(ss, "both have returned")
assert(over(ss) == 1)
say([[

Each took its snapshot of gp_seq while it was IDLE, so the first grace period to
begin serves both.  writer2 does not even ask for it: its callback stands in a
list whose need has been noted already, and writer1 is going to ask.]])

title("Two writers that need one each")
ss = writers(2)
waits("writer1")
line(ss, "writer1 has asked, and started one")
waits("writer2")
line(ss, "writer2 has asked: it needs the next")
assert(run_until("writer1", function() return over(ss) == 1 end))
line(ss, "the first one is over")
finish_all()
line(ss, "both have returned")
assert(over(ss) == 2)
say([[

A grace period that is under way may already have looked past a reader that
writer2 must wait for, so it is of no use to writer2.  Nobody has to order the
two: the number in gp_seq_needed does.]])

title("Twelve writers, eleven of them while a grace period is under way")
ss = writers(12)
for i = 1, 12 do waits("writer" .. i) end
line(ss, "all have asked")
finish_all()
line(ss, "all have returned")
assert(over(ss) == 2)
say([[

However many come while one is under way, they all need the same next one.  A
caller waits for the rest of a grace period and for a whole one, never longer
because of other callers.]])

title("Who writes what")
ss = writers(2)
finish_all()
local who, order = {}, {}
for _, e in ipairs(trace(math.maxinteger)) do
  local object = e.object or ""
  if e.op == "store" and (object == "ss.srcu_idx" or object:find "gp_seq$") or
     e.op == "add" and object:find("lock_count") then
    if not who[object] then
      who[object] = {}
      order[#order + 1] = object
    end
    if who[object][#who[object]] ~= e.thread then table.insert(who[object], e.thread) end
  end
end
table.sort(order)
for _, object in ipairs(order) do
  say("  %-24s %s", object, table.concat(who[object], ", "))
end
local s = ss:state()
for bank = 0, 1 do
  local locks, unlocks = 0, 0
  for cpu = 0, 1 do
    locks = locks + s.lock_count[cpu][bank]
    unlocks = unlocks + s.unlock_count[cpu][bank]
  end
  say("  bank %d: %d locks, %d unlocks", bank, locks, unlocks)
  assert(locks == unlocks)
end
say([[

A writer touches the counters only as a reader, by atomic increments, while it
queues its callback; like any reader that comes after the flip, it is counted
where the scan does not look.  Nobody ever resets or copies a counter, so there
is nothing that a second writer could confuse.  srcu_idx is changed by the work
item alone; gp_seq by it, and under ss.lock by whoever starts a grace period.]])

-- Two readers and two writers, twice each, in random order; counts how it went.
local function trial(faults, runs)
  local tally, bad, sample = {}, 0, nil
  for seed = 1, runs do
    world()
    cpus(2)
    local ss = srcu.new("ss", {faults = faults})
    first_seq = ss:state().gp_seq
    for i = 1, 2 do
      thread("reader" .. i, function()
        for _ = 1, 2 do
          local idx = srcu_read_lock(ss)
          yield()
          srcu_read_unlock(ss, idx)
        end
      end)
      thread("writer" .. i, function()
        for _ = 1, 2 do synchronize_srcu(ss) end
      end)
    end
    local report = run {policy = "random", seed = seed}
    if report.verdict == "violation" then
      bad = bad + 1
      sample = sample or report.violations[1]
    else
      local n = over(ss)
      tally[n] = (tally[n] or 0) + 1
    end
  end
  return bad, sample, tally
end

title("Two writers, twice each, among readers, in random order")
local RUNS = 100
local bad, sample, tally = trial({}, RUNS)
assert(bad == 0)
for n = 2, 4 do
  say("  %3d of %d runs: 4 calls of synchronize_srcu() in %d grace periods",
      tally[n] or 0, RUNS, n)
end
say("  no violation")

title("Without srcu_gp_mutex")
bad = trial({"no-gp-mutex"}, RUNS)
say("  work item as it is:         %3d of %d runs go wrong", bad, RUNS)
assert(bad == 0)
bad, sample = trial({"no-gp-mutex", "reentrant-work"}, RUNS)
say("  work item runs twice at once: %d of %d runs go wrong, such as:", bad, RUNS)
assert(bad > 0)
tell(sample)
say([[

In these runs the mutex was redundant for as long as the workqueue kept its
promise never to run an item twice at once; where it did not, all was lost.
That is evidence, not proof: these were %d interleavings of very many.]], RUNS)

say([[

Answers: callers need not exclude each other, they cannot confuse the counters,
and none waits longer than for the rest of one grace period and a whole one.]])
