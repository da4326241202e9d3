-- SPDX-License-Identifier: GPL-2.0-or-later
-- S15: sdp->mynode is published before grpmask is set (lost callback).
--
-- Question: a CPU whose sdp->mynode is set goes through the tree, and marks its bit,
-- sdp->grpmask, in the node.  What if it sees the one and not yet the other?
--
-- Where: 0b56f953908a, 2022-04.
--
-- Answer: then it marks no bit at all, nobody looks at its callbacks when the grace period
-- ends, and they wait for ever.  The mask has to be stored first, and what publishes the
-- node has to be a release: stored in the right order without one it is lost all the same,
-- where stores may pass each other.
--
-- Scenarios and what exploring them says:
--                sc          tso         weak
--   early        assertion   assertion   assertion    the node is stored first
--   buggy        ok          ok          assertion    the mask first, without order
--   fixed        ok          ok          ok           the node by smp_store_release()
--
--	srcush explore --model weak S15.lua:buggy

local function init(publish)
  return function()
    local sdp = kmalloc("sdp", {mynode = null, grpmask = 0})
    local node = kmalloc("node", {data_have_cbs = 0}, {static = true})
    local asked = ghost("asked", false)
    thread("init", function() publish(sdp, node) end)
    thread("caller", function()
      local snp = smp_load_acquire(sdp'mynode')
      if not snp then return end		-- the small way: no tree
      local mask = READ_ONCE(sdp'grpmask')
      WRITE_ONCE(snp'data_have_cbs', READ_ONCE(snp'data_have_cbs') | mask)
      asked.value = true
    end)
    finally(function()
      assert(not asked.value or node.data_have_cbs ~= 0, "nobody will look for the callback")
    end)
  end
end

return {
  early = init(function(sdp, node)
    WRITE_ONCE(sdp'mynode', node)
    WRITE_ONCE(sdp'grpmask', 1)
  end),
  buggy = init(function(sdp, node)
    WRITE_ONCE(sdp'grpmask', 1)
    WRITE_ONCE(sdp'mynode', node)
  end),
  fixed = init(function(sdp, node)
    WRITE_ONCE(sdp'grpmask', 1)
    smp_store_release(sdp'mynode', node)
  end),
}
