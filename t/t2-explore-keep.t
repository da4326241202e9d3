-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- From one execution to the next the exhaustive strategy leaves tasks where they stand, if
-- they are answered the same.  That must make no difference: neither for what is seen, nor
-- for state of their own that bodies change.

local tap = require("tap")

-- The outcomes of both strategies, and how many executions there are.
local function both(scenario)
  local function texts(r)
    local t = {}
    for k in pairs(r.outcomes) do t[#t + 1] = tostring(k) end
    table.sort(t)
    return table.concat(t, "; ")
  end
  local dpor = explore(scenario)
  local naive = explore(scenario, { strategy = "naive" })
  return dpor, naive, texts(dpor), texts(naive)
end

local function same(name, scenario)
  local dpor, naive, a, b = both(scenario)
  tap.ok(dpor.executions > 120, name .. ": long enough for tasks to stay (" .. dpor.executions .. ")")
  tap.is(dpor.verdict, naive.verdict, name .. ": the verdict of the naive enumeration")
  tap.is(a, b, name .. ": its outcomes")
end

local function show(x, y)
  outcome(function() return ("%d %d"):format(READ_ONCE(x), READ_ONCE(y)) end)
end

same("answers in locals", function()
  local x, y = var("x"), var("y")
  for i = 1, 2 do
    thread("t" .. i, function()
      for _ = 1, 2 do
        local seen = READ_ONCE(x)
        WRITE_ONCE(y, seen * 2 + i)
        WRITE_ONCE(x, READ_ONCE(y) + i)
      end
    end)
  end
  show(x, y)
end)

same("a counter of the body's own", function()
  local x, y = var("x"), var("y")
  local n = 0
  thread("a", function()
    for _ = 1, 3 do
      n = n + READ_ONCE(x)
      WRITE_ONCE(y, n)
    end
  end)
  thread("b", function()
    for i = 1, 3 do WRITE_ONCE(x, READ_ONCE(y) + i) end
  end)
  show(x, y)
end)

same("a table of the body's own", function()
  local x, y = var("x"), var("y")
  local seen = {}
  local function note(t, v)
    t[#t + 1] = v
    return #t
  end
  thread("a", function()
    for _ = 1, 3 do WRITE_ONCE(y, note(seen, READ_ONCE(x)) + seen[#seen]) end
  end)
  thread("b", function()
    for i = 1, 3 do WRITE_ONCE(x, READ_ONCE(y) + i) end
  end)
  show(x, y)
end)

same("a coroutine, choices and exchanges", function()
  local x, y = var("x"), var("y")
  thread("a", function()
    local co = coroutine.wrap(function()
      for i = 1, 3 do coroutine.yield(READ_ONCE(x) + i) end
    end)
    for _ = 1, 2 do WRITE_ONCE(y, co() * choose(2)) end
  end)
  thread("b", function()
    for i = 1, 3 do xchg(x, READ_ONCE(y) + i) end
  end)
  show(x, y)
end)

same("tasks that make tasks", function()
  local x, y = var("x"), var("y")
  thread("a", function()
    WRITE_ONCE(x, READ_ONCE(x) + 1)
    thread("made", function()
      WRITE_ONCE(y, READ_ONCE(x))
      WRITE_ONCE(x, READ_ONCE(y) + 2)
    end)
    WRITE_ONCE(x, READ_ONCE(y) + 3)
  end)
  thread("b", function()
    for i = 1, 2 do WRITE_ONCE(x, READ_ONCE(y) + i) end
  end)
  show(x, y)
end)

-- finally() changes a table that a body looks at: it is not what it was in the beginning
do
  local r = explore(function()
    local x, y = var("x"), var("y")
    local t = { 1 }
    local function get(u) return u[1] end
    for i = 1, 2 do
      thread("t" .. i, function()
        for _ = 1, 3 do WRITE_ONCE(x, READ_ONCE(y) + get(t)); WRITE_ONCE(y, READ_ONCE(x) + i) end
        assert(get(t) == 1, "what finally() left is seen")
      end)
    end
    finally(function() t[1] = 2 end)
  end, { max_executions = 1000 })
  tap.ok(#r.violations == 0, "nobody sees what the end of another execution has changed")
end

tap.done()
