-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- Scenarios that were written to lead the exhaustive exploration astray: conditions that
-- read on, CPUs that somebody keeps while he waits, interrupts that spin for a lock whose
-- owner they struck, owners that end, locks that are misused.  Each has the outcomes and
-- violations of an enumeration of all interleavings.

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path
local tap = require("tap")
local crosscheck = require("crosscheck")

local MOST = 20000	-- interleavings that may be tried

-- Each of n bodies notes what it sees in a ghost of its own; together they are the outcome.
local function notes(n)
  local g = {}
  for i = 1, n do g[i] = ghost("g" .. i, "") end
  outcome(function()
    local parts = {}
    for i = 1, n do parts[i] = g[i].value end
    return table.concat(parts, "|")
  end)
  return function(i, v) g[i].value = g[i].value .. tostring(v) .. "," end
end

local S = {}

function S.lacks_cpu()
  cpus(3)
  local x, y, z = var("x"), var("y"), var("z")
  local note = notes(4)
  thread("C", function() note(1, READ_ONCE(z)) end, {cpu = 1})
  thread("A", function() preempt_disable() WRITE_ONCE(x, 1)
   if READ_ONCE(y) == 1 then preempt_enable() note(2, "one") else WRITE_ONCE(x, 2) preempt_enable() end end, {cpu = 0})
  thread("D", function() WRITE_ONCE(y, 1) end, {cpu = 2})
  thread("B", function() note(4, READ_ONCE(x)) WRITE_ONCE(z, 1) end, {cpu = 0})
end

function S.cond_and()
  local x, y = var("x"), var("y")
  local note = notes(2)
  thread("w", function()
    cond_wait(function() return READ_ONCE(x) == 1 and READ_ONCE(y) == 1 end) note(1, "end")
  end)
  thread("a", function() WRITE_ONCE(x, 1) WRITE_ONCE(y, 1) end)
end

function S.cond_and2()
  local x, y = var("x"), var("y")
  local note = notes(3)
  thread("w", function()
    cond_wait(function() return READ_ONCE(x) == 1 and READ_ONCE(y) == 1 end) note(1, "end")
  end)
  thread("a", function() WRITE_ONCE(x, 1) WRITE_ONCE(y, 1) WRITE_ONCE(x, 0) end)
  thread("b", function() note(3, READ_ONCE(y)) end)
end

function S.cond_and3()
  local x, y, z = var("x"), var("y"), var("z")
  local note = notes(3)
  thread("w", function()
    cond_wait(function() return READ_ONCE(x) == 1 and READ_ONCE(y) == 1 end) note(1, READ_ONCE(z)) assert(READ_ONCE(z) == 0)
  end)
  thread("a", function() WRITE_ONCE(x, 1) WRITE_ONCE(x, 0) WRITE_ONCE(z, 1) end)
  thread("b", function() WRITE_ONCE(y, 1) WRITE_ONCE(y, 0) end)
end

function S.cond_obj()
  local p = ptr("p")
  local note = notes(3)
  thread("w", function()
    cond_wait(function() local o = READ_ONCE(p) return o and o.v == 2 end) note(1, "end")
  end)
  thread("a", function() local o = kmalloc("o", {v=0}) rcu_assign_pointer(p, o) o.v=2 end)
  thread("b", function() local o = READ_ONCE(p) if o then note(2, o.v) o.v=1 end end)
end

function S.cond_ghost()
  local g = ghost("gg", 0) local x = var("x")
  local note = notes(3)
  thread("w", function()
    cond_wait(function() return g.value == 1 and READ_ONCE(x) == 1 end) note(1, READ_ONCE(x))
  end)
  thread("a", function() READ_ONCE(x) g.value=1 WRITE_ONCE(x, 1) g.value=0 end)
  thread("b", function() WRITE_ONCE(x, 1) WRITE_ONCE(x, 0) end)
end

function S.cond_two()
  local x = var("x")
  local note = notes(3)
  for i = 1, 2 do thread("w"..i, function() cond_wait(function() return READ_ONCE(x) == 0 end) WRITE_ONCE(x, i) note(i, READ_ONCE(x)) WRITE_ONCE(x, 0) end) end
