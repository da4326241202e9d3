/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chunks of Lua: loading them from files and strings with messages of our own,
 * calling them with a traceback, and reporting what went wrong.
 */
#ifndef SRCUSH_REPL_CHUNK_H
#define SRCUSH_REPL_CHUNK_H

#include <stdbool.h>
#include <lua.h>

#include "repl/status.h"

/*
 * Compiles a file ("-" or NULL: standard input).  True with the function pushed,
 * false with a message pushed: it cannot be read, is binary or does not parse.
 * A first line that begins with # is skipped.
 */
bool chunk_load_file(lua_State *L, const char *path);
/* The same for text that is already here; `name` as for lua_load ("=stdin"). */
bool chunk_load_text(lua_State *L, const char *text, size_t len, const char *name);

/* The message handler: makes a string of any error and adds the traceback, where
 * that says more than the message. */
int chunk_traceback(lua_State *L);
/* Cuts the traceback of the string on top to what says something. */
void chunk_shorten(lua_State *L);

/*
 * Calls the function below `nargs` arguments.  STATUS_OK with its results, or
 * STATUS_ERROR or STATUS_INTERRUPTED with the message pushed.
 */
enum status chunk_call(lua_State *L, int nargs, int nresults);

/* Prints the message on top as srcush's complaint, pops it, returns `status`. */
enum status chunk_complain(lua_State *L, enum status status);

#endif
