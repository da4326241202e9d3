-- SPDX-License-Identifier: GPL-2.0-or-later
-- K7: freed by RCU while a reader holds SRCU (misuse).
--
-- Question: a reader uses an object under srcu_read_lock().  The updater takes it out of
-- the pointer and frees it with kfree_rcu().  Does a grace period of RCU not do?
--
-- Where: commit 70eae03087a3 ("KVM: x86/xen: ... use SRCU ..."), 2022-12: the kvm->srcu
-- reader of Xen's event channels, whose ports were looked up for RCU's grace periods.
--
-- Answer: no.  A grace period waits for the readers of its own flavour: RCU's knows
-- nothing of sections of kvm->srcu, and one srcu_struct nothing of another's.  The object
-- is freed under the reader.  Either the reader takes rcu_read_lock() or the updater
-- waits for the srcu_struct.
--
-- Scenarios and what exploring them says (model sc, 2 CPUs, ideal SRCU):
--   buggy         violation, use-after-free   kfree_rcu(), reader of the srcu_struct
--   waited        violation, use-after-free   the same with synchronize_rcu()
--   other_domain  violation, use-after-free   the same with another srcu_struct
--   fixed         ok                          synchronize_srcu()
--   callback      ok                          call_srcu()
--   both          ok                          kfree_rcu(), and a reader in rcu_read_lock()
--   tree_fixed    ok                          synchronize_srcu(), tree SRCU on 1 CPU
--
--	srcush explore K7.lua:buggy

-- The reader's half, for SRCU and for RCU.
local function reads_srcu(s)
  local idx = srcu_read_lock(s.ss)
  local port = srcu_dereference(s.port, s.ss)
  if port then local _ = port.priority end
  srcu_read_unlock(s.ss, idx)
end

local function reads_rcu(s)
  rcu_read_lock()
  local port = rcu_dereference(s.port)
  if port then local _ = port.priority end
  rcu_read_unlock()
end

-- How the updater gets rid of the old one.
local function kfree_rcu_(_, old)
  kfree_rcu(old)
end

local function rcu(_, old)
  synchronize_rcu()
  kfree(old)
end

local function srcu_(s, old)
  synchronize_srcu(s.ss)
  kfree(old)
end

local function other_srcu(s, old)
  synchronize_srcu(s.other)
  kfree(old)
end

local function callback(s, old)
  call_srcu(s.ss, function() kfree(old) end)
end

local function scenario(read, free, flavor)
  return function()
    cpus(flavor == "tree" and 1 or 2)
    local s = {ss = srcu.new("kvm.srcu", {flavor = flavor or "ideal"}),
               port = ptr("port", kmalloc("evtchn", {priority = 1}))}
    if free == other_srcu then s.other = srcu.new("kvm.irq_srcu", {flavor = "ideal"}) end
    thread("vcpu", function() read(s) end)
    thread("updater", function()
      free(s, xchg(s.port, nil))
    end)
  end
end

return {
  buggy = scenario(reads_srcu, kfree_rcu_),
  waited = scenario(reads_srcu, rcu),
  other_domain = scenario(reads_srcu, other_srcu),
  fixed = scenario(reads_srcu, srcu_),
  callback = scenario(reads_srcu, callback),
  both = scenario(reads_rcu, kfree_rcu_),
  tree_fixed = scenario(reads_srcu, srcu_, "tree"),
}
