-- SPDX-License-Identifier: GPL-2.0-or-later
-- The kernel's own SRCU beside ours: how long a tree takes to load, how fast it steps on
-- fibers, and what exploring the smallest scenarios costs, round by round in turn.  Run with:
-- srcush --carrier fiber bench/ktree.lua DIR...     (or with $SRCUSH_KERNEL_TREE)
-- Loading is timed by the shell, as whole processes; the rest is the process's own
-- computing time (os.clock).

local ROUNDS = 7

local dirs = {table.unpack(arg)}
if #dirs == 0 then dirs = {os.getenv "SRCUSH_KERNEL_TREE"} end
if #dirs == 0 then
  print "no kernel tree: give its directory, or set SRCUSH_KERNEL_TREE"
  os.exit(0)
end

local function median(t)
  table.sort(t)
  return t[(#t + 1) // 2]
end

local function quote(s) return "'" .. s:gsub("'", "'\\''") .. "'" end

-- Milliseconds that a command takes.
local function wall(command)
  local p = assert(io.popen("LC_ALL=C bash -c " .. quote("TIMEFORMAT=%R; time " .. command .. " >&2") .. " 2>&1"))
  local text = p:read "a"
  p:close()
  return assert(tonumber(text:match "([%d.]+)%s*$"), text) * 1000
end

local function program()
  local i = 0
  while arg[i - 1] do i = i - 1 end
  return os.getenv "SRCUSH" or arg[i]
end

local srcush = quote(program())

local function loading(dir)
  local cache = os.tmpname()
  local code = quote("srcu.load_kernel(" .. ("%q"):format(dir) .. ")")
  local command = ("SRCUSH_CACHE=%s %s -E -e %s"):format(quote(cache .. ".d"), srcush, code)
  local cold, warm, none = {}, {}, {}
  for i = 1, ROUNDS do
    if i <= 3 then
      os.execute("rm -rf " .. quote(cache .. ".d"))
      cold[i] = wall(command)
    end
    warm[i], none[i] = wall(command), wall(srcush .. " -E -e 0")
  end
  os.execute("rm -rf " .. quote(cache .. ".d") .. " " .. quote(cache))
  print(("%s: loaded cold in %.0f ms; from the cache %.0f ms, without loading %.0f ms: %.0f ms more")
        :format(dir, median(cold), median(warm), median(none), median(warm) - median(none)))
end

local function reading(ss)
  while true do srcu_read_unlock(ss, srcu_read_lock(ss)) end
end

local function waiting(ss)
  while true do synchronize_srcu_expedited(ss) end
end

-- Nanoseconds per step.
local function step_time(body, kernel)
  local STEPS = 200000
  world()
  cpus(1)
  local ss = srcu.new("ss", {kernel = kernel})
  thread("t", function() body(ss) end)
  local start = os.clock()
  run{max_steps = STEPS}
  return (os.clock() - start) * 1e9 / STEPS
end

local function stepping(name, body, trees)
  local t = {}
  for _ = 1, ROUNDS do
    for i = 0, #trees do
      t[i] = t[i] or {}
      t[i][#t[i] + 1] = step_time(body, trees[i])
    end
  end
  local ours = median(t[0])
  print(("%s, a step: ours %.0f ns"):format(name, ours))
  for i, k in ipairs(trees) do
    local theirs = median(t[i])
    print(("%s, a step: Linux %s %.0f ns, rate %.2f of ours"):format(name, k.version, theirs, ours / theirs))
  end
end

local scenes = {
  {"1 reader + 1 synchronize", 1, synchronize_srcu},
  {"1 reader + 1 expedited", 1, synchronize_srcu_expedited},
  {"2 readers + 1 synchronize", 2, synchronize_srcu},
}

local function scene(readers, synchronize, kernel)
  return function()
    cpus(readers + 1)
    local ss = srcu.new("ss", {kernel = kernel})
    for n = 1, readers do
      thread("reader" .. n, function() srcu_read_unlock(ss, srcu_read_lock(ss)) end)
    end
    thread("writer", function() synchronize(ss) end)
  end
end

local function exploring(name, readers, synchronize, trees)
  for i = 0, #trees do
    local start = os.clock()
    local r = explore(scene(readers, synchronize, trees[i]))
    local t = os.clock() - start
    print(("%s, %s: %s, %d + %d executions in %.2f s, %.0f a second"):format(name,
          i == 0 and "ours" or "Linux " .. trees[i].version, r.verdict, r.executions, r.blocked, t,
          (r.executions + r.blocked) / t))
  end
end

for _, dir in ipairs(dirs) do loading(dir) end
local trees = {}
for i, dir in ipairs(dirs) do trees[i] = srcu.load_kernel(dir) end
stepping("sections", reading, trees)
stepping("grace periods", waiting, trees)
for _, s in ipairs(scenes) do exploring(s[1], s[2], s[3], trees) end
