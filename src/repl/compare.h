/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of lua/compare.lua that are in C: see compare.c.
 */
#ifndef SRCUSH_REPL_COMPARE_H
#define SRCUSH_REPL_COMPARE_H

#include <lua.h>

/* Pushes the table of them. */
void compare_push(lua_State *L);

#endif
