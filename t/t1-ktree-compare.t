-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- srcush compare: our own SRCU and Linux 6.1 and 6.12 do the same on random schedules of
-- calls; changed copies of them do not, and what is said then is true and can be seen
-- again; what it says to bad input.
--
--	SRCUSH_COMPARE=5000 srcush t/t1-ktree-compare.t		so many scenarios

local here = arg[0]:gsub("[^/]*$", "")
package.path = here .. "lib/?.lua;" .. package.path
local tap = require("tap")
local kt = require("kerneltree")
local sh = require("sh")

local SRCUSH = os.getenv("SRCUSH") or "./srcush"
local quoted = sh.quoted
local N = tonumber(os.getenv("SRCUSH_COMPARE")) or 120

local tmp <close> = sh.directory "compare"

local function write(name, text)
  return quoted(tmp:write(name, text))
end

-- srcush compare with these arguments for the shell.
local function compare(args)
  return sh.run(("%s compare -E %s </dev/null 2>&1"):format(quoted(SRCUSH), args))
end

local function gives(args, status, pattern, what)
  local text, s = compare(args)
  tap.is(s, status, what .. ": status")
  tap.like(text, pattern, what)
  return text
end

local plain = write("plain.lua", [[
return function()
  cpus(2)
  local ss = srcu.new("ss")
  thread("reader", function()
    local idx = srcu_read_lock(ss)
    srcu_read_unlock(ss, idx)
    if choose(2) == 2 then call_srcu(ss, function() end) end
  end)
  thread("updater", function() synchronize_srcu(ss) end)
  outcome(function() return "over" end)
end
]])

-- ----------------------------------------------------------------- bad input

gives(plain, 2, "^srcush: compare with what%? %-%-kernel DIR names a kernel tree", "no tree")
gives("", 2, "^srcush: which file%?", "no file")
gives("--kernel a --kernel b --kernel c " .. plain, 2, "two kernel trees at a time: '%-%-kernel c' is one too many",
      "three trees")
gives("--kernel " .. quoted(tmp.path .. "/none") .. " " .. plain, 2, "^srcush: [^\n]*none", "no such tree")
gives("--kernel a --max-executions 0 " .. plain, 2, "needs a number from 1", "no executions")
gives("--kernel a --jobs 2 " .. plain, 2, "option '%-%-jobs' is for explore", "an option of explore")

-- --------------------------------------------------------------- they agree

-- As many random scenarios, each on `times` schedules.
local function agree(what, kernels, first, n, times, tiny)
  local file = write("random.lua", ("return require('apischeds').scenarios(%d, %d, %s)"):format(first, n, tiny))
  local text, status = sh.run(("LUA_PATH=%s %s compare --max-executions %d %s %s </dev/null 2>&1")
    :format(quoted(here .. "lib/?.lua;;"), quoted(SRCUSH), times, kernels, file))
  local lines, choices = 0, 0
  for m in text:gmatch("agree on %d+ schedules, (%d+) choices") do
    lines, choices = lines + 1, choices + tonumber(m)
  end
  tap.is(status, 0, ("%s: %d random scenarios"):format(what, n))
  tap.is(lines, n, what .. ": all of them")
  tap.ok(choices > 10 * n, ("%s: %d choices"):format(what, choices))
  if status ~= 0 then print((text:gsub("[^\n]*agree on[^\n]*\n", ""):gsub("[^\n]+", "# %0"))) end
end

local example = quoted((os.getenv("top_srcdir") or here .. "..") .. "/examples/compare.lua")
local static = write("static.lua", [[
local function of(opts, n)
  return function()
    cpus(n)
    local ss = srcu.new("ss", opts)
    for i = 1, 2 do
      thread("t" .. i, function()
        local cookie = start_poll_synchronize_srcu(ss)
        for _ = 1, 2 do srcu_read_unlock(ss, srcu_read_lock(ss)) end
        call_srcu(ss, function() end)
        poll_state_synchronize_srcu(ss, cookie)
        synchronize_srcu(ss)
        poll_state_synchronize_srcu(ss, cookie)
        srcu_barrier(ss)
      end)
    end
  end
end
return {
  big = of({size = "big"}, 3), static_big = of({size = "big", static = true}, 3),
  static = of({static = true}, 2), tiny = of({flavor = "tiny"}, 1),
}
]])

