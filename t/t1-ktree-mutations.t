-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Copies of kernel trees from which a piece of SRCU has been taken away: exploring under
-- sc finds each, with a violation of that kind and a schedule of no more than so many
-- items.  The tree as it stands is right in the same scenario.

local here = arg[0]:match "^(.*/)" or "./"
package.path = here .. "lib/?.lua;" .. package.path

local tap = require "tap"
local kt = require "kerneltree"

local SRCUTREE = "kernel/rcu/srcutree.c"

-- Sanitizers make it slow: the trees as they stand are not explored to the end then.
local MOST = (os.getenv "SRCUSH_SANITIZERS" or "") ~= "" and {max_executions = 200} or nil

-- --------------------------------------------------------------- scenarios

-- Readers of one section each, and an updater of so many grace periods.
local function sections(o)
  return function(K)
    cpus(o.cpus)
    local ss = srcu.new("ss", {kernel = K})
    for r = 1, o.readers do
      thread("reader" .. r, function()
        local idx = srcu_read_lock(ss)
        srcu_read_unlock(ss, idx)
      end)
    end
    thread("updater", function()
      for _ = 1, o.periods do synchronize_srcu_expedited(ss) end
    end)
  end
end

-- A caller of call_srcu() that moves away from the CPU on which grace periods are driven
-- (which a task with interrupts off keeps for itself).
local function posts(n, size)
  return function(K)
    cpus(3)
    local ss = srcu.new("ss", {kernel = K, size = size})
    thread("caller", function()
      call_srcu(ss, function() end)
      migrate(1)
      for _ = 2, n do call_srcu(ss, function() end) end
    end, {cpu = 2})
  end
end

-- Two callers of call_srcu().
local function callers(K)
  cpus(2)
  local ss = srcu.new("ss", {kernel = K})
  for n = 1, 2 do
    thread("caller" .. n, function() call_srcu(ss, function() end) end)
  end
end

-- --------------------------------------------------------------- mutations

local one = sections{cpus = 2, readers = 1, periods = 1}
local two = sections{cpus = 2, readers = 1, periods = 2}
local readers = sections{cpus = 2, readers = 2, periods = 1}
local crowd = sections{cpus = 1, readers = 1, periods = 1}

local function scan_removed(trycount)
  return {file = SRCUTREE, fn = "srcu_advance_state",
          from = ("!try_check_zero(ssp, idx, %d)"):format(trycount), to = "false"}
end

local late_snapshot = {file = SRCUTREE, fn = "srcu_gp_start_if_needed",
                       pattern = "WARN_ON_ONCE%(!rcu_segcblist_accelerate%(",
                       to = "s = rcu_seq_snap(GP_SEQ); %0"}

local function sample(executions)
  return {strategy = "pct", depth = 8, seed = 1, max_executions = executions}
end

local mutations = {
  {
    name = "no flip", scenario = one, kinds = {"grace-period"}, items = 8,
    edits = {{file = SRCUTREE, fn = "srcu_flip",
              from = "WRITE_ONCE(ssp->srcu_idx, ssp->srcu_idx + 1);", to = ""}},
  },
  {
    name = "no second scan", scenario = one, kinds = {"grace-period"}, items = 8,
    edits = {scan_removed(2)},
  },
  {
    name = "no first scan", scenario = two, kinds = {"grace-period"}, items = 12,
    edits = {scan_removed(1)},
    find = sample(20000), right = sample(300),
  },
  {
    name = "locks summed before unlocks", scenario = readers, kinds = {"grace-period"},
    items = 11,
    edits = {
      {file = SRCUTREE, fn = "srcu_readers_active_idx_check",
       from = "unlocks = srcu_readers_unlock_idx(ssp, idx);",
       to = "unlocks = srcu_readers_lock_idx(ssp, idx);"},
      {file = SRCUTREE, fn = "srcu_readers_active_idx_check",
       from = "return srcu_readers_lock_idx(ssp, idx) == unlocks;",
       to = "return srcu_readers_unlock_idx(ssp, idx) == unlocks;"},
    },
  },
  -- 6.1 takes sdp->lock of the boot CPU to start a grace period, while small: none starts
  -- as long as the caller holds it, and nothing is wrong.  While big it is that of the CPU
  -- that the work item runs on.
  {
    name = "snapshot after advance, small", only = "6.12", scenario = posts(3, "small"),
    kinds = {"warning"}, items = 8, edits = {late_snapshot},
    find = sample(20000), right = sample(300),
  },
  {
    name = "snapshot after advance, big", only = "6.1", scenario = posts(5, "big"),
    kinds = {"warning"}, items = 12, edits = {late_snapshot},
    find = sample(20000), right = sample(300),
  },
  {
    name = "sdp->lock left out of srcu_gp_start", only = "6.1", scenario = callers,
    kinds = {"data-race"}, items = 12,
    edits = {
      {file = SRCUTREE, fn = "srcu_gp_start", from = "\tspin_lock_rcu_node(sdp);", to = ""},
      {file = SRCUTREE, fn = "srcu_gp_start", from = "\tspin_unlock_rcu_node(sdp);", to = ""},
    },
    right = sample(300),
  },
  {
    name = "this_cpu_inc is plain", scenario = one, kinds = {"data-race"}, items = 8,
    edits = {{file = SRCUTREE, fn = "__srcu_read_lock",
              pattern = "this_cpu_inc%(ssp%->sda%->(.-)%);", to = "raw_cpu_ptr(ssp->sda)->%1++;"}},
  },
  {
    name = "this_cpu_inc is a load and a store", scenario = crowd,
    kinds = {"grace-period", "stall"}, items = 8,
    edits = {{file = SRCUTREE, fn = "__srcu_read_lock",
              pattern = "this_cpu_inc%(ssp%->sda%->(.-)%);",
              to = "WRITE_ONCE(raw_cpu_ptr(ssp->sda)->%1, " ..
                   "READ_ONCE(raw_cpu_ptr(ssp->sda)->%1) + 1);"}},
  },
}

