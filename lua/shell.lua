-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The shell's dot-commands, their help, and what can be completed.  What only C
-- can do comes in `native` (src/repl/native.c); the stepping functions are taken
-- from the global table when this is loaded, so that a script may use their
-- names for something else.

local step, step_over, finish, run_until = step, step_over, finish, run_until
local run, back, reset, threads = run, back, reset, threads
local show, timeline, trace, schedule, replay = show, timeline, trace, schedule, replay
local help = help
local io, table, string, math = io, table, string, math
local type, tostring, tonumber, pairs, ipairs, next = type, tostring, tonumber, pairs, ipairs, next
local print, error, pcall, load, rawget, getmetatable = print, error, pcall, load, rawget, getmetatable
local _G = _G

local EVENTS_SHOWN = 20	-- of a command that makes many steps

return function(native)
	local M = {}
	local scenario = require("scenario")(native)
	local last_thread	-- the name of the thread that was stepped last

	local function fail(fmt, ...)
		error(fmt:format(...), 0)
	end

	local function words(line)
		local t = {}
		for w in line:gmatch("%S+") do
			t[#t + 1] = w
		end
		return t
	end

	-- ------------------------------------------------------------- arguments

	local function task_names(kind)
		local t = {}
		for _, task in ipairs(native.tasks()) do
			if not kind or task.kind == kind then
				t[#t + 1] = task.name
			end
		end
		return t
	end

	local function is_task(name)
		for _, task in ipairs(native.tasks()) do
			if task.name == name then
				return true
			end
		end
	end

	-- How many letters must change to make b of a.
	local function distance(a, b)
		local row = {}
		for j = 0, #b do
			row[j] = j
		end
		for i = 1, #a do
			local diagonal = row[0]
			row[0] = i
			for j = 1, #b do
				local cost = a:byte(i) == b:byte(j) and 0 or 1
				local best = math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
				diagonal, row[j] = row[j], best
			end
		end
		return row[#b]
	end

	-- The nearest of the names, if any is near: "; did you mean X?"
	local function suggestion(name, names, prefix)
		local best, least
		for _, n in ipairs(names) do
			local d = distance(name, n)
			if d <= math.max(1, #name // 2) and (not least or d < least) then
				best, least = n, d
			end
		end
		return best and ("; did you mean %s%s?"):format(prefix or "", best) or ""
	end

	-- The thread that a command without one means: the focused one, the one
	-- stepped last, the only one.
	local function default_thread(command)
		local name = native.focused() or last_thread
		if name and is_task(name) then
			return name
		end
		local list = task_names("thread")
		if #list == 1 then
			return list[1]
		elseif #list == 0 then
			fail("there is no thread; thread(\"NAME\") or .load FILE makes some")
		end
		fail("which thread? %s T, with T one of %s", command, table.concat(list, ", "))
	end

	-- Takes the thread off the front of the arguments.
	local function take_thread(args, command)
		local name = args[1]
		if name and is_task(name) then
			table.remove(args, 1)
		elseif name and not tonumber(name) then
			fail("no thread '%s'%s", name, suggestion(name, task_names()))
		else
			name = default_thread(command)
		end
		last_thread = name
		return name
	end

	local function take_count(args, default)
		local word = table.remove(args, 1)
		if not word then
			return default
		end
		local n = math.tointeger(tonumber(word))
		if not n or n < 1 then
			fail("a number from 1 is expected, not '%s'", word)
		end
		return n
	end

	local function no_more(args)
		if args[1] then
			fail("what is '%s'?", args[1])
		end
	end

	-- --------------------------------------------------------------- stepping

	local function print_events(list)
		local width = 10
		for _, e in ipairs(list) do
			width = math.max(width, #e.thread)
		end
		for _, e in ipairs(list) do
			print(("%6d  %s%s  %s"):format(e.n, e.thread, (" "):rep(width - #e.thread), e.text))
		end
	end

	-- Calls a stepping function and prints the steps that it made.
	local function stepping(fn, ...)
		local before = native.steps()
		local result, why = fn(...)
		local n = native.steps() - before
		if n > EVENTS_SHOWN then
			print(("        (%d steps; the last %d:)"):format(n, EVENTS_SHOWN))
		end
		if n > 0 then
			print_events(trace(math.min(n, EVENTS_SHOWN)))
		end
		return result, type(why) == "string" and why or nil, n
	end

	-- How the thread stands, unless it can go on.
	local function tell_state(name, why)
		for _, t in ipairs(native.tasks()) do
			if t.name == name and t.state ~= "ready" then
				print(("%s is %s"):format(name, t.why or t.state))
				return
			end
		end
		if why then
			print(name .. ": " .. why)
		end
	end

	local function position()
		local gp = native.gp_state()
		print(("at step %d%s"):format(native.steps(), gp ~= "" and " (" .. gp .. ")" or ""))
	end

	-- --------------------------------------------------------------- commands

	local commands = {}	-- in the order of .help
	local by_name = {}

	local function command(name, usage, doc, fn)
		local c = { name = name, usage = usage, doc = doc, fn = fn }
		commands[#commands + 1] = c
		by_name[name] = c
	end

	command("step", "[T] [N]",
		"perform the next N steps (1) of thread T; .step on: calls typed to a focused thread stop before their first step (.step off: they do not)",
		function(args)
			if args[1] == "on" or args[1] == "off" then
				native.step_mode(args[1] == "on")
				return
			end
			local t = take_thread(args, ".step")
			local n = take_count(args, 1)
			no_more(args)
			local _, why = stepping(step, t, n)
			tell_state(t, why)
		end)
	command("over", "[T]", "step T until its current kernel call returns, blocks, or T ends",
		function(args)
			local t = take_thread(args, ".over")
			no_more(args)
			local _, why = stepping(step_over, t)
			tell_state(t, why)
		end)
	command("finish", "[T]", "run T alone until it is done or blocked",
		function(args)
			local t = take_thread(args, ".finish")
			no_more(args)
			local _, why = stepping(finish, t)
			tell_state(t, why)
		end)
	command("until", "[T] WHAT",
		"run T, and what it waits for, until WHAT: SCAN1, SCAN2, IDLE or a Lua condition",
		function(args, text)
			local t
			if args[1] and args[2] and is_task(args[1]) then
				t = args[1]
				text = text:match("^%S+%s+(.*)$")
			end
			t = t or default_thread(".until")
			last_thread = t
			if text == "" then
				fail("until what? SCAN1, SCAN2, IDLE or a Lua condition")
			end
			local what = text
			if not text:match("^SCAN[12]$") and text ~= "IDLE" then
				local why
				what, why = load("return " .. text, "=.until", "t")
				if not what then
					fail("%s", why)
				end
			end
			local ok, why = stepping(run_until, t, what)
			if not ok then
				print(("stopped: %s"):format(why or "cannot be reached"))
			end
		end)
	command("run", "", "run everything until all threads are done or blocked",
		function(args)
			no_more(args)
			local report = run()
			print((scenario.outcome(report.verdict == "incomplete" and (report.bound or "a bound"))))
		end)
	command("back", "[N]", "go N steps (1) back in time",
		function(args)
			local n = take_count(args, 1)
			no_more(args)
			back(n)
			position()
		end)
	command("reset", "", "go back to the start",
		function(args)
			no_more(args)
			reset()
			position()
		end)
	command("threads", "", "list all threads, workers and timers, and what they wait for",
		function(args)
			no_more(args)
			native.show_threads()
		end)
	command("show", "[X]", "print the state of X (an object's name or a Lua expression), or of the world",
		function(_, text)
			if text == "" then
				show()
				return
			end
			local o = native.object(text)
			if o == nil then
				local f = load("return " .. text, "=.show", "t")
				local ok, v = pcall(f or error)
				if not ok or v == nil then
					fail("no object '%s'%s", text, suggestion(text, native.object_names()))
				end
				o = v
			end
			show(o)
		end)
	command("timeline", "", "print the steps so far, one lane for each thread",
		function(args)
			no_more(args)
			timeline()
		end)
	command("trace", "[N]", "print the last N steps (20), one line each",
		function(args)
			local n = take_count(args, EVENTS_SHOWN)
			no_more(args)
			print_events(trace(n))
		end)
	command("schedule", "", "print the schedule so far, as .replay and 'srcush replay' take it",
		function(args)
			no_more(args)
			print(schedule())
		end)
	command("replay", "S", "go to the start and perform the schedule S (@FILE: from a file)",
		function(_, text)
			if text == "" then
				fail("which schedule? .replay S, or .replay @FILE")
			end
			local ok, why = replay(scenario.schedule(text))
			if not ok then
				fail("%s", why)
			end
			position()
		end)
	command("load", "FILE[:NAME]", "build the world anew from a scenario file",
		function(_, text)
			if text == "" then
				fail("which file? .load FILE, or .load FILE:NAME")
			end
			M.load(text, {})
		end)
	command("save", "FILE", "write the schedule so far to a file",
		function(_, text)
			if text == "" then
				fail("to which file?")
			end
			local f, why = io.open(text, "w")
			if not f then
				fail("cannot write %s", why)
			end
			local ok
			ok, why = f:write(schedule(), "\n")
			if ok then
				ok, why = f:close()
			else
				f:close()
			end
			if not ok then
				fail("cannot write %s: %s", text, why)
			end
		end)
	command("thread", "[T]", "focus on thread T: what is typed runs there (!LINE does not); without T: on none",
		function(args)
			local name = table.remove(args, 1)
			no_more(args)
			if name and not is_task(name) then
				fail("no thread '%s'%s", name, suggestion(name, task_names()))
			end
			native.focus(name)
			last_thread = name or last_thread
		end)
	command("help", "[TOPIC]", "explain a command or a function, or list them",
		function(_, text)
			M.help(text)
		end)
	command("quit", "", "leave (so does Ctrl-D)",
		function(args)
			no_more(args)
			native.quit()
		end)

	for name, example in pairs {
		step = ".step reader 3", over = ".over writer", finish = ".finish writer",
		["until"] = ".until writer SCAN2", run = ".run", back = ".back 10", reset = ".reset",
		threads = ".threads", show = ".show ss", timeline = ".timeline", trace = ".trace 5",
		schedule = ".schedule", replay = ".replay @sc,4 writer*3 reader",
		load = ".load lock.lua:buggy", save = ".save found.schedule",
		thread = ".thread reader", help = ".help srcu_read_lock", quit = ".quit",
	} do
		by_name[name].example = example
	end

	-- Commands of the contract that this version does not have.
	local later = { explore = true }

	local function command_names()
		local t = {}
		for i, c in ipairs(commands) do
			t[i] = c.name
		end
		return t
	end

	-- The command of that name or unique prefix.
	local function find(name)
		if by_name[name] then
			return by_name[name]
		end
		local found = {}
		for _, c in ipairs(commands) do
			if name ~= "" and c.name:sub(1, #name) == name then
				found[#found + 1] = c.name
			end
		end
		if #found == 1 then
			return by_name[found[1]]
		elseif #found > 1 then
			fail(".%s can be .%s", name, table.concat(found, ", ."))
		elseif later[name] then
			fail(".%s is not in this version", name)
		end
		fail("no command .%s%s", name, suggestion(name, command_names(), "."))
	end

	-- Performs a line that begins with a dot.  Returns true when an empty line
	-- is to repeat it.
	function M.command(line)
		local name, text = line:match("^%s*%.(%S*)%s*(.-)%s*$")
		local c = find(name)
		local ok, e = pcall(c.fn, words(text), text)
		if not ok then
			e = type(e) == "table" and e.message or tostring(e)
			error((e:gsub("^%(lua/shell%.lua%):%d+: ", "")), 0)
		end
		return (c.name == "step" and text ~= "on" and text ~= "off") or c.name == "over"
	end

	-- Builds the world from FILE[:NAME]; what `srcush step` does first.
	function M.load(spec, opts)
		local s = scenario.find_one(spec)
		last_thread = nil
		native.focus(nil)
		scenario.build(s, opts)
		if not opts.quiet then
			print(("%s: %s; .step T, .run, .show, .help"):format(s.title,
				table.concat(task_names("thread"), ", ")))
		end
	end

	-- ------------------------------------------------------------------- help

	-- The doc in a column of its own, wrapped at 80.
	local function print_command(c)
		local line = ("  %-20s"):format("." .. c.name .. " " .. c.usage)
		for word in c.doc:gmatch("%S+") do
			if #line + #word >= 79 then
				print(line)
				line = (" "):rep(22)
			end
			line = line .. " " .. word
		end
		print(line)
	end

	local keys = [[
Lines are Lua: statements are executed, expressions printed.  An unfinished
statement goes on in the next line.  A local variable lives for one line.
Unique prefixes of commands will do; an empty line repeats .step or .over.
While a thread is focused, lines run on it: calls may block, and are stepped
with the commands above; !LINE is evaluated outside of it, as without focus.
Ctrl-C abandons the line or stops what runs, Ctrl-D leaves.
help() lists the functions, help("NAME") explains one.]]

	function M.help(topic)
		topic = topic or ""
		if topic == "" then
			for _, c in ipairs(commands) do
				print_command(c)
			end
			print("\n" .. keys)
			return
		end
		local bare = topic:match("^%.(.+)$")
		local c = bare and find(bare) or by_name[topic]
		if c then
			print_command(c)
			print("  Example: " .. c.example)
		end
		if not bare and (not c or _G[topic]) then
			help(topic)
		end
	end

	-- -------------------------------------------------------------- completion

	local lua_words = {}
	for w in ([[and break do else elseif end false for function goto if in local
		nil not or repeat return then true until while]]):gmatch("%a+") do
		lua_words[#lua_words + 1] = w
	end

	local takes_thread = { step = true, over = true, finish = true, thread = true, ["until"] = true }
	local takes_file = { load = true, save = true, replay = true }

	-- The string keys of the table that a path such as "a.b" leads to.
	local function fields(path)
		local t = _G
		for name in path:gmatch("[%a_][%w_]*") do
			t = type(t) == "table" and rawget(t, name)
		end
		local list = {}
		if type(t) == "table" then
			for k in next, t do
				if type(k) == "string" then
					list[#list + 1] = k
				end
			end
		end
		return list
	end

	-- complete(text, start): the line up to the cursor, and where its last word
	-- begins (from 1).  Returns a sorted list of words, or nil: file names.
	function M.complete(text, start)
		local before, word = text:sub(1, start - 1), text:sub(start)
		local list, prefix = {}, ""
		local name = before:match("^%s*%.(%a+)%s")
		if name then
			local ok, c = pcall(find, name)
			if ok and takes_file[c.name] then
				return nil
			elseif ok and takes_thread[c.name] then
				list = task_names()
				if c.name == "until" then
					table.move({ "SCAN1", "SCAN2", "IDLE" }, 1, 3, #list + 1, list)
				elseif c.name == "step" then
					table.move({ "on", "off" }, 1, 2, #list + 1, list)
				end
			elseif ok and c.name == "show" then
				list = native.object_names()
			elseif ok and c.name == "help" then
				list = fields("")
				table.move(command_names(), 1, #commands, #list + 1, list)
			end
		elseif before:match("^%s*$") and word:sub(1, 1) == "." then
			list, prefix = command_names(), "."
		elseif before:match("[\"']$") then
			list = native.object_names()
			table.move(task_names(), 1, #task_names(), #list + 1, list)
		else
			local path = word:match("^(.*)%.[%w_]*$")
			list = fields(path or "")
			prefix = path and path .. "." or ""
			if not path then
				table.move(lua_words, 1, #lua_words, #list + 1, list)
			end
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
		return found
	end

	M.scenario = scenario
	return M
end
