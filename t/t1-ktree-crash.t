-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What is wrong with a kernel tree's own code beside SRCU: that it crashes, that it never
-- comes to an end, that it forgets a lock.  Each is a violation where it stands.

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path
local tap = require("tap")
local kt = require("kerneltree")

local FILE = "kernel/rcu/srcutree.c"

local function scenario(K)
  return function()
    cpus(2)
    local ss = srcu.new("ss", {kernel = K})
    thread("reader", function()
      local idx = srcu_read_lock(ss)
      srcu_read_unlock(ss, idx)
    end)
    thread("writer", function() synchronize_srcu(ss) end)
  end
end

-- Explores the tree of that version with `to` as the first thing in `fn`.
local function edited(version, fn, to)
  return srcu.load_kernel(kt.copy(version, {{file = FILE, fn = fn, from = "\n{\n", to = "\n{\n" .. to .. "\n"}}))
end

local function found(version, what, fn, to, kind, pattern, executions)
  local r = explore(scenario(edited(version, fn, to)), {keep_going = true, max_executions = executions or 10})
  local seen

  for _, v in ipairs(r.violations) do
    if v.kind == kind and v.message:find(pattern) then seen = v end
  end
  tap.ok(seen, ("%s: %s is found"):format(version, what))
  if not seen then
    for _, v in ipairs(r.violations) do tap.diag(v.kind .. ": " .. v.message) end
    return
  end
  tap.ok(seen.thread == "reader" or seen.other == "reader", ("%s: %s: whose it is"):format(version, what))
end

kt.each(function(version, dir)
  local r = explore(scenario(srcu.load_kernel(dir)), {strategy = "random", max_executions = 200})
  tap.is(#r.violations, 0, version .. ": nothing is wrong with the tree as it is")

  found(version, "a plain access of NULL", "__srcu_read_unlock", "((struct srcu_struct *)0)->srcu_idx = 1;",
        "error", "^reader crashed in .*it followed a NULL pointer%.")
  found(version, "a marked access of NULL", "__srcu_read_unlock",
        "(void)READ_ONCE(((struct srcu_struct *)0)->srcu_idx);", "error",
        "^reader crashed in __srcu_read_unlock%(%) %(kernel/rcu/srcutree%.c:%d+%): it followed a NULL pointer%.")
  found(version, "a lock of NULL", "__srcu_read_unlock", "spin_lock_irq(&((struct srcu_data *)0)->lock);",
        "error", "^reader crashed in __srcu_read_unlock%(%)")
  found(version, "a function at NULL", "__srcu_read_unlock", "{ void (*volatile f)(void) = NULL; f(); f = NULL; }",
        "error", "^reader crashed in .*it followed a NULL pointer%.")
  if version == "6.12" then -- seconds each: in one tree they are enough
    found(version, "an endless loop of plain reads", "__srcu_read_unlock", "for (;;) { barrier(); if (!ssp->sda) break; }",
          "error", "^reader loops in __srcu_read_unlock%(%) %(kernel/rcu/srcutree%.c:%d+%): after step", 2)
    found(version, "a loop without an access", "__srcu_read_unlock", "for (;;) barrier();", "error",
          "^reader loops.*: it has run for seconds without a step%.", 2)
  end
  found(version, "a plain write without a lock", "__srcu_read_unlock", "{ unsigned i = ssp->srcu_idx; barrier(); ssp->srcu_idx = i; }",
        "data-race", "__srcu_read_unlock, kernel/rcu/srcutree%.c:%d+")
end, function(version, why)
  tap.skip(("kernel tree %s: %s"):format(version, why))
end)

tap.done()
