-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Ideal domains and plain RCU under memory models: never less than the guarantee, and no
-- more than it at the end of a section.

local tap = require("tap")

local MODELS = {"sc", "tso", "weak"}

-- A section that loads x, and loads or stores y; an updater that stores x, waits, and
-- stores or loads y.
local function guarantee(flavor, writes)
  return function()
    cpus(2)
    local ss = srcu.new("ss", {flavor = flavor})
    local x, y = var "x", var "y"
    local a, b = ghost("a", 0), ghost("b", 0)
    thread("reader", function()
      local idx = srcu_read_lock(ss)
      a.value = READ_ONCE(x)
      if writes then WRITE_ONCE(y, 1) else b.value = READ_ONCE(y) end
      srcu_read_unlock(ss, idx)
    end, {cpu = 0})
    thread("updater", function()
      WRITE_ONCE(x, 1)
      synchronize_srcu(ss)
      if writes then b.value = READ_ONCE(y) else WRITE_ONCE(y, 1) end
    end, {cpu = 1})
    finally(function()
      if writes then assert(a.value == 1 or b.value == 1) else assert(a.value == 1 or b.value == 0) end
    end)
  end
end

-- An object that is unpublished and freed, `how` it waits in between.
local function freed(how)
  return function()
    cpus(2)
    local ss = srcu.new("ss", {flavor = "ideal"})
    local p = ptr "p"
    thread("updater", function()
      local o = kmalloc("o", {count = 1})
      rcu_assign_pointer(p, o)
      rcu_assign_pointer(p, nil)
      if how == "call" then
        call_srcu(ss, function() kfree(o) end)
      elseif how == "barrier" then
        call_srcu(ss, function() end)
        srcu_barrier(ss)
        kfree(o)
      elseif how == "poll" then
        local cookie = start_poll_synchronize_srcu(ss)
        synchronize_srcu(ss)
        if poll_state_synchronize_srcu(ss, cookie) then kfree(o) end
      else
        if how == "wait" then synchronize_srcu(ss) end
        kfree(o)
      end
    end, {cpu = 0})
    thread("reader", function()
      local idx = srcu_read_lock(ss)
      local o = srcu_dereference(p, ss)
      if o then READ_ONCE(o "count") end
      srcu_read_unlock(ss, idx)
    end, {cpu = 1})
  end
end

local function rcu()
  local x, y = var "x", var "y"
  local a, b = ghost("a", 0), ghost("b", 0)
  thread("reader", function()
    rcu_read_lock()
    a.value = READ_ONCE(x)
    b.value = READ_ONCE(y)
    rcu_read_unlock()
  end)
  thread("updater", function()
    WRITE_ONCE(x, 1)
    synchronize_rcu()
    WRITE_ONCE(y, 1)
  end)
  finally(function() assert(a.value == 1 or b.value == 0) end)
end

for _, model in ipairs(MODELS) do
  local function is(verdict, scenario, what)
    local r = explore(scenario, {model = model})
    tap.is(r.verdict, verdict, ("%s: %s"):format(model, what))
    for _, v in ipairs(verdict == "ok" and r.violations or {}) do tap.diag(v.message) end
    return r
  end
  is("ok", guarantee("ideal", false), "sections that load")
  is("ok", guarantee("ideal", true), "sections that store")
  is("ok", rcu, "plain RCU")
  for _, how in ipairs {"wait", "call", "barrier", "poll"} do is("ok", freed(how), "freed, " .. how) end
  local r = is("violation", freed(), "freed without waiting")
  tap.is(r.violations[1] and r.violations[1].kind, "use-after-free", model .. ": use after free")
end

tap.done()
