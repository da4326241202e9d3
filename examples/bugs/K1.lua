-- SPDX-License-Identifier: GPL-2.0-or-later
-- K1: the MSR filter, edited while it is in use (grace period, misuse).
--
-- Question: up to Linux 5.11 the ioctl KVM_X86_SET_MSR_FILTER changed a VM's one filter in
-- place: no ranges any more, a grace period, the old ranges' bitmaps freed, the default
-- changed, the new ranges added one by one.  There was a lock, and a grace period.  What
-- was wrong with it?
--
-- Where: commit b318e8decf6b ("KVM: x86: Protect userspace MSR filter with SRCU, and set
-- atomically-ish"), 2021-03, Linux 5.12.
--
-- Answer: two things.  A vCPU sees filters that nobody ever asked for: between two that
-- both forbid an MSR there is a moment at which it is allowed.  And two writers may both
-- have looked at the number of ranges before one of them takes the lock: both then free
-- the same bitmaps.  The cure: build a filter of its own, swap the pointer under the
-- lock, wait for a grace period, free the old one.  (The real code's accesses were plain,
-- which is a data race on top; here they are marked, to show that this is no cure.)
--
-- Scenarios and what exploring them says (model sc, ideal SRCU):
--   buggy         violation, double-free   two writers edit it
--   lost          violation, leak or double-free: the same, and each adds a range, which the
--                 other may overwrite
--   half          violation, assertion     a vCPU and a writer: half old, half new
--   race          violation, data-race     the same with plain accesses
--   fixed         ok                       build, swap, wait, free: a vCPU and a writer
--   fixed_writers ok                       the same with two writers
--
--	srcush explore K1.lua:buggy

local DENY = 0		-- the bit that a bitmap has for the one MSR of this story

-- A location read and written as `access` says.
local marked = {
  get = function(o, f, i) return READ_ONCE(i and o(f)[i] or o(f)) end,
  set = function(v, o, f, i) WRITE_ONCE(i and o(f)[i] or o(f), v) end,
}
local plain = {
  get = function(o, f, i) if i then return o[f][i] end return o[f] end,
  set = function(v, o, f, i) if i then o[f][i] = v else o[f] = v end end,
}

-- ------------------------------------------------- the filter edited live

-- The old filter's: no ranges any more, a grace period, then their bitmaps.
local function clear_filter(s)
  local get, set = s.access.get, s.access.set
  local count, bitmap = get(s.filter, "count"), {}
  mutex_lock(s.lock)
  set(0, s.filter, "count")
  for i = 0, count - 1 do bitmap[i] = get(s.filter, "bitmap", i) end
  mutex_unlock(s.lock)
  synchronize_srcu(s.ss)
  for i = 0, count - 1 do kfree(bitmap[i]) end
end

-- Another default, and after it, if there is a bitmap, a range.
local function set_live(s, default_allow, bitmap)
  local get, set = s.access.get, s.access.set
  clear_filter(s)
  set(default_allow, s.filter, "default_allow")
  if not bitmap then return end
  mutex_lock(s.lock)
  local count = get(s.filter, "count")
  set(bitmap, s.filter, "bitmap", count)
  smp_wmb()
  set(count + 1, s.filter, "count")
  mutex_unlock(s.lock)
end

local function allowed_live(s)
  local get = s.access.get
  local idx = srcu_read_lock(s.ss)
  local allowed = get(s.filter, "default_allow")
  for i = 0, get(s.filter, "count") - 1 do
    allowed = get(s.filter, "bitmap", i).bit
  end
  srcu_read_unlock(s.ss, idx)
  return allowed
end

-- Allows by default, but not the MSR: one range, whose bitmap says so.
local function live(access)
  return {ss = srcu.new("kvm.srcu", {flavor = "ideal"}), lock = mutex "kvm.lock",
          filter = kmalloc("msr_filter", {default_allow = 1, count = 1,
                                          bitmap = array(3, kmalloc("bitmap", {bit = DENY}))},
                           {static = true}),
          access = access}
end

-- Two writers who want no ranges at all.
local function buggy()
  cpus(2)
  local s = live(marked)
  for i = 1, 2 do
    thread("writer" .. i, function() set_live(s, 1) end)
  end
end

-- Each with a range of its own.
local function lost()
  cpus(2)
  local s = live(marked)
  for i = 1, 2 do
    thread("writer" .. i, function()
      set_live(s, 1, kmalloc("bitmap", {bit = DENY}))
    end)
  end
end

-- Before and after, the MSR is not allowed.
local function half(access)
  return function()
    cpus(2)
    local s = live(access)
    thread("vcpu", function()
      assert(allowed_live(s) == DENY, "allowed by neither filter, and yet allowed")
    end)
    thread("writer", function() set_live(s, 0) end)
  end
end

-- ------------------------------------------------- build, swap, wait, free

local function new_filter(default_allow, bitmap)
  return kmalloc("msr_filter", {default_allow = default_allow, count = bitmap and 1 or 0,
                                bitmap = array(1, bitmap or null)})
end

local function set_filter(s, new)
  mutex_lock(s.lock)
  local old = rcu_replace_pointer(s.filter, new, lockdep_is_held(s.lock))
  mutex_unlock(s.lock)
  synchronize_srcu(s.ss)
  for i = 0, old.count - 1 do kfree(old.bitmap[i]) end
  kfree(old)
end

local function allowed(s)
  local idx = srcu_read_lock(s.ss)
  local filter = srcu_dereference(s.filter, s.ss)
  local answer = filter.default_allow
  for i = 0, filter.count - 1 do answer = filter.bitmap[i].bit end
  srcu_read_unlock(s.ss, idx)
  return answer
end

local function fixed(vcpus, writers)
  return function()
    cpus(2)
    local s = {ss = srcu.new("kvm.srcu", {flavor = "ideal"}), lock = mutex "kvm.lock",
               filter = ptr("kvm.msr_filter", new_filter(1, kmalloc("bitmap", {bit = DENY})))}
    if vcpus > 0 then
      thread("vcpu", function()
        assert(allowed(s) == DENY, "allowed by neither filter, and yet allowed")
      end)
    end
    for i = 1, writers do
      thread("writer" .. i, function() set_filter(s, new_filter(0)) end)
    end
  end
end

return {
  buggy = buggy,
  lost = lost,
  half = half(marked),
  race = half(plain),
  fixed = fixed(1, 1),
  fixed_writers = fixed(0, 2),
}
