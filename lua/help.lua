-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- help() and apropos(): the tables from which the functions were registered, the
-- shell's commands and the topics, as text for a terminal.  The generators, the
-- completion and the tests use find(), each() and order() as well.

local docs = require("docs")
local commands = require("commands")
local topics = require("topics")
local words = require("words")
local print, type, tostring, ipairs, rawget = print, type, tostring, ipairs, rawget
local string, table, error = string, table, error
local _G = _G

local wrap, columns = words.wrap, words.columns

local M = {}

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

local function named(list, name)
	for _, entry in ipairs(list) do
		if entry.name == name then
			return entry
		end
	end
end

function M.command(name)
	return named(commands, name)
end

function M.topic(name)
	return named(topics, name)
end

-- Everything that help() knows: functions, sections, topics, commands.
function M.names()
	local list = {}
	M.each(function(f) list[#list + 1] = f.name end)
	for _, t in ipairs { docs, topics } do
		for _, entry in ipairs(t) do
			list[#list + 1] = entry.name
		end
	end
	for _, c in ipairs(commands) do
		list[#list + 1] = "." .. c.name
	end
	return list
end

-- ------------------------------------------------------------------ one entry

local function print_example(text)
	if text then
		print("  Example:\n    " .. text:gsub("\n", "\n    "))
	end
end

local function print_function(f, base)
	print(f.name .. (f.sig or ""))
	if f == base then
		print(wrap(words.sentence(f.doc), "  "))
	else
		print(wrap(("As %s(), %s."):format(base.name, M.order(f.name)), "  "))
		print(wrap(words.sentence(base.doc), "  "))
	end
	print_example(base.example)
end

local function usage(c)
	return "." .. c.name .. (c.usage ~= "" and " " .. c.usage or "")
end

local function print_command(c)
	print(usage(c))
	print(wrap(words.sentence(c.doc:gsub("^%l", string.upper)), "  "))
	print_example(c.example)
end

local function print_topic(t)
	print(t.title)
	for _, paragraph in ipairs(t.text) do
		print(wrap(paragraph, "  "))
	end
	print_example(t.example)
end

-- ---------------------------------------------------------------------- lists

local function print_section(section)
	local names = {}
	for _, f in ipairs(section.funcs) do
		if f.doc then
			names[#names + 1] = f.name
		end
	end
	print(section.title .. ":")
	print(wrap(table.concat(names, "  "), "  "))
end

local function print_topics()
	local names = {}
	for i, t in ipairs(topics) do
		names[i] = t.name
	end
	print("Topics:")
	print(wrap(table.concat(names, "  "), "  "))
end

local function overview()
	for _, section in ipairs(docs) do
		print_section(section)
	end
	print_topics()
	print('help("NAME") explains one of them, apropos("WORD") looks for a word.')
end

-- The commands, for .help.
function M.show_commands()
	for _, c in ipairs(commands) do
		print(columns("  " .. usage(c), c.doc, 23))
	end
	print()
	print_topics()
end

-- ------------------------------------------------------------------- by value

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

-- The documented names that look like `name`: it is part of them, or a slip away.
local function similar(name)
	local list, lower = {}, name:lower()
	for _, n in ipairs(M.names()) do
		local f = M.find(n)
		local part = #name >= 3 and n:lower():find(lower, 1, true)
		if (not f or f.doc) and (part or words.distance(n:lower(), lower) <= 2) then
			list[#list + 1] = n
		end
	end
	return list
end

local function help_unknown(name)
	local list = similar(name)
	if #list > 0 then
		print(wrap(('There is no help for "%s"; there is for %s.'):format(name,
			table.concat(list, ", ")), ""))
	else
		print(('There is no help for "%s"; help() lists what there is.'):format(name))
	end
end

-- A name may stand for several things: "schedule" is a function and a command.
local function help_by_name(name)
	local f, base = M.find(name)
	local c = M.command(name:match("^%.(.+)$") or "")
	local section, topic = named(docs, name), M.topic(name)
	if f then
		print_function(f, base)
	elseif c then
		print_command(c)
	elseif section then
		print_section(section)
		if section.text then
			print(wrap(section.text, "  "))
		end
	end
	if topic then
		print_topic(topic)
	elseif not f and not c and not section then
		help_unknown(name)
	end
end

-- The methods of an object, or of what it is.
local function help_by_object(value)
	local kind = tostring(value):match('^(%S+) "')
	local any
	M.each(function(f, base)
		if kind and f.doc and f.name:match("^([%w_]+):") == kind then
			print_function(f, base)
			any = true
		end
	end)
	if not any and kind and M.find(kind) then
		print_function(M.find(kind))
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
		print_function(M.find(what))
	else
		print(("There is no help for this %s; help() lists what there is."):format(type(what)))
	end
end

-- -------------------------------------------------------------------- apropos

-- Do all words stand in the name, or begin words of the text?
local function tells_of(list, name, text)
	for _, w in ipairs(list) do
		local begins = "%f[%w]" .. w:gsub("%p", "%%%0")
		if not name:lower():find(w, 1, true) and not text:lower():find(begins) then
			return false
		end
	end
	return true
end

-- Entries as {left, doc}: those that are called so, then those that have the words
-- in their names, then those whose texts have them.  A variant is listed where the
-- entry that describes it is not.
local function matches(list)
	local exact, found, others, listed = {}, {}, {}, {}
	local function try(name, left, doc, text)
		if not tells_of(list, name, text or doc) then
			return false
		end
		local where = name:lower():match("%w.*") == list[1] and exact
			or tells_of(list, name, "") and found or others
		where[#where + 1] = { left, doc }
		return true
	end
	M.each(function(f, base)
		local text = base.doc .. (f == base and "" or " " .. M.order(f.name))
		if not listed[base] and try(f.name, f.name .. (f.sig or ""), base.doc, text) then
			listed[base] = f == base
		end
	end)
	for _, c in ipairs(commands) do
		try("." .. c.name, usage(c), c.doc)
	end
	for _, t in ipairs(topics) do
		try(t.name, t.name, t.title .. ": see help(\"" .. t.name .. "\")",
			t.title .. " " .. table.concat(t.text, " "))
	end
	table.move(found, 1, #found, #exact + 1, exact)
	return table.move(others, 1, #others, #exact + 1, exact)
end

function M.apropos(what)
	if type(what) ~= "string" or not what:match("%S") then
		error(("bad argument #1 to 'apropos' (%s)"):format(type(what) == "string"
			and "a word is expected" or "word expected, got " .. type(what)), 3)
	end
	local list = {}
	for w in what:lower():gmatch("%S+") do
		list[#list + 1] = w
	end
	local found = matches(list)
	for _, m in ipairs(found) do
		-- the first sentence will do
		print(columns(m[1], m[2]:match("^(.-)[.:;] ") or m[2], 34))
	end
	if #found == 0 then
		print(("Nothing tells of '%s'; help() lists what there is."):format(what))
	end
end

return M
