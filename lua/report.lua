-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- --json: what happens, as newline-delimited JSON.  The first object carries the
-- format's version; srcush(1) describes the others.  It follows the world: after
-- something was done, catch_up() says what is new.

local json = require("json")
local version = require("version")
local schedule = schedule
local ipairs, setmetatable = ipairs, setmetatable

local FORMAT = 1

return function(native)
	local M = {}
	local active = false
	local generation	-- of the world that was told of last
	local events = 0	-- of it, how many have been told
	local violations = {}	-- the steps of those that have been told

	local function emit(t)
		native.json(json.encode(t))
	end

	-- Nothing is written by the others before this was called with opts.json.
	function M.begin(command, spec, opts)
		active = opts.json
		if active then
			emit { srcush = version, format = FORMAT, type = "header", command = command, file = spec,
				kernel = native.kernel() }
		end
	end

	local function tell_world()
		local threads = json.array {}
		for _, t in ipairs(native.tasks()) do
			if t.kind == "thread" or t.kind == "irq" then
				threads[#threads + 1] = t.name
			end
		end
		emit { type = "world", scenario = native.scenario(), model = schedule():match "^@(%w+)", cpus = native.cpus(), threads = threads }
		events, violations = 0, {}
	end

	-- Steps that were undone, even if others have been made since.
	local function tell_rewind(step)
		emit { type = "rewind", step = step }
		events = step
		while #violations > 0 and violations[#violations] > step do
			violations[#violations] = nil
		end
	end

	function M.catch_up()
		local low = native.lowest()
		if not active then
			return
		elseif generation ~= native.generation() then
			generation = native.generation()
			tell_world()
		elseif low < events then
			tell_rewind(low)
		end
		for n = events + 1, native.steps() do
			local e = setmetatable(native.event(n), nil)
			e.type = "event"
			emit(e)
		end
		events = native.steps()
		while native.violation_at(#violations + 1) do
			local v = setmetatable(native.violation_at(#violations + 1), nil)
			v.type = "violation"
			emit(v)
			violations[#violations + 1] = v.step
		end
	end

	-- result: as of lua/scenario.lua
	function M.outcome(title, result)
		if not active then
			return
		end
		emit { type = "outcome", scenario = title or native.scenario(), verdict = result.verdict,
			status = result.status, steps = result.steps, bound = result.bound,
			violation = result.violation, waiting = json.array(result.waiting), schedule = schedule() }
	end

	-- What an exploration found, of the scenario `title`.
	function M.verdict(title, report, status)
		if not active then
			return
		end
		for _, v in ipairs(report.violations) do
			emit { type = "violation", scenario = title, kind = v.kind, message = v.message,
				thread = v.thread, other = v.other, step = v.step, schedule = v.schedule,
				execution = v.execution, seed = v.seed }
		end
		emit { type = "verdict", scenario = title, verdict = report.verdict, status = status,
			bound = report.bound, strategy = report.strategy, seed = report.seed,
			scope = report.scope, executions = report.executions, blocked = report.blocked,
			steps = report.steps, deepest = report.deepest, seconds = report.seconds,
			violations = #report.violations, outcomes = report.outcomes,
			example = report:example(), shown = report.shown }
	end

	-- The values of a line that was typed, as the shell prints them; what was wrong.
	function M.text(kind, text)
		if active then
			emit { type = kind, text = text }
		end
	end

	-- srcush stress: how a scenario did.
	function M.stressed(title, report, status)
		emit { type = "stress", scenario = title, verdict = report.verdict, status = status, rounds = report.rounds,
			seconds = report.seconds, seed = report.seed, blocked = report.blocked,
			violations = json.array(report.violations), outcomes = report.outcomes }
	end

	return M
end