end

function S.completion2()
  local c = completion("c") local x = var("x")
  local note = notes(3)
  for i = 1, 3 do thread("w"..i, function() wait_for_completion(c) note(i, READ_ONCE(x)) WRITE_ONCE(x, i) end) end
  thread("k", function() complete(c) complete(c) end)
end

function S.wq2()
  local q = waitqueue("q") local x = var("x")
  local note = notes(3)
  for i = 1, 2 do thread("s"..i, function() prepare_to_wait(q) if READ_ONCE(x) == 0 then schedule_wait(q) end finish_wait(q) note(i, READ_ONCE(x)) end) end
  thread("k", function() WRITE_ONCE(x, 1) wake_up(q) end)
end

function S.wq3()
  local q = waitqueue("q") local x = var("x")
  local note = notes(3)
  thread("s", function()
    prepare_to_wait(q) if READ_ONCE(x) == 0 then schedule_wait(q) end finish_wait(q) note(1, READ_ONCE(x))
  end)
  thread("k1", function() wake_up(q) WRITE_ONCE(x, 1) end)
  thread("k2", function() note(2, READ_ONCE(x)) wake_up(q) end)
end

function S.irqspin()
  cpus(2)
  local s = spinlock("s") local x = var("x")
  local note = notes(3)
  thread("a", function()
    spin_lock(s) note(1, READ_ONCE(x)) WRITE_ONCE(x, 1) spin_unlock(s)
  end, {cpu = 0})
  irq("i", 0, function() spin_lock(s) note(2, READ_ONCE(x)) spin_unlock(s) end)
  thread("b", function()
    spin_lock(s) WRITE_ONCE(x, 2) spin_unlock(s) note(3, READ_ONCE(x))
  end, {cpu = 1})
end

function S.irqspin2()
  cpus(2)
  local s = spinlock("s") local x = var("x")
  local note = notes(3)
  thread("a", function()
    local f = spin_lock_irqsave(s) note(1, READ_ONCE(x)) WRITE_ONCE(x, 1) spin_unlock_irqrestore(s, f) note(1, READ_ONCE(x))
  end, {cpu = 0})
  irq("i", 0, function() spin_lock(s) note(2, READ_ONCE(x)) WRITE_ONCE(x, 3) spin_unlock(s) end)
  thread("b", function()
    spin_lock(s) WRITE_ONCE(x, 2) spin_unlock(s) note(3, READ_ONCE(x))
  end, {cpu = 1})
end

function S.two_irqs()
  cpus(1)
  local x = var("x")
  local note = notes(3)
  thread("a", function() note(1, READ_ONCE(x)) WRITE_ONCE(x, 1) note(1, READ_ONCE(x)) end, {cpu = 0})
  irq("i", 0, function() note(2, READ_ONCE(x)) WRITE_ONCE(x, 3) note(2, READ_ONCE(x)) end)
  irq("j", 0, function() note(3, READ_ONCE(x)) WRITE_ONCE(x, 4) note(3, READ_ONCE(x)) end)
end

function S.bh()
  cpus(2)
  local x = var("x")
  local note = notes(3)
  thread("a", function()
    local_bh_disable() note(1, READ_ONCE(x)) WRITE_ONCE(x, 1) local_bh_enable() note(1, READ_ONCE(x))
  end, {cpu = 0})
  thread("b", function() note(2, READ_ONCE(x)) WRITE_ONCE(x, 3) end, {cpu = 0})
  irq("i", 0, function() note(3, READ_ONCE(x)) WRITE_ONCE(x, 4) note(3, READ_ONCE(x)) end)
end

function S.rwsem3()
  local rw = rwsem("rw") local x = var("x")
  local note = notes(3)
  thread("r1", function() down_read(rw) note(1, READ_ONCE(x)) up_read(rw) end)
  thread("r2", function() down_read(rw) note(2, READ_ONCE(x)) up_read(rw) end)
  thread("w", function() down_write(rw) WRITE_ONCE(x, 1) up_write(rw) end)
