-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The catalogue of bugs and claims: each scenario of examples/bugs is explored, and ends
-- as lib/catalogue.lua says: ok, or a violation of that kind with a schedule of no more
-- than so many items.  The schedule, replayed, shows the same violation.  What is too
-- large to be explored here is sampled.

local here = arg[0]:match "^(.*/)" or "./"
package.path = here .. "lib/?.lua;" .. package.path

local tap = require "tap"
local catalogue = require "catalogue"

local TOP = os.getenv "top_srcdir" or "."
local DIR = TOP .. "/examples/bugs/"
local expected, sorted = catalogue.expected, catalogue.sorted

for _, id in ipairs(sorted(expected)) do
  local scenarios = dofile(DIR .. id .. ".lua")
  tap.same(sorted(scenarios), sorted(expected[id]), id .. ": its scenarios")
  for _, name in ipairs(sorted(scenarios)) do
    if expected[id][name] then
      catalogue.check(scenarios[name], expected[id][name], id .. ":" .. name)
    end
  end
end

-- No file without an entry.
local listed = {}
local list = assert(io.popen("ls '" .. DIR:gsub("'", "'\\''") .. "'"))
for name in list:read "a":gmatch "([%w_]+)%.lua" do listed[name] = true end
list:close()
tap.same(sorted(listed), sorted(expected), "every file of the directory is explored")

tap.done()
