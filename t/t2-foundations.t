-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The laws on which everything stands, held against each example's worlds under
-- random schedules: both carriers give the same events byte for byte; threads do
-- not notice when independent neighbouring steps are swapped; going back and
-- stepping again changes nothing.  t/lib/worlds.lua does the work, once for each
-- carrier.

local tap = require("tap")

local srcush = os.getenv("SRCUSH") or "srcush"
local top = os.getenv("top_srcdir") or "."
-- sanitizers make it slow
local seeds = (os.getenv("SRCUSH_SANITIZERS") or "") ~= "" and 1 or 3

local function quote(s)
  return "'" .. s:gsub("'", "'\\''") .. "'"
end

local function output_of(carrier, example)
  local pipe = assert(io.popen(("%s -E --carrier %s %s %s %d 2>&1"):format(quote(srcush), carrier,
    quote(top .. "/t/lib/worlds.lua"), quote(example), seeds)))
  local text = pipe:read("a")
  local ok = pipe:close()
  return text, ok
end

local function examples()
  local list = {}
  local pipe = assert(io.popen("ls " .. quote(top .. "/examples") .. "/*.lua"))
  for path in pipe:lines() do list[#list + 1] = path end
  pipe:close()
  return list
end

local list = examples()
tap.ok(#list >= 7, "there are examples to try")

local swapped, went_back = 0, 0
for _, path in ipairs(list) do
  local name = path:match("([^/]+)%.lua$")
  local fiber, ok = output_of("fiber", path)
  tap.ok(ok, name .. ": random schedules on fibers")
  if not ok then tap.diag(fiber:sub(-2000)) end
  local real, ok2 = output_of("pthread", path)
  tap.ok(ok2, name .. ": random schedules on pthreads")
  tap.ok(fiber == real, name .. ": the same events on both carriers, byte for byte")
  local broken = {}
  for line in fiber:gmatch("NOT ok:[^\n]*") do broken[#broken + 1] = line end
  tap.is(table.concat(broken, "\n"), "", name .. ": swapping and going back change nothing")
  for n in fiber:gmatch("\nswaps %d+ held (%d+)") do swapped = swapped + tonumber(n) end
  for _ in fiber:gmatch("\nback %d+ of") do went_back = went_back + 1 end
end
tap.ok(swapped > 100, ("%d swaps were tried and held"):format(swapped))
tap.ok(went_back > 100, ("went back %d times"):format(went_back))
tap.done()
