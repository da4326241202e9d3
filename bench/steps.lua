-- SPDX-License-Identifier: GPL-2.0-or-later
-- What a step costs when the body is Lua, on fibers, beside Lua's own coroutines;
-- how a long run grows, and what going back one step costs.
-- Run with: srcush --carrier fiber bench/steps.lua
-- Time is the process's computing time (os.clock); medians over rounds.

local ROUNDS = 15

local function median(n, fn)
  local t = {}
  for i = 1, ROUNDS do
    local start = os.clock()
    fn(n)
    t[i] = (os.clock() - start) / n * 1e9
  end
  table.sort(t)
  return t[(ROUNDS + 1) // 2]
end

local function kib()
  for line in io.lines("/proc/self/status") do
    local n = line:match("^VmRSS:%s+(%d+)")
    if n then return tonumber(n) end
  end
end

local function endless()
  world()
  local x = var("x")
  thread("a", function() while true do WRITE_ONCE(x, 1) end end)
  thread("b", function() while true do READ_ONCE(x) end end)
end

-- a long run: does it grow as it should, does it slow down?  First, because memory that
-- a run has used is kept for the next.
endless()
collectgarbage()
local before, first, last = kib(), nil, nil
for i = 1, 10 do
  local start = os.clock()
  run{max_steps = 100000}
  local t = (os.clock() - start) / 100000 * 1e9
  first = first or t
  last = t
end
collectgarbage()
print(string.format("a run of 1,000,000 steps: %.1f bytes a step; first 100,000: %.1f ns a step, last: %.1f",
  (kib() - before) * 1024 / 1e6, first, last))


-- the peer: one coroutine resumed and yielding
local co = coroutine.create(function() while true do coroutine.yield() end end)
local resume = coroutine.resume
local peer = median(100000, function(n) for _ = 1, n do resume(co) end end)

endless()
local by_run = median(100000, function(n) run{max_steps = n} end)
endless()
local a = "a"
local by_step = median(100000, function(n) for _ = 1, n do step(a) end end)

world()
local ss = srcu.new("ss")
thread("r", function()
  while true do srcu_read_unlock(ss, srcu_read_lock(ss)) end
end)
local sections = median(100000, function(n) run{max_steps = n} end)

print(string.format("Lua bodies on fibers, ns a step, median of %d rounds", ROUNDS))
print(string.format("  coroutine.resume + yield        %10.1f", peer))
print(string.format("  run{}, two threads              %10.1f   ratio %.2f", by_run, by_run / peer))
print(string.format("  step(t) from a script           %10.1f   ratio %.2f", by_step, by_step / peer))
print(string.format("  srcu_read_lock + unlock         %10.1f", sections))

endless()
run{max_steps = 10000}
local t = {}
for i = 1, ROUNDS do
  local start = os.clock()
  back(1)
  t[i] = (os.clock() - start) * 1e3
  step("a")
end
table.sort(t)
print(string.format("back(1) at step 10,000: %.2f ms", t[(ROUNDS + 1) // 2]))