end

function S.rwsem4()
  local rw = rwsem("rw") local x = var("x")
  local note = notes(3)
  thread("w1", function() down_write(rw) WRITE_ONCE(x, 2) up_write(rw) end)
  thread("r2", function() down_read(rw) note(2, READ_ONCE(x)) up_read(rw) end)
  thread("w", function() down_write(rw) WRITE_ONCE(x, 1) up_write(rw) end)
end

function S.rwsem_recursive()
  local rw = rwsem("rw") local x = var("x")
  local note = notes(3)
  thread("r", function() down_read(rw) down_read(rw) note(2, READ_ONCE(x)) up_read(rw) up_read(rw) end)
  thread("w", function() down_write(rw) WRITE_ONCE(x, 1) up_write(rw) end)
end

function S.double_unlock()
  local m = mutex("m") local x = var("x")
  local note = notes(2)
  thread("a", function()
    mutex_lock(m) note(1, READ_ONCE(x)) mutex_unlock(m) mutex_unlock(m) note(1, "no")
  end)
  thread("b", function() mutex_lock(m) WRITE_ONCE(x, 1) note(2, READ_ONCE(x)) mutex_unlock(m) end)
end

function S.foreign_unlock()
  local m = mutex("m") local x = var("x")
  local note = notes(2)
  thread("a", function() mutex_unlock(m) note(1, "no") end)
  thread("b", function() mutex_lock(m) WRITE_ONCE(x, 1) note(2, READ_ONCE(x)) mutex_unlock(m) end)
end

function S.is_locked()
  local m = mutex("m") local x = var("x")
  local note = notes(2)
  thread("a", function() note(1, mutex_is_locked(m)) note(1, READ_ONCE(x)) end)
  thread("b", function() mutex_lock(m) WRITE_ONCE(x, 1) mutex_unlock(m) end)
end

function S.ends_holding()
  local m = mutex("m") local x = var("x")
  local note = notes(4)
  for i = 1, 4 do thread("t"..i, function() mutex_lock(m) note(i, READ_ONCE(x)) WRITE_ONCE(x, i) end) end
end

function S.inv()
  local x, y = var("x"), var("y") local p = ptr("p")
  local note = notes(2)
  invariant("i", function() local o = READ_ONCE(p) return not(READ_ONCE(x) == 1 and READ_ONCE(y) == 0 and o and o.v == 1) end)
  thread("a", function() WRITE_ONCE(x, 1) WRITE_ONCE(y, 1) end)
  thread("b", function()
    rcu_assign_pointer(p, kmalloc("o", {v=0})) local o = READ_ONCE(p) o.v=1 o.v=2
  end)
end

function S.invghost()
  local x, y = var("x"), var("y") local g = ghost("h", 0)
  local note = notes(2)
  invariant("i", function() return not(READ_ONCE(x) == 1 and g.value == 2) end)
  thread("a", function() WRITE_ONCE(x, 1) WRITE_ONCE(x, 0) end)
  thread("b", function() READ_ONCE(y) g.value=1 smp_mb() g.value=2 smp_mb() g.value=3 end)
end

function S.ghostlock()
  local m = mutex("m") local g = ghost("h", 0)
  local note = notes(3)
  for i = 1, 3 do thread("t"..i, function() smp_mb() g.value=g.value*3+i mutex_lock(m) note(i, g.value) g.value=g.value+1 mutex_unlock(m) g.value=g.value*2 end) end
end

function S.ghostchoose()
  local g = ghost("h", 0) local x = var("x")
  local note = notes(2)
  for i = 1, 2 do thread("t"..i, function() local c = choose(2) g.value=g.value*3+c note(i, g.value) cond_wait(function() return READ_ONCE(x) >= 0 end) note(i, g.value) end) end
end

function S.chooseloop()
  local x = var("x")
  local note = notes(2)
  thread("a", function()
    for i = 1, 2 do for j = 1, choose(2) do if choose(2) == 1 then WRITE_ONCE(x, i*j) end end end
  end)
  thread("b", function() note(2, READ_ONCE(x)) note(2, READ_ONCE(x)) end)
