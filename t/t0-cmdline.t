-- SPDX-License-Identifier: GPL-2.0-or-later
-- The srcush command: options, arguments, exit statuses, and bad input.

local tap = require("tap")

local srcush = "'" .. (os.getenv("SRCUSH") or "./srcush") .. "'"
local dir = os.getenv("HOME") or "."

local function path(name)
	return dir .. "/" .. name
end

local function write(name, text)
	local f = assert(io.open(path(name), "wb"))
	f:write(text)
	f:close()
end

local function read(name)
	local f = assert(io.open(path(name), "rb"))
	local s = f:read("a")
	f:close()
	return s
end

-- Runs a shell command line in which $S is srcush, in the scratch directory.
-- Standard input is empty unless the line says otherwise.
local function sh(line)
	line = line:gsub("%$S", function() return srcush end)
	local _, how, code = os.execute("cd '" .. dir .. "' && { " .. line
		.. "\n} </dev/null >out.txt 2>err.txt")
	return how == "exit" and code or how .. " " .. code, read("out.txt"), read("err.txt")
end

-- One command: its status, standard output and standard error.
local function gives(line, status, out, err, name)
	local s, o, e = sh(line)
	tap.same({ s, o, e }, { status, out, err }, name or line)
end

-- The same, where what is said is only matched with Lua patterns.
local function says(line, status, out, err, name)
	local s, o, e = sh(line)
	name = name or line
	tap.is(s, status, name .. ": status")
	tap.like(o, out, name .. ": standard output")
	tap.like(e, err, name .. ": standard error")
end

local TRY = "Try 'srcush --help'.\n"

-- ------------------------------------------------------------- as lua does it

write("args.lua", "print(#arg, arg[0], arg[1], arg[2], ...)\nprint(arg[-1] ~= nil)\n")
gives("$S args.lua a 'b c'", 0, "2\targs.lua\ta\tb c\ta\tb c\ntrue\n", "", "arg[] and ...")
gives("$S -e 'print(1)' -e 'print(2)'", 0, "1\n2\n", "", "-e, twice")
gives("$S -e'x = 7' args.lua", 0, "0\targs.lua\tnil\tnil\ntrue\n", "", "-e joined to its value, then a script")
gives("$S -e 'print(arg[0] ~= nil, #arg)'", 0, "true\t2\n", "", "arg without a script")
gives("$S -- args.lua x", 0, "1\targs.lua\tx\tnil\tx\ntrue\n", "", "--")
gives("printf 'print(...)' | $S - p q", 0, "p\tq\n", "", "- with arguments")
gives("echo 'print(arg[0] ~= nil, 42)' | $S", 0, "true\t42\n", "", "a script from standard input")
gives("printf '#!/usr/bin/env srcush\\nprint(debug.getinfo(1).currentline)' >bang.lua; $S bang.lua",
	0, "2\n", "", "a first line that begins with #")
gives("printf '\\357\\273\\277print(3)' >bom.lua; $S bom.lua", 0, "3\n", "", "a byte-order mark")
os.execute("mkdir -p '" .. path("lib") .. "'")
write("lib/mod.lua", "return { answer = 42 }\n")
gives("LUA_PATH='./lib/?.lua' $S -l mod -e 'print(mod.answer)'", 0, "42\n", "", "-l")
gives("LUA_PATH='./lib/?.lua' $S -l m=mod -e 'print(m.answer, mod)'", 0, "42\tnil\n", "", "-l with a name")
says("LUA_PATH='./lib/?.lua' $S -E -l mod", 1, "^$", "^srcush: module 'mod' not found", "-E ignores LUA_PATH")
gives("LUA_INIT='x = 5' $S -e 'print(x)'", 0, "5\n", "", "LUA_INIT")
gives("LUA_INIT='x = 5' $S -E -e 'print(x)'", 0, "nil\n", "", "-E ignores LUA_INIT")
gives("LUA_INIT='x =' $S -e 'print(x)'", 2, "", "srcush: LUA_INIT:1: unexpected symbol near <eof>\n",
	"LUA_INIT that does not parse")
