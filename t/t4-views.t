-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- show() and timeline() at 40, 80 and 160 columns, with 1, 3 and 12 threads,
-- compared byte for byte with t/expected/views.txt.  UPDATE_EXPECTED=1 writes
-- that file anew: read the difference before you keep it.

local tap = require("tap")

local path = (os.getenv("top_srcdir") or ".") .. "/t/expected/views.txt"
local update = os.getenv("UPDATE_EXPECTED")

-- ---------------------------------------------------------- expected outputs

local expected, order = {}, {}
if not update then
	local f = assert(io.open(path))
	local name
	for line in f:lines("L") do
		local head = line:match("^#### (.*)\n$")
		if head then
			name = head
			expected[name] = ""
		elseif name then
			expected[name] = expected[name] .. line
		end
	end
	f:close()
end

-- Compares, and says which line differs first.
local function golden(name, text)
	order[#order + 1] = { name, text }
	if update then
		return tap.pass(name)
	end
	local want = expected[name]
	if not tap.ok(text == want, name) then
		local got = text:gmatch("[^\n]*")
		for line in (want or "(nothing is expected)"):gmatch("[^\n]*") do
			local l = got()
			if l ~= line then
				tap.diag("expected: ", line)
				tap.diag("got:      ", tostring(l))
				break
			end
		end
	end
end

-- What must hold of every view, whatever it shows.
local function well_formed(name, text, columns)
	local long, blank, odd
	for line in text:gmatch("([^\n]*)\n") do
		long = long or (#line > columns and line)
		blank = blank or (line:find(" $") and line)
		odd = odd or (line:find("[^ -~]") and line)
	end
	tap.ok(not long, name .. ": no line is too long", long)
	tap.ok(not blank, name .. ": no blanks at the ends of lines")
	tap.ok(not odd, name .. ": plain ASCII")
	tap.ok(text:sub(-1) == "\n", name .. ": ends with a newline")
end

local function views(what, fn)
	for _, columns in ipairs { 40, 80, 160 } do
		local name = ("%s at %d columns"):format(what, columns)
		local text = fn { columns = columns, color = false, text = true }
		well_formed(name, text, columns)
		golden(name, text)
	end
end

local function show_of(object)
	return function(o) return show(object, o) end
end

-- ------------------------------------------------------------------ 1 thread

world(function()
	local m, x = mutex("vm.lock"), var("vm.generation", 41)
	local p = ptr("vm.msr_filter")
	thread("writer", function()
		mutex_lock(m)
		local f = kmalloc("filter", { count = 0, next = null }, { static = true })
		f.count = 16
		rcu_assign_pointer(p, f)
		smp_mb()
		WRITE_ONCE(x, READ_ONCE(x) + 1)
		mutex_unlock(m)
	end)
end)

views("timeline before the first step", timeline)
views("world before the first step", show_of(nil))
step("writer", 4)
views("world in the middle", show_of(nil))
views("held mutex", show_of("vm.lock"))
views("thread", show_of("writer"))
finish("writer")
advance(2500000)
views("timeline of 1 thread", timeline)
views("heap object", show_of("filter@writer.1"))
views("pointer", show_of("vm.msr_filter"))

-- ----------------------------------------------------------------- 3 threads

local function srcu_world()
	cpus(3)
	local ss = srcu.new("kvm.srcu")
	local p = ptr("kvm.msr_filter", kmalloc("old", { v = 1 }))
	local lock = mutex("kvm.lock")
	thread("ioctl", function()
		mutex_lock(lock)
		local old = READ_ONCE(p)
		rcu_assign_pointer(p, kmalloc("new", { v = 2 }, { static = true }))
		mutex_unlock(lock)
		synchronize_srcu(ss)
		kfree(old)
	end)
	thread("vcpu0", function()
		local idx = srcu_read_lock(ss)
		local f = srcu_dereference(p, ss)
		yield()
		READ_ONCE(f"v")
		srcu_read_unlock(ss, idx)
	end)
	thread("other", function()
		mutex_lock(lock)
		yield()
		mutex_unlock(lock)
	end)
end

world(srcu_world)
step("vcpu0", 5)
step("ioctl", 2)
views("blocked thread", function(o)
	return show("other", o)
end)
run_until("ioctl", "SCAN1")
views("srcu_struct in SCAN1", show_of("kvm.srcu"))
views("world in SCAN1", show_of(nil))
finish("vcpu0")
run()
views("timeline of 3 threads", timeline)
views("srcu_struct at the end", show_of("kvm.srcu"))
views("world at the end", show_of(nil))
views("freed object", show_of("old"))
views("last steps", function(o)
	o.last = 10
	return timeline(o)
end)
views("steps from the middle", function(o)
	o.from, o.to = 8, 14
	return timeline(o)
end)
views("few lines", function(o)
	o.max_lines = 6
	local text = timeline(o)
	local _, n = text:gsub("\n", "")
	tap.ok(n <= 6 + 3, "max_lines holds")
	return text
end)

-- Grace-period states have rules of their own, from edge to edge.
do
	local text = timeline { columns = 80, text = true }
	for _, change in ipairs { "IDLE -> SCAN1", "SCAN1 -> SCAN2", "SCAN2 -> IDLE" } do
		tap.like(text, "\n%-%-%-%- kvm%.srcu: " .. change:gsub("[%-]", "%%-") ..
			" %(gp_seq %d+ %-> %d+%) %-+\n", change .. " is a rule")
	end
end

-- ------------------------------------------------------------ many CPUs, wide

world(function()
	cpus(64)
	local ss = srcu.new("ss")
	thread("reader", function()
		local idx = srcu_read_lock(ss)
		srcu_read_unlock(ss, idx)
	end, { cpu = 37 })
end)
step_over("reader")
views("srcu_struct with 64 CPUs", show_of("ss"))

-- A tree with requests on their way, and longer lists than anybody reads.
world(function()
	cpus(4096)
	local ss = srcu.new("ss")
	srcu.new("unused", { static = true })
	for i = 1, 20 do
		thread("reader" .. i, function()
			local idx = srcu_read_lock(ss)
			cond_wait(function() return false end)
		end, { cpu = 200 * i })
		thread("poster" .. i, function() call_srcu(ss, function() end) end, { cpu = 100 * i })
	end
end)
for i = 1, 20 do
	finish("reader" .. i)
	finish("poster" .. i)
end
views("srcu_struct with 4096 CPUs", show_of("ss"))
views("static srcu_struct before its first use", show_of("unused"))

-- ---------------------------------------------------------------- 12 threads

world(function()
	cpus(12)
	local x, m = var("x"), mutex("m")
	for i = 1, 12 do
		thread(("thread-with-a-name-%d"):format(i), function()
			mutex_lock(m)
			WRITE_ONCE(x, READ_ONCE(x) + i)
			mutex_unlock(m)
		end)
	end
end)
run { policy = "random", seed = 3, max_steps = 17 }
views("timeline of 12 threads", timeline)
views("world of 12 threads", show_of(nil))

-- ------------------------------------------------------------------- violation

world(function()
	local p = ptr("p", kmalloc("o", { v = 1 }))
	thread("reader", function()
		local o = READ_ONCE(p)
		yield()
		READ_ONCE(o"v")
	end)
	thread("freer", function() kfree(READ_ONCE(p)) end)
end)
do
	step("reader", 2)
	finish("freer")
	local _, v = step("reader")
	tap.is(v and v.kind, "use-after-free", "a violation")
	views("timeline of a violation", timeline)
	views("world after a violation", show_of(nil))
end

-- ---------------------------------------------------------------- colours, args

do
	local plain = timeline { text = true, color = false }
	local color = timeline { text = true, color = true }
	tap.isnt(plain, color, "colours when asked for")
	tap.is((color:gsub("\27%[[0-9;]*m", "")), plain, "and nothing but colours")
	tap.like(color, "\27%[0m", "which end")
end

local function fails(fn, pattern, what)
	local ok, err = pcall(fn)
	tap.ok(not ok and tostring(err):find(pattern), what .. " is an error")
	if ok or not tostring(err):find(pattern) then
		tap.diag(tostring(err))
	end
end
fails(function() show("nobody") end, "nobody", "show of an unknown name")
fails(function() show(42) end, "bad argument #1 to 'show'", "show of a number")
fails(function() show({}) end, "bad argument #1 to 'show'", "show of a table")
fails(function() show(nil, { colums = 80 }) end, "colums", "an unknown option")
fails(function() timeline(7) end, "bad argument #1 to 'timeline'", "timeline of a number")
fails(function() timeline { columns = 5 } end, "columns", "too few columns")
fails(function() timeline { columns = "x" } end, "columns", "columns that are no number")
fails(function() timeline { last = 0 } end, "last", "the last 0 steps")
fails(function() timeline { from = -1 } end, "from", "steps from -1")
tap.is(timeline { from = 100, text = true }, "(no such steps)\n", "steps that there are not")

if update then
	local f = assert(io.open(path, "w"))
	f:write("# Outputs of show() and timeline(); see t/t4-views.t.\n")
	for _, o in ipairs(order) do
		f:write("#### ", o[1], "\n", o[2])
	end
	assert(f:close())
end

tap.done()
