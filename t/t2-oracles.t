-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The oracles: each kind of violation provoked by a small script, with the words
-- in which it is told, and the neighbours that are legal and must pass.

local tap = require("tap")
local oracle = dofile((os.getenv("top_srcdir") or ".") .. "/t/lib/oracle.lua")
local wrong, legal = oracle.wrong, oracle.legal

-- ---------------------------------------------------------- grace periods

-- An SRCU that does not scan, and a reader that is inside.
local function hasty()
	local ss = srcu.new("ss", { faults = { "no-scan1", "no-scan2" } })
	thread("reader", function()
		local idx = srcu_read_lock(ss)
		yield()
		srcu_read_unlock(ss, idx)
	end)
	return ss
end

-- The reader enters its section; then `other` runs, and when it is done or stuck
-- whatever works for the srcu_struct.  Gives the violation that comes of it.
local function under_reader(other)
	step("reader", 3)
	local _, v = run_until(other, function() return false end)
	return v
end

do
	world()
	local ss = hasty()
	thread("updater", function() synchronize_srcu(ss) end)
	local v = under_reader("updater")
	tap.is(v and v.kind, "grace-period", "a grace period that does not wait")
	tap.like(v and v.message, "^synchronize_srcu%(ss%) by updater returned at step %d+ " ..
		"although reader has been inside a read section of ss %(index 0%) since step 3%. " ..
		"The grace period was asked for at step 4; it had to wait for that section%.$",
		"in words")
	tap.is(v and v.thread, "updater", "who waited")
	tap.is(v and v.other, "reader", "and for whom")
	tap.like(v and v.schedule, "^@sc,4 reader%*3 updater", "the schedule leads there")
	tap.ok(replay(v.schedule), "and can be replayed")
	tap.is(#run().violations, 0, "it is said once")
end

do
	world()
	local ss = hasty()
	thread("updater", function() call_srcu(ss, function() end) end)
	local v = under_reader("updater")
	tap.is(v and v.kind, "grace-period", "a callback under a reader")
	tap.like(v and v.message, "^The callback that updater queued with call_srcu%(ss%) was " ..
		"invoked after step %d+ although reader has been inside a read section of ss " ..
		"%(index 0%) since step 3%.", "in words")
end

do
	world()
	local ss = hasty()
	thread("poller", function()
		local cookie = start_poll_synchronize_srcu(ss)
		cond_wait(function() return ss:state().gp_seq >= 4 end)
		poll_state_synchronize_srcu(ss, cookie)
	end)
	local v = under_reader("poller")
	tap.is(v and v.kind, "grace-period", "a poll that says yes too early")
	tap.like(v and v.message, "^poll_state_synchronize_srcu%(ss%) by poller said at step %d+ " ..
		"that the grace period is over although reader has been inside", "in words")
end

legal(function()
	local ss = srcu.new("ss")
	for i = 1, 2 do
		thread("reader" .. i, function()
			local outer = srcu_read_lock(ss)
			local inner = srcu_read_lock(ss)
			srcu_read_unlock(ss, inner)
			srcu_read_unlock(ss, outer)
		end)
	end
	thread("updater", function() synchronize_srcu(ss) end)
	thread("poller", function()
		local cookie = start_poll_synchronize_srcu(ss)
		for _ = 1, 3 do poll_state_synchronize_srcu(ss, cookie) end
	end)
	thread("caller", function() call_srcu(ss, function() end) srcu_barrier(ss) end)
end, "nested sections, a grace period, a callback, a barrier and a poll")

legal(function()
	local ss = srcu.new("ss")
	thread("reader", function()
		local a = srcu_read_lock(ss)
		local b = srcu_read_lock(ss)
		srcu_read_unlock(ss, a)
		srcu_read_unlock(ss, b)
	end)
	thread("updater", function() synchronize_srcu(ss) synchronize_srcu_expedited(ss) end)
end, "overlapping sections")

legal(function()
	local ss = srcu.new("ss")
	thread("reader", function()
		local idx = srcu_read_lock(ss)
		migrate(3)
		srcu_read_unlock(ss, idx)
	end)
	thread("updater", function() synchronize_srcu(ss) end)
end, "an unlock on another CPU")

legal(function()
	local ss, handed = srcu.new("ss"), ghost("handed")
	thread("first", function() handed.value = srcu_down_read(ss) end)
	thread("second", function()
		cond_wait(function() return handed.value end)
		srcu_up_read(ss, handed.value)
	end)
	thread("updater", function() synchronize_srcu(ss) end)
end, "srcu_down_read() here, srcu_up_read() there")

-- A section that begins after the wait has begun holds nothing up.
do
	world()
	local ss = hasty()
	thread("updater", function() synchronize_srcu(ss) end)
	step("updater")
	step("reader", 3)
	local ok, v = run_until("updater", function() return status("updater") == "done" end)
	tap.ok(ok and not v, "a reader that begins after synchronize_srcu() began")
end

-- Sections of one domain are no business of another.
do
	world()
	local ss, other = hasty(), srcu.new("other")
	thread("updater", function() synchronize_srcu(other) end)
	step("reader", 3)
	local ok, v = run_until("updater", function() return status("updater") == "done" end)
	tap.ok(ok and not v, "a reader of another srcu_struct")
end

-- ------------------------------------------------------------------- unlocks

wrong(function()
	local ss = srcu.new("ss")
	thread("reader", function() srcu_read_unlock(ss, 0) end)
end, "unbalanced-unlock",
	"^reader called srcu_read_unlock%(ss, 0%) before the first step, but it is inside no " ..
	"read section of ss%.", "an SRCU unlock without a lock")

wrong(function()
	local ss = srcu.new("ss")
	thread("reader", function()
		local idx = srcu_read_lock(ss)
		srcu_read_unlock(ss, 1 - idx)
	end)
end, "unbalanced-unlock",
	"^reader called srcu_read_unlock%(ss, 1%) after step 3, but the section that it is in " ..
	"began at step 3 with index 0%.", "an SRCU unlock with the other index")

wrong(function()
	local ss, idx = srcu.new("ss"), ghost("idx")
	thread("reader", function() idx.value = srcu_read_lock(ss) end)
	thread("helper", function()
		cond_wait(function() return idx.value end)
		srcu_read_unlock(ss, idx.value)
	end)
end, "unbalanced-unlock",
	"helper called srcu_read_unlock%(ss, 0%) after step %d+, but the section with that " ..
	"index was begun by reader at step 3%.", "an SRCU unlock in another task")

wrong(function()
	local ss = srcu.new("ss")
	thread("reader", function()
		local idx = srcu_down_read(ss)
		srcu_read_unlock(ss, idx)
	end)
end, "unbalanced-unlock", "began at step 3 with srcu_down_read%(%), which ends with " ..
	"srcu_up_read%(%)%.$", "srcu_read_unlock() after srcu_down_read()")

wrong(function()
	local m = mutex("m")
	thread("t", function() mutex_unlock(m) end)
end, "unbalanced-unlock",
	"^t released mutex m %(mutex_unlock, .*:%d+%) at step 1, but nobody holds it%.$",
	"a mutex that nobody holds")

do
	world()
	local m = mutex("m")
	thread("owner", function() mutex_lock(m) yield() mutex_unlock(m) end)
	thread("t", function() mutex_unlock(m) end)
	step("owner")
	local _, v = step("t")
	tap.is(v and v.kind, "unbalanced-unlock", "a mutex that another holds")
	tap.like(v and v.message, "at step 2, but owner holds it%. Only the task that took a " ..
		"lock may release it%.$", "in words")
	tap.is(v and v.other, "owner", "and who holds it")
	tap.is(status("t"), "failed", "it ends the task")
end

wrong(function()
	local l = spinlock("l")
	thread("t", function() spin_lock(l) spin_unlock(l) spin_unlock(l) end)
end, "unbalanced-unlock", "^t released spinlock l %(spin_unlock, .*%) at step 3, but nobody",
	"a spinlock released twice")

-- -------------------------------------------------------------------- the heap

do
	local function publish(sync)
		return function()
			local ss = srcu.new("ss")
			local p = ptr("p", kmalloc("old", { count = 7 }))
			thread("reader", function()
				local idx = srcu_read_lock(ss)
				local o = srcu_dereference(p, ss)
				assert(o.count > 0)
				srcu_read_unlock(ss, idx)
			end)
			thread("updater", function()
				local old = rcu_replace_pointer(p, kmalloc("new", { count = 8 }), true)
				if sync then synchronize_srcu(ss) end
				kfree(old)
			end)
		end
	end
	world(publish(false))
	step("reader", 4)
	finish("updater")
	local _, v = step("reader")
	tap.is(v and v.kind, "use-after-free", "a reader of a freed object")
	tap.like(v and v.message, "^reader read old%.count %(.*t2%-oracles%.t:%d+%) at step %d+, " ..
		"but updater had freed old at step %d+%. At that time reader was inside a read " ..
		"section of ss %(index 0%) since step 3: ", "in words")
	tap.is(v and v.other, "updater", "and who freed it")
	tap.is(status("reader"), "failed", "it ends the reader")
	legal(publish(true), "the same with synchronize_srcu()")
end

wrong(function()
	local o = kmalloc("o", { v = 1 })
	thread("t", function() kfree(o) kfree(o) end)
end, "double-free", "^t freed o %(kfree, .*:%d+%) at step 2, but it had itself freed o at " ..
	"step 1 already%.$", "freed twice")

wrong(function()
	local o = kmalloc("o", { v = 1 }, { static = true })
	thread("t", function() kfree(o) end)
end, "invalid-free", "^t freed o %(kfree, .*%) at step 1: that is static, and never freed%.$", "a static object")

wrong(function()
	local o = kmalloc("o", { v = 1 })
	thread("t", function() kfree(o) WRITE_ONCE(o'v', 2) end)
end, "use-after-free", "^t wrote o%.v %(WRITE_ONCE, .*%) at step 2, but it had itself freed o " ..
	"at step 1%.$", "a write to what one freed oneself")

wrong(function()
	local m = mutex("m")
	thread("t", function() kfree(m) end)
end, "invalid-free", "^t freed m %(kfree, .*%) at step 1: that is a mutex, and nothing that " ..
	"kmalloc%(%) made%.$", "something that kmalloc() did not make")

legal(function()
	local o, p = kmalloc("o", { v = 1 }), kmalloc("p", { v = 2 })
	thread("t", function()
		kfree(nil)
		kfree(o)
		p.v = p.v + 1
		local again = kmalloc("o", { v = 3 })
		again.v = again.v + 1
		kfree(again)
		kfree(p)
	end)
end, "kfree(nil), and objects beside a freed one")

-- ------------------------------------------------------------------- deadlocks

local function sync_under_lock()
	local ss, m = srcu.new("vm.srcu"), mutex("vm.lock")
	thread("reader", function()
		local idx = srcu_read_lock(ss)
		mutex_lock(m)
		mutex_unlock(m)
		srcu_read_unlock(ss, idx)
	end)
	thread("writer", function()
		mutex_lock(m)
		synchronize_srcu(ss)
		mutex_unlock(m)
	end)
end

do
	world(sync_under_lock)
	step("reader", 3)
	step("writer")
	local v = run().violations[1]
	tap.is(v and v.kind, "deadlock", "synchronize_srcu() under a lock that a reader takes")
	tap.is(v and v.message, "writer waits in synchronize_srcu(vm.srcu) for reader, which is " ..
		"inside a read section of vm.srcu (index 0) since step 3; reader waits for mutex " ..
		"vm.lock, which writer holds since step 4. Neither can ever go on.", "its circle")
	tap.is(v and v.thread, "writer", "one party")
	tap.is(v and v.other, "reader", "the other")
end

-- The section begins while the grace period is under way: it is not one that the
-- guarantee is about, and yet it holds the grace period up.
do
	world(sync_under_lock)
	step("writer")
	assert(run_until("writer", "SCAN1"))
	step("reader", 3)
	local v = run().violations[1]
	tap.is(v and v.kind, "deadlock", "a reader that came after the grace period began")
	tap.like(v and v.message, "writer waits in synchronize_srcu%(vm%.srcu%) for reader, which",
		"its circle")
end

do
	world()
	local a, b, c = mutex("a"), mutex("b"), mutex("c")
	local function taker(name, first, second)
		thread(name, function()
			mutex_lock(first)
			mutex_lock(second)
			mutex_unlock(second)
			mutex_unlock(first)
		end)
	end
	taker("x", a, b)
	taker("y", b, c)
	taker("z", c, a)
	for _, t in ipairs { "x", "y", "z" } do step(t) end
	local v = run().violations[1]
	tap.is(v and v.message, "x waits for mutex b, which y holds since step 2; y waits for " ..
		"mutex c, which z holds since step 3; z waits for mutex a, which x holds since " ..
		"step 1. None of them can ever go on.", "a circle of three")
end

-- Each in a section of the one, waiting for readers of the other.
wrong(function()
	local a, b = srcu.new("a"), srcu.new("b")
	local function crosses(name, mine, yours)
		thread(name, function()
			local idx = srcu_read_lock(mine)
			synchronize_srcu(yours)
			srcu_read_unlock(mine, idx)
		end)
	end
	crosses("x", a, b)
	crosses("y", b, a)
end, "deadlock", "^x waits in synchronize_srcu%(b%) for y, which is inside a read section of b " ..
	"%(index 0%) since step %d+; y waits in synchronize_srcu%(a%) for x, which is inside a " ..
	"read section of a %(index 0%) since step %d+%. Neither can ever go on%.$",
	"two srcu_structs, crosswise")

-- What is reported first is that it sleeps at all; run on, it comes to this.
local function then_wrong(scenario, kind, message, what)
	wrong(scenario, "sleep-in-atomic", "^Sleeping function called from invalid context: ", what)
	local v = run().violations
	tap.is(v[1] and v[1].kind, kind, what .. ": and then")
	tap.like(v[1] and v[1].message, message, what .. ": says so")
end

then_wrong(function()
	cpus(1)
	local l, m = spinlock("l"), mutex("m")
	thread("x", function() mutex_lock(m) yield() yield() mutex_unlock(m) end)
	thread("y", function() spin_lock(l) mutex_lock(m) mutex_unlock(m) spin_unlock(l) end)
end, "deadlock", "^x waits for CPU 0, which y does not give up %(it may not be preempted " ..
	"there%); y waits for mutex m, which x holds since step 1%.", "a mutex under a spinlock")

wrong(function()
	local ss = srcu.new("ss")
	thread("t", function()
		local idx = srcu_read_lock(ss)
		call_srcu(ss, function() end)
		srcu_barrier(ss)
		srcu_read_unlock(ss, idx)
	end)
end, "self-deadlock", "^t waits in srcu_barrier%(ss%) although it is itself inside",
	"srcu_barrier() in one's own section")

then_wrong(function()
	local ss, m = srcu.new("ss"), mutex("m")
	thread("t", function()
		call_srcu(ss, function() mutex_lock(m) mutex_unlock(m) end)
		mutex_lock(m)
		srcu_barrier(ss)
		mutex_unlock(m)
	end)
end, "deadlock", "^t waits in srcu_barrier%(ss%) for kworker/ss:cb0, which does the work of ss; " ..
	"kworker/ss:cb0 waits for mutex m, which t holds", "a callback that takes a lock")

wrong(function()
	local ss, m, handed = srcu.new("ss"), mutex("m"), ghost("handed")
	thread("first", function() handed.value = srcu_down_read(ss) end)
	thread("writer", function()
		mutex_lock(m)
		cond_wait(function() return handed.value end)
		synchronize_srcu(ss)
		mutex_unlock(m)
	end)
	thread("second", function()
		cond_wait(function() return handed.value end)
		mutex_lock(m)
		srcu_up_read(ss, handed.value)
		mutex_unlock(m)
	end)
end, "deadlock", "first has ended, and whoever might call srcu_up_read%(%) waits too: second " ..
	"waits for mutex m, which writer holds", "a section handed to one who cannot end it")

wrong(function()
	local m = mutex("m")
	thread("t", function() mutex_lock(m) mutex_lock(m) end)
end, "self-deadlock", "^t waits for mutex m, which it holds itself since step 1%. Nobody else " ..
	"can release it: t can never go on%.$", "a mutex taken twice")

wrong(function()
	local ss = srcu.new("ss")
	thread("t", function()
		local idx = srcu_read_lock(ss)
		synchronize_srcu(ss)
		srcu_read_unlock(ss, idx)
	end)
end, "self-deadlock", "^t called synchronize_srcu%(ss%) after step 3 although it is itself " ..
	"inside a read section of ss %(index 0%) since step 3%.",
	"synchronize_srcu() in one's own section")

wrong(function()
	local ss = srcu.new("ss")
	thread("reader", function() srcu_read_lock(ss) end)
	thread("writer", function()
		cond_wait(function() return ss:state().readers[0] > 0 end)
		synchronize_srcu(ss)
	end)
end, "deadlock", "But reader has ended inside its section: no grace period of ss can end any " ..
	"more%.$", "a reader that ends inside its section")

wrong(function()
	local m = mutex("m")
	thread("owner", function() mutex_lock(m) end)
	thread("waiter", function() mutex_lock(m) end)
end, "deadlock", "^waiter waits for mutex m, which owner holds since step 1%. But owner has " ..
	"ended without releasing it: nobody else can%.$", "a lock whose owner has ended")

wrong(function()
	local ss = srcu.new("ss")
	thread("reader", function() srcu_read_lock(ss) end)
	thread("caller", function()
		cond_wait(function() return ss:state().readers[0] > 0 end)
		call_srcu(ss, function() end)
	end)
end, "deadlock", "^The callback that caller queued with call_srcu%(ss%) at step %d+ was never " ..
	"invoked: reader ended inside a read section of ss %(index 0%) since step %d+, and no grace",
	"a callback that no grace period can bring")

wrong(function()
	local c = completion("c")
	thread("t", function() wait_for_completion(c) end)
	thread("other", function() end)
end, "stall", "^t waits for completion c, and nothing is left to run that could complete it%.",
	"a completion that nobody completes")

wrong(function()
	local v = var("v")
	thread("t", function() cond_wait(function() return READ_ONCE(v) == 1 end) end)
end, "stall", "^t waits in cond_wait%(%), and nothing is left to run that could make its " ..
	"condition true%.", "a condition that nobody makes true")

wrong(function()
	local ss, c = srcu.new("ss"), completion("c")
	thread("t", function()
		local idx = srcu_read_lock(ss)
		call_srcu(ss, function() complete(c) end)
		wait_for_completion(c)
		srcu_read_unlock(ss, idx)
	end)
end, "stall", "The callback that t queued with call_srcu%(ss%) at step %d+ was never invoked: " ..
	"t is inside a read section of ss %(index 0%) since step 3%.$",
	"waiting for one's own callback in a section")

legal(function()
	local ss, m, c = srcu.new("ss"), mutex("m"), completion("c")
	thread("idle")
	thread("never", function() assume(false) end)
	thread("waiter", function() wait_for_completion(c) end)
	thread("worker", function() mutex_lock(m) synchronize_srcu(ss) mutex_unlock(m) end)
end, "idle workers, threads without a call, and assume(false)")

-- --------------------------------------------------------- what bodies claim

do
	local v = wrong(function()
		local x = var("x", 2)
		thread("t", function() assert(READ_ONCE(x) == 1, "x is one") end)
	end, "assertion", "assert%(%) failed: x is one%. This is t on CPU 0, after step 1%.$",
		"an assertion that fails")
	tap.is(v and v.thread, "t", "an assertion: whose")
end

wrong(function()
	local ss = srcu.new("ss")
	thread("t", function()
		local idx = srcu_read_lock(ss)
		WARN_ON(idx == 0)
		srcu_read_unlock(ss, idx)
	end)
end, "warning", "WARN_ON%(%) was hit%. This is t on CPU 0, after step 3, inside a read section " ..
	"of ss %(index 0%) since step 3%.$", "a warning, which does not end the thread")

wrong(function()
	thread("t", function() yield() error("no such thing") end)
end, "error", "^[^\n]*no such thing%. This is t on CPU 0, after step 1%.\n", "an error in a body")

-- --------------------------------------------------------------- going back

do
	world(sync_under_lock)
	step("reader", 3)
	step("writer")
	local first = run().violations[1]
	local steps = #trace()
	back(steps - 4)
	local again = run().violations[1]
	tap.is(again and again.message, first.message, "the same after going back")
	reset()
	run_until("writer", function() return status("writer") == "done" end)
	tap.is(#run().violations, 0, "and nothing is left of it in another order")
end

tap.done()
