-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What holds of every implementation of RCU and SRCU, as tests for t1-*.t.  An `api`
-- says by which words it is called:
--
--	cpus	of its worlds
--	make()	the domain, or nothing
--	lock(ss) -> idx, unlock(ss, idx), deref(p, ss), sync(ss), call(ss, fn), barrier(ss)
--
-- Every test runs under random schedules; it is for the caller to run the whole file
-- on both carriers: see carriers().

local tap = require("tap")

local M = { seeds = 40 }

-- The first violation of any of the schedules, as text.
local function violation(scenario, seeds)
	for seed = 0, seeds or M.seeds do
		world(scenario)
		local r = run(seed > 0 and { policy = "random", seed = seed } or nil)
		local v = r.violations[1]
		if v then
			return ("seed %d: %s: %s"):format(seed, v.kind, v.message)
		end
		for _, t in ipairs(threads()) do
			local s, why = status(t)
			if s ~= "done" and not tostring(t):find("^kworker") and not tostring(t):find("^timer") then
				return ("seed %d: %s is %s %s"):format(seed, t, s, why or "")
			end
		end
	end
end
M.violation = violation

function M.legal(scenario, what)
	tap.is(violation(scenario), nil, what)
end

-- Some schedule has a violation of that kind, with that message.
function M.wrong(scenario, kind, message, what)
	for seed = 0, 4 * M.seeds do
		world(scenario)
		local v = run(seed > 0 and { policy = "random", seed = seed } or nil).violations[1]
		if v then
			tap.is(v.kind, kind, what)
			tap.like(v.message, message, what .. ": says so")
			return v
		end
	end
	tap.fail(what .. ": no schedule shows it")
	tap.fail(what .. ": says so")
end

-- Readers of an object that an updater replaces and frees by `free`.
function M.publish(api, free)
	return function()
		cpus(api.cpus)
		local ss = api.make()
		local p = ptr("p", kmalloc("first", { n = 1 }))
		for i = 1, 3 do
			thread("reader" .. i, function()
				for _ = 1, 2 do
					local idx = api.lock(ss)
					local o = api.deref(p, ss)
					yield()
					assert(o.n > 0)
					api.unlock(ss, idx)
				end
			end)
		end
		thread("updater", function()
			for i = 2, 3 do
				local old = rcu_replace_pointer(p, kmalloc("next", { n = i }), true)
				free(api, ss, old)
			end
			api.barrier(ss)
		end)
	end
end

local function free_by_sync(api, ss, old)
	api.sync(ss)
	kfree(old)
end

local function free_by_call(api, ss, old)
	api.call(ss, function() kfree(old) end)
end

local function free_at_once(_, _, old)
	kfree(old)
end

-- Callbacks come in the order of their posting, and barriers after all.
local function order_of_callbacks(api)
	return function()
		cpus(api.cpus)
		local ss, seen = api.make(), var("seen", 0)
		local function nth(n)
			return function()
				assert(seen:get() == n - 1)
				seen:set(n)
			end
		end
		thread("reader", function()
			local idx = api.lock(ss)
			yield()
			api.unlock(ss, idx)
		end)
		thread("caller", function()
			for n = 1, 3 do
				api.call(ss, nth(n))
			end
			api.barrier(ss)
			assert(seen:get() == 3)
			api.barrier(ss)
			api.call(ss, nth(4))
			api.barrier(ss)
			assert(seen:get() == 4)
		end)
	end
end

-- Writers wait together, with nested sections going on.
local function together(api)
	return function()
		cpus(api.cpus)
		local ss = api.make()
		for i = 1, 3 do
			thread("writer" .. i, function() api.sync(ss) api.sync(ss) end)
		end
		for i = 1, 2 do
			thread("reader" .. i, function()
				local outer = api.lock(ss)
				local inner = api.lock(ss)
				yield()
				api.unlock(ss, inner)
				yield()
				api.unlock(ss, outer)
			end)
		end
	end
end

