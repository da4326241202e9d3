-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Runs an example and, at the end of each world that it builds, does that world
-- over again with random schedules.  Prints every event of every run, and how the
-- laws of the engine held:
--
--	swap	neighbouring steps that have nothing to do with one another are
--		swapped: no thread may notice
--	back	back(n), then the same n steps: everything is as it was
--
-- An example that builds many worlds mostly builds the same one: the first few count.
--
-- Usage: srcush [--carrier C] worlds.lua EXAMPLE SEEDS

local file, seeds = arg[1], tonumber(arg[2])
local out, write = {}, io.write
local original_world, original_ghost = world, ghost
local ghosts, worlds = false, 0
local rng = 88172645463325252

-- xorshift64: the same numbers on every machine and carrier
local function random(n)
  rng = rng ~ (rng << 13)
  rng = rng ~ (rng >> 7)
  rng = rng ~ (rng << 17)
  return (rng >> 1) % n + 1
end

local function put(...)
  out[#out + 1] = table.concat({...}, " ")
end

local function line(e)
  return ("%s %d %s | %s | %s %s | %s"):format(e.thread, e.cpu, e.text, e.object or "",
    tostring(e.value), e.order or "", e.call or "")
end

local function events()
  local lines, by_thread, list = {}, {}, trace(math.maxinteger)
  for i, e in ipairs(list) do
    lines[i] = line(e)
    by_thread[e.thread] = (by_thread[e.thread] or "") .. lines[i] .. "\n"
  end
  return lines, by_thread, list
end

-- A schedule as one item a step.
local function items(schedule)
  local list = {}
  for item in schedule:gmatch("%S+") do
    local name, count = item:match("^(.-)%*(%d+)$")
    if item:sub(1, 1) ~= "@" then
      for _ = 1, tonumber(count or 1) do list[#list + 1] = name or item end
    end
  end
  return list
end

local function join(list, head, first, last)
  return head .. " " .. table.concat(list, " ", first, last)
end

local whole = {context = true, ["cond-wait"] = true, migrate = true, advance = true, irq = true}
local locks = {lock = true, unlock = true, trylock = true}

-- Do two steps of different threads have nothing to do with one another?
local function independent(a, b)
  if a.thread == b.thread or whole[a.op] or whole[b.op] then return false end
  -- a CPU is shared, and what may be preempted there is a lock's matter
  if a.cpu == b.cpu and (locks[a.op] or locks[b.op] or a.op == "timer" or b.op == "timer") then
    return false
  end
  if (a.object or "") == "" or (b.object or "") == "" then return true end
  local x, y = a.object, b.object
  if x == y then return a.op == "load" and b.op == "load" end
  -- freeing an object touches all of it
  if a.op == "free" then return y:sub(1, #x + 1) ~= x .. "." end
  if b.op == "free" then return x:sub(1, #y + 1) ~= y .. "." end
  return true
end

local function same(a, b)
  for k, v in pairs(a) do if b[k] ~= v then return false, k end end
  for k, v in pairs(b) do if a[k] ~= v then return false, k end end
  return true
end

local function try_swaps(head)
  local _, own, list = events()
  local steps = items(schedule())
  local tried, held, refused = 0, 0, 0
  for _ = 1, 60 do
    local i = random(#list)
    local a, b = list[i], list[i + 1]
    if b and independent(a, b) then
      steps[i], steps[i + 1] = steps[i + 1], steps[i]
      tried = tried + 1
      local ok, err = replay(join(steps, head))
      if ok then
        local _, now = events()
        local equal, who = same(own, now)
        if equal then held = held + 1
        else put("NOT ok: swap", i, a.thread, a.text, "/", b.thread, b.text, "noticed by", who) end
      elseif err:find("cannot step", 1, true) or err:find("no thread", 1, true) then
        refused = refused + 1 -- one enabled the other after all
      else
        put("NOT ok: swap", i, err)
      end
      steps[i], steps[i + 1] = steps[i + 1], steps[i]
    end
  end
  put("swaps", tried, "held", held, "refused", refused)
  assert(replay(join(steps, head)))
end

local function try_back(head)
  local before = events()
  local steps = items(schedule())
  for _ = 1, 5 do
    local n = random(#steps)
    back(n)
    local now = events()
    local equal = #now == #steps - n
    for i = 1, #now do equal = equal and now[i] == before[i] end
    for i = #steps - n + 1, #steps do
      if steps[i]:find("[=+]") then
        equal = equal and replay(join(steps, head, 1, i))
      else
        step(steps[i])
      end
    end
    now = events()
    for i = 1, #steps do equal = equal and now[i] == before[i] end
    put(equal and "back" or "NOT ok: back", n, "of", #steps)
  end
end

local WORLDS = 6

local function exercise()
  if #threads() == 0 or worlds == WORLDS then return end
  worlds = worlds + 1
  for seed = 1, seeds do
    reset()
    local report = run{policy = "random", seed = seed, max_steps = 1500}
    put("world", worlds, "seed", seed, report.verdict)
    for _, v in ipairs(report.violations) do put(v.kind, v.message) end
    for _, l in ipairs((events())) do put(l) end
    local head = schedule():match("^%S+")
    put(schedule())
    if seed <= 2 and not ghosts and report.steps > 1 then try_swaps(head) end
    if report.steps > 0 then try_back(head) end
  end
end

function world(...)
  exercise()
  ghosts = false
  return original_world(...)
end
function ghost(...)
  ghosts = true
  return original_ghost(...)
end
function print() end
io.write = function() return io.stdout end

local chunk = assert(loadfile(file))
arg = {[0] = file}
chunk()
exercise()
put("worlds", worlds)
write(table.concat(out, "\n"), "\n")
