-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- MMU notifiers, as the kernel's mm/mmu_notifier.c has them: who mirrors an
-- address space (KVM's page tables, a device's) subscribes to it and is told before
-- and after its pages go away, and when all of it does.  One srcu_struct serves all
-- subscriptions.
--
--	local mn = require("mmu_notifier")
--	local mm = mn.mm_alloc("mm")
--	local sub = mn.subscription("sub", {
--		invalidate_range_start = function(sub, range) end,
--		invalidate_range_end = function(sub, range) end,
--		release = function(sub, mm) end,
--		free_notifier = function(sub) kfree(sub) end,	-- for mmu_notifier_put()
--	})
--	thread("t", function()
--		mn.mmu_notifier_register(sub, mm)
--		mn.mmu_notifier_invalidate_range_start(mm, {first = 0, last = 4095})
--		mn.mmu_notifier_invalidate_range_end(mm, {first = 0, last = 4095})
--		mn.mmu_notifier_unregister(sub, mm)
--		kfree(sub)
--	end)
--
-- An mm is a heap object with the fields list (the first subscription) and mm_count;
-- it has a spinlock and, unless one is given to share, a domain of its own.  A
-- subscription is a heap object with the fields next, prev (the object whose link
-- leads to it; NULL: on no list), mm and users.  The kernel's list with interval trees
-- is left out.

local M = {}

-- What simulated memory cannot hold, by what identifies the object in its world:
-- {lock=, srcu=} of an mm, {ops=, rcu=} of a subscription.
local mms, subscriptions = {}, {}

local function wrong(fn, n, expected, got)
	error(("bad argument #%d to '%s' (%s expected, got %s)"):format(n, fn, expected,
		type(got) == "userdata" and tostring(got) or type(got)), 3)
end

local function mm_of(fn, n, mm)
	local m = type(mm) == "userdata" and mms[tostring(mm)]
	if not m then
		wrong(fn, n, "mm", mm)
	end
	return m
end

local function sub_of(fn, n, sub)
	local s = type(sub) == "userdata" and subscriptions[tostring(sub)]
	if not s then
		wrong(fn, n, "subscription", sub)
	end
	return s
end

-- An address space with one reference: spinlock NAME.lock and domain NAME.srcu,
-- unless `ss` is given (in the kernel there is one for all).
function M.mm_alloc(name, ss)
	local mm = kmalloc(name, { list = null, mm_count = 1 })
	mms[tostring(mm)] = { lock = spinlock(name .. ".lock"), srcu = ss or srcu.new(name .. ".srcu") }
	return mm
end

function M.mmgrab(mm)
	mm_of("mmgrab", 1, mm)
	atomic_inc(mm"mm_count")
end

-- The last reference frees the mm.
function M.mmdrop(mm)
	mm_of("mmdrop", 1, mm)
	if atomic_dec_and_test(mm"mm_count") then
		kfree(mm)
	end
end

-- The domain of an mm's subscriptions.
function M.srcu_of(mm)
	return mm_of("srcu_of", 1, mm).srcu
end

local OPS = { release = true, invalidate_range_start = true, invalidate_range_end = true,
	free_notifier = true }

-- A subscription that is on no list, and its rcu_head NAME.rcu.
function M.subscription(name, ops)
	if type(ops) ~= "table" then
		wrong("subscription", 2, "table", ops)
	end
	for key, fn in pairs(ops) do
		if not OPS[key] then
			error(("bad argument #2 to 'subscription' (no operation is called '%s')"):format(
				tostring(key)), 2)
		elseif type(fn) ~= "function" then
			error(("bad argument #2 to 'subscription' (%s: function expected, got %s)"):format(
				key, type(fn)), 2)
		end
	end
	local sub = kmalloc(name, { next = null, prev = null, mm = null, users = 0 })
	subscriptions[tostring(sub)] = { ops = ops, rcu = rcu_head(name .. ".rcu") }
	return sub
end

-- --- the list, under the mm's lock

-- The location that leads to what follows `prev`.
local function link_after(prev, mm)
	return prev == mm and mm"list" or prev"next"
end

local function add_head(sub, mm)
	local first = rcu_dereference_protected(mm"list", true)
	sub.next = first
	WRITE_ONCE(sub"prev", mm)
	rcu_assign_pointer(mm"list", sub)
	if first then
		WRITE_ONCE(first"prev", sub)
	end
end

-- sub.next stays, for readers who stand on it.
local function del_init(sub, mm)
	local prev = sub.prev
	if not prev then
		return
	end
	local following = sub.next
	WRITE_ONCE(link_after(prev, mm), following)
	if following then
		WRITE_ONCE(following"prev", prev)
	end
	WRITE_ONCE(sub"prev", nil)
end

-- --- subscribing and leaving

