-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Kernel trees against our own SRCU: on each tree, run with --kernel, the examples end as
-- they do on ours, and what the catalogue of bugs and claims says is said of the kernel's
-- own code, too (lib/ktree-verdicts.lua, one process for each tree).
--
-- SRCUSH_LONG_TESTS=1 samples as much as on our own SRCU, and explores to the end what
-- is explored to the end there: that takes long.

local here = arg[0]:match "^(.*/)" or "./"
package.path = here .. "lib/?.lua;" .. package.path

local tap = require "tap"
local kt = require "kerneltree"
local quoted = require("sh").quoted

local SRCUSH = os.getenv "SRCUSH" or "./srcush"
local TOP = os.getenv "top_srcdir" or "."

-- Starts a command; the rest of its output, and its exit status, when called again.
local function start(format, ...)
  local p = assert(io.popen(format:format(...)))
  return function()
    local text = p:read "a"
    local fine, _, status = p:close()
    return text, fine and 0 or status
  end
end

-- ---------------------------------------------------------------- examples

local function example_names()
  local names = {}
  local text = start("ls %s", quoted(TOP .. "/examples"))()
  for name in text:gmatch "([%w_-]+)%.lua" do names[#names + 1] = name end
  return names
end

-- The kinds of the violations that a text tells of, in order.
local KINDS = {}
for kind in ([[use-after-free double-free invalid-free leak grace-period deadlock self-deadlock
  unbalanced-unlock lock-order sleep-in-atomic rcu-usage data-race stall assertion invariant
  warning error]]):gmatch "%S+" do KINDS[kind] = true end

local function violations(text)
  local list = {}
  for kind in ("\n" .. text):gmatch "\n[^\n]-([%l-]+): " do
    if KINDS[kind] then list[#list + 1] = kind end
  end
  return table.concat(list, " ")
end

local function run_example(name, options)
  return start("%s %s -E %s 2>&1", quoted(SRCUSH), options,
               quoted(("%s/examples/%s.lua"):format(TOP, name)))()
end

local function check_examples(version, dir)
  for _, name in ipairs(example_names()) do
    local what = ("%s, examples/%s.lua"):format(version, name)
    local text, status = run_example(name, "--kernel " .. quoted(dir))
    if status ~= 0 and text:find("a kernel tree has no ", 1, true) then
      tap.pass(what .. ": its faults are refused")
    elseif not tap.is(status, 0, what .. ": exit status") then
      tap.diag(text:sub(-2000))
    else
      tap.is(violations(text), violations((run_example(name, ""))), what .. ": its violations")
    end
  end
end

-- ---------------------------------------------------------------- verdicts

-- What another process has tested, as tests of ours.
local function relay(text, status, version)
  local plan
  for line in text:gmatch "[^\n]+" do
    local verdict, name = line:match "^(n?o?t? ?ok) %d+ %- (.*)$"
    if verdict then
      tap.ok(verdict == "ok", version .. ", " .. name)
    elseif line:find "^#" then
      tap.diag((line:gsub("^# ?", "")))
    else
      plan = plan or line:match "^1%.%.%d+$"
      if not plan then tap.diag(line) end
    end
  end
  tap.ok(plan, version .. ": all of its scenarios were explored")
  tap.is(status, 0, version .. ": exit status")
end

local running = {}
kt.each(function(version, dir)
  running[#running + 1] = {version = version, dir = dir, result = start(
    "%s --kernel %s -E %s %s 2>&1", quoted(SRCUSH), quoted(dir),
    quoted(here .. "lib/ktree-verdicts.lua"), version)}
end, function(version, why) tap.skip(why) end)

for _, r in ipairs(running) do check_examples(r.version, r.dir) end
for _, r in ipairs(running) do
  local text, status = r.result()
  relay(text, status, r.version)
end

tap.done()
