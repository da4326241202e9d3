-- SPDX-License-Identifier: GPL-2.0-or-later
-- srcush litmus: what each construct of the language means, what the models make of it,
-- what is printed, and what happens to files that are no tests.

local tap = require("tap")
package.path = (os.getenv("top_srcdir") or ".") .. "/t/lib/?.lua;" .. package.path
local top = os.getenv("top_srcdir") or "."
local srcush = "'" .. (os.getenv("SRCUSH") or "./srcush") .. "'"
local dir = os.getenv("HOME") or "."
local here = top .. "/t/litmus/"

local function write(name, text)
	local f = assert(io.open(dir .. "/" .. name, "wb"))
	f:write(text)
	f:close()
end

local function read(name)
	local f = assert(io.open(dir .. "/" .. name, "rb"))
	local s = f:read("a")
	f:close()
	return s
end

-- Runs srcush litmus in the scratch directory.
local function litmus(args)
	local _, how, code = os.execute(("cd '%s' && %s litmus </dev/null %s >out.txt 2>err.txt"):format(dir, srcush, args))
	return how == "exit" and code or how .. " " .. code, read("out.txt"), read("err.txt")
end

-- name, then what is observed under sc, tso and weak with the ideal SRCU, and what is
-- printed beside that ("" or a pattern)
local verdicts = {
	{ "2+2w-wmb", "Never", "Never", "Sometimes" },
	{ "array-dependency", "Never", "Never", "Never" },
	{ "atomic-bits", "Always", "Always", "Always" },
	{ "atomics", "Always", "Always", "Always" },
	{ "casts", "Always", "Always", "Always" },
	{ "cmpxchg-lock", "Always", "Always", "Always" },
	{ "condition", "Sometimes", "Sometimes", "Sometimes" },
	{ "control-dependency", "Never", "Never", "Never" },
	{ "corr", "Never", "Never", "Never" },
	{ "counter-atomic", "Always", "Always", "Always" },
	{ "counter-plain-race", "Sometimes", "Sometimes", "Sometimes", "\nFlag data%-race\n" },
	{ "deadlock-abba", "Sometimes", "Sometimes", "Sometimes" },
	{ "deadlock-always", "Never", "Never", "Never", "\nDeadlock deadlock%-always: no execution comes to its end\n" },
	{ "filter", "Always", "Always", "Always" },
	{ "info-lines", "Never", "Never", "Sometimes", "\nFlag data%-race\n" },
	{ "init-elements", "Always", "Always", "Always" },
	{ "init-pointers", "Always", "Always", "Always" },
	{ "init-register-address", "Always", "Always", "Always" },
	{ "iriw-mb", "Never", "Never", "Never" },
	{ "iriw-rmb", "Never", "Never", "Sometimes" },
	{ "language", "Always", "Always", "Always" },
	{ "lb-data", "Never", "Never", "Never" },
	{ "list-dependency", "Never", "Never", "Never" },
	{ "lock-array", "Never", "Never", "Never" },
	{ "lock-counter", "Never", "Never", "Never" },
	{ "lock-kept", "Sometimes", "Sometimes", "Sometimes" },
	{ "lock-pointer", "Never", "Never", "Never" },
	{ "loops", "Always", "Always", "Always" },
	{ "mp-before-atomic", "Never", "Never", "Never" },
	{ "mp-branch", "Never", "Never", "Sometimes" },
	{ "mp-failed-acquire", "Never", "Never", "Sometimes" },
	{ "mp-fetch-release", "Never", "Never", "Never" },
	{ "mp-plain-order", "Never", "Never", "Sometimes" },
	{ "mp-release-acquire", "Never", "Never", "Never" },
	{ "mp-wmb-rmb", "Never", "Never", "Never" },
	{ "pointer-to-pointer", "Always", "Always", "Always" },
	{ "rcu-guarantee", "Never", "Never", "Never" },
	{ "s-and", "Never", "Never", "Never" },
	{ "s-behind-if", "Never", "Never", "Sometimes" },
	{ "s-behind-loop", "Never", "Never", "Sometimes" },
	{ "s-break", "Never", "Never", "Never" },
	{ "s-control", "Never", "Never", "Never" },
	{ "s-early-return", "Never", "Never", "Never" },
	{ "sb-after-atomic", "Never", "Never", "Never" },
	{ "sb-failed-cmpxchg", "Never", "Never", "Sometimes" },
	{ "sb-fetch-xor", "Never", "Never", "Never" },
	{ "sb-nothing", "Never", "Sometimes", "Sometimes" },
	{ "sb-relaxed-xchg", "Never", "Never", "Sometimes" },
	{ "sb-store-mb", "Never", "Never", "Never" },
	{ "spin-for-ever", "Never", "Never", "Never", "\nDeadlock spin%-for%-ever: " },
	{ "spin-handshake", "Always", "Always", "Always" },
	{ "srcu-after-unlock", "Never", "Never", "Never" },
	{ "srcu-guarantee", "Never", "Never", "Never" },
	{ "srcu-handed-over", "Never", "Never", "Never" },
	{ "srcu-index-in-memory", "Never", "Never", "Never" },
	{ "srcu-nested", "Never", "Never", "Never" },
	{ "srcu-no-fence", "Never", "Sometimes", "Sometimes" },
	{ "srcu-other-index", "Always", "Always", "Always", "\nFlag srcu%-bad%-value%-match\n" },
	{ "srcu-overlap", "Never", "Never", "Never" },
	{ "srcu-sb-readers", "Never", "Sometimes", "Sometimes" },
	{ "srcu-sleep-in-rcu", "Always", "Always", "Always", "\nFlag invalid%-sleep\n" },
	{ "srcu-two-domains", "Sometimes", "Sometimes", "Sometimes" },
	{ "srcu-unlocked-twice", "Always", "Always", "Always", "\nFlag multiple%-srcu%-matches\n" },
	{ "srcu-unmatched", "Always", "Always", "Always", "\nFlag unmatched%-srcu%-lock\n" },
	{ "srcu-unmatched-unlock", "Always", "Always", "Always", "\nFlag unmatched%-srcu%-unlock\n" },
	{ "trylock", "Sometimes", "Sometimes", "Sometimes" },
	{ "trylock-one", "Never", "Never", "Never" },
	{ "unlock-lock-mb", "Never", "Never", "Never" },
	{ "unlock-lock-rctso", "Never", "Never", "Sometimes" },
	{ "unlock-lock-stores", "Never", "Never", "Never" },
	{ "unsigned", "Always", "Always", "Always" },
	{ "wrc-data", "Never", "Never", "Sometimes" },
	{ "wrc-release", "Never", "Never", "Never" },
}
for _, v in ipairs(verdicts) do
	for i, model in ipairs { "sc", "tso", "weak" } do
		local s, out, err = litmus(("--model %s --srcu ideal '%s%s.litmus'"):format(model, here, v[1]))
		local name = v[1] .. ", " .. model
		tap.is(out:match("\nObservation %S+ (%a+)"), v[1 + i], name)
		tap.same({ s, err }, { 0, "" }, name .. ": status and messages")
		if v[5] then
			tap.like(out, v[5], name .. ": more")
		else
			tap.unlike(out, "\nFlag ", name .. ": no flags")
			tap.unlike(out, "\nDeadlock ", name .. ": no deadlock")
		end
	end
