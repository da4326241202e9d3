-- Fast readers: rseq in the reader and one membarrier in the updater stand in for fences, and
-- one flip with one scan is a grace period.  Explored: the core of it by itself, in Lua, and
-- as the readers of tree SRCU.
--
-- SPDX-License-Identifier: GPL-2.0-or-later

local tap = require "tap"

-- --- the core: counters of each thread, two grace periods

-- How a reader comes by its bank, and what an updater looks at.
local readers = {}

-- Index and count in one sequence, which a membarrier does not divide.
function readers.rseq(c, t)
	spin_lock(t.rseq)
	local i = READ_ONCE(c.idx)
	WRITE_ONCE(t.lock[i], READ_ONCE(t.lock[i]) + 1)
	spin_unlock(t.rseq)
	return i
end

function readers.two_steps(c, t)
	local i = READ_ONCE(c.idx)
	WRITE_ONCE(t.lock[i], READ_ONCE(t.lock[i]) + 1)
	return i
end

function readers.recheck(c, t)
	while true do
		local i = readers.two_steps(c, t)
		if READ_ONCE(c.idx) == i then return i end
		WRITE_ONCE(t.unlock[i], READ_ONCE(t.unlock[i]) + 1)
	end
end

local function membarrier(c)
	for _, t in ipairs(c.threads) do
		spin_lock(t.rseq)
		spin_unlock(t.rseq)
	end
end

-- One thread's counts after another's: each is waited for on its own.
local function scan(c, bank)
	for _, t in ipairs(c.threads) do
		cond_wait(function() return READ_ONCE(t.unlock[bank]) == READ_ONCE(t.lock[bank]) end)
	end
end

local updaters = {}

function updaters.one_scan(c)
	local old = READ_ONCE(c.idx)
	WRITE_ONCE(c.idx, 1 - old)
	membarrier(c)
	scan(c, old)
end

function updaters.two_scans(c)
	local old = READ_ONCE(c.idx)
	membarrier(c)
	scan(c, 1 - old)
	WRITE_ONCE(c.idx, 1 - old)
	scan(c, old)
end

function updaters.no_flip(c)
	local old = READ_ONCE(c.idx)
	membarrier(c)
	scan(c, 1 - old)
end

local function core(lock, synchronize, nreaders, rounds)
	return function()
		local c = { idx = var "idx", threads = {} }
		local current, freed = var "current", {}
		for n = 0, rounds do freed[n] = var("freed" .. n) end
		for r = 1, nreaders do
			local t = { rseq = spinlock("rseq" .. r), lock = {}, unlock = {} }
			for i = 0, 1 do
				t.lock[i], t.unlock[i] = var("lock" .. r .. i), var("unlock" .. r .. i)
			end
			c.threads[r] = t
			thread("reader" .. r, function()
				local i = lock(c, t)
				local n = READ_ONCE(current)
				assert(READ_ONCE(freed[n]) == 0, "the object in use is freed")
				WRITE_ONCE(t.unlock[i], READ_ONCE(t.unlock[i]) + 1)
			end)
		end
		thread("updater", function()
			for n = 0, rounds - 1 do
				WRITE_ONCE(current, n + 1)
				synchronize(c)
				WRITE_ONCE(freed[n], 1)
			end
		end)
	end
end

local function explored(scenario)
	local r = explore(scenario, { max_executions = 100000 })
	return r.verdict == "violation" and r.violations[1].kind or r.verdict
end

local function core_is(expected, reader, updater, nreaders, rounds)
	tap.is(explored(core(readers[reader], updaters[updater], nreaders, rounds)), expected,
		("core, %s, %s, %d reader(s), %d grace period(s): %s"):format(reader, updater, nreaders,
			rounds, expected))
end

for _, reader in ipairs { "rseq", "recheck" } do
	core_is("ok", reader, "one_scan", 1, 1)
	core_is("ok", reader, "one_scan", 1, 2)
	core_is("ok", reader, "one_scan", 2, 1)
	core_is("assertion", reader, "no_flip", 1, 1)
