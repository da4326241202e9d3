-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: a module puts a callback on an SRCU notifier chain.  When it goes, may it
-- free its notifier block as soon as srcu_notifier_chain_unregister() returns?
--
-- Shows: callers who sleep in a callback while another one leaves; the same without
-- the grace period; and a callback that unregisters itself.  The chain is a library
-- that scripts may require: lua/srcu_notifier.lua.
--
--	srcush srcu-notifier.lua

local notifier = require "srcu_notifier"

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

-- Taken off the chain, and nobody waited for.
local function unregister_without_waiting(chain, nb)
  mutex_lock(chain.mutex)
  local link = chain.head
  while rcu_dereference_protected(link, true) ~= nb do
    link = rcu_dereference_protected(link, true)'next'
  end
  rcu_assign_pointer(link, nb.next)
  mutex_unlock(chain.mutex)
end

-- Three blocks; a caller who goes through them; a module that leaves with the second.
local function scenario(unregister)
  world()
  cpus(2)
  local chain = notifier.srcu_init_notifier_head("chain")
  local calls, blocks = {}, {}
  for i, name in ipairs {"first", "second", "last"} do
    blocks[i] = notifier.notifier_block(name, function(nb)
      yield()
      calls[#calls + 1] = ("%s (priority %d)"):format(name, nb.priority)
      return notifier.NOTIFY_OK
    end, 4 - i)
  end
  thread("setup", function()
    for _, nb in ipairs(blocks) do notifier.srcu_notifier_chain_register(chain, nb) end
  end)
  run()
  thread("caller", function() notifier.srcu_notifier_call_chain(chain, 0) end, {cpu = 0})
  thread("module", function()
    unregister(chain, blocks[2])
    kfree(blocks[2])
  end, {cpu = 1})
  return calls
end

-- The caller stops in the module's callback.
local function in_callback(unregister)
  local calls = scenario(unregister)
  for _ = 1, 2 do
    step("caller")
    run_until("caller", function() return pending("caller").op == "yield" end)
  end
  finish("module")
  return calls
end

print [[
When may a notifier block be freed?
===================================
  srcu_notifier_chain_unregister()     srcu_notifier_call_chain()
  -----------------------------------  ----------------------------------------
  mutex_lock(&nh->mutex)               idx = srcu_read_lock(&nh->srcu)
  unlink the block                     for each block, by falling priority:
  mutex_unlock(&nh->mutex)                 next = its link
  synchronize_srcu(&nh->srcu)              its callback, which may sleep
                                       srcu_read_unlock(&nh->srcu, idx)]]

title("1. As in Linux 6.12")
do
  local calls = in_callback(notifier.srcu_notifier_chain_unregister)
  say("The caller is in the module's callback; the module is %s.  Both go on:\n",
      (status("module")))
  local n = #run().violations
  for _, call in ipairs(calls) do say("  called: %s", call) end
  say("  Violations: %d; the module is %s.", n, (status("module")))
end

title("2. Without the grace period")
in_callback(unregister_without_waiting)
say("The caller is in the module's callback; the module is %s.  Both go on:\n",
    (status("module")))
wrapped(run().violations[1].message)

title("3. A callback that unregisters itself")
do
  world()
  local chain = notifier.srcu_init_notifier_head("chain")
  local nb
  nb = notifier.notifier_block("nb", function()
    notifier.srcu_notifier_chain_unregister(chain, nb)
  end)
  thread("setup", function() notifier.srcu_notifier_chain_register(chain, nb) end)
  run()
  thread("caller", function() notifier.srcu_notifier_call_chain(chain, 0) end)
  wrapped(run().violations[1].message)
end

title("Verdict", "=")
print [[
Yes: unregistering waits for everybody who could be in the callback, however
long it sleeps.  A caller who stands on the block when it is unlinked finds the
rest of the chain, because the block keeps its own link.  The price is that a
callback may not unregister anything from the chain that it is called by: it
would wait for itself.]]
