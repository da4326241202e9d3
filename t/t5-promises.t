-- SPDX-License-Identifier: GPL-2.0-or-later
-- Load buffering: with promises a load may return what a store behind it has led to, unless
-- something orders the two in each task of the circle.  Litmus tests say what depends on what;
-- of Lua bodies it is inferred.

local tap = require("tap")
local dir = os.getenv("HOME") or "."
local srcush = "'" .. (os.getenv("SRCUSH") or "./srcush") .. "'"

local function write(name, text)
	local f = assert(io.open(dir .. "/" .. name, "wb"))
	f:write(text)
	f:close()
end

local function run(args)
	local p = assert(io.popen(("cd '%s' && %s %s 2>&1 </dev/null"):format(dir, srcush, args)))
	local text = p:read("a")
	local _, _, code = p:close()
	return text, code
end

-- ------------------------------------------------------------ litmus tests

local function observation(text, opts)
	write("lb.litmus", "C lb\n{}\n" .. text)
	return run("litmus --model weak --srcu ideal --quiet " .. (opts or "--promises") .. " lb.litmus")
		:match("Observation lb (%a+)")
end

-- From a load of x to a store of y, and whether that is ordered.
local ways = {
	{ "po", false, "r0 = READ_ONCE(*x); WRITE_ONCE(*y, 1);" },
	{ "data", true, "r0 = READ_ONCE(*x); WRITE_ONCE(*y, r0);" },
	{ "addr", true, "r0 = READ_ONCE(*x); WRITE_ONCE(*(y + (r0 & 128)), 1);" },
	{ "ctrl", true, "r0 = READ_ONCE(*x); if (r0) { WRITE_ONCE(*y, 1); }" },
	{ "postif", false, "r0 = READ_ONCE(*x); if (r0) { r1 = 1; } WRITE_ONCE(*y, 1);" },
	{ "mb", true, "r0 = READ_ONCE(*x); smp_mb(); WRITE_ONCE(*y, 1);" },
	{ "wmb", false, "r0 = READ_ONCE(*x); smp_wmb(); WRITE_ONCE(*y, 1);" },
	{ "rmb", false, "r0 = READ_ONCE(*x); smp_rmb(); WRITE_ONCE(*y, 1);" },
	{ "release", true, "r0 = READ_ONCE(*x); smp_store_release(y, 1);" },
	{ "acquire", true, "r0 = smp_load_acquire(x); WRITE_ONCE(*y, 1);" },
	{ "atomic", false, "r0 = READ_ONCE(*x); xchg_relaxed(y, 1);" },
	{ "xchg", true, "r0 = READ_ONCE(*x); xchg(y, 1);" },
	{ "exchanged", false, "r0 = xchg_relaxed(x, 2); WRITE_ONCE(*y, 1);" },
}
local function process(n, way, x, y)
	return ("P%d(int *%s, int *%s) { int r0; int r1; %s }\n"):format(n, x, y, (way[3]:gsub("[xy]%f[%W]", { x = x, y = y })))
end
for _, a in ipairs(ways) do
	for _, b in ipairs { ways[1], ways[2], ways[6], a } do
		tap.is(observation(process(0, a, "x", "y") .. process(1, b, "y", "x") .. "exists (0:r0=1 /\\ 1:r0=1)"),
			a[2] and b[2] and "Never" or "Sometimes", ("LB+%s+%s"):format(a[1], b[1]))
	end
end
local po, mb, data = ways[1], ways[6], ways[2]
tap.is(observation(process(0, po, "x", "y") .. process(1, po, "y", "x") .. "exists (0:r0=1 /\\ 1:r0=1)", ""), "Never",
	"LB without promises")
local function three(a, b, c)
	return observation(process(0, a, "x", "y") .. process(1, b, "y", "z") .. process(2, c, "z", "x") ..
		"exists (0:r0=1 /\\ 1:r0=1 /\\ 2:r0=1)")
end
tap.is(three(po, po, po), "Sometimes", "three processes")
tap.is(three(po, mb, data), "Sometimes", "three processes, one of which orders nothing")
tap.is(three(data, mb, data), "Never", "three processes, all of which order")
tap.is(observation(process(0, data, "x", "y") .. process(1, data, "y", "x") .. "exists (~0:r0=0 \\/ ~1:r0=0)"), "Never",
	"no value out of thin air")
local function four(a, b, c, d)
	return observation(process(0, a, "x", "y") .. process(1, b, "y", "x") .. process(2, c, "z", "w") ..
		process(3, d, "w", "z") .. "exists (0:r0=1 /\\ 1:r0=1 /\\ 2:r0=1 /\\ 3:r0=1)")