-- A section that is open when the wait begins holds it up, one that begins later
-- need not.
local function holds_up(api, what)
	local ss
	world(function()
		cpus(api.cpus)
		ss = api.make()
		for _, name in ipairs { "old", "new" } do
			thread(name, function()
				local idx = api.lock(ss)
				yield()
				api.unlock(ss, idx)
			end)
		end
		thread("writer", function() api.sync(ss) end)
	end)
	local function inside(t)
		while pending(t).op ~= "yield" do step(t) end
	end
	local function writer_returns()
		for _ = 1, 500 do
			local moved
			for _, t in ipairs(threads()) do
				local name = tostring(t):match('"(.*)"')
				if (name == "writer" or name:find("^kworker")) and status(t) == "ready" then
					step(t)
					moved = true
				end
			end
			if not moved then break end
		end
		return status("writer") == "done"
	end
	inside("old")
	tap.ok(not writer_returns(), what .. ": a section from before holds a wait up")
	inside("new")
	finish("old")
	tap.ok(writer_returns(), what .. ": one that began later does not")
	tap.is(#run().violations, 0, what .. ": and rightly so")
end

-- All of it.
function M.claims(api, what)
	M.legal(M.publish(api, free_by_sync), what .. ": free after a wait")
	M.legal(M.publish(api, free_by_call), what .. ": free in a callback")
	M.wrong(M.publish(api, free_at_once), "use-after-free", "updater had freed first at step %d+",
		what .. ": free at once")
	M.legal(order_of_callbacks(api), what .. ": callbacks in order, barriers behind them")
	M.legal(together(api), what .. ": three writers and nested sections")
	holds_up(api, what)
	M.wrong(function()
		cpus(api.cpus)
		local ss = api.make()
		thread("t", function()
			api.lock(ss)
			api.sync(ss)
		end)
	end, "self-deadlock", "^t called .* although it is itself inside an? R?C?U? ?read section.*t can never go on%.$",
		what .. ": a wait in one's own section")
	M.wrong(function()
		cpus(api.cpus)
		local ss = api.make()
		thread("t", function() api.unlock(ss, 0) end)
	end, "unbalanced-unlock", "^t called .* before the first step, but it is inside no ",
		what .. ": an unlock without a lock")
	M.wrong(function()
		cpus(api.cpus)
		local ss = api.make()
		thread("reader", function() api.lock(ss) end)
		thread("writer", function()
			cond_wait(function() return status("reader") == "done" end)
			api.sync(ss)
		end)
	end, "deadlock", "But reader has ended inside its section: no grace period of %w+ can end",
		what .. ": a section that is never ended")
end

-- The events of some random runs of the caller's file, which prints them when its
-- first argument is "events", are the same on both carriers.
function M.carriers(file, what)
	local function events(carrier)
		local pipe = assert(io.popen(("'%s' -E --carrier %s '%s' events 2>&1"):format(
			os.getenv("SRCUSH") or "srcush", carrier, file)))
		local text = pipe:read("a")
		return pipe:close() and text
	end
	local fiber, real = events("fiber"), events("pthread")
	tap.ok(fiber and #fiber > 1000, what .. ": events on fibers")
	tap.ok(fiber == real, what .. ": the same on pthreads, byte for byte")
end

-- What show() prints at the end of a script.
function M.shows(script, want, what)
	local name = os.tmpname()
	local file = assert(io.open(name, "w"))
	file:write(script)
	file:close()
	local pipe = assert(io.popen(("'%s' -E '%s' 2>&1"):format(os.getenv("SRCUSH") or "srcush", name)))
	tap.is(pipe:read("a"), want, what)
	pipe:close()
	os.remove(name)
end

function M.print_events(scenario)
	for seed = 1, 5 do
		world(scenario)
		run { policy = "random", seed = seed }
		for _, e in ipairs(trace()) do
			print(e.thread, e.cpu, e.text)
		end
		local steps, before = #trace(), schedule()
		back(steps // 2)
		assert(replay(before) and schedule() == before)
	end
end

-- publish() with waits and callbacks, to print.
function M.printed(api)
	return M.publish(api, function(a, ss, old)
		api.sync(ss)
		free_by_call(a, ss, old)
	end)
end

return M