end

function S.assumelock()
  local m = mutex("m") local x = var("x")
  local note = notes(3)
  thread("a", function() mutex_lock(m) assume(READ_ONCE(x) == 1) mutex_unlock(m) note(1, "a") end)
  thread("b", function() WRITE_ONCE(x, 1) mutex_lock(m) WRITE_ONCE(x, 2) mutex_unlock(m) end)
  thread("c", function() mutex_lock(m) note(3, READ_ONCE(x)) mutex_unlock(m) end)
end

function S.err()
  local m = mutex("m") local x = var("x")
  local note = notes(2)
  thread("a", function()
    mutex_lock(m) if READ_ONCE(x) == 1 then error("boo") end mutex_unlock(m) note(1, "a")
  end)
  thread("b", function() WRITE_ONCE(x, 1) mutex_lock(m) note(2, "b") mutex_unlock(m) end)
end

function S.assertwait()
  local c = completion("c") local x = var("x")
  local note = notes(2)
  thread("a", function() assert(READ_ONCE(x) == 0) complete(c) end)
  thread("b", function() WRITE_ONCE(x, 1) wait_for_completion(c) note(2, "b") end)
end

function S.mayfail()
  local p = ptr("p")
  local note = notes(2)
  thread("a", function()
    local o = kmalloc("o", {v=1},{may_fail=true}) if o then rcu_assign_pointer(p, o) end
  end)
  thread("b", function() local o = READ_ONCE(p) note(2, o and o.v) if o then kfree(o) end end)
end

function S.kfree2()
  local p = ptr("p")
  local note = notes(2)
  local o = kmalloc("o", {v=1}) 
  thread("a", function() kfree(o) end)
  thread("b", function() note(2, o.v) o.v=2 end)
  thread("c", function() kfree(o) end)
end

function S.mallocorder()
  local p = ptr("p")
  local note = notes(3)
  for i = 1, 2 do thread("t"..i, function() local o = kmalloc("n", {v=i}) local q = kmalloc("n", {v=i+2}) rcu_assign_pointer(p, o) note(i, READ_ONCE(p).v) q.v=7 kfree(q) end) end
end

function S.threads()
  local x = var("x")
  local note = notes(4)
  thread("a", function() WRITE_ONCE(x, 1) thread("k", function() note(1, READ_ONCE(x)) thread("k", function()
    WRITE_ONCE(x, 3) end) end) note(3, READ_ONCE(x))
  end)
  thread("b", function() WRITE_ONCE(x, 2) thread("k", function() note(2, READ_ONCE(x)) end) end)
end

function S.irqthread()
  cpus(2)
  local x = var("x")
  local note = notes(4)
  irq("i", 0, function() WRITE_ONCE(x, 1) thread("k", function()
    note(1, READ_ONCE(x)) end) WRITE_ONCE(x, 3)
  end)
  thread("b", function() note(2, READ_ONCE(x)) WRITE_ONCE(x, 2) end)
end

function S.workwork()
  local x = var("x")
  local note = notes(4)
  local w2 = work("w2", function() note(2, READ_ONCE(x)) WRITE_ONCE(x, 2) end)
  local w1 = work("w1", function() queue_work(w2) note(1, READ_ONCE(x)) end)
  thread("a", function()
    queue_work(w1) flush_work(w1) note(3, READ_ONCE(x)) flush_work(w2) note(3, READ_ONCE(x))
  end)
end

function S.workself()
  local x = var("x")
  local note = notes(4)
  local w
  w=work("w", function()
    note(1, READ_ONCE(x)) if READ_ONCE(x)<1 then WRITE_ONCE(x, READ_ONCE(x)+1) queue_work(w) end
  end)
  thread("a", function() queue_work(w) flush_work(w) note(2, READ_ONCE(x)) end)
end

function S.flush2()
  local x = var("x")
  local note = notes(4)
  local w = work("w", function() WRITE_ONCE(x, READ_ONCE(x)+1) end)
  thread("a", function() queue_work(w) flush_work(w) note(2, READ_ONCE(x)) end)
  thread("b", function() flush_work(w) note(3, READ_ONCE(x)) end)
