-- SPDX-License-Identifier: GPL-2.0-or-later
-- Wrong arguments: a clear message that names the function and the argument, and
-- nothing lost.  The calls are made from the functions' own signatures.

local tap = require("tap")
local help = require("help")

local bad = {}
local function complain(...)
	bad[#bad + 1] = table.concat({...}, " ")
end
local function check(name)
	tap.same(bad, {}, name)
	bad = {}
end

-- Runs fn as a thread.
local count = 0
local function inside(fn)
	count = count + 1
	thread("t" .. count, fn)
	return run({ max_steps = 100000 })
end

-- --- each argument of each function in turn

-- By the names that the signatures use.
local function good_values()
	local v, o = var("v"), kmalloc("o", { count = 0 })
	local good = {
		name = "fresh", integer = 1, n = 1, fields = {}, opts = {}, object = o, v = v, x = 1,
		old = 0, new = 1, i = 1, u = 0, p = ptr("p", o), ss = srcu.new("ss"), cond = true,
		["object or nil"] = o, m = mutex("m"), l = spinlock("l"), c = completion("c"), flags = 0,
		idx = 0, cookie = 0, head = rcu_head("head"), fn = function() end, value = 0,
		scenario = function() end, ["{online=m}"] = { online = 1 },
		wq = waitqueue("wq"), sem = rwsem("sem"), work = work("work", print),
		list = list_head("list"), cpu = 0, vm = kvm.create_vm("vm"), req = 1, filter = {}, select = 1,
		mask = 1, match = 1, exclude = false, ["eventsel | {fixed=N}"] = 1,
	}
	good.vcpu = good.vm.vcpus[0]
	return good, { var = v, srcu = good.ss, mutex = good.m }
end

-- These take any value.
local any = { cond = true, ["ghost value"] = true }

-- "(a [, b [, c]]) -> d" as {"a", "b", "c"}, and how many of them must be given.
local function arguments(sig)
	local list, required = {}, 0
	local inner = sig:match("^%((.*)%)$") or sig:match("^%((.*)%) %->")
	for part in inner:gmatch("[^,]+") do
		local name = part:gsub("[%[%]]", ""):match("^%s*(.-)%s*$")
		if name ~= "" then
			list[#list + 1] = name
			if not part:match("[%[%]]") or part:match("^[^%[]*%[%s*$") then
				required = #list
			end
		end
	end
	return list, required
end

local wrong = coroutine.create(function() end)

local function function_of(name)
	local lib, field = name:match("^(%w+)[.](.+)$")
	if lib then
		return _G[lib][field]
	end
	return _G[name]
end

-- Calls fn with good arguments up to the i-th, which is wrong.
local function try(f, fn, self, names, i, good)
	local args, n = {}, 0
	local function add(value)
		n = n + 1
		args[n] = value
	end
	if self then
		add(self)
	end
	for j = 1, i - 1 do
		add(good[names[j]])
	end
	add(wrong)
	local ok, why = pcall(fn, table.unpack(args, 1, n))
	local expected = ("bad argument #%d to '%s' ("):format(i, f.name)
	if ok then
		complain(f.name, "took a coroutine as argument", i)
	elseif type(why) ~= "string" or not why:find(expected, 1, true) then
		complain(f.name, "argument", i .. ":", tostring(why))
	end
end

-- call_srcu's optional argument stands in the middle.
local special = { call_srcu = true }
local sections = { world = true, heap = true, access = true, rcu = true, locks = true, srcu = true,
	wait = true, rwsem = true, work = true, lists = true, ["kvm-vcpu"] = true, ["kvm-pmu"] = true }

world()
local good, selves = good_values()
local tried = 0
local function try_all(in_thread)
	help.each(function(f, _, section)
		if not sections[section.name] or not f.callable or special[f.name] then
			return
		end
		local kind, method = f.name:match("^(%w+):(%w+)$")
		local self = kind and selves[kind]
		local fn = kind and self[method] or function_of(f.name)
		local names = arguments(f.sig)
		for i, name in ipairs(names) do
			local any_value = any[name] or any[f.name .. " " .. name]
			if good[name] == nil then
				complain(f.name, "has an argument of a name unknown here:", name)
			elseif not any_value then
				try(f, fn, self, names, i, good)
				tried = tried + 1
			end
		end
		local ok, why = pcall(fn, table.unpack({ self }))
		local _, required = arguments(f.sig)
		if required > 0 and (ok or not tostring(why):find("'" .. f.name .. "'", 1, true)) then
			complain(f.name, "without arguments:", tostring(why))
		end
	end)
	if in_thread then
		check("every argument of every function is checked")
	end
end
inside(function() try_all(true) end)
tap.ok(tried > 150, ("%d calls were tried"):format(tried))

-- --- outside of threads: no current thread

for name in ([[srcu_read_lock srcu_read_unlock srcu_down_read synchronize_srcu call_srcu srcu_barrier
	WRITE_ONCE smp_load_acquire smp_store_release smp_mb xchg cmpxchg atomic_read atomic_inc
	atomic_add_return rcu_dereference srcu_dereference rcu_assign_pointer rcu_replace_pointer
	mutex_lock mutex_trylock mutex_unlock spin_lock spin_lock_irqsave complete wait_for_completion
	preempt_disable kfree migrate yield choose cleanup_srcu_struct prepare_to_wait schedule_wait
	finish_wait wake_up down_read up_read down_write up_write queue_work flush_work list_add_rcu list_del_rcu
	list_for_each_entry_srcu]]):gmatch("%S+") do
	local ok, why = pcall(_G[name], good.ss, good.v, good.v)
	if ok or why ~= name .. ": no current thread" then
		complain(name, tostring(why))
	end
end
check("kernel calls outside of threads")
tap.raises(function() good.object.count = 1 end, "o%.f = v: no current thread", "and o.f = v")
tap.raises(function() good.v:set(1) end, "var:set: no current thread", "and v:set()")

-- --- every other function with nonsense: an error or not, but no crash

-- Leaving and reading from the terminal are not for this.
local left_alone = { ["debug.debug"] = true }
local nonsense = { wrong, {}, -1, 1e300, 0 / 0, math.mininteger, "", "no such", false,
	function() error("called") end, io.stdout, null, setmetatable({}, { __index = error }) }
local function try_nonsense()
	local real = print
	print = function() end
	help.each(function(f)
		local fn = f.callable and not f.name:find(":", 1, true) and function_of(f.name)
		if not fn or left_alone[f.name] or f.name == "timeline" or f.name == "show" then
			return
		end
		for i = 1, #nonsense do
			local ok, why = pcall(fn, nonsense[i], nonsense[i], nonsense[i])
			if not ok and why == nil then
				complain(f.name, "raised nil")
			end
		end
	end)
	print = real
end
world()
try_nonsense()
check("nonsense outside of threads")
tap.is(tostring(var("after")), 'var "after"', "the session has survived it")

-- --- messages by hand

world()
local ss, m, v, o, p = srcu.new("ss"), mutex("m"), var("v"), kmalloc("o", { count = 0, next = null, dev = array(4) }), ptr("p")
local function raises(fn, message, name)
	local ok, why = pcall(fn)
	why = tostring(why):gsub("^[^:]+:%d+: ", "")
	tap.is(not ok and why, message, name)
end

raises(function() mutex("ss") end, 'mutex: name "ss" is taken by srcu "ss"', "a clash of names")
raises(function() srcu.new("m") end, 'srcu.new: name "m" is taken by mutex "m"', "the other way round")
raises(function() cpus(0) end, "bad argument #1 to 'cpus' (expected 1..4096, got 0)", "cpus(0)")
raises(function() cpus(5000) end, "bad argument #1 to 'cpus' (expected 1..4096, got 5000)", "cpus(5000)")
raises(function() cpus(2, 1) end, "bad argument #2 to 'cpus' (table expected, got number)", "cpus(2, 1)")
raises(function() cpus(2, { on = 1 }) end, "bad argument #2 to 'cpus' (no option is called 'on' (online))",
	"an unknown option of cpus()")
raises(function() cpus(2, { online = "1" }) end,
	"bad argument #2 to 'cpus' (option 'online' is an integer, not a string)", "online is a number")
raises(function() cpus(2, { online = 3 }) end, "bad argument #2 to 'cpus' (option 'online' is 1..2, not 3)",
	"more CPUs online than there are")
raises(function() cpus(2, { online = 0 }) end, "bad argument #2 to 'cpus' (option 'online' is 1..2, not 0)",
	"none online")
raises(function() cpus(nil, { online = 1 }) end, "bad argument #1 to 'cpus' (number expected, got nil)",
	"online without a number")
raises(function() cpus(2) end,
	"cpus: the number of CPUs must be set before the first object is made", "cpus() too late")
raises(function() mutex("a b") end, "bad argument #1 to 'mutex' (\"a b\" is no name: letters, digits and "
	.. "_.:/@#- make one, and kworker/, timer/, sb/, clock and rcu_state are taken)", "a bad name")
raises(function() mutex("") end, "bad argument #1 to 'mutex' (the name is empty)", "an empty name")
raises(function() mutex(7) end, "bad argument #1 to 'mutex' (name expected, got number)", "a number as name")
raises(function() srcu.new("x", { fanuot = 3 }) end, "bad argument #2 to 'srcu.new' (no option is called "
	.. "'fanuot' (flavor, kernel, size, fanout, fanout_leaf, small_contention_lim, static, exp_holdoff, "
	.. "counter_bits, seq_bits, faults))", "an unknown option")
raises(function() srcu.new("x", { flavor = "huge" }) end, "bad argument #2 to 'srcu.new' "
	.. "(option 'flavor' is \"tree\", \"tiny\" or \"ideal\", not huge)", "an unknown flavor")
raises(function() srcu.new("x", { flavor = "tiny" }) end,
	"srcu.new: the tiny flavor is for one CPU and this world has 4: call cpus(1) first", "tiny on four CPUs")
raises(function() srcu.new("x", { flavor = "ideal", seq_bits = 8 }) end,
	"srcu.new: seq_bits: the ideal flavor has no such thing", "an option that the ideal flavor has not")
raises(function() var("rcu_state") end, "bad argument #1 to 'var' (\"rcu_state\" is no name: letters, digits "
	.. "and _.:/@#- make one, and kworker/, timer/, sb/, clock and rcu_state are taken)", "the name of RCU's domain")
raises(function() srcu.new("x", { size = 3 }) end,
	"bad argument #2 to 'srcu.new' (option 'size' is \"small\", \"big\" or \"auto\", not 3)", "a bad size")
raises(function() srcu.new("x", { fanout_leaf = 65 }) end,
	"bad argument #2 to 'srcu.new' (option 'fanout_leaf' is 2..64, not 65)", "fanout_leaf = 65")
raises(function() srcu.new("x", { fanout = 1 }) end,
	"bad argument #2 to 'srcu.new' (option 'fanout' is 2..64, not 1)", "fanout = 1")
raises(function() srcu.new("x", { small_contention_lim = -1 }) end,
	"bad argument #2 to 'srcu.new' (option 'small_contention_lim' is 0..2147483647, not -1)",
	"small_contention_lim = -1")
raises(function() srcu.new("x", { static = 1 }) end,
	"bad argument #2 to 'srcu.new' (option 'static' is a boolean, not a number)", "static = 1")
raises(function() srcu.new("x", { size = "big", seq_bits = 4 }) end,
	"srcu.new: seq_bits: a big domain needs 5 or more, not 4", "too few seq_bits for a tree")
raises(function() srcu.new("x", { seq_bits = 3 }) end,
	"bad argument #2 to 'srcu.new' (option 'seq_bits' is 4..64, not 3)", "an option out of range")
raises(function() srcu.new("x", { counter_bits = "9" }) end,
	"bad argument #2 to 'srcu.new' (option 'counter_bits' is an integer, not a string)", "an option of a wrong type")
raises(function() srcu.new("x", { faults = { "no-flop" } }) end,
	"bad argument #2 to 'srcu.new' (option 'faults': no fault is called no-flop (see srcu.faults()))", "an unknown fault")
raises(function() srcu.new("x", { faults = "no-flip" }) end,
	"bad argument #2 to 'srcu.new' (option 'faults' is a list of names, not a string)", "faults that are no list")
raises(function() kmalloc("x", { 1 }) end, "bad argument #2 to 'kmalloc' (the names of fields are strings: "
	.. "{count = 0, next = null})", "a field without a name")
raises(function() kmalloc("x", { ["a b"] = 1 }) end,
	"bad argument #2 to 'kmalloc' (\"a b\" is no name of a field)", "a bad name of a field")
raises(function() kmalloc("x", { a = "b" }) end,
	"bad argument #2 to 'kmalloc' (field 'a' must be an integer, null, an object or array(n), not a string)", "a bad field")
raises(function() kmalloc("x", {}, { maybe = true }) end,
	"bad argument #3 to 'kmalloc' (no option is called 'maybe' (may_fail, static))", "a bad option of kmalloc")
raises(function() array(0) end, "bad argument #1 to 'array' (expected 1..1000000, got 0)", "array(0)")
raises(function() return o.nothing end, "kmalloc \"o\" has no field 'nothing'", "no such field")
raises(function() return o.dev[4] end, "o.dev[4] does not exist: the indexes are 0..3", "out of range")
raises(function() return o.dev[-1] end, "o.dev[-1] does not exist: the indexes are 0..3", "out of range below")
raises(function() return o.dev.x end, "o.dev is indexed by integers, not by a string", "an index that is no integer")
raises(function() return READ_ONCE(o.count) end, "bad argument #1 to 'READ_ONCE' (var, ptr or location of a "
	.. "field (o'f') expected, got number)", "a value for a location")
raises(function() return READ_ONCE(o'dev') end,
	"bad argument #1 to 'READ_ONCE' (o.dev is an array: say which element)", "a whole array")
raises(function() v.get(m) end, "calling 'var:get' on bad self (var expected, got mutex)", "a bad self")
raises(function() world(3) end, "bad argument #1 to 'world' (function expected, got number)", "world(3)")
raises(function() world(function() world() end) end,
	"world: cannot be called while a scenario builds its world", "world() in a scenario")

-- --- in threads

world()
ss, m, v, p = srcu.new("ss"), mutex("m"), var("v"), ptr("p")
o = kmalloc("o", { count = 0, next = null, dev = array(4) })
inside(function()
	for _, idx in ipairs({ 2, -1, math.maxinteger }) do
		raises(function() srcu_read_unlock(ss, idx) end, "bad argument #2 to 'srcu_read_unlock' "
			.. "(index 0 or 1 expected, got " .. idx .. ")", "unlock with index " .. idx)
	end
	raises(function() srcu_read_unlock(ss, "x") end,
		"bad argument #2 to 'srcu_read_unlock' (index 0 or 1 expected, got string)", 'unlock with index "x"')
	raises(function() srcu_up_read(ss) end,
		"bad argument #2 to 'srcu_up_read' (index 0 or 1 expected, got no value)", "unlock without index")
	raises(function() srcu_read_lock(m) end,
		"bad argument #1 to 'srcu_read_lock' (srcu expected, got mutex)", "a mutex for a domain")
	raises(function() srcu_read_lock(nil) end,
		"bad argument #1 to 'srcu_read_lock' (srcu expected, got nil)", "nil for a domain")
	raises(function() mutex_lock("m") end,
		"bad argument #1 to 'mutex_lock' (mutex expected, got string)", "a name for a mutex")
	raises(function() WRITE_ONCE(v, m) end,
		"bad argument #2 to 'WRITE_ONCE' (integer expected, got mutex)", "an object into a var")
	raises(function() WRITE_ONCE(v, "1") end,
		"bad argument #2 to 'WRITE_ONCE' (integer expected, got string)", "a string into a var")
	raises(function() WRITE_ONCE(v, 1.5) end, "bad argument #2 to 'WRITE_ONCE' "
		.. "(number has no integer representation)", "a fraction into a var")
	raises(function() WRITE_ONCE(p, 1) end,
		"bad argument #2 to 'WRITE_ONCE' (object or nil expected, got number)", "an integer into a ptr")
	raises(function() WRITE_ONCE(v) end, "bad argument #2 to 'WRITE_ONCE' (value expected)", "no value")
	raises(function() o.count = nil end, "o.f = v: the field was made with an integer: "
		.. "make it with null to hold nil", "nil into an integer")
	raises(function() o.count = {} end,
		"o.f = v: integer, object or nil expected, got table", "a table into a field")
	raises(function() o.dev = 1 end, "o.dev is an array: set its elements", "an integer into an array")
	raises(function() atomic_inc(p) end, "bad argument #1 to 'atomic_inc' "
		.. "(an integer is needed, and this holds pointers)", "an atomic operation on a pointer")
	raises(function() rcu_dereference(v) end, "bad argument #1 to 'rcu_dereference' "
		.. "(a pointer is needed, and this holds integers)", "rcu_dereference of a var")
	raises(function() call_srcu(ss, 1) end,
		"bad argument #2 to 'call_srcu' (function or rcu_head expected, got number)", "a callback that is none")
	raises(function() call_srcu(ss, m, print) end,
		"bad argument #2 to 'call_srcu' (rcu_head expected, got mutex)", "a mutex for a head")
	raises(function() poll_state_synchronize_srcu(ss) end,
		"bad argument #2 to 'poll_state_synchronize_srcu' (integer expected, got no value)", "no cookie")
	raises(function() spin_unlock_irqrestore(spinlock("l")) end,
		"bad argument #2 to 'spin_unlock_irqrestore' (integer expected, got no value)", "no flags")
	raises(function() world() end, "world: cannot be called in a thread's body", "world() in a thread")
	raises(function() cpus(1) end, "cpus: cannot be called in a thread's body", "cpus(n) in a thread")
end)

-- an error in a body is a violation, with its message
local report = inside(function() return o.dev[4] end)
tap.is(report.violations[1].kind, "error", "an index out of range in a body")
tap.like(report.violations[1].message, "o.dev%[4%] does not exist", "says which")

-- a predicate only reads
report = inside(function() cond_wait(function() var("x") return true end) end)
tap.like(report.violations[1].message, "var: a predicate only reads", "making objects in a predicate")

tap.done()
