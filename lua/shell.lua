-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The shell's dot-commands, and what else its C parts ask for.  What only C can do
-- comes in `native` (src/repl/native.c); the stepping functions are taken from the
-- global table when this is loaded, so that a script may use their names for
-- something else.  The commands' descriptions are in commands.lua.

local words = require("words")
local help_module = require("help")
local commands = require("commands")
local suggestion = words.suggestion

local step, step_over, finish, run_until = step, step_over, finish, run_until
local run, back, reset, threads = run, back, reset, threads
local show, timeline, trace, schedule, replay = show, timeline, trace, schedule, replay
local explore = explore
local help, apropos, io, table, math = help, apropos, io, table, math
local type, tostring, tonumber, ipairs = type, tostring, tonumber, ipairs
local print, error, pcall, load = print, error, pcall, load

local EVENTS_SHOWN = 20	-- of a command that makes many steps

return function(native)
	local M = {}
	local scenario = require("scenario")(native)
	local reach = require("reach")(native)
	local hints = require("hints")(native, reach)
	local last_thread	-- the name of the thread that was stepped last
	local loaded		-- FILE[:NAME] of the scenario that was loaded last
	local found		-- { schedule, the world's generation }: what .explore found

	local function fail(fmt, ...)
		error(fmt:format(...), 0)
	end

	local function split(line)
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
		elseif name and not tonumber(name) and name:sub(1, 1) ~= "=" then
			fail("no thread '%s'%s", name, suggestion(name, task_names(), #name // 2))
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
				print(t.state == "failed" and name .. " has failed"
					or ("%s is %s"):format(name, t.why or t.state))
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

	local perform = {}	-- what each command does: commands.lua has the words

	local function command(name, fn)
		perform[name] = fn
	end

	command("step", function(args)
		if args[1] == "on" or args[1] == "off" then
			native.step_mode(args[1] == "on")
			return
		end
		local t = take_thread(args, ".step")
		local choice = args[1] and args[1]:match("^=(.*)$")
		if choice then
			args[1] = choice
		end
		local n = take_count(args, 1)
		no_more(args)
		local _, why = stepping(step, t, choice and 1 or n, choice and n or nil)
		tell_state(t, why)
		native.choices(t)
	end)

	command("over", function(args)
		local t = take_thread(args, ".over")
		no_more(args)
		local _, why = stepping(step_over, t)
		tell_state(t, why)
	end)

	command("finish", function(args)
		local t = take_thread(args, ".finish")
		no_more(args)
		local _, why = stepping(finish, t)
		tell_state(t, why)
	end)

	command("until", function(args, text)
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

	command("run", function(args)
		no_more(args)
		local report = run()
		if report.verdict == "violation" then
			return	-- which the shell prints next
		end
		print((scenario.outcome(report.verdict == "incomplete" and (report.bound or "a bound"))))
	end)

	command("back", function(args)
		local n = take_count(args, 1)
		no_more(args)
		back(n)
		position()
	end)

	command("reset", function(args)
		no_more(args)
		reset()
		position()
	end)

	command("threads", function(args)
		no_more(args)
		native.show_threads()
	end)

	command("show", function(_, text)
		if text == "" then
			show()
			return
		end
		local o = native.object(text)
		if o == nil then
			local f = load("return " .. text, "=.show", "t")
			local ok, v = pcall(f or error)
			if not ok or v == nil then
				fail("no object '%s'%s", text, suggestion(text, native.object_names(), #text // 2))
			end
			o = v
		end
		show(o)
	end)

	command("timeline", function(args)
		local n = take_count(args)
		no_more(args)
		timeline(n and { last = n })
	end)

	command("trace", function(args)
		local n = take_count(args, EVENTS_SHOWN)
		no_more(args)
		print_events(trace(n))
	end)

	command("schedule", function(args)
		no_more(args)
		print(schedule())
	end)

	command("replay", function(_, text)
		if text == "" and found and found[2] == native.generation() then
			text = found[1]
		elseif text == "" then
			fail("which schedule? .replay S, or .replay @FILE")
		end
		local ok, why = replay(scenario.schedule(text))
		if not ok then
			fail("%s", why)
		end
		position()
	end)

	-- Options of .explore that are no numbers.
	local words_of = { strategy = true, model = true, lockdep = true }
	local flags = { keep_going = true, promises = true }

	-- "--max-executions 100 --keep-going" as explore() takes it.
	local function explore_options(args)
		local t, i = { progress = true }, 1
		while args[i] do
			local name, value = args[i]:match("^%-%-([%a-]+)=?(.*)$")
			if not name then
				fail("what is '%s'? options are expected, as --max-executions 100", args[i])
			end
			local key = name:gsub("-", "_")
			if flags[key] then
				t[key] = true
			else
				if not args[i]:find("=", 1, true) then
					i = i + 1
					value = args[i]
				end
				if not value then
					fail("option '--%s' needs a value", name)
				end
				t[key] = not words_of[key] and tonumber(value) or value
			end
			i = i + 1
		end
		return t
	end

	command("explore", function(args)
		local report = explore(nil, explore_options(args))
		local first = report.violations[1]
		native.calm()
		if first then
			report:show()
			print()
		end
		print(tostring(report))
		found = first and { first.schedule, native.generation() }
		if found then
			print(".replay walks to the violation, .back from there")
		end
	end)

	command("load", function(_, text)
		if text == "" and not loaded then
			fail("which file? .load FILE, or .load FILE:NAME")
		end
		M.load(text ~= "" and text or loaded, {})
	end)

	-- Compiles one anew: has it changed, and what is wrong with it?
	local function reload_one(kernel)
		local name = kernel.version .. (kernel.variant == "tiny" and " (tiny)" or "")
		local ok, changed, seconds = pcall(kernel.reload, kernel)
		if not ok then
			return false, ("%s\n%s: what was loaded stays"):format(
				tostring(changed):gsub("^kernel:reload: ", ""), name)
		end
		print(changed and ("%s: rebuilt in %.1f s"):format(name, seconds) or name .. ": unchanged")
		return changed
	end

	-- The world anew, of the images that were loaded last.
	local function rebuild()
		native.adopt()
		local ok, why = pcall(reset)
		if not ok then
			native.abandon()
			pcall(reset)
			fail("the world cannot be built of it: %s", (tostring(why):gsub("^reset: ", "")))
		end
		position()
	end

	command("reload", function(args)
		no_more(args)
		local list, any, wrong = native.kernels(), false, {}
		if #list == 0 then
			print("no kernel tree is loaded; srcu.load_kernel(DIR) or 'srcush --kernel DIR' loads one")
		end
		for _, kernel in ipairs(list) do
			local changed, why = reload_one(kernel)
			any = any or changed
			wrong[#wrong + 1] = why
		end
		if any then
			rebuild()
		end
		if wrong[1] then
			fail("%s", table.concat(wrong, "\n"))
		end
	end)

	command("save", function(_, text)
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

	command("thread", function(args)
		local name = table.remove(args, 1)
		no_more(args)
		if name and not is_task(name) then
			fail("no thread '%s'%s", name, suggestion(name, task_names(), #name // 2))
		end
		native.focus(name)
		last_thread = name or last_thread
	end)

	command("help", function(_, text)
		M.help(text)
	end)

	command("apropos", function(_, text)
		if text == "" then
			fail("which word? .apropos WORD")
		end
		apropos(text)
	end)

	command("quit", function(args)
		no_more(args)
		native.quit()
	end)

	local names = {}
	for i, c in ipairs(commands) do
		names[i] = c.name
	end

	-- The commands of which it is the name, or else the beginning of the name.
	local function find_all(name)
		local found = {}
		for _, c in ipairs(commands) do
			if c.name == name then
				return { c }
			elseif name ~= "" and c.name:sub(1, #name) == name then
				found[#found + 1] = c
			end
		end
		return found
	end

	-- The command of that name or unique prefix.
	local function find(name)
		local found = find_all(name)
		if #found == 1 then
			return found[1]
		elseif #found > 1 then
			local list = {}
			for i, c in ipairs(found) do
				list[i] = "." .. c.name
			end
			fail(".%s can be %s", name, table.concat(list, ", "))
		elseif name == "" then
			fail("which command? .help lists them")
		end
		local near = words.nearest(name, names, #name // 2)
		fail("no command .%s%s", name, near and ("; did you mean .%s?"):format(near) or
			"; .help lists them")
	end

	-- Performs a line that begins with a dot.  Returns true when an empty line
	-- is to repeat it.
	function M.command(line)
		local name, text = line:match("^%s*%.(%S*)%s*(.-)%s*$")
		local c = find(name)
		local ok, e = pcall(perform[c.name], split(text), text)
		if not ok then
			e = type(e) == "table" and e.message or tostring(e)
			error((e:gsub("^%(lua/shell%.lua%):%d+: ", "")), 0)
		end
		return c.repeats and text ~= "on" and text ~= "off"
	end

	-- Builds the world from FILE[:NAME]; what `srcush step` does first.
	function M.load(spec, opts)
		if opts.json then
			scenario.report.begin("step", spec, opts)
		end
		local s = scenario.find_one(spec)
		last_thread, loaded = nil, spec
		native.focus(nil)
		scenario.build(s, opts)
		if not opts.quiet and not opts.json then
			print(("%s: %s; .step T, .run, .show, .help"):format(s.title,
				table.concat(task_names("thread"), ", ")))
		end
	end

	-- ------------------------------------------------------------------- help

	local keys = [[
Lines are Lua: statements are executed, expressions printed.  An unfinished
statement goes on in the next line.  A local variable lives for one line.
Unique prefixes of commands will do; an empty line makes the last step again.
While a thread is focused, lines run on it: calls may block, and are stepped
with the commands above; !LINE is evaluated outside of it, as without focus.
Ctrl-C abandons the line or stops what runs, Ctrl-D leaves.
help() lists the functions; .help NAME explains a function, command or topic.]]

	-- A command is found with or without its dot, and by a prefix; "schedule" is a
	-- function and a command.
	function M.help(topic)
		topic = topic or ""
		if topic == "" then
			help_module.show_commands()
			print("\n" .. keys)
			return
		end
		local bare = topic:match("^%.(.+)$")
		local function_or_topic = not bare and (help_module.find(topic) or help_module.topic(topic))
		local c = bare and find(bare) or help_module.command(topic)
		if not c and not bare and not function_or_topic then
			c = find_all(topic)[1]
		end
		if c then
			help_module.show("." .. c.name)
		end
		if function_or_topic or not c then
			help_module.show(topic)
		end
	end

	-- ------------------------------------------------- what the C parts ask for

	-- The message of a line that failed, with what may have been meant.  Where it is
	-- no Lua, a command may have lost its dot.
	function M.explain(message, line)
		local name, rest = (line or ""):match("^([%a]+)%s*([^%s=(.:].*)$")
		if name and perform[name] and message:match("^prompt:1: .* near ") then
			return ("%s; did you mean .%s %s?"):format(message, name, rest)
		end
		return hints.explain(message)
	end
	M.hint = hints.hint

	-- A name alone, whose value says little: what it stands for.  A function that
	-- is documented is shown with its arguments, a word that means nothing by the
	-- command of that name.
	local meant = { exit = ".quit", quit = ".quit", ["?"] = ".help", ls = ".show", list = ".timeline" }
	function M.describe(text, value)
		local name = text:match("^%s*([%a_][%w_.]*)%s*;?%s*$")
		if name == "help" and value == help then
			M.help("")
			return false	-- nothing is left to print
		elseif type(value) == "function" then
			local f = help_module.find(value)
			return f and ("function %s%s; %s.help %s explains it"):format(f.name, f.sig or "",
				perform[f.name] and "the command is ." .. f.name .. "; " or "", f.name) or nil
		elseif value == nil and name and not name:find(".", 1, true) then
			local c = meant[name] or perform[name] and "." .. name
			return c and ("nil (the command is %s)"):format(c)
		end
	end

	local complete = require("complete")(native, reach, function(name) return find_all(name)[1] end)
	M.complete = complete.complete
	M.scenario = scenario

	-- --json: nothing without it
	M.catch_up = scenario.report.catch_up
	M.json_text = scenario.report.text
	M.finish_json = scenario.finish
	return M
end