end

function S.queue2()
  local x = var("x")
  local note = notes(4)
  local w = work("w", function() WRITE_ONCE(x, READ_ONCE(x)+1) end)
  thread("a", function() note(1, queue_work(w)) end)
  thread("b", function() note(2, queue_work(w)) flush_work(w) note(3, READ_ONCE(x)) end)
end

function S.migr()
  cpus(2)
  local x = var("x")
  local note = notes(2)
  thread("a", function()
    preempt_disable() WRITE_ONCE(x, 1) WRITE_ONCE(x, 2) preempt_enable() migrate(1) preempt_disable() note(1, READ_ONCE(x)) WRITE_ONCE(x, 5) preempt_enable()
  end, {cpu = 0})
  thread("b", function() note(2, READ_ONCE(x)) migrate(0) note(2, READ_ONCE(x)) end, {cpu = 1})
end

function S.sleepatomic()
  cpus(1)
  local m = mutex("m") local x = var("x")
  local note = notes(2)
  thread("a", function()
    preempt_disable() mutex_lock(m) WRITE_ONCE(x, 1) mutex_unlock(m) preempt_enable() note(1, "e")
  end)
  thread("b", function() mutex_lock(m) note(2, READ_ONCE(x)) mutex_unlock(m) end)
end

function S.preemptend()
  cpus(1)
  local x = var("x")
  local note = notes(3)
  thread("a", function() note(1, READ_ONCE(x)) preempt_disable() WRITE_ONCE(x, 1) end)
  thread("b", function() note(2, READ_ONCE(x)) WRITE_ONCE(x, 2) end)
  thread("c", function() note(3, READ_ONCE(x)) end)
end

function S.spinstuck()
  cpus(2)
  local s = spinlock("s") local x = var("x")
  local note = notes(4)
  thread("a", function() spin_lock(s) note(1, READ_ONCE(x)) end, {cpu = 0})
  thread("b", function() spin_lock(s) note(2, READ_ONCE(x)) end, {cpu = 1})
  thread("c", function() note(3, READ_ONCE(x)) WRITE_ONCE(x, 2) end, {cpu = 0})
  thread("d", function() note(4, READ_ONCE(x)) WRITE_ONCE(x, 3) end, {cpu = 1})
end

function S.rcuplain()
  local p = ptr("p")
  local note = notes(3)
  thread("a", function()
    local o = kmalloc("o1", {v=1}) rcu_assign_pointer(p, o) local q = xchg(p, nil) if q then kfree_rcu(q) end
  end)
  thread("r", function()
    rcu_read_lock() local o = rcu_dereference(p) note(2, o and o.v) rcu_read_unlock()
  end)
end

function S.callrcu()
  local x = var("x")
  local note = notes(3)
  local h = rcu_head("h")
  thread("a", function()
    WRITE_ONCE(x, 1) call_rcu(h, function() note(1, READ_ONCE(x)) end) WRITE_ONCE(x, 3)
  end)
  thread("r", function() rcu_read_lock() note(2, READ_ONCE(x)) WRITE_ONCE(x, 2) rcu_read_unlock() end)
end

function S.callsrcu2()
  local ss = srcu.new("ss", {flavor="ideal"}) local x = var("x")
  local note = notes(3)
  local h = rcu_head("h")
  thread("a", function() call_srcu(ss, h, function() note(1, READ_ONCE(x)) end) end)
  thread("b", function() call_srcu(ss, h, function() note(2, READ_ONCE(x)) end) end)
end

function S.down_up()
  local ss = srcu.new("ss", {flavor="ideal"}) local x, y = var("x"), var("y") local c = completion("c")
  local note = notes(3)
  local g = ghost("idx")
  thread("a", function() g.value=srcu_down_read(ss) note(1, READ_ONCE(x)) complete(c) end)
  thread("b", function() wait_for_completion(c) note(2, READ_ONCE(x)) srcu_up_read(ss, g.value) end)
  thread("s", function() WRITE_ONCE(x, 1) synchronize_srcu(ss) WRITE_ONCE(x, 2) end)
