/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of srcush that are written in Lua (lua/ in the source tree) are
 * compiled into the program, so that it works wherever it is copied.  This is
 * the table that holds them; build-aux/embed.sh writes its definition.
 */
#ifndef SRCUSH_BINDING_LUA_EMBEDDED_H
#define SRCUSH_BINDING_LUA_EMBEDDED_H

#include <stddef.h>

struct lua_embedded {
	const char *name;	/* as for require: lua/a/b.lua is "a.b" */
	const char *data;	/* the file's text; a NUL follows it */
	size_t len;		/* without that NUL */
};

/* Ordered as LUA_FILES in Makefile.am; ends with an entry whose name is NULL. */
extern const struct lua_embedded lua_embedded[];

#endif
