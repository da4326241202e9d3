-- SPDX-License-Identifier: GPL-2.0-or-later
-- K7: freed by RCU while a reader holds SRCU (misuse).
--
-- Question: vCPUs look Xen's event channels up in a table, in a section of kvm->srcu.  The
-- channel is freed after synchronize_srcu().  The table's own nodes, which lead to it, are
-- freed as an IDR frees them: by RCU.  Is the section of kvm->srcu enough?
--
-- Where: commit 70eae03087a3 (KVM: x86/xen: SRCU and RCU in readers of evtchn_ports),
-- 2022-12.
--
-- Answer: no.  A grace period waits for the readers of its own flavour: RCU's knows nothing
-- of sections of kvm->srcu, and that of one srcu_struct nothing of another's.  The node is
-- freed under the reader.  The look-up needs rcu_read_lock() as well (the cure), or the
-- node has to wait for the srcu_struct that its readers hold.
--
-- Scenarios and what exploring them says (model sc, 2 CPUs, ideal SRCU):
--   buggy         violation, use-after-free   the node by kfree_rcu(), the reader holds SRCU
--   waited        violation, use-after-free   the same with synchronize_rcu()
--   other_domain  violation, use-after-free   the node by another srcu_struct
--   fixed         ok                          the look-up in rcu_read_lock(), too
--   by_srcu       ok                          the node after synchronize_srcu()
--   callback      ok                          the node by call_srcu()
--
--	srcush explore K7.lua:buggy

-- The channel that the node leads to.  As idr_find(), this checks no section.
local function find(s)
  local node = rcu_access_pointer(s.table)
  return node and node.channel
end

local function find_rcu(s)
  rcu_read_lock()
  local channel = find(s)
  rcu_read_unlock()
  return channel
end

local function send(s, look_up)
  local idx = srcu_read_lock(s.ss)
  local channel = look_up(s)
  if channel then local _ = channel.priority end
  srcu_read_unlock(s.ss, idx)
end

-- The ways to free the node, which nothing leads to any more.
local free = {
  kfree_rcu = function(_, node) kfree_rcu(node) end,
  synchronize_rcu = function(_, node)
    synchronize_rcu()
    kfree(node)
  end,
  srcu = function(s, node)
    synchronize_srcu(s.ss)
    kfree(node)
  end,
  other_srcu = function(s, node)
    synchronize_srcu(s.irq_ss)
    kfree(node)
  end,
  call_srcu = function(s, node)
    call_srcu(s.ss, function() kfree(node) end)
  end,
}

local function scenario(look_up, free_node)
  return function()
    cpus(2)
    local channel = kmalloc("channel", {priority = 1})
    local s = {ss = srcu.new("kvm.srcu", {flavor = "ideal"}),
               table = ptr("evtchn_ports", kmalloc("node", {channel = channel}))}
    if free_node == free.other_srcu then
      s.irq_ss = srcu.new("kvm.irq_srcu", {flavor = "ideal"})
    end
    thread("vcpu", function() send(s, look_up) end)
    thread("updater", function()
      free_node(s, xchg(s.table, nil))
      synchronize_srcu(s.ss)
      kfree(channel)
    end)
  end
end

return {
  buggy = scenario(find, free.kfree_rcu),
  waited = scenario(find, free.synchronize_rcu),
  other_domain = scenario(find, free.other_srcu),
  fixed = scenario(find_rcu, free.kfree_rcu),
  by_srcu = scenario(find, free.srcu),
  callback = scenario(find, free.call_srcu),
}
