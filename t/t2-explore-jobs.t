-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- explore{jobs=N}: several processes find what one finds, whoever of them dies.

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path
local tap = require("tap")
local randscen = require("randscen")
local classic = assert(loadfile(here .. "../bench/explore/classic.lua"))
-- Sanitizers make it slow, and see all there is to see in fewer.
local SANITIZED = (os.getenv("SRCUSH_SANITIZERS") or "") ~= ""
local COMPARED = SANITIZED and 2 or 4	-- random scenarios of each family
local RARE = SANITIZED and 60 or 300	-- one in so many is looked for

local function list(t)
  table.sort(t)
  return table.concat(t, "; ")
end

-- All that has to be the same, as text.
local function essence(r)
  local vs, os = {}, {}
  for _, v in ipairs(r.violations) do
    vs[#vs + 1] = ("%s %s %s"):format(v.kind, v.thread or "-", v.other or "-")
  end
  for text, n in pairs(r.outcomes) do os[#os + 1] = text .. " * " .. n end
  return ("%s: %d complete, %d blocked, %d steps\n%s\n%s"):format(r.verdict, r.executions, r.blocked,
    r.steps, list(vs), list(os))
end

local function with(scenario, opts, jobs)
  local o = { jobs = jobs }
  for k, v in pairs(opts) do o[k] = v end
  return explore(scenario, o)
end

-- What is different with more jobs; nil: nothing.  `one`: the report of one, if it is there.
local function differs(scenario, opts, most, one)
  one = one or with(scenario, opts, 1)
  local a = essence(one)
  for jobs = 2, most or 3 do
    local b = essence(with(scenario, opts, jobs))
    if a ~= b then return ("with one:\n%s\nwith %d:\n%s"):format(a, jobs, b), one end
  end
  return nil, one
end

local function same(scenario, opts, name, most)
  local why, one = differs(scenario, opts, most)
  tap.ok(not why, name)
  if why then tap.diag(why) end
  return one
end

-- ------------------------------------------------------------ programs

for _, name in ipairs({ "r2s1u1", "r4s1u1", "r3s2u1" }) do
  same(classic()[name], {}, name .. " is the same with 1, 2 and 3 jobs")
end
tap.is(with(classic()["r3s2u1"], {}, 2).executions, 729, "and as many as they have to be")
for _, name in ipairs({ "b1r3", "b2r3" }) do
  same(classic()[name], { keep_going = true }, name .. ": all violations, whoever finds them")
  local r = with(classic()[name], {}, 2)
  tap.is(r.verdict, "violation", name .. ": one is enough")
  tap.is(#r.violations, 1, "and it is one")
  tap.ok(pcall(replay, r.violations[1].schedule) ~= nil, "with a schedule")
end

-- Many threads, one of which is met late: the tables grow after the processes have parted.
local function late()
  cpus(3)
  local x, y = var("x"), var("y")
  for i = 1, 3 do
    thread("w" .. i, function()
      WRITE_ONCE(x, i)
      WRITE_ONCE(y, READ_ONCE(x) + 1)
      if READ_ONCE(x) == 1 and READ_ONCE(y) == 4 then
        local p = kmalloc("late" .. i, { "f" })
        WRITE_ONCE(p.f, i)
        thread("late" .. i, function() WRITE_ONCE(p.f, 7) WRITE_ONCE(x, 9) end)
        READ_ONCE(p.f)
      end
    end)
  end
  outcome(function() return { x = READ_ONCE(x), y = READ_ONCE(y) } end)
end
local ok, why = pcall(differs, late, { keep_going = true })
tap.ok(ok and not why, "threads and objects that only some executions make")
if why then tap.diag(why) end

-- ------------------------------------------------------------ random scenarios

-- Two more threads make them large enough to be shared.
local function enlarged(base)
  return function()
    base()
    local z = var("zz")
    for i = 1, 2 do
      thread("zz" .. i, function() WRITE_ONCE(z, i) READ_ONCE(z) WRITE_ONCE(z, i + 5) end)
    end
  end
end

for _, family in ipairs(randscen.families) do
  local compared, bad, seed = 0, nil, 0
  while compared < COMPARED and seed < 60 and not bad do
    seed = seed + 1
    local base, text = randscen.scenario(seed, family)
    local scenario = enlarged(base)
    local r = explore(scenario, { keep_going = true, max_executions = 1500 })
    local n = r.executions + r.blocked
    if n >= 200 and n < 1500 then
      compared = compared + 1
      bad = differs(scenario, { keep_going = true }, 2, r)
      bad = bad and ("seed %d: %s\n%s"):format(seed, bad, text)
    end
  end
  tap.ok(not bad, "family " .. family .. ": two jobs find what one finds")
  if bad then tap.diag(bad) end
  tap.ok(compared >= 2, "some were large enough")
end

-- ------------------------------------------------------------ the catalogue

-- Large enough for others to be called, and small enough to be explored to the end.
for _, name in ipairs({ "K2:claim", "K2:inside", "K8:buggy", "K8:fixed", "S2:tree_buggy", "S8:claim",
                        "S8:tree_buggy", "T1:buggy", "T2:unserialised", "T4:scans_less", "T5:claim",
                        "T5:no_mutex" }) do
  local file, variant = name:match("^(%w+):([%w_]+)$")
  local scenario = assert(loadfile(here .. "../examples/bugs/" .. file .. ".lua"))()[variant]
  local r = same(scenario, { keep_going = true }, name .. ": the same with two jobs", 2)
  tap.ok(r.executions + r.blocked > 64, name .. ": others were called")
end

-- ------------------------------------------------------------ sampling

for _, strategy in ipairs({ "random", "pct" }) do
  local opts = { strategy = strategy, max_executions = 1500, seed = 7 }
  same(classic()["r3s1u1"], opts, strategy .. ": the same executions, however many make them")
  same(classic()["b2r3"], { strategy = strategy, max_executions = 1000, keep_going = true },
    strategy .. ": the same violations")
  -- late enough for others to have been called
  local function rare()
    cpus(2)
    local x = var("x")
    thread("a", function() for _ = 1, 7 do WRITE_ONCE(x, 1) end end)
    thread("b", function()
      for _ = 1, 4 do assume(READ_ONCE(x) == 0) end
      WRITE_ONCE(x, 0)
      assert(choose(RARE) ~= RARE * 2 // 3, "a rare number")
    end)
  end
  local one = with(rare, { strategy = strategy, max_executions = 200000 }, 1)
  local two = with(rare, { strategy = strategy, max_executions = 200000 }, 3)
  tap.is(essence(one), essence(two), strategy .. ": it ends with the same execution")
  tap.is(two.violations[1] and two.violations[1].seed, one.violations[1] and one.violations[1].seed,
    "which has the same seed")
end

-- ------------------------------------------------------------ bounds

do
  local r = with(classic()["r6s1u1"], { max_executions = 2000 }, 3)
  tap.is(r.verdict, "incomplete", "a bound on executions counts for all of them")
  tap.is(r.bound, "max_executions 2000", "it is named")
  tap.is(r.executions + r.blocked, 2000, "and kept")
  r = with(classic()["r4s2u2"], { time = 1 }, 2)
  tap.is(r.bound, "time 1", "so is a bound on the time")
  tap.ok(r.executions + r.blocked > 0, "what was done by then is known")
  local shown = with(classic()["r3s1u1"], { show = 64 }, 2)
  tap.ok(shown.shown, "the n-th execution is there with more jobs, too")
  tap.is(shown.shown, with(classic()["r3s1u1"], { show = 64 }, 1).shown, "and the same")
end

for _, bad in ipairs({ 0, -1, 257, 1.5, "two", true }) do
  local fine, message = pcall(explore, classic()["r1s1u1"], { jobs = bad })
  tap.ok(not fine and tostring(message):find("jobs: an integer from 1 to 256 is expected", 1, true),
    ("jobs = %s is refused"):format(tostring(bad)))
end

-- ------------------------------------------------------------ who fails, who dies

do
  local function fails()
    cpus(2)
    local x = var("x")
    for i = 1, 4 do
      thread("t" .. i, function()
        WRITE_ONCE(x, i)
        WRITE_ONCE(x, READ_ONCE(x) + 1)
        -- different each time: an execution that is repeated shows it
        WRITE_ONCE(x, READ_ONCE(x) + os.time() % 2 + math.random(0, 100000))
      end)
    end
  end
  local fine, message = pcall(explore, fails, { jobs = 3 })
  tap.ok(not fine and tostring(message):find("deterministic", 1, true) ~= nil or
    tostring(message):find("random", 1, true) ~= nil, "an error ends it with its message")
end

local function run(command)
  local p = io.popen(command .. " 2>&1; echo status $?")
  local text = p:read("a")
  p:close()
  return text
end

do
  local shell = "'" .. (os.getenv("SRCUSH") or "./srcush") .. "'"
  local program = "'" .. here .. "../bench/explore/classic.lua:r6s1u1'"
  local function essential(s) return (s:gsub("[^\n]*died[^\n]*\n", ""):gsub(", [%d.]+ s\n", "\n")) end
  local alone = run(("%s explore --jobs 1 %s"):format(shell, program))
  -- Kills so many of its processes once they are there.  Whoever kills may come too late,
  -- when all is done: then it is tried again.
  local function killing(n, jobs)
    local text
    for _ = 1, 5 do
      text = run(([[{
%s explore --jobs %d %s & p=$!
while kill -0 $p 2>/dev/null && [ "$(pgrep -P $p | wc -l)" -lt %d ]; do sleep 0.01; done
for c in $(pgrep -P $p | head -%d); do kill -9 $c; done
wait $p; }]]):format(shell, jobs, program, jobs, n))
      if text:find("died", 1, true) then break end
    end
    return text
  end
  tap.like(alone, "4,096 executions, 42,560 blocked", "nobody is killed")
  for _, k in ipairs({ { 1, 2 }, { 2, 3 }, { 2, 2 } }) do
    local text = killing(k[1], k[2])
    tap.like(text, "one of the processes died; its work is done again",
      ("%d of %d killed: it is said"):format(k[1], k[2]))
    tap.is(essential(text), essential(alone), "and nothing is lost, or counted twice")
  end
end

tap.done()