local dirs = {}
kt.each(function(version, dir)
  dirs[version] = "--kernel " .. quoted(dir)
  agree("srcush and Linux " .. version, dirs[version], 1, N, 2)
  agree("Tiny SRCU, Linux " .. version, dirs[version], 1, N // 4, 2, true)
  gives(dirs[version] .. " " .. example, 0, "agree on 100 schedules", "examples/compare.lua, Linux " .. version)
  gives("--max-executions 30 " .. dirs[version] .. " " .. static, 0, "tiny: [^\n]* agree on 30 schedules",
        "sizes and flavors, Linux " .. version)
end, function(_, why)
  tap.skip(why, 10)
end)
if dirs["6.1"] and dirs["6.12"] then
  agree("Linux 6.1 and 6.12", dirs["6.1"] .. " " .. dirs["6.12"], 100001, N // 2, 2)
else
  tap.skip("there are not two kernel trees", 3)
end

-- ------------------------------------------------------------- they do not

-- What a text says can be typed to see it again.
local function again(text)
  return text:match("To see it again:\n  srcush compare ([^\n]*)\n")
end

local function changed(what, edits)
  local copy = kt.copy("6.12", edits)
  local both = dirs["6.12"] .. " --kernel " .. quoted(copy)
  local text = gives(both .. " " .. example, 3, ": difference %(seed %d+%)\n  in [^\n]*, a[ft]", what .. ", another 6.12")
  local wide = ""
  for line in text:gmatch("[^\n]+") do
    -- commands and names of files are as long as they are
    if #line > 80 and not line:find("%(/") and not line:find(copy, 1, true) and
       not line:find("compare.lua", 1, true) then
      wide = line
    end
  end
  tap.is(wide, "", what .. ": 80 columns are enough")
  local repeated = gives(assert(again(text)), 3, ": difference\n  in ", what .. ", again")
  tap.is(repeated:match("\n  in ([^\n]*)"), text:match("\n  in ([^\n]*)"), what .. ": the same difference")
  tap.is(again(repeated), again(text), what .. ": by the same schedule")
  local seed = text:match("%(seed (%d+)%)")
  local alone = gives(("%s --seed %s --max-executions 1 %s"):format(both, seed, example), 3, "differ in 1 of 1 schedule",
                      what .. ": its seed alone")
  tap.is(again(alone), again(text), what .. ": its seed gives the same")
  return "--kernel " .. quoted(copy), text
end

if dirs["6.12"] then
  local file = "kernel/rcu/srcutree.c"
  local flip, text = changed("no flip", {{file = file, from = "WRITE_ONCE(ssp->srcu_idx, ssp->srcu_idx + 1);", to = ""}})
  tap.like(text, "\n! [%w/:.]+ +", "what differs is marked")
  local _, other = changed("the other index", {{file = file, fn = "__srcu_read_lock",
    from = "READ_ONCE(ssp->srcu_idx) & 0x1", to = "(READ_ONCE(ssp->srcu_idx) + 1) & 0x1"}})
  tap.like(other, "srcu_read_lock%(ss%) = 0 +srcu_read_lock%(ss%) = 1\n", "both results, side by side")
  changed("it is never too soon for haste", {{file = file, from = "	if (exp_holdoff == 0 ||", to = "	if (0 && "}})

  -- in which way it is printed does not matter
  local one, two = compare(flip .. " " .. example), compare("--carrier pthread " .. flip .. " " .. example)
  tap.is(two, one, "the same on threads of the operating system")
  tap.like(one, "^[^\n]*difference[^\n]*\n  in [^\n]*\n  srcush: [^\n]*\n  Linux 6%.12[^\n]*: ", "srcush's own and a changed tree")
  local quiet = compare("--quiet " .. flip .. " " .. example)
  tap.unlike(quiet, "To see it again", "--quiet: no table")
  tap.like(quiet, "difference", "--quiet: the difference")
  local json, status = compare("--json " .. flip .. " " .. example)
  tap.is(status, 3, "--json: status")
  tap.like(json, '"type":"difference"[^\n]*"what":', "--json: the difference")
  tap.like(json, '"type":"verdict"[^\n]*"verdict":"difference"', "--json: the verdict")
  gives("--keep-going --max-executions 5 " .. flip .. " " .. example, 3, "differ in %d of 5 schedules", "--keep-going")

  -- schedules
  local k = dirs["6.12"] .. " " .. plain .. " "
  gives(k .. "'reader updater * updater =end'", 2, "choice 4, 'updater', cannot be made", "one that is blocked")
  gives(k .. "'updater reader=index * reader * reader reader=2 reader updater * =end'", 0, "agree on 1 schedule, 10 choices",
        "a schedule of one's own")
  gives(k .. "nobody", 2, "choice 1, 'nobody', cannot be made", "no such thread")
  gives(k .. "reader=3", 2, "choice 1, 'reader=3', cannot be made", "no such choice")
  gives(k .. "reader=what", 2, "choice 1, 'reader=what', cannot be made", "no such place")
  gives(k .. "'=end reader'", 2, "nothing comes after '=end'", "after the end")

  -- scenarios
  k = dirs["6.12"] .. " "
  gives(k .. write("none.lua", "return function() thread('t', function() smp_mb() end) end"), 2,
        "nothing to compare: no srcu_struct is made", "no domain")
  gives(k .. write("some.lua", [[return {
    a = function() thread('t', function() smp_mb() end) end,
    b = function() local ss = srcu.new("ss") thread("t", function() synchronize_srcu(ss) end) end}]]), 0,
    "a: left out: it makes no srcu_struct\n[^\n]*b: srcush and Linux", "one with and one without")
  gives(k .. write("faults.lua", [[return function()
    local ss = srcu.new("ss", {faults = {"no-flip"}})
    thread("t", function() synchronize_srcu(ss) end) end]]), 1, "a kernel tree has no faults", "faults")
  gives(k .. write("bad.lua", "return 7"), 2, "returns a number", "no scenario")
  gives(k .. write("fails.lua", [[return function()
    local ss = srcu.new("ss")
    thread("t", function() synchronize_srcu(ss) error("oh") end) end]]), 0, "agree on 100",
    "what is wrong in both is no difference")
  gives("--max-executions 2 " .. k .. write("endless.lua", [[return function()
    local ss, v = srcu.new("ss"), var("v")
    thread("t", function() repeat synchronize_srcu(ss) until READ_ONCE(v) == 1 end) end]]), 4,
    "agree on 2 schedules, 4000 choices; 2 had more than 2000 and were cut", "one without an end")
  -- a busy machine may not have come so far as to say anything in the first of these times
  local text, s
  for _, seconds in ipairs {1, 5, 25} do
    text, s = sh.run(("timeout --preserve-status -s INT %d %s compare %s --max-executions 10000000 %s 2>&1")
      :format(seconds, quoted(SRCUSH), k, plain))
    if text ~= "" then break end
  end
  tap.is(s, 130, "Ctrl-C: status")
  tap.like(text, "interrupted", "Ctrl-C")
else
  local _, why = kt.dir("6.12")
  tap.skip(why, 54)
end

tap.done()
