-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- The shell's dot-commands in words, in the order of .help: what they do is in
-- shell.lua; help(), apropos() and completion read this table.  `repeats`: an
-- empty line performs the command again.

return {
	{ name = "step", usage = "[T] [N|=K]", repeats = true,
	  doc = "perform the next N steps (1) of thread T, or one with its choice K, of choose() or of what "
		.. "--model tso and weak leave open; .step on: calls typed to a focused "
		.. "thread stop before their first step (.step off: they do not)",
	  example = ".step reader 3" },
	{ name = "over", usage = "[T]", repeats = true,
	  doc = "step T until its current kernel call returns, blocks, or T ends",
	  example = ".over writer" },
	{ name = "finish", usage = "[T]", doc = "run T alone until it is done or blocked",
	  example = ".finish writer" },
	{ name = "until", usage = "[T] WHAT",
	  doc = "run T, and what it waits for, until WHAT: SCAN1, SCAN2, IDLE or a Lua condition",
	  example = ".until writer SCAN2" },
	{ name = "run", usage = "", doc = "run everything until all threads are done or blocked",
	  example = ".run" },
	{ name = "back", usage = "[N]", doc = "go N steps (1) back in time", example = ".back 2" },
	{ name = "reset", usage = "", doc = "go back to the start", example = ".reset" },
	{ name = "threads", usage = "",
	  doc = "list all threads, workers and timers, and what they wait for",
	  example = ".threads" },
	{ name = "show", usage = "[X]",
	  doc = "print the state of X (an object's name or a Lua expression), or of the world",
	  example = ".show ss" },
	{ name = "timeline", usage = "[N]",
	  doc = "print the steps so far, or the last N of them, one lane for each thread",
	  example = ".timeline 20" },
	{ name = "trace", usage = "[N]", doc = "print the last N steps (20), one line each",
	  example = ".trace 5" },
	{ name = "schedule", usage = "",
	  doc = "print the schedule so far, as .replay and 'srcush replay' take it",
	  example = ".schedule" },
	{ name = "replay", usage = "[S]",
	  doc = "go to the start and perform the schedule S (@FILE: from a file); without S: the "
		.. "one that .explore found",
	  example = ".replay @sc,4 writer*3 reader" },
	{ name = "load", usage = "FILE[:NAME]",
	  doc = "build the world anew from a scenario file; without FILE: from the last one, read again",
	  example = ".load lock.lua:buggy" },
	{ name = "reload", usage = "",
	  doc = "compile again the kernel trees whose sources have changed (srcu.load_kernel, --kernel), and "
		.. "build the world of what comes out, at its start",
	  example = ".reload" },
	{ name = "save", usage = "FILE", doc = "write the schedule so far to a file",
	  example = ".save found.schedule" },
	{ name = "explore", usage = "[OPTIONS]",
	  doc = "try every interleaving of the scenario from which the world was built (options as of "
		.. "'srcush explore': --strategy pct, --max-executions 1000); .replay then walks to what it "
		.. "found",
	  example = ".explore --keep-going" },
	{ name = "thread", usage = "[T]",
	  doc = "focus on thread T: what is typed runs there (!LINE does not); without T: on none",
	  example = ".thread reader" },
	{ name = "help", usage = "[TOPIC]",
	  doc = "explain a command, a function or a topic, or list the commands",
	  example = ".help srcu_read_lock" },
	{ name = "apropos", usage = "WORD", doc = "list commands, functions and topics that tell of WORD",
	  example = ".apropos barrier" },
	{ name = "quit", usage = "", doc = "leave (so does Ctrl-D)", example = ".quit" },
}
