-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Kernel trees in scripts, on the command line and at the prompt: options, errors,
-- parameters, reloading, and that worlds of them are as repeatable as others.

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path
local tap = require("tap")
local kt = require("kerneltree")
local sh = require("sh")

local SRCUSH = os.getenv("SRCUSH") or "./srcush"
local quoted = sh.quoted

local directory <close> = sh.directory "ktree-lua"
local tmp = directory.path

-- srcush with these arguments (a string for the shell), and standard input.
local function run_srcush(args, input)
  directory:write("input", input or "")
  return sh.run(("%s -E %s <%s 2>&1"):format(quoted(SRCUSH), args, quoted(tmp .. "/input")))
end

local function refuses(pattern, what, fn, ...)
  local ok, why = pcall(fn, ...)
  if ok then
    tap.fail(what .. ": nothing is wrong")
  else
    tap.like(why, pattern, what)
  end
end

-- ------------------------------------------------------------------- options

local load_kernel = srcu.load_kernel
refuses("#1 to 'srcu.load_kernel' %(directory of a kernel tree expected, got number%)", "a number",
        load_kernel, 1)
refuses("#1 to 'srcu.load_kernel' %(a directory has a name", "no name", load_kernel, "")
refuses("#1 to 'srcu.load_kernel' %(a directory has a name", "a zero byte", load_kernel, "a\0b")
refuses("#2 to 'srcu.load_kernel' %(table expected, got string%)", "no table", load_kernel, "x", "tiny")

local bad = {
  {{variant = "big"}, [["tree" or "tiny", not big]]},
  {{variant = 1}, [["tree" or "tiny", not 1]]},
  {{cc = ""}, "'cc' is the command of a C compiler"},
  {{cc = {}}, "'cc' is the command of a C compiler"},
  {{cc = "a\nb"}, "'cc' is the command of a C compiler"},
  {{nr_cpus = 0}, "'nr_cpus' is 1%.%.4096, not 0"},
  {{nr_cpus = 4097}, "'nr_cpus' is 1%.%.4096, not 4097"},
  {{nr_cpus = 1.5}, "'nr_cpus' is an integer"},
  {{fanout = 1}, "'fanout' is 2%.%.64, not 1"},
  {{fanout_leaf = 65}, "'fanout_leaf' is 2%.%.64, not 65"},
  {{defines = "X"}, "'defines' is a table"},
  {{defines = {"9"}}, "no macro can be called 9"},
  {{defines = {"A b"}}, "no macro can be called A b"},
  {{defines = {["A=1"] = 2}}, "no macro can be called A=1"},
  {{defines = {A = {}}}, "'A' is an integer, a line of text or true, not %(table%)"},
  {{defines = {A = "1\n2"}}, "'A' is an integer, a line of text or true"},
  {{plain = 1}, "'plain' is a boolean"},
  {{cpus = 4}, "no option is called 'cpus' %(variant, cc, nr_cpus,"},
  {{[1] = 4}, "no option is called '1'"},
}
for _, b in ipairs(bad) do
  refuses(b[2], "option: " .. b[2], load_kernel, "x", b[1])
end
refuses("option 'kernel' is what srcu.load_kernel gives, not /x", "srcu.new with a directory",
        srcu.new, "ss", {kernel = "/x"})

-- -------------------------------------------------------------------- errors

local function plain(s) return (s:gsub("%p", "%%%0")) end
refuses("srcu.load_kernel: .*" .. plain(tmp) .. "/none", "no such directory", load_kernel, tmp .. "/none")
refuses("not a kernel tree", "a file", load_kernel, arg[0])
directory:write("empty/README", "")
refuses("not a kernel tree", "an empty directory", load_kernel, tmp .. "/empty")
directory:write("bare/Makefile", "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\nEXTRAVERSION =\n")
refuses("srcutree.c", "a tree without SRCU", load_kernel, tmp .. "/bare")
refuses("srcutiny.c", "a tree without Tiny SRCU", load_kernel, tmp .. "/bare", {variant = "tiny"})

local text, status = run_srcush("--kernel " .. quoted(tmp .. "/none") .. " -e 'print(1)'")
tap.is(status, 2, "--kernel of no directory: exit status")
tap.like(text, "^srcush: .-" .. plain(tmp) .. "/none[^\n]*\n$", "--kernel of no directory: one line")
text, status = run_srcush("--kernel a --kernel b -e ''")
tap.is(status, 2, "--kernel twice: exit status")
tap.like(text, "one kernel tree at a time", "--kernel twice")
text, status = run_srcush("-i", ".reload\n")
tap.like(text, "no kernel tree is loaded", ".reload of nothing")
tap.is(status, 0, ".reload of nothing: exit status")

