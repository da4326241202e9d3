-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: KVM mirrors a process's page tables and is told by MMU notifiers when
-- pages go away.  When may who unsubscribes free what the operations use?
--
-- Shows: mmu_notifier_unregister() and mmu_notifier_put() against an invalidation that
-- is under way; and a subscription that is freed too early.  The notifiers are a library
-- that scripts may require: lua/mmu_notifier.lua.
--
--	srcush mmu-notifier.lua

local mn = require "mmu_notifier"

local function say(format, ...)
  print((format:format(...)))
end

local function title(text, mark)
  say("\n%s\n%s", text, string.rep(mark or "-", #text))
end

-- The lines of a long text, none wider than the page.
local function wrapped(text)
  local line = " "
  for word in text:gmatch("%S+") do
    if #line + #word > 78 then
      print(line)
      line = " "
    end
    line = line .. " " .. word
  end
  print(line)
end

-- A process, a device that mirrors it, somebody who unmaps a page; `leave` is how the
-- device's driver goes.
local function scenario(leave)
  world()
  cpus(2)
  local mm = mn.mm_alloc("mm")
  ptr("process.mm", mm) -- whose reference it is
  local sub = mn.subscription("device", {
    invalidate_range_start = function(sub) WARN_ON(sub.users > 1) end,
    release = function() end,
    free_notifier = function(sub) kfree(sub) end,
  })
  thread("setup", function() mn.mmu_notifier_register(sub, mm) end)
  run()
  thread("unmap", function()
    mn.mmu_notifier_invalidate_range_start(mm, {first = 0x1000, last = 0x1fff})
    mn.mmu_notifier_invalidate_range_end(mm, {first = 0x1000, last = 0x1fff})
  end, {cpu = 0})
  thread("driver", function() leave(sub, mm) end, {cpu = 1})
  return mm
end

-- The one who unmaps stops in the device's operation.
local function in_operation(leave)
  local mm = scenario(leave)
  run_until("unmap", function() return pending("unmap").object == "device.users" end)
  finish("driver")
  say("An invalidation is in the device's operation; the driver is %s.  Then:\n",
      (status("driver")))
  local violation = run().violations[1]
  if violation then
    wrapped(violation.message)
  else
    say("  No violation; the driver is %s, and the mm has %d reference.", (status("driver")),
        READ_ONCE(mm'mm_count'))
  end
end

local function unregister(sub, mm)
  mn.mmu_notifier_unregister(sub, mm)
  kfree(sub)
end

local function put(sub)
  mn.mmu_notifier_put(sub)
end

local function put_and_free(sub)
  mn.mmu_notifier_put(sub)
  kfree(sub)
end

print [[
A device stops mirroring a process
==================================
  mmu_notifier_unregister(sub, mm)     mmu_notifier_put(sub)
  -----------------------------------  ----------------------------------------
  in a section: sub->ops->release()    spin_lock(&subscriptions->lock)
  spin_lock; unlink; spin_unlock       unlink
  synchronize_srcu(&srcu)              spin_unlock(&subscriptions->lock)
  mmdrop(mm)                           call_srcu(): free_notifier(); mmdrop(mm)]]

title("1. mmu_notifier_unregister(), then kfree()")
in_operation(unregister)

title("2. mmu_notifier_put(): free_notifier() frees")
in_operation(put)

title("3. mmu_notifier_put(), then kfree()")
in_operation(put_and_free)

title("Verdict", "=")

local function violations(leave)
  local n, RUNS = 0, 100
  for seed = 1, RUNS do
    scenario(leave)
    if #run{policy = "random", seed = seed}.violations > 0 then n = n + 1 end
  end
  return n
end

say("100 schedules at random:\n")
say("  %-29s  %10s", "the driver leaves by", "violations")
say("  %s  %s", ("-"):rep(29), ("-"):rep(10))
say("  %-29s  %10d", "unregister, then kfree()", violations(unregister))
say("  %-29s  %10d", "put, freed by free_notifier()", violations(put))
say("  %-29s  %10d", "put, then kfree()", violations(put_and_free))
print [[

mmu_notifier_unregister() returns when no operation of the subscription runs any
more, and none will: what they use may be freed, and with it the subscription.
mmu_notifier_put() does not wait.  What it gives back is freed by
free_notifier(), from a callback that runs when the grace period is over; until
then operations may still be called.  The callback gives up the reference to the
mm as well, so the mm lives as long as anybody who could be told about it.]]
