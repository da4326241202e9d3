-- Restartable sequences, membarrier and the fast readers under sc, tso and weak: litmus tests of
-- what the primitives order and do not order, the algorithm's core, and tree SRCU with fast readers.
--
-- SPDX-License-Identifier: GPL-2.0-or-later

local tap = require "tap"

local models = { "sc", "tso", "weak" }

-- --- the primitives

local function mb() smp_mb() end
local function nothing() end
-- Where a membarrier may strike: what is a compiler's barrier in real code.
local function light(r)
	rseq_begin(r)
	rseq_end(r)
end
local names = { [mb] = "smp_mb", [nothing] = "nothing", [light] = "light", [membarrier] = "membarrier" }

-- Two accesses in each thread, with something in between.  What did the loads return?
local shapes = {}

function shapes.SB(w, a, b)
	return { function() WRITE_ONCE(w.x, 1) a() w.p.value = READ_ONCE(w.y) end,
		 function() WRITE_ONCE(w.y, 1) b() w.q.value = READ_ONCE(w.x) end }
end

function shapes.MP(w, a, b)
	return { function() WRITE_ONCE(w.x, 1) a() WRITE_ONCE(w.y, 1) end,
		 function() w.p.value = READ_ONCE(w.y) b() w.q.value = READ_ONCE(w.x) end }
end

-- The same with a thread between them that passes it on.
function shapes.WRC(w, a, b)
	return { function() WRITE_ONCE(w.x, 1) end,
		 function() if READ_ONCE(w.x) == 1 then a() WRITE_ONCE(w.y, 1) end end,
		 function() w.p.value = READ_ONCE(w.y) b() w.q.value = READ_ONCE(w.x) end }
end

local function outcomes(model, shape, a, b, opts)
	local r = explore(function()
		cpus(3)
		local sequences = rseq "r"
		local w = { x = var "x", y = var "y", p = ghost("p", 0), q = ghost("q", 0) }
		local fns = shapes[shape](w, function() a(sequences) end, function() b(sequences) end)
		for i, fn in ipairs(fns) do thread("t" .. i, fn, { cpu = opts.one_cpu and 0 or i - 1 }) end
		outcome(function() return w.p.value .. w.q.value end)
	end, { model = model })
	assert(r.verdict == "ok", r.verdict)
	return r.outcomes
end

