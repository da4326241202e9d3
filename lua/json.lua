-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Lua values as JSON (RFC 8259), strictly: what comes out is valid whatever the
-- names are, one line each, and always the same for the same value.

local type, next, ipairs, tostring, error = type, next, ipairs, tostring, error
local math, string, table, utf8, setmetatable, getmetatable = math, string, table, utf8, setmetatable, getmetatable

local M = {}

local array_mark = {}

-- A list, though it may be empty.
function M.array(t)
	return setmetatable(t, array_mark)
end

local short = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\" }

-- JSON is UTF-8: each byte that is not part of a character becomes the one that
-- Unicode has for this.
local function valid(s)
	local parts, i = {}, 1
	while true do
		local ok, bad = utf8.len(s, i)
		if ok then
			parts[#parts + 1] = s:sub(i)
			return table.concat(parts)
		end
		parts[#parts + 1] = s:sub(i, bad - 1)
		parts[#parts + 1] = "\u{FFFD}"
		i = bad + 1
	end
end

local function quote(s)
	if not utf8.len(s) then
		s = valid(s)
	end
	return '"' .. s:gsub('[%c"\\]', function(c)
		return short[c] or ("\\u%04x"):format(c:byte())
	end) .. '"'
end

local encode

-- Keys that come first, in this order; the others follow in the alphabet's.
local first = {}
for i, key in ipairs { "srcush", "format", "type", "n", "thread", "cpu", "op", "object", "kind", "message" } do
	first[key] = i
end

local function encode_object(t)
	local keys, parts = {}, {}
	for k in next, t do
		if type(k) ~= "string" then
			error("json: a key is a " .. type(k), 0)
		end
		keys[#keys + 1] = k
	end
	table.sort(keys, function(a, b)
		local i, j = first[a] or 99, first[b] or 99
		if i ~= j then
			return i < j
		end
		return a < b
	end)
	for i, k in ipairs(keys) do
		parts[i] = quote(k) .. ":" .. encode(t[k])
	end
	return "{" .. table.concat(parts, ",") .. "}"
end

local function encode_array(t)
	local parts = {}
	for i = 1, #t do
		parts[i] = encode(t[i])
	end
	return "[" .. table.concat(parts, ",") .. "]"
end

function encode(v)
	local t = type(v)
	if t == "string" then
		return quote(v)
	elseif t == "boolean" or math.type(v) == "integer" then
		return tostring(v)
	elseif t == "nil" or v ~= v or v == math.huge or v == -math.huge then
		return "null"	-- JSON has no infinity
	elseif t == "number" then
		return ("%.17g"):format(v)
	elseif t == "table" then
		return (getmetatable(v) == array_mark or #v > 0) and encode_array(v) or encode_object(v)
	end
	error("json: a " .. t .. " has no JSON", 0)
end

M.encode = encode

return M
