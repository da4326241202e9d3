-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Strategies under the other memory models, on random programs: what sc shows all show; two
-- processes find what one does; random schedules and pct choose among the stores that the
-- model allows, and among no others; the enumeration of all orders refuses.

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path
local tap = require("tap")
local models = require("models")

local ROUNDS = 25
local SHAPE = { tasks = 3, ops = 3, locs = 2, cpus = 3, kinds = { "R", "W", "R", "W", "X", "C", "L" } }

local function differ(a, b)
  return a.executions ~= b.executions or a.blocked ~= b.blocked or
         #models.missing(a.outcomes, b.outcomes) + #models.missing(b.outcomes, a.outcomes) > 0
end

for _, model in ipairs { "tso", "weak" } do
  local lacking, jobs, extra = {}, {}, {}
  for seed = 1, ROUNDS do
    local s = models.scenario(models.random(seed, SHAPE))
    local all = explore(s, { model = model })
    if #models.missing(explore(s).outcomes, all.outcomes) > 0 then lacking[#lacking + 1] = seed end
    if differ(all, explore(s, { model = model, jobs = 2 })) then jobs[#jobs + 1] = seed end
    for _, strategy in ipairs { "random", "pct" } do
      local some = explore(s, { model = model, strategy = strategy, max_executions = 100, seed = seed })
      for _, text in ipairs(models.missing(some.outcomes, all.outcomes)) do
        extra[#extra + 1] = ("%s, seed %d: %s"):format(strategy, seed, text)
      end
    end
  end
  tap.same(lacking, {}, model .. " shows what sc shows")
  tap.same(jobs, {}, model .. ": two processes find the same")
  tap.same(extra, {}, model .. ": random and pct show nothing else")
end

local function store(loc, value) return { op = "W", loc = loc, value = value } end
local function load(loc) return { op = "R", loc = loc } end
local buffering = models.scenario { { cpu = 0, store(1, 1), load(2) }, { cpu = 1, store(2, 2), load(1) }, locs = 2 }
local passing = models.scenario { { cpu = 0, store(1, 1), store(2, 2) }, { cpu = 1, load(2), load(1) }, locs = 2 }

for _, strategy in ipairs { "dpor", "random", "pct" } do
  local function shows(scenario, model)
    local n = 0
    for _ in pairs(explore(scenario, { model = model, strategy = strategy, max_executions = 300, seed = 1 }).outcomes) do
      n = n + 1
    end
    return n
  end
  tap.same({ shows(buffering, "sc"), shows(buffering, "tso"), shows(buffering, "weak") }, { 3, 4, 4 },
    strategy .. ": store buffering")
  tap.same({ shows(passing, "sc"), shows(passing, "tso"), shows(passing, "weak") }, { 3, 3, 4 },
    strategy .. ": message passing")
end
tap.raises(function() explore(buffering, { model = "tso", strategy = "naive" }) end,
  "the naive strategy tries all orders of the steps, not what else the tso memory model allows", "naive refuses")

tap.done()