end

-- The real SRCU: what it guarantees, and the barriers that it has beyond.
for _, v in ipairs {
	{ "srcu-guarantee", "Never" }, { "srcu-two-domains", "Sometimes" }, { "deadlock-always", "Never" },
	{ "srcu-sb-readers", "Never" },
} do
	for _, model in ipairs { "sc", "tso", "weak" } do
		local s, out = litmus(("--model %s --time 60 --quiet '%s%s.litmus'"):format(model, here, v[1]))
		tap.is(out:match("^Observation %S+ (%a+)"), v[2], v[1] .. ", tree, " .. model)
		tap.is(s, 0, v[1] .. ", tree, " .. model .. ": exhaustive")
	end
end
for _, model in ipairs { "sc", "tso", "weak" } do
	local s, out = litmus(("--model %s --time 60 --rcu-as-srcu --quiet '%srcu-guarantee.litmus'"):format(model, here))
	tap.is(out:match("^Observation %S+ (%a+)"), "Never", "RCU as the tree SRCU, " .. model)
	tap.is(s, 0, "RCU as the tree SRCU, " .. model .. ": exhaustive")
end

-- A kernel's own SRCU.
require("kerneltree").each(function(version, tree)
	for _, v in ipairs {
		{ "srcu-guarantee", "Never" }, { "srcu-two-domains", "Sometimes" }, { "deadlock-always", "Never" },
		{ "srcu-sb-readers", "Never" },
	} do
		local s, out, err = litmus(("--model weak --time 60 --quiet --kernel '%s' '%s%s.litmus'"):format(tree, here, v[1]))
		tap.is(out:match("^Observation %S+ (%a+)"), v[2], v[1] .. ", Linux " .. version .. ", weak")
		tap.same({ s, err }, { 0, "" }, v[1] .. ", Linux " .. version .. ", weak: exhaustive")
	end
end, function(_, why) tap.skip(why) end)

