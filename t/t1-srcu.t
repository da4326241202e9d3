-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Tree SRCU, stepped: the states of a grace period, readers and banks, callbacks
-- and the barrier, polling, expediting, cleanup, counters that wrap, and what
-- each fault changes.  All of it in the size that a domain of few CPUs has, or in that
-- of SRCU_SIZE: t1-srcu-big.t does it all again with a tree.

local tap = require("tap")

local BIG = SRCU_SIZE == "big"

-- ---------------------------------------------------------------- helpers

local GP, GP2 = "kworker/ss:gp", "kworker/ss:gp2"
-- whose list has the callbacks of writers, which run on CPU 1
local LIST = BIG and 1 or 0
local ss, gate

-- A world with a domain "ss", a gate that holding readers wait for, and threads
-- {name, body}: on CPU 0, but writers on CPU 1, because what stops under a spinlock
-- lets nobody else run on its CPU.
local function build(opts, threads)
	world(function()
		cpus(opts.cpus or 2)
		local o = { size = SRCU_SIZE }
		for k, v in pairs(opts.srcu or {}) do
			o[k] = v
		end
		ss = srcu.new("ss", o)
		gate = var("gate", 0)
		for _, t in ipairs(threads) do
			thread(t[1], t[2], { cpu = t.cpu or t[1]:find("^w") and 1 or 0 })
		end
	end)
end

local function hold()
	local idx = srcu_read_lock(ss)
	cond_wait(function() return READ_ONCE(gate) == 1 end)
	srcu_read_unlock(ss, idx)
end

local function open_gate()
	WRITE_ONCE(gate, 1)
end

local function sync()
	synchronize_srcu(ss)
end

-- The kinds of the violations that a run found, in order.
local function kinds(report)
	local t = {}
	for i, v in ipairs(report.violations) do
		t[i] = v.kind
	end
	return table.concat(t, " ")
end

-- Runs until t has returned, with nobody else but the workers.
local function returns(t)
	local _, v = run_until(t, function() return false end)
	return type(v) == "table" and v.kind or ""
end

-- Steps t until fn(event) holds; the event, or nil if t cannot go on.
local function step_until(t, fn)
	for _ = 1, 1000 do
		local e = step(t)
		if not e or fn(e) then
			return e
		end
	end
end

-- Runs t's grace period to its end; nil: it does not come.
local function ends(t)
	return run_until(t, "SCAN1") and run_until(t, "IDLE")
end

