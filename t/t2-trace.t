-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What is judged by the trace: data races, the order of locks, and what only another
-- order of the same steps would show.  Each rule with a scenario that breaks it, and
-- with its neighbours that do not.

local tap = require("tap")

-- All kinds of violations that the scenario has, each once, in order of name.
local function kinds(scenario, opts)
	local seen, list = {}, {}
	opts = opts or {}
	opts.keep_going = true
	local r = explore(scenario, opts)
	for _, v in ipairs(r.violations) do
		if not seen[v.kind] then
			seen[v.kind] = true
			list[#list + 1] = v.kind
		end
	end
	table.sort(list)
	return table.concat(list, " "), r
end

-- It has this violation and no other; its words; and its schedule leads back to it.
local function wrong(kind, message, scenario, what, opts)
	local found, r = kinds(scenario, opts)
	tap.is(found, kind, what)
	local v = r.violations[1]
	tap.like(v and v.message, message, what .. ": in words")
	world(scenario)
	local ok, again = replay(v and v.schedule or "?")
	tap.is(ok and again and again.kind, kind, what .. ": the schedule leads there")
	world()
	return v
end

local function legal(scenario, what, opts)
	local found, r = kinds(scenario, opts)
	tap.is(found, "", what)
	tap.is(r.verdict, "ok", what .. ": all of it was seen")
end

-- ------------------------------------------------------------------ races

-- Two bodies over v, p and what they are given.
local function pair(a, b, setup, opts_a, opts_b)
	return function()
		local s = { v = var("v"), p = ptr("p") }
		if setup then setup(s) end
		thread("a", function() a(s) end, opts_a)
		thread("b", function() b(s) end, opts_b)
	end
end
local function set(s) s.v:set(s.v:get() + 1) end
local function get(s) local _ = s.v:get() end
local function with_mutex(s) s.m = mutex("m") end
local function under_mutex(f)
	return function(s) mutex_lock(s.m) f(s) mutex_unlock(s.m) end
end

local v = wrong("data-race", "^b plainly read v at step 2 %(get, %S-t/t2%-trace%.t:%d+%), and a plainly wrote it at " ..
	"step 1 %(set, %S-t/t2%-trace%.t:%d+%), with nothing that orders the two%.",
	pair(function(s) s.v:set(1) end, get), "a plain write and a plain read")
tap.is(v.thread, "b", "who came second")
tap.is(v.other, "a", "and who first")
wrong("data-race", "plainly read v at step %d.* wrote it", pair(function(s) WRITE_ONCE(s.v, 1) end, get),
	"a marked write and a plain read")
wrong("data-race", "updated v at step %d.* plainly wrote it", pair(function(s) s.v:set(1) end,
	function(s) atomic_inc(s.v) end), "a plain write and an atomic increment")
legal(pair(function(s) WRITE_ONCE(s.v, 1) end, function(s) READ_ONCE(s.v) end), "marked accesses")
legal(pair(get, get), "two plain reads")
legal(pair(under_mutex(set), under_mutex(set), with_mutex), "under a mutex")
wrong("data-race", "v at step", pair(under_mutex(set), get, with_mutex), "a mutex that only one takes")
wrong("data-race", "v at step", pair(under_mutex(set), function(s)
	mutex_lock(s.n) set(s) mutex_unlock(s.n)
end, function(s) s.m, s.n = mutex("m"), mutex("n") end), "two mutexes")

-- A mark that is waited for orders what is plain.
legal(pair(function(s) s.v:set(1) smp_store_release(s.p, s.o) end, function(s)
	if READ_ONCE(s.p) then get(s) end
end, function(s) s.o = kmalloc("o", nil, { static = true }) end), "a flag that was seen")
legal(pair(function(s) set(s) complete(s.c) end, function(s) wait_for_completion(s.c) set(s) end,
	function(s) s.c = completion("c") end), "a completion")
legal(pair(function(s) set(s) WRITE_ONCE(s.f, 1) end, function(s)
	cond_wait(function() return READ_ONCE(s.f) == 1 end) set(s)
end, function(s) s.f = var("f") end), "a condition")
legal(pair(function(s) set(s) s.g.value = true end, function(s)
	cond_wait(function() return s.g.value end) set(s)
end, function(s) s.g = ghost("g", false) end), "a condition over a ghost")
wrong("data-race", "v at step", pair(function(s) set(s) s.g.value = true end, function(s)
	yield()
	if s.g.value then set(s) end
end, function(s) s.g = ghost("g", false) end), "a ghost that is only read")
legal(function()
	local x = var("v")
	thread("a", function()
		x:set(1)
		thread("child", function() x:set(2) end)
	end)
end, "a thread and who made it before")
wrong("data-race", "v at step", function()
	local x = var("v")
	thread("a", function()
		thread("child", function() x:set(2) end)
		yield()
		x:set(1)
	end)
end, "a thread and who made it, afterwards")
legal(function()
	local x = var("v")
	local w = work("w", function() x:set(x:get() + 1) end)
	thread("a", function() x:set(1) queue_work(w) flush_work(w) x:set(3) end)
end, "a work item, queued and flushed")
wrong("data-race", "v at step", function()
	local x = var("v")
	local w = work("w", function() x:set(x:get() + 1) end)
	thread("a", function() queue_work(w) x:set(3) end)
end, "a work item that nobody waits for")

-- Publication: what is done before it needs no mark, what comes after it does.
local function reader(s)
	local i = rcu_read_lock()
	local o = rcu_dereference(s.p)
	if o then local _ = o.f end
	rcu_read_unlock(i)
end
legal(pair(function(s)
	local o = kmalloc("new", { f = 0 }, { static = true })
	o.f = 1
	rcu_assign_pointer(s.p, o)
end, reader), "initialised, then published")
wrong("data-race", "new@a%.1%.f at step", pair(function(s)
	local o = kmalloc("new", { f = 0 }, { static = true })
	rcu_assign_pointer(s.p, o)
	o.f = 1
end, reader), "published, then initialised")

-- On one CPU who keeps others out needs no lock.
local function disabled(s) preempt_disable() set(s) preempt_enable() end
local here = { cpu = 0 }
legal(pair(disabled, disabled, nil, here, here), "without preemption on one CPU")
wrong("data-race", "v at step", pair(disabled, disabled, nil, here, { cpu = 1 }), "on two CPUs")
wrong("data-race", "v at step", pair(disabled, get, nil, here, here), "only one of them without preemption")
wrong("data-race", "v at step", pair(function(s) s.v:set(1) preempt_disable() preempt_enable() end,
	function(s) preempt_disable() preempt_enable() s.v:set(2) end, nil, here, here),
	"keeping a CPU orders nothing else")
local function irq_pair(body)
	return function()
		local s = { v = var("v") }
		thread("a", function() body(s) end, here)
		irq("strike", 0, function() set(s) end)
	end
end
legal(irq_pair(function(s) local_irq_disable() set(s) local_irq_enable() end), "interrupts off")
wrong("data-race", "v at step", irq_pair(disabled), "only preemption off")
wrong("data-race", "v at step", irq_pair(set), "an interrupt")

-- ------------------------------------------------------------ lock order

-- One after the other, so that nothing happens to them.
local function orders(a, b, c)
	return function()
		local turn = var("turn")
		thread("x", function() a() WRITE_ONCE(turn, 1) end)
		thread("y", function() cond_wait(function() return READ_ONCE(turn) == 1 end) b() WRITE_ONCE(turn, 2) end)
		if c then
			thread("z", function() cond_wait(function() return READ_ONCE(turn) == 2 end) c() end)
		end
	end
end
local function nest(a, b)
	return function() mutex_lock(a) mutex_lock(b) mutex_unlock(b) mutex_unlock(a) end
end
local function mutexes(f, names, opts)
	return function()
		local m = {}
		for i, name in ipairs(names) do m[i] = mutex(name, opts and opts[i]) end
		f(table.unpack(m))()
	end
end

wrong("lock-order", "^x took mutex b at step 2 %(mutex_lock, %S-t/t2%-trace%.t:%d+%) while holding mutex a since " ..
	"step 1 %(mutex_lock, %S-t/t2%-trace%.t:%d+%); y took mutex a at step %d+ %(.-%) while holding mutex b since " ..
	"step %d+ %(.-%)%. This run did not stop there, but where both come so far at once, each waits for " ..
	"the other for ever%.$", mutexes(function(a, b) return orders(nest(a, b), nest(b, a)) end, { "a", "b" }),
	"two mutexes, crosswise")
legal(mutexes(function(a, b) return orders(nest(a, b), nest(a, b)) end, { "a", "b" }), "in one order")
wrong("lock-order", "; .*; z took mutex a .* all come so far", mutexes(function(a, b, c)
	return orders(nest(a, b), nest(b, c), nest(c, a))
end, { "a", "b", "c" }), "a circle of three")
legal(mutexes(function(a, b)
	return orders(nest(a, b), function()
		mutex_lock(b)
		if mutex_trylock(a) then mutex_unlock(a) end
		mutex_unlock(b)
	end)
end, { "a", "b" }), "who only tries waits for nobody")
wrong("lock-order", "took mutex a .* while holding mutex b", mutexes(function(a, b)
	return orders(nest(a, b), function()
		if mutex_trylock(b) then mutex_lock(a) mutex_unlock(a) mutex_unlock(b) end
	end)
end, { "a", "b" }), "but holds what it got")

-- Classes.
local function alone(a, b) return function() thread("t", nest(a, b)) end end
wrong("lock-order", "^t took mutex vm2%.lock at step 2 .- while holding mutex vm1%.lock since step 1 .- vm2%.lock " ..
	"and vm1%.lock are of one class, \"mutex vm%.lock\"%. This run did not stop there, but where another thread does " ..
	"the same the other way round", mutexes(alone, { "vm1.lock", "vm2.lock" }), "two of a class")
legal(mutexes(alone, { "vm1.lock", "vm2.lock" }, { { class = "outer" }, { class = "inner" } }),
	"with a class each")
wrong("lock-order", "one class, \"mutex both\"", mutexes(alone, { "a", "b" }, { { class = "both" }, { class = "both" } }),
	"one class by name")
legal(mutexes(alone, { "m1", "m2" }), "a number at the end is a name")
wrong("lock-order", "vm1%.b and vm2%.b are of one class", mutexes(function(a, b, c, d)
	return orders(nest(a, b), nest(d, c))
end, { "vm1.a", "vm1.b", "vm2.a", "vm2.b" }), "a circle of classes, and of no locks")

-- Rwsems: readers of one wait for a writer that waits.
local function read_then_lock(s, m)
	return function() down_read(s) mutex_lock(m) mutex_unlock(m) up_read(s) end
end
local function lock_then_read(s, m)
	return function() mutex_lock(m) down_read(s) up_read(s) mutex_unlock(m) end
end
wrong("lock-order", "rwsem s", function()
	local s, m = rwsem("s"), mutex("m")
	orders(read_then_lock(s, m), lock_then_read(s, m))()
end, "a reader, and a mutex")
legal(function()
	local s, m = rwsem("s"), mutex("m")
	orders(read_then_lock(s, m), read_then_lock(s, m))()
end, "both in one order")
wrong("lock-order", "^t took rwsem s .- while holding rwsem s .- where a writer comes to wait in between%.$", function()
	local s = rwsem("s")
	thread("t", function() down_read(s) down_read(s) up_read(s) up_read(s) end)
end, "a reader that reads again")

-- SRCU: a section is held, a grace period waits.
local function sections(outer, inner)
	return function()
		local i = srcu_read_lock(outer)
		inner()
		srcu_read_unlock(outer, i)
	end
end
local function domains(f)
	return function() f(srcu.new("s1", { flavor = "ideal" }), srcu.new("s2", { flavor = "ideal" }), mutex("m"))() end
end
local function k5(s, _, m)
	return orders(sections(s, function() mutex_lock(m) mutex_unlock(m) end),
		function() mutex_lock(m) synchronize_srcu(s) mutex_unlock(m) end)
end
wrong("lock-order", "^x took mutex m at step 2 .- inside a read section of s1 since step 1; y called synchronize_srcu%(s1%) " ..
	"after step %d+ while holding mutex m since step %d+", domains(k5), "synchronize_srcu() under a reader's mutex")
legal(domains(k5), "of which Linux 6.1 knew nothing", { lockdep = "6.1" })
legal(domains(function(s, _, m)
	return orders(sections(s, function() mutex_lock(m) mutex_unlock(m) end),
		function() mutex_lock(m) mutex_unlock(m) synchronize_srcu(s) end)
end), "after it")
local function reads(s) return function() srcu_read_unlock(s, srcu_read_lock(s)) end end
legal(domains(function(a, b) return orders(sections(a, reads(b)), sections(b, reads(a))) end),
	"readers in both orders")
wrong("lock-order", "x called synchronize_srcu%(s2%) after step 1 inside a read section of s1 since step 1; y called " ..
	"synchronize_srcu%(s1%) after step %d+ inside a read section of s2", domains(function(a, b)
	return orders(sections(a, function() synchronize_srcu(b) end), sections(b, function() synchronize_srcu(a) end))
end), "each waits inside the other")
legal(domains(function(a, b)
	return orders(sections(a, function() synchronize_srcu(b) end), reads(b))
end), "only one of them")
wrong("lock-order", "called srcu_barrier%(s1%) .- inside a read section of s1 .- where a callback is waiting", domains(
	function(s) return function() thread("t", sections(s, function() srcu_barrier(s) end)) end end),
	"a barrier in its own section")

-- Interrupts.
local function striker(lock, unlock, on_cpu)
	return function()
		local l = spinlock("l")
		thread("t", function() lock(l) unlock(l) end, { cpu = on_cpu })
		irq("strike", 0, function() spin_lock(l) spin_unlock(l) end)
	end
end
wrong("lock-order", "^t took spinlock l at step %d+ .- with interrupts on, and strike took spinlock l at step %d+ .-, in an " ..
	"interrupt%. .- spin_lock_irqsave", striker(spin_lock, spin_unlock, 1), "a lock that an interrupt takes")
legal(striker(spin_lock_irq, spin_unlock_irq, 1), "with interrupts off")
legal(striker(function(l) local_irq_disable() spin_lock(l) end, function(l) spin_unlock(l) local_irq_enable() end, 1),
	"turned off before")
wrong("lock-order", "with interrupts on, .- strikes the CPU of u while t waits for it, all three wait", function()
	local l, m, n = spinlock("l"), spinlock("m"), var("n")
	thread("t", function()
		spin_lock_irq(l) spin_lock(m) spin_unlock(m) spin_unlock_irq(l)
	end, { cpu = 1 })
	thread("u", function() spin_lock(m) atomic_inc(n) spin_unlock(m) end, { cpu = 2 })
	irq("strike", 0, function() spin_lock(l) spin_unlock(l) end)
end, "and by way of another lock")

-- ------------------------------------------------- another order of the steps

-- In turns the reader is done before the object is freed; it need not be.
local function taken(wait)
	return function()
		local ss, p = srcu.new("ss", { flavor = "ideal" }), ptr("p", kmalloc("o", { f = 1 }))
		thread("reader", function()
			local i = srcu_read_lock(ss)
			local o = srcu_dereference(p, ss)
			if o then READ_ONCE(o'f') end
			srcu_read_unlock(ss, i)
		end)
		thread("writer", function()
			local o = xchg(p, nil)
			if wait then synchronize_srcu(ss) end
			kfree(o)
		end)
	end
end
wrong("use-after-free", "^reader read o%.f .- but writer had freed o at step", taken(false), "freed without waiting")
legal(taken(true), "after a grace period")
local first = explore(taken(false))
tap.is(first.executions, 1, "one execution stands for all orders of its steps")

local function hasty(faults)
	return function()
		cpus(2)
		local ss = srcu.new("ss", { faults = faults })
		thread("reader", function() srcu_read_unlock(ss, srcu_read_lock(ss)) end)
		thread("updater", function() synchronize_srcu(ss) end)
	end
end
wrong("grace-period", "^synchronize_srcu%(ss%) by updater returned at step %d+ although reader has been inside",
	hasty { "no-scan1", "no-scan2" }, "a grace period that does not wait")
wrong("grace-period", "synchronize_srcu_expedited%(ss%) by updater", function()
	cpus(2)
	local ss = srcu.new("ss", { faults = { "no-scan1", "no-scan2" } })
	thread("reader", function() srcu_read_unlock(ss, srcu_read_lock(ss)) end)
	thread("updater", function() synchronize_srcu_expedited(ss) end)
end, "nor an expedited one")

tap.done()
