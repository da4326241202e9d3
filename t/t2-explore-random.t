-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Random small scenarios over all kinds of steps: the exhaustive strategy finds the
-- same outcomes and violations as an enumeration of all interleavings, and takes one
-- execution for each trace.  Where they differ the scenario is printed as a script.

package.path = arg[0]:gsub("[^/]*$", "lib/?.lua;", 1) .. package.path
local tap = require("tap")
local randscen, crosscheck = require("randscen"), require("crosscheck")

local MOST = 20000	-- interleavings that may be tried

local function check(seeds, family, opts)
  local compared, skipped, bad, saved = 0, 0, nil, 0
  for seed = 1, seeds do
    local scenario, text, fam = randscen.scenario(seed, family)
    opts.count = fam == "memory"
    opts.most, opts.seed = MOST, seed
    local r = crosscheck.compare(scenario, opts)
    if r.skipped then
      skipped = skipped + 1
    else
      compared = compared + 1
      if #r.differences > 0 then
        bad = bad or ("seed %d:\n%s\n%s"):format(seed, table.concat(r.differences, "\n"), text)
      end
      saved = saved + r.naive.executions - r.other.executions
    end
  end
  tap.ok(not bad, ("%s and naive agree on %d scenarios%s"):format(opts.strategy, compared,
    family and " of family " .. family or ""))
  if bad then tap.diag(bad) end
  tap.diag(("%d left out, which have more than %d interleavings"):format(skipped, MOST))
  tap.ok(compared > seeds // 2, "most were compared")
  return saved
end

check(24, nil, { strategy = "random", samples = 300, subset = true })
tap.ok(check(300, nil, { strategy = "dpor" }) > 100000, "with far fewer executions")
for _, family in ipairs(randscen.srcu_families) do
  check(10, family, { strategy = "dpor" })
end

-- The same text for the same seed, another one for another.
tap.is(randscen.source(5, "mixed"), (randscen.source(5, "mixed")), "a seed gives one scenario")
tap.isnt(randscen.source(5, "mixed"), (randscen.source(6, "mixed")), "and another another")

tap.done()
