-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: does my kernel still do what srcush's SRCU, or another kernel, does?
--
-- Shows: a scenario for `srcush compare`.  Nothing but calls of SRCU's interface, with
-- what there is to disagree about: an index that is fetched long before it is counted,
-- a section that one thread begins and another ends, callbacks, cookies, and a grace
-- period that a second one waits behind.
--
--	srcush compare --kernel linux-6.12 compare.lua
--	srcush compare --kernel linux-6.1 --kernel linux-6.12 compare.lua

return function()
  cpus(3)
  local ss = srcu.new("ss")
  local handed = var("handed", -1)
  local order = ghost("order", "")

  thread("reader", function()
    for _ = 1, 2 do
      local idx = srcu_read_lock(ss)
      srcu_read_unlock(ss, idx)
    end
    WRITE_ONCE(handed, srcu_down_read(ss))
  end)
  thread("closer", function()
    cond_wait(function() return READ_ONCE(handed) >= 0 end)
    srcu_up_read(ss, READ_ONCE(handed))
  end)
  thread("updater", function()
    local cookie = get_state_synchronize_srcu(ss)
    call_srcu(ss, function() order.value = order.value .. "callback " end)
    synchronize_srcu(ss)
    assert(poll_state_synchronize_srcu(ss, cookie))
    order.value = order.value .. "updater "
    srcu_barrier(ss)
  end)
  thread("hasty", function()
    synchronize_srcu_expedited(ss)
    order.value = order.value .. "hasty "
  end)
  outcome(function() return order.value end)
end
