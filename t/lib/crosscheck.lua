-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Compares what two strategies say of the same scenario: outcomes, violations, and
-- how many executions they took for it.  The naive enumeration of all interleavings is
-- what the other one is checked against.
--
--	local crosscheck = require("crosscheck")
--	local result = crosscheck.compare(scenario, {strategy = "dpor", most = 20000})
--	-- result.skipped: too many interleavings; result.differences: a list of texts

local M = {}

-- What is compared of a report, as a set of lines.
local function findings(r)
  local set = {}
  for text in pairs(r.outcomes) do set["outcome: " .. text] = true end
  for _, v in ipairs(r.violations) do
    set[("violation: %s of %s"):format(v.kind, v.thread or "nobody")] = true
  end
  return set
end

-- What is in a and not in b, sorted.
local function missing(a, b, how, list)
  local lines = {}
  for text in pairs(a) do
    if not b[text] then lines[#lines + 1] = how .. " " .. text end
  end
  table.sort(lines)
  table.move(lines, 1, #lines, #list + 1, list)
end

-- opts: strategy (what is compared with naive), most (interleavings that naive may
-- take), samples (executions of a sampling strategy), seed, count (the scenario's
-- steps depend on one another by their locations alone: its traces can be counted),
-- redundant (equal executions may be seen more than once)
function M.compare(scenario, opts)
  local naive = explore(scenario, { strategy = "naive", keep_going = true, max_executions = opts.most })
  if naive.bound then return { skipped = true, naive = naive } end
  local other = explore(scenario, { strategy = opts.strategy, keep_going = true, seed = opts.seed,
                                    max_executions = opts.samples })
  local d = {}
  missing(findings(other), findings(naive), "only " .. opts.strategy .. ":", d)
  if not opts.subset then missing(findings(naive), findings(other), "only naive:", d) end
  if opts.strategy == "dpor" then
    if other.bound then d[#d + 1] = "dpor was cut: " .. other.bound end
    if other.executions > naive.executions and not opts.redundant then
      d[#d + 1] = ("dpor took %d executions, naive %d"):format(other.executions, naive.executions)
    end
    if opts.count and other.executions ~= naive.traces then
      d[#d + 1] = ("dpor took %d executions, there are %d traces"):format(other.executions, naive.traces)
    end
  end
  return { differences = d, naive = naive, other = other }
end

return M
