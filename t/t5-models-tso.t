-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Total store order against a machine: random programs run in all ways on CPUs with store
-- buffers (first in, first out, seen by their own CPU at once), and explore() with
-- model = "tso" must show the same outcomes, each execution once.

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path
local tap = require("tap")
local models = require("models")

local ROUNDS = 30	-- programs of each shape

-- ------------------------------------------------------------ the machine

-- A state: pc and got by task; mem and order (the stores in memory, in their order) by
-- location; buffer and last (who ran last) by CPU; lock: who has it (0: nobody).
local function copy(s)
  local n = {}
  for k, v in pairs(s) do
    n[k] = type(v) == "table" and copy(v) or v
  end
  return n
end

local function key(s)
  local parts = {}
  local function add(v)
    if type(v) ~= "table" then
      parts[#parts + 1] = tostring(v)
      return
    end
    for _, x in ipairs(v) do add(x) end
    parts[#parts + 1] = ";"
  end
  for _, name in ipairs { "pc", "got", "mem", "order", "last", "lock", "taken", "buffer" } do add(s[name]) end
  return table.concat(parts, " ")
end

local function commit(s, loc, value)
  if loc == 0 then
    s.lock = value
  else
    s.mem[loc] = value
    s.order[loc] = s.order[loc] .. value .. ","
  end
end

local function read(s, cpu, loc)
  local b = s.buffer[cpu]
  for i = #b - 1, 1, -2 do
    if b[i] == loc then return b[i + 1] end
  end
  return loc == 0 and s.lock or s.mem[loc]
end

local function store(s, cpu, loc, value)
  local b = s.buffer[cpu]
  b[#b + 1] = loc
  b[#b + 1] = value
end

local DRAINS = { X = true, Y = true, C = true, mb = true, L = true }

-- One step of the task; false: it cannot be made now.
local function move(p, s, t)
  local o, cpu = p[t][s.pc[t]], p[t].cpu + 1
  local got
  if s.last[cpu] ~= t then
    if s.last[cpu] ~= 0 and #s.buffer[cpu] > 0 then return false end
    if s.holds[cpu] ~= 0 and s.holds[cpu] ~= t then return false end
    s.last[cpu] = t
  end
  if DRAINS[o.op] and #s.buffer[cpu] > 0 then return false end
  if o.op == "R" or o.op == "A" then
    got = read(s, cpu, o.loc)
  elseif o.op == "W" or o.op == "S" then
    store(s, cpu, o.loc, o.value)
  elseif o.op == "X" or o.op == "Y" then
    got = s.mem[o.loc]
    commit(s, o.loc, o.value)
  elseif o.op == "C" then
    got = s.mem[o.loc]
    if got == 0 then commit(s, o.loc, o.value) end
  elseif o.op == "L" then
    if s.lock ~= 0 then return false end
    s.lock = t
    s.taken = s.taken .. t .. ","
    s.holds[cpu] = t
  elseif o.op == "U" then
    store(s, cpu, 0, 0)
    s.holds[cpu] = 0
  end
  if got then s.got[t] = s.got[t] .. got .. "," end
  s.pc[t] = s.pc[t] + 1
  return true
end

-- The set of outcomes, and how many executions there are: by what was read and in which
-- order the stores of each location came.
local function run(p)
  local s = { pc = {}, got = {}, mem = {}, order = {}, buffer = {}, last = {}, holds = {}, lock = 0, taken = "" }
  for t = 1, #p do
    s.pc[t], s.got[t] = 1, ""
    s.buffer[t], s.last[t], s.holds[t] = {}, 0, 0
  end
  for l = 1, p.locs do s.mem[l], s.order[l] = 0, "" end
  local seen, outcomes, executions, n = {}, {}, {}, 0

  local function visit(state)
    local k = key(state)
    if seen[k] then return end
    seen[k] = true
    local over = true
    for t = 1, #p do
      if p[t][state.pc[t]] then
        over = false
        local next = copy(state)
        if move(p, next, t) then visit(next) end
      end
    end
    for c = 1, #p do
      if #state.buffer[c] > 0 then
        over = false
        local next = copy(state)
        local loc, value = table.remove(next.buffer[c], 1), table.remove(next.buffer[c], 1)
        commit(next, loc, value)
        visit(next)
      end
    end
    if over then
      local text = table.concat(state.got, "|") .. "| " .. table.concat(state.mem, " ")
      local execution = text .. " " .. table.concat(state.order, ";") .. " " .. state.taken
      outcomes[text] = true
      if not executions[execution] then
        executions[execution] = true
        n = n + 1
      end
    end
  end
  visit(s)
  return outcomes, n
end

-- ------------------------------------------------------------ comparing

local function compare(name, shape)
  local wrong, counts, weaker = {}, {}, 0
  for seed = 1, ROUNDS do
    local p = models.random(seed, shape)
    local outcomes, n = run(p)
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