local dir, why = kt.dir("6.12")
if not dir then
  tap.skip(why)
  tap.done()
  os.exit(0, true)
end

refuses("no C compiler '/none/cc'", "no compiler", load_kernel, dir, {cc = "/none/cc"})
local broken = kt.copy("6.12", {{file = "kernel/rcu/srcutree.c", fn = "srcu_flip",
  from = "smp_mb(); /* E */", to = "no_such_barrier();"}})
refuses("kernel/rcu/srcutree.c:%d+: .*no_such_barrier", "a tree that does not compile", load_kernel, broken)

local strange = kt.copy("6.12", {{file = "Makefile", pattern = "\nPATCHLEVEL = %d+", to = "\nPATCHLEVEL = 99"}})
text, status = run_srcush(([[-e 'for i = 1, 2 do print(srcu.load_kernel(%q)) end']]):format(strange))
tap.like(text, '^srcush: warning: [^\n]*6%.99[^\n]*\nkernel "6%.99.-"\nkernel "6%.99.-"\n$',
         "a version that nobody has tried is warned of, once")
tap.is(status, 0, "and tried")

-- ---------------------------------------------------------------- the handle

local K = load_kernel(dir)
tap.like(tostring(K), '^kernel "6%.12[%w.-]*"$', "tostring")
tap.like(K.version, "^6%.12", "version")
tap.is(K.dir, dir, "dir")
tap.is(K.variant, "tree", "variant")
tap.ok(K == load_kernel(dir), "loaded again it is the same")
tap.ok(K == load_kernel(dir .. "/."), "by another name, too")
tap.is(K.nothing, nil, "what there is not is nil")
refuses("cannot be set", "a field is set", function() K.version = "7" end)

local fields = {}
for _, name in ipairs(K.fields) do fields[name] = true end
tap.ok(fields["sup.srcu_gp_seq"] and fields["sda.srcu_lock_count"], "fields")

-- ---------------------------------------------------------------- parameters

local holdoff = K.params.exp_holdoff
tap.is(math.type(holdoff), "integer", "a parameter is read")
local found = {}
for name, value in pairs(K.params) do found[name] = value end
tap.is(found.exp_holdoff, holdoff, "pairs goes through them")
tap.like(tostring(K.params), "exp_holdoff = " .. holdoff, "tostring tells them")
refuses("no parameter of the kernel is called 'holdoff' %(.*exp_holdoff", "an unknown one is read",
        function() return K.params.holdoff end)
refuses("no parameter of the kernel is called 'holdoff'", "an unknown one is set",
        function() K.params.holdoff = 1 end)
refuses("'exp_holdoff' %(%w+%) is an integer, not x", "a string", function() K.params.exp_holdoff = "x" end)
refuses("'exp_holdoff' %(%w+%) is an integer, not 1.5", "a float", function() K.params.exp_holdoff = 1.5 end)
refuses("'exp_holdoff' %(%w+%) cannot be %-1", "out of range", function() K.params.exp_holdoff = -1 end)

-- 0: no grace period is expedited by itself; else one that long after the last is.
local function two_graces()
  cpus(1)
  local ss = srcu.new("ss", {kernel = K})
  thread("t", function() synchronize_srcu(ss) synchronize_srcu(ss) end)
end

local function steps_of(scenario)
  world(scenario)
  local r = run()
  assert(r.verdict == "ok", r)
  return r.steps
