-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Wait queues, reader-writer semaphores and work items: what each word does, in
-- which orders, and what is reported when they are used against their rules.

local tap = require("tap")

local SEEDS = 60

local function violations(scenario, opts)
	world(scenario)
	return run(opts).violations
end

local function wrong(scenario, kind, message, what)
	local v = violations(scenario)
	tap.is(v[1] and v[1].kind, kind, what)
	tap.like(v[1] and v[1].message, message, what .. ": says so")
	tap.is(#v, 1, what .. ": once")
end

-- No interleaving that was tried has a violation.
local function legal(scenario, what)
	local found
	for s = 0, SEEDS do
		found = violations(scenario, s > 0 and { policy = "random", seed = s } or nil)[1]
		if found then break end
	end
	if not tap.ok(not found, what) then tap.diag(found.kind, ": ", found.message) end
end

-- How often each kind of violation was found, over all seeds.
local function tally(scenario)
	local t = {}
	for s = 1, SEEDS do
		local v = violations(scenario, { policy = "random", seed = s })[1]
		local k = v and v.kind or "ok"
		t[k] = (t[k] or 0) + 1
		if v then t.message = v.message end
	end
	return t
end

-- ---------------------------------------------------------------- wait queues

local function waiter(prepare)
	return function()
		local wq, ready = waitqueue("wq"), var("ready")
		thread("sleeper", function()
			while true do
				if prepare then prepare_to_wait(wq) end
				if READ_ONCE(ready) == 1 then break end
				schedule_wait(wq)
			end
			finish_wait(wq)
		end)
		thread("waker", function()
			WRITE_ONCE(ready, 1)
			wake_up(wq)
		end)
	end
end

legal(waiter(true), "prepare_to_wait() before the test: no wake-up is lost")
local t = tally(waiter(false))
tap.ok((t.stall or 0) > 0 and (t.ok or 0) > 0, "without it some are, and some are not")
tap.is((t.stall or 0) + (t.ok or 0), SEEDS, "and nothing else happens")

world(waiter(false))
step("sleeper")
finish("waker")
tap.is(step("sleeper").text, "schedule_wait(wq) -> waits", "it gets on the queue only now")
local state, why = status("sleeper")
tap.is(state, "blocked", "and sleeps")
tap.like(why, "asleep on waitqueue wq since step 4", "where, and since when")
tap.like(run().violations[1].message, "^sleeper sleeps on waitqueue wq since step 4, and nothing is left to run " ..
	"that could wake it%. The last wake_up%(%) was waker's at step 3, before sleeper had got on the queue: it " ..
	"was lost%.", "the lost wake-up in words")

world(waiter(true))
step("sleeper", 2)
finish("waker")
tap.is(status("sleeper"), "ready", "woken before it sleeps")
back(1)
tap.is(status("sleeper"), "blocked", "going back over the wake-up")
finish("waker")
tap.is(run().verdict, "ok", "and forwards")

legal(function()
	local wq = waitqueue("wq")
	thread("a", function() wake_up(wq) wake_up(wq) end)
	thread("b", function() finish_wait(wq) end)
	thread("c", function() prepare_to_wait(wq) prepare_to_wait(wq) finish_wait(wq) finish_wait(wq) end)
end, "waking nobody, leaving a queue that one is not on, preparing twice")

do
	world()
	local wq, seen = waitqueue("wq"), {}
	thread("t", function()
		seen[1] = waitqueue_active(wq)
		prepare_to_wait(wq)
		prepare_to_wait(wq)
		seen[2] = READ_ONCE and waitqueue_active(wq)
		finish_wait(wq)
		seen[3] = waitqueue_active(wq)
		prepare_to_wait(wq)
		wake_up(wq)
		seen[4] = waitqueue_active(wq)
		schedule_wait(wq)
	end)
	tap.is(run().verdict, "ok", "one thread alone")
	tap.same(seen, { false, true, false, false }, "waitqueue_active()")
end

do
	world()
	local wq = waitqueue("wq")
	for i = 1, 3 do
		thread("s" .. i, function() prepare_to_wait(wq) schedule_wait(wq) finish_wait(wq) end)
		step("s" .. i)
	end
	thread("waker", function() wake_up(wq) end)
	step("waker")
	tap.is(run().verdict, "ok", "wake_up() wakes all")
end

wrong(function()
	local wq = waitqueue("wq")
	thread("t", function() prepare_to_wait(wq) schedule_wait(wq) end)
end, "stall", "^t sleeps on waitqueue wq since step 1, and nothing is left to run that could wake it%.$",
	"a sleeper that nobody wakes")

wrong(function()
	local wq, m = waitqueue("wq"), mutex("m")
	thread("t", function()
		prepare_to_wait(wq)
		mutex_lock(m)
		mutex_unlock(m)
		finish_wait(wq)
	end)
end, "warning", "^t called mutex_lock %(mutex_lock, .*%) after step 1, between prepare_to_wait%(%) and " ..
	"schedule_wait%(%)", "blocking between prepare_to_wait() and schedule_wait()")

do
	world()
	local last
	local queues = {}
	for i = 1, 9 do queues[i] = waitqueue("wq" .. i) end
	thread("t", function()
		for i = 1, 8 do prepare_to_wait(queues[i]) end
		last = select(2, pcall(prepare_to_wait, queues[9]))
		for i = 1, 8 do finish_wait(queues[i]) end
	end)
	tap.is(run().verdict, "ok", "eight queues at once")
	tap.like(last, "^prepare_to_wait: the thread is on 8 wait queues already", "and no more")
end

-- --------------------------------------------------------------------- rwsems

do
	local together, alone = false, true
	for seed = 1, SEEDS do
		world()
		local s, readers, writers = rwsem("s"), ghost("readers", 0), ghost("writers", 0)
		for i = 1, 2 do
			thread("r" .. i, function()
				down_read(s)
				readers.value = readers.value + 1
				together = together or readers.value == 2
				alone = alone and writers.value == 0
				yield()
				readers.value = readers.value - 1
				up_read(s)
			end)
			thread("w" .. i, function()
				down_write(s)
				writers.value = writers.value + 1
				alone = alone and writers.value == 1 and readers.value == 0
				yield()
				writers.value = writers.value - 1
				up_write(s)
			end)
		end
		local r = run { policy = "random", seed = seed }
		if r.verdict ~= "ok" then tap.fail(r.violations[1].message) end
	end
	tap.ok(together, "readers share it")
	tap.ok(alone, "a writer has it alone")
end

local function recursive()
	local s = rwsem("s")
	thread("r", function() down_read(s) down_read(s) up_read(s) up_read(s) end)
	thread("w", function() down_write(s) up_write(s) end)
end
world(recursive)
step("r")
tap.is(step("w").text, "down_write(s) -> false", "a writer tries")
tap.is(step("w").text, "down_write(s) -> waits", "and waits")
tap.like(select(2, status("w")), "on rwsem s, held by 1 for reading", "for the reader")
tap.like(select(2, status("r")), "on rwsem s, for which a writer waits", "which cannot take it again")
tap.is(run().violations[1].message, "r waits to read under rwsem s, for which w waits before it, to write; w waits " ..
	"for rwsem s, which r holds for reading since step 1. Neither can ever go on.", "a deadlock")
world(recursive)
finish("r")
tap.is(run().verdict, "ok", "which another order has not")

wrong(function()
	local s = rwsem("s")
	thread("t", function() down_read(s) down_write(s) end)
end, "self-deadlock", "^t waits for rwsem s, which it holds itself for reading since step 1%.", "reading, then writing")

wrong(function()
	local s = rwsem("s")
	thread("t", function() down_write(s) down_read(s) end)
end, "self-deadlock", "^t waits for rwsem s, which it holds itself since step 1%.", "writing, then reading")

wrong(function()
	local s, m = rwsem("s"), mutex("m")
	thread("a", function() down_write(s) yield() mutex_lock(m) mutex_unlock(m) up_write(s) end)
	thread("b", function() mutex_lock(m) yield() yield() down_read(s) up_read(s) mutex_unlock(m) end)
end, "deadlock", "^a waits for mutex m, which b holds since step 2; b waits for rwsem s, which a holds since " ..
	"step 1%. Neither", "an rwsem and a mutex")

wrong(function()
	local s = rwsem("s")
	thread("t", function() up_read(s) end)
end, "unbalanced-unlock", "^t released rwsem s %(up_read, .*%) at step 1, but it does not hold it for reading%.",
	"up_read() of nothing")

wrong(function()
	local s = rwsem("s")
	thread("t", function() up_write(s) end)
end, "unbalanced-unlock", "^t released rwsem s %(up_write, .*%) at step 1, but nobody holds it%.", "up_write() of nothing")

wrong(function()
	local s = rwsem("s")
	thread("t", function() down_read(s) up_write(s) end)
end, "unbalanced-unlock", "released rwsem s", "down_read() and up_write()")

wrong(function()
	local s = rwsem("s")
	thread("a", function() down_write(s) yield() up_write(s) end)
	thread("b", function() up_write(s) end)
end, "unbalanced-unlock", "but a holds it%. Only the task that took a lock may release it%.", "up_write() by another")

wrong(function()
	local s = rwsem("s")
	thread("a", function() down_read(s) end)
	thread("b", function() down_write(s) end)
end, "deadlock", "^b waits for rwsem s, which a holds for reading since step 1%. But a has ended without releasing it",
	"a reader that ends")

-- ----------------------------------------------------------------- work items

do
	local answers, count = {}, 0
	world()
	local x = var("x")
	local w
	w = work("w", function(me)
		assert(me == w, "it is given itself")
		count = count + 1
		atomic_inc(x)
	end)
	thread("t", function()
		answers[1] = queue_work(w)
		answers[2] = queue_work(w)
		flush_work(w)
		answers[3] = queue_work(w)
		flush_work(w)
	end)
	step("t", 2)
	tap.is(run().verdict, "ok", "a work item")
	tap.same(answers, { true, false, true }, "queued, queued already, queued again")
	tap.is(READ_ONCE(x), 2, "runs once for each time")
	tap.is(tostring(w), 'work "w"', "its kind and name")
	tap.is(status("kworker/w"), "blocked", "its worker waits for more")
	tap.is(finish("kworker/w"), true, "and is at rest")
end

do
	local twice = false
	for seed = 1, SEEDS do
		world()
		local running = ghost("running", 0)
		local w = work("w", function()
			running.value = running.value + 1
			twice = twice or running.value > 1
			yield()
			running.value = running.value - 1
		end)
		for i = 1, 3 do thread("t" .. i, function() queue_work(w) flush_work(w) end) end
		if run({ policy = "random", seed = seed }).verdict ~= "ok" then tap.fail("a violation") end
	end
	tap.ok(not twice, "never runs twice at once")
end

wrong(function()
	local w
	w = work("w", function() flush_work(w) end)
	thread("t", function() queue_work(w) end)
end, "self-deadlock", "^kworker/w waits in flush_work%(%) for itself", "work that flushes itself")

wrong(function()
	local m = mutex("m")
	local w = work("w", function() mutex_lock(m) mutex_unlock(m) end)
	thread("t", function() mutex_lock(m) queue_work(w) flush_work(w) mutex_unlock(m) end)
end, "deadlock", "^t waits in flush_work%(%) for kworker/w; kworker/w waits for mutex m, which t holds since step 1%.",
	"flush_work() under a lock that the work takes")

wrong(function()
	local w = work("w", function() error("no such thing") end)
	thread("t", function() queue_work(w) end)
end, "error", "no such thing", "an error in a work item")

tap.raises(function() work("a:b", print) end, "a work item's name has no ':'", "a name that a domain's worker has")

-- ------------------------------------------------- allocations that may fail, choices

do
	local got = {}
	for seed = 1, 40 do
		world()
		thread("t", function()
			local o = kmalloc("o", {}, { may_fail = true })
			got[o and "object" or "nil"] = true
			kfree(o)
		end)
		if run({ policy = "random", seed = seed }).verdict ~= "ok" then tap.fail("a violation") end
	end
	tap.same(got, { ["nil"] = true, object = true }, "kmalloc() with may_fail gives an object or nil")
end

tap.done()
