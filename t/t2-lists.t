-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Lists: what additions, deletions and traversals do step by step, RCU readers
-- beside updaters, and what CONFIG_DEBUG_LIST would find.

local tap = require("tap")

local function names(iterator, head, ss)
	local t = {}
	for o in iterator(head, ss) do t[#t + 1] = tostring(o):match('"(.-)"') end
	return table.concat(t, " ")
end

local function texts(thread_name)
	local t = {}
	for _, e in ipairs(trace(math.maxinteger)) do
		if e.thread == thread_name then t[#t + 1] = e.text end
	end
	return t
end

-- Builds a world and runs it; gives its violations.
local function violations(scenario, opts)
	world(scenario)
	return run(opts).violations
end

local function wrong(scenario, kind, message, what)
	local v = violations(scenario)
	tap.is(v[1] and v[1].kind, kind, what)
	tap.like(v[1] and v[1].message, message, what .. ": says so")
	tap.is(#v, 1, what .. ": once")
end

-- ------------------------------------------------------------- what they do

do
	world()
	local list, a, b, c = list_head("list"), kmalloc("a"), kmalloc("b"), kmalloc("c")
	local seen = {}
	thread("t", function()
		seen[#seen + 1] = list_empty(list)
		list_add_rcu(a, list)
		list_add_rcu(b, list)
		list_add_tail_rcu(c, list)
		seen[#seen + 1] = list_empty(list)
		seen[#seen + 1] = names(list_for_each_entry, list)
		list_del_rcu(a)
		seen[#seen + 1] = names(list_for_each_entry, list)
		list_del(b)
		list_del(c)
		seen[#seen + 1] = list_empty(list)
		list_add(c, list)
		list_add_tail(a, list)
		kfree(b)
		seen[#seen + 1] = names(list_for_each_entry, list)
	end)
	tap.is(run().verdict, "ok", "additions and deletions")
	tap.same(seen, { true, false, "b a c", "b c", true, "c a" }, "the list after each")
	tap.is(tostring(list), 'list_head "list"', "its kind and name")
	back(20)
	tap.is(run().verdict, "ok", "going back, and forwards again")
end

do
	world()
	local list, a, b = list_head("list"), kmalloc("a"), kmalloc("b")
	thread("t", function()
		list_add_rcu(a, list)
		list_add_rcu(b, list)
		list_del_rcu(a)
	end)
	run()
	local t = texts("t")
	tap.same({ table.unpack(t, 6, 10) }, {
		"list_add_rcu list.next = a",
		"list_add_rcu b.list.next: NULL -> a",
		"list_add_rcu b.list.prev: NULL -> list",
		"list_add_rcu list.next: a -> b",
		"list_add_rcu a.list.prev: list -> b",
	}, "list_add_rcu(): its links are there before it is published")
	tap.is(#t, 15, "list_del_rcu() takes five steps")
	tap.is(t[14], "list_del_rcu b.list.next: a -> list", "which lead past the object")
	tap.is(t[15], "list_del_rcu a.list.prev: b -> LIST_POISON2", "and its own way back is poisoned")
	local e = trace(math.maxinteger)[9]
	tap.is(e.order, "release", "the publishing store releases")
end

do
	world()
	local list, ss = list_head("list"), srcu.new("ss")
	thread("t", function()
		for _, name in ipairs { "c", "b", "a" } do list_add_rcu(kmalloc(name), list) end
		local idx = srcu_read_lock(ss)
		for _ in list_for_each_entry_srcu(list, ss) do yield() end
		srcu_read_unlock(ss, idx)
	end)
	tap.is(run().verdict, "ok", "a traversal in a read section")
	local hops = {}
	for _, e in ipairs(trace(math.maxinteger)) do
		if e.order == "deref" then hops[#hops + 1] = e.text:match("[%w_]+ (.*)") end
	end
	tap.same(hops, { "list.next = a@t.1", "a@t.1.list.next = b@t.1", "b@t.1.list.next = c@t.1",
		"c@t.1.list.next = list" }, "each pointer is a step")
end

-- --------------------------------------------------------- readers and updaters

local function readers_and_updater(sync)
	return function()
		local list, ss, ready = list_head("list"), srcu.new("ss"), var("ready")
		local victim = kmalloc("o2", { v = 2 })
		thread("init", function()
			for i = 3, 1, -1 do
				list_add_rcu(i == 2 and victim or kmalloc("o" .. i, { v = i }), list)
			end
			WRITE_ONCE(ready, 1)
		end)
		thread("updater", function()
			cond_wait(function() return READ_ONCE(ready) == 1 end)
			list_del_rcu(victim)
			if sync then synchronize_srcu(ss) end
			kfree(victim)
		end)
		thread("reader", function()
			cond_wait(function() return READ_ONCE(ready) == 1 end)
			local idx, last = srcu_read_lock(ss), 0
			for o in list_for_each_entry_srcu(list, ss) do
				assert(o.v > last)
				last = o.v
			end
			assert(last == 3, "the reader missed the end")
			srcu_read_unlock(ss, idx)
		end)
	end
end

local bad, good = 0, 0
for seed = 1, 60 do
	local v = violations(readers_and_updater(true), { policy = "random", seed = seed })
	good = good + #v
	v = violations(readers_and_updater(false), { policy = "random", seed = seed })
	if v[1] then
		bad = bad + 1
		if v[1].kind ~= "use-after-free" then tap.fail(v[1].kind .. ": " .. v[1].message) end
	end
end
tap.is(good, 0, "with a grace period before kfree() no reader is harmed")
tap.ok(bad > 0, "without one some are")

-- --------------------------------------------------------------- what is wrong

local function torn(body, message, what)
	wrong(function()
		local list, a, b = list_head("list"), kmalloc("a"), kmalloc("b")
		thread("t", function() body(list, a, b) end)
	end, "warning", message, what)
end

torn(function(list, a) list_add_rcu(a, list) list_add_rcu(a, list) end,
	"^list_add corruption: a is on a list already, behind list: .*This is t in list_add_rcu%(%) %(.*:%d+%) " ..
	"after step 6; the kernel with CONFIG_DEBUG_LIST would warn", "adding twice")
torn(function(list, a, b) list_add(a, list) list_add(b, list) list_add_tail(a, list) end,
	"^list_add corruption: a is on a list already, behind b", "adding what is on the list elsewhere")
torn(function(list, a) list_add(a, list) list_del_rcu(a) list_del_rcu(a) end,
	"^list_del corruption: a has been deleted already%.", "deleting twice")
torn(function(list, a) list_add(a, list) list_del(a) list_del(a) end,
	"^list_del corruption: a has been deleted already%.", "deleting twice without RCU")
torn(function(_, a) list_del_rcu(a) end,
	"^list_del corruption: a was never on a list%.", "deleting what is on no list")

do
	world()
	local list, o = list_head("list"), kmalloc("o")
	thread("init", function() list_add_rcu(o, list) end)
	thread("reader", function() for _ in list_for_each_entry(list) do yield() end end)
	thread("updater", function() list_del(o) end)
	finish("init") step("reader") finish("updater")
	local _, v = finish("reader")
	tap.is(v and v.kind, "warning", "list_del() under a reader")
	tap.like(v and v.message, "the link of o leads nowhere %(LIST_POISON1%)", "says so")
end

do
	local seen = {}
	for seed = 1, 60 do
		local v = violations(function()
			local list = list_head("list")
			for i = 1, 2 do
				local o = kmalloc("o" .. i, {}, { static = true })
				thread("t" .. i, function() list_add_rcu(o, list) list_del_rcu(o) end)
			end
		end, { policy = "random", seed = seed })[1]
		if v then seen[v.message:match("^list_%w+ corruption")] = true end
	end
	tap.ok(seen["list_del corruption"],
		"updaters without a lock tear the list")
end

wrong(function()
	local list, ss = list_head("list"), srcu.new("ss")
	thread("t", function() for _ in list_for_each_entry_srcu(list, ss) do yield() end end)
end, "rcu-usage", "^list_for_each_entry_srcu%(list%) outside of any read section of ss%.",
	"a traversal outside of a section")

wrong(function()
	local list, o = list_head("list"), kmalloc("o")
	thread("t", function() kfree(o) list_add(o, list) end)
end, "use-after-free", "^t wrote o%.list%.next %(list_add, ", "adding what is freed")

-- -------------------------------------------------------------------- bad input

world()
local list, o, m = list_head("list"), kmalloc("o"), mutex("m")
thread("t", function()
	tap.raises(function() list_add(m, list) end, "'list_add' %(kmalloc expected, got mutex%)", "a mutex on a list")
	tap.raises(function() list_add(o, o) end, "'list_add' %(list_head expected, got kmalloc%)", "no list")
	tap.raises(function() list_del(list) end, "'list_del' %(kmalloc expected, got list_head%)", "a list's head")
	local next_object = list_for_each_entry(list)
	tap.raises(function() next_object(7) end, "list_head expected, got number", "the iterator's state")
	tap.raises(function() next_object(list, m) end, "kmalloc expected, got mutex", "the iterator's control")
	tap.raises(function() return o["list.next"] end, 'no field', "the links are no fields")
end)
run()

tap.done()
