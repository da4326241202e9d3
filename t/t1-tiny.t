-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Tiny SRCU: the claims that hold of every SRCU, its counters and index step by step,
-- cookies that wrap, cleanup, and a CPU that nobody takes from a task.

local tap = require("tap")
local domain = dofile((os.getenv("top_srcdir") or ".") .. "/t/lib/domain.lua")

local opts = { flavor = "tiny" }
local api = {
	cpus = 1,
	make = function() return srcu.new("ss", opts) end,
	lock = srcu_read_lock, unlock = srcu_read_unlock, deref = srcu_dereference,
	sync = synchronize_srcu, call = call_srcu, barrier = srcu_barrier,
}
if arg[1] == "events" then
	domain.print_events(domain.printed(api))
	return
end
domain.claims(api, "tiny")
domain.carriers(arg[0], "tiny")

local ss
local function build(threads, o)
	world(function()
		cpus(1)
		ss = srcu.new("ss", o or opts)
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

-- --- a grace period, stepped

build { { "old", section }, { "writer", sync }, { "new", section } }
do
	local s = ss:state()
	tap.is(s.srcu_idx, 0, "no grace period yet")
	tap.is(s.gp_seq, nil, "there is no gp_seq")
	while pending("old").op ~= "yield" do step("old") end
	tap.is(ss:state().readers[0], 1, "a reader counts with index 0")
	while status("writer") == "ready" do step("writer") end
	tap.is(ss:state().srcu_idx_max, 2, "the end of the first grace period is asked for")
	tap.is(ss:state().cblist[0].next, 1, "a callback waits for it")
	while status("kworker/ss:gp") == "ready" do step("kworker/ss:gp") end
	s = ss:state()
	tap.is(s.srcu_idx, 1, "an odd index: it is under way")
	tap.ok(s.gp_running and s.gp_waiting, "it waits for readers")
	tap.is(s.cblist[0].wait, 1, "with its callback")
	local st, why = status("kworker/ss:gp")
	tap.is(st .. " " .. why:gsub("%d+", "N"), "blocked in srcu_drive_gp() on wait queue ss.wq since step N",
		"and sleeps")
	while pending("new").op ~= "yield" do step("new") end
	tap.is(ss:state().readers[1], 1, "a new reader counts with index 1")
	tap.is(status("kworker/ss:gp"), "blocked", "which wakes nobody")
	finish("old")
	tap.is(status("kworker/ss:gp"), "ready", "the old one does when it leaves")
	tap.is(kinds(), "", "the rest")
	tap.is(ss:state().srcu_idx, 2, "the grace period is over")
	tap.ok(not ss:state().gp_running, "the work item is idle")
end

-- the waiter of an earlier grace period is not woken by the readers of the next one
build { { "r1", section }, { "r2", section }, { "w1", sync }, { "w2", sync } }
tap.is(kinds(), "", "two writers")
tap.is(ss:state().srcu_idx, 2, "that ask in time share a grace period")

-- --- nobody is preempted

build { { "a", section }, { "b", section } }
do
	step("a")
	local s, why = status("b")
	tap.is(s, "blocked", "a task that was let run")
	tap.is(why, "CPU 0 belongs to a, which may not be preempted", "keeps the CPU")
	while pending("a").op ~= "yield" do step("a") end
	tap.is(status("b"), "ready", "until it yields")
	step("b")
	tap.is(status("a"), "blocked", "then the other one has it")
	while pending("b").op ~= "yield" do step("b") end
	finish("a")
	tap.is(status("b"), "ready", "or until it ends")
	back(1)
	tap.is(status("b"), "blocked", "going back restores who has it")
end

build { { "a", function() section() end }, { "b", section } }
do
	tap.is(kinds(), "", "two readers")
	local lost = 0
	for seed = 1, 30 do
		reset()
		run { policy = "random", seed = seed }
		local r = ss:state().readers
		lost = lost + r[0] + r[1]
	end
	tap.is(lost, 0, "a load and a store never lose a reader")
end

world(function()
	cpus(1)
	local m = mutex("m")
	srcu.new("ss", opts)
	for _, name in ipairs { "a", "b" } do
		thread(name, function() mutex_lock(m) yield() mutex_unlock(m) end)
	end
end)
tap.is(kinds(), "", "a mutex that is held over a yield")

-- --- polling, and the index that wraps

do
	local early, late, only, batches
	build { { "poller", function()
		only = get_state_synchronize_srcu(ss)
		local c = start_poll_synchronize_srcu(ss)
		early = poll_state_synchronize_srcu(ss, c)
		synchronize_srcu(ss)
		late = poll_state_synchronize_srcu(ss, c)
		only = only == c
		batches = srcu_batches_completed(ss)
	end } }
	tap.is(kinds(), "", "polling")
	tap.is(early, false, "not over at once")
	tap.is(late, true, "over after a grace period")
	tap.ok(only, "start_poll gives the cookie of get_state")
	tap.is(batches, 0, "nothing is counted for statistics")
	tap.is(ss:state().srcu_idx, 2, "and asks for what a waiter shares")
end

for bits, grace_periods in pairs { [4] = 20, [16] = 20 } do
	local bad, good, top = 0, 0, 0
	build({ { "writer", function()
		for _ = 1, grace_periods do
			local c = get_state_synchronize_srcu(ss)
			bad = bad + (poll_state_synchronize_srcu(ss, c) and 1 or 0)
			synchronize_srcu(ss)
			good = good + (poll_state_synchronize_srcu(ss, c) and 1 or 0)
			top = math.max(top, c)
		end
		srcu_barrier(ss)
		cleanup_srcu_struct(ss)
	end } }, { flavor = "tiny", seq_bits = bits })
	tap.is(kinds(), "", bits .. " bits: many grace periods, a barrier and cleanup")
	tap.is(bad, 0, bits .. " bits: no cookie was over before its grace period")
	tap.is(good, grace_periods, bits .. " bits: each was after it")
	tap.ok(top < 1 << bits, bits .. " bits are not exceeded")
end

-- An old cookie is taken for a new one when the index comes round to where that is given.
do
	local answers = {}
	build({ { "writer", function()
		local c = get_state_synchronize_srcu(ss)
		for i = 1, 9 do
			synchronize_srcu(ss)
			answers[i] = poll_state_synchronize_srcu(ss, c) and "y" or "n"
		end
	end } }, { flavor = "tiny", seq_bits = 4 })
	tap.is(kinds(), "", "an old cookie")
	tap.is(table.concat(answers), "yyyyyyyny", "is over but where the index has nearly come round")
end

-- --- callbacks and cleanup

build { { "writer", function()
	local head = rcu_head("head")
	call_srcu(ss, head, function() end)
	call_srcu(ss, head, function() end)
end } }
tap.is(kinds(), "warning", "a callback queued twice")

build { { "writer", function()
	local n = 0
	local function again(head)
		n = n + 1
		if n < 3 then call_srcu(ss, head, again) end
	end
	call_srcu(ss, rcu_head("head"), again)
	srcu_barrier(ss)
end } }
tap.is(kinds(), "", "a callback that posts itself again")

build { { "main", function() cleanup_srcu_struct(ss) srcu_read_lock(ss) end } }
do
	local v = run().violations[1]
	tap.is(v and v.kind, "use-after-free", "use after cleanup")
	tap.like(v and v.message, "ss%.srcu_idx", "says where")
end

build { { "reader", section }, { "main", function() cleanup_srcu_struct(ss) end } }
do
	while pending("reader").op ~= "yield" do step("reader") end
	local _, v = finish("main")
	tap.is(v and v.kind, "warning", "cleanup with a reader inside is refused")
	tap.is(kinds(), "", "who leaves in peace")
end

build { { "main", function() call_srcu(ss, function() end) cleanup_srcu_struct(ss) end } }
tap.is(kinds(), "", "cleanup flushes the work item, which invokes a callback")

-- --- deadlocks

build { { "reader", function() local i = srcu_read_lock(ss) srcu_read_unlock(ss, i) end } }
tap.is(kinds(), "", "a short section")

world(function()
	cpus(1)
	ss = srcu.new("ss", opts)
	local m = mutex("m")
	thread("reader", function()
		local idx = srcu_read_lock(ss)
		mutex_lock(m)
		mutex_unlock(m)
		srcu_read_unlock(ss, idx)
	end)
	thread("writer", function()
		mutex_lock(m)
		synchronize_srcu(ss)
		mutex_unlock(m)
	end)
end)
do
	while pending("reader").op ~= "lock" do step("reader") end
	local v = run { policy = "random", seed = 1 }.violations[1]
	if not v then
		reset()
		while pending("reader").op ~= "lock" do step("reader") end
		step("writer")
		v = run().violations[1]
	end
	tap.is(v and v.kind, "deadlock", "synchronize_srcu() under a lock that a reader takes")
	tap.like(v and v.message, "^writer waits in synchronize_srcu%(ss%) for reader, which is inside a read " ..
		"section of ss %(index 0%) since step %d+; reader waits for mutex m, which writer holds", "its circle")
end

build { { "reader", function() srcu_read_lock(ss) end }, { "writer", function()
	cond_wait(function() return status("reader") == "done" end)
	call_srcu(ss, function() end)
end } }
do
	local v = run().violations[1]
	tap.is(v and v.kind, "deadlock", "a callback behind a reader that has ended")
	tap.like(v and v.message, "reader has ended inside its section", "says whom it waits for")
end

-- --- shown

domain.shows([[
cpus(1)
local ss = srcu.new("ss", {flavor = "tiny"})
thread("reader", function() local i = srcu_read_lock(ss) yield() srcu_read_unlock(ss, i) end)
thread("writer", function() call_srcu(ss, function() end) end)
step("reader", 3)
finish("writer")
finish("kworker/ss:gp")
show(ss)
]], [[
srcu_struct ss (tiny)
  srcu_idx   1: new readers count in index 1, a grace period is under way
  idx_max    2: asked for
  nesting    1 with index 0, 0 with index 1
  gp         waits for readers
  callbacks  by segment
    cpu  done  wait  next_ready  next
      0     0     1           0     0
  inside     reader, index 0, since step 3
  waiting    writer in call_srcu() since step 4
]], "a grace period of the tiny flavor")

tap.done()