-- In which models is that seen?
local function seen(what, shape, a, b, expected, opts)
	local found = {}
	for _, m in ipairs(models) do
		if outcomes(m, shape, a, b, opts or {})[what] then found[#found + 1] = m end
	end
	tap.is(table.concat(found, " "), expected, ("%s, %s | %s%s: %s"):format(shape, names[a], names[b],
		opts and ", one CPU" or "", expected == "" and "forbidden" or "allowed by " .. expected))
end

seen("00", "SB", nothing, nothing, "tso weak")
seen("00", "SB", light, light, "tso weak")
seen("00", "SB", light, mb, "tso weak")
seen("00", "SB", nothing, membarrier, "tso weak")
seen("00", "SB", light, membarrier, "")
seen("00", "SB", membarrier, light, "")
seen("00", "SB", membarrier, membarrier, "")
seen("00", "SB", mb, membarrier, "")
seen("10", "MP", light, light, "weak")
seen("10", "MP", light, mb, "weak")
seen("10", "MP", nothing, membarrier, "weak")
seen("10", "MP", membarrier, nothing, "weak")
seen("10", "MP", light, membarrier, "")
seen("10", "MP", membarrier, light, "")
seen("10", "WRC", light, light, "weak")
seen("10", "WRC", light, membarrier, "")
seen("10", "WRC", membarrier, light, "")
-- nobody comes between the steps of who has the CPU
seen("00", "SB", light, light, "", { one_cpu = true })
-- all of it before, and all of it behind
seen("11", "SB", light, membarrier, "sc tso weak")
seen("01", "SB", light, membarrier, "sc tso weak")
seen("10", "SB", light, membarrier, "sc tso weak")
seen("00", "MP", membarrier, light, "sc tso weak")
seen("11", "MP", membarrier, light, "sc tso weak")

-- What was done in the first of two sequences is not ordered before the second.
local function two_sequences(r)
	light(r)
	light(r)
end
names[two_sequences] = "two sequences"
seen("00", "SB", two_sequences, two_sequences, "tso weak")
seen("10", "MP", two_sequences, two_sequences, "weak")
seen("00", "SB", two_sequences, membarrier, "")

local function verdict(scenario, model)
	local r = explore(scenario, { model = model, max_executions = 100000 })
	local v = r.violations[1]
	return v and v.kind or r.verdict, v and v.schedule
end

tap.is((verdict(function()
	local r = rseq "r"
	thread("t", function() rseq_end(r) end)
end, "tso")), "unbalanced-unlock", "the end of a sequence that was not begun")
tap.is((verdict(function()
	local r = rseq "r"
	thread("t", function() rseq_begin(r) rseq_begin(r) end)
end, "tso")), "self-deadlock", "a sequence in a sequence")
tap.is((verdict(function()
	local r = rseq "r"
	thread("t", function() rseq_begin(r) membarrier(r) end)
end, "weak")), "self-deadlock", "a membarrier in a sequence")
tap.is((verdict(function()
	local r, m = rseq "r", mutex "m"
	thread("t", function() rseq_begin(r) mutex_lock(m) end)
end, "sc")), "sleep-in-atomic", "a mutex in a sequence")

-- --- the core: counters of each thread

-- A section has one load and one store, both of which the grace period is to keep apart from
-- what the updater does behind it.  Each part of it may be done otherwise (`o`).
local function lock(c, t, o)
	local load = o.relaxed_index and READ_ONCE or smp_load_acquire

	for _ = 1, 2 do
		local i
		if o.two_steps then i = load(c.idx) end
		rseq_begin(c.rseq)
		if not o.two_steps then i = load(c.idx) end
		WRITE_ONCE(t.lock[i], READ_ONCE(t.lock[i]) + 1)
		rseq_end(c.rseq)
		if not o.recheck or load(c.idx) == i then return i end
		smp_store_release(t.unlock[i], READ_ONCE(t.unlock[i]) + 1)
	end
	assume(false)
end

local function unlock(t, i, o)
	local store = o.relaxed_unlock and WRITE_ONCE or smp_store_release
	store(t.unlock[i], READ_ONCE(t.unlock[i]) + 1)
end

-- One that finds nobody at once: those before it that do not add nothing to be relied on.
local function scan(c, bank)
	local unlocks, locks = 0, 0
	for _, t in ipairs(c.threads) do unlocks = unlocks + smp_load_acquire(t.unlock[bank]) end
	for _, t in ipairs(c.threads) do locks = locks + READ_ONCE(t.lock[bank]) end
	assume(locks == unlocks)
end

local function synchronize(c, o)
	local old = READ_ONCE(c.idx)
	local barrier = o.no_membarrier and function() smp_mb() end or membarrier

	smp_mb()
	if o.two_scans then
		barrier(c.rseq)
		scan(c, 1 - old)
		smp_mb()
	end
	if not o.no_flip then WRITE_ONCE(c.idx, 1 - old) end
	barrier(c.rseq)
	scan(c, o.no_flip and 1 - old or old)
	smp_mb()
end

local function core(o)
	return function()
		local readers = o.readers or 1
		cpus(readers + 1)
		local c = { idx = var "idx", rseq = rseq "rseq", threads = {} }
		local current, freed, written = var "current", {}, {}
		for n = 0, o.rounds or 1 do freed[n] = var("freed" .. n) end
		for r = 1, readers do
			local t = { lock = {}, unlock = {} }
			for i = 0, 1 do
				t.lock[i], t.unlock[i] = var("lock" .. r .. i), var("unlock" .. r .. i)
			end
			c.threads[r], written[r] = t, var("written" .. r)
			thread("reader" .. r, function()
				local i = lock(c, t, o)
				local n = READ_ONCE(current)
				assert(READ_ONCE(freed[n]) == 0, "the object in use is freed")
				if n == 0 then WRITE_ONCE(written[r], 1) end
				unlock(t, i, o)
				if o.again then
					i = lock(c, t, o)
					assert(READ_ONCE(freed[READ_ONCE(current)]) == 0, "the object in use is freed")
					unlock(t, i, o)
				end
			end, { cpu = r - 1 })
		end
		thread("updater", function()
			for n = 0, (o.rounds or 1) - 1 do
				local before = {}
				WRITE_ONCE(current, n + 1)
				synchronize(c, o)
				WRITE_ONCE(freed[n], 1)
				for r = 1, readers do before[r] = READ_ONCE(written[r]) end
				smp_mb()
				-- a later write would be that of a section that began before
				for r = 1, readers do
					assert(n > 0 or READ_ONCE(written[r]) == before[r], "a section was not waited for")
				end
			end
		end, { cpu = readers })
	end
end

local function core_is(expected, o, in_models)
	local what = {}
	for k, v in pairs(o) do what[#what + 1] = v == true and k or ("%s=%d"):format(k, v) end
	table.sort(what)
	for _, m in ipairs(in_models or models) do
		local got = verdict(core(o), m)
		tap.is(got, expected, ("core, %s {%s}: %s"):format(m, table.concat(what, " "), expected))
	end
end

core_is("ok", {})
core_is("ok", { again = true })
core_is("ok", { readers = 2 })
core_is("ok", { rounds = 2 })
core_is("ok", { two_steps = true, recheck = true })
core_is("ok", { two_steps = true, recheck = true, rounds = 2 })
core_is("ok", { two_steps = true, two_scans = true, rounds = 2 })
core_is("assertion", { two_steps = true, rounds = 2 })
core_is("assertion", { no_flip = true })
core_is("ok", { no_membarrier = true }, { "sc" })
core_is("assertion", { no_membarrier = true }, { "tso", "weak" })
core_is("assertion", { no_membarrier = true, two_steps = true, recheck = true }, { "tso", "weak" })
core_is("assertion", { no_membarrier = true, two_steps = true, two_scans = true }, { "tso", "weak" })
core_is("ok", { relaxed_index = true }, { "sc", "tso" })
core_is("assertion", { relaxed_index = true }, { "weak" })
core_is("ok", { relaxed_unlock = true }, { "sc", "tso" })
core_is("assertion", { relaxed_unlock = true }, { "weak" })

-- --- the readers of tree SRCU

local function tree(faults, o)
	return function()
		cpus(2)
		local ss = srcu.new("ss", { flavor = "fast", faults = faults })
		local p = ptr("p", kmalloc("object", { f = 1 }))
		for r = 1, o.readers or 1 do
			thread("reader" .. r, function()
				for _ = 1, o.sections or 1 do
					local i = srcu_read_lock(ss)
					local j = o.nested and srcu_read_lock(ss)
					local _ = srcu_dereference(p, ss).f
					if j then srcu_read_unlock(ss, j) end
					srcu_read_unlock(ss, i)
				end
			end, { cpu = (r - 1) % 2 })
		end
		thread("updater", function()
			local old = xchg(p, kmalloc("object", { f = 1 }))
			synchronize_srcu(ss)
			kfree(old)
		end, { cpu = 1 })
	end
end

local function tree_is(expected, faults, o, in_models)
	for _, m in ipairs(in_models or models) do
		local what = ("tree, %s, faults {%s}"):format(m, table.concat(faults, " "))
		local got, schedule = verdict(tree(faults, o), m)

		tap.is(got, expected, what .. ": " .. expected)
		if expected ~= "ok" then
			world(tree(faults, o))
			local _, v = replay(schedule)
			tap.is(v and v.kind, expected, what .. ": its schedule shows it again")
		end
	end
end

tree_is("ok", {}, {})
tree_is("ok", {}, { sections = 2 })
tree_is("ok", {}, { nested = true })
tree_is("ok", {}, { readers = 2 })
tree_is("ok", { "recheck" }, {})
tree_is("ok", { "no-rseq" }, {})
tree_is("grace-period", { "no-membarrier" }, {}, { "tso", "weak" })
tree_is("grace-period", { "recheck", "no-membarrier" }, {}, { "tso", "weak" })
tree_is("grace-period", { "no-rseq", "no-membarrier" }, {}, { "tso", "weak" })
tree_is("grace-period", { "no-flip" }, {})
tree_is("grace-period", { "no-scan2" }, {})
tap.done()
