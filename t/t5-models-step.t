-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Stepping by hand under a memory model: choices are listed, taken, refused where the model
-- does not allow them, told in the timeline and in JSON, and survive going back; what each
-- task may still read is shown.  And what the explorer takes for ordered: plain accesses,
-- fields of heap objects.

local tap = require "tap"

local SRCUSH = "'" .. (os.getenv "SRCUSH" or "./srcush") .. "'"

-- What srcush prints for these lines, with this scenario, under that model.
local function session(model, scenario, lines, more)
  local file, input = os.tmpname(), os.tmpname()
  local function write(path, text)
    local f = assert(io.open(path, "w"))
    f:write(text)
    f:close()
  end
  write(file, scenario)
  write(input, table.concat(lines, "\n") .. "\n")
  local p = assert(io.popen(("%s step -E --quiet --color never --model %s %s %s <%s 2>&1"):format(
                            SRCUSH, model, more or "", file, input)))
  local text = p:read "a"
  p:close()
  os.remove(file)
  os.remove(input)
  return text
end

local function has(text, what, title)
  if not tap.ok(text:find(what, 1, true), title) then tap.diag(text) end
end

local function lacks(text, what, title)
  if not tap.ok(not text:find(what, 1, true), title) then tap.diag(text) end
end

local SB = [[return function()
  local x, y = var "x", var "y"
  thread("a", function() WRITE_ONCE(x, 1) READ_ONCE(y) end)
  thread("b", function() WRITE_ONCE(y, 1) READ_ONCE(x) READ_ONCE(x) end)
end]]

-- ------------------------------------------------------------------ choices

for _, model in ipairs {"tso", "weak"} do
  local text = session(model, SB, {
    "step('a') step('b')",
    "for _, c in ipairs(pending('a').choices) do print('choice', c.k, c.value, c.from) end",
    "e = step('a', 1, 2)",
    "print('got', e.value, e.choice, e.source, #e.missed, e.missed[1])",
    "print(schedule())",
  })
  has(text, "choice\t1\t1\t2\nchoice\t2\t0\t0\n", model .. ": both stores are listed")
  has(text, "got\t0\t2\t0\t1\t2", model .. ": the stale one is read, and the event says so")
  has(text, "@" .. model .. ",4 a b a=2", model .. ": the schedule has the choice")

  text = session(model, SB, {".step a", ".step b", ".step b =2", ".step b", ".timeline"})
  has(text, "b may choose at READ_ONCE x:", model .. ": .step tells of a choice")
  has(text, "=2   reads 0, of the start", model .. ": and what each is")
  has(text, "READ_ONCE x = 0, stale: from the start, missed step 1", model .. ": the line says what it was")
  has(text, "READ_ONCE x = 0\n", model .. ": the timeline keeps the primitive")
  has(text, "(stale: from the start,", model .. ": and tells of the choice below it")

  text = session(model, SB, {".step a", ".step b", ".step b", ".step b =2"})
  has(text, "the " .. model .. " model does not allow choice 2 here", model .. ": reads do not go back")
  text = session(model, SB, {".step a", ".step b =5", ".step b"})
  has(text, "there is no choice 5: the location has had 1 value", model .. ": there is no such store")

  text = session(model, SB, {".step a", ".step b", ".step b =2", ".back", ".step b =1", ".schedule"})
  has(text, model .. ",4 a b*2", model .. ": gone back, another one is taken")	-- the newest has no number
  text = session(model, SB, {".step a", ".step b", ".step b =2", ".step b", ".back", ".schedule"})
  has(text, model .. ",4 a b b=2\n", model .. ": going back keeps the choices before")
end

local text = session("sc", SB, {".step a", "print(pending('b').choices)", ".step b =2", "step('a', 2, 1)"})
has(text, "nil", "sc: no choices")
has(text, "the sc model leaves no choice", "sc: and none is taken")
has(text, "a choice is that of one step", "of several steps there is no choice")
text = session("tso", "return function() thread('t', smp_mb) end", {".step t =2"})
has(text, "has no choice to make there", "a fence has no choice")
text = session("tso", "return function() thread('t', function() choose(3) end) end", {".step t =3", ".schedule"})
has(text, "@tso,4 t=3", "choose() takes one")
text = session("weak", SB, {".step a =", ".step a =x"})
has(text, "a number from 1 is expected", "a choice is a number")

-- a store may be put behind one that came before it: under weak only
local WW = [[return function()
  local x = var "x"
  thread("a", function() WRITE_ONCE(x, 1) end)
  thread("b", function() WRITE_ONCE(x, 2) end)
  thread("c", function() READ_ONCE(x) READ_ONCE(x) end)
end]]
text = session("weak", WW, {".step a", ".step b =2", ".show x"})
has(text, "WRITE_ONCE x: 0 -> 2, older than step 1", "weak: a store that is older than one made before")
has(text, "var x: 1", "weak: which stays the latest value")

-- ------------------------------------------------------------------ views and buffers

text = session("tso", SB, {".step a", ".show", ".show x", ".step b", ".step b =2", ".step b", ".trace"})
has(text, "store buffers\n  x: b may read 1 (step 1), 0 (the start)", "tso: .show lists the buffers")
has(text, "var x: 1\n  x: b may read 1 (step 1), 0 (the start)", "tso: .show x as well")
has(text, "WRITE_ONCE x: 0 -> 1, in memory only after step 3", "tso: when a store reached memory")
text = session("weak", SB, {".step a", ".show", ".run", ".show"})
has(text, "views\n  x: b may read 1 (step 1), 0 (the start)", "weak: .show lists views")
text = session("sc", SB, {".step a", ".show"})
lacks(text, "may read", "sc: there are none")

