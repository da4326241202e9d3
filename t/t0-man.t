-- SPDX-License-Identifier: GPL-2.0-or-later
-- The examples of the manual page srcush(1), and of README.md, give what is said there.

local tap = require("tap")

local page = (os.getenv("top_srcdir") or ".") .. "/man/srcush.1"
local dir = os.getenv("HOME") or "."
local srcush = os.getenv("SRCUSH") or "./srcush"

local function write(path, text)
	local f = assert(io.open(path, "w"))
	f:write(text)
	f:close()
end

local function read(path)
	local f = assert(io.open(path))
	local text = f:read("a")
	f:close()
	return text
end

-- troff's spelling of plain characters
local function plain(line)
	return (line:gsub("\\&", ""):gsub("\\%-", "-"):gsub("\\%(aq", "'"):gsub("\\e", "\\"))
end

-- A command finds srcush in its PATH.
os.execute(("mkdir -p '%s/bin' && ln -sf '%s' '%s/bin/srcush'"):format(dir, srcush, dir))

local function run(command, expected)
	local file = command:match("^cat (%S+)$")
	if file then
		write(dir .. "/" .. file, expected)
		return
	end
	os.execute(("cd '%s' && PATH=\"$PWD/bin:$PATH\" && { %s\n} >man.txt 2>&1"):format(dir, command))
	tap.is(read(dir .. "/man.txt"), expected, command)
end

-- Runs the commands between lines that are `opens` and `closes`; how many there were.
local function run_examples(path, opens, closes, spelt)
	local count, inside, command, expected = 0, false, nil, nil
	local function finish()
		-- a session in the shell is t0-readme.exp's
		if command and command ~= "srcush" then
			run(command, table.concat(expected))
			count = count + 1
		end
		command = nil
	end
	for line in io.lines(path) do
		if inside and line == closes then
			finish()
			inside = false
		elseif line == opens then
			inside = true
		elseif inside and line:match("^%$ ") then
			finish()
			command, expected = spelt(line:sub(3)), {}
		elseif inside and expected then
			expected[#expected + 1] = spelt(line) .. "\n"
		end
	end
	return count
end

tap.ok(run_examples(page, ".EX", ".EE", plain) >= 5, "the page has examples")
local readme = (os.getenv("top_srcdir") or ".") .. "/README.md"
tap.ok(run_examples(readme, "```", "```", function(s) return s end) >= 2, "README.md has examples")

-- Every option and command that --help and .help name is on the page.
local text = plain(read(page))
local function lists(command_line, pattern, what)
	local p = assert(io.popen(("'%s' %s"):format(srcush, command_line)))
	local missing = {}
	for word in p:read("a"):gmatch(pattern) do
		if not text:find(word, 1, true) then
			missing[#missing + 1] = word
		end
	end
	p:close()
	tap.same(missing, {}, what)
end
lists("--help", "%-%-%a[%a-]+", "the options of srcush --help")
lists("run --help", "%-%-%a[%a-]+", "the options of srcush run --help")
lists("explore --help", "%-%-%a[%a-]+", "the options of srcush explore --help")
lists("compare --help", "%-%-%a[%a-]+", "the options of srcush compare --help")
write(dir .. "/help", ".help\n")
lists("-i <'" .. dir .. "/help'", "\n  (%.%a+)", "the commands of .help")

tap.done()
