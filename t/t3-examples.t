-- SPDX-License-Identifier: GPL-2.0-or-later
-- Each example that has a t/expected/NAME.txt prints exactly that, on either
-- carrier.  After a change that is meant:
--	srcush -E examples/NAME.lua >t/expected/NAME.txt
-- and a critical look at the difference.

local here = arg[0]:match "^(.*/)" or "./"
package.path = here .. "lib/?.lua;" .. package.path

local tap = require "tap"
local sh = require "sh"

local quoted = sh.quoted
local SRCUSH = os.getenv "SRCUSH" or "./srcush"
local TOP = os.getenv "top_srcdir" or "."

local function output(command)
  return sh.run("cd " .. quoted(TOP) .. " && " .. command)
end

-- Says where two texts part.
local function compare(got, expected, what)
  if tap.ok(got == expected, what) then return end
  local wanted, n = expected:gmatch "([^\n]*)\n?", 0
  for line in got:gmatch "([^\n]*)\n?" do
    n = n + 1
    local want = wanted()
    if line ~= want then
      tap.diag(("line %d: got      '%s'\nline %d: expected '%s'"):format(n, line, n,
               tostring(want)))
      return
    end
  end
end

local function expected_output(name)
  local f = io.open(("%s/t/expected/%s.txt"):format(TOP, name))
  local text = f and f:read "a"
  if f then f:close() end
  return text
end

local names = {}
for name in output("ls examples"):gmatch "([%w_-]+)%.lua" do
  if expected_output(name) then names[#names + 1] = name end
end
tap.ok(#names > 0, "there are expected outputs")

for _, name in ipairs(names) do
  local expected = expected_output(name)
  for _, carrier in ipairs {"pthread", "fiber"} do
    local got, status = output(("%s -E --carrier %s examples/%s.lua 2>&1"):format(
                               quoted(SRCUSH), carrier, name))
    compare(got, expected, name .. " on " .. carrier .. " carriers")
    tap.is(status, 0, name .. " on " .. carrier .. " carriers: exit status")
  end
  local wide
  for line in expected:gmatch "[^\n]+" do
    if utf8.len(line) > 80 then wide = line end
  end
  tap.is(wide, nil, name .. ": no line is wider than 80 columns")
end

-- The scenarios to step through: each ends well or not as its name says.
local scenarios = dofile(TOP .. "/examples/kvm-msr-filter-step.lua")
for _, name in ipairs {"none", "inside", "outside"} do
  local found
  for seed = 1, 40 do
    world(scenarios[name])
    found = run{policy = "random", seed = seed}.violations[1] or found
  end
  tap.is(found and found.kind, name == "none" and "use-after-free" or nil,
         "kvm-msr-filter-step:" .. name)
end
world()

tap.done()
