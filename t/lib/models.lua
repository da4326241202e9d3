-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Random straight-line programs over a few shared variables, as scenarios for explore()
-- and as data for those who enumerate their executions in another way.
--
--	local p = models.random(seed, {tasks = 3, ops = 3, locs = 2, cpus = 3, kinds = {...}})
--	explore(models.scenario(p), {model = "tso"})
--
-- A program is a list of tasks {cpu = N, {op = "R", loc = 1}, ...}.  Stores have values that no
-- other has, so that what was read says from whom.

local M = {}

local function generator(seed)
  local state = seed * 0x9e3779b97f4a7c15 + 1
  return function(n)
    state = state ~ (state << 13)
    state = state ~ (state >> 7)
    state = state ~ (state << 17)
    return ((state * 0x2545f4914f6cdd1d) >> 33) % n + 1
  end
end

-- What is opened is closed again, and nothing else is opened before: a spinlock, a mutex, the
-- same tried, preemption off, interrupts off.
local CLOSES = { L = "U", M = "m", T = "u", V = "v", P = "p", I = "i" }

-- Who does what for whom, each once at a place of its own: complete and wait, set a flag
-- and wait for it, make a thread, queue a work item.
local WAITS = { completion = { "D", "d" }, flag = { "z", "Z" } }
local MAKES = { thread = "K", work = "Q" }

