-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Tree SRCU's combining tree: its shape for many numbers of CPUs, how requests climb
-- it and grace periods' ends go down, how a domain grows from small to big and what
-- each state on the way means, CPUs that are not online, first use, making anew.

local tap = require("tap")

local GP = "kworker/ss:gp"
local ss

local function kinds(report)
	local t = {}
	for i, v in ipairs(report.violations) do
		t[i] = v.kind
	end
	return table.concat(t, " ")
end

local function step_until(t, fn)
	for _ = 1, 100000 do
		local e = step(t)
		if not e or fn(e) then
			return e
		end
	end
end

-- The objects that thread t locked from step `from` on, in order.
local function locked(t, from)
	local list = {}
	for _, e in ipairs(trace()) do
		if e.n >= from and e.thread == t and e.op:find("lock$") and not e.op:find("unlock")
			and e.object:find("^ss%.node") then
			list[#list + 1] = e.object:match("node%d+")
		end
	end
	return table.concat(list, " ")
end

local function build(n, opts, threads)
	world(function()
		cpus(n, opts.online and { online = opts.online })
		opts.online = nil
		ss = srcu.new("ss", opts)
		for _, t in ipairs(threads) do
			thread(t[1], t[2], { cpu = t.cpu or 0 })
		end
	end)
end

-- ---------------------------------------------------------------- its shape

-- Level by level from the leaves: CPUs are dealt out evenly over as few nodes as can
-- hold them, those over as few parents as can, up to a single one.
local function model(n, fanout, leaf)
	local capacities, c = { leaf }, leaf
	while c < n do
		c = c * fanout
		table.insert(capacities, 1, c)
	end
	local levels, ranges = {}, {}
	for cpu = 0, n - 1 do
		ranges[cpu + 1] = { cpu, cpu }
	end
	for l = #capacities, 1, -1 do
		local count = (n + capacities[l] - 1) // capacities[l]
		local each = (#ranges + count - 1) // count
		local up = {}
		for i, r in ipairs(ranges) do
			local k = (i - 1) // each + 1
			up[k] = up[k] or { r[1] }
			up[k][2] = r[2]
			r.parent = k
		end
		levels[l] = up
		ranges = up
	end
	return levels
end

-- nil, or in what the tree of ss differs from the model.
local function differs(n, fanout, leaf)
	local nodes, i, first = ss:state().nodes, 0, {}
	for l, level in ipairs(model(n, fanout, leaf)) do
		first[l] = i
		for _, r in ipairs(level) do
			local node = nodes[i]
			if not node then
				return "node " .. i .. " is missing"
			end
			local parent = l > 1 and first[l - 1] + r.parent - 1 or nil
			if node.level ~= l - 1 or node.lo ~= r[1] or node.hi ~= r[2] or node.parent ~= parent then
				return ("node %d: level %d, %d-%d, parent %s; expected %d, %d-%d, %s"):format(i,
					node.level, node.lo, node.hi, node.parent, l - 1, r[1], r[2], parent)
			end
			if node.gp_seq_needed_exp or next(node.have_cbs) then
				return "node " .. i .. " is not fresh"
			end
			i = i + 1
		end
	end
	return nodes[i] and "node " .. i .. " is one too many" or nil
end

do
	local wrong, tried = nil, 0
	local function try(n, fanout, leaf)
		build(n, { size = "big", fanout = fanout, fanout_leaf = leaf }, {})
		local d = differs(n, fanout or 64, leaf or math.min(fanout or 64, 16))
		wrong = wrong or d and ("%d CPUs, fanout %s, leaf %s: %s"):format(n, fanout, leaf, d)
		tried = tried + 1
	end
	for n = 1, 70 do
		try(n)
		try(n, 2)
		try(n, 3, 4)
		try(n, 16, 64)
	end
	for _, n in ipairs { 127, 128, 129, 255, 256, 257, 1000, 1023, 1024, 1025, 2047, 4095, 4096 } do
		for _, fanout in ipairs { 2, 3, 7, 16, 64 } do
			try(n, fanout)
		end
		try(n)
		try(n, 2, 64)
		try(n, 64, 2)
	end
	tap.is(wrong, nil, ("%d trees have the shape of the model"):format(tried))
	build(4096, { size = "big" }, {})
	tap.is(#ss:state().nodes, 260, "4096 CPUs: 1 + 4 + 256 nodes, as in Linux")
	build(4096, { size = "big", fanout = 2 }, {})
	tap.is(#ss:state().nodes, 4094, "with a fanout of 2: 12 levels")
end

do
	build(127, {}, {})
	tap.is(ss:state().size_state, "SMALL", "auto: 127 CPUs begin small")
	tap.is(ss:state().nodes, nil, "without nodes")
	build(128, {}, {})
	tap.is(ss:state().size_state, "BIG", "128 begin big")
	build(128, { size = "small" }, {})
	tap.is(ss:state().size_state, "SMALL", "unless small is asked for")
	build(128, { seq_bits = 4 }, {})
	tap.is(ss:state().size_state, "SMALL", "or seq_bits are too few for a tree")
end

-- --------------------------------------------------------------- the funnel

-- 8 CPUs, leaves of 2: node0; node1 and node2; node3 to node6.
local function post()
	call_srcu(ss, function() end)
end
local function post_exp()
	synchronize_srcu_expedited(ss)
end
build(8, { size = "big", fanout = 2 }, {
	{ "a", post, cpu = 0 }, { "b", post, cpu = 1 }, { "c", post, cpu = 2 },
	{ "d", post, cpu = 7 }, { "e", post_exp, cpu = 6 } })
do
	finish("a")
	tap.is(locked("a", 1), "node3 node1 node0", "the first request climbs to the root")
	finish("b")
	tap.is(locked("b", 1), "node3 node1 node0",
		"one that came after the start needs the next grace period: to the root again")
	finish("c")
	tap.is(locked("c", 1), "node4 node1", "another leaf's stops where they meet")
	finish("d")
	tap.is(locked("d", 1), "node6 node2 node0", "one from afar meets it at the root")
	local n = ss:state().nodes
	tap.same(n[3].have_cbs, { [1] = 4, [2] = 8 }, "the leaf has both numbers, each in its slot")
	tap.is(n[3].data_have_cbs[1], 1, "a's callback waits for the first")
	tap.is(n[3].data_have_cbs[2], 2, "b's for the second")
	tap.is(n[4].data_have_cbs[2], 1, "so does c's")
	tap.is(n[6].data_have_cbs[2], 2, "and d's")
	tap.same(n[1].data_have_cbs, { [0] = 0, 0, 0, 0 }, "inner nodes have no masks")
	tap.same(n[5].have_cbs, {}, "a leaf that nobody used knows of nothing")
	tap.is(ss:state().gp_seq_needed, 8, "two grace periods are wanted")
	finish("e")
	tap.is(locked("e", 1), "node6 node6 node2 node0",
		"an expedited one finds its number at its leaf and expedites it up to the root")
	n = ss:state().nodes
	tap.is(n[6].data_have_cbs[2], 3, "its callback is marked beside d's")
	tap.same({ n[6].gp_seq_needed_exp, n[2].gp_seq_needed_exp, n[0].gp_seq_needed_exp,
		ss:state().gp_seq_needed_exp }, { 8, 8, 8, 8 }, "all the way is expedited")
	tap.is(n[1].gp_seq_needed_exp, nil, "the other half is not")
	run_until("a", "SCAN2")
	tap.is(kinds(run()), "", "the rest")
	local s = ss:state()
	local stale
	for i = 0, 6 do
		local k = s.nodes[i]
		if k.have_cbs[1] ~= 5 or k.have_cbs[2] ~= 9 or k.data_have_cbs[1] ~= 0
			or k.data_have_cbs[2] ~= 0 or k.gp_seq_needed_exp < 8 then
			stale = i
		end
	end
	tap.is(stale, nil, "every node knows that both are over")
	local invoked = {}
	for _, t in ipairs(threads()) do
		invoked[#invoked + 1] = t.name and t.name:match("^kworker/ss:cb(%d)$")
			or tostring(t):match("kworker/ss:cb(%d)")
	end
	table.sort(invoked)
	tap.is(table.concat(invoked, " "), "0 1 2 6 7", "work items of the CPUs with callbacks, no others")
end

-- Two expedited requests at once: the second stops where the first has been.
build(8, { size = "big", fanout = 2 }, {
	{ "n", post, cpu = 0 }, { "x", post, cpu = 2 }, { "y", post_exp, cpu = 2 },
	{ "z", post_exp, cpu = 3 } })
do
	finish("n")
	finish("x")
	finish("y")
	tap.is(locked("y", 1), "node4 node1 node0", "a list that asked before: only the expediting climbs")
	finish("z")
	tap.is(locked("z", 1), "node4", "the next finds that done at its leaf")
	tap.is(ss:state().nodes[4].data_have_cbs[2], 3, "and is marked")
	tap.is(kinds(run()), "", "both come back")
end

-- ----------------------------------------------------------- from small to big

local order = { "SMALL", "ALLOC", "WAIT_BARRIER", "WAIT_CALL", "WAIT_CBS1", "WAIT_CBS2",
	"WAIT_CBS3", "WAIT_CBS4", "BIG" }
local rank = {}
for i, name in ipairs(order) do
	rank[name] = i
end

-- What two threads do to the boot CPU's lock, on which the second has to wait for the
-- first.
local function contend(holder, other)
	step_until(holder, function(e) return e.op:find("lock") and e.object == "ss.cpu0.lock" end)
	finish(other)	-- up to where it has to wait
	step_until(holder, function(e) return e.op:find("unlock") and e.object == "ss.cpu0.lock" end)
	finish(other)
	step_over(holder)
end

-- Of which one time is enough for the domain to grow, with the threads `more`.
local function growing(n, opts, more)
	local function poll() start_poll_synchronize_srcu(ss) end
	opts.small_contention_lim = 0
	local threads = { { "holder", poll, cpu = 1 }, { "other", poll, cpu = n - 1 } }
	build(n, opts, table.move(more, 1, #more, 3, threads))
end

-- The tree is made by the end of the first grace period after that: each state's rules in
-- turn.
do
	local seen, lists, called, waited = {}, {}, {}, {}
	growing(4, { fanout = 2 }, { { "w", function()
		for i = 1, 9 do
			seen[i] = ss:state().size_state
			call_srcu(ss, function() called[i] = true end)
			for cpu = 0, 3 do
				local l = ss:state().cblist[cpu]
				if l.wait + l.next_ready > 0 then
					lists[i] = (lists[i] or "") .. cpu
				end
			end
			srcu_barrier(ss)
			waited[i] = called[i]
			-- the grace period's end may still be at its work
			cond_wait(function() return not ss:state().cb_mutex end)
		end
	end, cpu = 2 } })
	contend("holder", "other")
	tap.is(kinds(run()), "", "a domain grows")
	for i = 1, 9 do
		tap.ok(waited[i], "srcu_barrier() waits in " .. seen[i])
	end
	tap.is(seen[1], "SMALL", "it is small at first")
	tap.is(seen[#seen], "BIG", "and big in the end")
	local steps_back = 0
	for i = 2, #seen do
		steps_back = steps_back + (rank[seen[i]] < rank[seen[i - 1]] and 1 or 0)
	end
	tap.is(steps_back, 0, "never goes back")
	local wrong
	for i = 1, 9 do
		local expected = (seen[i] == "SMALL" and "0")
			or rank[seen[i]] < rank.WAIT_CALL and "0" or "2"
		if lists[i] ~= expected then
			wrong = seen[i] .. ": " .. tostring(lists[i])
		end
	end
	tap.is(wrong, nil, "callbacks go to the boot CPU's list before WAIT_CALL, then to their CPU's")
end

do
	local states = {}
	growing(3, {}, { { "w", function()
		for _ = 1, 10 do
			synchronize_srcu_expedited(ss)
		end
	end } })
	local last = ss:state().size_state
	states[1] = last
	contend("holder", "other")
	while run({ max_steps = 1 }) and status("w") ~= "done" do
		if ss:state().size_state ~= last then
			last = ss:state().size_state
			states[#states + 1] = last
		end
	end
	tap.is(table.concat(states, " "), table.concat(order, " "), "each state, one after the other")
end

-- Contention in "auto": a lock is held, another request has to wait for it.
local function contended(lim, times, pause, opts)
	opts = opts or {}
	opts.small_contention_lim = lim
	local threads = { { "holder", function()
		for _ = 1, times do
			start_poll_synchronize_srcu(ss)
		end
	end, cpu = 1 } }
	for i = 1, times do
		threads[#threads + 1] = { "t" .. i, function() start_poll_synchronize_srcu(ss) end, cpu = 1 + i }
	end
	build(times + 2, opts, threads)
	for i = 1, times do
		contend("holder", "t" .. i)
		if pause then
			advance(1000000)
		end
	end
	return ss:state().size_state
end
tap.is(contended(0, 1), "ALLOC", "a limit of 0: one failed attempt is enough")
tap.is(contended(3, 3), "SMALL", "as many as the limit are borne")
tap.is(contended(3, 4), "ALLOC", "one more is too many")
tap.is(contended(3, 4, true), "SMALL", "but only within one jiffy")
tap.is(contended(nil, 100), "SMALL", "the limit is 100 unless given")
tap.is(contended(nil, 101), "ALLOC", "and not more")
tap.is(contended(0, 2, false, { size = "small" }), "SMALL", "small stays small")
tap.is(contended(0, 2, false, { seq_bits = 4 }), "SMALL", "so does one with seq_bits = 4")
tap.is(kinds(run()), "", "what was asked for comes")

-- --------------------------------------------------------- random schedules

-- Callbacks are neither lost nor early (the oracle sees to that), barriers wait, and
-- nobody is left, while the domain grows.
local function random(name, n, opts, seeds, goal, rounds)
	local bad, reached, posted, invoked, stuck = "", {}, 0, 0, 0
	for seed = 1, seeds do
		local bodies = {}
		local want, got = 0, 0
		for i = 1, 4 do
			bodies[i] = { "t" .. i, function()
				for k = 1, rounds or 3 do
					local idx = srcu_read_lock(ss)
					call_srcu(ss, function() got = got + 1 end)
					want = want + 1
					srcu_read_unlock(ss, idx)
					if (i + k + seed) % 4 == 0 then
						synchronize_srcu_expedited(ss)
					elseif (i + k) % 3 == 0 then
						synchronize_srcu(ss)
					elseif (i + k + seed) % 5 == 0 then
						srcu_barrier(ss)
					end
				end
				if i == 1 then
					srcu_barrier(ss)
				end
			end, cpu = (i - 1) * (n // 4) }
		end
		local o = {}
		for k, v in pairs(opts) do
			o[k] = v
		end
		build(n, o, bodies)
		local r = run { policy = "random", seed = seed }
		if bad == "" and #r.violations > 0 then
			bad = ("seed %d: %s"):format(seed, r.violations[1].message)
		end
		for i = 1, 4 do
			stuck = stuck + (status("t" .. i) ~= "done" and 1 or 0)
		end
		posted, invoked = posted + want, invoked + got
		reached[ss:state().size_state] = true
	end
	tap.is(bad, "", name .. ": no violation in " .. seeds .. " random schedules")
	tap.is(invoked, posted, name .. ": every callback is invoked")
	tap.is(stuck, 0, name .. ": everybody comes back")
	tap.ok(reached[goal], name .. ": some get to " .. goal)
end
random("auto", 4, { small_contention_lim = 0, fanout = 2 }, 12, "BIG", 12)
random("static, big", 4, { size = "big", static = true, fanout = 2 }, 12, "BIG", 8)
random("big", 8, { size = "big", fanout = 2 }, 25, "BIG")
random("big, 5 seq_bits", 4, { size = "big", seq_bits = 5, fanout = 2 }, 25, "BIG")
random("growing, 5 seq_bits", 4, { small_contention_lim = 0, seq_bits = 5, fanout = 2 }, 12, "BIG", 12)
random("small", 4, { size = "small" }, 15, "SMALL")

-- ------------------------------------------------------- CPUs not online

do
	local cpu = {}
	world(function()
		tap.is(cpus(4, { online = 2 }), 4, "four CPUs, two of them online")
		ss = srcu.new("ss", { size = "big" })
		for i = 1, 4 do
			thread("t" .. i, function() synchronize_srcu_expedited(ss) end)
		end
		tap.raises(function() thread("no", function() end, { cpu = 2 }) end, "CPU 2 is not online",
			"no thread runs elsewhere")
	end)
	local r = run()
	tap.is(kinds(r), "", "threads are dealt out over those online")
	for _, e in ipairs(trace()) do
		cpu[e.cpu] = true
	end
	tap.same(cpu, { [0] = true, true }, "nothing runs elsewhere")
	tap.ok(#ss:state().cblist == 3, "the others are possible all the same")
	world(function()
		cpus(4, { online = 2 })
		thread("m", function() migrate(2) end)
	end)
	tap.like(run().violations[1].message, "CPU 2 is not online", "nor can one go there")
	tap.raises(function() cpus(4, { online = 1 }) end, "before the first object", "too late for cpus()")
end

-- A small domain uses the boot CPU's list, which is always served.  While one grows,
-- the ends of grace periods have every CPU look at its list: for one that never comes
-- the work item stays queued, harmlessly, until cleanup waits for it.  That is so in
-- Linux 6.12 as well.
do
	build(4, { small_contention_lim = 0, online = 3 }, {
		{ "holder", function() start_poll_synchronize_srcu(ss) end, cpu = 1 },
		{ "other", function() start_poll_synchronize_srcu(ss) end, cpu = 2 }, { "w", function()
		for _ = 1, 4 do
			synchronize_srcu_expedited(ss)
		end
	end, cpu = 1 } })
	contend("holder", "other")
	tap.is(kinds(run()), "", "a domain grows with a CPU that never comes")
	local state, why = status("kworker/ss:cb3")
	tap.is(state, "blocked", "its work item waits")
	tap.like(why, "CPU 3, which is not online", "and why")
	tap.is(status("w"), "done", "nobody needs it")
end
do
	build(3, { size = "big", online = 2 }, { { "w", function()
		for _ = 1, 3 do
			synchronize_srcu_expedited(ss)
			call_srcu(ss, function() end)
		end
		srcu_barrier(ss)
		cleanup_srcu_struct(ss)
	end, cpu = 1 } })
	tap.is(kinds(run()), "", "a big one never queues anything there")
	tap.is(status("w"), "done", "and can be cleaned up")
end

-- ------------------------------------------------------- first use, made anew

-- A static domain that shall be big is that from its first use on: the kernel takes atomic
-- memory for its tree there, under the domain's lock.
do
	local before, after, list
	build(3, { size = "big", static = true }, { { "w", function()
		before = ss:state().size_state
		call_srcu(ss, function() end)
		after = ss:state().size_state
		list = ss:state().cblist[2]
		srcu_barrier(ss)
	end, cpu = 2 } })
	tap.is(kinds(run()), "", "a static one that shall be big")
	tap.is(before, "SMALL", "is small before its first use")
	tap.is(after, "BIG", "and big from then on")
	tap.ok(list.wait + list.next_ready + list.next > 0, "its first callback is on its CPU's list")
end

build(2, { static = true }, {
	{ "a", function() synchronize_srcu_expedited(ss) end, cpu = 0 },
	{ "b", function() synchronize_srcu_expedited(ss) end, cpu = 1 },
	{ "r", function() srcu_read_unlock(ss, srcu_read_lock(ss)) end } })
do
	finish("r")
	tap.is(ss:state().lock_count[0][0], 1, "a reader may come before the first use")
	local function looks(e) return e.text:find("smp_load_acquire") and e.object == "ss.gp_seq_needed" end
	step_until("a", looks)
	step_until("b", looks)
	step_until("a", function(e) return e.op == "unlock" end)
	step_until("b", function(e) return e.op == "unlock" end)
	local made = 0
	for _, e in ipairs(trace()) do
		made = made + (e.object == "ss.gp_seq_needed" and e.text:find("smp_store_release") and 1 or 0)
	end
	tap.is(made, 1, "of two who find it new one makes it ready")
	tap.is(ss:state().gp_seq_needed, 0, "it is")
	tap.is(ss:state().lock_count[0][0], 1, "and the reader stays counted")
	tap.is(kinds(run()), "", "both get their grace period")
end

local zero, size, anew, worked
build(2, { static = true, size = "big" }, { { "w", function()
	zero = init_srcu_struct(ss)
	size = ss:state().size_state
	synchronize_srcu(ss)
	cleanup_srcu_struct(ss)
	init_srcu_struct(ss)
	anew = ss:state().gp_seq
	local idx = srcu_read_lock(ss)
	srcu_read_unlock(ss, idx)
	synchronize_srcu_expedited(ss)
	call_srcu(ss, function() end)
	srcu_barrier(ss)
	worked = ss:state().gp_seq
	cleanup_srcu_struct(ss)
	srcu_read_lock(ss)
end } })
do
	local r = run()
	tap.is(zero, 0, "init_srcu_struct() returns 0")
	tap.is(size, "BIG", "in good time there is memory for a tree at once")
	tap.is(anew, 0, "a domain that was cleaned up begins anew")
	tap.is(worked, 8, "and works")
	tap.is(kinds(r), "use-after-free", "used after the second cleanup")
	back(1)
	tap.is(ss:state().gp_seq, 8, "going back works across it")
end

build(2, {}, { { "r", function()
	local idx = srcu_read_lock(ss)
	yield()
	srcu_read_unlock(ss, idx)
end }, { "w", function()
	init_srcu_struct(ss)
	anew = ss:state().gp_seq
end, cpu = 1 }, { "s", function() synchronize_srcu_expedited(ss) end, cpu = 1 } })
do
	finish("s")
	run_until("s", function() return false end)
	step("r")
	step("r")
	local _, v = finish("w")
	tap.is(v and v.kind, "warning", "init_srcu_struct() of a domain in use is a warning")
	tap.like(v and v.message, "domain_in_use", "that says so")
	tap.is(anew, 4, "the domain is left alone")
	tap.is(kinds(run()), "", "the reader leaves in peace")
end

-- ------------------------------------------------------------------ 4096 CPUs

do
	build(4096, {}, {
		{ "far", function()
			local idx = srcu_read_lock(ss)
			yield()
			srcu_read_unlock(ss, idx)
		end, cpu = 4095 },
		{ "w", function() synchronize_srcu_expedited(ss) end, cpu = 2000 } })
	step("far")
	step("far")
	tap.is(run_until("w", "SCAN2"), true, "4096 CPUs: the first scan")
	tap.is(run_until("w", "IDLE"), nil, "the second sees a reader on CPU 4095")
	local n = #trace()
	tap.is(run_until("w", "IDLE"), nil, "and does not poll")
	tap.is(#trace(), n, "at all")
	tap.is(kinds(run()), "", "until that leaves")
	tap.is(ss:state().gp_seq, 4, "one grace period")
	tap.is(#threads(), 4, "one worker for it, one for the callback")
end

tap.done()
