-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The ideal SRCU: the claims that hold of every SRCU, that a wait lasts exactly as
-- long as it must, polling, sections handed over, cleanup, and mixed-up readers.

local tap = require("tap")
local domain = dofile((os.getenv("top_srcdir") or ".") .. "/t/lib/domain.lua")

local opts = { flavor = "ideal" }
local api = {
	cpus = 4,
	make = function() return srcu.new("ss", opts) end,
	lock = srcu_read_lock, unlock = srcu_read_unlock, deref = srcu_dereference,
	sync = synchronize_srcu, call = call_srcu, barrier = srcu_barrier,
}
if arg[1] == "events" then
	domain.print_events(domain.printed(api))
	return
end
domain.claims(api, "ideal")
api.sync = synchronize_srcu_expedited
domain.claims(api, "expedited")
api.lock, api.unlock = srcu_down_read, srcu_up_read
domain.legal(domain.publish(api, function(_, ss, old) synchronize_srcu(ss) kfree(old) end), "srcu_down_read()")
api.lock, api.unlock = srcu_read_lock_nmisafe, srcu_read_unlock_nmisafe
domain.legal(domain.publish(api, function(_, ss, old) synchronize_srcu(ss) kfree(old) end), "nmisafe")
domain.carriers(arg[0], "ideal")

local ss, gate
local function build(threads)
	world(function()
		ss, gate = srcu.new("ss", opts), ghost("gate")
		for _, t in ipairs(threads) do thread(t[1], t[2]) end
	end)
end
local function sync() synchronize_srcu(ss) end
local function section()
	local idx = srcu_read_lock(ss)
	yield()
	srcu_read_unlock(ss, idx)
