/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Executions of a scenario function, one after the other: the struct explore_source
 * of a Lua scenario.  It has a world of its own; that of the session is set aside
 * meanwhile and comes back, with its handles, when the source is freed.
 */
#ifndef SRCUSH_BINDING_LUA_SOURCE_H
#define SRCUSH_BINDING_LUA_SOURCE_H

#include "binding/binding.h"
#include "explore/explore.h"

struct lb_source;

/*
 * Builds the world of the function at scenario_idx; `title` is what it is called.  Raises
 * what the function raises, with the session's own world in its place again.  Until it
 * is freed the session's world is the source's: stepping functions refuse.
 */
struct lb_source *lb_source_new(lua_State *L, int scenario_idx, const char *title);
/* Nothing of Lua's may have to be unwound across it.  NULL is allowed. */
void lb_source_free(struct lb_source *src);
void lb_source_fill(struct lb_source *src, struct explore_source *out);

/*
 * May an execution begin by going back to the start of the last one, without calling the
 * scenario function?  Yes, at first; it is counted from the next begin() on, and falls
 * back to false where it cannot be done: bodies use a coroutine (lua_purity.h).
 */
void lb_source_set_warm(struct lb_source *src, bool warm);
bool lb_source_is_warm(const struct lb_source *src);

#endif
