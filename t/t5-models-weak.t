-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The kernel's memory model by brute force: of random programs all that could be read from
-- whom, and all orders of the stores, are tried, and what the model's axioms (written
-- out here, relation by relation) leave must be what explore() shows, each once.

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path
local tap = require("tap")
local models = require("models")

local ROUNDS = 25	-- programs of each shape

-- ------------------------------------------------------------ relations

-- Over events 1..n: r[i][j].
local n

local function rel(f)
  local r = {}
  for i = 1, n do
    r[i] = {}
    for j = 1, n do r[i][j] = f(i, j) and true or false end
  end
  return r
end

local function either(...)
  local list = { ... }
  return rel(function(i, j)
    for _, r in ipairs(list) do
      if r[i][j] then return true end
    end
  end)
end

local function maybe(r) return rel(function(i, j) return i == j or r[i][j] end) end

local function seq(a, b)
  return rel(function(i, j)
    for k = 1, n do
      if a[i][k] and b[k][j] then return true end
    end
  end)
end

local function closure(r)
  local c = rel(function(i, j) return r[i][j] end)
  for k = 1, n do
    for i = 1, n do
      if c[i][k] then
        for j = 1, n do c[i][j] = c[i][j] or c[k][j] end
      end
    end
  end
  return c
end

local function acyclic(r)
  local c = closure(r)
  for i = 1, n do
    if c[i][i] then return false end
  end
  return true
end

-- ------------------------------------------------------------ executions

