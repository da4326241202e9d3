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

-- shape.locks: tasks take and give back a spinlock; kinds: names of operations.
function M.random(seed, shape)
  local below, p, value = generator(seed), {}, 0
  for t = 1, shape.tasks do
    local task = { cpu = (t - 1) % shape.cpus }
    local held = false
    for _ = 1, 1 + below(shape.ops) do
      local kind = shape.kinds[below(#shape.kinds)]
      if kind == "L" then
        kind = held and "U" or "L"
        held = not held
      end
      value = value + 1
      task[#task + 1] = { op = kind, loc = below(shape.locs), value = value, task = t }
    end
    if held then task[#task + 1] = { op = "U", task = t } end
    p[t] = task
  end
  p.locs = shape.locs
  return p
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

-- The outcome: what each task read, and what each variable holds in the end; M.outcome() is
-- that of the world that was made last.
function M.scenario(p)
  return function()
    cpus(#p)
    local v, seen, lock = {}, {}, spinlock("lock")
    for l = 1, p.locs do v[l] = var("v" .. l) end
    for t, task in ipairs(p) do
      local g = ghost("seen" .. t, "")
      seen[t] = g
      thread("t" .. t, function()
        local got = ""
        for _, o in ipairs(task) do
          if o.op == "L" then
            spin_lock(lock)
          elseif o.op == "U" then
            spin_unlock(lock)
          else
            local r = perform[o.op](v[o.loc], o.value)
            if r then got = got .. r .. "," end
          end
        end
        g.value = got
      end, { cpu = task.cpu })
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