-- What is printed.
do
	local s, out = litmus("--model weak '" .. here .. "mp-plain-order.litmus'")
	tap.is(s, 0, "form: status")
	tap.is((out:gsub("Time %S+ [%d.]+", "Time T")), [[
Test mp-plain-order Allowed
States 4
1       :>1:r0=0; 1:r1=0;
1       :>1:r0=0; 1:r1=7;
1       *>1:r0=1; 1:r1=0;
1       :>1:r0=1; 1:r1=7;
Ok
Witnesses
Positive: 1 Negative: 3
Condition exists (1:r0=1 /\ 1:r1=0)
Observation mp-plain-order Sometimes 1 3
Result mp-plain-order: Sometimes expected, agrees
Time T

]], "form")
	s, out = litmus("--model weak '" .. here .. "list-dependency.litmus'")
	tap.like(out, "1:p=new; 1:r0=1;", "addresses are names")
	s, out = litmus("--json --model weak '" .. here .. "mp-plain-order.litmus'")
	local first, second = out:match("^(.-)\n(.-)\n")
	tap.like(first or "", '^{"srcush":"[%d.]+","format":1,"type":"header","command":"litmus"}$', "JSON: the version comes first")
	tap.like(second or "", '"observation":"Sometimes","complete":true,"positive":1,"negative":3', "JSON: the verdict")
	tap.like(second or "", '{"state":"1:r0=1; 1:r1=0;","count":1,"positive":true}', "JSON: a state")
	write("latin.litmus", "C caf\xe9-\u{e9}\n{}\nP0(int *x) { }\nexists (x=0)\n")
	s, out = litmus("--json latin.litmus")
	tap.like(out, '"test":"caf\\ufffd%-\u{e9}"', "JSON: no other bytes than UTF-8")
end

-- Against the verdict that the test expects.
local mp = "{}\nP0(int *x, int *y) { WRITE_ONCE(*x, 1); WRITE_ONCE(*y, 1); }\n"
	.. "P1(int *x, int *y) { int r0; int r1; r0 = READ_ONCE(*y); r1 = READ_ONCE(*x); }\n"
write("forbidden.litmus", "C forbidden\n(* Result: Never *)\n" .. mp .. "exists (1:r0=1)\n")
write("always.litmus", "C always\n(* Result: Always *)\n" .. mp .. "forall (1:r0=1)\n")
write("stronger.litmus", "C stronger\n(* Result: Sometimes *)\n" .. mp .. "exists (1:r0=2)\n")
write("never.litmus", "C never\n(* Result: Never *)\n" .. mp .. "~exists (1:r0=1 /\\ 1:r1=0)\n")
local function score(args, status, pattern)
	local s, out = litmus(args)
	tap.is(s, status, args .. ": status")
	tap.like(out, pattern, args .. ": result")
end
score("forbidden.litmus", 3, "Result forbidden: Never expected, FORBIDDEN OUTCOME SEEN")
score("always.litmus", 3, "Result always: Always expected, FORBIDDEN OUTCOME SEEN")
score("stronger.litmus", 0, "Result stronger: Sometimes expected, stronger: allowed, never seen")
write("deadlock.litmus", "C deadlock\n(* Result: DEADLOCK *)\n" .. mp .. "exists (1:r0=2)\n")
write("race.litmus", "C race\n(* Result: Never *)\n" .. mp:gsub("READ_ONCE", "") .. "exists (1:r0=1)\n")
write("norace.litmus", "C norace\n(* Result: Never DATARACE *)\n" .. mp .. "exists (1:r0=2)\n")
score("deadlock.litmus", 3, "Result deadlock: DEADLOCK expected, FORBIDDEN OUTCOME SEEN")
score("race.litmus", 0, "\nFlag data%-race\n.*Result race: Never expected, not compared: there is a data race")
score("norace.litmus", 0, "Result norace: Never DATARACE expected, stronger: allowed, never seen")
score("never.litmus", 0, "Test never Forbidden\n.*\nOk\n.*Condition ~exists .*Never expected, agrees")
score("--model weak never.litmus", 3, "\nNo\n.*FORBIDDEN OUTCOME SEEN")
score("never.litmus forbidden.litmus", 3, "Result never: .*Result forbidden: .*\nSummary: agreed 1, stronger 0, forbidden 1, "
	.. "undecided 0, not compared 0, nothing expected 0, skipped 0, malformed 0\n")
