-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Scripts that do what nobody should: endless loops, odd errors, finalizers that
-- meddle, coroutines passed around, memory and threads that run out.  Each ends in
-- a message or a violation, never in a crash or a hang.

local tap = require("tap")

local srcush = "'" .. (os.getenv("SRCUSH") or "./srcush") .. "'"
local top = os.getenv("top_srcdir") or "."
local dir = os.getenv("HOME") or "."
local sanitized = (os.getenv("SRCUSH_SANITIZERS") or "") ~= ""
local CARRIERS = { "fiber", "pthread" }

local function write(name, text)
	local f = assert(io.open(dir .. "/" .. name, "wb"))
	f:write(text)
	f:close()
end

local function read(name)
	local f = io.open(dir .. "/" .. name, "rb")
	local s = f and f:read("a") or ""
	if f then
		f:close()
	end
	return s
end

-- A shell command in the scratch directory; $S is srcush.
local function sh(line)
	line = line:gsub("%$S", function() return srcush end)
	local _, how, code = os.execute("cd '" .. dir .. "' && { " .. line .. "\n} </dev/null >out.txt 2>err.txt")
	return how == "exit" and code or how .. " " .. code, read("out.txt"), read("err.txt")
end

-- What fn, as the body of a thread, ends in: the verdict, or the violation's kind, and
-- its message.
local function body(fn, options)
	world()
	thread("t", fn)
	local report = run(options or { max_steps = 100000 })
	local v = report.violations[1]
	return v and v.kind or report.verdict, v and v.message
end

local function kind(fn, want, name)
	tap.is((body(fn)), want, name)
end

-- ------------------------------------------------------------ errors in bodies

for what, value in pairs { string = "boom", ["number 42"] = 42, ["a table value"] = {},
		["a boolean value"] = true, ["a function value"] = print } do
	local got, message = body(function() error(value) end)
	tap.is(got, "error", "an error object: " .. what)
	tap.like(message or "", type(value) == "string" and "boom" or type(value) == "number" and "42"
		or "%(error object is " .. what .. "%)", "and the message says so")
end
kind(function() error() end, "error", "error(nil)")
kind(function() error("%s%n%d") end, "error", "an error with a format in it")
do
	local got, message = body(function()
		error(setmetatable({}, { __tostring = function() return "custom" end }))
	end)
	tap.like(message or got, "of t: custom", "an error object with __tostring")
end
for name, t in pairs {
	raises = { function() error("inner") end, "%(error object is a table value%)" },
	recurses = { function(o) return tostring(o) end, "%(error object is a table value%)" },
	yields = { function() coroutine.yield() end, "%(error object is a table value%)" },
	steps = { function() yield() return "stepped" end, "of t: stepped" },
} do
	local got, message = body(function() error(setmetatable({}, { __tostring = t[1] })) end)
	tap.like(message or got, t[2], "an error object whose __tostring " .. name)
end
kind(function() pcall(assert, false) end, "assertion", "pcall does not hold up a failed assert")
kind(function()
	local o = kmalloc("o", { f = 1 })
	kfree(o)
	pcall(function() return o.f end)
end, "use-after-free", "nor a use after free")

-- ------------------------------------------------------------------ recursion

for name, fn in pairs {
	Lua = function() local function f() return 1 + f() end f() end,
	gsub = function() local function f() yield() return (("x"):gsub(".", f)) end f() end,
	sort = function() local function f() table.sort({ 1, 2, 3 }, function() yield() f() end) end f() end,
	pcall = function() local function f() assert(select(2, pcall(f)) == 1) end error(select(2, pcall(f))) end,
	coroutines = function() local function f() coroutine.wrap(f)() end f() end,
	metamethods = function()
		local mt = {}
		function mt.__index() yield() return setmetatable({}, mt).x end
		return setmetatable({}, mt).x
	end,
} do
	local got = body(fn)
	tap.ok(got == "error" or got == "assertion", "endless recursion: " .. name)
end

-- ------------------------------------------- coroutines, finalizers, __close

world()
do
	local co = coroutine.create(function() yield() yield() return "end" end)
	local ended
	thread("a", function() ended = select(2, coroutine.resume(co)) end)
	thread("b", function() coroutine.resume(co) end)
	step("a")
	tap.is(select(2, coroutine.resume(co)), "cannot resume non-suspended coroutine",
		"a coroutine in the middle of a step is not resumed from outside")
	tap.is((pcall(coroutine.close, co)), false, "nor closed")
	tap.like(debug.traceback(co), "yield", "but can be looked at")
	tap.is(run().verdict, "ok", "and goes on in its thread")
	tap.is(ended, "end", "to its end")
end
do
	local own
	world()
	thread("a", function() own = coroutine.running() yield() yield() end)
	step("a")
	world()
	tap.is((coroutine.resume(own)), false, "a body is not resumed when its world is gone")
	tap.is((pcall(coroutine.close, own)), false, "nor closed")
	collectgarbage()
end

