-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: what may an interrupt handler share with the threads of its CPU, and
-- which lock protects it?
--
-- Shows: a counter that a thread and an interrupt of the same CPU both change; a
-- spinlock that makes it worse; spin_lock_irqsave(), which is right; and that an
-- interrupt may be an SRCU reader but must never wait for a grace period.
--
--	srcush irq.lua

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

local total

-- A thread and an interrupt, both on CPU 0, add 1 to a counter.
local function scenario(lock, unlock)
  return function()
    cpus(1)
    local count, l = var("count"), spinlock("l")
    local function add()
      local flags = lock and lock(l)
      count:set(count:get() + 1)
      if unlock then unlock(l, flags) end
    end
    thread("thread", add)
    irq("irq", 0, add)
    total = count
  end
end

local RUNS = 100

-- Every run in another random order: how they ended, and one that went wrong.
local function trial(lock, unlock)
  local right, wrong, bad, sample = 0, 0, 0, nil
  for seed = 1, RUNS do
    world(scenario(lock, unlock))
    local v = run{policy = "random", seed = seed}.violations[1]
    if v then
      bad = bad + 1
      sample = sample or v
    elseif total:get() == 2 then
      right = right + 1
    else
      wrong = wrong + 1
    end
  end
  say("  of %d runs %d end with 2, %d with 1, %d never", RUNS, right, wrong, bad)
  return wrong, bad, sample
end

title("No lock: the interrupt strikes between load and store")
world(scenario())
step("thread")
finish("irq")
finish("thread")
timeline()
print()
local wrong, bad = trial()
assert(wrong > 0 and bad == 0)

title("spin_lock(): the interrupt waits for the thread, which it keeps from running")
local sample
wrong, bad, sample = trial(spin_lock, spin_unlock)
assert(wrong == 0 and bad > 0)
tell(sample)

title("spin_lock_irqsave()")
wrong, bad = trial(spin_lock_irqsave, spin_unlock_irqrestore)
assert(wrong == 0 and bad == 0)

title("SRCU in an interrupt")
world()
cpus(1)
local ss = srcu.new("ss")
irq("irq", 0, function() srcu_read_unlock(ss, srcu_read_lock(ss)) end)
thread("thread", function() synchronize_srcu(ss) end)
say("  a reader: %s", run{policy = "random", seed = 1}.verdict)

world()
cpus(1)
ss = srcu.new("ss")
irq("irq", 0, function() synchronize_srcu(ss) end)
say("  an updater:")
tell(run().violations[1])

print [[

Answer: an interrupt can come between any two steps of a thread of its CPU, and
runs to its end before the thread goes on.  What both change needs a spinlock
that is taken with interrupts off.  A lock that sleeps, and waiting for a grace
period, are out of the question there; reading under SRCU is not.]]
