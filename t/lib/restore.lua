-- SPDX-License-Identifier: GPL-2.0-or-later
-- Worlds for t2-restore: small scenarios that between them use everything that an
-- execution can change.  Bodies change nothing that outlives one.

local S = {}

function S.vars()
	local v = {}
	for i = 1, 20 do
		v[i] = var("v" .. i, i)
	end
	for n = 1, 4 do
		thread("t" .. n, function()
			for i = n, n + 2 do
				WRITE_ONCE(v[i], READ_ONCE(v[i + 1]) + n)
				smp_mb()
				atomic_inc(v[20])
			end
			cmpxchg(v[n], 5, 6)
		end)
	end
end

-- threads and objects made by bodies, with names that depend on the schedule
function S.made()
	local p, q = ptr("p"), var("q")
	local kept = kmalloc("kept", { a = 1, b = null, c = array(3, 7) })
	thread("maker", function()
		local o = kmalloc(READ_ONCE(q) == 0 and "early" or "late", { x = READ_ONCE(q) })
		rcu_assign_pointer(p, o)
		local child = thread("child", function()
			WRITE_ONCE(q, READ_ONCE(q) + 1)
			kmalloc("grandchild")
		end)
		o.x = o.x + 1
		kept.c[1] = 9
		local l = mutex("made.lock")
		mutex_lock(l)
		mutex_unlock(l)
	end)
	thread("other", function()
		WRITE_ONCE(q, 4)
		local o = rcu_dereference(p)
		if o then
			kept.b = o
			kfree(o)
			WRITE_ONCE(q, 5)
		end
		kmalloc("early", { y = 2 })
	end)
end

function S.locks()
	cpus(3)
	local m, s, c, r = mutex("m"), spinlock("s"), completion("c"), rwsem("r")
	local wq, x = waitqueue("wq"), var("x")
	thread("a", function()
		mutex_lock(m)
		local f = spin_lock_irqsave(s)
		WRITE_ONCE(x, READ_ONCE(x) + 1)
		spin_unlock_irqrestore(s, f)
		mutex_unlock(m)
		complete(c)
		down_write(r)
		up_write(r)
		wake_up(wq)
	end, { cpu = 0 })
	thread("b", function()
		wait_for_completion(c)
		down_read(r)
		mutex_trylock(m)
		up_read(r)
		prepare_to_wait(wq)
		if READ_ONCE(x) < 2 then
			schedule_wait(wq)
		end
		finish_wait(wq)
	end, { cpu = 0 })
	thread("d", function()
		preempt_disable()
		spin_lock(s)
		WRITE_ONCE(x, READ_ONCE(x) + 1)
		spin_unlock(s)
		preempt_enable()
		migrate(choose(2))
		cond_wait(function() return READ_ONCE(x) == 2 end)
		assume(mutex_trylock(m))
		mutex_unlock(m)
	end, { cpu = 1 })
end

local function domain(opts)
	return function()
		cpus(opts.flavor == "tiny" and 1 or 4)
		local ss, p, done = srcu.new("ss", opts), ptr("p", kmalloc("old", { n = 0 })), var("done")
		local head = rcu_head("head")
		thread("reader", function()
			for _ = 1, 2 do
				local idx = srcu_read_lock(ss)
				local o = srcu_dereference(p, ss)
				assert(o.n >= 0)
				srcu_read_unlock(ss, idx)
			end
		end)
		thread("writer", function()
			local old = rcu_dereference_protected(p, true)
			rcu_assign_pointer(p, kmalloc("new", { n = 1 }))
			synchronize_srcu(ss)
			kfree(old)
			call_srcu(ss, head, function() WRITE_ONCE(done, READ_ONCE(done) + 1) end)
			local cookie = start_poll_synchronize_srcu(ss)
			call_srcu(ss, function() WRITE_ONCE(done, READ_ONCE(done) + 2) yield() end)
			poll_state_synchronize_srcu(ss, cookie)
			srcu_barrier(ss)
		end)
		thread("other", function()
			local idx = srcu_read_lock(ss)
			srcu_read_unlock(ss, idx)
			synchronize_srcu_expedited(ss)
		end)
	end
end
S.tree = domain({ size = "small" })
S.tree_big = domain({ size = "big" })
S.ideal = domain({ flavor = "ideal" })
S.tiny = domain({ flavor = "tiny" })
S.static = domain({ static = true })

