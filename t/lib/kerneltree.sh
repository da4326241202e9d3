#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# kerneltree.sh VERSION: what the tests need of Debian's linux-source-VERSION (6.12),
# unpacked: the directory is printed, status 0.  Where there is none it says why in one
# line, status 1: a reason to skip a test.  It is taken from the first that is there:
#
#   $SRCUSH_KERNEL_TREES/linux-source-VERSION
#   /usr/src/linux-source-VERSION, a directory or .tar.xz
#   the package, with apt-get, which needs no root (never with $SRCUSH_NO_FETCH)
#
# What had to be unpacked is kept in $SRCUSH_TREES_CACHE, by default in the user's cache
# directory, or else below the current directory.  Several may do this at once: one
# unpacks, the others wait.

set -u
LC_ALL=C
export LC_ALL

fetch_seconds=60	# a network that does not answer must not hold up the tests
wait_seconds=180	# for another one that unpacks
again_minutes=60	# before what went wrong is tried again

files='Makefile
	include/linux/rcu_node_tree.h include/linux/rcu_segcblist.h
	include/linux/srcu.h include/linux/srcutiny.h include/linux/srcutree.h
	kernel/rcu/rcu.h kernel/rcu/rcu_segcblist.c kernel/rcu/rcu_segcblist.h
	kernel/rcu/srcutiny.c kernel/rcu/srcutree.c'

have() { command -v "$1" >/dev/null 2>&1; }

none() { printf '%s\n' "$*"; exit 1; }

case ${1-} in
*[!0-9.]*) none "usage: kerneltree.sh VERSION" ;;
[1-9]*.[0-9]*) version=$1 name=linux-source-$1 ;;
*) none "usage: kerneltree.sh VERSION" ;;
esac

# is_tree DIR: all of it is there.
is_tree() {
	for f in $files; do
		test -r "$1/$f" || return 1
	done
}

found() { printf '%s\n' "$1"; exit 0; }

# ------------------------------------------------ one that needs no unpacking

if test -n "${SRCUSH_KERNEL_TREES-}" && is_tree "$SRCUSH_KERNEL_TREES/$name"; then
	found "$SRCUSH_KERNEL_TREES/$name"
fi
if is_tree "/usr/src/$name"; then
	found "/usr/src/$name"
fi

# ------------------------------------------------------------------ the cache

user_cache() {
	if test -n "${XDG_CACHE_HOME-}"; then
		echo "$XDG_CACHE_HOME/srcush/trees"
	elif test -n "${HOME-}"; then
		echo "$HOME/.cache/srcush/trees"
	fi
}

cache=
for dir in "${SRCUSH_TREES_CACHE-}" "$(user_cache)" "$PWD/t/scratch/trees"; do
	if test -n "$dir" && mkdir -p "$dir" 2>/dev/null && test -w "$dir"; then
		cache=$dir
		break
	fi
done
test -n "$cache" || none "no directory to unpack $name in can be written"

# A tree is never replaced, as others may be reading it: an upgraded package is
# unpacked beside it.
tarball=/usr/src/$name.tar.xz
if test -r "$tarball"; then
	key=$(ls -lL "$tarball" | cksum | tr -dc 0-9)
else
	tarball=
	key=package
fi
tree=$cache/$key/$name lock=$cache/$name.lock failed=$cache/$key/$name.failed

! is_tree "$tree" || found "$tree"
if test -z "$tarball"; then
	# of a package that was installed once
	for dir in "$cache"/*/"$name"; do
		! is_tree "$dir" || found "$dir"
	done
fi

# ----------------------------------------------------------- one at a time

# Its maker has died, or came not even so far as to say who it is.
stale_lock() {
	if pid=$(cat "$lock/pid" 2>/dev/null) && test -n "$pid"; then
		! kill -0 "$pid" 2>/dev/null
	else
		test -n "$(find "$lock" -maxdepth 0 -mmin +5 2>/dev/null)"
	fi
}

# By a rename, which only one can do.
break_lock() {
	if stale_lock && mv "$lock" "$lock.$$" 2>/dev/null; then
		rm -rf "$lock.$$"
	fi
}

work=
release() {
	test -z "$work" || rm -rf "$work"
	rm -rf "$lock"
}

waited=0
until mkdir "$lock" 2>/dev/null; do
	test "$waited" -lt "$wait_seconds" || none "$name is being unpacked by another test for too long"
	sleep 1
	waited=$((waited + 1))
	break_lock
done
trap release EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
echo $$ >"$lock/pid"

! is_tree "$tree" || found "$tree"

# ------------------------------------------------------------ unpacking it

# Not the same failure in each test, with the network's patience each time.
if test -n "$(find "$failed" -mmin -"$again_minutes" 2>/dev/null)"; then
	none "$(cat "$failed")"
fi

give_up() {
	printf '%s\n' "$*" 2>/dev/null >"$failed"
	none "$*"
}

mkdir -p "$cache/$key" 2>/dev/null &&
	work=$(mktemp -d "$cache/work.XXXXXX" 2>/dev/null) || none "$cache cannot be written"

# A source's tar, compressed, from standard input; tar stops when it has the files.
unpack() {
	set --
	for f in $files; do
		set -- "$@" "$name/$f"
	done
	xz -dc -T0 2>/dev/null | tar -C "$work" --occurrence -xf - "$@" 2>/dev/null
}

limited() { timeout -k 5 "$fetch_seconds" "$@"; }

# With lists of our own where the system has none, or old ones.
download() {
	limited apt-get -q download "$name"
	status=$?
	if test "$status" = 0 || test "$status" = 124; then
		return "$status"
	fi
	mkdir -p state/lists/partial cache/archives/partial
	set -- -q -o "Dir::State=$PWD/state" -o "Dir::Cache=$PWD/cache" -o Acquire::Languages=none
	limited apt-get "$@" update && limited apt-get "$@" download "$name"
}

fetch() {
	test -z "${SRCUSH_NO_FETCH-}" || none "$name is not installed, and SRCUSH_NO_FETCH is set"
	for tool in apt-get dpkg-deb timeout; do
		have "$tool" || give_up "$name is not installed, and there is no $tool to fetch it with"
	done
	mkdir "$work/deb"
	(cd "$work/deb" && download) >"$work/log" 2>&1 </dev/null
	if test "$?" = 124; then
		give_up "$name is not installed, and could not be fetched within $fetch_seconds s"
	fi
	deb=$(ls "$work/deb/$name"_*.deb 2>/dev/null)
	test -n "$deb" || give_up "$name is not installed, and could not be fetched:" \
				  "$(sed -n 's/^E: *//p' "$work/log" | head -n 1)"
	dpkg-deb --fsys-tarfile "$deb" 2>/dev/null |
		tar -xOf - "./usr/src/$name.tar.xz" 2>/dev/null | unpack
}

for tool in tar xz; do
	have "$tool" || give_up "$name cannot be unpacked: $tool is not installed"
done
if test -n "$tarball"; then
	unpack <"$tarball"
else
	fetch
fi
is_tree "$work/$name" || give_up "$name cannot be unpacked, or is not what it seems"
mv "$work/$name" "$tree" 2>/dev/null || none "$cache cannot be written"
rm -f "$failed"
found "$tree"
