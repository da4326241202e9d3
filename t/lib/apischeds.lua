-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Random scenarios that call nothing but SRCU's API, for `srcush compare`: the same
-- number, the same scenario.
--
--	print(require("apischeds").source(17))		-- as text
--	return require("apischeds").scenarios(1, 500)	-- a scenario file of that many

local M = {}

-- splitmix64
local function rng(seed)
  local s = seed * 0x2545f4914f6cdd1d
  return function(n)
    s = s + 0x9e3779b97f4a7c15
    local z = s
    z = (z ~ (z >> 30)) * 0xbf58476d1ce4e5b9
    z = (z ~ (z >> 27)) * 0x94d049bb133111eb
    z = z ~ (z >> 31)
    return (z >> 1) % n + 1
  end
end

local ops = {}
local weighted = {}
-- cost: how many calls; "waits": not in a section of the same domain, nor in callbacks
local function op(name, weight, waits, fn)
  ops[name] = { fn = fn, waits = waits }
  for _ = 1, weight do weighted[#weighted + 1] = name end
end

local function put(b, fmt, ...)
  b.lines[#b.lines + 1] = ("  "):rep(b.depth) .. fmt:format(...)
end

local function fresh(b, what)
  b.prog.names = b.prog.names + 1
  return what .. b.prog.names
end

local some

-- `n` statements within a section of that domain.
local function inside(b, ss, n)
  b.held[ss] = (b.held[ss] or 0) + 1
  for _ = 1, n do some(b) end
  b.held[ss] = b.held[ss] - 1
end

local function lock(b, ss, name)
  put(b, "local %s = srcu_read_lock%s(%s)", name, b.prog.domains[ss], ss)
end

local function unlock(b, ss, name)
  put(b, "srcu_read_unlock%s(%s, %s)", b.prog.domains[ss], ss, name)
end

op("section", 8, false, function(b, ss)
  local i = fresh(b, "i")
  lock(b, ss, i)
  inside(b, ss, b.prog.pick(3) - 1)
  unlock(b, ss, i)
end)
op("overlap", 3, false, function(b, ss)
  local i, k = fresh(b, "i"), fresh(b, "i")
  lock(b, ss, i)
  inside(b, ss, b.prog.pick(2) - 1)
  lock(b, ss, k)
  unlock(b, ss, i)
  inside(b, ss, b.prog.pick(2) - 1)
  unlock(b, ss, k)
end)
op("sync", 5, true, function(b, ss) put(b, "synchronize_srcu(%s)", ss) end)
op("expedited", 3, true, function(b, ss) put(b, "synchronize_srcu_expedited(%s)", ss) end)
op("barrier", 2, true, function(b, ss) put(b, "srcu_barrier(%s)", ss) end)
op("get", 3, false, function(b, ss)
  local k = fresh(b, "k")
  put(b, "local %s = get_state_synchronize_srcu(%s)", k, ss)
  b.cookies[#b.cookies + 1] = { k, ss }
end)
op("start", 3, false, function(b, ss)
  local k = fresh(b, "k")
  put(b, "local %s = start_poll_synchronize_srcu(%s)", k, ss)
  b.cookies[#b.cookies + 1] = { k, ss }
end)
op("poll", 6, false, function(b)
  local k = #b.cookies > 0 and b.cookies[b.prog.pick(#b.cookies)]
  if k then put(b, "poll_state_synchronize_srcu(%s, %s)", k[2], k[1]) end
end)
op("completed", 1, false, function(b, ss) put(b, "note(srcu_batches_completed(%s))", ss) end)
op("migrate", 1, false, function(b)
  if not b.atomic then put(b, "migrate(%d)", b.prog.pick(b.prog.cpus) - 1) end
end)

op("call", 7, false, function(b, ss)
  local p = b.prog
  if b.nested >= 2 then return end
  local c = { prog = p, lines = {}, depth = b.depth + 1, held = {}, cookies = {}, atomic = true, nested = b.nested + 1 }
  p.callbacks = p.callbacks + 1
  put(c, "note(%d)", p.callbacks)
  for _ = 1, p.pick(3) - 1 do some(c) end
  put(b, "call_srcu(%s, function()", ss)
  table.move(c.lines, 1, #c.lines, #b.lines + 1, b.lines)
  put(b, "end)")
end)

-- A section that another thread ends; whoever comes last starts the other half.
op("down", 3, false, function(b, ss)
  local p = b.prog
  if b.atomic or p.domains[ss] ~= "" then return end
  local v = fresh(b, "v")
  p.head[#p.head + 1] = ('local %s = var("%s", -1)'):format(v, v)
  put(b, "WRITE_ONCE(%s, srcu_down_read(%s))", v, ss)
  p.handed[#p.handed + 1] = { v, ss, b }
end)

function some(b)
  if #b.lines > 40 then return end
  local p = b.prog
  local ss = p.list[p.pick(#p.list)]
  local o = ops[weighted[p.pick(#weighted)]]
  if o.waits then
    if b.atomic then return end
    for other in pairs(p.domains) do	-- one order of domains: nobody waits in a circle
      if (b.held[other] or 0) > 0 and other >= ss then return end
    end
  end
  o.fn(b, ss)
end

-- The sections that were handed over: another thread ends them, when it has nothing
-- else to do any more, so that nobody waits for somebody who waits for it.
local function hand_over(p)
  for _, h in ipairs(p.handed) do
    p.enders[#p.enders + 1] = ("  cond_wait(function() return READ_ONCE(%s) >= 0 end)"):format(h[1])
    p.enders[#p.enders + 1] = ("  srcu_up_read(%s, READ_ONCE(%s))"):format(h[2], h[1])
  end
end

-- One of the threads waits for the others and ends the domains.
local function cleaner(p, nthreads)
  local lines = { ("  cond_wait(function() return READ_ONCE(finished) == %d end)"):format(nthreads) }
  for _, ss in ipairs(p.list) do
    if p.pick(5) > 1 then lines[#lines + 1] = ("  srcu_barrier(%s)"):format(ss) end
    lines[#lines + 1] = ("  cleanup_srcu_struct(%s)"):format(ss)
  end
  return lines
end

local function options(p)
  if p.tiny then return 'flavor = "tiny"' end
  local list = { ('size = "%s"'):format(({ "small", "big", "auto" })[p.pick(3)]) }
  if p.holdoff then list[#list + 1] = ("exp_holdoff = %d"):format(p.holdoff) end
  if p.pick(6) == 1 then list[#list + 1] = "static = true" end
  return table.concat(list, ", ")
end

-- `tiny`: of Tiny SRCU, for one CPU.
function M.source(seed, tiny)
  local pick = rng(seed)
  local p = { pick = pick, names = 0, callbacks = 0, head = {}, domains = {}, list = {}, handed = {}, enders = {},
    cpus = pick(12) == 1 and 4 + pick(20) or pick(4), holdoff = ({ false, 0, 50000 })[pick(3)] }
  if tiny then p.tiny, p.cpus = true, 1 end
  local out = { ("-- number %d"):format(seed), "return function()", ("  cpus(%d)"):format(p.cpus) }
  local function add(fmt, ...) out[#out + 1] = "  " .. fmt:format(...) end
  local size
  for i = 1, pick(3) == 1 and 2 or 1 do
    local ss = ({ "ss", "tt" })[i]
    p.list[i], p.domains[ss] = ss, pick(5) == 1 and "_nmisafe" or ""
    size = size or options(p)
    add('local %s = srcu.new("%s", {%s})', ss, ss, size)
  end
  local bodies, nthreads = {}, pick(3) + 1
  for i = 1, nthreads do
    local b = { prog = p, lines = {}, depth = 2, held = {}, cookies = {}, nested = 0 }
    for _ = 1, pick(4) + 1 do some(b) end
    bodies[i] = b
  end
  hand_over(p)
  if #p.enders > 0 then
    bodies[#bodies + 1] = { lines = p.enders }
    nthreads = nthreads + 1
  end
  local cleans = pick(3) == 1 and cleaner(p, nthreads)
  add('local log = ghost("log", "")')
  add("local function note(x) log.value = log.value .. tostring(x) .. ' ' end")
  if cleans then add('local finished = var("finished")') end
  for _, l in ipairs(p.head) do add("%s", l) end
  for i, b in ipairs(bodies) do
    add('thread("t%d", function()', i)
    table.move(b.lines, 1, #b.lines, #out + 1, out)
    if cleans then add("  atomic_inc(finished)") end
    add("end)")
  end
  if cleans then
    add('thread("cleaner", function()')
    for _, l in ipairs(cleans) do add("%s", l) end
    add("end)")
  end
  add("outcome(function() return log.value end)")
  out[#out + 1] = "end"
  return table.concat(out, "\n") .. "\n"
end

function M.scenario(seed, tiny)
  local text = M.source(seed, tiny)
  local chunk, message = load(text, ("=number%d"):format(seed))
  if not chunk then error(("apischeds: %d: %s\n%s"):format(seed, message, text)) end
  return chunk()
end

-- Those of the numbers from first on, by name.
function M.scenarios(first, n, tiny)
  local list = {}
  for seed = first, first + n - 1 do
    list[("n%06d"):format(seed)] = M.scenario(seed, tiny)
  end
  return list
end

return M
