-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Scenarios that are not deterministic: clocks, random numbers and orders of keys that
-- reach a step are noticed by explore(), and what does no harm is left alone; pairs() and
-- next() go through tables in the order of the keys; memory has an end.

local tap = require("tap")

-- Two threads of which the first does f(x), with three executions or more.
local function two(f)
	return function()
		local x, y = var("x"), var("y")
		thread("a", function() f(x) READ_ONCE(y) end)
		thread("b", function() WRITE_ONCE(y, 1) READ_ONCE(x) end)
	end
end

-- One thread alone, of which there is but one execution.
local function one(f)
	return function()
		local x = var("x")
		thread("a", function() f(x) end)
	end
end

local function tried(scenario, opts)
	local ok, r = pcall(explore, scenario, opts)
	return ok and r or nil, not ok and r or nil
end

local function refused(what, pattern, scenario, opts)
	local r, message = tried(scenario, opts)
	tap.like(message or "no refusal, but: " .. r.verdict, pattern, what)
end

local function legal(what, scenario)
	local r, message = tried(scenario)
	tap.is(r and r.verdict or message, "ok", what)
end

local function here()
	return "%(.*t2%-determinism%.t:" .. debug.getinfo(2, "l").currentline .. "%)"
end

-- ---------------------------------------------------- clocks and random numbers

