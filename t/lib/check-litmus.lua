-- SPDX-License-Identifier: GPL-2.0-or-later
-- make check-litmus: the whole corpus under each model, with the ideal and the tree SRCU.

package.path = (os.getenv("top_srcdir") or ".") .. "/t/lib/?.lua;" .. package.path
local score = require("litmus-score")

local dir, why = score.find()
if not dir then
	print("skipped: " .. why)
	return
end
local rows, failed = score.index(dir), false
for _, srcu in ipairs { "ideal", "tree" } do
	for _, model in ipairs { "sc", "tso", "weak", "promises" } do
		local promises = model == "promises"
		local opts = { model = promises and "weak" or model, promises = promises, srcu = srcu, time = tonumber(os.getenv("SRCUSH_LITMUS_TIME") or "10") }
		local r = score.run(dir, rows, opts)
		print(score.line(opts, r))
		for _, k in ipairs { "omitted", "forbidden", "skipped", "undecided" } do
			for _, f in ipairs(r.list[k]) do
				local why = k == "omitted" and srcu == "tree" and score.explained[f]
				print("  " .. k .. ": " .. f .. (why and " (" .. why .. ")" or ""))
			end
		end
		failed = failed or r.forbidden > 0
	end
end
if failed then os.exit(3, true) end