end
K.params.exp_holdoff = 0
local none = steps_of(two_graces)
K.params.exp_holdoff = 1
tap.is(K.params.exp_holdoff, 1, "what was set is read")
reset()
run()
tap.is(#trace(math.maxinteger), none, "a world keeps the parameters that it began with")
local other = steps_of(two_graces)
tap.isnt(other, none, "the next one has those that were set")
K.params.exp_holdoff = 0
tap.is(steps_of(two_graces), none, "and set back")
tap.is(steps_of(function() K.params.exp_holdoff = 1 two_graces() end), other,
       "a scenario function sets what its world has")
refuses("before the scenario makes its first domain", "too late", world, function()
  two_graces()
  K.params.exp_holdoff = 0
end)
K.params.exp_holdoff = holdoff
world(function() thread("t", function() K.params.exp_holdoff = 1 end) end)
tap.like(run().violations[1].message, "cannot be set in a thread's body", "set in a body")
world(function() thread("t", function() srcu.load_kernel(dir) end) end)
tap.like(run().violations[1].message, "srcu.load_kernel: cannot be called in a thread's body", "loaded in a body")
world(function() thread("t", function() K:reload() end) end)
tap.like(run().violations[1].message, "kernel:reload: cannot be called in a thread's body", "reloaded in a body")

-- ------------------------------------------------- bodies, and the prompt

A_KERNEL = K	-- a global
local r = explore(function()
  cpus(1)
  for _, name in ipairs {"a", "b"} do
    thread(name, function()
      assert(K.version == A_KERNEL.version and K.params.exp_holdoff == holdoff and #K.fields > 0)
      smp_mb()
      for _, value in pairs(A_KERNEL.params) do assert(value) end
    end)
  end
end)
tap.is(r.verdict, "ok", "bodies share a kernel as they share a number")

local native = {fields = function() return {} end}
local reach = require("reach")(native)
local function members(path, separator)
  local list = reach.members(reach.value(path), separator)
  table.sort(list)
  return table.concat(list, " ")
end
tap.is(members("A_KERNEL", "."), "dir fields params variant version", "completion of fields")
tap.is(members("A_KERNEL", ":"), "reload", "completion of methods")
tap.like(members("A_KERNEL.params", "."), "exp_holdoff", "completion of parameters")

-- ------------------------------------------------------------------- srcu.new

world()
refuses("'flavor' is \"tiny\", the kernel is of the variant \"tree\"", "another flavor", srcu.new, "ss",
        {kernel = K, flavor = "tiny"})
refuses("'flavor' is \"ideal\"", "no kernel is ideal", srcu.new, "ss", {kernel = K, flavor = "ideal"})
refuses("a kernel tree has no faults", "faults", srcu.new, "ss", {kernel = K, faults = {"no-flip"}})
refuses("counter_bits: a kernel tree", "counter_bits", srcu.new, "ss", {kernel = K, counter_bits = 8})
refuses("seq_bits: a kernel tree", "seq_bits", srcu.new, "ss", {kernel = K, seq_bits = 8})
local two = load_kernel(dir, {nr_cpus = 2})
tap.isnt(two, K, "other options are another kernel")
refuses("built for 2 CPUs and this world has 4", "more CPUs than it was built for", srcu.new, "ss",
        {kernel = two})
cpus(2)
tap.is(tostring(srcu.new("ss", {kernel = two, flavor = "tree"})), 'srcu "ss"', "as many CPUs as it was built for")

-- ------------------------------------------------------------- what is shown

local ss
local function one_grace(kernel)
  return function()
    cpus(2)
    ss = srcu.new("ss", {kernel = kernel})
    thread("t", function() synchronize_srcu(ss) end)
  end
end
world(one_grace(K))
run_until("t", "SCAN2")
local st = ss:state()
tap.is(st.gp_state, "SCAN2", "state: gp_state")
tap.is(st.gp_seq & 3, 2, "state: gp_seq")
tap.is(st.srcu_idx & 1, 1, "state: srcu_idx after the flip")
tap.is(st.lock_count[0][0] + st.lock_count[1][0], 1, "state: the updater was a reader itself")
tap.is(#st.unlock_count, 1, "state: two CPUs")
tap.is(st.cblist[0].done, 0, "state: callbacks")
local shown = show("ss", {text = true})
tap.like(shown, "srcu_struct ss %(tree.*Linux 6%.12", "show: the kernel's version")
tap.like(shown, "SCAN2", "show: the state")
local files = {}
for _, e in ipairs(trace(math.maxinteger)) do files[e.file or "?"] = true end
tap.ok(files["kernel/rcu/srcutree.c"], "events have the kernel's own file")

-- ------------------------------------------------------------- two trees

local dir61, why61 = kt.dir("6.1")
if dir61 then
  local old = load_kernel(dir61)
  tap.like(old.version, "^6%.1%.", "6.1: version")
  world(function()
    local a, b = srcu.new("a", {kernel = old}), srcu.new("b", {kernel = K})
    local c = srcu.new("c")
    thread("t", function() synchronize_srcu(a) synchronize_srcu(b) synchronize_srcu(c) end)
    thread("r", function()
      local i, j = srcu_read_lock(a), srcu_read_lock(b)
      srcu_read_unlock(b, j)
      srcu_read_unlock(a, i)
    end)
  end)
  tap.is(run({policy = "random", seed = 3}).verdict, "ok", "two trees and our own in one world")
  tap.is(replay(schedule()), true, "and again")
  local r = explore(one_grace(old), {max_executions = 3})
  tap.like(r.scope, "Linux 6%.1%.%d+ tree SRCU", "a verdict names the kernel")
else
  tap.skip(why61)
end

-- ------------------------------------------------------ one world, many ways

local scenario_file = directory:write("grace.lua", ([[
local K = srcu.load_kernel(%q)
return function()
  cpus(2)
  local ss = srcu.new("ss", {kernel = K})
  local p = ptr("p", kmalloc("old", {n = 1}))
  thread("reader", function()
    local idx = srcu_read_lock(ss)
    local o = srcu_dereference(p, ss)
    if o then assert(READ_ONCE(o'n') == 1) end
    srcu_read_unlock(ss, idx)
  end)
  thread("writer", function()
    local old = rcu_replace_pointer(p, nil, true)
    synchronize_srcu(ss)
    kfree(old)
  end)
end
]]):format(dir))
local script = directory:write("travel.lua", ([[
world(dofile(%q))
local function all()
  local t = {}
  for _, e in ipairs(trace(math.maxinteger)) do
    t[#t + 1] = ("%%s %%s %%s:%%d %%s"):format(e.thread, e.text, e.file, e.line, e.value)
  end
  return table.concat(t, "\n")
end
for seed = 1, 3 do
  reset()
  assert(run({policy = "random", seed = seed}).verdict == "ok")
  local events, s = all(), schedule()
  back(40)
  assert(#trace(math.maxinteger) > 0)
  assert(replay(s))
  assert(all() == events, "another time, other events")
  print(s)
  print(events)
  show("ss")
end
]]):format(scenario_file))
local fiber, status_f = run_srcush("--carrier fiber " .. quoted(script))
local pthread, status_p = run_srcush("--carrier pthread " .. quoted(script))
tap.is(status_f, 0, "back, reset and replay on fibers")
tap.is(status_p, 0, "back, reset and replay on pthreads")
tap.ok(fiber == pthread and #fiber > 1000, "the same, byte for byte")
if status_f ~= 0 then tap.diag(fiber) end

local function essence(r)
  return ("%s: %d complete, %d blocked, %d steps"):format(r.verdict, r.executions, r.blocked, r.steps)
end
local scenario = dofile(scenario_file)
local bound = {max_executions = 200, preemptions = 1}
local one = explore(scenario, bound)
bound.jobs = 2
tap.is(essence(explore(scenario, bound)), essence(one), "explored by two processes as by one")
tap.isnt(one.verdict, "violation", "and nothing is wrong")
tap.is(explore(function()
  local L = srcu.load_kernel(dir)
  one_grace(L)()
end, {max_executions = 20, preemptions = 0}).verdict ~= "violation", true, "loaded by the scenario itself")

-- ------------------------------------------------------------- reloading

local copy = kt.copy("6.12")
local M = load_kernel(copy)
local changed, seconds = M:reload()
tap.is(changed, false, "reload: nothing has changed")
tap.is(math.type(seconds), "float", "reload: how long it took")
tap.isnt(M, K, "a copy is another kernel")

local function edit(from, to)
  local path = copy .. "/kernel/rcu/srcutree.c"
  local f = assert(io.open(path))
  local body = f:read("a")
  f:close()
  local at, last = body:find(from, 1, true)
  assert(at, from .. " is not there")
  local f = assert(io.open(path, "w"))
  f:write(body:sub(1, at - 1) .. to .. body:sub(last + 1))
  f:close()
end

world(one_grace(M))
run()
local before, before_at = #trace(math.maxinteger), schedule()
edit("smp_mb(); /* E */", "smp_mb(); smp_mb(); /* E */")
tap.is(M:reload(), true, "reload: it has changed")
tap.is(M:reload(), false, "reload: and not again")
back(10)
tap.is(replay(before_at), true, "the world that is there stays with what it began with")
tap.is(#trace(math.maxinteger), before, "it makes the same steps")
world(one_grace(M))
run()
tap.is(#trace(math.maxinteger), before + 1, "the next one is of the new image")
edit("smp_mb(); smp_mb(); /* E */", "no_such_barrier(); /* E */")
refuses("kernel:reload: .*no_such_barrier", "reload: what does not compile is an error", M.reload, M)
world(one_grace(M))
run()
tap.is(#trace(math.maxinteger), before + 1, "reload: what was loaded stays")
edit("no_such_barrier(); /* E */", "smp_mb(); /* E */")
tap.is(M:reload(), true, "reload: back to what it was")
world(one_grace(M))
run()
tap.is(#trace(math.maxinteger), before, "reload: as in the beginning")

-- .reload: the edits are made by lines of the session
directory:write("edit.lua", ([[
local path, from, to = %q, ...
local f = assert(io.open(path))
local body = f:read("a")
f:close()
local at, last = assert(body:find(from, 1, true))
f = assert(io.open(path, "w"))
f:write(body:sub(1, at - 1) .. to .. body:sub(last + 1))
f:close()
]]):format(copy .. "/kernel/rcu/srcutree.c"))
local session = ([[
edit = loadfile(%q)
.reload
.run
edit("smp_mb(); /* E */", "smp_mb(); smp_mb(); /* E */")
.reload
.run
edit("smp_mb(); smp_mb(); /* E */", "no_such_barrier(); /* E */")
.reload
edit("no_such_barrier(); /* E */", "smp_mb(); /* E */")
.reload
.run
]]):format(tmp .. "/edit.lua")
directory:write("plain.lua", "return function()\n  cpus(2)\n  local ss = srcu.new(\"ss\")\n" ..
  "  thread(\"t\", function() synchronize_srcu(ss) end)\nend\n")
local function reloads(what, args)
  local out = run_srcush(args, session):gsub(" in %d+%.%d s", " in X s"):gsub("[ ,][^\n]*step:.-\n", "\n")
  local v = plain(K.version)
  tap.like(out, v .. ": unchanged\n", what .. ": unchanged")
  tap.like(out, ("ok: %d steps.*%s: rebuilt in X s\nat step 0.*ok: %d steps"):format(before, v, before + 1),
           what .. ": rebuilt, and begun anew")
  tap.like(out, "no_such_barrier.*what was loaded stays.*" .. v .. ": rebuilt.*ok: " .. before .. " steps",
           what .. ": an error, and its correction")
end
reloads(".reload with --kernel", ("step --kernel %s %s"):format(quoted(copy), quoted(tmp .. "/plain.lua")))
directory:write("loads.lua", ("local M = srcu.load_kernel(%q)\nreturn function()\n  cpus(2)\n" ..
  "  local ss = srcu.new(\"ss\", {kernel = M})\n  thread(\"t\", function() synchronize_srcu(ss) end)\nend\n")
  :format(copy))
reloads(".reload with a K", "step " .. quoted(tmp .. "/loads.lua"))

-- ------------------------------------------------------------- --kernel

directory:write("bug.lua", [[
return function()
  cpus(1)
  local ss = srcu.new("ss")
  local p = ptr("p", kmalloc("old", {n = 1}))
  thread("reader", function()
    local idx = srcu_read_lock(ss)
    local o = srcu_dereference(p, ss)
    if o then READ_ONCE(o'n') end
    srcu_read_unlock(ss, idx)
  end)
  thread("writer", function() kfree(rcu_replace_pointer(p, nil, true)) end)
end
]])
text, status = run_srcush(("explore --quiet --kernel %s %s"):format(quoted(dir), quoted(tmp .. "/bug.lua")))
tap.is(status, 3, "--kernel: explore finds what is wrong")
local again = text:match("To see it again:\n  srcush (replay [^\n]*)")
tap.like(again or text, "^replay %-%-kernel " .. plain(dir) .. " ", "the command that is printed has it")
text, status = run_srcush(again or "--version")
tap.is(status, 3, "and shows it again")
text = run_srcush(("explore --max-executions 5 --kernel %s %s"):format(quoted(dir), quoted(tmp .. "/plain.lua")))
tap.like(text, "Linux 6%.12[%w.-]* tree SRCU", "the verdict names the kernel")
text = run_srcush(("run --json --kernel=%s %s"):format(quoted(dir), quoted(tmp .. "/plain.lua")))
tap.like(text, '"kernel":"6%.12', "--json names it")
tap.like(text, '"file":"kernel/rcu/srcutree.c"', "and its files")
text, status = run_srcush(([[--kernel %s -e 'vm = kvm.create_vm("vm") show(vm.srcu)']]):format(quoted(dir)))
tap.like(text, "of Linux 6%.12", "--kernel: domains of KVM")
text, status = run_srcush(([[--kernel %s -e 'cpus(1) ss = srcu.new("ss", {flavor = "tiny"}) show(ss)]] ..
  [[ print(srcu.new("i", {flavor = "ideal"}))']]):format(quoted(dir)))
tap.like(text, "%(tiny, of Linux 6%.12", "--kernel: the tiny flavor")
tap.is(status, 0, "--kernel: the ideal flavor stays")

tap.done()
