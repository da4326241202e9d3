-- SPDX-License-Identifier: GPL-2.0-or-later
-- --json: what comes out is JSON, whatever the names are, and says what happened.

local tap = require("tap")
local json = require("json")

-- --- a decoder that takes nothing but RFC 8259; what is wrong is an error

local function decode(s)
	local pos = 1
	local value

	local function fail(what)
		error(("%s at %d: %s"):format(what, pos, s:sub(pos, pos + 20)), 0)
	end
	local function space()
		pos = s:find("[^ \t\r\n]", pos) or #s + 1
	end
	local function take(pattern)
		local word = s:match("^" .. pattern, pos)
		pos = pos + (word and #word or 0)
		return word
	end
	local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }
	local function text()
		local parts = {}
		if not take('"') then
			fail("no string")
		end
		while not take('"') do
			local plain = take('[^%c"\\]+')
			if plain then
				parts[#parts + 1] = plain
			elseif take("\\") then
				local hex = take("u%x%x%x%x")
				local c = hex and utf8.char(tonumber(hex:sub(2), 16)) or escapes[take(".")]
				parts[#parts + 1] = c or fail("no escape")
			else
				fail("a control character or no end")
			end
		end
		return table.concat(parts)
	end
	local function list(close, item)
		local t, first = {}, true
		space()
		while not take("%" .. close) do
			if not first and not take(",") then
				fail("no comma")
			end
			first = false
			space()
			item(t)
			space()
		end
		return t
	end
	function value()
		space()
		local c = s:sub(pos, pos)
		if c == '"' then
			return text()
		elseif take("{") then
			return list("}", function(t)
				local k = text()
				space()
				if not take(":") or t[k] ~= nil then
					fail("no colon, or a key twice")
				end
				t[k] = value()
			end)
		elseif take("%[") then
			return list("]", function(t) t[#t + 1] = value() end)
		end
		local word = take("%l+") or take("%-?%d+%.?%d*[eE]?[+-]?%d*")
		if word == "true" or word == "false" then
			return word == "true"
		elseif word == "null" then
			return nil
		end
		return tonumber(word) or fail("no value")
	end

	local v = value()
	space()
	if pos <= #s or not utf8.len(s) or s:find("\n") then
		fail("more than a value, or no UTF-8, or two lines")
	end
	return v
end

-- --- the encoder

local function comes_back(v, name)
	tap.same(decode(json.encode(v)), v, name)
end

comes_back({ a = 1, b = { true, false }, c = "x", d = { e = {} } }, "tables")
comes_back({ math.maxinteger, math.mininteger, 0, 1.5, -1e300 }, "numbers")
local all = {}
for i = 0, 127 do
	all[#all + 1] = string.char(i)
end
comes_back(table.concat(all), "each character of ASCII")
comes_back("\u{E9} \u{20AC} \u{1F600}", "other characters")
tap.is(decode(json.encode("a\xff\xc3(\xed\xa0\x80")), "a\u{FFFD}\u{FFFD}(\u{FFFD}\u{FFFD}\u{FFFD}",
	"bytes that are no character")
tap.is(json.encode({ nan = 0 / 0, inf = math.huge }), '{"inf":null,"nan":null}', "no infinities")
tap.is(json.encode({ b = 1, n = 2, type = "x", a = 3 }), '{"type":"x","n":2,"a":3,"b":1}', "the order of keys")
tap.is(json.encode(json.array {}), "[]", "an empty list")
tap.raises(function() json.encode({ print }) end, "a function has no JSON", "a function")
tap.raises(function() json.encode({ [1.5] = 1 }) end, "a key is a number", "a key that is no string")
for _, bad in ipairs { '{"a":1,}', "[1 2]", '"\n"', '{"a":1,"a":2}', "nul", '"\\x"', "1 2" } do
	tap.ok(not pcall(decode, bad), "the decoder refuses " .. bad:gsub("\n", " "))
end

-- --- the command

local dir = os.getenv("HOME") or "."
local srcush = os.getenv("SRCUSH") or "./srcush"

local function write(name, text)
	local f = assert(io.open(dir .. "/" .. name, "wb"))
	f:write(text)
	f:close()
end

-- The objects of each line, and standard error.
local function sh(line, status)
	line = line:gsub("%$S", function() return srcush end)
	local _, _, code = os.execute("cd '" .. dir .. "' && { " .. line .. "\n} >json.txt 2>json.err")
	local list, bad = {}, nil
	for l in io.lines(dir .. "/json.txt") do
		local ok, v = pcall(decode, l)
		list[#list + 1] = ok and v or { type = "?" }
		bad = bad or (not ok and v)
	end
	tap.is(bad or "JSON", "JSON", line .. ": each line is JSON")
	tap.is(code, status, line .. ": status")
	local f = assert(io.open(dir .. "/json.err"))
	local err = f:read("a")
	f:close()
	return list, err
end

local function types(list)
	local t = {}
	for i, o in ipairs(list) do
		t[i] = o.type
	end
	return table.concat(t, " ")
end

write("lock.lua", [[
return function()
	local m, n = mutex("m"), mutex("n")
	thread("a", function() print("from a") mutex_lock(m) mutex_lock(n) end)
	thread("b", function() mutex_lock(n) mutex_lock(m) end)
end
]])
local list, err = sh("$S run --json lock.lua", 3)
tap.is(types(list), "header world event event violation outcome", "a run")
tap.same({ list[1].format, list[1].command, list[1].file }, { 1, "run", "lock.lua" }, "the header")
tap.like(list[1].srcush, "^%d+%.%d+", "with the version")
tap.same(list[2].threads, { "a", "b" }, "the threads")
tap.same({ list[3].n, list[3].thread, list[3].op, list[3].text }, { 1, "a", "lock", "mutex_lock(m)" }, "an event")
tap.same({ list[5].kind, list[5].step, list[5].schedule }, { "deadlock", 2, "@sc,4 a b" }, "a violation")
tap.same({ list[6].verdict, list[6].status, list[6].steps, #list[6].waiting }, { "violation", 3, 2, 2 }, "the outcome")
tap.is(err, "from a\n", "what the script prints is elsewhere")

list = sh("$S replay --json lock.lua @sc,4 a", 0)
tap.is(types(list), "header world event outcome", "a replay")
tap.same({ list[4].verdict, list[4].waiting[1].state }, { "ok", "ready" }, "and its outcome")

write("typed", ".step a\n.step b\n.back\n1 + 1\nx = = 1\nback(1) step('a')\n.load lock.lua\n.step b\n")
list = sh("$S step --json lock.lua <typed", 3)
tap.is(types(list), "header world event event violation rewind result error rewind event world event outcome",
	"step: what each line does")
tap.same({ list[6].step, list[7].text, list[9].step, list[10].n }, { 1, "2", 0, 1 }, "and which step it goes back to")
tap.is(list[#list].status, 3, "the status: a violation was found")

-- names and messages of any kind
write('q"uo\\te\xff.lua', [[
return { ["tab\tand \"quote\" \1 \xff"] = function()
	thread("t", function() error("bad \xff \0 \n \"message\"") end)
end }
]])
list = sh("$S run --json 'q\"uo\\te\xff.lua'", 3)
tap.is(types(list), "header world violation outcome", "strange names")
tap.like(list[3].message, 'bad \u{FFFD}', "and messages")

-- what cannot be done
list, err = sh("$S run --json missing.lua", 2)
tap.is(types(list), "header error", "a file that is missing")
tap.like(err, "^srcush: cannot open 'missing.lua'", "is reported as ever")
write("throws.lua", "return function() error('no luck') end\n")
list = sh("$S run --json throws.lua", 1)
tap.is(types(list), "header error", "a scenario that throws")
tap.like(list[2].text, "no luck", "why")
write("long.lua", "return { a = function() thread('t', function() while true do yield() end end) end,"
	.. "b = function() thread('t', smp_mb) end }\n")
list = sh("$S run --json --max-steps 5 long.lua", 4)
tap.is(types(list), "header world event event event event event outcome world event outcome", "two scenarios")
tap.same({ list[8].verdict, list[8].status }, { "incomplete", 4 }, "a bound")
list, err = sh("$S --json", 2)
tap.like(err, "option '%-%-json' is for run, step, replay, explore, compare, litmus", "--json without a subcommand")
local full = io.open("/dev/full", "w")
if full then
	full:close()
	list, err = sh("$S run --json lock.lua >/dev/full", 1)
	tap.like(err, "cannot write standard output", "a full disk")
else
	tap.skip("no /dev/full", 3)
end

tap.done()