score("- <never.litmus", 0, "Result never: Never expected, agrees")
-- What can be said of a file that is cut short, or of one that only looks.
write("wait.litmus", "C wait\n{}\nP0(int *x) { while (READ_ONCE(*x) == 0) ; }\nexists (x=1)\n")
score("wait.litmus", 0, "Deadlock wait: no execution comes to its end")
write("empty.litmus", "C empty\n{}\nP0(struct srcu_struct *ss) { }\nforall (true)\n")
score("--srcu ideal --model weak empty.litmus", 0, "Observation empty Always 1 0")
write("shown.litmus", "C shown\n{ int *p = &x; }\nP0(int *x, int **p) { WRITE_ONCE(*x, 2); }\n"
	.. "exists (x=2 /\\ p=x /\\ not ([x]=3))\n")
score("shown.litmus", 0, "\n1       %*>%[p%]=x; %[x%]=2;\n.*\nCondition exists %(%[x%]=2 /\\ %[p%]=x /\\ not %(%[x%]=3%)%)\n")
score("'" .. here .. "spin-loop.litmus'", 4, "\nUnknown\n.*\nObservation spin%-loop not seen, incomplete 0 %d+\n"
	.. "Incomplete spin%-loop: loops were cut\n")
do
	local text = { "C long\n(* Result: Never *)\n{}\n" }
	for i = 0, 7 do
		text[#text + 1] = ("P%d(int *x) { int r0; int r1; int r2; r0 = READ_ONCE(*x); WRITE_ONCE(*x, %d); r1 = READ_ONCE(*x);"
			.. " r2 = READ_ONCE(*x); }\n"):format(i, i)
	end
	write("long.litmus", table.concat(text) .. "exists (0:r0=99)\n")
	score("--time 0.2 --model weak long.litmus", 4, "\nObservation long not seen, incomplete 0 %d+\n"
		.. "Incomplete long: cut by time 0.2\n")
	score("--time 0.2 --json --model weak long.litmus", 4, '"observation":"Never","complete":false,.*"ok":null')
end

-- What is no test: where, and what was expected.
local function bad(text, message)
	write("bad.litmus", text)
	local s, out, err = litmus("bad.litmus")
	tap.same({ s, out, err }, { 2, "", "srcush: bad.litmus:" .. message .. "\n" }, message)
end
local function body(text) return "C t\n{}\nP0(int *x) {\n" .. text .. "\n}\nexists (x=1)\n" end
local function skipped(text, message)
	write("skip.litmus", text)
	local s, out, err = litmus("skip.litmus")
	tap.same({ s, out, err }, { 4, "", "srcush: skip.litmus:" .. message .. " (skipped)\n" }, message)
end
bad("", "1:1: a litmus test in C begins with 'C NAME'")
bad("X86 SB\n{}\n", "1:1: a litmus test in C begins with 'C NAME'")
bad("C\n", "1:2: the name of the test is expected behind 'C'")
bad("C t\n(* no end", "2:1: the comment that begins here has no end ('*)')")
bad("C t\nP0() {}\n", "2:1: '{' before the initial values is expected, got 'P0'")
bad("C t\n{ x=1 y=2; }\nP0() {}\n", "2:7: ';' or '}' behind an initial value is expected, got 'y'")
bad("C t\n{}\nexists (x=1)\n", "3:1: a process, 'P0(...) { ... }', is expected, got 'exists'")
bad("C t\n{}\nP1(int *x) { }\nexists (x=1)\n", "4:1: there is no P0")
bad("C t\n{}\nP0(int *x) { }\nP0(int *x) { }\nexists (x=1)\n", "4:1: there is a P0 already")
bad("C t\n{}\nP0(x) { }\n", "3:4: the type of a parameter is expected, got 'x'")
bad(body("int r0 = READ_ONCE(*x)"), "5:1: ';' behind the declaration is expected, got '}'")
bad(body("WRITE_ONCE(*x);"), "4:11: WRITE_ONCE() takes 2 arguments, not 1")
bad(body("int r0; WRITE_ONCE(r0, 1);"), "4:20: WRITE_ONCE() takes a shared variable, as in WRITE_ONCE(*x)")
bad(body("int x;"), "4:5: 'x' is a parameter of this process")
bad(body("int r; int r;"), "4:12: there is a 'r' in this block already")
bad(body("1 = 2;"), "4:3: what stands before '=' is no variable")
bad(body("if (1 { }"), "4:7: ')' is expected, got '{'")
bad(body("int r0 = 12ab;"), "4:10: malformed number")
bad(body("int r0 = 1 @ 2;"), "4:12: unexpected character '@'")
bad("C t\n{}\nP0(int *x) {\nint r0;\n", "5:1: '}' at the end of the block is expected, but the file ends here")
bad("C t\n{}\nP0(int *x) { }\nexists (0:x)\n", "4:12: '=' or '!=' is expected, got ')'"
	)
