-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The reference programs under the other memory models: as many executions as under sc
-- where no reordering can be seen, whoever and however many explore; and the reader that
-- lacks its barrier, which only the other models find wrong.

local here = arg[0]:gsub("[^/]*$", "")
local tap = require("tap")
local classic = assert(loadfile(here .. "../bench/explore/classic.lua"))()

local COUNTS = { r2s1u1 = { 16, 20 }, r3s1u1 = { 64, 152 }, r3s2u1 = { 729, 5103 } }

for _, model in ipairs { "tso", "weak" } do
  for _, name in ipairs { "r2s1u1", "r3s1u1", "r3s2u1" } do
    local r = explore(classic[name], { model = model })
    local two = explore(classic[name], { model = model, jobs = 2 })
    tap.is(r.verdict, "ok", ("%s under %s"):format(name, model))
    tap.is(r.executions, COUNTS[name][1], ("%s under %s: executions"):format(name, model))
    tap.is(r.blocked, COUNTS[name][2], ("%s under %s: blocked"):format(name, model))
    tap.same({ two.verdict, two.executions, two.blocked, two.steps },
      { r.verdict, r.executions, r.blocked, r.steps }, ("%s under %s: by two processes"):format(name, model))
  end
  for readers = 1, 3 do
    local name = "b3r" .. readers
    local r = explore(classic[name], { model = model })
    tap.is(r.verdict, "violation", ("%s under %s"):format(name, model))
    tap.ok(r.executions <= 10, ("%s under %s: after %d complete executions"):format(name, model, r.executions))
    world(classic[name])
    local ok, found = replay(r.violations[1].schedule)
    tap.ok(ok and found, ("%s under %s: the schedule leads back"):format(name, model))
    world()
  end
end
for readers = 1, 3 do
  tap.is(explore(classic["b3r" .. readers]).verdict, "ok", ("b3r%d under sc"):format(readers))
end

tap.done()
