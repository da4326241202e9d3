-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What `srcush bench --json` wrote, for the page of figures: rewrites the tables between
-- the markers of RESULTS.md, and draws an SVG of each benchmark that has one.
--
--	srcush bench/results.lua FIGURES.json RESULTS.md [DIRECTORY FOR PICTURES]

local figures, page, pictures = arg[1], arg[2], arg[3]
if not page then
	io.stderr:write("usage: srcush results.lua FIGURES.json RESULTS.md [DIRECTORY]\n")
	os.exit(2)
end

-- --- reading ---

-- The objects are flat and their strings need no escapes.
local function object(line)
	local o = {}
	for k, v in line:gmatch('"([^"]+)":"([^"]*)"') do
		o[k] = v
	end
	for k, v in line:gmatch('"([^"]+)":(%-?[%d.]+[-+%de]*)') do
		o[k] = tonumber(v)
	end
	if line:find('"reached":true', 1, true) then
		o.reached = true
	end
	return o
end

-- name -> { rows = {names}, columns = {numbers}, cell = {[row] = {[column] = object}}, ... }
local function read(path)
	local benches, known = {}, false
	for line in assert(io.lines(path)) do
		local o = object(line)
		if o.type == "header" then
			known = o.format == 1 and o.command == "bench"
		elseif o.type == "bench" then
			o.name, o.rows, o.at, o.cell, o.aims = o.bench, {}, {}, {}, {}
			benches[o.name] = o
		elseif o.type == "cell" then
			local b = benches[o.bench]
			local n = o[b.columns]
			if not b.cell[o.row] then
				b.cell[o.row] = {}
				b.rows[#b.rows + 1] = o.row
			end
			if b.rows[1] == o.row then
				b.at[#b.at + 1] = n
			end
			b.cell[o.row][n] = o
		elseif o.type == "aim" then
			table.insert(benches[o.bench].aims, o)
		end
	end
	assert(known, path .. " was not written by srcush bench --json")
	return benches
end

-- --- tables ---

local function number(v)
	if not v then
		return "-"
	elseif v >= 1e6 then
		return ("%.1f M"):format(v / 1e6)
	elseif v >= 1e4 then
		return ("%.0f k"):format(v / 1e3)
	end
	return (v >= 100 and "%.0f" or v >= 10 and "%.1f" or "%.2f"):format(v)
end

local function plural(b, n)
	return n .. " " .. (n == 1 and b.columns:gsub("s$", "") or b.columns)
end

local function table_of(b)
	local out = {}
	local function add(fmt, ...)
		out[#out + 1] = fmt:format(...)
	end
	add("%s, %s; medians of %d rounds%s:", b.title:gsub("^%l", string.upper), b.unit, b.rounds,
		b.base and ", ratios to " .. b.base or "")
	add("")
	local head, rule = "| |", "| --- |"
	for _, n in ipairs(b.at) do
		head = head .. (" %s | ratio |"):format(plural(b, n))
		rule = rule .. " ---: | ---: |"
	end
	add("%s", head)
	add("%s", rule)
	for _, row in ipairs(b.rows) do
		local line = "| " .. row .. " |"
		for _, n in ipairs(b.at) do
			local c = b.cell[row][n]
			line = line .. (" %s | %s |"):format(number(c.median), number(c.ratio))
		end
		add("%s", line)
	end
	for i, aim in ipairs(b.aims) do
		if i == 1 then
			add("")
		end
		local of = aim.of and " times " .. aim.of or " " .. b.unit
		if aim.of == aim.row then
			of = of .. " with " .. plural(b, aim["of_" .. b.columns])
		end
		add("- %s, %s: %s%s; aim: at %s %s, %s", aim.row, plural(b, aim[b.columns]),
			number(aim.value), of, b.better == "more" and "least" or "most", number(aim.bound),
			aim.reached and "reached" or "not reached")
	end
	return table.concat(out, "\n") .. "\n"
end

local function rewrite(path, benches)
	local f = assert(io.open(path))
	local text = f:read("a")
	f:close()
	for name, b in pairs(benches) do
		local new = table_of(b)
		local begins, ends = "<!-- bench " .. name .. " -->\n", "<!-- end of " .. name .. " -->"
		local _, from = text:find(begins, 1, true)
		local to = from and text:find(ends, from, true)
		if to then
			text = text:sub(1, from) .. new .. text:sub(to)
		end
	end
	f = assert(io.open(path, "w"))
	f:write(text)
	assert(f:close())
end

-- --- pictures ---

local WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 400, 60, 170, 30, 45
local colors = { "#888888", "#c00000", "#e07000", "#0050b0", "#00a0c0", "#7040b0", "#008040", "#a07840", "#505050", "#b0b000" }

local function draw(b, path)
	local low, high = math.huge, 0
	for _, row in ipairs(b.rows) do
		for _, n in ipairs(b.at) do
			local v = b.cell[row][n].median
			if v and v > 0 then
				low, high = math.min(low, v), math.max(high, v)
			end
		end
	end
	if high == 0 then
		return
	end
	-- whole powers of ten around all points
	local floor = math.floor(math.log(low, 10) + 1e-9)
	local decades = math.max(1, math.ceil(math.log(high, 10) - 1e-9) - floor)
	local function x(i)
		local steps = math.max(1, #b.at - 1)
		return LEFT + (WIDTH - LEFT - RIGHT) * (#b.at == 1 and 0.5 or (i - 1) / steps)
	end
	local function y(v)
		return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (math.log(v, 10) - floor) / decades
	end
	local out = {}
	local function add(fmt, ...)
		out[#out + 1] = fmt:format(...)
	end
	add('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">', WIDTH, HEIGHT)
	add('<rect width="100%%" height="100%%" fill="white"/>')
	add('<text x="%d" y="18" font-size="14">%s, %s</text>', LEFT, b.title, b.unit)
	for d = 0, decades do
		local v = 10.0 ^ (floor + d)
		add('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#dddddd"/>', LEFT, WIDTH - RIGHT, y(v), y(v))
		add('<text x="%d" y="%.1f" text-anchor="end">%s</text>', LEFT - 6, y(v) + 4, ("%.10g"):format(v))
	end
	for i, n in ipairs(b.at) do
		add('<text x="%.1f" y="%d" text-anchor="middle">%d</text>', x(i), HEIGHT - BOTTOM + 18, n)
	end
	add('<text x="%.1f" y="%d" text-anchor="middle">%s</text>', (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, b.columns)
	for r, row in ipairs(b.rows) do
		local color, points = colors[(r - 1) % #colors + 1], {}
		for i, n in ipairs(b.at) do
			local v = b.cell[row][n].median
			if v and v > 0 then
				points[#points + 1] = ("%.1f,%.1f"):format(x(i), y(v))
				add('<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>', x(i), y(v), color)
			end
		end
		add('<polyline points="%s" fill="none" stroke="%s" stroke-width="1.5"/>', table.concat(points, " "), color)
		local at = TOP + 8 + 18 * (r - 1)
		add('<line x1="%d" x2="%d" y1="%d" y2="%d" stroke="%s" stroke-width="3"/>', WIDTH - RIGHT + 20, WIDTH - RIGHT + 38, at, at, color)
		add('<text x="%d" y="%d">%s</text>', WIDTH - RIGHT + 44, at + 4, row)
	end
	add("</svg>")
	local f = assert(io.open(path, "w"))
	f:write(table.concat(out, "\n"), "\n")
	assert(f:close())
end

local benches = read(figures)
rewrite(page, benches)
for name, b in pairs(benches) do
	if pictures then
		draw(b, pictures .. "/native-" .. name .. ".svg")
	end
end