-- The mm lives at least as long as the subscription.
function M.mmu_notifier_register(sub, mm)
	sub_of("mmu_notifier_register", 1, sub)
	local m = mm_of("mmu_notifier_register", 2, mm)
	M.mmgrab(mm)
	sub.mm = mm
	sub.users = 1
	spin_lock(m.lock)
	add_head(sub, mm)
	spin_unlock(m.lock)
end

-- When it returns no operation of the subscription runs, release() has been called,
-- and the subscription may be freed.
function M.mmu_notifier_unregister(sub, mm)
	local s = sub_of("mmu_notifier_unregister", 1, sub)
	local m = mm_of("mmu_notifier_unregister", 2, mm)
	if READ_ONCE(sub"prev") then
		-- mmu_notifier_release() waits for this section before the pages go
		local idx = srcu_read_lock(m.srcu)
		if s.ops.release then
			s.ops.release(sub, mm)
		end
		srcu_read_unlock(m.srcu, idx)
		spin_lock(m.lock)
		-- mmu_notifier_release() may have been faster
		del_init(sub, mm)
		spin_unlock(m.lock)
	end
	synchronize_srcu(m.srcu)
	M.mmdrop(mm)
end

local function free_rcu(sub, ops)
	local mm = sub.mm
	ops.free_notifier(sub)
	M.mmdrop(mm)
end

-- Gives a reference to the subscription back, without waiting: after the last one
-- free_notifier() is called when a grace period is over.
function M.mmu_notifier_put(sub)
	local s = sub_of("mmu_notifier_put", 1, sub)
	local mm = sub.mm
	local m = mm_of("mmu_notifier_put", 1, mm)
	spin_lock(m.lock)
	local users = sub.users
	if WARN_ON(users == 0) or users > 1 then
		if users > 1 then
			sub.users = users - 1
		end
		spin_unlock(m.lock)
		return
	end
	sub.users = 0
	del_init(sub, mm)
	spin_unlock(m.lock)
	call_srcu(m.srcu, s.rcu, function() free_rcu(sub, s.ops) end)
end

-- What the kernel has for "every mmu_notifier_put() is through": it is one grace period,
-- and no more.
function M.mmu_notifier_synchronize(mm)
	synchronize_srcu(mm_of("mmu_notifier_synchronize", 1, mm).srcu)
end

-- --- telling the subscribers

-- Calls `op` of each subscriber who has it, in a read section, and hands what it
-- returns to `result`.
local function for_each(m, mm, op, arg, result)
	local sub = srcu_dereference(mm"list", m.srcu)
	while sub do
		local fn = subscriptions[tostring(sub)].ops[op]
		if fn then
			local ret = fn(sub, arg)
			if result then
				result(sub, ret)
			end
		end
		sub = srcu_dereference(sub"next", m.srcu)
	end
end

-- The address space goes away (exit_mmap()).
function M.mmu_notifier_release(mm)
	local m = mm_of("mmu_notifier_release", 1, mm)
	local idx = srcu_read_lock(m.srcu)
	for_each(m, mm, "release", mm)
	spin_lock(m.lock)
	local first = rcu_dereference_protected(mm"list", true)
	while first do
		-- mmu_notifier_unregister() then has only to wait
		del_init(first, mm)
		first = rcu_dereference_protected(mm"list", true)
	end
	spin_unlock(m.lock)
	srcu_read_unlock(m.srcu, idx)
	-- for a release() that mmu_notifier_unregister() has called
	synchronize_srcu(m.srcu)
end

-- Before pages go away.  `range` is the caller's table and handed on; in one with
-- blockable=false an operation may return "EAGAIN".  0, or nil, a message and
-- "EAGAIN": then those that had started are told the end as well.
function M.mmu_notifier_invalidate_range_start(mm, range)
	local m = mm_of("mmu_notifier_invalidate_range_start", 1, mm)
	if type(range) ~= "table" then
		wrong("mmu_notifier_invalidate_range_start", 2, "table", range)
	end
	local failed
	local idx = srcu_read_lock(m.srcu)
	for_each(m, mm, "invalidate_range_start", range, function(sub, ret)
		if ret and ret ~= 0 then
			WARN_ON(range.blockable ~= false or ret ~= "EAGAIN")
			-- its start did not take place, so it could not tell an end
			WARN_ON(subscriptions[tostring(sub)].ops.invalidate_range_end ~= nil)
			failed = sub
		end
	end)
	if failed then
		for_each(m, mm, "invalidate_range_end", range)
	end
	srcu_read_unlock(m.srcu, idx)
	if failed then
		return nil, tostring(failed) .. " would have to block", "EAGAIN"
	end
	return 0
end

-- After they are gone.
function M.mmu_notifier_invalidate_range_end(mm, range)
	local m = mm_of("mmu_notifier_invalidate_range_end", 1, mm)
	if type(range) ~= "table" then
		wrong("mmu_notifier_invalidate_range_end", 2, "table", range)
	end
	local idx = srcu_read_lock(m.srcu)
	for_each(m, mm, "invalidate_range_end", range)
	srcu_read_unlock(m.srcu, idx)
end

return M
