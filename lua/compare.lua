-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Two implementations of SRCU on the same schedules.  What is chosen has a name in both:
-- which thread makes its next call, which worker a pass, when the workers do all that
-- they can.  How many steps that takes is each one's own affair; what can be seen after
-- each choice is compared.  lua/compare_cli.lua is the command.

local ipairs, table, tostring, tonumber, error, math = ipairs, table, tostring, tonumber, error, math
local setmetatable = setmetatable



return function(native, build)
	-- How many choices a schedule may have, and how many runs it may take to shorten one.
	local M = { max_choices = 2000, max_trials = 600 }
	local c = native.compare

	-- splitmix64 (Steele, Lea, Flood, OOPSLA 2014)
	local function rng(seed)
		local s = seed
		return function(n)
			s = s + 0x9e3779b97f4a7c15
			local z = s
			z = (z ~ (z >> 30)) * 0xbf58476d1ce4e5b9
			z = (z ~ (z >> 27)) * 0x94d049bb133111eb
			z = z ~ (z >> 31)
			return (z >> 1) % n + 1
		end
	end

	-- ------------------------------------------------------------ one run

	local Run = {}
	Run.__index = Run

	-- Builds the world of scenario `s` anew, of the implementation `impl`: {kernel = K or nil}.
	function M.start(s, impl, opts)
		c.use(impl.kernel)
		build(s, opts)
		local run = setmetatable({ seqs = {}, marks = 0, heads = {}, posts = 0, violations = 0 }, Run)
		run.first = run:look("start")
		return run
	end

	-- Sequence numbers are seen from where the domain began.
	function Run:relative(name, seq)
		self.seqs[name] = self.seqs[name] or seq
		return seq - self.seqs[name]
	end

	-- What a call gave.  Heads are called by the number of their call_srcu().
	function Run:result(m)
		if m.kind == "index" or m.kind == "poll" or m.kind == "cleanup" then
			return tostring(m.value)
		elseif m.kind == "cookie" then
			local seq = self.seqs[m.object]
			return seq and ("start %+d"):format(m.value - seq) or "a cookie"
		elseif m.kind == "post" and m.value == 0 then
			return "refused"
		end
	end

	-- One mark in words, or nil for what no script asked for.
	function Run:told(m)
		local object = m.object or ""
		if m.kind == "drain" then
			return
		elseif m.kind == "post" and not m.over then
			self.posts = self.posts + 1
			self.heads[m.value] = self.posts
			return
		elseif m.kind == "callback" then
			local n = self.heads[m.value]
			return n and not m.over and ("callback %d of %s"):format(n, object) or nil
		elseif m.over then
			local value = self:result(m)
			return ("%s(%s)%s"):format(m.call, object, value and " = " .. value or "")
		end
	end

	-- What was called, and what was found wrong, since the last time.
	function Run:events()
		local list, marks = {}, nil
		marks, self.marks = c.calls(self.marks)
		for _, m in ipairs(marks) do
			local text = self:told(m)
			if text then
				list[#list + 1] = { who = m.thread, text = text }
			end
		end
		for _, v in ipairs(c.violations(self.violations)) do
			self.violations = self.violations + 1
			list[#list + 1] = { who = v.thread or "nobody", text = "violation: " .. v.kind, message = v.message }
		end
		return list
	end

	-- Of a thread that is in a call, or about to make one, which.
	local function thread_text(t)
		if not t.call then
			return t.state
		end
		return t.state == "ready" and t.call or t.state .. " in " .. t.call
	end

	function Run:domain_fields(d)
		if d.gone then
			return { { "", d.gone } }
		end
		local f = {}
		local function add(name, value)
			if value then
				f[#f + 1] = { name, tostring(value) }
			end
		end
		add("", d.gp_state)
		add("idx", d.idx)
		add("seq", d.gp_seq and ("%+d"):format(self:relative(d.name, d.gp_seq)))
		for idx = 0, 1 do
			local locks, unlocks = d["locks" .. idx], d["unlocks" .. idx]
			add(("[%d]"):format(idx), locks and (unlocks and ("%d-%d"):format(locks, unlocks) or locks))
		end
		add("cbs", d.queued)
		return f
	end

	-- Everything that is compared, after the choice `choice`.
	function Run:look(choice, ended)
		local view = { choice = choice, ended = ended, threads = {}, domains = {} }
		local domains = c.domains()
		for _, d in ipairs(domains) do
			if not d.gone and d.gp_seq then
				self:relative(d.name, d.gp_seq)
			end
		end
		view.events = self:events()
		self.tasks = c.tasks()
		local ready = {}
		for _, t in ipairs(self.tasks) do
			if not t.background then
				view.threads[#view.threads + 1] = { name = t.name, text = thread_text(t) }
			elseif t.state == "ready" then
				ready[#ready + 1] = t.name
			end
		end
		table.sort(ready)
		view.ready = table.concat(ready, " ")
		for _, d in ipairs(domains) do
			view.domains[#view.domains + 1] = { name = d.name, fields = self:domain_fields(d) }
		end
		return view
	end



	-- May the thread be given the n-th of what it chooses from?
	function Run:offers(name, n)
		for _, t in ipairs(self.tasks) do
			if t.name == name then
				return t.choices and n >= 1 and n <= t.choices
			end
		end
	end

	-- Does what was chosen; how that ended.
	function Run:choose(choice)
		local name, how = choice:match("^([^=]+)=(%w+)$")
		local ended
		if choice == "*" then
			ended = c.background()
		elseif how and how ~= "index" and not (how:find("^%d+$") and self:offers(name, tonumber(how))) then
			ended = "missing"
		else
			ended = c.leg(name or choice, how == "index" and how or "", how and tonumber(how) or 0)
		end
		if ended == "interrupted" or ended == "endless" then
			error({ ended = ended, choice = choice }, 0)
		end
		return ended
	end

	-- ------------------------------------------------------------ choosing

	-- What could be done now, each as often as it is to be likely.
	local function moves(run, pick)
		local list, busy = {}, false
		for _, t in ipairs(run.tasks) do
			if t.state == "ready" then
				if t.background then
					busy = true
					list[#list + 1] = t.name
				else
					local name = t.name
					if t.choices then
						name = ("%s=%d"):format(name, pick(t.choices))
					elseif t.index and pick(4) == 1 then
						name = name .. "=index"
					end
					list[#list + 1] = name
					list[#list + 1] = name
				end
			end
		end
		if busy then
			list[#list + 1] = "*"
			list[#list + 1] = "*"
		end
		return list
	end

	-- Nobody can move any more, or a violation has been found: how it all ends.  Another
	-- implementation than the one whose choices these are may have something left to do.
	function Run:finish()
		if self.violations == 0 then
			self:choose("*")
		end
		local outcome = c.finish()
		local view = self:look("the end")
		view.outcome = outcome
		return view
	end

	-- Runs a schedule of its own choice: its choices, and a view after each.
	function M.sample(s, impl, opts, seed)
		local run, pick = M.start(s, impl, opts), rng(seed)
		local choices, views, cut = {}, { run.first }, false
		while run.violations == 0 do
			local list = moves(run, pick)
			if #list == 0 then
				break
			elseif #choices == M.max_choices then
				cut = true
				break
			end
			local choice = list[pick(#list)]
			choices[#choices + 1] = choice
			views[#views + 1] = run:look(choice, run:choose(choice))
		end
		if not cut then
			views[#views + 1] = run:finish()
		end
		return choices, views, cut
	end

	-- Runs that schedule, to its end where it is `complete`.  Gives the views; with
	-- `dropping`, what cannot be done is left out: then the choices that were made, too, and
	-- the number of the first that was not.
	function M.follow(s, impl, opts, choices, complete, dropping)
		local run = M.start(s, impl, opts)
		local views, made, dropped = { run.first }, {}, nil
		for i, choice in ipairs(choices) do
			if run.violations > 0 then
				break
			end
			local ended = run:choose(choice)
			if dropping and (ended == "missing" or ended == "cannot") then
				dropped = dropped or i
			else
				made[#made + 1] = choice
				views[#views + 1] = run:look(choice, ended)
			end
		end
		if complete or run.violations > 0 then
			views[#views + 1] = run:finish()
		end
		return views, made, dropped
	end

	-- ------------------------------------------------------------ comparing

	local function events_text(view)
		local list = {}
		for i, e in ipairs(view.events) do
			list[i] = e.who .. ": " .. e.text
		end
		return list
	end

	local function domain_text(d)
		local list = {}
		for i, f in ipairs(d.fields) do
			list[i] = (f[1] == "" and "" or f[1] .. " ") .. f[2]
		end
		return table.concat(list, "  ")
	end
	M.domain_text = domain_text

	-- Two lists of texts: what differs first, or nil.
	local function lists(what, a, b)
		for i = 1, math.max(#a, #b) do
			if a[i] ~= b[i] then
				return { what = what, left = a[i] or "nothing", right = b[i] or "nothing" }
			end
		end
	end

	local function fields(a, b)
		local has = {}
		for _, f in ipairs(b.fields) do
			has[f[1]] = f[2]
		end
		if (#a.fields == 1) ~= (#b.fields == 1) then	-- one of them is gone
			return { what = a.name, left = domain_text(a), right = domain_text(b) }
		end
		for _, f in ipairs(a.fields) do	-- what only one of them has says nothing
			local other = has[f[1]]
			if other and other ~= f[2] then
				return { what = a.name .. " " .. (M.names[f[1]] or f[1]), left = f[2], right = other }
			end
		end
	end

	M.names = { [""] = "gp_state", idx = "srcu_idx", seq = "gp_seq since the start",
		["[0]"] = "locks and unlocks of index 0", ["[1]"] = "locks and unlocks of index 1",
		cbs = "callbacks queued" }

	-- What differs first between two views, or nil.
	local function differ(a, b)
		local d = lists("what was called and returned", events_text(a), events_text(b))
		for i = 1, d and 0 or math.max(#a.threads, #b.threads) do
			local x, y = a.threads[i], b.threads[i]
			if not x or not y or x.name ~= y.name then
				return { what = "threads", left = x and x.name or "nothing", right = y and y.name or "nothing" }
			elseif x.text ~= y.text then
				return { what = x.name, left = x.text, right = y.text }
			end
		end
		for i = 1, d and 0 or math.max(#a.domains, #b.domains) do
			local x, y = a.domains[i], b.domains[i]
			if not x or not y or x.name ~= y.name then
				return { what = "domains", left = x and x.name or "nothing", right = y and y.name or "nothing" }
			end
			d = fields(x, y)
			if d then
				return d
			end
		end
		if not d and a.ready ~= b.ready then
			d = { what = "what can run", left = a.ready, right = b.ready }
		end
		if not d and a.outcome ~= b.outcome then
			d = { what = "outcome", left = tostring(a.outcome), right = tostring(b.outcome) }
		end
		return d
	end

	-- The first difference: {what=, left=, right=, at= (index of the view)}, or nil.
	function M.first(left, right)
		for i = 1, math.max(#left, #right) do
			if not left[i] or not right[i] then
				return { what = "the end", at = i, left = left[i] and left[i].choice or "nothing",
					right = right[i] and right[i].choice or "nothing" }
			end
			local d = differ(left[i], right[i])
			if d then
				d.at = i
				return d
			end
		end
	end

	return M
end
