-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- help(): the tables from which the functions were registered, as text for a
-- terminal.  mangen.lua and the tests use find(), each() and order() as well.

local docs = require("docs")
local print, type, tostring, ipairs, rawget, math = print, type, tostring, ipairs, rawget, math
local string, table = string, table
local _G = _G

local M = {}

local WIDTH = 78

-- What a suffix adds to an operation: the tables describe only the plain one.
local suffixes = {
	_relaxed = "without ordering",
	_acquire = "with acquire order",
	_release = "with release order",
}

-- Calls fn(entry, base, section) for each function; base is the entry that
-- describes it: itself, or the one of which it is a variant.
function M.each(fn)
	for _, section in ipairs(docs) do
		local base
		for _, f in ipairs(section.funcs) do
			base = f.doc and f or base
			fn(f, base, section)
		end
	end
end

-- What the name of a variant says of it: "without ordering".
function M.order(name)
	return suffixes[name:match("(_%a+)$")] or "in another form"
end

local function wrap(text, indent)
	local lines, line = {}, indent
	for word in text:gmatch("%S+") do
		if #line + 1 + #word > WIDTH and line ~= indent then
			lines[#lines + 1] = line
			line = indent
		end
		line = line == indent and indent .. word or line .. " " .. word
	end
	lines[#lines + 1] = line
	return table.concat(lines, "\n")
end

local function indented(text)
	return "    " .. text:gsub("\n", "\n    ")
end

local function one(f, base)
	print(f.name .. (f.sig or ""))
	if f == base then
		print(wrap(f.doc .. ".", "  "))
	else
		print(wrap(("As %s(), %s."):format(base.name, M.order(f.name)), "  "))
		print(wrap(base.doc .. ".", "  "))
	end
	if base.example then
		print("  Example:")
		print(indented(base.example))
	end
end

local function section_list(section)
	local names = {}
	for _, f in ipairs(section.funcs) do
		if f.doc then
			names[#names + 1] = f.name
		end
	end
	print(section.title .. ":")
	print(wrap(table.concat(names, "  "), "  "))
end

local function overview()
	for _, section in ipairs(docs) do
		section_list(section)
	end
	print('help("NAME") explains one of them.')
end

-- The global, or the field of a global table, that an entry's name stands for.
local function value_of(name)
	local lib, field = name:match("^([%w_]+)%.([%w_]+)$")
	if not lib then
		return rawget(_G, name)
	end
	local t = rawget(_G, lib)
	return type(t) == "table" and rawget(t, field) or nil
end

-- The entry whose name, or whose function, is given, and its base.  A method is
-- found by "kind:name", "anything:name" and "name".
function M.find(what)
	local found, base, method, method_base
	local short = type(what) == "string" and what:match("([^:]+)$")
	M.each(function(f, b)
		if f.name == what or (type(what) == "function" and f.callable and value_of(f.name) == what) then
			found, base = f, b
		elseif short and f.name:match(":(.+)$") == short then
			method, method_base = f, b
		end
	end)
	if found then
		return found, base
	end
	return method, method_base
end

-- How many letters must change to make b of a.
local function distance(a, b)
	local row = {}
	for j = 0, #b do
		row[j] = j
	end
	for i = 1, #a do
		local diagonal = row[0]
		row[0] = i
		for j = 1, #b do
			local cost = a:byte(i) == b:byte(j) and 0 or 1
			diagonal, row[j] = row[j], math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
		end
	end
	return row[#b]
end

-- The documented names that look like `name`: it is part of them, or a slip away.
local function similar(name)
	local list = {}
	M.each(function(f)
		local part = #name >= 3 and f.name:lower():find(name:lower(), 1, true)
		if f.doc and (part or distance(f.name, name) <= 2) then
			list[#list + 1] = f.name
		end
	end)
	return list
end

local function help_by_name(name)
	local f, base = M.find(name)
	if f then
		return one(f, base)
	end
	for _, section in ipairs(docs) do
		if section.name == name then
			section_list(section)
			if section.text then
				print(wrap(section.text, "  "))
			end
			return
		end
	end
	local list = similar(name)
	if #list > 0 then
		print(wrap(('There is no help for "%s"; there is for %s.'):format(name,
			table.concat(list, ", ")), ""))
	else
		print(('There is no help for "%s"; help() lists what there is.'):format(name))
	end
end

-- The methods of an object, or of what it is.
local function help_by_object(value)
	local kind = tostring(value):match('^(%S+) "')
	local any
	M.each(function(f, base)
		if kind and f.doc and f.name:match("^(%w+):") == kind then
			one(f, base)
			any = true
		end
	end)
	if not any and kind and M.find(kind) then
		one(M.find(kind))
	elseif not any then
		print(("There is no help for a %s; help() lists what there is."):format(kind or type(value)))
	end
end

function M.show(what)
	if what == nil then
		overview()
	elseif type(what) == "string" then
		help_by_name(what)
	elseif type(what) == "table" then
		local name
		for _, section in ipairs(docs) do
			name = name or (rawget(_G, section.name) == what and section.name)
		end
		help_by_name(name or "table")
	elseif type(what) == "userdata" then
		help_by_object(what)
	elseif M.find(what) then
		one(M.find(what))
	else
		print(("There is no help for this %s; help() lists what there is."):format(type(what)))
	end
end

return M
