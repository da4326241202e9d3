/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an image is compiled with: force-included before everything, it has the kernel's
 * spelling of all that a tree's SRCU asks of the kernel, made of the stepped vocabulary
 * (k/).  A primitive that it lacks is a compile error that names the primitive.
 *
 * The files of Makefile.am's KTREE_EMBEDDED are laid out in DIR, and OUT is a place for
 * what is made on the way.  The current directory is the tree's.  Each source is compiled
 * by
 *
 *	CC -std=gnu11 -O1 -g1 -fPIC -ffreestanding -nostdinc -isystem FREESTANDING
 *	   -fvisibility=hidden -fno-common -fno-strict-aliasing -fno-strict-overflow
 *	   -fno-zero-initialized-in-bss -fno-stack-protector -fno-omit-frame-pointer
 *	   -fno-optimize-sibling-calls -ffile-prefix-map=./= -Werror=implicit-function-declaration
 *	   -Werror=implicit-int -Werror=int-conversion -Werror=incompatible-pointer-types
 *	   -DCONFIG_NR_CPUS=n [-DCONFIG_RCU_FANOUT=n] [-DCONFIG_RCU_FANOUT_LEAF=n]
 *	   [-DKTREE_TINY] -iquote . -I OUT/include -I DIR -include ktree_shim.h
 *
 * FREESTANDING is where the compiler's own stddef.h is (-print-file-name=include).  With
 * -fsanitize=thread beside these: the tree's own two files and api.c; the others without
 * (clang with -mllvm -tsan-instrument-func-entry-exit=0 too, for speed).  Linked by
 *
 *	CC -shared -nostdlib -Wl,-z,now -Wl,-z,relro -Wl,-z,noexecstack
 *	   -Wl,--version-script=DIR/image.map -Wl,-T,DIR/image.ld -o OUT/image.so
 *	   srcu.o segcblist.o kernel.o api.o glue.o hooks.o
 *
 * where srcu.o is of kernel/rcu/srcutree.c or srcutiny.c and segcblist.o of
 * kernel/rcu/rcu_segcblist.c (which the tiny one does not need); image.ld knows the names.
 *
 * OUT/include has, for each `#include <X>` in the tree's files named below: if X is one
 * of the forwarded, a file X with the line `#include "include/X"`; otherwise an empty X.
 * The names are scanned for in these two sources, kernel/rcu/rcu.h,
 * kernel/rcu/rcu_segcblist.h, and include/ of each that is forwarded and there:
 *	linux/srcu.h linux/srcutree.h linux/srcutiny.h linux/rcu_segcblist.h
 *	linux/rcu_node_tree.h
 *
 * OUT/include also has adaptor.h, made from candidates.txt: see there.
 */
#ifndef KTREE_SHIM_H
#define KTREE_SHIM_H

#include "ktree_config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktree/abi.h"
#include "k/access.h"
#include "k/bitops.h"
#include "k/lock.h"
#include "k/mem.h"
#include "k/swait.h"
#include "k/work.h"

#include "ktree_base.h"
#include "ktree_atomic.h"
#include "ktree_sched.h"
#include "ktree_guard.h"

#endif
