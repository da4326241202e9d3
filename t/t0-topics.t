-- SPDX-License-Identifier: GPL-2.0-or-later
-- Topics, commands, apropos(): what .help says is there, and its examples work.

local tap = require("tap")
local commands = require("commands")
local topics = require("topics")

local dir = os.getenv("HOME") or "."
local srcush = os.getenv("SRCUSH") or "./srcush"

local function write(name, text)
	local f = assert(io.open(dir .. "/" .. name, "w"))
	f:write(text)
	f:close()
end

local function read(name)
	local f = assert(io.open(dir .. "/" .. name))
	local s = f:read("a")
	f:close()
	return s
end

-- What the shell answers to these lines: standard output, standard error.
local function shell(lines)
	write("lines", lines .. "\n")
	os.execute(("cd '%s' && '%s' -E -i <lines >out 2>err"):format(dir, srcush))
	return read("out"), read("err")
end

-- Commands need a world; the one that is loaded is the example's own.
write("lock.lua", "return { buggy = function() thread('writer', smp_mb) end }\n")
write("found.schedule", "@sc,4 writer\n")
local setup = [[
ss = srcu.new("ss")
reader = thread("reader")
writer = thread("writer", function() for i = 1, 5 do smp_mb() end synchronize_srcu(ss) end)
thread("reader2", smp_mb)
.step writer 3
]]
for _, c in ipairs(commands) do
	local example = c.example:gsub("writer%*3 reader$", "writer*3 reader2"):gsub("^%.step reader", ".step writer")
	-- what is explored is a scenario's world
	local _, err = shell((c.name == "explore" and ".load lock.lua:buggy\n" or setup) .. example)
	tap.is(err, "", "the example of ." .. c.name)
	local out
	out, err = shell(".help " .. c.name .. "\n.help ." .. c.name)
	tap.ok(out:find("." .. c.name, 1, true) == 1 and out:find(c.example, 1, true) and err == "", ".help " .. c.name)
end

for _, t in ipairs(topics) do
	local _, err = shell(t.example)
	tap.is(err, "", "the example of " .. t.name)
	local out = shell(".help " .. t.name)
	tap.ok(out:sub(1, #t.title) == t.title and out:find(t.example:match("^[^\n]*"), 1, true), ".help " .. t.name)
	local long = "none"
	for line in (shell("help('" .. t.name .. "')")):gmatch("[^\n]+") do
		long = #line > 80 and not line:match("^    ") and line or long
	end
	tap.is(long, "none", t.name .. ": no line is too long")
end
for _, topic in ipairs { "schedules", "scenarios", "focus", "violations" } do
	tap.ok(require("help").topic(topic), "there is a topic " .. topic)
end

-- .help finds prefixes, and several things of one name.
tap.like(shell(".help schedule"), "^%.schedule\n.*\nschedule%(%) %-> string", "a command and a function")
tap.like(shell(".help tim"), "^%.timeline ", "a prefix of a command")
tap.like(shell(".help .b"), "^%.back ", "with its dot")
tap.like(shell(".help srcu"), "^SRCU:", "a section")
tap.like(shell(".help nonsense"), "^There is no help for \"nonsense\"", "nothing")
tap.like(shell("help('.back')"), "^%.back %[N%]\n", "help() knows commands as well")

-- apropos
tap.like(shell(".apropos barrier"), "srcu_barrier%(ss%) .*smp_mb%(%) ", ".apropos")
tap.like(shell("apropos('barrier')"), "srcu_barrier%(ss%) .*smp_mb%(%) ", "apropos()")
tap.like(shell(".apropos SCHEDULE"), "^schedule%(%) %-> string .*%.schedule .*schedule_wait%(wq%) .*schedules  .*%.replay %[S%] ", "functions, commands, topics")
tap.like(shell(".apropos memory full"), "^smp_mb%(%) +Full memory barrier\n$", "two words")
tap.like(shell(".apropos xchg_relaxed"), "^xchg_relaxed", "a variant")
tap.like(shell(".apropos frobnicate"), "^Nothing tells of 'frobnicate'", "nothing")
tap.like(select(2, shell(".apropos")), "which word%?", "no word")
tap.raises(function() apropos() end, "bad argument #1 to 'apropos' %(word expected, got nil%)", "apropos()")
tap.raises(function() apropos({}) end, "word expected, got table", "apropos({})")
tap.raises(function() apropos(" ") end, "a word is expected", "apropos(' ')")

-- What was not known is answered with what is.
local function suggests(line, text)
	local out, err = shell("ss = srcu.new('ss')\nvm = kvm.create_vm('kvm')\no = kmalloc('o', {count = 0})\n"
		.. "reader = thread('reader')\n" .. line)
	tap.ok((out .. err):find("did you mean " .. text .. "?", 1, true), line .. " -> " .. text)
end
suggests("srcu_raed_lock(ss)", "srcu_read_lock")
suggests("read_once(x)", "READ_ONCE")
suggests("syncronize_srcu(ss)", "synchronize_srcu")
suggests("srcu.nwe('x')", "new")
suggests("ss:stat()", "state")
suggests("kmv.create_vm('x')", "kvm")
suggests("return o.conut", "count")
suggests("vm.lokc", "lock")
suggests("srcu.new('x', {fanuot = 3})", "fanout")
suggests("run{polcy = 'rr'}", "policy")
suggests("thread('x', smp_mb, {cpus = 1})", "cpu")
suggests("step('raeder')", "reader")
suggests("thread('t', function() srcu_raed_lock(ss) end) run()", "srcu_read_lock")
suggests("kvm.create_vm('x', {msr = {snyc = 'none'}})", "sync")
suggests("thread('t', function() kvm_msr_allowed(vm, 1, 'raed') end) run()", "read")
suggests("step reader", ".step reader")
suggests(".hlep", ".help")
suggests(".step raeder", "reader")
tap.like(select(2, shell("ss = srcu.new('ss')\nsrcu_read_lock(ss)")),
	"srcu_read_lock: no current thread; calls run in threads: see %.help focus\n$", "a call without a thread")
tap.like(select(2, shell("exit()")), "%.quit leaves\n$", "a function of other shells")
tap.like(select(2, shell("var('x') var('x')")), "world%(%) begins another world\n$", "a name that is taken")
tap.like(shell("help"), "^  %.step %[T%] %[N|=K%]", "help without parentheses")
tap.is(select(2, shell("frobnicate()")), "srcush: prompt:1: attempt to call a nil value (global 'frobnicate')\n",
	"nothing is near")
tap.is(shell("quit\nstep"), "nil (the command is .quit)\n"
	.. "function step(t [, n [, k]]) -> event [, violation]; the command is .step; .help step explains it\n", "a name alone")
tap.is(shell("function f() end\nf\nprint == nil"), "function\nfalse\n", "one's own")

tap.done()
