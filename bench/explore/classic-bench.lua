-- SPDX-License-Identifier: GPL-2.0-or-later
-- Exploring the reference programs of bench/explore/classic.lua: executions and time of
-- each; how soon pct finds the broken ones; random schedules a second.
-- Run with: srcush --carrier fiber bench/explore/classic-bench.lua [PROGRAM...]
-- r4s2u2 has six million executions, and has to be asked for.

local ROUNDS = 5		-- of each program that takes less than a second
local SEEDS = 100
local SECONDS = 2		-- of random schedules

local here = arg[0]:gsub("[^/]*$", "")
local programs = #arg > 0 and arg or
                 {"r1s1u1", "r2s1u1", "r3s1u1", "r4s1u1", "r3s2u1", "r6s1u1", "r3s2u2"}
local classic = assert(loadfile(here .. "classic.lua"))(table.unpack(programs))

local function median(list)
  table.sort(list)
  return list[#list // 2 + 1]
end

print("| program | verdict | complete | blocked | ms, median |")
print("| --- | --- | ---: | ---: | ---: |")
for _, name in ipairs(programs) do
  local seconds, r = {}, nil
  repeat
    r = explore(classic[name])
    seconds[#seconds + 1] = r.seconds
  until #seconds == ROUNDS or r.seconds > 1
  print(("| %s | %s | %d | %d | %.2f |"):format(name, r.verdict, r.executions, r.blocked,
        median(seconds) * 1e3))
  io.stdout:flush()
end

print()
for _, name in ipairs{"b1r1", "b1r2", "b1r3", "b2r1", "b2r2", "b2r3"} do
  local found = {}
  for seed = 1, SEEDS do
    local r = explore(classic[name], {strategy = "pct", seed = seed, max_executions = 10000})
    local v = r.violations[1]
    found[seed] = v and v.execution or math.huge
  end
  local exact = explore(classic[name])
  print(("%s: dpor after %d complete executions and %d blocked; pct after a median of %s schedules"):format(
        name, exact.executions, exact.blocked, median(found)))
end

for _, name in ipairs{"r2s1u1", "r3s1u1"} do
  local r = explore(classic[name], {strategy = "random", time = SECONDS, max_executions = math.maxinteger})
  print(("%s: %.0f random schedules a second"):format(name, (r.executions + r.blocked) / r.seconds))
end
