#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run-test.sh TEST: run one test of t/, whatever its kind, with TAP on standard
# output.  "make check" calls it below automake's TAP driver.
#
#   *.t    a Lua script, run by the srcush that was just built ($SRCUSH)
#   *.exp  an expect script: what needs a terminal; skipped without expect
#   else   a program, i.e. a C unit test made with cmocka
#
# TEST_TIMEOUT=SECONDS ends a test that hangs.  It is for unattended runs: under
# timeout(1) a Ctrl-C at "make check" would not reach the test.

set -u

if test $# -ne 1; then
	echo "usage: run-test.sh TEST" >&2
	exit 2
fi

limit=
if test -n "${TEST_TIMEOUT-}" && command -v timeout >/dev/null 2>&1; then
	limit="timeout -k 10 $TEST_TIMEOUT"
fi

case $1 in
*.t)
	exec $limit "${SRCUSH:-./srcush}" "$1" ;;
*.exp)
	if ! command -v expect >/dev/null 2>&1; then
		echo '1..0 # SKIP expect is not installed'
		exit 0
	fi
	exec $limit expect -f "$1" ;;
esac

# cmocka says "not ok N # SKIP" for a skipped test, which TAP reads as a
# failure.  The program's own exit status must survive the pipe: a leak found
# at exit is only seen there.
exec 4>&1
status=$( { { $limit "$1"; echo $? >&3; } |
	sed 's/^not ok \([0-9]*\) # SKIP/ok \1 # SKIP/' >&4; } 3>&1 )
exit "$status"
