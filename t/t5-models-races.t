-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Data races under memory models: what is ordered under sc by nothing but the values of
-- marked accesses is not for the kernel's model, and what locks, completions, conditions,
-- work items, the making of threads and grace periods order is no race.

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path
local tap = require("tap")

local function message(store, load)
  return function()
    local d, f = var "d", var "f"
    thread("w", function() d:set(1) store(f, 1) end)
    thread("r", function() if load(f) == 1 then d:get() end end)
  end
end

-- Two threads that add to a variable plainly, on one CPU or on two.
local function adds(one, make, before, after)
  return function()
    local o, d = make and make(), var "d"
    for t = 1, 2 do
      thread("t" .. t, function()
        if before(o) == false then return end
        d:set(d:get() + 1)
        after(o)
      end, {cpu = one and 0 or t - 1})
    end
  end
end

local function lock() return spinlock "l" end

local function completes()
  local c, d = completion "c", var "d"
  thread("a", function() d:set(1) complete(c) end)
  thread("b", function() wait_for_completion(c) d:get() end)
end

local function condition(store)
  return function()
    local f, d = var "f", var "d"
    thread("a", function() d:set(1) store(f, 1) end)
    thread("b", function() cond_wait(function() return READ_ONCE(f) == 1 end) d:get() end)
  end
end

local function makes()
  local d = var "d"
  thread("a", function() d:set(1) thread("k", function() d:set(2) end) end)
end

local function works()
  local d = var "d"
  local w = work("w", function() d:set(2) end)
  thread("a", function() d:set(1) queue_work(w) flush_work(w) d:get() end)
end

local function publishes(assign)
  return function()
    local ss, p = srcu.new("ss", {size = "small"}), ptr "p"
    thread("a", function()
      local o = kmalloc("o", {v = 0}, {static = true})
      o.v = 1
      assign(p, o)
    end)
    thread("b", function()
      local idx = srcu_read_lock(ss)
      local o = srcu_dereference(p, ss)
      local _ = o and o.v
      srcu_read_unlock(ss, idx)
    end)
  end
end

-- A section that reads plainly what is written behind a grace period, if it came first.
local function waits(sync)
  return function()
    local ss, d, gone = srcu.new("ss", {size = "small"}), var "d", var "gone"
    thread("u", function()
      WRITE_ONCE(gone, 1)
      if sync then synchronize_srcu_expedited(ss) end
      d:set(1)
    end)
    thread("r", function()
      local idx = srcu_read_lock(ss)
      if READ_ONCE(gone) == 0 then d:get() end
      srcu_read_unlock(ss, idx)
    end)
  end
end

local cases = {
  {"release and acquire", message(smp_store_release, smp_load_acquire)},
  {"a message without barriers", message(WRITE_ONCE, READ_ONCE), race = true},
  {"release alone", message(smp_store_release, READ_ONCE), race = true},
  {"nothing at all", adds(false, nil, function() end, function() end), race = true, sc = true},
  {"a spinlock", adds(false, lock, spin_lock, spin_unlock)},
  {"a spinlock on one CPU", adds(true, lock, spin_lock, spin_unlock)},
  {"a spinlock that is tried", adds(false, lock, spin_trylock, spin_unlock)},
  {"preemption off on one CPU", adds(true, nil, preempt_disable, preempt_enable)},
  {"preemption off on two CPUs", adds(false, nil, preempt_disable, preempt_enable), race = true, sc = true},
  {"a completion", completes},
  {"a condition made true by a release", condition(smp_store_release)},
  {"a condition made true by a store", condition(WRITE_ONCE), race = true},
  {"a thread that is made", makes},
  {"a work item that is queued and flushed", works},
  {"a pointer that is published", publishes(rcu_assign_pointer)},
  {"a pointer that is only stored", publishes(WRITE_ONCE), race = true},
  {"a grace period", waits(true)},
  {"no grace period", waits(false), race = true},
}

for _, case in ipairs(cases) do
  for _, model in ipairs { "tso", "weak" } do
    local r = explore(case[2], { model = model })
    local kind = r.violations[1] and r.violations[1].kind
    tap.is(kind or r.verdict, case.race and "data-race" or "ok", case[1] .. ", " .. model)
  end
  if case.sc then tap.is(explore(case[2]).verdict, "violation", case[1] .. ", sc") end
end

tap.done()