end

function S.poll()
  local ss = srcu.new("ss", {flavor="ideal"}) local x, y = var("x"), var("y")
  local note = notes(3)
  thread("a", function()
    local k = start_poll_synchronize_srcu(ss) note(1, poll_state_synchronize_srcu(ss, k)) note(1, READ_ONCE(x)) note(1, poll_state_synchronize_srcu(ss, k))
  end)
  thread("b", function() local i = srcu_read_lock(ss) WRITE_ONCE(x, 1) srcu_read_unlock(ss, i) end)
end

function S.initthread()
  local ss = srcu.new("ss", {flavor="ideal"}) local x, y = var("x"), var("y")
  local note = notes(3)
  thread("a", function() synchronize_srcu(ss) note(1, READ_ONCE(x)) cleanup_srcu_struct(ss) end)
  thread("b", function() local i = srcu_read_lock(ss) WRITE_ONCE(x, 1) srcu_read_unlock(ss, i) end)
end

function S.invstate()
  local ss = srcu.new("ss", {flavor="ideal"}) local x, y = var("x"), var("y")
  local note = notes(3)
  invariant("i", function() return status("a") ~= "blocked" end)
  thread("a", function() synchronize_srcu(ss) note(1, READ_ONCE(x)) end)
  thread("b", function() local i = srcu_read_lock(ss) WRITE_ONCE(x, 1) srcu_read_unlock(ss, i) end)
end

function S.many()
  local x = var("x")
  local note = notes(1)
  for i = 1, 12 do thread("t"..i, function() if i == 1 or i == 12 then atomic_inc(x) end end) end
end

function S.condatomic()
  cpus(2)
  local x, y = var("x"), var("y")
  local note = notes(2)
  thread("b", function() WRITE_ONCE(x, 1) note(2, READ_ONCE(y)) end, {cpu = 0})
  thread("a", function()
    preempt_disable() WRITE_ONCE(y, 1) cond_wait(function() return READ_ONCE(x) == 1 end) note(1, "e") preempt_enable()
  end, {cpu = 0})
end

function S.condspin()
  cpus(2)
  local x, y = var("x"), var("y") local s = spinlock("s")
  local note = notes(2)
  thread("b", function() WRITE_ONCE(x, 1) note(2, READ_ONCE(y)) end, {cpu = 0})
  thread("a", function()
    spin_lock(s) WRITE_ONCE(y, 1) cond_wait(function() return READ_ONCE(x) == 1 end) note(1, "e") spin_unlock(s)
  end, {cpu = 0})
end

function S.condirq()
  cpus(2)
  local x, y = var("x"), var("y") local s = spinlock("s")
  local note = notes(2)
  thread("b", function() note(2, READ_ONCE(y)) WRITE_ONCE(x, 1) note(2, READ_ONCE(y)) end, {cpu = 0})
  irq("a", 0, function()
    WRITE_ONCE(y, 1) cond_wait(function() return READ_ONCE(x) == 1 end) note(1, "e")
  end)
end

function S.waitatomic()
  cpus(2)
  local x, y = var("x"), var("y") local c = completion("c")
  local note = notes(2)
  thread("b", function() complete(c) note(2, READ_ONCE(y)) end, {cpu = 0})
  thread("a", function()
    preempt_disable() WRITE_ONCE(y, 1) wait_for_completion(c) note(1, "e") preempt_enable()
  end, {cpu = 0})
end

function S.wqatomic()
  cpus(2)
  local x, y = var("x"), var("y") local q = waitqueue("q")
  local note = notes(2)
  thread("b", function() wake_up(q) note(2, READ_ONCE(y)) wake_up(q) end, {cpu = 0})
  thread("a", function()
    prepare_to_wait(q) preempt_disable() WRITE_ONCE(y, 1) schedule_wait(q) note(1, "e") preempt_enable()
  end, {cpu = 0})
end

