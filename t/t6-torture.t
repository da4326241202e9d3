-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- srcush torture: a short run finds nothing, says what it did, and can be interrupted; bad
-- input is told.  (That failures are found is t6-torture-faults' part.)

local tap = require("tap")
local top = os.getenv("top_srcdir") or "."
package.path = top .. "/t/lib/?.lua;" .. package.path
local sh = require "sh"
local S = sh.quoted(os.getenv("SRCUSH") or "./srcush")

-- Standard output, with standard error behind it, and the status.
local function torture(args)
	return sh.run(("timeout 120 %s torture %s 2>&1 </dev/null"):format(S, args))
end

-- --- runs

local text, status = torture "--time 1 --seed 7 --stat-interval 0.3"
tap.is(status, 0, "a second of it finds nothing")
tap.like(text, "^torture for 1 s, seed 7; ", "the seed is told")
tap.like(text, "\n +%d+%.%d s  normal  %d+ sections .-\n +%d+%.%d s  fast    %d+ sections ",
	"statistics of both domains")
tap.like(text, "\nok: no failure\n$", "the verdict")
local _, stats = text:gsub("\n +%d+%.%d s  normal", "")
tap.ok(stats >= 2, "statistics while it runs, and at the end")

text, status = torture "--time=0.2 --flavor fast --readers 1 --writers 1 --fakewriters 0 --quiet"
tap.is(text, "ok: no failure\n", "quiet")
tap.is(status, 0, "one of each kind, fast")
text, status = torture "--time 0.2 --flavor normal --readers 0 --stat-interval 0"
tap.is(status, 0, "no readers but those that come and go")
tap.ok(not text:find "fast", "only one domain")

-- --- JSON

text, status = torture "--time 0.3 --json --seed 18446744073709551615 --readers 3 --stat-interval 0"
tap.is(status, 0, "with --json")
local lines = {}
for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
tap.is(#lines, 4, "a header, two statistics, a verdict")
-- The keys and simple values of a flat object; nil: it is none.
local function flat(line)
	local o, rest = {}, line and line:match "^{(.*)}$"
	while rest and rest ~= "" do
		local key, value, more = rest:match '^"([%l_]+)":("[^"]*")(.*)$'
		if not key then key, value, more = rest:match '^"([%l_]+)":([-%d.]+)(.*)$' end
		if not key then key, value, more = rest:match '^"([%l_]+)":(%b[])(.*)$' end
		if not key or more ~= "" and not more:find '^,"' then return nil end
		o[key], rest = value, more:gsub("^,", "")
	end
	return rest and o
end
local h, v = flat(lines[1]) or {}, flat(lines[4]) or {}
tap.is(h.format, "1", "the version of the format comes first")
tap.is(h.command, '"torture"', "the command")
tap.is(h.seed, "18446744073709551615", "any seed of 64 bits")
tap.is(h.readers, "3", "the readers")
tap.is(h.flavors, '["normal","fast"]', "the domains")
tap.is(v.verdict, '"ok"', "the verdict")
tap.is(v.status, "0", "and its status")
for i = 2, 3 do
	local o = flat(lines[i]) or {}
	tap.is(o.flavor, i == 2 and '"normal"' or '"fast"', "statistics of a domain")
	for _, key in ipairs { "sections", "grace_periods", "generations", "calls", "barriers",
			"threads", "synchronize" } do
		tap.ok((tonumber(o[key]) or 0) > 0, key .. " are counted")
	end
	tap.like(o.pipe or "", "^%[%d+,%d+,0,0,0,0,0,0,0,0,0%]$", "nothing is beyond stage 1")
end

-- --- interrupted

local function interrupted(args)
	-- (a background job of the shell ignores SIGINT, whence timeout; it sends the signal twice
	-- unless --foreground is given)
	return sh.run(("timeout --foreground --preserve-status -s INT -k 60 1 %s torture --time 600 %s 2>&1"):format(S, args))
end
text, status = interrupted "--seed 3"
tap.is(status, 130, "Ctrl-C: the status")
tap.like(text, "\ninterrupted; no failure until then\n$", "Ctrl-C: what is known is told")
tap.like(text, " s  normal  %d+ sections", "and the statistics")
text, status = interrupted "--json --quiet"
tap.is(status, 130, "with --json, too")
tap.like(text, '{"type":"verdict","verdict":"interrupted","status":130,[^\n]*}\n$', "its verdict")

-- --- bad input

local TRY = "\nTry 'srcush torture --help'.\n"
local function refuses(args, message)
	text, status = torture(args)
	tap.is(text, "srcush: " .. message .. TRY, args)
	tap.is(status, 2, args .. ": status")
end
refuses("--time 0", "option '--time' needs a number of seconds, more than 0, not '0'")
refuses("--time nan", "option '--time' needs a number of seconds, more than 0, not 'nan'")
refuses("--time 1e10", "option '--time' needs a number of seconds, more than 0, not '1e10'")
refuses("--time", "option '--time' needs a value")
refuses("--stat-interval -1", "option '--stat-interval' needs a number of seconds, not '-1'")
refuses("--stall 0", "option '--stall' needs a number of seconds, more than 0, not '0'")
refuses("--readers 1025", "option '--readers' needs a number from 0 to 1024, not '1025'")
refuses("--writers 0", "option '--writers' needs a number from 1 to 1024, not '0'")
refuses("--fakewriters x", "option '--fakewriters' needs a number from 0 to 1024, not 'x'")
refuses("--seed -1", "option '--seed' needs a number from 0, not '-1'")
refuses("--seed 18446744073709551616", "option '--seed' needs a number from 0, not '18446744073709551616'")
refuses("--flavor slow", "unknown flavor 'slow' (normal, fast or both)")
refuses("--reader 1", "unknown option '--reader'; did you mean '--readers'?")
refuses("--zzzzzz", "unknown option '--zzzzzz'")
refuses("-x", "unknown option '-x'")
refuses("--json=1", "option '--json' takes no value")
refuses("a.lua", "torture takes no file: what is 'a.lua'?")
text, status = torture "--help"
tap.is(status, 0, "--help")
tap.like(text, "^Usage: srcush torture", "--help: the usage")
for _, name in ipairs { "time", "flavor", "readers", "writers", "fakewriters", "seed", "stat-interval",
		"stall", "json", "quiet" } do
	tap.ok(text:find("--" .. name, 1, true), "--help has --" .. name)
end
tap.like((torture "--version"), "^srcush %d", "--version")

-- --- what a system refuses

if (os.getenv("SRCUSH_SANITIZERS") or "") ~= "" then
	tap.skip("a sanitizer needs memory of its own", 2)
else
	-- a stack of 8 MiB each does not fit often
	text, status = sh.run(("ulimit -s 8192; ulimit -v 400000; timeout 120 %s torture --time 5 --readers 1000 --quiet 2>&1"):format(S))
	tap.is(status, 1, "threads that cannot be made: status")
	tap.like(text, "^srcush: cannot create a thread: [^\n]+\nended by an error\n$", "and the message")
end

tap.done()
