-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Scenario files: finding the scenarios in one, building a world from one,
-- running and replaying it, and saying in a line how it ended.  What only C
-- can do comes in `native` (src/repl/native.c).  Everything taken from the
-- global table is taken when this is loaded: what a script puts there later
-- does not matter.

local run, replay, timeline, cpus, explore, stress = run, replay, timeline, cpus, explore, stress
local io, table, type, tostring = io, table, type, tostring
local pairs, ipairs, print, error, xpcall = pairs, ipairs, print, error, xpcall
local next, require = next, require
local wrap = require("words").wrap

local OK, ERROR, USAGE, VIOLATION, BOUND, INTERRUPTED = 0, 1, 2, 3, 4, 130

return function(native)
	local M = { report = require("report")(native) }

	-- Ends what was asked for with an exit status and a message.
	local function fail(status, fmt, ...)
		error({ status = status, message = fmt:format(...) }, 0)
	end

	local function counted(n, what)
		return ("%d %s%s"):format(n, what, n == 1 and "" or "s")
	end

	local function stop_if_interrupted()
		if native.interrupted() then
			fail(INTERRUPTED, "interrupted after %s", counted(native.steps(), "step"))
		end
	end

	-- Calls fn(...); an error in it is the script's, with its traceback.
	local function call(fn, ...)
		local r = table.pack(xpcall(fn, native.traceback, ...))
		if not r[1] then
			stop_if_interrupted()
			fail(ERROR, "%s", r[2])
		end
		return table.unpack(r, 2, r.n)
	end

	local function exists(path)
		local f = io.open(path, "rb")
		return f and f:close()
	end

	-- "FILE:NAME" -> FILE, NAME; a file whose own name has a colon wins.
	local function split(spec)
		if exists(spec) then
			return spec
		end
		local file, name = spec:match("^(.+):([^:/]+)$")
		return file or spec, name
	end

	local function a_value(v)
		local t = type(v)
		return t == "nil" and "nothing" or t == "number" and "a number" or "a " .. t
	end

	-- The scenarios that a file's chunk gave, in the order of their names.
	local function collect(file, v)
		if type(v) == "function" then
			return { { title = file, fn = v } }
		elseif type(v) ~= "table" then
			fail(USAGE, "%s: the file returns %s, not a function or a table of named functions%s",
				file, a_value(v), v == nil and "; as a plain script it is run by 'srcush FILE'" or "")
		end
		local list = {}
		for name, fn in pairs(v) do
			if type(name) ~= "string" then
				fail(USAGE, "%s: the file returns a table with the key %s, where names are expected",
					file, tostring(name))
			elseif type(fn) ~= "function" then
				fail(USAGE, "%s: scenario '%s' is %s, not a function", file, name, a_value(fn))
			end
			list[#list + 1] = { title = file .. ":" .. name, name = name, fn = fn }
		end
		if #list == 0 then
			fail(USAGE, "%s: the file returns an empty table: no scenario", file)
		end
		table.sort(list, function(a, b) return a.name < b.name end)
		return list
	end

	local function names(list)
		local t = {}
		for i, s in ipairs(list) do
			t[i] = s.name
		end
		return table.concat(t, ", ")
	end

	-- find("FILE[:NAME]") -> list of {title=, name=, fn=}
	function M.find(spec)
		local file, name = split(spec)
		local chunk, message = native.load(file)
		if not chunk then
			fail(USAGE, "%s", message)
		end
		local list = collect(file, (call(chunk)))
		if not name then
			return list
		end
		for _, s in ipairs(list) do
			if s.name == name then
				return { s }
			end
		end
		if not list[1].name then
			fail(USAGE, "%s: the file returns one function, none is named '%s'", file, name)
		end
		fail(USAGE, "%s: no scenario '%s' (there are: %s)", file, name, names(list))
	end

	-- The only one, where there can be no more.
	function M.find_one(spec)
		local list = M.find(spec)
		if #list > 1 then
			fail(USAGE, "%s: which scenario? FILE:NAME picks one of %s", spec, names(list))
		end
		return list[1]
	end

	-- Its function; opts.cpus is what it may still change.
	local function function_of(s, opts)
		local fn = s.fn
		return opts.cpus and function()
			cpus(opts.cpus)
			return fn()
		end or fn
	end

	-- Builds the world.
	function M.build(s, opts)
		call(native.build, function_of(s, opts), s.title, opts.lockdep)
		if opts.json then
			M.report.catch_up()
		end
		for _, t in ipairs(native.tasks()) do
			if t.kind == "thread" or t.kind == "irq" then
				return
			end
		end
		fail(USAGE, "%s: the scenario makes no threads", s.title)
	end

	-- How the world stands: {verdict=, status=, steps=, bound=, violation= (its
	-- kind), waiting= (who has not come to an end, and why), idle= (somebody only
	-- waits to be called)}
	local function result(bound)
		local r = { verdict = "ok", status = OK, steps = native.steps(), waiting = {} }
		r.violation = native.violation()
		if r.violation then
			r.verdict, r.status = "violation", VIOLATION
		elseif bound then
			r.verdict, r.status, r.bound = "incomplete", BOUND, bound
		end
		for _, task in ipairs(native.tasks()) do
			if task.kind == "thread" or task.kind == "irq" then
				if task.state == "ready" or task.state == "blocked" then
					r.waiting[#r.waiting + 1] = { thread = task.name, state = task.state, why = task.why }
				end
				r.idle = r.idle or task.state == "idle"
			end
		end
		return r
	end

	-- How the world stands after a run, in words.
	function M.outcome(bound)
		local r = result(bound)
		local steps = counted(r.steps, "step")
		if r.violation then
			return ("violation: %s after %s"):format(r.violation, steps), r
		elseif bound then
			return ("incomplete: stopped after %s by %s"):format(steps, bound), r
		elseif #r.waiting > 0 then
			local who = {}
			for i, w in ipairs(r.waiting) do
				who[i] = ("\n  %s is %s"):format(w.thread, w.why or w.state)
			end
			return ("ok: %s; not at their end:%s"):format(steps, table.concat(who)), r
		elseif r.idle then
			return ("ok: %s, nothing is left to do"):format(steps), r
		end
		return ("ok: %s, every thread is done"):format(steps), r
	end

	-- Prints timeline, violations and outcome; gives the exit status.
	local function tell(title, opts, bound)
		local line, r = M.outcome(bound)
		if opts.json then
			M.report.catch_up()
			M.report.outcome(title, r)
			return r.status
		end
		if not opts.quiet and native.steps() > 0 then
			timeline()
			print()
		end
		native.violations(not opts.quiet)
		if r.status == VIOLATION then
			print()
		end
		print(title .. ": " .. line)
		return r.status
	end

	local function worse(a, b)
		return (a == VIOLATION or b == VIOLATION) and VIOLATION or a > b and a or b
	end

	-- srcush run
	function M.run(spec, opts)
		local status = OK
		local list
		M.report.begin("run", spec, opts)
		list = M.find(spec)
		for i, s in ipairs(list) do
			if #list > 1 and not opts.quiet and not opts.json then
				print(("%s== %s"):format(i > 1 and "\n" or "", s.title))
			end
			M.build(s, opts)
			local report = call(run, {
				policy = opts.seed and "random" or "rr",
				seed = opts.seed,
				max_steps = opts.max_steps,
			})
			stop_if_interrupted()
			-- what is no bound of ours is why the engine could not go on
			if report.bound and not report.bound:find("^max_steps ") then
				fail(ERROR, "%s: %s", s.title, report.bound)
			end
			status = worse(status, tell(s.title, opts,
				report.verdict == "incomplete" and (report.bound or "a bound")))
		end
		return status
	end

	-- A schedule as given: itself, or @FILE.  A schedule's own head is "@model,cpus".
	function M.schedule(text)
		local file = text:match("^@(.+)$")
		if not file or text:match("^@%a+,") then
			return text
		end
		local f, why = io.open(file, "r")
		local s = f and f:read("a")
		if f then
			f:close()
		end
		if not s then
			fail(USAGE, "cannot read the schedule '%s': %s", file,
				why and why:gsub("^.*: ", "") or "Is a directory")
		end
		return (s:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
	end

	-- srcush replay
	function M.replay(spec, text, opts)
		M.report.begin("replay", spec, opts)
		local schedule = M.schedule(text)
		local s = M.find_one(spec)
		M.build(s, opts)
		local ok, message = call(replay, schedule)
		stop_if_interrupted()
		if not ok then
			fail(USAGE, "%s", message)
		end
		native.stuck()
		return tell(s.title, opts)
	end

	-- ---------------------------------------------------------------- exploring

	local LONG = 2000	-- characters of a schedule that is no line to copy any more
	local OUTCOMES = 30	-- so many are listed

	-- A word for the shell's command line.
	local function quoted(word)
		return word:find("[^%w_./:@%%+=,-]") and "'" .. word:gsub("'", "'\\''") .. "'" or word
	end

	local function save(file, schedule)
		local f, why = io.open(file, "w")
		local ok = f and f:write(schedule, "\n")
		if f then
			local closed
			closed, why = f:close()
			ok = ok and closed
		end
		if not ok then
			fail(USAGE, "cannot write %s", why or file)
		end
	end

	-- What shows when a scenario runs, rather than what is wrong with it as it is written.
	local function happened(why)
		return why:find("out of memory", 1, true) or why:find("the scenario is not deterministic:", 1, true)
			or why:find("without a step: an endless loop", 1, true)
	end

	-- explore(), with the options of the command line; what it refuses is the input's fault.
	local function explored(s, opts)
		local t = { title = s.title, progress = not opts.quiet and not opts.json }
		for _, name in ipairs { "strategy", "seed", "depth", "max_executions", "max_steps", "preemptions",
			"time", "jobs", "keep_going", "promises", "lockdep", "show" } do
			t[name] = opts[name]
		end
		local ok, r = xpcall(explore, native.traceback, function_of(s, opts), t)
		if ok then
			return r
		end
		stop_if_interrupted()
		local why = type(r) == "string" and r:match("^explore: (.*)$")
		fail(why and not happened(why) and USAGE or ERROR, "%s",
			why and why:gsub("\nstack traceback:.*", "") or r)
	end

	local function replay_command(s, opts, schedule, saved)
		local with = (opts.kernel and " --kernel " .. quoted(opts.kernel) or "")
			.. (opts.cpus and (" --cpus %d"):format(opts.cpus) or "")
			.. (opts.lockdep and " --lockdep " .. opts.lockdep or "")
		local what = saved and "@" .. opts.save or schedule
		if #what > LONG then
			return ("the schedule has %d characters: --save FILE writes it to a file"):format(#what)
		end
		return ("srcush replay%s %s %s"):format(with, quoted(s.title), quoted(what))
	end

	local function print_violations(s, opts, report, saved)
		for i, v in ipairs(report.violations) do
			if opts.quiet then
				print("violation: " .. v.kind)
				print(wrap(v.message:match("^[^\n]*"), "  "))
			else
				report:show(i)
			end
			print("\nTo see it again:\n  " .. replay_command(s, opts, v.schedule, saved and i == 1))
			print()
		end
	end

	local function print_outcomes(outcomes)
		local list = {}
		for text in pairs(outcomes) do
			list[#list + 1] = text
		end
		table.sort(list)
		for i, text in ipairs(list) do
			if i > OUTCOMES then
				print(("  ... and %d more outcomes"):format(#list - OUTCOMES))
				return
			end
			print(("  %8d times %s"):format(outcomes[text], text))
		end
	end

	-- --show N
	local function print_shown(s, opts, report)
		if not report.shown then
			io.stderr:write(("srcush: %s: there is no complete execution %d\n"):format(s.title, opts.show))
			return
		end
		M.build(s, opts)
		call(replay, report.shown)
		print(("execution %d, %s"):format(opts.show, report.shown))
		timeline()
		print()
	end

	local verdicts = { ok = OK, violation = VIOLATION, incomplete = BOUND }

	-- Explores one; its status, and true when Ctrl-C was typed.
	local function explore_one(s, opts, saved)
		local report = explored(s, opts)
		local interrupted = native.calm()
		local status = interrupted and INTERRUPTED or verdicts[report.verdict]
		local first = report.violations[1]
		local saves = first and opts.save and not saved
		if saves then
			save(opts.save, first.schedule)
		end
		if opts.json then
			M.report.verdict(s.title, report, status)
			return status, interrupted, saves
		end
		if opts.show then
			print_shown(s, opts, report)
		end
		print_violations(s, opts, report, saves)
		local headline = tostring(report)
		print(s.title .. ": " .. (opts.quiet and headline:match("^[^\n]*") or headline))
		if not opts.quiet and next(report.outcomes) then
			print_outcomes(report.outcomes)
		end
		return status, interrupted, saves
	end

	-- srcush explore
	function M.explore(spec, opts)
		local status, saved = OK, false
		M.report.begin("explore", spec, opts)
		native.reports()
		for i, s in ipairs(M.find(spec)) do
			if i > 1 and not opts.quiet and not opts.json then
				print()
			end
			local one, interrupted, saves = explore_one(s, opts, saved)
			saved = saved or saves
			if interrupted then
				return INTERRUPTED
			end
			status = worse(status, one)
		end
		return status
	end

	-- stress(), with the options of the command line.  Nothing and a message: it cannot be,
	-- as the scenario uses what is not there.
	local function stressed(s, opts)
		local ok, r = xpcall(stress, native.traceback, function_of(s, opts),
			{ seconds = opts.time, seed = opts.seed, title = s.title })
		if ok then
			return r
		end
		stop_if_interrupted()
		local why = type(r) == "string" and r:match("^(.*stress: [^\n]*)")
		if why and why:find(require("stress").UNAVAILABLE, 1, true) then
			return nil, why
		end
		fail(why and USAGE or ERROR, "%s", why or r)
	end

	local function print_stress(s, opts, report)
		local v = report.violations[1]
		if v then
			print(("violation: %s%s"):format(v.kind, v.thread and " in " .. v.thread or ""))
			print(wrap(v.message, "  "))
		end
		if v and v.schedule then
			if v.explored ~= v.kind then
				print(("explore() finds %s:"):format(v.explored))
			end
			print("\nTo see it step by step:\n  " .. replay_command(s, opts, v.schedule))
		end
		print((v and "\n" or "") .. require("stress").text(report, s.title))
		if not opts.quiet and next(report.outcomes) then
			print_outcomes(report.outcomes)
		end
	end

	-- srcush stress
	function M.stress(spec, opts)
		local status, ran, missing = OK, 0, 0
		M.report.begin("stress", spec, opts)
		native.reports()
		for _, s in ipairs(M.find(spec)) do
			local report, why = stressed(s, opts)
			local interrupted = native.calm()
			if report then
				local one = report.violations[1] and VIOLATION or OK
				if opts.json then
					M.report.stressed(s.title, report, interrupted and INTERRUPTED or one)
				else
					if ran > 0 and not opts.quiet then
						print()
					end
					print_stress(s, opts, report)
				end
				status = worse(status, one)
				ran = ran + 1
			else
				io.stderr:write(("srcush: %s: not run: %s\n"):format(s.title, why))
				missing = missing + 1
			end
			if interrupted then
				return INTERRUPTED
			end
		end
		-- of what could not be run, nothing is known
		return ran == 0 and USAGE or missing > 0 and worse(status, BOUND) or status
	end

	-- srcush compare
	function M.compare(spec, opts)
		local command = require("compare_cli")(native, M,
			{ fail = fail, call = call, counted = counted, quoted = quoted, stop = stop_if_interrupted })
		return command(spec, opts)
	end

	-- srcush step --json: the end.  `violated`: something was found, though one may
	-- have gone back since.
	function M.finish(violated)
		local r = result()
		r.status = violated and VIOLATION or r.status
		M.report.catch_up()
		M.report.outcome(nil, r)
	end

	return M
end
