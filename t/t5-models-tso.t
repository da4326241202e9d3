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

-- shape.rounds: so many programs; others: what weak shows is compared, too.
local function compare(name, shape)
  local wrong, counts, order, fences, weaker = {}, {}, {}, {}, 0
  for seed = 1, shape.rounds or ROUNDS do
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
    if shape.others then
      local weak = explore(models.scenario(p), { model = "weak" })
      lacking = models.missing(sc.outcomes, r.outcomes)
      for _, text in ipairs(models.missing(r.outcomes, weak.outcomes)) do lacking[#lacking + 1] = text end
      if weak.verdict ~= "ok" or #lacking > 0 then
        order[#order + 1] = ("seed %d, %s: %s\n%s"):format(seed, weak.verdict, table.concat(lacking, " / "), models.show(p))
      end
    end
    if shape.others == "fences" then
      local f = models.scenario(models.fenced(p))
      local all, weak = explore(f), explore(f, { model = "weak" })
      lacking, extra = models.missing(all.outcomes, weak.outcomes), models.missing(weak.outcomes, all.outcomes)
      if weak.verdict ~= "ok" or #lacking + #extra > 0 then
        fences[#fences + 1] = ("seed %d, %s: not shown: %s; shown, but not under sc: %s\n%s"):format(seed,
          weak.verdict, table.concat(lacking, " / "), table.concat(extra, " / "), models.show(p))
      end
    end
  end
  tap.is(table.concat(wrong, "\n"), "", name .. ": the machine's outcomes")
  tap.is(table.concat(counts, "\n"), "", name .. ": the machine's executions, each once")
  if shape.others then
    tap.is(table.concat(order, "\n"), "", name .. ": what sc shows tso shows, and what that shows weak shows")
    if shape.others == "fences" then
      tap.is(table.concat(fences, "\n"), "", name .. ": with full barriers between all, weak shows what sc does")
    end
  else
    tap.ok(weaker > 0, name .. ": some programs show what sc does not (" .. weaker .. ")")
  end
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

-- One CPU for several tasks, of which one keeps it for a while
local mixed = { "R", "W", "R", "W" }
local function with(kind) return { "R", "W", "R", "W", kind } end
compare("preemption off", { rounds = 4, others = true, tasks = 3, ops = 3, locs = 2, cpus = 2, kinds = with "P" })
compare("interrupts off", { rounds = 4, others = true, tasks = 3, ops = 3, locs = 2, cpus = 2, kinds = with "I" })
compare("one CPU", { rounds = 4, others = true, tasks = 2, ops = 5, locs = 2, cpus = 1, kinds = with "P" })
compare("an interrupt", { rounds = 4, others = true, tasks = 3, ops = 3, locs = 2, cpus = 2, irq = true, kinds = with "I" })
compare("a spinlock that is tried", { rounds = 4, others = true, tasks = 3, ops = 3, locs = 2, cpus = 2, kinds = with "T" })
compare("mutexes", { rounds = 3, others = true, tasks = 3, ops = 3, locs = 2, cpus = 2, kinds = with "M" })
compare("a mutex that is tried", { rounds = 3, others = true, tasks = 3, ops = 3, locs = 2, cpus = 2, kinds = with "V" })

-- Atomics that fail, return nothing, have barriers of their own; those who wait and are made
compare("atomics", { rounds = 4, others = "fences", tasks = 2, ops = 3, locs = 2, cpus = 2,
  kinds = { "R", "W", "SM", "F", "N", "R", "W" } })
compare("completions", { rounds = 3, others = "fences", tasks = 3, ops = 2, locs = 2, cpus = 3, waits = "completion",
  kinds = mixed })
compare("completions on two CPUs", { rounds = 3, others = true, tasks = 3, ops = 2, locs = 2, cpus = 2,
  waits = "completion", kinds = mixed })
compare("a condition", { rounds = 4, others = "fences", tasks = 3, ops = 2, locs = 2, cpus = 3, waits = "flag",
  kinds = mixed })
compare("a thread that is made", { rounds = 4, others = "fences", tasks = 3, ops = 3, locs = 2, cpus = 3,
  makes = "thread", kinds = mixed })
compare("a work item", { rounds = 4, others = true, tasks = 3, ops = 3, locs = 2, cpus = 3, makes = "work",
  kinds = mixed })

tap.done()
