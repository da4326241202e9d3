-- SPDX-License-Identifier: GPL-2.0-or-later
-- The tables of functions: complete, and their examples are valid; help(); the manual page.

local tap = require("tap")
local docs = require("docs")

-- help() prints through the print that it finds when it is first used.
local real_print, printed = print, {}
function print(...)
	local t = table.pack(...)
	for i = 1, t.n do
		t[i] = tostring(t[i])
	end
	printed[#printed + 1] = table.concat(t, "\t")
end
local function output(fn, ...)
	printed = {}
	fn(...)
	return table.concat(printed, "\n") .. "\n"
end
local help_text = output(help)
local help_module = require("help")

-- --- every entry

local names, bad = {}, {}
local function complain(...)
	bad[#bad + 1] = table.concat({...}, " ")
end
local function check(name)
	tap.same(bad, {}, name)
	bad = {}
end

help_module.each(function(f, base, section)
	if names[f.name] then
		complain(f.name, "is registered twice")
	end
	names[f.name] = true
	if not base then
		complain(f.name, "has no description, nor one before it")
	end
	if not f.sig or not (f.sig == "" or f.sig:match("^%(.*%)") or f.sig:match("^ ")) then
		complain(f.name, "has no signature")
	end
	if f.doc and (f.doc:match("%.$") or f.doc:match("\n")) then
		complain(f.name, "description ends with a full stop or has lines")
	end
	if f.callable and not help_module.find(f.name) then
		complain(f.name, "is not found")
	end
end)
check("entries are complete")

for _, section in ipairs(docs) do
	if not section.title or #section.funcs == 0 then
		complain(section.name, "has no title or no functions")
	end
end
check("sections are complete")

-- --- every example parses, and those that can stand alone run

help_module.each(function(f)
	if f.example and not load(f.example) then
		complain(f.name, select(2, load(f.example)))
	end
end)
check("every example is valid Lua")

local alone = { world = true, heap = true, access = true, rcu = true, locks = true, srcu = true }
help_module.each(function(f, _, section)
	if not f.example or not alone[section.name] then
		return
	end
	world()
	local env = setmetatable({}, { __index = _G })
	local ok, why = pcall(load(f.example, "=example", "t", env))
	if not ok then
		return complain(f.name, why)
	end
	local report = run({ max_steps = 10000 })
	for _, v in ipairs(report.violations) do
		complain(f.name, v.kind, v.message)
	end
end)
world()
check("examples run without a violation")

-- --- nothing is left out

local lua = {}
for name in ([[_G _VERSION assert collectgarbage coroutine debug dofile error getmetatable io
	ipairs load loadfile math next os package pairs pcall print rawequal rawget rawlen rawset
	require select setmetatable string table tonumber tostring type utf8 warn xpcall arg]]):gmatch("%S+") do
	lua[name] = true
end
for name, value in pairs(_G) do
	if not lua[name] and not names[name] and type(value) == "function" then
		complain(name, "is a global without help")
	end
	if type(value) == "table" and not lua[name] then
		for field, v in pairs(value) do
			if type(v) == "function" and not names[name .. "." .. field] then
				complain(name .. "." .. field, "has no help")
			end
		end
	end
end
table.sort(bad)
check("every global function is explained")

-- --- help()

help_module.each(function(f)
	local text = output(help, f.name)
	if text:sub(1, #f.name) ~= f.name then
		complain("help of", f.name, "is not about it")
	end
	for line in text:gmatch("[^\n]+") do
		if #line > 80 and not line:match("^    ") then
			complain("help of", f.name, "has a line of", #line)
		end
	end
end)
check("help explains every name")

for _, section in ipairs(docs) do
	if not help_text:find(section.title .. ":", 1, true) then
		complain("help() leaves out", section.name)
	end
end
check("help() lists every section")

tap.is(output(help, srcu_read_lock), output(help, "srcu_read_lock"), "help of a function")
tap.is(output(help, srcu.new), output(help, "srcu.new"), "help of a library's function")
tap.is(output(help, "state"), output(help, "srcu:state"), "help of a method by its name")
tap.is(output(help, "ss:state"), output(help, "srcu:state"), "help of a method as it is called")
tap.is(output(help, srcu.new("ss")), output(help, "srcu:state"), "help of an object")
tap.like(output(help, mutex("m")), "^mutex%(name", "help of an object without methods")
tap.like(output(help, srcu), "^SRCU:", "help of a library")
tap.like(output(help, "srcu"), "^SRCU:", "help of a section")
tap.like(output(help, "xchg_relaxed"), "As xchg%(%), without ordering", "help of a variant")
tap.like(output(help, "srcu_red_lock"), "there is for rcu_read_lock,\nsrcu_read_lock%.", "help of a slip")
tap.like(output(help, "nonsense"), "help%(%) lists", "help of nothing")
tap.like(output(help, 42), "There is no help for this number", "help of a number")
tap.like(output(help, ipairs), "There is no help for this function", "help of a function of Lua's")

-- --- the manual page

local page = {}
require("mangen").write({ write = function(_, ...) page[#page + 1] = table.concat({...}) end })
page = table.concat(page)
help_module.each(function(f)
	if f.doc and not page:find('.B "' .. f.name:gsub("-", "\\-"), 1, true) then
		complain(f.name, "is not in the manual page")
	end
end)
for line in page:gmatch("[^\n]*") do
	if line:match("^'") or (line:match("^%.") and not line:match('^%.[\\%u]')
			and line ~= ".nh" and line ~= ".ad l") then
		complain("a line is taken for a request:", line)
	end
end
check("the manual page has everything")

print = real_print
tap.done()
