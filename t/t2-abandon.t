-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Worlds that are dropped somewhere in their middle, under a collector that never
-- rests, leave nothing behind: no memory, no memory map, no OS thread.  Nor do a tenth
-- as many (but 1,000) on real threads.  t/lib/abandon.lua makes and drops them.
--
-- How many it takes by itself is a matter of time: 20,000; under AddressSanitizer,
-- whose leak checker sees every lost block at the end, 50,000 (a minute); under
-- ThreadSanitizer, whose own memory grows, 2,000.  ABANDONED_WORLDS=N asks for another
-- number: .ci/run makes all 100,000 in its leg gcc, and 20,000 in its leg asan.

local tap = require("tap")

local srcush = os.getenv("SRCUSH") or "srcush"
local top = os.getenv("top_srcdir") or "."
local sanitizers = os.getenv("SRCUSH_SANITIZERS") or ""
local asan, tsan = sanitizers:find("asan"), sanitizers:find("tsan")

local worlds = tonumber(os.getenv("ABANDONED_WORLDS") or asan and 50000 or tsan and 2000 or 20000)

local function quote(s)
	return "'" .. s:gsub("'", "'\\''") .. "'"
end

-- How worlds must have stood when they were dropped, else little was tested.
local wanted = {
	"ready", "done", "failed", "mutex", "completion", "cond_wait", "synchronize_srcu",
	"synchronize_srcu_expedited", "srcu_barrier", "callback", "coroutine", "gsub", "sort",
	"load", "kvm_vm_ioctl_set_msr_filter", "waiting for a call",
}

-- What is freed goes back soon, so that it cannot be taken for a leak.
local asan_options = (os.getenv("ASAN_OPTIONS") or "") .. ":quarantine_size_mb=8"

local function test(carrier, n, rss_slack)
	local pipe = assert(io.popen(("ASAN_OPTIONS=%s %s -E --carrier %s %s %d 2>&1"):format(
		quote(asan_options), quote(srcush), carrier, quote(top .. "/t/lib/abandon.lua"), n)))
	local text = pipe:read("a")
	local what = ("%d worlds on %s carriers"):format(n, carrier)
	if not tap.ok(pipe:close(), what .. ": the process ends well" .. (asan and ", no leak" or "")) then
		tap.diag(text:sub(-4000))
	end
	local held = {}
	for key, rss, threads, maps, lua in
		text:gmatch("(%w+): rss (%d+) threads (%d+) maps (%d+) lua (%d+)") do
		held[key] = {rss = tonumber(rss), threads = tonumber(threads), maps = tonumber(maps),
			lua = tonumber(lua)}
	end
	local a, b = held.warm, held["end"]
	if not tap.ok(a and b, what .. ": say what they hold") then
		return
	end
	local function flat(key, unit, slack)
		tap.ok(b[key] <= a[key] + slack, ("%s: %s are flat (%d after a tenth, %d at the end)"):format(
			what, unit, a[key], b[key]))
	end
	flat("threads", "OS threads", 0)
	-- one collection more or less, and what a table or a cache grew by in its time
	flat("lua", "Lua's bytes", 24 * 1024)
	if not tsan then
		-- a stack more is two: the world with the most threads may come late
		flat("maps", "memory maps", asan and 40 or 8)
		flat("rss", "resident KiB", rss_slack * (asan and 10 or 1))
	end
	if n >= 10000 then
		for _, how in ipairs(wanted) do
			tap.ok(text:find("seen:\t" .. how .. "\t", 1, true), what .. ": dropped with a thread: " .. how)
		end
	end
end

test("fiber", worlds, 1024)
-- parked OS threads keep the stacks of their first worlds
test("pthread", math.max(worlds // 10, 1000), 2048)
tap.done()
