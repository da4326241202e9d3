-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The catalogue's rows about memory ordering: each scenario of these files of examples/bugs
-- is explored under each model and ends as the file says, ok (nothing left out) or a
-- violation of one of these kinds, whose schedule shows one again.

local tap = require "tap"

local TOP = os.getenv "top_srcdir" or "."
local DIR = TOP .. "/examples/bugs/"
local TIME = 240	-- seconds that an exploration may take: sanitizers make it slow

local ok = {verdict = "ok"}
local none = {sc = ok, tso = ok, weak = ok}

local function wrong(...)
  local kinds = {}
  for _, kind in ipairs {...} do kinds[kind] = true end
  return {verdict = "violation", kinds = kinds}
end

local asserts = wrong "assertion"
local short = wrong("assertion", "grace-period")
local weak_only = {sc = ok, tso = ok, weak = asserts}

local expected = {
  S4 = {
    buggy = {sc = ok, tso = short, weak = short},
    no_c_writes = {sc = ok, tso = ok, weak = short},
    no_c_reads = {sc = ok, tso = ok, weak = wrong "grace-period"},
    no_a = {sc = ok, weak = wrong "grace-period"},	-- tso: ok, in a minute
    no_a_one = none,
    fixed = none,
  },
  S5 = {buggy = weak_only, fixed = none, acquire = none},
  S6 = {claim = none, fixed = none, buggy = weak_only},
  S7 = {
    buggy = {sc = ok, weak = wrong "grace-period"},	-- tso: ok, in minutes
    fixed = {sc = ok, weak = ok},
    wide = none,
  },
  S9 = {claim = none, with = none},
  S15 = {
    early = {sc = asserts, tso = asserts, weak = asserts},
    buggy = weak_only,
    fixed = none,
  },
  S24 = {buggy = weak_only, fixed = none, claim = none},
  K11 = {waits = none, buggy = weak_only, fixed = none},
}

local function sorted(t)
  local keys = {}
  for k in pairs(t) do keys[#keys + 1] = k end
  table.sort(keys)
  return keys
end

-- A world of that model, walked along the schedule, shows the violation.
local function shows(file, name, violation)
  local command = ("%s replay --quiet %s:%s '%s' 2>&1"):format(os.getenv "SRCUSH" or "./srcush",
                                                              file, name, violation.schedule)
  local p = assert(io.popen(command))
  local text = p:read "a"
  local _, _, status = p:close()
  return status == 3 and text:find(violation.kind, 1, true), text
end

local counts = {}

local function check(id, name, scenario, model, want)
  local title = ("%s:%s, %s"):format(id, name, model)
  local fine, report = pcall(explore, scenario, {model = model, time = TIME})
  if not tap.ok(fine, title .. ": explored") then return tap.diag(report) end
  counts[title] = ("%d+%d"):format(report.executions, report.blocked)
  if not tap.is(report.verdict, want.verdict, title .. ": verdict") then
    tap.diag(("%s, %.1f s, bound: %s"):format(counts[title], report.seconds, report.bound))
    for _, v in ipairs(report.violations) do tap.diag(v.kind .. ": " .. v.message) end
  elseif want.kinds then
    local v = report.violations[1]
    tap.ok(want.kinds[v.kind], ("%s: %s"):format(title, v.kind))
    local again, text = shows(DIR .. id .. ".lua", name, v)
    if not tap.ok(again, title .. ": the schedule shows it again") then tap.diag(text) end
  end
end

for _, id in ipairs(sorted(expected)) do
  local scenarios = dofile(DIR .. id .. ".lua")
  tap.same(sorted(scenarios), sorted(expected[id]), id .. ": its scenarios")
  for _, name in ipairs(sorted(scenarios)) do
    for _, model in ipairs(sorted(expected[id][name] or {})) do
      check(id, name, scenarios[name], model, expected[id][name][model])
    end
  end
end

-- What of T3 depends on the model, and is said not to.
local T3 = dofile(DIR .. "T3.lua")
for _, name in ipairs {"reader_both", "reader_no_gp", "reader_no_cb", "reader_neither"} do
  for _, model in ipairs {"tso", "weak"} do check("T3", name, T3[name], model, ok) end
end

-- E lets nothing happen that would not happen with it.
for _, model in ipairs {"sc", "tso", "weak"} do
  tap.is(counts["S9:claim, " .. model], counts["S9:with, " .. model], "S9: as many executions, " .. model)
end

tap.done()