-- What the events of a thread (nil: any) have in a field, joined.
local function collect(field, name)
	local t = {}
	for _, e in ipairs(trace()) do
		if (not name or e.thread == name) and e[field] and e[field] ~= "" then
			t[#t + 1] = e[field]
		end
	end
	return table.concat(t, " ")
end

local function count(pred)
	local n = 0
	for _, e in ipairs(trace()) do
		n = n + (pred(e) and 1 or 0)
	end
	return n
end

local function touches(object)
	return count(function(e) return e.object == object end)
end

-- --------------------------------------------------- a grace period, stepped

build({}, { { "writer", sync } })
do
	local s = ss:state()
	tap.is(s.gp_state, "IDLE", "a new domain is idle")
	tap.is(s.gp_seq, 0, "and has seen no grace period")
	tap.is(s.size_state, BIG and "BIG" or "SMALL", "it is of its size")
	tap.ok(run_until("writer", "SCAN1"), "synchronize_srcu() starts a grace period")
	s = ss:state()
	tap.is(s.gp_seq, 1, "SCAN1 is state 1")
	tap.is(s.gp_seq_needed, 4, "the end of this grace period is wanted")
	tap.is(s.cblist[LIST].wait, 1, "the waiter's callback waits for it")
	tap.is(s.srcu_idx, 0, "nothing is flipped yet")
	tap.ok(run_until("writer", "SCAN2"), "the first scan passes")
	s = ss:state()
	tap.is(s.gp_seq, 2, "SCAN2 is state 2")
	tap.is(s.srcu_idx, 1, "the index was flipped before")
	tap.is(s.gp_mutex, GP, "srcu_gp_mutex is held meanwhile")
	tap.ok(run_until("writer", "IDLE"), "the second scan passes")
	s = ss:state()
	tap.is(s.gp_seq, 4, "the counter went up")
	tap.is(s.cb_mutex, GP, "srcu_cb_mutex is held beyond the end of the grace period")
	tap.is(s.cblist[LIST].wait, 1, "the callback has not been moved yet")
	tap.is(kinds(run()), "", "the rest")
	tap.is(status("writer"), "done", "the writer comes back")
	tap.is(collect("label", GP), "A E D A", "barriers of a grace period")
	tap.is(ss:state().cblist[LIST].wait, 0, "no callback is left")
	tap.is(ss:state().gp_mutex, nil, "no mutex either")
end

-- ------------------------------------------------------------------ readers

build({}, { { "reader", function()
	local a = srcu_read_lock(ss)
	local b = srcu_read_lock(ss)
	srcu_read_unlock(ss, b)
	migrate(1)
	srcu_read_unlock(ss, a)
end } })
do
	tap.is(kinds(run()), "", "nested sections, one ended on another CPU")
	tap.is(collect("label"), "B B C C", "their barriers")
	local s = ss:state()
	tap.is(s.lock_count[0][0], 2, "both locks are counted on CPU 0")
	tap.is(s.unlock_count[0][0], 1, "one unlock there")
	tap.is(s.unlock_count[1][0], 1, "the other one on CPU 1")
	tap.is(s.readers[0], 0, "in sum nobody is left")
end

build({}, { { "reader", function()
	local nmi = srcu.new("nmi")
	srcu_read_unlock_nmisafe(nmi, srcu_read_lock_nmisafe(nmi))
	local b = srcu_down_read(ss)
	WRITE_ONCE(gate, b + 10)
end }, { "other", function()
	cond_wait(function() return READ_ONCE(gate) == 10 end)
	srcu_up_read(ss, 0)
end, cpu = 1 } })
do
	finish("reader")
	tap.is(collect("label"), "B C B", "nmisafe and down_read have the same barriers")
	tap.is(count(function(e) return e.text:find("atomic_long_inc") end), 2,
		"nmisafe counts with atomics")
	tap.is(ss:state().readers[0], 1, "a section of srcu_down_read() outlives its task")
	finish("other")
	tap.is(ss:state().readers[0], 0, "another task ends it")
end

-- A reader holds the grace period up in SCAN2; one that came after the flip does not.
build({}, { { "old", hold }, { "new", hold }, { "writer", sync }, { "opener", open_gate } })
do
	finish("old")
	tap.is(ends("writer"), nil, "a reader from before: no end in sight")
	tap.is(ss:state().gp_state, "SCAN2", "SCAN2 waits for it")
	tap.is(ss:state().readers[0], 1, "it is counted in bank 0")
	local n = #trace()
	tap.is(run_until("writer", "IDLE"), nil, "the work item does not poll for ever")
	tap.is(#trace(), n, "it makes no step at all while nothing changes")
	finish("new")
	tap.is(ss:state().readers[1], 1, "a new reader is counted in bank 1")
	finish("opener")
	finish("old")
	tap.ok(run_until("writer", "IDLE"), "the old one has left: the grace period ends")
	tap.is(ss:state().readers[1], 1, "with the new one still inside")
	tap.is(kinds(run()), "", "and rightly so")
end

-- A reader that had fetched the index long ago makes the next grace period wait in SCAN1.
build({}, { { "late", hold }, { "writer", function() sync() sync() end },
	{ "opener", open_gate } })
do
	step("late")
	tap.ok(ends("writer"), "one who has only fetched the index holds nobody up")
	finish("late")
	tap.is(ss:state().readers[0], 1, "it counts in the bank that is out of use")
	tap.ok(run_until("writer", "SCAN1"), "the next grace period")
	tap.is(run_until("writer", "SCAN2"), nil, "does not get past its first scan")
	tap.is(ss:state().srcu_idx, 1, "nor flips")
	finish("opener")
	tap.is(kinds(run()), "", "until the reader leaves")
	tap.is(ss:state().gp_seq, 8, "two grace periods")
end

-- Two writers that ask at the same time share a grace period; one who asks while it
-- is under way needs the next.
build({}, { { "w1", sync }, { "w2", sync }, { "w3", sync } })
do
	run_until("w1", "SCAN1")
	tap.is(kinds(run()), "", "three writers")
	tap.is(ss:state().gp_seq, 8, "the first one's grace period, and one for the others")
end

-- -------------------------------------------------------- callbacks, barrier

do
	local order
	local function cb(n)
		return function() order[#order + 1] = n end
	end
	build({}, { { "writer", function()
		order = {}
		call_srcu(ss, cb(1))
		call_srcu(ss, cb(2))
		call_srcu(ss, cb(3))
		srcu_barrier(ss)
		order[#order + 1] = "barrier"
		srcu_barrier(ss)
		order[#order + 1] = "again"
	end } })
	for _ = 1, 3 do
		step_over("writer")
	end
	local c = ss:state().cblist[LIST]
	tap.is(c.wait, 1, "the first callback waits for the grace period in progress")
	tap.is(c.next_ready, 2, "the others for the next one")
	tap.is(c.next, 0, "none is without")
	tap.is(kinds(run()), "", "the barrier")
	tap.is(table.concat(order, " "), "1 2 3 barrier again", "waits for all, in their order")
	tap.is(ss:state().gp_seq, 8, "two grace periods were enough")
	tap.ok(collect("op", "kworker/ss:cb" .. LIST) ~= "", "the list's CPU's work item invoked them")
end

do
	local called = 0
	build({}, { { "writer", function()
		local head = rcu_head("head")
		call_srcu(ss, head, function() called = called + 1 end)
		call_srcu(ss, head, function() called = called + 10 end)
	end } })
	local r = run()
	tap.is(kinds(r), "warning", "a callback queued twice is a warning")
	tap.like(r.violations[1].message, "callback_already_queued", "that says so")
	run()
	tap.is(called, 1, "the first posting stands")
end

-- ------------------------------------------------------------------ polling

do
	local before, running, after, only
	build({}, { { "reader", hold }, { "poller", function()
		only = get_state_synchronize_srcu(ss)
		local c = start_poll_synchronize_srcu(ss)
		before = poll_state_synchronize_srcu(ss, c)
		cond_wait(function() return READ_ONCE(gate) == 2 end)
		running = poll_state_synchronize_srcu(ss, c)
		cond_wait(function() return READ_ONCE(gate) == 1 end)
		after = poll_state_synchronize_srcu(ss, c)
		only = only == c and get_state_synchronize_srcu(ss)
	end }, { "ctl", function()
		WRITE_ONCE(gate, 2)
		WRITE_ONCE(gate, 1)
	end } })
	finish("reader")
	finish("poller")
	tap.is(before, false, "start_poll: not over at once")
	tap.is(ss:state().gp_state, "SCAN1", "but started")
	tap.is(run_until("poller", "IDLE"), nil, "the reader holds it up")
	step("ctl")
	finish("poller")
	tap.is(running, false, "not over while the reader is inside")
	step("ctl")
	finish("reader")
	run_until("reader", "IDLE", ss)
	step_until(GP, function() return ss:state().gp_state == "IDLE" end)
	tap.is(ss:state().gp_seq, 4, "the grace period ends")
	tap.is(kinds(run()), "", "the rest")
	tap.is(after, true, "then it is over")
	tap.is(only, 8, "a cookie of now asks for the next one")
	tap.is(ss:state().gp_seq, 4, "get_state alone starts none")
end

-- -------------------------------------------- expediting, idle, holdoff, delay

local function timers_fired()
	return count(function(e) return e.thread:find("^timer/") and e.text:find("^fires") end)
end

build({}, { { "writer", function() synchronize_srcu_expedited(ss) end } })
do
	tap.is(kinds(run()), "", "an expedited grace period")
	tap.is(timers_fired(), 0, "needs no timer")
end

build({}, { { "writer", sync } })
do
	tap.is(kinds(run()), "", "a normal one right after the domain was made")
	tap.is(timers_fired(), 2, "is delayed, and so is its callback")
end

build({}, { { "writer", sync } })
do
	advance(25000)
	run()
	tap.is(timers_fired(), 0, "after the holdoff an idle domain serves a waiter at once")
end

build({ srcu = { exp_holdoff = 0 } }, { { "writer", sync } })
do
	advance(25000)
	run()
	tap.is(timers_fired(), 2, "exp_holdoff = 0: never")
end

build({ srcu = { exp_holdoff = 25001 } }, { { "writer", sync } })
do
	advance(25000)
	run()
	tap.is(timers_fired(), 2, "nor within a longer holdoff")
end

-- A second, expedited request hurries a normal one along.
build({}, { { "reader", hold }, { "w1", sync },
	{ "w2", function() synchronize_srcu_expedited(ss) end }, { "opener", open_gate } })
do
	finish("reader")
	run_until("w1", "SCAN2")
	finish(GP)
	finish("w2")
	local s = ss:state()
	tap.is(s.gp_seq_needed_exp, 8, "the expedited request is recorded")
	finish("opener")
	tap.is(kinds(run()), "", "both come back")
	tap.is(ss:state().gp_seq, 8, "after two grace periods")
end

-- ------------------------------------------------------------------ cleanup

build({}, { { "main", function()
	synchronize_srcu(ss)
	call_srcu(ss, function() end)
	srcu_barrier(ss)
	cleanup_srcu_struct(ss)
	srcu_read_lock(ss)
end } })
do
	local r = run()
	tap.is(kinds(r), "use-after-free", "cleanup of an idle domain, and its use afterwards")
	tap.like(r.violations[1].message, "ss%.srcu_idx", "the message names the place")
end

-- Cleaned up between a reader's fetch of the index and its count.
build({}, { { "reader", function() srcu_read_lock(ss) end },
	{ "main", function() cleanup_srcu_struct(ss) end } })
do
	step("reader")
	finish("main")
	local _, v = step("reader")
	tap.is(v and v.kind, "use-after-free", "a reader that nobody could see yet")
end

build({}, { { "reader", hold }, { "main", function() cleanup_srcu_struct(ss) end },
	{ "opener", open_gate } })
do
	finish("reader")
	local _, v = finish("main")
	tap.is(v and v.kind, "warning", "cleanup with a reader inside is refused")
	tap.like(v and v.message, "srcu_readers_active", "because of the reader")
	run()
	tap.is(status("reader"), "done", "who still leaves in peace")
end

build({}, { { "reader", hold }, { "writer", function() synchronize_srcu_expedited(ss) end },
	{ "main", function() cleanup_srcu_struct(ss) end }, { "opener", open_gate } })
do
	run_until("writer", "SCAN1")
	local _, v = finish("main")
	tap.is(v and v.kind, "warning", "cleanup during an expedited grace period is refused")
	tap.like(v and v.message, "srcu_get_delay", "because no delay means: somebody waits")
end

build({}, { { "main", function()
	call_srcu(ss, function() end)
	cleanup_srcu_struct(ss)
end } })
do
	local r = run()
	tap.is(kinds(r), "warning", "cleanup with a callback left is refused")
	tap.like(r.violations[1].message, "callbacks_left", "because of the callback")
end

build({}, { { "main", function()
	start_poll_synchronize_srcu(ss)
	cleanup_srcu_struct(ss)
end }, { "reader", hold } })
do
	step_over("main")
	step_until("reader", function(e) return e.label == "B" end)
	local _, v = finish("main")
	tap.like(v and v.message, "srcu_readers_active", "the reader is found first")
end

-- ----------------------------------------------------------------- wrapping

do
	local bad, top, polls = 0, 0, 0
	local bits = BIG and 5 or 4	-- a tree's least, a domain's least
	build({ srcu = { seq_bits = bits } }, { { "writer", function()
		for _ = 1, 11 do
			local c = get_state_synchronize_srcu(ss)
			if poll_state_synchronize_srcu(ss, c) then
				bad = bad + 1
			end
			synchronize_srcu(ss)
			if poll_state_synchronize_srcu(ss, c) then
				polls = polls + 1
			end
			top = math.max(top, c)
		end
		srcu_barrier(ss)
		cleanup_srcu_struct(ss)
	end } })
	tap.is(kinds(run()), "", "eleven grace periods with the fewest seq_bits")
	tap.is(ss:state().gp_seq, 44 % (1 << bits), "the counter has wrapped")
	tap.is(top, (1 << bits) - 4, "and never exceeded its bits")
	tap.is(bad, 0, "no cookie was over before its grace period")
	tap.is(polls, 11, "each was after it")
end

do
	local function four()
		for _ = 1, 4 do
			srcu_read_lock(ss)
		end
		cond_wait(function() return READ_ONCE(gate) == 1 end)
		for _ = 1, 4 do
			srcu_read_unlock(ss, 0)
		end
	end
	build({ srcu = { counter_bits = 2 } }, { { "reader", four }, { "writer", sync },
		{ "opener", open_gate } })
	finish("reader")
	ends("writer")
	tap.is(ss:state().gp_seq, 4, "four sections look like none to counters of 2 bits")
	tap.is(returns("writer"), "grace-period", "so synchronize_srcu() returns too early")
	build({ srcu = { counter_bits = 3 } }, { { "reader", four }, { "writer", sync },
		{ "opener", open_gate } })
	finish("reader")
	tap.is(ends("writer"), nil, "3 bits tell the difference")
end

-- ------------------------------------------------------------------- faults

-- One reader inside, one writer: what does the writer's grace period do?
local function with_faults(faults)
	build({ srcu = { faults = faults } }, { { "reader", hold }, { "writer", sync },
		{ "opener", open_gate } })
	finish("reader")
	local kind = returns("writer")
	run()
	return kind
end

tap.is(with_faults({}), "", "no fault: the grace period waits")
tap.is(with_faults({ "no-flip" }), "grace-period", "no-flip: the reader is missed")
tap.is(ss:state().srcu_idx, 0, "no-flip: no flip")
tap.is(with_faults({ "no-scan2" }), "grace-period", "no-scan2: the reader is missed")
tap.is(with_faults({ "both-banks" }), "", "both-banks: the reader is seen")
tap.is(ss:state().srcu_idx, 0, "both-banks: no flip")
tap.is(with_faults({ "no-scan1" }), "", "no-scan1: the second scan sees this reader")
tap.is(count(function(e) return e.label == "A" end) >= 2, true, "no-scan1: SCAN2 goes on scanning")

for _, letter in ipairs { "A", "B", "C", "D", "E" } do
	tap.is(with_faults({ "no-mb-" .. letter }), "", "no-mb-" .. letter .. " under sc: safe")
	local labels = collect("label")
	tap.is(labels:find(letter), nil, "barrier " .. letter .. " is left out")
	tap.is(#labels:gsub("[ABCDE ]", ""), 0, "and nothing else put in")
	for _, other in ipairs { "A", "B", "C", "D", "E" } do
		if other ~= letter then
			tap.ok(labels:find(other), "barrier " .. other .. " stays")
		end
	end
end

-- no-scan1 lets a reader of long ago through, whom SCAN1 is there for.
build({ srcu = { faults = { "no-scan1" } } }, { { "late", hold },
	{ "writer", function() sync() sync() end }, { "opener", open_gate } })
do
	step("late")
	ends("writer")
	finish("late")
	run_until("writer", "SCAN1")
	tap.ok(run_until("writer", "SCAN2"), "no-scan1: the old reader is not waited for")
end

-- The sums in the wrong order: a lock and unlock between them make up for a reader.
local function sums(faults)
	build({ srcu = { faults = faults } }, { { "inside", hold },
		{ "stale", function() srcu_read_unlock(ss, srcu_read_lock(ss)) end, cpu = 1 },
		{ "writer", sync }, { "opener", open_gate } })
	finish("inside")
	step("stale")
	run_until("writer", "SCAN2")
	step_until(GP, function(e) return e.label == "A" end)
	finish("stale")
	local ended = run_until("writer", "IDLE")
	local kind = returns("writer")
	return ended, kind
end
do
	local ended, found = sums({})
	tap.is(ended, nil, "unlocks first: the reader inside is seen")
	tap.is(found, "", "and waited for")
	tap.is(kinds(run()), "", "until it leaves")
	ended, found = sums({ "lock-before-unlock" })
	tap.is(ended, true, "locks first: an unlock without its lock stands in for it")
	tap.is(found, "grace-period", "and the grace period ends under the reader")
end

-- The snapshot after the look: a grace period ends in between.
local function snapshot(faults)
	local function post()
		call_srcu(ss, function() end)
	end
	-- the work item runs on CPU 0, the posters post to one list from CPU 1
	build({ srcu = { faults = faults } }, {
		{ "starter", function() start_poll_synchronize_srcu(ss) end },
		{ "first", function() post() post() end, cpu = 1 }, { "poster", post, cpu = 1 } })
	finish("starter")
	step_over("first")
	run_until("starter", function() return ss:state().gp_seq == 5 end)
	step_until(GP, function(e) return e.text:find("spin_unlock") end)
	step_over("first")
	run_until("starter", "SCAN2")
	-- up to its first look at gp_seq under the list's lock
	step_until("poster", function(e) return e.text:find("spin_trylock") end)
	step_until("poster", function(e) return e.object == "ss.gp_seq" end)
	step_until(GP, function() return ss:state().gp_seq == 9 end)
	return kinds(run())
end
tap.is(snapshot({}), "", "snapshot before advance: the callback gets its grace period")
tap.is(snapshot({ "snap-after-advance" }):match("^warning"), "warning",
	"snap-after-advance: the callback is left without one")

tap.is(with_faults({ "no-gp-mutex" }), "", "no-gp-mutex: one work item alone needs none")
tap.is(touches("ss.gp_mutex"), 0, "no-gp-mutex: it is not taken")
tap.ok(touches("ss.cb_mutex") > 0, "no-gp-mutex: srcu_cb_mutex is")
tap.is(with_faults({ "no-cb-mutex" }), "", "no-cb-mutex: safe here")
tap.is(touches("ss.cb_mutex"), 0, "no-cb-mutex: it is not taken")
tap.is(with_faults({ "reentrant-work" }), "", "reentrant-work: srcu_gp_mutex suffices")
tap.ok(collect("op", GP2) ~= "", "reentrant-work: a second task works")

-- Re-entered and without the mutex, two passes flip twice.
build({ srcu = { faults = { "reentrant-work", "no-gp-mutex" } } }, { { "reader", hold },
	{ "writer", function() synchronize_srcu_expedited(ss) end }, { "opener", open_gate } })
do
	finish("reader")
	finish("writer")
	for _, t in ipairs { GP, GP2 } do
		step_until(t, function(e) return e.label == "E" end)
	end
	for _, t in ipairs { GP, GP2 } do
		step_until(t, function(e) return e.label == "D" end)
	end
	tap.is(ss:state().srcu_idx, 2, "two passes in SCAN1 flip twice")
	local kind
	repeat
		kind = returns("writer")
	until kind ~= "warning"
	tap.is(kind, "grace-period", "and miss the reader")
end

-- A pass that finds the domain idle, and a moment later somebody's grace period.
build({ srcu = { faults = { "reentrant-work" } } }, {
	{ "w1", function() synchronize_srcu_expedited(ss) end },
	{ "w2", function() synchronize_srcu_expedited(ss) end } })
do
	finish("w1")
	finish(GP)
	tap.is(ss:state().gp_seq, 4, "a grace period without the second task")
	step_until(GP2, function(e) return e.object == "ss.gp_seq" end)
	finish("w2")
	step_until(GP2, function(e) return e.text:find("mutex_unlock") end)
	tap.is(ss:state().gp_state, "SCAN1", "which leaves one that somebody else started alone")
	tap.is(collect("label", GP2), "", "and scans nothing")
	tap.is(kinds(run()), "", "the rest")
	tap.is(ss:state().gp_seq, 8, "the one who started it has queued the work")
end

tap.is(with_faults({ "plain-gp-seq" }), "", "plain-gp-seq under sc: safe")
tap.is(count(function(e)
	return e.object == "ss.gp_seq" and not e.text:find("plain")
end), 0, "plain-gp-seq: no marked access is left")
tap.is(with_faults({ "plain-inc" }), "", "plain-inc: one reader alone counts well")

build({ srcu = { faults = { "plain-inc" } } }, { { "r1", hold }, { "r2", hold } })
do
	step_until("r1", function(e) return e.text:find("plain read") end)
	finish("r2")
	finish("r1")
	tap.is(ss:state().readers[0], 1, "plain-inc: of two readers on a CPU one count is lost")
end

-- ---------------------------------------------------------------- bad options

local function refused(opts, pattern, what)
	world()
	tap.raises(function() srcu.new("ss", opts) end, pattern, what)
end
refused({ size = "large" }, "size", "no such size")
refused({ counter_bits = 1 }, "counter_bits", "counter_bits = 1")
refused({ counter_bits = 65 }, "counter_bits", "counter_bits = 65")
refused({ seq_bits = 3 }, "seq_bits", "seq_bits = 3")
refused({ faults = { "no-such" } }, "no%-such", "an unknown fault")
tap.ok(srcu.new("ss"), "the name is still free")
tap.is(#srcu.faults(), 19, "nineteen faults")

tap.done()
