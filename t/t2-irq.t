-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Interrupts: when they strike and when not, that they run to their end first,
-- and what they may not do.

local tap = require("tap")

local function order()
	local t = {}
	for _, e in ipairs(trace(math.maxinteger)) do t[#t + 1] = e.thread end
	return table.concat(t, " ")
end

-- -------------------------------------------------------------- when they strike

local function simple()
	local x = var("x")
	thread("t", function() for _ = 1, 3 do x:set(x:get() + 1) end end, { cpu = 0 })
	irq("i", 0, function() WRITE_ONCE(x, 10) WRITE_ONCE(x, 20) end)
end

world(simple)
tap.is(tostring(threads()[2]), 'irq "i"', "its kind and name")
tap.is(status("i"), "ready", "it may strike at once")
tap.is(pending("i").text, "may strike", "which is what it does next")
run()
tap.is(order(), "t t t t t t i i i", "in turns it strikes at the end")
tap.is(status("i"), "done", "and strikes once")

do
	local places, split = {}, 0
	for seed = 1, 200 do
		world(simple)
		run { policy = "random", seed = seed }
		local o = order()
		places[select(2, o:match("^(.-)i"):gsub("t", ""))] = true
		if not o:find("i i i", 1, true) then split = split + 1 end
	end
	local n = 0
	for _ in pairs(places) do n = n + 1 end
	tap.is(n, 7, "at random it strikes before, between and after all steps")
	tap.is(split, 0, "and always runs to its end first")
end

world(simple)
step("t", 2)
step("i")
tap.is(trace(1)[1].text, "strikes", "stepped, it strikes")
tap.is(trace(1)[1].cpu, 0, "on its CPU")
local state, why = status("t")
tap.is(state, "blocked", "then the thread stands still")
tap.like(why, "CPU 0 belongs to i", "and says why")
finish("i")
tap.is(status("t"), "ready", "until it is over")
back(1)
tap.is(status("t"), "blocked", "going back")
tap.is(run().verdict, "ok", "and forwards")
local s = schedule()
tap.ok(replay(s) and schedule() == s, "a schedule with an interrupt is replayed")

-- another CPU goes on
world()
local x = var("x")
thread("t", function() WRITE_ONCE(x, 1) WRITE_ONCE(x, 2) end, { cpu = 1 })
irq("i", 0, function() WRITE_ONCE(x, 3) WRITE_ONCE(x, 4) end)
step("i")
step("t")
tap.is(order(), "i t", "other CPUs go on")

-- -------------------------------------------------------------- what keeps them off

for _, c in ipairs {
	{ "local_irq_disable", local_irq_disable, local_irq_enable, true },
	{ "preempt_disable", preempt_disable, preempt_enable, false },
	{ "local_bh_disable", local_bh_disable, local_bh_enable, false },
} do
	world()
	x = var("x")
	thread("t", function() c[2]() WRITE_ONCE(x, 1) c[3]() end, { cpu = 0 })
	irq("i", 0, function() WRITE_ONCE(x, 2) end)
	step("t")
	tap.is(status("i"), c[4] and "blocked" or "ready", c[1] .. "() and interrupts")
	if c[4] then tap.like(select(2, status("i")), "interrupts are off on CPU 0 %(t%)", "and why") end
	tap.is(run().verdict, "ok", c[1] .. "(): it strikes all the same")
end

-- two of one CPU, one after the other; nested in a thread without preemption
world()
x = var("x")
irq("a", 0, function() WRITE_ONCE(x, 1) WRITE_ONCE(x, 2) end)
irq("b", 0, function() WRITE_ONCE(x, 3) WRITE_ONCE(x, 4) end)
thread("t", function() preempt_disable() yield() preempt_enable() end, { cpu = 0 })
thread("u", function() yield() end, { cpu = 0 })
step("t")
step("a")
tap.is(status("b"), "blocked", "one interrupt at a time")
finish("a")
tap.is(status("u"), "blocked", "then the CPU is again whose it was")
finish("b")
tap.is(run().verdict, "ok", "and all come to their end")

-- a timer's handler can be interrupted
do
	local inside = 0
	for seed = 1, 80 do
		world()
		local ss = srcu.new("ss")
		thread("t", function() synchronize_srcu(ss) end, { cpu = 0 })
		irq("i", 0, function() srcu_read_unlock(ss, srcu_read_lock(ss)) end)
		local r = run { policy = "random", seed = seed }
		if r.verdict ~= "ok" then tap.diag(seed, r.violations[1].kind, r.violations[1].message) end
		inside = inside + #r.violations
	end
	tap.is(inside, 0, "a reader in an interrupt of the CPU that waits for a grace period")
end

-- ------------------------------------------------------------------ what is wrong

local function kind(scenario, opts)
	world(scenario)
	local v = run(opts).violations[1]
	return v and v.kind, v and v.message
end

do
	local found = {}
	local function lock(take, give)
		return function()
			local l = spinlock("l")
			thread("t", function() local f = take(l) yield() give(l, f) end, { cpu = 0 })
			irq("i", 0, function() spin_lock(l) spin_unlock(l) end)
		end
	end
	for seed = 1, 60 do
		local k, m = kind(lock(spin_lock, spin_unlock), { policy = "random", seed = seed })
		if k then found[k] = m end
		k = kind(lock(spin_lock_irqsave, spin_unlock_irqrestore), { policy = "random", seed = seed })
		if k then tap.fail("spin_lock_irqsave(): " .. k) end
	end
	tap.like(found.deadlock, "t waits for CPU 0, which i does not give up .*; i waits for spinlock l, which " ..
		"t holds since step %d+%.", "a spinlock that an interrupt takes, with interrupts on")
end

local k, m = kind(function()
	local l = mutex("l")
	irq("i", 0, function() mutex_lock(l) mutex_unlock(l) end)
end)
tap.is(k, "sleep-in-atomic", "an interrupt that takes a mutex")
tap.like(m, "^Sleeping function called from invalid context: i called mutex_lock%(l%) .* after step 1, in " ..
	"interrupt i, which struck at step 1%.", "says so")

k = kind(function()
	local ss = srcu.new("ss")
	irq("i", 0, function() synchronize_srcu(ss) end)
end)
tap.is(k, "sleep-in-atomic", "an interrupt that waits for a grace period")

k, m = kind(function() irq("i", 0, function() local_irq_enable() end) end)
tap.is(k, "unbalanced-unlock", "an interrupt that turns interrupts on")

k, m = kind(function() irq("i", 0, function() preempt_disable() end) end)
tap.is(k, "sleep-in-atomic", "an interrupt that ends with preemption off")
tap.like(m, "^i ended after step 2 with preemption off since step 2 ", "says so")

k = kind(function() irq("i", 0, function() error("x") end) end)
tap.is(k, "error", "an error in an interrupt")

-- what it may do
k, m = kind(function()
	local c, wq, l = completion("c"), waitqueue("wq"), spinlock("l")
	local w = work("w", function() yield() end)
	irq("i", 0, function()
		local o = kmalloc("o")
		spin_lock(l)
		spin_unlock(l)
		complete(c)
		wake_up(wq)
		queue_work(w)
		local_irq_disable()
		local_irq_enable()
		kfree(o)
	end)
	thread("t", function() wait_for_completion(c) flush_work(w) end)
end)
tap.is(k, nil, "what an interrupt may do")
if k then tap.diag(m) end

-- -------------------------------------------------------------------- bad input

world()
cpus(2)
tap.raises(function() irq() end, "bad argument #1 to 'irq' %(name expected, got no value%)", "no name")
tap.raises(function() irq("i") end, "bad argument #2 to 'irq' %(integer expected, got no value%)", "no CPU")
tap.raises(function() irq("i", 2, print) end, "bad argument #2 to 'irq' %(expected 0%.%.1, got 2%)", "no such CPU")
tap.raises(function() irq("i", 0) end, "bad argument #3 to 'irq' %(function expected, got no value%)", "no function")
tap.raises(function() irq("i", 0, {}) end, "bad argument #3 to 'irq' %(function expected, got table%)", "a table")
irq("i", 0, function() end)
tap.raises(function() irq("i", 0, print) end, 'irq: name "i" is taken by irq "i"', "a name that is taken")
tap.is(run().verdict, "ok", "an interrupt alone")

tap.done()
