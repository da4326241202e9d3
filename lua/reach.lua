-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What a path such as `vm.srcu` or `ss:` leads to, and what can follow it, without
-- running anything of the script's: for completion and for suggestions.

local help = require("help")
local type, tostring, next, pairs, pcall = type, tostring, next, pairs, pcall
local rawget, getmetatable = rawget, getmetatable
local string, table = string, table
local _G = _G

return function(native)
	local M = {}

	local function index(t, key)
		return t[key]
	end

	-- One of our own objects: what it is indexed with makes no step outside of
	-- threads and runs nothing of the script's.
	local function is_object(v)
		return type(v) == "userdata" and getmetatable(v) == "object"
	end

	-- "vm.srcu" -> the value, or nil.
	function M.value(path)
		local v = _G
		for name in path:gmatch("[^.:]+") do
			if type(v) == "table" then
				v = rawget(v, name)
			elseif is_object(v) then
				local ok, field = pcall(index, v, name)
				v = ok and field or nil
			else
				return nil
			end
		end
		return v
	end

	-- "vm" of vm "kvm"
	local function kind_of(v)
		return tostring(v):match('^(%S+) "')
	end

	local function add_methods(list, kind)
		help.each(function(f)
			local k, name = f.name:match("^([%w_]+):(.+)$")
			if k == kind then
				list[#list + 1] = name
			end
		end)
	end

	-- The fields of an object: its own, and those that the text of its kind's
	-- maker speaks of ("vm.lock").
	local function add_fields(list, v)
		local ok, own = pcall(native.fields, v)
		for _, name in next, ok and own or {} do
			list[#list + 1] = name
		end
		local kind = kind_of(v)
		help.each(function(f)
			for name in (f.doc or ""):gmatch("%f[%w_]" .. kind .. "%.([%a_][%w_]*)") do
				if pcall(index, v, name) and v[name] ~= nil then
					list[#list + 1] = name
				end
			end
		end)
	end

	-- The names that can follow a value and "." or ":".
	function M.members(v, separator)
		local list = {}
		if type(v) == "string" then
			v = separator == ":" and string or nil
		end
		if type(v) == "table" then
			for k, member in next, v do
				if type(k) == "string" and k:match("^[%a_][%w_]*$")
						and (separator == "." or type(member) == "function") then
					list[#list + 1] = k
				end
			end
		elseif type(v) == "userdata" and getmetatable(v) == "parameters" then
			for name in pairs(v) do	-- of a kernel tree
				list[#list + 1] = name
			end
		elseif is_object(v) and separator == ":" then
			add_methods(list, kind_of(v))
		elseif is_object(v) then
			add_fields(list, v)
		end
		return list
	end

	-- The global names; `what` (a type) if given.
	function M.globals(what)
		local list = {}
		for k, v in next, _G do
			if type(k) == "string" and (not what or type(v) == what) then
				list[#list + 1] = k
			end
		end
		table.sort(list)
		return list
	end

	return M
end
