-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- srcush bench: its tables and its JSON are complete and consistent; bad names; the page of
-- figures.  How fast anything is, is no matter of a test.

local tap = require("tap")
local top = os.getenv("top_srcdir") or "."
package.path = top .. "/t/lib/?.lua;" .. package.path
local sh = require "sh"

local srcush = sh.quoted(os.getenv("SRCUSH") or "./srcush")
local dir = os.getenv("HOME") or "."

local function read(name)
	local f = assert(io.open(dir .. "/" .. name, "rb"))
	local s = f:read("a")
	f:close()
	return s
end

local function write(name, text)
	local f = assert(io.open(dir .. "/" .. name, "wb"))
	f:write(text)
	f:close()
end

local function run(args)
	local _, how, code = os.execute(("cd %s && %s </dev/null %s >out.txt 2>err.txt"):format(sh.quoted(dir), srcush, args))
	return how == "exit" and code or how .. " " .. code, read("out.txt"), read("err.txt")
end

-- A flat object whose strings have no escapes; nil: it is not one.
local function object(line)
	local o, rest = {}, line:match("^{(.*)}$")
	while rest and rest ~= "" do
		local key, value, after = rest:match('^"([%w_]+)":("[^"\\%c]*")(.*)$')
		if not key then
			key, value, after = rest:match('^"([%w_]+)":([-+%w.]+)(.*)$')
		end
		if not key or o[key] ~= nil or not (after == "" or after:match('^,"')) then
			return nil
		end
		if value:sub(1, 1) == '"' then
			o[key] = value:sub(2, -2)
		elseif value == "true" or value == "false" then
			o[key] = value == "true"
		elseif value:match("^%-?%d+%.?%d*$") or value:match("^%-?%d+%.?%d*e[-+]%d+$") then
			o[key] = tonumber(value)
		else
			return nil
		end
		rest = after:sub(2)
	end
	return rest and o
end

local benches = { "read", "gp", "callers", "call", "kvm" }
local always = {
	read = { "empty loop", "libsrcu fast", "libsrcu normal", "2 fences, 2 locked", "pthread rwlock", "pthread mutex" },
	gp = { "libsrcu fast", "libsrcu normal" },
	callers = { "libsrcu fast", "libsrcu normal" },
	call = { "libsrcu fast", "libsrcu normal" },
	kvm = { "inside kvm->lock", "outside kvm->lock" },
}
local liburcu = { "liburcu memb", "liburcu qsbr", "liburcu bp", "liburcu mb" }
local least = { read = { 1, 2 }, gp = { 0 }, callers = { 1, 2, 4, 8 }, call = { 1, 2 }, kvm = { 1, 2, 8 } }

-- --- JSON ---

local status, out, err = run("bench --json --time 0.02")
tap.is(status, 0, "all benchmarks run")
local built_with = err == ""
tap.ok(built_with or err == "srcush: built without liburcu: its rows, and ratios to them, are missing\n",
	"liburcu is there, or its absence is said")