-- Events {task, kind = "R" or "W", loc, at = place in the task, acquire, release, full, value,
-- pair}; fences by task: {at, kind}.
local function events_of(p)
  local ev, fences = {}, {}
  for t, task in ipairs(p) do
    for at, o in ipairs(task) do
      local function add(kind, more)
        more.task, more.kind, more.loc, more.at, more.value = t, kind, o.loc, at, o.value
        ev[#ev + 1] = more
      end
      if o.op == "R" or o.op == "A" then
        add("R", { acquire = o.op == "A" })
      elseif o.op == "W" or o.op == "S" then
        add("W", { release = o.op == "S" })
      elseif o.op == "X" or o.op == "Y" then
        add("R", { full = o.op == "X", pair = #ev + 2 })
        add("W", { full = o.op == "X", pair = #ev })
      else
        fences[#fences + 1] = { task = t, at = at, kind = o.op }
      end
    end
  end
  return ev, fences
end

-- The model, as far as such programs need it.  rf: of each read its write (0: the initial
-- value); rank: of each write.
local function allowed(ev, base, rf, rank)
  local function behind(i) return rf[i] == 0 and 0 or rank[rf[i]] end
  local function seen(i) return ev[i].kind == "W" and rank[i] or behind(i) end
  local same = base.same
  local rfr = rel(function(i, j) return rf[j] == i end)
  local overwrite = rel(function(i, j)
    return ev[i].loc == ev[j].loc and ev[j].kind == "W" and i ~= j and seen(i) < rank[j]
  end)
  local com = either(rfr, overwrite)
  if not acyclic(either(rel(function(i, j) return base.po[i][j] and ev[i].loc == ev[j].loc end), com)) then
    return false
  end
  for i = 1, n do
    if ev[i].kind == "W" and ev[i].pair and rank[i] ~= behind(ev[i].pair) + 1 then return false end
  end
  if not acyclic(either(base.po, rfr)) then return false end
  local rfe = rel(function(i, j) return rfr[i][j] and not same[i][j] end)
  local ow_in = rel(function(i, j) return overwrite[i][j] and same[i][j] end)
  local ow_ext = rel(function(i, j) return overwrite[i][j] and not same[i][j] end)
  local ppo = either(base.fence, ow_in)
  local handed = rel(function(i, j) return ev[j].kind == "W" and ev[j].pair and rf[ev[j].pair] == i end)
  local cumul = either(seq(maybe(rfe), base.cumulative), base.wmb)
  cumul = seq(cumul, maybe(closure(handed)))
  local prop = seq(seq(maybe(ow_ext), maybe(closure(cumul))), maybe(rfe))
  local hb = either(ppo, rfe, rel(function(i, j) return i ~= j and prop[i][j] and same[i][j] end))
  return acyclic(hb) and acyclic(seq(seq(prop, base.strong), maybe(closure(hb))))
end

-- What does not depend on who reads from whom.
local function base_of(ev, fences)
  local b = {}
  local function between(kind)
    return rel(function(i, j)
      if not b.po[i][j] then return false end
      for _, f in ipairs(fences) do
        if f.kind == kind and f.task == ev[i].task and ev[i].at < f.at and f.at < ev[j].at then return true end
      end
    end)
  end
  local function both(r, kind)
    return rel(function(i, j) return r[i][j] and ev[i].kind == kind and ev[j].kind == kind end)
  end
  b.same = rel(function(i, j) return ev[i].task == ev[j].task end)
  b.po = rel(function(i, j) return ev[i].task == ev[j].task and i < j end)
  b.wmb = both(between("wmb"), "W")
  b.strong = either(between("mb"), rel(function(i, j)
    if not b.po[i][j] then return false end
    for k = i, j do
      -- a fence before the read and one behind the write
      if ev[k].full and ((ev[k].kind == "R" and k > i) or (ev[k].kind == "W" and k < j)) then return true end
    end
  end))
  local release = rel(function(i, j) return b.po[i][j] and ev[j].release end)
  local acquire = rel(function(i, j) return b.po[i][j] and ev[i].acquire end)
  b.cumulative = either(b.strong, release)
  b.fence = either(b.strong, release, acquire, b.wmb, both(between("rmb"), "R"))
  return b
end

-- All orders of a list.
local function permutations(list, f)
  local function go(k)
    if k > #list then return f() end
    for i = k, #list do
      list[k], list[i] = list[i], list[k]
      go(k + 1)
      list[k], list[i] = list[i], list[k]
    end
  end
  go(1)
end

local function outcome_of(p, ev, rf, rank)
  local got, last, most = {}, {}, {}
  for t = 1, #p do got[t] = "" end
  for l = 1, p.locs do last[l], most[l] = 0, 0 end
  for i, e in ipairs(ev) do
    if e.kind == "R" then
      got[e.task] = got[e.task] .. (rf[i] == 0 and 0 or ev[rf[i]].value) .. ","
    elseif rank[i] > most[e.loc] then
      most[e.loc], last[e.loc] = rank[i], e.value
    end
  end
  return table.concat(got, "|") .. "| " .. table.concat(last, " ")
end

local function brute_force(p)
  local ev, fences = events_of(p)
  local reads, writes, rf, rank = {}, {}, {}, {}
  n = #ev
  for l = 1, p.locs do writes[l] = {} end
  for i, e in ipairs(ev) do
    if e.kind == "R" then reads[#reads + 1] = i else table.insert(writes[e.loc], i) end
  end
  local base, outcomes, count = base_of(ev, fences), {}, 0

  local function choose_rf(k)
    if k > #reads then
      if allowed(ev, base, rf, rank) then
        outcomes[outcome_of(p, ev, rf, rank)] = true
        count = count + 1
      end
      return
    end
    local r = reads[k]
    for s = 0, #writes[ev[r].loc] do
      rf[r] = s == 0 and 0 or writes[ev[r].loc][s]
      if not ev[r].pair or rank[ev[r].pair] == (s == 0 and 0 or rank[rf[r]]) + 1 then choose_rf(k + 1) end
    end
  end
  local function choose_co(l)
    if l > p.locs then return choose_rf(1) end
    local list = table.move(writes[l], 1, #writes[l], 1, {})
    permutations(list, function()
      for k, w in ipairs(list) do rank[w] = k end
      for k, w in ipairs(list) do
        for j = k + 1, #list do
          -- program order
          if ev[list[j]].task == ev[w].task and list[j] < w then return end
        end
      end
      choose_co(l + 1)
    end)
  end
  choose_co(1)
  return outcomes, count
end

-- ------------------------------------------------------------ comparing

local function compare(name, shape)
  local wrong, counts, weaker = {}, {}, 0
  for seed = 1, ROUNDS do
    local p = models.random(seed, shape)
    local outcomes, count = brute_force(p)
    local weak = explore(models.scenario(p), { model = "weak" })
    local tso = explore(models.scenario(p), { model = "tso" })
    local lacking, extra = models.missing(outcomes, weak.outcomes), models.missing(weak.outcomes, outcomes)
    if weak.verdict ~= "ok" or #lacking + #extra > 0 or #models.missing(tso.outcomes, weak.outcomes) > 0 then
      wrong[#wrong + 1] = ("seed %d, %s: not shown: %s; shown, but forbidden: %s\n%s"):format(seed, weak.verdict,
        table.concat(lacking, " / "), table.concat(extra, " / "), models.show(p))
    end
    if weak.executions ~= count then
      counts[#counts + 1] = ("seed %d: %d executions, there are %d\n%s"):format(seed, weak.executions, count,
        models.show(p))
    end
    if #models.missing(weak.outcomes, tso.outcomes) > 0 then weaker = weaker + 1 end
  end
  tap.is(table.concat(wrong, "\n"), "", name .. ": the outcomes that the model allows, tso's among them")
  tap.is(table.concat(counts, "\n"), "", name .. ": the executions that it allows, each once")
  tap.ok(weaker > 0, name .. ": some programs show what tso does not (" .. weaker .. ")")
end

compare("stores and loads", { tasks = 2, ops = 3, locs = 2, cpus = 2, kinds = { "R", "W", "R", "W", "mb" } })
compare("barriers", { tasks = 2, ops = 4, locs = 2, cpus = 2, kinds = { "R", "W", "R", "W", "rmb", "wmb", "mb" } })
compare("acquire and release", { tasks = 3, ops = 2, locs = 2, cpus = 3, kinds = { "R", "W", "A", "S" } })
compare("read-modify-writes", { tasks = 3, ops = 2, locs = 2, cpus = 3, kinds = { "R", "W", "X", "Y" } })

tap.done()
