-- SPDX-License-Identifier: GPL-2.0-or-later
-- srcush explore: what it prints, exit statuses, files that are no scenarios, and
-- .explore in the shell.

local tap = require("tap")
local top = os.getenv("top_srcdir") or "."

local srcush = "'" .. (os.getenv("SRCUSH") or "./srcush") .. "'"
local dir = os.getenv("HOME") or "."

local function write(name, text)
	local f = assert(io.open(dir .. "/" .. name, "wb"))
	f:write(text)
	f:close()
end

local function read(name)
	local f = assert(io.open(dir .. "/" .. name, "rb"))
	local s = f:read("a")
	f:close()
	return s
end

-- Runs a shell command line in which $S is srcush, in the scratch directory.
local function sh(line)
	line = line:gsub("%$S", function() return srcush end)
	local _, how, code = os.execute("cd '" .. dir .. "' && { " .. line
		.. "\n} </dev/null >out.txt 2>err.txt")
	return how == "exit" and code or how .. " " .. code, read("out.txt"), read("err.txt")
end

local function gives(line, status, out, err, name)
	local s, o, e = sh(line)
	tap.same({ s, o, e }, { status, out, err }, name or line)
end

local function says(line, status, out, err, name)
	local s, o, e = sh(line)
	name = name or line
	tap.is(s, status, name .. ": status")
	tap.like(o, out, name .. ": standard output")
	tap.like(e, err, name .. ": standard error")
end

local TRY = "Try 'srcush --help'.\n"

write("count.lua", [[
local function count(inc)
  return function()
    local x = var("x")
    for i = 1, 2 do thread("t" .. i, function() inc(x) end) end
    finally(function() assert(READ_ONCE(x) == 2, "an increment is lost") end)
    outcome(function() return { x = READ_ONCE(x) } end)
  end
end
return {
  buggy = count(function(x) WRITE_ONCE(x, READ_ONCE(x) + 1) end),
  fixed = count(function(x) atomic_inc(x) end),
}
]])

-- ------------------------------------------------------------------ verdicts

says("$S explore count.lua:fixed", 0, "^count%.lua:fixed: ok: no violation in any interleaving\n"
	.. "  2 threads, 4 CPUs, sc\n  2 executions, 4 steps, %d+%.%d%d s\n         2 times x=2\n$", "^$", "ok")
says("$S explore count.lua:buggy", 3, "^violation: assertion\n  finally%(%), .*: an increment is%s+lost%.\n"
	.. "\nThe steps:\nstep  t1 .*\nTo see it again:\n  srcush replay count%.lua:buggy '@sc,4 [^']*'\n\n"
	.. "count%.lua:buggy: violation: assertion in execution %d\n  2 threads, 4 CPUs, sc\n", "^$", "violation")
says("$S explore count.lua", 3, "\ncount%.lua:fixed: ok: ", "^$", "all of a file's")
gives("$S explore --quiet count.lua:fixed", 0, "count.lua:fixed: ok: no violation in any interleaving\n", "", "quiet")
gives("$S explore --quiet --max-executions 1 count.lua:fixed", 4,
	"count.lua:fixed: incomplete: no violation, but not everything was seen (max_executions 1)\n", "", "incomplete")
gives("$S explore --quiet --strategy random --max-executions 50 --seed 3 count.lua:fixed", 4,
	"count.lua:fixed: incomplete: no violation in 50 random schedules from seed 3\n", "", "samples")
says("$S explore --quiet --strategy pct --depth 2 count.lua:buggy", 3, "violation: assertion in execution %d+\n$", "^$", "pct")
says("$S explore --quiet --strategy naive --keep-going --lockdep 6.1 --model sc --time 60 --jobs 1 count.lua:fixed", 0,
	"ok: no violation in any interleaving\n$", "^$", "the other options")
gives("$S explore --quiet --preemptions 0 --max-steps 1000 --strategy naive count.lua:buggy", 4,
	"count.lua:buggy: incomplete: no violation, but not everything was seen (preemptions 0)\n", "", "without preemption")
says("$S explore --cpus 2 count.lua:buggy", 3, "srcush replay %-%-cpus 2 count%.lua:buggy '@sc,2 ", "^$", "--cpus")

