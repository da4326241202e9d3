-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: why must prepare_to_wait() come before the test of the condition?
--
-- Shows: a wake-up that falls between the test and the sleep and is lost, as with
-- the old sleep_on(); the same interleaving with prepare_to_wait() before the
-- test; and how often random schedules find the bug.
--
--	srcush wait-queue.lua

local function say(format, ...)
  print((format:format(...)))
end

local function title(text)
  say("\n%s\n%s", text, string.rep("-", #text))
end

-- A long text in lines of at most 78 characters.
local function wrapped(text)
  local line = " "
  for word in text:gmatch("%S+") do
    if #line + #word > 77 then
      print(line)
      line = " "
    end
    line = line .. " " .. word
  end
  print(line)
end

-- One thread waits until `ready` is set, the other sets it and wakes.
local function scenario(prepare)
  return function()
    local wq, ready = waitqueue("wq"), var("ready")
    thread("sleeper", function()
      while true do
        if prepare then prepare_to_wait(wq) end
        if READ_ONCE(ready) == 1 then break end
        schedule_wait(wq)
      end
      finish_wait(wq)
    end)
    thread("waker", function()
      WRITE_ONCE(ready, 1)
      wake_up(wq)
    end)
  end
end

-- The sleeper has just tested the condition when the waker comes.
local function between(prepare)
  world(scenario(prepare))
  assert(run_until("sleeper", function() return pending("sleeper").text:find("schedule_wait") end))
  assert(finish("waker"))
  local report = run()
  timeline()
  for _, v in ipairs(report.violations) do
    say("\n%s:", v.kind)
    wrapped(v.message)
  end
  return report
end

local RUNS = 200

-- How many of so many random schedules leave the sleeper asleep for ever.
local function lost(prepare)
  local n = 0
  for seed = 1, RUNS do
    world(scenario(prepare))
    n = n + #run{policy = "random", seed = seed}.violations
  end
  return n
end

title("Test, then sleep")
assert(between(false).violations[1].kind == "stall")

title("prepare_to_wait(), test, then sleep")
assert(between(true).verdict == "ok")

title("Random schedules")
local without, with = lost(false), lost(true)
say("  without prepare_to_wait(): %3d of %d never wake up", without, RUNS)
say("  with prepare_to_wait():    %3d of %d", with, RUNS)
assert(without > 0 and with == 0)

print [[

Answer: whoever tests the condition before he is on the queue can be overtaken
in between: the condition becomes true, wake_up() finds nobody, and he goes to
sleep on a condition that holds.  prepare_to_wait() turns the order round: from
then on every wake_up() counts, and a sleep that it has already ended does not
begin.]]
