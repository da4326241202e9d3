-- SPDX-License-Identifier: GPL-2.0-or-later
-- A corpus of litmus tests with an index of known verdicts, run and scored: what agrees,
-- what is stronger than the memory model, what is left out, what is forbidden and seen.

local score = {}

-- Where the corpus is, or nil and why not.
function score.find()
	local top = os.getenv("top_srcdir") or "."
	local dir = os.getenv("SRCUSH_LITMUS_CORPUS") or top .. "/../shared/litmus"
	local f = io.open(dir .. "/index.tsv")
	if not f then
		return nil, "no corpus of litmus tests at " .. dir .. " (SRCUSH_LITMUS_CORPUS says where)"
	end
	f:close()
	return dir
end

-- The rows of the index, each by the names of its columns.
function score.index(dir)
	local rows, names = {}, nil
	for line in io.lines(dir .. "/index.tsv") do
		local row, i = {}, 0
		for cell in (line .. "\t"):gmatch("(.-)\t") do
			i = i + 1
			row[names and names[i] or i] = cell
		end
		if names then rows[#rows + 1] = row else names = row end
	end
	return rows
end

local function field(line, name)
	return line:match('"' .. name .. '":"(.-)"') or line:match('"' .. name .. '":([%w.]+)')
end

-- What srcush says of each file.
local function run(dir, rows, opts)
	local list = {}
	for i, r in ipairs(rows) do list[i] = "'" .. dir .. "/" .. r.file .. "'" end
	local p = assert(io.popen(("'%s' litmus --json --model %s %s --srcu %s --time %g %s 2>/dev/null"):format(
		os.getenv("SRCUSH") or "./srcush", opts.model, opts.promises and "--promises" or "", opts.srcu, opts.time or 10, table.concat(list, " "))))
	local said = {}
	for line in p:lines() do
		local file = field(line, "file")
		if file then
			said[file:match("[^/]*$")] = {
				observation = field(line, "observation"), complete = field(line, "complete") == "true",
				positive = tonumber(field(line, "positive")), negative = tonumber(field(line, "negative")),
				seconds = tonumber(field(line, "seconds")), score = field(line, "score"),
				deadlock = field(line, "deadlock") == "true", flags = line:match('"flags":%[(.-)%]') or "",
				states = select(2, line:gsub('"state":', "")),
			}
		end
	end
	p:close()
	return said
end

local columns = { sc = "sc", tso = "tso", weak = "inorder" }

-- With promises a model is all that the index expects; the column says what barriers leave of it.
local function column(opts)
	return opts.promises and "lkmm" or columns[opts.model]
end

-- The verdict that can be shown at most.
local function bound(r, opts)
	local mb = r["v_mb_" .. column(opts)]
	if opts.srcu == "tree" and mb and mb ~= "" then return mb end
	return opts.promises and r.expected or r["v_" .. column(opts)]
end

local function judge(r, s, opts)
	if not s or s.score == "skipped" or s.score == "bad" then return "skipped" end
	if r.flags:find("data-race", 1, true) then
		return s.flags:find("data-race", 1, true) and "agreed" or s.complete and "omitted" or "undecided"
	end
	if r.expected == "Never" and s.positive > 0 or r.expected == "Always" and s.negative > 0 then
		return "forbidden"
	end
	if s.observation == r.expected and (s.complete or r.expected == "Sometimes") then return "agreed" end
	if not s.complete then return "undecided" end
	return bound(r, opts) == r.expected and "omitted" or "stronger"
end

-- What the tree SRCU never shows although its barriers alone would allow it, and why.
score.explained = {
	["C-isa2+rl-o-o-rul+rl-o-o-rul+o-srcu-o-srcu.litmus"] = "P0 is not waited for only where it read the index "
		.. "that P2's grace period stored, or counted itself after P1's end was seen: the first is load "
		.. "buffering, the second a circle of full barriers",
}

score.kinds = { "agreed", "stronger", "omitted", "forbidden", "skipped", "undecided" }

-- opts: model=, promises=, srcu=, time=.  Gives counts by kind; list[kind], the files; and figures.
function score.run(dir, rows, opts)
	local said = run(dir, rows, opts)
	local result = { list = {}, complete = 0, times = {}, seconds = 0, said = said }
	for _, k in ipairs(score.kinds) do result[k], result.list[k] = 0, {} end
	for _, r in ipairs(rows) do
		local s = said[r.file]
		local k = judge(r, s, opts)
		result[k] = result[k] + 1
		table.insert(result.list[k], r.file)
		if s and s.seconds then
			result.complete = result.complete + (s.complete and 1 or 0)
			table.insert(result.times, s.seconds)
			result.seconds = result.seconds + s.seconds
		end
	end
	table.sort(result.times)
	return result
end

function score.line(opts, result)
	local parts, t = {}, result.times
	for _, k in ipairs(score.kinds) do parts[#parts + 1] = k .. " " .. result[k] end
	return ("%s, %s SRCU: %s; %d complete, %.1f s, median %.3f s, 95th percentile %.3f s"):format(
		opts.model .. (opts.promises and " with promises" or ""), opts.srcu, table.concat(parts, ", "), result.complete, result.seconds,
		t[(#t + 1) // 2] or 0, t[(#t * 95 + 99) // 100] or 0)
end

return score