-- --lockdep: SRCU has its place in the order of locks from 6.12 on only.
write("order.lua", [[
return function()
  cpus(2)
  local ss, m = srcu.new("ss", {flavor="ideal"}), mutex("m")
  local go = completion("go")
  thread("reader", function()
    local idx = srcu_read_lock(ss)
    mutex_lock(m)
    mutex_unlock(m)
    srcu_read_unlock(ss, idx)
    complete(go)
  end)
  thread("writer", function()
    wait_for_completion(go)
    mutex_lock(m)
    synchronize_srcu(ss)
    mutex_unlock(m)
  end)
end
]])
says("$S explore --quiet order.lua", 3, "violation: lock%-order", "^$")
says("$S explore --quiet --lockdep 6.1 order.lua", 0, "order%.lua: ok: ", "^$")
local _, text = sh("$S explore --quiet order.lua")
text = text:match("\n  srcush (replay [^\n]*)") or "nothing"
says("$S " .. text, 3, "violation: lock%-order after %d+ steps?\n$", "^$", "replay of an order of locks")
says("$S " .. text:gsub("^replay", "%0 --lockdep 6.1"), 0, "order%.lua: ok", "^$", "which 6.1 does not know")

-- The command that is printed does what it says.
for _, options in ipairs { "", "--cpus 2 ", "--quiet ", "--strategy random " } do
	local _, out = sh("$S explore " .. options .. "count.lua:buggy")
	local command = out:match("\nTo see it again:\n  srcush ([^\n]*)\n")
	says("$S " .. (command or "nothing"), 3, "\ncount%.lua:buggy: violation: assertion after 4 steps\n$", "^$",
		"the command of explore " .. options)
end

-- --save
says("$S explore --quiet --save found.schedule count.lua", 3, "\n  srcush replay count%.lua:buggy @found%.schedule\n", "^$", "--save")
tap.like(read("found.schedule"), "^@sc,4 [^\n]*\n$", "the file")
says("$S replay --quiet count.lua:buggy @found.schedule", 3, "violation: assertion after 4 steps\n$", "^$", "which replay takes")
says("$S explore --quiet --save /nowhere/x count.lua:buggy", 2, "", "^srcush: cannot write /nowhere/x: No such file", "a file that cannot be written")
os.remove(dir .. "/unused")
sh("$S explore --quiet --save unused count.lua:fixed")
tap.is(io.open(dir .. "/unused"), nil, "nothing is saved where nothing was found")
write("it's.lua", "return function() thread('t', function() assert(false) end) end\n")
says("$S explore --quiet \"it's.lua\"", 3, "srcush replay 'it'\\''s%.lua' @sc,4\n", "^$", "a name with a quote")

-- --show
says("$S explore --show 2 count.lua:fixed", 0, "^execution 2, @sc,4 .*\nstep  t1 .* 1 %-> 2\n.*ok: ", "^$", "--show")
says("$S explore --show 9 --quiet count.lua:fixed", 0, "^count%.lua:fixed: ok: [^\n]*\n$",
	"^srcush: count%.lua:fixed: there is no complete execution 9\n$", "--show of none")

