-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What the Tab key offers: given the line up to the cursor, the words that may
-- stand there.  It knows dot-commands and what each takes, calls and what their
-- documentation says that they take, paths to fields and methods.

local help = require("help")
local commands = require("commands")
local ipairs, type, table = ipairs, type, table

local lua_words = {}
for w in ([[and break do else elseif end false for function goto if in local
	nil not or repeat return then true until while]]):gmatch("%a+") do
	lua_words[#lua_words + 1] = w
end

return function(native, reach, find_command)
	local M = {}

	local function join(...)
		local list = {}
		for _, more in ipairs { ... } do
			table.move(more, 1, #more, #list + 1, list)
		end
		return list
	end

	local function tasks(kind)
		local list = {}
		for _, t in ipairs(native.tasks()) do
			if not kind or t.kind == kind then
				list[#list + 1] = t.name
			end
		end
		return list
	end

	-- ---------------------------------------------------------- Lua's own words

	-- Words of Lua: a path's members, or globals and keywords.
	local function lua_names(word)
		local path, separator = word:match("^(.*)([.:])[%w_]*$")
		if not path then
			return join(reach.globals(), lua_words), ""
		end
		return reach.members(reach.value(path), separator), path .. separator
	end

	-- ------------------------------------------------------------ where we stand

	-- The end of a path: what is called, or whose field is named in quotes.
	local function callee(text)
		return text:match("([%a_][%w_.:]*)%s*$")
	end

	-- The brackets that are open at the end of the text, the innermost last, as
	-- {open=, name= (what is called), arg= (which argument)}; and, in a string,
	-- its quote and what stands before it.
	local function scan(text)
		local stack, i = {}, 1
		while i <= #text do
			local c = text:sub(i, i)
			if c == '"' or c == "'" then
				local close = i + 1
				while close <= #text and text:sub(close, close) ~= c do
					close = close + (text:sub(close, close) == "\\" and 2 or 1)
				end
				if close > #text then
					return stack, c, text:sub(1, i - 1)
				end
				i = close
			elseif c:match("[({%[]") then
				stack[#stack + 1] = { open = c, name = c ~= "[" and callee(text:sub(1, i - 1)) or nil, arg = 1 }
			elseif c:match("[)}%]]") then
				stack[#stack] = nil
			elseif c == "," and stack[1] then
				stack[#stack].arg = stack[#stack].arg + 1
			end
			i = i + 1
		end
		return stack
	end

	-- The innermost call, past the tables among its arguments.
	local function call_of(stack)
		for i = #stack, 1, -1 do
			if stack[i].name then
				return stack[i]
			end
		end
	end

	-- What the documentation of a function says of its arguments.
	local function text_of(name)
		local f, base = help.find(name or "")
		return f and (f.sig or "") .. " " .. base.doc or ""
	end

	-- Words in quotes: what an argument or option may be.
	local function quoted_words(name)
		local list = {}
		for w in text_of(name):gmatch('"([%w_-]+)"') do
			list[#list + 1] = w
		end
		return list
	end

	-- Options: "sync=" for {sync=...}.
	local function options(name)
		local list = {}
		for w in text_of(name):gmatch("%f[%w_]([%a_][%w_]*)=") do
			list[#list + 1] = w .. "="
		end
		return list
	end

	-- ------------------------------------------------------------------- quotes

	local takes_thread = { step = true, step_over = true, finish = true, run_until = true,
		pending = true, status = true }
	local takes_file = { dofile = true, loadfile = true, ["io.open"] = true, ["io.lines"] = true,
		["io.input"] = true, ["io.output"] = true, ["os.remove"] = true, ["os.rename"] = true }

	-- nil: file names
	local function in_quotes(stack, before)
		local adjacent = callee(before)
		local v = adjacent and reach.value(adjacent)
		if type(v) == "userdata" then
			return reach.members(v, ".")	-- o'field'
		end
		local call = type(v) == "function" and { name = adjacent, arg = 1 } or call_of(stack)
		local name = call and call.name
		if takes_file[name] then
			return nil
		elseif name == "help" or name == "apropos" then
			return help.names()
		elseif takes_thread[name] and call.arg == 1 then
			return tasks()
		elseif takes_thread[name] then
			return quoted_words(name)
		end
		local values = quoted_words(name)
		return #values > 0 and values or join(native.object_names(), tasks())
	end

	-- ------------------------------------------------------------- dot-commands

	local states = { "SCAN1", "SCAN2", "IDLE" }

	-- Words for the i-th argument of a command; a prefix that belongs to them; nil:
	-- file names.
	local arguments = {
		step = function(i) return i == 1 and join(tasks(), { "on", "off" }) or {} end,
		over = function(i) return i == 1 and tasks() or {} end,
		finish = function(i) return i == 1 and tasks() or {} end,
		["until"] = function(i, word)
			local list, prefix = lua_names(word)
			if prefix ~= "" then
				return list, prefix
			end
			return join(i == 1 and tasks() or {}, states, word ~= "" and list or {})
		end,
		show = function(_, word)
			local list, prefix = lua_names(word)
			if prefix ~= "" and #list > 0 then
				return list, prefix
			end
			return join(native.object_names(), word ~= "" and reach.globals("userdata") or {})
		end,
		thread = function(i) return i == 1 and tasks("thread") or {} end,
		help = function()
			local list = help.names()
			for _, c in ipairs(commands) do
				list[#list + 1] = c.name
			end
			return list
		end,
		apropos = function() return help.names() end,
		replay = function(i, word, before)
			if before:match("@$") and i == 1 and not word:match(",") then
				return nil
			end
			return i > 1 and tasks() or {}
		end,
		explore = function(_, _, before)
			local option = before:match("%-%-(%a+)[ =]$")
			if option == "strategy" then
				return { "dpor", "naive", "pct", "random" }
			elseif option == "lockdep" then
				return { "6.1", "6.12" }
			end
			local list = {}
			for i, name in ipairs(options("explore")) do
				list[i] = "--" .. name:gsub("=", ""):gsub("_", "-")
			end
			return list
		end,
		load = function() return nil end,
		save = function() return nil end,
	}

	local function in_command(before, word)
		local name, rest = before:match("^%.(%S+)%s(.*)$")
		local c = name and find_command(name)
		if not name then
			local list = {}
			for i, command in ipairs(commands) do
				list[i] = command.name
			end
			return list, "."
		elseif not c or not arguments[c.name] then
			return {}, ""
		end
		local _, n = rest:gsub("%S+%s", "")
		return arguments[c.name](n + 1, word, before)
	end

	-- ------------------------------------------------------------------ together

	-- What can stand there; a prefix that belongs to each; a quote that closes it.
	-- nil: file names.
	local function candidates(before, word)
		before = before:gsub("^%s*!?%s*", "")
		if before:sub(1, 1) == "." or (before == "" and word:match("^!?%.")) then
			local list, prefix = in_command(before, word)
			if word:sub(1, 1) == "!" then
				prefix = "!" .. prefix
			end
			return list, prefix or ""
		end
		local stack, quote, text = scan(before)
		if quote then
			return in_quotes(stack, text), "", quote
		end
		local list, prefix = lua_names(word)
		local top = stack[#stack]
		if prefix == "" and top and top.open == "{" then
			local call = call_of(stack)
			local names = options(call and call.name)
			list = word == "" and #names > 0 and names or join(names, list)
		end
		return list, prefix
	end

	-- complete(text, start): the line up to the cursor, and where its last word
	-- begins (from 1).  Returns a sorted list of words and what may follow the
	-- word when it is the only one; or nil: file names.
	function M.complete(text, start)
		local word = text:sub(start)
		local list, prefix, close = candidates(text:sub(1, start - 1), word)
		if not list then
			return nil
		end
		local found, seen = {}, {}
		for _, w in ipairs(list) do
			w = prefix .. w
			if w:sub(1, #word) == word and not seen[w] then
				seen[w] = true
				found[#found + 1] = w
			end
		end
		table.sort(found)
		return found, close or (text:match("^%s*!?%s*%.") and " ") or ""
	end

	return M
end
