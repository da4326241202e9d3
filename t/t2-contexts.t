-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What a CPU forbids itself, and what is left behind: sleeping where one may not,
-- contexts that are not undone or were never begun, and leaks.

local tap = require("tap")
local oracle = dofile((os.getenv("top_srcdir") or ".") .. "/t/lib/oracle.lua")
local wrong, legal = oracle.wrong, oracle.legal

-- ----------------------------------------------------------- sleep-in-atomic

local SLEEPS = "^Sleeping function called from invalid context: "

-- A thread that does `off`, then sleeps in `sleep`, then undoes it.
local function atomic(off, on, sleep)
	return function()
		local things = { m = mutex("m"), c = completion("c"), s = rwsem("s"), l = spinlock("l"),
			wq = waitqueue("wq"), ss = srcu.new("ss"), w = work("w", function() end) }
		thread("t", function()
			off(things)
			sleep(things)
			on(things)
		end)
	end
end

local contexts = {
	{ "under a spinlock", function(x) spin_lock(x.l) end, function(x) spin_unlock(x.l) end,
		"under spinlock l since step 1 %(spin_lock, " },
	{ "with preemption off", preempt_disable, preempt_enable,
		"with preemption off since step 1 %(preempt_disable, " },
	{ "with bottom halves off", local_bh_disable, local_bh_enable,
		"with bottom halves off since step 1 %(local_bh_disable, " },
	{ "with interrupts off", local_irq_disable, local_irq_enable,
		"with interrupts off since step 1 %(local_irq_disable, " },
}
local sleeps = {
	{ "mutex_lock%(m%)", function(x) mutex_lock(x.m) mutex_unlock(x.m) end },
	{ "wait_for_completion%(c%)", function(x) wait_for_completion(x.c) end },
	{ "down_read%(s%)", function(x) down_read(x.s) up_read(x.s) end },
	{ "down_write%(s%)", function(x) down_write(x.s) up_write(x.s) end },
	{ "schedule_wait%(wq%)", function(x) prepare_to_wait(x.wq) schedule_wait(x.wq) end },
	{ "synchronize_srcu%(ss%)", function(x) synchronize_srcu(x.ss) end },
	{ "synchronize_srcu_expedited%(ss%)", function(x) synchronize_srcu_expedited(x.ss) end },
	{ "srcu_barrier%(ss%)", function(x) srcu_barrier(x.ss) end },
	{ "flush_work%(%)", function(x) flush_work(x.w) end },
}
for _, c in ipairs(contexts) do
	for _, s in ipairs(sleeps) do
		wrong(atomic(function(x) c[2](x) end, function(x) c[3](x) end, s[2]), "sleep-in-atomic",
			SLEEPS .. "t called " .. s[1] .. ".* after step %d+, " .. c[4], s[1]:gsub("%%", "") ..
			" " .. c[1])
	end
end

wrong(function()
	local ss, m = srcu.new("ss"), mutex("m")
	thread("t", function() call_srcu(ss, function() mutex_lock(m) mutex_unlock(m) end) end)
end, "sleep-in-atomic", SLEEPS .. "kworker/ss:cb0 called mutex_lock%(m%) .* in an SRCU callback since step ",
	"a mutex in an SRCU callback")

legal(function()
	local l, m, ss = spinlock("l"), mutex("m"), srcu.new("ss")
	thread("t", function()
		preempt_disable()
		local o = kmalloc("o")
		if mutex_trylock(m) then mutex_unlock(m) end
		srcu_read_unlock(ss, srcu_read_lock(ss))
		kfree(o)
		preempt_enable()
		spin_lock(l)
		spin_unlock(l)
		local flags = spin_lock_irqsave(l)
		spin_unlock_irqrestore(l, flags)
		synchronize_srcu(ss)
	end)
end, "what may be called there, and sleeping afterwards")

wrong(function()
	thread("t", function() preempt_disable() end)
end, "sleep-in-atomic", "^t ended after step 1 with preemption off since step 1 %(preempt_disable, .*%)%. ",
	"a thread that ends with preemption off")

