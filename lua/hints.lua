-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What somebody may have meant whose line failed: the messages of Lua and of our
-- own functions name what they do not know, and the nearest known name is
-- suggested behind them.

local docs = require("docs")
local help = require("help")
local words = require("words")
local ipairs, pairs, rawget, type, table = ipairs, pairs, rawget, type, table
local _G = _G

return function(native, reach)
	-- The fields of our libraries, and of Lua's.
	local function library_fields()
		local list = {}
		for _, lib in ipairs(reach.globals("table")) do
			if lib ~= "_G" and lib ~= "package" and lib ~= "arg" then
				for _, name in ipairs(reach.members(rawget(_G, lib), ".")) do
					list[#list + 1] = name
				end
			end
		end
		return list
	end

	local function methods()
		local list = {}
		for _, section in ipairs(docs) do
			for _, f in ipairs(section.funcs) do
				list[#list + 1] = f.name:match(":(.+)$")
			end
		end
		return list
	end

	local function task_names()
		local list = {}
		for i, t in ipairs(native.tasks()) do
			list[i] = t.name
		end
		return list
	end

	local function object_fields(_, object)
		local o = native.object(object)
		return o and reach.members(o, ".") or {}
	end

	-- The names in "(flavor, size, fanout)" or "there are policy, seed"
	local function listed(_, rest)
		local list = {}
		for w in rest:gmatch("[%a_][%w_]*") do
			list[#list + 1] = w
		end
		return list
	end

	-- Of the function of that name: its options, and words that it takes.
	local function documented(pattern)
		return function(_, name)
			local f, base = help.find(name)
			local list = {}
			for w in (f and (f.sig or "") .. " " .. base.doc or ""):gmatch(pattern) do
				list[#list + 1] = w
			end
			return list
		end
	end
	local options = documented("%f[%w_]([%a_][%w_]*)=")
	local quoted_words = documented('"([%w_-]+)"')

	-- {pattern, names}: the first capture is what is not known; names(captures)
	-- are the candidates.
	local patterns = {
		{ "attempt to call a nil value %(global '([^']+)'%)", function() return reach.globals("function") end },
		{ "attempt to call a nil value %(field '([^']+)'%)", library_fields },
		{ "attempt to call a nil value %(method '([^']+)'%)", methods },
		{ "attempt to index a nil value %(global '([^']+)'%)", function()
			local list = reach.globals("table")
			return table.move(reach.globals("userdata"), 1, #reach.globals("userdata"), #list + 1, list)
		end },
		{ "no option is called '([^']+)' %(([^()]+)%)", listed },
		{ "no option \"([^\"]+)\": there are ([^()]+)", listed },
		{ "unknown option '([^']+)': there is ([^()]+)", listed },
		{ "'([%w_.]+)' %(unknown key '([^']+)'", options, swapped = true },
		{ "'([%w_.]+)' %(invalid option '([^']+)'", quoted_words, swapped = true },
		{ "no thread is called \"([^\"]+)\"", task_names },
		-- what is not known comes last here
		{ "\"([^\"]+)\" has no field '([^']+)'", object_fields, swapped = true },
	}

	-- What helps where no name is wrong.
	local remedies = {
		[": no current thread$"] = "calls run in threads: see .help focus",
		["%(global 'exit'%)$"] = ".quit leaves",
		["%(global 'quit'%)$"] = ".quit leaves",
		[": name \"[^\"]+\" is taken by "] = "world() begins another world",
	}

	local M = {}

	-- hint(message) -> what is to be said behind the message, or nil.
	function M.hint(message)
		local line = message:match("^[^\n]*")
		for _, p in ipairs(patterns) do
			local unknown, more = line:match(p[1])
			if unknown then
				local names = p[2](unknown, p.swapped and unknown or more)
				if p.swapped then
					unknown = more:match("[^.]*$")	-- msr.sync
				end
				local best = words.nearest(unknown, names)
				if best and best ~= unknown then
					return ("did you mean %s?"):format(best)
				end
			end
		end
		for pattern, hint in pairs(remedies) do
			if line:match(pattern) then
				return hint
			end
		end
	end

	-- The message with the hint at the end of its first line.
	function M.explain(message)
		local hint = M.hint(message)
		if not hint then
			return message
		end
		local first, rest = message:match("^([^\n]*)(.*)$")
		return first .. "; " .. hint .. rest
	end

	return M
end
