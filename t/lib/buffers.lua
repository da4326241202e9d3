-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The programs of lib/models.lua in all ways on CPUs with store buffers: first in, first out,
-- seen by their own CPU at once.  A CPU changes from one task to another when its buffer is
-- empty, and not while a task keeps it.  What is locked needs an empty buffer.

local M = {}

-- Opening and closing operations that keep the CPU.
local KEEPS = { L = true, P = true, I = true, U = false, p = false, i = false, u = false }

-- What drains the buffer first.
local DRAINS = {}
for op in ("X Y C F N mb L M D d Z Q"):gmatch("%S+") do DRAINS[op] = true end

-- Special locations: of the locks, of what is waited for; and markers, which are negative.
local SPIN, MUTEX, FLAG = "spin", "mutex", "flag"

-- Calls of several steps.
local function expand(task)
  local list = { cpu = task.cpu, irq = task.irq }
  for _, o in ipairs(task) do
    if o.op == "SM" then
      list[#list + 1] = { op = "W", loc = o.loc, value = o.value }
      list[#list + 1] = { op = "mb" }
    else
      list[#list + 1] = o
    end
  end
  return list
end

-- A state: pc, got and on (may it run?) by task; mem by location; order (the stores in memory, in
-- their order) by variable; buffer, last (who ran last) and keeps (who keeps it) by CPU.
local function copy(s)
  local n = {}
  for k, v in pairs(s) do
    n[k] = type(v) == "table" and copy(v) or v
  end
  return n
end

local NAMES = { "pc", "got", "on", "mem", "order", "last", "keeps", "holds", "taken", "failed", "done", "buffer" }

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
  for _, name in ipairs(NAMES) do add(s[name]) end
  for _, name in ipairs { SPIN, MUTEX, FLAG } do add(s.mem[name]) end
  return table.concat(parts, " ")
end

local function commit(s, loc, value)
  if type(loc) == "number" and loc < 0 then
    s.on[-loc] = true
    return
  end
  s.mem[loc] = value
  if s.order[loc] then s.order[loc] = s.order[loc] .. value .. "," end
end

local function read(s, cpu, loc)
  local b = s.buffer[cpu]
  for i = #b - 1, 1, -2 do
    if b[i] == loc then return b[i + 1] end
  end
  return s.mem[loc]
end

local function store(s, cpu, loc, value)
  local b = s.buffer[cpu]
  b[#b + 1] = loc
  b[#b + 1] = value
end

local function take(s, t, lock)
  commit(s, lock, t)
  s.taken = s.taken .. t .. ","
end

-- What each operation does; returns what it reads, or false if it cannot be done now.
local does = {}
function does.R(s, t, cpu, o) return read(s, cpu, o.loc) end
does.A = does.R
function does.W(s, t, cpu, o) store(s, cpu, o.loc, o.value) end
does.S = does.W
function does.X(s, t, cpu, o)
  local got = s.mem[o.loc]
  commit(s, o.loc, o.value)
  return got
end
does.Y = does.X
function does.C(s, t, cpu, o)
  local got = s.mem[o.loc]
  if got == 0 then commit(s, o.loc, o.value) end
  return got
end
function does.F(s, t, cpu, o) return s.mem[o.loc] end
function does.N(s, t, cpu, o) commit(s, o.loc, s.mem[o.loc] + 1000 * o.value) end
for op in ("mb rmb wmb P p I i"):gmatch("%S+") do does[op] = function() end end
function does.L(s, t)
  if s.mem[SPIN] ~= 0 then return false end
  take(s, t, SPIN)
end
function does.U(s, t, cpu) store(s, cpu, SPIN, 0) end
function does.M(s, t)
  if s.mem[MUTEX] ~= 0 then return false end
  take(s, t, MUTEX)
end
function does.m(s, t, cpu) store(s, cpu, MUTEX, 0) end
-- Who finds it taken need not have written anything.
local function try(lock)
  return function(s, t, cpu)
    local free = read(s, cpu, lock) == 0
    if free and (#s.buffer[cpu] > 0 or s.mem[lock] ~= 0) then return false end
    -- whoever has it since when makes it fail
    if free then take(s, t, lock) else s.failed[t] = s.failed[t] .. #s.taken .. "," end
    s.holds[t] = free
    return free and 1 or 0
  end
end
local function untry(lock)
  return function(s, t, cpu)
    if s.holds[t] then store(s, cpu, lock, 0) end
    s.holds[t] = false
  end
end
does.T, does.u = try(SPIN), untry(SPIN)
does.V, does.v = try(MUTEX), untry(MUTEX)
function does.D(s, t)
  s.done = s.done + 1
  s.taken = s.taken .. "D" .. t .. ","
end
function does.d(s, t)
  if s.done == 0 then return false end
  s.done = s.done - 1
  s.taken = s.taken .. "d" .. t .. ","
end
function does.z(s, t, cpu) store(s, cpu, FLAG, 1) end
function does.Z(s)
  if s.mem[FLAG] == 0 then return false end
end
-- a child may run when what was stored before is in memory
function does.K(s, t, cpu, o) store(s, cpu, -o.child, 0) end
does.Q = does.K

-- One step of the task; false: it cannot be made now.
local function move(p, s, t)
  local o, cpu = p[t][s.pc[t]], p[t].cpu + 1
  if not s.on[t] then return false end
  if s.last[cpu] ~= t then
    if s.last[cpu] ~= 0 and #s.buffer[cpu] > 0 then return false end
    local who = s.keeps[cpu]
    -- an interrupt comes between if they are not off
    if who ~= 0 and who ~= t and not (p[t].irq and s.pc[t] == 1 and not s.off[cpu]) then return false end
    if s.struck[cpu] ~= 0 and s.struck[cpu] ~= t then return false end
    s.last[cpu] = t
  end
  if DRAINS[o.op] and #s.buffer[cpu] > 0 then return false end
  local got = does[o.op](s, t, cpu, o)
  if got == false then return false end
  if KEEPS[o.op] or (o.op == "T" and got == 1) then s.keeps[cpu] = t end
  if KEEPS[o.op] == false and s.keeps[cpu] == t then s.keeps[cpu] = 0 end
  if o.op == "I" then s.off[cpu] = true elseif o.op == "i" then s.off[cpu] = false end
  if got then s.got[t] = s.got[t] .. got .. "," end
  s.pc[t] = s.pc[t] + 1
  if p[t].irq then s.struck[cpu] = p[t][s.pc[t]] and t or 0 end
  return true
end

local function start(p)
  local s = { pc = {}, got = {}, on = {}, mem = { [SPIN] = 0, [MUTEX] = 0, [FLAG] = 0 }, order = {}, buffer = {},
    last = {}, keeps = {}, off = {}, struck = {}, holds = {}, failed = {}, taken = "", done = 0 }
  for t = 1, #p do
    s.pc[t], s.got[t], s.failed[t], s.on[t], s.holds[t] = 1, "", "", not p[t].child, false
    s.buffer[t], s.last[t], s.keeps[t], s.off[t], s.struck[t] = {}, 0, 0, false, 0
  end
  for l = 1, p.locs do s.mem[l], s.order[l] = 0, "" end
  return s
end

-- The set of outcomes, and how many executions there are: by what was read and in which
-- order the stores of each location came.
function M.run(program)
  local p = { locs = program.locs }
  for t, task in ipairs(program) do
    p[t] = expand(task)
    p[t].child = task.child
  end
  local seen, outcomes, executions, n = {}, {}, {}, 0

  local function finish(state)
    local text = table.concat(state.got, "|") .. "| " .. table.concat(state.mem, " ")
    local execution = text .. " " .. table.concat(state.order, ";") .. " " .. state.taken .. " " .. table.concat(state.failed, ";")
    outcomes[text] = true
    if not executions[execution] then
      executions[execution] = true
      n = n + 1
    end
  end

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
    if over then finish(state) end
  end
  visit(start(p))
  return outcomes, n
end

return M
