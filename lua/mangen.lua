-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Writes the manual page srcush-lua(3) from the tables that register the
-- functions: srcush -E -e 'require("mangen").write()'

local docs = require("docs")
local help = require("help")
local words = require("words")
local io, ipairs, table = io, ipairs, table

local M = {}

-- Text for troff: nothing in it is a request or an escape.
local function plain(s)
	s = s:gsub("\\", "\\e"):gsub("-", "\\-")
	return (s:gsub("^([.'])", "\\&%1"):gsub("\n([.'])", "\n\\&%1"))
end

-- As an argument of a macro: quoted.
local function quoted(s)
	return '"' .. plain(s):gsub('"', '\\(dq') .. '"'
end

local function example(out, text)
	out:write(".RS\n.PP\n.EX\n", plain(text), "\n.EE\n.RE\n")
end

-- The variants of the i-th function, which follow it.
local function variants(funcs, i)
	local names = {}
	for j = i + 1, #funcs do
		if funcs[j].doc then
			break
		end
		names[#names + 1] = funcs[j].name
	end
	return names
end

local function func(out, funcs, i)
	local f = funcs[i]
	out:write(".TP\n.B ", quoted(f.name .. (f.sig or "")), "\n", plain(words.sentence(f.doc)), "\n")
	local list = variants(funcs, i)
	if #list > 0 then
		for j, name in ipairs(list) do
			list[j] = ("%s() is this %s"):format(name, help.order(name))
		end
		out:write(plain(table.concat(list, "; ")), ".\n")
	end
	if f.example then
		example(out, f.example)
	end
end

local head = [[
.\" SPDX-License-Identifier: GPL-2.0-or-later
.\" Written by lua/mangen.lua: do not edit.
.TH SRCUSH\-LUA 3 "" "srcush VERSION" "srcush"
.nh
.ad l
.SH NAME
srcush\-lua \- the functions that srcush(1) adds to Lua 5.4
.SH DESCRIPTION
A script makes a world of shared objects and threads, and decides which thread
takes the next step.
The kernel's functions are called in threads; outside of one they raise an error
that says so, except that READ_ONCE(), v:get() and o.f then read without a step.
Objects, threads and the functions that step them are used from outside.
.PP
.B nil
stands for NULL.
A name written
.I kind:name
is a method: for
.I ss
made by srcu.new(),
.B srcu:state
is called as ss:state().
In the shell, help("NAME") prints what this page says of a function.
]]

local tail = [[
.SH SEE ALSO
.BR srcush (1),
.BR lua (1)
]]

function M.write(out)
	out = out or io.stdout
	out:write((head:gsub("VERSION", (plain(require("version"))))))
	for _, section in ipairs(docs) do
		out:write(".SH ", quoted(section.title:upper()), "\n")
		if section.text then
			out:write(plain(section.text), "\n")
		end
		for i, f in ipairs(section.funcs) do
			if f.doc then
				func(out, section.funcs, i)
			end
		end
	end
	out:write(tail)
end

return M
