-- Scenarios on OS threads: what is right passes, what is wrong is seen, and what is not
-- available there says so.
--
-- SPDX-License-Identifier: GPL-2.0-or-later

local tap = require "tap"

-- An updater that replaces what a reader reads; `wait` comes before the free.
local function publish(flavor, wait)
	return function()
		local ss = srcu.new("ss", { flavor = flavor })
		local p = ptr("p", kmalloc("old", { v = 1 }))
		thread("reader", function()
			local idx = srcu_read_lock(ss)
			assert(srcu_dereference(p, ss).v >= 1)
			srcu_read_unlock(ss, idx)
		end)
		thread("updater", function()
			local old = rcu_replace_pointer(p, kmalloc("new", { v = 2 }), true)
			wait(ss, old)
		end)
	end
end

local function synchronize(ss, old)
	synchronize_srcu(ss)
	kfree(old)
end

local function callback(ss, old)
	call_srcu(ss, function() kfree(old) end)
	srcu_barrier(ss)
end

for _, flavor in ipairs { "tree", "fast" } do
	for name, wait in pairs { synchronize = synchronize, callback = callback } do
		local r = stress(publish(flavor, wait), { seconds = 0.2, seed = 7 })
		local v = r.violations[1]
		tap.is(r.verdict, "ok", flavor .. ", " .. name .. (v and ": " .. v.message or ""))
		tap.ok(r.rounds > 0 and r.executions == r.rounds and r.seed == 7, "there were rounds")
	end
end

local function seen(name, kind, scenario, reproduced)
	local r = stress(scenario, { seconds = 60, reproduce = reproduced and 10 or 0 })
	tap.is(r.violations[1] and r.violations[1].kind, kind, name)
	if reproduced then
		tap.ok(r.violations[1].schedule, "and explore() finds it, too")
	end
end

seen("free without waiting", "use-after-free", publish("tree", function(_, old) kfree(old) end), true)
seen("free twice", "double-free", function()
	local o = kmalloc("o")
	for i = 1, 2 do
		thread("t" .. i, function() kfree(o) end)
	end
end, true)
seen("never freed", "leak", function()
	thread("t", function() kmalloc("o") end)
end)
seen("an unlock is missing", "unbalanced-unlock", function()
	local ss = srcu.new("ss")
	thread("t", function() srcu_read_lock(ss) end)
end)
seen("a wrong index", "unbalanced-unlock", function()
	local ss = srcu.new("ss")
	thread("t", function() srcu_read_unlock(ss, srcu_read_lock(ss) ~ 1) end)
end)
seen("a grace period waits for itself", "self-deadlock", function()
	local ss = srcu.new("ss")
	thread("t", function()
		srcu_read_lock(ss)
		synchronize_srcu(ss)
	end)
end)
seen("locks in two orders", "deadlock", function()
	local a, b = mutex("a"), mutex("b")
	local function both(first, second)
		return function()
			mutex_lock(first)
			mutex_lock(second)
			mutex_unlock(second)
			mutex_unlock(first)
		end
	end
	thread("t", both(a, b))
	thread("u", both(b, a))
end)
seen("a lost update", "assertion", function()
	local x = var("x")
	for i = 1, 2 do
		thread("t" .. i, function() WRITE_ONCE(x, READ_ONCE(x) + 1) end)
	end
	finally(function() assert(READ_ONCE(x) == 2) end)
end)
seen("a thread that makes no step is ended, whatever it catches", "assertion", function()
	thread("t", function()
		while true do
			pcall(function() while true do end end)
		end
	end)
	thread("u", function() assert(false) end)
end)

do
	local r = stress(function()
		local c, x = completion("c"), var("x")
		local w = work("w", function() atomic_inc(x) end)
		thread("t", function()
			queue_work(w)
			flush_work(w)
			complete(c)
		end)
		thread("u", function()
			wait_for_completion(c)
			cond_wait(function() return READ_ONCE(x) == 1 end)
		end)
		outcome(function() return { x = READ_ONCE(x) } end)
	end, { seconds = 0.1 })
	tap.is(r.outcomes["x=1"], r.rounds, "waiting, work items and outcomes")
end

do
	local r = stress(function()
		local o = kmalloc("o", { n = 0 })
		thread("t", function() atomic_inc(o'n') end)
	end, { seconds = 0.05 })
	tap.is(r.verdict, "ok", "an object that the scenario made for itself is no leak")
end

local ok, why = pcall(stress, function() irq("i", 0, print) end)
tap.ok(not ok and why:find("irq is not available on real threads", 1, true), "what is not available is named")
do	-- of several scenarios those are run that can be
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  file:write([[
local function sections(flavor)
  return function()
    local ss = srcu.new("ss", {flavor = flavor})
    thread("reader", function() srcu_read_unlock(ss, srcu_read_lock(ss)) end)
    thread("writer", function() synchronize_srcu(ss) end)
  end
end
return {ideal = sections("ideal"), tiny = sections("tiny"),
        irq = function() irq("i", 0, print) end,
        leak = function() thread("t", function() kmalloc("o") end) end}
]])
  file:close()
  local quoted = "'" .. name .. "'"
  local function gives(which, want, pattern)
    local p = io.popen(("%s stress --time 0.1 --quiet %s%s 2>&1; echo status $?"):format(os.getenv("SRCUSH") or "./srcush", quoted, which))
    local text = p:read("a")
    p:close()
    tap.like(text, pattern, "stress FILE" .. which)
    tap.is(text:match("status (%d+)"), want, "stress FILE" .. which .. ": status")
  end
  gives("", "3", "ideal: ok:.*:irq: not run: .*irq is not available on real threads.*violation: leak")
  gives(":ideal", "0", "no proof")
  gives(":irq", "2", "irq is not available on real threads")
  os.remove(name)
end
tap.ok(explore(publish("tree", synchronize), { max_executions = 1 }), "the vocabulary is as it was")
tap.done()
