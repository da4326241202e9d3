-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- T3 on a kernel tree: copies of it without srcu_gp_mutex, without srcu_cb_mutex, without
-- both, and with a second work item that runs the same pass, queued by every request from
-- outside, as our fault "reentrant-work" has it.  The scenarios are those of
-- examples/bugs/T3.lua that ask for no fault.

local kt = require "kerneltree"
local catalogue = require "catalogue"
local ok, sampled, wrong, by_pct = catalogue.ok, catalogue.sampled, catalogue.wrong, catalogue.by_pct

local M = {}

local LONG = os.getenv "SRCUSH_LONG_TESTS"
local SRCUTREE, HEADER = "kernel/rcu/srcutree.c", "include/linux/srcutree.h"

-- A mutex that keeps nobody out: `times` calls of mutex_lock() and mutex_unlock().
local function without(mutex, times)
  return {file = SRCUTREE, pattern = "mutex_[lu]%l+%(&[%w_>-]-" .. mutex .. "%);", to = ";",
          times = times}
end

local function reentrant(owner)
  return {
    {file = HEADER, from = "struct delayed_work work;", to = "struct delayed_work work, work2;"},
    {file = SRCUTREE, from = "static void process_srcu(struct work_struct *work);",
     to = "static void process_srcu(struct work_struct *work);" ..
          " static void process_srcu2(struct work_struct *work);"},
    {file = SRCUTREE, pattern = "INIT_DELAYED_WORK%((&[%w_>-]-)work, process_srcu%);",
     to = "%0 INIT_DELAYED_WORK(%1work2, process_srcu2);"},
    {file = SRCUTREE, fn = "srcu_funnel_gp_start",
     pattern = "queue_delayed_work%(rcu_gp_wq, (&[%w_>-]-)work,%s+!!srcu_get_delay%(ssp%)%);",
     to = "({ unsigned long d = !!srcu_get_delay(ssp);" ..
          " queue_delayed_work(rcu_gp_wq, %1work, d);" ..
          " queue_delayed_work(rcu_gp_wq, %1work2, d); });"},
    {file = SRCUTREE, from = "void srcutorture_get_gp_data(",
     to = ("static void process_srcu2(struct work_struct *work)\n{\n" ..
           "\tprocess_srcu(&container_of(work, %s, work2.work)->work.work);\n}\n\n" ..
           "void srcutorture_get_gp_data("):format(owner)},
  }
end

-- Passes write a statistic plainly while srcu_gp_mutex is held, and by WRITE_ONCE() when it
-- is not.  Of two passes at once that is a race; here the stores are marked, so that the
-- others can be looked at.
local MARKED = {file = SRCUTREE, fn = "srcu_advance_state",
                pattern = "(ssp%->[%w_>-]-srcu_n_exp_nodelay) = 0;", to = "WRITE_ONCE(%1, 0);",
                times = 2}

-- Where the work item is, by version.
local OWNER = {["6.1"] = "struct srcu_struct", ["6.12"] = "struct srcu_usage"}

local MUTEXES = {
  {name = "both", edits = {}},
  {name = "no_gp", edits = {without("srcu_gp_mutex", 6)}},
  {name = "no_cb", edits = {without("srcu_cb_mutex", 2)}},
  {name = "neither", edits = {without("srcu_gp_mutex", 6), without("srcu_cb_mutex", 2)}},
}

-- The table: what each scenario gives, by the mutexes that are left.
local once = {
  both = {}, no_gp = {}, no_cb = {}, neither = {},
}
for _, row in pairs(once) do
  if LONG then
    row.once_both, row.once_both_big = ok(), ok()
  else
    row.once_both, row.once_both_big = sampled(100), sampled(100)
  end
end
once.both.idle = LONG and ok() or sampled(100)

-- The first grace period that is too short comes late.
local early = {strategy = "pct", depth = 5, seed = 1, max_executions = LONG and 4000 or 1000,
               keep_going = true}
local race = {"data-race", "warning"}
local again = {
  both = {
    plain_again = ok(), plain_again_big = ok(),
    plain_lost = sampled(500),
    plain_by_caller = wrong("assertion", 24, {opts = by_pct(4000)}),
    plain_by_pass = wrong("assertion", 24, {opts = by_pct(4000)}),
  },
  no_gp = {
    plain_again = wrong(race, 8), plain_again_big = wrong(race, 8),
    plain_early = wrong({"warning", "data-race", "grace-period"}, 18,
                        {also = "grace-period", opts = early}),
  },
  no_cb = {
    plain_again = ok(), plain_again_big = ok(),
    plain_lost = wrong("stall", 24, {opts = by_pct(4000)}),
    plain_lost_small = sampled(500),
  },
  neither = {
    plain_again = wrong(race, 8), plain_again_big = wrong(race, 8),
  },
}

local function merged(...)
  local list = {}
  for _, edits in ipairs{...} do table.move(edits, 1, #edits, #list + 1, list) end
  return list
end

-- fn is called with srcu.new() making domains of the tree in `dir`.
local function with_tree(dir, fn)
  local K, new = srcu.load_kernel(dir), srcu.new
  srcu.new = function(name, opts)
    opts.kernel = K
    return new(name, opts)
  end
  fn()
  srcu.new = new
end

local function check(version, edits, expected, name)
  local scenarios = dofile((os.getenv "top_srcdir" or ".") .. "/examples/bugs/T3.lua")
  with_tree(kt.copy(version, edits), function()
    for _, scenario in ipairs(catalogue.sorted(expected)) do
      catalogue.explore(scenarios[scenario], expected[scenario], ("%s: %s"):format(name, scenario))
    end
  end)
end

function M.check(version)
  for _, m in ipairs(MUTEXES) do
    local name = ("T3 on %s, %s"):format(version, m.name)
    check(version, m.edits, once[m.name], name .. ", once")
    check(version, merged(m.edits, reentrant(OWNER[version]), {MARKED}), again[m.name],
          name .. ", again")
  end
  check(version, reentrant(OWNER[version]), {plain_lost = wrong("data-race", 24)},
        ("T3 on %s, nothing marked, again"):format(version))
end

return M
