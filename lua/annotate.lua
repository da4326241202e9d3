-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Writes srcush.d.lua, which tells an editor's Lua language server what srcush
-- adds to Lua, from the tables that register the functions:
-- srcush -E -e 'require("annotate").write()'

local docs = require("docs")
local help = require("help")
local words = require("words")
local io, ipairs, table = io, ipairs, table

local M = {}

-- Lua's keywords cannot name parameters; an option's table has no name.
local function parameter_name(s)
	local quoted = s:match('^"')
	local name = s:match("^[%a_][%w_]*")
	if s == "..." then
		return "..."
	end
	return (quoted and "what") or (s:match("^{") and "opts") or (name == "end" and "last") or name or "value"
end

local kinds = {
	ss = "srcu", v = "location", p = "location", m = "mutex", l = "spinlock", c = "completion", o = "object",
	vm = "vm", vcpu = "vcpu", t = "thread|string", head = "rcu_head", fn = "function", name = "string",
	opts = "table", fields = "table", filter = "table", cond = "any", message = "string", schedule = "string",
	idx = "integer", cookie = "integer", flags = "integer", n = "integer", i = "integer", u = "integer",
	ns = "integer", cpu = "integer", req = "integer", index = "integer", integer = "integer",
	scenario = "function", object = "object", list = "table", event = "event", report = "table",
	violation = "violation", boolean = "boolean", string = "string", status = "string", why = "string",
	thread = "thread", srcu = "srcu", var = "var", ptr = "ptr", ghost = "ghost", mutex = "mutex",
	spinlock = "spinlock", completion = "completion", rcu_head = "rcu_head", table = "table",
	tap = "table", errno = "string", word = "string", ["nil"] = "nil", rwsem = "rwsem", work = "work",
	waitqueue = "waitqueue", list_head = "list_head", kernel = "kernel", dir = "string",
	seconds = "number",
}

