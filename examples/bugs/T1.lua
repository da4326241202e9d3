-- SPDX-License-Identifier: GPL-2.0-or-later
-- T1: writers must exclude each other around synchronize_srcu() (a claim).
--
-- Question: an ioctl replaces a VM's filter: swap the pointer, synchronize_srcu(), free
-- the old one.  Must one writer be done with all of that before the next may begin, for
-- the filters to be safe?
--
-- Where: a thread on LKML, 2022-10; commit 931ea9d1a6e0 ("rcu: Implement per-domain
-- single-threaded call_srcu() state machine"), 2012, made synchronize_srcu() fit for
-- many callers.
--
-- Answer: no, the claim is false.  What must be exclusive is the swap: whoever reads the
-- old pointer must be the one that overwrites it, so that each old filter has one
-- writer that frees it.  From then on it is that writer's alone, and any number of
-- writers may wait for grace periods at once.  Without exclusion around the swap, two
-- writers find the same old filter and both free it; that synchronize_srcu() stands
-- inside of a lock helps only because the swap then does, too.  An atomic exchange
-- instead of a lock will do as well.
--
-- Scenarios and what exploring them says (model sc; two writers; ideal SRCU, so that
-- what holds follows from the rules of SRCU alone):
--   buggy         violation, double-free   no lock around the swap
--   claim         ok                       the lock around the swap, a grace period outside
--   inside        ok                       the lock around all three: safe, but not needed
--   exchange      ok                       no lock, xchg()
--   sync_only     violation, double-free   the lock around synchronize_srcu() only
--
--	srcush explore T1.lua:buggy

-- The three ways to get a filter out: each gives the old one, for which a grace period
-- has elapsed.  Filters are kept by pointer, as struct kvm does.

local function unlocked(s, new)
  local old = rcu_access_pointer(s.filter)
  rcu_assign_pointer(s.filter, new)
  synchronize_srcu(s.ss)
  return old
end

local function outside(s, new)
  mutex_lock(s.lock)
  local old = rcu_replace_pointer(s.filter, new, lockdep_is_held(s.lock))
  mutex_unlock(s.lock)
  synchronize_srcu(s.ss)
  return old
end

local function inside(s, new)
  mutex_lock(s.lock)
  local old = rcu_replace_pointer(s.filter, new, lockdep_is_held(s.lock))
  synchronize_srcu(s.ss)
  mutex_unlock(s.lock)
  return old
end

local function exchange(s, new)
  local old = xchg(s.filter, new)
  synchronize_srcu(s.ss)
  return old
end

local function sync_only(s, new)
  local old = rcu_access_pointer(s.filter)
  rcu_assign_pointer(s.filter, new)
  mutex_lock(s.lock)
  synchronize_srcu(s.ss)
  mutex_unlock(s.lock)
  return old
end

local function scenario(replace)
  return function()
    cpus(2)
    local s = {ss = srcu.new("ss", {flavor = "ideal"}), lock = mutex "lock",
               filter = ptr("filter", kmalloc("first", {allow = 1}))}
    thread("vcpu", function()
      local idx = srcu_read_lock(s.ss)
      local filter = srcu_dereference(s.filter, s.ss)
      local _ = filter.allow
      srcu_read_unlock(s.ss, idx)
    end)
    for i = 1, 2 do
      thread("writer" .. i, function()
        kfree(replace(s, kmalloc("new", {allow = 0})))
      end)
    end
  end
end

return {
  buggy = scenario(unlocked),
  claim = scenario(outside),
  inside = scenario(inside),
  exchange = scenario(exchange),
  sync_only = scenario(sync_only),
}