end
local function kinds()
	local t = {}
	for _, v in ipairs(run().violations) do t[#t + 1] = v.kind end
	return table.concat(t, " ")
end

-- --- steps

build { { "reader", section }, { "writer", sync } }
do
	step("reader")
	tap.is(pending("reader").op, "yield", "a section begins with one step")
	tap.is(ss:state().open, 1, "it is open")
	tap.is(ss:state().srcu_idx, nil, "there is no index to flip")
	step("writer")
	tap.is(status("writer"), "blocked", "a wait is a snapshot, and a step that is not enabled")
	local _, why = status("writer")
	tap.is(why, "in wait_for_readers() since step 2", "and says so")
	step("reader", 2)
	tap.is(status("writer"), "ready", "until the section has ended")
	step("writer")
	tap.is(status("writer"), "done", "then it is over")
	tap.is(#trace(), 5, "in five steps all told")
	for _, e in ipairs(trace()) do
		tap.isnt(e.op, "fence", "step " .. e.n .. " is no fence")
	end
end

-- A section that has begun since the snapshot is no business of the wait, whatever CPU it is on.
build { { "old", section }, { "writer", sync }, { "n1", section }, { "n2", section }, { "n3", section } }
do
	step("old")
	step("writer")
	for i = 1, 3 do step("n" .. i) end
	step("old", 2)
	tap.is(status("writer"), "ready", "sections that came later do not count")
	tap.is(ss:state().open, 3, "though they are open")
	back(1)
	tap.is(status("writer"), "blocked", "one step back it waits again")
end

-- The same place is used again by the next section of the same task.
build { { "reader", function() section() section() end }, { "writer", sync } }
do
	step("reader")
	step("writer")
	step("reader", 3)
	tap.is(ss:state().open, 1, "the reader is in its next section")
	tap.is(status("writer"), "ready", "which is not the one that was waited for")
end

build { { "reader", function()
	local a = srcu_read_lock(ss)
	local b = srcu_read_lock(ss)
	gate.value = a ~= b
	srcu_read_unlock(ss, a)
	migrate(3)
	srcu_read_unlock(ss, b)
end } }
tap.is(kinds(), "", "overlapping sections, one ended elsewhere")
tap.ok(gate.value, "nested sections get different indexes")

domain.wrong(function()
	local s = srcu.new("ss", opts)
	thread("vcpu", function()
		local idx = srcu_read_lock(s)
		idx = srcu_read_lock(s)
		srcu_read_unlock(s, idx)
		srcu_read_unlock(s, idx)
	end)
end, "unbalanced-unlock", "The unlock must give back the index", "an index overwritten by a nested lock")

-- --- polling

do
	local seen = {}
	build { { "reader", section }, { "poller", function()
		local c = start_poll_synchronize_srcu(ss)
		seen[1] = poll_state_synchronize_srcu(ss, c)
		local d = get_state_synchronize_srcu(ss)
		yield()
		seen[2] = poll_state_synchronize_srcu(ss, c) and poll_state_synchronize_srcu(ss, d)
	end } }
	step("reader")
	while pending("poller").op ~= "yield" do step("poller") end
	step("reader", 2)
	tap.is(kinds(), "", "polling")
	tap.is(seen[1], false, "not over while a section from before is open")
	tap.is(seen[2], true, "over when it is not")
end

-- --- sections handed over

build { { "first", function() gate.value = srcu_down_read(ss) end }, { "second", function()
	cond_wait(function() return gate.value end)
	srcu_up_read(ss, gate.value)
end }, { "writer", sync } }
do
	finish("first")
	step("writer")
	tap.is(status("writer"), "blocked", "a section of srcu_down_read() outlives its task")
	finish("second")
	tap.is(kinds(), "", "another task ends it")
	tap.is(ss:state().open, 0, "and none is left")
end

domain.legal(function()
	local s, n = srcu.new("ss", opts), ghost("n", 0)
	for i = 1, 2 do
		thread("down" .. i, function() srcu_down_read(s) n.value = n.value + 1 end)
		thread("up" .. i, function()
			cond_wait(function() return n.value == 2 end)
			srcu_up_read(s, 0)
		end)
		thread("own" .. i, function() srcu_up_read(s, srcu_down_read(s)) end)
		thread("writer" .. i, function() synchronize_srcu(s) end)
	end
end, "many sections handed over, and own ones among them")

-- --- callbacks and cleanup

build { { "writer", function()
	local head = rcu_head("head")
	call_srcu(ss, head, function() end)
	call_srcu(ss, head, function() end)
end } }
tap.is(kinds(), "warning", "a callback queued twice")

build { { "main", function()
	synchronize_srcu(ss)
	call_srcu(ss, function() end)
	srcu_barrier(ss)
	cleanup_srcu_struct(ss)
	srcu_read_lock(ss)
end } }
do
	local v = run().violations[1]
	tap.is(v and v.kind, "use-after-free", "cleanup, and use afterwards")
	tap.like(v and v.message, "ss%.cpu0%.sections", "says where")
end
build { { "main", function() cleanup_srcu_struct(ss) synchronize_srcu(ss) end } }
tap.is(kinds(), "use-after-free", "waiting after cleanup")

build { { "reader", section }, { "main", function() cleanup_srcu_struct(ss) end } }
do
	step("reader")
	local _, v = finish("main")
	tap.like(v and v.message, "readers_active", "cleanup with a reader inside is refused")
	tap.is(kinds(), "", "who leaves in peace")
end
build { { "main", function() call_srcu(ss, function() end) cleanup_srcu_struct(ss) end } }
tap.like(run().violations[1].message, "callbacks_left", "so is cleanup with a callback left")

-- --- deadlocks: only those that the guarantee implies

local function under_lock()
	local s, m = srcu.new("ss", opts), mutex("m")
	thread("reader", function()
		local idx = srcu_read_lock(s)
		mutex_lock(m)
		mutex_unlock(m)
		srcu_read_unlock(s, idx)
	end)
	thread("writer", function()
		mutex_lock(m)
		synchronize_srcu(s)
		mutex_unlock(m)
	end)
end
do
	world(under_lock)
	step("reader")
	step("writer")
	local v = run().violations[1]
	tap.is(v and v.message, "writer waits in synchronize_srcu(ss) for reader, which is inside a read " ..
		"section of ss (index 0) since step 1; reader waits for mutex m, which writer holds since " ..
		"step 2. Neither can ever go on.", "synchronize_srcu() under a lock that a reader takes")
	reset()
	step("writer", 2)
	step("reader")
	tap.is(kinds(), "", "no deadlock with a reader that came after")
end

-- A callback that waits for an old section is not held up by a newer one.
build { { "old", section }, { "new", function()
	local idx = srcu_read_lock(ss)
	cond_wait(function() return gate.value end)
	srcu_read_unlock(ss, idx)
end }, { "caller", function()
	call_srcu(ss, function() end)
	srcu_barrier(ss)
	gate.value = true
end } }
do
	step("old")
	while pending("caller").call == "call_srcu" do step("caller") end
	step("new")
	tap.is(kinds(), "", "a barrier and a section from after the callback")
end

-- --- one domain, one kind of readers

domain.wrong(function()
	local s = srcu.new("ss")
	thread("a", function() srcu_read_unlock(s, srcu_read_lock(s)) end)
	thread("b", function() srcu_read_unlock_nmisafe(s, srcu_read_lock_nmisafe(s)) end)
end, "rcu-usage", "srcu_read_lock%(%) and srcu_read_lock_nmisafe%(%) may not both be used on one " ..
	"srcu_struct%.$", "both kinds of readers")
domain.wrong(function()
	local s = srcu.new("ss", opts)
	thread("a", function() srcu_read_unlock_nmisafe(s, srcu_read_lock(s)) end)
end, "rcu-usage", "^a called srcu_read_unlock_nmisafe%(ss%) after step 1, but ss has had readers that " ..
	"are not NMI%-safe", "a section begun in one way and ended in the other")
domain.legal(function()
	local s, u = srcu.new("s", opts), srcu.new("u", opts)
	thread("a", function()
		srcu_read_unlock(s, srcu_read_lock(s))
		srcu_read_unlock_nmisafe(u, srcu_read_lock_nmisafe(u))
	end)
end, "each kind in a domain of its own")

-- --- what can be asked

world()
ss = srcu.new("ss", opts)
thread("t", sync)
tap.raises(function() run_until("t", "SCAN1") end,
	"grace periods of ss have no states: it is of the ideal flavor", "there is no SCAN1")
for _, o in ipairs { "size=\"big\"", "fanout=4", "exp_holdoff=0", "counter_bits=8", "seq_bits=8",
		"faults={\"no-flip\"}" } do
	tap.raises(load("srcu.new('x', {flavor='ideal', " .. o .. "})"),
		o:match("^[%w_]+") .. ": the ideal flavor has no such thing", "no " .. o)
end

domain.shows([[
local ss = srcu.new("ss", {flavor = "ideal"})
thread("reader", function() srcu_read_lock(ss) srcu_down_read(ss) end)
thread("writer", function() call_srcu(ss, function() end) end)
finish("reader")
finish("writer")
show(ss)
]], [[
srcu_struct ss (ideal)
  sections   2 open
  callbacks  by segment
    cpu  done  wait  next_ready  next
      0     0     1           0     0
  inside     reader, index 0, since step 1
  inside     reader, index 0, since step 2 (srcu_down_read)
  waiting    writer in call_srcu() since step 3
]], "a domain of the ideal flavor")

tap.done()
