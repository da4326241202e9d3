-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: the comments of SRCU name five barriers, A to E.  What is each of them for?
--
-- Shows: each is taken out, and the rest explored under three memory models, with a reader
-- and an updater on CPUs of their own; the same with gp_seq read and written plainly.
--
--	srcush barriers.lua			one reader, one updater
--	srcush barriers.lua two			two readers: some of it takes minutes
--	srcush barriers.lua wrap		counters of 3 bits, which wrap
--	srcush barriers.lua DIRECTORY		the same as without, on copies of a Linux source
--						tree of which the barriers are taken out

local FAULTS = {"no-mb-A", "no-mb-B", "no-mb-C", "no-mb-D", "no-mb-E", "plain-gp-seq"}
local MODELS = {"sc", "tso", "weak"}
local SECONDS = 300	-- that one exploration of `two` or `wrap` may take
local mode = arg[1] or "one"

-- ------------------------------------------------------------------ the kernel's own code

local FILE = "kernel/rcu/srcutree.c"
local copies

local function quoted(s) return "'" .. s:gsub("'", "'\\''") .. "'" end

local function contents(path)
  local f = assert(io.open(path))
  local text = f:read "a"
  f:close()
  return text
end

-- A copy of what is needed of the tree, without the barrier that the comment calls so.
local function without(dir, letter)
  local p = assert(io.popen "mktemp -d")
  local copy = p:read "l"
  p:close()
  copies = setmetatable({}, {__gc = function() os.execute("rm -rf " .. quoted(copy)) end, copies})
  assert(os.execute(("cd %s && tar -cf - Makefile include/linux/*rcu*.h kernel/rcu | tar -xf - -C %s")
                    :format(quoted(dir), quoted(copy))), "the tree cannot be copied")
  local text, n = contents(copy .. "/" .. FILE):gsub("smp_mb[%w_]*%(%);(%s*/%* " .. letter .. " %*/)", ";%1")
  assert(n > 0, "no barrier is called " .. letter .. " in " .. FILE)
  local f = assert(io.open(copy .. "/" .. FILE, "w"))
  f:write(text)
  f:close()
  return srcu.load_kernel(copy, {nr_cpus = 2})
end

local function options(fault)
  if mode == "one" or mode == "two" or mode == "wrap" then
    return {size = "small", faults = {fault}, counter_bits = mode == "wrap" and 3 or nil}
  end
  return {size = "small", kernel = fault and without(mode, fault:match ".$") or
                                   srcu.load_kernel(mode, {nr_cpus = 2})}
end

-- ------------------------------------------------------------------ scenarios

-- A section loads x, and then loads or stores y; the updater stores to x, waits, and then
-- stores or loads y.  Whatever a section does comes behind the begin of the grace period or
-- before its end: it must not miss what is stored before, and be missed behind it (or see
-- what is stored there).
local function sections(opts, readers, writes)
  return function()
    cpus(readers + 1)
    local ss = srcu.new("ss", opts)
    local x, y = var "x", var "y"
    local seen = {}
    for i = 1, readers do
      seen[i] = {x = ghost("x" .. i, 0), y = ghost("y" .. i, 0)}
      thread("reader" .. i, function()
        local idx = srcu_read_lock(ss)
        seen[i].x.value = READ_ONCE(x)
        if writes then WRITE_ONCE(y, i) else seen[i].y.value = READ_ONCE(y) end
        srcu_read_unlock(ss, idx)
      end, {cpu = i})
    end
    local after = ghost("after", 0)
    thread("updater", function()
      WRITE_ONCE(x, 1)
      synchronize_srcu_expedited(ss)
      if writes then after.value = READ_ONCE(y) else WRITE_ONCE(y, -1) end
    end, {cpu = 0})
    finally(function()
      for i = 1, readers do
        if writes then
          assert(readers > 1 or seen[i].x.value ~= 0 or after.value ~= 0)
        else
          assert(seen[i].x.value ~= 0 or seen[i].y.value ~= -1)
        end
      end
    end)
  end
end

-- One section is open all the time, others come and go: for the scan that misses their ends
-- they are 1 + 6 locks, and the section within synchronize_srcu() makes 8, which is 0.
local function wrapping(opts)
  return function()
    cpus(2)
    local ss = srcu.new("ss", opts)
    thread("reader", function()
      local idx = srcu_read_lock(ss)
      for _ = 1, 6 do
        local inner = srcu_read_lock(ss)
        srcu_read_unlock(ss, inner)
      end
      srcu_read_unlock(ss, idx)
    end, {cpu = 1})
    thread("updater", function() synchronize_srcu_expedited(ss) end, {cpu = 0})
  end
end

-- ------------------------------------------------------------------ the table

-- "seen": an assertion of the scenario fails; "gp": only an imagined access shows it.
local function verdict(scenario, model, long)
  local r = explore(scenario, {model = model, keep_going = not long,
                               time = long and SECONDS or nil})
  local kinds = {}
  for _, v in ipairs(r.violations) do kinds[v.kind] = true end
  if r.verdict == "incomplete" then return "?" end
  return kinds.assertion and "seen" or kinds["grace-period"] and "gp" or next(kinds) or "ok"
end

local function row(name, make)
  local cells = {}
  for i = 1, #make do
    for _, model in ipairs(MODELS) do
      cells[#cells + 1] = ("%-5s"):format(verdict(make[i], model, mode == "two" or mode == "wrap"))
    end
    cells[#cells + 1] = " "
  end
  print((("%-13s %s"):format(name, table.concat(cells, " ")):gsub("%s+$", "")))
end

if mode == "wrap" then
  print("              sc    tso   weak")
  row("(all there)", {wrapping(options())})
  row("no-mb-D", {wrapping(options "no-mb-D")})
  os.exit(0, true)
end

local readers = mode == "two" and 2 or 1
print("              sections that read  sections that write")
print("              sc    tso   weak    sc    tso   weak")
local function both(name, fault)
  local opts = options(fault)
  row(name, {sections(opts, readers, false), sections(opts, readers, true)})
end
both "(all there)"
for _, fault in ipairs(FAULTS) do
  if fault:find "^no" or mode == "one" or mode == "two" then both(fault, fault) end
end

if mode ~= "one" then os.exit(0, true) end
print [[

ok    every execution was looked at, and none is wrong
seen  the grace period is too short, and the threads themselves see it
gp    it is too short for a store that was imagined in the section

One reader and one updater, expedited, wide counters; sc, tso (x86) and weak
(the Linux-kernel memory model without load buffering).

B  (reader, behind the count) keeps the section behind the count.  Without it a
   load of the section may come before the count is seen by others: x86, too.
C  (reader, before the count) keeps the section before the count of its end.
   x86 never reorders that; under weak a store of the section may be missed.
   That a load of it comes after the count would take load buffering, which is
   not explored: so nothing is said about sections that only read.
A  (updater, between the sums) takes two readers to show, and weak: one comes
   and goes between the two sums, taken in the wrong order, and hides the other.
D  (updater, after the flip) takes counters that wrap (`wrap`: of 3 bits), and
   weak.  On x86 the spin lock that is taken next does the same.
E  (updater, before the flip): nothing shows, in any of it.  What it orders is
   loads before a store, so without load buffering nothing could.
plain-gp-seq  is a data race as soon as two threads call synchronize_srcu(), and
   compilers make of it what they like; its order is kept by other means.]]