gives("$S -W -e 'warn(\"w\")'", 0, "", "Lua warning: w\n", "-W")
gives("$S -e 'warn(\"w\")'", 0, "", "", "no -W")
says("$S -v", 0, "^srcush %d+%.%d+.* %(Lua 5%.4", "^$")
says("$S -v -e 'print(1)'", 0, "%)\n1\n$", "^$")
says("$S --version", 0, "^srcush %d+%.%d+", "^$")
says("$S --help", 0, "^Usage: srcush .*Exit status", "^$")
says("$S run --help", 0, "^Usage: srcush run .*%-%-seed", "^$")
says("$S step --help", 0, "^Usage: srcush step ", "^$")
says("$S replay --help", 0, "^Usage: srcush replay ", "^$")
gives("$S -e 'os.exit(7)'", 7, "", "", "os.exit")
gives("$S -e 'os.exit(true, true)'", 0, "", "", "os.exit that closes the state")
gives("$S -e ''", 0, "", "", "an empty statement")
gives("$S --carrier fiber --cpus=2 --color never -e 'print(1)'", 0, "1\n", "", "long options before -e")
for _, c in ipairs { "pthread", "fiber" } do
	gives("$S --carrier " .. c .. [[ -e 'local v = var("v")
		thread("t", function() WRITE_ONCE(v, 3) end) run() print(v:get())']], 0, "3\n", "", "carrier " .. c)
end

-- ------------------------------------------------------------------ mistakes

gives("$S --frob", 2, "", "srcush: unknown option '--frob'\n" .. TRY)
gives("$S --quite", 2, "", "srcush: unknown option '--quite'; did you mean '--quiet'?\n" .. TRY)
gives("$S run --sede=1 x.lua", 2, "", "srcush: unknown option '--sede=1'; did you mean '--seed'?\n" .. TRY)
gives("$S rnu x.lua", 2, "", "srcush: cannot open 'rnu': No such file or directory\nDid you mean 'srcush run'?\n",
	"a subcommand with a slip")
gives("$S -x", 2, "", "srcush: unknown option '-x'\n" .. TRY)
gives("$S -ix", 2, "", "srcush: unknown option '-ix'\n" .. TRY)
gives("$S -e", 2, "", "srcush: option '-e' needs a value\n" .. TRY)
gives("$S -l", 2, "", "srcush: option '-l' needs a value\n" .. TRY)
gives("$S --carrier", 2, "", "srcush: option '--carrier' needs a value\n" .. TRY)
gives("$S --carrier boat", 2, "", "srcush: unknown carrier 'boat' (pthread or fiber)\n" .. TRY)
gives("$S --color=red", 2, "", "srcush: unknown colour setting 'red' (auto, always or never)\n" .. TRY)
for _, n in ipairs { "0", "4097", "-1", "x", "", "1x", "99999999999999999999" } do
	gives("$S --cpus '" .. n .. "'", 2, "",
		"srcush: option '--cpus' needs a number from 1 to 4096, not '" .. n .. "'\n" .. TRY)
end
gives("$S run --max-steps 0 a.lua", 2, "",
	"srcush: option '--max-steps' needs a number from 1, not '0'\n" .. TRY)
gives("$S run --model pso a.lua", 2, "", "srcush: unknown memory model 'pso' (sc, tso, weak)\n" .. TRY)
gives("$S run --promises a.lua", 2, "",
	"srcush: option '--promises' is for explore and litmus and stands behind it\n" .. TRY)
gives("$S --seed 1", 2, "", "srcush: option '--seed' is for run, explore, compare and stress and stands behind it\n" .. TRY)
gives("$S run --jobs 2 a.lua", 2, "", "srcush: option '--jobs' is for explore and stands behind it\n" .. TRY)
gives("$S run --quiet=1 a.lua", 2, "", "srcush: option '--quiet' takes no value\n" .. TRY)
gives("$S -i run x", 2, "", "srcush: options -e, -i, -l and -v do not go with 'run'\n" .. TRY)
gives("$S run", 2, "", "srcush: which file? usage: srcush run [options] FILE[:NAME]\n" .. TRY)
gives("$S run a b", 2, "", "srcush: one file at a time: what is 'b'?\n" .. TRY)
gives("$S replay a", 2, "",
	"srcush: which schedule? usage: srcush replay [options] FILE[:NAME] SCHEDULE\n" .. TRY)

-- Scripts that cannot be read or do not parse.
gives("$S missing.lua", 2, "", "srcush: cannot open 'missing.lua': No such file or directory\n")
gives("$S .", 2, "", "srcush: cannot read '.': Is a directory\n", "a directory")
gives("$S <&-", 0, "", "", "standard input is closed")
write("syntax.lua", "print(1)\nx = = 2\n")
gives("$S syntax.lua", 2, "", "srcush: syntax.lua:2: unexpected symbol near '='\n")
write("chunk.luac", string.dump(function() print(1) end))
gives("$S chunk.luac", 2, "", "srcush: cannot read 'chunk.luac': it is a binary file, not a Lua script\n")
gives("$S - <chunk.luac", 2, "", "srcush: cannot read 'stdin': it is a binary file, not a Lua script\n")
write("elf", "\x7fELF\2\1\1\0\0\0")
gives("$S elf", 2, "", "srcush: cannot read 'elf': it is a binary file, not a Lua script\n")
gives("$S -e 'x ='", 2, "", "srcush: (command line):1: unexpected symbol near <eof>\n")
gives("printf 'x =' | $S", 2, "", "srcush: stdin:1: unexpected symbol near <eof>\n", "standard input that does not parse")

-- Errors in scripts.
write("error.lua", "local function f()\n\terror('boom')\nend\nf()\n")
gives("$S error.lua", 1, "", "srcush: error.lua:2: boom\nstack traceback:\n\t[C]: in function 'error'\n"
	.. "\terror.lua:2: in local 'f'\n\terror.lua:4: in main chunk\n", "an error with its traceback")
gives("$S -e 'error(\"boom\", 0)'", 1, "", "srcush: boom\n", "an error that needs no traceback")
gives("$S -e 'error({})'", 1, "", "srcush: (error object is a table value)\n")
gives("$S -e 'error(setmetatable({}, {__tostring = function() return \"mine\" end}))'", 1, "",
	"srcush: mine\n", "an error object that can be printed")
says("$S -e 'local function f() return 1 + f() end f()'", 1, "^$", "stack overflow", "deep recursion")
if sh("ulimit -v 400000 && $S --carrier fiber -e ''") == 0 then
	says("ulimit -v 400000; $S --carrier fiber -e 'local t = {} for i = 1, 1e9 do t[i] = (\"x\"):rep(1e6) .. i end'",
		1, "^$", "^srcush: not enough memory", "out of memory")
else
	tap.skip("memory cannot be limited: a sanitizer?", 3)
end
says("$S -e 'io.read()' -e 'print(\"on\")'", 0, "^on\n$", "^$", "reading at the end of input")

-- ------------------------------------------------------------ scenario files

write("one.lua", [[
return function()
	local v = var("v", 0)
	thread("a", function() WRITE_ONCE(v, 1) end)
	thread("b", function() assert(READ_ONCE(v) == 0, "v is 1") end)
end
]])
write("more.lua", [[
return {
	good = function() thread("t", function() smp_mb() end) end,
	bad = function() thread("t", function() assert(false, "never") end) end,
	long = function() thread("t", function() while true do yield() end end) end,
}
]])
gives("$S one.lua", 0, "", "srcush: one.lua returns a scenario, which was not run; 'srcush run one.lua' runs it, "
	.. "'srcush step one.lua' steps it\n", "a scenario file as a script")
says("$S run one.lua", 3, "one%.lua: violation: assertion after 2 steps\n$", "^$", "run")
says("$S run --quiet more.lua:good", 0, "^more%.lua:good: ok: 1 step, every thread is done\n$", "^$", "run FILE:NAME")
says("$S run --quiet more.lua:bad", 3, "never.*\nmore%.lua:bad: violation: assertion after 0 steps\n$", "^$")
says("$S run --max-steps 100 --quiet more.lua:long", 4,
	"^more%.lua:long: incomplete: stopped after 100 steps by .*100", "^$")
says("$S run --max-steps 100 --quiet more.lua", 3, "bad: violation.*good: ok.*long: incomplete", "^$",
	"all scenarios, in the order of their names")
says("$S run --seed 1 one.lua >o1.txt; $S run --seed=1 one.lua | cmp - o1.txt", 0, "^$", "^$", "a seed repeats")
says("$S run --cpus 2 more.lua:good --quiet", 0, "ok", "^$", "options behind the file")
gives("$S replay --quiet one.lua @sc,4 b a", 0, "one.lua: ok: 2 steps, every thread is done\n", "", "replay")
says("$S replay --quiet one.lua '@sc,4 a b'", 3, "violation: assertion after 2 steps", "^$", "replay to a violation")
write("schedule", "@sc,4\n b\na \n")
gives("$S replay --quiet one.lua @schedule", 0, "one.lua: ok: 2 steps, every thread is done\n", "", "replay @FILE")
says("$S replay --quiet one.lua '@sc,4 b'", 0, "^one%.lua: ok: 1 step; not at their end:\n  a is ready\n$", "^$",
	"a schedule that ends early")
for _, s in ipairs { "@sc,4 c", "@sc,4 b*3", "@sc,2 b", "@pso,4 b", "@sc,x b", "@sc,4 a=9", "@sc,4 *" } do
	says("$S replay one.lua '" .. s .. "'", 2, "^$", "^srcush: schedule: ", "replay " .. s)
end
gives("$S replay one.lua @missing", 2, "",
	"srcush: cannot read the schedule 'missing': No such file or directory\n")
gives("$S replay one.lua @.", 2, "", "srcush: cannot read the schedule '.': Is a directory\n")
gives("$S replay more.lua '@sc,4 t'", 2, "",
	"srcush: more.lua: which scenario? FILE:NAME picks one of bad, good, long\n")
gives("$S step more.lua", 2, "",
	"srcush: more.lua: which scenario? FILE:NAME picks one of bad, good, long\n", "step and several scenarios")
gives("$S run more.lua:best", 2, "", "srcush: more.lua: no scenario 'best' (there are: bad, good, long)\n")
gives("$S run one.lua:x", 2, "", "srcush: one.lua: the file returns one function, none is named 'x'\n")
gives("$S run missing.lua", 2, "", "srcush: cannot open 'missing.lua': No such file or directory\n",
	"run a file that is missing")
gives("$S run syntax.lua", 2, "", "srcush: syntax.lua:2: unexpected symbol near '='\n", "run what does not parse")
gives("$S run .", 2, "", "srcush: cannot read '.': Is a directory\n", "run a directory")
gives("$S run chunk.luac", 2, "", "srcush: cannot read 'chunk.luac': it is a binary file, not a Lua script\n",
	"run a binary")
local function returns(text, message)
	write("r.lua", text)
	gives("$S run r.lua", 2, "", "srcush: r.lua: " .. message .. "\n", "a file with: " .. text)
end
returns("", "the file returns nothing, not a function or a table of named functions; "
	.. "as a plain script it is run by 'srcush FILE'")
returns("return 3", "the file returns a number, not a function or a table of named functions")
returns("return {}", "the file returns an empty table: no scenario")
returns("return {1}", "the file returns a table with the key 1, where names are expected")
returns("return {a=1}", "scenario 'a' is a number, not a function")
returns("return function() end", "the scenario makes no threads")
write("throws.lua", "return function()\n\terror('no luck')\nend\n")
says("$S run throws.lua", 1, "^$", "^srcush: throws%.lua:2: no luck\n", "a scenario that throws")
says("$S run error.lua", 1, "^$", "^srcush: error%.lua:2: boom\n", "a scenario file that throws")
says("printf '.step a\\n.step b\\n' | $S step one.lua", 3, "assertion", "^$", "step, without a terminal")
says("printf '.step b\\n.step a\\n.run\\n' | $S step one.lua", 0, "ok: 2 steps, every thread is done\n$", "^$")
says("printf 'x = 4\\nx\\n' | $S -i", 0, "^4\n$", "^$", "-i without a terminal: no prompt, no greeting")
says("printf 'frob()\\n1 + 1\\n' | $S -i", 1, "^2\n$", "^srcush: prompt:1: ", "a line fails, the next is read")
says("printf '1 + (' | $S -i", 1, "^$", "^srcush: prompt:1: ", "an unfinished statement at the end")
says("$S -i one.lua", 0, "^$", "^$", "-i behind a script")

-- ------------------------------------------------------- output and signals

gives("$S -e 'for i = 1, 1e6 do print(i) end' | head -n 1", 0, "1\n", "", "nobody reads on")
gives("$S -e 'print(1)' >&-", 0, "", "", "standard output is closed")
gives("echo 'print(io.read(\"n\"))' >in.lua; echo 5 | $S in.lua >&-", 0, "", "",
	"standard output is closed, and files are opened")
gives("$S -e 'io.stderr:write(1)' 2>&-", 0, "", "", "standard error is closed")
local full = io.open("/dev/full", "w")
if full then
	full:close()
	says("$S -e 'print(1)' >/dev/full", 1, "^$", "^srcush: cannot write standard output", "a full disk")
	says("$S -e 'io.write(1) os.exit(0)' >/dev/full", 1, "^$", "^srcush: cannot write standard output",
		"a full disk, and os.exit")
else
	tap.skip("no /dev/full", 6)
end
-- A background job has Ctrl-C ignored; timeout(1) gives a job that has not.
if os.execute("command -v timeout >/dev/null 2>&1") then
	says("timeout --foreground -s INT 2 $S -e 'while true do end'; test $? -eq 124", 0, "^$", "^srcush: interrupted\n",
		"Ctrl-C in a script")
	says("timeout --foreground --preserve-status -s INT 2 $S -e 'while true do end'", 130, "^$", "^srcush: interrupted\n",
		"the status of Ctrl-C")
	says("timeout --foreground --preserve-status -s INT 2 $S run more.lua:long --max-steps 1000000000000", 130, "^$",
		"^srcush: interrupted after %d+ steps\n$", "Ctrl-C in a run")
	says("timeout --foreground --preserve-status -s TERM 2 $S -e 'while true do end'; test $? -eq 143", 0, "^$", "",
		"SIGTERM")
	says("timeout --foreground -k 10 -s INT 2 $S -e 'while true do pcall(function() while true do end end) end'; test $? -eq 124",
		0, "^$", "^srcush: interrupted\n", "Ctrl-C and pcall")
else
	tap.skip("no timeout(1)", 15)
end

-- Colours.
local function has_color(line)
	local _, out = sh(line)
	return out:find("\27", 1, true) ~= nil
end
tap.ok(not has_color("$S run one.lua"), "no colours but on a terminal")
tap.ok(has_color("$S run --color always one.lua"), "--color always")
tap.ok(has_color("NO_COLOR=1 $S run --color=always one.lua"), "--color always, and NO_COLOR")

tap.done()
