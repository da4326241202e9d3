-- SPDX-License-Identifier: GPL-2.0-or-later
-- Objects, fields, locations and the values that they hold; handles across worlds.

local tap = require("tap")

-- Runs fn as a thread of the current world, to its end; what it returns, or the
-- message of the violation that ended it.
local count = 0
local function inside(fn)
	local results
	count = count + 1
	local t = thread("t" .. count, function()
		results = table.pack(fn())
	end)
	local n = #run().violations
	if status(t) == "failed" then
		return nil, select(2, status(t))
	end
	return table.unpack(results or {}, 1, results and results.n or 0)
end

-- --- names, tostring, identity

world()
local m, o = mutex("m"), kmalloc("o", {count = 3, next = null, dev = array(4)})
tap.is(tostring(m), 'mutex "m"', "tostring of a mutex")
tap.is(tostring(o), 'kmalloc "o"', "tostring of a heap object")
tap.is(tostring(var("vm.x-1:@#/_")), 'var "vm.x-1:@#/_"', "all characters of names")
tap.is(tostring(null), "null", "tostring of null")
tap.is(tostring(o.dev), 'array "o.dev"', "tostring of an array")
tap.is(tostring(o'count'), 'location "o.count"', "tostring of a location")
tap.is(tostring(o'dev'[2]), 'location "o.dev[2]"', "tostring of an element's location")
local p = ptr("p", o)
tap.ok(rawequal(READ_ONCE(p), o), "equal objects give the same handle")
tap.ok(READ_ONCE(p) == o and READ_ONCE(p) ~= m, "and compare so")

tap.is(inside(function() return tostring(kmalloc("new")) end), 'kmalloc "new@t1.1"',
	"what a thread makes has its maker's name")
tap.is(inside(function() kmalloc("new") return tostring(kmalloc("new")) end), 'kmalloc "new@t2.2"',
	"a thread may use a name again")

-- --- variables

local v = var("v", -5)
tap.is(READ_ONCE(v), -5, "a var has its first value")
tap.is(READ_ONCE(var("w")), 0, "which is 0 unless given")
tap.is(v:get(), -5, "v:get() outside of threads")
tap.is(inside(function() WRITE_ONCE(v, math.mininteger) return READ_ONCE(v) end), math.mininteger,
	"64 bits, signed")
tap.is(inside(function() v:set(7) return v:get() end), 7, "set and get")
tap.is(inside(function() smp_store_release(v, 8) return smp_load_acquire(v) end), 8,
	"release and acquire")
tap.is(inside(function() smp_store_mb(v, 9) return READ_ONCE(v) end), 9, "smp_store_mb")
tap.is(inside(function() WRITE_ONCE(v, 3.0) return READ_ONCE(v) end), 3, "a float that is an integer")

-- --- atomics

local function atomics(fn, first, ...)
	local args = {...}
	return inside(function()
		WRITE_ONCE(v, first)
		local got = fn(table.unpack(args))
		return got, READ_ONCE(v)
	end)
end
local function is2(a, b, x, y, name)
	tap.same({a, b}, {x, y}, name)
end
local function check(name, first, args, got, after)
	local a, b = atomics(_G[name], first, table.unpack(args))
	is2(tostring(a), b, tostring(got), after, name)
