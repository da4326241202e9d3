-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: how does one free something without waiting for the readers?  What
-- do call_srcu(), srcu_barrier() and the polling functions promise?
--
-- Shows: a callback that frees the old object while the updater goes on; where
-- the callback is at each moment; why a module must call srcu_barrier() before
-- it goes; and how one polls for a grace period instead of waiting.
--
--	srcush call-srcu.lua

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

-- Where the callbacks of CPU 0 are, and the grace period.
local function line(ss, what)
  local s = ss:state()
  local c = s.cblist[0]
  say("  %-36s %-5s  done %d, wait %d, next %d", what, s.gp_state, c.done, c.wait,
      c.next_ready + c.next)
end

local function state_of(name)
  return function() return status(name) ~= "ready" end
end

title("An updater that does not wait")
cpus(2)
local ss = srcu.new("ss")
local p = ptr("p", kmalloc("old", {value = 1}))
thread("reader", function()
  local idx = srcu_read_lock(ss)
  local object = srcu_dereference(p, ss)
  yield()
  assert(object.value == 1)
  srcu_read_unlock(ss, idx)
end, {cpu = 0})
thread("updater", function()
  local old = rcu_replace_pointer(p, kmalloc("new", {value = 2}), true)
  call_srcu(ss, function() kfree(old) end)
end, {cpu = 1})

assert(run_until("reader", function() return pending("reader").op == "yield" end))
line(ss, "the reader has the old object")
assert(run_until("updater", state_of("updater")))
line(ss, "the updater is " .. status("updater"))
assert(run_until("updater", "SCAN2"))
line(ss, "the grace period goes on by itself")
assert(finish("reader"))
line(ss, "the reader has left")
assert(run_until("updater", "IDLE"))
line(ss, "the grace period is over")
assert(#run().violations == 0)
line(ss, "the callback was invoked")
local freed
for _, e in ipairs(trace(math.maxinteger)) do
  if e.op == "free" then freed = e end
end
say("\n  The old object was freed at step %d, by %s on CPU %d.", freed.n, freed.thread,
    freed.cpu)
say([[

The callback waits in the list of the CPU that queued it (with "small" SRCU, all
wait in that of CPU 0) until its grace period is over, and is then invoked by a
worker.  It may not sleep.]])

title("Going away: srcu_barrier()")

-- A module that queues callbacks into its own code, and then is unloaded.  The
-- flag stands for the code: a callback that finds it gone would crash.
local function module(barrier)
  world()
  cpus(2)
  ss = srcu.new("ss")
  local loaded = ghost("loaded", true)
  thread("exit", function()
    for i = 1, 3 do
      call_srcu(ss, function() assert(loaded.value, "callback " .. i .. " has no code") end)
    end
    if barrier then srcu_barrier(ss) end
    loaded.value = false
  end, {cpu = 1})
  return run().violations
end

local v = module(false)
assert(v[1].kind == "assertion")
say("  without srcu_barrier():")
tell(v[1])
v = module(true)
assert(#v == 0)
say("  with srcu_barrier(): no violation")
say([[

srcu_barrier() returns when every callback queued before it has been invoked.
synchronize_srcu() in its place would not do: it waits for readers, and it may
return before callbacks that wait in the lists of other CPUs.]])

title("Polling")
world()
cpus(2)
ss = srcu.new("ss")
local answers = {}
thread("reader", function()
  local idx = srcu_read_lock(ss)
  yield()
  srcu_read_unlock(ss, idx)
end, {cpu = 0})
thread("poller", function()
  local cookie = start_poll_synchronize_srcu(ss)
  repeat
    local over = poll_state_synchronize_srcu(ss, cookie)
    table.insert(answers, tostring(over))
    yield()
  until over
end, {cpu = 1})

assert(run_until("reader", function() return pending("reader").op == "yield" end))
assert(run_until("poller", function() return #answers == 3 end))
say("  with the reader inside: %s", table.concat(answers, ", "))
assert(finish("reader"))
assert(run_until("poller", function() return #answers == 4 end))
say("  just after it has left: %s", answers[4])
-- the poller never sleeps, and timers wait for those who do: so, in random order
assert(run({policy = "random", seed = 1}).verdict == "ok")
say("  when the grace period is over: %s", answers[#answers])
assert(answers[4] == "false" and answers[#answers] == "true")
say([[

start_poll_synchronize_srcu() asks for a grace period and gives a cookie; the
poll says whether that grace period is over, and never waits.  A "false" may be
out of date the next moment; a "true" stays true.  get_state_synchronize_srcu()
gives a cookie without asking: then somebody else has to.]])
