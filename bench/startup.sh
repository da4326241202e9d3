#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Start-up: srcush -e '' beside lua5.4 -e '', in turn; medians of whole processes.
# Usage: bench/startup.sh [SRCUSH [LUA]]
srcush=${1:-${SRCUSH:-./srcush}}
lua=${2:-lua5.4}
command -v "$lua" >/dev/null || { echo "startup: $lua is not here: nothing to compare with"; exit 0; }

ms() {
	start=$(date +%s%N)
	"$@" -e '' </dev/null >/dev/null || exit 1
	end=$(date +%s%N)
	echo $(( (end - start) / 1000 ))
}
ours= theirs=
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21; do
	ours="$ours $(ms "$srcush")"
	theirs="$theirs $(ms "$lua")"
done
median() { printf '%s\n' "$@" | sort -n | sed -n 11p; }
# shellcheck disable=SC2086
a=$(median $ours) b=$(median $theirs)
awk -v a="$a" -v b="$b" 'BEGIN {
	printf "start-up, median of 21: srcush %.2f ms, lua %.2f ms, ratio %.2f, difference %.2f ms\n",
		a / 1000, b / 1000, a / b, (a - b) / 1000 }'
