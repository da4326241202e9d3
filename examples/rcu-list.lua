-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: what can a reader see that goes through a list while an element is
-- taken out?  What may the updater do with the element, and when?
--
-- Shows: a reader that stands on the element when it is deleted and still finds
-- its way on; the same with list_del() in place of list_del_rcu(); the same with
-- kfree() at once; and what happens to two updaters without a lock.
--
--	srcush rcu-list.lua

local function say(format, ...)
  print((format:format(...)))
end

local function title(text)
  say("\n%s\n%s", text, string.rep("-", #text))
end

-- A violation in words, at most 78 columns wide.
local function tell(v)
  local text = " "
  for word in (v.kind .. ": " .. v.message):gmatch("%S+") do
    if #text + #word > 77 then
      print(text)
      text = " "
    end
    text = text .. " " .. word
  end
  print(text)
end

local ss, list, seen

-- The list a, b, c; a reader; and an updater that takes b out in its own way.
local function build(take_out)
  world()
  cpus(2)
  ss, list, seen = srcu.new("ss"), list_head("list"), {}
  local object = {}
  for _, name in ipairs {"a", "b", "c"} do
    object[name] = kmalloc(name, {value = string.byte(name)})
  end
  thread("init", function()
    for _, name in ipairs {"c", "b", "a"} do list_add_rcu(object[name], list) end
  end)
  finish("init")
  thread("reader", function()
    local idx = srcu_read_lock(ss)
    for o in list_for_each_entry_srcu(list, ss) do
      table.insert(seen, string.char(o.value))
    end
    srcu_read_unlock(ss, idx)
  end, {cpu = 0})
  thread("updater", function() take_out(object.b) end, {cpu = 1})
end

-- The reader stands on b when the updater comes.
local function on_b()
  assert(run_until("reader", function() return #seen == 2 end))
  run_until("updater", function() return false end)
  local v = run().violations[1]
  say("  the reader saw %s", table.concat(seen, ", "))
  if v then tell(v) end
  return v and v.kind
end

title("list_del_rcu(), synchronize_srcu(), kfree()")
build(function(b)
  list_del_rcu(b)
  synchronize_srcu(ss)
  kfree(b)
end)
assert(not on_b())
say("\n  What the updater did to the list, and when it freed the element:")
for _, e in ipairs(trace(math.maxinteger)) do
  local free = e.op == "free" and e.text
  if e.thread == "updater" and (free or e.text:find("list_del_rcu", 1, true)) then
    say("  %3d  %s", e.n, e.text)
  elseif e.thread == "reader" and e.call == "srcu_read_unlock" and e.op == "cpu-add" then
    say("  %3d  (the reader has left)", e.n)
  end
end
print [[

The element is out of the list, but its own next pointer stays: a reader on it
goes on to c.  Readers that come later do not find it.  When those that were
there have gone, nobody can hold it, and it may be freed.]]

title("list_del() in its place")
build(function(b)
  list_del(b)
  synchronize_srcu(ss)
  kfree(b)
end)
assert(on_b() == "warning")

title("kfree() at once")
build(function(b)
  list_del_rcu(b)
  kfree(b)
end)
assert(on_b() == "use-after-free")

title("Two updaters without a lock")

local function updaters(lock)
  local n, first = 0, nil
  for seed = 1, 100 do
    world()
    local m = mutex("m")
    list = list_head("list")
    for i = 1, 2 do
      local o = kmalloc("o" .. i)
      thread("updater" .. i, function()
        if lock then mutex_lock(m) end
        list_add_rcu(o, list)
        list_del_rcu(o)
        if lock then mutex_unlock(m) end
        kfree(o)
      end)
    end
    local v = run{policy = "random", seed = seed}.violations[1]
    if v then
      n = n + 1
      first = first or v
    end
  end
  return n, first
end

local torn, v = updaters(false)
assert(torn > 0 and updaters(true) == 0)
say("  %d of 100 random schedules tear the list; with a mutex around both, none.\n", torn)
tell(v)
print [[

Answer: a reader sees an element or does not, never half a list; it may stand on
an element that is out already.  So the updater must leave the element's next
pointer alone, and must wait for a grace period before it frees it.  RCU is for
readers: updaters still need a lock among themselves.]]