local function insert(task, below, op)
  local at = below(#task + 1)
  -- not inside of what must not sleep
  for i = #task, at, -1 do
    if task[i].closes and task[i].closes < at then at = i + 1 end
  end
  for i = at, #task do
    if task[i].closes then task[i].closes = task[i].closes + 1 end
  end
  table.insert(task, at, op)
end

-- shape.kinds: names of operations; waits, makes: a name of the tables above; irq: the last task
-- is an interrupt on the CPU of the first.
function M.random(seed, shape)
  local below, p, value = generator(seed), {}, 0
  for t = 1, shape.tasks do
    local task = { cpu = (t - 1) % shape.cpus }
    local open, at
    for _ = 1, 1 + below(shape.ops) do
      local kind, closes = shape.kinds[below(#shape.kinds)], nil
      if CLOSES[kind] then
        if open then
          kind, closes, open = CLOSES[open], at, nil
        else
          open, at = kind, #task + 1
        end
      end
      value = value + 1
      task[#task + 1] = { op = kind, loc = below(shape.locs), value = value, task = t, closes = closes }
    end
    if open then task[#task + 1] = { op = CLOSES[open], task = t, closes = at } end
    p[t] = task
  end
  p.locs = shape.locs
  if shape.irq then
    p[#p].irq, p[#p].cpu = true, 0
  end
  local waits = WAITS[shape.waits]
  for t = 2, waits and #p or 1 do
    if waits[1] == "D" or t == 2 then insert(p[1], below, { op = waits[1], task = 1 }) end
    insert(p[t], below, { op = waits[2], task = t })
  end
  if shape.makes then
    p[#p].child = shape.makes
    if shape.makes == "work" then p[#p].cpu = 0 end
    insert(p[1], below, { op = MAKES[shape.makes], task = 1, child = #p })
  end
  return p
end

-- The same with a full barrier between all, and where an interrupt begins and ends.
function M.fenced(p)
  local q = { locs = p.locs }
  for t, task in ipairs(p) do
    q[t] = { cpu = task.cpu, irq = task.irq, child = task.child }
    for i, o in ipairs(task) do
      if i > 1 or task.irq then table.insert(q[t], { op = "mb", task = t }) end
      table.insert(q[t], o)
    end
    if task.irq then table.insert(q[t], { op = "mb", task = t }) end
  end
  return q
end

local perform = {
  R = function(v) return READ_ONCE(v) end,
  A = function(v) return smp_load_acquire(v) end,
  W = function(v, x) WRITE_ONCE(v, x) end,
  S = function(v, x) smp_store_release(v, x) end,
  X = function(v, x) return xchg(v, x) end,
  Y = function(v, x) return xchg_relaxed(v, x) end,
  C = function(v, x) return cmpxchg(v, 0, x) end,
  mb = function() smp_mb() end,
  rmb = function() smp_rmb() end,
  wmb = function() smp_wmb() end,
}

perform.SM = function(v, x) smp_store_mb(v, x) end
perform.F = function(v, x) return cmpxchg(v, -1, x) end
perform.N = function(v, x)
  smp_mb__before_atomic()
  atomic_add(1000 * x, v)
  smp_mb__after_atomic()
end

-- What has no variable: of the objects that the tasks share.
local serve = {
  L = function(o) spin_lock(o.spin) end,
  U = function(o) spin_unlock(o.spin) end,
  M = function(o) mutex_lock(o.mutex) end,
  m = function(o) mutex_unlock(o.mutex) end,
  P = function() preempt_disable() end,
  p = function() preempt_enable() end,
  I = function() local_irq_disable() end,
  i = function() local_irq_enable() end,
  D = function(o) complete(o.done) end,
  d = function(o) wait_for_completion(o.done) end,
  z = function(o) WRITE_ONCE(o.flag, 1) end,
  Z = function(o) cond_wait(function() return READ_ONCE(o.flag) == 1 end) end,
  Q = function(o) queue_work(o.work) end,
}

local TRIES = { T = function(o) return spin_trylock(o.spin) end, V = function(o) return mutex_trylock(o.mutex) end }
local UNTRIES = { u = "U", v = "m" }

-- What a task does, as a function.
local function body(p, t, v, objects, result)
  return function()
    local got, has = "", false
    for _, o in ipairs(p[t]) do
      local r
      if TRIES[o.op] then
        has = TRIES[o.op](objects)
        r = has and 1 or 0
      elseif UNTRIES[o.op] then
        if has then serve[UNTRIES[o.op]](objects) end
      elseif o.op == "K" then
        thread("t" .. o.child, body(p, o.child, v, objects, objects.seen[o.child]), { cpu = p[o.child].cpu })
      elseif serve[o.op] then
        serve[o.op](objects)
      else
        r = perform[o.op](v[o.loc], o.value)
      end
      if r then got = got .. r .. "," end
    end
    result.value = got
  end
end

-- The outcome: what each task read, and what each variable holds in the end; M.outcome() is
-- that of the world that was made last.
function M.scenario(p)
  return function()
    cpus(#p)
    local v, seen = {}, {}
    local objects = { spin = spinlock("lock"), mutex = mutex("mutex"), done = completion("done"), flag = var("flag"), seen = seen }
    for l = 1, p.locs do v[l] = var("v" .. l) end
    for t in ipairs(p) do seen[t] = ghost("seen" .. t, "") end
    for t, task in ipairs(p) do
      local run = body(p, t, v, objects, seen[t])
      if task.child == "work" then
        objects.work = work("t" .. t, run)
      elseif task.irq then
        irq("t" .. t, task.cpu, run)
      elseif not task.child then
        thread("t" .. t, run, { cpu = task.cpu })
      end
    end
    function M.outcome()
      local s = ""
      for t = 1, #p do s = s .. seen[t].value .. "|" end
      for l = 1, p.locs do s = s .. " " .. READ_ONCE(v[l]) end
      return s
    end
    outcome(M.outcome)
  end
end

function M.show(p)
  local lines = {}
  for t, task in ipairs(p) do
    local s = {}
    for _, o in ipairs(task) do s[#s + 1] = ("%s%d=%d"):format(o.op, o.loc or 0, o.value or 0) end
    lines[t] = ("t%d cpu %d: %s"):format(t, task.cpu, table.concat(s, " "))
  end
  return table.concat(lines, "\n")
end

-- What is in set a and not in b; sorted texts.
function M.missing(a, b)
  local list = {}
  for k in pairs(a) do
    if not b[k] then list[#list + 1] = k end
  end
  table.sort(list)
  return list
end

return M
