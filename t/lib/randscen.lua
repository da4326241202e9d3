-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Small random scenarios over all kinds of steps, as source text, so that one that
-- fails can be printed, pasted and read.  The same seed and family give the same text.
-- Each thread notes what it read, and that it came to its end, in a ghost of its own;
-- outcome() tells these and the final values.
--
--	local randscen = require("randscen")		-- t/lib in package.path
--	local scenario, text = randscen.scenario(17)	-- or (17, "locks")

local M = {}

-- ------------------------------------------------------------ numbers

local Rng = {}
Rng.__index = Rng

local function rng(seed, family)
  local state = seed * 0x632BE59BD9B4E019 + 0x9E3779B97F4A7C15
  for i = 1, #family do state = state * 31 + family:byte(i) end
  local r = setmetatable({ state = state }, Rng)
  for _ = 1, 5 do r:next() end
  return r
end

function Rng:next()
  self.state = self.state + 0x9E3779B97F4A7C15
  local x = self.state
  x = (x ~ (x >> 30)) * 0xBF58476D1CE4E5B9
  x = (x ~ (x >> 27)) * 0x94D049BB133111EB
  return x ~ (x >> 31)
end

function Rng:below(n) return (self:next() >> 1) % n end
function Rng:between(a, b) return a + self:below(b - a + 1) end
function Rng:one(list) return list[1 + self:below(#list)] end
function Rng:chance(n, of) return self:below(of) < n end

-- --------------------------------------------------- a program in the making

-- ctx: one body.  prog: what all share.  An operation writes lines and returns how
-- many steps it takes; it is given no more than ctx.left.

local Prog = {}
Prog.__index = Prog

-- An object of the scenario, declared when it is first used.
function Prog:need(name, made)
  if not self.declared[name] then
    self.declared[name] = true
    self.head[#self.head + 1] = ("local %s = %s"):format(name, made)
  end
  return name
end

function Prog:var()
  local name = self.rng:one(self.vars)
  return self:need(name, ('var("%s")'):format(name))
end

local function line(c, fmt, ...)
  c.lines[#c.lines + 1] = ("  "):rep(c.depth) .. fmt:format(...)
end

local function note(c, fmt, ...)
  line(c, "note(%s, %s)", c.ghost, fmt:format(...))
end

local function value(c) return c.prog.rng:between(1, 2) end

local ops = {}		-- name -> {cost, fn, sleeps=, top=}

local function op(name, cost, fn, opts)
  opts = opts or {}
  ops[name] = { cost = cost, fn = fn, sleeps = opts.sleeps, top = opts.top }
end

local some	-- one operation, at most `left` steps; defined below

-- Between the two halves of something that takes `own` steps itself.
local function inside(c, own, sleepless, fn)
  local left, atomic = c.left, c.atomic
  c.left = left - own
  c.atomic = atomic or sleepless
  if fn then
    fn()
  else
    for _ = 1, c.prog.rng:between(0, 2) do some(c, true) end
  end
  local used = left - own - c.left
  c.left, c.atomic = left, atomic
  return own + used
end

-- ------------------------------------------------------------ shared memory

op("read", 1, function(c) note(c, "READ_ONCE(%s)", c.prog:var()) return 1 end)
op("write", 1, function(c) line(c, "WRITE_ONCE(%s, %d)", c.prog:var(), value(c)) return 1 end)
op("acquire", 1, function(c) note(c, "smp_load_acquire(%s)", c.prog:var()) return 1 end)
op("release", 1, function(c) line(c, "smp_store_release(%s, %d)", c.prog:var(), value(c)) return 1 end)
op("get", 1, function(c) note(c, "%s:get()", c.prog:var()) return 1 end)
op("set", 1, function(c) line(c, "%s:set(%d)", c.prog:var(), value(c)) return 1 end)
op("xchg", 1, function(c) note(c, "xchg(%s, %d)", c.prog:var(), value(c)) return 1 end)
op("cmpxchg", 1, function(c)
  note(c, "cmpxchg(%s, %d, %d)", c.prog:var(), c.prog.rng:between(0, 1), value(c))
  return 1
end)
op("inc", 1, function(c) line(c, "atomic_inc(%s)", c.prog:var()) return 1 end)
op("add", 1, function(c) note(c, "atomic_add_return(%d, %s)", value(c), c.prog:var()) return 1 end)
op("dec", 1, function(c) note(c, "atomic_dec_and_test(%s)", c.prog:var()) return 1 end)
op("mb", 1, function(c) line(c, "smp_mb()") return 1 end)
op("copy", 2, function(c)
  line(c, "WRITE_ONCE(%s, READ_ONCE(%s) + 1)", c.prog:var(), c.prog:var())
  return 2
end)
op("if", 2, function(c)
  line(c, "if READ_ONCE(%s) == %d then", c.prog:var(), c.prog.rng:between(0, 1))
  c.depth = c.depth + 1
  local n = inside(c, 1, false, function() some(c) end)
  c.depth = c.depth - 1
  line(c, "end")
  return n
end)

-- ------------------------------------------------------------ locks

local function name_of(c, kind, names)
  local name = c.prog.rng:one(names)
  return c.prog:need(name, ('%s("%s")'):format(kind, name))
end

local function lock(c) return name_of(c, "mutex", { "m", "n" }) end
local function spin(c) return name_of(c, "spinlock", { "s", "q" }) end
local function sem(c) return name_of(c, "rwsem", { "rw" }) end

op("mutex", 2, function(c)
  local m = lock(c)
  line(c, "mutex_lock(%s)", m)
  local n = inside(c, 2, false)
  line(c, "mutex_unlock(%s)", m)
  return n
end, { sleeps = true })

op("hold", 1, function(c)
  line(c, "mutex_lock(%s)", lock(c))
  return 1
end, { sleeps = true, top = true })

op("trylock", 2, function(c)
  local m = lock(c)
  line(c, "if mutex_trylock(%s) then", m)
  c.depth = c.depth + 1
  local n = inside(c, 2, false)
  line(c, "mutex_unlock(%s)", m)
  note(c, '"got %s"', m)
  c.depth = c.depth - 1
  line(c, "end")
  return n
end, { sleeps = true })

op("spin", 2, function(c)
  local s = spin(c)
  line(c, "spin_lock(%s)", s)
  local n = inside(c, 2, true)
  line(c, "spin_unlock(%s)", s)
  return n
end)

op("spinirq", 2, function(c)
  local s = spin(c)
  line(c, "do")
  c.depth = c.depth + 1
  line(c, "local flags = spin_lock_irqsave(%s)", s)
  local n = inside(c, 2, true)
  line(c, "spin_unlock_irqrestore(%s, flags)", s)
  c.depth = c.depth - 1
  line(c, "end")
  return n
end)

op("spintry", 2, function(c)
  local s = spin(c)
  line(c, "if spin_trylock(%s) then", s)
  c.depth = c.depth + 1
  local n = inside(c, 2, true)
  line(c, "spin_unlock(%s)", s)
  c.depth = c.depth - 1
  line(c, "else")
  line(c, '  note(%s, "busy %s")', c.ghost, s)
  line(c, "end")
  return n
end)

op("readsem", 2, function(c)
  local s = sem(c)
  line(c, "down_read(%s)", s)
  local n = inside(c, 2, false)
  line(c, "up_read(%s)", s)
  return n
end, { sleeps = true })

op("writesem", 3, function(c)
  local s = sem(c)
  line(c, "down_write(%s)", s)
  local n = inside(c, 3, false)
  line(c, "up_write(%s)", s)
  return n
end, { sleeps = true })

-- ------------------------------------------------------------ waiting

local function event(c) return name_of(c, "completion", { "c", "d" }) end
local function queue(c) return name_of(c, "waitqueue", { "wq" }) end

-- Most of what is waited for comes: some other body ends with it.
local function will_come(c, fmt, ...)
  if c.prog.rng:chance(3, 4) then
    table.insert(c.prog.promised, { by = c, text = fmt:format(...) })
  end
end

op("complete", 1, function(c) line(c, "complete(%s)", event(c)) return 1 end)
op("wait", 1, function(c)
  local e = event(c)
  line(c, "wait_for_completion(%s)", e)
  will_come(c, "complete(%s)", e)
  return 1
end, { sleeps = true })
op("cond", 1, function(c)
  local x, k = c.prog:var(), value(c)
  if c.prog.rng:chance(1, 3) then
    line(c, "cond_wait(function() return READ_ONCE(%s) == %d %s READ_ONCE(%s) > 0 end)", x, k,
      c.prog.rng:one({ "or", "and" }), c.prog:var())
  else
    line(c, "cond_wait(function() return READ_ONCE(%s) == %d end)", x, k)
  end
  will_come(c, "WRITE_ONCE(%s, %d)", x, k)
  return 1
end, { sleeps = true })
op("sleep", 4, function(c)
  local q = queue(c)
  line(c, "prepare_to_wait(%s)", q)
  line(c, "if READ_ONCE(%s) == 0 then schedule_wait(%s) end", c.prog:var(), q)
  line(c, "finish_wait(%s)", q)
  will_come(c, "wake_up(%s)", q)
  return 4
end, { sleeps = true, top = true })
op("wake", 1, function(c) line(c, "wake_up(%s)", queue(c)) return 1 end)

-- ------------------------------------------------------------ CPUs

op("preempt", 2, function(c)
  line(c, "preempt_disable()")
  local n = inside(c, 2, true)
  line(c, "preempt_enable()")
  return n
end)
op("irqoff", 2, function(c)
  line(c, "local_irq_disable()")
  local n = inside(c, 2, true)
  line(c, "local_irq_enable()")
  return n
end)
op("spinwait", 1, function(c)	-- as cpu_relax() until somebody writes: the CPU is kept
  local x = c.prog:var()
  line(c, "cond_wait(function() return READ_ONCE(%s) > 0 end)", x)
  will_come(c, "WRITE_ONCE(%s, %d)", x, value(c))
  return 1
end)
op("yield", 1, function(c) line(c, "yield()") return 1 end)
op("migrate", 1, function(c) line(c, "migrate(%d)", c.prog.rng:between(0, 1)) return 1 end,
  { sleeps = true, top = true })

-- ------------------------------------------------------------ work items, threads

-- Another body, written where the world is built.
local function body(c, kind, budget, opts)
  local p = c.prog
  p.bodies = p.bodies + 1
  local n = p.bodies
  local b = {
    prog = p, lines = {}, depth = 2, left = budget, ghost = "g" .. n, nested = true,
    atomic = opts.atomic, name = kind .. n,
  }
  p.ghosts[#p.ghosts + 1] = b.ghost
  while b.left > 0 do some(b) end
  note(b, '"end"')
  return b
end

op("queue", 2, function(c)
  local p = c.prog
  if not p.work then
    if c.nested or p.spare < 2 then return 0 end
    p.work = "w"
    p.spare = p.spare - 3
    local b = body(c, "w", 1, {})
    p.tail[#p.tail + 1] = 'local w = work("w", function()'
    for _, l in ipairs(b.lines) do p.tail[#p.tail + 1] = l:sub(3) end
    p.tail[#p.tail + 1] = "end)"
  end
  note(c, "queue_work(w)")
  return 2
end, { top = true })
op("flush", 1, function(c)
  if not c.prog.work then return 0 end
  line(c, "flush_work(w)")
  return 1
end, { sleeps = true, top = true })

op("spawn", 1, function(c)
  local p = c.prog
  if c.nested or p.spare < 2 or p.spawned then return 0 end
  p.spawned = true
  p.spare = p.spare - 2
  local b = body(c, "child", p.rng:between(1, 2), {})
  line(c, 'thread("child", function()')
  for _, l in ipairs(b.lines) do line(c, "%s", (l:sub(3))) end
  line(c, "end)")
  return 0
end, { top = true })

-- ------------------------------------------------------------ the heap

local function pointer(c) return c.prog:need("p", 'ptr("p")') end

op("publish", 1, function(c)
  line(c, 'rcu_assign_pointer(%s, kmalloc("o", {v = %d}))', pointer(c), value(c))
  return 1
end)
op("follow", 2, function(c)
  line(c, "do")
  line(c, "  local o = READ_ONCE(%s)", pointer(c))
  line(c, '  note(%s, o and o.v or "nil")', c.ghost)
  line(c, "end")
  return 2
end)
op("retire", 2, function(c)
  line(c, "kfree(xchg(%s, nil))", pointer(c))
  return 2
end)
op("poke", 2, function(c)
  line(c, "do")
  line(c, "  local o = READ_ONCE(%s)", pointer(c))
  line(c, "  if o then o.v = %d end", value(c))
  line(c, "end")
  return 2
end)

-- ------------------------------------------------------------ the rest

op("choose", 1, function(c) note(c, "choose(%d)", c.prog.rng:between(2, 3)) return 1 end)
op("choosewrite", 2, function(c) line(c, "WRITE_ONCE(%s, choose(2))", c.prog:var()) return 2 end)
op("assume", 1, function(c)
  line(c, "assume(READ_ONCE(%s) ~= %d)", c.prog:var(), c.prog.rng:between(0, 2))
  return 1
end)
op("assert", 1, function(c)
  line(c, 'assert(READ_ONCE(%s) ~= %d, "claimed")', c.prog:var(), value(c))
  return 1
end)
op("warn", 1, function(c) line(c, "WARN_ON(READ_ONCE(%s) == %d)", c.prog:var(), value(c)) return 1 end)
op("ghost", 0, function(c)
  local g = c.prog:need("shared", 'ghost("shared", 0)')
  if c.prog.rng:chance(1, 2) then
    line(c, "%s.value = %s.value + %d", g, g, value(c))
  else
    note(c, '"s" .. %s.value', g)
  end
  return 0
end)

-- ------------------------------------------------------------ SRCU

local function domain(c)
  return c.prog:need("ss", ('srcu.new("ss", {flavor = "%s"})'):format(c.prog.flavor))
end

op("section", 2, function(c)
  local ss, p = domain(c), c.prog
  line(c, "do")
  c.depth = c.depth + 1
  line(c, "local i = srcu_read_lock(%s)", ss)
  -- the real ones take many steps for a grace period: little else may move
  local n = p.flavor == "tree" and 2 or
    inside(c, 2, false, function() for _ = 1, p.rng:between(0, 2) do some(c) end end)
  line(c, "srcu_read_unlock(%s, i)", ss)
  c.depth = c.depth - 1
  line(c, "end")
  return n
end, { sleeps = true, top = true })
op("sync", 1, function(c)
  line(c, "synchronize_srcu(%s)", domain(c))
  return c.prog.flavor == "ideal" and 2 or 100
end, { sleeps = true, top = true })

op("call", 2, function(c)
  local p = c.prog
  if c.nested or p.called then return 0 end
  p.called = true
  local b = body(c, "cb", 1, { atomic = true })
  line(c, "call_srcu(%s, function()", domain(c))
  for _, l in ipairs(b.lines) do line(c, "%s", (l:sub(3))) end
  line(c, "end)")
  return 2
end, { sleeps = true, top = true })
op("barrier", 1, function(c)
  if not c.prog.called then return 0 end
  line(c, "srcu_barrier(%s)", domain(c))
  return 2
end, { sleeps = true, top = true })
op("poll", 2, function(c)
  local ss = domain(c)
  line(c, "do")
  line(c, "  local k = get_state_synchronize_srcu(%s)", ss)
  line(c, "  note(%s, poll_state_synchronize_srcu(%s, k))", c.ghost, ss)
  line(c, "end")
  return 2
end)

-- ------------------------------------------------------------ families

local memory = "read*5 write*5 xchg cmpxchg inc add copy if*2 mb "
local few = "read*3 write*3 cmpxchg inc copy if "
local families = {
  -- what commutes here commutes by locations alone: its traces can be counted
  memory = memory .. "acquire release get set dec",
  locks = few .. "mutex*5 hold trylock*2 spin*2 spinirq spintry readsem*3 writesem*3",
  waits = few .. "complete*4 wait*4 cond*4 sleep*3 wake*4 mutex",
  snares = few .. "preempt*2 spin*5 spinirq*3 spintry irqoff spinwait*2 mutex",
  cpus = few .. "preempt*3 irqoff*3 spinirq*2 spin migrate yield mutex",
  works = few .. "queue*6 flush*3 spawn*2 mutex complete wait",
  heap = few .. "publish*4 follow*5 retire*4 poke*2 mutex",
  others = few .. "choose*2 choosewrite assume*2 assert*2 warn ghost*4 spawn*2",
  mixed = memory .. "get set mutex*2 hold trylock spin spinirq spintry readsem writesem complete*2 wait*2 " ..
    "cond*2 sleep wake preempt irqoff yield migrate queue*2 flush spawn publish follow*2 retire " ..
    "choose assume assert ghost*2",
  ideal = "read*3 write*3 section*6 sync*4 publish*3 follow*3 retire*3 call*2 barrier poll",
  tiny = "read*3 write*3 section*6 sync*4",
  tree = "read*2 write*2 section*6 sync*4",
}
M.families = { "memory", "locks", "waits", "cpus", "works", "heap", "others", "mixed" }
M.snare_families = { "snares" }	-- somebody keeps a CPU for ever: some executions are seen twice
M.srcu_families = { "ideal", "tiny", "tree" }

local weighted = {}
for name, text in pairs(families) do
  local list = {}
  for word in text:gmatch("%S+") do
    local what, n = word:match("^(%a+)%*?(%d*)$")
    for _ = 1, tonumber(n) or 1 do list[#list + 1] = what end
  end
  weighted[name] = list
end

function some(c, inner)
  for _ = 1, 20 do
    local o = ops[c.prog.rng:one(weighted[c.prog.family])]
    if c.left >= o.cost and not (o.sleeps and c.atomic) and not (o.top and (inner or c.depth > 2)) then
      local used = o.fn(c)
      c.left = c.left - used
      if used > 0 then return end
    end
  end
  if c.left > 0 and not inner then	-- nothing fits
    line(c, "smp_mb()")
    c.left = c.left - 1
  end
end

-- Who runs: {steps of each}; few enough that all interleavings can be tried.
local shapes = {
  memory = { { 6, 6 }, { 5, 7 }, { 3, 3, 3 }, { 4, 3, 3 }, { 2, 4, 3 } },
  works = { { 4, 4 }, { 3, 5 }, { 2, 3, 2 } },
  cpus = { { 5, 5 }, { 5, 4 }, { 3, 3, 2 } },
  snares = { { 5, 4 }, { 4, 4 }, { 3, 3, 2 } },
  ideal = { { 6, 6 }, { 3, 4, 3 } },
  tiny = { { 4, 3 }, { 3, 3, 2 } },
  tree = { { 2, 2 } },
  waits = { { 5, 5 }, { 4, 5 }, { 3, 3, 2 } },
  mixed = { { 5, 5 }, { 6, 5 }, { 3, 3, 2 } },
  default = { { 6, 6 }, { 5, 6 }, { 3, 3, 3 }, { 4, 3, 3 } },
}

local function irq_of(p)
  if not (p.family == "cpus" or p.family == "snares" or p.family == "mixed") or p.spare < 2 or p.rng:chance(1, 2) then return end
  p.spare = p.spare - 2
  local b = body({ prog = p }, "irq", p.rng:between(1, p.family == "snares" and 3 or 2), { atomic = true })
  return b, p.rng:between(0, 1)
end

-- Writes what was promised into a body that did not ask for it.
local function keep_promises(p, list)
  for i, promise in ipairs(p.promised) do
    local c = list[1 + i % #list]
    if c == promise.by then c = list[1 + (i + 1) % #list] end
    line(c, "%s", promise.text)
  end
end

local function bodies_of(p)
  local list = {}
  local shape = p.rng:one(shapes[p.family] or shapes.default)
  local together = ((p.family == "cpus" or p.family == "snares") and p.rng:chance(3, 4)) or p.rng:chance(1, 5)
  for i, steps in ipairs(shape) do
    local c = { prog = p, lines = {}, depth = 2, left = steps, name = ("t%d"):format(i), ghost = "a" .. i }
    p.ghosts[#p.ghosts + 1] = c.ghost
    c.cpu = together and 0 or (i - 1) % p.cpus
    if #shape == 2 and p.flavor then
      -- one reads, one waits: the most that fits
      some(c)
    end
    while c.left > 0 do some(c) end
    list[#list + 1] = c
  end
  keep_promises(p, list)
  for _, c in ipairs(list) do note(c, '"end"') end
  return list
end

-- The text of a scenario file with this one scenario.
function M.source(seed, family)
  family = family or M.families[1 + seed % #M.families]
  if not families[family] then error(("randscen: no family '%s'"):format(tostring(family)), 2) end
  local p = setmetatable({
    rng = rng(seed, family), family = family, head = {}, tail = {}, declared = {}, ghosts = {}, promised = {}, bodies = 0,
    spare = 3, vars = { "x", "y" },
    flavor = ({ ideal = "ideal", tiny = "tiny", tree = "tree" })[family],
    cpus = ({ tiny = 1, tree = 2 })[family] or 3,	-- tiny SRCU is for one
  }, Prog)
  if p.rng:chance(1, 3) then p.vars = { "x" } elseif p.rng:chance(1, 3) then p.vars = { "x", "y", "z" } end
  local list = bodies_of(p)
  local irq, irq_cpu = irq_of(p)
  local claim = family == "others" and p.rng:chance(1, 3) and
    ('invariant("small", function() return READ_ONCE(%s) < %d end)'):format(p:var(), p.rng:between(2, 4))

  local out = { ("-- seed %d, family %s"):format(seed, family), "return function()",
    ("  cpus(%d)"):format(p.cpus) }
  local function add(fmt, ...) out[#out + 1] = "  " .. fmt:format(...) end
  for _, l in ipairs(p.head) do add("%s", l) end
  for _, g in ipairs(p.ghosts) do add('local %s = ghost("%s", "")', g, g) end
  add('local function note(g, v) g.value = g.value .. tostring(v) .. "," end')
  for _, l in ipairs(p.tail) do add("%s", l) end
  for _, c in ipairs(list) do
    add('thread("%s", function()', c.name)
    for _, l in ipairs(c.lines) do out[#out + 1] = l end
    add("end, {cpu = %d})", c.cpu)
  end
  if irq then
    add('irq("i", %d, function()', irq_cpu)
    for _, l in ipairs(irq.lines) do out[#out + 1] = l end
    add("end)")
  end
  if claim then add("%s", claim) end
  add("outcome(function()")
  local parts = {}
  for _, v in ipairs(p.vars) do
    if p.declared[v] then parts[#parts + 1] = ('"%s=", READ_ONCE(%s)'):format(v, v) end
  end
  for _, g in ipairs(p.ghosts) do parts[#parts + 1] = ('" %s=", %s.value'):format(g, g) end
  if p.declared.p then parts[#parts + 1] = '" p=", tostring(READ_ONCE(p))' end
  if p.declared.shared then parts[#parts + 1] = '" shared=", shared.value' end
  add("  return table.concat({ %s })", table.concat(parts, ", "))
  add("end)")
  out[#out + 1] = "end"
  return table.concat(out, "\n") .. "\n", family
end

function M.scenario(seed, family)
  local text, fam = M.source(seed, family)
  local chunk, message = load(text, ("=seed%d-%s"):format(seed, fam))
  if not chunk then error(("randscen: seed %d: %s\n%s"):format(seed, message, text)) end
  return chunk(), text, fam
end

return M
