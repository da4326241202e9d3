-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The schedule of what is found under tso reads as a machine could have done it: once a
-- task has gone through a full barrier, nobody misses what it stored before.  Under weak
-- the same steps are as good, where it can be.

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path

local tap = require "tap"
local models = require "models"

local TOP = os.getenv "top_srcdir" or "."

local function is_full(e)
  return e.op == "fence" and e.order == "mb" or e.op == "xchg" or e.op == "lock" or
         e.op == "cmpxchg" and e.changed
end

-- The first full barrier between a store and a load that misses it.
local function too_late(events)
  for _, load in ipairs(events) do
    for _, n in ipairs(load.missed or {}) do
      for k = n + 1, load.n - 1 do
        if events[k].thread == events[n].thread and is_full(events[k]) then
          return ("step %d misses step %d, behind which is %s"):format(load.n, n, events[k].text)
        end
      end
    end
  end
end

local function check(scenario, model, kind, name)
  local v = explore(scenario, {model = model}).violations[1]
  if not tap.ok(v and v.kind == kind, name .. ": " .. kind) then return end
  world(scenario)
  local fine, found = replay(v.schedule)
  if fine and not found then found = run{max_steps = 0}.violations[1] end
  if not tap.ok(found and found.kind == kind, name .. ": the schedule shows it") then
    return tap.diag(v.schedule)
  end
  local stale = 0
  for _, e in ipairs(trace()) do stale = stale + (e.missed and 1 or 0) end
  tap.ok(stale > 0, name .. ": by a load that misses something")
  if not tap.is(too_late(trace()), nil, name .. ": and none behind a barrier") then
    tap.diag(v.schedule)
  end
  return stale
end

local function without(scenario, outcome)
  return function()
    scenario()
    finally(function() assert(models.outcome() ~= outcome) end)
  end
end

-- Random programs: an outcome that there is under tso and not under sc.
local wanted, seed = 25, 0
while wanted > 0 and seed < 400 do
  seed = seed + 1
  local p = models.random(seed, {tasks = 3, ops = 4, locs = 2, cpus = 3,
                                 kinds = {"R", "R", "W", "W", "mb", "X"}})
  local scenario = models.scenario(p)
  local new = models.missing(explore(scenario, {model = "tso"}).outcomes,
                             explore(scenario).outcomes)
  if new[1] then
    wanted = wanted - 1
    check(without(scenario, new[#new]), "tso", "assertion", "random program " .. seed)
  end
end
tap.is(wanted, 0, "programs enough")

-- The reader's barrier B: one load is stale.
local scenarios = dofile(TOP .. "/examples/no-barrier.lua")
for _, model in ipairs {"tso", "weak"} do
  tap.is(check(scenarios.B_loads, model, "grace-period", "B, " .. model), 1,
         "B, " .. model .. ": one load misses something")
end

tap.done()
