-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Long runs of random scenarios: which seeds are there where the exhaustive strategy
-- and the naive enumeration differ?
--
--	srcush t/lib/fuzz.lua FIRST LAST [FAMILY [STRATEGY [MOST]]]
--
-- Without a family, or with "all", in turns all but those of SRCU.  MOST: interleavings
-- that the naive enumeration may take, 20000.  Prints each seed that differs with its
-- scenario as a script, and in the end how many there were; status 3 if any.

package.path = arg[0]:gsub("[^/]*$", "?.lua;", 1) .. package.path
local randscen, crosscheck = require("randscen"), require("crosscheck")

local first, last, family, strategy = tonumber(arg[1]), tonumber(arg[2]), arg[3], arg[4] or "dpor"
local most = tonumber(arg[5] or 20000)
if not (first and last and most) then
  io.stderr:write("usage: srcush t/lib/fuzz.lua FIRST LAST [FAMILY [STRATEGY [MOST]]]\n")
  os.exit(2)
end
if family == "all" then family = nil end

local compared, skipped, differing = 0, 0, 0
for seed = first, last do
  local scenario, text, fam = randscen.scenario(seed, family)
  local ok, r = pcall(crosscheck.compare, scenario, {
    strategy = strategy, most = most, count = fam == "memory", redundant = fam == "snares", seed = seed,
    samples = strategy ~= "dpor" and 20000 or nil,
  })
  if not ok then r = { differences = { tostring(r) } } end
  if r.skipped then
    skipped = skipped + 1
  else
    compared = compared + 1
    if #r.differences > 0 then
      differing = differing + 1
      print(("seed %d, family %s:\n  %s\n%s"):format(seed, fam, table.concat(r.differences, "\n  "), text))
    end
  end
end
print(("%d compared, %d differ, %d left out (more than %d interleavings)"):format(compared, differing,
  skipped, most))
os.exit(differing > 0 and 3 or 0)
