-- SPDX-License-Identifier: GPL-2.0-or-later
-- The core of classic SRCU (two banks of counters for each reader, a flip, two scans)
-- over plain variables, from which explorers can be measured alike: all accesses are
-- READ_ONCE or WRITE_ONCE, and waiting is assume().
--
--	srcush explore bench/explore/classic.lua:r2s1u1
--
-- rRsSuU: R readers of S read sections each and an updater of U grace periods: correct.
-- Complete executions are r1s1u1 4, r2s1u1 16, r3s1u1 64, r4s1u1 256, r3s2u1 729,
-- r6s1u1 4096, r3s2u2 46656, r4s2u2 1679616, whoever counts them.
-- b1rR: neither flips nor scans a second time; b2rR: frees before it synchronizes; b3rR: the
-- reader has no barrier behind its lock++ (broken where the memory model is weaker than sc);
-- one section and one grace period: broken.  Further names come as arguments:
-- loadfile("classic.lua")("r5s1u1").

local function scan(lock, unlock, i)
  local u, l = 0, 0
  for c = 1, #unlock do u = u + READ_ONCE(unlock[c][i]) end
  smp_mb()
  for c = 1, #lock do l = l + READ_ONCE(lock[c][i]) end
  assume(u == l)
end

local function synchronize(idx, lock, unlock, broken)
  smp_mb()
  local i = READ_ONCE(idx) & 1
  scan(lock, unlock, i ~ 1)
  if broken ~= "b1" then
    smp_mb()
    WRITE_ONCE(idx, READ_ONCE(idx) + 1)
    smp_mb()
    scan(lock, unlock, i)
  end
  smp_mb()
end

local function section(idx, lock, unlock, gp, freed, broken)
  local i = READ_ONCE(idx) & 1
  WRITE_ONCE(lock[i], READ_ONCE(lock[i]) + 1)
  if broken ~= "b3" then smp_mb() end
  local p = READ_ONCE(gp)
  assert(READ_ONCE(freed[p]) == 0, "a reader uses what was freed")
  smp_mb()
  WRITE_ONCE(unlock[i], READ_ONCE(unlock[i]) + 1)
end

-- The counters of one kind: [reader][bank].
local function counters(kind, readers)
  local t = {}
  for c = 1, readers do
    t[c] = { [0] = var(("%s%d.0"):format(kind, c)), var(("%s%d.1"):format(kind, c)) }
  end
  return t
end

local function classic(readers, sections, periods, broken)
  return function()
    cpus(readers + 1)
    local idx, gp = var("srcu_idx"), var("gp")
    local lock, unlock = counters("lock", readers), counters("unlock", readers)
    local freed = {}
    for n = 0, periods do freed[n] = var("freed" .. n) end
    for c = 1, readers do
      local mylock, myunlock = lock[c], unlock[c]
      thread("reader" .. c, function()
        for _ = 1, sections do section(idx, mylock, myunlock, gp, freed, broken) end
      end)
    end
    thread("updater", function()
      for n = 0, periods - 1 do
        WRITE_ONCE(gp, n + 1)
        if broken == "b2" then WRITE_ONCE(freed[n], 1) end
        synchronize(idx, lock, unlock, broken)
        if broken ~= "b2" then WRITE_ONCE(freed[n], 1) end
      end
    end)
  end
end

local scenarios = {}

local function add(name)
  local r, s, u = name:match("^r(%d+)s(%d+)u(%d+)$")
  local broken, br = name:match("^(b[123])r(%d+)$")
  if not r and not br then
    error(("no such program: '%s' (rRsSuU, b1rR, b2rR and b3rR can be had)"):format(name), 0)
  end
  scenarios[name] = classic(tonumber(r or br), tonumber(s or 1), tonumber(u or 1), broken)
end

for name in ("r1s1u1 r2s1u1 r3s1u1 r4s1u1 r3s2u1 r6s1u1 r3s2u2 r4s2u2 " ..
             "b1r1 b1r2 b1r3 b2r1 b2r2 b2r3 b3r1 b3r2 b3r3"):gmatch("%S+") do
  add(name)
end
for _, name in ipairs({ ... }) do add(name) end
return scenarios