end
core_is("ok", "rseq", "one_scan", 1, 3)
core_is("ok", "two_steps", "two_scans", 1, 2)
core_is("ok", "two_steps", "one_scan", 1, 1)
core_is("assertion", "two_steps", "one_scan", 1, 2)

-- --- the readers of tree SRCU

local function tree(faults, opts)
	return function()
		cpus(2)
		local ss = srcu.new("ss", { flavor = "fast", faults = faults })
		local p = ptr("p", kmalloc("object", { f = 1 }))
		for r = 1, opts.readers or 1 do
			thread("reader" .. r, function()
				local i = srcu_read_lock(ss)
				local j = opts.nested and srcu_read_lock(ss)
				local v = srcu_dereference(p, ss).f
				if j then srcu_read_unlock(ss, j) end
				srcu_read_unlock(ss, i)
			end, { cpu = (r - 1) % 2 })
		end
		thread("updater", function()
			for _ = 1, opts.rounds or 1 do
				local old = xchg(p, kmalloc("object", { f = 1 }))
				synchronize_srcu(ss)
				kfree(old)
			end
		end, { cpu = 1 })
	end
end

local function tree_is(expected, faults, opts, what)
	tap.is(explored(tree(faults, opts)), expected, ("tree, %s, faults {%s}: %s"):format(what,
		table.concat(faults, " "), expected))
end

tree_is("ok", {}, {}, "1 reader, 1 synchronize")
tree_is("ok", {}, { readers = 2 }, "2 readers, 1 synchronize")
tree_is("ok", {}, { nested = true }, "nested sections")
tree_is("ok", { "recheck" }, {}, "1 reader, 1 synchronize")
tree_is("ok", { "no-rseq" }, {}, "1 reader, 1 synchronize")
tree_is("ok", { "no-rseq", "no-scan1" }, {}, "1 reader, 1 synchronize")
tree_is("grace-period", { "no-rseq", "no-scan1" }, { rounds = 2 }, "1 reader, 2 synchronize")
tree_is("grace-period", { "no-membarrier" }, { rounds = 2 }, "1 reader, 2 synchronize")
tree_is("grace-period", { "no-flip" }, {}, "1 reader, 1 synchronize")
tree_is("grace-period", { "no-scan2" }, {}, "1 reader, 1 synchronize")

-- --- sections that are handed over; callbacks, polling, cleanup

world()
cpus(2)
local ss = srcu.new("ss", { flavor = "fast" })
local downed = completion("downed")
local box, log = ghost("box"), {}
thread("giver", function()
	box.value = srcu_down_read(ss)
	complete(downed)
end)
thread("taker", function()
	wait_for_completion(downed)
	srcu_up_read(ss, box.value)
end, { cpu = 1 })
thread("updater", function()
	call_srcu(ss, function() log[#log + 1] = "callback" end)
	srcu_barrier(ss)
	log[#log + 1] = "barrier"
	local cookie = start_poll_synchronize_srcu(ss)
	synchronize_srcu(ss)
	log[#log + 1] = tostring(poll_state_synchronize_srcu(ss, cookie))
end)
finish("giver")
local s = ss:state()
tap.same({ s.lock_count[0][0], s.unlock_count[0][0], s.readers[0] }, { 1, 0, 1 }, "a section is counted on its CPU")
run()
s = ss:state()
tap.same({ s.unlock_count[1][0] > 0, s.readers[0], s.readers[1] }, { true, 0, 0 },
	"and ended on the CPU where it is ended")
tap.is(table.concat(log, " "), "callback barrier true", "callbacks, barrier and polling are the tree's")

tap.raises(function() srcu.new("x", { flavor = "fast", faults = { "no-gp-mutex" } }) end,
	"faults: the fast flavor cannot do without srcu_gp_mutex", "no fault that leaves its state unprotected")
tap.raises(function() srcu.new("x", { faults = { "no-rseq" } }) end,
	"faults: only the fast flavor has rseq and membarrier", "faults of fast readers are theirs")

tap.done()
