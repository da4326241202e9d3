-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The catalogue of bugs and claims: each scenario of examples/bugs is explored, and ends
-- as it is expected to: ok, or a violation of that kind with a schedule of no more than so
-- many items.  The schedule, replayed, shows the same violation.  What is too large to be
-- explored here is sampled.
--
--	local catalogue = require "catalogue"		-- t/lib in package.path
--	catalogue.check("S", { S1 = { buggy = catalogue.wrong("assertion", 5), ... }, ... })
--
-- What is expected of each is in expected.lua.

local tap = require "tap"

local M = {}

local TOP = os.getenv "top_srcdir" or "."
local DIR = TOP .. "/examples/bugs/"

-- With sanitizers, which make everything slow, it is how exploring computes that is looked
-- at, not what: then so many executions, or seconds for what has few executions among many
-- graphs, are enough, and nothing wrong may be found among them.
local SANITIZED = (os.getenv "SRCUSH_SANITIZERS" or "") ~= ""
local MOST, SECONDS, SAMPLES = 200, 3, 40

-- Every execution is looked at and none is wrong.
function M.ok(more)
  return setmetatable(more or {}, {__index = {verdict = "ok"}})
end

-- So many executions, made by pct.
function M.by_pct(executions, keep_going)
  if SANITIZED and keep_going then executions = executions // 8 end
  return {strategy = "pct", depth = 5, seed = 1, max_executions = executions,
          keep_going = keep_going}
end

-- None of so many executions, made by pct, is wrong.
function M.sampled(executions)
  return {verdict = "incomplete",
          opts = M.by_pct(SANITIZED and math.min(executions, SAMPLES) or executions)}
end

-- The first violation that is found is of this kind (or one of these), and its schedule
-- has no more items than that.
function M.wrong(kind, items, more)
  local want = {verdict = "violation", items = items,
                kind = type(kind) == "table" and kind or {kind}}
  return setmetatable(more or {}, {__index = want})
end

function M.sorted(t)
  local keys = {}
  for k in pairs(t) do keys[#keys + 1] = k end
  table.sort(keys)
  return keys
end

local sorted = M.sorted

local function kinds(report)
  local set = {}
  for _, v in ipairs(report.violations) do set[v.kind] = true end
  return set
end

-- The schedule leads to a violation of that kind in a world of its own.
local function shows(scenario, violation)
  world(scenario)
  local done, found = replay(violation.schedule)
  if found and found.kind == violation.kind then return true end
  if not done then return false end
  -- found when nothing moves any more, or in the trace
  for _, v in ipairs(run{max_steps = 0}.violations) do
    if v.kind == violation.kind then return true end
  end
  return false
end

local function set_of(names)
  local set = {}
  for _, name in ipairs(names) do set[name] = true end
  return set
end

local function check_violation(scenario, report, want, name)
  local v = report.violations[1]
  local kind = table.concat(want.kind, " or ")
  if not tap.ok(v and set_of(want.kind)[v.kind], name .. ": " .. kind) then
    tap.diag("got: " .. tostring(v and v.kind))
    return
  end
  local _, items = v.schedule:gsub("%S+", "")
  local short = items - 1 <= want.items
  if not tap.ok(short, ("%s: no more than %d items"):format(name, want.items)) then
    tap.diag(v.schedule)
  end
  tap.ok(shows(scenario, v), name .. ": the schedule shows it again")
  if want.also then
    tap.ok(kinds(report)[want.also], ("%s: and %s"):format(name, want.also))
  end
end

-- How it is explored: to the end, unless that would take too long.
local function options(want)
  if want.opts then return want.opts end
  return SANITIZED and want.verdict == "ok" and {max_executions = MOST, time = SECONDS} or {}
end

-- The same, under that model.
function M.under(want, model)
  local opts = {model = model}
  for name, value in pairs(options(want)) do opts[name] = value end
  return setmetatable({opts = opts}, {__index = want})
end

local function verdict(want, report)
  if SANITIZED and want.verdict == "ok" and report.bound then return "incomplete" end
  return want.verdict
end

-- The exploration of one, its verdict, and what it found.  Its report; nil: an error.
function M.explore(scenario, want, name)
  local fine, report = pcall(explore, scenario, options(want))
  if not tap.ok(fine, name .. ": explored") then
    tap.diag(report)
    return
  end
  if not tap.is(report.verdict, verdict(want, report), name .. ": verdict") then
    tap.diag(("%s executions, %s blocked, %.1f s, bound: %s"):format(report.executions,
             report.blocked, report.seconds, report.bound))
    for _, v in ipairs(report.violations) do tap.diag(v.kind .. ": " .. v.message) end
  elseif want.kind then
    check_violation(scenario, report, want, name)
  end
  if want.outcomes and report.verdict == "ok" then
    tap.same(sorted(report.outcomes), want.outcomes, name .. ": outcomes")
  end
  if want.all then
    local found = kinds(explore(scenario, {keep_going = true}))
    for _, kind in ipairs(want.all) do
      tap.ok(found[kind], ("%s: with keep_going, %s"):format(name, kind))
    end
  end
  return report
end

-- What the files of the directory are called.
local function listed()
  local names = {}
  local list = assert(io.popen("ls '" .. DIR:gsub("'", "'\\''") .. "'"))
  for name in list:read "a":gmatch "([%w_]+)%.lua" do names[#names + 1] = name end
  list:close()
  table.sort(names)
  return names
end

-- All files whose names begin with that letter, but those that are looked at elsewhere.
function M.check(letter, expected, elsewhere)
  for _, id in ipairs(sorted(expected)) do
    local scenarios = dofile(DIR .. id .. ".lua")
    tap.same(sorted(scenarios), sorted(expected[id]), id .. ": its scenarios")
    for _, name in ipairs(sorted(scenarios)) do
      if expected[id][name] then
        M.explore(scenarios[name], expected[id][name], id .. ":" .. name)
      end
    end
  end
  -- no file without an entry
  local there = {}
  for _, name in ipairs(listed()) do
    if name:sub(1, 1) == letter and not elsewhere[name] then there[#there + 1] = name end
    tap.like(name, "^[KST]", name .. ": a letter that is explored")
  end
  tap.same(there, sorted(expected), "every file of the directory is explored: " .. letter)
end

return M