-- The type that a word of a signature stands for.
local function type_of(s)
	if s:match("^{") then
		return "table"
	elseif s:match('^"') then
		return (s:gsub("%s", ""))
	elseif s:match("^%-?%d") then
		return "integer"
	elseif s == "true" or s == "false" then
		return "boolean"
	end
	local list = {}
	for part in (s .. " or "):gmatch("(.-) or ") do
		list[#list + 1] = kinds[part] or kinds[part:match("^[%a_][%w_]*") or ""] or "any"
	end
	return table.concat(list, "|")
end

-- "a [, b [, {c=, d=}]]" as {{text=, optional=}}: split at the commas that are
-- not within braces.
local function split(inner)
	local list, depth, brackets, from, optional = {}, 0, 0, 1, false
	local function add(to)
		local text = inner:sub(from, to):gsub("[%[%]]", ""):match("^%s*(.-)%s*$")
		if text ~= "" then
			list[#list + 1] = { text = text, optional = optional }
		end
	end
	for i = 1, #inner do
		local c = inner:sub(i, i)
		if c == "," and depth == 0 then
			add(i - 1)
			from, optional = i + 1, brackets > 0
		elseif c == "{" or c == "}" then
			depth = depth + (c == "{" and 1 or -1)
		elseif c == "[" or c == "]" then
			brackets = brackets + (c == "[" and 1 or -1)
			-- "[head,] fn" and "([n])" begin with what may be left out
			if inner:sub(from, i - 1):match("^%s*$") then
				optional = c == "["
			end
		end
	end
	add(#inner)
	return list
end

-- "(a [, b]) -> c [, d]" as two lists
local function signature(sig)
	local inner = sig:match("^%((.*)%) %->") or sig:match("^%((.*)%)$") or ""
	local results = sig:match("%->%s*(.*)$")
	-- "0 | nil, message, errno": the first line of results that succeed
	return split(inner), results and split((results:gsub("%s*|%s*nil,", "|nil,"))) or {}
end

local function comment(out, text)
	for line in (text .. "\n"):gmatch("(.-)\n") do
		out:write("---", line, "\n")
	end
end

local function describe(out, f, base)
	comment(out, f == base and words.sentence(f.doc) or
		("As %s(), %s.  %s"):format(base.name, help.order(f.name), words.sentence(base.doc)))
	if base.example then
		comment(out, "\n```lua\n" .. base.example .. "\n```")
	end
end

-- "0|nil": each of its parts
local function result_type(text)
	local first, second = text:match("^([^|]+)|(nil)$")
	return first and type_of(first) .. "|" .. second or type_of(text)
end

local function write_function(out, f, base)
	local parameters, results = signature(f.sig or "()")
	local names, seen = {}, {}
	describe(out, f, base)
	for i, p in ipairs(parameters) do
		local name = parameter_name(p.text)
		name = seen[name] and name .. i or name
		seen[name], names[i] = true, name
		out:write("---@param ", name, p.optional and name ~= "..." and "?" or "", " ", type_of(p.text), "\n")
	end
	local may_fail = false	-- what follows tells why
	for _, r in ipairs(results) do
		if r.text == "..." then
			out:write("---@return any ...\n")
		else
			out:write("---@return ", result_type(r.text), (r.optional or may_fail) and "?" or "", "\n")
			may_fail = may_fail or r.text:match("|nil$")
		end
	end
	out:write("function ", (f.name:gsub("^([%w_]+):", "%1_methods:")), "(", table.concat(names, ", "), ") end\n\n")
end

local head = [[
---@meta srcush
-- SPDX-License-Identifier: GPL-2.0-or-later
-- Written by lua/annotate.lua: do not edit.  What srcush VERSION adds to Lua 5.4, for
-- editors: name this file's directory in the language server's workspace.library.

-- What marked accesses take: a var, a ptr, or a field's location o'f'.
---@class location

---@class event
---@field n integer step number
---@field thread string
---@field cpu integer
---@field op string
---@field object? string
---@field value? integer|string
---@field stored? integer|string
---@field order? string
---@field call? string
---@field file? string
---@field line? integer
---@field label? string
---@field text string the line as shown

---@class violation
---@field kind string
---@field message string
---@field thread? string
---@field other? string
---@field step integer
---@field schedule string

-- A heap object; its fields are those that it was made with.
---@class object
---@field [string] any

]]

-- The classes that signatures and methods speak of.
local function classes(out)
	local given = { location = true, event = true, violation = true, object = true }
	local base = { var = ": location", ptr = ": location" }
	local list, methods = {}, {}
	for _, kind in ipairs { "srcu", "var", "ptr", "ghost", "mutex", "spinlock", "completion", "rwsem",
		"waitqueue", "list_head", "work", "rcu_head", "thread", "vm", "vcpu" } do
		list[#list + 1] = kind
		given[kind] = true
	end
	help.each(function(f)
		local kind = f.name:match("^([%w_]+):")
		if kind then
			methods[kind] = true
		end
		if kind and not given[kind] then
			list[#list + 1] = kind
			given[kind] = true
		end
	end)
	for _, kind in ipairs(list) do
		out:write("---@class ", kind, base[kind] or "", "\n")
		local fields = {}
		help.each(function(f)
			for name in (f.doc or ""):gmatch("%f[%w_]" .. kind .. "%.([%a_][%w_]*)") do
				if not fields[name] and kind ~= "srcu" then
					out:write("---@field ", name, " any\n")
					fields[name] = true
				end
			end
		end)
		-- what methods are defined on; a function or a library may have the kind's name
		out:write(methods[kind] and "local " .. kind .. "_methods = {}\n\n" or "\n")
	end
end

-- Tables that hold functions: srcu.new
local function libraries(out)
	local seen = {}
	help.each(function(f)
		local lib = f.name:match("^([%w_]+)%.")
		if lib and not seen[lib] then
			seen[lib] = true
			out:write(lib, " = {}\n\n")
		end
	end)
end

function M.write(out)
	out = out or io.stdout
	out:write((head:gsub("VERSION", (require("version")))))
	classes(out)
	libraries(out)
	for _, section in ipairs(docs) do
		out:write("-- ", section.title, "\n\n")
		local base
		for _, f in ipairs(section.funcs) do
			base = f.doc and f or base
			if f.name == "require" then
				-- Lua's own, known to every editor
			elseif f.sig and f.sig:match("^%(") then
				write_function(out, f, base)
			else
				describe(out, f, base)
				out:write(f.name, " = nil\n\n")
			end
		end
	end
end

return M
