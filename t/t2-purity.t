-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Hidden order: Lua variables, tables, globals, coroutines that bodies share are
-- refused by explore() with their names; what is one body's own is legal, and is put
-- back before each execution.

local tap = require("tap")

-- Everything that is refused below has fewer executions than this.
local BOUND = { max_executions = 150 }

local function tried(scenario)
	local ok, r = pcall(explore, scenario, BOUND)
	return ok and r or nil, not ok and r or nil
end

-- explore() refuses, and says so in these words.
local function refused(what, scenario, ...)
	local _, message = tried(scenario)
	for _, words in ipairs { ... } do
		if not (message and message:find(words, 1, true)) then
			tap.fail(what)
			tap.diag("expected: ", words)
			tap.diag("got: ", message or "no refusal")
			return
		end
	end
	tap.pass(what)
end

-- explore() comes to an end (`executions`: after that many), and finds nothing.
local function legal(what, scenario, executions)
	local r, message = tried(scenario)
	local ok = r and r.verdict == "ok" and (not executions or r.executions == executions)
	if not tap.ok(ok, what) then
		tap.diag(message or r and (r.verdict .. " after " .. r.executions) or "?")
	end
end

-- Two more threads with four interleavings' worth of steps, so that an execution that
-- saw what an earlier one has left would be noticed.
local function others()
	local x = var("other")
	thread("other1", function() WRITE_ONCE(x, 1) end)
	thread("other2", function() WRITE_ONCE(x, 2) end)
end

local function line()
	return debug.getinfo(2, "l").currentline
end

-- ---------------------------------------------------------------- locals

refused("a counter that two threads count", function()
	local n = 0
	thread("a", function() yield() n = n + 1 end)
	thread("b", function() yield() n = n + 1 end)
end, "the threads 'a' and 'b' share the local 'n' (", "which 'a' changes: use var() or ghost()")

refused("a flag that one thread reads", function()
	local done
	thread("a", function() yield() done = true end)
	thread("b", function() yield() return done end)
end, "the threads 'a' and 'b' share the local 'done'", "'a' changes")

do
	local l
	local _, message = tried(function()
		local done
		thread("b", function() yield() return done end)
		thread("a", function()
			yield()
			done = true
		end)
		l = line() - 2
	end)
	tap.like(message, "share the local 'done' %(.*t2%-purity%.t:" .. l .. "%), which 'a' changes",
		"where it is assigned is said")
end

refused("changed, and changed back two steps later", function()
	local busy = false
	thread("a", function() yield() busy = true yield() busy = false end)
	thread("b", function() yield() return busy end)
end, "share the local 'busy'")

refused("two threads of one function that assigns its own upvalue", function()
	local n = 0
	local function body() yield() n = n + 1 end
	thread("a", body)
	thread("b", body)
end, "the threads 'a' and 'b' share the local 'n'")

refused("an assignment in a function inside of a function", function()
	local n = 0
	thread("a", function()
		local function f() return function() n = n + 1 end end
		yield()
		f()()
	end)
	thread("b", function() yield() return n end)
end, "share the local 'n'")

refused("an assignment in a helper of the file", function()
	local hits = 0
	local function bump() hits = hits + 1 end
	local function twice() bump() bump() end
	thread("a", function() yield() twice() end)
	thread("b", function() yield() twice() end)
end, "share the local 'hits'")

refused("a module of closures", function()
	local n = 0
	local lib = { inc = function() n = n + 1 end, get = function() return n end }
	thread("a", function() yield() lib.inc() end)
	thread("b", function() yield() return lib.get() end)
end, "share the local 'n'")

legal("helpers that nobody but one thread uses", function()
	local n = 0
	local lib = { inc = function() n = n + 1 end, idle = function() end }
	thread("a", function() yield() lib.inc() assert(n == 1) end)
	thread("b", function() yield() lib.idle() end)
	others()
end, 2)

legal("constants that all read", function()
	local a, b, c, d = 1, "text", { x = 1 }, { 1, 2 }
	local function body() return a, b, c.x, d[1], #d end
	thread("a", body)
	thread("b", body)
	others()
end, 2)

legal("loop variables are each closure's own", function()
	for i = 1, 2 do
		local n = i
		thread("t" .. i, function() n = n + 1 yield() assert(n == i + 1) end)
	end
	others()
end, 2)

