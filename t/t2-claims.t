-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What a script claims of every execution: invariant, finally, outcome.  When they are
-- asked, what they may do, and how it is said that they do not hold.

local tap = require("tap")

local function fails(fn, pattern, what)
	local ok, err = pcall(fn)
	tap.ok(not ok, what .. ": raises")
	tap.like(tostring(err), pattern, what .. ": says why")
end

local function first(report)
	return report.violations[1] or {}
end

-- ------------------------------------------------------------ invariants

local asked = 0
world(function()
	local x, other = var("x"), var("other")
	invariant("x is small", function()
		asked = asked + 1
		return READ_ONCE(x) < 2
	end)
	thread("a", function()
		for _ = 1, 5 do
			WRITE_ONCE(other, 1)
		end
		WRITE_ONCE(x, 1)
		WRITE_ONCE(x, 2)
		WRITE_ONCE(x, 3)
	end)
end)
local v = first(run())
tap.is(v.kind, "invariant", "an invariant that does not hold is a violation")
tap.like(v.message, 'the invariant "x is small" does not hold', "with its name")
tap.is(v.step, 7, "after the step that broke it")
tap.is(v.thread, "a", "by the thread that did")
tap.is(v.schedule, "@sc,4 a*7", "with a schedule")
tap.is(asked, 3, "it is asked at the start and when what it read has changed")
tap.same(run().violations, {}, "and reported once")
local ok, again = replay(v.schedule)
tap.is(again.kind, "invariant", "its schedule shows it again")
reset()
local e, broken = step("a", 7)
tap.is(broken.kind, "invariant", "stepping finds it, too")
back()
e, broken = step("a")
tap.is(broken.kind, "invariant", "and again after going back")

world(function()
	local x = var("x", 5)
	invariant("at first", function() return READ_ONCE(x) < 5 end)
	thread("a", function() WRITE_ONCE(x, 1) end)
end)
v = first(run())
tap.is(v.step, 0, "it is asked before the first step")
tap.like(v.message, "at the start", "which is said")

world(function()
	local x = var("x")
	invariant("asserts", function()
		assert(READ_ONCE(x) == 0, "x is not 0")
		return true
	end)
	thread("a", function() WRITE_ONCE(x, 1) end)
end)
v = first(run())
tap.is(v.kind, "invariant", "an assert() that fails in it breaks it")
tap.like(v.message, "x is not 0", "with its message")

world(function()
	local o, p, g = kmalloc("o", { f = array(2), n = null }), ptr("p"), ghost("g", 0)
	invariant("reads all sorts", function()
		return o.f[1] == 0 and o.n == nil and READ_ONCE(p) == nil and g.value < 2
	end)
	thread("a", function()
		yield()
		g.value = 1
		yield()
		g.value = 2
		yield()
	end)
end)
v = first(run())
tap.is(v.step, 2, "a ghost's change counts as its step's")

world(function()
	local o = kmalloc("o", { f = 1 })
	invariant("uses o", function() return o.f == 1 end)
	thread("a", function()
		yield()
		kfree(o)
		yield()
	end)
end)
v = first(run())
tap.is(v.kind, "use-after-free", "it may not read what has been freed")
tap.is(v.step, 2, "found when that is freed")

world(function()
	local ss = srcu.new("ss")
	invariant("no flip", function() return ss:state().srcu_idx == 0 end)
	thread("a", function() synchronize_srcu(ss) end)
end)
tap.is(first(run()).kind, "invariant", "it may look at the state of a domain")

world(function()
	local x = var("x")
	invariant("steps", function()
		WRITE_ONCE(x, 1)
		return true
	end)
	thread("a", function() yield() end)
end)
tap.like(first(run()).message, "a predicate only reads", "it cannot write")

-- ------------------------------------------------------------ finally

