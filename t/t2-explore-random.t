-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Random small scenarios over all kinds of steps: the exhaustive strategy finds the
-- same outcomes and violations as an enumeration of all interleavings, and takes one
-- execution for each trace.  Where they differ the scenario is printed as a script.

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path
local tap = require("tap")
local randscen, crosscheck = require("randscen"), require("crosscheck")

-- Sanitizers make it slow: then fewer interleavings may be tried, so that fewer scenarios
-- are small enough; and SRCUSH_SEEDS says how many to compare.
local SANITIZED = (os.getenv("SRCUSH_SANITIZERS") or "") ~= ""
local MOST = SANITIZED and 500 or 4000
local SEEDS = tonumber(os.getenv("SRCUSH_SEEDS")) or 300

-- Compares seeds 1 .. n; at least `least` of them must be small enough.
local function check(n, family, opts, least)
  if SANITIZED then least = math.max(least // 4, 1) end
  local compared, bad, one_by_one, taken = 0, nil, 0, 0
  opts.most = MOST
  for seed = 1, n do
    local scenario, text, fam = randscen.scenario(seed, family)
    opts.count, opts.seed = fam == "memory", seed
    local ok, r = pcall(crosscheck.compare, scenario, opts)
    if not ok then r = { differences = { tostring(r) } } end
    if not r.skipped then compared = compared + 1 end
    if r.differences and #r.differences > 0 then
      bad = bad or ("seed %d:\n%s\n%s"):format(seed, table.concat(r.differences, "\n"), text)
    elseif r.other then
      one_by_one = one_by_one + r.naive.executions
      taken = taken + r.other.executions
    end
  end
  tap.ok(not bad, ("%s and naive agree%s"):format(opts.strategy,
    family and " on family " .. family or ""))
  if bad then tap.diag(bad) end
  tap.ok(compared >= least, ("at least %d of %d scenarios were compared"):format(least, n))
  tap.diag(("%d compared, the others have more than %d interleavings; %d executions instead of %d")
    :format(compared, MOST, taken, one_by_one))
  return taken, one_by_one
end

check(24, nil, { strategy = "random", samples = 300, subset = true }, 16)

local taken, one_by_one = check(SEEDS, nil, { strategy = "dpor" }, SEEDS * 4 // 5)
tap.ok(taken * 5 < one_by_one, "with far fewer executions")

for _, family in ipairs(randscen.srcu_families) do
  check(12, family, { strategy = "dpor" }, 3)
end

for _, family in ipairs(randscen.snare_families) do
  check(60, family, { strategy = "dpor", redundant = true }, 40)
end

-- And on each example that is small enough.
do
  local compared, bad = 0, nil
  local function one(title, fn)
    local ok, r = pcall(crosscheck.compare, fn, { strategy = "dpor", most = MOST })
    if not ok then r = { differences = { tostring(r) } } end
    if r.skipped then return end
    compared = compared + 1
    if #r.differences > 0 then
      bad = bad or ("%s:\n%s"):format(title, table.concat(r.differences, "\n"))
    end
  end
  for _, name in ipairs({ "K1", "K2", "K5", "K7", "K8", "K10", "S21", "S22", "S23", "T5" }) do
    local v = assert(loadfile(here .. "../examples/bugs/" .. name .. ".lua"))()
    local names = {}
    for n in pairs(v) do names[#names + 1] = n end
    table.sort(names)
    for _, n in ipairs(names) do one(name .. ":" .. n, v[n]) end
  end
  tap.ok(not bad, "dpor and naive agree on the catalogue's examples")
  if bad then tap.diag(bad) end
  tap.ok(compared >= 20, "at least 20 are small enough")
  tap.diag(("%d compared"):format(compared))
end

-- The same text for the same seed, another one for another.
tap.is(randscen.source(5, "mixed"), (randscen.source(5, "mixed")), "a seed gives one scenario")
tap.isnt(randscen.source(5, "mixed"), (randscen.source(6, "mixed")), "and another another")

tap.done()