end
tap.is(four(po, data, po, data), "Sometimes", "two circles take two promises")
tap.is(four(po, data, mb, data), "Never", "of which one is forbidden")
-- the store that is promised has others before and behind it
tap.is(observation([[
P0(int *x, int *y) { int r0 = READ_ONCE(*x); WRITE_ONCE(*y, 1); WRITE_ONCE(*y, 2); }
P1(int *x, int *y) { int r0 = READ_ONCE(*y); smp_mb(); WRITE_ONCE(*x, 1); }
exists (0:r0=1 /\ 1:r0=2 /\ y=2)]]), "Sometimes", "the second store of two")
tap.is(observation([[
P0(int *x, int *y) { int r0 = READ_ONCE(*x); WRITE_ONCE(*y, 1); int r1 = READ_ONCE(*y); WRITE_ONCE(*y, 2); }
P1(int *x, int *y) { int r0 = READ_ONCE(*y); smp_mb(); WRITE_ONCE(*x, 1); }
exists (0:r0=1 /\ (~0:r1=1 \/ y=1))]]), "Never", "what keeps a promise is coherent")
tap.is(observation([[
P0(int *x, int *y, spinlock_t *l) { int r0 = READ_ONCE(*x); spin_lock(l); WRITE_ONCE(*y, 1); spin_unlock(l); }
P1(int *x, int *y, spinlock_t *l) { spin_lock(l); int r0 = READ_ONCE(*y); spin_unlock(l); WRITE_ONCE(*x, 1); }
exists (0:r0=1 /\ 1:r0=1)]]), "Never", "through a lock")
tap.is(observation([[
P0(int *x, int *y, spinlock_t *l) { int r0 = READ_ONCE(*x); spin_lock(l); WRITE_ONCE(*y, 1); spin_unlock(l); }
P1(int *x, int *y) { int r0 = READ_ONCE(*y); WRITE_ONCE(*x, 1); }
exists (0:r0=1 /\ 1:r0=1)]]), "Sometimes", "into a locked region")
local function sections(second)
	return observation(([[
P0(int *x, int *y, struct srcu_struct *ss) {
	int i = srcu_read_lock(ss); int r0 = READ_ONCE(*x); WRITE_ONCE(*y, 1); srcu_read_unlock(ss, i);
}
P1(int *x, int *y, struct srcu_struct *ss) { int r0 = READ_ONCE(*y); %s; WRITE_ONCE(*x, 1); }
exists (0:r0=1 /\ 1:r0=1)]]):format(second))
end
tap.is(sections("synchronize_srcu(ss)"), "Never", "a section and a grace period")
tap.is(sections("int j = srcu_read_lock(ss); srcu_read_unlock(ss, j)"), "Sometimes", "two sections order nothing")

-- ------------------------------------------------------------ Lua

local bodies = {
	po = { false, function(x, y) local r = READ_ONCE(x) WRITE_ONCE(y, 1) return r end },
	same = { false, function(x, y)
		local r = READ_ONCE(x)
		if r == 1 then WRITE_ONCE(y, 1) else WRITE_ONCE(y, 1) end
		return r
	end },
	data = { true, function(x, y) local r = READ_ONCE(x) WRITE_ONCE(y, r) return r end },
	ctrl = { true, function(x, y) local r = READ_ONCE(x) if r == 1 then WRITE_ONCE(y, 1) end return r end },
	mb = { true, function(x, y) local r = READ_ONCE(x) smp_mb() WRITE_ONCE(y, 1) return r end },
	release = { true, function(x, y) local r = READ_ONCE(x) smp_store_release(y, 1) return r end },
	acquire = { true, function(x, y) local r = smp_load_acquire(x) WRITE_ONCE(y, 1) return r end },
}
local function lb(f, g, claim)
	return function()
		local x, y, a, b = var "x", var "y", ghost("a", 0), ghost("b", 0)
		thread("t0", function() a.value = f[2](x, y) end)
		thread("t1", function() b.value = g[2](y, x) end)
		outcome(function() return a.value .. b.value end)
		if claim then finally(function() assert(a.value + b.value < 2, "both") end) end
	end
end
for n, f in pairs(bodies) do
	for m, g in pairs(bodies) do
		local r = explore(lb(f, g), { model = "weak", promises = true })
		tap.is(r.verdict .. " " .. tostring(r.outcomes["11"]), "ok " .. (f[1] and g[1] and "nil" or "1"),
			("bodies: LB+%s+%s"):format(n, m))
	end
end
tap.is(explore(lb(bodies.po, bodies.po), { model = "weak" }).outcomes["11"], nil, "and not without promises")
tap.ok(tostring(explore(lb(bodies.po, bodies.po), { model = "weak" })):find("nothing is concluded about load%-to%-store"),
	"which the report says")
local r = explore(lb(bodies.po, bodies.data, true), { model = "weak", promises = true })
tap.is(r.violations[1] and r.violations[1].kind, "assertion", "a claim that only load buffering breaks")
tap.ok(tostring(r):find("load buffering by up to 1 promise "), "the report says how many promises were looked at")
local ok, why = pcall(explore, lb(bodies.po, bodies.po), { model = "tso", promises = true })
tap.ok(not ok and why:find("promises are for the weak model", 1, true), "not under tso")

-- a schedule of it is made again, and backwards
write("lb.lua", [[return function()
	local x, y, a, b = var "x", var "y", ghost("a", 0), ghost("b", 0)
	thread("t0", function() local r = READ_ONCE(x) WRITE_ONCE(y, 1) a.value = r end)
	thread("t1", function() local r = READ_ONCE(y) WRITE_ONCE(x, 1) b.value = r end)
	finally(function() assert(a.value + b.value < 2, "both") end)
end]])
local text, code = run("explore --model weak --promises lb.lua")
tap.is(code, 3, "srcush explore --promises")
local schedule = text:match("srcush replay lb.lua '([^']*)'")
tap.ok(schedule and schedule:find(" promise/[xy]:1 "), "a schedule names what is promised")
text, code = run(("replay --quiet lb.lua '%s'"):format(schedule))
tap.is(code, 3, "and is replayed")
tap.ok(text:find("violation: assertion", 1, true), "with the same end")
text = run("replay --quiet lb.lua '@weak,4 promise/q:1 t1'")
tap.is(text, "srcush: schedule: item 1: there is no thread 'promise/q:1' at step 0\n", "a promise of nothing")
write("back.txt", (".replay %s\n.back 2\nprint(schedule())\n"):format(schedule))
local p = io.popen(("cd '%s' && %s step --quiet --model weak lb.lua <back.txt 2>&1"):format(dir, srcush))
tap.ok(p:read("a"):find("\n@weak,4 promise/[xy]:1 t%d%*2\n$"), "and goes back")
p:close()

tap.done()
