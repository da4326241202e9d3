-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- srcush compare: the same schedules on two implementations (lua/compare.lua), the first
-- difference, shortened, with what both did until then side by side.

local compare, json = require("compare"), require("json")
local wrap = require("words").wrap
local ipairs, table, print, pcall, type, tostring, error = ipairs, table, print, pcall, type, tostring, error
local math, collectgarbage = math, collectgarbage

local OK, ERROR, USAGE, DIFFERENCE, BOUND, INTERRUPTED = 0, 1, 2, 3, 4, 130

local EXECUTIONS = 100
local END = "=end"		-- of a schedule: on, until nobody can move
local LAST = 16			-- choices that the table shows, of a long schedule
local NAME, CELL = 22, 27	-- its columns

return function(native, scenario, tools)
	local fail, call, counted, quoted = tools.fail, tools.call, tools.counted, tools.quoted
	local lockstep

	-- ------------------------------------------------------------ the two

	local function kernel(dir)
		local ok, k = pcall(native.compare.kernel, dir)
		if not ok then
			tools.stop()
			fail(USAGE, "%s", k)
		end
		return { kernel = k, title = "Linux " .. k.version, dir = dir }
	end

	local function implementations(opts)
		local first = kernel(opts.kernel)
		if not opts.kernel2 then
			return { title = "srcush" }, first
		end
		local second = kernel(opts.kernel2)
		if first.title == second.title then
			for _, impl in ipairs { first, second } do
				impl.short = impl.dir:match("([^/]+)/*$") or impl.dir
				impl.title = ("%s (%s)"):format(impl.title, impl.dir)
			end
		end
		return first, second
	end

	-- ------------------------------------------------------------ runs

	-- fn(...) of lua/compare.lua; what goes wrong in it ends the command.
	local function guarded(s, fn, ...)
		local r = table.pack(pcall(fn, ...))
		if r[1] then
			return table.unpack(r, 2, r.n)
		end
		local e = r[2]
		if type(e) == "table" and e.ended then
			tools.stop()
			fail(ERROR, "%s: no end of what '%s' begins", s.title, e.choice)
		elseif type(e) == "table" then
			error(e, 0)
		end
		tools.stop()
		fail(ERROR, "%s: %s", s.title, (tostring(e):gsub("^%%(lua/%%a+%%.lua%%):%%d+: ", "")))
	end

	-- One schedule on both: the difference or nil, its choices, both lists of views.
	local function try(s, pair, opts, seed)
		local choices, left, cut = guarded(s, lockstep.sample, s, pair[1], opts, seed)
		local right = guarded(s, lockstep.follow, s, pair[2], opts, choices, not cut)
		return lockstep.first(left, right), choices, left, right, cut
	end

	-- The same of a given one.
	local function try_schedule(s, pair, opts, choices, complete)
		local left, made, dropped = guarded(s, lockstep.follow, s, pair[1], opts, choices, complete, true)
		local right = guarded(s, lockstep.follow, s, pair[2], opts, made, complete)
		return lockstep.first(left, right), made, left, right, dropped
	end

	-- ------------------------------------------------------------ the shortest

	local function without(choices, from, to)
		local list = {}
		for i, choice in ipairs(choices) do
			if i < from or i > to then
				list[#list + 1] = choice
			end
		end
		return list
	end

	-- Leaves out what is not needed for a difference in the same thing.
	local function shorten(s, pair, opts, found)
		local best, trials = found, 0
		local function attempt(choices)
			trials = trials + 1
			local d, made, left, right = try_schedule(s, pair, opts, choices, best.complete)
			if not d or d.what ~= found.d.what or #made >= #best.choices then
				return false
			end
			best = { d = d, choices = made, left = left, right = right, complete = best.complete }
			return true
		end
		if found.d.at <= #found.choices then	-- what came after it
			best.complete = false
			best.choices = without(found.choices, found.d.at, #found.choices)
		end
		local size = math.max(#best.choices // 2, 1)
		while size >= 1 and trials < lockstep.max_trials do
			local at, shorter = #best.choices - size + 1, false
			while at >= 1 - size + 1 and trials < lockstep.max_trials do
				shorter = attempt(without(best.choices, math.max(at, 1), at + size - 1)) or shorter
				at = math.min(at - size, #best.choices - size + 1)
			end
			if not shorter or size > 1 then
				size = size // 2
			end
		end
		local d, made, left, right = try_schedule(s, pair, opts, best.choices, best.complete)
		return { d = d or best.d, choices = made, left = left, right = right, complete = best.complete }
	end

	-- ------------------------------------------------------------ the table

	local function cells(mark, name, a, b)
		local function split(text, width)
			local lines = {}
			for line in (wrap(text, "", width) .. "\n"):gmatch("(.-)\n") do
				repeat
					lines[#lines + 1] = line:sub(1, width)
					line = line:sub(width + 1)
				until line == ""
			end
			return lines
		end
		local n, x, y = split(name, NAME), split(a, CELL), split(b, CELL)
		for i = 1, math.max(#n, #x, #y) do
			local row = ("%s %-" .. NAME .. "s %-" .. CELL .. "s %s"):format(i == 1 and mark or " ",
				n[i] or "", x[i] or "", y[i] or "")
			print((row:gsub(" +$", "")))
		end
	end

	local function texts(view, before)
		local list = {}
		local function add(name, text)
			if not before or before[name] ~= text then
				list[#list + 1] = { name, text }
			end
			list[name] = text
		end
		for i, e in ipairs(view and view.events or {}) do
			list[#list + 1] = { e.who .. ":", e.text }
		end
		for _, t in ipairs(view and view.threads or {}) do
			add(t.name .. " is", t.text)
		end
		for _, d in ipairs(view and view.domains or {}) do
			add(d.name, lockstep.domain_text(d))
		end
		if view then
			add("to be run", view.ready == "" and "nothing" or view.ready)
		end
		if view and view.outcome then
			add("outcome", view.outcome)
		end
		return list
	end

	-- Rows of two lists of {name, text}, those of the same name beside one another.
	local function rows(a, b)
		local list, used = {}, {}
		for _, x in ipairs(a) do
			local row = { x[1], x[2], "" }
			for j, y in ipairs(b) do
				if not used[j] and y[1] == x[1] then
					used[j], row[3] = true, y[2]
					break
				end
			end
			list[#list + 1] = row
		end
		for j, y in ipairs(b) do
			if not used[j] then
				list[#list + 1] = { y[1], "", y[2] }
			end
		end
		return list
	end

	local function print_table(pair, f)
		local n = math.max(#f.left, #f.right)
		local from = math.max(f.d.at - LAST, 1)
		local last_left, last_right
		cells(" ", "", pair[1].short or pair[1].title, pair[2].short or pair[2].title)
		for i = 1, math.min(n, f.d.at) do
			local l, r = f.left[i], f.right[i]
			local a, b = texts(l, last_left), texts(r, last_right)
			last_left, last_right = a, b
			if i >= from then
				local n = i == 1 and "at the start" or (l or r).choice == "the end" and "at the end"
					or ("%d. %s"):format(i - 1, (l or r).choice)
				print((i == f.d.at and "! " or "  ") .. n)
				for _, row in ipairs(rows(a, b)) do
					cells(row[2] ~= row[3] and i == f.d.at and "!" or " ", "  " .. row[1], row[2], row[3])
				end
			elseif i == from - 1 then
				print("   ...")
			end
		end
	end

	-- ------------------------------------------------------------ the command

	local function command_line(s, opts, choices, complete)
		local words = { "srcush compare" }
		for _, dir in ipairs { opts.kernel, opts.kernel2 } do
			words[#words + 1] = "--kernel " .. quoted(dir)
		end
		if opts.cpus then
			words[#words + 1] = "--cpus " .. opts.cpus
		end
		words[#words + 1] = quoted(s.title)
		words[#words + 1] = "'" .. table.concat(choices, " ") .. (complete and " " .. END or "") .. "'"
		return table.concat(words, " ")
	end

	local function where(f)
		local view = f.left[f.d.at] or f.right[f.d.at]
		if f.d.at == 1 or view.choice == "the end" then
			return ("%s, at %s"):format(f.d.what, f.d.at == 1 and "the start" or view.choice)
		end
		return ("%s, after choice %d (%s)"):format(f.d.what, f.d.at - 1, view.choice)
	end

	local function worse(a, b)
		return (a == DIFFERENCE or b == DIFFERENCE) and DIFFERENCE or math.max(a, b)
	end

	local function tell(s, pair, opts, f, seed)
		if opts.json then
			local view = f.left[f.d.at] or f.right[f.d.at]
			native.json(json.encode { type = "difference", scenario = s.title, seed = seed, at = f.d.at - 1,
				choice = view.choice, what = f.d.what, left = f.d.left, right = f.d.right,
				schedule = table.concat(f.choices, " ") .. (f.complete and " " .. END or "") })
			return
		end
		print(("%s: difference%s\n  in %s\n  %s: %s\n  %s: %s"):format(s.title,
			seed and (" (seed %d)"):format(seed) or "", where(f), pair[1].title, f.d.left, pair[2].title, f.d.right))
		if opts.quiet then
			return
		end
		print()
		print_table(pair, f)
		print("\nTo see it again:\n  " .. command_line(s, opts, f.choices, f.complete) .. "\n")
	end

	-- Has it anything to compare, with both?
	local function has_domains(s, pair, opts)
		local n = 0
		for _, impl in ipairs(pair) do
			n = math.max(n, #lockstep.start(s, impl, opts).first.domains)
		end
		return n > 0
	end

	local function summary(s, pair, opts, r)
		if opts.json then
			native.json(json.encode { type = "verdict", scenario = s.title, left = pair[1].title,
				right = pair[2].title, executions = r.executions, choices = r.choices,
				differences = r.differences, cut = r.cut,
				status = r.status, bound = r.cut > 0 and ("choices %d"):format(lockstep.max_choices) or nil,
				verdict = ({ [OK] = "ok", [BOUND] = "incomplete", [DIFFERENCE] = "difference" })[r.status] })
		elseif r.differences > 0 then
			print(("%s: %s differ in %d of %s"):format(s.title, pair[1].title .. " and " .. pair[2].title,
				r.differences, counted(r.executions, "schedule")))
		else
			print(("%s: %s and %s agree on %s, %s%s"):format(s.title, pair[1].title, pair[2].title,
				counted(r.executions, "schedule"), counted(r.choices, "choice"),
				r.cut > 0 and ("; %d had more than %d and were cut"):format(r.cut, lockstep.max_choices) or ""))
		end
	end

	local function sample(s, pair, opts, seed, r)
		local d, choices, left, right, cut = try(s, pair, opts, seed)
		r.executions, r.choices = r.executions + 1, r.choices + #choices
		r.cut = r.cut + (cut and 1 or 0)
		if d then
			r.differences = r.differences + 1
			local f = { d = d, choices = choices, left = left, right = right, complete = not cut }
			tell(s, pair, opts, shorten(s, pair, opts, f), seed)
		end
	end

	-- SCHEDULE: its choices, and whether it goes on until nobody can move.
	local function parse(schedule)
		local choices, complete = {}, false
		for word in schedule:gmatch("%S+") do
			if complete then
				fail(USAGE, "schedule: nothing comes after '%s'", END)
			end
			complete = word == END
			choices[#choices + 1] = not complete and word or nil
		end
		return choices, complete
	end

	local function given(s, pair, opts, r)
		local choices, complete = parse(opts.schedule)
		local d, made, left, right, dropped = try_schedule(s, pair, opts, choices, complete)
		if dropped then
			fail(USAGE, "schedule: choice %d, '%s', cannot be made", dropped, choices[dropped])
		end
		r.executions, r.choices = 1, #made
		if d then
			r.differences = 1
			tell(s, pair, opts, { d = d, choices = made, left = left, right = right, complete = complete })
		end
	end

	local function compare_one(s, pair, opts)
		local r = { executions = 0, choices = 0, differences = 0, cut = 0 }
		if not guarded(s, has_domains, s, pair, opts) then
			return
		end
		if opts.schedule then
			given(s, pair, opts, r)
		end
		local first = opts.seed or 1
		for seed = first, first + (opts.schedule and 0 or opts.max_executions or EXECUTIONS) - 1 do
			sample(s, pair, opts, seed, r)
			tools.stop()
			if r.differences > 0 and not opts.keep_going then
				break
			end
		end
		r.status = r.differences > 0 and DIFFERENCE or r.cut > 0 and BOUND or OK
		summary(s, pair, opts, r)
		return r.status
	end

	return function(spec, opts)
		local status = OK
		scenario.report.begin("compare", spec, opts)
		local list = scenario.find(spec)
		if opts.schedule and #list > 1 then
			list = { scenario.find_one(spec) }
		end
		lockstep = compare(native, function(s, o)
			scenario.build(s, { cpus = o.cpus })
		end)
		local pair = { implementations(opts) }
		local compared = 0
		for _, s in ipairs(list) do
			local one = compare_one(s, pair, opts)
			compared = compared + (one and 1 or 0)
			if not one and #list > 1 and not opts.quiet and not opts.json then
				print(("%s: left out: it makes no srcu_struct"):format(s.title))
			end
			status = worse(status, one or OK)
			if status == DIFFERENCE and not opts.keep_going then
				break
			end
		end
		if compared == 0 then
			fail(USAGE, "%s: there is nothing to compare: no srcu_struct is made", spec)
		end
		return status
	end
end
