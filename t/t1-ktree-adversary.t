-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Kernel trees against their will: edits in which only plain accesses, data_race(), wild
-- addresses or work items go wrong.  What is wrong is never an ok, what crashes is a
-- violation, and what is right is no violation.

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path
local tap = require("tap")
local kt = require("kerneltree")

local dir, why = kt.dir("6.12")
if not dir then
  tap.skip(why)
  tap.done()
  os.exit(0, true)
end

local FILE = "kernel/rcu/srcutree.c"
local HEAD = "include/linux/srcutree.h"

-- The tree with two functions that no other calls made of these statements: `u` is the
-- domain's struct srcu_usage, which has words ka[8] more.
local function tree(a, b, opts)
  local head = "\tstruct srcu_usage *u = ssp->srcu_sup;\n\t(void)u;\n"
  return srcu.load_kernel(kt.copy("6.12", {
    {file = HEAD, from = "struct srcu_usage {\n",
     to = "struct srcu_usage {\n\tlong ka[8];\n\tunsigned bf : 3, bg : 5;\n"},
    {file = FILE, fn = "srcu_batches_completed", from = "{\n", to = "{\n" .. head .. a .. "\n"},
    {file = FILE, fn = "get_state_synchronize_srcu", from = "{\n", to = "{\n" .. head .. b .. "\n"},
  }), opts)
end

local function explored(K, cpus, more)
  local opts = {max_executions = 2000}
  for k, v in pairs(more or {}) do opts[k] = v end
  return explore(function()
    _G.cpus(2)
    local ss = srcu.new("ss", {kernel = K})
    thread("a", function() srcu_batches_completed(ss) end, {cpu = 0})
    thread("b", function() get_state_synchronize_srcu(ss) end, {cpu = cpus or 1})
  end, opts)
end

local function finds(kind, pattern, what, a, b, cpus)
  local r = explored(tree(a, b), cpus)
  local v = r.violations[1]
  tap.is(r.verdict, "violation", what .. ": found")
  tap.is(v and v.kind, kind, what .. ": of its kind")
  tap.like((v and v.message or ""):gsub("%s+", " "), pattern, what .. ": said")
end

-- ------------------------------------------------- accesses that must be seen

local RACE = "with nothing that orders the two"
finds("data-race", RACE, "a block that is copied",
      "long l[8]; memcpy(l, u->ka, sizeof(l)); if (l[3] == 5) smp_mb();", "u->ka[3] = 1;")
finds("data-race", RACE, "a block that is set",
      "__builtin_memset(u->ka, 0, 8 * (READ_ONCE(u->ka[7]) + 3));", "u->ka[2] = 1;")
finds("data-race", RACE, "blocks that are compared",
      "if (memcmp(u->ka, u->ka + 4, 32)) smp_mb();", "u->ka[6] = 1;")
finds("data-race", RACE, "a structure that is copied",
      "struct { long a[8]; } *p = (void *)u->ka, q = *p; if (q.a[5]) smp_mb();", "u->ka[5] = 1;")
finds("data-race", RACE, "neighbours among bits", "u->bf = 2;", "u->bg = 3;")
finds("data-race", RACE, "a part of two words",
      "*(int *)((char *)u->ka + 6) = 1;", "*(short *)((char *)u->ka + 8) = 1;")
finds("data-race", RACE, "through a pointer to const",
      "const struct srcu_usage *c = u; if (c->ka[0] == 5) smp_mb();", "u->ka[0] = 1;")

-- ------------------------------------------------ data_race(): any order may be

finds("warning", "WARN_ON%(a == 0 && b == 1%)", "data_race() reads at any time",
      "long a = data_race(u->ka[0]), b = data_race(u->ka[1]); WARN_ON(a == 0 && b == 1);",
      "WRITE_ONCE(u->ka[1], 1); WRITE_ONCE(u->ka[0], 1);")
finds("warning", "WARN_ON%(1%)", "what data_race() reads decides about steps",
      "if (data_race(u->ka[0])) { smp_mb(); WARN_ON(1); }", "WRITE_ONCE(u->ka[0], 1);")
finds("error", "write under data_race%(%)", "data_race() around a write",
      "data_race(u->ka[0]++);", "smp_mb();")
local r = explored(tree("if (data_race(u->ka[0])) smp_mb();", "u->ka[0] = 1;"))
tap.is(r.verdict, "incomplete", "data_race() against a plain write is no race, and not all orders are tried")
tap.like(r.bound, "data_race", "and it is said which")
finds("error", "followed a NULL pointer", "data_race() of nothing",
      "long *p = READ_ONCE(*(long **)&u->ka[1]); WARN_ON(data_race(p[1]));", "smp_mb();")
finds("data-race", RACE, "after a crash under data_race() all is seen as before",
      "u->ka[0] = 1;", "u->ka[0] = 1;")

