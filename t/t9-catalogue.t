-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The catalogue of bugs and claims: each scenario of examples/bugs is explored, and ends
-- as `expected` says: ok, or a violation of that kind with a schedule of no more than so
-- many items.  The schedule, replayed, shows the same violation.  What is too large to be
-- explored here is sampled.

local tap = require "tap"

local TOP = os.getenv "top_srcdir" or "."
local DIR = TOP .. "/examples/bugs/"
local TIME = 240	-- seconds that an exploration may take: sanitizers make it slow

-- Every execution is looked at and none is wrong.
local function ok(more)
  return setmetatable(more or {}, {__index = {verdict = "ok"}})
end

-- So many executions, made by pct.
local function by_pct(executions, keep_going)
  return {strategy = "pct", depth = 5, seed = 1, max_executions = executions,
          keep_going = keep_going}
end

-- None of so many executions, made by pct, is wrong.
local function sampled(executions)
  return {verdict = "incomplete", opts = by_pct(executions)}
end

-- The first violation that is found is of this kind (or one of these), and its schedule
-- has no more items than that.
local function wrong(kind, items, more)
  local want = {verdict = "violation", items = items,
                kind = type(kind) == "table" and kind or {kind}}
  return setmetatable(more or {}, {__index = want})
end

local expected = {
  S1 = {
    buggy = wrong("assertion", 5),
    fixed = ok(),
    no_scan1 = ok(),
    no_scan2 = wrong("assertion", 3),
    no_flip = wrong("assertion", 3),
    both_banks = ok(),
    tree_buggy = wrong("grace-period", 11),
    tree_fixed = ok(),
    tree_no_scan1 = ok(),
    tree_no_scan2 = wrong("grace-period", 7),
    tree_no_flip = wrong("grace-period", 7),
    tree_both_banks = ok(),
  },
  S2 = {
    buggy = wrong("assertion", 6),
    fixed = ok(),
    alone = ok(),
    tree_buggy = wrong("grace-period", 10),
  },
  S8 = {
    buggy = wrong("assertion", 4),
    fixed = ok(),
    claim = ok(),
    claim_twice = ok(),
    tree_buggy = wrong("grace-period", 7),
  },
  S11 = {
    buggy = wrong("stall", 4),
    fixed = ok(),
    tree_buggy = wrong("warning", 6, {also = "stall",
                                      opts = {strategy = "pct", depth = 5, seed = 1}}),
    tree_fixed = sampled(5000),
  },
  S21 = {
    buggy = wrong("rcu-usage", 2),
    fixed = ok(),
    apart = ok(),
    damage = wrong("assertion", 4),
  },
  S22 = {
    buggy = wrong("unbalanced-unlock", 5),
    fixed = ok(),
    wrong_index = wrong("unbalanced-unlock", 1),
    no_lock = wrong("unbalanced-unlock", 0),
    other_task = wrong("unbalanced-unlock", 2),
    handed_over = ok(),
    overlap = ok(),
    misnested = ok(),
  },
  S23 = {
    buggy = wrong("self-deadlock", 1),
    fixed = ok(),
    cycle = wrong("lock-order", 2, {all = {"deadlock"}}),
    ordered = ok(),
    cleanup_reader = wrong("warning", 2),
    cleanup_waited = ok(),
    cleanup_callback = wrong("warning", 3),
    cleanup_barrier = ok(),
  },
  T1 = {
    buggy = wrong("double-free", 3),
    claim = ok(),
    inside = ok(),
    exchange = ok(),
    sync_only = wrong("double-free", 3),
  },
  T2 = {
    claim = ok(),
    unserialised = wrong("assertion", 5),
    own_index = ok(),
    tree_claim = sampled(5000),
  },
  T3 = {
    reader_both = ok(), reader_no_gp = ok(), reader_no_cb = ok(), reader_neither = ok(),
    once_both = ok(), once_both_big = ok(),
    once_no_gp = ok(), once_no_gp_big = ok(),
    once_no_cb = ok(), once_no_cb_big = ok(),
    once_neither = ok(), once_neither_big = ok(),
    again_both = ok(), again_both_big = ok(),
    again_no_gp = wrong("data-race", 5), again_no_gp_big = wrong("data-race", 5),
    again_no_cb = ok(), again_no_cb_big = ok(),
    again_neither = wrong("data-race", 5), again_neither_big = wrong("data-race", 5),
    early = wrong({"warning", "data-race", "grace-period"}, 14,
                  {also = "grace-period", opts = by_pct(4000, true)}),
    lost = wrong("stall", 20, {opts = by_pct(4000)}),
    lost_small = sampled(2000),
    lost_both = sampled(2000),
    lost_once = sampled(2000),
    idle = ok(),
    by_caller = wrong("assertion", 20, {opts = by_pct(4000)}),
    by_pass = wrong("assertion", 20, {opts = by_pct(4000)}),
  },
  T4 = {
    model1 = ok(), model2 = ok(), model2_less = wrong("assertion", 2),
    model3 = sampled(2000), model3_less = wrong("assertion", 6), model4 = sampled(2000),
    model_mutex2 = ok(), model_mutex3 = ok(), model_mutex4 = sampled(2000),
    tree1 = ok(), tree1_normal = ok(), tree2_less = wrong("assertion", 9),
    tree2 = sampled(300), tree3 = sampled(300), tree4 = sampled(300),
    tree2_normal = sampled(300), tree3_normal = sampled(300), tree4_normal = sampled(300),
    tree_mutex2 = ok(), tree_mutex3 = sampled(300), tree_mutex4 = sampled(300),
    scans = ok(), scans_less = wrong("assertion", 8),
    scans_normal = ok(), scans_normal2 = ok(),
  },
  T5 = {
    claim = ok(),
    no_mutex = wrong("assertion", 3),
    one_pass = ok(),
    one_no_mutex = ok(),
  },
  K1 = {
    buggy = wrong("double-free", 3),
    lost = wrong({"leak", "double-free"}, 4, {all = {"leak", "double-free"}}),
    half = wrong("assertion", 2),
    race = wrong("data-race", 2),
    fixed = ok(),
    fixed_writers = ok(),
  },
  K2 = {
    claim = ok {outcomes = {
      "the lock was had after the swap, when the old filter was in use no more",
      "the lock was had after the swap, while the old filter was in use",
      "the lock was had before the swap",
    }},
    inside = ok {outcomes = {
      "the lock was had after the swap, when the old filter was in use no more",
      "the lock was had before the swap",
    }},
    vm_none = wrong("use-after-free", 4),
    vm_outside = sampled(3000),
    vm_inside = sampled(3000),
  },
  K5 = {
    buggy = wrong("lock-order", 2, {all = {"deadlock"}}),
    fixed = ok(),
    own_lock = ok(),
    vm_buggy = wrong("lock-order", 2),
    vm_fixed = ok(),
  },
  K7 = {
    buggy = wrong("use-after-free", 4),
    waited = wrong("use-after-free", 3),
    other_domain = wrong("use-after-free", 3),
    fixed = ok(),
    callback = ok(),
    by_srcu = ok(),
  },
  K8 = {
    buggy = wrong("unbalanced-unlock", 5),
    hidden = ok(),
    fixed = ok(),
    wrappers = wrong("warning", 1),
  },
  K10 = {
    buggy = wrong("use-after-free", 3),
    fixed = ok(),
    under_lock = ok(),
    error_path = wrong("use-after-free", 4),
    error_fixed = ok(),
  },
}

