-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Tests that print TAP, the Test Anything Protocol:
--
--	local tap = require("tap")
--	tap.plan(2)			-- or leave it out: done() prints it
--	tap.is(1 + 1, 2, "addition")
--	tap.like("stack overflow", "over", "a Lua pattern")
--	tap.done()
--
-- Everything goes to standard output; done() leaves with status 1 when a test
-- failed, or when there were not as many as planned.

local io, os, table, string, math = io, os, table, string, math
local type, tostring, next, select, rawget, rawequal = type, tostring, next, select, rawget, rawequal
local pcall, error, debug = pcall, error, debug

local M = {}

local planned		-- number of tests, when plan() was called
local count = 0
local failed = 0

-- One line, and not a line of TAP's own in the middle of it.
local function line(s)
	io.write((tostring(s):gsub("[\r\n]+", " ")), "\n")
end

local function title(name)
	name = name == nil and "" or tostring(name)
	return name == "" and "" or " - " .. name:gsub("\\", "\\\\"):gsub("#", "\\#")
end

-- A value in a diagnostic.
local function shown(v)
	if type(v) == "string" then
		return (("%q"):format(v):gsub("\\\n", "\\n"))
	elseif type(v) == "table" or type(v) == "function" then
		return "a " .. type(v)
	end
	return tostring(v)
end

-- Comments, one for each line of the text.
function M.diag(...)
	local list = {}
	for i = 1, select("#", ...) do
		list[i] = tostring((select(i, ...)))
	end
	for l in (table.concat(list) .. "\n"):gmatch("(.-)\r?\n") do
		io.write("# ", l, "\n")
	end
end

function M.plan(n)
	if planned then
		error("tap.plan: called twice", 2)
	end
	if math.type(n) ~= "integer" or n < 0 then
		error("tap.plan: a number of tests is expected", 2)
	end
	planned = n
	line("1.." .. n)
end

-- The line of the test script that leads here: of its main chunk rather than of a
-- helper of its own.
local function where()
	local here = debug.getinfo(1, "S").source
	local found
	for level = 2, 100 do
		local info = debug.getinfo(level, "Sl")
		if not info then
			break
		end
		if info.source ~= here and info.currentline > 0 and (not found or info.what == "main") then
			found = ("at %s line %d"):format(info.short_src, info.currentline)
		end
	end
	return found
end

local function result(ok, name, ...)
	count = count + 1
	line((ok and "ok " or "not ok ") .. count .. title(name))
	if ok then
		return true
	end
	failed = failed + 1
	M.diag("failed", name and " '" .. tostring(name) .. "'" or "")
	M.diag("  ", where() or "?")
	for i = 1, select("#", ...) do
		M.diag("  ", (select(i, ...)))
	end
	return false
end

function M.ok(cond, name)
	return result(not not cond, name)
end

function M.pass(name)
	return result(true, name)
end

function M.fail(name)
	return result(false, name)
end

-- Equal, as == has it, and of one type: 1 is not 1.0.
function M.is(got, want, name)
	local ok = got == want and math.type(got) == math.type(want)
	return result(ok, name, "got:      " .. shown(got), "expected: " .. shown(want))
end

function M.isnt(got, unwanted, name)
	return result(got ~= unwanted, name, "got:      " .. shown(got), "expected: anything else")
end

-- The Lua pattern is found in the string.
function M.like(got, pattern, name)
	local ok = type(got) == "string" and got:find(pattern) ~= nil
	return result(ok, name, "got:      " .. shown(got), "pattern:  " .. shown(pattern))
end

function M.unlike(got, pattern, name)
	local ok = type(got) == "string" and got:find(pattern) == nil
	return result(ok, name, "got:      " .. shown(got), "not:      " .. shown(pattern))
end

-- Where a and b differ: a path like ".x[2]" and the two values; nil: nowhere.
local function difference(a, b, path, seen)
	if rawequal(a, b) then
		return
	end
	if type(a) ~= "table" or type(b) ~= "table" then
		if a == b and math.type(a) == math.type(b) then
			return
		end
		return path, a, b
	end
	if seen[a] == b then
		return	-- a cycle, or compared already
	end
	seen[a] = b
	local function at(k)
		return path .. (type(k) == "string" and "." .. k or "[" .. shown(k) .. "]")
	end
	for k, v in next, a do
		local where_to, x, y = difference(v, rawget(b, k), at(k), seen)
		if where_to then
			return where_to, x, y
		end
	end
	for k, v in next, b do
		if rawget(a, k) == nil then
			return at(k), nil, v
		end
	end
end

-- Equal through and through: tables by what they hold.
function M.same(got, want, name)
	local path, a, b = difference(got, want, "", {})
	if not path then
		return result(true, name)
	end
	path = path == "" and "the value" or path
	return result(false, name, path .. " differs", "got:      " .. shown(a), "expected: " .. shown(b))
end

-- fn() raises a message in which the pattern is found.
function M.raises(fn, pattern, name)
	local ok, message = pcall(fn)
	if ok then
		return result(false, name, "got:      no error", "pattern:  " .. shown(pattern))
	end
	return M.like(type(message) == "string" and message or tostring(message), pattern, name)
end

-- `n` tests (1) that cannot be made here.
function M.skip(why, n)
	for _ = 1, n or 1 do
		count = count + 1
		line("ok " .. count .. " # SKIP " .. tostring(why or ""))
	end
end

-- Nothing more can be tested at all.
function M.bail_out(why)
	line("Bail out!" .. (why and " " .. tostring(why) or ""))
	os.exit(1, true)
end

function M.done()
	if not planned then
		line("1.." .. count)
	elseif planned ~= count then
		M.diag(("planned %d tests, made %d"):format(planned, count))
	end
	if failed > 0 then
		M.diag(("%d of %d tests failed"):format(failed, count))
	end
	io.stdout:flush()
	if failed > 0 or (planned and planned ~= count) then
		os.exit(1, true)
	end
end

return M