legal("a thread's own variable starts anew each time", function()
	local n = 0
	thread("a", function() n = n + 1 yield() assert(n == 1) n = n + 1 end)
	others()
	finally(function() assert(n == 2) end)
end, 2)

do
	local n, log = 0, {}
	legal("also when it is the file's", function()
		thread("a", function()
			n = n + 1
			log[#log + 1] = n
			log.name = n
			yield()
			assert(n == 1 and #log == 1)
		end)
		others()
	end, 2)
end

legal("what bodies give, and finally() and outcome() read", function()
	local r0, r1
	local r = {}
	local x = var("x")
	thread("a", function() r0 = READ_ONCE(x) r[0] = r0 r.a = r0 end)
	thread("b", function() WRITE_ONCE(x, 1) r1 = 1 r[1] = 1 r.b = 1 end)
	finally(function() assert(r0 == r[0] and r1 == r[1] and r.a == r0 and r.b == 1) end)
	outcome(function() return r end)
end, 2)

do
	local total = 0
	legal("finally() may count in the file's variables", function()
		others()
		finally(function() total = total + 1 end)
	end, 2)
	tap.is(total, 2, "and they are not put back")
	refused("but not in what bodies read", function()
		thread("a", function() yield() return total end)
		others()
		finally(function() total = total + 1 end)
	end, "finally() and the thread 'a' share the local 'total'", "which finally() changes")
end

refused("an invariant reads what a thread assigns", function()
	local inside
	local x = var("x")
	thread("a", function() WRITE_ONCE(x, 1) inside = true end)
	invariant("alone", function() return READ_ONCE(x) == 0 or not inside end)
end, "the thread 'a' and the invariant 'alone' share the local 'inside'", "which the thread changes")

refused("a function without names and lines", function()
	local n = 0
	local f = load(string.dump(function() yield() n = n + 1 end, true))
	debug.setupvalue(f, 1, _ENV)
	debug.setupvalue(f, 2, 0)
	thread("a", f)
	thread("b", f)
end, "the threads 'a' and 'b' share the local '?'")

refused("debug.setupvalue() is seen when it has been done", function()
	local n = 0
	local function f() return n end
	thread("a", function() yield() debug.setupvalue(f, 1, 5) end)
	thread("b", function() yield() return f() end)
end, "the threads 'a' and 'b' share the local 'n'")

-- ---------------------------------------------------------------- tables

refused("table.insert() into one table", function()
	local t = {}
	thread("a", function() yield() table.insert(t, 1) end)
	thread("b", function() yield() table.insert(t, 2) end)
end, "share the table 't', whose entry [1] 'a' changes")

refused("a field, by its name", function()
	local seen = { x = 0 }
	thread("a", function() yield() seen.x = 1 end)
	thread("b", function() yield() return seen.x end)
end, "share the field 'x' of the table 'seen'", "'a' changes")

legal("two fields of one table", function()
	local t = { x = 0, y = 0 }
	thread("a", function() yield() t.x = t.x + 1 yield() assert(t.x == 1) end)
	thread("b", function() yield() t.y = t.y - 1 yield() assert(t.y == -1) end)
	others()
end, 2)

refused("a field of a table in a table", function()
	local t = { a = { b = { c = 1 } } }
	thread("a", function() yield() t.a.b.c = 2 end)
	thread("b", function() yield() return t.a.b.c end)
end, "share the table 't.a.b', whose field 'c' 'a' changes")

refused("changed and changed back between two steps of its own", function()
	local t = { x = 0 }
	local all = { t = t }
	local function set(o, v) o.x = v end
	thread("a", function() yield() set(t, 1) yield() set(t, 0) end)
	thread("b", function() yield() local o = all.t yield() return o.x end)
end, "share the table 't', whose field 'x' 'a' changes")

legal("a table that one thread uses", function()
	local t = { list = {} }
	thread("a", function()
		table.insert(t.list, 1)
		t.list.x = {}
		t.y = t.list
		yield()
		assert(#t.list == 1)
		t.list = nil
	end)
	others()
end, 2)

refused("methods change their object", function()
	local Counter = {}
	Counter.__index = Counter
	function Counter:inc() self.n = self.n + 1 end
	local c = setmetatable({ n = 0 }, Counter)
	thread("a", function() yield() c:inc() end)
	thread("b", function() yield() c:inc() end)
end, "share the table 'c', whose field 'n'")

legal("methods of an object that one thread has", function()
	local Counter = {}
	Counter.__index = Counter
	function Counter:inc() self.n = self.n + 1 end
	local c, d = setmetatable({ n = 0 }, Counter), setmetatable({ n = 0 }, Counter)
	thread("a", function() yield() c:inc() yield() assert(c.n == 1) end)
	thread("b", function() yield() d:inc() yield() assert(d.n == 1) end)
	others()
end, 2)

refused("metatables that write elsewhere", function()
	local shadow = {}
	local function proxy() return setmetatable({}, { __newindex = shadow, __index = shadow }) end
	local p, q = proxy(), proxy()
	thread("a", function() yield() p.x = 1 end)
	thread("b", function() yield() return q.x end)
end, "whose field 'x'")

refused("another metatable", function()
	local t = {}
	thread("a", function() yield() setmetatable(t, { __len = function() return 7 end }) end)
	thread("b", function() yield() return #t end)
end, "share the table 't', whose metatable 'a' changes")

refused("tables that are too large to watch", function()
	local t = {}
	for i = 1, 100001 do t[i] = i end
	thread("a", function() yield() t[#t + 1] = 1 end)
end, "too large to watch: more than 100000 entries, with 't'")

-- ---------------------------------------------------------------- globals

refused("a global that a thread assigns", function()
	thread("a", function() yield() a_new_global = 1 end)
	others()
end, "the thread 'a' assigns the global 'a_new_global' (", "make it local")

refused("by rawset()", function()
	thread("a", function() yield() rawset(_G, "a_raw_global", 1) end)
	others()
end, "the thread 'a' assigns the global 'a_raw_global'")
_G.a_raw_global = nil

refused("by a chunk that it loads", function()
	thread("a", function() yield() load("a_loaded_global = 1")() end)
	others()
end, "assigns the global 'a_loaded_global'")
_G.a_loaded_global = nil

refused("a function of Lua's own", function()
	thread("a", function() yield() string.a_function = 1 end)
	others()
end, "changes the table 'string': its field 'a_function'")
string.a_function = nil

function a_global_function() return a_global_table.x end
a_global_table = { x = 1 }
legal("globals that are only read", function()
	thread("a", function() yield() assert(a_global_function() == 1) end)
	thread("b", function() yield() assert(a_global_table.x == 1) end)
	others()
end, 2)

refused("a table in a global", function()
	thread("a", function() yield() a_global_table.x = 2 end)
	thread("b", function() yield() return a_global_function() end)
end, "the threads 'a' and 'b' share the table 'a_global_table', whose field 'x' 'a' changes")
a_global_table.x = 1
a_global_function, a_global_table = nil, nil

refused("require() in a thread", function()
	thread("a", function() yield() require("json") end)
	others()
end, "loads the module 'json'")

-- ---------------------------------------------------------------- coroutines

legal("a coroutine inside of a body", function()
	thread("a", function()
		local n = 0
		local co = coroutine.wrap(function()
			for i = 1, 2 do
				n = n + i
				yield()
				coroutine.yield(n)
			end
		end)
		assert(co() == 1 and co() == 3)
	end)
	others()
end, 2)

legal("one thread's coroutine starts anew each time", function()
	local co = coroutine.wrap(function() for i = 1, 9 do coroutine.yield(i) end end)
	thread("a", function() yield() assert(co() == 1) yield() assert(co() == 2) end)
	others()
end, 2)

refused("a coroutine of two", function()
	local co = coroutine.create(function() while true do coroutine.yield() end end)
	thread("a", function() yield() coroutine.resume(co) end)
	thread("b", function() yield() coroutine.resume(co) end)
end, "the threads 'a' and 'b' share the coroutine or iterator 'co'")

refused("what a coroutine assigns", function()
	local n = 0
	local co = coroutine.wrap(function() n = n + 1 end)
	thread("a", function() yield() co() end)
	thread("b", function() yield() return n end)
end, "share the local 'n'")

do
	local co = coroutine.wrap(function() for i = 1, 1000 do coroutine.yield(i) end end)
	refused("a coroutine that would go on where it was", function()
		thread("a", function() yield() co() end)
		others()
	end, "the thread 'a' uses the coroutine or iterator 'co', which is made outside")
end

refused("an iterator of two", function()
	local words = ("a b c"):gmatch("%a")
	thread("a", function() yield() words() end)
	thread("b", function() yield() words() end)
end, "share the coroutine or iterator 'words'")

-- ------------------------------------------------- what runs in other tasks

refused("a work item and a thread", function()
	local n = 0
	local w = work("w", function() n = n + 1 end)
	thread("u", function() queue_work(w) flush_work(w) return n end)
end, "the work item 'w' and the thread 'u' share the local 'n'", "which the work item changes")

legal("a work item's own", function()
	local n = 0
	local w = work("w", function() n = n + 1 end)
	thread("u", function() queue_work(w) flush_work(w) end)
	finally(function() assert(n == 1) end)
end)

refused("an interrupt and a thread", function()
	local n = 0
	irq("timer", 0, function() n = n + 1 end)
	thread("u", function() yield() return n end, { cpu = 0 })
end, "the interrupt 'timer' and the thread 'u' share the local 'n'")

local function domain()
	return srcu.new("ss", { flavor = "ideal" })
end

refused("a callback assigns a local of the thread that posts it", function()
	local ss = domain()
	thread("u", function()
		local done = 0
		call_srcu(ss, function() done = done + 1 end)
		srcu_barrier(ss)
		assert(done == 1)
	end)
end, "a callback of 'u' and the thread 'u' share the local 'done'", "which the callback changes")

refused("the thread goes on to assign what a callback reads", function()
	local ss = domain()
	thread("u", function()
		local o = kmalloc("o", { x = 1 })
		call_srcu(ss, function() kfree(o) end)
		o = nil
		srcu_barrier(ss)
	end)
end, "share the local 'o', which the thread changes")

refused("a table goes to a callback", function()
	local ss = domain()
	thread("u", function()
		local m = {}
		call_srcu(ss, function() m.done = true end)
		srcu_barrier(ss)
		assert(m.done)
	end)
end, "share the table 'm', whose field 'done'")

refused("two callbacks", function()
	local ss, n = domain(), 0
	thread("u", function()
		for _ = 1, 2 do
			call_srcu(ss, function() n = n + 1 end)
		end
		srcu_barrier(ss)
	end)
end, "two callbacks of 'u' share the local 'n'")

legal("one callback alone assigns", function()
	local ss, n = domain(), 0
	thread("u", function()
		call_srcu(ss, function() n = n + 1 end)
		srcu_barrier(ss)
	end)
	finally(function() assert(n == 1) end)
end)

legal("callbacks that free what they were given", function()
	local ss = domain()
	thread("u", function()
		for i = 1, 2 do
			local o = kmalloc("o", { x = i })
			call_srcu(ss, function() kfree(o) end)
		end
		srcu_barrier(ss)
	end)
end)

refused("a thread and one that it makes", function()
	thread("u", function()
		local n = 1
		thread("child", function() yield() return n end)
		yield()
		n = 2
	end)
end, "the threads 'u' and 'child' share the local 'n', which 'u' changes")

legal("a thread that knows itself", function()
	thread("u", function()
		local t
		t = thread("child", function() yield() return t end)
		yield()
	end)
end)

-- ---------------------------------------------------------------- ghosts, cond_wait

legal("ghosts are what bodies may share", function()
	local g, list = ghost("g", 0), ghost("list", {})
	for _, name in ipairs { "a", "b" } do
		thread(name, function()
			yield()
			g.value = g.value + 1
			table.insert(list.value, name)
		end)
	end
	finally(function() assert(g.value == 2 and #list.value == 2) end)
end, 2)

refused("a ghost's table is changed later than it was taken", function()
	local g = ghost("g", { n = 0 })
	for _, name in ipairs { "a", "b" } do
		thread(name, function()
			local t = g.value
			yield()
			t.n = t.n + 1
		end)
	end
end, "the thread 'a' changes the table in ghost 'g' after a step")

refused("also one that was put there later", function()
	local g = ghost("g")
	thread("a", function()
		local t = {}
		g.value = t
		yield()
		t.n = 1
	end)
	thread("b", function() yield() return g.value end)
end, "the thread 'a' changes the table in ghost 'g' after a step")

refused("a condition that counts how often it is asked", function()
	local x, n = var("x"), 0
	thread("a", function()
		cond_wait(function()
			n = n + 1
			return READ_ONCE(x) == 1
		end)
	end)
	thread("b", function() WRITE_ONCE(x, 1) end)
end, "the condition of cond_wait() in 'a' changes the local 'n'")

-- ---------------------------------------------------------------- our own libraries

legal("notifier chains keep their functions in tables of their own", function()
	local notifier = require("srcu_notifier")
	local chain = notifier.srcu_init_notifier_head("chain")
	local calls = ghost("calls", 0)
	local nb = notifier.notifier_block("nb", function() calls.value = calls.value + 1 end)
	thread("a", function() notifier.srcu_notifier_chain_register(chain, nb) end)
	finally(function() assert(calls.value == 0) end)
end)

legal("registering a block is not calling it", function()
	local notifier = require("srcu_notifier")
	local chain = notifier.srcu_init_notifier_head("chain3")
	local calls = {}
	local nb = notifier.notifier_block("nb3", function() calls[#calls + 1] = "called" end)
	thread("module", function() notifier.srcu_notifier_chain_register(chain, nb) end)
	thread("caller", function() notifier.srcu_notifier_call_chain(chain, 1) end)
end)

refused("but what such a function shares is seen", function()
	local notifier = require("srcu_notifier")
	local chain = notifier.srcu_init_notifier_head("chain2")
	local calls = 0
	local nb = notifier.notifier_block("nb2", function() calls = calls + 1 end)
	local function call() notifier.srcu_notifier_call_chain(chain, 1) end
	thread("setup", function() notifier.srcu_notifier_chain_register(chain, nb) end)
	thread("a", call)
	thread("b", call)
end, "share the local 'calls'")

-- ---------------------------------------------------------------- building

-- The scenario function is called twice at least: what it makes must be the same.
local count

local function differs(what, words, make)
	count = 0
	refused(what, function()
		count = count + 1
		make(count)
		thread("a", function() yield() end)
	end, "builds a different world each time: " .. words)
end

differs("another value", "var 'x' is 1 the first time and 2 the second", function(n) var("x", n) end)
differs("another name", "var 'x1' is made the first time where var 'x2' is the second",
	function(n) var("x" .. n) end)
differs("another kind", "var 'x' is made the first time where ptr 'x' is the second",
	function(n) return (n == 1 and var or ptr)("x") end)
differs("another CPU", "thread 'b' is on CPU 1 the first time and on CPU 2 the second",
	function(n) thread("b", function() end, { cpu = n }) end)
differs("more CPUs", "it has 1 CPUs (1 online) the first time and 2 (2 online) the second", cpus)
differs("a field", "kmalloc 'o.y[0]' is 1 the first time and 2 the second",
	function(n) kmalloc("o", { x = 1, y = array(2, n) }, { static = true }) end)
differs("a pointer", "ptr 'p' is NULL the first time and x the second",
	function(n)
		local x = var("x")
		ptr("p", n > 1 and x or nil)
	end)
differs("a ghost", "ghost 'g' is one the first time and two the second",
	function(n) ghost("g", n == 1 and "one" or "two") end)
differs("a local that bodies use", "the local 'n' is 1 the first time and 2 the second",
	function(n) thread("b", function() return n end) end)
count = 0
refused("something more at the end", function()
	count = count + 1
	thread("a", function() yield() end)
	if count > 1 then var("x") end
end, "var 'x' is made the second time and not the first")
count = 0
refused("something less", function()
	count = count + 1
	thread("a", function() yield() end)
	if count == 1 then var("x") end
end, "var 'x' is made the first time and not the second")

local function fails(what, scenario, pattern)
	local _, message = tried(scenario)
	tap.like(tostring(message), pattern, what)
end

fails("no threads", function() var("x") end, "makes no threads")
fails("an error while it builds", function() error("no such thing") end,
	"t2%-purity%.t:%d+: no such thing")
count = 0
fails("an error only the second time", function()
	count = count + 1
	assert(count == 1, "once is enough")
	thread("a", function() yield() end)
end, "once is enough")
fails("it never ends", function() while true do end end,
	"the scenario function computed for 3 s without a step: an endless loop?")
fails("an error that is no string", function() error({}) end, "table")

tap.is(explore(function()
	local x = var("x")
	thread("a", function() WRITE_ONCE(x, 1) end)
end).verdict, "ok", "after all of this one can go on")

tap.done()