local words = "the scenario is not deterministic: "
for what, f in pairs {
	["os.clock"] = function(x) WRITE_ONCE(x, os.clock() * 1000000 // 1) end,
	["os.time"] = function(x) WRITE_ONCE(x, os.time()) end,
	["os.date"] = function(x) WRITE_ONCE(x, tonumber(os.date("%d%H%M"))) end,
	["os.date in UTC"] = function(x) WRITE_ONCE(x, os.date("!*t").min) end,
	["math.random"] = function(x) WRITE_ONCE(x, math.random(1000000)) end,
	["math.randomseed"] = function(x) math.randomseed(5) WRITE_ONCE(x, math.random(1000000)) end,
	["which step it is"] = function(x) if os.time() // 90061 % 2 == 0 then WRITE_ONCE(x, 1) else READ_ONCE(x) end end,
} do
	refused(what .. ", two threads", "^explore: the scenario: " .. words .. ".*\"a\"", two(f))
	refused(what .. ", one thread", "^explore: the scenario: " .. words .. "step 1, .*\"a\"", one(f))
end
do
	local place
	local scenario = two(function(x) place = here() WRITE_ONCE(x, os.clock() * 1000000 // 1) end)
	local _, message = tried(scenario)
	tap.like(message, "as its step 1 \"a\" did WRITE_ONCE%(x%) " .. place, "the place is said")
	refused("naive as well", words, scenario, { strategy = "naive" })
end
do
	local _, message = tried(one(function(x) yield() WRITE_ONCE(x, os.time()) end))
	tap.like(message, "step 2, WRITE_ONCE%(x%) of \"a\" " .. here():gsub(":%d+", ":" .. debug.getinfo(1, "l").currentline - 1),
		"the place in the only execution")
end
refused("seeded by the scenario, drawn by two threads", words, function()
	math.randomseed(1)
	local x = var("x")
	for _, name in ipairs { "a", "b" } do
		thread(name, function() WRITE_ONCE(x, math.random(1000000)) end)
	end
end)

legal("what is only printed", two(function(x)
	print(os.clock(), os.time(), os.date(), math.random())
	WRITE_ONCE(x, 1)
end))
legal("a time that is given", two(function(x)
	WRITE_ONCE(x, os.time { year = 2020, month = 1, day = 1 } + tonumber(os.date("!%Y", 0)))
end))
legal("random numbers from a seed, for building", function()
	math.randomseed(7)
	local n = math.random(1000000)
	two(function(x) WRITE_ONCE(x, n) end)()
end)
do
	local before = os.time()
	explore(two(function(x) os.time() WRITE_ONCE(x, 1) end))
	tap.ok(os.time() - before < 1000, "outside of bodies the clock goes right")
end

-- ------------------------------------------------------------- the order of keys

do
	local function order(t, iterate)
		local list = {}
		for k in iterate(t) do
			list[#list + 1] = tostring(k)
		end
		return table.concat(list, " ")
	end
	local function pairs_of(t) return pairs(t) end
	local function next_of(t) return next, t end
	local t = { z = 1, alpha = 2, ["\0"] = 3, [10] = 4, [-1] = 5, [2.5] = 6, [true] = 7, [false] = 8, "one", "two", beta = 9 }
	local want = "1 2 10 -1 2.5 false true \0 alpha beta z"
	local got = {}
	world(function()
		got.build, got.build_next = order(t, pairs_of), order(t, next_of)
		thread("a", function()
			got.pairs, got.next = order(t, pairs_of), order(t, next_of)
			for k in pairs(t) do
				yield()
				t[k] = nil
			end
			got.empty = next(t) == nil
			local n = 0
			local gone = { a = 1, b = 2, c = 3 }
			for k in pairs(gone) do
				n = n + 1
				gone.b = nil
			end
			got.gone = n
			got.meta = order(setmetatable({ a = 1 }, { __pairs = function() return next, { m = 1 } end }), pairs_of)
		end)
	end)
	run()
	tap.same(got, { build = want, build_next = want, pairs = want, next = want, empty = true, gone = 2, meta = "m" },
		"pairs() and next() in bodies and scenario functions")
end

for what, make in pairs {
	handles = function() return { [var("p")] = 1, [var("q")] = 2 } end,
	tables = function() return { [{}] = 1, [{}] = 2, n = 3 } end,
	functions = function() return { [print] = 1, [type] = 2 } end,
} do
	local place
	refused("pairs() over " .. what, "'a' iterates with pairs%(%) over a table keyed by " .. what .. " %(.*t2%-determinism%.t:%d+%): "
		.. "their order is nowhere said; use a list", function()
		local t = make()
		thread("a", function() for _, v in pairs(t) do choose(v) end end)
	end)
	refused("next() over " .. what, "'a' iterates with next%(%) over a table keyed by " .. what .. " ", function()
		local t = make()
		thread("a", function()
			local k, v
			repeat k, v = next(t, k) yield() until not v
		end)
	end)
	refused("building with " .. what, "the scenario function iterates with pairs%(%) over a table keyed by " .. what .. " ", function()
		for _ in pairs(make()) do end
		thread("a", function() yield() end)
	end)
end
legal("a single handle among the keys", function()
	local x = var("x")
	local t = { [x] = 1, n = 2 }
	thread("a", function()
		for _, v in pairs(t) do WRITE_ONCE(x, v) end
		assert(READ_ONCE(x) == 1)
	end)
end)
legal("looking up handles", function()
	local x, y = var("x"), var("y")
	local t = { [x] = 1, [y] = 2 }
	thread("a", function() WRITE_ONCE(x, t[x]) WRITE_ONCE(y, t[y]) end)
end)

-- ---------------------------------------------------------------- memory

local function fill()
	local s = {}
	for i = 1, 1e9 do
		s[i] = ("x"):rep(100000) .. i
	end
end
refused("a body that fills memory", "out of memory: the scenario fills more than %d+ MiB", one(function() yield() fill() end))
-- with sanitizers it takes so long that the watchdog comes first
local sanitized = (os.getenv("SRCUSH_SANITIZERS") or "") ~= ""
refused("a scenario function that fills memory", sanitized and "computed for %d+ s without a step" or
	"out of memory: the scenario fills more than %d+ MiB", fill)
refused("endless objects", "out of memory: the world has 100000 objects", function()
	for i = 1, 1e9 do var("v" .. i) end
end)
legal("and then all is as before", two(function(x) WRITE_ONCE(x, #("x"):rep(1000)) end))
do
	local t = {}
	for i = 1, 400 do t[i] = ("x"):rep(1 << 20) .. i end
	tap.is(#t, 400, "the limit holds for explorations only")
end

tap.done()
