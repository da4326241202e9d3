-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Plain RCU: the claims that hold of every RCU, its own words, the domain that is
-- made at first use whoever comes first, and what happens when it is mixed with SRCU.

local tap = require("tap")
local domain = dofile((os.getenv("top_srcdir") or ".") .. "/t/lib/domain.lua")

local api = {
	cpus = 4,
	make = function() end,
	lock = function() rcu_read_lock() return 0 end,
	unlock = function() rcu_read_unlock() end,
	deref = function(p) return rcu_dereference(p) end,
	sync = function() synchronize_rcu() end,
	call = function(_, fn) call_rcu(rcu_head("head"), fn) end,
	barrier = function() rcu_barrier() end,
}
if arg[1] == "events" then
	domain.print_events(domain.printed(api))
	return
end
domain.claims(api, "plain")
domain.legal(domain.publish(api, function(_, _, old) kfree_rcu(old) end), "kfree_rcu()")
domain.carriers(arg[0], "plain")

-- --- words

world()
thread("t", function()
	tap.ok(not rcu_read_lock_held(), "not in a section")
	rcu_read_lock()
	rcu_read_lock()
	rcu_read_unlock()
	tap.ok(rcu_read_lock_held(), "sections nest")
	rcu_read_unlock()
	tap.ok(not rcu_read_lock_held(), "and end")
	kfree_rcu(nil)
	call_rcu(function() end)
	rcu_barrier()
end)
tap.is(#run().violations, 0, "all in order")

domain.wrong(function()
	thread("a", function() rcu_read_lock() yield() yield() rcu_read_unlock() end)
	thread("b", function()
		cond_wait(function() return status("a") == "ready" and pending("a").op == "yield" end)
		rcu_read_unlock()
	end)
end, "unbalanced-unlock", "^b called rcu_read_unlock%(%) after step %d+, but it is inside no RCU read section: " ..
	"the one that is open was begun by a at step 1", "an unlock in another task")

domain.wrong(function()
	local o = kmalloc("o", { n = 1 })
	thread("t", function() kfree_rcu(o) kfree_rcu(o) end)
end, "double-free", "^kworker/rcu_state:cb freed o .* but it had itself freed o", "kfree_rcu() twice")

domain.wrong(function()
	local m = mutex("m")
	thread("t", function() kfree_rcu(m) end)
end, "invalid-free", "that is a mutex", "kfree_rcu() of what kmalloc() did not make")

domain.wrong(function()
	thread("t", function()
		local h = rcu_head("h")
		call_rcu(h, function() end)
		call_rcu(h, function() end)
	end)
end, "warning", "callback_already_queued", "call_rcu() of a head that is queued")

-- --- sections that sleep

domain.wrong(function()
	local m = mutex("m")
	thread("t", function() rcu_read_lock() mutex_lock(m) end)
end, "sleep-in-atomic", "RCU read section", "a mutex in a section")
domain.wrong(function()
	local ss = srcu.new("ss")
	thread("t", function() rcu_read_lock() synchronize_srcu(ss) end)
end, "sleep-in-atomic", "^.*t called synchronize_srcu%(ss%).*RCU read section", "synchronize_srcu() in a section")
domain.wrong(function()
	thread("t", function() rcu_read_lock() rcu_barrier() end)
end, "sleep-in-atomic", "rcu_barrier%(%).*RCU read section", "rcu_barrier() in a section")
domain.wrong(function()
	local c = completion("c")
	thread("t", function() call_rcu(function() wait_for_completion(c) end) complete(c) end)
end, "sleep-in-atomic", "callback", "a callback that sleeps")
domain.legal(function()
	local l = spinlock("l")
	thread("t", function() rcu_read_lock() spin_lock(l) yield() spin_unlock(l) rcu_read_unlock() end)
	thread("u", function() rcu_read_lock() yield() rcu_read_unlock() synchronize_rcu() end)
end, "a spinlock in a section, and being preempted")

-- --- suspicious usage

domain.wrong(function()
	local p = ptr("p")
	thread("t", function() rcu_dereference(p) end)
end, "rcu-usage", "^rcu_dereference%(p%) outside of any RCU read section: suspicious RCU usage",
	"rcu_dereference() outside of a section")
domain.wrong(function()
	local ss, p = srcu.new("ss"), ptr("p")
	thread("t", function() srcu_read_lock(ss) rcu_dereference(p) end)
end, "rcu-usage", "inside a read section of ss", "in a section of an srcu_struct it is no better")
domain.wrong(function()
	local ss, p = srcu.new("ss"), ptr("p")
	thread("t", function() rcu_read_lock() srcu_dereference(p, ss) end)
end, "rcu-usage", "outside of any read section of ss.*inside an RCU read section",
	"nor srcu_dereference() in one of plain RCU")
domain.legal(function()
	local p, m = ptr("p"), mutex("m")
	thread("t", function()
		rcu_dereference_raw(p)
		mutex_lock(m)
		rcu_dereference_check(p, lockdep_is_held(m))
		mutex_unlock(m)
		rcu_access_pointer(p)
	end)
end, "rcu_dereference_check() under a lock, rcu_dereference_raw() and rcu_access_pointer() anywhere")

-- --- mixed flavours

-- The reader is in a section of the one, the object is freed behind a grace period of
-- the other.  The violation that comes when the reader has fetched the pointer and then
-- waits for as long as anybody else can go on.
local function mixed(lock, unlock, deref, free)
	world(function()
		local ss = srcu.new("ss")
		local p = ptr("p", kmalloc("old", { n = 1 }))
		thread("reader", function()
			local idx = lock(ss)
			local o = deref(p, ss)
			assert(o.n == 1)
			unlock(ss, idx)
		end)
		thread("updater", function()
			free(ss, rcu_replace_pointer(p, nil, true))
		end)
	end)
	while pending("reader").op ~= "plain-load" do step("reader") end
	for _ = 1, 200 do
		for _, t in ipairs(threads()) do
			if not tostring(t):find("reader") and status(t) == "ready" then step(t) end
		end
	end
	return run().violations[1] or { kind = "none", message = "" }
end
local function free_rcu(_, o) kfree_rcu(o) end
local function free_sync_rcu(_, o) synchronize_rcu() kfree(o) end
local function free_srcu(ss, o) synchronize_srcu(ss) kfree(o) end
local s_lock, s_unlock, s_deref = srcu_read_lock, srcu_read_unlock, srcu_dereference

local v = mixed(s_lock, s_unlock, s_deref, free_rcu)
tap.is(v.kind, "use-after-free", "an SRCU reader, and kfree_rcu()")
tap.like(v.message, "^reader read old%.n .* but kworker/rcu_state:cb had freed old at step %d+%. At that time " ..
	"reader was inside a read section of ss %(index 0%)", "says so")
v = mixed(s_lock, s_unlock, s_deref, free_sync_rcu)
tap.is(v.kind, "use-after-free", "an SRCU reader, and synchronize_rcu()")
v = mixed(api.lock, api.unlock, api.deref, free_srcu)
tap.is(v.kind, "use-after-free", "an RCU reader, and synchronize_srcu()")
tap.like(v.message, "but updater had freed old at step %d+%. At that time reader was inside an RCU read " ..
	"section since step 1: whoever frees", "says so")
tap.is(mixed(s_lock, s_unlock, s_deref, free_srcu).kind, "none", "an SRCU reader, and synchronize_srcu()")
tap.is(mixed(api.lock, api.unlock, api.deref, free_rcu).kind, "none", "an RCU reader, and kfree_rcu()")
tap.is(mixed(api.lock, api.unlock, api.deref, free_sync_rcu).kind, "none", "an RCU reader, and synchronize_rcu()")

-- A grace period of plain RCU waits for no section of SRCU, and the other way round.
world(function()
	local ss = srcu.new("ss", { flavor = "ideal" })
	thread("reader", function()
		local idx = srcu_read_lock(ss)
		synchronize_rcu()
		srcu_read_unlock(ss, idx)
	end)
	thread("rcu", function() rcu_read_lock() yield() rcu_read_unlock() end)
	thread("writer", function() synchronize_srcu(ss) end)
end)
step("rcu")
finish("writer")
tap.is(status("writer"), "done", "synchronize_srcu() while a section of plain RCU is open")
tap.is(#run().violations, 0, "synchronize_rcu() in an SRCU section")

-- --- the domain is made by whoever comes first, and nobody can tell who that was

do
	local function two()
		local a, b = var("a"), var("b")
		thread("x", function() rcu_read_lock() rcu_read_unlock() local o = kmalloc("o", { n = 1 }) o.n = 2 end)
		thread("y", function() synchronize_rcu() local o = kmalloc("o", { n = 1 }) o.n = 3 end)
		thread("z", function() WRITE_ONCE(a, 1) kfree_rcu(kmalloc("o")) WRITE_ONCE(b, 1) end)
	end
	local function own_events()
		local by = {}
		for _, e in ipairs(trace()) do
			by[e.thread] = (by[e.thread] or "") .. e.text .. "\n"
		end
		return by
	end
	local seen = {}
	for _, order in ipairs { { "x", "y", "z" }, { "z", "y", "x" }, { "y", "x", "z" } } do
		world(two)
		for _, t in ipairs(order) do finish(t) end
		run()
		for t, text in pairs(own_events()) do
			-- what a counter holds depends on the others, its place does not
			text = text:gsub("%d+ %-> %d+", "N"):gsub("= %d+", "N")
			tap.is(text, seen[t] or text, t .. " does not notice who came first")
			seen[t] = text
		end
	end
end

-- --- shown

world()
thread("reader", function() rcu_read_lock() yield() rcu_read_unlock() end)
step("reader")
tap.raises(function() synchronize_rcu() end, "no current thread", "outside of threads")
tap.raises(function() run_until("reader", "SCAN1", "rcu_state") end, "no srcu_struct is called \"rcu_state\"",
	"it is no srcu_struct")
tap.raises(function() run_until("reader", "SCAN1") end, "there is no srcu_struct in this world",
	"and does not count as one")

domain.shows([[
thread("reader", function() rcu_read_lock() yield() rcu_read_unlock() rcu_barrier() end)
thread("updater", function() synchronize_rcu() end)
step("reader")
finish("updater")
show("rcu_state")
run()
timeline()
]], [[
RCU rcu_state (plain)
  sections   1 open
  callbacks  none
  inside     reader, since step 1
  waiting    updater in synchronize_rcu() since step 2
step  reader                                             updater
====  =================================================  =======================
   1  rcu_state.cpu0.sections: 0 -> 1
                                                         synchronize_rcu() {
   2                                                       snapshot
   3  yield
   4  rcu_state.cpu0.sections: 1 -> 0
   5                                                       wait_for_readers
                                                         } /* synchronize_rcu */
                                                         (done)
      rcu_barrier() {
   6    READ_ONCE rcu_state.called = 0
   7    wait_for_callbacks
      }
      (done)
]], "plain RCU's domain, and its calls")

tap.done()
