/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The name that somebody may have meant on the command line; the shell has its
 * own in lua/words.lua, which is not loaded when the command line is read.
 */
#ifndef SRCUSH_REPL_NEAREST_H
#define SRCUSH_REPL_NEAREST_H

#include <stddef.h>

/* The one of `n` names that differs least from the first `len` letters of `name`,
 * by no more than a third of them; NULL: none. */
const char *nearest(const char *name, size_t len, const char *const *names, size_t n);

#endif
