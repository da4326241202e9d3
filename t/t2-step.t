-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The stepping functions: what they do, what they give back, and that going
-- back, replaying and swapping independent steps change nothing they must not.

local tap = require("tap")

-- ------------------------------------------------------------ small helpers

local function fails(fn, pattern, what)
	local ok, err = pcall(fn)
	tap.ok(not ok, what .. ": raises")
	tap.like(tostring(err), pattern, what .. ": says why")
end

-- Everything that a person can tell two runs apart by.
local function fingerprint()
	local t = {}
	for i, e in ipairs(trace()) do
		t[i] = ("%d %s %d %s"):format(e.n, e.thread, e.cpu, e.text)
	end
	t[#t + 1] = show(nil, { text = true })
	return table.concat(t, "\n")
end

-- Each thread's own events, without the numbers that the others take part in.
local function own_events()
	local t = {}
	for _, e in ipairs(trace()) do
		t[e.thread] = (t[e.thread] or "") .. ("%s %s %s %s\n"):format(e.text,
			e.value or "", e.stored or "", e.call or "")
	end
	return t
end

local function build(scenario)
	world(scenario)
end

-- A writer that updates under a lock and waits for readers; a reader; another.
local function srcu_world()
	local ss = srcu.new("ss")
	local lock = mutex("vm.lock")
	local p = ptr("p", kmalloc("f0", { v = 1 }, { static = true }))
	local x = var("x")
	thread("writer", function()
		mutex_lock(lock)
		local new = kmalloc("new", { v = 2 }, { static = true })
		rcu_assign_pointer(p, new)
		mutex_unlock(lock)
		synchronize_srcu(ss)
		WRITE_ONCE(x, READ_ONCE(x) + 1)
	end)
	thread("reader", function()
		local idx = srcu_read_lock(ss)
		local f = srcu_dereference(p, ss)
		assert(f.v > 0)
		srcu_read_unlock(ss, idx)
	end)
	thread("other", function()
		mutex_lock(lock)
		WRITE_ONCE(x, READ_ONCE(x) + 10)
		mutex_unlock(lock)
		call_srcu(ss, function() end)
	end)
end

-- ------------------------------------------------------------------- step

build(function()
	local m, x = mutex("vm.lock"), var("x")
	thread("writer", function()
		mutex_lock(m)
		WRITE_ONCE(x, 7)
		WRITE_ONCE(x, 8)
		mutex_unlock(m)
	end)
	thread("reader", function()
		mutex_lock(m)
		READ_ONCE(x)
		mutex_unlock(m)
	end)
end)

do
	tap.is(status("writer"), "ready", "a fresh thread is ready")
	tap.is(pending("writer").op, "lock", "pending says what it will do")
	tap.is(pending("writer").object, "vm.lock", "and on what")
	tap.is(pending("writer").n, 1, "as which step")
	local e, v = step("writer")
	tap.is(e.n, 1, "step gives the event: its number")
	tap.is(e.thread, "writer", "its thread")
	tap.is(e.object, "vm.lock", "its object")
	tap.is(e.op, "lock", "its operation")
	tap.like(e.file, "t2%-step%.t$", "its file")
	tap.is(v, nil, "and no violation")
	e = step("writer", 2)
	tap.is(e.n, 3, "step(t, n) makes n steps")
	tap.is(e.value, 8, "a store's value is what it stored")
	local nothing, why = step("reader")
	tap.is(nothing, nil, "a blocked thread makes no step")
	tap.is(why, "blocked on mutex vm.lock, held by writer since step 1", "and it is said why")
	local st, because = status("reader")
	tap.is(st, "blocked", "status: blocked")
	tap.is(because, "on mutex vm.lock, held by writer since step 1", "status: on what")
	tap.is(select("#", status("writer")), 1, "status of a ready thread has no reason")
	nothing, why = finish("reader")
	tap.is(nothing, nil, "finish of a blocked thread gives nil")
	tap.like(why, "^blocked on mutex", "and why")
	tap.is(finish("writer").n, 4, "finish gives the last event")
	tap.is(status("writer"), "done", "then the thread is done")
	tap.is(pending("writer"), nil, "nothing is pending")
	nothing, why = step("writer")
	tap.is(nothing, nil, "no step is left")
	tap.is(why, "done", "because it is done")
	tap.is(finish("writer"), true, "finish of a finished thread has nothing to do")
	tap.is(#trace(), 4, "trace gives all events")
	tap.is(#trace(2), 2, "trace(n) the last n")
	tap.is(trace(2)[2].n, 4, "the oldest first")
	tap.is(#trace(0), 0, "trace(0) none")
	nothing, why = step("reader", 5)
	tap.is(nothing, nil, "fewer steps than asked for give nil")
	tap.is(why, "done", "and why")
	tap.is(#trace(), 7, "but those that could be made were made")
end

-- ------------------------------------------------------------- bad arguments

fails(function() step() end, "bad argument #1 to 'step'", "step()")
fails(function() step("nobody") end, "nobody", "step of an unknown thread")
fails(function() step(42) end, "bad argument #1 to 'step'", "step of a number")
fails(function() step("writer", 0) end, "bad argument #2 to 'step'", "step 0 times")
fails(function() step("writer", "x") end, "bad argument #2 to 'step'", "step x times")
fails(function() run_until("writer") end, "bad argument #2", "run_until without a target")
fails(function() run_until("writer", "SCAN3") end, "SCAN3", "run_until an unknown state")
fails(function() run_until("writer", "SCAN1") end, "no srcu_struct", "run_until without SRCU")
fails(function() run { polcy = "rr" } end, "polcy", "run with an unknown option")
fails(function() run { policy = "best" } end, "policy", "run with an unknown policy")
fails(function() run { max_steps = 0 } end, "max_steps", "run with no steps")
fails(function() run { seed = 1.5 } end, "seed", "run with half a seed")
fails(function() run(3) end, "bad argument #1", "run of a number")
fails(function() back(0) end, "bad argument #1", "back 0 steps")
fails(function() back(8) end, "only 7 have been made", "back past the start")
fails(function() back("x") end, "bad argument #1", "back x steps")
fails(function() advance(0) end, "bad argument #1", "advance by nothing")
fails(function() advance(-5) end, "bad argument #1", "advance backwards")
fails(function() trace(-1) end, "bad argument #1", "trace of fewer than none")
fails(function() replay(7) end, "bad argument #1", "replay of a number")

-- ------------------------------------- not in a body, not within each other

build(function()
	thread("t", function()
		yield()
		for _, fn in ipairs { step, step_over, finish, run_until, run, advance, back, reset, replay } do
			local ok, err = pcall(fn, "t")
			assert(not ok and tostring(err):find("thread's body", 1, true), tostring(err))
		end
		yield()
	end)
end)
finish("t")
tap.is(status("t"), "done", "no stepping function can be called in a body")

fails(function()
	run_until("t", function() return step("t") end)
end, "step", "stepping in a predicate")

-- ------------------------------------------------------ step_over, run_until

build(srcu_world)

do
	step_over("reader")
	tap.is(trace(1)[1].call, "srcu_read_lock", "step_over makes all steps of a call")
	tap.isnt(pending("reader").call, "srcu_read_lock", "and stops behind it")
	tap.ok(run_until("writer", function() return (pending("writer") or {}).call == "synchronize_srcu" end),
		"run_until a predicate holds")
	local n = #trace()
	tap.is(run_until("writer", function() return true end), true, "which may hold at once")
	tap.is(#trace(), n, "without a step")
	local e, why = step_over("writer")
	tap.is(e, nil, "step_over of a call that must wait gives nil")
	tap.like(why, "^blocked in synchronize_srcu%(%)", "and what it waits in")
	tap.is(run_until("writer", "SCAN1"), true, "run_until SCAN1")
	tap.is(show("ss", { text = true }):match("SCAN1"), "SCAN1", "shows in the state")
	-- the reader holds a scan up
	local ok, reason = run_until("writer", "IDLE")
	tap.is(ok, nil, "run_until IDLE cannot be reached with a reader inside")
	tap.is(type(reason), "string", "and it is said why")
	tap.ok(finish("reader"), "the reader leaves")
	tap.is(run_until("writer", "IDLE", "ss") and true, nil or true, "run_until IDLE afterwards")
	tap.ok(run_until("writer", function() return status("writer") == "done" end), "the writer gets to its end")
end

fails(function() run_until("writer", function() error("oops") end) end, "oops",
	"an error in the predicate")
fails(function() run_until("writer", function() var("y") end) end, "predicate",
	"a predicate that makes something")

build(function()
	srcu.new("a")
	srcu.new("b")
	thread("t", function() yield() end)
end)
fails(function() run_until("t", "SCAN1") end, "which srcu_struct", "run_until with two domains")
tap.is(run_until("t", "IDLE", "b"), true, "run_until with the domain said")

-- ------------------------------------------------------------------------ run

build(srcu_world)
do
	local r = run()
	tap.is(r.verdict, "ok", "run to the end")
	tap.is(r.steps, #trace(), "counts its steps")
	tap.is(#r.violations, 0, "without violations")
	tap.is(r.bound, nil, "nothing cut it")
	tap.is(#r.blocked, 0, "nobody is left waiting")
	tap.is(run().steps, 0, "there is nothing to do twice")
	reset()
	r = run { max_steps = 5 }
	tap.is(r.verdict, "incomplete", "run up to a bound")
	tap.is(r.steps, 5, "makes so many steps")
	tap.like(r.bound, "max_steps", "and names the bound")
	for seed = 1, 20 do
		reset()
		r = run { policy = "random", seed = seed }
		if r.verdict ~= "ok" then
			tap.diag(("seed %d: %s\n%s"):format(seed, r.verdict, schedule()))
			break
		end
	end
	tap.is(r.verdict, "ok", "random runs come to their end")
	local function random_run(seed)
		reset()
		run { policy = "random", seed = seed }
		return schedule()
	end
	tap.is(random_run(5), random_run(5), "equal seeds give equal schedules")
	tap.isnt(random_run(5), random_run(6), "other seeds give others")
end

build(function()
	local a, b = mutex("a"), mutex("b")
	thread("t1", function() mutex_lock(a) mutex_lock(b) end)
	thread("t2", function() mutex_lock(b) mutex_lock(a) end)
end)
do
	local r = run()
	tap.is(r.verdict, "violation", "run finds a deadlock")
	tap.is(r.violations[1].kind, "deadlock", "and says so")
	tap.is(table.concat(r.blocked, " "), "t1 t2", "with who is blocked")
	reset()
	step("t1")
	step("t2")
	local e, v = step("t1")
	tap.is(e, nil, "stepping into it makes no step")
	tap.is(type(v) == "table" and v.kind, "deadlock", "and finds it as well")
end

build(function()
	local x = var("x")
	thread("t", function()
		WRITE_ONCE(x, 1)
		assert(READ_ONCE(x) == 2, "x is two")
		WRITE_ONCE(x, 3)
	end)
end)
do
	local e, v = step("t", 10)
	tap.is(v and v.kind, "assertion", "a violation is the second value")
	tap.is(v and v.thread, "t", "with its thread")
	tap.like(v and v.message or "", "x is two", "its message")
	tap.is(e and e.n, 2, "step stops there")
	tap.is(status("t"), "failed", "the thread has failed")
	tap.like(select(2, status("t")) or "", "x is two", "status says of what")
	local _, why = step("t")
	tap.is(why, "failed", "it cannot go on")
	local s = v.schedule
	reset()
	tap.ok(replay(s), "its schedule can be replayed")
	tap.is(status("t"), "failed", "and leads there")
end

build(function()
	local p = ptr("p", kmalloc("o", { v = 1 }))
	thread("reader", function()
		local o = READ_ONCE(p)
		READ_ONCE(o"v")
	end)
	thread("freer", function() kfree(READ_ONCE(p)) end)
end)
do
	step("reader")
	finish("freer")
	local e, v = step("reader")
	tap.is(v and v.kind, "use-after-free", "a step that is not allowed is a violation")
	tap.is(e and e.n, 4, "and stands among the events")
	tap.is(status("reader"), "failed", "it was its thread's last")
	tap.ok(replay(v.schedule), "the violation's schedule can be replayed")
	tap.is(status("reader"), "failed", "and makes that step as well")
end

build(function()
	thread("t", function()
		local n = choose(3)
		for _ = 1, n do yield() end
	end)
end)
do
	local seen = {}
	for seed = 1, 30 do
		reset()
		run { policy = "random", seed = seed }
		seen[trace()[1].value] = schedule()
	end
	tap.ok(seen[1] and seen[2] and seen[3], "random runs try every choice")
	tap.ok(replay(seen[3]), "a schedule keeps choices")
	tap.is(trace()[1].value, 3, "and makes them again")
end

-- ------------------------------------------------------------------- advance

do
	local e = advance(1500000)
	tap.is(e.thread, "clock", "advance is a step of nobody's")
	tap.is(e.stored - e.value, 1500000, "that moves the clock")
	tap.is(back(), e.n - 1, "which can be undone")
end

-- -------------------------------------------------------------- time travel

build(srcu_world)
do
	tap.is(schedule(), "@sc,4", "the schedule of no steps")
	local rng = 12345
	local function random(n)
		rng = (rng * 1103515245 + 12345) % 2147483648
		return rng // 65536 % n + 1
	end
	local bad
	for seed = 1, 15 do
		reset()
		run { policy = "random", seed = seed }
		local total, whole, s = #trace(), fingerprint(), schedule()
		local n = random(total)
		back(n)
		if #trace() ~= total - n then
			bad = ("seed %d: back(%d) left %d of %d steps"):format(seed, n, #trace(), total)
			break
		end
		local part, here = schedule(), fingerprint()
		if not replay(s) or fingerprint() ~= whole then
			bad = ("seed %d: back(%d) and the same steps: another run"):format(seed, n)
			break
		end
		if not replay(part) or fingerprint() ~= here then
			bad = ("seed %d: the first part of the schedule leads elsewhere"):format(seed)
			break
		end
	end
	tap.is(bad, nil, "back(n) and the same n steps are the identity")
end

do
	reset()
	for _ = 1, 3 do step("writer") end
	local before = fingerprint()
	step("reader")
	step("writer")
	step("other")
	local names = {}
	for _, e in ipairs(trace(3)) do names[#names + 1] = e.thread end
	local after = fingerprint()
	tap.is(back(3), 3, "back gives the step number")
	tap.is(fingerprint(), before, "three steps back")
	for _, t in ipairs(names) do step(t) end
	tap.is(fingerprint(), after, "and forth")
	reset()
	tap.is(#trace(), 0, "reset goes to the start")
	tap.is(schedule(), "@sc,4", "with an empty schedule")
end

do
	local ok, why = replay("@sc,4 writer nobody reader")
	tap.is(ok, nil, "a schedule with an unknown thread")
	tap.like(why, "nobody", "is refused by name")
	tap.is(#trace(), 1, "the world stands at the last item that fitted")
	ok, why = replay("@sc,7 writer")
	tap.is(ok, nil, "a schedule for other CPUs")
	tap.like(why, "7", "is refused")
	ok, why = replay("writer*100000")
	tap.is(ok, nil, "a schedule that does not fit")
	tap.is(type(why), "string", "is refused with a reason")
	tap.is(replay(""), true, "an empty schedule is the start")
end

-- --------------------------------- swapping independent neighbours (semantics)

-- Two steps are certainly independent when they are of different threads on
-- different CPUs and touch different locations, or both only read.
local function independent(a, b)
	if a.thread == b.thread or a.cpu == b.cpu then return false end
	if not a.object or not b.object then return false end
	local reads = { load = true, ["plain-load"] = true }
	return a.object ~= b.object or (reads[a.op] and reads[b.op])
end

local function swap_test(scenario, name)
	build(scenario)
	local swaps, bad = 0, nil
	for seed = 1, 12 do
		reset()
		run { policy = "random", seed = seed }
		local events, own = trace(), own_events()
		local order = {}
		for i, e in ipairs(events) do order[i] = e.thread end
		for i = 1, #events - 1, 7 do
			local a, b = events[i], events[i + 1]
			if independent(a, b) then
				order[i], order[i + 1] = b.thread, a.thread
				local ok, why = replay("@sc,4 " .. table.concat(order, " "))
				order[i], order[i + 1] = a.thread, b.thread
				swaps = swaps + 1
				for t, list in pairs(ok and own_events() or {}) do
					if list ~= own[t] then
						ok, why = false, "other events of " .. t
					end
				end
				if not ok then
					bad = ("seed %d, steps %d and %d (%s: %s | %s: %s): %s"):format(seed, i, i + 1,
						a.thread, a.text, b.thread, b.text, why)
					break
				end
			end
		end
		if bad then break end
	end
	tap.is(bad, nil, name .. ": swapping independent steps changes no thread's own events")
	tap.ok(swaps > 10, name .. ": there were some to swap")
end

swap_test(srcu_world, "SRCU")
swap_test(function()
	local x, y, m = var("x"), var("y"), mutex("m")
	for i = 1, 4 do
		thread("t" .. i, function()
			for k = 1, 3 do
				local o = kmalloc("o", { v = k }, { static = true })
				atomic_inc(i % 2 == 0 and x or y)
				mutex_lock(m)
				o.v = READ_ONCE(x) + READ_ONCE(y)
				mutex_unlock(m)
			end
		end)
	end
end, "locks and objects")

-- ------------------------------------------------------------------- threads

build(srcu_world)
do
	local list = threads()
	tap.is(#list, 3, "threads lists them")
	tap.is(tostring(list[1]), 'thread "writer"', "in order of making")
	tap.is(step(list[2]).thread, "reader", "a handle serves where a name does")
	run()
	local names = {}
	for _, t in ipairs(threads()) do names[#names + 1] = tostring(t) end
	tap.like(table.concat(names, " "), "kworker/ss", "workers are among them")
end

tap.done()