-- ----------------------------------------- kept apart by a CPU, in unknown order

local section = "long v; preempt_disable(); v = u->ka[0]; preempt_enable(); WARN_ON(v == 0);"
r = explored(tree("preempt_disable(); u->ka[0] = 1; preempt_enable();", section), 0)
tap.is(r.verdict, "incomplete", "sections without preemption: one order is not all")
tap.like(r.bound, "only their CPU keeps apart", "and it is said which")
r = explored(tree("preempt_disable(); u->ka[0] = 1; preempt_enable();", section), 0, {strategy = "naive"})
tap.is(r.verdict, "violation", "naive tries them all")
r = explored(tree("preempt_disable(); smp_mb(); u->ka[0] = 1; preempt_enable();",
                  "preempt_disable(); smp_mb(); u->ka[1] = 1; preempt_enable();"), 0)
tap.is(r.verdict, "ok", "what does not conflict has no order")
local locked = "spin_lock_irq(&ACCESS_PRIVATE(u, lock)); u->ka[0]++; spin_unlock_irq(&ACCESS_PRIVATE(u, lock));"
r = explored(tree(locked, locked), 0)
tap.is(r.verdict, "ok", "a lock's order is explored, on one CPU too")

-- ------------------------------------------------------------ nobody's memory

finds("error", "8 bytes 8 behind the end of ss.sup, which no object has", "behind an object, plainly",
      "((long *)(u + 1))[1] = 5;", "smp_mb();")
finds("error", "WRITE_ONCE.-behind the end of ss.sup", "behind an object, in a step",
      "WRITE_ONCE(((long *)(u + 1))[1], 5);", "smp_mb();")
finds("error", "behind the end of ss.sda", "a CPU that the world does not have",
      "smp_mb(); per_cpu_ptr(ssp->sda, 3)->srcu_gp_seq_needed = 5;", "smp_mb();")
finds("error", "behind the end of ss,", "behind the domain, where others keep things",
      "((long *)(ssp + 1))[0] = 5;", "smp_mb();")
finds("error", "followed a pointer.*", "an address that no processor knows",
      "WRITE_ONCE(*(long *)0x8123456789000000, 1);", "smp_mb();")
finds("error", "INIT_WORK%(%) has not made ready", "a work item that is none",
      "queue_work(rcu_gp_wq, (struct work_struct *)&u->ka[0]);", "smp_mb();")
finds("error", "timer_setup%(%) has not made ready", "a timer that is none",
      "del_timer_sync((struct timer_list *)&u->ka[0]);", "smp_mb();")
finds("error", "not simulated", "a work item on a stack",
      "struct work_struct w; INIT_WORK(&w, NULL); queue_work(rcu_gp_wq, &w);", "smp_mb();")
r = explored(tree("void *p = kzalloc(0, GFP_KERNEL); WARN_ON(!p); kfree(p);", "smp_mb();"))
tap.is(r.verdict, "ok", "nothing at all is allocated and freed")

-- ------------------------------------------------------- calls without an end

finds("error", "went deeper than its stack", "a function that calls itself for ever",
      "return srcu_batches_completed(ssp) * 2 + 1;", "smp_mb();")
local deep = srcu.load_kernel(kt.copy("6.12", {
  {file = FILE, fn = "synchronize_srcu", from = "{\n",
   to = "{\n\tsmp_mb();\n\tsynchronize_srcu(ssp);\n\tsmp_mb();\n"}}))
r = explore(function()
  local ss = srcu.new("ss", {kernel = deep})
  thread("w", function() synchronize_srcu(ss) end)
end)
tap.is(r.verdict, "violation", "synchronize_srcu() that calls itself for ever")
tap.like(r.violations[1].message:gsub("%s+", " "), "went deeper than their stack.-synchronize_srcu%(%)", "and where")

-- ------------------------------------------------------------ letters of barriers

local function letters(K)
  world(function()
    local ss = srcu.new("ss", {kernel = K})
    thread("r", function() srcu_read_unlock(ss, srcu_read_lock(ss)) end)
  end)
  run()
  local found = {}
  for _, e in ipairs(trace(100)) do
    if e.op == "fence" or e.text:find("smp_mb", 1, true) then found[#found + 1] = e.label end
  end
  return table.concat(found, " ")
end
tap.is(letters(srcu.load_kernel(dir)), "B C", "fences have the letters of their comments")
tap.is(letters(srcu.load_kernel(kt.copy("6.12", {
  {file = FILE, fn = "__srcu_read_lock", from = "smp_mb(); /* B */", to = "smp_mb(); /* Be */"},
  {file = FILE, fn = "__srcu_read_unlock", from = "smp_mb(); /* C */", to = "smp_mb(); // X\n"}}))),
  "X", "only a letter that stands alone is one")

tap.done()
