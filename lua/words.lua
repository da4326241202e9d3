-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Words and lines, for everything that speaks to a person: paragraphs that are
-- wrapped, and the name that somebody may have meant.

local ipairs, math, string, table = ipairs, math, string, table

local M = {}

M.WIDTH = 78

-- The text with line breaks at blanks; each line begins with `indent`.
function M.wrap(text, indent, width)
	local lines, line = {}, indent
	for word in text:gmatch("%S+") do
		if #line + 1 + #word > (width or M.WIDTH) and line ~= indent then
			lines[#lines + 1] = line
			line = indent
		end
		line = line == indent and indent .. word or line .. " " .. word
	end
	lines[#lines + 1] = line
	return table.concat(lines, "\n")
end

-- With its full stop, unless it is a question.
function M.sentence(text)
	return text:match("[?!]$") and text or text .. "."
end

-- `left`, then the text in a column that begins at `column`, wrapped.
function M.columns(left, text, column)
	local body = M.wrap(text, (" "):rep(column))
	if #left + 1 < column then
		return left .. body:sub(#left + 1)
	end
	return left .. "\n" .. body
end

-- How many letters must change to make b of a; two that have changed places count
-- as one.
function M.distance(a, b)
	local before, above, row = nil, nil, {}
	for j = 0, #b do
		row[j] = j
	end
	for i = 1, #a do
		before, above, row = above, row, { [0] = i }
		for j = 1, #b do
			local cost = a:byte(i) == b:byte(j) and 0 or 1
			row[j] = math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + cost)
			if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
				row[j] = math.min(row[j], before[j - 2] + 1)
			end
		end
	end
	return row[#b]
end

-- The nearest of the names if at most `most` letters differ (a third of them
-- unless given); capitals count little.
function M.nearest(name, names, most)
	local best, least
	most = most or math.max(1, #name // 3)
	for _, n in ipairs(names) do
		if math.abs(#n - #name) <= most then
			local d = M.distance(name:lower(), n:lower())
			if d <= most and (not least or d < least or (d == least and n < best)) then
				best, least = n, d
			end
		end
	end
	return best
end

-- "; did you mean X?", or nothing.
function M.suggestion(name, names, most)
	local best = M.nearest(name, names, most)
	return best and ("; did you mean %s?"):format(best) or ""
end

return M
