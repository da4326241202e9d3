-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What is explored under a memory model can be stepped: of random scenarios over all kinds of
-- steps each execution, as steps with their choices, is made again by hand, where the model
-- is asked of each choice on its own, and every thread does the same and is told the same.
-- Each violation's schedule leads to a violation.

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path
local tap = require "tap"
local randscen = require "randscen"

local SEEDS = 8	-- of each family
local EXECUTIONS = 100	-- of each scenario
local REPLAYED = 15	-- of these

-- What the threads did, each for itself, and the steps as a schedule.
local function story()
  local steps, by, names = {}, {}, {}
  for i, e in ipairs(trace(math.maxinteger)) do
    local choice = e.op == "choose" and e.value or e.choice or 1
    steps[i] = e.thread .. (choice > 1 and "=" .. choice or "")
    if not by[e.thread] then
      by[e.thread] = {}
      names[#names + 1] = e.thread
    end
    table.insert(by[e.thread], ("%s %s %s"):format(e.op, e.object, e.value))
  end
  table.sort(names)
  for i, name in ipairs(names) do names[i] = name .. ": " .. table.concat(by[name], ", ") end
  return table.concat(steps, " "), table.concat(names, "\n")
end

-- The scenario of that seed, which ends each complete execution with its story.  Worlds in
-- which nothing is ever locked keep no log: a thread of its own locks something.
local function told(seed, family)
  local text = randscen.source(seed, family)
  text = text:gsub("  outcome%(function", [[
  local own = mutex "own"
  thread("locks", function() mutex_lock(own) mutex_unlock(own) end)
  outcome(function]], 1)
  local env = setmetatable({ outcome = function() outcome(function()
    local steps, events = story()
    return steps .. "\1" .. events
  end) end }, { __index = _G })
  return assert(load(text, "=" .. family .. seed, "t", env))(), tonumber(text:match "cpus%((%d+)%)")
end

-- What is wrong with the schedule; nil: nothing.
local function repeated(schedule, events)
  local done, why = replay(schedule)
  local _, now = story()
  if not done then return why end
  return now ~= events and "the threads do\n" .. now .. "\nrather than\n" .. events or nil
end

local function check(model, family, seed, wrong)
  local scenario, cpus = told(seed, family)
  local report = explore(scenario, { model = model, keep_going = true, max_executions = EXECUTIONS })
  local n = 0
  local function say(schedule, why)
    wrong[#wrong + 1] = ("%s %d: %s: %s"):format(family, seed, schedule, why)
  end

  world(scenario)
  for outcome in pairs(report.outcomes) do
    local steps, events = outcome:match "^([^\1]*)\1(.*)$"
    local schedule = ("@%s,%d %s"):format(model, cpus, steps)
    local why = repeated(schedule, events)
    if why then say(schedule, why) end
    n = n + 1
    if n == REPLAYED then break end
  end
  for _, v in ipairs(report.violations) do
    local done, violation = replay(v.schedule)
    if not done or not violation then say(v.schedule, violation or "no " .. v.kind) end
  end
  return n
end

for _, model in ipairs { "tso", "weak" } do
  for _, family in ipairs(randscen.families) do
    local wrong, n = {}, 0
    for seed = 1, SEEDS do n = n + check(model, family, seed, wrong) end
    tap.ok(n > SEEDS, ("%s: %s: there are executions"):format(model, family))
    if not tap.ok(#wrong == 0, ("%s: %s: what was explored can be stepped"):format(model, family)) then
      tap.diag(wrong[1])
    end
  end
end

-- a cmpxchg that stores what was there is a store like any other
local function same()
  local x = var "x"
  thread("a", function() cmpxchg(x, 0, 0) end)
  thread("b", function() READ_ONCE(x) READ_ONCE(x) end)
end
world(same)
for _, model in ipairs { "tso", "weak" } do
  tap.ok(replay("@" .. model .. ",4 a b=2 b"), model .. ": missed, then seen")
  tap.ok(not replay("@" .. model .. ",4 a b b=2"), model .. ": and not unseen")
end

tap.done()
