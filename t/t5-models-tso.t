-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Total store order against a machine: random programs run in all ways on CPUs with store
-- buffers (first in, first out, seen by their own CPU at once), and explore() with
-- model = "tso" must show the same outcomes, each execution once.

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path
local tap = require("tap")
local models = require("models")
local buffers = require("buffers")

local ROUNDS = 30	-- programs of each shape

-- ------------------------------------------------------------ comparing

local function compare(name, shape)
  local wrong, counts, weaker = {}, {}, 0
  for seed = 1, ROUNDS do
    local p = models.random(seed, shape)
    local outcomes, n = buffers.run(p)
    local r = explore(models.scenario(p), { model = "tso" })
    local sc = explore(models.scenario(p))
    local lacking, extra = models.missing(outcomes, r.outcomes), models.missing(r.outcomes, outcomes)
    if r.verdict ~= "ok" or #lacking + #extra > 0 then
      wrong[#wrong + 1] = ("seed %d, %s: not shown: %s; shown, but cannot be: %s\n%s"):format(seed, r.verdict,
        table.concat(lacking, " / "), table.concat(extra, " / "), models.show(p))
    end
    if r.executions ~= n then
      counts[#counts + 1] = ("seed %d: %d executions, there are %d\n%s"):format(seed, r.executions, n,
        models.show(p))
    end
    if #models.missing(r.outcomes, sc.outcomes) > 0 then weaker = weaker + 1 end
  end
  tap.is(table.concat(wrong, "\n"), "", name .. ": the machine's outcomes")
  tap.is(table.concat(counts, "\n"), "", name .. ": the machine's executions, each once")
  tap.ok(weaker > 0, name .. ": some programs show what sc does not (" .. weaker .. ")")
end

compare("stores and loads", { tasks = 2, ops = 4, locs = 2, cpus = 2, kinds = { "R", "W", "R", "W", "mb" } })
compare("three tasks", { tasks = 3, ops = 3, locs = 2, cpus = 3, kinds = { "R", "W", "R", "W", "mb" } })
compare("locked instructions", { tasks = 3, ops = 2, locs = 2, cpus = 3,
  kinds = { "R", "W", "R", "W", "X", "C", "Y" } })
compare("orders without effect", { tasks = 2, ops = 5, locs = 2, cpus = 2,
  kinds = { "R", "W", "A", "S", "wmb", "rmb" } })
compare("locks", { tasks = 3, ops = 3, locs = 2, cpus = 3, kinds = { "R", "W", "L" } })
compare("two CPUs", { tasks = 3, ops = 3, locs = 2, cpus = 2, kinds = { "R", "W", "R", "W", "mb" } })
compare("two CPUs and locks", { tasks = 3, ops = 3, locs = 2, cpus = 2, kinds = { "R", "W", "R", "W", "L" } })

tap.done()