wrong(function()
	local l = spinlock("l")
	thread("t", function() spin_lock(l) end)
end, "sleep-in-atomic", "^t ended after step 1 under spinlock l since step 1 ",
	"a thread that ends under a spinlock")

wrong(function()
	local w = work("w", function() local_bh_disable() end)
	thread("t", function() queue_work(w) end)
end, "warning", "^kworker/w came to the end of a work item after step %d+ with ",
	"a work item that leaves bottom halves off")

for _, name in ipairs { "preempt_enable", "local_bh_enable", "local_irq_enable" } do
	wrong(function()
		thread("t", function() _G[name]() end)
	end, "unbalanced-unlock", "^t called " .. name .. "%(%) %(.*:%d+%) after its step 0, but nothing was " ..
		"disabled that it could enable%.", name .. "() of nothing")
end

wrong(function()
	local l = spinlock("l")
	thread("t", function() spin_lock(l) spin_unlock_irq(l) end)
end, "unbalanced-unlock", "which turns interrupts on again, but they are on", "spin_lock() and spin_unlock_irq()")

wrong(function()
	local l = spinlock("l")
	thread("t", function() spin_lock(l) spin_unlock_bh(l) end)
end, "unbalanced-unlock", "which turns bottom halves on again, but they are on", "spin_lock() and spin_unlock_bh()")

do
	world()
	local deep
	thread("t", function()
		for _ = 1, 255 do preempt_disable() end
		deep = select(2, pcall(preempt_disable))
		for _ = 1, 255 do preempt_enable() end
	end)
	tap.is(#run().violations, 0, "preempt_disable() 255 deep")
	tap.like(deep, "^preempt_disable: nested more than 255 deep", "and no deeper")
	world()
	local locks = {}
	for i = 1, 256 do locks[i] = spinlock("l" .. i) end
	thread("t", function()
		for i = 1, 255 do spin_lock(locks[i]) end
		deep = select(2, pcall(spin_lock, locks[256]))
		for i = 1, 255 do spin_unlock(locks[i]) end
	end)
	tap.is(#run().violations, 0, "255 spinlocks at once")
	tap.like(deep, "^spin_lock: more than 255 spinlocks are held", "and no more")
end

-- ----------------------------------------------------------------------- leaks

wrong(function()
	local p = ptr("p", kmalloc("old"))
	thread("t", function() rcu_assign_pointer(p, kmalloc("new")) end)
end, "leak", "^old was never freed: every thread is done, and no pointer in a live object leads to it%. " ..
	"p pointed to it until t wrote something else there at step 1%.$", "an object that nobody freed")

wrong(function()
	thread("t", function() kmalloc("a") kmalloc("b") kmalloc("c") end)
end, "leak", "^a@t%.1, which t made, was never freed: .* 2 more objects are lost like that%.$",
	"objects that a thread let go")

wrong(function()
	local o = kmalloc("outer", { inner = kmalloc("inner") })
	thread("t", function() kfree(o) end)
end, "leak", "^inner was never freed", "what only a freed object points to")

legal(function()
	local p, list, ss = ptr("p", kmalloc("old", { next = kmalloc("next") })), list_head("list"), srcu.new("ss")
	local global = kmalloc("global", { v = 1 })
	local static = ptr("static", kmalloc("fixed", {}, { static = true }))
	thread("t", function()
		local old = rcu_replace_pointer(p, kmalloc("new", { a = array(2, null) }), true)
		READ_ONCE(p).a[1] = kmalloc("element")
		kfree(old.next)
		call_srcu(ss, function() kfree(old) end)
		list_add_rcu(kmalloc("listed"), list)
		global.v = 2
		rcu_assign_pointer(static, nil)
	end)
	thread("vcpu", function() kvm_vm_ioctl_set_msr_filter(kvm.create_vm("kvm"), { ranges = {} }) end)
end, "what pointers, fields, arrays, lists and filters lead to, globals and static objects")

legal(function()
	local p = ptr("p", kmalloc("o"))
	thread("waits")
	thread("t", function() rcu_assign_pointer(p, nil) end)
end, "no leak while a thread may still free it")

tap.done()
