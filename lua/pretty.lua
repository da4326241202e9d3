-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Values as a person reads them: what the shell prints for an expression.
-- Tables with sorted keys, on one line where they fit and on several where
-- they do not, cut at the window's edge; handles by their own tostring.

local type, pairs, ipairs, tostring, next = type, pairs, ipairs, tostring, next
local getmetatable, rawget, select = getmetatable, rawget, select
local string, table, math = string, table, math

local MAX_DEPTH = 6	-- tables inside tables
local MAX_ITEMS = 100	-- entries of one table

local reserved = {}
for word in ([[and break do else elseif end false for function goto if in local
	nil not or repeat return then true until while]]):gmatch("%a+") do
	reserved[word] = true
end

-- A Lua string literal on one line.
local function quote(s)
	s = s:gsub('[%c"\\\x7f]', function(c)
		local short = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ['"'] = '\\"', ["\\"] = "\\\\" }
		return short[c] or ("\\x%02x"):format(c:byte())
	end)
	return '"' .. s .. '"'
end

-- Functions and tables without their addresses: output is to be repeatable.
local function scalar(v)
	local t = type(v)
	if t == "string" then
		return quote(v)
	elseif t == "function" or t == "thread" then
		return t
	elseif t == "userdata" then
		local s = tostring(v)
		return (s:gsub(": 0x%x+$", ""))
	end
	return tostring(v)
end

local order = { number = 1, string = 2, boolean = 3 }
local function sorted_keys(t)
	local keys = {}
	for k in next, t do
		keys[#keys + 1] = k
	end
	table.sort(keys, function(a, b)
		local ta, tb = type(a), type(b)
		if ta ~= tb then
			return (order[ta] or 9) < (order[tb] or 9)
		elseif ta == "number" or ta == "string" then
			return a < b
		end
		return scalar(a) < scalar(b)
	end)
	return keys
end

-- An event as the stepping functions return it.
local function is_event(t)
	return type(rawget(t, "n")) == "number" and type(rawget(t, "thread")) == "string"
		and type(rawget(t, "text")) == "string"
end

local render

-- The entries of a table as a list of strings.
local function entries(t, width, depth, seen)
	local list, n = {}, #t
	for _, k in ipairs(sorted_keys(t)) do
		if #list == MAX_ITEMS then
			list[#list + 1] = "..."
			break
		end
		local v = render(rawget(t, k), width - 2, depth + 1, seen)
		if math.type(k) == "integer" and k >= 1 and k <= n then
			list[#list + 1] = v
		elseif type(k) == "string" and k:match("^[%a_][%w_]*$") and not reserved[k] then
			list[#list + 1] = k .. " = " .. v
		else
			list[#list + 1] = "[" .. scalar(k) .. "] = " .. v
		end
	end
	return list
end

local function indent(s)
	return "  " .. s:gsub("\n", "\n  ")
end

function render(v, width, depth, seen)
	if type(v) ~= "table" then
		return scalar(v)
	end
	local mt = getmetatable(v)
	if type(mt) == "table" and rawget(mt, "__tostring") then
		return tostring(v)
	elseif is_event(v) then
		return ("%d %s: %s"):format(rawget(v, "n"), rawget(v, "thread"), rawget(v, "text"))
	elseif seen[v] then
		return "{...}"	-- a cycle
	elseif next(v) == nil then
		return "{}"
	elseif depth >= MAX_DEPTH then
		return "{...}"
	end
	seen[v] = true
	local list = entries(v, width, depth, seen)
	seen[v] = nil
	local one = "{ " .. table.concat(list, ", ") .. " }"
	if #one <= width and not one:find("\n", 1, true) then
		return one
	end
	for i, s in ipairs(list) do
		list[i] = indent(s) .. (i < #list and "," or "")
	end
	return "{\n" .. table.concat(list, "\n") .. "\n}"
end

-- Lines that are longer than the window are cut.
local function cut(s, width)
	return (s:gsub("[^\n]+", function(line)
		return #line > width and line:sub(1, width - 2) .. ".." or nil
	end))
end

-- pretty(width, ...) -> the values as text, one line or block each.  A string is
-- printed as it is, as print() would.
local function pretty(width, ...)
	local list = {}
	for i = 1, select("#", ...) do
		local v = select(i, ...)
		if type(v) == "string" then
			list[i] = v
		else
			list[i] = cut(render(v, width, 0, {}), width)
		end
	end
	return table.concat(list, "\n")
end

return pretty
