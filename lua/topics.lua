-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What .help and help() explain beside commands and functions: each topic in a
-- few paragraphs, with lines to type.  t/t0-topics.t types them.

return {
	{ name = "start", title = "The first minutes", text = {
		"A world has objects and threads.  Make some; then decide who takes the next step.",
		"Threads with a function run it, one step at a time.  Threads without one take the "
		.. "calls that are typed for them: see .help focus.",
		"show() and timeline() print where things stand, .back undoes steps, .run lets "
		.. "everybody go on." },
	  example = [[
ss = srcu.new("ss")
reader = thread("reader", function() idx = srcu_read_lock(ss) srcu_read_unlock(ss, idx) end)
writer = thread("writer", function() synchronize_srcu(ss) end)
.step reader
.run
.timeline]] },

	{ name = "scenarios", title = "Scenario files", text = {
		"A scenario file is a Lua chunk that returns a function, or a table of named functions. "
		.. "Calling the function builds a world from nothing: objects, threads, assertions. It is "
		.. "called again whenever the world is built again (to go back, to replay), so its local "
		.. "variables are fresh each time.",
		".load FILE or .load FILE:NAME loads one here, .load alone reads the last one again; "
		.. "'srcush run FILE' runs each of them once, 'srcush step FILE' enters the shell with one "
		.. "loaded.  world(fn) does the same with a function." },
	  example = [[
function two_writers()
  local x = var("x")
  for _, name in ipairs{"a", "b"} do
    thread(name, function() WRITE_ONCE(x, READ_ONCE(x) + 1) end)
  end
end
world(two_writers)
.run
.show x]] },

	{ name = "schedules", title = "Schedules", text = {
		"A schedule says who moved, step by step: '@sc,4' (memory model and number of CPUs), then "
		.. "THREAD, THREAD*COUNT, or THREAD=K for a step in which choose() gives K.  The same "
		.. "schedule gives the same steps on every machine, so that it can be mailed.",
		"Each violation prints the schedule that leads to it.  .schedule prints the present one, "
		.. ".save FILE writes it, .replay S or .replay @FILE performs one from the start; "
		.. "'srcush replay FILE S' does it from the command line." },
	  example = [[
x = var("x")
thread("a", function() WRITE_ONCE(x, 1) end)
thread("b", function() WRITE_ONCE(x, 2) end)
.replay @sc,4 b a
.schedule]] },

	{ name = "focus", title = "Typing calls for a thread", text = {
		"A kernel call runs in a thread.  .thread T focuses on one that was made without a "
		.. "function: the prompt shows it, and what is typed runs there, to its end or until it "
		.. "blocks; then it is said on what, and who could unblock it.  Step the others, or .run, "
		.. "and the call goes on.",
		"!LINE is evaluated outside of the thread, dot-commands work as ever, .thread alone takes "
		.. "the focus away.  After .step on each call stops before its first step." },
	  example = [[
ss = srcu.new("ss")
reader = thread("reader")
.thread reader
idx = srcu_read_lock(ss)
!show(ss)
srcu_read_unlock(ss, idx)
.thread]] },

	{ name = "grace-periods", title = "Grace periods: IDLE, SCAN1, SCAN2", text = {
		"A grace period waits for the read sections that were under way when it was asked for. "
		.. "SCAN1 waits until the bank of counters that new readers do not use is even (as many "
		.. "unlocks as locks); then the banks are flipped, and SCAN2 waits for the other one.  The "
		.. "prompt and the timeline show the state, show(ss) the counters.",
		"The work is done by the worker kworker/SS:gp, which the timer timer/SS:gp starts again "
		.. "while a reader holds it up.  .until T SCAN2 runs a thread, and what it waits for, until "
		.. "that state is reached." },
	  example = [[
ss = srcu.new("ss")
writer = thread("writer", function() synchronize_srcu(ss) end)
.until writer SCAN1
.until writer SCAN2
.show ss
.run]] },

	{ name = "violations", title = "What is found, and how it is told", text = {
		"After each step rules are checked; what breaks one is a violation: use-after-free, "
		.. "double-free, invalid-free, grace-period (it ended before a reader that it had to wait "
		.. "for), deadlock, self-deadlock, unbalanced-unlock, warning (WARN_ON), assertion, error "
		.. "(an error thrown in a body).",
		"It is printed with the last steps and the schedule that leads there; .back goes back to "
		.. "before it.  Stepping functions return it as a second value, run() in report.violations; "
		.. "it has kind, message, thread, other, step and schedule.  'srcush run' exits with 3." },
	  example = [[
m, n = mutex("m"), mutex("n")
thread("a", function() mutex_lock(m) mutex_lock(n) end)
thread("b", function() mutex_lock(n) mutex_lock(m) end)
.step a
.step b
.back]] },

	{ name = "memory-models", title = "Stale loads and store buffers", text = {
		"'srcush step --model tso FILE' (x86) and '--model weak' (the Linux kernel's model, without "
		.. "load buffering) let loads return older stores, as far as the model allows; so do run, replay "
		.. "and explore, explore(scenario, {model=\"weak\"}) and .explore --model weak.",
		".step tells when the next step has a choice and .step T =K takes it, K counted from the newest "
		.. "store; pending(T).choices lists them.  show() says what each thread may still read, the "
		.. "timeline which store a stale load read from and what it missed.",
		"Without load buffering nothing is concluded about barriers that keep loads before stores; "
		.. "the section MEMORY MODELS of srcush(1) has what each primitive does in each model." },
	  example = [[
function buffering()
  local x, y = var("x"), var("y")
  thread("a", function() WRITE_ONCE(x, 1) READ_ONCE(y) end)
  thread("b", function() WRITE_ONCE(y, 1) READ_ONCE(x) end)
end
world(buffering)
.step a
.step b
.show]] },

	{ name = "exploration", title = "Every interleaving", text = {
		"explore(scenario), .explore and 'srcush explore FILE' try all orders of the threads' steps. "
		.. "ok: nothing is wrong in any, and none was left out.  violation: a short way to it is "
		.. "shown.  incomplete: a bound was hit, and is named.",
		"Besides the rules of .help violations a scenario can claim something itself: "
		.. "invariant(name, fn) after each step, finally(fn) at the end; outcome(fn) gives a text that "
		.. "is counted for each execution.",
		"What threads share must be seen: var(), ptr(), ghost(), not Lua variables that a thread "
		.. "changes.  Scenarios grow fast: begin with two threads that do one thing each.  "
		.. "strategy=\"pct\" or \"random\" take samples of what is too large.",
		".explore explores the scenario that the world was built from; .replay then walks to what "
		.. "it found, .back and .step go on from there." },
	  example = [[
function two_writers()
  local x = var("x")
  for _, name in ipairs{"a", "b"} do
    thread(name, function() WRITE_ONCE(x, READ_ONCE(x) + 1) end)
  end
  finally(function() assert(READ_ONCE(x) == 2) end)
end
world(two_writers)
.explore
.replay]] },

	{ name = "kernel-trees", title = "A kernel tree of one's own", text = {
		"srcu.load_kernel(DIR) compiles the SRCU of a Linux source tree, unmodified, each access to "
		.. "shared memory a step; srcu.new(NAME, {kernel=K}) makes a domain of it.  'srcush --kernel "
		.. "DIR', with each subcommand, makes all domains of it.  Events name the kernel's own files "
		.. "and lines.",
		"Edit the tree, type .reload, and ask again: what has changed is compiled, and the world "
		.. "begins anew with the result.  K.params.NAME is a module parameter, K.version tells which "
		.. "kernel it is.  srcush(1) says what it needs, and what it cannot do." },
	  example = [[
dir = os.getenv("SRCUSH_KERNEL_TREE")
K = dir and srcu.load_kernel(dir)
ss = srcu.new("ss", {kernel = K})
.show ss
.reload]] },

	{ name = "keys", title = "Keys", text = {
		"Tab completes commands, globals, fields and methods (ss:, vm., o.), options and words in "
		.. "quotes, names of threads, files.",
		"Enter on an empty line makes the last step again (.step, .over, step(), step_over()).",
		"Ctrl-C gives up the line, or stops what runs; nothing is lost.  Ctrl-D leaves.",
		"The rest is readline's, under the application name srcush; Ctrl-R searches the history, "
		.. "which is kept in $XDG_STATE_HOME/srcush/history." },
	  example = [[
x = var("x")
thread("a", function() for i = 1, 3 do WRITE_ONCE(x, i) end end)
.step a]] },

	{ name = "init", title = "init.lua", text = {
		"$XDG_CONFIG_HOME/srcush/init.lua (~/.config/srcush/init.lua) is run when the shell starts, "
		.. "unless -E was given: a place for functions of one's own.  A mistake in it is reported "
		.. "and keeps nobody out.  Objects made there are made in the first world only." },
	  example = [[
function two(name) return thread(name .. "1"), thread(name .. "2") end
a, b = two("writer")
.threads]] },

	{ name = "json", title = "--json", text = {
		"'srcush run', 'replay', 'step' and 'explore' with --json write one JSON object a line: first "
		.. "{\"srcush\":VERSION,\"format\":1,...}, then the scenario, each event, violations and the "
		.. "outcome.  What the script prints goes to standard error instead.  srcush(1) has the "
		.. "fields; trace() gives the same events as Lua tables." },
	  example = [[
thread("t", smp_mb)
run()
trace()[1].text]] },

	{ name = "annotations", title = "An editor's help", text = {
		"srcush.d.lua (in share/srcush where srcush is installed) describes all functions for the "
		.. "Lua language server: name it in the setting workspace.library.  'srcush -e "
		.. "\"require('annotate').write()\"' writes it as well." },
	  example = [[require("annotate").write({ write = function() end })]] },
}
