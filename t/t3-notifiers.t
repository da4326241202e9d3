-- SPDX-License-Identifier: GPL-2.0-or-later
-- The two libraries of notifiers: SRCU notifier chains (order, stopping, errors,
-- what unregistering waits for) and MMU notifiers (register, unregister, put,
-- release, invalidations that fail), each under random schedules as well.

local tap = require "tap"
local notifier = require "srcu_notifier"
local mn = require "mmu_notifier"

-- Runs on over violations until nobody can move; their kinds and messages.
local function settle(opts)
  local kinds, messages = {}, {}
  repeat
    local report = run(opts)
    for _, v in ipairs(report.violations) do
      kinds[#kinds + 1], messages[#messages + 1] = v.kind, v.message
    end
  until report.steps == 0
  return table.concat(kinds, " "), table.concat(messages, " ")
end

-- What fn returns in a thread of a fresh world, and the kinds of violations.
local function ask(fn)
  local answer
  world()
  cpus(2)
  thread("asker", function() answer = table.pack(fn()) end)
  local kinds, messages = settle()
  return answer or {n = 0}, kinds, messages
end

-- ------------------------------------------------------------- the chain

-- A chain with blocks that write down their names; list: {name, priority, returns}.
local called
local function chain_of(list)
  called = {}
  local chain, blocks = notifier.srcu_init_notifier_head("chain"), {}
  for i, b in ipairs(list) do
    blocks[i] = notifier.notifier_block(b[1], function(nb, action, data)
      called[#called + 1] = b[1] .. action .. tostring(data)
      return b[3]
    end, b[2])
    assert(notifier.srcu_notifier_chain_register(chain, blocks[i]) == 0)
  end
  return chain, blocks
end

do
  local a, kinds = ask(function()
    local chain = chain_of {{"a", 0}, {"b", 5, notifier.NOTIFY_OK}, {"c", nil, notifier.NOTIFY_OK}, {"d", -1},
                            {"e", 5}}
    return notifier.srcu_notifier_call_chain(chain, 7, "x")
  end)
  tap.is(kinds, "", "a chain of five")
  tap.is(table.concat(called, " "), "b7x e7x a7x c7x d7x",
         "is called by priority, those of one in the order in which they came")
  tap.is(a[1], notifier.NOTIFY_DONE, "and gives what the last one gave")
  a = ask(function()
    local chain = chain_of {{"a", 2, notifier.NOTIFY_OK}, {"b", 1, notifier.NOTIFY_BAD}, {"c"}}
    return notifier.srcu_notifier_call_chain(chain, 0)
  end)
  tap.is(table.concat(called, " "), "a0nil b0nil", "one that says stop is the last")
  tap.is(a[1], notifier.NOTIFY_BAD, "and its answer is the chain's")
  a = ask(function() return notifier.srcu_notifier_call_chain(chain_of {}, 0) end)
  tap.is(a[1], notifier.NOTIFY_DONE, "an empty chain")
end

do
  local a, kinds = ask(function()
    local chain, b = chain_of {{"a", 3}, {"b", 2}, {"c", 1}}
    local r = {notifier.srcu_notifier_chain_unregister(chain, b[2]),
               notifier.srcu_notifier_chain_unregister(chain, b[1])}
    kfree(b[1])
    kfree(b[2])
    notifier.srcu_notifier_call_chain(chain, 1)
    r[3] = notifier.srcu_notifier_chain_unregister(chain, b[3])
    notifier.srcu_notifier_call_chain(chain, 2)
    kfree(b[3])
    notifier.srcu_cleanup_notifier_head(chain)
    return table.unpack(r)
  end)
  tap.same({a[1], a[2], a[3]}, {0, 0, 0}, "blocks leave from the middle, the head and the end")
  tap.is(table.concat(called, " "), "c1nil", "and are called no more")
  tap.is(kinds, "", "nothing is used after it was freed")
end

do
  local a, kinds = ask(function()
    local chain, b = chain_of {{"a"}}
    local other = notifier.notifier_block("other", print)
    return {notifier.srcu_notifier_chain_unregister(chain, other)},
           {notifier.srcu_notifier_chain_register(chain, b[1])}, kfree(other)
  end)
  tap.same(a[1], {[2] = 'kmalloc "other@asker.1" is not registered', [3] = "ENOENT"}, "unregistering a stranger")
  tap.same(a[2], {[2] = 'kmalloc "a@asker.1" is registered already', [3] = "EEXIST"}, "registering twice")
  tap.is(kinds, "warning", "which is a warning as well")
end

do
  local _, kinds, message = ask(function()
    local chain = notifier.srcu_init_notifier_head("chain")
    local nb
    nb = notifier.notifier_block("nb", function()
      notifier.srcu_notifier_chain_unregister(chain, nb)
    end)
    notifier.srcu_notifier_chain_register(chain, nb)
    notifier.srcu_notifier_call_chain(chain, 0)
  end)
  tap.is(kinds, "self-deadlock", "a callback that unregisters itself waits for itself")
  tap.like(message, "chain%.srcu", "in the chain's own domain")
  _, kinds = ask(function()
    local chain = notifier.srcu_init_notifier_head("chain")
    notifier.srcu_notifier_chain_register(chain, notifier.notifier_block("nb", function() return "ok" end))
    notifier.srcu_notifier_call_chain(chain, 0)
  end)
  tap.is(kinds, "error", "a callback that returns nonsense")
  _, kinds = ask(function()
    local chain = notifier.srcu_init_notifier_head("chain")
    rcu_assign_pointer(chain.head, kmalloc("impostor", {next = null, priority = 0}))
    notifier.srcu_notifier_call_chain(chain, 0)
  end)
  tap.is(kinds, "error", "something on the chain that is no block")
end

-- Callers and somebody who comes and goes; `unregister` of his own or the library's.
local function race(seed, unregister)
  world()
  cpus(2)
  local chain = notifier.srcu_init_notifier_head("chain")
  local stay = notifier.notifier_block("stay", function() yield() end, 1)
  thread("setup", function() notifier.srcu_notifier_chain_register(chain, stay) end)
  run()
  thread("caller", function()
    for i = 1, 2 do notifier.srcu_notifier_call_chain(chain, i) end
  end, {cpu = 0})
  thread("guest", function()
    local nb = notifier.notifier_block("nb", function(nb) assert(nb.priority == 5) end, 5)
    notifier.srcu_notifier_chain_register(chain, nb)
    unregister(chain, nb)
    kfree(nb)
  end, {cpu = 1})
  return settle {policy = "random", seed = seed, max_steps = 3000}
end

do
  local good, bad = 0, 0
  for seed = 1, 60 do
    if race(seed, notifier.srcu_notifier_chain_unregister) ~= "" then good = good + 1 end
    if race(seed, function(chain, nb)
      mutex_lock(chain.mutex)
      rcu_assign_pointer(chain.head, nb.next)
      mutex_unlock(chain.mutex)
    end):find("use%-after%-free") then bad = bad + 1 end
  end
  tap.is(good, 0, "60 schedules: who has unregistered may free the block")
  tap.ok(bad > 0, ("without the grace period %d of 60 use it afterwards"):format(bad))
end

-- bad arguments
do
  world()
  local chain = notifier.srcu_init_notifier_head("chain")
  local nb = notifier.notifier_block("nb", print)
  tap.is(tostring(chain), 'notifier chain "chain"', "a chain says what it is")
  for _, b in ipairs {
    {"name expected, got nil", notifier.srcu_init_notifier_head},
    {"taken by", notifier.srcu_init_notifier_head, "chain"},
    {"function expected, got nil", notifier.notifier_block, "x"},
    {"integer expected, got string", notifier.notifier_block, "x", print, "1"},
    {"integer expected, got number", notifier.notifier_block, "x", print, 1.5},
    {"notifier chain expected, got nil", notifier.srcu_notifier_call_chain},
    {"notifier chain expected, got table", notifier.srcu_notifier_call_chain, {}},
    {"notifier chain expected, got userdata", notifier.srcu_cleanup_notifier_head, nb},
    {"'srcu_notifier_chain_register' %(notifier block expected, got nil", notifier.srcu_notifier_chain_register, chain},
    {"notifier block expected", notifier.srcu_notifier_chain_unregister, chain, kmalloc("no")},
    {"mutex_lock: no current thread", notifier.srcu_notifier_chain_register, chain, nb},
    {"srcu_read_lock: no current thread", notifier.srcu_notifier_call_chain, chain, 1},
  } do
    tap.raises(function() b[2](table.unpack(b, 3)) end, b[1], b[1])
  end
end

-- ------------------------------------------------------------- the mm

-- A subscription that writes down what it is told.
local told
local function teller(name, ops)
  local list = {}
  for _, op in ipairs {"invalidate_range_start", "invalidate_range_end", "release", "free_notifier"} do
    list[op] = function(sub)
      told[#told + 1] = name .. "." .. op:match "[^_]+$"
      if op == "free_notifier" then kfree(sub) end
    end
  end
  for op, fn in pairs(ops or {}) do list[op] = fn or nil end
  return mn.subscription(name, list)
end

do
  told = {}
  local a, kinds = ask(function()
    local mm = mn.mm_alloc("mm")
    local x, y = teller("x"), teller("y")
    mn.mmu_notifier_register(x, mm)
    mn.mmu_notifier_register(y, mm)
    local r = mn.mmu_notifier_invalidate_range_start(mm, {})
    mn.mmu_notifier_invalidate_range_end(mm, {})
    mn.mmu_notifier_unregister(y, mm)
    mn.mmu_notifier_invalidate_range_start(mm, {})
    mn.mmu_notifier_release(mm)
    mn.mmu_notifier_invalidate_range_start(mm, {})
    mn.mmu_notifier_unregister(x, mm)
    kfree(x)
    kfree(y)
    local count = READ_ONCE(mm"mm_count")
    mn.mmdrop(mm)
    return r, count
  end)
  tap.is(kinds, "", "two subscriptions come and go")
  tap.is(table.concat(told, " "), "y.start x.start y.end x.end y.release x.start x.release",
         "and are told what happens while they are there, and release() once")
  tap.same({a[1], a[2]}, {0, 1}, "each had a reference to the mm")
end

do
  told = {}
  local _, kinds = ask(function()
    local mm = mn.mm_alloc("mm")
    local x, y, z = teller("x"), teller("y"), teller("z")
    for _, sub in ipairs {x, y, z} do mn.mmu_notifier_register(sub, mm) end
    mn.mmu_notifier_put(y)
    mn.mmu_notifier_put(z)
    mn.mmu_notifier_put(x)
    srcu_barrier(mn.srcu_of(mm))
    mn.mmu_notifier_invalidate_range_start(mm, {})
    mn.mmdrop(mm)
  end)
  tap.is(kinds, "", "mmu_notifier_put() from the middle, the head and the end")
  table.sort(told)
  tap.is(table.concat(told, " "), "x.notifier y.notifier z.notifier", "each is freed by its callback, and not told more")
  _, kinds = ask(function()
    local mm, x = mn.mm_alloc("mm"), nil
    told = {}
    x = teller("x", {free_notifier = function() told[#told + 1] = "freed" end})
    mn.mmu_notifier_register(x, mm)
    mn.mmu_notifier_put(x)
    mn.mmu_notifier_put(x)
    srcu_barrier(mn.srcu_of(mm))
    mn.mmdrop(mm)
    kfree(x)
  end)
  tap.is(kinds, "warning", "one mmu_notifier_put() too many is a warning")
  tap.is(#told, 1, "and changes nothing")
end

do
  told = {}
  local a, kinds = ask(function()
    local mm = mn.mm_alloc("mm")
    mn.mmu_notifier_register(teller("x"), mm)
    mn.mmu_notifier_register(teller("busy", {invalidate_range_start = function() return "EAGAIN" end,
                                             invalidate_range_end = false}), mm)
    return mn.mmu_notifier_invalidate_range_start(mm, {blockable = false})
  end)
  tap.is(a[3], "EAGAIN", "a start that would have to block")
  tap.is(table.concat(told, " "), "x.start x.end", "then the others are told the end")
  tap.is(kinds, "", "which is legal")
  a, kinds = ask(function()
    local mm = mn.mm_alloc("mm")
    mn.mmu_notifier_register(teller("x", {invalidate_range_start = function() return "EAGAIN" end,
                                          invalidate_range_end = false}), mm)
    mn.mmu_notifier_invalidate_range_start(mm, {})
  end)
  tap.is(kinds, "warning", "but not where blocking is allowed")
end

-- exit_mmap() frees the pages after mmu_notifier_release(): no release() may still
-- be at work in them then, whoever called it.
local function exit_race(seed)
  world()
  cpus(2)
  local mm = mn.mm_alloc("mm")
  local pages = kmalloc("pages", {mapped = 1})
  local sub = mn.subscription("sub", {
    release = function() if pages.mapped == 1 then pages.mapped = 0 end end,
    invalidate_range_start = function() yield() end,
  })
  thread("setup", function() mn.mmu_notifier_register(sub, mm) end)
  run()
  thread("driver", function()
    mn.mmu_notifier_unregister(sub, mm)
    kfree(sub)
  end, {cpu = 0})
  thread("reclaim", function() mn.mmu_notifier_invalidate_range_start(mm, {}) end, {cpu = 1})
  thread("exit_mmap", function()
    mn.mmu_notifier_release(mm)
    kfree(pages)
  end, {cpu = 1})
  return settle {policy = "random", seed = seed, max_steps = 5000}
end

do
  local good, bad = 0, 0
  for seed = 1, 60 do
    local kinds = exit_race(seed)
    if kinds:find "free" then good = good + 1 end
  end
  tap.is(good, 0, "60 schedules: nothing is used after exit_mmap() has freed it")
  for seed = 1, 60 do
    world()
    cpus(2)
    local mm = mn.mm_alloc("mm")
    local sub = mn.subscription("sub", {invalidate_range_start = function(sub) return sub.users == 7 end})
    thread("setup", function() mn.mmu_notifier_register(sub, mm) end)
    run()
    thread("reclaim", function() mn.mmu_notifier_invalidate_range_start(mm, {}) end, {cpu = 0})
    thread("driver", function()
      mn.mmu_notifier_put(sub)
      kfree(sub)
    end, {cpu = 1})
    if settle {policy = "random", seed = seed, max_steps = 3000}:find "use%-after%-free" then bad = bad + 1 end
  end
  tap.ok(bad > 0, ("freed right after mmu_notifier_put() it is used afterwards, %d of 60"):format(bad))
end

-- bad arguments
do
  world()
  local mm = mn.mm_alloc("mm")
  local sub = mn.subscription("sub", {})
  for _, b in ipairs {
    {"name expected", mn.mm_alloc},
    {"taken by", mn.mm_alloc, "mm"},
    {"table expected, got nil", mn.subscription, "s"},
    {"no operation is called 'start'", mn.subscription, "s", {start = print}},
    {"release: function expected, got boolean", mn.subscription, "s", {release = true}},
    {"'mmu_notifier_register' %(subscription expected, got nil", mn.mmu_notifier_register},
    {"mm expected, got nil", mn.mmu_notifier_register, sub},
    {"#2 to 'mmu_notifier_unregister' %(mm expected, got kmalloc \"sub\"", mn.mmu_notifier_unregister, sub, sub},
    {"subscription expected, got kmalloc \"mm\"", mn.mmu_notifier_put, mm},
    {"mm expected, got nil", mn.mmu_notifier_put, sub},
    {"mm expected, got table", mn.mmu_notifier_release, {}},
    {"table expected, got nil", mn.mmu_notifier_invalidate_range_start, mm},
    {"table expected, got number", mn.mmu_notifier_invalidate_range_end, mm, 1},
    {"mm expected", mn.mmgrab, 1}, {"mm expected", mn.mmdrop, sub}, {"mm expected", mn.srcu_of, sub},
    {"no current thread", mn.mmu_notifier_register, sub, mm},
    {"no current thread", mn.mmu_notifier_release, mm},
  } do
    tap.raises(function() b[2](table.unpack(b, 3)) end, b[1], b[1])
  end
end

tap.done()
