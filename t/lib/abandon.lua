-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Makes worlds and drops each somewhere in its middle, as quitting, reset() and
-- every exploration do: threads asleep in locks, in synchronize_srcu(), in
-- callbacks, in coroutines, with C code of Lua's own below them on the stack.
-- Prints what the process holds after a warm-up, and at the end.
--
-- Usage: srcush [--carrier C] abandon.lua WORLDS

local count = tonumber(arg[1])

-- ------------------------------------------------------------- the worlds

-- What bodies of the present world are in the middle of, and in how many worlds
-- something was when they were dropped.
local here, seen = {}, {}

local function during(what, fn)
	here[what] = (here[what] or 0) + 1
	fn()
	here[what] = here[what] - 1
end

local scenarios = {}

local function scenario(fn)
	scenarios[#scenarios + 1] = fn
end

-- Threads in line for a mutex, one of them with a spinlock's CPU.
scenario(function()
	local m, l, x = mutex("m"), spinlock("l"), var("x")
	for i = 1, 3 do
		thread("t" .. i, function()
			mutex_lock(m)
			x:set(x:get() + i)
			spin_lock(l)
			WRITE_ONCE(x, i)
			spin_unlock(l)
			mutex_unlock(m)
		end)
	end
end)

-- A grace period that readers hold up, two who wait for it, and objects whose
-- pointers go round.
scenario(function()
	local ss, p = srcu.new("ss"), ptr("p", kmalloc("o", {count = 1, next = null}))
	for i = 1, 2 do
		thread("reader" .. i, function()
			local idx = srcu_read_lock(ss)
			local o = srcu_dereference(p, ss)
			yield()
			srcu_read_unlock(ss, idx)
		end)
	end
	thread("writer", function()
		local new = kmalloc("new", {count = 2, next = null, dev = array(20)})
		new.next = READ_ONCE(p)
		local old = rcu_replace_pointer(p, new, true)
		synchronize_srcu(ss)
		kfree(old)
	end)
	thread("expedited", function() synchronize_srcu_expedited(ss) end)
end)

-- Callbacks: queued, being called, asleep in a step of theirs, posted again.
scenario(function()
	local ss, x, head = srcu.new("ss", {seq_bits = 6}), var("x"), rcu_head("head")
	local function again(h)
		local garbage = {h, ("x"):rep(100)}
		WRITE_ONCE(x, #garbage)
		yield()
		if READ_ONCE(x) > 1 then call_srcu(ss, h, again) end
	end
	thread("poster", function()
		call_srcu(ss, head, again)
		for i = 1, 3 do
			call_srcu(ss, function()
				during("callback", function()
					for _ = 1, 4 do WRITE_ONCE(x, i) end
				end)
			end)
		end
		srcu_barrier(ss)
	end)
end)

-- Callbacks that end badly, and bodies that do.
scenario(function()
	local ss, x = srcu.new("ss"), var("x")
	thread("poster", function()
		call_srcu(ss, function() error({}) end)
		call_srcu(ss, function() assert(READ_ONCE(x) == 1, "not yet") end)
		srcu_barrier(ss)
	end)
	thread("thrower", function()
		WRITE_ONCE(x, 1)
		local ok = pcall(function() READ_ONCE(x); error("x") end)
		WRITE_ONCE(x, ok and 2 or 3)
		error("thrown")
	end)
end)

-- Coroutines in bodies, suspended and running, one inside the other, with a
-- variable to be closed that never is.
scenario(function()
	local x = var("x")
	thread("outer", function()
		local closed <close> = setmetatable({}, {__close = function() end})
		local co = coroutine.wrap(function()
			local inner = coroutine.create(function()
				WRITE_ONCE(x, 1)
				coroutine.yield()
				WRITE_ONCE(x, 2)
			end)
			while coroutine.status(inner) ~= "dead" do
				coroutine.resume(inner)
				coroutine.yield(READ_ONCE(x))
			end
		end)
		during("coroutine", function()
			for _ = 1, 3 do WRITE_ONCE(x, co() or 0) end
		end)
	end)
end)

-- C functions of Lua's in the middle of their work when they are left for good.
scenario(function()
	local x = var("x")
	thread("gsub", function()
		during("gsub", function()
			return ("y"):rep(2000):gsub("y", function() yield(); return ("z"):rep(500) end)
		end)
	end)
	thread("sort", function()
		during("sort", function()
			table.sort({3, 1, 2, 5, 4}, function(a, b) WRITE_ONCE(x, a); return a < b end)
		end)
	end)
	thread("load", function()
		local n = 0
		during("load", function()
			load(function()
				n = n + 1
				WRITE_ONCE(x, n)
				return n < 9 and ("local a%d = %d --%s\n"):format(n, n, ("-"):rep(100)) or nil
			end)
		end)
	end)
	thread("tostring", function()
		local t = setmetatable({}, {__tostring = function() yield(); return "s" end})
		for _ = 1, 5 do tostring(t) end
	end)
	thread("meta", function()
		local t = setmetatable({}, {__index = function(_, k) return READ_ONCE(x) + #k end})
		return t.a + t.b + t.c
	end)
end)

-- Waits that nobody ends, and conditions in Lua.
scenario(function()
	local c, x, g = completion("c"), var("x"), ghost("g", {1, 2, 3})
	thread("waits", function() wait_for_completion(c) end)
	thread("cond", function() cond_wait(function() return READ_ONCE(x) == 9 end) end)
	thread("assumes", function() yield(); assume(false) end)
	thread("chooses", function() g.value = {choose(3)}; kmalloc("may", {}, {may_fail = true}) end)
	thread("typed")
end)

-- A use after free, a double free, and who reports them.
scenario(function()
	local p = ptr("p", kmalloc("o", {count = 1}))
	for i = 1, 2 do
		thread("t" .. i, function()
			local o = READ_ONCE(p)
			o.count = o.count + 1
			kfree(o)
		end)
	end
end)

-- KVM's filter, updated from two sides.
scenario(function()
	local vm = kvm.create_vm("vm", {vcpus = 2, msr = {sync = "inside"}})
	for i = 1, 2 do
		thread("ioctl" .. i, function()
			kvm_vm_ioctl_set_msr_filter(vm, {default = "deny", ranges = {
				{base = 0x10, nmsrs = 16, read = true, write = i == 1, bitmap = "\xff\xff"}}})
		end)
	end
	thread("vcpu", function() kvm_msr_allowed(vm, 0x12, "read") end)
end)

-- A thread that makes threads and objects, while others strike.
scenario(function()
	local x = var("x")
	thread("maker", function()
		for i = 1, 3 do
			local o = kmalloc("o", {v = i})
			thread("child", function() WRITE_ONCE(x, o.v) end)
			yield()
		end
	end)
end)

-- ------------------------------------------------------- making and leaving

local function deep(n)
	if n == 0 then yield() else deep(n - 1) end
	return n
end

-- How a thread stands that has not moved by itself to its end.
local function note(what)
	here[what] = (here[what] or 0) + 1
end

local function note_threads()
	for _, t in ipairs(threads()) do
		local is, why = status(t)
		note(is)
		if is == "blocked" then
			note((why:gsub("^%A*on (%a+) .*", "%1"):gsub("^in ([%w_]+)%(%).*", "%1")))
		end
	end
end

-- Builds the ith world and leaves it somewhere; the next one makes it go.
local function leave(i)
	local fn = scenarios[i % #scenarios + 1]
	local steps = (i // #scenarios % 21) ^ 2 // 1 | 0	-- 0 to 400, mostly few
	if i % 50 == 1 then		-- a scenario that breaks off
		pcall(world, function() fn(); error("no world of this") end)
		return
	end
	world(fn)
	if i % 64 == 2 then
		thread("deep", function() deep(150) end)
	end
	if steps == 0 then
		return			-- nobody has moved
	end
	run{policy = i % 2 == 0 and "random" or "rr", seed = i, max_steps = steps}
	if i % 16 == 3 and #trace() > 1 then
		back(#trace() // 2)
	elseif i % 16 == 4 then
		reset()
	elseif i % 16 == 5 then
		replay(schedule())
	end
end

-- ------------------------------------------------------------ what is held

local function lines(path)
	local n = 0
	for _ in io.lines(path) do n = n + 1 end
	return n
end

local function held(what)
	world()
	here = {}
	collectgarbage()
	collectgarbage()
	local rss, threads
	for line in io.lines("/proc/self/status") do
		rss = rss or line:match("^VmRSS:%s*(%d+)")
		threads = threads or line:match("^Threads:%s*(%d+)")
	end
	print(("%s: rss %d threads %d maps %d lua %d"):format(what, rss, threads,
		lines("/proc/self/maps"), collectgarbage("count") * 1024 // 1))
end

-- In one world of seventeen the collector works at every allocation, in the others it
-- begins anew as soon as it has ended.
local warm_up = math.max(count // 10, 300)
for i = 1, count do
	collectgarbage("incremental", i % 17 == 0 and 1 or 105, 400)
	here = {}
	leave(i)
	-- asking costs more than the world itself
	if i % 32 < #scenarios then note_threads() end
	for what, n in pairs(here) do
		if n > 0 then seen[what] = (seen[what] or 0) + 1 end
	end
	if i == warm_up then held("warm") end
end
held("end")
for what, n in pairs(seen) do print("seen:", what, n) end
