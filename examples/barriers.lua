-- SPDX-License-Identifier: GPL-2.0-or-later
-- Question: the comments of SRCU name five barriers, A to E.  What is each of them for?
--
-- Shows: each is taken out, and the rest explored under three memory models; the same with
-- gp_seq read and written plainly.  Each wrong cell of the table comes with its schedule.
-- The scenarios are those of no-barrier.lua.
--
--	srcush barriers.lua			one reader, one updater
--	srcush barriers.lua two			two readers; some of it takes a minute
--	srcush barriers.lua wrap		counters of 3 bits, which wrap
--	srcush barriers.lua [two] DIRECTORY	the same on copies of a Linux source tree, of
--						which the barriers are taken out

local MODELS = {"sc", "tso", "weak"}
local SECONDS = 300	-- that the exploration of one cell may take
local ROWS = {"none", "A", "B", "C", "D", "E", "plain"}

local HERE = arg[0]:match "^(.*/)" or ""
local SCENARIOS = HERE .. "no-barrier.lua"

local mode, dir = "one", nil
for _, a in ipairs(arg) do
  if a == "two" or a == "wrap" then mode = a else dir = a end
end

-- ------------------------------------------------------------------ the kernel's own code

local function quoted(s) return "'" .. s:gsub("'", "'\\''") .. "'" end

local copies = setmetatable({}, {__gc = function(list)
  for _, copy in ipairs(list) do os.execute("rm -rf " .. quoted(copy)) end
end})

-- A copy of what is needed of the tree.
local function copied()
  local p = assert(io.popen "mktemp -d")
  local copy = p:read "l"
  p:close()
  copies[#copies + 1] = copy
  assert(os.execute(("cd %s && tar -cf - Makefile include/linux/*rcu*.h kernel/rcu | tar -xf - -C %s")
                    :format(quoted(dir), quoted(copy))), "the tree cannot be copied")
  return copy
end

local function edit(path, change)
  local f = assert(io.open(path))
  local text = f:read "a"
  f:close()
  local changed = change(text)
  assert(changed ~= text, path .. " has nothing of the kind")
  f = assert(io.open(path, "w"))
  f:write(changed)
  f:close()
end

-- Without the barrier that the comment calls so.
local function without(letter)
  local copy = copied()
  edit(copy .. "/kernel/rcu/srcutree.c", function(text)
    return (text:gsub("smp_mb[%w_]*%(%);(%s*/%* " .. letter .. " %*/)", ";%1"))
  end)
  return copy
end

-- The functions of sequence numbers without READ_ONCE() and WRITE_ONCE().
local function plain()
  local copy = copied()
  edit(copy .. "/kernel/rcu/rcu.h", function(text)
    return (text:gsub("WRITE_ONCE%(%*sp, ([^\n]*)%);", "*sp = %1;"):gsub("READ_ONCE%(%*sp%)", "(*sp)"))
  end)
  return copy
end

local trees = {}
local function kernel(fault)
  local letter = fault and fault:match "^no%-mb%-(.)$"
  trees[fault or ""] = trees[fault or ""] or
    srcu.load_kernel(letter and without(letter) or fault and plain() or dir, {nr_cpus = 3})
  return {size = "small", kernel = trees[fault or ""]}
end

-- ------------------------------------------------------------------ the table

local scenarios = assert(loadfile(SCENARIOS))(dir and kernel)
local found = {}	-- schedules, in order

-- "seen": an assertion of the scenario fails; "gp": only an imagined access shows it.
local function verdict(name, model)
  local r = explore(scenarios[name], {model = model, keep_going = mode == "one", time = SECONDS})
  local kinds = {}
  for _, v in ipairs(r.violations) do kinds[v.kind] = true end
  local v = r.violations[1]
  if v then found[#found + 1] = {name = name, schedule = v.schedule} end
  if r.verdict == "incomplete" then return "?" end
  return kinds.assertion and "seen" or kinds["grace-period"] and "gp" or kinds["data-race"] and "race" or
         next(kinds) or "ok"
end

-- A schedule in quotes, in lines.
local function wrapped(schedule)
  local text, width = "'", 5
  for item in schedule:gmatch "%S+" do
    if width + #item > 76 then text, width = text .. "\n     ", 5 end
    text, width = text .. (width > 5 and " " or "") .. item, width + 1 + #item
  end
  return "    " .. text .. "'"
end

local function line(name, cells)
  print((("%-7s %s"):format(name, table.concat(cells, " ")):gsub("%s+$", "")))
end

local function heads(columns)
  local texts, models = {}, {}
  for _, column in ipairs(columns) do
    texts[#texts + 1] = ("%-17s "):format(column)
    for _, model in ipairs(MODELS) do models[#models + 1] = ("%-5s"):format(model) end
    models[#models + 1] = " "
  end
  line("", texts)
  line("", models)
end

-- What each scenario of the row says; "-": nothing is said.  Races in a kernel's code are
-- looked for under sc.
local function row(name, does)
  local cells = {}
  for _, what in ipairs(does) do
    for _, model in ipairs(MODELS) do
      local scenario = name .. "_" .. what
      local said = scenarios[scenario] and (what ~= "polled" or model == "sc" or not dir)
      cells[#cells + 1] = ("%-5s"):format(said and verdict(scenario, model) or "-")
    end
    cells[#cells + 1] = " "
  end
  line(name == "plain" and "gp_seq" or name, cells)
end

local columns = {
  one = {"section loads", "section stores", "polled"}, two = {"sections load", "sections store"},
  wrap = {"counters wrap"},
}
local does = {one = {"loads", "stores", "polled"}, two = {"loads2", "stores2"}, wrap = {"wrap"}}
heads(columns[mode])
for _, name in ipairs(mode == "wrap" and {"none", "D"} or ROWS) do row(name, does[mode]) end

if #found > 0 and not dir then
  print("\nsrcush replay " .. SCENARIOS .. ":NAME 'SCHEDULE' shows it:")
  for _, f in ipairs(found) do print(("  %s\n%s"):format(f.name, wrapped(f.schedule))) end
end
if mode ~= "one" or dir then os.exit(0, true) end
print [[

none  every barrier is where it belongs
ok    every execution was looked at, and none is wrong
seen  the grace period is too short, and the threads themselves see it
gp    it is too short for accesses that were imagined
race  plain accesses that nothing orders

One reader and one updater, expedited, wide counters; sc, tso (x86) and weak
(the Linux-kernel memory model without load buffering).

B  (reader, behind the count) keeps the section behind the count.  Without it a
   load of the section may come before the count is seen by others: x86, too.
C  (reader, before the count) keeps the section before the count of its end.
   x86 never reorders that; under weak a store of the section may be missed.
   That a load of it comes after the count would take load buffering, which is
   not explored: so nothing is said about sections that only read.
A  (updater, between the sums) takes two readers to show, and weak: one comes
   and goes between the two sums, taken in the wrong order, and hides the other.
D  (updater, after the flip) takes counters that wrap (`wrap`: of 3 bits), and
   weak.  On x86 the spin lock that is taken next does the same.
E  (updater, before the flip): nothing shows, in any of it.  What it orders is
   loads before a store, so without load buffering nothing could.
gp_seq (read and written plainly) is a data race as soon as somebody polls, and
   compilers make of one what they like; its order is kept by other means.]]
