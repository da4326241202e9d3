#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tally.sh FILE.trs...: sum up the results that "make check" left, in one line:
# "N passed, N failed" and, if there were any, ", N skipped".  A test without a
# result file did not end and counts as failed.  Exit status 1 if any failed.

set -u
export LC_ALL=C

missing=0
set -f
IFS=' 	
'
list=
for trs do
	if test -r "$trs"; then
		list="$list $trs"
	else
		missing=$((missing + 1))
		echo "tally.sh: no result: '$trs'" >&2
	fi
done

# /dev/null: with an empty list awk would wait for standard input.
awk -v failed="$missing" '
	/^:test-result: (PASS|XFAIL)/       { passed++ }
	/^:test-result: (FAIL|XPASS|ERROR)/ { failed++ }
	/^:test-result: SKIP/               { skipped++ }
	END {
		line = (passed + 0) " passed, " (failed + 0) " failed"
		if (skipped)
			line = line ", " skipped " skipped"
		print line
		exit failed > 0
	}' $list /dev/null
