-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: what does a reader really do in srcu_read_lock() and
-- srcu_read_unlock()?  What does it write, and whom can it disturb?
--
-- Shows: each step of a reader, alone and nested; that two readers of two CPUs
-- write to no common location; and what the index is for.
--
--	srcush read-side.lua

local function say(format, ...)
  print((format:format(...)))
end

local function title(text)
  say("\n%s\n%s", text, string.rep("-", #text))
end

-- Steps a thread to its end and tells each step.
local function tell(name)
  while status(name) == "ready" do
    local e = step(name)
    say("  %3d  %-8s %-17s %s", e.n, e.thread, e.call or "", e.text)
  end
end

title("One reader, one section nested in another")
local ss = srcu.new("ss")
thread("reader", function()
  local outer = srcu_read_lock(ss)
  local inner = srcu_read_lock(ss)
  srcu_read_unlock(ss, inner)
  srcu_read_unlock(ss, outer)
end, {cpu = 0})
tell("reader")
say([[

A lock reads the index, counts one up in that bank of its own CPU, and has a
full barrier (B) behind it; an unlock has its barrier (C) first and counts in
the other column.  Nothing is awaited, nothing is retried, and nothing is told
to anybody: a section is a lock that no unlock has followed yet.  The inner
section costs as much as the outer one and means nothing more.]])

title("Two readers on two CPUs: what do both of them write?")
world()
ss = srcu.new("ss")
for cpu = 0, 1 do
  thread("reader" .. cpu, function()
    srcu_read_unlock(ss, srcu_read_lock(ss))
  end, {cpu = cpu})
end
run()
local writers, order = {}, {}
for _, e in ipairs(trace(math.maxinteger)) do
  if e.op == "cpu-add" then
    if not writers[e.object] then
      writers[e.object] = {}
      order[#order + 1] = e.object
    end
    table.insert(writers[e.object], e.thread)
  end
end
table.sort(order)
for _, object in ipairs(order) do
  say("  %-26s written by %s", object, table.concat(writers[object], ", "))
  assert(#writers[object] == 1)
end
say([[

Each location has one writer.  Readers share only srcu_idx, which they read and
a grace period writes: they scale because they have nothing to agree about.]])

title("What the index is for")
world()
ss = srcu.new("ss")
thread("early", function()
  local idx = srcu_read_lock(ss)
  yield()
  srcu_read_unlock(ss, idx)
end, {cpu = 0})
thread("updater", function() synchronize_srcu(ss) end, {cpu = 1})
thread("late", function()
  local idx = srcu_read_lock(ss)
  yield()
  srcu_read_unlock(ss, idx)
end, {cpu = 2})
run_until("early", function() return pending("early").op == "yield" end)
run_until("updater", "SCAN2")
run_until("late", function() return pending("late").op == "yield" end)
show(ss)
say([[

The early reader counts in bank 0.  Then the grace period turned srcu_idx over,
so that the late reader counts in bank 1.  Now the grace period waits for bank 0
to balance, and readers that go on arriving cannot hold it up: they are counted
in the other bank.  This is why unlock must be given the index that lock
returned: a section may end long after srcu_idx has changed.  (The lock and the
unlock of CPU 1 are the updater's own: synchronize_srcu() is a reader itself
while it queues its callback.)]])
assert(#run().violations == 0)
local s = ss:state()
assert(s.readers[0] == 0 and s.readers[1] == 0 and s.gp_state == "IDLE")
say("\nBoth readers left, the grace period ended; readers now: %d and %d.",
    s.readers[0], s.readers[1])
