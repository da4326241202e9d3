-- SPDX-License-Identifier: GPL-2.0-or-later
-- What a step costs when the body is Lua, on fibers, beside Lua's own coroutines;
-- how a long run grows, and what going back one step costs.
-- Run with: srcush --carrier fiber bench/steps.lua
-- Time is the process's computing time (os.clock), which some systems count in steps of
-- 4 ms: hence the long rounds.  Medians over rounds.

local ROUNDS = 9

-- Each round begins in a new world, which takes over the memory of the last.
local function median(n, build, fn)
  local t = {}
  for i = 1, ROUNDS do
    build()
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


-- the peer: Lua's own coroutine, resumed and yielding, in the plain interpreter
local function plain_lua()
  local pipe = io.popen("lua5.4 - 2>/dev/null", "w")
  local file = os.tmpname()
  pipe:write(([[
    local co = coroutine.create(function() while true do coroutine.yield() end end)
    local resume, t = coroutine.resume, {}
    for i = 1, %d do
      local start = os.clock()
      for _ = 1, 1000000 do resume(co) end
      t[i] = (os.clock() - start) / 1000000 * 1e9
    end
    table.sort(t)
    io.open(%q, "w"):write(t[(#t + 1) // 2]):close()
  ]]):format(ROUNDS, file))
  pipe:close()
  local ns = tonumber(io.open(file):read("a"))
  os.remove(file)
  return ns
end
local peer = plain_lua()

local function against(ns)
  return peer and ("   ratio %.2f"):format(ns / peer) or ""
end

local function by_turns(n) run{max_steps = n} end
local by_run = median(500000, endless, by_turns)
local a = "a"
local by_step = median(500000, endless, function(n) for _ = 1, n do step(a) end end)

local function readers()
  world()
  local ss = srcu.new("ss")
  thread("r", function()
    while true do srcu_read_unlock(ss, srcu_read_lock(ss)) end
  end)
end
local sections = median(500000, readers, by_turns)

print(string.format("Lua bodies on fibers, ns a step, median of %d rounds", ROUNDS))
print(string.format("  lua5.4: coroutine.resume, yield %10.1f", peer or 0 / 0))
print(string.format("  READ_ONCE, WRITE_ONCE, by run{} %10.1f%s", by_run, against(by_run)))
print(string.format("  srcu_read_lock and unlock       %10.1f%s", sections, against(sections)))
print(string.format("  step(t), with its event         %10.1f%s", by_step, against(by_step)))

endless()
run{max_steps = 10050}
local start = os.clock()
for _ = 1, 100 do back(1) end
print(string.format("back(1) at step 10,000: %.2f ms, mean of 100", (os.clock() - start) * 10))
