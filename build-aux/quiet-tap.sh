#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# quiet-tap.sh --test-name TEST ARGUMENT...: automake's tap-driver.sh with these
# arguments, but what passed is one line for the whole test: "PASS: t/x.t (12)".
# With TAP_VERBOSE=1 ("make check V=1") it is a line for each, as automake has it.

set -u

driver=$(dirname "$0")/tap-driver.sh
if test "${TAP_VERBOSE-}" = 1; then
	exec sh "$driver" "$@"
fi

# The line of the first that passed, colours included, is that of all.  The
# driver's exit status must survive the pipe.
exec 4>&1
status=$( { { sh "$driver" "$@"; echo $? >&3; } |
	awk -v test="$2" '
		/^[^A-Z]*PASS/ { if (!n++) line = $0; next }
		{ print }
		END {
			if (n) {
				sub(/PASS.*$/, "", line)
				print line "PASS" (line == "" ? "" : "\033[m") ": " test " (" n ")"
			}
		}' >&4; } 3>&1 )
exit "$status"
