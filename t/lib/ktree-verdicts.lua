-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- For t9-ktree.t, as "srcush --kernel DIR ktree-verdicts.lua VERSION": every scenario of
-- examples/bugs in which there is a domain of that tree gives the verdict that our own
-- SRCU gives.  Those that need a fault of ours are refused.  Then T3, on edited copies.

local here = arg[0]:match "^(.*/)" or "./"
package.path = here .. "?.lua;" .. package.path

local tap = require "tap"
local catalogue = require "catalogue"

local LONG = os.getenv "SRCUSH_LONG_TESTS"
local DIR = (os.getenv "top_srcdir" or ".") .. "/examples/bugs/"

-- Notes whether a domain has been made that is none of flavor "ideal".
local made
local new, create_vm = srcu.new, kvm.create_vm
local function note_new(name, opts)
  made = made or not (opts and opts.flavor == "ideal")
  return new(name, opts)
end
local function note_create_vm(...)
  made = true
  return create_vm(...)
end

-- "theirs" if it has a domain of the tree, "refused" if faults are asked for; nil: neither.
local function concerns(scenario)
  made = false
  srcu.new, kvm.create_vm = note_new, note_create_vm
  local fine, why = pcall(world, scenario)
  srcu.new, kvm.create_vm = new, create_vm
  world()
  if fine then return made and "theirs" or nil end
  return why:find("a kernel tree has no ", 1, true) and "refused" or error(why)
end

local SAMPLE = 100

-- Explored to the end on our own SRCU, in seconds to minutes; a kernel's takes longer.
local SLOW = {
  ["S23:cleanup_barrier"] = true, ["T3:idle"] = true, ["T3:once_both"] = true,
  ["T3:once_both_big"] = true, ["T4:scans_normal2"] = true, ["T4:tree1"] = true,
  ["T4:tree_mutex2"] = true,
}

-- As on our own SRCU, but what is sampled there is sampled less, and a schedule may be
-- longer: a kernel's functions have steps that ours do not have.
local function expectation(want, name)
  if want.items then
    return setmetatable({items = want.items + 3}, {__index = want})
  elseif not LONG and (SLOW[name] or want.opts and want.verdict == "incomplete") then
    return catalogue.sampled(SAMPLE)
  end
  return want
end

-- Under sc, or what depends on the model under each.
local function explore_theirs(scenario, want, full)
  if want.verdict then return catalogue.explore(scenario, expectation(want, full), full) end
  for _, model in ipairs(catalogue.sorted(want)) do
    catalogue.explore(scenario, catalogue.under(expectation(want[model], full), model),
                      full .. ", " .. model)
  end
end

local expected = {}
for _, rows in pairs(require "expected") do
  for id, scenarios in pairs(rows) do expected[id] = scenarios end
end

for _, id in ipairs(catalogue.sorted(expected)) do
  local scenarios = dofile(DIR .. id .. ".lua")
  for _, name in ipairs(catalogue.sorted(scenarios)) do
    local full, how = id .. ":" .. name, concerns(scenarios[name])
    if how == "theirs" then
      explore_theirs(scenarios[name], expected[id][name], full)
    elseif how == "refused" then
      tap.pass(full .. ": its faults are refused")
    end
  end
end

require "ktree-t3".check(arg[1])

tap.done()
