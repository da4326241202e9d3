-- SPDX-License-Identifier: GPL-2.0-or-later
-- explore(): verdicts, what the report holds, schedules that lead back to what was
-- found and are short, options, and the present world, which is left alone.

local tap = require("tap")

-- How often the next step of a schedule is another thread's, and its steps.
local function measure(schedule)
	local switches, steps, last = -1, 0, nil
	for item in schedule:gsub("^@%S+", ""):gmatch("%S+") do
		local name, count = item:match("^(.-)%*(%d+)$")
		name = (name or item):gsub("=%d+$", "")
		steps = steps + (tonumber(count) or 1)
		switches = switches + (name ~= last and 1 or 0)
		last = name
	end
	return switches, steps
end

-- The schedule shows the violation again, in a world of the ordinary kind.
local function leads_back(scenario, v, name)
	world(scenario)
	local ok, found = replay(v.schedule)
	tap.ok(ok and found, name .. ": its schedule leads to a violation")
	tap.same({ found and found.kind, found and found.message, found and found.step },
		{ v.kind, v.message, v.step }, name .. ": the same one")
	world()
end

-- ------------------------------------------------------------------ verdicts

local function increments(atomic, n)
	return function()
		local x = var("x")
		for i = 1, n or 2 do
			thread("t" .. i, function()
				if atomic then
					atomic_inc(x)
				else
					WRITE_ONCE(x, READ_ONCE(x) + 1)
				end
			end)
		end
		finally(function() assert(READ_ONCE(x) == (n or 2), "an increment is lost") end)
		outcome(function() return { x = READ_ONCE(x) } end)
	end
end

