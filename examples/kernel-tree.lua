-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: is that so in the kernel, too?  srcush's own SRCU is written to be read;
-- what the kernel does, only the kernel's code can say.
--
-- Shows: the SRCU of a Linux source tree of one's own, compiled as it stands.  A grace
-- period is stepped, with the kernel's own files and lines, then one reader and one
-- synchronize_srcu() are explored in every interleaving.
--
--	srcush kernel-tree.lua DIRECTORY	(or SRCUSH_KERNEL_TREE=DIRECTORY)

local function say(format, ...)
  print((format:format(...)))
end

local dir = arg[1] or os.getenv("SRCUSH_KERNEL_TREE")
if not dir then
  say([[
This example needs a Linux source tree and a C compiler:

    srcush %s DIRECTORY

Of the tree it takes the Makefile, kernel/rcu and include/linux; a git checkout will
do, or what a distribution packages.  On Debian:

    apt-get install linux-source-6.12 gcc
    tar -xf /usr/src/linux-source-6.12.tar.xz
    srcush %s linux-source-6.12]], arg[0], arg[0])
  os.exit(0)
end

local K = srcu.load_kernel(dir)
say("Linux %s, %s SRCU.  Its parameters are", K.version, K.variant)
for name, value in pairs(K.params) do say("  %s = %s", name, value) end

-- A reader looks at an object that the updater takes away and frees.
local function scenario()
  cpus(2)
  local ss = srcu.new("ss", {kernel = K})
  local p = ptr("p", kmalloc("old", {n = 1}))
  thread("reader", function()
    local idx = srcu_read_lock(ss)
    local o = srcu_dereference(p, ss)
    if o then assert(READ_ONCE(o'n') == 1) end
    srcu_read_unlock(ss, idx)
  end, {cpu = 0})
  thread("updater", function()
    local old = rcu_replace_pointer(p, nil, true)
    synchronize_srcu(ss)
    kfree(old)
  end, {cpu = 1})
  outcome(function() return status("reader") .. ", " .. status("updater") end)
end

-- Runs fn, and lists the writes to the domain's own memory that it led to.
local seen = 0
local function act(title, fn)
  say("\n%s\n%s", title, string.rep("-", #title))
  assert(fn())
  for _, e in ipairs(trace(math.maxinteger)) do
    local writes = e.op == "store" or e.op == "rmw" or e.op == "cpu-add"
    if e.n > seen and writes and (e.object or ""):find("^ss%.") then
      say("  %4d  %-14s %-42s %s:%d", e.n, e.thread, e.object, e.file, e.line)
    end
    seen = math.max(seen, e.n)
  end
end

world(scenario)
act("The reader enters", function() return run_until("reader", function()
  return pending("reader").call ~= "srcu_read_lock" and #trace() > 0
end) end)
act("The updater asks for a grace period", function() return run_until("updater", "SCAN1") end)
act("The reader leaves", function() return finish("reader") end)
act("The first scan, and the flip", function() return run_until("updater", "SCAN2") end)
say("")
show("ss")
act("The second scan, and the callback", function() return finish("updater") or run() end)
assert(#run().violations == 0)

say("\nEvery interleaving of the two")
say("-----------------------------")
local report = explore(scenario)
say("%s", report)
for text, n in pairs(report.outcomes) do say("  %d times %s", n, text) end
if report.violations[1] then report:show() end

say([[

One of the schedules that were tried, from its start to its end:
  %s]], report:example())