-- ------------------------------------------------------------------ JSON

text = session("weak", SB, {"step('a') step('b') step('a', 1, 2)"}, "--json")
has(text, '"source":0', "JSON: source")
has(text, '"missed":[2]', "JSON: missed")

-- ------------------------------------------------------------------ plain accesses, fields

local function outcomes(model, scenario)
  -- data races among them
  local report = explore(scenario, {model = model, keep_going = true})
  local list = {}
  for k in pairs(report.outcomes) do list[#list + 1] = k end
  table.sort(list)
  return table.concat(list, " "), report
end

-- The message behind the flag, or the object behind the pointer: "-", or what is read there.
local function message(store)
  return function()
    local x, flag, seen = var "x", var "flag", ghost("seen", "-")
    thread("w", function() x:set(1) store(flag, 1) end)
    thread("r", function()
      if smp_load_acquire(flag) == 1 then seen.value = x:get() end
    end)
    outcome(function() return tostring(seen.value) end)
  end
end
tap.is(outcomes("weak", message(smp_store_release)), "- 1", "weak: what is plain is ordered by release and acquire")
tap.is(outcomes("weak", message(WRITE_ONCE)), "- 0 1", "weak: and not without")
tap.is(outcomes("tso", message(WRITE_ONCE)), "- 1", "tso: stores stay in order")

local function publish(store, freed)
  return function()
    local p, seen = ptr "p", ghost("seen", "-")
    local o = kmalloc("o", {v = 0})
    thread("w", function()
      o.v = 1
      store(p, o)
      if freed then
        WRITE_ONCE(p, nil)
        kfree(o)
      end
    end)
    thread("r", function()
      local q = READ_ONCE(p)
      if q then seen.value = q.v end
    end)
    outcome(function() return tostring(seen.value) end)
  end
end
tap.is(outcomes("weak", publish(WRITE_ONCE)), "- 0 1", "weak: published without release, a field is stale")
tap.is(outcomes("weak", publish(rcu_assign_pointer)), "- 1", "weak: with it not, by the address dependency")
tap.is(outcomes("tso", publish(WRITE_ONCE)), "- 1", "tso: nor without")
local _, report = outcomes("weak", publish(WRITE_ONCE, true))
tap.is(report.violations[1] and report.violations[1].kind, "use-after-free", "weak: kfree() is met with each access")

-- what holds a lock can be looked at, and a task comes behind what its maker had done by then
local function held()
  local m, seen = mutex "m", ghost("seen", "-")
  thread("t", function() mutex_lock(m) mutex_unlock(m) end)
  thread("r", function() seen.value = tostring(mutex_is_locked(m)) end)
  outcome(function() return seen.value end)
end
local function made()
  local x, seen = var "x", ghost("seen", "-")
  thread("a", function()
    WRITE_ONCE(x, 1)
    thread("b", function() smp_rmb() seen.value = tostring(READ_ONCE(x)) end)
  end)
  outcome(function() return seen.value end)
end
-- All of the other may come before a section that owns the CPU, but not read x behind it.
local function owned()
  cpus(1)
  local x, y, l, seen = var "x", var "y", spinlock "l", ghost("seen", "")
  thread("a", function()
    spin_lock(l)
    WRITE_ONCE(x, 1)
    local v = READ_ONCE(y)
    spin_unlock(l)
    seen.value = seen.value .. " y" .. v
  end)
  thread("b", function()
    local v = READ_ONCE(x)
    WRITE_ONCE(y, 1)
    seen.value = seen.value .. " x" .. v
  end)
  outcome(function() return seen.value:match "x%d" .. seen.value:match "y%d" end)
end
for _, model in ipairs {"sc", "tso", "weak"} do
  tap.is(outcomes(model, owned), "x0y0 x0y1 x1y0", model .. ": before, behind and around an owned CPU")
  tap.is(outcomes(model, held), "false true", model .. ": a mutex is seen taken and free")
  tap.is(outcomes(model, made), "1", model .. ": what is made sees what its maker stored")
end

-- by hand the same: the field of an object that was reached through a pointer
local BY_HAND = [[return function()
  local p = ptr "p"
  local o = kmalloc("o", {v = 0})
  thread("w", function() o.v = 1 %s(p, o) end)
  thread("r", function() local q = READ_ONCE(p) if q then q.v = q.v end end)
end]]
text = session("weak", BY_HAND:format "WRITE_ONCE", {".step w 2", ".step r =1", ".step r =2"})
has(text, "stale: from the start, missed step 1", "by hand: a stale field behind a pointer without release")
text = session("weak", BY_HAND:format "rcu_assign_pointer", {".step w 2", ".step r =1", ".step r =2"})
has(text, "the weak model does not allow choice 2 here", "by hand: and none with release")

-- what a condition saw is seen by all behind it
text = session("weak", [[return function()
  local x = var "x"
  thread("w", function() WRITE_ONCE(x, 1) end)
  thread("r", function() cond_wait(function() return READ_ONCE(x) == 1 end) READ_ONCE(x) end)
end]], {".step w", ".step r", ".step r =2"})
has(text, "the weak model does not allow choice 2 here", "by hand: what a condition has seen is not missed")

tap.done()