end
check("xchg", 1, {v, 2}, 1, 2)
check("cmpxchg", 1, {v, 1, 5}, 1, 5)
check("cmpxchg", 1, {v, 2, 5}, 1, 1)
check("atomic_xchg_acquire", 1, {v, 2}, 1, 2)
check("atomic_cmpxchg_relaxed", 1, {v, 1, 9}, 1, 9)
check("atomic_inc", 1, {v}, nil, 2)
check("atomic_dec", 1, {v}, nil, 0)
check("atomic_add", 1, {10, v}, nil, 11)
check("atomic_sub", 1, {10, v}, nil, -9)
check("atomic_and", 6, {3, v}, nil, 2)
check("atomic_or", 6, {3, v}, nil, 7)
check("atomic_andnot", 6, {2, v}, nil, 4)
check("atomic_xor", 6, {3, v}, nil, 5)
check("atomic_inc_return", 1, {v}, 2, 2)
check("atomic_dec_return_release", 1, {v}, 0, 0)
check("atomic_add_return", 1, {10, v}, 11, 11)
check("atomic_sub_return_acquire", 1, {10, v}, -9, -9)
check("atomic_fetch_inc", 1, {v}, 1, 2)
check("atomic_fetch_dec", 1, {v}, 1, 0)
check("atomic_fetch_add_relaxed", 1, {10, v}, 1, 11)
check("atomic_fetch_sub", 1, {10, v}, 1, -9)
check("atomic_fetch_and", 6, {3, v}, 6, 2)
check("atomic_fetch_or", 6, {3, v}, 6, 7)
check("atomic_fetch_xor_acquire", 6, {3, v}, 6, 5)
check("atomic_inc_and_test", -1, {v}, true, 0)
check("atomic_dec_and_test", 2, {v}, false, 1)
check("atomic_dec_and_test", 1, {v}, true, 0)
check("atomic_sub_and_test", 5, {5, v}, true, 0)
check("atomic_add_negative", 5, {-6, v}, true, -1)
check("atomic_add_unless", 5, {v, 2, 5}, false, 5)
check("atomic_add_unless", 5, {v, 2, 4}, true, 7)
check("atomic_inc_not_zero", 0, {v}, false, 0)
check("atomic_inc_not_zero", 1, {v}, true, 2)
check("atomic_read", 4, {v}, 4, 4)
check("atomic_set_release", 4, {v, 6}, nil, 6)

-- --- pointers and fields

