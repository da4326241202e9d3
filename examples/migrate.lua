-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: a reader locks on one CPU, is moved, and unlocks on another.  Then
-- no CPU's counters balance any more.  Does the grace period notice?
--
-- Shows: the counters of each CPU and their sums while such a reader is inside
-- and after it has left; that only the sums are compared; and what happens to a
-- scan that adds up the locks before the unlocks.
--
--	srcush migrate.lua

local function say(format, ...)
  print((format:format(...)))
end

local function title(text)
  say("\n%s\n%s", text, string.rep("-", #text))
end

-- A violation in words, at most 78 columns wide.
local function tell(v)
  local text = ""
  for word in (v.kind .. ": " .. v.message):gmatch("%S+") do
    if #text + #word > 77 then
      say("  %s", text)
      text = ""
    end
    text = text .. (text == "" and "" or " ") .. word
  end
  say("  %s", text)
end

-- The counters of one bank, by CPU, and their sums.
local function counters(ss, bank, when)
  local s = ss:state()
  local locks, unlocks = 0, 0
  say("  bank %d %s", bank, when)
  for cpu = 0, 2 do
    local l, u = s.lock_count[cpu][bank], s.unlock_count[cpu][bank]
    say("    CPU %d   locks %d   unlocks %d", cpu, l, u)
    locks, unlocks = locks + l, unlocks + u
  end
  say("    sum     locks %d   unlocks %d", locks, unlocks)
  return locks, unlocks
end

-- A reader that wanders from CPU 0 to CPU 1 inside its section.
local function wanderer(name, ss)
  thread(name, function()
    local idx = srcu_read_lock(ss)
    migrate(1)
    srcu_read_unlock(ss, idx)
  end, {cpu = 0})
end

local function scenario(opts)
  world()
  cpus(3)
  local ss = srcu.new("ss", opts)
  wanderer("reader", ss)
  thread("updater", function() synchronize_srcu(ss) end, {cpu = 2})
  return ss
end

title("A section that begins on CPU 0 and ends on CPU 1")
local ss = scenario()
assert(run_until("reader", function() return pending("reader").op == "migrate" end))
step("reader")
assert(run_until("updater", "SCAN2"))
local locks, unlocks = counters(ss, 0, "while the reader is inside")
assert(locks == unlocks + 1)
assert(status("updater") == "blocked")
assert(finish("reader"))
locks, unlocks = counters(ss, 0, "after it has left")
assert(locks == unlocks)
assert(#run().violations == 0 and status("updater") == "done")
say("  and the updater has returned.")
say([[

One of the locks and one of the unlocks are the updater's own, which is a reader
itself while it queues its callback.  The wanderer has made CPU 0 look like a
reader that never leaves, and CPU 1 like one that left without having come.  The
scan does not mind: it compares sums over all CPUs, never one CPU's columns.]])

title("Every interleaving of it that was tried")
local worst, runs = 0, 300
for seed = 1, runs do
  scenario()
  local report = run {policy = "random", seed = seed}
  assert(report.verdict == "ok", report.verdict)
  worst = math.max(worst, report.steps)
end
say("  %d random schedules, up to %d steps: no violation.", runs, worst)

title("A scan that adds up the locks before the unlocks")

-- Two such readers.  The second has read srcu_idx early, and counts itself only
-- after the scan has passed the locks of its CPU.
ss = scenario {faults = {"lock-before-unlock"}}
wanderer("second", ss)
assert(run_until("reader", function() return pending("reader").op == "migrate" end))
step("second")
assert(run_until("updater", "SCAN2"))
assert(run_until("updater", function()
  return (pending("kworker/ss:gp").object or ""):find "cpu0%.[%l_]*unlock_count%[0%]$"
end))
counters(ss, 0, "when the scan has added up the locks")
assert(finish("second"))
counters(ss, 0, "when it comes to the unlocks")
local _, violation = run_until("updater", function()
  return status("updater") == "done"
end)
say("")
tell(violation)
assert(violation.kind == "grace-period")
say([[

The second reader's unlock was counted and its lock was not: that made up for
the first reader, who is still inside.  A scan that adds up the unlocks first
can miss an unlock, and then it tries again; it cannot miss the lock of an
unlock that it has seen, because barrier A stands between its two sums, and the
reader's barriers B and C stand between lock and unlock.]])