local function in_finalizer(...)
	local got = {}
	for _, f in ipairs { ... } do
		setmetatable({}, { __gc = function() got[#got + 1] = select(2, pcall(f[1], f[2])) end })
	end
	collectgarbage()
	return got
end

-- What was made or thrown away there would be when the collector likes.
do
	local function all()
		local got = in_finalizer({ world }, { run }, { back }, { reset }, { step, "t" }, { var, "x" },
			{ ghost, "x" }, { srcu.new, "x" }, { kmalloc, "x" }, { thread, "x" }, { cpus, 2 },
			{ advance, 1 }, { replay, "" }, { kvm.create_vm, "x" })
		table.sort(got, function(a, b) return tostring(a) < tostring(b) end)
		local bad = {}
		for _, why in ipairs(got) do
			if not tostring(why):find("cannot be called in a") then
				bad[#bad + 1] = tostring(why)
			end
		end
		return #got .. " " .. table.concat(bad, "; ")
	end
	world()
	thread("t", function() yield() end)
	tap.is(all(), "14 ", "finalizers can change nothing")
	local inside
	kind(function() inside = all() end, "ok", "finalizers that run in a body")
	tap.is(inside, "14 ", "neither can they")
	kind(function()
		debug.setmetatable({}, { __gc = function() inside = select(2, pcall(yield)) end })
		collectgarbage()
	end, "ok", "debug.setmetatable() makes finalizers too")
	tap.is(inside, "yield: cannot be called in a finalizer", "which cannot step")
end
kind(function()
	local x <close> = setmetatable({}, { __close = function() yield() end })
	yield()
end, "ok", "__close may step")

-- ------------------------------------------------------- a thread sees itself

do
	local seen = {}
	kind(function()
		local m = mutex("m")
		mutex_lock(m)
		seen[1] = status("t")
		cond_wait(function() return true end)
		seen[2] = status("t")
		mutex_unlock(m)
	end, "ok", "a thread asks for its own status")
	tap.is(seen[1], "ready", "after it took a mutex")
	tap.is(seen[2], "ready", "after a cond_wait()")
end

-- ----------------------------------------------------------- messages by hand

world()
do
	local o, vm, t = kmalloc("o", { f = 1 }), kvm.create_vm("vm"), thread("t", function() end)
	tap.raises(function() kmalloc("x", { n = t }) end,
		"bad argument #2 to 'kmalloc' %(thread \"t\" has no address%)", "a field without an address")
	tap.raises(function() var("a\0b") end, "the name has a zero byte in it", "a zero byte in a name")
	world()
	tap.raises(function() kmalloc("x", { n = o }) end,
		"bad argument #2 to 'kmalloc' %(kmalloc \"o\" belongs to another world%)", "a field of another world")
	tap.raises(function() return vm.lock end, "vm%.f: vm \"vm\" belongs to another world", "a VM of another world")
end

-- ------------------------------------------------------------------ schedules

world()
do
	local name = ("T"):rep(3000)
	thread(name, function() yield() yield() end)
	run()
	local s = schedule()
	reset()
	tap.is(replay(s), true, "a schedule with a very long name")
	tap.is(schedule(), s, "leads to where it was taken")
	local _, why = replay("@sc,4 " .. name .. "*5")
	tap.like(why, "done already", "and where it does not fit the reason is said")
	for _, choice in ipairs { "0", "4294967297", "99999999999999999999999" } do
		_, why = replay("@sc,4 " .. name .. "=" .. choice)
		tap.like(why, "choices are counted from 1", "no choice " .. choice)
	end
	tap.is((replay("@sc,4 " .. ("x"):rep(1000000))), nil, "an item of a megabyte")
end

-- --------------------------------------------------------------- endless loops

-- Each costs seconds of computing: side by side, and all at once.
do
	local loops = {
		{ "pcall", "thread('t', function() while true do pcall(function() while true do end end) end end)", "t computed" },
		{ "coroutine", "thread('t', function() coroutine.wrap(function() while true do end end)() end)", "t computed" },
		{ "callback", "local ss = srcu.new('ss') thread('t', function() call_srcu(ss, function() while true do end end) end)",
			"kworker/ss:cb0 computed" },
		{ "cond_wait", "thread('t', function() cond_wait(function() while true do end end) end)", "the predicate computed" },
		{ "run_until", "thread('t', function() yield() end) local _, why = pcall(run_until, 't', "
			.. "function() while true do pcall(function() while true do end end) end end) print(why)",
			"the predicate computed" },
		{ "scenario", "print(pcall(world, function() while true do pcall(function() while true do end end) end end))",
			"the scenario function computed" },
	}
	local line = {}
	for i, l in ipairs(loops) do
		write("loop" .. i .. ".lua", l[2] .. "\nlocal r = run() print(r.violations[1] and r.violations[1].message)\n")
		line[i] = ("timeout 120 $S --carrier %s loop%d.lua >loop%d.txt 2>&1 &"):format(CARRIERS[i % 2 + 1], i, i)
	end
	sh(table.concat(line, "\n") .. "\nwait")
	for i, l in ipairs(loops) do
		tap.like(read("loop" .. i .. ".txt"), l[3] .. " for 3 s without a step: an endless loop%?",
			"an endless loop: " .. l[1])
	end
end

-- -------------------------------------------------------------- leaving a body

for _, carrier in ipairs(CARRIERS) do
	for code, fn in pairs { [3] = "os.exit(3, true)", [4] = "yield() pcall(os.exit, 4, true)",
			[5] = "coroutine.wrap(function() os.exit(5, true) end)()",
			[6] = "call_srcu(srcu.new('s'), function() os.exit(6, true) end)",
			[7] = "cond_wait(function() os.exit(7, true) end)" } do
		tap.is((sh(("$S --carrier %s -e \"print(1) thread('u', function() yield() end) "
			.. "thread('t', function() %s end) run()\""):format(carrier, fn))), code,
			carrier .. ": " .. fn .. " in a body")
		tap.is(read("out.txt"), "1\n", "and the output is written")
	end
end

-- ------------------------------------------------------------------ many, much

do
	local n = sanitized and 1000 or 10000
	for _, carrier in ipairs(CARRIERS) do
		local status, out = sh(("$S --carrier %s -e \"v = var('v') for i = 1, %d do "
			.. "thread('t' .. i, function() atomic_inc(v) end) end print(run().verdict, v:get())\""):format(carrier, n))
		tap.same({ status, out }, { 0, "ok\t" .. n .. "\n" }, ("%d threads: %s"):format(n, carrier))
	end
	world()
	cpus(4096)
	local ss = srcu.new("ss")
	thread("t", function() synchronize_srcu(ss) end, { cpu = 4095 })
	tap.is(run().verdict, "ok", "4096 CPUs")
end

-- ------------------------------------------- memory and threads that run out

write("oom.lua", [[
local ss, p, m = srcu.new("ss"), ptr("p"), mutex("m")
local old = kmalloc("old", { count = 0, next = null, dev = array(4) })
thread("r", function()
	local idx = srcu_read_lock(ss)
	local o = rcu_dereference(p)
	srcu_read_unlock(ss, idx)
end)
thread("w", function()
	mutex_lock(m)
	rcu_assign_pointer(p, kmalloc("new", { count = 1 }))
	synchronize_srcu(ss)
	kfree(old)
	call_srcu(ss, function() yield() end)
	mutex_unlock(m)
end)
local r = run()
back(3)
show()
timeline()
local s = schedule()
reset()
replay(s)
world(function()
	local vm = kvm.create_vm("vm")
	thread("w", function()
		kvm_vm_ioctl_set_msr_filter(vm, { default = "deny", ranges = { { base = 1, nmsrs = 4, read = true, bitmap = "\1" } } })
		error("x")
	end)
end)
print(run().verdict)
]])

-- Where sanitizers have the allocator, or nothing can be compiled, not much can fail.
local lib = "failalloc.so"
local can = not sanitized and sh(("${CC:-cc} -shared -fPIC -O1 -o %s '%s/t/lib/failalloc.c' -ldl")
	:format(lib, top:sub(1, 1) == "/" and top or os.getenv("PWD") .. "/" .. top)) == 0
	and sh("LD_PRELOAD=./" .. lib .. " $S -e ''") == 0

local function tries(carrier, on, stride)
	local s = sh(("FAIL_COUNT=count.txt LD_PRELOAD=./%s $S --carrier %s oom.lua"):format(lib, carrier))
	local n, bad, failed = tonumber(read("count.txt")), {}, 0
	for at = 1, n, stride do
		local status, _, err = sh(("FAIL_AT=%d FAIL_ON=%s LD_PRELOAD=./%s timeout 120 $S --carrier %s oom.lua")
			:format(at, on, lib, carrier))
		failed = failed + (status == 0 and 0 or 1)
		-- 2: the script itself could not be read
		if status ~= 0 and not ((status == 1 or status == 2) and err:find("^srcush: [^\n]")) then
			bad[#bad + 1] = at .. ": " .. status
		end
	end
	tap.is(s, 0, carrier .. ": with all the memory it wants")
	tap.is(table.concat(bad, ", "), "", ("%s: %d times out of memory, %d messages"):format(carrier,
		n // stride, failed))
	tap.ok(n > 500 and failed > 10, "enough was tried")
end

if can then
	tries("fiber", 0, 11)
	tries("pthread", 0, 11)
	tries("fiber", 1, 41)
	local status, _, err = sh("FAIL_THREADS=2 LD_PRELOAD=./" .. lib .. " $S --carrier pthread -e \"thread('a', "
		.. "function() yield() end) thread('b', function() yield() end) step('b')\"")
	tap.is(status, 1, "no OS thread can be had")
	tap.like(err, "^srcush: %(command line%):1: step: cannot start an OS thread for \"b\": .*%-%-carrier fiber",
		"the message says so, and what to do")
	write("two.lua", "return function() thread('a', function() yield() end) thread('b', function() yield() end) end\n")
	status, _, err = sh("FAIL_THREADS=2 LD_PRELOAD=./" .. lib .. " $S run --carrier pthread two.lua")
	tap.is(status, 1, "nor for srcush run")
	tap.like(err, "^srcush: two%.lua: cannot start an OS thread for \"b\"", "it says so")
else
	tap.skip("the allocator cannot be replaced here", 13)
end

tap.done()
