/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What bodies and scenario functions may get that is not the same in each execution
 * or each process: clocks, random numbers, the order of a table's keys; and how much
 * memory Lua may take while a scenario is explored.
 */
#ifndef SRCUSH_BINDING_LUA_DETERMINISM_H
#define SRCUSH_BINDING_LUA_DETERMINISM_H

#include "binding/binding.h"

/* Lua's functions that are concerned are replaced; once, after luaL_openlibs(). */
void lb_open_determinism(lua_State *L);

/* From now on Lua may take so much more and no more: what then fails with "not enough
 * memory" is said in s->unexplorable as well.  NULL: no memory. */
struct lb_limit;
struct lb_limit *lb_limit_set(struct session *s);
/* Nobody is in the middle of asking for memory: s->unexplorable says all there is to say. */
void lb_limit_check(struct lb_limit *l);
void lb_limit_free(struct lb_limit *l);	/* NULL is allowed */

#endif
