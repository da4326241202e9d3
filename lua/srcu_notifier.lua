-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- SRCU notifier chains, as the kernel's kernel/notifier.c has them: a list of
-- callbacks, called in order of priority, whose callers are in a read section of
-- the chain's own srcu_struct and may sleep there.
--
--	local notifier = require("srcu_notifier")
--	local chain = notifier.srcu_init_notifier_head("chain")
--	local nb = notifier.notifier_block("nb", function(nb, action, data)
--		return notifier.NOTIFY_OK
--	end, 10)
--	thread("user", function()
--		notifier.srcu_notifier_chain_register(chain, nb)
--		notifier.srcu_notifier_call_chain(chain, 1, "data")
--		notifier.srcu_notifier_chain_unregister(chain, nb)
--		kfree(nb)
--	end)
--
-- A chain has the fields mutex, srcu and head.  A notifier block is a heap object
-- with the fields next and priority.  Everything is made of the same words that
-- scripts use, so each access is a step.

local M = {
	NOTIFY_DONE = 0,		-- not interested
	NOTIFY_OK = 1,
	NOTIFY_STOP_MASK = 0x8000,	-- nobody else is to be called
	NOTIFY_BAD = 0x8002,
	NOTIFY_STOP = 0x8001,
}

local Chain = { __name = "notifier chain" }
Chain.__index = Chain
function Chain:__tostring()
	return ('notifier chain "%s"'):format(self.name)
end

-- The callbacks, which simulated memory cannot hold, by what identifies their
-- block in its world.
local callbacks = {}

local function wrong(fn, n, expected, got)
	local meta = type(got) ~= "table" and nil or getmetatable(got)
	local kind = meta and type(meta) == "table" and rawget(meta, "__name") or type(got)
	error(("bad argument #%d to '%s' (%s expected, got %s)"):format(n, fn, expected, kind), 3)
end

local function check_chain(fn, chain)
	if type(chain) ~= "table" or getmetatable(chain) ~= Chain then
		wrong(fn, 1, "notifier chain", chain)
	end
end

local function check_block(fn, nb)
	if type(nb) ~= "userdata" or not callbacks[tostring(nb)] then
		wrong(fn, 2, "notifier block", nb)
	end
end

-- A chain without blocks: mutex NAME.mutex, domain NAME.srcu, pointer NAME.head.
function M.srcu_init_notifier_head(name)
	if type(name) ~= "string" then
		wrong("srcu_init_notifier_head", 1, "name", name)
	end
	return setmetatable({ name = name, mutex = mutex(name .. ".mutex"),
		srcu = srcu.new(name .. ".srcu"), head = ptr(name .. ".head") }, Chain)
end

function M.srcu_cleanup_notifier_head(chain)
	check_chain("srcu_cleanup_notifier_head", chain)
	cleanup_srcu_struct(chain.srcu)
end

-- A block whose callback fn(nb, action, data) returns one of the NOTIFY_ values, or
-- nothing for NOTIFY_DONE; blocks of higher priority (0 unless given) are called
-- first.  opts as for kmalloc().
function M.notifier_block(name, fn, priority, opts)
	if type(fn) ~= "function" then
		wrong("notifier_block", 2, "function", fn)
	elseif priority ~= nil and math.type(priority) ~= "integer" then
		wrong("notifier_block", 3, "integer", priority)
	end
	local nb = kmalloc(name, { next = null, priority = priority or 0 }, opts)
	if nb then
		callbacks[tostring(nb)] = fn
	end
	return nb
end

-- Under the mutex the links are read plainly: nobody else changes them.
local function link_of(chain, link)
	return rcu_dereference_protected(link, lockdep_is_held(chain.mutex))
end

local function register(chain, nb)
	local link = chain.head
	local at = link_of(chain, link)
	while at do
		if at == nb then
			WARN_ON(true)
			return nil, tostring(nb) .. " is registered already", "EEXIST"
		end
		if nb.priority > at.priority then
			break
		end
		link = at"next"
		at = link_of(chain, link)
	end
	nb.next = at
	rcu_assign_pointer(link, nb)
	return 0
end

local function unregister(chain, nb)
	local link = chain.head
	local at = link_of(chain, link)
	while at do
		if at == nb then
			-- its own link stays: who stands on it finds on
			rcu_assign_pointer(link, nb.next)
			return 0
		end
		link = at"next"
		at = link_of(chain, link)
	end
	return nil, tostring(nb) .. " is not registered", "ENOENT"
end

-- 0, or nil, a message and "EEXIST" for a block that is on the chain already.
function M.srcu_notifier_chain_register(chain, nb)
	check_chain("srcu_notifier_chain_register", chain)
	check_block("srcu_notifier_chain_register", nb)
	mutex_lock(chain.mutex)
	local ret, why, errno = register(chain, nb)
	mutex_unlock(chain.mutex)
	return ret, why, errno
end

-- 0, or nil, a message and "ENOENT".  When it returns nobody is in the callback any
-- more: the block may be freed.  Not from a callback of the same chain.
function M.srcu_notifier_chain_unregister(chain, nb)
	check_chain("srcu_notifier_chain_unregister", chain)
	check_block("srcu_notifier_chain_unregister", nb)
	mutex_lock(chain.mutex)
	local ret, why, errno = unregister(chain, nb)
	mutex_unlock(chain.mutex)
	synchronize_srcu(chain.srcu)
	return ret, why, errno
end

-- Calls each block's callback until one stops it; what the last one returned.
function M.srcu_notifier_call_chain(chain, action, data)
	check_chain("srcu_notifier_call_chain", chain)
	local ret = M.NOTIFY_DONE
	local idx = srcu_read_lock(chain.srcu)
	local nb = rcu_dereference_raw(chain.head)
	while nb do
		-- read before the callback runs, as the kernel does
		local next_nb = rcu_dereference_raw(nb"next")
		local fn = callbacks[tostring(nb)]
		if not fn then
			error(tostring(chain) .. " leads to " .. tostring(nb) .. ", which is no notifier block")
		end
		ret = fn(nb, action, data) or M.NOTIFY_DONE
		if math.type(ret) ~= "integer" then
			error(("%s: its callback returned a %s"):format(tostring(nb), type(ret)))
		end
		if ret & M.NOTIFY_STOP_MASK ~= 0 then
			break
		end
		nb = next_nb
	end
	srcu_read_unlock(chain.srcu, idx)
	return ret
end

return M