local function sorted(t)
  local keys = {}
  for k in pairs(t) do keys[#keys + 1] = k end
  table.sort(keys)
  return keys
end

local function kinds(report)
  local set = {}
  for _, v in ipairs(report.violations) do set[v.kind] = true end
  return set
end

-- The schedule leads to a violation of that kind in a world of its own.
local function shows(scenario, violation)
  world(scenario)
  local done, found = replay(violation.schedule)
  if found and found.kind == violation.kind then return true end
  if not done then return false end
  -- found when nothing moves any more, or in the trace
  for _, v in ipairs(run{max_steps = 0}.violations) do
    if v.kind == violation.kind then return true end
  end
  return false
end

local function set_of(names)
  local set = {}
  for _, name in ipairs(names) do set[name] = true end
  return set
end

local function check_violation(scenario, report, want, name)
  local v = report.violations[1]
  local kind = table.concat(want.kind, " or ")
  if not tap.ok(v and set_of(want.kind)[v.kind], name .. ": " .. kind) then
    tap.diag("got: " .. tostring(v and v.kind))
    return
  end
  local _, items = v.schedule:gsub("%S+", "")
  local short = items - 1 <= want.items
  if not tap.ok(short, ("%s: no more than %d items"):format(name, want.items)) then
    tap.diag(v.schedule)
  end
  tap.ok(shows(scenario, v), name .. ": the schedule shows it again")
  if want.also then
    tap.ok(kinds(report)[want.also], ("%s: and %s"):format(name, want.also))
  end
end

local function check(scenario, want, name)
  local fine, report = pcall(explore, scenario, want.opts or {time = TIME})
  if not tap.ok(fine, name .. ": explored") then
    tap.diag(report)
    return
  end
  if not tap.is(report.verdict, want.verdict, name .. ": verdict") then
    tap.diag(("%s executions, %s blocked, %.1f s, bound: %s"):format(report.executions,
             report.blocked, report.seconds, report.bound))
    for _, v in ipairs(report.violations) do tap.diag(v.kind .. ": " .. v.message) end
  elseif want.kind then
    check_violation(scenario, report, want, name)
  end
  if want.outcomes then
    tap.same(sorted(report.outcomes), want.outcomes, name .. ": outcomes")
  end
  if want.all then
    local found = kinds(explore(scenario, {keep_going = true}))
    for _, kind in ipairs(want.all) do
      tap.ok(found[kind], ("%s: with keep_going, %s"):format(name, kind))
    end
  end
end

for _, id in ipairs(sorted(expected)) do
  local scenarios = dofile(DIR .. id .. ".lua")
  tap.same(sorted(scenarios), sorted(expected[id]), id .. ": its scenarios")
  for _, name in ipairs(sorted(scenarios)) do
    if expected[id][name] then check(scenarios[name], expected[id][name], id .. ":" .. name) end
  end
end

-- No file without an entry: what takes a memory model is in t9-models.t.
for _, id in ipairs {"K11", "S4", "S5", "S6", "S7", "S9", "S15", "S24"} do expected[id] = {} end
local listed = {}
local list = assert(io.popen("ls '" .. DIR:gsub("'", "'\\''") .. "'"))
for name in list:read "a":gmatch "([%w_]+)%.lua" do listed[name] = true end
list:close()
tap.same(sorted(listed), sorted(expected), "every file of the directory is explored")

tap.done()
