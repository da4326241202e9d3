-- SPDX-License-Identifier: GPL-2.0-or-later
-- Litmus tests whose verdicts are known: with the ideal SRCU all of them, with the tree
-- those that are quickly over.

local tap = require("tap")
package.path = (os.getenv("top_srcdir") or ".") .. "/t/lib/?.lua;" .. package.path
local score = require("litmus-score")

local dir, why = score.find()
if not dir then
	print("1..0 # SKIP " .. why)
	os.exit(0, true)
end
local rows = score.index(dir)
-- with the tree: every fourth of those with SRCU that have few processes, and all others
local quick, small = {}, 0
for _, r in ipairs(rows) do
	local srcu = r.constructs:find("srcu", 1, true)
	if srcu and tonumber(r.processes) <= 2 then small = small + 1 end
	if not srcu or (tonumber(r.processes) <= 2 and small % 4 == 0) then quick[#quick + 1] = r end
end

-- States that need load buffering, in a test whose verdict does not.
local buffering = { ["C-PaulEMcKenney-psc+sr-po-srcu.litmus"] = true }

for _, model in ipairs { "sc", "tso", "weak" } do
	local opts = { model = model, srcu = "ideal", time = 30 }
	local r = score.run(dir, rows, opts)
	print("# " .. score.line(opts, r))
	tap.same(r.list.forbidden, {}, model .. ", ideal: nothing forbidden is seen")
	tap.same(r.list.omitted, {}, model .. ", ideal: what the model allows is seen")
	tap.same(r.list.skipped, {}, model .. ", ideal: every test runs")
	tap.same(r.list.undecided, {}, model .. ", ideal: every test is exhaustive")
	local deadlocks = {}
	for _, row in ipairs(rows) do
		local s = r.said[row.file]
		if s and s.deadlock ~= (row.deadlock == "yes") then deadlocks[#deadlocks + 1] = row.file end
	end
	tap.same(deadlocks, {}, model .. ", ideal: deadlocks are told apart")
	if model == "weak" then
		-- the final states themselves are as many as the model allows, but for those that
		-- need load buffering
		local more, fewer = {}, {}
		for _, row in ipairs(rows) do
			local n, known = r.said[row.file].states, tonumber(row.states_lkmm)
			if known and n > known then more[#more + 1] = row.file end
			if known and n < known and row.needs_lb == "no" and not buffering[row.file] then
				fewer[#fewer + 1] = row.file
			end
		end
		tap.same(more, {}, "weak, ideal: no state that the model forbids")
		tap.same(fewer, {}, "weak, ideal: all states that the model allows in order")
	end
end
for _, model in ipairs { "sc", "tso", "weak" } do
	local opts = { model = model, srcu = "tree", time = 1 }
	local r = score.run(dir, quick, opts)
	print("# " .. score.line(opts, r))
	tap.same(r.list.forbidden, {}, model .. ", tree: nothing forbidden is seen")
	tap.same(r.list.omitted, {}, model .. ", tree: what can be shown is seen")
	tap.same(r.list.skipped, {}, model .. ", tree: every test runs")
end
tap.done()