world(function()
	local x = var("x")
	for _, name in ipairs({ "a", "b" }) do
		thread(name, function() WRITE_ONCE(x, READ_ONCE(x) + 1) end)
	end
	finally(function() assert(READ_ONCE(x) == 2, "an update was lost") end)
end)
v = first(run())
tap.is(v.kind, "assertion", "finally(): a failing assert() is a violation")
tap.like(v.message, "an update was lost", "with its message")
tap.is(run().violations[1], nil, "it is asked once")
reset()
step("a", 2)
step("b", 1)
e, v = step("b", 1)
tap.is(v, nil, "nothing lost: nothing found")
reset()
local _, stepped = step("a", 1)
_, stepped = step("b", 2)
tap.is(stepped, nil, "it is not asked before the end")
tap.is(first(run()).kind, "assertion", "but there")

local function verdict_of(fn, body)
	world(function()
		finally(fn)
		thread("a", body or function() yield() end)
	end)
	return first(run()).kind
end
tap.is(verdict_of(function() return nil + 1 end), "error", "an error in it is an error")
tap.is(verdict_of(function() return false end), "assertion", "false is a failure")
tap.is(verdict_of(function() end), nil, "nothing is none")
tap.is(verdict_of(function() assert(false) end, function() assume(false) end), nil,
	"it is not asked where assume(false) holds a thread up")
tap.is(verdict_of(function() assert(false) end, function() error("x") end), "error",
	"nor where something else is wrong already")

world()
local x = var("x")
thread("t")
finally(function() assert(false, "too early") end)
tap.is(first(run()).kind, nil, "nor where a thread waits to be called")

-- ------------------------------------------------------------ at the prompt

world()
x = var("x")
invariant("small", function() return READ_ONCE(x) < 1 end)
thread("a", function() WRITE_ONCE(x, 1) end)
tap.is(first(run()).kind, "invariant", "an invariant made at the prompt")
reset()
tap.is(first(run()).kind, "invariant", "is still there after reset()")
world()
thread("a", function() yield() end)
tap.is(first(run()).kind, nil, "and gone with its world")

-- ------------------------------------------------------------ outcomes

local function outcomes(fn)
	local report = explore(function()
		local o, y = kmalloc("o", {}, { static = true }), var("y", 3)
		outcome(function() return fn(o, y) end)
		thread("a", function() yield() end)
	end, { strategy = "naive" })
	return (next(report.outcomes or {})), first(report)
end
tap.is(outcomes(function() return "text" end), "text", "outcome(): a string")
tap.is(outcomes(function(o, y) return { b = y:get(), a = "x", [2] = true, [1] = o } end),
	'1=kmalloc "o" 2=true a=x b=3', "a table, in order of its keys")
tap.is(outcomes(function() return { t = { 1, 2, k = {} } } end), "t={1=1 2=2 k={}}", "in a table")
tap.is(outcomes(function() return 7 end), "7", "a number")
local function bad_outcome(fn, pattern, what)
	local _, found = outcomes(fn)
	tap.like(found.message or "", pattern, what)
end
bad_outcome(function() end, "gave nil", "nil is none")
bad_outcome(function() return { print } end, "a function is no outcome", "nor is a function")
bad_outcome(function() return { [1.5] = 1 } end, "strings and integers", "nor can each key be ordered")
bad_outcome(function()
	local t = {}
	t.t = t
	return t
end, "nested too deeply", "nor has each table an end")

-- ------------------------------------------------------------ bad input

world()
invariant("twice", function() return true end)
fails(function() invariant("twice", function() return true end) end, "already", "the same name twice")
fails(function() invariant(function() end) end, "bad argument #1 to 'invariant'", "no name")
fails(function() invariant("n", 1) end, "bad argument #2 to 'invariant'", "no function")
fails(function() finally() end, "bad argument #1 to 'finally'", "finally() without one")
outcome(function() return "" end)
fails(function() outcome(function() return "" end) end, "one already", "two outcomes")
thread("a", function() invariant("in a thread", function() return true end) end)
v = first(run())
tap.like(v.message or "", "cannot be called in a thread's body", "not in a thread")

tap.done()