function S.rwatomic()
  cpus(2)
  local x, y = var("x"), var("y") local q = rwsem("q")
  local note = notes(2)
  thread("b", function() down_write(q) note(2, READ_ONCE(y)) up_write(q) end, {cpu = 0})
  thread("a", function()
    preempt_disable() WRITE_ONCE(y, 1) down_read(q) note(1, "e") up_read(q) preempt_enable()
  end, {cpu = 0})
end

function S.spinpreempt()
  cpus(2)
  local x, y = var("x"), var("y") local s = spinlock("s") local m = mutex("m")
  local note = notes(2)
  thread("b", function() mutex_lock(m) note(2, READ_ONCE(y)) mutex_unlock(m) end, {cpu = 0})
  thread("a", function()
    mutex_lock(m) preempt_disable() WRITE_ONCE(y, 1) mutex_unlock(m) note(1, "e") preempt_enable()
  end, {cpu = 0})
end

function S.irqnest()
  cpus(2)
  local x = var("x") local s, q = spinlock("s"), spinlock("q")
  local note = notes(3)
  thread("a", function() spin_lock(s) note(1, READ_ONCE(x)) spin_unlock(s) end, {cpu = 0})
  irq("i", 0, function() spin_lock(q) note(2, READ_ONCE(x)) spin_unlock(q) end)
  thread("b", function()
    spin_lock(q) spin_lock(s) WRITE_ONCE(x, 2) spin_unlock(s) spin_unlock(q)
  end, {cpu = 1})
end

function S.irqcond2()
  cpus(2)
  local x, y = var("x"), var("y") local s = spinlock("s")
  local note = notes(2)
  thread("b", function()
    WRITE_ONCE(x, 1) note(2, READ_ONCE(y)) WRITE_ONCE(x, 2) WRITE_ONCE(x, 1)
  end, {cpu = 0})
  thread("c", function() WRITE_ONCE(x, 1) end, {cpu = 1})
  irq("a", 0, function()
    WRITE_ONCE(y, 1) cond_wait(function() return READ_ONCE(x) == 1 end) note(1, "e")
  end)
end

-- A task that is stuck keeps others from going on, wherever these had come to.
for _, what in ipairs({ "trylock", "rwsem", "mutex", "writes" }) do
  S["stuck_" .. what] = function()
    local s, q, m, rw = spinlock("s"), spinlock("q"), mutex("m"), rwsem("rw")
    local x, y = var("x"), var("y")
    local note = notes(2)
    thread("a", function()
      if what ~= "trylock" or spin_trylock(s) then
        spin_lock(q)
        note(1, READ_ONCE(x))
        spin_lock_irqsave(q)
      end
    end, {cpu = 0})
    thread("b", function()
      if what == "mutex" then mutex_lock(m) end
      WRITE_ONCE(x, 1)
      WRITE_ONCE(y, 1)
      if what == "rwsem" then down_read(rw) end
      note(2, READ_ONCE(y))
      if what == "rwsem" then up_read(rw) end
      if what == "mutex" then mutex_unlock(m) end
    end, {cpu = 0})
  end
end

-- What he who waits had read before may be written by one whose CPU he then keeps.
function S.read_then_kept()
  cpus(1)
  local x = var("x")
  local note = notes(1)
  thread("a", function()
    preempt_disable()
    note(1, READ_ONCE(x))
    cond_wait(function() return READ_ONCE(x) > 0 end)
    preempt_enable()
    note(1, READ_ONCE(x))
  end)
  thread("b", function() WRITE_ONCE(x, 2) end)
  irq("i", 0, function() WRITE_ONCE(x, 1) end)
end

local names = {}
for name in pairs(S) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do
  local ok, r = pcall(crosscheck.compare, S[name], { strategy = "dpor", most = MOST })
  if not ok then r = { differences = { tostring(r) } } end
  tap.ok(r.differences and #r.differences == 0, name .. ": as all interleavings have it")
  if r.skipped then
    tap.diag("it has more interleavings than may be tried")
  else
    for _, text in ipairs(r.differences) do tap.diag(text) end
  end
end

tap.done()
