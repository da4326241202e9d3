-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What a step means: one block for each rule on which the verdicts rest.  The
-- rule stands in the name of the test; the order of the blocks is: values and
-- order, CPUs and preemption, time, work items, waiting, oracles.

local tap = require("tap")

-- ------------------------------------------------------------ small helpers

local SEEDS = 40

local function build(scenario) world(scenario) end

-- Steps a thread until its pending event is this operation (on that object).
local function up_to(t, op, object)
	return run_until(t, function()
		local e = pending(t)
		return e and e.op == op and (not object or e.object == object)
	end)
end

-- Each of the thread's own events, without the numbers that others take part in.
local function own_events(name)
	local t = {}
	for _, e in ipairs(trace()) do
		if e.thread == name then t[#t + 1] = ("%s cpu%d"):format(e.text, e.cpu) end
	end
	return table.concat(t, "\n")
end

-- The kinds of violations of many interleavings, as a sorted list.
local function kinds(scenario)
	local seen, list = {}, {}
	for s = 0, SEEDS do
		build(scenario)
		for _, v in ipairs(run(s > 0 and { policy = "random", seed = s } or nil).violations) do
			seen[v.kind] = true
		end
	end
	for k in pairs(seen) do list[#list + 1] = k end
	table.sort(list)
	return table.concat(list, " ")
end

-- ----------------------------------------------- 1: values and no hidden order

do
	build(function()
		local x = var("x", 1)
		thread("t", function() WRITE_ONCE(x, READ_ONCE(x) + 1) end)
		thread("u", function() WRITE_ONCE(x, 10) end)
	end)
	tap.is(pending("t").op, "load", "a task announces its event before anybody performs it")
	step("u")
	tap.is(step("t").value, 10, "the driver returns the value that stands when it is performed")
end

do
	local function maker()
		yield()
		local o = kmalloc("o", { v = 1 }, { static = true })
		o.v = 2
	end
	build(function() thread("a", maker) thread("b", maker) end)
	local seen = {}
	for i, order in ipairs { { "a", "b" }, { "b", "a" } } do
		reset()
		for _, t in ipairs(order) do finish(t) end
		seen[i] = own_events("a") .. own_events("b")
	end
	tap.is(seen[1], seen[2], "identity is the maker and the n-th thing made by it")
	tap.like(seen[1], "o@a%.1", "whoever came first")
end

do
	build(function()
		thread("t", function()
			if choose(2) == 1 then
				local o = kmalloc("o", { v = 1 }, { static = true })
				o.v = 2
			else
				WRITE_ONCE(var("x"), 1)
			end
		end)
	end)
	assert(replay("@sc,4 t*2"))
	tap.ok(replay("@sc,4 t=2 t"), "the n-th thing may be another one in another execution")
	tap.is(#run().violations, 0, "and what the first was is forgotten")
	tap.is(trace(1)[1].object, "x@t.1", "by name, too")
end

do
	build(function()
		thread("t", function() yield() thread("a", function() yield() end) end)
		thread("a@t.1", function() yield() end)
	end)
	local v = run().violations[1]
	tap.is(v and v.kind, "error", "two things never share a name")
	tap.like(v and v.message, 'name "a@t.1" is taken by a thread', "and it is said which")
end

do
	build(function()
		thread("@x", function() yield() yield() end)
		thread("t", function() yield() end)
	end)
	step("@x")
	step("t")
	local s = schedule()
	tap.is(s, "@sc,4 @x t", "a schedule names each thread")
	tap.ok(replay(s), "and is performed again")
	tap.is(schedule(), s, "item by item")
end

-- ------------------------------------------- 2: CPUs, preemption, interrupts

-- What each context forbids the other thread of its CPU, and nobody elsewhere.
for _, c in ipairs {
	{ "with preemption off", function() preempt_disable() end, function() preempt_enable() end },
	{ "with bottom halves off", function() local_bh_disable() end, function() local_bh_enable() end },
	{ "with interrupts off", function() local_irq_disable() end, function() local_irq_enable() end },
} do
	build(function()
		cpus(2)
		thread("owner", function() c[2]() yield() c[2]() c[3]() c[3]() yield() end, { cpu = 0 })
		thread("same", function() yield() end, { cpu = 0 })
		thread("other", function() yield() end, { cpu = 1 })
	end)
	tap.is(status("same"), "ready", c[1] .. ": before, the CPU may be taken between any two steps")
	step("owner")
	local st, why = status("same")
	tap.is(st, "blocked", c[1] .. ": a task of that CPU may not run")
	tap.like(why, "CPU 0 belongs to owner", c[1] .. ": it is said why")
	tap.is(status("other"), "ready", c[1] .. ": a task of another CPU may")
	step("owner", 3)
	tap.is(status("same"), "blocked", c[1] .. ": it nests")
	step("owner")
	tap.is(status("same"), "ready", c[1] .. ": its end gives the CPU back")
end

do
	build(function()
		cpus(1)
		local l, m = spinlock("l"), spinlock("m")
		thread("owner", function()
			spin_lock(l)
			if spin_trylock(m) then spin_unlock(m) end
			spin_unlock(l)
			yield()
		end)
		thread("same", function() yield() end)
	end)
	step("owner")
	tap.is(status("same"), "blocked", "a held spinlock keeps the CPU")
	step("owner", 2)
	tap.is(status("same"), "blocked", "until the last one is given back")
	step("owner")
	tap.is(status("same"), "ready", "then others may run")
end

do
	build(function()
		cpus(1)
		local l = spinlock("l")
		thread("t", function()
			spin_lock(l)
			spin_unlock_irqrestore(l, 0)
			yield()
		end)
		thread("same", function() yield() end)
	end)
	step("t", 2)
	tap.is(status("same"), "ready", "an unlock that turns on what was on changes nothing")
end

do
	build(function()
		cpus(1)
		thread("t", function() preempt_disable() end)
		thread("same", function() yield() end)
	end)
	finish("t")
	tap.is(status("same"), "ready", "a task that has ended keeps no CPU")
end

-- A timer strikes like a soft interrupt.  This one is armed on CPU 0.
local function armed_timer(body)
	return function()
		cpus(2)
		local ss = srcu.new("ss")
		thread("caller", function() call_srcu(ss, function() end) end, { cpu = 0 })
		thread("owner", body, { cpu = 0 })
	end
end

build(armed_timer(function() preempt_disable() yield() preempt_enable() end))
finish("caller")
step("owner")
tap.is(status("timer/ss:gp"), "ready", "a timer strikes where only preemption is off")
step("timer/ss:gp")
tap.is(status("owner"), "blocked", "and runs to its end first")
finish("timer/ss:gp")
tap.is(status("owner"), "ready", "then what it struck goes on")

build(armed_timer(function() local_bh_disable() yield() local_bh_enable() end))
finish("caller")
step("owner")
tap.is(status("timer/ss:gp"), "blocked", "it does not strike where bottom halves are off")

do
	build(function()
		cpus(2)
		local ss = srcu.new("ss")
		thread("t", function()
			local i = srcu_read_lock(ss)
			srcu_read_unlock(ss, i)
		end, { cpu = 0 })
		thread("u", function()
			local i = srcu_read_lock(ss)
			srcu_read_unlock(ss, i)
		end, { cpu = 0 })
	end)
	up_to("t", "cpu-add")
	local before = pending("t").object
	finish("u")
	tap.is(step("t").object, before, "this_cpu_inc() is one event")
	finish("t")
	tap.is(#run().violations, 0, "and tasks of one CPU do not tear it")
end

tap.is(kinds(function()
	local ss = srcu.new("ss", { faults = { "plain-inc" } })
	for i = 1, 2 do
		thread("r" .. i, function()
			for _ = 1, 2 do srcu_read_unlock(ss, srcu_read_lock(ss)) end
		end, { cpu = 0 })
	end
	thread("w", function() synchronize_srcu(ss) end, { cpu = 1 })
end), "stall", "a plain ++ is a load and a store, and can lose a count")

local SLEEPS = "^Sleeping function called from invalid context: "

for _, c in ipairs {
	{ "a mutex under a spinlock", function(o)
		spin_lock(o.l) mutex_lock(o.m) mutex_unlock(o.m) spin_unlock(o.l)
	end, SLEEPS .. "t called mutex_lock%(m%) .* after step 1, under spinlock l since step 1 " },
	{ "a completion with preemption off", function(o)
		complete(o.c) preempt_disable() wait_for_completion(o.c) preempt_enable()
	end, SLEEPS .. "t called wait_for_completion%(c%) .* after step 2, with preemption off since step 2 " },
	{ "synchronize_srcu() with interrupts off", function(o)
		local_irq_disable() synchronize_srcu(o.ss) local_irq_enable()
	end, SLEEPS .. "t called synchronize_srcu%(ss%) after step 1, with interrupts off since step 1 " },
	{ "srcu_barrier() with bottom halves off", function(o)
		local_bh_disable() srcu_barrier(o.ss) local_bh_enable()
	end, SLEEPS .. "t called srcu_barrier%(ss%) after step 1, with bottom halves off since step 1 " },
	{ "a mutex in an SRCU callback", function(o)
		call_srcu(o.ss, function() mutex_lock(o.m) mutex_unlock(o.m) end)
	end, SLEEPS .. "kworker/ss:cb0 called mutex_lock%(m%) .* in an SRCU callback since step " },
} do
	build(function()
		local o = { l = spinlock("l"), m = mutex("m"), c = completion("c"), ss = srcu.new("ss") }
		thread("t", function() c[2](o) end, { cpu = 1 })
	end)
	local v = run().violations[1]
	tap.is(v and v.kind, "sleep-in-atomic", c[1] .. " is sleeping in atomic context")
	tap.like(v and v.message, c[3], c[1] .. ": in words")
	v = run().violations[1]
	tap.isnt(v and v.kind, "sleep-in-atomic", c[1] .. ": said once")
end

tap.is(kinds(function()
	local l, m, c, x = spinlock("l"), mutex("m"), completion("c"), var("x")
	thread("t", function()
		spin_lock(l)
		if mutex_trylock(m) then mutex_unlock(m) end
		complete(c)
		spin_unlock(l)
		mutex_lock(m)
		preempt_disable()
		preempt_enable()
		wait_for_completion(c)
		mutex_unlock(m)
	end)
	thread("u", function()
		preempt_disable()
		cond_wait(function() return READ_ONCE(x) == 1 end) -- it may be spinning
		preempt_enable()
	end, { cpu = 1 })
	thread("v", function() WRITE_ONCE(x, 1) end, { cpu = 2 })
end), "", "what does not sleep may stand in atomic context, what sleeps behind it")

tap.is(kinds(function()
	cpus(1)
	local ss = srcu.new("ss")
	thread("t", function() call_srcu(ss, function() preempt_disable() end) srcu_barrier(ss) end)
end), "warning", "a work item leaves the CPU as it found it")

-- --------------------------------------------------------------------- 3: time

do
	build(function()
		local ss = srcu.new("ss")
		thread("w", function() synchronize_srcu(ss) end)
	end)
	local function clock_events()
		local n = 0
		for _, e in ipairs(trace()) do
			if e.object == "clock" and e.op ~= "load" then
				n = n + ((e.thread == "clock" or e.thread:find("^timer/")) and 0 or 1)
			end
		end
		return n
	end
	advance(50000)
	tap.is(trace(1)[1].object, "clock", "the clock is a location, which advance() writes")
	run()
	tap.is(clock_events(), 0, "beside that only a firing timer writes it")
end

do
	build(function()
		cpus(2)
		local ss = srcu.new("ss")
		thread("w", function() synchronize_srcu(ss) end, { cpu = 1 })
	end)
	finish("w")
	tap.is(status("timer/ss:gp"), "ready", "an armed timer may fire at any moment")
	advance(7000000)
	step("timer/ss:gp")
	local e = step("timer/ss:gp")
	tap.is(e.stored, 7000000, "it brings the clock to its expiry, and never back")
end

-- --------------------------------------------------------------- 4: work items

do
	build(function()
		cpus(2)
		local ss = srcu.new("ss", { exp_holdoff = 0 })
		thread("a", function() call_srcu(ss, function() end) end, { cpu = 0 })
		thread("b", function()
			cond_wait(function() return ss:state().gp_seq == 4 end)
			call_srcu(ss, function() end)
		end, { cpu = 1 })
	end)
	run()
	local queued, taken, running, twice = 0, 0, false, false
	for _, e in ipairs(trace()) do
		if e.object == "ss.work" then
			if e.op == "work" or e.text:find("^kworker") then taken = taken + 1 end
			if e.op == "cmpxchg" and e.value == 0 then queued = queued + 1 end
		end
	end
	tap.ok(queued > 1, "queue_work() sets PENDING where it was clear")
	tap.is(taken, queued, "and each queueing is worth one pass")
end

-- The item begins on the CPU where it was queued, if that CPU lets it.
do
	build(function()
		cpus(2)
		local ss = srcu.new("ss")
		thread("first", function() synchronize_srcu_expedited(ss) end, { cpu = 1 })
		thread("second", function() synchronize_srcu_expedited(ss) end, { cpu = 0 })
		thread("one", function() preempt_disable() yield() preempt_enable() end, { cpu = 1 })
	end)
	assert(run_until("first", function() return status("first") == "done" end))
	for _ = 1, 20 do finish("kworker/ss:gp") finish("kworker/ss:cb0") end
	step("one")
	finish("second")
	tap.is(pending("kworker/ss:gp").cpu, 0, "a work item goes where it is queued")
	tap.is(status("kworker/ss:gp"), "ready", "whatever the CPU that it ran on last does")
	back(1)
end

-- flush_work() waits for passes, and an idle pass is one.
do
	build(function()
		cpus(1)
		local ss = srcu.new("ss")
		thread("t", function()
			start_poll_synchronize_srcu(ss)
			cleanup_srcu_struct(ss)
		end)
		thread("reader", function() srcu_read_lock(ss) end)
	end)
	assert(up_to("t", "xchg", "ss.work.timer"), "cleanup has looked for readers")
	finish("reader")
	run_until("reader", function() return false end) -- the item polls until it is idle
	local v = run().violations[1]
	tap.is(v and v.kind, "warning", "flush_work() ends though the item polls on for a reader")
	tap.like(v and v.message, "WARN_ON%(seq_state%(rcu_seq_current", "and cleanup refuses")
end

-- del_timer_sync() waits for a function that has begun.
do
	build(function()
		local ss = srcu.new("ss")
		thread("t", function()
			cond_wait(function() return ss:state().gp_seq == 4 end)
			yield()
			cleanup_srcu_struct(ss)
		end, { cpu = 1 })
		thread("caller", function() start_poll_synchronize_srcu(ss) end, { cpu = 0 })
	end)
	finish("caller")
	run_until("t", function() local e = pending("t") return e and e.op == "yield" end)
	finish("kworker/ss:gp")
	step("timer/ss:0")
	finish("t")
	local st, why = status("t")
	tap.is(st, "blocked", "del_timer_sync() waits for a timer that has struck")
	tap.like(why, "del_timer_sync", "and it is said so")
	tap.is(#run().violations, 0, "nothing is freed under the timer")
	tap.is(status("t"), "done", "and the cleanup is made")
end

-- A timer that is armed anew while it runs fires where it was armed last, as it
-- does when it had ended before.
for _, first in ipairs { 1, 3 } do
	local ss
	build(function()
		cpus(2)
		ss = srcu.new("ss")
		thread("a", function() start_poll_synchronize_srcu(ss) end, { cpu = 0 })
		thread("b", function() start_poll_synchronize_srcu(ss) end, { cpu = 1 })
	end)
	run_until("a", function() return ss:state().gp_seq == 4 end)
	finish("kworker/ss:gp")
	step("timer/ss:0", first)
	run_until("b", function() return ss:state().gp_seq == 8 end)
	finish("kworker/ss:gp")
	finish("timer/ss:0")
	local last = trace(1)[1]
	tap.is(last.thread, "timer/ss:0", "a timer fires again, armed after step " .. first)
	tap.is(last.cpu, 1, "on the CPU where it was armed last")
end

-- ------------------------------------------------------------------ 5: waiting

do
	build(function()
		local m, c, x = mutex("m"), completion("c"), var("x")
		thread("owner", function() mutex_lock(m) yield() mutex_unlock(m) end)
		for _, n in ipairs { "first", "second" } do
			thread(n, function() mutex_lock(m) mutex_unlock(m) end)
		end
		thread("waiter", function() wait_for_completion(c) end)
		thread("cond", function() cond_wait(function() return READ_ONCE(x) == 1 end) end)
		thread("setter", function() complete(c) WRITE_ONCE(x, 1) WRITE_ONCE(x, 0) end)
	end)
	step("owner")
	for _, n in ipairs { "first", "second", "waiter", "cond" } do
		tap.is(status(n), "blocked", "a held lock, an incomplete completion, a false condition block: " .. n)
	end
	step("setter", 2)
	tap.is(status("waiter"), "ready", "complete() lets a waiter go")
	tap.is(status("cond"), "ready", "a condition that has come true, too")
	step("setter")
	tap.is(status("cond"), "blocked", "and one that is false again blocks again")
	finish("owner")
	tap.is(step("second").op, "lock", "mutexes are not first in, first out")
end

do
	build(function()
		local o = kmalloc("o", { done = 0 })
		thread("waiter", function() cond_wait(function() return o.done == 1 end) end)
		thread("freer", function() kfree(o) end)
	end)
	finish("freer")
	local v = run().violations[1]
	tap.is(v and v.kind, "use-after-free", "a condition reads memory as everybody does")
	tap.like(v and v.message, "^waiter read o%.done %(cond_wait, .*%) at step 2, but freer had " ..
		"freed o at step 1%.", "in words")
	tap.ok(v and select(2, replay(v.schedule)), "and its schedule leads there again")
	build(function()
		thread("waiter", function() yield() cond_wait(function() error("oops") end) end)
		thread("other", function() yield() yield() end)
	end)
	v = run().violations[1]
	tap.is(v and v.kind, "error", "a condition that raises is an error")
	local _, again = replay(v.schedule)
	tap.is(again and again.message, v.message, "of the step that asked for it")
end

do
	build(function()
		local x = var("x")
		thread("never", function() assume(READ_ONCE(x) == 1) end)
		thread("others", function() yield() WRITE_ONCE(x, 2) end)
	end)
	local r = run()
	tap.is(r.verdict, "ok", "assume(false) is no deadlock")
	tap.is(r.blocked[1], "never", "it blocks its thread for ever")
	tap.is(status("others"), "done", "and nobody else")
end

do
	build(function()
		local ss, m = srcu.new("ss"), mutex("m")
		local idx = ghost("idx")
		thread("first", function() idx.value = srcu_down_read(ss) mutex_lock(m) mutex_unlock(m) end)
		thread("writer", function() mutex_lock(m) synchronize_srcu(ss) mutex_unlock(m) end)
		thread("helper", function() assume(false) srcu_up_read(ss, idx.value) end)
	end)
	step("first", 3)
	step("writer")
	tap.is(run().verdict, "ok", "what an assumed-away task might have ended is no deadlock")
end

-- Idle passes: a poll that finds nothing new is not made for ever ...
for _, sync in ipairs { "synchronize_srcu", "synchronize_srcu_expedited" } do
	build(function()
		local ss, x = srcu.new("ss"), var("x")
		thread("reader", function()
			local i = srcu_read_lock(ss)
			cond_wait(function() return READ_ONCE(x) == 1 end)
			srcu_read_unlock(ss, i)
		end)
		thread("writer", function() _G[sync](ss) end)
		thread("late", function() WRITE_ONCE(x, 1) end)
	end)
	step("reader", 3)
	run_until("writer", function() return false end)
	tap.ok(#trace() < 1000, sync .. "(): an idle pass is not repeated for ever")
	local st, why = status("kworker/ss:gp")
	if why:find("no work is queued", 1, true) then st, why = status("timer/ss:gp") end
	tap.like(why, "its last pass changed nothing", sync .. "(): and it is said that it is idle")
	-- ... and comes again as soon as something that it read has changed
	tap.is(run().verdict, "ok", sync .. "(): a write to what it read wakes it")
	tap.is(status("writer"), "done", sync .. "(): so that nothing is missed")
end

do
	build(function()
		local ss, x = srcu.new("ss"), var("x")
		thread("reader", function()
			local i = srcu_read_lock(ss)
			cond_wait(function() return READ_ONCE(x) == 1 end)
			srcu_read_unlock(ss, i)
		end)
		thread("writer", function() synchronize_srcu(ss) end)
		thread("other", function()
			local i = srcu_read_lock(ss)
			srcu_read_unlock(ss, i)
		end)
		thread("caller", function() synchronize_srcu_expedited(ss) end)
	end)
	step("reader", 3)
	run_until("writer", function() return false end)
	finish("other")
	local before = #trace()
	local _, v = run_until("caller", function() return false end)
	tap.ok(#trace() > before and #trace() < before + 1000,
		"other readers and requests wake it as well, for a pass or two")
	tap.is(v and v.kind, "stall", "and when nothing at all is enabled it is a stall")
end

do
	build(function()
		local a, b = mutex("a"), mutex("b")
		thread("x", function() mutex_lock(a) mutex_lock(b) end)
		thread("y", function() mutex_lock(b) mutex_lock(a) end)
	end)
	step("x")
	step("y")
	local r = run()
	tap.is(r.violations[1] and r.violations[1].kind, "deadlock", "tasks that wait in a circle: deadlock")
	local ok, v = replay(r.violations[1].schedule)
	tap.ok(ok, "its schedule can be replayed")
	tap.is(v and v.message, r.violations[1].message, "and finds it again")
end

-- ------------------------------------------------- 7: oracles judge the trace

-- A callback that is refused is none that anybody waits for.
do
	build(function()
		local ss, h = srcu.new("ss"), rcu_head("h")
		thread("t", function()
			call_srcu(ss, h, function() end)
			call_srcu(ss, h, function() end)
		end)
	end)
	tap.is(run().violations[1].kind, "warning", "a callback that is queued twice is said to be")
	tap.is(#run().violations, 0, "and the second one is not waited for")
end

-- The head is free to be posted again before its function is called.
do
	local calls = 0
	build(function()
		local ss, h = srcu.new("ss"), rcu_head("h")
		thread("a", function() call_srcu(ss, h, function() calls = calls + 1 yield() end) end)
		thread("b", function() yield() call_srcu(ss, h, function() calls = calls + 10 yield() end) end)
	end)
	finish("a")
	run_until("a", function()
		local e = trace(1)[1]
		return e and e.text:find("queued", 1, true) and e.thread:find("cb0", 1, true)
	end)
	finish("b")
	tap.is(run().verdict, "ok", "a head may be posted again once it is off the list")
	tap.is(calls, 20, "then its newest function is called, as the kernel would")
end

tap.done()
