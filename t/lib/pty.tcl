# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests at a terminal: starts srcush on a pseudo-terminal, types into it,
# and checks what it answers, with TAP on standard output.
#
#   done                the end: how many checks there were
#   start ARG...        starts srcush; the one before must have ended
#   type TEXT           types a line (the newline is added)
#   key TEXT            types just that
#   sees NAME TEXT      a check: TEXT appears in what follows
#   prompt NAME TEXT    a check: the prompt TEXT appears, and nothing behind it
#   leaves NAME STATUS  a check: srcush ends with that exit status
#   ok CONDITION NAME   a check
#   readline            whether srcush was built with it

log_user 0
# Under a sanitizer on a busy machine, everything takes its time.
set timeout 60
set tests 0
set env(TERM) dumb
set stty_init "rows 40 columns 100"

proc done {} {
	global tests
	puts "1..$tests"
}

proc ok {condition name} {
	global tests
	incr tests
	puts "[expr {$condition ? {ok} : {not ok}}] $tests - $name"
	flush stdout
}

proc readline {} {
	global env
	return [string match "*readline*" [eval exec $env(SRCUSH) -v]]
}

proc diag {text} {
	foreach line [split [string map {\r {}} $text] \n] {
		puts "# $line"
	}
}

proc start {args} {
	global spawn_id env
	eval spawn -noecho $env(SRCUSH) $args
}

proc key {text} {
	send -- $text
}

proc type {text} {
	send -- "$text\r"
}

# The check that text appears (and nothing behind it, with `end` = "$"); what
# came instead is shown.
proc appears {name text end} {
	set why ""
	regsub -all {[][*+?.^$|(){}\\]} $text {\\&} pattern
	append pattern $end
	expect {
		-re $pattern { ok 1 $name; return }
		timeout { set why "no answer in time"; expect * {} }
		eof { set why "srcush has ended" }
	}
	ok 0 $name
	diag "$why; expected: $text"
	diag "got: [expr {[info exists expect_out(buffer)] ? $expect_out(buffer) : {nothing}}]"
}

proc sees {name text} {
	appears $name $text ""
}

proc prompt {name text} {
	appears $name $text {$}
}

proc leaves {name status} {
	expect {
		timeout { ok 0 $name; diag "srcush has not ended"; return }
		eof { }
	}
	set result [wait]
	if {[lindex $result 2] == 0 && [llength $result] == 4} {
		ok [expr {[lindex $result 3] == $status}] $name
		if {[lindex $result 3] != $status} {
			diag "exit status [lindex $result 3], expected $status"
		}
	} else {
		# killed by a signal: {pid spawn 0 0 CHILDKILLED SIGTERM ...}
		ok [expr {[lindex $result 5] == $status}] $name
		if {[lindex $result 5] != $status} {
			diag "ended by $result, expected $status"
		}
	}
}
