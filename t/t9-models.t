-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The catalogue's rows about memory ordering: each scenario of these files of examples/bugs
-- is explored under each model and ends as the file says, ok (nothing left out) or a
-- violation, whose schedule shows it again.

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path

local tap = require "tap"
local catalogue = require "catalogue"
local expected = require "expected".models

local DIR = (os.getenv "top_srcdir" or ".") .. "/examples/bugs/"

local counts = {}

local function check(title, scenario, model, want)
  title = title .. ", " .. model
  local report = catalogue.explore(scenario, catalogue.under(want, model), title)
  if report then counts[title] = ("%d+%d"):format(report.executions, report.blocked) end
end

for _, id in ipairs(catalogue.sorted(expected)) do
  local scenarios = dofile(DIR .. id .. ".lua")
  tap.same(catalogue.sorted(scenarios), catalogue.sorted(expected[id]), id .. ": its scenarios")
  for _, name in ipairs(catalogue.sorted(scenarios)) do
    for _, model in ipairs(catalogue.sorted(expected[id][name] or {})) do
      check(id .. ":" .. name, scenarios[name], model, expected[id][name][model])
    end
  end
end

-- What of T3 depends on the model, and is said not to.
local T3 = dofile(DIR .. "T3.lua")
for _, name in ipairs {"reader_both", "reader_no_gp", "reader_no_cb", "reader_neither"} do
  for _, model in ipairs {"tso", "weak"} do check("T3:" .. name, T3[name], model, catalogue.ok()) end
end

-- Without srcu_gp_mutex two passes at once are wrong under each.
for _, name in ipairs {"again_no_gp", "again_no_gp_big", "again_neither", "early"} do
  for _, model in ipairs {"tso", "weak"} do
    check("T3:" .. name, T3[name], model, catalogue.wrong({"warning", "data-race", "grace-period"}, 30))
  end
end

-- Two normal grace periods: the end of the second leaves the timer that is armed, and the
-- work that it sets going reads the number before (the manual says why).
local r = explore(function()
  cpus(2)
  local ss = srcu.new "ss"
  local x, y = var "x", var "y"
  thread("t0", function() WRITE_ONCE(x, 1) synchronize_srcu(ss) WRITE_ONCE(y, 2) end, {cpu = 0})
  thread("t1", function() WRITE_ONCE(y, 1) synchronize_srcu(ss) WRITE_ONCE(x, 2) end, {cpu = 1})
end, {model = "weak", max_executions = 10000})
tap.is(r.violations[1] and r.violations[1].kind, "stall", "two normal grace periods, weak")

-- E lets nothing happen that would not happen with it.
for _, model in ipairs {"sc", "tso", "weak"} do
  tap.is(counts["S9:claim, " .. model], counts["S9:with, " .. model], "S9: as many executions, " .. model)
end

tap.done()