bad("C t\n{}\nP0(int *x) { }\nexists (3:r1=1)\n", "4:9: there is no P3")
bad("C t\n{}\nP0(int *x) { }\nexists (y=1)\n", "4:9: there is no shared variable 'y'")
bad("C t\n{}\nP0(int *x) { }\nexists (x=1\n", "5:1: ')' in the condition is expected, but the file ends here")
bad("C t\n{}\nP0(int *x) { }\nexists (x=1) exists\n", "4:14: the end of the file is expected, got 'exists'")
bad("C t\n{}\nP0(int *x) { int r0 = " .. ("("):rep(300) .. "1;\n", "3:123: the expression nests too deep")
bad(body("int r0 = " .. ("1+"):rep(300) .. "1;"), "4:511: the expression has more than 250 operators")
bad("C t\n{}\nP0(int *x) { }\nexists (" .. ("x=0 /\\ "):rep(10001) .. "x=0)\n", "4:70009: the condition compares more than 10000 times")
do
	local vars = {}
	for i = 1, 1001 do vars[i] = "a" .. i .. "=1;" end
	bad("C t\n{\n" .. table.concat(vars, "\n") .. "}\nP0(int *x) { }\nexists (x=1)\n", "1003:6: there are more than 1000 shared variables")
	bad(body(table.concat(vars, "\n")), "1003:6: a process has more than 1000 local variables")
end
skipped("C t\n{ struct srcu_struct s[2]; }\nP0() { }\nexists (s[0]=0)\n", "2:22: an array of srcu_structs ('s') is not supported")
skipped("C t\n{ a[1]=2; }\nP0() { }\nexists (a=0)\n", "2:3: how many elements 'a' has is to be said first: int a[N];")
bad("C t\n{ int a[2]; a[2]=2; }\nP0() { }\nexists (a[0]=0)\n", "2:13: there are 2 elements")
skipped(body("int r0 __attribute__((unused)) = 1;"), "4:8: '__attribute__' is not supported")
do
	local s, out, err = litmus("missing.litmus")
	tap.same({ s, out, err }, { 2, "", "srcush: missing.litmus: No such file or directory\n" }, "a file that is not there")
	s, out, err = litmus(".")
	tap.same({ s, out, err }, { 2, "", "srcush: .: Is a directory\n" }, "a directory")
	s, out, err = litmus("")
	tap.same({ s, out, err }, { 2, "", "srcush: which file? usage: srcush litmus [options] FILE...\nTry 'srcush --help'.\n" },
		"no file")
	s, out, err = litmus("--kernel missing x.litmus")
	tap.same({ s, out, err }, { 2, "", "srcush: --kernel: cannot find the kernel tree 'missing': No such file or directory\n" },
		"no such kernel tree")
	s, out, err = litmus("--kernel missing --srcu ideal x.litmus")
	tap.same({ s, out, err }, { 2, "", "srcush: --srcu ideal is no kernel's: it does not go with --kernel missing\n"
		.. "Try 'srcush --help'.\n" }, "a kernel tree has no ideal SRCU")
	s, out, err = litmus("--srcu tiny x.litmus")
	tap.same({ s, out, err }, { 2, "", "srcush: unknown SRCU 'tiny' (tree, ideal)\nTry 'srcush --help'.\n" }, "no such SRCU")
end

-- What is not supported is named, and counts as skipped.
skipped(body("frob(x);"), "4:1: 'frob()' is not supported")
skipped(body("goto out;"), "4:1: 'goto' is not supported")
skipped(body("int r0 = x->next;"), "4:11: members of structures ('->next') are not supported")
skipped(body("struct page *p;"), "4:1: 'struct page' is not supported: only struct srcu_struct is")
skipped(body("int a[3];"), "4:5: local arrays ('a') are not supported")
skipped(body("int *p = 5; int r0 = READ_ONCE(*p);"),
	"4:22: P0: a pointer that points to no variable (5) is followed")
skipped(body("int r0 = 1 / READ_ONCE(*x);"), "4:12: P0: division by zero")
skipped("C t\n{}\nP0(spinlock_t *l) { spin_unlock(l); }\nexists (l=1)\n",
	"3:21: P0: a spinlock is released that this process does not hold")
do
	local s = litmus("skip.litmus never.litmus")
	tap.is(s, 4, "one skipped, one fine: status")
	s = litmus("skip.litmus forbidden.litmus")
	tap.is(s, 3, "one skipped, one forbidden: status")
end

tap.done()