local head, bench, cells, aims, bad = nil, {}, {}, {}, nil
for line in out:gmatch("[^\n]*\n") do
	local o = object(line:sub(1, -2))
	if not o then
		bad = bad or line
	elseif o.type == "header" then
		head = head or o
	elseif o.type == "bench" then
		bench[o.bench], cells[o.bench] = o, {}
	elseif o.type == "cell" then
		cells[o.bench][o.row .. " " .. o[bench[o.bench].columns]] = o
	elseif o.type == "aim" then
		aims[#aims + 1] = o
	else
		bad = bad or line
	end
end
tap.is(bad, nil, "each line is a JSON object")
tap.ok(head and head.format == 1 and head.command == "bench" and out:find('^{"srcush":'), "the header comes first")

for _, name in ipairs(benches) do
	local b, missing, odd = bench[name], nil, nil
	local base_row = name == "kvm" and "inside kvm->lock" or built_with and "liburcu memb" or nil
	tap.ok(b and b.rounds >= 1 and b.title and b.unit and b.columns, name .. " is described")
	local rows = { table.unpack(always[name]) }
	if built_with and name ~= "kvm" then
		table.move(liburcu, 1, #liburcu, #rows + 1, rows)
	end
	for _, row in ipairs(rows) do
		for _, n in ipairs(least[name]) do
			if not cells[name][row .. " " .. n] then
				missing = missing or row .. " " .. n
			end
		end
	end
	tap.is(missing, nil, name .. " has all its cells")
	for key, c in pairs(cells[name]) do
		local base = base_row and cells[name][base_row .. " " .. c[b.columns]]
		local fine = c.samples <= b.rounds and (c.samples == 0) == (c.median == nil)
		if c.median then
			fine = fine and (name == "read" and c.min > 0 or name ~= "read" and c.min >= 0) and c.min <= c.low and c.low <= c.median and c.median <= c.high and c.high <= c.max
		end
		-- a median of ratios lies between those of the extremes; of one round, it is it
		if c.ratio then
			fine = fine and base and c.ratio >= c.min / base.max * 0.999 and
				(base.min == 0 or c.ratio <= c.max / base.min * 1.001)
		end
		if c == base then
			fine = fine and (c.max == nil or c.max == 0 or c.ratio == 1)
		end
		if not fine then
			odd = odd or key
		end
	end
	tap.is(odd, nil, name .. "'s figures agree with one another")
	-- on a busy machine there may be no call at all in so short a time, and then no ratio
	if name == "read" or b.base then tap.is(b.base, base_row, name .. ": what ratios are to") end
end
local wrong
for _, a in ipairs(aims) do
	local within = a.value <= a.bound
	if bench[a.bench].better == "more" then
		within = a.value >= a.bound
	end
	wrong = wrong or within ~= a.reached and a.row
end
tap.ok(#aims > 0 and not wrong, "aims are reached where the figure says so")

-- --- tables ---

status, out = run("bench --time 0.001 --quiet read call")
tap.is(status, 0, "two benchmarks by name")
tap.ok(out:match("^read: .*\ncall: ") and not out:find("gp:", 1, true), "in the order in which they are named")
local absent
for _, row in ipairs(always.read) do
	if not out:find("\n| " .. row:gsub("%p", "%%%0") .. " +|") then
		absent = absent or row
	end
end
tap.is(absent, nil, "the table has all rows")
tap.ok(not out:find("aim:", 1, true), "--quiet: tables only")
status, out = run("bench --time 0.001 read")
tap.ok(out:find("\nlibsrcu normal, 1 thread: [%d.]+ times 2 fences, 2 locked; aim: at most 0.50, "), "aims below the table")

-- --- bad input ---

local list = "  read       a pair of lock and unlock\n"
	.. "  gp         a grace period beside readers (0: one that is asleep)\n"
	.. "  callers    calls that wait for a grace period\n"
	.. "  call       callbacks posted and invoked\n"
	.. "  kvm        MSR filters installed, with the grace period\n"
local function begins(args, text, what)
	status, out, err = run(args)
	tap.is(status, 2, what)
	tap.is(out, "", what .. ": nothing on standard output")
	tap.is(err:sub(1, #text), text, what .. ": the message")
end
begins("bench read nothing", "srcush: no benchmark 'nothing'; there are:\n" .. list, "an unknown name, before anything runs")
begins("bench ''", "srcush: no benchmark ''; there are:\n" .. list, "an empty name")
begins("bench --time 0", "srcush: option '--time' needs a number of seconds, more than 0, not '0'\n", "no time")
begins("bench --time", "srcush: option '--time' needs a value\n", "a missing value")
begins("bench --model tso", "srcush: option '--model' is for ", "an option of others")
begins("bench --frobnicate", "srcush: unknown option '--frobnicate'\n", "an unknown option")
status, out, err = run("bench --help")
tap.is(status, 0, "--help")
tap.ok(out:match("^Usage: srcush bench %[options%] %[NAME%.%.%.%]\n") and err == "", "--help says how")

-- --- the page of figures ---

local made = '{"srcush":"0","format":1,"type":"header","command":"bench"}\n'
	.. '{"type":"bench","bench":"gp","title":"a wait","unit":"us","better":"less","columns":"readers","base":"b","rounds":3}\n'
	.. '{"type":"cell","bench":"gp","row":"a","readers":0,"samples":3,"min":1,"low":1,"median":2.5,"high":3,"max":4,"ratio":0.25}\n'
	.. '{"type":"cell","bench":"gp","row":"a","readers":1,"samples":0}\n'
	.. '{"type":"aim","bench":"gp","row":"a","readers":0,"of":"b","of_readers":0,"value":0.25,"bound":0.5,"reached":true}\n'
write("made.json", made)
write("page.md", "before\n<!-- bench gp -->\nold\n<!-- end of gp -->\nafter\n")
status = run(sh.quoted(top .. "/bench/results.lua") .. " made.json page.md .")
tap.is(status, 0, "figures go into a page")
tap.is(read("page.md"), "before\n<!-- bench gp -->\nA wait, us; medians of 3 rounds, ratios to b:\n\n"
	.. "| | 0 readers | ratio | 1 reader | ratio |\n| --- | ---: | ---: | ---: | ---: |\n"
	.. "| a | 2.50 | 0.25 | - | - |\n\n- a, 0 readers: 0.25 times b; aim: at most 0.50, reached\n"
	.. "<!-- end of gp -->\nafter\n", "between its markers, and nothing else is touched")
local svg = read("native-gp.svg")
tap.ok(svg:match("^<svg ") and svg:match("</svg>\n$") and select(2, svg:gsub("<circle ", "")) == 1, "a picture with a point for each figure")

tap.done()
