-- SPDX-License-Identifier: GPL-2.0-or-later
-- How things grow with the number of CPUs and of readers: building a world, a step,
-- and the steps of a grace period, small and big, from 1 to 4096 CPUs.
-- Run with: srcush --carrier fiber bench/scale.lua [PLOT.svg]
-- Time is the process's computing time (os.clock), the mean over 0.3 seconds.

-- Seconds that fn takes, by repeating it: the clock is coarse.
local function seconds(fn)
  local start, n = os.clock(), 0
  repeat
    fn()
    n = n + 1
  until os.clock() - start > 0.3
  return (os.clock() - start) / n
end

local function scene(n, size, scenario)
  return function()
    world(function()
      cpus(n)
      ss = srcu.new("ss", {size = size})
      scenario(n)
    end)
  end
end

local function one_writer()
  thread("w", function() synchronize_srcu_expedited(ss) end)
end

-- --- building, and the rate of steps

print(string.format("%6s %6s %12s %10s %14s", "CPUs", "size", "build (ms)", "steps", "ns per step"))
for _, n in ipairs{4, 128, 1024, 4096} do
  for _, size in ipairs{"small", "big"} do
    local build = scene(n, size, one_writer)
    local t = seconds(build)
    local steps
    local all = seconds(function()
      build()
      steps = run().steps
    end)
    print(string.format("%6d %6s %12.2f %10d %14.1f", n, size, t * 1e3, steps, (all - t) / steps * 1e9))
  end
end

-- --- sleeping readers

do
  local READERS = 10000
  local inside, go = 0, false
  local function scenario(n)
    local gates = {}
    for i = 1, READERS do
      local gate = completion("gate" .. i)
      gates[i] = gate
      thread("r" .. i, function()
        local idx = srcu_read_lock(ss)
        inside = inside + 1
        wait_for_completion(gate)
        srcu_read_unlock(ss, idx)
      end, {cpu = i % n})
    end
    thread("w", function()
      cond_wait(function() return inside == READERS end)
      synchronize_srcu_expedited(ss)
    end)
    thread("opener", function()
      cond_wait(function() return go end)
      for _, gate in ipairs(gates) do complete(gate) end
    end)
  end
  local function phase(what, fn)
    local before, start = #trace(1) > 0 and trace(1)[1].n or 0, os.clock()
    local result = fn()
    local t, n = os.clock() - start, trace(1)[1].n - before
    print(string.format("  %-42s %7d steps %8.0f ms %8.0f ns each", what, n, t * 1e3, t / n * 1e9))
    return result
  end
  local start = os.clock()
  scene(4096, "big", scenario)()
  print(string.format("\n%d readers on 4096 CPUs: the world is built in %.0f ms", READERS,
    (os.clock() - start) * 1e3))
  phase("all enter and fall asleep", function()
    run{max_steps = 3 * READERS}
    while inside < READERS do run{max_steps = 1} end
  end)
  phase("a grace period begins and waits for them", function() run_until("w", "SCAN2") end)
  go = true
  local r = phase("they wake up, leave, and it ends", run)
  assert(#r.violations == 0 and status("w") == "done")
end

-- --- steps per grace period

local sizes = {}
for i = 0, 12 do sizes[i + 1] = 1 << i end

-- All steps of a request by one CPU, from the call to its return; and of one by each of
-- up to 16 CPUs at once, per request.
local function steps_of(n, size, writers)
  scene(n, size, function()
    for i = 0, writers - 1 do
      thread("w" .. i, function() synchronize_srcu_expedited(ss) end, {cpu = i * n // writers})
    end
  end)()
  return run().steps
end

local rows = {}
print(string.format("\nsteps per grace period\n%6s %14s %14s %22s %14s", "CPUs", "small", "big",
  "16 requests: small", "big"))
for _, n in ipairs(sizes) do
  local many = math.min(n, 16)
  local row = {n, steps_of(n, "small", 1), steps_of(n, "big", 1), steps_of(n, "small", many),
    steps_of(n, "big", many)}
  rows[#rows + 1] = row
  print(string.format("%6d %14d %14d %22d %14d", table.unpack(row)))
end

-- --- the plot, both axes logarithmic

local function svg(path)
  local W, H, L, T = 640, 400, 70, 30
  local top = 1
  for _, r in ipairs(rows) do top = math.max(top, r[2], r[3], r[4], r[5]) end
  local decades = math.ceil(math.log(top, 10))
  local function x(n) return L + (W - L - 20) * math.log(n, 2) / 12 end
  local function y(v) return H - 50 - (H - 50 - T) * math.log(v, 10) / decades end
  local out = {}
  local function add(...) out[#out + 1] = string.format(...) end
  add('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">', W, H)
  add('<rect width="%d" height="%d" fill="white"/>', W, H)
  add('<text x="%d" y="18">Steps per grace period, by the number of CPUs</text>', L)
  for d = 0, decades do
    add('<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/>', L, y(10 ^ d), W - 20, y(10 ^ d))
    add('<text x="%d" y="%.1f" text-anchor="end">%d</text>', L - 6, y(10 ^ d) + 4, math.floor(10 ^ d))
  end
  for _, n in ipairs(sizes) do
    add('<text x="%.1f" y="%d" text-anchor="middle">%d</text>', x(n), H - 32, n)
  end
  add('<text x="%d" y="%d" text-anchor="middle">CPUs</text>', (L + W) // 2, H - 12)
  local curves = {{2, "small", "#1f77b4"}, {3, "big", "#d62728"}, {4, "small, up to 16 requests", "#7fb2d8"},
    {5, "big, up to 16 requests", "#e99a9a"}}
  for i, c in ipairs(curves) do
    local points = {}
    for k, r in ipairs(rows) do points[k] = string.format("%.1f,%.1f", x(r[1]), y(r[c[1]])) end
    add('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>', table.concat(points, " "), c[3])
    add('<text x="%d" y="%d" fill="%s">%s</text>', L + 12, T + 4 + 16 * i, c[3], c[2])
  end
  add("</svg>")
  local f = io.open(path, "w")
  if not f then	-- not where "make bench" runs
    path = path:match("[^/]*$")
    f = assert(io.open(path, "w"))
  end
  f:write(table.concat(out, "\n"), "\n")
  f:close()
  print("\nplotted in " .. path)
end

svg(arg and arg[1] or "bench/steps-per-gp.svg")