tap.is(o.count, 3, "o.f outside of threads")
tap.is(o.next, nil, "a field made with null is nil")
tap.is(#o.dev, 4, "# of an array")
tap.is(#o'dev', 4, "and of its location")
tap.is(inside(function() o.count = o.count + 1 return o.count end), 4, "o.f = v in a thread")
tap.is(inside(function() o.dev[3] = 7 return o.dev[3] end), 7, "o.f[i] = v")
tap.is(o.dev[0], 0, "the other elements stay")
tap.is(inside(function() return atomic_inc_return(o'count') end), 5, "o'f' is taken by atomics")
tap.is(inside(function() return xchg(o'dev'[3], 1) end), 7, "and o'f'[i]")
tap.ok(inside(function() rcu_assign_pointer(o'next', m) return rcu_dereference_check(o'next', true) == m end),
	"a field holds an object")
tap.is(inside(function() o.next = nil return o.next end), nil, "and nil again")
tap.is(inside(function() o.next = -12 return o.next end), -12, "and an integer, as error pointers are")
tap.ok(inside(function() o.count = m return o.count == m end), "an integer's field takes an object's address")
tap.is(inside(function() o.count = 1 return rcu_replace_pointer(p, nil, true) end), o, "replaced")
tap.is(READ_ONCE(p), nil, "NULL is nil")
tap.is(inside(function() return cmpxchg(p, nil, o), READ_ONCE(p) end), nil, "cmpxchg of a pointer")
tap.ok(READ_ONCE(p) == o, "took place")
tap.is(inside(function() rcu_assign_pointer(p, null) return rcu_access_pointer(p) end), nil,
	"null is nil, too")
local q = kmalloc("q", {a = o, b = array(2, o), c = array(2, 5)})
tap.ok(q.a == o and q.b[1] == o, "fields made with objects")
tap.is(q.c[1], 5, "elements made with a value")
tap.same(pending(thread("order", function() q.c[1] = 1 end)).object, "q.c[1]", "a location has its name")

-- --- kfree

tap.is(select(2, inside(function() kfree(nil) end)), nil, "kfree(nil) is allowed")
local _, why = inside(function() kfree(q) return q.a end)
tap.like(why, "free", "reading a freed object is a violation")

-- --- ghosts

world()
local g = ghost("g", "first")
tap.is(g.value, "first", "a ghost has its first value")
inside(function() yield() g.value = {1, 2} end)
tap.same(g.value, {1, 2}, "any Lua value")
reset()
tap.is(g.value, "first", "reset() restores it")
g.value = 5
tap.is(g.value, 5, "assigned from outside")
tap.raises(function() return g.other end, "one field only", "nothing but value")

-- --- ghosts and objects of a scenario

local sg, sv
local function scenario()
	sg, sv = ghost("g", 1), var("v", 1)
	thread("t", function()
		atomic_inc(sv)
		sg.value = sg.value + 1
	end)
end
world(scenario)
run()
is2(sg.value, READ_ONCE(sv), 2, 2, "a scenario's thread has run")
local kept = sv
reset()
is2(sg.value, READ_ONCE(kept), 1, 1, "after reset() the handles still serve")
tap.ok(rawequal(kept, sv), "and are the same ones")
run()
is2(sg.value, READ_ONCE(kept), 2, 2, "and it runs as before")

-- --- what was made later stays when one goes back

world()
local x = var("x")
thread("w", function() WRITE_ONCE(x, 1) WRITE_ONCE(x, 2) end)
step("w")
local later = var("later", 7)
step("w")
back(2)
is2(READ_ONCE(x), READ_ONCE(later), 0, 7, "going back keeps what was made")

local made
world()
thread("maker", function() yield() made = var("made") yield() end)
step("maker", 2)
local y = made
tap.is(READ_ONCE(y), 0, "a thread's object")
reset()
tap.raises(function() return READ_ONCE(y) end, "not made yet", "is not there before it is made")
step("maker", 2)
tap.is(READ_ONCE(y), 0, "and is there again")

-- --- another world

world()
tap.raises(function() return READ_ONCE(x) end, 'var "x" belongs to another world', "stale handle")
tap.is(tostring(x), 'var "x"', "still has its name")
tap.raises(function() return o.count end, 'kmalloc "o" belongs to another world', "stale object")
tap.raises(function() ptr("r", m) end, 'mutex "m" belongs to another world', "stale value")

-- --- a scenario that fails leaves an empty world

tap.raises(function() world(function() var("a") error("no good") end) end, "no good", "its error comes out")
tap.is(#threads(), 0, "the world is empty")
tap.is(tostring(var("a")), 'var "a"', "and its names are free")
local failure = {}
local ok, e = pcall(world, function() error(failure) end)
tap.ok(not ok and e == failure, "an error that is a table comes out as it is")

-- --- cpus

world()
tap.is(cpus(), 4, "4 CPUs")
tap.is(cpus(2), 2, "set")
var("a")
reset()
tap.is(cpus(), 2, "and set again after reset()")
tap.raises(function() cpus(3) end, "before the first object", "not after the first object")

-- --- SRCU

world()
local ss = srcu.new("ss", {counter_bits = 16, faults = {"no-flip", "plain-inc"}})
local s = ss:state()
tap.is(s.gp_state, "IDLE", "state")
tap.same({s.readers[0], s.readers[1], s.lock_count[3][1], s.unlock_count[0][0], s.cblist[0].done},
	{0, 0, 0, 0, 0}, "counters from 0")
tap.is(#srcu.faults(), 19, "the faults are listed")
inside(function()
	local idx = srcu_read_lock(ss)
	s = ss:state()
	tap.is(s.readers[idx], 1, "a reader is counted")
	tap.ok(srcu_read_lock_held(ss), "the section is known")
	srcu_read_unlock(ss, idx)
	tap.ok(not srcu_read_lock_held(ss), "and over")
end)
local head, order = rcu_head("head"), {}
inside(function()
	call_srcu(ss, head, function(h)
		order[#order + 1] = tostring(h)
		if #order < 2 then
			call_srcu(ss, h, function() order[#order + 1] = "again" end)
		end
	end)
	call_srcu(ss, function(h) order[#order + 1] = tostring(h) end)
	srcu_barrier(ss)
	srcu_barrier(ss)
	order[#order + 1] = "barrier"
end)
tap.same(order, {'rcu_head "head"', "nil", "again", "barrier"}, "callbacks, one posting itself again")

world()
ss = srcu.new("ss")
inside(function()
	call_srcu(ss, function() error("in a callback") end)
	srcu_barrier(ss)
end)
reset()
local report = run()
tap.is(report.violations[1] and report.violations[1].kind, "error", "an error in a callback")
tap.like(report.violations[1] and report.violations[1].message, "in a callback", "with its message")

-- --- locks

world()
local l, c = spinlock("l"), completion("c")
m = mutex("m")
inside(function()
	mutex_lock(m)
	tap.ok(mutex_is_locked(m) and lockdep_is_held(m), "held")
	tap.ok(not mutex_trylock(m), "not to be had twice")
	lockdep_assert_held(m)
	mutex_unlock(m)
	tap.ok(not lockdep_is_held(m), "given back")
	local flags = spin_lock_irqsave(l)
	tap.is(flags, 0, "interrupts were on")
	spin_unlock_irqrestore(l, flags)
	complete(c)
	wait_for_completion(c)
end)
thread("careless", function() lockdep_assert_held(m) end)
tap.is(run().violations[1].kind, "warning", "lockdep_assert_held() warns")

tap.done()