local r = explore(increments(true))
tap.is(r.verdict, "ok", "atomic increments")
tap.is(r.bound, nil, "no bound")
tap.is(r.executions, 2, "both orders")
tap.is(r.blocked, 0, "none blocked")
tap.is(r.steps, 4, "steps of both")
tap.is(#r.violations, 0, "no violation")
tap.is(math.type(r.seconds), "float", "seconds")
tap.same(r.outcomes, { ["x=2"] = 2 }, "the outcomes")
tap.is(r.strategy, "dpor", "the strategy")
tap.like(r.scope, "^2 threads, 4 CPUs, sc$", "the scope")
tap.like(tostring(r), "^ok: no violation in any interleaving\n  2 threads, 4 CPUs, sc\n  2 executions, 4 steps, %d+%.%d%d s$",
	"the headline")
world(increments(true))
tap.same({ replay(r:example()) }, { true }, "the example runs and has no violation")
world()

r = explore(increments(true), { strategy = "naive" })
tap.is(r.verdict, "ok", "naive agrees")
tap.same(r.outcomes, { ["x=2"] = 2 }, "in the outcomes, too")

for _, strategy in ipairs { "dpor", "naive", "random", "pct" } do
	r = explore(increments(false), { strategy = strategy })
	tap.is(r.verdict, "violation", strategy .. ": plain increments")
	local v = r.violations[1]
	tap.is(v.kind, "assertion", strategy .. ": the kind")
	tap.like(v.message, "an increment is lost", strategy .. ": the message")
	tap.is(v.step, 4, strategy .. ": the step")
	tap.same({ measure(v.schedule) }, { 2, 4 }, strategy .. ": as short as can be")
	tap.like(tostring(r), "^violation: assertion in execution %d+\n", strategy .. ": the headline")
	tap.is(tostring(v), 'violation "assertion"', strategy .. ": the violation as text")
	leads_back(increments(false), v, strategy)
end

-- ------------------------------------------------------- the shortest way

-- Much that the violation does not need, and a thread that is not needed at all.
local function wordy()
	local a, b = mutex("a"), mutex("b")
	local n = { var("n1"), var("n2"), var("n3") }
	local function noise(v)
		for i = 1, 3 do
			WRITE_ONCE(v, READ_ONCE(v) + i)
		end
	end
	thread("p", function() noise(n[1]) mutex_lock(a) noise(n[1]) mutex_lock(b) mutex_unlock(b) mutex_unlock(a) noise(n[3]) end)
	thread("q", function() noise(n[2]) mutex_lock(b) noise(n[2]) mutex_lock(a) mutex_unlock(a) mutex_unlock(b) noise(n[3]) end)
	thread("r", function() noise(n[3]) noise(n[1]) end)
end
for seed = 1, 5 do
	r = explore(wordy, { strategy = "random", seed = seed, keep_going = true, max_executions = 20 })
	local v
	for _, found in ipairs(r.violations) do
		-- where it does not come to it the order of the locks is reported
		v = v or found.kind == "deadlock" and found
	end
	tap.is(v and v.kind, "deadlock", "random " .. seed .. " finds the deadlock")
	tap.same({ measure(v.schedule) }, { 1, 26 }, "one switch, and each thread's steps up to its second lock")
	leads_back(wordy, v, "random " .. seed)
end

-- Three threads, all of them needed, in an order that takes two switches.
local function chain()
	local x, y = var("x"), var("y")
	thread("a", function() smp_mb() WRITE_ONCE(x, 1) smp_mb() end)
	thread("b", function() smp_mb() if READ_ONCE(x) == 1 then smp_mb() WRITE_ONCE(y, 1) end end)
	thread("c", function()
		for _ = 1, 4 do
			assert(READ_ONCE(y) == 0, "c sees y")
		end
	end)
end
for _, strategy in ipairs { "dpor", "random", "pct" } do
	r = explore(chain, { strategy = strategy, seed = 3 })
	tap.same({ measure(r.violations[1].schedule) }, { 2, 7 }, strategy .. ": a chain of three")
	leads_back(chain, r.violations[1], strategy .. ", a chain")
end

-- Choices are kept.
local function choosing()
	local x = var("x")
	thread("a", function()
		for i = 1, 3 do
			yield()
			WRITE_ONCE(x, choose(4))
			assert(READ_ONCE(x) ~= 3 or i < 3, "a three at last")
		end
	end)
	thread("b", function() READ_ONCE(x) READ_ONCE(x) end)
end
r = explore(choosing)
tap.is(r.violations[1].kind, "assertion", "a choice is found")
tap.like(r.violations[1].schedule, "a=3", "and stands in the schedule")
tap.same({ measure(r.violations[1].schedule) }, { 0, 12 }, "no switch")
leads_back(choosing, r.violations[1], "a choice")

-- What happens before the first step needs none.
r = explore(function() thread("a", function() assert(false, "at once") smp_mb() end) end)
tap.is(r.violations[1].schedule, "@sc,4", "an assertion before the first step")

-- The tree's own steps, workers and timers: a grace period that misses its reader.
local function no_flip()
	cpus(2)
	local ss = srcu.new("ss", { faults = { "no-flip" } })
	thread("reader", function() srcu_read_unlock(ss, srcu_read_lock(ss)) end)
	thread("writer", function() synchronize_srcu(ss) end)
end
r = explore(no_flip, { strategy = "pct" })
tap.is(r.verdict, "violation", "pct finds what no-flip breaks")
if r.violations[1] then
	tap.is(r.violations[1].kind, "grace-period", "a short grace period")
	tap.ok(measure(r.violations[1].schedule) <= 6, "in six switches")
	tap.like(r.scope, "^2 threads, 2 CPUs, sc, tree SRCU of srcush [%d.]+, fault no%-flip, normal grace periods$",
		"the scope names the implementation")
	local text = r:show(1, { text = true, columns = 80 })
	tap.like(text, "^violation: grace%-period\n", "show: what it is")
	tap.like(text, "\nThe story:\n +3  reader: is inside ss, index 0\n", "show: who was where")
	tap.like(text, "scan of bank 1, 0 locks 0 unlocks: misses reader\n", "show: which scan missed the reader")
	tap.like(text, "\nThe last steps:\nstep ", "show: the last steps")
	leads_back(no_flip, r.violations[1], "no-flip")
end

-- ---------------------------------------------------------------- what bounds

r = explore(increments(true, 3), { max_executions = 2 })
tap.is(r.verdict, "incomplete", "max_executions")
tap.is(r.bound, "max_executions 2", "is named")
tap.is(r.executions, 2, "and kept")
tap.like(tostring(r), "^incomplete: .*%(max_executions 2%)\n", "in the headline, too")
r = explore(increments(true, 3), { max_executions = 6 })
tap.is(r.verdict, "ok", "a bound that is not needed")
r = explore(increments(true), { max_steps = 1 })
tap.same({ r.verdict, r.bound, r.executions }, { "incomplete", "max_steps 1", 0 }, "max_steps")
for _, strategy in ipairs { "naive", "random" } do
	r = explore(increments(false), { strategy = strategy, preemptions = 0, max_executions = 100 })
	tap.is(r.verdict, "incomplete", strategy .. ": preemptions")
	tap.is(#r.violations, 0, strategy .. ": without any nothing is lost")
end
r = explore(increments(true, 8), { strategy = "naive", time = 0.05 })
tap.same({ r.verdict, r.bound }, { "incomplete", "time 0.05" }, "time")
r = explore(increments(true), { strategy = "random", max_executions = 20 })
tap.same({ r.verdict, r.bound, r.executions }, { "incomplete", "max_executions 20", 20 }, "samples are never all")
tap.like(tostring(r), "^incomplete: no violation in 20 random schedules from seed 1\n", "and say so")

-- assume(false) blocks.
r = explore(function()
	local x = var("x")
	thread("a", function() WRITE_ONCE(x, 1) end)
	thread("b", function() assume(READ_ONCE(x) == 1) end)
end)
tap.same({ r.verdict, r.executions, r.blocked }, { "ok", 1, 1 }, "blocked executions are counted apart")
tap.like(tostring(r), "\n  1 execution, 1 blocked, ", "in the headline, too")

-- ------------------------------------------------------------ more than one

local function two_wrongs()
	local x = var("x")
	local m, n = mutex("m"), mutex("n")
	thread("a", function()
		mutex_lock(m) mutex_lock(n) mutex_unlock(n) mutex_unlock(m)
		assert(READ_ONCE(x) == 0, "x is set")
	end)
	thread("b", function()
		mutex_lock(n) mutex_lock(m) mutex_unlock(m) mutex_unlock(n)
		WRITE_ONCE(x, 1)
	end)
end
r = explore(two_wrongs, { keep_going = true })
local kinds = {}
for _, v in ipairs(r.violations) do
	kinds[v.kind] = (kinds[v.kind] or 0) + 1
	if v.kind == "deadlock" or v.kind == "assertion" then
		leads_back(two_wrongs, v, "keep_going, " .. v.kind)
	end
end
tap.ok(kinds.deadlock and kinds.assertion, "keep_going finds both")
tap.ok(kinds.assertion == 1, "each place once")
tap.ok(r.violating > 1, "and counts executions")

-- A seed of one's own repeats the execution that showed it.
r = explore(increments(false), { strategy = "random", seed = 7 })
local again = explore(increments(false), { strategy = "random", seed = r.violations[1].seed, max_executions = 1 })
tap.is(again.verdict, "violation", "its seed alone repeats it")
tap.same({ again.executions, again.violations[1].schedule }, { 1, r.violations[1].schedule }, "at once")
tap.is(explore(increments(false), { strategy = "random", seed = 7 }).violations[1].execution,
	r.violations[1].execution, "a seed gives the same exploration")

-- show=N
r = explore(increments(true), { show = 2 })
tap.like(r.shown, "^@sc,4 ", "the second execution")
tap.ok(r.shown ~= r:example(), "is not the first")
tap.is(explore(increments(true), { show = 3 }).shown, nil, "there is no third")
tap.like(explore(increments(true)):show(nil, { text = true }), "atomic_inc x: 1 %-> 2", "show() without a violation")
tap.raises(function() r:show(1) end, "there are 0 violations", "show(1) without a violation")
tap.raises(function() r:show({}) end, "integer expected", "show({})")
tap.raises(function() r.show({}) end, "report expected", "what is no report")
tap.raises(function() r.example() end, "report expected", "nothing")

-- ------------------------------------------------------- the present world

local x = var("x", 5)
local w = thread("w", function() WRITE_ONCE(x, 6) WRITE_ONCE(x, 7) end)
step(w)
local g = ghost("g", { 1 })
explore(increments(false))
tap.is(#trace(), 1, "the present world has its steps")
tap.is(x:get(), 6, "its handles and values")
tap.same(g.value, { 1 }, "its ghosts")
step("w")
tap.is(x:get(), 7, "and goes on")
back(2)
tap.is(x:get(), 5, "and back")

-- An upvalue of the scenario that belongs to the present world is of no use there.
tap.raises(function() explore(function() thread("t", smp_mb) x:get() end) end, "belongs to another world",
	"handles of the present world")

-- Without a scenario: that of the present world.
tap.raises(function() explore() end, "present world was not built by one", "no scenario")
world(increments(false))
tap.is(explore().verdict, "violation", "the present world's scenario")
tap.is(#trace(), 0, "which stands where it stood")
world()

-- ---------------------------------------------------------------- mistakes

local fine = increments(true)
tap.raises(function() explore(5) end, "function expected, got number", "no function")
tap.raises(function() explore(fine, 5) end, "table expected, got number", "no table")
tap.raises(function() explore(fine, { 5 }) end, "options have names", "no names")
tap.raises(function() explore(fine, { max_execution = 5 }) end, 'no option "max_execution"; there are depth,', "an unknown option")
for _, name in ipairs { "max_executions", "max_steps", "depth", "jobs", "show" } do
	for _, bad in ipairs { 0, -1, 1.5, "5", true } do
		tap.raises(function() explore(fine, { [name] = bad }) end, name .. ": an integer from 1 .*is expected, got " ..
			tostring(bad):gsub("%-", "%%-"), name .. " = " .. tostring(bad))
	end
end
tap.raises(function() explore(fine, { preemptions = -1 }) end, "preemptions: an integer from 0", "preemptions = -1")
for _, bad in ipairs { 0, -1, 0 / 0, math.huge, "1" } do
	tap.raises(function() explore(fine, { time = bad }) end, "time: a number of seconds", "time = " .. tostring(bad))
end
tap.raises(function() explore(fine, { seed = "x" }) end, "seed: an integer", "seed = 'x'")
tap.raises(function() explore(fine, { keep_going = 1 }) end, "keep_going: true or false", "keep_going = 1")
tap.raises(function() explore(fine, { strategy = "best" }) end, 'strategy: "dpor", .*, got best', "strategy = 'best'")
tap.raises(function() explore(fine, { model = "pso" }) end, 'model: "sc", "tso" or "weak" is expected, got pso', "model = 'pso'")
tap.raises(function() explore(fine, { lockdep = "5.4" }) end, 'lockdep: "6.1" or "6.12"', "lockdep = '5.4'")
tap.raises(function() explore(fine, { title = 5 }) end, "title: a string", "title = 5")
for _, value in ipairs { "6.1", "6.12", 6.1, 6.12 } do
	tap.is(explore(fine, { lockdep = value, model = "sc" }).verdict, "ok", "lockdep = " .. value)
end

tap.raises(function() explore(function() var("x") end) end, "makes no threads", "no threads")
tap.raises(function() explore(function() error("no luck") end) end, "t2%-explore.t:%d+: no luck", "a scenario that throws")
tap.raises(function() explore(function() error({}) end) end, "", "a scenario that throws what is no text")
tap.raises(function() explore(function() explore(fine) end) end, "while a scenario builds its world", "explore() in a scenario")
tap.is(explore(function() thread("t", function() explore(fine) end) end).violations[1].kind, "error", "explore() in a thread")
tap.is(explore(function() thread("t", smp_mb) finally(function() explore(fine) end) end).verdict, "violation",
	"explore() in finally()")
tap.is(explore(fine).verdict, "ok", "and all is well afterwards")

tap.done()
