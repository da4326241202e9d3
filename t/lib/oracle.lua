-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- For tests of the oracles: scenarios that must be found wrong, and legal ones that
-- must pass whatever the interleaving.

local tap = require("tap")

-- Each seed is another interleaving.
local SEEDS = 40

-- Builds a world and runs it; gives its violations.
local function violations(scenario, opts)
	world(scenario)
	return run(opts).violations
end

-- The scenario's only violation is of this kind and says this.
local function wrong(scenario, kind, message, what)
	local v = violations(scenario)
	tap.is(v[1] and v[1].kind, kind, what)
	tap.like(v[1] and v[1].message, message, what .. ": says so")
	tap.is(#v, 1, what .. ": once")
	return v[1]
end

-- No interleaving that was tried has a violation.
local function legal(scenario, what)
	local kind, message, seed
	for s = 0, SEEDS do
		local v = violations(scenario, s > 0 and { policy = "random", seed = s } or nil)[1]
		if v then kind, message, seed = v.kind, v.message, s break end
	end
	if not tap.ok(not kind, what) then
		tap.diag(("seed %d: %s: %s"):format(seed, kind, message))
	end
end

return { violations = violations, wrong = wrong, legal = legal }