-- --json
local status, out = sh("$S explore --json --show 1 count.lua")
tap.is(status, 3, "--json: status")
local lines = {}
for line in out:gmatch("[^\n]+") do
	lines[#lines + 1] = line
end
tap.is(#lines, 4, "--json: header, violation, two verdicts")
tap.like(lines[1], '^{"srcush":"[^"]*","format":1,"type":"header","command":"explore","file":"count.lua"}$', "--json: header")
tap.like(lines[2], '^{"type":"violation","kind":"assertion".*"scenario":"count.lua:buggy","schedule":"@sc,4 ', "--json: violation")
tap.like(lines[3], '"verdict":"violation"', "--json: verdict")
tap.like(lines[4], '"outcomes":{"x=2":2}', "--json: outcomes")
tap.like(lines[4], '"verdict":"ok"', "--json: ok")
tap.like(lines[4], '"shown":"@sc,4 ', "--json: the execution that was asked for")

-- ---------------------------------------------------------------- bad options

for _, name in ipairs { "max-executions", "max-steps", "show" } do
	for _, n in ipairs { "0", "-1", "x", "" } do
		gives(("$S explore --%s '%s' count.lua"):format(name, n), 2, "",
			("srcush: option '--%s' needs a number from 1, not '%s'\n"):format(name, n) .. TRY)
	end
end
gives("$S explore --depth 0 count.lua", 2, "", "srcush: option '--depth' needs a number from 1 to 1000, not '0'\n" .. TRY)
gives("$S explore --jobs=0 count.lua", 2, "", "srcush: option '--jobs' needs a number from 1 to 256, not '0'\n" .. TRY)
gives("$S explore --preemptions -1 count.lua", 2, "",
	"srcush: option '--preemptions' needs a number from 0 to 1000000, not '-1'\n" .. TRY)
for _, t in ipairs { "0", "-1", "x", "1s", "inf", "" } do
	gives(("$S explore --time '%s' count.lua"):format(t), 2, "",
		("srcush: option '--time' needs a number of seconds, more than 0, not '%s'\n"):format(t) .. TRY)
end
gives("$S explore --strategy best count.lua", 2, "", "srcush: unknown strategy 'best' (dpor, random, pct or naive)\n" .. TRY)
gives("$S explore --lockdep 5 count.lua", 2, "", "srcush: unknown lockdep '5' (6.1 or 6.12)\n" .. TRY)
for _, o in ipairs { "--model tso --promises", "--promises --model sc" } do
	gives("$S explore " .. o .. " count.lua", 2, "", ("srcush: '--promises' is for --model weak: the model '%s' has "
		.. "no load buffering\n"):format(o:match "tso" or "sc") .. TRY)
end
gives("$S explore --keep-going=1 count.lua", 2, "", "srcush: option '--keep-going' takes no value\n" .. TRY)
gives("$S explore --save '' count.lua", 2, "", "srcush: option '--save' needs the name of a file\n" .. TRY)
gives("$S explore --max-execution 5 count.lua", 2, "",
	"srcush: unknown option '--max-execution'; did you mean '--max-executions'?\n" .. TRY)
gives("$S run --strategy pct count.lua", 2, "", "srcush: option '--strategy' is for explore and stands behind it\n" .. TRY)
gives("$S explore", 2, "", "srcush: which file? usage: srcush explore [options] FILE[:NAME]\n" .. TRY)
gives("$S explore count.lua x", 2, "", "srcush: one file at a time: what is 'x'?\n" .. TRY)
says("$S explore --help", 0, "^Usage: srcush explore .*%-%-strategy.*Exit status", "^$")

-- ------------------------------------------------------------------ bad files

gives("$S explore missing.lua", 2, "", "srcush: cannot open 'missing.lua': No such file or directory\n")
gives("$S explore count.lua:other", 2, "", "srcush: count.lua: no scenario 'other' (there are: buggy, fixed)\n")
write("number.lua", "return 5\n")
gives("$S explore number.lua", 2, "", "srcush: number.lua: the file returns a number, not a function or a table of named functions\n")
write("syntax.lua", "return return\n")
says("$S explore syntax.lua", 2, "^$", "^srcush: syntax%.lua:1: ")
write("nothreads.lua", "return function() var('x') end\n")
gives("$S explore nothreads.lua", 2, "", "srcush: nothreads.lua makes no threads\n")
write("throws.lua", "return function() error('no luck') end\n")
says("$S explore throws.lua", 1, "^$", "^srcush: throws%.lua:1: no luck\n")
write("random.lua", "return function() local x = var('x')\n"
	.. "for i = 1, 2 do thread('t' .. i, function() WRITE_ONCE(x, math.random(1000)) READ_ONCE(x) end) end end\n")
says("$S explore random.lua", 1, "^$", "^srcush: random%.lua: the scenario is not deterministic", "one that is not deterministic")
for name, case in pairs {
	table = { 1, "(error object is a table value)", "error({})" },
	index = { 1, "index.lua:1: attempt to index a nil value (global 'nothing')", "nothing.x = 1" },
	endless = { 1, "endless.lua:1: the scenario function computed for 3 s without a step: an endless loop?", "while true do end" },
	clock = { 1, "clock.lua: the scenario is not deterministic: step 1, WRITE_ONCE(x) of \"t\" (clock.lua:1), is not the same",
		"local x = var('x') thread('t', function() WRITE_ONCE(x, os.time()) end)" },
	objects = { 1, "objects.lua:1: var: out of memory: the world has 100000 objects", "for i = 1, 1e9 do var('v' .. i) end" },
	memory = { 1, "memory.lua: out of memory: the scenario fills more than ",
		"local s, x = {}, ('x'):rep(100000) for i = 1, 1e9 do s[i] = x .. i end" },
	shared = { 2, "shared.lua: the threads 'a' and 'b' share the local 'n' (",
		"local n = 0 for _, v in ipairs {'a', 'b'} do thread(v, function() yield() n = n + 1 end) end" },
	handles = { 2, "handles.lua: 't' iterates with pairs() over a table keyed by handles (handles.lua:1): their order is nowhere said; use a list",
		"local t = {[var('x')] = 1, [var('y')] = 2} thread('t', function() for v in pairs(t) do READ_ONCE(v) end end)" },
	other = { 2, "other.lua: the scenario function builds a different world each time: ",
		"N = (N or 0) + 1 var('x' .. N) thread('t', function() yield() end)" },
} do
	write(name .. ".lua", "return function() " .. case[3] .. " end\n")
	local s, o, e = sh("$S explore " .. name .. ".lua")
	tap.same({ s, o }, { case[1], "" }, name .. ": status")
	tap.is(e:sub(1, #case[2] + 8), "srcush: " .. case[2], name .. ": message")
	tap.unlike(e, "lua/scenario", name .. ": no frames of our own")
end
write("steps.lua", "return function() thread('t', function() while true do yield() end end) end\n")
gives("$S explore --quiet --max-steps 50 steps.lua", 4,
	"steps.lua: incomplete: no violation, but not everything was seen (max_steps 50)\n", "", "one that never ends")
gives("$S replay --quiet count.lua:buggy '@sc,4 reader'", 2, "",
	"srcush: schedule: item 1: there is no thread 'reader' at step 0\n", "a schedule of another scenario")

-- ------------------------------------------------------------------ the shell

write("lines", ".load count.lua:buggy\n.explore --strategy naive\n.replay\n#trace()\n.explore --max-executions 1\n"
	.. ".load count.lua:fixed\n.replay\n")
status, out = sh("$S -i <lines")
tap.like(out, "violation: assertion in execution %d\n.*%.replay walks to the violation, %.back from there\nat step 4\n", ".explore, .replay")
tap.like(out, "\n4\nincomplete: no violation, but not everything was seen %(max_executions 1%)\n", ".explore with a bound")
local _, _, err = sh("$S -i <lines")
tap.like(err, "^srcush: which schedule%? %.replay S, or %.replay @FILE\n$", "what was found belongs to its scenario")
for line, message in pairs {
	[".explore x"] = "what is 'x'? options are expected, as --max-executions 100",
	[".explore --depth"] = "option '--depth' needs a value",
	[".explore --frob 1"] = "no option \"frob\"",
	[".explore --depth 0"] = "depth: an integer from 1",
} do
	write("lines", ".load count.lua:fixed\n" .. line .. "\n")
	_, _, err = sh("$S -i <lines")
	tap.ok(err:find(message, 1, true), line .. ": " .. message)
end

-- The same with the examples of the catalogue: what is printed is found again.
for _, name in ipairs { "K1.lua:buggy", "K1.lua:half", "S23.lua:buggy", "T5.lua:no_mutex" } do
	local spec = top .. "/examples/bugs/" .. name
	if io.open((spec:gsub(":.*", ""))) then
		_, out = sh(("$S explore '%s'"):format(spec))
		local command = out:match("\nTo see it again:\n  srcush ([^\n]*)\n")
		says("$S " .. (command or "nothing"), 3, ": violation: " .. (out:match("^violation: (%S+)\n") or "?"):gsub("%-", "%%-")
			.. " after %d+ steps?\n$", "^$", name)
	end
end

tap.done()
