-- SPDX-License-Identifier: GPL-2.0-or-later
-- Exploring under memory models: the reference programs under each of them, and how soon
-- the reader without its barrier is found; then a corpus of litmus tests (SRCUSH_LITMUS_CORPUS)
-- with the ideal SRCU, beside the seconds that herd7 needed, and with the tree.
-- Run with: srcush --carrier fiber bench/models.lua [SECONDS [programs|corpus]]
-- SECONDS is the bound of each test with the tree, 10 unless given.

local SECONDS = tonumber(arg[1] or 10)
local PART = arg[2]
local ROUNDS = 3		-- in turn, of each program
local MODELS = {"sc", "tso", "weak"}
local AIMS = {tso = 2, weak = 4}

if not SECONDS or SECONDS <= 0 or (PART and PART ~= "programs" and PART ~= "corpus") then
  error("usage: models.lua [SECONDS [programs|corpus]]", 0)
end

local top = arg[0]:gsub("[^/]*$", "") .. "../"
local srcush = os.getenv("SRCUSH") or "./srcush"
package.path = top .. "t/lib/?.lua;" .. package.path
local score = require("litmus-score")

local function quoted(s) return "'" .. s:gsub("'", "'\\''") .. "'" end

-- n-th of a hundred of a sorted list
local function percentile(list, n)
  return list[math.max(1, (#list * n + 99) // 100)] or 0
end

local function median(list)
  table.sort(list)
  return percentile(list, 50)
end

-- --- the reference programs ---

local function explored(model, name)
  local p = assert(io.popen(("%s explore --quiet --json --model %s --carrier fiber %s"):format(
    quoted(srcush), model, quoted(top .. "bench/explore/classic.lua:" .. name))))
  local out = p:read("a")
  p:close()
  local function number(key) return tonumber(out:match('"' .. key .. '":([%d.]+)')) end
  return {verdict = out:match('"verdict":"(.-)"'), executions = number("executions"),
          blocked = number("blocked"), seconds = number("seconds"), at = number("execution")}
end

local function programs()
  print("| R:S:U | model | verdict | complete | blocked | seconds, median | times sc | aim |")
  print("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |")
  for _, name in ipairs{"r2s1u1", "r3s1u1", "r3s2u1", "r3s2u2"} do
    local seconds, last = {sc = {}, tso = {}, weak = {}}, {}
    for _ = 1, ROUNDS do
      for _, model in ipairs(MODELS) do
        last[model] = explored(model, name)
        table.insert(seconds[model], last[model].seconds)
      end
    end
    local sc = median(seconds.sc)
    for _, model in ipairs(MODELS) do
      local r, m = last[model], median(seconds[model])
      print(("| %s | %s | %s | %d | %d | %.3f | %.2f | %s |"):format(name, model, r.verdict, r.executions,
            r.blocked, m, m / sc, name == "r3s2u2" and AIMS[model] or ""))
    end
    io.stdout:flush()
  end
  print()
  for _, name in ipairs{"b3r1", "b3r2", "b3r3"} do
    for _, model in ipairs(MODELS) do
      local r = explored(model, name)
      print(("%s under %s: %s, %d complete executions, %d blocked"):format(name, model, r.verdict,
            r.executions, r.blocked))
    end
  end
end

-- --- litmus tests ---

local function corpus()
  local dir, why = score.find()
  if not dir then
    print("skipped: " .. why)
    return
  end
  local rows, herd7, sum = score.index(dir), {}, 0
  for _, r in ipairs(rows) do
    local s = tonumber(r.herd7_seconds)
    herd7[#herd7 + 1] = s
    sum = sum + (s or 0)
  end
  print()
  print(("%d tests; herd7 on the machine of the index: %.1f s, median %.3f s"):format(#rows, sum, median(herd7)))
  print()
  print("| SRCU | model | exhaustive | agreed | stronger | omitted | forbidden | skipped | undecided | seconds | median | 95th percentile |")
  print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
  local rest = {}
  for _, srcu in ipairs{"ideal", "tree"} do
    for _, model in ipairs(MODELS) do
      local r = score.run(dir, rows, {model = model, srcu = srcu, time = SECONDS})
      print(("| %s | %s | %d | %d | %d | %d | %d | %d | %d | %.3f | %.4f | %.4f |"):format(srcu, model, r.complete,
            r.agreed, r.stronger, r.omitted, r.forbidden, r.skipped, r.undecided, r.seconds,
            percentile(r.times, 50), percentile(r.times, 95)))
      io.stdout:flush()
      for f, s in pairs(r.said) do
        if not s.complete and s.score ~= "skipped" then
          rest[f] = (rest[f] and rest[f] .. ", " or "") .. model
        end
      end
    end
  end
  local names = {}
  for f in pairs(rest) do names[#names + 1] = f end
  table.sort(names)
  print()
  for _, f in ipairs(names) do print(("not exhausted in %g s: %s (%s)"):format(SECONDS, f, rest[f])) end
end

if PART ~= "corpus" then programs() end
if PART ~= "programs" then corpus() end