-- Where the sequence number of grace periods is.
local GP_SEQ = {["6.1"] = "&ssp->srcu_gp_seq", ["6.12"] = "&ssp->srcu_sup->srcu_gp_seq"}

local function edits_for(m, version)
  local list = {}
  for i, e in ipairs(m.edits) do
    list[i] = setmetatable({to = e.to:gsub("GP_SEQ", GP_SEQ[version])}, {__index = e})
  end
  return list
end

-- ------------------------------------------------------------------- tests

local function described(report)
  local kinds = {}
  for i, v in ipairs(report.violations) do kinds[i] = v.kind .. ": " .. v.message end
  tap.diag(("%s: %d executions, %d blocked, %d steps, %.1f s, bound: %s"):format(
           report.verdict, report.executions, report.blocked, report.steps, report.seconds,
           report.bound))
  if #kinds > 0 then tap.diag(table.concat(kinds, "\n")) end
end

local function one_of(kinds, kind)
  for _, k in ipairs(kinds) do
    if k == kind then return true end
  end
end

-- The schedule, in a world of its own, shows a violation of that kind.
local function shows(scenario, violation)
  world(scenario)
  local done, found = replay(violation.schedule)
  if found and found.kind == violation.kind then return true end
  for _, v in ipairs(done and run{max_steps = 0}.violations or {}) do
    if v.kind == violation.kind then return true end
  end
end

local function check_mutant(m, K, name)
  local scenario = function() m.scenario(K) end
  local report = explore(scenario, m.find)
  local v = report.violations[1]
  if not tap.ok(v and one_of(m.kinds, v.kind),
                ("%s: %s"):format(name, table.concat(m.kinds, " or "))) then
    described(report)
    return
  end
  local _, items = v.schedule:gsub("%S+", "")
  if not tap.ok(items - 1 <= m.items, ("%s: no more than %d items"):format(name, m.items)) then
    tap.diag(v.schedule)
  end
  tap.ok(shows(scenario, v), name .. ": the schedule shows it again")
end

-- Scenarios that have been explored on the tree as it stands, by version.
local seen = {}

local function check_tree(m, K, name)
  local done = seen[m.scenario] or {}
  seen[m.scenario] = done
  if done[K] then return end
  done[K] = true
  local report = explore(function() m.scenario(K) end, m.right or MOST)
  local cut = m.right or MOST and report.bound
  if not tap.is(report.verdict, cut and "incomplete" or "ok", name) then described(report) end
  tap.is(#report.violations, 0, name .. ": no violation")
end

kt.each(function(version, dir)
  local whole = srcu.load_kernel(dir)
  for _, m in ipairs(mutations) do
    local name = ("%s, %s"):format(version, m.name)
    if not m.only or m.only == version then
      check_tree(m, whole, name .. ": not so in the tree as it stands")
      check_mutant(m, srcu.load_kernel(kt.copy(version, edits_for(m, version))), name)
    end
  end
end, function(version, why) tap.skip(why) end)

tap.done()
