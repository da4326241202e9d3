-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The strategies that sample, on the broken variants of the classic SRCU core: how soon
-- pct finds the bugs, and that one seed repeats one execution.

local tap = require("tap")

local here = arg[0]:gsub("[^/]*$", "")
local classic = assert(loadfile(here .. "../bench/explore/classic.lua"))()

local SEEDS, MEDIAN = 100, 50

for _, name in ipairs({ "b1r3", "b2r3" }) do
  local found = {}
  for seed = 1, SEEDS do
    local r = explore(classic[name], { strategy = "pct", seed = seed, max_executions = 1000 })
    found[seed] = r.violations[1] and r.violations[1].execution or math.huge
  end
  table.sort(found)
  tap.ok(found[SEEDS // 2 + 1] <= MEDIAN, ("pct finds %s within a median of %d schedules"):format(name, MEDIAN))
  tap.diag(("median %d, worst %d of %d seeds"):format(found[SEEDS // 2 + 1], found[SEEDS], SEEDS))
end

for _, strategy in ipairs({ "random", "pct" }) do
  local first = explore(classic.b2r3, { strategy = strategy, seed = 5, max_executions = 3000 })
  local v = first.violations[1]
  tap.is(first.verdict, "violation", strategy .. " finds b2r3")
  local again = explore(classic.b2r3, { strategy = strategy, seed = v.seed, max_executions = 1 })
  tap.is(again.violations[1] and again.violations[1].execution, 1, "its own seed finds it at once")
  tap.is(again.violations[1] and again.violations[1].schedule, v.schedule, "with the same schedule")
  tap.is(again.executions + again.blocked, 1, "in one execution")
end

do
  local r = explore(classic.r2s1u1, { strategy = "random", seed = 9, max_executions = 500 })
  tap.is(r.verdict, "incomplete", "no number of samples says ok")
  tap.is(r.executions + r.blocked, 500, "the bound counts both kinds of execution")
end

do
  local function outcomes(strategy, seed)
    local text = {}
    local r = explore(function()
      local x = var("x")
      for i = 1, 3 do thread("t" .. i, function() WRITE_ONCE(x, READ_ONCE(x) * 4 + i) end) end
      outcome(function() return READ_ONCE(x) end)
    end, { strategy = strategy, seed = seed, max_executions = 40 })
    for k, n in pairs(r.outcomes) do text[#text + 1] = ("%s:%d"):format(k, n) end
    table.sort(text)
    return table.concat(text, " ")
  end
  for _, strategy in ipairs({ "random", "pct" }) do
    tap.is(outcomes(strategy, 1), outcomes(strategy, 1), strategy .. ": the same seed, the same sample")
    tap.isnt(outcomes(strategy, 1), outcomes(strategy, 2), "another seed, another one")
  end
end

tap.done()
