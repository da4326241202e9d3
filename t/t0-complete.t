-- SPDX-License-Identifier: GPL-2.0-or-later
-- Completion at the prompt and in bash, and the annotations for editors: each from
-- the tables of functions, or compared with --help.

local tap = require("tap")
local help = require("help")

local top = os.getenv("top_srcdir") or "."
local srcush = os.getenv("SRCUSH") or "./srcush"

local function read(path)
	local f = io.open(path)
	local text = f and f:read("a")
	if f then
		f:close()
	end
	return text
end

local function output(command)
	local p = assert(io.popen(command))
	local text = p:read("a")
	p:close()
	return text
end

-- --- at the prompt

-- A world of these objects; what only the shell can say stands here.
ss = srcu.new("ss")
vm = kvm.create_vm("kvm")
o = kmalloc("o", { count = 0, next = null })
name = "a string"
box = { inner = { 1, deep = 2 }, [1] = 3, go = print }
local native = {
	tasks = function()
		return { { name = "reader", kind = "thread" }, { name = "writer", kind = "thread" },
			{ name = "kworker/ss:gp", kind = "worker" } }
	end,
	object_names = function() return { "ss", "kvm", "o" } end,
	fields = function(v) return v == o and { "count", "next" } or {} end,
}
local commands = require("commands")
local function find(prefix)
	for _, c in ipairs(commands) do
		if c.name == prefix then
			return c
		end
	end
	for _, c in ipairs(commands) do
		if c.name:sub(1, #prefix) == prefix then
			return c
		end
	end
end
local complete = require("complete")(native, require("reach")(native), find).complete

-- What is offered for a line, as one string; readline says where its last word
-- begins: see word_breaks() in src/repl/complete.c.
local function offered(line)
	local breaks = "[ \t\n\"'`@$><=;|&{}()%[%]+%-*/%%^~#,]"
	if line:match("^%s*!?%.") then
		breaks = "[ \t@]"
	elseif select(2, line:gsub("[\"']", "")) % 2 == 1 then
		breaks = "[\"']"
	end
	local start = 1
	for i = 1, #line do
		if line:sub(i, i):match(breaks) then
			start = i + 1
		end
	end
	local list, after = complete(line, start)
	return list and table.concat(list, " ") .. "|" .. after or "files"
end
local function offers(line, expected)
	tap.is(offered(line), expected, "offered for " .. line)
end

offers("synchronize_srcu_", "synchronize_srcu_expedited|")
offers("whil", "while|")
offers("srcu.", "srcu.faults srcu.load_kernel srcu.new|")
offers("srcu.n", "srcu.new|")
offers("x = 1 + string.for", "string.format|")
offers("ss:", "ss:state|")
offers("vm.", "vm.irq_lock vm.irq_srcu vm.lock vm.msr_filter vm.pmu_event_filter vm.slots_lock vm.srcu vm.vcpus|")
offers("mutex_lock(vm.l", "vm.lock|")
offers("vm.srcu:", "vm.srcu:state|")
offers("o.", "o.count o.next|")
offers("READ_ONCE(o'co", "count|'")
offers('READ_ONCE(o"', 'count next|"')
offers("name:for", "name:format|")
offers("box.", "box.go box.inner|")
offers("box:", "box:go|")
offers("box.inner.", "box.inner.deep|")
offers("nothing.", "|")
offers("nothing.at.all", "|")
offers("step('wri", "writer|'")
offers('step_over("k', 'kworker/ss:gp|"')
offers("run_until('writer', 'S", "SCAN1 SCAN2|'")
offers("show('", "kvm kworker/ss:gp o reader ss writer|'")
offers("kvm_msr_allowed(vm, 0x174, 'r", "read|'")
tap.like(offered("kvm.create_vm('x', {msr = {sync = '"), "inside .*none outside", "what an option can be")
tap.like(offered("kvm.create_vm('x', {"), "vcpus=", "options of a function")
offers("run{polic", "policy=|")
offers("srcu.new('x', {exp_h", "exp_holdoff=|")
offers("help('srcu_read_lock_", "srcu_read_lock_held srcu_read_lock_nmisafe|'")
offers("help('schedules", "schedules|'")
offers("io.open('", "files")

offers(".ste", ".step| ")
offers(".t", ".thread .threads .timeline .trace| ")
offers("  .qu", ".quit| ")
offers("!.qu", "!.quit| ")
offers(".step ", "kworker/ss:gp off on reader writer| ")
offers(".step wr", "writer| ")
offers(".step writer ", "| ")
offers(".over k", "kworker/ss:gp| ")
offers(".thread ", "reader writer| ")
offers(".until writer S", "SCAN1 SCAN2| ")
tap.like(offered(".until w"), "writer", "a thread")
tap.like(offered(".until writer REA"), "READ_ONCE", "a condition")
offers(".show k", "kvm| ")
offers(".show vm.l", "vm.lock| ")
offers(".help apr", "apropos| ")
offers(".help .ba", ".back| ")
offers(".apropos smp_mb__after_s", "smp_mb__after_spinlock smp_mb__after_srcu_read_unlock| ")
offers(".load ", "files")
offers(".save x", "files")
offers(".replay @", "files")
offers(".replay @sc,4 wr", "writer| ")
offers(".run ", "| ")
offers(".nonsense ", "| ")
ss, vm, o, name, box = nil

-- Whatever is typed, nothing is raised.
for _, line in ipairs { "", "(", ")", "'", '"', "{{[(", "}])", ".", "..", ":", "a:b:c.", "!", "!.", "f('\\", "step(", "'.",
	". ", ".step  ", "x''", "ss:state().", "\255", "(function() " } do
	for i = 1, #line + 1 do
		tap.ok(pcall(complete, line, i), ("no error at %d of %q"):format(i, line))
	end
end

-- --- bash

local completions = read(top .. "/completions/srcush")
for _, command in ipairs { "", "run", "step", "replay", "explore", "compare" } do
	local missing = {}
	for option in output(("'%s' %s --help"):format(srcush, command)):gmatch("\n  (%-[%a-]*)") do
		if not completions:find(option:gsub("%-", "%%-") .. "[ '\"]") then
			missing[#missing + 1] = option
		end
	end
	tap.same(missing, {}, "bash: the options of srcush " .. command)
end

-- What bash offers for the last of the words, in order; all that it offers must
-- be taken by srcush.
local function bash(...)
	local words = { "srcush", ... }
	for i, w in ipairs(words) do
		words[i] = ("'%s'"):format(w)
	end
	return (output(([[bash -c 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _srcush;
		printf "%%s " "${COMPREPLY[@]}"' '%s/completions/srcush' %s 2>&1]]):format(top, table.concat(words, " "))))
end
if os.execute("bash -c 'complete -p || :' >/dev/null 2>&1") then
	tap.is(bash("ru"), "run ", "bash: a subcommand")
	tap.is(bash("run", "--max"), "--max-steps ", "bash: an option of run")
	tap.is(bash("step", "--max"), " ", "bash: which step has not")
	tap.is(bash("run", "--color", "a"), "auto always ", "bash: a value")
	tap.is(bash("run", "--color", "=", "n"), "never ", "bash: a value behind =")
	tap.is(bash("run", top .. "/examples/read"), top .. "/examples/read-side.lua ", "bash: a file")
	for _, command in ipairs { "", "run", "step", "replay", "explore", "compare" } do
		local given = command == "" and { "-" } or { command, "-" }
		local text = output(("'%s' %s --help"):format(srcush, command))
		for option in bash(table.unpack(given)):gmatch("%S+") do
			tap.ok(text:find(option, 1, true), ("bash: srcush %s takes %s"):format(command, option))
		end
	end
else
	tap.skip("no bash", 6)
end

-- --- annotations

local parts = {}
require("annotate").write({ write = function(_, ...) parts[#parts + 1] = table.concat({ ... }) end })
local text = table.concat(parts)
tap.ok(text:match("^%-%-%-@meta"), "it is a file of annotations")
tap.ok(load(text, "=srcush.d.lua"), "it is Lua")
local missing = {}
help.each(function(f)
	local lua_name = f.name:gsub("^([%w_]+):", "%1_methods:")
	if f.name ~= "require" and not text:find("\nfunction " .. lua_name .. "(", 1, true)
			and not text:find("\n" .. lua_name .. " = nil", 1, true) then
		missing[#missing + 1] = f.name
	end
end)
tap.same(missing, {}, "each function is in it")
-- A type is one that Lua has, or a class of the file.
local known, unknown = {}, {}
for w in ("any nil boolean integer number string table function"):gmatch("%a+") do
	known[w] = true
end
for class in text:gmatch("%-%-%-@class ([%w_]+)") do
	known[class] = true
end
for types in text:gmatch("\n%-%-%-@param [%w_.]+%?? ([^\n]*)") do
	for t in types:gsub('"[^"]*"', ""):gmatch("[%a_][%w_]*") do
		unknown[#unknown + 1] = not known[t] and t or nil
	end
end
for types in text:gmatch("\n%-%-%-@return ([^\n]*)") do
	for t in types:gsub('"[^"]*"', ""):gmatch("[%a_][%w_]*") do
		unknown[#unknown + 1] = not known[t] and t or nil
	end
end
tap.same(unknown, {}, "each type is known")
local function has(part, name)
	tap.ok(text:find("\n" .. part .. "\n", 1, true), "annotated: " .. name)
end
has("---@param ss srcu\n---@return integer\nfunction srcu_read_lock(ss) end", "a function")
has("---@param head? rcu_head\n---@param fn function\nfunction call_srcu(ss, head, fn) end",
	"an argument in the midst that may be left out")
has('---@param what "read"|"write"\n---@return boolean\nfunction kvm_msr_allowed(vm, index, what) end', "words as an argument")
has("---@return event\n---@return violation?\nfunction step(t, n, k) end", "two results")
has("---@return integer|nil\n---@return string?\n---@return string?\nfunction kvm_vm_ioctl_set_msr_filter(vm, filter) end",
	"results that tell of failure")
has("---@return table\nfunction srcu_methods:state() end", "a method")
local shipped = read((os.getenv("abs_top_builddir") or ".") .. "/lua/srcush.d.lua") or read(top .. "/lua/srcush.d.lua")
tap.ok(shipped == text, "the file that is installed is up to date")

tap.done()