function S.irq()
	cpus(2)
	local x, l = var("x"), spinlock("l")
	irq("tick", 0, function()
		spin_lock(l)
		WRITE_ONCE(x, READ_ONCE(x) + 1)
		spin_unlock(l)
	end)
	thread("a", function()
		local f = spin_lock_irqsave(l)
		WRITE_ONCE(x, READ_ONCE(x) + 2)
		spin_unlock_irqrestore(l, f)
		local_irq_disable()
		yield()
		local_irq_enable()
	end, { cpu = 0 })
	thread("b", function() WRITE_ONCE(x, 7) end, { cpu = 1 })
end

function S.work()
	local x = var("x")
	local w
	w = work("w", function(self)
		WRITE_ONCE(x, READ_ONCE(x) + 1)
		if READ_ONCE(x) < 3 then
			queue_work(self)
		end
	end)
	thread("a", function()
		queue_work(w)
		flush_work(w)
		queue_work(w)
	end)
	thread("b", function()
		queue_work(w)
		flush_work(w)
		local mine = work("mine", function() WRITE_ONCE(x, 9) end)
		queue_work(mine)
	end)
end

function S.ghosts()
	local g, h, x = ghost("g", 0), ghost("h"), var("x")
	invariant("few", function() return g.value < 3 and READ_ONCE(x) < 4 end)
	thread("a", function()
		g.value = g.value + 1
		WRITE_ONCE(x, 1)
		h.value = x
		g.value = g.value - 1
		yield()
		local mine = ghost("mine", "a")
		mine.value = g.value
	end)
	thread("b", function()
		g.value = g.value + 1
		WRITE_ONCE(x, READ_ONCE(h.value or x) + 1)
		cond_wait(function() return g.value == 1 or READ_ONCE(x) == 2 end)
		g.value = g.value - 1
	end)
	finally(function() assert(READ_ONCE(x) > 0) end)
	outcome(function() return { x = READ_ONCE(x), g = g.value } end)
end

-- bodies that are abandoned in all sorts of places, or end badly
function S.abandoned()
	local m, x, l = mutex("m"), var("x"), list_head("l")
	local o = kmalloc("o", { f = 1 })
	thread("dead1", function() mutex_lock(m) mutex_lock(m) end)
	thread("dead2", function()
		local co = coroutine.wrap(function() mutex_lock(m) WRITE_ONCE(x, 1) end)
		pcall(function() co() end)
	end)
	thread("raises", function()
		yield()
		if READ_ONCE(x) == 0 then
			local t = nil
			t.x = 1
		end
	end)
	thread("frees", function()
		list_add_rcu(o, l)
		for e in list_for_each_entry(l) do
			table.sort({ 3, 1, 2 }, function(a, b) yield() return a < b end)
			kfree(e)
			break
		end
		o.f = 2
	end)
	thread("warns", function()
		WARN_ON(READ_ONCE(x) == 0)
		assert(READ_ONCE(x) == 1, "late")
	end)
end

function S.rcu()
	local p = ptr("p", kmalloc("old"))
	thread("reader", function()
		rcu_read_lock()
		rcu_dereference(p)
		rcu_read_unlock()
	end)
	thread("writer", function()
		local old = rcu_dereference_protected(p, true)
		rcu_assign_pointer(p, nil)
		kfree_rcu(old)
		synchronize_rcu()
	end)
end

local function kvm_world(sync)
	return function()
		local vm = kvm.create_vm("vm", { vcpus = 1, msr = { sync = sync } })
		thread("vcpu", function() kvm_msr_allowed(vm, 0x10, "read") end)
		thread("a", function()
			kvm_vm_ioctl_set_msr_filter(vm, { default = "deny",
				ranges = { { base = 16, nmsrs = 2, read = true, bitmap = { 0, 1 } } } })
		end)
		thread("b", function() kvm_vm_ioctl_set_msr_filter(vm, { default = "allow" }) end)
	end
end
S.kvm = kvm_world("outside")
S.kvm_inside = kvm_world("inside")
S.kvm_none = kvm_world("none")

function S.cleanup()
	local ss = srcu.new("ss")
	thread("a", function()
		local idx = srcu_read_lock(ss)
		srcu_read_unlock(ss, idx)
	end)
	thread("b", function()
		synchronize_srcu(ss)
		cleanup_srcu_struct(ss)
		init_srcu_struct(ss)
		synchronize_srcu(ss)
	end)
end

return S
